//! The token with which hdfs-native authenticates to one HDFS of a cluster with Kerberos. It is one that the
//! login was given, or else one that is fetched with the login's Kerberos tickets when it is needed first.
//! All clients of a login share the tokens that were fetched.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hadoop_rpc::{HadoopConf, Login, Token, TokenSource};
use hdfs_native::{DelegationToken, TokenProvider};
use tokio::time::Instant;

use crate::error::{FsError, FsErrorKind};
use crate::location::Location;
use crate::name_node_rpc::{HDFS_TOKEN, TokenCalls, WITHIN, services};

/// The token that an operation uses.
#[derive(Debug, Clone)]
pub(crate) enum InUse {
    /// One that the login was given. Whoever gave it has to replace it.
    Given(Token),
    /// One that was fetched here.
    Own(Token),
}

/// The tokens for one HDFS. Clones share them.
#[derive(Clone)]
pub(crate) struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    conf: HadoopConf,
    login: Login,
    location: Location,
    /// The services under which tokens are looked for, once one was found.
    services: OnceLock<Vec<String>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.shared.location.root)
    }
}

/// How the last fetch has failed, and when. Whoever has waited for that fetch has the same failure.
type LastFailure = Option<(Instant, FsError)>;
type Flight = Arc<tokio::sync::Mutex<LastFailure>>;

/// The fetches that are under way, by service and user. A process that opens an HDFS many times at once must
/// not ask for as many tokens, which the NameNode would keep for a week.
static FLIGHTS: Mutex<BTreeMap<String, Flight>> = Mutex::new(BTreeMap::new());

impl Tokens {
    pub(crate) fn of(conf: &HadoopConf, login: &Login, location: &Location) -> Self {
        let (conf, login, location) = (conf.clone(), login.clone(), location.clone());
        Self { shared: Arc::new(Shared { conf, login, location, services: OnceLock::new() }) }
    }

    /// Sees to it that there is a token, and says which one it is.
    pub(crate) async fn ready(&self, deadline: Duration) -> Result<InUse, FsError> {
        let Shared { conf, location, services: known, .. } = &*self.shared;
        if let Some(found) = known.get().and_then(|known| self.present(known)) {
            return Ok(found);
        }
        let names = match known.get() {
            Some(known) => known.clone(),
            None => services(conf, location).await?,
        };
        let found = match self.present(&names) {
            Some(found) => found,
            None => self.fetch_once(&names, deadline).await?,
        };
        known.get_or_init(|| names);
        Ok(found)
    }

    /// What becomes of an operation that was refused because its token is not valid. One that was fetched
    /// here is forgotten, and the next operation fetches another one. One that was given is forgotten only if
    /// there are tickets with which another one can be fetched.
    pub(crate) fn refused(&self, used: &InUse, error: FsError) -> FsError {
        let login = &self.shared.login;
        match used {
            // It was replaced while the operation was under way.
            InUse::Given(used) if self.given().is_some_and(|now| now != *used) => error.with_old_token(),
            InUse::Given(used) if login.kerberos().is_some() => {
                login.tokens().update(|given| given.tokens.retain(|_, token| *token != *used));
                error.with_old_token()
            }
            InUse::Given(_) => {
                let why =
                    format!("the token that heddle was given is not valid any more: {}", error.detail());
                error.with_detail(why)
            }
            InUse::Own(used) => {
                login.own_tokens().update(|own| own.tokens.retain(|_, token| *token != *used));
                error.with_old_token()
            }
        }
    }

    /// The token that the login was given, as it is now.
    fn given(&self) -> Option<Token> {
        let services = self.shared.services.get()?;
        self.shared.login.tokens().get().find_token(HDFS_TOKEN, services).cloned()
    }

    /// The token for one of these services that there is now.
    fn present(&self, services: &[String]) -> Option<InUse> {
        let login = &self.shared.login;
        if let Some(given) = login.tokens().get().find_token(HDFS_TOKEN, services) {
            return Some(InUse::Given(given.clone()));
        }
        login.own_tokens().get().find_token(HDFS_TOKEN, services).cloned().map(InUse::Own)
    }

    /// Fetches a token, unless that is being done already: then the outcome is awaited.
    async fn fetch_once(&self, services: &[String], deadline: Duration) -> Result<InUse, FsError> {
        let asked = Instant::now();
        let flight = self.flight(services);
        let mut last = flight.lock().await;
        if let Some(found) = self.present(services) {
            return Ok(found);
        }
        if let Some((_, error)) = last.as_ref().filter(|(at, _)| *at > asked) {
            return Err(error.clone());
        }
        let fetched = self.fetch(services, deadline).await;
        *last = fetched.as_ref().err().map(|error| (Instant::now(), error.clone()));
        fetched.map(InUse::Own)
    }

    async fn fetch(&self, services: &[String], deadline: Duration) -> Result<Token, FsError> {
        let Shared { conf, login, location, .. } = &*self.shared;
        let calls = TokenCalls::by_ticket(conf, login, location, deadline.min(WITHIN))?;
        let none = location.unusable(FsErrorKind::Authentication, "it has no delegation tokens");
        // The user could renew it. heddle fetches another one when it is not valid any more.
        let renewer = login.user().short_name().to_owned();
        let service = services.first().cloned().unwrap_or_default();
        let (own, server) = (login.own_tokens().clone(), location.server.clone());
        let fetch = async move {
            let token = Token { service, ..calls.fetch(&renewer).await?.ok_or(none)? };
            tracing::debug!(server, service = token.service, "fetched a token");
            keep(&own, token.clone());
            Ok::<_, FsError>(token)
        };
        login.fetches().run(fetch).await
    }

    fn flight(&self, services: &[String]) -> Flight {
        let login = &self.shared.login;
        let principal = login.kerberos().map_or("", |kerberos| kerberos.principal());
        let service = services.first().map_or("", String::as_str);
        let key = format!("{service} {} {principal}", login.user().effective);
        FLIGHTS.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

/// Adds a token to the own ones. There is another one for the same service already if this one was given up
/// while it was fetched. Then both stay, because both have to be cancelled.
fn keep(own: &TokenSource, token: Token) {
    own.update(|own| {
        let mut alias = token.service.clone();
        while own.tokens.contains_key(&alias) {
            alias.push('+');
        }
        own.tokens.insert(alias, token);
    });
}

impl TokenProvider for Tokens {
    /// The HDFS is always the same, so its name does not matter.
    fn token(&self, _authority: &str) -> Option<DelegationToken> {
        let (InUse::Given(token) | InUse::Own(token)) = self.present(self.shared.services.get()?)?;
        let Token { kind, service, identifier, password } = token;
        Some(DelegationToken { identifier, password, kind, service })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hadoop_rpc::{ConfError, Credentials, KerberosLogin, KerberosProblem, Mechanism, MechanismFactory};
    use hadoop_rpc::{SaslConnection, SaslError, SaslOffer, UserIdentity};

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    /// Tickets of a KDC that is away.
    #[derive(Debug, Clone, Default)]
    struct Tickets;

    impl KerberosLogin for Tickets {
        fn mechanism(&self, _: &HadoopConf, key: &str) -> Result<Arc<dyn MechanismFactory>, ConfError> {
            assert_eq!(key, "dfs.namenode.kerberos.principal");
            Ok(Arc::new(self.clone()))
        }
        fn principal(&self) -> &str {
            "alice@R"
        }
    }

    impl MechanismFactory for Tickets {
        fn method(&self) -> &str {
            "KERBEROS"
        }
        fn start(
            &self,
            _: &SaslOffer,
            _: SaslConnection<'_>,
        ) -> Result<Option<Box<dyn Mechanism>>, SaslError> {
            Ok(None)
        }
    }

    fn token(service: &str, password: &str) -> Token {
        Token {
            kind: HDFS_TOKEN.into(),
            service: service.into(),
            identifier: vec![0],
            password: password.into(),
        }
    }

    fn login() -> Login {
        Login::simple(UserIdentity::principal("alice@R", "alice"))
    }

    fn tokens(login: &Login, address: &str) -> Tokens {
        let conf = HadoopConf::from_map([
            ("fs.defaultFS", format!("hdfs://{address}").as_str()),
            ("hadoop.security.authentication", "kerberos"),
        ]);
        Tokens::of(&conf, login, &Location::find(&conf, None).unwrap())
    }

    fn password(tokens: &Tokens) -> Option<String> {
        tokens.token("").map(|token| String::from_utf8(token.password).unwrap())
    }

    #[tokio::test]
    async fn a_given_token_comes_before_an_own_one() {
        let mut given = Credentials::default();
        given.add_token(token("127.0.0.1:8020", "given"));
        let login = login().with_credentials(given);
        login.own_tokens().put("127.0.0.1:8020", token("127.0.0.1:8020", "own"));
        login.own_tokens().put("127.0.0.1:1", token("127.0.0.1:1", "other"));
        let tokens = tokens(&login, "127.0.0.1");
        assert_eq!(password(&tokens), None, "hdfs-native is asked only after that");
        let used = tokens.ready(WAIT).await.unwrap();
        assert!(matches!(&used, InUse::Given(token) if token.password == b"given"), "{used:?}");
        assert_eq!(password(&tokens).as_deref(), Some("given"));
        // Its end is reported, and it stays.
        let error = tokens.shared.location.unusable(FsErrorKind::Authentication, "token is expired");
        let error = tokens.refused(&used, error);
        assert!(error.detail().ends_with("not valid any more: token is expired"), "{error}");
        assert_eq!((error.kind(), error.is_of_old_token()), (FsErrorKind::Authentication, false));
        // One that replaces it is used for the next connection, and by an operation that the old one has
        // failed.
        login.tokens().put("127.0.0.1:8020", token("127.0.0.1:8020", "newer"));
        assert_eq!(password(&tokens).as_deref(), Some("newer"));
        let late = tokens.shared.location.unusable(FsErrorKind::Authentication, "token is expired");
        assert!(tokens.refused(&used, late).is_of_old_token());
    }

    #[tokio::test]
    async fn with_tickets_a_given_token_that_was_refused_is_forgotten() {
        let mut given = Credentials::default();
        given.add_token(token("127.0.0.1:8020", "given"));
        let login = login().with_credentials(given).with_kerberos(Arc::new(Tickets));
        let tokens = tokens(&login, "127.0.0.1");
        let used = tokens.ready(WAIT).await.unwrap();
        let error = tokens.shared.location.unusable(FsErrorKind::Authentication, "token is expired");
        assert!(tokens.refused(&used, error).is_of_old_token());
        assert_eq!((password(&tokens), login.tokens().get().tokens.len()), (None, 0));
    }

    #[tokio::test]
    async fn an_own_token_that_was_refused_is_forgotten() {
        let login = login();
        login.own_tokens().put("127.0.0.1:8020", token("127.0.0.1:8020", "old"));
        login.own_tokens().put("127.0.0.1:1", token("127.0.0.1:1", "other"));
        let tokens = tokens(&login, "127.0.0.1");
        let used = tokens.ready(WAIT).await.unwrap();
        let error = || tokens.shared.location.unusable(FsErrorKind::Authentication, "token is expired");
        assert!(tokens.refused(&used, error()).is_of_old_token());
        assert_eq!((password(&tokens), login.own_tokens().get().tokens.len()), (None, 1));
        // A late refusal of the old token does not take away the new one.
        login.own_tokens().put("127.0.0.1:8020", token("127.0.0.1:8020", "new"));
        assert!(tokens.refused(&used, error()).is_of_old_token());
        assert_eq!(password(&tokens).as_deref(), Some("new"));
        assert!(!format!("{tokens:?} {used:?}").contains("old"));
    }

    #[test]
    fn no_own_token_takes_the_place_of_another_one() {
        let own = TokenSource::default();
        for password in ["first", "second", "third"] {
            keep(&own, token("nn:1", password));
        }
        let held = own.get();
        let passwords: Vec<&[u8]> = held.tokens.values().map(|token| token.password.as_slice()).collect();
        assert_eq!(passwords, [&b"first"[..], b"second", b"third"]);
        assert!(held.find_token(HDFS_TOKEN, &["nn:1"]).is_some());
    }

    #[tokio::test]
    async fn without_token_and_ticket_nobody_is_asked() {
        let error = tokens(&login(), "127.0.0.1:1").ready(WAIT).await.unwrap_err();
        assert_eq!(error.kind(), FsErrorKind::Authentication);
        assert_eq!(error.kerberos(), Some(KerberosProblem::NoCredentials));
        assert_eq!(
            error.to_string(),
            "cannot use hdfs://127.0.0.1:1 on NameNode 127.0.0.1:1: there is no Kerberos ticket with which to get or renew a \
             delegation token"
        );
    }

    #[tokio::test]
    async fn those_who_wait_for_the_same_fetch_have_its_failure() {
        // A NameNode that lets each connection wait for a moment, and then closes it.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
                drop(stream);
            }
        });
        let login = login().with_kerberos(Arc::new(Tickets));
        let all = (0..10).map(|_| {
            let tokens = tokens(&login, &address);
            async move { tokens.ready(WAIT).await.unwrap_err() }
        });
        let errors = futures::future::join_all(all).await;
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        assert!(errors.iter().all(|e| e.kind() == FsErrorKind::Unreachable), "{errors:?}");
        // Whoever comes later tries again.
        tokens(&login, &address).ready(WAIT).await.unwrap_err();
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }
}

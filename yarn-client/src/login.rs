//! Logs in as Hadoop's own clients do. With simple authentication a name is sufficient. With Kerberos the
//! tickets come from a keytab or from the ticket cache, and tokens from the file that
//! `HADOOP_TOKEN_FILE_LOCATION` names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flink_model::config::Configuration;
use flink_model::options::{self, Opt};
use hadoop_fs::TokenIdentity;
use hadoop_gssapi::{GssError, Library, TicketLogin, TicketSource};
use hadoop_rpc::{
    AuthToLocal, Authentication, ConfError, Credentials, HadoopConf, KerberosProblem, Login, UserIdentity,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::configuration::{bad_value, text};
use crate::context::Context;
use crate::error::{CauseClass, Failure};
use crate::logins::{Prefer, Tickets, Via, Wanted};
use crate::variables;

/// The time limit of a login. The Kerberos library itself waits for up to a minute for a KDC.
const WITHIN: Duration = Duration::from_secs(10);
/// What a failure of this module begins with.
const CANNOT: &str = "cannot log in to Kerberos";

/// A keytab, and the principal whose key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeytabSetting {
    pub(crate) path: PathBuf,
    pub(crate) principal: String,
}

/// The keytab and the principal that the configuration names. As in Flink, it is a failure if only one of
/// them is set, or if the keytab is not a file that can be read, also for a cluster without Kerberos: the
/// JVMs may use them for other services.
pub(crate) fn keytab(
    context: &Context,
    configuration: &Configuration,
) -> Result<Option<KeytabSetting>, Failure> {
    let [keytab, principal] = [&options::KERBEROS_KEYTAB, &options::KERBEROS_PRINCIPAL];
    let alone = |set: &Opt<String>, missing: &Opt<String>| {
        let what = format!("{} is set without {}", named(configuration, set), missing.key);
        Failure::configuration(what).hint("set both, or neither of them to use the tickets of kinit")
    };
    match (text(configuration, keytab), text(configuration, principal)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(alone(keytab, principal)),
        (None, Some(_)) => Err(alone(principal, keytab)),
        (Some(path), Some(principal)) => {
            let path = context.path(path);
            readable(&path).map_err(|why| {
                let key = named(configuration, keytab);
                Failure::kerberos(
                    format!("cannot use the keytab {}, which {key} names: {why}", path.display()),
                    KerberosProblem::Keytab,
                )
            })?;
            Ok(Some(KeytabSetting { path, principal }))
        }
    }
}

/// A key that is set, with the place where it is set.
fn named(configuration: &Configuration, option: &Opt<String>) -> String {
    let key = configuration.find(option).map_or(option.key, |(key, _)| key);
    format!("{key} ({})", configuration.origin(option))
}

fn readable(path: &Path) -> Result<(), String> {
    // To open something else than a file might block.
    match path.metadata() {
        Ok(found) if found.is_file() => File::open(path).map(drop).map_err(|e| e.to_string()),
        Ok(_) => Err("it is not a file".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

/// Logs in as the configurations say, or returns the login of an earlier call. With Kerberos this may take
/// up to ten seconds.
pub(crate) async fn login(
    context: &Context,
    configuration: &Configuration,
    conf: &HadoopConf,
    prefer: Prefer,
) -> Result<(Login, Via), Failure> {
    let keytab = keytab(context, configuration)?;
    match Authentication::of(conf).map_err(bad_conf)? {
        Authentication::Simple => return Ok((context.login()?, Via::Name)),
        Authentication::Kerberos => {}
    }
    let wanted = wanted(context, configuration, keytab, prefer)?;
    if let Some(found) = context.logins.find(&wanted, conf) {
        return Ok(found);
    }
    let (login, via) = in_thread(wanted.clone(), conf.clone()).await?;
    tracing::debug!(user = ?login.user(), %via, "logged in");
    context.logins.add(wanted, conf.clone(), login.clone(), via.clone());
    Ok((login, via))
}

/// Logs in within a thread of its own. The thread is none of the runtime's, for whose threads a program
/// waits at its end: a call of the Kerberos library that waits for a KDC cannot be ended.
async fn in_thread(wanted: Wanted, conf: HadoopConf) -> Result<(Login, Via), Failure> {
    let (done, wait) = oneshot::channel();
    let work = move || {
        // If nobody waits any more, the login was given up.
        drop(done.send(log_in(&wanted, &conf)));
    };
    let thread = std::thread::Builder::new().name("kerberos".to_owned());
    thread.spawn(work).map_err(|e| Failure::because(CANNOT, e))?;
    match timeout(WITHIN, wait).await {
        Ok(Ok(done)) => done,
        Ok(Err(e)) => Err(Failure::because(CANNOT, e).of_class(CauseClass::Internal)),
        Err(_) => Err(Failure::kerberos(
            format!("{CANNOT}: no KDC has answered within {} s", WITHIN.as_secs()),
            KerberosProblem::KdcUnreachable,
        )),
    }
}

fn wanted(
    context: &Context,
    configuration: &Configuration,
    keytab: Option<KeytabSetting>,
    prefer: Prefer,
) -> Result<Wanted, Failure> {
    let set = |variable| context.var(variable).map(str::to_owned);
    let tickets = match keytab {
        Some(KeytabSetting { path, principal }) => Tickets::Keytab { path, principal },
        None if configuration.require(&options::KERBEROS_TICKET_CACHE).map_err(bad_value)? => {
            Tickets::Cache(set(variables::KRB5CCNAME))
        }
        None => Tickets::None,
    };
    Ok(Wanted {
        tickets,
        token_file: set(variables::HADOOP_TOKEN_FILE_LOCATION).map(|path| context.path(path)),
        proxy: set(variables::HADOOP_PROXY_USER).map(|user| user.trim().to_owned()).filter(|u| !u.is_empty()),
        prefer,
    })
}

fn bad_conf(error: ConfError) -> Failure {
    Failure::configuration(error.to_string()).hint(
        "correct it there: in the files of HADOOP_CONF_DIR, or in flink.hadoop.* of Flink's configuration",
    )
}

/// Why there are no tickets.
#[derive(Debug)]
struct NoTickets {
    problem: KerberosProblem,
    why: String,
}

impl From<GssError> for NoTickets {
    fn from(error: GssError) -> Self {
        Self { problem: error.problem(), why: error.to_string() }
    }
}

impl From<NoTickets> for Failure {
    fn from(NoTickets { problem, why }: NoTickets) -> Self {
        Self::kerberos(format!("{CANNOT}: {why}"), problem)
    }
}

/// Finds the user and all credentials. This blocks.
fn log_in(wanted: &Wanted, conf: &HadoopConf) -> Result<(Login, Via), Failure> {
    let (tokens, unreadable) = match (read_tokens(wanted.token_file.as_deref()), wanted.prefer) {
        (Ok(tokens), _) => (tokens, None),
        // Another process of heddle's has made the file, and removes it when it ends. Tickets do as well.
        (Err(failure), Prefer::Tokens) => (Credentials::default(), Some(failure)),
        (Err(failure), Prefer::Tickets) => return Err(failure),
    };
    let holder = holder(&tokens);
    let of_tokens = |holder: &TokenIdentity, tokens: Credentials| -> Result<(Login, Via), Failure> {
        let via = Via::Tokens(wanted.token_file.clone().unwrap_or_default());
        Ok((Login::new(user_of(holder, conf)?, tokens), via))
    };
    if let (Prefer::Tokens, Some(holder)) = (wanted.prefer, &holder) {
        let (login, via) = of_tokens(holder, tokens)?;
        // The tickets are for servers for which there is no token.
        return match source(&wanted.tickets) {
            Ok(source) => {
                let principal = holder.real_user.as_ref().unwrap_or(&holder.owner);
                Ok((login.with_kerberos(Arc::new(TicketLogin::new(source, principal.clone()))), via))
            }
            Err(NoTickets { why, .. }) => {
                tracing::debug!(%why, "there are only tokens");
                Ok((login, via))
            }
        };
    }
    let (source, principal) = match acquire(&wanted.tickets) {
        Ok(acquired) => acquired,
        Err(no_tickets) => {
            let keytab = matches!(wanted.tickets, Tickets::Keytab { .. });
            let Some(holder) = holder.filter(|_| !keytab) else {
                // What is wrong with a keytab is told in any case.
                return Err(unreadable.filter(|_| !keytab).unwrap_or_else(|| no_tickets.into()));
            };
            tracing::debug!(why = %no_tickets.why, "there are only tokens");
            return match &wanted.proxy {
                None => of_tokens(&holder, tokens),
                Some(proxy) => Err(proxy_without_tickets(proxy, no_tickets)),
            };
        }
    };
    let via = match &wanted.tickets {
        Tickets::Keytab { path, .. } => Via::Keytab(path.clone()),
        Tickets::Cache(name) => Via::Cache(name.clone()),
        Tickets::None => Via::Name,
    };
    let short = short_name(&principal, conf)?;
    let user = match &wanted.proxy {
        Some(proxy) if *proxy != short && *proxy != principal => {
            UserIdentity::proxied(proxy, principal.clone())
        }
        _ => UserIdentity::principal(principal.clone(), short),
    };
    let login = Login::new(user, tokens).with_kerberos(Arc::new(TicketLogin::new(source, principal)));
    Ok((login, via))
}

fn proxy_without_tickets(proxy: &str, NoTickets { problem, why }: NoTickets) -> Failure {
    let what = format!(
        "cannot act for {proxy} ({}), because that needs a ticket: {why}",
        variables::HADOOP_PROXY_USER.name()
    );
    Failure::kerberos(what, problem)
}

/// The tokens of a file.
fn read_tokens(path: Option<&Path>) -> Result<Credentials, Failure> {
    let Some(path) = path else { return Ok(Credentials::default()) };
    Credentials::read_file(path).map_err(|e| {
        let variable = variables::HADOOP_TOKEN_FILE_LOCATION.name();
        Failure::because(format!("cannot use the tokens that {variable} names"), e)
            .hint(format!("correct {variable}, or unset it to log in with a ticket"))
    })
}

/// Whom the tokens are for, according to one of HDFS or, if there is none, another one.
fn holder(tokens: &Credentials) -> Option<TokenIdentity> {
    let of_hdfs = tokens.tokens_of_kind(hadoop_fs::HDFS_TOKEN);
    of_hdfs.chain(tokens.tokens.values()).find_map(TokenIdentity::of)
}

/// The user whom the servers take a token for.
fn user_of(holder: &TokenIdentity, conf: &HadoopConf) -> Result<UserIdentity, Failure> {
    match &holder.real_user {
        Some(real) => Ok(UserIdentity::proxied(&holder.owner, real)),
        None => Ok(UserIdentity::principal(&holder.owner, short_name(&holder.owner, conf)?)),
    }
}

/// The name that servers have for a principal.
fn short_name(principal: &str, conf: &HadoopConf) -> Result<String, Failure> {
    // The realm of the principal is nearly always the default one, too.
    let realm = Library::load().and_then(Library::default_realm).unwrap_or_else(|error| {
        tracing::debug!(%error, "no default realm");
        principal.rsplit_once('@').map(|(_, realm)| realm.to_owned()).unwrap_or_default()
    });
    AuthToLocal::read(conf, &realm).map_err(bad_conf)?.short_name(principal).map_err(|e| {
        Failure::configuration(e.to_string()).hint(
            "core-site.xml must have the rules that the cluster's servers have, and krb5.conf (KRB5_CONFIG) the default realm",
        )
    })
}

/// The source of the tickets, of which none is asked for.
fn source(tickets: &Tickets) -> Result<TicketSource, NoTickets> {
    match tickets {
        Tickets::Keytab { path, principal } => Ok(TicketSource::keytab(Library::load()?, path, principal)?),
        Tickets::Cache(name) => Ok(TicketSource::cache(Library::load()?, name.as_deref())?),
        Tickets::None => Err(NoTickets {
            problem: KerberosProblem::NoCredentials,
            why: format!(
                "there is no keytab, {} is false, and {} names no tokens",
                options::KERBEROS_TICKET_CACHE.key,
                variables::HADOOP_TOKEN_FILE_LOCATION.name()
            ),
        }),
    }
}

/// Whether the ticket cache has tickets of `kinit` that can be used now. No server is asked.
pub(crate) fn has_tickets(context: &Context) -> bool {
    acquire(&Tickets::Cache(context.var(variables::KRB5CCNAME).map(str::to_owned)))
        .inspect_err(|NoTickets { why, .. }| tracing::debug!(%why, "no tickets of kinit"))
        .is_ok()
}

/// The source of the tickets, which has a ticket that can be used, and its principal.
fn acquire(tickets: &Tickets) -> Result<(TicketSource, String), NoTickets> {
    let source = source(tickets)?;
    let principal = source.acquire()?.principal().to_owned();
    Ok((source, principal))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flink_model::config::FileFormat;
    use hadoop_rpc::{Token, TokenFormat};

    use super::*;

    fn context(directory: &Path, vars: &[(&str, &str)]) -> Context {
        Context {
            vars: vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
            cwd: directory.into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    fn configuration(pairs: &[(&str, &str)]) -> Configuration {
        let mut configuration = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            configuration.set_dynamic(*key, *value);
        }
        configuration
    }

    fn kerberos() -> HadoopConf {
        HadoopConf::from_map([
            ("hadoop.security.authentication", "kerberos"),
            // The default realm is the one of the machine that runs the test.
            ("hadoop.security.auth_to_local", "RULE:[1:$1@$0](.*@R)s/@.*//"),
        ])
    }

    /// A token of HDFS for alice@R, as Java writes it.
    fn token() -> Token {
        let identifier = [&[0, 7][..], b"alice@R", &[4], b"yarn", &[0, 1, 2, 3, 4]].concat();
        Token {
            kind: hadoop_fs::HDFS_TOKEN.into(),
            service: "10.0.0.1:8020".into(),
            identifier,
            password: vec![7],
        }
    }

    #[test]
    fn keytab_and_principal_go_together() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("k"), "").unwrap();
        let context = context(directory.path(), &[]);
        let of = |pairs: &[(&str, &str)]| keytab(&context, &configuration(pairs));
        let (key, principal) = ("security.kerberos.login.keytab", "security.kerberos.login.principal");
        assert_eq!(of(&[]).unwrap(), None);
        let found = of(&[(key, "k"), (principal, "ann@R")]).unwrap();
        assert_eq!(
            found,
            Some(KeytabSetting { path: directory.path().join("k"), principal: "ann@R".to_owned() })
        );
        for (pairs, words) in [
            (&[(key, "k")][..], "security.kerberos.login.keytab"),
            (&[("security.keytab", "k")], "security.keytab"),
            (&[(principal, "ann")], "is set without security.kerberos.login.keytab"),
            (&[(key, "none"), (principal, "ann")], "No such file"),
            (&[(key, "."), (principal, "ann")], "it is not a file"),
        ] {
            let failure = of(pairs).unwrap_err();
            assert!(failure.to_string().contains(words), "{failure}");
            assert_eq!(failure.hints().len(), 1, "{failure}");
        }
    }

    #[tokio::test]
    async fn without_kerberos_a_name_is_sufficient() {
        let context =
            context(Path::new("/"), &[("HADOOP_USER_NAME", "bob"), ("HADOOP_TOKEN_FILE_LOCATION", "/no")]);
        let simple = HadoopConf::default();
        let (login, via) = login(&context, &configuration(&[]), &simple, Prefer::Tickets).await.unwrap();
        assert_eq!((login.user().effective.as_str(), via), ("bob", Via::Name));
        let wrong = HadoopConf::from_map([("hadoop.security.authentication", "digest")]);
        let failure = super::login(&context, &configuration(&[]), &wrong, Prefer::Tickets).await.unwrap_err();
        assert!(failure.to_string().contains("hadoop.security.authentication"), "{failure}");
    }

    #[tokio::test]
    async fn tokens_alone_are_sufficient() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens");
        let mut credentials = Credentials::default();
        credentials.add_token(token());
        credentials.write_file(&file, TokenFormat::Writable).unwrap();
        let no_cache = configuration(&[("security.kerberos.login.use-ticket-cache", "false")]);
        let vars = [("HADOOP_TOKEN_FILE_LOCATION", "tokens"), ("HADOOP_USER_NAME", "bob")];
        let here = context(directory.path(), &vars);
        for prefer in [Prefer::Tickets, Prefer::Tokens] {
            let (login, via) = login(&here, &no_cache, &kerberos(), prefer).await.unwrap();
            assert_eq!((login.user().effective.as_str(), login.user().short_name()), ("alice@R", "alice"));
            assert!(login.kerberos().is_none() && via == Via::Tokens(file.clone()));
            assert_eq!(login.tokens().get().tokens.len(), 1);
            // The second call returns the same login.
            login.own_tokens().put("x", token());
            let (again, _) = super::login(&here, &no_cache, &kerberos(), prefer).await.unwrap();
            assert_eq!(again.own_tokens().get().tokens.len(), 1);
        }
        let proxy = [vars[0], ("HADOOP_PROXY_USER", "carl")];
        let failure =
            login(&context(directory.path(), &proxy), &no_cache, &kerberos(), Prefer::Tickets).await;
        let failure = failure.unwrap_err().to_string();
        assert!(failure.contains("cannot act for carl (HADOOP_PROXY_USER)"), "{failure}");
    }

    #[tokio::test]
    async fn neither_tickets_nor_tokens() {
        let directory = tempfile::tempdir().unwrap();
        let no_cache = configuration(&[("security.kerberos.login.use-ticket-cache", "false")]);
        let failed = async |vars: &[(&str, &str)]| {
            let context = context(directory.path(), vars);
            login(&context, &no_cache, &kerberos(), Prefer::Tickets).await.unwrap_err()
        };
        let failure = failed(&[]).await;
        assert!(failure.to_string().contains("use-ticket-cache is false"), "{failure}");
        assert!(failure.hints()[0].contains("kinit"), "{failure:?}");
        let failure = failed(&[("HADOOP_TOKEN_FILE_LOCATION", "none")]).await;
        assert!(failure.to_string().contains("HADOOP_TOKEN_FILE_LOCATION"), "{failure}");
        // For a helper, tickets would do as well, but there are none.
        let vars = [("HADOOP_TOKEN_FILE_LOCATION", "none")];
        let helper = login(&context(directory.path(), &vars), &no_cache, &kerberos(), Prefer::Tokens).await;
        assert!(helper.unwrap_err().to_string().contains("HADOOP_TOKEN_FILE_LOCATION names"));
    }
}

//! Remembers the Kerberos logins of one run. So a command that loads the Hadoop configuration several times
//! asks the KDC only once. All tokens that a run has fetched are found from here, and are cancelled at its
//! end, also those for an application that YARN did not get.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future;
use hadoop_fs::cancel_own_tokens;
use hadoop_rpc::{HadoopConf, Login};
use tokio::sync::watch;
use tokio::time::timeout;
use yarn_api::ApplicationClient;

use crate::held_tokens::HeldTokens;

/// The time limit of [`Logins::finish`]. A token that is not cancelled ends by itself.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Where tickets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tickets {
    /// A keytab, and the principal whose key is used.
    Keytab { path: PathBuf, principal: String },
    /// The ticket cache of this name, or the default one.
    Cache(Option<String>),
    /// Nowhere: only tokens count.
    None,
}

/// What is used where there are both tickets and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefer {
    /// The user is the one of the tickets, which must be usable. Tokens are used for the servers that they
    /// are for.
    Tickets,
    /// The user is the one of the tokens, and no ticket is asked for as long as they are sufficient.
    Tokens,
}

/// How a run wants to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tickets: Tickets,
    /// The file with tokens that were given to this process.
    pub(crate) token_file: Option<PathBuf>,
    /// The user for whom the logged-in user acts.
    pub(crate) proxy: Option<String>,
    pub(crate) prefer: Prefer,
}

/// With what the user was logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// With nothing: servers with simple authentication believe a name.
    Name,
    /// With this keytab.
    Keytab(PathBuf),
    /// With the ticket cache of this name, or the default one.
    Cache(Option<String>),
    /// With the tokens of this file alone.
    Tokens(PathBuf),
}

impl Via {
    /// Whether no Kerberos was needed.
    pub fn is_name(&self) -> bool {
        *self == Self::Name
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("by name alone"),
            Self::Keytab(path) => write!(f, "with the keytab {}", path.display()),
            Self::Cache(None) => f.write_str("with the tickets of kinit"),
            Self::Cache(Some(name)) => write!(f, "with the ticket cache {name}"),
            Self::Tokens(path) => write!(f, "with the tokens of {} alone", path.display()),
        }
    }
}

/// The Kerberos logins of one run. Clones share them.
#[derive(Clone)]
pub struct Logins(Arc<Inner>);

struct Inner {
    known: Mutex<Vec<Known>>,
    held: Mutex<Vec<HeldTokens>>,
    used: watch::Sender<bool>,
}

struct Known {
    wanted: Wanted,
    conf: HadoopConf,
    login: Login,
    via: Via,
}

impl Default for Logins {
    fn default() -> Self {
        let (known, held) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { known, held, used: watch::Sender::new(false) }))
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logins").field(&self.known().len()).finish()
    }
}

impl Logins {
    /// The login of an earlier call with the same wish and the same configuration.
    pub(crate) fn find(&self, wanted: &Wanted, conf: &HadoopConf) -> Option<(Login, Via)> {
        let known = self.known();
        let found = known.iter().find(|known| known.wanted == *wanted && same(&known.conf, conf))?;
        Some((found.login.clone(), found.via.clone()))
    }

    pub(crate) fn add(&self, wanted: Wanted, conf: HadoopConf, login: Login, via: Via) {
        self.known().push(Known { wanted, conf, login, via });
        self.0.used.send_replace(true);
    }

    /// Waits until somebody has logged in. With simple authentication nobody ever does.
    pub async fn used(&self) {
        if self.0.used.subscribe().wait_for(|used| *used).await.is_err() {
            // The sender lives as long as this value.
            std::future::pending::<()>().await;
        }
    }

    /// Where a deployment holds the tokens that it fetches for its application. They are cancelled at the end
    /// of the run, unless they were cancelled or [handed over](Self::hand_over) before.
    pub(crate) fn hold(&self, conf: &HadoopConf, login: &Login, yarn: &ApplicationClient) -> HeldTokens {
        let new = HeldTokens::new(conf, login, yarn);
        let mut held = self.held();
        held.retain(|held| !held.is_done());
        held.push(new.clone());
        new
    }

    /// Does not hold these tokens any longer, because YARN may have them now.
    pub(crate) fn hand_over(&self, tokens: &HeldTokens) {
        self.held().retain(|held| !held.is(tokens));
    }

    /// Cancels the tokens that the clients of this run have fetched for themselves, and those that are still
    /// held for an application, within a short time. It is for the end of a run, after which its clients are
    /// not used any more.
    pub async fn finish(&self) {
        let (known, held) = (std::mem::take(&mut *self.known()), std::mem::take(&mut *self.held()));
        let own = known.iter().map(|known| cancel_own_tokens(&known.conf, &known.login));
        let all = future::join(future::join_all(own), future::join_all(held.iter().map(HeldTokens::cancel)));
        if timeout(FINISH_WITHIN, all).await.is_err() {
            tracing::debug!("not all tokens were cancelled in time");
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Vec<HeldTokens>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two configurations say the same.
fn same(one: &HadoopConf, other: &HadoopConf) -> bool {
    one.iter().map(|(key, value, _)| (key, value)).eq(other.iter().map(|(key, value, _)| (key, value)))
}

#[cfg(test)]
mod tests {
    use hadoop_rpc::UserIdentity;

    use super::*;
    use crate::held_tokens::tests::{parts, token};

    fn wanted(principal: &str) -> Wanted {
        let tickets = Tickets::Keytab { path: "/k".into(), principal: principal.to_owned() };
        Wanted { tickets, token_file: None, proxy: None, prefer: Prefer::Tickets }
    }

    #[tokio::test]
    async fn a_run_logs_in_once_for_each_wish_and_cluster() {
        let logins = Logins::default();
        let shared = logins.clone();
        let conf = |value: &str| HadoopConf::from_map([("fs.defaultFS", value)]);
        assert!(timeout(Duration::from_millis(20), logins.used()).await.is_err());
        let login = Login::simple(UserIdentity::principal("ann@R", "ann"));
        shared.add(wanted("ann"), conf("hdfs://a"), login, Via::Keytab("/k".into()));
        timeout(Duration::from_secs(10), logins.used()).await.unwrap();
        let (found, via) = logins.find(&wanted("ann"), &conf("hdfs://a")).unwrap();
        assert_eq!((found.user().short_name(), via.to_string()), ("ann", "with the keytab /k".to_owned()));
        assert!(logins.find(&wanted("bob"), &conf("hdfs://a")).is_none());
        assert!(logins.find(&wanted("ann"), &conf("hdfs://b")).is_none());
        logins.finish().await;
        assert!(shared.find(&wanted("ann"), &conf("hdfs://a")).is_none());
    }

    #[tokio::test]
    async fn tokens_that_yarn_may_have_are_not_cancelled_at_the_end() {
        let (conf, login, yarn) = parts();
        let logins = Logins::default();
        let [kept, given] = [(); 2].map(|()| logins.hold(&conf, &login, &yarn));
        for held in [&kept, &given] {
            held.fetch(async { Ok::<_, ()>(Some(token("X"))) }).await.unwrap();
        }
        logins.hand_over(&given);
        logins.clone().finish().await;
        assert!(kept.is_done() && !given.is_done());
    }

    #[test]
    fn how_one_is_logged_in() {
        let texts = [Via::Name, Via::Cache(None), Via::Cache(Some("KCM:".into())), Via::Tokens("/t".into())];
        assert_eq!(
            texts.map(|via| via.to_string()),
            [
                "by name alone",
                "with the tickets of kinit",
                "with the ticket cache KCM:",
                "with the tokens of /t alone"
            ]
        );
    }
}

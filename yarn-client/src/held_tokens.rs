//! Holds the delegation tokens that a deployment has fetched for its application. Until YARN may have the
//! application, they are this run's to cancel, in whatever way it ends.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future;
use hadoop_fs::{HDFS_TOKEN, cancel_token};
use hadoop_rpc::{Fetches, HadoopConf, Login, Token};
use tokio::time::timeout;
use yarn_api::ApplicationClient;

/// How long tokens are waited for that are still on their way when all of them are cancelled.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Tokens that were fetched for an application, with what cancels them. Clones share them.
#[derive(Clone)]
pub(crate) struct HeldTokens(Arc<Inner>);

struct Inner {
    conf: HadoopConf,
    login: Login,
    yarn: ApplicationClient,
    tokens: Mutex<Vec<Token>>,
    fetches: Fetches,
}

impl fmt::Debug for HeldTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldTokens").field(&*self.tokens()).finish()
    }
}

impl HeldTokens {
    /// None yet. `conf` and `login` are those with which they will be fetched, and `yarn` is the client for
    /// those of the ResourceManager.
    pub(crate) fn new(conf: &HadoopConf, login: &Login, yarn: &ApplicationClient) -> Self {
        let (conf, login, yarn) = (conf.clone(), login.clone(), yarn.clone());
        let (tokens, fetches) = (Mutex::default(), Fetches::default());
        Self(Arc::new(Inner { conf, login, yarn, tokens, fetches }))
    }

    /// Carries out a fetch, and holds its token. A token that comes when nobody waits for it any more is
    /// held, too.
    pub(crate) async fn fetch<E>(
        &self,
        fetch: impl Future<Output = Result<Option<Token>, E>> + Send + 'static,
    ) -> Result<Option<Token>, E>
    where
        E: Clone + Send + Sync + 'static,
    {
        let held = self.clone();
        let fetch = async move {
            let fetched = fetch.await;
            if let Ok(Some(token)) = &fetched {
                held.tokens().push(token.clone());
            }
            fetched
        };
        self.0.fetches.run(fetch).await
    }

    /// Cancels all of them. A token that cannot be cancelled ends by itself.
    pub(crate) async fn cancel(&self) {
        if timeout(ANSWER_WITHIN, self.0.fetches.settle()).await.is_err() {
            tracing::debug!("a token that was on its way is not waited for any longer");
        }
        let tokens = self.tokens().clone();
        let each: Vec<_> = tokens.iter().map(|token| self.cancel_one(token)).collect();
        future::join_all(each).await;
    }

    /// Cancels a token that is not needed. It is held until the server has been asked to cancel it.
    pub(crate) async fn cancel_one(&self, token: &Token) {
        let Inner { conf, login, yarn, .. } = &*self.0;
        let done = if token.kind == HDFS_TOKEN {
            cancel_token(conf, login, token).await.map_err(|e| e.to_string())
        } else {
            yarn.cancel_delegation_token(token).await.map_err(|e| e.to_string())
        };
        if let Err(error) = done {
            tracing::debug!(%error, ?token, "not cancelled");
        }
        self.tokens().retain(|held| held != token);
    }

    /// Whether both values are the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether this is the last clone, and there is nothing to cancel.
    pub(crate) fn is_done(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && self.tokens().is_empty()
    }

    fn tokens(&self) -> MutexGuard<'_, Vec<Token>> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hadoop_rpc::{ClientOptions, RetryPolicy, UserIdentity};
    use yarn_api::RmService;

    use super::*;

    /// Values for [`HeldTokens`] on a cluster whose servers cannot be reached.
    pub(crate) fn parts() -> (HadoopConf, Login, ApplicationClient) {
        let conf = HadoopConf::from_map([
            ("fs.defaultFS", "hdfs://127.0.0.1:1"),
            ("yarn.resourcemanager.address", "127.0.0.1:1"),
        ]);
        let login = Login::simple(UserIdentity::new("ann"));
        let options = ClientOptions::of(&conf, login.clone(), &RmService::Client.security(), None).unwrap();
        let yarn = ApplicationClient::new(&conf, &options, RetryPolicy::NONE).unwrap();
        (conf, login, yarn)
    }

    fn held() -> HeldTokens {
        let (conf, login, yarn) = parts();
        HeldTokens::new(&conf, &login, &yarn)
    }

    pub(crate) fn token(kind: &str) -> Token {
        Token { kind: kind.to_owned(), service: "127.0.0.1:1".to_owned(), ..Token::default() }
    }

    #[tokio::test]
    async fn all_that_was_fetched_is_held_until_it_was_to_be_cancelled() {
        let held = held();
        let fetches = [(Ok(Some(HDFS_TOKEN)), 1), (Ok(None), 1), (Err("no"), 1), (Ok(Some("X")), 2)];
        for (fetched, count) in fetches {
            let expected = fetched.map(|kind| kind.map(token));
            let answer = expected.clone();
            assert_eq!(held.fetch(async move { answer }).await, expected);
            assert_eq!(held.tokens().len(), count);
        }
        held.cancel_one(&token("X")).await;
        assert_eq!(held.tokens().as_slice(), [token(HDFS_TOKEN)]);
        assert!(!held.is_done());
        held.cancel().await;
        assert!(held.is_done());
        let other = held.clone();
        assert!(!held.is_done() && held.is(&other));
    }

    #[tokio::test]
    async fn a_token_for_which_nobody_waits_any_more_is_cancelled_too() {
        let held = held();
        let (answer, asked) = tokio::sync::oneshot::channel::<()>();
        let fetch = async move { asked.await.map(|()| Some(token("X"))) };
        assert!(timeout(Duration::from_millis(20), held.fetch(fetch)).await.is_err());
        answer.send(()).unwrap();
        assert!(held.tokens().is_empty(), "nobody has heard the answer");
        held.0.fetches.settle().await;
        assert_eq!(held.tokens().as_slice(), [token("X")]);
    }
}

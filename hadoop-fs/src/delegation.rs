//! Delegation tokens of HDFS for others, such as the containers of an application. heddle's own operations
//! need none of these functions: [`Storage`](crate::Storage) fetches what it needs by itself, and
//! [`cancel_own_tokens`] cancels that in the end.

use std::time::Duration;

use hadoop_rpc::{Authentication, HadoopConf, Login, Token};
use tokio::time::timeout;

use crate::error::{FsError, FsErrorKind};
use crate::location::{Location, bad_conf};
use crate::name_node_rpc::{HDFS_TOKEN, TokenCalls, WITHIN, services};

/// How long the cancelling of a token may take at the end of a command. A token that is not cancelled ends
/// when nobody renews it.
const CANCEL_WITHIN: Duration = Duration::from_secs(3);
/// How long a token is waited for that was on its way when the command was given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Fetches a delegation token of the file system that `url` is on, or of `fs.defaultFS`, with the Kerberos
/// tickets of `login`. The token is for the login's effective user, and `renewer` may renew it; nobody may if
/// the text is empty. Its service is that under which Java's clients look for it: `ip:port`, `host:port` if
/// `hadoop.security.token.service.use_ip` is `false`, or `ha-hdfs:nameservice`. The tokens that the login has
/// do not matter.
///
/// `None`: the cluster has simple authentication, or the file system is not HDFS. An error has the kind
/// [`FsErrorKind::Authentication`] if Kerberos fails; see [`FsError::kerberos`].
pub async fn fetch_token(
    conf: &HadoopConf,
    login: &Login,
    url: Option<&str>,
    renewer: &str,
) -> Result<Option<Token>, FsError> {
    let authentication = Authentication::of(conf).map_err(|e| bad_conf(url.unwrap_or_default(), &e))?;
    if authentication == Authentication::Simple {
        return Ok(None);
    }
    let Some(location) = Location::hdfs(conf, url)? else { return Ok(None) };
    let calls = TokenCalls::by_ticket(conf, login, &location, WITHIN)?;
    let service = services(conf, &location).await?.into_iter().next().unwrap_or_default();
    let fetched = calls.fetch(renewer).await?;
    Ok(fetched.map(|token| Token { service, ..token }))
}

/// Renews a delegation token of HDFS with the Kerberos tickets of `login`, whose user has to be the token's
/// renewer. Returns the time at which the token ends if it is not renewed again, in milliseconds since 1970.
pub async fn renew_token(conf: &HadoopConf, login: &Login, token: &Token) -> Result<u64, FsError> {
    TokenCalls::by_ticket(conf, login, &location_of(conf, token)?, WITHIN)?.renew(token).await
}

/// Cancels a delegation token of HDFS. It is no error if the token is not valid any more.
pub async fn cancel_token(conf: &HadoopConf, login: &Login, token: &Token) -> Result<(), FsError> {
    let location = location_of(conf, token)?;
    let calls = match login.kerberos() {
        Some(_) => TokenCalls::by_ticket(conf, login, &location, WITHIN)?,
        None => TokenCalls::by_token_or_ticket(conf, login, &location, WITHIN)?,
    };
    calls.cancel(token).await
}

/// Cancels the tokens that clients of this process have fetched for themselves, all at the same time, and
/// waits for at most three seconds, and for two more if a token is still on its way. What fails is logged and
/// not reported, because the tokens will end by themselves. A [`Storage`](crate::Storage) that is used
/// afterwards fetches a new token.
pub async fn cancel_own_tokens(conf: &HadoopConf, login: &Login) {
    if timeout(ANSWER_WITHIN, login.fetches().settle()).await.is_err() {
        tracing::debug!("a token that was on its way is not waited for any longer");
    }
    let mut own = Vec::new();
    login.own_tokens().update(|credentials| {
        own.extend(credentials.tokens_of_kind(HDFS_TOKEN).cloned());
        credentials.tokens.retain(|_, token| token.kind != HDFS_TOKEN);
    });
    let cancel = |token: Token| async move {
        match timeout(CANCEL_WITHIN, cancel_token(conf, login, &token)).await {
            Ok(Ok(())) => tracing::debug!(service = token.service, "cancelled a token"),
            Ok(Err(error)) => tracing::debug!(service = token.service, "{error}"),
            Err(_) => tracing::debug!(service = token.service, "a token was not cancelled in time"),
        }
    };
    futures::future::join_all(own.into_iter().map(cancel)).await;
}

/// The HDFS that a token is for.
fn location_of(conf: &HadoopConf, token: &Token) -> Result<Location, FsError> {
    if token.kind != HDFS_TOKEN {
        let why = format!("it is a token of kind {}, not {HDFS_TOKEN}", token.kind);
        return Err(FsError::new(FsErrorKind::InvalidArgument, "use the token of", &*token.service, "", why));
    }
    Location::of_service(conf, &token.service)
}

#[cfg(test)]
mod tests {
    use hadoop_rpc::UserIdentity;

    use super::*;

    fn login() -> Login {
        Login::simple(UserIdentity::principal("alice@R", "alice"))
    }

    fn conf(authentication: &str) -> HadoopConf {
        HadoopConf::from_map([
            ("fs.defaultFS", "hdfs://127.0.0.1:1"),
            ("hadoop.security.authentication", authentication),
        ])
    }

    async fn fetched(authentication: &str, url: Option<&str>) -> Result<Option<Token>, FsErrorKind> {
        fetch_token(&conf(authentication), &login(), url, "yarn").await.map_err(|e| e.kind())
    }

    #[tokio::test]
    async fn no_token_is_needed() {
        assert_eq!(fetched("simple", None).await, Ok(None));
        assert_eq!(fetched("kerberos", Some("s3a://bucket/x")).await, Ok(None));
        assert_eq!(fetched("kerberos", Some("webhdfs://nn:9870/x")).await, Ok(None));
        assert_eq!(fetched("none", None).await, Err(FsErrorKind::Configuration));
        assert_eq!(fetched("kerberos", None).await, Err(FsErrorKind::Authentication));
    }

    #[tokio::test]
    async fn only_tokens_of_hdfs() {
        let token = |kind: &str, service: &str| Token {
            kind: kind.into(),
            service: service.into(),
            ..Default::default()
        };
        let conf = conf("kerberos");
        for (token, kind) in [
            (token("RM_DELEGATION_TOKEN", "127.0.0.1:1"), FsErrorKind::InvalidArgument),
            (token(HDFS_TOKEN, "ha-hdfs:other"), FsErrorKind::Configuration),
            (token(HDFS_TOKEN, ""), FsErrorKind::InvalidArgument),
            (token(HDFS_TOKEN, "127.0.0.1:1"), FsErrorKind::Authentication),
        ] {
            let error = renew_token(&conf, &login(), &token).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        let unreachable = cancel_token(&conf, &login(), &token(HDFS_TOKEN, "127.0.0.1:1")).await.unwrap_err();
        assert_eq!(unreachable.kind(), FsErrorKind::Unreachable, "{unreachable}");
    }

    #[tokio::test]
    async fn own_tokens_of_hdfs_are_given_up() {
        let login = login();
        let put = |kind: &str, service: &str| {
            let token = Token { kind: kind.into(), service: service.into(), ..Default::default() };
            login.own_tokens().put(service, token);
        };
        put(HDFS_TOKEN, "127.0.0.1:1");
        put(HDFS_TOKEN, "nowhere");
        put("RM_DELEGATION_TOKEN", "127.0.0.1:2");
        cancel_own_tokens(&conf("kerberos"), &login).await;
        let left: Vec<String> = login.own_tokens().get().tokens.keys().cloned().collect();
        assert_eq!(left, ["127.0.0.1:2"]);
    }
}

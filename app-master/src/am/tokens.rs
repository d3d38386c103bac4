//! The component that puts the delegation tokens which the JobManager has obtained in the place of older
//! ones.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadoop_rpc::{Credentials, Login};
use tokio::sync::mpsc;

use super::effects::Tokens;
use crate::bridge::ObtainedTokens;
use crate::clock;
use crate::controller::event::{Event, TokensInUse};
use crate::environment::Environment;
use crate::tokens::{self, Lifetime};

/// Replaces the tokens. From then on heddle-am itself, the containers that it starts, and a JVM of the
/// JobManager that is started again use the new ones.
pub(super) struct TokenReplacement {
    pub(super) environment: Arc<Environment>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

impl Tokens for TokenReplacement {
    fn replace(&self, obtained: ObtainedTokens) {
        let (environment, events) = (self.environment.clone(), self.events.clone());
        tokio::task::spawn_blocking(move || {
            let answer = replace(&environment.login, &obtained, clock::since_1970());
            if answer.is_ok()
                && let Some(Err(error)) = environment.write_tokens()
            {
                // This does no harm: the file is written again before the JVM is started again, and the
                // running JVM logs in with its keytab.
                tracing::warn!(%error, "the new tokens are not in the JobManager's file");
            }
            // It fails only if the controller has ended, which needs no answer any more.
            drop(events.send(Event::TokensInUse(answer)));
        });
    }
}

/// Puts the tokens that the JobManager has obtained in the place of those that `login` has. `now` is the time
/// since 1970. The error says why they are not used.
fn replace(login: &Login, obtained: &ObtainedTokens, now: Duration) -> Result<TokensInUse, String> {
    let text = obtained.credentials.as_deref().unwrap_or_default();
    let bytes = STANDARD.decode(text).map_err(|_| "the JobManager's tokens are not in base64".to_owned())?;
    let new = Credentials::from_bytes(&bytes)
        .map_err(|error| format!("the JobManager's tokens cannot be read: {error}"))?;
    if let Some(why) = tokens::refusal(&login.tokens().get(), &new) {
        return Err(why);
    }
    let mut count = 0;
    login.tokens().update(|held| count = tokens::replace(held, new));
    match count {
        0 => Err("the JobManager has obtained no tokens".to_owned()),
        count => Ok(TokensInUse { count, lifetime: Lifetime::of_new(obtained.expires, now) }),
    }
}

#[cfg(test)]
mod tests {
    use hadoop_rpc::{Token, TokenFormat, UserIdentity};

    use super::*;

    fn hdfs(password: &str) -> Token {
        let (kind, service) = ("HDFS_DELEGATION_TOKEN".into(), "ha-hdfs:ns".into());
        Token { kind, service, identifier: vec![1], password: password.into() }
    }

    #[test]
    fn what_the_job_manager_has_obtained_is_in_use_for_all_who_share_the_login() {
        let mut credentials = Credentials::default();
        credentials.add_token(hdfs("old"));
        let login = Login::new(UserIdentity::new("alice"), credentials);
        let client = login.clone();
        for format in [TokenFormat::Writable, TokenFormat::Protobuf] {
            let mut new = Credentials::default();
            new.add_token(hdfs("new"));
            let credentials = Some(STANDARD.encode(new.to_bytes(format)));
            let obtained = ObtainedTokens { credentials, expires: Some(5000), failure: None };
            let in_use = replace(&login, &obtained, Duration::from_secs(1)).unwrap();
            assert_eq!((in_use.count, in_use.lifetime.left), (1, Duration::from_secs(4)));
            assert_eq!(client.tokens().get().tokens["ha-hdfs:ns"].password, b"new");
        }
    }

    #[test]
    fn what_cannot_be_used_changes_nothing_and_is_not_repeated() {
        let login = Login::simple(UserIdentity::new("alice"));
        let empty = STANDARD.encode(Credentials::default().to_writable_bytes());
        for text in ["?hush?", &STANDARD.encode("hush"), &empty, ""] {
            let obtained = ObtainedTokens { credentials: Some(text.to_owned()), ..ObtainedTokens::default() };
            let why = replace(&login, &obtained, Duration::ZERO).unwrap_err();
            assert!(!why.contains("hush") && !why.is_empty(), "{why}");
        }
        assert!(login.tokens().get().tokens.is_empty());
    }
}

//! Gives a JVM on this machine tokens, if the cluster uses Kerberos. As a rule the JVM itself has no classes
//! of Hadoop; the processes `heddle client-fs` that it starts use the tokens, and so do not log in each time.
//! If it has Hadoop's classes from heddle, they use the tokens as well, but read them only once. As long as
//! the JVM runs, its token is renewed, and replaced by another one before it ends for good.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hadoop_fs::{FsError, TokenIdentity, fetch_token, now_ms, renew_token};
use hadoop_rpc::{Credentials, CredentialsError, Token, TokenFormat, TokenSource};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::hadoop::Hadoop;
use crate::token_upkeep::{Step, Upkeep};
use crate::variables;

/// The time limit of the NameNode's answer. The JVM can do without tokens, because each process can log in
/// itself.
const WITHIN: Duration = Duration::from_secs(5);
/// The alias of the token among those that this process has fetched. Its clients' own token of the same
/// service has the service as alias, and both are cancelled.
const ALIAS: &str = "client-fs";
/// The alias of the token before that one. Processes that have read it may still use it until it ends.
const OLD_ALIAS: &str = "client-fs (old)";

/// A file with tokens for a JVM. The tokens are kept valid until the value is dropped, which removes the
/// file.
#[derive(Debug)]
pub(crate) struct ClientTokens {
    // This one is dropped first, so that the file is not written any more when it is removed.
    _upkeep: AbortOnDropHandle<()>,
    file: TokenFile,
    ends_ms: Option<u64>,
}

impl ClientTokens {
    /// Whether the JVM of `main()` needs tokens from heddle. It does not without Kerberos, or if the user has
    /// given it Hadoop's classes and it logs in itself, or if there are no tickets: a file that the user has
    /// named is found by the JVM itself, too.
    pub(crate) fn are_needed(hadoop: &Hadoop, context: &Context) -> bool {
        hadoop.login.kerberos().is_some() && context.var(variables::HADOOP_CLASSPATH).is_none()
    }

    /// A file with the user's own tokens and one for the default file system. `None` if none can be had.
    pub(crate) async fn make(hadoop: &Hadoop) -> Option<Self> {
        let token = match timeout(WITHIN, fetch(hadoop)).await {
            Ok(Ok(token)) => token?,
            Ok(Err(error)) => return without(&error.to_string()),
            Err(_) => return without("the NameNode does not answer"),
        };
        let file = match TokenFile::make(&hadoop.login.tokens().get(), &token) {
            Ok(file) => file,
            Err(error) => return without(&error),
        };
        let ends_ms = TokenIdentity::of(&token).map(|identity| identity.max_date_ms);
        let upkeep = tokio::spawn(keep(hadoop.clone(), file.path.clone(), token));
        Some(Self { _upkeep: AbortOnDropHandle::new(upkeep), file, ends_ms })
    }

    /// Lets the JVM of this command find the tokens.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command.env(variables::HADOOP_TOKEN_FILE_LOCATION.name(), self.path());
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// When the token ends with which the file was made, however often it is renewed, in ms since 1970.
    /// `None` if it does not tell.
    pub(crate) fn first_ends_ms(&self) -> Option<u64> {
        self.ends_ms
    }
}

fn without(why: &str) -> Option<ClientTokens> {
    tracing::debug!(why, "no tokens for the JVM");
    None
}

/// Fetches a token for the default file system, which the user may renew. It is one of those that are
/// cancelled at the end of this process, also if nobody waits for it any more.
async fn fetch(hadoop: &Hadoop) -> Result<Option<Token>, FsError> {
    let (conf, login) = (hadoop.conf.clone(), hadoop.login.clone());
    let fetch = async move {
        let fetched = fetch_token(&conf, &login, None, login.user().short_name()).await?;
        fetched.iter().for_each(|token| note(login.own_tokens(), token));
        Ok::<_, FsError>(fetched)
    };
    hadoop.login.fetches().run(fetch).await
}

fn note(own: &TokenSource, token: &Token) {
    own.update(|own| {
        if let Some(old) = own.tokens.insert(ALIAS.to_owned(), token.clone()) {
            own.tokens.insert(OLD_ALIAS.to_owned(), old);
        }
    });
}

/// Keeps the token of the file valid. Nobody is told of a failure: without a valid token each process logs in
/// itself, and says what is wrong with that.
async fn keep(hadoop: Hadoop, path: PathBuf, mut token: Token) {
    let Hadoop { conf, login, .. } = &hadoop;
    let mut upkeep = Upkeep::of(&token, since_1970());
    loop {
        sleep(upkeep.wait(since_1970())).await;
        let done = match upkeep.due(since_1970()) {
            None => continue,
            Some(Step::Renew) => {
                let renewed = renew_token(conf, login, &token).await;
                renewed.map(|ends| upkeep.renewed(Duration::from_millis(ends), since_1970()))
            }
            Some(Step::Replace) => match fetch(&hadoop).await {
                Ok(Some(new)) => {
                    upkeep.replaced(&new, since_1970());
                    token = new;
                    Ok(())
                }
                // The NameNode does not authenticate its clients any more, so no token is needed.
                Ok(None) => return,
                Err(error) => Err(error),
            },
        };
        match done {
            // It is written after a renewal, too, because what is old is removed from /tmp on some machines.
            Ok(()) => match write(&login.tokens().get(), &token, &path) {
                Ok(()) => tracing::debug!(path = %path.display(), "the token of the JVM is valid again"),
                Err(error) => tracing::debug!(%error, "the token of the JVM is not replaced"),
            },
            Err(error) => {
                tracing::debug!(%error, "the token of the JVM is not valid for longer");
                upkeep.failed(since_1970());
            }
        }
    }
}

fn since_1970() -> Duration {
    Duration::from_millis(now_ms())
}

/// A file with tokens, in a directory that is closed to others and is removed with this value.
#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    _directory: TempDir,
}

impl TokenFile {
    fn make(given: &Credentials, token: &Token) -> Result<Self, String> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("heddle-").permissions(Permissions::from_mode(0o700));
        let directory = builder.tempdir().map_err(|e| e.to_string())?;
        let path = directory.path().join("tokens");
        write(given, token, &path).map_err(|e| e.to_string())?;
        Ok(Self { path, _directory: directory })
    }
}

fn write(given: &Credentials, token: &Token, path: &Path) -> Result<(), CredentialsError> {
    let mut credentials = given.clone();
    // One that was given for the same file system would stand beside it, and nobody here renews it.
    credentials.remove_like(token);
    credentials.add_token(token.clone());
    credentials.write_file(path, TokenFormat::Writable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(service: &str, password: &str) -> Token {
        Token { service: service.to_owned(), password: password.into(), ..Token::default() }
    }

    #[tokio::test]
    async fn the_file_is_the_users_own_and_does_not_outlive_its_owner() {
        let mut given = Credentials::default();
        given.add_token(token("a:1", "given"));
        let file = TokenFile::make(&given, &token("b:2", "fetched")).unwrap();
        let upkeep = AbortOnDropHandle::new(tokio::spawn(std::future::pending()));
        let tokens = ClientTokens { _upkeep: upkeep, file, ends_ms: None };
        let path = tokens.path().to_owned();
        for (path, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
        }
        let read = Credentials::read_file(&path).unwrap();
        assert_eq!(read.tokens.keys().map(String::as_str).collect::<Vec<_>>(), ["a:1", "b:2"]);
        #[expect(clippy::disallowed_methods, reason = "it is not started")]
        let mut command = Command::new("java");
        tokens.give_to(&mut command);
        assert_eq!(
            command.get_envs().next(),
            Some(("HADOOP_TOKEN_FILE_LOCATION".as_ref(), Some(path.as_os_str())))
        );
        drop(tokens);
        assert!(!path.parent().unwrap().exists());
    }

    #[test]
    fn the_last_two_tokens_are_cancelled_in_the_end() {
        let own = TokenSource::default();
        for password in ["first", "second", "third"] {
            note(&own, &token("b:2", password));
        }
        let held = own.get();
        let passwords = [ALIAS, OLD_ALIAS].map(|alias| held.tokens[alias].password.as_slice());
        assert_eq!(passwords, [b"third".as_slice(), b"second"]);
    }

    #[test]
    fn another_token_takes_the_place_of_the_one_before() {
        let mut given = Credentials::default();
        given.tokens.insert("another alias".to_owned(), token("b:2", "given"));
        given.add_token(token("a:1", "given"));
        let file = TokenFile::make(&given, &token("b:2", "first")).unwrap();
        write(&given, &token("b:2", "second"), &file.path).unwrap();
        let read = Credentials::read_file(&file.path).unwrap();
        let passwords: Vec<&[u8]> = read.tokens.values().map(|token| token.password.as_slice()).collect();
        assert_eq!(passwords, [b"given".as_slice(), b"second"]);
        let mode = file.path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

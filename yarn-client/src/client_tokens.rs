//! Gives the JVM of Flink's own client tokens, if the cluster uses Kerberos. The JVM itself has no classes of
//! Hadoop; the processes `heddle client-fs` that it starts use the tokens, and so do not log in each time.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hadoop_fs::fetch_token;
use hadoop_rpc::{Credentials, Token, TokenFormat};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::context::Context;
use crate::hadoop::Hadoop;
use crate::variables;

/// The time limit of the NameNode's answer. The JVM can do without tokens, because each process can log in
/// itself.
const WITHIN: Duration = Duration::from_secs(5);
/// The alias of the token among those that this process has fetched. Its clients' own token of the same
/// service has the service as alias, and both are cancelled.
const ALIAS: &str = "client-fs";

/// A file with tokens for a JVM, which is removed when the value is dropped.
#[derive(Debug)]
pub(crate) struct ClientTokens {
    path: PathBuf,
    _directory: TempDir,
}

impl ClientTokens {
    /// A file with the user's own tokens and one for the default file system. `None` if the JVM needs none:
    /// without Kerberos, or if it has Hadoop's classes and logs in itself. The JVM finds a file that the user
    /// has named by itself, too.
    pub(crate) async fn make(hadoop: &Hadoop, context: &Context) -> Option<Self> {
        let Hadoop { conf, login, .. } = hadoop;
        if login.kerberos().is_none() || context.var(variables::HADOOP_CLASSPATH).is_some() {
            return None;
        }
        let token = match timeout(WITHIN, fetch_token(conf, login, None, login.user().short_name())).await {
            Ok(Ok(token)) => token?,
            Ok(Err(error)) => return without(&error.to_string()),
            Err(_) => return without("the NameNode does not answer"),
        };
        login.own_tokens().put(ALIAS, token.clone());
        let given = login.tokens().get();
        Self::write(&given, token).map_or_else(|error| without(&error), Some)
    }

    fn write(given: &Credentials, token: Token) -> Result<Self, String> {
        let mut credentials = given.clone();
        credentials.add_token(token);
        let mut builder = tempfile::Builder::new();
        builder.prefix("heddle-").permissions(Permissions::from_mode(0o700));
        let directory = builder.tempdir().map_err(|e| e.to_string())?;
        let path = directory.path().join("tokens");
        credentials.write_file(&path, TokenFormat::Writable).map_err(|e| e.to_string())?;
        Ok(Self { path, _directory: directory })
    }

    /// Lets the JVM of this command find the tokens.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command.env(variables::HADOOP_TOKEN_FILE_LOCATION.name(), self.path());
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

fn without(why: &str) -> Option<ClientTokens> {
    tracing::debug!(why, "no tokens for the JVM");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_users_own_and_does_not_outlive_its_owner() {
        let token = |service: &str| Token { service: service.to_owned(), ..Token::default() };
        let mut given = Credentials::default();
        given.add_token(token("a:1"));
        let tokens = ClientTokens::write(&given, token("b:2")).unwrap();
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
}

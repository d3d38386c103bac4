//! The per-application directory: what is kept there for the next attempt, and its removal.

use std::sync::Arc;
use std::time::Duration;

use hadoop_fs::{FsError, Patience, Source, Storage, WriteOptions};
use hadoop_rpc::{HadoopConf, Login, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::environment::Environment;

/// For the NameNode to answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// The same for reading, which is tried again.
const READ_DEADLINE: Duration = Duration::from_secs(5);
/// How long one try waits for a NameNode that can be reached and is active.
const ABSENCE: Duration = Duration::from_secs(5);
/// The first and the longest pause between two tries to read a file.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Mode of a file that only the user can read.
const PRIVATE: u16 = 0o600;

/// Why the application's directory could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct NotRemoved {
    /// The NameNode does not take our tokens: they are cancelled or have ended.
    pub tokens_refused: bool,
    /// A whole sentence.
    pub why: String,
}

/// Removes it with all that is in it; one that is gone already is no error.
pub async fn remove(conf: &HadoopConf, login: &Login, url: &str) -> Result<(), NotRemoved> {
    let failed = |error: FsError| NotRemoved {
        tokens_refused: error.is_of_refused_token(),
        why: format!("cannot remove {url}: {error}"),
    };
    let storage = Storage::open(conf, login, Some(url)).map_err(failed)?.with_deadline(DEADLINE);
    storage.delete(url, true).await.map(drop).map_err(failed)
}

/// What an attempt leaves to the next one: a file of the application's directory that only the user can read.
#[derive(Debug, Clone, Copy)]
pub struct KeptFile {
    name: &'static str,
    largest: u64,
    /// Whether other tokens may come while it is read, in place of those that the NameNode refuses. A
    /// JobManager with a keytab obtains them, which starts only once its session is read.
    outlasts_tokens: bool,
}

/// The JobManager's session with ZooKeeper.
pub const ZOOKEEPER_SESSION: KeptFile =
    KeptFile { name: "zookeeper-session.json", largest: 4096, outlasts_tokens: false };
/// What is known of the submission of a per-job cluster.
pub const SUBMISSION: KeptFile =
    KeptFile { name: "submission.json", largest: 16 << 20, outlasts_tokens: true };

impl KeptFile {
    fn path(self, environment: &Environment) -> Option<String> {
        let directory = environment.spec.application.staging_dir.as_deref()?;
        Some(format!("{}/{}", directory.trim_end_matches('/'), self.name))
    }

    /// Writes it where the next attempt looks for it. The error is a whole sentence.
    pub async fn write(self, environment: &Environment, content: &impl Serialize) -> Result<(), String> {
        let Some(path) = self.path(environment) else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| format!("cannot write {path}: {error}");
        let content = serde_json::to_vec(content).map_err(|error| failed(&error))?;
        let storage = patient(environment, &path, DEADLINE).map_err(|error| failed(&error))?;
        write_private(&storage, &path, content).await.map_err(|error| failed(&error))
    }

    /// What an earlier attempt has written; none where it has written nothing. While the NameNode is away, it
    /// is tried again until `within` has passed. The error is a whole sentence.
    pub async fn read<T: DeserializeOwned>(
        self,
        environment: &Environment,
        within: Duration,
    ) -> Result<Option<T>, String> {
        let Some(path) = self.path(environment) else { return Ok(None) };
        let await_tokens = self.outlasts_tokens && environment.obtains_tokens();
        persist(&format!("cannot read {path}"), within, || async {
            self.try_to_read(environment, &path).await.map_err(|failed| failed.if_tokens_come(await_tokens))
        })
        .await
    }

    async fn try_to_read<T: DeserializeOwned>(
        self,
        environment: &Environment,
        path: &str,
    ) -> Result<Option<T>, Failed> {
        let storage = patient(environment, path, READ_DEADLINE)?;
        if storage.find(path).await?.is_none() {
            return Ok(None);
        }
        let content = storage.read(path, self.largest).await?;
        let content = serde_json::from_slice(&content).map(Some);
        content.map_err(|_| Failed {
            helps: false,
            tokens_refused: false,
            why: "it holds something else".to_owned(),
        })
    }
}

/// Writes a file that only the user can read, in place of an older one: first under another name, so that
/// nobody finds a part of it.
pub(crate) async fn write_private(storage: &Storage, path: &str, content: Vec<u8>) -> Result<(), FsError> {
    let new = format!("{path}.new");
    let options =
        WriteOptions { mode: Some(PRIVATE), overwrite: true, fitted: true, ..WriteOptions::default() };
    storage.write_file(&new, &Source::Bytes(content.into()), &options).await?;
    storage.rename(&new, path, true).await
}

/// The file system of the path. Its operations wait a moment for an active NameNode.
pub(crate) fn patient(environment: &Environment, path: &str, deadline: Duration) -> Result<Storage, FsError> {
    let storage = environment.staging(path)?.with_deadline(deadline);
    let tell = Arc::new(|error: &FsError| tracing::debug!(%error, "waiting for the NameNode"));
    Ok(storage.with_patience(Patience { within: ABSENCE, tell }))
}

/// A try that has failed.
struct Failed {
    /// Whether another try can help.
    helps: bool,
    /// The NameNode does not take our tokens.
    tokens_refused: bool,
    why: String,
}

impl From<FsError> for Failed {
    fn from(error: FsError) -> Self {
        let tokens_refused = error.is_of_refused_token();
        Self { helps: error.retry() != Retry::No, tokens_refused, why: error.to_string() }
    }
}

impl Failed {
    /// The same where other tokens may come soon.
    fn if_tokens_come(self, they_may: bool) -> Self {
        Self { helps: self.helps || self.tokens_refused && they_may, ..self }
    }
}

/// Tries again for as long as that can help and `within` has not passed. The error begins with `failed`.
async fn persist<T, F: Future<Output = Result<T, Failed>>>(
    failed: &str,
    within: Duration,
    try_once: impl Fn() -> F,
) -> Result<T, String> {
    let mut last = "the NameNode has not answered".to_owned();
    let tries = async {
        let mut pause = None;
        loop {
            let Failed { helps, why, .. } = match try_once().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !helps {
                return Err(format!("{failed}: {why}"));
            }
            if pause.is_none() {
                tracing::warn!("{failed}: {why}; it is tried again for {} s", within.as_secs());
            }
            last = why;
            let wait = pause.map_or(PAUSES.0, |pause: Duration| (pause * 2).min(PAUSES.1));
            pause = Some(wait);
            sleep(wait).await;
        }
    };
    let done = timeout(within, tries).await;
    done.unwrap_or_else(|_| Err(format!("{failed} within {} s: {last}", within.as_secs())))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    /// A NameNode that refuses so often; `helps`: it says that it may take another try. Gives the result, and
    /// how many tries there were.
    async fn refusing(refusals: u32, helps: bool, within: Duration) -> (Result<u32, String>, u32) {
        let tries = Cell::new(0);
        let result = persist("cannot read f", within, || {
            tries.set(tries.get() + 1);
            let refused = Failed { helps, tokens_refused: false, why: "refused".into() };
            ready(if tries.get() > refusals { Ok(7) } else { Err(refused) })
        });
        (result.await, tries.get())
    }

    #[tokio::test]
    async fn a_name_node_that_is_away_is_asked_again() {
        assert_eq!(refusing(2, true, Duration::from_secs(600)).await, (Ok(7), 3));
        let (result, tries) = refusing(u32::MAX, true, Duration::from_millis(100)).await;
        assert_eq!((result.unwrap_err(), tries), ("cannot read f within 0 s: refused".to_owned(), 1));
    }

    #[test]
    fn refused_tokens_are_a_reason_to_try_again_only_where_others_may_come() {
        let refused = |tokens_refused| Failed { helps: false, tokens_refused, why: String::new() };
        for (tokens_refused, they_may, helps) in
            [(true, true, true), (true, false, false), (false, true, false)]
        {
            assert_eq!(refused(tokens_refused).if_tokens_come(they_may).helps, helps);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_for_another_reason_is_given_up_at_once() {
        let (result, tries) = refusing(1, false, Duration::from_secs(600)).await;
        assert_eq!((result.unwrap_err(), tries), ("cannot read f: refused".to_owned(), 1));
    }
}

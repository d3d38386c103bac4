//! The per-application directory: what is kept there for the next attempt, and its removal.

use std::time::Duration;

use hadoop_fs::{Source, Storage, WriteOptions};
use hadoop_rpc::{HadoopConf, Login};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::environment::Environment;

/// For the NameNode to answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// For what an earlier attempt has left to be read. Without the ZooKeeper session the JobManager waits for
/// longer than this, but with a NameNode that does not answer there are no job graphs and checkpoints either.
const READ_DEADLINE: Duration = Duration::from_secs(5);
/// Mode of a file that only the user can read.
const PRIVATE: u16 = 0o600;

/// Removes it with all that is in it; one that is gone already is no error. The error is a whole sentence.
pub async fn remove(conf: &HadoopConf, login: &Login, url: &str) -> Result<(), String> {
    let failed = |error| format!("cannot remove {url}: {error}");
    let storage = Storage::open(conf, login, Some(url)).map_err(failed)?.with_deadline(DEADLINE);
    storage.delete(url, true).await.map(drop).map_err(failed)
}

/// What an attempt leaves to the next one: a file of the application's directory that only the user can read.
#[derive(Debug, Clone, Copy)]
pub struct KeptFile {
    name: &'static str,
    largest: u64,
    /// What happens where it cannot be read.
    else_then: &'static str,
}

/// The JobManager's session with ZooKeeper.
pub const ZOOKEEPER_SESSION: KeptFile = KeptFile {
    name: "zookeeper-session.json",
    largest: 4096,
    else_then: "the JobManager waits until ZooKeeper ends the session",
};
/// What is known of the submission of a per-job cluster.
pub const SUBMISSION: KeptFile = KeptFile {
    name: "submission.json",
    largest: 16 << 20,
    else_then: "how main() and the jobs ended that were over by then is not known any more",
};

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
        let storage = Storage::open(&environment.conf, &environment.login, Some(&path));
        let storage = storage.map_err(|error| failed(&error))?.with_deadline(DEADLINE);
        let new = format!("{path}.new");
        let options = WriteOptions { mode: Some(PRIVATE), overwrite: true, ..WriteOptions::default() };
        let written = storage.write_file(&new, &Source::Bytes(content.into()), &options).await;
        written.map_err(|error| failed(&error))?;
        storage.rename(&new, &path, true).await.map_err(|error| failed(&error))
    }

    /// What an earlier attempt has written; none where there is none, or it cannot be read.
    pub async fn read<T: DeserializeOwned>(self, environment: &Environment) -> Option<T> {
        let path = self.path(environment)?;
        let read = async {
            let storage = Storage::open(&environment.conf, &environment.login, Some(&path));
            let storage = storage.map_err(|error| error.to_string())?.with_deadline(READ_DEADLINE);
            if storage.find(&path).await.map_err(|error| error.to_string())?.is_none() {
                return Ok(None);
            }
            let content = storage.read(&path, self.largest).await.map_err(|error| error.to_string())?;
            serde_json::from_slice(&content).map(Some).map_err(|_| "it holds something else".to_owned())
        };
        read.await.unwrap_or_else(|error: String| {
            tracing::warn!("cannot read {path}: {error}; {}", self.else_then);
            None
        })
    }
}

//! Files on their way to the containers: the content-addressed store, and the directory of one application.

mod archives;
mod hashes;
mod store;
mod tree;
mod visibility;

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use hadoop_fs::{FileStatus, Source, Storage, WriteOptions};

use crate::error::Failure;

pub use hashes::{Content, Hashes};
pub use store::{Artifact, Pace, Store, Survey};
pub use tree::{LocalFile, files_below};
pub(crate) use visibility::{ancestors, visibility};

/// Below the staging directory's base: the directories of applications.
pub(crate) const APPLICATIONS: &str = ".flink";

/// Below the staging directory's base: the store for files that anybody may see, and the one for the user's own.
pub(crate) const SHARED_STORE: &str = ".heddle/store";
pub(crate) const PRIVATE_STORE: &str = ".heddle/private";

/// `path` below `base`, which may end in a slash.
pub(crate) fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// The directory of one application.
pub(crate) fn application_path(base: &str, id: impl std::fmt::Display) -> String {
    below(base, &format!("{APPLICATIONS}/{id}"))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// How long a file has neither been written nor read.
pub(crate) fn idle(status: &FileStatus, now_ms: u64) -> Duration {
    Duration::from_millis(now_ms.saturating_sub(status.modified_ms.max(status.accessed_ms)))
}

/// What an interrupted deployment has to remove, by path.
#[derive(Debug, Default)]
pub struct Unfinished {
    paths: Mutex<Vec<(Storage, String)>>,
}

impl Unfinished {
    fn begin(&self, storage: &Storage, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.push((storage.clone(), path.to_owned()));
        }
    }

    fn done(&self, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.retain(|(_, p)| p != path);
        }
    }

    /// Removes what is left.
    pub async fn remove(&self) {
        let left = self.paths.lock().map(|mut paths| std::mem::take(&mut *paths)).unwrap_or_default();
        for (storage, path) in left {
            if let Err(error) = storage.delete(&path, true).await {
                tracing::warn!(%error, path, "unfinished upload not removed");
            }
        }
    }
}

/// The directory of one application.
#[derive(Debug, Clone)]
pub struct ApplicationDir {
    storage: Storage,
    path: String,
    replication: Option<u16>,
}

impl ApplicationDir {
    /// `<base>/.flink/<application id>`; nothing is made yet.
    pub fn new(storage: Storage, base: &str, id: &str, replication: Option<u16>) -> Self {
        Self { storage, path: application_path(base, id), replication }
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its URL.
    pub fn url(&self) -> Result<String, Failure> {
        self.storage.url(&self.path).map_err(|e| Failure::fs(&e))
    }

    /// Makes it, for its owner only.
    pub async fn create(&self) -> Result<(), Failure> {
        self.storage.mkdirs(&self.path, Some(0o700)).await.map_err(|e| Failure::fs(&e))
    }

    /// Writes one file, named by its key in the containers.
    pub async fn put(&self, key: &str, source: &Source) -> Result<LocalResource, Failure> {
        let path = format!("{}/{key}", self.path);
        let options = WriteOptions {
            mode: Some(0o600),
            replication: self.replication,
            fitted: true,
            ..WriteOptions::default()
        };
        let status = self.storage.write_file(&path, source, &options).await.map_err(|e| Failure::fs(&e))?;
        Ok(LocalResource {
            key: key.to_owned(),
            url: self.storage.url(&path).map_err(|e| Failure::fs(&e))?,
            size: status.len,
            modification_time: i64::try_from(status.modified_ms).unwrap_or(i64::MAX),
            visibility: Visibility::Application,
            kind: LocalResourceKind::File,
        })
    }

    /// Removes it with all that is in it.
    pub async fn remove(&self) -> Result<(), Failure> {
        self.storage.delete(&self.path, true).await.map(|_| ()).map_err(|e| Failure::fs(&e))
    }
}

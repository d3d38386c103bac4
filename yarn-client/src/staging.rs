//! Creates, fills and removes the directory that each application has in the staging directory. The directory
//! holds files that are needed by this application only.

use artifact_store::below;
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use hadoop_fs::{Source, Storage, WriteOptions};

use crate::error::Failure;

/// The name of the directory that holds the directories of all applications. It is in the staging directory.
pub(crate) const APPLICATIONS: &str = ".flink";

/// The path of the directory of one application.
pub(crate) fn application_path(base: &str, id: impl std::fmt::Display) -> String {
    below(base, &format!("{APPLICATIONS}/{id}"))
}

/// The directory of one application.
#[derive(Debug, Clone)]
pub struct ApplicationDir {
    storage: Storage,
    path: String,
    replication: Option<u16>,
}

impl ApplicationDir {
    /// The directory `<base>/.flink/<application id>`. It is not created yet.
    pub fn new(storage: Storage, base: &str, id: &str, replication: Option<u16>) -> Self {
        Self { storage, path: application_path(base, id), replication }
    }

    /// The path of the directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL of the directory.
    pub fn url(&self) -> Result<String, Failure> {
        self.storage.url(&self.path).map_err(|e| Failure::fs(&e))
    }

    /// Creates the directory; only its owner can enter it.
    pub async fn create(&self) -> Result<(), Failure> {
        self.storage.mkdirs(&self.path, Some(0o700)).await.map_err(|e| Failure::fs(&e))
    }

    /// Writes one file, which only its owner can read. `key` is its name here and in the containers.
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

    /// Removes the directory with all files in it.
    pub async fn remove(&self) -> Result<(), Failure> {
        self.storage.delete(&self.path, true).await.map(|_| ()).map_err(|e| Failure::fs(&e))
    }
}

//! Creates, fills and removes the directory that each application has in the staging directory. The directory
//! holds files that are needed by this application only.

use artifact_store::{Distrust, below, check_own, check_private, is_common};
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use hadoop_fs::{FileStatus, Source, Storage, WriteOptions};

use crate::error::{CauseClass, Failure};

/// The name of the directory that holds the directories of all applications. It is in the staging directory.
pub(crate) const APPLICATIONS: &str = ".flink";

/// What a deployment does in the staging directory, for errors of the file system.
pub(crate) const PUT_FILES: &str = "put the application's files into";

/// The path of the directory of one application.
pub(crate) fn application_path(base: &str, id: impl std::fmt::Display) -> String {
    below(base, &format!("{APPLICATIONS}/{id}"))
}

/// The place of one user's files in HDFS: the home directory, or the one that `yarn.staging-directory` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ground {
    /// The directory that holds [`APPLICATIONS`] and, if the configuration names no other, the stores.
    pub(crate) base: String,
    /// The configured directory, or the home directory. It is the base itself or the directory above it.
    pub(crate) top: String,
    /// A warning if other users can exchange the base for another directory.
    pub(crate) warning: Option<String>,
}

impl Ground {
    /// Finds the place. If several users share the configured directory, each has a directory of the user's
    /// name below it. Whether they do is asked for only if a directory is configured.
    pub(crate) async fn find(storage: &Storage, configured: Option<&str>) -> Result<Self, Failure> {
        let top = top(storage, configured)?;
        if top == storage.home_dir() {
            return Ok(Self { base: top.clone(), top, warning: None });
        }
        let found = storage.find(&top).await.map_err(|e| Failure::fs(&e))?.filter(|_| storage.has_owners());
        let shared = found.as_ref().filter(|found| is_common(found, storage.user()));
        let base = shared.map_or_else(|| top.clone(), |_| below(&top, storage.user()));
        let loose = shared.and_then(|found| check_own(found, &found.owner).err());
        let warning = loose.map(|distrust| {
            format!("other users can exchange your files in the staging directory: {distrust}; `hdfs dfs -chmod +t {top}` prevents that")
        });
        Ok(Self { base, top, warning })
    }

    /// Whether the base is the user's directory below one that several users share.
    fn is_shared(&self) -> bool {
        self.base != self.top
    }

    /// All directories that may hold [`APPLICATIONS`] of this user. Earlier releases made no directories for
    /// the users of a shared one.
    pub(crate) fn bases(&self) -> Vec<&str> {
        let mut bases = vec![self.base.as_str()];
        bases.extend(self.is_shared().then_some(self.top.as_str()));
        bases
    }

    /// Where the application of another user may have its directory.
    pub(crate) fn base_of(&self, user: &str) -> String {
        if self.is_shared() { below(&self.top, user) } else { self.base.clone() }
    }
}

/// The configured directory, or the home directory.
fn top(storage: &Storage, configured: Option<&str>) -> Result<String, Failure> {
    storage.path(configured.unwrap_or_else(|| storage.home_dir())).map_err(|e| Failure::fs(&e))
}

/// The directory of one application.
#[derive(Debug, Clone)]
pub struct ApplicationDir {
    storage: Storage,
    path: String,
    /// The user's directory below a shared one, which must be the user's own, too.
    above: Option<String>,
    replication: Option<u16>,
}

impl ApplicationDir {
    /// The directory `<base>/.flink/<application id>`. It is not created yet.
    pub(crate) fn new(storage: Storage, ground: &Ground, id: &str, replication: Option<u16>) -> Self {
        let above = ground.is_shared().then(|| ground.base.clone());
        Self { storage, path: application_path(&ground.base, id), above, replication }
    }

    /// The path of the directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL of the directory.
    pub fn url(&self) -> Result<String, Failure> {
        self.storage.url(&self.path).map_err(|e| Failure::fs(&e))
    }

    /// Creates the directory; only its owner can enter it. It is a failure if another user has made the
    /// directory before, because making a directory that exists succeeds.
    pub async fn create(&self) -> Result<(), Failure> {
        if let Some(above) = &self.above {
            // Others may pass: the user's store can be there, whose files all users of a node share.
            self.make(above, 0o755, check_own).await?;
        }
        self.make(&self.path, 0o700, check_private).await
    }

    async fn make(
        &self,
        path: &str,
        mode: u16,
        check: fn(&FileStatus, &str) -> Result<(), Distrust>,
    ) -> Result<(), Failure> {
        let fs = |e| Failure::fs(&e);
        self.storage.mkdirs(path, Some(mode)).await.map_err(fs)?;
        if !self.storage.has_owners() {
            return Ok(());
        }
        let found = self.storage.status(path).await.map_err(fs)?;
        check(&found, self.storage.user()).map_err(|distrust| {
            Failure::new(format!("cannot {PUT_FILES} {path}: {distrust}"))
                .of_class(CauseClass::Permission)
                .hint("who can write there could exchange what runs as you; delete the directory, or have it deleted")
                .hint("yarn.staging-directory names another directory; without it, your home directory is used")
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_a_shared_directory_have_their_own() {
        let own = Ground { base: "/user/ann".into(), top: "/user/ann".into(), warning: None };
        assert_eq!((own.is_shared(), own.bases()), (false, vec!["/user/ann"]));
        assert_eq!(own.base_of("bob"), "/user/ann");
        let shared = Ground { base: "/flink/ann".into(), top: "/flink".into(), warning: None };
        assert_eq!((shared.is_shared(), shared.bases()), (true, vec!["/flink/ann", "/flink"]));
        assert_eq!(shared.base_of("bob"), "/flink/bob");
    }
}

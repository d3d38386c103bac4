//! The content-addressed store: every artifact is uploaded once and never again.
//!
//! `<root>/<first two letters>/<sha256>/<name>`. A file comes in under a unique temporary name and gets its own by an atomic
//! rename, so that none is ever half there; of two clients that bring the same file one wins and the other is content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flink_model::spec::{Resource, ResourceKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, FsErrorKind, Source, Storage, WriteOptions};

use super::visibility::{ancestors, store_path, visibility};
use super::{HashedFile, PARALLEL_UPLOADS, Unfinished};
use crate::error::Failure;
use crate::report::Report;

/// Questions to the NameNode that are open at the same time.
const PARALLEL_QUESTIONS: usize = 16;
/// Where uploads grow, below the store's root.
const INCOMING: &str = ".incoming";
/// An upload that has not been finished for this long never will be.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Mode of directories where the store's root does not exist yet.
const DIRECTORY_MODE: u16 = 0o755;

/// A local file and its path in the containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Path in the container's working directory.
    pub key: String,
    /// The file.
    pub file: HashedFile,
}

/// What the NameNode says of each path that was asked for.
type Known = BTreeMap<String, Option<FileStatus>>;

/// A store on one file system.
#[derive(Debug, Clone)]
pub struct Store {
    storage: Storage,
    root: String,
    replication: Option<u16>,
}

struct Missing<'a> {
    file: &'a HashedFile,
    name: &'a str,
    path: String,
    /// A file of the wrong size stands there.
    replace: bool,
}

impl Store {
    /// A store in the directory `root`.
    pub fn new(storage: Storage, root: &str, replication: Option<u16>) -> Result<Self, Failure> {
        let root = storage.path(root).map_err(|e| Failure::fs(&e))?;
        Ok(Self { storage, root, replication })
    }

    /// Sees to it that all `artifacts` are in the store; gives them as local resources, in their order.
    pub async fn place(
        &self,
        artifacts: &[Artifact],
        unfinished: &Unfinished,
        report: &Arc<dyn Report>,
    ) -> Result<Vec<Resource>, Failure> {
        let paths: Vec<String> =
            artifacts.iter().map(|a| store_path(&self.root, &a.file.sha256, name_of(a))).collect();
        let mut asked: BTreeSet<String> = paths.iter().flat_map(|p| ancestors(p)).collect();
        asked.extend(paths.iter().cloned());
        let mut known = self.look_at(asked).await?;

        let mut missing: BTreeMap<&str, Missing<'_>> = BTreeMap::new();
        for (artifact, path) in artifacts.iter().zip(&paths) {
            let there = known.get(path).and_then(Option::as_ref);
            if there.is_none_or(|s| s.len != artifact.file.size) {
                let name = name_of(artifact);
                missing.insert(
                    path,
                    Missing { file: &artifact.file, name, path: path.clone(), replace: there.is_some() },
                );
            }
        }
        if !missing.is_empty() {
            let mode = known
                .get(&self.root)
                .and_then(Option::as_ref)
                .map_or(DIRECTORY_MODE, |root| root.mode & 0o1777);
            self.upload_all(missing.into_values().collect(), mode, unfinished, report).await?;
            let again = known
                .iter()
                .filter(|(path, found)| found.is_none() || paths.contains(path))
                .map(|(path, _)| path.clone());
            let again: BTreeSet<String> = again.collect();
            known.append(&mut self.look_at(again).await?);
        }
        artifacts.iter().zip(&paths).map(|(artifact, path)| self.resource(artifact, path, &known)).collect()
    }

    fn resource(&self, artifact: &Artifact, path: &str, known: &Known) -> Result<Resource, Failure> {
        let status = |path: &str| known.get(path).and_then(Option::as_ref);
        let found = status(path).filter(|s| s.len == artifact.file.size).ok_or_else(|| {
            Failure::new(format!("{path} has gone, or changed, since it was put into the store"))
                .retry_if(true)
        })?;
        let above = ancestors(path);
        let modes = above.iter().map(|dir| status(dir).map_or(0, |s| u32::from(s.mode)));
        Ok(Resource {
            key: artifact.key.clone(),
            url: self.storage.url(path).map_err(|e| Failure::fs(&e))?,
            size: found.len,
            modification_time: i64::try_from(found.modified_ms).unwrap_or(i64::MAX),
            visibility: visibility(u32::from(found.mode), modes),
            kind: ResourceKind::File,
        })
    }

    async fn look_at(&self, paths: BTreeSet<String>) -> Result<Known, Failure> {
        stream::iter(paths)
            .map(|path| async move {
                let found = self.storage.find(&path).await.map_err(|e| Failure::fs(&e))?;
                Ok((path, found))
            })
            .buffer_unordered(PARALLEL_QUESTIONS)
            .try_collect()
            .await
    }

    async fn upload_all(
        &self,
        mut missing: Vec<Missing<'_>>,
        mode: u16,
        unfinished: &Unfinished,
        report: &Arc<dyn Report>,
    ) -> Result<(), Failure> {
        // The biggest first, so that none of them is alone at the end.
        missing.sort_by_key(|m| std::cmp::Reverse(m.file.size));
        report.upload_begins(missing.len(), missing.iter().map(|m| m.file.size).sum());
        let incoming = format!("{}/{INCOMING}", self.root);
        let made = self.storage.mkdirs(&incoming, Some(mode)).await.map_err(|e| Failure::fs(&e));
        let uploads = stream::iter(missing)
            .map(|m| self.upload(m, &incoming, mode, unfinished, report))
            .buffer_unordered(PARALLEL_UPLOADS)
            .try_collect::<()>();
        let done = match made {
            Ok(()) => uploads.await,
            Err(failure) => Err(failure),
        };
        report.upload_ends();
        self.sweep(&incoming).await;
        done
    }

    async fn upload(
        &self,
        missing: Missing<'_>,
        incoming: &str,
        mode: u16,
        unfinished: &Unfinished,
        report: &Arc<dyn Report>,
    ) -> Result<(), Failure> {
        let Missing { file, name, path, replace } = missing;
        let temporary = format!("{incoming}/{}-{name}", uuid::Uuid::new_v4().simple());
        let (listener, label) = (Arc::clone(report), name.to_owned());
        let options = WriteOptions {
            mode: Some(0o644),
            replication: self.replication,
            overwrite: false,
            progress: Some(Arc::new(move |bytes| listener.uploaded(&label, bytes))),
        };
        unfinished.begin(&temporary);
        let written = self.storage.write_file(&temporary, &Source::File(file.path.clone()), &options).await;
        let written = written.map_err(|e| Failure::fs(&e))?;
        if written.len != file.size || !file.is_unchanged() {
            let what = format!("{} has changed while it was uploaded", file.path.display());
            return Err(Failure::new(what).retry_if(true));
        }
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        self.storage.mkdirs(parent, Some(mode)).await.map_err(|e| Failure::fs(&e))?;
        match self.storage.rename(&temporary, &path, replace).await {
            Ok(()) => {}
            Err(e) if e.kind() == FsErrorKind::AlreadyExists => {
                self.yield_to_other(&temporary, &path, file.size).await?
            }
            Err(e) => return Err(Failure::fs(&e)),
        }
        unfinished.done(&temporary);
        Ok(())
    }

    /// Another client was quicker: its file will do if it is whole.
    async fn yield_to_other(&self, temporary: &str, path: &str, size: u64) -> Result<(), Failure> {
        let other = self.storage.find(path).await.map_err(|e| Failure::fs(&e))?;
        if other.is_some_and(|s| s.len == size) {
            return self.storage.delete(temporary, false).await.map(|_| ()).map_err(|e| Failure::fs(&e));
        }
        self.storage.rename(temporary, path, true).await.map_err(|e| Failure::fs(&e))
    }

    /// Removes what clients that died long ago have left.
    async fn sweep(&self, incoming: &str) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let Ok(left) = self.storage.list(incoming, false).await else { return };
        let old =
            left.iter().filter(|s| now.saturating_sub(Duration::from_millis(s.modified_ms)) > ABANDONED);
        for status in old {
            if let Err(error) = self.storage.delete(&status.path, false).await {
                tracing::debug!(%error, "abandoned upload not removed");
            }
        }
    }
}

/// Name of an artifact in the store: that of its file in the containers.
fn name_of(artifact: &Artifact) -> &str {
    artifact.key.rsplit('/').next().unwrap_or(&artifact.key)
}

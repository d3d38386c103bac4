//! The content-addressed store: every artifact is uploaded once and never again.
//!
//! `<root>/<first two letters>/<sha256>/<name>`. A file comes in under a unique temporary name and gets its own by an atomic
//! rename, so that none is ever half there; of two clients that bring the same file one wins and the other is content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flink_model::spec::{Resource, ResourceKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, FsErrorKind, Source, Storage, WriteOptions};

use super::visibility::{ancestors, store_path, visibility};
use super::{HashedFile, PARALLEL_UPLOADS, Unfinished, idle, now_ms};
use crate::error::Failure;
use crate::report::Report;

/// Questions to the NameNode that are open at the same time.
const PARALLEL_QUESTIONS: usize = 16;
/// Where uploads grow, below the store's root.
const INCOMING: &str = ".incoming";
/// An upload that has not been finished for this long never will be.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// From this age on it is noted that a file is used: less than what `heddle gc` always keeps.
const LONG_UNUSED: Duration = Duration::from_secs(2700);
/// Modes of directories (where the store's root does not exist yet) and files.
const SHARED: (u16, u16) = (0o755, 0o644);
const PRIVATE: (u16, u16) = (0o700, 0o600);

/// A local file and its path in the containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Path in the container's working directory.
    pub key: String,
    /// The file.
    pub file: HashedFile,
    /// Whether the nodes unpack it.
    pub kind: ResourceKind,
}

/// What the NameNode says of each path that was asked for.
type Known = BTreeMap<String, Option<FileStatus>>;

/// A store on one file system.
#[derive(Debug, Clone)]
pub struct Store {
    storage: Storage,
    root: String,
    replication: Option<u16>,
    modes: (u16, u16),
}

/// What a store has of some artifacts, and what it lacks.
#[derive(Debug)]
pub struct Survey<'a> {
    artifacts: &'a [Artifact],
    paths: Vec<String>,
    known: Known,
}

struct Missing<'a> {
    file: &'a HashedFile,
    name: &'a str,
    path: String,
    /// A file of the wrong size stands there.
    replace: bool,
}

impl Survey<'_> {
    /// Sizes of the files that are not there, each once, in bytes.
    pub fn missing(&self) -> Vec<u64> {
        let each = self.artifacts.iter().zip(&self.paths);
        let missing: BTreeMap<&String, u64> = each
            .filter(|(artifact, path)| !is_there(artifact, self.known.get(*path)))
            .map(|(artifact, path)| (path, artifact.file.size))
            .collect();
        missing.into_values().collect()
    }
}

fn is_there(artifact: &Artifact, found: Option<&Option<FileStatus>>) -> bool {
    found.and_then(Option::as_ref).is_some_and(|s| s.len == artifact.file.size)
}

impl Store {
    /// A store in the directory `root`, for files that anybody may see.
    pub fn shared(storage: Storage, root: &str, replication: Option<u16>) -> Result<Self, Failure> {
        let root = storage.path(root).map_err(|e| Failure::fs(&e))?;
        Ok(Self { storage, root, replication, modes: SHARED })
    }

    /// A store that only its owner can read.
    pub fn private(storage: Storage, root: &str, replication: Option<u16>) -> Result<Self, Failure> {
        Ok(Self { modes: PRIVATE, ..Self::shared(storage, root, replication)? })
    }

    /// Looks what is there; changes nothing.
    pub async fn survey<'a>(&self, artifacts: &'a [Artifact]) -> Result<Survey<'a>, Failure> {
        let paths: Vec<String> =
            artifacts.iter().map(|a| store_path(&self.root, &a.file.sha256, name_of(a))).collect();
        let mut asked: BTreeSet<String> = paths.iter().flat_map(|p| ancestors(p)).collect();
        asked.extend(paths.iter().cloned());
        let known = self.look_at(asked).await?;
        Ok(Survey { artifacts, paths, known })
    }

    /// The artifacts as local resources, and whether each has yet to be uploaded.
    pub fn planned(&self, survey: &Survey<'_>) -> Result<Vec<(Resource, bool)>, Failure> {
        let each = survey.artifacts.iter().zip(&survey.paths);
        each.map(|(artifact, path)| {
            let there = is_there(artifact, survey.known.get(path));
            Ok((self.resource(artifact, path, &survey.known)?, !there))
        })
        .collect()
    }

    /// Sees to it that all artifacts of the survey are in the store; gives them as local resources, in their order.
    pub async fn complete(
        &self,
        survey: Survey<'_>,
        unfinished: &Unfinished,
        report: &Arc<dyn Report>,
    ) -> Result<Vec<Resource>, Failure> {
        let Survey { artifacts, paths, mut known } = survey;
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
            self.upload_all(missing.into_values().collect(), self.directory_mode(&known), unfinished, report)
                .await?;
            let again = known
                .iter()
                .filter(|(path, found)| found.is_none() || paths.contains(path))
                .map(|(path, _)| path.clone());
            let again: BTreeSet<String> = again.collect();
            known.append(&mut self.look_at(again).await?);
        }
        let found: Vec<FileStatus> =
            paths.iter().filter_map(|path| known.get(path).cloned().flatten()).collect();
        self.note_use(found).await;
        let each = artifacts.iter().zip(&paths);
        each.map(|(artifact, path)| {
            if !is_there(artifact, known.get(path)) {
                let what = format!("{path} has gone, or changed, since it was put into the store");
                return Err(Failure::new(what).retry_if(true));
            }
            self.resource(artifact, path, &known)
        })
        .collect()
    }

    /// Mode of new directories: that of the root, which an administrator may have made.
    fn directory_mode(&self, known: &Known) -> u16 {
        known.get(&self.root).and_then(Option::as_ref).map_or(self.modes.0, |root| root.mode & 0o1777)
    }

    /// An artifact as a local resource; what is not there yet is taken for as it will be.
    fn resource(&self, artifact: &Artifact, path: &str, known: &Known) -> Result<Resource, Failure> {
        let status = |path: &str| known.get(path).and_then(Option::as_ref);
        let found = status(path);
        let above = ancestors(path);
        let new = u32::from(self.directory_mode(known));
        let modes = above.iter().map(|dir| status(dir).map_or(new, |s| u32::from(s.mode)));
        Ok(Resource {
            key: artifact.key.clone(),
            url: self.storage.url(path).map_err(|e| Failure::fs(&e))?,
            size: artifact.file.size,
            modification_time: found.map_or(0, |s| i64::try_from(s.modified_ms).unwrap_or(i64::MAX)),
            visibility: visibility(found.map_or(u32::from(self.modes.1), |s| u32::from(s.mode)), modes),
            kind: artifact.kind,
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
        let incoming = format!("{}/{INCOMING}", self.root);
        let made = async {
            // A directory above a private store is not private: the shared one may come to lie beside it.
            let above = self.root.rsplit_once('/').map_or("/", |(above, _)| above);
            self.storage.mkdirs(above, Some(SHARED.0)).await?;
            self.storage.mkdirs(&incoming, Some(mode)).await
        };
        let made = made.await.map_err(|e| Failure::fs(&e));
        // Made before they run: the whole must be a future that any thread can run.
        let uploads: Vec<_> =
            missing.into_iter().map(|m| self.upload(m, &incoming, mode, unfinished, report)).collect();
        let uploads = stream::iter(uploads).buffer_unordered(PARALLEL_UPLOADS).try_collect::<()>();
        let done = match made {
            Ok(()) => uploads.await,
            Err(failure) => Err(failure),
        };
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
            mode: Some(self.modes.1),
            replication: self.replication,
            overwrite: false,
            progress: Some(Arc::new(move |bytes| listener.uploaded(&label, bytes))),
        };
        unfinished.begin(&self.storage, &temporary);
        let written = self.storage.write_file(&temporary, &Source::File(file.path.clone()), &options).await;
        let written = written.map_err(|e| Failure::fs(&e))?;
        if written.len != file.size || !file.is_unchanged() {
            let what = format!("{} has changed while it was uploaded", file.path.display());
            return Err(Failure::new(what).retry_if(true));
        }
        let above = |path: &str| path.rsplit_once('/').map_or("/".to_owned(), |(above, _)| above.to_owned());
        let parent = above(&path);
        // One after another: HDFS gives no sticky bit to a directory that it makes on the way, and who may write to a common store
        // could then put another file in this one's place.
        for directory in [above(&parent), parent] {
            self.storage.mkdirs(&directory, Some(mode)).await.map_err(|e| Failure::fs(&e))?;
        }
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

    /// Files that have not been used for long get a new access time: `heddle gc` in another place would take them for unused until
    /// the application is submitted. Who may not do that has somebody else's store, and that one is asked about live applications.
    async fn note_use(&self, found: Vec<FileStatus>) {
        let now = now_ms();
        let touched = stream::iter(found.into_iter().filter(|s| idle(s, now) > LONG_UNUSED))
            .map(|status| async move { self.storage.touch(&status.path).await })
            .buffer_unordered(PARALLEL_QUESTIONS);
        let failed = touched.filter_map(async |done| done.err()).collect::<Vec<_>>().await;
        if let Some(error) = failed.first() {
            tracing::debug!(%error, "use not noted");
        }
    }

    /// Removes what clients that died long ago have left.
    async fn sweep(&self, incoming: &str) {
        let now = now_ms();
        let Ok(left) = self.storage.list(incoming, false).await else { return };
        let old =
            left.iter().filter(|s| Duration::from_millis(now.saturating_sub(s.modified_ms)) > ABANDONED);
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

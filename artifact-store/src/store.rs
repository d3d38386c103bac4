//! The content-addressed store: every artifact is uploaded once and never again.
//!
//! The path of a file is `<root>/<first two letters>/<sha256>/<name>`. A file is uploaded under a unique
//! temporary name and gets its own by an atomic rename, so that nobody ever sees a part of it under that
//! name. If two clients upload the same file, one of them renames first, and the other uses that file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flink_model::local_resource::{LocalResource, LocalResourceKind};
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, FsErrorKind, Source, Storage, WriteOptions, now_ms};
use taskrunner::links;

use crate::error::StoreError;
use crate::hashes::Content;
use crate::layout::{INCOMING, idle};
use crate::unfinished::Unfinished;
use crate::visibility::{ancestors, parent, store_path, visibility};

/// An upload that has not been finished for this long is never going to be.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// How long a file must not have been used before its next use is noted. It is less than the age up to which
/// `heddle gc` keeps every file.
const LONG_UNUSED: Duration = Duration::from_secs(2700);
/// Modes of directories (where the store's root does not exist yet) and files.
const SHARED: (u16, u16) = (0o755, 0o644);
const PRIVATE: (u16, u16) = (0o700, 0o600);

/// Is called with the name of a file and the number of further bytes of it that have been uploaded.
pub type Uploaded = Arc<dyn Fn(&str, u64) + Send + Sync>;

/// A local file and its path in the containers.
#[derive(Debug)]
pub struct Artifact {
    /// Path in the container's working directory.
    pub key: String,
    /// The file.
    pub file: Content,
    /// Whether the nodes unpack it.
    pub kind: LocalResourceKind,
    /// How many artifacts in front of it have the same file name.
    namesakes: usize,
}

impl Artifact {
    /// A file that the containers get as `key`.
    pub fn new(key: String, file: Content, kind: LocalResourceKind) -> Self {
        Self { key, file, kind, namesakes: 0 }
    }

    /// Its name in the store: the name of the file in the containers, changed only if a NodeManager's launch
    /// script could not handle that name. Files that are equal and have the same name (two `__init__.py`)
    /// need one file each in the store: for a resource with several names the launch script makes only one
    /// link.
    fn name(&self) -> String {
        let name = file_name(&self.key);
        let name = if links::is_plain(name) { name.to_owned() } else { links::plain(name) };
        if self.namesakes == 0 { name } else { format!("copy-{}-{name}", self.namesakes) }
    }

    /// Its path in the store at `root`, if its content is known.
    fn path(&self, root: &str) -> Option<String> {
        Some(store_path(root, self.file.sha256()?, &self.name()))
    }

    async fn hashed(self) -> Result<Self, StoreError> {
        Ok(Self { file: self.file.hashed().await?, ..self })
    }
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Gives each artifact the number of those in front of it with the same file name.
fn with_namesakes(mut artifacts: Vec<Artifact>) -> Vec<Artifact> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for artifact in &mut artifacts {
        let count = seen.entry(file_name(&artifact.key).to_owned()).or_default();
        artifact.namesakes = *count;
        *count += 1;
    }
    artifacts
}

/// What the NameNode says of each path that was asked for.
type Statuses = BTreeMap<String, Option<FileStatus>>;

/// How much is done at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Questions to the NameNode.
    questions: usize,
    /// Files that are uploaded.
    uploads: usize,
    /// Whether files go to an empty store before they are read to the end for their hash.
    ahead: bool,
}

impl Concurrency {
    /// All questions are asked at once, so that they take one round trip. An upload waits for its last block
    /// for about half a second, which is a good part of its time, so many uploads run at a time; hadoop-fs
    /// bounds how many of them send.
    pub const QUICK: Self = Self { questions: 256, uploads: 32, ahead: true };
    /// One step after another (`heddle.fast-start: false`).
    pub const PLAIN: Self = Self { questions: 16, uploads: 8, ahead: false };
}

/// A store on one file system.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) storage: Storage,
    pub(crate) root: String,
    pub(crate) replication: Option<u16>,
    pub(crate) modes: (u16, u16),
    concurrency: Concurrency,
}

/// What a store has of some artifacts, and what it lacks.
#[derive(Debug)]
pub struct Inventory {
    /// Their hashes are known, unless the store is empty: then what is in them does not matter yet.
    artifacts: Vec<Artifact>,
    paths: Vec<Option<String>>,
    known: Statuses,
}

/// An artifact on its way to the store.
struct MissingArtifact {
    /// Its place among all artifacts.
    index: usize,
    artifact: Artifact,
    /// Whether the store has a file of another size under its path.
    replace: bool,
}

impl Inventory {
    /// Sizes of the files that are not there, each once, in bytes.
    pub fn missing(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let each = self.artifacts.iter().zip(&self.paths);
        let missing = each.filter(|(artifact, path)| match path {
            Some(path) => !is_there(artifact, self.known.get(path)) && seen.insert(path),
            None => true,
        });
        missing.map(|(artifact, _)| artifact.file.size()).collect()
    }

    /// The files.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        self.artifacts.iter().map(|artifact| &artifact.file)
    }
}

fn is_there(artifact: &Artifact, found: Option<&Option<FileStatus>>) -> bool {
    found.and_then(Option::as_ref).is_some_and(|s| s.len == artifact.file.size())
}

impl Store {
    /// A store in the directory `root`, for files that anybody may see.
    pub fn shared(
        storage: Storage,
        root: &str,
        replication: Option<u16>,
        concurrency: Concurrency,
    ) -> Result<Self, StoreError> {
        let root = storage.path(root)?;
        Ok(Self { storage, root, replication, modes: SHARED, concurrency })
    }

    /// A store that only its owner can read.
    pub fn private(
        storage: Storage,
        root: &str,
        replication: Option<u16>,
        concurrency: Concurrency,
    ) -> Result<Self, StoreError> {
        Ok(Self { modes: PRIVATE, ..Self::shared(storage, root, replication, concurrency)? })
    }

    /// Asks what the store has; changes nothing. With all hashes known it takes one round trip.
    pub async fn survey(&self, artifacts: Vec<Artifact>) -> Result<Inventory, StoreError> {
        let artifacts = with_namesakes(artifacts);
        let hashing = artifacts.iter().any(|artifact| artifact.file.sha256().is_none());
        if self.concurrency.ahead && hashing && self.find(&self.root).await?.is_none() {
            let paths = vec![None; artifacts.len()];
            return Ok(Inventory { artifacts, paths, known: Statuses::new() });
        }
        self.settle(artifacts).await
    }

    /// Waits for the hashes, and looks at all paths.
    async fn settle(&self, artifacts: Vec<Artifact>) -> Result<Inventory, StoreError> {
        let hashed: Vec<_> = artifacts.into_iter().map(Artifact::hashed).collect();
        let artifacts = future::try_join_all(hashed).await?;
        let paths: Vec<Option<String>> = artifacts.iter().map(|a| a.path(&self.root)).collect();
        let known = self.look_at(&paths).await?;
        Ok(Inventory { artifacts, paths, known })
    }

    /// The artifacts as local resources, and whether each has yet to be uploaded.
    pub async fn planned(&self, inventory: Inventory) -> Result<Vec<(LocalResource, bool)>, StoreError> {
        let known = inventory.paths.iter().all(Option::is_some);
        let Inventory { artifacts, paths, known } =
            if known { inventory } else { self.settle(inventory.artifacts).await? };
        let each = artifacts.iter().zip(paths.iter().flatten());
        each.map(|(artifact, path)| {
            let there = is_there(artifact, known.get(path));
            Ok((self.resource(artifact, path, &known)?, !there))
        })
        .collect()
    }

    /// Sees to it that all artifacts of the inventory are in the store; gives them, hashed, with their local
    /// resources, in their order.
    pub async fn complete(
        &self,
        inventory: Inventory,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
    ) -> Result<Vec<(Content, LocalResource)>, StoreError> {
        let Inventory { artifacts, paths, known } = inventory;
        let mode = self.directory_mode(&known);
        let mut claimed = BTreeSet::new();
        let mut missing = Vec::new();
        let mut done: Vec<(usize, Artifact)> = Vec::new();
        for (index, (artifact, path)) in artifacts.into_iter().zip(paths).enumerate() {
            let found = path.as_ref().and_then(|path| known.get(path)?.as_ref());
            let there = found.is_some_and(|status| status.len == artifact.file.size());
            if there || path.is_some_and(|path| !claimed.insert(path)) {
                done.push((index, artifact));
            } else {
                missing.push(MissingArtifact { index, artifact, replace: found.is_some() });
            }
        }
        let known = if missing.is_empty() {
            known
        } else {
            done.append(&mut self.upload_all(missing, mode, unfinished, uploaded).await?);
            done.sort_by_key(|(index, _)| *index);
            let paths: Vec<_> = done.iter().map(|(_, artifact)| artifact.path(&self.root)).collect();
            self.look_at(&paths).await?
        };
        let mut used = Vec::new();
        let mut resources = Vec::new();
        for (_, artifact) in done {
            let path = artifact.path(&self.root).unwrap_or_default();
            if !is_there(&artifact, known.get(&path)) {
                let what = format!("{path} has gone, or changed, since it was put into the store");
                return Err(StoreError::Changed(what));
            }
            let resource = self.resource(&artifact, &path, &known)?;
            resources.push((artifact.file, resource));
            used.extend(known.get(&path).cloned().flatten());
        }
        self.note_use(used).await;
        Ok(resources)
    }

    /// Whether the user may add files.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        self.storage.check_writable(&self.root).await.map_err(StoreError::from)
    }

    /// Whether the file of this URL lies in it.
    pub fn holds(&self, url: &str) -> bool {
        let root = self.storage.url(&self.root).unwrap_or_default();
        url.strip_prefix(&root).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Mode of new directories: that of the root, which an administrator may have made.
    pub(crate) fn directory_mode(&self, known: &Statuses) -> u16 {
        known.get(&self.root).and_then(Option::as_ref).map_or(self.modes.0, |root| root.mode & 0o1777)
    }

    /// An artifact as a local resource. One that is not in the store yet is described as it will be.
    fn resource(
        &self,
        artifact: &Artifact,
        path: &str,
        known: &Statuses,
    ) -> Result<LocalResource, StoreError> {
        let status = |path: &str| known.get(path).and_then(Option::as_ref);
        let found = status(path);
        let above = ancestors(path);
        let new = u32::from(self.directory_mode(known));
        let modes = above.iter().map(|dir| status(dir).map_or(new, |s| u32::from(s.mode)));
        Ok(LocalResource {
            key: artifact.key.clone(),
            url: self.storage.url(path)?,
            size: artifact.file.size(),
            modification_time: found.map_or(0, |s| i64::try_from(s.modified_ms).unwrap_or(i64::MAX)),
            visibility: visibility(found.map_or(u32::from(self.modes.1), |s| u32::from(s.mode)), modes),
            kind: artifact.kind,
        })
    }

    /// Asks for the status of `paths` and of the directories above them. The directories right below the root
    /// are all found in its listing.
    async fn look_at(&self, paths: &[Option<String>]) -> Result<Statuses, StoreError> {
        let mut asked: BTreeSet<String> = paths.iter().flatten().flat_map(|p| ancestors(p)).collect();
        asked.extend(paths.iter().flatten().cloned());
        let first =
            |path: &String| path.strip_prefix(&self.root).is_some_and(|rest| rest.matches('/').count() == 1);
        let (listed, asked): (Vec<String>, Vec<String>) = asked.into_iter().partition(first);
        let list = async {
            match self.storage.list(&self.root, false).await {
                Ok(found) => {
                    let mut found: BTreeMap<_, _> = found.into_iter().map(|s| (s.path.clone(), s)).collect();
                    Ok(listed.into_iter().map(|path| (path.clone(), found.remove(&path))).collect())
                }
                Err(e) if e.kind() == FsErrorKind::NotFound => {
                    Ok(listed.into_iter().map(|path| (path, None)).collect())
                }
                // A user who may enter a directory may not always list it.
                Err(e) if e.kind() == FsErrorKind::PermissionDenied => self.ask(listed).await,
                Err(e) => Err(e.into()),
            }
        };
        let (mut known, list): (Statuses, Statuses) = future::try_join(self.ask(asked), list).await?;
        known.extend(list);
        Ok(known)
    }

    async fn ask(&self, paths: Vec<String>) -> Result<Statuses, StoreError> {
        let questions: Vec<_> = paths
            .into_iter()
            .map(|path| async move {
                let found = self.find(&path).await?;
                Ok((path, found))
            })
            .collect();
        stream::iter(questions).buffer_unordered(self.concurrency.questions).try_collect().await
    }

    async fn find(&self, path: &str) -> Result<Option<FileStatus>, StoreError> {
        self.storage.find(path).await.map_err(StoreError::from)
    }

    async fn upload_all(
        &self,
        mut missing: Vec<MissingArtifact>,
        mode: u16,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
    ) -> Result<Vec<(usize, Artifact)>, StoreError> {
        // The biggest files go first, so that none of them is the only one left at the end.
        missing.sort_by_key(|m| std::cmp::Reverse(m.artifact.file.size()));
        let incoming = format!("{}/{INCOMING}", self.root);
        let made = async {
            // A directory above a private store gets the usual mode: it may come to hold the shared store,
            // too.
            self.storage.mkdirs(parent(&self.root), Some(SHARED.0)).await?;
            self.storage.mkdirs(&incoming, Some(mode)).await
        };
        let made = made.await.map_err(StoreError::from);
        // All futures are made before they run: otherwise the compiler cannot prove that the whole can move
        // between threads.
        let uploads: Vec<_> =
            missing.into_iter().map(|m| self.upload(m, &incoming, mode, unfinished, uploaded)).collect();
        let uploads = stream::iter(uploads).buffer_unordered(self.concurrency.uploads).try_collect();
        let done = match made {
            Ok(()) => uploads.await,
            Err(failure) => Err(failure),
        };
        self.sweep(&incoming).await;
        done
    }

    async fn upload(
        &self,
        missing: MissingArtifact,
        incoming: &str,
        mode: u16,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
    ) -> Result<(usize, Artifact), StoreError> {
        let MissingArtifact { index, artifact, replace } = missing;
        let name = artifact.name();
        let temporary = format!("{incoming}/{}-{name}", uuid::Uuid::new_v4().simple());
        let (listener, label) = (Arc::clone(uploaded), name.clone());
        let options = WriteOptions {
            mode: Some(self.modes.1),
            replication: self.replication,
            overwrite: false,
            fitted: true,
            progress: Some(Arc::new(move |bytes| listener(&label, bytes))),
        };
        unfinished.begin(&self.storage, &temporary);
        let source = Source::File(artifact.file.path().to_owned());
        let write = async {
            let written = self.storage.write_file(&temporary, &source, &options).await;
            written.map_err(StoreError::from)
        };
        // The file is read for its hash while it is sent, if that has not been done yet.
        let (written, artifact) = future::try_join(write, artifact.hashed()).await?;
        let size = artifact.file.size();
        let path = artifact.path(&self.root).unwrap_or_default();
        if written.len != size || !artifact.file.is_unchanged() {
            let what = format!("{} has changed while it was uploaded", artifact.file.path().display());
            return Err(StoreError::Changed(what));
        }
        let directory = parent(&path);
        // The directories are made one by one: HDFS does not give the sticky bit to a directory that it makes
        // on the way to another. In a common store anybody with the right to write there could then put
        // another file in place of this one.
        for directory in [parent(directory), directory] {
            self.storage.mkdirs(directory, Some(mode)).await?;
        }
        match self.storage.rename(&temporary, &path, replace).await {
            Ok(()) => {}
            Err(e) if e.kind() == FsErrorKind::AlreadyExists => {
                self.yield_to_other(&temporary, &path, size).await?
            }
            Err(e) => return Err(e.into()),
        }
        unfinished.done(&temporary);
        Ok((index, artifact))
    }

    /// Another client has put its file there first: that file is used if it has the right size.
    async fn yield_to_other(&self, temporary: &str, path: &str, size: u64) -> Result<(), StoreError> {
        let other = self.find(path).await?;
        if other.is_some_and(|s| s.len == size) {
            return self.storage.delete(temporary, false).await.map(|_| ()).map_err(StoreError::from);
        }
        self.storage.rename(temporary, path, true).await.map_err(StoreError::from)
    }

    /// Files that have not been used for long get a new access time: a `heddle gc` that runs elsewhere would
    /// take them for unused until the application is submitted. A user without the right to do that uses a
    /// store of somebody else, where `heddle gc` asks about live applications before it removes files.
    pub(crate) async fn note_use(&self, found: Vec<FileStatus>) {
        let now = now_ms();
        let unused = found.into_iter().filter(|s| idle(s, now) > LONG_UNUSED);
        let touches: Vec<_> =
            unused.map(|status| async move { self.storage.touch(&status.path).await }).collect();
        let touched =
            stream::iter(touches).buffer_unordered(self.concurrency.questions).collect::<Vec<_>>().await;
        if let Some(error) = touched.into_iter().find_map(Result::err) {
            tracing::debug!(%error, "use not noted");
        }
    }

    /// Removes temporary files of clients that died long ago.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashes::Hashes;

    #[tokio::test]
    async fn equal_files_of_one_name_are_two_files_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("__init__.py");
        std::fs::write(&file, "").unwrap();
        let keys = ["a/__init__.py", "b/__init__.py", "b/other.py", "__init__.py"];
        let contents = Hashes::open(None).begin(&vec![file; keys.len()], drop).unwrap();
        let artifacts = keys.into_iter().zip(contents);
        let artifacts =
            artifacts.map(|(key, file)| Artifact::new(key.into(), file, LocalResourceKind::File)).collect();
        let mut names = Vec::new();
        for artifact in with_namesakes(artifacts) {
            let path = artifact.hashed().await.unwrap().path("/store").unwrap();
            names.push(path.rsplit('/').next().unwrap().to_owned());
        }
        assert_eq!(names, ["__init__.py", "copy-1-__init__.py", "other.py", "copy-2-__init__.py"]);
    }
}

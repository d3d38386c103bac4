//! The content-addressed store, into which every artifact is uploaded only once.
//!
//! The path of a file is `<root>/<first two digits>/<sha256>/<name>`. A file is uploaded under a unique
//! temporary name and then gets its own name by an atomic rename, so that nobody ever sees a part of a file
//! under that name. If two clients upload the same file, one of them renames it first, and the other client
//! uses that file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flink_model::local_resource::{LocalResource, LocalResourceKind};
use futures::future;
use futures::stream::{self, StreamExt};
use hadoop_fs::{FileStatus, FsError, FsErrorKind, Storage, now_ms};
use taskrunner::links;

use crate::error::StoreError;
use crate::hashes::Content;
use crate::layout::{idle, incoming};
use crate::trust::{Judge, RootOwner, is_common};
use crate::visibility::{ancestors, store_path, visibility};

/// The time without use after which the next use of a file is noted. It is less than the hour for which
/// `heddle gc` keeps every file.
const LONG_UNUSED: Duration = Duration::from_secs(2700);
/// The modes of new directories and of new files. If the store's root exists, new directories get its mode
/// instead.
pub(crate) const SHARED: (u16, u16) = (0o755, 0o644);
const PRIVATE: (u16, u16) = (0o700, 0o600);

/// A function that is called with the name of a file and the number of bytes uploaded since the last call.
pub type Uploaded = Arc<dyn Fn(&str, u64) + Send + Sync>;

/// A local file, and its path in the containers.
#[derive(Debug)]
pub struct Artifact {
    /// The path in the container's working directory.
    pub key: String,
    /// The file with its hash.
    pub file: Content,
    /// Whether the nodes unpack the file.
    pub kind: LocalResourceKind,
    /// Whether the file may only be found in the store, and not be added to it.
    pub(crate) only_found: bool,
    /// The number of artifacts before this one that have the same file name.
    namesakes: usize,
}

impl Artifact {
    /// An artifact that the containers get at the path `key`.
    pub fn new(key: String, file: Content, kind: LocalResourceKind) -> Self {
        Self { key, file, kind, only_found: false, namesakes: 0 }
    }

    /// The same artifact, but [`Store::divide`] lets the store serve it only if it is there already.
    pub fn only_found(self) -> Self {
        Self { only_found: true, ..self }
    }

    /// The same artifact for a store that may get it, whatever was said about another one.
    pub(crate) fn for_another_store(self) -> Self {
        Self { only_found: false, ..self }
    }

    /// The name of the file in the store. It is the name in the containers, changed only if a NodeManager's
    /// launch script could not handle that name. Two equal files with the same name (such as two empty
    /// `__init__.py`) need two files in the store, because the launch script would make only one link for a
    /// local resource that has several names.
    pub(crate) fn name(&self) -> String {
        let name = file_name(&self.key);
        let name = if links::is_plain(name) { name.to_owned() } else { links::plain(name) };
        if self.namesakes == 0 { name } else { format!("copy-{}-{name}", self.namesakes) }
    }

    /// The path of the artifact in the store at `root`; `None` while its hash is not known.
    pub(crate) fn path(&self, root: &str) -> Option<String> {
        Some(store_path(root, self.file.sha256()?, &self.name()))
    }

    pub(crate) async fn hashed(self) -> Result<Self, StoreError> {
        Ok(Self { file: self.file.hashed().await?, ..self })
    }
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Tells each artifact how many artifacts before it have the same file name.
fn with_namesakes(mut artifacts: Vec<Artifact>) -> Vec<Artifact> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for artifact in &mut artifacts {
        let count = seen.entry(file_name(&artifact.key).to_owned()).or_default();
        artifact.namesakes = *count;
        *count += 1;
    }
    artifacts
}

/// What the NameNode says about each path: its status, or `None` if nothing is there, or if somebody who is
/// not trusted has closed a directory above it.
pub(crate) type Statuses = BTreeMap<String, Option<FileStatus>>;

/// The NameNode's answers to some questions.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) known: Statuses,
    /// The paths about which the user may not ask.
    pub(crate) denied: Vec<(String, FsError)>,
}

/// How many operations of a store run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// The number of questions to the NameNode.
    questions: usize,
    /// The number of uploads.
    pub(crate) uploads: usize,
    /// Whether files are uploaded to an empty store while they are still being hashed.
    ahead: bool,
}

impl Concurrency {
    /// Asks all questions at once, so that they take one round trip. Many uploads run at a time, because an
    /// upload spends much of its time, about half a second, waiting for its last block. The crate hadoop-fs
    /// limits how many of them send data at a time.
    pub const QUICK: Self = Self { questions: 256, uploads: 32, ahead: true };
    /// Does one step after another, for `heddle.fast-start: false`.
    pub const PLAIN: Self = Self { questions: 16, uploads: 8, ahead: false };
}

/// A store on one file system.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) storage: Storage,
    pub(crate) root: String,
    pub(crate) replication: Option<u16>,
    pub(crate) modes: (u16, u16),
    pub(crate) root_owner: RootOwner,
    pub(crate) concurrency: Concurrency,
}

/// Which of some artifacts a store already has.
#[derive(Debug)]
pub struct Inventory {
    /// The artifacts. Their hashes are known, unless the store is empty: then all files are missing, whatever
    /// their hashes are.
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) paths: Vec<Option<String>>,
    pub(crate) known: Statuses,
}

impl Inventory {
    /// The sizes in bytes of the files that the store does not have. A file that several artifacts share
    /// counts once.
    pub fn missing(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let each = self.artifacts.iter().zip(&self.paths);
        let missing = each.filter(|(artifact, path)| match path {
            Some(path) => !is_there(artifact, self.known.get(path)) && seen.insert(path),
            None => true,
        });
        missing.map(|(artifact, _)| artifact.file.size()).collect()
    }

    /// For each artifact whether the store does not have it.
    pub fn is_missing(&self) -> Vec<bool> {
        let each = self.artifacts.iter().zip(&self.paths);
        let missing = |(artifact, path): (&Artifact, &Option<String>)| {
            !path.as_ref().is_some_and(|path| is_there(artifact, self.known.get(path)))
        };
        each.map(missing).collect()
    }

    /// The innermost directory of the store, or above it, that is in an encryption zone of HDFS, if the store
    /// does not have all files.
    fn encrypted(&self) -> Option<&FileStatus> {
        let encrypted = self.known.values().flatten().filter(|status| status.is_dir && status.encrypted);
        encrypted.max_by_key(|status| status.path.len()).filter(|_| !self.missing().is_empty())
    }

    /// The artifacts, for another inventory.
    pub fn into_artifacts(self) -> Vec<Artifact> {
        self.artifacts
    }

    /// The local files of all artifacts.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        self.artifacts.iter().map(|artifact| &artifact.file)
    }
}

pub(crate) fn is_there(artifact: &Artifact, found: Option<&Option<FileStatus>>) -> bool {
    found.and_then(Option::as_ref).is_some_and(|s| s.len == artifact.file.size())
}

impl Store {
    /// A store in the directory `root`, for files that everybody may read. `root_owner` says whose the store
    /// may be. It fails if `root` is not a path of the file system.
    pub fn shared(
        storage: Storage,
        root: &str,
        root_owner: RootOwner,
        replication: Option<u16>,
        concurrency: Concurrency,
    ) -> Result<Self, StoreError> {
        let root = storage.path(root)?;
        Ok(Self { storage, root, replication, modes: SHARED, root_owner, concurrency })
    }

    /// A store for files that only the user may read. It fails if `root` is not a path of the file system.
    pub fn private(
        storage: Storage,
        root: &str,
        root_owner: RootOwner,
        replication: Option<u16>,
        concurrency: Concurrency,
    ) -> Result<Self, StoreError> {
        Ok(Self { modes: PRIVATE, ..Self::shared(storage, root, root_owner, replication, concurrency)? })
    }

    /// Decides which files of this store are trusted.
    pub(crate) fn judge(&self) -> Judge<'_> {
        let private = self.modes == PRIVATE;
        Judge { user: self.storage.user(), root_owner: &self.root_owner, private }
    }

    /// The path of the directory for this user's uploads.
    pub(crate) fn incoming(&self, known: &Statuses) -> String {
        let user = self.storage.user();
        let root = known.get(&self.root).and_then(Option::as_ref);
        let common = self.storage.has_owners() && root.is_some_and(|root| is_common(root, user));
        format!("{}/{}", self.root, incoming(user, common))
    }

    /// Asks which of the artifacts the store has, without changing anything. If all hashes are known, that
    /// takes one round trip. If some are not, and the store is empty, the result does not wait for the
    /// hashes.
    pub async fn survey(&self, artifacts: Vec<Artifact>) -> Result<Inventory, StoreError> {
        let artifacts = with_namesakes(artifacts);
        let hashing = artifacts.iter().any(|artifact| artifact.file.sha256().is_none());
        if self.concurrency.ahead && hashing {
            let known = self.look_above().await?;
            if known.get(&self.root).is_none_or(Option::is_none) {
                let paths = vec![None; artifacts.len()];
                return Ok(Inventory { artifacts, paths, known });
            }
        }
        self.settle(artifacts).await
    }

    /// Does what [`Store::survey`] does, but waits for all hashes also if the store is empty.
    pub async fn survey_all(&self, artifacts: Vec<Artifact>) -> Result<Inventory, StoreError> {
        self.settle(with_namesakes(artifacts)).await
    }

    /// Waits for all hashes, and then asks for the status of all paths.
    async fn settle(&self, artifacts: Vec<Artifact>) -> Result<Inventory, StoreError> {
        let hashed: Vec<_> = artifacts.into_iter().map(Artifact::hashed).collect();
        let artifacts = future::try_join_all(hashed).await?;
        let paths: Vec<Option<String>> = artifacts.iter().map(|a| a.path(&self.root)).collect();
        let known = self.look_at(&paths).await?;
        Ok(Inventory { artifacts, paths, known })
    }

    /// The artifacts as local resources, and for each whether it has to be uploaded. It waits for all hashes.
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

    /// Fails if the user may not add files to the store.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        self.storage.check_writable(&self.root).await.map_err(StoreError::from)
    }

    /// Fails if the store does not have all files, and is in an encryption zone of HDFS: the NameNode would
    /// refuse each file that is added.
    pub async fn require_no_zone(&self, inventory: &Inventory) -> Result<(), StoreError> {
        match inventory.encrypted() {
            Some(directory) => Err(self.storage.encrypted("add files to", &directory.path).await.into()),
            None => Ok(()),
        }
    }

    /// Whether the file with this URL is in the store.
    pub fn holds(&self, url: &str) -> bool {
        let root = self.storage.url(&self.root).unwrap_or_default();
        url.strip_prefix(&root).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The mode of new directories. If the root exists, it is the mode of the root, because an administrator
    /// may have made it. But only the owner may write to a directory below the root.
    pub(crate) fn directory_mode(&self, known: &Statuses) -> u16 {
        known.get(&self.root).and_then(Option::as_ref).map_or(self.modes.0, |root| root.mode & 0o755)
    }

    /// An artifact as a local resource. If the store does not have the artifact yet, this is what it will be,
    /// with 0 as the modification time.
    pub(crate) fn resource(
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

    /// Asks for the status of `paths` and of all directories above them. A listing of the root answers for
    /// all directories right below it.
    pub(crate) async fn look_at(&self, paths: &[Option<String>]) -> Result<Statuses, StoreError> {
        if paths.is_empty() {
            return Ok(Statuses::new());
        }
        let mut asked: BTreeSet<String> = paths.iter().flatten().flat_map(|p| ancestors(p)).collect();
        asked.extend(paths.iter().flatten().cloned());
        let user = self.storage.user();
        asked.extend([false, true].map(|common| format!("{}/{}", self.root, incoming(user, common))));
        let first =
            |path: &String| path.strip_prefix(&self.root).is_some_and(|rest| rest.matches('/').count() == 1);
        let (listed, asked): (Vec<String>, Vec<String>) = asked.into_iter().partition(first);
        let list = async {
            match self.storage.list(&self.root, false).await {
                Ok(found) => {
                    let mut found: BTreeMap<_, _> = found.into_iter().map(|s| (s.path.clone(), s)).collect();
                    let known = listed.into_iter().map(|path| (path.clone(), found.remove(&path))).collect();
                    Ok(Answers { known, denied: Vec::new() })
                }
                Err(e) if e.kind() == FsErrorKind::NotFound => {
                    let known = listed.into_iter().map(|path| (path, None)).collect();
                    Ok(Answers { known, denied: Vec::new() })
                }
                // A user who may enter a directory may not always list it, so this user has to ask for each
                // path.
                Err(e) if is_closed(e.kind()) => self.ask(listed).await,
                Err(e) => Err(e.into()),
            }
        };
        let (mut answers, list) = future::try_join(self.ask(asked), list).await?;
        answers.known.extend(list.known);
        answers.denied.extend(list.denied);
        self.admitted(answers)
    }

    /// Asks for the status of the store's root and of all directories above it.
    pub(crate) async fn look_above(&self) -> Result<Statuses, StoreError> {
        self.admitted(self.ask(ancestors(&format!("{}/x", self.root))).await?)
    }

    /// Asks for the status of all paths. All questions together take one round trip.
    pub(crate) async fn ask(&self, paths: Vec<String>) -> Result<Answers, StoreError> {
        let questions: Vec<_> = paths
            .into_iter()
            .map(|path| async move {
                let found = self.storage.find(&path).await;
                (path, found)
            })
            .collect();
        let mut answering = stream::iter(questions).buffer_unordered(self.concurrency.questions);
        let mut answers = Answers::default();
        while let Some((path, answer)) = answering.next().await {
            match answer {
                Ok(found) => {
                    answers.known.insert(path, found);
                }
                Err(e) if is_closed(e.kind()) => answers.denied.push((path, e)),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(answers)
    }

    /// The answers, if nothing is missing that matters. If another user has closed a directory, or has put a
    /// file in the place of one, what is below it is not used in any case. Otherwise the user needs the right
    /// to ask.
    pub(crate) fn admitted(&self, answers: Answers) -> Result<Statuses, StoreError> {
        let Answers { mut known, denied } = answers;
        for (path, error) in denied {
            if self.require_trust(&path, &known).is_ok() {
                return Err(error.into());
            }
            known.insert(path, None);
        }
        Ok(known)
    }

    /// Sets the access time of files that have not been used for long. Otherwise a `heddle gc` on another
    /// machine would consider them unused until the application is submitted. If the user may not set it, the
    /// store is somebody else's. That is no problem, because there `heddle gc` asks about running
    /// applications before it removes files.
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
}

/// Whether an error says that somebody does not let the user look at a path.
fn is_closed(error: FsErrorKind) -> bool {
    matches!(error, FsErrorKind::PermissionDenied | FsErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;
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

    #[tokio::test]
    async fn an_encryption_zone_matters_only_where_files_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jar");
        std::fs::write(&file, "a").unwrap();
        let content = Hashes::open(None).begin(&[file], drop).unwrap().remove(0);
        let artifact =
            Artifact::new("a.jar".into(), content, LocalResourceKind::File).hashed().await.unwrap();
        let path = artifact.path("/zone/store").unwrap();
        let encrypted = |path: &str| FileStatus { encrypted: true, ..status(path, "ann", 0o755) };
        let mut inventory = Inventory {
            artifacts: vec![artifact],
            paths: vec![Some(path.clone())],
            known: Statuses::from([
                ("/".to_owned(), Some(status("/", "hdfs", 0o755))),
                ("/zone".to_owned(), Some(encrypted("/zone"))),
                ("/zone/store".to_owned(), None),
            ]),
        };
        assert_eq!(inventory.encrypted().map(|found| found.path.as_str()), Some("/zone"));
        inventory.known.insert("/zone/store".to_owned(), Some(encrypted("/zone/store")));
        assert_eq!(inventory.encrypted().map(|found| found.path.as_str()), Some("/zone/store"));
        inventory.known.insert(path.clone(), Some(encrypted(&path)));
        assert!(inventory.encrypted().is_none(), "the store has it already");
    }
}

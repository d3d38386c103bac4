//! Uploads what a store lacks. Other users may add to the same store at the same time, and each directory
//! belongs to the one who has made it. So the store may turn out not to take a file, which another store has
//! to serve then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flink_model::local_resource::LocalResource;
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::{FsErrorKind, Source, WriteOptions, now_ms};

use crate::error::StoreError;
use crate::store::{Artifact, Inventory, SHARED, Store, Uploaded, is_there};
use crate::unfinished::Unfinished;
use crate::visibility::parent;

/// The age after which an upload that is not complete counts as abandoned, because its client must have died.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// The artifacts of an inventory, after those that the store did not have were uploaded.
#[derive(Debug)]
pub struct Completion {
    /// What the store serves, in the order of the inventory, with the places of the files. The hashes are
    /// known.
    pub served: Vec<(Artifact, LocalResource)>,
    /// What another store has to serve, because other users have written to the same places meanwhile.
    pub lost: Option<Lost>,
}

/// Artifacts that a store has not taken.
#[derive(Debug)]
pub struct Lost {
    /// The artifacts.
    pub artifacts: Vec<Artifact>,
    /// Why the first of them was not taken.
    pub why: StoreError,
}

impl Completion {
    /// All artifacts. It fails if the store has not taken one of them. This is for stores that no other one
    /// can stand in for.
    pub fn whole(self) -> Result<Vec<(Artifact, LocalResource)>, StoreError> {
        match self.lost {
            None => Ok(self.served),
            Some(Lost { why, .. }) => Err(why),
        }
    }
}

/// An artifact that has to be uploaded.
struct MissingArtifact {
    /// The index of the artifact among all artifacts.
    index: usize,
    artifact: Artifact,
    /// Whether the store has a file of another size at the artifact's path, which has to be replaced.
    replace: bool,
}

/// Artifacts that the store has not taken, and why it has not taken the first.
#[derive(Default)]
struct Losses {
    artifacts: Vec<Artifact>,
    why: Option<StoreError>,
}

impl Losses {
    fn add(&mut self, artifact: Artifact, why: StoreError) {
        self.why.get_or_insert(why);
        self.artifacts.push(artifact.for_another_store());
    }

    fn sum_up(self) -> Option<Lost> {
        self.why.map(|why| Lost { artifacts: self.artifacts, why })
    }
}

/// Whether a failure to write to a store means that another user was there first. What the user may not do at
/// all is found out before.
fn is_others_work(failure: &StoreError) -> bool {
    match failure {
        StoreError::FileSystem(error) => is_taken(error.kind()),
        StoreError::Untrusted { .. } => true,
        StoreError::Unreadable { .. }
        | StoreError::Unusable(_)
        | StoreError::Changed(_)
        | StoreError::NotRemembered { .. } => false,
    }
}

/// Whether an error says that a directory is another user's, or that there is something else in its place.
fn is_taken(error: FsErrorKind) -> bool {
    use FsErrorKind::{AlreadyExists, NotADirectory, PermissionDenied};
    matches!(error, PermissionDenied | NotADirectory | AlreadyExists)
}

impl Store {
    /// Uploads the artifacts that the store does not have. Uploads that are not complete are in `unfinished`,
    /// and `uploaded` is told of the progress. It fails with [`StoreError::Changed`] if a local file, or the
    /// file in the store, has changed meanwhile.
    pub async fn complete(
        &self,
        inventory: Inventory,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
    ) -> Result<Completion, StoreError> {
        let Inventory { artifacts, paths, known } = inventory;
        let mode = self.directory_mode(&known);
        let incoming = self.incoming(&known);
        let mut claimed = BTreeSet::new();
        let mut missing = Vec::new();
        let mut done: Vec<(usize, Artifact)> = Vec::new();
        for (index, (artifact, path)) in artifacts.into_iter().zip(paths).enumerate() {
            let found = path.as_ref().and_then(|path| known.get(path)?.as_ref());
            let there = found.is_some_and(|status| status.len == artifact.file.size());
            if there || path.is_some_and(|path| !claimed.insert(path)) {
                done.push((index, artifact));
            } else if artifact.only_found {
                let what = format!("{} may not be put into this store", artifact.file.path().display());
                return Err(StoreError::Unusable(what));
            } else {
                missing.push(MissingArtifact { index, artifact, replace: found.is_some() });
            }
        }
        let mut losses = Losses::default();
        let known = if missing.is_empty() {
            known
        } else {
            let made = self.make_directories(&incoming, mode).await;
            done.extend(match made {
                Ok(()) => {
                    self.upload_all(missing, &incoming, mode, unfinished, uploaded, &mut losses).await?
                }
                Err(failure) if is_others_work(&failure) => {
                    losses.why = Some(failure);
                    losses.artifacts.extend(missing.into_iter().map(|m| m.artifact));
                    Vec::new()
                }
                Err(failure) => return Err(failure),
            });
            done.sort_by_key(|(index, _)| *index);
            let paths: Vec<_> = done.iter().map(|(_, artifact)| artifact.path(&self.root)).collect();
            self.look_at(&paths).await?
        };
        let mut used = Vec::new();
        let mut served = Vec::new();
        for (_, artifact) in done {
            let path = artifact.path(&self.root).unwrap_or_default();
            if let Err(distrust) = self.require_trust(&path, &known) {
                losses.add(artifact, distrust);
                continue;
            }
            if !is_there(&artifact, known.get(&path)) {
                let what = format!("{path} has gone, or changed, since it was put into the store");
                return Err(StoreError::Changed(what));
            }
            let resource = self.resource(&artifact, &path, &known)?;
            served.push((artifact, resource));
            used.extend(known.get(&path).cloned().flatten());
        }
        self.note_use(used).await;
        Ok(Completion { served, lost: losses.sum_up() })
    }

    /// Makes the directory for this user's uploads, and those above it.
    async fn make_directories(&self, incoming: &str, mode: u16) -> Result<(), StoreError> {
        // A directory above a private store gets the mode of a shared one, because it may later hold the
        // shared store, too.
        self.storage.mkdirs(parent(&self.root), Some(SHARED.0)).await?;
        self.storage.mkdirs(incoming, Some(mode)).await?;
        self.require_own(incoming).await
    }

    /// Returns the artifacts that were uploaded, each with its index; `losses` gets the others.
    async fn upload_all(
        &self,
        mut missing: Vec<MissingArtifact>,
        incoming: &str,
        mode: u16,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
        losses: &mut Losses,
    ) -> Result<Vec<(usize, Artifact)>, StoreError> {
        // The largest files go first. Otherwise a large file could be the only one that is still uploading at
        // the end.
        missing.sort_by_key(|m| std::cmp::Reverse(m.artifact.file.size()));
        // All futures are made before the first of them runs. Otherwise the compiler cannot prove that the
        // whole can move between threads.
        let uploads: Vec<_> =
            missing.into_iter().map(|m| self.upload(m, incoming, mode, unfinished, uploaded)).collect();
        let uploads =
            stream::iter(uploads).buffer_unordered(self.concurrency.uploads).try_collect::<Vec<_>>();
        let uploads = uploads.await;
        self.sweep(incoming).await;
        let mut done = Vec::new();
        for (index, artifact, placed) in uploads? {
            match placed {
                Ok(()) => done.push((index, artifact)),
                Err(why) => losses.add(artifact, why),
            }
        }
        Ok(done)
    }

    /// Uploads one artifact. The inner result fails if another user was there first.
    async fn upload(
        &self,
        missing: MissingArtifact,
        incoming: &str,
        mode: u16,
        unfinished: &Unfinished,
        uploaded: &Uploaded,
    ) -> Result<(usize, Artifact, Result<(), StoreError>), StoreError> {
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
        // If the hash is not known yet, the file is read for it while it is uploaded.
        let (written, artifact) = future::try_join(write, artifact.hashed()).await?;
        let size = artifact.file.size();
        let path = artifact.path(&self.root).unwrap_or_default();
        if written.len != size || !artifact.file.is_unchanged() {
            let what = format!("{} has changed while it was uploaded", artifact.file.path().display());
            return Err(StoreError::Changed(what));
        }
        let placed = match self.place(&temporary, &path, size, mode, replace).await {
            Err(failure) if !is_others_work(&failure) => return Err(failure),
            placed => placed,
        };
        if placed.is_err() {
            self.storage.delete(&temporary, false).await?;
        }
        unfinished.done(&temporary);
        Ok((index, artifact, placed))
    }

    /// Gives a file that was uploaded as `temporary` its own name. Another client may put its file there
    /// first: that one is used if it has the right size, and replaced if not.
    async fn place(
        &self,
        temporary: &str,
        path: &str,
        size: u64,
        mode: u16,
        replace: bool,
    ) -> Result<(), StoreError> {
        // Whether these are the user's own is looked at when everything is uploaded, before anything is used.
        self.storage.mkdirs(parent(path), Some(mode)).await?;
        match self.storage.rename(temporary, path, replace).await {
            Err(e) if e.kind() == FsErrorKind::AlreadyExists => {}
            renamed => return renamed.map_err(StoreError::from),
        }
        if self.storage.find(path).await?.is_some_and(|other| other.len == size) {
            self.storage.delete(temporary, false).await?;
        } else {
            self.storage.rename(temporary, path, true).await?;
        }
        Ok(())
    }

    /// Removes the temporary files of uploads that clients have abandoned.
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
    use crate::fixture::status;
    use crate::trust::{Remedy, check_own};

    #[test]
    fn who_is_faster_does_not_stop_a_deployment() {
        let distrust = check_own(&status("/s/ab", "eve", 0o755), "ann").unwrap_err();
        let (store, remedy) = ("hdfs://nn/s".into(), Remedy::Delete);
        assert!(is_others_work(&StoreError::Untrusted { store, distrust, remedy }));
        assert!(!is_others_work(&StoreError::Changed("x has changed while it was uploaded".into())));
        for kind in [FsErrorKind::PermissionDenied, FsErrorKind::NotADirectory, FsErrorKind::AlreadyExists] {
            assert!(is_taken(kind), "{kind:?}");
        }
        for kind in [FsErrorKind::QuotaExceeded, FsErrorKind::SafeMode, FsErrorKind::DataNodes] {
            assert!(!is_taken(kind), "{kind:?}");
        }
    }
}

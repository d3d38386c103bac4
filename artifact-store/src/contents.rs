//! Lists what a store holds, says what of it is trusted, and compares files with the hashes in their paths.

use flink_model::class_data::{ArchiveName, is_archive};
use hadoop_fs::{FileStatus, FsErrorKind};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::listing::{Listing, list_all};
use crate::store::Store;

/// A file of a store, or a directory into which the user may not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path on the file system.
    pub path: String,
    /// Its name: that of the local file, or of the class data archive. That of a directory ends in a slash.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The user who owns it.
    pub owner: String,
    /// The SHA-256 that it should have; `None` for class data archives of earlier releases, and directories.
    pub sha256: Option<String>,
    /// Why the user's deployments do not use it; `None` if they do.
    pub unused: Option<String>,
}

/// The file that a path below a store's root names: its name, and the SHA-256 that it should have. `None` if
/// the path is not that of a file of the store.
fn identify(path: &str) -> Option<(&str, Option<String>)> {
    let name = path.rsplit('/').next()?;
    if is_archive(path) {
        return Some((name, path.parse::<ArchiveName>().ok().map(|archive| archive.sha256)));
    }
    let mut parts = path.split('/');
    let (prefix, sha256, _) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    let is_whole = is_hash && sha256.get(..2) == Some(prefix) && parts.next().is_none();
    is_whole.then(|| (name, Some(sha256.to_owned())))
}

impl Store {
    /// The files of the store, and the directories that others have closed, in the order of their paths;
    /// `None` if there is no store. It fails if the user may not look into the store.
    pub async fn contents(&self) -> Result<Option<Vec<Entry>>, StoreError> {
        let Listing { entries: listing, closed } = match list_all(&self.storage, &self.root).await {
            Ok(listing) => listing,
            Err(e) if e.kind() == FsErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let mut known = self.look_above().await?;
        known.extend(listing.iter().map(|status| (status.path.clone(), Some(status.clone()))));
        let why_unused = |path: &str| match self.require_trust(path, &known) {
            Ok(()) => None,
            Err(StoreError::Untrusted { distrust, .. }) => Some(distrust.to_string()),
            Err(other) => Some(other.to_string()),
        };
        let entry = |status: &FileStatus| {
            let below = status.path.strip_prefix(&self.root)?.strip_prefix('/')?;
            let (name, sha256) = identify(below)?;
            let unused = why_unused(&status.path);
            let (bytes, owner) = (status.len, status.owner.clone());
            Some(Entry { path: status.path.clone(), name: name.to_owned(), bytes, owner, sha256, unused })
        };
        let mut entries: Vec<Entry> = listing.iter().filter(|s| !s.is_dir).filter_map(entry).collect();
        entries.extend(closed.into_iter().map(|status| {
            let unused = why_unused(&status.path).map(|why| format!("{why}, and you may not look into it"));
            let unused = Some(unused.unwrap_or_else(|| "you may not look into it".to_owned()));
            let name = format!("{}/", status.path.rsplit('/').next().unwrap_or_default());
            Entry { name, bytes: 0, owner: status.owner, path: status.path, sha256: None, unused }
        }));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Some(entries))
    }

    /// Reads a file, and says whether its content is what its path promises.
    pub async fn verify(&self, entry: &Entry) -> Result<bool, StoreError> {
        let mut reading = self.storage.open_at(&entry.path, 0).await?;
        let mut hasher = Sha256::new();
        while let Some(piece) = reading.next().await? {
            hasher.update(&piece);
        }
        let found = hex::encode(hasher.finalize());
        Ok(entry.sha256.as_deref().is_some_and(|promised| promised.eq_ignore_ascii_case(&found)))
    }

    /// The URL of a path of the store.
    pub fn url_of(&self, path: &str) -> Result<String, StoreError> {
        Ok(self.storage.url(path)?)
    }

    /// The URL of the store.
    pub fn url(&self) -> Result<String, StoreError> {
        Ok(self.storage.url(&self.root)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_their_paths() {
        let hash = "ab".repeat(32);
        assert_eq!(identify(&format!("ab/{hash}/x.jar")), Some(("x.jar", Some(hash.clone()))));
        let archive = format!("17-1-{hash}.jsa");
        let path = format!("cds/jobmanager-0123456789abcdef/{archive}");
        assert_eq!(identify(&path), Some((archive.as_str(), Some(hash.clone()))));
        let old = "cds/jobmanager-0123456789abcdef/17-1-000000ab.jsa";
        assert_eq!(identify(old), Some(("17-1-000000ab.jsa", None)));
        for other in
            [format!("cd/{hash}/x.jar"), format!("ab/{hash}/d/x.jar"), "README".into(), "ab/x/y".into()]
        {
            assert_eq!(identify(&other), None, "{other}");
        }
    }
}

//! Computes the SHA-256 of local files and remembers it between runs, so that Flink's files need not be read
//! for each deployment. A remembered hash counts as long as path, size, inode and modification time are the
//! same.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hadoop_fs::now_ms;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::error::StoreError;

const VERSION: u32 = 1;

/// The least age of a change before a file is hashed. A file that was changed more recently could change once
/// more without getting another modification time, so its hash is not remembered.
const SETTLED: Duration = Duration::from_secs(2);

/// What identifies the content of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    /// The modification time, in nanoseconds since 1970.
    mtime: i64,
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let mtime = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { size: metadata.len(), inode: metadata.ino(), mtime }
    }

    /// Whether the file was changed long enough before `now`, a time since 1970.
    fn settled(&self, now: Duration) -> bool {
        let written = Duration::from_nanos(u64::try_from(self.mtime).unwrap_or_default());
        now.saturating_sub(written) > SETTLED
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    stamp: Stamp,
    sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cache {
    version: u32,
    files: BTreeMap<PathBuf, Entry>,
}

impl Cache {
    /// Reads the cache. If it cannot be read, or has another version, the result is an empty cache.
    fn load(path: Option<&Path>) -> Self {
        let bytes = path.and_then(|p| std::fs::read(p).ok()).unwrap_or_default();
        let cache: Self = serde_json::from_slice(&bytes).unwrap_or_default();
        if cache.version == VERSION { cache } else { Self { version: VERSION, files: BTreeMap::new() } }
    }

    fn get(&self, path: &Path, stamp: &Stamp) -> Option<&str> {
        self.files.get(path).filter(|e| e.stamp == *stamp).map(|e| e.sha256.as_str())
    }

    /// Replaces the file in one step, so that other processes never read a part of it. Files that no longer
    /// exist are left out.
    fn save(&mut self, path: &Path) -> std::io::Result<()> {
        self.files.retain(|file, _| file.exists());
        let directory = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(path)?;
        Ok(())
    }
}

/// A local file with its hash, which is known or is being computed.
#[derive(Debug)]
pub struct Content {
    path: PathBuf,
    stamp: Stamp,
    hash: Hash,
}

#[derive(Debug)]
enum Hash {
    Known(String),
    Coming(AbortOnDropHandle<std::io::Result<Entry>>),
}

impl Content {
    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// The SHA-256 of the content, in hexadecimal; `None` while it is being computed.
    pub fn sha256(&self) -> Option<&str> {
        match &self.hash {
            Hash::Known(sha256) => Some(sha256),
            Hash::Coming(_) => None,
        }
    }

    /// Waits until the hash is known. It fails if the file cannot be read, or if it changes while it is read.
    pub async fn hashed(mut self) -> Result<Self, StoreError> {
        if let Hash::Coming(task) = self.hash {
            let done = task.await.map_err(std::io::Error::other).and_then(|entry| entry);
            let Entry { stamp, sha256 } = done.map_err(|e| StoreError::unreadable(&self.path, e))?;
            self.stamp = stamp;
            self.hash = Hash::Known(sha256);
        }
        Ok(self)
    }

    /// Whether the file still has the size, the inode and the modification time that it had when it was
    /// hashed.
    pub fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|m| Stamp::of(&m) == self.stamp)
    }
}

/// The hashes of local files that earlier runs have computed.
#[derive(Debug)]
pub struct Hashes {
    file: Option<PathBuf>,
    cache: Cache,
}

impl Hashes {
    /// Reads the hashes that earlier runs have written to `file`. If `file` is `None`, no hash is known or
    /// remembered.
    pub fn open(file: Option<PathBuf>) -> Self {
        Self { cache: Cache::load(file.as_deref()), file }
    }

    /// Begins to hash those of `files` whose hashes are not known, several at a time, the largest first.
    /// `files` are absolute paths, and the result has the same order. `watch` is called with the number of
    /// files to hash; the value that it returns is dropped when the last of them has been hashed. It fails if
    /// one of `files` does not exist.
    pub fn begin<W: Send + Sync + 'static>(
        &self,
        files: &[PathBuf],
        watch: impl FnOnce(usize) -> W,
    ) -> Result<Vec<Content>, StoreError> {
        let mut stamps = Vec::with_capacity(files.len());
        for path in files {
            let metadata = std::fs::metadata(path).map_err(|e| StoreError::unreadable(path, e))?;
            stamps.push(Stamp::of(&metadata));
        }
        let mut unknown: Vec<usize> = (0..files.len())
            .filter(|index| match (files.get(*index), stamps.get(*index)) {
                (Some(path), Some(stamp)) => self.cache.get(path, stamp).is_none(),
                _ => false,
            })
            .collect();
        unknown.sort_by_key(|index| std::cmp::Reverse(stamps.get(*index).map(|stamp| stamp.size)));
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(4);
        let threads = Arc::new(Semaphore::new(threads));
        let watch = Arc::new(watch(unknown.len()));
        let mut tasks: BTreeMap<usize, _> = unknown
            .into_iter()
            .filter_map(|index| Some((index, files.get(index)?.clone())))
            .map(|(index, path)| {
                let (threads, watch) = (Arc::clone(&threads), Arc::clone(&watch));
                let task = tokio::spawn(async move {
                    // The semaphore is never closed, so this waits until there is a permit and cannot fail.
                    let _turn = threads.acquire_owned().await;
                    let done = tokio::task::spawn_blocking(move || hash(&path)).await;
                    drop(watch);
                    done.map_err(std::io::Error::other)?
                });
                (index, AbortOnDropHandle::new(task))
            })
            .collect();
        let each = files.iter().zip(stamps).enumerate();
        let contents = each.map(|(index, (path, stamp))| {
            let hash = match tasks.remove(&index) {
                Some(task) => Hash::Coming(task),
                None => Hash::Known(self.cache.get(path, &stamp).unwrap_or_default().to_owned()),
            };
            Content { path: path.clone(), stamp, hash }
        });
        Ok(contents.collect())
    }

    /// Writes the hashes of `contents` to the file, for later runs. Hashes that are not known yet, and those
    /// of files that have just been changed, are left out.
    pub fn remember<'a>(&self, contents: impl IntoIterator<Item = &'a Content>) -> Result<(), StoreError> {
        let mut cache = Cache { version: VERSION, files: self.cache.files.clone() };
        let (mut changed, now) = (false, Duration::from_millis(now_ms()));
        for Content { path, stamp, hash } in contents {
            if let Hash::Known(sha256) = hash
                && stamp.settled(now)
                && self.cache.get(path, stamp).is_none()
            {
                let entry = Entry { stamp: stamp.clone(), sha256: sha256.clone() };
                cache.files.insert(path.clone(), entry);
                changed = true;
            }
        }
        let Some(file) = self.file.as_ref().filter(|_| changed) else { return Ok(()) };
        cache.save(file).map_err(|cause| StoreError::NotRemembered { path: file.clone(), cause })
    }
}

fn hash(path: &Path) -> std::io::Result<Entry> {
    let mut file = std::fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
        size += n as u64;
    }
    if Stamp::of(&file.metadata()?) != stamp || size != stamp.size {
        return Err(std::io::Error::other("the file changes while it is read"));
    }
    Ok(Entry { stamp, sha256: hex::encode(hasher.finalize()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hash_files(files: &[PathBuf], cache: &Path) -> Vec<Content> {
        let hashes = Hashes::open(Some(cache.to_owned()));
        let contents = hashes.begin(files, drop).unwrap();
        let hashed = futures::future::try_join_all(contents.into_iter().map(Content::hashed)).await.unwrap();
        hashes.remember(&hashed).unwrap();
        hashed
    }

    fn set_mtime(path: &Path, ago: Duration) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let now = std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms());
        file.set_modified(now - ago).unwrap();
    }

    #[tokio::test]
    async fn remembers_settled_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache/hashes.json");
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        std::fs::write(&old, "abc").unwrap();
        std::fs::write(&new, "").unwrap();
        set_mtime(&old, Duration::from_secs(60));
        let files = [old.clone(), new.clone()];
        let hashed = hash_files(&files, &cache).await;
        assert_eq!(
            hashed[0].sha256().unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!((hashed[1].size(), hashed[1].path()), (0, &*new));
        let known = Cache::load(Some(&cache));
        assert_eq!(known.files.keys().collect::<Vec<_>>(), [&old]);

        // The hash in the cache is used as long as size, inode and time of the file are those in the cache.
        let text = std::fs::read_to_string(&cache).unwrap().replace("ba7816bf", "00000000");
        std::fs::write(&cache, text).unwrap();
        let again = hash_files(&files, &cache).await;
        assert!(again[0].sha256().unwrap().starts_with("00000000"));
        std::fs::write(&old, "abd").unwrap();
        let changed = hash_files(&files, &cache).await;
        assert!(changed[0].sha256().unwrap().starts_with("a52d159f"));
    }

    #[tokio::test]
    async fn a_corrupt_cache_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("hashes.json");
        let file = dir.path().join("f");
        std::fs::write(&file, "abc").unwrap();
        set_mtime(&file, Duration::from_secs(60));
        for broken in ["{", "[]", r#"{"version":99,"files":{}}"#] {
            std::fs::write(&cache, broken).unwrap();
            assert_eq!(hash_files(std::slice::from_ref(&file), &cache).await.len(), 1);
            assert_eq!(Cache::load(Some(&cache)).files.len(), 1, "{broken}");
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = Hashes::open(None).begin(&["/nowhere/x.jar".into()], drop).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.jar"), "{error}");
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "abc").unwrap();
        set_mtime(&file, Duration::from_secs(60));
        // A file stands where a directory is needed. Unlike missing permissions, this also stops root.
        let hashes = Hashes::open(Some(file.join("heddle/hashes.json")));
        let contents = hashes.begin(std::slice::from_ref(&file), drop).unwrap();
        let hashed = contents.into_iter().next().unwrap().hashed().await.unwrap();
        let text = hashes.remember([&hashed]).unwrap_err().to_string();
        assert!(text.contains("heddle/hashes.json"), "{text}");
    }
}

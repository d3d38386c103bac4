//! SHA-256 of local files, remembered between runs by path, size, inode and modification time.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Failure;

const VERSION: u32 = 1;

/// A file changed this shortly before it was hashed may change again without its modification time telling.
const SETTLED: Duration = Duration::from_secs(2);

/// A local file and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    stamp: Stamp,
}

impl HashedFile {
    /// Whether the file still is, by its size and time, what was hashed.
    pub fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|m| Stamp::of(&m) == self.stamp)
    }
}

/// What identifies the content of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    /// Nanoseconds since 1970.
    mtime: i64,
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let mtime = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { size: metadata.len(), inode: metadata.ino(), mtime }
    }

    fn settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
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
    /// A cache that cannot be read, or is another version's, is an empty one.
    fn load(path: Option<&Path>) -> Self {
        let bytes = path.and_then(|p| std::fs::read(p).ok()).unwrap_or_default();
        let cache: Self = serde_json::from_slice(&bytes).unwrap_or_default();
        if cache.version == VERSION { cache } else { Self { version: VERSION, files: BTreeMap::new() } }
    }

    fn get(&self, path: &Path, stamp: &Stamp) -> Option<&str> {
        self.files.get(path).filter(|e| e.stamp == *stamp).map(|e| e.sha256.as_str())
    }

    /// Writes it in one step. That it cannot be written costs time at the next run, nothing else.
    fn save(&mut self, path: &Path) {
        self.files.retain(|file, _| file.exists());
        let written = || -> std::io::Result<()> {
            let directory = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(directory)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.persist(path)?;
            Ok(())
        };
        if let Err(error) = written() {
            tracing::debug!(%error, path = %path.display(), "hashes not remembered");
        }
    }
}

/// Hashes `files` (absolute paths), several at a time; the answer is in their order. `cache` is where hashes are
/// remembered.
pub async fn hash_files(files: &[PathBuf], cache: Option<PathBuf>) -> Result<Vec<HashedFile>, Failure> {
    let mut known = Cache::load(cache.as_deref());
    let mut results: Vec<Option<HashedFile>> = Vec::with_capacity(files.len());
    let mut missing = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, e))?;
        let stamp = Stamp::of(&metadata);
        let hit = known.get(path, &stamp).map(str::to_owned);
        if hit.is_none() {
            missing.push((index, path.clone()));
        }
        results.push(hit.map(|sha256| HashedFile { path: path.clone(), size: stamp.size, sha256, stamp }));
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    let mut hashing = futures::stream::iter(missing)
        .map(|(index, path)| async move {
            let at = path.clone();
            let entry = tokio::task::spawn_blocking(move || hash(&path)).await;
            match entry {
                Ok(entry) => entry.map(|entry| (index, entry)).map_err(|e| unreadable(&at, e)),
                Err(e) => Err(Failure::because(format!("cannot hash {}", at.display()), e)),
            }
        })
        .buffer_unordered(threads);
    let mut changed = false;
    while let Some(hashed) = hashing.next().await {
        let (index, entry) = hashed?;
        let (Some(slot), Some(path)) = (results.get_mut(index), files.get(index)) else { continue };
        *slot = Some(HashedFile {
            path: path.clone(),
            size: entry.stamp.size,
            sha256: entry.sha256.clone(),
            stamp: entry.stamp.clone(),
        });
        if entry.stamp.settled() {
            known.files.insert(path.clone(), entry);
            changed = true;
        }
    }
    drop(hashing);
    if let (true, Some(path)) = (changed, &cache) {
        known.save(path);
    }
    Ok(results.into_iter().flatten().collect())
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::because(format!("cannot read {}", path.display()), error)
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

    fn set_mtime(path: &Path, ago: Duration) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - ago).unwrap();
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
        let hashed = hash_files(&files, Some(cache.clone())).await.unwrap();
        assert_eq!(hashed[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((hashed[1].size, &hashed[1].path), (0, &new));
        let known = Cache::load(Some(&cache));
        assert_eq!(known.files.keys().collect::<Vec<_>>(), [&old]);

        // What the cache says is believed as long as the stamp fits.
        let text = std::fs::read_to_string(&cache).unwrap().replace("ba7816bf", "00000000");
        std::fs::write(&cache, text).unwrap();
        let again = hash_files(&files, Some(cache.clone())).await.unwrap();
        assert!(again[0].sha256.starts_with("00000000"));
        std::fs::write(&old, "abd").unwrap();
        let changed = hash_files(&files, Some(cache)).await.unwrap();
        assert!(changed[0].sha256.starts_with("a52d159f"));
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
            assert_eq!(hash_files(std::slice::from_ref(&file), Some(cache.clone())).await.unwrap().len(), 1);
            assert_eq!(Cache::load(Some(&cache)).files.len(), 1, "{broken}");
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = hash_files(&["/nowhere/x.jar".into()], None).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.jar"), "{error}");
    }
}

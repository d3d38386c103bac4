//! Copies a program's jar from a file system of the cluster to this machine, for commands that need it here.
//! The copy is kept, so that later commands need not copy the jar again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hadoop_fs::{FileStatus, FsError, FsErrorKind, Reading, Storage};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::context::Context;
use crate::error::{CauseClass, Failure};
use crate::hadoop::Hadoop;
use crate::ownership;
use crate::report::Report;

/// The directory of the copies in [`Context::cache_dir`].
const DIRECTORY: &str = "jars";
/// An entry of such a directory that was not used for this long is removed.
pub const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Copies the file at `url` to this machine, unless there is a copy already, and returns the path of the
/// copy. The path stays the same for as long as the file at `url` keeps its length and modification time.
/// Copies that were not used for [`UNUSED`] are removed. It is a failure if the file cannot be read, has
/// changed meanwhile or cannot be written here.
pub async fn fetch(
    hadoop: &Hadoop,
    context: &Context,
    url: &str,
    report: &dyn Report,
) -> Result<PathBuf, Failure> {
    let storage = Storage::open(&hadoop.conf, &hadoop.login, Some(url)).map_err(|e| explain(url, &e))?;
    let storage = hadoop.patient(storage);
    let status = storage.status(url).await.map_err(|e| explain(url, &e))?;
    if status.is_dir {
        return Err(Failure::configuration(format!("{url} is a directory, not a jar file")));
    }
    let root = context
        .needed_cache_dir(&format!("a copy of {url}"))
        .map_err(|failure| failure.hint("or fetch the jar to this machine, and name the copy"))?;
    let root = root.join(DIRECTORY);
    let full = storage.url(&status.path).map_err(|e| explain(url, &e))?;
    let name = status.path.rsplit('/').next().unwrap_or("program.jar");
    let entry = root.join(key(&full, &status));
    let file = entry.join(name);
    let here = file.metadata().is_ok_and(|m| m.is_file() && m.len() == status.len);
    if !here {
        let reading = storage.open_at(&status.path, 0).await.map_err(|e| explain(url, &e))?;
        report.info(&format!("Fetching {full} ({} bytes).", status.len));
        copy(reading, &status, &entry, &file).await.map_err(|trouble| match trouble {
            Trouble::Remote(e) => explain(url, &e),
            Trouble::Local(e) => Failure::because(format!("cannot copy {url} to {}", file.display()), e)
                .hint("XDG_CACHE_HOME names another directory for such copies"),
            Trouble::Changed => Failure::new(format!("{url} has changed while it was fetched"))
                .of_class(CauseClass::State)
                .retry_if(true),
        })?;
    }
    touch(&entry);
    for old in entries(&root, UNUSED).into_iter().filter(|e| e.path != entry) {
        old.remove();
    }
    Ok(file)
}

/// The directory of the copies; `None` if there is no place for them.
pub fn directory(context: &Context) -> Option<PathBuf> {
    Some(context.cache_dir()?.join(DIRECTORY))
}

/// A directory in the cache that holds one copy, or other files that are kept in the same way.
#[derive(Debug)]
pub struct Entry {
    /// The path of the directory.
    pub path: PathBuf,
    /// The size of its files in bytes.
    pub size: u64,
    /// For how long no command has used it.
    pub unused: Duration,
}

impl Entry {
    /// Removes the directory, and returns whether that has succeeded. A program that has the copy open can
    /// still read it.
    pub fn remove(&self) -> bool {
        let done = std::fs::remove_dir_all(&self.path);
        if let Err(error) = &done {
            tracing::debug!(%error, path = %self.path.display(), "fetched jar not removed");
        }
        done.is_ok()
    }
}

/// The directories below `root` that no command has used for at least `unused`.
pub fn entries(root: &Path, unused: Duration) -> Vec<Entry> {
    let Ok(found) = std::fs::read_dir(root) else { return Vec::new() };
    let now = SystemTime::now();
    let entry = |entry: std::fs::DirEntry| {
        let since = now.duration_since(entry.metadata().ok()?.modified().ok()?).unwrap_or_default();
        let files = std::fs::read_dir(entry.path()).ok()?.filter_map(|f| f.ok()?.metadata().ok());
        Some(Entry { path: entry.path(), size: files.map(|m| m.len()).sum(), unused: since })
    };
    found.filter_map(Result::ok).filter_map(entry).filter(|e| e.unused >= unused).collect()
}

fn key(url: &str, status: &FileStatus) -> String {
    let identity = format!("{url}\n{}\n{}", status.len, status.modified_ms);
    hex::encode(Sha256::digest(identity.as_bytes()))
}

/// Sets the modification time of the directory, which tells when its jar was last used. The time of the jar
/// itself must not change, because its hash is remembered together with that time.
pub(crate) fn touch(entry: &Path) {
    let touched = std::fs::File::open(entry).and_then(|d| d.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(%error, path = %entry.display(), "use not noted");
    }
}

enum Trouble {
    Remote(FsError),
    Local(std::io::Error),
    Changed,
}

impl From<FsError> for Trouble {
    fn from(error: FsError) -> Self {
        Self::Remote(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Local(error)
    }
}

/// Copies the file. Other processes see either no file or the complete one.
async fn copy(mut reading: Reading, status: &FileStatus, entry: &Path, file: &Path) -> Result<(), Trouble> {
    ownership::make_directory(entry)?;
    // A temporary file gets mode 600, which the copy is to have, too.
    let mut copy = NamedTempFile::new_in(entry)?;
    let mut length = 0;
    while let Some(piece) = reading.next().await? {
        copy.write_all(&piece)?;
        length += piece.len() as u64;
    }
    if length != status.len {
        return Err(Trouble::Changed);
    }
    copy.persist(file).map_err(|e| e.error)?;
    Ok(())
}

fn explain(url: &str, error: &FsError) -> Failure {
    let retry = error.retry() != hadoop_rpc::Retry::No;
    let failure = match error.kind() {
        FsErrorKind::NotFound => Failure::new(format!("the jar {url} does not exist on {}", error.server()))
            .hint("check the path, for example with `hdfs dfs -ls`"),
        FsErrorKind::PermissionDenied => {
            Failure::new(format!("you may not read the jar {url}: {}", error.detail()))
                .hint("ask its owner for the right to read it, or use another user (HADOOP_USER_NAME; with Kerberos kinit)")
        }
        FsErrorKind::Unsupported => Failure::new(format!("cannot fetch the jar {url}: {}", error.detail()))
            .hint("copy it to this machine, and name the copy"),
        _ => Failure::fs(error).retry_if(retry),
    };
    failure.of_class(CauseClass::of_fs(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(len: u64, modified_ms: u64) -> FileStatus {
        FileStatus {
            path: "/j.jar".into(),
            len,
            is_dir: false,
            mode: 0o644,
            owner: String::new(),
            group: String::new(),
            modified_ms,
            accessed_ms: 0,
            replication: 1,
            block_size: 1,
            encrypted: false,
        }
    }

    #[test]
    fn another_file_is_another_copy() {
        let keys = [
            key("hdfs://a:1/j.jar", &status(1, 2)),
            key("hdfs://a:1/k.jar", &status(1, 2)),
            key("hdfs://a:1/j.jar", &status(2, 2)),
            key("hdfs://a:1/j.jar", &status(1, 3)),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(keys[0], key("hdfs://a:1/j.jar", &status(1, 2)));
    }

    #[test]
    fn unused_copies_are_found() {
        let root = tempfile::tempdir().unwrap();
        for (name, days) in [("old", 8), ("new", 1)] {
            let entry = root.path().join(name);
            std::fs::create_dir(&entry).unwrap();
            std::fs::write(entry.join("j.jar"), "abc").unwrap();
            let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            std::fs::File::open(&entry).unwrap().set_modified(then).unwrap();
        }
        let found = entries(root.path(), UNUSED);
        assert_eq!(found.iter().map(|e| e.size).collect::<Vec<_>>(), [3]);
        assert!(found.iter().all(Entry::remove) && !root.path().join("old").exists());
        touch(&root.path().join("new"));
        assert!(entries(root.path(), Duration::from_secs(3600)).is_empty());
        assert!(entries(&root.path().join("missing"), UNUSED).is_empty());
    }
}

//! What is in a directory of the cluster's file system.

use hadoop_fs::{FileStatus, FsErrorKind, Storage};

use crate::error::Failure;

/// Questions and removals that are under way at the same time.
pub(super) const AT_ONCE: usize = 16;

/// What is in a directory; nothing if there is none.
pub(super) async fn list(storage: &Storage, path: &str, recursive: bool) -> Result<Vec<FileStatus>, Failure> {
    match storage.list(path, recursive).await {
        Ok(listing) => Ok(listing),
        Err(e) if e.kind() == FsErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Failure::fs(&e)),
    }
}

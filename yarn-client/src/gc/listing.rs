//! Lists directories on the file system of the cluster. A directory that does not exist counts as empty,
//! because there is nothing to remove in it.

use hadoop_fs::{FileStatus, FsErrorKind, Storage};

use crate::error::Failure;

/// The number of questions and removals that run at the same time.
pub(super) const AT_ONCE: usize = 16;

/// Lists a directory; empty if the directory does not exist, and `None` if the user may not look into it, or
/// into one below it.
pub(super) async fn list(
    storage: &Storage,
    path: &str,
    recursive: bool,
) -> Result<Option<Vec<FileStatus>>, Failure> {
    match storage.list(path, recursive).await {
        Ok(listing) => Ok(Some(listing)),
        Err(e) if e.kind() == FsErrorKind::NotFound => Ok(Some(Vec::new())),
        Err(e) if e.kind() == FsErrorKind::PermissionDenied => Ok(None),
        Err(e) => Err(Failure::fs(&e)),
    }
}

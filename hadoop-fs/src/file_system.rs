//! The operations of a file system, as a trait with two implementations: one for HDFS, and one for the file
//! systems that Hadoop's own client can use. `Storage` turns what its callers give into complete arguments
//! for these operations, so that an implementation needs no defaults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::{FsError, FsErrorKind};
use crate::location::Location;
use crate::types::{FileStatus, Patience, Progress, Source};

/// The content of a file, in pieces from front to back.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, FsError>>;

/// How a file is written; nothing is left to defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFile {
    /// The permissions of the file; no umask is applied to them.
    pub(crate) mode: u32,
    pub(crate) replication: u32,
    /// The size of a block in bytes.
    pub(crate) block_size: u64,
    /// Whether an existing file of that name is replaced. Otherwise it is an error of
    /// [`FsErrorKind::AlreadyExists`].
    pub(crate) overwrite: bool,
    /// Whether the block size is chosen to fit the file (see [`WriteOptions`](crate::WriteOptions)).
    pub(crate) fitted: bool,
}

/// A file that is open for reading. The server was asked for it once, and is not asked again for each range.
pub(crate) trait Ranges: Send + Sync {
    /// The size of the whole file when it was opened, in bytes.
    fn size(&self) -> u64;

    /// Its content from byte `offset` on, at most `length` bytes of it.
    fn range(&self, offset: u64, length: u64) -> Result<Pieces, FsError>;
}

/// One file system, used as one user. Paths are absolute and without `.`, `..` and empty components. Every
/// call to the server, and every step of a transfer, fails if it takes longer than the deadline.
#[async_trait]
pub(crate) trait FileSystem: fmt::Debug + Send + Sync {
    fn location(&self) -> &Location;

    /// The same file system with another deadline.
    fn with_deadline(&self, deadline: Duration) -> Arc<dyn FileSystem>;

    /// The same file system, but its operations wait for a server that cannot be reached. `None` if this
    /// implementation cannot do that.
    fn with_patience(&self, _: Patience) -> Option<Arc<dyn FileSystem>> {
        None
    }

    async fn status(&self, path: &str) -> Result<FileStatus, FsError>;

    /// The status of the file or directory, or `None` if there is nothing at the path.
    async fn find(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        match self.status(path).await {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.kind() == FsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The encryption zone that a path is in, in words. `None` if it is in no zone, or if that cannot be
    /// found out: NameNodes of some releases tell it only of a path at which something exists.
    async fn encryption_zone(&self, _path: &str) -> Option<String> {
        None
    }

    /// The entries of a directory and, with `recursive`, everything below them. A directory comes before its
    /// entries. The list of a file holds only the file itself.
    async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError>;

    /// Makes a directory, and its parents if they are missing. A directory that exists keeps its permissions.
    async fn mkdirs(&self, path: &str, mode: u32) -> Result<(), FsError>;

    /// Writes a file, makes missing parents, and returns the number of bytes written. After a failure, what
    /// was written is removed if the server still answers.
    async fn write(
        &self,
        path: &str,
        source: &Source,
        how: NewFile,
        progress: Option<&Progress>,
    ) -> Result<u64, FsError>;

    /// Opens a file for reading.
    async fn open(&self, path: &str) -> Result<Arc<dyn Ranges>, FsError>;

    async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError>;

    /// Deletes a file or directory; a directory that is not empty only with `recursive`. `false` if there was
    /// nothing to delete.
    async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError>;

    /// Fails with an error of [`FsErrorKind::PermissionDenied`] if the user may not write to the file or
    /// directory. Changes nothing.
    async fn check_writable(&self, path: &str) -> Result<(), FsError>;

    /// Sets the access time to `now_ms` (milliseconds since 1970), and leaves the modification time as it is.
    async fn touch(&self, path: &str, now_ms: u64) -> Result<(), FsError>;
}

//! What staging and clean-up need of a file system.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::{FsError, FsErrorKind};
use crate::location::Location;
use crate::types::{FileStatus, Patience, Progress, Source};

/// The bytes of a file, in order.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, FsError>>;

/// How a file is written; nothing is left to defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFile {
    /// Permissions, exactly.
    pub(crate) mode: u32,
    pub(crate) replication: u32,
    /// In bytes.
    pub(crate) block_size: u64,
    /// Replaces a file of that name; otherwise it is an error.
    pub(crate) overwrite: bool,
    /// Its blocks are no larger than the file itself (see [`WriteOptions`](crate::WriteOptions)).
    pub(crate) fitted: bool,
}

/// One file system as one user. Paths are absolute and without `.`, `..` and empty components. Every call
/// ends within the deadline, and so does every step of a transfer.
#[async_trait]
pub(crate) trait FileSystem: fmt::Debug + Send + Sync {
    fn location(&self) -> &Location;

    /// The same with another deadline.
    fn with_deadline(&self, deadline: Duration) -> Arc<dyn FileSystem>;

    /// The same file system, whose server is waited for when it is not there. `None`: this file system cannot
    /// do that.
    fn with_patience(&self, _: Patience) -> Option<Arc<dyn FileSystem>> {
        None
    }

    async fn status(&self, path: &str) -> Result<FileStatus, FsError>;

    /// What is there, or `None`.
    async fn find(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        match self.status(path).await {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.kind() == FsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is in a directory, with `recursive` also what is below; directories come before what they hold.
    async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError>;

    /// Makes a directory and its parents. One that exists stays as it is.
    async fn mkdirs(&self, path: &str, mode: u32) -> Result<(), FsError>;

    /// Writes a file, making its parents, and gives the number of bytes. After a failure nothing is left
    /// under the name, as far as the server still answers.
    async fn write(
        &self,
        path: &str,
        source: &Source,
        how: NewFile,
        progress: Option<&Progress>,
    ) -> Result<u64, FsError>;

    /// The file's size, and its bytes from `offset` on.
    async fn open_at(&self, path: &str, offset: u64) -> Result<(u64, Pieces), FsError>;

    async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError>;

    /// Deletes what is there. `false`: there was nothing.
    async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError>;

    /// An error of [`FsErrorKind::PermissionDenied`] where the user may not write to what is there. Changes
    /// nothing.
    async fn check_writable(&self, path: &str) -> Result<(), FsError>;

    /// Sets the access time to `now_ms` and leaves the modification time.
    async fn touch(&self, path: &str, now_ms: u64) -> Result<(), FsError>;
}

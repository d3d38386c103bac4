//! What can go wrong between the files of this machine and a store.

use std::path::PathBuf;

use hadoop_fs::FsError;

/// An operation on a store, or on the files for it, that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation on the file system failed; its error says what was being done to what.
    #[error(transparent)]
    FileSystem(#[from] FsError),
    /// A local file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A local file cannot be sent to the containers; the text says which and why.
    #[error("{0}")]
    Unusable(String),
    /// A file was changed by somebody else meanwhile: another try may succeed.
    #[error("{0}")]
    Changed(String),
    /// The hashes cannot be kept for the next run. The upload itself succeeded.
    #[error("cannot write {}", path.display())]
    NotRemembered {
        /// Where they are kept.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn unreadable(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        Self::Unreadable { path: path.into(), cause }
    }
}

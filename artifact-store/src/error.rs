//! Why an operation on a store, or on the local files for it, has failed.

use std::path::PathBuf;

use hadoop_fs::FsError;

use crate::trust::{Distrust, Remedy};

/// An operation on a store, or on the local files for it, has failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation on the file system failed. The error says which operation it was, and on which path.
    #[error(transparent)]
    FileSystem(#[from] FsError),
    /// A local file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path of the file or directory.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        cause: std::io::Error,
    },
    /// A local file cannot be sent to the containers. The text says which one, and why.
    #[error("{0}")]
    Unusable(String),
    /// A file or directory of the store is not the user's, or others may write to it.
    #[error("the store {store} cannot be used: {distrust}")]
    Untrusted {
        /// The URL of the store.
        store: String,
        /// What is not trusted, and whose it is.
        distrust: Distrust,
        /// What helps.
        remedy: Remedy,
    },
    /// Somebody else has changed a file during the operation. Another try may succeed.
    #[error("{0}")]
    Changed(String),
    /// The hashes of local files cannot be written to the file that keeps them for later runs. The files were
    /// uploaded nevertheless.
    #[error("cannot write {}", path.display())]
    NotRemembered {
        /// The file for the hashes.
        path: PathBuf,
        /// Why it cannot be written.
        #[source]
        cause: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn unreadable(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        Self::Unreadable { path: path.into(), cause }
    }
}

//! Why a file of logs could not be read.

use std::error::Error;

/// A file of logs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The file system did not give the bytes. Whether another try helps depends on its error.
    #[error("{0}")]
    Storage(#[source] Box<dyn Error + Send + Sync>),
    /// The bytes are not what the format asks for. Another try gives the same.
    #[error("{0}")]
    Damaged(String),
    /// The logs are compressed in a way that this crate cannot undo.
    #[error(
        "it is compressed with `{0}` (yarn.nodemanager.log-aggregation.compression-type), and heddle reads \
         `none` and `gz`"
    )]
    Codec(String),
}

impl LogsError {
    /// The error of the file system, in whatever way it is accessed.
    pub fn storage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Storage(error.into())
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

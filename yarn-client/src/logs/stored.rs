//! A file on the file system of the cluster, as the readers of collected logs need it.

use bytes::Bytes;
use hadoop_fs::{FileStatus, Reading, Storage};
use yarn_logs::{LogsError, Pieces, ReadAt};

/// A file of collected logs. Each call to the file system has the deadline of the storage.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    storage: Storage,
    path: String,
    size: u64,
}

impl Stored {
    pub(crate) fn new(storage: Storage, status: &FileStatus) -> Self {
        Self { storage, path: status.path.clone(), size: status.len }
    }

    /// The URL, for messages.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.storage.root(), self.path)
    }
}

impl ReadAt for Stored {
    type Pieces = StoredPieces;

    fn size(&self) -> u64 {
        self.size
    }

    async fn open_at(&self, offset: u64, length: u64) -> Result<StoredPieces, LogsError> {
        let opened = self.storage.open_range(&self.path, offset, length).await;
        opened.map(StoredPieces).map_err(LogsError::storage)
    }
}

/// The content of such a file.
#[derive(Debug)]
pub(crate) struct StoredPieces(Reading);

impl Pieces for StoredPieces {
    async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        self.0.next().await.map_err(LogsError::storage)
    }
}

//! A file on the file system of the cluster, as the readers of collected logs need it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hadoop_fs::{FileStatus, FsError, OpenFile, Reading, Storage};
use yarn_logs::{LogsError, Pieces, ReadAt};

/// A file of collected logs. Each call to the file system has the deadline of the storage.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    storage: Storage,
    path: String,
    size: u64,
    opened: Opened,
}

/// The open file, which all clones share. Of a log of 100 MiB in a TFile a hundred ranges are read only to
/// list it, and the NameNode must not be asked for each. After an error the file is opened anew, because it
/// remembers which DataNodes have failed.
type Opened = Arc<Mutex<Option<OpenFile>>>;

impl Stored {
    pub(crate) fn new(storage: Storage, status: &FileStatus) -> Self {
        Self { storage, path: status.path.clone(), size: status.len, opened: Opened::default() }
    }

    /// The URL, for messages.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.storage.root(), self.path)
    }

    async fn file(&self) -> Result<OpenFile, FsError> {
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(file) = known {
            return Ok(file);
        }
        let file = self.storage.open_file(&self.path).await?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(file.clone());
        Ok(file)
    }
}

impl ReadAt for Stored {
    type Pieces = StoredPieces;

    fn size(&self) -> u64 {
        self.size
    }

    async fn open_at(&self, offset: u64, length: u64) -> Result<StoredPieces, LogsError> {
        let file = self.file().await.map_err(LogsError::storage)?;
        let reading = file.range(offset, length).map_err(LogsError::storage)?;
        Ok(StoredPieces { reading, opened: Arc::clone(&self.opened) })
    }
}

/// A range of such a file.
#[derive(Debug)]
pub(crate) struct StoredPieces {
    reading: Reading,
    opened: Opened,
}

impl Pieces for StoredPieces {
    async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        let next = self.reading.next().await;
        if next.is_err() {
            *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        next.map_err(LogsError::storage)
    }
}

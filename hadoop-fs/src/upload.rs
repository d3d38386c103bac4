//! Writing files with bounded memory, however many are written at a time.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::FsError;
use crate::hdfs::Hdfs;
use crate::storage::{Progress, Source};

/// Size of the pieces that a file is read in. More than a packet of HDFS (64 KiB), so that a packet that waits for
/// more data keeps parts of two pieces at most.
const PIECE: usize = 128 << 10;
/// Pieces in memory, over all uploads: 4 MiB.
const PIECES: usize = 32;
/// Files that send data at a time; others wait, or wait for the NameNode to close them. Each can keep two pieces that
/// move on only with a third, so fewer than `PIECES / 2`.
const SENDING: usize = 12;
/// For the clean-up after a failed upload.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// The bounds; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pieces: Arc<Semaphore>,
    sending: Arc<Semaphore>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { pieces: Arc::new(Semaphore::new(PIECES)), sending: Arc::new(Semaphore::new(SENDING)) }
    }
}

/// A piece of a file that counts until the DataNodes have it: hdfs-native keeps (up to 200 packets of) data that is not
/// acknowledged without copying it, and drops it then.
struct Piece {
    data: Vec<u8>,
    _counted: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// Writes `source` to `path`. After a failure what was written is removed, as far as the NameNode still answers.
pub(crate) async fn upload(
    hdfs: &Hdfs,
    bounds: &Bounds,
    path: &str,
    source: &Source,
    options: hdfs_native::WriteOptions,
    progress: Option<&Progress>,
) -> Result<u64, FsError> {
    let mut reader = Reader::open(source).await?;
    // The semaphores are never closed, so there is always a permit in the end.
    let sending = bounds.sending.acquire().await.ok();
    let mut writer = hdfs.guard("create", path, hdfs.client.create(path, options)).await?;
    let written = match send(hdfs, bounds, path, &mut reader, &mut writer, progress).await {
        Ok(written) => {
            drop(sending);
            let closed = hdfs.guard("complete", path, writer.close()).await;
            closed.map(|()| written).map_err(FsError::in_transfer)
        }
        Err(error) => Err(error),
    };
    if written.is_err() {
        drop(writer);
        let _ = tokio::time::timeout(CLEAN_UP, hdfs.client.delete(path, false)).await;
    }
    written
}

async fn send(
    hdfs: &Hdfs,
    bounds: &Bounds,
    path: &str,
    reader: &mut Reader,
    writer: &mut FileWriter,
    progress: Option<&Progress>,
) -> Result<u64, FsError> {
    let mut written = 0;
    while let Some(piece) = reader.next(bounds).await? {
        let size = piece.len() as u64;
        hdfs.guard("write", path, writer.write_bytes(piece)).await.map_err(FsError::in_transfer)?;
        written += size;
        if let Some(progress) = progress {
            progress(size);
        }
    }
    Ok(written)
}

/// Reads a source in pieces.
enum Reader {
    File { path: PathBuf, file: Option<File> },
    Bytes(Bytes),
}

impl Reader {
    async fn open(source: &Source) -> Result<Self, FsError> {
        match source {
            Source::Bytes(bytes) => Ok(Self::Bytes(bytes.clone())),
            Source::File(path) => {
                let file = blocking(path, {
                    let path = path.clone();
                    move || File::open(path)
                })
                .await?;
                Ok(Self::File { path: path.clone(), file: Some(file) })
            }
        }
    }

    /// `None` at the end.
    async fn next(&mut self, bounds: &Bounds) -> Result<Option<Bytes>, FsError> {
        match self {
            Self::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Ok((!piece.is_empty()).then_some(piece))
            }
            Self::File { path, file } => {
                let Some(mut open) = file.take() else { return Ok(None) };
                let counted = bounds.pieces.clone().acquire_owned().await.ok();
                let (open, data) = blocking(path, move || {
                    let mut data = Vec::with_capacity(PIECE);
                    (&mut open).take(PIECE as u64).read_to_end(&mut data)?;
                    Ok((open, data))
                })
                .await?;
                if data.is_empty() {
                    return Ok(None);
                }
                *file = Some(open);
                Ok(Some(Bytes::from_owner(Piece { data, _counted: counted })))
            }
        }
    }
}

/// Runs file I/O on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, FsError> {
    let result = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other).and_then(|r| r);
    result.map_err(|e| FsError::local("read", path, &e))
}

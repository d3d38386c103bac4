//! Writes files to HDFS with a bounded amount of memory, however many files are written at a time. Without
//! the bounds, each file could keep up to 200 packets of 64 KiB in memory that the DataNodes have not
//! acknowledged yet.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use hdfs_native::WriteOptions;
use hdfs_native::file::FileWriter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{FsError, FsErrorKind};
use crate::file_system::NewFile;
use crate::hdfs_client::HdfsClient;
use crate::types::{Progress, Source};

/// Size of the pieces in which a file is read. It is larger than a packet of HDFS (64 KiB), so that a packet
/// that is not full yet holds parts of two pieces at most.
const PIECE: usize = 128 << 10;
/// The most pieces in memory, for all uploads together. That many pieces have 4 MiB.
const PIECES: usize = 32;
/// How many files send data at a time. Other files wait to begin, or have sent everything and wait until the
/// NameNode closes them. A file can hold two pieces until it gets a third one. So this number must be less
/// than `PIECES / 2`; otherwise all files together could hold all pieces, and would wait for a third one for
/// ever.
const SENDING: usize = 12;
/// Deadline of the clean-up after a failed upload.
const CLEAN_UP: Duration = Duration::from_secs(5);
/// The smallest size of a block that a NameNode allows by default (`dfs.namenode.fs-limits.min-block-size`).
const SMALLEST_BLOCK: u64 = 1 << 20;
/// The largest size of a block of a fitted file.
const LARGEST_BLOCK: u64 = 32 << 20;
/// How often a file is written again if no DataNode took it, or if the NameNode went away in the middle. The
/// first can help because HDFS reserves space for files that are being written, which is free again when
/// other uploads have ended.
const MORE_TRIES: usize = 3;

/// The bounds of all uploads together: the pieces in memory, and the files that send data. Clones share them.
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

/// A piece of a file. It counts against the bound until it is dropped, which happens when the DataNodes have
/// acknowledged it: hdfs-native keeps up to 200 packets that are not acknowledged, and they refer to the
/// piece instead of copying it.
struct Piece {
    data: Vec<u8>,
    _counted: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// Writes `source` to `path` and returns the number of bytes. After a failure, what was written is removed if
/// the NameNode still answers.
pub(crate) async fn upload(
    client: &HdfsClient,
    bounds: &Bounds,
    path: &str,
    source: &Source,
    how: NewFile,
    progress: Option<&Progress>,
) -> Result<u64, FsError> {
    let progress = ReportedProgress { bytes: AtomicU64::new(0), listener: progress };
    let created = AtomicBool::new(false);
    let attempt = || once(client, bounds, path, source, how, &progress, &created);
    let pauses =
        ExponentialBuilder::new().with_min_delay(Duration::from_millis(500)).with_max_times(MORE_TRIES);
    // A token can end while a file is written, too. The next try has another one.
    let again = |e: &FsError| {
        matches!(e.kind(), FsErrorKind::DataNodes | FsErrorKind::SafeMode) || e.is_of_old_token()
    };
    attempt.retry(pauses.with_jitter()).when(again).await
}

/// One try. `created`: whether an earlier try has created the file, which then may still be there, because a
/// NameNode that goes away in the middle of an upload removes nothing.
async fn once(
    client: &HdfsClient,
    bounds: &Bounds,
    path: &str,
    source: &Source,
    how: NewFile,
    progress: &ReportedProgress<'_>,
    created: &AtomicBool,
) -> Result<u64, FsError> {
    let mut reader = Reader::open(source).await?;
    let how = NewFile { overwrite: how.overwrite || created.load(Ordering::Relaxed), ..how };
    // The semaphore is never closed, so there is always a permit in the end.
    let sending = bounds.sending.acquire().await.ok();
    let mut writer = create(client, path, how, &reader).await?;
    created.store(true, Ordering::Relaxed);
    let written = match send(client, bounds, path, &mut reader, &mut writer, progress).await {
        Ok(written) => {
            drop(sending);
            let closed = client.guard("complete", path, |_| writer.close()).await;
            closed.map(|()| written).map_err(FsError::in_transfer)
        }
        Err(error) => Err(error),
    };
    if written.is_err() {
        drop(writer);
        let delete = client.guard("delete", path, |hdfs| async move { hdfs.delete(path, false).await });
        let _ = tokio::time::timeout(CLEAN_UP, delete).await;
    }
    written
}

async fn create(
    client: &HdfsClient,
    path: &str,
    how: NewFile,
    reader: &Reader,
) -> Result<FileWriter, FsError> {
    let with_blocks = |size| {
        let options = move || WriteOptions {
            block_size: Some(size),
            replication: Some(how.replication),
            permission: how.mode,
            overwrite: how.overwrite,
            create_parent: true,
        };
        client.persist(move || {
            client.guard("create", path, move |hdfs| async move { hdfs.create(path, options()).await })
        })
    };
    let size = if how.fitted { fitting(reader.len(), how.block_size) } else { how.block_size };
    match with_blocks(size).await {
        // The NameNode does not allow blocks as small as that.
        Err(error) if size != how.block_size && error.to_string().contains("min-block-size") => {
            with_blocks(how.block_size).await
        }
        created => created,
    }
}

/// The block size for a file of `len` bytes to which nobody appends. `usual` is `dfs.blocksize`. All sizes
/// are in bytes.
fn fitting(len: u64, usual: u64) -> u64 {
    len.next_multiple_of(SMALLEST_BLOCK).clamp(SMALLEST_BLOCK, LARGEST_BLOCK).min(usual)
}

/// How many bytes the listener has been told of, over all tries. A second try sends the same bytes again, and
/// they must not be reported twice.
struct ReportedProgress<'a> {
    bytes: AtomicU64,
    listener: Option<&'a Progress>,
}

impl ReportedProgress<'_> {
    /// Reports that so many bytes have been handed over in the current try.
    fn reached(&self, written: u64) {
        let before = self.bytes.fetch_max(written, Ordering::Relaxed);
        if let Some(listener) = self.listener.filter(|_| written > before) {
            listener(written - before);
        }
    }
}

async fn send(
    client: &HdfsClient,
    bounds: &Bounds,
    path: &str,
    reader: &mut Reader,
    writer: &mut FileWriter,
    progress: &ReportedProgress<'_>,
) -> Result<u64, FsError> {
    let mut written = 0;
    while let Some(piece) = reader.next(bounds).await? {
        let size = piece.len() as u64;
        client.guard("write", path, |_| writer.write_bytes(piece)).await.map_err(FsError::in_transfer)?;
        written += size;
        progress.reached(written);
    }
    Ok(written)
}

/// Reads a source in pieces.
enum Reader {
    File { path: PathBuf, len: u64, file: Option<File> },
    Bytes(Bytes),
}

impl Reader {
    async fn open(source: &Source) -> Result<Self, FsError> {
        match source {
            Source::Bytes(bytes) => Ok(Self::Bytes(bytes.clone())),
            Source::File(path) => {
                let (file, len) = blocking(path, {
                    let path = path.clone();
                    move || {
                        let file = File::open(path)?;
                        let len = file.metadata()?.len();
                        Ok((file, len))
                    }
                })
                .await?;
                Ok(Self::File { path: path.clone(), len, file: Some(file) })
            }
        }
    }

    /// The number of bytes that there were to read when the source was opened.
    fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self, bounds: &Bounds) -> Result<Option<Bytes>, FsError> {
        match self {
            Self::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Ok((!piece.is_empty()).then_some(piece))
            }
            Self::File { path, file, .. } => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_fit() {
        const MIB: u64 = 1 << 20;
        for (len, blocks) in [(0, 1), (1, 1), (MIB, 1), (MIB + 1, 2), (30 * MIB + 5, 31), (500 * MIB, 32)] {
            assert_eq!(fitting(len, 128 * MIB), blocks * MIB, "{len}");
        }
        assert_eq!(fitting(500 * MIB, 16 * MIB), 16 * MIB);
        assert_eq!(fitting(1, 4096), 4096, "a cluster of small blocks");
    }

    #[test]
    fn a_second_try_tells_only_what_is_new() {
        let sum = Arc::new(AtomicU64::new(0));
        let listener: Progress = {
            let sum = Arc::clone(&sum);
            Arc::new(move |bytes| {
                sum.fetch_add(bytes, Ordering::Relaxed);
            })
        };
        let reported = ReportedProgress { bytes: AtomicU64::new(0), listener: Some(&listener) };
        for written in [10, 20, 10, 20, 30] {
            reported.reached(written);
        }
        assert_eq!(sum.load(Ordering::Relaxed), 30);
    }
}

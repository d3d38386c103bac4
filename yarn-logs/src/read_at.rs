//! [`ReadAt`], through which this crate reads files, wherever they are.

use bytes::Bytes;

use crate::error::LogsError;

/// A file that can be read from any place on. Clones are cheap and read the same file.
pub trait ReadAt: Clone + Send + Sync {
    /// The bytes of the file from some place on.
    type Pieces: Pieces;

    /// The size of the file in bytes.
    fn size(&self) -> u64;

    /// Opens the file for reading `length` bytes from byte `offset` on, which are all in the file. No others
    /// come. The implementation has a deadline for this, and for each piece.
    fn open_at(
        &self,
        offset: u64,
        length: u64,
    ) -> impl Future<Output = Result<Self::Pieces, LogsError>> + Send;
}

/// Bytes of a file, from front to back. Whoever needs no more of them drops this.
pub trait Pieces: Send {
    /// The next bytes; `None` at the end of those for which the file was opened.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, LogsError>> + Send;
}

/// Reads the `length` bytes from byte `offset` on. It is an error if the file has fewer. The caller has
/// checked that the bytes fit into memory.
pub async fn read_at<S: ReadAt>(source: &S, offset: u64, length: usize) -> Result<Vec<u8>, LogsError> {
    let there = source.size().checked_sub(offset).is_some_and(|left| left >= length as u64);
    if !there {
        return Err(LogsError::damaged(format!(
            "it has {} bytes, and {length} bytes from byte {offset} on are needed",
            source.size()
        )));
    }
    let mut bytes = Vec::with_capacity(length);
    let mut pieces = source.open_at(offset, length as u64).await?;
    while bytes.len() < length {
        let Some(piece) = pieces.next().await? else {
            return Err(LogsError::damaged("it has become shorter while it was read"));
        };
        let taken = piece.len().min(length - bytes.len());
        bytes.extend_from_slice(piece.get(..taken).unwrap_or_default());
    }
    Ok(bytes)
}

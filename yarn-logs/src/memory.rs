//! A file in memory, for tests and for fuzzing. Its pieces are small, so that what is read crosses from one
//! piece to the next in every possible place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::error::LogsError;
use crate::read_at::{Pieces, ReadAt};

/// A file in memory.
#[derive(Debug, Clone)]
pub struct InMemory {
    bytes: Bytes,
    piece: usize,
    sent: Arc<AtomicU64>,
}

impl InMemory {
    /// A file with this content, which comes in pieces of `piece` bytes.
    pub fn new(bytes: impl Into<Bytes>, piece: usize) -> Self {
        Self { bytes: bytes.into(), piece: piece.max(1), sent: Arc::default() }
    }

    /// How many bytes were read of it and of its clones.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// What is left to be read.
#[derive(Debug)]
pub struct Rest {
    bytes: Bytes,
    piece: usize,
    sent: Arc<AtomicU64>,
}

impl ReadAt for InMemory {
    type Pieces = Rest;

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn open_at(&self, offset: u64, length: u64) -> Result<Rest, LogsError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let left = self.bytes.len() - start;
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(left);
        let bytes = self.bytes.slice(start..start + length);
        Ok(Rest { bytes, piece: self.piece, sent: Arc::clone(&self.sent) })
    }
}

impl Pieces for Rest {
    async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let piece = self.bytes.split_to(self.piece.min(self.bytes.len()));
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(Some(piece))
    }
}

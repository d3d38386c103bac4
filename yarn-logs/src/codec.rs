//! How the text of logs is compressed, and undoing that piece by piece.

use std::str::FromStr;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use crate::error::LogsError;

/// The size of a piece of text, in bytes.
const PIECE: usize = 64 * 1024;

/// How text is compressed. The names are those of `org.apache.hadoop.io.file.tfile.Compression`, which
/// IndexedFile uses, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// By zlib. Although its name is `gz`, the data have the two bytes of zlib in front and no header of
    /// gzip.
    Gz,
}

impl FromStr for Codec {
    type Err = LogsError;

    /// The codec of this name. That of the third one that Hadoop knows, `lzo`, is an error like any other:
    /// it needs a library under the GPL.
    fn from_str(name: &str) -> Result<Self, LogsError> {
        match name {
            "none" => Ok(Self::None),
            "gz" => Ok(Self::Gz),
            other => Err(LogsError::Codec(other.chars().take(40).collect())),
        }
    }
}

/// Undoes the compression of one block.
pub(crate) struct Inflate {
    state: Decompress,
    /// Compressed bytes that were not used yet.
    held: Bytes,
    /// Whether there may be text for which no more bytes are needed, because the last piece was full.
    has_more: bool,
    ended: bool,
}

/// What [`Inflate::step`] has come to.
pub(crate) enum Step {
    /// Some text.
    Text(Bytes),
    /// More compressed bytes are needed.
    More,
    /// The end of the text.
    End,
}

impl Inflate {
    pub(crate) fn new() -> Self {
        Self { state: Decompress::new(true), held: Bytes::new(), has_more: false, ended: false }
    }

    /// Adds compressed bytes. It is called only after [`Step::More`].
    pub(crate) fn feed(&mut self, bytes: Bytes) {
        self.held = bytes;
    }

    pub(crate) fn step(&mut self) -> Result<Step, LogsError> {
        if self.ended {
            return Ok(Step::End);
        }
        if self.held.is_empty() && !self.has_more {
            return Ok(Step::More);
        }
        let mut text = Vec::with_capacity(PIECE);
        let before = self.state.total_in();
        let status = self
            .state
            .decompress_vec(&self.held, &mut text, FlushDecompress::None)
            .map_err(|e| LogsError::damaged(format!("a compressed part is not that of zlib: {e}")))?;
        let used = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
        let is_stuck = used == 0 && text.is_empty() && !self.held.is_empty();
        drop(self.held.split_to(used.min(self.held.len())));
        self.ended = status == Status::StreamEnd;
        self.has_more = text.len() == text.capacity();
        if !text.is_empty() {
            return Ok(Step::Text(text.into()));
        }
        match (self.ended, is_stuck) {
            (true, _) => Ok(Step::End),
            (false, true) => Err(LogsError::damaged("a compressed part does not go on")),
            (false, false) => Ok(Step::More),
        }
    }
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflate").field("ended", &self.ended).finish_non_exhaustive()
    }
}

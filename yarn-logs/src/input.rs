//! Reading a part of a file from front to back: the bytes as they are stored, then the text that they stand
//! for, and then numbers in that text.

use bytes::Bytes;

use crate::codec::{Codec, Inflate, Step};
use crate::error::LogsError;
use crate::read_at::{Pieces, ReadAt};
use crate::vint;

/// To leave out at most this many bytes, they are read and dropped, because it takes longer to open the file
/// again. It is less than a chunk of a TFile (1 MiB), so that the list of the logs in one is made without
/// reading them.
const READ_ON: u64 = 256 << 10;
/// For how many bytes a file is opened first at a place of which it is not known how much will be read there.
/// If a range is not read to its end, the server has sent bytes that nobody wants, and its connection cannot
/// serve the next range.
pub(crate) const FIRST: u64 = 64 << 10;
/// The same behind bytes that were left out. Mostly there is the length of the next chunk of a TFile, and the
/// chunk is left out, too.
const BEHIND: u64 = 4 << 10;
/// By how much the next range is larger, so that few of them make up a large part.
const GROWTH: u64 = 4;

/// The stored bytes of a part of a file.
struct Stored<S: ReadAt> {
    source: S,
    /// Where the next byte is.
    at: u64,
    /// Where the part ends.
    end: u64,
    pieces: Option<S::Pieces>,
    /// Where the range ends that is open.
    until: u64,
    /// The size of the next range that is opened.
    window: u64,
    /// Bytes that were read and not handed out yet.
    held: Bytes,
}

impl<S: ReadAt> Stored<S> {
    /// The part from `start` on that has `length` bytes. It is an error if the file does not have them.
    fn new(source: S, start: u64, length: u64) -> Result<Self, LogsError> {
        match start.checked_add(length) {
            Some(end) if end <= source.size() => {
                let held = Bytes::new();
                Ok(Self { source, at: start, end, pieces: None, until: start, window: u64::MAX, held })
            }
            _ => Err(LogsError::damaged(format!(
                "an index names {length} bytes from byte {start} on, and the file has {} bytes",
                source.size()
            ))),
        }
    }

    /// The next bytes, at most `most` of them; `None` at the end of the part.
    async fn next(&mut self, most: u64) -> Result<Option<Bytes>, LogsError> {
        let left = most.min(self.end - self.at);
        if left == 0 {
            return Ok(None);
        }
        while self.held.is_empty() {
            let Some(pieces) = &mut self.pieces else {
                let length = self.window.min(self.end - self.at);
                self.pieces = Some(self.source.open_at(self.at, length).await?);
                self.until = self.at + length;
                self.window = self.window.saturating_mul(GROWTH).max(FIRST);
                continue;
            };
            let piece = pieces.next().await?;
            match piece {
                Some(piece) => self.held = piece,
                None if self.at >= self.until => self.pieces = None,
                None => return Err(LogsError::damaged("it has become shorter while it was read")),
            }
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.held.len());
        self.at += count as u64;
        Ok(Some(self.held.split_to(count)))
    }

    /// Closes what is open. A small range is read to its end before.
    async fn finish_range(&mut self) {
        if let Some(mut pieces) = self.pieces.take()
            && self.until.saturating_sub(self.at) <= FIRST
        {
            // If that fails, nothing is lost: these bytes are left out.
            while let Ok(Some(_)) = pieces.next().await {}
        }
    }

    /// Leaves out the next `count` bytes.
    async fn skip(&mut self, count: u64) -> Result<(), LogsError> {
        if count > self.end - self.at {
            return Err(LogsError::damaged("a part of it ends too early"));
        }
        let held = usize::try_from(count).unwrap_or(usize::MAX).min(self.held.len());
        drop(self.held.split_to(held));
        self.at += held as u64;
        let mut count = count - held as u64;
        if count > READ_ON || self.pieces.is_none() {
            self.finish_range().await;
            self.at += count;
            self.window = BEHIND;
            return Ok(());
        }
        while count > 0 {
            let Some(piece) = self.next(count).await? else { break };
            count -= piece.len() as u64;
        }
        Ok(())
    }
}

/// The text of a part of a file, without compression, from front to back and in pieces.
pub struct Content<S: ReadAt> {
    stored: Stored<S>,
    inflate: Option<Inflate>,
}

impl<S: ReadAt> std::fmt::Debug for Content<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stored { at, end, .. } = &self.stored;
        f.debug_struct("Content").field("at", at).field("end", end).finish_non_exhaustive()
    }
}

impl<S: ReadAt> Content<S> {
    /// The text of the `length` stored bytes from byte `start` on.
    pub(crate) fn new(source: S, codec: Codec, start: u64, length: u64) -> Result<Self, LogsError> {
        let inflate = match codec {
            Codec::None => None,
            Codec::Gz => Some(Inflate::new()),
        };
        Ok(Self { stored: Stored::new(source, start, length)?, inflate })
    }

    /// The next piece of the text, which is not empty; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        let Some(inflate) = &mut self.inflate else { return self.stored.next(u64::MAX).await };
        loop {
            match inflate.step()? {
                Step::Text(text) => return Ok(Some(text)),
                Step::End => return Ok(None),
                Step::More => match self.stored.next(u64::MAX).await? {
                    Some(bytes) => inflate.feed(bytes),
                    None => return Err(LogsError::damaged("a compressed part of it ends too early")),
                },
            }
        }
    }

    /// All of the text, if it has at most `limit` bytes; more is an error.
    pub(crate) async fn all(&mut self, limit: usize) -> Result<Vec<u8>, LogsError> {
        let mut text = Vec::new();
        while let Some(piece) = self.next().await? {
            if text.len() + piece.len() > limit {
                return Err(LogsError::damaged(format!("an index in it has more than {limit} bytes")));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }
}

/// A part of a file whose text holds numbers and texts of known lengths.
pub(crate) struct Block<S: ReadAt> {
    content: Content<S>,
    held: Bytes,
    /// How many bytes of the text were handed out or left out.
    at: u64,
}

impl<S: ReadAt> Block<S> {
    pub(crate) fn new(content: Content<S>) -> Self {
        Self { content, held: Bytes::new(), at: 0 }
    }

    /// How many bytes of the text are behind us. [`Block::skip`] leads to the same place in a new block.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Says that from here on probably so many stored bytes are read one after the other. Otherwise all of
    /// the part is expected to be.
    pub(crate) fn expect(&mut self, length: u64) {
        self.content.stored.window = if length == 0 { FIRST } else { length };
    }

    /// Whether nothing is left.
    pub(crate) async fn is_at_end(&mut self) -> Result<bool, LogsError> {
        if self.held.is_empty() {
            self.held = self.content.next().await?.unwrap_or_default();
        }
        Ok(self.held.is_empty())
    }

    /// At least one byte, and at most `most`, which is not 0. It is an error if nothing is left.
    pub(crate) async fn some(&mut self, most: u64) -> Result<Bytes, LogsError> {
        if self.is_at_end().await? {
            return Err(LogsError::damaged("a block ends too early"));
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.held.len());
        self.at += count as u64;
        Ok(self.held.split_to(count))
    }

    /// The next `count` bytes. The caller has checked that they fit into memory.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, LogsError> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.some((count - bytes.len()) as u64).await?);
        }
        Ok(bytes)
    }

    /// A number of TFile.
    pub(crate) async fn vlong(&mut self) -> Result<i64, LogsError> {
        let first = self.exactly(1).await?.first().copied().unwrap_or_default();
        let Some(count) = vint::following(first) else {
            return Err(LogsError::damaged(format!("no number begins with the byte {first:#04x}")));
        };
        Ok(vint::value(first, &self.exactly(count).await?))
    }

    /// Leaves out the next `count` bytes.
    pub(crate) async fn skip(&mut self, count: u64) -> Result<(), LogsError> {
        let mut count = count;
        while count > 0 {
            if self.held.is_empty() && self.content.inflate.is_none() {
                self.content.stored.skip(count).await?;
                self.at += count;
                return Ok(());
            }
            count -= self.some(count).await?.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::InMemory;
    use crate::samples::{block_on, deflate};

    #[test]
    fn parts_are_read_and_left_out() {
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
        for piece in [7_000, 65_536, 10_000_000] {
            let file = InMemory::new(bytes.clone(), piece);
            let content = Content::new(file, Codec::None, 100, 4_000_000).unwrap();
            let mut block = Block::new(content);
            let mut at = 100;
            for skipped in [0, 1, 30, 70_000, 1 << 20, (1 << 20) + 1, 3, 1_500_000] {
                block_on(block.skip(skipped)).unwrap();
                at += usize::try_from(skipped).unwrap();
                assert_eq!(block_on(block.exactly(9)).unwrap(), bytes[at..at + 9], "{piece} {skipped}");
                at += 9;
            }
            let left = 4_000_100 - at as u64;
            assert_eq!(block.at(), at as u64 - 100);
            assert!(block_on(block.skip(left + 1)).is_err());
        }
        let file = InMemory::new(bytes, 10);
        assert!(Content::new(file.clone(), Codec::None, 4_999_999, 2).is_err());
        assert!(Content::new(file, Codec::None, u64::MAX, 2).is_err());
    }

    #[test]
    fn what_is_left_out_is_not_fetched() {
        let bytes: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
        let file = InMemory::new(bytes.clone(), 1_000);
        let mut block = Block::new(Content::new(file.clone(), Codec::None, 0, 8_000_000).unwrap());
        block.expect(FIRST);
        for at in (0..8).map(|n| n * 1_000_000) {
            assert_eq!(block_on(block.exactly(5)).unwrap(), bytes[at..at + 5]);
            block_on(block.skip(999_995)).unwrap();
        }
        // At each place a small range, and in front of them a first one.
        assert!(file.sent() <= FIRST + 7 * BEHIND, "{}", file.sent());

        // In ranges that grow, all comes once.
        let file = InMemory::new(bytes.clone(), 70_000);
        let mut block = Block::new(Content::new(file.clone(), Codec::None, 3, 7_000_000).unwrap());
        block.expect(100);
        assert!(block_on(block.exactly(7_000_000)).unwrap() == bytes[3..7_000_003]);
        assert!(block_on(block.is_at_end()).unwrap());
        assert_eq!(file.sent(), 7_000_000);
    }

    #[test]
    fn compressed_parts() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let stored = deflate(&text);
        let of = |bytes: &[u8], piece| {
            let file = InMemory::new(bytes.to_vec(), piece);
            let length = file.size();
            block_on(async { Content::new(file, Codec::Gz, 0, length)?.all(10_000_000).await })
        };
        for piece in [1, 1_000, 1 << 20] {
            assert!(of(&stored, piece).unwrap() == text);
        }
        for cut in [0, 1, 2, 100, stored.len() - 5] {
            let error = of(&stored[..cut], 100).unwrap_err();
            assert!(error.to_string().contains("ends too early"), "{error}");
        }
        assert!(of(b"no zlib", 100).unwrap_err().to_string().contains("zlib"));
        let file = InMemory::new(stored.clone(), 100);
        let mut content = Content::new(file, Codec::Gz, 0, stored.len() as u64).unwrap();
        assert!(block_on(content.all(1_000)).unwrap_err().to_string().contains("more than 1000 bytes"));
    }
}

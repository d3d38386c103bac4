//! TFile, the older format of collected logs, and the one that is used unless the cluster's configuration
//! says otherwise. A NodeManager writes one file for all containers of an application on its node.
//!
//! The format has three layers, which these classes of Hadoop define:
//!
//! * `org.apache.hadoop.io.file.tfile.BCFile`: a file of blocks that can be compressed. It ends with the
//!   place of its index (8 bytes), its version (2 times 2 bytes) and a mark of 16 bytes, with which it also
//!   begins. The index names the blocks that describe the file; one of them, `data:BCFile.index`, lists the
//!   blocks of data.
//! * `…tfile.TFile` and `…tfile.Chunk`: a block of data is a sequence of records. A record has a key with
//!   its length in front, and a value in chunks. The number in front of a chunk is its length, and it is
//!   negated if another chunk follows. The numbers are those of the module `vint`.
//! * `org.apache.hadoop.yarn.logaggregation.AggregatedLogFormat`: a key is a text of Java, either `VERSION`,
//!   `APPLICATION_OWNER`, `APPLICATION_ACL` or the id of a container. The value of a container has its log
//!   files one after the other: name and size as texts of Java, and the text.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::Codec;
use crate::error::LogsError;
use crate::input::{Block, Content, FIRST};
use crate::modified_utf;
use crate::read_at::{ReadAt, read_at};
use crate::slice::Slice;

/// The bytes with which the file begins and ends.
pub const MARK: [u8; 16] =
    [0xd1, 0x11, 0xd3, 0x68, 0x91, 0xb5, 0xd7, 0xb6, 0x39, 0xdf, 0x41, 0x40, 0x92, 0xba, 0xe1, 0x50];

/// The size of what is behind the index: its place, the version, and the mark.
const TAIL: usize = 8 + 4 + MARK.len();
/// The only version that there has been.
const MAJOR: i32 = 1;
/// The largest index of the blocks that describe the file. It has a handful of entries.
const LARGEST_META: u64 = 1 << 20;
/// The largest list of the blocks of data. An entry has at most 27 bytes, and stands for at least 256 KiB of
/// compressed text in all blocks but the last.
const LARGEST_INDEX: usize = 16 << 20;
/// The largest key that TFile allows.
const LARGEST_KEY: i64 = 64 << 10;
/// The name of the block that lists the blocks of data.
const INDEX: &str = "data:BCFile.index";

/// Where a block is in the file.
#[derive(Debug, Clone, Copy)]
struct Region {
    offset: u64,
    length: u64,
}

impl Region {
    /// An index also has the size of the text of a block, but that is wrong for blocks of more than 4 GiB.
    fn read(slice: &mut Slice<'_>) -> Result<Self, LogsError> {
        let region = Self { offset: slice.size()?, length: slice.size()? };
        slice.vlong()?;
        Ok(region)
    }
}

/// An open TFile.
#[derive(Debug, Clone)]
pub struct TFile<S> {
    source: S,
    codec: Codec,
    blocks: Arc<[Region]>,
}

impl<S: ReadAt> TFile<S> {
    /// Opens a file: reads its index. It is an error if it is not a TFile, was not written to its end, or is
    /// compressed in a way that cannot be undone.
    pub async fn open(source: S) -> Result<Self, LogsError> {
        let Some(tail_at) = source.size().checked_sub(TAIL as u64) else {
            return Err(LogsError::damaged(format!("it has {} bytes, too few for a TFile", source.size())));
        };
        let tail = read_at(&source, tail_at, TAIL).await?;
        let mut tail = Slice::new(&tail);
        let (place, version) = (tail.i64()?, tail.i32()?);
        if tail.take(MARK.len())? != MARK {
            return Err(LogsError::damaged("it does not end as a TFile does: it was not written to its end"));
        }
        if version >> 16 != MAJOR {
            return Err(LogsError::damaged(format!(
                "its version is {}, and heddle knows {MAJOR}",
                version >> 16
            )));
        }
        let length = u64::try_from(place).ok().and_then(|place| tail_at.checked_sub(place));
        let (Some(length), Ok(place)) =
            (length.filter(|length| *length <= LARGEST_META), u64::try_from(place))
        else {
            return Err(LogsError::damaged(format!("its index cannot be at byte {place}")));
        };
        let meta = read_at(&source, place, usize::try_from(length).unwrap_or(usize::MAX)).await?;
        let (codec, region) = index_of(&mut Slice::new(&meta))?;
        let mut index = Content::new(source.clone(), codec, region.offset, region.length)?;
        let index = index.all(LARGEST_INDEX).await?;
        let (codec, blocks) = blocks_of(&mut Slice::new(&index))?;
        Ok(Self { source, codec, blocks: blocks.into() })
    }

    /// All records.
    pub fn records(&self) -> Records<S> {
        Records { file: self.clone(), next_block: 0, block: None, chunk: Chunk::default(), left: 0 }
    }

    /// The records from a log file on, whose text is the next that [`Records::text`] gives. Without
    /// compression nothing in front of it is read, and with compression only what is in the same block. It is
    /// an error if the file does not have this place.
    pub async fn records_at(&self, place: Place) -> Result<Records<S>, LogsError> {
        let Place { block: index, at, chunk, left } = place;
        let Some(mut block) = self.block(index)? else {
            return Err(LogsError::damaged(format!("it has no block {index} any more")));
        };
        block.skip(at).await?;
        // Text of several chunks has their lengths in between; how many there are is not known.
        block.expect(if left <= chunk.left { left } else { left.saturating_add(left / 4_096 + FIRST) });
        Ok(Records { file: self.clone(), next_block: index + 1, block: Some(block), chunk, left })
    }

    /// The block with this index, if there is one.
    fn block(&self, index: usize) -> Result<Option<Block<S>>, LogsError> {
        let Some(Region { offset, length }) = self.blocks.get(index).copied() else { return Ok(None) };
        Content::new(self.source.clone(), self.codec, offset, length).map(|content| Some(Block::new(content)))
    }
}

/// Where the text of a log file begins in a TFile. It does not depend on which texts were read before.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    block: usize,
    /// How many bytes of the block's text are in front of it.
    at: u64,
    chunk: Chunk,
    /// The size of the text.
    left: u64,
}

/// Where the list of the blocks of data is, and how it is compressed.
fn index_of(meta: &mut Slice<'_>) -> Result<(Codec, Region), LogsError> {
    for _ in 0..meta.size()? {
        let (name, codec) = (meta.text()?, meta.text()?);
        let region = Region::read(meta)?;
        if name == INDEX {
            return Ok((codec.parse()?, region));
        }
    }
    Err(LogsError::damaged(format!("it has no {INDEX}")))
}

fn blocks_of(index: &mut Slice<'_>) -> Result<(Codec, Vec<Region>), LogsError> {
    let codec = index.text()?.parse()?;
    let count = index.size()?;
    let mut blocks = Vec::new();
    for _ in 0..count {
        blocks.push(Region::read(index)?);
    }
    Ok((codec, blocks))
}

/// The state of a value: what of its present chunk is left, and whether that is the last one.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    left: u64,
    last: bool,
}

impl Default for Chunk {
    /// That of a value that was read to its end.
    fn default() -> Self {
        Self { left: 0, last: true }
    }
}

/// A log file in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its name, without a directory.
    pub name: String,
    /// Its size in bytes. If the NodeManager could not read the whole file, the text is shorter and has the
    /// reason at its end.
    pub size: u64,
}

/// The records of a TFile, from front to back. What is not read of a record is left out; without compression
/// it is not even fetched.
pub struct Records<S: ReadAt> {
    file: TFile<S>,
    next_block: usize,
    block: Option<Block<S>>,
    chunk: Chunk,
    /// What is left of the text of the present log file.
    left: u64,
}

impl<S: ReadAt> std::fmt::Debug for Records<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("next_block", &self.next_block).finish_non_exhaustive()
    }
}

impl<S: ReadAt> Records<S> {
    /// The key of the next record; `None` at the end of the file.
    pub async fn next(&mut self) -> Result<Option<String>, LogsError> {
        self.skip(u64::MAX).await?;
        self.left = 0;
        loop {
            if let Some(block) = &mut self.block
                && !block.is_at_end().await?
            {
                let length = block.vlong().await?;
                let length = usize::try_from(length).ok().filter(|_| length <= LARGEST_KEY);
                let Some(length) = length else {
                    return Err(LogsError::damaged("the key of a record is larger than TFile allows"));
                };
                let key = block.exactly(length).await?;
                self.chunk = Chunk { left: 0, last: false };
                return Slice::new(&key).utf().map(Some);
            }
            let Some(mut block) = self.file.block(self.next_block)? else { return Ok(None) };
            // Texts may be left out.
            block.expect(FIRST);
            self.block = Some(block);
            self.next_block += 1;
        }
    }

    /// Where the text begins of the log file that [`Records::next_log`] has just given.
    pub fn place(&self) -> Place {
        let block = self.next_block.saturating_sub(1);
        Place { block, at: self.block.as_ref().map_or(0, Block::at), chunk: self.chunk, left: self.left }
    }

    /// The next log file of the present record, which is that of a container; `None` at the end of the
    /// record.
    pub async fn next_log(&mut self) -> Result<Option<Log>, LogsError> {
        self.skip(self.left).await?;
        self.left = 0;
        if !self.is_in_value().await? {
            return Ok(None);
        }
        let name = self.utf().await?;
        let size = self.utf().await?;
        let Ok(size) = size.parse() else {
            return Err(LogsError::damaged(format!(
                "the size of a log file is {:?}, perhaps because the log file before it could not be \
                 collected as a whole",
                size.chars().take(40).collect::<String>()
            )));
        };
        self.left = size;
        Ok(Some(Log { name, size }))
    }

    /// The next piece of the text of the present log file; `None` at its end.
    pub async fn text(&mut self) -> Result<Option<Bytes>, LogsError> {
        if self.left == 0 || !self.is_in_value().await? {
            return Ok(None);
        }
        let piece = self.some(self.left).await?;
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }

    /// Whether the present value goes on. Then its chunk has at least one byte.
    async fn is_in_value(&mut self) -> Result<bool, LogsError> {
        while self.chunk.left == 0 {
            let Some(block) = self.block.as_mut().filter(|_| !self.chunk.last) else { return Ok(false) };
            let length = block.vlong().await?;
            if i32::try_from(length).is_err() {
                return Err(LogsError::damaged(format!("a chunk of it has the size {length}")));
            }
            self.chunk = Chunk { left: length.unsigned_abs(), last: length >= 0 };
        }
        Ok(true)
    }

    /// At least one byte of the value, and at most `most`.
    async fn some(&mut self, most: u64) -> Result<Bytes, LogsError> {
        let most = if self.is_in_value().await? { most.min(self.chunk.left) } else { 0 };
        match &mut self.block {
            Some(block) if most > 0 => {
                let piece = block.some(most).await?;
                self.chunk.left -= piece.len() as u64;
                Ok(piece)
            }
            _ => Err(LogsError::damaged("the name or size of a log file is cut off")),
        }
    }

    /// A text of Java.
    async fn utf(&mut self) -> Result<String, LogsError> {
        let mut bytes = Vec::new();
        while bytes.len() < 2 {
            bytes.extend_from_slice(&self.some(2 - bytes.len() as u64).await?);
        }
        let length = usize::from(Slice::new(&bytes).u16()?);
        bytes.clear();
        while bytes.len() < length {
            bytes.extend_from_slice(&self.some((length - bytes.len()) as u64).await?);
        }
        Ok(modified_utf::decode(&bytes))
    }

    /// Leaves out the next `count` bytes of the value, or all that is left of it.
    async fn skip(&mut self, count: u64) -> Result<(), LogsError> {
        let mut count = count;
        while count > 0 && self.is_in_value().await? {
            let now = count.min(self.chunk.left);
            if let Some(block) = &mut self.block {
                block.skip(now).await?;
            }
            self.chunk.left -= now;
            count -= now;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::InMemory;
    use crate::samples::{SampleLog, block_on, tfile};

    type Found = Vec<(String, Vec<(Log, Vec<u8>)>)>;

    /// Everything in the file; of keys that are no containers nothing but the key.
    fn read(bytes: &[u8], piece: usize) -> Result<Found, LogsError> {
        block_on(async {
            let file = TFile::open(InMemory::new(bytes.to_vec(), piece)).await?;
            let (mut records, mut found) = (file.records(), Vec::new());
            while let Some(key) = records.next().await? {
                let mut logs = Vec::new();
                while key.starts_with("container_")
                    && let Some(log) = records.next_log().await?
                {
                    let mut text = Vec::new();
                    while let Some(piece) = records.text().await? {
                        text.extend_from_slice(&piece);
                    }
                    logs.push((log, text));
                }
                found.push((key, logs));
            }
            Ok(found)
        })
    }

    fn samples() -> Vec<(&'static str, Vec<SampleLog>)> {
        let long: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        vec![
            (
                "container_1_0001_01_000001",
                vec![SampleLog::new("jobmanager.log", b"one\ntwo\n"), SampleLog::new("jobmanager.out", b"")],
            ),
            ("container_1_0001_01_000002", vec![SampleLog::new("taskmanager.log", &long)]),
            ("container_1_0001_01_000003", vec![SampleLog::new("größe.log", b"x")]),
        ]
    }

    #[test]
    fn what_a_node_manager_has_written() {
        for codec in ["none", "gz"] {
            let bytes = tfile(codec, &samples(), 4_096);
            for piece in [13, 65_536, 100_000_000] {
                let found = read(&bytes, piece).unwrap();
                let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
                assert_eq!(keys[..3], ["VERSION", "APPLICATION_ACL", "APPLICATION_OWNER"]);
                for ((key, logs), (wanted, samples)) in found[3..].iter().zip(samples()) {
                    assert_eq!(key, wanted);
                    assert_eq!(logs.len(), samples.len());
                    for ((log, text), sample) in logs.iter().zip(samples) {
                        assert_eq!((&log.name, log.size), (&sample.name, sample.text.len() as u64));
                        assert!(*text == sample.text, "{codec} {piece} {}", log.name);
                    }
                }
                assert_eq!(found.len(), 6);
            }
        }
    }

    /// The log files of a file with their places; nothing but names and sizes is looked at.
    async fn places(file: &TFile<InMemory>) -> Vec<(Log, Place)> {
        let (mut records, mut found) = (file.records(), Vec::new());
        while let Some(key) = records.next().await.unwrap() {
            while key.starts_with("container_")
                && let Some(log) = records.next_log().await.unwrap()
            {
                found.push((log, records.place()));
            }
        }
        found
    }

    #[test]
    fn a_log_file_is_found_again_by_its_place() {
        for (codec, chunk) in [("none", 4_096), ("none", 100_000_000), ("gz", 4_096)] {
            let bytes = tfile(codec, &samples(), chunk);
            block_on(async {
                let file = TFile::open(InMemory::new(bytes, 1_000)).await.unwrap();
                let found = places(&file).await;
                let wanted: Vec<SampleLog> = samples().into_iter().flat_map(|(_, logs)| logs).collect();
                assert_eq!(found.len(), wanted.len());
                // In any order.
                for ((log, place), sample) in found.into_iter().zip(wanted).rev() {
                    let mut records = file.records_at(place).await.unwrap();
                    let mut text = Vec::new();
                    while let Some(piece) = records.text().await.unwrap() {
                        text.extend_from_slice(&piece);
                    }
                    assert!(text == sample.text, "{codec} {}", log.name);
                    // What follows is found from there, too.
                    while records.next().await.unwrap().is_some() {}
                }
                let far = Place { block: 1_000, at: 0, chunk: Chunk::default(), left: 1 };
                assert!(file.records_at(far).await.is_err());
            });
        }
    }

    #[test]
    fn a_long_log_is_listed_and_left_out_without_being_read() {
        let long = "x".repeat(9 << 20);
        let logs = vec![SampleLog::new("a.log", long.as_bytes()), SampleLog::new("b.log", b"short")];
        // The size of chunks that Hadoop has as default.
        let bytes = tfile("none", &[("container_1_0001_01_000001", logs)], 1 << 20);
        block_on(async {
            let source = InMemory::new(bytes, 1_000);
            let file = TFile::open(source.clone()).await.unwrap();
            let found = places(&file).await;
            assert_eq!(found.len(), 2);
            assert!(source.sent() < 256 << 10, "{}", source.sent());
            let before = source.sent();
            let mut records = file.records_at(found[1].1).await.unwrap();
            assert_eq!(records.text().await.unwrap().unwrap(), "short");
            assert!(records.text().await.unwrap().is_none());
            assert_eq!(source.sent() - before, 5);
        });
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let bytes = tfile("none", &samples(), 4_096);
        let said = |bytes: &[u8]| read(bytes, 1_000).unwrap_err().to_string();
        assert!(said(b"").contains("too few"));
        assert!(said(&bytes[..bytes.len() - 1]).contains("not written to its end"));
        let lzo = said(&tfile("lzo", &samples(), 4_096));
        assert!(lzo.contains("`lzo`") && lzo.contains("compression-type"), "{lzo}");
        let mut far = bytes.clone();
        let at = far.len() - TAIL;
        far[at] = 0x7f;
        assert!(said(&far).contains("index cannot be"));
        let mut newer = bytes;
        newer[at + 9] = 2;
        assert!(said(&newer).contains("version is 2"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            gz: bool,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let logs = [("container_1_0001_01_000001", vec![SampleLog::new("a.log", &[b'x'; 300])])];
            let mut bytes = tfile(if gz { "gz" } else { "none" }, &logs, 64);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = read(&bytes, 17);
            let _ = read(&bytes[..cut.index(bytes.len())], 17);
        }
    }
}

//! IndexedFile, the newer format of collected logs (`yarn.log-aggregation.file-formats`, often under the name
//! `IFile`). The class `org.apache.hadoop.yarn.logaggregation.filecontroller.ifile.
//! LogAggregationIndexedFileController` of Hadoop defines it.
//!
//! The file begins with a mark. The log files follow, each compressed by itself, and then an index: an object
//! that Java has serialized, its size (4 bytes), and the mark again. If logs are collected while the
//! application runs, more logs and another index follow, which has the entries of the one before, too.
//!
//! The mark is the SHA-256 of the application's id (32 bytes). In the first releases it was a random UUID, as
//! a text of 36 characters.
//!
//! While a NodeManager appends, there is a file beside it whose name ends with `-checksum`. It says where the
//! last good index ends; [`Checksum`] reads it. If it is still there later, the NodeManager has failed while
//! it appended.

use sha2::{Digest, Sha256};

use crate::codec::Codec;
use crate::error::LogsError;
use crate::input::Content;
use crate::java_object::{Objects, Value};
use crate::read_at::{ReadAt, read_at};
use crate::slice::Slice;

/// The ending of the name of the file that says where the last good index ends.
pub const CHECKSUM: &str = "-checksum";

/// The size of a mark that is a SHA-256.
const DIGEST: usize = 32;
/// The size of a mark that is a UUID.
const UUID: usize = 36;
/// The largest index. An entry of it has about 100 bytes.
const LARGEST_INDEX: usize = 32 << 20;
/// The largest number of log files in an index.
const MOST: usize = 500_000;
/// The largest file with the end of the last good index, in bytes.
pub const LARGEST_CHECKSUM: u64 = 4_096;

/// What a file says whose name ends with [`CHECKSUM`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// The name of the file that it is about; `None` in the first releases, where it is about the file whose
    /// name it has without the ending.
    pub file: Option<String>,
    /// Where the last good index of that file ends, in bytes from its beginning. If it is 0, there is none.
    pub end: u64,
}

impl Checksum {
    /// Reads the content of such a file. `None` if it is none, as one that is only half written.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut slice = Slice::new(bytes);
        if bytes.len() == 8 {
            return Some(Self { file: None, end: u64::try_from(slice.i64().ok()?).ok()? });
        }
        let length = usize::try_from(slice.i32().ok()?).ok()?;
        let name = std::str::from_utf8(slice.take(length).ok()?).ok()?.to_owned();
        Some(Self { file: Some(name), end: u64::try_from(slice.i64().ok()?).ok()? })
    }
}

/// A log file in an IndexedFile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedLog {
    /// The id of the container.
    pub container: String,
    /// The name of the log file, without a directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was modified last, in ms since 1970, by the node's clock.
    pub modified_ms: Option<u64>,
    start: u64,
    stored: u64,
}

/// An open IndexedFile.
#[derive(Debug, Clone)]
pub struct IndexedFile<S> {
    source: S,
    codec: Codec,
    node: Option<String>,
    logs: Vec<IndexedLog>,
}

impl<S: ReadAt> IndexedFile<S> {
    /// Opens a file of the application with this id: reads its index, which ends at byte `end`, or at the end
    /// of the file. It is an error if the file is not an IndexedFile of that application, was not written to
    /// its end, or is compressed in a way that cannot be undone.
    pub async fn open(source: S, application: &str, end: Option<u64>) -> Result<Self, LogsError> {
        let end = end.unwrap_or(source.size());
        let tail_size = usize::try_from(end).unwrap_or(usize::MAX).min(4 + UUID);
        let tail = read_at(&source, end.saturating_sub(tail_size as u64), tail_size).await?;
        let digest = Sha256::digest(application.as_bytes());
        let mark = if tail.ends_with(digest.as_slice()) {
            DIGEST
        } else if tail.len() == 4 + UUID && is_uuid(tail.get(4..).unwrap_or_default()) {
            UUID
        } else {
            return Err(LogsError::damaged(format!(
                "it does not end as an IndexedFile of {application} does: it was not written to its end, or is another's"
            )));
        };
        let size_at = tail.len().checked_sub(mark + 4);
        let size = match size_at.and_then(|at| tail.get(at..)) {
            Some(bytes) => Slice::new(bytes).i32()?,
            None => {
                return Err(LogsError::damaged(format!("it has {end} bytes, too few for an IndexedFile")));
            }
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST_INDEX);
        let place = size.and_then(|size| end.checked_sub((size + 4 + mark) as u64));
        let (Some(size), Some(place)) = (size, place) else {
            return Err(LogsError::damaged(format!(
                "its index cannot be read: it is larger than the file, or than {} MiB",
                LARGEST_INDEX >> 20
            )));
        };
        let index = Index::read(&read_at(&source, place, size).await?)?;
        Ok(Self { source, codec: index.codec.parse()?, node: index.node, logs: index.logs })
    }

    /// `host:port` of the NodeManager that has written the file.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The log files in it, in the order in which they were collected.
    pub fn logs(&self) -> &[IndexedLog] {
        &self.logs
    }

    /// The text of a log file. It is an error if the file does not have the bytes that its index names.
    pub fn content(&self, log: &IndexedLog) -> Result<Content<S>, LogsError> {
        Content::new(self.source.clone(), self.codec, log.start, log.stored)
    }
}

/// Whether the bytes are a UUID as Java prints it.
fn is_uuid(bytes: &[u8]) -> bool {
    let dash = |index: usize| matches!(index, 8 | 13 | 18 | 23);
    let fits =
        |(index, byte): (usize, &u8)| if dash(index) { *byte == b'-' } else { byte.is_ascii_hexdigit() };
    bytes.len() == UUID && bytes.iter().enumerate().all(fits)
}

/// What the index says.
#[derive(Debug)]
struct Index {
    codec: String,
    node: Option<String>,
    logs: Vec<IndexedLog>,
}

impl Index {
    /// The fields are those of the classes `IndexedLogsMeta`, `IndexedPerAggregationLogMeta` (what was
    /// collected at one time) and `IndexedFileLogMeta` (a log file).
    fn read(bytes: &[u8]) -> Result<Self, LogsError> {
        let (objects, root) = Objects::read(bytes)?;
        if !objects.class_name(root).is_some_and(|name| name.ends_with("$IndexedLogsMeta")) {
            return Err(LogsError::damaged("its index is an object of another class than Hadoop writes"));
        }
        let get = |object, names: &[&str]| objects.field(object, names).unwrap_or(Value::Null);
        let text = |object, name| objects.text(get(object, &[name])).map(str::to_owned);
        let mut logs = Vec::new();
        for time in objects.elements(get(root, &["logMetas"])) {
            for pair in objects.elements(get(*time, &["logMetas"])).chunks_exact(2) {
                let [_, list] = pair else { continue };
                for entry in objects.elements(*list) {
                    if logs.len() == MOST {
                        return Err(LogsError::damaged(format!("its index has more than {MOST} log files")));
                    }
                    logs.extend(log(&objects, *entry));
                }
            }
        }
        let codec = text(root, "compressName").unwrap_or_else(|| "none".to_owned());
        Ok(Self { codec, node: text(root, "nodeId"), logs })
    }
}

/// A log file; `None` if the NodeManager could not read it, or if the entry makes no sense.
fn log(objects: &Objects, entry: Value) -> Option<IndexedLog> {
    let text = |name| objects.text(objects.field(entry, &[name])?).map(str::to_owned);
    let number = |names: &[&str]| match objects.field(entry, names)? {
        Value::Number(number) => u64::try_from(number).ok(),
        _ => None,
    };
    Some(IndexedLog {
        container: text("containerId")?,
        name: text("fileName")?,
        size: number(&["fileSize"])?,
        // The first releases had an error in the name.
        modified_ms: number(&["lastModifiedTime", "lastModificatedTime"]).filter(|time| *time > 0),
        start: number(&["startIndex"])?,
        stored: number(&["fileCompressedSize"])?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::InMemory;
    use crate::samples::{SampleLog, block_on, indexed_file};

    const APPLICATION: &str = "application_1_0001";

    fn samples() -> Vec<(&'static str, Vec<SampleLog>)> {
        vec![
            (
                "container_1_0001_01_000001",
                vec![SampleLog::new("jobmanager.log", b"one\ntwo\n"), SampleLog::new("jobmanager.out", b"")],
            ),
            ("container_1_0001_01_000002", vec![SampleLog::new("taskmanager.log", &[b'x'; 100_000])]),
        ]
    }

    type Found = Vec<(String, String, u64, Vec<u8>)>;

    fn read(bytes: &[u8], end: Option<u64>) -> Result<(Option<String>, Found), LogsError> {
        block_on(async {
            let file = IndexedFile::open(InMemory::new(bytes.to_vec(), 777), APPLICATION, end).await?;
            let mut found = Vec::new();
            for log in file.logs() {
                let mut text = Vec::new();
                let mut content = file.content(log)?;
                while let Some(piece) = content.next().await? {
                    text.extend_from_slice(&piece);
                }
                found.push((log.container.clone(), log.name.clone(), log.size, text));
            }
            Ok((file.node().map(str::to_owned), found))
        })
    }

    fn check(found: &Found) {
        let wanted = samples().into_iter().flat_map(|(container, logs)| {
            logs.into_iter().map(move |log| (container.to_owned(), log.name, log.text.len() as u64, log.text))
        });
        assert!(*found == wanted.collect::<Found>(), "{found:?}");
    }

    #[test]
    fn what_a_node_manager_has_written() {
        for codec in ["none", "gz"] {
            for uuid in [None, Some("123e4567-e89b-12d3-a456-426614174000")] {
                let bytes = indexed_file(codec, APPLICATION, uuid, &samples());
                let (node, found) = read(&bytes, None).unwrap();
                assert_eq!(node.as_deref(), Some("worker-1:45454"));
                check(&found);
            }
        }
    }

    #[test]
    fn what_was_appended_and_is_not_whole_is_left_out() {
        let mut bytes = indexed_file("gz", APPLICATION, None, &samples());
        let end = bytes.len() as u64;
        bytes.extend_from_slice(&[0; 1_000]);
        assert!(read(&bytes, None).unwrap_err().to_string().contains("not written to its end"));
        check(&read(&bytes, Some(end)).unwrap().1);
        assert!(read(&bytes, Some(0)).is_err());
        assert!(read(&bytes, Some(u64::MAX)).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let said = |bytes: &[u8]| read(bytes, None).unwrap_err().to_string();
        let other = indexed_file("none", "application_1_0002", None, &samples());
        assert!(said(&other).contains("another's"));
        assert!(said(b"").contains("not written to its end"));
        let lzo = indexed_file("lzo", APPLICATION, None, &samples());
        assert!(said(&lzo).contains("`lzo`"));
        let mark = Sha256::digest(APPLICATION.as_bytes()).as_slice().to_vec();
        assert!(said(&mark).contains("too few"));
        assert!(said(&[&[0x7f, 0, 0, 0][..], &mark].concat()).contains("index cannot be read"));
        assert!(said(&[&[0, 0, 0, 0][..], &mark].concat()).contains("ends too early"));
    }

    #[test]
    fn ends_of_the_last_good_index() {
        assert_eq!(Checksum::read(&500_i64.to_be_bytes()), Some(Checksum { file: None, end: 500 }));
        let named = [&9_i32.to_be_bytes()[..], b"host_4545", &7_i64.to_be_bytes()].concat();
        assert_eq!(Checksum::read(&named), Some(Checksum { file: Some("host_4545".into()), end: 7 }));
        for bad in [&b""[..], b"1234567", &(-1_i64).to_be_bytes(), &named[..named.len() - 1], &[0x7f; 30]] {
            assert_eq!(Checksum::read(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            gz: bool,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let logs = [("container_1_0001_01_000001", vec![SampleLog::new("a.log", &[b'x'; 300])])];
            let mut bytes = indexed_file(if gz { "gz" } else { "none" }, APPLICATION, None, &logs);
            // The mark stays as it is, because without it nothing else is read.
            let changed = bytes.len() - DIGEST;
            for (at, byte) in changes {
                bytes[at.index(changed)] = byte;
            }
            let _ = read(&bytes, None);
        }

        #[test]
        fn no_index_makes_it_panic(bytes: Vec<u8>) {
            let _ = Index::read(&[&[0xac, 0xed, 0, 5][..], &bytes].concat());
            let _ = Checksum::read(&bytes);
        }
    }
}

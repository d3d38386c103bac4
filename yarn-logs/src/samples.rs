//! Encoders for the files that the tests of this crate read. They write only what the readers ask for, so
//! that a mistake about a format could be in both; the scenarios read files of real NodeManagers.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha2::{Digest, Sha256};

use crate::tfile::MARK;
use crate::vint;

/// A log file of a container.
pub(crate) struct SampleLog {
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
}

impl SampleLog {
    pub(crate) fn new(name: &str, text: &[u8]) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Compresses as the codec `gz` does.
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn stored(codec: &str, bytes: &[u8]) -> Vec<u8> {
    if codec == "gz" { deflate(bytes) } else { bytes.to_owned() }
}

fn utf(text: &str) -> Vec<u8> {
    let mut out = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

/// A text of TFile.
fn text(text: &str) -> Vec<u8> {
    let mut out = vint::encode(i64::try_from(text.len()).unwrap());
    out.extend_from_slice(text.as_bytes());
    out
}

fn number(count: usize) -> Vec<u8> {
    vint::encode(i64::try_from(count).unwrap())
}

/// A record: the key, and the value in chunks of `chunk` bytes.
fn record(key: &str, value: &[u8], chunk: usize) -> Vec<u8> {
    let key = utf(key);
    let mut out = [number(key.len()), key].concat();
    let mut rest = value;
    while rest.len() > chunk {
        out.extend(vint::encode(-i64::try_from(chunk).unwrap()));
        out.extend_from_slice(&rest[..chunk]);
        rest = &rest[chunk..];
    }
    out.extend(number(rest.len()));
    out.extend_from_slice(rest);
    out
}

/// A TFile. The first block has the records about the application and the first container, and each other
/// container has a block.
pub(crate) fn tfile(codec: &str, containers: &[(&str, Vec<SampleLog>)], chunk: usize) -> Vec<u8> {
    let mut file = MARK.to_vec();
    let mut regions = Vec::new();
    let mut block = record("VERSION", &1_i32.to_be_bytes(), chunk);
    block.extend(record("APPLICATION_ACL", &[utf("VIEW_APP"), utf("*")].concat(), chunk));
    block.extend(record("APPLICATION_OWNER", &utf("ann"), chunk));
    for (container, logs) in containers {
        let log =
            |log: &SampleLog| [utf(&log.name), utf(&log.text.len().to_string()), log.text.clone()].concat();
        block.extend(record(container, &logs.iter().flat_map(log).collect::<Vec<u8>>(), chunk));
        let bytes = stored(codec, &block);
        regions.push([number(file.len()), number(bytes.len()), number(block.len())].concat());
        file.extend(bytes);
        block.clear();
    }
    let index = [text(codec), number(regions.len()), regions.concat()].concat();
    let bytes = stored(codec, &index);
    let region = [number(file.len()), number(bytes.len()), number(index.len())].concat();
    file.extend(bytes);
    let place = i64::try_from(file.len()).unwrap();
    let nothing = [number(16), number(0), number(0)].concat();
    file.extend([number(2), text("data:TFile.meta"), text("none"), nothing].concat());
    file.extend([text("data:BCFile.index"), text(codec), region].concat());
    file.extend(place.to_be_bytes());
    file.extend([0, 1, 0, 0]);
    file.extend(MARK);
    file
}

/// Writes serialized objects of Java.
struct Java {
    out: Vec<u8>,
    /// The names of classes that were written, each with its number.
    classes: Vec<(String, u32)>,
    next: u32,
}

impl Java {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn text(&mut self, text: &str) {
        self.number();
        self.out.push(0x74);
        self.out.extend(utf(text));
    }

    /// A class without one above it. Each field is its kind and its name.
    fn class(&mut self, name: &str, flags: u8, fields: &[(u8, &str)]) {
        if let Some((_, number)) = self.classes.iter().find(|(known, _)| known == name) {
            self.out.push(0x71);
            self.out.extend(number.to_be_bytes());
            return;
        }
        self.out.push(0x72);
        self.out.extend(utf(name));
        self.out.extend(1_i64.to_be_bytes());
        let number = self.number();
        self.classes.push((name.to_owned(), number));
        self.out.push(flags);
        self.out.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
        for (kind, field) in fields {
            self.out.push(*kind);
            self.out.extend(utf(field));
            if *kind == b'L' {
                self.text("Ljava/lang/Object;");
            }
        }
        self.out.extend([0x78, 0x70]);
    }

    fn object(&mut self, name: &str, flags: u8, fields: &[(u8, &str)]) {
        self.out.push(0x73);
        self.class(name, flags, fields);
        self.number();
    }

    /// A list of so many elements, which are written afterwards, and then [`Self::end`].
    fn list(&mut self, size: usize) {
        self.object("java.util.ArrayList", 3, &[(b'I', "size")]);
        let size = u32::try_from(size).unwrap().to_be_bytes();
        self.out.extend(size);
        self.out.extend([0x77, 4]);
        self.out.extend(size);
    }

    /// A map of so many keys, each followed by its value; they are written afterwards.
    fn map(&mut self, size: usize) {
        self.object("java.util.HashMap", 3, &[(b'F', "loadFactor"), (b'I', "threshold")]);
        self.out.extend([0x3f, 0x40, 0, 0, 0, 0, 0, 12]);
        self.out.extend([0x77, 8, 0, 0, 0, 16]);
        self.out.extend(u32::try_from(size).unwrap().to_be_bytes());
    }

    fn end(&mut self) {
        self.out.push(0x78);
    }
}

const CLASS: &str =
    "org.apache.hadoop.yarn.logaggregation.filecontroller.ifile.LogAggregationIndexedFileController";

/// An IndexedFile with one index. With a UUID it is one of the first releases.
pub(crate) fn indexed_file(
    codec: &str,
    application: &str,
    uuid: Option<&str>,
    containers: &[(&str, Vec<SampleLog>)],
) -> Vec<u8> {
    let mark = uuid.map_or_else(
        || Sha256::digest(application.as_bytes()).as_slice().to_vec(),
        |uuid| uuid.as_bytes().to_vec(),
    );
    let modified = if uuid.is_some() { "lastModificatedTime" } else { "lastModifiedTime" };
    let mut file = mark.clone();
    let mut java = Java { out: vec![0xac, 0xed, 0, 5], classes: Vec::new(), next: 0x7e_0000 };
    let fields = [
        (b'I', "version"),
        (b'L', "acls"),
        (b'L', "compressName"),
        (b'L', "logMetas"),
        (b'L', "nodeId"),
        (b'L', "user"),
    ];
    java.object(&format!("{CLASS}$IndexedLogsMeta"), 2, &fields);
    java.out.extend(1_u32.to_be_bytes());
    java.map(1);
    // A constant of an enumeration: its class, and its name.
    java.out.push(0x7e);
    java.class("org.apache.hadoop.yarn.api.records.ApplicationAccessType", 0x12, &[]);
    java.number();
    java.text("VIEW_APP");
    java.text("*");
    java.end();
    java.text(codec);
    java.list(1);
    let fields = [(b'J', "uploadTimeStamp"), (b'L', "logMetas"), (b'L', "remoteNodeLogFileName")];
    java.object(&format!("{CLASS}$IndexedPerAggregationLogMeta"), 2, &fields);
    java.out.extend(5_i64.to_be_bytes());
    java.map(containers.len());
    for (container, logs) in containers {
        java.text(container);
        java.list(logs.len());
        for log in logs {
            let bytes = stored(codec, &log.text);
            let fields = [
                (b'J', "fileCompressedSize"),
                (b'J', "fileSize"),
                (b'J', modified),
                (b'J', "startIndex"),
                (b'L', "containerId"),
                (b'L', "fileName"),
            ];
            java.object(&format!("{CLASS}$IndexedFileLogMeta"), 2, &fields);
            for number in [bytes.len(), log.text.len(), 7, file.len()] {
                java.out.extend((number as u64).to_be_bytes());
            }
            java.text(container);
            java.text(&log.name);
            file.extend(bytes);
        }
        java.end();
    }
    java.end();
    java.text("host_45454");
    java.end();
    java.text("worker-1:45454");
    java.text("ann");
    file.extend_from_slice(&java.out);
    file.extend(u32::try_from(java.out.len()).unwrap().to_be_bytes());
    file.extend(mark);
    file
}

//! Reads and writes archives in the format `tar`, as far as environments of Python need it: files,
//! directories and symbolic links, with long names in the form of GNU tar. Other entries are skipped when
//! they are read. The extended headers of POSIX (pax) are understood.

use std::io::{self, Read, Write};

/// The size of a header, and the unit of the sizes of files.
const BLOCK: usize = 512;
/// The longest name that a header has place for, in bytes.
const LONGEST_NAME: usize = 100;
/// Most bytes of a long name or of an extended header that are read.
const MOST: u64 = 1 << 20;
/// Where the checksum of a header is.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// The name that GNU tar gives to entries that hold only a long name.
const LONG: &str = "././@LongLink";

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link to this path.
    Link(String),
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it may be executed.
    pub(super) executable: bool,
    /// The modification time, in seconds since 1970.
    pub(super) modified: u64,
}

/// An archive that is being written.
pub(super) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    /// Adds an entry. The content of a file is read from `content`, and must have the size that the entry
    /// says.
    pub(super) fn add(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let (kind, size, target) = match &entry.kind {
            Kind::File(size) => (b'0', *size, ""),
            Kind::Directory => (b'5', 0, ""),
            Kind::Link(target) => (b'2', 0, target.as_str()),
        };
        for (long, kind) in [(entry.name.as_str(), b'L'), (target, b'K')] {
            if long.len() > LONGEST_NAME {
                let size = long.len() as u64 + 1;
                self.to.write_all(&header(LONG, "", kind, size, 0o644, 0)?)?;
                self.to.write_all(long.as_bytes())?;
                self.to.write_all(&[0])?;
                self.pad(size)?;
            }
        }
        let mode = if entry.executable || kind == b'5' { 0o755 } else { 0o644 };
        let fits = |text: &str| -> String { text.chars().take(LONGEST_NAME / 4).collect() };
        let short = |text: &str| if text.len() > LONGEST_NAME { fits(text) } else { text.to_owned() };
        self.to.write_all(&header(&short(&entry.name), &short(target), kind, size, mode, entry.modified)?)?;
        if io::copy(&mut content.take(size), &mut self.to)? != size {
            return Err(io::Error::other(format!("{} has become shorter while it was read", entry.name)));
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let rest = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        if rest > 0 { self.to.write_all(&[0; BLOCK][rest..]) } else { Ok(()) }
    }

    /// Ends the archive, and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

fn header(
    name: &str,
    target: &str,
    kind: u8,
    size: u64,
    mode: u32,
    modified: u64,
) -> io::Result<[u8; BLOCK]> {
    if size >= 1 << 33 {
        return Err(io::Error::other(format!("{name} is larger than 8 GiB")));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = header.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{:011o}\0", modified.min((1 << 33) - 1)).as_bytes());
    // The checksum is computed as if blanks were in its place.
    put(CHECKSUM.start, b"        ");
    put(156, &[kind]);
    put(157, target.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(CHECKSUM) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    Ok(header)
}

/// Reads the entries of an archive. `visit` gets each entry, and the content of a file, of which it may read
/// as much as it likes; it returns whether to go on.
pub(super) fn read(
    mut from: impl Read,
    mut visit: impl FnMut(&Entry, &mut dyn Read) -> io::Result<bool>,
) -> io::Result<()> {
    let (mut long_name, mut long_target) = (None, None);
    loop {
        let mut header = [0; BLOCK];
        // Some writers leave out the blocks of zeros at the end.
        if !read_block(&mut from, &mut header)? || header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        if !has_checksum(&header) {
            return Err(damaged());
        }
        let size = number(field(&header, 124, 12))?;
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(damaged)?;
        let kind = header.get(156).copied().unwrap_or_default();
        let mut content = (&mut from).take(padded);
        match kind {
            b'L' => long_name = Some(text(&whole(&mut content, size)?)),
            b'K' => long_target = Some(text(&whole(&mut content, size)?)),
            b'x' => {
                let records = whole(&mut content, size)?;
                long_name = record(&records, "path").or(long_name);
                long_target = record(&records, "linkpath").or(long_target);
            }
            // A hard link is taken for an empty file: only names and beginnings of files are of interest.
            b'0' | 0 | b'7' | b'1' | b'5' | b'2' => {
                let name = long_name.take().unwrap_or_else(|| full_name(&header));
                let target = long_target.take().unwrap_or_else(|| text(field(&header, 157, 100)));
                let entry = Entry {
                    name,
                    kind: match kind {
                        b'5' => Kind::Directory,
                        b'2' => Kind::Link(target),
                        _ => Kind::File(size),
                    },
                    executable: number(field(&header, 100, 8))? & 0o111 != 0,
                    modified: number(field(&header, 136, 12))?,
                };
                if !visit(&entry, &mut (&mut content).take(size))? {
                    return Ok(());
                }
            }
            _ => (long_name, long_target) = (None, None),
        }
        io::copy(&mut content, &mut io::sink())?;
        if content.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn damaged() -> io::Error {
    io::Error::other("it is no tar archive, or damaged")
}

/// Reads a whole block. Returns false if nothing more is there.
fn read_block(from: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let first = loop {
        match from.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => break done?,
        }
    };
    if let Some(rest) = block.get_mut(first..)
        && first > 0
    {
        from.read_exact(rest)?;
    }
    Ok(first > 0)
}

/// The content of a small entry.
fn whole(content: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > MOST {
        return Err(io::Error::other("a name in it is too long"));
    }
    let mut bytes = Vec::new();
    content.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn field(header: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
    header.get(at..at + length).unwrap_or_default()
}

/// A text that ends before the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// A number in octal digits, or in the binary form of GNU tar.
fn number(bytes: &[u8]) -> io::Result<u64> {
    if let Some((0x80, rest)) = bytes.split_first() {
        return Ok(rest.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
    }
    let text = text(bytes);
    let digits = text.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(io::Error::other)
}

fn full_name(header: &[u8; BLOCK]) -> String {
    let (name, prefix) = (text(field(header, 0, 100)), text(field(header, 345, 155)));
    let posix = field(header, 257, 6) == b"ustar\0";
    if posix && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

fn has_checksum(header: &[u8; BLOCK]) -> bool {
    let bytes = header.iter().enumerate();
    let sum: u64 = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { 32 } else { u64::from(*byte) }).sum();
    number(field(header, CHECKSUM.start, CHECKSUM.len())).is_ok_and(|told| told == sum)
}

/// The value of a record in an extended header, whose lines are `<length> <key>=<value>`.
fn record(records: &[u8], key: &str) -> Option<String> {
    let records = String::from_utf8_lossy(records);
    let mut rest = &*records;
    while let Some((length, _)) = rest.split_once(' ') {
        let length: usize = length.parse().ok()?;
        let line = rest.get(length.to_string().len() + 1..length)?;
        if let Some((known, value)) = line.trim_end_matches('\n').split_once('=')
            && known == key
        {
            return Some(value.to_owned());
        }
        rest = rest.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, kind: Kind) -> Entry {
        Entry { name: name.into(), kind, executable: name.contains("bin"), modified: 1_700_000_000 }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let long = format!("{}/x.py", "d".repeat(150));
        let entries = [
            entry("bin", Kind::Directory),
            entry("bin/python", Kind::File(600)),
            entry("empty", Kind::File(0)),
            entry("bin/python3", Kind::Link("python".into())),
            entry(&long, Kind::File(3)),
            entry("bin/far", Kind::Link(format!("/{long}"))),
        ];
        let mut writer = Writer::new(Vec::new());
        for each in &entries {
            let size = if let Kind::File(size) = each.kind { size } else { 0 };
            writer.add(each, &mut io::repeat(b'y').take(size)).unwrap();
        }
        let archive = writer.finish().unwrap();
        assert_eq!(archive.len() % BLOCK, 0);
        let mut found = Vec::new();
        read(archive.as_slice(), |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            assert_eq!(text.len(), if let Kind::File(size) = entry.kind { size as usize } else { 0 });
            found.push(entry.clone());
            Ok(true)
        })
        .unwrap();
        assert_eq!(found, entries);
    }

    #[test]
    fn a_file_that_shrinks_is_noticed() {
        let mut writer = Writer::new(Vec::new());
        assert!(writer.add(&entry("a", Kind::File(10)), &mut io::empty()).is_err());
    }

    #[test]
    fn extended_headers() {
        let records = b"30 mtime=1700000000.123456789\n16 path=a/b c d\n10 x=1234\n";
        assert_eq!(record(records, "path").as_deref(), Some("a/b c d"));
        assert_eq!(record(records, "linkpath"), None);
        assert_eq!(record(b"99 path=x\n", "path"), None);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let read = |bytes: &[u8]| super::read(bytes, |_, _| Ok(true));
        assert!(read(&[b'x'; 2 * BLOCK]).is_err());
        assert!(read(b"").is_ok() && read(&[0; BLOCK]).is_ok());
        let mut writer = Writer::new(Vec::new());
        writer.add(&entry("a", Kind::File(600)), &mut io::repeat(b'y')).unwrap();
        let whole = writer.finish().unwrap();
        assert!(read(&whole).is_ok());
        for cut in [100, BLOCK + 100] {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(changes in proptest::collection::vec((0..BLOCK, any::<u8>()), 1..30)) {
            let mut writer = Writer::new(Vec::new());
            writer.add(&entry("bin/a", Kind::File(5)), &mut io::repeat(b'y')).unwrap();
            let mut archive = writer.finish().unwrap();
            for (at, byte) in changes {
                archive[at] = byte;
            }
            archive[CHECKSUM].fill(b' ');
            let sum: u32 = archive[..BLOCK].iter().map(|byte| u32::from(*byte)).sum();
            archive[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let _ = super::read(archive.as_slice(), |_, _| Ok(true));
        }
    }
}

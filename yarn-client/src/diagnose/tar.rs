//! Writes an archive in the format `tar` (POSIX ustar). All files get mode 600, and nothing of this machine,
//! such as the name of the user.

use std::io::{self, Write};

use diagnosis::cut;

/// The size of a header, and the unit of the sizes of files.
const BLOCK: usize = 512;
/// Where the checksum of a header is.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// The longest name, and the longest directory in front of it, in bytes.
const LONGEST_NAME: usize = 100;
const LONGEST_PREFIX: usize = 155;

/// An archive that is being written.
pub(super) struct Tar<W> {
    to: W,
    /// The time of all files, in seconds since 1970.
    modified: u64,
}

impl<W: Write> Tar<W> {
    /// Begins an archive. `modified` is the time of all its files, in seconds since 1970.
    pub(super) fn new(to: W, modified: u64) -> Self {
        Self { to, modified }
    }

    /// Adds a file. The parts of its name are separated by `/`, and none of them may be `.` or `..`. A name
    /// that is too long is cut.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.to.write_all(&header(name, content.len() as u64, self.modified))?;
        self.to.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            self.to.write_all(&[0_u8; BLOCK][rest..])?;
        }
        Ok(())
    }

    /// Ends the archive, and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

fn header(name: &str, size: u64, modified: u64) -> [u8; BLOCK] {
    let mut header = [0_u8; BLOCK];
    let (prefix, name) = split(name);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = header.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{modified:011o}\0").as_bytes());
    // The checksum is computed as if blanks were in its place.
    put(CHECKSUM.start, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(CHECKSUM) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    header
}

/// A name in two parts that fit: the directory in front, which is empty if the name fits alone, and the rest.
fn split(name: &str) -> (&str, &str) {
    if name.len() <= LONGEST_NAME {
        return ("", name);
    }
    let fits = |(at, _): &(usize, &str)| *at <= LONGEST_PREFIX && name.len() - at - 1 <= LONGEST_NAME;
    match name.match_indices('/').find(fits) {
        Some((at, _)) => (&name[..at], &name[at + 1..]),
        None => ("", cut(name, LONGEST_NAME)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_blocks() {
        let mut tar = Tar::new(Vec::new(), 1_700_000_000);
        tar.add("app/a.txt", b"hello").unwrap();
        tar.add("app/empty", b"").unwrap();
        tar.add("app/block", &[b'x'; BLOCK]).unwrap();
        let archive = tar.finish().unwrap();
        // Header and content, a header, header and content, and the end.
        assert_eq!(archive.len(), (2 + 1 + 2 + 2) * BLOCK);
        assert!(archive.starts_with(b"app/a.txt\0"));
        assert_eq!(&archive[100..108], b"0000600\0");
        assert_eq!(&archive[124..136], b"00000000005\0");
        assert_eq!(&archive[257..265], b"ustar\x0000");
        assert_eq!(&archive[BLOCK..BLOCK + 6], b"hello\0");
        let sum: u32 = archive[..BLOCK]
            .iter()
            .enumerate()
            .map(|(at, byte)| if CHECKSUM.contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        assert_eq!(&archive[CHECKSUM], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn long_names() {
        let directory = "d".repeat(60);
        let name = format!("{directory}/{directory}/file");
        assert_eq!(split(&name), (directory.as_str(), &name[61..]));
        assert_eq!(split("short/file"), ("", "short/file"));
        let endless = "ä".repeat(80);
        assert_eq!(split(&endless), ("", &endless[..100]));
        assert_eq!(split(&"x".repeat(101)).1.len(), 100);
    }
}

//! Reads the end of a log file, and scans a log for errors. Both have limits, so that a huge log costs
//! neither much memory nor much time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::log_findings::{LogFindings, Scan};

/// The most lines that [`Tail::read`] returns.
pub const MAX_LINES: usize = 50;
/// The most bytes that [`Tail::read`] reads.
pub const MAX_BYTES: u64 = 16 * 1024;
/// The most bytes that are scanned for errors at the beginning of a log, and again at its end.
const SCAN_BYTES: u64 = 4 << 20;
/// A line with more bytes is scanned as several lines.
const LONGEST_LINE: u64 = 64 * 1024;

/// A log file, of which only what is written from now on is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    path: PathBuf,
    start: u64,
}

impl Tail {
    /// Remembers the file's present length (0 if it does not exist), so that only what is written later is
    /// read.
    pub fn from_now(path: &Path) -> Tail {
        let start = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
        Tail { path: path.to_owned(), start }
    }

    /// The last lines that were written since [`Tail::from_now`]; none if the file does not exist. Fails if
    /// it cannot be read.
    ///
    /// A file that has become shorter was rolled or truncated meanwhile, and is read from its beginning.
    pub fn read(&self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let length = file.metadata()?.len();
        let since = if length < self.start { 0 } else { self.start };
        let from = since.max(length.saturating_sub(MAX_BYTES));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(last_lines(&bytes, from > since))
    }
}

impl Tail {
    /// What the lines that were written since [`Tail::from_now`] say. Of a large log, only the first and the
    /// last 4 MiB are read. A log that cannot be read yields no findings.
    pub fn findings(&self) -> LogFindings {
        let mut scan = Scan::default();
        if let Err(error) = self.scan(&mut scan) {
            tracing::debug!(%error, path = %self.path.display(), "not read");
        }
        scan.finish()
    }

    fn scan(&self, scan: &mut Scan) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let since = if length < self.start { 0 } else { self.start };
        let end = length.saturating_sub(SCAN_BYTES).max(since.saturating_add(SCAN_BYTES)).min(length);
        for from in [Some(since), Some(end).filter(|end| *end < length)].into_iter().flatten() {
            file.seek(SeekFrom::Start(from))?;
            let mut lines = BufReader::new((&file).take(SCAN_BYTES));
            let mut line = Vec::new();
            loop {
                line.clear();
                if (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                    break;
                }
                scan.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            }
        }
        Ok(())
    }
}

/// The last [`MAX_LINES`] lines of a piece of a file; invalid UTF-8 is replaced.
///
/// If the piece does not begin at the beginning of a line (`cut`), its incomplete first line is left out. If
/// it is the only line, it stays, but without the rest of a character that the cut has divided.
pub fn last_lines(bytes: &[u8], cut: bool) -> Vec<String> {
    let rest = match bytes.iter().position(|&b| b == b'\n').filter(|&at| cut && at + 1 < bytes.len()) {
        Some(newline) => &bytes[newline + 1..],
        None if cut => {
            let continuation = bytes.iter().take(3).take_while(|&&b| b & 0b1100_0000 == 0b1000_0000).count();
            &bytes[continuation..]
        }
        None => bytes,
    };
    let text = String::from_utf8_lossy(rest);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(MAX_LINES)..].iter().map(|&l| l.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    #[test]
    fn keeps_whole_last_lines() {
        assert_eq!(last_lines(b"a\nb\r\n", false), ["a", "b"]);
        assert_eq!(last_lines(b"half\nwhole\n", true), ["whole"]);
        assert_eq!(last_lines("\u{20ac}long".as_bytes().split_at(1).1, true), ["long"]);
        assert_eq!(last_lines(b"x\xffy\n", false), ["x\u{fffd}y"]);
        assert_eq!(last_lines(b"", true), Vec::<String>::new());
        let many: String = (0..200).map(|i| format!("{i}\n")).collect();
        let tail = last_lines(many.as_bytes(), false);
        assert_eq!((tail.len(), tail[0].as_str()), (MAX_LINES, "150"));
    }

    #[test]
    fn reads_only_the_end_of_a_huge_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = File::create(&path).unwrap();
        // 4 GiB of hole: reading all of it would take long.
        file.set_len(4 << 30).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(b"\nlast\n").unwrap();
        let tail = Tail { path, start: 0 }.read().unwrap();
        assert_eq!(tail.last().unwrap(), "last");
    }

    #[test]
    fn leaves_out_what_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("err");
        assert_eq!(Tail::from_now(&path).read().unwrap(), Vec::<String>::new());
        std::fs::write(&path, "old one\n").unwrap();
        let tail = Tail::from_now(&path);
        std::fs::write(&path, "old one\nnew\n").unwrap();
        assert_eq!(tail.read().unwrap(), ["new"]);
        std::fs::write(&path, "roll\n").unwrap();
        assert_eq!(tail.read().unwrap(), ["roll"]);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut: bool) {
            prop_assert!(last_lines(&bytes, cut).len() <= MAX_LINES);
        }
    }
}

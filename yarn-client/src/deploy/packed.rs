//! Checks whether a file is the archive that its name promises. If a node cannot unpack an archive, the
//! container fails long after the upload. This module does no I/O.

/// The number of bytes at the beginning of a file that decide which kind of archive it is: the size of a tar
/// header.
pub(crate) const HEAD: usize = 512;

/// If the file is not what its name promises, returns what it should be. `head` holds the file's first
/// [`HEAD`] bytes, or the whole file if it is shorter.
pub(crate) fn mistaken(name: &str, head: &[u8]) -> Option<&'static str> {
    let name = name.to_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| head.starts_with(mark));
    if ends(&[".zip", ".jar"]) {
        // A zip archive without any files begins with the second of these marks.
        return (!begins(&[b"PK\x03\x04", b"PK\x05\x06"])).then_some("zip archive");
    }
    if ends(&[".tar.gz", ".tgz"]) {
        return (!begins(&[b"\x1f\x8b"])).then_some("gzip file");
    }
    (ends(&[".tar"]) && !is_tar(head)).then_some("tar archive")
}

/// Whether these bytes are the header of a tar archive: either its checksum is right, or all bytes are zero,
/// as at the end of an archive and at the beginning of an empty one.
fn is_tar(head: &[u8]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let (Some(header), Some(field)) = (head.get(..HEAD), head.get(SUM)) else { return false };
    if header.iter().all(|byte| *byte == 0) {
        return true;
    }
    let text = String::from_utf8_lossy(field);
    let told = u32::from_str_radix(text.trim_matches(|c: char| c == '\0' || c.is_whitespace()), 8);
    // When the checksum is computed, the field of the checksum itself counts as blanks.
    let bytes = header.iter().enumerate().map(|(at, byte)| if SUM.contains(&at) { b' ' } else { *byte });
    told.is_ok_and(|told| told == bytes.map(u32::from).sum::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of an empty file `a`, as GNU tar writes it.
    fn header() -> Vec<u8> {
        let mut header = vec![0u8; HEAD];
        for (at, text) in [(0, "a"), (100, "0000644\0"), (124, "00000000000\0"), (156, "0"), (257, "ustar  ")]
        {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ');
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    }

    #[test]
    fn archives() {
        for (name, head) in [
            ("a.zip", b"PK\x03\x04...".to_vec()),
            ("A.JAR", b"PK\x05\x06...".to_vec()),
            ("a.tgz", b"\x1f\x8b\x08".to_vec()),
            ("a.tar.gz", b"\x1f\x8b\x08".to_vec()),
            ("a.tar", header()),
            ("a.tar", vec![0; HEAD]),
            ("a.dst", b"whatever".to_vec()),
        ] {
            assert_eq!(mistaken(name, &head), None, "{name}");
        }
    }

    #[test]
    fn other_files() {
        let mut damaged = header();
        damaged[0] = b'b';
        for (name, head, what) in [
            ("a.zip", b"\x1f\x8b\x08".to_vec(), "zip archive"),
            ("a.jar", b"PK".to_vec(), "zip archive"),
            ("a.tgz", b"PK\x03\x04".to_vec(), "gzip file"),
            ("a.tar.gz", Vec::new(), "gzip file"),
            ("a.tar", damaged, "tar archive"),
            ("a.tar", header()[..HEAD - 1].to_vec(), "tar archive"),
        ] {
            assert_eq!(mistaken(name, &head), Some(what), "{name}");
        }
    }
}

//! Reads the counters that a HotSpot JVM keeps in a file in shared memory, `/tmp/hsperfdata_<user>/<pid>`.
//! The layout is that of `perfMemory.hpp` of the JDK, version 2.0, which has not changed since Java 5: a
//! prologue of 32 bytes and then entries, each with a header of 20 bytes, a name and a value.
//!
//! The file belongs to another program, which writes it all the time, so nothing in it is relied upon: what
//! does not fit is left out.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The first four bytes.
const MAGIC: [u8; 4] = [0xca, 0xfe, 0xc0, 0xc0];
/// The bytes of the prologue, and of the header of an entry.
const PROLOGUE: usize = 32;
const HEADER: usize = 20;
/// The largest file that is read, in bytes. A JVM makes one of 32 KiB unless `-XX:PerfDataMemorySize` says
/// otherwise.
const LARGEST: u64 = 1 << 20;
/// The type of a number with 64 bits, in the letters of Java's class files.
const LONG: u8 = b'J';
/// The byte order of a little-endian machine.
const LITTLE: u8 = 1;

/// What a JVM says of its memory, in bytes. 0 stands for what it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JvmParts {
    /// What objects take in the heap, as of the last collection of garbage.
    pub heap_used: u64,
    /// What the JVM has reserved of the system's memory for the heap.
    pub heap_committed: u64,
    /// What classes take.
    pub metaspace_used: u64,
    /// What is reserved for classes.
    pub metaspace_committed: u64,
    /// How many threads there are.
    pub threads: u32,
}

/// Reads the file of the JVM with this process id; `None` if there is none that belongs to this process's
/// user, or if it is no such file. `user` is the user's name.
pub fn of_jvm(user: &str, pid: u32) -> Option<JvmParts> {
    if user.is_empty() || user.contains(['/', '\0']) {
        return None;
    }
    parts(&read(&Path::new("/tmp").join(format!("hsperfdata_{user}")).join(pid.to_string()))?)
}

/// Everybody may make files in `/tmp`, so the file must be one of ours and no link.
fn read(path: &Path) -> Option<Vec<u8>> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).ok()?;
    #[allow(clippy::disallowed_methods, reason = "the file is opened to be read, and a link is not followed")]
    let file: File = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let found = file.metadata().ok()?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if !ours || !found.is_file() || found.len() > LARGEST {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The parts of the JVM in the bytes of such a file; `None` if this is no such file. Nothing makes this
/// function panic.
pub fn parts(bytes: &[u8]) -> Option<JvmParts> {
    let mut found = JvmParts::default();
    for (name, value) in numbers(bytes)? {
        let Ok(value) = u64::try_from(value) else { continue };
        let heap = name.strip_prefix("sun.gc.generation.").and_then(|rest| rest.split_once(".space."));
        if let Some((_, space)) = heap {
            match space.split_once('.').map(|(_, what)| what) {
                Some("used") => found.heap_used = found.heap_used.saturating_add(value),
                Some("capacity") => found.heap_committed = found.heap_committed.saturating_add(value),
                _ => {}
            }
            continue;
        }
        match name {
            "sun.gc.metaspace.used" => found.metaspace_used = value,
            "sun.gc.metaspace.capacity" => found.metaspace_committed = value,
            "java.threads.live" => found.threads = u32::try_from(value).unwrap_or(u32::MAX),
            _ => {}
        }
    }
    Some(found)
}

/// The entries that are single numbers of 64 bits; `None` if this is no such file.
fn numbers(bytes: &[u8]) -> Option<Vec<(&str, i64)>> {
    if bytes.get(..4)? != MAGIC {
        return None;
    }
    let little = *bytes.get(4)? == LITTLE;
    let int = |at: usize| -> Option<usize> {
        let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let word = if little { i32::from_le_bytes(word) } else { i32::from_be_bytes(word) };
        usize::try_from(word).ok()
    };
    // Version 1 has other headers.
    if *bytes.get(5)? != 2 {
        return None;
    }
    let (mut at, count) = (int(24)?, int(28)?);
    if at < PROLOGUE {
        return None;
    }
    let mut found = Vec::new();
    for _ in 0..count {
        // The JVM may be about to write the next one.
        let Some(length) = int(at).filter(|length| *length >= HEADER) else { break };
        let Some(entry) = at.checked_add(length).and_then(|end| bytes.get(at..end)) else { break };
        if let Some(number) = number(entry, (int(at + 4), int(at + 8), int(at + 16)), little) {
            found.push(number);
        }
        at += length;
    }
    Some(found)
}

/// The name and the value of an entry. Of its header are given where the name is, the length of a vector,
/// which is 0 for a single value, and where the value is.
fn number(
    entry: &[u8],
    (name, vector, value): (Option<usize>, Option<usize>, Option<usize>),
    little: bool,
) -> Option<(&str, i64)> {
    if vector? != 0 || *entry.get(12)? != LONG {
        return None;
    }
    let name = entry.get(name?..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(name.get(..end)?).ok()?;
    let value = value?;
    let bytes: [u8; 8] = entry.get(value..value.checked_add(8)?)?.try_into().ok()?;
    Some((name, if little { i64::from_le_bytes(bytes) } else { i64::from_be_bytes(bytes) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of a little-endian machine.
    fn entry(name: &str, kind: u8, vector: i32, value: i64) -> Vec<u8> {
        let value_at = (HEADER + name.len() + 1).div_ceil(8) * 8;
        let mut bytes = Vec::new();
        for word in [i32::try_from(value_at).unwrap() + 8, 20, vector] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&[kind, 0, 1, 1]);
        bytes.extend_from_slice(&i32::try_from(value_at).unwrap().to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.resize(value_at, 0);
        bytes.extend_from_slice(&value.to_le_bytes());
        bytes
    }

    fn file(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[LITTLE, 2, 0, 1]);
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&32_i32.to_le_bytes());
        bytes.extend_from_slice(&i32::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.extend(entries.concat());
        bytes
    }

    #[test]
    fn the_spaces_of_the_heap_are_added() {
        let bytes = file(&[
            entry("sun.gc.generation.0.space.0.used", LONG, 0, 10),
            entry("sun.gc.generation.0.space.0.capacity", LONG, 0, 100),
            entry("sun.gc.generation.0.space.0.maxCapacity", LONG, 0, 7777),
            entry("java.property.java.version", b'B', 8, 0),
            entry("sun.gc.generation.1.space.0.used", LONG, 0, 20),
            entry("sun.gc.generation.1.space.0.capacity", LONG, 0, 200),
            entry("sun.gc.metaspace.used", LONG, 0, 3),
            entry("sun.gc.metaspace.capacity", LONG, 0, 4),
            entry("java.threads.live", LONG, 0, 5),
            entry("sun.gc.generation.1.space.1.used", LONG, 0, -1),
        ]);
        let wanted = JvmParts {
            heap_used: 30,
            heap_committed: 300,
            metaspace_used: 3,
            metaspace_committed: 4,
            threads: 5,
        };
        assert_eq!(parts(&bytes), Some(wanted));
        for end in 0..bytes.len() {
            let _ = parts(&bytes[..end]);
        }
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        assert_eq!(parts(b""), None);
        assert_eq!(parts(b"\xca\xfe\xba\xbe and more"), None);
        let mut old = file(&[]);
        old[5] = 1;
        assert_eq!(parts(&old), None);
        let mut endless = file(&[entry("java.threads.live", LONG, 0, 5)]);
        endless[28..32].copy_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(parts(&endless).map(|parts| parts.threads), Some(5));
    }

    #[test]
    fn only_a_file_of_ours_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("1"), dir.path().join("2"));
        std::fs::write(&real, file(&[])).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(read(&real).is_some() && read(&link).is_none() && read(dir.path()).is_none());
        assert_eq!(of_jvm("../../etc", 1), None);
        assert_eq!(of_jvm("", 1), None);
    }
}

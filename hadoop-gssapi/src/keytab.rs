//! Keytab files: which principals they have keys of. The library says of a missing file, of one without the
//! principal, and of an unknown principal the same ("No credentials cache found"), so the file is read here
//! first. Keys are skipped, and what was read is not kept.

use std::fs;
use std::io;
use std::path::Path;

use hadoop_rpc::KerberosProblem;

use crate::error::GssError;

/// The version of the format that MIT, Heimdal and Java write.
const VERSION: [u8; 2] = [5, 2];
/// The largest keytab that is read, in bytes; real ones have some hundreds or thousands.
const LIMIT: u64 = 16 << 20;

/// What a keytab holds, without the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keytab {
    entries: Vec<KeytabEntry>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeytabEntry {
    /// Whose key it is, as `alice@REALM` or `nn/host@REALM`.
    pub principal: String,
    /// The version of the key.
    pub version: u32,
    /// The number of the encryption's type (RFC 3961).
    pub encryption: u16,
}

impl Keytab {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, GssError> {
        let doing = format!("reading the keytab {}", path.display());
        let fail = |why: String| GssError::new(KerberosProblem::Keytab, doing.clone(), why);
        let said = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => fail("there is no such file".into()),
            io::ErrorKind::PermissionDenied => fail("this user may not read it".into()),
            _ => fail(error.to_string()),
        };
        let found = fs::metadata(path).map_err(said)?;
        if !found.is_file() {
            return Err(fail("it is not a file".into()));
        }
        if found.len() > LIMIT {
            return Err(fail(format!("it has {} bytes, which no keytab has", found.len())));
        }
        Self::parse(&fs::read(path).map_err(said)?).map_err(|why| fail(why.into()))
    }

    /// Reads the contents of a file. The error says what is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut rest = match bytes.split_first_chunk::<2>() {
            Some((version, rest)) if *version == VERSION => rest,
            Some(([5, _], _)) => return Err("it has a version of the format other than 0x0502"),
            _ => return Err("it is not a keytab"),
        };
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let mut fields = Fields { rest };
            let size = i32::from_be_bytes(fields.array()?);
            rest = fields.rest;
            // A deleted entry leaves a hole of this size. At zero, the library stops reading.
            if size == 0 {
                break;
            }
            let length = usize::try_from(size.unsigned_abs()).map_err(|_| TRUNCATED)?;
            let (entry, after) = rest.split_at_checked(length).ok_or(TRUNCATED)?;
            rest = after;
            if size > 0 {
                entries.push(Fields { rest: entry }.entry()?);
            }
        }
        Ok(Self { entries })
    }

    /// All keys.
    pub fn entries(&self) -> &[KeytabEntry] {
        &self.entries
    }

    /// The principals that have keys here, each once, in the file's order.
    pub fn principals(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !found.contains(&entry.principal.as_str()) {
                found.push(&entry.principal);
            }
        }
        found
    }

    /// The principal in full that is meant by one with or without realm. The error says which there are.
    pub fn find(&self, principal: &str) -> Result<&str, String> {
        let all = self.principals();
        let same = |full: &str| match full.rsplit_once('@') {
            _ if full == principal => true,
            Some((name, _)) => name == principal,
            None => false,
        };
        let found: Vec<&str> = all.iter().copied().filter(|full| same(full)).collect();
        match found[..] {
            [one] => Ok(one),
            [] if all.is_empty() => Err("it has no keys".into()),
            [] => Err(format!("it has no key of {principal}, but of {}", all.join(", "))),
            _ => Err(format!("{principal} can be {}: the realm is missing", found.join(" or "))),
        }
    }
}

const TRUNCATED: &str = "it ends in the middle of an entry";

/// Fields of an entry: numbers have the most significant byte first, and texts their length before them.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u16, &'static str> {
        self.array().map(u16::from_be_bytes)
    }

    fn counted(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.number()?;
        let (head, rest) = self.rest.split_at_checked(length.into()).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(head)
    }

    fn entry(&mut self) -> Result<KeytabEntry, &'static str> {
        let parts = self.number()?;
        let realm = escaped(self.counted()?);
        let mut name = Vec::new();
        for _ in 0..parts {
            name.push(escaped(self.counted()?));
        }
        let (_name_type, _time) = (self.array::<4>()?, self.array::<4>()?);
        let [short] = self.array()?;
        let encryption = self.number()?;
        self.counted()?;
        // A version of more than 8 bits follows at the end, where old programs did not look.
        let long = self.array().map_or(0, u32::from_be_bytes);
        let version = if long == 0 { short.into() } else { long };
        Ok(KeytabEntry { principal: format!("{}@{realm}", name.join("/")), version, encryption })
    }
}

/// A part of a principal as the library writes it: with a backslash before what would divide parts.
fn escaped(part: &[u8]) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(part).chars() {
        match c {
            '/' | '@' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\0' => out.push_str("\\0"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend((bytes.len() as u16).to_be_bytes());
        out.extend(bytes);
    }

    /// An entry as MIT writes it, or as programs do that know only versions of 8 bits.
    fn entry(name: &[&str], realm: &str, version: u32, key: &[u8], long: bool) -> Vec<u8> {
        let mut out = (name.len() as u16).to_be_bytes().to_vec();
        counted(&mut out, realm.as_bytes());
        name.iter().for_each(|part| counted(&mut out, part.as_bytes()));
        out.extend([0, 0, 0, 1, 1, 2, 3, 4, version as u8, 0, 18]);
        counted(&mut out, key);
        if long {
            out.extend(version.to_be_bytes());
        }
        out
    }

    fn file(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut out = VERSION.to_vec();
        for entry in entries {
            out.extend((entry.len() as i32).to_be_bytes());
            out.extend(entry);
        }
        out
    }

    fn hole(bytes: &mut Vec<u8>, length: usize) {
        bytes.extend((-(length as i32)).to_be_bytes());
        bytes.extend(vec![0; length]);
    }

    fn alice() -> Vec<u8> {
        entry(&["alice"], "R", 3, b"secret", true)
    }

    #[test]
    fn principals_are_listed() {
        let nn = entry(&["nn", "host"], "R", 300, b"k", true);
        let old = entry(&["bob"], "S", 2, b"k", false);
        let mut bytes = file(&[alice(), nn]);
        hole(&mut bytes, 9);
        bytes.extend(&file(&[old, alice()])[2..]);
        // What follows a zero is not read.
        bytes.extend([0; 4]);
        bytes.extend(b"anything");
        let keytab = Keytab::parse(&bytes).unwrap();
        assert_eq!(keytab.principals(), ["alice@R", "nn/host@R", "bob@S"]);
        let versions: Vec<u32> = keytab.entries().iter().map(|e| e.version).collect();
        assert_eq!(versions, [3, 300, 2, 3]);
        assert_eq!(keytab.entries()[0].encryption, 18);
        assert!(!format!("{keytab:?}").contains("secret"));
    }

    #[test]
    fn a_principal_is_found_with_and_without_realm() {
        let keytab = Keytab::parse(&file(&[
            alice(),
            entry(&["bob"], "R", 1, b"", true),
            entry(&["bob"], "S", 1, b"", true),
        ]));
        let keytab = keytab.unwrap();
        assert_eq!(keytab.find("alice"), Ok("alice@R"));
        assert_eq!(keytab.find("alice@R"), Ok("alice@R"));
        assert_eq!(keytab.find("bob@S"), Ok("bob@S"));
        assert_eq!(keytab.find("bob"), Err("bob can be bob@R or bob@S: the realm is missing".into()));
        assert_eq!(keytab.find("al"), Err("it has no key of al, but of alice@R, bob@R, bob@S".into()));
        assert!(keytab.find("alice@S").is_err());
        let empty = Keytab::parse(&VERSION).unwrap();
        assert_eq!(empty.find("alice"), Err("it has no keys".into()));
    }

    #[test]
    fn what_is_no_keytab_is_refused() {
        for (bytes, why) in [
            (&b""[..], "it is not a keytab"),
            (b"\x05", "it is not a keytab"),
            (b"PK\x03\x04", "it is not a keytab"),
            (b"\x05\x01\0\0", "it has a version of the format other than 0x0502"),
            (b"\x05\x02\0\0", TRUNCATED),
            (b"\x05\x02\x7f\xff\xff\xff", TRUNCATED),
            (b"\x05\x02\x80\0\0\0", TRUNCATED),
        ] {
            assert_eq!(Keytab::parse(bytes), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_has_an_error_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let words = |path: &Path| Keytab::read(path).unwrap_err().to_string();
        let file = dir.path().join("k");
        assert_eq!(words(&file), format!("reading the keytab {}: there is no such file", file.display()));
        assert!(words(dir.path()).ends_with(": it is not a file"));
        fs::write(&file, "text").unwrap();
        assert!(words(&file).ends_with(": it is not a keytab"));
    }

    #[test]
    fn parts_are_written_as_the_library_does() {
        let odd = entry(&["a/b", "c@d\\"], "R", 1, b"", true);
        assert_eq!(Keytab::parse(&file(&[odd])).unwrap().principals(), ["a\\/b/c\\@d\\\\@R"]);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(
            names in prop::collection::vec(
                (prop::collection::vec("[a-z0-9._-]{1,8}", 1..4), "[A-Z.]{1,9}", 1..=u32::MAX, any::<bool>()), 0..6
            ),
            key in prop::collection::vec(any::<u8>(), 0..40),
            holes in prop::collection::vec(1..30usize, 0..3),
        ) {
            let mut bytes = VERSION.to_vec();
            for (i, (name, realm, version, long)) in names.iter().enumerate() {
                let parts: Vec<&str> = name.iter().map(String::as_str).collect();
                bytes.extend(&file(&[entry(&parts, realm, *version, &key, *long)])[2..]);
                if let Some(length) = holes.get(i) {
                    hole(&mut bytes, *length);
                }
            }
            let keytab = Keytab::parse(&bytes).unwrap();
            prop_assert_eq!(keytab.entries().len(), names.len());
            for (entry, (name, realm, version, long)) in keytab.entries().iter().zip(&names) {
                prop_assert_eq!(&entry.principal, &format!("{}@{}", name.join("/"), realm));
                prop_assert_eq!(entry.version, if *long { *version } else { version & 0xff });
            }
            // A file that was cut off is refused, or has lost whole entries only.
            for end in 2..bytes.len() {
                if let Ok(cut) = Keytab::parse(&bytes[..end]) {
                    prop_assert!(keytab.entries().starts_with(cut.entries()));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), valid in any::<bool>()) {
            if valid {
                bytes.splice(0..0, VERSION);
            }
            let _ = Keytab::parse(&bytes).map(|keytab| keytab.find("a").map(str::len));
        }
    }
}

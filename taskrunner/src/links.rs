//! Names by which a container's files come, and how they get their own.
//!
//! The NodeManager's launch script has the names between double quotes: of a file called `` a`id`b.txt `` it
//! runs `id`. Such a file comes by another name, and gets its own from us.
//!
//! For a file in a directory the NodeManager's launch script starts two programs, `mkdir` and `ln`, one after
//! another; for Flink's thirty files that is a tenth of a second. A name without a directory spares the
//! first, and moving a link ourselves costs nothing.

use std::fs;
use std::io;
use std::path::Path;

use flink_model::container::LINK_PREFIX as PREFIX;

use crate::fresh;

/// Longest name of a file on Linux.
const LONGEST: usize = 255;

/// Whether a character means something to the shell between double quotes, where the launch script has the
/// names of files, or may confuse whoever reads them.
fn is_evaluated(c: char) -> bool {
    matches!(c, '"' | '$' | '`' | '\\') || c.is_control()
}

/// Whether the launch script takes the name for what it is.
pub fn is_plain(name: &str) -> bool {
    !name.contains(is_evaluated)
}

/// The same name with what the launch script would evaluate, slashes and percent signs in the notation of
/// URLs.
pub fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if is_evaluated(c) || matches!(c, '/' | '%') {
            let mut bytes = [0; 4];
            out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// The name for a key of a container's files. One that the launch script takes for what it is, and that has
/// no directory, is its own; so is each without such characters where `linked` is false, or where the name
/// would be too long.
pub fn name(key: &str, linked: bool) -> String {
    let evaluated = !is_plain(key) || key.starts_with(PREFIX);
    let moved = linked && key.contains('/');
    let name = format!("{PREFIX}{}", plain(key));
    if evaluated || (moved && fits(&name)) { name } else { key.to_owned() }
}

/// Whether a file can have this name.
pub fn fits(name: &str) -> bool {
    name.split('/').all(|part| part.len() <= LONGEST)
}

/// The key that a name stands for, if it is one of [`name`]'s making.
fn key(name: &str) -> Option<String> {
    let mut parts = name.strip_prefix(PREFIX)?.split('%');
    let mut key: Vec<u8> = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        key.push(u8::from_str_radix(digits, 16).ok()?);
        key.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(key).ok()
}

/// Gives the files of a container's directory their own names. The error says which file it was about.
pub fn settle(dir: &Path) -> io::Result<()> {
    let about = |path: &Path| {
        let path = path.display().to_string();
        move |e: io::Error| io::Error::new(e.kind(), format!("{path}: {e}"))
    };
    for entry in fs::read_dir(dir).map_err(about(dir))? {
        let file_name = entry.map_err(about(dir))?.file_name();
        let Some(key) = file_name.to_str().and_then(key) else { continue };
        let path = dir.join(&key);
        if let Some(parent) = Path::new(&key).parent() {
            fresh::directories(dir, parent).map_err(about(&path))?;
        }
        fresh::rename(&dir.join(&file_name), &path).map_err(about(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_their_names_back() {
        let dir = tempfile::tempdir().unwrap();
        let keys = [
            "lib/a b.jar",
            "lib/%2F/100%25.txt",
            "plain",
            "%2F",
            "plugins/x/y.jar",
            "a`id`$HOME\"b.txt",
            "d/\\\n",
        ];
        for key in keys {
            std::os::unix::fs::symlink("/dev/null", dir.path().join(name(key, true))).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), keys.len());
        settle(dir.path()).unwrap();
        settle(dir.path()).unwrap();
        for key in keys {
            assert_eq!(fs::read_link(dir.path().join(key)).unwrap(), Path::new("/dev/null"), "{key}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("lib"), "").unwrap();
        fs::write(dir.path().join(name("lib/a.jar", true)), "").unwrap();
        let error = settle(dir.path()).unwrap_err().to_string();
        assert!(error.contains("/lib/a.jar: ") && error.contains("/lib is a link or a file"), "{error}");
    }

    #[test]
    fn no_file_goes_through_a_link_or_takes_the_place_of_another() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(cache.path(), dir.path().join("data.zip")).unwrap();
        fs::write(dir.path().join(name("data.zip/a", true)), "").unwrap();
        assert!(settle(dir.path()).is_err());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
        fs::remove_file(dir.path().join("data.zip")).unwrap();
        fs::create_dir(dir.path().join("data.zip")).unwrap();
        fs::write(dir.path().join("data.zip/a"), "first").unwrap();
        assert!(settle(dir.path()).is_err());
        assert_eq!(fs::read(dir.path().join("data.zip/a")).unwrap(), b"first");
    }

    #[test]
    fn names_that_are_their_own() {
        for key in ["a b.jar", "größe#;%*.txt", "~", "!"] {
            assert_eq!(name(key, true), key);
        }
        let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
        assert_eq!(name(&long, true), long, "no file can have the other name");
        assert_eq!(name("lib/a.jar", false), "lib/a.jar");
        assert_ne!(name(".heddle-link.x", false), ".heddle-link.x");
        assert!(!fits(&name(&format!("{}$", "f".repeat(250)), true)));
    }

    proptest::proptest! {
        #[test]
        fn a_name_stands_for_one_key(key in "[a%/25F.ä\"$`\\\\\n]{1,12}", linked: bool) {
            let name = name(&key, linked);
            proptest::prop_assert!(is_plain(&name));
            proptest::prop_assert!(!linked || !name.contains('/'));
            proptest::prop_assert_eq!(super::key(&name).unwrap_or(name), key);
        }
    }
}

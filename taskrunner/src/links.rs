//! Gives a container's files substitute names in the launch context, and their own names in the container.
//!
//! The NodeManager's launch script makes a link for each local resource, and writes the names between double
//! quotes, where the shell still evaluates some characters: for a file called `` a`id`b.txt ``, the shell
//! would run `id`. So heddle gives YARN a substitute name for such a file, and `heddle-am` and the taskrunner
//! rename the link in the container before they do anything else.
//!
//! Substitute names also save time. For a file in a directory, the launch script runs `mkdir` and `ln`, one
//! after the other; for Flink's thirty files that takes a tenth of a second. For a name without a directory
//! it runs only `ln`, and to rename the link takes almost no time.

use std::fs;
use std::io;
use std::path::Path;

use flink_model::container::LINK_PREFIX as PREFIX;

use crate::fresh;

/// The most bytes that the name of a file may have on Linux (`NAME_MAX`).
const LONGEST: usize = 255;

/// Whether the shell evaluates a character between double quotes, or whether it is a control character, which
/// may break the launch script or a log.
fn is_evaluated(c: char) -> bool {
    matches!(c, '"' | '$' | '`' | '\\') || c.is_control()
}

/// Whether a name has no character that the shell would evaluate in the launch script, and no control
/// character.
pub fn is_plain(name: &str) -> bool {
    !name.contains(is_evaluated)
}

/// The name with each byte of a character that the shell would evaluate, of a control character, of a slash
/// and of a percent sign written as `%` and two hexadecimal digits, as in a URL (RFC 3986, section 2.1).
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

/// The name that a file has in the launch context. `key` is the path that the file is to have in the
/// container's directory.
///
/// A key that is not [plain](is_plain), or that looks like a substitute name, always gets one. Another key
/// with a directory gets one if `linked` is true, unless that substitute name would be too long for a file.
/// Every other key is the name itself.
pub fn name(key: &str, linked: bool) -> String {
    let evaluated = !is_plain(key) || key.starts_with(PREFIX);
    let moved = linked && key.contains('/');
    let name = format!("{PREFIX}{}", plain(key));
    if evaluated || (moved && fits(&name)) { name } else { key.to_owned() }
}

/// Whether a key names something below the container's directory: a relative path without `.`, `..` and empty
/// parts. The NodeManager's launch script would make a link at any other path just as well.
pub fn is_below(key: &str) -> bool {
    key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether each part of a path is short enough for the name of a file.
pub fn fits(name: &str) -> bool {
    name.split('/').all(|part| part.len() <= LONGEST)
}

/// The key for which a substitute name stands; `None` for every other name.
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

/// Renames all files of a container's directory that have substitute names. Fails if a file's own name is
/// taken already or would lead through a link; the error names the file.
pub fn settle(dir: &Path) -> io::Result<()> {
    let about = |path: &Path| {
        let path = path.display().to_string();
        move |e: io::Error| io::Error::new(e.kind(), format!("{path}: {e}"))
    };
    for entry in fs::read_dir(dir).map_err(about(dir))? {
        let file_name = entry.map_err(about(dir))?.file_name();
        let Some(key) = file_name.to_str().and_then(key) else { continue };
        let path = dir.join(&key);
        if !is_below(&key) {
            let why =
                io::Error::new(io::ErrorKind::InvalidInput, format!("{key} leads out of the container"));
            return Err(about(&dir.join(&file_name))(why));
        }
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
    fn no_file_leaves_the_container() {
        for key in ["../x", "/tmp/x", "lib/../../x", "..", ".", "", "lib/", "lib//x", "./x"] {
            let above = tempfile::tempdir().unwrap();
            let dir = above.path().join("container");
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join(format!("{PREFIX}{}", plain(key))), "").unwrap();
            let error = settle(&dir).unwrap_err().to_string();
            assert!(error.contains("leads out of the container") && error.contains(PREFIX), "{key}: {error}");
            assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1, "{key}");
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "{key}");
        }
        for key in ["a", "a/b", "a..b", "..a", "a/.b"] {
            assert!(is_below(key), "{key}");
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

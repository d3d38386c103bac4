//! Names by which a container's files come without directories, and how they get their own.
//!
//! For a file in a directory the NodeManager's launch script starts two programs, `mkdir` and `ln`, one after another; for Flink's thirty
//! files that is a tenth of a second. A name without a directory spares the first, and moving a link ourselves costs nothing.

use std::fs;
use std::io;
use std::path::Path;

use flink_model::container::LINK_PREFIX as PREFIX;

use crate::fresh;

/// The name for a key of a container's files; one without a directory is its own, as is each where `linked` is false.
pub fn name(key: &str, linked: bool) -> String {
    if !linked || !key.contains('/') {
        return key.to_owned();
    }
    format!("{PREFIX}{}", key.replace('%', "%25").replace('/', "%2F"))
}

/// The key that a name stands for, if it is one of [`name`]'s making.
fn key(name: &str) -> Option<String> {
    Some(name.strip_prefix(PREFIX)?.replace("%2F", "/").replace("%25", "%"))
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
        let keys = ["lib/a b.jar", "lib/%2F/100%25.txt", "plain", "%2F", "plugins/x/y.jar"];
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

    proptest::proptest! {
        #[test]
        fn a_name_stands_for_one_key(key in "[a%/25F.]{1,12}") {
            let name = name(&key, true);
            proptest::prop_assert!(!name.contains('/'));
            proptest::prop_assert_eq!(super::key(&name).unwrap_or(name), key);
        }
    }
}

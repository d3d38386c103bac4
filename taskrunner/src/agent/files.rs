//! Writes the files that heddle-am sends with the launch specification into the container's directory.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::control::File;
use crate::fresh;

/// A file of the launch specification cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(
        "refusing to write the file `{0}` of the launch specification: it is not a path below the working directory"
    )]
    Outside(String),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes all files below `dir`, each with mode 600. It is an error if one of them exists already: that may
/// be a localized file of the user's, which is a link into the NodeManager's cache.
pub(crate) fn write_all(dir: &Path, files: &[File]) -> Result<(), FileError> {
    files.iter().try_for_each(|file| write_one(dir, file))
}

fn write_one(dir: &Path, file: &File) -> Result<(), FileError> {
    let relative = Path::new(&file.name);
    let plain = |c: Component| matches!(c, Component::Normal(_));
    if file.name.is_empty() || file.name.contains('\0') || !relative.components().all(plain) {
        return Err(FileError::Outside(file.name.clone()));
    }
    let target = dir.join(relative);
    fresh::directories(dir, relative.parent().unwrap_or(Path::new("")))
        .and_then(|()| fresh::write(&target, &file.content, 0o600))
        .map_err(|source| FileError::Write { path: target.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn file(name: &str, content: &[u8]) -> File {
        File { name: name.to_owned(), content: content.to_vec() }
    }

    #[test]
    fn writes_with_mode_600_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path(), &[file("conf/deep/a.yaml", b"1"), file("b", b"x")]).unwrap();
        let error = write_all(dir.path(), &[file("b", b"y")]).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"x");
        let mode = fs::metadata(dir.path().join("conf/deep/a.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn refuses_to_leave_the_directory() {
        let outside = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        symlink(outside.path(), dir.path().join("lib")).unwrap();
        fs::write(outside.path().join("shared"), "untouched").unwrap();
        symlink(outside.path().join("shared"), dir.path().join("link")).unwrap();
        for name in ["", "/etc/x", "../x", "a/../../x", "./../x", "a\0b"] {
            let error = write_all(dir.path(), &[file(name, b"")]).unwrap_err();
            assert!(matches!(error, FileError::Outside(_)), "{name}: {error}");
        }
        for name in ["lib/x", "link"] {
            let error = write_all(dir.path(), &[file(name, b"new")]).unwrap_err();
            assert!(matches!(error, FileError::Write { .. }), "{name}: {error}");
        }
        assert_eq!(fs::read_to_string(outside.path().join("shared")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

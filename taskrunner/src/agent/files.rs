//! Files that come with the launch specification.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use crate::control::File;

/// A file of the launch specification cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("refusing to write the file `{name}` of the launch specification: {why}")]
    Refused { name: String, why: &'static str },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes all files below `dir`, each with mode 600 and complete or not at all.
///
/// A directory on the way that is a symbolic link is refused: localized resources are links into the NodeManager's cache,
/// which other containers share.
pub(super) fn write_all(dir: &Path, files: &[File]) -> Result<(), FileError> {
    files.iter().try_for_each(|file| write_one(dir, file))
}

fn write_one(dir: &Path, file: &File) -> Result<(), FileError> {
    let refused = |why| FileError::Refused { name: file.name.clone(), why };
    let relative = Path::new(&file.name);
    let plain = |c: Component| matches!(c, Component::Normal(_));
    if file.name.is_empty() || file.name.contains('\0') || !relative.components().all(plain) {
        return Err(refused("it is not a path below the working directory"));
    }
    let target = dir.join(relative);
    let failed = |source| FileError::Write { path: target.clone(), source };
    let parent = relative.parent().unwrap_or(Path::new(""));
    let mut reached = dir.to_owned();
    for step in parent.components() {
        reached.push(step);
        match fs::symlink_metadata(&reached) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(refused("a directory on its way is a link or a file")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => fs::create_dir(&reached).map_err(failed)?,
            Err(e) => return Err(failed(e)),
        }
    }
    let mut temporary = target.clone().into_os_string();
    temporary.push(".heddle-part");
    let temporary = PathBuf::from(temporary);
    let write = || -> io::Result<()> {
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        out.write_all(&file.content)?;
        fs::rename(&temporary, &target)
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn file(name: &str, content: &[u8]) -> File {
        File { name: name.to_owned(), content: content.to_vec() }
    }

    #[test]
    fn writes_with_mode_600_and_replaces() {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path(), &[file("conf/deep/a.yaml", b"1"), file("b", b"x")]).unwrap();
        write_all(dir.path(), &[file("b", b"y")]).unwrap();
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"y");
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
        for name in ["", "/etc/x", "../x", "a/../../x", "./../x", "lib/x", "a\0b"] {
            let error = write_all(dir.path(), &[file(name, b"")]).unwrap_err();
            assert!(matches!(error, FileError::Refused { .. }), "{name}: {error}");
        }
        // A link at the very place is replaced, not followed.
        write_all(dir.path(), &[file("link", b"new")]).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("shared")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

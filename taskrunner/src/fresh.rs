//! Makes files, directories and links in a container; no other module of heddle does that.
//!
//! Localized files are links into the NodeManager's cache, which other applications of the node share. A
//! program that writes through such a link changes the file of all of them. So the functions here never
//! follow a link, and only [`log()`] opens an existing file for writing. `clippy.toml` forbids functions of
//! the standard library that would follow a link or overwrite a file. A JVM that has to write files gets a
//! new directory for them.

#![allow(clippy::disallowed_methods, reason = "only this module may use them")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path};

use rustix::fs::OFlags;

/// Makes a new file. Fails if the name is taken.
pub fn file(path: &Path, mode: u32) -> io::Result<File> {
    opened(OpenOptions::new().write(true).create_new(true).mode(mode), path)
}

/// Writes a new file. Fails if the name is taken.
pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    file(path, mode)?.write_all(content)
}

/// Copies a file's content to a new file. Fails if the name is taken.
pub fn copy(from: &Path, to: &Path) -> io::Result<File> {
    let mut made = file(to, 0o644)?;
    io::copy(&mut File::open(from)?, &mut made)?;
    Ok(made)
}

/// Opens a log for appending, and makes it if there is none. Fails if it is a link. A JVM that is started
/// once more appends to the log of its first start.
pub fn log(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    opened(OpenOptions::new().append(true).create(true).custom_flags(flags), path)
}

/// Makes a new directory. Fails if the name is taken.
pub fn directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path).map_err(|error| in_the_way(error, path))
}

/// Makes a new directory into which only its owner can look. Fails if the name is taken.
pub fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(|error| in_the_way(error, path))
}

/// Makes the directories of the relative path `path` below `top`; existing directories stay. Fails if there
/// is a link or a file instead of a directory, because a link may lead to files that other applications
/// share.
pub fn directories(top: &Path, path: &Path) -> io::Result<()> {
    let mut reached = top.to_owned();
    for step in path.components() {
        let Component::Normal(step) = step else {
            let why = format!("{} is no path below {}", path.display(), top.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        };
        reached.push(step);
        match fs::symlink_metadata(&reached) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let why = format!("{} is a link or a file, and a directory is needed", reached.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => directory(&reached)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a link to `target`. Fails if the name is taken.
pub fn link(target: &Path, path: &Path) -> io::Result<()> {
    symlink(target, path).map_err(|error| in_the_way(error, path))
}

/// Gives a file a second name (a hard link) on the same file system. Fails if the name is taken.
pub fn second_name(file: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(file, name).map_err(|error| in_the_way(error, name))
}

/// Renames a file or a link. Fails if the new name is taken.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(in_the_way(io::ErrorKind::AlreadyExists.into(), to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

fn opened(options: &OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path).map_err(|error| in_the_way(error, path))
}

/// If the name is taken, replaces the error with one that says by what.
fn in_the_way(error: io::Error, path: &Path) -> io::Error {
    const TOO_MANY_LINKS: i32 = rustix::io::Errno::LOOP.raw_os_error();
    let taken = error.kind() == io::ErrorKind::AlreadyExists;
    if !taken && error.raw_os_error() != Some(TOO_MANY_LINKS) {
        return error;
    }
    let what = match fs::read_link(path) {
        Ok(target) => format!("a link to {} has this name already", target.display()),
        Err(_) => "there is a file or directory of this name already".to_owned(),
    };
    let kind = if taken { error.kind() } else { io::ErrorKind::AlreadyExists };
    io::Error::new(kind, format!("{what}; heddle opens no file that is not its own"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container's directory with links into a cache, which must not change.
    struct Container {
        dir: tempfile::TempDir,
        cache: tempfile::TempDir,
    }

    impl Container {
        fn new() -> Self {
            let made = Self { dir: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
            fs::write(made.cache.path().join("canary"), "sings").unwrap();
            symlink(made.cache.path().join("canary"), made.dir.path().join("file")).unwrap();
            symlink(made.cache.path(), made.dir.path().join("directory")).unwrap();
            symlink(made.cache.path().join("none"), made.dir.path().join("dangling")).unwrap();
            made
        }

        fn check(&self) {
            assert_eq!(fs::read(self.cache.path().join("canary")).unwrap(), b"sings");
            assert_eq!(fs::read_dir(self.cache.path()).unwrap().count(), 1, "something was written there");
        }
    }

    #[test]
    fn nothing_goes_through_a_link() {
        let container = Container::new();
        let dir = container.dir.path();
        fs::write(dir.join("other"), "x").unwrap();
        for name in ["file", "dangling", "directory"] {
            let path = &dir.join(name);
            for (what, result) in [
                ("write", write(path, b"x", 0o600)),
                ("copy", copy(&dir.join("other"), path).map(drop)),
                ("log", log(path).map(drop)),
                ("directory", directory(path)),
                ("private directory", private_directory(path)),
                ("second name", second_name(&dir.join("other"), path)),
                ("directories", directories(dir, &Path::new(name).join("below"))),
                ("link", link(Path::new("/dev/null"), path)),
                ("rename", rename(&dir.join("other"), path)),
            ] {
                assert!(result.is_err(), "{what} to {name}");
            }
        }
        container.check();
        let error = write(&dir.join("file"), b"x", 0o600).unwrap_err().to_string();
        assert!(
            error.starts_with("a link to /") && error.contains("canary has this name already"),
            "{error}"
        );
    }

    #[test]
    fn what_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        write(&one, b"1", 0o600).unwrap();
        assert!(write(&one, b"2", 0o600).is_err() && copy(&one, &one).is_err());
        rename(&one, &two).unwrap();
        assert_eq!(fs::read(&two).unwrap(), b"1");
        directories(dir.path(), Path::new("a/b")).unwrap();
        directories(dir.path(), Path::new("a/b/c")).unwrap();
        assert!(directories(dir.path(), Path::new("two/c")).is_err());
        assert!(directories(dir.path(), Path::new("../c")).is_err());
        for text in ["a", "b"] {
            log(&one).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(&one).unwrap(), b"ab");
    }
}

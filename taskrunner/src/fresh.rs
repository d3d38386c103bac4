//! The one place from which heddle makes files, directories and links in a container.
//!
//! Localized files are links into the NodeManager's cache, which other applications of the node share:
//! whoever opens such a name for writing changes the file of all of them. Nothing here opens what is there
//! already or follows a link, and `clippy.toml` forbids the functions of the standard library that would. A
//! JVM that is to write files gets a new directory for them.

#![allow(clippy::disallowed_methods)] // here, and nowhere else

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path};

use rustix::fs::OFlags;

/// Makes a file that is not there yet.
pub fn file(path: &Path, mode: u32) -> io::Result<File> {
    opened(OpenOptions::new().write(true).create_new(true).mode(mode), path)
}

/// Writes a file that is not there yet.
pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    file(path, mode)?.write_all(content)
}

/// Copies a file's content to one that is not there yet.
pub fn copy(from: &Path, to: &Path) -> io::Result<File> {
    let mut made = file(to, 0o644)?;
    io::copy(&mut File::open(from)?, &mut made)?;
    Ok(made)
}

/// Opens a log for appending; a link is refused. A JVM that is started once more writes on in its own log.
pub fn log(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    opened(OpenOptions::new().append(true).create(true).custom_flags(flags), path)
}

/// Makes a directory that is not there yet.
pub fn directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path).map_err(|error| in_the_way(error, path))
}

/// Makes the directories on the way to `path`, which is relative, below `top`; those that are there stay. One
/// that is a link, or a file, is refused: behind it lies what others share.
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

/// Makes a link to `target` under a name that is not taken yet.
pub fn link(target: &Path, path: &Path) -> io::Result<()> {
    symlink(target, path).map_err(|error| in_the_way(error, path))
}

/// Gives a file, or a link, a name that is not taken yet.
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

/// A message for people, where the name is taken.
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

    /// A directory with links, all of them to what must not change.
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

//! Says whether a file or directory of this machine is the user's own, so that nobody else can have put
//! something into it. Other users can write to directories such as `/tmp`, and may have made there what this
//! user is about to read.
//!
//! The directories through which the path leads count, too, because whoever can rename something in one of
//! them decides what the path names. A file is judged when it is open, so that it cannot be exchanged between
//! the judgement and its use.

mod accounts;
mod status;
mod way;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Access, Mode, OFlags};
use serde::Serialize;
use tempfile::NamedTempFile;

pub(crate) use status::Distrust;
use status::{EVERYBODY_WRITES, GROUP_WRITES, Kind, Me, Reason, Status, judge, judge_closed};

/// Opens a regular file that must be the user's own. A link is not followed, and a FIFO does not make this
/// wait. The error is that of opening the file; a file that is not trusted is none.
pub(crate) fn open(path: &Path) -> io::Result<Result<File, Distrust>> {
    let me = Me::of_process();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            Ok(check_open(&file, path)?.map(|()| file))
        }
        // The open fails for links, sockets and files that only another user may read.
        Err(error) => match std::fs::symlink_metadata(path).map(|m| judge(Status::of(&m), Kind::File, &me)) {
            Ok(Err(distrust)) => Ok(Err(distrust)),
            Ok(Ok(())) | Err(_) => Err(error.into()),
        },
    }
}

/// Judges a file that this process has open, and the directories through which the path leads.
pub(crate) fn check_open(file: &File, path: &Path) -> io::Result<Result<(), Distrust>> {
    let me = Me::of_process();
    Ok(judge(Status::of(&file.metadata()?), Kind::File, &me).and_then(|()| way::check(path, &me)))
}

/// Whether there is something at `path` that belongs to another user.
pub(crate) fn is_foreign(path: &Path) -> Option<Distrust> {
    let status = Status::of(&std::fs::symlink_metadata(path).ok()?);
    let me = Me::of_process().uid;
    let Status { kind, owner, .. } = status;
    let reason =
        if kind == Kind::File { Reason::Foreign } else { Reason::Kind { found: kind, wanted: Kind::File } };
    (owner != me).then_some(Distrust { reason, through: None, owner, me })
}

/// Whether a directory belongs to another user.
pub(crate) fn is_foreign_directory(path: &Path) -> Option<Distrust> {
    let status = Status::of(&std::fs::symlink_metadata(path).ok()?);
    let (owner, me) = (status.owner, Me::of_process().uid);
    (owner != me).then_some(Distrust { reason: Reason::Foreign, through: None, owner, me })
}

/// Judges a directory, and those through which the path leads. A directory that does not exist yet is
/// trusted, because the user is going to make it. A link of the user's own may lead to the directory.
pub(crate) fn check_directory(path: &Path) -> Result<(), Distrust> {
    let me = Me::of_process();
    check_way(path, &me)?;
    judge_directory(path, &me)
}

/// Judges a directory whose files only the user may read, and the directories through which the path leads. A
/// link is none. The error is that of looking at it.
pub(crate) fn check_closed(path: &Path) -> io::Result<Result<(), Distrust>> {
    let me = Me::of_process();
    let status = Status::of(&std::fs::symlink_metadata(path)?);
    Ok(judge_closed(status, &me).and_then(|()| way::check(path, &me)))
}

/// Judges a directory of heddle's below a directory that belongs to the user's desktop or to the system, such
/// as `~/.cache`.
pub(crate) fn check_place(path: &Path) -> Result<(), Distrust> {
    let me = Me::of_process();
    check_way(path, &me)?;
    close_to_group(path, &me);
    judge_directory(path, &me)
}

fn check_way(path: &Path, me: &Me) -> Result<(), Distrust> {
    // What is mounted on demand is there only when something in it was asked for.
    let _ = std::fs::symlink_metadata(path);
    way::check(path, me)
}

fn judge_directory(path: &Path, me: &Me) -> Result<(), Distrust> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let status = Status::of(&found);
    if status.kind == Kind::Link && status.owner == me.uid {
        return match std::fs::metadata(path) {
            Ok(target) => judge(Status::of(&target), Kind::Directory, me),
            Err(_) => Ok(()),
        };
    }
    judge(status, Kind::Directory, me)
}

/// Takes the right to write from the group of a directory of the user's own. Earlier releases of heddle have
/// made their directories with what the umask left, and where each user has a group of the same name, that is
/// usually 775. If this fails, the directory is judged as it is.
fn close_to_group(path: &Path, me: &Me) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return };
    let Ok(found) = directory.metadata() else { return };
    let own_group = found.gid() == rustix::process::getegid().as_raw();
    let mode = found.mode() & 0o7777;
    let only_group = mode & (GROUP_WRITES | EVERYBODY_WRITES) == GROUP_WRITES;
    if found.uid() == me.uid && own_group && only_group {
        let closed = Mode::from_raw_mode(mode & !GROUP_WRITES);
        if let Err(error) = rustix::fs::fchmod(&directory, closed) {
            tracing::info!(%error, path = %path.display(), "the group of this directory can write to it");
        }
    }
}

/// Makes a directory, and those above it that are missing, for the user alone. It is an error if the
/// directory is not the user's own, or if its path leads through one that others can change.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    check_made(path)
}

/// Writes a value as JSON to a file in a directory of the user alone. Other processes read either the old
/// file or the new one.
pub(crate) fn write_json(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    make_directory(directory)?;
    let mut new = NamedTempFile::new_in(directory)?;
    new.write_all(&serde_json::to_vec(value)?)?;
    new.persist(file).map_err(|e| e.error)?;
    Ok(())
}

/// Whether [`make_directory`] would succeed, and files could be made in the directory. It makes nothing, so a
/// file system with rules of its own may still refuse.
pub(crate) fn could_make_directory(path: &Path) -> io::Result<()> {
    for directory in path.ancestors() {
        match directory.metadata() {
            Ok(found) if found.is_dir() => {
                rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
                break;
            }
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    check_made(path)
}

fn check_made(path: &Path) -> io::Result<()> {
    check_directory(path).map_err(|distrust| {
        io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not used: {distrust}", path.display()))
    })
}

#[cfg(test)]
mod tests;

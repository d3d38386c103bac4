//! Says whether a file or directory of this machine is the user's own, so that nobody else can have put
//! something into it. Other users can write to directories such as `/tmp`, and may have made there what this
//! user is about to read.
//!
//! A file is judged when it is open, so that it cannot be exchanged between the judgement and its use.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The bits of a mode by which the group or others may write.
const OTHERS_WRITE: u32 = 0o022;
/// The bit of a mode by which everybody may write.
const EVERYBODY_WRITES: u32 = 0o002;
/// The bit of a directory's mode by which only the owner of an entry can rename or remove the entry.
const STICKY: u32 = 0o1000;

/// What something in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Fifo,
    Socket,
    Device,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// What the operating system says about a file or directory, as far as it decides whether it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    kind: Kind,
    owner: u32,
    mode: u32,
    /// The number of its names (hard links).
    names: u64,
}

impl Status {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let kind = match metadata.mode() & 0o170000 {
            0o100000 => Kind::File,
            0o040000 => Kind::Directory,
            0o120000 => Kind::Link,
            0o010000 => Kind::Fifo,
            0o140000 => Kind::Socket,
            _ => Kind::Device,
        };
        let mode = metadata.mode() & 0o7777;
        Self { kind, owner: metadata.uid(), mode, names: metadata.nlink() }
    }
}

/// Why a file or directory is not trusted. It is shown as the end of a sentence whose subject was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distrust {
    reason: Reason,
    owner: u32,
    /// The user who does not trust it.
    me: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It is something else than what is wanted.
    Kind { found: Kind, wanted: Kind },
    /// It belongs to another user.
    Foreign,
    /// The group or others may write to it.
    Writable { mode: u32 },
    /// It is a file with further names, which may be in directories of other users.
    Names { count: u64 },
    /// Everybody can replace what is in it.
    Open { mode: u32 },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = name(self.owner);
        match self.reason {
            Reason::Kind { found, wanted } => {
                write!(f, "it is {found} that belongs to {owner}, and not {wanted}")
            }
            Reason::Foreign => write!(f, "it belongs to {owner}, and not to {}", name(self.me)),
            Reason::Writable { mode } => {
                write!(f, "not only its owner, {owner}, may write to it (mode {mode:04o})")
            }
            Reason::Names { count } => {
                write!(
                    f,
                    "it has {count} names (hard links), and others may be another user's; it belongs to {owner}"
                )
            }
            Reason::Open { mode } => write!(
                f,
                "everybody can replace what is in the directory above it, which belongs to {owner} (mode {mode:04o})"
            ),
        }
    }
}

/// The name of a user for messages.
fn name(uid: u32) -> String {
    hadoop_rpc::user_name(uid).unwrap_or_else(|| format!("the user with the id {uid}"))
}

/// The effective user of this process.
fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the user `me` can trust this: it is what is wanted, it belongs to `me`, and nobody else may write
/// to it. Root trusts nothing of other users either, because what they have written is not root's wish.
fn judge(status: Status, wanted: Kind, me: u32) -> Result<(), Distrust> {
    let Status { kind, owner, mode, names } = status;
    let distrust = |reason| Err(Distrust { reason, owner, me });
    if kind != wanted {
        return distrust(Reason::Kind { found: kind, wanted });
    }
    if owner != me {
        return distrust(Reason::Foreign);
    }
    if mode & OTHERS_WRITE != 0 {
        return distrust(Reason::Writable { mode });
    }
    if kind == Kind::File && names > 1 {
        return distrust(Reason::Names { count: names });
    }
    Ok(())
}

/// Whether the names in a directory stay what they are: only their owners can replace them.
fn judge_above(status: Status, me: u32) -> Result<(), Distrust> {
    let Status { owner, mode, .. } = status;
    if mode & EVERYBODY_WRITES != 0 && mode & STICKY == 0 {
        return Err(Distrust { reason: Reason::Open { mode }, owner, me });
    }
    Ok(())
}

/// Opens a regular file that must be the user's own. A link is not followed, and a FIFO does not make this
/// wait. The error is that of opening the file; a file that is not trusted is none.
pub(crate) fn open(path: &Path) -> io::Result<Result<File, Distrust>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            Ok(judge(Status::of(&file.metadata()?), Kind::File, me()).map(|()| file))
        }
        // The open fails for links, sockets and files that only another user may read.
        Err(error) => {
            match std::fs::symlink_metadata(path).map(|m| judge(Status::of(&m), Kind::File, me())) {
                Ok(Err(distrust)) => Ok(Err(distrust)),
                Ok(Ok(())) | Err(_) => Err(error.into()),
            }
        }
    }
}

/// Judges a file that this process has open.
pub(crate) fn check_open(file: &File) -> io::Result<Result<(), Distrust>> {
    Ok(judge(Status::of(&file.metadata()?), Kind::File, me()))
}

/// Whether there is something at `path` that belongs to another user.
pub(crate) fn is_foreign(path: &Path) -> Option<Distrust> {
    let status = Status::of(&std::fs::symlink_metadata(path).ok()?);
    let me = me();
    let Status { kind, owner, .. } = status;
    let reason =
        if kind == Kind::File { Reason::Foreign } else { Reason::Kind { found: kind, wanted: Kind::File } };
    (owner != me).then_some(Distrust { reason, owner, me })
}

/// Judges a directory. A directory that does not exist yet is trusted, because the user is going to make it.
/// A link of the user's own may lead to the directory.
pub(crate) fn check_directory(path: &Path) -> Result<(), Distrust> {
    let me = me();
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let status = Status::of(&found);
    if status.kind == Kind::Link && status.owner == me {
        return match std::fs::metadata(path) {
            Ok(target) => judge(Status::of(&target), Kind::Directory, me),
            Err(_) => Ok(()),
        };
    }
    judge(status, Kind::Directory, me)
}

/// Judges a directory of heddle's below a directory that belongs to the user's desktop or to the system, such
/// as `~/.cache`.
pub(crate) fn check_place(path: &Path) -> Result<(), Distrust> {
    if let Some(Ok(above)) = path.parent().map(std::fs::metadata) {
        judge_above(Status::of(&above), me())?;
    }
    close_to_group(path);
    check_directory(path)
}

/// Takes the right to write from the group of a directory of the user's own. Earlier releases of heddle have
/// made their directories with what the umask left, and where each user has a group of the same name, that is
/// usually 775. If this fails, the directory is judged as it is.
fn close_to_group(path: &Path) {
    const GROUP_WRITES: u32 = 0o020;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return };
    let Ok(found) = directory.metadata() else { return };
    let own_group = found.gid() == rustix::process::getegid().as_raw();
    let mode = found.mode() & 0o7777;
    if found.uid() == me() && own_group && mode & OTHERS_WRITE == GROUP_WRITES {
        let closed = Mode::from_raw_mode(mode & !GROUP_WRITES);
        if let Err(error) = rustix::fs::fchmod(&directory, closed) {
            tracing::info!(%error, path = %path.display(), "the group of this directory can write to it");
        }
    }
}

/// Makes a directory, and those above it that are missing, for the user alone. It is an error if the
/// directory is not the user's own.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    check_directory(path).map_err(|distrust| {
        io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not used: {distrust}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const ME: u32 = 1000;

    fn status(kind: Kind, owner: u32, mode: u32) -> Status {
        Status { kind, owner, mode, names: 1 }
    }

    #[test]
    fn only_what_is_ones_own_and_closed_to_others_is_trusted() {
        let file = |owner, mode| judge(status(Kind::File, owner, mode), Kind::File, ME).map_err(|d| d.reason);
        for mode in [0o600, 0o644, 0o400, 0o755] {
            assert_eq!(file(ME, mode), Ok(()), "{mode:o}");
        }
        for mode in [0o664, 0o620, 0o602, 0o777] {
            assert_eq!(file(ME, mode), Err(Reason::Writable { mode }));
        }
        // Also of root's, and of the user as whom a file system without owners shows all files.
        for owner in [0, 1001, 65534] {
            assert_eq!(file(owner, 0o600), Err(Reason::Foreign), "{owner}");
        }
        for found in [Kind::Directory, Kind::Link, Kind::Fifo, Kind::Socket, Kind::Device] {
            let judged = judge(status(found, ME, 0o600), Kind::File, ME).map_err(|d| d.reason);
            assert_eq!(judged, Err(Reason::Kind { found, wanted: Kind::File }));
        }
        let linked = Status { names: 2, ..status(Kind::File, ME, 0o600) };
        assert_eq!(judge(linked, Kind::File, ME).map_err(|d| d.reason), Err(Reason::Names { count: 2 }));
        let directory = Status { names: 9, ..status(Kind::Directory, ME, 0o700) };
        assert_eq!(judge(directory, Kind::Directory, ME), Ok(()));
        assert!(judge(status(Kind::File, ME, 0o600), Kind::File, 0).is_err(), "root's user is not root");
    }

    #[test]
    fn where_everybody_may_rename_nothing_is_safe() {
        for (mode, trusted) in [(0o755, true), (0o1777, true), (0o775, true), (0o777, false), (0o733, false)]
        {
            assert_eq!(judge_above(status(Kind::Directory, 0, mode), ME).is_ok(), trusted, "{mode:o}");
        }
    }

    #[test]
    fn one_sentence_names_the_owner() {
        let text = |reason| Distrust { reason, owner: 4_000_000_001, me: 0 }.to_string();
        let owner = "the user with the id 4000000001";
        assert_eq!(text(Reason::Foreign), format!("it belongs to {owner}, and not to root"));
        let kind = Reason::Kind { found: Kind::Fifo, wanted: Kind::File };
        assert_eq!(text(kind), format!("it is a FIFO that belongs to {owner}, and not a regular file"));
        for reason in
            [Reason::Writable { mode: 0o664 }, Reason::Names { count: 2 }, Reason::Open { mode: 0o777 }]
        {
            assert!(text(reason).contains(owner), "{reason:?}");
        }
        assert!(text(Reason::Writable { mode: 0o664 }).contains("mode 0664"));
    }

    #[test]
    fn files_as_they_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mode =
            |name: &str, mode| std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        std::fs::write(at("own"), "1").unwrap();
        mode("own", 0o600);
        assert!(open(&at("own")).unwrap().is_ok());
        symlink(at("own"), at("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let reason = |name: &str| open(&at(name)).unwrap().unwrap_err().reason;
        let wanted = Kind::File;
        assert_eq!(reason("link"), Reason::Kind { found: Kind::Link, wanted });
        assert_eq!(reason("fifo"), Reason::Kind { found: Kind::Fifo, wanted });
        mode("own", 0o660);
        assert_eq!(reason("own"), Reason::Writable { mode: 0o660 });
        assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(is_foreign(&at("own")), None);
    }

    #[test]
    fn directories_are_made_for_the_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (place, inner) = (dir.path().join("heddle"), dir.path().join("heddle/cds/x"));
        assert!(check_place(&place).is_ok(), "it is not there yet");
        make_directory(&inner).unwrap();
        for made in [&place, &inner] {
            assert_eq!(std::fs::metadata(made).unwrap().mode() & 0o777, 0o700);
        }
        let link = dir.path().join("link");
        symlink(&place, &link).unwrap();
        assert!(check_place(&link).is_ok(), "a link of one's own to a directory of one's own");
        let earlier = dir.path().join("earlier");
        std::fs::create_dir(&earlier).unwrap();
        for (mode, trusted) in [(0o775, true), (0o757, false)] {
            std::fs::set_permissions(&earlier, Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_place(&earlier).is_ok(), trusted, "{mode:o}");
        }
        std::fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        for open in [&place, &link] {
            assert!(check_place(open).is_err());
        }
        assert!(make_directory(&place).unwrap_err().to_string().contains("may write to it"));
        std::fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(check_place(&place).unwrap_err().to_string().contains("mode 0777"));
    }
}

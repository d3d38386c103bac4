//! What the system says about a file or directory, and whether a user trusts it therefore.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::accounts;

/// The bit of a mode by which the group may write.
pub(super) const GROUP_WRITES: u32 = 0o020;
/// The bit of a mode by which everybody may write.
pub(super) const EVERYBODY_WRITES: u32 = 0o002;

/// The bits of a mode by which others than the owner may do anything.
const OTHERS: u32 = 0o077;

/// What something in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Status {
    pub(super) kind: Kind,
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
    /// The number of its names (hard links).
    pub(super) names: u64,
}

impl Status {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        let kind = match metadata.mode() & 0o170000 {
            0o100000 => Kind::File,
            0o040000 => Kind::Directory,
            0o120000 => Kind::Link,
            0o010000 => Kind::Fifo,
            0o140000 => Kind::Socket,
            _ => Kind::Device,
        };
        let mode = metadata.mode() & 0o7777;
        Self { kind, owner: metadata.uid(), group: metadata.gid(), mode, names: metadata.nlink() }
    }
}

/// The user who asks, and what the system knows of others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Me {
    pub(super) uid: u32,
    /// Whether this is the id of root.
    pub(super) is_root: fn(u32) -> bool,
    /// Whether nobody but the user with the first id and root is in the group with the second id.
    pub(super) is_private: fn(u32, u32) -> bool,
}

impl Me {
    /// The effective user of this process.
    pub(super) fn of_process() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self { uid, is_root: accounts::is_root, is_private: accounts::is_private }
    }

    /// Whether others than the owner, this user and root may write.
    pub(super) fn others_write(&self, status: Status) -> bool {
        status.mode & EVERYBODY_WRITES != 0
            || (status.mode & GROUP_WRITES != 0 && !(self.is_private)(self.uid, status.group))
    }
}

/// Why a file or directory is not trusted. It is shown as the end of a sentence whose subject was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distrust {
    pub(super) reason: Reason,
    /// What is not trusted, if it is a directory or link through which the path leads.
    pub(super) through: Option<PathBuf>,
    pub(super) owner: u32,
    /// The user who does not trust it.
    pub(super) me: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is something else than what is wanted.
    Kind { found: Kind, wanted: Kind },
    /// It belongs to another user.
    Foreign,
    /// Others may write to it.
    Writable { mode: u32 },
    /// Others may look into it.
    Open { mode: u32 },
    /// It is a file with further names, which may be in directories of other users.
    Names { count: u64 },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, me) = (name(self.owner), name(self.me));
        match (self.reason, &self.through) {
            (Reason::Kind { found, wanted }, _) => {
                write!(f, "it is {found} that belongs to {owner}, and not {wanted}")
            }
            (Reason::Names { count }, _) => {
                write!(
                    f,
                    "it has {count} names (hard links), and others may be another user's; it belongs to {owner}"
                )
            }
            (Reason::Open { mode }, _) => {
                write!(
                    f,
                    "not only its owner, {owner}, may look into it (mode {mode:04o}, and 0700 is needed)"
                )
            }
            (Reason::Foreign, None) => write!(f, "it belongs to {owner}, and not to {me}"),
            (Reason::Foreign, Some(through)) => {
                let root = if self.me == 0 { "" } else { " or root" };
                write!(
                    f,
                    "the path leads through {}, which belongs to {owner}, and not to {me}{root}",
                    through.display()
                )
            }
            (Reason::Writable { mode }, None) => {
                write!(f, "not only its owner, {owner}, may write to it (mode {mode:04o})")
            }
            (Reason::Writable { mode }, Some(through)) => write!(
                f,
                "the path leads through {}, and not only its owner, {owner}, may write to that (mode {mode:04o})",
                through.display()
            ),
        }
    }
}

/// The name of a user for messages.
fn name(uid: u32) -> String {
    hadoop_rpc::user_name(uid).unwrap_or_else(|| format!("the user with the id {uid}"))
}

/// Whether this user can trust something: it is what is wanted, it belongs to this user, and nobody else may
/// write to it. Root trusts nothing of other users either, because what they have written is not root's wish.
pub(super) fn judge(status: Status, wanted: Kind, me: &Me) -> Result<(), Distrust> {
    let Status { kind, owner, mode, names, .. } = status;
    let distrust = |reason| Err(Distrust { reason, through: None, owner, me: me.uid });
    if kind != wanted {
        return distrust(Reason::Kind { found: kind, wanted });
    }
    if owner != me.uid {
        return distrust(Reason::Foreign);
    }
    if me.others_write(status) {
        return distrust(Reason::Writable { mode });
    }
    if kind == Kind::File && names > 1 {
        return distrust(Reason::Names { count: names });
    }
    Ok(())
}

/// Whether a directory is the user's own, and nobody else may even look into it.
pub(super) fn judge_closed(status: Status, me: &Me) -> Result<(), Distrust> {
    judge(status, Kind::Directory, me)?;
    let Status { owner, mode, .. } = status;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(Distrust { reason: Reason::Open { mode }, through: None, owner, me: me.uid })
}

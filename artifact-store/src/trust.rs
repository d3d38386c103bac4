//! Whose files of a store are used. Does no I/O.
//!
//! What a store holds is run with the rights of the user whose application gets it. The hash in a file's path
//! says what the file should be, but nobody computes it again on the nodes. So a file counts only if nobody
//! but the user, and the owner of the store, can have written it or put it there: the file and each directory
//! between it and the store's root belong to one of the two, and nobody else may write to them.

use std::fmt;

use hadoop_fs::FileStatus;

/// The bits of a mode by which the group or others may write.
const OTHERS_WRITE: u16 = 0o022;
/// All bits of a mode for the group and for others.
const OTHERS: u16 = 0o077;
/// The bit of a directory's mode by which only the owner of an entry can rename or remove the entry.
const STICKY: u16 = 0o1000;

/// Who may own the root of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootOwner {
    /// Anybody, because the user has named the store. An administrator may fill it for all users.
    Anybody,
    /// The user alone, because the store was not named but is found at its usual place. Then all directories
    /// below this one must be the user's own, too.
    User {
        /// The directory in which the store's place is.
        below: String,
    },
}

/// Why a file, or a whole store, is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// The path of the file or directory.
    pub path: String,
    /// Whose it is.
    pub owner: String,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The owner is neither the user nor the owner of the store.
    Foreign,
    /// The group or others may write to it.
    Writable { mode: u16 },
    /// The group or others have rights where nobody else may have any.
    Open { mode: u16 },
}

impl Distrust {
    fn new(status: &FileStatus, reason: Reason) -> Self {
        Self { path: status.path.clone(), owner: status.owner.clone(), reason }
    }

    /// Whether the user can mend this with `chmod`, because it is the user's own.
    pub fn is_about_a_mode(&self) -> bool {
        self.reason != Reason::Foreign
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, owner, reason } = self;
        match reason {
            Reason::Foreign => write!(f, "{path} belongs to {owner}"),
            Reason::Writable { mode } => {
                write!(f, "not only the owner of {path}, {owner}, may write to it (mode {mode:04o})")
            }
            Reason::Open { mode } => {
                write!(f, "{path}, which belongs to {owner}, is not closed to others (mode {mode:04o})")
            }
        }
    }
}

/// Decides which files of one store a user trusts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// The user.
    pub(crate) user: &'a str,
    pub(crate) root_owner: &'a RootOwner,
    /// Whether nobody else may have any rights in the store.
    pub(crate) private: bool,
}

impl Judge<'_> {
    /// Judges the root of the store, and the directories above it that must be the user's own. `levels` are
    /// the directories from the root of the file system down to that of the store, as far as they exist.
    pub(crate) fn root<'l>(
        &self,
        root: &str,
        levels: impl Iterator<Item = &'l FileStatus>,
    ) -> Result<(), Distrust> {
        for level in levels {
            let is_root = level.path == root;
            let own = match self.root_owner {
                RootOwner::Anybody => false,
                RootOwner::User { below } => is_below(&level.path, below),
            };
            if own && level.owner != self.user {
                return Err(Distrust::new(level, Reason::Foreign));
            }
            if (own || is_root) && is_loose(level) {
                return Err(Distrust::new(level, Reason::Writable { mode: level.mode }));
            }
            if is_root && self.private && level.mode & OTHERS != 0 {
                return Err(Distrust::new(level, Reason::Open { mode: level.mode }));
            }
        }
        Ok(())
    }

    /// Judges what is in the store: directories below the root, and a file in the last of them. `owner` owns
    /// the root.
    pub(crate) fn inside<'l>(
        &self,
        owner: &str,
        levels: impl Iterator<Item = &'l FileStatus>,
    ) -> Result<(), Distrust> {
        for level in levels {
            if level.owner != self.user && level.owner != owner {
                return Err(Distrust::new(level, Reason::Foreign));
            }
            if is_loose(level) {
                return Err(Distrust::new(level, Reason::Writable { mode: level.mode }));
            }
        }
        Ok(())
    }
}

/// Whether somebody else than the owner can replace what is in a directory, or change a file. In a sticky
/// directory others can only add something, and whose that is, is judged for itself.
pub(crate) fn is_loose(status: &FileStatus) -> bool {
    status.mode & OTHERS_WRITE != 0 && !(status.is_dir && status.mode & STICKY != 0)
}

/// Whether `path` is strictly below the directory `above`.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// Judges a directory that holds what is one user's alone: it belongs to this user, and nobody else has any
/// rights there. Making a directory succeeds also if another user has made it before.
pub fn check_private(directory: &FileStatus, user: &str) -> Result<(), Distrust> {
    if directory.owner != user {
        return Err(Distrust::new(directory, Reason::Foreign));
    }
    if directory.mode & OTHERS != 0 {
        return Err(Distrust::new(directory, Reason::Open { mode: directory.mode }));
    }
    Ok(())
}

/// Judges a directory above a private one: it belongs to the user, and nobody else can replace what is in it.
pub fn check_own(directory: &FileStatus, user: &str) -> Result<(), Distrust> {
    if directory.owner != user {
        return Err(Distrust::new(directory, Reason::Foreign));
    }
    match is_loose(directory) {
        true => Err(Distrust::new(directory, Reason::Writable { mode: directory.mode })),
        false => Ok(()),
    }
}

/// Judges the root of a store that is to be published: it belongs to the user, and nobody else may write to
/// it.
pub(crate) fn check_own_alone(directory: &FileStatus, user: &str) -> Result<(), Distrust> {
    match is_common(directory, user) {
        false => Ok(()),
        true if directory.owner != user => Err(Distrust::new(directory, Reason::Foreign)),
        true => Err(Distrust::new(directory, Reason::Writable { mode: directory.mode })),
    }
}

/// Whether several users share this directory: it belongs to somebody else, or others may write to it, too.
pub fn is_common(directory: &FileStatus, user: &str) -> bool {
    directory.owner != user || directory.mode & OTHERS_WRITE != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, owner: &str, mode: u16) -> FileStatus {
        FileStatus {
            path: path.into(),
            len: 1,
            is_dir: !path.ends_with(".jar"),
            mode,
            owner: owner.into(),
            group: String::new(),
            modified_ms: 1,
            accessed_ms: 0,
            replication: 1,
            block_size: 1,
        }
    }

    const NAMED: RootOwner = RootOwner::Anybody;

    fn inside(levels: &[(&str, &str, u16)]) -> Result<(), String> {
        let levels: Vec<FileStatus> = levels.iter().map(|(p, o, m)| entry(p, o, *m)).collect();
        let judge = Judge { user: "ann", root_owner: &NAMED, private: false };
        judge.inside("admin", levels.iter()).map_err(|distrust| distrust.to_string())
    }

    #[test]
    fn each_level_is_the_users_or_the_store_owners() {
        for (first, second, file) in [
            ("ann", "ann", "ann"),
            ("admin", "admin", "admin"),
            ("admin", "ann", "ann"),
            ("ann", "admin", "admin"),
        ] {
            let levels =
                [("/s/ab", first, 0o755), ("/s/ab/x", second, 0o755), ("/s/ab/x/a.jar", file, 0o644)];
            assert_eq!(inside(&levels), Ok(()), "{first} {second} {file}");
        }
        for foreign in 0..3 {
            let owner = |level| if level == foreign { "eve" } else { "admin" };
            let levels = [
                ("/s/ab", owner(0), 0o755),
                ("/s/ab/x", owner(1), 0o755),
                ("/s/ab/x/a.jar", owner(2), 0o644),
            ];
            assert_eq!(inside(&levels), Err(format!("{} belongs to eve", levels[foreign].0)));
        }
    }

    #[test]
    fn nobody_else_may_write() {
        for (path, mode, trusted) in [
            ("/s/ab", 0o755, true),
            ("/s/ab", 0o1777, true),
            ("/s/ab", 0o777, false),
            ("/s/ab", 0o775, false),
            ("/s/ab", 0o757, false),
            ("/s/ab/x/a.jar", 0o644, true),
            ("/s/ab/x/a.jar", 0o600, true),
            ("/s/ab/x/a.jar", 0o664, false),
            // What the bit means for a directory, it does not mean for a file.
            ("/s/ab/x/a.jar", 0o1646, false),
        ] {
            assert_eq!(inside(&[(path, "ann", mode)]).is_ok(), trusted, "{path} {mode:o}");
        }
    }

    fn root(root_owner: &RootOwner, private: bool, levels: &[(&str, &str, u16)]) -> Result<(), String> {
        let levels: Vec<FileStatus> = levels.iter().map(|(p, o, m)| entry(p, o, *m)).collect();
        let judge = Judge { user: "ann", root_owner, private };
        judge.root("/b/h/s", levels.iter()).map_err(|distrust| distrust.to_string())
    }

    #[test]
    fn a_store_that_was_named_may_be_anybodys() {
        for (mode, trusted) in
            [(0o755, true), (0o1777, true), (0o1775, true), (0o777, false), (0o775, false), (0o700, true)]
        {
            let levels = [("/", "hdfs", 0o755), ("/b", "eve", 0o777), ("/b/h/s", "admin", mode)];
            assert_eq!(root(&NAMED, false, &levels).is_ok(), trusted, "{mode:o}");
        }
    }

    #[test]
    fn a_store_at_its_usual_place_is_the_users() {
        let mine = RootOwner::User { below: "/b".into() };
        let with = |above: (&str, u16), store: (&str, u16), private| {
            let levels = [("/b", "hdfs", 0o1777), ("/b/h", above.0, above.1), ("/b/h/s", store.0, store.1)];
            root(&mine, private, &levels)
        };
        assert_eq!(with(("ann", 0o755), ("ann", 0o755), false), Ok(()));
        assert_eq!(with(("ann", 0o755), ("ann", 0o700), true), Ok(()));
        assert_eq!(with(("eve", 0o755), ("ann", 0o700), true), Err("/b/h belongs to eve".into()));
        assert_eq!(with(("ann", 0o755), ("eve", 0o755), false), Err("/b/h/s belongs to eve".into()));
        assert!(with(("ann", 0o777), ("ann", 0o755), false).unwrap_err().contains("/b/h, ann, may write"));
        assert!(with(("ann", 0o755), ("ann", 0o755), true).unwrap_err().contains("not closed to others"));
        assert_eq!(root(&mine, true, &[("/b", "hdfs", 0o1777)]), Ok(()), "it is not there yet");
    }

    #[test]
    fn directories_of_one_user() {
        let check = |owner: &str, mode| check_private(&entry("/d", owner, mode), "ann").is_ok();
        assert!(check("ann", 0o700));
        assert!(!check("eve", 0o700) && !check("ann", 0o750) && !check("ann", 0o701));
        let own = |owner: &str, mode| check_own(&entry("/d", owner, mode), "ann").is_ok();
        assert!(own("ann", 0o755) && own("ann", 0o1777));
        assert!(!own("eve", 0o755) && !own("ann", 0o777));
        let common = |owner: &str, mode| is_common(&entry("/d", owner, mode), "ann");
        assert!(common("hdfs", 0o1777) && common("ann", 0o1777) && common("hdfs", 0o755));
        assert!(!common("ann", 0o755));
        let alone = |owner: &str, mode| check_own_alone(&entry("/d", owner, mode), "ann").is_ok();
        assert!(alone("ann", 0o755) && !alone("ann", 0o1777) && !alone("hdfs", 0o755));
    }

    #[test]
    fn below_is_strictly_below() {
        assert!(is_below("/a/b", "/a") && is_below("/a/b/c", "/a/") && is_below("/a", "/"));
        assert!(!is_below("/a", "/a") && !is_below("/ab", "/a") && !is_below("/", "/"));
    }
}

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
    /// Another user, too, because the user has named the store, which an administrator may fill for all
    /// users. So nobody else may be able to exchange the root, or to have made it first.
    Named {
        /// The user's home directory. If the store is in it, only what is below it is judged: the user's
        /// other files are there, too.
        home: String,
    },
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
    /// It belongs to another user, and others may write to the directory above it, which has the mode
    /// `above`. So whoever came first has made it.
    Claimed { above: u16 },
    /// The group or others may write to it.
    Writable { mode: u16 },
    /// The group or others have rights where nobody else may have any.
    Open { mode: u16 },
}

impl Distrust {
    fn new(status: &FileStatus, reason: Reason) -> Self {
        Self { path: status.path.clone(), owner: status.owner.clone(), reason }
    }

    /// What helps. `named` is the root of the store if the configuration names it.
    pub(crate) fn remedy(&self, named: Option<&str>) -> Remedy {
        let mode = match self.reason {
            Reason::Foreign | Reason::Claimed { .. } => None,
            Reason::Writable { .. } => Some("go-w"),
            Reason::Open { .. } => Some("go-rwx"),
        };
        match mode {
            _ if named.is_some_and(|root| is_below(root, &self.path)) => {
                Remedy::OtherStore { sticky: mode.is_some() }
            }
            Some(mode) => Remedy::Chmod(mode),
            None if named == Some(&*self.path) => Remedy::OtherStore { sticky: false },
            None => Remedy::Delete,
        }
    }
}

/// What helps if a store cannot be used because something is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// `chmod` with this mode.
    Chmod(&'static str),
    /// To delete it, because it is in the place of something of the user's.
    Delete,
    /// To name another store: it is a named store of another user, or a directory above a named store, so
    /// that it holds more than the store.
    OtherStore {
        /// Whether the sticky bit of that directory is enough for a store of the user's own.
        sticky: bool,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, owner, reason } = self;
        match reason {
            Reason::Foreign => write!(f, "{path} belongs to {owner}"),
            Reason::Claimed { above } => {
                write!(
                    f,
                    "{path} belongs to {owner}, and others, too, may write to the directory above it (mode {above:04o})"
                )
            }
            Reason::Writable { mode } => {
                write!(f, "not only the owner of {path}, {owner}, may write to it (mode {mode:04o})")
            }
            Reason::Open { mode } => {
                write!(f, "{path}, which belongs to {owner}, is not closed to others (mode {mode:04o})")
            }
        }
    }
}

/// Decides whether a user trusts a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// The user.
    pub(crate) user: &'a str,
    pub(crate) root_owner: &'a RootOwner,
    /// Whether nobody else may have any rights in the store.
    pub(crate) private: bool,
}

impl Judge<'_> {
    /// Judges the root of the store and the directories above it. `levels` are the directories from the root
    /// of the file system down to that of the store, as far as they exist.
    pub(crate) fn root<'l>(
        &self,
        root: &str,
        levels: impl Iterator<Item = &'l FileStatus>,
    ) -> Result<(), Distrust> {
        let levels: Vec<&FileStatus> = levels.collect();
        match self.root_owner {
            RootOwner::Named { home } => self.named(root, home, &levels)?,
            RootOwner::User { below } => self.own(root, below, &levels)?,
        }
        match levels.iter().find(|level| level.path == root && level.mode & OTHERS != 0) {
            Some(open) if self.private => Err(Distrust::new(open, Reason::Open { mode: open.mode })),
            _ => Ok(()),
        }
    }

    /// Judges the levels of a named store as ssh judges those of a key: each belongs to the user, to the
    /// owner of the store or to the superuser, and nobody else can exchange what is in it. What is not the
    /// user's or the superuser's must have been put there by the owner of the directory above it.
    fn named(&self, root: &str, home: &str, levels: &[&FileStatus]) -> Result<(), Distrust> {
        let owner_of = |path: &str| levels.iter().find(|level| level.path == path).map(|level| &level.owner);
        // On HDFS the root of the file system belongs to the superuser.
        let (superuser, owner) = (owner_of("/"), owner_of(root));
        let mut above = 0;
        for level in levels {
            let is_others = level.owner != self.user && Some(&level.owner) != superuser;
            let wrong = if is_others && Some(&level.owner) != owner {
                Some(Reason::Foreign)
            } else if is_others && above & OTHERS_WRITE != 0 {
                Some(Reason::Claimed { above })
            } else {
                is_loose(level).then_some(Reason::Writable { mode: level.mode })
            };
            above = level.mode;
            let is_judged = !is_below(root, home) || is_below(&level.path, home);
            if let Some(reason) = wrong.filter(|_| is_judged) {
                return Err(Distrust::new(level, reason));
            }
        }
        Ok(())
    }

    /// Judges the levels of a store at its usual place: what is below the directory `below` is the user's
    /// own, and nobody else can exchange what is in it.
    fn own(&self, root: &str, below: &str, levels: &[&FileStatus]) -> Result<(), Distrust> {
        for level in levels {
            let own = is_below(&level.path, below);
            if own && level.owner != self.user {
                return Err(Distrust::new(level, Reason::Foreign));
            }
            if (own || level.path == root) && is_loose(level) {
                return Err(Distrust::new(level, Reason::Writable { mode: level.mode }));
            }
        }
        Ok(())
    }
}

/// Judges what is in a store: directories below its root, and a file in the last of them. `owner` owns the
/// root.
pub(crate) fn inside<'l>(
    user: &str,
    owner: &str,
    levels: impl Iterator<Item = &'l FileStatus>,
) -> Result<(), Distrust> {
    for level in levels {
        if level.owner != user && level.owner != owner {
            return Err(Distrust::new(level, Reason::Foreign));
        }
        if is_loose(level) {
            return Err(Distrust::new(level, Reason::Writable { mode: level.mode }));
        }
    }
    Ok(())
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
    use crate::fixture::status;

    fn entries(levels: &[(&str, &str, u16)]) -> Vec<FileStatus> {
        levels.iter().map(|(path, owner, mode)| status(path, owner, *mode)).collect()
    }

    fn inside(levels: &[(&str, &str, u16)]) -> Result<(), String> {
        super::inside("ann", "admin", entries(levels).iter()).map_err(|distrust| distrust.to_string())
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
        let judge = Judge { user: "ann", root_owner, private };
        judge.root("/b/h/s", entries(levels).iter()).map_err(|distrust| distrust.to_string())
    }

    fn named(home: &str, levels: &[(&str, &str, u16)]) -> Result<(), String> {
        root(&RootOwner::Named { home: home.into() }, false, levels)
    }

    /// The store `/b/h/s`, whose levels below `/` have these owners and modes.
    fn levels<const N: usize>(below: [(&'static str, u16); N]) -> Vec<(&'static str, &'static str, u16)> {
        let paths = ["/b", "/b/h", "/b/h/s"].into_iter();
        let below = paths.zip(below).map(|(path, (owner, mode))| (path, owner, mode));
        std::iter::once(("/", "hdfs", 0o755)).chain(below).collect()
    }

    const SAFE: (&str, u16) = ("hdfs", 0o755);
    const STICKY_FOR_ALL: (&str, u16) = ("hdfs", 0o1777);

    #[test]
    fn a_named_store_may_be_another_users() {
        for owner in ["ann", "hdfs", "admin"] {
            for (mode, trusted) in
                [(0o755, true), (0o1777, true), (0o1775, true), (0o700, true), (0o777, false), (0o775, false)]
            {
                let found = named("/user/ann", &levels([SAFE, SAFE, (owner, mode)]));
                assert_eq!(found.is_ok(), trusted, "{owner} {mode:o}: {found:?}");
            }
            assert_eq!(named("/user/ann", &levels([SAFE, (owner, 0o755), (owner, 0o755)])), Ok(()));
        }
    }

    #[test]
    fn nobody_else_can_exchange_a_named_store() {
        for owner in ["ann", "hdfs", "admin"] {
            for mode in [0o777, 0o775, 0o757] {
                let why = format!("not only the owner of /b, hdfs, may write to it (mode {mode:04o})");
                let found = named("/user/ann", &levels([("hdfs", mode), SAFE, (owner, 0o755)]));
                assert_eq!(found, Err(why), "{owner}");
            }
            let found = named("/user/ann", &levels([SAFE, ("eve", 0o755), (owner, 0o755)]));
            assert_eq!(found, Err("/b/h belongs to eve".into()), "{owner}");
        }
        // Nor can anybody do so with one that does not exist yet.
        assert!(named("/user/ann", &levels([SAFE, ("hdfs", 0o777)])).is_err());
        assert_eq!(named("/user/ann", &levels([SAFE, ("eve", 0o755)])), Err("/b/h belongs to eve".into()));
        for above in [SAFE, STICKY_FOR_ALL, ("ann", 0o755)] {
            assert_eq!(named("/user/ann", &levels([SAFE, above])), Ok(()));
        }
        assert!(named("/user/ann", &[("/", "hdfs", 0o777)]).is_err());
    }

    #[test]
    fn nobody_else_can_have_made_a_named_store_first() {
        for owner in ["ann", "hdfs"] {
            assert_eq!(named("/user/ann", &levels([SAFE, STICKY_FOR_ALL, (owner, 0o755)])), Ok(()));
        }
        let why = "belongs to eve, and others, too, may write to the directory above it (mode 1777)";
        for below in [[SAFE, STICKY_FOR_ALL, ("eve", 0o755)], [SAFE, STICKY_FOR_ALL, ("eve", 0o1777)]] {
            assert_eq!(named("/user/ann", &levels(below)), Err(format!("/b/h/s {why}")));
        }
        let below = [STICKY_FOR_ALL, ("eve", 0o755), ("eve", 0o755)];
        assert_eq!(named("/user/ann", &levels(below)), Err(format!("/b/h {why}")));
    }

    #[test]
    fn a_named_store_at_home_is_judged_below_the_home() {
        for above in [("hdfs", 0o777), ("eve", 0o755)] {
            assert_eq!(named("/b", &levels([above, ("ann", 0o755), ("ann", 0o755)])), Ok(()));
            assert_eq!(named("/b", &levels([above])), Ok(()), "it is not there yet");
        }
        assert!(named("/b", &levels([SAFE, ("ann", 0o777), ("ann", 0o755)])).is_err());
        assert!(named("/b", &levels([("ann", 0o777), ("eve", 0o755), ("eve", 0o755)])).is_err());
        // This is no directory in it.
        assert!(named("/b/h/s", &levels([("hdfs", 0o777), SAFE, ("ann", 0o755)])).is_err());
    }

    #[test]
    fn what_helps() {
        let remedy = |root_owner: &RootOwner, private, levels: &[(&str, &str, u16)]| {
            let judge = Judge { user: "ann", root_owner, private };
            let named = matches!(root_owner, RootOwner::Named { .. }).then_some("/b/h/s");
            judge.root("/b/h/s", entries(levels).iter()).unwrap_err().remedy(named)
        };
        let usual = |below| remedy(&RootOwner::User { below: "/b".into() }, true, &levels(below));
        assert_eq!(usual([SAFE, ("ann", 0o755), ("ann", 0o770)]), Remedy::Chmod("go-w"));
        assert_eq!(usual([SAFE, ("ann", 0o755), ("ann", 0o750)]), Remedy::Chmod("go-rwx"));
        assert_eq!(usual([SAFE, ("eve", 0o777), ("ann", 0o750)]), Remedy::Delete);
        // Above a named store are the files of others.
        let named = |below| remedy(&RootOwner::Named { home: "/user/ann".into() }, false, &levels(below));
        let other = |sticky| Remedy::OtherStore { sticky };
        assert_eq!(named([SAFE, ("etl", 0o755), ("ann", 0o755)]), other(false));
        assert_eq!(named([SAFE, ("hdfs", 0o777), ("ann", 0o755)]), other(true));
        assert_eq!(named([SAFE, STICKY_FOR_ALL, ("etl", 0o755)]), other(false));
        assert_eq!(named([SAFE, SAFE, ("ann", 0o777)]), Remedy::Chmod("go-w"));
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
        let check = |owner: &str, mode| check_private(&status("/d", owner, mode), "ann").is_ok();
        assert!(check("ann", 0o700));
        assert!(!check("eve", 0o700) && !check("ann", 0o750) && !check("ann", 0o701));
        let own = |owner: &str, mode| check_own(&status("/d", owner, mode), "ann").is_ok();
        assert!(own("ann", 0o755) && own("ann", 0o1777));
        assert!(!own("eve", 0o755) && !own("ann", 0o777));
        let common = |owner: &str, mode| is_common(&status("/d", owner, mode), "ann");
        assert!(common("hdfs", 0o1777) && common("ann", 0o1777) && common("hdfs", 0o755));
        assert!(!common("ann", 0o755));
        let alone = |owner: &str, mode| check_own_alone(&status("/d", owner, mode), "ann").is_ok();
        assert!(alone("ann", 0o755) && !alone("ann", 0o1777) && !alone("hdfs", 0o755));
    }

    #[test]
    fn below_is_strictly_below() {
        assert!(is_below("/a/b", "/a") && is_below("/a/b/c", "/a/") && is_below("/a", "/"));
        assert!(!is_below("/a", "/a") && !is_below("/ab", "/a") && !is_below("/", "/"));
    }
}

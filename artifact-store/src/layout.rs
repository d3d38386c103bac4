//! Where a store is, which names it uses, and how long its files have not been used. Does no I/O.

use std::time::Duration;

use hadoop_fs::FileStatus;

/// The directory of the shared store, below the directory that `yarn.staging-directory` names (by default the
/// user's home directory). `heddle.store.dir` can name another one.
pub const SHARED_STORE: &str = ".heddle/store";
/// The directory of the private store, which holds the user's own files, below the same directory.
pub const PRIVATE_STORE: &str = ".heddle/private";

/// The directory of uploads that are not complete yet, below a store's root. If other users may write to the
/// root, each has a directory of an own, with this name as its beginning: whoever owns a directory can
/// exchange what is in it.
pub const INCOMING: &str = ".incoming";

/// The name of the directory of this user's uploads. `common` says whether other users may write to the
/// store's root, too.
pub(crate) fn incoming(user: &str, common: bool) -> String {
    if common { format!("{INCOMING}-{user}") } else { INCOMING.to_owned() }
}

/// Whether a name right below a store's root is that of a directory of uploads.
pub fn is_incoming(name: &str) -> bool {
    name.strip_prefix(INCOMING).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Joins `path` to `base`, which may end in a slash.
pub fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// For how long nobody has written or read a file. `now_ms` is the present time in milliseconds since 1970.
pub fn idle(status: &FileStatus, now_ms: u64) -> Duration {
    Duration::from_millis(now_ms.saturating_sub(status.modified_ms.max(status.accessed_ms)))
}

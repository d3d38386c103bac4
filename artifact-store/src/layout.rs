//! Where a store is, which names it uses, and how long its files have not been used. Does no I/O.

use std::time::Duration;

use hadoop_fs::FileStatus;

/// The directory of the shared store, below the directory that `yarn.staging-directory` names (by default the
/// user's home directory). `heddle.store.dir` can name another one.
pub const SHARED_STORE: &str = ".heddle/store";
/// The directory of the private store, which holds the user's own files, below the same directory.
pub const PRIVATE_STORE: &str = ".heddle/private";

/// The directory of uploads that are not complete yet, below a store's root.
pub const INCOMING: &str = ".incoming";

/// Joins `path` to `base`, which may end in a slash.
pub fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// For how long nobody has written or read a file. `now_ms` is the present time in milliseconds since 1970.
pub fn idle(status: &FileStatus, now_ms: u64) -> Duration {
    Duration::from_millis(now_ms.saturating_sub(status.modified_ms.max(status.accessed_ms)))
}

//! Where a store is, how it is laid out, and how long its files have not been used. Pure.

use std::time::Duration;

use hadoop_fs::FileStatus;

/// Below the staging directory's base: the store for files that anybody may see.
pub const SHARED_STORE: &str = ".heddle/store";
/// The same for the user's own files.
pub const PRIVATE_STORE: &str = ".heddle/private";

/// Below a store's root: the directory of uploads that are not complete yet.
pub const INCOMING: &str = ".incoming";

/// `path` below `base`, which may end in a slash.
pub fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// How long a file has neither been written nor read.
pub fn idle(status: &FileStatus, now_ms: u64) -> Duration {
    Duration::from_millis(now_ms.saturating_sub(status.modified_ms.max(status.accessed_ms)))
}

//! Files of a store, for tests.

use hadoop_fs::FileStatus;

/// A file of one byte, or a directory if the name has no ending.
pub(crate) fn status(path: &str, owner: &str, mode: u16) -> FileStatus {
    let name = path.rsplit('/').next().unwrap_or_default();
    FileStatus {
        path: path.into(),
        len: 1,
        is_dir: name.rfind('.').is_none_or(|at| at == 0),
        mode,
        owner: owner.into(),
        group: String::new(),
        modified_ms: 1,
        accessed_ms: 0,
        replication: 1,
        block_size: 1,
        encrypted: false,
    }
}

//! What callers give and get: files, what to write and how, and who hears of progress.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::FsError;

/// Called with the number of bytes of each piece of a file that was handed over.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Hears why a NameNode is waited for.
pub type OnAbsence = Arc<dyn Fn(&FsError) + Send + Sync>;

/// For how long a NameNode that is not there is waited for, and who hears of it.
#[derive(Clone)]
pub struct Patience {
    /// For each operation.
    pub within: Duration,
    /// Hears, once for each operation, why is waited.
    pub tell: OnAbsence,
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("within", &self.within).finish_non_exhaustive()
    }
}

/// What to write.
#[derive(Debug, Clone)]
pub enum Source {
    /// A local file, read while it is sent.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
}

/// How to write a file.
#[derive(Clone, Default)]
pub struct WriteOptions {
    /// Permissions, exactly (no umask is applied); `None`: 666 less `fs.permissions.umask-mode`.
    pub mode: Option<u16>,
    /// Copies; `None`: `dfs.replication`.
    pub replication: Option<u16>,
    /// Replaces a file of that name; otherwise it is an error.
    pub overwrite: bool,
    /// Nobody will append to it: on HDFS its blocks are no larger than it, and 32 MiB at most. HDFS sets a whole block aside for each
    /// that is being written, so that a hundred small files of blocks of 128 MiB at a time find 12 GiB too little.
    pub fitted: bool,
    /// Told about progress.
    pub progress: Option<Progress>,
}

impl fmt::Debug for WriteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOptions")
            .field("mode", &self.mode.map(|mode| format!("{mode:o}")))
            .field("replication", &self.replication)
            .field("overwrite", &self.overwrite)
            .field("fitted", &self.fitted)
            .finish_non_exhaustive()
    }
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// Absolute path, without the file system.
    pub path: String,
    /// Size in bytes; 0 for directories.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Permissions.
    pub mode: u16,
    /// Owner.
    pub owner: String,
    /// Group.
    pub group: String,
    /// Modification time in ms since 1970, as the NameNode has it.
    pub modified_ms: u64,
    /// Time of the last reading in ms since 1970, which the NameNode notes once an hour (`dfs.namenode.accesstime.precision`); 0 for
    /// directories and where it is not kept.
    pub accessed_ms: u64,
    /// Copies that are wanted; 0 for directories.
    pub replication: u32,
    /// Size of its blocks in bytes; 0 for directories.
    pub block_size: u64,
}

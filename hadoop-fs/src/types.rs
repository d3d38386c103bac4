//! The values that callers pass and get: files, how to write one, and callbacks for progress and waiting.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::FsError;

/// Called with the number of bytes of each piece of a file that was handed over.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Is called with the reason why a NameNode is waited for.
pub type OnAbsence = Arc<dyn Fn(&FsError) + Send + Sync>;

/// For how long a NameNode that is not there is waited for, and who is told.
#[derive(Clone)]
pub struct Patience {
    /// How long it is waited in each operation.
    pub within: Duration,
    /// Is called once in each operation that has to wait.
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
    /// Nobody will append to the file. On HDFS its blocks are then no larger than it is, and at most 32 MiB.
    /// HDFS reserves a whole block for each one that is being written: a hundred small files with blocks of
    /// 128 MiB, written at the same time, would need 12 GiB of free space.
    pub fitted: bool,
    /// Is called with the progress.
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
    /// Time of the last reading in ms since 1970, which the NameNode notes once an hour
    /// (`dfs.namenode.accesstime.precision`); 0 for directories and where it is not kept.
    pub accessed_ms: u64,
    /// Copies that are wanted; 0 for directories.
    pub replication: u32,
    /// Size of its blocks in bytes; 0 for directories.
    pub block_size: u64,
}

//! The values that callers of [`Storage`](crate::Storage) pass and get: what to write and how, the status of
//! a file, and callbacks for progress and waiting. They are the same for HDFS and for other file systems.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::FsError;

/// Is called for each piece of a file that was handed to the file system, with the number of bytes of the
/// piece.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Is called when an operation begins to wait for a NameNode, with the error that its call has ended with.
pub type OnAbsence = Arc<dyn Fn(&FsError) + Send + Sync>;

/// How long operations wait for a NameNode that cannot be reached, and who is told about it.
#[derive(Clone)]
pub struct Patience {
    /// An operation repeats its call until this time has passed.
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
    /// The permissions of the file; no umask is applied to them. `None` stands for 666 without the bits of
    /// `fs.permissions.umask-mode`.
    pub mode: Option<u16>,
    /// The number of copies of each block; `None` stands for `dfs.replication`.
    pub replication: Option<u16>,
    /// Whether an existing file of that name is replaced. Otherwise it is an error of
    /// [`FsErrorKind::AlreadyExists`](crate::FsErrorKind::AlreadyExists).
    pub overwrite: bool,
    /// Whether nobody will append to the file. Then, on HDFS, its block size is its size, rounded up to whole
    /// MiB, but at most 32 MiB, and not more than `dfs.blocksize`. HDFS reserves a whole block for each file
    /// that is being written: a hundred small files with blocks of 128 MiB, written at the same time, would
    /// need more than 12 GiB of free space.
    pub fitted: bool,
    /// Is called for each piece of the file.
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
    /// The absolute path, without scheme and authority.
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
    /// When the file was last read, in ms since 1970. By default, the NameNode updates this time at most once
    /// an hour (`dfs.namenode.accesstime.precision`). It is 0 for directories, and if the file system keeps
    /// no access times.
    pub accessed_ms: u64,
    /// How many copies of each block are wanted; 0 for directories.
    pub replication: u32,
    /// Size of its blocks in bytes; 0 for directories.
    pub block_size: u64,
    /// Whether it is in an encryption zone of HDFS. This is `false` on other file systems, and wherever
    /// Hadoop's own client is used, which decrypts by itself.
    pub encrypted: bool,
}

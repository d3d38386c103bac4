//! The file system as its users see it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hadoop_rpc::{HadoopConf, UserIdentity};

use crate::defaults::Defaults;
use crate::error::{FsError, FsErrorKind};
use crate::hdfs::Hdfs;
use crate::location::{Location, bad_conf};
use crate::upload::{self, Bounds};

/// Deadline of each call to a NameNode, and of each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(60);

/// Called with the number of bytes of each piece of a file that was handed over.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

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
    /// Told about progress.
    pub progress: Option<Progress>,
}

impl fmt::Debug for WriteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOptions")
            .field("mode", &self.mode.map(|mode| format!("{mode:o}")))
            .field("replication", &self.replication)
            .field("overwrite", &self.overwrite)
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

impl From<hdfs_native::client::FileStatus> for FileStatus {
    fn from(s: hdfs_native::client::FileStatus) -> Self {
        Self {
            path: s.path,
            len: s.length as u64,
            is_dir: s.isdir,
            mode: s.permission,
            owner: s.owner,
            group: s.group,
            modified_ms: s.modification_time,
            accessed_ms: s.access_time,
            replication: s.replication.unwrap_or(0),
            block_size: s.blocksize.unwrap_or(0),
        }
    }
}

/// One file system as one user. Cheap to clone; clones share connections and the bound on memory.
///
/// Paths are absolute, relative to the home directory, or URLs on this file system.
#[derive(Debug, Clone)]
pub struct Storage {
    hdfs: Hdfs,
    conf: HadoopConf,
    defaults: Defaults,
    home: String,
    bounds: Bounds,
}

impl Storage {
    /// The file system that `url` is on, or `fs.defaultFS`; nothing is sent yet. To be called in a tokio runtime.
    ///
    /// The user is `user.effective`; neither the environment nor the system's user count. (With simple authentication
    /// HDFS believes the name, so whoever acts for the user need not be named.)
    pub fn open(conf: &HadoopConf, user: &UserIdentity, url: Option<&str>) -> Result<Self, FsError> {
        let location = Location::find(conf, url)?;
        let conf_error = |e| bad_conf(&location.root, &e);
        let defaults = Defaults::read(conf).map_err(conf_error)?;
        let prefix = conf.get_or("dfs.user.home.dir.prefix", "/user").map_err(conf_error)?;
        let home = format!("{}/{}", prefix.trim_end_matches('/'), user.short_name());
        let hdfs = Hdfs::open(conf, user, location, DEADLINE)?;
        Ok(Self { hdfs, conf: conf.clone(), defaults, home, bounds: Bounds::default() })
    }

    /// The same with another deadline for each call and each step of a transfer (60 s at first).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.hdfs.deadline = deadline;
        self
    }

    /// `hdfs://host:port` or `hdfs://nameservice`, without a path.
    pub fn root(&self) -> &str {
        &self.hdfs.location.root
    }

    /// The server, for messages: `NameNode host:port`.
    pub fn server(&self) -> &str {
        &self.hdfs.location.server
    }

    /// The user's home directory, whether it exists or not.
    pub fn home_dir(&self) -> &str {
        &self.home
    }

    /// The absolute path, without the file system.
    pub fn path(&self, path: &str) -> Result<String, FsError> {
        self.hdfs.location.path(&self.conf, &self.home, path)
    }

    /// The whole URL of a path, raw as Hadoop has it (no percent-encoding).
    pub fn url(&self, path: &str) -> Result<String, FsError> {
        Ok(format!("{}{}", self.root(), self.path(path)?))
    }

    /// What is there; [`FsErrorKind::NotFound`] if nothing is.
    pub async fn status(&self, path: &str) -> Result<FileStatus, FsError> {
        let path = self.path(path)?;
        let status = self.hdfs.guard("look at", &path, self.hdfs.client.get_file_info(&path)).await?;
        Ok(status.into())
    }

    /// What is there, or `None`.
    pub async fn find(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        match self.status(path).await {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.kind() == FsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is in a directory, with `recursive` also below (directories before what they hold).
    pub async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError> {
        let path = self.path(path)?;
        let entries = self.hdfs.client.list_status_iter(&path, recursive);
        let mut found = Vec::new();
        // The deadline is for each answer of the NameNode, because a large directory takes many.
        while let Some(entry) =
            self.hdfs.guard("list", &path, async { entries.next().await.transpose() }).await?
        {
            found.push(entry.into());
        }
        Ok(found)
    }

    /// Makes a directory and its parents. `mode` holds exactly (no umask); `None`: 777 less
    /// `fs.permissions.umask-mode`. One that exists stays as it is.
    pub async fn mkdirs(&self, path: &str, mode: Option<u16>) -> Result<(), FsError> {
        let path = self.path(path)?;
        let mode = self.defaults.directory_mode(mode);
        self.hdfs.guard("make directory", &path, self.hdfs.client.mkdirs(&path, mode, true)).await
    }

    /// Writes a file, making its parents; gives what the NameNode says of it afterwards. After a failure nothing is
    /// left under the name, as far as the NameNode still answers; if the future is dropped a part can be left.
    pub async fn write_file(
        &self,
        path: &str,
        source: &Source,
        options: &WriteOptions,
    ) -> Result<FileStatus, FsError> {
        let path = self.path(path)?;
        let settings = hdfs_native::WriteOptions {
            block_size: Some(self.defaults.block_size),
            replication: Some(options.replication.map_or(self.defaults.replication, u32::from)),
            permission: self.defaults.file_mode(options.mode),
            overwrite: options.overwrite,
            create_parent: true,
        };
        let progress = options.progress.as_ref();
        let written = upload::upload(&self.hdfs, &self.bounds, &path, source, settings, progress).await?;
        let status = self.status(&path).await?;
        if status.len != written {
            let why = format!("{written} bytes were written, but it has {}", status.len);
            return Err(FsError::new(FsErrorKind::Other, "write", path, self.server(), why));
        }
        Ok(status)
    }

    /// Opens a file for reading from byte `offset` on; behind its end there is nothing to read.
    pub async fn open_at(&self, path: &str, offset: u64) -> Result<Reading, FsError> {
        let path = self.path(path)?;
        let reader = self.hdfs.guard("open", &path, self.hdfs.client.read(&path)).await?;
        let len = reader.file_length();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(len);
        let pieces = reader.read_range_stream(start, len - start).boxed();
        Ok(Reading { hdfs: self.hdfs.clone(), path, len: len as u64, pieces })
    }

    /// The bytes of a file of at most `limit` bytes; a larger one is an error.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FsError> {
        let mut reading = self.open_at(path, 0).await?;
        if reading.len > limit {
            let why = format!("it has {} bytes, more than the {limit} that are expected", reading.len);
            return Err(FsError::new(FsErrorKind::InvalidArgument, "read", reading.path, self.server(), why));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = reading.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Gives a file or directory another name. With `overwrite` a file (or empty directory) of that name is replaced;
    /// otherwise it is an error.
    pub async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        let both = format!("{from} to {to}");
        self.hdfs.guard("rename", &both, self.hdfs.client.rename(&from, &to, overwrite)).await
    }

    /// Deletes a file, or a directory with all in it if `recursive` (else it must be empty). `false`: there was none.
    pub async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        let path = self.path(path)?;
        self.hdfs.guard("delete", &path, self.hdfs.client.delete(&path, recursive)).await
    }

    /// Sets permissions.
    pub async fn set_permission(&self, path: &str, mode: u16) -> Result<(), FsError> {
        let path = self.path(path)?;
        self.hdfs
            .guard("set permissions of", &path, self.hdfs.client.set_permission(&path, u32::from(mode)))
            .await
    }

    /// Notes that a file is used now: sets its access time, and leaves its modification time as it is. Needs the right to write
    /// to the file, and a NameNode that keeps access times.
    pub async fn touch(&self, path: &str) -> Result<(), FsError> {
        /// As the NameNode reads it, -1: leave it.
        const AS_IT_IS: u64 = u64::MAX;
        let path = self.path(path)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or_default();
        self.hdfs
            .guard("set the access time of", &path, self.hdfs.client.set_times(&path, AS_IT_IS, now))
            .await
    }

    /// Sets how many copies of a file are wanted.
    pub async fn set_replication(&self, path: &str, replication: u16) -> Result<(), FsError> {
        let path = self.path(path)?;
        let call = self.hdfs.client.set_replication(&path, u32::from(replication));
        let is_file = self.hdfs.guard("set replication of", &path, call).await?;
        if is_file {
            return Ok(());
        }
        let why = "it is no file";
        Err(FsError::new(FsErrorKind::NotFound, "set replication of", path, self.server(), why))
    }
}

/// An open file, read from front to back. Little of it is in memory at a time.
pub struct Reading {
    hdfs: Hdfs,
    path: String,
    len: u64,
    pieces: BoxStream<'static, hdfs_native::Result<Bytes>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("path", &self.path).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Reading {
    /// Size of the whole file when it was opened.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FsError> {
        let next = async { self.pieces.next().await.transpose() };
        self.hdfs.guard("read", &self.path, next).await.map_err(FsError::in_transfer)
    }
}

//! [`Storage`], through which the other crates use a file system of the cluster. It turns the paths and
//! options of its callers into absolute paths and complete values, and leaves the operations to the
//! implementation for the file system.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hadoop_rpc::{HadoopConf, Login};

use crate::clock::now_ms;
use crate::defaults::Defaults;
use crate::error::{FsError, FsErrorKind};
use crate::file_system::{FileSystem, NewFile, Pieces, Ranges};
use crate::glob;
use crate::hdfs::Hdfs;
use crate::hdfs_error;
#[cfg(feature = "hdrs")]
use crate::libhdfs::Libhdfs;
use crate::location::{Location, bad_conf};
use crate::types::{FileStatus, Patience, Source, WriteOptions};

/// Deadline of each call to a NameNode, and of each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(60);

/// One file system, used as one user. Clones are cheap, and share the connections and the bound on the memory
/// of uploads.
///
/// A path is absolute, relative to the user's home directory, or a URL on this file system.
#[derive(Debug, Clone)]
pub struct Storage {
    fs: Arc<dyn FileSystem>,
    conf: HadoopConf,
    defaults: Defaults,
    home: String,
}

impl Storage {
    /// The file system that `url` is on, or `fs.defaultFS`. Nothing is sent yet. Must be called in a tokio
    /// runtime. Fails if the URL is not valid, the file system is not supported, or the configuration cannot
    /// be used.
    ///
    /// The user is the effective user of `login`, whatever the environment and the user of this process are.
    /// A real user who acts for the effective one is not named to the server, because with simple
    /// authentication HDFS believes the name of the effective user.
    ///
    /// If the configuration names Kerberos, HDFS is used with the delegation token that `login` has for it.
    /// If there is none, the first operation fetches one for the effective user with the login's Kerberos
    /// tickets, and keeps it among the login's own tokens, where all storages of the login find it.
    /// [`cancel_own_tokens`](crate::cancel_own_tokens) cancels it.
    pub fn open(conf: &HadoopConf, login: &Login, url: Option<&str>) -> Result<Self, FsError> {
        let location = Location::find(conf, url)?;
        #[cfg(feature = "hdrs")]
        if !location.is_hdfs() {
            return Self::over(Arc::new(Libhdfs::open(conf, login, location, DEADLINE)?), conf, login);
        }
        Self::over(Arc::new(Hdfs::open(conf, login, location, DEADLINE)?), conf, login)
    }

    /// Like [`Storage::open`], but always with Hadoop's own client, which [`Storage::open`] uses only for
    /// file systems other than HDFS.
    #[cfg(feature = "hdrs")]
    pub fn open_by_libhdfs(conf: &HadoopConf, login: &Login, url: Option<&str>) -> Result<Self, FsError> {
        Self::over(Arc::new(Libhdfs::open(conf, login, Location::find(conf, url)?, DEADLINE)?), conf, login)
    }

    fn over(fs: Arc<dyn FileSystem>, conf: &HadoopConf, login: &Login) -> Result<Self, FsError> {
        let conf_error = |e| bad_conf(&fs.location().root, &e);
        let defaults = Defaults::read(conf).map_err(conf_error)?;
        let prefix = conf.get_or("dfs.user.home.dir.prefix", "/user").map_err(conf_error)?;
        let home = format!("{}/{}", prefix.trim_end_matches('/'), login.user().short_name());
        Ok(Self { fs, conf: conf.clone(), defaults, home })
    }

    /// The same storage with another deadline for each call and each step of a transfer. It is 60 s
    /// otherwise.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.fs = self.fs.with_deadline(deadline);
        self
    }

    /// The same storage, but its operations wait for a NameNode that cannot be reached, instead of failing at
    /// once. With Hadoop's own client this has no effect, because that client has its own rules for waiting.
    pub fn with_patience(mut self, patience: Patience) -> Self {
        if let Some(patient) = self.fs.with_patience(patience) {
            self.fs = patient;
        }
        self
    }

    /// `hdfs://host:port` or `hdfs://nameservice`, without a path.
    pub fn root(&self) -> &str {
        &self.fs.location().root
    }

    /// The server, for messages: `NameNode host:port`.
    pub fn server(&self) -> &str {
        &self.fs.location().server
    }

    /// The path of the user's home directory, whether it exists or not.
    pub fn home_dir(&self) -> &str {
        &self.home
    }

    /// The name of the user as whom the file system is used, as it names the owner of the user's files.
    pub fn user(&self) -> &str {
        self.home.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the file system keeps the owner and the permissions of each file, under the names that Hadoop
    /// has for users. Object stores do not: they show the same owner for all files. Files of this machine
    /// belong to the system's users.
    pub fn has_owners(&self) -> bool {
        const WITHOUT: [&str; 11] =
            ["s3", "s3a", "s3n", "gs", "wasb", "wasbs", "oss", "cosn", "obs", "abfs", "file"];
        let scheme = self.root().split(':').next().unwrap_or_default();
        !WITHOUT.contains(&scheme)
    }

    /// The absolute path for `path`, without scheme and authority. Fails if `path` is empty, is a URL on
    /// another file system, or leads above the root.
    pub fn path(&self, path: &str) -> Result<String, FsError> {
        self.fs.location().path(&self.conf, &self.home, path)
    }

    /// The complete URL of a path, as Hadoop writes it: without percent-encoding.
    pub fn url(&self, path: &str) -> Result<String, FsError> {
        Ok(format!("{}{}", self.root(), self.path(path)?))
    }

    /// The status of a file or directory; an error of [`FsErrorKind::NotFound`] if there is none.
    pub async fn status(&self, path: &str) -> Result<FileStatus, FsError> {
        self.fs.status(&self.path(path)?).await
    }

    /// The status of a file or directory, or `None` if there is none.
    pub async fn find(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        self.fs.find(&self.path(path)?).await
    }

    /// The encryption zone of HDFS that a path is in, in words: its directory, its key, and the KMS. `None`
    /// if it is in no zone, or if that cannot be found out: NameNodes of some releases tell it only of a path
    /// at which something exists.
    pub async fn encryption_zone(&self, path: &str) -> Option<String> {
        self.fs.encryption_zone(&self.path(path).ok()?).await
    }

    /// The error of an `operation` on a path that is in an encryption zone, such as `write to`, for a caller
    /// who learns that before the NameNode or the reader refuses it. It names the zone if that can be found
    /// out.
    pub async fn encrypted(&self, operation: &'static str, path: &str) -> FsError {
        let zone = self.encryption_zone(path).await;
        let detail = hdfs_error::in_zone(zone.as_deref());
        FsError::new(FsErrorKind::EncryptionZone, operation, path, self.server(), detail)
    }

    /// The entries of a directory and, with `recursive`, everything below them. A directory comes before its
    /// entries. The list of a file holds only the file itself.
    pub async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError> {
        self.fs.list(&self.path(path)?, recursive).await
    }

    /// The files and directories that match a path with patterns (`*`, `?`, `[a-c]`, `[^a]`, `{a,b}`, `\*`),
    /// each once and in the order of their paths. A path without patterns matches only itself. If nothing
    /// matches, the list is empty; a pattern that is not valid is an error of
    /// [`FsErrorKind::InvalidArgument`].
    pub async fn glob(&self, pattern: &str) -> Result<Vec<FileStatus>, FsError> {
        let path = self.path(pattern)?;
        let alternatives = glob::parse(&path)
            .map_err(|why| FsError::new(FsErrorKind::InvalidArgument, "use the pattern", pattern, "", why))?;
        let mut found: BTreeMap<String, FileStatus> = BTreeMap::new();
        for parts in alternatives {
            found.extend(self.matches(&parts).await?.into_iter().map(|status| (status.path.clone(), status)));
        }
        Ok(found.into_values().collect())
    }

    /// The files and directories that match a list of names, some of which are patterns.
    async fn matches(&self, parts: &[glob::Part]) -> Result<Vec<FileStatus>, FsError> {
        // The paths that match the names up to now, each with its status if that is known. A name without a
        // pattern is looked up only if it is the last one.
        let mut paths: Vec<(String, Option<FileStatus>)> = vec![(String::new(), None)];
        for part in parts {
            let mut next = Vec::new();
            for (path, known) in paths {
                if known.is_some_and(|status| !status.is_dir) {
                    continue;
                }
                match part {
                    glob::Part::Name(name) => next.push((format!("{path}/{name}"), None)),
                    glob::Part::Pattern(pattern) => {
                        let directory = if path.is_empty() { "/" } else { &path };
                        let entries = match self.fs.list(directory, false).await {
                            Err(e)
                                if matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::NotADirectory) =>
                            {
                                continue;
                            }
                            entries => entries?,
                        };
                        let name = |status: &FileStatus| {
                            status.path.rsplit('/').next().unwrap_or_default().to_owned()
                        };
                        // The list of a file holds only the file itself.
                        let below = |status: &FileStatus| status.path != *directory;
                        let fits = entries.into_iter().filter(|s| below(s) && glob::fits(pattern, &name(s)));
                        next.extend(fits.map(|status| (status.path.clone(), Some(status))));
                    }
                }
            }
            paths = next;
        }
        let mut found = Vec::new();
        for (path, known) in paths {
            match known {
                Some(status) => found.push(status),
                None => found.extend(self.fs.find(if path.is_empty() { "/" } else { &path }).await?),
            }
        }
        Ok(found)
    }

    /// Makes a directory, and its parents if they are missing. No umask is applied to `mode`; `None` stands
    /// for 777 without the bits of `fs.permissions.umask-mode`. A directory that exists keeps its
    /// permissions.
    pub async fn mkdirs(&self, path: &str, mode: Option<u16>) -> Result<(), FsError> {
        self.fs.mkdirs(&self.path(path)?, self.defaults.directory_mode(mode)).await
    }

    /// Writes a file, makes missing parents, and returns the status that the file has afterwards. After a
    /// failure, what was written is removed if the server still answers. If the future is dropped, an
    /// incomplete file can remain.
    pub async fn write_file(
        &self,
        path: &str,
        source: &Source,
        options: &WriteOptions,
    ) -> Result<FileStatus, FsError> {
        let path = self.path(path)?;
        let how = NewFile {
            mode: self.defaults.file_mode(options.mode),
            replication: options.replication.map_or(self.defaults.replication, u32::from),
            block_size: self.defaults.block_size,
            overwrite: options.overwrite,
            fitted: options.fitted,
        };
        let written = self.fs.write(&path, source, how, options.progress.as_ref()).await?;
        let status = self.fs.status(&path).await?;
        if status.len != written {
            let why = format!("{written} bytes were written, but it has {}", status.len);
            return Err(FsError::new(FsErrorKind::Other, "write", path, self.server(), why));
        }
        Ok(status)
    }

    /// Opens a file for reading from byte `offset` on. If that is after its end, there is nothing to read.
    pub async fn open_at(&self, path: &str, offset: u64) -> Result<Reading, FsError> {
        self.open_file(path).await?.range(offset, u64::MAX)
    }

    /// Opens a file of which ranges are to be read.
    pub async fn open_file(&self, path: &str) -> Result<OpenFile, FsError> {
        let path = self.path(path)?;
        let file = self.fs.open(&path).await?;
        Ok(OpenFile { path, file })
    }

    /// The content of a file. A file of more than `limit` bytes is an error of
    /// [`FsErrorKind::InvalidArgument`].
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

    /// Gives a file or directory another name. If there is a file or an empty directory of that name, it is
    /// replaced with `overwrite`, and is an error of [`FsErrorKind::AlreadyExists`] otherwise.
    pub async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        self.fs.rename(&self.path(from)?, &self.path(to)?, overwrite).await
    }

    /// Deletes a file or directory. A directory must be empty; with `recursive`, it is deleted with
    /// everything in it. `false` if there was nothing to delete.
    pub async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        self.fs.delete(&self.path(path)?, recursive).await
    }

    /// Fails with an error of [`FsErrorKind::PermissionDenied`] if the user may not write to `path` or, if
    /// nothing is there, to the nearest directory above it that exists. Changes nothing.
    pub async fn check_writable(&self, path: &str) -> Result<(), FsError> {
        let path = self.path(path)?;
        let mut there = path.as_str();
        while there != "/" && self.fs.find(there).await?.is_none() {
            there = there
                .rsplit_once('/')
                .map(|(above, _)| above)
                .filter(|above| !above.is_empty())
                .unwrap_or("/");
        }
        self.fs.check_writable(there).await
    }

    /// Records that a file is used now: sets its access time, and leaves its modification time as it is. The
    /// user needs the right to write to the file, and the NameNode must keep access times.
    pub async fn touch(&self, path: &str) -> Result<(), FsError> {
        self.fs.touch(&self.path(path)?, now_ms()).await
    }
}

/// An open file, of which ranges are read. On HDFS the NameNode was asked for its blocks once; what it has
/// said then holds for all ranges, and a DataNode that has failed is not asked again.
#[derive(Clone)]
pub struct OpenFile {
    path: String,
    file: Arc<dyn Ranges>,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl OpenFile {
    /// The `length` bytes from byte `offset` on, or those of them that the file has. If they are read to
    /// their end, HDFS sends no others, and the connection to the DataNode serves the next read.
    pub fn range(&self, offset: u64, length: u64) -> Result<Reading, FsError> {
        let pieces = self.file.range(offset, length)?;
        Ok(Reading { path: self.path.clone(), len: self.file.size(), pieces })
    }
}

/// A file or a range of it, which is read in pieces from front to back, so that little of it is in memory at
/// a time.
pub struct Reading {
    path: String,
    len: u64,
    pieces: Pieces,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("path", &self.path).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Reading {
    /// The size of the whole file when it was opened, in bytes.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FsError> {
        self.pieces.next().await.transpose()
    }
}

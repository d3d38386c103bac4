//! A file system of the cluster, as the other crates use it.

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
use crate::file_system::{FileSystem, NewFile, Pieces};
use crate::glob;
use crate::hdfs::Hdfs;
#[cfg(feature = "hdrs")]
use crate::libhdfs::Libhdfs;
use crate::location::{Location, bad_conf};
use crate::types::{FileStatus, Patience, Source, WriteOptions};

/// Deadline of each call to a NameNode, and of each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(60);

/// One file system as one user. Cheap to clone; clones share connections and the bound on memory.
///
/// Paths are absolute, relative to the home directory, or URLs on this file system.
#[derive(Debug, Clone)]
pub struct Storage {
    fs: Arc<dyn FileSystem>,
    conf: HadoopConf,
    defaults: Defaults,
    home: String,
}

impl Storage {
    /// The file system that `url` is on, or `fs.defaultFS`; nothing is sent yet. To be called in a tokio
    /// runtime.
    ///
    /// The user is that of `login`; neither the environment nor the system's user count. (With simple
    /// authentication HDFS believes the name, so whoever acts for the user need not be named.)
    pub fn open(conf: &HadoopConf, login: &Login, url: Option<&str>) -> Result<Self, FsError> {
        let location = Location::find(conf, url)?;
        #[cfg(feature = "hdrs")]
        if !location.is_hdfs() {
            return Self::over(Arc::new(Libhdfs::open(conf, login, location, DEADLINE)?), conf, login);
        }
        Self::over(Arc::new(Hdfs::open(conf, login, location, DEADLINE)?), conf, login)
    }

    /// The same through Hadoop's own client, which [`Storage::open`] takes only for other file systems than
    /// HDFS.
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

    /// The same with another deadline for each call and each step of a transfer (60 s at first).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.fs = self.fs.with_deadline(deadline);
        self
    }

    /// The same, and a NameNode that is not there is waited for; at first it is not. Other file systems than
    /// HDFS have rules of their own.
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

    /// The user's home directory, whether it exists or not.
    pub fn home_dir(&self) -> &str {
        &self.home
    }

    /// The absolute path, without the file system.
    pub fn path(&self, path: &str) -> Result<String, FsError> {
        self.fs.location().path(&self.conf, &self.home, path)
    }

    /// The whole URL of a path, raw as Hadoop has it (no percent-encoding).
    pub fn url(&self, path: &str) -> Result<String, FsError> {
        Ok(format!("{}{}", self.root(), self.path(path)?))
    }

    /// What is there; [`FsErrorKind::NotFound`] if nothing is.
    pub async fn status(&self, path: &str) -> Result<FileStatus, FsError> {
        self.fs.status(&self.path(path)?).await
    }

    /// What is there, or `None`.
    pub async fn find(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        self.fs.find(&self.path(path)?).await
    }

    /// What is in a directory, with `recursive` also below (directories before what they hold).
    pub async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError> {
        self.fs.list(&self.path(path)?, recursive).await
    }

    /// What a path with patterns (`*`, `?`, `[a-c]`, `[^a]`, `{a,b}`, `\\*`) matches, in order of the paths,
    /// each once. A path without any stands for itself; nothing is there, and nothing is found.
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

    /// What a list of names, some of them patterns, matches.
    async fn matches(&self, parts: &[glob::Part]) -> Result<Vec<FileStatus>, FsError> {
        // Paths, each with what is known of it: a name that is no pattern need not be looked at while others
        // follow.
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
                        // The list of a file holds the file itself.
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

    /// Makes a directory and its parents. `mode` holds exactly (no umask); `None`: 777 less
    /// `fs.permissions.umask-mode`. One that exists stays as it is.
    pub async fn mkdirs(&self, path: &str, mode: Option<u16>) -> Result<(), FsError> {
        self.fs.mkdirs(&self.path(path)?, self.defaults.directory_mode(mode)).await
    }

    /// Writes a file, making its parents; gives what the NameNode says of it afterwards. After a failure
    /// nothing is left under the name, as far as the NameNode still answers; if the future is dropped a part
    /// can be left.
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

    /// Opens a file for reading from byte `offset` on; behind its end there is nothing to read.
    pub async fn open_at(&self, path: &str, offset: u64) -> Result<Reading, FsError> {
        let path = self.path(path)?;
        let (len, pieces) = self.fs.open_at(&path, offset).await?;
        Ok(Reading { path, len, pieces })
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

    /// Gives a file or directory another name. With `overwrite` a file (or empty directory) of that name is
    /// replaced; otherwise it is an error.
    pub async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        self.fs.rename(&self.path(from)?, &self.path(to)?, overwrite).await
    }

    /// Deletes a file, or a directory with all in it if `recursive` (else it must be empty). `false`: there
    /// was none.
    pub async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        self.fs.delete(&self.path(path)?, recursive).await
    }

    /// Whether the user may make `path`, or write to what is there: asks for the right to write to it, or to
    /// the nearest directory above it that exists. Nothing is changed.
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

    /// Notes that a file is used now: sets its access time, and leaves its modification time as it is. Needs
    /// the right to write to the file, and a NameNode that keeps access times.
    pub async fn touch(&self, path: &str) -> Result<(), FsError> {
        self.fs.touch(&self.path(path)?, now_ms()).await
    }
}

/// An open file, read from front to back. Little of it is in memory at a time.
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
    /// Size of the whole file when it was opened.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FsError> {
        self.pieces.next().await.transpose()
    }
}

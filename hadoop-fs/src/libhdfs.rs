//! The implementation of `FileSystem` with Hadoop's own client (libhdfs, through the crate hdrs), for file
//! systems that hdfs-native does not support. libhdfs runs a JVM inside this process.
//!
//! libhdfs knows times only in seconds, while YARN compares the modification time of a local resource in
//! milliseconds. So the modification time of a file is set to a whole second after it was written. Files that
//! others have written can be local resources only if the file system itself keeps whole seconds, as S3 does.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use hadoop_rpc::{HadoopConf, Login};
use hdrs::{Client, ClientBuilder, Metadata};
use tokio::sync::{mpsc, oneshot};

use crate::attributes::{Attached, Attributes};
use crate::clock::now_ms;
use crate::error::{FsError, FsErrorKind};
use crate::file_system::{FileSystem, NewFile, Pieces, Ranges};
use crate::location::{Location, bad_conf};
use crate::types::{FileStatus, Progress, Source};

/// How many pieces of a file, or reports of them, can wait between the thread of a transfer and its caller.
const PIECES: usize = 4;
const PIECE: usize = 256 << 10;
/// The deadline of the clean-up after a failed upload.
const CLEAN_UP: Duration = Duration::from_secs(5);
/// The umask that removes no permissions.
const NO_UMASK: u32 = 0;

/// One file system, used as one user. Every operation has a thread of its own, so that an operation that does
/// not return cannot keep other operations, or the process, from ending.
#[derive(Debug, Clone)]
pub(crate) struct Libhdfs {
    shared: Arc<Shared>,
    deadline: Duration,
}

struct Shared {
    location: Location,
    user: String,
    settings: Vec<(String, String)>,
    /// Connections by their umask. A new file gets its mode from the umask of its connection. If the mode
    /// were set after the file was made, others could read the file in between.
    clients: Mutex<HashMap<u32, Arc<Client>>>,
    attributes: Mutex<Option<Arc<Attributes>>>,
}

impl fmt::Debug for Shared {
    /// Leaves the settings out, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("location", &self.location)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why an operation on a thread of its own has failed.
enum ThreadError {
    /// A failure of libhdfs, with its exceptions. They are read on the same thread, because libhdfs keeps
    /// them for each thread, until the thread's next call.
    Hadoop { error: io::Error, exceptions: Vec<String> },
    /// A failure to read the local file that was to be sent.
    Local(FsError),
}

/// What the thread of an upload reports while it works.
enum Step {
    /// The file was made.
    Made,
    /// This many bytes were handed to libhdfs.
    Sent(u64),
}

impl Attached {
    /// Adds to a failure the exceptions that caused it. They must be read at once, because any further call,
    /// such as closing a file, makes libhdfs forget them.
    fn explained<T>(&self, result: io::Result<T>) -> Result<T, ThreadError> {
        result.map_err(|error| ThreadError::Hadoop { error, exceptions: self.last_exceptions() })
    }

    /// Runs `work` on this thread.
    fn run<T>(work: impl FnOnce(&Self) -> Result<T, ThreadError>) -> Result<T, ThreadError> {
        let attached = Self::here().map_err(|error| ThreadError::Hadoop { error, exceptions: Vec::new() })?;
        work(&attached)
    }
}

impl Shared {
    /// The connection whose new files and directories do not get the permissions in `umask`. Blocks.
    fn client(&self, umask: u32) -> io::Result<Arc<Client>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&umask) {
            return Ok(client.clone());
        }
        let mut builder = ClientBuilder::new(&self.location.root).with_user(&self.user);
        for (key, value) in &self.settings {
            builder = builder.with_config(key, value);
        }
        let client = builder.with_config("fs.permissions.umask-mode", &format!("{umask:03o}")).connect()?;
        Ok(clients.entry(umask).or_insert(Arc::new(client)).clone())
    }

    /// The connection for setting times and permissions. Blocks.
    fn attributes(&self) -> io::Result<Arc<Attributes>> {
        let mut known = self.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attributes) = &*known {
            return Ok(attributes.clone());
        }
        let made = Arc::new(Attributes::connect(&self.location.root, &self.user, &self.settings)?);
        Ok(known.insert(made).clone())
    }

    /// Sets the mode of a new file or directory if it is not the wanted one. The umask of the connection
    /// cannot give a permission that new files do not have by themselves, such as the right to execute.
    fn set_mode(&self, client: &Client, path: &str, wanted: u32) -> io::Result<()> {
        let has = client.metadata(path)?.permissions().cast_unsigned();
        match u16::try_from(wanted) {
            Ok(wanted) if wanted != has => self.attributes()?.set_mode(path, wanted),
            _ => Ok(()),
        }
    }

    /// Writes a file. Blocks.
    fn send(
        &self,
        attached: &Attached,
        path: &str,
        source: &Source,
        how: NewFile,
        step: &mpsc::Sender<Step>,
    ) -> Result<u64, ThreadError> {
        let local = |e| match source {
            Source::File(path) => ThreadError::Local(FsError::local("read", path, &e)),
            Source::Bytes(_) => ThreadError::Hadoop { error: e, exceptions: Vec::new() },
        };
        let mut reader: Box<dyn Read> = match source {
            Source::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Source::File(path) => Box::new(std::fs::File::open(path).map_err(local)?),
        };
        let client = attached.explained(self.client(!how.mode & 0o777))?;
        let mut options = client.open_file();
        options.write(true).create(true).truncate(true);
        // libhdfs takes block sizes below 2 GiB. For a larger one it gets 0, which stands for the
        // `dfs.blocksize` among its settings.
        let block_size = i32::try_from(how.block_size).map_or(0, |_| how.block_size as usize);
        options.with_replication(how.replication as usize).with_blocksize(block_size);
        let mut file = attached.explained(options.open(path))?;
        // If nobody receives the reports any more, the caller has given up, and the upload ends.
        let tell = |sign| {
            attached.explained(step.blocking_send(sign).map_err(|_| io::ErrorKind::Interrupted.into()))
        };
        tell(Step::Made)?;
        let mut buffer = vec![0; PIECE];
        let mut written = 0;
        loop {
            let read = reader.read(&mut buffer).map_err(local)?;
            if read == 0 {
                break;
            }
            attached.explained(file.write_all(&buffer[..read]))?;
            written += read as u64;
            tell(Step::Sent(read as u64))?;
        }
        attached.explained(file.flush())?;
        attached.explained(file.try_close())?;
        let now = now_ms() / 1000;
        attached.explained(self.set_mode(&client, path, how.mode))?;
        attached.explained(self.attributes().and_then(|a| a.set_times(path, now.cast_signed(), -1)))?;
        Ok(written)
    }

    /// Reads a file from byte `offset` to byte `end`, or until the caller wants no more. Blocks.
    fn receive(
        &self,
        attached: &Attached,
        path: &str,
        offset: u64,
        end: u64,
        pieces: &mpsc::Sender<Result<Bytes, ThreadError>>,
    ) -> Result<(), ThreadError> {
        let client = attached.explained(self.client(NO_UMASK))?;
        let file = attached.explained(client.open_file().read(true).open(path))?;
        let mut at = offset;
        while at < end {
            let mut buffer = vec![0; usize::try_from(end - at).unwrap_or(usize::MAX).min(PIECE)];
            let read = attached.explained(file.read_at(&mut buffer, at))?;
            buffer.truncate(read);
            at += read as u64;
            if read == 0 {
                let error = io::Error::other(format!("it ended after {at} of {end} bytes"));
                return Err(ThreadError::Hadoop { error, exceptions: Vec::new() });
            }
            if pieces.blocking_send(Ok(buffer.into())).is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Libhdfs {
    pub(crate) fn open(
        conf: &HadoopConf,
        login: &Login,
        location: Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let fail = |why: &str| Err(FsError::new(FsErrorKind::Configuration, "use", &*location.root, "", why));
        // libhdfs itself reads both variables from the environment of the process, and without Hadoop's
        // classes it crashes.
        #[expect(clippy::disallowed_methods, reason = "libhdfs reads these from the environment")]
        let (class_path, jvm_options) = (std::env::var("CLASSPATH"), std::env::var("LIBHDFS_OPTS"));
        if !class_path.is_ok_and(|path| names_hadoop(&path)) {
            return fail(
                "Hadoop's own client is needed for it, and CLASSPATH names no hadoop-common jar \
                 (export CLASSPATH=$(hadoop classpath --glob))",
            );
        }
        if !jvm_options.is_ok_and(|options| options.split_whitespace().any(|o| o == "-Xrs")) {
            return fail(
                "Hadoop's own client is needed for it, whose Java would take Ctrl-C away from this program \
                 (export LIBHDFS_OPTS=-Xrs)",
            );
        }
        let mut settings = Vec::new();
        for (key, ..) in conf.iter() {
            let value = conf.get(key).map_err(|e| bad_conf(&location.root, &e))?;
            settings.extend(value.map(|value| (key.to_owned(), value)));
        }
        // Without this setting, Hadoop would use the first connection, with its umask, in place of all later
        // ones.
        let scheme = location.root.split(':').next().unwrap_or_default();
        settings.push((format!("fs.{scheme}.impl.disable.cache"), "true".to_owned()));
        if !location.logical && conf.origin("ipc.client.connect.max.retries").is_none() {
            // A server that refuses the connection would be tried ten times over ten seconds.
            settings.push(("ipc.client.connect.max.retries".to_owned(), "0".to_owned()));
        }
        let shared = Shared {
            location,
            user: login.user().effective.clone(),
            settings,
            clients: Mutex::default(),
            attributes: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), deadline })
    }

    /// Runs one operation on a thread of its own, within the deadline.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        path: &str,
        umask: u32,
        work: impl FnOnce(&Shared, &Client) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FsError> {
        let (done, answer) = oneshot::channel();
        let shared = self.shared.clone();
        self.thread(operation, path, move || {
            let call = || work(&shared, &*shared.client(umask)?);
            let _ = done.send(Attached::run(|attached| attached.explained(call())));
        })?;
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(result)) => result.map_err(|failed| self.error(operation, path, failed)),
            Ok(Err(_)) => Err(self.failure(FsErrorKind::Other, operation, path, "its thread died")),
            Err(_) => Err(self.late(operation, path)),
        }
    }

    fn thread(
        &self,
        operation: &'static str,
        path: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), FsError> {
        let builder = std::thread::Builder::new().name("libhdfs".to_owned());
        let spawned = builder.spawn(work);
        spawned.map(drop).map_err(|e| self.failure(FsErrorKind::Local, operation, path, &e.to_string()))
    }

    fn failure(&self, kind: FsErrorKind, operation: &'static str, path: &str, why: &str) -> FsError {
        FsError::new(kind, operation, path, &*self.shared.location.server, why)
    }

    fn late(&self, operation: &'static str, path: &str) -> FsError {
        let why = format!("no answer within {} s", self.deadline.as_secs_f64());
        self.failure(FsErrorKind::Timeout, operation, path, &why)
    }

    fn error(&self, operation: &'static str, path: &str, failed: ThreadError) -> FsError {
        match failed {
            ThreadError::Local(error) => error,
            ThreadError::Hadoop { error, exceptions } => {
                let (kind, why) = meaning(&error, &exceptions);
                self.failure(kind, operation, path, &why)
            }
        }
    }
}

/// Whether a class path holds Hadoop's classes.
fn names_hadoop(class_path: &str) -> bool {
    let is_common = |name: &str| name.starts_with("hadoop-common-") && name.ends_with(".jar");
    class_path.split(':').any(|entry| match entry.strip_suffix('*') {
        Some(directory) => std::fs::read_dir(directory).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| is_common(&entry.file_name().to_string_lossy())))
        }),
        None => Path::new(entry).file_name().is_some_and(|name| is_common(&name.to_string_lossy())),
    })
}

#[async_trait]
impl FileSystem for Libhdfs {
    fn location(&self) -> &Location {
        &self.shared.location
    }

    fn with_deadline(&self, deadline: Duration) -> Arc<dyn FileSystem> {
        Arc::new(Self { deadline, ..self.clone() })
    }

    async fn status(&self, path: &str) -> Result<FileStatus, FsError> {
        let wanted = path.to_owned();
        let found = self.run("look at", path, NO_UMASK, move |_, client| client.metadata(&wanted)).await?;
        Ok(status(&found))
    }

    async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError> {
        let mut found = Vec::new();
        // What has not been visited yet, with its status; the last entry is the next one to visit. Only
        // `path` itself has no status.
        let mut ahead = vec![(path.to_owned(), None)];
        while let Some((path, known)) = ahead.pop() {
            let is_top = known.is_none();
            let enter = recursive || is_top;
            found.extend(known.clone());
            if !enter || known.is_some_and(|status: FileStatus| !status.is_dir) {
                continue;
            }
            let wanted = path.clone();
            let read = self.run("list", &path, NO_UMASK, move |_, client| client.read_dir(&wanted)).await?;
            let mut below: Vec<FileStatus> = read.into_inner().map(|entry| status(&entry)).collect();
            below.sort_by(|a, b| b.path.cmp(&a.path));
            ahead.extend(below.into_iter().map(|status| (status.path.clone(), Some(status))));
        }
        Ok(found)
    }

    async fn mkdirs(&self, path: &str, mode: u32) -> Result<(), FsError> {
        if self.find(path).await?.is_some_and(|status| status.is_dir) {
            return Ok(());
        }
        let wanted = path.to_owned();
        self.run("make directory", path, !mode & 0o777, move |shared, client| {
            client.create_dir(&wanted)?;
            shared.set_mode(client, &wanted, mode)
        })
        .await
    }

    async fn write(
        &self,
        path: &str,
        source: &Source,
        how: NewFile,
        progress: Option<&Progress>,
    ) -> Result<u64, FsError> {
        // libhdfs has no way to create a file only if there is none of that name, so this is checked before.
        if self.find(path).await?.is_some_and(|status| status.is_dir || !how.overwrite) {
            return Err(self.failure(FsErrorKind::AlreadyExists, "create", path, "it exists already"));
        }
        let (done, mut answer) = oneshot::channel();
        let (step, mut steps) = mpsc::channel(PIECES);
        self.thread("write", path, {
            let (shared, path, source) = (self.shared.clone(), path.to_owned(), source.clone());
            move || {
                let written = Attached::run(|attached| shared.send(attached, &path, &source, how, &step));
                let _ = done.send(written);
            }
        })?;
        // The deadline is that of the time from one report to the next.
        let mut made = false;
        let written = loop {
            tokio::select! {
                biased;
                Some(step) = steps.recv() => match (step, progress) {
                    (Step::Made, _) => made = true,
                    (Step::Sent(count), Some(progress)) => progress(count),
                    (Step::Sent(_), None) => {}
                },
                result = &mut answer => break match result {
                    Ok(result) => result.map_err(|failed| self.error("write", path, failed)),
                    Err(_) => Err(self.failure(FsErrorKind::Other, "write", path, "its thread died")),
                },
                () = tokio::time::sleep(self.deadline) => break Err(self.late("write", path)),
            }
        };
        if written.is_err() && made {
            // The thread notices that nobody receives its reports and closes the file. That must happen
            // before the file is removed.
            drop(steps);
            let _ = tokio::time::timeout(CLEAN_UP, async {
                if !answer.is_terminated() {
                    let _ = answer.await;
                }
                self.delete(path, false).await
            })
            .await;
        }
        written
    }

    async fn open(&self, path: &str) -> Result<Arc<dyn Ranges>, FsError> {
        let status = self.status(path).await?;
        if status.is_dir {
            return Err(self.failure(FsErrorKind::IsADirectory, "open", path, "it is a directory"));
        }
        Ok(Arc::new(LibhdfsFile { fs: self.clone(), path: path.to_owned(), size: status.len }))
    }

    async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        let both = format!("{from} to {to}");
        let taken = || self.failure(FsErrorKind::AlreadyExists, "rename", &both, "the new name is taken");
        if self.find(from).await?.is_none() {
            return Err(self.failure(FsErrorKind::NotFound, "rename", &both, "it does not exist"));
        }
        // Hadoop's own rename fails if a file has the new name, and moves into the directory if a directory
        // has it.
        if self.find(to).await?.is_some() {
            if !overwrite {
                return Err(taken());
            }
            self.delete(to, false).await?;
        }
        let (old, new) = (from.to_owned(), to.to_owned());
        let renamed =
            self.run("rename", &both, NO_UMASK, move |_, client| client.rename_file(&old, &new)).await;
        // If another client has taken the name meanwhile, libhdfs only says that the call has failed.
        match renamed {
            Err(error) if error.kind() == FsErrorKind::Other && self.find(to).await?.is_some() => {
                Err(taken())
            }
            renamed => renamed,
        }
    }

    async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        // If there is nothing to delete, libhdfs only says that the call has failed.
        if self.find(path).await?.is_none() {
            return Ok(false);
        }
        let gone = path.to_owned();
        let deleted = self.run("delete", path, NO_UMASK, move |_, client| {
            if recursive { client.remove_dir_all(&gone) } else { client.remove_file(&gone) }
        });
        match deleted.await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == FsErrorKind::Other && self.find(path).await?.is_none() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn check_writable(&self, path: &str) -> Result<(), FsError> {
        let wanted = path.to_owned();
        self.run("write to", path, NO_UMASK, move |shared, _| shared.attributes()?.set_times(&wanted, -1, -1))
            .await
    }

    async fn touch(&self, path: &str, now_ms: u64) -> Result<(), FsError> {
        let wanted = path.to_owned();
        let now = (now_ms / 1000).cast_signed();
        self.run("set the access time of", path, NO_UMASK, move |shared, _| {
            shared.attributes()?.set_times(&wanted, -1, now)
        })
        .await
    }
}

/// A file, which is opened anew for each range of it.
struct LibhdfsFile {
    fs: Libhdfs,
    path: String,
    size: u64,
}

impl Ranges for LibhdfsFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, offset: u64, length: u64) -> Result<Pieces, FsError> {
        let (pieces, received) = mpsc::channel(PIECES);
        let (shared, wanted) = (self.fs.shared.clone(), self.path.clone());
        let end = offset.saturating_add(length).min(self.size);
        self.fs.thread("open", &self.path, move || {
            let read = |attached: &Attached| shared.receive(attached, &wanted, offset, end, &pieces);
            if let Err(failed) = Attached::run(read) {
                let _ = pieces.blocking_send(Err(failed));
            }
        })?;
        let from = (self.fs.clone(), self.path.clone(), received);
        let pieces = futures::stream::try_unfold(from, |(fs, path, mut received)| async move {
            match tokio::time::timeout(fs.deadline, received.recv()).await {
                Ok(Some(Ok(piece))) => Ok(Some((piece, (fs, path, received)))),
                Ok(Some(Err(failed))) => Err(fs.error("read", &path, failed)),
                Ok(None) => Ok(None),
                Err(_) => Err(fs.late("read", &path)),
            }
        });
        Ok(pieces.boxed())
    }
}

fn status(found: &Metadata) -> FileStatus {
    let ms = |time: SystemTime| {
        u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default()
    };
    let is_dir = found.is_dir();
    FileStatus {
        path: found.path().to_owned(),
        len: if is_dir { 0 } else { found.len() },
        is_dir,
        mode: found.permissions().cast_unsigned(),
        owner: found.owner().to_owned(),
        group: found.group().to_owned(),
        modified_ms: ms(found.modified()),
        accessed_ms: ms(found.accessed()),
        replication: if is_dir { 0 } else { u32::from(found.replication().cast_unsigned()) },
        block_size: if is_dir { 0 } else { found.block_size().cast_unsigned() },
        encrypted: false,
    }
}

/// The kind and the text of the error for a failure of libhdfs. The first exception whose class is known
/// decides the kind; if there is none, the error number does.
fn meaning(error: &io::Error, exceptions: &[String]) -> (FsErrorKind, String) {
    use FsErrorKind as Kind;
    let parts = |text: &String| {
        let (class, words) = text.split_once(": ").unwrap_or((text.as_str(), "no reason given"));
        (class.rsplit(['.', '$']).next().unwrap_or_default().to_owned(), words.trim().to_owned())
    };
    let said: Vec<(String, String)> = exceptions.iter().map(parts).collect();
    let kind_of = |(class, words): &(String, String)| match class.as_str() {
        "ConnectException" | "UnknownHostException" | "NoRouteToHostException" => Kind::Unreachable,
        "SocketTimeoutException" | "ConnectTimeoutException" => Kind::Timeout,
        // If a host is unknown, Hadoop throws such an exception with this cause.
        "IllegalArgumentException" if said.len() > 1 && said[1].0 == "UnknownHostException" => {
            Kind::Unreachable
        }
        _ => Kind::of_exception(class, words),
    };
    let known = said.iter().map(kind_of).find(|kind| *kind != Kind::Other);
    let kind = known.unwrap_or_else(|| by_number(error));
    let why = match (kind, said.first()) {
        (Kind::NotFound, _) => "it does not exist".to_owned(),
        (_, Some((class, words))) => format!("{words} ({class})"),
        (_, None) => error.to_string(),
    };
    (kind, why)
}

fn by_number(error: &io::Error) -> FsErrorKind {
    use FsErrorKind as Kind;
    match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::PermissionDenied,
        io::ErrorKind::AlreadyExists => Kind::AlreadyExists,
        io::ErrorKind::NotADirectory => Kind::NotADirectory,
        io::ErrorKind::InvalidInput => Kind::InvalidArgument,
        io::ErrorKind::ReadOnlyFilesystem => Kind::SafeMode,
        io::ErrorKind::QuotaExceeded => Kind::QuotaExceeded,
        io::ErrorKind::Unsupported => Kind::Unsupported,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_paths() {
        let directory = tempfile::tempdir().unwrap();
        let all = format!("/nowhere/*:{}/*", directory.path().display());
        assert!(!names_hadoop(&all) && !names_hadoop("") && !names_hadoop("/a/hadoop-common.txt"));
        std::fs::write(directory.path().join("hadoop-common-3.3.6.jar"), "").unwrap();
        assert!(names_hadoop(&all) && names_hadoop("/conf:/x/hadoop-common-3.3.6.jar"));
    }

    #[test]
    fn failures() {
        let of = |number, exceptions: &[&str]| {
            let exceptions: Vec<String> = exceptions.iter().map(|text| (*text).to_owned()).collect();
            meaning(&io::Error::from_raw_os_error(number), &exceptions)
        };
        assert_eq!(of(2, &[]), (FsErrorKind::NotFound, "it does not exist".to_owned()));
        assert_eq!(
            of(
                13,
                &[
                    "org.apache.hadoop.security.AccessControlException: Permission denied: user=a",
                    "RemoteException: x"
                ]
            ),
            (FsErrorKind::PermissionDenied, "Permission denied: user=a (AccessControlException)".to_owned())
        );
        let refused =
            ["java.net.ConnectException: Call From a to b failed", "ConnectException: Connection refused"];
        assert_eq!(of(255, &refused).0, FsErrorKind::Unreachable);
        let nowhere = [
            "java.lang.IllegalArgumentException: java.net.UnknownHostException: h",
            "UnknownHostException: h",
        ];
        assert_eq!(of(255, &nowhere).0, FsErrorKind::Unreachable);
        let full =
            ["org.apache.hadoop.fs.PathIsNotEmptyDirectoryException: `/a': not empty", "RemoteException: y"];
        assert_eq!(of(255, &full).0, FsErrorKind::NotEmpty);
        assert_eq!(of(255, &["java.io.IOException: x"]), (FsErrorKind::Other, "x (IOException)".to_owned()));
        assert_eq!(of(255, &["java.io.IOException"]).1, "no reason given (IOException)");
    }
}

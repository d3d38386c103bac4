//! Hadoop's own client in a JVM inside this process (libhdfs, by hdrs), for file systems that hdfs-native does not speak.
//!
//! NOTE: libhdfs knows times in seconds, while YARN compares a local resource's modification time in milliseconds. So a file is given
//! a whole second after it was written. Files of others are right only where the file system itself keeps seconds, as object stores do.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use hadoop_rpc::{HadoopConf, UserIdentity};
use hdrs::{Client, ClientBuilder, Metadata};
use tokio::sync::{mpsc, oneshot};

use crate::attributes::{Attached, Attributes};
use crate::error::{FsError, FsErrorKind};
use crate::file_system::{FileSystem, NewFile, Pieces};
use crate::location::Location;
use crate::storage::{FileStatus, Progress, Source};

/// Pieces of a file on their way between two threads.
const PIECES: usize = 4;
const PIECE: usize = 256 << 10;
/// Nothing is taken from a new file's mode.
const NO_UMASK: u32 = 0;

/// One file system as one user. Every operation has a thread of its own: one that hangs keeps nobody from ending.
#[derive(Debug, Clone)]
pub(crate) struct Libhdfs {
    shared: Arc<Shared>,
    deadline: Duration,
}

#[derive(Debug)]
struct Shared {
    location: Location,
    user: String,
    settings: Vec<(String, String)>,
    /// By umask: Hadoop has no other way to make a file that nobody else can ever read.
    clients: Mutex<HashMap<u32, Arc<Client>>>,
    attributes: Mutex<Option<Arc<Attributes>>>,
}

/// What failed on a thread, with what libhdfs keeps for that thread.
struct Trouble {
    error: io::Error,
    exceptions: Vec<String>,
}

impl Trouble {
    /// Runs `work` on this thread, and keeps what libhdfs says of its failure.
    fn of<T>(work: impl FnOnce() -> io::Result<T>) -> Result<T, Self> {
        let attached = Attached::here().map_err(|error| Self { error, exceptions: Vec::new() })?;
        work().map_err(|error| Self { error, exceptions: attached.last_exceptions() })
    }
}

impl Shared {
    /// The connection whose new files and directories lack `umask`. Blocks.
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

    /// Blocks.
    fn attributes(&self) -> io::Result<Arc<Attributes>> {
        let mut known = self.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attributes) = &*known {
            return Ok(attributes.clone());
        }
        let made = Arc::new(Attributes::connect(&self.location.root, &self.user, &self.settings)?);
        Ok(known.insert(made).clone())
    }

    /// The rest of the permissions of what was just made: `wanted` may hold bits that no umask leaves, as x of a file.
    fn set_mode(&self, client: &Client, path: &str, wanted: u32) -> io::Result<()> {
        let has = client.metadata(path)?.permissions().cast_unsigned();
        match u16::try_from(wanted) {
            Ok(wanted) if wanted != has => self.attributes()?.set_mode(path, wanted),
            _ => Ok(()),
        }
    }
}

impl Libhdfs {
    pub(crate) fn open(
        conf: &HadoopConf,
        user: &UserIdentity,
        location: Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let fail = |why: &str| Err(FsError::new(FsErrorKind::Configuration, "use", &*location.root, "", why));
        if std::env::var_os("CLASSPATH").is_none_or(|path| path.is_empty()) {
            return fail(
                "Hadoop's own client is needed for it, and CLASSPATH, which is to name its jars, is not set \
                 (export CLASSPATH=$(hadoop classpath --glob))",
            );
        }
        let mut settings: Vec<(String, String)> = conf
            .iter()
            .filter_map(|(key, ..)| Some((key.to_owned(), conf.get(key).ok().flatten()?)))
            .collect();
        // Otherwise all connections were one, with the umask of the first.
        let scheme = location.root.split(':').next().unwrap_or_default();
        settings.push((format!("fs.{scheme}.impl.disable.cache"), "true".to_owned()));
        if !location.logical && conf.origin("ipc.client.connect.max.retries").is_none() {
            // A server that refuses the connection would be tried ten times over ten seconds.
            settings.push(("ipc.client.connect.max.retries".to_owned(), "0".to_owned()));
        }
        let shared = Shared {
            location,
            user: user.effective.clone(),
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
            let result = Trouble::of(|| work(&shared, &*shared.client(umask)?));
            let _ = done.send(result);
        })?;
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(result)) => result.map_err(|trouble| self.error(operation, path, &trouble)),
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

    fn error(&self, operation: &'static str, path: &str, trouble: &Trouble) -> FsError {
        let (kind, why) = meaning(&trouble.error, &trouble.exceptions);
        self.failure(kind, operation, path, &why)
    }

    async fn exists(&self, path: &str) -> Result<Option<FileStatus>, FsError> {
        match self.status(path).await {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.kind() == FsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends what `pieces` brings to a new file; ends when their sender is gone.
    async fn fill(
        &self,
        path: &str,
        source: &Source,
        how: NewFile,
        progress: Option<&Progress>,
    ) -> Result<u64, FsError> {
        let mut reader: Box<dyn Read + Send> = match source {
            Source::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Source::File(local) => {
                Box::new(std::fs::File::open(local).map_err(|e| FsError::local("read", local, &e))?)
            }
        };
        let (sent, mut counts) = mpsc::channel::<u64>(PIECES);
        let written = self.run("write", path, !how.mode & 0o777, {
            let path = path.to_owned();
            move |shared, client| {
                let mut options = client.open_file();
                options.write(true).create(true).truncate(how.overwrite);
                options.with_replication(how.replication as usize).with_blocksize(how.block_size as usize);
                let mut file = options.open(&path)?;
                let mut buffer = vec![0; PIECE];
                let mut written = 0;
                loop {
                    let read = reader.read(&mut buffer)?;
                    if read == 0 {
                        break;
                    }
                    file.write_all(&buffer[..read])?;
                    written += read as u64;
                    // Nobody waits any more: stop.
                    sent.blocking_send(read as u64)
                        .map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?;
                }
                file.flush()?;
                file.try_close()?;
                shared.set_mode(client, &path, how.mode)?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                shared.attributes()?.set_times(&path, now.as_secs().cast_signed(), -1)?;
                Ok(written)
            }
        });
        tokio::pin!(written);
        loop {
            tokio::select! {
                biased;
                Some(count) = counts.recv() => if let Some(progress) = progress {
                    progress(count);
                },
                result = &mut written => return result,
            }
        }
    }
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
        // What is still to be looked into, the next one last.
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
        if self.exists(path).await?.is_some_and(|status| status.is_dir) {
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
        // libhdfs cannot create a file only if there is none, hence the look before.
        let before = self.exists(path).await?;
        match before {
            Some(status) if status.is_dir || !how.overwrite => {
                return Err(self.failure(FsErrorKind::AlreadyExists, "create", path, "it exists already"));
            }
            _ => {}
        }
        let written = self.fill(path, source, NewFile { overwrite: true, ..how }, progress).await;
        if written.as_ref().is_err_and(|error| error.kind() != FsErrorKind::PermissionDenied) {
            let _ = self.delete(path, false).await;
        }
        written
    }

    async fn open_at(&self, path: &str, offset: u64) -> Result<(u64, Pieces), FsError> {
        let status = self.status(path).await?;
        if status.is_dir {
            return Err(self.failure(FsErrorKind::IsADirectory, "open", path, "it is a directory"));
        }
        let (pieces, received) = mpsc::channel::<Result<Bytes, Trouble>>(PIECES);
        let (shared, wanted) = (self.shared.clone(), path.to_owned());
        self.thread("open", path, move || {
            let read = || -> io::Result<()> {
                let file = shared.client(NO_UMASK)?.open_file().read(true).open(&wanted)?;
                let mut at = offset;
                loop {
                    let mut buffer = vec![0; PIECE];
                    let read = file.read_at(&mut buffer, at)?;
                    buffer.truncate(read);
                    at += read as u64;
                    if read == 0 || pieces.blocking_send(Ok(buffer.into())).is_err() {
                        return Ok(());
                    }
                }
            };
            if let Err(trouble) = Trouble::of(read) {
                let _ = pieces.blocking_send(Err(trouble));
            }
        })?;
        let from = (self.clone(), path.to_owned(), received);
        let pieces = futures::stream::try_unfold(from, |(fs, path, mut received)| async move {
            match tokio::time::timeout(fs.deadline, received.recv()).await {
                Ok(Some(Ok(piece))) => Ok(Some((piece, (fs, path, received)))),
                Ok(Some(Err(trouble))) => Err(fs.error("read", &path, &trouble)),
                Ok(None) => Ok(None),
                Err(_) => Err(fs.late("read", &path)),
            }
        });
        Ok((status.len, pieces.boxed()))
    }

    async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        let both = format!("{from} to {to}");
        if self.exists(from).await?.is_none() {
            return Err(self.failure(FsErrorKind::NotFound, "rename", &both, "it does not exist"));
        }
        // Hadoop's rename refuses a name that is taken, and moves into a directory of that name.
        if self.exists(to).await?.is_some() {
            if !overwrite {
                return Err(self.failure(
                    FsErrorKind::AlreadyExists,
                    "rename",
                    &both,
                    "the new name is taken",
                ));
            }
            self.delete(to, false).await?;
        }
        let (old, new) = (from.to_owned(), to.to_owned());
        self.run("rename", &both, NO_UMASK, move |_, client| client.rename_file(&old, &new)).await
    }

    async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        // Of what is not there libhdfs says no more than that it failed.
        if self.exists(path).await?.is_none() {
            return Ok(false);
        }
        let gone = path.to_owned();
        self.run("delete", path, NO_UMASK, move |_, client| {
            if recursive { client.remove_dir_all(&gone) } else { client.remove_file(&gone) }
        })
        .await?;
        Ok(true)
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
    }
}

/// What a failure of libhdfs means: by the first of its exceptions that says it, else by the error number.
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
        // Hadoop wraps an unknown host in it.
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

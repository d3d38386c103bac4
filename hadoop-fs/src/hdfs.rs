//! The implementation of `FileSystem` for HDFS, with the library hdfs-native. Reading and small operations
//! are here; uploads have a module of their own, because they share bounds on memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use hadoop_rpc::{HadoopConf, Login};
use hdfs_native::Client;
use hdfs_native::file::FileReader;

use crate::error::FsError;
use crate::file_system::{FileSystem, NewFile, Pieces, Ranges};
use crate::hdfs_client::HdfsClient;
use crate::location::Location;
use crate::types::{FileStatus, Patience, Progress, Source};
use crate::upload::{self, Bounds};

/// Is sent in place of a time that must not be changed. The NameNode reads it as the signed number -1, which
/// means just that.
const AS_IT_IS: u64 = u64::MAX;
/// The bits of a mode that are permissions.
const MODE: u16 = 0o7777;

/// One HDFS as one user, with the bounds that all its uploads share.
#[derive(Debug, Clone)]
pub(crate) struct Hdfs {
    client: HdfsClient,
    bounds: Bounds,
}

impl Hdfs {
    pub(crate) fn open(
        conf: &HadoopConf,
        login: &Login,
        location: Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let client = HdfsClient::open(conf, login, location, deadline)?;
        Ok(Self { client, bounds: Bounds::default() })
    }

    async fn set_times(
        &self,
        doing: &'static str,
        path: &str,
        modified: u64,
        used: u64,
    ) -> Result<(), FsError> {
        let set = |hdfs: Client| async move { hdfs.set_times(path, modified, used).await };
        self.client.persist_idempotent(|| self.client.guard(doing, path, set)).await
    }
}

#[async_trait]
impl FileSystem for Hdfs {
    fn location(&self) -> &Location {
        &self.client.location
    }

    fn with_deadline(&self, deadline: Duration) -> Arc<dyn FileSystem> {
        Arc::new(Self { client: self.client.with_deadline(deadline), bounds: self.bounds.clone() })
    }

    fn with_patience(&self, patience: Patience) -> Option<Arc<dyn FileSystem>> {
        let client = self.client.with_patience(patience);
        Some(Arc::new(Self { client, bounds: self.bounds.clone() }))
    }

    async fn status(&self, path: &str) -> Result<FileStatus, FsError> {
        let looked = self
            .client
            .persist_idempotent(|| {
                self.client.guard("look at", path, |hdfs| async move { hdfs.get_file_info(path).await })
            })
            .await?;
        Ok(looked.into())
    }

    async fn encryption_zone(&self, path: &str) -> Option<String> {
        self.client.encryption_zone(path).await
    }

    async fn list(&self, path: &str, recursive: bool) -> Result<Vec<FileStatus>, FsError> {
        let listed = || async {
            let entries = self
                .client
                .guard("list", path, |hdfs| async move { Ok(hdfs.list_status_iter(path, recursive)) })
                .await?;
            let mut found = Vec::new();
            // The deadline is for each answer of the NameNode, because a large directory takes many.
            while let Some(entry) =
                self.client.guard("list", path, |_| async { entries.next().await.transpose() }).await?
            {
                found.push(entry.into());
            }
            Ok(found)
        };
        self.client.persist_idempotent(listed).await
    }

    async fn mkdirs(&self, path: &str, mode: u32) -> Result<(), FsError> {
        self.client
            .persist_idempotent(|| {
                self.client
                    .guard("make directory", path, |hdfs| async move { hdfs.mkdirs(path, mode, true).await })
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
        upload::upload(&self.client, &self.bounds, path, source, how, progress).await
    }

    async fn open(&self, path: &str) -> Result<Arc<dyn Ranges>, FsError> {
        let reader = self
            .client
            .persist_idempotent(|| {
                self.client.guard("open", path, |hdfs| async move { hdfs.read(path).await })
            })
            .await?;
        Ok(Arc::new(HdfsFile { client: self.client.clone(), path: path.to_owned(), reader }))
    }

    async fn rename(&self, from: &str, to: &str, overwrite: bool) -> Result<(), FsError> {
        let both = format!("{from} to {to}");
        self.client
            .persist(|| {
                let rename = |hdfs: Client| async move { hdfs.rename(from, to, overwrite).await };
                self.client.guard_once("rename", &both, rename)
            })
            .await
    }

    async fn delete(&self, path: &str, recursive: bool) -> Result<bool, FsError> {
        self.client
            .persist(|| {
                self.client.guard("delete", path, |hdfs| async move { hdfs.delete(path, recursive).await })
            })
            .await
    }

    async fn check_writable(&self, path: &str) -> Result<(), FsError> {
        // If both times stay as they are, the NameNode checks the right to write and does nothing else.
        self.set_times("write to", path, AS_IT_IS, AS_IT_IS).await
    }

    async fn touch(&self, path: &str, now_ms: u64) -> Result<(), FsError> {
        self.set_times("set the access time of", path, AS_IT_IS, now_ms).await
    }
}

/// A file with what the NameNode has said about its blocks.
struct HdfsFile {
    client: HdfsClient,
    path: String,
    reader: FileReader,
}

impl Ranges for HdfsFile {
    fn size(&self) -> u64 {
        self.reader.file_length() as u64
    }

    fn range(&self, offset: u64, length: u64) -> Result<Pieces, FsError> {
        let len = self.reader.file_length();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(len);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(len - start);
        let pieces = self.reader.read_range_stream(start, length).boxed();
        let from = (self.client.clone(), self.path.clone(), pieces);
        let guarded = futures::stream::try_unfold(from, |(hdfs, path, mut pieces)| async move {
            let next = async { pieces.next().await.transpose() };
            let piece = hdfs.guard("read", &path, |_| next).await.map_err(FsError::in_transfer)?;
            Ok(piece.map(|piece| (piece, (hdfs, path, pieces))))
        });
        Ok(guarded.boxed())
    }
}

impl From<hdfs_native::client::FileStatus> for FileStatus {
    fn from(s: hdfs_native::client::FileStatus) -> Self {
        Self {
            path: s.path,
            len: s.length as u64,
            is_dir: s.isdir,
            // Older NameNodes set bits above the permissions, for what is said elsewhere.
            mode: s.permission & MODE,
            owner: s.owner,
            group: s.group,
            modified_ms: s.modification_time,
            accessed_ms: s.access_time,
            replication: s.replication.unwrap_or(0),
            block_size: s.blocksize.unwrap_or(0),
            encrypted: s.encrypted,
        }
    }
}

#[cfg(test)]
mod tests {
    use hadoop_rpc::{Retry, UserIdentity};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::Instant;

    use super::*;
    use crate::error::FsErrorKind;

    /// An HDFS with patience for 300 ms, and how often its listener was called.
    fn patient(address: &str) -> (Arc<dyn FileSystem>, Arc<AtomicUsize>) {
        let conf = HadoopConf::from_map([("fs.defaultFS", format!("hdfs://{address}").as_str())]);
        let location = Location::find(&conf, None).unwrap();
        let login = Login::simple(UserIdentity::new("ann"));
        let hdfs = Hdfs::open(&conf, &login, location, Duration::from_secs(20)).unwrap();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let tell = Arc::new(move |_: &FsError| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        (hdfs.with_patience(Patience { within: Duration::from_millis(300), tell }).unwrap(), told)
    }

    /// Asks an HDFS at whose address no NameNode listens. Gives the error, how often the listener was called,
    /// and how long it took.
    async fn absent(address: &str) -> (FsError, usize, Duration) {
        let (patient, told) = patient(address);
        let begin = Instant::now();
        let error = patient.status("/x").await.unwrap_err();
        (error, told.load(Ordering::Relaxed), begin.elapsed())
    }

    #[tokio::test]
    async fn a_name_node_that_is_not_there_is_waited_for_and_a_name_that_nobody_has_is_not() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (error, told, took) = absent(&closed.to_string()).await;
        assert_eq!((error.kind(), told), (FsErrorKind::Unreachable, 1), "{error}");
        assert!(took >= Duration::from_millis(300), "{took:?}");
        let (error, told, _) = absent("no-such-host.invalid:1").await;
        assert_eq!(told, 0, "{error}");
    }

    #[tokio::test]
    async fn after_a_broken_connection_only_a_call_that_may_be_executed_twice_is_repeated() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // A NameNode that dies once it has a call.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut some = [0; 64];
                let _ = std::io::Read::read(&mut stream.unwrap(), &mut some);
            }
        });
        let (patient, told) = patient(&address);
        let error = patient.rename("/x", "/y", false).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (FsErrorKind::Unreachable, Retry::IfIdempotent), "{error}");
        assert_eq!(told.load(Ordering::Relaxed), 0);
        let error = patient.mkdirs("/x", 0o700).await.unwrap_err();
        assert_eq!((error.kind(), told.load(Ordering::Relaxed)), (FsErrorKind::Unreachable, 1), "{error}");
    }
}

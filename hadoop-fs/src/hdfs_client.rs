//! The client of hdfs-native with what heddle adds to it: explicit configuration and user, a deadline for
//! every call, waiting for a NameNode that cannot be reached, and typed errors. The other modules for HDFS
//! call hdfs-native through it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hadoop_rpc::{HadoopConf, Login, Retry};
use hdfs_native::{Client, ClientBuilder, HdfsError};
use tokio::time::{Instant, timeout};

use crate::error::{FsError, FsErrorKind};
use crate::location::{Location, bad_conf};
use crate::types::Patience;

/// The configuration keys that hdfs-native reads, or their beginnings.
const KEYS: &[&str] = &[
    "dfs.client.",
    "dfs.ha.namenodes.",
    "dfs.namenode.rpc-address.",
    "dfs.data.transfer.",
    "dfs.encrypt.data.transfer",
    "dfs.user.home.dir.prefix",
    "hadoop.rpc.protection",
];

/// The shortest and the longest pause before a call is repeated because no NameNode could be reached.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// The configuration directory that hdfs-native is given. It cannot contain files, so hdfs-native reads no
/// configuration files, whatever HADOOP_CONF_DIR and HADOOP_HOME say.
const NO_DIRECTORY: &str = "/dev/null";

/// hdfs-native's client of one HDFS as one user, with a deadline for each call.
#[derive(Debug, Clone)]
pub(crate) struct HdfsClient {
    pub(crate) hdfs: Client,
    pub(crate) location: Location,
    pub(crate) deadline: Duration,
    pub(crate) patience: Option<Patience>,
    /// Whether an operation has waited for a NameNode. If so, operations wait for the end of safe mode, too,
    /// because a NameNode that has just started may be in safe mode for a moment.
    pub(crate) waited: Arc<AtomicBool>,
}

impl HdfsClient {
    pub(crate) fn open(
        conf: &HadoopConf,
        login: &Login,
        location: Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let authentication = conf
            .get_or("hadoop.security.authentication", "simple")
            .map_err(|e| bad_conf(&location.root, &e))?;
        if !authentication.eq_ignore_ascii_case("simple") {
            // If the server allows it, hdfs-native would continue without authentication, and would not
            // report that.
            let why = format!(
                "hadoop.security.authentication = {authentication} is not supported yet, only simple"
            );
            return Err(FsError::new(
                FsErrorKind::Unsupported,
                "use",
                &*location.root,
                &*location.server,
                why,
            ));
        }
        let mut settings = Vec::new();
        for (key, ..) in conf.iter().filter(|(key, ..)| KEYS.iter().any(|prefix| key.starts_with(prefix))) {
            let value = conf.get(key).map_err(|e| bad_conf(&location.root, &e))?;
            settings.extend(value.map(|value| (key.to_owned(), value)));
        }
        if !location.logical {
            // A single NameNode that refuses the connection would be tried 15 times over minutes.
            settings.push(("dfs.client.failover.max.attempts".to_owned(), "0".to_owned()));
        } else if conf.origin("dfs.client.failover.max.attempts").is_none() {
            // Six tries take longer than a failover from one NameNode to the other, but not longer than a
            // person is willing to wait.
            settings.push(("dfs.client.failover.max.attempts".to_owned(), "6".to_owned()));
        }
        let hdfs = ClientBuilder::new()
            .with_config_dir(NO_DIRECTORY)
            .with_config(settings)
            .with_url(&*location.root)
            .with_user(&*login.user().effective)
            .build()
            .map_err(|e| error("use", &location.root, &location.server, &e))?;
        Ok(Self { hdfs, location, deadline, patience: None, waited: Arc::default() })
    }

    /// Makes the call, and repeats it while no NameNode can be reached and the time of the patience has not
    /// passed. Repeating does no harm, because such a call was not sent or was refused.
    pub(crate) async fn persist<T, F: Future<Output = Result<T, FsError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, FsError> {
        let (begin, mut pause, mut told) = (Instant::now(), WAIT.0, false);
        loop {
            let error = match call().await {
                Err(error) if self.is_absent(&error) => error,
                done => return done,
            };
            let Some(patience) = &self.patience else { return Err(error) };
            if begin.elapsed() >= patience.within || self.is_unknown().await {
                return Err(error);
            }
            if !std::mem::replace(&mut told, true) {
                (patience.tell)(&error);
            }
            self.waited.store(true, Ordering::Relaxed);
            tokio::time::sleep(pause.min(patience.within)).await;
            pause = (pause * 2).min(WAIT.1);
        }
    }

    /// Whether the call has failed because no NameNode can be reached, because none is active, or because one
    /// is just starting.
    fn is_absent(&self, error: &FsError) -> bool {
        match error.kind() {
            FsErrorKind::Unreachable => error.retry() == Retry::Later,
            FsErrorKind::Standby => self.location.logical,
            FsErrorKind::SafeMode => self.waited.load(Ordering::Relaxed),
            _ => false,
        }
    }

    /// Whether the host of the only NameNode has no address. Then its name is wrong, and waiting does not
    /// help. If the name service does not answer in time, the name may be right.
    async fn is_unknown(&self) -> bool {
        if self.location.logical {
            return false;
        }
        let address = self.location.root.trim_start_matches("hdfs://");
        #[expect(clippy::disallowed_methods, reason = "the deadline is in the next line")]
        let lookup = tokio::net::lookup_host(address);
        matches!(timeout(self.deadline, lookup).await, Ok(Err(_)))
    }

    /// Runs one operation within the deadline.
    pub(crate) async fn guard<T>(
        &self,
        operation: &'static str,
        path: &str,
        call: impl Future<Output = Result<T, HdfsError>>,
    ) -> Result<T, FsError> {
        match timeout(self.deadline, call).await {
            Ok(result) => result.map_err(|e| error(operation, path, &self.location.server, &e)),
            Err(_) => {
                let why = format!("no answer within {} s", self.deadline.as_secs_f64());
                Err(FsError::new(FsErrorKind::Timeout, operation, path, &*self.location.server, why))
            }
        }
    }
}

/// The error for a failure of hdfs-native.
fn error(operation: &'static str, path: &str, server: &str, error: &HdfsError) -> FsError {
    use FsErrorKind as Kind;
    let new = |kind, detail: String| FsError::new(kind, operation, path, server, detail);
    match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            let kind = FsErrorKind::of_exception(class, text);
            let short = class.rsplit(['.', '$']).next().unwrap_or_default();
            let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given");
            new(kind, format!("{line} ({short})"))
        }
        HdfsError::IOError(io) => match io.kind() {
            ErrorKind::TimedOut => new(Kind::Timeout, io.to_string()),
            ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => {
                new(Kind::Unreachable, format!("the connection broke: {io}")).with_retry(Retry::IfIdempotent)
            }
            _ => new(Kind::Unreachable, io.to_string()),
        },
        HdfsError::FileNotFound(_) => new(Kind::NotFound, "it does not exist".into()),
        HdfsError::AlreadyExists(text) => new(Kind::AlreadyExists, first_line(text, "it exists already")),
        HdfsError::IsADirectoryError(_) => new(Kind::IsADirectory, "it is a directory".into()),
        HdfsError::BlocksNotFound(text) => {
            new(Kind::DataNodes, format!("no DataNode has its blocks: {text}"))
        }
        HdfsError::DataTransferError(_) | HdfsError::ChecksumError => new(Kind::DataNodes, error.to_string()),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            new(Kind::Authentication, error.to_string())
        }
        HdfsError::InvalidPath(_) | HdfsError::InvalidArgument(_) | HdfsError::UrlParseError(_) => {
            new(Kind::InvalidArgument, error.to_string())
        }
        HdfsError::UnsupportedFeature(_) | HdfsError::UnsupportedErasureCodingPolicy(_) => {
            new(Kind::Unsupported, error.to_string())
        }
        _ => new(Kind::Other, error.to_string()),
    }
}

fn first_line(text: &str, otherwise: &str) -> String {
    text.lines().next().filter(|line| !line.trim().is_empty()).unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(class: &str, text: &str) -> FsError {
        error("create", "/a", "NameNode h:1", &HdfsError::RPCError(class.into(), text.into()))
    }

    #[test]
    fn remote_errors() {
        let denied =
            of("org.apache.hadoop.security.AccessControlException", "Permission denied: user=a\n\tat x.y");
        assert_eq!(denied.kind(), FsErrorKind::PermissionDenied);
        assert_eq!(
            denied.to_string(),
            "cannot create /a on NameNode h:1: Permission denied: user=a (AccessControlException)"
        );
        let kerberos =
            of("org.apache.hadoop.security.AccessControlException", "SIMPLE authentication is not enabled.");
        assert_eq!(kerberos.kind(), FsErrorKind::Authentication);
        let safe = "org.apache.hadoop.hdfs.server.namenode.SafeModeException";
        assert_eq!(of(safe, "x").kind(), FsErrorKind::SafeMode);
        assert_eq!(of("org.apache.hadoop.ipc.RetriableException", safe).kind(), FsErrorKind::SafeMode);
        assert_eq!(of(safe, "x").retry(), Retry::Later);
        let full = "File /a could only be written to 0 of the 1 minReplication nodes. There are 0 datanode(s) running and 0 node(s) are excluded";
        assert_eq!(of("java.io.IOException", full).kind(), FsErrorKind::DataNodes);
        assert_eq!(of("java.io.IOException", "x").kind(), FsErrorKind::Other);
        assert_eq!(of("a.b.DSQuotaExceededException", "x").kind(), FsErrorKind::QuotaExceeded);
    }
}

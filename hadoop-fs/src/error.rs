//! The error of a failed file system operation. It says which operation on which path and server has failed,
//! why, and whether another try can help. The kinds of errors are the same for HDFS and for other file
//! systems, so that callers need not know which of them they use.

use std::io;

use hadoop_rpc::{RemoteKind, Retry};

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsErrorKind {
    /// The path does not exist, or a parent that it needs does not exist.
    NotFound,
    /// The path exists already.
    AlreadyExists,
    /// The user may not do this.
    PermissionDenied,
    /// A directory was expected.
    NotADirectory,
    /// A file was expected.
    IsADirectory,
    /// The directory is not empty.
    NotEmpty,
    /// A name or space quota is exceeded.
    QuotaExceeded,
    /// The NameNode is in safe mode, in which it changes nothing.
    SafeMode,
    /// No NameNode could be reached, or its connection broke.
    Unreachable,
    /// No answer came within the deadline.
    Timeout,
    /// None of the NameNodes is active.
    Standby,
    /// Client and server do not agree on how to authenticate.
    Authentication,
    /// No DataNode takes the data, because none runs or all are full, or the data could not be transferred to
    /// or from the DataNodes.
    DataNodes,
    /// The local file cannot be read or written.
    Local,
    /// The path, the URL or an option is not valid.
    InvalidArgument,
    /// The Hadoop configuration holds a value that cannot be used.
    Configuration,
    /// The file system or the way to authenticate is not supported.
    Unsupported,
    /// Anything else; the text says what.
    Other,
}

impl FsErrorKind {
    /// The kind of error that a Java exception stands for, by its class and its text. The package of the
    /// class does not matter, because exceptions of the same name in several packages mean the same.
    pub(crate) fn of_exception(class: &str, text: &str) -> Self {
        let short = class.rsplit(['.', '$']).next().unwrap_or_default();
        RemoteKind::of_exception(short, text).into()
    }
}

impl From<RemoteKind> for FsErrorKind {
    fn from(kind: RemoteKind) -> Self {
        match kind {
            RemoteKind::FileNotFound => Self::NotFound,
            RemoteKind::FileExists | RemoteKind::LeaseConflict => Self::AlreadyExists,
            RemoteKind::AccessControl | RemoteKind::Authorization => Self::PermissionDenied,
            RemoteKind::NotADirectory => Self::NotADirectory,
            RemoteKind::DirectoryNotEmpty => Self::NotEmpty,
            RemoteKind::QuotaExceeded => Self::QuotaExceeded,
            RemoteKind::SafeMode => Self::SafeMode,
            RemoteKind::Standby | RemoteKind::Retriable => Self::Standby,
            RemoteKind::InvalidToken | RemoteKind::AuthenticationRequired => Self::Authentication,
            RemoteKind::NoDataNodes => Self::DataNodes,
            RemoteKind::InvalidArgument => Self::InvalidArgument,
            _ => Self::Other,
        }
    }
}

/// A failed operation.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {operation} {path}{}: {detail}", on(server))]
pub struct FsError {
    kind: FsErrorKind,
    operation: &'static str,
    path: String,
    server: String,
    retry: Retry,
    detail: String,
}

fn on(server: &str) -> String {
    if server.is_empty() { String::new() } else { format!(" on {server}") }
}

impl FsError {
    pub(crate) fn new(
        kind: FsErrorKind,
        operation: &'static str,
        path: impl Into<String>,
        server: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let retry = match kind {
            FsErrorKind::SafeMode | FsErrorKind::Unreachable | FsErrorKind::Standby => Retry::Later,
            FsErrorKind::Timeout => Retry::IfIdempotent,
            FsErrorKind::DataNodes => Retry::Later,
            _ => Retry::No,
        };
        Self { kind, operation, path: path.into(), server: server.into(), retry, detail: detail.into() }
    }

    /// The same error, but that of a failed connection becomes one of the DataNodes: a connection that fails
    /// during a transfer is most likely one to a DataNode.
    pub(crate) fn in_transfer(self) -> Self {
        if self.kind != FsErrorKind::Unreachable {
            return self;
        }
        let detail = format!("a DataNode (or the NameNode) cannot be reached: {}", self.detail);
        Self { kind: FsErrorKind::DataNodes, detail, ..self }
    }

    pub(crate) fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// A failed operation on a local file.
    pub(crate) fn local(operation: &'static str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(FsErrorKind::Local, operation, path.display().to_string(), "", error.to_string())
    }

    /// Why it failed.
    pub fn kind(&self) -> FsErrorKind {
        self.kind
    }

    /// The operation that has failed, such as `write` or `rename`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path of the operation; both paths of a rename.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The server: `NameNode host:port`, or `nameservice 'x'`; empty for local files.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether another try can help.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The reason, without operation, path and server.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_in_any_package() {
        let kind = |class| FsErrorKind::of_exception(class, "text");
        assert_eq!(kind("org.apache.hadoop.fs.FileAlreadyExistsException"), FsErrorKind::AlreadyExists);
        assert_eq!(kind("java.nio.file.FileAlreadyExistsException"), FsErrorKind::AlreadyExists);
        assert_eq!(
            kind("org.apache.hadoop.fs.permission.AccessControlException"),
            FsErrorKind::PermissionDenied
        );
        assert_eq!(kind("java.io.IOException"), FsErrorKind::Other);
    }
}

//! The error of a failed file system operation. It says which operation on which path and server has failed,
//! why, and whether another try can help. The kinds of errors are the same for HDFS and for other file
//! systems, so that callers need not know which of them they use.

use std::io;

use hadoop_rpc::{ErrorKind, KerberosProblem, RemoteKind, Retry, RpcError};

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
    /// Client and server do not agree on how to authenticate, or the client lacks what it needs for that: a
    /// ticket of Kerberos, or a token that is still valid.
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
    /// The file system is not supported.
    Unsupported,
    /// The file is in an encryption zone (transparent encryption), whose keys heddle does not fetch.
    EncryptionZone,
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
            RemoteKind::InvalidToken | RemoteKind::AuthenticationRequired | RemoteKind::Sasl => {
                Self::Authentication
            }
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
    kerberos: Option<KerberosProblem>,
    /// Whether the operation was refused only because of a token that will be replaced.
    with_old_token: bool,
    /// Whether the server does not accept the token.
    token_refused: bool,
    /// The failed call, if the operation was one of this crate's own calls.
    rpc: Option<RpcError>,
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
        let (path, server, detail) = (path.into(), server.into(), detail.into());
        let (kerberos, with_old_token, token_refused, rpc) = (None, false, false, None);
        Self { kind, operation, path, server, retry, detail, kerberos, with_old_token, token_refused, rpc }
    }

    /// The error of an operation that consists of one call to a NameNode.
    pub(crate) fn of_rpc(operation: &'static str, path: &str, server: &str, error: RpcError) -> Self {
        let kind = match error.kind() {
            ErrorKind::Resolve(_) | ErrorKind::Connect(_) | ErrorKind::ConnectTimeout(_) => {
                FsErrorKind::Unreachable
            }
            ErrorKind::Disconnected { .. } => FsErrorKind::Unreachable,
            ErrorKind::HandshakeTimeout(_) | ErrorKind::Deadline { .. } => FsErrorKind::Timeout,
            ErrorKind::Auth(_) | ErrorKind::Protection { .. } | ErrorKind::Kerberos { .. } => {
                FsErrorKind::Authentication
            }
            ErrorKind::Remote(remote) => remote.kind.into(),
            _ => FsErrorKind::Other,
        };
        // Of several NameNodes, the error names the one that was asked.
        let detail = match server.ends_with(error.address()) {
            true => error.kind().to_string(),
            false => format!("{}: {}", error.address(), error.kind()),
        };
        let failed = Self::new(kind, operation, path, server, detail);
        let failed = match error.kind() {
            ErrorKind::Kerberos { problem, .. } => failed.with_kerberos(*problem),
            ErrorKind::Remote(remote) if remote.kind == RemoteKind::InvalidToken => {
                failed.with_refused_token()
            }
            _ => failed,
        };
        Self { rpc: Some(error), ..failed }
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

    pub(crate) fn with_kerberos(self, problem: KerberosProblem) -> Self {
        Self { kerberos: Some(problem), ..self }
    }

    /// The same error, of an operation that may succeed at once, because another token is used from now on.
    pub(crate) fn with_old_token(self) -> Self {
        Self { with_old_token: true, ..self }
    }

    /// The same error, of a server that does not accept the token: it has expired or was cancelled.
    pub(crate) fn with_refused_token(self) -> Self {
        Self { token_refused: true, ..self }
    }

    /// The same error with another reason.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Whether the operation was refused because of a token that is replaced from now on. It was not
    /// executed.
    pub(crate) fn is_of_old_token(&self) -> bool {
        self.with_old_token
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

    /// Whether the server does not accept the token that it was shown: the token has expired, or was
    /// cancelled. Another token may be accepted. Other failures of [`FsErrorKind::Authentication`] stay as
    /// they are with any token.
    pub fn is_of_refused_token(&self) -> bool {
        self.token_refused
    }

    /// Which problem of Kerberos it is, if it is one.
    pub fn kerberos(&self) -> Option<KerberosProblem> {
        self.kerberos
    }

    /// The failed call to the NameNode, if it is known, as for the fetching of a token.
    pub fn rpc(&self) -> Option<&RpcError> {
        self.rpc.as_ref()
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
    fn of_a_failed_call() {
        let of = |kind| {
            FsError::of_rpc(
                "use",
                "hdfs://nn:1",
                "NameNode nn:1",
                RpcError::new("getDelegationToken", "nn:1", kind),
            )
        };
        let expired =
            ErrorKind::Kerberos { problem: KerberosProblem::Expired, why: "the ticket has expired".into() };
        let failed = of(expired);
        assert_eq!(failed.kind(), FsErrorKind::Authentication);
        assert_eq!(failed.kerberos(), Some(KerberosProblem::Expired));
        assert_eq!(failed.rpc().map(RpcError::operation), Some("getDelegationToken"));
        assert_eq!(
            failed.to_string(),
            "cannot use hdfs://nn:1 on NameNode nn:1: authentication with Kerberos failed: the ticket has expired"
        );
        let refused = of(ErrorKind::Connect(std::sync::Arc::new(io::ErrorKind::ConnectionRefused.into())));
        assert_eq!((refused.kind(), refused.retry()), (FsErrorKind::Unreachable, Retry::Later));
        assert_eq!((refused.kerberos(), of(ErrorKind::Closed).kind()), (None, FsErrorKind::Other));
        let one_of_two = FsError::of_rpc(
            "use",
            "hdfs://ns",
            "nameservice 'ns' (a:1, b:1)",
            RpcError::new("x", "b:1", ErrorKind::Closed),
        );
        assert!(one_of_two.detail().starts_with("b:1: "), "{one_of_two}");
    }

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

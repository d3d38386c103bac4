//! Exceptions that a Hadoop server reports, and the one table that says what each Java class means to us.

use std::fmt;

use crate::retry::Retry;

/// What a remote exception is about, independent of its Java class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteKind {
    /// The user may not do this.
    AccessControl,
    /// Impersonation, or the service itself, is refused to the user.
    Authorization,
    /// The server is not the active one of a group.
    Standby,
    /// The server asks for another try.
    Retriable,
    /// The NameNode is in safe mode.
    SafeMode,
    /// The server is starting and cannot serve yet.
    NotReady,
    /// A token is expired, cancelled or unknown.
    InvalidToken,
    /// No such application (or its attempt).
    ApplicationNotFound,
    /// No such application attempt.
    AttemptNotFound,
    /// No such container.
    ContainerNotFound,
    /// The master is not registered (any more): it has to register again.
    MasterNotRegistered,
    /// A resource request is outside what the cluster allows.
    InvalidResourceRequest,
    /// A request names a container that was not given to this master.
    InvalidContainer,
    /// Any other exception of the resource manager itself.
    Yarn,
    /// A file or directory does not exist.
    FileNotFound,
    /// A file or directory exists already.
    FileExists,
    /// A parent of the path is not a directory.
    NotADirectory,
    /// The directory is not empty.
    DirectoryNotEmpty,
    /// A space or name quota is exceeded.
    QuotaExceeded,
    /// Another client holds the lease of the file.
    LeaseConflict,
    /// An argument is malformed.
    InvalidArgument,
    /// The server knows no such method.
    NoSuchMethod,
    /// The server does not serve this protocol: the port belongs to another service.
    NoSuchProtocol,
    /// Versions of the RPC or of the protocol do not fit.
    VersionMismatch,
    /// The server could not read what was sent.
    BadRequest,
    /// The server fell over a bug of its own (NullPointerException and the like).
    ServerBug,
    /// An I/O error on the server.
    Io,
    /// A Java class that the table does not know.
    Other,
}

/// An exception as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteException {
    /// What it is about.
    pub kind: RemoteKind,
    /// Fully qualified Java class name, empty if the server sent none.
    pub java_class: String,
    /// The whole text, often with a Java stack trace.
    pub full_text: String,
    /// The server closed the connection with it (FATAL); otherwise the connection stays usable.
    pub fatal: bool,
    pub(crate) retry: Retry,
}

impl RemoteException {
    pub(crate) fn new(java_class: String, full_text: String, fatal: bool) -> Self {
        let (kind, retry) = classify(&java_class);
        Self { kind, java_class, full_text, fatal, retry }
    }

    /// The first line of the text, without a leading repetition of the class name: the part for people.
    pub fn message(&self) -> &str {
        let line = self.full_text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        match line.strip_prefix(&self.java_class) {
            Some(rest) if !self.java_class.is_empty() => rest.trim_start_matches([':', ' ']),
            _ => line,
        }
    }

    /// Class name without its package: `StandbyException`.
    pub fn short_class(&self) -> &str {
        self.java_class.rsplit(['.', '$']).next().unwrap_or_default()
    }
}

impl fmt::Display for RemoteException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message(), self.short_class()) {
            ("", "") => f.write_str("the server reported an error without a text"),
            ("", class) => f.write_str(class),
            (message, "") => f.write_str(message),
            (message, class) => write!(f, "{message} ({class})"),
        }
    }
}

/// Java class → meaning and whether another try helps.
///
/// Classes without a package match in any package.
const TABLE: &[(&str, RemoteKind, Retry)] = &[
    ("org.apache.hadoop.security.AccessControlException", RemoteKind::AccessControl, Retry::No),
    ("SnapshotAccessControlException", RemoteKind::AccessControl, Retry::No),
    ("java.security.AccessControlException", RemoteKind::AccessControl, Retry::No),
    ("org.apache.hadoop.security.authorize.AuthorizationException", RemoteKind::Authorization, Retry::No),
    ("javax.security.sasl.SaslException", RemoteKind::AccessControl, Retry::No),
    ("org.apache.hadoop.ipc.StandbyException", RemoteKind::Standby, Retry::OtherServer),
    ("org.apache.hadoop.ipc.ObserverRetryOnActiveException", RemoteKind::Standby, Retry::OtherServer),
    ("org.apache.hadoop.ha.ServiceFailedException", RemoteKind::Standby, Retry::OtherServer),
    ("org.apache.hadoop.ipc.RetriableException", RemoteKind::Retriable, Retry::Later),
    ("NMNotYetReadyException", RemoteKind::NotReady, Retry::Later),
    ("NotReplicatedYetException", RemoteKind::Retriable, Retry::Later),
    ("SafeModeException", RemoteKind::SafeMode, Retry::Later),
    ("org.apache.hadoop.security.token.SecretManager$InvalidToken", RemoteKind::InvalidToken, Retry::No),
    ("ApplicationNotFoundException", RemoteKind::ApplicationNotFound, Retry::No),
    ("ApplicationAttemptNotFoundException", RemoteKind::AttemptNotFound, Retry::No),
    ("ContainerNotFoundException", RemoteKind::ContainerNotFound, Retry::No),
    ("ApplicationMasterNotRegisteredException", RemoteKind::MasterNotRegistered, Retry::No),
    ("InvalidApplicationMasterRequestException", RemoteKind::InvalidArgument, Retry::No),
    ("InvalidResourceRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    ("InvalidLabelResourceRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    ("ResourceNotFoundException", RemoteKind::InvalidResourceRequest, Retry::No),
    ("InvalidResourceBlacklistRequestException", RemoteKind::InvalidArgument, Retry::No),
    // Spelled so in Hadoop.
    ("SchedulerInvalidResoureRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    ("InvalidContainerException", RemoteKind::InvalidContainer, Retry::No),
    ("InvalidContainerReleaseException", RemoteKind::InvalidContainer, Retry::No),
    ("InvalidAuxServiceException", RemoteKind::InvalidArgument, Retry::No),
    ("org.apache.hadoop.yarn.exceptions.YarnException", RemoteKind::Yarn, Retry::No),
    ("java.io.FileNotFoundException", RemoteKind::FileNotFound, Retry::No),
    ("org.apache.hadoop.fs.PathIsNotEmptyDirectoryException", RemoteKind::DirectoryNotEmpty, Retry::No),
    ("org.apache.hadoop.fs.FileAlreadyExistsException", RemoteKind::FileExists, Retry::No),
    ("org.apache.hadoop.fs.ParentNotDirectoryException", RemoteKind::NotADirectory, Retry::No),
    ("org.apache.hadoop.fs.PathIsNotDirectoryException", RemoteKind::NotADirectory, Retry::No),
    ("org.apache.hadoop.fs.InvalidPathException", RemoteKind::InvalidArgument, Retry::No),
    ("AlreadyBeingCreatedException", RemoteKind::LeaseConflict, Retry::Later),
    ("LeaseExpiredException", RemoteKind::LeaseConflict, Retry::No),
    ("NSQuotaExceededException", RemoteKind::QuotaExceeded, Retry::No),
    ("DSQuotaExceededException", RemoteKind::QuotaExceeded, Retry::No),
    ("QuotaByStorageTypeExceededException", RemoteKind::QuotaExceeded, Retry::No),
    ("org.apache.hadoop.HadoopIllegalArgumentException", RemoteKind::InvalidArgument, Retry::No),
    ("java.lang.IllegalArgumentException", RemoteKind::InvalidArgument, Retry::No),
    ("java.net.UnknownHostException", RemoteKind::InvalidArgument, Retry::No),
    ("org.apache.hadoop.ipc.RpcNoSuchMethodException", RemoteKind::NoSuchMethod, Retry::No),
    ("org.apache.hadoop.ipc.RpcNoSuchProtocolException", RemoteKind::NoSuchProtocol, Retry::No),
    ("org.apache.hadoop.ipc.RPC$VersionMismatch", RemoteKind::VersionMismatch, Retry::No),
    ("org.apache.hadoop.ipc.RpcServerException", RemoteKind::BadRequest, Retry::No),
    ("org.apache.hadoop.ipc.Server$FatalRpcServerException", RemoteKind::BadRequest, Retry::No),
    ("java.lang.NullPointerException", RemoteKind::ServerBug, Retry::No),
    ("java.lang.IllegalStateException", RemoteKind::ServerBug, Retry::No),
    ("java.lang.OutOfMemoryError", RemoteKind::ServerBug, Retry::No),
    ("java.io.IOException", RemoteKind::Io, Retry::No),
];

fn classify(java_class: &str) -> (RemoteKind, Retry) {
    let short = java_class.rsplit(['.', '$']).next().unwrap_or_default();
    TABLE
        .iter()
        .find(|(class, ..)| *class == java_class || *class == short)
        .map(|(_, kind, retry)| (*kind, *retry))
        .unwrap_or_else(|| {
            let yarn = java_class.starts_with("org.apache.hadoop.yarn.exceptions.");
            (if yarn { RemoteKind::Yarn } else { RemoteKind::Other }, Retry::No)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_found_by_full_and_by_short_name() {
        let mut seen = BTreeSet::new();
        for (class, kind, retry) in TABLE {
            assert!(seen.insert(class), "{class} is in the table twice");
            let full = if class.contains('.') { (*class).to_owned() } else { format!("org.example.{class}") };
            assert_eq!(classify(&full), (*kind, *retry));
        }
        assert_eq!(
            classify("org.apache.hadoop.ipc.StandbyException"),
            (RemoteKind::Standby, Retry::OtherServer)
        );
        assert_eq!(
            classify("org.apache.hadoop.hdfs.server.namenode.SafeModeException"),
            (RemoteKind::SafeMode, Retry::Later)
        );
        assert_eq!(
            classify("org.apache.hadoop.security.token.SecretManager$InvalidToken").0,
            RemoteKind::InvalidToken
        );
        assert_eq!(
            classify("org.apache.hadoop.yarn.exceptions.ApplicationNotFoundException").0,
            RemoteKind::ApplicationNotFound
        );
        assert_eq!(
            classify("org.apache.hadoop.yarn.exceptions.YARNFeatureNotEnabledException").0,
            RemoteKind::Yarn
        );
        // The short name alone is not enough where the table names a package.
        assert_eq!(classify("com.example.AccessControlException"), (RemoteKind::Other, Retry::No));
        assert_eq!(classify(""), (RemoteKind::Other, Retry::No));
    }

    #[test]
    fn text_for_people_is_one_line() {
        let show =
            |class: &str, text: &str| RemoteException::new(class.into(), text.into(), false).to_string();
        assert_eq!(show("a.b.C$D", "a.b.C$D: no way\n\tat x(1)\n"), "no way (D)");
        assert_eq!(show("a.b.C", "\n  plain\n"), "plain (C)");
        assert_eq!(show("a.b.C", ""), "C");
        assert_eq!(show("", "text"), "text");
        assert_eq!(show("", ""), "the server reported an error without a text");
    }

    proptest! {
        #[test]
        fn any_text(class in ".{0,20}", text in ".{0,40}") {
            prop_assert!(!RemoteException::new(class, text, true).message().contains('\n'));
        }
    }
}

//! The one table that says what an exception of a Hadoop server means, by its Java class and, where the class
//! says too little, by its text. What a failed file operation or a NodeManager's refusal means is derived
//! from the [`RemoteKind`] by the crates that know about those.

use crate::retry::Retry;

/// What an exception of a Hadoop server is about, independent of its Java class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteKind {
    /// The user may not do this.
    AccessControl,
    /// The server demands another authentication than the connection offered (Kerberos, a token).
    AuthenticationRequired,
    /// The SASL handshake failed.
    Sasl,
    /// Impersonation, or the service itself, is refused to the user.
    Authorization,
    /// The server is not the active one of its group.
    Standby,
    /// The server asks for another try.
    Retriable,
    /// The NameNode is in safe mode.
    SafeMode,
    /// The server is starting and cannot serve yet.
    NotReady,
    /// A token is expired, cancelled or unknown.
    InvalidToken,
    /// There is no such application.
    ApplicationNotFound,
    /// There is no such application attempt.
    AttemptNotFound,
    /// There is no such container.
    ContainerNotFound,
    /// Of a NodeManager: the grant of the container is too old, or the clocks of the machines differ.
    ContainerGrantExpired,
    /// Of a NodeManager: the container was started before.
    ContainerAlreadyStarted,
    /// Of a NodeManager: it does not run the container.
    ContainerNotHandled,
    /// Of a NodeManager: the token of the connection or of the container does not allow the call.
    UnauthorizedRequest,
    /// The ApplicationMaster is not registered, or not any more: it has to register again.
    MasterNotRegistered,
    /// The ApplicationMaster is registered already: an earlier registration has arrived.
    MasterAlreadyRegistered,
    /// An allocation request is not within what the cluster allows.
    InvalidResourceRequest,
    /// A request names a container that was not granted to this ApplicationMaster.
    InvalidContainer,
    /// Any other exception of YARN.
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
    /// The client's own lease of the file has ended.
    LeaseExpired,
    /// The blocks of the file that were written before have too few copies yet.
    NotReplicatedYet,
    /// No DataNode takes a block: none is up, or all are full or excluded.
    NoDataNodes,
    /// An argument is malformed.
    InvalidArgument,
    /// The server knows no such method.
    NoSuchMethod,
    /// The server does not serve this protocol: the port belongs to another service.
    NoSuchProtocol,
    /// The client's version of RPC or of the protocol is not one that the server supports.
    VersionMismatch,
    /// The server could not read what was sent.
    BadRequest,
    /// An error inside the server itself (NullPointerException and the like).
    ServerBug,
    /// An I/O error on the server.
    Io,
    /// A Java class that the table does not know.
    Other,
}

impl RemoteKind {
    /// What an exception is about, by its class (with or without the package) and its text.
    pub fn of_exception(java_class: &str, text: &str) -> Self {
        classify(java_class, text).0
    }
}

/// What the exceptions of one class mean.
struct Row {
    /// The class. A name without a package matches in any package.
    class: &'static str,
    /// Parts that the text of the exception must contain, all of them.
    texts: &'static [&'static str],
    kind: RemoteKind,
    retry: Retry,
}

impl Row {
    fn is(&self, java_class: &str, text: &str) -> bool {
        let short = short_name(java_class);
        let of_class = self.class == java_class
            || self.class == short
            // A caller may know only the name of the class without its package.
            || (short == java_class && short == short_name(self.class));
        of_class && self.texts.iter().all(|part| text.contains(part))
    }
}

fn short_name(java_class: &str) -> &str {
    java_class.rsplit(['.', '$']).next().unwrap_or_default()
}

const fn row(class: &'static str, kind: RemoteKind, retry: Retry) -> Row {
    Row { class, texts: &[], kind, retry }
}

const fn text_row(
    class: &'static str,
    texts: &'static [&'static str],
    kind: RemoteKind,
    retry: Retry,
) -> Row {
    Row { class, texts, kind, retry }
}

/// The first row that matches counts, so rows with texts come before the row of the same class without texts.
const TABLE: &[Row] = &[
    text_row(
        "org.apache.hadoop.security.AccessControlException",
        &["authentication is not enabled"],
        RemoteKind::AuthenticationRequired,
        Retry::No,
    ),
    // The NameNode wraps a SafeModeException in this one if it expects to leave safe mode soon.
    text_row(
        "org.apache.hadoop.ipc.RetriableException",
        &["SafeModeException"],
        RemoteKind::SafeMode,
        Retry::Later,
    ),
    text_row("java.io.IOException", &["could only be", "node(s)"], RemoteKind::NoDataNodes, Retry::No),
    text_row(
        "InvalidApplicationMasterRequestException",
        &["already registered"],
        RemoteKind::MasterAlreadyRegistered,
        Retry::No,
    ),
    // NodeManagers of Hadoop 2.10 to 3.5 throw the same class for all of these refusals, so the text decides.
    text_row("YarnException", &["This token is expired"], RemoteKind::ContainerGrantExpired, Retry::No),
    text_row(
        "YarnException",
        &["Attempt to relaunch the same"],
        RemoteKind::ContainerAlreadyStarted,
        Retry::No,
    ),
    text_row(
        "YarnException",
        &["already is running on this node"],
        RemoteKind::ContainerAlreadyStarted,
        Retry::No,
    ),
    text_row(
        "YarnException",
        &["already running on this node"],
        RemoteKind::ContainerAlreadyStarted,
        Retry::No,
    ),
    text_row(
        "YarnException",
        &["is not handled by this NodeManager"],
        RemoteKind::ContainerNotHandled,
        Retry::No,
    ),
    // How the ResourceManager refuses to change or kill an application of somebody else.
    text_row(
        "YarnException",
        &["AccessControlException: User ", "cannot perform operation"],
        RemoteKind::AccessControl,
        Retry::No,
    ),
    text_row("YarnException", &["Unauthorized request"], RemoteKind::UnauthorizedRequest, Retry::No),
    row("org.apache.hadoop.security.AccessControlException", RemoteKind::AccessControl, Retry::No),
    row("SnapshotAccessControlException", RemoteKind::AccessControl, Retry::No),
    row("java.security.AccessControlException", RemoteKind::AccessControl, Retry::No),
    row("java.nio.file.AccessDeniedException", RemoteKind::AccessControl, Retry::No),
    row("org.apache.hadoop.security.authorize.AuthorizationException", RemoteKind::Authorization, Retry::No),
    row("javax.security.sasl.SaslException", RemoteKind::Sasl, Retry::No),
    row("org.apache.hadoop.ipc.StandbyException", RemoteKind::Standby, Retry::OtherServer),
    row("org.apache.hadoop.ipc.ObserverRetryOnActiveException", RemoteKind::Standby, Retry::OtherServer),
    row("org.apache.hadoop.ha.ServiceFailedException", RemoteKind::Standby, Retry::OtherServer),
    row("org.apache.hadoop.ipc.RetriableException", RemoteKind::Retriable, Retry::Later),
    row("NMNotYetReadyException", RemoteKind::NotReady, Retry::Later),
    row("NotReplicatedYetException", RemoteKind::NotReplicatedYet, Retry::Later),
    row("SafeModeException", RemoteKind::SafeMode, Retry::Later),
    row("org.apache.hadoop.security.token.SecretManager$InvalidToken", RemoteKind::InvalidToken, Retry::No),
    row("InvalidNMTokenException", RemoteKind::InvalidToken, Retry::No),
    row("ApplicationNotFoundException", RemoteKind::ApplicationNotFound, Retry::No),
    row("ApplicationAttemptNotFoundException", RemoteKind::AttemptNotFound, Retry::No),
    row("ContainerNotFoundException", RemoteKind::ContainerNotFound, Retry::No),
    row("ApplicationMasterNotRegisteredException", RemoteKind::MasterNotRegistered, Retry::No),
    row("InvalidApplicationMasterRequestException", RemoteKind::InvalidArgument, Retry::No),
    row("InvalidResourceRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    row("InvalidLabelResourceRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    row("ResourceNotFoundException", RemoteKind::InvalidResourceRequest, Retry::No),
    row("InvalidResourceBlacklistRequestException", RemoteKind::InvalidArgument, Retry::No),
    // Hadoop's class has this spelling.
    row("SchedulerInvalidResoureRequestException", RemoteKind::InvalidResourceRequest, Retry::No),
    row("InvalidContainerException", RemoteKind::InvalidContainer, Retry::No),
    row("InvalidContainerReleaseException", RemoteKind::InvalidContainer, Retry::No),
    row("InvalidAuxServiceException", RemoteKind::InvalidArgument, Retry::No),
    row("org.apache.hadoop.yarn.exceptions.YarnException", RemoteKind::Yarn, Retry::No),
    row("java.io.FileNotFoundException", RemoteKind::FileNotFound, Retry::No),
    row("org.apache.hadoop.fs.PathIsNotEmptyDirectoryException", RemoteKind::DirectoryNotEmpty, Retry::No),
    row("org.apache.hadoop.fs.FileAlreadyExistsException", RemoteKind::FileExists, Retry::No),
    row("org.apache.hadoop.fs.ParentNotDirectoryException", RemoteKind::NotADirectory, Retry::No),
    row("org.apache.hadoop.fs.PathIsNotDirectoryException", RemoteKind::NotADirectory, Retry::No),
    row("org.apache.hadoop.fs.InvalidPathException", RemoteKind::InvalidArgument, Retry::No),
    row("AlreadyBeingCreatedException", RemoteKind::LeaseConflict, Retry::Later),
    row("LeaseExpiredException", RemoteKind::LeaseExpired, Retry::No),
    row("NSQuotaExceededException", RemoteKind::QuotaExceeded, Retry::No),
    row("DSQuotaExceededException", RemoteKind::QuotaExceeded, Retry::No),
    row("QuotaByStorageTypeExceededException", RemoteKind::QuotaExceeded, Retry::No),
    row("org.apache.hadoop.HadoopIllegalArgumentException", RemoteKind::InvalidArgument, Retry::No),
    row("java.lang.IllegalArgumentException", RemoteKind::InvalidArgument, Retry::No),
    row("java.net.UnknownHostException", RemoteKind::InvalidArgument, Retry::No),
    row("org.apache.hadoop.ipc.RpcNoSuchMethodException", RemoteKind::NoSuchMethod, Retry::No),
    row("org.apache.hadoop.ipc.RpcNoSuchProtocolException", RemoteKind::NoSuchProtocol, Retry::No),
    row("org.apache.hadoop.ipc.RPC$VersionMismatch", RemoteKind::VersionMismatch, Retry::No),
    row("org.apache.hadoop.ipc.RpcServerException", RemoteKind::BadRequest, Retry::No),
    row("org.apache.hadoop.ipc.Server$FatalRpcServerException", RemoteKind::BadRequest, Retry::No),
    row("java.lang.NullPointerException", RemoteKind::ServerBug, Retry::No),
    row("java.lang.IllegalStateException", RemoteKind::ServerBug, Retry::No),
    row("java.lang.OutOfMemoryError", RemoteKind::ServerBug, Retry::No),
    row("java.io.IOException", RemoteKind::Io, Retry::No),
];

/// What an exception is about, and whether another try helps.
pub(crate) fn classify(java_class: &str, text: &str) -> (RemoteKind, Retry) {
    let known = TABLE.iter().find(|row| row.is(java_class, text)).map(|row| (row.kind, row.retry));
    known.unwrap_or_else(|| {
        let yarn = java_class.starts_with("org.apache.hadoop.yarn.exceptions.");
        (if yarn { RemoteKind::Yarn } else { RemoteKind::Other }, Retry::No)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_row_is_found_by_its_class_in_full_and_alone() {
        let mut seen = BTreeSet::new();
        for row in TABLE {
            let Row { class, texts, kind, retry } = row;
            assert!(seen.insert((class, texts)), "{class} {texts:?} is in the table twice");
            let full = if class.contains('.') { (*class).to_owned() } else { format!("org.example.{class}") };
            // The text of a server has a stack trace, too.
            let text = format!("a\n{}\n\tat x.y", texts.join(" b "));
            assert_eq!(classify(&full, &text), (*kind, *retry), "{full}: {text}");
            if texts.is_empty() {
                assert_eq!(classify(&full, "").0, *kind, "{full}");
            } else {
                let without = classify(&full, "a text without it").0;
                assert_ne!(without, *kind, "{full}");
            }
            // Classes of one name mean the same where only the name is known.
            assert_eq!(RemoteKind::of_exception(short_name(class), &text), *kind, "{class}");
        }
    }

    #[test]
    fn classes_as_servers_send_them() {
        let kind = |class: &str| classify(class, "");
        assert_eq!(kind("org.apache.hadoop.ipc.StandbyException"), (RemoteKind::Standby, Retry::OtherServer));
        assert_eq!(
            kind("org.apache.hadoop.hdfs.server.namenode.SafeModeException"),
            (RemoteKind::SafeMode, Retry::Later)
        );
        assert_eq!(
            kind("org.apache.hadoop.security.token.SecretManager$InvalidToken").0,
            RemoteKind::InvalidToken
        );
        assert_eq!(
            kind("org.apache.hadoop.yarn.exceptions.ApplicationNotFoundException").0,
            RemoteKind::ApplicationNotFound
        );
        assert_eq!(
            kind("org.apache.hadoop.yarn.exceptions.YARNFeatureNotEnabledException").0,
            RemoteKind::Yarn
        );
        // The short name alone is not enough where the table names a package.
        assert_eq!(kind("com.example.AccessControlException"), (RemoteKind::Other, Retry::No));
        assert_eq!(kind(""), (RemoteKind::Other, Retry::No));
    }

    #[test]
    fn a_refusal_that_yarn_has_wrapped_is_still_one() {
        let text = "java.security.AccessControlException: User bob cannot perform operation MODIFY_APP on application_1_0001";
        let class = "org.apache.hadoop.yarn.exceptions.YarnException";
        assert_eq!(RemoteKind::of_exception(class, text), RemoteKind::AccessControl);
    }

    #[test]
    fn of_two_texts_the_first_row_counts() {
        let expired =
            "Unauthorized request to start container. \nThis token is expired. current time is 2 found 1";
        let class = "org.apache.hadoop.yarn.exceptions.YarnException";
        assert_eq!(RemoteKind::of_exception(class, expired), RemoteKind::ContainerGrantExpired);
    }
}

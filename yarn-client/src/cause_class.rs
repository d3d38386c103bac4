//! The class of a failure's cause: one word for programs, which stays the same when texts change. It follows
//! from the types of errors, and never from their texts. This module does no I/O.

use std::error::Error;
use std::io;
use std::iter::successors;

use diagnosis::{Class, Finding};
use flink_model::cluster_spec::SpecError;
use flink_model::config::{LoadError, ValueError};
use flink_model::java_fit::Misfit;
use flink_model::plan::PlanError;
use flink_model::release::ReleaseError;
use flink_model::ssl::SslError;
use flink_model::start_template::TemplateError;
use flink_rest::{RestError, TlsError};
use hadoop_fs::{FsError, FsErrorKind};
use hadoop_rpc::{ConfError, CredentialsError, ErrorKind, KerberosProblem, RemoteKind, RpcError};
use yarn_api::{Cause, YarnError};

/// The class of a failure's cause. `docs/json.md` has the words and their meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CauseClass {
    /// The command line makes no sense.
    Usage,
    /// A setting, an environment variable or a file of the configuration cannot work, or is missing.
    Configuration,
    /// heddle, or the release in use, cannot do that.
    Unsupported,
    /// What was named is not there.
    NotFound,
    /// What was named is there, in a state in which that cannot be done.
    State,
    /// The user may not do that.
    Permission,
    /// The login: tickets, keytabs, tokens.
    Credentials,
    /// No connection could be made, or it broke.
    Unreachable,
    /// Something was not done in time.
    Timeout,
    /// The queue.
    Queue,
    /// Memory, disks or a quota.
    Resources,
    /// The user's program.
    Program,
    /// YARN, HDFS or Flink.
    Cluster,
    /// This machine.
    Local,
    /// A signal, or somebody who has killed the application.
    Interrupted,
    /// A defect of heddle.
    Internal,
    /// None of the others.
    Other,
}

impl CauseClass {
    /// All classes, in the order of the documentation.
    pub const ALL: [Self; 17] = [
        Self::Usage,
        Self::Configuration,
        Self::Unsupported,
        Self::NotFound,
        Self::State,
        Self::Permission,
        Self::Credentials,
        Self::Unreachable,
        Self::Timeout,
        Self::Queue,
        Self::Resources,
        Self::Program,
        Self::Cluster,
        Self::Local,
        Self::Interrupted,
        Self::Internal,
        Self::Other,
    ];

    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Configuration => "configuration",
            Self::Unsupported => "unsupported",
            Self::NotFound => "not-found",
            Self::State => "state",
            Self::Permission => "permission",
            Self::Credentials => "credentials",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Queue => "queue",
            Self::Resources => "resources",
            Self::Program => "program",
            Self::Cluster => "cluster",
            Self::Local => "local",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
            Self::Other => "other",
        }
    }

    /// What the class means, for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Usage => "The command line makes no sense; `usage` is `true`.",
            Self::Configuration => {
                "A setting, an environment variable or a file of the configuration cannot work, or is missing."
            }
            Self::Unsupported => "heddle, or the release of Flink, Hadoop or Java in use, cannot do that.",
            Self::NotFound => {
                "What was named is not there: an application, a job, a file, a savepoint, a session."
            }
            Self::State => {
                "What was named is there, but that cannot be done in its state: it has ended, has not started \
                 yet, or exists already."
            }
            Self::Permission => "The user may not do that.",
            Self::Credentials => "The login does not work: tickets, keytabs, tokens.",
            Self::Unreachable => "A service could not be connected to, or the connection broke.",
            Self::Timeout => "Something was not done, or not answered, in time.",
            Self::Queue => {
                "The queue: there is none of that name, it takes no applications, or it has no room."
            }
            Self::Resources => "Memory, disks or a quota are not sufficient.",
            Self::Program => "The user's program, its jar or its job has failed.",
            Self::Cluster => "YARN, HDFS, Flink or a node has refused or failed.",
            Self::Local => {
                "Something on this machine does not work: a file, a port, a process, the installation."
            }
            Self::Interrupted => "A signal has ended the command, or somebody has killed the application.",
            Self::Internal => "heddle itself has a defect.",
            Self::Other => "None of these; `message` says what it is.",
        }
    }

    /// The class of an error, or else of the first of its causes whose type has one.
    pub(crate) fn of_error(error: &(dyn Error + 'static)) -> Self {
        successors(Some(error), |&error| error.source()).find_map(of_type).unwrap_or(Self::Other)
    }

    /// The class of a failed operation of YARN.
    pub(crate) fn of_yarn(error: &YarnError) -> Self {
        match error.cause() {
            Cause::Rpc(error) => Self::of_rpc(error),
            Cause::Conf(_) | Cause::Address(_) => Self::Configuration,
            _ => Self::Cluster,
        }
    }

    /// The class of a failed call to a Hadoop service.
    pub(crate) fn of_rpc(error: &RpcError) -> Self {
        match error.kind() {
            ErrorKind::Resolve(_) | ErrorKind::Connect(_) | ErrorKind::ConnectTimeout(_) => Self::Unreachable,
            ErrorKind::Disconnected { .. } => Self::Unreachable,
            ErrorKind::HandshakeTimeout(_) | ErrorKind::Deadline { .. } => Self::Timeout,
            ErrorKind::Auth(_) => Self::Credentials,
            ErrorKind::Kerberos { problem, .. } => Self::of_kerberos(*problem),
            ErrorKind::Protection { .. } | ErrorKind::NotHadoopRpc(_) => Self::Configuration,
            ErrorKind::Remote(remote) => Self::of_remote(remote.kind),
            ErrorKind::Closed => Self::Internal,
            _ => Self::Cluster,
        }
    }

    /// The class of an exception of a Hadoop service.
    fn of_remote(kind: RemoteKind) -> Self {
        match kind {
            RemoteKind::AccessControl | RemoteKind::Authorization | RemoteKind::UnauthorizedRequest => {
                Self::Permission
            }
            RemoteKind::AuthenticationRequired | RemoteKind::Sasl | RemoteKind::InvalidToken => {
                Self::Credentials
            }
            RemoteKind::ApplicationNotFound
            | RemoteKind::AttemptNotFound
            | RemoteKind::ContainerNotFound
            | RemoteKind::ContainerNotHandled
            | RemoteKind::FileNotFound => Self::NotFound,
            RemoteKind::FileExists | RemoteKind::DirectoryNotEmpty | RemoteKind::LeaseConflict => Self::State,
            RemoteKind::QuotaExceeded | RemoteKind::NoDataNodes => Self::Resources,
            RemoteKind::InvalidResourceRequest
            | RemoteKind::InvalidArgument
            | RemoteKind::NotADirectory
            | RemoteKind::NoSuchProtocol => Self::Configuration,
            RemoteKind::NoSuchMethod | RemoteKind::VersionMismatch => Self::Unsupported,
            _ => Self::Cluster,
        }
    }

    /// The class of a problem of Kerberos.
    pub(crate) fn of_kerberos(problem: KerberosProblem) -> Self {
        match problem {
            KerberosProblem::Library => Self::Local,
            KerberosProblem::Configuration | KerberosProblem::WrongServer | KerberosProblem::Downgrade => {
                Self::Configuration
            }
            KerberosProblem::KdcUnreachable => Self::Unreachable,
            KerberosProblem::NoCredentials
            | KerberosProblem::Expired
            | KerberosProblem::Keytab
            | KerberosProblem::UnknownClient
            | KerberosProblem::UnknownServer
            | KerberosProblem::ClockSkew
            | KerberosProblem::Other => Self::Credentials,
        }
    }

    /// The class of an error of a file system.
    pub(crate) fn of_fs(error: &FsError) -> Self {
        if let Some(problem) = error.kerberos() {
            return Self::of_kerberos(problem);
        }
        match error.kind() {
            FsErrorKind::NotFound => Self::NotFound,
            FsErrorKind::AlreadyExists | FsErrorKind::NotEmpty => Self::State,
            FsErrorKind::PermissionDenied => Self::Permission,
            FsErrorKind::NotADirectory
            | FsErrorKind::IsADirectory
            | FsErrorKind::InvalidArgument
            | FsErrorKind::Configuration => Self::Configuration,
            FsErrorKind::QuotaExceeded | FsErrorKind::DataNodes => Self::Resources,
            FsErrorKind::Unreachable => Self::Unreachable,
            FsErrorKind::Timeout => Self::Timeout,
            FsErrorKind::Authentication => Self::Credentials,
            FsErrorKind::Local => Self::Local,
            FsErrorKind::Unsupported | FsErrorKind::EncryptionZone => Self::Unsupported,
            _ => Self::Cluster,
        }
    }

    /// The class of a failed call to the JobManager.
    fn of_rest(error: &RestError) -> Self {
        match error {
            RestError::Connect { .. } | RestError::Unavailable { .. } | RestError::Broken { .. } => {
                Self::Unreachable
            }
            RestError::Deadline { .. } | RestError::StillRunning { .. } => Self::Timeout,
            RestError::Remote { status: 404, .. } => Self::NotFound,
            RestError::Remote { status: 401 | 403, .. } => Self::Permission,
            RestError::Remote { .. } | RestError::TooLarge { .. } => Self::Cluster,
            RestError::NotFlink { .. }
            | RestError::Certificate { .. }
            | RestError::Handshake { .. }
            | RestError::Redirected { .. } => Self::Configuration,
            RestError::Negotiate { .. } => Self::Unsupported,
            RestError::Local(_) => Self::Local,
        }
    }

    /// The class of a cause that the diagnosis has found.
    pub(crate) fn of_finding(finding: &Finding) -> Self {
        match finding.class {
            Class::Configuration => Self::Configuration,
            Class::Queue => Self::Queue,
            Class::Memory => Self::Resources,
            Class::ClassPath | Class::UserCode => Self::Program,
            Class::Localization | Class::Node | Class::Platform => Self::Cluster,
            Class::AskedFor => Self::Interrupted,
            Class::Security if finding.rule == NOT_ALLOWED => Self::Permission,
            Class::Security => Self::Credentials,
        }
    }
}

/// The rule of the diagnosis that is about rights, and not about the login.
const NOT_ALLOWED: &str = "not-allowed";

/// The class of an error by its own type.
fn of_type(error: &(dyn Error + 'static)) -> Option<CauseClass> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(of_io(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<RestError>() {
        return Some(CauseClass::of_rest(error));
    }
    if let Some(error) = error.downcast_ref::<RpcError>() {
        return Some(CauseClass::of_rpc(error));
    }
    if let Some(error) = error.downcast_ref::<FsError>() {
        return Some(CauseClass::of_fs(error));
    }
    if error.is::<ReleaseError>() {
        return Some(CauseClass::Unsupported);
    }
    if error.is::<CredentialsError>() {
        return Some(CauseClass::Credentials);
    }
    let is_setting = error.is::<ValueError>()
        || error.is::<LoadError>()
        || error.is::<SpecError>()
        || error.is::<PlanError>()
        || error.is::<SslError>()
        || error.is::<TlsError>()
        || error.is::<TemplateError>()
        || error.is::<Misfit>()
        || error.is::<ConfError>();
    is_setting.then_some(CauseClass::Configuration)
}

/// The class of an error of this machine's operating system.
fn of_io(kind: io::ErrorKind) -> CauseClass {
    match kind {
        io::ErrorKind::NotFound => CauseClass::NotFound,
        io::ErrorKind::PermissionDenied => CauseClass::Permission,
        io::ErrorKind::AlreadyExists => CauseClass::State,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory => {
            CauseClass::Resources
        }
        io::ErrorKind::TimedOut => CauseClass::Timeout,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => CauseClass::Unreachable,
        _ => CauseClass::Local,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    const PAGE: &str = include_str!("../../docs/json.md");
    const SCHEMA: &str = include_str!("../../docs/schema/answer.schema.json");

    #[test]
    fn the_page_and_the_schema_have_all_classes() {
        let rows: String = CauseClass::ALL
            .iter()
            .map(|class| format!("| `{}` | {} |\n", class.word(), class.meaning()))
            .collect();
        let table = format!("| `class` | The cause |\n|---|---|\n{rows}");
        assert!(PAGE.contains(&table), "docs/json.md must have this table:\n{table}");
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let words: Vec<&str> = CauseClass::ALL.iter().map(|class| class.word()).collect();
        assert_eq!(schema["$defs"]["error"]["properties"]["class"]["enum"], json!(words));
        let different: BTreeSet<&str> = words.iter().copied().collect();
        assert_eq!(different.len(), words.len());
    }

    #[test]
    fn the_first_cause_of_a_known_type_counts() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let of = |kind| CauseClass::of_error(&Outer(io::Error::from(kind)));
        assert_eq!(of(io::ErrorKind::NotFound), CauseClass::NotFound);
        assert_eq!(of(io::ErrorKind::StorageFull), CauseClass::Resources);
        assert_eq!(of(io::ErrorKind::AddrInUse), CauseClass::Local);
        assert_eq!(CauseClass::of_error(&std::fmt::Error), CauseClass::Other);
        let value = "3.0".parse::<flink_model::release::Release>().unwrap_err();
        assert_eq!(CauseClass::of_error(&value), CauseClass::Unsupported);
    }

    #[test]
    fn of_calls() {
        let rpc = |kind| CauseClass::of_rpc(&RpcError::new("x", "h:1", kind));
        let expired = ErrorKind::Kerberos { problem: KerberosProblem::Expired, why: String::new() };
        assert_eq!(rpc(expired), CauseClass::Credentials);
        assert_eq!(rpc(ErrorKind::ConnectTimeout(std::time::Duration::ZERO)), CauseClass::Unreachable);
        assert_eq!(rpc(ErrorKind::NotHadoopRpc(String::new())), CauseClass::Configuration);
        assert_eq!(CauseClass::of_error(&RestError::remote(404, &["x".into()])), CauseClass::NotFound);
        assert_eq!(CauseClass::of_error(&RestError::remote(500, &["x".into()])), CauseClass::Cluster);
        assert_eq!(CauseClass::of_error(&RestError::Local("x".into())), CauseClass::Local);
    }

    #[test]
    fn of_what_the_diagnosis_finds() {
        let rule = diagnosis::rules::all().find(|rule| rule.id == NOT_ALLOWED);
        assert_eq!(rule.map(|rule| rule.class), Some(Class::Security));
        let killed = crate::findings::tests::of_end(-104);
        assert_eq!(CauseClass::of_finding(&killed), CauseClass::Resources);
    }
}

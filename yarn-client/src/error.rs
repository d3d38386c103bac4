//! Describes failures in the form in which the user learns of them: what could not be done, why, and what may
//! help. The errors of the other crates are turned into this form here.

use std::error::Error;
use std::fmt;

use artifact_store::{Distrust, Remedy, StoreError};
use diagnosis::Finding;
use flink_rest::{ParseError, RestError};
use hadoop_fs::{FsError, FsErrorKind};
use hadoop_rpc::{ErrorKind, KerberosProblem, RemoteKind, Retry, RpcError};
use serde_json::{Value, json};
use yarn_api::YarnError;
use yarn_api::records::ApplicationId;

pub use crate::cause_class::CauseClass;
use crate::exit::Exit;
use crate::findings;
use crate::interrupt::Cause;
use crate::kerberos_hint::kerberos_hint;

/// A failed operation: what could not be done and to what, why, of which class the cause is, whether another
/// try may help, and hints.
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    class: CauseClass,
    retry_helps: bool,
    hints: Vec<String>,
    usage: bool,
    exit: Exit,
    chain: Vec<String>,
    application: Option<ApplicationId>,
    finding: Option<Finding>,
    /// The cause that was found, if the text does not tell it.
    found: Option<String>,
    /// What is wrong with Kerberos, if that is the cause.
    kerberos: Option<KerberosProblem>,
    /// Whether Flink's own client would do what is refused here.
    unsupported: bool,
}

impl Failure {
    /// A failure whose text needs no further cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            what: what.into(),
            cause: None,
            class: CauseClass::Other,
            retry_helps: false,
            hints: Vec::new(),
            usage: false,
            exit: Exit::Failed,
            chain: Vec::new(),
            application: None,
            finding: None,
            found: None,
            kerberos: None,
            unsupported: false,
        }))
    }

    /// A failure because the command line itself is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        let mut failure = Self::new(what).of_class(CauseClass::Usage);
        failure.0.usage = true;
        failure
    }

    /// A failure because of a setting, of an environment variable or of a file of the configuration.
    pub fn configuration(what: impl Into<String>) -> Self {
        Self::new(what).of_class(CauseClass::Configuration)
    }

    /// The failure of a command that was given up for `cause`. `what` says what still exists or still runs.
    pub fn interrupted(cause: Cause, what: impl fmt::Display) -> Self {
        let class = match cause {
            Cause::Signal(_) | Cause::CallerGone => CauseClass::Interrupted,
            Cause::MainEnded(_) => CauseClass::Program,
        };
        Self::new(format!("{cause}: {what}")).of_class(class).with_exit(cause.into())
    }

    /// A failure to do `what` because of `cause`, whose type tells the class, if it is a known one.
    pub fn because(what: impl Into<String>, cause: impl Error + Send + Sync + 'static) -> Self {
        let mut failure = Self::new(what).of_class(CauseClass::of_error(&cause));
        failure.0.cause = Some(Box::new(cause));
        failure
    }

    /// A failure because of Kerberos, with a hint.
    pub(crate) fn kerberos(what: impl Into<String>, problem: KerberosProblem) -> Self {
        // Java brings a Kerberos of its own.
        let missing = problem == KerberosProblem::Library;
        let mut failure = Self::new(what)
            .of_class(CauseClass::of_kerberos(problem))
            .hint(kerberos_hint(problem))
            .unsupported_if(missing);
        failure.0.kerberos = Some(problem);
        failure
    }

    /// Adds the hints for a failed call to a Hadoop service, and says of which class the cause is and whether
    /// another try may help.
    pub fn with_rpc_hints(mut self, error: &RpcError) -> Self {
        self.0.hints.extend(rpc_hints(error));
        self.of_class(CauseClass::of_rpc(error)).retry_if(error.retry() != Retry::No)
    }

    /// The failure for an error of the file system, whose text says what could not be done and to what.
    pub fn fs(error: &FsError) -> Self {
        let mut failure = Self::new(error.to_string())
            .of_class(CauseClass::of_fs(error))
            .retry_if(error.retry() != Retry::No);
        failure.0.hints.extend(fs_hint(error).map(str::to_owned));
        failure.unsupported_if(matches!(error.kind(), FsErrorKind::Unsupported | FsErrorKind::EncryptionZone))
    }

    /// Adds a hint, unless the failure has the same hint already.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.0.hints.contains(&hint) {
            self.0.hints.push(hint);
        }
        self
    }

    /// Sets the class of the cause.
    pub fn of_class(mut self, class: CauseClass) -> Self {
        self.0.class = class;
        self
    }

    /// The class of the cause.
    pub fn class(&self) -> CauseClass {
        self.0.class
    }

    /// What the diagnosis has found, if the failure is that of an application.
    pub fn finding(&self) -> Option<&Finding> {
        self.0.finding.as_ref()
    }

    /// Sets whether another try may succeed.
    pub fn retry_if(mut self, helps: bool) -> Self {
        self.0.retry_helps = helps;
        self
    }

    /// Marks the failure as a refusal of something that heddle does not serve and Flink's own client does. A
    /// caller may then do it with Flink's client. It is for refusals before YARN gets an application.
    pub fn unsupported(self) -> Self {
        self.unsupported_if(true)
    }

    /// The same if `refused` is true.
    pub fn unsupported_if(mut self, refused: bool) -> Self {
        self.0.unsupported |= refused;
        if refused && self.0.class == CauseClass::Other {
            self.0.class = CauseClass::Unsupported;
        }
        self
    }

    /// The same failure of a deployment of which YARN knows already: Flink's client would start another
    /// application.
    pub(crate) fn after_submission(mut self) -> Self {
        self.0.unsupported = false;
        self
    }

    /// Whether heddle has refused something that Flink's own client would do. Nothing was submitted then.
    pub fn is_unsupported(&self) -> bool {
        self.0.unsupported
    }

    /// Whether this process could not log in to Kerberos with what its surroundings give it. A program that
    /// has started this one may have logged in by itself, so that its own calls of Hadoop succeed.
    pub fn lacks_login(&self) -> bool {
        use KerberosProblem::{Configuration, Expired, Library, NoCredentials};
        matches!(self.0.kerberos, Some(NoCredentials | Expired | Configuration | Library))
    }

    /// What could not be done, and to what, without the cause.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why it could not be done; `None` if the text of [`Failure::what`] says that already. The causes behind
    /// it are its sources.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// Sets the application that the failure is about, unless it is set already.
    pub fn of_application(mut self, id: ApplicationId) -> Self {
        self.0.application.get_or_insert(id);
        self
    }

    /// The application that the failure is about.
    pub fn application(&self) -> Option<ApplicationId> {
        self.0.application
    }

    /// Whether another try may succeed.
    pub fn retry_helps(&self) -> bool {
        self.0.retry_helps
    }

    /// Sets how the command ends.
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// Sets the outer causes of the failure, the outermost first, if the text tells only the innermost one.
    /// They are shown on request.
    pub fn with_chain(mut self, chain: Vec<String>) -> Self {
        self.0.chain = chain;
        self
    }

    /// Adds what the diagnosis has found, and takes its class. The cause is told unless the text tells it
    /// already, and what to set comes before all other hints.
    pub(crate) fn with_finding(mut self, finding: Finding) -> Self {
        let text = self.to_string();
        let mut hints = findings::new_hints(&finding, &text);
        hints.retain(|hint| !self.0.hints.contains(hint));
        hints.append(&mut self.0.hints);
        self.0.hints = hints;
        self.0.found = (!findings::is_said(&finding, &text)).then(|| findings::one_line(&finding.text));
        self.0.class = CauseClass::of_finding(&finding);
        self.0.finding = Some(finding);
        self
    }

    /// Whether the command line itself is wrong.
    pub fn is_usage(&self) -> bool {
        self.0.usage
    }

    /// The hints, in the order in which they were added.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Returns the text for a terminal, with one statement per line: the error, with `verbose` also its
    /// further causes, the cause that the diagnosis has found, and the hints.
    pub fn render(&self, verbose: bool) -> String {
        let mut text = format!("error: {self}\n");
        if verbose {
            for above in self.0.chain.iter().rev() {
                text.push_str(&format!("which caused: {above}\n"));
            }
            let mut cause = self.0.cause.as_ref().and_then(|c| c.source());
            while let Some(error) = cause {
                text.push_str(&format!("caused by: {error}\n"));
                cause = error.source();
            }
        }
        if let Some(found) = &self.0.found {
            text.push_str(&format!("cause: {found}\n"));
        }
        for hint in &self.0.hints {
            text.push_str(&format!("hint: {hint}\n"));
        }
        if self.0.retry_helps {
            text.push_str("hint: this can be temporary: trying again may help\n");
        }
        text
    }

    /// Returns the error for programs: the value of the key `error` in the answer of each command with
    /// `--output json`. `docs/json.md` describes its keys.
    pub fn to_json(&self) -> Value {
        let inner = &self.0;
        let mut deeper = inner.chain.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            deeper.push(error.to_string());
            cause = error.source();
        }
        json!({
            "message": self.to_string(),
            "what": inner.what,
            "cause": inner.cause.as_ref().map(ToString::to_string),
            "causes": deeper,
            "class": inner.class.word(),
            "hints": inner.hints,
            "application": inner.application.map(|id| id.to_string()),
            "retryHelps": inner.retry_helps,
            "usage": inner.usage,
            "unsupported": inner.unsupported,
            "finding": inner.finding.as_ref().map(findings::to_json),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        match &self.0.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_ref().and_then(|c| c.source())
    }
}

fn rpc_hints(error: &RpcError) -> Vec<String> {
    let hint = match error.kind() {
        ErrorKind::Resolve(_) => {
            "check the address in the Hadoop configuration (yarn-site.xml, core-site.xml)"
        }
        _ if error.is_unreachable() => {
            "check that the service runs, and that its address in the Hadoop configuration is right"
        }
        ErrorKind::HandshakeTimeout(_) | ErrorKind::Deadline { .. } => {
            "something accepts connections there but does not answer: the service hangs or is overloaded, or the port is another's"
        }
        ErrorKind::NotHadoopRpc(_) => "the address in the Hadoop configuration names another service's port",
        ErrorKind::Protection { .. } => {
            "set hadoop.rpc.protection in core-site.xml to a value that the server has too, or have the server offer a stronger one"
        }
        ErrorKind::Kerberos { problem, .. } => kerberos_hint(*problem),
        ErrorKind::Auth(_) => "the cluster asks for an authentication that this client cannot give",
        ErrorKind::Remote(remote) => match remote.kind {
            RemoteKind::AccessControl | RemoteKind::Authorization => {
                "ask the cluster's administrator for the right, or choose another queue or user (HADOOP_USER_NAME; with Kerberos kinit)"
            }
            RemoteKind::AuthenticationRequired => {
                "HADOOP_CONF_DIR must lead to the cluster's own configuration, which says that it uses Kerberos"
            }
            RemoteKind::InvalidToken => {
                "if HADOOP_TOKEN_FILE_LOCATION is set, fetch new tokens or unset it; repeat the command otherwise"
            }
            RemoteKind::Sasl => {
                "`klist` shows as whom you are logged in; the server's log says why it has refused that"
            }
            RemoteKind::SafeMode => {
                "wait until the NameNode has left safe mode (hdfs dfsadmin -safemode get)"
            }
            RemoteKind::QuotaExceeded => "free some space, or have the quota of the home directory raised",
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

fn fs_hint(error: &FsError) -> Option<&'static str> {
    if let Some(problem) = error.kerberos() {
        return Some(kerberos_hint(problem));
    }
    Some(match error.kind() {
        FsErrorKind::SafeMode => "wait until the NameNode has left safe mode (hdfs dfsadmin -safemode get)",
        FsErrorKind::Unreachable => {
            "check that the NameNode runs, and that fs.defaultFS in core-site.xml is right"
        }
        FsErrorKind::Timeout => {
            "the NameNode accepts connections but does not answer: it hangs or is overloaded"
        }
        FsErrorKind::PermissionDenied => {
            "ask for the right, use another user (HADOOP_USER_NAME; with Kerberos kinit), or set yarn.staging-directory and heddle.store.dir to \
             directories that you may write to"
        }
        FsErrorKind::QuotaExceeded => "free some space, or have the quota of the directory raised",
        FsErrorKind::DataNodes => "check that DataNodes run and have free space (hdfs dfsadmin -report)",
        FsErrorKind::Authentication => {
            "check the login (`klist`, HADOOP_TOKEN_FILE_LOCATION), and that HADOOP_CONF_DIR leads to the cluster's own configuration"
        }
        FsErrorKind::EncryptionZone if matches!(error.operation(), "open" | "read") => {
            "heddle gets no keys from a KMS: use a copy outside of the encryption zone, or one on this machine"
        }
        FsErrorKind::EncryptionZone => {
            "use directories outside of encryption zones: yarn.staging-directory and heddle.store.dir name them"
        }
        FsErrorKind::Unsupported => "the file system of yarn.staging-directory or fs.defaultFS must be HDFS",
        _ => return None,
    })
}

/// Makes the failure for a failed call to the ResourceManager.
pub fn yarn_failure(error: &YarnError) -> Failure {
    let text = match error.rpc() {
        Some(rpc)
            if matches!(
                rpc.kind(),
                ErrorKind::Kerberos { .. } | ErrorKind::Auth(_) | ErrorKind::Protection { .. }
            ) =>
        {
            format!("cannot log in to the ResourceManager: {error}")
        }
        Some(rpc) if rpc.remote().is_none() => format!("the ResourceManager does not answer: {error}"),
        _ => error.to_string(),
    };
    let mut failure = Failure::new(text).of_class(CauseClass::of_yarn(error));
    if let Some(rpc) = error.rpc() {
        failure = failure.with_rpc_hints(rpc);
        if rpc.is_unreachable() && rpc.address().starts_with("0.0.0.0") {
            failure = failure.hint("the Hadoop configuration that was found names no ResourceManager (yarn.resourcemanager.address)");
        }
    }
    failure
}

/// Turns a failed call to the JobManager into a failure for the user.
pub trait RestFailure {
    /// Makes the failure to do `what` because of this error.
    fn failure(self, what: impl Into<String>) -> Failure;
}

impl RestFailure for RestError {
    fn failure(self, what: impl Into<String>) -> Failure {
        let hint = match &self {
            RestError::Connect { .. } => {
                Some("check that the cluster still runs, and that its nodes can be reached from this machine")
            }
            RestError::NotFlink { .. } => Some("check the address: something else listens there"),
            RestError::Negotiate { .. } => Some(
                "a proxy in front of the JobManager asks for that; Flink itself does not: call the JobManager at its own address, as \
                 with -Dyarn.application.id=application_…",
            ),
            RestError::StillRunning { .. } => {
                Some("it goes on in the cluster; wait longer with -Dclient.timeout=5min")
            }
            RestError::Certificate { advice, .. } => *advice,
            RestError::Handshake { .. } => Some(
                "check that it speaks TLS, and compare security.ssl.rest.authentication-enabled, security.ssl.protocol and \
                 security.ssl.algorithms with those of the cluster",
            ),
            RestError::Redirected { to: Some(to), .. } if to.starts_with("https:") => {
                Some("this REST interface speaks TLS: set security.ssl.rest.enabled to true")
            }
            _ => None,
        };
        let retry = self.retry_helps();
        let failure = Failure::because(what, self).retry_if(retry);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        let failure = Self::usage(error.text);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::FileSystem(error) => Self::fs(&error),
            StoreError::Unreadable { path, cause } => {
                Self::because(format!("cannot read {}", path.display()), cause)
            }
            StoreError::Unusable(what) => Self::configuration(what),
            StoreError::Changed(what) => Self::new(what).of_class(CauseClass::State).retry_if(true),
            StoreError::Untrusted { ref distrust, remedy, .. } => {
                let Distrust { path, owner, .. } = distrust;
                let failure = Self::new(error.to_string()).of_class(CauseClass::Permission);
                let others = "yarn.staging-directory and heddle.store.dir name other places";
                match remedy {
                    Remedy::Chmod(mode) => failure
                        .hint(format!(
                            "`hdfs dfs -chmod {mode} {path}` closes it, once you have looked at what is there"
                        ))
                        .hint(others),
                    Remedy::Delete => failure
                        .hint(format!("delete {path}, or have {owner} or an administrator delete it"))
                        .hint(others),
                    Remedy::OtherStore { sticky } => {
                        let failure = failure.hint(
                            "name a store in a directory in which only you or the superuser of HDFS may write \
                             (heddle.store.dir)",
                        );
                        if !sticky {
                            return failure;
                        }
                        failure.hint(format!(
                            "if others are to write to {path}, `hdfs dfs -chmod +t {path}` by {owner} is \
                             sufficient for a store of your own"
                        ))
                    }
                }
            }
            StoreError::NotRemembered { path, cause } => {
                let what =
                    format!("cannot write {}, so each deployment reads all files anew", path.display());
                Self::because(what, cause)
                    .hint("make its directory one that you can write to, or let XDG_CACHE_HOME name another")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_programs() {
        let cause = RestError::Local("no file".into());
        let failure = Failure::because("cannot run it", cause).hint("try").retry_if(true);
        let failure = failure.of_application("application_1_0001".parse().unwrap());
        insta::assert_snapshot!(
            "error_for_programs",
            serde_json::to_string_pretty(&failure.to_json()).unwrap()
        );
    }

    #[test]
    fn what_flinks_own_client_would_do() {
        let refused = Failure::new("no such file system").unsupported();
        assert!(refused.is_unsupported() && refused.to_json()["unsupported"] == true);
        assert!(!refused.after_submission().is_unsupported(), "there would be two applications");
        assert!(!Failure::new("no luck").unsupported_if(false).is_unsupported());
        let kerberos = |problem| Failure::kerberos("cannot log in", problem);
        assert!(kerberos(KerberosProblem::Library).is_unsupported());
        let expired = kerberos(KerberosProblem::Expired);
        assert!(expired.lacks_login() && !expired.is_unsupported());
        assert!(!kerberos(KerberosProblem::ClockSkew).lacks_login());
    }

    #[test]
    fn what_the_diagnosis_has_found() {
        let failed = || Failure::new("the session has failed").hint("look");
        let finding = findings::tests::of_end(-104);
        let told = failed().with_finding(finding.clone());
        let text = told.render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "error: the session has failed");
        assert!(lines[1].starts_with("cause: The NodeManager has killed TaskManager container_1_"), "{text}");
        assert!(lines[2].starts_with("hint: set taskmanager.memory.jvm-overhead.min: "), "{text}");
        assert_eq!(lines[3], "hint: look");
        assert_eq!(told.to_json()["finding"]["rule"], "worker-over-physical-memory");
        assert_eq!((told.exit(), told.class()), (Exit::Failed, CauseClass::Resources));
        assert_eq!(failed().class(), CauseClass::Other);
        // What YARN's diagnostics say already is not said once more.
        let said = Failure::new(format!("it has failed: {}", finding.text)).with_finding(finding);
        assert!(!said.render(false).contains("cause: "), "{said}");
        assert!(said.render(false).contains("hint: set "), "{said}");
    }

    #[test]
    fn a_call_to_the_job_manager_that_failed() {
        let remote = |status| RestError::remote(status, &["x".into()]);
        let failure = RestError::Connect { address: "h:1".into(), reason: "refused".into(), refused: true }
            .failure("cannot list");
        assert_eq!(failure.to_string(), "cannot list: cannot connect to h:1: refused");
        assert!(failure.retry_helps() && failure.hints().len() == 1);
        assert!(remote(404).failure("no").render(true).contains("caused by: x"));
        assert!(!remote(404).failure("no").render(false).contains("caused by"));
        let store =
            StoreError::NotRemembered { path: "/c/hashes.json".into(), cause: std::io::Error::other("x") };
        assert!(Failure::from(store).render(false).contains("XDG_CACHE_HOME"));
        let directory = hadoop_fs::FileStatus {
            path: "/data".into(),
            len: 0,
            is_dir: true,
            mode: 0o777,
            owner: "etl".into(),
            group: String::new(),
            modified_ms: 0,
            accessed_ms: 0,
            replication: 0,
            block_size: 0,
            encrypted: false,
        };
        let hints = |remedy| {
            let distrust = artifact_store::check_own(&directory, "ann").unwrap_err();
            let untrusted = StoreError::Untrusted { store: "hdfs://nn/data/store".into(), distrust, remedy };
            Failure::from(untrusted).hints().join("\n")
        };
        assert!(hints(Remedy::Delete).contains("delete /data"));
        assert!(hints(Remedy::Chmod("go-w")).contains("-chmod go-w /data"));
        let other = hints(Remedy::OtherStore { sticky: false });
        assert!(other.contains("(heddle.store.dir)") && !other.contains("/data"), "{other}");
        let sticky = hints(Remedy::OtherStore { sticky: true });
        assert!(sticky.starts_with(&other) && sticky.contains("-chmod +t /data"), "{sticky}");
        assert!(Failure::from(flink_rest::JobId::parse("x").unwrap_err()).is_usage());
    }
}

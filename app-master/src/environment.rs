//! What the container gives: environment variables, `heddle-am.json`, credentials, Hadoop configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use flink_model::container::AM_SPEC_FILE;
use flink_model::spec::{AmSpec, INLINE_FILE_PREFIX, SPEC_VERSION};
use hadoop_fs::{FsError, Storage};
use hadoop_rpc::{
    Authentication, ClientOptions, ConfError, Credentials, CredentialsError, Defaults, HadoopConf, Login,
    Lookup, PropertyOrigin,
};
use taskrunner::control::JvmRecords;
use taskrunner::fresh;
use taskrunner::keys::{ControlKeys, KeyError};
use yarn_api::records::{ContainerId, ParseIdError};

use crate::tokens;

/// Everything that is known before the first connection.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Our own container; it names application and attempt.
    pub container: ContainerId,
    /// The node's host name.
    pub host: String,
    /// The container's working directory.
    pub dir: PathBuf,
    /// The container's log directory.
    pub log_dir: PathBuf,
    /// Our own binary.
    pub self_exe: PathBuf,
    /// Who we are for Hadoop, with the tokens and secrets that YARN gave to the container.
    pub login: Login,
    /// The keys of the control server.
    pub keys: Arc<ControlKeys>,
    /// What the client has specified for this application.
    pub spec: AmSpec,
    /// Hadoop's configuration: the node's, filled up and overlaid with the client's.
    pub conf: HadoopConf,
    /// Whether Hadoop's services want Kerberos or tokens. We have tokens only, which the client has fetched.
    pub authentication: Authentication,
    /// How we call Hadoop's services by RPC, without authentication unless the call says how.
    pub rpc: ClientOptions,
    /// See [`Self::staging`].
    staging: OnceLock<Storage>,
}

/// The container is not one that heddle's client made. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing.
    #[error(
        "environment variable {0} is not set; heddle-am is started by YARN for an application that heddle's client submitted"
    )]
    Missing(&'static str),
    /// Our container id.
    #[error("environment variable CONTAINER_ID: {0}")]
    ContainerId(#[from] ParseIdError),
    /// The working directory or our own path.
    #[error("cannot tell {what}: {source}")]
    Path {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file that came with the credentials.
    #[error("cannot write {name:?}, which came with the credentials, to the working directory: {source}")]
    InlineFile {
        /// Its name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// `heddle-am.json` is not there.
    #[error("cannot read {AM_SPEC_FILE}: {0}")]
    SpecFile(std::io::Error),
    /// `heddle-am.json` is not what it should be.
    #[error("{AM_SPEC_FILE} does not say what this heddle-am is to do: {0}")]
    Spec(serde_json::Error),
    /// `heddle-am.json` of another release.
    #[error(
        "{AM_SPEC_FILE} has version {0}, this heddle-am understands {SPEC_VERSION}: client and heddle-am must be of one release"
    )]
    Version(u64),
    /// The tokens.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The keys of the control server.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// No user.
    #[error("the user id of this process has no name on this node, and HADOOP_USER_NAME is not set")]
    NoUser,
    /// The node's Hadoop configuration.
    #[error(transparent)]
    Conf(#[from] ConfError),
}

/// The URL of a directory, which is below the user's home directory if it is relative.
fn full_directory(root: &str, home: &str, directory: &str) -> String {
    if directory.starts_with('/') {
        format!("{root}{directory}")
    } else {
        format!("{root}{home}/{directory}")
    }
}

impl Environment {
    /// Reads all of it.
    pub fn read() -> Result<Self, StartError> {
        let env = |name: &str| std::env::var(name).ok();
        let need = |name: &'static str| {
            env(name).filter(|value| !value.trim().is_empty()).ok_or(StartError::Missing(name))
        };
        let unknown = |what| move |source| StartError::Path { what, source };
        let dir = std::env::current_dir().map_err(unknown("the working directory"))?;
        let credentials = Credentials::read_file(need(tokens::FILE_VARIABLE)?.as_ref())?;
        write_inline_files(&credentials, &dir)?;
        let spec = parse_spec(&std::fs::read(dir.join(AM_SPEC_FILE)).map_err(StartError::SpecFile)?)?;
        let log_dirs = need("LOG_DIRS")?;
        let log_dir = log_dirs.split(',').map(str::trim).find(|dir| !dir.is_empty());
        let keys = Arc::new(ControlKeys::read(&credentials)?);
        let login = login(&env)?.with_credentials(credentials);
        let conf = hadoop_conf(&env, &spec.hadoop.client, &spec.hadoop.overrides)?;
        Ok(Self {
            container: need("CONTAINER_ID")?.parse()?,
            host: need("NM_HOST")?,
            log_dir: log_dir.ok_or(StartError::Missing("LOG_DIRS"))?.into(),
            self_exe: std::env::current_exe().map_err(unknown("the path of this program"))?,
            authentication: Authentication::of(&conf)?,
            rpc: ClientOptions::simple(&conf, login.clone())?,
            login,
            conf,
            dir,
            keys,
            spec,
            staging: OnceLock::new(),
        })
    }

    /// The file system of the application's directory, of which `path` is a part. It is opened only once: a
    /// client of hdfs-native 0.14 that has written a file keeps its connection until the process ends, also
    /// when nobody uses it any more.
    pub fn staging(&self, path: &str) -> Result<Storage, FsError> {
        if let Some(storage) = self.staging.get() {
            return Ok(storage.clone());
        }
        let storage = Storage::open(&self.conf, &self.login, Some(path))?;
        Ok(self.staging.get_or_init(|| storage).clone())
    }

    /// How a client's calls to the ResourceManager are made. With Kerberos they need the delegation token
    /// that the client has fetched for us.
    pub fn rm_client_options(&self) -> Result<ClientOptions, ConfError> {
        yarn_api::client_options(&self.conf, self.login.clone())
    }

    /// Whether Hadoop's services want Kerberos or tokens.
    pub fn is_kerberos(&self) -> bool {
        self.authentication == Authentication::Kerberos
    }

    /// Whether the JobManager can obtain other tokens in the place of those that have ended: it needs a
    /// keytab for that.
    pub fn obtains_tokens(&self) -> bool {
        self.is_kerberos() && self.spec.job_manager.keytab
    }

    /// The user's name for Hadoop's client in the JVMs; none with Kerberos, where it knows the user by the
    /// keytab or the tokens.
    pub fn hadoop_user_name(&self) -> Option<&str> {
        (!self.is_kerberos()).then_some(self.login.user().effective.as_str())
    }

    /// With Kerberos, writes the tokens of this moment to the file that the JVMs in this container get in
    /// place of ours, which has the AMRM token and heddle's keys; gives its path.
    pub fn write_tokens(&self) -> Option<Result<PathBuf, CredentialsError>> {
        self.is_kerberos().then(|| tokens::write_file(&self.login.tokens().get(), &self.dir))
    }

    /// What the JVMs leave in files. Of the directory for heap dumps it is told on which file system it is,
    /// because Hadoop's shell, which uploads them, may know another default one.
    pub fn jvm_records(&self) -> JvmRecords {
        let mut records = JvmRecords::from(&self.spec.application.records);
        if !records.heap_dump || records.heap_dump_directory.contains("://") {
            return records;
        }
        let staging = self.spec.application.staging_dir.as_deref().unwrap_or("/");
        match self.staging(staging) {
            Ok(storage) => {
                let home = storage.home_dir().trim_end_matches('/');
                records.heap_dump_directory =
                    full_directory(storage.root(), home, &records.heap_dump_directory);
            }
            Err(error) => {
                tracing::warn!(%error, "no heap dump will be made, because it could not be uploaded");
                records.heap_dump = false;
            }
        }
        records
    }

    /// Our node as YARN names it, `host:port`; the host alone if YARN has not set the variable of the port.
    pub fn node(&self) -> String {
        match std::env::var("NM_PORT") {
            Ok(port) if !port.trim().is_empty() => format!("{}:{}", self.host, port.trim()),
            _ => self.host.clone(),
        }
    }

    /// Number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.container.attempt_id.attempt
    }

    /// How many attempts there can be: what the client asked for, within the ResourceManager's bound.
    pub fn max_attempts(&self) -> u32 {
        max_attempts(self.spec.application.max_attempts, &self.conf)
    }
}

/// What other users can do because the containers do not run as the user who has submitted them; none if they
/// do, or if one of the two is not known. `submitter` is the variable `USER`, which YARN sets in every
/// container, and `process` is the system's user.
pub fn shared_user(submitter: Option<&str>, process: Option<&str>) -> Option<String> {
    let (submitter, process) = (submitter.filter(|name| !name.is_empty())?, process?);
    (submitter != process).then(|| {
        format!(
            "the containers of this application run as the system's user {process}, although {submitter} has \
             submitted it; whose containers run as {process} as well can read its files and secrets, and signal its \
             processes; hint: with LinuxContainerExecutor, and without Kerberos also \
             yarn.nodemanager.linux-container-executor.nonsecure-mode.limit-users: false, containers run as the user \
             who has submitted them"
        )
    })
}

/// Hadoop 3 has a key for the bound; before, and without it, the default number is the bound, too.
fn max_attempts(asked: u32, conf: &HadoopConf) -> u32 {
    let number = |key| conf.get_i64(key, 0).ok().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    let bound = number("yarn.resourcemanager.am.global.max-attempts")
        .or_else(|| number("yarn.resourcemanager.am.max-attempts"))
        .unwrap_or(2);
    asked.min(bound)
}

/// Puts the small files that came with the credentials where localized ones would lie, for their owner only.
pub(crate) fn write_inline_files(credentials: &Credentials, dir: &Path) -> Result<(), StartError> {
    for (alias, content) in &credentials.secrets {
        let Some(name) = alias.strip_prefix(INLINE_FILE_PREFIX) else { continue };
        let plain = Path::new(name).file_name().is_some_and(|file| file == name);
        let write = || {
            if !plain {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidInput,
                    "this is no plain file name",
                ));
            }
            fresh::write(&dir.join(name), content, 0o600)
        };
        write().map_err(|source| StartError::InlineFile { name: name.to_owned(), source })?;
    }
    Ok(())
}

fn parse_spec(bytes: &[u8]) -> Result<AmSpec, StartError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u64,
    }
    // The version first: what follows it may have another form.
    match serde_json::from_slice::<Versioned>(bytes).map_err(StartError::Spec)?.version {
        version if version == u64::from(SPEC_VERSION) => {
            serde_json::from_slice(bytes).map_err(StartError::Spec)
        }
        version => Err(StartError::Version(version)),
    }
}

/// Who we are for Hadoop.
pub(crate) fn login(env: &dyn Fn(&str) -> Option<String>) -> Result<Login, StartError> {
    Login::find(env).ok_or(StartError::NoUser)
}

/// The node's own configuration; what it lacks comes from the client, and the client's overrides win.
pub(crate) fn hadoop_conf(
    env: &dyn Fn(&str) -> Option<String>,
    client: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> Result<HadoopConf, ConfError> {
    let mut conf = HadoopConf::load(env, &Lookup::new(Defaults::common()))?;
    for (key, value) in client {
        if matches!(conf.origin(key), None | Some(PropertyOrigin::Default)) {
            conf.set(key, value, "the client's configuration");
        }
    }
    for (key, value) in overrides {
        conf.set(key, value, "the client's flink.hadoop.* or flink.yarn.*");
    }
    Ok(conf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_for_heap_dumps_is_below_the_home_directory() {
        let of = |directory: &str| full_directory("hdfs://nn:8020", "/user/ann", directory);
        assert_eq!(of(".heddle/heap-dumps/a_1"), "hdfs://nn:8020/user/ann/.heddle/heap-dumps/a_1");
        assert_eq!(of("/dumps/a_1"), "hdfs://nn:8020/dumps/a_1");
    }

    #[test]
    fn containers_of_another_user_are_told_of() {
        let told = shared_user(Some("alice"), Some("yarn")).unwrap();
        assert!(told.contains("user yarn") && told.contains("alice has submitted"), "{told}");
        for (submitter, process) in [
            (Some("alice"), Some("alice")),
            (Some("alice"), None),
            (None, Some("yarn")),
            (Some(""), Some("yarn")),
        ] {
            assert_eq!(shared_user(submitter, process), None);
        }
    }

    #[test]
    fn yarn_bounds_the_attempts() {
        let bounded =
            |asked, pairs: &[(&str, &str)]| max_attempts(asked, &HadoopConf::from_map(pairs.iter().copied()));
        let (global, default) =
            ("yarn.resourcemanager.am.global.max-attempts", "yarn.resourcemanager.am.max-attempts");
        assert_eq!(bounded(1, &[]), 1);
        assert_eq!(bounded(5, &[]), 2);
        assert_eq!(bounded(5, &[(default, "4")]), 4);
        assert_eq!(bounded(5, &[(default, "4"), (global, "10")]), 5);
    }

    #[test]
    fn small_files_come_with_the_credentials() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let dir = place.path();
        let mut credentials = Credentials::default();
        let alias = |name: &str| format!("{INLINE_FILE_PREFIX}{name}");
        credentials.secrets.insert(alias("config.yaml"), b"a: b".to_vec());
        credentials.secrets.insert("other".into(), b"secret".to_vec());
        write_inline_files(&credentials, dir).unwrap();
        let written = dir.join("config.yaml");
        assert_eq!(std::fs::read(&written).unwrap(), b"a: b");
        assert_eq!(written.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
        for outside in ["../x", "/x", "a/b", "..", ""] {
            let credentials =
                Credentials { secrets: [(alias(outside), Vec::new())].into(), ..Default::default() };
            assert!(write_inline_files(&credentials, dir).is_err(), "{outside:?}");
        }
    }

    #[test]
    fn another_version_is_refused_by_name_whatever_follows() {
        let error = parse_spec(br#"{"version": 9, "all": "different"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "heddle-am.json has version 9, this heddle-am understands 2: client and heddle-am must be of one release"
        );
        assert!(matches!(parse_spec(b"{}"), Err(StartError::Spec(_))));
        assert!(matches!(parse_spec(br#"{"version": 2}"#), Err(StartError::Spec(_))));
    }
}

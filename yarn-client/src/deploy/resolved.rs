//! Holds a deployment as one value, with everything derived, checked and decided. `--dry-run` shows this
//! value, and a deployment carries it out; nothing is decided after it has been made.
//!
//! The value holds no connection, so it can be compared, written to a file and read back.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use artifact_store::LocalFile;
use flink_model::class_path::ContainerFiles;
use flink_model::config::{Configuration, Origin};
use flink_model::container::{BRIDGE, INTERNAL_KEY};
use flink_model::local_resource::{LocalResource, LocalResourceKind};
use flink_model::options;
use flink_model::plan::{self, ShippedConfiguration};
use flink_model::spec::{AmSpec, ClusterMode};
use hadoop_rpc::HadoopConf;
use serde::{Deserialize, Serialize};
use yarn_api::records::ApplicationId;

use super::am_spec::{ClusterAnswers, am_spec, get, high_availability};
use super::container_files::{FileSource, Part};
use super::derived::Derived;
use super::facts::{self, Facts};
use super::kerberos::KerberosFiles;
use super::remote_files::RemoteFile;
use super::tokens::Security;
use crate::configuration::text;
use crate::error::{CauseClass, Failure};
use crate::warning::Warnings;

/// A deployment that is ready to be carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// How the cluster is used.
    pub mode: ClusterMode,
    /// The release of Flink.
    pub flink: String,
    /// The program that the cluster runs; `None` for a session.
    pub program: Option<ResolvedProgram>,
    /// What YARN is told of the application.
    pub application: Application,
    /// The size of the ApplicationMaster's container.
    pub application_master: ContainerSize,
    /// The size of each TaskManager's container.
    pub task_manager: ContainerSize,
    /// The options of a TaskManager's JVM that follow from its size.
    pub task_manager_jvm_options: Vec<String>,
    /// The files of the containers, each with the place from which it comes.
    pub files: Vec<ResolvedFile>,
    /// Small files that are part of the submission itself: configuration, logging, the program's arguments,
    /// and the key for the cluster's own connections.
    pub small_files: Vec<SmallFile>,
    /// The specification for the ApplicationMaster. Its local resources are added when they are staged.
    pub am_spec: AmSpec,
    /// The effective configuration; values of secret keys are masked.
    pub configuration: Vec<EffectiveSetting>,
    /// The files with which the cluster's JVMs log in to Kerberos.
    pub kerberos: KerberosFiles,
    /// How the deployment logs in, and which tokens the application gets. `None` means that the cluster has
    /// no Kerberos.
    pub security: Option<Security>,
    /// Whether the start uses everything that makes it faster (`heddle.fast-start`).
    pub fast_start: bool,
    /// The name of the submission, if it has one.
    pub submission: Option<String>,
    /// The time in milliseconds after which the deployment is given up; `None` means without a limit.
    pub timeout_ms: Option<u64>,
    /// Whether the cluster as it is now can give the containers, as far as that is known.
    pub fits: bool,
    /// What the user should know, but what does not stop the deployment.
    pub warnings: Warnings,
}

/// The program, with its arguments unmasked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedProgram {
    /// The jar; `None` if the program is on the class path.
    pub jar: Option<String>,
    /// The class with `main()`, if it is named.
    pub main_class: Option<String>,
    /// The arguments.
    pub arguments: Vec<String>,
}

impl fmt::Debug for ResolvedProgram {
    /// Arguments can be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jar, main_class, arguments } = self;
        write!(f, "Program {{ {jar:?}, {main_class:?}, {} arguments }}", arguments.len())
    }
}

/// What the ResourceManager is told of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The id, which the ResourceManager has assigned.
    #[serde(with = "id_as_text")]
    pub id: ApplicationId,
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The queue.
    pub queue: String,
    /// The tags.
    pub tags: BTreeSet<String>,
    /// The priority, if one is wanted.
    pub priority: Option<i32>,
    /// The node label to which the application is restricted.
    pub node_label: Option<String>,
    /// For how many milliseconds a failed attempt counts; `None` means for ever.
    pub attempt_failures_validity_ms: Option<u64>,
    /// Whether containers outlive the attempt that has started them.
    pub keep_containers: bool,
    /// A regular expression for the names of the logs that YARN collects while the application runs.
    pub rolled_logs_include: Option<String>,
    /// A regular expression for the names of logs that are not collected although the other expression
    /// matches.
    pub rolled_logs_exclude: Option<String>,
    /// The user as whom the application calls Hadoop's services.
    pub user: String,
}

/// The size of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSize {
    /// The memory in MiB.
    pub memory_mb: u64,
    /// The number of vcores.
    pub vcores: i32,
}

/// A file of the containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedFile {
    /// The path in the containers' working directory.
    pub(crate) key: String,
    pub(crate) part: Part,
    pub(crate) kind: LocalResourceKind,
    pub(crate) source: ResolvedSource,
}

/// Where a file is before the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ResolvedSource {
    /// A local file for the store that everybody may read.
    SharedStore(PathBuf),
    /// A local file for the store that only the user can read, if no other has it.
    PrivateStore(PathBuf),
    /// A local file for the application's own directory.
    OfApplication(PathBuf),
    /// A file that is on the cluster already.
    Remote(LocalResource),
}

/// A small file with its content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallFile {
    /// The name in the container's working directory.
    pub(crate) name: String,
    pub(crate) content: Content,
}

impl fmt::Debug for SmallFile {
    /// The content may hold secrets, so only its size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.content.bytes().len())
    }
}

/// The content of a file. It is text if it is valid UTF-8, so that people can read it in a plan.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Binary(Vec<u8>),
}

impl Content {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| Self::Binary(e.into_bytes()), Self::Text)
    }
}

/// A key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveSetting {
    /// The key.
    pub key: String,
    /// The value; masked if the key is that of a secret.
    pub value: String,
    /// Where the value was set.
    pub origin: String,
    /// Whether the value comes from a file, and not from the command line.
    pub of_file: bool,
}

/// Everything that the services of the cluster have answered.
pub(crate) struct Answers<'a> {
    /// The Hadoop configuration with which the services were found.
    pub(crate) conf: &'a HadoopConf,
    /// The user as whom the services were asked.
    pub(crate) user: &'a str,
    pub(crate) facts: &'a Facts,
    /// The URL of the application's own directory.
    pub(crate) directory: &'a str,
    pub(crate) remote: &'a [RemoteFile],
    /// How the deployment logs in, if the cluster has Kerberos.
    pub(crate) security: Option<&'a Security>,
}

impl Resolved {
    /// Checks what was derived against the answers of the cluster, and decides the rest. Wrong settings are
    /// found here, before the first byte is written.
    pub(crate) fn new(
        derived: &Derived,
        answers: &Answers<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, Failure> {
        let Answers { conf, user, facts, directory, remote, security } = *answers;
        let fits = facts::check(derived, conf, user, facts, warnings)?;
        let id = facts.application.id;
        let renewer = security.and_then(|security| security.renewer.as_deref());
        let own = derived.kerberos.configure(&derived.configuration, derived.release, renewer);
        let shipped =
            plan::shipped_configuration(&own, derived.release, Some(&id.to_string())).map_err(|e| {
                Failure::because("cannot write the configuration for the containers", e)
                    .of_class(CauseClass::Configuration)
            })?;
        let files = files(derived, remote);
        let largest_container_mb = facts.application.max_capability.memory_mb;
        let answers = ClusterAnswers { conf, directory, largest_container_mb };
        let am_spec = am_spec(derived, &answers, &shipped, on_class_path(&files))?;
        let mut all_warnings = derived.warnings.clone();
        all_warnings.append(warnings.clone());
        let cluster = &derived.cluster;
        Ok(Self {
            mode: derived.mode,
            flink: derived.release.to_string(),
            program: derived.program.as_ref().map(|program| ResolvedProgram {
                jar: program.jar.clone(),
                main_class: program.main_class.clone(),
                arguments: program.args.clone(),
            }),
            application: application(derived, id, user)?,
            application_master: ContainerSize {
                memory_mb: cluster.am_memory_mb(),
                vcores: cluster.am_vcores,
            },
            task_manager: ContainerSize { memory_mb: cluster.tm_memory_mb(), vcores: cluster.tm_vcores },
            task_manager_jvm_options: cluster.task_manager.jvm_args(),
            files,
            small_files: small_files(derived, shipped)?,
            am_spec,
            configuration: effective(&derived.configuration),
            kerberos: derived.kerberos.clone(),
            security: security.cloned(),
            fast_start: derived.fast_start,
            submission: derived.submission.clone(),
            timeout_ms: derived.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
            fits,
            warnings: all_warnings,
        })
    }

    /// What the file with this key is for.
    pub(crate) fn part_of(&self, key: &str) -> Part {
        self.files.iter().find(|file| file.key == key).map_or(Part::Apart, |file| file.part)
    }

    /// The files that are on the cluster already.
    pub(crate) fn remote_files(&self) -> impl Iterator<Item = &LocalResource> {
        self.files.iter().filter_map(|file| match &file.source {
            ResolvedSource::Remote(resource) => Some(resource),
            ResolvedSource::SharedStore(_)
            | ResolvedSource::PrivateStore(_)
            | ResolvedSource::OfApplication(_) => None,
        })
    }

    /// The local files for the application's own directory: the path in the containers, and the file.
    pub(crate) fn files_of_application(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().filter_map(|file| match &file.source {
            ResolvedSource::OfApplication(path) => Some((file.key.as_str(), path.as_path())),
            ResolvedSource::SharedStore(_) | ResolvedSource::PrivateStore(_) | ResolvedSource::Remote(_) => {
                None
            }
        })
    }
}

/// Lists the files of this machine, and then those of the cluster.
fn files(derived: &Derived, remote: &[RemoteFile]) -> Vec<ResolvedFile> {
    let local = derived.files.iter().filter_map(|file| {
        let source = match &file.source {
            FileSource::Shared(path) => ResolvedSource::SharedStore(path.clone()),
            FileSource::Closed(path) | FileSource::Private(path) => {
                ResolvedSource::PrivateStore(path.clone())
            }
            FileSource::OfApplication(path) => ResolvedSource::OfApplication(path.clone()),
            FileSource::Remote(_) | FileSource::RemoteTree(_) | FileSource::RemotePath(_) => return None,
        };
        Some(ResolvedFile { key: file.key.clone(), part: file.part, kind: file.kind, source })
    });
    let remote = remote.iter().map(|file| ResolvedFile {
        key: file.resource.key.clone(),
        part: file.part,
        kind: file.resource.kind,
        source: ResolvedSource::Remote(file.resource.clone()),
    });
    local.chain(remote).collect()
}

/// Selects the files that are on the class path.
fn on_class_path(files: &[ResolvedFile]) -> ContainerFiles {
    let of = |part: Part| {
        let keys = files.iter().filter(move |f| f.part == part && f.kind == LocalResourceKind::File);
        keys.map(|f| f.key.clone())
    };
    ContainerFiles {
        // The configuration of Flink and of its logging is in the working directory, which is behind the jars
        // on the class path, so class data archives do not depend on it.
        shipped: of(Part::System).collect(),
        user: of(Part::User).collect(),
        bridge: Some(BRIDGE.to_owned()),
    }
}

/// Lists the files with which Flink, its logging and the program are configured.
fn small_files(derived: &Derived, shipped: ShippedConfiguration) -> Result<Vec<SmallFile>, Failure> {
    let text = |name: &str, text: String| SmallFile { name: name.to_owned(), content: Content::Text(text) };
    let mut files = vec![text(shipped.file_name, shipped.text)];
    if let Some(LocalFile { key, path, .. }) = &derived.names.logging.1 {
        let content = std::fs::read(path)
            .map_err(|e| Failure::because(format!("cannot read {}", path.display()), e))?;
        files.push(SmallFile { name: key.clone(), content: content.into() });
    }
    if let Some(program) = derived.program.as_ref().filter(|_| derived.mode == ClusterMode::Application) {
        let json = serde_json::json!({ "mainClass": program.main_class, "args": program.args });
        files.push(text(plan::PROGRAM_FILE, json.to_string()));
    }
    if let Some(key) = &derived.internal_key {
        let content = Content::Binary(key.keystore.clone());
        files.push(SmallFile { name: INTERNAL_KEY.to_owned(), content });
    }
    Ok(files)
}

fn application(derived: &Derived, id: ApplicationId, user: &str) -> Result<Application, Failure> {
    let conf = &derived.configuration;
    let keep_containers = high_availability(conf);
    // Without high availability, nothing reads this value.
    let validity = if keep_containers { get(conf, &options::ATTEMPT_FAILURES_VALIDITY)? } else { None };
    let rolled = |option| derived.release.traits().rolled_logs.then(|| text(conf, option)).flatten();
    Ok(Application {
        id,
        name: derived.name.clone(),
        kind: text(conf, &options::APPLICATION_TYPE).unwrap_or_else(|| "Apache Flink".into()),
        queue: text(conf, &options::APPLICATION_QUEUE).unwrap_or_else(|| "default".into()),
        tags: derived.tags.clone(),
        priority: get(conf, &options::APPLICATION_PRIORITY)?.filter(|p| *p >= 0),
        node_label: text(conf, &options::APPLICATION_NODE_LABEL),
        attempt_failures_validity_ms: validity.and_then(|ms| u64::try_from(ms).ok()),
        keep_containers,
        rolled_logs_include: rolled(&options::ROLLED_LOGS_INCLUDE),
        rolled_logs_exclude: rolled(&options::ROLLED_LOGS_EXCLUDE),
        user: user.to_owned(),
    })
}

fn effective(configuration: &Configuration) -> Vec<EffectiveSetting> {
    let each = configuration.masked().map(|(key, value, origin)| EffectiveSetting {
        origin: told_origin(key, &value, origin),
        key: key.to_owned(),
        value,
        of_file: matches!(origin, Origin::File { .. }),
    });
    each.collect()
}

/// Describes where a setting comes from. The absence of an option can decide a setting, too.
fn told_origin(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) if key == options::EXECUTION_ATTACHED.key && value == "true" => {
            format!("{flag} is not given")
        }
        origin => origin.to_string(),
    }
}

/// An application id in the form in which YARN writes it.
mod id_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use yarn_api::records::ApplicationId;

    pub(super) fn serialize<S: Serializer>(id: &ApplicationId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ApplicationId, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[path = "resolved_tests.rs"]
mod tests;

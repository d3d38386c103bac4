//! What the client has decided about an application and the ApplicationMaster carries out. The client writes
//! it as one value to the file `am.json` in the application's directory.
//!
//! Only the ApplicationMaster that the same client submits reads the file, except for [`ContainerResources`]
//! and [`HadoopSettings`], which `heddle gc` reads as well. In the ApplicationMaster's working directory, the
//! file is `heddle-am.json`, with mode 600. It holds no secret of heddle's: tokens and the keys of the
//! control server are in the container's credentials.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::class_data::ClassDataSpec;
use crate::config::{masked_words, shown};
use crate::local_resource::LocalResource;

/// The version of [`AmSpec`]. An ApplicationMaster that has another version ends with an error that names
/// both.
pub const SPEC_VERSION: u32 = 2;

/// The name of the file with the [`AmSpec`] in the application's directory. In the container, its name is
/// [`crate::container::AM_SPEC_FILE`].
pub const SPEC_FILE: &str = "am.json";

/// What the aliases of heddle's own entries in the containers' Hadoop credentials begin with.
pub const OWN_ALIAS_PREFIX: &str = "heddle.";

/// The alias of the 32 bytes from which the keys of all callers of the control server are derived. It is in
/// the ApplicationMaster's credentials alone.
pub const CONTROL_ROOT_ALIAS: &str = "heddle.control.root";

/// The alias of the control server's private key (PKCS #8), in the ApplicationMaster's credentials alone.
pub const CONTROL_PRIVATE_KEY_ALIAS: &str = "heddle.control.private-key";

/// The alias of the control server's certificate (DER), in the ApplicationMaster's credentials.
pub const CONTROL_CERTIFICATE_ALIAS: &str = "heddle.control.certificate";

/// The alias of the key of one taskrunner, in the credentials of its container.
pub const CONTROL_WORKER_KEY_ALIAS: &str = "heddle.control.worker-key";

/// The alias of the SHA-256 of the control server's certificate, in the credentials of a taskrunner's
/// container.
pub const CONTROL_PIN_ALIAS: &str = "heddle.control.pin";

/// What the alias of a small file in the ApplicationMaster's credentials begins with. The name of the file
/// follows. Such a file is not a local resource, because localizing the first local resource of an
/// application takes a node about two seconds.
pub const INLINE_FILE_PREFIX: &str = "heddle.file.";
/// The variable with the directories for the temporary files of a JVM, separated by commas. heddle-am and
/// heddle-taskrunner make these directories.
pub const TMP_DIRS_ENV: &str = "HEDDLE_TMP_DIRS";

/// Which kind of Flink cluster an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMode {
    /// A session, which runs until it is stopped. Jobs are submitted by its REST interface.
    Session,
    /// An application in Flink's sense. `main()` runs in the JobManager, and the cluster ends when `main()`
    /// and its jobs have ended.
    Application,
    /// A per-job cluster. `main()` runs on the client, and the cluster ends when `main()` and its jobs have
    /// ended.
    PerJob,
}

impl ClusterMode {
    /// The value of `-t` and of `execution.target` for such a cluster.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::Session => "yarn-session",
            Self::Application => "yarn-application",
            Self::PerJob => "yarn-per-job",
        }
    }
}

/// How to start the JVM of a JobManager or a TaskManager.
///
/// `jvm_args` and `launcher` may have `<LOG_DIR>` and `{{VAR}}` in them; `java_home`, `class_path` and the
/// values of `env` may also have `$VAR` and `${VAR}`. They are filled in on the node from the container's
/// environment. `args` are used as they are.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JvmTemplate {
    /// A program and its arguments that start Java, such as `nice -n 5`; empty if Java is started directly
    /// (`yarn.container-start-command-template`).
    #[serde(default)]
    pub launcher: Vec<String>,
    /// Java's directory. `None` stands for the container's `JAVA_HOME`, or else `java` of the `PATH`.
    pub java_home: Option<String>,
    /// The options of the JVM. A JobManager's include the memory options; those of a TaskManager come with
    /// each request.
    pub jvm_args: Vec<String>,
    /// The entries of the class path, in their order.
    pub class_path: Vec<String>,
    /// The main class.
    pub main_class: String,
    /// The arguments of the program.
    pub args: Vec<String>,
    /// Environment variables that are added to those of the container.
    pub env: BTreeMap<String, String>,
    /// The keys of Flink whose values the container's environment has, each with the name of the variable. If
    /// the variable is set, the arguments `-D <key>=<value>` are added. For TaskManagers, `io.tmp.dirs` gets
    /// the value of [`TMP_DIRS_ENV`], unless the configuration sets the key.
    #[serde(default)]
    pub args_from_env: BTreeMap<String, String>,
}

impl fmt::Debug for JvmTemplate {
    /// Leaves out what may be secret: the arguments of the program, and the values of options and variables
    /// with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JvmTemplate")
            .field("launcher", &masked_words(&self.launcher))
            .field("java_home", &self.java_home)
            .field("jvm_args", &masked_words(&self.jvm_args))
            .field("class_path", &self.class_path)
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("env", &masked(&self.env))
            .field("args_from_env", &self.args_from_env)
            .finish()
    }
}

/// The values for a log. Those of secret keys are replaced by stars.
fn masked(values: &BTreeMap<String, String>) -> BTreeMap<&str, String> {
    values.iter().map(|(key, value)| (key.as_str(), shown(key, value.clone()))).collect()
}

/// TaskManagers that will certainly be needed, so they are requested while the JobManager starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prewarm {
    /// The number of TaskManagers.
    pub count: u32,
    /// The memory of each container, in MiB.
    pub memory_mb: u64,
    /// The vcores of each container.
    pub vcores: u32,
    /// The amounts of other resources of each container, by YARN's names.
    #[serde(default)]
    pub resources: BTreeMap<String, u64>,
    /// The time after which a TaskManager that Flink has not requested is given back, in milliseconds
    /// (`resourcemanager.taskmanager-timeout`, but at most 30 s).
    pub idle_ms: u64,
}

/// Everything that the client has specified for an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmSpec {
    /// The [`SPEC_VERSION`] of the client that has written this.
    pub version: u32,
    /// The application as a whole.
    pub application: ApplicationSpec,
    /// The program in the first container.
    pub application_master: ApplicationMasterSpec,
    /// The JobManager.
    pub job_manager: JobManagerSpec,
    /// The TaskManagers.
    pub task_managers: TaskManagersSpec,
    /// Where class data archives may be made.
    pub archive_making: ArchiveMaking,
    /// The local resources of the containers.
    #[serde(flatten)]
    pub resources: ContainerResources,
    /// Hadoop's configuration.
    #[serde(flatten)]
    pub hadoop: HadoopSettings,
}

/// The application as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationSpec {
    /// The name of the YARN application.
    pub name: String,
    /// The release of the Flink distribution, for example `1.20.1`.
    pub flink_version: String,
    /// The kind of cluster.
    pub mode: ClusterMode,
    /// The URL of the application's directory, which the ApplicationMaster removes at the end.
    pub staging_dir: Option<String>,
    /// The number of attempts with which the application was submitted. In the last attempt, the
    /// ApplicationMaster reports a failure to YARN and cleans up. In earlier ones, it leaves both to the next
    /// attempt.
    pub max_attempts: u32,
    /// Whether jobs are recovered after an end of the JobManager (`high-availability.type`). YARN then keeps
    /// the TaskManagers for the next attempt, and the JobManager is started again in its container.
    pub high_availability: bool,
    /// The tracking URL after the end, which is that of Flink's history server. `None` stands for no URL.
    pub history_url: Option<String>,
    /// The access lists `VIEW_APP` and `MODIFY_APP` for all containers.
    pub acls: BTreeMap<String, String>,
    /// Whether heddle does what only makes a start faster (`heddle.fast-start`).
    pub fast_start: bool,
    /// Whether the ApplicationMaster leaves a record of the application in the user's home directory
    /// (`heddle.outcomes`).
    pub outcomes: bool,
    /// What the JVMs leave in files.
    #[serde(default)]
    pub records: RecordsSpec,
}

/// What JVMs leave in files, so that it can be found out afterwards what happened in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordsSpec {
    /// An error file, and a log of the collections of garbage (`heddle.jvm-records`).
    pub logs: bool,
    /// What the JDK's Flight Recorder records (`heddle.jfr`).
    pub flight_recorder: bool,
    /// The directory for dumps of a heap that is full, if any are made (`heddle.heap-dump`,
    /// `heddle.heap-dump.dir`). A relative one is below the user's home directory on HDFS.
    pub heap_dump_directory: Option<String>,
}

/// The ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationMasterSpec {
    /// The memory of its container, in MiB. What heddle-am does beside the JobManager must not exceed it.
    pub memory_mb: u64,
    /// The port, or the range of ports, of the control server, as in `heddle.control.port`; `0` stands for
    /// any.
    pub control_port: String,
    /// The interval of heartbeats to the ResourceManager while no request is open, in milliseconds
    /// (`yarn.heartbeat.interval`).
    pub heartbeat_idle_ms: u64,
    /// The interval of heartbeats while requests are open, in milliseconds
    /// (`yarn.heartbeat.container-request-interval`).
    pub heartbeat_busy_ms: u64,
    /// The metrics that it serves; `None` if it serves none.
    #[serde(default)]
    pub metrics: Option<MetricsSpec>,
}

/// The metrics for Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsSpec {
    /// The port, or the range of ports, as in `heddle.metrics.port`; `0` stands for any.
    pub ports: String,
    /// The ports of Flink's own reporters for Prometheus, one text for each reporter
    /// ([`crate::reporters::prometheus_ports`]).
    pub reporters: Vec<String>,
}

/// The JobManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobManagerSpec {
    /// The JobManager's JVM. Its stdout and stderr are in `jobmanager.out` and `jobmanager.err`.
    pub jvm: JvmTemplate,
    /// The ports for the REST interface (`rest.bind-port`); `None` stands for any.
    pub rest_ports: Option<String>,
    /// Whether the REST interface speaks TLS (`security.ssl.rest.enabled`).
    #[serde(default)]
    pub rest_tls: bool,
    /// Whether the JVM has a keytab. On a cluster with Kerberos, it can obtain new delegation tokens then.
    #[serde(default)]
    pub keytab: bool,
    /// The class data archives for the JVM. If it is `None`, none are used or made.
    pub class_data: Option<ClassDataSpec>,
}

/// The TaskManagers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskManagersSpec {
    /// The JVM of a TaskManager. Each request of Flink adds memory options and arguments.
    pub jvm: JvmTemplate,
    /// The names of files in the ApplicationMaster's working directory (configuration and logging) that a
    /// TaskManager gets, too. They are sent by the control protocol.
    pub files: Vec<String>,
    /// The key of the taskrunner among the local resources.
    pub taskrunner_key: String,
    /// The node label for the TaskManagers' containers.
    pub node_label: Option<String>,
    /// The TaskManagers that heddle-am requests from YARN before Flink does. To do so, it must register with
    /// YARN before the REST interface answers.
    pub prewarm: Option<Prewarm>,
    /// The class data archives for the JVMs. If it is `None`, none are used or made.
    pub class_data: Option<ClassDataSpec>,
}

/// Where class data archives may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMaking {
    /// Whether YARN may be asked for a container in which archives are made (`heddle.archive.container`).
    pub own_container: bool,
    /// The memory of the largest container that the cluster allows, in MiB; 0 if it is not known.
    pub largest_container_mb: u64,
}

/// The local resources of the containers. `heddle gc` of any release reads these lists, and keeps the files
/// in them while the application runs. So the names of the lists, and their place in the file, must not
/// change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerResources {
    /// The local resources of a TaskManager's container, which include the taskrunner.
    pub task_manager_resources: Vec<LocalResource>,
    /// The local resources that only the ApplicationMaster's container has.
    pub application_master_resources: Vec<LocalResource>,
}

/// Hadoop's configuration. `heddle gc` of any release finds out from the client's settings which YARN cluster
/// an application is on. So their name, and their place in the file, must not change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HadoopSettings {
    /// The client's effective Hadoop settings, from its files and from `flink.hadoop.*` and `flink.yarn.*`.
    /// The node's own configuration wins over them, except for the keys in `overrides`.
    #[serde(rename = "hadoop")]
    pub client: BTreeMap<String, String>,
    /// The Hadoop settings that win over the node's own configuration.
    #[serde(rename = "hadoop_overrides")]
    pub overrides: BTreeMap<String, String>,
}

impl fmt::Debug for HadoopSettings {
    /// Leaves out the values of keys with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HadoopSettings")
            .field("client", &masked(&self.client))
            .field("overrides", &masked(&self.overrides))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AmSpec {
        let jvm = || JvmTemplate { main_class: "M".into(), ..JvmTemplate::default() };
        AmSpec {
            version: SPEC_VERSION,
            application: ApplicationSpec {
                name: "n".into(),
                flink_version: "1.20.5".into(),
                mode: ClusterMode::PerJob,
                staging_dir: None,
                max_attempts: 1,
                high_availability: false,
                history_url: None,
                acls: BTreeMap::new(),
                fast_start: true,
                outcomes: true,
                records: RecordsSpec { logs: true, ..RecordsSpec::default() },
            },
            application_master: ApplicationMasterSpec {
                memory_mb: 1600,
                control_port: "0".into(),
                heartbeat_idle_ms: 5000,
                heartbeat_busy_ms: 500,
                metrics: None,
            },
            job_manager: JobManagerSpec {
                jvm: jvm(),
                rest_ports: None,
                rest_tls: false,
                keytab: false,
                class_data: None,
            },
            task_managers: TaskManagersSpec {
                jvm: jvm(),
                files: vec!["config.yaml".into()],
                taskrunner_key: "heddle-taskrunner".into(),
                node_label: None,
                prewarm: None,
                class_data: None,
            },
            archive_making: ArchiveMaking { own_container: true, largest_container_mb: 0 },
            resources: ContainerResources::default(),
            hadoop: HadoopSettings {
                client: BTreeMap::from([("yarn.resourcemanager.address".into(), "rm1:8032".into())]),
                overrides: BTreeMap::new(),
            },
        }
    }

    #[test]
    fn what_other_releases_read_has_its_place() {
        let written = serde_json::to_value(spec()).unwrap();
        assert_eq!(written["hadoop"]["yarn.resourcemanager.address"], "rm1:8032");
        for list in ["task_manager_resources", "application_master_resources"] {
            assert!(written[list].is_array(), "{list}");
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_what_is_unknown_is_ignored() {
        let mut written = serde_json::to_value(spec()).unwrap();
        written["later"] = true.into();
        written["application"]["later"] = true.into();
        assert_eq!(serde_json::from_value::<AmSpec>(written).unwrap(), spec());
    }
}

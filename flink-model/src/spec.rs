//! What the client decides and the ApplicationMaster executes: one value, written to `am.json` in the
//! application's directory.
//!
//! Except for [`ContainerResources`] and [`HadoopSettings`] it is read only by the ApplicationMaster that the
//! same client submits. In the ApplicationMaster's working directory it is `heddle-am.json`, with mode 600.
//! It holds no secret: tokens and the control secret travel in the container's credentials.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::class_data::ClassDataSpec;
use crate::config::shown;
use crate::local_resource::LocalResource;

/// Version of [`AmSpec`]; an ApplicationMaster refuses another one by name.
pub const SPEC_VERSION: u32 = 2;

/// Name of the file that holds the [`AmSpec`] in the application's directory; see
/// [`crate::container::AM_SPEC_FILE`] for the container.
pub const SPEC_FILE: &str = "am.json";

/// Alias of the per-application control secret in the containers' Hadoop credentials.
pub const CONTROL_SECRET_ALIAS: &str = "heddle.control.secret";

/// How the aliases of small files among the ApplicationMaster's credentials begin; the file's name follows. A
/// file that comes this way is not localized: localizing the first file of an application costs a node about
/// two seconds.
pub const INLINE_FILE_PREFIX: &str = "heddle.file.";

/// What kind of Flink cluster the application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMode {
    /// Runs until it is stopped; jobs come by REST.
    Session,
    /// `main()` runs in the JobManager; ends with it.
    Application,
    /// Runs one submitted job and ends with it.
    PerJob,
}

/// How to start one of the two JVM roles.
///
/// `jvm_args` may hold `<LOG_DIR>` and `{{VAR}}`; `class_path` and values of `env` also `$VAR` and `${VAR}`.
/// They are filled in on the node, from the container's environment. `args` are never touched.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JvmTemplate {
    /// Program and words that start Java in the place of Java itself, as `nice -n 5`; empty for Java alone
    /// (`yarn.container-start-command-template`).
    #[serde(default)]
    pub launcher: Vec<String>,
    /// `JAVA_HOME` to use; none = the container's own, else `java` of the `PATH`.
    pub java_home: Option<String>,
    /// Memory flags (JobManager only; a TaskManager's come with each request), options, logging properties.
    pub jvm_args: Vec<String>,
    /// Class path entries in order.
    pub class_path: Vec<String>,
    /// Main class.
    pub main_class: String,
    /// Program arguments, verbatim.
    pub args: Vec<String>,
    /// Environment in addition to the container's own.
    pub env: BTreeMap<String, String>,
    /// Flink key → environment variable of the container: `-D key=<value>` is added where the variable is
    /// set. For `io.tmp.dirs` → `LOCAL_DIRS` of TaskManagers, unless the configuration has the key.
    #[serde(default)]
    pub args_from_env: BTreeMap<String, String>,
}

impl fmt::Debug for JvmTemplate {
    /// Without what may be secret: program arguments, and the values of variables that are called so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JvmTemplate")
            .field("launcher", &self.launcher)
            .field("java_home", &self.java_home)
            .field("jvm_args", &self.jvm_args)
            .field("class_path", &self.class_path)
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("env", &masked(&self.env))
            .field("args_from_env", &self.args_from_env)
            .finish()
    }
}

/// The same, for a log: values of keys that name a secret are not shown.
fn masked(values: &BTreeMap<String, String>) -> BTreeMap<&str, String> {
    values.iter().map(|(key, value)| (key.as_str(), shown(key, value.clone()))).collect()
}

/// TaskManagers that will certainly be needed, asked for while the JobManager starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prewarm {
    /// How many.
    pub count: u32,
    /// Memory of each container, MiB.
    pub memory_mb: u64,
    /// Cores of each container.
    pub vcores: u32,
    /// Other resources of each, by YARN's names.
    #[serde(default)]
    pub resources: BTreeMap<String, u64>,
    /// How long one that Flink does not ask for is kept, milliseconds
    /// (`resourcemanager.taskmanager-timeout`).
    pub idle_ms: u64,
}

/// All that the client has specified for an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmSpec {
    /// [`SPEC_VERSION`] of the client that wrote it.
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
    /// Name of the YARN application.
    pub name: String,
    /// Release of the Flink distribution, for example `1.20.1`.
    pub flink_version: String,
    /// Kind of cluster.
    pub mode: ClusterMode,
    /// URL of the application's directory, which the ApplicationMaster removes at the end.
    pub staging_dir: Option<String>,
    /// How many attempts the application was submitted with. At the last one the ApplicationMaster reports a
    /// failure to YARN and cleans up; before, it leaves both to the next attempt.
    pub max_attempts: u32,
    /// Tracking URL after the end (history server); none = empty.
    pub history_url: Option<String>,
    /// `VIEW_APP` and `MODIFY_APP` access lists for all containers.
    pub acls: BTreeMap<String, String>,
    /// Whether what only makes the start quicker is used (`heddle.fast-start`).
    pub fast_start: bool,
}

/// The ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationMasterSpec {
    /// Memory of its container, MiB: what is done beside the JobManager stays within it.
    pub memory_mb: u64,
    /// Port or range of the control server, as in `heddle.control.port` ("0" = any).
    pub control_port: String,
    /// Interval of heartbeats to the ResourceManager while nothing is asked for, milliseconds
    /// (`yarn.heartbeat.interval`).
    pub heartbeat_idle_ms: u64,
    /// Interval while asks are open, milliseconds (`yarn.heartbeat.container-request-interval`).
    pub heartbeat_busy_ms: u64,
}

/// The JobManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobManagerSpec {
    /// Its JVM, whose stdout and stderr go to `jobmanager.out` and `jobmanager.err`.
    pub jvm: JvmTemplate,
    /// Ports for the REST interface (`rest.bind-port`); none = any.
    pub rest_ports: Option<String>,
    /// Class data archives for its JVM; none = none are used or made.
    pub class_data: Option<ClassDataSpec>,
}

/// The TaskManagers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskManagersSpec {
    /// Their JVM; each request of Flink adds memory flags and arguments.
    pub jvm: JvmTemplate,
    /// Files of the ApplicationMaster's working directory that a TaskManager gets too, by the control
    /// protocol (configuration, logging).
    pub files: Vec<String>,
    /// Key of the taskrunner's binary among their local resources.
    pub taskrunner_key: String,
    /// Node label for their containers.
    pub node_label: Option<String>,
    /// TaskManagers to ask YARN for before Flink does. YARN then gets to know the application before its REST
    /// interface is up.
    pub prewarm: Option<Prewarm>,
    /// Class data archives for their JVMs; none = none are used or made.
    pub class_data: Option<ClassDataSpec>,
}

/// Where class data archives may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMaking {
    /// Whether YARN may be asked for a container in which to make them (`heddle.archive.container`).
    pub own_container: bool,
    /// Memory of the cluster's largest container, MiB; 0 = not known.
    pub largest_container_mb: u64,
}

/// The local resources of the containers. `heddle gc` of any release reads these lists, and spares what they
/// name while the application lives, so their names and their place in the file stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerResources {
    /// Local resources of a TaskManager's container, the taskrunner's binary among them.
    pub task_manager_resources: Vec<LocalResource>,
    /// Local resources that only the ApplicationMaster's container has.
    pub application_master_resources: Vec<LocalResource>,
}

/// Hadoop's configuration. `heddle gc` of any release tells by the client's settings which YARN cluster an
/// application is on, so their name and their place in the file stay as they are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HadoopSettings {
    /// The client's effective Hadoop settings (site files and `flink.hadoop.*`, `flink.yarn.*`); the node's
    /// own configuration wins except for the keys in `overrides`.
    #[serde(rename = "hadoop")]
    pub client: BTreeMap<String, String>,
    /// Hadoop settings that win over the node's own.
    #[serde(rename = "hadoop_overrides")]
    pub overrides: BTreeMap<String, String>,
}

impl fmt::Debug for HadoopSettings {
    /// Without the values of keys that name a secret.
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
                history_url: None,
                acls: BTreeMap::new(),
                fast_start: true,
            },
            application_master: ApplicationMasterSpec {
                memory_mb: 1600,
                control_port: "0".into(),
                heartbeat_idle_ms: 5000,
                heartbeat_busy_ms: 500,
            },
            job_manager: JobManagerSpec { jvm: jvm(), rest_ports: None, class_data: None },
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

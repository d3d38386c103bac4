//! What the client decides and the ApplicationMaster executes: one value, written to `am.json` in the
//! application's directory.
//!
//! In the ApplicationMaster's working directory it is `heddle-am.json`, with mode 600. It holds no secret:
//! tokens and the control secret travel in the container's credentials.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class_data::ClassDataSpec;
use crate::local_resource::LocalResource;

/// Version of [`AmSpec`]; an ApplicationMaster refuses another one by name.
pub const SPEC_VERSION: u32 = 1;

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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Workers that will certainly be needed, asked for while the JobManager starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prewarm {
    /// How many.
    pub workers: u32,
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

/// The whole order to the ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmSpec {
    /// [`SPEC_VERSION`] of the client that wrote it.
    pub version: u32,
    /// Name of the YARN application.
    pub application_name: String,
    /// Release of the Flink distribution, for example `1.20.1`.
    pub flink_version: String,
    /// Kind of cluster.
    pub mode: ClusterMode,
    /// The JobManager's JVM. Its stdout and stderr go to `jobmanager.out` and `jobmanager.err`.
    pub job_manager: JvmTemplate,
    /// The TaskManagers' JVM; the bridge adds memory flags and arguments to each request.
    pub task_manager: JvmTemplate,
    /// Files of the ApplicationMaster's working directory that a TaskManager gets too, by the control
    /// protocol (configuration, logging).
    pub task_manager_files: Vec<String>,
    /// Local resources of a TaskManager container, the taskrunner binary among them.
    pub task_manager_resources: Vec<LocalResource>,
    /// Local resources that only the ApplicationMaster's container has: `heddle gc` spares them while the
    /// application lives.
    #[serde(default)]
    pub application_master_resources: Vec<LocalResource>,
    /// Key of the taskrunner binary among them.
    pub taskrunner_key: String,
    /// URL of the per-application directory, removed by the ApplicationMaster at the end.
    pub staging_dir: Option<String>,
    /// The client's effective Hadoop settings (site files and `flink.hadoop.*`, `flink.yarn.*`); the node's
    /// own configuration wins except for the keys in `hadoop_overrides`.
    pub hadoop: BTreeMap<String, String>,
    /// Hadoop settings that win over the node's own.
    pub hadoop_overrides: BTreeMap<String, String>,
    /// Interval of heartbeats to the ResourceManager while nothing is asked for, milliseconds
    /// (`yarn.heartbeat.interval`).
    pub heartbeat_idle_ms: u64,
    /// Interval while asks are open, milliseconds (`yarn.heartbeat.container-request-interval`).
    pub heartbeat_busy_ms: u64,
    /// Node label for TaskManager containers.
    pub task_manager_node_label: Option<String>,
    /// `VIEW_APP` and `MODIFY_APP` access lists for all containers.
    pub acls: BTreeMap<String, String>,
    /// Tracking URL after the end (history server); none = empty.
    pub history_url: Option<String>,
    /// Port or range of the control server, as in `heddle.control.port` ("0" = any).
    pub control_port: String,
    /// How many attempts the application was submitted with. At the last one the ApplicationMaster reports a
    /// failure to YARN and cleans up; before, it leaves both to the next attempt.
    #[serde(default = "one")]
    pub max_attempts: u32,
    /// Whether what only makes the start quicker is used (`heddle.fast-start`).
    #[serde(default)]
    pub fast_start: bool,
    /// Workers to ask YARN for before Flink does; YARN then gets to know the application before its REST
    /// interface is up.
    #[serde(default)]
    pub prewarm: Option<Prewarm>,
    /// Ports for the REST interface (`rest.bind-port`); none = any.
    #[serde(default)]
    pub rest_ports: Option<String>,
    /// Class data archives for the JobManager; none = none are used or made.
    #[serde(default)]
    pub job_manager_archive: Option<ClassDataSpec>,
    /// Class data archives for TaskManagers.
    #[serde(default)]
    pub task_manager_archive: Option<ClassDataSpec>,
    /// Memory of the ApplicationMaster's container, MiB: what is done beside the JobManager stays within it.
    #[serde(default)]
    pub memory_mb: u64,
    /// Whether a container may be asked for in which to make class data archives
    /// (`heddle.archive.container`).
    #[serde(default)]
    pub archive_container: bool,
    /// Memory of the cluster's largest container, MiB; 0 = not known.
    #[serde(default)]
    pub largest_container_mb: u64,
}

fn one() -> u32 {
    1
}

//! What a request says, as its file has it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use flink_model::config::shown_all;
use flink_model::spec::ClusterMode;
use serde::Deserialize;
use serde_json::Value;

/// The version of the form of a request that this release reads.
pub const VERSION: u64 = 1;

/// A deployment that another program asks for. A value that it does not know is `None`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The version of the form, which is [`VERSION`].
    pub version: u64,
    /// What the cluster is for.
    pub mode: ClusterMode,
    /// The name of the application. `None` stands for the one in the configuration, or for that of Flink's
    /// client.
    pub name: Option<String>,
    /// The Flink distribution.
    pub flink_home: Option<PathBuf>,
    /// The directory of Flink's jars; `None` stands for `lib` of `flink_home`. Without either, the containers
    /// get no other jar of Flink's than the flink-dist jar.
    pub flink_lib_dir: Option<PathBuf>,
    /// A directory for the user alone, with the whole configuration as `flink-conf.yaml`, or from 2.0 on as
    /// `config.yaml`, and with the files for the logging of the containers.
    pub flink_conf_dir: PathBuf,
    /// Settings that count more than those of `flink_conf_dir`.
    #[serde(default)]
    pub configuration: MoreSettings,
    /// The flink-dist jar, as a path or URL; `None` stands for that in the directory of Flink's jars.
    pub flink_dist: Option<String>,
    /// A directory for the user alone, with `core-site.xml`, `hdfs-site.xml` and `yarn-site.xml`. No other
    /// file of Hadoop's configuration is read.
    pub hadoop_conf_dir: PathBuf,
    /// The files and directories to ship. They replace those of the configuration, unless there are none.
    #[serde(default)]
    pub ship_files: Vec<String>,
    /// The archives to ship and unpack. They replace those of the configuration, unless there are none.
    #[serde(default)]
    pub ship_archives: Vec<String>,
    /// Sizes that count more than those in the configuration.
    pub cluster_specification: Option<ClusterSizes>,
    /// The program of an application. The other modes have none.
    pub program: Option<RequestedProgram>,
    /// Always `None`: the caller itself submits the job graph to a per-job cluster. The form has a place for
    /// it.
    pub job_graph: Option<Value>,
    /// The jars of the jobs of a per-job cluster, as paths or URLs, for
    /// `yarn.classpath.include-user-jar`. The other modes have none.
    #[serde(default)]
    pub user_jars: Vec<String>,
    /// Whether the caller is not going to wait for the job of a per-job cluster. It does not matter to
    /// heddle, to which the caller tells the end of `main()` in either case.
    #[serde(default)]
    pub detached: bool,
    /// The user for whom the logged-in user acts (`HADOOP_PROXY_USER`); `None` means for nobody.
    pub proxy_user: Option<String>,
    /// The user's name on a cluster without Kerberos (`HADOOP_USER_NAME`); `None` stands for that of the
    /// environment.
    pub hadoop_user: Option<String>,
}

/// Settings that the file of the configuration cannot hold: `flink-conf.yaml` has no quotes, so a value ends
/// at a `#` and at the end of the line.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct MoreSettings(pub BTreeMap<String, String>);

impl fmt::Debug for MoreSettings {
    /// Leaves secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MoreSettings").field(&shown_all(&self.0)).finish()
    }
}

/// The sizes of a cluster (`ClusterSpecification` in Flink).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSizes {
    /// The memory of the JobManager's container, in MiB.
    #[serde(rename = "masterMemoryMB")]
    pub master_memory_mb: u64,
    /// The memory of a TaskManager's container, in MiB.
    #[serde(rename = "taskManagerMemoryMB")]
    pub task_manager_memory_mb: u64,
    /// The number of slots of a TaskManager.
    pub slots_per_task_manager: u32,
}

/// A program whose `main()` runs in the JobManager.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestedProgram {
    /// The jar, as a path or URL; `None` stands for the one of `pipeline.jars`, if there is one.
    pub jar: Option<String>,
    /// The class with `main()`; `None` means that the manifest of the jar names it.
    pub main_class: Option<String>,
    /// The arguments, verbatim.
    #[serde(default)]
    pub args: Vec<String>,
    /// URLs of further jars of the program, which every node can read. They replace those of the
    /// configuration, unless there are none.
    #[serde(default)]
    pub classpath: Vec<String>,
}

impl fmt::Debug for RequestedProgram {
    /// Arguments can be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestedProgram")
            .field("jar", &self.jar)
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("classpath", &self.classpath)
            .finish()
    }
}

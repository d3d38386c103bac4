//! Describes, as a value, the cluster that a user wants. A command line or a file is turned into such a
//! manifest.
//!
//! A manifest says only what is wanted, and nothing that follows from it: to make one, no file is read and no
//! service of the cluster is asked. On the same machine and the same cluster, equal manifests give equal
//! plans ([`super::resolved::Resolved`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::config::Configuration;
use flink_model::spec::ClusterMode;
use serde::{Deserialize, Serialize};

use super::settings;
use crate::error::{CauseClass, Failure};
use crate::setup::Setup;

/// The cluster that a user wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterManifest {
    /// What the cluster is for, and the program that it runs.
    pub purpose: Purpose,
    /// The Flink distribution (`FLINK_HOME`). `None` stands for the one to which the environment leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink_home: Option<PathBuf>,
    /// Configuration keys that override those in Flink's configuration files: the name, the queue, sizes,
    /// files to ship and so on. In a JSON file, a key has either its value, or an object with `value` and
    /// with `option`, the option of the command line that has set the key.
    #[serde(default, with = "settings", skip_serializing_if = "settings::is_empty")]
    pub configuration: Configuration,
    /// The name of the submission. A second submission of the same name finds the application of the first.
    /// `None` stands for a random name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<String>,
    /// The time limit in milliseconds. If the cluster cannot be used by then, the deployment is given up and
    /// the application is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl ClusterManifest {
    /// A cluster that is configured only by Flink's configuration files.
    pub fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            flink_home: None,
            configuration: Configuration::default(),
            submission: None,
            timeout_ms: None,
        }
    }

    /// Returns the manifest with the distribution of `setup`, and with all settings of `configuration` that
    /// the configuration files of `setup` do not have.
    pub fn configured(self, setup: &Setup, configuration: &Configuration) -> Self {
        let mut more = Configuration::default();
        for (key, entry) in
            configuration.iter().filter(|(key, entry)| setup.configuration.entry(key) != Some(entry))
        {
            more.set(key, entry.value.clone(), entry.origin.clone());
        }
        Self { flink_home: Some(setup.flink.root.clone()), configuration: more, ..self }
    }

    /// Reads a manifest from a JSON file. It is a failure if the file cannot be read or is not a manifest.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path)
            .map_err(|e| Failure::because(format!("cannot read the manifest {}", path.display()), e))?;
        serde_json::from_slice(&text).map_err(|e| {
            Failure::because(format!("{} is not a manifest of a cluster", path.display()), e)
                .of_class(CauseClass::Configuration)
        })
    }

    /// The keys of the configuration files, overridden by those of the manifest.
    pub(crate) fn effective(&self, files: &Configuration) -> Configuration {
        let mut effective = files.clone();
        for (key, entry) in self.configuration.iter() {
            effective.set(key, entry.value.clone(), entry.origin.clone());
        }
        effective
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// What a cluster is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Purpose {
    /// A session, which runs the jobs that are submitted to it until it is stopped.
    Session {
        /// The number of TaskManagers that the session keeps from its start on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_task_managers: Option<u32>,
    },
    /// A per-job cluster, for the jobs of one `main()` that runs on the client.
    PerJob {
        /// The program.
        program: ClientProgram,
    },
    /// An application, whose `main()` runs in the JobManager.
    Application {
        /// The program.
        program: Program,
    },
}

impl Purpose {
    /// A session that keeps no TaskManagers without jobs.
    pub const SESSION: Self = Self::Session { min_task_managers: None };

    pub(crate) fn mode(&self) -> ClusterMode {
        match self {
            Self::Session { .. } => ClusterMode::Session,
            Self::PerJob { .. } => ClusterMode::PerJob,
            Self::Application { .. } => ClusterMode::Application,
        }
    }

    /// The name of the application if the user gives none. It is the same as that of Flink's client.
    pub(crate) fn default_name(&self) -> &'static str {
        match self {
            Self::Session { .. } => "Flink session cluster",
            Self::PerJob { .. } => "Flink per-job cluster",
            Self::Application { .. } => "Flink Application Cluster",
        }
    }
}

/// A program whose `main()` runs in the JobManager.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Program {
    /// The jar: a local path, or a URL on a file system that the nodes can read. `None` means that the
    /// program is on the class path.
    pub jar: Option<String>,
    /// The class with `main()`; `None` means that the manifest of the jar names it.
    pub main_class: Option<String>,
    /// The arguments, verbatim.
    pub args: Vec<String>,
    /// The beginnings of the names of jars in Flink's `opt` directory. These jars go to the containers'
    /// directory `opt`, and are not on the class path.
    pub opt_jars: Vec<String>,
    /// Further jars, named like `jar`. They stand on the class path beside the program's own jar, or where it
    /// would stand.
    pub libraries: Vec<String>,
    /// Further files for the containers, each with its key and its path on this machine, or its URL on a file
    /// system that the nodes can read. They are not on the class path.
    pub files: Vec<(String, PathBuf)>,
    /// Further archives of this machine, each with its key and its path. The nodes unpack each into a
    /// directory of the name `key`, which ends like the name of an archive.
    pub archives: Vec<(String, PathBuf)>,
}

impl fmt::Debug for Program {
    /// Arguments can be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("jar", &self.jar)
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("opt_jars", &self.opt_jars)
            .field("libraries", &self.libraries)
            .field("files", &self.files)
            .field("archives", &self.archives)
            .finish()
    }
}

/// A program whose `main()` runs on the client.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClientProgram {
    /// The jar, as a local path. It is also on the containers' class path, unless
    /// `yarn.classpath.include-user-jar` is DISABLED. `None` means that the program is written in Python, or
    /// that `main()` runs where heddle does not start it.
    pub jar: Option<String>,
    /// Further jars of the jobs: local paths, or URLs on a file system that the nodes can read. They are on
    /// the containers' class path as `jar` is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_jars: Vec<String>,
    /// The class with `main()`; `None` means that the manifest of the jar names it.
    pub main_class: Option<String>,
    /// The arguments.
    pub args: Vec<String>,
    /// The savepoint from which the program's job starts.
    pub savepoint: Option<String>,
}

impl fmt::Debug for ClientProgram {
    /// Arguments can be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProgram")
            .field("jar", &self.jar)
            .field("user_jars", &self.user_jars)
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("savepoint", &self.savepoint)
            .finish()
    }
}

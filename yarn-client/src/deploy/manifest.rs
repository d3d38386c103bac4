//! What cluster a user wants, as a value: a command line makes one, and so does a file.
//!
//! A manifest says what is wanted and nothing of what follows from it: no file has been looked at, and no
//! service of the cluster has been asked. Two equal manifests give equal plans on the same machine and the
//! same cluster ([`super::resolved::Resolved`]).

use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::config::Configuration;
use flink_model::spec::ClusterMode;
use serde::{Deserialize, Serialize};

use super::settings;
use crate::error::Failure;
use crate::setup::Setup;

/// What cluster to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterManifest {
    /// What the cluster is for, and the program that it runs.
    pub purpose: Purpose,
    /// The Flink distribution (`FLINK_HOME`). None: the one that the environment leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink_home: Option<PathBuf>,
    /// Configuration keys that count more than those in Flink's configuration files: name, queue, sizes,
    /// files to ship and all the rest. In a file a key has either its value, or an object with `value` and
    /// the command line's `option` that has set it.
    #[serde(default, with = "settings", skip_serializing_if = "settings::is_empty")]
    pub configuration: Configuration,
    /// Names this submission: a second one of the same name finds the first one's application. None: a random
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<String>,
    /// The deployment is given up, and the application is killed, when the cluster cannot be used within this
    /// time. In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl ClusterManifest {
    /// A cluster with nothing but what Flink's configuration files say.
    pub fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            flink_home: None,
            configuration: Configuration::default(),
            submission: None,
            timeout_ms: None,
        }
    }

    /// The same with the distribution of `setup`, and with all settings of `configuration` that the
    /// configuration files of `setup` do not have.
    pub fn configured(self, setup: &Setup, configuration: &Configuration) -> Self {
        let mut more = Configuration::default();
        for (key, entry) in
            configuration.iter().filter(|(key, entry)| setup.configuration.entry(key) != Some(entry))
        {
            more.set(key, entry.value.clone(), entry.origin.clone());
        }
        Self { flink_home: Some(setup.flink.root.clone()), configuration: more, ..self }
    }

    /// Reads a manifest from a JSON file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path)
            .map_err(|e| Failure::because(format!("cannot read the manifest {}", path.display()), e))?;
        serde_json::from_slice(&text)
            .map_err(|e| Failure::because(format!("{} is not a manifest of a cluster", path.display()), e))
    }

    /// The configuration files' keys with those of the manifest on top.
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
    /// Jobs that are submitted to it until it is stopped.
    Session {
        /// TaskManagers to keep from the start on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_task_managers: Option<u32>,
    },
    /// The jobs of one `main()` that runs on the client.
    PerJob {
        /// The program.
        program: ClientProgram,
    },
    /// A program whose `main()` runs in the JobManager.
    Application {
        /// The program.
        program: Program,
    },
}

impl Purpose {
    /// A session without TaskManagers from the start on.
    pub const SESSION: Self = Self::Session { min_task_managers: None };

    pub(crate) fn mode(&self) -> ClusterMode {
        match self {
            Self::Session { .. } => ClusterMode::Session,
            Self::PerJob { .. } => ClusterMode::PerJob,
            Self::Application { .. } => ClusterMode::Application,
        }
    }

    /// Name of the application if the user gives none, as Flink's.
    pub(crate) fn default_name(&self) -> &'static str {
        match self {
            Self::Session { .. } => "Flink session cluster",
            Self::PerJob { .. } => "Flink per-job cluster",
            Self::Application { .. } => "Flink Application Cluster",
        }
    }
}

/// The program of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Program {
    /// Its jar: a local path, or a URL on a file system that the nodes can read. None: the program is on the
    /// class path.
    pub jar: Option<String>,
    /// Class with `main()`; none: the jar's manifest names it.
    pub main_class: Option<String>,
    /// Its arguments, verbatim.
    pub args: Vec<String>,
    /// Beginnings of names of jars in Flink's `opt` directory that go to the containers' `opt`, outside of
    /// the class path.
    pub opt_jars: Vec<String>,
    /// More local files for the containers: key and path. Outside of the class path.
    pub files: Vec<(String, PathBuf)>,
}

/// A program whose `main()` runs on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClientProgram {
    /// Its jar: a local path. It comes to the containers' class path, too, unless
    /// `yarn.classpath.include-user-jar` is DISABLED. None: a program in Python.
    pub jar: Option<String>,
    /// Class with `main()`; none: the jar's manifest names it.
    pub main_class: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The savepoint that its job starts from.
    pub savepoint: Option<String>,
}

//! What `heddle logs` asks for, and what there is. The field names are those of `--output json`.

use serde::Serialize;
use yarn_api::records::{ApplicationId, ContainerId};
use yarn_logs::select::{Role, Which};
use yarn_logs::tfile::Place;

use super::missing::Missing;
use super::node_web::NodeWeb;
use super::stored::Stored;
use crate::error::{CauseClass, Failure};

/// Which logs are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The application.
    pub application: ApplicationId,
    /// Whose application it is. It is needed only if the ResourceManager does not know the application any
    /// more, and another user than the calling one has submitted it.
    pub owner: Option<String>,
    /// Which of its containers.
    pub which: Which,
    /// Only containers of the attempt with this number, from 1.
    pub attempt: Option<u32>,
    /// The names of log files, in which `*` stands for any characters. If there are none, all log files are
    /// wanted but those of YARN itself.
    pub files: Vec<String>,
}

/// Which logs there are, and of what is missing why.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// The id of the application.
    pub application: String,
    /// Its state, in YARN's words; `None` if the ResourceManager does not know it any more.
    pub state: Option<String>,
    /// The containers with logs, in the order of their ids.
    pub containers: Vec<ContainerLogs>,
    /// What is not there.
    pub missing: Vec<Missing>,
    /// Whether the application runs, so that more can be written.
    #[serde(skip)]
    pub is_live: bool,
}

impl Catalog {
    /// The failure if there are no logs at all: what is missing, and why.
    pub fn nothing(&self, request: &Request) -> Failure {
        let what = match request.which {
            Which::Container(id) => format!("there are no logs of {id}"),
            Which::JobManager => format!("there are no logs of a JobManager of {}", self.application),
            Which::TaskManager(number) => {
                format!("there are no logs of a TaskManager {number} of {}", self.application)
            }
            Which::All => format!("there are no logs of {}", self.application),
        };
        let why: Vec<String> = self.missing.iter().map(Missing::line).collect();
        let text = if why.is_empty() { what } else { format!("{what}: {}", why.join("; ")) };
        let hints = self.missing.iter().filter_map(|missing| missing.hint.clone());
        let failure = hints.fold(Failure::new(text).of_class(CauseClass::NotFound), Failure::hint);
        failure.of_application(request.application).retry_if(self.missing.iter().any(|m| m.retry_helps))
    }

    /// How many log files there are.
    pub fn count(&self) -> usize {
        self.containers.iter().map(|container| container.logs.len()).sum()
    }
}

/// The names of the roles of containers.
const JOB_MANAGER: &str = "jobmanager";
const TASK_MANAGER: &str = "taskmanager";

/// A container and its logs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLogs {
    /// The id.
    pub container: String,
    /// `jobmanager` or `taskmanager`.
    pub role: &'static str,
    /// The number of the TaskManager, from 1 in the order of the ids; `None` for a JobManager, and if the
    /// container has ended while the application runs, because YARN does not name the others then.
    pub number: Option<u32>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// `host:port` of its NodeManager, if that is known.
    pub node: Option<String>,
    /// The log files, those that were collected first.
    pub logs: Vec<Log>,
    /// The id, for calls.
    #[serde(skip)]
    pub id: ContainerId,
}

impl ContainerLogs {
    pub(crate) fn new(id: ContainerId, role: Role) -> Self {
        let (role, number) = match role {
            Role::JobManager => (JOB_MANAGER, None),
            Role::TaskManager(number) => (TASK_MANAGER, Some(number)),
        };
        let attempt = id.attempt_id.attempt;
        Self { container: id.to_string(), role, number, attempt, node: None, logs: Vec::new(), id }
    }

    /// Whether it is the ApplicationMaster's, in which the JobManager runs.
    pub fn is_job_manager(&self) -> bool {
        self.role == JOB_MANAGER
    }

    /// What it is, for people, such as `TaskManager 2`.
    pub fn title(&self) -> String {
        match self.number {
            Some(number) => format!("TaskManager {number}"),
            None if self.is_job_manager() => "JobManager".to_owned(),
            None => "TaskManager".to_owned(),
        }
    }
}

/// Where a log file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The NodeManager has it.
    NodeManager,
    /// YARN has collected it.
    Aggregated,
}

/// A log file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// Its name.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was modified last: in ISO 8601, or in the words of the node. `None` if that is not known.
    pub modified: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The NodeManager's address, or the URL of the file that holds it.
    pub place: String,
    /// How it is read.
    #[serde(skip)]
    pub(crate) at: At,
}

/// How a log file is read.
#[derive(Debug, Clone)]
pub(crate) enum At {
    /// From a NodeManager.
    Live(NodeWeb),
    /// From a TFile, in which its text begins at this place.
    TFile { file: Stored, at: Place },
    /// From an IndexedFile, whose index ends at this byte; it is the entry with this number.
    Indexed { file: Stored, end: Option<u64>, entry: usize },
}

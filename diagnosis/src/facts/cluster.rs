//! Facts about the application and the cluster, as the ResourceManager tells them.

use serde::{Deserialize, Serialize};

/// The state of an application in YARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppState {
    /// The ResourceManager has the application; no queue has it yet (NEW, NEW_SAVING, SUBMITTED).
    #[default]
    Submitted,
    /// A queue has accepted it; its ApplicationMaster does not run yet.
    Accepted,
    /// Its ApplicationMaster has registered.
    Running,
    /// Its ApplicationMaster has told how it has ended.
    Finished,
    /// YARN calls it failed: its ApplicationMaster has ended without telling how, or was never started.
    Failed,
    /// It was killed.
    Killed,
}

impl AppState {
    /// The state with this name in YARN; `None` for a name that is not known.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "NEW" | "NEW_SAVING" | "SUBMITTED" => Self::Submitted,
            "ACCEPTED" => Self::Accepted,
            "RUNNING" => Self::Running,
            "FINISHED" => Self::Finished,
            "FAILED" => Self::Failed,
            "KILLED" => Self::Killed,
            _ => return None,
        })
    }

    /// Whether the application has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }

    /// The name in YARN. The states before a queue has the application are one.
    pub fn text(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// How an application has ended, as its ApplicationMaster or YARN says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Final {
    /// It has done its work.
    Succeeded,
    /// It has failed.
    Failed,
    /// It was killed, or its job was cancelled.
    Killed,
}

impl Final {
    /// The status with this name in YARN; `None` for UNDEFINED, ENDED and names that are not known.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "SUCCEEDED" => Some(Self::Succeeded),
            "FAILED" => Some(Self::Failed),
            "KILLED" => Some(Self::Killed),
            _ => None,
        }
    }

    /// The name in YARN.
    pub fn text(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// An application, as the ResourceManager reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Application {
    /// Its state.
    pub state: AppState,
    /// How it has ended; `None` if that is not known, also where YARN says UNDEFINED.
    pub final_status: Option<Final>,
    /// YARN's diagnostics, as YARN wrote them.
    pub diagnostics: String,
    /// Its queue.
    pub queue: String,
    /// When it was submitted, in ms since 1970.
    pub submitted: Option<u64>,
    /// When it ended, in ms since 1970.
    pub ended: Option<u64>,
    /// The memory of its ApplicationMaster's container in MiB.
    pub am_memory_mb: Option<u64>,
    /// The virtual cores of that container.
    pub am_vcores: Option<u32>,
    /// The node label of that container.
    pub am_label: Option<String>,
}

/// An attempt of an application, as the ResourceManager reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// The name of its state in YARN, such as `LAUNCHED`.
    pub state: String,
    /// YARN's diagnostics, as YARN wrote them.
    pub diagnostics: String,
    /// The node of its container.
    pub node: Option<String>,
}

/// A node of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    /// The node, as `host:port`.
    pub name: String,
    /// The name of its state in YARN, such as `RUNNING` or `LOST`.
    pub state: String,
    /// What its health check says, if anything.
    pub health: String,
    /// The memory that it offers to containers, in MiB.
    pub memory_mb: u64,
    /// How much of it is in use, in MiB.
    pub used_mb: u64,
    /// The virtual cores that it offers.
    pub vcores: u32,
    /// How many of them are in use.
    pub used_vcores: u32,
    /// Its labels; empty if it has none.
    pub labels: Vec<String>,
    /// Whether its label is not exclusive: then containers without a label get what nobody with the label
    /// uses, but no ApplicationMaster does.
    pub shared: bool,
    /// How many containers of this application it has, or had when it was lost.
    pub ours: u32,
}

impl Node {
    /// Whether containers can be started on it.
    pub fn runs(&self) -> bool {
        self.state == "RUNNING"
    }

    /// The memory that is free, in MiB.
    pub fn free_mb(&self) -> u64 {
        self.memory_mb.saturating_sub(self.used_mb)
    }

    /// The virtual cores that are free.
    pub fn free_vcores(&self) -> u32 {
        self.vcores.saturating_sub(self.used_vcores)
    }

    /// Whether a container with this label may run on it, also an ApplicationMaster's. A container without a
    /// label runs on nodes without one.
    pub fn has_label(&self, label: Option<&str>) -> bool {
        match label.filter(|label| !label.is_empty()) {
            Some(label) => self.labels.iter().any(|l| l == label),
            None => self.labels.iter().all(String::is_empty),
        }
    }

    /// The same for a container of a TaskManager, which without a label may also run on a node whose label is
    /// not exclusive.
    pub fn takes_worker(&self, label: Option<&str>) -> bool {
        self.has_label(label) || self.shared && label.is_none_or(str::is_empty)
    }
}

/// The queue of the application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Queue {
    /// Its path.
    pub path: String,
    /// Whether it accepts applications.
    pub accepts: bool,
    /// The part of the cluster that it is guaranteed, from 0 to 1.
    pub capacity: Option<f32>,
    /// How much of its guaranteed part is in use; 1 stands for all of it, and the value can be larger.
    pub used: Option<f32>,
    /// The largest part of the cluster that it may use, from 0 to 1.
    pub max_capacity: Option<f32>,
    /// The part of the queue that ApplicationMasters may use, from 0 to 1.
    pub am_share: Option<f32>,
    /// The memory that the queue may still give out, in MiB.
    pub available_mb: Option<u64>,
    /// How many applications wait in it.
    pub waiting: Option<u64>,
    /// How many of these come before this application, if it waits itself.
    pub ahead: Option<u64>,
    /// Who holds most of it: application and memory in MiB, the largest first.
    pub holders: Vec<(String, u64)>,
}

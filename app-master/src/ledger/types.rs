//! The ledger's inputs and effects, and the values that they are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use flink_model::config::masked_words;
use taskrunner::cause::{ExitCause, JvmExit};
use yarn_api::records::{ContainerId, NodeId};

/// Size of a container. Requests of equal size share one YARN priority.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Profile {
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Virtual cores.
    pub vcores: u32,
    /// Further YARN resource types by name, in YARN's base units.
    pub resources: BTreeMap<String, u64>,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB, {} vcores", self.memory_mb, self.vcores)?;
        self.resources.iter().try_for_each(|(name, amount)| write!(f, ", {name}={amount}"))
    }
}

/// What Flink's request for a TaskManager adds to the template that all TaskManagers are started from.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TaskManagerArguments {
    /// Memory options of the JVM.
    pub jvm_args: Vec<String>,
    /// Arguments of the program.
    pub args: Vec<String>,
}

impl fmt::Debug for TaskManagerArguments {
    /// Leaves out the values of options and properties with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskManagerArguments")
            .field("jvm_args", &masked_words(&self.jvm_args))
            .field("args", &masked_words(&self.args))
            .finish()
    }
}

/// What a container is for. Flink knows only of the TaskManagers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A TaskManager runs in it.
    TaskManager,
    /// A class data archive is made in it.
    ClassDataArchive,
}

impl Purpose {
    /// YARN priority, and allocation request id, with which containers are requested in which to make an
    /// archive. YARN serves small numbers first, and those of the TaskManagers are small. A granted container
    /// is recognised by this number.
    pub const ARCHIVE_PRIORITY: i32 = 1_000_000;

    /// The purpose of a container that was granted with this priority and allocation request id. Old
    /// ResourceManagers do not return the id; then the priority tells.
    pub fn of(priority: i32, allocation_request: Option<i64>) -> Self {
        match allocation_request.filter(|id| *id > 0).unwrap_or(i64::from(priority)) {
            number if number == i64::from(Self::ARCHIVE_PRIORITY) => Self::ClassDataArchive,
            _ => Self::TaskManager,
        }
    }
}

/// An allocation request, which YARN's protocol calls an ask: how many containers of one size the
/// ResourceManager shall still grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What the containers are for.
    pub purpose: Purpose,
    /// YARN priority, 1 and up; also sent as allocation request id.
    pub priority: i32,
    /// Size of each container.
    pub profile: Profile,
    /// How many are still wanted in all. YARN replaces the number that it was sent before by this one.
    pub count: u32,
}

/// What the next heartbeat has to carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// The allocation requests that the ResourceManager does not know yet.
    pub asks: Vec<Ask>,
    /// Containers to give back.
    pub releases: Vec<ContainerId>,
    /// Nodes to avoid.
    pub avoidance: Avoidance,
}

/// Nodes, by the scheduler's names, on which no container is wanted any more, and those on which one is
/// wanted again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Avoidance {
    /// To be avoided from now on.
    pub add: BTreeSet<String>,
    /// To be used again.
    pub remove: BTreeSet<String>,
}

/// A container that the ResourceManager has granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is for.
    pub purpose: Purpose,
    /// The container.
    pub container: ContainerId,
    /// Its node.
    pub node: NodeId,
    /// Priority of the ask that it answers.
    pub priority: i32,
    /// Allocation request id of that ask, where the ResourceManager returns it.
    pub allocation_request: Option<i64>,
}

/// A container that has ended, as the ResourceManager reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The container.
    pub container: ContainerId,
    /// `ContainerExitStatus` or the process's exit code.
    pub status: i32,
    /// YARN's diagnostics.
    pub diagnostics: String,
}

/// A heartbeat that the ResourceManager has answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnsweredHeartbeat {
    /// What was sent with it.
    pub sent: Outgoing,
    /// False when an earlier try of the same heartbeat failed on the way. The ResourceManager repeats its
    /// last answer to a heartbeat that it has seen before, so it may not have read what this try carried.
    pub certain: bool,
    /// New containers.
    pub granted: Vec<Grant>,
    /// Ended containers.
    pub completed: Vec<Completed>,
}

/// Everything that can happen to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerInput {
    /// The largest container of the cluster, from the registration.
    Maximum(Profile),
    /// Containers of an earlier attempt, from the registration.
    Recovered(Vec<(ContainerId, NodeId)>),
    /// Flink requests a TaskManager.
    Request {
        /// The bridge's number for the request, unique.
        id: u64,
        /// Size of its container.
        profile: Profile,
        /// How to start it.
        arguments: TaskManagerArguments,
    },
    /// Ask YARN for this many containers of a size that Flink is going to request, but has not requested yet.
    Prewarm {
        /// Size of each.
        profile: Profile,
        /// How many.
        count: u32,
    },
    /// Containers that were asked for ahead, and that Flink has not requested by now, go back.
    PrewarmOver,
    /// Flink no longer wants what it requested under this number.
    Cancel(u64),
    /// Flink knows the container by now: start the TaskManager in it.
    Launch {
        /// The request that it answers.
        id: u64,
        /// The container.
        container: ContainerId,
    },
    /// Flink gives the container back.
    Release(ContainerId),
    /// The JobManager is gone. Its open requests are void; its TaskManagers stay for the next JobManager.
    JobManagerLost,
    /// A heartbeat was answered.
    Heartbeat(AnsweredHeartbeat),
    /// The ResourceManager was restarted, or another one has taken over. It has forgotten all asks; the
    /// registration was renewed.
    Resync,
    /// The ResourceManager refuses these asks, which the last heartbeat carried, and would refuse them again.
    AsksRefused {
        /// All asks of that heartbeat: which one is refused is not known.
        sent: Vec<Ask>,
        /// The ResourceManager's words.
        reason: String,
    },
    /// Time to repeat what is open, in case a message was lost without notice.
    Refresh,
    /// The NodeManager refused to start the container.
    StartFailed(ContainerId, String),
    /// The container's taskrunner has connected.
    Connected(ContainerId),
    /// The container was sent a signal to end, by the NodeManager or by hand.
    Signalled(ContainerId),
    /// The taskrunner still has something to do in the container, and ends by itself afterwards.
    Busy(ContainerId),
    /// The taskrunner reports that its JVM has ended.
    Exited(ContainerId, JvmExit),
    /// A parked taskrunner has waited for [`super::PARK_WAIT`].
    ParkOver(ContainerId),
    /// YARN was given long enough to report the end of a container whose taskrunner has reported it already.
    ReportWaitOver(ContainerId),
}

/// What the ledger wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerEffect {
    /// Tell Flink that there is a container for its request.
    Allocated {
        /// The request.
        id: u64,
        /// The container.
        container: ContainerId,
        /// Its node.
        node: NodeId,
    },
    /// Tell Flink that its request cannot be met.
    Failed {
        /// The request.
        id: u64,
        /// Why, for people.
        reason: String,
    },
    /// Tell Flink that a TaskManager is gone.
    Terminated {
        /// Its container.
        container: ContainerId,
        /// Why, for people.
        reason: String,
        /// The same, typed.
        cause: Box<ExitCause>,
        /// Its node.
        node: Option<NodeId>,
    },
    /// Why a container has ended that Flink had given back, or whose end was told before YARN's reason for it
    /// was known.
    Explained {
        /// The container.
        container: ContainerId,
        /// Why, for people.
        reason: String,
        /// The same, typed.
        cause: Box<ExitCause>,
        /// Its node, where it is still known.
        node: Option<NodeId>,
    },
    /// A container of an earlier attempt is a TaskManager's of this one: tell Flink.
    Adopted {
        /// The container.
        container: ContainerId,
        /// Its node.
        node: NodeId,
    },
    /// Give [`LedgerInput::ParkOver`] after [`super::PARK_WAIT`].
    Park(ContainerId),
    /// Start the container's taskrunner ahead of Flink's request. It waits for its launch command, which
    /// comes with [`LedgerEffect::Launch`] if Flink does request the container.
    StartTaskrunner {
        /// The container.
        container: ContainerId,
        /// Its node.
        node: NodeId,
    },
    /// Give the container's taskrunner its launch command.
    Launch {
        /// The container.
        container: ContainerId,
        /// How to start its JVM.
        arguments: TaskManagerArguments,
        /// Its taskrunner was started before; if not, start it.
        started: bool,
    },
    /// Stop what runs in the container. That the ResourceManager gets it back goes with the next heartbeat.
    Stop {
        /// The container.
        container: ContainerId,
        /// Why, for the log.
        reason: String,
        /// Something was started in it.
        started: bool,
    },
    /// Give [`LedgerInput::ReportWaitOver`] after [`super::REPORT_WAIT`].
    AwaitCompletion(ContainerId),
    /// The container is gone for good: forget what is kept for it.
    Forget {
        /// The container.
        container: ContainerId,
        /// How it ended, for the log; none when [`LedgerEffect::Terminated`] or [`LedgerEffect::Explained`]
        /// has just said it.
        cause: Option<String>,
        /// The same, typed, if it has ended by itself and Flink has never heard of it.
        unknown: Option<Box<ExitCause>>,
    },
}

/// The id of a container by its number: `c7` is the seventh container of an attempt. Tests are easier to read
/// with such names than with YARN's long texts.
#[cfg(test)]
pub(crate) fn container_id(name: &str) -> ContainerId {
    format!("container_1_0001_01_{:0>6}", name.trim_start_matches('c')).parse().unwrap()
}

/// A node by its host.
#[cfg(test)]
pub(crate) fn node_id(host: &str, port: u16) -> NodeId {
    NodeId { host: host.to_owned(), port }
}

//! The words the ledger speaks: what comes in, what it asks to be done.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use taskrunner::cause::{ExitCause, JvmExit};

/// A container, by the text of its YARN id; the same text is Flink's resource id of the worker in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Worker(Arc<str>);

impl Worker {
    /// From the text of a container id.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(Arc::from(id.as_ref()))
    }

    /// The text of the container id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The NodeManager a container lives on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name as YARN knows it.
    pub host: String,
    /// Port of its container management protocol.
    pub port: i32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

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

/// What the bridge adds to the TaskManager template for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// JVM memory flags.
    pub jvm_args: Vec<String>,
    /// Program arguments.
    pub args: Vec<String>,
}

/// What a container is for. Flink knows of TaskManagers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A TaskManager runs in it.
    TaskManager,
    /// A class data archive is made in it.
    ClassDataArchive,
}

impl Purpose {
    /// YARN priority, and allocation request id, of asks for a container in which to make an archive: after
    /// those for TaskManagers, whose numbers are small. A container that was granted is known by it.
    pub const ARCHIVE_PRIORITY: i32 = 1_000_000;

    /// The purpose of a container that was granted for an ask of this priority and allocation request id,
    /// where the ResourceManager returns that.
    pub fn of(priority: i32, allocation_request: Option<i64>) -> Self {
        match allocation_request.filter(|id| *id > 0).unwrap_or(i64::from(priority)) {
            number if number == i64::from(Self::ARCHIVE_PRIORITY) => Self::ClassDataArchive,
            _ => Self::TaskManager,
        }
    }
}

/// One line of the request table: how many containers of a size the ResourceManager shall still give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What the containers are for.
    pub purpose: Purpose,
    /// YARN priority, 1 and up; also sent as allocation request id.
    pub priority: i32,
    /// Size of each.
    pub profile: Profile,
    /// Absolute number still wanted; replaces what was said before.
    pub count: u32,
}

/// What the next heartbeat has to carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// Lines of the request table that the ResourceManager does not know yet.
    pub asks: Vec<Ask>,
    /// Containers to give back.
    pub releases: Vec<Worker>,
}

/// A container that the ResourceManager gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is for.
    pub purpose: Purpose,
    /// The container.
    pub worker: Worker,
    /// Its node.
    pub place: Place,
    /// Priority of the ask it answers.
    pub priority: i32,
    /// Allocation request id of that ask, where the ResourceManager returns it.
    pub allocation_request: Option<i64>,
}

/// A container that has ended, as the ResourceManager tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The container.
    pub worker: Worker,
    /// `ContainerExitStatus` or the process's exit code.
    pub status: i32,
    /// YARN's diagnostics.
    pub diagnostics: String,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beat {
    /// What was sent with it.
    pub sent: Outgoing,
    /// False when an earlier try of the same heartbeat failed on the way: the ResourceManager may then have
    /// answered from its memory without having read what was sent.
    pub certain: bool,
    /// New containers.
    pub granted: Vec<Grant>,
    /// Ended containers.
    pub completed: Vec<Completed>,
}

/// Everything that can happen to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The largest container of the cluster, from the registration.
    Maximum(Profile),
    /// Containers of an earlier attempt, from the registration.
    Recovered(Vec<(Worker, Place)>),
    /// Flink wants a worker.
    Request {
        /// The bridge's number for it, unique.
        id: u64,
        /// Size.
        profile: Profile,
        /// How to start it.
        order: Order,
    },
    /// Ask for this many containers of a size that Flink will want; it has not asked for any yet.
    Prewarm {
        /// Size of each.
        profile: Profile,
        /// How many.
        count: u32,
    },
    /// What Flink has not wanted by now goes back.
    PrewarmOver,
    /// Flink no longer wants it.
    Cancel(u64),
    /// Flink expects the worker now: start it.
    Launch {
        /// The request it answers.
        id: u64,
        /// The container.
        worker: Worker,
    },
    /// Flink gives the worker back.
    Release(Worker),
    /// The JobManager is gone: its open requests are void, its workers stay for its successor.
    JobManagerLost,
    /// A heartbeat was answered.
    Beat(Beat),
    /// The ResourceManager has forgotten all asks (restart, failover); the registration was renewed.
    Resync,
    /// The ResourceManager refuses these asks, which the last heartbeat carried, and would again.
    AsksRefused {
        /// All of them: which one is refused is not known.
        sent: Vec<Ask>,
        /// The ResourceManager's words.
        reason: String,
    },
    /// Time to repeat what is open, in case something was lost unseen.
    Refresh,
    /// The NodeManager refused to start the container.
    StartFailed(Worker, String),
    /// The container's taskrunner has connected.
    Connected(Worker),
    /// Something tells the container to end: the NodeManager, or somebody by hand.
    Signalled(Worker),
    /// The taskrunner tells that its JVM has ended.
    Exited(Worker, JvmExit),
    /// Waited long enough for YARN's side of an exit that the taskrunner reported.
    ReportWaitOver(Worker),
}

/// What the ledger wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell Flink: a container for its request.
    Allocated {
        /// The request.
        id: u64,
        /// The container.
        worker: Worker,
        /// Its node.
        place: Place,
    },
    /// Tell Flink: the request cannot be met.
    Failed {
        /// The request.
        id: u64,
        /// Why, for people.
        reason: String,
    },
    /// Tell Flink: the worker is gone.
    Terminated {
        /// The container.
        worker: Worker,
        /// Why, for people.
        reason: String,
        /// The same, typed.
        cause: Box<ExitCause>,
    },
    /// Why a worker ended that Flink no longer counts on, or was told of before YARN's reason was known.
    Explained {
        /// The container.
        worker: Worker,
        /// Why, for people.
        reason: String,
        /// The same, typed.
        cause: Box<ExitCause>,
    },
    /// Start the container's taskrunner, which waits for the order that [`Effect::Launch`] may bring.
    Warm {
        /// The container.
        worker: Worker,
        /// Its node.
        place: Place,
    },
    /// Give the container's taskrunner its order.
    Launch {
        /// The container.
        worker: Worker,
        /// How to start its JVM.
        order: Order,
        /// Its taskrunner was started before; if not, start it.
        started: bool,
    },
    /// Stop what runs in the container; giving it back to the ResourceManager goes with the next heartbeat.
    Stop {
        /// The container.
        worker: Worker,
        /// Why, for the log.
        reason: String,
        /// Something was started in it.
        started: bool,
    },
    /// Give [`Input::ReportWaitOver`] after [`super::REPORT_WAIT`].
    AwaitCompletion(Worker),
    /// The container is gone for good: forget what is kept for it.
    Forget {
        /// The container.
        worker: Worker,
        /// How it ended, for the log; none when [`Effect::Terminated`] or [`Effect::Explained`] has just said
        /// it.
        cause: Option<String>,
    },
}

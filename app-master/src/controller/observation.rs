//! What the controller has observed: for the log, the timeline, the history, the metrics and the diagnostics,
//! which each use what concerns them.

use std::time::Duration;

use taskrunner::cause::{ExitCause, JvmExit};
use yarn_api::records::{ContainerId, FinalStatus, NodeId};

use crate::ledger::types::Profile;

/// One thing that has happened, or that was decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observation {
    // The session with the ResourceManager.
    /// The application is being registered.
    Registering,
    /// It is registered. The largest container, and how many containers there are from earlier attempts.
    Registered { largest: Profile, previous: usize },
    /// It is registered again, after [`Observation::Forgotten`].
    RegisteredAgain,
    /// The ResourceManager does not know this attempt any more.
    Forgotten,
    /// The ResourceManager has not answered.
    NoAnswer { error: String, retry_in: Duration },
    /// It answers again.
    AnswersAgain,

    // The JobManager.
    /// Its JVM has connected.
    JobManagerConnected { flink: String, pid: u32 },
    /// It can be used.
    JobManagerReady { rest: String, rpc: String },
    /// It has another web interface than the one that was registered before it was ready.
    OtherAddress { told: String },
    /// Its connection has ended.
    JobManagerDisconnected { why: String },
    /// It has ended, and is started again after this time.
    JobManagerRestarts { summary: String, after: Duration },
    /// It does not answer for so long.
    JobManagerHangs { silence: Duration },
    /// Its JVM was started, and has not connected to us within this time.
    JobManagerDoesNotConnect { within: Duration },
    /// It has told of a failure.
    JobManagerFailure { text: String },
    /// It has sent a message of a type that this release does not know.
    UnknownMessage,

    // The delegation tokens.
    /// It has obtained new ones, which containers get from now on. It is asked again after this time.
    TokensReplaced { count: usize, again_in: Duration },
    /// Some or all could not be replaced. Told once; it is tried again after this time, and later on.
    TokensNotReplaced { why: String, retry_in: Duration },

    // Requests and containers.
    /// Flink requests a TaskManager.
    Requested { request: u64, size: Profile },
    /// Flink no longer wants it.
    Cancelled { request: u64 },
    /// A request cannot be met.
    Refused { request: u64, reason: String },
    /// The ResourceManager refuses even the cancellation of a request.
    CancellationRefused { why: String },
    /// TaskManagers are asked for before Flink requests them.
    AskedAhead { count: u32, size: Profile },
    /// YARN has granted a container, for a request or ahead of any.
    Granted { request: Option<u64>, container: ContainerId, node: NodeId },
    /// A container of an earlier attempt is a TaskManager's of this one.
    Adopted { container: ContainerId, node: NodeId },
    /// A node of containers of ours runs as usual no more, or again; in YARN's words.
    NodeChanged { node: NodeId, state: String, containers: Vec<ContainerId> },
    /// TaskManagers fail on a node, and YARN is asked to avoid it. Why the last one failed.
    NodeAvoided { name: String, why: String },
    /// Nodes are not avoided any more.
    NodesWantedAgain { names: Vec<String> },
    /// YARN's scheduler is going to take containers back. `certain`: whatever else is released.
    PreemptionAnnounced { containers: Vec<ContainerId>, certain: bool },
    /// Containers are asked for and not granted for some time: how many, of what size, with which node label,
    /// and for how long. It is observed again from time to time, and when the reason becomes another one.
    ContainersWait { size: Profile, count: u32, label: Option<String>, open_for: Duration, text: String },
    /// Those of which [`Observation::ContainersWait`] has told are granted, or not asked for any more.
    ContainersWaitNoLonger {
        size: Profile,
        label: Option<String>,
        open_for: Duration,
        granted: bool,
        text: String,
    },
    /// A node has given more containers than were asked for by its name.
    NodeGaveTooMuch { node: String },
    /// The TaskManager in a container is being started. `started_ahead`: its taskrunner was started before.
    Launching { container: ContainerId, started_ahead: bool },
    /// The NodeManager starts a container.
    StartAccepted { container: ContainerId },
    /// A container could not be started.
    StartFailed { container: ContainerId, host: Option<String>, why: String },
    /// A taskrunner has connected. `has_launch`: its JVM runs, or it was sent the launch command for it.
    TaskrunnerConnected { container: ContainerId, has_launch: bool },
    /// The connection of a taskrunner is broken.
    TaskrunnerLost { container: ContainerId },
    /// A TaskManager's JVM runs.
    TaskManagerStarted { container: ContainerId, pid: u32 },
    /// A container was sent a signal to end.
    Signalled { container: ContainerId },
    /// A taskrunner still has something to do in its container, and ends by itself afterwards.
    TaskrunnerBusy { container: ContainerId, what: String },
    /// A TaskManager's JVM has ended, as its taskrunner reports it.
    TaskManagerEnded { container: ContainerId, host: Option<String>, report: Box<JvmExit> },
    /// A container has ended that Flink counts on. `explained`: Flink knew of the end already, and now the
    /// reason is known.
    ContainerEnded { container: ContainerId, reason: String, cause: Box<ExitCause>, explained: bool },
    /// What runs in a container is being stopped.
    Stopping { container: ContainerId, reason: String },
    /// A container is gone for good. The cause is there unless [`Observation::ContainerEnded`] has told it,
    /// and `unknown` is the same typed, if the container has ended by itself before Flink knew of it.
    ContainerGone { container: ContainerId, cause: Option<String>, unknown: Option<Box<ExitCause>> },
    /// YARN is asked for a container in which to make a class data archive.
    ArchiveContainerAsked,

    // The submission of a per-job cluster.
    /// The JobManager does not tell which jobs there are.
    JobsUnknown { why: String },
    /// All jobs have ended, and with them the application.
    SubmissionOver { status: FinalStatus, text: String },
    /// The JobManager was asked to end and has not deregistered in time.
    NotDeregistered,
}

impl Observation {
    /// The TaskManager's container that has ended, or whose JVM has, if that is what was observed.
    pub(crate) fn ended(&self) -> Option<ContainerId> {
        match self {
            Self::TaskManagerEnded { container, .. }
            | Self::ContainerEnded { container, .. }
            | Self::ContainerGone { container, .. } => Some(*container),
            _ => None,
        }
    }
}

//! What happens to the ApplicationMaster, and what it does about it: the values that pass between the
//! controller, which decides, and the components, which act.

use std::fmt;

use yarn_api::AmError;
use yarn_api::records::{
    Container, ContainerId, FinalStatus, NodeId, NodeReport, Preemption, ResourceRequest,
};

use super::observation::Observation;
use crate::bridge::{BridgeEvent, ObtainedTokens, ToJvm, ZooKeeperSession};
use crate::control::ControlEvent;
use crate::jobmanager::JobManagerEnd;
use crate::ledger::types::{Completed, Grant, Outgoing, Profile, TaskManagerArguments};
use crate::submission::policy::{SubmissionInput, SubmissionRecord};
use crate::submission::service::MemoryKills;
use crate::tokens::Lifetime;

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// From the JobManager's JVM of this generation.
    Bridge { generation: u32, event: BridgeEvent },
    /// From a taskrunner.
    Control(ControlEvent),
    /// Answer to [`Action::Register`].
    Registered(Result<Registration, RmFailure>),
    /// Answer to [`Action::SendHeartbeat`].
    HeartbeatAnswered { sent: Outgoing, answer: Result<HeartbeatAnswer, RmFailure> },
    /// Answer to [`Action::ListNodes`]; empty where the nodes cannot be listed.
    Nodes(Vec<NodeReport>),
    /// The NodeManager starts the container.
    StartAccepted(ContainerId),
    /// The NodeManager has refused to start it.
    StartFailed(ContainerId, String),
    /// The JobManager's JVM of this generation has ended, or could not be started.
    JobManagerEnded { generation: u32, end: JobManagerEnd },
    /// From the client of a per-job cluster, or about its jobs.
    Submission(SubmissionInput),
    /// From the service that makes class data archives.
    Archive(BuilderRequest),
    /// What earlier attempts have kept is read.
    Earlier(Earlier),
    /// Answer to [`Action::UseTokens`]. The error is for people.
    TokensInUse(Result<TokensInUse, String>),
    /// SIGTERM.
    Terminated,
    /// A part of the ApplicationMaster itself has failed.
    Internal(String),
}

/// What earlier attempts have kept, one part after the other.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// The ZooKeeper session of the JobManager, if it is known.
    Session(Option<ZooKeeperSession>),
    /// Of the submission of a per-job cluster. None: it cannot be read, and must not be overwritten.
    Submission(Option<SubmissionRecord>),
}

/// New delegation tokens, which containers get that are started from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokensInUse {
    pub(crate) count: usize,
    pub(crate) lifetime: Lifetime,
}

/// What the ResourceManager answers to a registration.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Registration {
    /// Largest container.
    pub(crate) maximum: Profile,
    /// Containers of TaskManagers that earlier attempts have left.
    pub(crate) previous: Vec<(ContainerId, NodeId)>,
    /// Containers that earlier attempts have left in which class data archives were made.
    pub(crate) archive_containers: Vec<ContainerId>,
}

/// What the ResourceManager answers to a heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct HeartbeatAnswer {
    pub(crate) granted: Vec<Grant>,
    pub(crate) completed: Vec<Completed>,
    /// Containers of TaskManagers of earlier attempts that it has learned of after the registration.
    pub(crate) late: Vec<(ContainerId, NodeId)>,
    /// The same for containers in which class data archives were made.
    pub(crate) archive_containers: Vec<ContainerId>,
    pub(crate) command: Option<RmCommand>,
    /// Of the cluster.
    pub(crate) news: Box<ClusterNews>,
}

/// What the ResourceManager tells of the cluster with a heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ClusterNews {
    /// Nodes whose state has changed.
    pub(crate) nodes: Vec<NodeReport>,
    /// Containers that the scheduler is going to preempt.
    pub(crate) preemption: Option<Preemption>,
    /// How many nodes the cluster has.
    pub(crate) size: u32,
    /// What the application can still get in its queue.
    pub(crate) left: Option<Profile>,
}

/// What the ResourceManager tells the ApplicationMaster to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RmCommand {
    /// Register again.
    Resync,
    /// End.
    Shutdown,
}

/// A failed call to the ResourceManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RmFailure {
    pub(crate) kind: RmFailureKind,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RmFailureKind {
    NotRegistered,
    AttemptOver,
    AlreadyRegistered,
    Refused,
    Unavailable,
}

impl From<AmError> for RmFailure {
    fn from(error: AmError) -> Self {
        let kind = match &error {
            AmError::NotRegistered(_) => RmFailureKind::NotRegistered,
            AmError::AttemptOver(_) => RmFailureKind::AttemptOver,
            AmError::AlreadyRegistered(_) => RmFailureKind::AlreadyRegistered,
            AmError::Refused(_) => RmFailureKind::Refused,
            AmError::Unavailable(_) => RmFailureKind::Unavailable,
        };
        let text = match &error {
            // The user reads it, so it is the ResourceManager's own words, without what we were doing.
            AmError::AlreadyRegistered(refused) | AmError::Refused(refused) => {
                refused.rpc().and_then(|error| error.remote()).map(ToString::to_string)
            }
            _ => None,
        };
        Self { kind, text: text.unwrap_or_else(|| error.to_string()) }
    }
}

impl RmFailure {
    /// The ResourceManager says that the attempt is registered already.
    pub(super) fn is_repetition(&self) -> bool {
        self.kind == RmFailureKind::AlreadyRegistered
    }
}

impl fmt::Display for RmFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the application's web interface is, for the registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Web {
    /// URL; empty without one.
    pub(crate) url: String,
    /// REST port; -1 without one.
    pub(crate) port: i32,
}

impl Web {
    /// The web interface at this URL.
    pub(crate) fn at(url: String) -> Self {
        Self { port: port_of(&url), url }
    }
}

/// The port of `http://host:port/…`; -1 without one.
fn port_of(url: &str) -> i32 {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.map_or(-1, i32::from)
}

/// A heartbeat to the ResourceManager.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heartbeat {
    /// What it carries, as the controller knows it.
    pub(crate) sent: Outgoing,
    /// The asks among it, as YARN takes them.
    pub(crate) requests: Vec<ResourceRequest>,
    /// How far the application is, from 0 to 1.
    pub(crate) progress: f32,
}

/// What the service that makes class data archives asks of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuilderRequest {
    /// A container of this memory, MiB.
    Container(u64),
    /// The container that was granted is of no use; answered by [`BuilderReply::Over`].
    GiveBack,
}

/// What the controller answers.
#[derive(Debug)]
pub(crate) enum BuilderReply {
    /// The container that YARN has granted.
    Granted(Box<Container>),
    /// There is no container, or no longer; why.
    Over(String),
    /// It has ended, with this status and YARN's diagnostics.
    Ended(i32, String),
}

/// What became of the container that the service has asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RequestEvent {
    /// YARN has granted this container, which can be started now.
    Granted(ContainerId),
    /// There is no container, or no longer; why.
    Over(String),
    /// The container has ended by itself.
    Ended(Completed),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Send a message to the JobManager.
    Tell(ToJvm),
    /// Send SIGKILL to the JobManager, which has lost its connection to us and does not end.
    KillJobManager,
    /// Start the JobManager's JVM once more, with this generation.
    StartJobManager { generation: u32 },
    /// Keep the session where the next attempt finds it.
    KeepZooKeeperSession(ZooKeeperSession),
    /// Keep what is known of the submission where the next attempt finds it.
    KeepSubmission(SubmissionRecord),
    /// Use these delegation tokens in place of those for the same services.
    UseTokens(ObtainedTokens),
    /// Register the application with this web interface.
    Register(Web),
    /// Ask the ResourceManager for the cluster's nodes. The next heartbeat waits for [`Event::Nodes`].
    ListNodes,
    /// Send a heartbeat to the ResourceManager.
    SendHeartbeat(Heartbeat),
    /// Have the NodeManager start the container's taskrunner.
    Start(ContainerId),
    /// Give the container's taskrunner its launch command, with these arguments, as soon as it is connected.
    Launch(ContainerId, TaskManagerArguments),
    /// Tell the container's taskrunner, which has no launch command, that one may come later.
    KeepWaiting(ContainerId),
    /// Stop what runs in the container. `started`: its NodeManager may have something to stop.
    Stop { container: ContainerId, reason: String, started: bool },
    /// Let the container's taskrunner, which an earlier attempt has started, know where this
    /// ApplicationMaster is.
    SendAddress(ContainerId),
    /// Forget what is kept for the container.
    Forget(ContainerId),
    /// Ask the REST interface at this URL for all jobs; the answer is [`SubmissionInput::Jobs`].
    LookAtJobs(String),
    /// Ask it why the job with this id failed; the answer is [`SubmissionInput::Explained`].
    ExplainJob(String, String),
    /// Ask it to end the JobManager.
    ShutDownJobManager(String),
    /// Tell the service that makes class data archives what became of the container that it asked for.
    Archive(RequestEvent),
    /// What to tell the client of a per-job cluster when its `main()` has failed.
    MemoryKills(MemoryKills),
    /// End the ApplicationMaster.
    End(Cause),
}

/// What a step of the controller gives.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// To be done, in this order.
    pub(crate) actions: Vec<Action>,
    /// What was observed, in this order.
    pub(crate) observations: Vec<Observation>,
}

impl Output {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
    }
}

/// Why the ApplicationMaster ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Flink has deregistered the application, or a per-job cluster's jobs have ended.
    Deregistered { status: FinalStatus, diagnostics: String },
    /// The JobManager's JVM ended without deregistering. The text is a whole sentence.
    JobManagerEnded(String),
    /// YARN will never grant a TaskManager. The text is a whole sentence.
    NoTaskManagers(String),
    /// SIGTERM.
    Terminated,
    /// For the ResourceManager the attempt is over.
    AttemptOver(String),
    /// The ResourceManager could not be reached for too long.
    ResourceManagerLost(String),
    /// The ResourceManager refuses the registration, or a part of the ApplicationMaster itself has failed.
    Internal(String),
}

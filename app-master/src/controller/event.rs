//! What happens to the ApplicationMaster, and what it does about it: the words between the controller and the
//! effects.

use std::fmt;

use yarn_api::AmError;
use yarn_api::records::{FinalStatus, NodeReport, ResourceRequest};

use super::observation::Observation;
use crate::bridge::{BridgeEvent, ToJvm};
use crate::cds::container_request::{BuilderRequest, RequestEvent};
use crate::control::ControlEvent;
use crate::jobmanager::JobManagerEnd;
use crate::ledger::types::{Completed, Grant, Order, Outgoing, Place, Profile, Worker};
use crate::submission::attendance::Losses;
use crate::submission::policy::Input;

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Event {
    Bridge(BridgeEvent),
    Control(ControlEvent),
    /// Answer to [`Action::Register`].
    Registered(Result<Registration, RmFailure>),
    /// Answer to [`Action::Beat`].
    Beat {
        sent: Outgoing,
        answer: Result<BeatAnswer, RmFailure>,
    },
    /// Answer to [`Action::ListNodes`]; empty where they cannot be told.
    Nodes(Vec<NodeReport>),
    /// The NodeManager starts the container.
    StartAccepted(Worker),
    /// The NodeManager has refused to start it.
    StartFailed(Worker, String),
    JobManagerEnded(JobManagerEnd),
    /// From the client of a per-job cluster, or about its jobs.
    Submission(Input),
    /// From the builder of class data archives.
    Archive(BuilderRequest),
    /// SIGTERM.
    Terminated,
    /// A part of the ApplicationMaster itself has failed.
    Internal(String),
}

/// What the ResourceManager answers to a registration.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Registration {
    /// Largest container.
    pub(crate) maximum: Profile,
    /// Containers of earlier attempts.
    pub(crate) previous: Vec<(Worker, Place)>,
    /// Those among them in which class data archives were made.
    pub(crate) strays: Vec<Worker>,
}

/// What the ResourceManager answers to a heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BeatAnswer {
    pub(crate) granted: Vec<Grant>,
    pub(crate) completed: Vec<Completed>,
    /// Containers of earlier attempts that it learned of after the registration.
    pub(crate) late: Vec<(Worker, Place)>,
    /// Those among them in which class data archives were made.
    pub(crate) strays: Vec<Worker>,
    pub(crate) command: Option<RmCommand>,
}

/// An order of the ResourceManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RmCommand {
    Resync,
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
            // It reaches the user: the ResourceManager's own words.
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

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Send a line to the JobManager.
    Tell(ToJvm),
    /// SIGKILL to the JobManager, which has lost us and does not end.
    KillJobManager,
    Register(Web),
    /// Ask the ResourceManager for the cluster's nodes; a heartbeat waits for [`Event::Nodes`].
    ListNodes,
    Beat(Heartbeat),
    /// Have the NodeManager start the container's taskrunner.
    Start(Worker),
    /// Give the container's taskrunner this order for its JVM, as soon as it is connected.
    Launch(Worker, Order),
    /// Stop what runs in the container. `started`: its NodeManager may have something to stop.
    Stop {
        container: Worker,
        reason: String,
        started: bool,
    },
    /// Forget what is kept for the container.
    Forget(Worker),
    /// Ask the REST interface at this URL for all jobs; the answer is [`Input::Jobs`].
    LookAtJobs(String),
    /// Ask it why the job with this id failed; the answer is [`Input::Explained`].
    ExplainJob(String, String),
    /// Ask it to end the JobManager.
    ShutDownJobManager(String),
    /// Tell the builder of class data archives.
    Archive(RequestEvent),
    /// Tell the client of a per-job cluster, once it asks.
    Losses(Losses),
    /// Leave the loop.
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
    /// Flink says so.
    Deregistered { status: FinalStatus, diagnostics: String },
    /// The JobManager's JVM ended without having said so; a whole sentence.
    JobManagerEnded(String),
    /// No TaskManager can ever be had; a whole sentence.
    Hopeless(String),
    /// SIGTERM.
    Terminated,
    /// For the ResourceManager the attempt is over.
    AttemptOver(String),
    /// The ResourceManager could not be reached for too long.
    ResourceManagerLost(String),
    /// The ResourceManager refuses the registration, or a part of the ApplicationMaster itself has failed.
    Internal(String),
}

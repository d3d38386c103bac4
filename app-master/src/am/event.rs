//! What happens to the ApplicationMaster, and what it does about it.

use std::fmt;

use yarn_api::AmError;
use yarn_api::records::FinalStatus;

use crate::bridge::{BridgeEvent, ToJvm};
use crate::cds::container_request::{BuilderRequest, RequestEvent};
use crate::control::ControlEvent;
use crate::jobmanager::JobManagerEnd;
use crate::ledger::types::{Completed, Grant, Order, Outgoing, Place, Profile, Worker};
use crate::submission::attendance::Losses;
use crate::submission::policy::Input;

/// Everything that can happen.
#[derive(Debug)]
pub(super) enum Event {
    Bridge(BridgeEvent),
    Control(ControlEvent),
    /// Answer to [`Action::Register`].
    Registered(Result<Registration, RmFailure>),
    /// Answer to [`Action::Beat`].
    Beat {
        sent: Outgoing,
        answer: Result<BeatAnswer, RmFailure>,
    },
    /// The NodeManager has taken the container's order.
    StartAccepted(Worker),
    /// It refused it.
    StartFailed(Worker, String),
    ReportWaitOver(Worker),
    JobManagerEnded(JobManagerEnd),
    /// From the client of a per-job cluster, or about its jobs.
    Submission(Input),
    /// From the maker of class data archives.
    Archive(BuilderRequest),
    /// SIGTERM.
    Terminated,
    /// Something of ours broke.
    Internal(String),
}

/// What the ResourceManager answers to a registration.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Registration {
    /// Largest container.
    pub(super) maximum: Profile,
    /// Containers of earlier attempts.
    pub(super) previous: Vec<(Worker, Place)>,
    /// Those among them that are no workers.
    pub(super) strays: Vec<Worker>,
}

/// What the ResourceManager answers to a heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct BeatAnswer {
    pub(super) granted: Vec<Grant>,
    pub(super) completed: Vec<Completed>,
    /// Containers of earlier attempts that it learned of late.
    pub(super) late: Vec<(Worker, Place)>,
    /// Those that are no workers.
    pub(super) strays: Vec<Worker>,
    pub(super) command: Option<RmCommand>,
}

/// An order of the ResourceManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RmCommand {
    Resync,
    Shutdown,
}

/// A failed call to the ResourceManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RmFailure {
    pub(super) kind: RmFailureKind,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RmFailureKind {
    NotRegistered,
    AttemptOver,
    Refused,
    Unavailable,
}

impl From<AmError> for RmFailure {
    fn from(error: AmError) -> Self {
        let kind = match &error {
            AmError::NotRegistered(_) => RmFailureKind::NotRegistered,
            AmError::AttemptOver(_) => RmFailureKind::AttemptOver,
            AmError::Refused(_) => RmFailureKind::Refused,
            AmError::Unavailable(_) => RmFailureKind::Unavailable,
        };
        let text = match &error {
            // It reaches the user: the ResourceManager's own words.
            AmError::Refused(refused) => {
                refused.rpc().and_then(|error| error.remote()).map(ToString::to_string)
            }
            _ => None,
        };
        Self { kind, text: text.unwrap_or_else(|| error.to_string()) }
    }
}

impl fmt::Display for RmFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the application's web interface is, for the registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Web {
    /// URL; empty without one.
    pub(super) url: String,
    /// REST port; -1 without one.
    pub(super) port: i32,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    Tell(ToJvm),
    Register(Web),
    Beat(Outgoing),
    /// Start the taskrunner; an order for its JVM may follow.
    Warm(Worker),
    /// Start the taskrunner if it is not there yet, with this order for its JVM.
    Launch(Worker, Order),
    /// Stop what runs in the container.
    Stop(Worker, String),
    /// Forget what is kept for the container.
    Forget(Worker),
    /// Give [`Event::ReportWaitOver`] later.
    AwaitCompletion(Worker),
    /// SIGKILL to the JobManager, which has lost us and does not end.
    KillJobManager,
    /// Ask the REST interface at this URL for all jobs; the answer is [`Input::Jobs`].
    LookAtJobs(String),
    /// Ask it why the job with this id failed; the answer is [`Input::Explained`].
    ExplainJob(String, String),
    /// Ask it to end.
    ShutDownJobManager(String),
    /// Tell the maker of class data archives.
    Archive(RequestEvent),
    /// Tell the client of a per-job cluster, once it asks.
    Losses(Losses),
    /// Leave the loop.
    End(Cause),
}

/// Why the ApplicationMaster ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// Flink says so.
    Deregistered { status: FinalStatus, diagnostics: String },
    /// The JobManager's JVM ended without having said so; a whole sentence.
    JobManagerEnded(String),
    /// No worker can ever be had; a whole sentence.
    Hopeless(String),
    /// SIGTERM.
    Terminated,
    /// For the ResourceManager the attempt is over.
    AttemptOver(String),
    /// The ResourceManager could not be reached for too long.
    ResourceManagerLost(String),
    /// The ResourceManager refuses the registration, or something of ours broke.
    Internal(String),
}

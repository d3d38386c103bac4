//! The controller: everything that the running ApplicationMaster decides. It is composed of machines that do
//! not know each other, and hands what one of them says to those that it concerns ([`routes`]). Nothing is
//! done here: a step gives actions, which the components carry out, and observations. The time is an
//! argument.
//!
//! ```text
//! JobManager ──► job_manager ──────────────────┐
//! ResourceManager ──► rm_session ──────────────┼──► Controller ──► actions ──► am::effects
//! taskrunners ──► allocation (ledger) ─────────┤                └─► observations ──► am::log, history, …
//! client of a per-job cluster ──► submission ──┤
//! class data archives ──► archive_container ───┤
//! JobManager with a keytab ──► tokens ─────────┘
//! ```
//!
//! One more machine, `waits`, looks at the requests of the allocation, and only observes.
//!
//! The inputs of a machine, and its effects where it has some that are no [`Action`](event::Action), are
//! named after it: `RmSessionInput`, `RmSessionEffect`.

pub(crate) mod allocation;
pub(crate) mod archive_container;
mod bridge_message;
pub(crate) mod diagnostics;
pub(crate) mod end;
pub(crate) mod event;
pub(crate) mod finding;
mod job_manager;
mod nodes;
pub(crate) mod observation;
pub(crate) mod placement;
pub(crate) mod rm_session;
mod routes;
#[cfg(test)]
mod simulation;
mod submission;
#[cfg(test)]
mod tests;
mod tokens;
mod waits;

use flink_model::spec::ClusterMode;
use tokio::time::Instant;
use yarn_api::records::ContainerId;

use crate::bridge::{BridgeEvent, ZooKeeperSession};
use crate::control::ControlEvent;
use allocation::{Allocation, AllocationInput, AskAhead};
use archive_container::ArchiveContainer;
use diagnostics::Diagnostics;
use event::{Action, Cause, Earlier, Event, Output, Web};
use job_manager::{JobManager, JobManagerInput};
use placement::Naming;
use rm_session::{Pace, RmSession, RmSessionInput};
use submission::PerJob;
use tokens::{DelegationTokens, TokensInput};
use waits::Waits;

use crate::submission::policy::SubmissionRecord;
use crate::tokens::HeldTokens;

/// What a controller is made for.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) mode: ClusterMode,
    pub(crate) pace: Pace,
    /// Register before the JobManager is ready, with the web interface that it is going to have.
    pub(crate) early: Option<Web>,
    pub(crate) ask_ahead: Option<AskAhead>,
    pub(crate) naming: Naming,
    /// With high availability: the JobManager is started again after an end.
    pub(crate) high_availability: Option<FromEarlierAttempts>,
    /// Delegation tokens that are to be replaced before they end.
    pub(crate) tokens: Option<HeldTokens>,
}

/// What earlier attempts have kept for this one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FromEarlierAttempts {
    /// The ZooKeeper session of the JobManager.
    pub(crate) session: Option<ZooKeeperSession>,
    /// Of the submission of a per-job cluster.
    pub(crate) submission: SubmissionRecord,
    /// It is still being read, and comes with [`Event::Earlier`].
    pub(crate) reading: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Controller {
    session: RmSession,
    job_manager: JobManager,
    /// While the session of an earlier JobManager is being read: what comes from the JobManager, which is
    /// told the session as soon as it is connected.
    held_back: Option<Vec<Event>>,
    allocation: Allocation,
    /// Only in a per-job cluster.
    per_job: Option<PerJob>,
    archive_container: ArchiveContainer,
    /// Only with Kerberos.
    tokens: Option<DelegationTokens>,
    waits: Waits,
    diagnostics: Diagnostics,
}

impl Controller {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let Settings { mode, pace, early, ask_ahead, naming, high_availability, tokens } = settings;
        let restarts = high_availability.is_some();
        let reading = high_availability.as_ref().is_some_and(|earlier| earlier.reading);
        let (zookeeper, record) =
            high_availability.map(|earlier| (earlier.session, earlier.submission)).unzip();
        let mut per_job = (mode == ClusterMode::PerJob).then(|| PerJob::new(record));
        if reading {
            per_job.iter_mut().for_each(PerJob::await_record);
        }
        let waits = Waits::new(naming.label.clone());
        Self {
            session: RmSession::new(pace, early, now),
            job_manager: JobManager::new(restarts, zookeeper.flatten(), now),
            held_back: reading.then(Vec::new),
            allocation: Allocation::new(mode, ask_ahead, naming),
            per_job,
            archive_container: ArchiveContainer::new(),
            tokens: tokens.map(|held| DelegationTokens::new(held, now)),
            waits,
            diagnostics: Diagnostics::default(),
        }
    }

    /// Whether the application is registered with YARN.
    pub(crate) fn is_registered(&self) -> bool {
        self.session.is_registered()
    }

    /// Containers in which something of ours runs: to be stopped at the end.
    pub(crate) fn started(&self) -> Vec<ContainerId> {
        self.allocation.started()
    }

    /// When [`Controller::tick`] is due.
    pub(crate) fn wake(&self) -> Instant {
        let per_job = self.per_job.as_ref().and_then(PerJob::wake);
        let tokens = self.tokens.as_ref().and_then(DelegationTokens::wake);
        let (archive_container, waits) = (self.archive_container.wake(), self.waits.wake());
        let timers =
            [self.job_manager.wake(), self.allocation.wake(), per_job, archive_container, tokens, waits];
        timers.into_iter().flatten().fold(self.session.wake(self.demand()), Instant::min)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Output {
        let mut output = Output::default();
        let out = &mut output;
        self.per_job.iter_mut().for_each(|per_job| per_job.tick(now, out));
        self.session_step(RmSessionInput::Tick, now, out);
        self.allocation.step(AllocationInput::Tick, now, out);
        self.settle(now, out);
        let due = self.session.call(self.demand(), now);
        due.into_iter().for_each(|effect| self.session_effect(effect, now, out));
        output
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) -> Output {
        let mut output = Output::default();
        self.take_in(event, now, &mut output);
        self.settle(now, &mut output);
        output
    }

    fn take_in(&mut self, event: Event, now: Instant, out: &mut Output) {
        if let (Some(held_back), Event::Bridge { .. } | Event::JobManagerEnded { .. }) =
            (&mut self.held_back, &event)
        {
            held_back.push(event);
            return;
        }
        match event {
            // What an earlier JVM of the JobManager has said or done counts no more.
            Event::Bridge { generation, .. } | Event::JobManagerEnded { generation, .. }
                if generation != self.job_manager.generation() => {}
            Event::Bridge { event: BridgeEvent::Line(message), .. } => {
                self.job_manager_message(message, now, out);
            }
            Event::Bridge { event: BridgeEvent::Closed(why), .. } => {
                self.tokens_step(TokensInput::JobManagerGone, now, out);
                self.job_manager_step(JobManagerInput::Disconnected { why }, now, out);
            }
            Event::JobManagerEnded { end, .. } => {
                self.tokens_step(TokensInput::JobManagerGone, now, out);
                self.job_manager_step(JobManagerInput::Ended(end), now, out);
            }
            Event::Control(event) => {
                if matches!(event, ControlEvent::Lost(_)) {
                    self.session_step(RmSessionInput::ContainerSuspected, now, out);
                }
                self.allocation.step(AllocationInput::Taskrunner(event), now, out);
            }
            Event::Registered(answer) => self.session_step(RmSessionInput::Registered(answer), now, out),
            Event::Nodes(nodes) => {
                self.waits.listed(&nodes, now);
                self.send_heartbeat(&nodes, out);
            }
            Event::HeartbeatAnswered { sent, answer } => {
                self.session_step(RmSessionInput::HeartbeatAnswered { sent, answer }, now, out);
            }
            Event::StartAccepted(container) => {
                self.allocation.step(AllocationInput::StartAccepted(container), now, out);
            }
            Event::StartFailed(container, why) => {
                self.allocation.step(AllocationInput::StartFailed(container, why), now, out);
            }
            Event::Submission(input) => {
                if let Some(per_job) = &mut self.per_job {
                    per_job.step(input, now, out);
                }
            }
            Event::Archive(request) => self.archive_container.request(request),
            Event::Earlier(Earlier::Session(session)) => {
                self.job_manager.earlier_session(session);
                for event in self.held_back.take().into_iter().flatten() {
                    self.take_in(event, now, out);
                }
            }
            Event::Earlier(Earlier::Submission(record)) => {
                if let Some(per_job) = &mut self.per_job {
                    per_job.record_read(record, now, out);
                }
            }
            Event::TokensInUse(answer) => self.tokens_step(TokensInput::InUse(answer), now, out),
            Event::Terminated => out.act(Action::End(Cause::Terminated)),
            Event::Internal(why) => out.act(Action::End(Cause::Internal(why))),
        }
    }
}

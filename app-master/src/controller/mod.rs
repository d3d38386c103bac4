//! The controller: everything that the running ApplicationMaster decides. It is composed of machines that do
//! not know each other, and hands what one of them says to those whom it concerns. Nothing is done here: a
//! step gives the actions to be done and the observations to be told. The time is an argument.
//!
//! ```text
//! JobManager ──► job_manager ─────────┐
//! ResourceManager ──► rm_session ─────┼──► Controller ──► actions ──► am::effects
//! taskrunners ──► allocation (ledger) ┤                └─► observations ──► log, timeline, diagnostics
//! client ──► submission ──────────────┤
//! archives ──► cds::container_request ┘
//! ```

pub(crate) mod allocation;
pub(crate) mod diagnostics;
pub(crate) mod end;
pub(crate) mod event;
mod job_manager;
pub(crate) mod observation;
pub(crate) mod placement;
pub(crate) mod rm_session;
mod submission;
#[cfg(test)]
mod tests;

use flink_model::spec::ClusterMode;
use tokio::time::Instant;
use yarn_api::records::{FinalStatus, NodeReport};

use crate::bridge::{BridgeEvent, FromJvm, Status};
use crate::cds::container_request::{BuilderRequest, ContainerRequest, Workers};
use crate::control::ControlEvent;
use crate::ledger::types::{Beat, Completed, Order, Outgoing, Profile, Worker};
use crate::submission::attendance::Losses;
use allocation::{Allocation, AskAhead, Input as AllocationInput};
use diagnostics::Diagnostics;
use event::{Action, BeatAnswer, Cause, Event, Heartbeat, Output, Web};
use job_manager::{Effect as JobManagerEffect, Input as JobManagerInput, JobManager};
use observation::Observation;
use placement::Naming;
use rm_session::{Demand, Effect as SessionEffect, Input as SessionInput, Pace, RmSession};
use submission::PerJob;

/// What a controller is made for.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) mode: ClusterMode,
    pub(crate) pace: Pace,
    /// Register before the JobManager is ready, with the web interface that it is going to have.
    pub(crate) early: Option<Web>,
    pub(crate) ask_ahead: Option<AskAhead>,
    pub(crate) naming: Naming,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Controller {
    session: RmSession,
    job_manager: JobManager,
    allocation: Allocation,
    per_job: Option<PerJob>,
    cds_container: ContainerRequest,
    diagnostics: Diagnostics,
    /// What the client of a per-job cluster was told of kills for memory.
    losses: Losses,
}

impl Controller {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let Settings { mode, pace, early, ask_ahead, naming } = settings;
        Self {
            session: RmSession::new(pace, early, now),
            job_manager: JobManager::default(),
            allocation: Allocation::new(mode, ask_ahead, naming),
            per_job: (mode == ClusterMode::PerJob).then(PerJob::default),
            cds_container: ContainerRequest::new(),
            diagnostics: Diagnostics::default(),
            losses: Losses::default(),
        }
    }

    /// Whether YARN knows us.
    pub(crate) fn is_registered(&self) -> bool {
        self.session.is_registered()
    }

    /// Containers in which something of ours runs, for the end.
    pub(crate) fn started(&self) -> Vec<Worker> {
        self.allocation.started()
    }

    /// When [`Controller::tick`] is due.
    pub(crate) fn wake(&self) -> Instant {
        let per_job = self.per_job.as_ref().and_then(PerJob::wake);
        let timers = [self.job_manager.wake(), self.allocation.wake(), per_job, self.cds_container.wake()];
        timers.into_iter().flatten().fold(self.session.wake(self.demand()), Instant::min)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Output {
        let mut output = Output::default();
        let out = &mut output;
        if let Some(per_job) = &mut self.per_job {
            per_job.tick(now, out);
        }
        self.session_step(SessionInput::Tick, now, out);
        self.allocation.step(AllocationInput::Tick, now, out);
        self.settle(now, out);
        for effect in self.session.call(self.demand(), now) {
            self.session_effect(effect, now, out);
        }
        output
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) -> Output {
        let mut output = Output::default();
        let out = &mut output;
        match event {
            Event::Bridge(BridgeEvent::Line(message)) => self.job_manager_said(message, now, out),
            Event::Bridge(BridgeEvent::Closed(why)) => {
                out.observe(Observation::JobManagerDisconnected { why });
                self.job_manager_step(JobManagerInput::Disconnected, now, out);
            }
            Event::JobManagerEnded(end) => self.job_manager_step(JobManagerInput::Ended(end), now, out),
            Event::Control(event) => {
                if matches!(event, ControlEvent::Lost(_)) {
                    self.session_step(SessionInput::ContainerSuspected, now, out);
                }
                self.allocation.step(AllocationInput::Taskrunner(event), now, out);
            }
            Event::Registered(answer) => self.session_step(SessionInput::Registered(answer), now, out),
            Event::Nodes(nodes) => self.heartbeat(&nodes, out),
            Event::Beat { sent, answer } => {
                self.session_step(SessionInput::Heartbeat { sent, answer }, now, out);
            }
            Event::StartAccepted(container) => out.observe(Observation::StartAccepted { container }),
            Event::StartFailed(container, why) => {
                self.allocation.step(AllocationInput::StartFailed(container, why), now, out);
            }
            Event::Submission(input) => {
                if let Some(per_job) = &mut self.per_job {
                    per_job.step(input, now, out);
                }
            }
            Event::Archive(BuilderRequest::Container(memory_mb)) => self.cds_container.want(memory_mb),
            Event::Archive(BuilderRequest::GiveBack) => self.cds_container.give_back(),
            Event::Terminated => out.act(Action::End(Cause::Terminated)),
            Event::Internal(why) => out.act(Action::End(Cause::Internal(why))),
        }
        self.settle(now, out);
        output
    }

    fn job_manager_said(&mut self, message: FromJvm, now: Instant, out: &mut Output) {
        let input = match message {
            FromJvm::Hello { flink, pid, .. } => {
                out.observe(Observation::JobManagerConnected { flink, pid });
                return self.job_manager_step(JobManagerInput::Connected, now, out);
            }
            FromJvm::Ready { rest, rpc } => return self.ready(rest.unwrap_or_default(), rpc, now, out),
            FromJvm::Deregister { status, diagnostics } => {
                let input = JobManagerInput::Deregister(final_status(status), diagnostics);
                return self.job_manager_step(input, now, out);
            }
            FromJvm::Failure { what, trace } => {
                let text = diagnostics::failure(&what, &trace);
                return out.observe(Observation::JobManagerFailure { text });
            }
            FromJvm::Unknown => return out.observe(Observation::UnknownMessage),
            FromJvm::Request { id, memory_mb, vcores, resources, jvm_args, args } => {
                let size = Profile { memory_mb, vcores, resources };
                AllocationInput::Request { id, size, order: Order { jvm_args, args } }
            }
            FromJvm::Cancel { id } => AllocationInput::Cancel(id),
            FromJvm::Launch { id, worker } => AllocationInput::Launch { id, container: Worker::new(worker) },
            FromJvm::Release { worker } => AllocationInput::Release(Worker::new(worker)),
        };
        self.allocation.step(input, now, out);
    }

    fn ready(&mut self, rest: String, rpc: String, now: Instant, out: &mut Output) {
        if let Some(per_job) = &mut self.per_job {
            per_job.ready(&rest, now, out);
        }
        out.observe(Observation::JobManagerReady { rest: rest.clone(), rpc });
        self.job_manager_step(JobManagerInput::Ready, now, out);
        let registered = self.session.is_registered();
        self.session_step(SessionInput::JobManagerReady(Web::at(rest)), now, out);
        if registered {
            // There was no JobManager to hear of the registration, or this one leads again.
            self.allocation.welcome(out);
        }
    }

    fn job_manager_step(&mut self, input: JobManagerInput, now: Instant, out: &mut Output) {
        match self.job_manager.step(input, now) {
            None => {}
            Some(JobManagerEffect::FirstReady) => {
                self.allocation.step(AllocationInput::JobManagerReady, now, out);
            }
            Some(JobManagerEffect::Kill) => out.act(Action::KillJobManager),
            Some(JobManagerEffect::Ended(end)) => {
                let decided = self.per_job.as_ref().and_then(PerJob::decided);
                let cause = decided.unwrap_or_else(|| Cause::JobManagerEnded(self.diagnostics.for_end(&end)));
                out.act(Action::End(cause));
            }
            Some(JobManagerEffect::Deregistered(status, flinks)) => {
                let diagnostics = self.diagnostics.for_status(status, &flinks);
                let (status, diagnostics) = match &self.per_job {
                    Some(per_job) => per_job.deregistered(status, diagnostics),
                    None => (status, diagnostics),
                };
                let diagnostics = self.diagnostics.with_memory(diagnostics);
                out.act(Action::End(Cause::Deregistered { status, diagnostics }));
            }
        }
    }

    fn session_step(&mut self, input: SessionInput, now: Instant, out: &mut Output) {
        for effect in self.session.step(input, now) {
            self.session_effect(effect, now, out);
        }
    }

    fn session_effect(&mut self, effect: SessionEffect, now: Instant, out: &mut Output) {
        match effect {
            SessionEffect::Register(web) => out.act(Action::Register(web)),
            SessionEffect::Heartbeat if self.allocation.needs_nodes(&self.outgoing()) => {
                out.act(Action::ListNodes);
            }
            SessionEffect::Heartbeat => self.heartbeat(&[], out),
            SessionEffect::Registered(mut registration) => {
                self.cds_container.strays(std::mem::take(&mut registration.strays));
                self.allocation.step(AllocationInput::Registered(registration), now, out);
                if self.job_manager.is_ready() {
                    self.allocation.welcome(out);
                }
            }
            SessionEffect::RegisteredAgain(maximum) => {
                self.allocation.step(AllocationInput::RegisteredAgain(maximum), now, out);
                self.cds_container.forgotten();
            }
            SessionEffect::Answered { sent, certain, answer } => {
                self.answered(sent, certain, answer, now, out)
            }
            SessionEffect::AsksRefused { sent, why } if ContainerRequest::is_ask(&sent.asks) => {
                self.cds_container.refused(&why);
            }
            SessionEffect::AsksRefused { sent, why } => {
                self.allocation.step(AllocationInput::AsksRefused { sent, why }, now, out);
            }
            SessionEffect::RepeatOpen => self.allocation.step(AllocationInput::RepeatOpen, now, out),
            SessionEffect::End(cause) => out.act(Action::End(cause)),
            SessionEffect::Observe(observation) => out.observe(observation),
        }
    }

    /// An answer of the ResourceManager: each container to whom it belongs.
    fn answered(
        &mut self,
        sent: Outgoing,
        certain: bool,
        answer: BeatAnswer,
        now: Instant,
        out: &mut Output,
    ) {
        let BeatAnswer { granted, completed, late, strays, .. } = answer;
        self.cds_container.answered(&sent, certain);
        let (for_cds, granted): (Vec<_>, Vec<_>) = granted.into_iter().partition(ContainerRequest::is_for);
        for_cds.into_iter().for_each(|grant| self.cds_container.granted(grant.worker, now));
        let keep = |completed: Completed| {
            let container = completed.worker.clone();
            let other = self.cds_container.completed(completed);
            if other.is_none() {
                out.act(Action::Forget(container));
            }
            other
        };
        let completed = completed.into_iter().filter_map(keep).collect();
        let beat = Beat { sent, certain, granted, completed };
        self.allocation.step(AllocationInput::Answered(beat), now, out);
        self.cds_container.strays(strays);
        self.allocation.step(AllocationInput::Late(late), now, out);
    }

    /// Whatever has happened, this follows from it.
    fn settle(&mut self, now: Instant, out: &mut Output) {
        self.look_after_cds_container(now, out);
        self.diagnostics.hear(&out.observations);
        let awaits_reasons = self.allocation.awaits_reasons();
        let losses = Losses { awaits: awaits_reasons, text: self.diagnostics.memory().unwrap_or_default() };
        if losses != self.losses {
            self.losses = losses.clone();
            out.act(Action::Losses(losses));
        }
        self.job_manager_step(JobManagerInput::Tick { awaits_reasons }, now, out);
    }

    /// Asks for the container for class data archives, or gives it up, by what the TaskManagers need.
    fn look_after_cds_container(&mut self, now: Instant, out: &mut Output) {
        if self.cds_container.is_idle() {
            return;
        }
        let counts = self.allocation.counts();
        let workers = Workers { waiting: counts.asked > 0, starting: counts.starting > 0 };
        let asked = self.cds_container.is_busy();
        for event in self.cds_container.tick(workers, self.session.largest(), now) {
            out.act(Action::Archive(event));
        }
        if self.cds_container.is_busy() && !asked {
            out.observe(Observation::ArchiveContainerAsked);
        }
    }

    fn outgoing(&self) -> Outgoing {
        let mut outgoing = self.allocation.outgoing();
        self.cds_container.add_to(&mut outgoing);
        outgoing
    }

    fn demand(&self) -> Demand {
        if self.outgoing() != Outgoing::default() {
            Demand::News
        } else if self.allocation.is_busy() || self.cds_container.is_busy() {
            Demand::Answers
        } else {
            Demand::Nothing
        }
    }

    fn heartbeat(&mut self, nodes: &[NodeReport], out: &mut Output) {
        let sent = self.outgoing();
        let requests = self.allocation.requests(&sent, nodes);
        // Flink's own ApplicationMaster always says that it is done. Ours says so once its JobManager is
        // ready: clients may see it running before, and know by this when they can expect an answer.
        let progress = if self.job_manager.is_ready() { 1.0 } else { 0.0 };
        out.act(Action::Beat(Heartbeat { sent, requests, progress }));
    }
}

fn final_status(status: Status) -> FinalStatus {
    match status {
        Status::Succeeded => FinalStatus::Succeeded,
        Status::Failed => FinalStatus::Failed,
        Status::Killed => FinalStatus::Killed,
        Status::Undefined => FinalStatus::Undefined,
    }
}

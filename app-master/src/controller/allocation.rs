//! The TaskManagers' containers: what is asked for, on which nodes, what is started, and when it is hopeless
//! to go on. The [`Ledger`] keeps the books; what stands around it is here. Pure: the time is an argument.

use std::time::Duration;

use flink_model::spec::ClusterMode;
use taskrunner::cause::ExitCause;
use tokio::time::Instant;
use yarn_api::records::{NodeReport, ResourceRequest};

use super::event::{Action, Cause, Output, Registration};
use super::observation::Observation;
use super::placement::{Naming, Placement};
use crate::bridge::{ToJvm, WorkerInfo};
use crate::control::ControlEvent;
use crate::ledger::types::{Beat, Effect, Input as LedgerInput, Order, Outgoing, Place, Profile, Worker};
use crate::ledger::{Counts, Ledger, REPORT_WAIT};

/// How long requests may be refused before the application ends; Flink asks again every few seconds.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// TaskManagers that are asked for before Flink requests them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AskAhead {
    /// How large they are.
    pub(crate) size: Profile,
    /// How many.
    pub(crate) count: u32,
    /// How long those that Flink does not request are kept once the JobManager is ready.
    pub(crate) keep: Duration,
}

/// What happens to the containers.
#[derive(Debug)]
pub(super) enum Input {
    /// The application is registered.
    Registered(Registration),
    /// It is registered again; the largest container.
    RegisteredAgain(Profile),
    /// The JobManager can be used for the first time.
    JobManagerReady,
    /// Flink requests a TaskManager.
    Request { id: u64, size: Profile, order: Order },
    /// Flink no longer wants it.
    Cancel(u64),
    /// Flink expects the TaskManager in the container that answers its request.
    Launch { id: u64, container: Worker },
    /// Flink gives a container back.
    Release(Worker),
    /// A heartbeat was answered.
    Answered(Beat),
    /// Containers of an earlier attempt that the ResourceManager learned of too late for Flink to take them.
    Late(Vec<(Worker, Place)>),
    /// The asks of a heartbeat were refused, and would be again.
    AsksRefused { sent: Outgoing, why: String },
    /// Repeat what is open.
    RepeatOpen,
    /// A container could not be started.
    StartFailed(Worker, String),
    /// A taskrunner tells something.
    Taskrunner(ControlEvent),
    /// Time has passed.
    Tick,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Allocation {
    ledger: Ledger,
    placement: Placement,
    maximum: Profile,
    /// Jobs come and go, and do not end the application.
    session: bool,
    ask_ahead: Option<AskAhead>,
    /// When containers that were asked for ahead, and are not wanted, go back.
    ask_ahead_until: Option<Instant>,
    /// Every request has been refused since then.
    refused_since: Option<Instant>,
    /// Until when YARN's reason for the end of a container is waited for; the earliest first.
    reasons_until: Vec<(Instant, Worker)>,
}

impl Allocation {
    pub(super) fn new(mode: ClusterMode, ask_ahead: Option<AskAhead>, naming: Naming) -> Self {
        Self {
            ledger: Ledger::new(),
            placement: Placement::new(naming),
            maximum: Profile::default(),
            session: mode == ClusterMode::Session,
            ask_ahead,
            ask_ahead_until: None,
            refused_since: None,
            reasons_until: Vec::new(),
        }
    }

    /// Containers in which something of ours runs: to be stopped at the end.
    pub(super) fn started(&self) -> Vec<Worker> {
        self.ledger.started()
    }

    /// How many containers there are, by what they do.
    pub(super) fn counts(&self) -> Counts {
        self.ledger.counts()
    }

    /// Whether YARN has not yet said why a container ended.
    pub(super) fn awaits_reasons(&self) -> bool {
        self.ledger.awaits_reasons()
    }

    /// Whether an answer that brings something is expected soon.
    pub(super) fn is_busy(&self) -> bool {
        self.ledger.is_busy()
    }

    /// What the next heartbeat has to carry.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.ledger.outgoing()
    }

    /// Whether the nodes of the cluster have to be known before these asks are sent.
    pub(super) fn needs_nodes(&self, outgoing: &Outgoing) -> bool {
        self.placement.needs_nodes(&outgoing.asks)
    }

    /// The asks as YARN takes them. `nodes`: those of the cluster, as far as they are known.
    pub(super) fn requests(&mut self, outgoing: &Outgoing, nodes: &[NodeReport]) -> Vec<ResourceRequest> {
        self.placement.requests(&outgoing.asks, nodes)
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        let reason = self.reasons_until.first().map(|(at, _)| *at);
        [self.ask_ahead_until, reason].into_iter().flatten().min()
    }

    /// What a JobManager is told once the application is registered.
    pub(super) fn welcome(&self, out: &mut Output) {
        let Profile { memory_mb, vcores, resources } = self.maximum.clone();
        out.act(Action::Tell(ToJvm::Registered { max_memory_mb: memory_mb, max_vcores: vcores, resources }));
        let live = self.ledger.live();
        let workers = live.iter().map(|(container, node)| worker_info(container, node)).collect();
        out.act(Action::Tell(ToJvm::Previous { workers }));
    }

    /// One step.
    pub(super) fn step(&mut self, input: Input, now: Instant, out: &mut Output) {
        match input {
            Input::Registered(registration) => self.registered(registration, now, out),
            Input::RegisteredAgain(maximum) => {
                self.set_maximum(maximum, now, out);
                self.apply(LedgerInput::Resync, now, out);
            }
            Input::JobManagerReady => {
                self.ask_ahead_until = self.ask_ahead.as_ref().map(|ahead| now + ahead.keep);
            }
            Input::Request { id, size, order } => self.request(id, size, order, now, out),
            Input::Cancel(id) => {
                out.observe(Observation::Cancelled { request: id });
                self.apply(LedgerInput::Cancel(id), now, out);
            }
            Input::Launch { id, container } => {
                self.apply(LedgerInput::Launch { id, worker: container }, now, out);
            }
            Input::Release(container) => self.apply(LedgerInput::Release(container), now, out),
            Input::Answered(beat) => self.answered(beat, now, out),
            Input::Late(containers) => {
                for (container, node) in containers {
                    self.apply(LedgerInput::Recovered(vec![(container.clone(), node)]), now, out);
                    self.apply(LedgerInput::Release(container), now, out);
                }
            }
            Input::AsksRefused { sent, why } => self.asks_refused(sent, &why, now, out),
            Input::RepeatOpen => self.apply(LedgerInput::Refresh, now, out),
            Input::StartFailed(container, why) => {
                let host = self.host(&container);
                out.observe(Observation::StartFailed {
                    container: container.clone(),
                    host,
                    why: why.clone(),
                });
                self.apply(LedgerInput::StartFailed(container, why), now, out);
            }
            Input::Taskrunner(event) => self.taskrunner(event, now, out),
            Input::Tick => self.tick(now, out),
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Output) {
        if self.ask_ahead_until.take_if(|at| now >= *at).is_some() {
            self.apply(LedgerInput::PrewarmOver, now, out);
        }
        let due = self.reasons_until.partition_point(|(at, _)| now >= *at);
        let over: Vec<_> = self.reasons_until.drain(..due).collect();
        for (_, container) in over {
            self.apply(LedgerInput::ReportWaitOver(container), now, out);
        }
    }

    fn host(&self, container: &Worker) -> Option<String> {
        self.ledger.host(container).map(str::to_owned)
    }

    fn set_maximum(&mut self, maximum: Profile, now: Instant, out: &mut Output) {
        self.maximum = maximum.clone();
        self.apply(LedgerInput::Maximum(maximum), now, out);
    }

    fn registered(&mut self, registration: Registration, now: Instant, out: &mut Output) {
        self.set_maximum(registration.maximum, now, out);
        let first = registration.previous.is_empty();
        self.apply(LedgerInput::Recovered(registration.previous), now, out);
        // The containers of an earlier attempt are those that Flink will want.
        if let Some(AskAhead { size, count, .. }) = self.ask_ahead.clone().filter(|_| first) {
            out.observe(Observation::AskedAhead { count, size: size.clone() });
            self.apply(LedgerInput::Prewarm { profile: size, count }, now, out);
        }
    }

    fn request(&mut self, id: u64, size: Profile, order: Order, now: Instant, out: &mut Output) {
        out.observe(Observation::Requested { request: id, size: size.clone() });
        let refusal = self.ledger.refusal(&size);
        self.apply(LedgerInput::Request { id, profile: size, order }, now, out);
        // A session serves other jobs, too: there only this job fails, for want of slots.
        if let Some(reason) = refusal.filter(|_| !self.session) {
            self.refused(&reason, now, out);
        }
    }

    fn answered(&mut self, beat: Beat, now: Instant, out: &mut Output) {
        if !beat.granted.is_empty() || beat.sent.asks.iter().any(|ask| ask.count > 0) {
            self.refused_since = None;
        }
        for grant in &beat.granted {
            if let Some(node) = self.placement.granted(grant) {
                out.observe(Observation::NodeGaveTooMuch { node });
            }
        }
        self.apply(LedgerInput::Beat(beat), now, out);
    }

    fn asks_refused(&mut self, sent: Outgoing, why: &str, now: Instant, out: &mut Output) {
        let asks = sent.asks.iter().filter(|ask| ask.count > 0);
        let sizes: Vec<String> = asks.map(|ask| ask.profile.to_string()).collect();
        self.apply(LedgerInput::AsksRefused { sent: sent.asks, reason: why.to_owned() }, now, out);
        if sizes.is_empty() {
            return out.observe(Observation::CancellationRefused { why: why.to_owned() });
        }
        self.refused(&format!("YARN refuses TaskManagers of {}: {why}", sizes.join(" and of ")), now, out);
    }

    /// A request is refused, and would be again. Flink asks anew for ever; where there is no TaskManager, and
    /// none comes for a while, the application ends with the reason.
    fn refused(&mut self, reason: &str, now: Instant, out: &mut Output) {
        let since = *self.refused_since.get_or_insert(now);
        let counts = self.ledger.counts();
        if now - since >= REFUSAL_PATIENCE && counts.running + counts.starting == 0 {
            out.act(Action::End(Cause::Hopeless(format!("No TaskManager can be had: {reason}"))));
        }
    }

    fn taskrunner(&mut self, event: ControlEvent, now: Instant, out: &mut Output) {
        match event {
            ControlEvent::Connected { worker, ordered } => {
                out.observe(Observation::TaskrunnerConnected { container: worker.clone(), ordered });
                self.apply(LedgerInput::Connected(worker.clone()), now, out);
                if !ordered && !self.ledger.is_warm(&worker) {
                    let reason = "this ApplicationMaster has no order for it, and it has no JVM".to_owned();
                    out.act(Action::Stop { container: worker, reason, started: false });
                }
            }
            ControlEvent::Started { worker, pid } => {
                out.observe(Observation::TaskManagerStarted { container: worker, pid });
            }
            ControlEvent::Signalled(worker) => {
                out.observe(Observation::Signalled { container: worker.clone() });
                self.apply(LedgerInput::Signalled(worker), now, out);
            }
            ControlEvent::Exited { worker, report } => {
                out.observe(Observation::TaskManagerEnded {
                    container: worker.clone(),
                    host: self.host(&worker),
                    summary: report.summary.clone(),
                    at_start: report.launch_failed || (report.unregistered && !report.may_be_yarns_kill()),
                });
                self.apply(LedgerInput::Exited(worker, report), now, out);
            }
            ControlEvent::Lost(worker) => out.observe(Observation::TaskrunnerLost { container: worker }),
        }
    }

    fn apply(&mut self, input: LedgerInput, now: Instant, out: &mut Output) {
        for effect in self.ledger.step(input) {
            match effect {
                Effect::Allocated { id, worker, place } => {
                    out.act(Action::Tell(ToJvm::Allocated { id, worker: worker_info(&worker, &place) }));
                    out.observe(Observation::Granted { request: Some(id), container: worker, node: place });
                }
                Effect::Failed { id, reason } => {
                    out.observe(Observation::Refused { request: id, reason: reason.clone() });
                    out.act(Action::Tell(ToJvm::Failed { id, reason }));
                }
                Effect::Terminated { worker, reason, cause } => ended(worker, reason, cause, false, out),
                // Flink does not count on it any more; it is told for the JobManager's log.
                Effect::Explained { worker, reason, cause } => ended(worker, reason, cause, true, out),
                Effect::Warm { worker, place } => {
                    let container = worker.clone();
                    out.observe(Observation::Granted { request: None, container, node: place });
                    out.act(Action::Start(worker));
                }
                Effect::Launch { worker, order, started } => {
                    out.observe(Observation::Launching { container: worker.clone(), warm: started });
                    out.act(Action::Launch(worker.clone(), order));
                    if !started {
                        out.act(Action::Start(worker));
                    }
                }
                Effect::Stop { worker, reason, started } => {
                    out.observe(Observation::Stopping { container: worker.clone(), reason: reason.clone() });
                    out.act(Action::Stop { container: worker, reason, started });
                }
                Effect::AwaitCompletion(worker) => self.reasons_until.push((now + REPORT_WAIT, worker)),
                Effect::Forget { worker, cause } => {
                    out.observe(Observation::ContainerGone { container: worker.clone(), cause });
                    out.act(Action::Forget(worker));
                }
            }
        }
    }
}

fn ended(container: Worker, reason: String, cause: Box<ExitCause>, explained: bool, out: &mut Output) {
    out.act(Action::Tell(ToJvm::Terminated { worker: container.to_string(), reason: reason.clone() }));
    out.observe(Observation::ContainerEnded { container, reason, cause, explained });
}

fn worker_info(container: &Worker, node: &Place) -> WorkerInfo {
    WorkerInfo { worker: container.to_string(), node: node.to_string(), host: node.host.clone() }
}

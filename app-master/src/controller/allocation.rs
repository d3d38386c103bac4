//! The containers of TaskManagers: what YARN is asked for, on which nodes, what is started, and when the
//! application ends because YARN grants nothing. The [`Ledger`] keeps account of the containers; this machine
//! gives it the time, turns its effects into actions and observations, and chooses the nodes. Pure: the time
//! is an argument.

use std::time::Duration;

use flink_model::spec::ClusterMode;
use taskrunner::cause::{ExitCause, Fault};
use tokio::time::Instant;
use yarn_api::records::{ContainerId, NodeId, NodeReport, ResourceRequest};

use super::event::{Action, Cause, ClusterNews, Output, Registration};
use super::nodes::{Failure, Nodes};
use super::observation::Observation;
use super::placement::{Naming, Placement};
use crate::bridge::{ToJvm, WorkerInfo};
use crate::control::ControlEvent;
use crate::ledger::types::{
    AnsweredHeartbeat, LedgerEffect, LedgerInput, Outgoing, Profile, TaskManagerArguments,
};
use crate::ledger::{Counts, Ledger, PARK_WAIT, REPORT_WAIT};

/// How long requests may be refused before the application ends; Flink asks again every few seconds.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// How often the taskrunners of spares hear that their launch command may come later. They give up after a
/// minute without a word, which is no reason to lose them only because the JobManager starts slowly.
const REMINDER: Duration = Duration::from_secs(20);
/// How long they hear it. A JobManager that is not ready by then may never be, for example because it cannot
/// become leader, and the containers are of more use to others.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

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

/// What happens to the containers of TaskManagers.
#[derive(Debug)]
pub(super) enum AllocationInput {
    /// The application is registered.
    Registered(Registration),
    /// It is registered again. The argument is the largest container.
    RegisteredAgain(Profile),
    /// The JobManager can be used for the first time.
    JobManagerReady,
    /// The JobManager is gone: what it has requested is void, its TaskManagers stay for the next one.
    JobManagerLost,
    /// Flink requests a TaskManager.
    Request { id: u64, size: Profile, arguments: TaskManagerArguments },
    /// Flink no longer wants it.
    Cancel(u64),
    /// Flink expects the TaskManager in the container that answers its request.
    Launch { id: u64, container: ContainerId },
    /// Flink gives a container back.
    Release(ContainerId),
    /// What the ResourceManager tells of the cluster, before the heartbeat that it came with.
    News(ClusterNews),
    /// A heartbeat was answered.
    HeartbeatAnswered(AnsweredHeartbeat),
    /// Containers of earlier attempts of which the ResourceManager has learned only now: their NodeManagers
    /// were away. `served`: the JobManager has been told already which TaskManagers there are.
    Late { containers: Vec<(ContainerId, NodeId)>, served: bool },
    /// The asks of a heartbeat were refused, and would be refused again.
    AsksRefused { sent: Outgoing, why: String },
    /// Repeat what is open, in case a message was lost.
    RepeatOpen,
    /// The NodeManager starts the container.
    StartAccepted(ContainerId),
    /// A container could not be started.
    StartFailed(ContainerId, String),
    /// From a taskrunner.
    Taskrunner(ControlEvent),
    /// Time has passed.
    Tick,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Allocation {
    ledger: Ledger,
    placement: Placement,
    nodes: Nodes,
    maximum: Profile,
    /// Jobs come and go, and do not end the application.
    session: bool,
    ask_ahead: Option<AskAhead>,
    /// When containers that were asked for ahead, and that Flink has not requested, go back.
    ask_ahead_until: Option<Instant>,
    /// When the taskrunners of spares hear again that their launch command may come later; none where there
    /// are no such taskrunners, or once the JobManager is ready.
    remind_at: Option<Instant>,
    /// After this time they hear no more, and give their containers back.
    remind_until: Option<Instant>,
    job_manager_ready: bool,
    /// Since when YARN has refused every request.
    refused_since: Option<Instant>,
    /// Until when YARN's reason for the end of a container is waited for; the earliest first.
    reasons_until: Vec<(Instant, ContainerId)>,
    /// Until when taskrunners wait whose containers the ResourceManager has not named; the earliest first.
    parked_until: Vec<(Instant, ContainerId)>,
    /// Containers of earlier attempts that the JobManager has not been told of yet.
    adopted: Vec<WorkerInfo>,
}

impl Allocation {
    pub(super) fn new(mode: ClusterMode, ask_ahead: Option<AskAhead>, naming: Naming) -> Self {
        Self {
            ledger: Ledger::new(),
            nodes: Nodes::new(naming.with_port),
            placement: Placement::new(naming),
            maximum: Profile::default(),
            session: mode == ClusterMode::Session,
            ask_ahead,
            ask_ahead_until: None,
            remind_at: None,
            remind_until: None,
            job_manager_ready: false,
            refused_since: None,
            reasons_until: Vec::new(),
            parked_until: Vec::new(),
            adopted: Vec::new(),
        }
    }

    /// Containers in which something of ours runs: to be stopped at the end.
    pub(super) fn started(&self) -> Vec<ContainerId> {
        self.ledger.started()
    }

    /// Of each size how many containers are asked for and not granted.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Profile, u32)> {
        self.ledger.open()
    }

    /// How many containers there are, by what they do.
    pub(super) fn counts(&self) -> Counts {
        self.ledger.counts()
    }

    /// Whether YARN has not yet said why a container ended.
    pub(super) fn is_reason_pending(&self) -> bool {
        self.ledger.is_reason_pending()
    }

    /// Whether an answer that brings something is expected soon.
    pub(super) fn is_busy(&self) -> bool {
        self.ledger.is_busy()
    }

    /// What the next heartbeat has to carry.
    pub(super) fn outgoing(&self) -> Outgoing {
        Outgoing { avoidance: self.nodes.outgoing(), ..self.ledger.outgoing() }
    }

    /// Whether the nodes of the cluster have to be known before these asks are sent.
    pub(super) fn needs_nodes(&self, outgoing: &Outgoing) -> bool {
        self.placement.needs_nodes(&outgoing.asks)
    }

    /// The asks as YARN takes them. `nodes`: those of the cluster, as far as they are known.
    pub(super) fn requests(&mut self, outgoing: &Outgoing, nodes: &[NodeReport]) -> Vec<ResourceRequest> {
        self.placement.requests(&outgoing.asks, nodes, |name| self.nodes.is_avoided(name))
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        let first = |times: &[(Instant, ContainerId)]| times.first().map(|(at, _)| *at);
        let waits = [first(&self.reasons_until), first(&self.parked_until)];
        let times = [self.ask_ahead_until, self.remind_at, self.nodes.wake()];
        times.into_iter().chain(waits).flatten().min()
    }

    /// Tells the JobManager that the application is registered, and which TaskManagers there are already.
    pub(super) fn tell_registered(&self, out: &mut Output) {
        let Profile { memory_mb, vcores, resources } = self.maximum.clone();
        out.act(Action::Tell(ToJvm::Registered { max_memory_mb: memory_mb, max_vcores: vcores, resources }));
        let live = self.ledger.live();
        let workers = live.iter().map(|(container, node)| worker_info(*container, node)).collect();
        out.act(Action::Tell(ToJvm::Previous { workers }));
    }

    /// One step.
    pub(super) fn step(&mut self, input: AllocationInput, now: Instant, out: &mut Output) {
        match input {
            AllocationInput::Registered(registration) => self.registered(registration, now, out),
            AllocationInput::RegisteredAgain(maximum) => {
                self.set_maximum(maximum, now, out);
                self.nodes.forgotten();
                self.apply(LedgerInput::Resync, now, out);
            }
            AllocationInput::JobManagerReady => {
                // From now on `keep` bounds how long a spare waits, which is less than its taskrunner does.
                (self.job_manager_ready, self.remind_at) = (true, None);
                self.ask_ahead_until = self.ask_ahead.as_ref().map(|ahead| now + ahead.keep);
            }
            AllocationInput::JobManagerLost => {
                self.refused_since = None;
                self.apply(LedgerInput::JobManagerLost, now, out);
            }
            AllocationInput::Request { id, size, arguments } => self.request(id, size, arguments, now, out),
            AllocationInput::Cancel(id) => {
                out.observe(Observation::Cancelled { request: id });
                self.apply(LedgerInput::Cancel(id), now, out);
            }
            AllocationInput::Launch { id, container } => {
                self.apply(LedgerInput::Launch { id, container }, now, out);
            }
            AllocationInput::Release(container) => self.apply(LedgerInput::Release(container), now, out),
            AllocationInput::News(news) => self.nodes.news(news, |node| self.ledger.on_node(node), out),
            AllocationInput::HeartbeatAnswered(heartbeat) => self.heartbeat_answered(heartbeat, now, out),
            AllocationInput::Late { containers, served } => self.late(containers, served, now, out),
            AllocationInput::AsksRefused { sent, why } => self.asks_refused(sent, &why, now, out),
            AllocationInput::RepeatOpen => self.apply(LedgerInput::Refresh, now, out),
            AllocationInput::StartAccepted(container) => {
                out.observe(Observation::StartAccepted { container })
            }
            AllocationInput::StartFailed(container, why) => {
                let host = self.host(container);
                self.failed(container, Failure::Start, &why, now);
                out.observe(Observation::StartFailed { container, host, why: why.clone() });
                self.apply(LedgerInput::StartFailed(container, why), now, out);
            }
            AllocationInput::Taskrunner(event) => self.taskrunner(event, now, out),
            AllocationInput::Tick => self.tick(now, out),
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Output) {
        if self.ask_ahead_until.take_if(|at| now >= *at).is_some() {
            self.apply(LedgerInput::PrewarmOver, now, out);
        }
        if self.remind_at.take_if(|at| now >= *at).is_some() {
            let waiting = self.ledger.waiting_spares();
            let over = self.remind_until.is_some_and(|until| now >= until);
            self.remind_at = (!waiting.is_empty() && !over).then_some(now + REMINDER);
            waiting.into_iter().for_each(|container| out.act(Action::KeepWaiting(container)));
        }
        let due = self.reasons_until.partition_point(|(at, _)| now >= *at);
        let over: Vec<_> = self.reasons_until.drain(..due).collect();
        for (_, container) in over {
            self.apply(LedgerInput::ReportWaitOver(container), now, out);
        }
        let due = self.parked_until.partition_point(|(at, _)| now >= *at);
        let over: Vec<_> = self.parked_until.drain(..due).collect();
        for (_, container) in over {
            self.apply(LedgerInput::ParkOver(container), now, out);
        }
        self.nodes.tick(self.ledger.counts().asked > 0, false, now, out);
    }

    fn failed(&mut self, container: ContainerId, failure: Failure, why: &str, now: Instant) {
        if let Some(node) = self.ledger.node(container) {
            self.nodes.failed(node, failure, why, now);
        }
    }

    /// Takes note of an end that may be the node's fault. Gives the reason, with what YARN says of the node
    /// where that explains it.
    fn ended_on(&mut self, node: Option<&NodeId>, reason: String, cause: &ExitCause, now: Instant) -> String {
        let Some(node) = node else { return reason };
        if cause.fault == Fault::Node {
            self.nodes.failed(node, Failure::Node, &reason, now);
        }
        match self.nodes.state(node) {
            Some(state) if matches!(cause.fault, Fault::Node | Fault::Cluster) => {
                reason.replacen(&format!(" on {node}: "), &format!(" on {node} ({state}): "), 1)
            }
            _ => reason,
        }
    }

    fn host(&self, container: ContainerId) -> Option<String> {
        self.ledger.node(container).map(|node| node.host.clone())
    }

    fn set_maximum(&mut self, maximum: Profile, now: Instant, out: &mut Output) {
        self.maximum = maximum.clone();
        self.apply(LedgerInput::Maximum(maximum), now, out);
    }

    fn registered(&mut self, registration: Registration, now: Instant, out: &mut Output) {
        self.set_maximum(registration.maximum, now, out);
        let first = registration.previous.is_empty();
        self.apply(LedgerInput::Recovered(registration.previous), now, out);
        // The JobManager is told of all at once, when it is ready.
        self.adopted.clear();
        // If an earlier attempt has left containers, they are those that Flink needs.
        if let Some(AskAhead { size, count, .. }) = self.ask_ahead.clone().filter(|_| first) {
            out.observe(Observation::AskedAhead { count, size: size.clone() });
            self.apply(LedgerInput::Prewarm { profile: size, count }, now, out);
        }
    }

    fn late(&mut self, containers: Vec<(ContainerId, NodeId)>, served: bool, now: Instant, out: &mut Output) {
        self.apply(LedgerInput::Recovered(containers), now, out);
        let adopted = std::mem::take(&mut self.adopted);
        if served && !adopted.is_empty() {
            out.act(Action::Tell(ToJvm::Previous { workers: adopted }));
        }
    }

    fn request(
        &mut self,
        id: u64,
        size: Profile,
        arguments: TaskManagerArguments,
        now: Instant,
        out: &mut Output,
    ) {
        out.observe(Observation::Requested { request: id, size: size.clone() });
        let refusal = self.ledger.refusal(&size);
        self.apply(LedgerInput::Request { id, profile: size, arguments }, now, out);
        // A session serves other jobs, too: there only this job fails, because it gets no slots.
        if let Some(reason) = refusal.filter(|_| !self.session) {
            self.refused(&reason, now, out);
        }
    }

    fn heartbeat_answered(&mut self, heartbeat: AnsweredHeartbeat, now: Instant, out: &mut Output) {
        if !heartbeat.granted.is_empty() || heartbeat.sent.asks.iter().any(|ask| ask.count > 0) {
            self.refused_since = None;
        }
        for grant in &heartbeat.granted {
            if let Some(node) = self.placement.granted(grant) {
                out.observe(Observation::NodeGaveTooMuch { node });
            }
        }
        self.nodes.heard(&heartbeat.sent.avoidance);
        let granted = !heartbeat.granted.is_empty();
        self.apply(LedgerInput::Heartbeat(heartbeat), now, out);
        self.nodes.tick(self.ledger.counts().asked > 0, granted, now, out);
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

    /// A request is refused, and would be refused again. Flink asks anew for ever, so where there is no
    /// TaskManager, and none comes for a while, the application ends with the reason.
    fn refused(&mut self, reason: &str, now: Instant, out: &mut Output) {
        let since = *self.refused_since.get_or_insert(now);
        let counts = self.ledger.counts();
        if now - since >= REFUSAL_PATIENCE && counts.running + counts.starting == 0 {
            out.act(Action::End(Cause::NoTaskManagers(format!("No TaskManager can be had: {reason}"))));
        }
    }

    fn taskrunner(&mut self, event: ControlEvent, now: Instant, out: &mut Output) {
        match event {
            ControlEvent::Connected { container, has_launch } => {
                out.observe(Observation::TaskrunnerConnected { container, has_launch });
                self.apply(LedgerInput::Connected(container), now, out);
                // One that was started ahead gets its launch command later.
                let ahead = self.ledger.was_started_ahead(container);
                if ahead && !self.job_manager_ready {
                    self.remind_at.get_or_insert(now + REMINDER);
                    self.remind_until.get_or_insert(now + LONGEST_WAIT);
                }
                if !has_launch && !ahead {
                    let reason = "this ApplicationMaster has no launch command for it, and it has no JVM";
                    out.act(Action::Stop { container, reason: reason.to_owned(), started: false });
                }
            }
            ControlEvent::Started { container, pid } => {
                out.observe(Observation::TaskManagerStarted { container, pid });
            }
            ControlEvent::Signalled(container) => {
                out.observe(Observation::Signalled { container });
                self.apply(LedgerInput::Signalled(container), now, out);
            }
            ControlEvent::Busy { container, what } => {
                out.observe(Observation::TaskrunnerBusy { container, what });
                self.apply(LedgerInput::Busy(container), now, out);
            }
            ControlEvent::Exited { container, report } => {
                if report.is_at_start() {
                    self.failed(container, Failure::Start, &report.summary, now);
                }
                let (host, told) = (self.host(container), Box::new(report.clone()));
                out.observe(Observation::TaskManagerEnded { container, host, report: told });
                self.apply(LedgerInput::Exited(container, report), now, out);
            }
            ControlEvent::Lost(container) => out.observe(Observation::TaskrunnerLost { container }),
        }
    }

    /// One step of the ledger, and what it wants done.
    fn apply(&mut self, input: LedgerInput, now: Instant, out: &mut Output) {
        for effect in self.ledger.step(input) {
            match effect {
                LedgerEffect::Allocated { id, container, node } => {
                    out.act(Action::Tell(ToJvm::Allocated { id, worker: worker_info(container, &node) }));
                    out.observe(Observation::Granted { request: Some(id), container, node });
                }
                LedgerEffect::Failed { id, reason } => {
                    out.observe(Observation::Refused { request: id, reason: reason.clone() });
                    out.act(Action::Tell(ToJvm::Failed { id, reason }));
                }
                LedgerEffect::Terminated { container, reason, cause, node } => {
                    let reason = self.ended_on(node.as_ref(), reason, &cause, now);
                    ended(container, reason, cause, false, out);
                }
                // Flink does not count on this container any more; it is told for the JobManager's log.
                LedgerEffect::Explained { container, reason, cause, node } => {
                    let reason = self.ended_on(node.as_ref(), reason, &cause, now);
                    ended(container, reason, cause, true, out);
                }
                LedgerEffect::Adopted { container, node } => {
                    self.adopted.push(worker_info(container, &node));
                    out.act(Action::SendAddress(container));
                    out.observe(Observation::Adopted { container, node });
                }
                LedgerEffect::Park(container) => self.parked_until.push((now + PARK_WAIT, container)),
                LedgerEffect::StartTaskrunner { container, node } => {
                    out.observe(Observation::Granted { request: None, container, node });
                    out.act(Action::Start(container));
                }
                LedgerEffect::Launch { container, arguments, started } => {
                    out.observe(Observation::Launching { container, started_ahead: started });
                    out.act(Action::Launch(container, arguments));
                    if !started {
                        out.act(Action::Start(container));
                    }
                }
                LedgerEffect::Stop { container, reason, started } => {
                    out.observe(Observation::Stopping { container, reason: reason.clone() });
                    out.act(Action::Stop { container, reason, started });
                }
                LedgerEffect::AwaitCompletion(container) => {
                    self.reasons_until.push((now + REPORT_WAIT, container));
                }
                LedgerEffect::Forget { container, cause, unknown } => {
                    out.observe(Observation::ContainerGone { container, cause, unknown });
                    out.act(Action::Forget(container));
                }
            }
        }
    }
}

fn ended(container: ContainerId, reason: String, cause: Box<ExitCause>, explained: bool, out: &mut Output) {
    out.act(Action::Tell(ToJvm::Terminated { worker: container.to_string(), reason: reason.clone() }));
    out.observe(Observation::ContainerEnded { container, reason, cause, explained });
}

fn worker_info(container: ContainerId, node: &NodeId) -> WorkerInfo {
    WorkerInfo { worker: container.to_string(), node: node.to_string(), host: node.host.clone() }
}

#[cfg(test)]
#[path = "allocation_tests.rs"]
mod tests;

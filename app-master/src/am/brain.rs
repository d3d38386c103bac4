//! Decisions of the running ApplicationMaster: one step per event, the time is an argument, nothing is done here.

use std::time::Duration;

use flink_model::spec::ClusterMode;
use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{
    Action, BeatAnswer, Cause, Event, Registration, RmCommand, RmFailure, RmFailureKind, Web,
};
use super::failures::Failures;
use super::head_start::HeadStart;
use super::per_job::PerJob;
use crate::bridge::{BridgeEvent, FromJvm, Status, ToJvm, WorkerInfo};
use crate::cds::container_request::{BuilderRequest, ContainerRequest, Workers};
use crate::control::ControlEvent;
use crate::ledger::Ledger;
use crate::ledger::cause::Fault;
use crate::ledger::types::{Beat, Completed, Effect, Input, Order, Outgoing, Place, Profile, Worker};
use crate::submission::attendance::Losses;
use crate::timeline::{Leg, Timeline};

/// Least time between two heartbeats.
const CLOSEST: Duration = Duration::from_millis(100);
/// How often open asks and releases are repeated in case something was lost.
const REFRESH: Duration = Duration::from_secs(30);
/// How long heartbeats stay quick after a taskrunner's connection broke: its container has probably ended.
const SUSPICION: Duration = Duration::from_secs(10);
/// For a JobManager that has lost its connection to end by itself; it halts after 15 s.
const JOB_MANAGER_GRACE: Duration = Duration::from_secs(20);
/// How long workers may be refused before the application ends; Flink asks again every few seconds.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);
/// Waits between tries while the ResourceManager is not there.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Intervals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between heartbeats while nothing is asked for.
    pub(super) idle: Duration,
    /// Between heartbeats while asks are open.
    pub(super) busy: Duration,
    /// How long the ResourceManager may be away; none = for ever.
    pub(super) patience: Option<Duration>,
}

/// How far the registration is.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// Waiting => Registering, at `ready`.
    Waiting,
    /// Registering => Serving. `again`: the ResourceManager has forgotten us, the JobManager need not know.
    Registering { web: Web, again: bool },
    /// Serving => (Registering | ended)
    Serving { web: Web },
}

/// A run of failed calls to the ResourceManager.
#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    retry_at: Instant,
    wait: Duration,
}

pub(super) struct Brain {
    ledger: Ledger,
    pace: Pace,
    phase: Phase,
    maximum: Profile,
    /// A call to the ResourceManager is under way.
    calling: bool,
    last_beat: Instant,
    /// Between heartbeats while asks are open: short after news, longer with each answer that brings none.
    eager: Duration,
    outage: Option<Outage>,
    refresh_at: Instant,
    suspicious_until: Option<Instant>,
    kill_at: Option<Instant>,
    failures: Failures,
    /// Flink's last word, while YARN's reason for the end of a container is waited for.
    farewell: Option<(FinalStatus, String)>,
    /// What was told of kills for memory.
    losses: Losses,
    /// Every worker has been refused since.
    refused_since: Option<Instant>,
    /// Jobs come and go, and do not end the application.
    session: bool,
    per_job: Option<PerJob>,
    head_start: Option<HeadStart>,
    /// The JobManager has said that it is ready.
    ready: bool,
    /// When workers that were asked for ahead, and are not wanted, go back.
    prewarm_until: Option<Instant>,
    timeline: Timeline,
    /// The container for class data archives.
    cds_container: ContainerRequest,
}

impl Brain {
    /// What a cluster of this kind decides.
    pub(super) fn new(
        pace: Pace,
        mode: ClusterMode,
        head_start: Option<HeadStart>,
        timeline: Timeline,
        now: Instant,
    ) -> Self {
        let early = |start: &HeadStart| Phase::Registering { web: start.web.clone(), again: false };
        Self {
            ledger: Ledger::new(),
            pace,
            phase: head_start.as_ref().map_or(Phase::Waiting, early),
            maximum: Profile::default(),
            calling: false,
            last_beat: now,
            eager: CLOSEST,
            outage: None,
            refresh_at: now + REFRESH,
            suspicious_until: None,
            kill_at: None,
            failures: Failures::default(),
            farewell: None,
            losses: Losses::default(),
            refused_since: None,
            session: mode == ClusterMode::Session,
            per_job: (mode == ClusterMode::PerJob).then(PerJob::default),
            head_start,
            ready: false,
            prewarm_until: None,
            timeline,
            cds_container: ContainerRequest::new(),
        }
    }

    /// Whether YARN knows us.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. })
    }

    /// Workers that were started, for the end.
    pub(super) fn workers(&self) -> Vec<Worker> {
        self.ledger.started()
    }

    /// When [`Brain::tick`] is due.
    pub(super) fn wake(&self) -> Instant {
        let submission = self.per_job.as_ref().and_then(PerJob::wake);
        [self.kill_at, self.prewarm_until, self.call_at(), submission, self.cds_container.wake()]
            .into_iter()
            .flatten()
            .fold(self.refresh_at, Instant::min)
    }

    /// When the next call to the ResourceManager is due.
    fn call_at(&self) -> Option<Instant> {
        match (&self.phase, self.outage) {
            _ if self.calling => None,
            (Phase::Waiting, _) => None,
            (_, Some(outage)) => Some(outage.retry_at),
            (Phase::Registering { .. }, None) => Some(self.last_beat),
            (Phase::Serving { .. }, None) => Some(self.last_beat + self.interval()),
        }
    }

    fn interval(&self) -> Duration {
        if self.outgoing() != Outgoing::default() {
            CLOSEST
        } else if self.ledger.is_busy() || self.cds_container.is_busy() || self.suspicious_until.is_some() {
            self.eager.min(self.pace.busy)
        } else {
            self.pace.idle
        }
    }

    fn outgoing(&self) -> Outgoing {
        let mut outgoing = self.ledger.outgoing();
        self.cds_container.add_to(&mut outgoing);
        outgoing
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = self.per_job.as_mut().map(|per_job| per_job.tick(now)).unwrap_or_default();
        self.suspicious_until = self.suspicious_until.filter(|until| now < *until);
        if now >= self.refresh_at {
            self.refresh_at = now + REFRESH;
            if self.is_registered() {
                self.step(Input::Refresh, now, &mut actions);
            }
        }
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            actions.push(Action::KillJobManager);
        }
        if self.prewarm_until.is_some_and(|at| now >= at) {
            self.prewarm_until = None;
            self.step(Input::PrewarmOver, now, &mut actions);
        }
        self.look_after_cds_container(now, &mut actions);
        self.look_after_losses(&mut actions);
        if self.call_at().is_some_and(|at| now >= at) {
            self.calling = true;
            self.last_beat = now;
            actions.push(match &self.phase {
                Phase::Registering { web, .. } => {
                    self.timeline.begin(Leg::Registration, "", now);
                    Action::Register(web.clone())
                }
                Phase::Waiting | Phase::Serving { .. } => Action::Beat(self.outgoing()),
            });
        }
        actions
    }

    /// One event.
    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let out = &mut actions;
        match event {
            Event::Bridge(BridgeEvent::Line(message)) => self.jvm_said(message, now, out),
            Event::Bridge(BridgeEvent::Closed(why)) => {
                tracing::warn!(why, "the JobManager's connection ended");
                self.kill_at = Some(now + JOB_MANAGER_GRACE);
            }
            Event::Control(event) => self.taskrunner_said(event, now, out),
            Event::Registered(answer) => self.registered(answer, now, out),
            Event::Beat { sent, answer } => self.beat(sent, answer, now, out),
            Event::StartAccepted(worker) => tracing::info!(%worker, "the NodeManager starts the container"),
            Event::StartFailed(worker, why) => {
                tracing::warn!(%worker, why, "the container could not be started");
                self.failures.add_start(self.ledger.host(&worker), &why);
                self.step(Input::StartFailed(worker, why), now, out);
            }
            Event::ReportWaitOver(worker) => self.step(Input::ReportWaitOver(worker), now, out),
            Event::JobManagerEnded(end) if self.farewell.is_none() => {
                let decided = self.per_job.as_ref().and_then(PerJob::decided);
                let cause = decided.unwrap_or_else(|| Cause::JobManagerEnded(self.failures.for_end(&end)));
                out.push(Action::End(cause));
            }
            // Its last word counts, which waits for YARN's.
            Event::JobManagerEnded(_) => {}
            Event::Submission(input) => {
                if let Some(per_job) = &mut self.per_job {
                    out.extend(per_job.step(input, now));
                }
            }
            Event::Archive(BuilderRequest::Container(memory_mb)) => self.cds_container.want(memory_mb),
            Event::Archive(BuilderRequest::GiveBack) => self.cds_container.give_back(),
            Event::Terminated => out.push(Action::End(Cause::Terminated)),
            Event::Internal(why) => out.push(Action::End(Cause::Internal(why))),
        }
        self.look_after_cds_container(now, &mut actions);
        self.look_after_losses(&mut actions);
        actions
    }

    /// Tells of kills for memory, and ends once YARN's reasons are there: what ends the application is, as a rule, the end of a worker,
    /// and Flink tells of that before YARN does.
    fn look_after_losses(&mut self, out: &mut Vec<Action>) {
        let awaits = self.ledger.awaits_reasons();
        let losses = Losses { awaits, text: self.failures.memory().unwrap_or_default() };
        if losses != self.losses {
            self.losses = losses.clone();
            out.push(Action::Losses(losses));
        }
        let Some((status, flinks)) =
            self.farewell.take_if(|(status, _)| !awaits || *status == FinalStatus::Succeeded)
        else {
            return;
        };
        let diagnostics = self.failures.for_status(status, &flinks);
        let (status, diagnostics) = match &self.per_job {
            Some(per_job) => per_job.deregistered(status, diagnostics),
            None => (status, diagnostics),
        };
        let diagnostics = self.failures.with_memory(diagnostics);
        out.push(Action::End(Cause::Deregistered { status, diagnostics }));
    }

    /// Asks for the container for class data archives, or gives it up, by what the workers need.
    fn look_after_cds_container(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.cds_container.is_idle() {
            return;
        }
        let counts = self.ledger.counts();
        let workers = Workers { waiting: counts.asked > 0, starting: counts.starting > 0 };
        let largest = self.is_registered().then_some(&self.maximum);
        let asked = self.cds_container.is_busy();
        out.extend(self.cds_container.tick(workers, largest, now).into_iter().map(Action::Archive));
        if self.cds_container.is_busy() && !asked {
            tracing::info!("asking YARN for a container in which to make a class data archive");
        }
    }

    fn step(&mut self, input: Input, now: Instant, out: &mut Vec<Action>) {
        for effect in self.ledger.step(input) {
            out.push(match effect {
                Effect::Allocated { id, worker, place } => {
                    self.timeline.granted(Some(id), worker.as_str(), now);
                    tracing::info!(request = id, %worker, node = %place, "container granted");
                    Action::Tell(ToJvm::Allocated { id, worker: info(&worker, &place) })
                }
                Effect::Failed { id, reason } => {
                    tracing::error!(request = id, reason, "request cannot be met");
                    Action::Tell(ToJvm::Failed { id, reason })
                }
                Effect::Terminated { worker, reason, fault } => {
                    tracing::warn!(%worker, reason, "worker ended");
                    if fault == Fault::Memory {
                        self.failures.add_memory(&reason);
                    }
                    Action::Tell(ToJvm::Terminated { worker: worker.to_string(), reason })
                }
                // For the JobManager's log: Flink no longer counts on it.
                Effect::Explained { worker, reason, fault } => {
                    tracing::warn!(%worker, reason, "why the worker ended");
                    if fault == Fault::Memory {
                        self.failures.add_memory(&reason);
                    }
                    Action::Tell(ToJvm::Terminated { worker: worker.to_string(), reason })
                }
                Effect::Warm(worker) => {
                    tracing::info!(%worker, "container granted ahead of its request; starting its taskrunner");
                    self.timeline.granted(None, worker.as_str(), now);
                    self.timeline.begin(Leg::Container, worker.as_str(), now);
                    Action::Warm(worker)
                }
                Effect::Launch { worker, order } => {
                    tracing::info!(%worker, "launching");
                    let leg = if self.ledger.is_warm(&worker) { Leg::TaskManager } else { Leg::Container };
                    self.timeline.begin(leg, worker.as_str(), now);
                    Action::Launch(worker, order)
                }
                Effect::Stop { worker, reason } => {
                    tracing::info!(%worker, reason, "stopping");
                    Action::Stop(worker, reason)
                }
                Effect::AwaitCompletion(worker) => Action::AwaitCompletion(worker),
                Effect::Forget { worker, cause } => {
                    match cause {
                        Some(cause) => tracing::info!(%worker, cause, "container gone"),
                        None => tracing::info!(%worker, "container gone"),
                    }
                    Action::Forget(worker)
                }
            });
        }
    }

    fn jvm_said(&mut self, message: FromJvm, now: Instant, out: &mut Vec<Action>) {
        match message {
            FromJvm::Hello { flink, pid, .. } => {
                tracing::info!(flink, pid, "the JobManager is connected");
                self.timeline.end(Leg::JobManagerJvm, "", now);
                self.timeline.begin(Leg::JobManager, "", now);
                self.kill_at = None;
            }
            FromJvm::Ready { rest, rpc } => self.ready(rest.unwrap_or_default(), &rpc, now, out),
            FromJvm::Request { id, memory_mb, vcores, resources, jvm_args, args } => {
                let profile = Profile { memory_mb, vcores, resources };
                tracing::info!(request = id, size = %profile, "worker requested");
                self.timeline.asked(Some(id), now);
                let refusal = self.ledger.refusal(&profile);
                self.step(Input::Request { id, profile, order: Order { jvm_args, args } }, now, out);
                match refusal {
                    // A session serves other jobs, too: this one fails for want of slots.
                    Some(reason) if !self.session => self.refused(&reason, now, out),
                    _ => {}
                }
            }
            FromJvm::Cancel { id } => {
                tracing::info!(request = id, "request cancelled");
                self.step(Input::Cancel(id), now, out);
            }
            FromJvm::Launch { id, worker } => {
                self.step(Input::Launch { id, worker: Worker::new(worker) }, now, out)
            }
            FromJvm::Release { worker } => self.step(Input::Release(Worker::new(worker)), now, out),
            FromJvm::Deregister { status, diagnostics } => {
                let status = match status {
                    Status::Succeeded => FinalStatus::Succeeded,
                    Status::Failed => FinalStatus::Failed,
                    Status::Killed => FinalStatus::Killed,
                    Status::Undefined => FinalStatus::Undefined,
                };
                self.farewell = Some((status, diagnostics));
            }
            FromJvm::Failure { what, trace } => self.failures.add(&what, &trace),
            FromJvm::Unknown => tracing::warn!("ignoring a message of an unknown type from the JobManager"),
        }
    }

    fn ready(&mut self, url: String, rpc: &str, now: Instant, out: &mut Vec<Action>) {
        if let Some(per_job) = &mut self.per_job {
            out.extend(per_job.ready(&url, now));
        }
        let web = Web { port: port_of(&url), url };
        tracing::info!(rest = web.url, rpc, "the JobManager is ready");
        self.timeline.end(Leg::JobManager, "", now);
        if let (false, Some(start)) = (self.ready, &self.head_start) {
            self.prewarm_until = Some(now + start.idle);
            if start.web.port != web.port {
                tracing::error!(told = start.web.url, "YARN was told another address of the JobManager");
            }
        }
        self.ready = true;
        match &self.phase {
            Phase::Waiting => self.phase = Phase::Registering { web, again: false },
            // Not to be changed under a call that is under way.
            Phase::Registering { .. } if self.head_start.is_some() => {}
            Phase::Registering { .. } => self.phase = Phase::Registering { web, again: false },
            // It was told of the registration when there was no JobManager, or this one leads again.
            Phase::Serving { .. } => {
                self.phase = Phase::Serving { web };
                self.welcome(out);
            }
        }
    }

    /// `registered` and `previous`, once there is a JobManager to hear it.
    fn welcome(&self, out: &mut Vec<Action>) {
        if !self.ready {
            return;
        }
        let Profile { memory_mb, vcores, resources } = self.maximum.clone();
        let workers: Vec<_> = self.ledger.live().iter().map(|(worker, place)| info(worker, place)).collect();
        out.push(Action::Tell(ToJvm::Registered { max_memory_mb: memory_mb, max_vcores: vcores, resources }));
        out.push(Action::Tell(ToJvm::Previous { workers }));
    }

    fn taskrunner_said(&mut self, event: ControlEvent, now: Instant, out: &mut Vec<Action>) {
        match event {
            ControlEvent::Connected { worker, ordered } => {
                tracing::info!(%worker, "taskrunner connected");
                self.timeline.end(Leg::Container, worker.as_str(), now);
                if ordered {
                    self.timeline.begin(Leg::TaskManager, worker.as_str(), now);
                }
                self.step(Input::Connected(worker.clone()), now, out);
                if !ordered && !self.ledger.is_warm(&worker) {
                    let reason = "this ApplicationMaster has no order for it, and it has no JVM".to_owned();
                    out.push(Action::Stop(worker, reason));
                }
            }
            ControlEvent::Started { worker, pid } => {
                tracing::info!(%worker, pid, "TaskManager started");
                self.timeline.end(Leg::TaskManager, worker.as_str(), now);
            }
            ControlEvent::Signalled(worker) => {
                tracing::info!(%worker, "something tells the container to end");
                self.step(Input::Signalled(worker), now, out);
            }
            ControlEvent::Exited { worker, report } => {
                tracing::info!(%worker, summary = report.summary, "TaskManager ended");
                if report.launch_failed || (report.unregistered && !report.may_be_yarns_kill()) {
                    self.failures.add_start(self.ledger.host(&worker), &report.summary);
                }
                self.step(Input::Exited(worker, report), now, out);
            }
            ControlEvent::Lost(worker) => {
                tracing::info!(%worker, "taskrunner disconnected");
                self.suspicious_until = Some(now + SUSPICION);
            }
        }
    }

    fn registered(&mut self, answer: Result<Registration, RmFailure>, now: Instant, out: &mut Vec<Action>) {
        self.calling = false;
        let Phase::Registering { web, again } = self.phase.clone() else { return };
        let lost_an_answer = self.outage.is_some();
        let registration = match answer {
            Ok(registration) => registration,
            // An earlier try got through after all; what its answer said is lost.
            Err(failure) if failure.is_repetition() && (lost_an_answer || again) => Registration {
                maximum: if again { self.maximum.clone() } else { unlimited() },
                previous: Vec::new(),
                strays: Vec::new(),
            },
            Err(failure) => return self.call_failed(failure, now, out),
        };
        self.outage = None;
        self.timeline.end(Leg::Registration, "", now);
        self.phase = Phase::Serving { web };
        self.last_beat = now;
        self.maximum = registration.maximum.clone();
        self.step(Input::Maximum(registration.maximum), now, out);
        if again {
            tracing::info!("registered anew; asking again for what is open");
            self.step(Input::Resync, now, out);
            self.cds_container.forgotten();
            return;
        }
        tracing::info!(largest = %self.maximum, previous = registration.previous.len(), "registered with YARN");
        self.cds_container.strays(registration.strays);
        let first = registration.previous.is_empty();
        self.step(Input::Recovered(registration.previous), now, out);
        if let Some(HeadStart { profile, workers, .. }) = self.head_start.as_ref().filter(|_| first) {
            tracing::info!(workers, size = %profile, "asking for workers that will be needed");
            self.timeline.asked(None, now);
            self.step(Input::Prewarm { profile: profile.clone(), count: *workers }, now, out);
        }
        self.welcome(out);
    }

    fn beat(
        &mut self,
        sent: Outgoing,
        answer: Result<BeatAnswer, RmFailure>,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        self.calling = false;
        let BeatAnswer { granted, completed, late, strays, command } = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.kind == RmFailureKind::NotRegistered => return self.register_anew(),
            Err(failure)
                if failure.kind == RmFailureKind::Refused && ContainerRequest::is_ask(&sent.asks) =>
            {
                return self.cds_container.refused(&failure.text);
            }
            Err(failure) if failure.kind == RmFailureKind::Refused && !sent.asks.is_empty() => {
                let sizes: Vec<String> =
                    sent.asks.iter().filter(|ask| ask.count > 0).map(|ask| ask.profile.to_string()).collect();
                let reason = failure.text.clone();
                self.step(Input::AsksRefused { sent: sent.asks, reason }, now, out);
                if sizes.is_empty() {
                    return tracing::debug!(reason = failure.text, "YARN does not take an ask back");
                }
                return self.refused(
                    &format!("YARN refuses TaskManagers of {}: {}", sizes.join(" and of "), failure.text),
                    now,
                    out,
                );
            }
            Err(failure) => return self.call_failed(failure, now, out),
        };
        let certain = self.outage.take().is_none();
        if !certain {
            tracing::info!("the ResourceManager answers again");
        }
        if !granted.is_empty() || sent.asks.iter().any(|ask| ask.count > 0) {
            self.refused_since = None;
        }
        let news = !(sent.asks.is_empty() && granted.is_empty() && completed.is_empty());
        self.eager = if news { CLOSEST } else { (self.eager * 5 / 4).min(self.pace.busy.max(CLOSEST)) };
        self.cds_container.answered(&sent, certain);
        let (for_cds, granted): (Vec<_>, Vec<_>) = granted.into_iter().partition(ContainerRequest::is_for);
        for_cds.into_iter().for_each(|grant| self.cds_container.granted(grant.worker, now));
        let completed = self.completed(completed, out);
        self.step(Input::Beat(Beat { sent, certain, granted, completed }), now, out);
        self.cds_container.strays(strays);
        for (worker, place) in late {
            // Flink takes workers of earlier attempts only once, right after the registration.
            self.step(Input::Recovered(vec![(worker.clone(), place)]), now, out);
            self.step(Input::Release(worker), now, out);
        }
        match command {
            Some(RmCommand::Resync) => self.register_anew(),
            Some(RmCommand::Shutdown) => {
                out.push(Action::End(Cause::AttemptOver("it ordered the shutdown".to_owned())));
            }
            None => {}
        }
    }

    /// A worker is refused, and would be again. Flink asks anew for ever; where there is no worker, and none comes for a while, the
    /// application ends with the reason.
    fn refused(&mut self, reason: &str, now: Instant, out: &mut Vec<Action>) {
        let since = *self.refused_since.get_or_insert(now);
        let counts = self.ledger.counts();
        if now - since >= REFUSAL_PATIENCE && counts.running + counts.starting == 0 {
            out.push(Action::End(Cause::Hopeless(format!("No TaskManager can be had: {reason}"))));
        }
    }

    /// Workers that have ended; other containers are seen to.
    fn completed(&mut self, all: Vec<Completed>, out: &mut Vec<Action>) -> Vec<Completed> {
        let (mut workers, mut others) = (Vec::new(), Vec::new());
        for completed in all {
            let worker = completed.worker.clone();
            match self.cds_container.completed(completed) {
                Some(completed) => workers.push(completed),
                None => others.push(Action::Forget(worker)),
            }
        }
        out.extend(others);
        workers
    }

    fn register_anew(&mut self) {
        if let Phase::Serving { web } = &self.phase {
            tracing::warn!("the ResourceManager has forgotten this attempt; registering anew");
            self.phase = Phase::Registering { web: web.clone(), again: true };
            self.outage = None;
        }
    }

    fn call_failed(&mut self, failure: RmFailure, now: Instant, out: &mut Vec<Action>) {
        let registering = matches!(self.phase, Phase::Registering { .. });
        match failure.kind {
            RmFailureKind::AttemptOver => return out.push(Action::End(Cause::AttemptOver(failure.text))),
            RmFailureKind::Refused if registering => {
                let text = format!("cannot register the ApplicationMaster: {}", failure.text);
                return out.push(Action::End(Cause::Internal(text)));
            }
            RmFailureKind::Refused | RmFailureKind::Unavailable | RmFailureKind::NotRegistered => {}
        }
        let (since, wait) = match self.outage {
            Some(Outage { since, wait, .. }) => (since, (wait * 2).min(BACKOFF.1)),
            None => (now, BACKOFF.0),
        };
        if self.pace.patience.is_some_and(|patience| now - since > patience) {
            return out.push(Action::End(Cause::ResourceManagerLost(failure.text)));
        }
        tracing::warn!(
            error = failure.text,
            retry_in_ms = wait.as_millis() as u64,
            "no answer from the ResourceManager"
        );
        self.outage = Some(Outage { since, retry_at: now + wait, wait });
    }
}

impl RmFailure {
    /// The ResourceManager says that the attempt is registered already.
    fn is_repetition(&self) -> bool {
        self.kind == RmFailureKind::Refused && self.text.contains("already registered")
    }
}

/// When nobody told the largest container: YARN itself refuses what is too large.
fn unlimited() -> Profile {
    Profile { memory_mb: i32::MAX as u64, vcores: i32::MAX as u32, ..Profile::default() }
}

fn info(worker: &Worker, place: &Place) -> WorkerInfo {
    WorkerInfo { worker: worker.to_string(), node: place.to_string(), host: place.host.clone() }
}

/// The port of `http://host:port/…`; -1 without one.
fn port_of(url: &str) -> i32 {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.map_or(-1, i32::from)
}

//! Decisions of the running ApplicationMaster: one step per event, the time is an argument, nothing is done here.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{
    Action, BeatAnswer, Cause, Event, Registration, RmCommand, RmFailure, RmFailureKind, Web,
};
use super::failures::Failures;
use super::per_job::PerJob;
use crate::bridge::{BridgeEvent, FromJvm, Status, ToJvm, WorkerInfo};
use crate::control::ControlEvent;
use crate::ledger::Ledger;
use crate::ledger::types::{Beat, Effect, Input, Order, Outgoing, Place, Profile, Worker};

/// Least time between two heartbeats.
const CLOSEST: Duration = Duration::from_millis(100);
/// How often open asks and releases are repeated in case something was lost.
const REFRESH: Duration = Duration::from_secs(30);
/// How long heartbeats stay quick after a taskrunner's connection broke: its container has probably ended.
const SUSPICION: Duration = Duration::from_secs(10);
/// For a JobManager that has lost its connection to end by itself; it halts after 15 s.
const JOB_MANAGER_GRACE: Duration = Duration::from_secs(20);
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
    outage: Option<Outage>,
    refresh_at: Instant,
    suspicious_until: Option<Instant>,
    kill_at: Option<Instant>,
    failures: Failures,
    per_job: Option<PerJob>,
}

impl Brain {
    /// `per_job` for a cluster that ends with its submission.
    pub(super) fn new(pace: Pace, per_job: Option<PerJob>, now: Instant) -> Self {
        Self {
            ledger: Ledger::new(),
            pace,
            phase: Phase::Waiting,
            maximum: Profile::default(),
            calling: false,
            last_beat: now,
            outage: None,
            refresh_at: now + REFRESH,
            suspicious_until: None,
            kill_at: None,
            failures: Failures::default(),
            per_job,
        }
    }

    /// Whether YARN knows us.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. })
    }

    /// Workers that were started, for the end.
    pub(super) fn workers(&self) -> Vec<Worker> {
        self.ledger.live().into_iter().map(|(worker, _)| worker).collect()
    }

    /// When [`Brain::tick`] is due.
    pub(super) fn wake(&self) -> Instant {
        [Some(self.refresh_at), self.kill_at, self.call_at(), self.per_job.as_ref().and_then(PerJob::wake)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.refresh_at)
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
        if self.ledger.outgoing() != Outgoing::default() {
            CLOSEST
        } else if self.ledger.is_busy() || self.suspicious_until.is_some() {
            self.pace.busy
        } else {
            self.pace.idle
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = self.per_job.as_mut().map(|per_job| per_job.tick(now)).unwrap_or_default();
        self.suspicious_until = self.suspicious_until.filter(|until| now < *until);
        if now >= self.refresh_at {
            self.refresh_at = now + REFRESH;
            if self.is_registered() {
                self.step(Input::Refresh, &mut actions);
            }
        }
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            actions.push(Action::KillJobManager);
        }
        if self.call_at().is_some_and(|at| now >= at) {
            self.calling = true;
            self.last_beat = now;
            actions.push(match &self.phase {
                Phase::Registering { web, .. } => Action::Register(web.clone()),
                Phase::Waiting | Phase::Serving { .. } => Action::Beat(self.ledger.outgoing()),
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
                self.step(Input::StartFailed(worker, why), out);
            }
            Event::ReportWaitOver(worker) => self.step(Input::ReportWaitOver(worker), out),
            Event::JobManagerEnded(end) => {
                let decided = self.per_job.as_ref().and_then(PerJob::decided);
                let cause = decided.unwrap_or_else(|| Cause::JobManagerEnded(self.failures.for_end(&end)));
                out.push(Action::End(cause));
            }
            Event::Submission(input) => {
                if let Some(per_job) = &mut self.per_job {
                    out.extend(per_job.step(input, now));
                }
            }
            Event::Terminated => out.push(Action::End(Cause::Terminated)),
            Event::Internal(why) => out.push(Action::End(Cause::Internal(why))),
        }
        actions
    }

    fn step(&mut self, input: Input, out: &mut Vec<Action>) {
        for effect in self.ledger.step(input) {
            out.push(match effect {
                Effect::Allocated { id, worker, place } => {
                    tracing::info!(request = id, %worker, node = %place, "container granted");
                    Action::Tell(ToJvm::Allocated { id, worker: info(&worker, &place) })
                }
                Effect::Failed { id, reason } => {
                    tracing::error!(request = id, reason, "request cannot be met");
                    Action::Tell(ToJvm::Failed { id, reason })
                }
                Effect::Terminated { worker, reason } => {
                    tracing::warn!(%worker, reason, "worker ended");
                    Action::Tell(ToJvm::Terminated { worker: worker.to_string(), reason })
                }
                Effect::Launch { worker, order } => {
                    tracing::info!(%worker, "launching");
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
                self.kill_at = None;
            }
            FromJvm::Ready { rest, rpc } => self.ready(rest.unwrap_or_default(), &rpc, now, out),
            FromJvm::Request { id, memory_mb, vcores, resources, jvm_args, args } => {
                let profile = Profile { memory_mb, vcores, resources };
                tracing::info!(request = id, size = %profile, "worker requested");
                self.step(Input::Request { id, profile, order: Order { jvm_args, args } }, out);
            }
            FromJvm::Cancel { id } => {
                tracing::info!(request = id, "request cancelled");
                self.step(Input::Cancel(id), out);
            }
            FromJvm::Launch { id, worker } => {
                self.step(Input::Launch { id, worker: Worker::new(worker) }, out)
            }
            FromJvm::Release { worker } => self.step(Input::Release(Worker::new(worker)), out),
            FromJvm::Deregister { status, diagnostics } => {
                let status = match status {
                    Status::Succeeded => FinalStatus::Succeeded,
                    Status::Failed => FinalStatus::Failed,
                    Status::Killed => FinalStatus::Killed,
                    Status::Undefined => FinalStatus::Undefined,
                };
                let diagnostics = self.failures.for_status(status, &diagnostics);
                let (status, diagnostics) = match &self.per_job {
                    Some(per_job) => per_job.deregistered(status, diagnostics),
                    None => (status, diagnostics),
                };
                out.push(Action::End(Cause::Deregistered { status, diagnostics }));
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
        match &self.phase {
            Phase::Waiting => self.phase = Phase::Registering { web, again: false },
            Phase::Registering { .. } => self.phase = Phase::Registering { web, again: false },
            // A JobManager that leads again.
            Phase::Serving { .. } => {
                self.phase = Phase::Serving { web };
                self.welcome(out);
            }
        }
    }

    /// `registered` and `previous`.
    fn welcome(&self, out: &mut Vec<Action>) {
        let Profile { memory_mb, vcores, resources } = self.maximum.clone();
        let workers: Vec<_> = self.ledger.live().iter().map(|(worker, place)| info(worker, place)).collect();
        out.push(Action::Tell(ToJvm::Registered { max_memory_mb: memory_mb, max_vcores: vcores, resources }));
        out.push(Action::Tell(ToJvm::Previous { workers }));
    }

    fn taskrunner_said(&mut self, event: ControlEvent, now: Instant, out: &mut Vec<Action>) {
        match event {
            ControlEvent::Connected { worker, ordered } => {
                tracing::info!(%worker, "taskrunner connected");
                self.step(Input::Connected(worker.clone()), out);
                if !ordered {
                    let reason = "this ApplicationMaster has no order for it, and it has no JVM".to_owned();
                    out.push(Action::Stop(worker, reason));
                }
            }
            ControlEvent::Started { worker, pid } => tracing::info!(%worker, pid, "TaskManager started"),
            ControlEvent::Exited { worker, report } => {
                tracing::info!(%worker, summary = report.summary, "TaskManager ended");
                if report.launch_failed {
                    self.failures.add_launch(&report.summary);
                }
                self.step(Input::Exited(worker, report), out);
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
            },
            Err(failure) => return self.call_failed(failure, now, out),
        };
        self.outage = None;
        self.phase = Phase::Serving { web };
        self.last_beat = now;
        self.maximum = registration.maximum.clone();
        self.step(Input::Maximum(registration.maximum), out);
        if again {
            tracing::info!("registered anew; asking again for what is open");
            self.step(Input::Resync, out);
            return;
        }
        tracing::info!(largest = %self.maximum, previous = registration.previous.len(), "registered with YARN");
        self.step(Input::Recovered(registration.previous), out);
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
        let BeatAnswer { granted, completed, late, command } = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.kind == RmFailureKind::NotRegistered => return self.register_anew(),
            Err(failure) if failure.kind == RmFailureKind::Refused && !sent.asks.is_empty() => {
                return self.step(Input::AsksRefused(failure.text), out);
            }
            Err(failure) => return self.call_failed(failure, now, out),
        };
        let certain = self.outage.take().is_none();
        if !certain {
            tracing::info!("the ResourceManager answers again");
        }
        self.step(Input::Beat(Beat { sent, certain, granted, completed }), out);
        for (worker, place) in late {
            // Flink takes workers of earlier attempts only once, right after the registration.
            self.step(Input::Recovered(vec![(worker.clone(), place)]), out);
            self.step(Input::Release(worker), out);
        }
        match command {
            Some(RmCommand::Resync) => self.register_anew(),
            Some(RmCommand::Shutdown) => {
                out.push(Action::End(Cause::AttemptOver("it ordered the shutdown".to_owned())));
            }
            None => {}
        }
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
                return out.push(Action::End(Cause::Internal(failure.text)));
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

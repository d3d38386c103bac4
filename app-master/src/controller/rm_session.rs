//! The session with the ResourceManager: registration, the pace of heartbeats, outages, and registration anew
//! after the ResourceManager was restarted. Pure: the time is an argument.
//!
//! ```text
//! Waiting ─the JobManager is ready─► Registering ─registered─► Serving
//!                                         ▲                       │
//!                                         └─forgotten by YARN─────┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

use super::event::{Cause, HeartbeatAnswer, Registration, RmCommand, RmFailure, RmFailureKind, Web};
use super::observation::Observation;
use crate::ledger::types::{Outgoing, Profile};

/// Shortest time between two heartbeats.
const CLOSEST: Duration = Duration::from_millis(100);
/// How often open asks and releases are repeated, in case a message was lost.
const REFRESH: Duration = Duration::from_secs(30);
/// How long heartbeats stay frequent after a taskrunner's connection broke: its container has probably ended,
/// and the ResourceManager is about to report that.
const SUSPICION: Duration = Duration::from_secs(10);
/// The shortest and the longest wait between tries while the ResourceManager does not answer.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// Between these two the wait is this part of the time for which it has not answered. Until the
/// ApplicationMaster has registered with the next ResourceManager, no client learns where the JobManager is:
/// a failover of ten seconds should not cost the clients another second.
const PART_OF_OUTAGE: u32 = 32;

/// Intervals of the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between heartbeats while nothing is asked for.
    pub(crate) idle: Duration,
    /// Longest time between heartbeats while asks are open.
    pub(crate) busy: Duration,
    /// How long the ResourceManager may not answer; none means for ever.
    pub(crate) patience: Option<Duration>,
}

/// What the rest of the controller has for the next heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Nothing, and nothing is expected.
    Nothing,
    /// Nothing, but an answer that brings something is expected soon.
    Answers,
    /// Asks or releases that the ResourceManager does not know yet.
    News,
}

/// What happens to the session.
#[derive(Debug)]
pub(super) enum RmSessionInput {
    /// The JobManager is ready, and its web interface is there.
    JobManagerReady(Web),
    /// A container has probably just ended.
    ContainerSuspected,
    /// Answer to [`RmSessionEffect::Register`].
    Registered(Result<Registration, RmFailure>),
    /// Answer to [`RmSessionEffect::Heartbeat`], which carried `sent`.
    HeartbeatAnswered { sent: Outgoing, answer: Result<HeartbeatAnswer, RmFailure> },
    /// Time has passed.
    Tick,
}

/// What the session wants done, in this order.
#[derive(Debug, PartialEq)]
pub(super) enum RmSessionEffect {
    /// Register the application with this web interface.
    Register(Web),
    /// Send a heartbeat.
    Heartbeat,
    /// The application is registered for the first time.
    Registered(Registration),
    /// It is registered again, with a ResourceManager that knows nothing of what was asked for. The largest
    /// container.
    RegisteredAgain(Profile),
    /// A heartbeat was answered. `certain`: no earlier try of it was lost on the way.
    Answered { sent: Outgoing, certain: bool, answer: HeartbeatAnswer },
    /// The asks of a heartbeat were refused, and would be refused again.
    AsksRefused { sent: Outgoing, why: String },
    /// Repeat what is open, in case a message was lost without notice.
    RepeatOpen,
    /// End the ApplicationMaster.
    End(Cause),
    /// Something to be told, and nothing to be done.
    Observe(Observation),
}

/// How far the registration is.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// For the JobManager, whose web interface is part of the registration.
    Waiting,
    /// `again`: the ResourceManager has forgotten us, and the JobManager need not know.
    Registering { web: Web, again: bool },
    /// Registered: heartbeats are sent.
    Serving { web: Web },
}

/// A run of failed calls to the ResourceManager.
#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    retry_at: Instant,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct RmSession {
    pace: Pace,
    phase: Phase,
    /// The web interface that was registered before the JobManager was ready.
    early: Option<Web>,
    maximum: Profile,
    /// A call to the ResourceManager is under way.
    calling: bool,
    last_call: Instant,
    /// Time between heartbeats while asks are open: short after news, longer with each answer without news.
    busy_interval: Duration,
    outage: Option<Outage>,
    refresh_at: Instant,
    suspicious_until: Option<Instant>,
}

impl RmSession {
    /// `early`: register at once, with the web interface that the JobManager is going to have.
    pub(super) fn new(pace: Pace, early: Option<Web>, now: Instant) -> Self {
        let phase = early.clone().map_or(Phase::Waiting, |web| Phase::Registering { web, again: false });
        Self {
            pace,
            phase,
            early,
            maximum: Profile::default(),
            calling: false,
            last_call: now,
            busy_interval: CLOSEST,
            outage: None,
            refresh_at: now + REFRESH,
            suspicious_until: None,
        }
    }

    /// Whether the application is registered with YARN.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. })
    }

    /// Whether this attempt has registered; the ResourceManager may have forgotten it since.
    pub(super) fn was_registered(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. } | Phase::Registering { again: true, .. })
    }

    /// The largest container, while we are registered.
    pub(super) fn largest(&self) -> Option<&Profile> {
        self.is_registered().then_some(&self.maximum)
    }

    /// When the next tick, or the next call, is due.
    pub(super) fn wake(&self, demand: Demand) -> Instant {
        self.call_at(demand).into_iter().fold(self.refresh_at, Instant::min)
    }

    fn call_at(&self, demand: Demand) -> Option<Instant> {
        match (&self.phase, self.outage) {
            _ if self.calling => None,
            (Phase::Waiting, _) => None,
            (_, Some(outage)) => Some(outage.retry_at),
            (Phase::Registering { .. }, None) => Some(self.last_call),
            (Phase::Serving { .. }, None) => Some(self.last_call + self.interval(demand)),
        }
    }

    fn interval(&self, demand: Demand) -> Duration {
        match demand {
            Demand::News => CLOSEST,
            Demand::Nothing if self.suspicious_until.is_none() => self.pace.idle,
            Demand::Answers | Demand::Nothing => self.busy_interval.min(self.pace.busy),
        }
    }

    /// The next call to the ResourceManager, if one is due.
    pub(super) fn call(&mut self, demand: Demand, now: Instant) -> Vec<RmSessionEffect> {
        if self.call_at(demand).is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.calling = true;
        self.last_call = now;
        match &self.phase {
            Phase::Registering { web, .. } => {
                vec![
                    RmSessionEffect::Observe(Observation::Registering),
                    RmSessionEffect::Register(web.clone()),
                ]
            }
            Phase::Waiting | Phase::Serving { .. } => vec![RmSessionEffect::Heartbeat],
        }
    }

    /// One step.
    pub(super) fn step(&mut self, input: RmSessionInput, now: Instant) -> Vec<RmSessionEffect> {
        match input {
            RmSessionInput::JobManagerReady(web) => self.job_manager_ready(web),
            RmSessionInput::ContainerSuspected => {
                self.suspicious_until = Some(now + SUSPICION);
                Vec::new()
            }
            RmSessionInput::Registered(answer) => self.registered(answer, now),
            RmSessionInput::HeartbeatAnswered { sent, answer } => self.answered(sent, answer, now),
            RmSessionInput::Tick => self.tick(now),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<RmSessionEffect> {
        self.suspicious_until = self.suspicious_until.filter(|until| now < *until);
        if now < self.refresh_at {
            return Vec::new();
        }
        self.refresh_at = now + REFRESH;
        if self.is_registered() { vec![RmSessionEffect::RepeatOpen] } else { Vec::new() }
    }

    fn job_manager_ready(&mut self, web: Web) -> Vec<RmSessionEffect> {
        let told = self.early.as_ref().filter(|early| early.port != web.port);
        let told =
            told.map(|early| RmSessionEffect::Observe(Observation::OtherAddress { told: early.url.clone() }));
        match &self.phase {
            // The registration with the early address is under way, or comes next.
            Phase::Registering { .. } if self.early.is_some() => {}
            Phase::Waiting => self.phase = Phase::Registering { web, again: false },
            Phase::Registering { again, .. } => self.phase = Phase::Registering { web, again: *again },
            Phase::Serving { .. } => self.phase = Phase::Serving { web },
        }
        told.into_iter().collect()
    }

    fn registered(&mut self, answer: Result<Registration, RmFailure>, now: Instant) -> Vec<RmSessionEffect> {
        self.calling = false;
        let Phase::Registering { web, again } = self.phase.clone() else { return Vec::new() };
        let lost_an_answer = self.outage.is_some();
        let registration = match answer {
            Ok(registration) => registration,
            // An earlier try has reached the ResourceManager after all, but its answer is lost.
            Err(failure) if failure.is_repetition() && (lost_an_answer || again) => Registration {
                maximum: if again { self.maximum.clone() } else { unlimited() },
                ..Registration::default()
            },
            Err(failure) => return self.call_failed(failure, now),
        };
        self.outage = None;
        self.phase = Phase::Serving { web };
        self.last_call = now;
        self.maximum = registration.maximum.clone();
        let previous = registration.previous.len();
        let observation = if again {
            Observation::RegisteredAgain
        } else {
            Observation::Registered { largest: self.maximum.clone(), previous }
        };
        let effect = if again {
            RmSessionEffect::RegisteredAgain(registration.maximum)
        } else {
            RmSessionEffect::Registered(registration)
        };
        vec![RmSessionEffect::Observe(observation), effect]
    }

    fn answered(
        &mut self,
        sent: Outgoing,
        answer: Result<HeartbeatAnswer, RmFailure>,
        now: Instant,
    ) -> Vec<RmSessionEffect> {
        self.calling = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.kind == RmFailureKind::NotRegistered => return self.register_anew(),
            Err(failure) if failure.kind == RmFailureKind::Refused && !sent.asks.is_empty() => {
                return vec![RmSessionEffect::AsksRefused { sent, why: failure.text }];
            }
            Err(failure) => return self.call_failed(failure, now),
        };
        let certain = self.outage.take().is_none();
        let mut effects = Vec::new();
        if !certain {
            effects.push(RmSessionEffect::Observe(Observation::AnswersAgain));
        }
        let news = !(sent.asks.is_empty() && answer.granted.is_empty() && answer.completed.is_empty());
        self.busy_interval =
            if news { CLOSEST } else { (self.busy_interval * 5 / 4).min(self.pace.busy.max(CLOSEST)) };
        let command = answer.command;
        effects.push(RmSessionEffect::Answered { sent, certain, answer });
        match command {
            Some(RmCommand::Resync) => effects.extend(self.register_anew()),
            Some(RmCommand::Shutdown) => {
                effects.push(RmSessionEffect::End(Cause::AttemptOver("it ordered the shutdown".to_owned())));
            }
            None => {}
        }
        effects
    }

    fn register_anew(&mut self) -> Vec<RmSessionEffect> {
        let Phase::Serving { web } = &self.phase else { return Vec::new() };
        self.phase = Phase::Registering { web: web.clone(), again: true };
        self.outage = None;
        vec![RmSessionEffect::Observe(Observation::Forgotten)]
    }

    fn call_failed(&mut self, failure: RmFailure, now: Instant) -> Vec<RmSessionEffect> {
        let registering = matches!(self.phase, Phase::Registering { .. });
        match failure.kind {
            RmFailureKind::AttemptOver => {
                return vec![RmSessionEffect::End(Cause::AttemptOver(failure.text))];
            }
            RmFailureKind::Refused | RmFailureKind::AlreadyRegistered if registering => {
                let text = format!("cannot register the ApplicationMaster: {}", failure.text);
                return vec![RmSessionEffect::End(Cause::Internal(text))];
            }
            RmFailureKind::Refused
            | RmFailureKind::AlreadyRegistered
            | RmFailureKind::Unavailable
            | RmFailureKind::NotRegistered => {}
        }
        let since = self.outage.map_or(now, |outage| outage.since);
        if self.pace.patience.is_some_and(|patience| now - since > patience) {
            return vec![RmSessionEffect::End(Cause::ResourceManagerLost(failure.text))];
        }
        let wait = ((now - since) / PART_OF_OUTAGE).clamp(BACKOFF.0, BACKOFF.1);
        self.outage = Some(Outage { since, retry_at: now + wait });
        vec![RmSessionEffect::Observe(Observation::NoAnswer { error: failure.text, retry_in: wait })]
    }
}

/// Stands for the largest container when the answer that named it was lost. YARN itself refuses what is too
/// large.
fn unlimited() -> Profile {
    Profile { memory_mb: i32::MAX as u64, vcores: i32::MAX as u32, ..Profile::default() }
}

#[cfg(test)]
#[path = "rm_session_tests.rs"]
mod tests;

//! The session with the ResourceManager: registration, the pace of heartbeats, outages, and registration anew
//! after the ResourceManager was restarted. Pure: the time is an argument.
//!
//! ```text
//! Waiting ─the JobManager is ready─► Registering ─registered─► Serving ─the ResourceManager has forgotten us─► Registering
//! ```

use std::time::Duration;

use tokio::time::Instant;

use super::event::{BeatAnswer, Cause, Registration, RmCommand, RmFailure, RmFailureKind, Web};
use super::observation::Observation;
use crate::ledger::types::{Outgoing, Profile};

/// Least time between two heartbeats.
const CLOSEST: Duration = Duration::from_millis(100);
/// How often open asks and releases are repeated in case something was lost.
const REFRESH: Duration = Duration::from_secs(30);
/// How long heartbeats stay quick after a taskrunner's connection broke: its container has probably ended.
const SUSPICION: Duration = Duration::from_secs(10);
/// First and longest wait between tries while the ResourceManager does not answer.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Intervals of the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between heartbeats while nothing is asked for.
    pub(crate) idle: Duration,
    /// Longest time between heartbeats while asks are open.
    pub(crate) busy: Duration,
    /// How long the ResourceManager may be away; none means for ever.
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
pub(super) enum Input {
    /// The JobManager is ready, and its web interface is there.
    JobManagerReady(Web),
    /// A container has probably just ended.
    ContainerSuspected,
    /// Answer to [`Effect::Register`].
    Registered(Result<Registration, RmFailure>),
    /// Answer to [`Effect::Heartbeat`], which carried `sent`.
    Heartbeat { sent: Outgoing, answer: Result<BeatAnswer, RmFailure> },
    /// Time has passed.
    Tick,
}

/// What the session wants done, in this order.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
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
    Answered {
        sent: Outgoing,
        certain: bool,
        answer: BeatAnswer,
    },
    /// The asks of a heartbeat were refused, and would be again.
    AsksRefused {
        sent: Outgoing,
        why: String,
    },
    /// Repeat what is open, in case something was lost unseen.
    RepeatOpen,
    /// End the ApplicationMaster.
    End(Cause),
    Observe(Observation),
}

/// How far the registration is.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Waiting,
    /// `again`: the ResourceManager has forgotten us, and the JobManager need not know.
    Registering {
        web: Web,
        again: bool,
    },
    Serving {
        web: Web,
    },
}

/// A run of failed calls to the ResourceManager.
#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    retry_at: Instant,
    wait: Duration,
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
    /// Time between heartbeats while asks are open: short after news, longer with each answer that brings
    /// none.
    eager: Duration,
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
            eager: CLOSEST,
            outage: None,
            refresh_at: now + REFRESH,
            suspicious_until: None,
        }
    }

    /// Whether YARN knows us.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. })
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
            Demand::Answers | Demand::Nothing => self.eager.min(self.pace.busy),
        }
    }

    /// The next call to the ResourceManager, if it is due.
    pub(super) fn call(&mut self, demand: Demand, now: Instant) -> Vec<Effect> {
        if self.call_at(demand).is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.calling = true;
        self.last_call = now;
        match &self.phase {
            Phase::Registering { web, .. } => {
                vec![Effect::Observe(Observation::Registering), Effect::Register(web.clone())]
            }
            Phase::Waiting | Phase::Serving { .. } => vec![Effect::Heartbeat],
        }
    }

    /// One step.
    pub(super) fn step(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        match input {
            Input::JobManagerReady(web) => self.job_manager_ready(web),
            Input::ContainerSuspected => {
                self.suspicious_until = Some(now + SUSPICION);
                Vec::new()
            }
            Input::Registered(answer) => self.registered(answer, now),
            Input::Heartbeat { sent, answer } => self.answered(sent, answer, now),
            Input::Tick => self.tick(now),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<Effect> {
        self.suspicious_until = self.suspicious_until.filter(|until| now < *until);
        if now < self.refresh_at {
            return Vec::new();
        }
        self.refresh_at = now + REFRESH;
        if self.is_registered() { vec![Effect::RepeatOpen] } else { Vec::new() }
    }

    fn job_manager_ready(&mut self, web: Web) -> Vec<Effect> {
        let told = self.early.as_ref().filter(|early| early.port != web.port);
        let told = told.map(|early| Effect::Observe(Observation::OtherAddress { told: early.url.clone() }));
        match &self.phase {
            // A call with the early address is under way, or comes next.
            Phase::Registering { .. } if self.early.is_some() => {}
            Phase::Waiting | Phase::Registering { .. } => {
                self.phase = Phase::Registering { web, again: false };
            }
            Phase::Serving { .. } => self.phase = Phase::Serving { web },
        }
        told.into_iter().collect()
    }

    fn registered(&mut self, answer: Result<Registration, RmFailure>, now: Instant) -> Vec<Effect> {
        self.calling = false;
        let Phase::Registering { web, again } = self.phase.clone() else { return Vec::new() };
        let lost_an_answer = self.outage.is_some();
        let registration = match answer {
            Ok(registration) => registration,
            // An earlier try has reached the ResourceManager after all; what its answer said is lost.
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
            Effect::RegisteredAgain(registration.maximum)
        } else {
            Effect::Registered(registration)
        };
        vec![Effect::Observe(observation), effect]
    }

    fn answered(
        &mut self,
        sent: Outgoing,
        answer: Result<BeatAnswer, RmFailure>,
        now: Instant,
    ) -> Vec<Effect> {
        self.calling = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.kind == RmFailureKind::NotRegistered => return self.register_anew(),
            Err(failure) if failure.kind == RmFailureKind::Refused && !sent.asks.is_empty() => {
                return vec![Effect::AsksRefused { sent, why: failure.text }];
            }
            Err(failure) => return self.call_failed(failure, now),
        };
        let certain = self.outage.take().is_none();
        let mut effects = Vec::new();
        if !certain {
            effects.push(Effect::Observe(Observation::AnswersAgain));
        }
        let news = !(sent.asks.is_empty() && answer.granted.is_empty() && answer.completed.is_empty());
        self.eager = if news { CLOSEST } else { (self.eager * 5 / 4).min(self.pace.busy.max(CLOSEST)) };
        let command = answer.command;
        effects.push(Effect::Answered { sent, certain, answer });
        match command {
            Some(RmCommand::Resync) => effects.extend(self.register_anew()),
            Some(RmCommand::Shutdown) => {
                effects.push(Effect::End(Cause::AttemptOver("it ordered the shutdown".to_owned())));
            }
            None => {}
        }
        effects
    }

    fn register_anew(&mut self) -> Vec<Effect> {
        let Phase::Serving { web } = &self.phase else { return Vec::new() };
        self.phase = Phase::Registering { web: web.clone(), again: true };
        self.outage = None;
        vec![Effect::Observe(Observation::Forgotten)]
    }

    fn call_failed(&mut self, failure: RmFailure, now: Instant) -> Vec<Effect> {
        let registering = matches!(self.phase, Phase::Registering { .. });
        match failure.kind {
            RmFailureKind::AttemptOver => return vec![Effect::End(Cause::AttemptOver(failure.text))],
            RmFailureKind::Refused | RmFailureKind::AlreadyRegistered if registering => {
                let text = format!("cannot register the ApplicationMaster: {}", failure.text);
                return vec![Effect::End(Cause::Internal(text))];
            }
            RmFailureKind::Refused
            | RmFailureKind::AlreadyRegistered
            | RmFailureKind::Unavailable
            | RmFailureKind::NotRegistered => {}
        }
        let (since, wait) = match self.outage {
            Some(Outage { since, wait, .. }) => (since, (wait * 2).min(BACKOFF.1)),
            None => (now, BACKOFF.0),
        };
        if self.pace.patience.is_some_and(|patience| now - since > patience) {
            return vec![Effect::End(Cause::ResourceManagerLost(failure.text))];
        }
        self.outage = Some(Outage { since, retry_at: now + wait, wait });
        vec![Effect::Observe(Observation::NoAnswer { error: failure.text, retry_in: wait })]
    }
}

/// Stands for the largest container when the answer that named it was lost: YARN itself refuses what is too
/// large.
fn unlimited() -> Profile {
    Profile { memory_mb: i32::MAX as u64, vcores: i32::MAX as u32, ..Profile::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::types::{Ask, Purpose};

    const PACE: Pace = Pace {
        idle: Duration::from_secs(5),
        busy: Duration::from_millis(500),
        patience: Some(Duration::from_secs(60)),
    };

    fn web() -> Web {
        Web::at("http://n1:4567".into())
    }

    fn failure(kind: RmFailureKind, text: &str) -> RmFailure {
        RmFailure { kind, text: text.into() }
    }

    fn registration() -> Registration {
        Registration {
            maximum: Profile { memory_mb: 8192, vcores: 4, ..Profile::default() },
            ..Default::default()
        }
    }

    /// The effects without the observations.
    fn done(effects: Vec<Effect>) -> Vec<Effect> {
        effects.into_iter().filter(|effect| !matches!(effect, Effect::Observe(_))).collect()
    }

    fn serving(now: Instant) -> RmSession {
        let mut session = RmSession::new(PACE, None, now);
        session.step(Input::JobManagerReady(web()), now);
        assert_eq!(done(session.call(Demand::Nothing, now)), [Effect::Register(web())]);
        let effects = session.step(Input::Registered(Ok(registration())), now);
        assert_eq!(done(effects), [Effect::Registered(registration())]);
        session
    }

    fn answer(session: &mut RmSession, answer: Result<BeatAnswer, RmFailure>, now: Instant) -> Vec<Effect> {
        done(session.step(Input::Heartbeat { sent: Outgoing::default(), answer }, now))
    }

    #[test]
    fn it_registers_when_the_job_manager_is_ready_or_at_once_with_an_early_address() {
        let now = Instant::now();
        let mut session = RmSession::new(PACE, None, now);
        assert!(done(session.call(Demand::News, now)).is_empty(), "nobody to register for");
        let mut early = RmSession::new(PACE, Some(web()), now);
        assert_eq!(done(early.call(Demand::Nothing, now)), [Effect::Register(web())]);
        let elsewhere = Web::at("http://n1:1".into());
        let effects = early.step(Input::JobManagerReady(elsewhere), now);
        assert_eq!(effects, [Effect::Observe(Observation::OtherAddress { told: web().url })]);
    }

    #[test]
    fn heartbeats_follow_the_demand() {
        let now = Instant::now();
        let mut session = serving(now);
        assert_eq!(session.wake(Demand::Nothing) - now, PACE.idle);
        assert_eq!(session.wake(Demand::Answers) - now, CLOSEST);
        assert_eq!(session.wake(Demand::News) - now, CLOSEST);
        for _ in 0..20 {
            session.call(Demand::News, now);
            answer(&mut session, Ok(BeatAnswer::default()), now);
        }
        assert_eq!(session.wake(Demand::Answers) - now, PACE.busy, "less and less often without news");
        session.step(Input::ContainerSuspected, now);
        assert_eq!(session.wake(Demand::Nothing) - now, PACE.busy);
        session.step(Input::Tick, now + SUSPICION);
        assert_eq!(session.wake(Demand::Nothing) - now, PACE.idle);
        assert_eq!(session.step(Input::Tick, now + REFRESH), [Effect::RepeatOpen]);
    }

    #[test]
    fn an_outage_is_waited_out_until_patience_ends() {
        let mut now = Instant::now();
        let begin = now;
        let mut session = serving(now);
        let unavailable = || Err(failure(RmFailureKind::Unavailable, "refused"));
        let end = loop {
            now = session.wake(Demand::News);
            session.step(Input::Tick, now);
            if done(session.call(Demand::News, now)).is_empty() {
                continue;
            }
            let effects = answer(&mut session, unavailable(), now);
            if !effects.is_empty() {
                break effects;
            }
        };
        assert_eq!(end, [Effect::End(Cause::ResourceManagerLost("refused".into()))]);
        assert!(now - begin > Duration::from_secs(60));
        // The first answer after an outage may come from the ResourceManager's memory.
        let mut session = serving(now);
        answer(&mut session, unavailable(), now);
        let effects = answer(&mut session, Ok(BeatAnswer::default()), now);
        assert!(matches!(effects[..], [Effect::Answered { certain: false, .. }]), "{effects:?}");
    }

    #[test]
    fn a_resource_manager_that_has_forgotten_us_is_registered_with_again() {
        let now = Instant::now();
        let mut session = serving(now);
        assert_eq!(answer(&mut session, Err(failure(RmFailureKind::NotRegistered, "who")), now), []);
        assert!(!session.is_registered());
        assert_eq!(done(session.call(Demand::Nothing, now)), [Effect::Register(web())]);
        let again = failure(RmFailureKind::AlreadyRegistered, "Application Master is already registered : x");
        let effects = done(session.step(Input::Registered(Err(again)), now));
        assert_eq!(effects, [Effect::RegisteredAgain(registration().maximum)], "the size stays known");
    }

    #[test]
    fn already_registered_is_no_refusal_after_a_lost_answer_alone() {
        let now = Instant::now();
        let repeated =
            || failure(RmFailureKind::AlreadyRegistered, "Application Master is already registered : x");
        let mut session = RmSession::new(PACE, Some(web()), now);
        session.call(Demand::Nothing, now);
        session.step(Input::Registered(Err(failure(RmFailureKind::Unavailable, "reset"))), now);
        session.call(Demand::Nothing, session.wake(Demand::Nothing));
        let effects = done(session.step(Input::Registered(Err(repeated())), now));
        assert!(matches!(effects[..], [Effect::Registered(_)]), "{effects:?}");
        let mut fresh = RmSession::new(PACE, Some(web()), now);
        fresh.call(Demand::Nothing, now);
        let effects = done(fresh.step(Input::Registered(Err(repeated())), now));
        assert!(matches!(effects[..], [Effect::End(Cause::Internal(_))]), "{effects:?}");
    }

    #[test]
    fn refused_asks_are_told_from_refused_heartbeats() {
        let now = Instant::now();
        let refused = || failure(RmFailureKind::Refused, "no such label");
        let mut session = serving(now);
        let ask = Ask { purpose: Purpose::TaskManager, priority: 1, profile: Profile::default(), count: 1 };
        let sent = Outgoing { asks: vec![ask], releases: vec![] };
        let input = Input::Heartbeat { sent: sent.clone(), answer: Err(refused()) };
        let why = "no such label".to_owned();
        assert_eq!(done(session.step(input, now)), [Effect::AsksRefused { sent, why }]);
        assert_eq!(answer(&mut session, Err(refused()), now), [], "tried again like an outage");
        let over = failure(RmFailureKind::AttemptOver, "over");
        let end = answer(&mut session, Err(over), now);
        assert_eq!(end, [Effect::End(Cause::AttemptOver("over".into()))]);
    }
}

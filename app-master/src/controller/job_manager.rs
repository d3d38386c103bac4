//! The JobManager's JVM, as far as the ApplicationMaster has a say in it: when it is ready, how long it may
//! go on without its connection to us, whether it is started once more after its end, and how the application
//! ends by what it said last. Pure: the time is an argument.
//!
//! ```text
//! Starting ─► Leading
//!     ▲          │ the JVM ends: with high availability it is started again, after a wait
//!     └── Down ◄─┘ (without, and when that does not help, the attempt ends)
//! ```
//!
//! Each JVM has a *generation*, from 0: what an earlier one has said or done counts no more.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{Action, Output};
use super::observation::Observation;
use crate::bridge::{ToJvm, ZooKeeperSession};
use crate::jobmanager::JobManagerEnd;

/// How long a JobManager that has lost its connection may take to end by itself. It halts after 15 s.
const DISCONNECTED_GRACE: Duration = Duration::from_secs(20);
/// Between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// A JobManager that does not answer a ping for so long hangs. Flink's own heartbeats give up after 50 s.
const SILENCE: Duration = Duration::from_secs(50);
/// Within this time a JVM that was started has connected, also on a machine on which all is very slow.
const START_WITHIN: Duration = Duration::from_secs(300);
/// Ends of the JobManager that are longer ago count no more.
const MEMORY: Duration = Duration::from_secs(60);
/// With so many ends within [`MEMORY`] something is wrong that another start in this container does not mend.
const MOST_ENDS: usize = 6;
/// With so many starts in a row after which it was never ready, the node itself may be what is wrong.
const MOST_FAILED_STARTS: u32 = 2;
/// For so long starts may fail in a row if the application has had a JobManager that was ready, and the new
/// one does start: then what it needs is probably away (ZooKeeper, the NameNode), and would be away for a new
/// attempt as well. TaskManagers end by themselves five minutes after they have lost the JobManager.
const OUTAGE: Duration = Duration::from_secs(240);
/// The wait before the second start within [`MEMORY`], which is doubled for each further one, and the longest
/// wait.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What happens to the JobManager.
#[derive(Debug)]
pub(super) enum JobManagerInput {
    /// It has connected.
    Connected { flink: String, pid: u32 },
    /// It leads, and can be used. Its REST interface is at the URL `rest`; empty without one.
    Ready { rest: String, rpc: String },
    /// It has answered a ping.
    Pong,
    /// The session with ZooKeeper that its leadership depends on.
    Session(ZooKeeperSession),
    /// Its connection has ended.
    Disconnected { why: String },
    /// It tells of a failure; `by_main`: the user's `main()` has thrown.
    Failed { text: String, by_main: bool },
    /// It has sent a message that this release does not know.
    UnknownMessage,
    /// It has deregistered: the application ends with this status and these diagnostics.
    Deregister(FinalStatus, String),
    /// Its JVM has ended, or could not be started.
    Ended(JobManagerEnd),
    /// Time has passed. `reason_pending`: YARN has not yet said why a container ended.
    Tick { reason_pending: bool },
}

/// What follows from it for the rest of the controller.
#[derive(Debug, PartialEq)]
pub(super) enum JobManagerEffect {
    /// It can be used; `first`: for the first time.
    Ready { rest: String, first: bool },
    /// Its JVM has ended and is going to be started again. What it has requested is void, its TaskManagers
    /// stay.
    Lost,
    /// Its JVM has ended, and it has not deregistered before.
    Ended(JobManagerEnd),
    /// The application ends, as it has deregistered it.
    Deregistered(FinalStatus, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Leading,
    /// The next one is started then.
    Down {
        until: Instant,
    },
}

/// Whether the JVM that is connected still answers.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// When the next ping is due.
    ping_at: Instant,
    /// When it was pinged first since it was heard last.
    asked: Option<Instant>,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct JobManager {
    /// It is started again after an end. Only with high availability: without, Flink has lost its jobs, and a
    /// JobManager that looks alive would hide that.
    restarts: bool,
    generation: u32,
    phase: Phase,
    was_ready: bool,
    /// The JVM is killed if it has not connected by then.
    connect_by: Option<Instant>,
    /// A JobManager of this application was ready once, in this attempt or in an earlier one: its
    /// configuration is right.
    proven: bool,
    /// The JVM of this start has connected to us.
    connected: bool,
    kill_at: Option<Instant>,
    link: Option<Link>,
    /// What it has deregistered with. A failure waits here for YARN's reason for the end of a container,
    /// because as a rule that is why the application ends, and Flink sees the end before YARN tells the
    /// reason.
    deregistered: Option<(FinalStatus, String)>,
    /// Of this JobManager, or of the one before it as long as this one has none.
    session: Option<ZooKeeperSession>,
    /// Ends within [`MEMORY`], and whether it was ready before.
    ends: VecDeque<(Instant, bool)>,
    failed_starts: u32,
    /// When it was lost, or when the first of these starts failed.
    down_since: Option<Instant>,
    /// The JVM has told of a failure of its own.
    failed_itself: bool,
    /// The user's `main()` has thrown, as it would again.
    main_has_thrown: bool,
}

impl JobManager {
    /// `restarts`: whether it is started again after an end. `session`: of the JobManager of an earlier
    /// attempt.
    pub(super) fn new(restarts: bool, session: Option<ZooKeeperSession>, now: Instant) -> Self {
        Self {
            restarts,
            generation: 0,
            phase: Phase::Starting,
            was_ready: false,
            connect_by: restarts.then(|| now + START_WITHIN),
            proven: session.is_some(),
            connected: false,
            kill_at: None,
            link: None,
            deregistered: None,
            session,
            ends: VecDeque::new(),
            failed_starts: 0,
            down_since: None,
            failed_itself: false,
            main_has_thrown: false,
        }
    }

    /// The session of the JobManager of an earlier attempt is read. This comes before any message.
    pub(super) fn earlier_session(&mut self, session: Option<ZooKeeperSession>) {
        self.proven |= session.is_some();
        self.session = session;
    }

    /// Which JVM counts: the one that runs, or the one that is started next.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether it can be used.
    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Leading
    }

    /// The application's progress for YARN. Flink's own ApplicationMaster always says that it is done. Ours
    /// says so once the JobManager is ready: clients may see the application running before, and know by this
    /// when they can expect an answer.
    pub(super) fn progress(&self) -> f32 {
        if self.was_ready { 1.0 } else { 0.0 }
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        let restart = match self.phase {
            Phase::Down { until } => Some(until),
            Phase::Starting | Phase::Leading => None,
        };
        let link =
            self.link.map(|link| link.asked.map_or(link.ping_at, |asked| link.ping_at.min(asked + SILENCE)));
        [self.kill_at, self.connect_by, restart, link].into_iter().flatten().min()
    }

    /// One step.
    pub(super) fn step(
        &mut self,
        input: JobManagerInput,
        now: Instant,
        out: &mut Output,
    ) -> Option<JobManagerEffect> {
        if let Some(link) = &mut self.link
            && !matches!(input, JobManagerInput::Tick { .. })
        {
            link.asked = None;
        }
        match input {
            JobManagerInput::Connected { flink, pid } => {
                out.observe(Observation::JobManagerConnected { flink, pid });
                (self.kill_at, self.connect_by, self.connected) = (None, None, true);
                self.link = self.restarts.then_some(Link { ping_at: now + PING_INTERVAL, asked: None });
                out.act(Action::Tell(ToJvm::Start { previous_session: self.session.clone() }));
            }
            JobManagerInput::Ready { rest, rpc } => {
                out.observe(Observation::JobManagerReady { rest: rest.clone(), rpc });
                self.phase = Phase::Leading;
                (self.failed_starts, self.down_since, self.proven) = (0, None, true);
                let first = !std::mem::replace(&mut self.was_ready, true);
                return Some(JobManagerEffect::Ready { rest, first });
            }
            JobManagerInput::Pong => {}
            JobManagerInput::Session(session) => {
                if self.restarts {
                    out.act(Action::KeepZooKeeperSession(session.clone()));
                }
                self.session = Some(session);
            }
            JobManagerInput::Disconnected { why } => {
                out.observe(Observation::JobManagerDisconnected { why });
                self.link = None;
                self.kill_at = Some(now + DISCONNECTED_GRACE);
            }
            JobManagerInput::Failed { text, by_main } => {
                // A JobManager that fails takes its job along, for which `main()` waits: then that throws as
                // well, and not because of the user.
                self.main_has_thrown |= by_main && !self.failed_itself;
                self.failed_itself |= !by_main;
                out.observe(Observation::JobManagerFailure { text });
            }
            JobManagerInput::UnknownMessage => out.observe(Observation::UnknownMessage),
            JobManagerInput::Deregister(status, diagnostics) => {
                self.deregistered = Some((status, diagnostics));
            }
            // How it has deregistered counts, and may still wait for YARN's reason.
            JobManagerInput::Ended(_) if self.deregistered.is_some() => {}
            JobManagerInput::Ended(end) => return Some(self.ended(end, now, out)),
            JobManagerInput::Tick { reason_pending } => return self.tick(reason_pending, now, out),
        }
        None
    }

    fn ended(&mut self, end: JobManagerEnd, now: Instant, out: &mut Output) -> JobManagerEffect {
        (self.kill_at, self.connect_by, self.link) = (None, None, None);
        let was_ready = self.phase == Phase::Leading;
        let down_since = *self.down_since.get_or_insert(now);
        self.failed_starts += u32::from(!was_ready);
        self.ends.retain(|(at, _)| now - *at < MEMORY);
        self.ends.push_back((now, was_ready));
        let outage = self.proven && self.connected && now - down_since < OUTAGE;
        let hopeless = (self.failed_starts >= MOST_FAILED_STARTS && !outage)
            || end.port_taken
            || self.ends.iter().filter(|(_, was_ready)| *was_ready).count() >= MOST_ENDS;
        if !self.restarts || self.main_has_thrown || hopeless {
            return JobManagerEffect::Ended(end);
        }
        let before = u32::try_from(self.ends.len() - 1).unwrap_or(u32::MAX);
        let wait = before.checked_sub(1).map_or(Duration::ZERO, |doublings| {
            WAITS.0.saturating_mul(2_u32.saturating_pow(doublings)).min(WAITS.1)
        });
        out.observe(Observation::JobManagerRestarts { summary: end.summary, after: wait });
        self.phase = Phase::Down { until: now + wait };
        self.failed_itself = false;
        // What it has said last may come only now.
        self.generation += 1;
        JobManagerEffect::Lost
    }

    fn tick(&mut self, reason_pending: bool, now: Instant, out: &mut Output) -> Option<JobManagerEffect> {
        let due = |status: FinalStatus| !reason_pending || status == FinalStatus::Succeeded;
        if let Some((status, diagnostics)) = self.deregistered.take_if(|(status, _)| due(*status)) {
            return Some(JobManagerEffect::Deregistered(status, diagnostics));
        }
        if self.kill_at.take_if(|at| now >= *at).is_some() {
            out.act(Action::KillJobManager);
        }
        if let Phase::Down { until } = self.phase
            && now >= until
        {
            (self.phase, self.connected) = (Phase::Starting, false);
            self.connect_by = Some(now + START_WITHIN);
            out.act(Action::StartJobManager { generation: self.generation });
        }
        if self.connect_by.take_if(|by| now >= *by).is_some() {
            out.observe(Observation::JobManagerDoesNotConnect { within: START_WITHIN });
            out.act(Action::KillJobManager);
        }
        if let Some(link) = &mut self.link {
            if let Some(silence) = link.asked.map(|asked| now - asked).filter(|since| *since >= SILENCE) {
                out.observe(Observation::JobManagerHangs { silence });
                out.act(Action::KillJobManager);
                self.link = None;
            } else if now >= link.ping_at {
                link.ping_at = now + PING_INTERVAL;
                link.asked.get_or_insert(now);
                out.act(Action::Tell(ToJvm::Ping));
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "job_manager_tests.rs"]
mod tests;

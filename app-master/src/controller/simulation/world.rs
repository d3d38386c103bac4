//! The driver: a virtual clock, what is on its way between the controller and the models, and the checks of
//! what the controller does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flink_model::spec::ClusterMode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use yarn_api::ResponseId;
use yarn_api::records::ContainerId;

use super::Case;
use super::flink::{JobManager, Jvm, LONGEST_WAY, Taskrunner};
use super::yarn::{MAX_ATTEMPTS, Yarn};
use crate::bridge::{ToJvm, ZooKeeperSession};
use crate::control::ControlEvent;
use crate::controller::allocation::AskAhead;
use crate::controller::end::{Situation, decide};
use crate::controller::event::{Action, Cause, Event, HeartbeatAnswer, Output, Registration, RmFailure, Web};
use crate::controller::placement::Naming;
use crate::controller::rm_session::Pace;
use crate::controller::{Controller, FromEarlierAttempts, Settings};
use crate::ledger::types::{Outgoing, Profile};

/// So many steps at the same time mean that the controller wakes up without end.
const MOST_STEPS: u32 = 1000;

/// A call to the ResourceManager.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Register,
    Heartbeat(Outgoing),
}

/// Its answer.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Registered(Result<Registration, RmFailure>),
    Heartbeat(Outgoing, Result<(i32, HeartbeatAnswer), RmFailure>),
}

/// What is lost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Call,
    Answer,
    /// The answer to the next registration; other calls are not lost.
    RegistrationAnswer,
}

/// What is going to happen. The first number is that of the attempt which it concerns.
#[derive(Debug)]
pub(super) enum What {
    Called(u32, Call),
    Answered(u32, Answer),
    Told(u32, Event),
    ToJobManager(Jvm, ToJvm),
    JobManagerConnects(Jvm),
    JobManagerLeads(Jvm),
    JobManagerNotices(ContainerId),
    Start(u32, ContainerId),
    Connect(ContainerId),
    Address(u32, ContainerId),
    Launch(ContainerId, u64),
    Wait(ContainerId, u64),
    Stop(ContainerId, u64),
    JvmStarts(ContainerId),
    /// The process ends with this exit status.
    Ends(ContainerId, i32),
    /// NodeManagers, Flink and taskrunners do what they do each second.
    Second,
    /// The ResourceManager of this epoch has started.
    ResourceManagerStarts(u64),
    /// A NodeManager registers with the ResourceManager of this epoch.
    NodeRegisters(u64, usize),
    AttemptFails {
        counts: bool,
    },
    AttemptStarts,
}

/// Messages of one channel do not overtake each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    FromJobManager(Jvm),
    ToJobManager(Jvm),
    FromTaskrunner(ContainerId),
    ToTaskrunner(ContainerId),
}

/// An ApplicationMaster that runs.
pub(super) struct Master {
    pub(super) attempt: u32,
    pub(super) controller: Controller,
    /// As `AmRmClient` has it.
    pub(super) response_id: ResponseId,
    /// A call to the ResourceManager is under way.
    pub(super) calls: bool,
    pub(super) was_registered: bool,
    /// When it heard of the containers that it knows (`am::containers`).
    pub(super) heard_of: BTreeMap<ContainerId, Instant>,
    /// The containers for which the control server has launch commands.
    pub(super) launches: BTreeSet<ContainerId>,
}

pub(super) struct World {
    began: Instant,
    pub(super) now: Instant,
    random: StdRng,
    queue: BTreeMap<(Instant, u64), What>,
    sequence: u64,
    channels: BTreeMap<Channel, Instant>,
    pub(super) case: Case,
    pub(super) yarn: Yarn,
    pub(super) master: Option<Master>,
    pub(super) job_manager: Option<JobManager>,
    pub(super) taskrunners: BTreeMap<ContainerId, Taskrunner>,
    /// The TaskManagers that Flink uses: they are registered with the newest JobManager that has led, or will
    /// register with the next one.
    pub(super) used: BTreeSet<ContainerId>,
    pub(super) answered_requests: BTreeSet<(Jvm, u64)>,
    pub(super) zookeeper: Option<ZooKeeperSession>,
    kept_session: Option<ZooKeeperSession>,
    pub(super) wanted: usize,
    pub(super) losses: Vec<Loss>,
    pub(super) failing_starts: u32,
    pub(super) failing_job_managers: u32,
    pub(super) links: u64,
    steps: (Instant, u32),
    /// YARN has ended the application, because too many attempts have failed within the validity interval.
    pub(super) over: bool,
    /// What the controller has done and must not do.
    pub(super) violation: Option<String>,
    log: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(case: &Case, logs: bool) -> Self {
        let now = Instant::now();
        let mut world = Self {
            began: now,
            now,
            random: StdRng::seed_from_u64(case.seed),
            queue: BTreeMap::new(),
            sequence: 0,
            channels: BTreeMap::new(),
            case: case.clone(),
            yarn: Yarn::new(),
            master: None,
            job_manager: None,
            taskrunners: BTreeMap::new(),
            used: BTreeSet::new(),
            answered_requests: BTreeSet::new(),
            zookeeper: None,
            kept_session: None,
            wanted: case.wanted,
            losses: Vec::new(),
            failing_starts: 0,
            failing_job_managers: 0,
            links: 0,
            steps: (now, 0),
            over: false,
            violation: None,
            log: logs.then(Vec::new),
        };
        world.attempt_starts();
        world.after(1000, What::Second);
        world
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:9.3} {}", (self.now - self.began).as_secs_f32(), text()));
        }
    }

    pub(super) fn log(&self) -> String {
        self.log.iter().flatten().fold(String::new(), |text, line| text + "\n" + line)
    }

    pub(super) fn fail(&mut self, what: String) {
        self.note(|| what.clone());
        self.violation.get_or_insert(what);
    }

    /// A random number below `below`.
    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.random.random_range(0..below)
    }

    pub(super) fn at(&mut self, at: Instant, what: What) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), what);
    }

    /// It happens after this many milliseconds.
    pub(super) fn after(&mut self, ms: u64, what: What) {
        self.at(self.now + Duration::from_millis(ms), what);
    }

    /// It happens at any time within this many milliseconds.
    pub(super) fn within(&mut self, ms: u64, what: What) {
        let ms = self.random(ms);
        self.after(ms, what);
    }

    /// It arrives at the other end of the channel: as a rule soon, at the latest after [`LONGEST_WAY`].
    pub(super) fn send(&mut self, channel: Channel, what: What) {
        let most = if self.random(10) == 0 { LONGEST_WAY } else { LONGEST_WAY / 20 };
        let soonest = self.now + most.mul_f64(self.random.random());
        let last = self.channels.get(&channel).copied();
        let at = last.map_or(soonest, |last| last.max(soonest));
        self.channels.insert(channel, at);
        self.at(at, what);
    }

    /// Runs for this time.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.violation.is_none() && !self.over {
            let wake = self.master.as_ref().map(|master| master.controller.wake().max(self.now));
            let next = self.queue.first_key_value().map(|(key, _)| key.0);
            let Some(at) = wake.into_iter().chain(next).min().filter(|at| *at <= until) else { break };
            self.steps = if at == self.now { (at, self.steps.1 + 1) } else { (at, 0) };
            self.now = at;
            if self.steps.1 > MOST_STEPS {
                return self.fail("the controller wakes up without end".to_owned());
            }
            if wake == Some(at) {
                self.tick();
            } else if let Some((_, what)) = self.queue.pop_first() {
                self.happens(what);
            }
        }
        self.now = until;
    }

    fn tick(&mut self) {
        let Some(master) = &mut self.master else { return };
        let output = master.controller.tick(self.now);
        self.follow(output);
    }

    pub(super) fn handle(&mut self, attempt: u32, event: Event) {
        let Some(master) = self.master.as_mut().filter(|master| master.attempt == attempt) else { return };
        if let Event::Control(ControlEvent::Started { container, .. }) = &event {
            master.launches.remove(container);
        }
        let output = master.controller.handle(event, self.now);
        self.follow(output);
    }

    fn follow(&mut self, output: Output) {
        for action in output.actions {
            if !matches!(&action, Action::SendHeartbeat(heartbeat) if heartbeat.sent == Outgoing::default()) {
                self.note(|| format!("  {action:?}"));
            }
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        let Some(master) = &mut self.master else { return };
        let attempt = master.attempt;
        match action {
            Action::Register(_) => {
                master.response_id.registering();
                self.call(Call::Register);
            }
            Action::SendHeartbeat(heartbeat) => {
                for container in heartbeat.sent.releases.iter().filter(|one| self.used.contains(one)) {
                    self.violation.get_or_insert(format!("{container} is released, and Flink uses it"));
                }
                self.call(Call::Heartbeat(heartbeat.sent));
            }
            Action::ListNodes => self.within(2000, What::Told(attempt, Event::Nodes(Vec::new()))),
            Action::Tell(message) => self.tell(message),
            Action::KillJobManager => {
                if self.job_manager.as_ref().is_some_and(|flink| !flink.hung(self.now)) {
                    self.fail("a JobManager that answers is killed".to_owned());
                }
                self.job_manager_dies();
            }
            Action::StartJobManager { generation } => self.start_job_manager((attempt, generation)),
            Action::KeepZooKeeperSession(session) => self.kept_session = Some(session),
            Action::End(cause) => self.end(cause),
            Action::Start(container) => self.within(300, What::Start(attempt, container)),
            Action::Launch(container, _) => {
                master.launches.insert(container);
                self.command(container, What::Launch);
            }
            Action::KeepWaiting(container) => drop(self.command(container, What::Wait)),
            Action::Stop { container, started, .. } => self.stop(container, started),
            Action::SendAddress(container) => self.within(5000, What::Address(attempt, container)),
            Action::Forget(container) => {
                master.heard_of.remove(&container);
                master.launches.remove(&container);
            }
            Action::KeepSubmission(_)
            | Action::UseTokens(_)
            | Action::LookAtJobs(_)
            | Action::ExplainJob(..)
            | Action::ShutDownJobManager(_)
            | Action::Archive(_)
            | Action::MemoryKills(_) => {}
        }
    }

    fn end(&mut self, cause: Cause) {
        let Some(attempt) = self.master.as_ref().map(|master| master.attempt) else { return };
        let situation = Situation { attempt, max_attempts: MAX_ATTEMPTS, high_availability: true };
        let end = decide(&cause, situation);
        if !matches!(cause, Cause::JobManagerEnded(_)) || end.unregister.is_some() || end.stop_task_managers {
            self.fail(format!("attempt {attempt} ends: {cause:?}: {end:?}"));
        }
        self.master_dies(true);
    }

    fn attempt_starts(&mut self) {
        let attempt = self.yarn.attempt;
        self.note(|| format!("attempt {attempt}"));
        let size = Profile { memory_mb: 1024, vcores: 1, ..Profile::default() };
        let keep = Duration::from_secs(30);
        let settings = Settings {
            mode: ClusterMode::Session,
            pace: Pace { idle: Duration::from_secs(5), busy: Duration::from_millis(500), patience: None },
            early: self.case.early.then(|| Web::at("http://n0:4567".to_owned())),
            ask_ahead: self.case.ahead.then_some(AskAhead { size, count: 2, keep }),
            naming: Naming { possible: self.case.names, ..Naming::default() },
            high_availability: Some(FromEarlierAttempts {
                session: self.kept_session.clone(),
                ..FromEarlierAttempts::default()
            }),
            tokens: None,
        };
        self.master = Some(Master {
            attempt,
            controller: Controller::new(settings, self.now),
            response_id: ResponseId::default(),
            calls: false,
            was_registered: false,
            heard_of: BTreeMap::new(),
            launches: BTreeSet::new(),
        });
        self.start_job_manager((attempt, 0));
        self.taskrunners_find(attempt);
    }

    /// The ApplicationMaster's process ends, and the JobManager with it.
    pub(super) fn master_dies(&mut self, counts: bool) {
        if self.master.take().is_some() {
            self.note(|| "the ApplicationMaster is dead".to_owned());
            self.job_manager = None;
            self.taskrunners.values_mut().for_each(|taskrunner| taskrunner.link = None);
            self.within(5000, What::AttemptFails { counts });
        }
    }

    fn happens(&mut self, what: What) {
        match what {
            What::Called(attempt, call) => self.called(attempt, call),
            What::Answered(attempt, answer) => self.answered(attempt, answer),
            What::Told(attempt, event) => {
                self.note(|| format!("{event:?}"));
                self.handle(attempt, event);
            }
            What::JobManagerConnects(jvm) | What::JobManagerLeads(jvm) | What::ToJobManager(jvm, _)
                if self.job_manager.as_ref().is_none_or(|job_manager| job_manager.jvm != jvm) => {}
            What::JobManagerConnects(_) => self.job_manager_connects(),
            What::JobManagerLeads(jvm) => self.job_manager_leads(jvm),
            What::ToJobManager(jvm, message) => self.job_manager_hears(jvm, message),
            What::JobManagerNotices(container) => {
                let said = self.job_manager.as_mut().map(|flink| flink.notices_end(container));
                self.job_manager_says(said.unwrap_or_default());
            }
            What::Second => {
                self.after(1000, What::Second);
                self.second();
            }
            What::ResourceManagerStarts(epoch) | What::NodeRegisters(epoch, _)
                if epoch != self.yarn.epoch => {}
            What::ResourceManagerStarts(_) => self.yarn.up = true,
            What::NodeRegisters(_, node) => {
                self.note(|| format!("NodeManager {node} registers"));
                self.yarn.node_registers(node);
            }
            What::AttemptFails { .. } | What::AttemptStarts if !self.yarn.up => self.after(1000, what),
            What::AttemptFails { counts } => {
                self.over = !self.yarn.attempt_failed(counts, self.now);
                self.within(10_000, What::AttemptStarts);
            }
            What::AttemptStarts => self.attempt_starts(),
            what => self.taskrunner_happens(what),
        }
    }
}

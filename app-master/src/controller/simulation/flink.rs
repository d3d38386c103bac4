//! A model of Flink: the JobManager as it behaves towards heddle-am, with the bridge in its JVM, and what is
//! known of each TaskManager and its taskrunner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::ContainerId;

use crate::bridge::{FromJvm, ToJvm, WorkerInfo};

/// How long a message from one process to another is under way at most.
pub(super) const LONGEST_WAY: Duration = Duration::from_secs(3);
/// How long the bridge waits for `previous` before Flink leads without it.
const PREVIOUS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long Flink counts on a TaskManager of an earlier JobManager that has not registered
/// (`resourcemanager.previous-worker.recovery.timeout`, as heddle sets it).
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a TaskManager may take to register (`resourcemanager.taskmanager-registration.timeout`).
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a TaskManager may be idle (`resourcemanager.taskmanager-timeout`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A JVM of the JobManager: the attempt, and its generation.
pub(super) type Jvm = (u32, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It does not lead yet.
    Starting,
    /// It leads, and waits for the TaskManagers that there are.
    Waiting { until: Instant },
    /// It takes registrations of TaskManagers. `told`: of those that there are, so that it requests others.
    Leading { told: bool },
}

/// A TaskManager that the JobManager knows.
#[derive(Debug)]
struct Worker {
    registered: bool,
    /// Started by an earlier JobManager.
    previous: bool,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct JobManager {
    pub(super) jvm: Jvm,
    phase: Phase,
    workers: BTreeMap<ContainerId, Worker>,
    pending: BTreeSet<u64>,
    last_id: u64,
    surplus_since: Option<Instant>,
    /// Stopped by a signal until then.
    pub(super) hangs_until: Option<Instant>,
}

impl JobManager {
    pub(super) fn new(jvm: Jvm) -> Self {
        Self {
            jvm,
            phase: Phase::Starting,
            workers: BTreeMap::new(),
            pending: BTreeSet::new(),
            last_id: 0,
            surplus_since: None,
            hangs_until: None,
        }
    }

    pub(super) fn serves(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Leading { .. }) && self.hangs_until.is_none_or(|until| now >= until)
    }

    /// Whether it did not answer until a moment ago.
    pub(super) fn hung(&self, now: Instant) -> bool {
        self.hangs_until.is_some_and(|until| now < until + 2 * LONGEST_WAY)
    }

    /// It has become leader.
    pub(super) fn leads(&mut self, now: Instant) {
        self.phase = Phase::Waiting { until: now + PREVIOUS_TIMEOUT };
    }

    /// The TaskManagers that have registered.
    pub(super) fn registered(&self) -> BTreeSet<ContainerId> {
        let registered = self.workers.iter().filter(|(_, worker)| worker.registered);
        registered.map(|(container, _)| *container).collect()
    }

    /// What it has requested, and TaskManagers that it waits for.
    pub(super) fn waits_for(&self) -> usize {
        self.pending.len() + self.workers.values().filter(|worker| !worker.registered).count()
    }

    /// A TaskManager registers; gives whether it is known.
    pub(super) fn register(&mut self, container: ContainerId) -> bool {
        let worker = self.workers.get_mut(&container);
        worker.map(|worker| worker.registered = true).is_some()
    }

    /// A message of heddle-am.
    pub(super) fn hear(&mut self, message: ToJvm, now: Instant) -> Vec<FromJvm> {
        match message {
            ToJvm::Ping => return vec![FromJvm::Pong],
            // `BeforeLeading` has no use for them.
            _ if self.phase == Phase::Starting => {}
            ToJvm::Previous { workers } => {
                for worker in &workers {
                    let known = Worker { registered: false, previous: true, since: now };
                    self.workers.entry(id_of(worker)).or_insert(known);
                }
                self.phase = Phase::Leading { told: true };
            }
            ToJvm::Allocated { id, worker } => {
                let container = id_of(&worker);
                if !self.pending.remove(&id) {
                    return vec![FromJvm::Release { worker: container }];
                }
                self.workers.insert(container, Worker { registered: false, previous: false, since: now });
                return vec![FromJvm::Launch { id, worker: container }];
            }
            ToJvm::Failed { id, .. } => drop(self.pending.remove(&id)),
            ToJvm::Terminated { worker, .. } => drop(self.workers.remove(&parse(&worker))),
            ToJvm::Start { .. }
            | ToJvm::Registered { .. }
            | ToJvm::ObtainTokens { .. }
            | ToJvm::Log { .. }
            | ToJvm::Deregistered
            | ToJvm::Fatal { .. } => {}
        }
        Vec::new()
    }

    /// Flink has noticed by itself that a TaskManager is gone.
    pub(super) fn notices_end(&mut self, container: ContainerId) -> Vec<FromJvm> {
        let known = self.workers.remove(&container);
        known.map(|_| FromJvm::Release { worker: container }).into_iter().collect()
    }

    /// Flink's timers: it requests what is missing of the `wanted` TaskManagers, and gives back what it does
    /// not need.
    pub(super) fn beat(&mut self, wanted: usize, now: Instant) -> Vec<FromJvm> {
        if let Phase::Waiting { until } = self.phase
            && now >= until
        {
            self.phase = Phase::Leading { told: false };
        }
        if self.phase != (Phase::Leading { told: true }) {
            return Vec::new();
        }
        let overdue = |worker: &Worker| !worker.registered && now - worker.since >= REGISTRATION_TIMEOUT;
        let mut returned: Vec<ContainerId> =
            self.workers.iter().filter(|(_, worker)| overdue(worker)).map(|(id, _)| *id).collect();
        let registered = self.registered();
        self.surplus_since = (registered.len() > wanted).then(|| self.surplus_since.unwrap_or(now));
        if self.surplus_since.take_if(|since| now - *since >= IDLE_TIMEOUT).is_some() {
            returned.extend(registered.iter().skip(wanted));
        }
        self.workers.retain(|id, _| !returned.contains(id));
        let mut said: Vec<_> = returned.into_iter().map(|worker| FromJvm::Release { worker }).collect();
        let counts_on =
            |worker: &&Worker| worker.registered || !worker.previous || now - worker.since < RECOVERY_TIMEOUT;
        let expected = self.workers.values().filter(counts_on).count();
        while expected + self.pending.len() < wanted {
            self.last_id += 1;
            self.pending.insert(self.last_id);
            said.push(request(self.last_id));
        }
        while expected + self.pending.len() > wanted
            && let Some(id) = self.pending.pop_last()
        {
            said.push(FromJvm::Cancel { id });
        }
        said
    }
}

fn request(id: u64) -> FromJvm {
    FromJvm::Request {
        id,
        memory_mb: 1024,
        vcores: 1,
        resources: BTreeMap::new(),
        jvm_args: Vec::new(),
        args: Vec::new(),
    }
}

fn parse(worker: &str) -> ContainerId {
    worker.parse().unwrap()
}

/// The container that a message of heddle-am names.
pub(super) fn id_of(worker: &WorkerInfo) -> ContainerId {
    parse(&worker.worker)
}

/// A started container: its taskrunner, and the TaskManager's JVM.
#[derive(Debug)]
pub(super) struct Taskrunner {
    /// The attempt whose address it knows.
    pub(super) home: u32,
    /// Number of its connection to the ApplicationMaster, while there is one.
    pub(super) link: Option<u64>,
    /// Its JVM runs.
    pub(super) jvm: bool,
    /// The JobManager that it is registered with.
    pub(super) registered: Option<Jvm>,
    /// Since when it waits for a launch command.
    pub(super) waits_since: Instant,
    /// Since when its JVM has had no JobManager.
    pub(super) alone_since: Instant,
    /// It was told to end.
    pub(super) stops: bool,
}

impl Taskrunner {
    pub(super) fn new(home: u32, now: Instant) -> Self {
        Self {
            home,
            link: None,
            jvm: false,
            registered: None,
            waits_since: now,
            alone_since: now,
            stops: false,
        }
    }
}

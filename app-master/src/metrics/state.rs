//! What is counted of one attempt, from what the controller observes. Pure: the time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use taskrunner::cause::{ExitCause, Fault};
use taskrunner::control::OutOfMemory;
use tokio::time::Instant;
use yarn_api::records::{ContainerId, NodeId};

use super::histogram::Histogram;
use crate::controller::observation::Observation;
use crate::ledger::types::Profile;

/// What is known of the attempt from its start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct About {
    pub(crate) application: String,
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) flink: String,
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The container of heddle-am and of the JobManager.
    pub(crate) container: String,
    /// The host of that container.
    pub(crate) host: String,
    /// When heddle-am was started, in ms since 1970.
    pub(crate) started: u64,
}

/// The kind of the cause with which a TaskManager has ended: the values of a label, of which there are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EndKind {
    /// Flink has given it back, or heddle has.
    Released,
    /// The process has ended with exit code 0.
    Finished,
    /// The process has ended with another exit code.
    Process,
    /// A signal has ended the process, and it is not known who has sent it.
    Signal,
    /// The JVM has run out of memory of its own.
    OutOfMemory,
    /// The container has used more memory than it has, and YARN or the kernel has ended it.
    MemoryLimit,
    /// The node was lost or is broken.
    Node,
    /// YARN's scheduler or an operator has ended it.
    Cluster,
    /// The container could not be started.
    NotStarted,
}

impl EndKind {
    pub(super) const ALL: [Self; 9] = [
        Self::Released,
        Self::Finished,
        Self::Process,
        Self::Signal,
        Self::OutOfMemory,
        Self::MemoryLimit,
        Self::Node,
        Self::Cluster,
        Self::NotStarted,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Finished => "finished",
            Self::Process => "process",
            Self::Signal => "signal",
            Self::OutOfMemory => "out_of_memory",
            Self::MemoryLimit => "memory_limit",
            Self::Node => "node",
            Self::Cluster => "cluster",
            Self::NotStarted => "not_started",
        }
    }

    fn of(cause: &ExitCause) -> Self {
        if cause.not_started.is_some() {
            return Self::NotStarted;
        }
        match cause.fault {
            Fault::Nobody => Self::Finished,
            Fault::Memory => Self::MemoryLimit,
            Fault::Node => Self::Node,
            Fault::Cluster => Self::Cluster,
            Fault::Ours => Self::Released,
            Fault::Process => match &cause.jvm {
                Some(jvm) if jvm.out_of_memory != OutOfMemory::OomNone => Self::OutOfMemory,
                Some(jvm) if jvm.signal.is_some() => Self::Signal,
                Some(jvm) if jvm.code == Some(0) => Self::Finished,
                _ => Self::of_status(cause.yarn.as_ref().map(|yarn| yarn.status)),
            },
        }
    }

    /// By the exit code that YARN reports, which is 128 and the number of the signal if one has ended the
    /// process.
    fn of_status(status: Option<i32>) -> Self {
        match status {
            Some(129..=192) => Self::Signal,
            _ => Self::Process,
        }
    }
}

/// A container of a TaskManager.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) node: NodeId,
    /// When it was granted, or when its TaskManager was launched if it was granted ahead of its request.
    since: Instant,
    /// The container's memory in bytes; 0 if it is not known, as of one that an earlier attempt has started.
    pub(super) memory: u64,
    /// Whether its JVM runs, or has run.
    up: bool,
    /// Whether it is given back, or its TaskManager has ended.
    over: bool,
    /// Why it has ended, as far as it is known.
    end: Option<EndKind>,
}

/// A request that waits for its container.
#[derive(Debug)]
struct Open {
    since: Instant,
    memory: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) requested: u64,
    pub(super) requested_ahead: u64,
    pub(super) cancelled: u64,
    pub(super) refused: u64,
    pub(super) granted: u64,
    pub(super) adopted: u64,
    pub(super) started: u64,
    pub(super) ended: BTreeMap<EndKind, u64>,
    pub(super) no_answers: u64,
    pub(super) restarts: u64,
    pub(super) grant_time: Histogram,
    pub(super) start_time: Histogram,
    /// The URL of the JobManager's REST interface, while it can be used.
    pub(super) rest: Option<String>,
    /// When the ResourceManager has last answered.
    pub(super) answered: Option<Instant>,
    /// What Flink has requested, by the number of the request.
    open: BTreeMap<u64, Open>,
    /// What was asked for ahead of any request. It does not wait any more once the JobManager is ready.
    ahead: VecDeque<Open>,
    held: BTreeMap<ContainerId, Held>,
}

/// How many TaskManagers are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) waiting: usize,
    pub(super) starting: usize,
    pub(super) running: usize,
}

impl State {
    /// The ResourceManager has answered.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered = Some(now);
    }

    /// Takes note of an observation, if it is counted.
    pub(super) fn step(&mut self, observation: &Observation, now: Instant) {
        match observation {
            Observation::NoAnswer { .. } => self.no_answers += 1,
            Observation::JobManagerReady { rest, .. } => {
                self.rest = Some(rest.clone());
                self.ahead.clear();
            }
            Observation::JobManagerDisconnected { .. } => self.rest = None,
            Observation::JobManagerRestarts { .. } => {
                self.rest = None;
                self.restarts += 1;
                self.open.clear();
                // Nothing is asked for ahead of its requests any more, either.
                self.ahead.clear();
            }
            Observation::Requested { request, size } => {
                self.requested += 1;
                self.open.insert(*request, open(size, now));
            }
            Observation::AskedAhead { count, size } => {
                self.requested_ahead += u64::from(*count);
                self.ahead.extend((0..*count).map(|_| open(size, now)));
            }
            Observation::Cancelled { request } => {
                self.cancelled += 1;
                self.open.remove(request);
            }
            Observation::Refused { request, .. } => {
                self.refused += 1;
                self.open.remove(request);
            }
            Observation::Granted { request, container, node } => {
                self.granted(*request, *container, node, now);
            }
            Observation::Adopted { container, node } => {
                self.adopted += 1;
                self.hold(*container, node, 0, now).up = true;
            }
            Observation::Launching { container, started_ahead: true } => {
                if let Some(held) = self.held.get_mut(container) {
                    held.since = now;
                }
            }
            Observation::TaskManagerStarted { container, .. } => {
                if let Some(held) = self.held.get_mut(container).filter(|held| !held.up) {
                    held.up = true;
                    // If its start seemed to have failed, it has not.
                    held.end = None;
                    self.started += 1;
                    self.start_time.add(now.saturating_duration_since(held.since));
                }
            }
            Observation::Stopping { container, .. } => self.over(*container, None),
            // Whether it is over follows: if it runs all the same, the failure has no consequence.
            Observation::StartFailed { container, .. } => {
                if let Some(held) = self.held.get_mut(container).filter(|held| !held.up && !held.over) {
                    held.end = Some(EndKind::NotStarted);
                }
            }
            // If the end was wanted, the container was given back.
            Observation::TaskManagerEnded { container, report, .. }
                if self.held.get(container).is_some_and(|held| !held.over) =>
            {
                self.over(*container, Some(EndKind::of(&ExitCause::new(None, Some(&**report)))));
            }
            Observation::ContainerEnded { container, cause, .. } => {
                self.over(*container, Some(EndKind::of(cause)));
            }
            Observation::ContainerGone { container, unknown, .. } => {
                if let Some(held) = self.held.remove(container) {
                    let unknown = unknown.as_ref().map(|cause| EndKind::of(cause));
                    let end = unknown.or(held.end).unwrap_or(EndKind::Released);
                    *self.ended.entry(end).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn granted(&mut self, request: Option<u64>, container: ContainerId, node: &NodeId, now: Instant) {
        let asked = match request {
            Some(request) => self.open.remove(&request),
            None => self.ahead.pop_front(),
        };
        let memory = asked.as_ref().map_or(0, |asked| asked.memory);
        // One that came ahead of its request is granted for it once more. If it came when nothing waited
        // any more, its memory is known only now.
        if let Some(held) = self.held.get_mut(&container) {
            held.memory = held.memory.max(memory);
            return;
        }
        self.granted += 1;
        if let Some(asked) = asked {
            self.grant_time.add(now.saturating_duration_since(asked.since));
        }
        self.hold(container, node, memory, now);
    }

    fn hold(&mut self, container: ContainerId, node: &NodeId, memory: u64, now: Instant) -> &mut Held {
        let new = || Held { node: node.clone(), since: now, memory, up: false, over: false, end: None };
        self.held.entry(container).or_insert_with(new)
    }

    fn over(&mut self, container: ContainerId, end: Option<EndKind>) {
        if let Some(held) = self.held.get_mut(&container) {
            held.over = true;
            held.end = end.or(held.end);
        }
    }

    /// How many TaskManagers are in each state.
    pub(super) fn states(&self) -> States {
        let live = || self.held.values().filter(|held| !held.over);
        States {
            waiting: self.open.len() + self.ahead.len(),
            starting: live().filter(|held| !held.up).count(),
            running: live().filter(|held| held.up).count(),
        }
    }

    /// For how long the oldest request waits.
    pub(super) fn longest_wait(&self, now: Instant) -> Duration {
        let open = self.open.values().chain(&self.ahead);
        open.map(|open| now.saturating_duration_since(open.since)).max().unwrap_or_default()
    }

    /// The containers in which a TaskManager runs or starts.
    pub(super) fn live(&self) -> impl Iterator<Item = (ContainerId, &Held)> {
        self.held.iter().filter(|(_, held)| !held.over).map(|(container, held)| (*container, held))
    }

    /// The container, if a TaskManager runs or starts in it.
    pub(super) fn live_one(&self, container: ContainerId) -> Option<&Held> {
        self.held.get(&container).filter(|held| !held.over)
    }
}

fn open(size: &Profile, now: Instant) -> Open {
    Open { since: now, memory: size.memory_mb << 20 }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

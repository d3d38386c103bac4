//! A model of YARN: the ResourceManager with the rules of Hadoop 3.3, and its NodeManagers.
//!
//! The rules are those of `ApplicationMasterService` (registration, response ids), `DefaultAMSProcessor`
//! (previous containers), `AbstractYarnScheduler` (recovered containers, early releases),
//! `SchedulerApplicationAttempt.addRMContainer` (containers of earlier attempts that are recovered later than
//! the ApplicationMaster), `RMAppAttemptImpl` (ends of containers that the ApplicationMaster may not have
//! heard of, failures that count) and `RMAppImpl` (the validity interval).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::{ApplicationAttemptId, ApplicationId, ContainerId, NodeId};

use super::super::event::{HeartbeatAnswer, Registration, RmFailure, RmFailureKind};
use crate::ledger::types::{Completed, Grant, Outgoing, Profile, Purpose, node_id};

pub(super) const NODES: usize = 3;
/// `yarn.resourcemanager.am.max-attempts`.
pub(super) const MAX_ATTEMPTS: u32 = 2;
/// `yarn.application-attempt-failures-validity-interval`, as with Flink and high availability.
const VALIDITY: Duration = Duration::from_secs(10);
/// `ContainerExitStatus.ABORTED`.
const ABORTED: i32 = -100;

/// A NodeManager. It outlives ResourceManagers.
#[derive(Debug, Default)]
struct Node {
    /// With the ResourceManager that runs now.
    registered: bool,
    /// Epoch of the ResourceManager with which it registered last; it refuses containers of earlier ones.
    epoch: u64,
    /// What runs, and what has ended with an exit status that no ApplicationMaster has acknowledged.
    containers: BTreeMap<ContainerId, Option<i32>>,
}

/// A container as the ResourceManager knows it.
#[derive(Debug)]
struct Live {
    node: usize,
    /// The NodeManager has reported that it runs.
    running: bool,
}

#[derive(Debug)]
pub(super) struct Yarn {
    pub(super) up: bool,
    pub(super) attempt: u32,
    pub(super) epoch: u64,
    sequence: u64,
    nodes: [Node; NODES],
    failures: Vec<Instant>,
    /// Its last answer and the answer's number; none before the registration.
    last: Option<(i32, HeartbeatAnswer)>,
    asks: BTreeMap<i32, u32>,
    live: BTreeMap<ContainerId, Live>,
    /// The node of each container that was ever granted.
    placed: BTreeMap<ContainerId, usize>,
    granted: Vec<Grant>,
    /// Containers of earlier attempts that were recovered after this attempt began.
    recovered: Vec<ContainerId>,
    /// Containers that were released before their NodeManagers were back.
    released_early: BTreeSet<ContainerId>,
    finished: Vec<Completed>,
    /// Those of the last answer: they are acknowledged by the next heartbeat.
    finished_sent: Vec<Completed>,
}

fn failure(kind: RmFailureKind) -> RmFailure {
    RmFailure { kind, text: format!("{kind:?}") }
}

pub(super) fn unavailable() -> RmFailure {
    failure(RmFailureKind::Unavailable)
}

fn node_of(node: usize) -> NodeId {
    node_id(&format!("n{node}"), 8041)
}

impl Yarn {
    pub(super) fn new() -> Self {
        let mut nodes: [Node; NODES] = Default::default();
        nodes.iter_mut().for_each(|node| node.registered = true);
        Self {
            up: true,
            attempt: 1,
            epoch: 0,
            sequence: 1,
            nodes,
            failures: Vec::new(),
            last: None,
            asks: BTreeMap::new(),
            live: BTreeMap::new(),
            placed: BTreeMap::new(),
            granted: Vec::new(),
            recovered: Vec::new(),
            released_early: BTreeSet::new(),
            finished: Vec::new(),
            finished_sent: Vec::new(),
        }
    }

    /// The containers that the ResourceManager counts for the application.
    pub(super) fn live(&self) -> BTreeSet<ContainerId> {
        self.live.keys().copied().collect()
    }

    /// The containers in which something runs.
    pub(super) fn processes(&self) -> BTreeSet<ContainerId> {
        let containers = self.nodes.iter().flat_map(|node| &node.containers);
        containers.filter(|(_, status)| status.is_none()).map(|(container, _)| *container).collect()
    }

    pub(super) fn register(&mut self, attempt: u32) -> Result<Registration, RmFailure> {
        if attempt != self.attempt {
            return Err(failure(RmFailureKind::AttemptOver));
        }
        if self.last.is_some() {
            return Err(failure(RmFailureKind::AlreadyRegistered));
        }
        self.last = Some((0, HeartbeatAnswer::default()));
        let maximum = Profile { memory_mb: 8192, vcores: 8, ..Profile::default() };
        // All of them, also those of this attempt.
        let previous = self.live.iter().map(|(container, live)| (*container, node_of(live.node))).collect();
        Ok(Registration { maximum, previous, archive_containers: Vec::new() })
    }

    /// A heartbeat that carries the response id `id`. Gives the number of the answer, and the answer.
    pub(super) fn allocate(
        &mut self,
        attempt: u32,
        id: i32,
        sent: &Outgoing,
    ) -> Result<(i32, HeartbeatAnswer), RmFailure> {
        if attempt != self.attempt {
            return Err(failure(RmFailureKind::AttemptOver));
        }
        let Some((number, last)) = &self.last else { return Err(failure(RmFailureKind::NotRegistered)) };
        if id + 1 == *number {
            return Ok((*number, last.clone()));
        }
        if id != *number {
            return Err(failure(RmFailureKind::Refused));
        }
        let number = number + 1;
        let answer = self.answer(sent);
        self.last = Some((number, answer.clone()));
        Ok((number, answer))
    }

    fn answer(&mut self, sent: &Outgoing) -> HeartbeatAnswer {
        for completed in std::mem::replace(&mut self.finished_sent, std::mem::take(&mut self.finished)) {
            for node in &mut self.nodes {
                node.containers
                    .retain(|container, status| *container != completed.container || status.is_none());
            }
        }
        for container in &sent.releases {
            if self.live.contains_key(container) {
                self.ended(*container, ABORTED);
            } else {
                // Its NodeManager may be about to report it.
                self.released_early.insert(*container);
            }
        }
        for ask in &sent.asks {
            self.asks.insert(ask.priority, ask.count);
        }
        let late = std::mem::take(&mut self.recovered).into_iter();
        let late = late.filter_map(|container| Some((container, node_of(self.live.get(&container)?.node))));
        HeartbeatAnswer {
            granted: std::mem::take(&mut self.granted),
            completed: self.finished_sent.clone(),
            late: late.collect(),
            ..HeartbeatAnswer::default()
        }
    }

    /// The ResourceManager learns of the end of a container.
    fn ended(&mut self, container: ContainerId, status: i32) {
        if self.live.remove(&container).is_some() {
            self.granted.retain(|grant| grant.container != container);
            self.finished.push(Completed { container, status, diagnostics: String::new() });
        }
    }

    /// All NodeManagers send a heartbeat, and each is given a container if one is asked for. Gives the
    /// containers that the NodeManagers have to end.
    pub(super) fn nodes_beat(&mut self) -> Vec<ContainerId> {
        if !self.up {
            return Vec::new();
        }
        let mut to_end = Vec::new();
        for index in (0..NODES).filter(|index| self.nodes[*index].registered).collect::<Vec<_>>() {
            for (container, status) in self.nodes[index].containers.clone() {
                match (status, self.live.get_mut(&container)) {
                    (Some(status), Some(_)) => self.ended(container, status),
                    (None, Some(live)) => live.running = true,
                    // It was given back, or the attempt that it was granted to has ended.
                    (None, None) => to_end.push(container),
                    (Some(_), None) => {}
                }
            }
            self.grant(index);
        }
        to_end
    }

    fn grant(&mut self, node: usize) {
        let Some((priority, count)) = self.asks.iter_mut().find(|(_, count)| **count > 0) else { return };
        *count -= 1;
        self.sequence += 1;
        let application_id = ApplicationId { cluster_timestamp: 1, id: 1 };
        let attempt_id = ApplicationAttemptId { application_id, attempt: self.attempt };
        let container = ContainerId { attempt_id, id: self.epoch << 40 | self.sequence };
        self.granted.push(Grant {
            purpose: Purpose::TaskManager,
            container,
            node: node_of(node),
            priority: *priority,
            allocation_request: Some(i64::from(*priority)),
        });
        self.live.insert(container, Live { node, running: false });
        self.placed.insert(container, node);
    }

    /// A NodeManager is asked to start the container. Gives whether it does.
    pub(super) fn start(&mut self, container: ContainerId) -> bool {
        let node = &mut self.nodes[self.placed[&container]];
        // It refuses what an earlier ResourceManager than its own has granted.
        let accepted = container.epoch() == node.epoch && !node.containers.contains_key(&container);
        if accepted {
            node.containers.insert(container, None);
        }
        accepted
    }

    /// What runs in the container has ended.
    pub(super) fn process_ended(&mut self, container: ContainerId, status: i32) {
        for node in &mut self.nodes {
            if let Some(running @ None) = node.containers.get_mut(&container) {
                *running = Some(status);
            }
        }
    }

    /// The ResourceManager ends. Its state store knows the application and the attempt.
    pub(super) fn dies(&mut self) {
        self.up = false;
        self.epoch += 1;
        self.nodes.iter_mut().for_each(|node| node.registered = false);
        self.live.clear();
        self.finished.clear();
        self.finished_sent.clear();
        self.forget_attempt();
    }

    /// What the ResourceManager knows only of the attempt that runs.
    fn forget_attempt(&mut self) {
        self.last = None;
        self.asks.clear();
        self.granted.clear();
        self.recovered.clear();
        self.released_early.clear();
    }

    /// A NodeManager registers with the ResourceManager that was started again, which recovers its
    /// containers.
    pub(super) fn node_registers(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        (node.registered, node.epoch) = (true, self.epoch);
        for (container, status) in node.containers.clone() {
            if let Some(status) = status {
                self.finished.push(Completed { container, status, diagnostics: String::new() });
                continue;
            }
            self.live.insert(container, Live { node: index, running: true });
            if container.attempt_id.attempt != self.attempt {
                self.recovered.push(container);
            }
            if self.released_early.remove(&container) {
                self.ended(container, ABORTED);
            }
        }
    }

    /// Whether all NodeManagers are registered.
    pub(super) fn is_whole(&self) -> bool {
        self.up && self.nodes.iter().all(|node| node.registered)
    }

    /// The attempt has failed. `counts`: unless its exit status is one of those that YARN does not count.
    /// Gives whether another attempt follows; running containers are kept for it.
    pub(super) fn attempt_failed(&mut self, counts: bool, now: Instant) -> bool {
        self.failures.retain(|at| now - *at < VALIDITY);
        self.failures.extend(counts.then_some(now));
        if self.failures.len() >= MAX_ATTEMPTS as usize {
            return false;
        }
        let not_running = self.live.iter().filter(|(_, live)| !live.running).map(|(container, _)| *container);
        for container in not_running.collect::<Vec<_>>() {
            self.ended(container, ABORTED);
        }
        // The ApplicationMaster may not have heard of them.
        self.finished.append(&mut self.finished_sent);
        self.forget_attempt();
        self.attempt += 1;
        true
    }
}

//! For the property tests: a ResourceManager whose messages get lost, repeated and delayed and which grants
//! containers that nobody asked for, and a Flink that cancels what it has requested.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use taskrunner::cause::JvmExit;
use yarn_api::records::ContainerId;

use super::Ledger;
use super::types::*;

/// One thing that Flink, YARN or the network does. Numbers choose among the requests or containers that there
/// are, modulo how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Request(u8),
    /// So many containers of one size are asked for ahead.
    Prewarm(u8, u32),
    /// The containers that came ahead and were not requested go back.
    PrewarmOver,
    Cancel(usize),
    Release(usize),
    ToFlink,
    ToLedger,
    Heartbeat,
    /// The ResourceManager has read the heartbeat; its answer is lost.
    AnswerLost,
    /// The heartbeat never arrives.
    HeartbeatLost,
    Grant(usize),
    /// A container nobody asked for.
    Surplus(u8),
    /// A grant that was made before, once more.
    Repeat(usize),
    /// A grant that is never delivered; its container expires.
    GrantLost(usize),
    Dies(usize, bool),
    Starts(usize),
    StartFails(usize),
    WaitOver(usize),
    ResourceManagerRestart,
    JobManagerRestart,
    Refresh,
}

type Answer = (Vec<Grant>, Vec<Completed>);

#[derive(Default)]
pub(super) struct Simulation {
    pub(super) ledger: Ledger,
    // Flink
    pub(super) pending: BTreeMap<u64, u8>,
    pub(super) task_managers: BTreeSet<ContainerId>,
    next_request: u64,
    to_flink: VecDeque<LedgerEffect>,
    to_ledger: VecDeque<LedgerInput>,
    // YARN
    pub(super) asks: BTreeMap<i32, u32>,
    pub(super) live: BTreeSet<ContainerId>,
    started: BTreeSet<ContainerId>,
    started_ahead: BTreeSet<ContainerId>,
    ended: BTreeSet<ContainerId>,
    grants: Vec<Grant>,
    completed: Vec<Completed>,
    unheard: Option<Answer>,
    history: Vec<Grant>,
    // What is on its way between them.
    uncertain: bool,
    starts: Vec<ContainerId>,
    waits: Vec<ContainerId>,
    allocated: HashMap<u64, ContainerId>,
}

fn profile(kind: u8) -> Profile {
    Profile { memory_mb: 1024 * (1 + u64::from(kind % 3)), vcores: 1, ..Profile::default() }
}

fn pick<T: Clone>(from: &[T], index: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[index % from.len()].clone())
}

impl Simulation {
    pub(super) fn new() -> Self {
        let mut new = Self::default();
        new.feed(LedgerInput::Maximum(Profile { memory_mb: 1 << 20, vcores: 64, ..Profile::default() }));
        new
    }

    fn feed(&mut self, input: LedgerInput) {
        for effect in self.ledger.step(input) {
            match effect {
                LedgerEffect::Launch { container, .. } if self.ended.contains(&container) => {
                    self.to_ledger.push_back(LedgerInput::StartFailed(container, "no such container".into()));
                }
                // Its taskrunner was started ahead.
                LedgerEffect::Launch { container, .. } if self.started_ahead.contains(&container) => {}
                LedgerEffect::StartTaskrunner { container, .. } if self.ended.contains(&container) => {
                    self.to_ledger.push_back(LedgerInput::StartFailed(container, "no such container".into()));
                }
                LedgerEffect::StartTaskrunner { container, .. } => {
                    self.live.insert(container);
                    self.started_ahead.insert(container);
                    self.started.insert(container);
                    self.starts.push(container);
                }
                LedgerEffect::Launch { container, .. } => {
                    self.live.insert(container);
                    self.started.insert(container);
                    self.starts.push(container);
                }
                LedgerEffect::AwaitCompletion(container) => self.waits.push(container),
                LedgerEffect::Stop { .. } | LedgerEffect::Forget { .. } => {}
                LedgerEffect::Allocated { id, ref container, .. } => {
                    let before = self.allocated.insert(id, *container);
                    assert_eq!(before, None, "request {id} got two containers");
                    self.to_flink.push_back(effect);
                }
                told => self.to_flink.push_back(told),
            }
        }
    }

    fn flink_hears(&mut self, effect: LedgerEffect) {
        match effect {
            LedgerEffect::Allocated { id, container, .. } if self.pending.remove(&id).is_some() => {
                self.task_managers.insert(container);
                self.to_ledger.push_back(LedgerInput::Launch { id, container });
            }
            LedgerEffect::Failed { id, .. } => drop(self.pending.remove(&id)),
            LedgerEffect::Terminated { container, .. } => drop(self.task_managers.remove(&container)),
            _ => {}
        }
    }

    fn read(&mut self, sent: &Outgoing) -> Answer {
        for ask in &sent.asks {
            self.asks.insert(ask.priority, ask.count);
        }
        for container in &sent.releases {
            self.end(*container, -100);
        }
        (std::mem::take(&mut self.grants), std::mem::take(&mut self.completed))
    }

    fn end(&mut self, container: ContainerId, status: i32) {
        if self.live.remove(&container) {
            self.ended.insert(container);
            self.completed.push(Completed { container, status, diagnostics: String::new() });
        }
    }

    fn give(&mut self, priority: i32) {
        let container = container_id(&format!("c{}", self.history.len()));
        let node = node_id("node", 1);
        let grant =
            Grant { purpose: Purpose::TaskManager, container, node, priority, allocation_request: None };
        self.history.push(grant.clone());
        self.grants.push(grant);
        self.live.insert(container);
    }

    fn heartbeat(&mut self) {
        let sent = self.ledger.outgoing();
        let (granted, completed) = match self.unheard.take() {
            Some(answer) => answer,
            None => self.read(&sent),
        };
        let certain = !std::mem::take(&mut self.uncertain);
        self.feed(LedgerInput::Heartbeat(AnsweredHeartbeat { sent, certain, granted, completed }));
    }

    pub(super) fn run(&mut self, op: Op) {
        match op {
            Op::Request(kind) => {
                self.next_request += 1;
                let id = self.next_request;
                self.pending.insert(id, kind % 3);
                let input = LedgerInput::Request {
                    id,
                    profile: profile(kind),
                    arguments: TaskManagerArguments::default(),
                };
                self.to_ledger.push_back(input);
            }
            Op::Prewarm(kind, count) => self.feed(LedgerInput::Prewarm { profile: profile(kind), count }),
            Op::PrewarmOver => self.feed(LedgerInput::PrewarmOver),
            Op::Cancel(k) => {
                if let Some(id) = pick(&self.pending.keys().copied().collect::<Vec<_>>(), k) {
                    self.pending.remove(&id);
                    self.to_ledger.push_back(LedgerInput::Cancel(id));
                }
            }
            Op::Release(k) => {
                if let Some(container) = pick(&self.task_managers.iter().cloned().collect::<Vec<_>>(), k) {
                    self.task_managers.remove(&container);
                    self.to_ledger.push_back(LedgerInput::Release(container));
                }
            }
            Op::ToFlink => {
                if let Some(effect) = self.to_flink.pop_front() {
                    self.flink_hears(effect);
                }
            }
            Op::ToLedger => {
                if let Some(input) = self.to_ledger.pop_front() {
                    self.feed(input);
                }
            }
            Op::Heartbeat => self.heartbeat(),
            Op::AnswerLost => {
                if self.unheard.is_none() {
                    let sent = self.ledger.outgoing();
                    self.unheard = Some(self.read(&sent));
                }
                self.uncertain = true;
            }
            Op::HeartbeatLost => self.uncertain = true,
            Op::Grant(k) => {
                let open: Vec<i32> = self.asks.iter().filter(|(_, n)| **n > 0).map(|(p, _)| *p).collect();
                if let Some(priority) = pick(&open, k) {
                    self.asks.entry(priority).and_modify(|count| *count -= 1);
                    self.give(priority);
                }
            }
            Op::Surplus(priority) => self.give(i32::from(priority % 5)),
            Op::Repeat(k) => {
                if let Some(grant) = pick(&self.history, k) {
                    self.grants.push(grant);
                }
            }
            Op::GrantLost(k) => {
                if !self.grants.is_empty() {
                    let grant = self.grants.remove(k % self.grants.len());
                    self.end(grant.container, -100);
                }
            }
            Op::Dies(k, reported) => {
                if let Some(container) = pick(&self.live.iter().cloned().collect::<Vec<_>>(), k) {
                    self.end(container, if k % 2 == 0 { 1 } else { 143 });
                    if reported && !self.starts.contains(&container) {
                        let report =
                            JvmExit { code: Some(if k % 2 == 0 { 1 } else { 143 }), ..JvmExit::default() };
                        self.to_ledger.push_back(LedgerInput::Exited(container, report));
                    }
                }
            }
            Op::Starts(k) => {
                if !self.starts.is_empty() {
                    let container = self.starts.remove(k % self.starts.len());
                    self.feed(LedgerInput::Connected(container));
                }
            }
            Op::StartFails(k) => {
                if !self.starts.is_empty() {
                    let container = self.starts.remove(k % self.starts.len());
                    self.feed(LedgerInput::StartFailed(container, "refused".into()));
                }
            }
            Op::WaitOver(k) => {
                if !self.waits.is_empty() {
                    let container = self.waits.remove(k % self.waits.len());
                    self.feed(LedgerInput::ReportWaitOver(container));
                }
            }
            Op::ResourceManagerRestart => {
                self.asks.clear();
                // NodeManagers repeat the ends that no ApplicationMaster has acknowledged.
                let (_, completed) = self.unheard.take().unwrap_or_default();
                self.completed.extend(completed);
                self.uncertain = false;
                // Containers that no NodeManager has seen are forgotten with the ResourceManager's memory.
                self.grants.clear();
                self.live.retain(|container| self.started.contains(container));
                self.feed(LedgerInput::Resync);
            }
            Op::JobManagerRestart => {
                self.pending.clear();
                self.to_flink.clear();
                // Reports come from taskrunners, not from Flink: they are not lost with it.
                self.to_ledger
                    .retain(|input| matches!(input, LedgerInput::Exited(..) | LedgerInput::StartFailed(..)));
                self.feed(LedgerInput::JobManagerLost);
                self.task_managers = self.ledger.live().into_iter().map(|(container, _)| container).collect();
            }
            Op::Refresh => self.feed(LedgerInput::Refresh),
        }
    }

    fn drain(&mut self) {
        while !self.to_flink.is_empty() || !self.to_ledger.is_empty() || !self.starts.is_empty() {
            [Op::ToFlink, Op::ToLedger, Op::Starts(0)].into_iter().for_each(|op| self.run(op));
        }
        while !self.waits.is_empty() {
            self.run(Op::WaitOver(0));
        }
    }

    /// Delivers everything, without the refresh timer.
    pub(super) fn settle(&mut self) {
        for _ in 0..6 {
            self.drain();
            self.heartbeat();
        }
        self.drain();
    }

    /// The ResourceManager gives all that it believes to owe.
    pub(super) fn grant_all(&mut self) {
        while self.asks.values().any(|count| *count > 0) {
            self.run(Op::Grant(0));
        }
        self.settle();
    }

    /// What Flink wants, by size.
    pub(super) fn wanted(&self) -> usize {
        self.pending.len() + self.task_managers.len()
    }
}

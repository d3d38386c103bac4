//! A ResourceManager that loses, repeats, delays and adds, and a Flink that changes its mind; for the
//! property tests.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use taskrunner::cause::JvmExit;

use super::Ledger;
use super::types::*;

/// One move of the adversary; numbers choose among what is there, modulo its length.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Request(u8),
    /// So many of one size ahead of any request.
    Prewarm(u8, u32),
    /// What nobody has wanted goes back.
    PrewarmOver,
    Cancel(usize),
    Release(usize),
    ToFlink,
    ToLedger,
    Heartbeat,
    /// The ResourceManager has read the heartbeat; its answer is lost.
    AnswerLost,
    /// The heartbeat never arrives.
    BeatLost,
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
    pub(super) workers: BTreeSet<Worker>,
    next_request: u64,
    to_flink: VecDeque<Effect>,
    to_ledger: VecDeque<Input>,
    // YARN
    pub(super) asks: BTreeMap<i32, u32>,
    pub(super) live: BTreeSet<Worker>,
    started: BTreeSet<Worker>,
    warmed: BTreeSet<Worker>,
    ended: BTreeSet<Worker>,
    grants: Vec<Grant>,
    completed: Vec<Completed>,
    unheard: Option<Answer>,
    history: Vec<Grant>,
    // between
    uncertain: bool,
    starts: Vec<Worker>,
    waits: Vec<Worker>,
    allocated: HashMap<u64, Worker>,
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
        new.feed(Input::Maximum(Profile { memory_mb: 1 << 20, vcores: 64, ..Profile::default() }));
        new
    }

    fn feed(&mut self, input: Input) {
        for effect in self.ledger.step(input) {
            match effect {
                Effect::Launch { worker, .. } if self.ended.contains(&worker) => {
                    self.to_ledger.push_back(Input::StartFailed(worker, "no such container".into()));
                }
                // Its taskrunner is there, or on its way.
                Effect::Launch { worker, .. } if self.warmed.contains(&worker) => {}
                Effect::Warm { worker, .. } if self.ended.contains(&worker) => {
                    self.to_ledger.push_back(Input::StartFailed(worker, "no such container".into()));
                }
                Effect::Warm { worker, .. } => {
                    self.live.insert(worker.clone());
                    self.warmed.insert(worker.clone());
                    self.started.insert(worker.clone());
                    self.starts.push(worker);
                }
                Effect::Launch { worker, .. } => {
                    self.live.insert(worker.clone());
                    self.started.insert(worker.clone());
                    self.starts.push(worker);
                }
                Effect::AwaitCompletion(worker) => self.waits.push(worker),
                Effect::Stop { .. } | Effect::Forget { .. } => {}
                Effect::Allocated { id, ref worker, .. } => {
                    let before = self.allocated.insert(id, worker.clone());
                    assert_eq!(before, None, "request {id} got two containers");
                    self.to_flink.push_back(effect);
                }
                told => self.to_flink.push_back(told),
            }
        }
    }

    fn flink_hears(&mut self, effect: Effect) {
        match effect {
            Effect::Allocated { id, worker, .. } if self.pending.remove(&id).is_some() => {
                self.workers.insert(worker.clone());
                self.to_ledger.push_back(Input::Launch { id, worker });
            }
            Effect::Failed { id, .. } => drop(self.pending.remove(&id)),
            Effect::Terminated { worker, .. } => drop(self.workers.remove(&worker)),
            _ => {}
        }
    }

    fn read(&mut self, sent: &Outgoing) -> Answer {
        for ask in &sent.asks {
            self.asks.insert(ask.priority, ask.count);
        }
        for worker in &sent.releases {
            self.end(worker.clone(), -100);
        }
        (std::mem::take(&mut self.grants), std::mem::take(&mut self.completed))
    }

    fn end(&mut self, worker: Worker, status: i32) {
        if self.live.remove(&worker) {
            self.ended.insert(worker.clone());
            self.completed.push(Completed { worker, status, diagnostics: String::new() });
        }
    }

    fn give(&mut self, priority: i32) {
        let worker = Worker::new(format!("container_1_0001_01_{:06}", self.history.len()));
        let place = Place { host: "node".into(), port: 1 };
        let grant = Grant {
            purpose: Purpose::TaskManager,
            worker: worker.clone(),
            place,
            priority,
            allocation_request: None,
        };
        self.history.push(grant.clone());
        self.grants.push(grant);
        self.live.insert(worker);
    }

    fn heartbeat(&mut self) {
        let sent = self.ledger.outgoing();
        let (granted, completed) = match self.unheard.take() {
            Some(answer) => answer,
            None => self.read(&sent),
        };
        let certain = !std::mem::take(&mut self.uncertain);
        self.feed(Input::Beat(Beat { sent, certain, granted, completed }));
    }

    pub(super) fn run(&mut self, op: Op) {
        match op {
            Op::Request(kind) => {
                self.next_request += 1;
                let id = self.next_request;
                self.pending.insert(id, kind % 3);
                let input = Input::Request { id, profile: profile(kind), order: Order::default() };
                self.to_ledger.push_back(input);
            }
            Op::Prewarm(kind, count) => self.feed(Input::Prewarm { profile: profile(kind), count }),
            Op::PrewarmOver => self.feed(Input::PrewarmOver),
            Op::Cancel(k) => {
                if let Some(id) = pick(&self.pending.keys().copied().collect::<Vec<_>>(), k) {
                    self.pending.remove(&id);
                    self.to_ledger.push_back(Input::Cancel(id));
                }
            }
            Op::Release(k) => {
                if let Some(worker) = pick(&self.workers.iter().cloned().collect::<Vec<_>>(), k) {
                    self.workers.remove(&worker);
                    self.to_ledger.push_back(Input::Release(worker));
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
            Op::BeatLost => self.uncertain = true,
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
                    self.end(grant.worker, -100);
                }
            }
            Op::Dies(k, reported) => {
                if let Some(worker) = pick(&self.live.iter().cloned().collect::<Vec<_>>(), k) {
                    self.end(worker.clone(), if k % 2 == 0 { 1 } else { 143 });
                    if reported && !self.starts.contains(&worker) {
                        let report =
                            JvmExit { code: Some(if k % 2 == 0 { 1 } else { 143 }), ..JvmExit::default() };
                        self.to_ledger.push_back(Input::Exited(worker, report));
                    }
                }
            }
            Op::Starts(k) => {
                if !self.starts.is_empty() {
                    let worker = self.starts.remove(k % self.starts.len());
                    self.feed(Input::Connected(worker));
                }
            }
            Op::StartFails(k) => {
                if !self.starts.is_empty() {
                    let worker = self.starts.remove(k % self.starts.len());
                    self.feed(Input::StartFailed(worker, "refused".into()));
                }
            }
            Op::WaitOver(k) => {
                if !self.waits.is_empty() {
                    let worker = self.waits.remove(k % self.waits.len());
                    self.feed(Input::ReportWaitOver(worker));
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
                self.live.retain(|worker| self.started.contains(worker));
                self.feed(Input::Resync);
            }
            Op::JobManagerRestart => {
                self.pending.clear();
                self.to_flink.clear();
                // Reports come from taskrunners, not from Flink: they are not lost with it.
                self.to_ledger.retain(|input| matches!(input, Input::Exited(..) | Input::StartFailed(..)));
                self.feed(Input::JobManagerLost);
                self.workers = self.ledger.live().into_iter().map(|(worker, _)| worker).collect();
            }
            Op::Refresh => self.feed(Input::Refresh),
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
        self.pending.len() + self.workers.len()
    }
}

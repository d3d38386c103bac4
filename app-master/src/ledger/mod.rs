//! The ledger: the account of the containers that are requested, that start, run, and end. Pure: it knows no
//! clock and no network.
//!
//! This holds once all messages are delivered: asked + starting + running == wanted + ahead. *Asked* is what
//! the ResourceManager still has to grant. *Starting* are containers that are granted and not yet connected,
//! *running* those with a connected taskrunner. *Wanted* is what Flink has requested and neither cancelled
//! nor released, and was not told to be gone. *Ahead* is what was asked for before Flink requested it, and
//! has not come yet. A container that came ahead of its request is a *spare*; its taskrunner waits for a
//! launch command.
//!
//! ```text
//! Request ─► waiting ─grant─► Granted ─Launch─► Starting ─Connected─► Running
//!               │             ▲  │                  │                    │
//! Prewarm ─► ahead ─► Spare ──┘  │                  │                    │
//!                       │        └──────────────────┴── given back ──────┴─► Releasing ─► gone
//!                       └─ PrewarmOver ────────────────────────────────────► Releasing ─► gone
//!
//! given back: Cancel, Release, JobManagerLost, a failed start, a reported exit
//! Completed leads from any state to gone.
//! ```

mod ends;
mod line;
mod requests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
pub mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use taskrunner::cause::JvmExit;
use yarn_api::records::{ContainerId, NodeId};

use line::Line;
use types::{
    AnsweredHeartbeat, Avoidance, LedgerEffect, LedgerInput, Outgoing, Profile, TaskManagerArguments,
};

/// How long an exit that YARN may have caused waits for YARN's reason. YARN reports each end, usually within
/// two seconds, and later on a busy machine. Only where the ResourceManager does not answer, the wait lasts
/// for all of this time; a replacement could not be had sooner there either.
pub const REPORT_WAIT: Duration = Duration::from_secs(20);

/// How long a connected taskrunner whose container the ResourceManager has not named waits to be named. After
/// a restart of the ResourceManager a NodeManager that is away reports its containers when it is back.
pub const PARK_WAIT: Duration = Duration::from_secs(600);

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It came ahead, and Flink has not requested it yet.
    Spare,
    /// Flink knows of it, as the answer to this request, and has not yet said `launch`.
    Granted(u64),
    /// Its taskrunner is being started, or has its launch command, and has not connected.
    Starting,
    /// Its taskrunner has connected.
    Running,
    /// Flink does not count on it any more, and the ResourceManager has not yet confirmed its end.
    /// `reported`: the ResourceManager has read that it is given back. `refreshes`: how often that was
    /// repeated.
    Releasing { reported: bool, refreshes: u8 },
}

#[derive(Debug, Clone)]
struct Entry {
    node: NodeId,
    state: State,
    report: Option<JvmExit>,
    /// The [`Line`] of its size.
    line: usize,
    /// How far its taskrunner is, if that was started before Flink requested the container.
    ahead: Option<Taskrunner>,
    /// Its NodeManager was told to start it.
    started: bool,
    /// It is about to end or has ended, perhaps because of YARN, and YARN's reason is not known yet.
    reason_pending: bool,
    /// Its taskrunner still has something to do, and ends by itself, so the container is not given back to
    /// the ResourceManager, which would end it at once.
    busy: bool,
}

/// How far a taskrunner is that was started ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taskrunner {
    Starting,
    Connected,
}

impl Entry {
    fn new(node: NodeId, state: State) -> Self {
        Self {
            node,
            state,
            report: None,
            line: 0,
            ahead: None,
            started: false,
            reason_pending: false,
            busy: false,
        }
    }

    /// Whether it is given back, and the ResourceManager does not know yet. One whose end waits for YARN's
    /// reason is kept until then: once the ResourceManager hears that a container is given back, it reports
    /// its end as "released", whatever the NodeManager tells later.
    fn is_release_due(&self) -> bool {
        matches!(self.state, State::Releasing { reported: false, .. }) && !self.reason_pending && !self.busy
    }
}

/// A request of Flink.
#[derive(Debug, Clone)]
struct Request {
    line: usize,
    arguments: TaskManagerArguments,
}

/// How many containers there are, by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests that wait for a container, and containers that are asked for ahead.
    pub asked: usize,
    /// The latter alone.
    pub ahead: usize,
    /// Containers granted or starting.
    pub starting: usize,
    /// Containers whose taskrunner is connected.
    pub running: usize,
    /// Containers that came ahead and that Flink has not requested.
    pub spare: usize,
    /// Containers that are given back and have not ended.
    pub releasing: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Ledger {
    maximum: Option<Profile>,
    lines: Vec<Line>,
    requests: HashMap<u64, Request>,
    containers: BTreeMap<ContainerId, Entry>,
    /// Ended containers, and whether YARN has reported how they ended.
    gone: HashMap<ContainerId, bool>,
    gone_order: VecDeque<ContainerId>,
    /// Containers whose taskrunners are connected, and of which the ResourceManager has not said anything
    /// yet: an earlier attempt has started them.
    parked: BTreeSet<ContainerId>,
}

impl Ledger {
    /// A ledger without containers.
    pub fn new() -> Self {
        Self::default()
    }

    /// One step.
    pub fn step(&mut self, input: LedgerInput) -> Vec<LedgerEffect> {
        let mut effects = Vec::new();
        let out = &mut effects;
        match input {
            LedgerInput::Maximum(maximum) => self.maximum = Some(maximum),
            LedgerInput::Recovered(containers) => self.recovered(containers, out),
            LedgerInput::ParkOver(container) => self.park_over(container, out),
            LedgerInput::Request { id, profile, arguments } => self.request(id, profile, arguments, out),
            LedgerInput::Prewarm { profile, count } => self.prewarm(profile, count),
            LedgerInput::PrewarmOver => self.prewarm_over(out),
            LedgerInput::Cancel(id) => self.cancel(id, out),
            LedgerInput::Launch { id, container } => self.launch(id, container, out),
            LedgerInput::Release(container) => self.give_back(container, "Flink released it", out),
            LedgerInput::JobManagerLost => self.job_manager_lost(out),
            LedgerInput::Heartbeat(heartbeat) => self.heartbeat(heartbeat, out),
            LedgerInput::Resync => self.resync(),
            LedgerInput::AsksRefused { sent, reason } => self.asks_refused(&sent, &reason, out),
            LedgerInput::Refresh => self.refresh(out),
            LedgerInput::StartFailed(container, reason) => self.start_failed(container, reason, out),
            LedgerInput::Connected(container) => self.connected(container, out),
            LedgerInput::Signalled(container) => self.signalled(container, out),
            LedgerInput::Busy(container) => self.busy(container),
            LedgerInput::Exited(container, report) => self.exited(container, report, out),
            LedgerInput::ReportWaitOver(container) => self.report_wait_over(container, out),
        }
        effects
    }

    /// What the next heartbeat has to carry. It stays the same until the answer comes in as
    /// [`LedgerInput::Heartbeat`].
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            asks: self.lines.iter().filter_map(Line::ask).collect(),
            releases: self.ids(Entry::is_release_due),
            avoidance: Avoidance::default(),
        }
    }

    /// True while YARN's reason for the end of a container is waited for, at most [`REPORT_WAIT`].
    pub fn is_reason_pending(&self) -> bool {
        self.containers.values().any(|entry| entry.reason_pending)
    }

    /// True while heartbeats should be frequent: the ResourceManager has to grant something, to be told
    /// something, or is about to report an end.
    pub fn is_busy(&self) -> bool {
        self.lines.iter().any(|line| line.needed() > 0 || line.ask().is_some())
            || self.containers.values().any(|entry| {
                entry.reason_pending
                    || (matches!(entry.state, State::Releasing { reported: false, .. }) && !entry.busy)
                    || (entry.report.is_some() && !matches!(entry.state, State::Releasing { .. }))
            })
    }

    /// Of each size how many containers the ResourceManager still has to grant, where it has to grant any.
    pub fn open(&self) -> impl Iterator<Item = (&Profile, u32)> {
        self.lines.iter().map(|line| (&line.profile, line.needed())).filter(|(_, needed)| *needed > 0)
    }

    /// How many containers there are, by what they do.
    pub fn counts(&self) -> Counts {
        let sum = |of: fn(&Line) -> u32| self.lines.iter().map(|line| of(line) as usize).sum();
        let mut counts = Counts { asked: sum(Line::needed), ahead: sum(Line::ahead), ..Counts::default() };
        for entry in self.containers.values() {
            match entry.state {
                State::Spare => counts.spare += 1,
                State::Granted(_) | State::Starting => counts.starting += 1,
                State::Running => counts.running += 1,
                State::Releasing { .. } => counts.releasing += 1,
            }
        }
        counts
    }

    /// The containers in which a JobManager may find TaskManagers, with their nodes.
    pub fn live(&self) -> Vec<(ContainerId, NodeId)> {
        let live = |entry: &Entry| matches!(entry.state, State::Starting | State::Running);
        let live = self.containers.iter().filter(|(_, entry)| live(entry));
        live.map(|(container, entry)| (*container, entry.node.clone())).collect()
    }

    /// A container's node.
    pub fn node(&self, container: ContainerId) -> Option<&NodeId> {
        self.containers.get(&container).map(|entry| &entry.node)
    }

    /// The containers on a node.
    pub fn on_node(&self, node: &NodeId) -> Vec<ContainerId> {
        self.ids(|entry| entry.node == *node)
    }

    /// Containers in which something of ours runs or may run: to be stopped at the end.
    pub fn started(&self) -> Vec<ContainerId> {
        self.ids(|entry| {
            matches!(entry.state, State::Starting | State::Running)
                || (entry.ahead.is_some() && !matches!(entry.state, State::Releasing { .. }))
        })
    }

    /// Spares whose taskrunner is connected, and waits for its launch command.
    pub fn waiting_spares(&self) -> Vec<ContainerId> {
        self.ids(|entry| entry.state == State::Spare && entry.ahead == Some(Taskrunner::Connected))
    }

    /// Whether the container's taskrunner was started before Flink requested the container.
    pub fn was_started_ahead(&self, container: ContainerId) -> bool {
        self.containers.get(&container).is_some_and(|entry| entry.ahead.is_some())
    }

    fn ids(&self, which: impl Fn(&Entry) -> bool) -> Vec<ContainerId> {
        let found = self.containers.iter().filter(|(_, entry)| which(entry));
        found.map(|(container, _)| *container).collect()
    }

    fn recovered(&mut self, containers: Vec<(ContainerId, NodeId)>, out: &mut Vec<LedgerEffect>) {
        for (container, node) in containers {
            self.parked.remove(&container);
            if !self.gone.contains_key(&container) && !self.containers.contains_key(&container) {
                let entry = Entry { started: true, ..Entry::new(node.clone(), State::Running) };
                self.containers.insert(container, entry);
                out.push(LedgerEffect::Adopted { container, node });
            }
        }
    }

    fn park_over(&mut self, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        if self.parked.remove(&container) {
            let reason = "the ResourceManager does not name it among the containers of this application";
            out.push(LedgerEffect::Stop { container, reason: reason.to_owned(), started: false });
        }
    }

    fn heartbeat(&mut self, heartbeat: AnsweredHeartbeat, out: &mut Vec<LedgerEffect>) {
        let AnsweredHeartbeat { sent, certain, granted, completed } = heartbeat;
        let mut grants = vec![0; self.lines.len()];
        for grant in granted {
            self.granted(grant, &mut grants, out);
        }
        for (line, grants) in self.lines.iter_mut().zip(grants) {
            let sent = sent.asks.iter().find(|ask| ask.priority == line.priority).map(|ask| ask.count);
            line.answered(sent, grants, certain);
        }
        for container in sent.releases.iter().filter(|_| certain) {
            let entry = self.containers.get_mut(container);
            if let Some(Entry { state: State::Releasing { reported, .. }, .. }) = entry {
                *reported = true;
            }
        }
        for completed in completed {
            self.completed(completed, out);
        }
    }

    /// The ResourceManager has forgotten what it was told.
    fn resync(&mut self) {
        self.lines.iter_mut().for_each(Line::forgotten);
        for entry in self.containers.values_mut() {
            if let State::Releasing { reported, .. } = &mut entry.state {
                *reported = false;
            }
        }
    }

    /// The container's taskrunner has connected. One whose container Flink does not want is stopped.
    fn connected(&mut self, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        if let Some(entry) = self.containers.get_mut(&container) {
            entry.ahead = entry.ahead.map(|_| Taskrunner::Connected);
            match entry.state {
                State::Starting => return entry.state = State::Running,
                State::Running | State::Spare => return,
                State::Releasing { .. } if entry.busy => return,
                State::Granted(_) if entry.ahead.is_some() => return,
                State::Granted(_) | State::Releasing { .. } => {}
            }
        }
        let known = self.containers.get(&container);
        if known.is_none() && !self.gone.contains_key(&container) {
            // The ResourceManager may name it with the registration, or when its NodeManager is back.
            if self.parked.insert(container) {
                out.push(LedgerEffect::Park(container));
            }
            return;
        }
        let started = known.is_some_and(|entry| entry.started);
        out.push(LedgerEffect::Stop { container, reason: "it is not wanted".to_owned(), started });
    }
}

//! The ledger of containers: which are asked for, which start, run, and end. Pure: no clock, no network.
//!
//! Invariant, once all messages are delivered: asked + starting + running == wanted + ahead, where *asked* is
//! what the ResourceManager still owes, *starting* are containers given but not yet connected, *running*
//! those with a connected taskrunner, *wanted* what Flink has requested and neither cancelled nor released
//! nor been told to be gone, and *ahead* what was asked for before Flink wants it and has not come yet. A
//! container that came ahead is a *spare*, with an idle taskrunner.
//!
//! ```text
//! Request ─► waiting ─grant─► Granted ─Launch─► Starting ─Connected─► Running
//!               │             ▲  │                  │                    │
//! Prewarm ─► ahead ─► Spare ──┘  │                  │                    │
//!                       │        └──── Cancel, Release, JobManagerLost, failed start, reported exit ──► Releasing ─► gone
//!                       └─ PrewarmOver ────────────────────────────────────────────────────────────────────┘
//!                                       Completed, from anywhere ──────────────────────────────────────────────► gone
//! ```

mod line;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
pub mod types;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use taskrunner::cause::{ExitCause, JvmExit};
use taskrunner::words::given_back;

use line::Line;
use types::{Ask, Beat, Completed, Effect, Grant, Input, Order, Outgoing, Place, Profile, Worker};

/// How long an exit that may be YARN's doing waits for YARN's reason.
pub const REPORT_WAIT: Duration = Duration::from_secs(5);

/// After this many refreshes without an answer a released container is taken for gone.
const RELEASE_TRIES: u8 = 5;

/// How many ended containers are remembered, to recognise late and repeated messages about them.
const REMEMBERED: usize = 4096;

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nobody wants it yet.
    Spare,
    /// Flink knows of it and has not yet said `launch`.
    Granted(u64),
    /// Its taskrunner was ordered and has not connected.
    Starting,
    /// Its taskrunner has connected.
    Running,
    /// Flink no longer counts on it; the ResourceManager has not yet confirmed its end.
    Releasing { told: bool, tries: u8 },
}

#[derive(Debug, Clone)]
struct Entry {
    place: Place,
    state: State,
    report: Option<JvmExit>,
    /// Whose size it has.
    line: usize,
    /// Its taskrunner was started before Flink wanted it; how far that is.
    warm: Option<Warmth>,
    /// Its NodeManager was told to start it.
    started: bool,
    /// It ends, perhaps by YARN's doing: YARN's reason is waited for.
    awaits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Warmth {
    Starting,
    Connected,
}

impl Entry {
    fn new(place: Place, state: State) -> Self {
        Self { place, state, report: None, line: 0, warm: None, started: false, awaits: false }
    }
}

#[derive(Debug, Clone)]
struct Request {
    line: usize,
    order: Order,
}

/// Numbers for the log and for the property tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests that wait for a container, and what is asked for ahead of any.
    pub asked: usize,
    /// The latter alone.
    pub ahead: usize,
    /// Containers granted or starting.
    pub starting: usize,
    /// Containers whose taskrunner is connected.
    pub running: usize,
    /// Containers that nobody wants yet.
    pub spare: usize,
    /// Containers on their way back.
    pub releasing: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Ledger {
    maximum: Option<Profile>,
    lines: Vec<Line>,
    requests: HashMap<u64, Request>,
    workers: BTreeMap<Worker, Entry>,
    /// Ended containers, and whether YARN has said how.
    gone: HashMap<Worker, bool>,
    gone_order: VecDeque<Worker>,
}

impl Ledger {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// One step.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        let out = &mut effects;
        match input {
            Input::Maximum(maximum) => self.maximum = Some(maximum),
            Input::Recovered(workers) => self.recovered(workers),
            Input::Request { id, profile, order } => self.request(id, profile, order, out),
            Input::Prewarm { profile, count } => self.prewarm(profile, count),
            Input::PrewarmOver => self.prewarm_over(out),
            Input::Cancel(id) => self.cancel(id, out),
            Input::Launch { id, worker } => self.launch(id, worker, out),
            Input::Release(worker) => self.give_back(&worker, "Flink released it", out),
            Input::JobManagerLost => self.job_manager_lost(out),
            Input::Beat(beat) => self.beat(beat, out),
            Input::Resync => self.resync(),
            Input::AsksRefused { sent, reason } => self.asks_refused(&sent, &reason, out),
            Input::Refresh => self.refresh(out),
            Input::StartFailed(worker, reason) => self.start_failed(worker, reason, out),
            Input::Connected(worker) => self.connected(worker, out),
            Input::Signalled(worker) => self.signalled(worker, out),
            Input::Exited(worker, report) => self.exited(worker, report, out),
            Input::ReportWaitOver(worker) => self.report_wait_over(worker, out),
        }
        effects
    }

    /// What the next heartbeat has to carry. Stays the same until the answer comes in as [`Input::Beat`].
    pub fn outgoing(&self) -> Outgoing {
        // The end of a container that is given back is "released" for the ResourceManager, whatever the
        // NodeManager tells later.
        let due =
            |entry: &Entry| matches!(entry.state, State::Releasing { told: false, .. }) && !entry.awaits;
        Outgoing {
            asks: self.lines.iter().filter_map(Line::ask).collect(),
            releases: self.workers.iter().filter(|(_, e)| due(e)).map(|(w, _)| w.clone()).collect(),
        }
    }

    /// True while YARN's reason for the end of a container is waited for, at most [`REPORT_WAIT`].
    pub fn awaits_reasons(&self) -> bool {
        self.workers.values().any(|entry| entry.awaits)
    }

    /// True while heartbeats should be quick: something is owed, to be said, or about to be learned.
    pub fn is_busy(&self) -> bool {
        self.lines.iter().any(|line| line.needed() > 0 || line.ask().is_some())
            || self.workers.values().any(|entry| {
                entry.awaits
                    || matches!(entry.state, State::Releasing { told: false, .. })
                    || (entry.report.is_some() && !matches!(entry.state, State::Releasing { .. }))
            })
    }

    /// Numbers by state.
    pub fn counts(&self) -> Counts {
        let sum = |of: fn(&Line) -> u32| self.lines.iter().map(|line| of(line) as usize).sum();
        let mut counts = Counts { asked: sum(Line::needed), ahead: sum(Line::ahead), ..Counts::default() };
        for entry in self.workers.values() {
            match entry.state {
                State::Spare => counts.spare += 1,
                State::Granted(_) | State::Starting => counts.starting += 1,
                State::Running => counts.running += 1,
                State::Releasing { .. } => counts.releasing += 1,
            }
        }
        counts
    }

    /// Containers that a JobManager should know of as workers, with their nodes: for `previous`.
    pub fn live(&self) -> Vec<(Worker, Place)> {
        let live = |state: &State| matches!(state, State::Starting | State::Running);
        self.workers
            .iter()
            .filter(|(_, e)| live(&e.state))
            .map(|(w, e)| (w.clone(), e.place.clone()))
            .collect()
    }

    /// Where a worker is.
    pub fn host(&self, worker: &Worker) -> Option<&str> {
        self.workers.get(worker).map(|entry| entry.place.host.as_str())
    }

    /// Why the cluster can never give a container of this size.
    pub fn refusal(&self, profile: &Profile) -> Option<String> {
        self.maximum.as_ref().and_then(|maximum| too_large(profile, maximum))
    }

    /// Containers in which something of ours runs or may run: to be stopped at the end.
    pub fn started(&self) -> Vec<Worker> {
        let started = |entry: &Entry| {
            matches!(entry.state, State::Starting | State::Running)
                || (entry.warm.is_some() && !matches!(entry.state, State::Releasing { .. }))
        };
        self.workers.iter().filter(|(_, e)| started(e)).map(|(w, _)| w.clone()).collect()
    }

    /// Whether the container's taskrunner was started before Flink wanted it.
    pub fn is_warm(&self, worker: &Worker) -> bool {
        self.workers.get(worker).is_some_and(|entry| entry.warm.is_some())
    }

    fn recovered(&mut self, workers: Vec<(Worker, Place)>) {
        for (worker, place) in workers {
            if !self.gone.contains_key(&worker) {
                let entry = Entry { started: true, ..Entry::new(place, State::Running) };
                self.workers.entry(worker).or_insert(entry);
            }
        }
    }

    fn request(&mut self, id: u64, profile: Profile, order: Order, out: &mut Vec<Effect>) {
        if self.requests.contains_key(&id) {
            return;
        }
        if let Some(reason) = self.refusal(&profile) {
            out.push(Effect::Failed { id, reason });
            return;
        }
        let line = self.line_of(profile);
        self.requests.insert(id, Request { line, order });
        let spare = self.workers.iter_mut().filter(|(_, e)| e.state == State::Spare && e.line == line);
        // One that is connected begins at once.
        match spare.max_by_key(|(_, entry)| entry.warm == Some(Warmth::Connected)) {
            Some((worker, entry)) => {
                entry.state = State::Granted(id);
                out.push(Effect::Allocated { id, worker: worker.clone(), place: entry.place.clone() });
            }
            None => self.lines[line].push(id),
        }
    }

    /// The line for a size; each has a priority of its own.
    fn line_of(&mut self, profile: Profile) -> usize {
        self.lines.iter().position(|line| line.profile == profile).unwrap_or_else(|| {
            let priority = i32::try_from(self.lines.len() + 1).unwrap_or(i32::MAX);
            self.lines.push(Line::new(profile, priority));
            self.lines.len() - 1
        })
    }

    /// One that the cluster cannot give is left to Flink's own request, which is told why.
    fn prewarm(&mut self, profile: Profile, count: u32) {
        if self.refusal(&profile).is_none() {
            let line = self.line_of(profile);
            self.lines[line].ask_ahead(count);
        }
    }

    fn prewarm_over(&mut self, out: &mut Vec<Effect>) {
        self.lines.iter_mut().for_each(|line| line.ask_ahead(0));
        self.give_back_all(|state| *state == State::Spare, "no job needed it in time", out);
    }

    fn cancel(&mut self, id: u64, out: &mut Vec<Effect>) {
        let Some(request) = self.requests.remove(&id) else { return };
        self.lines[request.line].remove(id);
        let granted = self.workers.iter().find(|(_, entry)| entry.state == State::Granted(id));
        if let Some(worker) = granted.map(|(worker, _)| worker.clone()) {
            self.give_back(&worker, "its request was cancelled", out);
        }
    }

    fn launch(&mut self, id: u64, worker: Worker, out: &mut Vec<Effect>) {
        let Some(entry) = self.workers.get_mut(&worker) else { return };
        if entry.state != State::Granted(id) {
            return;
        }
        if let Some(request) = self.requests.remove(&id) {
            let connected = entry.warm == Some(Warmth::Connected);
            entry.state = if connected { State::Running } else { State::Starting };
            let started = std::mem::replace(&mut entry.started, true);
            out.push(Effect::Launch { worker, order: request.order, started });
        }
    }

    /// Live → Releasing, without a word to Flink.
    fn give_back(&mut self, worker: &Worker, why: &str, out: &mut Vec<Effect>) {
        let Some(entry) = self.workers.get_mut(worker) else { return };
        match entry.state {
            State::Releasing { .. } => return,
            State::Granted(id) => drop(self.requests.remove(&id)),
            State::Spare | State::Starting | State::Running => {}
        }
        entry.state = State::Releasing { told: false, tries: 0 };
        let started = entry.started;
        out.push(Effect::Stop { worker: worker.clone(), reason: why.to_owned(), started });
    }

    fn give_back_all(&mut self, which: impl Fn(&State) -> bool, why: &str, out: &mut Vec<Effect>) {
        let found = self.workers.iter().filter(|(_, entry)| which(&entry.state));
        let found: Vec<_> = found.map(|(worker, _)| worker.clone()).collect();
        found.iter().for_each(|worker| self.give_back(worker, why, out));
    }

    fn job_manager_lost(&mut self, out: &mut Vec<Effect>) {
        let unused = |state: &State| matches!(state, State::Granted(_) | State::Spare);
        self.give_back_all(unused, "the JobManager that asked for it is gone", out);
        self.requests.clear();
        self.lines.iter_mut().for_each(Line::clear);
    }

    fn beat(&mut self, beat: Beat, out: &mut Vec<Effect>) {
        let mut grants = vec![0; self.lines.len()];
        for grant in beat.granted {
            self.granted(grant, &mut grants, out);
        }
        for (line, grants) in self.lines.iter_mut().zip(grants) {
            let sent = beat.sent.asks.iter().find(|ask| ask.priority == line.priority).map(|ask| ask.count);
            line.answered(sent, grants, beat.certain);
        }
        if beat.certain {
            for worker in &beat.sent.releases {
                if let Some(Entry { state: State::Releasing { told, .. }, .. }) = self.workers.get_mut(worker)
                {
                    *told = true;
                }
            }
        }
        for completed in beat.completed {
            self.completed(completed, out);
        }
    }

    fn granted(&mut self, grant: Grant, grants: &mut [u32], out: &mut Vec<Effect>) {
        let Grant { worker, place, priority, allocation_request, .. } = grant;
        if self.gone.contains_key(&worker) || self.workers.contains_key(&worker) {
            return; // said twice
        }
        let number = allocation_request.filter(|id| *id > 0).unwrap_or(i64::from(priority));
        let line = self.lines.iter().position(|line| i64::from(line.priority) == number);
        let request = line.and_then(|line| {
            grants[line] += 1;
            self.lines[line].pop()
        });
        let ahead = request.is_none() && line.is_some_and(|line| self.lines[line].pop_ahead());
        let mut entry = Entry::new(place.clone(), State::Spare);
        entry.line = line.unwrap_or_default();
        out.push(match request {
            Some(id) => {
                entry.state = State::Granted(id);
                Effect::Allocated { id, worker: worker.clone(), place }
            }
            None if ahead => {
                entry.warm = Some(Warmth::Starting);
                entry.started = true;
                Effect::Warm { worker: worker.clone(), place }
            }
            None => {
                entry.state = State::Releasing { told: false, tries: 0 };
                let reason = "surplus: no request waits for it".to_owned();
                Effect::Stop { worker: worker.clone(), reason, started: false }
            }
        });
        self.workers.insert(worker, entry);
    }

    fn completed(&mut self, completed: Completed, out: &mut Vec<Effect>) {
        let Completed { worker, status, diagnostics } = completed;
        let Some(entry) = self.workers.remove(&worker) else {
            return self.completed_late(worker, status, &diagnostics, out);
        };
        if let State::Granted(id) = entry.state {
            self.requests.remove(&id);
        }
        let report = entry.report.as_ref();
        let cause = match entry.state {
            State::Releasing { .. } => match ExitCause::of_returned(status, &diagnostics, report) {
                Some(cause) => {
                    out.push(explained(&worker, Some(&entry.place), cause));
                    None
                }
                None => Some(given_back(status)),
            },
            // Flink has never heard of it.
            State::Spare => Some(ExitCause::new(Some((status, &diagnostics)), report).to_string()),
            State::Granted(_) | State::Starting | State::Running => {
                out.push(terminated(
                    &worker,
                    &entry.place,
                    ExitCause::new(Some((status, &diagnostics)), report),
                ));
                None
            }
        };
        self.remember(worker.clone(), true);
        out.push(Effect::Forget { worker, cause });
    }

    /// YARN tells the end of a container that is not there any more.
    fn completed_late(&mut self, worker: Worker, status: i32, diagnostics: &str, out: &mut Vec<Effect>) {
        match self.gone.get_mut(&worker) {
            // Said twice.
            Some(true) => {}
            // It was given up before YARN confirmed its end.
            Some(heard) => {
                *heard = true;
                let cause = ExitCause::of_returned(status, diagnostics, None);
                out.extend(cause.map(|cause| explained(&worker, None, cause)));
            }
            // Never seen alive: its grant was lost on the way, and with it one that was asked for.
            None => {
                self.remember(worker, true);
                self.lines.iter_mut().for_each(Line::doubt);
            }
        }
    }

    fn resync(&mut self) {
        self.lines.iter_mut().for_each(Line::forgotten);
        for entry in self.workers.values_mut() {
            if let State::Releasing { told, .. } = &mut entry.state {
                *told = false;
            }
        }
    }

    /// Which of the asks is at fault is not known: all that wait fail, and Flink asks anew at its own pace.
    /// A heartbeat that is refused has changed nothing: what the ResourceManager had before of each line, it still has.
    fn asks_refused(&mut self, sent: &[Ask], reason: &str, out: &mut Vec<Effect>) {
        for line in &mut self.lines {
            match sent.iter().find(|ask| ask.priority == line.priority) {
                None => continue,
                Some(Ask { count: 0, .. }) => {
                    line.cannot_be_cancelled();
                    continue;
                }
                Some(_) => line.ask_ahead(0),
            }
            while let Some(id) = line.pop() {
                self.requests.remove(&id);
                out.push(Effect::Failed { id, reason: format!("YARN refuses the request: {reason}") });
            }
        }
    }

    fn refresh(&mut self, out: &mut Vec<Effect>) {
        self.lines.iter_mut().for_each(Line::doubt);
        let mut lost = Vec::new();
        for (worker, entry) in &mut self.workers {
            if let State::Releasing { told, tries } = &mut entry.state {
                *told = false;
                *tries += 1;
                if *tries > RELEASE_TRIES {
                    lost.push(worker.clone());
                }
            }
        }
        for worker in lost {
            self.workers.remove(&worker);
            self.remember(worker.clone(), false);
            let cause = Some("given back; YARN never confirmed its end".to_owned());
            out.push(Effect::Forget { worker, cause });
        }
    }

    fn start_failed(&mut self, worker: Worker, reason: String, out: &mut Vec<Effect>) {
        let Some(entry) = self.workers.get(&worker) else { return };
        match (&entry.state, entry.warm) {
            (State::Spare, _) => {}
            (State::Starting, _) | (State::Granted(_), Some(_)) => {
                let cause = ExitCause::not_started(reason);
                out.push(terminated(&worker, &entry.place, cause));
            }
            (State::Granted(_), None) | (State::Running | State::Releasing { .. }, _) => return,
        }
        self.give_back(&worker, "it could not be started", out);
    }

    fn connected(&mut self, worker: Worker, out: &mut Vec<Effect>) {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.warm = entry.warm.map(|_| Warmth::Connected);
            match entry.state {
                State::Starting => return entry.state = State::Running,
                State::Running | State::Spare => return,
                State::Granted(_) if entry.warm.is_some() => return,
                State::Granted(_) | State::Releasing { .. } => {}
            }
        }
        let started = self.workers.get(&worker).is_some_and(|entry| entry.started);
        out.push(Effect::Stop { worker, reason: "it is not wanted".to_owned(), started });
    }

    fn signalled(&mut self, worker: Worker, out: &mut Vec<Effect>) {
        match self.workers.get_mut(&worker) {
            // The ResourceManager has heard that it is given back: that is why.
            None | Some(Entry { state: State::Releasing { told: true, .. }, .. }) => {}
            Some(entry) => await_reason(worker, entry, out),
        }
    }

    fn exited(&mut self, worker: Worker, report: JvmExit, out: &mut Vec<Effect>) {
        let Some(entry) = self.workers.get_mut(&worker) else { return };
        let wait = report.may_be_yarns_kill();
        entry.report = Some(report);
        match entry.state {
            State::Spare | State::Releasing { .. } | State::Granted(_) => {}
            State::Starting | State::Running if wait => await_reason(worker, entry, out),
            State::Starting | State::Running => self.ended_by_report(worker, out),
        }
    }

    fn report_wait_over(&mut self, worker: Worker, out: &mut Vec<Effect>) {
        let Some(entry) = self.workers.get_mut(&worker) else { return };
        entry.awaits = false;
        if entry.report.is_some() && matches!(entry.state, State::Starting | State::Running) {
            self.ended_by_report(worker, out);
        }
    }

    /// The JVM is gone and there is no more to learn: Flink may replace it without waiting for the
    /// ResourceManager.
    fn ended_by_report(&mut self, worker: Worker, out: &mut Vec<Effect>) {
        if let Some(entry) = self.workers.get(&worker) {
            out.push(terminated(&worker, &entry.place, ExitCause::new(None, entry.report.as_ref())));
        }
        self.give_back(&worker, "its JVM has ended", out);
    }

    /// Remembers an ended container, and whether YARN has said how it ended.
    fn remember(&mut self, worker: Worker, heard: bool) {
        if self.gone.insert(worker.clone(), heard).is_some() {
            return;
        }
        self.gone_order.push_back(worker);
        if self.gone_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }
}

/// Waits for YARN's reason, unless that is done already.
fn await_reason(worker: Worker, entry: &mut Entry, out: &mut Vec<Effect>) {
    if !std::mem::replace(&mut entry.awaits, true) {
        out.push(Effect::AwaitCompletion(worker));
    }
}

fn terminated(worker: &Worker, place: &Place, cause: ExitCause) -> Effect {
    let reason = format!("{worker} on {place}: {cause}");
    Effect::Terminated { worker: worker.clone(), reason, cause: Box::new(cause) }
}

fn explained(worker: &Worker, place: Option<&Place>, cause: ExitCause) -> Effect {
    let place = place.map(|place| format!(" on {place}")).unwrap_or_default();
    let reason = format!("{worker}{place}: {cause}");
    Effect::Explained { worker: worker.clone(), reason, cause: Box::new(cause) }
}

/// Why the cluster can never give a container of this size, with both numbers; none if it can.
fn too_large(profile: &Profile, maximum: &Profile) -> Option<String> {
    if profile.memory_mb > maximum.memory_mb {
        return Some(format!(
            "a TaskManager of {} MB is larger than the cluster's largest container, {} MB \
             (taskmanager.memory.process.size; YARN: yarn.scheduler.maximum-allocation-mb)",
            profile.memory_mb, maximum.memory_mb
        ));
    }
    if profile.vcores > maximum.vcores {
        return Some(format!(
            "a TaskManager of {} vcores is larger than the cluster's largest container, {} vcores \
             (yarn.containers.vcores, taskmanager.cpu.cores; YARN: yarn.scheduler.maximum-allocation-vcores)",
            profile.vcores, maximum.vcores
        ));
    }
    profile.resources.iter().filter(|(_, amount)| **amount > 0).find_map(|(name, amount)| {
        match maximum.resources.get(name) {
            None => {
                Some(format!("the cluster defines no resource type {name} (a TaskManager wants {amount})"))
            }
            Some(most) if amount > most => Some(format!(
                "a TaskManager with {amount} of {name} is larger than the cluster's largest container, {most}"
            )),
            Some(_) => None,
        }
    })
}

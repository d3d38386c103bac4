//! The container in which a class data archive is made: when YARN is asked for it, and when it is given up.
//! It is needed where the ApplicationMaster's own container has too little memory for another JVM.
//! TaskManagers come first. Pure: the time is an argument.
//!
//! ```text
//! Idle ─wanted─► Due ─no TaskManager waits or starts─► Asked ─grant─► Held ─its end─► Idle
//!                 ▲                                      │              │
//!                 └───────── a TaskManager waits ────────┤              │
//!                         not in time, or refused ───────┴──────────────┴─► Idle
//!                         (Held: too long, or a TaskManager waits)
//! ```

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::ContainerId;

use super::event::{Action, BuilderRequest, HeartbeatAnswer, Output, RequestEvent};
use super::observation::Observation;
use crate::ledger::types::{Ask, Completed, Grant, Outgoing, Profile, Purpose};

/// How long YARN is given to grant the container.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a TaskManager's request waits before this container is given back: it may be what YARN lacks.
const YIELD_AFTER: Duration = Duration::from_secs(5);
/// How long the container may take for its work.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    /// Wanted; YARN is asked once no TaskManager waits or starts.
    Due,
    /// YARN is asked until then.
    Asked(Instant),
    /// Granted, and not ended. `waited`: since when a TaskManager's request has been waiting.
    Held { container: ContainerId, until: Instant, waited: Option<Instant> },
}

/// What the containers of TaskManagers are doing, which come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TaskManagerDemand {
    /// Some are not granted yet.
    pub(super) waiting: bool,
    /// Some start.
    pub(super) starting: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct ArchiveContainer {
    state: State,
    size: Profile,
    /// How many containers the ResourceManager still means to grant. None: it is not known, because a message
    /// may have been lost, or a grant and an ask have crossed on the way.
    known: Option<u32>,
    /// Containers that are given back, and whether the ResourceManager knows.
    returned: Vec<(ContainerId, bool)>,
    events: Vec<RequestEvent>,
}

impl ArchiveContainer {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            size: Profile::default(),
            known: Some(0),
            returned: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Whether these asks are for such a container; they are never sent together with others.
    pub(super) fn is_ask(asks: &[Ask]) -> bool {
        asks.iter().any(|ask| ask.purpose == Purpose::ClassDataArchive)
    }

    /// The service wants a container, which replaces one that it wanted before; or has no use for it any
    /// more.
    pub(super) fn request(&mut self, request: BuilderRequest) {
        match request {
            BuilderRequest::Container(memory_mb) => {
                self.release();
                self.size = Profile { memory_mb, vcores: 1, ..Profile::default() };
                self.state = State::Due;
            }
            BuilderRequest::GiveBack => self.over("it is not wanted any more".to_owned()),
        }
    }

    fn release(&mut self) {
        if let State::Held { container, .. } = std::mem::take(&mut self.state) {
            self.returned.push((container, false));
        }
    }

    /// Gives back containers of this kind that earlier ApplicationMasters have left.
    pub(super) fn give_back_old(&mut self, containers: &[ContainerId]) {
        self.returned.extend(containers.iter().map(|container| (*container, false)));
    }

    /// Whether heartbeats should be frequent.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Asked(_))
    }

    /// When [`ArchiveContainer::tick`] is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Due => None,
            State::Asked(until) => Some(*until),
            State::Held { until, waited, .. } => {
                Some(waited.map_or(*until, |since| (since + YIELD_AFTER).min(*until)))
            }
        }
    }

    /// Time has passed, or something has happened to the TaskManagers. `largest`: the largest container, once
    /// we are registered.
    pub(super) fn tick(
        &mut self,
        task_managers: TaskManagerDemand,
        largest: Option<&Profile>,
        now: Instant,
        out: &mut Output,
    ) {
        let was_asked = self.is_busy();
        self.advance(task_managers, largest, now);
        self.events.drain(..).for_each(|event| out.act(Action::Archive(event)));
        if self.is_busy() && !was_asked {
            out.observe(Observation::ArchiveContainerAsked);
        }
    }

    fn advance(&mut self, task_managers: TaskManagerDemand, largest: Option<&Profile>, now: Instant) {
        let size = self.size.memory_mb;
        match (&mut self.state, largest) {
            (State::Due, Some(largest)) if size > largest.memory_mb => {
                let largest = largest.memory_mb;
                self.over(format!(
                    "the queue's largest container has {largest} MiB, and {size} MiB are needed"
                ));
            }
            (State::Due, Some(_)) if task_managers == TaskManagerDemand::default() => {
                self.state = State::Asked(now + PATIENCE)
            }
            (State::Asked(_), _) if task_managers.waiting => self.state = State::Due,
            (State::Asked(until), _) if now >= *until => {
                self.over(format!("YARN gave no container of {size} MiB within {} s", PATIENCE.as_secs()));
            }
            (State::Held { until, .. }, _) if now >= *until => {
                self.over(format!("its container took longer than {} s", LONGEST.as_secs()));
            }
            (State::Held { waited, .. }, _) => {
                *waited = task_managers.waiting.then(|| waited.unwrap_or(now));
                if waited.is_some_and(|since| now >= since + YIELD_AFTER) {
                    self.over("its container was given back, because a TaskManager waits for one".to_owned());
                }
            }
            _ => {}
        }
    }

    fn over(&mut self, why: String) {
        self.release();
        self.events.push(RequestEvent::Over(why));
    }

    /// Adds to what the next heartbeat carries. An ask is never sent together with those for TaskManagers, so
    /// that it is refused without them.
    pub(super) fn add_to(&self, outgoing: &mut Outgoing) {
        let unreported = self.returned.iter().filter(|(_, reported)| !reported);
        outgoing.releases.extend(unreported.map(|(container, _)| container));
        let count = u32::from(matches!(self.state, State::Asked(_)));
        if outgoing.asks.is_empty() && self.known != Some(count) {
            outgoing.asks.push(Ask {
                purpose: Purpose::ClassDataArchive,
                priority: Purpose::ARCHIVE_PRIORITY,
                profile: self.size.clone(),
                count,
            });
        }
    }

    /// A heartbeat was answered that carried `sent`: takes out of the answer what concerns this container.
    /// `certain`: no earlier try of the heartbeat was lost.
    pub(super) fn heartbeat_answered(
        &mut self,
        sent: &Outgoing,
        certain: bool,
        answer: &mut HeartbeatAnswer,
        now: Instant,
        out: &mut Output,
    ) {
        self.confirmed(sent, certain);
        let is_for_archive = |grant: &mut Grant| grant.purpose == Purpose::ClassDataArchive;
        answer.granted.extract_if(.., is_for_archive).for_each(|grant| self.granted(grant.container, now));
        let ended = answer.completed.extract_if(.., |completed| self.is_ours(completed.container));
        for completed in ended.collect::<Vec<_>>() {
            out.act(Action::Forget(completed.container));
            self.completed(completed);
        }
        self.give_back_old(&std::mem::take(&mut answer.archive_containers));
    }

    /// The ResourceManager knows what was sent to it.
    fn confirmed(&mut self, sent: &Outgoing, certain: bool) {
        match sent.asks.iter().find(|ask| ask.purpose == Purpose::ClassDataArchive) {
            Some(ask) => self.known = certain.then_some(ask.count),
            None if !certain && self.size.memory_mb > 0 => self.known = None,
            None => {}
        }
        for (container, reported) in &mut self.returned {
            *reported |= certain && sent.releases.contains(container);
        }
    }

    fn granted(&mut self, container: ContainerId, now: Instant) {
        // It may have crossed an ask that was sent again.
        self.known = None;
        if matches!(self.state, State::Asked(_)) {
            self.events.push(RequestEvent::Granted(container));
            self.state = State::Held { container, until: now + LONGEST, waited: None };
        } else {
            self.returned.push((container, false));
        }
    }

    fn is_ours(&self, container: ContainerId) -> bool {
        self.is_held(container) || self.returned.iter().any(|(returned, _)| *returned == container)
    }

    fn is_held(&self, container: ContainerId) -> bool {
        matches!(self.state, State::Held { container: held, .. } if held == container)
    }

    /// One of our containers has ended.
    fn completed(&mut self, completed: Completed) {
        if self.is_held(completed.container) {
            self.state = State::Idle;
            self.events.push(RequestEvent::Ended(completed));
        } else {
            self.returned.retain(|(container, _)| *container != completed.container);
        }
    }

    /// The ResourceManager refuses the ask, and would refuse it again.
    pub(super) fn refused(&mut self, why: &str) {
        self.known = Some(0);
        if matches!(self.state, State::Asked(_)) {
            self.over(format!("YARN refuses the request: {why}"));
        }
    }

    /// The ResourceManager has forgotten what it was told.
    pub(super) fn forgotten(&mut self) {
        self.known = Some(0);
        self.returned.iter_mut().for_each(|(_, reported)| *reported = false);
    }
}

#[cfg(test)]
#[path = "archive_container_tests.rs"]
mod tests;

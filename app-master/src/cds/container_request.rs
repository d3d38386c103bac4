//! When YARN is asked for a container in which to make a class data archive, and when that is given up. The
//! memory of the ApplicationMaster's own container is too small for it as a rule. Pure: the time is an
//! argument.
//!
//! ```text
//! Idle ─want─► Due ─all workers are there─► Asked ─grant─► Held ─its end─► Idle
//!               ▲                             │              │
//!               └────── a worker waits ───────┤              │
//!                       too late, refused ────┴──────────────┴─ too long, a worker waits ─► Idle
//! ```

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::Container;

use crate::ledger::types::{Ask, Completed, Grant, Outgoing, Profile, Purpose, Worker};

/// How long YARN is given to find a place.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a worker waits at most for the room that the container may have.
const YIELD_AFTER: Duration = Duration::from_secs(5);
/// For the container to do its work.
const LONGEST: Duration = Duration::from_secs(600);

/// What the builder of archives asks of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuilderRequest {
    /// A container of this memory, MiB.
    Container(u64),
    /// The container that was granted is of no use; answered by [`BuilderReply::Over`].
    GiveBack,
}

/// What the controller answers.
#[derive(Debug)]
pub(crate) enum BuilderReply {
    /// The container that YARN has granted.
    Granted(Box<Container>),
    /// There is no container, or no longer; why.
    Over(String),
    /// It has ended, with this status and YARN's diagnostics.
    Ended(i32, String),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    /// Wanted; workers come first.
    Due,
    /// YARN is asked, until then.
    Asked(Instant),
    /// Ours until it ends. `waited`: since when a worker has been waiting.
    Held { worker: Worker, until: Instant, waited: Option<Instant> },
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RequestEvent {
    /// YARN has granted this container, which can be started now.
    Granted(Worker),
    /// There is no container, or no longer; why.
    Over(String),
    /// The container has ended by itself.
    Ended(Completed),
}

/// What the containers of TaskManagers are doing; they go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Workers {
    /// Some are not granted yet.
    pub(crate) waiting: bool,
    /// Some start.
    pub(crate) starting: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct ContainerRequest {
    state: State,
    size: Profile,
    /// How many containers the ResourceManager believes to owe; none: something may have been lost, or
    /// crossed on the way.
    told: Option<u32>,
    /// On their way back, and whether the ResourceManager knows.
    returned: Vec<(Worker, bool)>,
    events: Vec<RequestEvent>,
}

impl ContainerRequest {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Idle,
            size: Profile::default(),
            told: Some(0),
            returned: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Whether a container is one in which to make an archive.
    pub(crate) fn is_for(grant: &Grant) -> bool {
        grant.purpose == Purpose::ClassDataArchive
    }

    /// Whether these asks are for such a container; they are never sent together with others.
    pub(crate) fn is_ask(asks: &[Ask]) -> bool {
        asks.iter().any(|ask| ask.purpose == Purpose::ClassDataArchive)
    }

    /// A container of this memory is wanted. What was wanted before is over.
    pub(crate) fn want(&mut self, memory_mb: u64) {
        self.release();
        self.size = Profile { memory_mb, vcores: 1, ..Profile::default() };
        self.state = State::Due;
    }

    /// The container is of no use.
    pub(crate) fn give_back(&mut self) {
        self.over("it is not wanted any more".to_owned());
    }

    fn release(&mut self) {
        if let State::Held { worker, .. } = std::mem::take(&mut self.state) {
            self.returned.push((worker, false));
        }
    }

    /// Containers that an earlier ApplicationMaster has left.
    pub(crate) fn strays(&mut self, workers: Vec<Worker>) {
        self.returned.extend(workers.into_iter().map(|worker| (worker, false)));
    }

    /// Whether there is nothing to look after.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle && self.events.is_empty()
    }

    /// Whether heartbeats should be quick.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Asked(_))
    }

    /// When [`ContainerRequest::tick`] is due.
    pub(crate) fn wake(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Due => None,
            State::Asked(until) => Some(*until),
            State::Held { until, waited, .. } => {
                Some(waited.map_or(*until, |since| (since + YIELD_AFTER).min(*until)))
            }
        }
    }

    /// Time has passed, or something has happened to the workers. `largest`: the largest container, once we
    /// are registered.
    pub(crate) fn tick(
        &mut self,
        workers: Workers,
        largest: Option<&Profile>,
        now: Instant,
    ) -> Vec<RequestEvent> {
        let size = self.size.memory_mb;
        match (&mut self.state, largest) {
            (State::Due, Some(largest)) if size > largest.memory_mb => {
                let largest = largest.memory_mb;
                self.over(format!(
                    "the queue's largest container has {largest} MiB, and {size} MiB are needed"
                ));
            }
            (State::Due, Some(_)) if workers == Workers::default() => {
                self.state = State::Asked(now + PATIENCE)
            }
            (State::Asked(_), _) if workers.waiting => self.state = State::Due,
            (State::Asked(until), _) if now >= *until => {
                self.over(format!("YARN gave no container of {size} MiB within {} s", PATIENCE.as_secs()));
            }
            (State::Held { until, .. }, _) if now >= *until => {
                self.over(format!("its container took longer than {} s", LONGEST.as_secs()));
            }
            (State::Held { waited, .. }, _) => {
                *waited = workers.waiting.then(|| waited.unwrap_or(now));
                if waited.is_some_and(|since| now >= since + YIELD_AFTER) {
                    self.over("its container was given back, because a worker waits for one".to_owned());
                }
            }
            _ => {}
        }
        std::mem::take(&mut self.events)
    }

    fn over(&mut self, why: String) {
        self.release();
        self.events.push(RequestEvent::Over(why));
    }

    /// Adds to what the next heartbeat carries. An ask goes alone, so that one that is refused is refused
    /// alone.
    pub(crate) fn add_to(&self, outgoing: &mut Outgoing) {
        let untold = self.returned.iter().filter(|(_, told)| !told);
        outgoing.releases.extend(untold.map(|(worker, _)| worker.clone()));
        let count = u32::from(matches!(self.state, State::Asked(_)));
        if outgoing.asks.is_empty() && self.told != Some(count) {
            outgoing.asks.push(Ask {
                purpose: Purpose::ClassDataArchive,
                priority: Purpose::ARCHIVE_PRIORITY,
                profile: self.size.clone(),
                count,
            });
        }
    }

    /// The ResourceManager has answered a heartbeat that carried `sent`. `certain`: no earlier try of it was
    /// lost.
    pub(crate) fn answered(&mut self, sent: &Outgoing, certain: bool) {
        match sent.asks.iter().find(|ask| ask.purpose == Purpose::ClassDataArchive) {
            Some(ask) => self.told = certain.then_some(ask.count),
            None if !certain && self.size.memory_mb > 0 => self.told = None,
            None => {}
        }
        for (worker, told) in &mut self.returned {
            *told |= certain && sent.releases.contains(worker);
        }
    }

    /// A container of such a.
    pub(crate) fn granted(&mut self, worker: Worker, now: Instant) {
        // It may have crossed an ask that was said again.
        self.told = None;
        if matches!(self.state, State::Asked(_)) {
            self.events.push(RequestEvent::Granted(worker.clone()));
            self.state = State::Held { worker, until: now + LONGEST, waited: None };
        } else {
            self.returned.push((worker, false));
        }
    }

    /// A container has ended; gives it back if it is none of ours.
    pub(crate) fn completed(&mut self, completed: Completed) -> Option<Completed> {
        if matches!(&self.state, State::Held { worker, .. } if *worker == completed.worker) {
            self.state = State::Idle;
            self.events.push(RequestEvent::Ended(completed));
            return None;
        }
        let before = self.returned.len();
        self.returned.retain(|(worker, _)| *worker != completed.worker);
        (self.returned.len() == before).then_some(completed)
    }

    /// The ResourceManager refuses the ask, and would again.
    pub(crate) fn refused(&mut self, why: &str) {
        self.told = Some(0);
        if matches!(self.state, State::Asked(_)) {
            self.over(format!("YARN refuses the request: {why}"));
        }
    }

    /// The ResourceManager starts from nothing.
    pub(crate) fn forgotten(&mut self) {
        self.told = Some(0);
        self.returned.iter_mut().for_each(|(_, told)| *told = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Workers = Workers { waiting: false, starting: false };
    const WAITING: Workers = Workers { waiting: true, starting: false };
    const STARTING: Workers = Workers { waiting: false, starting: true };

    fn largest() -> Profile {
        Profile { memory_mb: 4096, vcores: 4, ..Profile::default() }
    }

    fn outgoing(request: &ContainerRequest) -> Outgoing {
        let mut outgoing = Outgoing::default();
        request.add_to(&mut outgoing);
        outgoing
    }

    /// One heartbeat; gives the count that it asked for.
    fn beat(request: &mut ContainerRequest) -> Option<u32> {
        let sent = outgoing(request);
        request.answered(&sent, true);
        sent.asks.first().map(|ask| ask.count)
    }

    fn asked(now: Instant) -> ContainerRequest {
        let mut request = ContainerRequest::new();
        request.want(2700);
        assert_eq!(request.tick(NONE, Some(&largest()), now), []);
        assert_eq!(beat(&mut request), Some(1));
        assert_eq!(beat(&mut request), None, "said once");
        request
    }

    fn held(now: Instant) -> (ContainerRequest, Worker) {
        let (mut request, worker) = (asked(now), Worker::new("c9"));
        request.granted(worker.clone(), now);
        assert_eq!(request.tick(NONE, Some(&largest()), now), [RequestEvent::Granted(worker.clone())]);
        assert_eq!((beat(&mut request), beat(&mut request)), (Some(0), None), "no second one");
        (request, worker)
    }

    fn completed(worker: &Worker) -> Completed {
        Completed { worker: worker.clone(), status: 0, diagnostics: String::new() }
    }

    #[test]
    fn workers_come_first() {
        let now = Instant::now();
        let mut request = ContainerRequest::new();
        assert!(request.is_idle());
        request.want(2700);
        for workers in [WAITING, STARTING] {
            assert_eq!(request.tick(workers, Some(&largest()), now), []);
            assert_eq!(outgoing(&request), Outgoing::default());
        }
        assert_eq!(request.tick(NONE, None, now), [], "not registered");
        assert!(!request.is_busy());
        let mut request = asked(now);
        assert!(request.is_busy());
        // One that starts does not matter any more, one that waits does.
        assert_eq!(request.tick(STARTING, Some(&largest()), now), []);
        assert_eq!(beat(&mut request), None);
        assert_eq!(request.tick(WAITING, Some(&largest()), now), []);
        let worker = Ask { purpose: Purpose::TaskManager, priority: 1, profile: largest(), count: 1 };
        let mut with_workers = Outgoing { asks: vec![worker], releases: vec![] };
        request.add_to(&mut with_workers);
        assert!(!ContainerRequest::is_ask(&with_workers.asks), "it goes alone");
        assert_eq!(beat(&mut request), Some(0), "taken back");
        assert_eq!(request.tick(NONE, Some(&largest()), now), []);
        assert_eq!(beat(&mut request), Some(1), "and asked for again");
    }

    #[test]
    fn the_container_works_and_ends() {
        let now = Instant::now();
        let (mut request, worker) = held(now);
        let other = completed(&Worker::new("c1"));
        assert_eq!(request.completed(other.clone()), Some(other), "a worker's end");
        assert_eq!(request.completed(completed(&worker)), None);
        assert_eq!(request.tick(NONE, Some(&largest()), now), [RequestEvent::Ended(completed(&worker))]);
        assert!(request.is_idle() && request.wake().is_none());
        assert_eq!(outgoing(&request), Outgoing::default());
    }

    #[test]
    fn no_place_in_time_too_large_or_refused() {
        let now = Instant::now();
        let over = |events: Vec<RequestEvent>, word: &str| {
            assert!(matches!(&events[..], [RequestEvent::Over(why)] if why.contains(word)), "{events:?}");
        };
        let mut request = asked(now);
        let late = request.wake().unwrap();
        assert_eq!(late, now + PATIENCE);
        over(request.tick(NONE, Some(&largest()), late), "within 60 s");
        assert_eq!(beat(&mut request), Some(0), "taken back");
        // It comes after all, and goes back.
        let worker = Worker::new("c9");
        request.granted(worker.clone(), late);
        assert_eq!(outgoing(&request).releases, std::slice::from_ref(&worker));
        beat(&mut request);
        assert_eq!(outgoing(&request), Outgoing::default());
        assert_eq!(request.completed(completed(&worker)), None);

        let mut request = ContainerRequest::new();
        request.want(4097);
        over(request.tick(NONE, Some(&largest()), now), "4096 MiB, and 4097 MiB");
        assert_eq!(outgoing(&request), Outgoing::default(), "nothing is asked for");

        let mut request = asked(now);
        request.refused("no such label");
        over(request.tick(NONE, Some(&largest()), now), "no such label");
        assert_eq!(outgoing(&request), Outgoing::default());
    }

    #[test]
    fn a_worker_that_waits_gets_the_room() {
        let now = Instant::now();
        let (mut request, worker) = held(now);
        assert_eq!(request.tick(WAITING, Some(&largest()), now), []);
        let soon = now + YIELD_AFTER / 2;
        assert_eq!(request.tick(NONE, Some(&largest()), soon), [], "it did not wait long");
        assert_eq!(request.tick(WAITING, Some(&largest()), soon), []);
        assert_eq!(request.wake(), Some(soon + YIELD_AFTER));
        let events = request.tick(WAITING, Some(&largest()), soon + YIELD_AFTER);
        assert!(
            matches!(&events[..], [RequestEvent::Over(why)] if why.contains("a worker waits")),
            "{events:?}"
        );
        assert_eq!(outgoing(&request).releases, [worker]);

        let (mut request, worker) = held(now);
        let events = request.tick(NONE, Some(&largest()), now + LONGEST);
        assert!(matches!(&events[..], [RequestEvent::Over(_)]));
        assert_eq!(outgoing(&request).releases, [worker]);
    }

    #[test]
    fn what_was_lost_is_said_again() {
        let now = Instant::now();
        let mut request = ContainerRequest::new();
        request.answered(&Outgoing::default(), false);
        assert_eq!(outgoing(&request), Outgoing::default(), "nothing was ever asked for");
        let mut request = asked(now);
        request.answered(&Outgoing::default(), false);
        assert_eq!(beat(&mut request), Some(1));
        request.forgotten();
        assert_eq!(beat(&mut request), Some(1));
        let (mut request, worker) = held(now);
        request.give_back();
        let sent = outgoing(&request);
        request.answered(&sent, false);
        assert_eq!(outgoing(&request).releases, std::slice::from_ref(&worker));
        beat(&mut request);
        assert_eq!(outgoing(&request).releases, []);
        request.forgotten();
        assert_eq!(outgoing(&request).releases, [worker]);
        request.strays(vec![Worker::new("c3")]);
        assert_eq!(outgoing(&request).releases.len(), 2);
    }

    #[test]
    fn containers_are_known_by_the_purpose_of_their_ask() {
        let number = Purpose::ARCHIVE_PRIORITY;
        for allocation_request in [Some(i64::from(number)), Some(-1), None] {
            assert_eq!(Purpose::of(number, allocation_request), Purpose::ClassDataArchive);
        }
        assert_eq!(Purpose::of(1, Some(1)), Purpose::TaskManager);
        assert_eq!(Purpose::of(1, None), Purpose::TaskManager);
    }
}

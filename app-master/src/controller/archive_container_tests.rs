use super::*;
use crate::ledger::types::{container_id, node_id};

const NONE: TaskManagerDemand = TaskManagerDemand { waiting: false, starting: false };
const WAITING: TaskManagerDemand = TaskManagerDemand { waiting: true, starting: false };
const STARTING: TaskManagerDemand = TaskManagerDemand { waiting: false, starting: true };

fn largest() -> Profile {
    Profile { memory_mb: 4096, vcores: 4, ..Profile::default() }
}

/// The machine, and a clock that only moves when told.
struct Test {
    machine: ArchiveContainer,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self { machine: ArchiveContainer::new(), now: Instant::now() }
    }

    fn wanted(memory_mb: u64) -> Self {
        let mut test = Self::new();
        test.machine.request(BuilderRequest::Container(memory_mb));
        test
    }

    fn asked() -> Self {
        let mut test = Self::wanted(2700);
        assert_eq!(test.tick(NONE), []);
        assert_eq!(test.beat(), Some(1));
        assert_eq!(test.beat(), None, "sent once");
        test
    }

    fn held() -> Self {
        let mut test = Self::asked();
        assert_eq!(test.granted("c9"), []);
        assert_eq!(test.tick(NONE), [RequestEvent::Granted(container_id("c9"))]);
        assert_eq!((test.beat(), test.beat()), (Some(0), None), "no second one");
        test
    }

    fn tick_within(&mut self, demand: TaskManagerDemand, largest: Option<&Profile>) -> Vec<RequestEvent> {
        let mut out = Output::default();
        self.machine.tick(demand, largest, self.now, &mut out);
        let event = |action| match action {
            Action::Archive(event) => event,
            other => panic!("{other:?}"),
        };
        out.actions.into_iter().map(event).collect()
    }

    fn tick(&mut self, demand: TaskManagerDemand) -> Vec<RequestEvent> {
        self.tick_within(demand, Some(&largest()))
    }

    fn outgoing(&self) -> Outgoing {
        let mut outgoing = Outgoing::default();
        self.machine.add_to(&mut outgoing);
        outgoing
    }

    fn answer(&mut self, sent: &Outgoing, certain: bool, answer: &mut HeartbeatAnswer) -> Vec<Action> {
        let mut out = Output::default();
        self.machine.heartbeat_answered(sent, certain, answer, self.now, &mut out);
        out.actions
    }

    /// One heartbeat; gives the number of containers that it asked for.
    fn beat(&mut self) -> Option<u32> {
        let sent = self.outgoing();
        self.answer(&sent, true, &mut HeartbeatAnswer::default());
        sent.asks.first().map(|ask| ask.count)
    }

    /// An answer that brings one container, which has to be taken out of it.
    fn granted(&mut self, name: &str) -> Vec<Action> {
        let mut answer = HeartbeatAnswer { granted: vec![grant(name, true)], ..Default::default() };
        let actions = self.answer(&Outgoing::default(), true, &mut answer);
        assert_eq!(answer.granted, []);
        actions
    }

    /// An answer by which one container has ended; gives what is left of it, and what is done.
    fn ended(&mut self, name: &str) -> (usize, Vec<Action>) {
        let mut answer = HeartbeatAnswer { completed: vec![completed(name)], ..Default::default() };
        let actions = self.answer(&Outgoing::default(), true, &mut answer);
        (answer.completed.len(), actions)
    }
}

fn grant(name: &str, for_archive: bool) -> Grant {
    Grant {
        purpose: if for_archive { Purpose::ClassDataArchive } else { Purpose::TaskManager },
        container: container_id(name),
        node: node_id("n1", 1),
        priority: Purpose::ARCHIVE_PRIORITY,
        allocation_request: None,
    }
}

fn completed(name: &str) -> Completed {
    Completed { container: container_id(name), status: 0, diagnostics: String::new() }
}

fn assert_over(events: &[RequestEvent], word: &str) {
    assert!(matches!(events, [RequestEvent::Over(why)] if why.contains(word)), "{events:?}");
}

#[test]
fn task_managers_come_first() {
    let mut test = Test::wanted(2700);
    for demand in [WAITING, STARTING] {
        assert_eq!(test.tick(demand), []);
        assert_eq!(test.outgoing(), Outgoing::default());
    }
    assert_eq!(test.tick_within(NONE, None), [], "not registered");
    assert!(!test.machine.is_busy());
    let mut test = Test::asked();
    assert!(test.machine.is_busy());
    // Now a TaskManager that starts does not matter any more, but one that waits does.
    assert_eq!(test.tick(STARTING), []);
    assert_eq!(test.beat(), None);
    assert_eq!(test.tick(WAITING), []);
    let ask = Ask { purpose: Purpose::TaskManager, priority: 1, profile: largest(), count: 1 };
    let mut for_task_manager = Outgoing { asks: vec![ask], ..Outgoing::default() };
    test.machine.add_to(&mut for_task_manager);
    assert!(!ArchiveContainer::is_ask(&for_task_manager.asks), "never together");
    assert_eq!(test.beat(), Some(0), "taken back");
    assert_eq!(test.tick(NONE), []);
    assert_eq!(test.beat(), Some(1), "and asked for again");
}

#[test]
fn the_container_works_and_ends() {
    let mut test = Test::held();
    assert_eq!(test.ended("c1"), (1, vec![]), "the end of a TaskManager's container");
    assert_eq!(test.ended("c9"), (0, vec![Action::Forget(container_id("c9"))]));
    assert_eq!(test.tick(NONE), [RequestEvent::Ended(completed("c9"))]);
    assert_eq!((test.tick(NONE), test.machine.wake()), (vec![], None));
    assert_eq!(test.outgoing(), Outgoing::default());
}

#[test]
fn grants_for_task_managers_stay_in_the_answer() {
    let mut test = Test::asked();
    let mut answer = HeartbeatAnswer {
        granted: vec![grant("c1", false), grant("c9", true), grant("c2", false)],
        ..Default::default()
    };
    test.answer(&Outgoing::default(), true, &mut answer);
    assert_eq!(answer.granted, [grant("c1", false), grant("c2", false)]);
    assert_eq!(test.tick(NONE), [RequestEvent::Granted(container_id("c9"))]);
}

#[test]
fn not_granted_in_time_too_large_or_refused() {
    let mut test = Test::asked();
    assert_eq!(test.machine.wake(), Some(test.now + PATIENCE));
    test.now += PATIENCE;
    assert_over(&test.tick(NONE), "within 60 s");
    assert_eq!(test.beat(), Some(0), "taken back");
    // It comes after all, and goes back.
    test.granted("c9");
    assert_eq!(test.outgoing().releases, [container_id("c9")]);
    test.beat();
    assert_eq!(test.outgoing(), Outgoing::default());
    assert_eq!(test.ended("c9"), (0, vec![Action::Forget(container_id("c9"))]));

    let mut test = Test::wanted(4097);
    assert_over(&test.tick(NONE), "4096 MiB, and 4097 MiB");
    assert_eq!(test.outgoing(), Outgoing::default(), "nothing is asked for");

    let mut test = Test::asked();
    test.machine.refused("no such label");
    assert_over(&test.tick(NONE), "no such label");
    assert_eq!(test.outgoing(), Outgoing::default());
}

#[test]
fn it_is_given_back_for_a_task_manager_that_waits() {
    let mut test = Test::held();
    assert_eq!(test.tick(WAITING), []);
    test.now += YIELD_AFTER / 2;
    assert_eq!(test.tick(NONE), [], "it did not wait long");
    assert_eq!(test.tick(WAITING), []);
    assert_eq!(test.machine.wake(), Some(test.now + YIELD_AFTER));
    test.now += YIELD_AFTER;
    assert_over(&test.tick(WAITING), "a TaskManager waits");
    assert_eq!(test.outgoing().releases, [container_id("c9")]);

    let mut test = Test::held();
    test.now += LONGEST;
    assert_over(&test.tick(NONE), "longer than 600 s");
    assert_eq!(test.outgoing().releases, [container_id("c9")]);
}

#[test]
fn what_was_lost_is_sent_again() {
    let (nothing, mut empty) = (Outgoing::default(), HeartbeatAnswer::default());
    let mut test = Test::new();
    test.answer(&nothing, false, &mut empty);
    assert_eq!(test.outgoing(), nothing, "nothing was ever asked for");
    let mut test = Test::asked();
    test.answer(&nothing, false, &mut empty);
    assert_eq!(test.beat(), Some(1));
    test.machine.forgotten();
    assert_eq!(test.beat(), Some(1));
    let mut test = Test::held();
    test.machine.request(BuilderRequest::GiveBack);
    let sent = test.outgoing();
    test.answer(&sent, false, &mut empty);
    assert_eq!(test.outgoing().releases, [container_id("c9")]);
    test.beat();
    assert_eq!(test.outgoing().releases, []);
    test.machine.forgotten();
    assert_eq!(test.outgoing().releases, [container_id("c9")]);
    // An earlier attempt has left another one.
    empty.archive_containers = vec![container_id("c3")];
    test.answer(&nothing, true, &mut empty);
    assert_eq!(test.outgoing().releases.len(), 2);
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

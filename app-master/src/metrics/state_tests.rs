use taskrunner::cause::JvmExit;

use super::*;
use crate::ledger::types::{container_id, node_id};

/// A state and a clock that goes on by a second with each observation.
struct Test {
    state: State,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self { state: State::default(), now: Instant::now() }
    }

    fn see(&mut self, observation: Observation) {
        self.now += Duration::from_secs(1);
        self.state.step(&observation, self.now);
    }

    fn requested(&mut self, request: u64) {
        let size = Profile { memory_mb: 1024, vcores: 1, ..Profile::default() };
        self.see(Observation::Requested { request, size });
    }

    fn granted(&mut self, request: Option<u64>, name: &str) {
        let (container, node) = (container_id(name), node_id("n1", 8041));
        self.see(Observation::Granted { request, container, node });
    }

    fn launching(&mut self, name: &str, started_ahead: bool) {
        self.see(Observation::Launching { container: container_id(name), started_ahead });
    }

    fn started(&mut self, name: &str) {
        self.see(Observation::TaskManagerStarted { container: container_id(name), pid: 5 });
    }

    /// A TaskManager runs in a container that was requested.
    fn running(&mut self, request: u64, name: &str) {
        self.requested(request);
        self.granted(Some(request), name);
        self.launching(name, false);
        self.started(name);
    }

    fn jvm_ended(&mut self, name: &str, report: JvmExit) {
        let (container, host) = (container_id(name), None);
        self.see(Observation::TaskManagerEnded { container, host, report: Box::new(report) });
    }

    fn ended(&mut self, name: &str, cause: ExitCause) {
        let (container, reason) = (container_id(name), String::new());
        self.see(Observation::ContainerEnded { container, reason, cause: Box::new(cause), explained: false });
    }

    fn gone(&mut self, name: &str) {
        self.see(Observation::ContainerGone { container: container_id(name), cause: None, unknown: None });
    }

    fn ends(&self) -> Vec<(&'static str, u64)> {
        self.state.ended.iter().map(|(kind, count)| (kind.label(), *count)).collect()
    }
}

#[test]
fn a_taskmanager_from_its_request_to_its_start() {
    let mut test = Test::new();
    test.requested(1);
    test.requested(2);
    assert_eq!(test.state.states(), States { waiting: 2, starting: 0, running: 0 });
    assert_eq!(test.state.longest_wait(test.now), Duration::from_secs(1));
    test.granted(Some(1), "c2");
    assert_eq!(test.state.states(), States { waiting: 1, starting: 1, running: 0 });
    test.launching("c2", false);
    test.started("c2");
    // Its taskrunner says so again when its link was lost.
    test.started("c2");
    assert_eq!(test.state.states(), States { waiting: 1, starting: 0, running: 1 });
    test.see(Observation::Cancelled { request: 2 });
    let State { requested, granted, started, cancelled, .. } = test.state;
    assert_eq!((requested, granted, started, cancelled), (2, 1, 1, 1));
    assert!((test.state.grant_time.sum - 2.0).abs() < 1e-9, "{:?}", test.state.grant_time);
    assert!((test.state.start_time.sum - 2.0).abs() < 1e-9, "{:?}", test.state.start_time);
    assert_eq!(test.state.live().map(|(_, held)| held.memory).collect::<Vec<_>>(), [1 << 30]);
}

#[test]
fn one_that_is_asked_for_ahead_is_granted_once() {
    let mut test = Test::new();
    let size = Profile { memory_mb: 2048, vcores: 1, ..Profile::default() };
    test.see(Observation::AskedAhead { count: 2, size });
    test.granted(None, "c2");
    assert_eq!(test.state.states(), States { waiting: 1, starting: 1, running: 0 });
    let (rest, rpc) = ("http://h:1".to_owned(), String::new());
    test.see(Observation::JobManagerReady { rest: rest.clone(), rpc });
    assert_eq!((test.state.states().waiting, test.state.rest.clone()), (0, Some(rest)));
    test.requested(1);
    test.granted(Some(1), "c2");
    test.launching("c2", true);
    test.started("c2");
    let State { requested, requested_ahead, granted, .. } = test.state;
    assert_eq!((requested, requested_ahead, granted), (1, 2, 1));
    // The wait for the JobManager is not a part of the start.
    assert!((test.state.start_time.sum - 1.0).abs() < 1e-9, "{:?}", test.state.start_time);
    // One that comes when the JobManager is ready has its size from Flink's request.
    test.granted(None, "c3");
    assert_eq!(test.state.live_one(container_id("c3")).map(|held| held.memory), Some(0));
    test.requested(2);
    test.granted(Some(2), "c3");
    assert_eq!(test.state.live_one(container_id("c3")).map(|held| held.memory), Some(1 << 30));
    assert_eq!(test.state.granted, 2);
}

#[test]
fn each_end_is_counted_once_by_its_cause() {
    let mut test = Test::new();
    let kill = JvmExit { signal: Some(9), ..JvmExit::default() };
    let heap = JvmExit { code: Some(3), out_of_memory: OutOfMemory::OomJavaHeap, ..JvmExit::default() };
    for (request, name) in [(1, "c2"), (2, "c3"), (3, "c4"), (4, "c5"), (5, "c6"), (6, "c7")] {
        test.running(request, name);
    }
    // YARN's word comes after that of the taskrunner.
    test.jvm_ended("c2", kill.clone());
    test.ended("c2", ExitCause::new(Some((137, "")), Some(&kill)));
    test.gone("c2");
    test.gone("c2");
    test.jvm_ended("c3", kill);
    test.ended("c3", ExitCause::new(Some((-104, "")), None));
    test.gone("c3");
    test.jvm_ended("c4", heap);
    test.gone("c4");
    test.see(Observation::Stopping { container: container_id("c5"), reason: String::new() });
    assert_eq!(test.state.states().running, 2);
    test.jvm_ended("c5", JvmExit { code: Some(0), ..JvmExit::default() });
    test.gone("c5");
    test.ended("c6", ExitCause::new(Some((-102, "")), None));
    test.gone("c6");
    test.ended("c7", ExitCause::new(Some((137, "")), None));
    test.gone("c7");
    test.requested(7);
    test.granted(Some(7), "c8");
    test.see(Observation::StartFailed { container: container_id("c8"), host: None, why: String::new() });
    test.see(Observation::Stopping { container: container_id("c8"), reason: String::new() });
    test.gone("c8");
    let expected = [
        ("released", 1),
        ("signal", 2),
        ("out_of_memory", 1),
        ("memory_limit", 1),
        ("cluster", 1),
        ("not_started", 1),
    ];
    assert_eq!(test.ends(), expected);
    assert_eq!(test.state.states(), States::default());
}

#[test]
fn a_start_that_only_seemed_to_fail_has_no_consequence() {
    let mut test = Test::new();
    let failed =
        || Observation::StartFailed { container: container_id("c2"), host: None, why: String::new() };
    test.requested(1);
    test.granted(Some(1), "c2");
    test.launching("c2", false);
    // The NodeManager's answer was lost, and it has started the container.
    test.see(failed());
    test.started("c2");
    test.see(failed());
    assert_eq!(test.state.states(), States { waiting: 0, starting: 0, running: 1 });
    test.see(Observation::Stopping { container: container_id("c2"), reason: String::new() });
    test.gone("c2");
    assert_eq!(test.ends(), [("released", 1)]);
}

#[test]
fn a_jobmanager_that_is_started_again_has_no_requests() {
    let mut test = Test::new();
    test.running(1, "c2");
    test.requested(2);
    let size = Profile { memory_mb: 1024, vcores: 1, ..Profile::default() };
    test.see(Observation::AskedAhead { count: 1, size });
    let (summary, after) = (String::new(), Duration::from_secs(1));
    test.see(Observation::JobManagerRestarts { summary, after });
    assert_eq!((test.state.restarts, test.state.rest.as_deref()), (1, None));
    assert_eq!(test.state.states(), States { waiting: 0, starting: 0, running: 1 });
    let (container, node) = (container_id("c9"), node_id("n2", 8041));
    test.see(Observation::Adopted { container, node });
    assert_eq!((test.state.adopted, test.state.granted, test.state.states().running), (1, 1, 2));
}

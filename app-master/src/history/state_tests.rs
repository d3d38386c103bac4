use std::time::Duration;

use diagnosis::facts::{Exhausted, Seen, Source, Told};
use outcomes::NodeNote;
use taskrunner::control::OutOfMemory;

use super::*;
use crate::ledger::types::{Profile, container_id, node_id};

/// A history and a clock that goes on by one with each observation.
struct Test {
    history: History,
    now: u64,
}

impl Test {
    fn new() -> Self {
        let identity = Identity {
            application: "application_1_0001".into(),
            name: "n".into(),
            mode: Some(ClusterMode::PerJob),
            flink: "1.20.5".into(),
            attempt: 1,
            container: "container_1_0001_01_000001".into(),
            node: "n0:8041".into(),
            label: Some("gpu".into()),
            started: 7,
            memory: BTreeMap::new(),
        };
        Self { history: History::new(identity), now: 100 }
    }

    fn note(&mut self, observation: Observation) {
        self.now += 1;
        self.history.note(&observation, self.now);
    }

    /// A TaskManager's JVM runs in a container that was requested.
    fn running(&mut self, name: &str) {
        let (container, node) = (container_id(name), node_id("n1", 8041));
        let size = Profile { memory_mb: 1024, vcores: 1, ..Profile::default() };
        self.note(Observation::Requested { request: 1, size });
        self.note(Observation::Granted { request: Some(1), container, node });
        self.note(Observation::Launching { container, started_ahead: false });
        self.note(Observation::TaskManagerStarted { container, pid: 5 });
    }

    fn jvm_ended(&mut self, name: &str, report: &JvmExit) {
        let (container, host) = (container_id(name), None);
        self.note(Observation::TaskManagerEnded { container, host, report: Box::new(report.clone()) });
    }

    fn ended(&mut self, name: &str, cause: ExitCause, explained: bool) {
        let (container, reason) = (container_id(name), String::new());
        self.note(Observation::ContainerEnded { container, reason, cause: Box::new(cause), explained });
    }

    fn stopping(&mut self, name: &str) {
        self.note(Observation::Stopping { container: container_id(name), reason: String::new() });
    }

    fn gone(&mut self, name: &str) {
        let cause = Some("given back".to_owned());
        self.note(Observation::ContainerGone { container: container_id(name), cause, unknown: None });
    }

    fn entry(&self) -> Entry {
        let entries = self.history.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    fn record(&self) -> Record {
        self.history.record(999)
    }
}

fn exited(code: i32) -> JvmExit {
    JvmExit { code: Some(code), summary: format!("code {code}"), ..JvmExit::default() }
}

#[test]
fn what_runs() {
    let mut test = Test::new();
    test.note(Observation::JobManagerConnected { flink: "1.20.5".into(), pid: 1 });
    test.running("c2");
    test.note(Observation::Adopted { container: container_id("c3"), node: node_id("n2", 8041) });
    let record = test.record();
    let running: Vec<_> = record.running.iter().map(|one| (one.part, one.registered, one.since)).collect();
    let (master, worker) = (Part::JobManager, Part::TaskManager);
    assert_eq!(running, [(master, false, Some(101)), (worker, true, Some(103)), (worker, true, Some(106))]);
    assert_eq!((record.running[1].node.as_str(), record.mode.as_str()), ("n1:8041", "per-job"));
    assert_eq!((record.schema, record.attempt, record.started, record.written), (SCHEMA, 1, Some(7), 999));
    test.note(Observation::JobManagerReady { rest: String::new(), rpc: String::new() });
    assert_eq!(test.record().job_manager.ready, Some(107));
    assert!(test.record().running[0].registered);
    test.note(Observation::JobManagerRestarts { summary: "code 1".into(), after: Duration::ZERO });
    let record = test.record();
    assert_eq!((record.job_manager.ready, record.job_manager.restarts), (None, 1));
    assert_eq!(record.running.len(), 2, "the TaskManagers stay");
    assert_eq!((record.told[0].fact.voice, record.told[0].at), (Voice::JobManager, Some(108)));
}

#[test]
fn what_is_asked_for() {
    let mut test = Test::new();
    let size = || Profile { memory_mb: 1024, vcores: 2, ..Profile::default() };
    test.note(Observation::Requested { request: 1, size: size() });
    test.note(Observation::Requested { request: 2, size: size() });
    test.note(Observation::Cancelled { request: 1 });
    let asks = test.record().asks;
    assert_eq!((asks.len(), asks[0].count, asks[0].since), (1, 1, Some(102)));
    assert_eq!(asks[0].label.as_deref(), Some("gpu"));
    test.note(Observation::Refused { request: 2, reason: "no such label".into() });
    assert_eq!(test.record().asks[0].refused.as_deref(), Some("no such label"));
}

#[test]
fn a_kill_by_a_signal_is_kept_even_if_flink_gives_the_container_back() {
    let mut test = Test::new();
    test.running("c2");
    let killed = JvmExit { signal: Some(9), summary: "signal 9".into(), ..JvmExit::default() };
    test.jvm_ended("c2", &killed);
    test.stopping("c2");
    test.gone("c2");
    let entry = test.entry();
    assert_eq!((entry.at, entry.started, entry.attempt), (105, Some(104), 1));
    assert_eq!((entry.end.signal, entry.end.status, entry.end.given_back), (Some(9), None, false));
    assert_eq!(entry.end.node.as_deref(), Some("n1:8041"));
    assert_eq!(entry.end.said, ["signal 9"]);
    assert!(test.record().running.is_empty() && !entry.end.at_start);
}

#[test]
fn what_yarn_says_later_is_added() {
    let mut test = Test::new();
    test.running("c2");
    test.jvm_ended("c2", &exited(143));
    let versions = test.history.version();
    let words = "Current usage: 1.3 GB of 1 GB physical memory used";
    test.ended("c2", ExitCause::new(Some((-104, words)), Some(&exited(143))), false);
    let entry = test.entry();
    assert_eq!((entry.at, entry.end.status, entry.end.code), (105, Some(-104), Some(143)));
    assert_eq!(entry.end.diagnostics, words);
    assert!(test.history.version().ends > versions.ends);
    // The same of one that Flink has given back before.
    let mut test = Test::new();
    test.running("c2");
    test.stopping("c2");
    test.jvm_ended("c2", &exited(143));
    assert!(test.history.entries().is_empty(), "that was wanted");
    test.ended("c2", ExitCause::new(Some((-104, words)), None), true);
    assert!(test.entry().end.given_back);
    test.ended("c2", ExitCause::new(Some((-104, words)), None), true);
    assert!(test.entry().end.given_back);
}

#[test]
fn what_is_given_back_leaves_nothing() {
    let mut test = Test::new();
    test.running("c2");
    test.stopping("c2");
    assert!(test.record().running.is_empty());
    test.jvm_ended("c2", &exited(0));
    test.gone("c2");
    assert!(test.history.entries().is_empty());
}

#[test]
fn what_fails_at_its_start() {
    let mut test = Test::new();
    test.running("c2");
    let early = JvmExit { unregistered: true, ..exited(1) };
    test.jvm_ended("c2", &early);
    test.ended("c2", ExitCause::new(None, Some(&early)), false);
    test.stopping("c2");
    assert!(test.entry().end.at_start);

    let mut test = Test::new();
    let (container, node) = (container_id("c2"), node_id("n1", 8041));
    test.note(Observation::Granted { request: None, container, node });
    let why = "no disk".to_owned();
    test.note(Observation::StartFailed { container, host: None, why });
    test.ended("c2", ExitCause::not_started("no disk".into()), false);
    let end = test.entry().end;
    assert!(end.at_start);
    assert_eq!(end.said, ["no disk"]);

    // One that Flink has never heard of.
    let mut test = Test::new();
    test.note(Observation::Granted { request: None, container, node: node_id("n1", 8041) });
    let unknown = Some(Box::new(ExitCause::new(Some((1, "no such file")), None)));
    test.note(Observation::ContainerGone { container, cause: None, unknown });
    let end = test.entry().end;
    assert_eq!((end.at_start, end.status, end.diagnostics.as_str()), (true, Some(1), "no such file"));
}

#[test]
fn the_kernels_kill_has_its_kind() {
    let mut test = Test::new();
    test.running("c2");
    let kernel = JvmExit { signal: Some(9), out_of_memory: OutOfMemory::OomKernel, ..JvmExit::default() };
    test.ended("c2", ExitCause::new(Some((137, "")), Some(&kernel)), false);
    assert_eq!(test.entry().end.exhausted, Some(Exhausted::Cgroup));
}

#[test]
fn the_end_and_what_came_before() {
    let mut test = Test::new();
    for text in ["main() of M failed: a.B: c", "Job \"j\" (1) failed: a.B: c"] {
        test.note(Observation::JobManagerFailure { text: text.into() });
    }
    let containers = vec![container_id("c2")];
    let node = node_id("n1", 8041);
    test.note(Observation::NodeChanged { node, state: "LOST".into(), containers });
    let voices: Vec<_> = test.record().told.iter().map(|told| told.fact.voice).collect();
    assert_eq!(voices, [Voice::Main, Voice::JobManager]);
    test.history.end(None, "SIGTERM", 500);
    assert_eq!((test.record().ended, test.record().diagnostics.as_str()), (None, "SIGTERM"));
    test.history.end(Some(FinalStatus::Undefined), "", 501);
    assert_eq!((test.record().ended, test.record().status), (Some(501), None));
    test.history.end(Some(FinalStatus::Failed), "x", 502);
    assert_eq!(test.record().status, Some(Final::Failed));

    let mut next = Test::new();
    next.running("c9");
    next.ended("c9", ExitCause::new(Some((7, "")), None), false);
    let entries = vec![Entry { at: 3, attempt: 1, ..Entry::default() }];
    let told = Told { voice: Voice::Main, place: String::new(), text: "before".into() };
    let record = Record {
        told: vec![Seen { source: Source::ApplicationMaster, at: Some(3), fact: told }],
        nodes: vec![NodeNote { node: "n5:1".into(), state: "LOST".into(), ..NodeNote::default() }],
        dropped: 4,
        ..test.record()
    };
    next.history.go_on_with(Left { record: Some(record), entries, broken: 0 });
    let ats: Vec<_> = next.history.entries().iter().map(|entry| entry.at).collect();
    assert_eq!(ats, [3, 105]);
    let record = next.record();
    assert_eq!((record.dropped, record.told.len(), record.nodes.len()), (4, 1, 1));
    assert_eq!((record.ended, record.asks.len()), (None, 0), "they are not this attempt's");
}

#[test]
fn a_thousand_containers_take_little_room() {
    let mut test = Test::new();
    let long = "x".repeat(5000);
    for n in 0..5_000 {
        let name = format!("c{n}");
        test.running(&name);
        test.ended(&name, ExitCause::new(Some((1, long.as_str())), None), false);
        test.gone(&name);
        test.note(Observation::JobManagerFailure { text: long.clone() });
    }
    let json: usize = test.history.entries().iter().map(|entry| entry.line().len()).sum();
    assert!(json < 2 << 20, "{json}");
    assert!(test.history.held.is_empty());
    assert!(outcomes::record_json(&test.record()).len() < 64 << 10);
}

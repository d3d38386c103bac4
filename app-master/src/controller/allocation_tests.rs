use std::collections::BTreeSet;

use proptest::prelude::*;
use taskrunner::cause::JvmExit;
use yarn_api::records::{NodeState, Resource};

use super::*;
use crate::ledger::types::{Ask, Avoidance, Completed, Grant, Purpose, container_id, node_id};

const KEEP: Duration = Duration::from_secs(30);

fn profile(memory_mb: u64) -> Profile {
    Profile { memory_mb, vcores: 1, ..Profile::default() }
}

/// The machine, and a clock that only moves when told.
struct Test {
    machine: Allocation,
    now: Instant,
}

impl Test {
    fn new(mode: ClusterMode, ahead: u32) -> Self {
        let ask_ahead = (ahead > 0).then(|| AskAhead { size: profile(1024), count: ahead, keep: KEEP });
        let machine = Allocation::new(mode, ask_ahead, Naming::default());
        Self { machine, now: Instant::now() }
    }

    /// Registered, without containers of an earlier attempt.
    fn registered(mode: ClusterMode, ahead: u32) -> Self {
        let mut test = Self::new(mode, ahead);
        let registration = Registration { maximum: profile(4096), ..Registration::default() };
        assert_eq!(test.step(AllocationInput::Registered(registration)).actions, []);
        test
    }

    fn step(&mut self, input: AllocationInput) -> Output {
        let mut out = Output::default();
        self.machine.step(input, self.now, &mut out);
        out
    }

    fn request(&mut self, id: u64, memory_mb: u64) -> Output {
        let arguments = TaskManagerArguments { jvm_args: vec![], args: vec![format!("r{id}")] };
        self.step(AllocationInput::Request { id, size: profile(memory_mb), arguments })
    }

    /// A heartbeat, whose answer brings these containers and ends.
    fn heartbeat(&mut self, granted: &[&str], completed: &[(&str, i32)]) -> Output {
        let grant = |name: &&str| Grant {
            purpose: Purpose::TaskManager,
            container: container_id(name),
            node: node_id("n1", 1),
            priority: 1,
            allocation_request: Some(1),
        };
        let complete = |(name, status): &(&str, i32)| Completed {
            container: container_id(name),
            status: *status,
            diagnostics: String::new(),
        };
        let heartbeat = AnsweredHeartbeat {
            sent: self.machine.outgoing(),
            certain: true,
            granted: granted.iter().map(grant).collect(),
            completed: completed.iter().map(complete).collect(),
        };
        self.step(AllocationInput::HeartbeatAnswered(heartbeat))
    }

    /// A TaskManager that runs in `c1`.
    fn running() -> Self {
        let mut test = Self::registered(ClusterMode::Session, 0);
        test.request(1, 1024);
        test.heartbeat(&[], &[]);
        test.heartbeat(&["c1"], &[]);
        test.step(AllocationInput::Launch { id: 1, container: container_id("c1") });
        test.step(connected("c1", true));
        test
    }

    fn asks(&self) -> Vec<u32> {
        self.machine.outgoing().asks.iter().map(|ask| ask.count).collect()
    }
}

fn connected(name: &str, has_launch: bool) -> AllocationInput {
    AllocationInput::Taskrunner(ControlEvent::Connected { container: container_id(name), has_launch })
}

fn exited(name: &str, code: i32) -> AllocationInput {
    let report = JvmExit { code: Some(code), ..JvmExit::default() };
    AllocationInput::Taskrunner(ControlEvent::Exited { container: container_id(name), report })
}

#[test]
fn a_request_becomes_a_container_and_that_a_task_manager() {
    let mut test = Test::registered(ClusterMode::Application, 0);
    let out = test.request(1, 1024);
    assert_eq!((out.actions, test.asks()), (vec![], vec![1]));
    assert_eq!(out.observations, [Observation::Requested { request: 1, size: profile(1024) }]);
    test.heartbeat(&[], &[]);
    let out = test.heartbeat(&["c1"], &[]);
    let [Action::Tell(ToJvm::Allocated { id: 1, worker })] = &out.actions[..] else { panic!("{out:?}") };
    assert_eq!((worker.host.as_str(), worker.node.as_str()), ("n1", "n1:1"));
    let out = test.step(AllocationInput::Launch { id: 1, container: container_id("c1") });
    let [Action::Launch(_, arguments), Action::Start(_)] = &out.actions[..] else { panic!("{out:?}") };
    assert_eq!(arguments.args, ["r1"]);
    assert_eq!(test.step(connected("c1", true)).actions, []);
    assert_eq!(test.machine.started(), [container_id("c1")]);
}

#[test]
fn containers_that_came_ahead_go_back_when_nobody_has_requested_them_in_time() {
    let mut test = Test::registered(ClusterMode::Session, 2);
    assert_eq!(test.asks(), [2]);
    assert_eq!(test.machine.wake(), None, "the time begins when the JobManager is ready");
    test.heartbeat(&[], &[]);
    let out = test.heartbeat(&["c1", "c2"], &[]);
    let started = [Action::Start(container_id("c1")), Action::Start(container_id("c2"))];
    assert_eq!(out.actions, started);
    assert_eq!(test.step(connected("c1", false)).actions, [], "its launch command comes later");
    test.step(AllocationInput::JobManagerReady);
    assert_eq!(test.machine.wake(), Some(test.now + KEEP));
    let out = test.request(1, 1024);
    assert!(matches!(out.actions[..], [Action::Tell(ToJvm::Allocated { id: 1, .. })]), "{out:?}");
    test.step(AllocationInput::Launch { id: 1, container: container_id("c1") });
    assert_eq!(test.step(AllocationInput::Tick).actions, []);
    test.now += KEEP;
    let out = test.step(AllocationInput::Tick);
    assert!(
        matches!(out.actions[..], [Action::Stop { container, .. }] if container == container_id("c2")),
        "{out:?}"
    );
    assert_eq!(test.machine.wake(), None);
}

#[test]
fn spares_hear_that_a_slow_job_manager_may_still_want_them() {
    let mut test = Test::registered(ClusterMode::Session, 2);
    test.heartbeat(&[], &[]);
    test.heartbeat(&["c1", "c2"], &[]);
    assert_eq!(test.machine.wake(), None, "no taskrunner waits yet");
    test.step(connected("c1", false));
    for _ in 0..10 {
        assert_eq!(test.machine.wake(), Some(test.now + REMINDER));
        test.now += REMINDER;
        let out = test.step(AllocationInput::Tick);
        assert_eq!(out.actions, [Action::KeepWaiting(container_id("c1"))]);
    }
    test.step(AllocationInput::JobManagerReady);
    assert_eq!(test.machine.wake(), Some(test.now + KEEP), "it hears no more");
    // A JobManager that is never ready does not keep them for ever.
    let mut test = Test::registered(ClusterMode::Session, 1);
    test.heartbeat(&[], &[]);
    test.heartbeat(&["c1"], &[]);
    let connected_at = test.now;
    test.step(connected("c1", false));
    while let Some(at) = test.machine.wake() {
        test.now = at;
        test.step(AllocationInput::Tick);
    }
    assert_eq!(test.now - connected_at, LONGEST_WAIT);
    // One that has gone meanwhile is no reason to go on.
    let mut test = Test::registered(ClusterMode::Session, 1);
    test.heartbeat(&[], &[]);
    test.heartbeat(&["c1"], &[]);
    test.step(connected("c1", false));
    test.heartbeat(&[], &[("c1", -100)]);
    test.now += REMINDER;
    assert_eq!(test.step(AllocationInput::Tick).actions, []);
    assert_eq!(test.machine.wake(), None);
}

#[test]
fn nothing_is_asked_for_ahead_where_an_earlier_attempt_has_left_containers() {
    let mut test = Test::new(ClusterMode::Session, 2);
    let previous = vec![(container_id("c7"), node_id("n3", 1))];
    let registration = Registration { maximum: profile(4096), previous, ..Registration::default() };
    test.step(AllocationInput::Registered(registration));
    assert!(test.asks().is_empty());
    let mut out = Output::default();
    test.machine.tell_registered(&mut out);
    let [
        Action::Tell(ToJvm::Registered { max_memory_mb: 4096, .. }),
        Action::Tell(ToJvm::Previous { workers }),
    ] = &out.actions[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(workers[0].node, "n3:1");
    // After a restart the ResourceManager names again what it has named, and what it learns from a
    // NodeManager that was away.
    let late = || vec![(container_id("c8"), node_id("n4", 1)), (container_id("c9"), node_id("n3", 1))];
    let out = test.step(AllocationInput::Late { containers: late(), served: true });
    let [Action::SendAddress(_), Action::SendAddress(_), Action::Tell(ToJvm::Previous { workers })] =
        &out.actions[..]
    else {
        panic!("{out:?}")
    };
    let named = test.machine.outgoing().releases;
    assert!(workers.iter().any(|worker| worker.node == "n4:1") && named.is_empty(), "{out:?}");
    let out = test.step(AllocationInput::Late { containers: late(), served: true });
    assert!(out.actions.is_empty() && test.machine.outgoing().releases.is_empty(), "{out:?}");
}

#[test]
fn a_taskrunner_of_an_earlier_attempt_waits_until_its_container_is_named() {
    let mut test = Test::registered(ClusterMode::Session, 0);
    for container in ["c7", "c8"] {
        assert_eq!(test.step(connected(container, true)).actions, []);
    }
    // It connects again, and the time goes on.
    assert_eq!(test.step(connected("c8", true)).actions, []);
    let late = vec![(container_id("c7"), node_id("n4", 1))];
    test.step(AllocationInput::Late { containers: late, served: true });
    test.now += PARK_WAIT;
    let out = test.step(AllocationInput::Tick);
    let [Action::Stop { container, .. }] = &out.actions[..] else { panic!("{out:?}") };
    assert_eq!(*container, container_id("c8"));
}

#[test]
fn a_taskrunner_that_can_get_no_launch_command_is_stopped() {
    let mut test = Test::registered(ClusterMode::Session, 0);
    let out = test.step(connected("c9", false));
    assert!(matches!(out.actions[..], [Action::Stop { .. }]), "{out:?}");
}

#[test]
fn the_end_of_a_jvm_waits_for_yarns_reason_only_if_yarn_may_have_killed_it() {
    let mut test = Test::running();
    let out = test.step(exited("c1", 1));
    assert!(
        matches!(out.actions[..], [Action::Tell(ToJvm::Terminated { .. }), Action::Stop { .. }]),
        "{out:?}"
    );
    let mut test = Test::running();
    assert_eq!(test.step(exited("c1", 143)).actions, []);
    assert!(test.machine.is_reason_pending());
    assert_eq!(test.machine.wake(), Some(test.now + REPORT_WAIT));
    let out = test.heartbeat(&[], &[("c1", -102)]);
    let [Action::Tell(ToJvm::Terminated { reason, .. }), Action::Forget(_)] = &out.actions[..] else {
        panic!("{out:?}")
    };
    assert!(reason.contains("preempted"), "{reason}");
    // Without an answer of YARN, the taskrunner's report is told in the end.
    let mut test = Test::running();
    test.step(exited("c1", 143));
    test.now += REPORT_WAIT;
    let out = test.step(AllocationInput::Tick);
    assert!(
        matches!(out.actions[..], [Action::Tell(ToJvm::Terminated { .. }), Action::Stop { .. }]),
        "{out:?}"
    );
    assert!(!test.machine.is_reason_pending() && test.machine.wake().is_none());
}

#[test]
fn a_failed_start_is_observed_with_its_host() {
    let mut test = Test::registered(ClusterMode::Session, 0);
    test.request(1, 1024);
    test.heartbeat(&["c1"], &[]);
    test.step(AllocationInput::Launch { id: 1, container: container_id("c1") });
    let out = test.step(AllocationInput::StartFailed(container_id("c1"), "no disk".into()));
    let host = Some("n1".to_owned());
    let observed = Observation::StartFailed { container: container_id("c1"), host, why: "no disk".into() };
    assert_eq!(out.observations[0], observed);
    assert!(matches!(&out.actions[..], [Action::Tell(ToJvm::Terminated { reason, .. }), Action::Stop { .. }]
        if reason.contains("no disk")));
}

/// Requests every three seconds that YARN refuses, until the application ends; gives when it does.
fn refused_for(mut test: Test, memory_mb: u64) -> Option<Duration> {
    let begin = test.now;
    (1..20).find_map(|id| {
        let mut actions = test.request(id, memory_mb).actions;
        let sent = test.machine.outgoing();
        if !sent.asks.is_empty() {
            let refused = AllocationInput::AsksRefused { sent, why: "no such label".into() };
            actions.extend(test.step(refused).actions);
        }
        let ended = actions.iter().any(|action| matches!(action, Action::End(Cause::NoTaskManagers(_))));
        let after = test.now - begin;
        test.now += Duration::from_secs(3);
        ended.then_some(after)
    })
}

#[test]
fn an_application_ends_when_every_request_is_refused_for_a_while() {
    let application = || Test::registered(ClusterMode::Application, 0);
    let session = || Test::registered(ClusterMode::Session, 0);
    assert!(refused_for(application(), 1024).is_some_and(|after| after >= REFUSAL_PATIENCE));
    assert!(refused_for(session(), 1024).is_some(), "a session without any TaskManager is of no use");
    // Larger than the largest container: in a session only that job fails.
    assert!(refused_for(application(), 9000).is_some());
    assert_eq!(refused_for(session(), 9000), None);
    assert_eq!(refused_for(Test::running(), 1024), None, "there is a TaskManager");
}

#[test]
fn a_cancellation_that_yarn_refuses_ends_nothing() {
    let mut test = Test::registered(ClusterMode::Application, 0);
    let ask = Ask { purpose: Purpose::TaskManager, priority: 1, profile: profile(1024), count: 0 };
    let sent = Outgoing { asks: vec![ask], ..Outgoing::default() };
    let out = test.step(AllocationInput::AsksRefused { sent, why: "x".into() });
    assert_eq!(out.observations, [Observation::CancellationRefused { why: "x".into() }]);
}

#[derive(Debug, Clone)]
enum Move {
    Request(u64),
    Cancel(u64),
    Heartbeat(Vec<u8>, Vec<(u8, i32)>),
    Launch(u64, u8),
    Release(u8),
    Connected(u8, bool),
    Exited(u8, i32),
    StartFailed(u8),
    JobManagerReady,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let (id, container) = (1..6u64, 1..6u8);
    let status = prop_oneof![Just(0), Just(1), Just(143), Just(-100), Just(-102), Just(-104)];
    let ended = (container.clone(), status.clone());
    let one = prop_oneof![
        4 => id.clone().prop_map(Move::Request),
        1 => id.clone().prop_map(Move::Cancel),
        4 => (prop::collection::vec(container.clone(), 0..3), prop::collection::vec(ended, 0..2))
            .prop_map(|(granted, completed)| Move::Heartbeat(granted, completed)),
        3 => (id, container.clone()).prop_map(|(id, container)| Move::Launch(id, container)),
        1 => container.clone().prop_map(Move::Release),
        2 => (container.clone(), any::<bool>()).prop_map(|(c, launch)| Move::Connected(c, launch)),
        2 => (container.clone(), status).prop_map(|(c, code)| Move::Exited(c, code)),
        1 => container.prop_map(Move::StartFailed),
        1 => Just(Move::JobManagerReady),
        2 => (0..40u64).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    /// In whatever order things happen: a request is answered at most once, a container is started at most
    /// once, and after a tick no timer is left over from the past.
    #[test]
    fn answers_and_starts_come_once(moves in moves(), ahead in 0..3u32) {
        let mut test = Test::registered(ClusterMode::Session, ahead);
        let name = |number: u8| format!("c{number}");
        let mut requested = std::collections::BTreeSet::new();
        let (mut answered, mut started) = (Vec::new(), Vec::new());
        for one in moves {
            let out = match one {
                // Flink uses each number once.
                Move::Request(id) if !requested.insert(id) => continue,
                Move::Request(id) => test.request(id, 1024),
                Move::Cancel(id) => test.step(AllocationInput::Cancel(id)),
                Move::Heartbeat(granted, completed) => {
                    let granted: Vec<String> = granted.into_iter().map(name).collect();
                    let completed: Vec<_> = completed.into_iter().map(|(c, status)| (name(c), status)).collect();
                    let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
                    let completed: Vec<_> = completed.iter().map(|(c, status)| (c.as_str(), *status)).collect();
                    test.heartbeat(&granted, &completed)
                }
                Move::Launch(id, c) => {
                    test.step(AllocationInput::Launch { id, container: container_id(&name(c)) })
                }
                Move::Release(c) => test.step(AllocationInput::Release(container_id(&name(c)))),
                Move::Connected(c, has_launch) => test.step(connected(&name(c), has_launch)),
                Move::Exited(c, code) => test.step(exited(&name(c), code)),
                Move::StartFailed(c) => {
                    test.step(AllocationInput::StartFailed(container_id(&name(c)), "x".into()))
                }
                Move::JobManagerReady => test.step(AllocationInput::JobManagerReady),
                Move::Wait(seconds) => {
                    test.now += Duration::from_secs(seconds);
                    let out = test.step(AllocationInput::Tick);
                    prop_assert!(test.machine.wake().is_none_or(|at| at > test.now));
                    out
                }
            };
            for action in out.actions {
                match action {
                    Action::Tell(ToJvm::Allocated { id, .. } | ToJvm::Failed { id, .. }) => answered.push(id),
                    Action::Start(container) => started.push(container),
                    _ => {}
                }
            }
        }
        let different = answered.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(different, answered.len(), "a request was answered twice");
        let different = started.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(different, started.len(), "a container was started twice");
    }
}

#[test]
fn the_end_of_a_container_is_explained_by_what_yarn_says_of_its_node() {
    let mut test = Test::running();
    let report = NodeReport {
        id: node_id("n1", 1),
        state: NodeState::Decommissioned,
        http_address: String::new(),
        rack: String::new(),
        capability: Resource::new(1, 1),
        used: Resource::new(0, 0),
        containers: 1,
        health_report: None,
        last_health_report: None,
        labels: BTreeSet::new(),
    };
    test.step(AllocationInput::News(ClusterNews { nodes: vec![report], size: 3, ..ClusterNews::default() }));
    let out = test.heartbeat(&[], &[("c1", -100)]);
    let reason = out.observations.iter().find_map(|observation| match observation {
        Observation::ContainerEnded { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert!(
        reason.unwrap().contains(" on n1:1 (DECOMMISSIONED): YARN took the container back"),
        "{reason:?}"
    );
}

#[test]
fn a_node_that_starts_no_task_manager_is_avoided() {
    let mut test = Test::registered(ClusterMode::Session, 0);
    test.step(AllocationInput::News(ClusterNews { size: 3, ..ClusterNews::default() }));
    for (id, name) in [(1, "c1"), (2, "c2"), (3, "c3")] {
        test.request(id, 1024);
        test.heartbeat(&[name], &[]);
        let container = container_id(name);
        test.step(AllocationInput::Launch { id, container });
        assert_eq!(test.machine.outgoing().avoidance, Avoidance::default());
        test.step(AllocationInput::StartFailed(container, "no disk".into()));
        test.step(AllocationInput::Tick);
    }
    let sent = test.machine.outgoing();
    assert_eq!(sent.avoidance.add, BTreeSet::from(["n1".to_owned()]));
    test.heartbeat(&[], &[]);
    assert_eq!(test.machine.outgoing().avoidance, Avoidance::default(), "the ResourceManager has heard it");
}

use proptest::prelude::*;
use taskrunner::cause::Fault;
use yarn_api::records::NodeId;

use super::ends::RELEASE_TRIES;
use super::simulation::{Op, Simulation};
use super::types::*;
use super::*;

fn node() -> NodeId {
    node_id("node1", 8041)
}

fn size(memory_mb: u64) -> Profile {
    Profile { memory_mb, vcores: 1, ..Profile::default() }
}

fn ready() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.step(LedgerInput::Maximum(Profile { memory_mb: 4096, vcores: 4, ..Profile::default() }));
    ledger
}

fn request(ledger: &mut Ledger, id: u64, memory_mb: u64) -> Vec<LedgerEffect> {
    let arguments = TaskManagerArguments { jvm_args: vec![format!("-Xmx{memory_mb}m")], args: vec![] };
    ledger.step(LedgerInput::Request { id, profile: size(memory_mb), arguments })
}

fn beat(ledger: &mut Ledger, granted: &[(&str, i32)], completed: &[(&str, i32)]) -> Vec<LedgerEffect> {
    let sent = ledger.outgoing();
    let grant = |(id, priority): &(&str, i32)| Grant {
        purpose: Purpose::TaskManager,
        container: container_id(id),
        node: node(),
        priority: *priority,
        allocation_request: None,
    };
    let complete = |(id, status): &(&str, i32)| Completed {
        container: container_id(id),
        status: *status,
        diagnostics: String::new(),
    };
    ledger.step(LedgerInput::Heartbeat(AnsweredHeartbeat {
        sent,
        certain: true,
        granted: granted.iter().map(grant).collect(),
        completed: completed.iter().map(complete).collect(),
    }))
}

fn launched(ledger: &mut Ledger, id: u64, container: &str) {
    request(ledger, id, 1024);
    beat(ledger, &[], &[]);
    beat(ledger, &[(container, 1)], &[]);
    let effects = ledger.step(LedgerInput::Launch { id, container: container_id(container) });
    assert!(matches!(effects[..], [LedgerEffect::Launch { .. }]), "{effects:?}");
    assert_eq!(ledger.step(LedgerInput::Connected(container_id(container))), vec![]);
}

/// The heartbeat is refused; gives the requests that fail of it.
fn refused(ledger: &mut Ledger) -> Vec<u64> {
    let sent = ledger.outgoing().asks;
    assert!(!sent.is_empty());
    let effects = ledger.step(LedgerInput::AsksRefused { sent, reason: "no such label".into() });
    let failed = effects.into_iter().map(|effect| match effect {
        LedgerEffect::Failed { id, reason } if reason.contains("no such label") => id,
        other => panic!("{other:?}"),
    });
    failed.collect()
}

#[test]
fn what_yarn_refuses_is_not_repeated() {
    let mut ledger = ready();
    request(&mut ledger, 1, 1024);
    assert_eq!(refused(&mut ledger), [1]);
    assert!(ledger.outgoing().asks.is_empty(), "YARN knows nothing of it: there is nothing to take back");

    // It was valid when it was asked for; not even taking it back is, later.
    request(&mut ledger, 2, 1024);
    beat(&mut ledger, &[], &[]);
    request(&mut ledger, 3, 1024);
    assert_eq!(refused(&mut ledger), [2, 3]);
    assert_eq!(ledger.outgoing().asks.iter().map(|ask| ask.count).collect::<Vec<_>>(), [0]);
    assert!(refused(&mut ledger).is_empty());
    assert!(ledger.outgoing().asks.is_empty(), "each heartbeat would be refused for it");
    // A container that comes of it is of no use.
    beat(&mut ledger, &[("c1", 1)], &[]);
    assert_eq!(ledger.outgoing().releases, [container_id("c1")]);
}

#[test]
fn a_refusal_is_of_what_was_sent() {
    let mut ledger = ready();
    request(&mut ledger, 1, 2048);
    beat(&mut ledger, &[], &[]);
    request(&mut ledger, 2, 1024);
    assert_eq!(refused(&mut ledger), [2]);
    let effects = beat(&mut ledger, &[("c1", 1)], &[]);
    assert!(matches!(effects[..], [LedgerEffect::Allocated { id: 1, .. }]), "{effects:?}");
}

#[test]
fn one_priority_per_size_and_absolute_counts() {
    let mut ledger = ready();
    for (id, memory) in [(1, 1024), (2, 2048), (3, 1024)] {
        request(&mut ledger, id, memory);
    }
    let asks = ledger.outgoing().asks;
    let lines: Vec<_> = asks.iter().map(|ask| (ask.priority, ask.profile.memory_mb, ask.count)).collect();
    assert_eq!(lines, [(1, 1024, 2), (2, 2048, 1)]);
    beat(&mut ledger, &[], &[]);
    assert_eq!(ledger.outgoing(), Outgoing::default(), "nothing is said twice");
    assert!(ledger.is_busy());
    let effects = beat(&mut ledger, &[("c1", 1)], &[]);
    assert_eq!(effects, [LedgerEffect::Allocated { id: 1, container: container_id("c1"), node: node() }]);
    assert_eq!(ledger.outgoing(), Outgoing::default(), "the ResourceManager has counted down by itself");
}

#[test]
fn a_grant_that_crosses_the_ask_makes_it_said_again() {
    let mut ledger = ready();
    request(&mut ledger, 1, 1024);
    beat(&mut ledger, &[], &[]);
    request(&mut ledger, 2, 1024);
    beat(&mut ledger, &[("c1", 1)], &[]); // carried the ask for two
    assert_eq!(ledger.outgoing().asks[0].count, 1);
}

#[test]
fn too_large_requests_fail_at_once_with_both_numbers() {
    let mut ledger = ready();
    let effects = request(&mut ledger, 7, 8192);
    let [LedgerEffect::Failed { id: 7, reason }] = &effects[..] else { panic!("{effects:?}") };
    assert!(reason.contains("8192") && reason.contains("4096"), "{reason}");
    let mut profile = size(1024);
    profile.resources.insert("yarn.io/gpu".into(), 1);
    let effects =
        ledger.step(LedgerInput::Request { id: 8, profile, arguments: TaskManagerArguments::default() });
    assert!(matches!(&effects[..], [LedgerEffect::Failed { reason, .. }] if reason.contains("yarn.io/gpu")));
    assert_eq!(ledger.outgoing(), Outgoing::default());
}

#[test]
fn external_resources_are_asked_for_within_what_the_cluster_has() {
    let mut ledger = Ledger::new();
    let gpus = |amount| {
        let mut profile = size(4096);
        profile.resources.insert("yarn.io/gpu".into(), amount);
        profile
    };
    ledger.step(LedgerInput::Maximum(gpus(2)));
    let mut ask = |id, amount| {
        let profile = Profile { memory_mb: 1024, ..gpus(amount) };
        ledger.step(LedgerInput::Request { id, profile, arguments: TaskManagerArguments::default() })
    };
    assert_eq!(ask(1, 2), []);
    let effects = ask(2, 3);
    let [LedgerEffect::Failed { id: 2, reason }] = &effects[..] else { panic!("{effects:?}") };
    assert!(reason.contains("3 of yarn.io/gpu") && reason.contains("container, 2"), "{reason}");
    let asks = ledger.outgoing().asks;
    assert_eq!((asks.len(), asks[0].profile.resources["yarn.io/gpu"]), (1, 2));
}

#[test]
fn surplus_goes_back_and_its_end_is_no_failure() {
    let mut ledger = ready();
    let effects = beat(&mut ledger, &[("c1", 1), ("c1", 1)], &[]);
    assert!(matches!(effects[..], [LedgerEffect::Stop { .. }]), "{effects:?}");
    assert_eq!(ledger.outgoing().releases, [container_id("c1")]);
    let effects = beat(&mut ledger, &[], &[("c1", -100)]);
    assert!(matches!(effects[..], [LedgerEffect::Forget { .. }]), "{effects:?}");
    assert_eq!(beat(&mut ledger, &[("c1", 1)], &[("c1", -100)]), vec![], "late repetition");
}

#[test]
fn cancel_after_the_grant_releases_the_container_and_a_late_launch_does_nothing() {
    let mut ledger = ready();
    request(&mut ledger, 1, 1024);
    beat(&mut ledger, &[], &[]);
    beat(&mut ledger, &[("c1", 1)], &[]);
    assert!(matches!(ledger.step(LedgerInput::Cancel(1))[..], [LedgerEffect::Stop { .. }]));
    assert_eq!(ledger.step(LedgerInput::Launch { id: 1, container: container_id("c1") }), vec![]);
    assert_eq!(ledger.outgoing().releases, [container_id("c1")]);
}

#[test]
fn one_batch_with_an_own_and_a_foreign_end_reports_both_rightly() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    launched(&mut ledger, 2, "c2");
    ledger.step(LedgerInput::Release(container_id("c1")));
    let effects = beat(&mut ledger, &[], &[("c1", -105), ("c2", -104)]);
    let told: Vec<_> = effects.iter().filter(|e| matches!(e, LedgerEffect::Terminated { .. })).collect();
    let [LedgerEffect::Terminated { container, reason, .. }] = &told[..] else { panic!("{effects:?}") };
    assert_eq!(*container, container_id("c2"));
    assert!(reason.contains("physical memory") && reason.contains("node1:8041"), "{reason}");
}

#[test]
fn a_failed_start_is_told_and_given_back() {
    let mut ledger = ready();
    request(&mut ledger, 1, 1024);
    beat(&mut ledger, &[], &[]);
    beat(&mut ledger, &[("c1", 1)], &[]);
    ledger.step(LedgerInput::Launch { id: 1, container: container_id("c1") });
    let effects = ledger.step(LedgerInput::StartFailed(container_id("c1"), "token expired".into()));
    assert!(matches!(&effects[..], [LedgerEffect::Terminated { reason, .. }, LedgerEffect::Stop { .. }]
        if reason.contains("token expired")));
}

#[test]
fn an_exit_of_its_own_is_told_before_yarn_knows_but_a_kill_waits_for_yarns_reason() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    launched(&mut ledger, 2, "c2");
    let report = |code| JvmExit { code: Some(code), ..JvmExit::default() };
    let effects = ledger.step(LedgerInput::Exited(container_id("c1"), report(1)));
    assert!(
        matches!(effects[..], [LedgerEffect::Terminated { .. }, LedgerEffect::Stop { .. }]),
        "{effects:?}"
    );
    let effects = ledger.step(LedgerInput::Exited(container_id("c2"), report(143)));
    assert_eq!(effects, [LedgerEffect::AwaitCompletion(container_id("c2"))]);
    assert!(ledger.is_busy());
    let effects = beat(&mut ledger, &[], &[("c1", 1), ("c2", -102)]);
    let told: Vec<_> = effects.iter().filter(|e| matches!(e, LedgerEffect::Terminated { .. })).collect();
    assert!(matches!(told[..], [LedgerEffect::Terminated { reason, .. }] if reason.contains("preempted")));
    assert_eq!(ledger.step(LedgerInput::ReportWaitOver(container_id("c2"))), vec![]);
}

#[test]
fn a_container_whose_taskrunner_is_busy_is_not_given_back_before_it_ends() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    let c1 = container_id("c1");
    assert_eq!(ledger.step(LedgerInput::Busy(c1)), vec![]);
    let report = JvmExit { code: Some(1), ..JvmExit::default() };
    let effects = ledger.step(LedgerInput::Exited(c1, report));
    assert!(
        matches!(effects[..], [LedgerEffect::Terminated { .. }]),
        "Flink knows, and nobody stops it: {effects:?}"
    );
    assert!(ledger.outgoing().releases.is_empty());
    let effects = beat(&mut ledger, &[], &[("c1", 1)]);
    assert!(effects.iter().any(|effect| matches!(effect, LedgerEffect::Forget { .. })), "{effects:?}");
    assert!(ledger.outgoing().releases.is_empty());
}

#[test]
fn a_taskrunner_that_stays_busy_is_waited_for_some_minutes_only() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    let c1 = container_id("c1");
    ledger.step(LedgerInput::Busy(c1));
    ledger.step(LedgerInput::Exited(c1, JvmExit { code: Some(1), ..JvmExit::default() }));
    for _ in 0..50 {
        assert_eq!(ledger.step(LedgerInput::Refresh), vec![]);
        assert_eq!(ledger.step(LedgerInput::Connected(c1)), vec![]);
        assert!(ledger.outgoing().releases.is_empty());
    }
    let effects = ledger.step(LedgerInput::Refresh);
    assert!(matches!(effects[..], [LedgerEffect::Stop { .. }]), "{effects:?}");
    assert_eq!(ledger.outgoing().releases, [c1]);
}

#[test]
fn resync_asks_again_for_all_that_is_open() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    request(&mut ledger, 2, 1024);
    request(&mut ledger, 3, 2048);
    beat(&mut ledger, &[], &[]);
    ledger.step(LedgerInput::Release(container_id("c1")));
    beat(&mut ledger, &[], &[]);
    assert_eq!(ledger.outgoing(), Outgoing::default());
    ledger.step(LedgerInput::Resync);
    let again = ledger.outgoing();
    assert_eq!(again.asks.iter().map(|ask| ask.count).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(again.releases, [container_id("c1")]);
}

#[test]
fn a_new_job_manager_finds_the_workers_and_no_old_requests() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    request(&mut ledger, 2, 1024);
    request(&mut ledger, 3, 2048);
    beat(&mut ledger, &[], &[]);
    beat(&mut ledger, &[("c2", 1)], &[]);
    ledger.step(LedgerInput::JobManagerLost);
    assert_eq!(ledger.live(), [(container_id("c1"), node())]);
    let outgoing = ledger.outgoing();
    assert_eq!(outgoing.releases, [container_id("c2")]);
    assert_eq!(outgoing.asks.iter().map(|ask| (ask.priority, ask.count)).collect::<Vec<_>>(), [(2, 0)]);
}

#[test]
fn a_taskrunner_that_is_not_wanted_is_stopped() {
    // The ResourceManager may name its container later: it learns of it when the node comes back.
    let mut ledger = ready();
    let c9 = || container_id("c9");
    assert_eq!(ledger.step(LedgerInput::Connected(c9())), [LedgerEffect::Park(c9())]);
    let effects = ledger.step(LedgerInput::ParkOver(c9()));
    assert!(matches!(effects[..], [LedgerEffect::Stop { .. }]));
}

/// A ledger with one container that came ahead, its taskrunner connected.
fn with_spare() -> Ledger {
    let mut ledger = ready();
    assert_eq!(ledger.step(LedgerInput::Prewarm { profile: size(1024), count: 1 }), vec![]);
    assert_eq!(ledger.outgoing().asks.iter().map(|ask| ask.count).collect::<Vec<_>>(), [1]);
    beat(&mut ledger, &[], &[]);
    assert_eq!(
        beat(&mut ledger, &[("c1", 1)], &[]),
        [LedgerEffect::StartTaskrunner { container: container_id("c1"), node: node() }]
    );
    assert_eq!(ledger.step(LedgerInput::Connected(container_id("c1"))), vec![]);
    assert!(ledger.live().is_empty(), "Flink does not know of it");
    assert_eq!(ledger.started(), [container_id("c1")]);
    ledger
}

#[test]
fn a_spare_is_handed_over_at_once_and_needs_no_second_start() {
    let mut ledger = with_spare();
    let effects = request(&mut ledger, 1, 1024);
    assert_eq!(effects, [LedgerEffect::Allocated { id: 1, container: container_id("c1"), node: node() }]);
    assert_eq!(ledger.outgoing(), Outgoing::default());
    ledger.step(LedgerInput::PrewarmOver);
    let effects = ledger.step(LedgerInput::Launch { id: 1, container: container_id("c1") });
    assert!(matches!(effects[..], [LedgerEffect::Launch { .. }]), "{effects:?}");
    assert_eq!((ledger.counts().running, ledger.counts().starting), (1, 0));
    assert!(ledger.was_started_ahead(container_id("c1")));
    assert!(matches!(request(&mut ledger, 2, 1024)[..], []), "the next one is asked for as ever");
    assert_eq!(ledger.outgoing().asks[0].count, 1);
}

#[test]
fn a_spare_that_nobody_wants_goes_back() {
    let mut ledger = with_spare();
    assert!(matches!(request(&mut ledger, 1, 2048)[..], []), "another size");
    let effects = ledger.step(LedgerInput::PrewarmOver);
    assert!(
        matches!(&effects[..], [LedgerEffect::Stop { container, .. }] if *container == container_id("c1")),
        "{effects:?}"
    );
    assert_eq!(ledger.outgoing().releases, [container_id("c1")]);
}

#[test]
fn a_spare_that_dies_is_no_business_of_flinks() {
    let mut ledger = with_spare();
    let effects = beat(&mut ledger, &[], &[("c1", -100)]);
    assert!(matches!(effects[..], [LedgerEffect::Forget { cause: Some(_), .. }]), "{effects:?}");
}

#[test]
fn a_request_takes_the_place_of_one_that_was_asked_for_ahead() {
    let mut ledger = ready();
    ledger.step(LedgerInput::Prewarm { profile: size(1024), count: 2 });
    beat(&mut ledger, &[], &[]);
    request(&mut ledger, 1, 1024);
    assert_eq!(ledger.outgoing(), Outgoing::default(), "still two in all");
    let effects = beat(&mut ledger, &[("c1", 1), ("c2", 1)], &[]);
    assert!(
        matches!(effects[..], [LedgerEffect::Allocated { id: 1, .. }, LedgerEffect::StartTaskrunner { .. }]),
        "{effects:?}"
    );
}

#[test]
fn what_the_cluster_cannot_give_is_not_asked_for_ahead() {
    let mut ledger = ready();
    ledger.step(LedgerInput::Prewarm { profile: size(8192), count: 2 });
    assert_eq!(ledger.outgoing(), Outgoing::default());
}

const KILL: &str = "Container [pid=1,containerID=c1] is running 313016320B beyond the 'PHYSICAL' memory limit. Current usage: \
    1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB virtual memory used. Killing container.";

fn killed_for_memory() -> Completed {
    Completed { container: container_id("c1"), status: -104, diagnostics: KILL.into() }
}

/// A ResourceManager that tells the end of one container: of a release if it hears of that first.
#[derive(Default)]
struct OneEnd {
    told: bool,
    killed: bool,
}

impl OneEnd {
    fn beat(&mut self, ledger: &mut Ledger, end: Option<Completed>) -> Vec<LedgerEffect> {
        let sent = ledger.outgoing();
        let released = !self.told && !sent.releases.is_empty();
        let released = released.then(|| Completed {
            container: container_id("c1"),
            status: -100,
            diagnostics: "Container released by application".into(),
        });
        let completed: Vec<_> = released.or(end.filter(|_| !self.told)).into_iter().collect();
        self.told |= !completed.is_empty();
        self.killed |= completed.iter().any(|completed| completed.status == -104);
        ledger.step(LedgerInput::Heartbeat(AnsweredHeartbeat {
            sent,
            certain: true,
            granted: vec![],
            completed,
        }))
    }
}

/// The fault and the text of all that is told of a kill for memory.
fn told_of_memory(effects: &[LedgerEffect]) -> Vec<&str> {
    let reasons = effects.iter().filter_map(|effect| match effect {
        LedgerEffect::Terminated { reason, cause, .. } | LedgerEffect::Explained { reason, cause, .. }
            if cause.fault == Fault::Memory =>
        {
            Some(reason.as_str())
        }
        _ => None,
    });
    reasons.filter(|reason| reason.contains("1.3 GB of 1 GB physical memory")).collect()
}

#[test]
fn a_memory_kill_that_flink_hears_of_first_keeps_its_cause() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    let c1 = || container_id("c1");
    let mut yarn = OneEnd::default();
    assert_eq!(ledger.step(LedgerInput::Signalled(c1())), [LedgerEffect::AwaitCompletion(c1())]);
    assert!(matches!(ledger.step(LedgerInput::Release(c1()))[..], [LedgerEffect::Stop { .. }]));
    let report = JvmExit { code: Some(143), ..JvmExit::default() };
    assert_eq!(ledger.step(LedgerInput::Exited(c1(), report)), []);
    assert!(ledger.is_reason_pending() && ledger.is_busy());
    assert_eq!(yarn.beat(&mut ledger, None), [], "it is not given back yet: YARN would call that its end");
    let effects = yarn.beat(&mut ledger, Some(killed_for_memory()));
    assert_eq!(told_of_memory(&effects).len(), 1, "{effects:?}");
    assert!(
        matches!(effects[..], [LedgerEffect::Explained { .. }, LedgerEffect::Forget { cause: None, .. }]),
        "{effects:?}"
    );
    assert!(!ledger.is_reason_pending());
    assert_eq!(ledger.step(LedgerInput::ReportWaitOver(c1())), []);
}

#[test]
fn a_container_whose_end_yarn_never_explains_is_given_back_all_the_same() {
    let mut ledger = ready();
    launched(&mut ledger, 1, "c1");
    ledger.step(LedgerInput::Signalled(container_id("c1")));
    ledger.step(LedgerInput::Release(container_id("c1")));
    assert_eq!(ledger.outgoing().releases, []);
    ledger.step(LedgerInput::ReportWaitOver(container_id("c1")));
    assert_eq!(ledger.outgoing().releases, [container_id("c1")]);
    assert!(!ledger.is_reason_pending());
}

#[derive(Debug, Clone, Copy)]
enum Around {
    Signalled,
    Release,
    Exited(i32),
    WaitOver,
    Heartbeat,
    Killed,
    Refresh,
    Resync,
    JobManagerLost,
}

fn around() -> impl Strategy<Value = Around> {
    use Around::*;
    prop_oneof![
        3 => Just(Signalled),
        3 => Just(Release),
        2 => Just(Exited(143)),
        1 => Just(Exited(1)),
        2 => Just(WaitOver),
        3 => Just(Heartbeat),
        3 => Just(Killed),
        2 => Just(Refresh),
        1 => Just(Resync),
        1 => Just(JobManagerLost),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let k = 0..8usize;
    prop_oneof![
        6 => (0..3u8).prop_map(Op::Request),
        1 => (0..3u8, 0..4u32).prop_map(|(kind, count)| Op::Prewarm(kind, count)),
        1 => Just(Op::PrewarmOver),
        2 => k.clone().prop_map(Op::Cancel),
        2 => k.clone().prop_map(Op::Release),
        6 => Just(Op::ToFlink),
        6 => Just(Op::ToLedger),
        6 => Just(Op::Heartbeat),
        6 => k.clone().prop_map(Op::Grant),
        2 => (k.clone(), any::<bool>()).prop_map(|(k, reported)| Op::Dies(k, reported)),
        4 => k.clone().prop_map(Op::Starts),
        1 => k.clone().prop_map(Op::StartFails),
        1 => k.clone().prop_map(Op::WaitOver),
        1 => Just(Op::AnswerLost),
        1 => Just(Op::HeartbeatLost),
        1 => k.clone().prop_map(Op::GrantLost),
        1 => (0..5u8).prop_map(Op::Surplus),
        1 => k.prop_map(Op::Repeat),
        1 => Just(Op::ResourceManagerRestart),
        1 => Just(Op::JobManagerRestart),
        1 => Just(Op::Refresh),
    ]
}

/// True for moves after which the ResourceManager may owe more than was asked, until the surplus comes and
/// goes back.
fn adds(op: &Op) -> bool {
    matches!(op, Op::Surplus(_) | Op::Repeat(_))
}

/// Most containers that were ever asked for ahead.
fn ahead(ops: &[Op]) -> u32 {
    ops.iter().map(|op| if let Op::Prewarm(_, count) = op { *count } else { 0 }).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn asked_starting_and_running_are_what_is_wanted(ops in prop::collection::vec(op(), 0..120)) {
        let mut sim = Simulation::new();
        for op in &ops {
            sim.run(*op);
        }
        sim.settle();
        let counts = sim.ledger.counts();
        prop_assert_eq!(counts.asked + counts.starting + counts.running, sim.wanted() + counts.ahead);
        prop_assert_eq!(counts.asked, sim.pending.len() + counts.ahead);
        let owed: u32 = sim.asks.values().sum();
        if ops.iter().any(adds) {
            prop_assert!(owed as usize >= counts.asked, "a request is lost: {} < {}", owed, counts.asked);
        } else {
            prop_assert_eq!(owed as usize, counts.asked);
        }
        sim.grant_all();
        let counts = sim.ledger.counts();
        prop_assert!(counts.ahead == 0 && counts.spare as u32 <= ahead(&ops), "{:?}", counts);
        sim.run(Op::PrewarmOver);
        sim.settle();
        // Releases that a restarted ResourceManager knows nothing of are given up in the end.
        for _ in 0..=RELEASE_TRIES {
            sim.run(Op::Refresh);
            sim.settle();
        }
        let counts = sim.ledger.counts();
        prop_assert_eq!((counts.asked, counts.spare, counts.releasing, sim.pending.len()), (0, 0, 0, 0));
        prop_assert_eq!(counts.starting + counts.running, sim.task_managers.len());
        prop_assert_eq!(&sim.live, &sim.task_managers, "every surplus container is back, every TaskManager alive");
        prop_assert!(sim.asks.values().all(|count| *count == 0));
        prop_assert_eq!(sim.ledger.outgoing(), Outgoing::default());
        prop_assert!(!sim.ledger.is_busy());
    }

    /// Release by Flink, completion by YARN, report and signal of the taskrunner, lost answers: in any
    /// order.
    #[test]
    fn yarns_text_is_told_once_in_whatever_state_it_comes(
        before in prop::collection::vec(around(), 0..12), after in prop::collection::vec(around(), 0..12)
    ) {
        let mut ledger = ready();
        launched(&mut ledger, 1, "c1");
        let (mut yarn, mut effects) = (OneEnd::default(), Vec::new());
        let c1 = || container_id("c1");
        for step in before.into_iter().chain([Around::Killed]).chain(after) {
            effects.extend(match step {
                Around::Signalled => ledger.step(LedgerInput::Signalled(c1())),
                Around::Release => ledger.step(LedgerInput::Release(c1())),
                Around::Exited(code) => {
                    ledger.step(LedgerInput::Exited(c1(), JvmExit { code: Some(code), ..JvmExit::default() }))
                }
                Around::WaitOver => ledger.step(LedgerInput::ReportWaitOver(c1())),
                Around::Heartbeat => yarn.beat(&mut ledger, None),
                Around::Killed => yarn.beat(&mut ledger, Some(killed_for_memory())),
                Around::Refresh => ledger.step(LedgerInput::Refresh),
                Around::Resync => ledger.step(LedgerInput::Resync),
                Around::JobManagerLost => ledger.step(LedgerInput::JobManagerLost),
            });
        }
        // Not if the ResourceManager heard of the release first: then it knows no other end.
        prop_assert_eq!(told_of_memory(&effects).len(), usize::from(yarn.killed), "{:?}", effects);
        prop_assert!(!ledger.is_reason_pending() || !yarn.told);
    }
}

use super::*;
use crate::exit::Facts;
use proptest::prelude::*;

const LIMITS: Limits = Limits { contact: 60_000, kill: 10_000, report: 5_000, goodbye: 2_000 };

fn core() -> Core {
    Core::new(LIMITS, 0)
}

fn running(up: bool) -> Core {
    let mut core = core();
    core.step(1, Input::LinkUp);
    assert_eq!(core.step(2, Input::Launch(Box::default())), [Effect::Launch(Box::default())]);
    core.step(3, Input::Started { pid: 7, at_unix_ms: 9 });
    if !up {
        core.step(4, Input::LinkDown);
    }
    core
}

fn report(code: i32) -> Input {
    Input::Ended(Arc::new(ExitReport::from_facts(Facts { code: Some(code), ..Facts::default() })))
}

fn finished(effects: &[Effect]) -> Option<u8> {
    effects.iter().find_map(|e| match e {
        Effect::Finish { code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn reports_the_end_then_leaves_with_the_jvms_code() {
    let mut core = running(true);
    let effects = core.step(10, report(239));
    assert!(matches!(&effects[..], [Effect::Send(_), Effect::CloseLink]), "{effects:?}");
    assert_eq!(finished(&core.step(11, Input::LinkDown)), Some(239));
}

#[test]
fn an_application_master_that_does_not_hang_up_is_not_waited_for() {
    let mut core = running(true);
    core.step(10, report(0));
    assert_eq!(core.deadline(), Some(2_010));
    assert_eq!(finished(&core.step(2_010, Input::Tick)), Some(0));
}

#[test]
fn a_report_waits_for_the_link() {
    let mut core = running(false);
    assert_eq!(core.step(10, report(1)), []);
    let effects = core.step(20, Input::LinkUp);
    assert!(matches!(&effects[..], [Effect::Send(_), Effect::CloseLink]));
    let mut core = running(false);
    core.step(10, report(1));
    assert_eq!(finished(&core.step(5_010, Input::Tick)), Some(1));
}

#[test]
fn stop_terminates_then_kills() {
    let mut core = running(true);
    assert_eq!(core.step(10, Input::Stop { grace: 500 }), [Effect::Terminate]);
    assert_eq!(core.step(20, Input::Stop { grace: 100 }), []);
    assert_eq!(core.deadline(), Some(120));
    assert_eq!(core.step(119, Input::Tick), []);
    assert_eq!(core.step(120, Input::Tick), [Effect::Kill]);
    assert_eq!(core.deadline(), None);
    core.step(130, report(137));
    assert_eq!(finished(&core.step(131, Input::LinkDown)), Some(137));
}

#[test]
fn without_the_application_master_the_jvm_runs_on_for_the_grace_only() {
    let mut core = running(false);
    assert_eq!(core.deadline(), Some(60_004));
    // Attempts that fail do not prolong it, a refused one neither.
    core.step(30_000, Input::LinkDown);
    core.step(30_001, Input::Refused("no".into()));
    assert_eq!(core.step(60_004, Input::Tick), [Effect::Terminate]);
    core.step(60_100, report(143));
    let effects = core.step(60_100, Input::Tick);
    let [Effect::Finish { code: 143, message }] = &effects[..] else { panic!("{effects:?}") };
    assert!(message.contains("could not be reached for 60 s"), "{message}");
    // A link that is back in time starts it anew.
    let mut core = running(false);
    core.step(50_000, Input::LinkUp);
    assert_eq!(core.deadline(), None);
}

#[test]
fn before_the_start_everything_ends_at_once_or_at_the_deadline() {
    assert_eq!(finished(&core().step(60_000, Input::Tick)), Some(1));
    assert_eq!(finished(&core().step(5, Input::Signal)), Some(143));
    assert_eq!(finished(&core().step(5, Input::Stop { grace: 1 })), Some(143));
    assert_eq!(finished(&core().step(5, Input::Refused("wrong secret".into()))), Some(1));
    let mut silent = core();
    silent.step(100, Input::LinkUp);
    assert_eq!(finished(&silent.step(60_100, Input::Tick)), Some(1));
}

#[test]
fn a_failed_launch_is_reported_as_such() {
    let mut core = core();
    core.step(1, Input::LinkUp);
    core.step(2, Input::Launch(Box::default()));
    let effects = core.step(3, Input::LaunchFailed("no Java".into()));
    let Effect::Send(Event { event: Some(Kind::Exited(exited)) }) = &effects[0] else {
        panic!("{effects:?}")
    };
    assert!(exited.launch_failed && exited.summary == "no Java");
    assert_eq!(finished(&core.step(4, Input::LinkDown)), Some(1));
}

#[test]
fn a_second_launch_is_ignored_and_signals_stop_the_jvm() {
    let mut core = running(true);
    assert_eq!(core.step(10, Input::Launch(Box::default())), []);
    assert_eq!(core.step(11, Input::Signal), [Effect::TellSignal, Effect::Terminate]);
    assert_eq!(core.deadline(), Some(10_011));
    assert_eq!(core.step(12, Input::Signal), [], "it is told once");
    // Also while it stops by order: the NodeManager may be at it for a reason of its own.
    let mut core = running(true);
    assert_eq!(core.step(10, Input::Stop { grace: 5000 }), [Effect::Terminate]);
    assert_eq!(core.step(11, Input::Signal), [Effect::TellSignal]);
}

/// Inputs that can come at any time once the JVM runs.
fn any_input() -> impl Strategy<Value = u8> {
    0..7u8
}

proptest! {
    /// Whatever happens, once a JVM is to be stopped it is killed in the end, and after its end we leave in
    /// bounded time.
    #[test]
    fn always_ends(inputs in proptest::collection::vec((any_input(), 0..20_000u64), 0..40)) {
        let mut core = running(true);
        let mut now = 5;
        let mut done = false;
        let mut killed = false;
        for (input, wait) in inputs {
            now += wait;
            let input = match input {
                0 => Input::LinkUp,
                1 => Input::LinkDown,
                2 => Input::Refused(String::new()),
                3 => Input::Stop { grace: wait },
                4 => Input::Signal,
                5 => Input::Sample(Memory::default()),
                _ => Input::Tick,
            };
            let effects = core.step(now, input);
            killed |= effects.contains(&Effect::Kill);
            prop_assert_eq!(finished(&effects), None, "no end while the JVM lives");
        }
        core.step(now, Input::Signal);
        if !killed {
            let at = core.deadline().unwrap();
            prop_assert_eq!(core.step(at, Input::Tick), [Effect::Kill]);
            now = at;
        }
        core.step(now, report(9));
        for _ in 0..3 {
            let Some(at) = core.deadline() else { break };
            done |= finished(&core.step(at, Input::Tick)).is_some();
        }
        prop_assert!(done);
    }
}

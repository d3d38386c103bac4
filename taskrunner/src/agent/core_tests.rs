use super::*;
use crate::exit::Facts;
use proptest::prelude::*;

const DEADLINES: Deadlines = Deadlines { contact: 60_000, kill: 10_000, report: 5_000, goodbye: 2_000 };

fn agent() -> Agent {
    Agent::new(DEADLINES, 0)
}

fn running(up: bool) -> Agent {
    let mut agent = agent();
    agent.step(1, AgentInput::LinkUp);
    assert_eq!(agent.step(2, AgentInput::Launch(Box::default())), [AgentEffect::Launch(Box::default())]);
    agent.step(3, AgentInput::Started { pid: 7, at_unix_ms: 9 });
    if !up {
        agent.step(4, AgentInput::LinkDown);
    }
    agent
}

fn report(code: i32) -> AgentInput {
    AgentInput::Ended(Arc::new(ExitReport::from_facts(Facts { code: Some(code), ..Facts::default() })))
}

fn finished(effects: &[AgentEffect]) -> Option<u8> {
    effects.iter().find_map(|e| match e {
        AgentEffect::Finish { code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn reports_the_end_then_leaves_with_the_jvms_code() {
    let mut agent = running(true);
    let effects = agent.step(10, report(239));
    assert!(matches!(&effects[..], [AgentEffect::Send(_), AgentEffect::CloseLink]), "{effects:?}");
    assert_eq!(finished(&agent.step(11, AgentInput::LinkDown)), Some(239));
}

#[test]
fn the_ports_of_reporters_are_told_on_each_link_while_the_jvm_runs() {
    let told = |effects: &[AgentEffect]| {
        effects.iter().any(|effect| {
            let ports = ReporterPorts { ports: vec![9250] };
            *effect == AgentEffect::Send(Event { event: Some(EventKind::ReporterPorts(ports)) })
        })
    };
    let mut agent = running(false);
    assert!(!told(&agent.step(5, AgentInput::Reporters(vec![9250]))), "there is no link");
    assert!(told(&agent.step(6, AgentInput::LinkUp)));
    agent.step(7, AgentInput::LinkDown);
    assert!(told(&agent.step(8, AgentInput::LinkUp)));
    agent.step(9, AgentInput::LinkDown);
    agent.step(10, report(0));
    assert!(!told(&agent.step(11, AgentInput::LinkUp)), "the JVM has ended");
}

#[test]
fn an_application_master_that_does_not_hang_up_is_not_waited_for() {
    let mut agent = running(true);
    agent.step(10, report(0));
    assert_eq!(agent.deadline(), Some(2_010));
    assert_eq!(finished(&agent.step(2_010, AgentInput::Tick)), Some(0));
}

#[test]
fn a_report_waits_for_the_link() {
    let mut agent = running(false);
    assert_eq!(agent.step(10, report(1)), []);
    let effects = agent.step(20, AgentInput::LinkUp);
    assert!(matches!(&effects[..], [AgentEffect::Send(_), AgentEffect::CloseLink]));
    let mut agent = running(false);
    agent.step(10, report(1));
    assert_eq!(finished(&agent.step(5_010, AgentInput::Tick)), Some(1));
}

#[test]
fn stop_terminates_then_kills() {
    let mut agent = running(true);
    assert_eq!(agent.step(10, AgentInput::Stop { grace: 500 }), [AgentEffect::Terminate]);
    assert_eq!(agent.step(20, AgentInput::Stop { grace: 100 }), []);
    assert_eq!(agent.deadline(), Some(120));
    assert_eq!(agent.step(119, AgentInput::Tick), []);
    assert_eq!(agent.step(120, AgentInput::Tick), [AgentEffect::Kill]);
    assert_eq!(agent.deadline(), None);
    agent.step(130, report(137));
    assert_eq!(finished(&agent.step(131, AgentInput::LinkDown)), Some(137));
}

#[test]
fn without_the_application_master_the_jvm_runs_on_for_the_grace_only() {
    let mut agent = running(false);
    assert_eq!(agent.deadline(), Some(60_004));
    // Attempts to connect that fail or are refused do not move the deadline.
    agent.step(30_000, AgentInput::LinkDown);
    agent.step(30_001, AgentInput::Refused("no".into()));
    assert_eq!(agent.step(60_004, AgentInput::Tick), [AgentEffect::Terminate]);
    agent.step(60_100, report(143));
    let effects = agent.step(60_100, AgentInput::Tick);
    let [AgentEffect::Finish { code: 143, message }] = &effects[..] else { panic!("{effects:?}") };
    assert!(message.contains("could not be reached for 60 s"), "{message}");
    // A link that is back before the deadline ends it.
    let mut agent = running(false);
    agent.step(50_000, AgentInput::LinkUp);
    assert_eq!(agent.deadline(), None);
}

#[test]
fn before_the_start_everything_ends_at_once_or_at_the_deadline() {
    assert_eq!(finished(&agent().step(60_000, AgentInput::Tick)), Some(1));
    assert_eq!(finished(&agent().step(5, AgentInput::Signal)), Some(143));
    assert_eq!(finished(&agent().step(5, AgentInput::Stop { grace: 1 })), Some(143));
    assert_eq!(finished(&agent().step(5, AgentInput::Refused("wrong secret".into()))), Some(1));
    let mut silent = agent();
    silent.step(100, AgentInput::LinkUp);
    assert_eq!(finished(&silent.step(60_100, AgentInput::Tick)), Some(1));
}

#[test]
fn an_application_master_whose_job_manager_is_slow_is_waited_for() {
    let mut agent = agent();
    agent.step(100, AgentInput::LinkUp);
    for minute in 1..10 {
        assert_eq!(agent.step(minute * 50_000, AgentInput::Wait), []);
        assert_eq!(agent.step(minute * 50_000 + 49_999, AgentInput::Tick), []);
    }
    assert_eq!(agent.deadline(), Some(450_000 + 60_000));
    let effects = agent.step(510_000, AgentInput::Tick);
    assert_eq!(finished(&effects), Some(1), "it has said nothing for a minute: {effects:?}");
    // For a running JVM, `Wait` does not move the deadline: there it counts from the end of the link.
    let mut agent = running(false);
    agent.step(30_000, AgentInput::Wait);
    assert_eq!(agent.deadline(), Some(60_004));
}

#[test]
fn a_failed_launch_is_reported_as_such() {
    let mut agent = agent();
    agent.step(1, AgentInput::LinkUp);
    agent.step(2, AgentInput::Launch(Box::default()));
    let effects = agent.step(3, AgentInput::LaunchFailed("no Java".into()));
    let AgentEffect::Send(Event { event: Some(EventKind::Exited(exited)) }) = &effects[0] else {
        panic!("{effects:?}")
    };
    assert!(exited.launch_failed && exited.summary == "no Java");
    assert_eq!(finished(&agent.step(4, AgentInput::LinkDown)), Some(1));
}

#[test]
fn a_second_launch_is_ignored_and_signals_stop_the_jvm() {
    let mut agent = running(true);
    assert_eq!(agent.step(10, AgentInput::Launch(Box::default())), []);
    assert_eq!(agent.step(11, AgentInput::Signal), [AgentEffect::TellSignal, AgentEffect::Terminate]);
    assert_eq!(agent.deadline(), Some(10_011));
    assert_eq!(agent.step(12, AgentInput::Signal), [], "it is told once");
    // A signal is also reported while the JVM stops by order of the ApplicationMaster, because the
    // NodeManager may end the container for another reason.
    let mut agent = running(true);
    assert_eq!(agent.step(10, AgentInput::Stop { grace: 5000 }), [AgentEffect::Terminate]);
    assert_eq!(agent.step(11, AgentInput::Signal), [AgentEffect::TellSignal]);
}

/// Inputs that can come at any time once the JVM runs.
fn any_input() -> impl Strategy<Value = u8> {
    0..7u8
}

proptest! {
    /// Whatever happens, a JVM that is to be stopped is killed in the end, and the taskrunner ends in bounded
    /// time after the end of the JVM.
    #[test]
    fn always_ends(inputs in proptest::collection::vec((any_input(), 0..20_000u64), 0..40)) {
        let mut agent = running(true);
        let mut now = 5;
        let mut done = false;
        let mut killed = false;
        for (input, wait) in inputs {
            now += wait;
            let input = match input {
                0 => AgentInput::LinkUp,
                1 => AgentInput::LinkDown,
                2 => AgentInput::Refused(String::new()),
                3 => AgentInput::Stop { grace: wait },
                4 => AgentInput::Signal,
                5 => AgentInput::Sample(Memory::default()),
                _ => AgentInput::Tick,
            };
            let effects = agent.step(now, input);
            killed |= effects.contains(&AgentEffect::Kill);
            prop_assert_eq!(finished(&effects), None, "no end while the JVM lives");
        }
        agent.step(now, AgentInput::Signal);
        if !killed {
            let at = agent.deadline().unwrap();
            prop_assert_eq!(agent.step(at, AgentInput::Tick), [AgentEffect::Kill]);
            now = at;
        }
        agent.step(now, report(9));
        for _ in 0..3 {
            let Some(at) = agent.deadline() else { break };
            done |= finished(&agent.step(at, AgentInput::Tick)).is_some();
        }
        prop_assert!(done);
    }
}

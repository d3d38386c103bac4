use std::time::Duration;

use flink_model::spec::ClusterMode;
use taskrunner::cause::JvmExit;
use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::allocation::AskAhead;
use super::event::*;
use super::observation::Observation;
use super::placement::Naming;
use super::rm_session::Pace;
use super::{Controller, FromEarlierAttempts, Settings};
use crate::bridge::{BridgeEvent, FromJvm, ObtainedTokens, Status, ToJvm, ZooKeeperSession};
use crate::control::ControlEvent;
use crate::jobmanager::JobManagerEnd;
use crate::ledger::types::{Completed, Grant, Profile, Purpose, container_id, node_id};
use crate::submission::policy::{Job, JobState, SubmissionInput};
use crate::tokens::{HeldTokens, Lifetime};

const IDLE: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_millis(500);

/// A controller and a clock that only moves when told.
struct Test {
    controller: Controller,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self::with(ClusterMode::Application, None)
    }

    fn with(mode: ClusterMode, head_start: Option<(Web, AskAhead)>) -> Self {
        let now = Instant::now();
        let pace = Pace { idle: IDLE, busy: BUSY, patience: Some(Duration::from_secs(60)) };
        let (early, ask_ahead) = head_start.unzip();
        let settings = Settings {
            mode,
            pace,
            early,
            ask_ahead,
            naming: Naming::default(),
            high_availability: None,
            tokens: None,
        };
        Self { controller: Controller::new(settings, now), now }
    }

    fn highly_available() -> Self {
        let mut test = Self::with(ClusterMode::Session, None);
        let pace = Pace { idle: IDLE, busy: BUSY, patience: None };
        let settings = Settings {
            mode: ClusterMode::Session,
            pace,
            early: Some(Web::at("http://n1:4567".into())),
            ask_ahead: None,
            naming: Naming::default(),
            high_availability: Some(FromEarlierAttempts::default()),
            tokens: None,
        };
        test.controller = Controller::new(settings, test.now);
        assert!(matches!(test.tick()[..], [Action::Register(_)]));
        test.event(Event::Registered(Ok(Registration { maximum: profile(8192), ..Registration::default() })));
        test.jvm(FromJvm::Ready { rest: Some("http://n1:4567".into()), rpc: "n1:1".into() });
        test
    }

    fn serving() -> Self {
        Self::serving_as(ClusterMode::Application)
    }

    fn serving_as(mode: ClusterMode) -> Self {
        let mut test = Self::with(mode, None);
        test.jvm(FromJvm::Ready { rest: Some("http://n1:4567".into()), rpc: "n1:1".into() });
        assert!(matches!(test.tick()[..], [Action::Register(_)]));
        test.event(Event::Registered(Ok(Registration {
            maximum: profile(8192),
            previous: vec![],
            archive_containers: vec![],
        })));
        test
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.controller.handle(event, self.now).actions
    }

    fn jvm(&mut self, message: FromJvm) -> Vec<Action> {
        self.event(Event::Bridge { generation: 0, event: BridgeEvent::Line(message) })
    }

    /// Goes to the next wake-up.
    fn tick(&mut self) -> Vec<Action> {
        self.now = self.now.max(self.controller.wake());
        self.controller.tick(self.now).actions
    }

    /// Goes to the next wake-up, which must be a heartbeat, and answers it. Gives how long it took, and the
    /// actions.
    fn beat(&mut self, answer: Result<HeartbeatAnswer, RmFailure>) -> (Duration, Vec<Action>) {
        let before = self.now;
        // Other timers wake, too.
        let actions = std::iter::repeat_with(|| self.tick()).find(|actions| !actions.is_empty()).unwrap();
        let [Action::SendHeartbeat(Heartbeat { sent, .. })] = &actions[..] else {
            panic!("no heartbeat: {actions:?}")
        };
        let event = Event::HeartbeatAnswered { sent: sent.clone(), answer };
        (self.now - before, self.event(event))
    }

    fn request(&mut self, id: u64) -> Vec<Action> {
        self.jvm(request(id))
    }
}

fn request(id: u64) -> FromJvm {
    FromJvm::Request {
        id,
        memory_mb: 1024,
        vcores: 1,
        resources: Default::default(),
        jvm_args: vec![],
        args: vec![],
    }
}

fn profile(memory_mb: u64) -> Profile {
    Profile { memory_mb, vcores: 4, ..Profile::default() }
}

fn granted(container: &str) -> HeartbeatAnswer {
    let node = node_id("n2", 8041);
    let grant = Grant {
        purpose: Purpose::TaskManager,
        container: container_id(container),
        node,
        priority: 1,
        allocation_request: Some(1),
    };
    HeartbeatAnswer { granted: vec![grant], ..HeartbeatAnswer::default() }
}

fn failure(kind: RmFailureKind, text: &str) -> RmFailure {
    RmFailure { kind, text: text.into() }
}

fn unavailable() -> RmFailure {
    failure(RmFailureKind::Unavailable, "connection refused")
}

#[test]
fn registers_at_ready_with_the_rest_port_and_tells_the_job_manager() {
    let mut test = Test::new();
    assert!(
        test.jvm(FromJvm::Ready { rest: Some("https://n1:4567/x".into()), rpc: String::new() }).is_empty()
    );
    let before = test.now;
    assert_eq!(test.tick(), [Action::Register(Web { url: "https://n1:4567/x".into(), port: 4567 })]);
    assert_eq!(test.now, before, "at once");
    let node = node_id("n3", 1);
    let previous = vec![(container_id("c7"), node)];
    let actions = test.event(Event::Registered(Ok(Registration {
        maximum: profile(8192),
        previous,
        archive_containers: vec![],
    })));
    assert!(matches!(
        &actions[..],
        [
            Action::SendAddress(_),
            Action::Tell(ToJvm::Registered { max_memory_mb: 8192, .. }),
            Action::Tell(ToJvm::Previous { workers })
        ] if workers.len() == 1 && workers[0].node == "n3:1"
    ));
    assert!(test.controller.is_registered());
    assert_eq!(test.controller.started(), [container_id("c7")]);
}

#[test]
fn heartbeats_are_slow_when_idle_quick_when_busy_and_immediate_for_news() {
    let mut test = Test::serving();
    assert_eq!(test.beat(Ok(HeartbeatAnswer::default())).0, IDLE);
    test.now += Duration::from_secs(2);
    test.request(1);
    assert_eq!(test.beat(Ok(HeartbeatAnswer::default())).0, Duration::ZERO, "news do not wait");
    let pauses: Vec<_> = (0..10).map(|_| test.beat(Ok(HeartbeatAnswer::default())).0.as_millis()).collect();
    assert_eq!(
        pauses,
        [100, 125, 156, 195, 244, 305, 381, 476, 500, 500],
        "then quick, and less and less so"
    );
    test.request(2);
    assert_eq!(
        test.beat(Ok(HeartbeatAnswer::default())).0,
        Duration::from_millis(100),
        "but not closer than this"
    );
    test.event(Event::Control(ControlEvent::Lost(container_id("c1"))));
    test.jvm(FromJvm::Cancel { id: 1 });
    test.jvm(FromJvm::Cancel { id: 2 });
    assert_eq!(test.beat(Ok(HeartbeatAnswer::default())).0, Duration::from_millis(100));
    assert!(test.beat(Ok(HeartbeatAnswer::default())).0 < BUSY, "a container may just have ended");
    for _ in 0..40 {
        test.beat(Ok(HeartbeatAnswer::default()));
    }
    assert_eq!(test.beat(Ok(HeartbeatAnswer::default())).0, IDLE);
}

#[test]
fn a_heartbeat_that_may_name_nodes_waits_for_them() {
    let mut test = Test::serving();
    let naming = Naming { possible: true, ..Naming::default() };
    let pace = Pace { idle: IDLE, busy: BUSY, patience: None };
    let mode = ClusterMode::Session;
    let early = Some(Web::at("http://n1:4567".into()));
    let settings =
        Settings { mode, pace, early, ask_ahead: None, naming, high_availability: None, tokens: None };
    test.controller = Controller::new(settings, test.now);
    assert!(matches!(test.tick()[..], [Action::Register(_)]));
    let registration = Registration { maximum: profile(8192), previous: vec![], archive_containers: vec![] };
    test.event(Event::Registered(Ok(registration)));
    test.request(1);
    test.request(2);
    assert_eq!(test.tick(), [Action::ListNodes]);
    test.request(3);
    let actions = test.event(Event::Nodes(vec![]));
    let [Action::SendHeartbeat(Heartbeat { sent, requests, progress })] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(sent.asks[0].count, 3, "what came meanwhile goes along");
    assert_eq!((requests.len(), requests[0].num_containers, *progress), (1, 3, 0.0));
}

#[test]
fn tokens_are_replaced_while_a_job_manager_with_a_keytab_is_connected() {
    let mut test = Test::new();
    let file_systems = vec!["hdfs://ns".to_owned()];
    let settings = Settings {
        mode: ClusterMode::Session,
        pace: Pace { idle: IDLE, busy: BUSY, patience: None },
        early: None,
        ask_ahead: None,
        naming: Naming::default(),
        high_availability: None,
        tokens: Some(HeldTokens { file_systems: file_systems.clone(), lifetime: Lifetime::default() }),
    };
    test.controller = Controller::new(settings, test.now);
    let asked = || Action::Tell(ToJvm::ObtainTokens { file_systems: file_systems.clone() });
    assert_eq!(test.jvm(FromJvm::CanObtainTokens), [asked()]);
    let obtained = ObtainedTokens { credentials: Some("SERU".into()), ..ObtainedTokens::default() };
    assert_eq!(test.jvm(FromJvm::Tokens(obtained.clone())), [Action::UseTokens(obtained)]);
    let lifetime = Lifetime { passed: Duration::ZERO, left: 4 * SOON };
    let in_use = Event::TokensInUse(Ok(TokensInUse { count: 1, lifetime }));
    assert_eq!(test.event(in_use), []);
    test.now += 3 * SOON;
    let closed = Event::Bridge { generation: 0, event: BridgeEvent::Closed("reset".into()) };
    assert_eq!(test.event(closed), [], "nobody is there to be asked");
    assert_eq!(test.jvm(FromJvm::CanObtainTokens), [asked()]);
}

#[test]
fn a_worker_from_request_to_end() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Ok(HeartbeatAnswer::default()));
    let (_, actions) = test.beat(Ok(granted("c1")));
    assert!(
        matches!(&actions[..], [Action::Tell(ToJvm::Allocated { id: 1, worker })] if worker.host == "n2")
    );
    let actions = test.jvm(FromJvm::Launch { id: 1, worker: container_id("c1") });
    assert!(matches!(&actions[..], [Action::Launch(..), Action::Start(_)]));
    let connected = ControlEvent::Connected { container: container_id("c1"), has_launch: true };
    assert_eq!(test.event(Event::Control(connected)), []);
    let completed =
        Completed { container: container_id("c1"), status: -102, diagnostics: "by the scheduler".into() };
    let answer = HeartbeatAnswer { completed: vec![completed], ..HeartbeatAnswer::default() };
    let (_, actions) = test.beat(Ok(answer));
    assert!(matches!(&actions[..], [Action::Tell(ToJvm::Terminated { reason, .. }), Action::Forget(_)]
        if reason.contains("preempted") && reason.contains("by the scheduler")));
}

#[test]
fn the_registration_does_not_wait_for_what_earlier_attempts_have_kept_but_the_job_manager_does() {
    let mut test = Test::new();
    let pace = Pace { idle: IDLE, busy: BUSY, patience: None };
    let settings = Settings {
        mode: ClusterMode::PerJob,
        pace,
        early: Some(Web::at("http://n1:4567".into())),
        ask_ahead: None,
        naming: Naming::default(),
        high_availability: Some(FromEarlierAttempts { reading: true, ..FromEarlierAttempts::default() }),
        tokens: None,
    };
    test.controller = Controller::new(settings, test.now);
    assert!(matches!(test.tick()[..], [Action::Register(_)]));
    let hello = FromJvm::Hello { protocol: 2, flink: String::new(), pid: 1 };
    assert_eq!(test.jvm(hello), []);
    let session = || ZooKeeperSession { id: "1f".into(), password: "p".into() };
    assert_eq!(
        test.event(Event::Earlier(Earlier::Session(Some(session())))),
        [Action::Tell(ToJvm::Start { previous_session: Some(session()) })]
    );
    assert_eq!(test.event(Event::Submission(SubmissionInput::Completed(0))), []);
    let actions = test.event(Event::Earlier(Earlier::Submission(Some(Default::default()))));
    assert!(matches!(actions[..], [Action::KeepSubmission(_)]), "{actions:?}");
}

#[test]
fn an_unreachable_resource_manager_is_waited_for_and_then_given_up() {
    let mut test = Test::serving();
    test.request(1);
    let begin = test.now;
    let mut waits = Vec::new();
    let end = loop {
        // The refresh timer also wakes.
        let actions = match test.tick() {
            actions if actions.is_empty() => continue,
            actions => actions,
        };
        waits.push(test.now - begin);
        let [Action::SendHeartbeat(Heartbeat { sent, .. })] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!(sent.asks.len(), 1, "the ask is repeated until it is heard");
        let event = Event::HeartbeatAnswered { sent: sent.clone(), answer: Err(unavailable()) };
        let actions = test.event(event);
        if !actions.is_empty() {
            break actions;
        }
    };
    assert!(matches!(&end[..], [Action::End(Cause::ResourceManagerLost(_))]));
    assert!(waits.len() > 6 && *waits.last().unwrap() > Duration::from_secs(60));
}

#[test]
fn after_an_outage_everything_is_said_once_more() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Err(unavailable()));
    test.beat(Ok(HeartbeatAnswer::default()));
    let actions = test.tick();
    assert!(
        matches!(&actions[..], [Action::SendHeartbeat(Heartbeat { sent, .. })] if sent.asks[0].count == 1)
    );
}

#[test]
fn a_restarted_resource_manager_is_told_all_again() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Ok(HeartbeatAnswer::default()));
    let (_, actions) = test.beat(Err(failure(RmFailureKind::NotRegistered, "who are you")));
    assert_eq!(actions, []);
    assert!(matches!(test.tick()[..], [Action::Register(_)]));
    let registration = Registration { maximum: profile(8192), previous: vec![], archive_containers: vec![] };
    assert_eq!(test.event(Event::Registered(Ok(registration))), [], "the JobManager need not know");
    let actions = test.tick();
    assert!(
        matches!(&actions[..], [Action::SendHeartbeat(Heartbeat { sent, .. })] if sent.asks[0].count == 1)
    );
}

#[test]
fn a_job_manager_that_is_ready_while_yarn_has_forgotten_us_hears_of_its_task_managers() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Ok(granted("c1")));
    test.jvm(FromJvm::Launch { id: 1, worker: container_id("c1") });
    test.beat(Err(failure(RmFailureKind::NotRegistered, "who are you")));
    // Nothing tells it later: the registration that follows concerns only us.
    let actions = test.jvm(FromJvm::Ready { rest: Some("http://n1:4567".into()), rpc: "n1:1".into() });
    assert!(
        matches!(
            &actions[..],
            [Action::Tell(ToJvm::Registered { .. }), Action::Tell(ToJvm::Previous { workers })] if workers.len() == 1
        ),
        "{actions:?}"
    );
}

#[test]
fn what_a_job_manager_has_said_last_counts_no_more_once_its_end_is_known() {
    let mut test = Test::highly_available();
    let ready = || FromJvm::Ready { rest: Some("http://n1:4567".into()), rpc: "n1:1".into() };
    let of = |message| Event::Bridge { generation: 1, event: BridgeEvent::Line(message) };
    let ended = |generation| {
        let end = JobManagerEnd { summary: "killed".into(), last_lines: String::new(), port_taken: false };
        Event::JobManagerEnded { generation, end }
    };
    assert_eq!(test.event(ended(0)), [Action::StartJobManager { generation: 1 }]);
    test.event(of(ready()));
    assert_eq!(test.event(ended(1)), [], "the second one within a minute waits");
    assert_eq!(test.event(of(request(1))), []);
    assert_eq!(test.event(of(ready())), []);
    test.event(Event::Bridge { generation: 1, event: BridgeEvent::Closed("reset".into()) });
    let (mut starts, until) = (0, test.now + Duration::from_secs(60));
    while test.now < until {
        for action in test.tick() {
            match action {
                Action::StartJobManager { generation: 2 } => starts += 1,
                Action::SendHeartbeat(Heartbeat { sent, .. }) => {
                    assert!(sent.asks.is_empty(), "nobody would take the container: {sent:?}");
                    test.event(Event::HeartbeatAnswered { sent, answer: Ok(HeartbeatAnswer::default()) });
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(starts, 1);
}

#[test]
fn a_registration_whose_answer_was_lost_is_not_refused_as_a_second_one() {
    let mut test = Test::new();
    test.jvm(FromJvm::Ready { rest: None, rpc: String::new() });
    assert_eq!(test.tick(), [Action::Register(Web { url: String::new(), port: -1 })]);
    test.event(Event::Registered(Err(unavailable())));
    assert!(matches!(test.tick()[..], [Action::Register(_)]));
    let refused = failure(
        RmFailureKind::AlreadyRegistered,
        "Application Master is already registered : application_1_1",
    );
    let actions = test.event(Event::Registered(Err(refused.clone())));
    assert!(matches!(
        &actions[..],
        [Action::Tell(ToJvm::Registered { .. }), Action::Tell(ToJvm::Previous { .. })]
    ));
    let mut fresh = Test::new();
    fresh.jvm(FromJvm::Ready { rest: None, rpc: String::new() });
    fresh.tick();
    assert!(matches!(&fresh.event(Event::Registered(Err(refused)))[..], [Action::End(Cause::Internal(_))]));
}

#[test]
fn asks_that_yarn_refuses_fail_and_the_application_goes_on() {
    let mut test = Test::serving();
    test.request(1);
    let refusal = failure(RmFailureKind::Refused, "Invalid label resource request");
    let (_, actions) = test.beat(Err(refusal));
    assert!(
        matches!(&actions[..], [Action::Tell(ToJvm::Failed { id: 1, reason })] if reason.contains("label"))
    );
    let actions = test.tick();
    assert!(matches!(&actions[..], [Action::SendHeartbeat(Heartbeat { sent, .. })] if sent.asks.is_empty()));
}

#[test]
fn each_end_has_its_cause() {
    let over = failure(RmFailureKind::AttemptOver, "unknown attempt");
    let (_, actions) = Test::serving().beat(Err(over));
    assert_eq!(actions, [Action::End(Cause::AttemptOver("unknown attempt".into()))]);
    let shutdown = HeartbeatAnswer { command: Some(RmCommand::Shutdown), ..HeartbeatAnswer::default() };
    let (_, actions) = Test::serving().beat(Ok(shutdown));
    assert!(matches!(&actions[..], [Action::End(Cause::AttemptOver(_))]));
    let deregister = FromJvm::Deregister { status: Status::Killed, diagnostics: "d".into() };
    let cause = Cause::Deregistered { status: FinalStatus::Killed, diagnostics: "d".into() };
    assert_eq!(Test::serving().jvm(deregister), [Action::End(cause)]);
    assert_eq!(Test::new().event(Event::Terminated), [Action::End(Cause::Terminated)]);
    let text = "The JobManager ended: code 1\nlog".to_owned();
    assert_eq!(Test::new().event(ended()), [Action::End(Cause::JobManagerEnded(text))]);
}

fn ended() -> Event {
    Event::JobManagerEnded {
        generation: 0,
        end: JobManagerEnd { summary: "code 1".into(), last_lines: "\nlog".into(), port_taken: false },
    }
}

#[test]
fn a_failure_that_the_job_manager_told_of_explains_its_end() {
    let failure = || FromJvm::Failure { what: "main() of M".into(), trace: "x.Y: boom\n\tat z".into() };
    let mut test = Test::new();
    assert_eq!(test.jvm(failure()), []);
    let text = "main() of M failed: x.Y: boom".to_owned();
    assert_eq!(test.event(ended()), [Action::End(Cause::JobManagerEnded(text))]);
    let mut test = Test::serving();
    test.jvm(failure());
    let deregister = FromJvm::Deregister { status: Status::Failed, diagnostics: String::new() };
    let diagnostics = "main() of M failed: x.Y: boom".to_owned();
    let cause = Cause::Deregistered { status: FinalStatus::Failed, diagnostics };
    assert_eq!(test.jvm(deregister), [Action::End(cause)]);
}

/// A per-job cluster whose client has completed after this job; gives what comes of it, heartbeats left out.
fn per_job(state: JobState) -> (Test, Vec<Action>) {
    let mut test = Test::with(ClusterMode::PerJob, None);
    test.jvm(FromJvm::Ready { rest: Some("http://n1:4567".into()), rpc: "n1:1".into() });
    test.event(Event::Submission(SubmissionInput::Arrived(0)));
    let actions = test.event(Event::Submission(SubmissionInput::Completed(0)));
    assert_eq!(actions, [Action::LookAtJobs("http://n1:4567".into())]);
    let job = Job { id: "a".into(), name: "n".into(), state };
    let actions = test.event(Event::Submission(SubmissionInput::Jobs(Ok(vec![job]))));
    (test, actions)
}

#[test]
fn a_per_job_cluster_ends_with_the_status_of_its_job() {
    let (mut test, actions) = per_job(JobState::Failed);
    assert_eq!(actions, [Action::ExplainJob("http://n1:4567".into(), "a".into())]);
    let actions = test.event(Event::Submission(SubmissionInput::Explained(Some("x.Y: boom".into()))));
    assert_eq!(actions, [Action::ShutDownJobManager("http://n1:4567".into())]);
    // For a session that is told to end all is well.
    let deregister = FromJvm::Deregister { status: Status::Succeeded, diagnostics: String::new() };
    let diagnostics = "Job \"n\" (a) failed: x.Y: boom".to_owned();
    let cause = Cause::Deregistered { status: FinalStatus::Failed, diagnostics };
    assert_eq!(test.jvm(deregister), [Action::End(cause.clone())]);
    assert_eq!(test.event(ended()), [Action::End(cause)], "also when it ends without a word");
}

#[test]
fn a_job_manager_that_does_not_deregister_is_ended() {
    let (mut test, actions) = per_job(JobState::Finished);
    assert_eq!(actions, [Action::ShutDownJobManager("http://n1:4567".into())]);
    let begin = test.now;
    let end = loop {
        if let Some(Action::End(cause)) = test.tick().pop() {
            break cause;
        }
    };
    assert_eq!(end, Cause::Deregistered { status: FinalStatus::Succeeded, diagnostics: String::new() });
    assert_eq!(test.now - begin, Duration::from_secs(30));
}

#[test]
fn a_job_manager_that_lost_its_connection_is_killed_when_it_does_not_end() {
    let mut test = Test::serving();
    test.event(Event::Bridge { generation: 0, event: BridgeEvent::Closed("gone".into()) });
    let begin = test.now;
    loop {
        match &test.tick()[..] {
            [Action::KillJobManager, ..] => break,
            [Action::SendHeartbeat(Heartbeat { sent, .. })] => {
                let event =
                    Event::HeartbeatAnswered { sent: sent.clone(), answer: Ok(HeartbeatAnswer::default()) };
                test.event(event);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(test.now - begin, Duration::from_secs(20));
}

#[test]
fn a_taskrunner_without_jvm_and_launch_command_is_stopped() {
    let mut test = Test::new();
    let connected = ControlEvent::Connected { container: container_id("c1"), has_launch: false };
    assert!(matches!(&test.event(Event::Control(connected))[..], [Action::Stop { .. }, ..]));
}

const SOON: Duration = Duration::from_secs(30);

fn head_start() -> Test {
    let web = Web { url: "http://n1:20000".into(), port: 20000 };
    let size = Profile { memory_mb: 1024, vcores: 1, ..Profile::default() };
    let mut test = Test::with(ClusterMode::Session, Some((web, AskAhead { size, count: 2, keep: SOON })));
    let actions = test.tick();
    assert!(matches!(&actions[..], [Action::Register(web)] if web.port == 20000), "{actions:?}");
    let answer = Registration { maximum: profile(8192), previous: vec![], archive_containers: vec![] };
    assert_eq!(test.event(Event::Registered(Ok(answer))), [], "there is no JobManager to hear it");
    let (_, actions) = test.beat(Ok(HeartbeatAnswer::default()));
    assert_eq!(actions, []);
    test
}

fn connected(container: &str) -> Event {
    Event::Control(ControlEvent::Connected { container: container_id(container), has_launch: false })
}

#[test]
fn workers_come_while_the_job_manager_starts_and_are_its_own_once_it_asks() {
    let mut test = head_start();
    let (_, actions) = test.beat(Ok(granted("c1")));
    assert_eq!(actions, [Action::Start(container_id("c1"))]);
    assert_eq!(test.event(connected("c1")), [], "it waits for its launch command");
    let actions = test.jvm(FromJvm::Ready { rest: Some("http://n1:20000".into()), rpc: "n1:1".into() });
    let [Action::Tell(ToJvm::Registered { .. }), Action::Tell(ToJvm::Previous { workers })] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert!(workers.is_empty());
    assert!(matches!(test.request(1)[..], [Action::Tell(ToJvm::Allocated { id: 1, .. })]));
    let launch = FromJvm::Launch { id: 1, worker: container_id("c1") };
    assert!(matches!(test.jvm(launch)[..], [Action::Launch(..)]));
    // The second one comes late, and nobody wants it.
    let (_, actions) = test.beat(Ok(granted("c2")));
    assert_eq!(actions, [Action::Start(container_id("c2"))]);
    let until = test.now + SOON;
    let stopped = std::iter::repeat_with(|| {
        let actions = test.tick();
        // Heartbeats go on meanwhile.
        test.event(Event::HeartbeatAnswered {
            sent: Default::default(),
            answer: Ok(HeartbeatAnswer::default()),
        });
        actions
    });
    let stopped = stopped.take(500).flatten().find(|action| matches!(action, Action::Stop { .. }));
    assert!(matches!(stopped, Some(Action::Stop { container, .. }) if container == container_id("c2")));
    assert!(test.now <= until);
    assert_eq!(test.controller.started(), [container_id("c1")]);
}

#[test]
fn a_job_manager_that_is_ready_before_the_registration_hears_of_it_once() {
    let web = Web { url: "http://n1:20000".into(), port: 20000 };
    let mut test =
        Test::with(ClusterMode::Session, Some((web, AskAhead { size: profile(1024), count: 1, keep: SOON })));
    assert!(matches!(test.tick()[..], [Action::Register(_)]));
    assert_eq!(test.jvm(FromJvm::Ready { rest: Some("http://n1:20000".into()), rpc: "n1:1".into() }), []);
    let answer = Registration { maximum: profile(8192), previous: vec![], archive_containers: vec![] };
    let actions = test.event(Event::Registered(Ok(answer)));
    assert!(matches!(
        actions[..],
        [Action::Tell(ToJvm::Registered { .. }), Action::Tell(ToJvm::Previous { .. })]
    ));
}

#[test]
fn a_job_manager_that_is_ready_while_the_application_registers_anew_hears_of_it_once() {
    let mut test = Test::with(ClusterMode::Session, None);
    let earlier = FromEarlierAttempts::default();
    let pace = Pace { idle: IDLE, busy: BUSY, patience: None };
    let settings = Settings {
        mode: ClusterMode::Session,
        pace,
        early: Some(Web::at("http://n1:20000".into())),
        ask_ahead: None,
        naming: Naming::default(),
        high_availability: Some(earlier),
        tokens: None,
    };
    test.controller = Controller::new(settings, test.now);
    let ready = || FromJvm::Ready { rest: Some("http://n1:20000".into()), rpc: "n1:1".into() };
    let registered = || Registration { maximum: profile(8192), previous: vec![], archive_containers: vec![] };
    let heard = |actions: &[Action]| {
        actions.iter().filter(|action| matches!(action, Action::Tell(ToJvm::Previous { .. }))).count()
    };
    test.tick();
    test.event(Event::Registered(Ok(registered())));
    assert_eq!(heard(&test.jvm(ready())), 1);
    // The JobManager is lost, and the ResourceManager forgets us, before the next one is ready.
    test.event(ended());
    test.beat(Err(failure(RmFailureKind::NotRegistered, "who are you")));
    let next = |message| Event::Bridge { generation: 1, event: BridgeEvent::Line(message) };
    assert_eq!(heard(&test.event(next(ready()))), 1);
    test.tick();
    assert_eq!(heard(&test.event(Event::Registered(Ok(registered())))), 0, "it knows already");
}

#[test]
fn a_container_for_an_archive_is_no_worker() {
    let mut test = Test::serving();
    test.request(1);
    assert_eq!(test.event(Event::Archive(BuilderRequest::Container(2760))), []);
    let asks = |actions: &[Action]| match actions {
        [Action::SendHeartbeat(Heartbeat { sent, .. })] => {
            sent.asks.iter().map(|ask| (ask.priority, ask.count)).collect::<Vec<_>>()
        }
        other => panic!("no heartbeat: {other:?}"),
    };
    let answer = |test: &mut Test, actions: Vec<Action>, answer: HeartbeatAnswer| {
        let Some(Action::SendHeartbeat(Heartbeat { sent, .. })) = actions.into_iter().next() else {
            panic!("no heartbeat")
        };
        test.event(Event::HeartbeatAnswered { sent, answer: Ok(answer) })
    };
    let first = test.tick();
    assert_eq!(asks(&first), [(1, 1)], "the worker first");
    answer(&mut test, first, granted("c1"));
    test.jvm(FromJvm::Launch { id: 1, worker: container_id("c1") });
    let again = test.tick();
    assert_eq!(asks(&again), [(1, 0)], "it starts");
    answer(&mut test, again, HeartbeatAnswer::default());
    test.event(Event::Control(ControlEvent::Connected { container: container_id("c1"), has_launch: true }));
    let ask = test.tick();
    assert_eq!(asks(&ask), [(Purpose::ARCHIVE_PRIORITY, 1)]);
    let node = node_id("n2", 8041);
    let grant = Grant {
        purpose: Purpose::ClassDataArchive,
        container: container_id("c2"),
        node,
        priority: Purpose::ARCHIVE_PRIORITY,
        allocation_request: None,
    };
    let came = answer(&mut test, ask, HeartbeatAnswer { granted: vec![grant], ..HeartbeatAnswer::default() });
    assert_eq!(came, [Action::Archive(RequestEvent::Granted(container_id("c2")))]);
    assert_eq!(test.controller.started(), [container_id("c1")]);
    let completed = Completed { container: container_id("c2"), status: 0, diagnostics: String::new() };
    let end = HeartbeatAnswer { completed: vec![completed.clone()], ..HeartbeatAnswer::default() };
    let (_, actions) = test.beat(Ok(end));
    assert_eq!(
        actions,
        [Action::Forget(container_id("c2")), Action::Archive(RequestEvent::Ended(completed))]
    );
    // Refused it is refused alone: the worker's request goes on.
    test.event(Event::Archive(BuilderRequest::Container(2760)));
    let refused = RmFailure { kind: RmFailureKind::Refused, text: "too large".into() };
    let (_, actions) = test.beat(Err(refused));
    assert!(matches!(&actions[..], [Action::Archive(RequestEvent::Over(why))] if why.contains("too large")));
    // What an earlier attempt has left goes back.
    let archive_containers = vec![container_id("c0")];
    test.beat(Ok(HeartbeatAnswer { archive_containers, ..HeartbeatAnswer::default() }));
    let actions = test.tick();
    assert!(
        matches!(&actions[..], [Action::SendHeartbeat(Heartbeat { sent, .. })] if sent.releases == [container_id("c0")]),
        "{actions:?}"
    );
}

#[test]
fn a_job_that_fails_for_a_worker_killed_for_memory_ends_with_yarns_reason() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Ok(granted("c1")));
    test.jvm(FromJvm::Launch { id: 1, worker: container_id("c1") });
    test.event(Event::Control(ControlEvent::Connected { container: container_id("c1"), has_launch: true }));
    // The NodeManager's SIGTERM; the TaskManager signs off, its job fails, and with it the application.
    let actions = test.event(Event::Control(ControlEvent::Signalled(container_id("c1"))));
    assert!(matches!(&actions[..], [Action::MemoryKills(kills)] if kills.reason_pending), "{actions:?}");
    test.jvm(FromJvm::Release { worker: container_id("c1") });
    let last = FromJvm::Deregister {
        status: Status::Failed,
        diagnostics: "The TaskExecutor is shutting down.".into(),
    };
    assert_eq!(test.jvm(last), [], "YARN has not said why");
    let text = "Current usage: 1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB virtual memory used. Killing container.";
    let completed = Completed { container: container_id("c1"), status: -104, diagnostics: text.into() };
    let (_, actions) =
        test.beat(Ok(HeartbeatAnswer { completed: vec![completed], ..HeartbeatAnswer::default() }));
    let Some(Action::End(Cause::Deregistered { status: FinalStatus::Failed, diagnostics })) = actions.last()
    else {
        panic!("{actions:?}")
    };
    assert!(
        diagnostics.starts_with(
            "The TaskExecutor is shutting down.\nA TaskManager was killed for its memory: container_1_0001_01_000001 on n2:8041: "
        ) && diagnostics.contains("1.3 GB of 1 GB physical memory used"),
        "{diagnostics}"
    );
    let told = |action: &Action| matches!(action, Action::MemoryKills(kills) if !kills.reason_pending && kills.text.contains("1.3 GB"));
    assert!(actions.iter().any(told), "{actions:?}");
    assert!(
        actions.iter().any(|action| matches!(action, Action::Tell(ToJvm::Terminated { .. }))),
        "for its log"
    );
}

#[test]
fn a_request_that_stays_open_is_observed_and_its_end_too() {
    let mut test = Test::serving();
    test.request(1);
    let news = Box::new(ClusterNews { left: Some(profile(512)), ..ClusterNews::default() });
    test.beat(Ok(HeartbeatAnswer { news, ..HeartbeatAnswer::default() }));
    test.now += Duration::from_secs(10);
    let Output { actions, observations } = test.controller.tick(test.now);
    assert!(
        matches!(&observations[..], [Observation::ContainersWait { count: 1, text, .. }] if text.contains("512 MB")),
        "{observations:?}"
    );
    let [Action::SendHeartbeat(Heartbeat { sent, .. })] = &actions[..] else { panic!("{actions:?}") };
    let answered = Event::HeartbeatAnswered { sent: sent.clone(), answer: Ok(granted("c1")) };
    let observations = test.controller.handle(answered, test.now).observations;
    assert!(
        matches!(
            &observations[..],
            [Observation::Granted { .. }, Observation::ContainersWaitNoLonger { granted: true, .. }]
        ),
        "{observations:?}"
    );
}

/// Flink's requests for a worker, three seconds apart, until the application ends; gives the time that took.
fn asked_in_vain(
    mut test: Test,
    mut refuse: impl FnMut(&mut Test, u64) -> Vec<Action>,
) -> Option<(Duration, String)> {
    let begin = test.now;
    (1..20).find_map(|id| {
        let actions = refuse(&mut test, id);
        let cause = actions.into_iter().find_map(|action| match action {
            Action::End(Cause::NoTaskManagers(why)) => Some(why),
            _ => None,
        });
        let found = cause.map(|why| (test.now - begin, why));
        test.now += Duration::from_secs(3);
        found
    })
}

#[test]
fn an_application_that_yarn_refuses_every_worker_ends() {
    let refuse = |test: &mut Test, id| {
        test.request(id);
        test.beat(Err(failure(RmFailureKind::Refused, "Invalid label resource request"))).1
    };
    let (after, why) = asked_in_vain(Test::serving(), refuse).unwrap();
    assert!(after < Duration::from_secs(40), "{after:?}");
    assert_eq!(
        why,
        "No TaskManager can be had: YARN refuses TaskManagers of 1024 MB, 1 vcores: Invalid label resource request"
    );
    // A session whose every worker is refused is of no use, either.
    let session = Test::serving_as(ClusterMode::Session);
    assert!(asked_in_vain(session, refuse).is_some());
}

#[test]
fn a_worker_that_came_in_between_is_a_reason_to_go_on() {
    let refuse = |test: &mut Test, id: u64| {
        test.request(id);
        if id == 5 {
            return test.beat(Ok(HeartbeatAnswer::default())).1;
        }
        test.beat(Err(failure(RmFailureKind::Refused, "full"))).1
    };
    let (after, _) = asked_in_vain(Test::serving(), refuse).unwrap();
    assert!(after > Duration::from_secs(30), "{after:?}");
}

#[test]
fn a_worker_larger_than_the_largest_container_ends_an_application_but_no_session() {
    let ask = |test: &mut Test, id| {
        test.jvm(FromJvm::Request {
            id,
            memory_mb: 9000,
            vcores: 1,
            resources: Default::default(),
            jvm_args: vec![],
            args: vec![],
        })
    };
    let (_, why) = asked_in_vain(Test::serving(), ask).unwrap();
    assert!(why.contains("9000 MB is larger than the cluster's largest container, 8192 MB"), "{why}");
    let session = Test::serving_as(ClusterMode::Session);
    assert_eq!(asked_in_vain(session, ask), None);
}

#[test]
fn workers_that_fail_at_their_start_are_told_of() {
    let mut test = Test::serving();
    test.request(1);
    test.beat(Ok(granted("c1")));
    let container = container_id("c1");
    test.jvm(FromJvm::Launch { id: 1, worker: container_id("c1") });
    let summary = "the JVM exited with code 1: no such agent".to_owned();
    let report = JvmExit { code: Some(1), summary, unregistered: true, ..JvmExit::default() };
    test.event(Event::Control(ControlEvent::Exited { container, report }));
    let end = test.jvm(FromJvm::Deregister { status: Status::Failed, diagnostics: "no slots".into() });
    let diagnostics =
        "no slots\nA TaskManager failed at its start on n2: the JVM exited with code 1: no such agent"
            .to_owned();
    assert_eq!(end, [Action::End(Cause::Deregistered { status: FinalStatus::Failed, diagnostics })]);
}

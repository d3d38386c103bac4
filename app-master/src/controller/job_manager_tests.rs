use super::*;

fn end(summary: &str) -> JobManagerEnd {
    JobManagerEnd { summary: summary.into(), last_lines: String::new(), port_taken: false }
}

fn session(id: &str) -> ZooKeeperSession {
    ZooKeeperSession { id: id.into(), password: "p".into() }
}

/// A JobManager at a moment.
struct Bench {
    job_manager: JobManager,
    now: Instant,
}

impl Bench {
    fn new(restarts: bool) -> Self {
        Self::after(restarts, None)
    }

    /// With what an earlier attempt has left.
    fn after(restarts: bool, session: Option<ZooKeeperSession>) -> Self {
        let now = Instant::now();
        Self { job_manager: JobManager::new(restarts, session, now), now }
    }

    /// One step; gives what follows, and what is done.
    fn step(&mut self, input: JobManagerInput) -> (Option<JobManagerEffect>, Vec<Action>) {
        let mut out = Output::default();
        (self.job_manager.step(input, self.now, &mut out), out.actions)
    }

    fn tick(&mut self) -> (Option<JobManagerEffect>, Vec<Action>) {
        self.step(JobManagerInput::Tick { reason_pending: false })
    }

    fn connect(&mut self) -> Vec<Action> {
        self.step(JobManagerInput::Connected { flink: String::new(), pid: 1 }).1
    }

    fn ready(&mut self) -> Option<JobManagerEffect> {
        self.step(JobManagerInput::Ready { rest: "u".into(), rpc: String::new() }).0
    }

    fn ended(&mut self) -> Option<JobManagerEffect> {
        self.step(JobManagerInput::Ended(end("SIGKILL"))).0
    }

    /// Lets the time pass until the next tick is due.
    fn sleep(&mut self) -> Duration {
        let at = self.job_manager.wake().unwrap();
        let slept = at.saturating_duration_since(self.now);
        self.now = self.now.max(at);
        slept
    }
}

fn ready(first: bool) -> Option<JobManagerEffect> {
    Some(JobManagerEffect::Ready { rest: "u".into(), first })
}

#[test]
fn a_failure_waits_for_yarns_reason_and_success_does_not() {
    let waits = JobManagerInput::Tick { reason_pending: true };
    let mut failed = Bench::new(false);
    failed.step(JobManagerInput::Deregister(FinalStatus::Failed, "x".into()));
    assert_eq!(failed.step(waits), (None, vec![]));
    assert_eq!(failed.ended(), None, "how it has deregistered counts");
    let told = Some(JobManagerEffect::Deregistered(FinalStatus::Failed, "x".into()));
    assert_eq!(failed.tick(), (told, vec![]));
    let mut succeeded = Bench::new(true);
    succeeded.step(JobManagerInput::Deregister(FinalStatus::Succeeded, String::new()));
    let told = Some(JobManagerEffect::Deregistered(FinalStatus::Succeeded, String::new()));
    assert_eq!(succeeded.step(JobManagerInput::Tick { reason_pending: true }), (told, vec![]));
}

#[test]
fn it_is_killed_when_it_does_not_end_after_its_connection() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.job_manager.progress(), 0.0);
    assert_eq!(bench.ready(), ready(true));
    assert_eq!(bench.ready(), ready(false), "it may lead again");
    assert_eq!(bench.job_manager.progress(), 1.0);
    bench.step(JobManagerInput::Disconnected { why: String::new() });
    assert_eq!(bench.tick(), (None, vec![]));
    assert_eq!(bench.sleep(), DISCONNECTED_GRACE);
    assert_eq!(bench.tick(), (None, vec![Action::KillJobManager]));
    assert_eq!(bench.job_manager.wake(), None);
    bench.step(JobManagerInput::Disconnected { why: String::new() });
    bench.connect();
    assert_eq!(bench.job_manager.wake(), None, "it is back");
}

#[test]
fn without_high_availability_its_end_is_the_end() {
    let mut bench = Bench::new(false);
    bench.connect();
    assert_eq!(bench.job_manager.wake(), None, "nobody asks whether it hangs");
    bench.ready();
    assert_eq!(bench.ended(), Some(JobManagerEffect::Ended(end("SIGKILL"))));
}

#[test]
fn it_is_started_again_and_ends_the_session_of_the_one_before_it() {
    let mut bench = Bench::new(true);
    let start = |previous_session| vec![Action::Tell(ToJvm::Start { previous_session })];
    assert_eq!(bench.connect(), start(None));
    let (_, kept) = bench.step(JobManagerInput::Session(session("1")));
    assert_eq!(kept, [Action::KeepZooKeeperSession(session("1"))]);
    assert_eq!(bench.ready(), ready(true));
    assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
    assert!(!bench.job_manager.is_ready());
    assert_eq!(bench.job_manager.progress(), 1.0, "clients go on waiting for it");
    assert_eq!(bench.sleep(), Duration::ZERO);
    assert_eq!(bench.tick(), (None, vec![Action::StartJobManager { generation: 1 }]));
    assert_eq!(bench.job_manager.generation(), 1);
    assert_eq!(bench.connect(), start(Some(session("1"))));
    bench.step(JobManagerInput::Session(session("2")));
    assert_eq!(bench.ready(), ready(false));
    bench.ended();
    assert_eq!(bench.sleep(), WAITS.0);
    bench.tick();
    assert_eq!(bench.connect(), start(Some(session("2"))));
}

#[test]
fn two_failed_starts_in_a_row_end_the_attempt() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
    bench.sleep();
    bench.tick();
    assert_eq!(bench.ended(), Some(JobManagerEffect::Ended(end("SIGKILL"))));
}

/// A start that gets so far, and then fails.
fn fails(bench: &mut Bench, connected: bool) -> Option<JobManagerEffect> {
    if connected {
        bench.connect();
    }
    bench.now += Duration::from_secs(3);
    bench.ended()
}

#[test]
fn what_a_jobmanager_needs_may_be_away_for_a_while() {
    let earlier = Bench::after(true, Some(session("1")));
    let mut ours = Bench::new(true);
    ours.connect();
    ours.ready();
    ours.ended();
    ours.tick();
    for mut bench in [earlier, ours] {
        let began = bench.now;
        let mut starts = 0;
        while fails(&mut bench, true) == Some(JobManagerEffect::Lost) {
            starts += 1;
            assert!(bench.sleep() <= WAITS.1);
            bench.tick();
        }
        assert!(bench.now - began >= OUTAGE && starts > 8, "{starts} starts in {:?}", bench.now - began);
    }
    // A JVM that does not even start, or a configuration that has never worked, is another matter.
    let mut node = Bench::after(true, Some(session("1")));
    assert_eq!(fails(&mut node, false), Some(JobManagerEffect::Lost));
    node.sleep();
    node.tick();
    assert!(matches!(fails(&mut node, false), Some(JobManagerEffect::Ended(_))));
    let mut wrong = Bench::new(true);
    assert_eq!(fails(&mut wrong, true), Some(JobManagerEffect::Lost));
    wrong.sleep();
    wrong.tick();
    assert!(matches!(fails(&mut wrong, true), Some(JobManagerEffect::Ended(_))));
}

#[test]
fn it_may_die_for_ever_if_it_works_in_between() {
    let mut bench = Bench::new(true);
    for _ in 0..100 {
        bench.ready();
        bench.now += Duration::from_secs(15);
        assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
        assert!(bench.sleep() <= Duration::from_secs(8));
        bench.tick();
    }
    let waits: Vec<u64> = std::iter::from_fn(|| {
        bench.ready();
        (bench.ended() == Some(JobManagerEffect::Lost)).then(|| {
            let slept = bench.sleep();
            bench.tick();
            slept.as_secs()
        })
    })
    .collect();
    assert!(waits.len() < MOST_ENDS, "without a pause it is given up: {waits:?}");
}

#[test]
fn what_main_throws_it_throws_again() {
    let mut bench = Bench::new(true);
    bench.ready();
    bench.step(JobManagerInput::Failed { text: "main()".into(), by_main: true });
    bench.step(JobManagerInput::Failed { text: "The JobManager".into(), by_main: false });
    assert_eq!(bench.ended(), Some(JobManagerEffect::Ended(end("SIGKILL"))));
}

/// When ZooKeeper is away, Flink 1.20 may end with "Unexpected termination of ResourceManagerService", and
/// `main()` does not find its job a moment later.
#[test]
fn what_main_throws_because_the_job_manager_has_failed_does_not_count() {
    let mut bench = Bench::new(true);
    bench.ready();
    for by_main in [false, true] {
        bench.step(JobManagerInput::Failed { text: String::new(), by_main });
    }
    assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
    bench.step(JobManagerInput::Failed { text: "main()".into(), by_main: true });
    let by_its_own = Some(JobManagerEffect::Ended(end("SIGKILL")));
    assert_eq!(bench.ended(), by_its_own, "that was the JVM before");
}

#[test]
fn one_that_hangs_is_killed() {
    let mut bench = Bench::new(true);
    bench.connect();
    bench.ready();
    for _ in 0..5 {
        assert_eq!(bench.sleep(), PING_INTERVAL);
        assert_eq!(bench.tick(), (None, vec![Action::Tell(ToJvm::Ping)]));
        bench.step(JobManagerInput::Pong);
    }
    let mut pings = 0;
    let heard = bench.now;
    loop {
        bench.sleep();
        match bench.tick() {
            (None, done) if done == [Action::Tell(ToJvm::Ping)] => pings += 1,
            (None, done) => {
                assert_eq!(done, [Action::KillJobManager]);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((pings, bench.now - heard), (5, PING_INTERVAL + SILENCE));
}

#[test]
fn only_one_that_was_asked_can_be_silent() {
    let mut bench = Bench::new(true);
    bench.connect();
    bench.ready();
    // We have been suspended.
    bench.now += Duration::from_secs(300);
    assert_eq!(bench.tick(), (None, vec![Action::Tell(ToJvm::Ping)]));
    bench.step(JobManagerInput::Pong);
    bench.now += PING_INTERVAL;
    assert_eq!(bench.tick(), (None, vec![Action::Tell(ToJvm::Ping)]));
}

#[test]
fn one_that_never_connects_is_killed() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.sleep(), START_WITHIN);
    assert_eq!(bench.tick(), (None, vec![Action::KillJobManager]));
    assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
    bench.sleep();
    bench.tick();
    assert_eq!(bench.sleep(), START_WITHIN, "each start has this time");
    bench.connect();
    assert!(bench.sleep() <= PING_INTERVAL);
    assert_eq!(Bench::new(false).job_manager.wake(), None, "without high availability nothing replaces it");
}

#[test]
fn a_port_that_is_taken_is_no_outage() {
    let mut bench = Bench::after(true, Some(session("1")));
    bench.connect();
    bench.ready();
    assert_eq!(bench.ended(), Some(JobManagerEffect::Lost));
    bench.tick();
    let taken = JobManagerEnd { port_taken: true, ..end("another program listens on its port") };
    let (effect, _) = bench.step(JobManagerInput::Ended(taken.clone()));
    assert_eq!(effect, Some(JobManagerEffect::Ended(taken)));
}

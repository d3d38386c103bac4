use super::*;
use crate::submission::policy::{Job, JobState};

const URL: &str = "http://n1:4567";

/// The machine, and a clock that only moves when told.
struct Test {
    machine: PerJob,
    now: Instant,
}

impl Test {
    /// A client is connected, and the JobManager can be used.
    fn connected() -> Self {
        let mut test = Self { machine: PerJob::default(), now: Instant::now() };
        let mut out = Output::default();
        test.machine.ready(URL, test.now, &mut out);
        assert_eq!(out.actions, []);
        assert_eq!(test.step(SubmissionInput::Arrived(0)).actions, []);
        test
    }

    fn step(&mut self, input: SubmissionInput) -> Output {
        let mut out = Output::default();
        self.machine.step(input, self.now, &mut out);
        out
    }

    /// Goes to the next wake-up.
    fn tick(&mut self) -> Output {
        self.now = self.machine.wake().unwrap().max(self.now);
        let mut out = Output::default();
        self.machine.tick(self.now, &mut out);
        out
    }

    /// `main()` is over, and the JobManager had this job.
    fn completed(state: JobState) -> Self {
        let mut test = Self::connected();
        let actions = test.step(SubmissionInput::Completed(0)).actions;
        assert_eq!(actions, [Action::LookAtJobs(URL.into())]);
        let job = Job { id: "a".into(), name: "n".into(), state };
        let mut out = test.step(SubmissionInput::Jobs(Ok(vec![job])));
        if state == JobState::Failed {
            assert_eq!(out.actions, [Action::ExplainJob(URL.into(), "a".into())]);
            out = test.step(SubmissionInput::Explained(Some("x.Y: boom".into())));
        }
        assert_eq!(out.actions, [Action::ShutDownJobManager(URL.into())]);
        assert!(matches!(out.observations[..], [Observation::SubmissionOver { .. }]), "{out:?}");
        test
    }
}

fn failed() -> (FinalStatus, String) {
    (FinalStatus::Failed, "Job \"n\" (a) failed: x.Y: boom".into())
}

#[test]
fn the_job_decides_whatever_the_job_manager_deregisters_with() {
    let test = Test::completed(JobState::Failed);
    assert_eq!(test.machine.deregistered(FinalStatus::Succeeded, String::new()), failed());
    let (status, diagnostics) = failed();
    assert_eq!(test.machine.decided(), Some(Cause::Deregistered { status, diagnostics }));
}

#[test]
fn before_that_flink_decides_and_the_end_of_the_jvm_is_none() {
    let test = Test::connected();
    let flinks = (FinalStatus::Killed, "stopped".to_owned());
    assert_eq!(test.machine.deregistered(FinalStatus::Killed, "stopped".into()), flinks);
    assert_eq!(test.machine.decided(), None);
}

#[test]
fn a_job_manager_that_does_not_deregister_is_waited_for_only_so_long() {
    let mut test = Test::completed(JobState::Finished);
    assert_eq!(test.machine.wake(), Some(test.now + DEREGISTER_WAIT));
    let out = test.tick();
    let cause = Cause::Deregistered { status: FinalStatus::Succeeded, diagnostics: String::new() };
    assert_eq!(out.actions, [Action::End(cause)]);
    assert_eq!(out.observations, [Observation::NotDeregistered]);
    assert_eq!(test.machine.wake(), None);
}

#[test]
fn requests_for_the_jobs_that_fail_are_observed_now_and_then() {
    let mut test = Test::connected();
    test.step(SubmissionInput::Completed(0));
    let mut observed = Vec::new();
    for round in 0..=LOGGED_OF {
        let out = test.step(SubmissionInput::Jobs(Err("refused".into())));
        if !out.observations.is_empty() {
            observed.push(round);
        }
        assert_eq!(test.tick().actions, [Action::LookAtJobs(URL.into())]);
    }
    assert_eq!(observed, [0, LOGGED_OF]);
    // After an answer the next failure is a new one.
    test.step(SubmissionInput::Jobs(Ok(vec![Job {
        id: "a".into(),
        name: "n".into(),
        state: JobState::Open,
    }])));
    test.tick();
    let out = test.step(SubmissionInput::Jobs(Err("refused".into())));
    assert_eq!(out.observations, [Observation::JobsUnknown { why: "refused".into() }]);
}

/// A machine for which what an earlier attempt has kept is still being read.
fn reading() -> Test {
    let mut test = Test { machine: PerJob::new(Some(SubmissionRecord::default())), now: Instant::now() };
    test.machine.await_record();
    let mut out = Output::default();
    test.machine.ready(URL, test.now, &mut out);
    assert_eq!((&out.actions[..], test.machine.wake()), (&[][..], None));
    assert_eq!(test.step(SubmissionInput::Arrived(0)).actions, []);
    test
}

impl Test {
    fn record_read(&mut self, record: Option<SubmissionRecord>) -> Vec<Action> {
        let mut out = Output::default();
        self.machine.record_read(record, self.now, &mut out);
        out.actions
    }
}

#[test]
fn what_an_earlier_attempt_has_kept_counts_also_if_it_is_read_late() {
    let mut test = reading();
    assert_eq!(test.step(SubmissionInput::Completed(0)).actions, [], "the record is not known yet");
    let failed = Job { id: "a".into(), name: "n".into(), state: JobState::Failed };
    let record = SubmissionRecord { ended: vec![failed], ..SubmissionRecord::default() };
    let with_end = SubmissionRecord { exit_code: Some(0), ..record.clone() };
    assert_eq!(
        test.record_read(Some(record)),
        [Action::KeepSubmission(with_end), Action::LookAtJobs(URL.into())]
    );
    let actions = test.step(SubmissionInput::Jobs(Ok(vec![]))).actions;
    assert_eq!(actions, [Action::ExplainJob(URL.into(), "a".into())]);
}

#[test]
fn what_an_earlier_attempt_has_kept_is_not_overwritten_if_it_cannot_be_read() {
    let mut test = reading();
    assert_eq!(test.record_read(None), []);
    assert_eq!(test.step(SubmissionInput::Completed(0)).actions, [Action::LookAtJobs(URL.into())]);
    let job = Job { id: "a".into(), name: "n".into(), state: JobState::Finished };
    let actions = test.step(SubmissionInput::Jobs(Ok(vec![job]))).actions;
    assert_eq!(actions, [Action::ShutDownJobManager(URL.into())]);
}

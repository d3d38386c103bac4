use super::*;

struct Test {
    policy: SubmissionPolicy,
    now: Instant,
    /// What is to be done since the last step.
    pending: Vec<SubmissionEffect>,
}

impl Test {
    fn new() -> Self {
        Self { policy: SubmissionPolicy::default(), now: Instant::now(), pending: Vec::new() }
    }

    fn connected() -> Self {
        let mut test = Self::new();
        assert_eq!(test.step(SubmissionInput::Ready), []);
        assert_eq!(test.step(SubmissionInput::Arrived(0)), []);
        test
    }

    fn step(&mut self, input: SubmissionInput) -> Vec<SubmissionEffect> {
        self.pending = self.policy.step(input, self.now);
        self.pending.clone()
    }

    /// Goes to the next wake-up that does something, and gives how long that took.
    fn next(&mut self) -> (Duration, Vec<SubmissionEffect>) {
        let before = self.now;
        loop {
            self.now = self.policy.wake().unwrap().max(self.now);
            let outputs = self.policy.tick(self.now);
            if !outputs.is_empty() {
                self.pending = outputs.clone();
                return (self.now - before, outputs);
            }
        }
    }

    /// The end, with these jobs all the time.
    fn end(&mut self, jobs: &[Job]) -> (FinalStatus, String) {
        let mut outputs = self.pending.clone();
        for _ in 0..300 {
            match outputs.pop() {
                Some(SubmissionEffect::End(status, text)) => return (status, text),
                Some(SubmissionEffect::Look) => outputs = self.step(SubmissionInput::Jobs(Ok(jobs.to_vec()))),
                Some(SubmissionEffect::Explain(_)) => {
                    outputs = self.step(SubmissionInput::Explained(Some("x.Y: boom".into())))
                }
                Some(SubmissionEffect::Keep(_)) => {}
                None => outputs = self.next().1,
            }
        }
        panic!("no end: {:?}", self.policy);
    }
}

fn job(id: &str, state: JobState) -> Job {
    Job { id: id.into(), name: "n".into(), state }
}

use JobState::*;

#[test]
fn the_jobs_decide_the_final_status() {
    let end = |jobs: &[Job], code| {
        let mut test = Test::connected();
        test.step(SubmissionInput::Completed(code));
        test.end(jobs)
    };
    assert_eq!(end(&[job("a", Finished)], 1), (FinalStatus::Succeeded, String::new()));
    let cancelled = [job("a", Finished), job("b", Canceled)];
    assert_eq!(end(&cancelled, 0), (FinalStatus::Killed, "Job \"n\" (b) was cancelled".into()));
    let failed = [job("a", Canceled), job("b", Failed), job("c", Failed)];
    let text = "Job \"n\" (b) failed: x.Y: boom\nJob \"n\" (c) failed, too";
    assert_eq!(end(&failed, 0), (FinalStatus::Failed, text.into()));
}

#[test]
fn without_a_job_the_client_decides() {
    let mut test = Test::connected();
    test.step(SubmissionInput::Completed(0));
    let text = "main() ended with exit code 0 without submitting a job";
    assert_eq!(test.end(&[]), (FinalStatus::Succeeded, text.into()));
    let mut test = Test::connected();
    test.step(SubmissionInput::Completed(3));
    let text = "main() ended with exit code 3 without submitting a job";
    assert_eq!(test.end(&[]), (FinalStatus::Failed, text.into()));
    let mut test = Test::connected();
    test.step(SubmissionInput::Completed(143));
    let text = "the client was interrupted (exit code 143) before main() submitted a job";
    assert_eq!(test.end(&[]), (FinalStatus::Killed, text.into()));
    let mut test = Test::connected();
    test.step(SubmissionInput::Left(0));
    let begin = test.now;
    let text = "the client went away before it submitted a job";
    assert_eq!(test.end(&[]), (FinalStatus::Killed, text.into()));
    assert_eq!(test.now - begin, RETURN_GRACE);
}

#[test]
fn a_client_that_never_comes_counts_as_gone() {
    let mut test = Test::new();
    assert_eq!(test.policy.wake(), None, "a JobManager that starts slowly is no reason");
    test.step(SubmissionInput::Ready);
    let begin = test.now;
    assert_eq!(test.end(&[]).0, FinalStatus::Killed);
    assert_eq!(test.now - begin, ARRIVAL_WAIT);
}

#[test]
fn while_a_client_is_connected_an_ended_job_ends_nothing() {
    let mut test = Test::connected();
    assert_eq!(test.next(), (LOOK, vec![SubmissionEffect::Look]));
    for _ in 0..100 {
        assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![job("a", Failed)]))), []);
        assert_eq!(test.next(), (DISTANT_LOOK, vec![SubmissionEffect::Look]));
    }
    // Flink has forgotten the first one meanwhile.
    test.step(SubmissionInput::Jobs(Ok(vec![job("b", Finished)])));
    test.step(SubmissionInput::Completed(0));
    assert_eq!(test.end(&[job("b", Finished)]).0, FinalStatus::Failed);
}

#[test]
fn open_jobs_are_waited_for_also_when_the_client_is_gone() {
    let mut test = Test::connected();
    test.step(SubmissionInput::Left(0));
    test.now += RETURN_GRACE;
    assert_eq!(test.policy.tick(test.now), [SubmissionEffect::Look]);
    for _ in 0..1000 {
        assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![job("a", Open)]))), []);
        assert_eq!(test.next(), (LOOK, vec![SubmissionEffect::Look]));
    }
    let silence = SubmissionInput::Jobs(Err("no answer".into()));
    assert_eq!(test.step(silence), [], "no answer is no end");
    assert_eq!(test.end(&[job("a", Finished)]), (FinalStatus::Succeeded, String::new()));
}

#[test]
fn a_client_may_come_back_in_time() {
    let mut test = Test::connected();
    test.step(SubmissionInput::Left(0));
    test.now += RETURN_GRACE - Duration::from_secs(1);
    assert_eq!(test.step(SubmissionInput::Arrived(1)), [SubmissionEffect::Look]);
    assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![]))), []);
    // The newer call counts, whatever the order of the news.
    test.step(SubmissionInput::Arrived(2));
    test.step(SubmissionInput::Left(1));
    test.now += RETURN_GRACE * 10;
    assert_eq!(test.policy.tick(test.now), [SubmissionEffect::Look]);
    assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![]))), []);
    assert_eq!(test.policy.phase, Phase::Connected);
}

#[test]
fn a_look_from_before_the_end_decides_nothing() {
    let mut test = Test::connected();
    assert_eq!(test.next().1, [SubmissionEffect::Look]);
    assert_eq!(test.step(SubmissionInput::Completed(0)), []);
    assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![]))), [], "the job may have come after it");
    assert_eq!(test.next().1, [SubmissionEffect::Look]);
    assert_eq!(test.end(&[job("a", Canceled)]).0, FinalStatus::Killed);
}

#[test]
fn an_exception_that_does_not_come_is_done_without() {
    let mut test = Test::connected();
    assert_eq!(test.step(SubmissionInput::Completed(0)), [SubmissionEffect::Look]);
    assert_eq!(
        test.step(SubmissionInput::Jobs(Ok(vec![job("a", Failed)]))),
        [SubmissionEffect::Explain(job("a", Failed))]
    );
    let end = SubmissionEffect::End(FinalStatus::Failed, "Job \"n\" (a) failed".into());
    assert_eq!(test.next(), (EXPLAIN_WAIT, vec![end]));
    assert_eq!(test.step(SubmissionInput::Explained(Some("late".into()))), []);
    assert_eq!(test.policy.wake(), None);
}

#[test]
fn a_stop_by_somebody_else_keeps_flinks_status_unless_jobs_say_otherwise() {
    let mut test = Test::connected();
    let stopped = |test: &Test| test.policy.stopped(FinalStatus::Succeeded, String::new()).0;
    test.step(SubmissionInput::Jobs(Ok(vec![job("a", Open), job("b", Finished)])));
    assert_eq!(stopped(&test), FinalStatus::Succeeded);
    test.step(SubmissionInput::Jobs(Ok(vec![job("a", Canceled), job("b", Finished)])));
    assert_eq!(stopped(&test), FinalStatus::Killed);
    test.step(SubmissionInput::Jobs(Ok(vec![job("c", Failed)])));
    assert_eq!(stopped(&test), FinalStatus::Failed);
}

/// A highly available application with an open job, whose JobManager dies and comes back.
fn restarted(exit_code: i32) -> Test {
    let mut test = Test::connected();
    test.policy.keeps = true;
    test.next();
    test.step(SubmissionInput::Jobs(Ok(vec![job("a", JobState::Open)])));
    let open = vec![job("a", JobState::Open)];
    let kept = SubmissionRecord { exit_code: Some(exit_code), ended: vec![], open };
    let effects = test.step(SubmissionInput::Completed(exit_code));
    assert_eq!(effects, [SubmissionEffect::Keep(kept), SubmissionEffect::Look]);
    assert_eq!(test.step(SubmissionInput::Jobs(Err("it is gone".into()))), []);
    assert_eq!(test.step(SubmissionInput::JobManagerLost), []);
    assert_eq!(test.policy.wake(), None, "nobody is asked while there is no JobManager");
    test.now += Duration::from_secs(10);
    test.step(SubmissionInput::Ready);
    test
}

#[test]
fn the_jobs_of_a_lost_jobmanager_are_waited_for() {
    let mut test = restarted(0);
    for jobs in [vec![], vec![job("a", JobState::Open)]] {
        assert_eq!(test.next().1, [SubmissionEffect::Look]);
        assert_eq!(test.step(SubmissionInput::Jobs(Ok(jobs))), []);
    }
    test.next();
    let effects = test.step(SubmissionInput::Jobs(Ok(vec![job("a", JobState::Finished)])));
    let ended = vec![job("a", JobState::Finished)];
    let kept = SubmissionRecord { exit_code: Some(0), ended, open: vec![] };
    let end = SubmissionEffect::End(FinalStatus::Succeeded, String::new());
    assert_eq!(effects, [SubmissionEffect::Keep(kept), end]);
}

#[test]
fn a_job_that_never_comes_back_has_ended_as_main_says() {
    let unknown = "how Job \"n\" (a) ended is not known: the JobManager was lost just then";
    let mut test = restarted(0);
    let begin = test.now;
    assert_eq!(test.end(&[]), (FinalStatus::Succeeded, unknown.into()));
    assert!(test.now - begin >= RECOVERY_WAIT);
    let text = format!("main() ended with exit code 1; {unknown}");
    assert_eq!(restarted(1).end(&[]), (FinalStatus::Failed, text));
}

/// The next attempt of an application of which this was kept.
fn next_attempt(kept: SubmissionRecord) -> Test {
    Test { policy: SubmissionPolicy::highly_available(kept), ..Test::new() }
}

#[test]
fn the_next_attempt_knows_what_was_kept() {
    let ended = vec![job("a", JobState::Failed)];
    let failed = SubmissionRecord { exit_code: Some(1), ended, ..SubmissionRecord::default() };
    let mut test = next_attempt(failed.clone());
    test.step(SubmissionInput::Ready);
    assert_eq!(test.end(&[]).0, FinalStatus::Failed);
    // Its client has heard that the end was noted, or says it again.
    let mut test = next_attempt(failed.clone());
    assert_eq!(test.step(SubmissionInput::Completed(1)), [SubmissionEffect::Keep(failed)]);
    let mut test = next_attempt(SubmissionRecord::default());
    test.step(SubmissionInput::Ready);
    let awaited = Phase::Awaited(Some(Absence { since: test.now, at_most: ARRIVAL_WAIT }));
    assert_eq!(test.policy.phase, awaited, "main() may still run");
}

#[test]
fn what_an_earlier_release_has_kept_is_understood() {
    let text = r#"{"exitCode":0,"ended":[{"id":"a","name":"n","state":"finished"}]}"#;
    let kept: SubmissionRecord = serde_json::from_str(text).unwrap();
    let ended = vec![job("a", Finished)];
    assert_eq!(kept, SubmissionRecord { exit_code: Some(0), ended, open: vec![] });
}

#[test]
fn the_next_attempt_knows_the_jobs_that_were_open() {
    let mut test = next_attempt(SubmissionRecord::default());
    test.step(SubmissionInput::Ready);
    test.step(SubmissionInput::Arrived(0));
    let keep = |open: &[Job]| {
        let open = open.to_vec();
        SubmissionEffect::Keep(SubmissionRecord { open, ..SubmissionRecord::default() })
    };
    let (a, b) = (job("a", Open), job("b", Open));
    let effects = test.step(SubmissionInput::Jobs(Ok(vec![b.clone(), a.clone()])));
    assert_eq!(effects, [keep(&[a.clone(), b.clone()])]);
    for jobs in [vec![b.clone(), a.clone()], vec![a.clone(), b.clone()]] {
        assert_eq!(test.step(SubmissionInput::Jobs(Ok(jobs))), [], "nothing has changed");
    }

    let unknown = "how Job \"n\" (a) ended is not known: the JobManager was lost just then";
    for (code, status, text) in [
        (0, FinalStatus::Succeeded, unknown.to_owned()),
        (1, FinalStatus::Failed, format!("main() ended with exit code 1; {unknown}")),
    ] {
        let open = vec![a.clone()];
        let mut test = next_attempt(SubmissionRecord { open, ..SubmissionRecord::default() });
        test.step(SubmissionInput::Ready);
        let begin = test.now;
        test.step(SubmissionInput::Arrived(0));
        test.step(SubmissionInput::Completed(code));
        assert_eq!(test.end(&[]), (status, text));
        assert!(test.now - begin >= RECOVERY_WAIT, "the JobManager may still recover it");
    }
}

#[test]
fn a_client_that_counted_as_gone_may_come_back_while_jobs_are_open() {
    let open = [job("a", Open)];
    let mut test = Test::connected();
    test.step(SubmissionInput::Left(0));
    test.now += RETURN_GRACE + Duration::from_secs(1);
    assert_eq!(test.policy.tick(test.now), [SubmissionEffect::Look]);
    assert_eq!(test.step(SubmissionInput::Jobs(Ok(open.to_vec()))), []);
    assert_eq!(test.policy.phase, Phase::Over(Outcome::Gone));
    test.step(SubmissionInput::Arrived(1));
    // main() submits its second job now.
    assert_eq!(test.step(SubmissionInput::Jobs(Ok(vec![job("a", Finished)]))), []);
    test.step(SubmissionInput::Completed(0));
    let both = [job("a", Finished), job("b", Canceled)];
    assert_eq!(test.end(&both), (FinalStatus::Killed, "Job \"n\" (b) was cancelled".into()));
    // What is decided stays.
    test.step(SubmissionInput::Arrived(2));
    assert_eq!(test.policy.phase, Phase::Ended);
}

#[test]
fn with_high_availability_a_client_is_waited_for_as_long_as_it_tries() {
    // Of the same attempt: no job, a job that was known when it left, one that was seen only then.
    let away = |before: &[Job], after: &[Job]| {
        let mut test = Test::connected();
        test.policy.keeps = true;
        test.step(SubmissionInput::Jobs(Ok(before.to_vec())));
        test.step(SubmissionInput::Left(0));
        let begin = test.now;
        test.step(SubmissionInput::Jobs(Ok(after.to_vec())));
        test.end(&[job("a", Finished)]);
        test.now - begin
    };
    let open = [job("a", Open)];
    assert_eq!(away(&[], &[]), ARRIVAL_WAIT);
    assert_eq!(away(&open, &[job("a", Finished)]), FAILOVER_PATIENCE);
    assert_eq!(away(&[], &open), FAILOVER_PATIENCE);
    // After an end of the ApplicationMaster.
    let mut test = next_attempt(SubmissionRecord { open: open.to_vec(), ..SubmissionRecord::default() });
    test.step(SubmissionInput::Ready);
    let begin = test.now;
    test.end(&[job("a", Finished)]);
    assert_eq!(test.now - begin, FAILOVER_PATIENCE);
}

//! The submission of a per-job cluster: when it is over ([`SubmissionPolicy`] decides), and how the
//! application then ends. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{Action, Cause, Output};
use super::observation::Observation;
use crate::submission::policy::{SubmissionEffect, SubmissionInput, SubmissionPolicy, SubmissionRecord};

/// How long the JobManager may take to deregister after it was asked to end.
const DEREGISTER_WAIT: Duration = Duration::from_secs(30);
/// Of this many requests for the jobs that fail in a row, the first one is logged.
const LOGGED_OF: u32 = 60;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct PerJob {
    policy: SubmissionPolicy,
    /// Of the JobManager's REST interface.
    url: String,
    /// The final status, once it is decided.
    decided: Option<(FinalStatus, String)>,
    give_up_at: Option<Instant>,
    /// Requests for the jobs that have failed in a row.
    failed_requests: u32,
    /// While what an earlier attempt has kept is being read: what has happened meanwhile.
    held_back: Option<Vec<SubmissionInput>>,
    /// It could not be read, and must not be overwritten.
    unreadable: bool,
}

impl PerJob {
    /// `record`: with high availability; what an earlier attempt has kept.
    pub(super) fn new(record: Option<SubmissionRecord>) -> Self {
        Self { policy: record.map(SubmissionPolicy::highly_available).unwrap_or_default(), ..Self::default() }
    }

    /// What an earlier attempt has kept is still being read; until then nothing is decided.
    pub(super) fn await_record(&mut self) {
        self.held_back = Some(Vec::new());
    }

    /// It is read, or (none) cannot be read.
    pub(super) fn record_read(&mut self, record: Option<SubmissionRecord>, now: Instant, out: &mut Output) {
        self.unreadable = record.is_none();
        self.policy = SubmissionPolicy::highly_available(record.unwrap_or_default());
        for input in self.held_back.take().into_iter().flatten() {
            self.step(input, now, out);
        }
    }

    /// The JobManager's REST interface answers at `url`.
    pub(super) fn ready(&mut self, url: &str, now: Instant, out: &mut Output) {
        self.url = url.to_owned();
        self.step(SubmissionInput::Ready, now, out);
    }

    /// One step.
    pub(super) fn step(&mut self, input: SubmissionInput, now: Instant, out: &mut Output) {
        if let Some(held_back) = &mut self.held_back {
            held_back.push(input);
            return;
        }
        match &input {
            SubmissionInput::Jobs(Err(why)) => {
                if self.failed_requests.is_multiple_of(LOGGED_OF) {
                    out.observe(Observation::JobsUnknown { why: why.clone() });
                }
                self.failed_requests += 1;
            }
            SubmissionInput::Jobs(Ok(_)) => self.failed_requests = 0,
            _ => {}
        }
        let effects = self.policy.step(input, now);
        self.follow(effects, now, out);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Output) {
        if self.give_up_at.take_if(|at| now >= *at).is_some() {
            out.observe(Observation::NotDeregistered);
            if let Some(decided) = self.decided.clone() {
                out.act(Action::End(ended(decided)));
            }
            return;
        }
        let effects = self.policy.tick(now);
        self.follow(effects, now, out);
    }

    /// When [`PerJob::tick`] is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        [self.policy.wake(), self.give_up_at].into_iter().flatten().min()
    }

    /// What YARN is told when Flink deregisters with this status.
    pub(super) fn deregistered(&self, status: FinalStatus, diagnostics: String) -> (FinalStatus, String) {
        self.decided.clone().unwrap_or_else(|| self.policy.stopped(status, diagnostics))
    }

    /// Why the application ends, if that is decided. It counts also when the JobManager ends without
    /// deregistering.
    pub(super) fn decided(&self) -> Option<Cause> {
        self.decided.clone().map(ended)
    }

    fn follow(&mut self, effects: Vec<SubmissionEffect>, now: Instant, out: &mut Output) {
        for effect in effects {
            let action = match effect {
                SubmissionEffect::Look => Action::LookAtJobs(self.url.clone()),
                SubmissionEffect::Keep(_) if self.unreadable => continue,
                SubmissionEffect::Keep(record) => Action::KeepSubmission(record),
                SubmissionEffect::Explain(job) => Action::ExplainJob(self.url.clone(), job.id),
                SubmissionEffect::End(status, text) => {
                    out.observe(Observation::SubmissionOver { status, text: text.clone() });
                    self.decided = Some((status, text));
                    self.give_up_at = Some(now + DEREGISTER_WAIT);
                    Action::ShutDownJobManager(self.url.clone())
                }
            };
            out.act(action);
        }
    }
}

fn ended((status, diagnostics): (FinalStatus, String)) -> Cause {
    Cause::Deregistered { status, diagnostics }
}

#[cfg(test)]
#[path = "submission_tests.rs"]
mod tests;

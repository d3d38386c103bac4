//! The submission of a per-job cluster: its [`Policy`], and how the application ends by it. Pure: the time is
//! an argument.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{Action, Cause, Output};
use super::observation::Observation;
use crate::submission::policy::{Input, Output as PolicyOutput, Policy};

/// For the JobManager to deregister after it was asked to end.
const DEREGISTER_WAIT: Duration = Duration::from_secs(30);
/// One of so many looks without an answer is told.
const SILENCES: u32 = 60;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct PerJob {
    policy: Policy,
    /// Of the JobManager's REST interface.
    url: String,
    /// The final status, once it is decided.
    verdict: Option<(FinalStatus, String)>,
    give_up_at: Option<Instant>,
    silences: u32,
}

impl PerJob {
    /// The JobManager's REST interface answers at `url`.
    pub(super) fn ready(&mut self, url: &str, now: Instant, out: &mut Output) {
        self.url = url.to_owned();
        self.step(Input::Ready, now, out);
    }

    /// One step.
    pub(super) fn step(&mut self, input: Input, now: Instant, out: &mut Output) {
        match &input {
            Input::Jobs(Err(why)) => {
                if self.silences.is_multiple_of(SILENCES) {
                    out.observe(Observation::JobsUnknown { why: why.clone() });
                }
                self.silences += 1;
            }
            Input::Jobs(Ok(_)) => self.silences = 0,
            _ => {}
        }
        let outputs = self.policy.step(input, now);
        self.follow(outputs, now, out);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Output) {
        if self.give_up_at.take_if(|at| now >= *at).is_some() {
            out.observe(Observation::NotDeregistered);
            if let Some(verdict) = self.verdict.clone() {
                out.act(Action::End(ended(verdict)));
            }
            return;
        }
        let outputs = self.policy.tick(now);
        self.follow(outputs, now, out);
    }

    /// When [`PerJob::tick`] is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        [self.policy.wake(), self.give_up_at].into_iter().flatten().min()
    }

    /// What YARN hears when Flink deregisters with this status.
    pub(super) fn deregistered(&self, status: FinalStatus, diagnostics: String) -> (FinalStatus, String) {
        self.verdict.clone().unwrap_or_else(|| self.policy.stopped(status, diagnostics))
    }

    /// The JobManager is gone without a word: why the application ends if that was decided before.
    pub(super) fn decided(&self) -> Option<Cause> {
        self.verdict.clone().map(ended)
    }

    fn follow(&mut self, outputs: Vec<PolicyOutput>, now: Instant, out: &mut Output) {
        for output in outputs {
            let action = match output {
                PolicyOutput::Look => Action::LookAtJobs(self.url.clone()),
                PolicyOutput::Explain(job) => Action::ExplainJob(self.url.clone(), job.id),
                PolicyOutput::End(status, text) => {
                    out.observe(Observation::SubmissionOver { status, text: text.clone() });
                    self.verdict = Some((status, text));
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

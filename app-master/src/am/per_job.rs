//! The end of a per-job cluster: its policy, tied to the ApplicationMaster's events and actions.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{Action, Cause};
use crate::submission::policy::{Input, Output, Policy};

/// For the JobManager to deregister after it was asked to end.
const DEREGISTER_WAIT: Duration = Duration::from_secs(30);
/// Every so many looks without an answer are worth a line in the log.
const SILENCES: u32 = 60;

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
    pub(super) fn ready(&mut self, url: &str, now: Instant) -> Vec<Action> {
        self.url = url.to_owned();
        self.step(Input::Ready, now)
    }

    pub(super) fn step(&mut self, input: Input, now: Instant) -> Vec<Action> {
        match &input {
            Input::Jobs(Err(why)) => {
                if self.silences.is_multiple_of(SILENCES) {
                    tracing::warn!(why, "cannot look at the jobs; trying again");
                }
                self.silences += 1;
            }
            Input::Jobs(Ok(_)) => self.silences = 0,
            _ => {}
        }
        let outputs = self.policy.step(input, now);
        self.actions(outputs, now)
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Action> {
        if self.give_up_at.is_some_and(|at| now >= at) {
            tracing::warn!("the JobManager does not deregister; ending without it");
            self.give_up_at = None;
            return self.verdict.clone().map(|verdict| Action::End(ended(verdict))).into_iter().collect();
        }
        let outputs = self.policy.tick(now);
        self.actions(outputs, now)
    }

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

    fn actions(&mut self, outputs: Vec<Output>, now: Instant) -> Vec<Action> {
        let mut action = |output| match output {
            Output::Look => Action::LookAtJobs(self.url.clone()),
            Output::Explain(job) => Action::ExplainJob(self.url.clone(), job.id),
            Output::End(status, text) => {
                tracing::info!(%status, text, "the submission is over; asking the JobManager to end");
                self.verdict = Some((status, text));
                self.give_up_at = Some(now + DEREGISTER_WAIT);
                Action::ShutDownJobManager(self.url.clone())
            }
        };
        outputs.into_iter().map(&mut action).collect()
    }
}

fn ended((status, diagnostics): (FinalStatus, String)) -> Cause {
    Cause::Deregistered { status, diagnostics }
}

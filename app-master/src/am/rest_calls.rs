//! The component that asks the JobManager's REST interface, for a per-job cluster.

use std::sync::Arc;
use std::time::Duration;

use flink_rest::{JobExceptions, JobId, JobSummary};
use tokio::sync::mpsc;

use super::effects::FlinkRest;
use crate::controller::event::Event;
use crate::environment::Environment;
use crate::failure;
use crate::own_rest::OwnRest;
use crate::submission::policy::{Job, JobState, SubmissionInput};

/// For the whole answer to a question.
const DEADLINE: Duration = Duration::from_secs(5);

/// See the module's text. Each question is a task of its own; its deadline is the client's.
pub(super) struct RestCalls {
    rest: OwnRest,
    events: mpsc::UnboundedSender<Event>,
}

impl RestCalls {
    pub(super) fn new(environment: Arc<Environment>, events: mpsc::UnboundedSender<Event>) -> Self {
        Self { rest: OwnRest::new(environment, DEADLINE), events }
    }

    fn spawn(&self, question: impl Future<Output = SubmissionInput> + Send + 'static) {
        let events = self.events.clone();
        // At the end nobody listens any more.
        tokio::spawn(async move { drop(events.send(Event::Submission(question.await))) });
    }
}

impl FlinkRest for RestCalls {
    fn look_at_jobs(&self, url: &str) {
        let client = self.rest.client(url);
        self.spawn(async move {
            let jobs = async { client?.jobs().await.map_err(text) };
            SubmissionInput::Jobs(jobs.await.map(|jobs| jobs.into_iter().map(job).collect()))
        });
    }

    fn explain_job(&self, url: &str, job: String) {
        let client = self.rest.client(url);
        self.spawn(async move {
            let why = async {
                let id = JobId::parse(&job).map_err(text)?;
                client?.exceptions(&id).await.map(explanation).map_err(text)
            };
            let log = |error: &String| tracing::warn!(error, "cannot tell why the job failed");
            SubmissionInput::Explained(why.await.inspect_err(log).ok().flatten())
        });
    }

    fn shut_down(&self, url: &str) {
        let client = self.rest.client(url);
        tokio::spawn(async move {
            let asked = async { client?.shut_down().await.map_err(text) };
            if let Err(error) = asked.await {
                tracing::warn!(error, "cannot ask the JobManager to end");
            }
        });
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn job(JobSummary { id, name, state, .. }: JobSummary) -> Job {
    let state = match state.0.as_str() {
        "FINISHED" => JobState::Finished,
        "FAILED" => JobState::Failed,
        "CANCELED" => JobState::Canceled,
        _ => JobState::Open,
    };
    Job { id: id.to_string(), name, state }
}

/// Why a job failed, one line for each exception. Flink 1.14 to 1.20 tell the failure in two ways, 2.0 and
/// later only by the history, whose first entry is the latest.
fn explanation(JobExceptions { root_exception, history }: JobExceptions) -> Option<String> {
    let latest = history.entries.into_iter().next();
    let trace = latest.map(|entry| entry.stacktrace).or(root_exception)?;
    Some(failure::causes(&trace)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use flink_rest::{ExceptionHistory, JobException, JobStatus, TaskCounts};

    use super::*;

    #[test]
    fn only_some_states_are_an_end() {
        let states = ["RUNNING", "SUSPENDED", "FINISHED", "FAILED", "CANCELED"].map(|state| {
            let (id, state) = (JobId::random(), JobStatus(state.to_owned()));
            let (name, tasks) = (String::new(), TaskCounts::default());
            job(JobSummary { id, name, state, start_time: 1, end_time: -1, tasks }).state
        });
        let open = JobState::Open;
        assert_eq!(states, [open, open, JobState::Finished, JobState::Failed, JobState::Canceled]);
    }

    #[test]
    fn the_latest_failure_explains() {
        let explain = |root: Option<&str>, latest: &[&str]| {
            let entry = |trace: &&str| JobException { stacktrace: (*trace).into(), ..Default::default() };
            let history = ExceptionHistory { entries: latest.iter().map(entry).collect() };
            explanation(JobExceptions { root_exception: root.map(Into::into), history })
        };
        assert_eq!(explain(None, &["a.B: latest\n\tat x", "c"]).as_deref(), Some("a.B: latest"));
        assert_eq!(explain(Some("a.B: x\n"), &[]).as_deref(), Some("a.B: x"));
        assert_eq!(explain(None, &[]), None);
    }
}

//! The JobManager's REST interface, as far as a per-job cluster's end needs it.

use std::time::Duration;

use serde::Deserialize;

use crate::failure;
use crate::submission::policy::{Job, JobState};
use crate::tls;

/// For the whole answer to a request.
const DEADLINE: Duration = Duration::from_secs(5);

/// A client for one JobManager; clones share it.
#[derive(Debug, Clone)]
pub struct Rest {
    client: reqwest::Client,
    url: String,
}

#[derive(Deserialize)]
struct Overview {
    jobs: Vec<JobDetails>,
}

#[derive(Deserialize)]
struct JobDetails {
    jid: String,
    name: String,
    state: String,
}

/// Flink 1.14 to 1.20 have both fields, 2.0 and later only the history.
#[derive(Deserialize)]
struct Exceptions {
    #[serde(rename = "root-exception")]
    root: Option<String>,
    #[serde(rename = "exceptionHistory")]
    history: Option<History>,
}

#[derive(Deserialize)]
struct History {
    /// The latest first.
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    stacktrace: String,
}

impl Rest {
    /// For the JobManager at `url`, our own child: its certificate, if it has one, needs no check.
    pub fn new(url: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .no_proxy()
            .tls_backend_preconfigured(
                tls::without_check().map_err(|error| format!("cannot set up TLS: {error}"))?,
            )
            .build()
            .map_err(|error| format!("cannot make a client for the JobManager's REST interface: {error}"))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// All jobs that the JobManager knows.
    pub async fn jobs(&self) -> Result<Vec<Job>, String> {
        let overview: Overview = self.get("/jobs/overview").await?;
        Ok(overview.jobs.into_iter().map(job).collect())
    }

    /// Why a job failed, one line for each exception.
    pub async fn explain(&self, id: &str) -> Result<Option<String>, String> {
        Ok(explanation(self.get(&format!("/jobs/{id}/exceptions")).await?))
    }

    /// Asks the JobManager to end.
    pub async fn shut_down(&self) -> Result<(), String> {
        let path = "/cluster";
        let sent = self.client.delete(format!("{}{path}", self.url)).send().await;
        let answer = sent.and_then(reqwest::Response::error_for_status);
        answer.map(drop).map_err(|error| self.failed("DELETE", path, &error))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let sent = self.client.get(format!("{}{path}", self.url)).send().await;
        let answer = async { sent?.error_for_status()?.json().await };
        answer.await.map_err(|error: reqwest::Error| self.failed("GET", path, &error))
    }

    fn failed(&self, method: &str, path: &str, error: &reqwest::Error) -> String {
        let mut text = format!("{method} {}{path}: {error}", self.url);
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            text.push_str(&format!(": {inner}"));
            source = inner.source();
        }
        text
    }
}

fn job(JobDetails { jid, name, state }: JobDetails) -> Job {
    let state = match state.as_str() {
        "FINISHED" => JobState::Finished,
        "FAILED" => JobState::Failed,
        "CANCELED" => JobState::Canceled,
        _ => JobState::Open,
    };
    Job { id: jid, name, state }
}

fn explanation(exceptions: Exceptions) -> Option<String> {
    let latest = exceptions.history.and_then(|history| history.entries.into_iter().next());
    let trace = latest.map(|entry| entry.stacktrace).or(exceptions.root)?;
    Some(failure::causes(&trace)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flinks_answers() {
        let overview: Overview = serde_json::from_str(
            r#"{"jobs":[{"jid":"a","name":"n","state":"RUNNING","start-time":1,"tasks":{"total":1}},
                {"jid":"b","name":"m","state":"SUSPENDED"},{"jid":"c","name":"o","state":"CANCELED"}]}"#,
        )
        .unwrap();
        let states: Vec<_> = overview.jobs.into_iter().map(|details| job(details).state).collect();
        assert_eq!(states, [JobState::Open, JobState::Open, JobState::Canceled]);
        let explain = |text: &str| explanation(serde_json::from_str(text).unwrap());
        let history =
            r#""exceptionHistory":{"entries":[{"stacktrace":"a.B: latest\n\tat x"},{"stacktrace":"c"}]}"#;
        assert_eq!(explain(&format!("{{{history}}}")).as_deref(), Some("a.B: latest"));
        assert_eq!(
            explain(r#"{"root-exception":"a.B: x\n","exceptionHistory":{"entries":[]}}"#).as_deref(),
            Some("a.B: x")
        );
        assert_eq!(explain(r#"{"root-exception":null}"#), None);
    }
}

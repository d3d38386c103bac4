//! The calls of Flink's REST interface that heddle uses, with types for what they send and receive. The paths
//! and messages are those of Flink's page "REST API".

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Body, RestClient};
use crate::error::RestError;
use crate::types::*;

/// How long `main()` may run in the JobManager until it has submitted its job.
const MAIN: Duration = Duration::from_secs(600);
/// The deadline of an upload: this, and one second for every [`UPLOAD_BYTES_PER_SECOND`] of the file.
const UPLOAD_BASE: Duration = Duration::from_secs(60);
const UPLOAD_BYTES_PER_SECOND: u64 = 1 << 20;
const FIRST_POLL: Duration = Duration::from_millis(50);
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// An operation that continues in the JobManager after the call that has started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The id of the operation, which Flink calls the trigger id.
    pub id: String,
    /// The path at which the state of the operation can be read.
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Savepoint {
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checkpoint {
    checkpoint_id: i64,
}

impl RestClient {
    /// The numbers of TaskManagers, slots and running jobs, and the release of Flink.
    pub async fn overview(&self) -> Result<ClusterOverview, RestError> {
        self.get("/overview").await
    }

    /// The part of the web interface's configuration that holds the release of Flink.
    pub async fn dashboard_config(&self) -> Result<DashboardConfig, RestError> {
        self.get("/config").await
    }

    /// All jobs that the JobManager knows.
    pub async fn jobs(&self) -> Result<Vec<JobSummary>, RestError> {
        self.get::<JobsOverview>("/jobs/overview").await.map(|o| o.jobs)
    }

    /// One job with its operators.
    pub async fn job(&self, job: &JobId) -> Result<JobDetails, RestError> {
        self.get(&format!("/jobs/{job}")).await
    }

    /// The times at which the tasks of an operator reached their states. `vertex` is the id of the operator.
    pub async fn task_times(&self, job: &JobId, vertex: &str) -> Result<Vec<TaskTimes>, RestError> {
        let path = format!("/jobs/{job}/vertices/{vertex}/subtasktimes");
        self.get::<TasksTimes>(&path).await.map(|answer| answer.subtasks)
    }

    /// The state of one job.
    pub async fn job_status(&self, job: &JobId) -> Result<JobStatus, RestError> {
        #[derive(Deserialize)]
        struct Answer {
            status: JobStatus,
        }
        self.get::<Answer>(&format!("/jobs/{job}/status")).await.map(|a| a.status)
    }

    /// The checkpoints of a job.
    pub async fn checkpoints(&self, job: &JobId) -> Result<CheckpointStatistics, RestError> {
        self.get(&format!("/jobs/{job}/checkpoints")).await
    }

    /// Asks the JobManager to cancel a job. The job may still be running when this returns.
    pub async fn cancel(&self, job: &JobId) -> Result<(), RestError> {
        self.send(Method::PATCH, &format!("/jobs/{job}?mode=cancel")).await
    }

    /// Starts to stop a job with a savepoint.
    pub async fn stop(&self, job: &JobId, request: &StopRequest) -> Result<Trigger, RestError> {
        let started = self.trigger(&format!("/jobs/{job}/stop"), request).await?;
        Ok(Trigger { path: format!("/jobs/{job}/savepoints/{started}"), id: started })
    }

    /// Starts a savepoint.
    pub async fn savepoint(&self, job: &JobId, request: &SavepointRequest) -> Result<Trigger, RestError> {
        let started = self.trigger(&format!("/jobs/{job}/savepoints"), request).await?;
        Ok(Trigger { path: format!("/jobs/{job}/savepoints/{started}"), id: started })
    }

    /// Waits until a savepoint is complete, and returns its path. The savepoint may also be that of
    /// [`RestClient::stop`]. It fails with [`RestError::StillRunning`] if the savepoint takes longer than
    /// `patience`.
    pub async fn savepoint_path(&self, trigger: &Trigger, patience: Duration) -> Result<String, RestError> {
        let savepoint: Savepoint = self.finished(trigger, patience).await?;
        savepoint.location.ok_or_else(|| self.odd("a completed savepoint without a location"))
    }

    /// Starts a checkpoint, which Flink can do since 1.17. With `full`, the checkpoint does not depend on
    /// earlier ones.
    pub async fn checkpoint(&self, job: &JobId, full: bool) -> Result<Trigger, RestError> {
        let kind = if full { "FULL" } else { "CONFIGURED" };
        let started =
            self.trigger(&format!("/jobs/{job}/checkpoints"), &json!({ "checkpointType": kind })).await?;
        Ok(Trigger { path: format!("/jobs/{job}/checkpoints/{started}"), id: started })
    }

    /// Waits until a checkpoint is complete, and returns its number. It fails with
    /// [`RestError::StillRunning`] if the checkpoint takes longer than `patience`.
    pub async fn checkpoint_number(&self, trigger: &Trigger, patience: Duration) -> Result<i64, RestError> {
        self.finished::<Checkpoint>(trigger, patience).await.map(|c| c.checkpoint_id)
    }

    /// Starts to delete the files of the savepoint at `path`.
    pub async fn dispose_savepoint(&self, path: &str) -> Result<Trigger, RestError> {
        let started = self.trigger("/savepoint-disposal", &json!({ "savepoint-path": path })).await?;
        Ok(Trigger { path: format!("/savepoint-disposal/{started}"), id: started })
    }

    /// Waits until the files of a savepoint are deleted. It fails with [`RestError::StillRunning`] if that
    /// takes longer than `patience`.
    pub async fn disposed(&self, trigger: &Trigger, patience: Duration) -> Result<(), RestError> {
        self.finished::<Value>(trigger, patience).await.map(drop)
    }

    /// Ends the cluster with all its jobs.
    pub async fn shut_down(&self) -> Result<(), RestError> {
        self.send(Method::DELETE, "/cluster").await
    }

    /// All TaskManagers that are registered.
    pub async fn task_managers(&self) -> Result<Vec<TaskManager>, RestError> {
        self.get::<TaskManagers>("/taskmanagers").await.map(|t| t.taskmanagers)
    }

    /// What is planned for a TaskManager. `id` is its resource id.
    pub async fn task_manager(&self, id: &str) -> Result<TaskManagerDetails, RestError> {
        self.get(&format!("/taskmanagers/{}", escaped(id))).await
    }

    /// The metrics with these names of a TaskManager with this resource id or, without one, of the
    /// JobManager. Metrics that there are not are left out. The JobManager collects metrics only when it is
    /// asked for some, and so the first answer may be empty.
    pub async fn metrics(
        &self,
        task_manager: Option<&str>,
        names: &[&str],
    ) -> Result<Vec<Metric>, RestError> {
        let of = match task_manager {
            Some(id) => format!("/taskmanagers/{}", escaped(id)),
            None => "/jobmanager".to_owned(),
        };
        self.get(&format!("{of}/metrics?get={}", names.join(","))).await
    }

    /// The JobManager's effective configuration.
    pub async fn job_manager_config(&self) -> Result<Vec<ConfigEntry>, RestError> {
        self.get("/jobmanager/config").await
    }

    /// The failures of a job.
    pub async fn exceptions(&self, job: &JobId) -> Result<JobExceptions, RestError> {
        self.get(&format!("/jobs/{job}/exceptions")).await
    }

    /// The accumulators of a job's program.
    pub async fn accumulators(&self, job: &JobId) -> Result<Vec<Accumulator>, RestError> {
        self.get::<Accumulators>(&format!("/jobs/{job}/accumulators")).await.map(|a| a.user_task_accumulators)
    }

    /// Uploads a jar and returns the jar's id.
    pub async fn upload_jar(&self, jar: &Path) -> Result<String, RestError> {
        #[derive(Deserialize)]
        struct Answer {
            filename: String,
        }
        let size = std::fs::metadata(jar).map(|m| m.len()).unwrap_or(0);
        let deadline = UPLOAD_BASE + Duration::from_secs(size / UPLOAD_BYTES_PER_SECOND);
        let answer: Answer = self.upload("/jars/upload", jar, deadline).await?;
        let id = answer.filename.rsplit('/').next().unwrap_or_default();
        if id.is_empty() { Err(self.odd("an upload without a file name")) } else { Ok(id.to_owned()) }
    }

    /// Runs `main()` of an uploaded jar in the JobManager, and returns the id of the first job that it
    /// submits.
    pub async fn run_jar(&self, jar: &str, run: &JarRun) -> Result<JobId, RestError> {
        #[derive(Deserialize)]
        struct Answer {
            jobid: JobId,
        }
        let body = serde_json::to_value(run)
            .map_err(|e| RestError::Local(format!("cannot write the request: {e}")))?;
        let path = format!("/jars/{jar}/run");
        self.call::<Answer>(Method::POST, &path, Body::Json(&body), MAIN).await.map(|a| a.jobid)
    }

    /// Removes an uploaded jar.
    pub async fn delete_jar(&self, jar: &str) -> Result<(), RestError> {
        self.send(Method::DELETE, &format!("/jars/{jar}")).await
    }

    /// The result of a job; `None` while the job runs.
    pub async fn job_result(&self, job: &JobId) -> Result<Option<JobResult>, RestError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Answer {
            job_execution_result: Option<JobResult>,
        }
        self.get::<Answer>(&format!("/jobs/{job}/execution-result")).await.map(|a| a.job_execution_result)
    }

    async fn trigger(&self, path: &str, request: &impl serde::Serialize) -> Result<String, RestError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "request-id")]
            id: String,
        }
        self.post::<Answer>(path, request).await.map(|a| a.id)
    }

    /// Asks for the state of the operation until it has ended, first after short pauses and then after longer
    /// ones.
    async fn finished<T: serde::de::DeserializeOwned>(
        &self,
        trigger: &Trigger,
        patience: Duration,
    ) -> Result<T, RestError> {
        let begin = Instant::now();
        let mut pause = FIRST_POLL;
        loop {
            if let Some(operation) = outcome(self.get(&trigger.path).await?)? {
                return serde_json::from_value(operation).map_err(|e| self.odd(&e.to_string()));
            }
            if begin.elapsed() + pause > patience {
                return Err(RestError::StillRunning { after: patience, trigger: trigger.id.clone() });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    fn odd(&self, what: &str) -> RestError {
        let address = self.address().to_owned();
        RestError::NotFlink { address, status: 200, reason: what.to_owned() }
    }
}

/// A text as a segment of a path. All bytes but those that have no meaning in URLs are escaped.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'~');
    let escape = |byte: u8| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The result of an operation; `None` while the operation runs. The field with the cause of a failure has one
/// name for checkpoints and another one for savepoints.
fn outcome(mut answer: Value) -> Result<Option<Value>, RestError> {
    if answer["status"]["id"] != "COMPLETED" {
        return Ok(None);
    }
    let mut operation = answer["operation"].take();
    for key in ["failure-cause", "failureCause"] {
        if let Some(cause) = operation.get_mut(key).map(Value::take).filter(|c| !c.is_null()) {
            let cause: Throwable = serde_json::from_value(cause).unwrap_or_default();
            let text = if cause.stack_trace.is_empty() { cause.class } else { cause.stack_trace };
            return Err(RestError::remote(200, &[text]));
        }
    }
    Ok(Some(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment_of_a_path() {
        assert_eq!(escaped("container_e01_1_0001_01_000002"), "container_e01_1_0001_01_000002");
        assert_eq!(escaped("localhost:1234-a/../b?"), "localhost%3A1234-a%2F%2E%2E%2Fb%3F");
    }

    #[test]
    fn values_of_metrics() {
        let number = |value: &str| Metric { id: String::new(), value: value.into() }.number();
        assert_eq!(
            (number("17"), number("1.5E3"), number("-1"), number("NaN")),
            (Some(17), Some(1500), None, None)
        );
    }

    #[test]
    fn outcomes_of_operations() {
        assert_eq!(outcome(json!({"status": {"id": "IN_PROGRESS"}})).unwrap(), None);
        let done = json!({"status": {"id": "COMPLETED"}, "operation": {"location": "hdfs:/s"}});
        assert_eq!(outcome(done).unwrap().unwrap()["location"], "hdfs:/s");
        assert_eq!(
            outcome(json!({"status": {"id": "COMPLETED"}, "operation": {}})).unwrap(),
            Some(json!({}))
        );
        for key in ["failure-cause", "failureCause"] {
            let cause = json!({"class": "x.E", "stack-trace": "x.EException: no luck\n\tat a", "serialized-throwable": "AAA="});
            let failed = json!({"status": {"id": "COMPLETED"}, "operation": {key: cause}});
            assert_eq!(outcome(failed).unwrap_err().to_string(), "no luck");
        }
    }
}

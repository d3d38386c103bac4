//! Flink's REST messages: what heddle sends and reads. Unknown fields are ignored, and nearly every field may
//! be missing, since the releases from 1.13 to 2.3 differ.

use flink_model::release::{Release, Traits};
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A word of the user's that is not a valid id or option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// What is wrong with it.
    pub text: String,
    /// What helps.
    pub hint: Option<&'static str>,
}

/// Id of a job: 32 hexadecimal digits, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// An id that no other job has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Reads a user's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let what = format!("cannot read the job id {text:?}: a job id has 32 hexadecimal digits");
            Err(ParseError { text: what, hint: Some("`flink list` shows the ids of the jobs") })
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// State of a job, in Flink's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct JobStatus(pub String);

impl JobStatus {
    /// The job will not run again: finished, failed or cancelled.
    pub fn is_terminal(&self) -> bool {
        matches!(self.0.as_str(), "FINISHED" | "FAILED" | "CANCELED")
    }

    /// The job does not run yet.
    pub fn is_scheduled(&self) -> bool {
        matches!(self.0.as_str(), "CREATED" | "INITIALIZING")
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `/jobs/overview`
#[derive(Debug, Clone, Default, Deserialize)]
pub struct JobsOverview {
    /// All jobs that the JobManager knows, ended ones too.
    #[serde(default)]
    pub jobs: Vec<JobSummary>,
}

/// One job of the overview.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobSummary {
    /// Its id.
    #[serde(rename = "jid")]
    pub id: JobId,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its state.
    #[serde(default)]
    pub state: JobStatus,
    /// Start, milliseconds since the epoch.
    #[serde(rename = "start-time", default)]
    pub start_time: i64,
    /// End, milliseconds since the epoch; -1 while it runs.
    #[serde(rename = "end-time", default)]
    pub end_time: i64,
}

/// `/jobs/:id`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct JobDetails {
    /// The JobManager's clock, milliseconds since the epoch.
    pub now: i64,
    /// When it came to each state, milliseconds since the epoch; 0: never.
    pub timestamps: BTreeMap<String, i64>,
    /// Its operators.
    pub vertices: Vec<JobVertex>,
}

/// An operator of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobVertex {
    /// Its id.
    pub id: String,
    /// When its first task was deployed, milliseconds since the epoch; -1: not yet.
    pub start_time: i64,
}

/// `/jobs/:id/vertices/:vertex/subtasktimes`
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TasksTimes {
    /// All tasks of the operator.
    #[serde(default)]
    pub subtasks: Vec<TaskTimes>,
}

/// When a task came to each state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct TaskTimes {
    /// Milliseconds since the epoch; 0: never.
    pub timestamps: BTreeMap<String, i64>,
}

impl TaskTimes {
    /// When it began to run.
    pub fn running(&self) -> Option<i64> {
        self.timestamps.get("RUNNING").copied().filter(|ms| *ms > 0)
    }
}

/// `/overview`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ClusterOverview {
    /// Registered TaskManagers.
    pub taskmanagers: u32,
    /// Their slots.
    pub slots_total: u32,
    /// Slots without a task.
    pub slots_available: u32,
    /// Jobs that run.
    pub jobs_running: u32,
    /// Release of Flink.
    pub flink_version: String,
}

/// `/config`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DashboardConfig {
    /// Release of Flink, for example `1.20.1`.
    pub flink_version: String,
}

impl DashboardConfig {
    /// What differs in the release; the newest one's where it is unknown.
    pub fn traits(&self) -> &'static Traits {
        self.flink_version.parse().map_or_else(|_| Release::newest_traits(), Release::traits)
    }
}

/// `/taskmanagers`
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TaskManagers {
    /// All that are registered.
    #[serde(default)]
    pub taskmanagers: Vec<TaskManager>,
}

/// A registered TaskManager.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskManager {
    /// Its resource id: for heddle the container id.
    pub id: String,
    /// Its RPC address.
    pub path: String,
    /// Slots.
    pub slots_number: u32,
    /// Slots without a task.
    pub free_slots: u32,
}

/// Binary format of a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SavepointFormat {
    /// The same for all state backends.
    #[default]
    Canonical,
    /// The state backend's own.
    Native,
}

impl SavepointFormat {
    /// Reads a user's word.
    pub fn parse(text: Option<&str>) -> Result<Self, ParseError> {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("canonical") => Ok(Self::Canonical),
            Some("native") => Ok(Self::Native),
            Some(other) => Err(ParseError {
                text: format!("--type {other}: the format is either canonical or native"),
                hint: None,
            }),
        }
    }

    /// Whether the format is left out of a request: releases before 1.15 do not know the field.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for SavepointFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canonical => "CANONICAL",
            Self::Native => "NATIVE",
        })
    }
}

/// `POST /jobs/:id/savepoints`
#[derive(Debug, Clone, Serialize)]
pub struct SavepointRequest {
    /// Where to; none = `state.savepoints.dir`.
    #[serde(rename = "target-directory")]
    pub directory: Option<String>,
    /// Cancel the job afterwards.
    #[serde(rename = "cancel-job")]
    pub cancel: bool,
    /// Its format.
    #[serde(rename = "formatType", skip_serializing_if = "SavepointFormat::is_default")]
    pub format: SavepointFormat,
}

/// `POST /jobs/:id/stop`
#[derive(Debug, Clone, Serialize)]
pub struct StopRequest {
    /// Where to; none = `state.savepoints.dir`.
    #[serde(rename = "targetDirectory")]
    pub directory: Option<String>,
    /// Send the maximal watermark first.
    pub drain: bool,
    /// The savepoint's format.
    #[serde(rename = "formatType", skip_serializing_if = "SavepointFormat::is_default")]
    pub format: SavepointFormat,
}

/// What becomes of the savepoint that a job starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimMode {
    /// Flink owns it from then on.
    Claim,
    /// It stays the user's.
    NoClaim,
    /// As before 1.15.
    Legacy,
}

impl ClaimMode {
    /// Reads a user's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text.to_ascii_lowercase().as_str() {
            "claim" => Ok(Self::Claim),
            "no_claim" => Ok(Self::NoClaim),
            "legacy" => Ok(Self::Legacy),
            other => Err(ParseError {
                text: format!("--claimMode {other}: the mode is claim, no_claim or legacy"),
                hint: None,
            }),
        }
    }
}

/// `POST /jars/:id/run`; what is not set is not sent, since older releases refuse fields that they do not
/// know.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JarRun {
    /// Class with `main()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    /// Arguments of `main()`, verbatim.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub program_args_list: Vec<String>,
    /// Default parallelism.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Savepoint or checkpoint to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Id of the first job. It is sent so that the job can be found even if the answer is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Ignore state of the savepoint that no operator takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    /// What becomes of the savepoint that the job starts from; from 1.20 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_mode: Option<ClaimMode>,
    /// The same, from 1.15 to 1.19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_mode: Option<ClaimMode>,
    /// Configuration of the job, from 1.17 on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flink_configuration: BTreeMap<String, String>,
}

/// The result of a job that has ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobResult {
    /// `SUCCEEDED`, `FAILED`, `CANCELED` or `UNKNOWN`.
    pub application_status: String,
    /// Run time, milliseconds.
    pub net_runtime: i64,
    /// Why it failed.
    pub failure_cause: Option<Throwable>,
}

/// A Java exception.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Throwable {
    /// Its class.
    pub class: String,
    /// Message, causes and frames.
    pub stack_trace: String,
}

/// `/jobs/:id/accumulators`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Accumulators {
    /// The program's own.
    pub user_task_accumulators: Vec<Accumulator>,
}

/// An accumulator of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Accumulator {
    /// Its name.
    pub name: String,
    /// Its class.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value as text.
    pub value: String,
}

/// `/jobs/:id/exceptions`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobExceptions {
    /// The failure that counts, in releases before 2.0.
    pub root_exception: Option<String>,
    /// The latest failures.
    #[serde(rename = "exceptionHistory")]
    pub history: ExceptionHistory,
}

/// Failures of a job, latest first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ExceptionHistory {
    /// The failures.
    pub entries: Vec<JobException>,
}

/// A failure of a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobException {
    /// Its class.
    pub exception_name: String,
    /// Message, causes and frames.
    pub stacktrace: String,
    /// When, milliseconds since the epoch.
    pub timestamp: i64,
    /// The task that failed; none for a failure of the whole job.
    pub task_name: Option<String>,
    /// Where it ran: for heddle the container id.
    pub task_manager_id: Option<String>,
}

/// One setting of `/jobmanager/config`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigEntry {
    /// Key.
    pub key: String,
    /// Value; secrets are masked by Flink.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn requests_hold_only_what_old_releases_know() {
        let savepoint =
            SavepointRequest { directory: None, cancel: false, format: SavepointFormat::Canonical };
        assert_eq!(json(&savepoint), r#"{"target-directory":null,"cancel-job":false}"#);
        let stop =
            StopRequest { directory: Some("hdfs:/s".into()), drain: true, format: SavepointFormat::Native };
        assert_eq!(json(&stop), r#"{"targetDirectory":"hdfs:/s","drain":true,"formatType":"NATIVE"}"#);
        assert_eq!(json(&JarRun::default()), "{}");
        let run = JarRun {
            program_args_list: vec!["a b".into(), String::new()],
            claim_mode: Some(ClaimMode::NoClaim),
            ..JarRun::default()
        };
        assert_eq!(json(&run), r#"{"programArgsList":["a b",""],"claimMode":"NO_CLAIM"}"#);
    }

    #[test]
    fn answers_of_other_releases_are_read() {
        let jobs: JobsOverview = serde_json::from_str(
            r#"{"jobs":[{"jid":"fd72014d4c864993a2e5a9287b4a9c5d","name":"n","state":"RUNNING","start-time":5,"end-time":-1,
                "duration":7,"tasks":{"total":1},"schedulerType":"x"}]}"#,
        )
        .unwrap();
        assert_eq!((jobs.jobs[0].start_time, jobs.jobs[0].state.0.as_str()), (5, "RUNNING"));
        let claims = |v: &str| DashboardConfig { flink_version: v.into() }.traits().claim_mode;
        assert!(
            !claims("1.14.6") && claims("1.20.1") && claims("2.3-SNAPSHOT") && claims("3.0") && claims("")
        );
        let none: JobExceptions = serde_json::from_str("{}").unwrap();
        assert!(none.root_exception.is_none() && none.history.entries.is_empty());
        let both: JobExceptions = serde_json::from_str(
            r#"{"root-exception":"a.B: x","exceptionHistory":{"entries":[{"stacktrace":"c","other":1}],"truncated":false}}"#,
        )
        .unwrap();
        assert_eq!(
            (both.root_exception.as_deref(), both.history.entries[0].stacktrace.as_str()),
            (Some("a.B: x"), "c")
        );
    }

    #[test]
    fn words_of_users() {
        assert_eq!(
            JobId::parse("FD72014d4c864993a2e5a9287b4a9c5d").unwrap().as_str(),
            "fd72014d4c864993a2e5a9287b4a9c5d"
        );
        for bad in [
            "",
            "x",
            "fd72014d4c864993a2e5a9287b4a9c5",
            "gd72014d4c864993a2e5a9287b4a9c5d",
            "ää72014d4c864993a2e5a9287b4a9c",
        ] {
            assert!(JobId::parse(bad).unwrap_err().hint.is_some(), "{bad}");
        }
        assert_eq!(SavepointFormat::parse(Some("NATIVE")).unwrap(), SavepointFormat::Native);
        assert!(SavepointFormat::parse(Some("x")).is_err() && ClaimMode::parse("x").is_err());
    }
}

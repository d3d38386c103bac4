//! The messages of Flink's REST interface that heddle sends and reads. Because releases from 1.13 to 2.3
//! differ, unknown fields are ignored, and nearly every field may be missing. All times are in milliseconds
//! since 1970-01-01 UTC. Types that are read name their path, and `:id` stands for a part of the path that
//! varies.

use flink_model::config::{shown, shown_all};
use flink_model::release::{Release, Traits};
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A word of the command line that is not a valid id or not a valid value of an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// What is wrong with the word.
    pub text: String,
    /// What the user can do about it.
    pub hint: Option<&'static str>,
}

/// The id of a job: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// A random id, which no other job has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Reads the id from a word of the command line.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let what = format!("cannot read the job id {text:?}: a job id has 32 hexadecimal digits");
            Err(ParseError { text: what, hint: Some("`flink list` shows the ids of the jobs") })
        }
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a job, as Flink names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct JobStatus(pub String);

impl JobStatus {
    /// Whether the job has finished, failed or been cancelled, and so will not run again.
    pub fn is_terminal(&self) -> bool {
        matches!(self.0.as_str(), "FINISHED" | "FAILED" | "CANCELED")
    }

    /// Whether the job has not begun to run yet.
    pub fn is_scheduled(&self) -> bool {
        matches!(self.0.as_str(), "CREATED" | "INITIALIZING")
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The answer of `/jobs/overview`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct JobsOverview {
    /// All jobs that the JobManager knows, including those that have ended.
    #[serde(default)]
    pub jobs: Vec<JobSummary>,
}

/// A job of the overview.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobSummary {
    /// The id of the job.
    #[serde(rename = "jid")]
    pub id: JobId,
    /// The name of the job.
    #[serde(default)]
    pub name: String,
    /// The state of the job.
    #[serde(default)]
    pub state: JobStatus,
    /// The time at which the job was started.
    #[serde(rename = "start-time", default)]
    pub start_time: i64,
    /// The time at which the job ended; -1 while it runs.
    #[serde(rename = "end-time", default)]
    pub end_time: i64,
    /// How many of its tasks are in some of their states.
    #[serde(default)]
    pub tasks: TaskCounts,
}

impl JobSummary {
    /// Whether the job waits for slots, in which its tasks could run. The adaptive scheduler keeps a job in
    /// `CREATED` until it has slots.
    pub fn waits_for_slots(&self) -> bool {
        !self.state.is_terminal() && (self.tasks.scheduled > 0 || self.state.0 == "CREATED")
    }
}

/// Counts of the tasks of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct TaskCounts {
    /// The tasks that wait for slots.
    pub scheduled: u32,
}

/// The answer of `/jobs/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct JobDetails {
    /// The present time by the JobManager's clock.
    pub now: i64,
    /// For each state the time at which the job reached it; 0 if it never did.
    pub timestamps: BTreeMap<String, i64>,
    /// The operators of the job.
    pub vertices: Vec<JobVertex>,
}

/// An operator of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobVertex {
    /// The id of the operator, which Flink calls a vertex.
    pub id: String,
    /// The time at which the operator's first task was deployed; -1 if that has not happened yet.
    pub start_time: i64,
}

/// The answer of `/jobs/:id/vertices/:vertex/subtasktimes`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TasksTimes {
    /// All tasks of the operator.
    #[serde(default)]
    pub subtasks: Vec<TaskTimes>,
}

/// The times at which a task reached its states.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct TaskTimes {
    /// For each state the time at which the task reached it; 0 if it never did.
    pub timestamps: BTreeMap<String, i64>,
}

impl TaskTimes {
    /// The time at which the task began to run.
    pub fn running(&self) -> Option<i64> {
        self.timestamps.get("RUNNING").copied().filter(|ms| *ms > 0)
    }
}

/// The answer of `/overview`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ClusterOverview {
    /// The number of registered TaskManagers.
    pub taskmanagers: u32,
    /// The number of slots of these TaskManagers.
    pub slots_total: u32,
    /// The number of slots without a task.
    pub slots_available: u32,
    /// The number of running jobs.
    pub jobs_running: u32,
    /// The release of Flink.
    pub flink_version: String,
}

/// The answer of `/config`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DashboardConfig {
    /// The release of Flink, for example `1.20.1`.
    pub flink_version: String,
}

impl DashboardConfig {
    /// The traits of the release; those of the newest release if heddle does not know this one.
    pub fn traits(&self) -> &'static Traits {
        self.flink_version.parse().map_or_else(|_| Release::newest_traits(), Release::traits)
    }
}

/// The answer of `/taskmanagers`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TaskManagers {
    /// All TaskManagers that are registered.
    #[serde(default)]
    pub taskmanagers: Vec<TaskManager>,
}

/// A registered TaskManager.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskManager {
    /// The resource id of the TaskManager. With heddle, it is the container's id.
    pub id: String,
    /// The RPC address of the TaskManager.
    pub path: String,
    /// The number of slots.
    pub slots_number: u32,
    /// The number of slots without a task.
    pub free_slots: u32,
}

/// A part of the answer of `/taskmanagers/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskManagerDetails {
    /// What is planned for the process, in bytes; since Flink 1.13.
    pub memory_configuration: Option<MemoryConfiguration>,
}

/// What is planned for the process of a TaskManager, in bytes. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryConfiguration {
    /// Off-heap memory that is reserved for Flink itself.
    pub framework_off_heap: Option<u64>,
    /// Off-heap memory of the tasks.
    pub task_off_heap: Option<u64>,
    /// Network memory.
    pub network_memory: Option<u64>,
    /// Managed memory.
    pub managed_memory: Option<u64>,
    /// The memory for classes.
    pub jvm_metaspace: Option<u64>,
    /// The size of the process.
    pub total_process_memory: Option<u64>,
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// The name, such as `Status.JVM.Memory.Heap.Used`.
    pub id: String,
    /// The value, as a text.
    pub value: String,
}

impl Metric {
    /// The value as a number that is not negative; `None` if it is none. Flink writes -1 for what it does not
    /// know.
    pub fn number(&self) -> Option<u64> {
        let value = self.value.trim();
        // Some values have a decimal point or an exponent.
        let float = || value.parse::<f64>().ok().filter(|value| (0.0..1e18).contains(value));
        value.parse().ok().or_else(|| float().map(|value| value as u64))
    }
}

/// The binary format of a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SavepointFormat {
    /// The format that all state backends share.
    #[default]
    Canonical,
    /// The state backend's own format.
    Native,
}

impl SavepointFormat {
    /// Reads the format from a word of the command line; [`SavepointFormat::Canonical`] if there is none.
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

    /// Whether the format is left out of a request. Releases before 1.15 do not know the field.
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

/// The body of `POST /jobs/:id/savepoints`.
#[derive(Debug, Clone, Serialize)]
pub struct SavepointRequest {
    /// The directory for the savepoint; `None` stands for `state.savepoints.dir`.
    #[serde(rename = "target-directory")]
    pub directory: Option<String>,
    /// Whether the job is cancelled after the savepoint.
    #[serde(rename = "cancel-job")]
    pub cancel: bool,
    /// The format of the savepoint.
    #[serde(rename = "formatType", skip_serializing_if = "SavepointFormat::is_default")]
    pub format: SavepointFormat,
}

/// The body of `POST /jobs/:id/stop`.
#[derive(Debug, Clone, Serialize)]
pub struct StopRequest {
    /// The directory for the savepoint; `None` stands for `state.savepoints.dir`.
    #[serde(rename = "targetDirectory")]
    pub directory: Option<String>,
    /// Whether the sources send the maximal watermark before the savepoint, so that all timers fire.
    pub drain: bool,
    /// The format of the savepoint.
    #[serde(rename = "formatType", skip_serializing_if = "SavepointFormat::is_default")]
    pub format: SavepointFormat,
}

/// Who owns the savepoint from which a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimMode {
    /// Flink owns the savepoint, and may delete it.
    Claim,
    /// The user keeps the savepoint, which Flink needs only until the first checkpoint of the job.
    NoClaim,
    /// As before 1.15: the user keeps the savepoint, but later checkpoints may need its files.
    Legacy,
}

impl ClaimMode {
    /// Reads the mode from a word of the command line.
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

/// The body of `POST /jars/:id/run`. Fields that are not set are not sent, because older releases refuse
/// fields that they do not know.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JarRun {
    /// The class with `main()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    /// The arguments of `main()`, unchanged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub program_args_list: Vec<String>,
    /// The default parallelism.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// The savepoint or checkpoint from which the job starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// The id of the first job. It is sent so that the job can be found even if the answer is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Whether state of the savepoint that belongs to no operator of the job is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    /// Who owns the savepoint from which the job starts, for Flink 1.20 and later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_mode: Option<ClaimMode>,
    /// Who owns the savepoint from which the job starts, for Flink 1.15 to 1.19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_mode: Option<ClaimMode>,
    /// The configuration of the job, which Flink accepts since 1.17.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flink_configuration: BTreeMap<String, String>,
}

impl fmt::Debug for JarRun {
    /// Leaves out what may be secret: the arguments of `main()`, and the values of secret keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JarRun")
            .field("entry_class", &self.entry_class)
            .field("program_args_list", &format_args!("{} arguments", self.program_args_list.len()))
            .field("parallelism", &self.parallelism)
            .field("savepoint_path", &self.savepoint_path)
            .field("job_id", &self.job_id)
            .field("flink_configuration", &shown_all(&self.flink_configuration))
            .finish_non_exhaustive()
    }
}

/// The result of a job that has ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobResult {
    /// `SUCCEEDED`, `FAILED`, `CANCELED` or `UNKNOWN`.
    pub application_status: String,
    /// The time that the job has run, in milliseconds.
    pub net_runtime: i64,
    /// Why the job failed.
    pub failure_cause: Option<Throwable>,
}

/// A Java exception.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Throwable {
    /// The class of the exception.
    pub class: String,
    /// The message, the causes and the stack frames.
    pub stack_trace: String,
}

/// The answer of `/jobs/:id/accumulators`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Accumulators {
    /// The accumulators that the program itself has made.
    pub user_task_accumulators: Vec<Accumulator>,
}

/// An accumulator of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Accumulator {
    /// The name of the accumulator.
    pub name: String,
    /// The class of the accumulator.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value as text.
    pub value: String,
}

/// The answer of `/jobs/:id/exceptions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct JobExceptions {
    /// The failure that ended the job or caused its latest restart, in releases before 2.0.
    pub root_exception: Option<String>,
    /// The latest failures.
    #[serde(rename = "exceptionHistory")]
    pub history: ExceptionHistory,
}

/// The failures of a job, the latest first.
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
    /// The class of the exception.
    pub exception_name: String,
    /// The message, the causes and the stack frames.
    pub stacktrace: String,
    /// The time of the failure.
    pub timestamp: i64,
    /// The name of the task that failed; `None` if the whole job failed.
    pub task_name: Option<String>,
    /// The resource id of the TaskManager that ran the task. With heddle, it is the container's id.
    pub task_manager_id: Option<String>,
}

/// The part of the answer of `/jobs/<id>/checkpoints` that tells how many checkpoints there were, and which
/// was the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct CheckpointStatistics {
    /// How many checkpoints there were since the JobManager knows the job.
    pub counts: CheckpointCounts,
    /// The latest ones.
    pub latest: LatestCheckpoints,
}

/// Numbers of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct CheckpointCounts {
    /// Those that were completed.
    pub completed: u64,
    /// Those that have failed.
    pub failed: u64,
}

/// The latest checkpoints of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct LatestCheckpoints {
    /// The latest one that was completed.
    pub completed: Option<CompletedCheckpoint>,
}

/// A checkpoint that was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct CompletedCheckpoint {
    /// When the last of its parts was there, in milliseconds since 1970.
    pub latest_ack_timestamp: i64,
}

/// A setting in the answer of `/jobmanager/config`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigEntry {
    /// Key.
    pub key: String,
    /// The value. Flink masks the values of secret keys.
    pub value: String,
}

impl fmt::Debug for ConfigEntry {
    /// Leaves out the values of keys that only heddle takes for those of secrets, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, shown(&self.key, self.value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn checkpoints_of_a_job() {
        let answer = r#"{"counts": {"restored": 0, "total": 7, "in_progress": 1, "completed": 5, "failed": 1},
            "summary": {}, "latest": {"completed": {"id": 5, "status": "COMPLETED", "trigger_timestamp": 10,
            "latest_ack_timestamp": 12, "tasks": {}}, "savepoint": null, "failed": null}, "history": []}"#;
        let read: CheckpointStatistics = serde_json::from_str(answer).unwrap();
        assert_eq!(read.counts, CheckpointCounts { completed: 5, failed: 1 });
        assert_eq!(read.latest.completed, Some(CompletedCheckpoint { latest_ack_timestamp: 12 }));
        let none = r#"{"counts": {}, "latest": {"completed": null}}"#;
        let none: CheckpointStatistics = serde_json::from_str(none).unwrap();
        assert_eq!(none, CheckpointStatistics::default());
    }

    #[test]
    fn debug_shows_no_secret() {
        let run = JarRun {
            program_args_list: vec!["--password".into(), "hush".into()],
            flink_configuration: [("s3.secret-key".to_owned(), "hush".to_owned())].into(),
            ..JarRun::default()
        };
        let entry = ConfigEntry { key: "s3.access-key".into(), value: "hush".into() };
        let shown = format!("{run:?} {entry:?}");
        assert!(shown.contains("2 arguments") && !shown.contains("hush"), "{shown}");
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
        assert!(!jobs.jobs[0].waits_for_slots());
        let job = |state: &str, scheduled| JobSummary {
            state: JobStatus(state.into()),
            tasks: TaskCounts { scheduled },
            ..jobs.jobs[0].clone()
        };
        assert!(job("RUNNING", 1).waits_for_slots() && job("CREATED", 0).waits_for_slots());
        assert!(!job("CANCELED", 1).waits_for_slots());
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

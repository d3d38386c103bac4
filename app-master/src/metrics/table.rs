//! The table of the metrics: the name, kind, labels and meaning of each. The page `docs/metrics.md` has the
//! same table, and the dashboard in `conf/grafana` uses no other names; tests compare both.

/// The kind of a metric, as Prometheus knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises. Its name ends in `_total`, which [`Metric::name`] does not have.
    Counter,
    Gauge,
    Histogram,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metric {
    /// The name, in base units. That of a counter is without `_total`, which the encoder adds.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The names of its labels.
    pub(super) labels: &'static [&'static str],
    /// What it is, in plain English.
    pub(super) help: &'static str,
}

impl Metric {
    /// The name as Prometheus shows it. A histogram has three, which begin with this one.
    #[cfg(test)]
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] = $help:literal;)+) => {
        $(pub(super) static $constant: Metric = Metric {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help,
        };)+

        /// All metrics, in the order in which they are served.
        pub(super) static ALL: &[&Metric] = &[$(&$constant),+];
    };
}

metrics! {
    // The application.
    INFO: Gauge "heddle_application_info" ["id", "name", "mode", "flink", "heddle"] =
        "Always 1. The labels say which application this is, and the releases of Flink and of heddle.";
    START: Gauge "heddle_application_master_start_time_seconds" [] =
        "When heddle-am was started in this attempt, in seconds since 1970.";
    ATTEMPT: Gauge "heddle_application_attempt" [] =
        "The number of this attempt of YARN's at the ApplicationMaster, from 1.";
    OWN_MEMORY: Gauge "heddle_application_master_memory_rss_bytes" [] =
        "The resident memory of heddle-am itself.";

    // The ResourceManager.
    HEARTBEAT_AGE: Gauge "heddle_resourcemanager_heartbeat_age_seconds" [] =
        "The time since YARN's ResourceManager last answered.";
    NO_ANSWERS: Counter "heddle_resourcemanager_failures" [] =
        "Calls to YARN's ResourceManager that failed or were not answered.";

    // The JobManager.
    JOB_MANAGER_UP: Gauge "heddle_jobmanager_up" [] =
        "1 if the JobManager can be used, 0 while it starts or after its end.";
    JOB_MANAGER_RESTARTS: Counter "heddle_jobmanager_restarts" [] =
        "How often heddle-am has started the JobManager again in this attempt.";
    JOB_MANAGER_MEMORY: Gauge "heddle_jobmanager_memory_rss_bytes" [] =
        "The resident memory of the JobManager's JVM.";
    JOB_MANAGER_PEAK: Gauge "heddle_jobmanager_memory_peak_bytes" [] =
        "The most resident memory that the JobManager's JVM has had.";

    // The TaskManagers.
    REQUESTED: Counter "heddle_taskmanagers_requested" ["by"] =
        "TaskManagers that were asked for: by Flink, or by heddle ahead of Flink's requests. One that \
         heddle has asked for meets a request of Flink's later, which is counted, too.";
    CANCELLED: Counter "heddle_taskmanagers_cancelled" [] =
        "Requests for a TaskManager that Flink has taken back.";
    REFUSED: Counter "heddle_taskmanagers_refused" [] =
        "Requests for a TaskManager that this cluster can never meet.";
    GRANTED: Counter "heddle_taskmanagers_granted" [] =
        "Containers for TaskManagers that YARN has granted.";
    ADOPTED: Counter "heddle_taskmanagers_adopted" [] =
        "TaskManagers of earlier attempts that this attempt has taken over.";
    STARTED: Counter "heddle_taskmanagers_started" [] =
        "JVMs of TaskManagers that were started.";
    ENDED: Counter "heddle_taskmanagers_ended" ["cause"] =
        "TaskManagers that have ended, by the kind of cause.";
    STATES: Gauge "heddle_taskmanagers" ["state"] =
        "TaskManagers by state: waiting for a container, starting in one, or running.";
    LONGEST_WAIT: Gauge "heddle_taskmanagers_longest_wait_seconds" [] =
        "For how long the oldest request that waits for a container has waited; 0 if none waits.";
    GRANT_TIME: Histogram "heddle_taskmanager_grant_seconds" [] =
        "The time from the request for a TaskManager until YARN has granted a container.";
    START_TIME: Histogram "heddle_taskmanager_start_seconds" [] =
        "The time from the grant of a container until the TaskManager's JVM was started. It begins with \
         the launch for one that was granted ahead of Flink's request.";
    MEMORY: Gauge "heddle_taskmanagers_memory_rss_bytes" ["aggregate"] =
        "The resident memory of the TaskManagers' JVMs: the smallest, the largest, and the sum.";
    PEAK: Gauge "heddle_taskmanagers_memory_peak_bytes" ["aggregate"] =
        "The most resident memory that each TaskManager's JVM has had: the smallest, the largest, and the \
         sum.";
    LIMIT: Gauge "heddle_taskmanagers_memory_limit_bytes" ["aggregate"] =
        "The memory that was asked for the TaskManagers' containers: the smallest, the largest, and the \
         sum. Those that were taken over are left out, because nobody tells their memory.";
    USED: Gauge "heddle_taskmanagers_memory_used_ratio" ["aggregate"] =
        "The resident memory of a TaskManager's JVM as a part of its container's memory: the smallest and \
         the largest. Those that were taken over are left out.";
    SAMPLED: Gauge "heddle_taskmanagers_memory_sampled" [] =
        "The number of TaskManagers of which the memory is known.";

    // The jobs.
    JOBS: Gauge "heddle_jobs" ["state"] =
        "Jobs that the JobManager knows, by their state.";
    JOB_STATE: Gauge "heddle_job_state" ["job_id", "job_name", "state"] =
        "Always 1. The label says in which state the job is. Jobs that have not ended, at most 50.";
    CHECKPOINT_AGE: Gauge "heddle_job_last_checkpoint_age_seconds" ["job_id", "job_name"] =
        "The time since the last checkpoint of the job was completed. A job without one is left out.";
    CHECKPOINTS: Gauge "heddle_job_checkpoints" ["job_id", "job_name", "result"] =
        "Checkpoints of the job that were completed and that have failed, since the JobManager knows the \
         job.";
    UNANSWERED: Counter "heddle_flink_unanswered" [] =
        "Questions to Flink's REST interface that were not answered in time or failed. What they ask for \
         is left out.";
    SCRAPES: Counter "heddle_scrapes" [] =
        "How often these metrics were read.";
}

/// The metric with this name.
pub(super) fn find(name: &str) -> Option<&'static Metric> {
    ALL.iter().copied().find(|metric| metric.name == name)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

//! Asks Flink's REST interface for the jobs and their checkpoints. It is asked only while somebody reads the
//! metrics, and at most every few seconds, however many read them. What does not come in time is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flink_rest::{CheckpointStatistics, JobId, JobSummary, RestClient};
use futures::StreamExt;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::environment::Environment;
use crate::own_rest::OwnRest;

/// How old an answer may be.
const AGE: Duration = Duration::from_secs(5);
/// How long a question may take. Prometheus waits for ten seconds, if it is not told otherwise.
const DEADLINE: Duration = Duration::from_secs(3);
/// The most jobs that are shown one by one, and how many of them are asked for at a time.
const MOST: usize = 50;
const AT_ONCE: usize = 4;

/// What Flink tells of its jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct JobsRead {
    /// How many jobs there are in each state.
    pub(super) states: BTreeMap<String, u64>,
    /// The jobs that have not ended.
    pub(super) jobs: Vec<JobRead>,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JobRead {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: String,
    /// None if they are not known.
    pub(super) checkpoints: Option<Checkpoints>,
}

/// The checkpoints of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checkpoints {
    pub(super) completed: u64,
    pub(super) failed: u64,
    /// When the last one was completed, in ms since 1970; none if none was.
    pub(super) completed_at: Option<u64>,
}

impl From<CheckpointStatistics> for Checkpoints {
    fn from(CheckpointStatistics { counts, latest }: CheckpointStatistics) -> Self {
        let completed_at = latest.completed.and_then(|one| u64::try_from(one.latest_ack_timestamp).ok());
        Self { completed: counts.completed, failed: counts.failed, completed_at }
    }
}

/// See the module's text.
pub(super) struct Jobs {
    rest: OwnRest,
    /// The last answer, and when it came.
    last: Mutex<Option<(Instant, JobsRead)>>,
    unanswered: AtomicU64,
}

impl Jobs {
    pub(super) fn new(environment: Arc<Environment>) -> Self {
        let rest = OwnRest::new(environment, DEADLINE);
        Self { rest, last: Mutex::default(), unanswered: AtomicU64::new(0) }
    }

    /// How many questions were not answered.
    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// The jobs of the JobManager at this URL; none if it does not tell them in time.
    pub(super) async fn read(&self, url: &str, now: Instant) -> Option<JobsRead> {
        let read = async {
            // Readers that come at the same time wait for the same answer.
            let mut last = self.last.lock().await;
            if let Some((at, jobs)) = &*last
                && now.saturating_duration_since(*at) < AGE
            {
                return Some(jobs.clone());
            }
            *last = None;
            let jobs = self.ask(url).await?;
            *last = Some((now, jobs.clone()));
            Some(jobs)
        };
        // What is asked has deadlines of its own, which come first unless there are other readers.
        match timeout(DEADLINE + DEADLINE / 2, read).await {
            Ok(jobs) => jobs,
            Err(_) => {
                self.not_answered("it has not answered in time");
                None
            }
        }
    }

    async fn ask(&self, url: &str) -> Option<JobsRead> {
        let client = self.rest.client(url).inspect_err(|error| self.not_answered(error)).ok()?;
        let all = match client.jobs().await {
            Ok(all) => all,
            Err(error) => {
                self.not_answered(&error.to_string());
                return None;
            }
        };
        let states = by_state(all.iter().map(|job| job.state.0.as_str()));
        let open: Vec<JobSummary> =
            all.into_iter().filter(|job| !job.state.is_terminal()).take(MOST).collect();
        let ids: Vec<JobId> = open.iter().map(|job| job.id.clone()).collect();
        let asked = futures::stream::iter(ids).map(|id| self.checkpoints(&client, id)).buffered(AT_ONCE);
        let mut asked = std::pin::pin!(asked);
        let mut checkpoints = Vec::new();
        // With many jobs, those that come last may have no time left.
        let all_asked = timeout(DEADLINE / 2, async {
            while let Some(one) = asked.next().await {
                checkpoints.push(one);
            }
        });
        if all_asked.await.is_err() {
            self.not_answered("it has not told of the checkpoints of all jobs in time");
        }
        let mut checkpoints = checkpoints.into_iter();
        let jobs = open.into_iter().map(|job| JobRead {
            id: job.id.to_string(),
            name: job.name,
            state: job.state.0,
            checkpoints: checkpoints.next().flatten(),
        });
        Some(JobsRead { states, jobs: jobs.collect() })
    }

    async fn checkpoints(&self, client: &RestClient, job: JobId) -> Option<Checkpoints> {
        match client.checkpoints(&job).await {
            Ok(checkpoints) => Some(checkpoints.into()),
            Err(error) => {
                // A job that has just ended, or one without checkpoints in some releases.
                tracing::debug!(%error, %job, "the checkpoints of a job are not known");
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn not_answered(&self, why: &str) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(why, "the JobManager was asked for its jobs, for the metrics");
    }
}

/// How many jobs there are in each state.
pub(super) fn by_state<'a>(states: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for state in states {
        *counts.entry(state.to_owned()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use flink_rest::{CheckpointCounts, CompletedCheckpoint, LatestCheckpoints};

    use super::*;

    #[test]
    fn a_job_without_a_completed_checkpoint_has_no_time_of_one() {
        let counts = CheckpointCounts { completed: 2, failed: 1 };
        let of = |completed| {
            Checkpoints::from(CheckpointStatistics { counts, latest: LatestCheckpoints { completed } })
        };
        let at = |latest_ack_timestamp| Some(CompletedCheckpoint { latest_ack_timestamp });
        assert_eq!(of(at(7)), Checkpoints { completed: 2, failed: 1, completed_at: Some(7) });
        assert_eq!((of(at(-1)).completed_at, of(None).completed_at), (None, None));
    }
}

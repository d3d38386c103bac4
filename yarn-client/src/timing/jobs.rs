//! Records the steps of the jobs that a command starts, as the JobManager reports them. The JobManager is
//! asked only if the user wants the timing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use flink_rest::{JobDetails, JobId, JobSummary, RestAddress, RestClient, RestTimeouts};
use futures::future;

use super::{Clock, Step, Timing};

/// The pause between two requests for the list of jobs.
const PAUSE: Duration = Duration::from_millis(100);
/// The time limit of one answer. The JobManager may be ending.
const ANSWER: Duration = Duration::from_secs(2);
/// The number of operators of a job whose tasks' times are asked. The first operators include the sources.
const OPERATORS: usize = 16;

/// The name of what submits jobs: Flink's client on this machine.
pub const CLIENT: &str = "Flink's client";
/// The name of what submits jobs: a program whose `main()` runs in the cluster.
pub const MAIN: &str = "main()";

/// Watches the jobs of one JobManager.
#[derive(Debug)]
pub struct Jobs {
    client: Option<RestClient>,
    timing: Timing,
    /// What submits the jobs, and when it was started.
    source: (&'static str, Duration),
    /// Jobs that were there before, and belong to others.
    old: BTreeSet<JobId>,
    seen: BTreeMap<JobId, Seen>,
}

/// What is known of a job.
#[derive(Debug)]
struct Seen {
    summary: JobSummary,
    /// How the job went. This is asked only once: the JobManager answers from a copy that is up to three
    /// seconds old, so an early question would make a later answer outdated.
    course: Option<Course>,
}

/// How a job went.
#[derive(Debug)]
struct Course {
    details: JobDetails,
    clock: Clock,
    /// When the first task of the job ran, in milliseconds since 1970.
    first_task: Option<i64>,
}

impl Jobs {
    /// Watches the JobManager at `address`. `who` submits jobs there from now on.
    pub fn new(address: &RestAddress, timing: &Timing, who: &'static str) -> Self {
        let client = RestClient::new(address, RestTimeouts::one_try(ANSWER)).ok();
        let source = (who, timing.elapsed());
        Self { client, timing: timing.clone(), source, old: BTreeSet::new(), seen: BTreeMap::new() }
    }

    /// Ignores the jobs that exist already, because they were submitted by others.
    pub async fn ignore_present(mut self) -> Self {
        if let Some(client) = &self.client {
            self.old = client.jobs().await.unwrap_or_default().into_iter().map(|job| job.id).collect();
        }
        self
    }

    /// Watches the jobs while `work` is done, and records their steps afterwards.
    pub async fn during<T>(mut self, work: impl Future<Output = T>) -> T {
        let done = tokio::select! {
            done = work => done,
            never = self.watch() => match never {},
        };
        let end = self.timing.elapsed();
        self.look(true).await;
        let jobs: Vec<_> = self.seen.into_values().collect();
        steps(&jobs, self.source, end).into_iter().for_each(|step| self.timing.add(step));
        done
    }

    async fn watch(&mut self) -> Infallible {
        loop {
            self.look(false).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads the list of jobs once. How a job went is asked when the job has ended, or when this is the last
    /// time.
    async fn look(&mut self, last: bool) {
        let Some(client) = &self.client else { return };
        for summary in client.jobs().await.unwrap_or_default() {
            let known = self.seen.get(&summary.id);
            if self.old.contains(&summary.id) || known.is_some_and(|seen| seen.course.is_some()) {
                continue;
            }
            let over = last || summary.state.is_terminal();
            let course = if over { course(client, &self.timing, &summary.id).await } else { None };
            self.seen.insert(summary.id.clone(), Seen { summary, course });
        }
    }
}

async fn course(client: &RestClient, timing: &Timing, id: &JobId) -> Option<Course> {
    let asked = Instant::now();
    let details = client.job(id).await.ok()?;
    let at = timing.since_start(asked + asked.elapsed() / 2);
    let clock = Clock { shows_unix_ms: u64::try_from(details.now).unwrap_or_default(), at };
    let operators = details.vertices.iter().take(OPERATORS);
    let tasks = future::join_all(operators.map(|operator| client.task_times(id, &operator.id))).await;
    let first_task = tasks.into_iter().flatten().flatten().filter_map(|times| times.running()).min();
    Some(Course { details, clock, first_task })
}

/// Computes the steps of jobs that were submitted one after another by `who`, which was started at `begin`
/// and ended at `end`.
fn steps(jobs: &[Seen], (who, begin): (&str, Duration), end: Duration) -> Vec<Step> {
    let told = jobs.iter().filter_map(|seen| Some((&seen.summary, seen.course.as_ref()?)));
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(summary, _)| summary.start_time);
    let mut steps = Vec::new();
    let mut from = begin;
    for (summary, Course { details, clock, first_task }) in &told {
        let place = |unix_ms: i64| u64::try_from(unix_ms).ok().filter(|ms| *ms > 0).map(|ms| clock.place(ms));
        let mut add = |what: &str, from, to| steps.push(Step::new(what, from, to).of(summary.name.as_str()));
        let at = |state: &str| details.timestamps.get(state).and_then(|unix_ms| place(*unix_ms));
        let created = at("CREATED").or_else(|| place(summary.start_time)).unwrap_or(clock.at);
        add(&format!("{who}, to the job"), from, created);
        let mut reached = created;
        let deployed = details.vertices.iter().filter_map(|v| place(v.start_time)).min();
        let steps = [
            ("job CREATED to RUNNING", at("RUNNING")),
            ("tasks wait for TaskManagers", deployed),
            ("tasks are deployed", first_task.and_then(place)),
        ];
        for (what, to) in steps {
            if let Some(to) = to {
                add(what, reached, to);
                reached = to.max(reached);
            }
        }
        let ended = place(summary.end_time).unwrap_or(clock.at);
        add("tasks run", reached, ended);
        from = ended;
    }
    if !told.is_empty() && from < end {
        steps.push(Step::new(format!("{who} ends"), from, end));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(json: serde_json::Value, first_task: Option<i64>) -> Seen {
        let clock = Clock { shows_unix_ms: 100_000, at: Duration::from_secs(5) };
        let summary = serde_json::from_value(json["summary"].clone()).unwrap();
        let details = serde_json::from_value(json["details"].clone()).unwrap();
        Seen { summary, course: Some(Course { details, clock, first_task }) }
    }

    #[test]
    fn jobs_one_after_another() {
        let first = serde_json::json!({
            "summary": {"jid": "aa", "name": "count", "state": "FINISHED", "start-time": 97_000, "end-time": 99_000},
            "details": {
                "now": 100_000, "timestamps": {"CREATED": 97_000, "RUNNING": 97_200, "FAILED": 0},
                "vertices": [{"id": "v", "start-time": 98_000}, {"id": "w", "start-time": -1}],
            },
        });
        let second = serde_json::json!({
            "summary": {"jid": "bb", "name": "sink", "state": "RUNNING", "start-time": 99_400, "end-time": -1},
            "details": {"now": 100_000, "timestamps": {"CREATED": 99_500, "RUNNING": 0}, "vertices": []},
        });
        let jobs = [seen(second, None), seen(first, Some(98_300))];
        let steps = steps(&jobs, (CLIENT, Duration::from_millis(300)), Duration::from_millis(5_200));
        let lines = steps.iter().map(|step| {
            format!("{} {} {} ({})", step.begin.as_millis(), step.end.as_millis(), step.name, step.subject)
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        300 2000 Flink's client, to the job (count)
        2000 2200 job CREATED to RUNNING (count)
        2200 3000 tasks wait for TaskManagers (count)
        3000 3300 tasks are deployed (count)
        3300 4000 tasks run (count)
        4000 4500 Flink's client, to the job (sink)
        4500 5000 tasks run (sink)
        5000 5200 Flink's client ends ()
        ");
    }
}

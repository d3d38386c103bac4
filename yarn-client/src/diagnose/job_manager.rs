//! Asks the JobManager's REST interface: which jobs there are, why some of them fail, how many TaskManagers
//! have registered, and what was configured.

use std::collections::BTreeSet;
use std::time::Duration;

use diagnosis::classes;
use diagnosis::facts::{Absent, Job, Seen, Settings, Source, Told, Voice};
use flink_model::config::{Configuration, FileFormat, Origin};
use flink_rest::{
    ClusterOverview, ConfigEntry, JobException, JobExceptions, JobId, JobSummary, RestAddress, RestClient,
    RestTimeouts,
};
use futures::future::join_all;
use yarn_api::records::{ApplicationReport, ApplicationState, FinalStatus};

use super::log_text::without_frames;
use super::silence::unreachable;
use crate::application::report_address;
use crate::rest_security::RestSecurity;

/// Most jobs that are asked for their exceptions, the youngest first.
const MOST_JOBS: usize = 16;
/// Most earlier failures of a job that are told.
const MOST_FAILURES: usize = 5;

/// Most classes for whose jars heddle-am is asked to look.
const MOST_CLASSES: usize = 8;

/// What the JobManager has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Where it was asked; `None` if it was not asked.
    pub(super) address: Option<RestAddress>,
    pub(super) jobs: Vec<Seen<Job>>,
    /// Earlier failures of the jobs.
    pub(super) told: Vec<Seen<Told>>,
    pub(super) overview: Option<ClusterOverview>,
    pub(super) config: Vec<ConfigEntry>,
    /// Why it does not answer.
    pub(super) absent: Option<Absent>,
}

impl Said {
    fn silent(absent: Absent) -> Self {
        Self { absent: Some(absent), ..Self::default() }
    }

    /// The classes that the exceptions of jobs name because something is wrong with them.
    pub(super) fn classes(&self) -> Vec<String> {
        let jobs = self.jobs.iter().map(|seen| seen.fact.exception.as_str());
        let all = jobs.chain(self.told.iter().map(|seen| seen.fact.text.as_str()));
        let all: BTreeSet<String> = all.flat_map(classes::named).collect();
        all.into_iter().take(MOST_CLASSES).collect()
    }

    /// What Flink was configured with, if that is known. Secrets are stars, because Flink masks them.
    pub(super) fn settings(&self) -> Option<Settings> {
        let flink = &self.overview.as_ref()?.flink_version;
        settings_of(
            flink,
            "the JobManager",
            self.config.iter().map(|ConfigEntry { key, value }| (key, value)),
        )
    }
}

/// What Flink was configured with, from keys and values that `who` has told; `None` without any, or if the
/// release of Flink is not understood.
pub(super) fn settings_of<'a>(
    flink: &str,
    who: &str,
    told: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Option<Settings> {
    let mut told = told.into_iter().peekable();
    told.peek()?;
    let release = flink.parse().ok()?;
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in told {
        configuration.set(key.as_str(), value.clone(), Origin::Derived(who.to_owned()));
    }
    Some(Settings { configuration, release })
}

/// Asks the JobManager of an application, if the application runs and has not told yet how it ends. `now` is
/// the time, in ms since 1970, and `within` the time limit of each answer.
pub(super) async fn ask(
    report: &ApplicationReport,
    security: &RestSecurity,
    now: u64,
    within: Duration,
) -> Said {
    if report.state != ApplicationState::Running || report.final_status != FinalStatus::Undefined {
        return Said::default();
    }
    let address = match report_address(report, security) {
        Ok(address) => address,
        Err(_) if report.host.is_none() && report.attempt_id.is_none() => {
            return Said::silent(Absent::NotAllowed);
        }
        Err(failure) => return Said::silent(unreachable(failure)),
    };
    let client = match RestClient::new(&address, RestTimeouts::one_try(within)) {
        Ok(client) => client,
        Err(error) => return Said::silent(unreachable(error)),
    };
    let (jobs, overview, config) =
        tokio::join!(client.jobs(), client.overview(), client.job_manager_config());
    let mut said = Said { address: Some(address), ..Said::default() };
    let jobs = match jobs {
        Ok(jobs) => jobs,
        Err(error) => return Said { absent: Some(unreachable(error)), ..said },
    };
    said.overview = overview.inspect_err(|error| tracing::debug!(%error, "no overview")).ok();
    said.config = config.inspect_err(|error| tracing::debug!(%error, "no configuration")).unwrap_or_default();
    let mut exceptions = join_all(in_trouble(&jobs).into_iter().map(|job| of_job(&client, job))).await;
    for job in jobs {
        let known = exceptions.iter_mut().find(|(id, _)| *id == job.id).and_then(|(_, known)| known.take());
        let (exception, earlier) = known.map(|known| failures(&job, known)).unwrap_or_default();
        said.told.extend(earlier);
        let fact =
            Job { id: job.id.to_string(), name: job.name.clone(), state: job.state.0.clone(), exception };
        said.jobs.push(Seen { source: Source::JobManager, at: Some(now), fact });
    }
    said
}

/// A job's exceptions, if the JobManager tells them.
async fn of_job(client: &RestClient, job: &JobSummary) -> (JobId, Option<JobExceptions>) {
    let exceptions = client.exceptions(&job.id).await;
    (job.id.clone(), exceptions.inspect_err(|error| tracing::debug!(%error, "no exceptions")).ok())
}

/// The jobs that have failed, are being restarted, or wait for slots, the youngest first. A job that has lost
/// its TaskManager and was restarted is `RUNNING` while it waits for another one.
fn in_trouble(jobs: &[JobSummary]) -> Vec<&JobSummary> {
    let is = |job: &&JobSummary| {
        matches!(job.state.0.as_str(), "FAILED" | "FAILING" | "RESTARTING") || job.waits_for_slots()
    };
    let mut found: Vec<&JobSummary> = jobs.iter().filter(is).collect();
    found.sort_by_key(|job| std::cmp::Reverse(job.start_time));
    found.truncate(MOST_JOBS);
    found
}

/// The exceptions of a job: those of its latest failure, and its earlier failures. Flink 1.13 to 1.20 tell
/// the latest one in two ways, 2.0 and later only by the history, whose first entry it is.
fn failures(job: &JobSummary, exceptions: JobExceptions) -> (String, Vec<Seen<Told>>) {
    let JobExceptions { root_exception, history } = exceptions;
    let mut entries = history.entries.into_iter();
    let latest = entries.next().map(|entry| entry.stacktrace).filter(|trace| !trace.is_empty());
    let latest = latest.or(root_exception).map(|trace| without_frames(&trace)).unwrap_or_default();
    let earlier = |JobException { stacktrace, timestamp, task_name, task_manager_id, .. }: JobException| {
        let task = task_name.map(|task| format!(", task {task}")).unwrap_or_default();
        let worker = task_manager_id.map(|id| format!(", on {id}")).unwrap_or_default();
        let place = format!("job {}{task}{worker}", job.name);
        let fact = Told { voice: Voice::TaskManager, place, text: without_frames(&stacktrace) };
        Seen { source: Source::JobManager, at: u64::try_from(timestamp).ok().filter(|at| *at > 0), fact }
    };
    (latest, entries.take(MOST_FAILURES).map(earlier).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, start: i64) -> JobSummary {
        let text = format!(
            r#"{{"jid":"fd72014d4c864993a2e5a9287b4a9c5d","name":"count","state":"{state}","start-time":{start}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn only_jobs_in_trouble_are_asked() {
        let jobs = [job("RUNNING", 1), job("FAILED", 2), job("RESTARTING", 3), job("FINISHED", 4)];
        let starts =
            |jobs: &[JobSummary]| in_trouble(jobs).iter().map(|job| job.start_time).collect::<Vec<i64>>();
        assert_eq!(starts(&jobs), [3, 2]);
        let mut waiting = job("RUNNING", 5);
        waiting.tasks.scheduled = 1;
        assert_eq!(starts(&[jobs[0].clone(), waiting]), [5]);
    }

    #[test]
    fn failures_of_old_and_new_releases() {
        let of = |json: &str| failures(&job("FAILED", 1), serde_json::from_str(json).unwrap());
        let old = of(r#"{"root-exception":"a.B: x\n\tat c.D(E.java:1)\nCaused by: f.G: y","timestamp":5}"#);
        assert_eq!(old, ("a.B: x\nCaused by: f.G: y".to_owned(), vec![]));
        let (latest, earlier) = of(
            r#"{"root-exception":null,"exceptionHistory":{"entries":[{"stacktrace":"latest","timestamp":9},
                {"stacktrace":"first\n\tat x.Y(Z.java:1)","timestamp":7,"taskName":"map","taskManagerId":"container_1"}]}}"#,
        );
        assert_eq!((latest.as_str(), earlier.len()), ("latest", 1));
        assert_eq!((earlier[0].at, earlier[0].fact.text.as_str()), (Some(7), "first"));
        assert_eq!(earlier[0].fact.place, "job count, task map, on container_1");
        assert_eq!(of("{}"), (String::new(), vec![]));
    }

    #[test]
    fn the_configuration_needs_the_release() {
        let entry = |key: &str, value: &str| ConfigEntry { key: key.into(), value: value.into() };
        let mut said = Said {
            config: vec![entry("taskmanager.memory.process.size", "1g")],
            overview: Some(ClusterOverview { flink_version: "1.20.5".into(), ..ClusterOverview::default() }),
            ..Said::default()
        };
        let settings = said.settings().unwrap();
        assert_eq!(settings.configuration.text("taskmanager.memory.process.size").as_deref(), Some("1g"));
        said.overview = None;
        assert!(said.settings().is_none());
    }
}

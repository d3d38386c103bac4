//! Carries out `list`, `cancel`, `stop`, `savepoint` and `checkpoint` by the REST interface of the
//! JobManager. It prints the same lines as Flink's own client, because scripts may read them.

use std::time::Duration;

use chrono::{DateTime, Local, TimeZone};
use flink_rest::{JobId, JobSummary, RestClient, RestError, SavepointFormat, SavepointRequest, StopRequest};
use serde_json::{Value, json};
use yarn_client::error::{CauseClass, Failure, RestFailure};

use crate::console::Output;
use crate::text::clean;

const WAITING: &str = "Waiting for response...";

/// The failure of a call about a job, with hints. `place` says where in the command line the user can name
/// the directory of a savepoint.
fn explain(error: RestError, what: String, place: &str) -> Failure {
    let said = error.to_string();
    let no_job = (error.status() == Some(404) && said.contains("not found"))
        || said.contains("Could not find Flink job")
        || said.contains("NotFoundException");
    let failure = error.failure(what);
    // Flink says: "Config key [state.savepoints.dir] is not set. Property [targetDirectory] must be
    // provided."
    let key = said.split_once("Config key [").and_then(|(_, rest)| rest.split_once(']')).map(|(key, _)| key);
    match key {
        Some(key) => failure
            .of_class(CauseClass::Configuration)
            .hint(format!("the cluster has no directory for savepoints: name one with {place}"))
            .hint(format!("-D{key}=<directory> where the cluster is started makes one the default")),
        None if no_job => failure
            .of_class(CauseClass::NotFound)
            .hint("`flink list -a` shows the jobs of the cluster, with those that have ended"),
        // The job has just been started or is being restarted, so to try again may help.
        None if said.contains("Not all required tasks are currently running") => {
            failure.of_class(CauseClass::State).retry_if(true)
        }
        None => failure,
    }
}

/// Which jobs `list` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    running: bool,
    scheduled: bool,
    ended: bool,
}

impl Shown {
    /// The jobs that the options ask for; without options, the running and scheduled ones.
    pub(super) fn of(running: bool, scheduled: bool, all: bool) -> Self {
        let none = !running && !scheduled && !all;
        Self { running: running || all || none, scheduled: scheduled || all || none, ended: all }
    }

    fn has(&self, job: &JobSummary) -> bool {
        match (job.state.is_scheduled(), job.state.is_terminal()) {
            (true, _) => self.scheduled,
            (_, true) => self.ended,
            _ => self.running,
        }
    }
}

/// The result of a command about a savepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// The savepoint is complete, and has this path.
    Stored(String),
    /// The savepoint was begun with this trigger id, and the command did not wait for it.
    Triggered(String),
    /// The savepoint with this path was deleted.
    Disposed(String),
}

impl Done {
    /// The key and the value that it adds to the answer for programs.
    pub(super) fn entry(self) -> (&'static str, Value) {
        match self {
            Self::Stored(path) => ("savepoint", json!(path)),
            Self::Triggered(id) => ("trigger", json!(id)),
            Self::Disposed(path) => ("disposed", json!(path)),
        }
    }
}

/// Carries out `list`. Returns the jobs that it has shown, in the order of their start.
pub(super) async fn list(
    client: &RestClient,
    shown: Shown,
    output: &dyn Output,
) -> Result<Vec<JobSummary>, Failure> {
    output.out(WAITING);
    let mut jobs = client.jobs().await.map_err(|e| e.failure("cannot get the list of jobs"))?;
    for line in job_lines(&jobs, shown, &Local) {
        output.out(&line);
    }
    jobs.retain(|job| shown.has(job));
    jobs.sort_by_key(|job| job.start_time);
    Ok(jobs)
}

/// The lines of `list`, in sections, with times of the time zone `zone`.
fn job_lines<Z: TimeZone<Offset: std::fmt::Display>>(
    jobs: &[JobSummary],
    shown: Shown,
    zone: &Z,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut section = |title: &str, none: Option<&str>, belongs: &dyn Fn(&JobSummary) -> bool| {
        let mut rows: Vec<&JobSummary> = jobs.iter().filter(|job| belongs(job)).collect();
        if rows.is_empty() {
            lines.extend(none.map(str::to_owned));
            return;
        }
        rows.sort_by_key(|job| (job.start_time, job.state.0.to_uppercase()));
        lines.push(rule(title));
        for job in rows {
            let time =
                DateTime::from_timestamp_millis(job.start_time).unwrap_or_default().with_timezone(zone);
            // A line of its own would look like another job.
            lines.push(clean::line(&format!(
                "{} : {} : {} ({})",
                time.format("%d.%m.%Y %H:%M:%S"),
                job.id,
                job.name,
                job.state
            )));
        }
        lines.push("-".repeat(RULE));
    };
    if shown.running {
        let belongs = |job: &JobSummary| !job.state.is_scheduled() && !job.state.is_terminal();
        section("Running/Restarting Jobs", Some("No running jobs."), &belongs);
    }
    if shown.scheduled {
        section("Scheduled Jobs", Some("No scheduled jobs."), &|job| job.state.is_scheduled());
    }
    if shown.ended {
        section("Terminated Jobs", None, &|job| job.state.is_terminal());
    }
    lines
}

/// Width of a section's rules.
const RULE: usize = 62;

/// A rule with a title in its middle.
fn rule(title: &str) -> String {
    format!("{:-^RULE$}", format!(" {title} "))
}

/// What a command `cancel` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cancel {
    /// The job.
    pub(super) job: JobId,
    /// The savepoint to take first, if one is wanted.
    pub(super) savepoint: Option<NewSavepoint>,
}

/// A savepoint to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewSavepoint {
    /// Its directory; `None` for the default of the cluster.
    pub(super) directory: Option<String>,
    /// Its format.
    pub(super) format: SavepointFormat,
}

/// Carries out `cancel`. Returns the path of the savepoint, if one was wanted, for which it waits as long as
/// `patience`.
pub(super) async fn cancel(
    client: &RestClient,
    asked: &Cancel,
    patience: Duration,
    output: &dyn Output,
) -> Result<Option<String>, Failure> {
    let job = &asked.job;
    let failed =
        |e: RestError| explain(e, format!("could not cancel job {job}"), "-s=<directory> (--withSavepoint)");
    let Some(NewSavepoint { directory, format }) = &asked.savepoint else {
        output.out(&format!("Cancelling job {job}."));
        client.cancel(job).await.map_err(failed)?;
        output.out(&format!("Cancelled job {job}."));
        return Ok(None);
    };
    output.out("DEPRECATION WARNING: Cancelling a job with savepoint is deprecated. Use \"stop\" instead.");
    output.out(&match directory {
        None => format!("Cancelling job {job} with {format} savepoint to default savepoint directory."),
        Some(directory) => format!("Cancelling job {job} with {format} savepoint to {directory}."),
    });
    let request = SavepointRequest { directory: directory.clone(), cancel: true, format: *format };
    let trigger = client.savepoint(job, &request).await.map_err(failed)?;
    let path = client.savepoint_path(&trigger, patience).await.map_err(failed)?;
    output.out(&format!("Cancelled job {job}. Savepoint stored in {path}."));
    Ok(Some(path))
}

/// What a command `stop` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    /// The job.
    pub(super) job: JobId,
    /// Whether to send MAX_WATERMARK first, for a job that will not be continued.
    pub(super) drain: bool,
    /// The savepoint.
    pub(super) savepoint: NewSavepoint,
    /// Whether to return before the savepoint is complete.
    pub(super) detached: bool,
}

/// Carries out `stop`. Unless detached, it waits for the savepoint as long as `patience`.
pub(super) async fn stop(
    client: &RestClient,
    asked: &Stop,
    patience: Duration,
    output: &dyn Output,
) -> Result<Done, Failure> {
    let (job, NewSavepoint { directory, format }) = (&asked.job, &asked.savepoint);
    let verb = if asked.drain { "Draining" } else { "Suspending" };
    output.out(&format!("{verb} job \"{job}\" with a {format} savepoint."));
    let request = StopRequest { directory: directory.clone(), drain: asked.drain, format: *format };
    let what = format!("could not stop job {job} with a savepoint");
    let failed = |e: RestError| explain(e, what.clone(), "-p <directory> (--savepointPath)");
    if asked.detached {
        output.out(&format!("Triggering stop-with-savepoint in detached mode for job {job}."));
        let trigger = client.stop(job, &request).await.map_err(failed)?;
        output.out(&format!(
            "Successfully trigger stop-with-savepoint in detached mode, triggerId: {}",
            trigger.id
        ));
        return Ok(Done::Triggered(trigger.id));
    }
    output.out(&format!("Triggering stop-with-savepoint for job {job}."));
    let trigger = client.stop(job, &request).await.map_err(failed)?;
    output.out(WAITING);
    let path = client.savepoint_path(&trigger, patience).await.map_err(failed)?;
    output.out(&format!("Savepoint completed. Path: {path}"));
    Ok(Done::Stored(path))
}

/// What a command `savepoint` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Savepoint {
    /// Delete the files of the savepoint with this path.
    Dispose(String),
    /// Take a savepoint.
    Take {
        /// The job.
        job: JobId,
        /// The savepoint.
        savepoint: NewSavepoint,
        /// Whether to return before the savepoint is complete.
        detached: bool,
    },
}

/// Carries out `savepoint`. Unless detached, it waits for the operation as long as `patience`.
pub(super) async fn savepoint(
    client: &RestClient,
    asked: &Savepoint,
    patience: Duration,
    output: &dyn Output,
) -> Result<Done, Failure> {
    match asked {
        Savepoint::Dispose(path) => {
            output.out(&format!("Disposing savepoint '{path}'."));
            let failed = |e: RestError| e.failure(format!("failed to dispose of the savepoint '{path}'"));
            let trigger = client.dispose_savepoint(path).await.map_err(failed)?;
            output.out(WAITING);
            client.disposed(&trigger, patience).await.map_err(failed)?;
            output.out(&format!("Savepoint '{path}' disposed."));
            Ok(Done::Disposed(path.clone()))
        }
        Savepoint::Take { job, savepoint, detached } => {
            let what = format!("failed to take a savepoint of job {job}");
            let failed = |e: RestError| explain(e, what.clone(), "a word behind the job id");
            let request = SavepointRequest {
                directory: savepoint.directory.clone(),
                cancel: false,
                format: savepoint.format,
            };
            if *detached {
                output.out(&format!("Triggering savepoint in detached mode for job {job}."));
                let trigger = client.savepoint(job, &request).await.map_err(failed)?;
                output.out(&format!("Successfully trigger manual savepoint, triggerId: {}", trigger.id));
                return Ok(Done::Triggered(trigger.id));
            }
            output.out(&format!("Triggering savepoint for job {job}."));
            let trigger = client.savepoint(job, &request).await.map_err(failed)?;
            output.out(WAITING);
            let path = client.savepoint_path(&trigger, patience).await.map_err(failed)?;
            output.out(&format!("Savepoint completed. Path: {path}"));
            output.out("You can resume your program from this savepoint with the run command.");
            Ok(Done::Stored(path))
        }
    }
}

/// Carries out `checkpoint`. Returns the number of the checkpoint, for which it waits as long as `patience`.
pub(super) async fn checkpoint(
    client: &RestClient,
    job: &JobId,
    full: bool,
    patience: Duration,
    output: &dyn Output,
) -> Result<i64, Failure> {
    let failed = |e: RestError| {
        let unknown = matches!(e.status(), Some(404 | 405)) && !e.to_string().ends_with("not found");
        let failure = explain(e, format!("failed to take a checkpoint of job {job}"), "");
        if unknown {
            failure.hint("Flink takes a checkpoint when it is asked to from release 1.17 on")
        } else {
            failure
        }
    };
    output.out(&format!("Triggering checkpoint for job {job}."));
    let trigger = client.checkpoint(job, full).await.map_err(failed)?;
    output.out(WAITING);
    let number = client.checkpoint_number(&trigger, patience).await.map_err(failed)?;
    let kind = if full { "(FULL)" } else { "" };
    output.out(&format!("Checkpoint{kind} {number} for job {job} completed."));
    output.out("You can resume your program from this checkpoint with the run command.");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;
    use flink_rest::{JobStatus, TaskCounts};

    const ID: &str = "fd72014d4c864993a2e5a9287b4a9c5d";

    fn job(name: &str, state: &str, start_time: i64) -> JobSummary {
        let id = JobId::parse(ID).unwrap();
        let (name, state, tasks) = (name.into(), JobStatus(state.into()), TaskCounts::default());
        JobSummary { id, name, state, start_time, end_time: -1, tasks }
    }

    fn lines(jobs: &[JobSummary], shown: Shown) -> String {
        job_lines(jobs, shown, &FixedOffset::east_opt(2 * 3600).unwrap()).join("\n")
    }

    #[test]
    fn failures_say_what_helps() {
        let text = |status, said: &str| {
            let error = RestError::remote(status, &[said.to_owned()]);
            explain(error, "could not stop it".into(), "-p <directory> (--savepointPath)").render(false)
        };
        insta::assert_snapshot!(
            "no_savepoint_directory",
            text(
                400,
                "Config key [state.savepoints.dir] is not set. Property [targetDirectory] must be provided."
            )
        );
        let young = text(200, "Failure reason: Not all required tasks are currently running.");
        assert!(young.contains("trying again may help"));
        insta::assert_snapshot!(
            "no_such_job",
            text(
                404,
                "org.apache.flink.runtime.rest.NotFoundException: Job fd72014d4c864993a2e5a9287b4a9c5d not found"
            )
        );
    }

    #[test]
    fn an_empty_cluster() {
        assert_eq!(lines(&[], Shown::of(false, false, false)), "No running jobs.\nNo scheduled jobs.");
        assert_eq!(lines(&[], Shown::of(false, false, true)), "No running jobs.\nNo scheduled jobs.");
        assert_eq!(lines(&[], Shown::of(true, false, false)), "No running jobs.");
        assert_eq!(lines(&[], Shown::of(false, true, false)), "No scheduled jobs.");
    }

    #[test]
    fn sections_and_their_order() {
        let time = 1_700_000_000_000;
        let jobs = [
            job("late", "RUNNING", time + 60_000),
            job("same b", "RUNNING", time),
            job("same a", "FAILING", time),
            job("waits", "CREATED", time),
            job("done", "FINISHED", time - 1000),
            job("halted", "SUSPENDED", time + 1),
        ];
        let row = |time: &str, name: &str, state: &str| format!("{time} : {ID} : {name} ({state})");
        let expected = [
            "------------------ Running/Restarting Jobs -------------------".to_owned(),
            row("15.11.2023 00:13:20", "same a", "FAILING"),
            row("15.11.2023 00:13:20", "same b", "RUNNING"),
            row("15.11.2023 00:13:20", "halted", "SUSPENDED"),
            row("15.11.2023 00:14:20", "late", "RUNNING"),
            "--------------------------------------------------------------".to_owned(),
            "----------------------- Scheduled Jobs -----------------------".to_owned(),
            row("15.11.2023 00:13:20", "waits", "CREATED"),
            "--------------------------------------------------------------".to_owned(),
            "---------------------- Terminated Jobs -----------------------".to_owned(),
            row("15.11.2023 00:13:19", "done", "FINISHED"),
            "--------------------------------------------------------------".to_owned(),
        ];
        assert_eq!(lines(&jobs, Shown::of(false, false, true)), expected.join("\n"));
        assert_eq!(lines(&jobs, Shown::of(false, false, false)), expected[..9].join("\n"));
        assert_eq!(lines(&jobs, Shown::of(true, false, false)), expected[..6].join("\n"));
    }
}

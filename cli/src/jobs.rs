//! Finds out which jobs a program has started and how they stand, for the JSON answer of a command.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::time::Duration;

use flink_rest::{JobId, JobSummary, RestAddress, RestClient, RestTimeouts};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, timeout_at};

use yarn_client::error::Failure;
use yarn_client::ps;

/// What Flink's client prints in front of the id of each job that it has submitted.
const SUBMITTED: &str = "Job has been submitted with JobID ";
/// The time limit of one answer. It is short, because the JobManager may be ending.
const ANSWER: Duration = Duration::from_secs(3);
/// The time between two requests for the jobs of an application.
const POLL: Duration = Duration::from_millis(500);
/// How long the output of the JVM is still read after its end. It is not read to its end, because a process
/// that the JVM has left behind may keep the pipe open.
const DRAIN: Duration = Duration::from_secs(2);

/// Passes the standard output of a JVM on to stderr, and collects the ids of the jobs that it names.
#[derive(Debug)]
pub(super) struct Overheard {
    jobs: UnboundedReceiver<JobId>,
}

impl Overheard {
    /// If `wanted`, the reader, and the pipe that must be the standard output of the JVM. Fails if no pipe
    /// can be made.
    pub(super) fn if_wanted(wanted: bool) -> Result<(Option<Self>, Option<PipeWriter>), Failure> {
        if !wanted {
            return Ok((None, None));
        }
        let (reader, writer) = std::io::pipe()
            .map_err(|e| Failure::because("cannot make a pipe for the output of Flink's client", e))?;
        let (send, jobs) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            pass_on(reader, std::io::stderr(), &mut |line| {
                if let Some(job) = job_of(line) {
                    // Nobody waits for it if the command was given up.
                    let _ = send.send(job);
                }
            });
        });
        Ok((Some(Self { jobs }), Some(writer)))
    }

    /// The jobs of the JVM, which must have ended, with what the JobManager at `address` knows of them, if it
    /// still answers.
    pub(super) async fn jobs(mut self, address: Option<&RestAddress>) -> Vec<Value> {
        let until = Instant::now() + DRAIN;
        let mut ids: Vec<JobId> = Vec::new();
        while let Ok(Some(id)) = timeout_at(until, self.jobs.recv()).await {
            ids.extend(Some(id).filter(|id| !ids.contains(id)));
        }
        known(&ids, address).await
    }
}

/// These jobs, with what the JobManager at `address` knows of them, if it still answers.
pub(super) async fn known(ids: &[JobId], address: Option<&RestAddress>) -> Vec<Value> {
    let client = address.and_then(|address| RestClient::new(address, RestTimeouts::one_try(ANSWER)).ok());
    let known = match client.filter(|_| !ids.is_empty()) {
        Some(client) => client.jobs().await.unwrap_or_default(),
        None => Vec::new(),
    };
    ids.iter().map(|id| told(id, known.iter().find(|job| job.id == *id))).collect()
}

/// A job as the answers show it.
fn told(id: &JobId, known: Option<&JobSummary>) -> Value {
    match known {
        Some(summary) => json!(ps::job(summary)),
        None => json!({ "id": id.as_str(), "name": null, "state": null, "started": null, "ended": null }),
    }
}

/// The job that a line of Flink's client names.
fn job_of(line: &str) -> Option<JobId> {
    JobId::parse(line.strip_prefix(SUBMITTED)?.trim()).ok()
}

/// Passes lines on, and lets `heard` have each of them, without its end.
pub(super) fn pass_on(from: impl Read, mut to: impl Write, heard: &mut dyn FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let _ = to.write_all(&line);
        heard(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

/// The jobs of an application that runs one program, as its JobManager has shown them last. They are read
/// while the application runs, because its JobManager ends with it.
#[derive(Debug)]
pub(super) struct Watched {
    client: Option<RestClient>,
    seen: BTreeMap<JobId, JobSummary>,
}

impl Watched {
    /// For the JobManager at `address`; without an address, no jobs are seen.
    pub(super) fn new(address: Option<&RestAddress>) -> Self {
        let client = address.and_then(|address| RestClient::new(address, RestTimeouts::one_try(ANSWER)).ok());
        Self { client, seen: BTreeMap::new() }
    }

    /// Watches the jobs until `work` is done, and returns its result.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.watch() => match never {},
        }
    }

    async fn watch(&mut self) -> Infallible {
        loop {
            if let Some(client) = &self.client {
                let jobs = client.jobs().await.unwrap_or_default();
                self.seen.extend(jobs.into_iter().map(|job| (job.id.clone(), job)));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The jobs, after the JobManager has ended. A job that was running when it was seen last has no state:
    /// it has ended since then, and only the application's final status says how.
    pub(super) fn jobs(&self) -> Vec<Value> {
        let mut jobs: Vec<&JobSummary> = self.seen.values().collect();
        jobs.sort_by_key(|job| job.start_time);
        let job = |job: &&JobSummary| {
            let mut value = told(&job.id, Some(job));
            if !job.state.is_terminal() {
                value["state"] = Value::Null;
            }
            value
        };
        jobs.iter().map(job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_in_the_output_of_flinks_client() {
        let said = "hello\nJob has been submitted with JobID fd72014d4c864993a2e5a9287b4a9c5d\nJob has been submitted with JobID x\nend";
        let (mut jobs, mut passed) = (Vec::new(), Vec::new());
        pass_on(said.as_bytes(), &mut passed, &mut |line| jobs.extend(job_of(line)));
        assert_eq!(String::from_utf8(passed).unwrap(), said);
        let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
        assert_eq!(jobs, ["fd72014d4c864993a2e5a9287b4a9c5d"]);
    }

    #[tokio::test]
    async fn output_that_does_not_end_holds_nothing_else_up() {
        let (overheard, output) = Overheard::if_wanted(true).unwrap();
        let output = output.unwrap();
        writeln!(&output, "{SUBMITTED}fd72014d4c864993a2e5a9287b4a9c5d").unwrap();
        tokio::select! {
            // Otherwise it is chance which of the two gets to run first.
            biased;
            _ = overheard.unwrap().jobs(None) => panic!("the pipe is open still"),
            () = tokio::time::sleep(DRAIN / 20) => {}
        }
        let (overheard, output) = Overheard::if_wanted(true).unwrap();
        writeln!(output.unwrap(), "{SUBMITTED}fd72014d4c864993a2e5a9287b4a9c5d").unwrap();
        let jobs = overheard.unwrap().jobs(None).await;
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0]["id"], "fd72014d4c864993a2e5a9287b4a9c5d");
    }
}

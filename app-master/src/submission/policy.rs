//! When a per-job cluster ends, and with which final status. Pure: the time is an argument.
//!
//! ```text
//! Awaited ─client calls─► Connected ─call breaks─► Away ─calls again─► Connected
//!    │ not in time            │ Complete           │ not in time
//!    └────────────────────────┴────────────────────┴──► Over ─all jobs have ended─► Explaining ─► Ended
//! ```
//!
//! If a client that was not there in time calls before all jobs have ended, Over becomes Connected again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskrunner::submission::{FAILOVER_PATIENCE, RETURN_GRACE};
use tokio::time::Instant;
use yarn_api::records::FinalStatus;

/// How long the client may take for its first call, once the JobManager can take jobs. With high availability
/// the client may also stay away for this long when its call has broken.
const ARRIVAL_WAIT: Duration = Duration::from_secs(120);
/// How often the jobs are asked for once the submission is over.
const LOOK: Duration = Duration::from_millis(500);
/// How often they are asked for while the client is connected. Flink forgets jobs that ended long ago, and an
/// end must be seen before.
const DISTANT_LOOK: Duration = Duration::from_secs(5);
/// How long the JobManager may take to say why a job failed.
const EXPLAIN_WAIT: Duration = Duration::from_secs(5);
/// How long the jobs that the JobManager had are waited for once the next JobManager is ready. It recovers
/// them before it answers for them.
const RECOVERY_WAIT: Duration = Duration::from_secs(60);

/// The exit codes of a client that SIGHUP, SIGINT or SIGTERM has interrupted.
const INTERRUPTED: [i32; 3] = [129, 130, 143];

/// State of a job, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// It has not ended for good. A suspended job has not, either.
    Open,
    /// It has ended as it should.
    Finished,
    /// It failed for good.
    Failed,
    /// Somebody cancelled it.
    Canceled,
    /// The JobManager died while it ran, and the next JobManager does not know it: it had ended just before,
    /// and Flink keeps how only in the JobManager's memory.
    Unknown,
}

/// A job of the JobManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: JobState,
}

impl Job {
    /// The job's name and id, for messages.
    pub fn title(&self) -> String {
        format!("Job \"{}\" ({})", self.name, self.id)
    }
}

/// What the next attempt has to know of the submission: with high availability an application outlives its
/// ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubmissionRecord {
    /// The exit code of `main()`, once it is over.
    pub exit_code: Option<i32>,
    /// The jobs that have ended.
    pub ended: Vec<Job>,
    /// The jobs that had not ended when they were last seen. Flink does not recover those that ended after
    /// that, so without this nobody would know that they existed.
    pub open: Vec<Job>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionInput {
    /// The JobManager takes jobs.
    Ready,
    /// The JobManager has died, and another one is started.
    JobManagerLost,
    /// The client has made the call with this number.
    Arrived(u64),
    /// This call is over.
    Left(u64),
    /// `main()` is over, with the exit code of the client's JVM.
    Completed(i32),
    /// Answer to [`SubmissionEffect::Look`]; the error is for people.
    Jobs(Result<Vec<Job>, String>),
    /// Answer to [`SubmissionEffect::Explain`]: the exceptions, one line each.
    Explained(Option<String>),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionEffect {
    /// Ask for the jobs.
    Look,
    /// Ask why this job failed.
    Explain(Job),
    /// Keep this for the next attempt, and only then tell the client that its end is noted.
    Keep(SubmissionRecord),
    /// End the application with this status and these diagnostics.
    End(FinalStatus, String),
}

/// How the submission went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Completed(i32),
    Gone,
}

/// The client is not there, and has this long to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Absence {
    since: Instant,
    at_most: Duration,
}

impl Absence {
    fn until(self) -> Instant {
        self.since + self.at_most
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Awaited => (Connected | Over); the time begins with [`SubmissionInput::Ready`].
    Awaited(Option<Absence>),
    /// Connected => (Away | Over)
    Connected,
    /// Away => (Connected | Over)
    Away(Absence),
    /// Over => (Explaining | Ended), and Over(Gone) => Connected
    Over(Outcome),
    /// Explaining => Ended
    Explaining {
        until: Instant,
    },
    Ended,
}

/// See the module's text.
#[derive(Debug)]
pub struct SubmissionPolicy {
    phase: Phase,
    ready: bool,
    calls: BTreeSet<u64>,
    /// Jobs that have ended, in the order in which that was seen. They are kept here because Flink forgets
    /// them.
    ended: Vec<Job>,
    /// Jobs that have not, as last seen.
    open: Vec<Job>,
    /// While this time lasts, the open jobs may be missing: the JobManager has just been started again.
    recovered_by: Option<Instant>,
    seen: bool,
    looking: bool,
    /// The answer that is awaited was asked for before the submission was over. It may not know the last job,
    /// so it decides nothing.
    stale: bool,
    look_at: Option<Instant>,
    exit_code: Option<i32>,
    /// The application is highly available: the next attempt is told what is known.
    keeps: bool,
    /// What it was told last.
    kept: SubmissionRecord,
}

impl Default for SubmissionPolicy {
    fn default() -> Self {
        Self {
            phase: Phase::Awaited(None),
            ready: false,
            calls: BTreeSet::new(),
            ended: Vec::new(),
            open: Vec::new(),
            recovered_by: None,
            seen: false,
            looking: false,
            stale: false,
            look_at: None,
            exit_code: None,
            keeps: false,
            kept: SubmissionRecord::default(),
        }
    }
}

impl SubmissionPolicy {
    /// For a highly available application; `record` is what an earlier attempt has kept.
    pub fn highly_available(record: SubmissionRecord) -> Self {
        let kept = record.clone();
        let SubmissionRecord { exit_code, ended, open } = record;
        let phase = exit_code.map(|code| Phase::Over(Outcome::Completed(code)));
        Self {
            phase: phase.unwrap_or(Phase::Awaited(None)),
            seen: !ended.is_empty() || !open.is_empty(),
            ended,
            open,
            exit_code,
            keeps: true,
            kept,
            ..Self::default()
        }
    }

    /// One step.
    pub fn step(&mut self, input: SubmissionInput, now: Instant) -> Vec<SubmissionEffect> {
        match input {
            SubmissionInput::Ready => {
                self.ready = true;
                self.look_at = Some(now + LOOK);
                self.recovered_by = (!self.open.is_empty()).then_some(now + RECOVERY_WAIT);
                if self.phase == Phase::Awaited(None) {
                    self.phase = Phase::Awaited(Some(Absence { since: now, at_most: ARRIVAL_WAIT }));
                    self.wait_longer();
                }
            }
            SubmissionInput::JobManagerLost => self.ready = false,
            SubmissionInput::Arrived(call) => {
                self.calls.insert(call);
                // Also if it counts as gone: before all jobs have ended, nothing is decided.
                if matches!(self.phase, Phase::Awaited(_) | Phase::Away(_) | Phase::Over(Outcome::Gone)) {
                    self.phase = Phase::Connected;
                }
            }
            SubmissionInput::Left(call) => {
                self.calls.remove(&call);
                if self.phase == Phase::Connected && self.calls.is_empty() {
                    let at_most = if self.keeps { ARRIVAL_WAIT } else { RETURN_GRACE };
                    self.phase = Phase::Away(Absence { since: now, at_most });
                    self.wait_longer();
                }
            }
            SubmissionInput::Completed(code) => {
                self.over(Outcome::Completed(code), now);
                self.exit_code.get_or_insert(code);
                // Also where it was kept already: the client says it again if it has not heard that it is
                // noted.
                let mut effects = self.keep();
                effects.extend(self.tick(now));
                return effects;
            }
            SubmissionInput::Jobs(answer) => {
                self.looking = false;
                let stale = std::mem::take(&mut self.stale);
                let over = matches!(self.phase, Phase::Over(_));
                self.look_at = Some(now + if over { LOOK } else { DISTANT_LOOK });
                if let Ok(jobs) = answer
                    && self.ready
                {
                    self.look(jobs, now);
                    self.wait_longer();
                    // Also where the application ends: should YARN not hear of that, another attempt follows.
                    let changed = self.keeps && self.record() != self.kept;
                    let mut effects = if changed { self.keep() } else { Vec::new() };
                    if !stale {
                        effects.extend(self.maybe_end(now));
                    }
                    return effects;
                }
            }
            SubmissionInput::Explained(why) => {
                if matches!(self.phase, Phase::Explaining { .. }) {
                    return self.end_failed(why.as_deref());
                }
            }
        }
        self.tick(now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Vec<SubmissionEffect> {
        match self.phase {
            Phase::Awaited(Some(absence)) | Phase::Away(absence) if now >= absence.until() => {
                self.over(Outcome::Gone, now);
            }
            Phase::Explaining { until } if now >= until => return self.end_failed(None),
            _ => {}
        }
        let due = self.look_at.is_some_and(|at| now >= at) && self.looks();
        if due && !self.looking {
            self.looking = true;
            return vec![SubmissionEffect::Look];
        }
        Vec::new()
    }

    /// When [`SubmissionPolicy::tick`] is due.
    pub fn wake(&self) -> Option<Instant> {
        let look_at = self.look_at.filter(|_| !self.looking && self.looks());
        let phase = match self.phase {
            Phase::Awaited(absence) => absence.map(Absence::until),
            Phase::Away(absence) => Some(absence.until()),
            Phase::Explaining { until } => Some(until),
            Phase::Connected | Phase::Over(_) | Phase::Ended => None,
        };
        [look_at, phase].into_iter().flatten().min()
    }

    /// The final status when the cluster is stopped by somebody else: Flink's own, unless jobs say otherwise.
    pub fn stopped(&self, flinks: FinalStatus, diagnostics: String) -> (FinalStatus, String) {
        match self.worst() {
            Some(job) if job.state == JobState::Failed => (FinalStatus::Failed, self.failed(job, None)),
            Some(job) => (FinalStatus::Killed, format!("{} was cancelled", job.title())),
            None => (flinks, diagnostics),
        }
    }

    fn looks(&self) -> bool {
        self.ready && !matches!(self.phase, Phase::Explaining { .. } | Phase::Ended)
    }

    fn over(&mut self, outcome: Outcome, now: Instant) {
        if matches!(self.phase, Phase::Awaited(_) | Phase::Connected | Phase::Away(_)) {
            self.phase = Phase::Over(outcome);
            self.stale = self.looking;
            self.look_at = Some(now);
        }
    }

    /// A highly available application waits for longer while a job is open. `main()` probably waits for that
    /// job, and may submit another one afterwards; a client that is cut off comes back for as long as it can.
    fn wait_longer(&mut self) {
        if let Phase::Awaited(Some(absence)) | Phase::Away(absence) = &mut self.phase
            && self.keeps
            && !self.open.is_empty()
        {
            absence.at_most = FAILOVER_PATIENCE;
        }
    }

    fn record(&self) -> SubmissionRecord {
        SubmissionRecord { exit_code: self.exit_code, ended: self.ended.clone(), open: self.open.clone() }
    }

    fn keep(&mut self) -> Vec<SubmissionEffect> {
        if !self.keeps {
            return Vec::new();
        }
        self.kept = self.record();
        vec![SubmissionEffect::Keep(self.kept.clone())]
    }

    fn look(&mut self, jobs: Vec<Job>, now: Instant) {
        self.seen |= !jobs.is_empty();
        let open = jobs.iter().filter(|job| job.state == JobState::Open).cloned().collect();
        let mut missing = std::mem::replace(&mut self.open, open);
        missing.retain(|known| jobs.iter().all(|job| job.id != known.id));
        if self.recovered_by.is_some_and(|until| now < until) {
            self.open.append(&mut missing);
        }
        // Flink names them in any order, and another order is nothing new for the next attempt.
        self.open.sort_by(|one, other| one.id.cmp(&other.id));
        let missing = missing.into_iter().map(|job| Job { state: JobState::Unknown, ..job });
        for job in jobs.into_iter().chain(missing) {
            if job.state != JobState::Open && !self.ended.iter().any(|ended| ended.id == job.id) {
                self.ended.push(job);
            }
        }
    }

    fn maybe_end(&mut self, now: Instant) -> Vec<SubmissionEffect> {
        let Phase::Over(outcome) = self.phase else { return Vec::new() };
        if !self.open.is_empty() {
            return Vec::new();
        }
        let (status, text) = match (self.worst().cloned(), outcome) {
            (Some(job), _) if job.state == JobState::Failed => {
                self.phase = Phase::Explaining { until: now + EXPLAIN_WAIT };
                return vec![SubmissionEffect::Explain(job)];
            }
            (Some(job), _) => (FinalStatus::Killed, format!("{} was cancelled", job.title())),
            (None, Outcome::Completed(code))
                if code != 0 && !INTERRUPTED.contains(&code) && self.unknown().is_some() =>
            {
                (FinalStatus::Failed, format!("main() ended with exit code {code}; {}", self.unknown_text()))
            }
            (None, _) if self.seen => (FinalStatus::Succeeded, self.unknown_text()),
            (None, Outcome::Completed(code)) if INTERRUPTED.contains(&code) => (
                FinalStatus::Killed,
                format!("the client was interrupted (exit code {code}) before main() submitted a job"),
            ),
            (None, Outcome::Completed(code)) => (
                if code == 0 { FinalStatus::Succeeded } else { FinalStatus::Failed },
                format!("main() ended with exit code {code} without submitting a job"),
            ),
            (None, Outcome::Gone) => {
                (FinalStatus::Killed, "the client went away before it submitted a job".to_owned())
            }
        };
        self.phase = Phase::Ended;
        vec![SubmissionEffect::End(status, text)]
    }

    fn end_failed(&mut self, why: Option<&str>) -> Vec<SubmissionEffect> {
        self.phase = Phase::Ended;
        let text = self.worst().map(|job| self.failed(job, why)).unwrap_or_default();
        vec![SubmissionEffect::End(FinalStatus::Failed, text)]
    }

    /// The first job that failed, else the first that was cancelled.
    fn worst(&self) -> Option<&Job> {
        let first = |state| self.ended.iter().find(|job| job.state == state);
        first(JobState::Failed).or_else(|| first(JobState::Canceled))
    }

    fn unknown(&self) -> Option<&Job> {
        self.ended.iter().find(|job| job.state == JobState::Unknown)
    }

    fn unknown_text(&self) -> String {
        let text =
            |job: &Job| format!("how {} ended is not known: the JobManager was lost just then", job.title());
        self.unknown().map(text).unwrap_or_default()
    }

    fn failed(&self, job: &Job, why: Option<&str>) -> String {
        let mut text = match why {
            Some(why) => format!("{} failed: {why}", job.title()),
            None => format!("{} failed", job.title()),
        };
        for other in self.ended.iter().filter(|other| other.state == JobState::Failed && other.id != job.id) {
            text.push_str(&format!("\n{} failed, too", other.title()));
        }
        text
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;

//! Records where the time of a command goes (`--timing`). A command is divided into steps: timed parts, which
//! may overlap.

mod jobs;
mod marks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

pub use jobs::{CLIENT, Jobs, MAIN};
pub use marks::Marks;

/// The name of the step for the submission, by which it is found again.
pub const SUBMISSION: &str = "application submitted";

/// A step: one timed part of a command. All times count from the start of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was done.
    pub name: String,
    /// What it was done to, such as a container, a job or a number of bytes. It may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// When the step began.
    #[serde(rename = "beginMs", serialize_with = "as_millis")]
    pub begin: Duration,
    /// When the step ended.
    #[serde(rename = "endMs", serialize_with = "as_millis")]
    pub end: Duration,
}

impl Step {
    /// A step without a subject. If `end` is before `begin`, the step has no length.
    pub fn new(name: impl Into<String>, begin: Duration, end: Duration) -> Self {
        Self { name: name.into(), subject: String::new(), begin, end: end.max(begin) }
    }

    /// Sets the subject of the step.
    pub fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// How long the step took.
    pub fn length(&self) -> Duration {
        self.end.saturating_sub(self.begin)
    }
}

/// Writes a time in milliseconds, rounded to a tenth.
fn as_millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((time.as_secs_f64() * 10_000.0).round() / 10.0)
}

/// Records the steps of one command. All clones record to the same list.
#[derive(Debug, Clone)]
pub struct Timing {
    begin: Instant,
    steps: Arc<Mutex<Steps>>,
}

#[derive(Debug, Default)]
struct Steps {
    over: Vec<Step>,
    /// Steps that were given up before they had ended.
    unfinished: Vec<Step>,
    told: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self::start()
    }
}

impl Timing {
    /// Starts the recording; the command starts now.
    pub fn start() -> Self {
        Self { begin: Instant::now(), steps: Arc::default() }
    }

    /// The time since the start of the command.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Starts a step. The step is recorded when it is [ended](Running::end). If it is dropped before, it was
    /// given up, and is shown only if the command fails.
    pub fn step(&self, name: &'static str) -> Running {
        Running { timing: self.clone(), name, begin: Some(self.elapsed()) }
    }

    /// Awaits `work`, and records it as a step.
    pub async fn time<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let step = self.step(name);
        let done = work.await;
        step.end();
        done
    }

    /// Records a step that was measured elsewhere.
    pub fn add(&self, step: Step) {
        self.steps().over.push(step);
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the configuration and the other files of this machine have been read.
    pub fn configured(&self) {
        self.add(Step::new("configuration", Duration::ZERO, self.elapsed()));
    }

    /// Finds a step that has ended.
    pub fn find(&self, name: &str) -> Option<Step> {
        self.steps().over.iter().find(|step| step.name == name).cloned()
    }

    /// Returns the total time, the slowest step and all steps that have ended, in the order in which they
    /// began. From now on, the timing counts as shown.
    pub fn summary(&self) -> Summary {
        let mut recorded = self.steps();
        recorded.told = true;
        Summary::of(recorded.over.clone())
    }

    /// Returns the steps of a command that has failed, including those that had not ended; `None` if the
    /// timing was shown already.
    pub fn failure(&self) -> Option<Summary> {
        let recorded = self.steps();
        let unfinished = recorded.unfinished.iter().cloned();
        let marked = unfinished.map(|step| Step { name: format!("{}, not finished", step.name), ..step });
        (!recorded.told).then(|| Summary::of(recorded.over.iter().cloned().chain(marked).collect()))
    }

    /// Converts a moment to the time since the start of the command.
    pub fn since_start(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.begin)
    }
}

impl Summary {
    fn of(mut steps: Vec<Step>) -> Self {
        steps.sort_by_key(|step| (step.begin, step.end));
        let total = steps.iter().map(|step| step.end).max().unwrap_or_default();
        Self { total, slowest: slowest(&steps).cloned(), steps }
    }
}

/// The longest step. If several steps are equally long, it is the first of them.
pub fn slowest(steps: &[Step]) -> Option<&Step> {
    steps.iter().rev().max_by_key(|step| step.length())
}

/// The steps of a command, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The time from the start of the command to the end of the last step.
    #[serde(rename = "totalMs", serialize_with = "as_millis")]
    pub total: Duration,
    /// The longest step.
    pub slowest: Option<Step>,
    /// All steps, in the order in which they began.
    pub steps: Vec<Step>,
}

/// A step that has not ended yet. It counts as given up if it is dropped.
#[derive(Debug)]
pub struct Running {
    timing: Timing,
    name: &'static str,
    /// When the step began; `None` once it has ended.
    begin: Option<Duration>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(begin) = self.begin.take() {
            let step = Step::new(self.name, begin, self.timing.elapsed());
            self.timing.steps().unfinished.push(step);
        }
    }
}

impl Running {
    /// Ends the step.
    pub fn end(self) {
        self.end_of(String::new());
    }

    /// Ends the step, and sets its subject.
    pub fn end_of(mut self, subject: impl Into<String>) {
        let end = self.timing.elapsed();
        if let Some(begin) = self.begin.take() {
            self.timing.add(Step::new(self.name, begin, end).of(subject));
        }
    }

    /// Forgets the step, because there was nothing to do or because it is recorded elsewhere.
    pub fn cancel(mut self) {
        self.begin = None;
    }

    /// Returns a value that ends the step when it is dropped.
    pub fn end_when_dropped(self, subject: String) -> EndWhenDropped {
        EndWhenDropped(Mutex::new(Some((self, subject))))
    }
}

/// A step on which several tasks work: it ends when the last task has dropped the value.
#[derive(Debug)]
pub struct EndWhenDropped(Mutex<Option<(Running, String)>>);

impl EndWhenDropped {
    /// Forgets the step, because there was nothing to do.
    pub fn cancel(&self) {
        if let Some((step, _)) = self.take() {
            step.cancel();
        }
    }

    fn take(&self) -> Option<(Running, String)> {
        self.0.lock().ok()?.take()
    }
}

impl Drop for EndWhenDropped {
    fn drop(&mut self) {
        if let Some((step, subject)) = self.take() {
            step.end_of(subject);
        }
    }
}

/// The clock of another machine: what it showed at a known time of this command. With it, times of the other
/// machine are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What the clock showed, in milliseconds since 1970.
    pub shows_unix_ms: u64,
    /// When it showed that, as the time since the start of the command.
    pub at: Duration,
}

impl Clock {
    /// Converts a time of the other machine to the time since the start of the command. A time before the
    /// start counts as the start.
    pub fn place(self, unix_ms: u64) -> Duration {
        let at = i128::try_from(self.at.as_micros()).unwrap_or(i128::MAX);
        let place = at + (i128::from(unix_ms) - i128::from(self.shows_unix_ms)) * 1000;
        Duration::from_micros(u64::try_from(place).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn another_clock() {
        let ahead = Clock { shows_unix_ms: 1_000_000, at: ms(400) };
        assert_eq!(ahead.place(1_000_100), ms(500));
        assert_eq!(ahead.place(999_700), ms(100));
        assert_eq!(ahead.place(5), Duration::ZERO);
    }

    #[test]
    fn the_summary_is_in_order_and_names_the_slowest() {
        let timing = Timing::start();
        timing.add(Step::new("b", ms(10), ms(30)).of("x"));
        timing.add(Step::new("a", ms(0), ms(10)));
        timing.add(Step::new("c", ms(20), ms(40)));
        timing.add(Step::new("backwards", ms(5), ms(1)));
        let json = serde_json::to_value(timing.summary()).unwrap();
        insta::assert_snapshot!(json, @r#"{"totalMs":40.0,"slowest":{"name":"b","subject":"x","beginMs":10.0,"endMs":30.0},"steps":[{"name":"a","beginMs":0.0,"endMs":10.0},{"name":"backwards","beginMs":5.0,"endMs":5.0},{"name":"b","subject":"x","beginMs":10.0,"endMs":30.0},{"name":"c","beginMs":20.0,"endMs":40.0}]}"#);
    }

    #[test]
    fn a_leg_that_is_given_up_counts_in_a_failure() {
        let timing = Timing::start();
        drop(timing.step("given up"));
        timing.step("done").end_of("it");
        timing.step("nothing to do").end_when_dropped(String::new()).cancel();
        let names = |summary: Summary| {
            let steps = summary.steps.into_iter().map(|step| (step.name, step.subject));
            steps.collect::<Vec<_>>()
        };
        let done = ("done".to_owned(), "it".to_owned());
        let failed = names(timing.failure().unwrap());
        assert_eq!(failed, [("given up, not finished".to_owned(), String::new()), done.clone()]);
        assert_eq!(names(timing.summary()), [done]);
        assert_eq!(timing.failure(), None, "it has been told");
    }
}

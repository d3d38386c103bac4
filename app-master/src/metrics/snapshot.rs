//! The values of all metrics at one moment. Pure: what was measured comes in as an argument.

use taskrunner::control::Memory;
use tokio::time::Instant;

use super::histogram::Histogram;
use super::jobs::{JobRead, JobsRead};
use super::state::{About, EndKind, State};
use super::table::{self, Metric};

/// The most bytes of a label's value that somebody else has chosen.
const LONGEST: usize = 100;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Number(f64),
    Durations(Histogram),
}

/// A value with its labels, in the order of [`Metric::labels`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: Value,
}

/// All values of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    pub(super) metric: &'static Metric,
    pub(super) samples: Vec<Sample>,
}

/// Smallest, largest and sum of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Aggregate {
    pub(super) count: u64,
    min: f64,
    max: f64,
    sum: f64,
}

impl Aggregate {
    pub(super) fn add(&mut self, number: f64) {
        let first = self.count == 0;
        self.min = if first { number } else { self.min.min(number) };
        self.max = if first { number } else { self.max.max(number) };
        self.sum += number;
        self.count += 1;
    }
}

/// What was measured for a snapshot. What could not be had is `None` or empty, and is left out.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The resident memory of heddle-am, in bytes.
    pub(super) own_memory: Option<u64>,
    pub(super) job_manager: Option<Memory>,
    /// Of the TaskManagers' JVMs, in bytes.
    pub(super) memory: Aggregate,
    pub(super) peak: Aggregate,
    /// The former as a part of the container's memory.
    pub(super) used: Aggregate,
    pub(super) jobs: Option<JobsRead>,
    /// Questions to Flink that were not answered, since the start.
    pub(super) unanswered: u64,
    pub(super) scrapes: u64,
    /// The time of day, in ms since 1970.
    pub(super) unix_ms: u64,
}

/// Makes the values of this moment.
pub(super) fn snapshot(about: &About, state: &State, measured: &Measured, now: Instant) -> Vec<Family> {
    let mut all = Families(Vec::new());
    application(&mut all, about, state, measured, now);
    task_managers(&mut all, state, measured, now);
    jobs(&mut all, measured);
    all.count(&table::UNANSWERED, measured.unanswered);
    all.count(&table::SCRAPES, measured.scrapes);
    all.0
}

struct Families(Vec<Family>);

impl Families {
    /// Adds the values of a metric, if there are any.
    fn add(&mut self, metric: &'static Metric, values: Vec<(Vec<String>, Value)>) {
        let sample = |(labels, value): (Vec<String>, Value)| {
            let labels = metric.labels.iter().copied().zip(labels).collect();
            Sample { labels, value }
        };
        let samples: Vec<Sample> = values.into_iter().map(sample).collect();
        if !samples.is_empty() {
            self.0.push(Family { metric, samples });
        }
    }

    fn count(&mut self, metric: &'static Metric, count: u64) {
        self.add(metric, vec![(Vec::new(), Value::Count(count))]);
    }

    fn number(&mut self, metric: &'static Metric, number: Option<f64>) {
        self.add(metric, number.map(|number| (Vec::new(), Value::Number(number))).into_iter().collect());
    }

    fn aggregate(&mut self, metric: &'static Metric, Aggregate { count, min, max, sum }: Aggregate) {
        let values = [("min", min), ("max", max), ("sum", sum)];
        // The sum of parts of different containers has no meaning.
        let values = values.into_iter().filter(|(name, _)| *metric != table::USED || *name != "sum");
        let values = values.map(|(name, number)| (vec![name.to_owned()], Value::Number(number)));
        self.add(metric, if count == 0 { Vec::new() } else { values.collect() });
    }
}

fn application(all: &mut Families, about: &About, state: &State, measured: &Measured, now: Instant) {
    let info = vec![
        about.application.clone(),
        clean(&about.name),
        about.mode.clone(),
        about.flink.clone(),
        env!("CARGO_PKG_VERSION").to_owned(),
    ];
    all.add(&table::INFO, vec![(info, Value::Number(1.0))]);
    all.number(&table::START, Some(seconds(about.started)));
    all.number(&table::ATTEMPT, Some(f64::from(about.attempt)));
    all.number(&table::OWN_MEMORY, measured.own_memory.map(float));
    let age = state.answered.map(|at| now.saturating_duration_since(at).as_secs_f64());
    all.number(&table::HEARTBEAT_AGE, age);
    all.count(&table::NO_ANSWERS, state.no_answers);
    all.number(&table::JOB_MANAGER_UP, Some(if state.rest.is_some() { 1.0 } else { 0.0 }));
    all.count(&table::JOB_MANAGER_RESTARTS, state.restarts);
    all.number(&table::JOB_MANAGER_MEMORY, measured.job_manager.map(|memory| float(memory.rss)));
    all.number(&table::JOB_MANAGER_PEAK, measured.job_manager.map(|memory| float(memory.peak_rss)));
}

fn task_managers(all: &mut Families, state: &State, measured: &Measured, now: Instant) {
    let requested = [("flink", state.requested), ("heddle", state.requested_ahead)];
    let requested = requested.map(|(by, count)| (vec![by.to_owned()], Value::Count(count)));
    all.add(&table::REQUESTED, requested.into());
    all.count(&table::CANCELLED, state.cancelled);
    all.count(&table::REFUSED, state.refused);
    all.count(&table::GRANTED, state.granted);
    all.count(&table::ADOPTED, state.adopted);
    all.count(&table::STARTED, state.started);
    // All causes are there from the beginning: Prometheus cannot tell the rise of what was not there before.
    let ended = EndKind::ALL.map(|kind| {
        let count = state.ended.get(&kind).copied().unwrap_or_default();
        (vec![kind.label().to_owned()], Value::Count(count))
    });
    all.add(&table::ENDED, ended.into());
    let states = state.states();
    let states = [("waiting", states.waiting), ("starting", states.starting), ("running", states.running)];
    let states = states.map(|(name, count)| (vec![name.to_owned()], Value::Number(count as f64)));
    all.add(&table::STATES, states.into());
    all.number(&table::LONGEST_WAIT, Some(state.longest_wait(now).as_secs_f64()));
    for (metric, times) in [(&table::GRANT_TIME, &state.grant_time), (&table::START_TIME, &state.start_time)]
    {
        all.add(metric, vec![(Vec::new(), Value::Durations(times.clone()))]);
    }
    let mut limit = Aggregate::default();
    state.live().filter(|(_, held)| held.memory > 0).for_each(|(_, held)| limit.add(float(held.memory)));
    all.aggregate(&table::MEMORY, measured.memory);
    all.aggregate(&table::PEAK, measured.peak);
    all.aggregate(&table::LIMIT, limit);
    all.aggregate(&table::USED, measured.used);
    all.number(&table::SAMPLED, Some(float(measured.memory.count)));
}

fn jobs(all: &mut Families, measured: &Measured) {
    let Some(JobsRead { states, jobs }) = &measured.jobs else { return };
    let states = states.iter().map(|(state, count)| (vec![clean(state)], Value::Number(float(*count))));
    all.add(&table::JOBS, states.collect());
    // Two of the same name are told apart by their ids.
    let labels = |job: &JobRead| vec![clean(&job.id), clean(&job.name)];
    let with = |job: &JobRead, last: &str| {
        let mut labels = labels(job);
        labels.push(clean(last));
        labels
    };
    let state = jobs.iter().map(|job| (with(job, &job.state), Value::Number(1.0)));
    all.add(&table::JOB_STATE, state.collect());
    let age = jobs.iter().filter_map(|job| {
        let age = measured.unix_ms.saturating_sub(job.checkpoints?.completed_at?);
        Some((labels(job), Value::Number(seconds(age))))
    });
    all.add(&table::CHECKPOINT_AGE, age.collect());
    let counts = jobs.iter().filter_map(|job| Some((job, job.checkpoints?)));
    let counts = counts.flat_map(|(job, counts)| {
        [("completed", counts.completed), ("failed", counts.failed)]
            .map(|(result, count)| (with(job, result), Value::Number(float(count))))
    });
    all.add(&table::CHECKPOINTS, counts.collect());
}

fn float(number: u64) -> f64 {
    number as f64
}

fn seconds(millis: u64) -> f64 {
    float(millis) / 1000.0
}

/// The text as a label's value: not too long, and without characters that would have to be written in another
/// way.
fn clean(text: &str) -> String {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let odd = |c: char| c == '"' || c == '\\' || c.is_control();
    text[..end].replace(odd, "_")
}

#[cfg(test)]
mod tests {
    use super::super::jobs::by_state;
    use super::*;

    #[test]
    fn an_aggregate_of_numbers() {
        let mut aggregate = Aggregate::default();
        for number in [5.0, 2.0, 7.0] {
            aggregate.add(number);
        }
        assert_eq!(aggregate, Aggregate { count: 3, min: 2.0, max: 7.0, sum: 14.0 });
    }

    #[test]
    fn labels_of_others_are_short_and_plain() {
        assert_eq!(clean("a \"b\"\\\n c"), "a _b___ c");
        assert_eq!(clean(&"ä".repeat(90)).chars().count(), 50);
    }

    #[test]
    fn each_sample_has_the_labels_of_its_metric() {
        let about = About::default();
        let job = JobRead { id: "j".into(), name: "n".into(), state: "RUNNING".into(), checkpoints: None };
        let jobs = JobsRead { states: by_state(["RUNNING"].into_iter()), jobs: vec![job] };
        let mut one = Aggregate::default();
        one.add(0.5);
        let measured =
            Measured { jobs: Some(jobs), memory: one, used: one, peak: one, ..Measured::default() };
        for family in snapshot(&about, &State::default(), &measured, Instant::now()) {
            for sample in family.samples {
                let names: Vec<&str> = sample.labels.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, family.metric.labels, "{}", family.metric.name);
            }
        }
    }
}

//! When each part of the start began and ended, for whoever waits for it (`Cluster.Timeline` of the control
//! protocol, which [`crate::cluster_service`] answers).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskrunner::control::{Step as StepMessage, TimelineReply};
use tokio::time::Instant;

use crate::clock;

/// Steps beyond this number are not kept: the first containers show what takes long.
const MOST: usize = 400;

/// A part of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Our own process, up to the start of the JobManager's.
    Master,
    /// From the start of the JobManager's process until it connects.
    JobManagerJvm,
    /// From there until its REST interface answers and its ResourceManager leads.
    JobManager,
    /// Registration with YARN.
    Registration,
    /// From the request for a TaskManager to its container.
    Asked,
    /// From the call to the NodeManager until the taskrunner connects.
    Container,
    /// From the launch command until the TaskManager's process runs.
    TaskManager,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Master => "ApplicationMaster",
            Self::JobManagerJvm => "JobManager JVM",
            Self::JobManager => "JobManager",
            Self::Registration => "registration with YARN",
            Self::Asked => "container asked for",
            Self::Container => "container starts",
            Self::TaskManager => "TaskManager JVM",
        }
    }
}

#[derive(Debug)]
struct Entry {
    step: Step,
    subject: String,
    begin: Instant,
    end: Option<Instant>,
}

#[derive(Debug, Default)]
struct Record {
    steps: Vec<Entry>,
    /// When TaskManagers were asked for, by the numbers of Flink's requests; none: those asked for ahead.
    asked: HashMap<Option<u64>, Instant>,
}

/// The record of the start; clones share it.
#[derive(Debug, Clone)]
pub struct Timeline {
    base: (Instant, Duration),
    record: Arc<Mutex<Record>>,
}

impl Timeline {
    /// An empty one: at `now` the clock on the wall shows `wall` since 1970.
    pub fn new(now: Instant, wall: Duration) -> Self {
        Self { base: (now, wall), record: Arc::default() }
    }

    /// The same by the system's clock.
    pub fn start() -> Self {
        Self::new(clock::now(), clock::since_1970())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part begins, unless it has begun already.
    pub fn begin(&self, step: Step, subject: &str, now: Instant) {
        self.record().note(step, subject, now, None);
    }

    /// It is over; nothing if it never began, or was over already.
    pub fn end(&self, step: Step, subject: &str, now: Instant) {
        let mut record = self.record();
        let open =
            record.steps.iter_mut().find(|e| e.step == step && e.subject == subject && e.end.is_none());
        if let Some(entry) = open {
            entry.end = Some(now);
        }
    }

    /// A TaskManager is asked for, by the number of Flink's request or ahead of it.
    pub fn asked(&self, request: Option<u64>, now: Instant) {
        let mut record = self.record();
        if record.steps.len() < MOST {
            record.asked.insert(request, now);
        }
    }

    /// The request, or what was asked for ahead, has got a container.
    pub fn granted(&self, request: Option<u64>, container: &str, now: Instant) {
        let mut record = self.record();
        let since = match request {
            Some(_) => record.asked.remove(&request),
            None => record.asked.get(&None).copied(),
        };
        if let Some(since) = since {
            record.note(Step::Asked, container, since, Some(now));
        }
    }

    /// All steps, in the order in which they began.
    pub(crate) fn reply(&self, now: Instant) -> TimelineReply {
        let unix = |at: Instant| {
            let wall = self.base.1 + at.saturating_duration_since(self.base.0);
            u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
        };
        let mut steps: Vec<StepMessage> = self
            .record()
            .steps
            .iter()
            .map(|entry| StepMessage {
                name: entry.step.name().to_owned(),
                subject: entry.subject.clone(),
                begin_unix_ms: unix(entry.begin),
                end_unix_ms: entry.end.map_or(0, unix),
            })
            .collect();
        steps.sort_by_key(|step| step.begin_unix_ms);
        TimelineReply { now_unix_ms: unix(now), steps }
    }
}

impl Record {
    fn note(&mut self, step: Step, subject: &str, begin: Instant, end: Option<Instant>) {
        let known = self.steps.iter().any(|entry| entry.step == step && entry.subject == subject);
        if !known && self.steps.len() < MOST {
            self.steps.push(Entry { step, subject: subject.to_owned(), begin, end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_by_the_clock_on_the_wall() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let timeline = Timeline::new(now, Duration::from_millis(1_000_000));
        timeline.begin(Step::Master, "", at(0));
        timeline.begin(Step::Master, "", at(5));
        timeline.asked(None, at(10));
        timeline.asked(Some(7), at(20));
        timeline.granted(Some(7), "c1", at(40));
        timeline.granted(None, "c2", at(50));
        timeline.granted(Some(8), "c3", at(60));
        timeline.end(Step::Master, "", at(30));
        timeline.end(Step::Master, "", at(90));
        timeline.begin(Step::Container, "c1", at(45));
        timeline.end(Step::JobManager, "", at(99));
        let reply = timeline.reply(at(100));
        let steps = reply.steps.iter().map(|step| {
            let since = |ms: u64| ms.saturating_sub(1_000_000);
            (step.name.as_str(), step.subject.as_str(), since(step.begin_unix_ms), since(step.end_unix_ms))
        });
        assert_eq!(
            steps.collect::<Vec<_>>(),
            [
                ("ApplicationMaster", "", 0, 30),
                ("container asked for", "c2", 10, 50),
                ("container asked for", "c1", 20, 40),
                ("container starts", "c1", 45, 0),
            ]
        );
        assert_eq!(reply.now_unix_ms, 1_000_100);
    }

    #[test]
    fn many_containers_need_no_more_room() {
        let now = Instant::now();
        let timeline = Timeline::new(now, Duration::ZERO);
        for n in 0..10_000 {
            timeline.asked(Some(n), now);
            timeline.granted(Some(n), &n.to_string(), now);
        }
        assert_eq!(timeline.reply(now).steps.len(), MOST);
        assert!(timeline.record().asked.is_empty());
    }
}

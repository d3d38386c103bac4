//! The life of the JobManager's JVM, as far as the ApplicationMaster has a say in it: when it is ready, how
//! long it may go on without its connection to us, and what its last word was. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use crate::jobmanager::JobManagerEnd;

/// For a JobManager that has lost its connection to end by itself; it halts after 15 s.
const DISCONNECTED_GRACE: Duration = Duration::from_secs(20);

/// What happens to the JobManager.
#[derive(Debug)]
pub(super) enum Input {
    /// It has connected.
    Connected,
    /// It can be used, and leads.
    Ready,
    /// Its connection has ended.
    Disconnected,
    /// Its last word: the application ends with this status and these diagnostics.
    Deregister(FinalStatus, String),
    /// Its JVM has ended.
    Ended(JobManagerEnd),
    /// Time has passed. `awaits_reasons`: YARN has not yet said why a container ended.
    Tick { awaits_reasons: bool },
}

/// What follows.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// It is ready for the first time.
    FirstReady,
    /// Send SIGKILL.
    Kill,
    /// The JVM has ended without a last word.
    Ended(JobManagerEnd),
    /// The application ends with its last word.
    Deregistered(FinalStatus, String),
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct JobManager {
    ready: bool,
    kill_at: Option<Instant>,
    /// It waits for YARN's reason for the end of a container: as a rule that is why the application ends, and
    /// Flink learns of the end before YARN tells the reason.
    last_word: Option<(FinalStatus, String)>,
}

impl JobManager {
    /// Whether it has said that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.kill_at
    }

    /// One step.
    pub(super) fn step(&mut self, input: Input, now: Instant) -> Option<Effect> {
        match input {
            Input::Connected => self.kill_at = None,
            Input::Ready => return (!std::mem::replace(&mut self.ready, true)).then_some(Effect::FirstReady),
            Input::Disconnected => self.kill_at = Some(now + DISCONNECTED_GRACE),
            Input::Deregister(status, diagnostics) => self.last_word = Some((status, diagnostics)),
            // Its last word counts, which waits for YARN's reason.
            Input::Ended(_) if self.last_word.is_some() => {}
            Input::Ended(end) => return Some(Effect::Ended(end)),
            Input::Tick { awaits_reasons } => {
                let due = |status: FinalStatus| !awaits_reasons || status == FinalStatus::Succeeded;
                if let Some((status, diagnostics)) = self.last_word.take_if(|(status, _)| due(*status)) {
                    return Some(Effect::Deregistered(status, diagnostics));
                }
                return self.kill_at.take_if(|at| now >= *at).map(|_| Effect::Kill);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_word_of_failure_waits_for_yarns_reason_and_success_does_not() {
        let now = Instant::now();
        let mut failed = JobManager::default();
        assert_eq!(failed.step(Input::Deregister(FinalStatus::Failed, "x".into()), now), None);
        assert_eq!(failed.step(Input::Tick { awaits_reasons: true }, now), None);
        let end = JobManagerEnd { summary: "code 1".into(), last_lines: String::new() };
        assert_eq!(failed.step(Input::Ended(end.clone()), now), None, "the last word counts");
        assert_eq!(
            failed.step(Input::Tick { awaits_reasons: false }, now),
            Some(Effect::Deregistered(FinalStatus::Failed, "x".into()))
        );
        let mut succeeded = JobManager::default();
        succeeded.step(Input::Deregister(FinalStatus::Succeeded, String::new()), now);
        let told = succeeded.step(Input::Tick { awaits_reasons: true }, now);
        assert_eq!(told, Some(Effect::Deregistered(FinalStatus::Succeeded, String::new())));
        assert_eq!(JobManager::default().step(Input::Ended(end.clone()), now), Some(Effect::Ended(end)));
    }

    #[test]
    fn it_is_killed_when_it_does_not_end_after_its_connection() {
        let now = Instant::now();
        let mut job_manager = JobManager::default();
        assert_eq!(job_manager.step(Input::Ready, now), Some(Effect::FirstReady));
        assert_eq!(job_manager.step(Input::Ready, now), None, "it may lead again");
        job_manager.step(Input::Disconnected, now);
        let at = job_manager.wake().unwrap();
        assert_eq!(job_manager.step(Input::Tick { awaits_reasons: false }, now), None);
        assert_eq!(job_manager.step(Input::Tick { awaits_reasons: false }, at), Some(Effect::Kill));
        assert_eq!(job_manager.wake(), None);
        job_manager.step(Input::Disconnected, now);
        job_manager.step(Input::Connected, now);
        assert_eq!(job_manager.wake(), None, "it is back");
    }
}

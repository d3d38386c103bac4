//! The JobManager's JVM, as far as the ApplicationMaster has a say in it: when it is ready, how long it may
//! go on without its connection to us, and how the application ends by what it said last. Pure: the time is
//! an argument.

use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::FinalStatus;

use super::event::{Action, Output};
use super::observation::Observation;
use crate::jobmanager::JobManagerEnd;

/// How long a JobManager that has lost its connection may take to end by itself. It halts after 15 s.
const DISCONNECTED_GRACE: Duration = Duration::from_secs(20);

/// What happens to the JobManager.
#[derive(Debug)]
pub(super) enum JobManagerInput {
    /// It has connected.
    Connected { flink: String, pid: u32 },
    /// It leads, and can be used. Its REST interface is at the URL `rest`; empty without one.
    Ready { rest: String, rpc: String },
    /// Its connection has ended.
    Disconnected { why: String },
    /// It tells of a failure.
    Failed { text: String },
    /// It has sent a message that this release does not know.
    UnknownMessage,
    /// It has deregistered: the application ends with this status and these diagnostics.
    Deregister(FinalStatus, String),
    /// Its JVM has ended.
    Ended(JobManagerEnd),
    /// Time has passed. `reason_pending`: YARN has not yet said why a container ended.
    Tick { reason_pending: bool },
}

/// What follows from it for the rest of the controller.
#[derive(Debug, PartialEq)]
pub(super) enum JobManagerEffect {
    /// It can be used; `first`: for the first time.
    Ready { rest: String, first: bool },
    /// Its JVM has ended, and it has not deregistered before.
    Ended(JobManagerEnd),
    /// The application ends, as it has deregistered it.
    Deregistered(FinalStatus, String),
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct JobManager {
    ready: bool,
    kill_at: Option<Instant>,
    /// What it has deregistered with. A failure waits here for YARN's reason for the end of a container,
    /// because as a rule that is why the application ends, and Flink sees the end before YARN tells the
    /// reason.
    deregistered: Option<(FinalStatus, String)>,
}

impl JobManager {
    /// Whether it has said that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The application's progress for YARN. Flink's own ApplicationMaster always says that it is done. Ours
    /// says so once the JobManager is ready: clients may see the application running before, and know by this
    /// when they can expect an answer.
    pub(super) fn progress(&self) -> f32 {
        if self.ready { 1.0 } else { 0.0 }
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.kill_at
    }

    /// One step.
    pub(super) fn step(
        &mut self,
        input: JobManagerInput,
        now: Instant,
        out: &mut Output,
    ) -> Option<JobManagerEffect> {
        match input {
            JobManagerInput::Connected { flink, pid } => {
                out.observe(Observation::JobManagerConnected { flink, pid });
                self.kill_at = None;
            }
            JobManagerInput::Ready { rest, rpc } => {
                out.observe(Observation::JobManagerReady { rest: rest.clone(), rpc });
                let first = !std::mem::replace(&mut self.ready, true);
                return Some(JobManagerEffect::Ready { rest, first });
            }
            JobManagerInput::Disconnected { why } => {
                out.observe(Observation::JobManagerDisconnected { why });
                self.kill_at = Some(now + DISCONNECTED_GRACE);
            }
            JobManagerInput::Failed { text } => out.observe(Observation::JobManagerFailure { text }),
            JobManagerInput::UnknownMessage => out.observe(Observation::UnknownMessage),
            JobManagerInput::Deregister(status, diagnostics) => {
                self.deregistered = Some((status, diagnostics));
            }
            // How it has deregistered counts, and may still wait for YARN's reason.
            JobManagerInput::Ended(_) if self.deregistered.is_some() => {}
            JobManagerInput::Ended(end) => return Some(JobManagerEffect::Ended(end)),
            JobManagerInput::Tick { reason_pending } => {
                let due = |status: FinalStatus| !reason_pending || status == FinalStatus::Succeeded;
                if let Some((status, diagnostics)) = self.deregistered.take_if(|(status, _)| due(*status)) {
                    return Some(JobManagerEffect::Deregistered(status, diagnostics));
                }
                if self.kill_at.take_if(|at| now >= *at).is_some() {
                    out.act(Action::KillJobManager);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step; gives what follows, and what is done.
    fn step(
        job_manager: &mut JobManager,
        input: JobManagerInput,
        now: Instant,
    ) -> (Option<JobManagerEffect>, Vec<Action>) {
        let mut out = Output::default();
        (job_manager.step(input, now, &mut out), out.actions)
    }

    fn tick(reason_pending: bool) -> JobManagerInput {
        JobManagerInput::Tick { reason_pending }
    }

    #[test]
    fn a_failure_waits_for_yarns_reason_and_success_does_not() {
        let now = Instant::now();
        let mut failed = JobManager::default();
        let deregister = JobManagerInput::Deregister(FinalStatus::Failed, "x".into());
        assert_eq!(step(&mut failed, deregister, now), (None, vec![]));
        assert_eq!(step(&mut failed, tick(true), now), (None, vec![]));
        let end = JobManagerEnd { summary: "code 1".into(), last_lines: String::new() };
        let ended = || JobManagerInput::Ended(end.clone());
        assert_eq!(step(&mut failed, ended(), now), (None, vec![]), "how it has deregistered counts");
        let told = Some(JobManagerEffect::Deregistered(FinalStatus::Failed, "x".into()));
        assert_eq!(step(&mut failed, tick(false), now), (told, vec![]));
        let mut succeeded = JobManager::default();
        step(&mut succeeded, JobManagerInput::Deregister(FinalStatus::Succeeded, String::new()), now);
        let told = Some(JobManagerEffect::Deregistered(FinalStatus::Succeeded, String::new()));
        assert_eq!(step(&mut succeeded, tick(true), now), (told, vec![]));
        let silent = step(&mut JobManager::default(), ended(), now);
        assert_eq!(silent, (Some(JobManagerEffect::Ended(end.clone())), vec![]));
    }

    #[test]
    fn it_is_killed_when_it_does_not_end_after_its_connection() {
        let now = Instant::now();
        let mut job_manager = JobManager::default();
        let ready = || JobManagerInput::Ready { rest: "u".into(), rpc: String::new() };
        let disconnected = || JobManagerInput::Disconnected { why: String::new() };
        let effect = |first| Some(JobManagerEffect::Ready { rest: "u".into(), first });
        assert_eq!(job_manager.progress(), 0.0);
        assert_eq!(step(&mut job_manager, ready(), now).0, effect(true));
        assert_eq!(step(&mut job_manager, ready(), now).0, effect(false), "it may lead again");
        assert_eq!(job_manager.progress(), 1.0);
        step(&mut job_manager, disconnected(), now);
        let at = job_manager.wake().unwrap();
        assert_eq!(step(&mut job_manager, tick(false), now), (None, vec![]));
        assert_eq!(step(&mut job_manager, tick(false), at), (None, vec![Action::KillJobManager]));
        assert_eq!(job_manager.wake(), None);
        step(&mut job_manager, disconnected(), now);
        step(&mut job_manager, JobManagerInput::Connected { flink: String::new(), pid: 1 }, now);
        assert_eq!(job_manager.wake(), None, "it is back");
    }
}

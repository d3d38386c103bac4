//! How the ApplicationMaster ends: what YARN is told, what is stopped, what is removed, and the exit code.
//! All of that is decided here.
//!
//! The per-application directory is removed only when no further attempt can need it: after a successful
//! unregistration, or when the ResourceManager itself says that the application has ended. The attempt's
//! number alone would not do after SIGTERM: YARN does not count an attempt that it ended itself (preemption,
//! lost node, NodeManager restart), so even the "last" one may be followed by another.

use taskrunner::exit::{DONE, FAILED, TERMINATED};
use yarn_api::records::FinalStatus;

use super::event::Cause;

/// What is known when the end comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// This attempt's number, from 1.
    pub(crate) attempt: u32,
    /// How many the application has.
    pub(crate) max_attempts: u32,
    /// Whether YARN counts only what failed within a short time
    /// (`yarn.application-attempt-failures-validity-interval`), and jobs are recovered: then the number does
    /// not say which attempt is the last one.
    pub(crate) high_availability: bool,
}

/// When the per-application directory goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CleanUp {
    /// Once YARN has stored the final status.
    AfterUnregister,
    /// Once the ResourceManager reports the application as ended, if that comes in time.
    IfApplicationOver,
    /// The next attempt needs it, or nobody can tell; `heddle gc` finds what is left.
    Never,
}

/// What the JobManager is told of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobManagerNotice {
    /// `deregistered`, after the unregistration; it ends by itself.
    Deregistered,
    /// `fatal`; it ends by itself.
    Fatal,
    /// SIGTERM.
    Terminate,
    /// It is gone already.
    None,
}

/// The plan for the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// Final status and diagnostics for YARN. None: YARN decides, and starts another attempt if one is left.
    pub(crate) unregister: Option<(FinalStatus, String)>,
    pub(crate) notice: JobManagerNotice,
    /// TaskManagers are stopped; else they stay for the next attempt, or YARN stops them.
    pub(crate) stop_task_managers: bool,
    pub(crate) clean_up: CleanUp,
    pub(crate) exit_code: u8,
    /// One line for the log and for `fatal`.
    pub(crate) message: String,
}

/// Decides how the ApplicationMaster ends.
pub(crate) fn decide(cause: &Cause, situation: Situation) -> End {
    let Situation { attempt, max_attempts, high_availability } = situation;
    let last = attempt >= max_attempts && !high_availability;
    let failure = |message: String, notice| {
        let message = if last {
            message
        } else if high_availability {
            format!("attempt {attempt}, YARN decides whether another one follows: {message}")
        } else {
            format!("attempt {attempt} of {max_attempts}, YARN starts another: {message}")
        };
        End {
            unregister: last.then(|| (FinalStatus::Failed, message.clone())),
            notice,
            stop_task_managers: last,
            clean_up: if last { CleanUp::AfterUnregister } else { CleanUp::Never },
            exit_code: FAILED,
            message,
        }
    };
    match cause {
        Cause::Deregistered { status, diagnostics } => End {
            unregister: Some((*status, diagnostics.clone())),
            notice: JobManagerNotice::Deregistered,
            stop_task_managers: true,
            clean_up: CleanUp::AfterUnregister,
            exit_code: DONE,
            message: format!("the application ends with the status {status}"),
        },
        // Another attempt would be refused, too.
        Cause::NoTaskManagers(why) => End {
            unregister: Some((FinalStatus::Failed, why.clone())),
            notice: JobManagerNotice::Fatal,
            stop_task_managers: true,
            clean_up: CleanUp::AfterUnregister,
            exit_code: DONE,
            message: why.clone(),
        },
        Cause::JobManagerEnded(how) => failure(how.clone(), JobManagerNotice::None),
        Cause::Internal(why) => {
            failure(format!("The ApplicationMaster failed: {why}"), JobManagerNotice::Fatal)
        }
        Cause::Terminated => End {
            unregister: None,
            notice: JobManagerNotice::Terminate,
            stop_task_managers: false,
            clean_up: CleanUp::IfApplicationOver,
            exit_code: TERMINATED,
            message: "SIGTERM: YARN ends this container".to_owned(),
        },
        Cause::AttemptOver(why) => End {
            unregister: None,
            notice: JobManagerNotice::Fatal,
            stop_task_managers: false,
            clean_up: CleanUp::IfApplicationOver,
            exit_code: FAILED,
            message: format!("for the ResourceManager this attempt is over: {why}"),
        },
        Cause::ResourceManagerLost(why) => End {
            unregister: None,
            notice: JobManagerNotice::Fatal,
            stop_task_managers: false,
            clean_up: CleanUp::Never,
            exit_code: FAILED,
            message: format!("the ResourceManager cannot be reached any more: {why}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Situation = Situation { attempt: 1, max_attempts: 2, high_availability: false };
    const LAST: Situation = Situation { attempt: 2, ..FIRST };

    /// Final status, what the JobManager is told, whether TaskManagers are stopped, clean-up, exit code.
    type Row = (Option<FinalStatus>, JobManagerNotice, bool, CleanUp, u8);

    fn row(cause: &Cause, situation: Situation) -> Row {
        let end = decide(cause, situation);
        (
            end.unregister.map(|(status, _)| status),
            end.notice,
            end.stop_task_managers,
            end.clean_up,
            end.exit_code,
        )
    }

    #[test]
    fn the_table() {
        use CleanUp::{AfterUnregister, IfApplicationOver, Never};
        let failed = Some(FinalStatus::Failed);
        let text = || "x".to_owned();
        for status in
            [FinalStatus::Succeeded, FinalStatus::Failed, FinalStatus::Killed, FinalStatus::Undefined]
        {
            let cause = Cause::Deregistered { status, diagnostics: text() };
            for situation in [FIRST, LAST] {
                let wanted = (Some(status), JobManagerNotice::Deregistered, true, AfterUnregister, 0);
                assert_eq!(row(&cause, situation), wanted);
            }
        }
        let table: [(Cause, Row, Row); 6] = [
            (
                Cause::NoTaskManagers(text()),
                (failed, JobManagerNotice::Fatal, true, AfterUnregister, 0),
                (failed, JobManagerNotice::Fatal, true, AfterUnregister, 0),
            ),
            (
                Cause::JobManagerEnded(text()),
                (None, JobManagerNotice::None, false, Never, 1),
                (failed, JobManagerNotice::None, true, AfterUnregister, 1),
            ),
            (
                Cause::Internal(text()),
                (None, JobManagerNotice::Fatal, false, Never, 1),
                (failed, JobManagerNotice::Fatal, true, AfterUnregister, 1),
            ),
            (
                Cause::Terminated,
                (None, JobManagerNotice::Terminate, false, IfApplicationOver, 143),
                (None, JobManagerNotice::Terminate, false, IfApplicationOver, 143),
            ),
            (
                Cause::AttemptOver(text()),
                (None, JobManagerNotice::Fatal, false, IfApplicationOver, 1),
                (None, JobManagerNotice::Fatal, false, IfApplicationOver, 1),
            ),
            (
                Cause::ResourceManagerLost(text()),
                (None, JobManagerNotice::Fatal, false, Never, 1),
                (None, JobManagerNotice::Fatal, false, Never, 1),
            ),
        ];
        for (cause, first, last) in table {
            assert_eq!(row(&cause, FIRST), first, "{cause:?} at the first attempt");
            assert_eq!(row(&cause, LAST), last, "{cause:?} at the last attempt");
            // YARN does not count what failed long ago: no attempt knows that it is the last one.
            for attempt in [1, 2, 7] {
                let situation = Situation { attempt, high_availability: true, ..FIRST };
                assert_eq!(row(&cause, situation), first, "{cause:?} with high availability");
            }
        }
    }

    #[test]
    fn yarn_hears_how_the_job_manager_ended() {
        let cause = Cause::JobManagerEnded("The JobManager ended: exit code 1: no main class".into());
        let (status, diagnostics) = decide(&cause, LAST).unregister.unwrap();
        assert_eq!(status, FinalStatus::Failed);
        assert_eq!(diagnostics, "The JobManager ended: exit code 1: no main class");
        assert!(decide(&cause, FIRST).message.contains("attempt 1 of 2"));
    }
}

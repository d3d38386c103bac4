//! Defines how a command ends: the exit codes and their meanings. They are in one place, so that the
//! documentation, which is generated from it, agrees with the code.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use diagnosis::Standing;

use crate::interrupt::{Cause, Signal};

/// How a command ends. It becomes the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command has done what was asked.
    Done,
    /// The command has failed. The standard error stream says why.
    Failed,
    /// The program that read the standard output has closed it.
    ClosedPipe,
    /// A signal has interrupted this process.
    Interrupted(Signal),
    /// A defect of heddle has ended this process. No command returns this.
    Aborted,
    /// The JVM with the user's `main()` has ended with this exit code.
    Jvm(u8),
    /// The command has done what was asked, and this code is a part of its answer.
    Answer(u8),
}

impl Exit {
    /// How `heddle why` ends if it has found no cause.
    pub const NOTHING_FOUND: Self = Self::Answer(3);

    /// How `heddle status` ends for an application in this state; [`STATUS_CODES`] has the meanings.
    pub fn of_standing(standing: Standing) -> Self {
        match standing {
            Standing::Running | Standing::Succeeded => Self::Done,
            Standing::Waiting | Standing::Starting | Standing::Ending => Self::Answer(3),
            Standing::Failed => Self::Answer(4),
            Standing::Killed => Self::Answer(5),
            Standing::Ended => Self::Answer(6),
            Standing::Unknown => Self::Answer(7),
        }
    }

    /// Whether the command has done what was asked, so that the code tells of no error.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Done | Self::Answer(_))
    }

    /// The exit of a JVM on this machine. If a signal has ended the JVM, the code is 128 plus the number of
    /// the signal, as in a shell.
    pub fn of_jvm(status: ExitStatus) -> Self {
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        u8::try_from(code).map_or(Self::Failed, Self::Jvm)
    }

    /// Done if `done` is true, else failed.
    pub fn done_if(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            // A shell reports a program that SIGPIPE has ended with 128 plus the number of SIGPIPE.
            Self::ClosedPipe => 141,
            Self::Interrupted(signal) => 128 + signal.number(),
            // SIGABRT, by which a program ends that panics.
            Self::Aborted => 134,
            Self::Jvm(code) | Self::Answer(code) => code,
        }
    }
}

impl From<Cause> for Exit {
    /// How a command ends that was given up for this cause.
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Signal(signal) => Self::Interrupted(signal),
            Cause::MainEnded(code) => Self::Jvm(code),
            Cause::CallerGone => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The meanings of the exit codes, for the documentation. `None` stands for any other code.
pub const MEANINGS: &[(Option<Exit>, &str)] = &[
    (Some(Exit::Done), "What was asked for was done."),
    (
        Some(Exit::Failed),
        "It was not done. An `error:` line says why, `hint:` lines what can be done. A command line that makes no sense ends with 1 too, and so does a command whose output cannot be written (a full disk).",
    ),
    (
        Some(Exit::ClosedPipe),
        "Whoever read the standard output has gone away before its end, as `head` does. heddle ends without a message. A deployment goes on to its end all the same.",
    ),
    (
        Some(Exit::Interrupted(Signal::Interrupt)),
        "The command was interrupted by SIGINT (Ctrl-C), in every mode, and also when only the client got the signal. The `error:` line says what became of the deployment, or what goes on without the client, and a `hint:` how to stop that.",
    ),
    (Some(Exit::Interrupted(Signal::Terminate)), "The same by SIGTERM."),
    (
        Some(Exit::Interrupted(Signal::Hangup)),
        "The same by SIGHUP: the terminal is gone. Under `nohup` that signal has no effect.",
    ),
    (
        Some(Exit::Aborted),
        "heddle itself has a defect, which has ended it. The `error:` line says where; what was started may still run.",
    ),
    (
        None,
        "`main()` ran on this machine, and this is what its JVM ended with: the number of `System.exit`, or 128 and the number of the signal that ended the JVM (137: SIGKILL).",
    ),
];

/// When a command ends with 0, for the documentation. Each command of the command line is in exactly one row.
pub const DONE_WHEN: &[(&[&str], &str)] = &[
    (
        &["session"],
        "`-d`: the session is ready. Attached: it was stopped from here, or has ended well; 1 if it has failed or was killed, or if the ResourceManager has not answered for two minutes, or for as long as the cluster's configuration says. Attached and interrupted: the session is stopped, and the code is that of the interruption.",
    ),
    (
        &["run", "info"],
        "Flink's own client ends with 0: the job has finished, or with `-d` has been submitted. `System.exit(n)` in `main()` gives n. A `main()` that still runs two minutes after its cluster has failed is ended, which gives 1. With `--main cluster`: the job has finished, or was submitted. On `yarn-application` as `run-application`.",
    ),
    (
        &["run-application"],
        "The application runs, or has already succeeded. With `--attached`: it has ended with the final status SUCCEEDED. An interruption leaves it running.",
    ),
    (&["list", "ps"], "The list was printed; it may be empty."),
    (
        &["status"],
        "The application runs or has succeeded. Each other state has a code of its own, in the table below. 1 if the command could not ask at all, for example because there is no Hadoop configuration.",
    ),
    (
        &["why"],
        "A cause was found. 3 if none was found, also because the application runs or has succeeded. 1 if the command could not ask at all, or the file of `--bundle` could not be written.",
    ),
    (
        &["logs"],
        "There are such logs, and they were shown or listed; `warning:` lines say of what is missing why. With `-f`: the application has ended. 1 if there are none, or if one of them could not be read to its end.",
    ),
    (
        &["kill"],
        "YARN says that each of the applications has ended, some perhaps before the command. 1 if one of them is not known or could not be killed; the others are killed all the same.",
    ),
    (
        &["sd"],
        "What is to be scraped was printed or written; the list may be empty. With `--listen` or `--interval` it runs until it is interrupted. 1 if the ResourceManager does not answer, if the file cannot be written, or if the address is taken.",
    ),
    (&["explain-exit"], "The numbers and names were explained. 1 if a name is not known."),
    (&["cancel"], "The job was told to cancel."),
    (
        &["stop", "savepoint", "checkpoint"],
        "The savepoint or checkpoint is complete, or disposed of; with `--detached`: it was triggered.",
    ),
    (&["gc"], "All that was found could be judged and, with `--delete`, removed."),
    (
        &["store"],
        "The files are in the store, or the list was printed. `verify`: no file was found to be damaged.",
    ),
    (&["adopt"], "The directory was made, or is up to date."),
    (&["memory"], "Flink and YARN would accept the sizes."),
    (&["completion", "man"], "It was printed or written."),
];

/// When a command ends with 0 if it has this option, which several commands have.
pub const DONE_WHEN_OPTION: &[(&str, &str)] = &[
    ("--dry-run", "The deployment passes all checks; nothing was submitted."),
    ("--timeout", "1 if the cluster was not ready in time; the application was killed."),
    ("--submission", "0 too if the application of that name is alive or has succeeded; nothing was started."),
    ("--help", "Always 0."),
];

/// What `heddle status` ends with, for the documentation.
pub const STATUS_CODES: &[(u8, &str)] = &[
    (0, "RUNNING, or SUCCEEDED: it has ended and has done its work."),
    (
        3,
        "WAITING for its ApplicationMaster's container, STARTING, or ENDING: it has told how it ends, and YARN is still tidying up. Ask again.",
    ),
    (4, "FAILED: it has ended, and has failed."),
    (5, "KILLED: it was killed or cancelled."),
    (6, "ENDED: it has ended, and nobody knows how."),
    (
        7,
        "UNKNOWN: no witness knows it, or those who may know it do not answer. The lines of the witnesses say which.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_code() {
        for standing in [
            Standing::Waiting,
            Standing::Starting,
            Standing::Running,
            Standing::Ending,
            Standing::Succeeded,
            Standing::Failed,
            Standing::Killed,
            Standing::Ended,
            Standing::Unknown,
        ] {
            let exit = Exit::of_standing(standing);
            let row = STATUS_CODES.iter().find(|(code, _)| *code == exit.code());
            assert!(row.is_some_and(|(_, meaning)| meaning.contains(standing.text())), "{standing:?}");
            assert!(exit.is_answer(), "{standing:?}");
        }
        assert!(!Exit::Failed.is_answer() && !Exit::Jvm(3).is_answer());
    }

    #[test]
    fn each_end_has_a_meaning() {
        let told: Vec<u8> = MEANINGS.iter().filter_map(|(exit, _)| *exit).map(Exit::code).collect();
        let ends = [Exit::Done, Exit::Failed, Exit::ClosedPipe, Exit::Aborted];
        for exit in ends.into_iter().chain(Signal::ALL.into_iter().map(Exit::Interrupted)) {
            assert!(told.contains(&exit.code()), "{exit:?}");
        }
    }

    #[test]
    fn of_a_jvm() {
        let of = |raw| Exit::of_jvm(ExitStatus::from_raw(raw));
        assert_eq!(of(0).code(), 0);
        assert_eq!(of(3 << 8), Exit::Jvm(3));
        assert_eq!(of(15), Exit::Jvm(143));
    }
}

//! Represents what ends a command before its work is done: a signal to this process, the end of the user's
//! `main()`, or the end of the program for which the work is done. The work of a command is told of it
//! through a value, so that it can undo what it has done.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// A signal that asks a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP, which a process gets when its terminal is closed.
    Hangup,
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// SIGTERM, which schedulers and the shell's `kill` send.
    Terminate,
}

impl Signal {
    /// All signals.
    pub const ALL: [Self; 3] = [Self::Hangup, Self::Interrupt, Self::Terminate];

    /// The kernel's number of the signal.
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }

    /// The name of the signal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Why the work of a command is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This process has received a signal.
    Signal(Signal),
    /// The JVM with the user's `main()` has ended with this code, and no job was submitted.
    MainEnded(u8),
    /// The program that has asked for the work has ended, or does not want it any more.
    CallerGone,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "interrupted by {}", signal.name()),
            Self::MainEnded(code) => {
                write!(f, "main() ended with exit code {code} without submitting a job")
            }
            Self::CallerGone => f.write_str("the calling program has gone"),
        }
    }
}

/// A switch by which the work of a command is given up. All clones are the same switch; only the first cause
/// counts.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    token: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
}

impl Interrupt {
    /// Gives the work up for this cause.
    pub fn raise(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// The cause, if the work was given up.
    pub fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Waits until the work is given up, and returns the cause.
    pub async fn raised(&self) -> Cause {
        self.token.cancelled().await;
        match self.cause() {
            Some(cause) => cause,
            // The cause is set before the token is cancelled, so it is there by now.
            None => std::future::pending().await,
        }
    }

    /// Does the work, and returns the cause instead if the work is given up before it is done.
    pub async fn unless_raised<T>(&self, work: impl Future<Output = T>) -> Result<T, Cause> {
        tokio::select! {
            biased;
            cause = self.raised() => Err(cause),
            done = work => Ok(done),
        }
    }
}

/// The signals that this process ignores, according to `status`, the text of `/proc/self/status`. A program
/// such as `nohup` has started this process in such a way that these signals have no effect.
pub fn ignored(status: &str) -> Vec<Signal> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    Signal::ALL.into_iter().filter(|signal| mask >> (signal.number() - 1) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn each_signal_has_the_exit_code_of_a_shell() {
        let codes = Signal::ALL.map(|signal| Exit::from(Cause::Signal(signal)).code());
        assert_eq!(codes, [129, 130, 143]);
        assert_eq!(Exit::from(Cause::MainEnded(3)).code(), 3);
        assert_eq!(Exit::from(Cause::CallerGone), Exit::Failed);
    }

    #[tokio::test]
    async fn the_first_cause_counts() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.unless_raised(async { 1 }).await, Ok(1));
        interrupt.clone().raise(Cause::Signal(Signal::Hangup));
        interrupt.raise(Cause::MainEnded(3));
        assert_eq!(interrupt.cause(), Some(Cause::Signal(Signal::Hangup)));
        assert_eq!(interrupt.unless_raised(async { 1 }).await, Err(Cause::Signal(Signal::Hangup)));
    }

    #[test]
    fn what_nohup_ignores() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t1"), [Signal::Hangup]);
        assert_eq!(ignored("SigIgn:\t0000000000001006"), [Signal::Interrupt]);
        assert_eq!(ignored("SigIgn:\t0000000000001000"), []);
        assert_eq!(ignored(""), []);
    }
}

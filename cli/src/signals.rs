//! Turns the signals that end a command into an [`Interrupt`].

use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::interrupt;
use yarn_client::interrupt::{Cause, Interrupt, Signal};

use super::console::Console;

/// An interruption that Ctrl-C, SIGTERM and SIGHUP raise. A signal that this process has inherited as
/// ignored, as with `nohup`, stays ignored.
pub(crate) fn on_signals() -> Result<Interrupt, Failure> {
    on(&Signal::ALL)
}

/// Does work that a signal may simply end. After a login with Kerberos, and if a program reads the answer,
/// the process must not end at once then: the command fails, which cancels the tokens that it has fetched,
/// and is the answer. Otherwise the signal ends the process.
pub(crate) async fn unless_signalled<T>(
    context: &Context,
    console: &Console,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let signalled = async {
        if !console.is_json() {
            context.logins.used().await;
        }
        match on_signals() {
            Ok(interrupt) => Failure::interrupted(interrupt.raised().await, "the command was given up"),
            Err(failure) => failure,
        }
    };
    tokio::select! {
        biased;
        failure = signalled => Err(failure),
        done = work => done,
    }
}

/// An interruption that these signals raise.
pub(crate) fn on(signals: &[Signal]) -> Result<Interrupt, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = Interrupt::default();
    let ignored = interrupt::ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    for kind in signals.iter().copied().filter(|kind| !ignored.contains(kind)) {
        let mut signals = signal(SignalKind::from_raw(kind.number().into()))
            .map_err(|e| Failure::because("cannot listen for signals", e))?;
        let interrupt = interrupt.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupt.raise(Cause::Signal(kind));
            }
        });
    }
    Ok(interrupt)
}

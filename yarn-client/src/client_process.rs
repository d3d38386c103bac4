//! The JVM of Flink's own client, as a child of ours.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// For a JVM to end after SIGTERM.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Starts Flink's client; it does not outlive its handle.
pub(crate) fn spawn(command: std::process::Command) -> Result<Child, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Command::from(command).kill_on_drop(true).spawn();
    started.map_err(|e| Failure::because(format!("cannot start {program}"), e))
}

/// Waits for the JVM. An interruption is passed on to it: on a terminal it has had it already, from a script it has not.
pub(crate) async fn end(jvm: &mut Child, interrupt: &CancellationToken) -> Result<ExitStatus, Failure> {
    let failed = |e| Failure::because("cannot wait for Flink's client", e);
    tokio::select! {
        status = jvm.wait() => return status.map_err(failed),
        () = interrupt.cancelled() => {}
    }
    terminate(jvm);
    jvm.wait().await.map_err(failed)
}

/// Ends the JVM: by SIGTERM, and if that does not help by SIGKILL.
pub(crate) async fn stop(jvm: &mut Child) {
    terminate(jvm);
    if tokio::time::timeout(END_WITHIN, jvm.wait()).await.is_err() {
        let _ = jvm.kill().await;
    }
}

fn terminate(jvm: &Child) {
    let pid = jvm.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "the JVM cannot be told to end");
    }
}

//! A `main()` that runs elsewhere, such as in the JVM that has started this program. Whoever runs it submits
//! the jobs to the JobManager itself, and tells when it has ended.

use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use flink_rest::RestAddress;
use tokio::sync::watch;
use yarn_api::records::FinalStatus;

use super::course::Course;
use super::end::ApplicationEnd;
use super::running::{Ended, SubmitsJobs};
use crate::client_process::JvmEnd;
use crate::client_run::{self, RunsMain};
use crate::deploy::{ClusterManifest, Deployer, Deployment};
use crate::error::Failure;
use crate::exit::Exit;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;

/// Somebody who runs `main()`, and wants a cluster for it.
pub struct Caller<'a> {
    /// Is called once, as soon as jobs can be submitted to the JobManager.
    pub ready: &'a (dyn Fn(&Deployment) + Sync),
    /// Ends when `main()` has ended, with its exit code. If that comes before the cluster is ready, nobody
    /// needs the cluster any more.
    pub end: Pin<Box<dyn Future<Output = u8> + Send + 'a>>,
}

/// `main()` as its caller tells of it.
struct Elsewhere<'a> {
    caller: Caller<'a>,
    is_ready: bool,
}

/// An end with this exit code.
fn ended(code: u8, interrupted: Option<Cause>) -> JvmEnd {
    JvmEnd { status: ExitStatus::from_raw(i32::from(code) << 8), interrupted, errors: String::new() }
}

impl RunsMain for Elsewhere<'_> {
    async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure> {
        Ok(tokio::select! {
            biased;
            cause = interrupt.raised() => ended(Exit::from(cause).code(), Some(cause)),
            code = &mut self.caller.end => {
                // A caller that does not want its cluster any more is no failure of `main()`.
                ended(code, (!self.is_ready).then_some(Cause::CallerGone))
            }
        })
    }

    async fn stop(&mut self) -> Result<JvmEnd, Failure> {
        Ok(ended(0, None))
    }

    /// The caller has a connection of its own to the cluster, so nothing is left to do for it.
    fn outlives(_: FinalStatus) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl SubmitsJobs for Elsewhere<'_> {
    fn ready(&mut self, deployment: &Deployment, _: watch::Receiver<RestAddress>, _: &ApplicationEnd) {
        self.is_ready = true;
        (self.caller.ready)(deployment);
    }

    async fn outcome(&mut self, _: &Deployment, ended: &client_run::Ended) -> Result<Exit, Failure> {
        Ok(match &ended.application_over {
            Some(last) => Exit::done_if(last.final_status == FinalStatus::Succeeded),
            None => Exit::of_jvm(ended.end.status),
        })
    }

    fn early_failure(&self, ended: &JvmEnd) -> Failure {
        Failure::new(format!("main() ended with exit code {}", Exit::of_jvm(ended.status).code()))
    }
}

/// Starts a cluster for a caller's `main()`, and waits for the end of both. The exit code of the result is
/// the one that the caller has told, or [`Exit::Failed`] if the application ended before and has not
/// succeeded. If the caller ends before the cluster is ready, or `interrupt` gives up by then, and after any
/// other failure until then, nothing is left in YARN or HDFS. An interruption later leaves the jobs running,
/// and the cluster ends with the last of them.
pub async fn run_for_caller(
    deployer: &Deployer,
    manifest: &ClusterManifest,
    caller: Caller<'_>,
    report: Arc<dyn Report>,
    interrupt: &Interrupt,
) -> Result<Ended, Failure> {
    let mut main = Elsewhere { caller, is_ready: false };
    let lost = Arc::default();
    let course = Course { deployer, manifest, report, interrupt, lost, detached: false, timed: false };
    Box::pin(course.run(&mut main, None)).await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::interrupt::Signal;

    fn nothing(_: &Deployment) {}

    fn elsewhere<'a>(end: impl Future<Output = u8> + Send + 'a, is_ready: bool) -> Elsewhere<'a> {
        Elsewhere { caller: Caller { ready: &nothing, end: Box::pin(end) }, is_ready }
    }

    async fn end_of(mut main: Elsewhere<'_>, interrupt: &Interrupt) -> (u8, Option<Cause>) {
        let ended = main.end(interrupt).await.unwrap();
        (Exit::of_jvm(ended.status).code(), ended.interrupted)
    }

    #[tokio::test]
    async fn a_caller_that_ends_before_its_cluster_is_ready_is_gone() {
        let nobody = Interrupt::default();
        assert_eq!(end_of(elsewhere(ready(0), false), &nobody).await, (0, Some(Cause::CallerGone)));
        assert_eq!(end_of(elsewhere(ready(0), true), &nobody).await, (0, None));
        assert_eq!(end_of(elsewhere(ready(3), true), &nobody).await, (3, None));
    }

    #[tokio::test]
    async fn a_signal_does_not_wait_for_the_caller() {
        let interrupt = Interrupt::default();
        let cause = Cause::Signal(Signal::Terminate);
        interrupt.raise(cause);
        for is_ready in [false, true] {
            assert_eq!(end_of(elsewhere(pending(), is_ready), &interrupt).await, (143, Some(cause)));
        }
    }
}

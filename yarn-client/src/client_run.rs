//! A run of Flink's own client on a cluster: it is waited for, and so is the end of the cluster's
//! application, which would explain its failure.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::with_extract;
use crate::client_process::{Jvm, JvmEnd};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;
use crate::target::Cluster;
use crate::timing::Timing;
use crate::{client_failure, follow, memory_kills, timing};

/// Pause between two questions for the application's report.
const LOOK: Duration = Duration::from_secs(3);
/// For `main()` to end once its cluster has failed. Flink's client tries for more than a minute to reach a
/// JobManager that is gone, and what it throws then may be caught by the program, whose affair that is.
const OUTLIVE: Duration = Duration::from_secs(120);
/// The ResourceManager's answer is waited for so long once the JVM has failed.
const ANSWER: Duration = Duration::from_secs(3);

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// How the JVM ended.
    pub end: JvmEnd,
    /// The application had ended by then.
    pub application_over: Option<ApplicationReport>,
    /// The JVM was ended because its application had failed.
    pub stopped: bool,
}

impl Ended {
    /// Whether the program did what it should. One that is ended because its cluster has failed may say that
    /// all is well.
    pub fn is_success(&self) -> bool {
        self.end.status.success() && !self.stopped
    }

    /// Why it failed; `log` is the file that Flink's client logs to. The end of the application explains all
    /// that Flink's client tells.
    pub fn failure(&self, log: &Path) -> Failure {
        let failure = client_failure::failure(self.end.status, &self.end.errors, log);
        match &self.application_over {
            Some(last) if self.stopped => with_extract(over(last), last),
            Some(last) => {
                let chain = vec![failure.to_string()];
                with_extract(over(last), last).with_exit(failure.exit()).with_chain(chain)
            }
            None => failure,
        }
    }
}

/// Waits for the JVM. Should the application end meanwhile, that is told at once, and if it has failed the
/// JVM is ended after a while.
pub async fn attended(
    jvm: &mut Jvm,
    application: Option<(&ApplicationClient, ApplicationId)>,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Ended, Failure> {
    let tell = |last: &ApplicationReport| {
        report.warn(&with_extract(over(last), last).to_string());
        outlive(last.final_status)
    };
    let (end, mut application_over) = beside(jvm.end(interrupt), end_of(application), tell).await;
    let (end, stopped) = match end {
        Some(end) => (end?, false),
        None => (jvm.stop().await?, true),
    };
    if let (false, None, None, Some((yarn, id))) =
        (end.status.success(), end.interrupted, &application_over, application)
        && let Ok(Ok(last)) = timeout(ANSWER, yarn.application_report(id)).await
    {
        application_over = last.state.is_final().then_some(last);
    }
    Ok(Ended { end, application_over, stopped })
}

/// How long `main()` may go on after its application has ended with this status; none = as long as it likes.
fn outlive(status: FinalStatus) -> Option<Duration> {
    // Where somebody has stopped the cluster in order, what `main()` still does is its own affair.
    (status != FinalStatus::Succeeded).then_some(OUTLIVE)
}

/// Waits for `ended` beside the end of its application, which `tell` is told and after which it says how long
/// `ended` may take. Gives no result if it takes longer.
async fn beside<T, R>(
    ended: impl Future<Output = T>,
    over: impl Future<Output = R>,
    tell: impl Fn(&R) -> Option<Duration>,
) -> (Option<T>, Option<R>) {
    tokio::pin!(ended);
    tokio::select! {
        end = &mut ended => (Some(end), None),
        last = over => {
            let end = match tell(&last) {
                None => Some(ended.await),
                Some(within) => timeout(within, ended).await.ok(),
            };
            (end, Some(last))
        }
    }
}

/// What is told of an application that has ended.
pub fn over(last: &ApplicationReport) -> String {
    format!(
        "the application {} has ended with state {} and final state {}",
        last.id, last.state, last.final_status
    )
}

/// The last report of the application, once it has ended.
pub async fn end_of(application: Option<(&ApplicationClient, ApplicationId)>) -> ApplicationReport {
    let Some((yarn, id)) = application else { return std::future::pending().await };
    loop {
        sleep(LOOK).await;
        match yarn.application_report(id).await {
            Ok(found) if found.state.is_final() => return found,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "no report"),
        }
    }
}

/// What is run on a cluster that is there already.
pub struct Run<'a> {
    /// Flink's client.
    pub command: Command,
    /// Where its standard output goes, if not to ours.
    pub stdout: Option<PipeWriter>,
    /// Where it logs to.
    pub log: &'a Path,
    /// An interruption cancels its job, which is Flink's client's work.
    pub cancels: bool,
    /// The steps of its jobs are recorded there.
    pub timing: Option<&'a Timing>,
}

/// Runs Flink's client on a cluster, and waits for its end.
pub async fn run(
    run: Run<'_>,
    cluster: &Cluster,
    context: &Context,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Exit, Failure> {
    let yarn = cluster.yarn()?;
    let jobs = match run.timing {
        Some(timing) => {
            Some(timing::Jobs::new(&cluster.address, timing, timing::CLIENT).ignore_present().await)
        }
        None => None,
    };
    let mut jvm = Jvm::start(run.command, &context.exe, run.stdout).await?;
    let work = attended(&mut jvm, yarn.as_ref().zip(cluster.application), interrupt, report);
    let ended = match jobs {
        Some(jobs) => jobs.during(work).await?,
        None => work.await?,
    };
    match ended.end.interrupted {
        Some(cause) => Err(interrupted(cause, cluster, run.cancels)),
        None if ended.is_success() => Ok(Exit::Done),
        None => {
            // Of a per-job cluster the ApplicationMaster itself tells.
            if cluster.application.is_some()
                && let Some(why) = memory_kills::explain(&cluster.address, &ended.end.errors).await
            {
                report.warn(&why);
            }
            Err(ended.failure(run.log))
        }
    }
}

/// Which of the cluster's jobs are this program's is not known here.
fn interrupted(cause: Cause, cluster: &Cluster, cancels: bool) -> Failure {
    let place = match cluster.application {
        Some(id) => format!("application {id}"),
        None => format!("cluster at {}", cluster.address),
    };
    if cancels {
        let what = format!(
            "the program has ended; its job in the {place} was told to cancel, as --shutdownOnAttachedExit asks"
        );
        return Failure::interrupted(cause, what);
    }
    let what = format!("the program has ended; a job that it has submitted goes on in the {place}");
    follow::with_ways_to_end_on(cluster, Failure::interrupted(cause, what), "<job id>")
}

/// Runs Flink's client for something that needs no cluster.
pub async fn run_alone(
    command: Command,
    log: &Path,
    context: &Context,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let end = Jvm::start(command, &context.exe, None).await?.end(interrupt).await?;
    match end.interrupted {
        Some(cause) => Err(Failure::interrupted(cause, "the program has ended")),
        None if end.status.success() => Ok(Exit::Done),
        None => Err(client_failure::failure(end.status, &end.errors, log)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_program_is_not_waited_for_longer_than_its_cluster_allows() {
        let over = || async { "failed" };
        assert_eq!(beside(sleep(LONG), over(), |_| Some(SHORT)).await, (None, Some("failed")));
        assert_eq!(beside(sleep(SHORT), over(), |_| Some(LONG)).await, (Some(()), Some("failed")));
        assert_eq!(beside(sleep(SHORT), over(), |_| None).await, (Some(()), Some("failed")));
        let lives = std::future::pending::<()>();
        assert_eq!(beside(sleep(SHORT), lives, |()| Some(SHORT)).await, (Some(()), None));
    }

    #[test]
    fn a_program_that_was_ended_with_its_cluster_has_not_succeeded() {
        let status = std::os::unix::process::ExitStatusExt::from_raw(0);
        let end = JvmEnd { status, interrupted: None, errors: String::new() };
        let mut ended = Ended { end, application_over: None, stopped: false };
        assert!(ended.is_success());
        ended.stopped = true;
        assert!(!ended.is_success());
    }

    #[test]
    fn only_a_cluster_that_was_stopped_in_order_leaves_a_program_alone() {
        for status in [FinalStatus::Failed, FinalStatus::Killed, FinalStatus::Undefined] {
            assert_eq!(outlive(status), Some(OUTLIVE), "{status}");
        }
        assert_eq!(outlive(FinalStatus::Succeeded), None);
    }
}

//! Runs Flink's own client on a cluster and waits until it has ended. Meanwhile it also watches the cluster's
//! application, because the end of the application would explain why Flink's client fails.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::with_extract;
use crate::client_process::{Jvm, JvmEnd};
use crate::client_tokens::ClientTokens;
use crate::context::Context;
use crate::diagnose::explained;
use crate::error::Failure;
use crate::exit::Exit;
use crate::hadoop::Hadoop;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;
use crate::target::Cluster;
use crate::timing::Timing;
use crate::{client_failure, follow, memory_kills, timing, waiting};

/// The pause between two requests for the application's report.
const LOOK: Duration = Duration::from_secs(3);
/// The time that `main()` has to end after its cluster has failed. Flink's client tries for more than a
/// minute to reach a JobManager that is gone. The exception that it throws then may be caught by the program,
/// which must get the opportunity to react.
const OUTLIVE: Duration = Duration::from_secs(120);
/// For how long the ResourceManager's answer is waited for after the JVM has failed.
const ANSWER: Duration = Duration::from_secs(3);

/// How a run has ended.
#[derive(Debug)]
pub struct Ended {
    /// How the JVM ended.
    pub end: JvmEnd,
    /// The last report of the application, if the application has ended, too.
    pub application_over: Option<ApplicationReport>,
    /// Whether heddle has ended the JVM because its application had failed.
    pub stopped: bool,
}

impl Ended {
    /// Whether the program has succeeded. A JVM that was ended because its cluster had failed may
    /// nevertheless exit with 0; that does not count as success.
    pub fn is_success(&self) -> bool {
        self.end.status.success() && !self.stopped
    }

    /// Makes the failure of the run. `log` is the file to which Flink's client logs. If the application has
    /// ended, its diagnostics come first, because its end explains the errors of Flink's client.
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

/// Something in which `main()` runs, and that ends with it.
pub(crate) trait RunsMain {
    /// Waits for its end. If this process is interrupted, it ends, too.
    async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure>;

    /// Ends it.
    async fn stop(&mut self) -> Result<JvmEnd, Failure>;

    /// For how long it may go on after its application has ended with this status; `None` means without a
    /// limit.
    fn outlives(status: FinalStatus) -> Option<Duration>;
}

impl RunsMain for Jvm {
    async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure> {
        // These are the methods of the type itself.
        Jvm::end(self, interrupt).await
    }

    async fn stop(&mut self) -> Result<JvmEnd, Failure> {
        Jvm::stop(self).await
    }

    fn outlives(status: FinalStatus) -> Option<Duration> {
        outlive(status)
    }
}

/// Waits for the end of `main`. If the application ends before, as `application_end` tells, the user is told
/// at once, and `main` is ended unless that says otherwise ([`RunsMain::outlives`]).
pub(crate) async fn attended<M: RunsMain>(
    main: &mut M,
    application: Option<(&ApplicationClient, ApplicationId)>,
    application_end: impl Future<Output = ApplicationReport>,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Ended, Failure> {
    let tell = |last: &ApplicationReport| {
        report.warn(&with_extract(over(last), last).to_string());
        M::outlives(last.final_status)
    };
    let (end, mut application_over) = beside(main.end(interrupt), application_end, tell).await;
    let (end, stopped) = match end {
        Some(end) => (end?, false),
        None => (main.stop().await?, true),
    };
    if let (false, None, None, Some((yarn, id))) =
        (end.status.success(), end.interrupted, &application_over, application)
        && let Ok(Ok(last)) = timeout(ANSWER, yarn.application_report(id)).await
    {
        application_over = last.state.is_final().then_some(last);
    }
    Ok(Ended { end, application_over, stopped })
}

/// For how long `main()` may go on after its application has ended with this status; `None` means without a
/// limit.
fn outlive(status: FinalStatus) -> Option<Duration> {
    // If somebody has stopped the cluster properly, the program may go on for as long as it likes.
    (status != FinalStatus::Succeeded).then_some(OUTLIVE)
}

/// Waits for `ended`, and at the same time for the end of its application, `over`. If the application ends
/// first, `tell` is called with its last report, and returns how long `ended` may still take. The first
/// result is `None` if `ended` takes longer.
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

/// Returns the sentence about an application that has ended.
pub fn over(last: &ApplicationReport) -> String {
    format!(
        "the application {} has ended with state {} and final state {}",
        last.id, last.state, last.final_status
    )
}

/// Waits until the application has ended, and returns its last report. Never returns if there is no
/// application.
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

/// A run of Flink's client on a cluster that exists already.
pub struct Run<'a> {
    /// The command that starts Flink's client.
    pub command: Command,
    /// Where its standard output goes; `None` means to that of this process.
    pub stdout: Option<PipeWriter>,
    /// The file to which Flink's client logs.
    pub log: &'a Path,
    /// Whether Flink's client cancels its job when it is interrupted.
    pub cancels: bool,
    /// Where the steps of its jobs are recorded, if they are to be recorded.
    pub timing: Option<&'a Timing>,
}

/// Runs Flink's client on a cluster, and waits for its end.
pub async fn run(
    mut run: Run<'_>,
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
    let tokens = tokens(cluster.hadoop(), context, &mut run.command).await;
    not_started(interrupt)?;
    let mut jvm = Jvm::start(run.command, &context.exe, run.stdout).await?;
    let application = yarn.as_ref().zip(cluster.application);
    let work = attended(&mut jvm, application, end_of(application), interrupt, report);
    let telling = async {
        match application {
            Some((yarn, id)) => waiting::tell(&cluster.address, yarn, id, report).await,
            None => std::future::pending().await,
        }
    };
    let work = Box::pin(waiting::during(work, telling));
    let ended = match jobs {
        Some(jobs) => jobs.during(work).await?,
        None => work.await?,
    };
    drop(tokens);
    match ended.end.interrupted {
        Some(cause) => Err(interrupted(cause, cluster, run.cancels)),
        None if ended.is_success() => Ok(Exit::Done),
        None => {
            // For a per-job cluster, the ApplicationMaster itself tells why TaskManagers were killed.
            if cluster.application.is_some()
                && let Some(why) = memory_kills::explain(&cluster.address, &ended.end.errors).await
            {
                report.warn(&why);
            }
            let failure = ended.failure(run.log);
            // A cluster that goes on may have troubles that are others'.
            Err(match (&ended.application_over, cluster.inquiry().zip(cluster.application)) {
                (Some(_), Some((inquiry, id))) => explained(failure, inquiry, id).await,
                _ => failure,
            })
        }
    }
}

/// Makes the failure of a run that was interrupted. It cannot name the job, because it is not known here
/// which of the cluster's jobs belong to this program.
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

/// Fails if the command was given up before its JVM was started: `main()` may do something at once.
fn not_started(interrupt: &Interrupt) -> Result<(), Failure> {
    match interrupt.cause() {
        Some(cause) => Err(Failure::interrupted(cause, "the program was not started")),
        None => Ok(()),
    }
}

/// Tokens for the JVM of this command, if it needs any. They are for as long as the JVM runs.
pub(crate) async fn tokens(
    hadoop: Option<&Hadoop>,
    context: &Context,
    command: &mut Command,
) -> Option<ClientTokens> {
    let hadoop = hadoop.filter(|hadoop| ClientTokens::are_needed(hadoop, context))?;
    let tokens = ClientTokens::make(hadoop).await?;
    tokens.give_to(command);
    Some(tokens)
}

/// Runs Flink's client for something that needs no cluster. Its standard output goes to `stdout` or, without
/// that, to that of this process. `hadoop` is where the program may read files, if that is known.
pub async fn run_alone(
    mut command: Command,
    stdout: Option<PipeWriter>,
    hadoop: Option<&Hadoop>,
    log: &Path,
    context: &Context,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let _tokens = tokens(hadoop, context, &mut command).await;
    not_started(interrupt)?;
    let end = Jvm::start(command, &context.exe, stdout).await?.end(interrupt).await?;
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

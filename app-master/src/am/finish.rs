//! Carries out the end that [`crate::controller::end`] decides.

use std::time::Duration;

use hadoop_rpc::{RemoteKind, RetryPolicy};
use taskrunner::exit::{FAILED, TERMINATED};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use yarn_api::records::{ContainerId, FinalStatus};
use yarn_api::{AmRmClient, ApplicationClient};

use super::effects::JobManager;
use super::job_manager::JobManagerJvm;
use super::outcome::OutcomeWriter;
use super::task_managers::STOP_GRACE;
use super::unregister::{Outcome, OwnReport, Unregistration, becomes_true, unregister};
use crate::bridge::ToJvm;
use crate::clock;
use crate::control::Control;
use crate::controller::end::{CleanUp, End, JobManagerNotice};
use crate::environment::Environment;
use crate::staging::{self, NotRemoved};
use crate::tokens;

/// How long the JobManager is kept waiting for YARN to take the final status. It goes on by itself after 8 s.
const REPORT_WAIT: Duration = Duration::from_secs(10);
/// How long the JobManager may take to end by itself, and then after SIGTERM.
const JOB_MANAGER_WAIT: Duration = Duration::from_secs(30);
const TERMINATE_WAIT: Duration = Duration::from_secs(10);
/// How long a file for the next attempt, of which one may be under way at the end, may take.
const WRITER_WAIT: Duration = Duration::from_secs(5);
/// How long the ResourceManager is asked whether the application has ended. As a rule the NodeManager kills
/// this container before.
const OVER_WAIT: Duration = Duration::from_secs(10);
const OVER_POLL: Duration = Duration::from_millis(15);
/// How long each answer to that question may take.
const OVER_DEADLINE: Duration = Duration::from_secs(1);

/// What still runs when the end comes.
pub(super) struct Running {
    pub(super) job_manager: JobManagerJvm,
    pub(super) control: Control,
    /// Containers in which something of ours runs.
    pub(super) containers: Vec<ContainerId>,
    /// Whether YARN knows us.
    pub(super) registered: bool,
    /// Writes what the next attempt has to know, until all is written.
    pub(super) writer: JoinHandle<()>,
}

/// What bounds the end.
pub(super) struct Bounds {
    /// How long the ResourceManager may be away; none means for ever.
    pub(super) patience: Option<Duration>,
    /// Becomes true with SIGTERM.
    pub(super) terminated: watch::Receiver<bool>,
}

/// Carries out the end and gives the exit code. `running` is none when the ApplicationMaster could not start
/// completely, and `record` where the application leaves none.
pub(super) async fn finish(
    environment: &Environment,
    rm: &AmRmClient,
    running: Option<Running>,
    record: Option<OutcomeWriter>,
    end: End,
    bounds: Bounds,
) -> u8 {
    tracing::info!(
        attempt = environment.attempt(),
        exit_code = end.exit_code,
        reason = end.message,
        "ending"
    );
    let registered = running.as_ref().is_some_and(|running| running.registered);
    let (job_manager, writer) = match running {
        Some(Running { job_manager, control, containers, writer, .. }) => {
            if end.stop_task_managers {
                for container in &containers {
                    control.stop(*container, STOP_GRACE, &end.message);
                }
            }
            (Some(job_manager), Some(writer))
        }
        None => (None, None),
    };
    let (reported, is_reported) = watch::channel(false);
    let told = end.unregister.as_ref().map(|(status, diagnostics)| {
        let diagnostics = with_ended_tokens(environment, *status, diagnostics);
        (*status, diagnostics)
    });
    let record = write_record(record, told.as_ref(), &end.message, bounds.terminated.clone());
    // YARN cancels the tokens for it once it has the final status. Without a final status the end may be
    // SIGTERM's, which leaves no time to do one thing after the other.
    let (before, beside) = if told.is_some() { (Some(record), None) } else { (None, Some(record)) };
    let report = async {
        let Some((status, diagnostics)) = &told else { return None };
        let history_url = environment.spec.application.history_url.as_deref().unwrap_or_default();
        let host = &environment.host;
        let report = OwnReport { rm, host, status: *status, diagnostics, history_url };
        let how = Unregistration::new(registered, bounds.patience, clock::now());
        let outcome = unregister(&report, how, bounds.terminated.clone()).await;
        if outcome == Outcome::Stored {
            tracing::info!(%status, "YARN has stored the final status");
        }
        Some(outcome)
    };
    let yarn = async {
        if let Some(record) = before {
            record.await;
        }
        let outcome = report.await;
        reported.send_replace(true);
        // Nothing is written any more to a directory that is about to be removed.
        finish_writing(writer).await;
        let over = match whether_over(end.clean_up, outcome) {
            Over::Yes => true,
            Over::No => false,
            Over::Ask => is_over(environment).await,
        };
        clean_up(environment, over).await;
        exit_code(end.exit_code, outcome, over)
    };
    let beside = async {
        if let Some(record) = beside {
            record.await;
        }
    };
    let notice = end.notice;
    let (exit_code, (), ()) = tokio::join!(
        yarn,
        job_manager_end(job_manager.as_ref(), notice, &end.message, is_reported, bounds.terminated.clone()),
        beside
    );
    exit_code
}

/// Writes the record of the application for the last time. `told`: what YARN is told; `message`: why the
/// attempt ends, if it is told nothing.
async fn write_record(
    record: Option<OutcomeWriter>,
    told: Option<&(FinalStatus, String)>,
    message: &str,
    terminated: watch::Receiver<bool>,
) {
    let Some(record) = record else { return };
    let (status, diagnostics) = match told {
        Some((status, diagnostics)) => (Some(*status), diagnostics.as_str()),
        None => (None, message),
    };
    record.finish(status, diagnostics, terminated).await;
}

/// The diagnostics, with what they do not say themselves: that a failed application had no tokens any more.
fn with_ended_tokens(environment: &Environment, status: FinalStatus, diagnostics: &str) -> String {
    let told = tokens::told_of_ended(&environment.login.tokens().get(), clock::since_1970())
        .filter(|_| status == FinalStatus::Failed);
    match told {
        Some(told) if diagnostics.is_empty() => told,
        Some(told) => format!("{diagnostics}\n{told}"),
        None => diagnostics.to_owned(),
    }
}

/// Whether the application is over, so that nobody needs its directory any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Yes,
    No,
    /// Only the ResourceManager knows.
    Ask,
}

fn whether_over(clean_up: CleanUp, outcome: Option<Outcome>) -> Over {
    match (clean_up, outcome) {
        (CleanUp::AfterUnregister, Some(Outcome::Stored)) => Over::Yes,
        (CleanUp::AfterUnregister, Some(Outcome::AttemptOver | Outcome::Terminated)) => Over::Ask,
        (CleanUp::AfterUnregister, Some(Outcome::NotStored) | None) => Over::No,
        (CleanUp::IfApplicationOver, _) => Over::Ask,
        (CleanUp::Never, _) => Over::No,
    }
}

/// `decided`: where everything goes as it was decided. YARN takes an attempt that ends without being
/// unregistered for a failed one, and so does whoever reads the exit code.
fn exit_code(decided: u8, outcome: Option<Outcome>, over: bool) -> u8 {
    match outcome {
        None | Some(Outcome::Stored) => decided,
        Some(Outcome::AttemptOver | Outcome::Terminated) if over => decided,
        Some(Outcome::Terminated) => TERMINATED,
        Some(Outcome::AttemptOver | Outcome::NotStored) => FAILED,
    }
}

async fn finish_writing(writer: Option<JoinHandle<()>>) {
    let Some(mut writer) = writer else { return };
    if timeout(WRITER_WAIT, &mut writer).await.is_err() {
        writer.abort();
        // It has stopped, which is no error here, once this returns.
        drop(writer.await);
    }
}

async fn clean_up(environment: &Environment, over: bool) {
    match &environment.spec.application.staging_dir {
        Some(url) if over => match staging::remove(&environment.conf, &environment.login, url).await {
            Ok(()) => tracing::info!(url, "removed the application's directory"),
            Err(NotRemoved { tokens_refused: true, why }) if environment.is_kerberos() => tracing::info!(
                why,
                "YARN has cancelled the tokens of the application, as it does at its end; the application's \
                 directory stays, and `heddle gc --delete` removes it later"
            ),
            Err(error) => tracing::warn!("{error}; `heddle gc --delete` removes it later"),
        },
        Some(url) => tracing::info!(
            url,
            "the application's directory stays; `heddle gc --delete` removes it once the application is over"
        ),
        None => {}
    }
}

/// Asks the ResourceManager until it says that the application has ended, for as long as we are let live.
async fn is_over(environment: &Environment) -> bool {
    let held = environment.login.tokens().get();
    if environment.is_kerberos() && tokens::resource_manager_token_ended(&held, clock::since_1970()) {
        tracing::info!(
            "the delegation token for the ResourceManager has reached its greatest age, so it is not asked whether \
             the application is over"
        );
        return false;
    }
    let client = match client(environment) {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "cannot ask whether the application is over");
            return false;
        }
    };
    let id = environment.container.application_id();
    let until = clock::now() + OVER_WAIT;
    while clock::now() < until {
        match client.application_report(id).await {
            Ok(report) if report.state.is_final() => {
                tracing::info!(state = %report.state, "the application is over");
                return true;
            }
            Ok(_) => {}
            // It cancels our token when the application ends, but also forgets tokens for other reasons.
            Err(error) if error.is_remote(RemoteKind::InvalidToken) => {
                tracing::info!(
                    %error,
                    "the ResourceManager does not take our token any more, as after the application's end; \
                     whether it has ended is not certain"
                );
                return false;
            }
            Err(error) if error.retry() == hadoop_rpc::Retry::No => {
                tracing::warn!(%error, "cannot ask whether the application is over");
                return false;
            }
            Err(error) => tracing::debug!(%error, "asking again"),
        }
        sleep(OVER_POLL).await;
    }
    false
}

/// Asks the ResourceManager as a client does.
fn client(environment: &Environment) -> Result<ApplicationClient, String> {
    let mut options = environment.rm_client_options().map_err(|error| error.to_string())?;
    options.deadline = OVER_DEADLINE;
    options.connect_timeout = OVER_DEADLINE;
    let client = ApplicationClient::new(&environment.conf, &options, RetryPolicy::NONE);
    client.map_err(|error| error.to_string())
}

/// Tells the JobManager of the end and waits for its own. `is_reported`: it is known whether
/// YARN has taken the final status.
async fn job_manager_end(
    job_manager: Option<&JobManagerJvm>,
    notice: JobManagerNotice,
    message: &str,
    is_reported: watch::Receiver<bool>,
    terminated: watch::Receiver<bool>,
) {
    let Some(job_manager) = job_manager else {
        tracing::debug!("no JobManager is there to hear of the end");
        return;
    };
    let ends = async {
        match notice {
            JobManagerNotice::Terminate => return,
            JobManagerNotice::Fatal => job_manager.tell(ToJvm::Fatal { reason: message.to_owned() }),
            JobManagerNotice::Deregistered => {
                if timeout(REPORT_WAIT, becomes_true(is_reported)).await.is_ok() {
                    job_manager.tell(ToJvm::Deregistered);
                }
            }
            JobManagerNotice::None => {}
        }
        if timeout(JOB_MANAGER_WAIT, job_manager.wait()).await.is_err() {
            tracing::warn!("the JobManager does not end by itself; terminating it");
        }
    };
    tokio::select! {
        () = ends => {}
        () = becomes_true(terminated) => {}
    }
    // One that has ended does not mind.
    job_manager.terminate();
    match timeout(TERMINATE_WAIT, job_manager.wait()).await {
        Ok(None) => {}
        Ok(Some(report)) => tracing::info!(summary = report.summary, "the JobManager has ended"),
        Err(_) => {
            tracing::warn!("the JobManager does not end on SIGTERM; killing it");
            job_manager.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use taskrunner::exit::DONE;

    use super::*;

    #[test]
    fn the_directory_goes_only_when_the_application_is_over() {
        use CleanUp::{AfterUnregister, IfApplicationOver, Never};
        for (clean_up, outcome, wanted) in [
            (AfterUnregister, Some(Outcome::Stored), Over::Yes),
            (AfterUnregister, Some(Outcome::AttemptOver), Over::Ask),
            (AfterUnregister, Some(Outcome::Terminated), Over::Ask),
            (AfterUnregister, Some(Outcome::NotStored), Over::No),
            (IfApplicationOver, None, Over::Ask),
            (Never, None, Over::No),
        ] {
            assert_eq!(whether_over(clean_up, outcome), wanted, "{clean_up:?} {outcome:?}");
        }
    }

    #[test]
    fn the_exit_code_is_that_of_a_failure_where_yarn_has_not_taken_the_final_status() {
        for (outcome, over, wanted) in [
            (None, false, DONE),
            (Some(Outcome::Stored), true, DONE),
            (Some(Outcome::AttemptOver), true, DONE),
            (Some(Outcome::AttemptOver), false, FAILED),
            (Some(Outcome::Terminated), false, TERMINATED),
            (Some(Outcome::NotStored), false, FAILED),
        ] {
            assert_eq!(exit_code(DONE, outcome, over), wanted, "{outcome:?} {over}");
        }
    }
}

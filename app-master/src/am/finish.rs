//! Carries out the end that [`crate::controller::end`] decides.

use std::time::Duration;

use hadoop_rpc::{AuthPolicy, ClientOptions, RetryPolicy};
use tokio::time::{sleep, timeout};
use yarn_api::records::{ContainerId, FinalStatus, RegisterRequest};
use yarn_api::{AmError, AmRmClient, ApplicationClient};

use super::effects::JobManager;
use super::job_manager::JobManagerJvm;
use super::task_managers::STOP_GRACE;
use crate::bridge::ToJvm;
use crate::clock;
use crate::control::Control;
use crate::controller::end::{CleanUp, End, JobManagerNotice};
use crate::environment::Environment;
use crate::staging;

/// How long YARN may take to store the final status. The JobManager waits 30 s for that.
const UNREGISTER_WAIT: Duration = Duration::from_secs(28);
const UNREGISTER_RETRY: Duration = Duration::from_millis(50);
/// How long the JobManager may take to end by itself, and then after SIGTERM.
const JOB_MANAGER_WAIT: Duration = Duration::from_secs(30);
const TERMINATE_WAIT: Duration = Duration::from_secs(10);
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
}

/// Carries out the end and gives the exit code. `running` is none when the ApplicationMaster could not start
/// completely.
pub(super) async fn finish(
    environment: &Environment,
    rm: &AmRmClient,
    running: Option<&Running>,
    end: End,
) -> u8 {
    let job_manager = running.map(|running| &running.job_manager);
    let tell = |message| match job_manager {
        Some(job_manager) => job_manager.tell(message),
        None => tracing::debug!("no JobManager is there to hear of the end"),
    };
    tracing::info!(
        attempt = environment.attempt(),
        exit_code = end.exit_code,
        reason = end.message,
        "ending"
    );
    match end.notice {
        JobManagerNotice::Terminate => job_manager.iter().for_each(|job_manager| job_manager.terminate()),
        JobManagerNotice::Fatal => tell(ToJvm::Fatal { reason: end.message.clone() }),
        JobManagerNotice::Deregistered | JobManagerNotice::None => {}
    }
    if let (true, Some(running)) = (end.stop_task_managers, running) {
        for container in &running.containers {
            running.control.stop(*container, STOP_GRACE, &end.message);
        }
    }
    let registered = running.is_some_and(|running| running.registered);
    let stored = match &end.unregister {
        Some((status, diagnostics)) => unregister(environment, rm, registered, *status, diagnostics).await,
        None => false,
    };
    if end.notice == JobManagerNotice::Deregistered {
        tell(ToJvm::Deregistered);
    }
    let clean = async {
        let due = match end.clean_up {
            CleanUp::AfterUnregister => stored,
            CleanUp::IfApplicationOver => is_over(environment).await,
            CleanUp::Never => false,
        };
        match &environment.spec.application.staging_dir {
            Some(url) if due => match staging::remove(&environment.conf, &environment.login, url).await {
                Ok(()) => tracing::info!(url, "removed the application's directory"),
                Err(error) => tracing::warn!("{error}; `heddle gc` removes it later"),
            },
            Some(url) => tracing::info!(url, "the application's directory stays"),
            None => {}
        }
    };
    tokio::join!(clean, job_manager_end(job_manager, end.notice));
    end.exit_code
}

/// Reports the final status; an attempt that never registered does so first, for its diagnostics to be seen.
async fn unregister(
    environment: &Environment,
    rm: &AmRmClient,
    mut registered: bool,
    status: FinalStatus,
    diagnostics: &str,
) -> bool {
    let history = environment.spec.application.history_url.as_deref().unwrap_or_default();
    let until = clock::now() + UNREGISTER_WAIT;
    while clock::now() < until {
        if !registered {
            let request =
                RegisterRequest { host: environment.host.clone(), rpc_port: -1, tracking_url: String::new() };
            match rm.register(&request).await {
                Ok(_) | Err(AmError::AlreadyRegistered(_) | AmError::Refused(_)) => registered = true,
                Err(error @ AmError::AttemptOver(_)) => {
                    tracing::error!(%error, "YARN does not take the final status");
                    return false;
                }
                Err(error) => {
                    tracing::warn!(%error, "trying again");
                    sleep(UNREGISTER_RETRY * 10).await;
                    continue;
                }
            }
        }
        match rm.finish(status, diagnostics, history).await {
            Ok(true) => {
                tracing::info!(%status, "YARN has stored the final status");
                return true;
            }
            Ok(false) => {}
            Err(AmError::NotRegistered(_)) => registered = false,
            Err(error @ (AmError::AttemptOver(_) | AmError::AlreadyRegistered(_) | AmError::Refused(_))) => {
                tracing::error!(%error, "YARN does not take the final status");
                return false;
            }
            Err(error) => tracing::warn!(%error, "trying again"),
        }
        sleep(UNREGISTER_RETRY).await;
    }
    tracing::error!("YARN did not store the final status within {} s", UNREGISTER_WAIT.as_secs());
    false
}

/// Asks the ResourceManager until it says that the application has ended, for as long as we are let live.
async fn is_over(environment: &Environment) -> bool {
    let secure = environment.conf.get_or("hadoop.security.authentication", "simple");
    let mut options = ClientOptions::simple(environment.login.clone());
    if secure.is_ok_and(|method| method.eq_ignore_ascii_case("kerberos")) {
        options = options.with_auth(AuthPolicy::token("RM_DELEGATION_TOKEN"));
    }
    options.deadline = OVER_DEADLINE;
    options.connect_timeout = OVER_DEADLINE;
    let client = match ApplicationClient::new(&environment.conf, &options, RetryPolicy::NONE) {
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

/// Waits for the JobManager to end, and helps it.
async fn job_manager_end(job_manager: Option<&JobManagerJvm>, notice: JobManagerNotice) {
    let Some(job_manager) = job_manager else { return };
    if notice != JobManagerNotice::Terminate && timeout(JOB_MANAGER_WAIT, job_manager.wait()).await.is_err() {
        tracing::warn!("the JobManager does not end by itself; terminating it");
        job_manager.terminate();
    }
    match timeout(TERMINATE_WAIT, job_manager.wait()).await {
        Ok(None) => {}
        Ok(Some(report)) => tracing::info!(summary = report.summary, "the JobManager has ended"),
        Err(_) => {
            tracing::warn!("the JobManager does not end on SIGTERM; killing it");
            job_manager.kill();
        }
    }
}

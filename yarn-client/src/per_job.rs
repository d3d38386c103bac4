//! A cluster for one program: `main()` runs here, in Flink's own client, while its cluster comes up.
//!
//! Flink's client needs the address of the JobManager when it starts. It gets one on this machine, and what it sends there waits until the
//! cluster is ready and is then passed on. The ApplicationMaster ends the cluster once it has heard that `main()` is over, or
//! that this client is gone, and the last job has ended.

use std::sync::Arc;
use std::time::Duration;

use taskrunner::submission::{ADDRESS_KEY, Attendance, SubmissionError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use yarn_api::records::ApplicationId;

use crate::client_process::{end, spawn, stop};
use crate::deploy::{self, Deployment, Order};
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::Report;
use crate::rest::{Limits, RestClient};
use crate::target::RestAddress;
use crate::timing::{self, Jobs};

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the run of a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    /// None: the program was over before there was one.
    pub(crate) application: Option<ApplicationId>,
}

/// Runs the program: `start` makes the command of Flink's client for the address it is given. `timed`: the legs of its jobs are recorded, too.
pub(crate) async fn run(
    order: Order,
    start: impl FnOnce(&RestAddress) -> Result<std::process::Command, Failure>,
    detached: bool,
    timed: bool,
    report: Arc<dyn Report>,
    interrupt: &CancellationToken,
) -> Result<Ended, Failure> {
    let cannot = |e| Failure::because("cannot open a port on this machine for Flink's client", e);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    let (ready, address) = watch::channel(None);
    let started = order.timing.leg("Flink's client starts");
    tokio::spawn(forward(listener, address, started));

    let mut jvm = spawn(start(&RestAddress { host: "127.0.0.1".into(), port })?)?;

    // Ctrl-C reaches the JVM too. What follows from it is decided when the JVM has ended.
    let give_up = CancellationToken::new();
    let deployed = deploy::deploy(order, Arc::clone(&report), &give_up);
    tokio::pin!(deployed);
    let early = tokio::select! {
        done = &mut deployed => Ok(done),
        status = end(&mut jvm, interrupt) => Err(status),
    };
    let deployment = match early {
        Ok(Ok(deployment)) => deployment,
        Ok(Err(failure)) => {
            stop(&mut jvm).await;
            return Err(failure);
        }
        Err(status) => {
            // No job can have been submitted: nothing answers yet behind the port.
            give_up.cancel();
            if let Ok(deployment) = deployed.await {
                deployment.undo(&*report).await;
            }
            return status.map(|status| Ended { exit: Exit::of_jvm(status), application: None });
        }
    };
    if deployment.found {
        // main() is not to be run twice either.
        stop(&mut jvm).await;
        return Ok(Ended { exit: Exit::Done, application: Some(deployment.id) });
    }
    let Some(address) = deployment.address.clone() else {
        stop(&mut jvm).await;
        return Err(Failure::new(format!("the application {} has ended already", deployment.id)));
    };
    let attendance = attend(&deployment, &address).await;
    let attendance = match attendance {
        Ok(attendance) => attendance,
        Err(failure) => {
            stop(&mut jvm).await;
            deployment.undo(&*report).await;
            return Err(failure);
        }
    };
    let _ = ready.send(Some(address.clone()));
    let ended = end(&mut jvm, interrupt);
    let ended = if timed {
        let ended = Jobs::new(&address, &deployment.timing, timing::CLIENT).during(ended).await;
        // As long as the ApplicationMaster has not heard of the end it is there, and so is the JobManager.
        timing::complete(&deployment).await;
        ended
    } else {
        ended.await
    };
    let exit = Exit::of_jvm(ended?);
    if let Err(error) = attendance.complete(i32::from(exit.code())).await {
        report.warn(&format!("{error}; the cluster ends by itself once its jobs have ended"));
    }
    if detached && exit.code() == 0 {
        report.info(&format!(
            "The Flink YARN per-job cluster {0} ends when its job does. To end it earlier:\n\
             $ flink cancel -t yarn-per-job -Dyarn.application.id={0} <job id>\n\
             $ yarn application -kill {0}",
            deployment.id
        ));
    }
    Ok(Ended { exit, application: Some(deployment.id) })
}

/// Tells the ApplicationMaster that somebody is there who will submit jobs.
async fn attend(deployment: &Deployment, address: &RestAddress) -> Result<Attendance, Failure> {
    let control = control_address(address).await?;
    tracing::debug!(control, "attending");
    Attendance::open(&control, deployment.control_secret()).await.map_err(|e| attendance_failure(&e))
}

/// Where the ApplicationMaster of the JobManager at `address` listens.
pub(crate) async fn control_address(address: &RestAddress) -> Result<String, Failure> {
    let client = RestClient::new(address, Limits::default());
    let config = match client {
        Ok(client) => client.job_manager_config().await,
        Err(e) => Err(e),
    };
    let config = config
        .map_err(|e| e.failure(format!("cannot ask the JobManager at {address} for its configuration")))?;
    let found = config.into_iter().find(|entry| entry.key == ADDRESS_KEY);
    found.map(|entry| entry.value).ok_or_else(|| {
        Failure::new(format!(
            "the JobManager at {address} does not tell the address of its ApplicationMaster"
        ))
    })
}

fn attendance_failure(error: &SubmissionError) -> Failure {
    let failure = Failure::new(error.to_string()).retry_if(error.retry_helps());
    match error {
        SubmissionError::OtherRelease { .. } => failure.hint(
            "this client has just started it: its own heddle-am is of another release. Install heddle anew",
        ),
        SubmissionError::Refused { .. } | SubmissionError::Unreachable { .. } => failure,
    }
}

/// Passes connections on to the JobManager; those that come before it is known wait.
/// `started` ends with the first of them.
async fn forward(
    listener: TcpListener,
    address: watch::Receiver<Option<RestAddress>>,
    started: timing::Running,
) {
    let mut started = Some(started);
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(started) = started.take() {
            started.end();
        }
        let mut address = address.clone();
        tokio::spawn(async move {
            let known = match address.wait_for(Option::is_some).await {
                Ok(known) => known.clone(),
                // The deployment was given up.
                Err(_) => return,
            };
            let Some(RestAddress { host, port }) = known else { return };
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            match TcpStream::connect((host, port)).await {
                Ok(mut server) => {
                    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
                        tracing::debug!(%error, "connection ended");
                    }
                }
                // Flink's client sees its connection end, and tries again.
                Err(error) => tracing::debug!(%error, "the JobManager cannot be reached"),
            }
        });
    }
}

//! A cluster for one program: `main()` runs here, in Flink's own client, while its cluster comes up.
//!
//! Flink's client needs the address of the JobManager when it starts. It gets one on this machine, and what
//! it sends there waits until the cluster is ready and is then passed on. The ApplicationMaster ends the
//! cluster once it has heard that `main()` is over, or that this client is gone, and the last job has ended.
//! With high availability `main()` goes on while the JobManager or the ApplicationMaster is replaced.

mod completion;
mod end;
mod follow;
mod forward;
mod peer;
mod warnings;

use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flink_model::spec::ClusterMode;
use flink_rest::{JobStatus, RestAddress, RestClient, RestTimeouts};
use taskrunner::submission::{SubmissionConnection, SubmissionError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::with_extract;
use crate::client_process::{Jvm, JvmEnd};
use crate::deploy::{ClusterManifest, Deployer, Deployment};
use crate::error::{CauseClass, Failure};
use crate::exit::Exit;
use crate::hadoop::Hadoop;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;
use crate::rest_security::RestSecurity;
use crate::target::HERE;
use crate::timing::Jobs;
use crate::{client_failure, client_run, cluster_timing, timing, waiting};
use completion::{Told, told};
use end::ApplicationEnd;
use follow::Follower;
use forward::{Forwarder, JobManagerAddress};
use peer::Peers;
use warnings::{TellAtEnd, Warnings};

/// Time limit of the JobManager's answer when this client is to end.
const ANSWER: Duration = Duration::from_secs(3);

/// Where `main()` has ended without a job, the cluster that was submitted for it gets this long to come up:
/// its ApplicationMaster then tells YARN how `main()` has ended. A cluster that does not come up is killed.
const HEAR_WITHIN: Duration = Duration::from_secs(60);
/// A JobManager that runs gets this long to answer.
const ATTEND_WITHIN: Duration = Duration::from_secs(180);
/// Pause between two tries.
const ATTEND_PAUSE: Duration = Duration::from_millis(500);

/// How the run of a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What the command ends with.
    pub done: Result<Exit, Failure>,
    /// None: the program was over before there was one.
    pub application: Option<ApplicationId>,
    /// Its REST interface, while it was there.
    pub address: Option<RestAddress>,
}

/// What is run, and how.
pub struct Program<'a> {
    /// Makes the command of Flink's client for the address it is given.
    pub start: &'a (dyn Fn(&RestAddress) -> Result<std::process::Command, Failure> + Sync),
    /// Where its standard output goes, if not to ours.
    pub stdout: Option<PipeWriter>,
    /// Where Flink's client logs to.
    pub log: PathBuf,
    /// The command does not wait for the job.
    pub detached: bool,
    /// The steps of its jobs are recorded, too.
    pub timed: bool,
}

/// Runs the program.
pub async fn run(
    deployer: &Deployer,
    manifest: &ClusterManifest,
    program: Program<'_>,
    report: Arc<dyn Report>,
    interrupt: &Interrupt,
) -> Result<Ended, Failure> {
    let cannot = |e| Failure::because("cannot open a port on this machine for Flink's client", e);
    let listener = TcpListener::bind((HERE, 0)).await.map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    let (ready, address) = watch::channel(None);
    let started = deployer.timing.step("Flink's client starts");
    let lost = Arc::new(Notify::new());
    let warnings = Warnings::new(Arc::clone(&report));
    let _at_end = TellAtEnd(Arc::clone(&warnings));
    let forwarder = Forwarder { peers: Peers::of_process(port), warnings };
    tokio::spawn(forwarder.run(listener, address, Arc::clone(&lost), started));

    // As a rule what comes at the port goes on unchanged, so it speaks TLS if the JobManager does.
    let configuration = manifest.effective(&deployer.setup.configuration);
    let security = RestSecurity::of(&configuration, &deployer.context)?;
    let encrypts = security.is_spoken_for_main();
    let given =
        if encrypts { RestAddress::plain(HERE, port) } else { security.address(HERE, port, false)? };
    let mut command = (program.start)(&given)?;
    // What is wrong with Hadoop's configuration or with a login is to be heard before main() does anything.
    let nothing = |cause| Failure::interrupted(cause, "nothing was started");
    let load = Hadoop::load(&deployer.context, &configuration);
    let hadoop = interrupt.unless_raised(load).await.map_err(nothing)??;
    let _tokens = client_run::tokens(Some(&hadoop), &deployer.context, &mut command).await;
    if let Some(cause) = interrupt.cause() {
        return Err(nothing(cause));
    }
    let mut jvm = Jvm::start(command, &deployer.context.exe, program.stdout).await?;

    // Ctrl-C reaches the JVM too. What follows from it is decided when the JVM has ended.
    let give_up = Interrupt::default();
    let submitted = Arc::clone(&deployer.submitted);
    let deployed = deployer.deploy_on(Some(hadoop), manifest, Arc::clone(&report), &give_up);
    tokio::pin!(deployed);
    let early = tokio::select! {
        done = &mut deployed => Ok(done),
        ended = jvm.end(interrupt) => Err(ended),
    };
    let deployment = match early {
        Ok(Ok(deployment)) => deployment,
        Ok(Err(failure)) => {
            drop(jvm.stop().await);
            return Err(failure);
        }
        Err(ended) => {
            let submitted = submitted.get().copied();
            let log = &program.log;
            return over_early(ended?, deployed, submitted, &give_up, interrupt, log, &*report).await;
        }
    };
    if deployment.found {
        // main() is not to be run twice either.
        drop(jvm.stop().await);
        return Ok(Ended {
            done: Ok(Exit::Done),
            application: Some(deployment.id),
            address: deployment.address.clone(),
        });
    }
    let Some(address) = deployment.address.clone() else {
        drop(jvm.stop().await);
        let what = format!("the application {} has ended already", deployment.id);
        return Err(Failure::new(what).of_class(CauseClass::State));
    };
    let (end, _watching) = ApplicationEnd::watched(&deployment);
    let mut follower = Follower::new(&deployment, &address, lost, end.clone());
    // Meanwhile Flink's client waits for its first answer.
    let connection = tokio::select! {
        connection = attend(&deployment, &mut follower) => connection,
        ended = jvm.end(interrupt) => {
            let ended = ended?;
            match ended.interrupted {
                Some(_) => deployment.undo(&*report).await,
                None => {
                    let code = Exit::of_jvm(ended.status).code();
                    tell_the_end(&deployment, code, interrupt, &*report).await;
                }
            }
            let done = before_its_cluster(&ended, &program.log);
            return Ok(Ended { done, application: Some(deployment.id), address: Some(address) });
        }
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(failure) => {
            drop(jvm.stop().await);
            deployment.undo(&*report).await;
            return Err(failure);
        }
    };
    let follows = deployment.highly_available;
    let job_manager = JobManagerAddress { rest: follower.job_manager(), follows, end: end.clone(), encrypts };
    let _ = ready.send(Some(job_manager));
    let rest = follower.job_manager();
    let _following = follows.then(|| follower.start());
    let application = Some((&deployment.yarn, deployment.id));
    let work = client_run::attended(&mut jvm, application, end.wait(), interrupt, &*report);
    let requests = connection.open_requests();
    let telling = waiting::tell_requests(requests, &deployment.yarn, deployment.id, &*report);
    let work = Box::pin(waiting::during(work, telling));
    let ended = if program.timed {
        let ended = Jobs::new(&address, &deployment.timing, timing::CLIENT).during(work).await;
        // As long as the ApplicationMaster has not heard of the end it is there, and so is the JobManager.
        cluster_timing::complete(&deployment).await;
        ended?
    } else {
        work.await?
    };
    let exit = Exit::of_jvm(ended.end.status);
    let done = match ended.end.interrupted {
        Some(cause) => {
            let address = rest.borrow().clone();
            Err(interrupted(cause, deployment.id, &address).await)
        }
        None if ended.is_success() => Ok(exit),
        // The cluster is this program's own, so what is wrong there is why the program has failed.
        None => Err(deployment.explained(ended.failure(&program.log)).await),
    };
    let code = done.as_ref().map_or_else(Failure::exit, |exit| *exit).code();
    if ended.application_over.is_none() {
        match told(connection.complete(i32::from(code)), &end, interrupt, &*report).await {
            Told::Noted(losses) if losses.is_empty() => {}
            Told::Noted(losses) => report.warn(&losses),
            Told::Over(last) => warn_of(&last, &*report),
            Told::Not(why) => {
                report.warn(&format!("{why}; the cluster ends by itself once its jobs have ended"));
            }
        }
    }
    if program.detached && done.is_ok() {
        report.info(&format!(
            "The Flink YARN per-job cluster {0} ends when its job does. To end it earlier:\n\
             $ flink cancel -t yarn-per-job -Dyarn.application.id={0} <job id>\n\
             $ heddle kill {0}",
            deployment.id
        ));
    }
    Ok(Ended { done, application: Some(deployment.id), address: Some(address) })
}

/// The application has ended before its ApplicationMaster heard that `main()` is over. If it has succeeded,
/// `main()` may well have ended it itself.
fn warn_of(last: &ApplicationReport, report: &dyn Report) {
    if last.final_status != FinalStatus::Succeeded {
        report.warn(&with_extract(client_run::over(last), last).to_string());
    }
}

/// The result of a command whose JVM has ended before its cluster was there.
fn before_its_cluster(ended: &JvmEnd, log: &Path) -> Result<Exit, Failure> {
    match ended.interrupted {
        Some(cause) => Err(Failure::interrupted(cause, "the deployment was given up")),
        None if ended.status.success() => Ok(Exit::Done),
        None => Err(client_failure::failure(ended.status, &ended.errors, log)),
    }
}

/// The client's JVM has ended before the cluster was there, and no job can have been submitted: nothing
/// answers yet behind the port.
async fn over_early(
    ended: JvmEnd,
    deployed: Pin<&mut impl Future<Output = Result<Deployment, Failure>>>,
    submitted: Option<ApplicationId>,
    give_up: &Interrupt,
    interrupt: &Interrupt,
    log: &Path,
    report: &dyn Report,
) -> Result<Ended, Failure> {
    if let Some(cause) = ended.interrupted {
        give_up.raise(cause);
        // The deployment may have been finished before it was given up.
        let deployment = deployed.await?;
        deployment.undo(report).await;
        let done = before_its_cluster(&ended, log);
        return Ok(Ended { done, application: Some(deployment.id), address: None });
    }
    let exit = Exit::of_jvm(ended.status);
    let cause = Cause::MainEnded(exit.code());
    let application = match one_that_hears(deployed, cause, submitted, give_up, interrupt, report).await {
        Ok(deployment) => {
            tell_the_end(&deployment, exit.code(), interrupt, report).await;
            Some(deployment.id)
        }
        Err(failure) => {
            report.warn(&failure.to_string());
            None
        }
    };
    Ok(Ended { done: before_its_cluster(&ended, log), application, address: None })
}

/// The cluster, so that it can hear how `main()` ended, if YARN knows it already as `submitted`; else the
/// deployment is given up.
async fn one_that_hears(
    mut deployed: Pin<&mut impl Future<Output = Result<Deployment, Failure>>>,
    cause: Cause,
    submitted: Option<ApplicationId>,
    give_up: &Interrupt,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Deployment, Failure> {
    if let Some(id) = submitted {
        report.info(&format!("{cause}: the application {id} is ended"));
        tokio::select! {
            deployed = &mut deployed => return deployed,
            _ = interrupt.raised() => {}
            () = tokio::time::sleep(HEAR_WITHIN) => {}
        }
    }
    give_up.raise(cause);
    deployed.await
}

/// `main()` has ended with this code: YARN hears it from the ApplicationMaster.
async fn tell_the_end(deployment: &Deployment, code: u8, interrupt: &Interrupt, report: &dyn Report) {
    let (end, _watching) = ApplicationEnd::watched(deployment);
    let telling = async {
        let address = deployment
            .address
            .as_ref()
            .ok_or_else(|| Failure::new("it has ended already").of_class(CauseClass::State))?;
        let mut follower = Follower::new(deployment, address, Arc::default(), end.clone());
        let connection = attend(deployment, &mut follower).await?;
        let _following = deployment.highly_available.then(|| follower.start());
        connection.complete(code.into()).await.map_err(|e| connection_failure(&e))
    };
    match told(telling, &end, interrupt, report).await {
        Told::Noted(_) => return,
        Told::Over(last) => warn_of(&last, report),
        Told::Not(why) => report
            .warn(&format!("the application {} cannot be told that main() has ended: {why}", deployment.id)),
    }
    deployment.undo(report).await;
}

/// The client was interrupted while its cluster was there: what goes on, and how that can be stopped.
async fn interrupted(cause: Cause, id: ApplicationId, address: &RestAddress) -> Failure {
    let jobs = match RestClient::new(address, RestTimeouts::one_try(ANSWER)) {
        Ok(client) => client.jobs().await,
        Err(error) => Err(error),
    };
    let Ok(jobs) = jobs else { return crate::follow::goes_on(cause, id, ClusterMode::PerJob) };
    let goes_on = |state: &JobStatus| !state.is_terminal() && state.0 != "CANCELLING";
    let open: Vec<_> = jobs.iter().filter(|job| goes_on(&job.state)).collect();
    let Some(first) = open.first() else {
        return Failure::interrupted(cause, format!("no job is left, and the application {id} ends"));
    };
    let names: Vec<String> = open.iter().map(|job| format!("{:?} ({})", job.name, job.id)).collect();
    let (jobs, end) = if names.len() == 1 { ("the job", "goes") } else { ("the jobs", "go") };
    let what = format!(
        "{jobs} {} {end} on without this client, and the application {id} ends with the last job",
        names.join(", ")
    );
    let failure = Failure::interrupted(cause, what);
    crate::follow::with_ways_to_end(failure, id, ClusterMode::PerJob, &first.id.to_string())
}

/// Tells the ApplicationMaster that somebody is there who will submit jobs. A JobManager, or an
/// ApplicationMaster, that does not answer for a moment is no reason to give up the cluster.
async fn attend(deployment: &Deployment, follower: &mut Follower) -> Result<SubmissionConnection, Failure> {
    let begin = Instant::now();
    loop {
        let tried = async {
            let control = follower.find().await?;
            tracing::debug!(?control, "attending");
            let access = deployment.access().ok_or_else(|| {
                Failure::new(format!("the application {} was started by another client", deployment.id))
                    .of_class(CauseClass::State)
            })?;
            let opened = SubmissionConnection::open_at(control, access).await;
            opened.map_err(|e| connection_failure(&e))
        };
        match tried.await {
            Err(failure) if failure.retry_helps() && begin.elapsed() < ATTEND_WITHIN => {
                tracing::info!(%failure, "trying again");
                tokio::time::sleep(ATTEND_PAUSE).await;
            }
            done => return done,
        }
    }
}

fn connection_failure(error: &SubmissionError) -> Failure {
    let failure = Failure::new(error.to_string()).retry_if(error.retry_helps());
    match error {
        SubmissionError::OtherRelease { .. } => failure.of_class(CauseClass::Local).hint(
            "this client has just started it: its own heddle-am is of another release, or the application was \
             started by an older heddle. Install heddle anew",
        ),
        SubmissionError::Refused { .. } => failure.of_class(CauseClass::Cluster),
        SubmissionError::Unreachable { .. } => failure.of_class(CauseClass::Unreachable),
    }
}

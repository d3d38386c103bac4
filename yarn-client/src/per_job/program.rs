//! A program whose `main()` runs here, in a JVM of this process, with Flink's own client.

use std::io::PipeWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flink_rest::RestAddress;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use yarn_api::records::FinalStatus;

use super::course::Course;
use super::end::ApplicationEnd;
use super::forward::{Forwarder, JobManagerAddress};
use super::peer::Peers;
use super::running::{Ended, SubmitsJobs};
use super::warnings::{TellAtEnd, Warnings};
use crate::client_process::{Jvm, JvmEnd};
use crate::client_run::RunsMain;
use crate::deploy::{ClusterManifest, Deployer, Deployment};
use crate::error::Failure;
use crate::exit::Exit;
use crate::hadoop::Hadoop;
use crate::interrupt::Interrupt;
use crate::report::Report;
use crate::rest_security::RestSecurity;
use crate::target::HERE;
use crate::{client_failure, client_run};

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

/// `main()` in a JVM, which finds the JobManager behind a port of this machine.
struct InJvm {
    jvm: Jvm,
    /// Lets what was sent to the port go on to the JobManager.
    ready: watch::Sender<Option<JobManagerAddress>>,
    /// Whether TLS begins at the port.
    encrypts: bool,
    /// Where Flink's client logs to.
    log: PathBuf,
}

impl RunsMain for InJvm {
    async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure> {
        self.jvm.end(interrupt).await
    }

    async fn stop(&mut self) -> Result<JvmEnd, Failure> {
        self.jvm.stop().await
    }

    fn outlives(status: FinalStatus) -> Option<Duration> {
        Jvm::outlives(status)
    }
}

impl SubmitsJobs for InJvm {
    fn ready(
        &mut self,
        deployment: &Deployment,
        job_manager: watch::Receiver<RestAddress>,
        end: &ApplicationEnd,
    ) {
        let address = JobManagerAddress {
            rest: job_manager,
            follows: deployment.highly_available,
            end: end.clone(),
            encrypts: self.encrypts,
        };
        let _ = self.ready.send(Some(address));
    }

    async fn outcome(&mut self, deployment: &Deployment, ended: &client_run::Ended) -> Result<Exit, Failure> {
        if ended.is_success() {
            return Ok(Exit::of_jvm(ended.end.status));
        }
        // The cluster is this program's own, so what is wrong there is why the program has failed.
        Err(deployment.explained(ended.failure(&self.log)).await)
    }

    fn early_failure(&self, ended: &JvmEnd) -> Failure {
        client_failure::failure(ended.status, &ended.errors, &self.log)
    }
}

/// Runs the program, and waits for its end.
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
    let jvm = Jvm::start(command, &deployer.context.exe, program.stdout).await?;
    let mut main = InJvm { jvm, ready, encrypts, log: program.log };
    let (detached, timed) = (program.detached, program.timed);
    let course = Course { deployer, manifest, report, interrupt, lost, detached, timed };
    Box::pin(course.run(&mut main, Some(hadoop))).await
}

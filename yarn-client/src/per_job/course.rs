//! The course of a per-job cluster from the start of `main()`, which runs already, to the end of both.

use std::sync::Arc;
use std::time::Duration;

use flink_model::spec::ClusterMode;
use flink_rest::{JobStatus, RestAddress, RestClient, RestTimeouts};
use tokio::sync::Notify;
use yarn_api::records::ApplicationId;

use super::attend::attend;
use super::completion::{Told, told};
use super::early::{over_early, tell_the_end};
use super::end::ApplicationEnd;
use super::follow::Follower;
use super::running::{Ended, SubmitsJobs, warn_of};
use crate::deploy::{ClusterManifest, Deployer};
use crate::error::{CauseClass, Failure};
use crate::exit::Exit;
use crate::hadoop::Hadoop;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;
use crate::timing::Jobs;
use crate::{client_run, cluster_timing, timing, waiting};

/// Time limit of the JobManager's answer when this client is to end.
const ANSWER: Duration = Duration::from_secs(3);

/// A per-job cluster, and what is wanted besides.
pub(super) struct Course<'a> {
    pub(super) deployer: &'a Deployer,
    pub(super) manifest: &'a ClusterManifest,
    pub(super) report: Arc<dyn Report>,
    pub(super) interrupt: &'a Interrupt,
    /// Somebody cannot reach the JobManager.
    pub(super) lost: Arc<Notify>,
    /// The command does not wait for the job.
    pub(super) detached: bool,
    /// The steps of its jobs are recorded, too.
    pub(super) timed: bool,
}

impl Course<'_> {
    /// Deploys the cluster for `main`, and ends with it. `hadoop` is loaded already, if somebody has needed
    /// it.
    pub(super) async fn run<M: SubmitsJobs>(
        self,
        main: &mut M,
        hadoop: Option<Hadoop>,
    ) -> Result<Ended, Failure> {
        let Self { deployer, manifest, report, interrupt, lost, detached, timed } = self;
        // Ctrl-C reaches a JVM, too. What follows from it is decided when `main` has ended.
        let give_up = Interrupt::default();
        let submitted = Arc::clone(&deployer.submitted);
        let deployed = deployer.deploy_on(hadoop, manifest, Arc::clone(&report), &give_up);
        tokio::pin!(deployed);
        let early = tokio::select! {
            done = &mut deployed => Ok(done),
            ended = main.end(interrupt) => Err(ended),
        };
        let deployment = match early {
            Ok(Ok(deployment)) => deployment,
            Ok(Err(failure)) => {
                drop(main.stop().await);
                return Err(failure);
            }
            Err(ended) => {
                let submitted = submitted.get().copied();
                return over_early(main, ended?, deployed, submitted, &give_up, interrupt, &*report).await;
            }
        };
        if deployment.found {
            // main() is not to be run twice either.
            drop(main.stop().await);
            return Ok(Ended {
                done: Ok(Exit::Done),
                application: Some(deployment.id),
                address: deployment.address.clone(),
            });
        }
        let Some(address) = deployment.address.clone() else {
            drop(main.stop().await);
            let what = format!("the application {} has ended already", deployment.id);
            return Err(Failure::new(what).of_class(CauseClass::State));
        };
        let (end, _watching) = ApplicationEnd::watched(&deployment);
        let mut follower = Follower::new(&deployment, &address, lost, end.clone());
        // Meanwhile Flink's client waits for its first answer.
        let connection = tokio::select! {
            connection = attend(&deployment, &mut follower) => connection,
            ended = main.end(interrupt) => {
                let ended = ended?;
                match ended.interrupted {
                    Some(_) => deployment.undo(&*report).await,
                    None => {
                        let code = Exit::of_jvm(ended.status).code();
                        tell_the_end(&deployment, code, interrupt, &*report).await;
                    }
                }
                let done = main.before_its_cluster(&ended);
                return Ok(Ended { done, application: Some(deployment.id), address: Some(address) });
            }
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(failure) => {
                drop(main.stop().await);
                deployment.undo(&*report).await;
                return Err(failure);
            }
        };
        main.ready(&deployment, follower.job_manager(), &end);
        let rest = follower.job_manager();
        let _following = deployment.highly_available.then(|| follower.start());
        let application = Some((&deployment.yarn, deployment.id));
        let work = client_run::attended(main, application, end.wait(), interrupt, &*report);
        let requests = connection.open_requests();
        let telling = waiting::tell_requests(requests, &deployment.yarn, deployment.id, &*report);
        let work = Box::pin(waiting::during(work, telling));
        let ended = if timed {
            let ended = Jobs::new(&address, &deployment.timing, timing::CLIENT).during(work).await;
            // As long as the ApplicationMaster has not heard of the end it is there, and so is the
            // JobManager.
            cluster_timing::complete(&deployment).await;
            ended?
        } else {
            work.await?
        };
        let done = match ended.end.interrupted {
            Some(cause) => {
                let address = rest.borrow().clone();
                Err(interrupted(cause, deployment.id, &address).await)
            }
            None => main.outcome(&deployment, &ended).await,
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
        if detached && done.is_ok() {
            report.info(&format!(
                "The Flink YARN per-job cluster {0} ends when its job does. To end it earlier:\n\
                 $ flink cancel -t yarn-per-job -Dyarn.application.id={0} <job id>\n\
                 $ heddle kill {0}",
                deployment.id
            ));
        }
        Ok(Ended { done, application: Some(deployment.id), address: Some(address) })
    }
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

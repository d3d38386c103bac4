//! `main()` as the client of a per-job cluster sees it: something that runs beside the cluster, in a JVM of
//! this process or elsewhere, and that ends.

use flink_rest::RestAddress;
use tokio::sync::watch;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use super::end::ApplicationEnd;
use crate::application::with_extract;
use crate::client_process::JvmEnd;
use crate::client_run::{self, RunsMain};
use crate::deploy::Deployment;
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::Report;

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

/// What submits the jobs of a per-job cluster.
pub(super) trait SubmitsJobs: RunsMain {
    /// Jobs can be submitted from now on. `job_manager` is where the JobManager is, and `end` is that of the
    /// application.
    fn ready(
        &mut self,
        deployment: &Deployment,
        job_manager: watch::Receiver<RestAddress>,
        end: &ApplicationEnd,
    );

    /// What the command ends with if `main()` has ended like this, and nobody has interrupted it.
    async fn outcome(&mut self, deployment: &Deployment, ended: &client_run::Ended) -> Result<Exit, Failure>;

    /// The failure of a `main()` that has not succeeded, and has ended before its cluster was there.
    fn early_failure(&self, ended: &JvmEnd) -> Failure;

    /// The result of a command whose `main()` has ended before its cluster was there.
    fn before_its_cluster(&self, ended: &JvmEnd) -> Result<Exit, Failure> {
        match ended.interrupted {
            Some(cause) => Err(Failure::interrupted(cause, "the deployment was given up")),
            None if ended.status.success() => Ok(Exit::Done),
            None => Err(self.early_failure(ended)),
        }
    }
}

/// The application has ended before its ApplicationMaster heard that `main()` is over. If it has succeeded,
/// `main()` may well have ended it itself.
pub(super) fn warn_of(last: &ApplicationReport, report: &dyn Report) {
    if last.final_status != FinalStatus::Succeeded {
        report.warn(&with_extract(client_run::over(last), last).to_string());
    }
}

//! Waits for the end of an application that runs a program, and tells the user its jobs and how it has ended.
//! It also has the hints by which a user who interrupts a command learns how to end what still runs.

use std::collections::BTreeSet;
use std::time::Duration;

use flink_model::spec::ClusterMode;
use flink_rest::{RestAddress, RestClient, RestTimeouts};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::with_extract;
use crate::error::Failure;
use crate::exit::Exit;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;
use crate::report_poll::ReportPoll;
use crate::target::Cluster;
use crate::waiting;

const POLL: Duration = Duration::from_millis(500);
/// The time limit for an answer of the JobManager, which may be ending.
const ANSWER: Duration = Duration::from_secs(3);
/// If the ResourceManager does not answer for this long, the client gives up.
const SILENCE: Duration = Duration::from_secs(300);

/// Waits until the application has ended. It is a failure if the application has not succeeded, or if the
/// client is interrupted.
pub async fn follow(
    yarn: &ApplicationClient,
    id: ApplicationId,
    address: Option<&RestAddress>,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Exit, Failure> {
    let work = async {
        let jobs = Jobs::new(address);
        let jobs = jobs.tell(report);
        let telling = async {
            match address {
                Some(address) => waiting::tell(address, yarn, id, report).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = end(yarn, id, report) => ended,
            never = jobs => match never {},
            never = telling => match never {},
        }
    };
    let ended = interrupt.unless_raised(work).await;
    let last = ended.map_err(|cause| goes_on(cause, id, ClusterMode::Application))??;
    let how =
        format!("Application {id} finished with state {} and final state {}", last.state, last.final_status);
    if last.final_status == FinalStatus::Succeeded {
        report.info(&how);
        return Ok(Exit::Done);
    }
    Err(with_extract(how, &last))
}

/// Makes the failure of a client that is interrupted while its application continues.
pub fn goes_on(cause: Cause, id: ApplicationId, mode: ClusterMode) -> Failure {
    with_ways_to_end(
        Failure::interrupted(cause, format!("the application {id} goes on without this client")),
        id,
        mode,
        "<job id>",
    )
}

/// Adds hints with the commands by which the user can end the job or the application.
pub fn with_ways_to_end(failure: Failure, id: ApplicationId, mode: ClusterMode, job: &str) -> Failure {
    let target = mode.target();
    failure
        .hint(format!("`flink cancel -t {target} -Dyarn.application.id={id} {job}` cancels the job"))
        .hint(format!("`heddle kill {id}` ends the whole application"))
}

/// Adds hints with the commands by which the user can end a job on a cluster that existed before the job.
pub fn with_ways_to_end_on(cluster: &Cluster, failure: Failure, job: &str) -> Failure {
    let place = match cluster.application {
        Some(id) => format!("-t yarn-session -Dyarn.application.id={id}"),
        None if cluster.address.tls.is_some() => format!("-m {}", cluster.address.url()),
        None => format!("-m {}", cluster.address),
    };
    failure
        .hint(format!("`flink list {place}` shows the jobs of the cluster"))
        .hint(format!("`flink cancel {place} {job}` cancels the job"))
}

async fn end(
    yarn: &ApplicationClient,
    id: ApplicationId,
    report: &dyn Report,
) -> Result<ApplicationReport, Failure> {
    let mut poll = ReportPoll::new(SILENCE);
    loop {
        if let Some(found) = poll.report(yarn, id, report).await?
            && found.state.is_final()
        {
            return Ok(found);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Reports the jobs that the program submits.
struct Jobs {
    client: Option<RestClient>,
    told: BTreeSet<String>,
}

impl Jobs {
    fn new(address: Option<&RestAddress>) -> Self {
        Self {
            client: address.and_then(|a| RestClient::new(a, RestTimeouts::one_try(ANSWER)).ok()),
            told: BTreeSet::new(),
        }
    }

    /// Reports each job once, for as long as it is polled.
    async fn tell(mut self, report: &dyn Report) -> std::convert::Infallible {
        loop {
            if let Some(client) = &self.client
                && let Ok(overview) = client.jobs().await
            {
                for job in overview {
                    if self.told.insert(job.id.to_string()) {
                        report.job_submitted(job.id.as_str());
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

//! Waits for the end of an application that runs a program, and tells how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::deploy::with_extract;
use crate::error::Failure;
use crate::exit::Exit;
use crate::patience::Patience;
use crate::report::Output;
use crate::rest::{Limits, RestClient};
use crate::target::RestAddress;

const POLL: Duration = Duration::from_millis(500);
/// Bound of a question to the JobManager, which may be ending.
const ANSWER: Duration = Duration::from_secs(3);
/// A ResourceManager that is silent for this long is given up.
const SILENCE: Duration = Duration::from_secs(300);

/// Follows the application to its end. The exit code is 0 only if its program succeeded.
pub(crate) async fn follow(
    yarn: &ApplicationClient,
    id: ApplicationId,
    address: Option<&RestAddress>,
    interrupt: &CancellationToken,
    output: &dyn Output,
) -> Result<Exit, Failure> {
    let work = async {
        let jobs = Jobs::new(address);
        let jobs = jobs.tell(output);
        tokio::select! {
            ended = end(yarn, id, output) => ended,
            never = jobs => match never {},
        }
    };
    let Some(ended) = interrupt.run_until_cancelled(work).await else {
        return Err(Failure::new(format!("interrupted: the application {id} goes on without this client"))
            .hint(format!("`yarn application -kill {id}` ends it")));
    };
    let last = ended?;
    let how =
        format!("Application {id} finished with state {} and final state {}", last.state, last.final_status);
    if last.final_status == FinalStatus::Succeeded {
        output.info(&how);
        return Ok(Exit::Done);
    }
    Err(with_extract(how, &last))
}

async fn end(
    yarn: &ApplicationClient,
    id: ApplicationId,
    output: &dyn Output,
) -> Result<ApplicationReport, Failure> {
    let mut patience = Patience::new(SILENCE);
    loop {
        if let Some(found) = patience.report(yarn, id, output).await?
            && found.state.is_final()
        {
            return Ok(found);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The jobs that the program starts.
struct Jobs {
    client: Option<RestClient>,
    told: BTreeSet<String>,
}

impl Jobs {
    fn new(address: Option<&RestAddress>) -> Self {
        Self {
            client: address.and_then(|a| RestClient::new(a, Limits::one_try(ANSWER)).ok()),
            told: BTreeSet::new(),
        }
    }

    /// Tells each job once, for as long as anybody listens.
    async fn tell(mut self, output: &dyn Output) -> std::convert::Infallible {
        loop {
            if let Some(client) = &self.client
                && let Ok(overview) = client.jobs().await
            {
                for job in overview {
                    if self.told.insert(job.id.to_string()) {
                        output.out(&format!("Job has been submitted with JobID {}", job.id));
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

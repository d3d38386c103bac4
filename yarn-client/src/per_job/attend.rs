//! Opens the call by which the ApplicationMaster knows that somebody is there who will submit jobs.

use std::time::{Duration, Instant};

use taskrunner::submission::{SubmissionConnection, SubmissionError};

use super::follow::Follower;
use crate::deploy::Deployment;
use crate::error::{CauseClass, Failure};

/// A JobManager that runs gets this long to answer.
const ATTEND_WITHIN: Duration = Duration::from_secs(180);
/// Pause between two tries.
const ATTEND_PAUSE: Duration = Duration::from_millis(500);

/// Tells the ApplicationMaster that somebody is there who will submit jobs. A JobManager, or an
/// ApplicationMaster, that does not answer for a moment is no reason to give up the cluster.
pub(super) async fn attend(
    deployment: &Deployment,
    follower: &mut Follower,
) -> Result<SubmissionConnection, Failure> {
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

pub(super) fn connection_failure(error: &SubmissionError) -> Failure {
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

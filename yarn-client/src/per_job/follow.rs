//! Where the JobManager and the ApplicationMaster are, over the attempts of a highly available application.

use std::sync::Arc;
use std::time::Duration;

use flink_rest::RestAddress;
use taskrunner::submission::ApplicationMasterAddress;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::end::ApplicationEnd;
use crate::application::{application_report, report_address};
use crate::control::control_address;
use crate::deploy::Deployment;
use crate::error::Failure;
use crate::rest_security::RestSecurity;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Deadline of a look.
const LOOK: Duration = Duration::from_secs(20);

/// Finds them anew when somebody cannot reach them.
pub(super) struct Follower {
    yarn: ApplicationClient,
    id: ApplicationId,
    follows: bool,
    security: RestSecurity,
    /// Somebody cannot reach them.
    lost: Arc<Notify>,
    job_manager: watch::Sender<RestAddress>,
    application_master: Option<watch::Sender<String>>,
    end: ApplicationEnd,
}

impl Follower {
    /// For a cluster whose JobManager is at `address` now. If it sees the end of the application, it tells
    /// `end`.
    pub(super) fn new(
        deployment: &Deployment,
        address: &RestAddress,
        lost: Arc<Notify>,
        end: ApplicationEnd,
    ) -> Self {
        Self {
            yarn: deployment.yarn.clone(),
            id: deployment.id,
            follows: deployment.highly_available,
            security: deployment.rest_security.clone(),
            lost,
            job_manager: watch::channel(address.clone()).0,
            application_master: None,
            end,
        }
    }

    /// Where the JobManager is.
    pub(super) fn job_manager(&self) -> watch::Receiver<RestAddress> {
        self.job_manager.subscribe()
    }

    /// Where the ApplicationMaster is.
    pub(super) async fn find(&mut self) -> Result<ApplicationMasterAddress, Failure> {
        let at_once = control_address(&self.job_manager.borrow().clone()).await;
        let address = match at_once {
            Err(failure) if self.follows && failure.retry_helps() => self.look().await?,
            done => done?,
        };
        if !self.follows {
            return Ok(ApplicationMasterAddress::fixed(&address));
        }
        let sender = self.application_master.get_or_insert_with(|| watch::channel(address.clone()).0);
        sender.send_if_modified(|known| replace(known, address));
        Ok(ApplicationMasterAddress::followed(sender.subscribe(), Arc::clone(&self.lost)))
    }

    /// Follows them until the result is dropped, or the application has ended.
    pub(super) fn start(self) -> Following {
        let task = tokio::spawn(async move {
            while !self.end.is_seen() {
                self.lost.notified().await;
                match timeout(LOOK, self.look()).await {
                    Ok(Ok(address)) => {
                        if let Some(known) = &self.application_master
                            && known.send_if_modified(|known| replace(known, address))
                        {
                            tracing::info!("the application has another ApplicationMaster");
                        }
                    }
                    Ok(Err(failure)) => tracing::debug!(%failure, "where the JobManager is, is not known"),
                    Err(_) => tracing::debug!("no answer within {} s", LOOK.as_secs()),
                }
                sleep(PAUSE).await;
            }
        });
        Following(task.abort_handle())
    }

    /// Asks the ResourceManager for the JobManager, and that for the ApplicationMaster.
    async fn look(&self) -> Result<String, Failure> {
        let report = application_report(&self.yarn, self.id).await?;
        if report.state.is_final() {
            self.end.seen(report.clone());
        }
        let address = report_address(&report, &self.security)?;
        let application_master = control_address(&address).await?;
        self.job_manager.send_if_modified(|known| replace(known, address));
        Ok(application_master)
    }
}

fn replace<T: PartialEq>(known: &mut T, new: T) -> bool {
    let changed = *known != new;
    *known = new;
    changed
}

/// A [`Follower`] at work.
pub(super) struct Following(tokio::task::AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

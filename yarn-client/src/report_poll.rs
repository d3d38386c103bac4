//! Asks for the report of an application again and again, through a failover of the ResourceManager.

use std::time::{Duration, Instant};

use hadoop_rpc::Retry;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::error::{Failure, yarn_failure};
use crate::report::Report;

/// While the ResourceManager is silent, this is reported again after so long.
const REMIND: Duration = Duration::from_secs(30);

/// How long a ResourceManager may be silent: one that fails over or starts anew takes its applications with
/// it.
#[derive(Debug)]
pub(crate) struct ReportPoll {
    silence: Duration,
    heard: Instant,
    warned: Option<Instant>,
}

impl ReportPoll {
    /// Polls for reports, and gives up once the ResourceManager has been silent for this long.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence, heard: Instant::now(), warned: None }
    }

    /// The application's report; none if there was no answer and it is too early to give up.
    pub(crate) async fn report(
        &mut self,
        yarn: &ApplicationClient,
        id: ApplicationId,
        report: &(impl Report + ?Sized),
    ) -> Result<Option<ApplicationReport>, Failure> {
        match yarn.application_report(id).await {
            Ok(found) => {
                self.heard = Instant::now();
                self.warned = None;
                Ok(Some(found))
            }
            Err(e) if e.retry() != Retry::No && self.heard.elapsed() < self.silence => {
                if self.warned.is_none_or(|at| at.elapsed() >= REMIND) {
                    self.warned = Some(Instant::now());
                    report.warn(&format!("{}; still waiting", yarn_failure(&e)));
                }
                Ok(None)
            }
            Err(e) => Err(yarn_failure(&e)),
        }
    }
}

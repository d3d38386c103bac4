//! Asks for the report of an application again and again. It continues while the ResourceManager restarts or
//! fails over, because the application goes on meanwhile.

use std::time::{Duration, Instant};

use hadoop_rpc::Retry;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::error::{Failure, yarn_failure};
use crate::report::Report;

/// The pause between two warnings that the ResourceManager does not answer.
const REMIND: Duration = Duration::from_secs(30);

/// Polls the report of an application, and decides when to give up. A ResourceManager that fails over or
/// restarts keeps its applications, so the client can wait for it for some time.
#[derive(Debug)]
pub(crate) struct ReportPoll {
    silence: Duration,
    heard: Instant,
    warned: Option<Instant>,
}

impl ReportPoll {
    /// `silence` is the time without an answer after which the poll gives up.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence, heard: Instant::now(), warned: None }
    }

    /// Asks for the application's report; `None` if there was no answer and it is too early to give up. It is
    /// a failure if another try cannot help, or if there was no answer for too long.
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

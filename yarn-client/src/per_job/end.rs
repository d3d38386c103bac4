//! The end of the application of a per-job cluster. Whoever sees it first tells everybody who waits for
//! something that will not come any more.

use tokio::sync::watch;
use tokio::task::AbortHandle;
use yarn_api::records::ApplicationReport;

use crate::client_run;
use crate::deploy::Deployment;

/// See the module's text; clones share it.
#[derive(Debug, Clone)]
pub(super) struct ApplicationEnd(watch::Sender<Option<ApplicationReport>>);

impl ApplicationEnd {
    /// Of an application that has not ended yet.
    pub(super) fn new() -> Self {
        Self(watch::channel(None).0)
    }

    /// The ResourceManager is asked every few seconds, until the second result is dropped.
    pub(super) fn watched(deployment: &Deployment) -> (Self, Watching) {
        let end = Self::new();
        let (seen, yarn, id) = (end.clone(), deployment.yarn.clone(), deployment.id);
        let task = tokio::spawn(async move { seen.seen(client_run::end_of(Some((&yarn, id))).await) });
        (end, Watching(task.abort_handle()))
    }

    /// It has ended, and this is its last report.
    pub(super) fn seen(&self, last: ApplicationReport) {
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(last);
            first
        });
    }

    /// Whether it has ended.
    pub(super) fn is_seen(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for it, and gives the last report.
    pub(super) async fn wait(&self) -> ApplicationReport {
        match self.0.subscribe().wait_for(Option::is_some).await.map(|last| last.clone()) {
            Ok(Some(last)) => last,
            // The sender is here, so the channel is not closed.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// A look at the ResourceManager every few seconds.
pub(super) struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! Records what a deployment has done, and undoes it if the deployment fails or is interrupted. Otherwise an
//! application, its directory and unfinished uploads would be left on the cluster.

use std::sync::Mutex;
use std::time::Duration;

use artifact_store::Unfinished;
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::fetched::Fetched;
use crate::report::Report;
use crate::session;
use crate::staging::ApplicationDir;

/// The time limit for undoing a deployment.
const UNDO_WITHIN: Duration = Duration::from_secs(30);

/// What a deployment has done so far.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    pub(crate) unfinished: Unfinished,
    state: Mutex<UndoState>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct UndoState {
    pub(crate) directory: Option<ApplicationDir>,
    pub(crate) application: Option<(ApplicationClient, ApplicationId)>,
    /// The tokens for the application, until YARN has the application. Then YARN cancels them at the end,
    /// once it has collected the logs.
    pub(crate) tokens: Option<Fetched>,
    /// Whether the cluster as it is now cannot give the containers.
    pub(crate) waits_in_vain: bool,
}

impl Undo {
    pub(crate) fn note(&self, change: impl FnOnce(&mut UndoState)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
        }
    }

    pub(crate) fn waits_in_vain(&self) -> bool {
        self.state.lock().is_ok_and(|state| state.waits_in_vain)
    }

    /// Undoes everything. `why` becomes part of YARN's diagnostics of the application.
    pub(crate) async fn run(&self, why: &str, report: &dyn Report) {
        let state = self.state.lock().map(|mut s| std::mem::take(&mut *s)).unwrap_or_default();
        let work = async {
            let mut submitted = false;
            // An application that the ResourceManager has refused does not exist.
            if let Some((yarn, id)) = &state.application
                && !yarn
                    .application_report(*id)
                    .await
                    .is_err_and(|e| e.is_remote(RemoteKind::ApplicationNotFound))
            {
                submitted = true;
                report.info("Killing YARN application");
                if let Err(failure) = session::kill(yarn, *id, why).await {
                    report.warn(&format!("{failure}; `heddle kill {id}` kills it"));
                }
            }
            if let Some(directory) = &state.directory
                && let Err(failure) = directory.remove().await
            {
                report.warn(&format!("left behind: {failure}"));
            }
            self.unfinished.remove().await;
            if let Some(tokens) = state.tokens.as_ref().filter(|_| !submitted) {
                tokens.cancel().await;
            }
        };
        if tokio::time::timeout(UNDO_WITHIN, work).await.is_err() {
            report.warn(
                "the cluster did not answer while the deployment was undone: something may be left behind",
            );
        }
    }
}

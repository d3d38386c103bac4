//! Records what a deployment has done, and undoes it if the deployment fails or is interrupted. Otherwise an
//! application, its directory, its tokens and unfinished uploads would be left on the cluster.

use std::sync::Mutex;
use std::time::Duration;

use artifact_store::Unfinished;
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::held_tokens::HeldTokens;
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
    /// The application, from the moment on in which YARN may have it.
    pub(crate) application: Option<(ApplicationClient, ApplicationId)>,
    /// The tokens for the application.
    pub(crate) tokens: Option<HeldTokens>,
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
            let are_yarns = match &state.application {
                Some((yarn, id)) => end(yarn, *id, why, state.tokens.is_some(), report).await,
                None => false,
            };
            // None of these waits for the others, because the time may not suffice for all of them.
            let directory = async {
                if let Some(directory) = &state.directory
                    && let Err(failure) = directory.remove().await
                {
                    report.warn(&format!("left behind: {failure}"));
                }
            };
            let tokens = async {
                if let Some(tokens) = state.tokens.as_ref().filter(|_| !are_yarns) {
                    tokens.cancel().await;
                }
            };
            tokio::join!(directory, self.unfinished.remove(), tokens);
        };
        if tokio::time::timeout(UNDO_WITHIN, work).await.is_err() {
            report.warn(
                "the cluster did not answer while the deployment was undone: something may be left behind",
            );
        }
    }
}

/// Ends the application, unless it has ended already. Says whether its tokens are YARN's; without
/// `has_tokens` that does not matter, and YARN is not asked for it. YARN cancels them, or lets them end
/// without being renewed if it was told to cancel none; until then the nodes collect the application's logs
/// with them.
async fn end(
    yarn: &ApplicationClient,
    id: ApplicationId,
    why: &str,
    has_tokens: bool,
    report: &dyn Report,
) -> bool {
    match yarn.application_report(id).await {
        // An application that the ResourceManager has refused does not exist.
        Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => return false,
        Ok(found) if found.state.is_final() => return cancels_tokens(&found),
        _ => {}
    }
    report.info("Killing YARN application");
    if let Err(failure) = session::kill(yarn, id, why).await {
        report.warn(&format!("{failure}; `heddle kill {id}` kills it"));
        // The application may still need its tokens.
        return true;
    }
    if !has_tokens {
        return true;
    }
    match yarn.application_report(id).await {
        Ok(found) => cancels_tokens(&found),
        Err(_) => true,
    }
}

/// Whether YARN cancels the tokens of this application, once it has collected its logs. The ResourceManager
/// takes charge of the tokens when it has renewed all of them, and makes the first attempt only then. If it
/// cannot renew one, it rejects the application, which it has accepted before, and cancels none.
fn cancels_tokens(found: &ApplicationReport) -> bool {
    found.attempt_id.is_some() || !found.state.is_final()
}

#[cfg(test)]
mod tests {
    use yarn_api::records::ApplicationState;

    use super::*;
    use crate::deploy::report_in_state;

    #[test]
    fn yarn_cancels_no_tokens_of_an_application_that_it_has_rejected() {
        let found = |state, attempt: Option<&str>| ApplicationReport {
            attempt_id: attempt.map(|id| id.parse().unwrap()),
            ..report_in_state(state, "")
        };
        let attempt = Some("appattempt_1_0001_000001");
        for ended in [ApplicationState::Failed, ApplicationState::Killed, ApplicationState::Finished] {
            assert!(!cancels_tokens(&found(ended, None)), "{ended}");
            assert!(cancels_tokens(&found(ended, attempt)), "{ended}");
        }
        for alive in [ApplicationState::NewSaving, ApplicationState::Accepted, ApplicationState::Running] {
            assert!(cancels_tokens(&found(alive, None)), "{alive}");
        }
    }
}

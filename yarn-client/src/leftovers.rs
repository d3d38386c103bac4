//! Removes what dead applications of this user have left in the staging directory.

use std::time::Duration;

use artifact_store::{below, idle, now_ms};
use flink_model::spec::SPEC_FILE;
use hadoop_fs::Storage;
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationState};

use crate::hadoop::Hadoop;
use crate::staging::{APPLICATIONS, application_path};

/// An upload that was not finished, an empty directory, or the directory of an application that the
/// ResourceManager does not know, is left over from this age on.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Most directories looked at in one run: this is done while something else is waited for.
const AT_MOST: usize = 20;

/// Time limit of [`tidy`].
const TIDY_WITHIN: Duration = Duration::from_secs(3);

/// Whether an application's directory is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its application runs, or will.
    Alive,
    /// Nobody needs it any more.
    Dead,
    /// The ResourceManager does not know the application, but a client may be about to submit it.
    Unsure,
    /// Another YARN cluster's ResourceManager would have to be asked.
    Elsewhere,
}

/// What becomes of a directory of this age. `state`: what the ResourceManager says, none if it does not know
/// the application.
pub(crate) fn fate(state: Option<ApplicationState>, age: Duration) -> Fate {
    match state {
        Some(state) if state.is_final() => Fate::Dead,
        Some(_) => Fate::Alive,
        None if age >= FORGOTTEN => Fate::Dead,
        None => Fate::Unsure,
    }
}

/// Looks through `<base>/.flink` for directories of applications that have ended, and removes those that
/// heddle has made. An error here is ignored: it must not make the command fail.
pub(crate) async fn sweep(yarn: &ApplicationClient, storage: &Storage, base: &str, own: ApplicationId) {
    let Ok(found) = storage.list(&below(base, APPLICATIONS), false).await else { return };
    let ids = found.iter().filter(|s| s.is_dir).filter_map(|s| {
        let id: ApplicationId = s.path.rsplit('/').next()?.parse().ok()?;
        // Another ResourceManager's applications cannot be asked after here.
        (id != own && id.cluster_timestamp == own.cluster_timestamp).then_some((id, s))
    });
    for (id, status) in ids.take(AT_MOST) {
        let state = match yarn.application_report(id).await {
            Ok(report) => Some(report.state),
            Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => None,
            Err(_) => continue,
        };
        if fate(state, idle(status, now_ms())) == Fate::Dead {
            remove(storage, &status.path).await;
        }
    }
}

/// Removes what an application that is over has left: it may have ended without a chance to do so itself.
/// Whoever meets such an application calls this; it takes [`TIDY_WITHIN`] at most.
pub(crate) async fn tidy(hadoop: &Hadoop, configured_base: Option<&str>, id: ApplicationId) {
    let work = async {
        let Ok(storage) = hadoop.storage(configured_base) else { return };
        if let Ok(base) = storage.path(configured_base.unwrap_or_else(|| storage.home_dir())) {
            remove(&storage, &application_path(&base, id)).await;
        }
    };
    if tokio::time::timeout(TIDY_WITHIN, work).await.is_err() {
        tracing::debug!(%id, "no time to look for what it left");
    }
}

/// Removes an application's directory if heddle made it.
async fn remove(storage: &Storage, path: &str) {
    let ours = matches!(storage.find(&format!("{path}/{SPEC_FILE}")).await, Ok(Some(_)));
    if ours && let Err(error) = storage.delete(path, true).await {
        tracing::debug!(%error, path, "not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates() {
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(fate(Some(ApplicationState::Running), day * 100), Fate::Alive);
        assert_eq!(fate(Some(ApplicationState::Accepted), day * 100), Fate::Alive);
        assert_eq!(fate(Some(ApplicationState::Other(99)), day * 100), Fate::Alive);
        assert_eq!(fate(Some(ApplicationState::Killed), Duration::ZERO), Fate::Dead);
        assert_eq!(fate(None, day), Fate::Dead);
        assert_eq!(fate(None, day / 2), Fate::Unsure);
    }
}

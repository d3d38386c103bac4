//! Removes the directories that ended applications of this user have left in the staging directory. An
//! ApplicationMaster usually removes the directory of its application itself, but cannot do so after
//! `kill -9`.

use std::time::Duration;

use artifact_store::{below, idle, now_ms};
use flink_model::spec::SPEC_FILE;
use hadoop_fs::Storage;
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationState};

use crate::hadoop::Hadoop;
use crate::staging::{APPLICATIONS, Ground, application_path};

/// The age from which on something counts as left over, if no report of YARN can decide it: an unfinished
/// upload, an empty directory, or the directory of an application that the ResourceManager does not know.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// The highest number of directories that one command looks at. It does so while it waits for something else.
const AT_MOST: usize = 20;

/// The time limit of [`tidy`].
const TIDY_WITHIN: Duration = Duration::from_secs(3);

/// Whether an application's directory is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The application runs, or will run.
    Alive,
    /// Nothing needs the directory any more.
    Dead,
    /// The ResourceManager does not know the application, but a client may be about to submit it.
    Unsure,
    /// The application belongs to another YARN cluster, so only that cluster's ResourceManager knows its
    /// state.
    Elsewhere,
}

/// Decides about a directory of this age. `state` is the ResourceManager's answer; `None` means that it does
/// not know the application.
pub(crate) fn fate(state: Option<ApplicationState>, age: Duration) -> Fate {
    match state {
        Some(state) if state.is_final() => Fate::Dead,
        Some(_) => Fate::Alive,
        None if age >= FORGOTTEN => Fate::Dead,
        None => Fate::Unsure,
    }
}

/// Looks through `<base>/.flink` for directories of ended applications, and removes those that heddle has
/// created, except for that of the application `own`. Errors are ignored, because the command must not fail
/// because of them.
pub(crate) async fn sweep(yarn: &ApplicationClient, storage: &Storage, base: &str, own: ApplicationId) {
    let Ok(found) = storage.list(&below(base, APPLICATIONS), false).await else { return };
    let ids = found.iter().filter(|s| s.is_dir).filter_map(|s| {
        let id: ApplicationId = s.path.rsplit('/').next()?.parse().ok()?;
        // This ResourceManager cannot be asked about applications of another one.
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

/// Removes the directory of an application that has ended, because its ApplicationMaster may have been killed
/// before it could do so. Commands that find out that an application has ended call this. It takes at most
/// [`TIDY_WITHIN`], and errors are ignored.
pub(crate) async fn tidy(hadoop: &Hadoop, configured_base: Option<&str>, id: ApplicationId) {
    let work = async {
        let Ok(storage) = hadoop.storage(configured_base) else { return };
        if let Ok(ground) = Ground::find(&storage, configured_base).await {
            for base in ground.bases() {
                remove(&storage, &application_path(base, id)).await;
            }
        }
    };
    if tokio::time::timeout(TIDY_WITHIN, work).await.is_err() {
        tracing::debug!(%id, "no time to look for what it left");
    }
}

/// Removes the directory of an application, if heddle has created it.
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

//! Removes what dead applications of this user have left in the staging directory.

use std::time::Duration;

use flink_model::spec::SPEC_FILE;
use hadoop_fs::Storage;
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use crate::gc::plan::{Fate, fate};
use crate::hadoop::Hadoop;
use crate::staging::{APPLICATIONS, application_path, below, idle, now_ms};

/// Most directories looked at in one run: this is done while something else is waited for.
const AT_MOST: usize = 20;

/// Bound of [`tidy`].
const TIDY_WITHIN: Duration = Duration::from_secs(3);

/// Looks through `<base>/.flink` for directories of applications that have ended, and removes those that heddle has made. That it
/// does not work is no failure of anything.
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

/// Removes what an application that is over has left: it may have ended without a chance to do so itself. Whoever meets such
/// an application calls this; it takes [`TIDY_WITHIN`] at most.
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

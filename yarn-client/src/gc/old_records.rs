//! Finds the records that applications have left (`docs/outcomes.md`) and that are old enough to be removed.

use std::time::Duration;

use artifact_store::{below, idle};
use futures::{StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, Storage};
use outcomes::PLACE;
use yarn_api::records::{ApplicationId, ApplicationState};

use super::listing::{AT_ONCE, list};
use super::survey::Survey;
use crate::error::Failure;
use crate::leftovers::{Fate, fate};

/// How long a record is kept after it was last written.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The directory of the record of one application.
#[derive(Debug)]
pub(super) struct OldRecord {
    pub(super) status: FileStatus,
    /// The size in bytes of all files in the directory.
    pub(super) bytes: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct OldRecords {
    pub(super) records: Vec<OldRecord>,
    /// A note for the user, if the records could not be looked at.
    pub(super) note: Option<String>,
}

/// The records in the user's home directory on `storage` that can be removed.
pub(super) async fn find(survey: &Survey<'_>, storage: &Storage, now_ms: u64) -> Result<OldRecords, Failure> {
    let place = below(storage.home_dir(), PLACE);
    let Some(found) = list(storage, &place, false).await? else {
        let note = Some(format!("{place} is left alone: you may not read it"));
        return Ok(OldRecords { note, ..OldRecords::default() });
    };
    let old = found.into_iter().filter(|status| status.is_dir && is_old(idle(status, now_ms)));
    let named = old.filter_map(|status| {
        let id: ApplicationId = status.path.rsplit('/').next()?.parse().ok()?;
        Some((id, status))
    });
    let looked: Vec<Option<OldRecord>> = futures::stream::iter(named)
        .map(|(id, status)| look(survey, storage, id, status, now_ms))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(OldRecords { records: looked.into_iter().flatten().collect(), note: None })
}

/// The record of an application, if that has ended.
async fn look(
    survey: &Survey<'_>,
    storage: &Storage,
    id: ApplicationId,
    status: FileStatus,
    now_ms: u64,
) -> Result<Option<OldRecord>, Failure> {
    if !is_due(survey.state_now(id).await?, idle(&status, now_ms)) {
        return Ok(None);
    }
    let files = list(storage, &status.path, true).await?.unwrap_or_default();
    Ok(Some(OldRecord { bytes: files.iter().map(|file| file.len).sum(), status }))
}

fn is_old(age: Duration) -> bool {
    age >= KEPT
}

/// Whether a record of this age can go. `state`: of its application; `None` if the ResourceManager does not
/// know it any more.
fn is_due(state: Option<ApplicationState>, age: Duration) -> bool {
    is_old(age) && fate(state, age) == Fate::Dead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_records_of_applications_that_have_ended_go() {
        let day = Duration::from_secs(24 * 3600);
        for (state, days, goes) in [
            (Some(ApplicationState::Finished), 31, true),
            (Some(ApplicationState::Killed), 30, true),
            (Some(ApplicationState::Failed), 29, false),
            (Some(ApplicationState::Running), 400, false),
            (Some(ApplicationState::Accepted), 400, false),
            (None, 30, true),
            (None, 29, false),
        ] {
            assert_eq!(is_due(state, day * days), goes, "{state:?} {days}");
        }
    }
}

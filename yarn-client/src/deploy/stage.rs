//! Uploads the files of a resolved deployment to the cluster. For a dry run it only forecasts where the files
//! would be.

use std::path::Path;
use std::sync::Arc;

use artifact_store::{Artifact, Completion, Lost, Uploaded};
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use futures::future;
use hadoop_fs::Source;

use super::class_data;
use super::resolved::Resolved;
use super::services::{Services, Surveys};
use super::staged::{Staged, StagedFile};
use super::undo::Undo;
use crate::error::Failure;
use crate::report::Report;
use crate::staging::ApplicationDir;
use crate::timing::Timing;
use crate::units::{bytes, count};
use crate::warning::Warnings;

/// Returns the files with the places that they will have. Nothing is written.
pub(crate) async fn forecast(
    services: &Services,
    resolved: &Resolved,
    surveys: Surveys,
) -> Result<Vec<StagedFile>, Failure> {
    let Surveys { shared, private, .. } = surveys;
    let planned = future::try_join(services.shared.planned(shared), services.private.planned(private));
    let (shared, private) = planned.await?;
    let stores = shared.into_iter().chain(private);
    let directory = services.directory(resolved.application.id);
    let own: Result<Vec<_>, Failure> = resolved
        .files_of_application()
        .map(|(key, path)| Ok((in_directory(&directory, key, path)?, true)))
        .collect();
    let remote = resolved.remote_files().map(|resource| (resource.clone(), false));
    Ok(stores
        .chain(own?)
        .chain(remote)
        .map(|(resource, upload)| staged(resolved, resource, upload))
        .collect())
}

/// A local file as it will be once it is in the application's directory.
fn in_directory(directory: &ApplicationDir, key: &str, path: &Path) -> Result<LocalResource, Failure> {
    let found = path.metadata();
    let found = found.map_err(|e| Failure::because(format!("cannot read {}", path.display()), e))?;
    Ok(LocalResource {
        key: key.to_owned(),
        url: format!("{}/{key}", directory.url()?),
        size: found.len(),
        modification_time: 0,
        visibility: Visibility::Application,
        kind: LocalResourceKind::File,
    })
}

/// Uploads all files that the stores do not have, and returns the places of all files.
pub(crate) async fn upload(
    services: &Services,
    resolved: &Resolved,
    surveys: Surveys,
    timing: &Timing,
    undo: &Undo,
    report: &Arc<dyn Report>,
) -> Result<Vec<StagedFile>, Failure> {
    let Surveys { shared, private, hashes } = surveys;
    let missing = [shared.missing(), private.missing()].concat();
    let step = timing.step("upload");
    if !missing.is_empty() {
        report.upload_begins(missing.len(), missing.iter().sum());
    }
    let listener = Arc::clone(report);
    let uploaded: Uploaded = Arc::new(move |name, bytes| listener.uploaded(name, bytes));
    let done = future::try_join(
        services.shared.complete(shared, &undo.unfinished, &uploaded),
        services.private.complete(private, &undo.unfinished, &uploaded),
    )
    .await;
    if !missing.is_empty() {
        report.upload_ends();
        step.end_of(format!("{}, {}", count(missing.len(), "file"), bytes(missing.iter().sum())));
    }
    let (Completion { served: shared, lost }, private) = done?;
    let mut private = private.whole()?;
    if let Some(lost) = lost {
        private = keep_lost(services, lost, private, undo, report, &uploaded).await?;
    }
    let (artifacts, resources): (Vec<_>, Vec<_>) = shared.into_iter().chain(private).unzip();
    if let Err(failure) =
        hashes.remember(artifacts.iter().map(|artifact| &artifact.file)).map_err(Failure::from)
    {
        let hints = failure.hints().join("; ");
        report.warn(&format!("{failure}; {hints}"));
    }
    let all = resources.into_iter().chain(resolved.remote_files().cloned());
    Ok(all.map(|resource| staged(resolved, resource, false)).collect())
}

/// Uploads the files that no store may have to the application's directory, which must exist already, and
/// returns their places.
pub(crate) async fn upload_own(services: &Services, resolved: &Resolved) -> Result<Vec<StagedFile>, Failure> {
    let directory = services.directory(resolved.application.id);
    let sources: Vec<(&str, Source)> =
        resolved.files_of_application().map(|(key, path)| (key, Source::File(path.to_owned()))).collect();
    let uploads: Vec<_> = sources.iter().map(|(key, source)| directory.put(key, source)).collect();
    let resources = future::try_join_all(uploads).await?;
    Ok(resources.into_iter().map(|resource| staged(resolved, resource, false)).collect())
}

/// Puts the files that the shared store has not taken into the private one, which has `private` already.
/// Returns what the private store has then.
async fn keep_lost(
    services: &Services,
    lost: Lost,
    private: Vec<(Artifact, LocalResource)>,
    undo: &Undo,
    report: &Arc<dyn Report>,
    uploaded: &Uploaded,
) -> Result<Vec<(Artifact, LocalResource)>, Failure> {
    report.warn(&format!(
        "another user has written to the store at the same time, so your private store gets {}: {}",
        count(lost.artifacts.len(), "file"),
        lost.why
    ));
    // All together, so that equal files of one name get different names there.
    let all = private.into_iter().map(|(artifact, _)| artifact).chain(lost.artifacts).collect();
    let inventory = services.private.survey(all).await?;
    services.private.require_root(&inventory)?;
    let missing = inventory.missing();
    if missing.is_empty() {
        return Ok(services.private.complete(inventory, &undo.unfinished, uploaded).await?.whole()?);
    }
    report.upload_begins(missing.len(), missing.iter().sum());
    let done = services.private.complete(inventory, &undo.unfinished, uploaded).await;
    report.upload_ends();
    Ok(done?.whole()?)
}

/// Adds the class data archives that exist for these files.
pub(crate) async fn with_archives(
    services: &Services,
    resolved: &Resolved,
    files: Vec<StagedFile>,
    timing: &Timing,
    warnings: &mut Warnings,
) -> Staged {
    let archives = class_data::find(services, resolved, &files, warnings);
    let archives = timing.time("class data archives looked at", archives).await;
    Staged::new(resolved, files, archives)
}

fn staged(resolved: &Resolved, resource: LocalResource, upload: bool) -> StagedFile {
    StagedFile { part: resolved.part_of(&resource.key), resource, upload }
}

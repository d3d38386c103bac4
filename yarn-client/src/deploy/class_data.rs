//! Finds the class data archives that the stores have for the JVMs of a deployment, so that their containers
//! get them.
//!
//! A failure here is only logged and does not stop the deployment, because JVMs start without archives, too.

use std::collections::BTreeSet;

use artifact_store::{Archives, PRIVATE_STORE, below};
use flink_model::class_data::{self, ClassDataSpec};
use flink_model::local_resource::{LocalResource, Visibility};
use flink_model::memory::Role;
use flink_model::spec::JvmTemplate;
use futures::future;

use super::resolved::Resolved;
use super::services::Services;
use super::staged::{ClassDataArchives, StagedFile};
use crate::error::Failure;
use crate::warning::Warnings;

/// The archives of one role: the specification for the ApplicationMaster, and the local resources for the
/// containers.
type Found = Option<(ClassDataSpec, Vec<LocalResource>)>;

/// Finds the archives of both roles.
pub(crate) async fn find(
    services: &Services,
    resolved: &Resolved,
    files: &[StagedFile],
    warnings: &mut Warnings,
) -> ClassDataArchives {
    if !resolved.fast_start {
        return ClassDataArchives::default();
    }
    let files: Vec<LocalResource> = files.iter().map(|file| file.resource.clone()).collect();
    let spec = &resolved.am_spec;
    let ((job_manager, of_job_manager), (task_manager, of_task_manager)) = future::join(
        look(services, Role::JobManager, &spec.job_manager.jvm, &files),
        look(services, Role::TaskManager, &spec.task_managers.jvm, &files),
    )
    .await;
    let told: BTreeSet<String> = of_job_manager.into_iter().chain(of_task_manager).collect();
    told.into_iter().for_each(|warning| warnings.warn(warning));
    ClassDataArchives { job_manager, task_manager }
}

/// Finds the archives of one role, and returns them with the warnings about them. A failure counts as no
/// archive.
async fn look(
    services: &Services,
    role: Role,
    jvm: &JvmTemplate,
    files: &[LocalResource],
) -> (Found, Vec<String>) {
    match try_look(services, role, jvm, files).await {
        Ok(Some(Archives { order, resources, warnings, .. })) => (Some((order, resources)), warnings),
        Ok(None) => (None, Vec::new()),
        Err(failure) => {
            tracing::info!(%failure, ?role, "no class data archives");
            (None, Vec::new())
        }
    }
}

async fn try_look(
    services: &Services,
    role: Role,
    jvm: &JvmTemplate,
    files: &[LocalResource],
) -> Result<Option<Archives>, Failure> {
    if class_data::in_the_way(jvm.jvm_args.iter().map(String::as_str)).is_some() {
        return Ok(None);
    }
    let Some(front) = class_data::front(&jvm.class_path, files) else { return Ok(None) };
    // An archive contains the classes of the jars. So if one of the jars is private to the user, the archive
    // is in the private store, too, and no more people can read it than can read the jars.
    let private =
        services.storage.url(&below(&services.ground.base, PRIVATE_STORE)).map_err(|e| Failure::fs(&e))?;
    let own = |jar: &&LocalResource| {
        let uploaded = jar.url.starts_with(&format!("{private}/"));
        uploaded || (jar.visibility != Visibility::Public && !services.shared.holds(&jar.url))
    };
    let directory = class_data::directory(role, &front);
    let class_path: Vec<String> = front.iter().map(|jar| jar.key.clone()).collect();
    if !front.iter().any(own) {
        let found = services.shared.archives(&directory, class_path.clone()).await?;
        if found.may_add || !found.resources.is_empty() {
            return Ok(Some(found));
        }
        // The shared store is somebody else's, who has put no archive there.
        let Archives { warnings, .. } = found;
        let mut own = services.private.archives(&directory, class_path).await?;
        own.warnings.extend(warnings);
        return Ok(Some(own));
    }
    Ok(Some(services.private.archives(&directory, class_path).await?))
}

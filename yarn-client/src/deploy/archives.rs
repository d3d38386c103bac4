//! Class data archives for a deployment: those that the store has for its JVMs go to their containers.
//!
//! Nothing of this stops a deployment.

use artifact_store::{Archives, PRIVATE_STORE, below};
use flink_model::class_data::{self, ClassDataSpec};
use flink_model::local_resource::{LocalResource, Visibility};
use flink_model::memory::Role;
use flink_model::spec::{AmSpec, JvmTemplate};
use futures::future;

use super::ground::{Ground, Placed};
use crate::error::Failure;
use crate::report::Report;

/// Adds the archives to the order; gives the files for the ApplicationMaster's container.
pub(crate) async fn add(
    ground: &Ground,
    placed: &[Placed],
    spec: &mut AmSpec,
    report: &dyn Report,
) -> Vec<LocalResource> {
    if !spec.fast_start {
        return Vec::new();
    }
    let files: Vec<LocalResource> = placed.iter().map(|p| p.resource.clone()).collect();
    let (job_manager, task_manager) = future::join(
        look(ground, Role::JobManager, &spec.job_manager, &files, report),
        look(ground, Role::TaskManager, &spec.task_manager, &files, report),
    )
    .await;
    let (order, for_job_manager) = job_manager.unzip();
    spec.job_manager_archive = order;
    let (order, for_task_managers) = task_manager.unzip();
    spec.task_manager_archive = order;
    spec.task_manager_resources.extend(for_task_managers.unwrap_or_default());
    let for_job_manager = for_job_manager.unwrap_or_default();
    spec.application_master_resources.extend(for_job_manager.iter().cloned());
    for_job_manager
}

async fn look(
    ground: &Ground,
    role: Role,
    jvm: &JvmTemplate,
    files: &[LocalResource],
    report: &dyn Report,
) -> Option<(ClassDataSpec, Vec<LocalResource>)> {
    match try_look(ground, role, jvm, files, report).await {
        Ok(found) => found,
        Err(failure) => {
            tracing::info!(%failure, ?role, "no class data archives");
            None
        }
    }
}

async fn try_look(
    ground: &Ground,
    role: Role,
    jvm: &JvmTemplate,
    files: &[LocalResource],
    report: &dyn Report,
) -> Result<Option<(ClassDataSpec, Vec<LocalResource>)>, Failure> {
    if class_data::in_the_way(jvm.jvm_args.iter().map(String::as_str)).is_some() {
        return Ok(None);
    }
    let Some(front) = class_data::front(&jvm.class_path, files) else { return Ok(None) };
    // What an archive holds is what the jars hold: it goes where they are.
    let private = ground.storage.url(&below(&ground.base, PRIVATE_STORE)).map_err(|e| Failure::fs(&e))?;
    let (shared_store, private_store) = ground.stores();
    let own = |jar: &&LocalResource| {
        let uploaded = jar.url.starts_with(&format!("{private}/"));
        uploaded || (jar.visibility != Visibility::Public && !shared_store.holds(&jar.url))
    };
    let store = if front.iter().any(own) { private_store } else { shared_store };
    let directory = class_data::directory(role, &front);
    let class_path = front.iter().map(|jar| jar.key.clone()).collect();
    let Archives { order, resources, warnings } = store.archives(&directory, class_path).await?;
    warnings.iter().for_each(|warning| report.warn(warning));
    Ok(Some((order, resources)))
}

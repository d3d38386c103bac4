//! Turns a resolved deployment and the places of its files into what YARN and the ApplicationMaster get: the
//! submission context and the specification. This module does no I/O.

use std::time::Duration;

use artifact_store::{BadResource, local_resources};
use flink_model::class_data::ClassDataSpec;
use flink_model::container::{AM, BRIDGE, TASKRUNNER};
use flink_model::local_resource::LocalResource;
use flink_model::spec::{AmSpec, ContainerResources, JobManagerSpec, TaskManagersSpec};
use serde::{Deserialize, Serialize};
use yarn_api::records::{
    AccessType, ContainerLaunchContext, LogAggregation, Priority, Resource, SubmissionContext,
};

use super::container_files::Part;
use super::resolved::Resolved;
use crate::error::{CauseClass, Failure};

/// The command of the ApplicationMaster's container. It has only fixed words, and nothing that the user has
/// written.
const COMMAND: &str = "./heddle-am 1><LOG_DIR>/heddle-am.out 2><LOG_DIR>/heddle-am.log";

/// A resolved deployment's files, each with its place on the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Staged {
    /// The files of the containers.
    pub(crate) files: Vec<StagedFile>,
    /// The class data archives for the ApplicationMaster's container.
    pub(crate) archives: Vec<LocalResource>,
    /// The complete specification for the ApplicationMaster.
    pub(crate) am_spec: AmSpec,
}

/// A file of the containers, as YARN gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StagedFile {
    pub(crate) resource: LocalResource,
    pub(crate) part: Part,
    /// Whether the file must still be uploaded. That is possible only in a dry run.
    pub(crate) upload: bool,
}

/// The class data archives that the stores have for the JVMs of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClassDataArchives {
    pub(crate) job_manager: Option<(ClassDataSpec, Vec<LocalResource>)>,
    pub(crate) task_manager: Option<(ClassDataSpec, Vec<LocalResource>)>,
}

impl Staged {
    /// Adds the places of all files to the specification for the ApplicationMaster.
    pub(crate) fn new(resolved: &Resolved, files: Vec<StagedFile>, archives: ClassDataArchives) -> Self {
        let resources = files.iter().map(|file| file.resource.clone());
        let (mut own, mut for_task_managers): (Vec<_>, Vec<_>) =
            resources.partition(|r| is_of_application_master(&r.key));
        let (job_manager_class_data, job_manager_archives) = archives.job_manager.unzip();
        let (task_manager_class_data, task_manager_archives) = archives.task_manager.unzip();
        let job_manager_archives = job_manager_archives.unwrap_or_default();
        own.extend(job_manager_archives.iter().cloned());
        for_task_managers.extend(task_manager_archives.unwrap_or_default());
        let AmSpec { job_manager, task_managers, .. } = resolved.am_spec.clone();
        let am_spec = AmSpec {
            job_manager: JobManagerSpec { class_data: job_manager_class_data, ..job_manager },
            task_managers: TaskManagersSpec { class_data: task_manager_class_data, ..task_managers },
            resources: ContainerResources {
                task_manager_resources: for_task_managers,
                application_master_resources: own,
            },
            ..resolved.am_spec.clone()
        };
        Self { files, archives: job_manager_archives, am_spec }
    }

    /// The text of the specification file for the ApplicationMaster.
    pub(crate) fn am_spec_text(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec_pretty(&self.am_spec).map_err(|e| {
            Failure::because("cannot write the specification for the ApplicationMaster", e)
                .of_class(CauseClass::Internal)
        })
    }
}

/// Makes the failure for a file whose place cannot be described to YARN.
pub(crate) fn no_place(error: BadResource) -> Failure {
    Failure::because("cannot hand a file to the containers", error).of_class(CauseClass::Internal)
}

/// Whether only the ApplicationMaster's container gets the file with this key.
pub(crate) fn is_of_application_master(key: &str) -> bool {
    key == AM || key == BRIDGE
}

/// Makes the submission context for the ResourceManager.
pub(crate) fn submission_context(resolved: &Resolved, staged: &Staged) -> Result<SubmissionContext, Failure> {
    let application = &resolved.application;
    let resources = staged.files.iter().map(|file| &file.resource).chain(&staged.archives);
    let resources = resources.filter(|resource| resource.key != TASKRUNNER);
    let local_resources = local_resources(resources, resolved.fast_start).map_err(no_place)?;
    let size = resolved.application_master;
    let capability = Resource::new(size.memory_mb, size.vcores.unsigned_abs());
    let mut context = SubmissionContext::new(application.id, application.name.clone(), capability);
    let acls = staged.am_spec.application.acls.iter().map(|(access, who)| {
        let access: AccessType =
            access.parse().map_err(|e| Failure::because("cannot give access rights", e))?;
        Ok((access, who.clone()))
    });
    context.am_container = ContainerLaunchContext {
        local_resources,
        // Without Kerberos, Hadoop's services believe this name. With it, they know the user by the tokens,
        // and heddle-am takes this name for the owner of the user's files. The process in the container
        // itself can run as another user of the system.
        environment: [("HADOOP_USER_NAME".to_owned(), application.user.clone())].into(),
        commands: vec![COMMAND.to_owned()],
        acls: acls.collect::<Result<_, Failure>>()?,
        ..ContainerLaunchContext::default()
    };
    context.queue = application.queue.clone();
    context.application_type = application.kind.clone();
    context.tags = application.tags.clone();
    context.priority = application.priority.map(Priority);
    context.node_label = application.node_label.clone();
    context.max_attempts = Some(staged.am_spec.application.max_attempts);
    context.keep_containers = application.keep_containers;
    context.attempt_failures_validity = application.attempt_failures_validity_ms.map(Duration::from_millis);
    let (include, exclude) = (&application.rolled_logs_include, &application.rolled_logs_exclude);
    if include.is_some() || exclude.is_some() {
        context.log_aggregation = Some(LogAggregation {
            rolled_include: include.clone(),
            rolled_exclude: exclude.clone(),
            ..LogAggregation::default()
        });
    }
    Ok(context)
}

//! Asks YARN and HDFS what must be known before anything is written, and checks whether the cluster can give
//! what is wanted. Without these checks, YARN would refuse the application after the upload, or would let it
//! wait for ever.

use std::time::Duration;

use flink_model::options::{self, Opt};
use flink_model::spec::ClusterMode;
use futures::future;
use hadoop_fs::Storage;
use hadoop_rpc::HadoopConf;
use yarn_api::ApplicationClient;
use yarn_api::records::{
    NewApplication, NodeLabel, NodeReport, NodeState, QueueInfo, QueueUserAcl, ResourceType,
};

use super::capacity::{Need, QueueFit};
use super::derived::Derived;
use super::queue::Verdict;
use super::{capacity, nodes, queue};
use crate::configuration::{bad_value, text};
use crate::error::{Failure, yarn_failure};
use crate::memory::{ContainerLimits, limits_exceeded};
use crate::queues;
use crate::staging::PUT_FILES;
use crate::warning::Warnings;

/// The keys that name node labels.
const LABELS: [&Opt<String>; 2] = [&options::APPLICATION_NODE_LABEL, &options::TASK_MANAGER_NODE_LABEL];

/// The key for the highest priority of an application.
const MAX_PRIORITY: &str = "yarn.cluster.max-application-priority";

/// The time limit for the NameNode's first answer. After it, the client reports that the NameNode does not
/// answer.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// The ResourceManager's answers.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The id of the new application, and the size of the largest container.
    pub(crate) application: NewApplication,
    /// All queues; empty if the user may not see them.
    pub(crate) queues: Vec<QueueInfo>,
    /// The user's rights in the queues; empty if they are not known.
    pub(crate) rights: Vec<QueueUserAcl>,
    /// The running nodes.
    pub(crate) nodes: Vec<NodeReport>,
    /// The node labels of the cluster; `None` if no label is wanted, or if they are not known.
    pub(crate) labels: Option<Vec<NodeLabel>>,
    /// The resource types of the cluster; `None` if no further type is wanted, or if they are not known.
    pub(crate) resource_types: Option<Vec<ResourceType>>,
}

impl Facts {
    /// The limits of YARN for containers.
    pub(crate) fn limits(&self, conf: &HadoopConf) -> ContainerLimits {
        ContainerLimits::of_cluster(conf, &self.application.max_capability, &self.nodes)
    }
}

/// Asks the ResourceManager all questions at once. Node labels and resource types are asked only if the
/// deployment names any.
pub(crate) async fn gather(yarn: &ApplicationClient, derived: &Derived) -> Result<Facts, Failure> {
    let running = [NodeState::Running];
    let conf = &derived.configuration;
    let asks_for_label = LABELS.iter().any(|option| text(conf, option).is_some());
    let asks_for_resource = !derived.cluster.tm_resources.is_empty();
    let rights = async { yarn.queue_user_acls().await.ok() };
    let labels = async { if asks_for_label { yarn.cluster_node_labels().await.ok() } else { None } };
    let types = async { if asks_for_resource { yarn.resource_types().await.ok() } else { None } };
    let (application, queues, nodes, (rights, labels, resource_types)) = future::join4(
        yarn.new_application(),
        yarn.queues(),
        yarn.cluster_nodes(&running),
        future::join3(rights, labels, types),
    )
    .await;
    Ok(Facts {
        application: application.map_err(|e| yarn_failure(&e))?,
        // A user who may not see the queues may still submit to one.
        queues: queues.unwrap_or_default(),
        rights: rights.unwrap_or_default(),
        nodes: nodes.map_err(|e| yarn_failure(&e))?,
        labels,
        resource_types,
    })
}

/// Checks that the NameNode answers, so that the user learns early if it does not. `puts_files` says that the
/// application's directory in the directory `base` gets files without which the application cannot start: in
/// an encryption zone of HDFS the NameNode would refuse each of them.
pub(crate) async fn first_answer(storage: &Storage, base: &str, puts_files: bool) -> Result<(), Failure> {
    let storage = storage.clone().with_deadline(FIRST_ANSWER);
    match storage.find(base).await.map_err(|e| Failure::fs(&e))? {
        Some(found) if found.encrypted && puts_files => {
            Err(Failure::fs(&storage.encrypted(PUT_FILES, base).await))
        }
        _ => Ok(()),
    }
}

/// Refuses what the cluster would refuse later, or could never grant. The result is `false` if the cluster
/// can grant the containers only after the cluster or the queue has changed.
pub(crate) fn check(
    derived: &Derived,
    hadoop: &HadoopConf,
    user: &str,
    facts: &Facts,
    warnings: &mut Warnings,
) -> Result<bool, Failure> {
    let conf = &derived.configuration;
    let named = text(conf, &options::APPLICATION_QUEUE);
    if let Some(wanted) = &named
        && !facts.queues.is_empty()
    {
        match queue::check(wanted, &facts.queues) {
            Verdict::Fine => {}
            Verdict::Unsure(text) => warnings.warn(text),
            Verdict::Refused(failure) => return Err(failure),
        }
    }
    // If no queue is named, the cluster's rules may choose another queue than `default`.
    let queue = queues::find(named.as_deref().unwrap_or("default"), &facts.queues);
    let certain = queue.filter(|_| named.is_some());
    if let Some(queue) = certain {
        queue::check_rights(queue, user, &facts.rights)?;
    }
    for option in LABELS {
        if let (Some(label), Some(labels)) = (text(conf, option), &facts.labels)
            && let Some(warning) = nodes::check_label(option.key, &label, labels, certain, &facts.nodes)?
        {
            warnings.warn(warning);
        }
    }
    let most = hadoop.get(MAX_PRIORITY).ok().flatten().and_then(|most| most.trim().parse().ok());
    let priority = conf.get(&options::APPLICATION_PRIORITY).map_err(bad_value)?.unwrap_or_default();
    if let Some(most) = most.filter(|most: &i32| priority > *most) {
        warnings.warn(format!(
            "YARN will lower the application's priority from {priority} to {most}, the cluster's highest ({MAX_PRIORITY})"
        ));
    }
    if let Some(types) = &facts.resource_types {
        nodes::check_resources(&derived.cluster.tm_resources, types, &facts.application.max_capability)?;
    }
    let limits = facts.limits(hadoop);
    let grants = limits.yarn();
    match derived.cluster.check(&grants) {
        Ok(notes) => notes.iter().for_each(|note| warnings.note(note.to_string())),
        Err(errors) => return Err(limits_exceeded(&errors)),
    }
    if facts.nodes.is_empty() {
        warnings.warn("no NodeManager of the cluster is running: the application will wait until one is");
    }
    // The limits that a queue reports hold only for nodes without a label.
    let on_labels = LABELS.iter().any(|option| text(conf, option).is_some());
    let Some(queue) = queue.filter(|_| !on_labels) else { return Ok(true) };
    let charged = |mb| if limits.steps_are_known() { grants.charged_memory_mb(mb) } else { mb };
    let need = Need {
        master_mb: charged(derived.cluster.am_memory_mb()),
        worker_mb: charged(derived.cluster.tm_memory_mb()),
        runs_at_once: derived.mode != ClusterMode::Session,
    };
    let total_mb = facts.nodes.iter().map(|node| node.capability.memory_mb).sum();
    match capacity::check(queue, &facts.queues, facts.nodes.len(), total_mb, need) {
        QueueFit::Fits => Ok(true),
        QueueFit::TooLarge(failure) if certain.is_some() => Err(failure),
        QueueFit::TooLarge(failure) => {
            warnings.warn(failure.to_string());
            Ok(false)
        }
        QueueFit::ApplicationMasterOnly(warning) => {
            warnings.warn(warning);
            Ok(true)
        }
    }
}

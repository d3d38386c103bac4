//! What YARN and HDFS say before anything is written, and whether the order fits.

use std::time::Duration;

use flink_model::options;
use futures::future;
use hadoop_fs::Storage;
use yarn_api::ApplicationClient;
use yarn_api::records::{NewApplication, NodeReport, NodeState, QueueInfo};

use super::prepare::Prepared;
use super::queue::{self, Verdict};
use crate::error::Failure;
use crate::hadoop::{Hadoop, yarn_failure};
use crate::memory::{Limits, limits_exceeded};
use crate::report::Report;
use crate::target::text;

/// A NameNode that does not answer its first question within this time is told of.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// What the ResourceManager says.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The new application's id, and the largest container.
    pub(crate) application: NewApplication,
    /// All queues; empty if the user may not see them.
    pub(crate) queues: Vec<QueueInfo>,
    /// Nodes that run.
    pub(crate) nodes: Vec<NodeReport>,
}

impl Facts {
    /// What YARN grants for a request.
    pub(crate) fn limits(&self, hadoop: &Hadoop) -> Limits {
        Limits::of_cluster(&hadoop.conf, &self.application.max_capability, &self.nodes)
    }
}

/// Asks the ResourceManager everything at once.
pub(crate) async fn gather(yarn: &ApplicationClient) -> Result<Facts, Failure> {
    let running = [NodeState::Running];
    let (application, queues, nodes) =
        future::join3(yarn.new_application(), yarn.queues(), yarn.cluster_nodes(&running)).await;
    Ok(Facts {
        application: application.map_err(|e| yarn_failure(&e))?,
        // A user who may not look around may still submit.
        queues: queues.unwrap_or_default(),
        nodes: nodes.map_err(|e| yarn_failure(&e))?,
    })
}

/// Directory in which application directories are made.
pub(crate) fn staging_base(storage: &Storage, configured: Option<&str>) -> Result<String, Failure> {
    storage.path(configured.unwrap_or_else(|| storage.home_dir())).map_err(|e| Failure::fs(&e))
}

/// Whether the NameNode answers: one that does not is told of early.
pub(crate) async fn first_answer(storage: &Storage, base: &str) -> Result<(), Failure> {
    let found = storage.clone().with_deadline(FIRST_ANSWER).find(base).await;
    found.map(drop).map_err(|e| Failure::fs(&e))
}

/// Refuses what the cluster would refuse later, or never grant.
pub(crate) fn check(
    prepared: &Prepared,
    hadoop: &Hadoop,
    facts: &Facts,
    report: &dyn Report,
) -> Result<(), Failure> {
    if let Some(wanted) = text(&prepared.configuration, &options::APPLICATION_QUEUE)
        && !facts.queues.is_empty()
    {
        match queue::check(&wanted, &facts.queues) {
            Verdict::Fine => {}
            Verdict::Unsure(text) => report.warn(&text),
            Verdict::Refused(failure) => return Err(failure),
        }
    }
    let limits = facts.limits(hadoop).yarn();
    match prepared.cluster.check(&limits) {
        Ok(notes) => notes.iter().for_each(|note| report.info(&note.to_string())),
        Err(errors) => return Err(limits_exceeded(&errors)),
    }
    if facts.nodes.is_empty() {
        report.warn("no NodeManager of the cluster is running: the application will wait until one is");
    }
    Ok(())
}

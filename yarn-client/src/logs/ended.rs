//! How containers have ended that the ResourceManager does not name any more, as their NodeManagers tell it.

use futures::StreamExt;
use yarn_api::records::NodeState;
use yarn_logs::live::Ended;

use super::node_web::NodePolicy;
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;

/// How many NodeManagers are asked at the same time.
const AT_ONCE: usize = 16;

/// A container, and the `host:port` of its NodeManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnNode {
    pub(crate) container: String,
    pub(crate) node: String,
}

/// How these containers have ended, in the order in which they are given; `None` if the NodeManager does not
/// know it any more or does not tell it. It is a failure if the ResourceManager does not tell the addresses.
pub(crate) async fn ended(hadoop: &Hadoop, containers: &[OnNode]) -> Result<Vec<Option<Ended>>, Failure> {
    if containers.is_empty() {
        return Ok(Vec::new());
    }
    let nodes = hadoop.yarn()?.cluster_nodes(&[NodeState::Running]).await.map_err(|e| yarn_failure(&e))?;
    let policy = NodePolicy::of(hadoop);
    let (nodes, policy) = (&nodes, &policy);
    let asked = futures::stream::iter(containers).map(|OnNode { container, node }| async move {
        let report = nodes.iter().find(|report| report.id.to_string() == *node)?;
        let told = policy.at(&report.http_address).ok()?.ended(container).await;
        told.inspect_err(|trouble| tracing::debug!(container, why = trouble.why, "its end is not known"))
            .ok()?
    });
    Ok(asked.buffered(AT_ONCE).collect().await)
}

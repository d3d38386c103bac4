//! Carries out `yarn-session.sh -q`, which shows the nodes and queues of the cluster.

use flink_model::config::Configuration;
use yarn_api::records::NodeState;
use yarn_client::context::Context;
use yarn_client::error::{Failure, yarn_failure};
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;

use super::text::query;
use crate::console::{Console, Output};

/// Asks the ResourceManager for nodes and queues, and prints them.
pub(crate) async fn query_cluster(
    context: &Context,
    console: &Console,
    configuration: &Configuration,
) -> Result<Exit, Failure> {
    let yarn = Hadoop::load(context, configuration).await?.yarn()?;
    let running = [NodeState::Running];
    let (metrics, nodes, queues) =
        tokio::try_join!(yarn.cluster_metrics(), yarn.cluster_nodes(&running), yarn.queues())
            .map_err(|e| yarn_failure(&e))?;
    console.answer(query::json(metrics.node_managers, &nodes, &queues));
    console.out(&query::describe(metrics.node_managers, &nodes, &queues));
    Ok(Exit::Done)
}

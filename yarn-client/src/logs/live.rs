//! The containers that an application has, and the logs that NodeManagers still have of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationReport, ContainerId, NodeState};
use yarn_logs::live::LiveLog;

use super::missing::Missing;
use super::node_web::{NodePolicy, NodeWeb};
use super::types::{At, Log, Source};
use crate::error::{Failure, yarn_failure};

/// How many NodeManagers are asked at the same time.
const AT_ONCE: usize = 16;

/// Where a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `host:port` of the NodeManager.
    pub(super) node: Option<String>,
    /// The address of its web pages.
    pub(super) web: Option<String>,
}

/// The containers of an application, as the ResourceManager knows them.
#[derive(Debug, Default)]
pub(super) struct Containers {
    /// Those that live.
    pub(super) live: BTreeMap<ContainerId, Place>,
    /// Those of the ApplicationMaster, one for each attempt.
    pub(super) masters: BTreeSet<ContainerId>,
    pub(super) missing: Vec<Missing>,
}

/// Asks the ResourceManager for the containers of an application. It tells them only of attempts that run.
pub(super) async fn containers(yarn: &ApplicationClient, report: &ApplicationReport) -> Containers {
    let mut found = Containers::default();
    match yarn.attempts(report.id).await {
        Ok(attempts) => found.masters.extend(attempts.iter().filter_map(|attempt| attempt.am_container)),
        Err(error) => tracing::debug!(%error, "the attempts are not known"),
    }
    if report.state.is_final() {
        return found;
    }
    let Some(attempt) = report.attempt_id else {
        let what = format!("the containers of {}", report.id);
        let why =
            "the ResourceManager names no attempt, because none has begun yet or because you may not see it";
        found.missing.push(Missing::new(what, why).retry_if(true));
        return found;
    };
    match yarn.containers(attempt).await {
        Ok(containers) => {
            let place = |report: yarn_api::records::ContainerReport| {
                let node = report.node.map(|node| node.to_string());
                (report.id, Place { node, web: report.node_http_address })
            };
            found.live.extend(containers.into_iter().map(place));
        }
        Err(error) => {
            let failure = yarn_failure(&error);
            let missing = Missing::new(format!("the containers of {attempt}"), failure.to_string());
            found.missing.push(missing.retry_if(failure.retry_helps()));
        }
    }
    found
}

/// The logs of these containers, as their NodeManagers list them, and what is missing.
pub(super) async fn logs(
    policy: &NodePolicy,
    containers: &[(ContainerId, Place)],
) -> Vec<(ContainerId, Result<Vec<Log>, Missing>)> {
    let asked = futures::stream::iter(containers)
        .map(|(id, place)| async move { (*id, of(policy, *id, place).await) });
    asked.buffered(AT_ONCE).collect().await
}

async fn of(policy: &NodePolicy, id: ContainerId, place: &Place) -> Result<Vec<Log>, Missing> {
    let what = match &place.node {
        Some(node) => format!("the logs of {id} on {node}"),
        None => format!("the logs of {id}"),
    };
    let Some(web) = &place.web else {
        return Err(Missing::new(what, "the container is not on a node yet").retry_if(true));
    };
    let node = policy.at(web).map_err(|why| Missing::new(&what, why))?;
    let logs = node.list(&id.to_string()).await;
    let logs = logs.map_err(|trouble| {
        if trouble.is_not_there {
            return Missing::new(
                &what,
                "the NodeManager does not have them: the container has not started yet, or has ended",
            )
            .retry_if(true);
        }
        trouble.missing(format!("{what}, whose NodeManager is {}", node.url()))
    })?;
    Ok(logs.into_iter().map(|log| entry(log, &node)).collect())
}

fn entry(log: LiveLog, node: &NodeWeb) -> Log {
    let LiveLog { name, size, modified } = log;
    let (source, place) = (Source::NodeManager, node.url().to_owned());
    Log { file: name, bytes: size, modified, source, place, at: At::Live(node.clone()) }
}

/// Finds a container that has ended while its application goes on: asks all NodeManagers that run. The
/// NodeManager keeps its logs until the application ends, but the ResourceManager does not tell any more
/// where it was.
pub(super) async fn search(
    yarn: &ApplicationClient,
    policy: &NodePolicy,
    id: ContainerId,
) -> Result<Option<(Place, Vec<Log>)>, Failure> {
    let nodes = yarn.cluster_nodes(&[NodeState::Running]).await.map_err(|e| yarn_failure(&e))?;
    let places =
        nodes.into_iter().map(|node| Place { node: Some(node.id.to_string()), web: Some(node.http_address) });
    let asked = futures::stream::iter(places).map(|place| async move {
        let logs = of(policy, id, &place).await.unwrap_or_default();
        (place, logs)
    });
    let mut asked = std::pin::pin!(asked.buffer_unordered(AT_ONCE));
    while let Some((place, logs)) = asked.next().await {
        if !logs.is_empty() {
            return Ok(Some((place, logs)));
        }
    }
    Ok(None)
}

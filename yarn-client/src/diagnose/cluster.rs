//! The facts that the ResourceManager tells: about an application, its attempts, its queue and the nodes of
//! the cluster. Older releases of Hadoop report less than newer ones, and a user may not see everything; what
//! is not known is left out of the facts.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use diagnosis::facts::{Absent, AppState, Application, Attempt, Facts, Final, Node, Queue, Seen, Source};
use tokio::time::timeout;
use yarn_api::records::{
    ApplicationFilter, ApplicationReport, ApplicationState, AttemptReport, ContainerReport, ContainerState,
    NodeId, NodeLabel, NodeReport, NodeState, QueueInfo, QueueState,
};
use yarn_api::{ApplicationClient, YarnError};

use crate::queues;

/// The time limit of each question.
const DEADLINE: Duration = Duration::from_secs(3);
/// The number of applications that are named as holders of a queue, at most.
const HOLDERS: usize = 5;

/// The application, as its report tells it. The size of the ApplicationMaster's container is there only while
/// the container is waited for, and only if the report tells it.
pub(crate) fn application_fact(report: &ApplicationReport) -> Application {
    let state = AppState::of(&report.state.to_string()).unwrap_or_default();
    let diagnostics = report.diagnostics.clone().unwrap_or_default();
    let asked = waits_for_master(report)
        .then(|| asked_for_master(&diagnostics).or_else(|| reserved_for_master(report)))
        .flatten();
    let (am_memory_mb, am_vcores) = asked.unzip();
    Application {
        state,
        final_status: Final::of(&report.final_status.to_string()),
        queue: report.queue.clone(),
        submitted: report.start_time,
        ended: report.finish_time,
        am_memory_mb,
        am_vcores,
        am_label: report.am_node_label.clone().or_else(|| report.node_label.clone()),
        diagnostics,
    }
}

/// Whether the application waits for the container of its ApplicationMaster. It stays in ACCEPTED also while
/// that container starts, and then waits for nothing that the cluster could give.
pub(crate) fn waits_for_master(report: &ApplicationReport) -> bool {
    report.state == ApplicationState::Accepted
        && report.usage.as_ref().is_none_or(|usage| usage.containers == 0)
}

/// The memory in MiB and the vcores that the CapacityScheduler names in its reason for a wait:
/// `AM Resource Request = <memory:1024, vCores:1>`.
fn asked_for_master(diagnostics: &str) -> Option<(u64, u32)> {
    let (_, rest) = diagnostics.split_once("AM Resource Request = <memory:")?;
    let (memory, rest) = rest.split_once(", vCores:")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((memory.parse().ok()?, rest.get(..digits)?.parse().ok()?))
}

/// The same of a container for which YARN has reserved room on a node that does not have enough of it yet.
fn reserved_for_master(report: &ApplicationReport) -> Option<(u64, u32)> {
    let reserved = &report.usage.as_ref()?.reserved;
    (reserved.memory_mb > 0).then_some((reserved.memory_mb, reserved.vcores))
}

/// An attempt, as its report tells it. Of its node the report tells the host alone, and only once the
/// ApplicationMaster has registered.
pub(crate) fn attempt_fact(report: &AttemptReport) -> Attempt {
    Attempt {
        number: report.id.attempt,
        state: report.state.to_string(),
        diagnostics: report.diagnostics.clone().unwrap_or_default(),
        node: report.host.clone(),
    }
}

/// A node, as its report tells it, with the number of containers of the application on it. `labels` are those
/// of the cluster.
fn node_fact(report: &NodeReport, ours: u32, labels: &[NodeLabel]) -> Node {
    let is_shared = |name: &String| labels.iter().any(|label| label.name == *name && !label.exclusive);
    Node {
        name: report.id.to_string(),
        state: report.state.to_string(),
        health: report.health_report.clone().unwrap_or_default(),
        memory_mb: report.capability.memory_mb,
        used_mb: report.used.memory_mb,
        vcores: report.capability.vcores,
        used_vcores: report.used.vcores,
        labels: report.labels.iter().filter(|label| !label.is_empty()).cloned().collect(),
        shared: report.labels.iter().any(is_shared),
        ours,
    }
}

/// Adds what the ResourceManager tells of the application's attempts, its queue and the cluster's nodes. All
/// is asked for at once, for three seconds at most. If there is no answer to any question, that becomes a
/// fact; a single answer that is missing is left out.
pub(crate) async fn add_cluster_facts(
    facts: &mut Facts,
    yarn: &ApplicationClient,
    report: &ApplicationReport,
    now: u64,
) {
    let containers = async {
        match report.attempt_id.filter(|_| report.state == ApplicationState::Running) {
            Some(attempt) => asked(yarn.containers(attempt)).await,
            None => Ok(None),
        }
    };
    let (attempts, containers, room) =
        tokio::join!(asked(yarn.attempts(report.id)), containers, Room::ask(yarn, report));
    if let (Err(why), true) = (&attempts, room.is_silent()) {
        facts.absent.push(of_resource_manager(Absent::Unreachable(why.clone()), now));
    }
    let containers = known(containers);
    let attempts = known(attempts);
    facts.attempts.extend(attempts.iter().map(|attempt| {
        let of_master = containers.iter().find(|container| Some(container.id) == attempt.am_container);
        let node = of_master.and_then(|container| container.node.as_ref()).map(NodeId::to_string);
        let fact = attempt_fact(attempt);
        of_resource_manager(Attempt { node: node.or(fact.node), ..fact }, now)
    }));
    room.add_to(facts, report, &containers, now);
}

/// Adds what the ResourceManager tells of the application's queue and of the cluster's nodes, as
/// [`add_cluster_facts`] does: that is enough to see why something waits.
pub(crate) async fn add_room(
    facts: &mut Facts,
    yarn: &ApplicationClient,
    report: &ApplicationReport,
    now: u64,
) {
    Room::ask(yarn, report).await.add_to(facts, report, &[], now);
}

/// An answer of the ResourceManager; `None` if it has refused to answer. The error says why it does not
/// answer.
type Answer<T> = Result<Option<T>, String>;

/// What there is in an answer that may be missing.
fn known<T>(answer: Answer<Vec<T>>) -> Vec<T> {
    answer.ok().flatten().unwrap_or_default()
}

/// Waits for an answer until the deadline.
async fn asked<T>(call: impl Future<Output = Result<T, YarnError>>) -> Answer<T> {
    match timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a fact is missing");
            if error.rpc().is_some_and(|error| error.remote().is_none()) {
                return Err(error.to_string());
            }
            Ok(None)
        }
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

/// The queues, the applications in the queue of one of them, and the nodes.
struct Room {
    queues: Answer<Vec<QueueInfo>>,
    applications: Answer<Vec<ApplicationReport>>,
    nodes: Answer<Vec<NodeReport>>,
    /// The labels of the cluster, which are asked for only if a node has one.
    labels: Vec<NodeLabel>,
}

impl Room {
    async fn ask(yarn: &ApplicationClient, report: &ApplicationReport) -> Self {
        let in_queue = ApplicationFilter {
            queues: [report.queue.clone()].into(),
            states: [ApplicationState::Accepted, ApplicationState::Running].into(),
            ..ApplicationFilter::default()
        };
        let applications = async {
            // Who may not see an application is not told its queue.
            if report.queue.is_empty() { Ok(None) } else { asked(yarn.applications(&in_queue)).await }
        };
        let nodes = async {
            let nodes = asked(yarn.cluster_nodes(&[])).await;
            let has_label = |node: &NodeReport| node.labels.iter().any(|label| !label.is_empty());
            let labels = match &nodes {
                Ok(Some(nodes)) if nodes.iter().any(has_label) => asked(yarn.cluster_node_labels()).await,
                _ => Ok(None),
            };
            (nodes, known(labels))
        };
        let (queues, applications, (nodes, labels)) = tokio::join!(asked(yarn.queues()), applications, nodes);
        Self { queues, applications, nodes, labels }
    }

    /// Whether there was no answer at all.
    fn is_silent(&self) -> bool {
        self.queues.is_err() && self.nodes.is_err()
    }

    /// `containers` are those of the application, as far as they are known.
    fn add_to(self, facts: &mut Facts, report: &ApplicationReport, containers: &[ContainerReport], now: u64) {
        let nodes = known(self.nodes);
        // What a queue reports of its size and its use concerns the nodes without a label.
        let labels = facts.asks.iter().map(|seen| seen.fact.label.as_ref());
        let mut labels = labels.chain([report.am_node_label.as_ref(), report.node_label.as_ref()]).flatten();
        let has_label = labels.any(|label| !label.is_empty());
        let reports = QueueReports {
            queues: known(self.queues),
            applications: self.applications.ok().flatten(),
            total_mb: (!has_label).then(|| total_mb(&nodes)).filter(|mb| *mb > 0),
        };
        facts.queues.extend(reports.fact(report).map(|queue| of_resource_manager(queue, now)));
        let mut ours: HashMap<&NodeId, u32> = HashMap::new();
        for container in containers.iter().filter(|container| container.state != ContainerState::Complete) {
            if let Some(node) = &container.node {
                *ours.entry(node).or_default() += 1;
            }
        }
        facts.nodes.extend(nodes.iter().map(|node| {
            let ours = ours.get(&node.id).copied().unwrap_or_default();
            of_resource_manager(node_fact(node, ours, &self.labels), now)
        }));
    }
}

/// The memory in MiB that the running nodes without a label offer.
fn total_mb(nodes: &[NodeReport]) -> u64 {
    let counts = |node: &&NodeReport| {
        node.state == NodeState::Running && node.labels.iter().all(|label| label.is_empty())
    };
    nodes.iter().filter(counts).map(|node| node.capability.memory_mb).sum()
}

fn of_resource_manager<T>(fact: T, now: u64) -> Seen<T> {
    Seen { source: Source::ResourceManager, at: Some(now), fact }
}

/// What the ResourceManager reports about queues.
struct QueueReports {
    /// All queues; empty if they are not known.
    queues: Vec<QueueInfo>,
    /// The applications in the queue that wait or run; `None` if they are not known.
    applications: Option<Vec<ApplicationReport>>,
    /// The memory in MiB of which the queue's limits are parts; `None` if it is not known, or if the limits
    /// concern other nodes than those that are waited for.
    total_mb: Option<u64>,
}

impl QueueReports {
    /// The queue of an application; `None` if nothing is known of it.
    fn fact(&self, report: &ApplicationReport) -> Option<Queue> {
        let info = queues::find(&report.queue, &self.queues).filter(|_| !report.queue.is_empty());
        if info.is_none() && self.applications.is_none() {
            return None;
        }
        let mut queue = Queue {
            path: info.map_or_else(|| report.queue.clone(), |info| info.path.clone()),
            accepts: info.is_none_or(|info| info.state == QueueState::Running),
            waiting: info.and_then(|info| info.statistics.as_ref()).map(|numbers| numbers.apps_pending),
            ..Queue::default()
        };
        if let Some((info, total_mb)) = info.zip(self.total_mb)
            && info.default_node_label.as_ref().is_none_or(String::is_empty)
        {
            self.add_limits(&mut queue, info, total_mb);
        }
        if let Some(applications) = &self.applications {
            add_applications(&mut queue, report, applications);
        }
        if queues::are_of_another_scheduler(&self.queues) {
            // The FairScheduler goes by what applications have already, and not by their age.
            queue.ahead = None;
        }
        Some(queue)
    }

    fn add_limits(&self, queue: &mut Queue, info: &QueueInfo, total_mb: u64) {
        if !queues::are_of_another_scheduler(&self.queues) {
            // Each queue reports parts of the queue above it.
            let way = || queues::way_to(info, &self.queues);
            queue.capacity = Some(way().map(|queue| queue.capacity).product());
            queue.max_capacity = way().map(|queue| queue.max_capacity).product();
            queue.used = Some(info.used_capacity);
            queue.am_share = info.max_am_share;
        }
        // The ResourceManager's own number of what is available counts only what is guaranteed.
        let left = |queue: &QueueInfo| {
            let most = queues::most_mb(queue, &self.queues, total_mb)?;
            Some(most.saturating_sub(queue.statistics.as_ref()?.allocated_memory_mb))
        };
        queue.available_mb = queues::way_to(info, &self.queues).filter_map(left).min();
    }
}

/// Adds who holds the queue, and which of its applications wait.
fn add_applications(queue: &mut Queue, report: &ApplicationReport, applications: &[ApplicationReport]) {
    let used =
        |application: &ApplicationReport| application.usage.as_ref().map_or(0, |usage| usage.used.memory_mb);
    let mut holders: Vec<(&ApplicationReport, u64)> =
        applications.iter().map(|application| (application, used(application))).collect();
    holders.retain(|(_, memory_mb)| *memory_mb > 0);
    holders.sort_by_key(|(application, memory_mb)| (Reverse(*memory_mb), application.id));
    holders.truncate(HOLDERS);
    queue.holders =
        holders.into_iter().map(|(application, memory_mb)| (application.id.to_string(), memory_mb)).collect();
    let waiting = || applications.iter().filter(|other| waits_for_master(other));
    queue.waiting = u64::try_from(waiting().count()).ok();
    if waits_for_master(report) {
        // Of two applications with the same priority, the older one comes first.
        let place = |application: &ApplicationReport| (Reverse(application.priority), application.id);
        queue.ahead = u64::try_from(waiting().filter(|other| place(other) < place(report)).count()).ok();
    }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;

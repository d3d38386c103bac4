//! What the ResourceManager reports about the cluster: its nodes, queues and node labels. These records are
//! only received from YARN and never sent.

use std::collections::BTreeSet;

use super::enums::{NodeState, QueueAcl, QueueState};
use super::ids::NodeId;
use super::resource::Resource;
use super::wire::{MissingField, millis, required, text, to_u32, to_u64};
use crate::proto::yarn as pb;

/// Counts of NodeManagers by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterMetrics {
    /// All NodeManagers that the ResourceManager knows.
    pub node_managers: u32,
    /// Those that run.
    pub active: u32,
    /// Those that the administrator has removed.
    pub decommissioned: u32,
    /// Those that do not send heartbeats any more.
    pub lost: u32,
    /// Those whose health check fails.
    pub unhealthy: u32,
    /// Those that were restarted.
    pub rebooted: u32,
}

impl ClusterMetrics {
    pub(crate) fn from_proto(p: Option<pb::ClusterMetrics>) -> Result<Self, MissingField> {
        let p = required(p, "cluster metrics")?;
        Ok(Self {
            node_managers: to_u32(p.num_node_managers()),
            active: to_u32(p.num_active_nms()),
            decommissioned: to_u32(p.num_decommissioned_nms()),
            lost: to_u32(p.num_lost_nms()),
            unhealthy: to_u32(p.num_unhealthy_nms()),
            rebooted: to_u32(p.num_rebooted_nms()),
        })
    }
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// The node's NodeManager.
    pub id: NodeId,
    /// Its state.
    pub state: NodeState,
    /// `host:port` of the NodeManager's web pages.
    pub http_address: String,
    /// Its rack.
    pub rack: String,
    /// The resources that the node offers to containers.
    pub capability: Resource,
    /// The resources that containers use.
    pub used: Resource,
    /// The number of containers on the node.
    pub containers: u32,
    /// What the node's health check says; often `None` while the node is healthy.
    pub health_report: Option<String>,
    /// When the health check last reported, in ms since 1970.
    pub last_health_report: Option<u64>,
    /// Its labels.
    pub labels: BTreeSet<String>,
}

impl NodeReport {
    pub(crate) fn from_proto(p: pb::NodeReport) -> Result<Self, MissingField> {
        Ok(Self {
            id: NodeId::from_proto(p.node_id)?,
            state: NodeState::from_number(required(p.node_state, "node state")?),
            http_address: p.http_address.unwrap_or_default(),
            rack: p.rack_name.unwrap_or_default(),
            capability: Resource::from_proto(p.capability),
            used: Resource::from_proto(p.used),
            containers: to_u32(p.num_containers.unwrap_or(0)),
            health_report: text(p.health_report),
            last_health_report: millis(p.last_health_report_time),
            labels: p.node_labels.into_iter().collect(),
        })
    }
}

/// A label that nodes can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLabel {
    /// Its name.
    pub name: String,
    /// Whether only containers that ask for the label run on its nodes.
    pub exclusive: bool,
}

impl NodeLabel {
    pub(crate) fn from_proto(p: pb::NodeLabel) -> Self {
        Self { exclusive: p.is_exclusive(), name: p.name.unwrap_or_default() }
    }
}

/// How many applications and which resources a queue has at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStatistics {
    /// Applications that run.
    pub apps_running: u64,
    /// Applications that wait.
    pub apps_pending: u64,
    /// Memory that is free, in MB.
    pub available_memory_mb: u64,
    /// Memory in use, in MB.
    pub allocated_memory_mb: u64,
    /// Memory that is requested and not granted yet, in MB.
    pub pending_memory_mb: u64,
    /// Cores that are free.
    pub available_vcores: u64,
    /// Cores in use.
    pub allocated_vcores: u64,
    /// Cores that are requested and not granted yet.
    pub pending_vcores: u64,
    /// Containers in use.
    pub allocated_containers: u64,
    /// Containers that are requested and not granted yet.
    pub pending_containers: u64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueInfo {
    /// The queue's name. The fair scheduler reports the whole path (`root.default`), and the capacity
    /// scheduler only the last part of it.
    pub name: String,
    /// The queue's path from the root: the names of its parents and its own, separated by dots.
    pub path: String,
    /// Whether the queue accepts applications.
    pub state: QueueState,
    /// The queue's share of its parent's resources, from 0 to 1.
    pub capacity: f32,
    /// The largest share of its parent's resources that the queue may use, from 0 to 1; `None` if the
    /// ResourceManager reports no bound.
    pub max_capacity: Option<f32>,
    /// The part of `capacity` that is in use. 1 stands for all of it, and the value can be larger.
    pub used_capacity: f32,
    /// The part of the queue's resources that ApplicationMasters may use, from 0 to 1. Hadoop 3 and later
    /// report it.
    pub max_am_share: Option<f32>,
    /// The largest amount that the queue may use. Hadoop 3 and later report it.
    pub max_resource: Option<Resource>,
    /// The labels whose nodes the queue can use; `*` stands for all labels.
    pub node_labels: BTreeSet<String>,
    /// The node label of applications that name none.
    pub default_node_label: Option<String>,
    /// The applications and resources of the queue at the moment.
    pub statistics: Option<QueueStatistics>,
    /// The queue's children. Only a queue without children accepts applications. The list is also empty if
    /// children were not asked for.
    pub children: Vec<QueueInfo>,
}

impl QueueInfo {
    /// `parent` is the path of the parent; it is empty if there is no parent.
    pub(crate) fn from_proto(p: pb::QueueInfo, parent: &str) -> Self {
        let name = p.queue_name.clone().unwrap_or_default();
        let path = match parent {
            "" => name.clone(),
            _ if name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.')) => name.clone(),
            _ => format!("{parent}.{name}"),
        };
        // The configuration of the nodes without a label is that of the partition with the empty name.
        let configuration = p
            .configurations
            .into_iter()
            .find(|c| c.partition_name.is_empty())
            .and_then(|c| c.configurations)
            .unwrap_or_default();
        Self {
            state: QueueState::from_number(p.state.unwrap_or(2)),
            capacity: p.capacity.unwrap_or(0.0),
            // If there is no bound, the capacity scheduler reports 1, and other schedulers report -1.
            max_capacity: p.maximum_capacity.filter(|c| *c >= 0.0),
            used_capacity: p.current_capacity.unwrap_or(0.0),
            max_am_share: configuration.max_am_percentage,
            max_resource: configuration.effective_max_capacity.map(|r| Resource::from_proto(Some(r))),
            node_labels: p.accessible_node_labels.into_iter().collect(),
            default_node_label: text(p.default_node_label_expression),
            statistics: p.statistics.map(|s| QueueStatistics {
                apps_running: to_u64(s.num_apps_running()),
                apps_pending: to_u64(s.num_apps_pending()),
                available_memory_mb: to_u64(s.available_memory_mb()),
                allocated_memory_mb: to_u64(s.allocated_memory_mb()),
                pending_memory_mb: to_u64(s.pending_memory_mb()),
                available_vcores: to_u64(s.available_vcores()),
                allocated_vcores: to_u64(s.allocated_vcores()),
                pending_vcores: to_u64(s.pending_vcores()),
                allocated_containers: to_u64(s.allocated_containers()),
                pending_containers: to_u64(s.pending_containers()),
            }),
            children: p.child_queues.into_iter().map(|child| Self::from_proto(child, &path)).collect(),
            name,
            path,
        }
    }

    /// This queue and all below it, parents first.
    pub fn flatten(&self) -> Vec<&QueueInfo> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Self::flatten));
        all
    }
}

/// What the caller may do in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUserAcl {
    /// The queue.
    pub queue: String,
    /// What is allowed.
    pub acls: BTreeSet<QueueAcl>,
}

impl QueueUserAcl {
    pub(crate) fn from_proto(p: pb::QueueUserAcl) -> Self {
        Self {
            queue: p.queue_name.unwrap_or_default(),
            acls: p.user_acls.into_iter().map(QueueAcl::from_number).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, children: Vec<pb::QueueInfo>) -> pb::QueueInfo {
        pb::QueueInfo { queue_name: Some(name.into()), child_queues: children, ..Default::default() }
    }

    #[test]
    fn queue_paths_of_both_schedulers() {
        let capacity = queue("root", vec![queue("a", vec![queue("b", Vec::new())]), queue("c", Vec::new())]);
        let fair = queue(
            "root",
            vec![queue("root.a", vec![queue("root.a.b", Vec::new())]), queue("root.c", Vec::new())],
        );
        for tree in [capacity, fair] {
            let info = QueueInfo::from_proto(tree, "");
            let paths: Vec<_> = info.flatten().into_iter().map(|q| q.path.as_str()).collect();
            assert_eq!(paths, ["root", "root.a", "root.a.b", "root.c"]);
        }
    }
}

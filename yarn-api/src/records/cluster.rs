//! The cluster: nodes, queues, labels.

use std::collections::BTreeSet;

use super::enums::{NodeState, QueueAcl, QueueState};
use super::ids::NodeId;
use super::resource::Resource;
use super::wire::{MissingField, millis, required, text, to_u32, to_u64};
use crate::proto::yarn as pb;

/// Counts of NodeManagers by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterMetrics {
    /// All that the ResourceManager knows.
    pub node_managers: u32,
    /// Running.
    pub active: u32,
    /// Taken out by the administrator.
    pub decommissioned: u32,
    /// Not heard of any more.
    pub lost: u32,
    /// Failing their health check.
    pub unhealthy: u32,
    /// Restarted.
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
    /// Its NodeManager.
    pub id: NodeId,
    /// Its state.
    pub state: NodeState,
    /// `host:port` of the NodeManager's web pages.
    pub http_address: String,
    /// Its rack.
    pub rack: String,
    /// What it offers to containers.
    pub capability: Resource,
    /// What containers use.
    pub used: Resource,
    /// Containers on it.
    pub containers: u32,
    /// What its health check says; often none while it is well.
    pub health_report: Option<String>,
    /// When it said so, in ms since 1970.
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
    /// Only containers that ask for the label run on its nodes.
    pub exclusive: bool,
}

impl NodeLabel {
    pub(crate) fn from_proto(p: pb::NodeLabel) -> Self {
        Self { exclusive: p.is_exclusive(), name: p.name.unwrap_or_default() }
    }
}

/// What happens in a queue.
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
    /// Memory that is asked for and not granted, in MB.
    pub pending_memory_mb: u64,
    /// Cores that are free.
    pub available_vcores: u64,
    /// Cores in use.
    pub allocated_vcores: u64,
    /// Cores that are asked for and not granted.
    pub pending_vcores: u64,
    /// Containers in use.
    pub allocated_containers: u64,
    /// Containers that are asked for and not granted.
    pub pending_containers: u64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueInfo {
    /// Its name; the fair scheduler gives the whole path (`root.default`), the capacity scheduler the last
    /// part.
    pub name: String,
    /// Its path from the root, made of the names on the way down.
    pub path: String,
    /// Whether it takes applications.
    pub state: QueueState,
    /// Its part of its parent, from 0 to 1.
    pub capacity: f32,
    /// The part it may grow to, from 0 to 1; none if it is not bounded.
    pub max_capacity: Option<f32>,
    /// How much of its capacity is used, 1 being all; can be more.
    pub used_capacity: f32,
    /// The part of it that ApplicationMasters may use; Hadoop 3 and later.
    pub max_am_share: Option<f32>,
    /// The largest amount it may use; Hadoop 3 and later.
    pub max_resource: Option<Resource>,
    /// Labels whose nodes it can use; `*` stands for all.
    pub node_labels: BTreeSet<String>,
    /// The label of applications that name none.
    pub default_node_label: Option<String>,
    /// What happens in it.
    pub statistics: Option<QueueStatistics>,
    /// Its children; a queue without any takes applications. Empty too if children were not asked for.
    pub children: Vec<QueueInfo>,
}

impl QueueInfo {
    /// `parent` is the path of the parent, empty for none.
    pub(crate) fn from_proto(p: pb::QueueInfo, parent: &str) -> Self {
        let name = p.queue_name.clone().unwrap_or_default();
        let path = match parent {
            "" => name.clone(),
            _ if name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.')) => name.clone(),
            _ => format!("{parent}.{name}"),
        };
        // The configuration of the partition without a label has the empty name.
        let configuration = p
            .configurations
            .into_iter()
            .find(|c| c.partition_name.is_empty())
            .and_then(|c| c.configurations)
            .unwrap_or_default();
        Self {
            state: QueueState::from_number(p.state.unwrap_or(2)),
            capacity: p.capacity.unwrap_or(0.0),
            // The capacity scheduler says 1 for "not bounded", others -1.
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

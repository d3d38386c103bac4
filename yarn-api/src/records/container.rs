//! What YARN says of a container: its grant, its status, and its report. An ApplicationMaster gets grants and
//! statuses with its heartbeats; a client asks for reports.

use hadoop_rpc::Token;

use super::enums::ContainerState;
use super::ids::{ContainerId, NodeId};
use super::resource::{Priority, Resource};
use super::token::token_from;
use super::wire::{MissingField, millis, required, text};
use crate::proto::yarn as pb;

/// Exit statuses that YARN itself gives to containers (`ContainerExitStatus`).
pub mod exit_status {
    /// The exit status is not known, or not known yet.
    pub const INVALID: i32 = -1000;
    /// The ApplicationMaster released the container, or its node was lost.
    pub const ABORTED: i32 = -100;
    /// The node's disks failed.
    pub const DISKS_FAILED: i32 = -101;
    /// The scheduler preempted the container.
    pub const PREEMPTED: i32 = -102;
    /// The container used more virtual memory than allowed.
    pub const KILLED_EXCEEDED_VMEM: i32 = -103;
    /// The container used more physical memory than allowed.
    pub const KILLED_EXCEEDED_PMEM: i32 = -104;
    /// The ApplicationMaster stopped the container.
    pub const KILLED_BY_APPMASTER: i32 = -105;
    /// The ResourceManager stopped the container.
    pub const KILLED_BY_RESOURCEMANAGER: i32 = -106;
    /// The container was stopped because the application ended.
    pub const KILLED_AFTER_APP_COMPLETION: i32 = -107;
    /// The NodeManager's ContainerScheduler stopped the container in favour of a guaranteed one.
    pub const KILLED_BY_CONTAINER_SCHEDULER: i32 = -108;
    /// The container's log directory grew too large.
    pub const KILLED_FOR_EXCESS_LOGS: i32 = -109;
    /// The process was killed by a signal that YARN has not sent (128 + 9).
    pub const FORCE_KILLED: i32 = 137;
    /// The process was ended by SIGTERM (128 + 15).
    pub const TERMINATED: i32 = 143;
}

/// A container that the ResourceManager granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// The node on which it is.
    pub node: NodeId,
    /// `host:port` of the web pages of that node's NodeManager.
    pub node_http_address: String,
    /// The resource that was granted, which YARN may have rounded up.
    pub resource: Resource,
    /// The priority of the allocation request that it was granted for.
    pub priority: Priority,
    /// The id of the allocation request that it was granted for; -1 or 0 if the request had none.
    pub allocation_request_id: i64,
    /// The proof of the grant, which the NodeManager requires. Containers of earlier attempts may be reported
    /// without it.
    pub token: Option<Token>,
}

impl Container {
    pub(crate) fn from_proto(p: pb::Container) -> Result<Self, MissingField> {
        Ok(Self {
            allocation_request_id: p.allocation_request_id(),
            id: ContainerId::from_proto(p.id)?,
            node: NodeId::from_proto(p.node_id)?,
            node_http_address: p.node_http_address.unwrap_or_default(),
            resource: Resource::from_proto(p.resource),
            priority: Priority::from_proto(p.priority),
            token: p.container_token.map(token_from),
        })
    }
}

/// What is known of a container that runs or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its id.
    pub id: ContainerId,
    /// Its state.
    pub state: ContainerState,
    /// The exit code of the process, or one of [`exit_status`].
    pub exit_status: i32,
    /// What YARN says about its end or, while it runs, about its last event; empty if there is nothing.
    pub diagnostics: String,
    /// Its resource, if YARN has sent it.
    pub capability: Option<Resource>,
}

impl ContainerStatus {
    pub(crate) fn from_proto(p: pb::ContainerStatus) -> Result<Self, MissingField> {
        Ok(Self {
            state: ContainerState::from_number(p.state.unwrap_or(1)),
            exit_status: p.exit_status(),
            id: ContainerId::from_proto(p.container_id)?,
            diagnostics: text(p.diagnostics).unwrap_or_default(),
            capability: p.capability.map(|c| Resource::from_proto(Some(c))),
        })
    }
}

/// A container as the ResourceManager lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerReport {
    /// Its id.
    pub id: ContainerId,
    /// Its resource.
    pub resource: Resource,
    /// The node on which it is; not known before it is allocated.
    pub node: Option<NodeId>,
    /// `host:port` of the web pages of that node's NodeManager.
    pub node_http_address: Option<String>,
    /// The priority of its allocation request.
    pub priority: Priority,
    /// When it was created, in ms since 1970.
    pub creation_time: Option<u64>,
    /// When it ended, in ms since 1970.
    pub finish_time: Option<u64>,
    /// What YARN says about it.
    pub diagnostics: Option<String>,
    /// The URL of its logs.
    pub log_url: Option<String>,
    /// The exit code or one of [`exit_status`]; it has a meaning only once the container has ended.
    pub exit_status: i32,
    /// Its state.
    pub state: ContainerState,
}

impl ContainerReport {
    pub(crate) fn from_proto(p: Option<pb::ContainerReport>) -> Result<Self, MissingField> {
        let p = required(p, "container report")?;
        Ok(Self {
            exit_status: p.container_exit_status(),
            state: ContainerState::from_number(p.container_state.unwrap_or(1)),
            id: ContainerId::from_proto(p.container_id)?,
            resource: Resource::from_proto(p.resource),
            node: p.node_id.and_then(|n| NodeId::from_proto(Some(n)).ok()),
            node_http_address: text(p.node_http_address),
            priority: Priority::from_proto(p.priority),
            creation_time: millis(p.creation_time),
            finish_time: millis(p.finish_time),
            diagnostics: text(p.diagnostics_info),
            log_url: text(p.log_url),
        })
    }
}

//! The messages between an ApplicationMaster and the ResourceManager: the registration, and the heartbeats
//! with which the ApplicationMaster requests containers and learns which of them were granted and which have
//! ended.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::NodeReport;
use super::container::{Container, ContainerStatus};
use super::enums::{AccessType, AmCommand};
use super::ids::ContainerId;
use super::resource::{Priority, Resource, ResourceType};
use super::token::NmToken;
use super::wire::{MissingField, to_i32, to_u32};
use crate::proto::yarn as pb;

/// The resource name that stands for any node.
pub const ANY_HOST: &str = "*";

/// An allocation request: how many containers of one capability are wanted at one priority and resource name.
/// The number replaces that of an earlier request with the same priority, name and capability; 0 withdraws
/// that request. YARN lowers the number with each container that it grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRequest {
    /// Lower numbers come first. Requests of different capabilities need different priorities or allocation
    /// request ids.
    pub priority: Priority,
    /// The name of a host or of a rack, or [`ANY_HOST`].
    pub resource_name: String,
    /// The resource of each container.
    pub capability: Resource,
    /// How many containers are wanted in all.
    pub num_containers: u32,
    /// Whether a container on another node is accepted, too.
    pub relax_locality: bool,
    /// The node label; `None` stands for that of the application.
    pub node_label: Option<String>,
    /// The id of the request, which the containers that are granted for it have, too; -1 or 0 if it has none.
    pub allocation_request_id: i64,
}

impl ResourceRequest {
    /// A request for containers on any node, without a node label and without an id.
    pub fn anywhere(priority: Priority, capability: Resource, num_containers: u32) -> Self {
        Self {
            priority,
            resource_name: ANY_HOST.into(),
            capability,
            num_containers,
            relax_locality: true,
            node_label: None,
            allocation_request_id: -1,
        }
    }

    pub(crate) fn to_proto(&self) -> pb::ResourceRequest {
        pb::ResourceRequest {
            priority: Some(self.priority.to_proto()),
            resource_name: Some(self.resource_name.clone()),
            capability: Some(self.capability.to_proto()),
            num_containers: Some(to_i32(self.num_containers)),
            relax_locality: Some(self.relax_locality),
            node_label_expression: self.node_label.clone(),
            execution_type_request: None,
            // A request without an id leaves the field out, because its default is 0 in Hadoop 2 and -1 in
            // Hadoop 3.
            allocation_request_id: Some(self.allocation_request_id).filter(|id| *id > 0),
        }
    }

    pub(crate) fn from_proto(p: pb::ResourceRequest) -> Self {
        Self {
            priority: Priority::from_proto(p.priority),
            num_containers: to_u32(p.num_containers.unwrap_or(0)),
            relax_locality: p.relax_locality.unwrap_or(true),
            allocation_request_id: p.allocation_request_id.unwrap_or(-1),
            resource_name: p.resource_name.unwrap_or_default(),
            capability: Resource::from_proto(p.capability),
            node_label: p.node_label_expression.filter(|l| !l.is_empty()),
        }
    }
}

/// What an ApplicationMaster says of itself when it registers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegisterRequest {
    /// The host that clients can connect to.
    pub host: String,
    /// The port that clients can connect to; -1 if there is none.
    pub rpc_port: i32,
    /// The URL of the web page that YARN's proxy shows; empty if there is none.
    pub tracking_url: String,
}

impl RegisterRequest {
    pub(crate) fn to_proto(&self) -> pb::RegisterApplicationMasterRequest {
        pb::RegisterApplicationMasterRequest {
            host: Some(self.host.clone()),
            rpc_port: Some(self.rpc_port),
            tracking_url: Some(self.tracking_url.clone()),
        }
    }
}

/// What the ResourceManager answers to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterResponse {
    /// The largest container that is granted.
    pub max_capability: Resource,
    /// The access lists of the application.
    pub acls: BTreeMap<AccessType, String>,
    /// Containers of earlier attempts that still run.
    pub previous_containers: Vec<Container>,
    /// The tokens for the nodes of those containers.
    pub nm_tokens: Vec<NmToken>,
    /// The queue of the application.
    pub queue: String,
    /// The kinds of resources that the cluster counts; empty with Hadoop 2.
    pub resource_types: Vec<ResourceType>,
}

impl RegisterResponse {
    pub(crate) fn from_proto(p: pb::RegisterApplicationMasterResponse) -> Result<Self, MissingField> {
        let acls = p.application_acls.into_iter();
        Ok(Self {
            max_capability: Resource::from_proto(p.maximum_capability),
            acls: acls
                .map(|a| (AccessType::from_number(a.access_type.unwrap_or(1)), a.acl().to_owned()))
                .collect(),
            previous_containers: all(p.containers_from_previous_attempts, Container::from_proto)?,
            nm_tokens: all(p.nm_tokens_from_previous_attempts, NmToken::from_proto)?,
            queue: p.queue.unwrap_or_default(),
            resource_types: p.resource_types.into_iter().map(ResourceType::from_proto).collect(),
        })
    }
}

fn all<P, T>(list: Vec<P>, from: impl Fn(P) -> Result<T, MissingField>) -> Result<Vec<T>, MissingField> {
    list.into_iter().map(from).collect()
}

/// One heartbeat of an ApplicationMaster. The client adds the number of the last response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AllocateRequest {
    /// The progress of the application, from 0 to 1.
    pub progress: f32,
    /// Allocation requests that are new or have changed.
    pub asks: Vec<ResourceRequest>,
    /// The containers to release. Those that run are stopped.
    pub releases: Vec<ContainerId>,
    /// Hosts from which no container is wanted any more.
    pub blacklist_add: BTreeSet<String>,
    /// Hosts from which containers are wanted again.
    pub blacklist_remove: BTreeSet<String>,
    /// The URL of the web page, if it has changed. Only Hadoop 3.3 and later use it.
    pub tracking_url: Option<String>,
}

impl AllocateRequest {
    pub(crate) fn to_proto(&self, response_id: i32) -> pb::AllocateRequest {
        let blacklist = !self.blacklist_add.is_empty() || !self.blacklist_remove.is_empty();
        pb::AllocateRequest {
            ask: self.asks.iter().map(ResourceRequest::to_proto).collect(),
            release: self.releases.iter().map(|id| id.to_proto()).collect(),
            blacklist_request: blacklist.then(|| pb::BlacklistRequest {
                additions: self.blacklist_add.iter().cloned().collect(),
                removals: self.blacklist_remove.iter().cloned().collect(),
            }),
            response_id: Some(response_id),
            progress: Some(self.progress),
            tracking_url: self.tracking_url.clone(),
        }
    }
}

/// Containers that the scheduler is going to preempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preemption {
    /// Containers that will be preempted whatever the ApplicationMaster does.
    pub strict: BTreeSet<ContainerId>,
    /// Containers that will be preempted unless the ApplicationMaster releases other ones of the same amount.
    pub negotiable: BTreeSet<ContainerId>,
    /// What has to be released to keep the containers in `negotiable`.
    pub resources: Vec<ResourceRequest>,
}

impl Preemption {
    fn from_proto(p: pb::PreemptionMessage) -> Self {
        let ids = |list: Vec<pb::PreemptionContainer>| {
            list.into_iter().filter_map(|c| ContainerId::from_proto(c.id).ok()).collect()
        };
        let contract = p.contract.unwrap_or_default();
        Self {
            strict: ids(p.strict_contract.unwrap_or_default().container),
            negotiable: ids(contract.container),
            resources: contract
                .resource
                .into_iter()
                .filter_map(|r| r.resource)
                .map(ResourceRequest::from_proto)
                .collect(),
        }
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocateResponse {
    /// Containers that were granted.
    pub allocated: Vec<Container>,
    /// Containers that have ended, or were lost or released.
    pub completed: Vec<ContainerStatus>,
    /// Tokens for nodes. They are already in the [`NmTokenCache`](crate::NmTokenCache) that the client was
    /// given.
    pub nm_tokens: Vec<NmToken>,
    /// A command of the ResourceManager, if it has one.
    pub command: Option<AmCommand>,
    /// Nodes whose state changed.
    pub updated_nodes: Vec<NodeReport>,
    /// Whether the AMRM token was replaced; the client uses the new one from now on.
    pub token_rolled: bool,
    /// The containers that will be preempted, if there are any.
    pub preemption: Option<Preemption>,
    /// How many nodes the cluster has.
    pub cluster_nodes: u32,
    /// What the application can still get in its queue at the moment (YARN's headroom).
    pub limit: Resource,
    /// Containers of earlier attempts of which the ResourceManager learned only after the registration.
    pub previous_containers: Vec<Container>,
}

impl AllocateResponse {
    pub(crate) fn from_proto(p: pb::AllocateResponse) -> Result<Self, MissingField> {
        Ok(Self {
            command: p.am_command.map(AmCommand::from_number),
            cluster_nodes: to_u32(p.num_cluster_nodes()),
            token_rolled: p.am_rm_token.is_some(),
            allocated: all(p.allocated_containers, Container::from_proto)?,
            completed: all(p.completed_container_statuses, ContainerStatus::from_proto)?,
            nm_tokens: all(p.nm_tokens, NmToken::from_proto)?,
            updated_nodes: all(p.updated_nodes, NodeReport::from_proto)?,
            preemption: p.preempt.map(Preemption::from_proto),
            limit: Resource::from_proto(p.limit),
            previous_containers: all(p.containers_from_previous_attempts, Container::from_proto)?,
        })
    }
}

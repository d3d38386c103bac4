//! The messages between an ApplicationMaster and the ResourceManager.

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

/// How many containers of one capability are asked for at one priority and resource name. The number replaces
/// the one of an earlier request with the same priority, name and capability (0 withdraws it); YARN lowers it
/// with each container that it grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRequest {
    /// Lower numbers come first. Requests of different capabilities need different priorities or allocation
    /// request ids.
    pub priority: Priority,
    /// A host, a rack or [`ANY_HOST`].
    pub resource_name: String,
    /// Size of each container.
    pub capability: Resource,
    /// How many, in all.
    pub num_containers: u32,
    /// Whether a container elsewhere will do as well.
    pub relax_locality: bool,
    /// Label of nodes; `None`: the application's.
    pub node_label: Option<String>,
    /// Allocation request id, which the containers granted for it carry; -1 or 0 for none.
    pub allocation_request_id: i64,
}

impl ResourceRequest {
    /// Containers on any node, without a node label and an allocation request id.
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
            // Left out for "none": the default differs between Hadoop 2 (0) and 3 (-1).
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
    /// Host for clients.
    pub host: String,
    /// Port for clients; -1 for none.
    pub rpc_port: i32,
    /// Web page, which YARN's proxy shows; empty for none.
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
    /// Access lists of the application.
    pub acls: BTreeMap<AccessType, String>,
    /// Containers of earlier attempts that still run.
    pub previous_containers: Vec<Container>,
    /// Tokens for the nodes of those containers.
    pub nm_tokens: Vec<NmToken>,
    /// The queue.
    pub queue: String,
    /// Kinds of resources that the cluster counts; none in Hadoop 2.
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

/// One heartbeat of an ApplicationMaster. The number of the last response is added by the client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AllocateRequest {
    /// From 0 to 1.
    pub progress: f32,
    /// Resource requests that are new or have changed.
    pub asks: Vec<ResourceRequest>,
    /// Containers to release; those that run are stopped.
    pub releases: Vec<ContainerId>,
    /// Hosts from which no container is wanted any more.
    pub blacklist_add: BTreeSet<String>,
    /// Hosts that are wanted again.
    pub blacklist_remove: BTreeSet<String>,
    /// A new web page; Hadoop 3.3 and later.
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
    /// Containers that will be preempted unless as much is released otherwise.
    pub negotiable: BTreeSet<ContainerId>,
    /// How much has to be released instead of `negotiable`.
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
    /// Containers that are granted.
    pub allocated: Vec<Container>,
    /// Containers that have ended, or were lost or released.
    pub completed: Vec<ContainerStatus>,
    /// Tokens for nodes; already in the [`NmTokenCache`](crate::NmTokenCache) that the client was given.
    pub nm_tokens: Vec<NmToken>,
    /// A command of the ResourceManager, if it has one.
    pub command: Option<AmCommand>,
    /// Nodes whose state changed.
    pub updated_nodes: Vec<NodeReport>,
    /// Whether the AMRM token was replaced; the client uses the new one from now on.
    pub token_rolled: bool,
    /// What will be preempted, if anything.
    pub preemption: Option<Preemption>,
    /// How many nodes the cluster has.
    pub cluster_nodes: u32,
    /// What the application can still get in its queue now (headroom).
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

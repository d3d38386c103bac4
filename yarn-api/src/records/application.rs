//! Applications: how they are submitted and what is reported of them.

use std::collections::BTreeSet;
use std::time::Duration;

use hadoop_rpc::Token;

use super::enums::{ApplicationState, AttemptState, FinalStatus, LogAggregationStatus};
use super::ids::{ApplicationAttemptId, ApplicationId, ContainerId};
use super::launch::ContainerLaunchContext;
use super::resource::{Priority, Resource};
use super::scheduling::{ANY_HOST, ResourceRequest};
use super::token::token_from;
use super::wire::{MissingField, millis, required, text, to_i32, to_i64, to_u32, to_u64};
use crate::proto::yarn as pb;

/// The number of `ApplicationTimeoutType` LIFETIME on the wire; YARN has no other type.
const TIMEOUT_LIFETIME: i32 = 1;

/// The ResourceManager's answer to a client that wants to submit an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplication {
    /// The id to submit under.
    pub id: ApplicationId,
    /// The largest container that the cluster grants.
    pub max_capability: Resource,
}

impl NewApplication {
    pub(crate) fn from_proto(p: pb::GetNewApplicationResponse) -> Result<Self, MissingField> {
        Ok(Self {
            id: ApplicationId::from_proto(p.application_id)?,
            max_capability: Resource::from_proto(p.maximum_capability),
        })
    }
}

/// Which of an application's logs are collected while it runs and when it has ended (Java regular expressions
/// of file names). `None` leaves YARN's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogAggregation {
    /// Files collected at the end; YARN's default is all.
    pub include: Option<String>,
    /// Files left out at the end.
    pub exclude: Option<String>,
    /// Files collected again and again while the application runs; YARN's default is none.
    pub rolled_include: Option<String>,
    /// Files left out of that.
    pub rolled_exclude: Option<String>,
}

/// An application to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionContext {
    /// Id from [`NewApplication`].
    pub id: ApplicationId,
    /// Name for people.
    pub name: String,
    /// Queue; a leaf's name or path.
    pub queue: String,
    /// Type, at most 20 characters.
    pub application_type: String,
    /// Tags for filters; sent in lower case.
    pub tags: BTreeSet<String>,
    /// Priority in the queue; `None`: the queue's default.
    pub priority: Option<Priority>,
    /// How to start the ApplicationMaster.
    pub am_container: ContainerLaunchContext,
    /// Size of the ApplicationMaster's container.
    pub am_resource: Resource,
    /// The node label that the ApplicationMaster's container needs; `None`: the application's or the queue's.
    pub am_node_label: Option<String>,
    /// The node label that all containers need unless their request says otherwise; `None`: the queue's
    /// default.
    pub node_label: Option<String>,
    /// Attempts before the application fails; `None`: the cluster's maximum.
    pub max_attempts: Option<u32>,
    /// Attempts that failed longer ago than this do not count; `None`: they always count.
    pub attempt_failures_validity: Option<Duration>,
    /// Containers outlive the attempt that started them.
    pub keep_containers: bool,
    /// The ApplicationMaster is not started by YARN: it registers by itself.
    pub unmanaged_am: bool,
    /// Which logs are collected; `None`: all, at the end.
    pub log_aggregation: Option<LogAggregation>,
    /// YARN kills the application after this time.
    pub lifetime: Option<Duration>,
}

impl SubmissionContext {
    /// An application with YARN's defaults, in the queue `default`, of type `YARN`.
    pub fn new(id: ApplicationId, name: impl Into<String>, am_resource: Resource) -> Self {
        Self {
            id,
            name: name.into(),
            queue: "default".into(),
            application_type: "YARN".into(),
            tags: BTreeSet::new(),
            priority: None,
            am_container: ContainerLaunchContext::default(),
            am_resource,
            am_node_label: None,
            node_label: None,
            max_attempts: None,
            attempt_failures_validity: None,
            keep_containers: false,
            unmanaged_am: false,
            log_aggregation: None,
            lifetime: None,
        }
    }

    pub(crate) fn to_proto(&self) -> pb::SubmissionContext {
        // A node label for the ApplicationMaster's container alone is part of a resource request for that
        // container.
        let am_request = self.am_node_label.as_ref().map(|label| ResourceRequest {
            priority: Priority(0),
            resource_name: ANY_HOST.into(),
            capability: self.am_resource.clone(),
            num_containers: 1,
            relax_locality: true,
            node_label: Some(label.clone()),
            allocation_request_id: -1,
        });
        pb::SubmissionContext {
            application_id: Some(self.id.to_proto()),
            application_name: Some(self.name.clone()),
            queue: Some(self.queue.clone()),
            priority: self.priority.map(Priority::to_proto),
            am_container_spec: Some(self.am_container.to_proto()),
            cancel_tokens_when_complete: None,
            unmanaged_am: Some(self.unmanaged_am),
            max_app_attempts: self.max_attempts.map(to_i32),
            resource: Some(self.am_resource.to_proto()),
            application_type: Some(self.application_type.clone()),
            keep_containers_across_application_attempts: Some(self.keep_containers),
            // YARN leaves it to the client to write tags in lower case, in which alone they are found.
            application_tags: self.tags.iter().map(|t| t.to_lowercase()).collect(),
            attempt_failures_validity_interval: self.attempt_failures_validity.map(in_millis),
            log_aggregation_context: self.log_aggregation.as_ref().map(|l| pb::LogAggregationContext {
                include_pattern: l.include.clone(),
                exclude_pattern: l.exclude.clone(),
                rolled_logs_include_pattern: l.rolled_include.clone(),
                rolled_logs_exclude_pattern: l.rolled_exclude.clone(),
            }),
            node_label_expression: self.node_label.clone(),
            am_container_resource_request: am_request.iter().map(ResourceRequest::to_proto).collect(),
            application_timeouts: self.lifetime.iter().map(lifetime_to_proto).collect(),
        }
    }
}

fn in_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn lifetime_to_proto(lifetime: &Duration) -> pb::ApplicationTimeout {
    pb::ApplicationTimeout { timeout_type: Some(TIMEOUT_LIFETIME), timeout: Some(to_i64(lifetime.as_secs())) }
}

/// Which applications to list. An empty set does not restrict; an application must match each set that is not
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationFilter {
    /// Types (`Apache Flink`).
    pub types: BTreeSet<String>,
    /// States.
    pub states: BTreeSet<ApplicationState>,
    /// Users.
    pub users: BTreeSet<String>,
    /// Queues.
    pub queues: BTreeSet<String>,
    /// Tags, of which one must be there; sent in lower case.
    pub tags: BTreeSet<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl ApplicationFilter {
    pub(crate) fn to_proto(&self) -> pb::GetApplicationsRequest {
        let all = |set: &BTreeSet<String>| set.iter().cloned().collect();
        pb::GetApplicationsRequest {
            application_types: all(&self.types),
            application_states: self.states.iter().map(|s| s.number()).collect(),
            users: all(&self.users),
            queues: all(&self.queues),
            limit: self.limit.map(i64::from),
            application_tags: self.tags.iter().map(|t| t.to_lowercase()).collect(),
            scope: None,
        }
    }
}

/// What an application uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Containers in use.
    pub containers: u32,
    /// Containers that are reserved on a node until it has enough free resources.
    pub reserved_containers: u32,
    /// In use.
    pub used: Resource,
    /// Reserved.
    pub reserved: Resource,
    /// In use and reserved.
    pub needed: Resource,
    /// MB times seconds so far.
    pub memory_seconds: u64,
    /// Cores times seconds so far.
    pub vcore_seconds: u64,
}

/// An application as the ResourceManager reports it. What the user may not see is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationReport {
    /// Its id.
    pub id: ApplicationId,
    /// Its latest attempt.
    pub attempt_id: Option<ApplicationAttemptId>,
    /// Who submitted it.
    pub user: String,
    /// Its queue.
    pub queue: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub application_type: String,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its state.
    pub state: ApplicationState,
    /// What the ApplicationMaster said at its end.
    pub final_status: FinalStatus,
    /// What YARN or the ApplicationMaster says about it; while it waits, the scheduler's reason.
    pub diagnostics: Option<String>,
    /// Host that the ApplicationMaster registered.
    pub host: Option<String>,
    /// Port that the ApplicationMaster registered.
    pub rpc_port: Option<u16>,
    /// Its web page through YARN's proxy.
    pub tracking_url: Option<String>,
    /// Its web page as the ApplicationMaster registered it.
    pub original_tracking_url: Option<String>,
    /// Submitted, in ms since 1970.
    pub start_time: Option<u64>,
    /// ApplicationMaster launched, in ms since 1970; Hadoop 3.3 and later.
    pub launch_time: Option<u64>,
    /// Ended, in ms since 1970.
    pub finish_time: Option<u64>,
    /// From 0 to 1, as the ApplicationMaster reports.
    pub progress: f32,
    /// What it uses; none if the user may not see it.
    pub usage: Option<ResourceUsage>,
    /// Its priority in the queue.
    pub priority: Priority,
    /// Its node label.
    pub node_label: Option<String>,
    /// Its ApplicationMaster's node label.
    pub am_node_label: Option<String>,
    /// How far the collection of its logs is.
    pub log_aggregation: Option<LogAggregationStatus>,
    /// Whether its ApplicationMaster was not started by YARN.
    pub unmanaged: bool,
    /// The token of an unmanaged ApplicationMaster, for its owner.
    pub am_rm_token: Option<Token>,
}

impl ApplicationReport {
    pub(crate) fn from_proto(p: Option<pb::ApplicationReport>) -> Result<Self, MissingField> {
        let p = required(p, "application report")?;
        Ok(Self {
            attempt_id: p
                .current_application_attempt_id
                .and_then(|a| ApplicationAttemptId::from_proto(Some(a)).ok()),
            state: ApplicationState::from_number(required(p.yarn_application_state, "application state")?),
            final_status: FinalStatus::from_number(p.final_application_status.unwrap_or(0)),
            // An ApplicationMaster that has not registered has -1, or 0.
            rpc_port: p.rpc_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
            progress: p.progress.unwrap_or(0.0),
            priority: Priority::from_proto(p.priority),
            unmanaged: p.unmanaged_application.unwrap_or(false),
            id: ApplicationId::from_proto(p.application_id)?,
            user: p.user.unwrap_or_default(),
            queue: p.queue.unwrap_or_default(),
            name: p.name.unwrap_or_default(),
            application_type: p.application_type.unwrap_or_default(),
            tags: p.application_tags.into_iter().collect(),
            diagnostics: text(p.diagnostics),
            host: text(p.host),
            tracking_url: text(p.tracking_url),
            original_tracking_url: text(p.original_tracking_url),
            start_time: millis(p.start_time),
            launch_time: millis(p.launch_time),
            finish_time: millis(p.finish_time),
            usage: p.app_resource_usage.map(ResourceUsage::from_proto),
            node_label: text(p.app_node_label_expression).filter(is_label),
            am_node_label: text(p.am_node_label_expression).filter(is_label),
            log_aggregation: p.log_aggregation_status.map(LogAggregationStatus::from_number),
            am_rm_token: p.am_rm_token.map(token_from),
        })
    }
}

/// Reports hold this text where there is no label.
fn is_label(text: &String) -> bool {
    text != "<Not set>" && text != "<DEFAULT_PARTITION>"
}

impl ResourceUsage {
    fn from_proto(p: pb::ResourceUsageReport) -> Self {
        Self {
            // -1 stands for "not known".
            containers: to_u32(p.num_used_containers.unwrap_or(0)),
            reserved_containers: to_u32(p.num_reserved_containers.unwrap_or(0)),
            memory_seconds: to_u64(p.memory_seconds.unwrap_or(0)),
            vcore_seconds: to_u64(p.vcore_seconds.unwrap_or(0)),
            used: Resource::from_proto(p.used_resources),
            reserved: Resource::from_proto(p.reserved_resources),
            needed: Resource::from_proto(p.needed_resources),
        }
    }
}

/// An attempt of an application as the ResourceManager reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptReport {
    /// Its id.
    pub id: ApplicationAttemptId,
    /// Its state.
    pub state: AttemptState,
    /// Host that the ApplicationMaster registered.
    pub host: Option<String>,
    /// Port that the ApplicationMaster registered.
    pub rpc_port: Option<u16>,
    /// Its web page through YARN's proxy.
    pub tracking_url: Option<String>,
    /// Its web page as the ApplicationMaster registered it.
    pub original_tracking_url: Option<String>,
    /// What YARN or the ApplicationMaster says about it.
    pub diagnostics: Option<String>,
    /// The ApplicationMaster's container.
    pub am_container: Option<ContainerId>,
    /// Started, in ms since 1970.
    pub start_time: Option<u64>,
    /// Ended, in ms since 1970.
    pub finish_time: Option<u64>,
}

impl AttemptReport {
    pub(crate) fn from_proto(p: Option<pb::AttemptReport>) -> Result<Self, MissingField> {
        let p = required(p, "application attempt report")?;
        Ok(Self {
            id: ApplicationAttemptId::from_proto(p.application_attempt_id)?,
            state: AttemptState::from_number(required(p.state, "application attempt state")?),
            host: text(p.host),
            rpc_port: p.rpc_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
            tracking_url: text(p.tracking_url),
            original_tracking_url: text(p.original_tracking_url),
            diagnostics: text(p.diagnostics),
            am_container: p.am_container_id.and_then(|c| ContainerId::from_proto(Some(c)).ok()),
            start_time: millis(p.start_time),
            finish_time: millis(p.finish_time),
        })
    }
}

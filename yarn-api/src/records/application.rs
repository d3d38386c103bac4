//! Applications: how they are submitted, and what is reported of them. A client sends the submission context,
//! and the ResourceManager answers with reports on applications and attempts.

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
    /// The id with which the application is to be submitted.
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

/// Which log files of an application YARN collects while it runs and when it has ended, as Java regular
/// expressions for the names of the files. `None` stands for YARN's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogAggregation {
    /// The files that are collected at the end; YARN's default is all files.
    pub include: Option<String>,
    /// The files that are not collected at the end.
    pub exclude: Option<String>,
    /// The files that are collected from time to time while the application runs; YARN's default is no file.
    pub rolled_include: Option<String>,
    /// The files that are not collected while the application runs.
    pub rolled_exclude: Option<String>,
}

/// An application to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionContext {
    /// The id, from [`NewApplication`].
    pub id: ApplicationId,
    /// The name, for people.
    pub name: String,
    /// The name or path of a queue that has no children.
    pub queue: String,
    /// The type, of at most 20 characters.
    pub application_type: String,
    /// The tags, by which the application can be found. They are sent in lower case.
    pub tags: BTreeSet<String>,
    /// The priority in the queue; `None` stands for the queue's default.
    pub priority: Option<Priority>,
    /// How to start the ApplicationMaster.
    pub am_container: ContainerLaunchContext,
    /// The resource of the ApplicationMaster's container.
    pub am_resource: Resource,
    /// The node label that the ApplicationMaster's container needs; `None` stands for that of the application
    /// or of the queue.
    pub am_node_label: Option<String>,
    /// The node label that all containers need unless their allocation request says otherwise; `None` stands
    /// for the queue's default.
    pub node_label: Option<String>,
    /// The number of attempts after which the application fails; `None` stands for the cluster's maximum.
    pub max_attempts: Option<u32>,
    /// Attempts that failed longer ago than this do not count; `None` if they always count.
    pub attempt_failures_validity: Option<Duration>,
    /// Whether containers continue to run when the attempt that started them ends.
    pub keep_containers: bool,
    /// Whether the ApplicationMaster is unmanaged: YARN does not start it, and it registers by itself.
    pub unmanaged_am: bool,
    /// Whether the ResourceManager leaves the tokens of [`Self::am_container`] alone when the application has
    /// ended. It cancels them otherwise.
    pub keep_tokens: bool,
    /// Which logs are collected; `None` stands for all of them, at the end.
    pub log_aggregation: Option<LogAggregation>,
    /// The time after which YARN kills the application; `None` if it has no limit.
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
            keep_tokens: false,
            log_aggregation: None,
            lifetime: None,
        }
    }

    pub(crate) fn to_proto(&self) -> pb::SubmissionContext {
        // A node label for the ApplicationMaster's container alone has to be part of an allocation request
        // for that container.
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
            cancel_tokens_when_complete: self.keep_tokens.then_some(false),
            unmanaged_am: Some(self.unmanaged_am),
            max_app_attempts: self.max_attempts.map(to_i32),
            resource: Some(self.am_resource.to_proto()),
            application_type: Some(self.application_type.clone()),
            keep_containers_across_application_attempts: Some(self.keep_containers),
            // YARN finds applications only by tags in lower case, but leaves it to the client to send them in
            // lower case.
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
    /// The types, such as `Apache Flink`.
    pub types: BTreeSet<String>,
    /// The states.
    pub states: BTreeSet<ApplicationState>,
    /// The users.
    pub users: BTreeSet<String>,
    /// The queues.
    pub queues: BTreeSet<String>,
    /// The tags, of which an application must have at least one. They are sent in lower case.
    pub tags: BTreeSet<String>,
    /// The largest number of applications in the answer.
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
    /// The number of containers in use.
    pub containers: u32,
    /// The number of containers for which a node is reserved until it has enough free resources.
    pub reserved_containers: u32,
    /// The resources in use.
    pub used: Resource,
    /// The reserved resources.
    pub reserved: Resource,
    /// The resources in use and the reserved ones together.
    pub needed: Resource,
    /// The memory used so far, in MB multiplied by seconds.
    pub memory_seconds: u64,
    /// The cores used so far, multiplied by seconds.
    pub vcore_seconds: u64,
}

/// An application as the ResourceManager reports it. What the user may not see is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationReport {
    /// Its id.
    pub id: ApplicationId,
    /// Its latest attempt; `None` if there is none, or if the user may not see it.
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
    /// The final status, which the ApplicationMaster reports at its end.
    pub final_status: FinalStatus,
    /// What YARN or the ApplicationMaster says about it. While the application waits, it is the scheduler's
    /// reason.
    pub diagnostics: Option<String>,
    /// The host that the ApplicationMaster has registered.
    pub host: Option<String>,
    /// The port that the ApplicationMaster has registered.
    pub rpc_port: Option<u16>,
    /// The URL of its web page through YARN's proxy.
    pub tracking_url: Option<String>,
    /// The URL of its web page that the ApplicationMaster has registered.
    pub original_tracking_url: Option<String>,
    /// When it was submitted, in ms since 1970.
    pub start_time: Option<u64>,
    /// When its ApplicationMaster was launched, in ms since 1970. Hadoop 3.3 and later report it.
    pub launch_time: Option<u64>,
    /// When it ended, in ms since 1970.
    pub finish_time: Option<u64>,
    /// Its progress from 0 to 1, as the ApplicationMaster reports it.
    pub progress: f32,
    /// What it uses; `None` if the user may not see it.
    pub usage: Option<ResourceUsage>,
    /// Its priority in the queue.
    pub priority: Priority,
    /// Its node label.
    pub node_label: Option<String>,
    /// Its ApplicationMaster's node label.
    pub am_node_label: Option<String>,
    /// How far YARN has collected its logs.
    pub log_aggregation: Option<LogAggregationStatus>,
    /// Whether its ApplicationMaster was not started by YARN.
    pub unmanaged: bool,
    /// The AMRM token of an unmanaged ApplicationMaster, which only the application's owner gets.
    pub am_rm_token: Option<Token>,
}

impl ApplicationReport {
    pub(crate) fn from_proto(p: Option<pb::ApplicationReport>) -> Result<Self, MissingField> {
        let p = required(p, "application report")?;
        Ok(Self {
            attempt_id: p
                .current_application_attempt_id
                .and_then(|a| ApplicationAttemptId::from_proto(Some(a)).ok())
                // For a user who may not see the application the number is -1.
                .filter(|id| id.attempt > 0),
            state: ApplicationState::from_number(required(p.yarn_application_state, "application state")?),
            final_status: FinalStatus::from_number(p.final_application_status.unwrap_or(0)),
            // The port of an ApplicationMaster that has not registered is -1 or 0.
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

/// Whether the text is a label. If there is none, reports contain one of these two texts.
fn is_label(text: &String) -> bool {
    text != "<Not set>" && text != "<DEFAULT_PARTITION>"
}

impl ResourceUsage {
    fn from_proto(p: pb::ResourceUsageReport) -> Self {
        Self {
            // YARN sends -1 if the number is not known; it becomes 0.
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
    /// The host that the ApplicationMaster has registered.
    pub host: Option<String>,
    /// The port that the ApplicationMaster has registered.
    pub rpc_port: Option<u16>,
    /// The URL of its web page through YARN's proxy.
    pub tracking_url: Option<String>,
    /// The URL of its web page that the ApplicationMaster has registered.
    pub original_tracking_url: Option<String>,
    /// What YARN or the ApplicationMaster says about it.
    pub diagnostics: Option<String>,
    /// The ApplicationMaster's container.
    pub am_container: Option<ContainerId>,
    /// When it started, in ms since 1970.
    pub start_time: Option<u64>,
    /// When it ended, in ms since 1970.
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

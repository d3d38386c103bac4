//! YARN's records as plain Rust types. Nothing here does I/O.

mod application;
mod cluster;
mod container;
mod enums;
mod ids;
mod launch;
mod resource;
mod scheduling;
mod token;
mod wire;

pub use application::{
    ApplicationFilter, ApplicationReport, AttemptReport, LogAggregation, NewApplication, ResourceUsage,
    SubmissionContext,
};
pub use cluster::{ClusterMetrics, NodeLabel, NodeReport, QueueInfo, QueueStatistics, QueueUserAcl};
pub use container::{Container, ContainerReport, ContainerStatus, exit_status};
pub use enums::{
    AccessType, AmCommand, ApplicationState, AttemptState, ContainerState, FinalStatus, LocalResourceType,
    LogAggregationStatus, NodeState, QueueAcl, QueueState, UnknownName, Visibility,
};
pub use ids::{ApplicationAttemptId, ApplicationId, ContainerId, NodeId, ParseIdError};
pub use launch::{ContainerLaunchContext, LocalResource, ParseUrlError, ResourceUrl};
pub use resource::{Priority, Resource, ResourceType};
pub use scheduling::{
    ANY_HOST, AllocateRequest, AllocateResponse, Preemption, RegisterRequest, RegisterResponse,
    ResourceRequest,
};
pub use token::NmToken;
pub(crate) use token::{token_from, token_to};
pub use wire::MissingField;
pub(crate) use wire::required;

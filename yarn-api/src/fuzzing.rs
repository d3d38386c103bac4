//! What `scripts/fuzz` calls; it compiles with `--cfg fuzzing`. YARN's messages are private otherwise.

use prost::Message;

use crate::proto::yarn as pb;
use crate::records::{
    AllocateResponse, ApplicationReport, AttemptReport, ClusterMetrics, ContainerReport, NewApplication,
    NodeLabel, NodeReport, QueueInfo, QueueUserAcl, RegisterResponse, ResourceType,
};

/// Reads an answer of the ResourceManager or of a NodeManager as each kind of answer that there is.
pub fn answers(bytes: &[u8]) {
    with::<pb::GetNewApplicationResponse>(bytes, |p| drop(NewApplication::from_proto(p)));
    with::<pb::ApplicationReport>(bytes, |p| {
        if let Ok(report) = ApplicationReport::from_proto(Some(p)) {
            let _ = (report.id.to_string(), report.state.is_final(), format!("{report:?}"));
        }
    });
    with::<pb::AttemptReport>(bytes, |p| drop(AttemptReport::from_proto(Some(p))));
    with::<pb::ContainerReport>(bytes, |p| drop(ContainerReport::from_proto(Some(p))));
    with::<pb::ClusterMetrics>(bytes, |p| drop(ClusterMetrics::from_proto(Some(p))));
    with::<pb::NodeReport>(bytes, |p| drop(NodeReport::from_proto(p)));
    with::<pb::NodeLabel>(bytes, |p| drop(NodeLabel::from_proto(p)));
    with::<pb::QueueInfo>(bytes, |p| drop(QueueInfo::from_proto(p, "root")));
    with::<pb::QueueUserAcl>(bytes, |p| drop(QueueUserAcl::from_proto(p)));
    with::<pb::ResourceTypeInfo>(bytes, |p| drop(ResourceType::from_proto(p)));
    with::<pb::RegisterApplicationMasterResponse>(bytes, |p| drop(RegisterResponse::from_proto(p)));
    with::<pb::AllocateResponse>(bytes, |p| drop(AllocateResponse::from_proto(p)));
}

fn with<M: Message + Default>(bytes: &[u8], read: impl FnOnce(M)) {
    if let Ok(message) = M::decode(bytes) {
        read(message);
    }
}

//! Tells of requests for containers that YARN does not grant: the JobManager, so that its log says why a job
//! has no slots, and the client of a per-job cluster.

use std::time::Duration;

use taskrunner::control::OpenRequest;

use super::effects::Effects;
use crate::bridge::{LogLevel, ToJvm};
use crate::clock;
use crate::controller::observation::Observation;
use crate::ledger::types::Profile;

/// Hands an observation to those whom it concerns, if it is about such requests.
pub(super) fn tell(effects: &Effects, observation: &Observation) {
    let (level, text, request) = match observation {
        Observation::ContainersWait { size, count, label, open_for, text } => {
            let since = clock::since_1970().saturating_sub(*open_for);
            (
                LogLevel::Warn,
                text,
                OpenRequest { count: *count, ..request(size, label.as_deref(), since, text) },
            )
        }
        Observation::ContainersWaitNoLonger { size, label, text, .. } => {
            (LogLevel::Info, text, request(size, label.as_deref(), Duration::ZERO, text))
        }
        _ => return,
    };
    effects.job_manager.tell(ToJvm::Log { level, text: text.clone() });
    effects.listeners.open_request(request);
}

/// A request of no containers.
fn request(size: &Profile, label: Option<&str>, since: Duration, text: &str) -> OpenRequest {
    OpenRequest {
        count: 0,
        memory_mb: size.memory_mb,
        vcores: size.vcores,
        node_label: label.unwrap_or_default().to_owned(),
        since_unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        text: text.to_owned(),
    }
}

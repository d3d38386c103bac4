//! Writes what the controller has observed into the [`Timeline`].

use tokio::time::Instant;

use crate::controller::observation::Observation;
use crate::timeline::{Step, Timeline};

/// Takes note of an observation that begins or ends a part of the start.
pub(super) fn note(timeline: &Timeline, observation: &Observation, now: Instant) {
    match observation {
        Observation::JobManagerConnected { .. } => {
            timeline.end(Step::JobManagerJvm, "", now);
            timeline.begin(Step::JobManager, "", now);
        }
        Observation::JobManagerReady { .. } => timeline.end(Step::JobManager, "", now),
        Observation::Registering => timeline.begin(Step::Registration, "", now),
        Observation::Registered { .. } | Observation::RegisteredAgain => {
            timeline.end(Step::Registration, "", now);
        }
        Observation::Requested { request, .. } => timeline.asked(Some(*request), now),
        Observation::AskedAhead { .. } => timeline.asked(None, now),
        Observation::Granted { request, container, .. } => {
            timeline.granted(*request, &container.to_string(), now);
            // Its taskrunner is started at once.
            if request.is_none() {
                timeline.begin(Step::Container, &container.to_string(), now);
            }
        }
        Observation::Launching { container, started_ahead } => {
            let step = if *started_ahead { Step::TaskManager } else { Step::Container };
            timeline.begin(step, &container.to_string(), now);
        }
        Observation::TaskrunnerConnected { container, has_launch } => {
            timeline.end(Step::Container, &container.to_string(), now);
            if *has_launch {
                timeline.begin(Step::TaskManager, &container.to_string(), now);
            }
        }
        Observation::TaskManagerStarted { container, .. } => {
            timeline.end(Step::TaskManager, &container.to_string(), now);
        }
        _ => {}
    }
}

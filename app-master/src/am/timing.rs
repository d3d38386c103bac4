//! Writes what the controller has observed into the [`Timeline`].

use tokio::time::Instant;

use crate::controller::observation::Observation;
use crate::timeline::{Leg, Timeline};

/// Takes note of an observation that begins or ends a part of the start.
pub(super) fn note(timeline: &Timeline, observation: &Observation, now: Instant) {
    match observation {
        Observation::JobManagerConnected { .. } => {
            timeline.end(Leg::JobManagerJvm, "", now);
            timeline.begin(Leg::JobManager, "", now);
        }
        Observation::JobManagerReady { .. } => timeline.end(Leg::JobManager, "", now),
        Observation::Registering => timeline.begin(Leg::Registration, "", now),
        Observation::Registered { .. } | Observation::RegisteredAgain => {
            timeline.end(Leg::Registration, "", now);
        }
        Observation::Requested { request, .. } => timeline.asked(Some(*request), now),
        Observation::AskedAhead { .. } => timeline.asked(None, now),
        Observation::Granted { request, container, .. } => {
            timeline.granted(*request, &container.to_string(), now);
            // Its taskrunner is started at once.
            if request.is_none() {
                timeline.begin(Leg::Container, &container.to_string(), now);
            }
        }
        Observation::Launching { container, started_ahead } => {
            let leg = if *started_ahead { Leg::TaskManager } else { Leg::Container };
            timeline.begin(leg, &container.to_string(), now);
        }
        Observation::TaskrunnerConnected { container, has_launch } => {
            timeline.end(Leg::Container, &container.to_string(), now);
            if *has_launch {
                timeline.begin(Leg::TaskManager, &container.to_string(), now);
            }
        }
        Observation::TaskManagerStarted { container, .. } => {
            timeline.end(Leg::TaskManager, &container.to_string(), now);
        }
        _ => {}
    }
}

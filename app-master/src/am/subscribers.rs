//! Who hears what the controller observes, besides the log: the timing of starts, the history and the
//! metrics.

use tokio::time::Instant;

use super::timing;
use crate::clock;
use crate::control::Control;
use crate::controller::event::Event;
use crate::controller::observation::Observation;
use crate::environment::Environment;
use crate::history::{SharedHistory, mode_text};
use crate::metrics::{About, Metrics};
use crate::timeline::Timeline;

/// What the metrics say of this attempt.
pub(super) fn about(environment: &Environment) -> About {
    let application = &environment.spec.application;
    About {
        application: environment.container.application_id().to_string(),
        name: application.name.clone(),
        mode: mode_text(application.mode).to_owned(),
        flink: application.flink_version.clone(),
        attempt: environment.attempt(),
        container: environment.container.to_string(),
        host: environment.host.clone(),
        started: clock::unix_ms(),
    }
}

/// Who hears what the controller observes, besides the log.
pub(super) struct Subscribers<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) history: &'a SharedHistory,
    pub(super) metrics: Option<Metrics>,
    /// Has the samples of the containers' memory.
    pub(super) control: &'a Control,
}

impl Subscribers<'_> {
    /// What the controller is going to be told.
    pub(super) fn hear(&self, event: &Event, now: Instant) {
        if let (Some(metrics), Event::Registered(Ok(_)) | Event::HeartbeatAnswered { answer: Ok(_), .. }) =
            (&self.metrics, event)
        {
            metrics.answered(now);
        }
    }

    pub(super) fn note(&self, observations: &[Observation], now: Instant) {
        observations.iter().for_each(|observation| timing::note(self.timeline, observation, now));
        self.history.note(observations, clock::unix_ms());
        // Before the actions, one of which may forget the container.
        for container in observations.iter().filter_map(Observation::ended) {
            if let Some(samples) = self.control.samples(container) {
                self.history.memory(container, samples);
            }
        }
        self.metrics.iter().for_each(|metrics| metrics.note(observations, now));
    }
}

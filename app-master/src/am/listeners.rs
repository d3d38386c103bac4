//! Parts of the ApplicationMaster that wait for what the controller has to say.

use tokio::sync::{mpsc, watch};

use super::containers::Containers;
use super::effects::Listeners;
use crate::cds::container_request::{BuilderReply, RequestEvent};
use crate::submission::attendance::Losses;

/// The ways to them.
pub(super) struct Channels {
    pub(super) containers: Containers,
    pub(super) archive: mpsc::UnboundedSender<BuilderReply>,
    pub(super) losses: watch::Sender<Losses>,
}

impl Listeners for Channels {
    fn archive(&self, event: RequestEvent) {
        let reply = match event {
            RequestEvent::Granted(container) => match self.containers.get(&container) {
                Some(container) => BuilderReply::Granted(Box::new(container)),
                None => return,
            },
            RequestEvent::Over(why) => BuilderReply::Over(why),
            RequestEvent::Ended(completed) => BuilderReply::Ended(completed.status, completed.diagnostics),
        };
        // Nobody listens where no archive is made.
        drop(self.archive.send(reply));
    }

    fn losses(&self, losses: Losses) {
        self.losses.send_replace(losses);
    }
}

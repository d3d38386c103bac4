//! Parts of the ApplicationMaster that wait for what the controller has to say.

use tokio::sync::{mpsc, watch};

use super::containers::Containers;
use super::effects::Listeners;
use crate::controller::event::{BuilderReply, RequestEvent};
use crate::submission::service::MemoryKills;

/// The channels to them.
pub(super) struct Channels {
    pub(super) containers: Containers,
    pub(super) archive: mpsc::UnboundedSender<BuilderReply>,
    pub(super) memory_kills: watch::Sender<MemoryKills>,
}

impl Listeners for Channels {
    fn archive(&self, event: RequestEvent) {
        let reply = match event {
            RequestEvent::Granted(container) => match self.containers.get(container) {
                Some(container) => BuilderReply::Granted(Box::new(container)),
                None => return,
            },
            RequestEvent::Over(why) => BuilderReply::Over(why),
            RequestEvent::Ended(completed) => BuilderReply::Ended(completed.status, completed.diagnostics),
        };
        // Nobody listens where no archive is made.
        drop(self.archive.send(reply));
    }

    fn memory_kills(&self, memory_kills: MemoryKills) {
        self.memory_kills.send_replace(memory_kills);
    }
}

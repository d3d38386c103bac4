//! Parts of the ApplicationMaster that wait for what the controller has to say.

use taskrunner::control::{OpenRequest, OpenRequests};
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
    pub(super) open_requests: watch::Sender<OpenRequests>,
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

    fn open_request(&self, request: OpenRequest) {
        self.open_requests.send_modify(|known| replace(known, request));
    }
}

/// Puts a request in the place of that for the same size and label; one of no containers only takes it out.
fn replace(known: &mut OpenRequests, request: OpenRequest) {
    let same = |other: &OpenRequest| {
        (other.memory_mb, other.vcores) == (request.memory_mb, request.vcores)
            && other.node_label == request.node_label
    };
    known.requests.retain(|other| !same(other));
    if request.count > 0 {
        known.requests.push(request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_request_of_a_size_counts_until_there_is_none() {
        let request = |memory_mb, count| OpenRequest { memory_mb, count, ..OpenRequest::default() };
        let mut known = OpenRequests::default();
        for (memory_mb, count) in [(1024, 3), (2048, 1), (1024, 2)] {
            replace(&mut known, request(memory_mb, count));
        }
        assert_eq!(known.requests, [request(2048, 1), request(1024, 2)]);
        replace(&mut known, request(2048, 0));
        assert_eq!(known.requests, [request(1024, 2)]);
    }
}

//! One line of YARN's table of allocation requests: Flink's requests for one size of container, in their
//! order, and what the ResourceManager knows of them.

use std::collections::VecDeque;

use super::types::{Ask, Profile, Purpose};

/// What is known of the number of containers that the ResourceManager still means to grant for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It is this number.
    Exactly(u32),
    /// A message may have been lost, or a grant and a number have crossed on the way: it has to be sent
    /// again.
    Unsure,
}

/// Requests of one size that wait for a container.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) profile: Profile,
    pub(super) priority: i32,
    waiting: VecDeque<u64>,
    /// How many containers are asked for before Flink requests them.
    ahead: u32,
    known: Known,
}

impl Line {
    pub(super) fn new(profile: Profile, priority: i32) -> Self {
        Self { profile, priority, waiting: VecDeque::new(), ahead: 0, known: Known::Exactly(0) }
    }

    /// A request of Flink. A container that was asked for ahead is now the one for this request.
    pub(super) fn push(&mut self, id: u64) {
        self.ahead = self.ahead.saturating_sub(1);
        self.waiting.push_back(id);
    }

    /// Asks for this many containers more than Flink has requested.
    pub(super) fn ask_ahead(&mut self, count: u32) {
        self.ahead = count;
    }

    /// A container has come that no request waits for. True when it was asked for ahead.
    pub(super) fn pop_ahead(&mut self) -> bool {
        let any = self.ahead > 0;
        self.ahead = self.ahead.saturating_sub(1);
        any
    }

    /// Takes out the oldest waiting request.
    pub(super) fn pop(&mut self) -> Option<u64> {
        self.waiting.pop_front()
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.waiting.retain(|waiting| *waiting != id);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.ahead = 0;
    }

    /// How many containers are asked for before Flink requests them.
    pub(super) fn ahead(&self) -> u32 {
        self.ahead
    }

    /// How many containers the ResourceManager shall still grant.
    pub(super) fn needed(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).saturating_add(self.ahead)
    }

    /// The number to send, if the ResourceManager does not have it already.
    ///
    /// It is sent only when it differs, because YARN takes it as new: if the number crosses a grant that is
    /// on its way, a container comes that nobody needs.
    pub(super) fn ask(&self) -> Option<Ask> {
        (self.known != Known::Exactly(self.needed())).then(|| Ask {
            purpose: Purpose::TaskManager,
            priority: self.priority,
            profile: self.profile.clone(),
            count: self.needed(),
        })
    }

    /// The ResourceManager has answered a heartbeat that carried the number `sent` for this line, if any,
    /// with `grants` containers. `certain`: no earlier try of that heartbeat was lost.
    pub(super) fn answered(&mut self, sent: Option<u32>, grants: u32, certain: bool) {
        self.known = match (sent, self.known) {
            // The ResourceManager may or may not have read what the lost try carried.
            _ if !certain => Known::Unsure,
            // Whether the grants in this answer were made before or after the number was read is not known.
            (Some(_), _) if grants > 0 => Known::Unsure,
            (Some(count), _) => Known::Exactly(count),
            (None, Known::Exactly(count)) => Known::Exactly(count.saturating_sub(grants)),
            (None, Known::Unsure) => Known::Unsure,
        };
    }

    /// The ResourceManager has forgotten all requests.
    pub(super) fn forgotten(&mut self) {
        self.known = Known::Exactly(0);
    }

    /// The ResourceManager refuses even the number 0, because what the line asks for is not valid any more,
    /// as a label that was removed. Sent again, it would make every heartbeat fail, so it is taken for known.
    /// A container that comes nevertheless is given back.
    pub(super) fn cannot_be_cancelled(&mut self) {
        self.known = Known::Exactly(0);
    }

    /// Sends the number again if anything is open, in case the ResourceManager has lost it.
    pub(super) fn doubt(&mut self) {
        if self.needed() > 0 {
            self.known = Known::Unsure;
        }
    }
}

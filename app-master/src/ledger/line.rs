//! One line of YARN's request table: the requests of one size, in order, and what the ResourceManager knows
//! of them.

use std::collections::VecDeque;

use super::types::{Ask, Profile, Purpose};

/// What the ResourceManager is known to believe about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// This many containers are outstanding.
    Exactly(u32),
    /// Something may have been lost, or crossed on the way: say it again.
    Unsure,
}

/// Requests of one size that wait for a container.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) profile: Profile,
    pub(super) priority: i32,
    waiting: VecDeque<u64>,
    /// Containers asked for before anybody wants them.
    ahead: u32,
    told: Told,
}

impl Line {
    pub(super) fn new(profile: Profile, priority: i32) -> Self {
        Self { profile, priority, waiting: VecDeque::new(), ahead: 0, told: Told::Exactly(0) }
    }

    /// A request; it takes the place of one that was asked for ahead of it.
    pub(super) fn push(&mut self, id: u64) {
        self.ahead = self.ahead.saturating_sub(1);
        self.waiting.push_back(id);
    }

    /// Asks for so many more than are requested.
    pub(super) fn ask_ahead(&mut self, count: u32) {
        self.ahead = count;
    }

    /// One of those asked for ahead has come; false when none was.
    pub(super) fn pop_ahead(&mut self) -> bool {
        let any = self.ahead > 0;
        self.ahead = self.ahead.saturating_sub(1);
        any
    }

    /// The oldest waiting request.
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

    /// How many are asked for ahead of any request.
    pub(super) fn ahead(&self) -> u32 {
        self.ahead
    }

    pub(super) fn needed(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).saturating_add(self.ahead)
    }

    /// The absolute count to send, when the ResourceManager does not have it already.
    ///
    /// A count is sent only when it differs: every repetition may cross a grant that is on its way and bring
    /// a surplus container.
    pub(super) fn ask(&self) -> Option<Ask> {
        (self.told != Told::Exactly(self.needed())).then(|| Ask {
            purpose: Purpose::TaskManager,
            priority: self.priority,
            profile: self.profile.clone(),
            count: self.needed(),
        })
    }

    /// The ResourceManager has answered a heartbeat that carried `sent` for this line and brought `grants`
    /// containers.
    pub(super) fn answered(&mut self, sent: Option<u32>, grants: u32, certain: bool) {
        self.told = match (sent, self.told) {
            // What the lost try carried may have been read or not.
            _ if !certain => Told::Unsure,
            // Grants that come with an answer were made before the question was read, or just after: unknown
            // which.
            (Some(_), _) if grants > 0 => Told::Unsure,
            (Some(count), _) => Told::Exactly(count),
            (None, Told::Exactly(count)) => Told::Exactly(count.saturating_sub(grants)),
            (None, Told::Unsure) => Told::Unsure,
        };
    }

    /// The ResourceManager starts from nothing.
    pub(super) fn forgotten(&mut self) {
        self.told = Told::Exactly(0);
    }

    /// The ResourceManager refuses even to hear that nothing is wanted any more, for what the line asks for is not valid by now; the
    /// same in each heartbeat would make all of them fail. A container that comes nevertheless is given back.
    pub(super) fn cannot_be_cancelled(&mut self) {
        self.told = Told::Exactly(0);
    }

    /// Say it again if anything is open.
    pub(super) fn doubt(&mut self) {
        if self.needed() > 0 {
            self.told = Told::Unsure;
        }
    }
}

//! When the client first saw an application in which state.

use std::time::Duration;

use yarn_api::records::ApplicationState;

/// When the client first saw the application in each state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// YARN has accepted it.
    pub accepted: Option<Duration>,
    /// YARN has it running.
    pub running: Option<Duration>,
    /// The JobManager has answered.
    pub answers: Option<Duration>,
}

impl Marks {
    /// A report that came at `now` said `state`.
    pub fn saw(&mut self, state: ApplicationState, now: Duration) {
        if state == ApplicationState::Accepted || state == ApplicationState::Running {
            self.accepted.get_or_insert(now);
        }
        if state == ApplicationState::Running {
            self.running.get_or_insert(now);
        }
    }
}

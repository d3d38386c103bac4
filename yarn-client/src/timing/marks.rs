//! Records when the client first saw an application in which state. The timing of a cluster's start
//! (`--timing`) is divided at these times.

use std::time::Duration;

use yarn_api::records::ApplicationState;

/// When the client first saw an application in each state, as times since the start of the command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// YARN had accepted the application.
    pub accepted: Option<Duration>,
    /// YARN reported the application as running.
    pub running: Option<Duration>,
    /// The JobManager answered.
    pub answers: Option<Duration>,
}

impl Marks {
    /// Takes in a report that came at `now` and said `state`.
    pub fn saw(&mut self, state: ApplicationState, now: Duration) {
        if state == ApplicationState::Accepted || state == ApplicationState::Running {
            self.accepted.get_or_insert(now);
        }
        if state == ApplicationState::Running {
            self.running.get_or_insert(now);
        }
    }
}

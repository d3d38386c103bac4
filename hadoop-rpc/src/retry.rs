//! Whether another try of a failed call can help, and how often and how fast to try. The error of a call says
//! the former. The caller decides the latter, because only the caller knows how long it can wait.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Whether another try can help, and on which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: the same call would fail again.
    No,
    /// The same server will probably answer later; it has not executed the call.
    Later,
    /// Another server of the group may answer; this one has not executed the call. If there is only one
    /// server, it may answer later.
    OtherServer,
    /// The call may have been executed: repeat it only if executing it twice does no harm.
    IfIdempotent,
}

/// How often and how fast to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries in all, including the first one.
    pub max_attempts: u32,
    /// The wait before the second try. It doubles with each further try, and a random time is added (jitter).
    pub min_delay: Duration,
    /// The longest wait between two tries, without the jitter.
    pub max_delay: Duration,
    /// If this time has passed since the first try began when a try fails, there is no further one.
    pub max_elapsed: Duration,
}

impl RetryPolicy {
    /// One try only.
    pub const NONE: Self = Self {
        max_attempts: 1,
        min_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        max_elapsed: Duration::ZERO,
    };

    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(self.max_attempts.saturating_sub(1) as usize)
            .with_jitter()
    }
}

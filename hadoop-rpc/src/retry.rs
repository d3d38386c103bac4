//! Whether another try of a failed call helps, and how often and how fast to try.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Whether, and how, another try helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: the same call would fail again.
    No,
    /// The same server will probably answer later; it has not executed the call.
    Later,
    /// Another server of the group may answer; this one has not executed the call. Without a group: later.
    OtherServer,
    /// The call may have been executed: repeat it only if executing it twice does no harm.
    IfIdempotent,
}

/// How often and how fast to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most tries in all, the first included.
    pub max_attempts: u32,
    /// Wait before the second try; it doubles from try to try, with jitter.
    pub min_delay: Duration,
    /// Longest wait between tries.
    pub max_delay: Duration,
    /// No new try begins after this time.
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

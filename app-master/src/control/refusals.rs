//! The log of connections and calls that are refused. Anybody can make thousands of them, so there is at most
//! one line in each [`EVERY`], and the next one says how many there were in addition.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The time for which one line stands.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// Whether there was a line in this time.
    logged: bool,
    /// How many had none.
    unlogged: u64,
}

impl Refusals {
    /// One is refused.
    pub(super) fn add(&self, from: impl Display, why: &impl Display) {
        if self.is_first() {
            tracing::warn!(%from, "refused a connection: {why}");
        } else {
            tracing::debug!(%from, "refused a connection: {why}");
        }
    }

    /// A time is over; it is called once in each [`EVERY`].
    pub(super) fn time_over(&self) {
        if let Some(unlogged) = self.next() {
            tracing::warn!("refused {unlogged} more connections in the last {} s", EVERY.as_secs());
        }
    }

    fn is_first(&self) -> bool {
        let mut counts = self.counts();
        let first = !std::mem::replace(&mut counts.logged, true);
        counts.unlogged += u64::from(!first);
        first
    }

    /// Begins the next time. Gives how many of the last one had no line, if there were any; they get one now,
    /// and the next time none of its own.
    fn next(&self) -> Option<u64> {
        let mut counts = self.counts();
        let unlogged = std::mem::take(&mut counts.unlogged);
        counts.logged = unlogged > 0;
        (unlogged > 0).then_some(unlogged)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_time() {
        let refusals = Refusals::default();
        assert_eq!(refusals.next(), None);
        let lines = (0..2000).filter(|_| refusals.is_first()).count();
        assert_eq!(lines, 1);
        assert_eq!(refusals.next(), Some(1999));
        assert!(!refusals.is_first(), "that line stands for this time, too");
        assert_eq!(refusals.next(), Some(1));
        assert_eq!(refusals.next(), None);
        assert!(refusals.is_first());
    }
}

//! Logs connections and calls that are refused. Anybody can make thousands of them, so in each period of the
//! length [`EVERY`] only the first one gets a line of its own. At the end of the period one more line says
//! how many others there were.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The length of a period.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Counts the refusals of the current period. Clones share the numbers.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// Whether a line was logged in this period.
    logged: bool,
    /// How many refusals of this period were not logged.
    unlogged: u64,
}

impl Refusals {
    /// Counts a refusal of a caller at `from`, and logs it if it is the first one of the period.
    pub(super) fn add(&self, from: impl Display, why: &impl Display) {
        if self.is_first() {
            tracing::warn!(%from, "refused a connection: {why}");
        } else {
            tracing::debug!(%from, "refused a connection: {why}");
        }
    }

    /// Ends the period, and logs how many refusals of it were not logged. It must be called once in each
    /// [`EVERY`].
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

    /// Begins the next period, and gives how many refusals of the last one were not logged; `None` if there
    /// were none. Otherwise the caller logs that number now, and this line counts as the one of the next
    /// period.
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

//! When the record of the application is written. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::state::Version;

/// From the registration with YARN to the first time, so that the start of the cluster is not held up.
const FIRST: Duration = Duration::from_secs(20);
/// The shortest time between two writes, after a container has ended. Each write is of all ends, so after so
/// many ends it is as much longer.
const SOON: Duration = Duration::from_secs(1);
const MANY: u64 = 50;
/// The same after anything else, and after a failure.
const LATER: Duration = Duration::from_secs(60);
/// After a write that took long it is waited for so many times as long, at most [`LATER`].
const REST: u32 = 20;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    registered: Option<Instant>,
    last: Option<Last>,
}

/// The latest try to write.
#[derive(Debug)]
struct Last {
    at: Instant,
    took: Duration,
    /// What was written, if that has succeeded.
    version: Option<Version>,
}

impl Pace {
    /// The application is registered since now, unless it was before.
    pub(crate) fn registered(&mut self, now: Instant) {
        self.registered.get_or_insert(now);
    }

    /// It was tried to write, from `begin` until now. `version`: what was written, if that has succeeded.
    pub(crate) fn tried(&mut self, begin: Instant, now: Instant, version: Option<Version>) {
        self.last = Some(Last { at: now, took: now.saturating_duration_since(begin), version });
    }

    /// When this version is to be written; none as long as there is no reason to.
    pub(crate) fn due(&self, version: Version) -> Option<Instant> {
        let registered = self.registered?;
        let Some(last) = &self.last else { return Some(registered + FIRST) };
        let pause = match last.version {
            None => LATER,
            Some(written) if written.ends != version.ends => {
                let many = u32::try_from(version.ends / MANY).unwrap_or(u32::MAX);
                (last.took * REST).max(SOON.saturating_mul(many)).clamp(SOON, LATER)
            }
            Some(written) if written != version => LATER,
            Some(_) => return None,
        };
        Some(last.at + pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(changes: u64, ends: u64) -> Version {
        Version { registered: true, changes, ends }
    }

    #[test]
    fn the_start_is_not_held_up() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.due(version(1, 1)), None, "nobody knows the application");
        pace.registered(now);
        pace.registered(now + SOON);
        assert_eq!(pace.due(version(1, 1)), Some(now + FIRST));
    }

    #[test]
    fn ends_are_written_soon_and_other_changes_later() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.registered(now);
        let at = |ms| now + FIRST + Duration::from_millis(ms);
        pace.tried(at(0), at(10), Some(version(5, 1)));
        assert_eq!(pace.due(version(5, 1)), None);
        assert_eq!(pace.due(version(6, 1)), Some(at(10) + LATER));
        assert_eq!(pace.due(version(6, 2)), Some(at(10) + SOON));
        assert_eq!(pace.due(version(600, 500)), Some(at(10) + 10 * SOON), "a file of so many is large");
        assert_eq!(pace.due(version(9000, 9000)), Some(at(10) + LATER));
    }

    #[test]
    fn a_slow_name_node_is_left_alone_for_longer() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.registered(now);
        let at = |ms| now + Duration::from_millis(ms);
        for (took, pause) in [(200, 4_000), (9_000, 60_000)] {
            pace.tried(at(0), at(took), Some(version(5, 1)));
            assert_eq!(pace.due(version(6, 2)), Some(at(took + pause)));
        }
        pace.tried(at(0), at(10), None);
        assert_eq!(pace.due(version(6, 2)), Some(at(10) + LATER), "it has failed");
    }
}

//! Containers that YARN was asked for and has not granted, also those that were given up for that.

use std::collections::BTreeMap;

use diagnosis::facts::OpenAsk;

use super::texts::short;
use crate::ledger::types::Profile;

/// How many sizes are remembered that YARN has refused.
const MOST_REFUSED: usize = 8;
/// How many sizes are remembered that were given up.
const MOST_GIVEN_UP: usize = 8;
/// What is given up sooner, in ms, is nothing to speak of.
const PATIENCE: u64 = 10_000;
/// What is given up within this time, in ms, was given up together.
const TOGETHER: u64 = 10_000;
/// Most bytes of a reason.
const REASON: usize = 500;

/// See the module's text. Times are in ms since 1970.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// Flink's requests by their numbers: the size, and since when it is asked for.
    open: BTreeMap<u64, (Profile, u64)>,
    /// What is asked for before Flink requests it: size, number, and since when.
    ahead: Option<(Profile, u32, u64)>,
    /// Sizes that were refused: since when, and why at last. Flink asks anew again and again.
    refused: Vec<(Profile, u64, String)>,
    /// What was given up at last, of each size, until a container of that size comes.
    given_up: Vec<GivenUp>,
}

/// Requests of one size that were given up together.
#[derive(Debug)]
struct GivenUp {
    size: Profile,
    count: u32,
    since: u64,
    at: u64,
}

impl Asks {
    pub(super) fn requested(&mut self, request: u64, size: &Profile, now: u64) {
        self.open.insert(request, (size.clone(), now));
    }

    pub(super) fn cancelled(&mut self, request: u64, now: u64) {
        let Some((size, since)) = self.open.remove(&request) else { return };
        if now.saturating_sub(since) < PATIENCE {
            return;
        }
        let fresh = GivenUp { size, count: 1, since, at: now };
        if let Some(known) = self.given_up.iter_mut().find(|known| known.size == fresh.size) {
            *known = match now.saturating_sub(known.at) < TOGETHER {
                true => GivenUp { count: known.count + 1, since: known.since.min(since), ..fresh },
                false => fresh,
            };
        } else if self.given_up.len() < MOST_GIVEN_UP {
            self.given_up.push(fresh);
        }
    }

    pub(super) fn asked_ahead(&mut self, size: &Profile, count: u32, now: u64) {
        self.ahead = Some((size.clone(), count, now));
    }

    /// A container has come, for a request or ahead of any.
    pub(super) fn granted(&mut self, request: Option<u64>) {
        match request {
            Some(request) => {
                if let Some((size, _)) = self.open.remove(&request) {
                    self.refused.retain(|(refused, ..)| *refused != size);
                    self.given_up.retain(|known| known.size != size);
                }
            }
            None => {
                if let Some((_, count, _)) = &mut self.ahead {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    pub(super) fn refused(&mut self, request: u64, why: &str, now: u64) {
        let Some((size, _)) = self.open.remove(&request) else { return };
        let why = short(why, REASON);
        if let Some((_, _, last)) = self.refused.iter_mut().find(|(refused, ..)| *refused == size) {
            *last = why;
        } else if self.refused.len() < MOST_REFUSED {
            self.refused.push((size, now, why));
        }
    }

    /// The JobManager requests from now on what it needs, also what was asked for ahead.
    pub(super) fn job_manager_ready(&mut self) {
        self.ahead = None;
    }

    /// What the JobManager has requested is void.
    pub(super) fn job_manager_lost(&mut self) {
        self.open.clear();
    }

    /// What is open, was refused or was given up, by size. `label`: of the nodes that TaskManagers need.
    pub(super) fn list(&self, label: Option<&str>) -> Vec<OpenAsk> {
        let ask = |size: &Profile, count, since, refused| OpenAsk {
            count,
            memory_mb: size.memory_mb,
            vcores: size.vcores,
            label: label.map(str::to_owned),
            since: Some(since),
            refused,
            given_up: None,
        };
        let requested = self.open.values().map(|(size, since)| (size, 1, *since));
        let ahead = self.ahead.iter().map(|(size, count, since)| (size, *count, *since));
        let mut open: BTreeMap<&Profile, (u32, u64)> = BTreeMap::new();
        for (size, count, since) in requested.chain(ahead).filter(|(_, count, _)| *count > 0) {
            let (all, first) = open.entry(size).or_insert((0, since));
            (*all, *first) = (*all + count, since.min(*first));
        }
        let open = open.into_iter().map(|(size, (count, since))| ask(size, count, since, None));
        let refused = self.refused.iter().map(|(size, since, why)| ask(size, 1, *since, Some(why.clone())));
        let given_up = self.given_up.iter().map(|known| OpenAsk {
            given_up: Some(known.at),
            ..ask(&known.size, known.count, known.since, None)
        });
        open.chain(refused).chain(given_up).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(memory_mb: u64) -> Profile {
        Profile { memory_mb, vcores: 1, ..Profile::default() }
    }

    /// Memory, number, since when, and why it was refused.
    fn told(asks: &Asks) -> Vec<(u64, u32, u64, Option<String>)> {
        let row = |ask: OpenAsk| (ask.memory_mb, ask.count, ask.since.unwrap(), ask.refused);
        asks.list(None).into_iter().map(row).collect()
    }

    #[test]
    fn requests_are_counted_by_size_and_age() {
        let mut asks = Asks::default();
        for (request, memory_mb, now) in [(1, 1024, 10), (2, 1024, 20), (3, 2048, 30), (4, 1024, 40)] {
            asks.requested(request, &size(memory_mb), now);
        }
        asks.cancelled(1, 50);
        asks.granted(Some(4));
        assert_eq!(told(&asks), [(1024, 1, 20, None), (2048, 1, 30, None)]);
        assert_eq!(asks.list(Some("gpu"))[0].label.as_deref(), Some("gpu"));
        asks.job_manager_lost();
        assert!(told(&asks).is_empty());
    }

    #[test]
    fn what_is_given_up_is_remembered_until_that_size_comes() {
        let mut asks = Asks::default();
        let given_up = |asks: &Asks| -> Vec<(u32, Option<u64>, Option<u64>)> {
            let all = asks.list(None).into_iter().filter(|ask| ask.given_up.is_some());
            all.map(|ask| (ask.count, ask.since, ask.given_up)).collect()
        };
        for (request, now) in [(1, 10), (2, 20), (3, 40_000), (4, 90_000), (5, 90_000)] {
            asks.requested(request, &size(1024), now);
        }
        asks.cancelled(1, 30_000);
        asks.cancelled(2, 30_001);
        asks.cancelled(3, 40_001);
        assert_eq!(given_up(&asks), [(2, Some(10), Some(30_001))]);
        asks.cancelled(4, 150_000);
        assert_eq!(given_up(&asks), [(1, Some(90_000), Some(150_000))]);
        asks.granted(Some(5));
        assert!(given_up(&asks).is_empty());
    }

    #[test]
    fn what_is_asked_for_ahead_counts_until_the_jobmanager_is_there() {
        let mut asks = Asks::default();
        asks.asked_ahead(&size(1024), 2, 5);
        asks.granted(None);
        assert_eq!(told(&asks), [(1024, 1, 5, None)]);
        asks.granted(None);
        assert!(told(&asks).is_empty());
        asks.asked_ahead(&size(1024), 2, 5);
        asks.job_manager_ready();
        assert!(told(&asks).is_empty());
    }

    #[test]
    fn a_refusal_stays_until_that_size_is_granted() {
        let mut asks = Asks::default();
        for (request, why) in [(1, "no label"), (2, "no such label")] {
            asks.requested(request, &size(1024), 5);
            asks.refused(request, why, 6 + request);
        }
        assert_eq!(told(&asks), [(1024, 1, 7, Some("no such label".to_owned()))]);
        (10..30).for_each(|n| {
            asks.requested(n, &size(n), 5);
            asks.refused(n, "x", 5);
        });
        assert_eq!(told(&asks).len(), MOST_REFUSED);
        asks.requested(3, &size(1024), 9);
        asks.granted(Some(3));
        assert!(told(&asks).iter().all(|(memory, ..)| *memory != 1024));
    }
}

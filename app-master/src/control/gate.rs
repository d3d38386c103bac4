//! Who may wait at the control server without having proved who it is: only so many connections, in all and
//! from one address. The rest of the server never has to do with more of them.
//!
//! One that comes when there are too many takes the place of the oldest, because an honest caller is done
//! within a moment. One that is younger than [`Limits::spared`] is not put out: in a rush of honest callers
//! it is better that the last ones try again.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// In all.
    pub(super) all: usize,
    /// From one address.
    pub(super) address: usize,
    /// Those that are younger keep their place.
    pub(super) spared: Duration,
}

/// Clones share it.
#[derive(Clone)]
pub(super) struct Gate {
    limits: Limits,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// By their numbers, which grow.
    places: BTreeMap<u64, Place>,
    by_address: HashMap<IpAddr, usize>,
}

struct Place {
    from: IpAddr,
    since: Instant,
    put_out: CancellationToken,
}

/// The place of a connection, until it is dropped.
pub(super) struct Slot {
    gate: Gate,
    number: u64,
    put_out: CancellationToken,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, waiting: Arc::default() }
    }

    /// A place for a connection that comes now; none if there are too many.
    pub(super) fn enter(&self, from: IpAddr, now: Instant) -> Option<Slot> {
        let mut waiting = self.waiting();
        if waiting.by_address.get(&from).is_some_and(|count| *count >= self.limits.address) {
            waiting.put_out(Some(from), now, self.limits.spared)?;
        } else if waiting.places.len() >= self.limits.all {
            waiting.put_out(None, now, self.limits.spared)?;
        }
        let number = waiting.next;
        waiting.next += 1;
        let put_out = CancellationToken::new();
        waiting.places.insert(number, Place { from, since: now, put_out: put_out.clone() });
        *waiting.by_address.entry(from).or_default() += 1;
        drop(waiting);
        Some(Slot { gate: self.clone(), number, put_out })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Puts out the oldest, or the oldest from this address.
    fn put_out(&mut self, from: Option<IpAddr>, now: Instant, spared: Duration) -> Option<()> {
        let of_address = |place: &Place| from.is_none_or(|from| place.from == from);
        let (number, place) = self.places.iter().find(|(_, place)| of_address(place))?;
        if now.saturating_duration_since(place.since) < spared {
            return None;
        }
        place.put_out.cancel();
        self.remove(*number);
        Some(())
    }

    fn remove(&mut self, number: u64) {
        let Some(place) = self.places.remove(&number) else { return };
        if let Some(count) = self.by_address.get_mut(&place.from) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&place.from);
            }
        }
    }
}

impl Slot {
    /// Is cancelled when another connection takes the place.
    pub(super) fn put_out(&self) -> CancellationToken {
        self.put_out.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gate.waiting().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { all: 5, address: 3, spared: Duration::from_secs(1) };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_fills_its_own_places_and_leaves_those_of_others() {
        let (gate, now) = (Gate::new(LIMITS), Instant::now());
        let first: Vec<Slot> = (0..3).map(|_| gate.enter(address(1), now).unwrap()).collect();
        assert!(gate.enter(address(1), now).is_none(), "all are too young to be put out");
        let other = gate.enter(address(2), now).unwrap();
        let late = gate.enter(address(1), now + LIMITS.spared).unwrap();
        let out: Vec<bool> = first.iter().map(|slot| slot.put_out().is_cancelled()).collect();
        assert_eq!(out, [true, false, false]);
        drop(first);
        assert_eq!(gate.waiting().by_address[&address(1)], 1, "who was put out has no place to give back");
        assert!(!late.put_out().is_cancelled() && !other.put_out().is_cancelled());
        drop((late, other));
        assert!(gate.waiting().places.is_empty() && gate.waiting().by_address.is_empty());
    }

    #[test]
    fn many_addresses_together_are_bounded_too() {
        let (gate, now) = (Gate::new(LIMITS), Instant::now());
        let at = |n: u8| now + Duration::from_millis(n.into());
        let slots: Vec<Slot> = (0..5).map(|n| gate.enter(address(n), at(n)).unwrap()).collect();
        assert!(gate.enter(address(9), at(9)).is_none());
        let _late: Vec<Slot> =
            (10..14).map(|n| gate.enter(address(n), at(n) + LIMITS.spared).unwrap()).collect();
        let out: Vec<bool> = slots.iter().map(|slot| slot.put_out().is_cancelled()).collect();
        assert_eq!(out, [true, true, true, true, false]);
        assert_eq!(gate.waiting().places.len(), LIMITS.all);
    }
}

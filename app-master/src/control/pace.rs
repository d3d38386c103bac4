//! How many TLS handshakes an address may begin. Anybody can make handshakes in a loop, and each costs this
//! process two operations with keys, which is more than everything else that a stranger can have done here.
//!
//! An address has a number of handshakes in hand, [`Rate::burst`], and gets one back in each [`Rate::each`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// As many addresses are kept before those are looked for that have all of their handshakes in hand again.
const LEAST: usize = 1024;

/// How many handshakes an address may begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// At once.
    pub(super) burst: u32,
    /// The time after which it may begin one more.
    pub(super) each: Duration,
}

/// Clones share it.
#[derive(Clone)]
pub(super) struct Pace {
    rate: Rate,
    addresses: Arc<Mutex<Addresses>>,
}

struct Addresses {
    /// When an address has all of its handshakes in hand again. One that is missing has them now.
    full_at: HashMap<IpAddr, Instant>,
    /// The number of addresses at which they are looked through.
    tidied_at: usize,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        let addresses = Addresses { full_at: HashMap::new(), tidied_at: LEAST };
        Self { rate, addresses: Arc::new(Mutex::new(addresses)) }
    }

    /// Whether this address may begin a handshake now; if so, it has done that.
    pub(super) fn begins(&self, from: IpAddr, now: Instant) -> bool {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).begins(self.rate, from, now)
    }
}

impl Addresses {
    fn begins(&mut self, rate: Rate, from: IpAddr, now: Instant) -> bool {
        let full_at = self.full_at.get(&from).map_or(now, |full_at| now.max(*full_at)) + rate.each;
        if full_at > now + rate.each * rate.burst {
            return false;
        }
        if self.full_at.len() >= self.tidied_at {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.tidied_at = LEAST.max(2 * self.full_at.len());
        }
        self.full_at.insert(from, full_at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 1024, each: Duration::from_millis(4) };

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn a_thousand_at_once_and_then_at_the_pace_of_the_rate() {
        let (pace, now) = (Pace::new(RATE), Instant::now());
        assert_eq!((0..1000).filter(|_| pace.begins(address(1), now)).count(), 1000);
        assert_eq!((0..1000).filter(|_| pace.begins(address(1), now)).count(), 24);
        assert!(pace.begins(address(2), now), "others have their own");
        // Ten thousand in each second, for a minute.
        let tries = (1..=600_000).map(|n| now + n * Duration::from_micros(100));
        let begun = tries.filter(|at| pace.begins(address(1), *at)).count();
        assert_eq!(begun, 60 * 250);
        let later = now + Duration::from_secs(120);
        assert_eq!((0..2000).filter(|_| pace.begins(address(1), later)).count(), 1024);
    }

    #[test]
    fn addresses_without_a_debt_are_forgotten() {
        let (pace, now) = (Pace::new(RATE), Instant::now());
        let busy = address(0);
        for n in 1..=100_000 {
            let at = now + n * Duration::from_millis(1);
            assert!(pace.begins(address(n), at));
            pace.begins(busy, at);
        }
        let addresses = pace.addresses.lock().unwrap();
        assert!(addresses.full_at.len() <= LEAST, "{}", addresses.full_at.len());
        assert!(addresses.full_at.contains_key(&busy));
    }
}

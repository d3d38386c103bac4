//! Fetches of tokens for which perhaps nobody waits any more. If a command is given up while a server makes a
//! token, the answer has to be heard all the same: a token that nobody knows cannot be cancelled.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{self, BoxFuture};

/// The fetches that are under way. Clones share them.
#[derive(Clone, Default)]
pub struct Fetches {
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    fetches: BTreeMap<u64, BoxFuture<'static, ()>>,
}

impl fmt::Debug for Fetches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetches").field(&self.open().fetches.len()).finish()
    }
}

impl Fetches {
    /// Carries out a fetch, which has to note by itself what it has fetched. If the caller gives up waiting,
    /// the fetch stands still until [`Fetches::settle`] carries it on.
    pub async fn run<T>(&self, fetch: impl Future<Output = T> + Send + 'static) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        let fetch = fetch.boxed().shared();
        let number = self.add(fetch.clone().map(drop).boxed());
        let done = fetch.await;
        drop(self.open().fetches.remove(&number));
        done
    }

    /// Carries on all fetches that are under way, and returns when they have ended. Those who wait for one of
    /// them get its outcome.
    pub async fn settle(&self) {
        let under_way = std::mem::take(&mut self.open().fetches);
        future::join_all(under_way.into_values()).await;
    }

    fn add(&self, fetch: BoxFuture<'static, ()>) -> u64 {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.fetches.insert(number, fetch);
        number
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_fetch_that_was_given_up_is_carried_on() {
        let fetches = Fetches::default();
        let (answer, asked) = oneshot::channel::<u8>();
        let fetched = Arc::new(Mutex::new(None));
        let note = Arc::clone(&fetched);
        let fetch = async move {
            let token = asked.await.ok();
            *note.lock().unwrap() = token;
            token
        };
        assert!(timeout(Duration::from_millis(20), fetches.run(fetch)).await.is_err());
        answer.send(7).unwrap();
        assert_eq!(*fetched.lock().unwrap(), None, "nobody has waited for the answer yet");
        fetches.clone().settle().await;
        assert_eq!(*fetched.lock().unwrap(), Some(7));
        assert!(fetches.open().fetches.is_empty());
    }

    #[tokio::test]
    async fn a_fetch_that_has_ended_is_forgotten() {
        let fetches = Fetches::default();
        assert_eq!(fetches.run(async { 1 }).await, 1);
        assert_eq!(format!("{fetches:?}"), "Fetches(0)");
        timeout(Duration::from_secs(10), fetches.settle()).await.unwrap();
    }
}

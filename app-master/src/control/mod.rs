//! What heddle-am tells taskrunners and hears from them (`taskrunner/proto/control.proto`).

mod link;
mod server;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskrunner::cause::JvmExit;
use taskrunner::control::event::Event as Told;
use taskrunner::control::{Launch, Memory, Recorded, Stop};
use taskrunner::wire::Liveness;
use tokio::sync::{Notify, mpsc};

use crate::ledger::types::Worker;

/// What taskrunners tell.
#[derive(Debug, Clone, PartialEq)]
pub enum ControlEvent {
    /// A taskrunner is connected, for the first time or again.
    Connected {
        /// Its container.
        worker: Worker,
        /// Whether it can go on: its JVM runs, or it was sent the order to start it.
        ordered: bool,
    },
    /// Its JVM runs.
    Started {
        /// Its container.
        worker: Worker,
        /// Process id of the JVM.
        pid: u32,
    },
    /// Something tells its container to end.
    Signalled(Worker),
    /// Its JVM has ended.
    Exited {
        /// Its container.
        worker: Worker,
        /// How.
        report: JvmExit,
    },
    /// The connection broke; it may come back.
    Lost(Worker),
}

type Tell = Box<dyn Fn(ControlEvent) + Send + Sync>;

/// Handle of the server; clones share it.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    secret: Vec<u8>,
    liveness: Liveness,
    peers: Mutex<HashMap<Worker, Peer>>,
    connections: AtomicU64,
    recorded: Mutex<Option<mpsc::Sender<Recorded>>>,
    tell: Tell,
}

#[derive(Default)]
struct Peer {
    /// Kept until the JVM runs, for a taskrunner that has to connect again before.
    launch: Option<Box<dyn Fn() -> Launch + Send + Sync>>,
    connection: Option<Connection>,
    memory: Option<Memory>,
    /// YARN has taken the container back; its processes may take a moment longer.
    gone: bool,
}

/// The link that counts. Orders wait here for its task: a channel for each link would hold more than all
/// else.
struct Connection {
    number: u64,
    orders: Vec<Order>,
    wake: Arc<Notify>,
}

enum Order {
    /// It is made when it is sent: thousands may wait, and each is some ten kilobytes.
    Launch,
    Stop(Stop),
}

impl Connection {
    fn order(&mut self, order: Order) {
        self.orders.push(order);
        self.wake.notify_one();
    }
}

impl Control {
    /// A server that lets in who knows `secret`.
    pub fn new(secret: Vec<u8>, tell: impl Fn(ControlEvent) + Send + Sync + 'static) -> Self {
        Self::with_liveness(Liveness::default(), secret, Box::new(tell))
    }

    fn with_liveness(liveness: Liveness, secret: Vec<u8>, tell: Tell) -> Self {
        let inner = Inner {
            secret,
            liveness,
            peers: Mutex::default(),
            connections: AtomicU64::new(0),
            recorded: Mutex::default(),
            tell,
        };
        Self { inner: Arc::new(inner) }
    }

    /// What the container's taskrunner is to start: at once if it is connected, else once it is.
    pub fn expect(&self, worker: Worker, launch: impl Fn() -> Launch + Send + Sync + 'static) {
        let mut peers = self.peers();
        let peer = peers.entry(worker).or_default();
        peer.launch = Some(Box::new(launch));
        if let Some(connection) = &mut peer.connection {
            // If its link is just breaking it gets the order with the next one.
            connection.order(Order::Launch);
        }
    }

    /// Asks a taskrunner to stop its JVM and end; false when it is not connected.
    pub fn stop(&self, worker: &Worker, grace: Duration, reason: &str) -> bool {
        let stop = Stop {
            grace_ms: u32::try_from(grace.as_millis()).unwrap_or(u32::MAX),
            reason: reason.to_owned(),
        };
        let mut peers = self.peers();
        let connection = peers.get_mut(worker).and_then(|peer| peer.connection.as_mut());
        connection.map(|connection| connection.order(Order::Stop(stop))).is_some()
    }

    /// Who gets the classes that taskrunners record.
    pub fn on_recorded(&self, sender: mpsc::Sender<Recorded>) {
        *self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// The last memory sample of a container.
    pub fn memory(&self, worker: &Worker) -> Option<Memory> {
        self.peers().get(worker).and_then(|peer| peer.memory)
    }

    /// Forgets a container that is gone: at once, or when its taskrunner has hung up.
    pub fn forget(&self, worker: &Worker) {
        let mut peers = self.peers();
        match peers.get_mut(worker) {
            Some(peer) if peer.connection.is_some() => peer.gone = true,
            _ => drop(peers.remove(worker)),
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<Worker, Peer>> {
        self.inner.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a link whose `Hello` was fine: the newest one of a container counts. Its number, and what
    /// wakes it for orders.
    fn connected(&self, worker: &Worker, jvm_runs: bool) -> (u64, Arc<Notify>) {
        let number = self.inner.connections.fetch_add(1, Ordering::Relaxed);
        let wake = Arc::new(Notify::new());
        let mut connection = Connection { number, orders: Vec::new(), wake: wake.clone() };
        let mut peers = self.peers();
        let peer = peers.entry(worker.clone()).or_default();
        let launch = peer.launch.is_some() && !jvm_runs;
        if launch {
            connection.order(Order::Launch);
        }
        if let Some(replaced) = peer.connection.replace(connection) {
            replaced.wake.notify_one();
        }
        drop(peers);
        (self.inner.tell)(ControlEvent::Connected { worker: worker.clone(), ordered: jvm_runs || launch });
        (number, wake)
    }

    /// The orders that wait for a link; none when a newer one has taken over.
    fn orders(&self, worker: &Worker, number: u64) -> Option<Vec<Order>> {
        let mut peers = self.peers();
        let connection = peers.get_mut(worker)?.connection.as_mut()?;
        (connection.number == number).then(|| std::mem::take(&mut connection.orders))
    }

    fn launch(&self, worker: &Worker) -> Option<Launch> {
        self.peers().get(worker)?.launch.as_ref().map(|launch| launch())
    }

    fn disconnected(&self, worker: Worker, number: u64) {
        let mut peers = self.peers();
        let Some(peer) = peers.get_mut(&worker) else { return };
        if peer.connection.take_if(|current| current.number == number).is_none() {
            return; // a newer link has taken over
        }
        if peer.gone {
            peers.remove(&worker);
        } else {
            drop(peers);
            (self.inner.tell)(ControlEvent::Lost(worker));
        }
    }

    fn told(&self, worker: &Worker, event: Told) {
        match event {
            Told::Hello(_) | Told::Ping(_) => {}
            Told::Started(started) => {
                if let Some(peer) = self.peers().get_mut(worker) {
                    peer.launch = None;
                }
                (self.inner.tell)(ControlEvent::Started { worker: worker.clone(), pid: started.jvm_pid });
            }
            Told::Memory(sample) => {
                if let Some(peer) = self.peers().get_mut(worker) {
                    peer.memory = Some(sample);
                }
            }
            Told::Recorded(recorded) => {
                let sender = self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner);
                // One list is enough.
                let taken = sender.as_ref().is_some_and(|sender| sender.try_send(recorded).is_ok());
                tracing::debug!(%worker, taken, "recorded classes");
            }
            Told::Signalled(signalled) => {
                if let (Some(sample), Some(peer)) = (signalled.memory, self.peers().get_mut(worker)) {
                    peer.memory = Some(sample);
                }
                (self.inner.tell)(ControlEvent::Signalled(worker.clone()));
            }
            Told::Exited(exited) => {
                (self.inner.tell)(ControlEvent::Exited { worker: worker.clone(), report: exited.into() });
            }
        }
    }
}

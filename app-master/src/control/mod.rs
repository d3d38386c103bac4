//! The control server: what heddle-am tells taskrunners and hears from them
//! (`taskrunner/proto/control.proto`).

mod gate;
mod grpc;
mod link;
mod pace;
mod refusals;
mod server;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diagnosis::facts::MemorySamples;
use taskrunner::cause::JvmExit;
use taskrunner::control::event::Event as EventKind;
use taskrunner::control::{Launch, Memory, Recorded, Stop};
use taskrunner::keys::ControlKeys;
use taskrunner::wire::Liveness;
use tokio::sync::{Notify, mpsc};
use yarn_api::records::{ApplicationAttemptId, ContainerId};

use crate::samples::Samples;

pub use server::ServeError;

/// What taskrunners tell.
#[derive(Debug, Clone, PartialEq)]
pub enum ControlEvent {
    /// A taskrunner is connected, for the first time or again.
    Connected {
        /// Its container.
        container: ContainerId,
        /// Whether its JVM runs already, or it was sent the launch command for it just now.
        has_launch: bool,
    },
    /// Its JVM runs.
    Started {
        /// Its container.
        container: ContainerId,
        /// Process id of the JVM.
        pid: u32,
    },
    /// Its container was sent a signal to end.
    Signalled(ContainerId),
    /// It still has something to do, and ends by itself.
    Busy {
        /// Its container.
        container: ContainerId,
        /// What it does, for people.
        what: String,
    },
    /// Its JVM has ended.
    Exited {
        /// Its container.
        container: ContainerId,
        /// How.
        report: JvmExit,
    },
    /// The connection broke; it may come back.
    Lost(ContainerId),
}

/// How many ports of reporters are kept for a container, whatever its taskrunner says.
const MOST_REPORTERS: usize = 8;

type Tell = Box<dyn Fn(ControlEvent) + Send + Sync>;

/// Handle of the server; clones share it.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Arc<ControlKeys>,
    this: ApplicationAttemptId,
    liveness: Liveness,
    /// The containers that this ApplicationMaster holds, and those that have connected before it heard of
    /// them.
    peers: Mutex<HashMap<ContainerId, Peer>>,
    connections: AtomicU64,
    recorded: Mutex<Option<mpsc::Sender<Recorded>>>,
    tell: Tell,
}

#[derive(Default)]
struct Peer {
    /// Makes the launch command. It is kept until the JVM runs, because the taskrunner may lose its link
    /// before and then gets the command again.
    launch: Option<Box<dyn Fn() -> Launch + Send + Sync>>,
    connection: Option<Connection>,
    memory: Samples,
    /// The ports of Flink's reporters for Prometheus in its JVM.
    reporters: Box<[u16]>,
    /// For YARN the container has ended; its taskrunner may stay connected for a moment longer.
    gone: bool,
}

/// The newest link of a container. Commands wait here for the link's task. With a thousand links, a channel
/// for each would take more memory than everything else that is kept for it.
struct Connection {
    number: u64,
    commands: Vec<PendingCommand>,
    wake: Arc<Notify>,
}

/// A command that waits to be sent to a taskrunner.
enum PendingCommand {
    /// The message is made only when it is sent: thousands may wait, and each has some ten kilobytes.
    Launch,
    /// The launch command may come later.
    Wait,
    Stop(Stop),
}

impl Connection {
    fn push(&mut self, command: PendingCommand) {
        self.commands.push(command);
        self.wake.notify_one();
    }
}

impl Control {
    /// The server of the attempt `this`. It accepts the client and the taskrunners that have keys from
    /// `keys`, and passes what taskrunners say to `tell`.
    pub fn new(
        keys: Arc<ControlKeys>,
        this: ApplicationAttemptId,
        tell: impl Fn(ControlEvent) + Send + Sync + 'static,
    ) -> Self {
        Self::with_liveness(Liveness::default(), keys, this, Box::new(tell))
    }

    fn with_liveness(
        liveness: Liveness,
        keys: Arc<ControlKeys>,
        this: ApplicationAttemptId,
        tell: Tell,
    ) -> Self {
        let inner = Inner {
            keys,
            this,
            liveness,
            peers: Mutex::default(),
            connections: AtomicU64::new(0),
            recorded: Mutex::default(),
            tell,
        };
        Self { inner: Arc::new(inner) }
    }

    /// A container is held from now on: its taskrunner may connect.
    pub fn expect(&self, container: ContainerId) {
        self.peers().entry(container).or_default();
    }

    /// Whether the container's taskrunner may connect. One that an earlier attempt has started may connect
    /// before the ResourceManager has named it: the controller decides what becomes of it.
    fn may_connect(&self, container: ContainerId) -> bool {
        let ContainerId { attempt_id: ApplicationAttemptId { application_id, attempt }, .. } = container;
        let earlier = application_id == self.inner.this.application_id && attempt < self.inner.this.attempt;
        earlier || self.peers().get(&container).is_some_and(|peer| !peer.gone)
    }

    /// Sends the launch command to the container's taskrunner: at once if it is connected, else when it
    /// connects.
    pub fn launch(&self, container: ContainerId, launch: impl Fn() -> Launch + Send + Sync + 'static) {
        let mut peers = self.peers();
        let peer = peers.entry(container).or_default();
        peer.launch = Some(Box::new(launch));
        if let Some(connection) = &mut peer.connection {
            // If this link is just breaking, the taskrunner gets the command by its next one.
            connection.push(PendingCommand::Launch);
        }
    }

    /// Tells a taskrunner without launch command that one may come later; it gives its container back
    /// otherwise.
    pub fn wait(&self, container: ContainerId) {
        let mut peers = self.peers();
        if let Some(connection) = peers.get_mut(&container).and_then(|peer| peer.connection.as_mut()) {
            connection.push(PendingCommand::Wait);
        }
    }

    /// Asks a taskrunner to stop its JVM and end; false when it is not connected.
    pub fn stop(&self, container: ContainerId, grace: Duration, reason: &str) -> bool {
        let stop = Stop {
            grace_ms: u32::try_from(grace.as_millis()).unwrap_or(u32::MAX),
            reason: reason.to_owned(),
        };
        let mut peers = self.peers();
        let connection = peers.get_mut(&container).and_then(|peer| peer.connection.as_mut());
        connection.map(|connection| connection.push(PendingCommand::Stop(stop))).is_some()
    }

    /// Sets who gets the lists of classes that taskrunners record.
    pub fn on_recorded(&self, sender: mpsc::Sender<Recorded>) {
        *self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// The last memory sample of a container.
    pub fn memory(&self, container: ContainerId) -> Option<Memory> {
        self.peers().get(&container).and_then(|peer| peer.memory.last())
    }

    /// How the memory of a container has gone over its last minutes.
    pub(crate) fn samples(&self, container: ContainerId) -> Option<MemorySamples> {
        self.peers().get(&container).and_then(|peer| peer.memory.for_record())
    }

    /// Passes the last memory sample of each container to `take`.
    pub fn memories(&self, mut take: impl FnMut(ContainerId, &Memory)) {
        let peers = self.peers();
        let sampled = peers.iter().filter(|(_, peer)| !peer.gone);
        sampled.filter_map(|(id, peer)| Some((*id, peer.memory.last()?))).for_each(|(id, m)| take(id, &m));
    }

    /// The ports on which Flink's reporters for Prometheus listen in a container's JVM.
    pub fn reporters(&self, container: ContainerId) -> Vec<u16> {
        self.peers().get(&container).map(|peer| peer.reporters.to_vec()).unwrap_or_default()
    }

    /// Whether the container's taskrunner is connected.
    pub fn is_connected(&self, container: ContainerId) -> bool {
        self.peers().get(&container).is_some_and(|peer| peer.connection.is_some())
    }

    /// Forgets a container that is gone: at once, or when its taskrunner has disconnected.
    pub fn forget(&self, container: ContainerId) {
        let mut peers = self.peers();
        match peers.get_mut(&container) {
            Some(peer) if peer.connection.is_some() => peer.gone = true,
            _ => drop(peers.remove(&container)),
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<ContainerId, Peer>> {
        self.inner.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a link whose `Hello` was accepted; the newest link of a container counts. Gives the link's
    /// number, and what wakes its task when commands wait.
    fn connected(&self, container: ContainerId, jvm_runs: bool) -> (u64, Arc<Notify>) {
        let number = self.inner.connections.fetch_add(1, Ordering::Relaxed);
        let wake = Arc::new(Notify::new());
        let mut connection = Connection { number, commands: Vec::new(), wake: wake.clone() };
        let mut peers = self.peers();
        let peer = peers.entry(container).or_default();
        let launch = peer.launch.is_some() && !jvm_runs;
        if launch {
            connection.push(PendingCommand::Launch);
        }
        if let Some(replaced) = peer.connection.replace(connection) {
            replaced.wake.notify_one();
        }
        drop(peers);
        (self.inner.tell)(ControlEvent::Connected { container, has_launch: jvm_runs || launch });
        (number, wake)
    }

    /// The commands that wait for a link; none when a newer link has taken over.
    fn commands(&self, container: ContainerId, number: u64) -> Option<Vec<PendingCommand>> {
        let mut peers = self.peers();
        let connection = peers.get_mut(&container)?.connection.as_mut()?;
        (connection.number == number).then(|| std::mem::take(&mut connection.commands))
    }

    fn launch_message(&self, container: ContainerId) -> Option<Launch> {
        self.peers().get(&container)?.launch.as_ref().map(|launch| launch())
    }

    fn disconnected(&self, container: ContainerId, number: u64) {
        let mut peers = self.peers();
        let Some(peer) = peers.get_mut(&container) else { return };
        if peer.connection.take_if(|current| current.number == number).is_none() {
            return; // A newer link has taken over.
        }
        if peer.gone {
            peers.remove(&container);
        } else {
            drop(peers);
            (self.inner.tell)(ControlEvent::Lost(container));
        }
    }

    fn told(&self, container: ContainerId, event: EventKind) {
        match event {
            EventKind::Hello(_) | EventKind::Ping(_) => {}
            EventKind::Started(started) => {
                if let Some(peer) = self.peers().get_mut(&container) {
                    peer.launch = None;
                }
                (self.inner.tell)(ControlEvent::Started { container, pid: started.jvm_pid });
            }
            EventKind::Memory(sample) => {
                if let Some(peer) = self.peers().get_mut(&container) {
                    peer.memory.add(sample);
                }
            }
            EventKind::Recorded(recorded) => {
                let sender = self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner);
                // One list is enough: where one waits already, this one is dropped.
                let taken = sender.as_ref().is_some_and(|sender| sender.try_send(recorded).is_ok());
                tracing::debug!(worker = %container, taken, "recorded classes");
            }
            EventKind::ReporterPorts(found) => {
                if let Some(peer) = self.peers().get_mut(&container) {
                    let ports = found.ports.into_iter().take(MOST_REPORTERS);
                    peer.reporters = ports.filter_map(|port| u16::try_from(port).ok()).collect();
                }
            }
            EventKind::Signalled(signalled) => {
                if let (Some(sample), Some(peer)) = (signalled.memory, self.peers().get_mut(&container)) {
                    peer.memory.add(sample);
                }
                (self.inner.tell)(ControlEvent::Signalled(container));
            }
            EventKind::Busy(busy) => (self.inner.tell)(ControlEvent::Busy { container, what: busy.what }),
            EventKind::Exited(exited) => {
                (self.inner.tell)(ControlEvent::Exited { container, report: exited.into() });
            }
        }
    }
}

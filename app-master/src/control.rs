//! The gRPC server that taskrunners, and the client of a per-job cluster, connect to (`taskrunner/proto/control.proto`).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::Stream;
use taskrunner::control::command::Command as Order;
use taskrunner::control::control_server::{Control as ControlService, ControlServer};
use taskrunner::control::event::Event as Told;
use taskrunner::control::{Command, Event, Exited, Launch, Memory, Recorded, Stop};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::ledger::cause::Report;
use crate::ledger::types::Worker;
use crate::submission::attendance::Attendance;
use crate::timeline::Timeline;

/// For a taskrunner's first event.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// A connection that answers no ping for so long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

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
    /// Its JVM has ended.
    Exited {
        /// Its container.
        worker: Worker,
        /// How.
        report: Report,
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
    peers: Mutex<HashMap<Worker, Peer>>,
    connections: AtomicU64,
    recorded: Mutex<Option<mpsc::Sender<Recorded>>>,
    tell: Tell,
}

#[derive(Default)]
struct Peer {
    /// Kept until the JVM runs, for a taskrunner that has to connect again before.
    launch: Option<Box<dyn Fn() -> Launch + Send + Sync>>,
    connection: Option<(u64, mpsc::UnboundedSender<Result<Command, Status>>)>,
    memory: Option<Memory>,
    /// YARN has taken the container back; its processes may take a moment longer.
    gone: bool,
}

impl Control {
    /// A server that lets in who knows `secret`.
    pub fn new(secret: Vec<u8>, tell: impl Fn(ControlEvent) + Send + Sync + 'static) -> Self {
        let inner = Inner {
            secret,
            peers: Mutex::default(),
            connections: AtomicU64::new(0),
            recorded: Mutex::default(),
            tell: Box::new(tell),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Serves until the process ends.
    pub async fn serve(
        self,
        listener: TcpListener,
        attendance: Attendance,
        timeline: Timeline,
    ) -> Result<(), tonic::transport::Error> {
        Server::builder()
            .tcp_nodelay(true)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(timeline.service(self.inner.secret.clone()))
            .add_service(ControlServer::new(self))
            .add_service(attendance.service())
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
    }

    /// What the container's taskrunner is to start: at once if it is connected, else once it is.
    /// The order is made when it is sent: thousands may wait, and each is some ten kilobytes.
    pub fn expect(&self, worker: Worker, launch: impl Fn() -> Launch + Send + Sync + 'static) {
        let mut peers = self.peers();
        let peer = peers.entry(worker).or_default();
        if let Some((_, commands)) = &peer.connection {
            // If its connection is just breaking it gets the order with the next one.
            let _ = commands.send(Ok(command(Order::Launch(launch()))));
        }
        peer.launch = Some(Box::new(launch));
    }

    /// Asks a taskrunner to stop its JVM and end; false when it is not connected.
    pub fn stop(&self, worker: &Worker, grace: Duration, reason: &str) -> bool {
        let stop = Stop {
            grace_ms: u32::try_from(grace.as_millis()).unwrap_or(u32::MAX),
            reason: reason.to_owned(),
        };
        let peers = self.peers();
        let connection = peers.get(worker).and_then(|peer| peer.connection.as_ref());
        connection.is_some_and(|(_, commands)| commands.send(Ok(command(Order::Stop(stop)))).is_ok())
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

    /// Takes over a connection whose `Hello` was fine: the newest one of a container counts.
    fn connected(
        &self,
        worker: &Worker,
        jvm_runs: bool,
    ) -> (u64, mpsc::UnboundedReceiver<Result<Command, Status>>) {
        let (commands, outbox) = mpsc::unbounded_channel();
        let number = self.inner.connections.fetch_add(1, Ordering::Relaxed);
        let mut peers = self.peers();
        let peer = peers.entry(worker.clone()).or_default();
        let launch = peer.launch.as_ref().filter(|_| !jvm_runs);
        let ordered = jvm_runs || launch.is_some();
        if let Some(launch) = launch {
            // Its receiver is right here.
            let _ = commands.send(Ok(command(Order::Launch(launch()))));
        }
        peer.connection = Some((number, commands));
        drop(peers);
        (self.inner.tell)(ControlEvent::Connected { worker: worker.clone(), ordered });
        (number, outbox)
    }

    /// Reads until the taskrunner closes its half; then ours is closed, too, which lets it go.
    async fn read(self, worker: Worker, number: u64, mut events: Streaming<Event>) {
        loop {
            match events.message().await {
                Ok(Some(Event { event: Some(event) })) => self.told(&worker, event),
                Ok(Some(Event { event: None })) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%worker, code = ?error.code(), "connection of a taskrunner broke");
                    break;
                }
            }
        }
        let mut peers = self.peers();
        let Some(peer) = peers.get_mut(&worker) else { return };
        if peer.connection.take_if(|(current, _)| *current == number).is_none() {
            return; // a newer connection has taken over
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
            Told::Hello(_) => {}
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
            Told::Exited(exited) => {
                (self.inner.tell)(ControlEvent::Exited { worker: worker.clone(), report: report(exited) });
            }
        }
    }
}

fn command(order: Order) -> Command {
    Command { command: Some(order) }
}

fn report(exited: Exited) -> Report {
    let Exited { code, signal, log_tail, stderr_tail, summary, launch_failed, .. } = exited;
    let last_lines = if log_tail.is_empty() { stderr_tail } else { log_tail };
    Report { code, signal, last_lines, summary, launch_failed }
}

#[tonic::async_trait]
impl ControlService for Control {
    type SuperviseStream = Pin<Box<dyn Stream<Item = Result<Command, Status>> + Send>>;

    async fn supervise(
        &self,
        request: Request<Streaming<Event>>,
    ) -> Result<Response<Self::SuperviseStream>, Status> {
        let from = request.remote_addr();
        let container = taskrunner::auth::check(request.metadata(), &self.inner.secret)
            .inspect_err(|status| tracing::warn!(?from, why = status.message(), "refused a taskrunner"))?;
        let mut events = request.into_inner();
        let hello = match tokio::time::timeout(HELLO_WAIT, events.message()).await {
            Ok(Ok(Some(Event { event: Some(Told::Hello(hello)) }))) => hello,
            Ok(Err(status)) => return Err(status),
            _ => return Err(Status::failed_precondition("the first event is no hello")),
        };
        if hello.protocol != taskrunner::auth::PROTOCOL {
            return Err(Status::failed_precondition(format!(
                "the taskrunner speaks control protocol {}, this heddle-am {}: they must be of one release",
                hello.protocol,
                taskrunner::auth::PROTOCOL
            )));
        }
        if hello.container_id != container {
            return Err(Status::invalid_argument("hello and metadata name different containers"));
        }
        let worker = Worker::new(container);
        let (number, outbox) = self.connected(&worker, hello.jvm_pid != 0);
        tokio::spawn(self.clone().read(worker, number, events));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(outbox))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskrunner::control::control_client::ControlClient;
    use taskrunner::control::{Hello, Started};

    async fn start() -> (Control, u16, mpsc::UnboundedReceiver<ControlEvent>) {
        let (sender, events) = mpsc::unbounded_channel();
        let control = Control::new(b"secret".to_vec(), move |event| drop(sender.send(event)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(control.clone().serve(
            listener,
            Attendance::refused(b"secret".to_vec()),
            Timeline::start(),
        ));
        (control, port, events)
    }

    async fn call(
        port: u16,
        secret: &[u8],
        jvm_pid: u32,
    ) -> Result<(mpsc::UnboundedSender<Event>, Streaming<Command>), Status> {
        let (sender, outgoing) = mpsc::unbounded_channel();
        let hello = Hello { protocol: 1, container_id: "c1".into(), host: "h".into(), jvm_pid };
        sender.send(Event { event: Some(Told::Hello(hello)) }).unwrap();
        let mut request = Request::new(UnboundedReceiverStream::new(outgoing));
        taskrunner::auth::put(request.metadata_mut(), secret, "c1").unwrap();
        let mut client = ControlClient::connect(format!("http://127.0.0.1:{port}")).await.unwrap();
        Ok((sender, client.supervise(request).await?.into_inner()))
    }

    #[tokio::test]
    async fn a_taskrunner_gets_its_order_and_its_report_arrives() {
        let (control, port, mut events) = start().await;
        let worker = Worker::new("c1");
        control.expect(worker.clone(), || Launch { main_class: "M".into(), ..Launch::default() });
        let (sender, mut commands) = call(port, b"secret", 0).await.unwrap();
        assert_eq!(
            events.recv().await,
            Some(ControlEvent::Connected { worker: worker.clone(), ordered: true })
        );
        let order = commands.message().await.unwrap().unwrap();
        assert!(matches!(order.command, Some(Order::Launch(launch)) if launch.main_class == "M"));
        sender.send(Event { event: Some(Told::Started(Started { jvm_pid: 9, at_unix_ms: 0 })) }).unwrap();
        assert_eq!(events.recv().await, Some(ControlEvent::Started { worker: worker.clone(), pid: 9 }));
        assert!(control.stop(&worker, Duration::from_secs(1), "enough"));
        let order = commands.message().await.unwrap().unwrap();
        assert!(matches!(order.command, Some(Order::Stop(Stop { grace_ms: 1000, .. }))));
        let exited = Exited { code: Some(0), summary: "done".into(), ..Exited::default() };
        sender.send(Event { event: Some(Told::Exited(exited)) }).unwrap();
        assert!(
            matches!(events.recv().await, Some(ControlEvent::Exited { report, .. }) if report.summary == "done")
        );
        drop(sender);
        assert!(commands.message().await.unwrap().is_none(), "our half ends when theirs does");
        assert_eq!(events.recv().await, Some(ControlEvent::Lost(worker.clone())));
        assert!(!control.stop(&worker, Duration::ZERO, ""));
        control.forget(&worker);
        assert!(control.peers().is_empty());
    }

    #[tokio::test]
    async fn a_taskrunner_whose_container_is_gone_may_hang_up_in_peace() {
        let (control, port, mut events) = start().await;
        let worker = Worker::new("c1");
        let (sender, mut commands) = call(port, b"secret", 5).await.unwrap();
        assert!(matches!(events.recv().await, Some(ControlEvent::Connected { .. })));
        control.stop(&worker, Duration::ZERO, "enough");
        control.forget(&worker);
        assert!(matches!(commands.message().await, Ok(Some(_))), "the stop still arrives");
        drop(sender);
        assert!(commands.message().await.unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(control.peers().is_empty() && events.try_recv().is_err());
    }

    #[tokio::test]
    async fn strangers_are_refused_and_a_second_connection_takes_over() {
        let (_control, port, mut events) = start().await;
        let status = call(port, b"other", 0).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
        let (first, mut first_commands) = call(port, b"secret", 5).await.unwrap();
        let connected = ControlEvent::Connected { worker: Worker::new("c1"), ordered: true };
        assert_eq!(events.recv().await, Some(connected.clone()));
        let (_second, _commands) = call(port, b"secret", 5).await.unwrap();
        assert_eq!(events.recv().await, Some(connected));
        assert!(first_commands.message().await.unwrap().is_none());
        drop(first);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(events.try_recv().is_err(), "the end of a replaced connection is no loss");
    }
}

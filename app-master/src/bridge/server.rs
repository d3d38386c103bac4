//! Listens on loopback for the JobManager, checks who it is, and carries lines both ways.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::message::{FromJvm, PROTOCOL, ToJvm, decode, encode};

/// How long `hello` may take to come.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// How long the JVM may take to read a line. One that takes longer is taken for dead.
const WRITE_WAIT: Duration = Duration::from_secs(60);
/// Longest line, bytes.
const MAX_LINE: u64 = 16 << 20;
/// Longest first line, which is read before the secret in it was checked.
const MAX_HELLO: u64 = 4096;

/// 32 random bytes that only our JVM knows. Never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(hex::encode(bytes))
    }

    /// For the JVM's environment.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes the same time wherever the first difference is.
    fn matches(&self, given: &str) -> bool {
        let differences = self.0.bytes().zip(given.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        self.0.len() == given.len() && differences == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What the bridge tells.
#[derive(Debug)]
pub enum BridgeEvent {
    /// A line, `hello` included; the connection is authenticated.
    Line(FromJvm),
    /// The authenticated connection ended.
    Closed(String),
}

/// The listener and the way to the connected JVM.
#[derive(Debug)]
pub struct Bridge {
    port: u16,
    lines: watch::Sender<Option<mpsc::UnboundedSender<ToJvm>>>,
    listening: AbortHandle,
}

impl Drop for Bridge {
    /// A JobManager that is started later has a bridge of its own.
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Bridge {
    /// Listens on a free port of 127.0.0.1; `events` are told in order.
    pub async fn start<F>(secret: Secret, events: F) -> io::Result<Self>
    where
        F: Fn(BridgeEvent) + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let lines = watch::Sender::new(None);
        let shared =
            Arc::new(Shared { secret, events, connected: AtomicBool::new(false), lines: lines.clone() });
        let listening = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(shared.clone().serve(stream))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection to the bridge");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(Self { port, lines, listening: listening.abort_handle() })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a line to the JVM; false when none is connected.
    pub fn send(&self, message: ToJvm) -> bool {
        self.lines.borrow().as_ref().is_some_and(|lines| lines.send(message).is_ok())
    }
}

struct Shared<F> {
    secret: Secret,
    events: F,
    connected: AtomicBool,
    lines: watch::Sender<Option<mpsc::UnboundedSender<ToJvm>>>,
}

impl<F: Fn(BridgeEvent) + Send + Sync> Shared<F> {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY on the bridge");
        }
        let (read, write) = stream.into_split();
        let mut read = BufReader::new(read);
        let hello = match tokio::time::timeout(HELLO_WAIT, next_line(&mut read, MAX_HELLO)).await {
            Ok(Ok(Some(hello))) => hello,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return tracing::warn!(error, "refused a connection to the bridge"),
            Err(_) => return tracing::warn!("refused a connection to the bridge: it says nothing"),
        };
        match &hello {
            FromJvm::Hello { secret, .. } if !self.secret.matches(secret) => {
                return tracing::warn!("refused a connection to the bridge: wrong secret");
            }
            FromJvm::Hello { protocol, .. } if *protocol != PROTOCOL => {
                return tracing::error!(
                    "refused the JobManager: its bridge speaks protocol {protocol}, this heddle-am {}; \
                     flink-bridge.jar and heddle-am must be of one release",
                    PROTOCOL
                );
            }
            FromJvm::Hello { .. } => {}
            _ => return tracing::warn!("refused a connection to the bridge: its first line is no hello"),
        }
        if self.connected.swap(true, Ordering::AcqRel) {
            return tracing::warn!("refused a second connection of the JobManager to the bridge");
        }
        let (lines, outbox) = mpsc::unbounded_channel();
        self.lines.send_replace(Some(lines));
        (self.events)(BridgeEvent::Line(hello));
        let writer = tokio::spawn(write_lines(write, outbox));
        let why = loop {
            match next_line(&mut read, MAX_LINE).await {
                Ok(Some(message)) => (self.events)(BridgeEvent::Line(message)),
                Ok(None) => break "the JobManager closed the connection".to_owned(),
                Err(error) => break error,
            }
        };
        self.lines.send_replace(None);
        writer.abort();
        self.connected.store(false, Ordering::Release);
        (self.events)(BridgeEvent::Closed(why));
    }
}

/// The next line that is not empty; none at the end.
async fn next_line(read: &mut BufReader<OwnedReadHalf>, limit: u64) -> Result<Option<FromJvm>, String> {
    loop {
        let mut line = String::new();
        let length = (&mut *read).take(limit).read_line(&mut line).await;
        match length.map_err(|error| format!("cannot read from the JobManager: {error}"))? {
            0 => return Ok(None),
            length if length as u64 == limit && !line.ends_with('\n') => {
                return Err(format!("a line of the JobManager is longer than {limit} bytes"));
            }
            _ if line.trim().is_empty() => {}
            _ => return decode(&line).map(Some).map_err(|error| error.to_string()),
        }
    }
}

async fn write_lines(mut write: OwnedWriteHalf, mut outbox: mpsc::UnboundedReceiver<ToJvm>) {
    while let Some(message) = outbox.recv().await {
        let line = match encode(&message) {
            Ok(line) => line + "\n",
            Err(error) => {
                tracing::error!(%error, "cannot encode a message to the JobManager");
                continue;
            }
        };
        let written = tokio::time::timeout(WRITE_WAIT, write.write_all(line.as_bytes())).await;
        if !matches!(written, Ok(Ok(()))) {
            // The reading side notices the end, too; closing ours makes sure of it.
            tracing::warn!("the JobManager takes no more messages");
            if let Err(error) = write.shutdown().await {
                tracing::debug!(%error, "cannot close the bridge");
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn start() -> (Bridge, Secret, mpsc::UnboundedReceiver<BridgeEvent>) {
        let (sender, events) = mpsc::unbounded_channel();
        let secret = Secret::random();
        let tell = move |event| drop(sender.send(event));
        (Bridge::start(secret.clone(), tell).await.unwrap(), secret, events)
    }

    fn hello(secret: &str, protocol: u32) -> String {
        format!(
            "{{\"type\":\"hello\",\"secret\":\"{secret}\",\"protocol\":{protocol},\"flink\":\"x\",\"pid\":1}}\n"
        )
    }

    async fn connect(bridge: &Bridge, first: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", bridge.port())).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        BufReader::new(stream)
    }

    #[tokio::test]
    async fn lines_go_both_ways_and_the_end_is_told() {
        let (bridge, secret, mut events) = start().await;
        assert!(!bridge.send(ToJvm::Deregistered));
        let mut jvm = connect(&bridge, &hello(secret.reveal(), 1)).await;
        assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Hello { .. }))));
        jvm.write_all(b"{\"type\":\"cancel\",\"id\":5}\n\n{\"type\":\"new\"}\n").await.unwrap();
        assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Cancel { id: 5 }))));
        assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Unknown))));
        assert!(bridge.send(ToJvm::Failed { id: 5, reason: "no".into() }));
        let mut line = String::new();
        jvm.read_line(&mut line).await.unwrap();
        assert_eq!(line, "{\"type\":\"failed\",\"id\":5,\"reason\":\"no\"}\n");
        drop(jvm);
        assert!(matches!(events.recv().await, Some(BridgeEvent::Closed(_))));
        assert!(!bridge.send(ToJvm::Deregistered));
    }

    #[tokio::test]
    async fn strangers_and_a_second_jvm_are_refused() {
        let (bridge, secret, mut events) = start().await;
        let wrong = "0".repeat(64);
        for first in
            [hello(&wrong, 1), hello("", 1), "{\"type\":\"cancel\",\"id\":1}\n".into(), "GET /\r\n".into()]
        {
            let mut line = String::new();
            let read = connect(&bridge, &first).await.read_line(&mut line).await;
            assert!(matches!(read, Ok(0) | Err(_)), "{first}");
        }
        let _jvm = connect(&bridge, &hello(secret.reveal(), 1)).await;
        assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Hello { .. }))));
        let mut line = String::new();
        let read = connect(&bridge, &hello(secret.reveal(), 1)).await.read_line(&mut line).await;
        assert!(matches!(read, Ok(0) | Err(_)));
        assert!(events.try_recv().is_err());
    }

    #[tokio::test]
    async fn another_protocol_and_an_endless_line_are_refused() {
        let (bridge, secret, mut events) = start().await;
        for first in [hello(secret.reveal(), 2), "x".repeat(10_000)] {
            let mut line = String::new();
            let read = connect(&bridge, &first).await.read_line(&mut line).await;
            assert!(matches!(read, Ok(0) | Err(_)));
        }
        assert!(events.try_recv().is_err());
    }
}

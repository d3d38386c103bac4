//! The control server's port: encrypted links of taskrunners, and gRPC for the client.
//!
//! Anybody can connect. So until a caller has proved who it is, its connection costs little, has seconds to
//! go on, and is one of a bounded number ([`super::gate`]).

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use taskrunner::tls::{AcceptError, Purpose, Secured, ServerStream, TlsServer};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;

use super::Control;
use super::gate::{Gate, Limits, Slot};
use super::grpc::{self, Stream};
use super::pace::{Pace, Rate};
use super::refusals::{EVERY, Refusals};
use crate::clock;
use crate::cluster_service::ClusterService;
use crate::submission::service::SubmissionService;

/// How long a connection may take to be encrypted.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// How many connections may be without a proof. A caller that is honest needs milliseconds for its proof, so
/// it is spared for longer than that, and not for so long that strangers can keep all places by coming again
/// and again. One whose first message has not come as a whole costs a kilobyte.
const UNPROVED: Limits = Limits { all: 1024, address: 384, spared: Duration::from_millis(100) };
/// How many of those whose first message has come may be without a proof; they are not among the others any
/// more. One of them costs up to 20 KiB.
const UNPROVED_TLS: usize = 512;
/// The same of those that speak HTTP/2, which cost more. Of honest callers there is one at a time.
const UNPROVED_GRPC: Limits = Limits { all: 64, address: 16, spared: Duration::ZERO };
/// How many handshakes an address may begin. Each costs a fifth of a millisecond of a processor, so an
/// address that makes them in a loop takes a twentieth of one. A node has as many honest callers as it has
/// containers, several hundred on a large one, and all of them may come within a second: when they are
/// started, when an ApplicationMaster is replaced, or after the network was away. So a thousand may pass
/// within a moment. A taskrunner that is turned away tries again, first after some tenths of a second and
/// later every few seconds.
const HANDSHAKES: Rate = Rate { burst: 1024, each: Duration::from_micros(1_000_000 / 256) };
/// Pause after a connection that could not be accepted, as a rule because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// The header of a message of TLS, which ends with the length of the rest (RFC 8446, 5.1).
const HEADER: usize = 5;
/// The kind of the message with which a caller begins.
const HANDSHAKE: u8 = 22;
/// The most bytes of the rest of this message. That of our own callers has less than two thousand, also with
/// the larger keys of post-quantum cryptography.
const LONGEST: u64 = 4096;
/// The first pause before it is looked whether the message has come as a whole, which is doubled each time,
/// and the longest one.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));
/// A gRPC client that answers no ping for so long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// gRPC connections that may wait for their server.
const WAITING: usize = 16;
/// Calls at the same time on one connection; the client makes one.
const CALLS: u32 = 4;
/// The most bytes that may be under way to us on a connection, and that headers may have.
const WINDOW: u32 = (1 << 16) - 1;
const HEADERS: u32 = 1 << 13;
/// Calls that a caller may begin and reset before they are served.
const RESETS: usize = 8;

/// The control server does not run, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificate or its private key.
    #[error("the key of the control server cannot be used: {0}")]
    Key(String),
    /// The server of gRPC has ended.
    #[error(transparent)]
    Grpc(#[from] tonic::transport::Error),
}

/// Why a connection is not encrypted.
#[derive(Debug, thiserror::Error)]
enum NotEncrypted {
    /// The handshake.
    #[error(transparent)]
    Tls(#[from] AcceptError),
    /// Its address makes too many handshakes.
    #[error("its address makes too many TLS handshakes")]
    TooOften,
    /// There are enough of those that speak TLS.
    #[error("too many connections have begun to speak TLS and have not proved who they are")]
    TooMany,
    /// Another connection has its place.
    #[error("others need its place, and it has not proved who it is")]
    PutOut,
}

/// What all connections share.
#[derive(Clone)]
struct Doors {
    control: Control,
    tls: TlsServer,
    unproved: Gate,
    unproved_tls: Gate,
    unproved_grpc: Gate,
    handshakes: Pace,
    refusals: Refusals,
    grpc: mpsc::Sender<Stream>,
}

impl Control {
    /// Serves until the process ends.
    pub async fn serve(
        self,
        listener: TcpListener,
        submission: SubmissionService,
        cluster: ClusterService,
    ) -> Result<(), ServeError> {
        self.serve_at(HANDSHAKES, listener, submission, cluster).await
    }

    /// Serves addresses that may begin so many handshakes.
    pub(super) async fn serve_at(
        self,
        handshakes: Rate,
        listener: TcpListener,
        submission: SubmissionService,
        cluster: ClusterService,
    ) -> Result<(), ServeError> {
        let keys = self.inner.keys.clone();
        let tls = TlsServer::new(&keys).map_err(|error| ServeError::Key(error.to_string()))?;
        let (grpc, connections) = mpsc::channel(WAITING);
        let refusals = Refusals::default();
        let refused = refusals.clone();
        let authenticate = move |request: Request<()>| grpc::authenticate(request, &keys, &refused);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .max_concurrent_streams(CALLS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(HEADERS)
            .http2_max_pending_accept_reset_streams(Some(RESETS))
            .layer(InterceptorLayer::new(authenticate))
            .add_service(cluster.service())
            .add_service(submission.service())
            .serve_with_incoming(ReceiverStream::new(connections).map(Ok::<_, Infallible>));
        let (silent, speaking) = unproved(open_files());
        let doors = Doors {
            control: self,
            tls,
            unproved: Gate::new(silent),
            unproved_tls: Gate::new(speaking),
            unproved_grpc: Gate::new(UNPROVED_GRPC),
            handshakes: Pace::new(handshakes),
            refusals,
            grpc,
        };
        tokio::select! {
            result = server => Ok(result?),
            never = doors.accept(listener) => match never {},
        }
    }
}

/// How many files this process may have open, after that was raised as far as the system lets it: a thousand
/// links need more than the thousand that many systems begin with.
fn open_files() -> Option<u64> {
    const ENOUGH: u64 = 1 << 16;
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if limit.current.is_some_and(|current| current < most) {
        let before = limit.current;
        limit.current = Some(most);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::info!(%error, "the limit of open files stays as it is");
            return before;
        }
    }
    limit.current
}

/// As many as [`UNPROVED`] and [`UNPROVED_TLS`], but together no more than a quarter of the files that this
/// process may have open: it needs some for links, and to speak with YARN.
fn unproved(files: Option<u64>) -> (Limits, Limits) {
    let quarter = files.map_or(usize::MAX, |files| usize::try_from(files / 4).unwrap_or(usize::MAX));
    let limits = |all: usize| Limits { all, address: UNPROVED.address.min(all / 4 * 3), ..UNPROVED };
    (limits(UNPROVED.all.min(quarter / 3 * 2)), limits(UNPROVED_TLS.min(quarter / 3)))
}

impl Doors {
    async fn accept(self, listener: TcpListener) -> Infallible {
        let mut times = interval(EVERY);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = times.tick() => {
                    self.refusals.time_over();
                    continue;
                }
            };
            match accepted {
                Ok((stream, from)) => match self.unproved.enter(from.ip(), clock::now()) {
                    Some(slot) => drop(tokio::spawn(self.clone().dispatch(stream, from, slot))),
                    None => self.refusals.add(from, &"too many connections have not proved who they are"),
                },
                Err(error) => {
                    self.refusals.add("unknown", &format!("it cannot be taken: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection, as a link or by the gRPC server.
    async fn dispatch(self, stream: TcpStream, from: SocketAddr, slot: Slot) {
        let handshake = timeout(HANDSHAKE_WAIT, self.encrypt(stream, from, slot));
        let (purpose, secured, slot) = match handshake.await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(NotEncrypted::Tls(AcceptError::Io(error))))
                if error.kind() == ErrorKind::UnexpectedEof =>
            {
                return tracing::debug!(%from, "a connection ended before it was encrypted");
            }
            Ok(Err(error)) => return self.refusals.add(from, &error),
            Err(_) => return self.refusals.add(from, &"it did not speak TLS in time"),
        };
        match purpose {
            // A link lives for hours, and a large cluster has a thousand of them. A task of its own does not
            // hold the memory of what was needed up to here.
            Purpose::Link => {
                let Self { control, refusals, .. } = self;
                drop(tokio::spawn(control.link(secured, from, slot, refusals)));
            }
            Purpose::Grpc => match self.unproved_grpc.enter(from.ip(), clock::now()) {
                // This fails only when the gRPC server has ended; the process ends with it.
                Some(slot) => drop(self.grpc.send(Stream::new(secured, from, slot)).await),
                None => self.refusals.add(from, &"too many clients have not proved who they are"),
            },
        }
    }

    /// Nothing is kept for TLS before the first message has come as a whole; then the connection has a place
    /// among those that speak TLS, in exchange for `slot`.
    async fn encrypt(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        slot: Slot,
    ) -> Result<(Purpose, Secured<ServerStream>, Slot), NotEncrypted> {
        let first = slot.put_out().run_until_cancelled_owned(first_message(&stream)).await;
        first.ok_or(NotEncrypted::PutOut)??;
        let exchanged = self.unproved_tls.enter(from.ip(), clock::now()).ok_or(NotEncrypted::TooMany)?;
        drop(slot);
        let slot = exchanged;
        if !self.handshakes.begins(from.ip(), clock::now()) {
            return Err(NotEncrypted::TooOften);
        }
        let accepted = slot.put_out().run_until_cancelled_owned(self.tls.accept(stream)).await;
        let (purpose, secured) = accepted.ok_or(NotEncrypted::PutOut)??;
        Ok((purpose, secured, slot))
    }
}

/// Waits until the first message has come as a whole, and leaves it where it is.
async fn first_message(stream: &TcpStream) -> Result<(), AcceptError> {
    stream.set_nodelay(true).map_err(AcceptError::Io)?;
    match until_whole(stream).await.map_err(AcceptError::Io)? {
        true => Ok(()),
        false => Err(AcceptError::Plain),
    }
}

/// As [`first_message`]; false if the message is not one of TLS.
async fn until_whole(stream: &TcpStream) -> std::io::Result<bool> {
    let (mut pause, longest) = LOOKS;
    loop {
        let mut header = [0; HEADER];
        // To wait until the stream is readable is not enough, because that may end without a byte.
        let begun = match stream.peek(&mut header).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => header.get(..count).unwrap_or_default(),
        };
        match arrived(begun, rustix::io::ioctl_fionread(stream)?) {
            Arrived::Whole => return Ok(true),
            Arrived::Plain => return Ok(false),
            Arrived::TooLong => {
                let why = format!("its first message has more than {LONGEST} bytes");
                return Err(std::io::Error::new(ErrorKind::InvalidData, why));
            }
            Arrived::Part if stream.ready(Interest::READABLE).await?.is_read_closed() => {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            Arrived::Part => sleep(pause).await,
        }
        pause = (pause * 2).min(longest);
    }
}

/// How much of the first message has come.
#[derive(Debug, PartialEq)]
enum Arrived {
    Part,
    Whole,
    /// It is not a message of TLS.
    Plain,
    TooLong,
}

/// `begun`: the bytes of the header that have come; `count`: the number of all bytes that have come.
fn arrived(begun: &[u8], count: u64) -> Arrived {
    match *begun {
        [kind, ..] if kind != HANDSHAKE => Arrived::Plain,
        [_, _, _, high, low] => {
            let rest = u64::from(u16::from_be_bytes([high, low]));
            match rest {
                _ if rest > LONGEST => Arrived::TooLong,
                _ if count < HEADER as u64 + rest => Arrived::Part,
                _ => Arrived::Whole,
            }
        }
        _ => Arrived::Part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_waited_for() {
        let begun = [HANDSHAKE, 3, 1, 1, 2];
        for (header, count, expected) in [
            (&begun[..1], 1, Arrived::Part),
            (&begun[..4], 4, Arrived::Part),
            (&begun, 5, Arrived::Part),
            (&begun, 5 + 257, Arrived::Part),
            (&begun, 5 + 258, Arrived::Whole),
            (&begun, 9000, Arrived::Whole),
            (&[HANDSHAKE, 3, 1, 16, 1], 5, Arrived::TooLong),
            (b"GET /", 5, Arrived::Plain),
            (b"G", 1, Arrived::Plain),
        ] {
            assert_eq!(arrived(header, count), expected, "{header:?} {count}");
        }
    }

    #[test]
    fn few_files_are_not_all_for_strangers() {
        let limits = |files| {
            let (silent, speaking) = unproved(files);
            [silent, speaking].map(|Limits { all, address, .. }| (all, address))
        };
        assert_eq!(limits(None), [(1024, 384), (512, 384)]);
        assert_eq!(limits(Some(1 << 20)), [(1024, 384), (512, 384)]);
        assert_eq!(limits(Some(1024)), [(170, 126), (85, 63)]);
    }
}

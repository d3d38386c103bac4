//! One connection to a server: its handshake, and then many calls at the same time.
//!
//! A single task owns the socket. In this task, one part reads and another part writes at the same time. When
//! one of them ends, the connection has ended, and every call that still waits fails at once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::credentials::Token;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Sent};
use crate::frame::{self, FrameReader, NO_CALL_ID, SASL_CALL_ID, take_message};
use crate::options::ClientOptions;
use crate::proto::rpc_response_header::Status;
use crate::proto::{IpcConnectionContext, RpcResponseHeader, RpcSasl, UserInformation};
use crate::protocol::Protocol;
use crate::remote::RemoteException;
use crate::sasl::{AuthPolicy, Authenticated, KerberosProblem, Negotiation, Next, SecurityLayer, Wrap};

/// How many requests may wait to be written; further callers wait until there is room.
const QUEUE: usize = 64;
/// Small requests are gathered up to this size, in bytes, and written at once.
const GATHER: usize = 64 << 10;
/// How long the client still reads after a write has failed. The server may have sent an error before it
/// closed the connection; it comes at once, or never.
const LAST_WORDS: Duration = Duration::from_millis(300);

pub(crate) struct Connection {
    queue: mpsc::Sender<Request>,
    calls: Arc<Calls>,
    /// The token with which the connection was authenticated, if one was used.
    token: Option<Token>,
}

struct Request {
    id: i32,
    frame: Bytes,
}

/// The calls that wait for answers, by id.
#[derive(Default)]
struct Calls {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    waiting: HashMap<i32, Waiting>,
    /// Why there will be no more answers; it is set once.
    end: Option<ErrorKind>,
    last_answer: Option<Instant>,
    /// Whether new calls have to use another connection.
    retired: bool,
}

struct Waiting {
    reply: oneshot::Sender<Result<Bytes, ErrorKind>>,
    sent: Arc<AtomicBool>,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a request as one that may have been sent. `false` if nobody waits for its answer any more.
    fn begin_send(&self, id: i32) -> bool {
        match self.lock().waiting.get(&id) {
            Some(waiting) => {
                waiting.sent.store(true, Ordering::Release);
                true
            }
            None => false,
        }
    }

    fn waits(&self, id: i32) -> bool {
        self.lock().waiting.contains_key(&id)
    }

    fn answer(&self, id: i32, result: Result<Bytes, ErrorKind>) {
        let waiting = {
            let mut table = self.lock();
            table.last_answer = Some(Instant::now());
            table.waiting.remove(&id)
        };
        match waiting {
            // The caller may have given up at this moment; then nobody needs the answer.
            Some(waiting) => drop(waiting.reply.send(result)),
            None => tracing::debug!(id, "an answer came for a call that no longer waits"),
        }
    }

    fn end(&self, why: &ErrorKind) {
        let waiting = {
            let mut table = self.lock();
            table.end.get_or_insert_with(|| why.clone());
            std::mem::take(&mut table.waiting)
        };
        for (_, call) in waiting {
            let sent = if call.sent.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No };
            drop(call.reply.send(Err(for_call(why, sent))));
        }
    }
}

/// What the end of a connection means for one call.
fn for_call(why: &ErrorKind, sent: Sent) -> ErrorKind {
    match why {
        ErrorKind::Disconnected { cause, .. } => ErrorKind::Disconnected { cause: cause.clone(), sent },
        other => other.clone(),
    }
}

/// Takes a call out of the table when the future of the call is dropped.
struct Registered<'a> {
    calls: &'a Calls,
    id: i32,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.calls.lock().waiting.remove(&self.id);
    }
}

impl Connection {
    /// Connects, authenticates, and starts the task that owns the socket.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        protocol: Protocol,
        options: &ClientOptions,
        client_id: &[u8],
    ) -> Result<Self, ErrorKind> {
        let (stream, peer) = connect(endpoint, options.connect_timeout).await?;
        let after = options.connect_timeout;
        let blocked = AtomicBool::new(false);
        let shake = handshake(stream, peer, endpoint, protocol, options, client_id, &blocked);
        let late = |_| match blocked.load(Ordering::Acquire) {
            true => ErrorKind::Kerberos {
                problem: KerberosProblem::KdcUnreachable,
                why: format!("no KDC has answered within {} s", after.as_secs_f64()),
            },
            false => ErrorKind::HandshakeTimeout(after),
        };
        let shaken = timeout(after, shake).await.map_err(late)??;
        tracing::debug!(%endpoint, %peer, protocol = protocol.name, auth = shaken.how, "connected");

        let calls = Arc::new(Calls::default());
        let (queue, requests) = mpsc::channel(QUEUE);
        let Shaken { reader, writer, wrap, token, .. } = shaken;
        let shared = calls.clone();
        let name = endpoint.clone();
        tokio::spawn(async move {
            let why = run(reader, writer, wrap, requests, &shared).await;
            tracing::debug!(endpoint = %name, %why, "disconnected");
            shared.end(&why);
        });
        Ok(Self { queue, calls, token })
    }

    /// Whether new calls may use the connection. `wanted` says whether the token of the connection is still
    /// one that a new connection may use.
    pub(crate) fn usable(&self, wanted: impl FnOnce(&Token) -> bool) -> bool {
        let table = self.calls.lock();
        table.end.is_none() && !table.retired && self.token.as_ref().is_none_or(wanted)
    }

    /// Makes new calls use another connection if no answer has come on this one since `since`: it may be
    /// broken.
    pub(crate) fn suspect(&self, since: Instant) {
        let mut table = self.calls.lock();
        table.retired |= table.last_answer.is_none_or(|at| at < since);
    }

    pub(crate) fn retire(&self) {
        self.calls.lock().retired = true;
    }

    /// Sends a request and waits for the body of its answer. `sent` says whether the request may have been
    /// sent, also after the future was dropped.
    pub(crate) async fn call(
        &self,
        id: i32,
        frame: Bytes,
        sent: &Arc<AtomicBool>,
    ) -> Result<Bytes, ErrorKind> {
        let (reply, answer) = oneshot::channel();
        {
            let mut table = self.calls.lock();
            if let Some(why) = &table.end {
                return Err(not_sent(why));
            }
            table.waiting.insert(id, Waiting { reply, sent: sent.clone() });
        }
        let _registered = Registered { calls: &self.calls, id };
        // If the task has ended, it has answered all calls in the table, including this one.
        drop(self.queue.send(Request { id, frame }).await);
        answer.await.unwrap_or_else(|_| Err(ErrorKind::Closed))
    }
}

/// A call that came too late for a connection was not sent, whatever ended the connection.
fn not_sent(why: &ErrorKind) -> ErrorKind {
    match why {
        ErrorKind::Disconnected { cause, .. } => {
            ErrorKind::Disconnected { cause: cause.clone(), sent: Sent::No }
        }
        other => ErrorKind::Disconnected { cause: other.to_string(), sent: Sent::No },
    }
}

async fn run(
    mut reader: FrameReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    mut wrap: Option<Box<dyn Wrap>>,
    mut requests: mpsc::Receiver<Request>,
    calls: &Calls,
) -> ErrorKind {
    let read = read(&mut reader, calls);
    let write = write(&mut writer, wrap.as_deref_mut(), &mut requests, calls);
    tokio::pin!(read, write);
    tokio::select! {
        why = &mut read => why,
        ended = &mut write => match ended {
            None => ErrorKind::Closed,
            Some(why) => timeout(LAST_WORDS, read).await.unwrap_or(why),
        },
    }
}

/// Writes requests until that fails, or until no client needs the connection any more (`None`).
async fn write(
    writer: &mut OwnedWriteHalf,
    mut wrap: Option<&mut (dyn Wrap + 'static)>,
    requests: &mut mpsc::Receiver<Request>,
    calls: &Calls,
) -> Option<ErrorKind> {
    let mut out = BytesMut::new();
    loop {
        let mut next = Some(requests.recv().await?);
        out.clear();
        while let Some(request) = next {
            if calls.begin_send(request.id)
                && let Err(why) = frame::protect(&request.frame, wrap.as_deref_mut(), &mut out)
            {
                return Some(why);
            }
            next = if out.len() < GATHER { requests.try_recv().ok() } else { None };
        }
        if let Err(e) = writer.write_all(&out).await {
            return Some(frame::disconnected(format!("cannot send: {e}")));
        }
        if out.capacity() > 4 * GATHER {
            out = BytesMut::new();
        }
    }
}

async fn read(reader: &mut FrameReader<OwnedReadHalf>, calls: &Calls) -> ErrorKind {
    loop {
        let step = reader.next().await.and_then(|mut frame| {
            let header: RpcResponseHeader = take_message(&mut frame, "header")?;
            Ok((header, frame))
        });
        let (header, body) = match step {
            Ok(ok) => ok,
            Err(why) => return why,
        };
        let id = header.call_id.cast_signed();
        match header.status() {
            Status::Success => calls.answer(id, Ok(body)),
            Status::Error if id != NO_CALL_ID => calls.answer(id, Err(remote(header, false))),
            Status::Fatal if calls.waits(id) => {
                let why = remote(header, true);
                let end = frame::disconnected(format!("the server closed it over another call: {why}"));
                calls.answer(id, Err(why));
                return end;
            }
            // The error concerns the connection as a whole, and the server closes the connection.
            Status::Error | Status::Fatal => return remote(header, true),
        }
    }
}

fn remote(header: RpcResponseHeader, fatal: bool) -> ErrorKind {
    let class = header.exception_class_name.unwrap_or_default();
    ErrorKind::Remote(RemoteException::new(class, header.error_msg.unwrap_or_default(), fatal))
}

/// Resolves the name and tries its addresses in turn, all within `limit`.
async fn connect(endpoint: &Endpoint, limit: Duration) -> Result<(TcpStream, SocketAddr), ErrorKind> {
    let deadline = Instant::now() + limit;
    #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
    let lookup = tokio::net::lookup_host((endpoint.host(), endpoint.port()));
    let addresses: Vec<SocketAddr> = tokio::time::timeout_at(deadline, lookup)
        .await
        .map_err(|_| ErrorKind::ConnectTimeout(limit))?
        .map_err(|e| ErrorKind::Resolve(Arc::new(e)))?
        .collect();
    let mut refused = None;
    for (i, address) in addresses.iter().enumerate() {
        // One address that does not answer at all must not use up the time of the others.
        let left = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
        let connecting = TcpStream::connect(address);
        match timeout(share, connecting).await {
            Ok(Ok(stream)) => {
                // Requests are small and callers wait for the answers, so no request may be held back to be
                // sent with later ones.
                if let Err(e) = stream.set_nodelay(true) {
                    tracing::debug!(%endpoint, "cannot set TCP_NODELAY: {e}");
                }
                return Ok((stream, *address));
            }
            Ok(Err(e)) => refused = Some(e),
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(e) => ErrorKind::Connect(Arc::new(e)),
        None if addresses.is_empty() => ErrorKind::Resolve(Arc::new(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "it has no address",
        ))),
        None => ErrorKind::ConnectTimeout(limit),
    })
}

struct Shaken {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    wrap: Option<Box<dyn Wrap>>,
    token: Option<Token>,
    how: &'static str,
}

async fn handshake(
    stream: TcpStream,
    peer: SocketAddr,
    endpoint: &Endpoint,
    protocol: Protocol,
    options: &ClientOptions,
    client_id: &[u8],
    blocked: &AtomicBool,
) -> Result<Shaken, ErrorKind> {
    let (read, mut writer) = stream.into_split();
    let mut reader = FrameReader::new(read, options.max_frame);
    let mut out = BytesMut::new();
    let authenticated = match &options.auth {
        AuthPolicy::Simple => {
            out.extend_from_slice(&frame::preamble(false));
            Authenticated::simple()
        }
        AuthPolicy::Sasl(methods) => {
            let tokens = options.login.tokens().get();
            let mut sasl = Negotiation::new(methods, tokens, &options.protection, endpoint, peer);
            out.extend_from_slice(&frame::preamble(true));
            out.extend_from_slice(&frame::sasl_frame(&sasl.start())?);
            loop {
                send(&mut writer, &mut reader, &out).await?;
                out.clear();
                let message = sasl_answer(&mut reader).await?;
                let next;
                (sasl, next) = step(sasl, message, blocked).await?;
                match next {
                    Next::Send(message) => out.extend_from_slice(&frame::sasl_frame(&message)?),
                    Next::Done(last, authenticated) => {
                        if let Some(message) = last {
                            out.extend_from_slice(&frame::sasl_frame(&message)?);
                        }
                        break authenticated;
                    }
                }
            }
        }
    };
    let context = IpcConnectionContext {
        user_info: user_info(&authenticated, options),
        protocol: Some(protocol.name.to_owned()),
    };
    let context = frame::context_frame(&context, client_id)?;
    let (mut wrap, unwrap) = match authenticated.layer {
        Some(SecurityLayer { wrap, unwrap }) => (Some(wrap), Some(unwrap)),
        None => (None, None),
    };
    frame::protect(&context, wrap.as_deref_mut(), &mut out)?;
    send(&mut writer, &mut reader, &out).await?;
    reader.protect(unwrap);
    Ok(Shaken { reader, writer, wrap, token: authenticated.token, how: authenticated.how })
}

/// Hands an answer of the server to the negotiation. If that may block, it does so in a thread of its own,
/// and `blocked` is set meanwhile. The thread is none of the runtime's, for whose threads a program waits at
/// its end: a call of the Kerberos library that waits for a KDC cannot be ended.
async fn step(
    mut sasl: Negotiation,
    message: RpcSasl,
    blocked: &AtomicBool,
) -> Result<(Negotiation, Next), ErrorKind> {
    if !sasl.may_block() {
        let next = sasl.step(message)?;
        return Ok((sasl, next));
    }
    let ended = |why: String| ErrorKind::Auth(format!("the thread for it: {why}"));
    let (done, wait) = oneshot::channel();
    blocked.store(true, Ordering::Release);
    let work = move || {
        let next = sasl.step(message);
        // If nobody waits any more, the connection was given up.
        drop(done.send((sasl, next)));
    };
    std::thread::Builder::new().name("sasl".into()).spawn(work).map_err(|e| ended(e.to_string()))?;
    let (sasl, next) = wait.await.map_err(|e| ended(e.to_string()))?;
    blocked.store(false, Ordering::Release);
    Ok((sasl, next?))
}

/// The user whom the connection's context names. It leaves out what the server knows already from the
/// authentication: with a mechanism such as Kerberos, a name other than the full principal would be taken for
/// somebody whom the user impersonates.
fn user_info(authenticated: &Authenticated, options: &ClientOptions) -> Option<UserInformation> {
    let user = options.login.user();
    match authenticated.how {
        "TOKEN" => None,
        "SIMPLE" => Some(UserInformation {
            effective_user: Some(user.effective.clone()),
            real_user: user.real.clone(),
        }),
        _ => user
            .real
            .as_ref()
            .map(|_| UserInformation { effective_user: Some(user.effective.clone()), real_user: None }),
    }
}

async fn send(
    writer: &mut OwnedWriteHalf,
    reader: &mut FrameReader<OwnedReadHalf>,
    bytes: &[u8],
) -> Result<(), ErrorKind> {
    let Err(e) = writer.write_all(bytes).await else { return Ok(()) };
    // The server may have sent the reason before it closed the connection.
    match timeout(LAST_WORDS, sasl_answer(reader)).await {
        Ok(Err(why @ ErrorKind::Remote(_))) => Err(why),
        _ => Err(ErrorKind::Disconnected { cause: format!("cannot send: {e}"), sent: Sent::No }),
    }
}

async fn sasl_answer(reader: &mut FrameReader<OwnedReadHalf>) -> Result<RpcSasl, ErrorKind> {
    let mut frame = reader.next().await.map_err(|e| match e {
        ErrorKind::Disconnected { cause, .. } => {
            ErrorKind::Disconnected { cause: format!("during authentication {cause}"), sent: Sent::No }
        }
        other => other,
    })?;
    let header: RpcResponseHeader = take_message(&mut frame, "header")?;
    match (header.status(), header.call_id.cast_signed()) {
        (Status::Success, SASL_CALL_ID) => take_message(&mut frame, "SASL message"),
        (Status::Success, id) => {
            Err(ErrorKind::Malformed(format!("answer to call {id} during authentication")))
        }
        (Status::Error | Status::Fatal, _) => Err(remote(header, true)),
    }
}

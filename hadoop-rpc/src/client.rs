//! The client of one server address.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use tokio::time::{Instant, timeout_at};

use crate::conn::Connection;
use crate::credentials::{Token, TokenSource};
use crate::error::{ErrorKind, RpcError, Sent};
use crate::frame;
use crate::proto;
use crate::sasl::{AuthPolicy, Protection};
use crate::user::UserIdentity;

/// The Java interface that is called, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// Fully qualified name: `org.apache.hadoop.hdfs.protocol.ClientProtocol`.
    pub name: &'static str,
    /// Version, nearly always 1.
    pub version: u64,
}

/// Where a server listens. The name is resolved anew for each connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// A host name or an IP address (IPv6 without brackets), and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Host name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text that is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a server address: {why}")]
pub struct EndpointError {
    text: String,
    why: &'static str,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let err = |why| EndpointError { text: text.into(), why };
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(|| err("expected host:port"))?;
        let port = port.parse().map_err(|_| err("the port is not a number from 0 to 65535"))?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(err("the host is missing or has characters that a host cannot have"));
        }
        Ok(Self::new(host, port))
    }
}

/// How a client connects and calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Who calls.
    pub user: UserIdentity,
    /// How connections authenticate.
    pub auth: AuthPolicy,
    /// Tokens; may be replaced while the client lives.
    pub tokens: TokenSource,
    /// Protection of messages after SASL that is acceptable, best liked first (`hadoop.rpc.protection`).
    pub protection: Vec<Protection>,
    /// Deadline of a call, the time to connect included, unless the call says otherwise.
    pub deadline: Duration,
    /// Bound for resolving and connecting.
    pub connect_timeout: Duration,
    /// Largest message accepted from the server, in bytes.
    pub max_frame: usize,
}

impl ClientOptions {
    /// Simple authentication as `user`, no tokens, 30 s per call, 10 s to connect, 64 MiB per message.
    pub fn simple(user: UserIdentity) -> Self {
        Self {
            user,
            auth: AuthPolicy::Simple,
            tokens: TokenSource::default(),
            protection: Protection::ALL.to_vec(),
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_frame: 64 << 20,
        }
    }

    /// The same with another way to authenticate and its tokens.
    pub fn with_auth(self, auth: AuthPolicy, tokens: TokenSource) -> Self {
        Self { auth, tokens, ..self }
    }
}

/// What one call wants otherwise than its client's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// Deadline of each try; `None`: the client's.
    pub deadline: Option<Duration>,
    /// Executing the call twice does no harm, so it may be repeated after an uncertain end.
    pub idempotent: bool,
}

/// Calls to one protocol at one address over one connection that many calls share. Cheap to clone; clones share the
/// connection. Connects at the first call, and again after the connection was lost.
#[derive(Clone)]
pub struct RpcClient {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    protocol: Protocol,
    options: ClientOptions,
    client_id: [u8; 16],
    next_id: AtomicU32,
    slot: Mutex<Option<Opening>>,
}

/// A connection, or the attempt to open one, that all callers wait for together.
type Opening = future::Shared<BoxFuture<'static, Result<Arc<Connection>, ErrorKind>>>;

impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcClient({} on {})", self.shared.protocol.name, self.shared.endpoint)
    }
}

impl RpcClient {
    /// A client; nothing is sent before the first call.
    pub fn new(endpoint: Endpoint, protocol: Protocol, options: ClientOptions) -> Self {
        let client_id = uuid::Uuid::new_v4().into_bytes();
        let (next_id, slot) = (AtomicU32::new(0), Mutex::new(None));
        Self { shared: Arc::new(Shared { endpoint, protocol, options, client_id, next_id, slot }) }
    }

    /// The address it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// The options it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    /// Calls `method` once, with the client's deadline.
    pub async fn call<Req, Resp>(&self, method: &'static str, request: &Req) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        self.call_with(method, request, CallOptions::default()).await
    }

    /// Calls `method` once.
    pub async fn call_with<Req, Resp>(
        &self,
        method: &'static str,
        request: &Req,
        options: CallOptions,
    ) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        let Shared { endpoint, protocol, client_id, next_id, .. } = &*self.shared;
        let failed = |kind| RpcError::new(method, endpoint.to_string(), kind);
        // Ids of calls are not negative; long before they come round, the earlier call is gone.
        let id = (next_id.fetch_add(1, Ordering::Relaxed) & i32::MAX.unsigned_abs()).cast_signed();
        let method_header = proto::RequestHeader {
            method_name: method.to_owned(),
            declaring_class_protocol_name: protocol.name.to_owned(),
            client_protocol_version: protocol.version,
        };
        let header = frame::request_header(id, 0, client_id);
        let request = frame::call_frame(&header, &method_header, request).map_err(failed)?;
        let deadline = options.deadline.unwrap_or(self.shared.options.deadline);
        let mut body = self.exchange(id, request, deadline).await.map_err(failed)?;
        // Void answers may come as no bytes at all.
        if body.is_empty() {
            return Ok(Resp::default());
        }
        frame::take_message(&mut body, "body").map_err(failed)
    }

    async fn exchange(&self, id: i32, request: Bytes, after: Duration) -> Result<Bytes, ErrorKind> {
        let begun = Instant::now();
        let sent = Arc::new(AtomicBool::new(false));
        let mut used: Option<Arc<Connection>> = None;
        let exchange = async {
            loop {
                let (opening, fresh) = self.opening();
                let connection = used.insert(opening.await?);
                match connection.call(id, request.clone(), &sent).await {
                    // It ended between two calls, and this one was not sent: nothing is lost by a new connection.
                    Err(ErrorKind::Disconnected { sent: Sent::No, .. }) if !fresh => {}
                    result => return result,
                }
            }
        };
        match timeout_at(begun + after, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let sent = if sent.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No };
                if let Some(connection) = used {
                    connection.suspect(begun);
                }
                Err(ErrorKind::Deadline { after, sent })
            }
        }
    }

    /// The connection for a new call, and whether it is opened for it.
    fn opening(&self) -> (Opening, bool) {
        let mut slot = self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = &*slot {
            let usable = match opening.peek() {
                None => true,
                Some(Ok(connection)) => connection.usable(|used| self.still_wanted(used)),
                Some(Err(_)) => false,
            };
            if usable {
                return (opening.clone(), false);
            }
        }
        let shared = Arc::downgrade(&self.shared);
        // A task of its own: the caller who happened to be first may give up, the others still wait.
        let task = tokio::spawn(async move {
            let Some(shared) = shared.upgrade() else { return Err(ErrorKind::Closed) };
            let Shared { endpoint, protocol, options, client_id, .. } = &*shared;
            Connection::open(endpoint, *protocol, options, client_id).await.map(Arc::new)
        });
        let opening = async move { task.await.unwrap_or(Err(ErrorKind::Closed)) }.boxed().shared();
        (slot.insert(opening).clone(), true)
    }

    /// Whether the token of a connection is still among the client's.
    fn still_wanted(&self, used: &Token) -> bool {
        self.shared.options.tokens.get().tokens.values().any(|token| token == used)
    }

    /// Lets the connection go; calls under way still finish, the next call connects anew.
    pub fn disconnect(&self) {
        let opening = self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Ok(connection)) = opening.as_ref().and_then(future::Shared::peek) {
            connection.retire();
        }
    }
}

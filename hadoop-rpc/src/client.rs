//! The client of the server at one address. It numbers the calls, opens a connection when a call needs one,
//! and ends a call at its deadline. Sending and receiving is in the module `conn`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use tokio::time::{Instant, timeout_at};

use crate::conn::Connection;
use crate::credentials::Token;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, RpcError, Sent};
use crate::frame;
use crate::options::{CallOptions, ClientOptions};
use crate::proto;
use crate::protocol::Protocol;

/// A client of one protocol of the server at one address. Clones are cheap, and all their calls share one
/// connection. It is opened at the first call, and again after it was lost.
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

/// A connection, or the attempt to open one, for which all callers wait together.
type Opening = future::Shared<BoxFuture<'static, Result<Arc<Connection>, ErrorKind>>>;

impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcClient({} on {})", self.shared.protocol.name, self.shared.endpoint)
    }
}

impl RpcClient {
    /// Makes a client. Nothing is sent before the first call.
    pub fn new(endpoint: Endpoint, protocol: Protocol, options: ClientOptions) -> Self {
        let client_id = uuid::Uuid::new_v4().into_bytes();
        let (next_id, slot) = (AtomicU32::new(0), Mutex::new(None));
        Self { shared: Arc::new(Shared { endpoint, protocol, options, client_id, next_id, slot }) }
    }

    /// The address of the server.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// The options with which the client was made.
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
        // Ids of calls are not negative. When the numbers begin again at 0, the earlier calls have ended long
        // ago.
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
        // The answer of a method without a result may have no bytes at all.
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
                    // The connection ended between two calls. This call was not sent, so it can be made on a
                    // new connection.
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

    /// The connection for a new call, and whether it is opened only for this call.
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
        // The connection is opened in a task of its own, because the first caller may give up while others
        // still wait.
        let task = tokio::spawn(async move {
            let Some(shared) = shared.upgrade() else { return Err(ErrorKind::Closed) };
            let Shared { endpoint, protocol, options, client_id, .. } = &*shared;
            Connection::open(endpoint, *protocol, options, client_id).await.map(Arc::new)
        });
        let opening = async move { task.await.unwrap_or(Err(ErrorKind::Closed)) }.boxed().shared();
        (slot.insert(opening).clone(), true)
    }

    /// Whether the token of a connection is still one of the client's tokens.
    fn still_wanted(&self, used: &Token) -> bool {
        self.shared.options.login.tokens().get().tokens.values().any(|token| token == used)
    }

    /// Gives up the connection. Calls that wait for answers still finish, and the next call opens a new
    /// connection.
    pub fn disconnect(&self) {
        let opening = self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Ok(connection)) = opening.as_ref().and_then(future::Shared::peek) {
            connection.retire();
        }
    }
}

//! gRPC on the control server's port. A connection is encrypted already. Who calls is checked on the headers
//! of a call, before anything of its messages is kept, and a connection without a call of the client is
//! closed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use taskrunner::auth;
use taskrunner::keys::{Binding, ControlKeys};
use taskrunner::tls::{Secured, ServerStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic::{Request, Status};

use super::gate::Slot;
use super::refusals::Refusals;

/// How long a connection may take to make a call of the client's.
const CALL_WAIT: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection; clones share it.
#[derive(Clone)]
pub(super) struct Caller(Arc<Inner>);

struct Inner {
    from: SocketAddr,
    binding: Binding,
    is_client: AtomicBool,
    /// Its place among those that have not proved who they are.
    slot: Mutex<Option<Slot>>,
}

impl Caller {
    fn is_client(&self) -> bool {
        self.0.is_client.load(Ordering::Relaxed)
    }

    fn known(&self) {
        self.0.is_client.store(true, Ordering::Relaxed);
        drop(self.0.slot.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Lets a call pass if it is the client's. The error is UNAUTHENTICATED.
pub(super) fn authenticate(
    mut request: Request<()>,
    keys: &ControlKeys,
    refusals: &Refusals,
) -> Result<Request<()>, Status> {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Err(Status::internal("the connection of the call is not known"));
    };
    if !auth::is_client(request.metadata(), keys, &caller.0.binding) {
        let status = Status::unauthenticated("only the client that has started this application may call");
        refusals.add(caller.0.from, &status.message());
        return Err(status);
    }
    caller.known();
    let from = TcpConnectInfo { local_addr: None, remote_addr: Some(caller.0.from) };
    request.extensions_mut().insert(from);
    Ok(request)
}

/// The stream of a connection. It ends if its caller does not prove in time to be the client, or if another
/// connection takes its place.
pub(super) struct Stream {
    stream: ServerStream,
    caller: Caller,
    /// Completes when the caller has had its time; none once it is known, or once its time is over.
    patience: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether the caller has had its time.
    over: bool,
}

impl Stream {
    pub(super) fn new(secured: Secured<ServerStream>, from: SocketAddr, slot: Slot) -> Self {
        let put_out = slot.put_out();
        let patience = async move {
            tokio::select! {
                () = sleep(CALL_WAIT) => {}
                () = put_out.cancelled() => {}
            }
        };
        let inner = Inner {
            from,
            binding: secured.binding,
            is_client: AtomicBool::new(false),
            slot: Mutex::new(Some(slot)),
        };
        let (caller, patience) = (Caller(Arc::new(inner)), Box::pin(patience));
        Self { stream: secured.stream, caller, patience: Some(patience), over: false }
    }

    /// Fails once the caller has had its time. It is asked for each direction, because HTTP/2 does not read
    /// while a caller that reads nothing keeps it from writing.
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.caller.is_client() {
            self.patience = None;
        }
        if self.patience.as_mut().is_some_and(|patience| patience.as_mut().poll(context).is_ready()) {
            (self.patience, self.over) = (None, true);
        }
        if self.over { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl Connected for Stream {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

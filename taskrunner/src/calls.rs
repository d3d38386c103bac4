//! A client's channel for gRPC calls to the control server. A channel is one encrypted connection and does
//! not connect again, because the client's proof is good for that connection alone.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::auth;
use crate::keys::{Access, Binding};
use crate::tls::{self, CallerStream, ConnectError, Purpose};

/// A peer that does not answer a ping for this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("this is no host:port")]
    Address,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{}", crate::chain(.0))]
    Http2(tonic::transport::Error),
}

/// An open channel.
pub(crate) struct Calls<'a> {
    pub(crate) channel: Channel,
    access: &'a Access,
    binding: Binding,
}

impl<'a> Calls<'a> {
    /// Opens one to the control server at `address` (`host:port`). `within` is for each part of it.
    pub(crate) async fn open(address: &str, access: &'a Access, within: Duration) -> Result<Self, OpenError> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| OpenError::Address)?;
        let endpoint = endpoint
            .connect_timeout(within)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let secured = tls::connect(address, Purpose::Grpc, access.pin(), within).await?;
        let once = Once(Some(TokioIo::new(secured.stream)));
        let channel = endpoint.connect_with_connector(once).await.map_err(OpenError::Http2)?;
        Ok(Self { channel, access, binding: secured.binding })
    }

    /// A call with the client's proof.
    pub(crate) fn request<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        auth::put_proof(request.metadata_mut(), self.access, &self.binding)?;
        Ok(request)
    }
}

/// Opens a channel to the control server at `address` for one question, and asks it, once. `deadline` is for
/// all of it together. The error is for people.
pub(crate) async fn ask<'a, T, F>(
    address: &str,
    access: &'a Access,
    deadline: Duration,
    question: impl FnOnce(Calls<'a>) -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let call = async {
        // The limit of everything together passes first.
        let calls = Calls::open(address, access, 2 * deadline).await.map_err(|e| e.to_string())?;
        question(calls).await
    };
    match timeout(deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", deadline.as_secs())),
    }
}

/// Gives the connection away once.
struct Once(Option<TokioIo<CallerStream>>);

impl Service<Uri> for Once {
    type Response = TokioIo<CallerStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<CallerStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::Error::other("the connection is over")))
    }
}

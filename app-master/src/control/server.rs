//! The control server's port: links of taskrunners, and gRPC for everybody else.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use taskrunner::wire::{GRPC_MAGIC, MAGIC};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use super::Control;
use crate::submission::service::SubmissionService;
use crate::timeline::Timeline;

/// How long a connection may take to send its first bytes.
const MAGIC_WAIT: Duration = Duration::from_secs(10);
/// How long to wait before a connection that has sent one to three bytes is looked at again.
const MAGIC_PAUSE: Duration = Duration::from_millis(20);
/// Pause after a connection that could not be accepted, as a rule because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// A gRPC client that answers no ping for so long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// gRPC connections that may wait for their server.
const WAITING: usize = 16;

impl Control {
    /// Serves until the process ends.
    pub async fn serve(
        self,
        listener: TcpListener,
        submission: SubmissionService,
        timeline: Timeline,
    ) -> Result<(), tonic::transport::Error> {
        let (grpc, connections) = mpsc::channel(WAITING);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(timeline.service(self.inner.secret.clone()))
            .add_service(submission.service())
            .serve_with_incoming(ReceiverStream::new(connections).map(Ok::<_, Infallible>));
        tokio::select! {
            result = server => result,
            never = self.accept(listener, grpc) => match never {},
        }
    }

    async fn accept(self, listener: TcpListener, grpc: mpsc::Sender<TcpStream>) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => drop(tokio::spawn(self.clone().dispatch(stream, from, grpc.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the control server cannot take a connection; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection by its first bytes: as a link, by the gRPC server, or not at all.
    async fn dispatch(self, stream: TcpStream, from: SocketAddr, grpc: mpsc::Sender<TcpStream>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%from, %error, "cannot set TCP_NODELAY");
        }
        match timeout(MAGIC_WAIT, first_bytes(&stream)).await {
            Ok(Ok(MAGIC)) => self.link(stream, from).await,
            // This fails only when the gRPC server has ended; the process ends with it.
            Ok(Ok(GRPC_MAGIC)) => drop(grpc.send(stream).await),
            Ok(Ok(_)) => tracing::warn!(%from, "hung up on a connection that speaks another protocol"),
            Ok(Err(error)) => tracing::debug!(%from, %error, "a connection ended before it began"),
            Err(_) => tracing::debug!(%from, "hung up on a connection that says nothing"),
        }
    }
}

/// The first four bytes of a connection. They stay in its buffer, for whoever serves it.
async fn first_bytes(stream: &TcpStream) -> io::Result<[u8; 4]> {
    let mut bytes = [0; 4];
    loop {
        match stream.peek(&mut bytes).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            4.. => return Ok(bytes),
            // `peek` returns at once while there is any byte, so it cannot wait for the others.
            _ => sleep(MAGIC_PAUSE).await,
        }
    }
}

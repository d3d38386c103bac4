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
use crate::submission::attendance::Attendance;
use crate::timeline::Timeline;

/// For the first bytes of a connection.
const MAGIC_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at a connection that has sent one to three bytes.
const MAGIC_PAUSE: Duration = Duration::from_millis(20);
/// After a connection that could not be taken, mostly for want of file descriptors.
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
        attendance: Attendance,
        timeline: Timeline,
    ) -> Result<(), tonic::transport::Error> {
        let (grpc, connections) = mpsc::channel(WAITING);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(timeline.service(self.inner.secret.clone()))
            .add_service(attendance.service())
            .serve_with_incoming(ReceiverStream::new(connections).map(Ok::<_, Infallible>));
        tokio::select! {
            result = server => result,
            never = self.accept(listener, grpc) => match never {},
        }
    }

    async fn accept(self, listener: TcpListener, grpc: mpsc::Sender<TcpStream>) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => drop(tokio::spawn(self.clone().sort(stream, from, grpc.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the control server cannot take a connection; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Looks at how a connection begins, and hands it to whom it concerns.
    async fn sort(self, stream: TcpStream, from: SocketAddr, grpc: mpsc::Sender<TcpStream>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%from, %error, "cannot set TCP_NODELAY");
        }
        match timeout(MAGIC_WAIT, first_bytes(&stream)).await {
            Ok(Ok(MAGIC)) => self.link(stream, from).await,
            // Its server has ended, and the process does next.
            Ok(Ok(GRPC_MAGIC)) => drop(grpc.send(stream).await),
            Ok(Ok(_)) => tracing::warn!(%from, "hung up on a connection that speaks another protocol"),
            Ok(Err(error)) => tracing::debug!(%from, %error, "a connection ended before it began"),
            Err(_) => tracing::debug!(%from, "hung up on a connection that says nothing"),
        }
    }
}

/// Leaves them where they are.
async fn first_bytes(stream: &TcpStream) -> io::Result<[u8; 4]> {
    let mut bytes = [0; 4];
    loop {
        match stream.peek(&mut bytes).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            4.. => return Ok(bytes),
            // Nothing tells when there are more.
            _ => sleep(MAGIC_PAUSE).await,
        }
    }
}

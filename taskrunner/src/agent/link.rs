//! The link to the ApplicationMaster: one `Supervise` call after another, for as long as somebody listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use super::config::Config;
use crate::auth;
use crate::control::command::Command as Order;
use crate::control::control_client::ControlClient;
use crate::control::event::Event as Kind;
use crate::control::{Event, Hello, Launch, Stop};

/// For TCP, and again for the answer to the call.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A peer that does not answer a ping for this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Events that may wait for a slow ApplicationMaster.
const QUEUE: usize = 64;

/// What the link tells.
pub(super) enum LinkEvent {
    /// The call is accepted; events go into the channel, and dropping it ends our half of the call.
    Up(mpsc::Sender<Event>),
    Launch(Box<Launch>),
    Stop(Stop),
    Down,
    /// The ApplicationMaster said no, and would again.
    Refused(String),
}

/// Keeps the link. `jvm_pid` is what `Hello` says. Ends when the receiver of `events` is dropped.
pub(super) async fn keep(config: Config, jvm_pid: Arc<AtomicU32>, events: mpsc::Sender<LinkEvent>) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    loop {
        let begin = Instant::now();
        let end = match call(&config, jvm_pid.load(Ordering::Relaxed), &events).await {
            Ok(()) => {
                tracing::info!(control = config.control, "the ApplicationMaster closed the link");
                LinkEvent::Down
            }
            Err(Broken::Status(status)) if is_refusal(status.code()) => {
                tracing::error!(control = config.control, code = ?status.code(), message = status.message(), "refused");
                LinkEvent::Refused(status.message().to_owned())
            }
            Err(error) => {
                tracing::warn!(control = config.control, %error, "no link to the ApplicationMaster");
                LinkEvent::Down
            }
        };
        if events.send(end).await.is_err() {
            return;
        }
        // A link that lasted was a good one; the next failure is a new story.
        if begin.elapsed() > Duration::from_secs(10) {
            delays = backoff.build();
        }
        tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(5))).await;
    }
}

/// Answers that a second try would not change.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::Unimplemented
    )
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("cannot connect: {}", crate::chain(.0))]
    Connect(#[from] tonic::transport::Error),
    #[error("{:?}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
    #[error("no answer for {} s", CONNECT_DEADLINE.as_secs())]
    Deadline,
}

/// One call, from connect to its end.
async fn call(config: &Config, jvm_pid: u32, events: &mpsc::Sender<LinkEvent>) -> Result<(), Broken> {
    let endpoint = Endpoint::from_shared(format!("http://{}", config.control))?
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    let channel =
        tokio::time::timeout(CONNECT_DEADLINE, endpoint.connect()).await.map_err(|_| Broken::Deadline)??;
    let (sender, queue) = mpsc::channel(QUEUE);
    // `Hello` is in the stream before the answer is awaited: the server may want to read it first.
    let hello = Event {
        event: Some(Kind::Hello(Hello {
            protocol: auth::PROTOCOL,
            container_id: config.container.clone(),
            host: config.host.clone(),
            jvm_pid,
        })),
    };
    let outgoing = futures::stream::once(async { hello }).chain(ReceiverStream::new(queue));
    let mut request = Request::new(outgoing);
    auth::put(request.metadata_mut(), &config.secret, &config.container)?;
    let mut client = ControlClient::new(channel);
    let answer = tokio::time::timeout(CONNECT_DEADLINE, client.supervise(request)).await;
    let mut commands = answer.map_err(|_| Broken::Deadline)??.into_inner();
    tracing::info!(control = config.control, "linked to the ApplicationMaster");
    if events.send(LinkEvent::Up(sender)).await.is_err() {
        return Ok(());
    }
    while let Some(command) = commands.message().await? {
        let event = match command.command {
            Some(Order::Launch(launch)) => LinkEvent::Launch(Box::new(launch)),
            Some(Order::Stop(stop)) => LinkEvent::Stop(stop),
            None => {
                tracing::warn!(
                    "a command of the ApplicationMaster that this release does not know is ignored"
                );
                continue;
            }
        };
        if events.send(event).await.is_err() {
            break;
        }
    }
    Ok(())
}

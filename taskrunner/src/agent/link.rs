//! The link to the ApplicationMaster: one connection after another, until the taskrunner ends.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::config::Config;
use crate::auth;
use crate::control::command::Command as CommandKind;
use crate::control::event::Event as EventKind;
use crate::control::{Command, Event, Launch, Ping, Refusal, Refused, Stop};
use crate::successor::{self, Successor};
use crate::tls::{self, CallerStream, ConnectError, Purpose};
use crate::wire::{LARGEST, Liveness, Reader, WireError, Writer};

/// For TCP, again for the handshake, and again for the answer to `Hello`.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL, for a JVM whose container the ApplicationMaster does not hold any more.
const NOT_HELD_GRACE: Duration = Duration::from_secs(5);
/// Events that may wait for a slow ApplicationMaster.
const QUEUE: usize = 64;

/// What happens on the link.
pub(super) enum LinkEvent {
    /// The ApplicationMaster has accepted us; events go into the channel, and dropping it ends our half of
    /// the connection.
    Up(mpsc::Sender<Event>),
    Launch(Box<Launch>),
    /// A launch may come later.
    Wait,
    Stop(Stop),
    Down,
    /// The ApplicationMaster has refused us, and would refuse us again.
    Refused(String),
}

/// Keeps the link. `jvm_pid` is what `Hello` says. Ends when the receiver of `events` is dropped.
pub(super) async fn keep(mut config: Config, jvm_pid: Arc<AtomicU32>, events: mpsc::Sender<LinkEvent>) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    let mut successors = successors(&config);
    loop {
        let begin = Instant::now();
        if let Some(successor) = successors.borrow_and_update().clone() {
            config.control = successor.address;
        }
        let pid = jvm_pid.load(Ordering::Relaxed);
        let ended = tokio::select! {
            ended = connection(&config, pid, &events) => ended,
            // An ApplicationMaster that has a successor has lost its application, even if it does not know
            // it.
            () = changed(successors.clone()) => Ok(()),
        };
        let end = match ended {
            Ok(()) => {
                tracing::info!(control = config.control, "the ApplicationMaster closed the link");
                LinkEvent::Down
            }
            Err(Broken::Refused(refused)) if refused.why() == Refusal::NotHeld => {
                let grace_ms = u32::try_from(NOT_HELD_GRACE.as_millis()).unwrap_or(u32::MAX);
                LinkEvent::Stop(Stop { grace_ms, reason: refused.message })
            }
            Err(Broken::Refused(refused)) if refused.why() != Refusal::Unknown => {
                tracing::error!(control = config.control, why = ?refused.why(), message = refused.message, "refused");
                LinkEvent::Refused(refused.message)
            }
            Err(error) => {
                tracing::warn!(control = config.control, %error, "no link to the ApplicationMaster");
                LinkEvent::Down
            }
        };
        if events.send(end).await.is_err() {
            return;
        }
        // After a link that lasted, the waits between tries begin anew.
        if begin.elapsed() > Duration::from_secs(10) {
            delays = backoff.build();
        }
        let delay = delays.next().unwrap_or(Duration::from_secs(5));
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = changed(successors.clone()) => {}
        }
    }
}

/// The newest ApplicationMaster after the one that has started this taskrunner.
fn successors(config: &Config) -> watch::Receiver<Option<Successor>> {
    let (found, successors) = watch::channel(None);
    if config.follows_attempts {
        let (container, key) = (config.container.clone(), config.access.key().clone());
        tokio::spawn(async move {
            if let Err(error) = successor::listen(&container, &key, found).await {
                tracing::warn!(%error, "cannot listen for the ApplicationMaster of a later attempt");
            }
        });
    }
    successors
}

/// Waits for another successor than the one that was seen last.
async fn changed(mut successors: watch::Receiver<Option<Successor>>) {
    if successors.changed().await.is_err() {
        pending::<()>().await;
    }
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("refused: {}", .0.message)]
    Refused(Refused),
    #[error("no answer for {} s", CONNECT_DEADLINE.as_secs())]
    Deadline,
    #[error("the answer to our hello is not understood")]
    Answer,
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// One connection, from its beginning to its end.
async fn connection(config: &Config, jvm_pid: u32, events: &mpsc::Sender<LinkEvent>) -> Result<(), Broken> {
    // Nothing is said before the other side has proved to be the ApplicationMaster.
    let pin = config.access.pin();
    let secured = tls::connect(&config.control, Purpose::Link, pin, CONNECT_DEADLINE).await?;
    let hello = auth::hello(&config.access, &secured.binding, &config.container, &config.host, jvm_pid);
    let (read, write) = tokio::io::split(secured.stream);
    let mut reader = Reader::new(read, LARGEST, Liveness::default());
    let mut writer = Writer::new(write, Liveness::default());
    let answer = async {
        writer.send(&event(EventKind::Hello(hello))).await?;
        reader.next::<Command>().await
    };
    match timeout(CONNECT_DEADLINE, answer).await.map_err(|_| Broken::Deadline)?? {
        Some(Command { command: Some(CommandKind::Accepted(_)) }) => {}
        Some(Command { command: Some(CommandKind::Refused(refused)) }) => {
            return Err(Broken::Refused(refused));
        }
        Some(_) => return Err(Broken::Answer),
        None => return Ok(()),
    }
    tracing::info!(control = config.control, "linked to the ApplicationMaster");
    let (sender, queue) = mpsc::channel(QUEUE);
    if events.send(LinkEvent::Up(sender)).await.is_err() {
        return Ok(());
    }
    // At the same time, so that a peer that does not read cannot keep us from reading.
    tokio::select! {
        end = receive(reader, events) => end,
        broken = send(writer, queue) => Err(broken),
    }
    .map_err(Broken::Wire)
}

/// Sends what there is, or that we are alive; ends our half when nothing more will come. Comes back only when
/// that fails.
async fn send(mut writer: Writer<WriteHalf<CallerStream>>, mut queue: mpsc::Receiver<Event>) -> WireError {
    loop {
        let next = tokio::select! {
            next = queue.recv() => next,
            () = sleep_until(writer.ping_at()) => Some(event(EventKind::Ping(Ping {}))),
        };
        let Some(next) = next else { break };
        if let Err(error) = writer.send(&next).await {
            return error;
        }
    }
    match writer.end().await {
        Ok(()) => pending().await,
        Err(error) => error,
    }
}

/// Hands on what comes, until the ApplicationMaster ends its half or nobody listens any more.
async fn receive(
    mut reader: Reader<ReadHalf<CallerStream>>,
    events: &mpsc::Sender<LinkEvent>,
) -> Result<(), WireError> {
    while let Some(Command { command }) = reader.next().await? {
        let event = match command {
            Some(CommandKind::Launch(launch)) => LinkEvent::Launch(Box::new(launch)),
            Some(CommandKind::Wait(_)) => LinkEvent::Wait,
            Some(CommandKind::Stop(stop)) => LinkEvent::Stop(stop),
            Some(CommandKind::Ping(_)) => continue,
            Some(CommandKind::Accepted(_) | CommandKind::Refused(_)) | None => {
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

fn event(kind: EventKind) -> Event {
    Event { event: Some(kind) }
}

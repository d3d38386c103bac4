//! The port on this machine that stands for the JobManager.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flink_rest::RestAddress;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::end::ApplicationEnd;
use super::peer::{Peer, Peers};
use super::warnings::{About, EVERY, Warnings};
use crate::timing;

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Deadline for a connection to the JobManager.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a connection waits for a JobManager that is being replaced. It is shorter than the time after
/// which Flink's client gives up a connection on which nothing comes (`rest.idleness-timeout`, 5 min).
const REPLACED_WITHIN: Duration = Duration::from_secs(4 * 60);
/// Pause between two tries to reach it.
const TRY_PAUSE: Duration = Duration::from_millis(500);

/// Where the JobManager is.
#[derive(Debug, Clone)]
pub(super) struct JobManagerAddress {
    pub(super) rest: watch::Receiver<RestAddress>,
    /// One that is lost is replaced, maybe at another address.
    pub(super) follows: bool,
    /// After it there is none any more.
    pub(super) end: ApplicationEnd,
}

/// Passes connections on.
pub(super) struct Forwarder {
    /// Tells whose connections are passed on.
    pub(super) peers: Peers,
    /// Hears of connections that are not passed on.
    pub(super) warnings: Arc<Warnings>,
}

impl Forwarder {
    /// Passes connections on to the JobManager; those that come before it is known wait. A connection that
    /// another user of this machine has opened is closed at once, because behind the port is somebody else's
    /// cluster. `lost` is notified when the JobManager cannot be reached. `started` ends with the first
    /// connection.
    pub(super) async fn run(
        self,
        listener: TcpListener,
        address: watch::Receiver<Option<JobManagerAddress>>,
        lost: Arc<Notify>,
        started: timing::Running,
    ) {
        let started = Arc::new(Mutex::new(Some(started)));
        let this = Arc::new(self);
        let mut times = interval(EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = times.tick() => {
                    this.warnings.time_over();
                    continue;
                }
            };
            let Ok((client, from)) = accepted else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (mut address, lost, this) = (address.clone(), Arc::clone(&lost), Arc::clone(&this));
            let started = Arc::clone(&started);
            tokio::spawn(async move {
                let Some(mut client) = this.admitted(client, from).await else { return };
                if let Some(started) = started.lock().ok().and_then(|mut started| started.take()) {
                    started.end();
                }
                let known = match address.wait_for(Option::is_some).await {
                    Ok(known) => known.clone(),
                    // The deployment was given up.
                    Err(_) => return,
                };
                let Some(address) = known else { return };
                // Without a server Flink's client sees that its connection ends, and tries again.
                if let Some(mut server) = connect(&address, &lost).await
                    && let Err(error) = copy_bidirectional(&mut client, &mut server).await
                {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
    }

    /// The connection, if it is one of this user's.
    async fn admitted(&self, client: TcpStream, from: SocketAddr) -> Option<TcpStream> {
        let peer = match client.local_addr() {
            Ok(to) => self.peers.who(from, to).await,
            Err(error) => Peer::Unknown(error.to_string()),
        };
        match peer {
            Peer::Ours => Some(client),
            Peer::Foreign(uid) => {
                let text = format!(
                    "a process of the user with the id {uid} has connected to the port of this machine that leads to the \
                     JobManager; its connection was closed"
                );
                self.warnings.add(About::Stranger, text);
                None
            }
            Peer::Unknown(why) => {
                let text = format!(
                    "a process has connected to the port of this machine that leads to the JobManager, and whose process \
                     it is cannot be told ({why}); its connection, from {from}, was closed"
                );
                self.warnings.add(About::Stranger, text);
                None
            }
        }
    }
}

async fn connect(address: &JobManagerAddress, lost: &Notify) -> Option<TcpStream> {
    let begin = Instant::now();
    loop {
        let RestAddress { host, port, .. } = address.rest.borrow().clone();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
        let connecting = TcpStream::connect((host, port));
        match timeout(CONNECT, connecting).await {
            Ok(Ok(server)) => return Some(server),
            Ok(Err(error)) => tracing::debug!(%error, "the JobManager cannot be reached"),
            Err(_) => tracing::debug!("the JobManager cannot be reached within {} s", CONNECT.as_secs()),
        }
        if !address.follows || begin.elapsed() > REPLACED_WITHIN || address.end.is_seen() {
            return None;
        }
        lost.notify_one();
        sleep(TRY_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use yarn_api::records::ApplicationState;

    use super::*;
    use crate::deploy::report_in_state;

    #[tokio::test]
    async fn a_jobmanager_is_waited_for_until_the_application_has_ended() {
        let end = ApplicationEnd::new();
        // No program listens at this port.
        let nowhere = RestAddress::plain("127.0.0.1", 1);
        let rest = watch::channel(nowhere).1;
        let address = JobManagerAddress { rest, follows: true, end: end.clone() };
        let lost = Notify::new();
        let mut connecting = Box::pin(connect(&address, &lost));
        assert!(timeout(4 * TRY_PAUSE, &mut connecting).await.is_err(), "it may be replaced");
        end.seen(report_in_state(ApplicationState::Finished, ""));
        let connected = timeout(REPLACED_WITHIN / 4, connecting).await;
        assert!(matches!(connected, Ok(None)), "{connected:?}");
    }
}

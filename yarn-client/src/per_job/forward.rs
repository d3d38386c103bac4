//! The port on this machine that stands for the JobManager.

use std::sync::Arc;
use std::time::Duration;

use flink_rest::RestAddress;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::end::ApplicationEnd;
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

/// Passes connections on to the JobManager; those that come before it is known wait. `lost` is notified when
/// it cannot be reached. `started` ends with the first connection.
pub(super) async fn forward(
    listener: TcpListener,
    address: watch::Receiver<Option<JobManagerAddress>>,
    lost: Arc<Notify>,
    started: timing::Running,
) {
    let mut started = Some(started);
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(started) = started.take() {
            started.end();
        }
        let (mut address, lost) = (address.clone(), Arc::clone(&lost));
        tokio::spawn(async move {
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

async fn connect(address: &JobManagerAddress, lost: &Notify) -> Option<TcpStream> {
    let begin = Instant::now();
    loop {
        let RestAddress { host, port } = address.rest.borrow().clone();
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
        let nowhere = RestAddress { host: "127.0.0.1".into(), port: 1 };
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

//! Waits for a REST interface that does not answer yet. That is needed because an application can be RUNNING
//! in YARN before its JobManager answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::address::RestAddress;
use crate::client::{RestClient, RestTimeouts};
use crate::error::RestError;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(30);
/// The deadline of one try.
const TRY: Duration = Duration::from_secs(2);

/// What a try has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The JobManager answers, with whatever status.
    Ready,
    /// Nobody listens at the address yet, or the JobManager has no leader, or it is too busy to answer.
    NotYet,
    /// The host cannot be found, or cannot be reached from this machine.
    OutOfReach,
    /// Somebody listens there with whom this client does not speak, because of TLS.
    Untrusted,
}

impl Answer {
    fn of(tried: &Result<(), RestError>) -> Self {
        match tried {
            Err(RestError::Connect { refused: true, .. } | RestError::Unavailable { .. }) => Self::NotYet,
            // The JobManager accepted the connection and then closed it, or is too busy to answer. A host
            // that cannot be reached gives `Connect` instead, because the deadline for connecting is shorter
            // than that of the call.
            Err(RestError::Broken { .. } | RestError::Deadline { .. }) => Self::NotYet,
            Err(RestError::Connect { .. } | RestError::Local(_)) => Self::OutOfReach,
            Err(
                RestError::Certificate { .. } | RestError::Handshake { .. } | RestError::Redirected { .. },
            ) => Self::Untrusted,
            _ => Self::Ready,
        }
    }
}

/// Tries again and again to call one JobManager.
#[derive(Debug)]
pub struct Probe {
    client: RestClient,
    address: RestAddress,
}

impl Probe {
    /// A probe for the JobManager at `address`. Nothing is sent yet. It fails as [`RestClient::new`] does.
    pub fn new(address: &RestAddress) -> Result<Self, RestError> {
        let client = RestClient::new(address, RestTimeouts::one_try(TRY))?;
        Ok(Self { client, address: address.clone() })
    }

    /// The address of the JobManager.
    pub fn address(&self) -> &RestAddress {
        &self.address
    }

    /// Tries until the answer is another one than [`Answer::NotYet`], or until `patience` has passed, but at
    /// least once. Returns what the last try has shown.
    pub async fn within(&self, patience: Duration) -> Answer {
        let begin = Instant::now();
        loop {
            let tried = self.client.dashboard_config().await.map(drop);
            let answer = Answer::of(&tried);
            if answer != Answer::NotYet || begin.elapsed() + PAUSE >= patience {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn address(listener: &std::net::TcpListener) -> RestAddress {
        RestAddress::plain("127.0.0.1", listener.local_addr().unwrap().port())
    }

    #[tokio::test]
    async fn a_closed_port_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = address(&listener);
        drop(listener);
        let probe = Probe::new(&at).unwrap();
        assert_eq!(probe.within(Duration::from_millis(100)).await, Answer::NotYet);
        let opened = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let listener = tokio::net::TcpListener::bind((at.host.as_str(), at.port)).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            // Any status shows that somebody answers.
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let (answer, ()) = tokio::join!(probe.within(Duration::from_secs(20)), opened);
        assert_eq!(answer, Answer::Ready);
    }

    #[tokio::test]
    async fn one_that_takes_connections_and_does_not_answer_is_waited_for() {
        // This listener behaves as a stopped process does: the system accepts the connection, and nobody
        // answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe::new(&address(&listener)).unwrap();
        assert_eq!(probe.within(Duration::ZERO).await, Answer::NotYet);
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_out_of_reach() {
        let probe = Probe::new(&RestAddress::plain("no-such-host.invalid", 1)).unwrap();
        assert_eq!(probe.within(Duration::ZERO).await, Answer::OutOfReach);
    }
}

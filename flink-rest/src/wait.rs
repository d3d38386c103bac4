//! Waiting for a REST interface that is not there yet: an application can run in YARN's eyes before its
//! JobManager answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::address::RestAddress;
use crate::client::{RestClient, RestTimeouts};
use crate::error::RestError;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(30);
/// Deadline of one try.
const TRY: Duration = Duration::from_secs(2);

/// What a try has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Somebody answers.
    Ready,
    /// Nobody listens there yet, or a JobManager without a leader, or one that is too busy to answer.
    NotYet,
    /// From this machine the address cannot be reached, or not found.
    OutOfReach,
}

impl Answer {
    fn of(tried: &Result<(), RestError>) -> Self {
        match tried {
            Err(RestError::Connect { refused: true, .. } | RestError::Unavailable { .. }) => Self::NotYet,
            // The JobManager took the connection and then closed it, or is too busy to answer: connecting has
            // a shorter deadline than the answer, so this is not a machine that cannot be reached.
            Err(RestError::Broken { .. } | RestError::Deadline { .. }) => Self::NotYet,
            Err(RestError::Connect { .. } | RestError::Local(_)) => Self::OutOfReach,
            _ => Self::Ready,
        }
    }
}

/// Tries to speak to one JobManager again and again.
#[derive(Debug)]
pub struct Probe {
    client: Option<RestClient>,
    address: RestAddress,
}

impl Probe {
    /// Nothing is sent yet.
    pub fn new(address: &RestAddress) -> Self {
        let client = RestClient::new(address, RestTimeouts::one_try(TRY));
        Self { client: client.ok(), address: address.clone() }
    }

    /// The address that it tries.
    pub fn address(&self) -> &RestAddress {
        &self.address
    }

    /// Tries until there is an answer, until `patience` is over, or until trying again is of no use. Gives
    /// what the last try has shown.
    pub async fn within(&self, patience: Duration) -> Answer {
        let begin = Instant::now();
        loop {
            let Some(client) = &self.client else { return Answer::Ready };
            let tried = client.dashboard_config().await.map(drop);
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
        RestAddress { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() }
    }

    #[tokio::test]
    async fn a_closed_port_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = address(&listener);
        drop(listener);
        let probe = Probe::new(&at);
        assert_eq!(probe.within(Duration::from_millis(100)).await, Answer::NotYet);
        let opened = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let listener = tokio::net::TcpListener::bind((at.host.as_str(), at.port)).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            // Whatever it says, somebody is there.
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let (answer, ()) = tokio::join!(probe.within(Duration::from_secs(20)), opened);
        assert_eq!(answer, Answer::Ready);
    }

    #[tokio::test]
    async fn one_that_takes_connections_and_does_not_answer_is_waited_for() {
        // As a stopped process: the system takes the connection.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe::new(&address(&listener));
        assert_eq!(probe.within(Duration::ZERO).await, Answer::NotYet);
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_out_of_reach() {
        let probe = Probe::new(&RestAddress { host: "no-such-host.invalid".into(), port: 1 });
        assert_eq!(probe.within(Duration::ZERO).await, Answer::OutOfReach);
    }
}

//! Checks that a JobManager listens at the address that a command is going to use, before the command does
//! anything else.
//!
//! Flink's own client runs the user's `main()` first, and then tries to connect for a minute. heddle gives up
//! when a connection is refused, except that it waits a little for an application on YARN, whose JobManager
//! YARN may be replacing. A JobManager that is only slow passes the check, because it has accepted the
//! connection.

use std::io;
use std::time::{Duration, Instant};

use flink_rest::{RestAddress, RestClient, RestError, RestTimeouts};
use tokio::net::TcpStream;

use crate::error::{CauseClass, Failure, RestFailure};
use crate::target::Cluster;

/// The time limit for a connection. A machine that can be reached answers within milliseconds.
const CONNECT: Duration = Duration::from_secs(5);
/// The time for which connections to a JobManager on YARN may be refused, because YARN may be replacing it.
const REPLACED: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
/// The time limit for the first answer. A JobManager that does not answer within this time counts as slow,
/// not as missing.
const ANSWER: Duration = Duration::from_secs(3);
/// The HTTP status codes with which a proxy in front of Flink demands headers that only Flink's own client
/// can send (`FLINK_REST_CLIENT_HEADERS`).
const OF_A_PROXY: [u16; 3] = [401, 403, 407];

impl Cluster {
    /// Fails if nothing listens at the cluster's address, or something that is not Flink.
    pub async fn reach(&self) -> Result<(), Failure> {
        let client = RestClient::new(&self.address, RestTimeouts::one_try(ANSWER));
        let client = client.map_err(|e| e.failure("cannot speak to the JobManager"))?;
        self.reach_by(&client).await
    }

    /// Does what [`Cluster::reach`] does, but with the REST client that the command uses afterwards, so that
    /// the command's own calls can use the same connection.
    pub async fn reach_by(&self, client: &RestClient) -> Result<(), Failure> {
        let patience = if self.application.is_some() { REPLACED } else { Duration::ZERO };
        if let Err(error) = connect(&self.address, patience).await {
            return Err(self.nobody(&error));
        }
        match client.with_timeouts(RestTimeouts::one_try(ANSWER)).dashboard_config().await {
            Err(error @ RestError::NotFlink { status, .. }) if !OF_A_PROXY.contains(&status) => {
                Err(self.advise(error.failure("there is no JobManager")))
            }
            Err(
                error @ (RestError::Certificate { .. }
                | RestError::Handshake { .. }
                | RestError::Redirected { .. }
                | RestError::TooLarge { .. }),
            ) => Err(error.failure("cannot speak to the JobManager")),
            answer => {
                tracing::debug!(?answer, address = %self.address, "somebody listens");
                Ok(())
            }
        }
    }

    fn nobody(&self, error: &io::Error) -> Failure {
        let address = &self.address;
        let why = error.to_string();
        let why = why.split(" (os error").next().unwrap_or_default();
        let failure = match self.application {
            Some(id) => {
                let what = format!("cannot connect to the JobManager of {id} at {address}: {why}");
                Failure::new(what)
                    .hint("check that it still runs (`heddle ps`), and that the cluster's nodes can be reached from this machine")
                    .retry_if(true)
            }
            None => Failure::new(format!("no JobManager can be reached at {address}: {why}")),
        };
        self.advise(failure.of_class(CauseClass::Unreachable))
    }

    fn advise(&self, failure: Failure) -> Failure {
        if self.application.is_some() {
            return failure;
        }
        if self.assumed {
            return failure
                .hint("no YARN session is known: no properties file remembers one, and no option names an application")
                .hint("`yarn-session.sh -d` starts one; -Dyarn.application.id=application_… (or -yid) names one that runs")
                .hint("a cluster that is not on YARN is named with -m host:port");
        }
        failure
            .hint("check that the cluster still runs, and that the address is that of its REST interface")
            .hint(
                "`heddle ps` lists what runs on YARN; -Dyarn.application.id=application_… (or -yid) names it",
            )
    }
}

/// Opens a connection to `address`. While it is refused, it is tried again for `patience`.
async fn connect(address: &RestAddress, patience: Duration) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
        let connecting = TcpStream::connect((address.bare_host(), address.port));
        let tried = tokio::time::timeout(CONNECT, connecting).await;
        let tried = tried.unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection within {} s", CONNECT.as_secs()),
            ))
        });
        match tried {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused && begin.elapsed() + PAUSE < patience => {
                tokio::time::sleep(PAUSE).await;
            }
            tried => return tried.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, RestAddress) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, RestAddress::plain("127.0.0.1", port))
    }

    #[tokio::test]
    async fn a_refused_connection_is_final_unless_yarn_has_the_application() {
        let (closed, address) = listener().await;
        drop(closed);
        let begin = Instant::now();
        let failure = Cluster::at(address.clone(), true).reach().await.unwrap_err();
        assert!(failure.to_string().ends_with(&format!("at {address}: Connection refused")), "{failure}");
        assert!(failure.hints()[1].contains("yarn-session.sh -d") && !failure.retry_helps());
        let failure = Cluster::at(address.clone(), false).reach().await.unwrap_err();
        assert!(failure.hints()[0].contains("still runs"), "{:?}", failure.hints());
        assert!(begin.elapsed() < Duration::from_secs(1));

        let opened = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            TcpListener::bind(("127.0.0.1", address.port)).await.unwrap()
        };
        let (connected, _listener) = tokio::join!(connect(&address, Duration::from_secs(20)), opened);
        connected.unwrap();
    }

    #[tokio::test]
    async fn a_slow_one_is_there_and_something_else_is_not() {
        // The system accepts connections, and no program ever answers.
        let (_mute, address) = listener().await;
        Cluster::at(address, false).reach().await.unwrap();

        for (status, there) in
            [("404 Not Found", false), ("401 Unauthorized", true), ("503 Unavailable", false)]
        {
            let (other, address) = listener().await;
            let answer = async {
                // The check opens the first connection without a request.
                drop(other.accept().await.unwrap());
                let (mut stream, _) = other.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: 6\r\n\r\n<html>");
                stream.write_all(text.as_bytes()).await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await;
            };
            let cluster = Cluster::at(address, false);
            let (reached, ()) = tokio::join!(cluster.reach(), answer);
            assert_eq!(reached.is_ok(), there, "{status}: {reached:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows() {
        let address = RestAddress::plain("no-such-host.invalid", 1);
        let failure = Cluster::at(address, false).reach().await.unwrap_err();
        assert!(failure.to_string().contains("no-such-host.invalid:1"), "{failure}");
    }
}

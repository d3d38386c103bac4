//! How the ApplicationMaster of a new attempt tells a taskrunner of an earlier attempt where it is.
//!
//! A taskrunner knows only the address of the attempt that has started it, and on a secure cluster it cannot
//! ask YARN for another one. So with high availability it listens for the next ApplicationMaster, on a port
//! that follows from the id of its container: YARN tells the new attempt which containers there are, and on
//! which nodes. If the port is taken on the node, the taskrunner listens on the next one of a short list.
//!
//! The exchange is one line each way. The line of the ApplicationMaster ends with an HMAC under the control
//! secret, because anybody may be listening on the ports of the list, and anybody may connect to a
//! taskrunner:
//!
//! ```text
//! heddle-successor 1 <container> <attempt> <host:port> <HMAC-SHA256, hexadecimal>
//! taken
//! ```
//!
//! (The ContainerManagementProtocol of YARN has a call that puts a file into a running container, `localize`.
//! It cannot be used: the NodeManager of Hadoop 3.3.6 ends itself if the container is one that it has
//! recovered after a restart.)

use std::io;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const KEYWORD: &str = "heddle-successor";
const VERSION: &str = "1";
const TAKEN: &str = "taken";
/// The ports lie below those that systems hand out for outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..30_000;
/// How many ports there are for a container.
const CANDIDATES: usize = 8;
/// Most bytes of a line.
const LONGEST: u64 = 1024;
/// For the connection, and again for the exchange.
const DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// An ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Successor {
    /// The number of its attempt.
    pub attempt: u32,
    /// The `host:port` of its control server.
    pub address: String,
}

impl Successor {
    fn line(&self, container: &str, secret: &[u8]) -> Option<String> {
        let claim = format!("{container} {} {}", self.attempt, self.address);
        let mac = hex::encode(keyed(&claim, secret)?.finalize().into_bytes());
        Some(format!("{KEYWORD} {VERSION} {claim} {mac}\n"))
    }

    /// Reads a line that is for this container and proves to come from its application.
    fn parse(line: &str, container: &str, secret: &[u8]) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [KEYWORD, VERSION, whose, attempt, address, mac] = words[..] else { return None };
        let claim = format!("{whose} {attempt} {address}");
        keyed(&claim, secret)?.verify_slice(&hex::decode(mac).ok()?).ok()?;
        let (host, port) = address.rsplit_once(':')?;
        let sound = whose == container && !host.is_empty() && port.parse::<u16>().is_ok();
        sound.then_some(Self { attempt: attempt.parse().ok()?, address: address.to_owned() })
    }
}

fn keyed(claim: &str, secret: &[u8]) -> Option<Hmac<Sha256>> {
    // Every length of key is allowed.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(claim.as_bytes());
    Some(mac)
}

/// The ports on which the taskrunner of a container may listen, in its order.
fn ports(container: &str) -> Vec<u16> {
    let digest = Sha256::digest(container.as_bytes());
    let number = |pair: &[u8]| pair.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
    let size = PORTS.end - PORTS.start;
    digest.chunks(2).take(CANDIDATES).map(|pair| PORTS.start + number(pair) % size).collect()
}

/// Listens for successors, and hands the newest one to `found`, until nobody receives there any more. The
/// error is that no port of the container is free.
pub async fn listen(
    container: &str,
    secret: &[u8],
    found: watch::Sender<Option<Successor>>,
) -> io::Result<()> {
    let mut listener = Err(io::Error::from(io::ErrorKind::AddrInUse));
    for port in ports(container) {
        listener = TcpListener::bind(("0.0.0.0", port)).await;
        if listener.is_ok() {
            break;
        }
    }
    let listener = listener?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = found.closed() => return Ok(()),
        };
        let Ok((stream, from)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        match timeout(DEADLINE, hear(stream, container, secret)).await {
            Ok(Ok(Some(successor))) => {
                found.send_if_modified(|known| {
                    let newer = known.as_ref().is_none_or(|known| known.attempt < successor.attempt);
                    if newer {
                        tracing::info!(?successor, "the application has another ApplicationMaster");
                        *known = Some(successor);
                    }
                    newer
                });
            }
            Ok(Ok(None)) => tracing::warn!(%from, "somebody who is not of this application has connected"),
            Ok(Err(error)) => tracing::debug!(%from, %error, "a connection broke"),
            Err(_) => tracing::debug!(%from, "a connection says nothing"),
        }
    }
}

async fn hear(mut stream: TcpStream, container: &str, secret: &[u8]) -> io::Result<Option<Successor>> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    let successor = Successor::parse(&line, container, secret);
    if successor.is_some() {
        write.write_all(format!("{TAKEN}\n").as_bytes()).await?;
    }
    Ok(successor)
}

/// Tells the taskrunner of `container` on `host`, at whichever of its ports it listens. The error says what
/// the last try ended with.
pub async fn tell(host: &str, container: &str, secret: &[u8], successor: &Successor) -> Result<(), String> {
    let line = successor.line(container, secret).ok_or("the control secret cannot be used")?;
    let mut why = String::new();
    for port in ports(container) {
        match exchange(host, port, &line).await {
            Ok(answer) if answer.trim() == TAKEN => return Ok(()),
            // Another program has the port.
            Ok(_) => why = format!("on {host}:{port} somebody else listens"),
            Err(error) => why = format!("{host}:{port}: {error}"),
        }
    }
    Err(why)
}

async fn exchange(host: &str, port: u16, line: &str) -> io::Result<String> {
    let in_time = |_| io::Error::from(io::ErrorKind::TimedOut);
    let connecting = TcpStream::connect((host, port));
    let mut stream = timeout(DEADLINE, connecting).await.map_err(in_time)??;
    let exchange = async {
        stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new((&mut stream).take(LONGEST)).read_line(&mut answer).await?;
        Ok(answer)
    };
    timeout(DEADLINE, exchange).await.map_err(in_time)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "container_e02_1_0001_01_000002";

    fn successor(attempt: u32) -> Successor {
        Successor { attempt, address: format!("node{attempt}:4711") }
    }

    #[tokio::test]
    async fn a_taskrunner_hears_of_its_next_applicationmaster() {
        let (found, mut newest) = watch::channel(None);
        let listening = tokio::spawn(listen(CONTAINER, b"secret", found));
        let told = async |attempt| {
            for _ in 0..100 {
                if tell("127.0.0.1", CONTAINER, b"secret", &successor(attempt)).await.is_ok() {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
            panic!("nobody takes it");
        };
        for (attempt, known) in [(3, 3), (2, 3), (4, 4)] {
            told(attempt).await;
            // It is handed on after it is answered.
            let is_known = newest.wait_for(|found| found.as_ref().is_some_and(|f| f.attempt == known));
            assert!(timeout(DEADLINE, is_known).await.is_ok());
        }
        assert!(tell("127.0.0.1", CONTAINER, b"wrong", &successor(9)).await.is_err());
        assert_eq!(*newest.borrow(), Some(successor(4)));
        drop(newest);
        timeout(DEADLINE, listening).await.unwrap().unwrap().unwrap();
    }

    #[test]
    fn only_what_comes_from_the_application_counts() {
        let line = successor(2).line(CONTAINER, b"secret").unwrap();
        assert_eq!(Successor::parse(&line, CONTAINER, b"secret"), Some(successor(2)));
        assert_eq!(Successor::parse(&line, CONTAINER, b"other"), None);
        assert_eq!(Successor::parse(&line, "container_1_0001_01_000003", b"secret"), None);
        assert_eq!(Successor::parse(&line.replace("node2", "evil"), CONTAINER, b"secret"), None);
        assert_eq!(Successor::parse(&line.replace(" 1 ", " 2 "), CONTAINER, b"secret"), None);
        assert_eq!(Successor::parse("GET / HTTP/1.1\n", CONTAINER, b"secret"), None);
        let bad = Successor { attempt: 2, address: "no-port".into() };
        assert_eq!(Successor::parse(&bad.line(CONTAINER, b"s").unwrap(), CONTAINER, b"s"), None);
    }

    #[test]
    fn each_container_has_some_ports_of_its_own() {
        let found = ports(CONTAINER);
        assert_eq!((found.len(), &found), (CANDIDATES, &ports(CONTAINER)));
        assert!(found.iter().all(|port| PORTS.contains(port)));
        assert_ne!(found, ports("container_e02_1_0001_01_000003"));
    }
}

//! How the ApplicationMaster of a new attempt tells a taskrunner of an earlier attempt where it is.
//!
//! A taskrunner knows only the address of the attempt that has started it, and on a secure cluster it cannot
//! ask YARN for another one. So with high availability it listens for the next ApplicationMaster, on a port
//! that follows from the id of its container: YARN tells the new attempt which containers there are, and on
//! which nodes. If the port is taken on the node, the taskrunner listens on the next one of a short list.
//!
//! The exchange is one line each way, and each ends with an HMAC under the key of the container's taskrunner,
//! because anybody may be listening on the ports of the list, and anybody may connect to a taskrunner:
//!
//! ```text
//! heddle-successor 2 <container> <attempt> <host:port> <HMAC-SHA256, hexadecimal>
//! taken <HMAC-SHA256, hexadecimal>
//! ```
//!
//! Nothing in it is secret. A line that is said again, or to another taskrunner, does no harm: only a later
//! attempt than the known one counts, and each container has a key of its own. Whoever is at the address
//! still has to show the private key of the application's certificate, which all attempts share.
//!
//! (The ContainerManagementProtocol of YARN has a call that puts a file into a running container, `localize`.
//! It cannot be used: the NodeManager of Hadoop 3.3.6 ends itself if the container is one that it has
//! recovered after a restart.)

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use ring::digest;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use crate::keys::Key;

const KEYWORD: &str = "heddle-successor";
const VERSION: &str = "2";
const TAKEN: &str = "taken";
/// The ports lie below those that systems hand out for outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..30_000;
/// How many ports there are for a container.
const CANDIDATES: usize = 8;
/// Most bytes of a line.
const LONGEST: u64 = 1024;
/// For the connection, and again for the exchange.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many connections are heard at a time.
const HEARD: usize = 64;
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
    fn claim(&self, container: &str) -> String {
        format!("{container} {} {}", self.attempt, self.address)
    }

    fn line(&self, container: &str, key: &Key) -> String {
        let claim = self.claim(container);
        let mac = hex::encode(key.sign(message(KEYWORD, &claim).as_bytes()));
        format!("{KEYWORD} {VERSION} {claim} {mac}\n")
    }

    /// Reads a line that is for this container and proves to come from its application.
    fn parse(line: &str, container: &str, key: &Key) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [KEYWORD, VERSION, whose, attempt, address, mac] = words[..] else { return None };
        let claim = format!("{whose} {attempt} {address}");
        if !key.verify(message(KEYWORD, &claim).as_bytes(), &hex::decode(mac).ok()?) {
            return None;
        }
        let (host, port) = address.rsplit_once(':')?;
        let sound = whose == container && !host.is_empty() && port.parse::<u16>().is_ok();
        sound.then_some(Self { attempt: attempt.parse().ok()?, address: address.to_owned() })
    }

    /// The taskrunner's answer.
    fn answer(&self, container: &str, key: &Key) -> String {
        format!("{TAKEN} {}\n", hex::encode(key.sign(message(TAKEN, &self.claim(container)).as_bytes())))
    }

    /// Whether it is the answer of the container's taskrunner.
    fn is_taken(&self, answer: &str, container: &str, key: &Key) -> bool {
        let mac = answer.trim_end().strip_prefix(TAKEN).and_then(|rest| rest.strip_prefix(' '));
        let mac = mac.and_then(|mac| hex::decode(mac).ok());
        mac.is_some_and(|mac| key.verify(message(TAKEN, &self.claim(container)).as_bytes(), &mac))
    }
}

/// Reads a line that anybody may send, as it is and with the right HMAC behind it, for `scripts/fuzz`.
#[cfg(fuzzing)]
pub(crate) fn read_any(line: &str) {
    let Some(key) = Key::new(&[7; 32]) else { return };
    let container = "container_1_0001_01_000002";
    let claim = line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    let mac = hex::encode(key.sign(message(KEYWORD, &claim).as_bytes()));
    for line in [line.to_owned(), format!("{line} {mac}")] {
        if let Some(successor) = Successor::parse(&line, container, &key) {
            let _ = (successor.answer(container, &key), successor.is_taken(&line, container, &key));
        }
    }
}

/// What an HMAC is computed of: no proof for one purpose is of use for another one.
fn message(purpose: &str, claim: &str) -> String {
    format!("heddle successor\0{purpose} {claim}")
}

/// The ports on which the taskrunner of a container may listen, in its order.
fn ports(container: &str) -> Vec<u16> {
    let digest = digest::digest(&digest::SHA256, container.as_bytes());
    let number = |pair: &[u8]| pair.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
    let size = PORTS.end - PORTS.start;
    digest.as_ref().chunks(2).take(CANDIDATES).map(|pair| PORTS.start + number(pair) % size).collect()
}

/// Listens for successors, and hands the newest one to `found`, until nobody receives there any more. The
/// error is that no port of the container is free.
pub async fn listen(container: &str, key: &Key, found: watch::Sender<Option<Successor>>) -> io::Result<()> {
    let mut listener = Err(io::Error::from(io::ErrorKind::AddrInUse));
    for port in ports(container) {
        listener = TcpListener::bind(("0.0.0.0", port)).await;
        if listener.is_ok() {
            break;
        }
    }
    let listener = listener?;
    // Anybody can connect, so several are heard at a time: one that says nothing keeps nobody else out.
    let mut hearing = FuturesUnordered::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(heard) = hearing.next() => {
                note(heard, &found);
                continue;
            }
            () = found.closed() => return Ok(()),
        };
        let Ok((stream, from)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if hearing.len() < HEARD {
            hearing.push(timeout(DEADLINE, hear(stream, container, key)).map(move |heard| (from, heard)));
        } else {
            tracing::debug!(%from, "too many are connected already");
        }
    }
}

/// What a connection has said, and from where; the outer error is that it has said nothing.
type Heard = (SocketAddr, Result<io::Result<Option<Successor>>, Elapsed>);

/// Hands on what a connection has said, if it is news. What strangers say is no warning: there can be any
/// number of them.
fn note((from, heard): Heard, found: &watch::Sender<Option<Successor>>) {
    match heard {
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
        Ok(Ok(None)) => tracing::debug!(%from, "somebody who is not of this application has connected"),
        Ok(Err(error)) => tracing::debug!(%from, %error, "a connection broke"),
        Err(_) => tracing::debug!(%from, "a connection says nothing"),
    }
}

async fn hear(mut stream: TcpStream, container: &str, key: &Key) -> io::Result<Option<Successor>> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    let successor = Successor::parse(&line, container, key);
    if let Some(successor) = &successor {
        write.write_all(successor.answer(container, key).as_bytes()).await?;
    }
    Ok(successor)
}

/// Tells the taskrunner of `container` on `host`, at whichever of its ports it listens. The error says what
/// the last try ended with.
pub async fn tell(host: &str, container: &str, key: &Key, successor: &Successor) -> Result<(), String> {
    let line = successor.line(container, key);
    let mut why = String::new();
    for port in ports(container) {
        match exchange(host, port, &line).await {
            Ok(answer) if successor.is_taken(&answer, container, key) => return Ok(()),
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
    use crate::keys::LENGTH;

    const CONTAINER: &str = "container_e02_1_0001_01_000002";

    fn successor(attempt: u32) -> Successor {
        Successor { attempt, address: format!("node{attempt}:4711") }
    }

    fn key(byte: u8) -> Key {
        Key::new(&[byte; LENGTH]).unwrap()
    }

    #[tokio::test]
    async fn a_taskrunner_hears_of_its_next_applicationmaster() {
        let (found, mut newest) = watch::channel(None);
        let listening = tokio::spawn(async { listen(CONTAINER, &key(1), found).await });
        let told = async |attempt| {
            for _ in 0..100 {
                if tell("127.0.0.1", CONTAINER, &key(1), &successor(attempt)).await.is_ok() {
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
        assert!(tell("127.0.0.1", CONTAINER, &key(2), &successor(9)).await.is_err());
        assert_eq!(*newest.borrow(), Some(successor(4)));
        drop(newest);
        timeout(DEADLINE, listening).await.unwrap().unwrap().unwrap();
    }

    #[test]
    fn only_what_comes_from_the_application_counts() {
        let line = successor(2).line(CONTAINER, &key(1));
        assert_eq!(Successor::parse(&line, CONTAINER, &key(1)), Some(successor(2)));
        assert_eq!(Successor::parse(&line, CONTAINER, &key(2)), None);
        assert_eq!(Successor::parse(&line, "container_1_0001_01_000003", &key(1)), None);
        assert_eq!(Successor::parse(&line.replace("node2", "evil"), CONTAINER, &key(1)), None);
        assert_eq!(Successor::parse(&line.replace(" 2 container", " 1 container"), CONTAINER, &key(1)), None);
        assert_eq!(Successor::parse("GET / HTTP/1.1\n", CONTAINER, &key(1)), None);
        let bad = Successor { attempt: 2, address: "no-port".into() };
        assert_eq!(Successor::parse(&bad.line(CONTAINER, &key(1)), CONTAINER, &key(1)), None);
    }

    #[test]
    fn only_the_taskrunner_itself_can_say_that_it_has_taken_it() {
        let told = successor(2);
        let answer = told.answer(CONTAINER, &key(1));
        assert!(told.is_taken(&answer, CONTAINER, &key(1)));
        assert!(!told.is_taken(&answer, CONTAINER, &key(2)));
        assert!(!successor(3).is_taken(&answer, CONTAINER, &key(1)), "that of another line");
        let mac = told.line(CONTAINER, &key(1));
        let echoed = format!("{TAKEN} {}", mac.rsplit(' ').next().unwrap());
        for other in ["taken", "taken ", "taken zz", "", &echoed] {
            assert!(!told.is_taken(other, CONTAINER, &key(1)), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_other_line_and_no_other_answer_is_taken(line in "(heddle-successor |taken )?[ -~]{0,200}") {
            assert_eq!(Successor::parse(&line, CONTAINER, &key(1)), None);
            assert!(!successor(2).is_taken(&line, CONTAINER, &key(1)));
        }
    }

    #[test]
    fn each_container_has_some_ports_of_its_own() {
        let found = ports(CONTAINER);
        assert_eq!((found.len(), &found), (CANDIDATES, &ports(CONTAINER)));
        assert!(found.iter().all(|port| PORTS.contains(port)));
        assert_ne!(found, ports("container_e02_1_0001_01_000003"));
    }
}

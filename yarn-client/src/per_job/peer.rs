//! Whose process has opened a connection to a port of this machine. Each user of the machine can connect to
//! it, and only this user's own may.
//!
//! A TCP connection does not tell its user. But the kernel's tables of connections name the user of each
//! socket, and the socket at the other end is in them, because it is on this machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use procfs::net::{TcpNetEntry, TcpState};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// How often the tables are read, and the pause between two times. They are not read in one piece, so an
/// entry may be missed while others come and go.
const READS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// A socket of a connection, as the kernel's tables have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    uid: u32,
    /// Whether a process still holds it. An ended connection is in the table for a while, as if it were the
    /// superuser's.
    held: bool,
}

/// Who has opened a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of this user.
    Ours,
    /// A process of the user with this id.
    Foreign(u32),
    /// A process whose connection had ended before it was found.
    Gone,
    /// The tables do not tell, for this reason.
    Unknown(String),
}

/// What the kernel's tables say, or which of them cannot be read.
type Sockets = Result<Vec<Socket>, String>;

/// The kernel's tables at a time.
struct Reading {
    begun: Instant,
    sockets: Arc<Sockets>,
}

/// Tells whose connections are. The tables can be long, and anybody can open connections. So they are read on
/// a thread that may wait, once at a time, and all connections that wait for a reading share the next one.
pub(super) struct Peers {
    /// The user whose processes may connect.
    uid: u32,
    read: Arc<dyn Fn() -> Sockets + Send + Sync>,
    last: Mutex<Option<Reading>>,
}

impl Peers {
    /// Those that belong to the user of this process, of connections to this port.
    pub(super) fn of_process(port: u16) -> Self {
        Self::reading(move || sockets(port))
    }

    fn reading(read: impl Fn() -> Sockets + Send + Sync + 'static) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self { uid, read: Arc::new(read), last: Mutex::default() }
    }

    /// Who has opened the connection from `client` to `server`, an address of this process. One that the
    /// other side has closed by now, as `closed` says, is not looked for again.
    pub(super) async fn who(
        &self,
        client: SocketAddr,
        server: SocketAddr,
        closed: impl Fn() -> bool,
    ) -> Peer {
        let mut why = String::new();
        for read in 0..READS {
            if read > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match &*self.sockets(Instant::now()).await {
                Ok(sockets) => {
                    if let Some(uid) = owner(sockets, client, server) {
                        return self.judge(uid);
                    }
                    if closed() {
                        return Peer::Gone;
                    }
                    why = "/proc/net/tcp does not have the connection".to_owned();
                }
                Err(error) => why.clone_from(error),
            }
        }
        Peer::Unknown(why)
    }

    /// The tables, as they were at `since` or later.
    async fn sockets(&self, since: Instant) -> Arc<Sockets> {
        let mut last = self.last.lock().await;
        if let Some(reading) = last.as_ref().filter(|reading| reading.begun >= since) {
            return Arc::clone(&reading.sockets);
        }
        let (begun, read) = (Instant::now(), Arc::clone(&self.read));
        let sockets = spawn_blocking(move || read()).await;
        let sockets =
            sockets.unwrap_or_else(|error| Err(format!("the kernel's tables cannot be read: {error}")));
        let sockets = Arc::new(sockets);
        *last = Some(Reading { begun, sockets: Arc::clone(&sockets) });
        sockets
    }

    fn judge(&self, uid: u32) -> Peer {
        if uid == self.uid { Peer::Ours } else { Peer::Foreign(uid) }
    }
}

/// The user of the client's socket of a connection; `None` if it is not in the table.
fn owner(sockets: &[Socket], client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let (client, server) = (plain(client), plain(server));
    let is_it = |socket: &&Socket| plain(socket.local) == client && plain(socket.remote) == server;
    sockets.iter().find(|socket| socket.held && is_it(socket)).map(|socket| socket.uid)
}

/// Java speaks IPv4 with sockets of IPv6, whose addresses are in the other table, in a longer form.
fn plain(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The sockets of TCP that are connected to this port. The error says which table cannot be read.
fn sockets(port: u16) -> Sockets {
    let mut list: Vec<TcpNetEntry> =
        procfs::net::tcp().map_err(|error| format!("cannot read /proc/net/tcp: {error}"))?;
    // A kernel without IPv6 has no second table.
    match procfs::net::tcp6() {
        Ok(more) => list.extend(more),
        Err(procfs::ProcError::NotFound(_)) => {}
        Err(error) => return Err(format!("cannot read /proc/net/tcp6: {error}")),
    }
    let socket = |entry: TcpNetEntry| Socket {
        local: entry.local_address,
        remote: entry.remote_address,
        uid: entry.uid,
        held: !matches!(entry.state, TcpState::TimeWait | TcpState::NewSynRecv) && entry.inode != 0,
    };
    Ok(list.into_iter().filter(|entry| entry.remote_address.port() == port).map(socket).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn socket(local: &str, remote: &str, uid: u32) -> Socket {
        Socket { local: at(local), remote: at(remote), uid, held: true }
    }

    #[test]
    fn the_client_end_of_the_connection_decides() {
        let (client, server) = (at("127.0.0.1:5000"), at("127.0.0.1:80"));
        let other = socket("127.0.0.1:5001", "127.0.0.1:80", 7);
        let ours = socket("127.0.0.1:80", "127.0.0.1:5000", 1);
        assert_eq!(owner(&[other, ours], client, server), None);
        let theirs = socket("127.0.0.1:5000", "127.0.0.1:80", 2);
        assert_eq!(owner(&[other, ours, theirs], client, server), Some(2));
        let elsewhere = socket("127.0.0.1:5000", "127.0.0.1:81", 3);
        assert_eq!(owner(&[elsewhere], client, server), None);
        let java = socket("[::ffff:127.0.0.1]:5000", "[::ffff:127.0.0.1]:80", 4);
        assert_eq!(owner(&[java], client, server), Some(4));
        // A connection that has ended counts as the superuser's in the kernel's table.
        let ended = Socket { held: false, ..socket("127.0.0.1:5000", "127.0.0.1:80", 0) };
        assert_eq!(owner(&[ended], client, server), None);
        assert_eq!(owner(&[ended, java], client, server), Some(4));
    }

    #[tokio::test]
    async fn our_own_connection_is_ours_and_nobody_elses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a connection to this process")]
        let stream = TcpStream::connect(server).await.unwrap();
        let (_accepted, client) = listener.accept().await.unwrap();
        let peers = Peers::of_process(server.port());
        assert_eq!(peers.who(client, server, || false).await, Peer::Ours);
        let of_another = Peers { uid: peers.uid + 1, ..Peers::of_process(server.port()) };
        assert_eq!(of_another.who(client, server, || true).await, Peer::Foreign(peers.uid));
        drop(stream);
    }

    #[tokio::test]
    async fn a_connection_that_is_not_in_the_table_yet_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        // The port is free, and the connection from it comes later.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let later = async {
            tokio::time::sleep(2 * PAUSE).await;
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(free).unwrap();
            socket.connect(server).await.unwrap()
        };
        let peers = Peers::of_process(server.port());
        let (who, _stream) = tokio::join!(peers.who(free, server, || false), later);
        assert_eq!(who, Peer::Ours);
        let missing = peers.who(at("127.0.0.1:1"), server, || false).await;
        assert!(matches!(missing, Peer::Unknown(_)), "{missing:?}");
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_is_looked_for_once() {
        let reads = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reads);
        let peers = Peers::reading(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        });
        assert_eq!(peers.who(at("127.0.0.1:1"), at("127.0.0.1:80"), || true).await, Peer::Gone);
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn many_connections_share_a_reading_and_nothing_waits_for_it() {
        let reads = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reads);
        let (client, server) = (at("127.0.0.1:5000"), at("127.0.0.1:80"));
        let peers = Peers::reading(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(300));
            Ok(vec![socket("127.0.0.1:5000", "127.0.0.1:80", u32::MAX)])
        });
        let judged = join_all((0..200).map(|_| peers.who(client, server, || false)));
        // The only thread for tasks goes on meanwhile.
        let mut others = 0;
        let ticks = async {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                others += 1;
            }
        };
        let judged = tokio::select! {
            judged = judged => judged,
            () = ticks => unreachable!(),
        };
        assert!(judged.iter().all(|peer| *peer == Peer::Foreign(u32::MAX)), "{judged:?}");
        assert!(reads.load(Ordering::Relaxed) <= 2, "{reads:?}");
        assert!(others >= 3, "{others}");
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_read_is_told() {
        let peers = Peers::reading(|| Err("cannot read it".into()));
        let who = peers.who(at("127.0.0.1:1"), at("127.0.0.1:80"), || true).await;
        assert_eq!(who, Peer::Unknown("cannot read it".into()));
    }
}

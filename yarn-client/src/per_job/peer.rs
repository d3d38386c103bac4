//! Whose process has opened a connection to a port of this machine. Each user of the machine can connect to
//! it, and only this user's own may.
//!
//! A TCP connection does not tell its user. But the kernel's tables of connections name the user of each
//! socket, and the socket at the other end is in them, because it is on this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use procfs::net::{TcpNetEntry, TcpState};

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
    /// Nobody can tell, for this reason.
    Unknown(String),
}

/// Tells whose connections are.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    /// The user whose processes may connect.
    uid: u32,
}

impl Peers {
    /// Those that belong to the user of this process.
    pub(super) fn of_process() -> Self {
        Self { uid: rustix::process::geteuid().as_raw() }
    }

    /// Who has opened the connection from `client` to `server`, an address of this process.
    pub(super) async fn who(&self, client: SocketAddr, server: SocketAddr) -> Peer {
        let mut why = "its connection is gone".to_owned();
        for read in 0..READS {
            if read > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match sockets() {
                Ok(sockets) => {
                    if let Some(uid) = owner(&sockets, client, server) {
                        return self.judge(uid);
                    }
                }
                Err(error) => why = error,
            }
        }
        Peer::Unknown(why)
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

/// All sockets of TCP. The error says which table cannot be read.
fn sockets() -> Result<Vec<Socket>, String> {
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
    Ok(list.into_iter().map(socket).collect())
}

#[cfg(test)]
mod tests {
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
        let peers = Peers::of_process();
        assert_eq!(peers.who(client, server).await, Peer::Ours);
        let of_another = Peers { uid: peers.uid + 1 };
        assert_eq!(of_another.who(client, server).await, Peer::Foreign(peers.uid));
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
        let peers = Peers::of_process();
        let (who, _stream) = tokio::join!(peers.who(free, server), later);
        assert_eq!(who, Peer::Ours);
        let gone = peers.who(at("127.0.0.1:1"), server).await;
        assert_eq!(gone, Peer::Unknown("its connection is gone".into()));
    }
}

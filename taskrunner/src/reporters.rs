//! Finds the ports on which Flink's own reporters for Prometheus listen in a JVM.
//!
//! A reporter takes the first free port of a configured range, and only the JVM knows which one that is. To
//! choose a free port for it beforehand would not be certain: another process can take the port before the
//! JVM does. So the sockets are looked at on which the JVM itself listens, as the kernel lists them
//! (`/proc/<pid>/net/tcp` and `tcp6`, and `/proc/<pid>/fd`; proc(5)).

use std::collections::BTreeSet;
use std::time::Duration;

use flink_model::reporters::ranges;
use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};
use tokio::time::sleep;

use crate::jvm::JvmProcess;

/// The pauses between looks. A JVM has its reporters within a few seconds, and looks cost more on a node with
/// many connections.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(10);
/// How many looks are made after short pauses, and how many in all.
const SOON_LOOKS: u32 = 20;
const LOOKS: u32 = 40;

/// The ports of the reporters that may use `wanted` ports, one text for each reporter. It waits until all of
/// them listen, or for about four minutes; then it gives those that do. A reporter that may use any port
/// (`0`) is left out, because its port cannot be told from the others of the JVM.
pub async fn find(jvm: &JvmProcess, wanted: &[String]) -> Vec<u16> {
    let wanted: Vec<String> = wanted.iter().filter(|ports| !ranges(ports).is_empty()).cloned().collect();
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    for look in 0..LOOKS {
        sleep(if look < SOON_LOOKS { SOON } else { LATER }).await;
        let pid = jvm.pid();
        let listening = tokio::task::spawn_blocking(move || listening(pid)).await.unwrap_or_default();
        found = chosen(&wanted, &listening);
        if found.len() == wanted.len() {
            tracing::info!(ports = ?found, "Flink's reporters for Prometheus listen");
            return found;
        }
    }
    tracing::warn!(
        ports = wanted.join("; "),
        ?found,
        "not all of Flink's reporters for Prometheus listen on a port that is configured for them; if several \
         containers share a node, metrics.reporter.<name>.port must be a range with a port for each"
    );
    found
}

/// The port of each reporter among those on which the JVM listens. A port is that of one reporter only.
fn chosen(wanted: &[String], listening: &BTreeSet<u16>) -> Vec<u16> {
    let mut left = listening.clone();
    let mut found = Vec::new();
    for ports in wanted {
        let port = ranges(ports).into_iter().find_map(|range| left.range(range).next().copied());
        if let Some(port) = port {
            left.remove(&port);
            found.push(port);
        }
    }
    found
}

/// The TCP ports on which a process listens; none if it has ended, or if it cannot be looked at.
fn listening(pid: u32) -> BTreeSet<u16> {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else {
        return BTreeSet::new();
    };
    let Ok(descriptors) = process.fd() else { return BTreeSet::new() };
    let sockets: BTreeSet<u64> = descriptors
        .flatten()
        .filter_map(|descriptor| match descriptor.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let all = [process.tcp(), process.tcp6()].into_iter().flat_map(Result::unwrap_or_default);
    all.filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode))
        .map(|entry| entry.local_address.port())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(wanted: &[&str]) -> Vec<String> {
        wanted.iter().map(|ports| (*ports).to_owned()).collect()
    }

    #[test]
    fn each_reporter_has_a_port_of_its_own() {
        let listening = BTreeSet::from([6121, 9251, 9252, 40001]);
        assert_eq!(chosen(&texts(&["9249"]), &listening), Vec::<u16>::new());
        assert_eq!(chosen(&texts(&["9250-9260"]), &listening), [9251]);
        assert_eq!(chosen(&texts(&["9250-9260", "9250-9260"]), &listening), [9251, 9252]);
        assert_eq!(chosen(&texts(&["9300,9252"]), &listening), [9252]);
        assert_eq!(chosen(&texts(&["0", "x"]), &listening), Vec::<u16>::new());
    }

    #[test]
    fn the_ports_of_a_process_are_those_on_which_it_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connected = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let found = listening(std::process::id());
        assert!(found.contains(&port), "{found:?}");
        assert!(!found.contains(&connected.local_addr().unwrap().port()), "{found:?}");
        drop(listener);
        assert!(!listening(std::process::id()).contains(&port));
    }
}

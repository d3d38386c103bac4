//! What can be done while the JobManager still starts: registration with YARN, and asking for TaskManagers
//! that will be needed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use flink_model::spec::{AmSpec, Prewarm};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::controller::allocation::AskAhead;
use crate::controller::event::Web;
use crate::ledger::types::Profile;
use crate::ports::Ports;

/// Key under which the JobManager learns its REST port.
pub(super) const REST_PORT_KEY: &str = "rest.bind-port";
/// Ports that no other program is given by chance: for outgoing connections the kernel takes ports above
/// these, from 32768 as a rule.
const QUIET_PORTS: std::ops::Range<u16> = 15_000..30_000;
const QUIET_TRIES: usize = 20;

/// What can be done ahead.
#[derive(Debug, Default)]
pub(super) struct HeadStart {
    /// The web interface that the JobManager is going to have.
    pub(super) web: Option<Web>,
    /// The TaskManagers that it is going to want.
    pub(super) ask_ahead: Option<AskAhead>,
}

/// Empty where nothing calls for a head start, or no port is free. With high availability the web interface
/// is always known ahead: YARN hears only once where it is, and a JobManager that is started again has to
/// have the same one.
pub(super) fn head_start(spec: &AmSpec, host: &str) -> HeadStart {
    if spec.task_managers.prewarm.is_none() && !spec.application.high_availability {
        return HeadStart::default();
    }
    let Some(port) = free_port(spec.job_manager.rest_ports.as_deref()) else { return HeadStart::default() };
    let scheme = if spec.job_manager.rest_tls { "https" } else { "http" };
    let web = Web { url: format!("{scheme}://{host}:{port}"), port: i32::from(port) };
    let ask_ahead =
        spec.task_managers.prewarm.clone().map(|Prewarm { count, memory_mb, vcores, resources, idle_ms }| {
            let size = Profile { memory_mb, vcores, resources };
            AskAhead { size, count, keep: Duration::from_millis(idle_ms) }
        });
    HeadStart { web: Some(web), ask_ahead }
}

/// A port that is free now, among `configured` ones or among [`QUIET_PORTS`]. It is chosen at random: the
/// first free one may be that of another application whose JobManager is being started again.
fn free_port(configured: Option<&str>) -> Option<u16> {
    let mut random = rand::rng();
    match configured.and_then(|text| text.parse::<Ports>().ok()).filter(|ports| !ports.any()) {
        Some(ports) => {
            let mut all: Vec<u16> = ports.iter().collect();
            all.shuffle(&mut random);
            all.into_iter().find(|port| is_free(*port))
        }
        None => std::iter::repeat_with(|| random.random_range(QUIET_PORTS))
            .take(QUIET_TRIES)
            .find(|port| is_free(*port)),
    }
}

/// Whether nobody listens on this port of this host.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_of_the_configured_ones() {
        let taken = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(free_port(Some(&port.to_string())), None);
        let chosen = free_port(None).unwrap();
        assert!(QUIET_PORTS.contains(&chosen));
        assert_eq!(free_port(Some(&format!("{port},{chosen}"))), Some(chosen));
        assert!(free_port(Some("0")).is_some_and(|port| QUIET_PORTS.contains(&port)));
    }
}

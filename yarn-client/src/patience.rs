//! Decides for how long a ResourceManager or NameNode that does not answer is waited for. A server that
//! restarts or fails over is usually back within a minute, so most commands should not fail at once.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hadoop_fs::{FsError, FsErrorKind};
use hadoop_rpc::{HadoopConf, RpcError, TimeUnit};
use yarn_api::records::ApplicationReport;

/// What a command is about to do, which decides for how long it waits for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The command can do without the answer.
    Little,
    /// The command only reads, and a person waits for the result.
    Reading,
    /// The command starts or ends something, and a restart of the server should not make it fail.
    Changing,
}

/// A time so long that it stands for "without a limit".
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Wait {
    /// The time to wait if the configuration does not set one.
    fn usual(self) -> Duration {
        match self {
            Self::Little => Duration::from_secs(2),
            Self::Reading => Duration::from_secs(20),
            Self::Changing => Duration::from_secs(120),
        }
    }

    /// The time to wait for a ResourceManager if the configuration does not set one. A failover of several
    /// ResourceManagers begins only when ZooKeeper has ended the session of the one that was active, ten
    /// seconds after its death by default, and the next one reads what there is before it is active.
    fn usual_for_resource_manager(self, conf: &HadoopConf) -> Duration {
        let several = conf.get_bool("yarn.resourcemanager.ha.enabled", false).unwrap_or_default();
        match self {
            Self::Reading if several => Duration::from_secs(60),
            _ => self.usual(),
        }
    }

    /// The time to wait for a ResourceManager: the one that the configuration sets for Hadoop's own clients,
    /// or else the usual one.
    pub(crate) fn for_resource_manager(self, conf: &HadoopConf) -> Duration {
        const KEY: &str = "yarn.resourcemanager.connect.max-wait.ms";
        let usual = self.usual_for_resource_manager(conf);
        match conf.origin(KEY) {
            Some(_) if self != Self::Little => match conf.get_i64(KEY, 0) {
                Ok(-1) => FOR_EVER,
                _ => conf.get_duration(KEY, usual, TimeUnit::Millis).unwrap_or(usual),
            },
            _ => usual,
        }
    }

    /// The time to wait for a NameNode: the one that follows from the settings for Hadoop's own clients, or
    /// else the usual one.
    pub(crate) fn for_name_node(self, conf: &HadoopConf) -> Duration {
        if self == Self::Little {
            return self.usual();
        }
        let number = |key: &str, usual: u32| {
            conf.get_i64(key, usual.into()).ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(usual)
        };
        let millis = |key: &str, usual: u64| {
            conf.get_duration(key, Duration::from_millis(usual), TimeUnit::Millis)
                .unwrap_or(Duration::from_millis(usual))
        };
        if conf.get_bool("dfs.client.retry.policy.enabled", false).unwrap_or_default() {
            let spec = conf.get_or("dfs.client.retry.policy.spec", RETRY_SPEC).unwrap_or_default();
            return retry_spec(&spec).unwrap_or(self.usual());
        }
        if conf.origin("ipc.client.connect.max.retries").is_some() {
            let retries = number("ipc.client.connect.max.retries", 10);
            return millis("ipc.client.connect.retry.interval", 1000) * retries;
        }
        if conf.origin("dfs.client.failover.max.attempts").is_some() {
            let base = millis("dfs.client.failover.sleep.base.millis", 500);
            let most = millis("dfs.client.failover.sleep.max.millis", 15000);
            let attempts = number("dfs.client.failover.max.attempts", 15).min(1000);
            let sleep = |attempt: u32| base.saturating_mul(1 << attempt.min(16)).min(most);
            return (0..attempts).map(sleep).sum();
        }
        self.usual()
    }
}

/// Hadoop's default of `dfs.client.retry.policy.spec`.
const RETRY_SPEC: &str = "10000,6,60000,10";

/// The total time of a list of pairs, each a pause in milliseconds and a number of tries. `None` if the text
/// is not such a list.
fn retry_spec(spec: &str) -> Option<Duration> {
    let numbers: Vec<u64> = spec.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let pairs = numbers.chunks_exact(2);
    if !pairs.remainder().is_empty() || numbers.is_empty() {
        return None;
    }
    let millis = pairs.fold(0u64, |sum, pair| match pair {
        [pause, tries] => sum.saturating_add(pause.saturating_mul(*tries)),
        _ => sum,
    });
    Some(Duration::from_millis(millis))
}

/// Who is told that a server is waited for; by default nobody.
#[derive(Clone, Default)]
pub struct Waits(Option<Arc<Told>>);

struct Told {
    listener: Box<dyn Fn(&str) + Send + Sync>,
    /// The servers about which the listener was told already.
    servers: Mutex<HashSet<String>>,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.0.is_some()).finish()
    }
}

impl Waits {
    /// Calls `listener` with a message, once for each server that is waited for.
    pub fn told_to(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Told { listener: Box::new(listener), servers: Mutex::default() })))
    }

    fn tell(&self, server: &str, state: &str, within: Duration) {
        let Some(told) = &self.0 else { return };
        if !told.servers.lock().unwrap_or_else(PoisonError::into_inner).insert(server.to_owned()) {
            return;
        }
        let long =
            if within >= FOR_EVER { String::new() } else { format!(", for up to {} s", within.as_secs()) };
        (told.listener)(&format!("the {server} {state}; waiting for it{long}"));
    }

    /// Tells the listener that a ResourceManager is waited for.
    pub(crate) fn tell_rpc(&self, error: &RpcError, within: Duration) {
        // A server that answers is not waited for, even if it answers only that it is not the active one.
        if error.remote().is_none() {
            let state = format!("does not answer ({})", error.kind());
            self.tell(&format!("ResourceManager at {}", error.address()), &state, within);
        }
    }

    /// Tells the listener that an application is waited for, which does not run yet.
    pub(crate) fn tell_application(&self, found: &ApplicationReport, within: Duration) {
        self.tell(&format!("application {}", found.id), &format!("is in state {}", found.state), within);
    }

    /// Tells the listener that a NameNode is waited for.
    pub(crate) fn tell_fs(&self, error: &FsError, within: Duration) {
        let server = error.server();
        let server =
            server.strip_prefix("NameNode ").map_or(server.to_owned(), |at| format!("NameNode at {at}"));
        let state = match error.kind() {
            FsErrorKind::SafeMode => "is in safe mode".to_owned(),
            _ => format!("does not answer ({})", error.detail()),
        };
        self.tell(&server, &state, within);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pairs: &[(&str, &str)]) -> [[u64; 2]; 2] {
        let conf = HadoopConf::from_map(pairs.iter().copied());
        [Wait::Reading, Wait::Changing]
            .map(|wait| [wait.for_resource_manager(&conf).as_secs(), wait.for_name_node(&conf).as_secs()])
    }

    #[test]
    fn the_keys_of_the_cluster_count_and_else_what_is_usual() {
        assert_eq!(waits(&[]), [[20, 20], [120, 120]]);
        let max_wait = "yarn.resourcemanager.connect.max-wait.ms";
        assert_eq!(waits(&[(max_wait, "3000")]), [[3, 20], [3, 120]]);
        assert_eq!(waits(&[(max_wait, "1m")]), [[60, 20], [60, 120]]);
        assert_eq!(waits(&[(max_wait, "-1")])[0][0], FOR_EVER.as_secs());
        assert_eq!(waits(&[(max_wait, "nonsense")]), [[20, 20], [120, 120]]);
        let retries = ("ipc.client.connect.max.retries", "7");
        assert_eq!(waits(&[retries]), [[20, 7], [120, 7]]);
        assert_eq!(waits(&[retries, ("ipc.client.connect.retry.interval", "3s")])[0][1], 21);
        let enabled = ("dfs.client.retry.policy.enabled", "true");
        assert_eq!(waits(&[enabled, retries])[0][1], 660, "10 s six times, 60 s ten times");
        assert_eq!(waits(&[enabled, ("dfs.client.retry.policy.spec", "1000,5")])[0][1], 5);
        assert_eq!(waits(&[("dfs.client.failover.max.attempts", "4")])[0][1], 7, "0.5 + 1 + 2 + 4 s");
        let several = ("yarn.resourcemanager.ha.enabled", "true");
        assert_eq!(waits(&[several]), [[60, 20], [120, 120]]);
        assert_eq!(waits(&[several, (max_wait, "3000")])[0][0], 3);
        let little =
            Wait::Little.for_resource_manager(&HadoopConf::from_map([several, (max_wait, "900000")]));
        assert_eq!(little.as_secs(), 2);
    }

    #[test]
    fn specifications_of_tries() {
        assert_eq!(retry_spec(" 10, 2,30,4 "), Some(Duration::from_millis(140)));
        for bad in ["", "10", "a,b", "1,2,3"] {
            assert_eq!(retry_spec(bad), None, "{bad}");
        }
    }
}

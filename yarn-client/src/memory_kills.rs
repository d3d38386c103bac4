//! Finds out from the ApplicationMaster's log that YARN or the kernel has killed a TaskManager for its
//! memory. Flink, and so its client, knows only that the TaskManager is gone.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeDelta};

use flink_rest::{RestAddress, RestClient, RestTimeouts};

/// Texts in Flink's errors about a TaskManager that is gone.
const GONE: [&str; 4] = [
    "The TaskExecutor is shutting down",
    "is no longer reachable",
    "onnection unexpectedly closed",
    "Heartbeat of TaskManager",
];
/// The path of the ApplicationMaster's log in the JobManager's REST interface.
pub(crate) const LOG: &str = "/jobmanager/logs/heddle-am.log";
/// For how long the log is read again and again. YARN reports the end of a container some seconds after Flink
/// has noticed it.
const WITHIN: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(500);
/// The time limit of each answer.
const ANSWER: Duration = Duration::from_secs(2);
/// A kill that is this much older than the end of the log has nothing to do with a job that has just failed.
const RECENT: TimeDelta = TimeDelta::seconds(60);

/// Explains why a job has failed, if a TaskManager was killed for its memory. `errors` is what Flink's client
/// has printed; the log is read only if that mentions a TaskManager that is gone.
pub async fn explain(address: &RestAddress, errors: &str) -> Option<String> {
    if !GONE.iter().any(|words| errors.contains(words)) {
        return None;
    }
    let client = RestClient::new(address, RestTimeouts::one_try(ANSWER)).ok()?;
    let begin = Instant::now();
    loop {
        match client.text(LOG).await {
            Ok(log) => {
                if let Some(reason) = last_kill(&log) {
                    return Some(format!("A TaskManager was killed for its memory: {reason}"));
                }
            }
            // A cluster that Flink's own client has started has no log of `heddle-am`.
            Err(error) => tracing::debug!(%error, "no log of the ApplicationMaster"),
        }
        if begin.elapsed() + PAUSE >= WITHIN {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The reason of the last kill for memory in the log, if it is at most `RECENT` older than the end of the
/// log.
fn last_kill(log: &str) -> Option<String> {
    let now = log.lines().rev().find_map(time)?;
    let mut reasons = log.lines().rev().take_while(|line| time(line).is_none_or(|at| now - at <= RECENT));
    reasons.find_map(|line| {
        let (_, reason) = line.split_once("ended worker=")?.1.split_once("reason=\"")?;
        let memory = ["(exit status -104)", "(exit status -103)", "out-of-memory killer"];
        memory.iter().any(|words| reason.contains(words)).then(|| {
            let end = reason.find("; last lines of its log:").unwrap_or(reason.len());
            reason.get(..end).unwrap_or(reason).trim_end_matches('"').to_owned()
        })
    })
}

/// The time of a line of the ApplicationMaster's log.
pub(crate) fn time(line: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(line.split_whitespace().next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "2026-11-28T14:57:00.0Z  WARN app_master::am::brain: worker ended worker=c1 reason=\"c1 on n:1: killed by the NodeManager: \
        more virtual memory than allowed (exit status -103): 9 GB of 2 GB virtual memory used\"";
    const KILL: &str = "2026-11-28T14:59:44.435690Z  WARN app_master::am::brain: why the worker ended worker=c2 reason=\"c2 on n:1: killed by \
        the NodeManager: more physical memory than the container has (exit status -104): 1.3 GB of 1 GB physical memory used; last lines of \
        its log:\\n  bye\"";
    const OTHER: &str = "2026-11-28T14:59:50.0Z  INFO app_master::am::brain: worker ended worker=c3 reason=\"c3 on n:1: given back\"";

    #[test]
    fn the_last_kill_that_is_young_enough() {
        let kill = "c2 on n:1: killed by the NodeManager: more physical memory than the container has (exit status -104): 1.3 GB of 1 GB \
            physical memory used";
        assert_eq!(last_kill(&format!("{OLD}\n{KILL}\n{OTHER}\n")).as_deref(), Some(kill));
        assert_eq!(last_kill(&format!("{OLD}\n{OTHER}\nno time\n")), None);
        assert_eq!(last_kill(""), None);
        let kernel = "2026-11-28T14:59:50.0Z  WARN x: worker ended worker=c3 reason=\"c3: by the kernel's out-of-memory killer\"";
        assert_eq!(last_kill(kernel).as_deref(), Some("c3: by the kernel's out-of-memory killer"));
    }
}

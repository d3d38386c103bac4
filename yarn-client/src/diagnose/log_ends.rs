//! Reads the ends of an application's logs, and adds what they tell of a failure. This works for the
//! applications of Flink's own client, too.

use std::time::Duration;

use diagnosis::facts::{Absent, ContainerEnd, Facts, Part, Seen, Source, Told};
use tokio::time::timeout;
use yarn_api::records::{ApplicationId, ApplicationReport, LogAggregationStatus};

use super::log_text::{Found, What, read, without_frames};
use super::silence::{no_answer, silent, unreachable};
use crate::hadoop::Hadoop;
use crate::logs::{self, Catalog, ContainerLogs, OnNode, Request, Tails, Which};

/// The time limit of all logs together.
const WITHIN: Duration = Duration::from_secs(20);
/// The time limit of all NodeManagers together that are asked for the ends of containers.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Most TaskManagers that have signed off whose NodeManagers are asked; the last ones count.
const MOST_SIGNED_OFF: usize = 8;
/// What is said of a TaskManager that has signed off. A rule looks for it.
const SIGNED_OFF: &str = "it has signed off, and Flink had not told it to end";
/// How much is read of the end of each log, in bytes.
const END: usize = 64 << 10;
/// Most TaskManagers whose logs are read, and most JobManagers, one of each attempt.
const MOST_WORKERS: usize = 3;
const MOST_MASTERS: usize = 3;
/// What the JVM prints to its error stream is in files with this end.
const STDERR: &str = ".err";
/// The log files that are read.
const FILES: [&str; 8] = [
    "jobmanager.log",
    "jobmanager.err",
    "jobmanager.out",
    "taskmanager.log",
    "taskmanager.err",
    "taskmanager.out",
    "heddle-am.log",
    "prelaunch.err",
];

/// What was found in one log.
struct OfLog {
    source: Source,
    place: String,
    found: Vec<Found>,
}

/// Adds what the logs of the application tell. `owner` is the user who has submitted it, if that is known;
/// `now` is the time in ms since 1970.
pub(super) async fn add(
    facts: &mut Facts,
    hadoop: &Hadoop,
    (id, report): (ApplicationId, Option<&ApplicationReport>),
    owner: Option<String>,
    now: u64,
) {
    let files = FILES.iter().map(|file| (*file).to_owned()).collect();
    let request = Request { application: id, owner, which: Which::All, attempt: None, files };
    let suspects: Vec<String> = facts.ends.iter().map(|seen| seen.fact.container.clone()).collect();
    let is_live = report.is_some_and(|report| !report.state.is_final());
    // What was read before the time is over counts.
    let mut told = Vec::new();
    let work = read_all(hadoop, &request, report, &suspects, &mut told);
    let done = timeout(WITHIN, work).await.unwrap_or_else(|_| Err(no_answer(WITHIN)));
    if let Err(absent) = done {
        let witness = if is_live { Source::NodeManager } else { Source::AggregatedLogs };
        facts.absent.push(silent(witness, now, absent));
    }
    let mut signed_off = Vec::new();
    told.into_iter().for_each(|of_log| take(facts, of_log, &mut signed_off));
    // At the end of an application, all of them do that.
    if is_live {
        signed_off.retain(|seen| !facts.ends.iter().any(|end| end.fact.container == seen.fact.container));
        signed_off.drain(..signed_off.len().saturating_sub(MOST_SIGNED_OFF));
        add_signed_off(facts, hadoop, signed_off, now).await;
    }
}

/// Adds how TaskManagers have ended that have signed off, as their NodeManagers tell it. A NodeManager knows
/// it until Flink's ApplicationMaster has been told, which may be for some seconds only.
async fn add_signed_off(facts: &mut Facts, hadoop: &Hadoop, signed_off: Vec<Seen<OnNode>>, now: u64) {
    let containers: Vec<OnNode> = signed_off.iter().map(|seen| seen.fact.clone()).collect();
    let told = match timeout(ENDS_WITHIN, logs::ended(hadoop, &containers)).await {
        Ok(Ok(told)) => told,
        Ok(Err(failure)) => {
            facts.absent.push(silent(Source::NodeManager, now, unreachable(failure)));
            Vec::new()
        }
        Err(_) => {
            facts.absent.push(silent(Source::NodeManager, now, no_answer(ENDS_WITHIN)));
            Vec::new()
        }
    };
    let told = told.into_iter().chain(std::iter::repeat(None));
    for (Seen { source, at, fact: OnNode { container, node } }, told) in signed_off.into_iter().zip(told) {
        let end = ContainerEnd {
            part: Part::TaskManager,
            container,
            node: Some(node).filter(|node| !node.is_empty()),
            ..ContainerEnd::default()
        };
        facts.ends.push(match told {
            Some(told) => {
                let (status, code) = (Some(told.status), Some(told.status).filter(|status| *status > 0));
                let diagnostics = without_frames(&told.diagnostics);
                Seen {
                    source: Source::NodeManager,
                    at,
                    fact: ContainerEnd { status, code, diagnostics, ..end },
                }
            }
            None => Seen { source, at, fact: ContainerEnd { said: vec![SIGNED_OFF.to_owned()], ..end } },
        });
    }
}

/// Reads the logs, and adds what is found in each to `told`.
async fn read_all(
    hadoop: &Hadoop,
    request: &Request,
    report: Option<&ApplicationReport>,
    suspects: &[String],
    told: &mut Vec<OfLog>,
) -> Result<(), Absent> {
    let catalog = logs::find(hadoop, request).await.map_err(unreachable)?;
    if catalog.count() == 0 {
        return Err(none(&catalog, report));
    }
    let mut tails = Tails::new(catalog.application.as_str());
    for container in chosen(&catalog.containers, suspects) {
        let part = if container.is_job_manager() { Part::JobManager } else { Part::TaskManager };
        for log in container.logs.iter().filter(|log| log.bytes > 0) {
            let source = match log.source {
                logs::Source::NodeManager => Source::NodeManager,
                logs::Source::Aggregated => Source::AggregatedLogs,
            };
            match tails.read(container, log, END).await {
                Ok(end) => {
                    let place = format!("{}/{}", container.container, log.file);
                    let text = String::from_utf8_lossy(end.lines());
                    let found = read(&text, part, log.file.ends_with(STDERR));
                    told.push(OfLog { source, place, found });
                }
                Err(missing) => tracing::debug!(missing = missing.line(), "a log is not read"),
            }
        }
    }
    Ok(())
}

/// Why there are no logs.
fn none(catalog: &Catalog, report: Option<&ApplicationReport>) -> Absent {
    let status = report.and_then(|report| report.log_aggregation);
    if status == Some(LogAggregationStatus::Disabled) && !catalog.is_live {
        return Absent::Off;
    }
    let why: Vec<String> = catalog.missing.iter().map(logs::Missing::line).collect();
    if why.is_empty() { Absent::Nothing } else { unreachable(why.join("; ")) }
}

/// The containers whose logs are read: the last JobManagers, and the last TaskManagers, but first those that
/// are known to have ended.
fn chosen<'a>(containers: &'a [ContainerLogs], suspects: &[String]) -> Vec<&'a ContainerLogs> {
    let (mut masters, mut workers): (Vec<_>, Vec<_>) =
        containers.iter().partition(|container| container.is_job_manager());
    // They are in the order of their ids.
    masters.reverse();
    workers.reverse();
    workers.sort_by_key(|container| !suspects.contains(&container.container));
    masters.truncate(MOST_MASTERS);
    workers.truncate(MOST_WORKERS);
    masters.append(&mut workers);
    masters
}

/// Takes what one log tells into the facts, but for TaskManagers that have signed off.
fn take(facts: &mut Facts, OfLog { source, place, found }: OfLog, signed_off: &mut Vec<Seen<OnNode>>) {
    for Found { at, what } in found {
        match what {
            What::SignedOff { container, node } => {
                signed_off.push(Seen { source, at, fact: OnNode { container, node } });
            }
            What::End(fact) => facts.ends.push(Seen { source, at, fact }),
            What::Failed(fact) => facts.jobs.push(Seen { source, at, fact }),
            What::Told(voice, text) => {
                let fact = Told { voice, place: place.clone(), text };
                facts.told.push(Seen { source, at, fact });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{Job, Voice};
    use diagnosis::judge;

    use super::*;
    use crate::logs::Role;

    fn container(number: u32, role: Role) -> ContainerLogs {
        ContainerLogs::new(format!("container_1_0001_01_{number:06}").parse().unwrap(), role)
    }

    #[test]
    fn a_few_containers_are_chosen() {
        let mut all = vec![container(1, Role::JobManager)];
        all.extend((2..9).map(|number| container(number, Role::TaskManager(number - 1))));
        let suspects = ["container_1_0001_01_000003".to_owned()];
        let ids = |chosen: Vec<&ContainerLogs>| -> Vec<u64> {
            chosen.into_iter().map(|container| container.id.sequence()).collect()
        };
        assert_eq!(ids(chosen(&all, &suspects)), [1, 3, 8, 7]);
        assert_eq!(ids(chosen(&all, &[])), [1, 8, 7, 6]);
        assert!(chosen(&[], &suspects).is_empty());
    }

    #[test]
    fn what_a_log_tells_is_found() {
        let job = Job { state: "FAILED".into(), exception: "a.B: x".into(), ..Job::default() };
        let of_log = OfLog {
            source: Source::AggregatedLogs,
            place: "c/jobmanager.log".into(),
            found: vec![
                Found { at: Some(1), what: What::Failed(job) },
                Found { at: Some(2), what: What::Told(Voice::JobManager, "c.D: y".into()) },
                Found { at: Some(3), what: What::SignedOff { container: "c".into(), node: "n:1".into() } },
            ],
        };
        let (mut facts, mut signed_off) = (Facts::default(), Vec::new());
        take(&mut facts, of_log, &mut signed_off);
        assert_eq!((facts.jobs.len(), facts.ends.len(), signed_off.len()), (1, 0, 1));
        assert_eq!(facts.told[0].fact.place, "c/jobmanager.log");
        let found = judge(&facts);
        assert_eq!(found[0].rule, "job-fails");
        assert_eq!(found[0].evidence[0].source, Source::AggregatedLogs);
    }

    #[test]
    fn one_that_has_signed_off_is_a_guess() {
        let fact = ContainerEnd { said: vec![SIGNED_OFF.into()], ..ContainerEnd::default() };
        let seen = Seen { source: Source::NodeManager, at: Some(1), fact };
        let found = judge(&Facts { ends: vec![seen], ..Facts::default() });
        assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["worker-signed-off"]);
    }
}

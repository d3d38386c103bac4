//! Puts together what all witnesses say of the memory of an application.

use std::cmp::Reverse;

use diagnosis::facts::Part;
use diagnosis::memory_use::{ProcessUse, Remark, remarks};
use flink_rest::{RestClient, RestTimeouts};
use serde::Serialize;
use taskrunner::memory_log::Noted;
use yarn_api::records::ApplicationId;

use super::job_manager::{job_manager, settings, task_managers};
use super::noted;
use crate::application::{application_report, report_address};
use crate::diagnose::Inquiry;
use crate::error::{Failure, RestFailure};

/// How many TaskManagers are told of one by one: those that use most.
const MOST: usize = 20;

/// What the processes of an application use. The field names are those of `--output json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveMemory {
    /// The id of the application.
    pub application: String,
    /// Its name.
    pub name: String,
    /// The release of Flink.
    pub flink: String,
    /// How many jobs run.
    pub jobs: u32,
    /// The JobManager, and the TaskManagers that use most.
    pub processes: Vec<ProcessUse>,
    /// How many TaskManagers are not told of one by one.
    pub more: usize,
    /// What must be larger, and what could be smaller.
    pub remarks: Vec<Remark>,
    /// What is not known, and why.
    pub missing: Vec<String>,
}

/// Asks the JobManager of a running application, and reads the logs. It is a failure if there is no such
/// application, if it does not run, or if its JobManager does not answer.
pub async fn ask(inquiry: &Inquiry, id: ApplicationId) -> Result<LiveMemory, Failure> {
    let yarn = inquiry.hadoop().yarn()?;
    let report = application_report(&yarn, id).await?;
    let address = report_address(&report, inquiry.security())?;
    let what = || format!("cannot ask the JobManager of {id} for its memory");
    let client = RestClient::new(&address, RestTimeouts::default()).map_err(|error| error.failure(what()))?;
    let (overview, config, workers) =
        tokio::join!(client.overview(), client.job_manager_config(), client.task_managers());
    let overview = overview.map_err(|error| error.failure(what()).of_application(id))?;
    let workers = workers.map_err(|error| error.failure(what()).of_application(id))?;
    let mut missing = Vec::new();
    let config = config.unwrap_or_else(|error| {
        missing.push(format!("the configuration: {error}"));
        Vec::new()
    });
    let settings = settings(&overview.flink_version, &config).filter(|_| !config.is_empty());
    let master = match report.attempt_id {
        Some(attempt) => yarn.attempt_report(attempt).await.ok().and_then(|attempt| attempt.am_container),
        None => None,
    };
    let master = master.map_or_else(|| "JobManager".to_owned(), |container| container.to_string());
    let ids = workers.into_iter().map(|worker| worker.id).collect();
    let (own, (workers, silent)) =
        tokio::join!(job_manager(&client, &master, settings.as_ref()), task_managers(&client, ids));
    missing.extend(silent);
    let mut processes: Vec<ProcessUse> = Vec::new();
    match own {
        Ok(own) => processes.push(own),
        Err(error) => missing.push(format!("the JobManager: {error}")),
    }
    let without = workers.iter().filter(|one| one.heap.used.is_none()).count();
    if without > 0 {
        missing.push(format!(
            "what the JVMs of {without} TaskManagers use: the JobManager has no metrics of them yet"
        ));
    }
    let (shown, more) = (chosen(&workers), workers.len().saturating_sub(MOST));
    // The remarks are about all of them, also those that are not shown.
    let mut all = processes.clone();
    all.extend(workers);
    let names: Vec<&str> = processes.iter().chain(&shown).map(|one| one.container.as_str()).collect();
    let words = noted::read(inquiry.hadoop(), id, &names).await;
    missing.extend(words.missing);
    if words.noted.is_empty() {
        missing.push(
            "what the processes use as a whole: only heddle's applications note that, and only in logs that you may read"
                .to_owned(),
        );
    }
    all.iter_mut().for_each(|one| add(one, words.noted.get(&one.container)));
    processes.extend(shown);
    for one in &mut processes {
        let noted = words.noted.get(&one.container).copied();
        add(one, noted.as_ref());
    }
    Ok(LiveMemory {
        application: id.to_string(),
        name: report.name.clone(),
        flink: overview.flink_version.clone(),
        jobs: overview.jobs_running,
        remarks: remarks(&all, settings.as_ref(), overview.jobs_running),
        processes,
        more,
        missing,
    })
}

/// The TaskManagers that use most of their heaps, in the order of their names.
fn chosen(workers: &[ProcessUse]) -> Vec<ProcessUse> {
    let mut shown = workers.to_vec();
    shown.sort_by_key(|one| Reverse(one.heap.used));
    shown.truncate(MOST);
    shown.sort_by(|a, b| a.container.cmp(&b.container));
    shown
}

/// Adds what the process uses as a whole.
fn add(one: &mut ProcessUse, noted: Option<&Noted>) {
    let Some(noted) = noted else { return };
    one.process.used = Some(noted.rss);
    one.peak = Some(noted.peak.max(noted.rss));
    // The JobManager shares its container with heddle-am, so the limit of that is not its own.
    if noted.cgroup_limit > 0 && one.part == Part::TaskManager {
        one.process.max = Some(one.process.max.map_or(noted.cgroup_limit, |max| max.min(noted.cgroup_limit)));
    }
}

#[cfg(test)]
mod tests {
    use diagnosis::memory_use::Share;

    use super::*;

    #[test]
    fn of_many_those_that_use_most_are_shown() {
        let worker = |number: u64| ProcessUse {
            heap: Share { used: Some(number), ..Share::default() },
            ..ProcessUse::new(Part::TaskManager, format!("c{number:03}"))
        };
        let all: Vec<ProcessUse> = (0..100).map(worker).collect();
        let shown = chosen(&all);
        assert_eq!((shown.len(), shown[0].container.as_str()), (MOST, "c080"));
        assert_eq!(chosen(&all[..3]).len(), 3);
    }

    #[test]
    fn what_was_noted_is_added() {
        let noted = Noted { at: 1, rss: 500, peak: 700, cgroup_limit: 900 };
        let mut one = ProcessUse::new(Part::TaskManager, "c2");
        one.process.max = Some(1000);
        add(&mut one, None);
        assert_eq!((one.process.used, one.peak), (None, None));
        add(&mut one, Some(&noted));
        assert_eq!((one.process.used, one.peak, one.process.max), (Some(500), Some(700), Some(900)));
        let mut master = ProcessUse { part: Part::JobManager, ..ProcessUse::new(Part::JobManager, "c1") };
        add(&mut master, Some(&noted));
        assert_eq!(master.process.max, None);
    }
}

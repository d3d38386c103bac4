//! `heddle ps`: the applications of heddle and of flink-yarn, with their jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use serde::Serialize;
use yarn_api::records::{ApplicationFilter, ApplicationReport, ApplicationState, FinalStatus};

use crate::deploy::SUBMISSION_TAG;
use crate::error::Failure;
use crate::hadoop::{Hadoop, yarn_failure};
use crate::rest::{JobSummary, Limits, RestClient};
use crate::table;
use crate::target::report_address;

/// Type of Flink's applications in YARN, unless the user gives them another.
const FLINK_TYPE: &str = "Apache Flink";

/// A JobManager that does not answer within this time has no answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// JobManagers that are asked at the same time.
const AT_ONCE: usize = 32;

/// Which applications to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those that have ended, too.
    pub ended: bool,
    /// Whose.
    pub of: Owner,
}

/// Whose applications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// The calling user's.
    #[default]
    Caller,
    /// This user's.
    User(String),
    /// Everybody's.
    Everybody,
}

/// Which client submitted an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// heddle.
    Heddle,
    /// Flink's own.
    Flink,
}

/// One application. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
pub struct Application {
    /// Its id.
    pub application: String,
    /// Its name.
    pub name: String,
    /// Its type in YARN.
    #[serde(rename = "type")]
    pub application_type: String,
    /// Who submitted it.
    pub by: By,
    /// Its user.
    pub user: String,
    /// Its queue.
    pub queue: String,
    /// Its state, in YARN's words.
    pub state: String,
    /// How it has ended; none before.
    pub final_status: Option<String>,
    /// Its jobs; none where they are not known.
    pub jobs: Option<Vec<Job>>,
    /// Why they are not known, though it runs.
    pub jobs_error: Option<String>,
    /// When it was submitted, ISO 8601.
    pub submitted: Option<String>,
    /// When it ended, ISO 8601.
    pub ended: Option<String>,
    /// Its web page: Flink's own while it runs, YARN's after that.
    pub web: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    #[serde(skip)]
    submitted_ms: Option<u64>,
}

/// A job of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state, in Flink's words.
    pub state: String,
    /// When it started, ISO 8601.
    pub started: Option<String>,
    /// When it ended, ISO 8601.
    pub ended: Option<String>,
}

/// The applications that are wanted, by their ids.
pub async fn list(hadoop: &Hadoop, wanted: &Wanted) -> Result<Vec<Application>, Failure> {
    let reports = hadoop.yarn()?.applications(&filter(wanted, hadoop)).await.map_err(|e| yarn_failure(&e))?;
    let mut found: Vec<(ApplicationReport, By)> =
        reports.into_iter().filter_map(|r| by(&r).map(|by| (r, by))).collect();
    found.sort_by_key(|(r, _)| r.id);
    let asked = futures::stream::iter(found).map(|(report, by)| async move {
        let jobs = jobs(&report).await;
        application(&report, by, jobs)
    });
    Ok(asked.buffered(AT_ONCE).collect().await)
}

/// YARN filters tags by their whole text only, so that they are looked at here.
fn filter(wanted: &Wanted, hadoop: &Hadoop) -> ApplicationFilter {
    let user = match &wanted.of {
        Owner::Caller => Some(hadoop.user.short_name().to_owned()),
        Owner::User(user) => Some(user.clone()),
        Owner::Everybody => None,
    };
    ApplicationFilter {
        users: user.into_iter().collect(),
        states: if wanted.ended { BTreeSet::new() } else { live_states() },
        ..ApplicationFilter::default()
    }
}

/// States of applications that have not ended.
pub(crate) fn live_states() -> BTreeSet<ApplicationState> {
    ApplicationState::ALL.iter().copied().filter(|s| !s.is_final()).collect()
}

/// Which client submitted it; none if it is nothing of Flink's.
pub(crate) fn by(report: &ApplicationReport) -> Option<By> {
    if report.tags.iter().any(|tag| tag.starts_with(SUBMISSION_TAG)) {
        Some(By::Heddle)
    } else {
        report.application_type.eq_ignore_ascii_case(FLINK_TYPE).then_some(By::Flink)
    }
}

/// The jobs that the JobManager tells of; none where there is no JobManager to ask.
async fn jobs(report: &ApplicationReport) -> Option<Result<Vec<JobSummary>, String>> {
    let address = report_address(report).ok()?;
    let answer = async { RestClient::new(&address, Limits::one_try(ANSWER_WITHIN))?.jobs().await };
    Some(match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer from {address} within {} s", ANSWER_WITHIN.as_secs())),
    })
}

fn application(
    report: &ApplicationReport,
    by: By,
    jobs: Option<Result<Vec<JobSummary>, String>>,
) -> Application {
    let (jobs, jobs_error) = match jobs {
        None => (None, None),
        Some(Ok(list)) => (Some(list.iter().map(job).collect()), None),
        Some(Err(why)) => (None, Some(why)),
    };
    let web = report_address(report).ok().map(|address| format!("http://{address}"));
    let status = report.final_status;
    Application {
        application: report.id.to_string(),
        name: report.name.clone(),
        application_type: report.application_type.clone(),
        by,
        user: report.user.clone(),
        queue: report.queue.clone(),
        state: report.state.to_string(),
        final_status: (status != FinalStatus::Undefined).then(|| status.to_string()),
        jobs,
        jobs_error,
        submitted: report.start_time.and_then(table::iso),
        ended: report.finish_time.and_then(table::iso),
        web: web.or_else(|| report.tracking_url.clone().filter(|url| url != "N/A")),
        tags: report.tags.iter().cloned().collect(),
        submitted_ms: report.start_time,
    }
}

fn job(summary: &JobSummary) -> Job {
    let time = |millis: i64| u64::try_from(millis).ok().and_then(table::iso);
    Job {
        id: summary.id.to_string(),
        name: summary.name.clone(),
        state: summary.state.to_string(),
        started: time(summary.start_time),
        ended: time(summary.end_time),
    }
}

/// The list for people.
pub fn render(list: &[Application], now: SystemTime) -> String {
    const HEADER: [&str; 9] = ["APPLICATION", "NAME", "BY", "USER", "QUEUE", "STATE", "JOBS", "AGE", "WEB"];
    let row = |a: &Application| {
        let since = a.submitted_ms.map(|ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        let age = since.map(|since| table::span(now.duration_since(since).unwrap_or_default()));
        let by = match a.by {
            By::Heddle => "heddle",
            By::Flink => "flink",
        };
        vec![
            a.application.clone(),
            a.name.clone(),
            by.to_owned(),
            a.user.clone(),
            a.queue.clone(),
            state(a),
            counts(a),
            age.unwrap_or_else(|| "-".into()),
            a.web.clone().unwrap_or_else(|| "-".into()),
        ]
    };
    table::render(&HEADER, &[], list.iter().map(row))
}

/// The state, with the final status where that says more.
fn state(application: &Application) -> String {
    match &application.final_status {
        Some(status) if *status != application.state => format!("{} ({status})", application.state),
        _ => application.state.clone(),
    }
}

/// `2 RUNNING, 1 FINISHED`: jobs that have ended come last.
fn counts(application: &Application) -> String {
    let Some(jobs) = &application.jobs else {
        return if application.jobs_error.is_some() { "no answer" } else { "-" }.into();
    };
    let ended = |state: &str| matches!(state, "FINISHED" | "FAILED" | "CANCELED");
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for job in jobs {
        *counts.entry((ended(&job.state), &job.state)).or_default() += 1;
    }
    let list: Vec<String> = counts.iter().map(|((_, state), count)| format!("{count} {state}")).collect();
    if list.is_empty() { "none".into() } else { list.join(", ") }
}

#[cfg(test)]
#[path = "ps_tests.rs"]
mod tests;

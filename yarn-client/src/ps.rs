//! The applications of heddle and of flink-yarn, with their jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use flink_rest::{JobSummary, RestClient, RestTimeouts};
use futures::StreamExt;
use serde::Serialize;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, ApplicationState, FinalStatus};

use crate::application::{SUBMISSION_TAG, application_report, report_address};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::units::iso;

/// Type of Flink's applications in YARN, unless the user gives them another.
const FLINK_TYPE: &str = "Apache Flink";

/// A JobManager that does not answer within this time is shown without its jobs.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// JobManagers that are asked at the same time.
const AT_ONCE: usize = 32;

/// Which applications to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Those that have ended, too.
    pub ended: bool,
    /// Whose applications.
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
    /// Not known: the application is nothing of Flink's, or was given a type of its own.
    Other,
}

/// One application. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
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
    pub web_interface: Option<String>,
    /// What YARN says about it: why it waits, or has failed.
    pub diagnostics: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was submitted, milliseconds since 1970.
    #[serde(skip)]
    pub submitted_ms: Option<u64>,
    /// When it ended, milliseconds since 1970.
    #[serde(skip)]
    pub ended_ms: Option<u64>,
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

/// The applications that the filter lets through, by their ids.
pub async fn list(hadoop: &Hadoop, filter: &Filter) -> Result<Vec<Application>, Failure> {
    let reports = hadoop
        .yarn()?
        .applications(&application_filter(filter, hadoop))
        .await
        .map_err(|e| yarn_failure(&e))?;
    let mut found: Vec<(ApplicationReport, By)> =
        reports.into_iter().filter_map(|r| by(&r).map(|by| (r, by))).collect();
    found.sort_by_key(|(r, _)| r.id);
    let asked = futures::stream::iter(found).map(|(report, by)| async move {
        let jobs = jobs(&report).await;
        application(&report, by, jobs)
    });
    Ok(asked.buffered(AT_ONCE).collect().await)
}

/// These applications, whatever they are.
pub async fn named(hadoop: &Hadoop, ids: &[ApplicationId]) -> Result<Vec<Application>, Failure> {
    let yarn = hadoop.yarn()?;
    let mut list = Vec::new();
    for id in ids {
        let report = application_report(&yarn, *id).await?;
        let jobs = jobs(&report).await;
        list.push(application(&report, by(&report).unwrap_or(By::Other), jobs));
    }
    Ok(list)
}

/// YARN filters tags by their whole text only, so that they are looked at here.
fn application_filter(filter: &Filter, hadoop: &Hadoop) -> ApplicationFilter {
    let user = match &filter.of {
        Owner::Caller => Some(hadoop.login.user().short_name().to_owned()),
        Owner::User(user) => Some(user.clone()),
        Owner::Everybody => None,
    };
    ApplicationFilter {
        users: user.into_iter().collect(),
        states: if filter.ended { BTreeSet::new() } else { live_states() },
        ..ApplicationFilter::default()
    }
}

/// States of applications that have not ended.
pub fn live_states() -> BTreeSet<ApplicationState> {
    ApplicationState::ALL.iter().copied().filter(|s| !s.is_final()).collect()
}

/// Which client submitted it; none if it is nothing of Flink's.
pub fn by(report: &ApplicationReport) -> Option<By> {
    if report.tags.iter().any(|tag| tag.starts_with(SUBMISSION_TAG)) {
        Some(By::Heddle)
    } else {
        report.application_type.eq_ignore_ascii_case(FLINK_TYPE).then_some(By::Flink)
    }
}

/// The jobs that the JobManager tells of; none where there is no JobManager to ask.
async fn jobs(report: &ApplicationReport) -> Option<Result<Vec<JobSummary>, String>> {
    let address = report_address(report).ok()?;
    let answer = async { RestClient::new(&address, RestTimeouts::one_try(ANSWER_WITHIN))?.jobs().await };
    Some(match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer from {address} within {} s", ANSWER_WITHIN.as_secs())),
    })
}

/// An application as the list shows it, from YARN's report and what its JobManager tells of its jobs.
pub fn application(
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
        submitted: report.start_time.and_then(iso),
        ended: report.finish_time.filter(|_| report.state.is_final()).and_then(iso),
        web_interface: web.or_else(|| report.tracking_url.clone().filter(|url| url != "N/A")),
        diagnostics: report.diagnostics.clone().filter(|text| !text.trim().is_empty()),
        tags: report.tags.iter().cloned().collect(),
        submitted_ms: report.start_time,
        ended_ms: report.finish_time.filter(|_| report.state.is_final()),
    }
}

/// A job as the answers show it.
pub fn job(summary: &JobSummary) -> Job {
    let time = |millis: i64| u64::try_from(millis).ok().and_then(iso);
    Job {
        id: summary.id.to_string(),
        name: summary.name.clone(),
        state: summary.state.to_string(),
        started: time(summary.start_time),
        ended: time(summary.end_time),
    }
}

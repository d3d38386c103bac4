//! Lists the applications of heddle and of Flink's own client, with their jobs (`heddle ps`). The
//! applications come from the ResourceManager, and the jobs from the JobManager of each application.

use std::collections::BTreeSet;
use std::time::Duration;

use flink_model::config::masked_lines;
use flink_model::options;
use flink_rest::{ConfigEntry, JobSummary, RestClient, RestTimeouts, Scheme};
use futures::StreamExt;
use futures::future::join;
use serde::Serialize;
use taskrunner::submission::HDFS_ACCESS_END_KEY;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, ApplicationState, FinalStatus};

use crate::application::{SUBMISSION_TAG, application_report, report_address, rest_place, scheme};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::rest_security::RestSecurity;
use crate::units::iso;

/// The type of Flink's applications in YARN, unless the user gives them another type.
const FLINK_TYPE: &str = "Apache Flink";

/// The time limit for a JobManager's answer. After it, the application is listed without its jobs.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The number of JobManagers that are asked at the same time.
const AT_ONCE: usize = 32;

/// Which applications are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Whether applications that have ended are listed, too.
    pub ended: bool,
    /// Whose applications are listed.
    pub of: Owner,
}

/// Whose applications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// Those of the calling user.
    #[default]
    Caller,
    /// Those of this user.
    User(String),
    /// Those of all users.
    Everybody,
}

/// Which client submitted an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// heddle has submitted the application.
    Heddle,
    /// Flink's own client has submitted the application.
    Flink,
    /// The client is not known: either the application is not one of Flink's, or it has another type.
    Other,
}

/// One application. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The id.
    pub application: String,
    /// The name.
    pub name: String,
    /// The type in YARN.
    #[serde(rename = "type")]
    pub application_type: String,
    /// Which client submitted it.
    pub by: By,
    /// The user.
    pub user: String,
    /// The queue.
    pub queue: String,
    /// The state, in YARN's words.
    pub state: String,
    /// The final status, in YARN's words; `None` before the end.
    pub final_status: Option<String>,
    /// The jobs; `None` if they are not known.
    pub jobs: Option<Vec<Job>>,
    /// Why the jobs of a running application are not known.
    pub jobs_error: Option<String>,
    /// When it was submitted, in ISO 8601.
    pub submitted: Option<String>,
    /// When it ended, in ISO 8601.
    pub ended: Option<String>,
    /// Its delegation tokens, on a cluster with Kerberos; `None` if nothing is known of them.
    pub tokens: Option<Tokens>,
    /// The URL of its web page: Flink's own while it runs, and YARN's afterwards.
    pub web_interface: Option<String>,
    /// YARN's diagnostics, such as why the application waits or has failed. Secrets in them are hidden.
    pub diagnostics: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// Whether the ResourceManager has forgotten it. Then all that is known of it is what heddle-am has left.
    pub forgotten: bool,
    /// Why it has failed, if it is forgotten and that is known.
    pub cause: Option<String>,
    /// When it was submitted, in milliseconds since 1970.
    #[serde(skip)]
    pub submitted_ms: Option<u64>,
    /// When it ended, in milliseconds since 1970.
    #[serde(skip)]
    pub ended_ms: Option<u64>,
}

/// The delegation tokens with which an application uses its file systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Whether the JobManager has a keytab. Then others take the place of the tokens before they end.
    pub replaced: bool,
    /// When the first of those ends with which the newest attempt was started, in ISO 8601.
    pub ends: Option<String>,
    /// The same in milliseconds since 1970.
    #[serde(skip)]
    pub ends_ms: Option<u64>,
}

impl Tokens {
    /// What the configuration of a JobManager tells.
    fn of(configuration: &[ConfigEntry]) -> Option<Self> {
        let value = |key: &str| configuration.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let keytab = &options::KERBEROS_KEYTAB;
        let mut keys = std::iter::once(&keytab.key).chain(keytab.deprecated);
        let replaced = keys.any(|key| value(key).is_some_and(|path| !path.is_empty()));
        let ends_ms: Option<u64> = value(HDFS_ACCESS_END_KEY).and_then(|end| end.parse().ok());
        (replaced || ends_ms.is_some()).then(|| Self { replaced, ends: ends_ms.and_then(iso), ends_ms })
    }
}

/// A job of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The state, in Flink's words.
    pub state: String,
    /// When it started, in ISO 8601.
    pub started: Option<String>,
    /// When it ended, in ISO 8601.
    pub ended: Option<String>,
}

/// Lists the applications that match the filter, in the order of their ids. It is a failure if the
/// ResourceManager does not answer.
pub async fn list(
    hadoop: &Hadoop,
    filter: &Filter,
    security: &RestSecurity,
) -> Result<Vec<Application>, Failure> {
    let reports = hadoop
        .yarn()?
        .applications(&application_filter(filter, hadoop))
        .await
        .map_err(|e| yarn_failure(&e))?;
    let mut found: Vec<(ApplicationReport, By)> =
        reports.into_iter().filter_map(|r| by(&r).map(|by| (r, by))).collect();
    found.sort_by_key(|(r, _)| r.id);
    let kerberos = !hadoop.via.is_name();
    let described = futures::stream::iter(found).map(|(report, by)| asked(report, by, kerberos, security));
    Ok(described.buffered(AT_ONCE).collect().await)
}

/// Lists the applications with these ids, whichever client has submitted them. It is a failure if the
/// ResourceManager does not know one of them.
pub async fn named(
    hadoop: &Hadoop,
    ids: &[ApplicationId],
    security: &RestSecurity,
) -> Result<Vec<Application>, Failure> {
    let yarn = hadoop.yarn()?;
    let mut list = Vec::new();
    for id in ids {
        let report = application_report(&yarn, *id).await?;
        let by = by(&report).unwrap_or(By::Other);
        list.push(asked(report, by, !hadoop.via.is_name(), security).await);
    }
    Ok(list)
}

/// The filter for the ResourceManager. YARN compares only whole tags, so applications of heddle must be
/// recognised afterwards.
pub(crate) fn application_filter(filter: &Filter, hadoop: &Hadoop) -> ApplicationFilter {
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

/// The states of applications that have not ended.
pub fn live_states() -> BTreeSet<ApplicationState> {
    ApplicationState::ALL.iter().copied().filter(|s| !s.is_final()).collect()
}

/// Which client submitted the application; `None` if it is not one of Flink's.
pub fn by(report: &ApplicationReport) -> Option<By> {
    if report.tags.iter().any(|tag| tag.starts_with(SUBMISSION_TAG)) {
        Some(By::Heddle)
    } else {
        report.application_type.eq_ignore_ascii_case(FLINK_TYPE).then_some(By::Flink)
    }
}

/// Describes an application for the list. Its JobManager is asked for its jobs, and with `kerberos` for its
/// tokens.
async fn asked(report: ApplicationReport, by: By, kerberos: bool, security: &RestSecurity) -> Application {
    let tokens = async {
        match by {
            By::Heddle if kerberos => tokens(&report, security).await,
            _ => None,
        }
    };
    let (jobs, tokens) = join(jobs(&report, security), tokens).await;
    Application { tokens, ..application(&report, by, jobs) }
}

/// The tokens according to the JobManager, if it tells anything of them.
async fn tokens(report: &ApplicationReport, security: &RestSecurity) -> Option<Tokens> {
    let address = report_address(report, security).ok()?;
    let client = RestClient::new(&address, RestTimeouts::one_try(ANSWER_WITHIN)).ok()?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, client.job_manager_config()).await.ok()?;
    Tokens::of(&answer.ok()?)
}

/// The jobs according to the JobManager, or why it does not tell them; `None` if there is no JobManager to
/// ask.
async fn jobs(
    report: &ApplicationReport,
    security: &RestSecurity,
) -> Option<Result<Vec<JobSummary>, String>> {
    rest_place(report).ok()?;
    let address = match report_address(report, security) {
        Ok(address) => address,
        Err(failure) => return Some(Err(failure.to_string())),
    };
    let answer = async { RestClient::new(&address, RestTimeouts::one_try(ANSWER_WITHIN))?.jobs().await };
    Some(match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer from {address} within {} s", ANSWER_WITHIN.as_secs())),
    })
}

/// Describes an application for the list, from YARN's report and the JobManager's answer about its jobs.
/// Nothing is known of its tokens.
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
    let scheme = if scheme(report) == Some(Scheme::Https) { "https" } else { "http" };
    let web = rest_place(report).ok().map(|(host, port)| format!("{scheme}://{host}:{port}"));
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
        tokens: None,
        web_interface: web.or_else(|| report.tracking_url.clone().filter(|url| url != "N/A")),
        diagnostics: report.diagnostics.as_deref().filter(|text| !text.trim().is_empty()).map(masked_lines),
        tags: report.tags.iter().cloned().collect(),
        forgotten: false,
        cause: None,
        submitted_ms: report.start_time,
        ended_ms: report.finish_time.filter(|_| report.state.is_final()),
    }
}

/// Describes a job for the list.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::report_in_state;
    use crate::rest_security::tests::{TLS, TRUST, security};

    #[test]
    fn what_the_configuration_tells_of_tokens() {
        let of = |pairs: &[(&str, &str)]| {
            let entry = |pair: &(&str, &str)| ConfigEntry { key: pair.0.into(), value: pair.1.into() };
            Tokens::of(&pairs.iter().map(entry).collect::<Vec<_>>())
        };
        let end = ("heddle.hdfs.access-end", "1700000000000");
        let iso = Some("2023-11-14T22:13:20.000Z".to_owned());
        assert_eq!(of(&[("taskmanager.numberOfTaskSlots", "2")]), None);
        let tokens = Tokens { replaced: false, ends: iso, ends_ms: Some(1_700_000_000_000) };
        assert_eq!(of(&[end]), Some(tokens.clone()));
        for key in ["security.kerberos.login.keytab", "security.keytab"] {
            assert_eq!(of(&[(key, "krb5.keytab"), end]), Some(Tokens { replaced: true, ..tokens.clone() }));
        }
        // Flink masks the values of keys that look like secrets.
        assert_eq!(of(&[("heddle.hdfs.access-end", "******"), ("security.keytab", "")]), None);
        assert!(!end.0.contains("token") && end.0 == HDFS_ACCESS_END_KEY);
    }

    #[tokio::test]
    async fn an_application_without_tls_is_not_called_where_tls_is_wanted() {
        let security = security(&[TLS, TRUST[0], TRUST[1]]).unwrap();
        // It takes connections and says nothing, as a server of HTTP does that waits for the end of a line.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let report = ApplicationReport {
            host: Some("127.0.0.1".into()),
            rpc_port: Some(port),
            original_tracking_url: Some(format!("http://127.0.0.1:{port}")),
            ..report_in_state(ApplicationState::Running, "")
        };
        let begin = std::time::Instant::now();
        let why = jobs(&report, &security).await.unwrap().unwrap_err();
        assert!(begin.elapsed() < ANSWER_WITHIN / 2, "{:?}", begin.elapsed());
        assert!(why.contains("plain HTTP") && why.contains("security.ssl.rest.enabled"), "{why}");
        assert!(tokio::time::timeout(Duration::from_millis(100), listener.accept()).await.is_err());
        let failure = report_address(&report, &security).unwrap_err();
        assert!(!failure.retry_helps() && failure.hints()[0].contains("-Dsecurity.ssl.rest.enabled=false"));
        let tls = |url: Option<&str>| {
            let url = url.map(str::to_owned);
            let report = ApplicationReport { original_tracking_url: url, ..report.clone() };
            report_address(&report, &security).unwrap().url()
        };
        assert_eq!(tls(Some("https://h:1")), format!("https://127.0.0.1:{port}"));
        assert_eq!(tls(None), format!("https://127.0.0.1:{port}"));
    }
}

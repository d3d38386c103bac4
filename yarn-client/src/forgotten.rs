//! Applications that the ResourceManager has forgotten, as the records tell them that heddle-am has left
//! (`docs/outcomes.md`). For the list of applications that have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use artifact_store::{below, now_ms};
use diagnosis::facts::{Facts, Final, Source};
use diagnosis::{Confidence, judge};
use flink_model::config::{Configuration, masked_lines};
use flink_model::options;
use futures::StreamExt;
use hadoop_fs::{FsErrorKind, Storage};
use outcomes::{Left, PLACE, Record};
use tokio::time::timeout;
use yarn_api::records::ApplicationId;

use crate::configuration::text;
use crate::diagnose::record;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::patience::Wait;
use crate::ps::{Application, By};
use crate::units::{count, iso};

/// Most records that are read, the youngest first.
const MOST: usize = 100;
/// How many are read at the same time.
const AT_ONCE: usize = 16;
/// The time limit of each question to the file system, and of all of them together.
const EACH: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_secs(10);

/// What was found.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// The applications, in the order of their ids.
    pub applications: Vec<Application>,
    /// What is missing, for a warning.
    pub missing: Option<String>,
}

/// The caller's applications that have left a record and are not in `known`, the list of those that the
/// ResourceManager knows. That records cannot be read is no failure.
pub async fn forgotten(hadoop: &Hadoop, configuration: &Configuration, known: &[Application]) -> Forgotten {
    let staging = text(configuration, &options::STAGING_DIRECTORY);
    let known: BTreeSet<&str> = known.iter().map(|application| application.application.as_str()).collect();
    let mut found = Forgotten::default();
    let read = async {
        let storage = hadoop.clone().waiting(Wait::Little).storage(staging.as_deref())?.with_deadline(EACH);
        let user = hadoop.login.user().short_name().to_owned();
        read(&storage, &user, &known, &mut found).await
    };
    let why = match timeout(WITHIN, read).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(_) => Some(format!("not all of them were read within {} s", WITHIN.as_secs())),
    };
    if let Some(why) = why {
        found.missing = Some(format!("records of applications that YARN has forgotten are missing: {why}"));
    }
    found.applications.sort_by_key(|one| id(&one.application));
    found
}

fn id(text: &str) -> Option<ApplicationId> {
    text.parse().ok()
}

/// Reads the records, and adds those of applications that are not known.
async fn read(
    storage: &Storage,
    user: &str,
    known: &BTreeSet<&str>,
    found: &mut Forgotten,
) -> Result<(), Failure> {
    let place = below(storage.home_dir(), PLACE);
    let listing = match storage.list(&place, false).await {
        Ok(listing) => listing,
        Err(error) if error.kind() == FsErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::fs(&error)),
    };
    let names =
        listing.iter().filter(|status| status.is_dir).filter_map(|status| status.path.rsplit('/').next());
    let names = names.filter(|name| !known.contains(name));
    let mut ids: Vec<ApplicationId> = names.filter_map(id).collect();
    ids.sort_unstable();
    let older = ids.len().saturating_sub(MOST);
    ids.drain(..older);
    if older > 0 {
        let records = count(older, "older record");
        found.missing = Some(format!("{records} of applications that YARN has forgotten are not listed"));
    }
    let asked = ids.into_iter().rev().map(|id| async move { (id, record::one(storage, id, user).await) });
    let mut asked = std::pin::pin!(futures::stream::iter(asked).buffer_unordered(AT_ONCE));
    while let Some((id, record)) = asked.next().await {
        found.applications.extend(record.map(|record| application(id, user, record)));
    }
    Ok(())
}

/// What a record tells of an application that YARN does not know any more, and which has ended therefore.
fn application(id: ApplicationId, user: &str, record: Record) -> Application {
    let cause = cause(&record);
    let Record { name, started, written, ended, status, diagnostics, .. } = record;
    Application {
        application: id.to_string(),
        name,
        application_type: String::new(),
        by: By::Heddle,
        user: user.to_owned(),
        queue: String::new(),
        state: if ended.is_some() { "FINISHED" } else { "ENDED" }.to_owned(),
        final_status: status.map(|status| status.text().to_owned()),
        jobs: None,
        jobs_error: None,
        submitted: None,
        ended: ended.and_then(iso),
        tokens: None,
        web_interface: None,
        diagnostics: Some(masked_lines(&diagnostics)).filter(|text| !text.trim().is_empty()),
        tags: Vec::new(),
        forgotten: true,
        cause,
        submitted_ms: started,
        // Of one that was killed it is known until when it ran at least.
        ended_ms: ended.or(Some(written).filter(|at| *at > 0)),
    }
}

/// The cause of a failure, as far as the record alone shows it, without secrets. One that has succeeded may
/// have lost TaskManagers before, which is no failure of the application.
fn cause(record: &Record) -> Option<String> {
    if record.status == Some(Final::Succeeded) {
        return None;
    }
    let mut facts = Facts { now: now_ms(), ..Facts::default() };
    let left = Left { record: Some(record.clone()), ..Left::default() };
    left.add_to(&mut facts, Source::Outcome);
    // Nothing waits any more.
    facts.asks.clear();
    let first = judge(&facts).into_iter().next().filter(|first| first.confidence != Confidence::Possible);
    first.map(|finding| masked_lines(&finding.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(record: Record) -> Application {
        application("application_1700000000000_0007".parse().unwrap(), "ann", record)
    }

    #[test]
    fn one_that_has_ended_and_one_that_was_killed() {
        let diagnostics = "main() of M failed: java.lang.IllegalStateException: boom".to_owned();
        let ended = Record {
            name: "n".into(),
            started: Some(1_700_000_000_000),
            written: 1_700_000_060_001,
            ended: Some(1_700_000_060_000),
            status: Some(Final::Failed),
            diagnostics,
            ..Record::default()
        };
        let told = of(ended.clone());
        assert_eq!((told.state.as_str(), told.final_status.as_deref()), ("FINISHED", Some("FAILED")));
        assert_eq!(told.ended.as_deref(), Some("2023-11-14T22:14:20.000Z"));
        assert!(told.forgotten && told.cause.unwrap().contains("boom"));
        let well = of(Record { status: Some(Final::Succeeded), ..ended.clone() });
        assert_eq!((well.final_status.as_deref(), well.cause), (Some("SUCCEEDED"), None));
        let killed = of(Record { ended: None, status: None, diagnostics: String::new(), ..ended });
        assert_eq!((killed.state.as_str(), killed.final_status, killed.ended), ("ENDED", None, None));
        assert_eq!((killed.ended_ms, killed.cause), (Some(1_700_000_060_001), None));
        let nothing = of(Record::default());
        assert_eq!((nothing.submitted_ms, nothing.ended_ms), (None, None));
    }
}

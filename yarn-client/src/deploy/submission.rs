//! A named submission happens once: its name is a tag of the application in YARN, and noted on this machine before YARN hears of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hadoop_rpc::RemoteKind;
use serde::{Deserialize, Serialize};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, FinalStatus};

use super::prepare::Prepared;
use crate::application::SUBMISSION_TAG;
use crate::error::{Failure, yarn_failure};

/// Tags that YARN takes (`YarnConfiguration.APPLICATION_MAX_TAGS`).
const MOST_TAGS: usize = 10;

/// Characters of a tag (`YarnConfiguration.APPLICATION_MAX_TAG_LENGTH`).
const LONGEST_TAG: usize = 100;

/// Characters of a name, which stands in a tag behind [`SUBMISSION_TAG`].
const LONGEST: usize = 80;

/// The application of an earlier order of the same name. One that failed or was killed does not count: it is tried anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It waits or runs.
    Alive(ApplicationId),
    /// It has done its work.
    Succeeded(ApplicationId),
}

/// What is noted of a submission.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    application: String,
    resource_manager: String,
}

/// Checks a name: YARN keeps tags in lower case, and only of ASCII.
fn check_name(name: &str) -> Result<(), Failure> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fine) {
        return Err(Failure::usage(format!("{name:?} cannot name a submission")).hint(format!(
            "a name has up to {LONGEST} characters: small letters, digits, '-', '_' and '.'"
        )));
    }
    Ok(())
}

/// The user's tags (`yarn.tags`), and the one of the submission.
pub(crate) fn tags(users: &str, name: Option<&str>) -> Result<BTreeSet<String>, Failure> {
    if let Some(name) = name {
        check_name(name)?;
    }
    let users = users.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let mut tags: BTreeSet<String> = users.map(str::to_owned).collect();
    if let Some(tag) = tags.iter().find(|tag| !tag.is_ascii() || tag.len() > LONGEST_TAG) {
        return Err(Failure::new(format!("YARN does not take the tag {tag:?} (yarn.tags)"))
            .hint(format!("a tag has up to {LONGEST_TAG} characters, all of them ASCII")));
    }
    // Without a name the tag only tells whose the application is: the user's own come first.
    if name.is_some() || tags.len() < MOST_TAGS {
        let name = name.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned);
        tags.insert(format!("{SUBMISSION_TAG}{name}"));
    }
    if tags.len() > MOST_TAGS {
        let what = format!("the application would have {} tags, and YARN takes {MOST_TAGS}", tags.len());
        return Err(
            Failure::new(what).hint("leave some out of yarn.tags; a named submission needs one of them")
        );
    }
    Ok(tags)
}

/// Looks for the submission's application.
pub(crate) async fn find(prepared: &Prepared, yarn: &ApplicationClient) -> Result<Option<Known>, Failure> {
    let Some(name) = &prepared.submission else { return Ok(None) };
    let user = prepared.context.hadoop_user()?;
    let filter = ApplicationFilter {
        tags: [format!("{SUBMISSION_TAG}{name}")].into(),
        users: [user.short_name().to_owned()].into(),
        ..ApplicationFilter::default()
    };
    let mut found = yarn.applications(&filter).await.map_err(|e| yarn_failure(&e))?;
    if found.is_empty()
        && let Some(id) = noted(prepared, yarn)
    {
        match yarn.application_report(id).await {
            Ok(report) => found.push(report),
            Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => {}
            Err(e) => return Err(yarn_failure(&e)),
        }
    }
    Ok(judge(&found))
}

fn judge(found: &[ApplicationReport]) -> Option<Known> {
    let alive = found.iter().filter(|r| !r.state.is_final()).map(|r| r.id).max();
    let done = found.iter().filter(|r| r.final_status == FinalStatus::Succeeded).map(|r| r.id).max();
    alive.map(Known::Alive).or(done.map(Known::Succeeded))
}

/// Notes the application, before YARN gets it.
pub(crate) fn remember(
    prepared: &Prepared,
    yarn: &ApplicationClient,
    id: ApplicationId,
) -> Result<(), Failure> {
    let Some(path) = path(prepared) else { return Ok(()) };
    let note = Note { application: id.to_string(), resource_manager: yarn.server() };
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let text = serde_json::to_vec(&note).map_err(std::io::Error::other)?;
        std::fs::write(&path, text)
    });
    written.map_err(|e| Failure::because(format!("cannot note the submission in {}", path.display()), e))
}

/// The submission has come to nothing.
pub(crate) fn forget(prepared: &Prepared) {
    if let Some(path) = path(prepared)
        && let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(%error, path = %path.display(), "not removed");
    }
}

fn noted(prepared: &Prepared, yarn: &ApplicationClient) -> Option<ApplicationId> {
    let note: Note = serde_json::from_slice(&std::fs::read(path(prepared)?).ok()?).ok()?;
    (note.resource_manager == yarn.server()).then(|| note.application.parse().ok())?
}

fn path(prepared: &Prepared) -> Option<PathBuf> {
    let name = prepared.submission.as_deref()?;
    Some(prepared.context.state_dir()?.join("submissions").join(format!("{name}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_for_each_submission() {
        let many = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(" , ");
        let count = |text: &str, name| tags(text, name).map(|tags| tags.len()).ok();
        assert!(tags(" a,,b", Some("x")).unwrap().iter().eq(["a", "b", "heddle-submission:x"]));
        assert_eq!(
            (count("", None), count(&many(9), None), count(&many(10), None)),
            (Some(1), Some(10), Some(10))
        );
        assert_eq!(
            (count(&many(9), Some("x")), count(&many(10), Some("x")), count(&many(11), None)),
            (Some(10), None, None)
        );
    }

    #[test]
    fn tags_that_yarn_does_not_take() {
        let refused = |text: &str| tags(text, None).map(|_| ()).map_err(|e| e.render(false));
        assert_eq!(refused(&format!("a b,{}", "x".repeat(100))), Ok(()));
        assert!(refused("fine,größe").unwrap_err().contains("does not take the tag \"größe\" (yarn.tags)"));
        assert!(refused(&"x".repeat(101)).unwrap_err().contains("up to 100 characters"));
    }

    #[test]
    fn names() {
        for fine in ["a", "etl-2026.11.21_x"] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "A", "a b", "ä", "a/b", &"x".repeat(81)] {
            assert!(check_name(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}

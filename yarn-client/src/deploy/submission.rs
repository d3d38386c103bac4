//! Makes sure that a named submission starts only one application. The application has the name as a tag in
//! YARN. A file on this machine also records the application before YARN is asked to start it, because a
//! client that fails directly afterwards may leave an application that YARN does not list yet. Without a
//! place for that file a named submission is refused, before anything is asked or sent.

use std::path::{Path, PathBuf};

use hadoop_rpc::RemoteKind;
use serde::{Deserialize, Serialize};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, FinalStatus};

use crate::application::SUBMISSION_TAG;
use crate::context::Context;
use crate::error::{Failure, yarn_failure};
use crate::ownership;

/// The application of an earlier submission of the same name. An application that has failed or was killed
/// does not count, so it is submitted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// The application waits or runs.
    Alive(ApplicationId),
    /// The application has succeeded.
    Succeeded(ApplicationId),
}

/// What the file records of a submission.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    application: String,
    resource_manager: String,
}

/// Looks for the application of the submission, first by its tag and then by the file.
pub(crate) async fn find(
    name: Option<&str>,
    context: &Context,
    yarn: &ApplicationClient,
) -> Result<Option<Known>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let path = path(name, context)?;
    let login = context.login()?;
    let filter = ApplicationFilter {
        tags: [format!("{SUBMISSION_TAG}{name}")].into(),
        users: [login.user().short_name().to_owned()].into(),
        ..ApplicationFilter::default()
    };
    let mut found = yarn.applications(&filter).await.map_err(|e| yarn_failure(&e))?;
    if found.is_empty()
        && let Some(id) = noted(&path, &yarn.server())
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

/// Records the application in the file, before it is submitted to YARN.
pub(crate) fn remember(
    name: Option<&str>,
    context: &Context,
    resource_manager: String,
    id: ApplicationId,
) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    let path = path(name, context)?;
    let note = Note { application: id.to_string(), resource_manager };
    let written = path.parent().map_or(Ok(()), ownership::make_directory).and_then(|()| {
        let text = serde_json::to_vec(&note).map_err(std::io::Error::other)?;
        std::fs::write(&path, text)
    });
    written.map_err(|e| Failure::because(format!("cannot note the submission in {}", path.display()), e))
}

/// Removes the file of a submission that has failed.
pub(crate) fn forget(name: Option<&str>, context: &Context) {
    if let Some(Ok(path)) = name.map(|name| path(name, context))
        && let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(%error, path = %path.display(), "not removed");
    }
}

/// The application that the file records, if it is one of this ResourceManager.
fn noted(path: &Path, resource_manager: &str) -> Option<ApplicationId> {
    let note: Note = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (note.resource_manager == resource_manager).then(|| note.application.parse().ok())?
}

/// The file that records a submission. It is a failure if there is no place for it: then a repeated command
/// could start a second application, and a script relies on it that none does.
fn path(name: &str, context: &Context) -> Result<PathBuf, Failure> {
    let directory = context.needed_state_dir(&format!("the note of the submission {name}"))?;
    Ok(directory.join("submissions").join(format!("{name}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(vars: &[(&str, &Path)]) -> Context {
        Context {
            vars: vars.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string())).collect(),
            cwd: PathBuf::from("/"),
            exe: PathBuf::from("/x/heddle"),
            user: "ann".to_owned(),
            waits: Default::default(),
        }
    }

    #[test]
    fn a_submission_that_cannot_be_noted_is_refused() {
        let id: ApplicationId = "application_1700000000000_0002".parse().unwrap();
        let homeless = context(&[]);
        let failure = remember(Some("nightly"), &homeless, "rm:8032".to_owned(), id).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("the note of the submission nightly"), "{text}");
        assert!(text.contains("XDG_STATE_HOME") && failure.hints() == ["set HOME"], "{failure:?}");
        remember(None, &homeless, "rm:8032".to_owned(), id).unwrap();
        forget(Some("nightly"), &homeless);

        let home = tempfile::tempdir().unwrap();
        let context = context(&[("HOME", home.path())]);
        remember(Some("nightly"), &context, "rm:8032".to_owned(), id).unwrap();
        let file = path("nightly", &context).unwrap();
        assert_eq!(noted(&file, "rm:8032"), Some(id));
        assert_eq!(noted(&file, "other:8032"), None);
        forget(Some("nightly"), &context);
        assert_eq!(noted(&file, "rm:8032"), None);
    }
}

//! Makes sure that a named submission starts only one application. The application has the name as a tag in
//! YARN. A file on this machine also records the application before YARN is asked to start it, because a
//! client that fails directly afterwards may leave an application that YARN does not list yet. Without a
//! place for that file, to which the client can write, a named submission is refused before anything is asked
//! or sent.

use std::io;
use std::path::{Path, PathBuf};

use hadoop_rpc::RemoteKind;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, FinalStatus};

use crate::application::SUBMISSION_TAG;
use crate::context::Context;
use crate::error::{Failure, yarn_failure};
use crate::{ownership, variables};

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

/// Looks for the application of the submission, first by its tag among those of `user` and then by the file,
/// once it is sure that the file can be written.
pub(crate) async fn find(
    name: Option<&str>,
    context: &Context,
    user: &str,
    yarn: &ApplicationClient,
) -> Result<Option<Known>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let path = path(name, context)?;
    prepare(&path).map_err(|error| unwritten(&path, error))?;
    let filter = ApplicationFilter {
        tags: [format!("{SUBMISSION_TAG}{name}")].into(),
        users: [user.to_owned()].into(),
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

/// Says without a change to this machine whether the file of the submission could be written.
pub(crate) fn look(name: Option<&str>, context: &Context) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    let path = path(name, context)?;
    let directory = path.parent().map_or(Ok(()), ownership::could_make_directory);
    directory.map_err(|error| unwritten(&path, error))
}

/// Makes the directory of a file, and tries whether something can be written there.
fn prepare(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    ownership::make_directory(directory)?;
    NamedTempFile::new_in(directory)?.close()
}

fn unwritten(path: &Path, error: io::Error) -> Failure {
    Failure::because(format!("cannot note the submission in {}", path.display()), error)
        .hint(format!("{} names another place", variables::XDG_STATE_HOME.name()))
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
        let text = serde_json::to_vec(&note).map_err(io::Error::other)?;
        std::fs::write(&path, text)
    });
    written.map_err(|error| unwritten(&path, error))
}

/// Removes the file of a submission that has failed.
pub(crate) fn forget(name: Option<&str>, context: &Context) {
    if let Some(Ok(path)) = name.map(|name| path(name, context))
        && let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
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
            logins: Default::default(),
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

    #[test]
    fn a_place_that_cannot_be_written_is_known_before() {
        let home = tempfile::tempdir().unwrap();
        let usable = context(&[("HOME", home.path())]);
        let file = path("nightly", &usable).unwrap();
        look(Some("nightly"), &usable).unwrap();
        assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "a look makes nothing");
        prepare(&file).unwrap();
        look(Some("nightly"), &usable).unwrap();
        assert!(std::fs::read_dir(file.parent().unwrap()).unwrap().next().is_none(), "the trial is left");

        // Nobody can make anything below a file, not even root.
        let occupied = home.path().join("file");
        std::fs::write(&occupied, "").unwrap();
        let unusable = context(&[("HOME", occupied.as_path())]);
        let file = path("nightly", &unusable).unwrap();
        let id = "application_1700000000000_0002".parse().unwrap();
        for failed in [
            prepare(&file).map_err(|error| unwritten(&file, error)),
            remember(Some("nightly"), &unusable, "rm:8032".to_owned(), id),
            look(Some("nightly"), &unusable),
        ] {
            let failure = failed.unwrap_err();
            assert!(failure.to_string().contains("cannot note the submission in"), "{failure}");
            assert_eq!(failure.hints(), ["XDG_STATE_HOME names another place"]);
        }
        look(None, &context(&[])).unwrap();
    }
}

//! Makes a directory that stands for a Flink distribution (`heddle adopt`): tools that want a `FLINK_HOME`
//! find all of Flink's in it, by links, and in `bin` the commands that are heddle's.
//!
//! The links lead to the directories of the distribution by the path that the user gave. So they lead to
//! another release when that path does. To undo it all, the directory is removed: nothing is anywhere else.

mod place;
mod plan;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::adopted::Note;
use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::setup::release_of;
use crate::{ownership, variables};
use place::State;
pub use plan::Change;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// The directory.
    pub directory: PathBuf,
    /// The distribution. `None` stands for the one for which the directory stands already, or else for
    /// `FLINK_HOME`.
    pub flink_home: Option<PathBuf>,
    /// Whether nothing is made, and only told what would be.
    pub dry_run: bool,
}

/// What was made, or would be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// The directory.
    pub directory: PathBuf,
    /// The distribution for which it stands.
    pub flink_home: PathBuf,
    /// The release of that distribution.
    pub release: String,
    /// heddle's program, which the commands start.
    pub heddle: PathBuf,
    /// The commands that are heddle's, by their paths in the directory.
    pub commands: Vec<String>,
    /// Whether nothing was made, and only told what would be.
    pub dry_run: bool,
    /// Whether the directory was there already.
    pub existed: bool,
    /// What was changed in it, or was not what `heddle adopt` had made.
    pub changes: Vec<Changed>,
    /// What the user should know, each a sentence.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// An entry of the directory, and what has happened to it.
#[derive(Debug, Clone, Serialize)]
pub struct Changed {
    /// Its path in the directory.
    pub path: PathBuf,
    /// What has happened.
    pub change: Change,
}

/// Makes the directory, or brings it up to date. `go_on` is called before anything changes, and fails if the
/// user has given up; then, and after each error in a directory that is new, nothing is left.
///
/// It is a failure if there is no distribution, if the directory is another user's, is in the distribution or
/// around it, or holds anything that `heddle adopt` has not made.
pub fn adopt(
    context: &Context,
    request: &AdoptRequest,
    go_on: &dyn Fn() -> Result<(), Failure>,
) -> Result<Adopted, Failure> {
    let directory = place::place(&request.directory)?;
    let state = place::look(&directory)?;
    let mut notes = Vec::new();
    let home = distribution(context, request, &directory, &state, &mut notes)?;
    let flink = FlinkHome::at(&home)?;
    let release = release_of(&flink.dist_jar)?.to_string();
    check_apart(&directory, &home)?;
    if state != State::Nothing
        && let Some(distrust) = ownership::is_foreign_directory(&directory)
    {
        return Err(Failure::new(format!("{} is not changed: {distrust}", directory.display()))
            .hint("run the command as that user, or name another directory"));
    }
    let heddle = program(context);
    let source = plan::Source {
        home: text(&home)?,
        names: place::names(&home)?,
        bin: place::names(&home.join("bin"))?,
        conf: Some(flink.conf).filter(|conf| conf.exists()),
        heddle: text(&heddle)?,
    };
    let tree = plan::wanted(&source);
    let note = |before: Vec<PathBuf>| Note {
        flink_home: home.clone(),
        before,
        heddle: heddle.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let steps = match &state {
        State::Other => return Err(in_the_way(&directory)),
        State::Nothing | State::Empty => {
            if !request.dry_run {
                place::make(&directory, &tree, &note(Vec::new()), go_on)?;
            }
            plan::steps(&tree, &plan::Tree::new(), &[])
        }
        State::Adopted(old) => {
            let mut homes = vec![home.clone(), old.flink_home.clone()];
            homes.extend(old.before.iter().cloned());
            homes.dedup();
            let steps = plan::steps(&tree, &place::found(&directory)?, &homes);
            if !request.dry_run {
                place::change(&directory, &steps, [&note(homes), &note(Vec::new())], go_on)?;
            }
            steps
        }
    };
    let changes = steps.into_iter().map(|step| Changed { path: step.path, change: step.change });
    Ok(Adopted {
        directory,
        flink_home: home,
        release,
        heddle,
        commands: plan::commands(&tree),
        dry_run: request.dry_run,
        existed: matches!(state, State::Adopted(_)),
        changes: changes.collect(),
        notes,
    })
}

/// The distribution that is meant. A directory of `heddle adopt` means the one for which it stands.
fn distribution(
    context: &Context,
    request: &AdoptRequest,
    directory: &Path,
    state: &State,
    notes: &mut Vec<String>,
) -> Result<PathBuf, Failure> {
    let by_variable = context.var(variables::FLINK_HOME).map(|home| context.path(home));
    let home = match (&request.flink_home, state, &by_variable) {
        (Some(home), ..) => context.path(home),
        (None, State::Adopted(note), _) => {
            let behind = |home: &PathBuf| {
                Note::read(home).ok().flatten().map_or_else(|| home.clone(), |note| note.flink_home)
            };
            if let Some(other) = by_variable.as_ref().map(behind)
                && other.canonicalize().ok() != note.flink_home.canonicalize().ok()
            {
                notes.push(format!(
                    "{} goes on to stand for {}; to let it stand for that of FLINK_HOME: --flink-home {}",
                    directory.display(),
                    note.flink_home.display(),
                    other.display()
                ));
            }
            note.flink_home.clone()
        }
        (None, _, Some(home)) => home.clone(),
        (None, _, None) => {
            let failure = Failure::usage("no Flink distribution is named: FLINK_HOME is not set");
            return Err(match FlinkHome::find(context) {
                Ok(found) => failure.hint(format!("--flink-home {} names one", found.root.display())),
                Err(_) => failure.hint("name it by --flink-home"),
            });
        }
    };
    let stands_for = Note::read(&home).map_err(|e| {
        Failure::because(format!("cannot read what {} stands for", home.display()), e)
            .hint("name the distribution itself by --flink-home")
    })?;
    // Without a slash at its end, for the paths of the links.
    Ok(stands_for.map_or(home, |note| note.flink_home).components().collect())
}

/// Fails if one of the two is in the other.
fn check_apart(directory: &Path, home: &Path) -> Result<(), Failure> {
    let unreadable = |e| Failure::because(format!("cannot read {}", home.display()), e);
    let home = home.canonicalize().map_err(unreadable)?;
    let what = if directory == home {
        "it is that Flink distribution itself"
    } else if directory.starts_with(&home) {
        "it lies in that Flink distribution"
    } else if home.starts_with(directory) {
        "the Flink distribution lies in it"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{} cannot stand for {}: {what}", directory.display(), home.display()))
        .hint("name a directory of its own, which is empty or not there yet"))
}

fn in_the_way(directory: &Path) -> Failure {
    let what = format!("{} is there already, and `heddle adopt` has not made it", directory.display());
    Failure::new(what).hint("name a directory that is empty or not there yet")
}

/// heddle's program, by the path on the PATH, which often stays the same when heddle is upgraded, or else by
/// its real path.
fn program(context: &Context) -> PathBuf {
    let path = context.var(variables::PATH).unwrap_or_default();
    let candidates =
        std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join("heddle"));
    let is_this = |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|real| real == context.exe);
    candidates.into_iter().find(is_this).unwrap_or_else(|| context.exe.clone())
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(format!("the path {} is not UTF-8, and cannot be written down", path.display()))
    })
}

#[cfg(test)]
mod tests;

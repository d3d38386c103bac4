//! Looks at a directory of `heddle adopt`, makes it, and changes it. Whatever is made gets its name only when
//! it is complete.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::plan::{Change, Entry, Found, OWN, Step, Tree};
use crate::adopted::{NOTE, Note, made};
use crate::error::Failure;

/// The beginning of the name of the directory beside the new one in which that is made.
const BESIDE: &str = ".heddle-adopt-";

/// What lies at the path of the directory.
#[derive(Debug, PartialEq)]
pub(super) enum State {
    Nothing,
    Empty,
    /// A directory that `heddle adopt` has made.
    Adopted(Note),
    /// Anything else.
    Other,
}

/// Looks at the path of the directory.
pub(super) fn look(directory: &Path) -> Result<State, Failure> {
    let unreadable = |e| Failure::because(format!("cannot read {}", directory.display()), e);
    match fs::symlink_metadata(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(State::Nothing),
        Err(e) => return Err(unreadable(e)),
        Ok(found) if !found.is_dir() => return Ok(State::Other),
        Ok(_) => {}
    }
    if let Some(note) = Note::read(directory).map_err(unreadable)? {
        return Ok(State::Adopted(note));
    }
    let is_empty = fs::read_dir(directory).map_err(unreadable)?.next().is_none();
    Ok(if is_empty { State::Empty } else { State::Other })
}

/// The path at which the directory is or is to be, without links. It is a failure if there is nothing above
/// it.
pub(super) fn place(asked: &Path) -> Result<PathBuf, Failure> {
    if let Ok(real) = asked.canonicalize() {
        return Ok(real);
    }
    let cannot = || format!("cannot make {}", asked.display());
    let (Some(above), Some(name)) = (asked.parent(), asked.file_name()) else {
        return Err(Failure::new(cannot()).hint("name the directory by its path"));
    };
    let above = above.canonicalize().map_err(|e| {
        Failure::because(cannot(), e).hint(format!("{} must be there already", above.display()))
    })?;
    Ok(above.join(name))
}

/// The names of what is in a directory.
pub(super) fn names(directory: &Path) -> Result<Vec<OsString>, Failure> {
    let unreadable = |e| Failure::because(format!("cannot read {}", directory.display()), e);
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    entries.map(|entry| Ok(entry.map_err(unreadable)?.file_name())).collect()
}

/// What the directory holds, and what is in those of its directories that are its own.
pub(super) fn found(directory: &Path) -> Result<Tree<Found>, Failure> {
    let mut tree = Tree::new();
    let below = |above: &Path| -> Result<Vec<PathBuf>, Failure> {
        Ok(names(&directory.join(above))?.into_iter().map(|name| above.join(name)).collect())
    };
    let mut paths = below(Path::new(""))?;
    for own in OWN.iter().map(Path::new) {
        if directory.join(own).symlink_metadata().is_ok_and(|found| found.is_dir()) {
            paths.append(&mut below(own)?);
        }
    }
    paths.retain(|path| path != Path::new(NOTE));
    for path in paths {
        let what = kind(&directory.join(&path));
        tree.insert(path, what);
    }
    Ok(tree)
}

fn kind(path: &Path) -> Found {
    if let Ok(target) = path.read_link() {
        return Found::Link(target);
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => Found::Directory,
        Ok(found) if found.is_file() => made(path).map_or(Found::Other, Found::Script),
        _ => Found::Other,
    }
}

/// Makes the directory, beside its place, and then gives it its name. `go_on` fails if the user has given up
/// meanwhile; then, and after any error, nothing is left.
pub(super) fn make(
    directory: &Path,
    tree: &Tree<Entry>,
    note: &Note,
    go_on: &dyn Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |e| Failure::because(format!("cannot make {}", directory.display()), e);
    let above = directory.parent().unwrap_or(Path::new("/"));
    // It is removed with all that it holds when it goes out of scope.
    let beside = tempfile::Builder::new().prefix(BESIDE).tempdir_in(above).map_err(failed)?;
    let new = beside.path().join(directory.file_name().unwrap_or(OsStr::new("new")));
    fs::create_dir(&new).map_err(failed)?;
    for (path, entry) in tree {
        put(&new.join(path), entry).map_err(failed)?;
    }
    write_note(&new, note)?;
    go_on()?;
    // An empty directory of this name is replaced.
    fs::rename(&new, directory).map_err(failed)
}

/// Takes these steps in a directory. Each entry is replaced as a whole. The notes are those for the time of
/// the change and for the time after it: if the change is interrupted, it can be repeated.
pub(super) fn change(
    directory: &Path,
    steps: &[Step],
    [during, after]: [&Note; 2],
    go_on: &dyn Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    go_on()?;
    write_note(directory, during)?;
    for Step { path, change, entry } in steps {
        let path = directory.join(path);
        let done = match (change, entry) {
            (Change::Kept, _) => Ok(()),
            (_, Some(entry)) => replace(&path, entry),
            // It may be what an interrupted command has left, which a step before has used up.
            (_, None) => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                done => done,
            },
        };
        done.map_err(|e| {
            Failure::because(format!("cannot change {}", path.display()), e)
                .hint("when that has been put right, repeat the command: it goes on where it has stopped")
        })?;
    }
    write_note(directory, after)
}

fn put(path: &Path, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Directory => fs::create_dir(path),
        Entry::Link(target) => symlink(target, path),
        // What others may do with it is for the umask to say.
        Entry::Script(content) => write(path, content, 0o777),
    }
}

/// Puts an entry in the place of what is there, which is no directory.
fn replace(path: &Path, entry: &Entry) -> io::Result<()> {
    if *entry == Entry::Directory {
        if path.symlink_metadata().is_ok() {
            fs::remove_file(path)?;
        }
        return put(path, entry);
    }
    let new = hidden(path)?;
    put(&new, entry)?;
    fs::rename(new, path)
}

fn write_note(directory: &Path, note: &Note) -> Result<(), Failure> {
    let path = directory.join(NOTE);
    let replaced = || -> io::Result<()> {
        let new = hidden(&path)?;
        write(&new, &format!("{}\n", serde_json::to_string_pretty(note)?), 0o666)?;
        fs::rename(new, &path)
    };
    replaced().map_err(|e| Failure::because(format!("cannot write {}", path.display()), e))
}

fn write(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())
}

/// The name beside an entry under which the new one is made. What an interrupted command has left there is
/// removed.
fn hidden(path: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".heddle-new");
    let hidden = path.with_file_name(name);
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(hidden),
    }
}

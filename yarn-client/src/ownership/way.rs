//! The directories and links through which a path leads to what it names.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::status::{Distrust, Kind, Me, Reason, Status};

/// The bit of a directory's mode by which only the owner of an entry can rename or remove the entry.
const STICKY: u32 = 0o1000;
/// The system follows no more links than these in one path.
const MOST_LINKS: usize = 40;

/// Whether nobody but this user and root can change what is found through a directory or link.
pub(super) fn judge(status: Status, me: &Me) -> Result<(), Reason> {
    let Status { kind, owner, mode, .. } = status;
    if owner != me.uid && !(me.is_root)(owner) {
        return Err(Reason::Foreign);
    }
    // The mode of a link has no meaning.
    if kind != Kind::Link && mode & STICKY == 0 && me.others_write(status) {
        return Err(Reason::Writable { mode });
    }
    Ok(())
}

/// Judges each directory in which the system looks for a name of the path, from `/` on, and each link that it
/// follows. What the path names is not judged. What does not exist yet is trusted, because the user is going
/// to make it.
pub(super) fn check(path: &Path, me: &Me) -> Result<(), Distrust> {
    let judged = |status: Status, at: &Path| {
        let distrust =
            |reason| Distrust { reason, through: Some(at.to_owned()), owner: status.owner, me: me.uid };
        judge(status, me).map_err(distrust)
    };
    // This fails only if the path is empty, or the current directory has gone; then nothing is found at all.
    let Ok(path) = std::path::absolute(path) else { return Ok(()) };
    let mut here = PathBuf::from("/");
    let mut ahead = names(&path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        let Ok(directory) = here.symlink_metadata() else { return Ok(()) };
        judged(Status::of(&directory), &here)?;
        // No link is left in `here`, so the directory above it is the one that its path names.
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(name);
        let Ok(found) = next.symlink_metadata() else { return Ok(()) };
        let status = Status::of(&found);
        if status.kind != Kind::Link {
            here = next;
            continue;
        }
        judged(status, &next)?;
        links += 1;
        let Ok(target) = next.read_link() else { return Ok(()) };
        if links > MOST_LINKS {
            return Ok(());
        }
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        ahead.extend(names(&target));
    }
    Ok(())
}

/// The names in a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

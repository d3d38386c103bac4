//! Decides what may be removed from a store. This module does no I/O.

use std::collections::BTreeSet;
use std::time::Duration;

use artifact_store::{Listing, idle, is_incoming};
use flink_model::class_data;
use hadoop_fs::FileStatus;
use serde::Deserialize;

use crate::leftovers::FORGOTTEN;

/// Files that were used within this time are always kept. Another client may have uploaded a file and not
/// submitted its application yet, and the NameNode updates the time of the last access at most once an hour.
pub(super) const ALWAYS_KEPT: Duration = Duration::from_secs(3600);

/// The keys by which two YARN clusters can be told apart.
const CLUSTER_KEYS: [&str; 4] = [
    "yarn.resourcemanager.cluster-id",
    "yarn.resourcemanager.ha.rm-ids",
    "yarn.resourcemanager.hostname",
    "yarn.resourcemanager.address",
];

/// The part of an application's `am.json` that says which files of the stores its containers need. Reading it
/// fails if one of the two lists is missing.
#[derive(Debug, Deserialize)]
pub(super) struct Needs {
    task_manager_resources: Vec<Needed>,
    application_master_resources: Vec<Needed>,
    #[serde(default)]
    hadoop: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Needed {
    url: String,
}

impl Needs {
    /// The files of the stores among the files that the containers need.
    pub(super) fn artifacts(&self) -> impl Iterator<Item = String> {
        self.task_manager_resources
            .iter()
            .chain(&self.application_master_resources)
            .filter_map(|needed| artifact(&needed.url).map(str::to_owned))
    }

    /// Whether the application was submitted to another YARN cluster than the one that `key` describes.
    pub(super) fn is_elsewhere(&self, key: impl Fn(&str) -> Option<String>) -> bool {
        CLUSTER_KEYS.iter().any(|name| match (self.hadoop.get(*name), key(name)) {
            (Some(theirs), Some(ours)) => *theirs != ours,
            _ => false,
        })
    }
}

/// The end of a URL or path that identifies a file of a store, whatever the store's own path is:
/// `ab/ab12…/name`, or `cds/<role>-<key>/<name>` for a class data archive. `None` for any other file.
pub(super) fn artifact(path: &str) -> Option<&str> {
    let third = path.rmatch_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
    if let Some(end) = path.get(third..).filter(|end| class_data::is_archive(end)) {
        return Some(end);
    }
    let name = path.rfind('/')?;
    let hash = path.get(..name)?.rfind('/')?;
    let letters = path.get(..hash)?.rfind('/').map_or(0, |at| at + 1);
    let sha256 = path.get(hash + 1..name)?;
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = sha256.get(..2) == path.get(letters..hash);
    (is_hash && fits && name + 1 < path.len()).then(|| path.get(letters..)).flatten()
}

/// What can be removed from a store.
#[derive(Debug, Default)]
pub(super) struct Sweep<'a> {
    /// Files that no application uses.
    pub(super) artifacts: Vec<&'a FileStatus>,
    /// Parts of files whose uploads were not finished.
    pub(super) uploads: Vec<&'a FileStatus>,
    /// Directories that are empty, or will be once the files above are removed. Deeper directories come
    /// first.
    pub(super) directories: Vec<&'a str>,
    /// The number of files that are kept, because an application uses them or because they were used
    /// recently.
    pub(super) kept: usize,
}

/// Looks through the store at `root`; `listing` has everything in it, except what others have closed. `used`
/// has the files that applications use, as [`artifact`] identifies them. A file whose path is not that of a
/// store's file is kept.
pub(super) fn sweep<'a>(
    root: &str,
    listing: &'a Listing,
    used: &BTreeSet<String>,
    older_than: Duration,
    now_ms: u64,
) -> Sweep<'a> {
    let mut sweep = Sweep::default();
    let mut stay: BTreeSet<&str> = BTreeSet::new();
    let below =
        |s: &'a FileStatus| s.path.strip_prefix(root.trim_end_matches('/')).and_then(|p| p.strip_prefix('/'));
    for status in &listing.closed {
        stay.extend(parents(&status.path));
        stay.insert(&status.path);
    }
    let listing = &listing.entries;
    for status in listing.iter().filter(|s| !s.is_dir) {
        let Some(path) = below(status) else { continue };
        let age = idle(status, now_ms);
        if path.split_once('/').is_some_and(|(top, name)| is_incoming(top) && !name.contains('/')) {
            if age >= FORGOTTEN {
                sweep.uploads.push(status);
            }
        } else if artifact(path) == Some(path) && !used.contains(path) && age >= older_than.max(ALWAYS_KEPT) {
            sweep.artifacts.push(status);
        } else {
            sweep.kept += usize::from(artifact(path) == Some(path));
            stay.extend(parents(&status.path));
        }
    }
    let emptied: BTreeSet<&str> = sweep.artifacts.iter().flat_map(|s| parents(&s.path)).collect();
    for status in listing.iter().filter(|s| s.is_dir) {
        let Some(path) = below(status) else { continue };
        let ours =
            path.split('/').next().is_some_and(|first| first.len() == 2 || first == class_data::DIRECTORY);
        let left_over = emptied.contains(&*status.path) || idle(status, now_ms) >= FORGOTTEN;
        // A directory that is kept because it was changed recently keeps the directories above it.
        let goes = ours && left_over;
        if !goes && !stay.contains(&*status.path) {
            stay.extend(parents(&status.path));
            stay.insert(&status.path);
        }
    }
    let directories = listing.iter().filter(|s| s.is_dir && below(s).is_some()).map(|s| &*s.path);
    sweep.directories = directories.filter(|path| !stay.contains(path)).collect();
    sweep.directories.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
    sweep
}

/// The directories above a path, the uppermost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(..at))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

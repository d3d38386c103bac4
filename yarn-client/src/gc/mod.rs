//! Implements `heddle gc`: removes the directories that ended applications have left, old records of
//! applications, files of the stores that no application uses, and copies of jars on this machine. It never
//! removes what a running application uses.

mod listing;
mod old_records;
pub(crate) mod plan;
mod survey;

use std::time::Duration;

use artifact_store::{PRIVATE_STORE, SHARED_STORE, ancestors, below, idle, list_all, now_ms};
use flink_model::config::Configuration;
use flink_model::options;
use futures::StreamExt;
use hadoop_fs::{FileStatus, FsErrorKind, Storage};
use serde::Serialize;

use crate::configuration::text;
use crate::context::Context;
use crate::error::Failure;
use crate::fetch;
use crate::hadoop::Hadoop;
use crate::leftovers::Fate;
use crate::staging::Ground;
use crate::units::iso;
use listing::AT_ONCE;
use plan::Sweep;
use survey::Survey;

/// What a run of `heddle gc` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcRequest {
    /// Whether to remove what is left over. Otherwise it is only listed.
    pub delete: bool,
    /// Whether to remove the directories of ended applications that Flink's own client has submitted, too.
    pub foreign: bool,
    /// Files of the stores and copies of jars that were used within this time are kept. Less than an hour
    /// counts as an hour.
    pub older_than: Duration,
}

/// The kinds of things that are left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The directory of an application that heddle has submitted.
    Application,
    /// The directory of an application that Flink's own client has submitted.
    ForeignApplication,
    /// The record of how an application has ended.
    Outcome,
    /// A file of a store.
    Artifact,
    /// A part of a file whose upload was not finished.
    Upload,
    /// A copy on this machine of a jar on the cluster.
    FetchedJar,
}

/// One thing that is left over. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The kind of the thing.
    pub kind: Kind,
    /// The place of the thing: a URL, or a path on this machine.
    pub path: String,
    /// The user who owns it; `None` for files on this machine.
    pub owner: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last used, in ISO 8601.
    pub last_used: Option<String>,
    /// Whether this run is to remove it.
    pub chosen: bool,
    /// Whether this run has removed it.
    pub removed: bool,
    /// Why it could not be removed, if that has failed.
    pub error: Option<String>,
    /// For how long it was not used.
    #[serde(skip)]
    pub idle: Duration,
}

/// What a run has found and done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether the run was to remove anything.
    pub delete: bool,
    /// The things that are left over.
    pub items: Vec<Item>,
    /// The size in bytes of what was removed or, without `delete`, would be removed.
    pub total_bytes: u64,
    /// The number of files in the stores that are kept.
    pub kept_artifacts: usize,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Whether the run could remove everything that it was to remove.
    pub fn is_complete(&self) -> bool {
        self.items.iter().all(|i| i.error.is_none())
    }
}

/// The place of a store.
struct Store {
    storage: Storage,
    root: String,
    /// Whether only applications of the store's owner can use the store.
    private: bool,
}

/// A thing to remove, with what is needed for that.
struct Target<'a> {
    item: Item,
    storage: &'a Storage,
    path: String,
    directory: bool,
}

/// Looks for what is left over, and removes it if the request says so. It is a failure if the ResourceManager
/// or the NameNode cannot be asked; a thing that cannot be removed is none (see [`Outcome::is_complete`]).
pub async fn run(
    hadoop: &Hadoop,
    context: &Context,
    configuration: &Configuration,
    request: &GcRequest,
) -> Result<Outcome, Failure> {
    let configured_base = text(configuration, &options::STAGING_DIRECTORY);
    let staging = hadoop.storage(configured_base.as_deref())?;
    let ground = Ground::find(&staging, configured_base.as_deref()).await?;
    let stores = stores(hadoop, configuration, &staging, &ground).await?;
    let survey = Survey::take(hadoop, &staging, &ground).await?;
    let uses = survey.uses().await?;
    let now_ms = now_ms();
    let mut outcome = Outcome {
        delete: request.delete,
        items: Vec::new(),
        total_bytes: 0,
        kept_artifacts: 0,
        notes: survey.notes(request.foreign),
    };

    let mut targets = Vec::new();
    for found in survey.directories.iter().filter(|d| d.fate == Fate::Dead) {
        let kind = if found.ours { Kind::Application } else { Kind::ForeignApplication };
        let chosen = found.ours || request.foreign;
        let item = item(kind, &staging, &found.status, found.bytes, chosen, now_ms)?;
        targets.push(Target { item, storage: &staging, path: found.status.path.clone(), directory: true });
    }
    let old = old_records::find(&survey, &staging, now_ms).await?;
    outcome.notes.extend(old.note);
    for record in &old.records {
        let item = item(Kind::Outcome, &staging, &record.status, record.bytes, true, now_ms)?;
        let path = record.status.path.clone();
        targets.push(Target { item, storage: &staging, path, directory: true });
    }
    let mut listings = Vec::new();
    for store in &stores {
        let listing = match list_all(&store.storage, &store.root).await {
            Ok(listing) => listing,
            Err(e) if e.kind() == FsErrorKind::NotFound => continue,
            // Where several users share a staging directory, the private store of an earlier release belongs
            // to the one who came first.
            Err(e) if e.kind() == FsErrorKind::PermissionDenied => {
                outcome.notes.push(format!("the store {} is left alone: you may not read it", store.root));
                continue;
            }
            Err(e) => return Err(Failure::fs(&e)),
        };
        let left = |s: &FileStatus| format!("{} of {} is left alone: you may not read it", s.path, s.owner);
        outcome.notes.extend(listing.closed.iter().map(left));
        listings.push((store, listing));
    }
    let mut emptied = Vec::new();
    for (store, listing) in &listings {
        let blocking = uses.unknown.iter().filter(|u| !store.private || u.may_be_mine);
        let reasons: Vec<String> =
            blocking.map(|u| format!("the store {} is left alone: {}", store.root, u.reason)).collect();
        if !reasons.is_empty() && !listing.entries.is_empty() {
            outcome.notes.extend(reasons);
            continue;
        }
        let Sweep { artifacts, uploads, directories, kept } =
            plan::sweep(&store.root, listing, &uses.artifacts, request.older_than, now_ms);
        outcome.kept_artifacts += kept;
        for (kind, files) in [(Kind::Artifact, artifacts), (Kind::Upload, uploads)] {
            for status in files {
                let item = item(kind, &store.storage, status, status.len, true, now_ms)?;
                targets.push(Target {
                    item,
                    storage: &store.storage,
                    path: status.path.clone(),
                    directory: false,
                });
            }
        }
        emptied.extend(directories.into_iter().map(|path| (&store.storage, path)));
    }

    outcome.items = futures::stream::iter(targets)
        .map(|target| settle(target, request.delete))
        .buffered(AT_ONCE)
        .collect()
        .await;
    if request.delete {
        remove_empty(emptied).await;
    }
    outcome.items.extend(fetched_jars(context, request));
    outcome.total_bytes =
        outcome.items.iter().filter(|i| i.removed || (i.chosen && !request.delete)).map(|i| i.bytes).sum();
    Ok(outcome)
}

/// The stores that are used with this configuration.
async fn stores(
    hadoop: &Hadoop,
    configuration: &Configuration,
    staging: &Storage,
    ground: &Ground,
) -> Result<Vec<Store>, Failure> {
    let shared = match text(configuration, &options::STORE_DIR) {
        Some(dir) => {
            let storage = hadoop.storage(Some(&dir))?;
            let root = storage.path(&dir).map_err(|e| Failure::fs(&e))?;
            vec![(storage, root)]
        }
        None => ground.bases().iter().map(|base| (staging.clone(), below(base, SHARED_STORE))).collect(),
    };
    let mut stores = Vec::new();
    for (storage, root) in shared {
        let private = is_closed(&storage, &root).await?;
        stores.push(Store { storage, root, private });
    }
    let private = ground.bases().into_iter().map(|base| below(base, PRIVATE_STORE));
    stores.extend(private.map(|root| Store { storage: staging.clone(), root, private: true }));
    Ok(stores)
}

/// Whether no other user can reach the files below `root`, because only the owner may enter `root` or a
/// directory above it.
async fn is_closed(storage: &Storage, root: &str) -> Result<bool, Failure> {
    const ANYBODY_ELSE_ENTERS: u16 = 0o011;
    for directory in ancestors(root).iter().map(String::as_str).chain([root]) {
        match storage.find(directory).await {
            Ok(Some(found)) if found.mode & ANYBODY_ELSE_ENTERS == 0 => return Ok(true),
            Ok(_) => {}
            // Another user has closed a directory above it. This user cannot list the store, either.
            Err(e) if e.kind() == FsErrorKind::PermissionDenied => return Ok(false),
            Err(e) => return Err(Failure::fs(&e)),
        }
    }
    Ok(false)
}

fn item(
    kind: Kind,
    storage: &Storage,
    status: &FileStatus,
    bytes: u64,
    chosen: bool,
    now_ms: u64,
) -> Result<Item, Failure> {
    Ok(Item {
        kind,
        path: storage.url(&status.path).map_err(|e| Failure::fs(&e))?,
        owner: Some(status.owner.clone()),
        bytes,
        last_used: iso(status.modified_ms.max(status.accessed_ms)),
        chosen,
        removed: false,
        error: None,
        idle: idle(status, now_ms),
    })
}

async fn settle(target: Target<'_>, delete: bool) -> Item {
    let Target { mut item, storage, path, directory } = target;
    if delete && item.chosen {
        match storage.delete(&path, directory).await {
            // A thing that does not exist any more counts as removed.
            Ok(_) => item.removed = true,
            Err(e) => item.error = Some(e.to_string()),
        }
    }
    item
}

/// Removes empty directories. If another client has put a file into one meanwhile, the directory is kept.
async fn remove_empty(directories: Vec<(&Storage, &str)>) {
    for (storage, path) in directories {
        if let Err(error) = storage.delete(path, false).await {
            tracing::debug!(%error, path, "directory not removed");
        }
    }
}

fn fetched_jars(context: &Context, request: &GcRequest) -> Vec<Item> {
    let Some(root) = fetch::directory(context) else { return Vec::new() };
    let old = fetch::entries(&root, request.older_than.max(plan::ALWAYS_KEPT));
    let mut list = Vec::new();
    for entry in old {
        let removed = request.delete && entry.remove();
        let since = now_ms().saturating_sub(u64::try_from(entry.unused.as_millis()).unwrap_or_default());
        list.push(Item {
            kind: Kind::FetchedJar,
            path: entry.path.display().to_string(),
            owner: None,
            bytes: entry.size,
            last_used: iso(since),
            chosen: true,
            removed,
            error: (request.delete && !removed).then(|| "the directory cannot be removed".to_owned()),
            idle: entry.unused,
        });
    }
    list
}

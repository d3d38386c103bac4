//! Removes what dead applications have left in the staging area, artifacts of the store that nothing uses,
//! and copies of jars on this machine. Never what a live application uses.

mod listing;
pub(crate) mod plan;
mod survey;

use std::time::Duration;

use artifact_store::{PRIVATE_STORE, SHARED_STORE, ancestors, below, idle, now_ms};
use flink_model::config::Configuration;
use flink_model::options;
use futures::StreamExt;
use hadoop_fs::{FileStatus, Storage};
use serde::Serialize;

use crate::configuration::text;
use crate::context::Context;
use crate::error::Failure;
use crate::fetch;
use crate::hadoop::Hadoop;
use crate::leftovers::Fate;
use crate::units::iso;
use listing::{AT_ONCE, list};
use plan::Sweep;
use survey::Survey;

/// What a run of `heddle gc` is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcRequest {
    /// Remove what is left over. Otherwise it is only listed.
    pub delete: bool,
    /// What flink-yarn's own dead applications have left, too.
    pub foreign: bool,
    /// Artifacts and copies that were used within this time stay. An hour at least counts.
    pub older_than: Duration,
}

/// Kinds of things that are left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Directory of an application of heddle.
    Application,
    /// Directory of an application of flink-yarn.
    ForeignApplication,
    /// File of the store.
    Artifact,
    /// Part of a file that was never uploaded whole.
    Upload,
    /// Copy on this machine of a jar on the cluster.
    FetchedJar,
}

/// One thing that is left over. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Where it is: a URL, or a path on this machine.
    pub path: String,
    /// The user to whom it belongs.
    pub owner: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Since when nothing has used it, ISO 8601.
    pub last_used: Option<String>,
    /// Whether this run is to remove it.
    pub chosen: bool,
    /// Whether it is gone.
    pub removed: bool,
    /// Why it could not be removed.
    pub error: Option<String>,
    /// For how long nothing has used it.
    #[serde(skip)]
    pub idle: Duration,
}

/// What was found and done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether anything was to be removed.
    pub delete: bool,
    /// What is left over.
    pub items: Vec<Item>,
    /// Bytes of what was removed, or would be.
    pub total_bytes: u64,
    /// Artifacts that stay.
    pub kept_artifacts: usize,
    /// Things to know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Whether everything that was to be removed is gone.
    pub fn is_complete(&self) -> bool {
        self.items.iter().all(|i| i.error.is_none())
    }
}

/// Where one store is.
struct Store {
    storage: Storage,
    root: String,
    /// Only the owner's applications can use it.
    private: bool,
}

/// Something to remove, and how.
struct Target<'a> {
    item: Item,
    storage: &'a Storage,
    path: String,
    directory: bool,
}

/// Looks for what is left over, and removes it if the request says so.
pub async fn run(
    hadoop: &Hadoop,
    context: &Context,
    configuration: &Configuration,
    request: &GcRequest,
) -> Result<Outcome, Failure> {
    let configured_base = text(configuration, &options::STAGING_DIRECTORY);
    let staging = hadoop.storage(configured_base.as_deref())?;
    let home = staging.home_dir().to_owned();
    let base = staging.path(configured_base.as_deref().unwrap_or(&home)).map_err(|e| Failure::fs(&e))?;
    let stores = stores(hadoop, configuration, &staging, &base).await?;
    let survey = Survey::take(hadoop, &staging, &base).await?;
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
    let mut listings = Vec::new();
    for store in &stores {
        listings.push((store, list(&store.storage, &store.root, true).await?));
    }
    let mut emptied = Vec::new();
    for (store, listing) in &listings {
        let blocking = uses.unknown.iter().filter(|u| !store.private || u.may_be_mine);
        let reasons: Vec<String> =
            blocking.map(|u| format!("the store {} is left alone: {}", store.root, u.reason)).collect();
        if !reasons.is_empty() && !listing.is_empty() {
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

/// The stores that this configuration uses.
async fn stores(
    hadoop: &Hadoop,
    configuration: &Configuration,
    staging: &Storage,
    base: &str,
) -> Result<Vec<Store>, Failure> {
    let shared = match text(configuration, &options::STORE_DIR) {
        Some(dir) => {
            let storage = hadoop.storage(Some(&dir))?;
            let root = storage.path(&dir).map_err(|e| Failure::fs(&e))?;
            (storage, root)
        }
        None => (staging.clone(), below(base, SHARED_STORE)),
    };
    let closed = is_closed(&shared.0, &shared.1).await?;
    let shared = Store { storage: shared.0, root: shared.1, private: closed };
    let private = Store { storage: staging.clone(), root: below(base, PRIVATE_STORE), private: true };
    Ok(vec![shared, private])
}

/// Whether nobody but the owner can get to the files below `root`.
async fn is_closed(storage: &Storage, root: &str) -> Result<bool, Failure> {
    const ANYBODY_ELSE_ENTERS: u16 = 0o011;
    for directory in ancestors(root).iter().map(String::as_str).chain([root]) {
        let found = storage.find(directory).await.map_err(|e| Failure::fs(&e))?;
        if found.is_some_and(|s| s.mode & ANYBODY_ELSE_ENTERS == 0) {
            return Ok(true);
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
            // A thing that is not there any more counts as removed.
            Ok(_) => item.removed = true,
            Err(e) => item.error = Some(e.to_string()),
        }
    }
    item
}

/// Removes directories that hold nothing. One that has got something in the meantime stays.
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

//! Implements `heddle store`: fills a store for all users of a cluster, lists what a store holds, and
//! compares its files with their hashes.
//!
//! Users whose configuration names the store with `heddle.store.dir` use what is in it, and upload only what
//! is missing, to private stores of their own. Only the owner of the store can write to it.

use std::sync::Arc;

use artifact_store::{
    Artifact, Completion, Concurrency, Content, Entry, Hashes, RootOwner, Store, Unfinished, Uploaded,
};
use flink_model::config::Configuration;
use flink_model::local_resource::{LocalResource, Visibility};
use flink_model::options;
use serde::Serialize;

use crate::configuration::text;
use crate::context::Context;
use crate::deploy::{Library, libraries};
use crate::error::{CauseClass, Failure};
use crate::hadoop::Hadoop;
use crate::report::Report;
use crate::setup::Setup;

/// What was published. The field names are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The URL of the store.
    pub store: String,
    /// The files that the store has now.
    pub files: Vec<PublishedFile>,
    /// Files of the distribution that are not for everybody.
    pub left_out: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A file of the distribution that the store has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedFile {
    /// Its path in the containers.
    pub key: String,
    /// Its URL.
    pub url: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether this run has uploaded it.
    pub uploaded: bool,
}

/// A file that a store holds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFile {
    /// The name.
    pub name: String,
    /// The URL.
    pub url: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The user who owns it.
    pub owner: String,
    /// Why deployments do not use it.
    pub unused: Option<String>,
    /// Whether its content is what its path promises; `None` if it was not read.
    pub intact: Option<bool>,
}

/// Everything that a store holds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The URL of the store.
    pub store: String,
    /// The files.
    pub files: Vec<StoredFile>,
}

impl Contents {
    /// Whether no file was found to be damaged.
    pub fn is_intact(&self) -> bool {
        self.files.iter().all(|file| file.intact != Some(false))
    }
}

/// Uploads the libraries of the distribution and heddle's own programs to the store that the configuration
/// names, so that everybody may read them and nobody else may write. It is a failure if the store belongs to
/// somebody else, or if others may write to it or exchange it.
pub async fn publish(
    hadoop: &Hadoop,
    context: &Context,
    setup: &Setup,
    configuration: &Configuration,
    report: &Arc<dyn Report>,
) -> Result<Published, Failure> {
    let store = named_store(hadoop, configuration)?;
    let url = store.url()?;
    let hashes = Hashes::open(context.cache_dir().map(|dir| dir.join("hashes.json")));
    let (mut files, mut left_out, mut contents) = (Vec::new(), Vec::new(), Vec::new());
    let unfinished = Unfinished::default();
    // Equal names get numbers, which count within one deployment. A deployment seldom has jars of opt, so
    // these are counted for themselves.
    for group in libraries(context, &setup.flink)? {
        let (shared, closed): (Vec<Library>, Vec<Library>) = group.into_iter().partition(|file| file.open);
        left_out.extend(closed.into_iter().map(|file| file.path.display().to_string()));
        let done = put(&store, shared, &hashes, &unfinished, report).await;
        if done.is_err() {
            unfinished.remove().await;
        }
        let (of_group, hashed) = done?;
        files.extend(of_group);
        contents.extend(hashed);
    }
    let mut warnings = Vec::new();
    if let Err(failure) = hashes.remember(&contents).map_err(Failure::from) {
        warnings.push(failure.to_string());
    }
    if files.iter().any(|(_, resource)| resource.visibility != Visibility::Public) {
        warnings.push(format!(
            "not everybody may read the store: `hdfs dfs -chmod a+x` on the directories above {url} lets all users use it"
        ));
    }
    if let Some(why) = store.distrusted_by_others().await? {
        warnings.push(format!(
            "deployments of other users do not use {url}: {why}; publish in a directory in which only you, or only the superuser of HDFS, \
             may write"
        ));
    }
    let published = |(uploaded, resource): (bool, LocalResource)| PublishedFile {
        key: resource.key,
        url: resource.url,
        bytes: resource.size,
        uploaded,
    };
    Ok(Published { store: url, files: files.into_iter().map(published).collect(), left_out, warnings })
}

/// Puts files into the store. For each the result says whether it was uploaded.
async fn put(
    store: &Store,
    files: Vec<Library>,
    hashes: &Hashes,
    unfinished: &Unfinished,
    report: &Arc<dyn Report>,
) -> Result<(Vec<(bool, LocalResource)>, Vec<Content>), Failure> {
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    let contents = hashes.begin(&paths, drop)?;
    let artifacts = files.into_iter().zip(contents);
    let artifacts = artifacts.map(|(file, content)| Artifact::new(file.key, content, file.kind)).collect();
    let inventory = store.survey_all(artifacts).await?;
    store.require_publisher(&inventory)?;
    store.require_no_zone(&inventory).await?;
    let missing = inventory.missing();
    let planned = inventory.is_missing();
    if !missing.is_empty() {
        report.upload_begins(missing.len(), missing.iter().sum());
    }
    let listener = Arc::clone(report);
    let uploaded: Uploaded = Arc::new(move |name, bytes| listener.uploaded(name, bytes));
    let done = store.complete(inventory, unfinished, &uploaded).await.and_then(Completion::whole);
    if !missing.is_empty() {
        report.upload_ends();
    }
    let (artifacts, resources): (Vec<_>, Vec<_>) = done?.into_iter().unzip();
    let contents = artifacts.into_iter().map(|artifact| artifact.file).collect();
    Ok((planned.into_iter().zip(resources).collect(), contents))
}

/// The files of the store that the configuration names. With `verify`, each file is read.
pub async fn contents(
    hadoop: &Hadoop,
    configuration: &Configuration,
    verify: bool,
) -> Result<Contents, Failure> {
    let store = named_store(hadoop, configuration)?;
    let url = store.url()?;
    let Some(entries) = store.contents().await? else {
        return Err(Failure::new(format!("there is no store in {url}"))
            .of_class(CauseClass::NotFound)
            .hint("`heddle store publish` fills one; heddle.store.dir names it"));
    };
    let mut files = Vec::new();
    for entry in entries {
        // What has no hash to compare with is not used, and so is not read.
        let wanted = verify && entry.sha256.is_some();
        let intact = if wanted { Some(store.verify(&entry).await?) } else { None };
        let Entry { path, name, bytes, owner, unused, .. } = entry;
        files.push(StoredFile { name, url: store.url_of(&path)?, bytes, owner, unused, intact });
    }
    Ok(Contents { store: url, files })
}

/// The store that `heddle.store.dir` names.
fn named_store(hadoop: &Hadoop, configuration: &Configuration) -> Result<Store, Failure> {
    let key = options::STORE_DIR.key;
    let directory = text(configuration, &options::STORE_DIR).ok_or_else(|| {
        Failure::usage(format!("no store is named: {key} is not set"))
            .hint(format!("name one, for example with -D{key}=hdfs:///flink/store"))
    })?;
    let storage = hadoop.storage(Some(&directory))?;
    let replication = text(configuration, &options::FILE_REPLICATION).and_then(|r| r.parse::<i32>().ok());
    let replication = replication.filter(|r| *r > 0).and_then(|r| u16::try_from(r).ok());
    let root_owner = RootOwner::Named { home: storage.home_dir().to_owned() };
    let root = directory.trim_end_matches('/');
    Ok(Store::shared(storage, root, root_owner, replication, Concurrency::QUICK)?)
}

//! Looks at the remote files that the containers get. They must exist, and YARN must be given their sizes and
//! modification times.

use std::collections::BTreeMap;

use artifact_store::{ancestors, visibility};
use flink_model::class_path::is_dist_jar;
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use flink_model::options;
use flink_model::release::Release;
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, FsError, FsErrorKind, Storage, is_glob};
use taskrunner::links;

use super::container_files::{ContainerFile, FileSource, Part, check_archive};
use super::names::{Names, check_directories, twice};
use super::packed::HEAD;
use crate::error::{CauseClass, Failure};
use crate::hadoop::Hadoop;
use crate::warning::Warnings;

/// The number of questions to the NameNodes that are open at the same time.
const PARALLEL: usize = 16;

/// A remote file as a local resource, with what it is for and the configuration key that names it.
#[derive(Debug, Clone)]
pub(crate) struct RemoteFile {
    pub(crate) resource: LocalResource,
    pub(crate) part: Part,
    pub(crate) by: &'static str,
    /// Whether it is in an encryption zone of HDFS.
    pub(crate) encrypted: bool,
}

/// Looks at all remote files, and checks the names of all files. It is a failure if a file does not exist, if
/// two files have the same name, or if there is no flink-dist jar among `files` and in the provided
/// directories.
pub(crate) async fn remote_files(
    hadoop: &Hadoop,
    files: &[ContainerFile],
    names: &Names,
    warnings: &mut Warnings,
) -> Result<Vec<RemoteFile>, Failure> {
    // The futures are made before the stream runs them; otherwise the compiler could not prove that the whole
    // future is `Send`.
    let looks: Vec<_> = files.iter().map(|item| look(hadoop, item)).collect();
    let looks = stream::iter(looks).buffered(PARALLEL);
    let mut found: Vec<RemoteFile> = looks.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
    let named = |key: &str| files.iter().any(|w| is_dist_jar(key) && is_dist_jar(&w.key));
    // A flink-dist jar that is named by itself replaces one in the provided directories.
    found.retain(|file| file.by != options::PROVIDED_LIB_DIRS.key || !named(&file.resource.key));
    let mut admitted = Vec::with_capacity(found.len());
    for file in found {
        if names.admit(&file.resource.key, file.by, None, warnings)? {
            admitted.push(file);
        }
    }
    let found = admitted;
    let mut keys: BTreeMap<&str, &'static str> = BTreeMap::new();
    let local = files.iter().filter(|w| {
        !matches!(w.source, FileSource::RemoteTree(_) | FileSource::RemotePath(_) | FileSource::Remote(_))
    });
    for (key, by) in
        local.map(|w| (w.key.as_str(), w.by)).chain(found.iter().map(|f| (f.resource.key.as_str(), f.by)))
    {
        if let Some(other) = keys.insert(key, by) {
            return Err(twice(key, other, by));
        }
    }
    check_directories(&keys)?;
    let release = names.release;
    let provided = |f: &&RemoteFile| f.by == options::PROVIDED_LIB_DIRS.key;
    if found.iter().filter(provided).any(|f| f.resource.visibility != Visibility::Public) {
        warnings.warn(format!(
            "not everybody may read {}: its files are fetched anew for each user; `hdfs dfs -chmod -R a+rX` on the \
             directories, and a+x on those above, lets all users of a node share them",
            options::PROVIDED_LIB_DIRS.key
        ));
    }
    let Some(dist) = keys.keys().find(|key| is_dist_jar(key)) else {
        let by = options::PROVIDED_LIB_DIRS.key;
        let dirs = files.iter().filter(|w| w.by == by).filter_map(|w| match &w.source {
            FileSource::RemoteTree(url) => Some(url.as_str()),
            _ => None,
        });
        return Err(Failure::configuration(format!(
            "no flink-dist jar is in the directories of {by} ({})",
            dirs.collect::<Vec<_>>().join(", ")
        ))
        .hint("put Flink's whole lib directory there, or name the jar with yarn.flink-dist-jar"));
    };
    let provided = Release::from_dist_jar(dist.rsplit('/').next().unwrap_or(dist)).and_then(Result::ok);
    if let Some(provided) = provided.filter(|p| (p.major, p.minor) != (release.major, release.minor)) {
        warnings.warn(format!(
            "the containers get Flink {provided}, and this machine has Flink {release}: sizes and options are made for the latter"
        ));
    }
    Ok(found)
}

async fn look(hadoop: &Hadoop, file: &ContainerFile) -> Result<Vec<RemoteFile>, Failure> {
    let (url, may_be_dir, must_be_dir) = match &file.source {
        FileSource::Remote(url) => (url, false, false),
        FileSource::RemotePath(url) => (url, true, false),
        FileSource::RemoteTree(url) => (url, true, true),
        FileSource::Shared(_)
        | FileSource::Closed(_)
        | FileSource::Private(_)
        | FileSource::OfApplication(_) => return Ok(Vec::new()),
    };
    let storage = hadoop.storage(Some(url))?;
    let fs = |e| Failure::fs(&e);
    let root = storage.path(url).map_err(fs)?;
    // A file may have a star in its name. If a file with exactly this name exists, it is meant, and the star
    // is no pattern.
    if let Some(status) = storage.find(&root).await.map_err(fs)? {
        match (status.is_dir, may_be_dir, must_be_dir) {
            (true, false, _) => {
                return Err(Failure::configuration(format!(
                    "{url} ({}) is a directory, and a file is needed",
                    file.by
                )));
            }
            (false, _, true) => {
                return Err(Failure::configuration(format!(
                    "{url} ({}) is a file, and a directory is needed",
                    file.by
                )));
            }
            _ => {}
        }
        return files_of(&storage, &file.named_by(&status.path), &status).await;
    }
    if !is_glob(url) {
        return Err(Failure::new(format!("{url} ({}) does not exist", file.by))
            .of_class(CauseClass::NotFound)
            .hint("check the path, for example with `hdfs dfs -ls`"));
    }
    let mut matched = storage.glob(url).await.map_err(fs)?;
    if !may_be_dir {
        matched.retain(|status| !status.is_dir);
    }
    if matched.is_empty() {
        return Err(no_match(&storage, url, &root, file.by).await);
    }
    let mut found = Vec::new();
    for status in matched {
        let file = file.named_by(&status.path);
        file.check_name(status.is_dir)?;
        found.append(&mut files_of(&storage, &file, &status).await?);
    }
    Ok(found)
}

/// Makes the failure for a pattern that matches nothing. Its hint says what the directory holds.
async fn no_match(storage: &Storage, url: &str, pattern: &str, by: &str) -> Failure {
    /// The highest number of names in the hint.
    const MOST: usize = 20;
    let plain = pattern.split('/').take_while(|name| !is_glob(name));
    let mut directory = plain.collect::<Vec<_>>().join("/");
    if directory.is_empty() {
        directory.push('/');
    }
    let at = storage.url(&directory).unwrap_or_else(|_| directory.clone());
    let failure = Failure::new(format!("nothing matches {url} ({by})")).of_class(CauseClass::NotFound);
    match storage.list(&directory, false).await {
        Ok(entries) if entries.is_empty() => failure.hint(format!("{at} is empty")),
        Ok(entries) => {
            let names = entries.iter().map(|e| e.path.rsplit('/').next().unwrap_or_default());
            let mut told: Vec<&str> = names.take(MOST).collect();
            if entries.len() > MOST {
                told.push("…");
            }
            failure.hint(format!("{at} holds {}", told.join(", ")))
        }
        Err(e) if e.kind() == FsErrorKind::NotFound => failure.hint(format!("{at} does not exist")),
        Err(e) => failure.hint(e.to_string()),
    }
}

/// Returns one file, or all files below a directory.
async fn files_of(
    storage: &Storage,
    requested: &ContainerFile,
    status: &FileStatus,
) -> Result<Vec<RemoteFile>, Failure> {
    let fs = |e| Failure::fs(&e);
    let root = &status.path;
    // What is encrypted cannot be looked at here.
    if requested.kind == LocalResourceKind::Archive && !status.encrypted {
        let head = head(storage, root).await.map_err(fs)?;
        check_archive(&storage.url(root).map_err(fs)?, &head, requested.by)?;
    }
    let files =
        if status.is_dir { storage.list(root, true).await.map_err(fs)? } else { vec![status.clone()] };
    let mut modes: BTreeMap<String, u32> = BTreeMap::new();
    for dir in files.iter().filter(|f| f.is_dir).chain(std::iter::once(status)) {
        modes.insert(dir.path.clone(), u32::from(dir.mode));
    }
    for dir in ancestors(root) {
        let above = storage.find(&dir).await.map_err(fs)?;
        modes.insert(dir, above.map_or(0, |s| u32::from(s.mode)));
    }
    files.iter().filter(|f| !f.is_dir).map(|file| one(storage, requested, status, file, &modes)).collect()
}

async fn head(storage: &Storage, path: &str) -> Result<Vec<u8>, FsError> {
    let mut reading = storage.open_at(path, 0).await?;
    let mut head = Vec::new();
    while head.len() < HEAD
        && let Some(piece) = reading.next().await?
    {
        head.extend_from_slice(&piece);
    }
    Ok(head)
}

fn one(
    storage: &Storage,
    requested: &ContainerFile,
    top: &FileStatus,
    file: &FileStatus,
    modes: &BTreeMap<String, u32>,
) -> Result<RemoteFile, Failure> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if !links::is_plain(name) {
        let url = storage.url(&file.path).map_err(|e| Failure::fs(&e))?;
        return Err(Failure::configuration(format!(
            "cannot ship {url:?} ({}): the nodes' launch scripts would evaluate what is in its name",
            requested.by
        ))
        .hint("rename it without \", $, `, \\ and control characters; local files may have them"));
    }
    let below = if top.is_dir { file.path.strip_prefix(&top.path).unwrap_or_default() } else { "" };
    let above = ancestors(&file.path).into_iter().map(|dir| modes.get(&dir).copied().unwrap_or(0));
    Ok(RemoteFile {
        resource: LocalResource {
            key: format!("{}{below}", requested.key),
            url: storage.url(&file.path).map_err(|e| Failure::fs(&e))?,
            size: file.len,
            modification_time: i64::try_from(file.modified_ms).unwrap_or(i64::MAX),
            visibility: visibility(u32::from(file.mode), above),
            kind: requested.kind,
        },
        part: requested.part,
        by: requested.by,
        encrypted: file.encrypted,
    })
}

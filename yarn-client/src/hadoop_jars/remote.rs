//! Finds jars in HDFS.

use flink_model::options;
use hadoop_fs::{FileStatus, Storage, is_glob};

use super::wanted::{among_flinks, is_for_clients};
use crate::error::Failure;
use crate::hadoop::Hadoop;

/// The URLs of the jars that one entry of `heddle.hadoop.jars` names: a jar, a directory with jars, or a
/// pattern. It is a failure if there are none.
pub(super) async fn named(hadoop: &Hadoop, entry: &str) -> Result<Vec<String>, Failure> {
    let storage = hadoop.storage(Some(entry))?;
    let fs = |e| Failure::fs(&e);
    let found = match storage.find(entry).await.map_err(fs)? {
        Some(status) if status.is_dir => storage.list(entry, false).await.map_err(fs)?,
        Some(status) => vec![status],
        None if is_glob(entry) => storage.glob(entry).await.map_err(fs)?,
        None => Vec::new(),
    };
    let mut urls = Vec::new();
    for status in found.iter().filter(|status| !status.is_dir && is_for_clients(name(status))) {
        urls.push(storage.url(&status.path).map_err(fs)?);
    }
    if urls.is_empty() {
        return Err(Failure::new(format!("{entry} ({}) is no jar and has none", options::HADOOP_JARS.key))
            .hint("check the path, for example with `hdfs dfs -ls`"));
    }
    Ok(urls)
}

/// The URLs of those jars in the directories of `yarn.provided.lib.dirs` that have Hadoop's classes.
pub(super) async fn provided(hadoop: &Hadoop, directories: &[String]) -> Result<Vec<String>, Failure> {
    let mut urls = Vec::new();
    for directory in directories {
        let storage = hadoop.storage(Some(directory))?;
        for status in files(&storage, directory).await? {
            if !status.is_dir {
                urls.push(storage.url(&status.path).map_err(|e| Failure::fs(&e))?);
            }
        }
    }
    Ok(among_flinks(urls, String::as_str))
}

/// Everything below a directory, or below what matches a pattern. What is not there has nothing.
async fn files(storage: &Storage, directory: &str) -> Result<Vec<FileStatus>, Failure> {
    let fs = |e| Failure::fs(&e);
    let roots = match storage.find(directory).await.map_err(fs)? {
        Some(status) => vec![status],
        None if is_glob(directory) => storage.glob(directory).await.map_err(fs)?,
        None => Vec::new(),
    };
    let mut found = Vec::new();
    for root in roots {
        if root.is_dir {
            found.extend(storage.list(&root.path, true).await.map_err(fs)?);
        } else {
            found.push(root);
        }
    }
    Ok(found)
}

fn name(status: &FileStatus) -> &str {
    status.path.rsplit('/').next().unwrap_or_default()
}

//! Remembers which jars of HDFS were copied to this machine, so that not each command asks HDFS for them. The
//! copies are those of [`crate::fetch`]; what is remembered is a file `<cache>/hadoop-jars/<key>.json`, whose
//! key is a hash of what was looked for.

use std::path::{Path, PathBuf};

use artifact_store::{Content, Hashes};
use flink_model::class_data::fingerprint;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Failure;
use crate::{ownership, variables};

/// The directory in [`Context::cache_dir`].
const DIRECTORY: &str = "hadoop-jars";
/// The version of the files. Those of other versions do not count.
const VERSION: u32 = 1;

/// A jar that was copied to this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Jar {
    /// The path of the copy.
    pub(super) path: PathBuf,
    /// The SHA-256 of its content when it was copied, in hexadecimal.
    pub(super) sha256: String,
}

/// What was found when it was looked for last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    /// Until when it is not looked for again, in ms since 1970.
    until_ms: u64,
    /// The jars; none if none were found.
    pub(super) jars: Vec<Jar>,
}

impl Kept {
    pub(super) fn new(jars: Vec<Jar>, until_ms: u64) -> Self {
        Self { version: VERSION, until_ms, jars }
    }

    /// Reads what was remembered. What cannot be read counts as nothing.
    pub(super) fn read(file: &Path) -> Option<Self> {
        let kept: Self = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        (kept.version == VERSION).then_some(kept)
    }

    /// Remembers it. Other processes read either the old file or the new one.
    pub(super) fn write(&self, file: &Path) -> std::io::Result<()> {
        ownership::write_json(file, self)
    }

    /// Whether it need not be looked for again at this time, in ms since 1970.
    pub(super) fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// The paths of the copies.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.jars.iter().map(|jar| jar.path.clone()).collect()
    }

    /// Whether all copies are there, with the content that they had.
    pub(super) async fn is_whole(&self, context: &Context) -> bool {
        if self.jars.is_empty() {
            return true;
        }
        match hashes(context, &self.paths()).await {
            Ok(found) => found.iter().zip(&self.jars).all(|(sha256, jar)| *sha256 == jar.sha256),
            Err(failure) => {
                tracing::debug!(%failure, "the copies of Hadoop's jars are not used");
                false
            }
        }
    }
}

/// The file for what is looked for under this name. The same paths can lead to other clusters with another
/// configuration of Hadoop. `None` if there is no place for it.
pub(super) fn file(context: &Context, looked_for: &str) -> Option<PathBuf> {
    let configured = [variables::HADOOP_CONF_DIR, variables::YARN_CONF_DIR, variables::HADOOP_HOME];
    let configured = configured.map(|name| context.var(name).unwrap_or_default()).join("\n");
    let key = fingerprint(&format!("{looked_for}\n{configured}"));
    Some(context.cache_dir()?.join(DIRECTORY).join(format!("{key}.json")))
}

/// The SHA-256 of files of this machine, in hexadecimal. The content of a file is read only if it was not
/// read before, or if the file has changed since. It is a failure if one of them cannot be read.
pub(super) async fn hashes(context: &Context, paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let hashes = Hashes::open(context.cache_dir().map(|directory| directory.join("hashes.json")));
    let contents = hashes.begin(paths, drop)?;
    let contents = try_join_all(contents.into_iter().map(Content::hashed)).await?;
    if let Err(error) = hashes.remember(&contents) {
        tracing::debug!(%error, "the hashes of Hadoop's jars are not remembered");
    }
    Ok(contents.iter().map(|content| content.sha256().unwrap_or_default().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(dir: &Path) -> Context {
        Context {
            vars: [("XDG_CACHE_HOME".to_owned(), dir.display().to_string())].into(),
            cwd: dir.into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    #[tokio::test]
    async fn copies_that_have_changed_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let context = context(dir.path());
        let path = dir.path().join("a.jar");
        std::fs::write(&path, "abc").unwrap();
        let sha256 = hashes(&context, std::slice::from_ref(&path)).await.unwrap().remove(0);
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let kept = Kept::new(vec![Jar { path: path.clone(), sha256 }], 10);
        let file = file(&context, "hdfs:///a.jar").unwrap();
        assert_eq!(Kept::read(&file), None);
        kept.write(&file).unwrap();
        assert_eq!(Kept::read(&file), Some(kept.clone()));
        assert_eq!((kept.is_fresh(9), kept.is_fresh(10)), (true, false));
        assert!(kept.is_whole(&context).await);
        std::fs::write(&path, "abd").unwrap();
        assert!(!kept.is_whole(&context).await);
        std::fs::remove_file(&path).unwrap();
        assert!(!kept.is_whole(&context).await);
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(Kept::read(&file), None);
    }

    #[test]
    fn another_configuration_of_hadoop_is_another_place() {
        let dir = tempfile::tempdir().unwrap();
        let here = context(dir.path());
        let mut there = here.clone();
        there.vars.insert("HADOOP_CONF_DIR".to_owned(), "/etc/other".to_owned());
        let of = |context: &Context, name: &str| file(context, name).unwrap();
        assert_ne!(of(&here, "hdfs:///a"), of(&there, "hdfs:///a"));
        assert_ne!(of(&here, "hdfs:///a"), of(&here, "hdfs:///b"));
    }
}

//! Finds Hadoop's classes for a program whose `main()` runs on this machine and needs them, such as one that
//! works on tables of Paimon, Iceberg or Hudi, if the user has not set `HADOOP_CLASSPATH`.
//!
//! The jars are those that `heddle.hadoop.jars` names, on this machine or in HDFS, or else those among
//! Flink's files in HDFS (`yarn.provided.lib.dirs`). What is in HDFS is copied to this machine once. They
//! stand behind Flink's jars on the class path, and with them the directories of Hadoop's configuration. Then
//! everything is as if the user had set `HADOOP_CLASSPATH`: Hadoop's own client is used for `hdfs://`, not
//! heddle's (see [`crate::run`]).

mod kept;
mod remote;
mod wanted;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::config::Configuration;
use flink_model::options;
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::now_ms;
use tokio::time::timeout;

use crate::configuration::bad_value;
use crate::context::Context;
use crate::error::Failure;
use crate::fetch::{self, fetch};
use crate::hadoop::Hadoop;
use crate::paths::{is_remote, without_scheme};
use crate::report::Report;
use crate::variables;
use kept::{Jar, Kept};
use wanted::Wanted;

/// For how long it is remembered which jars were found in HDFS.
const FOUND: Duration = Duration::from_secs(24 * 3600);
/// For how long it is remembered that Flink's files in HDFS have none. It is shorter, because somebody may
/// add them.
const NONE_FOUND: Duration = Duration::from_secs(3600);
/// For how long it is remembered that Flink's files in HDFS could not be looked at.
const NOT_SEEN: Duration = Duration::from_secs(600);
/// How long a command waits for the list of Flink's files in HDFS. Most programs do not need Hadoop's
/// classes.
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// The number of jars that are copied at the same time.
const PARALLEL: usize = 4;

/// Hadoop's classes for a program on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HadoopJars {
    jars: Vec<PathBuf>,
    /// The directories of Hadoop's configuration, which Hadoop's classes read from the class path.
    configuration: Vec<PathBuf>,
}

impl HadoopJars {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.jars.is_empty()
    }

    /// The jars and then the directories of Hadoop's configuration, joined as a class path. It is a failure
    /// if a path has the character `:`.
    pub fn class_path(&self) -> Result<OsString, Failure> {
        std::env::join_paths(self.jars.iter().chain(&self.configuration))
            .map_err(|e| Failure::because("cannot make a class path of Hadoop's jars", e))
    }

    /// The option of the JVM that names the configuration of Kerberos, if this process has one of its own:
    /// Java does not know `KRB5_CONFIG`. The variable may name several files, and Java reads only one.
    pub fn kerberos_option(&self, context: &Context) -> Option<String> {
        let file = context.var(variables::KRB5_CONFIG).filter(|_| !self.is_empty())?;
        let plain = !file.contains(char::is_whitespace) && context.path(file).is_file();
        plain.then(|| format!("-Djava.security.krb5.conf={}", context.path(file).display()))
    }
}

/// Finds the jars. None are found if `HADOOP_CLASSPATH` is set, or if the configuration names none. It is a
/// failure if those that `heddle.hadoop.jars` names are not there or cannot be copied. That Flink's files in
/// HDFS cannot be looked at is no failure, because most programs need none of this.
pub async fn find(
    context: &Context,
    configuration: &Configuration,
    report: &dyn Report,
) -> Result<HadoopJars, Failure> {
    if context.var(variables::HADOOP_CLASSPATH).is_some() {
        return Ok(HadoopJars::default());
    }
    let search = Search { context, configuration, report };
    let jars = match Wanted::of(configuration).map_err(bad_value)? {
        Wanted::Nothing => Vec::new(),
        Wanted::Named(entries) => search.named(&entries).await?,
        Wanted::Provided(directories) => search.provided(&directories).await,
    };
    if jars.is_empty() {
        return Ok(HadoopJars::default());
    }
    Ok(HadoopJars { jars, configuration: configuration_directories(context, configuration) })
}

/// The directories in which heddle itself looks for Hadoop's configuration.
fn configuration_directories(context: &Context, configuration: &Configuration) -> Vec<PathBuf> {
    // What is wrong with the configuration is told by whatever needs it.
    let Ok(conf) = Hadoop::configuration(context, configuration) else { return Vec::new() };
    let directories = conf.looked_in().iter().filter(|directory| directory.exists);
    directories.map(|directory| context.path(&directory.path)).collect()
}

struct Search<'a> {
    context: &'a Context,
    configuration: &'a Configuration,
    report: &'a dyn Report,
}

impl Search<'_> {
    async fn named(&self, entries: &[String]) -> Result<Vec<PathBuf>, Failure> {
        let mut jars = Vec::new();
        for entry in entries {
            if is_remote(entry) {
                jars.extend(self.named_in_hdfs(entry).await?);
            } else {
                jars.extend(on_this_machine(&self.context.path(without_scheme(entry)))?);
            }
        }
        Ok(jars)
    }

    /// The copies of the jars that an entry names in HDFS.
    async fn named_in_hdfs(&self, entry: &str) -> Result<Vec<PathBuf>, Failure> {
        let file = kept::file(self.context, entry);
        let before = self.before(file.as_deref()).await;
        if let Some(kept) = before.as_ref().filter(|kept| kept.is_fresh(now_ms())) {
            return Ok(kept.paths());
        }
        let looked = async {
            let hadoop = Hadoop::load(self.context, self.configuration).await?;
            let urls = remote::named(&hadoop, entry).await?;
            self.copies(&hadoop, &urls).await
        };
        match (looked.await, before) {
            (Ok(jars), _) => Ok(remember(file.as_deref(), jars, FOUND)),
            // What was there a day ago is better than nothing.
            (Err(failure), Some(kept)) => {
                tracing::info!(%failure, entry, "the jars that were copied before are used");
                Ok(kept.paths())
            }
            (Err(failure), None) => Err(failure),
        }
    }

    /// The copies of those of Flink's files in HDFS that have Hadoop's classes.
    async fn provided(&self, directories: &[String]) -> Vec<PathBuf> {
        let file = kept::file(self.context, &directories.join("\n"));
        let before = self.before(file.as_deref()).await;
        if let Some(kept) = before.as_ref().filter(|kept| kept.is_fresh(now_ms())) {
            return kept.paths();
        }
        let listed = async {
            let hadoop = Hadoop::load(self.context, self.configuration).await?;
            let urls = remote::provided(&hadoop, directories).await?;
            Ok::<_, Failure>((hadoop, urls))
        };
        let looked = async {
            let late = |_| Failure::new("the NameNode has not answered in time");
            let (hadoop, urls) = timeout(LIST_WITHIN, listed).await.map_err(late)??;
            self.copies(&hadoop, &urls).await
        };
        match (looked.await, before) {
            (Ok(jars), _) => {
                let time = if jars.is_empty() { NONE_FOUND } else { FOUND };
                remember(file.as_deref(), jars, time)
            }
            (Err(failure), kept) => {
                let key = options::PROVIDED_LIB_DIRS.key;
                tracing::info!(%failure, "the directories of {key} were not searched for Hadoop's jars");
                remember(file.as_deref(), kept.map(|kept| kept.jars).unwrap_or_default(), NOT_SEEN)
            }
        }
    }

    /// What an earlier command has found, if its copies are as they were; otherwise they are removed. That
    /// they are used is noted at once, because copies that nobody uses are removed, too.
    async fn before(&self, file: Option<&Path>) -> Option<Kept> {
        let kept = Kept::read(file?)?;
        let whole = kept.is_whole(self.context).await;
        for path in kept.paths() {
            match path.parent().filter(|_| whole) {
                Some(entry) => fetch::touch(entry),
                None => discard(&path),
            }
        }
        whole.then_some(kept)
    }

    /// Copies jars to this machine, unless they are there. It is a failure if a file of a store does not have
    /// the content that its path promises.
    async fn copies(&self, hadoop: &Hadoop, urls: &[String]) -> Result<Vec<Jar>, Failure> {
        // The futures are made before the stream runs them; otherwise the compiler could not prove that the
        // whole future is `Send`.
        let copies: Vec<_> = urls.iter().map(|url| fetch(hadoop, self.context, url, self.report)).collect();
        let paths: Vec<PathBuf> = stream::iter(copies).buffered(PARALLEL).try_collect().await?;
        let hashes = kept::hashes(self.context, &paths).await?;
        let mut jars = Vec::with_capacity(paths.len());
        for ((url, path), sha256) in urls.iter().zip(paths).zip(hashes) {
            if wanted::promised(url).is_some_and(|promised| promised != sha256) {
                discard(&path);
                return Err(Failure::new(format!("{url} does not have the content that its path promises"))
                    .hint("`heddle store verify` compares all files of the store with their hashes"));
            }
            jars.push(Jar { path, sha256 });
        }
        Ok(jars)
    }
}

/// The jars at a path of this machine: the jar itself, or those in the directory. A pattern `/*` behind a
/// directory means the directory, as on a class path.
fn on_this_machine(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let key = options::HADOOP_JARS.key;
    let path = if path.ends_with("*") { path.parent().unwrap_or(path) } else { path };
    let unreadable = |e| Failure::because(format!("cannot read {} ({key})", path.display()), e);
    if path.metadata().map_err(unreadable)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut jars = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_str().is_some_and(wanted::is_for_clients) {
            jars.push(entry.path());
        }
    }
    if jars.is_empty() {
        return Err(Failure::new(format!("{} ({key}) has no jars", path.display()))
            .hint("name the directory in which Hadoop's jars for clients are, or the jars themselves"));
    }
    jars.sort();
    Ok(jars)
}

/// Remembers jars for a time, and returns their paths.
fn remember(file: Option<&Path>, jars: Vec<Jar>, time: Duration) -> Vec<PathBuf> {
    let until_ms = now_ms().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let kept = Kept::new(jars, until_ms);
    if let Some(file) = file
        && let Err(error) = kept.write(file)
    {
        tracing::debug!(%error, path = %file.display(), "Hadoop's jars are not remembered");
    }
    kept.paths()
}

/// Removes a copy that is not what it should be.
fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, path = %path.display(), "copy not removed");
    }
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;
    use crate::report::Silent;

    fn context(dir: &Path, vars: &[(&str, &str)]) -> Context {
        Context {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            cwd: dir.into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    async fn found(context: &Context, jars: &str) -> Result<HadoopJars, Failure> {
        let mut configuration = Configuration::new(FileFormat::Standard);
        configuration.set_dynamic(options::HADOOP_JARS.key, jars);
        find(context, &configuration, &Silent).await
    }

    #[tokio::test]
    async fn jars_and_directories_of_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("hadoop")).unwrap();
        std::fs::create_dir_all(at("conf")).unwrap();
        std::fs::write(at("conf/core-site.xml"), "<configuration/>").unwrap();
        for name in ["b.jar", "a.jar", "a-tests.jar", "README"] {
            std::fs::write(at("hadoop").join(name), "").unwrap();
        }
        let conf = at("conf").display().to_string();
        let mut context = context(dir.path(), &[("HADOOP_CONF_DIR", &conf)]);
        for named in ["hadoop", "hadoop/*", &format!("file://{}", at("hadoop").display())] {
            let found = found(&context, named).await.unwrap();
            let path = found.class_path().unwrap().to_string_lossy().replace(&*at("").to_string_lossy(), "");
            assert_eq!(path, "hadoop/a.jar:hadoop/b.jar:conf", "{named}");
        }
        let one = found(&context, "hadoop/b.jar").await.unwrap();
        assert_eq!(one.jars, [at("hadoop/b.jar")]);
        assert!(found(&context, "none").await.unwrap().is_empty());
        for (bad, word) in [("conf", "has no jars"), ("missing", "cannot read")] {
            let failure = found(&context, bad).await.unwrap_err().to_string();
            assert!(failure.contains(word) && failure.contains("heddle.hadoop.jars"), "{failure}");
        }
        context.vars.insert("HADOOP_CLASSPATH".to_owned(), "/h/*".to_owned());
        assert!(found(&context, "missing").await.unwrap().is_empty());
    }

    #[test]
    fn java_is_told_of_the_configuration_of_kerberos() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("krb5.conf"), "").unwrap();
        let of = |jars: &HadoopJars, file: &str| {
            let option = jars.kerberos_option(&context(dir.path(), &[("KRB5_CONFIG", file)]));
            option.map(|option| option.replace(&dir.path().display().to_string(), ""))
        };
        let jars = HadoopJars { jars: vec!["/a.jar".into()], configuration: Vec::new() };
        assert_eq!(of(&jars, "krb5.conf").as_deref(), Some("-Djava.security.krb5.conf=/krb5.conf"));
        assert_eq!(of(&jars, "krb5.conf:other.conf"), None);
        assert_eq!(of(&jars, ""), None);
        assert_eq!(of(&HadoopJars::default(), "krb5.conf"), None);
    }
}

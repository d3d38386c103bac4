//! Decides where Hadoop's jars for a `main()` on this machine are looked for, and which files there are
//! meant. This module does no I/O.

use flink_model::config::{Configuration, ValueError};
use flink_model::options;

/// The value of the key with which no jars are used.
const NONE: &str = "none";
/// What the name of the jar begins with that has Hadoop's classes for clients.
const API: &str = "hadoop-client-api-";
/// The same of the jar that has most of what these classes need.
const RUNTIME: &str = "hadoop-client-runtime-";
/// The same of a jar that they need besides.
const LOGGING: &str = "commons-logging-";
/// The same of Flink's own jars with Hadoop's classes and what they need.
const UBER: &str = "flink-shaded-hadoop-";
/// Parts of the names of jars that a directory of Hadoop's has besides: servers for tests, and what is no
/// code to run.
const OTHERS: [&str; 4] = ["hadoop-client-minicluster", "-tests.jar", "-sources.jar", "-javadoc.jar"];

/// Where jars are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nowhere.
    Nothing,
    /// The paths and URLs of jars and directories that `heddle.hadoop.jars` names.
    Named(Vec<String>),
    /// The directories of `yarn.provided.lib.dirs`, which may have such jars.
    Provided(Vec<String>),
}

impl Wanted {
    /// What the configuration asks for. The key counts more than what Flink's own files have.
    pub(super) fn of(configuration: &Configuration) -> Result<Self, ValueError> {
        let list = |values: Vec<String>| -> Vec<String> {
            values.iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
        };
        match configuration.get(&options::HADOOP_JARS)?.map(list).as_deref() {
            Some([only]) if only.eq_ignore_ascii_case(NONE) => return Ok(Self::Nothing),
            Some([]) | None => {}
            Some(named) => return Ok(Self::Named(named.to_vec())),
        }
        let provided = configuration.get(&options::PROVIDED_LIB_DIRS)?.map(list).unwrap_or_default();
        Ok(if provided.is_empty() { Self::Nothing } else { Self::Provided(provided) })
    }
}

/// Whether a file of a directory that the user has named belongs on the class path.
pub(super) fn is_for_clients(name: &str) -> bool {
    name.ends_with(".jar") && !OTHERS.iter().any(|other| name.contains(other))
}

/// Those of Flink's files in HDFS that have Hadoop's classes for clients: Hadoop's own jars for that or,
/// where there are none, Flink's jar with Hadoop. `path` tells the path of a file.
pub(super) fn among_flinks<T>(files: Vec<T>, path: impl Fn(&T) -> &str) -> Vec<T> {
    let name = |file: &T| path(file).rsplit('/').next().unwrap_or_default().to_owned();
    let begins = |file: &T, with: &[&str]| {
        let name = name(file);
        is_for_clients(&name) && with.iter().any(|start| name.starts_with(start))
    };
    let has = |with: &[&str]| files.iter().any(|file| begins(file, with));
    let wanted: &[&str] = match (has(&[API]), has(&[UBER])) {
        (true, _) => &[API, RUNTIME, LOGGING],
        (false, true) => &[UBER, LOGGING],
        (false, false) => &[],
    };
    files.into_iter().filter(|file| begins(file, wanted)).collect()
}

/// The SHA-256 that the path of a file in a store of heddle's promises: `…/<2 digits>/<sha256>/<name>`.
pub(super) fn promised(url: &str) -> Option<&str> {
    let mut parts = url.rsplit('/').skip(1);
    let (sha256, prefix) = (parts.next()?, parts.next()?);
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && prefix.len() == 2 && sha256.starts_with(prefix)).then_some(sha256)
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Wanted {
        let mut configuration = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            configuration.set_dynamic(*key, *value);
        }
        Wanted::of(&configuration).unwrap()
    }

    #[test]
    fn the_key_counts_more_than_flinks_files() {
        let own = |list: &[&str]| list.iter().map(|&each| each.to_owned()).collect::<Vec<_>>();
        let provided = ("yarn.provided.lib.dirs", "hdfs:///flink/lib; hdfs:///flink/more");
        assert_eq!(of(&[]), Wanted::Nothing);
        assert_eq!(of(&[provided]), Wanted::Provided(own(&["hdfs:///flink/lib", "hdfs:///flink/more"])));
        let named = of(&[provided, ("heddle.hadoop.jars", "/opt/hadoop/client;hdfs:///h/a.jar")]);
        assert_eq!(named, Wanted::Named(own(&["/opt/hadoop/client", "hdfs:///h/a.jar"])));
        assert_eq!(of(&[provided, ("heddle.hadoop.jars", "None")]), Wanted::Nothing);
        assert_eq!(of(&[("heddle.hadoop.jars", "[/a, /b]")]), Wanted::Named(own(&["/a", "/b"])));
    }

    #[test]
    fn what_flinks_files_have_of_hadoop() {
        let chosen = |names: &[&'static str]| among_flinks(names.to_vec(), |&name| name).join(" ");
        let flink = "/f/lib/flink-dist-1.20.5.jar";
        assert_eq!(chosen(&[flink, "/f/plugins/s3/flink-s3-fs-hadoop-1.20.5.jar"]), "");
        let client = [
            "/f/lib/hadoop-client-api-3.3.6.jar",
            "/f/lib/hadoop-client-runtime-3.3.6.jar",
            "/f/lib/commons-logging-1.1.3.jar",
        ];
        let uber = "/f/lib/flink-shaded-hadoop-2-uber-2.8.3-10.0.jar";
        assert_eq!(chosen(&[flink, client[0], uber, client[1], client[2]]), client.join(" "));
        assert_eq!(chosen(&[uber, flink]), uber);
        assert_eq!(chosen(&[client[1], client[2]]), "");
    }

    #[test]
    fn a_directory_of_hadoops_has_more() {
        for (name, wanted) in [
            ("hadoop-client-api-3.3.6.jar", true),
            ("hadoop-common-3.3.6.jar", true),
            ("hadoop-client-minicluster-3.3.6.jar", false),
            ("hadoop-common-3.3.6-tests.jar", false),
            ("hadoop-common-3.3.6-sources.jar", false),
            ("README", false),
        ] {
            assert_eq!(is_for_clients(name), wanted, "{name}");
        }
    }

    #[test]
    fn a_store_promises_what_its_files_hold() {
        let sha256 = "2d".repeat(32);
        let url = format!("hdfs://nn:8020/flink/store/2d/{sha256}/hadoop-client-api-3.3.6.jar");
        assert_eq!(promised(&url), Some(sha256.as_str()));
        for other in [
            "hdfs://nn:8020/hadoop/hadoop-client-api-3.3.6.jar".to_owned(),
            format!("hdfs://nn:8020/2e/{sha256}/a.jar"),
            "a.jar".to_owned(),
        ] {
            assert_eq!(promised(&other), None, "{other}");
        }
    }
}

//! What the JVMs of a cluster leave in files: which keys say so, and which values cannot work. Pure.

use flink_model::config::Configuration;
use flink_model::options::{HADOOP_CLASSPATH, HEAP_DUMP, HEAP_DUMP_DIR, HadoopClassPath, JFR, JVM_RECORDS};
use flink_model::spec::RecordsSpec;

use crate::configuration::{bad_value, text};
use crate::error::Failure;

/// The directory for heap dumps, below the user's home directory.
const DIRECTORY: &str = ".heddle/heap-dumps";

/// What is configured for this application. It is a failure if a value cannot work.
pub(crate) fn records(conf: &Configuration, application: &str) -> Result<RecordsSpec, Failure> {
    let base = directory(conf)?;
    let wanted = conf.require(&HEAP_DUMP).map_err(bad_value)?;
    if wanted && conf.require(&HADOOP_CLASSPATH).map_err(bad_value)? != HadoopClassPath::Yarn {
        let (dump, hadoop) = (HEAP_DUMP.key, HADOOP_CLASSPATH.key);
        return Err(Failure::configuration(format!(
            "{dump} cannot work with {hadoop}: none, because Hadoop's own classes upload the dumps"
        ))
        .hint(format!("leave out {dump}, or set {hadoop}: yarn")));
    }
    Ok(RecordsSpec {
        logs: conf.require(&JVM_RECORDS).map_err(bad_value)?,
        flight_recorder: conf.require(&JFR).map_err(bad_value)?,
        heap_dump_directory: wanted.then(|| format!("{base}/{application}")),
    })
}

/// The directory for heap dumps.
fn directory(conf: &Configuration) -> Result<String, Failure> {
    let Some(text) = text(conf, &HEAP_DUMP_DIR) else { return Ok(DIRECTORY.to_owned()) };
    let path = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let is_local = text.starts_with("file:");
    let is_absolute = text.starts_with('/') || text.contains("://");
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "*?[]{}\\$%#".contains(c);
    if is_local || !is_absolute || path.contains(is_odd) || path.split('/').any(|part| part == "..") {
        return Err(Failure::configuration(format!(
            "{}: {text:?} is no directory for heap dumps: an absolute path on the cluster's file system is needed, \
             without blanks, wildcards and `..`",
            HEAP_DUMP_DIR.key
        ))
        .hint(format!("for example /user/<name>/dumps; without the key it is {DIRECTORY} in your home directory")));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<RecordsSpec, Failure> {
        let mut conf = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| conf.set_dynamic(*key, *value));
        records(&conf, "application_1_0001")
    }

    #[test]
    fn what_is_left_by_default_and_by_keys() {
        assert_eq!(of(&[]).unwrap(), RecordsSpec { logs: true, ..RecordsSpec::default() });
        let all =
            of(&[("heddle.jvm-records", "false"), ("heddle.jfr", "true"), ("heddle.heap-dump", "true")]);
        let dumps = |base: &str| Some(format!("{base}/application_1_0001"));
        let wanted = RecordsSpec {
            logs: false,
            flight_recorder: true,
            heap_dump_directory: dumps(".heddle/heap-dumps"),
        };
        assert_eq!(all.unwrap(), wanted);
        for (dir, base) in [("/dumps/", "/dumps"), ("hdfs://nn:8020/dumps", "hdfs://nn:8020/dumps")] {
            let found = of(&[("heddle.heap-dump", "true"), ("heddle.heap-dump.dir", dir)]).unwrap();
            assert_eq!(found.heap_dump_directory, dumps(base));
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for dir in ["dumps", "/a/../b", "/a b", "/a*", "file:///tmp", "~/dumps", "/a$HOME"] {
            let failure = of(&[("heddle.heap-dump.dir", dir)]).unwrap_err();
            assert!(failure.to_string().starts_with("heddle.heap-dump.dir: "), "{dir}: {failure}");
        }
        assert!(of(&[("heddle.jfr", "perhaps")]).is_err());
        let failure = of(&[("heddle.heap-dump", "true"), ("heddle.hadoop-classpath", "none")]).unwrap_err();
        assert!(failure.to_string().contains("heddle.hadoop-classpath: none"), "{failure}");
    }
}

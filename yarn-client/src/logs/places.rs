//! What the Hadoop configuration says about collected logs.

use hadoop_rpc::{ConfError, HadoopConf};
use yarn_logs::layout::{Format, Settings};

use crate::error::Failure;

/// The keys of Hadoop. Defaults are those of `yarn-default.xml`.
const ROOT: &str = "yarn.nodemanager.remote-app-log-dir";
const SUFFIX: &str = "yarn.nodemanager.remote-app-log-dir-suffix";
const FORMATS: &str = "yarn.log-aggregation.file-formats";
/// Whether logs are collected.
pub(super) const ENABLED: &str = "yarn.log-aggregation-enable";
/// For how many seconds they are kept; negative for ever.
pub(super) const RETAIN: &str = "yarn.log-aggregation.retain-seconds";

/// Where logs are collected.
pub(super) fn settings(conf: &HadoopConf) -> Result<Settings, Failure> {
    let read = || -> Result<Settings, ConfError> {
        let of_format = |name: &str, key: &str| {
            let value = conf.get(&format!("yarn.log-aggregation.{name}.{key}"))?;
            Ok::<_, ConfError>(value.filter(|value| !value.is_empty()))
        };
        let formats = conf.get_strings(FORMATS)?.into_iter().map(|name| {
            let root = of_format(&name, "remote-app-log-dir")?;
            let suffix = of_format(&name, "remote-app-log-dir-suffix")?;
            Ok::<_, ConfError>(Format { name, root, suffix })
        });
        Ok(Settings {
            root: conf.get_or(ROOT, "/tmp/logs")?,
            suffix: conf.get_or(SUFFIX, "logs")?,
            formats: formats.collect::<Result<_, ConfError>>()?,
        })
    };
    read().map_err(|e| Failure::configuration(e.to_string()).hint("correct the value in yarn-site.xml"))
}

/// Whether this machine's configuration says that logs are collected. That of the nodes decides.
pub(super) fn is_enabled(conf: &HadoopConf) -> bool {
    conf.get_bool(ENABLED, false).unwrap_or_default()
}

/// For how many days collected logs are kept, if this machine's configuration limits that.
pub(super) fn retained_days(conf: &HadoopConf) -> Option<u64> {
    u64::try_from(conf.get_i64(RETAIN, -1).ok()?).ok().map(|seconds| seconds / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_defaults() {
        let of = |pairs: &[(&str, &str)]| HadoopConf::from_map(pairs.iter().copied());
        let usual = settings(&of(&[])).unwrap();
        assert_eq!(
            (usual.root.as_str(), usual.suffix.as_str(), usual.formats),
            ("/tmp/logs", "logs", vec![])
        );
        let conf = of(&[
            (ROOT, "/logs"),
            (SUFFIX, "x"),
            (FORMATS, "IFile, TFile"),
            ("yarn.log-aggregation.IFile.remote-app-log-dir", "/ilogs"),
            ("yarn.log-aggregation.IFile.remote-app-log-dir-suffix", "y"),
            (ENABLED, "true"),
            (RETAIN, "604800"),
        ]);
        let all = settings(&conf).unwrap();
        assert_eq!((all.root.as_str(), all.suffix.as_str()), ("/logs", "x"));
        assert_eq!(
            all.formats,
            [
                Format { name: "IFile".into(), root: Some("/ilogs".into()), suffix: Some("y".into()) },
                Format { name: "TFile".into(), root: None, suffix: None },
            ]
        );
        assert!(is_enabled(&conf) && !is_enabled(&of(&[])));
        assert_eq!((retained_days(&conf), retained_days(&of(&[]))), (Some(7), None));
    }
}

//! Where the collected logs of an application can be, and what the names of files there mean. Nothing here
//! looks at a file system.
//!
//! The rules are those of `org.apache.hadoop.yarn.logaggregation.LogAggregationUtils` and of the classes
//! `LogAggregationFileController`. Below the root (`yarn.nodemanager.remote-app-log-dir`) and the user's
//! directory, there are
//!
//! * `<suffix>/<application>` in Hadoop up to 3.2, and
//! * `bucket-<suffix>/<number>/<application>` from Hadoop 3.3 on, where the number has the last four digits
//!   of the application's number.
//!
//! The suffix is `logs` (`yarn.nodemanager.remote-app-log-dir-suffix`) for TFile in Hadoop up to 3.2, and has
//! the name of the format behind it otherwise, as in `logs-tfile` and `logs-ifile`. For each format the
//! configuration can name another root and another suffix. As a cluster that was upgraded has several of
//! these directories, and a client's configuration need not be that of the nodes, all that is possible is
//! looked at.

use yarn_api::records::{ApplicationId, NodeId};

use crate::ifile;

/// What the configuration says about the places of collected logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directory above all, as a path or a URL (`yarn.nodemanager.remote-app-log-dir`).
    pub root: String,
    /// The suffix (`yarn.nodemanager.remote-app-log-dir-suffix`); it may be empty.
    pub suffix: String,
    /// The formats (`yarn.log-aggregation.file-formats`).
    pub formats: Vec<Format>,
}

/// A format of collected logs, as the configuration names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Format {
    /// The name, such as `TFile`. The administrator has chosen it.
    pub name: String,
    /// The root for this format (`yarn.log-aggregation.<name>.remote-app-log-dir`).
    pub root: Option<String>,
    /// The suffix for this format (`yarn.log-aggregation.<name>.remote-app-log-dir-suffix`).
    pub suffix: Option<String>,
}

/// Names that formats have almost everywhere. They are looked for even if the configuration does not name
/// them.
const USUAL: [&str; 2] = ["TFile", "IFile"];

/// All directories in which logs of this application of this user can be, each once. The likely ones come
/// first.
pub fn directories(settings: &Settings, user: &str, application: ApplicationId) -> Vec<String> {
    let bucket = application.id % 10_000;
    let mut found: Vec<String> = Vec::new();
    for (root, suffix) in places(settings) {
        let base = format!("{}/{user}", root.trim_end_matches('/'));
        found.push(format!("{base}/bucket-{suffix}/{bucket:04}/{application}"));
        found.push(match suffix.as_str() {
            "" => format!("{base}/{application}"),
            suffix => format!("{base}/{suffix}/{application}"),
        });
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|directory| seen.insert(directory.clone()));
    found
}

/// The roots with the suffixes below them.
fn places(settings: &Settings) -> Vec<(String, String)> {
    let Settings { root, suffix, formats } = settings;
    let is_known = |name: &&&str| formats.iter().any(|format| format.name.eq_ignore_ascii_case(name));
    let usual = USUAL.iter().filter(|name| !is_known(name));
    let usual = usual.map(|name| Format { name: (*name).to_owned(), ..Format::default() });
    let mut places = Vec::new();
    for format in formats.iter().cloned().chain(usual) {
        let root = format.root.unwrap_or_else(|| root.clone());
        let of_format = format!("{suffix}-{}", format.name.to_lowercase());
        places.push((root.clone(), format.suffix.unwrap_or(of_format)));
        places.push((root, suffix.clone()));
    }
    places
}

/// What a file in such a directory is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The logs that a node has collected.
    Logs {
        /// The NodeManager.
        node: Option<NodeId>,
        /// When the NodeManager began to collect these, in ms since 1970, if it collects logs while the
        /// application runs.
        since_ms: Option<u64>,
    },
    /// The end of the last good index of an IndexedFile.
    Checksum,
    /// A file that a NodeManager still writes, or has left half written.
    Unfinished,
    /// An archive of Hadoop (`mapred archive-logs`) that has taken the place of the files. This crate does
    /// not read it.
    Archive,
}

/// What the file or directory of this name is.
pub fn entry(name: &str) -> Entry {
    if name.ends_with(".tmp") {
        return Entry::Unfinished;
    }
    if name.ends_with(ifile::CHECKSUM) {
        return Entry::Checksum;
    }
    if name.ends_with(".har") {
        return Entry::Archive;
    }
    // `host_port`, or `host_port_time`. A host may have `_` in its name, and a port has at most five digits.
    let time = name.rsplit_once('_').filter(|(_, digits)| digits.len() > 5 && is_number(digits));
    let (node, since_ms) = match time {
        Some((node, digits)) => (node, digits.parse().ok()),
        None => (name, None),
    };
    let node = node.rsplit_once('_').and_then(|(host, port)| format!("{host}:{port}").parse().ok());
    Entry::Logs { node, since_ms }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn application(id: u32) -> ApplicationId {
        ApplicationId { cluster_timestamp: 1_700_000_000_000, id }
    }

    fn settings(formats: &[&str]) -> Settings {
        let format = |name: &&str| Format { name: (*name).to_owned(), ..Format::default() };
        Settings {
            root: "/tmp/logs".into(),
            suffix: "logs".into(),
            formats: formats.iter().map(format).collect(),
        }
    }

    #[test]
    fn all_layouts_are_looked_at() {
        let found = directories(&settings(&["TFile"]), "ann", application(12_345));
        assert_eq!(
            found,
            [
                "/tmp/logs/ann/bucket-logs-tfile/2345/application_1700000000000_12345",
                "/tmp/logs/ann/logs-tfile/application_1700000000000_12345",
                "/tmp/logs/ann/bucket-logs/2345/application_1700000000000_12345",
                "/tmp/logs/ann/logs/application_1700000000000_12345",
                "/tmp/logs/ann/bucket-logs-ifile/2345/application_1700000000000_12345",
                "/tmp/logs/ann/logs-ifile/application_1700000000000_12345",
            ]
        );
        assert_eq!(
            directories(&settings(&[]), "ann", application(7))[0],
            "/tmp/logs/ann/bucket-logs-tfile/0007/application_1700000000000_0007"
        );
    }

    #[test]
    fn what_the_configuration_names_comes_first() {
        let mut settings = settings(&["IFile", "TFile"]);
        settings.formats[0].root = Some("s3a://bucket/logs/".into());
        settings.formats[0].suffix = Some("app-logs".into());
        settings.suffix = String::new();
        let found = directories(&settings, "ann", application(1));
        assert_eq!(found[0], "s3a://bucket/logs/ann/bucket-app-logs/0001/application_1700000000000_0001");
        assert!(found.contains(&"/tmp/logs/ann/application_1700000000000_0001".to_owned()), "{found:?}");
        assert!(found.contains(&"/tmp/logs/ann/-tfile/application_1700000000000_0001".to_owned()));
    }

    #[test]
    fn names() {
        let logs = |node: &str, since_ms| Entry::Logs { node: node.parse().ok(), since_ms };
        assert_eq!(entry("worker-1.example.com_45454"), logs("worker-1.example.com:45454", None));
        assert_eq!(entry("w_1_8041_1700000000000"), logs("w_1:8041", Some(1_700_000_000_000)));
        assert_eq!(entry("worker-1_45454.tmp"), Entry::Unfinished);
        assert_eq!(entry("worker-1_45454-checksum"), Entry::Checksum);
        assert_eq!(entry("application_1_0001.har"), Entry::Archive);
        assert_eq!(entry("anything"), Entry::Logs { node: None, since_ms: None });
    }

    proptest! {
        #[test]
        fn every_name_is_something(name in "\\PC{0,40}", digits in "[0-9_]{0,30}") {
            let _ = entry(&name);
            let _ = entry(&format!("{name}_{digits}"));
        }
    }
}

//! Makes a [`Configuration`] from the texts of the configuration files.

use crate::release::{FileRule, Release};

use super::source::{ConfigFiles, SourceFile};
use super::yaml::{self, Node};
use super::{Configuration, FileFormat, LEGACY_FILE, Origin, STANDARD_FILE, Warning, emit, legacy};

/// A configuration that has been loaded from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The keys and values.
    pub configuration: Configuration,
    /// Problems that Flink would log or ignore.
    pub warnings: Vec<Warning>,
}

/// Why a configuration cannot be loaded. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file that this release reads does not exist.
    #[error("Flink {release} reads {wanted} and there is none{}", .other.map(|o| format!(" ({o} is there, but this release does not read it)")).unwrap_or_default())]
    Missing {
        /// The release.
        release: Release,
        /// The name of the file that the release reads.
        wanted: &'static str,
        /// The name of the other file, if that one exists.
        other: Option<&'static str>,
    },
    /// The file is not YAML, or it is YAML that cannot be a configuration.
    #[error("{path}:{line}:{column}: {reason}")]
    Malformed {
        /// The path of the file.
        path: String,
        /// The number of the line, from 1.
        line: usize,
        /// The number of the column, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Loads the file that `release` reads. It fails if that file does not exist, or if it is not well formed.
pub fn load_files(release: Release, files: &ConfigFiles<'_>) -> Result<Loaded, LoadError> {
    let missing = |wanted, other| LoadError::Missing { release, wanted, other };
    let (source, format) = match (release.traits().file_rule, files.legacy, files.standard) {
        (FileRule::LegacyOnly | FileRule::LegacyFirst, Some(file), _) => (file, FileFormat::Legacy),
        (FileRule::LegacyFirst | FileRule::StandardOnly, _, Some(file)) => (file, FileFormat::Standard),
        (FileRule::LegacyOnly, None, other) => {
            return Err(missing(LEGACY_FILE, other.map(|_| STANDARD_FILE)));
        }
        (FileRule::LegacyFirst, None, None) => return Err(missing("config.yaml or flink-conf.yaml", None)),
        (FileRule::StandardOnly, other, None) => {
            return Err(missing(STANDARD_FILE, other.map(|_| LEGACY_FILE)));
        }
    };
    let (configuration, mut warnings) = match format {
        FileFormat::Legacy => legacy::load(&source),
        FileFormat::Standard => (standard(&source)?, Vec::new()),
    };
    let ignored = match format {
        FileFormat::Legacy => files.standard,
        FileFormat::Standard => files.legacy,
    };
    if let Some(ignored) = ignored {
        let message = format!("not read: Flink {release} takes {}", source.path);
        warnings.push(Warning { origin: Origin::File { file: ignored.path.into(), line: 1 }, message });
    }
    Ok(Loaded { configuration, warnings })
}

/// Reads `config.yaml`. Nested keys are joined with dots, and lists are written on one line.
fn standard(source: &SourceFile<'_>) -> Result<Configuration, LoadError> {
    let malformed =
        |line, column, reason| LoadError::Malformed { path: source.path.to_owned(), line, column, reason };
    let mut configuration = Configuration::new(FileFormat::Standard);
    let document = yaml::parse(source.text).map_err(|m| malformed(m.line, m.column, m.reason))?;
    match document {
        None | Some(Node::Null) => {}
        Some(Node::Map(_)) => {
            let mut flattener = Flattener { file: source.path.into(), configuration: &mut configuration };
            if let Some(node) = &document {
                flattener.flatten("", node, 1).map_err(|(line, reason)| malformed(line, 1, reason))?;
            }
        }
        Some(_) => return Err(malformed(1, 1, "the file must hold keys with values".to_owned())),
    }
    Ok(configuration)
}

struct Flattener<'a> {
    file: std::sync::Arc<str>,
    configuration: &'a mut Configuration,
}

impl Flattener<'_> {
    fn flatten(&mut self, prefix: &str, node: &Node, line: usize) -> Result<(), (usize, String)> {
        let value = match node {
            Node::Map(pairs) => {
                for pair in pairs.iter() {
                    let Node::Scalar(super::Value::Str(name)) = &pair.key else {
                        let reason = format!("a key below '{prefix}' is not a text; put it in quotes");
                        return Err((pair.line, reason));
                    };
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    self.flatten(&key, &pair.value, pair.line)?;
                }
                return Ok(());
            }
            Node::Null => return Err((line, format!("{prefix} has no value"))),
            Node::List(_) => emit::flow(node).into(),
            Node::Scalar(value) => value.clone(),
        };
        self.configuration.set(prefix, value, Origin::File { file: self.file.clone(), line });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    fn load(text: &str) -> Result<Loaded, LoadError> {
        let file = SourceFile { path: "conf/config.yaml", text };
        load_files(release("2.0.0"), &ConfigFiles { legacy: None, standard: Some(file) })
    }

    #[test]
    fn nested_flat_lists_and_maps() {
        let text = "taskmanager:\n  numberOfTaskSlots: 2\n  memory.process.size: 1728m\n\
                    env.java.opts.all: --add-exports=a/b=ALL --add-opens=c\n\
                    classes: [a, 'b c', 3]\nmore:\n- x: 1\n  y: 'a: b'\nflag: true\nrate: 0.10\n";
        let loaded = load(text).unwrap();
        let shown: Vec<_> = loaded.configuration.masked().map(|(k, v, o)| format!("{k}={v} {o}")).collect();
        assert_eq!(
            shown,
            [
                "classes=[a, b c, 3] conf/config.yaml:5",
                "env.java.opts.all=--add-exports=a/b=ALL --add-opens=c conf/config.yaml:4",
                "flag=true conf/config.yaml:9",
                "more=[{x: 1, y: 'a: b'}] conf/config.yaml:6",
                "rate=0.1 conf/config.yaml:10",
                "taskmanager.memory.process.size=1728m conf/config.yaml:3",
                "taskmanager.numberOfTaskSlots=2 conf/config.yaml:2",
            ]
        );
        assert_eq!(load("# nothing\n").unwrap().configuration.iter().count(), 0);
    }

    #[test]
    fn refused_files_say_where() {
        let message = |text| load(text).unwrap_err().to_string();
        assert_eq!(message("a:\n  b:\n"), "conf/config.yaml:2:1: a.b has no value");
        assert!(message("a:\n  1: x\n").starts_with("conf/config.yaml:2:1: a key below 'a'"));
        assert!(message("- a\n").contains("must hold keys"));
        assert!(message("a: b: c\n").starts_with("conf/config.yaml:1:"));
        assert!(message("a: 1\na: 2\n").contains("stands twice, first in line 1"));
    }

    #[test]
    fn each_release_reads_its_file() {
        let legacy = SourceFile { path: "flink-conf.yaml", text: "a: legacy\n" };
        let standard = SourceFile { path: "config.yaml", text: "a: standard\n" };
        let both = ConfigFiles { legacy: Some(legacy), standard: Some(standard) };
        let value = |version, files: &ConfigFiles<'_>| {
            load_files(release(version), files)
                .map(|l| (l.configuration.text("a").unwrap(), l.warnings.len()))
        };
        assert_eq!(value("1.18.1", &both), Ok(("legacy".into(), 1)));
        assert_eq!(value("1.20.1", &both), Ok(("legacy".into(), 1)));
        assert_eq!(value("2.0.0", &both), Ok(("standard".into(), 1)));
        let only = |legacy, standard| ConfigFiles { legacy, standard };
        assert_eq!(value("1.19.3", &only(None, Some(standard))), Ok(("standard".into(), 0)));
        let refused = value("2.1.0", &only(Some(legacy), None)).unwrap_err().to_string();
        assert_eq!(
            refused,
            "Flink 2.1.0 reads config.yaml and there is none (flink-conf.yaml is there, but this release does not read it)"
        );
    }
}

//! Flink's configuration: reads the files, keeps each value with its origin, gives typed access, and writes
//! the file that the containers get.

mod emit;
mod legacy;
mod load;
mod option;
mod port;
mod render;
mod secrets;
mod source;
mod text;
mod typed;
mod value;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use load::{LoadError, Loaded, load_files};
pub use option::Opt;
pub use port::{Port, PortList};
pub use render::Rendered;
pub use secrets::{HIDDEN, is_sensitive, masked, masked_lines, masked_words, shown, shown_all};
pub use source::{ConfigFiles, SourceFile};
pub use typed::{FromValue, ValueError};
pub use value::Value;

/// The name of the configuration file up to 1.18. If both files exist, 1.19 and 1.20 read this one.
pub const LEGACY_FILE: &str = "flink-conf.yaml";
/// The name of the configuration file from 1.19 on.
pub const STANDARD_FILE: &str = "config.yaml";

/// The format of the configuration file. It decides how lists and maps in values are written, and in which
/// format the containers get the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// Lines `key: value`, as in `flink-conf.yaml`.
    Legacy,
    /// YAML 1.2, as in `config.yaml`.
    #[default]
    Standard,
}

impl FileFormat {
    /// The name of a file in this format.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Legacy => LEGACY_FILE,
            Self::Standard => STANDARD_FILE,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set the value, so the default counts.
    Default,
    /// A line of a configuration file.
    File {
        /// The path of the file, as the user knows it.
        file: Arc<str>,
        /// The number of the line, from 1.
        line: usize,
    },
    /// `-D key=value`.
    Dynamic,
    /// An option of the command line, such as `-jm`.
    Flag(String),
    /// The environment variable with this name.
    Environment(String),
    /// heddle has computed the value. The text says from what.
    Derived(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Dynamic => f.write_str("-D"),
            Self::Flag(flag) => write!(f, "option {flag}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Derived(from) => f.write_str(from),
        }
    }
}

/// A value and its origin.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
}

impl fmt::Debug for Entry {
    /// Leaves the value out, because only its key tells whether it is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Something in a configuration that is probably a mistake, although Flink accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where the mistake is.
    pub origin: Origin,
    /// What is wrong. The message never contains the value of a secret key.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// All keys that are set, with their values, sorted by name.
#[derive(Clone, PartialEq, Default)]
pub struct Configuration {
    format: FileFormat,
    entries: BTreeMap<String, Entry>,
}

impl Configuration {
    /// An empty configuration.
    pub fn new(format: FileFormat) -> Self {
        Self { format, entries: BTreeMap::new() }
    }

    /// The format from which the configuration was loaded, which is also the one that the containers get.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// Sets a key, even if it is set already.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>, origin: Origin) {
        self.entries.insert(key.into(), Entry { value: value.into(), origin });
    }

    /// Sets a key as `-D key=value` does.
    pub fn set_dynamic(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.set(key, value.into(), Origin::Dynamic);
    }

    /// Removes the key with exactly this name.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(key)
    }

    /// The entry of the key with exactly this name.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The value of the key with exactly this name, as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.entry(key).map(|entry| entry.value.text())
    }

    /// All entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// The keys that begin with `prefix`, without it, and their values as text. A key that is the prefix
    /// itself is left out.
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let matching = self.entries.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        matching
            .filter(|(key, _)| key.len() > prefix.len())
            .map(|(key, entry)| (key[prefix.len()..].to_owned(), entry.value.text()))
            .collect()
    }

    /// The entry of an option. Its own key is looked up first, then its deprecated keys in their order.
    pub fn find<T>(&self, option: &Opt<T>) -> Option<(&str, &Entry)> {
        std::iter::once(&option.key)
            .chain(option.deprecated)
            .find_map(|key| self.entries.get_key_value(*key))
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Whether an option is set, by its own key or by a deprecated one.
    pub fn contains<T>(&self, option: &Opt<T>) -> bool {
        self.find(option).is_some()
    }

    /// Where the value of an option comes from.
    pub fn origin<T>(&self, option: &Opt<T>) -> Origin {
        self.find(option).map_or(Origin::Default, |(_, entry)| entry.origin.clone())
    }

    /// All keys and values. The values of secret keys are replaced by stars.
    pub fn masked(&self) -> impl Iterator<Item = (&str, String, &Origin)> {
        self.iter().map(|(key, entry)| (key, shown(key, entry.value.text()), &entry.origin))
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.masked().map(|(key, value, origin)| (key, format!("{value} ({origin})"))))
            .finish()
    }
}

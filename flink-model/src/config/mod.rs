//! Flink's configuration: files, values with their origin, typed access, and the file that is shipped.

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
pub use secrets::{HIDDEN, is_sensitive, shown};
pub use source::{ConfigFiles, SourceFile};
pub use typed::{FromValue, ValueError};
pub use value::Value;

/// Name of the configuration file up to 1.18, and of the one that wins in 1.19 and 1.20.
pub const LEGACY_FILE: &str = "flink-conf.yaml";
/// Name of the configuration file from 1.19 on.
pub const STANDARD_FILE: &str = "config.yaml";

/// How the configuration was written, hence how lists and maps in it are written and how it is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// `key: value` lines of `flink-conf.yaml`.
    Legacy,
    /// YAML 1.2 of `config.yaml`.
    #[default]
    Standard,
}

impl FileFormat {
    /// Name of a file in this format.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Legacy => LEGACY_FILE,
            Self::Standard => STANDARD_FILE,
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a configuration file, counted from 1.
    File {
        /// Path as the user knows it.
        file: Arc<str>,
        /// Line, from 1.
        line: usize,
    },
    /// `-D key=value`.
    Dynamic,
    /// A command-line flag such as `-jm`.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// Computed by heddle; says from what.
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

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Its origin.
    pub origin: Origin,
}

/// Something in a configuration that is probably a mistake, although Flink accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub origin: Origin,
    /// What is odd; the value of a sensitive key is never part of it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// All configured keys, in order of their names.
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

    /// The format it was loaded from and is shipped in.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// Sets a key, whatever it was before.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>, origin: Origin) {
        self.entries.insert(key.into(), Entry { value: value.into(), origin });
    }

    /// Sets a key as `-D key=value` does.
    pub fn set_dynamic(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.set(key, value.into(), Origin::Dynamic);
    }

    /// Removes a key under exactly this name.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(key)
    }

    /// The entry under exactly this name.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The text under exactly this name.
    pub fn text(&self, key: &str) -> Option<String> {
        self.entry(key).map(|entry| entry.value.text())
    }

    /// All entries in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Texts of all keys that begin with `prefix`, without it. A key that equals the prefix does not count.
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let matching = self.entries.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        matching
            .filter(|(key, _)| key.len() > prefix.len())
            .map(|(key, entry)| (key[prefix.len()..].to_owned(), entry.value.text()))
            .collect()
    }

    /// The entry of an option: under its own key, else under its deprecated ones in their order.
    pub fn find<T>(&self, option: &Opt<T>) -> Option<(&str, &Entry)> {
        std::iter::once(&option.key)
            .chain(option.deprecated)
            .find_map(|key| self.entries.get_key_value(*key))
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Whether an option is set, by its own or a deprecated key.
    pub fn contains<T>(&self, option: &Opt<T>) -> bool {
        self.find(option).is_some()
    }

    /// Where an option's value comes from.
    pub fn origin<T>(&self, option: &Opt<T>) -> Origin {
        self.find(option).map_or(Origin::Default, |(_, entry)| entry.origin.clone())
    }

    /// Keys with their values, secrets replaced by stars.
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

//! Hadoop's configuration, read from its XML files by the same rules as Hadoop's class `Configuration`. Every
//! value knows the file and line from which it comes, so that messages can name them.

mod defaults;
mod error;
mod expand;
mod lookup;
#[cfg(test)]
mod tests;
mod units;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use defaults::Defaults;
pub use error::ConfError;
pub use lookup::{Lookup, LookupDir};
pub use units::TimeUnit;

use crate::endpoint::Endpoint;
use crate::user;

/// Old names of keys and the new ones. An old name stands for the new one wherever it occurs.
const DEPRECATED: &[(&str, &str)] = &[
    ("dfs.block.size", "dfs.blocksize"),
    ("dfs.federation.nameservice.id", "dfs.nameservice.id"),
    ("dfs.federation.nameservices", "dfs.nameservices"),
    ("dfs.socket.timeout", "dfs.client.socket-timeout"),
    ("dfs.umask", "fs.permissions.umask-mode"),
    ("dfs.umaskmode", "fs.permissions.umask-mode"),
    ("dfs.write.packet.size", "dfs.client-write-packet-size"),
    ("fs.default.name", "fs.defaultFS"),
];

fn current_name(key: &str) -> &str {
    DEPRECATED.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyOrigin {
    /// A file and the line of the property in it.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line of the property; the first line is 1.
        line: u32,
    },
    /// No file sets it; the value is a default.
    Default,
    /// The program has set the value. The text is what it has given as the origin, such as an option of the
    /// command line or another file.
    Set(Arc<str>),
}

impl fmt::Display for PropertyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
            Self::Set(why) => f.write_str(why),
        }
    }
}

/// A loaded configuration. Clones are cheap, and a change to one of them does not change the others.
#[derive(Clone, Default)]
pub struct HadoopConf {
    inner: Arc<Inner>,
}

impl fmt::Debug for HadoopConf {
    /// Leaves the values out, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HadoopConf")
            .field("files", &self.inner.files)
            .field("properties", &self.inner.entries.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Default)]
struct Inner {
    entries: BTreeMap<String, Entry>,
    looked_in: Vec<LookupDir>,
    files: Vec<PathBuf>,
    /// The variables and properties that `${…}` can name, as they were when the configuration was loaded.
    env: BTreeMap<String, String>,
    system: BTreeMap<&'static str, String>,
}

#[derive(Clone)]
struct Entry {
    value: String,
    origin: PropertyOrigin,
}

impl expand::Scope for Inner {
    fn system(&self, name: &str) -> Option<String> {
        self.system.get(name).cloned()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn raw(&self, key: &str) -> Option<String> {
        self.entries.get(current_name(key)).map(|e| e.value.clone())
    }
}

impl HadoopConf {
    /// Loads the files that Flink would load. `env` gives the values of environment variables. A file that
    /// cannot be read, or is no configuration, is an error; a file that does not exist is not.
    pub fn load(env: &dyn Fn(&str) -> Option<String>, lookup: &Lookup) -> Result<Self, ConfError> {
        let mut inner = Inner::default();
        for (key, value) in lookup.defaults.entries() {
            let entry = Entry { value: (*value).to_owned(), origin: PropertyOrigin::Default };
            inner.entries.insert((*key).to_owned(), entry);
        }
        let plan = lookup.plan(env);
        let mut finals = BTreeSet::new();
        for path in plan.files() {
            let properties = xml::read_file(&path)?.unwrap_or_default();
            for property in properties {
                inner.add(property, &mut finals);
            }
            if !inner.files.contains(&path) {
                inner.files.push(path);
            }
        }
        inner.looked_in = plan.looked_in();
        for entry in inner.entries.values() {
            for name in expand::env_names(&entry.value) {
                if let Some(value) = env(name) {
                    inner.env.insert(name.to_owned(), value);
                }
            }
        }
        let set = |key: &str| env(key).filter(|v| !v.is_empty());
        inner.system.extend(user::os_user().map(|name| ("user.name", name)));
        inner.system.extend(set("HOME").map(|home| ("user.home", home)));
        inner.system.insert("java.io.tmpdir", "/tmp".to_owned());
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The configuration in one file, such as `ssl-client.xml`, without defaults. `None` if there is no such
    /// file; one that cannot be read, or is no configuration, is an error.
    pub fn of_file(path: &Path) -> Result<Option<Self>, ConfError> {
        let Some(properties) = xml::read_file(path)? else { return Ok(None) };
        let mut inner = Inner { files: vec![path.to_owned()], ..Inner::default() };
        let mut finals = BTreeSet::new();
        for property in properties {
            inner.add(property, &mut finals);
        }
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// A configuration of these keys and values, without files and defaults.
    pub fn from_map<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut conf = Self::default();
        for (key, value) in pairs {
            conf.set(&key.into(), &value.into(), "set by the program");
        }
        conf
    }

    /// The directories that were searched.
    pub fn looked_in(&self) -> &[LookupDir] {
        &self.inner.looked_in
    }

    /// The files that were loaded, in the order in which they count: later ones win.
    pub fn files(&self) -> &[PathBuf] {
        &self.inner.files
    }

    /// Whether any file was found.
    pub fn found(&self) -> bool {
        !self.files().is_empty()
    }

    /// The value, with `${…}` replaced and without white space around it.
    pub fn get(&self, key: &str) -> Result<Option<String>, ConfError> {
        let Some(entry) = self.inner.entries.get(current_name(key)) else { return Ok(None) };
        let expanded = expand::expand(&entry.value, &*self.inner);
        match expanded {
            Ok(value) => Ok(Some(value.trim().to_owned())),
            Err(why) => Err(self.bad_value(key, &entry.value, why)),
        }
    }

    /// The value, or `default`.
    pub fn get_or(&self, key: &str, default: &str) -> Result<String, ConfError> {
        Ok(self.get(key)?.unwrap_or_else(|| default.to_owned()))
    }

    /// A whole number, decimal or hexadecimal (`0x…`). A text that is no number is an error.
    pub fn get_i64(&self, key: &str, default: i64) -> Result<i64, ConfError> {
        self.parsed(key, default, units::integer)
    }

    /// `true` or `false`, in upper or lower case. As in Hadoop, any other text counts as not set.
    pub fn get_bool(&self, key: &str, default: bool) -> Result<bool, ConfError> {
        Ok(match self.get(key)? {
            Some(v) if v.eq_ignore_ascii_case("true") => true,
            Some(v) if v.eq_ignore_ascii_case("false") => false,
            _ => default,
        })
    }

    /// A time with a unit (`ns us ms s m h d`). `unit` is the unit of a number without one.
    pub fn get_duration(&self, key: &str, default: Duration, unit: TimeUnit) -> Result<Duration, ConfError> {
        self.parsed(key, default, |text| units::duration(text, unit))
    }

    /// A size in bytes. Its suffix, if it has one (`k m g t p e`), stands for a power of 1024.
    pub fn get_bytes(&self, key: &str, default: u64) -> Result<u64, ConfError> {
        self.parsed(key, default, units::bytes)
    }

    /// A list that is separated by commas, without empty elements and without white space around the
    /// elements.
    pub fn get_strings(&self, key: &str) -> Result<Vec<String>, ConfError> {
        let value = self.get(key)?.unwrap_or_default();
        Ok(value.split(',').map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect())
    }

    /// An address: `host:port`, `host` (to which `default_port` is added), or a URI with one of these.
    pub fn get_socket_addr(&self, key: &str, default_port: u16) -> Result<Option<Endpoint>, ConfError> {
        let parse = |text: &str| {
            let address = text.split_once("://").map_or(text, |(_, rest)| rest);
            let address = address.split('/').next().unwrap_or_default();
            let only_host = !address.contains(':') || address.ends_with(']');
            let address = if only_host { format!("{address}:{default_port}") } else { address.to_owned() };
            address.parse::<Endpoint>().map(Some).map_err(|e| e.to_string())
        };
        self.parsed(key, None, parse)
    }

    /// Where the value comes from; `None` if the key has no value.
    pub fn origin(&self, key: &str) -> Option<&PropertyOrigin> {
        self.inner.entries.get(current_name(key)).map(|e| &e.origin)
    }

    /// Sets a value, also if a file has declared it as final. `origin` says in words where the value comes
    /// from, such as an option of the command line or another file.
    pub fn set(&mut self, key: &str, value: &str, origin: &str) {
        let entry = Entry { value: value.to_owned(), origin: PropertyOrigin::Set(origin.into()) };
        Arc::make_mut(&mut self.inner).entries.insert(current_name(key).to_owned(), entry);
    }

    /// All keys in order, including those of defaults, with their raw values, in which no `${…}` is replaced.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &PropertyOrigin)> {
        self.inner.entries.iter().map(|(key, e)| (key.as_str(), e.value.as_str(), &e.origin))
    }

    /// Parses a value. An empty one counts as not set, because no number and no address is empty.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfError> {
        match self.get(key)? {
            Some(value) if !value.is_empty() => parse(&value).map_err(|why| self.bad_value(key, &value, why)),
            _ => Ok(default),
        }
    }

    pub(crate) fn bad_value(&self, key: &str, value: &str, why: String) -> ConfError {
        let origin = self.origin(key).map(PropertyOrigin::to_string).unwrap_or_default();
        let value = value.chars().take(200).collect();
        ConfError::Value { key: key.to_owned(), value, origin, why }
    }
}

impl Inner {
    /// Adds a property of a file, unless an earlier file has declared it as final.
    fn add(&mut self, property: xml::Property, finals: &mut BTreeSet<String>) {
        let xml::Property { name, value, is_final, path, line } = property;
        let key = current_name(&name);
        if let Some(value) = value {
            if finals.contains(key) {
                let held = self.entries.get(key).is_some_and(|e| e.value != value);
                if held {
                    tracing::debug!(key, file = %path.display(), line, "ignored: an earlier file has it as final");
                }
            } else {
                let entry = Entry { value, origin: PropertyOrigin::File { path, line } };
                self.entries.insert(key.to_owned(), entry);
            }
        }
        if is_final {
            finals.insert(key.to_owned());
        }
    }
}

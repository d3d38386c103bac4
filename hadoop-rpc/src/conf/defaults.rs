//! The values of keys that no configuration file sets. Hadoop's own defaults are in files inside its jars,
//! which heddle does not read, so the defaults that heddle needs are in tables.

const COMMON: &[(&str, &str)] = &[
    ("dfs.blocksize", "134217728"),
    ("dfs.replication", "3"),
    ("fs.defaultFS", "file:///"),
    ("fs.permissions.umask-mode", "022"),
    ("hadoop.rpc.protection", "authentication"),
    ("hadoop.security.authentication", "simple"),
    ("hadoop.tmp.dir", "/tmp/hadoop-${user.name}"),
    ("ipc.client.connect.timeout", "20000"),
    ("ipc.maximum.response.length", "134217728"),
];

/// The values of keys that no file sets. They may contain `${…}`.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    tables: Vec<&'static [(&'static str, &'static str)]>,
}

impl Defaults {
    /// No defaults.
    pub fn none() -> Self {
        Self::default()
    }

    /// The defaults of those keys of Hadoop and HDFS that heddle reads.
    pub fn common() -> Self {
        Self::none().and(COMMON)
    }

    /// Adds a table of keys and values, which wins over earlier tables.
    pub fn and(mut self, table: &'static [(&'static str, &'static str)]) -> Self {
        self.tables.push(table);
        self
    }

    /// Keys with their values; later ones win.
    pub(super) fn entries(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

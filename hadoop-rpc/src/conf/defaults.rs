//! Values that hold where no configuration file says otherwise.

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

/// Values that hold where no file says otherwise: key → value, `${…}` allowed.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    tables: Vec<&'static [(&'static str, &'static str)]>,
}

impl Defaults {
    /// No defaults.
    pub fn none() -> Self {
        Self::default()
    }

    /// The defaults of the common and HDFS keys that we read.
    pub fn common() -> Self {
        Self::none().and(COMMON)
    }

    /// With a further table, which wins over earlier ones.
    pub fn and(mut self, table: &'static [(&'static str, &'static str)]) -> Self {
        self.tables.push(table);
        self
    }

    /// Keys with their values; later ones win.
    pub(super) fn entries(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

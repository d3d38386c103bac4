//! The directories in which Hadoop's configuration files are searched, and the order in which the files
//! count. Both are those of Flink, so that heddle and Flink use the same configuration.
//!
//! Flink's scripts put `HADOOP_CLASSPATH`, `HADOOP_CONF_DIR` and `YARN_CONF_DIR` on the class path, from
//! which Java takes the *first* file of each name. Flink then adds `core-site.xml` and `hdfs-site.xml` of
//! further directories, and of these, later files win over earlier ones. The last of the directories is
//! `HADOOP_CONF_DIR`.

use std::path::{Path, PathBuf};

use super::defaults::Defaults;

/// One directory of a search, and why it is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupDir {
    /// The directory.
    pub path: PathBuf,
    /// The variable or key that names the directory, such as `HADOOP_CONF_DIR`.
    pub named_by: String,
    /// Whether the directory exists.
    pub exists: bool,
}

impl LookupDir {
    fn new(path: impl Into<PathBuf>, named_by: &str) -> Self {
        let path = path.into();
        let exists = path.is_dir();
        Self { path, named_by: named_by.to_owned(), exists }
    }
}

/// Where to look for files.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The values of keys that no file sets.
    pub defaults: Defaults,
    /// Directories that Flink's own configuration names (`fs.hdfs.hadoopconf`).
    pub extra_dirs: Vec<PathBuf>,
    /// The directory that is searched if neither `HADOOP_CONF_DIR` nor `HADOOP_CLASSPATH` is set and
    /// `HADOOP_HOME` has no configuration directory.
    pub system_dir: PathBuf,
}

impl Lookup {
    /// The directories that Flink searches; the system's is `/etc/hadoop/conf`.
    pub fn new(defaults: Defaults) -> Self {
        Self { defaults, extra_dirs: Vec::new(), system_dir: "/etc/hadoop/conf".into() }
    }

    pub(super) fn plan(&self, env: &dyn Fn(&str) -> Option<String>) -> Plan {
        let set = |key: &str| env(key).filter(|v| !v.trim().is_empty());
        let home = set("HADOOP_HOME");
        let of_home: Vec<LookupDir> = home
            .iter()
            .flat_map(|home| {
                ["conf", "etc/hadoop"].map(|sub| LookupDir::new(Path::new(home).join(sub), "HADOOP_HOME"))
            })
            .collect();
        let on_class_path: Vec<LookupDir> = set("HADOOP_CLASSPATH")
            .iter()
            .flat_map(|path| path.split(':'))
            .filter(|entry| !entry.is_empty() && Path::new(entry).is_dir())
            .map(|entry| LookupDir::new(entry, "HADOOP_CLASSPATH"))
            .collect();
        let conf_dir = set("HADOOP_CONF_DIR").map(|dir| LookupDir::new(dir, "HADOOP_CONF_DIR"));
        let conf_dir = conf_dir.or_else(|| of_home.iter().rev().find(|d| d.exists).cloned());
        let system = (conf_dir.is_none() && set("HADOOP_CLASSPATH").is_none())
            .then(|| LookupDir::new(&self.system_dir, "the system's default"));
        let conf_dir = conf_dir.or(system);
        let yarn_dir = set("YARN_CONF_DIR").map(|dir| LookupDir::new(dir, "YARN_CONF_DIR"));

        let class_path = on_class_path.into_iter().chain(conf_dir.clone()).chain(yarn_dir).collect();
        let extra = self.extra_dirs.iter().map(|dir| LookupDir::new(dir, "fs.hdfs.hadoopconf"));
        let on_top = of_home.into_iter().chain(extra).chain(conf_dir).collect();
        Plan { class_path, on_top }
    }
}

/// The directories, by the way in which their files count.
pub(super) struct Plan {
    /// Of several files of one name in these directories, only the first is loaded.
    pub(super) class_path: Vec<LookupDir>,
    /// All files in these directories are loaded after those; later ones win.
    pub(super) on_top: Vec<LookupDir>,
}

impl Plan {
    /// The files to load, in the order in which they count: later ones win.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let exists = |path: &PathBuf| path.exists();
        let class_path = ["core-site.xml", "yarn-site.xml", "hdfs-site.xml"]
            .into_iter()
            .filter_map(|name| self.class_path.iter().map(|d| d.path.join(name)).find(exists));
        let on_top =
            self.on_top.iter().flat_map(|d| ["core-site.xml", "hdfs-site.xml"].map(|name| d.path.join(name)));
        class_path.chain(on_top.filter(exists)).collect()
    }

    /// All directories, each once.
    pub(super) fn looked_in(self) -> Vec<LookupDir> {
        let mut dirs: Vec<LookupDir> = Vec::new();
        for dir in self.class_path.into_iter().chain(self.on_top) {
            if !dirs.iter().any(|d| d.path == dir.path) {
                dirs.push(dir);
            }
        }
        dirs
    }
}

//! Gives the jars of a node, which are mostly Hadoop's, the same names on every node, so that a class data
//! archive can hold their classes.
//!
//! A JVM uses an archive only if its class path begins with the jars for which the archive was made; the JVM
//! compares their names and sizes. Among these jars there must be no directory. Flink's jars are in the
//! container's directory on every node, but the places of Hadoop's jars differ from node to node, and
//! directories stand before them on the class path. So this module makes links to Hadoop's jars in the
//! container's directory, and puts the links on the class path before the directories, in the jars' order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flink_model::class_data::fingerprint;
use flink_model::container::NODE_JARS;

use crate::expand::{self, Lookup};
use crate::fresh;

/// The class path entry of the working directory. The files of the container stand before it, and those of
/// the node behind it.
const WORKING_DIRECTORY: &str = ".";
/// The most bytes that the node's jars may have together. To make an archive, all of them are copied, and for
/// more bytes an archive is not worth the time and the disk space.
const LARGEST: u64 = 1 << 30;
#[derive(Debug, Clone, PartialEq, Eq)]
struct Jar {
    /// `<number of the class path entry>/<file name>`.
    name: String,
    path: PathBuf,
    size: u64,
}

/// A class path whose entries behind the working directory are files and directories of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeJars {
    front: Vec<String>,
    jars: Vec<Jar>,
    directories: Vec<String>,
    fingerprint: String,
}

impl NodeJars {
    /// Finds the node's jars on a class path. The result is `None`, and no jar of the node can be in an
    /// archive, if the node has no jars there or they have more than 1 GiB, if an entry before the working
    /// directory is no jar, or if an entry behind the working directory is not an absolute path, such as a
    /// user's jar.
    pub fn find(class_path: &str) -> Option<Self> {
        let mut entries = class_path.split(':').map(str::to_owned);
        let front: Vec<String> = entries.by_ref().take_while(|entry| entry != WORKING_DIRECTORY).collect();
        if !front.iter().all(|entry| is_jar(entry)) {
            return None;
        }
        let (mut jars, mut directories) = (Vec::new(), Vec::new());
        for (number, entry) in entries.enumerate() {
            if !entry.starts_with('/') {
                return None;
            }
            match entry.strip_suffix("/*") {
                Some(directory) => jars.extend(jars_in(number, Path::new(directory))),
                None if is_jar(&entry) => jars.extend(Jar::at(number, PathBuf::from(entry))),
                None => directories.push(entry),
            }
        }
        let size: u64 = jars.iter().map(|jar| jar.size).sum();
        if jars.is_empty() || size > LARGEST {
            return None;
        }
        let text: String = jars.iter().map(|jar| format!("{} {}\n", jar.name, jar.size)).collect();
        Some(Self { front, jars, directories, fingerprint: fingerprint(&text) })
    }

    /// Does the same as [`NodeJars::find`] for class path entries that still name variables.
    pub fn find_in(entries: &[String], env: Lookup) -> Option<Self> {
        // No jar is in the log directory, so its path does not matter here.
        Self::find(&expand::class_path(entries, "", env).0)
    }

    /// A hash of the names, the sizes and the order of the jars. Nodes with the same jars have the same hash.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The paths of the links to the jars, relative to the container's directory, in the order of the class
    /// path.
    pub fn names(&self) -> Vec<String> {
        let place = self.place();
        self.jars.iter().map(|jar| format!("{place}/{}", jar.name)).collect()
    }

    /// The new class path: the container's jars, the links to the node's jars, the working directory, and the
    /// node's directories.
    pub fn class_path(&self) -> String {
        let names = self.names();
        let front = self.front.iter().chain(&names).map(String::as_str);
        let all = front.chain([WORKING_DIRECTORY]).chain(self.directories.iter().map(String::as_str));
        all.collect::<Vec<_>>().join(":")
    }

    /// Makes the links below a container's directory. A link that exists already is left as it is. Fails if a
    /// link or its directory cannot be made.
    pub fn link(&self, container: &Path) -> io::Result<()> {
        let mut parent = None;
        for (jar, name) in self.jars.iter().zip(self.names()) {
            let name = Path::new(&name);
            if parent.as_deref() != name.parent() {
                parent = name.parent().map(Path::to_owned);
                parent.iter().try_for_each(|parent| fresh::directories(container, parent))?;
            }
            match fresh::link(&jar.path, &container.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn place(&self) -> String {
        format!("{NODE_JARS}-{}", self.fingerprint())
    }
}

impl Jar {
    /// `None` if there is no such file, which the JVM would ignore as well, or if the name cannot be an entry
    /// of a class path or a line of the hashed text.
    fn at(number: usize, path: PathBuf) -> Option<Self> {
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let name = path.file_name()?.to_str().filter(|name| !name.contains([':', '\n']))?;
        Some(Self { name: format!("{number}/{name}"), size: metadata.len(), path })
    }
}

/// The jars for which a class path entry `directory/*` stands. Java leaves their order open; they are sorted
/// here so that the order is the same on every node.
fn jars_in(number: usize, directory: &Path) -> Vec<Jar> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.to_str().is_some_and(is_jar));
    let mut jars: Vec<Jar> = paths.filter_map(|path| Jar::at(number, path)).collect();
    jars.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    jars
}

fn is_jar(path: &str) -> bool {
    path.ends_with(".jar") || path.ends_with(".JAR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(dir: &Path) -> String {
        for (name, content) in
            [("common/b.jar", "b"), ("common/a.jar", "a"), ("common/x.txt", ""), ("lib/a.jar", "aa")]
        {
            let file = dir.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        fs::create_dir_all(dir.join("conf")).unwrap();
        let dir = dir.display();
        format!(
            "lib/f.jar:dist.jar:.:{dir}/conf:{dir}/common/*:{dir}/none/*:{dir}/lib/a.jar:{dir}/lib/gone.jar"
        )
    }

    #[test]
    fn jars_stand_before_directories_and_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let jars = NodeJars::find(&node(dir.path())).unwrap();
        let place = jars.place();
        let names = ["1/a.jar", "1/b.jar", "3/a.jar"].map(|name| format!("{place}/{name}"));
        assert_eq!(jars.names(), names);
        let conf = dir.path().join("conf");
        assert_eq!(jars.class_path(), format!("lib/f.jar:dist.jar:{}:.:{}", names.join(":"), conf.display()));

        let container = tempfile::tempdir().unwrap();
        jars.link(container.path()).unwrap();
        jars.link(container.path()).unwrap();
        let read = |name: &String| fs::read_to_string(container.path().join(name)).unwrap();
        assert_eq!(names.iter().map(read).collect::<String>(), "abaa");
    }

    #[test]
    fn the_same_jars_elsewhere_are_the_same() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = |dir: &Path| NodeJars::find(&node(dir)).unwrap();
        assert_eq!(find(one.path()).class_path().replace(one.path().to_str().unwrap(), ""), {
            find(other.path()).class_path().replace(other.path().to_str().unwrap(), "")
        });
        let before = find(one.path()).fingerprint().to_owned();
        let path = node(one.path());
        fs::write(one.path().join("common/b.jar"), "other").unwrap();
        assert_ne!(NodeJars::find(&path).unwrap().fingerprint(), before);
    }

    #[test]
    fn a_users_jar_behind_the_working_directory_stays_in_front_of_the_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = node(dir.path());
        assert_eq!(NodeJars::find(&path.replace(":.:", ":.:job.jar:")), None);
        assert_eq!(NodeJars::find(&path.replace("dist.jar:", "dist.jar:etc:")), None);
        assert_eq!(NodeJars::find("lib/f.jar:."), None);
        assert_eq!(NodeJars::find("lib/f.jar:.:/etc/hadoop"), None);
    }
}

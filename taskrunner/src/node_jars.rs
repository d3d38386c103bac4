//! The jars of a node (Hadoop's, mostly) under names that are the same on every node, so that a class data
//! archive can hold their classes.
//!
//! A JVM takes an archive when the class path begins with the jars that it was made for, by name and size.
//! Flink's jars lie in the container's directory; Hadoop's lie wherever the node has them, named by `dir/*`,
//! and behind directories, which an archive must not have in front. That is why the jars get links in the
//! container's directory, and stand in front of the directories. Their order stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flink_model::class_data::fingerprint;
use flink_model::container::NODE_JARS;

use crate::expand::{self, Lookup};
use crate::fresh;

/// The working directory, which separates what the container brings from what the node has.
const WORKING_DIRECTORY: &str = ".";
/// More is not worth it: who makes an archive copies them.
const LARGEST: u64 = 1 << 30;
/// One jar.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Jar {
    /// `<number of the class path entry>/<file name>`.
    name: String,
    path: PathBuf,
    size: u64,
}

/// A class path whose second part is the node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeJars {
    front: Vec<String>,
    jars: Vec<Jar>,
    directories: Vec<String>,
    fingerprint: String,
}

impl NodeJars {
    /// The node's jars on a class path; `None` where there are none, a directory stands in front, or what is
    /// behind the working directory is not the node's alone.
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

    /// The same for the entries of a class path that is still to be expanded.
    pub fn find_in(entries: &[String], env: Lookup) -> Option<Self> {
        // No jar lies in a log directory.
        Self::find(&expand::class_path(entries, "", env).0)
    }

    /// Tells them, by name and size, from other jars.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Their names in a container's directory once they are linked there, as they stand on the class path.
    pub fn names(&self) -> Vec<String> {
        let place = self.place();
        self.jars.iter().map(|jar| format!("{place}/{}", jar.name)).collect()
    }

    /// The whole class path: what was in front, the jars, the working directory, and the node's directories.
    pub fn class_path(&self) -> String {
        let names = self.names();
        let front = self.front.iter().chain(&names).map(String::as_str);
        let all = front.chain([WORKING_DIRECTORY]).chain(self.directories.iter().map(String::as_str));
        all.collect::<Vec<_>>().join(":")
    }

    /// Makes the links below a container's directory; those that are there stay.
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
    /// `None` where there is no such file: the JVM would not mind either.
    fn at(number: usize, path: PathBuf) -> Option<Self> {
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let name = path.file_name()?.to_str().filter(|name| !name.contains([':', '\n']))?;
        Some(Self { name: format!("{number}/{name}"), size: metadata.len(), path })
    }
}

/// As the JVM reads `directory/*`, which says nothing about the order.
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

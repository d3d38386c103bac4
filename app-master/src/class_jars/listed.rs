//! The jars in which the JVMs of an application look for classes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use diagnosis::facts::{Jar, JarPlace};
use flink_model::class_path::is_dist_jar;

/// The directory whose jars the class loader of the user's code reads.
const USRLIB: &str = "usrlib";

/// A jar, and the file that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) jar: Jar,
    pub(super) path: PathBuf,
}

/// All jars of an application.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Jars {
    /// Those on the class path, in its order.
    pub(super) class_path: Vec<Listed>,
    /// Those that only the class loader of the user's code reads.
    pub(super) user_code: Vec<Listed>,
    /// Whether the class loader of the user's code reads the program's jars on the class path as well.
    pub(super) program_in_user_code: bool,
}

impl Jars {
    /// Lists them. `dir`: the working directory; `class_path`: as the JVM gets it; `program`: the names of
    /// the program's jars.
    pub(super) fn of(dir: &Path, class_path: &str, program: &BTreeSet<String>) -> Self {
        let listed =
            |name: String| Listed { path: dir.join(&name), jar: Jar { place: place(&name, program), name } };
        let mut found: Vec<Listed> = Vec::new();
        for entry in class_path.split(':') {
            match entry.strip_suffix("/*") {
                Some(directory) => found.extend(jars_in(dir, directory).into_iter().map(&listed)),
                None if is_jar(entry) => found.push(listed(entry.to_owned())),
                // Directories hold configuration.
                None => {}
            }
        }
        // Some class paths name a directory of Hadoop twice.
        let mut seen = BTreeSet::new();
        found.retain(|listed| seen.insert(listed.jar.name.clone()));
        let user_code =
            jars_in(dir, USRLIB).into_iter().filter(|name| !found.iter().any(|l| l.jar.name == *name));
        let of_user =
            |name: String| Listed { path: dir.join(&name), jar: Jar { name, place: JarPlace::UserCode } };
        let user_code = user_code.map(of_user).collect();
        Self { class_path: found, user_code, program_in_user_code: false }
    }
}

/// Where a jar of the class path comes from.
fn place(name: &str, program: &BTreeSet<String>) -> JarPlace {
    if name.starts_with('/') {
        JarPlace::Node
    } else if is_dist_jar(name) || name.starts_with("lib/") || name.starts_with("heddle/") {
        JarPlace::Flink
    } else if program.contains(name.rsplit('/').next().unwrap_or(name)) {
        JarPlace::Program
    } else {
        JarPlace::Shipped
    }
}

/// The jars in a directory, which is seen from `dir`, in the order in which the system lists them, because a
/// JVM takes those of a wildcard in this order, and Flink those of `usrlib`; none if it cannot be read. On
/// other nodes the order may be another one.
fn jars_in(dir: &Path, directory: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir.join(directory)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_jar(name)).map(|name| format!("{directory}/{name}")).collect()
}

fn is_jar(name: &str) -> bool {
    name.ends_with(".jar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_the_class_path() {
        let dir = tempfile::tempdir().unwrap();
        let node = tempfile::tempdir().unwrap();
        for directory in [dir.path().join("usrlib"), dir.path().join("lib")] {
            fs::create_dir(directory).unwrap();
        }
        for name in ["usrlib/u.jar", "usrlib/on-path.jar", "usrlib/notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        for name in ["b.jar", "c.xml"] {
            fs::write(node.path().join(name), "").unwrap();
        }
        let hadoop = node.path().display().to_string();
        let class_path = format!(
            "a-library.jar:job.jar:lib/f.jar:usrlib/on-path.jar:flink-dist-1.20.5.jar:.:{hadoop}/*:job.jar:{hadoop}/*"
        );
        let program = ["job.jar".to_owned()].into();
        let Jars { class_path, user_code, .. } = Jars::of(dir.path(), &class_path, &program);
        let told = |list: &[Listed]| {
            let names = list.iter().map(|listed| (listed.jar.name.replace(&hadoop, ""), listed.jar.place));
            names.collect::<Vec<_>>()
        };
        let of = |name: &str, place| (name.to_owned(), place);
        assert_eq!(
            told(&class_path),
            [
                of("a-library.jar", JarPlace::Shipped),
                of("job.jar", JarPlace::Program),
                of("lib/f.jar", JarPlace::Flink),
                of("usrlib/on-path.jar", JarPlace::Shipped),
                of("flink-dist-1.20.5.jar", JarPlace::Flink),
                of("/b.jar", JarPlace::Node),
            ]
        );
        assert_eq!(told(&user_code), [of("usrlib/u.jar", JarPlace::UserCode)]);
        assert_eq!(class_path[0].path, dir.path().join("a-library.jar"));
    }
}

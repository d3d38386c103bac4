//! Chooses the Java of a container, and finds out its version without starting it.

use std::path::{Path, PathBuf};

use crate::expand::Lookup;

/// There is no usable Java on this node, so to try again on it does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JavaNotFound {
    /// A directory was named, by the configuration or by `JAVA_HOME`, but it has no Java.
    #[error("no Java at {}: {origin} says `{home}`, but {} is not an executable file", home, java.display())]
    BadHome {
        /// What has named the directory.
        origin: &'static str,
        /// The directory as it was named.
        home: String,
        /// The file that should be there.
        java: PathBuf,
    },
    /// No directory was named, and those of the `PATH` have no Java.
    #[error("no Java: JAVA_HOME is not set, and no directory of PATH ({path}) holds an executable `java`")]
    NotOnPath {
        /// The `PATH`.
        path: String,
    },
}

/// Chooses `<home>/bin/java` of the given home, else of `JAVA_HOME`, else `java` of the `PATH`.
///
/// A home that is named but has no Java is an error, because the user does not expect another Java than the
/// named one.
pub fn choose(given_home: Option<&str>, env: Lookup) -> Result<PathBuf, JavaNotFound> {
    let set = |value: Option<String>| value.filter(|v| !v.trim().is_empty());
    let named = set(given_home.map(str::to_owned))
        .map(|home| ("the launch specification", home))
        .or_else(|| set(env("JAVA_HOME")).map(|home| ("JAVA_HOME", home)));
    if let Some((origin, home)) = named {
        let java = Path::new(&home).join("bin/java");
        return if is_executable(&java) {
            Ok(java)
        } else {
            Err(JavaNotFound::BadHome { origin, home, java })
        };
    }
    let path = env("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join("java"))
        .find(|java| java.is_absolute() && is_executable(java))
        .ok_or(JavaNotFound::NotOnPath { path })
}

/// The feature release of a `bin/java`, such as 17, from the file `release` in Java's directory; `None` if
/// there is no such file. No process is started for it.
pub fn version(java: &Path) -> Option<u16> {
    flink_model::java_fit::java_version(&release_file(java)?)
}

/// The content of the file `release` in the directory of a `bin/java`, if it says the version.
pub fn release_file(java: &Path) -> Option<String> {
    let home = java.canonicalize().ok()?.parent()?.parent()?.to_path_buf();
    // A JDK 8 has another `bin/java` in its directory `jre`; the file may be in either of the two
    // directories.
    let homes = [Some(home.as_path()), home.parent().filter(|_| home.ends_with("jre"))];
    let read = |home: &Path| std::fs::read_to_string(home.join("release")).ok();
    let tells = |text: &String| flink_model::java_fit::java_version(text).is_some();
    homes.into_iter().flatten().filter_map(read).find(tells)
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fake_java(dir: &Path, mode: u32) -> PathBuf {
        std::fs::create_dir_all(dir).unwrap();
        let java = dir.join("java");
        std::fs::write(&java, "").unwrap();
        std::fs::set_permissions(&java, std::fs::Permissions::from_mode(mode)).unwrap();
        java
    }

    #[test]
    fn order_is_given_then_java_home_then_path() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let a = fake_java(&at("a/bin"), 0o755);
        let b = fake_java(&at("b/bin"), 0o755);
        let c = fake_java(&at("c"), 0o755);
        fake_java(&at("plain"), 0o644);
        let path = format!("relative:{}:{}", at("plain").display(), at("c").display());
        let home = at("b").display().to_string();
        let given = at("a").display().to_string();
        let both = |name: &str| match name {
            "JAVA_HOME" => Some(home.clone()),
            "PATH" => Some(path.clone()),
            _ => None,
        };
        let path_only = |name: &str| (name == "PATH").then(|| path.clone());
        assert_eq!(choose(Some(&given), &both).unwrap(), a);
        assert_eq!(choose(Some(""), &both).unwrap(), b);
        assert_eq!(choose(None, &path_only).unwrap(), c);
    }

    #[test]
    fn the_version_is_that_of_the_real_directory() {
        let dir = tempfile::tempdir().unwrap();
        let java = fake_java(&dir.path().join("jdk8/jre/bin"), 0o755);
        let link = dir.path().join("java");
        std::os::unix::fs::symlink(&java, &link).unwrap();
        assert_eq!(version(&link), None);
        std::fs::write(dir.path().join("jdk8/release"), "JAVA_VERSION=\"1.8.0_392\"\n").unwrap();
        assert_eq!((version(&java), version(&link)), (Some(8), Some(8)));
        std::fs::write(dir.path().join("jdk8/jre/release"), "JAVA_VERSION=\"9.0.1\"\n").unwrap();
        assert_eq!(version(&link), Some(9));
        assert_eq!(version(&dir.path().join("none/bin/java")), None);
    }

    #[test]
    fn errors_say_what_was_looked_at() {
        let text = choose(Some("/nowhere"), &|_| None).unwrap_err().to_string();
        assert!(text.contains("the launch specification says `/nowhere`"), "{text}");
        assert!(text.contains("/nowhere/bin/java"), "{text}");
        let text = choose(None, &|n| (n == "PATH").then(|| "/nope:/none".into())).unwrap_err().to_string();
        assert!(text.contains("/nope:/none"), "{text}");
    }
}

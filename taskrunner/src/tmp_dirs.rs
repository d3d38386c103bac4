//! Directories for the temporary files of one JVM, one on each of the node's local disks.
//!
//! Flink unpacks tens of megabytes into its temporary directories when it starts, and a JVM that is killed
//! removes nothing. Flink on YARN uses `LOCAL_DIRS`, which are directories of the application: what is in
//! them stays until the application ends, and with high availability an application outlives many JVMs. So
//! each JVM gets directories of its own inside the directories of its container, which YARN removes on all
//! disks when the container ends. heddle-am, whose container has one JobManager after another, removes those
//! of a JobManager that has ended.

use std::path::{Path, PathBuf};

use crate::expand::Lookup;
use crate::fresh;

/// The directories of one JVM.
#[derive(Debug)]
pub struct TmpDirs {
    made: Vec<PathBuf>,
    value: String,
}

impl TmpDirs {
    /// Makes a directory `name` inside the container's directory on each disk that `LOCAL_DIRS` names. A disk
    /// on which that fails is left out. If it fails on all disks, the JVM gets the directories of the
    /// application, as Flink's own client does it. `None` if `env` has no `LOCAL_DIRS`.
    pub fn make(env: Lookup, name: &str) -> Option<Self> {
        let local_dirs = env("LOCAL_DIRS").filter(|dirs| !dirs.trim().is_empty())?;
        let below = Path::new(&env("CONTAINER_ID").unwrap_or_default()).join(name);
        let mut made = Vec::new();
        for disk in local_dirs.split(',').map(str::trim).filter(|disk| !disk.is_empty()) {
            match fresh::directories(Path::new(disk), &below) {
                Ok(()) => made.push(Path::new(disk).join(&below)),
                Err(error) => tracing::warn!(disk, %error, "no directory for temporary files on this disk"),
            }
        }
        let paths: Vec<_> = made.iter().map(|path| path.to_string_lossy()).collect();
        let value = if paths.is_empty() { local_dirs } else { paths.join(",") };
        Some(Self { made, value })
    }

    /// The value for `io.tmp.dirs`.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Removes the directories with all that is in them. The JVM must have ended.
    pub fn remove(self) {
        for path in self.made {
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::info!(path = %path.display(), %error, "temporary files stay until the container ends");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(local_dirs: &str) -> Option<TmpDirs> {
        TmpDirs::make(
            &|name| match name {
                "LOCAL_DIRS" => Some(local_dirs.to_owned()),
                "CONTAINER_ID" => Some("container_1".to_owned()),
                _ => None,
            },
            ".heddle-tmp-0",
        )
    }

    #[test]
    fn a_jvm_has_a_directory_on_each_disk_until_it_ends() {
        let place = tempfile::tempdir().unwrap();
        let disks = [place.path().join("a"), place.path().join("b")];
        for disk in &disks {
            std::fs::create_dir(disk).unwrap();
        }
        // YARN has made the container's directory on this one.
        std::fs::create_dir(disks[0].join("container_1")).unwrap();
        let outside = place.path().join("outside");
        std::fs::write(&outside, "stays").unwrap();

        let dirs = make(&format!("{}, {}", disks[0].display(), disks[1].display())).unwrap();
        let expected = disks.each_ref().map(|disk| disk.join("container_1/.heddle-tmp-0"));
        assert_eq!(dirs.value(), format!("{},{}", expected[0].display(), expected[1].display()));
        for dir in &expected {
            assert!(dir.is_dir());
            std::fs::create_dir(dir.join("tm_1")).unwrap();
            std::fs::write(dir.join("tm_1/file"), "x").unwrap();
            std::os::unix::fs::symlink(&outside, dir.join("link")).unwrap();
        }
        dirs.remove();
        for dir in &expected {
            assert!(!dir.exists() && dir.parent().unwrap().is_dir());
        }
        assert!(outside.is_file());
    }

    #[test]
    fn a_broken_disk_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let good = place.path().display().to_string();
        let dirs = make(&format!("/proc/none,{good}")).unwrap();
        assert_eq!(dirs.value(), format!("{good}/container_1/.heddle-tmp-0"));
    }

    #[test]
    fn without_a_directory_of_its_own_a_jvm_uses_that_of_the_application() {
        let dirs = make("/proc/none").unwrap();
        assert_eq!(dirs.value(), "/proc/none");
        dirs.remove();
        assert!(make(" ").is_none());
        assert!(TmpDirs::make(&|_| None, "x").is_none());
    }
}

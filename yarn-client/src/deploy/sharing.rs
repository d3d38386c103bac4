//! Decides which local files may go to the shared store, where every user of the cluster can read them.
//!
//! Only libraries do, and only those that every user of this machine can read already. A file in Flink's
//! `lib` can also be a configuration file with a password, which the administrator has closed to others; such
//! files go to the user's private store. A library that is closed to others is not put into the shared store,
//! either, but may be found there: a file that is public already tells nobody anything.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use artifact_store::visibility;
use flink_model::local_resource::Visibility;

/// The beginnings of the names of files that come with each distribution and hold only text for people.
const TEXTS: [&str; 3] = ["README", "LICENSE", "NOTICE"];

/// Whether a file of this name in Flink's directories is a library, or a script or a text that comes with
/// libraries.
pub(crate) fn is_library(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    ["jar", "sh"].iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
        || (TEXTS.iter().any(|start| stem.starts_with(start)) && matches!(extension, "" | "txt" | "md"))
}

/// Looks at files of this machine, and remembers the modes of their directories.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    modes: RefCell<BTreeMap<PathBuf, u32>>,
}

impl Sharing {
    /// Whether every user of this machine can read the file. Links are followed, because others can take the
    /// real path.
    pub(crate) fn is_open(&self, path: &Path) -> bool {
        let Ok(real) = path.canonicalize() else { return false };
        let Ok(file) = real.metadata() else { return false };
        let above = real.ancestors().skip(1).map(|directory| self.mode(directory));
        visibility(file.mode(), above) == Visibility::Public
    }

    fn mode(&self, directory: &Path) -> u32 {
        if let Some(mode) = self.modes.borrow().get(directory) {
            return *mode;
        }
        let mode = directory.metadata().map_or(0, |metadata| metadata.mode());
        self.modes.borrow_mut().insert(directory.to_owned(), mode);
        mode
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn libraries_by_their_names() {
        for name in
            ["a.jar", "A.JAR", "gpu-discovery.sh", "README.txt", "LICENSE", "NOTICE.md", "LICENSE.abc"]
        {
            assert_eq!(is_library(Path::new(name)), name != "LICENSE.abc", "{name}");
        }
        for name in ["hive-site.xml", "core-site.xml", "a.jar.bak", "keystore.jks", "x.properties", "readme"]
        {
            assert!(!is_library(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn only_what_all_users_of_this_machine_can_read_is_shared() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(dir.path(), 0o755);
        for (name, file, directory) in
            [("open", 0o644, 0o755), ("file", 0o600, 0o755), ("directory", 0o644, 0o750)]
        {
            create_dir(at(name)).unwrap();
            write(at(name).join("a.jar"), "").unwrap();
            mode(&at(name).join("a.jar"), file);
            mode(&at(name), directory);
        }
        symlink(at("directory/a.jar"), at("link.jar")).unwrap();
        let open = |name: &str| Sharing::default().is_open(&at(name));
        assert!(open("open/a.jar"));
        for name in ["file/a.jar", "directory/a.jar", "link.jar", "none.jar"] {
            assert!(!open(name), "{name}");
        }
    }
}

//! Who may share a file on the nodes. Does no I/O.

use flink_model::local_resource::Visibility;

const OTHERS_READ: u32 = 0o004;
const OTHERS_ENTER: u32 = 0o001;

/// The visibility of a file as a local resource, from the mode of the file and the modes of all directories
/// above it.
///
/// It is PUBLIC if everybody may read the file and enter all the directories: YARN's NodeManager then copies
/// it once for all users. Otherwise it is PRIVATE: the NodeManager reads it with the user's rights, and only
/// the user's applications share the copy. The rule is that of `FSDownload.isPublic` in Hadoop.
pub fn visibility(file_mode: u32, ancestors: impl IntoIterator<Item = u32>) -> Visibility {
    let open = file_mode & OTHERS_READ != 0 && ancestors.into_iter().all(|mode| mode & OTHERS_ENTER != 0);
    if open { Visibility::Public } else { Visibility::Private }
}

/// The directories above `path`, from the root down: `/a/b/c` gives `/`, `/a`, `/a/b`.
pub fn ancestors(path: &str) -> Vec<String> {
    let mut list = vec!["/".to_owned()];
    for (at, _) in path.match_indices('/').skip(1) {
        list.push(path.get(..at).unwrap_or_default().to_owned());
    }
    list
}

/// The directory that holds `path`; `/` if `path` is right below the root of the file system.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty()).unwrap_or("/")
}

/// The path of an artifact in the store at `root`.
pub(crate) fn store_path(root: &str, sha256: &str, name: &str) -> String {
    let prefix = sha256.get(..2).unwrap_or(sha256);
    format!("{}/{prefix}/{sha256}/{name}", root.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_needs_every_step() {
        assert_eq!(visibility(0o644, [0o755, 0o711]), Visibility::Public);
        assert_eq!(visibility(0o640, [0o755]), Visibility::Private);
        assert_eq!(visibility(0o644, [0o755, 0o750]), Visibility::Private);
        assert_eq!(visibility(0o1644, [0o1777]), Visibility::Public);
    }

    #[test]
    fn paths() {
        assert_eq!(ancestors("/a/b/c"), ["/", "/a", "/a/b"]);
        assert_eq!(ancestors("/c"), ["/"]);
        assert_eq!((parent("/a/b"), parent("/a"), parent("/")), ("/a", "/", "/"));
        assert_eq!(store_path("/s/", "abcdef", "x.jar"), "/s/ab/abcdef/x.jar");
    }
}

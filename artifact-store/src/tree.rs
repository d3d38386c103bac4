//! Lists the files below a local directory, each with the path that it gets in the containers.

use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// A local file, and its path in the containers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalFile {
    /// The path in the container's working directory.
    pub key: String,
    /// The absolute path on this machine.
    pub path: PathBuf,
}

/// All files below `directory`, sorted by their keys, which begin with `prefix`. Symbolic links are followed.
/// It fails if a directory cannot be read, if a name is not UTF-8, or if a link leads to a directory above
/// it.
pub fn files_below(directory: &Path, prefix: &str) -> Result<Vec<LocalFile>, StoreError> {
    let mut files = Vec::new();
    collect(directory, prefix, &mut Vec::new(), &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(
    directory: &Path,
    prefix: &str,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<LocalFile>,
) -> Result<(), StoreError> {
    let unreadable = |path: &Path, e| StoreError::unreadable(path, e);
    let real = directory.canonicalize().map_err(|e| unreadable(directory, e))?;
    if above.contains(&real) {
        return Err(StoreError::Unusable(format!(
            "{} is a symbolic link to a directory above it",
            directory.display()
        )));
    }
    above.push(real);
    for entry in std::fs::read_dir(directory).map_err(|e| unreadable(directory, e))? {
        let path = entry.map_err(|e| unreadable(directory, e))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return Err(StoreError::Unusable(format!(
                "the name of {} is not UTF-8 and cannot be used on the nodes",
                path.display()
            )));
        };
        let key = format!("{prefix}/{name}");
        if path.is_dir() {
            collect(&path, &key, above, files)?;
        } else {
            files.push(LocalFile { key, path });
        }
    }
    above.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattens_and_follows_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        std::fs::create_dir_all(at("a/b")).unwrap();
        for file in ["a/z.txt", "a/b/x.jar"] {
            std::fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink(at("a/b"), at("a/link")).unwrap();
        let keys: Vec<String> = files_below(&at("a"), "ship").unwrap().into_iter().map(|f| f.key).collect();
        assert_eq!(keys, ["ship/b/x.jar", "ship/link/x.jar", "ship/z.txt"]);
        std::os::unix::fs::symlink(at("a"), at("a/b/loop")).unwrap();
        assert!(files_below(&at("a"), "ship").unwrap_err().to_string().contains("above it"));
    }
}

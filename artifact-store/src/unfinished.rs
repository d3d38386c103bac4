//! Remembers which files are being written, so that they can be removed if the deployment is given up.

use std::sync::Mutex;

use hadoop_fs::Storage;

/// The paths that an interrupted deployment has to remove.
#[derive(Debug, Default)]
pub struct Unfinished {
    paths: Mutex<Vec<(Storage, String)>>,
}

impl Unfinished {
    /// Must be called before `path` is written.
    pub(crate) fn begin(&self, storage: &Storage, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.push((storage.clone(), path.to_owned()));
        }
    }

    /// Must be called when the file at `path` is complete and has been renamed to its own name.
    pub(crate) fn done(&self, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.retain(|(_, p)| p != path);
        }
    }

    /// Removes the files that have not been completed. A file that cannot be removed is only logged.
    pub async fn remove(&self) {
        let left = self.paths.lock().map(|mut paths| std::mem::take(&mut *paths)).unwrap_or_default();
        for (storage, path) in left {
            if let Err(error) = storage.delete(&path, true).await {
                tracing::warn!(%error, path, "unfinished upload not removed");
            }
        }
    }
}

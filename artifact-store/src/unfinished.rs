//! Files that are being written, so that they can be removed when the work is given up.

use std::sync::Mutex;

use hadoop_fs::Storage;

/// Paths that an interrupted deployment has to remove.
#[derive(Debug, Default)]
pub struct Unfinished {
    paths: Mutex<Vec<(Storage, String)>>,
}

impl Unfinished {
    /// `path` is about to be written.
    pub(crate) fn begin(&self, storage: &Storage, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.push((storage.clone(), path.to_owned()));
        }
    }

    /// The file at `path` is complete, and has been renamed to its own name.
    pub(crate) fn done(&self, path: &str) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.retain(|(_, p)| p != path);
        }
    }

    /// Removes what is left.
    pub async fn remove(&self) {
        let left = self.paths.lock().map(|mut paths| std::mem::take(&mut *paths)).unwrap_or_default();
        for (storage, path) in left {
            if let Err(error) = storage.delete(&path, true).await {
                tracing::warn!(%error, path, "unfinished upload not removed");
            }
        }
    }
}

//! The archives in heddle's store: finding one, and adding one.

use std::path::Path;
use std::time::Duration;

use flink_model::class_data::{ArchiveName, ClassDataSpec, DIRECTORY, JavaId};
use hadoop_fs::{FsError, FsErrorKind, Source, Storage, WriteOptions};
use hadoop_rpc::{HadoopConf, UserIdentity};

/// For each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The directory of the store that holds the archives of one role, JobManager or TaskManager.
pub(super) struct Repository<'a> {
    storage: Storage,
    order: &'a ClassDataSpec,
    store: &'a str,
    /// URL.
    pub(super) directory: String,
}

impl<'a> Repository<'a> {
    pub(super) fn open(
        conf: &HadoopConf,
        user: &UserIdentity,
        order: &'a ClassDataSpec,
    ) -> Result<Self, String> {
        let storage = storage(conf, user, &order.store)?;
        let store = order.store.trim_end_matches('/');
        Ok(Self { storage, order, store, directory: format!("{store}/{}", order.directory) })
    }

    /// The name of a whole archive of this Java, if there is one.
    pub(super) async fn find(&self, id: &JavaId) -> Result<Option<String>, String> {
        let found = match self.storage.list(&self.directory, false).await {
            Ok(found) => found,
            Err(error) if error.kind() == FsErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(text(error)),
        };
        let trusted = found.iter().filter(|file| self.order.owners.contains(&file.owner));
        let whole = trusted.filter_map(|file| Some((file.len, file.path.parse::<ArchiveName>().ok()?)));
        let mut fitting = whole.filter(|(len, name)| name.java == id.text && name.size == *len);
        Ok(fitting.next().map(|(_, name)| name.to_string()))
    }

    /// Adds a file. It is written to the application's directory first, which is removed at the end whatever
    /// happens, if that is on the same file system as the store.
    pub(super) async fn add(
        &self,
        name: &str,
        file: &Path,
        staging: Option<&str>,
        container: &str,
    ) -> Result<(), String> {
        let Self { storage, order, store, directory } = self;
        let temporary = match staging.filter(|dir| dir.starts_with(&format!("{}/", storage.root()))) {
            Some(dir) => {
                // Writing a file would make the directory anew if it has been removed.
                storage.status(dir).await.map_err(text)?;
                format!("{}/{name}", dir.trim_end_matches('/'))
            }
            None => format!("{store}/.incoming/{container}-{name}"),
        };
        let (directory_mode, mode) = order.modes;
        for directory in [&format!("{store}/{DIRECTORY}"), directory] {
            storage.mkdirs(directory, Some(directory_mode)).await.map_err(text)?;
        }
        let options = WriteOptions {
            mode: Some(mode),
            replication: order.replication,
            overwrite: true,
            fitted: true,
            ..WriteOptions::default()
        };
        storage.write_file(&temporary, &Source::File(file.to_owned()), &options).await.map_err(text)?;
        match storage.rename(&temporary, &format!("{directory}/{name}"), false).await {
            Ok(()) => Ok(()),
            // Another application has added the same archive meanwhile.
            Err(error) if error.kind() == FsErrorKind::AlreadyExists => {
                storage.delete(&temporary, false).await.map(drop).map_err(text)
            }
            Err(error) => Err(text(error)),
        }
    }
}

/// The file system that a URL is on.
pub(super) fn storage(conf: &HadoopConf, user: &UserIdentity, url: &str) -> Result<Storage, String> {
    Ok(Storage::open(conf, user, Some(url)).map_err(text)?.with_deadline(DEADLINE))
}

fn text(error: FsError) -> String {
    error.to_string()
}

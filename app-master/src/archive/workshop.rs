//! Where an archive is made: our own container, or one for this alone. From the material to the file in the store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::archive::{ArchiveName, ArchiveOrder, ClassList, DIRECTORY, JavaId};
use hadoop_fs::{FsError, FsErrorKind, Source, Storage, WriteOptions};
use hadoop_rpc::{HadoopConf, UserIdentity};
use taskrunner::node_jars::NodeJars;
use taskrunner::spawn::SpawnThread;

use super::Reason;
use super::dump::{self, Dump, Place};
use super::room::{Limits, Used};

/// For each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(30);
/// A list of fewer classes is no JVM's that got anywhere.
const FEWEST: usize = 4500;

/// What an archive is made of.
pub(super) struct Material<'a> {
    pub(super) order: &'a ArchiveOrder,
    /// The `java` to make it with.
    pub(super) java: PathBuf,
    pub(super) id: JavaId,
    pub(super) wide: bool,
    /// The node's jars behind those of the order.
    pub(super) node_jars: Option<NodeJars>,
    pub(super) list: ClassList,
}

impl Material<'_> {
    /// Whether it is worth the work.
    pub(super) fn check(&self) -> Result<(), Reason> {
        match self.list.classes() {
            few if few < FEWEST => Err(format!("only {few} classes were recorded")),
            _ => Ok(()),
        }
    }
}

/// The container.
pub(super) struct Workshop {
    /// Its working directory.
    pub(super) dir: PathBuf,
    /// This program.
    pub(super) self_exe: PathBuf,
    pub(super) conf: HadoopConf,
    pub(super) user: UserIdentity,
    /// Its id.
    pub(super) container: String,
    /// URL of the application's directory.
    pub(super) staging_dir: Option<String>,
    pub(super) limits: Limits,
    /// The process that runs in it beside this one.
    pub(super) beside: Option<u32>,
    pub(super) thread: SpawnThread,
}

impl Workshop {
    /// What its processes have.
    pub(super) fn used(&self) -> Used {
        self.beside.map(dump::of).unwrap_or_default() + dump::of(std::process::id())
    }

    /// Why there is no room in it.
    pub(super) fn shortage(&self) -> Option<String> {
        self.limits.shortage(self.used())
    }

    /// Makes an archive and puts it into the store; says which.
    pub(super) async fn make(&self, material: &Material<'_>) -> Result<String, Reason> {
        let Material { order, java, id, wide, node_jars, list } = material;
        let shelf = Shelf::open(&self.conf, &self.user, order)?;
        if let Some(name) = shelf.find(id).await? {
            return Ok(format!("{}/{name} is there by now", shelf.directory));
        }
        let place = Place::make(&self.dir).await?;
        let dump =
            Dump { java, wide: *wide, class_path: &order.class_path, node_jars: node_jars.as_ref(), list };
        let made = dump.run(&place, self).await?;
        let (size, crc) = made.measured;
        let name = ArchiveName { java: id.text.clone(), size, crc }.to_string();
        shelf.put(&name, &made.file, self.staging_dir.as_deref(), &self.container).await?;
        let (mb, s) = (size >> 20, made.took.as_secs_f32());
        Ok(format!("{}/{name}: {} classes, {mb} MiB, made in {s:.1} s", shelf.directory, list.classes()))
    }
}

/// Where a store keeps the archives of a role.
pub(super) struct Shelf<'a> {
    storage: Storage,
    order: &'a ArchiveOrder,
    store: &'a str,
    /// URL.
    pub(super) directory: String,
}

impl<'a> Shelf<'a> {
    pub(super) fn open(
        conf: &HadoopConf,
        user: &UserIdentity,
        order: &'a ArchiveOrder,
    ) -> Result<Self, Reason> {
        let storage = storage(conf, user, &order.store)?;
        let store = order.store.trim_end_matches('/');
        Ok(Self { storage, order, store, directory: format!("{store}/{}", order.directory) })
    }

    /// The name of a whole archive of this Java, if there is one.
    pub(super) async fn find(&self, id: &JavaId) -> Result<Option<String>, Reason> {
        let found = match self.storage.list(&self.directory, false).await {
            Ok(found) => found,
            Err(error) if error.kind() == FsErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(text(error)),
        };
        let ours = found.iter().filter(|file| self.order.owners.contains(&file.owner));
        let whole = ours.filter_map(|file| Some((file.len, file.path.parse::<ArchiveName>().ok()?)));
        let mut fitting = whole.filter(|(len, name)| name.java == id.text && name.size == *len);
        Ok(fitting.next().map(|(_, name)| name.to_string()))
    }

    /// The file grows in the application's directory, which is removed at the end whatever happens, if that is on the same file system.
    async fn put(
        &self,
        name: &str,
        file: &Path,
        staging: Option<&str>,
        container: &str,
    ) -> Result<(), Reason> {
        let Self { storage, order, store, directory } = self;
        let temporary = match staging.filter(|dir| dir.starts_with(&format!("{}/", storage.root()))) {
            Some(dir) => {
                // Writing would make it anew.
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
            // Somebody else was quicker.
            Err(error) if error.kind() == FsErrorKind::AlreadyExists => {
                storage.delete(&temporary, false).await.map(drop).map_err(text)
            }
            Err(error) => Err(text(error)),
        }
    }
}

/// The file system that a URL is on.
pub(super) fn storage(conf: &HadoopConf, user: &UserIdentity, url: &str) -> Result<Storage, Reason> {
    Ok(Storage::open(conf, user, Some(url)).map_err(text)?.with_deadline(DEADLINE))
}

fn text(error: FsError) -> Reason {
    error.to_string()
}

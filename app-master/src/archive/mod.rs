//! Makes the class data archives that later deployments use: in the background, and never at the price of the job.
//!
//! The JobManager, and one TaskManager, write down which classes they load. Some seconds later a JVM of low priority makes an archive of
//! them, within what the container's memory leaves; it goes to the store, where the next client finds it. Whatever is in the way is a line in the log,
//! and the end of the ApplicationMaster does not wait: the JVM dies with it, and an unfinished upload lies in the application's directory.

mod dump;
mod room;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flink_model::archive::{ArchiveName, ArchiveOrder, ClassList, JavaId, RpcJars, rpc_jar};
use hadoop_fs::{FsErrorKind, Source, Storage, WriteOptions};
use taskrunner::archive::{self, Use};
use taskrunner::control::Recorded;
use taskrunner::java;
use taskrunner::jvm::JvmProcess;
use taskrunner::spawn::SpawnThread;
use tokio::sync::{mpsc, watch};

use crate::am::Environment;
use crate::control::Control;

/// Lists that may wait while an archive is made.
const WAITING: usize = 4;
/// For each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(30);
/// A list of fewer classes is no JVM's that got anywhere.
const FEWEST: usize = 4500;

/// Begins: archives are made, one at a time, as the classes become known. `job_manager` runs already; `ready` tells when it can be used.
pub fn start(
    environment: &Arc<Environment>,
    thread: &SpawnThread,
    control: &Control,
    job_manager: &JvmProcess,
    ready: watch::Receiver<bool>,
) {
    let (sender, recorded) = mpsc::channel(WAITING);
    control.on_recorded(sender);
    let maker =
        Maker { environment: environment.clone(), thread: thread.clone(), job_manager: job_manager.clone() };
    tokio::spawn(async move {
        let jvm = maker.job_manager.clone();
        tokio::select! {
            _ = jvm.wait() => {}
            () = maker.run(recorded, ready) => {}
        }
    });
}

/// Whether archives are to be made, and this container could ever have room for it; the JVMs record nothing if not.
pub fn is_possible(environment: &Environment) -> bool {
    let spec = &environment.spec;
    if spec.job_manager_archive.is_none() && spec.task_manager_archive.is_none() {
        return false;
    }
    let shortage = dump::limits(environment, std::process::id()).shortage(room::Used::default());
    if let Some(why) = &shortage {
        tracing::info!("no class data archive is made: {why}");
    }
    shortage.is_none()
}

/// Why there is no archive, for people. It is nothing that a user has to know.
type Reason = String;

struct Maker {
    environment: Arc<Environment>,
    thread: SpawnThread,
    job_manager: JvmProcess,
}

/// What an archive is made of.
struct Material<'a> {
    order: &'a ArchiveOrder,
    /// The `java` to make it with.
    java: PathBuf,
    id: JavaId,
    wide: bool,
    list: ClassList,
}

impl Maker {
    async fn run(&self, mut recorded: mpsc::Receiver<Recorded>, mut ready: watch::Receiver<bool>) {
        let spec = &self.environment.spec;
        if let (Some(order), Use::Record(recording)) = (&spec.job_manager_archive, self.job_manager.archive())
        {
            // It never is where the ApplicationMaster is about to end.
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
            recording.settled().await;
            match recording.take().await {
                Ok(list) => {
                    let (java, id, wide) = (recording.java.clone(), recording.id.clone(), recording.wide);
                    self.make(Material { order, java, id, wide, list }).await;
                }
                Err(error) => tracing::info!(%error, "the classes of the JobManager are not recorded"),
            }
        }
        let Some(order) = &spec.task_manager_archive else { return };
        while let Some(Recorded { java, class_list }) = recorded.recv().await {
            match self.same_java(&java) {
                Some((path, id, wide)) => {
                    let list = ClassList::received(class_list);
                    if self.make(Material { order, java: path, id, wide, list }).await {
                        return;
                    }
                }
                None => {
                    tracing::info!(java, "no class data archive for TaskManagers: this node has another Java")
                }
            }
        }
    }

    /// The Java of this node's TaskManagers, if it is the one that a TaskManager elsewhere ran on.
    fn same_java(&self, text: &str) -> Option<(PathBuf, JavaId, bool)> {
        let template = &self.environment.spec.task_manager;
        let env = |name: &str| template.env.get(name).cloned().or_else(|| std::env::var(name).ok());
        let path = java::choose(template.java_home.as_deref(), &env).ok()?;
        let fits =
            |wide| archive::id(&path, wide).filter(|id| id.text == text).map(|id| (path.clone(), id, wide));
        [false, true].into_iter().find_map(fits)
    }

    /// Makes an archive and puts it into the store; whether there is one now.
    async fn make(&self, material: Material<'_>) -> bool {
        let directory = &material.order.directory;
        match self.try_make(&material).await {
            Ok(what) => {
                tracing::info!(directory, "{what}");
                true
            }
            Err(why) => {
                tracing::info!(directory, "no class data archive is made: {why}");
                false
            }
        }
    }

    async fn try_make(&self, material: &Material<'_>) -> Result<String, Reason> {
        let Material { order, java, id, wide, list } = material;
        if list.classes() < FEWEST {
            return Err(format!("only {} classes were recorded", list.classes()));
        }
        let (conf, user) = (&self.environment.conf, &self.environment.user);
        let storage = Storage::open(conf, user, Some(&order.store)).map_err(|e| e.to_string())?;
        let storage = storage.with_deadline(DEADLINE);
        let target = format!("{}/{}", order.store.trim_end_matches('/'), order.directory);
        if is_there(&storage, order, &target, id).await? {
            return Ok(format!("{target} has a class data archive of this Java by now"));
        }
        let place = dump::Place::make(&self.environment.dir).await?;
        let dump = dump::Dump {
            java,
            wide: *wide,
            class_path: &order.class_path,
            list,
            rpc_jars: &rpc_jars(self.job_manager.pid()),
        };
        let made = dump.run(&place, &self.environment, &self.thread, &self.job_manager).await?;
        let (size, crc) = made.measured;
        let name = ArchiveName { java: id.text.clone(), size, crc }.to_string();
        self.upload(&storage, order, &target, &name, &made.file).await?;
        let (mb, s) = (size >> 20, made.took.as_secs_f32());
        Ok(format!("{target}/{name}: {} classes, {mb} MiB, made in {s:.1} s", list.classes()))
    }

    /// The file grows in the application's directory, which is removed at the end whatever happens, if that is on the same file system.
    async fn upload(
        &self,
        storage: &Storage,
        order: &ArchiveOrder,
        target: &str,
        name: &str,
        file: &std::path::Path,
    ) -> Result<(), Reason> {
        let text = |error: hadoop_fs::FsError| error.to_string();
        let staging = self.environment.spec.staging_dir.as_ref();
        let staging = staging.filter(|dir| dir.starts_with(&format!("{}/", storage.root())));
        let store = order.store.trim_end_matches('/');
        let temporary = match staging {
            Some(dir) => format!("{}/{name}", dir.trim_end_matches('/')),
            None => format!("{store}/.incoming/{}-{name}", self.environment.container),
        };
        let (directory_mode, mode) = order.modes;
        for directory in [format!("{store}/{}", flink_model::archive::DIRECTORY), target.to_owned()] {
            storage.mkdirs(&directory, Some(directory_mode)).await.map_err(text)?;
        }
        let options = WriteOptions {
            mode: Some(mode),
            replication: order.replication,
            overwrite: true,
            fitted: true,
            ..WriteOptions::default()
        };
        storage.write_file(&temporary, &Source::File(file.to_owned()), &options).await.map_err(text)?;
        match storage.rename(&temporary, &format!("{target}/{name}"), false).await {
            Ok(()) => Ok(()),
            // Somebody else was quicker.
            Err(error) if error.kind() == FsErrorKind::AlreadyExists => {
                storage.delete(&temporary, false).await.map(drop).map_err(text)
            }
            Err(error) => Err(text(error)),
        }
    }
}

/// Whether there is a whole archive of this Java.
async fn is_there(
    storage: &Storage,
    order: &ArchiveOrder,
    directory: &str,
    id: &JavaId,
) -> Result<bool, Reason> {
    let found = match storage.list(directory, false).await {
        Ok(found) => found,
        Err(error) if error.kind() == FsErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    Ok(found.iter().filter(|file| order.owners.contains(&file.owner)).any(|file| {
        file.path.parse::<ArchiveName>().is_ok_and(|name| name.java == id.text && name.size == file.len)
    }))
}

/// The jars that Flink has unpacked for its RPC: the running JobManager holds them open.
fn rpc_jars(pid: u32) -> RpcJars {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return RpcJars::new() };
    let paths =
        open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned));
    paths.filter_map(|path| Some((rpc_jar(&format!("file:{path}"))?.to_owned(), path))).collect()
}

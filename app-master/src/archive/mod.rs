//! Makes the class data archives that later deployments use: in the background, and never at the price of the job.
//!
//! The JobManager, and one TaskManager, write down which classes they load. Some seconds later a JVM of low priority makes an archive of
//! them, within what the container's memory leaves, or in a container of its own where that is too little; it goes to the store, where the next client
//! finds it. Whatever is in the way is a line in the log, and the end of the ApplicationMaster does not wait: the JVM dies with it, YARN ends
//! the other container, and an unfinished upload lies in the application's directory.

mod dump;
pub mod elsewhere;
pub(crate) mod errand;
mod room;
mod workshop;

use std::path::PathBuf;
use std::sync::Arc;

use flink_model::archive::{ClassList, JavaId};
use taskrunner::archive::{self, Use};
use taskrunner::control::Recorded;
use taskrunner::java;
use taskrunner::jvm::JvmProcess;
use taskrunner::node_jars::NodeJars;
use taskrunner::spawn::SpawnThread;
use tokio::sync::{mpsc, watch};
use yarn_api::NodeManagerClients;
use yarn_api::records::Container;

use crate::am::Environment;
use crate::control::Control;
use workshop::{Material, Shelf, Workshop};

/// Lists that may wait while an archive is made.
const WAITING: usize = 4;

/// What is asked of whoever talks to YARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// A container of this memory, MiB.
    Container(u64),
    /// The one that came is of no use; answered by [`Reply::Over`].
    GiveBack,
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The container.
    Granted(Box<Container>),
    /// There is none, or no longer; why.
    Over(String),
    /// It has ended, with this status and YARN's diagnostics.
    Ended(i32, String),
}

/// The way to YARN.
pub(crate) struct Yarn {
    pub(crate) ask: Box<dyn Fn(Request) + Send + Sync>,
    pub(crate) replies: mpsc::UnboundedReceiver<Reply>,
    pub(crate) nodes: NodeManagerClients,
}

/// Begins: archives are made, one at a time, as the classes become known. `job_manager` runs already; `ready` tells when it can be used.
pub(crate) fn start(
    environment: &Arc<Environment>,
    thread: &SpawnThread,
    control: &Control,
    job_manager: &JvmProcess,
    ready: watch::Receiver<bool>,
    yarn: Yarn,
) {
    let (sender, recorded) = mpsc::channel(WAITING);
    control.on_recorded(sender);
    let spec = &environment.spec;
    let shop = Workshop {
        dir: environment.dir.clone(),
        self_exe: environment.self_exe.clone(),
        conf: environment.conf.clone(),
        user: environment.user.clone(),
        container: environment.container.to_string(),
        staging_dir: spec.staging_dir.clone(),
        limits: dump::limits(&environment.conf, spec.memory_mb, job_manager.pid()),
        beside: Some(job_manager.pid()),
        thread: thread.clone(),
    };
    let mut maker = Maker { environment: environment.clone(), shop, job_manager: job_manager.clone(), yarn };
    tokio::spawn(async move {
        let jvm = maker.job_manager.clone();
        tokio::select! {
            _ = jvm.wait() => {}
            () = maker.run(recorded, ready) => {}
        }
    });
}

/// Whether archives are to be made, and there could ever be room for it; the JVMs record nothing if not.
pub(crate) fn is_possible(environment: &Environment) -> bool {
    let spec = &environment.spec;
    if spec.job_manager_archive.is_none() && spec.task_manager_archive.is_none() {
        return false;
    }
    let limits = dump::limits(&environment.conf, spec.memory_mb, std::process::id());
    let Some(why) = limits.shortage(room::Used::default()) else { return true };
    let elsewhere = elsewhere_mb(environment);
    if let Err(nor) = &elsewhere {
        tracing::info!("no class data archive is made: {why}; {nor}");
    }
    elsewhere.is_ok()
}

/// Memory of a container for it alone, or why there is none.
fn elsewhere_mb(environment: &Environment) -> Result<u64, Reason> {
    let spec = &environment.spec;
    room::elsewhere(dump::ratio(&environment.conf), spec.archive_container, spec.largest_container_mb)
}

/// Why there is no archive, for people. It is nothing that a user has to know.
type Reason = String;

struct Maker {
    environment: Arc<Environment>,
    /// Our own container.
    shop: Workshop,
    job_manager: JvmProcess,
    yarn: Yarn,
}

/// What became of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Made,
    /// Another list may do better.
    NotNow,
    /// YARN was asked for a container, and is not asked again.
    Never,
}

impl Maker {
    async fn run(&mut self, mut recorded: mpsc::Receiver<Recorded>, mut ready: watch::Receiver<bool>) {
        let environment = self.environment.clone();
        let spec = &environment.spec;
        if let (Some(order), Use::Record(recording)) =
            (&spec.job_manager_archive, self.job_manager.archive().clone())
        {
            // It never is where the ApplicationMaster is about to end.
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
            recording.settled().await;
            match recording.take().await {
                Ok(list) => {
                    let (java, id, wide) = (recording.java.clone(), recording.id.clone(), recording.wide);
                    let node_jars = recording.node_jars.clone();
                    self.make(Material { order, java, id, wide, node_jars, list }).await;
                }
                Err(error) => tracing::info!(%error, "the classes of the JobManager are not recorded"),
            }
        }
        let Some(order) = &spec.task_manager_archive else { return };
        while let Some(Recorded { java, class_list }) = recorded.recv().await {
            match self.same_java(&java) {
                Some((path, id, wide, node_jars)) => {
                    let list = ClassList::received(class_list);
                    let material = Material { order, java: path, id, wide, node_jars, list };
                    if self.make(material).await != Outcome::NotNow {
                        return;
                    }
                }
                None => {
                    tracing::info!(
                        java,
                        "no class data archive for TaskManagers: this node has another Java or Hadoop"
                    )
                }
            }
        }
    }

    /// The Java of this node's TaskManagers, and the node's jars, if they are those that a TaskManager elsewhere ran with.
    fn same_java(&self, text: &str) -> Option<(PathBuf, JavaId, bool, Option<NodeJars>)> {
        let template = &self.environment.spec.task_manager;
        let env = |name: &str| template.env.get(name).cloned().or_else(|| std::env::var(name).ok());
        let path = java::choose(template.java_home.as_deref(), &env).ok()?;
        let node_jars = NodeJars::find_in(&template.class_path, &env);
        let fits = |wide| {
            let id = archive::id(&path, wide, node_jars.as_ref()).filter(|id| id.text == text);
            id.map(|id| (path.clone(), id, wide, node_jars.clone()))
        };
        [false, true].into_iter().find_map(fits)
    }

    /// Makes an archive and puts it into the store, here or in a container of its own.
    async fn make(&mut self, material: Material<'_>) -> Outcome {
        let directory = &material.order.directory;
        let (result, otherwise) = match (material.check(), self.shop.shortage()) {
            (Err(why), _) => (Err(why), Outcome::NotNow),
            (Ok(()), None) => (self.shop.make(&material).await, Outcome::NotNow),
            (Ok(()), Some(shortage)) => (self.make_elsewhere(&material, &shortage).await, Outcome::Never),
        };
        match result {
            Ok(what) => {
                tracing::info!(directory, "{what}");
                Outcome::Made
            }
            Err(why) => {
                tracing::info!(directory, "no class data archive is made: {why}");
                otherwise
            }
        }
    }

    async fn make_elsewhere(&mut self, material: &Material<'_>, shortage: &str) -> Result<String, Reason> {
        let memory_mb = elsewhere_mb(&self.environment).map_err(|nor| format!("{shortage}; {nor}"))?;
        let shelf = Shelf::open(&self.environment.conf, &self.environment.user, material.order)?;
        if let Some(name) = shelf.find(&material.id).await? {
            return Ok(format!("{}/{name} is there by now", shelf.directory));
        }
        let directory = &material.order.directory;
        tracing::info!(directory, memory_mb, "a class data archive needs a container of its own: {shortage}");
        (self.yarn.ask)(Request::Container(memory_mb));
        let container = match self.reply().await {
            Reply::Granted(container) => container,
            Reply::Over(why) => return Err(why),
            Reply::Ended(status, diagnostics) => return Err(ended(status, &diagnostics)),
        };
        let Container { id, node, .. } = &*container;
        tracing::info!(directory, container = %id, %node, "making a class data archive in a container of its own");
        let started = elsewhere::start(&self.environment, &self.yarn.nodes, &container, material).await;
        if let Err(why) = started {
            (self.yarn.ask)(Request::GiveBack);
            while !matches!(self.reply().await, Reply::Over(_)) {}
            return Err(format!("{id} cannot be used for it: {why}"));
        }
        match self.reply().await {
            Reply::Ended(0, _) => match shelf.find(&material.id).await? {
                Some(name) => Ok(format!("{}/{name}: made in {id} on {node}", shelf.directory)),
                None => Err(format!("{id} ended without one")),
            },
            Reply::Ended(status, diagnostics) => {
                let (what, log) = (ended(status, &diagnostics), elsewhere::LOG_NAME);
                Err(format!("{id} on {node} {what}; its {log}.log says more"))
            }
            Reply::Over(why) => Err(why),
            Reply::Granted(_) => Err("YARN gave another container for it".to_owned()),
        }
    }

    async fn reply(&mut self) -> Reply {
        let closed = || Reply::Over("the ApplicationMaster ends".to_owned());
        self.yarn.replies.recv().await.unwrap_or_else(closed)
    }
}

/// The end of a container, on one line.
fn ended(status: i32, diagnostics: &str) -> String {
    let first = diagnostics.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let colon = if first.is_empty() { "" } else { ": " };
    format!("ended with status {status}{colon}{first}")
}

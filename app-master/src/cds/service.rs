//! The task of the ApplicationMaster that makes class data archives in the background.

use std::path::PathBuf;
use std::sync::Arc;

use flink_model::class_data::{ClassList, JavaId};
use taskrunner::archive::{self, Use};
use taskrunner::control::Recorded;
use taskrunner::java;
use taskrunner::jvm::JvmProcess;
use taskrunner::node_jars::NodeJars;
use taskrunner::spawn::SpawnThread;
use tokio::sync::{mpsc, watch};
use yarn_api::NodeManagerClients;
use yarn_api::records::Container;

use super::build_container::BuildContainer;
use super::builder::{self, ArchiveInput};
use super::memory_budget::{MemoryUse, container_limits, own_container_mb, virtual_ratio};
use super::remote_build;
use super::repository;
use crate::control::Control;
use crate::controller::event::{BuilderReply, BuilderRequest};
use crate::environment::Environment;

/// How many class lists may wait while an archive is made.
const WAITING: usize = 4;

/// How the service gets containers from YARN.
pub(crate) struct ContainerSource {
    pub(crate) ask: Box<dyn Fn(BuilderRequest) + Send + Sync>,
    pub(crate) replies: mpsc::UnboundedReceiver<BuilderReply>,
    pub(crate) nodes: NodeManagerClients,
}

/// Starts the task that makes archives, one at a time, as class lists become known. `job_manager` runs
/// already; `ready` says when it can be used.
pub(crate) fn start(
    environment: &Arc<Environment>,
    thread: &SpawnThread,
    control: &Control,
    job_manager: &JvmProcess,
    ready: watch::Receiver<bool>,
    containers: ContainerSource,
) {
    let (sender, recorded) = mpsc::channel(WAITING);
    control.on_recorded(sender);
    let spec = &environment.spec;
    let container = BuildContainer {
        dir: environment.dir.clone(),
        self_exe: environment.self_exe.clone(),
        conf: environment.conf.clone(),
        login: environment.login.clone(),
        id: environment.container.to_string(),
        staging_dir: spec.application.staging_dir.clone(),
        limits: container_limits(&environment.conf, spec.application_master.memory_mb, job_manager.pid()),
        other_process: Some(job_manager.pid()),
        thread: thread.clone(),
    };
    let mut service =
        Service { environment: environment.clone(), container, job_manager: job_manager.clone(), containers };
    tokio::spawn(async move {
        let jvm = service.job_manager.clone();
        tokio::select! {
            _ = jvm.wait() => {}
            () = service.run(recorded, ready) => {}
        }
    });
}

/// Whether archives are to be made, and some container has enough memory for it; the JVMs record nothing if
/// not.
pub(crate) fn is_possible(environment: &Environment) -> bool {
    let spec = &environment.spec;
    if spec.job_manager.class_data.is_none() && spec.task_managers.class_data.is_none() {
        return false;
    }
    let limits = container_limits(&environment.conf, spec.application_master.memory_mb, std::process::id());
    let Some(why) = limits.shortage(MemoryUse::default()) else { return true };
    let remote = remote_container_mb(environment);
    if let Err(nor) = &remote {
        tracing::info!("no class data archive is made: {why}; {nor}");
    }
    remote.is_ok()
}

/// Memory, MiB, of a container of its own for an archive, or why there is none.
fn remote_container_mb(environment: &Environment) -> Result<u64, String> {
    let making = environment.spec.archive_making;
    own_container_mb(virtual_ratio(&environment.conf), making.own_container, making.largest_container_mb)
}

struct Service {
    environment: Arc<Environment>,
    /// The ApplicationMaster's own.
    container: BuildContainer,
    job_manager: JvmProcess,
    containers: ContainerSource,
}

/// What became of an attempt to make an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Made,
    /// Not of this list; another one may do.
    NotNow,
    /// YARN was asked for a container, and is not asked again.
    Never,
}

impl Service {
    async fn run(&mut self, mut recorded: mpsc::Receiver<Recorded>, mut ready: watch::Receiver<bool>) {
        let environment = self.environment.clone();
        let spec = &environment.spec;
        if let (Some(class_data), Use::Record(recording)) =
            (&spec.job_manager.class_data, self.job_manager.archive().clone())
        {
            // It never becomes ready where the ApplicationMaster is about to end.
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
            recording.settled().await;
            match recording.take().await {
                Ok(list) => {
                    let (java, id, wide) = (recording.java.clone(), recording.id.clone(), recording.wide);
                    let node_jars = recording.node_jars.clone();
                    self.build(ArchiveInput { class_data, java, id, wide, node_jars, list }).await;
                }
                Err(error) => tracing::info!(%error, "the classes of the JobManager are not recorded"),
            }
        }
        let Some(class_data) = &spec.task_managers.class_data else { return };
        while let Some(Recorded { java, class_list }) = recorded.recv().await {
            match self.same_java(&java) {
                Some((path, id, wide, node_jars)) => {
                    let list = ClassList::received(class_list);
                    let input = ArchiveInput { class_data, java: path, id, wide, node_jars, list };
                    if self.build(input).await != Outcome::NotNow {
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

    /// The Java of this node's TaskManagers, and the node's jars, if they are those of the TaskManager that
    /// recorded its classes.
    fn same_java(&self, text: &str) -> Option<(PathBuf, JavaId, bool, Option<NodeJars>)> {
        let template = &self.environment.spec.task_managers.jvm;
        let env = |name: &str| template.env.get(name).cloned().or_else(|| std::env::var(name).ok());
        let path = java::choose(template.java_home.as_deref(), &env).ok()?;
        let node_jars = NodeJars::find_in(&template.class_path, &env);
        let fits = |wide| {
            let id = archive::id(&path, wide, node_jars.as_ref()).filter(|id| id.text == text);
            id.map(|id| (path.clone(), id, wide, node_jars.clone()))
        };
        [false, true].into_iter().find_map(fits)
    }

    /// Makes an archive and adds it to the store, here or in a container of its own.
    async fn build(&mut self, input: ArchiveInput<'_>) -> Outcome {
        let directory = &input.class_data.directory;
        let (result, otherwise) = match (input.check(), self.container.shortage()) {
            (Err(why), _) => (Err(why), Outcome::NotNow),
            (Ok(()), None) => (builder::build(&self.container, &input).await, Outcome::NotNow),
            (Ok(()), Some(shortage)) => (self.build_remotely(&input, &shortage).await, Outcome::Never),
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

    async fn build_remotely(&mut self, input: &ArchiveInput<'_>, shortage: &str) -> Result<String, String> {
        let memory_mb = remote_container_mb(&self.environment).map_err(|nor| format!("{shortage}; {nor}"))?;
        let repository = repository::open(&self.environment.conf, &self.environment.login, input.class_data)?;
        if let Some(name) = repository.find(&input.id).await.map_err(|e| e.to_string())? {
            return Ok(format!("{}/{name} is there by now", repository.directory()));
        }
        let directory = &input.class_data.directory;
        tracing::info!(directory, memory_mb, "a class data archive needs a container of its own: {shortage}");
        (self.containers.ask)(BuilderRequest::Container(memory_mb));
        let container = match self.reply().await {
            BuilderReply::Granted(container) => container,
            BuilderReply::Over(why) => return Err(why),
            BuilderReply::Ended(status, diagnostics) => return Err(ended(status, &diagnostics)),
        };
        let Container { id, node, .. } = &*container;
        tracing::info!(directory, container = %id, %node, "making a class data archive in a container of its own");
        let started = remote_build::start(&self.environment, &self.containers.nodes, &container, input).await;
        if let Err(why) = started {
            (self.containers.ask)(BuilderRequest::GiveBack);
            while !matches!(self.reply().await, BuilderReply::Over(_)) {}
            return Err(format!("{id} cannot be used for it: {why}"));
        }
        match self.reply().await {
            BuilderReply::Ended(0, _) => match repository.find(&input.id).await.map_err(|e| e.to_string())? {
                Some(name) => Ok(format!("{}/{name}: made in {id} on {node}", repository.directory())),
                None => Err(format!("{id} ended without one")),
            },
            BuilderReply::Ended(status, diagnostics) => {
                let (what, log) = (ended(status, &diagnostics), remote_build::LOG_NAME);
                Err(format!("{id} on {node} {what}; its {log}.log says more"))
            }
            BuilderReply::Over(why) => Err(why),
            BuilderReply::Granted(_) => Err("YARN gave another container for it".to_owned()),
        }
    }

    async fn reply(&mut self) -> BuilderReply {
        let closed = || BuilderReply::Over("the ApplicationMaster ends".to_owned());
        self.containers.replies.recv().await.unwrap_or_else(closed)
    }
}

/// The end of a container, on one line.
fn ended(status: i32, diagnostics: &str) -> String {
    let first = diagnostics.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let colon = if first.is_empty() { "" } else { ": " };
    format!("ended with status {status}{colon}{first}")
}

//! Does what the brain decides: calls to YARN, lines to the JobManager, orders to taskrunners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hadoop_rpc::{ClientOptions, RetryPolicy};
use taskrunner::jvm::JvmProcess;
use tokio::sync::{mpsc, watch};
use yarn_api::records::{
    AllocateRequest, AllocateResponse, AmCommand, Container, NodeState, RegisterRequest, RegisterResponse,
    Resource, ResourceRequest,
};
use yarn_api::{AmRmClient, ApplicationClient, NodeManagerClients, YarnError};

use super::event::{Action, BeatAnswer, Event, Registration, RmCommand, Web};
use super::placement::{Named, Node};
use crate::bridge::Bridge;
use crate::cds::container_request::{self, BuilderReply, RequestEvent};
use crate::control::Control;
use crate::environment::Environment;
use crate::launcher::Launcher;
use crate::ledger::REPORT_WAIT;
use crate::ledger::types::{Ask, Completed, Grant, Outgoing, Place, Profile, Worker};
use crate::rest::Rest;
use crate::submission::attendance::Losses;
use crate::submission::policy::Input;

/// For a TaskManager to end by itself once it is given back.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);

/// For the ResourceManager to list its nodes.
const NODES_DEADLINE: Duration = Duration::from_secs(2);
/// Whether the scheduler tells nodes of one host apart by their ports.
const PORT_IN_NAME_KEY: &str = "yarn.scheduler.include-port-in-node-name";

/// A container that YARN gave us.
#[derive(Debug, Clone)]
struct Held {
    container: Container,
    /// Its NodeManager may have something to stop.
    launched: bool,
}

/// Containers by their ids.
#[derive(Debug, Clone, Default)]
struct HeldContainers(Arc<Mutex<HashMap<Worker, Held>>>);

impl HeldContainers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Worker, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps those of earlier attempts: workers, and others.
    fn keep_previous(&self, containers: &[Container]) -> (Vec<(Worker, Place)>, Vec<Worker>) {
        let kept = containers.iter().zip(self.keep(containers, true));
        let (strays, workers): (Vec<_>, Vec<_>) =
            kept.partition(|(container, _)| container.priority.0 == container_request::PRIORITY);
        let strays = strays.into_iter().map(|(_, (worker, _))| worker);
        (workers.into_iter().map(|(_, worker)| worker).collect(), strays.collect())
    }

    /// Keeps containers and gives what the ledger needs of them.
    fn keep(&self, containers: &[Container], launched: bool) -> Vec<(Worker, Place)> {
        let mut held = self.lock();
        let mut keep = |container: &Container| {
            let worker = Worker::new(container.id.to_string());
            held.entry(worker.clone()).or_insert_with(|| Held { container: container.clone(), launched });
            (worker, Place { host: container.node.host.clone(), port: i32::from(container.node.port) })
        };
        containers.iter().map(&mut keep).collect()
    }

    fn ids(&self, workers: &[Worker]) -> Vec<yarn_api::records::ContainerId> {
        let held = self.lock();
        workers.iter().filter_map(|worker| held.get(worker).map(|h| h.container.id)).collect()
    }
}

/// The connections of the running ApplicationMaster.
pub(super) struct Edge {
    pub(super) environment: Arc<Environment>,
    pub(super) rm: Arc<AmRmClient>,
    pub(super) bridge: Bridge,
    pub(super) control: Control,
    pub(super) job_manager: JvmProcess,
    nodes: NodeManagerClients,
    launcher: Arc<Launcher>,
    held: HeldContainers,
    cluster: Arc<Cluster>,
    rest: Mutex<Option<(String, Rest)>>,
    archive: mpsc::UnboundedSender<BuilderReply>,
    losses: watch::Sender<Losses>,
    /// Whether the JobManager has said that it is.
    ready: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
}

impl Edge {
    #[allow(clippy::too_many_arguments)] // one of each; there is no sense in grouping them
    pub(super) fn new(
        environment: Arc<Environment>,
        rm: Arc<AmRmClient>,
        nodes: NodeManagerClients,
        bridge: Bridge,
        control: Control,
        launcher: Arc<Launcher>,
        job_manager: JvmProcess,
        archive: mpsc::UnboundedSender<BuilderReply>,
        losses: watch::Sender<Losses>,
        ready: watch::Receiver<bool>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let held = HeldContainers::default();
        let cluster = Arc::new(Cluster::new(&environment));
        Self {
            cluster,
            environment,
            rm,
            bridge,
            control,
            job_manager,
            nodes,
            launcher,
            held,
            rest: Mutex::default(),
            archive,
            losses,
            ready,
            events,
        }
    }

    /// Does it, or starts doing it; answers come as events.
    pub(super) fn act(&self, action: Action) {
        match action {
            Action::Tell(message) => {
                if !self.bridge.send(message) {
                    tracing::debug!("no JobManager is connected to hear a message");
                }
            }
            Action::Register(web) => self.register(web),
            Action::Beat(outgoing) => self.beat(outgoing),
            Action::Warm(worker) => self.start(worker),
            Action::Launch(worker, order) => {
                let container = self.held.lock().get(&worker).map(|held| held.container.clone());
                let Some(container) = container else { return };
                let launcher = self.launcher.clone();
                self.control.expect(worker.clone(), move || launcher.order(&container, order.clone()));
                self.start(worker);
            }
            Action::Stop(worker, reason) => self.stop(worker, &reason),
            Action::Forget(worker) => {
                if let Some(memory) = self.control.memory(&worker) {
                    tracing::info!(
                        %worker,
                        rss_mb = memory.rss >> 20,
                        peak_mb = memory.peak_rss >> 20,
                        cgroup_peak_mb = memory.cgroup_peak >> 20,
                        age_s = taskrunner::memory::unix_ms().saturating_sub(memory.at_unix_ms) / 1000,
                        "memory as last read, of {} (peak: the kernel's VmHWM then)",
                        if memory.processes > 1 { "all processes of the container" } else { "the JVM" }
                    );
                }
                self.control.forget(&worker);
                self.held.lock().remove(&worker);
            }
            Action::AwaitCompletion(worker) => self.spawn(async move {
                tokio::time::sleep(REPORT_WAIT).await;
                Event::ReportWaitOver(worker)
            }),
            Action::KillJobManager => self.job_manager.kill(),
            Action::LookAtJobs(url) => {
                let rest = self.rest(&url);
                self.spawn(async move {
                    let jobs = async { rest?.jobs().await };
                    Event::Submission(Input::Jobs(jobs.await))
                });
            }
            Action::ExplainJob(url, job) => {
                let rest = self.rest(&url);
                self.spawn(async move {
                    let why = async { rest?.explain(&job).await };
                    let log = |error: &String| tracing::warn!(error, "cannot tell why the job failed");
                    Event::Submission(Input::Explained(why.await.inspect_err(log).ok().flatten()))
                });
            }
            Action::ShutDownJobManager(url) => {
                let rest = self.rest(&url);
                tokio::spawn(async move {
                    let asked = async { rest?.shut_down().await };
                    if let Err(error) = asked.await {
                        tracing::warn!(error, "cannot ask the JobManager to end");
                    }
                });
            }
            Action::Archive(event) => self.tell_archive(event),
            Action::Losses(losses) => drop(self.losses.send_replace(losses)),
            // The loop ends before.
            Action::End(_) => {}
        }
    }

    /// Starts the container's taskrunner, once.
    fn start(&self, worker: Worker) {
        let container = self.held.lock().get_mut(&worker).filter(|held| !held.launched).map(|held| {
            held.launched = true;
            held.container.clone()
        });
        let Some(container) = container else { return };
        let (launcher, nodes) = (self.launcher.clone(), self.nodes.clone());
        self.spawn(async move {
            match launcher.start(&nodes, &container).await {
                Ok(()) => Event::StartAccepted(worker),
                Err(error) => Event::StartFailed(worker, error.to_string()),
            }
        });
    }

    fn tell_archive(&self, event: RequestEvent) {
        let reply = match event {
            RequestEvent::Granted(worker) => {
                let mut held = self.held.lock();
                let Some(held) = held.get_mut(&worker) else { return };
                held.launched = true;
                BuilderReply::Granted(Box::new(held.container.clone()))
            }
            RequestEvent::Over(why) => BuilderReply::Over(why),
            RequestEvent::Ended(completed) => BuilderReply::Ended(completed.status, completed.diagnostics),
        };
        // Nobody listens where none is made.
        drop(self.archive.send(reply));
    }

    fn spawn(&self, work: impl Future<Output = Event> + Send + 'static) {
        let events = self.events.clone();
        // At the end nobody listens any more.
        tokio::spawn(async move { drop(events.send(work.await)) });
    }

    /// The client for the REST interface, made once for each URL.
    fn rest(&self, url: &str) -> Result<Rest, String> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*rest {
            Some((known, rest)) if known == url => Ok(rest.clone()),
            _ => {
                let new = Rest::new(url)?;
                *rest = Some((url.to_owned(), new.clone()));
                Ok(new)
            }
        }
    }

    fn register(&self, web: Web) {
        let request = RegisterRequest {
            host: self.environment.host.clone(),
            rpc_port: web.port,
            tracking_url: web.url,
        };
        let (rm, held) = (self.rm.clone(), self.held.clone());
        self.spawn(async move {
            let answer = rm.register(&request).await;
            Event::Registered(answer.map(|response| registration(response, &held)).map_err(Into::into))
        });
    }

    fn beat(&self, sent: Outgoing) {
        let mut request = AllocateRequest {
            // Like Flink's own ApplicationMaster a cluster is always "done", but only from when its JobManager is ready: clients, who may
            // see it running before, know by this when they can expect an answer.
            progress: if *self.ready.borrow() { 1.0 } else { 0.0 },
            releases: self.held.ids(&sent.releases),
            ..AllocateRequest::default()
        };
        let (rm, held, cluster) = (self.rm.clone(), self.held.clone(), self.cluster.clone());
        self.spawn(async move {
            request.asks = cluster.requests(&sent.asks).await;
            let answer = rm.allocate(&request).await;
            if let Ok(response) = &answer {
                cluster.granted(&response.allocated);
            }
            Event::Beat { sent, answer: answer.map(|response| beat(response, &held)).map_err(Into::into) }
        });
    }

    /// The taskrunner lets its JVM end in order; where none is connected the NodeManager stops what there is.
    fn stop(&self, worker: Worker, reason: &str) {
        if self.control.stop(&worker, STOP_GRACE, reason) {
            return;
        }
        let container = self.held.lock().get(&worker).filter(|h| h.launched).map(|h| h.container.clone());
        let Some(container) = container else { return };
        let nodes = self.nodes.clone();
        tokio::spawn(async move {
            if let Err(error) = nodes.stop_container(&container.node, &container.id).await {
                // The ResourceManager, to which it is given back, has it stopped as well.
                tracing::debug!(%worker, %error, "the NodeManager did not stop the container");
            }
        });
    }
}

/// What is known of the cluster's nodes.
struct Cluster {
    /// To ask for them; none where nodes are not named.
    client: Option<ApplicationClient>,
    with_port: bool,
    label: Option<String>,
    named: Mutex<Named>,
}

impl Cluster {
    fn new(environment: &Environment) -> Self {
        let mut options = ClientOptions::simple(environment.user.clone());
        options.deadline = NODES_DEADLINE;
        let client = || ApplicationClient::new(&environment.conf, &options, RetryPolicy::NONE);
        let unusable = |error: &YarnError| tracing::debug!(%error, "asks will name no nodes");
        Self {
            client: environment.spec.fast_start.then(client).and_then(|made| made.inspect_err(unusable).ok()),
            with_port: environment.conf.get_bool(PORT_IN_NAME_KEY, false).unwrap_or_default(),
            label: environment.spec.task_manager_node_label.clone(),
            named: Mutex::default(),
        }
    }

    async fn requests(&self, asks: &[Ask]) -> Vec<ResourceRequest> {
        let label = self.label.as_deref();
        let may_help = self.named().may_help(asks, label);
        let nodes = if may_help { self.nodes().await } else { Vec::new() };
        let mut named = self.named();
        asks.iter().flat_map(|ask| named.requests(ask, label, &nodes)).collect()
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn granted(&self, containers: &[Container]) {
        let mut named = self.named();
        for Container { priority, node, .. } in containers {
            let name = if self.with_port { node.to_string() } else { node.host.clone() };
            if named.granted(priority.0, &name) {
                tracing::info!(node = name, "it gave more than its share: asks name no nodes any more");
            }
        }
    }

    async fn nodes(&self) -> Vec<Node> {
        let Some(client) = &self.client else { return Vec::new() };
        match client.cluster_nodes(&[NodeState::Running]).await {
            Ok(reports) => reports.iter().filter_map(|node| Node::new(node, self.with_port)).collect(),
            // With Kerberos we have no token for it.
            Err(error) => {
                tracing::debug!(%error, "asking without naming nodes");
                Vec::new()
            }
        }
    }
}

fn registration(response: RegisterResponse, held: &HeldContainers) -> Registration {
    let Resource { memory_mb, vcores, others } = response.max_capability;
    let (previous, strays) = held.keep_previous(&response.previous_containers);
    Registration { maximum: Profile { memory_mb, vcores, resources: others }, previous, strays }
}

fn beat(response: AllocateResponse, held: &HeldContainers) -> BeatAnswer {
    let (late, strays) = held.keep_previous(&response.previous_containers);
    let places = held.keep(&response.allocated, false);
    let granted = response.allocated.iter().zip(places).map(|(container, (worker, place))| Grant {
        worker,
        place,
        priority: container.priority.0,
        allocation_request: Some(container.allocation_request_id),
    });
    let completed = response.completed.into_iter().map(|status| Completed {
        worker: Worker::new(status.id.to_string()),
        status: status.exit_status,
        diagnostics: status.diagnostics,
    });
    BeatAnswer {
        granted: granted.collect(),
        completed: completed.collect(),
        late,
        strays,
        command: match response.command {
            Some(AmCommand::Resync) => Some(RmCommand::Resync),
            Some(AmCommand::Shutdown) => Some(RmCommand::Shutdown),
            Some(AmCommand::Other(_)) | None => None,
        },
    }
}

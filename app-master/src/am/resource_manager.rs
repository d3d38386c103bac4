//! The component that calls the ResourceManager, one call at a time.

use std::sync::Arc;
use std::time::Duration;

use hadoop_rpc::{ClientOptions, RetryPolicy};
use tokio::sync::mpsc;
use yarn_api::records::{
    AllocateRequest, AllocateResponse, AmCommand, Container, NodeReport, NodeState, RegisterRequest,
    RegisterResponse, Resource,
};
use yarn_api::{AmRmClient, ApplicationClient, YarnError};

use super::containers::Containers;
use super::effects::ResourceManager;
use crate::controller::event::{BeatAnswer, Event, Heartbeat, Registration, RmCommand, Web};
use crate::environment::Environment;
use crate::ledger::types::{Completed, Grant, Place, Profile, Purpose, Worker};

/// For the ResourceManager to list its nodes.
const NODES_DEADLINE: Duration = Duration::from_secs(2);

enum Call {
    Register(Web),
    ListNodes,
    Beat(Heartbeat),
}

/// The way to the task that makes the calls.
pub(super) struct RmCalls(mpsc::UnboundedSender<Call>);

impl RmCalls {
    /// Starts the task. It ends when this value is gone.
    pub(super) fn start(
        environment: &Environment,
        rm: Arc<AmRmClient>,
        containers: Containers,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let (sender, mut calls) = mpsc::unbounded_channel();
        let caller =
            Caller { host: environment.host.clone(), nodes: nodes_client(environment), rm, containers };
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                let event = match call {
                    Call::Register(web) => caller.register(web).await,
                    Call::ListNodes => Event::Nodes(caller.list_nodes().await),
                    Call::Beat(heartbeat) => caller.beat(heartbeat).await,
                };
                // At the end nobody listens any more.
                drop(events.send(event));
            }
        });
        Self(sender)
    }

    fn call(&self, call: Call) {
        // The task lives as long as this value.
        drop(self.0.send(call));
    }
}

impl ResourceManager for RmCalls {
    fn register(&self, web: Web) {
        self.call(Call::Register(web));
    }

    fn list_nodes(&self) {
        self.call(Call::ListNodes);
    }

    fn beat(&self, heartbeat: Heartbeat) {
        self.call(Call::Beat(heartbeat));
    }
}

struct Caller {
    host: String,
    rm: Arc<AmRmClient>,
    /// To ask for the nodes; none where they are not named in asks.
    nodes: Option<ApplicationClient>,
    containers: Containers,
}

impl Caller {
    async fn register(&self, web: Web) -> Event {
        let request = RegisterRequest { host: self.host.clone(), rpc_port: web.port, tracking_url: web.url };
        let answer = self.rm.register(&request).await;
        Event::Registered(answer.map(|response| self.registration(response)).map_err(Into::into))
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Event {
        let Heartbeat { sent, requests, progress } = heartbeat;
        let releases = self.containers.ids(&sent.releases);
        let request = AllocateRequest { progress, releases, asks: requests, ..AllocateRequest::default() };
        let answer = self.rm.allocate(&request).await;
        Event::Beat { sent, answer: answer.map(|response| self.answer(response)).map_err(Into::into) }
    }

    async fn list_nodes(&self) -> Vec<NodeReport> {
        let Some(client) = &self.nodes else { return Vec::new() };
        // With Kerberos we have no token for it.
        let unknown = |error: &YarnError| tracing::debug!(%error, "asking without naming nodes");
        client.cluster_nodes(&[NodeState::Running]).await.inspect_err(unknown).unwrap_or_default()
    }

    fn registration(&self, response: RegisterResponse) -> Registration {
        let Resource { memory_mb, vcores, others } = response.max_capability;
        let (previous, strays) = self.keep_previous(&response.previous_containers);
        Registration { maximum: Profile { memory_mb, vcores, resources: others }, previous, strays }
    }

    fn answer(&self, response: AllocateResponse) -> BeatAnswer {
        let (late, strays) = self.keep_previous(&response.previous_containers);
        let granted = response.allocated.iter().map(|container| {
            let (worker, place) = self.containers.keep(container);
            let allocation_request = Some(container.allocation_request_id);
            Grant {
                purpose: purpose(container),
                worker,
                place,
                priority: container.priority.0,
                allocation_request,
            }
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

    /// Keeps containers of earlier attempts: those of TaskManagers, and those in which archives were made.
    fn keep_previous(&self, containers: &[Container]) -> (Vec<(Worker, Place)>, Vec<Worker>) {
        let (archives, task_managers): (Vec<_>, Vec<_>) =
            containers.iter().partition(|container| purpose(container) == Purpose::ClassDataArchive);
        let archives = archives.into_iter().map(|container| self.containers.keep(container).0);
        let task_managers = task_managers.into_iter().map(|container| self.containers.keep(container));
        (task_managers.collect(), archives.collect())
    }
}

fn purpose(container: &Container) -> Purpose {
    Purpose::of(container.priority.0, Some(container.allocation_request_id))
}

fn nodes_client(environment: &Environment) -> Option<ApplicationClient> {
    let mut options = ClientOptions::simple(environment.login.clone());
    options.deadline = NODES_DEADLINE;
    let client = || ApplicationClient::new(&environment.conf, &options, RetryPolicy::NONE);
    let unusable = |error: &YarnError| tracing::debug!(%error, "asks will name no nodes");
    environment.spec.fast_start.then(client).and_then(|made| made.inspect_err(unusable).ok())
}

//! The component that calls the ResourceManager, one call at a time.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use hadoop_rpc::{RetryPolicy, TokenSource};
use tokio::sync::mpsc;
use yarn_api::records::{
    AllocateRequest, AllocateResponse, AmCommand, Container, ContainerId, NodeId, NodeReport, NodeState,
    RegisterRequest, RegisterResponse, Resource,
};
use yarn_api::{AmRmClient, ApplicationClient, YarnError};

use super::containers::Containers;
use super::effects::ResourceManager;
use crate::clock;
use crate::controller::event::{
    ClusterNews, Event, Heartbeat, HeartbeatAnswer, Registration, RmCommand, Web,
};
use crate::environment::Environment;
use crate::ledger::types::{Completed, Grant, Profile, Purpose};
use crate::tokens;

/// For the ResourceManager to list its nodes.
const NODES_DEADLINE: Duration = Duration::from_secs(2);

enum Call {
    Register(Web),
    ListNodes,
    Heartbeat(Heartbeat),
}

/// Sends calls to the task that makes them.
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
        let mut caller = Caller {
            host: environment.host.clone(),
            nodes: nodes_client(environment),
            tokens: environment.login.tokens().clone(),
            rm,
            containers,
        };
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                let event = match call {
                    Call::Register(web) => caller.register(web).await,
                    Call::ListNodes => Event::Nodes(caller.list_nodes().await),
                    Call::Heartbeat(heartbeat) => caller.heartbeat(heartbeat).await,
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

    fn send_heartbeat(&self, heartbeat: Heartbeat) {
        self.call(Call::Heartbeat(heartbeat));
    }
}

struct Caller {
    host: String,
    rm: Arc<AmRmClient>,
    /// Lists the nodes; none where asks name no nodes.
    nodes: Option<ApplicationClient>,
    tokens: TokenSource,
    containers: Containers,
}

impl Caller {
    async fn register(&self, web: Web) -> Event {
        let request = RegisterRequest { host: self.host.clone(), rpc_port: web.port, tracking_url: web.url };
        let answer = self.rm.register(&request).await;
        Event::Registered(answer.map(|response| self.registration(response)).map_err(Into::into))
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Event {
        let Heartbeat { sent, requests, progress } = heartbeat;
        let request = AllocateRequest {
            progress,
            releases: sent.releases.clone(),
            asks: requests,
            blacklist_add: sent.avoidance.add.clone(),
            blacklist_remove: sent.avoidance.remove.clone(),
            ..AllocateRequest::default()
        };
        let answer = self.rm.allocate(&request).await;
        Event::HeartbeatAnswered {
            sent,
            answer: answer.map(|response| self.answer(response)).map_err(Into::into),
        }
    }

    async fn list_nodes(&mut self) -> Vec<NodeReport> {
        let Some(client) = &self.nodes else { return Vec::new() };
        if tokens::resource_manager_token_ended(&self.tokens.get(), clock::since_1970()) {
            tracing::info!(
                "the delegation token for the ResourceManager has reached its greatest age, so it is not asked for its \
                 nodes any more; requests for containers name none from now on"
            );
            self.nodes = None;
            return Vec::new();
        }
        // On a cluster with Kerberos this call fails if the client has fetched no token for it.
        let unknown = |error: &YarnError| tracing::debug!(%error, "asking without naming nodes");
        client.cluster_nodes(&[NodeState::Running]).await.inspect_err(unknown).unwrap_or_default()
    }

    fn registration(&self, response: RegisterResponse) -> Registration {
        let Resource { memory_mb, vcores, others } = response.max_capability;
        let (previous, archive_containers) = self.keep_previous(&response.previous_containers);
        Registration {
            maximum: Profile { memory_mb, vcores, resources: others },
            previous,
            archive_containers,
        }
    }

    fn answer(&self, response: AllocateResponse) -> HeartbeatAnswer {
        let (late, archive_containers) = self.keep_previous(&response.previous_containers);
        let Resource { memory_mb, vcores, others } = response.limit;
        let granted = response.allocated.iter().map(|container| {
            self.containers.keep(container);
            Grant {
                purpose: purpose(container),
                container: container.id,
                node: container.node.clone(),
                priority: container.priority.0,
                allocation_request: Some(container.allocation_request_id),
            }
        });
        let completed = response.completed.into_iter().map(|status| Completed {
            container: status.id,
            status: status.exit_status,
            diagnostics: status.diagnostics,
        });
        HeartbeatAnswer {
            granted: granted.collect(),
            completed: completed.collect(),
            late,
            archive_containers,
            command: match response.command {
                Some(AmCommand::Resync) => Some(RmCommand::Resync),
                Some(AmCommand::Shutdown) => Some(RmCommand::Shutdown),
                Some(AmCommand::Other(_)) | None => None,
            },
            news: Box::new(ClusterNews {
                nodes: response.updated_nodes,
                preemption: response.preemption,
                size: response.cluster_nodes,
                left: Some(Profile { memory_mb, vcores, resources: others }),
            }),
        }
    }

    /// Keeps containers of earlier attempts. Gives those of TaskManagers, and those in which archives were
    /// made.
    fn keep_previous(&self, containers: &[Container]) -> (Vec<(ContainerId, NodeId)>, Vec<ContainerId>) {
        let (archives, task_managers): (Vec<_>, Vec<_>) =
            containers.iter().partition(|container| purpose(container) == Purpose::ClassDataArchive);
        containers.iter().for_each(|container| self.containers.keep(container));
        let task_managers = task_managers.into_iter().map(|container| (container.id, container.node.clone()));
        (task_managers.collect(), archives.into_iter().map(|container| container.id).collect())
    }
}

fn purpose(container: &Container) -> Purpose {
    Purpose::of(container.priority.0, Some(container.allocation_request_id))
}

fn nodes_client(environment: &Environment) -> Option<ApplicationClient> {
    let unusable = |error: &dyn Display| tracing::debug!(%error, "asks will name no nodes");
    if !environment.spec.application.fast_start {
        return None;
    }
    let mut options = environment.rm_client_options().inspect_err(|error| unusable(error)).ok()?;
    options.deadline = NODES_DEADLINE;
    let client = ApplicationClient::new(&environment.conf, &options, RetryPolicy::NONE);
    client.inspect_err(|error| unusable(error)).ok()
}

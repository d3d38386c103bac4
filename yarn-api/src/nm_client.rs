//! ContainerManagementProtocol on many NodeManagers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hadoop_rpc::{AuthPolicy, CallOptions, ClientOptions, Endpoint, Login, Protocol, RpcClient};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::nm_tokens::{NM_TOKEN, NmTokenCache};
use crate::node_error::{NodeError, NodeErrorKind};
use crate::proto::yarn as pb;
use crate::records::{Container, ContainerId, ContainerLaunchContext, ContainerStatus, NodeId, token_to};

/// NodeManagers take nothing but the token that the ResourceManager gives out for each of them.
const PROTOCOL: Protocol =
    Protocol { name: "org.apache.hadoop.yarn.api.ContainerManagementProtocolPB", version: 1, security: None };

/// How NodeManagers are called.
#[derive(Debug, Clone)]
pub struct NodeManagerOptions {
    /// Who calls, and how. What counts of the login's tokens is the one for the node, which comes from the
    /// ResourceManager; `auth` does not count.
    pub rpc: ClientOptions,
    /// Calls under way at a time, over all nodes; more wait.
    pub max_in_flight: usize,
    /// A connection that was not used for this time is closed.
    pub idle_after: Duration,
}

impl NodeManagerOptions {
    /// 64 calls at a time, connections closed after 10 s.
    pub fn new(rpc: ClientOptions) -> Self {
        Self { rpc, max_in_flight: 64, idle_after: Duration::from_secs(10) }
    }
}

/// Calls to NodeManagers. Clones share connections and the bound of calls under way.
#[derive(Debug, Clone)]
pub struct NodeManagerClients {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: NodeManagerOptions,
    tokens: NmTokenCache,
    in_flight: Semaphore,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    nodes: HashMap<NodeId, Pooled>,
    /// Whether a task looks after idle connections.
    swept: bool,
}

#[derive(Debug)]
struct Pooled {
    client: RpcClient,
    in_use: usize,
    last_used: Instant,
}

impl NodeManagerClients {
    /// Clients that authenticate with the tokens in `tokens`, which [`AmRmClient`](crate::AmRmClient) fills.
    pub fn new(options: NodeManagerOptions, tokens: NmTokenCache) -> Self {
        let in_flight = Semaphore::new(options.max_in_flight.max(1));
        Self { inner: Arc::new(Inner { options, tokens, in_flight, pool: Mutex::default() }) }
    }

    /// Starts the process of a granted container. Gives what auxiliary services answered, by their names.
    pub async fn start_container(
        &self,
        container: &Container,
        launch: &ContainerLaunchContext,
    ) -> Result<BTreeMap<String, Vec<u8>>, NodeError> {
        let node = &container.node;
        let doing = format!("start {} on {node}", container.id);
        let Some(token) = &container.token else {
            let why = "the ResourceManager sent no token with the container";
            return Err(NodeError::stated(NodeErrorKind::NoToken, node, &doing, why));
        };
        // The request is made when its turn has come: a thousand may wait, and each takes some kilobytes.
        let request = || pb::StartContainersRequest {
            start_container_request: vec![pb::StartContainerRequest {
                container_launch_context: Some(launch.to_proto()),
                container_token: Some(token_to(token)),
            }],
        };
        let answer: pb::StartContainersResponse =
            self.call(node, &doing, "startContainers", request, false).await?;
        failure(node, &doing, &answer.failed_requests)?;
        let data = answer.services_meta_data.into_iter();
        Ok(data.map(|pair| (pair.key.unwrap_or_default(), pair.value.unwrap_or_default())).collect())
    }

    /// Stops a container: SIGTERM, and SIGKILL after the NodeManager's delay. It has ended once the
    /// ResourceManager reports it completed. A container that has ended already is no error.
    pub async fn stop_container(&self, node: &NodeId, id: &ContainerId) -> Result<(), NodeError> {
        let doing = format!("stop {id} on {node}");
        let request = || pb::StopContainersRequest { container_id: vec![id.to_proto()] };
        let answer: pb::StopContainersResponse =
            self.call(node, &doing, "stopContainers", request, true).await?;
        failure(node, &doing, &answer.failed_requests)
    }

    /// What the NodeManager knows of a container.
    pub async fn container_status(
        &self,
        node: &NodeId,
        id: &ContainerId,
    ) -> Result<ContainerStatus, NodeError> {
        let doing = format!("ask {node} for the state of {id}");
        let request = || pb::GetContainerStatusesRequest { container_id: vec![id.to_proto()] };
        let answer: pb::GetContainerStatusesResponse =
            self.call(node, &doing, "getContainerStatuses", request, true).await?;
        failure(node, &doing, &answer.failed_requests)?;
        let status = answer.status.into_iter().next().map(ContainerStatus::from_proto).transpose();
        status.ok().flatten().ok_or_else(|| {
            NodeError::stated(NodeErrorKind::UnknownContainer, node, &doing, "the answer holds no state")
        })
    }

    /// Nodes with an open or opening connection.
    pub fn connected(&self) -> usize {
        self.inner.lock().nodes.len()
    }

    async fn call<Req, Resp>(
        &self,
        node: &NodeId,
        doing: &str,
        method: &'static str,
        request: impl FnOnce() -> Req,
        idempotent: bool,
    ) -> Result<Resp, NodeError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        // The semaphore is never closed, so there is always a permit in the end.
        let _permit = self.inner.in_flight.acquire().await.ok();
        let Some(lease) = Lease::take(&self.inner, node) else {
            let why = "the ResourceManager sent no token for this node";
            return Err(NodeError::stated(NodeErrorKind::NoToken, node, doing, why));
        };
        let options = CallOptions { deadline: None, idempotent };
        lease.client.call_with(method, &request(), options).await.map_err(|e| NodeError::rpc(node, doing, e))
    }
}

/// One use of a node's connection; kept for the length of a call so that the sweep leaves it alone.
struct Lease<'a> {
    inner: &'a Inner,
    node: &'a NodeId,
    client: RpcClient,
}

impl<'a> Lease<'a> {
    /// `None` if there is no token for the node.
    fn take(inner: &'a Arc<Inner>, node: &'a NodeId) -> Option<Self> {
        let tokens = inner.tokens.source(node)?;
        let mut pool = inner.lock();
        if !pool.swept {
            pool.swept = true;
            tokio::spawn(sweep(Arc::downgrade(inner), inner.options.idle_after));
        }
        let pooled = pool.nodes.entry(node.clone()).or_insert_with(|| {
            let rpc = &inner.options.rpc;
            let login = Login::with_tokens(rpc.login.user().clone(), tokens);
            let options = ClientOptions { login, auth: AuthPolicy::token(NM_TOKEN), ..rpc.clone() };
            let endpoint = Endpoint::new(node.host.clone(), node.port);
            Pooled {
                client: RpcClient::new(endpoint, PROTOCOL, options),
                in_use: 0,
                last_used: Instant::now(),
            }
        });
        pooled.in_use += 1;
        Some(Self { inner, node, client: pooled.client.clone() })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(pooled) = self.inner.lock().nodes.get_mut(self.node) {
            pooled.in_use -= 1;
            pooled.last_used = Instant::now();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that are idle, until none is left or the clients are gone.
async fn sweep(inner: Weak<Inner>, idle_after: Duration) {
    loop {
        tokio::time::sleep(idle_after.max(Duration::from_millis(10)) / 2).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut pool = inner.lock();
        // A connection is closed when its last clone is dropped.
        pool.nodes.retain(|_, pooled| pooled.in_use > 0 || pooled.last_used.elapsed() < idle_after);
        if pool.nodes.is_empty() {
            pool.swept = false;
            return;
        }
    }
}

/// Each call is about one container, so the first failure is the only one.
fn failure(node: &NodeId, doing: &str, failed: &[pb::ContainerException]) -> Result<(), NodeError> {
    match failed.first() {
        None => Ok(()),
        Some(failed) => Err(NodeError::exception(node, doing, &failed.exception.clone().unwrap_or_default())),
    }
}

//! ApplicationClientProtocol: what clients ask of the ResourceManager.

use hadoop_rpc::{
    CallOptions, ClientOptions, Endpoint, HadoopConf, OnActive, OnWait, RetryPolicy, RpcGroup, Token,
    TokenService,
};

use crate::error::{Cause, YarnError};
use crate::proto::{common, yarn as pb};
use crate::records::{
    ApplicationAttemptId, ApplicationFilter, ApplicationId, ApplicationReport, AttemptReport, ClusterMetrics,
    ContainerId, ContainerReport, MissingField, NewApplication, NodeLabel, NodeReport, NodeState, QueueInfo,
    QueueUserAcl, ResourceType, SubmissionContext, required, token_from, token_to,
};
use crate::resource_manager::{self, RmService};

/// Every method of the protocol that is used here may be executed twice without harm: YARN answers a second
/// submission of the same id like the first one, and at worst gives out an id that nobody uses.
const IDEMPOTENT: CallOptions = CallOptions { deadline: None, idempotent: true };

/// Typed calls to the active ResourceManager. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct ApplicationClient {
    group: RpcGroup,
    token_service: TokenService,
}

impl ApplicationClient {
    /// A client for the ResourceManagers of the configuration; nothing is sent before the first call. Its
    /// options are those of [`client_options`](crate::client_options), or others with an authentication that
    /// the ResourceManager takes.
    pub fn new(conf: &HadoopConf, options: &ClientOptions, retry: RetryPolicy) -> Result<Self, YarnError> {
        let group = resource_manager::group(conf, RmService::Client, options, retry)?;
        let token_service = TokenService::read(conf);
        let token_service = token_service.map_err(|e| YarnError::new("use the ResourceManager", e))?;
        Ok(Self { group, token_service })
    }

    /// The same, and `listener` hears of each failed try that is followed by another.
    pub fn on_wait(self, listener: OnWait) -> Self {
        Self { group: self.group.on_wait(listener), ..self }
    }

    /// The same, and the ResourceManager with this index in the configuration is taken for the active one.
    pub fn with_active(self, index: usize) -> Self {
        Self { group: self.group.with_active(index), ..self }
    }

    /// The same, and `listener` hears the index in the configuration of the ResourceManager that answers.
    pub fn on_active(self, listener: OnActive) -> Self {
        Self { group: self.group.on_active(listener), ..self }
    }

    /// `host:port` of the ResourceManager that answered last (or the first one), for messages.
    pub fn server(&self) -> String {
        self.group.current().endpoint().to_string()
    }

    /// A new id, and the largest container that the cluster grants.
    pub async fn new_application(&self) -> Result<NewApplication, YarnError> {
        let doing = "get a new application id";
        let answer = self.call(doing, "getNewApplication", pb::GetNewApplicationRequest {}).await?;
        NewApplication::from_proto(answer).map_err(|e| YarnError::new(doing, e))
    }

    /// Submits an application. When it returns, the ResourceManager has the application, but has not accepted
    /// it: see its [report](Self::application_report).
    pub async fn submit_application(&self, context: &SubmissionContext) -> Result<(), YarnError> {
        let doing = format!("submit {} to queue '{}'", context.id, context.queue);
        let request =
            pb::SubmitApplicationRequest { application_submission_context: Some(context.to_proto()) };
        let _: Empty = self.call(&doing, "submitApplication", request).await?;
        Ok(())
    }

    /// What is known of an application. One that the ResourceManager does not know is an error of
    /// [`RemoteKind::ApplicationNotFound`](hadoop_rpc::RemoteKind::ApplicationNotFound).
    pub async fn application_report(&self, id: ApplicationId) -> Result<ApplicationReport, YarnError> {
        let doing = format!("get the report of {id}");
        let request = pb::GetApplicationReportRequest { application_id: Some(id.to_proto()) };
        let answer: pb::GetApplicationReportResponse =
            self.call(&doing, "getApplicationReport", request).await?;
        ApplicationReport::from_proto(answer.application_report).map_err(|e| YarnError::new(&*doing, e))
    }

    /// Applications that match.
    pub async fn applications(
        &self,
        filter: &ApplicationFilter,
    ) -> Result<Vec<ApplicationReport>, YarnError> {
        let doing = "list applications";
        let answer: pb::GetApplicationsResponse =
            self.call(doing, "getApplications", filter.to_proto()).await?;
        collect(doing, answer.applications, |p| ApplicationReport::from_proto(Some(p)))
    }

    /// Asks for the application to be killed. `true`: it has ended (an unmanaged one: it will); `false`: it
    /// is ending, ask again. One that has ended already is no error.
    pub async fn kill_application(
        &self,
        id: ApplicationId,
        diagnostics: Option<&str>,
    ) -> Result<bool, YarnError> {
        let doing = format!("kill {id}");
        let request = pb::KillApplicationRequest {
            application_id: Some(id.to_proto()),
            diagnostics: diagnostics.map(str::to_owned),
        };
        let answer: pb::KillApplicationResponse = self.call(&doing, "forceKillApplication", request).await?;
        Ok(answer.is_kill_completed())
    }

    /// Counts of nodes.
    pub async fn cluster_metrics(&self) -> Result<ClusterMetrics, YarnError> {
        let doing = "get the cluster's metrics";
        let answer: pb::GetClusterMetricsResponse =
            self.call(doing, "getClusterMetrics", pb::GetClusterMetricsRequest {}).await?;
        ClusterMetrics::from_proto(answer.cluster_metrics).map_err(|e| YarnError::new(doing, e))
    }

    /// Nodes in one of `states`; all nodes if that is empty.
    pub async fn cluster_nodes(&self, states: &[NodeState]) -> Result<Vec<NodeReport>, YarnError> {
        let doing = "list the cluster's nodes";
        let request = pb::GetClusterNodesRequest { node_states: states.iter().map(|s| s.number()).collect() };
        let answer: pb::GetClusterNodesResponse = self.call(doing, "getClusterNodes", request).await?;
        collect(doing, answer.node_reports, NodeReport::from_proto)
    }

    /// A queue with its children, and theirs if `recursive`. `None`: there is no such queue.
    pub async fn queue_info(&self, name: &str, recursive: bool) -> Result<Option<QueueInfo>, YarnError> {
        let doing = format!("get information on queue '{name}'");
        let request = pb::GetQueueInfoRequest {
            queue_name: Some(name.to_owned()),
            include_applications: Some(false),
            include_child_queues: Some(true),
            recursive: Some(recursive),
        };
        let answer: pb::GetQueueInfoResponse = self.call(&doing, "getQueueInfo", request).await?;
        let parent = name.rsplit_once('.').map_or("", |(parent, _)| parent);
        // An unknown queue is answered by an empty record.
        Ok(answer.queue_info.filter(|q| q.queue_name.is_some()).map(|q| QueueInfo::from_proto(q, parent)))
    }

    /// All queues, parents before their children, the root first.
    pub async fn queues(&self) -> Result<Vec<QueueInfo>, YarnError> {
        let root = self.queue_info("root", true).await?;
        Ok(root.iter().flat_map(QueueInfo::flatten).cloned().collect())
    }

    /// What the caller may do in each queue.
    pub async fn queue_user_acls(&self) -> Result<Vec<QueueUserAcl>, YarnError> {
        let answer: pb::GetQueueUserAclsResponse = self
            .call("get the queues' access lists", "getQueueUserAcls", pb::GetQueueUserAclsRequest {})
            .await?;
        Ok(answer.queue_user_acls.into_iter().map(QueueUserAcl::from_proto).collect())
    }

    /// The labels that nodes of the cluster can have.
    pub async fn cluster_node_labels(&self) -> Result<Vec<NodeLabel>, YarnError> {
        let answer: pb::GetClusterNodeLabelsResponse = self
            .call("get the cluster's node labels", "getClusterNodeLabels", pb::GetClusterNodeLabelsRequest {})
            .await?;
        Ok(answer.node_labels.into_iter().map(NodeLabel::from_proto).collect())
    }

    /// The kinds of resources that the cluster counts. Hadoop 2 does not know the method (an error of
    /// [`RemoteKind::NoSuchMethod`](hadoop_rpc::RemoteKind::NoSuchMethod)).
    pub async fn resource_types(&self) -> Result<Vec<ResourceType>, YarnError> {
        let answer: pb::GetResourceTypeInfoResponse = self
            .call(
                "get the cluster's resource types",
                "getResourceTypeInfo",
                pb::GetResourceTypeInfoRequest {},
            )
            .await?;
        Ok(answer.resource_type_info.into_iter().map(ResourceType::from_proto).collect())
    }

    /// What is known of an attempt.
    pub async fn attempt_report(&self, id: ApplicationAttemptId) -> Result<AttemptReport, YarnError> {
        let doing = format!("get the report of {id}");
        let request = pb::GetApplicationAttemptReportRequest { application_attempt_id: Some(id.to_proto()) };
        let answer: pb::GetApplicationAttemptReportResponse =
            self.call(&doing, "getApplicationAttemptReport", request).await?;
        AttemptReport::from_proto(answer.application_attempt_report).map_err(|e| YarnError::new(&*doing, e))
    }

    /// The attempts of an application.
    pub async fn attempts(&self, id: ApplicationId) -> Result<Vec<AttemptReport>, YarnError> {
        let doing = format!("list the attempts of {id}");
        let request = pb::GetApplicationAttemptsRequest { application_id: Some(id.to_proto()) };
        let answer: pb::GetApplicationAttemptsResponse =
            self.call(&doing, "getApplicationAttempts", request).await?;
        collect(&doing, answer.application_attempts, |p| AttemptReport::from_proto(Some(p)))
    }

    /// What is known of a container of a live application.
    pub async fn container_report(&self, id: ContainerId) -> Result<ContainerReport, YarnError> {
        let doing = format!("get the report of {id}");
        let request = pb::GetContainerReportRequest { container_id: Some(id.to_proto()) };
        let answer: pb::GetContainerReportResponse = self.call(&doing, "getContainerReport", request).await?;
        ContainerReport::from_proto(answer.container_report).map_err(|e| YarnError::new(&*doing, e))
    }

    /// The live containers of an attempt.
    pub async fn containers(&self, id: ApplicationAttemptId) -> Result<Vec<ContainerReport>, YarnError> {
        let doing = format!("list the containers of {id}");
        let request = pb::GetContainersRequest { application_attempt_id: Some(id.to_proto()) };
        let answer: pb::GetContainersResponse = self.call(&doing, "getContainers", request).await?;
        collect(&doing, answer.containers, |p| ContainerReport::from_proto(Some(p)))
    }

    /// A delegation token for the ResourceManager that `renewer` may renew, a user's name or a principal. Its
    /// service names all ResourceManagers, as in Java. With Kerberos the ResourceManager gives a token only
    /// to a client that has authenticated with a ticket.
    pub async fn delegation_token(&self, renewer: &str) -> Result<Token, YarnError> {
        let doing = "get a delegation token of the ResourceManager";
        let request = common::GetDelegationTokenRequest { renewer: renewer.to_owned() };
        let answer: common::GetDelegationTokenResponse =
            self.call(doing, "getDelegationToken", request).await?;
        let token = required(answer.token, "token").map(token_from).map_err(|e| YarnError::new(doing, e))?;
        let endpoints: Vec<Endpoint> = self.group.clients().map(|rm| rm.endpoint().clone()).collect();
        let service = resource_manager::token_service(self.token_service, &endpoints).await;
        Ok(Token { service, ..token })
    }

    /// Renews a delegation token; gives when it expires now, in ms since 1970.
    pub async fn renew_delegation_token(&self, token: &Token) -> Result<u64, YarnError> {
        let request = common::RenewDelegationTokenRequest { token: token_to(token) };
        let answer: common::RenewDelegationTokenResponse = self
            .call("renew a delegation token of the ResourceManager", "renewDelegationToken", request)
            .await?;
        Ok(answer.new_expiry_time)
    }

    /// Ends the validity of a delegation token. With Kerberos the ResourceManager does so only for a client
    /// that has authenticated with a ticket.
    pub async fn cancel_delegation_token(&self, token: &Token) -> Result<(), YarnError> {
        let request = common::CancelDelegationTokenRequest { token: token_to(token) };
        let _: Empty = self
            .call("cancel a delegation token of the ResourceManager", "cancelDelegationToken", request)
            .await?;
        Ok(())
    }

    async fn call<Req, Resp>(
        &self,
        doing: &str,
        method: &'static str,
        request: Req,
    ) -> Result<Resp, YarnError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        self.group
            .call_with(method, &request, IDEMPOTENT)
            .await
            .map_err(|e| YarnError::new(doing, Cause::Rpc(e)))
    }
}

/// An answer that holds nothing.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Empty {}

fn collect<P, T>(
    doing: &str,
    list: Vec<P>,
    from: impl Fn(P) -> Result<T, MissingField>,
) -> Result<Vec<T>, YarnError> {
    list.into_iter().map(from).collect::<Result<_, _>>().map_err(|e| YarnError::new(doing, e))
}

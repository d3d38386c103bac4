//! An ApplicationMaster's side of ApplicationMasterProtocol.

use hadoop_rpc::{
    AuthPolicy, CallOptions, ClientOptions, HadoopConf, RemoteKind, RetryPolicy, RpcError, RpcGroup,
    TokenSource,
};
use tokio::sync::Mutex;

use crate::error::YarnError;
use crate::nm_tokens::NmTokenCache;
use crate::proto::yarn as pb;
use crate::records::{
    AllocateRequest, AllocateResponse, FinalStatus, RegisterRequest, RegisterResponse, required, token_from,
};
use crate::resource_manager::{self, AMRM_TOKEN, RmService};
use crate::response_id::ResponseId;

/// Repeating a call after an uncertain end does no harm.
const IDEMPOTENT: CallOptions = CallOptions { deadline: None, idempotent: true };

/// What an ApplicationMaster must do about a failed call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AmError {
    /// The ResourceManager does not know the registration (it was restarted): register, then ask for
    /// everything again.
    #[error("{0}")]
    NotRegistered(YarnError),
    /// The attempt is over for the ResourceManager: it ended, or another attempt has replaced it.
    #[error("{0}")]
    AttemptOver(YarnError),
    /// The attempt is registered already: an earlier call whose answer was lost has arrived.
    #[error("{0}")]
    AlreadyRegistered(YarnError),
    /// The ResourceManager refuses this request, and would refuse it again.
    #[error("{0}")]
    Refused(YarnError),
    /// The ResourceManager cannot be reached, or did not answer: try again later.
    #[error("{0}")]
    Unavailable(YarnError),
}

impl AmError {
    /// The failed operation.
    pub fn error(&self) -> &YarnError {
        match self {
            Self::NotRegistered(e)
            | Self::AttemptOver(e)
            | Self::AlreadyRegistered(e)
            | Self::Refused(e)
            | Self::Unavailable(e) => e,
        }
    }
}

impl From<YarnError> for AmError {
    fn from(error: YarnError) -> Self {
        match error.rpc().and_then(RpcError::remote_kind) {
            Some(RemoteKind::MasterNotRegistered) => Self::NotRegistered(error),
            Some(RemoteKind::MasterAlreadyRegistered) => Self::AlreadyRegistered(error),
            // The token of an attempt that is over is not known any more.
            Some(
                RemoteKind::AttemptNotFound | RemoteKind::ApplicationNotFound | RemoteKind::InvalidToken,
            ) => Self::AttemptOver(error),
            _ if error.retry() != hadoop_rpc::Retry::No => Self::Unavailable(error),
            _ => Self::Refused(error),
        }
    }
}

/// Registers an ApplicationMaster, counts its heartbeats, and uses new tokens as they come.
///
/// Calls are made one after another, whoever makes them.
#[derive(Debug)]
pub struct AmRmClient {
    group: RpcGroup,
    tokens: TokenSource,
    nm_tokens: NmTokenCache,
    response_id: Mutex<ResponseId>,
}

impl AmRmClient {
    /// A client for the ResourceManagers of the configuration. It authenticates with the AMRM token in
    /// `options.login` (`options.auth` does not count), and puts NodeManager tokens into `nm_tokens`.
    pub fn new(
        conf: &HadoopConf,
        options: ClientOptions,
        retry: RetryPolicy,
        nm_tokens: NmTokenCache,
    ) -> Result<Self, YarnError> {
        let tokens = options.login.tokens().clone();
        // The AMRM token that a container gets has no service, or one that is made of an address as the
        // ResourceManager knows it.
        tokens.update(|c| {
            c.tokens.values_mut().filter(|t| t.kind == AMRM_TOKEN).for_each(|t| t.service.clear())
        });
        let options = options.with_auth(AuthPolicy::token(AMRM_TOKEN));
        let group = resource_manager::group(conf, RmService::Scheduler, &options, retry)?;
        Ok(Self { group, tokens, nm_tokens, response_id: Mutex::default() })
    }

    /// Registers the attempt, also anew after [`AmError::NotRegistered`]. A second registration with the same
    /// ResourceManager is [`AmError::AlreadyRegistered`].
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, AmError> {
        let doing = "register the ApplicationMaster";
        let mut response_id = self.response_id.lock().await;
        response_id.registering();
        let answer: pb::RegisterApplicationMasterResponse = self
            .group
            .call("registerApplicationMaster", &request.to_proto())
            .await
            .map_err(|e| YarnError::new(doing, e))?;
        let response = RegisterResponse::from_proto(answer).map_err(|e| YarnError::new(doing, e))?;
        self.nm_tokens.update(&response.nm_tokens);
        Ok(response)
    }

    /// One heartbeat. After an error the same request can be sent again: the ResourceManager answers a
    /// heartbeat that it has seen with the same answer.
    pub async fn allocate(&self, request: &AllocateRequest) -> Result<AllocateResponse, AmError> {
        let doing = "exchange a heartbeat with the ResourceManager";
        let mut response_id = self.response_id.lock().await;
        let mut answer: pb::AllocateResponse = self
            .group
            .call_with("allocate", &request.to_proto(response_id.get()), IDEMPOTENT)
            .await
            .map_err(|e| YarnError::new(doing, e))?;
        let number = required(answer.response_id, "response id").map_err(|e| YarnError::new(doing, e))?;
        let new_token = answer.am_rm_token.as_mut().map(std::mem::take);
        let response = AllocateResponse::from_proto(answer).map_err(|e| YarnError::new(doing, e))?;
        response_id.answered(number);
        if let Some(token) = new_token {
            self.roll(token_from(token));
        }
        self.nm_tokens.update(&response.nm_tokens);
        Ok(response)
    }

    /// Reports the outcome. `true`: the ResourceManager has stored it (that of an unmanaged application: will
    /// store it), and the process may end; `false`: call again soon. It may be called again after an error.
    pub async fn finish(
        &self,
        status: FinalStatus,
        diagnostics: &str,
        tracking_url: &str,
    ) -> Result<bool, AmError> {
        let _one_at_a_time = self.response_id.lock().await;
        let request = pb::FinishApplicationMasterRequest {
            diagnostics: Some(diagnostics.to_owned()),
            tracking_url: Some(tracking_url.to_owned()),
            final_application_status: Some(status.number()),
        };
        let answer: pb::FinishApplicationMasterResponse =
            self.group.call_with("finishApplicationMaster", &request, IDEMPOTENT).await.map_err(|e| {
                YarnError::new(format!("report the outcome {status} to the ResourceManager"), e)
            })?;
        Ok(answer.is_unregistered())
    }

    /// Replaces the AMRM token under the alias it has.
    fn roll(&self, mut token: hadoop_rpc::Token) {
        token.service.clear();
        self.tokens.update(|credentials| {
            let old =
                credentials.tokens.iter().find(|(_, t)| t.kind == AMRM_TOKEN).map(|(alias, _)| alias.clone());
            credentials.tokens.insert(old.unwrap_or_else(|| AMRM_TOKEN.to_owned()), token);
        });
        tracing::info!("the ResourceManager replaced the AMRM token");
    }
}

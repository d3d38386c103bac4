//! Answers the client's calls of the service `Cluster` of the control protocol: how the start went, and what
//! is known of the application at this moment.

use std::sync::Arc;

use futures::future::BoxFuture;
use taskrunner::control::cluster_server::{Cluster, ClusterServer};
use taskrunner::control::{AccountReply, AccountRequest, TimelineReply, TimelineRequest};
use taskrunner::wire::LARGEST_CALL;
use tonic::{Request, Response, Status};

use crate::clock;
use crate::timeline::Timeline;

/// Gives the account of the application as JSON (`outcomes::Account`), if possible with the jars that hold
/// these classes. It is called once for each call.
pub type AccountSource = Arc<dyn Fn(Vec<String>) -> BoxFuture<'static, Vec<u8>> + Send + Sync>;

/// The service.
pub struct ClusterService {
    timeline: Timeline,
    account: AccountSource,
}

impl ClusterService {
    /// One that answers from this record of the start and this account.
    pub fn new(timeline: Timeline, account: AccountSource) -> Self {
        Self { timeline, account }
    }

    /// As the gRPC server takes it, which lets only the application's client call.
    pub fn service(self) -> ClusterServer<impl Cluster> {
        ClusterServer::new(self).max_decoding_message_size(LARGEST_CALL)
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn timeline(&self, _: Request<TimelineRequest>) -> Result<Response<TimelineReply>, Status> {
        Ok(Response::new(self.timeline.reply(clock::now())))
    }

    async fn account(&self, request: Request<AccountRequest>) -> Result<Response<AccountReply>, Status> {
        let json = (self.account)(request.into_inner().classes).await;
        Ok(Response::new(AccountReply { json }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_account_is_made_when_it_is_asked_for() {
        let account = |classes: Vec<String>| -> BoxFuture<'static, Vec<u8>> {
            Box::pin(std::future::ready(classes.concat().into_bytes()))
        };
        let service = ClusterService::new(Timeline::start(), Arc::new(account));
        let request = Request::new(AccountRequest { classes: vec!["a.B".into()] });
        let reply = service.account(request).await.unwrap().into_inner();
        assert_eq!(reply.json, b"a.B");
        assert!(service.timeline(Request::new(TimelineRequest {})).await.is_ok());
    }
}

//! The gRPC service for the client of a per-job cluster (`Submission` of `taskrunner/proto/control.proto`).
//! The client keeps the call `Attend` open for as long as the user's `main()` runs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::Stream;
use taskrunner::control::attended::Answer;
use taskrunner::control::attending::Event;
use taskrunner::control::submission_server::{Submission, SubmissionServer};
use taskrunner::control::{Attended, Attending, Noted, OpenRequests, Welcome};
use taskrunner::protocol::{self, SPOKEN, Versions};
use taskrunner::wire::LARGEST_CALL;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::policy::{SubmissionInput, SubmissionRecord};
use crate::ledger::REPORT_WAIT;

/// How long a client may take to send its first event.
const ARRIVE_WAIT: Duration = Duration::from_secs(10);

/// How long the end of `main()` may take to be written for the next attempt.
const KEEP_WAIT: Duration = Duration::from_secs(10);
/// How long YARN may take to say why a TaskManager ended, once `main()` has failed.
const REASON_WAIT: Duration = REPORT_WAIT.saturating_add(Duration::from_secs(1));

/// What is known of TaskManagers that were killed for their memory. Flink and `main()` do not know of it: for
/// them these TaskManagers are just gone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryKills {
    /// A TaskManager has just ended, and YARN has not said why.
    pub reason_pending: bool,
    /// For people; may be empty.
    pub text: String,
}

/// What the service waits for before it answers that the end of `main()` is noted, and what it tells before.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// What is known of TaskManagers that were killed.
    pub memory_kills: watch::Receiver<MemoryKills>,
    /// The requests for containers that YARN has not granted for some time.
    pub open_requests: watch::Receiver<OpenRequests>,
    /// With high availability: what is kept for the next attempt.
    pub kept: Option<watch::Receiver<SubmissionRecord>>,
}

type Tell = Box<dyn Fn(SubmissionInput) + Send + Sync>;

/// See the module's text; clones share it.
#[derive(Clone)]
pub struct SubmissionService {
    inner: Arc<Inner>,
}

struct Inner {
    /// None where the cluster is no per-job cluster.
    tell: Option<Tell>,
    awaited: Awaited,
    versions: Versions,
    calls: AtomicU64,
}

impl SubmissionService {
    /// For a per-job cluster.
    pub fn new(awaited: Awaited, tell: impl Fn(SubmissionInput) + Send + Sync + 'static) -> Self {
        Self::speaking(SPOKEN, awaited, Some(Box::new(tell)))
    }

    fn speaking(versions: Versions, awaited: Awaited, tell: Option<Tell>) -> Self {
        Self { inner: Arc::new(Inner { tell, awaited, versions, calls: AtomicU64::new(0) }) }
    }

    /// For every other cluster: refuses clients.
    pub fn refused() -> Self {
        let memory_kills = watch::channel(MemoryKills::default()).1;
        let open_requests = watch::channel(OpenRequests::default()).1;
        Self::speaking(SPOKEN, Awaited { memory_kills, open_requests, kept: None }, None)
    }

    /// As the gRPC server takes it, which lets only the application's client call.
    pub fn service(self) -> SubmissionServer<Self> {
        SubmissionServer::new(self).max_decoding_message_size(LARGEST_CALL)
    }

    fn tell(&self, input: SubmissionInput) {
        if let Some(tell) = &self.inner.tell {
            tell(input);
        }
    }

    /// What there is to tell of TaskManagers that were killed for their memory, once YARN has given its
    /// reasons.
    async fn memory_kills(&self) -> String {
        let mut memory_kills = self.inner.awaited.memory_kills.clone();
        // After that time, what is known is told.
        let _ = tokio::time::timeout(REASON_WAIT, memory_kills.wait_for(|kills| !kills.reason_pending)).await;
        memory_kills.borrow().text.clone()
    }

    /// The next attempt knows, too, how `main()` has ended: once the client is told that it is noted, nobody
    /// says it again.
    async fn kept(&self) {
        if let Some(mut kept) = self.inner.awaited.kept.clone() {
            let known = kept.wait_for(|record| record.exit_code.is_some());
            // After that time it is noted here all the same.
            let _ = tokio::time::timeout(KEEP_WAIT, known).await;
        }
    }

    /// Reads what the client says until its call ends, and tells it meanwhile which requests are open.
    async fn read(
        self,
        call: u64,
        mut events: Streaming<Attending>,
        answers: mpsc::UnboundedSender<Result<Attended, Status>>,
    ) {
        let mut open_requests = self.inner.awaited.open_requests.clone();
        // A client that comes later, or again, hears them as well.
        open_requests.mark_changed();
        loop {
            let event = tokio::select! {
                event = events.message() => event,
                told = next_requests(&mut open_requests) => {
                    // If the client is gone, the events end.
                    let _ = answers.send(Ok(answer(Answer::OpenRequests(told))));
                    continue;
                }
            };
            match event {
                Ok(Some(Attending { event: Some(Event::Complete(complete)) })) => {
                    tracing::info!(exit_code = complete.exit_code, "the client says that main() is over");
                    self.tell(SubmissionInput::Completed(complete.exit_code));
                    self.kept().await;
                    let losses =
                        if complete.exit_code == 0 { String::new() } else { self.memory_kills().await };
                    // If the client is gone already, it comes back and says it again.
                    let _ = answers.send(Ok(answer(Answer::Noted(Noted { losses }))));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(status) => {
                    tracing::debug!(code = ?status.code(), "the client's call broke");
                    break;
                }
            }
        }
        tracing::info!(call, "the client has hung up");
        self.tell(SubmissionInput::Left(call));
    }
}

/// The requests that are open, once they are others than before.
async fn next_requests(open_requests: &mut watch::Receiver<OpenRequests>) -> OpenRequests {
    match open_requests.changed().await {
        Ok(()) => open_requests.borrow_and_update().clone(),
        // At the end nobody tells any more.
        Err(_) => std::future::pending().await,
    }
}

fn answer(answer: Answer) -> Attended {
    Attended { answer: Some(answer) }
}

#[tonic::async_trait]
impl Submission for SubmissionService {
    type AttendStream = Pin<Box<dyn Stream<Item = Result<Attended, Status>> + Send>>;

    async fn attend(
        &self,
        request: Request<Streaming<Attending>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let from = request.remote_addr();
        if self.inner.tell.is_none() {
            return Err(Status::failed_precondition(
                "this is no per-job cluster: it is not tied to a client",
            ));
        }
        let mut events = request.into_inner();
        let arrive = match tokio::time::timeout(ARRIVE_WAIT, events.message()).await {
            Ok(Ok(Some(Attending { event: Some(Event::Arrive(arrive)) }))) => arrive,
            Ok(Err(status)) => return Err(status),
            _ => return Err(Status::failed_precondition("the first event is no arrival")),
        };
        let ours = self.inner.versions;
        let Some(protocol) = ours.common(Versions::of_client(&arrive)) else {
            let why = protocol::mismatch(ours, &arrive);
            tracing::warn!(?from, why, "refused a client");
            return Err(Status::unimplemented(why));
        };
        let call = self.inner.calls.fetch_add(1, Ordering::Relaxed);
        let (answers, outbox) = mpsc::unbounded_channel();
        // Its receiver is right here.
        let _ = answers
            .send(Ok(answer(Answer::Welcome(Welcome { protocol, release: protocol::RELEASE.to_owned() }))));
        tracing::info!(call, ?from, release = arrive.release, protocol, "the client attends");
        self.tell(SubmissionInput::Arrived(call));
        tokio::spawn(self.clone().read(call, events, answers));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(outbox))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_service::ClusterService;
    use crate::control::Control;
    use crate::ledger::types::container_id;
    use crate::timeline::Timeline;
    use taskrunner::control::OpenRequest;
    use taskrunner::keys::{Access, ControlKeys, Key, LENGTH, Role};
    use taskrunner::submission::{self, SubmissionError};
    use tokio::net::TcpListener;

    /// A server, its address, and what its client has.
    async fn start(service: SubmissionService) -> (String, Access) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let keys = Arc::new(ControlKeys::generate([1; LENGTH]).unwrap());
        let access = keys.access(Role::Client).unwrap();
        let control = Control::new(keys, container_id("c1").attempt_id, drop);
        let cluster =
            ClusterService::new(Timeline::start(), Arc::new(|_| Box::pin(std::future::ready(Vec::new()))));
        tokio::spawn(async move { drop(control.serve(listener, service, cluster).await) });
        (address, access)
    }

    /// What tells the client nothing.
    fn silent() -> Awaited {
        let memory_kills = watch::channel(MemoryKills::default()).1;
        let open_requests = watch::channel(OpenRequests::default()).1;
        Awaited { memory_kills, open_requests, kept: None }
    }

    fn per_job() -> (SubmissionService, mpsc::UnboundedReceiver<SubmissionInput>) {
        let (sender, inputs) = mpsc::unbounded_channel();
        let (_, memory_kills) =
            watch::channel(MemoryKills { reason_pending: false, text: "for memory".into() });
        let awaited = Awaited { memory_kills, ..silent() };
        (SubmissionService::new(awaited, move |input| drop(sender.send(input))), inputs)
    }

    #[tokio::test]
    async fn a_client_attends_and_completes() {
        let (service, mut inputs) = per_job();
        let (address, access) = start(service).await;
        let client = submission::SubmissionConnection::open(&address, &access).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Arrived(0)));
        assert_eq!(client.complete(3).await.unwrap(), "for memory");
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Completed(3)));
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Left(0)));
        let client = submission::SubmissionConnection::open(&address, &access).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Arrived(1)));
        drop(client);
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Left(1)), "hanging up is no completion");
    }

    #[tokio::test]
    async fn a_client_hears_which_requests_are_open_and_one_that_comes_later_too() {
        let (open, open_requests) = watch::channel(OpenRequests::default());
        let service = SubmissionService::new(Awaited { open_requests, ..silent() }, drop);
        let (address, access) = start(service).await;
        let first = submission::SubmissionConnection::open(&address, &access).await.unwrap();
        let requests = vec![OpenRequest { count: 3, memory_mb: 1024, ..OpenRequest::default() }];
        open.send_replace(OpenRequests { requests });
        let second = submission::SubmissionConnection::open(&address, &access).await.unwrap();
        for connection in [&first, &second] {
            let mut told = connection.open_requests();
            let known = told.wait_for(|told| !told.requests.is_empty()).await.unwrap().clone();
            assert_eq!(known, *open.borrow());
        }
        open.send_replace(OpenRequests::default());
        let mut told = first.open_requests();
        assert!(told.wait_for(|told| told.requests.is_empty()).await.is_ok());
        first.complete(0).await.unwrap();
    }

    #[tokio::test]
    async fn with_high_availability_the_end_is_kept_before_it_is_noted() {
        let (sender, mut inputs) = mpsc::unbounded_channel();
        let (keep, kept) = watch::channel(SubmissionRecord::default());
        let awaited = Awaited { kept: Some(kept), ..silent() };
        let tell = move |input| drop(sender.send(input));
        let (address, access) = start(SubmissionService::new(awaited, tell)).await;
        let client = submission::SubmissionConnection::open(&address, &access).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Arrived(0)));
        let noted = tokio::spawn(client.complete(3));
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Completed(3)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!noted.is_finished());
        keep.send_replace(SubmissionRecord { exit_code: Some(3), ..SubmissionRecord::default() });
        noted.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn strangers_and_other_clusters_say_no_for_good() {
        let (service, mut inputs) = per_job();
        let (address, access) = start(service).await;
        // Somebody who has the certificate, as everybody can, and another key.
        let stranger = Access::new(Role::Client, Key::new(&[2; LENGTH]).unwrap(), *access.pin());
        let error = submission::SubmissionConnection::open(&address, &stranger).await.unwrap_err();
        assert!(matches!(error, SubmissionError::Refused { .. }), "{error}");
        assert!(!error.retry_helps() && error.to_string().contains("only the client"), "{error}");
        assert!(inputs.try_recv().is_err());
        let (address, access) = start(SubmissionService::refused()).await;
        let error = submission::SubmissionConnection::open(&address, &access).await.unwrap_err();
        assert!(error.to_string().contains("no per-job cluster"), "{error}");
    }

    #[tokio::test]
    async fn clients_of_other_releases() {
        let speaking = |oldest, newest| Versions { oldest, newest };
        let (sender, mut inputs) = mpsc::unbounded_channel();
        let tell: Tell = Box::new(move |input| drop(sender.send(input)));
        let (address, access) =
            start(SubmissionService::speaking(speaking(2, 3), silent(), Some(tell))).await;
        for client in [speaking(1, 2), speaking(3, 5), speaking(2, 2)] {
            let connection = submission::SubmissionConnection::open_speaking(
                client,
                submission::ApplicationMasterAddress::fixed(&address),
                &access,
            )
            .await
            .unwrap();
            assert!(matches!(inputs.recv().await, Some(SubmissionInput::Arrived(_))));
            connection.complete(0).await.unwrap();
            assert_eq!(inputs.recv().await, Some(SubmissionInput::Completed(0)));
            assert!(matches!(inputs.recv().await, Some(SubmissionInput::Left(_))));
        }
        for client in [speaking(1, 1), speaking(4, 5)] {
            let error = submission::SubmissionConnection::open_speaking(
                client,
                submission::ApplicationMasterAddress::fixed(&address),
                &access,
            )
            .await
            .unwrap_err();
            assert!(matches!(error, SubmissionError::OtherRelease { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&format!("{client} of the control protocol"))
                    && text.contains("versions 2 to 3"),
                "{text}"
            );
            assert!(!error.retry_helps());
            assert!(inputs.try_recv().is_err());
        }
    }

    #[tokio::test]
    async fn a_broken_call_is_opened_again_and_then_completed() {
        let (service, mut inputs) = per_job();
        let (address, access) = start(service).await;
        // A way to the server that can be cut, as a firewall cuts it.
        let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let by_way = way.local_addr().unwrap().to_string();
        let (cut, mut cuts) = mpsc::channel::<()>(1);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = way.accept().await.unwrap();
                let mut far = tokio::net::TcpStream::connect(&address).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = cuts.recv() => {}
                }
            }
        });
        let client = submission::SubmissionConnection::open(&by_way, &access).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Arrived(0)));
        cut.send(()).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Left(0)));
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Arrived(1)));
        client.complete(0).await.unwrap();
        assert_eq!(inputs.recv().await, Some(SubmissionInput::Completed(0)));
    }
}

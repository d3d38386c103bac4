//! The gRPC service by which the client of a per-job cluster attends (`Submission` of
//! `taskrunner/proto/control.proto`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::Stream;
use taskrunner::auth;
use taskrunner::control::attended::Answer;
use taskrunner::control::attending::Event;
use taskrunner::control::submission_server::{Submission, SubmissionServer};
use taskrunner::control::{Attended, Attending, Noted, Welcome};
use taskrunner::protocol::{self, SPOKEN, Versions};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::policy::Input;

/// For a client's first event.
const ARRIVE_WAIT: Duration = Duration::from_secs(10);

/// For YARN to say why a worker ended, once `main()` has failed.
const LOSSES_WAIT: Duration = Duration::from_secs(6);

/// What is known of workers that were killed for their memory, which neither Flink nor `main()` knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    /// A worker has just ended, and YARN has not said why.
    pub awaits: bool,
    /// For people; may be empty.
    pub text: String,
}

type Tell = Box<dyn Fn(Input) + Send + Sync>;

/// Lets clients attend; clones share it.
#[derive(Clone)]
pub struct Attendance {
    inner: Arc<Inner>,
}

struct Inner {
    secret: Vec<u8>,
    /// None where the cluster is not for one submission.
    tell: Option<Tell>,
    losses: watch::Receiver<Losses>,
    versions: Versions,
    calls: AtomicU64,
}

impl Attendance {
    /// For a per-job cluster: lets in who knows `secret`.
    pub fn new(
        secret: Vec<u8>,
        losses: watch::Receiver<Losses>,
        tell: impl Fn(Input) + Send + Sync + 'static,
    ) -> Self {
        Self::speaking(SPOKEN, secret, losses, Some(Box::new(tell)))
    }

    fn speaking(
        versions: Versions,
        secret: Vec<u8>,
        losses: watch::Receiver<Losses>,
        tell: Option<Tell>,
    ) -> Self {
        Self { inner: Arc::new(Inner { secret, tell, losses, versions, calls: AtomicU64::new(0) }) }
    }

    /// For every other cluster: says so.
    pub fn refused(secret: Vec<u8>) -> Self {
        Self::speaking(SPOKEN, secret, watch::channel(Losses::default()).1, None)
    }

    /// For the server.
    pub fn service(self) -> SubmissionServer<Self> {
        SubmissionServer::new(self)
    }

    fn tell(&self, input: Input) {
        if let Some(tell) = &self.inner.tell {
            tell(input);
        }
    }

    /// Workers that were killed for their memory, once YARN has said so.
    async fn losses(&self) -> String {
        let mut losses = self.inner.losses.clone();
        // What is known by then is told.
        let _ = tokio::time::timeout(LOSSES_WAIT, losses.wait_for(|losses| !losses.awaits)).await;
        losses.borrow().text.clone()
    }

    /// Reads until the client hangs up.
    async fn read(
        self,
        call: u64,
        mut events: Streaming<Attending>,
        answers: mpsc::UnboundedSender<Result<Attended, Status>>,
    ) {
        loop {
            match events.message().await {
                Ok(Some(Attending { event: Some(Event::Complete(complete)) })) => {
                    tracing::info!(exit_code = complete.exit_code, "the client says that main() is over");
                    self.tell(Input::Completed(complete.exit_code));
                    let losses = if complete.exit_code == 0 { String::new() } else { self.losses().await };
                    // A client that has gone already comes back and says it again.
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
        self.tell(Input::Left(call));
    }
}

fn answer(answer: Answer) -> Attended {
    Attended { answer: Some(answer) }
}

#[tonic::async_trait]
impl Submission for Attendance {
    type AttendStream = Pin<Box<dyn Stream<Item = Result<Attended, Status>> + Send>>;

    async fn attend(
        &self,
        request: Request<Streaming<Attending>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let from = request.remote_addr();
        auth::check_secret(request.metadata(), &self.inner.secret)
            .inspect_err(|status| tracing::warn!(?from, why = status.message(), "refused a client"))?;
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
        self.tell(Input::Arrived(call));
        tokio::spawn(self.clone().read(call, events, answers));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(outbox))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::timeline::Timeline;
    use taskrunner::submission::{self, SubmissionError};
    use tokio::net::TcpListener;

    async fn start(attendance: Attendance) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let control = Control::new(b"secret".to_vec(), drop);
        let server =
            tokio::spawn(async move { drop(control.serve(listener, attendance, Timeline::start()).await) });
        (address, server)
    }

    fn per_job() -> (Attendance, mpsc::UnboundedReceiver<Input>) {
        let (sender, inputs) = mpsc::unbounded_channel();
        let (_, losses) = watch::channel(Losses { awaits: false, text: "for memory".into() });
        (Attendance::new(b"secret".to_vec(), losses, move |input| drop(sender.send(input))), inputs)
    }

    #[tokio::test]
    async fn a_client_attends_and_completes() {
        let (attendance, mut inputs) = per_job();
        let (address, _server) = start(attendance).await;
        let client = submission::Attendance::open(&address, b"secret").await.unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Arrived(0)));
        assert_eq!(client.complete(3).await.unwrap(), "for memory");
        assert_eq!(inputs.recv().await, Some(Input::Completed(3)));
        assert_eq!(inputs.recv().await, Some(Input::Left(0)));
        let client = submission::Attendance::open(&address, b"secret").await.unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Arrived(1)));
        drop(client);
        assert_eq!(inputs.recv().await, Some(Input::Left(1)), "hanging up is no completion");
    }

    #[tokio::test]
    async fn strangers_and_other_clusters_say_no_for_good() {
        let (attendance, mut inputs) = per_job();
        let (address, _server) = start(attendance).await;
        let error = submission::Attendance::open(&address, b"wrong").await.unwrap_err();
        assert!(matches!(error, SubmissionError::Refused { .. }), "{error}");
        assert!(!error.retry_helps() && !error.to_string().contains("wrong"), "{error}");
        assert!(inputs.try_recv().is_err());
        let (address, _server) = start(Attendance::refused(b"secret".to_vec())).await;
        let error = submission::Attendance::open(&address, b"secret").await.unwrap_err();
        assert!(error.to_string().contains("no per-job cluster"), "{error}");
    }

    #[tokio::test]
    async fn clients_of_other_releases() {
        let speaking = |oldest, newest| Versions { oldest, newest };
        let (sender, mut inputs) = mpsc::unbounded_channel();
        let tell: Tell = Box::new(move |input| drop(sender.send(input)));
        let (address, _server) = start(Attendance::speaking(
            speaking(2, 3),
            b"secret".to_vec(),
            watch::channel(Losses::default()).1,
            Some(tell),
        ))
        .await;
        for client in [speaking(1, 2), speaking(3, 5), speaking(2, 2)] {
            let attends = submission::Attendance::open_speaking(client, &address, b"secret").await.unwrap();
            assert!(matches!(inputs.recv().await, Some(Input::Arrived(_))));
            attends.complete(0).await.unwrap();
            assert_eq!(inputs.recv().await, Some(Input::Completed(0)));
            assert!(matches!(inputs.recv().await, Some(Input::Left(_))));
        }
        for client in [speaking(1, 1), speaking(4, 5)] {
            let error = submission::Attendance::open_speaking(client, &address, b"secret").await.unwrap_err();
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
        let (attendance, mut inputs) = per_job();
        let (address, _server) = start(attendance).await;
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
        let client = submission::Attendance::open(&by_way, b"secret").await.unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Arrived(0)));
        cut.send(()).await.unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Left(0)));
        assert_eq!(inputs.recv().await, Some(Input::Arrived(1)));
        client.complete(0).await.unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Completed(0)));
    }
}

//! The client's connection to the ApplicationMaster of its per-job cluster: open for as long as the user's
//! `main()` runs. By it the client says how `main()` ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use crate::auth;
use crate::control::attended::Answer;
use crate::control::attending::Event;
use crate::control::submission_client::SubmissionClient;
use crate::control::{Attended, Attending, Complete};
use crate::protocol::{RELEASE, SPOKEN, Versions};

/// Flink key under which the JobManager's REST interface (`/jobmanager/config`) shows the `host:port` of the
/// control server.
pub const ADDRESS_KEY: &str = "heddle.control.address";

/// How long a client whose call broke may stay away before it counts as gone; how long it tries to come back.
pub const RETURN_GRACE: Duration = Duration::from_secs(15);
/// How long the client of a highly available cluster tries to come back. The next ApplicationMaster waits in
/// a queue of YARN until it has a container.
const FAILOVER_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// For the end of `main()` to be noted. The ApplicationMaster waits until YARN has said why TaskManagers were
/// killed, so this is longer than it waits.
const NOTED_WITHIN: Duration = Duration::from_secs(40);
/// For the first call to be accepted.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// For TCP, and again for the answer to a call.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A peer that does not answer a ping for this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// Where the ApplicationMaster is. With high availability the application can get another one, elsewhere.
#[derive(Debug, Clone)]
pub struct ApplicationMasterAddress {
    current: watch::Receiver<String>,
    lost: Option<Arc<Notify>>,
}

impl ApplicationMasterAddress {
    /// It is nowhere but at this `host:port`.
    pub fn fixed(address: &str) -> Self {
        Self { current: watch::channel(address.to_owned()).1, lost: None }
    }

    /// It is at the newest `host:port` of `current`. `lost` is notified at each try that fails; whoever hears
    /// it finds out whether the address has changed.
    pub fn followed(current: watch::Receiver<String>, lost: Arc<Notify>) -> Self {
        Self { current, lost: Some(lost) }
    }

    fn patience(&self) -> Duration {
        if self.lost.is_some() { FAILOVER_PATIENCE } else { RETURN_GRACE }
    }

    fn now(&self) -> String {
        self.current.borrow().clone()
    }
}

/// There is no connection to the ApplicationMaster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// The ApplicationMaster refuses the client, and would refuse it again.
    #[error("the ApplicationMaster at {address} does not take this client: {why}")]
    Refused {
        /// Address of the control server.
        address: String,
        /// What it says.
        why: String,
    },
    /// It is of another release of heddle, and there is no version of the protocol that both speak.
    #[error("the client and the ApplicationMaster at {address} do not understand each other: {why}")]
    OtherRelease {
        /// Address of the control server.
        address: String,
        /// Which versions both sides speak.
        why: String,
    },
    /// It does not answer.
    #[error("no answer from the ApplicationMaster at {address} for {} s: {why}", waited.as_secs())]
    Unreachable {
        /// Address of the control server.
        address: String,
        /// How long it was tried.
        waited: Duration,
        /// What the last try ended with.
        why: String,
    },
}

impl SubmissionError {
    /// Whether another try may do better.
    pub fn retry_helps(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The connection of a client to the ApplicationMaster of its per-job cluster, open for as long as `main()`
/// runs. If it is dropped without [`SubmissionConnection::complete`], the client counts as gone after
/// [`RETURN_GRACE`].
#[derive(Debug)]
pub struct SubmissionConnection {
    complete: Option<oneshot::Sender<i32>>,
    /// Set once, at the end.
    end: watch::Receiver<Option<Result<String, SubmissionError>>>,
    address: ApplicationMasterAddress,
    task: AbortHandle,
}

impl Drop for SubmissionConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SubmissionConnection {
    /// Connects to the control server and is accepted; tries for some seconds. A task of the runtime keeps
    /// the call open from then on, and opens it again when it breaks.
    pub async fn open(address: &str, secret: &[u8]) -> Result<SubmissionConnection, SubmissionError> {
        Self::open_speaking(SPOKEN, ApplicationMasterAddress::fixed(address), secret).await
    }

    /// The same for an ApplicationMaster that may be replaced by another one.
    pub async fn open_at(
        address: ApplicationMasterAddress,
        secret: &[u8],
    ) -> Result<SubmissionConnection, SubmissionError> {
        Self::open_speaking(SPOKEN, address, secret).await
    }

    /// The same for a client that speaks `versions`.
    pub async fn open_speaking(
        versions: Versions,
        address: ApplicationMasterAddress,
        secret: &[u8],
    ) -> Result<SubmissionConnection, SubmissionError> {
        let peer = Peer { address: address.clone(), secret: secret.to_vec(), versions };
        let call = peer.reach(Instant::now(), OPEN_DEADLINE).await?;
        let (complete, completed) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(async move {
            let result = peer.attend(call, completed).await;
            end.send_replace(Some(result));
        });
        Ok(SubmissionConnection { complete: Some(complete), end: ended, address, task: task.abort_handle() })
    }

    /// `main()` is over: says so, and waits until the ApplicationMaster has noted it.
    ///
    /// What comes back is for people: TaskManagers that were killed for their memory, of which `main()` has
    /// not heard. Empty as a rule.
    ///
    /// `exit_code` is that of the client's JVM, 128 + signal when one ended it, and 0 right after a detached
    /// submission.
    pub async fn complete(mut self, exit_code: i32) -> Result<String, SubmissionError> {
        if let Some(complete) = self.complete.take() {
            // A task that has ended meanwhile has left its result.
            let _ = complete.send(exit_code);
        }
        let within = NOTED_WITHIN.max(self.address.patience());
        match timeout(within, self.result()).await {
            Ok(result) => result,
            Err(_) => Err(self.unreachable("it does not note the end of main()")),
        }
    }

    async fn result(&mut self) -> Result<String, SubmissionError> {
        match self.end.wait_for(Option::is_some).await.map(|end| end.clone()) {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(self.unreachable("the runtime shuts down")),
        }
    }

    fn unreachable(&self, why: &str) -> SubmissionError {
        let why = why.to_owned();
        let waited = NOTED_WITHIN.max(self.address.patience());
        SubmissionError::Unreachable { address: self.address.now(), waited, why }
    }
}

/// Where the ApplicationMaster is, and the secret by which it knows its client.
struct Peer {
    address: ApplicationMasterAddress,
    secret: Vec<u8>,
    versions: Versions,
}

/// An accepted call.
struct Call {
    events: mpsc::UnboundedSender<Attending>,
    answers: Streaming<Attended>,
}

impl Peer {
    /// Keeps the call open, and opens it again when it breaks, until `Complete` is noted or the
    /// ApplicationMaster cannot be reached any more.
    async fn attend(
        &self,
        mut call: Call,
        mut complete: oneshot::Receiver<i32>,
    ) -> Result<String, SubmissionError> {
        let mut exit_code = None;
        loop {
            if let Some(exit_code) = exit_code {
                // If the call is broken this is lost. The end of the answers tells so, and it is sent again.
                let _ = call.events.send(event(Event::Complete(Complete { exit_code })));
            }
            let broken = loop {
                tokio::select! {
                    code = &mut complete, if exit_code.is_none() => match code {
                        Ok(code) => {
                            exit_code = Some(code);
                            let _ = call.events.send(event(Event::Complete(Complete { exit_code: code })));
                        }
                        // The connection was dropped without `complete`.
                        Err(_) => return Ok(String::new()),
                    },
                    answer = call.answers.message() => match answer {
                        Ok(Some(Attended { answer: Some(Answer::Noted(noted)) })) => return Ok(noted.losses),
                        Ok(Some(_)) => {}
                        Ok(None) => break "it closed the call".to_owned(),
                        Err(status) => break words(&status),
                    },
                }
            };
            tracing::debug!(address = self.address.now(), broken, "the connection broke");
            call = self.reach(Instant::now(), self.address.patience()).await?;
        }
    }

    /// Calls until it is accepted.
    async fn reach(&self, since: Instant, patience: Duration) -> Result<Call, SubmissionError> {
        loop {
            let address = self.address.now();
            let why = match timeout_at(since + patience, self.call(&address)).await {
                Ok(Ok(call)) => return Ok(call),
                // Where an ApplicationMaster was, that of another application may be now.
                Ok(Err(Failed::Refused(why))) if self.address.lost.is_none() => {
                    return Err(SubmissionError::Refused { address, why });
                }
                Ok(Err(Failed::OtherRelease(why))) if self.address.lost.is_none() => {
                    return Err(SubmissionError::OtherRelease { address, why });
                }
                Ok(Err(Failed::Refused(why) | Failed::OtherRelease(why) | Failed::Broken(why))) => why,
                Err(_) => "it does not answer".to_owned(),
            };
            self.address.lost.iter().for_each(|lost| lost.notify_one());
            if since.elapsed() + RETRY_DELAY >= patience {
                return Err(SubmissionError::Unreachable { address, waited: patience, why });
            }
            sleep(RETRY_DELAY).await;
        }
    }

    async fn call(&self, address: &str) -> Result<Call, Failed> {
        let channel = connect(address).await?;
        let (events, queue) = mpsc::unbounded_channel();
        // In the stream before the answer is awaited: the server reads it first. The receiver is right here.
        let _ = events.send(event(Event::Arrive(self.versions.arrive())));
        let mut request = Request::new(UnboundedReceiverStream::new(queue));
        auth::put_secret(request.metadata_mut(), &self.secret).map_err(|s| Failed::from(&s))?;
        let mut client = SubmissionClient::new(channel);
        let silence = |_| Failed::Broken(format!("no answer for {} s", CONNECT_DEADLINE.as_secs()));
        let answer = timeout(CONNECT_DEADLINE, client.attend(request)).await.map_err(silence)?;
        let mut answers = answer.map_err(|status| Failed::from(&status))?.into_inner();
        match timeout(CONNECT_DEADLINE, answers.message()).await.map_err(silence)? {
            Ok(Some(Attended { answer: Some(Answer::Welcome(welcome)) })) => {
                tracing::debug!(release = welcome.release, protocol = welcome.protocol, "welcome");
                if self.versions.accept(&welcome) {
                    Ok(Call { events, answers })
                } else {
                    Err(Failed::OtherRelease(format!(
                        "this client, heddle {RELEASE}, speaks {} of the control protocol, the ApplicationMaster wants to speak {}",
                        self.versions,
                        welcome.protocol.max(1)
                    )))
                }
            }
            Ok(_) => Err(Failed::Broken("its first answer is no welcome".to_owned())),
            Err(status) => Err(Failed::from(&status)),
        }
    }
}

async fn connect(address: &str) -> Result<Channel, Failed> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Failed::Refused("this is no host:port".to_owned()))?
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    match timeout(CONNECT_DEADLINE, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(Failed::Broken(crate::chain(&error))),
        Err(_) => Err(Failed::Broken("cannot connect in time".to_owned())),
    }
}

enum Failed {
    /// A second try would not change it.
    Refused(String),
    OtherRelease(String),
    Broken(String),
}

impl From<&Status> for Failed {
    fn from(status: &Status) -> Self {
        match status.code() {
            Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound => Self::Refused(status.message().to_owned()),
            // A server without this service says nothing more.
            Code::Unimplemented if status.message().is_empty() => Self::OtherRelease(words(status)),
            Code::Unimplemented => Self::OtherRelease(status.message().to_owned()),
            _ => Self::Broken(words(status)),
        }
    }
}

fn words(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

fn event(event: Event) -> Attending {
    Attending { event: Some(event) }
}

//! The client's connection to the ApplicationMaster of its per-job cluster: open for as long as the user's
//! `main()` runs. By it the client says how `main()` ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::calls::{Calls, OpenError};
use crate::control::attended::Answer;
use crate::control::attending::Event;
use crate::control::submission_client::SubmissionClient;
use crate::control::{Attended, Attending, Complete, OpenRequests};
use crate::keys::Access;
use crate::protocol::{RELEASE, SPOKEN, Versions};
use crate::tls::ConnectError;

/// Flink key under which the JobManager's REST interface (`/jobmanager/config`) shows the `host:port` of the
/// control server.
pub const ADDRESS_KEY: &str = "heddle.control.address";
/// Flink key under which it shows when the first of the delegation tokens ends with which the
/// ApplicationMaster was started, in milliseconds since 1970. Flink would mask the value of a key with the
/// word `token`.
pub const HDFS_ACCESS_END_KEY: &str = "heddle.hdfs.access-end";

/// How long a client whose call broke may stay away before it counts as gone. Once `main()` is over, the
/// client tries for this long to come back and say so.
pub const RETURN_GRACE: Duration = Duration::from_secs(15);
/// The same with high availability: the next ApplicationMaster waits in a queue of YARN until it has a
/// container. The ApplicationMaster waits for so long only while jobs are open.
pub const FAILOVER_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// For the end of `main()` to be noted. The ApplicationMaster waits until YARN has said why TaskManagers were
/// killed, so this is longer than it waits.
const NOTED_WITHIN: Duration = Duration::from_secs(40);
/// For the first call to be accepted.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// For TCP, again for the handshake, and again for the answer to a call.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const RETRY_DELAY: Duration = Duration::from_millis(300);
/// The same once it has been tried for longer than `RETURN_GRACE`.
const LATE_RETRY_DELAY: Duration = Duration::from_secs(3);

/// Where the ApplicationMaster is. With high availability the application can get another one, elsewhere.
#[derive(Debug, Clone)]
pub struct ApplicationMasterAddress {
    current: watch::Receiver<String>,
    lost: Option<Arc<Notify>>,
    /// For how long the client tries to reach it once `main()` is over.
    patience: Duration,
}

impl ApplicationMasterAddress {
    /// It is nowhere but at this `host:port`.
    pub fn fixed(address: &str) -> Self {
        Self { current: watch::channel(address.to_owned()).1, lost: None, patience: RETURN_GRACE }
    }

    /// It is at the newest `host:port` of `current`. `lost` is notified at each try that fails; whoever hears
    /// it finds out whether the address has changed.
    pub fn followed(current: watch::Receiver<String>, lost: Arc<Notify>) -> Self {
        Self { current, lost: Some(lost), patience: FAILOVER_PATIENCE }
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
    open_requests: watch::Receiver<OpenRequests>,
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
    /// the call open from then on. When it breaks, the task opens it again, however long that takes: until
    /// `main()` is over, nothing depends on it here.
    pub async fn open(address: &str, access: &Access) -> Result<SubmissionConnection, SubmissionError> {
        Self::open_speaking(SPOKEN, ApplicationMasterAddress::fixed(address), access).await
    }

    /// The same for an ApplicationMaster that may be replaced by another one.
    pub async fn open_at(
        address: ApplicationMasterAddress,
        access: &Access,
    ) -> Result<SubmissionConnection, SubmissionError> {
        Self::open_speaking(SPOKEN, address, access).await
    }

    /// The same for a client that speaks `versions`.
    pub async fn open_speaking(
        versions: Versions,
        address: ApplicationMasterAddress,
        access: &Access,
    ) -> Result<SubmissionConnection, SubmissionError> {
        let peer = Peer { address: address.clone(), access: access.clone(), versions };
        let until = Some(Instant::now() + OPEN_DEADLINE);
        let call = peer.reach(watch::channel(until).1).await?;
        let (complete, completed) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let (requests, open_requests) = watch::channel(OpenRequests::default());
        let task = tokio::spawn(async move {
            let result = peer.attend(call, completed, &requests).await;
            end.send_replace(Some(result));
        });
        let (complete, task) = (Some(complete), task.abort_handle());
        Ok(SubmissionConnection { complete, end: ended, open_requests, address, task })
    }

    /// The requests for containers that YARN has not granted for some time, as the ApplicationMaster has told
    /// them last. One of an older release does not tell them.
    pub fn open_requests(&self) -> watch::Receiver<OpenRequests> {
        self.open_requests.clone()
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
        let within = NOTED_WITHIN.max(self.address.patience);
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
        let waited = NOTED_WITHIN.max(self.address.patience);
        SubmissionError::Unreachable { address: self.address.now(), waited, why }
    }
}

/// Where the ApplicationMaster is, and how it and its client know each other.
struct Peer {
    address: ApplicationMasterAddress,
    access: Access,
    versions: Versions,
}

/// An accepted call.
struct Call {
    events: mpsc::UnboundedSender<Attending>,
    answers: Streaming<Attended>,
}

impl Peer {
    /// Keeps the call open, and opens it again when it breaks, until `Complete` is noted. The
    /// ApplicationMaster is given up only once `main()` is over, or if it refuses this client for good.
    async fn attend(
        &self,
        mut call: Call,
        mut complete: oneshot::Receiver<i32>,
        open_requests: &watch::Sender<OpenRequests>,
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
                        Ok(Some(Attended { answer: Some(Answer::OpenRequests(requests)) })) => {
                            open_requests.send_replace(requests);
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => break "it closed the call".to_owned(),
                        Err(status) => break words(&status),
                    },
                }
            };
            tracing::debug!(address = self.address.now(), broken, "the connection broke");
            let in_time = || Some(Instant::now() + self.address.patience);
            let (limit, until) = watch::channel(exit_code.and_then(|_| in_time()));
            let reached = self.reach(until);
            tokio::pin!(reached);
            call = loop {
                tokio::select! {
                    reached = &mut reached => break reached?,
                    code = &mut complete, if exit_code.is_none() => match code {
                        Ok(code) => {
                            exit_code = Some(code);
                            limit.send_replace(in_time());
                        }
                        Err(_) => return Ok(String::new()),
                    },
                }
            };
        }
    }

    /// Calls until it is accepted. `until` may get a limit at any time.
    async fn reach(&self, mut until: watch::Receiver<Option<Instant>>) -> Result<Call, SubmissionError> {
        let begin = Instant::now();
        loop {
            let address = self.address.now();
            let called = tokio::select! {
                called = self.call(&address) => called,
                () = passed(&mut until) => Err(Failed::Broken("it does not answer".to_owned())),
            };
            let why = match called {
                Ok(call) => return Ok(call),
                // Where an ApplicationMaster was, that of another application may be now.
                Err(Failed::Refused(why)) if self.address.lost.is_none() => {
                    return Err(SubmissionError::Refused { address, why });
                }
                Err(Failed::OtherRelease(why)) if self.address.lost.is_none() => {
                    return Err(SubmissionError::OtherRelease { address, why });
                }
                Err(Failed::Refused(why) | Failed::OtherRelease(why) | Failed::Broken(why)) => why,
            };
            self.address.lost.iter().for_each(|lost| lost.notify_one());
            let delay = if begin.elapsed() < RETURN_GRACE { RETRY_DELAY } else { LATE_RETRY_DELAY };
            if until.borrow().is_some_and(|until| Instant::now() + delay >= until) {
                return Err(SubmissionError::Unreachable { address, waited: begin.elapsed(), why });
            }
            sleep(delay).await;
        }
    }

    async fn call(&self, address: &str) -> Result<Call, Failed> {
        let calls = Calls::open(address, &self.access, CONNECT_DEADLINE).await?;
        let (events, queue) = mpsc::unbounded_channel();
        // In the stream before the answer is awaited: the server reads it first. The receiver is right here.
        let _ = events.send(event(Event::Arrive(self.versions.arrive())));
        let request = calls.request(UnboundedReceiverStream::new(queue)).map_err(|s| Failed::from(&s))?;
        let mut client = SubmissionClient::new(calls.channel);
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

/// Waits until there is a limit and it has passed.
async fn passed(until: &mut watch::Receiver<Option<Instant>>) {
    match until.wait_for(Option::is_some).await.map(|until| *until) {
        Ok(Some(until)) => sleep_until(until).await,
        // Nobody is there any more who could set one.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

enum Failed {
    /// A second try would not change it.
    Refused(String),
    OtherRelease(String),
    Broken(String),
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Address => Self::Refused(error.to_string()),
            OpenError::Connect(ConnectError::Plain) => Self::OtherRelease(error.to_string()),
            OpenError::Connect(_) | OpenError::Http2(_) => Self::Broken(error.to_string()),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::Stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;
    use tonic::transport::Server;
    use tonic::{Request, Response};

    use super::*;
    use crate::control::submission_server::{Submission, SubmissionServer};
    use crate::control::{Noted, OpenRequest, Welcome};
    use crate::keys::{ControlKeys, LENGTH, Role};
    use crate::tls::TlsServer;

    /// An ApplicationMaster that notes every end, until it dies.
    #[derive(Clone)]
    struct ApplicationMaster {
        arrived: Arc<Notify>,
        dies: CancellationToken,
    }

    #[tonic::async_trait]
    impl Submission for ApplicationMaster {
        type AttendStream = Pin<Box<dyn Stream<Item = Result<Attended, Status>> + Send>>;

        async fn attend(
            &self,
            request: Request<Streaming<Attending>>,
        ) -> Result<Response<Self::AttendStream>, Status> {
            let (answers, stream) = mpsc::unbounded_channel();
            let mut events = request.into_inner();
            let Self { arrived, dies } = self.clone();
            let answering = async move {
                while let Ok(Some(Attending { event: Some(event) })) = events.message().await {
                    let said = match event {
                        Event::Arrive(_) => {
                            arrived.notify_one();
                            let welcome = Welcome { protocol: SPOKEN.newest, ..Welcome::default() };
                            // The second one is of a type that the client does not know.
                            vec![Some(Answer::Welcome(welcome)), None, Some(Answer::OpenRequests(open()))]
                        }
                        Event::Complete(_) => vec![Some(Answer::Noted(Noted::default()))],
                    };
                    for answer in said {
                        drop(answers.send(Ok(Attended { answer })));
                    }
                }
            };
            tokio::spawn(dies.run_until_cancelled_owned(answering));
            Ok(Response::new(Box::pin(UnboundedReceiverStream::new(stream))))
        }
    }

    /// What this ApplicationMaster waits for.
    fn open() -> OpenRequests {
        OpenRequests { requests: vec![OpenRequest { count: 3, memory_mb: 1024, ..OpenRequest::default() }] }
    }

    /// An ApplicationMaster with these keys, and its address.
    async fn start(keys: &ControlKeys) -> (ApplicationMaster, String) {
        let master = ApplicationMaster { arrived: Arc::default(), dies: CancellationToken::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (plain, incoming) = mpsc::unbounded_channel();
        let server = Server::builder().add_service(SubmissionServer::new(master.clone()));
        let serving = server.serve_with_incoming(UnboundedReceiverStream::new(incoming));
        let (tls, dies) = (TlsServer::new(keys).unwrap(), master.dies.clone());
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok((_, mut secured)) = tls.accept(stream).await else { continue };
                let (near, mut far) = duplex(1 << 16);
                let copying = async move { drop(copy_bidirectional(&mut secured.stream, &mut far).await) };
                tokio::spawn(dies.clone().run_until_cancelled_owned(copying));
                drop(plain.send(Ok::<_, std::io::Error>(near)));
            }
        };
        tokio::spawn(master.dies.clone().run_until_cancelled_owned(accepting));
        tokio::spawn(master.dies.clone().run_until_cancelled_owned(serving));
        (master, address)
    }

    const PATIENCE: Duration = Duration::from_secs(3);

    /// A connection whose ApplicationMaster has been away for longer than it is waited for at the end.
    async fn lost(keys: &ControlKeys) -> (watch::Sender<String>, SubmissionConnection) {
        let (master, address) = start(keys).await;
        let (follow, current) = watch::channel(address);
        let at = ApplicationMasterAddress::followed(current, Arc::default());
        let at = ApplicationMasterAddress { patience: PATIENCE, ..at };
        let connection =
            SubmissionConnection::open_at(at, &keys.access(Role::Client).unwrap()).await.unwrap();
        master.dies.cancel();
        sleep(PATIENCE + Duration::from_secs(1)).await;
        (follow, connection)
    }

    #[tokio::test]
    async fn while_main_runs_the_client_tries_to_come_back_for_as_long_as_it_takes() {
        let keys = ControlKeys::generate([1; LENGTH]).unwrap();
        let (follow, connection) = lost(&keys).await;
        let (master, address) = start(&keys).await;
        follow.send_replace(address);
        timeout(NOTED_WITHIN, master.arrived.notified()).await.unwrap();
        assert_eq!(connection.complete(0).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn the_client_hears_which_requests_are_open() {
        let keys = ControlKeys::generate([1; LENGTH]).unwrap();
        let (_master, address) = start(&keys).await;
        let access = keys.access(Role::Client).unwrap();
        let connection = SubmissionConnection::open(&address, &access).await.unwrap();
        let mut requests = connection.open_requests();
        let told = timeout(NOTED_WITHIN, requests.wait_for(|told| !told.requests.is_empty())).await;
        assert_eq!(*told.unwrap().unwrap(), open());
        assert_eq!(connection.complete(0).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn an_older_heddle_and_a_stranger_are_named() {
        let keys = ControlKeys::generate([1; LENGTH]).unwrap();
        let access = keys.access(Role::Client).unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = plain.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = plain.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"\0\0\x12\x04\0\0\0\0\0").await;
            }
        });
        let error = SubmissionConnection::open(&address, &access).await.unwrap_err();
        assert!(matches!(error, SubmissionError::OtherRelease { .. }), "{error}");
        assert!(error.to_string().contains("older heddle") && !error.retry_helps(), "{error}");
        let (_stranger, address) = start(&ControlKeys::generate([1; LENGTH]).unwrap()).await;
        let error = SubmissionConnection::open(&address, &access).await.unwrap_err();
        assert!(matches!(error, SubmissionError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("was sent nothing"), "{error}");
    }

    #[tokio::test]
    async fn once_main_is_over_it_gives_up() {
        let (_follow, connection) = lost(&ControlKeys::generate([1; LENGTH]).unwrap()).await;
        let begin = Instant::now();
        let error = connection.complete(0).await.unwrap_err();
        assert!(begin.elapsed() < NOTED_WITHIN, "{error}");
        assert!(matches!(error, SubmissionError::Unreachable { .. }), "{error}");
    }
}

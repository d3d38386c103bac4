//! The port on this machine that stands for the JobManager.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flink_rest::{RestAddress, RestError};
use futures::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::end::ApplicationEnd;
use super::peer::{Peer, Peers};
use super::warnings::{About, EVERY, Warnings};
use crate::error::RestFailure;
use crate::timing;

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many connections may be open whose user is not known yet. Anybody can open some, and each takes a file
/// descriptor of this process; the kernel holds those that come meanwhile.
const UNJUDGED: usize = 64;
/// Deadline for a connection to the JobManager.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a connection waits for a JobManager that is being replaced. It is shorter than the time after
/// which Flink's client gives up a connection on which nothing comes (`rest.idleness-timeout`, 5 min).
const REPLACED_WITHIN: Duration = Duration::from_secs(4 * 60);
/// Pause between two tries to reach it.
const TRY_PAUSE: Duration = Duration::from_millis(500);

/// Where the JobManager is.
#[derive(Debug, Clone)]
pub(super) struct JobManagerAddress {
    pub(super) rest: watch::Receiver<RestAddress>,
    /// One that is lost is replaced, maybe at another address.
    pub(super) follows: bool,
    /// After it there is none any more.
    pub(super) end: ApplicationEnd,
    /// Whether TLS begins here: what comes at the port is not encrypted, and the JobManager speaks TLS.
    pub(super) encrypts: bool,
}

/// A connection to the JobManager.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

/// Passes connections on.
pub(super) struct Forwarder {
    /// Tells whose connections are passed on.
    pub(super) peers: Peers,
    /// Hears of connections that are not passed on.
    pub(super) warnings: Arc<Warnings>,
}

impl Forwarder {
    /// Passes connections on to the JobManager; those that come before it is known wait. A connection that
    /// another user of this machine has opened is closed at once, because behind the port is somebody else's
    /// cluster. `lost` is notified when the JobManager cannot be reached. `started` ends with the first
    /// connection.
    pub(super) async fn run(
        self,
        listener: TcpListener,
        address: watch::Receiver<Option<JobManagerAddress>>,
        lost: Arc<Notify>,
        started: timing::Running,
    ) {
        let started = Arc::new(Mutex::new(Some(started)));
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(UNJUDGED));
        let mut times = interval(EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                _ = times.tick() => {
                    this.warnings.time_over();
                    continue;
                }
            };
            let (client, from, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    let text = format!(
                        "cannot accept a connection to the port of this machine that leads to the JobManager: {error}; \
                         it is tried again"
                    );
                    this.warnings.add(About::Port, text);
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (mut address, lost, this) = (address.clone(), Arc::clone(&lost), Arc::clone(&this));
            let started = Arc::clone(&started);
            tokio::spawn(async move {
                let Some(mut client) = this.admitted(client, from).await else { return };
                drop(place);
                if let Some(started) = started.lock().ok().and_then(|mut started| started.take()) {
                    started.end();
                }
                let known = match address.wait_for(Option::is_some).await {
                    Ok(known) => known.clone(),
                    // The deployment was given up.
                    Err(_) => return,
                };
                let Some(address) = known else { return };
                // Without a server Flink's client sees that its connection ends, and tries again.
                match connect(&address, &lost, &this.warnings).await {
                    Ok(Some(mut server)) => {
                        if let Err(error) = copy_bidirectional(&mut client, &mut server).await {
                            tracing::debug!(%error, "connection ended");
                        }
                    }
                    Ok(None) => {}
                    Err(text) => this.warnings.add(About::JobManager, text),
                }
            });
        }
    }

    /// The connection, if it is one of this user's.
    async fn admitted(&self, client: TcpStream, from: SocketAddr) -> Option<TcpStream> {
        let peer = match client.local_addr() {
            Ok(to) => self.peers.who(from, to, || is_closed(&client)).await,
            Err(error) => {
                tracing::debug!(%error, %from, "a connection without an address");
                Peer::Gone
            }
        };
        if peer == Peer::Ours {
            return Some(client);
        }
        self.warnings.add(About::Stranger, turned_away(&peer, from));
        None
    }
}

/// The next connection, and its place among those whose user is not known yet.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (client, from) = listener.accept().await?;
    Ok((client, from, place))
}

/// Whether the other side has closed a connection, as far as this process has heard. What it has sent before
/// may be unread.
fn is_closed(client: &TcpStream) -> bool {
    match client.ready(Interest::READABLE).now_or_never() {
        Some(Ok(ready)) => ready.is_read_closed(),
        Some(Err(_)) => true,
        None => false,
    }
}

/// Why a connection from this address was closed.
fn turned_away(peer: &Peer, from: SocketAddr) -> String {
    match peer {
        Peer::Ours | Peer::Gone => {
            format!(
                "a connection from {from} to the port for the JobManager had ended before heddle found its user"
            )
        }
        Peer::Foreign(uid) => format!(
            "a process of the user with the id {uid} has connected to the port of this machine that leads to the \
             JobManager; its connection was closed"
        ),
        Peer::Unknown(why) => format!(
            "heddle cannot find out which user connects to its port for the JobManager ({why}), so it closes all \
             connections, also that of main(); run the command where /proc is readable, or use yarn-application mode"
        ),
    }
}

/// The warning for an error after which nothing is passed on, with its hints.
fn not_passed_on(error: RestError) -> String {
    let failure = error.failure("what Flink's client has sent is not passed on");
    failure.hints().iter().fold(failure.to_string(), |text, hint| format!("{text}; {hint}"))
}

/// A connection to the JobManager; `None` if there is none any more. It is an error, whose text is a warning,
/// if TLS cannot be spoken with it. Where a lost JobManager is replaced, that is warned of at once, and the
/// next one is waited for: another program may have taken the port of the lost one.
async fn connect(
    address: &JobManagerAddress,
    lost: &Notify,
    warnings: &Warnings,
) -> Result<Option<Box<dyn Connection>>, String> {
    let begin = Instant::now();
    let mut refused = None;
    loop {
        let rest = address.rest.borrow().clone();
        match timeout(CONNECT, open(&rest, address.encrypts)).await {
            Ok(Ok(server)) => return Ok(Some(server)),
            Ok(Err(error)) if !error.retry_helps() => {
                tracing::debug!(%error, "TLS cannot be spoken with the JobManager");
                let text = not_passed_on(error);
                if address.follows && refused.is_none() {
                    warnings.add(
                        About::JobManager,
                        format!("{text}; the connection waits for another JobManager"),
                    );
                }
                refused = Some(text);
            }
            Ok(Err(error)) => tracing::debug!(%error, "the JobManager cannot be reached"),
            Err(_) => tracing::debug!("the JobManager cannot be reached within {} s", CONNECT.as_secs()),
        }
        if !address.follows || begin.elapsed() > REPLACED_WITHIN {
            return refused.map_or(Ok(None), Err);
        }
        if address.end.is_seen() {
            return Ok(None);
        }
        lost.notify_one();
        sleep(TRY_PAUSE).await;
    }
}

async fn open(rest: &RestAddress, encrypts: bool) -> Result<Box<dyn Connection>, RestError> {
    #[expect(clippy::disallowed_methods, reason = "the caller has a deadline for it")]
    let connected = TcpStream::connect((rest.bare_host(), rest.port)).await;
    let stream = connected.map_err(|error| RestError::Connect {
        address: rest.to_string(),
        reason: error.to_string(),
        refused: error.kind() == std::io::ErrorKind::ConnectionRefused,
    })?;
    match &rest.tls {
        Some(tls) if encrypts => Ok(Box::new(tls.encrypt(rest, stream).await?)),
        _ => Ok(Box::new(stream)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use flink_model::ssl::{RestSsl, StoreSettings};
    use flink_rest::Tls;
    use flink_rest::keystore::{KeyEntry, KeyStore};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsAcceptor;
    use yarn_api::records::ApplicationState;

    use super::super::warnings::tests::Told;
    use super::*;
    use crate::deploy::report_in_state;
    use crate::target::HERE;
    use crate::timing::Timing;

    const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flink-rest/src/fixtures/stores");

    #[tokio::test]
    async fn a_jobmanager_is_waited_for_until_the_application_has_ended() {
        let end = ApplicationEnd::new();
        // No program listens at this port.
        let nowhere = RestAddress::plain("127.0.0.1", 1);
        let rest = watch::channel(nowhere).1;
        let address = JobManagerAddress { rest, follows: true, end: end.clone(), encrypts: false };
        let (lost, warnings) = (Notify::new(), Warnings::new(Arc::new(Told::default())));
        let mut connecting = Box::pin(connect(&address, &lost, &warnings));
        assert!(timeout(4 * TRY_PAUSE, &mut connecting).await.is_err(), "it may be replaced");
        end.seen(report_in_state(ApplicationState::Finished, ""));
        let connected = timeout(REPLACED_WITHIN / 4, connecting).await;
        assert!(matches!(connected, Ok(Ok(None))), "it is waited for");
    }

    /// A JobManager that speaks TLS with the key of this keystore, and answers one connection with `ready`.
    async fn job_manager(keystore: &str) -> u16 {
        let content = std::fs::read(format!("{STORES}/{keystore}")).unwrap();
        let mut store = KeyStore::read(&content, "storepass", Some("storepass")).unwrap();
        let KeyEntry { chain, key, .. } = store.keys.remove(0);
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.unwrap()))
            .unwrap();
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
                let mut said = [0; 5];
                stream.read_exact(&mut said).await.unwrap();
                assert_eq!(&said, b"hello");
                stream.write_all(b"ready").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        port
    }

    /// The address of such a JobManager. The truststore is `keystore`, and the name of the host matters.
    async fn over_tls(keystore: &str) -> RestAddress {
        let settings = RestSsl {
            truststore: Some(StoreSettings {
                path: keystore.to_owned(),
                path_key: "security.ssl.rest.truststore",
                password: "storepass".into(),
                password_key: "security.ssl.rest.truststore-password",
            }),
            verify_hostname: true,
            ..RestSsl::default()
        };
        let tls = Some(Tls::of_client(&settings, Path::new(STORES)).unwrap());
        RestAddress { tls, ..RestAddress::plain(HERE, job_manager(keystore).await) }
    }

    /// What Flink's client gets through the port from such a JobManager, and the warnings.
    async fn passed_on(keystore: &str) -> (String, Vec<String>) {
        let (rest, end) = (watch::channel(over_tls(keystore).await).1, ApplicationEnd::new());
        let address = JobManagerAddress { rest, follows: false, end, encrypts: true };
        let told = Arc::new(Told::default());
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let warnings = Warnings::new(Arc::<Told>::clone(&told));
        let forwarder = Forwarder { peers: Peers::of_process(port), warnings };
        let started = Timing::start().step("Flink's client starts");
        let known = watch::channel(Some(address)).1;
        tokio::spawn(forwarder.run(listener, known, Arc::default(), started));
        #[expect(clippy::disallowed_methods, reason = "a connection to this process")]
        let mut client = TcpStream::connect((HERE, port)).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut answer = Vec::new();
        // One that is hung up on may see that as a reset.
        let _ = timeout(CONNECT, client.read_to_end(&mut answer)).await.unwrap();
        let warned = told.0.lock().unwrap().clone();
        (String::from_utf8(answer).unwrap(), warned)
    }

    #[tokio::test]
    async fn where_tls_begins_here_the_name_of_the_host_is_checked() {
        assert_eq!(passed_on("here.p12").await, ("ready".to_owned(), Vec::new()));
        let (answer, warned) = passed_on("rsa.p12").await;
        assert_eq!(answer, "");
        let [warned] = warned.as_slice() else { panic!("{warned:?}") };
        assert!(warned.contains("is not passed on") && warned.contains("is for another host"), "{warned}");
        assert!(warned.contains("SAN=dns:<host>") && !warned.contains("truststore has to hold"), "{warned}");
    }

    #[tokio::test]
    async fn one_with_which_tls_cannot_be_spoken_may_be_replaced_too() {
        let (changed, rest) = watch::channel(over_tls("rsa.p12").await);
        let next = over_tls("here.p12").await;
        let address = JobManagerAddress { rest, follows: true, end: ApplicationEnd::new(), encrypts: true };
        let (told, lost) = (Arc::new(Told::default()), Notify::new());
        let warnings = Warnings::new(Arc::<Told>::clone(&told));
        let replaced = async {
            lost.notified().await;
            changed.send(next).unwrap();
        };
        let both = async { tokio::join!(connect(&address, &lost, &warnings), replaced) };
        let (connected, ()) = timeout(CONNECT, both).await.unwrap();
        let Ok(Some(mut server)) = connected else { panic!("there is another one") };
        server.write_all(b"hello").await.unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "ready");
        let warned = told.0.lock().unwrap().clone();
        assert!(matches!(warned.as_slice(), [one] if one.contains("is for another host")), "{warned:?}");
    }

    async fn client_of(listener: &TcpListener) -> TcpStream {
        #[expect(clippy::disallowed_methods, reason = "a connection to this process")]
        TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_so_many_connections_are_open_whose_user_is_not_known() {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let places = Arc::new(Semaphore::new(2));
        let _clients = [client_of(&listener).await, client_of(&listener).await, client_of(&listener).await];
        let first = accept(&listener, &places).await.unwrap();
        let _second = accept(&listener, &places).await.unwrap();
        let mut third = Box::pin(accept(&listener, &places));
        assert!(timeout(TRY_PAUSE / 2, &mut third).await.is_err(), "all places are taken");
        drop(first);
        assert!(timeout(CONNECT, third).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_connection_that_the_other_side_has_closed_is_known() {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let mut client = client_of(&listener).await;
        let (accepted, from) = listener.accept().await.unwrap();
        client.write_all(b"hello").await.unwrap();
        sleep(TRY_PAUSE / 10).await;
        assert!(!is_closed(&accepted));
        drop(client);
        sleep(TRY_PAUSE / 10).await;
        assert!(is_closed(&accepted), "what was sent is not read yet");
        let told = turned_away(&Peer::Gone, from);
        assert!(told.contains(&format!("from {from} ")) && told.contains("had ended before"), "{told}");
    }

    #[test]
    fn where_no_user_can_be_known_it_is_told_what_to_do() {
        let why = "cannot read /proc/net/tcp: permission denied";
        let told = turned_away(&Peer::Unknown(why.to_owned()), "127.0.0.1:5000".parse().unwrap());
        assert!(told.contains(&format!("({why})")) && told.contains("use yarn-application mode"), "{told}");
    }
}

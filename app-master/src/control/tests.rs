use super::pace::Rate;
use super::*;
use taskrunner::auth::{self, PROTOCOL};
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::{Command, Event, Exited, Hello, Ping, Refusal, Started};
use taskrunner::keys::{Access, Binding, LENGTH, Pin, Role};
use taskrunner::tls::{self, CallerStream, ConnectError, Purpose, Secured};
use taskrunner::wire::{LARGEST, LARGEST_HELLO, Reader, Writer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::cluster_service::ClusterService;
use crate::ledger::types::container_id;
use crate::submission::service::SubmissionService;
use crate::timeline::Timeline;

/// On a machine that does much else at the same time, a second can go by between two steps.
const QUICK: Liveness = Liveness { ping: Duration::from_millis(300), silence: Duration::from_secs(3) };
const WITHIN: Duration = Duration::from_secs(30);
/// What the server knows of its application.
const ACCOUNT: &[u8] = b"{}";
/// As many handshakes as an address likes.
const UNLIMITED: Rate = Rate { burst: u32::MAX, each: Duration::from_nanos(1) };

type Events = mpsc::UnboundedReceiver<ControlEvent>;

/// A server that runs.
struct Server {
    control: Control,
    port: u16,
    events: Events,
}

impl Server {
    /// It holds the container `c1`.
    async fn start(liveness: Liveness) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), UNLIMITED, liveness)
    }

    /// One that lets an address begin so many handshakes.
    fn start_on(listener: TcpListener, handshakes: Rate, liveness: Liveness) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let tell = Box::new(move |event| drop(sender.send(event)));
        let keys = Arc::new(ControlKeys::generate([7; LENGTH]).unwrap());
        // The second attempt.
        let this = ApplicationAttemptId { attempt: 2, ..c1().attempt_id };
        let control = Control::with_liveness(liveness, keys, this, tell);
        control.expect(c1());
        let port = listener.local_addr().unwrap().port();
        let submission = SubmissionService::refused();
        let account = |_| -> futures::future::BoxFuture<'static, Vec<u8>> {
            Box::pin(std::future::ready(ACCOUNT.to_vec()))
        };
        let cluster = ClusterService::new(Timeline::start(), Arc::new(account));
        let serving = control.clone().serve_at(handshakes, listener, submission, cluster);
        tokio::spawn(serving);
        Self { control, port, events }
    }

    fn access(&self, role: Role) -> Access {
        self.control.inner.keys.access(role).unwrap()
    }

    fn worker(&self, container: ContainerId) -> Access {
        self.access(Role::Worker(container.to_string()))
    }

    async fn connect(&self, pin: &Pin) -> Result<Secured<CallerStream>, ConnectError> {
        let address = format!("127.0.0.1:{}", self.port);
        tls::connect(&address, Purpose::Link, pin, WITHIN).await
    }

    /// Opens a link that begins with what `hello` makes of the container's right one.
    async fn link(
        &self,
        container: ContainerId,
        liveness: Liveness,
        hello: impl FnOnce(Hello, &Binding) -> Hello,
    ) -> Result<Runner, (Refusal, String)> {
        let access = self.worker(container);
        let secured = self.connect(access.pin()).await.unwrap();
        let right = auth::hello(&access, &secured.binding, &container.to_string(), "h", 0);
        let hello = hello(right, &secured.binding);
        let (read, write) = tokio::io::split(secured.stream);
        let (reader, writer) = (Reader::new(read, LARGEST, liveness), Writer::new(write, liveness));
        let mut runner = Runner { reader, writer };
        runner.writer.send(&Event { event: Some(EventKind::Hello(hello)) }).await.unwrap();
        match runner.next().await {
            Some(CommandKind::Accepted(_)) => Ok(runner),
            Some(CommandKind::Refused(refused)) => {
                assert!(runner.next().await.is_none(), "a refusal ends the link");
                Err((refused.why(), refused.message))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn linked(&self, jvm_pid: u32) -> Runner {
        self.link(c1(), Liveness::default(), |hello, _| Hello { jvm_pid, ..hello }).await.unwrap()
    }
}

/// A taskrunner's side.
struct Runner {
    reader: Reader<ReadHalf<CallerStream>>,
    writer: Writer<WriteHalf<CallerStream>>,
}

impl Runner {
    async fn say(&mut self, event: EventKind) {
        self.writer.send(&Event { event: Some(event) }).await.unwrap();
    }

    async fn next(&mut self) -> Option<CommandKind> {
        self.reader.next::<Command>().await.unwrap().map(|command| command.command.unwrap())
    }
}

/// Of the second attempt, as those that follow.
fn c(number: u32) -> ContainerId {
    let of_first = container_id(&format!("c{number}"));
    ContainerId { attempt_id: ApplicationAttemptId { attempt: 2, ..of_first.attempt_id }, ..of_first }
}

fn c1() -> ContainerId {
    c(1)
}

#[tokio::test]
async fn a_taskrunner_gets_its_launch_command_and_its_report_arrives() {
    let mut server = Server::start(Liveness::default()).await;
    let control = server.control.clone();
    control.launch(c1(), || Launch { main_class: "M".into(), ..Launch::default() });
    let mut runner = server.linked(0).await;
    assert_eq!(
        server.events.recv().await,
        Some(ControlEvent::Connected { container: c1(), has_launch: true })
    );
    assert!(matches!(runner.next().await, Some(CommandKind::Launch(launch)) if launch.main_class == "M"));
    runner.say(EventKind::Started(Started { jvm_pid: 9, at_unix_ms: 0 })).await;
    assert_eq!(server.events.recv().await, Some(ControlEvent::Started { container: c1(), pid: 9 }));
    assert!(control.is_connected(c1()));
    assert!(control.stop(c1(), Duration::from_secs(1), "enough"));
    assert!(matches!(runner.next().await, Some(CommandKind::Stop(Stop { grace_ms: 1000, .. }))));
    runner
        .say(EventKind::Exited(Exited { code: Some(0), summary: "done".into(), ..Exited::default() }))
        .await;
    assert!(
        matches!(server.events.recv().await, Some(ControlEvent::Exited { report, .. }) if report.summary == "done")
    );
    runner.writer.end().await.unwrap();
    assert!(runner.next().await.is_none(), "our half ends when theirs does");
    assert_eq!(server.events.recv().await, Some(ControlEvent::Lost(c1())));
    assert!(!control.is_connected(c1()));
    assert!(!control.stop(c1(), Duration::ZERO, ""));
    control.forget(c1());
    assert!(control.peers().is_empty());
}

#[tokio::test]
async fn commands_reach_a_taskrunner_that_waits_for_them() {
    let mut server = Server::start(Liveness::default()).await;
    let control = server.control.clone();
    let mut runner = server.linked(0).await;
    assert_eq!(
        server.events.recv().await,
        Some(ControlEvent::Connected { container: c1(), has_launch: false })
    );
    control.wait(c1());
    control.launch(c1(), Launch::default);
    control.stop(c1(), Duration::ZERO, "enough");
    assert!(matches!(runner.next().await, Some(CommandKind::Wait(_))));
    assert!(matches!(runner.next().await, Some(CommandKind::Launch(_))));
    assert!(matches!(runner.next().await, Some(CommandKind::Stop(_))));
    // What is large goes through at once.
    let class_list = "x".repeat(3 << 20);
    let (sender, mut recorded) = mpsc::channel(1);
    control.on_recorded(sender);
    runner.say(EventKind::Recorded(Recorded { java: "17".into(), class_list })).await;
    assert_eq!(recorded.recv().await.unwrap().class_list.len(), 3 << 20);
}

#[tokio::test]
async fn a_taskrunner_whose_container_is_gone_may_disconnect_without_being_missed() {
    let mut server = Server::start(Liveness::default()).await;
    let control = server.control.clone();
    let mut runner = server.linked(5).await;
    assert!(matches!(server.events.recv().await, Some(ControlEvent::Connected { .. })));
    control.stop(c1(), Duration::ZERO, "enough");
    control.forget(c1());
    assert!(matches!(runner.next().await, Some(CommandKind::Stop(_))), "the stop still arrives");
    runner.writer.end().await.unwrap();
    assert!(runner.next().await.is_none());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(control.peers().is_empty() && server.events.try_recv().is_err());
}

#[tokio::test]
async fn each_taskrunner_is_only_its_own_and_only_on_its_own_connection() {
    let mut server = Server::start(Liveness::default()).await;
    let control = server.control.clone();
    let (two, stranger) = (server.worker(c(2)), server.access(Role::Client));
    control.expect(c(2));
    // What was said on another connection is of no use on this one.
    let mut overheard = Vec::new();
    let _first = server
        .link(c1(), Liveness::default(), |hello, _| {
            overheard.clone_from(&hello.proof);
            hello
        })
        .await
        .unwrap();
    assert!(matches!(server.events.recv().await, Some(ControlEvent::Connected { .. })));
    let link = async |change: &(dyn Fn(Hello, &Binding) -> Hello + Sync)| {
        server.link(c1(), Liveness::default(), |hello, binding| change(hello, binding)).await.err().unwrap()
    };
    for (refusal, message) in [
        link(&|hello, _| Hello { proof: overheard.clone(), ..hello }).await,
        link(&|hello, binding| Hello { proof: two.prove(binding), ..hello }).await,
        link(&|hello, binding| Hello { proof: stranger.prove(binding), ..hello }).await,
        link(&|hello, _| Hello { container_id: c(2).to_string(), ..hello }).await,
        link(&|hello, _| Hello { container_id: String::new(), ..hello }).await,
        link(&|hello, _| Hello { proof: Vec::new(), ..hello }).await,
    ] {
        assert!(refusal == Refusal::Unauthenticated && message.contains("key"), "{message}");
    }
    let (refusal, message) = link(&|hello, _| Hello { protocol: PROTOCOL + 1, ..hello }).await;
    assert!(refusal == Refusal::OtherRelease && message.contains("of one release"), "{message}");
    assert!(server.events.try_recv().is_err());
}

#[tokio::test]
async fn only_containers_that_are_held_may_connect_and_those_of_an_earlier_attempt() {
    let mut server = Server::start(Liveness::default()).await;
    let refused = |result: Result<Runner, (Refusal, String)>| result.err().unwrap().0;
    let same = |hello: Hello, _: &Binding| hello;
    assert_eq!(refused(server.link(c(2), Liveness::default(), same).await), Refusal::NotHeld);
    let later = ContainerId { attempt_id: ApplicationAttemptId { attempt: 3, ..c1().attempt_id }, ..c1() };
    assert_eq!(refused(server.link(later, Liveness::default(), same).await), Refusal::NotHeld);
    let other = "container_1_0002_01_000001".parse().unwrap();
    assert_eq!(refused(server.link(other, Liveness::default(), same).await), Refusal::NotHeld);
    server.control.forget(c1());
    assert_eq!(refused(server.link(c1(), Liveness::default(), same).await), Refusal::NotHeld);
    assert!(server.events.try_recv().is_err() && server.control.peers().is_empty());
    // The ResourceManager may name it later.
    let earlier = container_id("c5");
    let _early = server.link(earlier, Liveness::default(), same).await.unwrap();
    let connected = ControlEvent::Connected { container: earlier, has_launch: false };
    assert_eq!(server.events.recv().await, Some(connected));
}

#[tokio::test]
async fn a_second_link_takes_over() {
    let mut server = Server::start(Liveness::default()).await;
    let mut first = server.linked(5).await;
    let connected = ControlEvent::Connected { container: c1(), has_launch: true };
    assert_eq!(server.events.recv().await, Some(connected.clone()));
    let _second = server.linked(5).await;
    assert_eq!(server.events.recv().await, Some(connected));
    assert!(first.next().await.is_none());
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(server.events.try_recv().is_err(), "the end of a replaced link is no loss");
}

#[tokio::test]
async fn who_hangs_or_is_cut_off_is_lost_and_who_pings_is_not() {
    let mut server = Server::start(QUICK).await;
    let control = server.control.clone();
    let mut runner = server.link(c1(), QUICK, |hello, _| Hello { jvm_pid: 5, ..hello }).await.unwrap();
    server.events.recv().await.unwrap();
    for _ in 0..8 {
        tokio::time::sleep(QUICK.ping).await;
        runner.say(EventKind::Ping(Ping {})).await;
        assert!(matches!(runner.next().await, Some(CommandKind::Ping(_))), "the server is heard, too");
    }
    assert!(server.events.try_recv().is_err());
    // Its host is gone without a word: the connection stays open for us.
    assert_eq!(server.events.recv().await, Some(ControlEvent::Lost(c1())));
    assert!(!control.stop(c1(), Duration::ZERO, ""));

    let mut runner = server.linked(5).await;
    server.events.recv().await.unwrap();
    // It sends, and reads nothing: what is for it does not fit any more at some time.
    control.launch(c1(), || Launch { main_class: "x".repeat(12 << 20), ..Launch::default() });
    let sends = async {
        loop {
            tokio::time::sleep(QUICK.ping).await;
            // Until the server has had enough.
            let ping = Event { event: Some(EventKind::Ping(Ping {})) };
            if runner.writer.send(&ping).await.is_err() {
                break;
            }
        }
    };
    // Its JVM runs already, but the command was given while it was connected.
    let (_, lost) = tokio::join!(sends, server.events.recv());
    assert_eq!(lost, Some(ControlEvent::Lost(c1())));
}

/// Whether the other side ends the connection within the time.
async fn ends(stream: &mut (impl tokio::io::AsyncRead + Unpin), within: Duration) -> bool {
    let mut answer = Vec::new();
    // A reset is an end, too.
    tokio::time::timeout(within, stream.read_to_end(&mut answer)).await.is_ok()
}

#[tokio::test]
async fn garbage_is_hung_up_on_and_harms_nobody() {
    let mut server = Server::start(Liveness::default()).await;
    let mut good = server.linked(5).await;
    server.events.recv().await.unwrap();
    let pin = server.control.inner.keys.pin();
    // In plain text, as an older heddle speaks, or somebody else.
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"hdl\0\0\0\0\x10................",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0x16, 3, 1, 0xff, 0xff, 1],
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(ends(&mut stream, WITHIN).await, "{bytes:?}");
    }
    // Encrypted.
    let too_large = u32::try_from(LARGEST_HELLO + 1).unwrap().to_be_bytes();
    for bytes in [&[][..], &[0, 0, 0, 2, 0xff, 0xff], &too_large, &[0, 0, 0, 2, 0x1a, 0], &[0, 0]] {
        let mut stream = server.connect(&pin).await.unwrap().stream;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(WITHIN, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(String::from_utf8_lossy(&answer).contains("no hello"), "{bytes:?}");
    }
    // Also from a taskrunner that was fine so far.
    good.say(EventKind::Started(Started { jvm_pid: 9, at_unix_ms: 0 })).await;
    assert_eq!(server.events.recv().await, Some(ControlEvent::Started { container: c1(), pid: 9 }));
    drop(good);
    assert_eq!(server.events.recv().await, Some(ControlEvent::Lost(c1())));
    let secured = server.connect(&pin).await.unwrap();
    let hello = auth::hello(&server.worker(c1()), &secured.binding, &c1().to_string(), "h", 5);
    let mut stream = secured.stream;
    Writer::new(&mut stream, QUICK).send(&Event { event: Some(EventKind::Hello(hello)) }).await.unwrap();
    assert!(matches!(server.events.recv().await, Some(ControlEvent::Connected { .. })));
    stream.write_all(&[0xff; 8]).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(server.events.recv().await, Some(ControlEvent::Lost(c1())));
}

#[tokio::test]
async fn a_connection_that_does_not_prove_who_it_is_is_kept_for_seconds_only() {
    let server = Server::start(Liveness::default()).await;
    let pin = server.control.inner.keys.pin();
    let address = format!("127.0.0.1:{}", server.port);
    let silent = async {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        assert!(ends(&mut stream, WITHIN).await, "silent");
    };
    let slow = async {
        let (mut read, mut write) = TcpStream::connect(&address).await.unwrap().into_split();
        let begin = tokio::time::Instant::now();
        // The greeting of TLS says that two hundred bytes follow.
        for byte in [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3].into_iter().chain(std::iter::repeat(0)) {
            let over = write.write_all(&[byte]).await.is_err();
            if over || tokio::time::timeout(Duration::from_millis(500), read.read_u8()).await.is_ok() {
                break;
            }
            assert!(begin.elapsed() < WITHIN, "a byte each half second");
        }
    };
    let encrypted = async {
        let mut stream = server.connect(&pin).await.unwrap().stream;
        assert!(ends(&mut stream, WITHIN).await, "says nothing on its link");
    };
    let http2 = async {
        let mut stream = tls::connect(&address, Purpose::Grpc, &pin, WITHIN).await.unwrap().stream;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream.flush().await.unwrap();
        assert!(ends(&mut stream, WITHIN).await, "makes no call");
    };
    tokio::join!(silent, slow, encrypted, http2);
}

/// A caller that asks for answers and reads none, so that the server can neither write nor, as HTTP/2 goes,
/// read. The checks of HTTP/2 whether a caller is alive do not end its connection.
#[tokio::test]
async fn a_client_that_reads_nothing_is_kept_no_longer_than_others() {
    // Connections have the small buffer of their listener, which is soon full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let server = Server::start_on(socket.listen(16).unwrap(), UNLIMITED, Liveness::default());
    let address = format!("127.0.0.1:{}", server.port);
    let begin = tokio::time::Instant::now();
    let pin = server.control.inner.keys.pin();
    let mut stream = tls::connect(&address, Purpose::Grpc, &pin, WITHIN).await.unwrap().stream;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let pings = b"\0\0\x08\x06\0\0\0\0\0heddle17".repeat(200);
    let sent = async {
        // In pieces, so that the server still reads when it has no place for an answer. A frame that is not
        // sent as a whole would be the end for another reason.
        while stream.write_all(&pings).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(WITHIN, sent).await.is_ok(), "it is still connected");
    let kept = begin.elapsed();
    assert!(Duration::from_secs(5) < kept && kept < Duration::from_secs(15), "{kept:?}");
}

#[tokio::test]
async fn an_address_makes_so_many_handshakes_and_no_more() {
    let rate = Rate { burst: 3, each: Duration::from_secs(3600) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start_on(listener, rate, Liveness::default());
    let pin = server.control.inner.keys.pin();
    // One that says nothing costs no handshake.
    let _silent = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    for _ in 0..3 {
        server.connect(&pin).await.unwrap();
    }
    let refused = server.connect(&pin).await;
    assert!(matches!(refused, Err(ConnectError::HungUp | ConnectError::Io(_))), "{:?}", refused.err());
}

#[tokio::test]
async fn two_thousand_silent_connections_keep_nobody_out() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let mut server = Server::start(Liveness::default()).await;
    let mut silent = Vec::new();
    for _ in 0..2000 {
        silent.push(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    }
    let begin = tokio::time::Instant::now();
    let mut tries = 0;
    // One that is turned away because all others are young tries again, as taskrunners do.
    let runner = loop {
        tries += 1;
        let access = server.worker(c1());
        match server.connect(access.pin()).await {
            Ok(_) => break server.linked(5).await,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
        assert!(begin.elapsed() < WITHIN);
    };
    assert!(matches!(server.events.recv().await, Some(ControlEvent::Connected { .. })));
    println!("a link after {:?} and {tries} tries", begin.elapsed());
    drop(runner);
    let mut left = 0;
    for stream in &mut silent {
        left += usize::from(!ends(stream, Duration::from_secs(10)).await);
    }
    assert_eq!(left, 0, "silent ones that are still there");
}

#[tokio::test]
async fn who_pins_another_certificate_sends_nothing() {
    let server = Server::start(Liveness::default()).await;
    let other = ControlKeys::generate([7; LENGTH]).unwrap().pin();
    assert!(matches!(server.connect(&other).await, Err(ConnectError::Stranger)));
}

#[tokio::test]
async fn grpc_is_spoken_on_the_same_port_by_the_client_alone() {
    let server = Server::start(Liveness::default()).await;
    let address = format!("127.0.0.1:{}", server.port);
    let told = taskrunner::timeline::ask(&address, &server.access(Role::Client)).await.unwrap();
    assert!(told.reply.now_unix_ms > 0);
    let account = taskrunner::account::ask(&address, &server.access(Role::Client), Vec::new()).await.unwrap();
    assert_eq!(account, ACCOUNT);
    for other in [server.worker(c1()), server.worker(c(2))] {
        let error = taskrunner::timeline::ask(&address, &other).await.unwrap_err();
        assert!(error.why.contains("Unauthenticated"), "{error}");
        let error = taskrunner::account::ask(&address, &other, Vec::new()).await.unwrap_err();
        assert!(error.why.contains("Unauthenticated"), "{error}");
        let opened = taskrunner::submission::SubmissionConnection::open(&address, &other).await;
        let error = opened.unwrap_err();
        assert!(!error.retry_helps() && error.to_string().contains("only the client"), "{error}");
    }
}

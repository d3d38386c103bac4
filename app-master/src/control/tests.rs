use super::*;
use taskrunner::auth::PROTOCOL;
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::{Command, Event, Exited, Hello, Ping, Refusal, Started};
use taskrunner::wire::{LARGEST, LARGEST_HELLO, MAGIC, Reader, Writer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::ledger::types::container_id;
use crate::submission::service::SubmissionService;
use crate::timeline::Timeline;

/// On a machine that does much else at the same time, a second can go by between two steps.
const QUICK: Liveness = Liveness { ping: Duration::from_millis(300), silence: Duration::from_secs(3) };

type Events = mpsc::UnboundedReceiver<ControlEvent>;

async fn start(liveness: Liveness) -> (Control, u16, Events) {
    let (sender, events) = mpsc::unbounded_channel();
    let tell = Box::new(move |event| drop(sender.send(event)));
    let control = Control::with_liveness(liveness, b"secret".to_vec(), tell);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let submission = SubmissionService::refused(b"secret".to_vec());
    tokio::spawn(control.clone().serve(listener, submission, Timeline::start()));
    (control, port, events)
}

/// A taskrunner's side.
struct Runner {
    reader: Reader<OwnedReadHalf>,
    writer: Writer<OwnedWriteHalf>,
}

impl Runner {
    async fn connect(port: u16, liveness: Liveness, hello: Hello) -> Result<Self, (Refusal, String)> {
        let (read, write) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
        let (reader, writer) = (Reader::new(read, LARGEST, liveness), Writer::new(write, liveness));
        let mut runner = Self { reader, writer };
        runner.writer.open(&Event { event: Some(EventKind::Hello(hello)) }).await.unwrap();
        match runner.next().await {
            Some(CommandKind::Accepted(_)) => Ok(runner),
            Some(CommandKind::Refused(refused)) => {
                assert!(runner.next().await.is_none(), "a refusal ends the link");
                Err((refused.why(), refused.message))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn linked(port: u16, jvm_pid: u32) -> Self {
        Self::connect(port, Liveness::default(), hello(jvm_pid)).await.unwrap()
    }

    async fn say(&mut self, event: EventKind) {
        self.writer.send(&Event { event: Some(event) }).await.unwrap();
    }

    async fn next(&mut self) -> Option<CommandKind> {
        self.reader.next::<Command>().await.unwrap().map(|command| command.command.unwrap())
    }
}

fn hello(jvm_pid: u32) -> Hello {
    let secret = b"secret".to_vec();
    Hello { protocol: PROTOCOL, container_id: c1().to_string(), host: "h".into(), jvm_pid, secret }
}

fn c1() -> ContainerId {
    container_id("c1")
}

#[tokio::test]
async fn a_taskrunner_gets_its_launch_command_and_its_report_arrives() {
    let (control, port, mut events) = start(Liveness::default()).await;
    control.launch(c1(), || Launch { main_class: "M".into(), ..Launch::default() });
    let mut runner = Runner::linked(port, 0).await;
    assert_eq!(events.recv().await, Some(ControlEvent::Connected { container: c1(), has_launch: true }));
    assert!(matches!(runner.next().await, Some(CommandKind::Launch(launch)) if launch.main_class == "M"));
    runner.say(EventKind::Started(Started { jvm_pid: 9, at_unix_ms: 0 })).await;
    assert_eq!(events.recv().await, Some(ControlEvent::Started { container: c1(), pid: 9 }));
    assert!(control.is_connected(c1()));
    assert!(control.stop(c1(), Duration::from_secs(1), "enough"));
    assert!(matches!(runner.next().await, Some(CommandKind::Stop(Stop { grace_ms: 1000, .. }))));
    runner
        .say(EventKind::Exited(Exited { code: Some(0), summary: "done".into(), ..Exited::default() }))
        .await;
    assert!(
        matches!(events.recv().await, Some(ControlEvent::Exited { report, .. }) if report.summary == "done")
    );
    runner.writer.end().await.unwrap();
    assert!(runner.next().await.is_none(), "our half ends when theirs does");
    assert_eq!(events.recv().await, Some(ControlEvent::Lost(c1())));
    assert!(!control.is_connected(c1()));
    assert!(!control.stop(c1(), Duration::ZERO, ""));
    control.forget(c1());
    assert!(control.peers().is_empty());
}

#[tokio::test]
async fn commands_reach_a_taskrunner_that_waits_for_them() {
    let (control, port, mut events) = start(Liveness::default()).await;
    let mut runner = Runner::linked(port, 0).await;
    assert_eq!(events.recv().await, Some(ControlEvent::Connected { container: c1(), has_launch: false }));
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
    let (control, port, mut events) = start(Liveness::default()).await;
    let mut runner = Runner::linked(port, 5).await;
    assert!(matches!(events.recv().await, Some(ControlEvent::Connected { .. })));
    control.stop(c1(), Duration::ZERO, "enough");
    control.forget(c1());
    assert!(matches!(runner.next().await, Some(CommandKind::Stop(_))), "the stop still arrives");
    runner.writer.end().await.unwrap();
    assert!(runner.next().await.is_none());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(control.peers().is_empty() && events.try_recv().is_err());
}

#[tokio::test]
async fn strangers_are_refused_and_a_second_link_takes_over() {
    let (_control, port, mut events) = start(Liveness::default()).await;
    for (change, why, word) in [
        (Hello { secret: b"other".to_vec(), ..hello(0) }, Refusal::Unauthenticated, "secret"),
        (Hello { protocol: PROTOCOL + 1, ..hello(0) }, Refusal::OtherRelease, "of one release"),
        (Hello { container_id: String::new(), ..hello(0) }, Refusal::BadHello, "container"),
    ] {
        let (refusal, message) =
            Runner::connect(port, Liveness::default(), change).await.err().expect("a refusal");
        assert!(refusal == why && message.contains(word), "{message}");
    }
    let mut first = Runner::linked(port, 5).await;
    let connected = ControlEvent::Connected { container: c1(), has_launch: true };
    assert_eq!(events.recv().await, Some(connected.clone()));
    let _second = Runner::linked(port, 5).await;
    assert_eq!(events.recv().await, Some(connected));
    assert!(first.next().await.is_none());
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(events.try_recv().is_err(), "the end of a replaced link is no loss");
}

#[tokio::test]
async fn who_hangs_or_is_cut_off_is_lost_and_who_pings_is_not() {
    let (control, port, mut events) = start(QUICK).await;
    let mut runner = Runner::connect(port, QUICK, hello(5)).await.unwrap();
    events.recv().await.unwrap();
    for _ in 0..8 {
        tokio::time::sleep(QUICK.ping).await;
        runner.say(EventKind::Ping(Ping {})).await;
        assert!(matches!(runner.next().await, Some(CommandKind::Ping(_))), "the server is heard, too");
    }
    assert!(events.try_recv().is_err());
    // Its host is gone without a word: the connection stays open for us.
    assert_eq!(events.recv().await, Some(ControlEvent::Lost(c1())));
    assert!(!control.stop(c1(), Duration::ZERO, ""));

    let mut runner = Runner::connect(port, Liveness::default(), hello(5)).await.unwrap();
    events.recv().await.unwrap();
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
    let (_, lost) = tokio::join!(sends, events.recv());
    assert_eq!(lost, Some(ControlEvent::Lost(c1())));
}

#[tokio::test]
async fn garbage_is_hung_up_on_and_harms_nobody() {
    let (_control, port, mut events) = start(Liveness::default()).await;
    let mut good = Runner::linked(port, 5).await;
    events.recv().await.unwrap();
    let too_large = u32::try_from(LARGEST_HELLO + 1).unwrap().to_be_bytes();
    let framed = |bytes: &[u8]| [&MAGIC[..], bytes].concat();
    let memory = [0, 0, 0, 2, 0x1a, 0];
    for (bytes, answered) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        (framed(&[]), true),
        (framed(&[0, 0, 0, 2, 0xff, 0xff]), true),
        (framed(&too_large), true),
        (framed(&memory), true),
        (framed(&[0, 0]), true),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end, too.
        let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer).contains("no hello"), answered, "{bytes:?}");
    }
    // Also from a taskrunner that was fine so far.
    good.say(EventKind::Started(Started { jvm_pid: 9, at_unix_ms: 0 })).await;
    assert_eq!(events.recv().await, Some(ControlEvent::Started { container: c1(), pid: 9 }));
    drop(good);
    assert_eq!(events.recv().await, Some(ControlEvent::Lost(c1())));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    Writer::new(&mut stream, QUICK).open(&Event { event: Some(EventKind::Hello(hello(5))) }).await.unwrap();
    assert!(matches!(events.recv().await, Some(ControlEvent::Connected { .. })));
    stream.write_all(&[0xff; 8]).await.unwrap();
    assert_eq!(events.recv().await, Some(ControlEvent::Lost(c1())));
}

#[tokio::test]
async fn a_connection_that_says_little_is_kept_for_seconds_only() {
    let (_control, port, mut events) = start(QUICK).await;
    // Silence behind the magic; the wait for a hello is longer than a silent link may be.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(&MAGIC).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("nothing was heard"));
    // The magic may come in pieces.
    let (read, mut write) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
    for byte in MAGIC {
        write.write_all(&[byte]).await.unwrap();
        write.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Writer::new(write, QUICK).send(&Event { event: Some(EventKind::Hello(hello(5))) }).await.unwrap();
    assert!(matches!(events.recv().await, Some(ControlEvent::Connected { .. })));
    drop(read);
}

#[tokio::test]
async fn grpc_is_spoken_on_the_same_port() {
    let (_control, port, _events) = start(Liveness::default()).await;
    let address = format!("127.0.0.1:{port}");
    let told = taskrunner::timeline::ask(&address, b"secret").await.unwrap();
    assert!(told.reply.now_unix_ms > 0);
    let error = taskrunner::timeline::ask(&address, b"other").await.unwrap_err();
    assert!(error.why.contains("Unauthenticated"), "{error}");
}

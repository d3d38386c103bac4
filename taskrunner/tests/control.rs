//! The binary against a small server of our own protocol, with real JVMs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::pin::Pin;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{classes, eventually, group_of, is_alive, taskrunner};
use futures::Stream;
use hadoop_rpc::{Credentials, TokenFormat};
use rustix::process::{Pid, Signal, kill_process};
use taskrunner::auth;
use taskrunner::control::command::Command as Order;
use taskrunner::control::control_server::{Control, ControlServer};
use taskrunner::control::event::Event as Kind;
use taskrunner::control::{Command, Event, Exited, File, Launch, OutOfMemory, Stop};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

const SECRET: &[u8] = b"\x00the secret\xff";

type Orders = Arc<Mutex<Option<mpsc::Sender<Result<Command, Status>>>>>;

struct Service {
    events: mpsc::UnboundedSender<Kind>,
    orders: Orders,
}

#[tonic::async_trait]
impl Control for Service {
    type SuperviseStream = Pin<Box<dyn Stream<Item = Result<Command, Status>> + Send>>;

    async fn supervise(
        &self,
        request: Request<Streaming<Event>>,
    ) -> Result<Response<Self::SuperviseStream>, Status> {
        assert_eq!(auth::check(request.metadata(), SECRET)?, "container_1");
        let (sender, orders) = mpsc::channel(8);
        *self.orders.lock().unwrap() = Some(sender);
        let (events, all_orders) = (self.events.clone(), self.orders.clone());
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(Event { event: Some(event) })) = incoming.next().await {
                let _ = events.send(event);
            }
            *all_orders.lock().unwrap() = None;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(orders))))
    }
}

/// What the ApplicationMaster is to a taskrunner.
struct Am {
    port: u16,
    events: mpsc::UnboundedReceiver<Kind>,
    orders: Orders,
    _stop: oneshot::Sender<()>,
}

impl Am {
    async fn start(port: u16) -> Am {
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => break listener,
                Err(_) if port != 0 => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        };
        let port = listener.local_addr().unwrap().port();
        let (sender, events) = mpsc::unbounded_channel();
        let orders = Orders::default();
        let service = ControlServer::new(Service { events: sender, orders: orders.clone() });
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            tokio::select! {
                result = server.serve_with_incoming(TcpListenerStream::new(listener)) => result.unwrap(),
                _ = stopped => {}
            }
        });
        Am { port, events, orders, _stop: stop }
    }

    /// The next event that is no memory sample.
    async fn event(&mut self) -> Kind {
        let next = async {
            loop {
                match self.events.recv().await.unwrap() {
                    Kind::Memory(_) => {}
                    other => return other,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), next).await.expect("an event in time")
    }

    async fn hello(&mut self) -> u32 {
        let Kind::Hello(hello) = self.event().await else { panic!("Hello comes first") };
        assert_eq!((hello.protocol, hello.container_id.as_str()), (auth::PROTOCOL, "container_1"));
        assert_eq!(hello.host, "node1");
        hello.jvm_pid
    }

    async fn order(&self, order: Order) {
        eventually("a call is open", || self.orders.lock().unwrap().is_some());
        let sender = self.orders.lock().unwrap().clone().unwrap();
        sender.send(Ok(Command { command: Some(order) })).await.unwrap();
    }

    async fn launch(&mut self, jvm_args: &[&str], args: &[&str]) -> u32 {
        self.order(Order::Launch(launch(jvm_args, args))).await;
        let Kind::Started(started) = self.event().await else { panic!("Started follows") };
        started.jvm_pid
    }

    async fn exited(&mut self) -> Exited {
        match self.event().await {
            Kind::Exited(exited) => exited,
            other => panic!("{other:?}"),
        }
    }
}

fn launch(jvm_args: &[&str], args: &[&str]) -> Launch {
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    Launch {
        jvm_args: own(jvm_args),
        class_path: vec!["$NOT_SET/x".to_owned(), "{{CLASSES}}".to_owned()],
        main_class: "Prog".to_owned(),
        args: own(args),
        log_name: "taskmanager".to_owned(),
        memory_sample_interval_ms: 100,
        args_from_env: [("host".to_owned(), "NM_HOST".to_owned())].into(),
        files: vec![File { name: "conf/x.yaml".to_owned(), content: b"x: 1\n".to_vec() }],
        ..Launch::default()
    }
}

/// A container: its directories and the taskrunner in it, killed at the end.
struct Container {
    dir: tempfile::TempDir,
    process: Child,
}

impl Container {
    fn start(port: u16, secret: &[u8], grace_ms: u64) -> Container {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        let tokens = dir.path().join("container_tokens");
        let mut credentials = Credentials::default();
        credentials.secrets.insert("heddle.control.secret".to_owned(), secret.to_vec());
        credentials.write_file(&tokens, TokenFormat::Writable).unwrap();
        let process = Process::new(taskrunner())
            .current_dir(dir.path())
            .env("HEDDLE_CONTROL", format!("127.0.0.1:{port}"))
            .env("CONTAINER_ID", "container_1")
            .env("NM_HOST", "node1")
            .env("LOG_DIRS", dir.path().join("logs"))
            .env("HADOOP_TOKEN_FILE_LOCATION", tokens)
            .env("HEDDLE_CONTROL_GRACE_MS", grace_ms.to_string())
            .env("CLASSES", classes())
            .stderr(Stdio::from(std::fs::File::create(dir.path().join("own.log")).unwrap()))
            .spawn()
            .unwrap();
        Container { dir, process }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for the end and gives exit code and own log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        eventually("the taskrunner ends", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        let log = std::fs::read_to_string(self.dir.path().join("own.log")).unwrap();
        (status.unwrap().code(), log)
    }

    fn stdout(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("logs/taskmanager.out")).unwrap_or_default()
    }

    fn ready(&self) {
        eventually("the program is ready", || self.stdout().contains("ready"));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn launches_samples_and_reports_the_exit_code() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 60_000);
    assert_eq!(am.hello().await, 0);
    am.launch(&["-Xmx16m"], &["heap"]).await;
    let exited = am.exited().await;
    assert_eq!((exited.code, exited.signal, exited.launch_failed), (Some(1), None, false));
    assert_eq!(exited.out_of_memory(), OutOfMemory::OomJavaHeap);
    assert!(exited.stderr_tail.iter().any(|l| l.contains("OutOfMemoryError")), "{exited:?}");
    let conf = std::fs::read_to_string(container.dir.path().join("conf/x.yaml")).unwrap();
    assert_eq!(conf, "x: 1\n");
    let (code, log) = container.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("class path entry `$NOT_SET/x` is left out"), "{log}");
    assert!(!log.contains(&hex::encode(SECRET)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_and_memory_samples_arrive() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep", "$CLASSES"]).await;
    container.ready();
    let command_line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command_line.ends_with("Prog\0sleep\0$CLASSES\0-D\0host=node1\0"), "{command_line:?}");
    let memory = loop {
        if let Kind::Memory(memory) = am.events.recv().await.unwrap() {
            break memory;
        }
    };
    assert!(memory.rss > 1 << 20 && memory.peak_rss >= memory.rss && memory.at_unix_ms > 0, "{memory:?}");
    // A JVM that is killed by somebody else is told as such, and its signal becomes our code.
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    assert_eq!(am.exited().await.signal, Some(9));
    assert_eq!(container.end().0, Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_gives_a_grace_then_kills() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["stubborn"]).await;
    container.ready();
    am.order(Order::Stop(Stop { grace_ms: 700, reason: "test".to_owned() })).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_alive(pid));
    let exited = am.exited().await;
    assert_eq!(exited.signal, Some(9));
    assert!(exited.summary.contains("stopped on request"), "{}", exited.summary);
    assert_eq!(container.end().0, Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_the_supervisor_leaves_no_jvm() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["stubborn"]).await;
    container.ready();
    assert_eq!(group_of(pid), group_of(container.process.id()));
    container.signal(Signal::KILL);
    eventually("the JVM is gone", || !is_alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_jvm_and_reports() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 60_000);
    am.hello().await;
    am.launch(&[], &["sleep"]).await;
    container.ready();
    container.signal(Signal::TERM);
    assert_eq!(am.exited().await.code, Some(143));
    assert_eq!(container.end().0, Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jvm_survives_a_new_application_master() {
    let mut am = Am::start(0).await;
    let port = am.port;
    let container = Container::start(port, SECRET, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep"]).await;
    container.ready();
    *am.orders.lock().unwrap() = None;
    drop(am);
    let mut am = Am::start(port).await;
    assert_eq!(am.hello().await, pid);
    assert!(is_alive(pid));
    am.order(Order::Stop(Stop { grace_ms: 10_000, reason: String::new() })).await;
    assert_eq!(am.exited().await.code, Some(143));
    assert_eq!(container.end().0, Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_application_master_the_jvm_is_stopped_after_the_grace() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, SECRET, 2_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep"]).await;
    container.ready();
    *am.orders.lock().unwrap() = None;
    drop(am);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_alive(pid));
    let (code, log) = container.end();
    assert_eq!(code, Some(143));
    assert!(!is_alive(pid));
    assert!(log.contains("could not be reached for 2 s"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_cannot_be_is_reported() {
    for (change, expected) in [
        (Launch { java_home: "/no/java".to_owned(), ..launch(&[], &[]) }, "no Java at /no/java"),
        (
            Launch { files: vec![File { name: "../x".to_owned(), content: Vec::new() }], ..launch(&[], &[]) },
            "refusing to write the file `../x`",
        ),
    ] {
        let mut am = Am::start(0).await;
        let container = Container::start(am.port, SECRET, 60_000);
        am.hello().await;
        am.order(Order::Launch(change)).await;
        let exited = am.exited().await;
        assert!(exited.launch_failed && exited.summary.contains(expected), "{exited:?}");
        assert_eq!(container.end().0, Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_a_missing_application_master_are_errors() {
    let am = Am::start(0).await;
    let (code, log) = Container::start(am.port, b"wrong", 60_000).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("refused this container: the secret is not this application's"), "{log}");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (code, log) = Container::start(free, SECRET, 500).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("cannot be reached"), "{log}");
}

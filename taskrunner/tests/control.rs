//! Tests the program `heddle-taskrunner` with real JVMs, against a small server that stands for the
//! ApplicationMaster.

#![allow(clippy::disallowed_methods, reason = "a test lays out directories of its own")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test, and these are its helpers"
)]

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use common::{classes, eventually, group_of, is_alive, taskrunner};
use hadoop_rpc::{Credentials, TokenFormat};
use rustix::process::{Pid, Signal, kill_process};
use taskrunner::auth;
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::event::Event as Kind;
use taskrunner::control::{
    Accepted, Command, Event, Exited, File, Launch, OutOfMemory, Ping, Refusal, Refused, Stop,
};
use taskrunner::keys::{ControlKeys, LENGTH};
use taskrunner::tls::{ServerStream, TlsServer};
use taskrunner::wire::{LARGEST, Liveness, Reader, Writer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// The keys of the application that most of these tests use.
static KEYS: LazyLock<ControlKeys> = LazyLock::new(|| ControlKeys::generate([7; LENGTH]).unwrap());
const CONTAINER: &str = "container_1";

type Commands = Arc<Mutex<Option<mpsc::Sender<CommandKind>>>>;

/// A control server as a taskrunner sees it.
struct Am {
    port: u16,
    events: mpsc::UnboundedReceiver<Kind>,
    commands: Commands,
    /// The server and its links end when this value is dropped.
    _tasks: JoinSet<()>,
}

async fn listen(port: u16) -> TcpListener {
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return listener,
            Err(_) if port != 0 => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The encrypted side of an application with the keys of these tests.
async fn secure(stream: TcpStream) -> (ServerStream, taskrunner::keys::Binding) {
    let secured = TlsServer::new(&KEYS).unwrap().accept(stream).await.unwrap().1;
    (secured.stream, secured.binding)
}

/// Serves one link, until the taskrunner closes its half or the sender of commands is dropped.
async fn link(stream: TcpStream, events: mpsc::UnboundedSender<Kind>, current: Commands) {
    let (stream, binding) = secure(stream).await;
    let (read, write) = tokio::io::split(stream);
    let mut reader = Reader::new(read, LARGEST, Liveness::default());
    let mut writer = Writer::new(write, Liveness::default());
    let Ok(Some(Event { event: Some(Kind::Hello(hello)) })) = reader.next().await else {
        panic!("Hello comes first")
    };
    let say = |command: CommandKind| Command { command: Some(command) };
    if let Err(refused) = auth::check_hello(&hello, &KEYS, &binding) {
        return writer.send(&say(CommandKind::Refused(refused))).await.unwrap();
    }
    let (sender, mut commands) = mpsc::channel(8);
    *current.lock().unwrap() = Some(sender);
    writer.send(&say(CommandKind::Accepted(Accepted {}))).await.unwrap();
    let _ = events.send(Kind::Hello(hello));
    loop {
        tokio::select! {
            event = reader.next::<Event>() => match event {
                Ok(Some(event)) => drop(events.send(event.event.unwrap())),
                Ok(None) | Err(_) => break,
            },
            command = commands.recv() => match command {
                Some(command) => writer.send(&say(command)).await.unwrap(),
                None => break,
            },
            () = sleep_until(writer.ping_at()) => writer.send(&say(CommandKind::Ping(Ping {}))).await.unwrap(),
        }
    }
    *current.lock().unwrap() = None;
}

impl Am {
    async fn start(port: u16) -> Am {
        let listener = listen(port).await;
        let port = listener.local_addr().unwrap().port();
        let (sender, events) = mpsc::unbounded_channel();
        let commands = Commands::default();
        let (current, mut tasks) = (commands.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                links.spawn(link(stream, sender.clone(), current.clone()));
            }
        });
        Am { port, events, commands, _tasks: tasks }
    }

    /// The next event that is no memory sample and no ping.
    async fn event(&mut self) -> Kind {
        let next = async {
            loop {
                match self.events.recv().await.unwrap() {
                    Kind::Memory(_) | Kind::Ping(_) => {}
                    other => return other,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), next).await.expect("an event in time")
    }

    async fn hello(&mut self) -> u32 {
        let Kind::Hello(hello) = self.event().await else { panic!("Hello comes first") };
        assert_eq!((hello.protocol, hello.container_id.as_str()), (auth::PROTOCOL, CONTAINER));
        assert_eq!(hello.host, "node1");
        hello.jvm_pid
    }

    async fn send(&self, command: CommandKind) {
        eventually("a link is open", || self.commands.lock().unwrap().is_some());
        let sender = self.commands.lock().unwrap().clone().unwrap();
        sender.send(command).await.unwrap();
    }

    async fn launch(&mut self, jvm_args: &[&str], args: &[&str]) -> u32 {
        self.send(CommandKind::Launch(launch(jvm_args, args))).await;
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
        args_from_env: [("host", "NM_HOST"), ("io.tmp.dirs", flink_model::spec::TMP_DIRS_ENV)]
            .map(|(key, variable)| (key.to_owned(), variable.to_owned()))
            .into(),
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
    /// Starts a taskrunner that has the key of its container in the application with these keys.
    fn start(port: u16, keys: &ControlKeys, grace_ms: u64) -> Container {
        Self::with(port, grace_ms, |credentials| keys.put_worker(CONTAINER, credentials).unwrap())
    }

    fn with(port: u16, grace_ms: u64, put: impl FnOnce(&mut Credentials)) -> Container {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        std::fs::create_dir(dir.path().join("disk")).unwrap();
        let tokens = dir.path().join("container_tokens");
        let mut credentials = Credentials::default();
        put(&mut credentials);
        credentials.write_file(&tokens, TokenFormat::Writable).unwrap();
        let process = Process::new(taskrunner())
            .current_dir(dir.path())
            .env("HEDDLE_CONTROL", format!("127.0.0.1:{port}"))
            // A group of its own, as in YARN's containers: it ends the rest of it.
            .process_group(0)
            .env("CONTAINER_ID", CONTAINER)
            .env("NM_HOST", "node1")
            .env("LOG_DIRS", dir.path().join("logs"))
            .env("LOCAL_DIRS", dir.path().join("disk"))
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

    /// Waits for the end of the taskrunner; returns its exit code and its log.
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
    let container = Container::start(am.port, &KEYS, 60_000);
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
    let mut credentials = Credentials::default();
    KEYS.put_worker(CONTAINER, &mut credentials).unwrap();
    let key = hex::encode(&credentials.secrets[flink_model::spec::CONTROL_WORKER_KEY_ALIAS]);
    assert!(!log.contains(&key), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_and_memory_samples_arrive() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, &KEYS, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep", "$CLASSES"]).await;
    container.ready();
    let command_line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let tmp = container.dir.path().join("disk/container_1/.heddle-tmp");
    let end = format!("Prog\0sleep\0$CLASSES\0-D\0host=node1\0-D\0io.tmp.dirs={}\0", tmp.display());
    assert!(command_line.ends_with(&end), "{command_line:?}");
    assert!(tmp.is_dir());
    let memory = loop {
        if let Kind::Memory(memory) = am.events.recv().await.unwrap() {
            break memory;
        }
    };
    assert!(memory.rss > 1 << 20 && memory.peak_rss >= memory.rss && memory.at_unix_ms > 0, "{memory:?}");
    // A JVM that somebody else kills is reported as such, and its signal determines the taskrunner's exit
    // code.
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    assert_eq!(am.exited().await.signal, Some(9));
    assert_eq!(container.end().0, Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_gives_a_grace_then_kills() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, &KEYS, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["stubborn"]).await;
    container.ready();
    am.send(CommandKind::Stop(Stop { grace_ms: 700, reason: "test".to_owned() })).await;
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
    let container = Container::start(am.port, &KEYS, 60_000);
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
    let container = Container::start(am.port, &KEYS, 60_000);
    am.hello().await;
    am.launch(&[], &["sleep"]).await;
    container.ready();
    container.signal(Signal::TERM);
    // A signal is reported at once, with the memory of that moment, because YARN may be ending the container
    // for its use of memory.
    let told = am.event().await;
    assert!(matches!(told, Kind::Signalled(ref signalled) if signalled.memory.is_some()), "{told:?}");
    assert_eq!(am.exited().await.code, Some(143));
    assert_eq!(container.end().0, Some(143));
}

/// A container whose JVM runs and whose ApplicationMaster is gone, with the port that is free now and the
/// JVM's process id.
async fn without_its_application_master() -> (Container, u16, u32) {
    let mut am = Am::start(0).await;
    let port = am.port;
    let container = Container::start(port, &KEYS, 60_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep"]).await;
    container.ready();
    *am.commands.lock().unwrap() = None;
    (container, port, pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jvm_survives_a_new_application_master() {
    let (container, port, pid) = without_its_application_master().await;
    let mut am = Am::start(port).await;
    assert_eq!(am.hello().await, pid);
    assert!(is_alive(pid));
    am.send(CommandKind::Stop(Stop { grace_ms: 10_000, reason: String::new() })).await;
    assert_eq!(am.exited().await.code, Some(143));
    assert_eq!(container.end().0, Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_application_master_the_jvm_is_stopped_after_the_grace() {
    let mut am = Am::start(0).await;
    let container = Container::start(am.port, &KEYS, 2_000);
    am.hello().await;
    let pid = am.launch(&[], &["sleep"]).await;
    container.ready();
    *am.commands.lock().unwrap() = None;
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
        let container = Container::start(am.port, &KEYS, 60_000);
        am.hello().await;
        am.send(CommandKind::Launch(change)).await;
        let exited = am.exited().await;
        assert!(exited.launch_failed && exited.summary.contains(expected), "{exited:?}");
        assert_eq!(container.end().0, Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_missing_application_master_are_errors() {
    let am = Am::start(0).await;
    // The server is the right one, but the key is that of another container.
    let container = Container::with(am.port, 60_000, |credentials| {
        KEYS.put_worker("container_2", credentials).unwrap();
    });
    let (code, log) = container.end();
    assert_eq!(code, Some(1));
    assert!(
        log.contains("refused this container: the key is not that of this application's container"),
        "{log}"
    );
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (code, log) = Container::start(free, &KEYS, 500).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("cannot be reached"), "{log}");
    let (code, log) = Container::with(free, 500, |_| {}).end();
    assert_eq!(code, Some(1));
    assert!(log.contains("heddle.control.worker-key"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_on_the_port_learns_nothing_and_is_not_obeyed() {
    let listener = listen(0).await;
    let port = listener.local_addr().unwrap().port();
    let container = Container::start(port, &KEYS, 60_000);
    // The first stranger only reads. The second one speaks TLS with a certificate of its own.
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = vec![0; 4096];
    let count = stream.read(&mut heard).await.unwrap();
    let mut credentials = Credentials::default();
    KEYS.put_worker(CONTAINER, &mut credentials).unwrap();
    for secret in credentials.secrets.values() {
        assert!(!heard[..count].windows(secret.len()).any(|part| part == secret));
    }
    assert!(!String::from_utf8_lossy(&heard[..count]).contains(CONTAINER));
    drop(stream);
    let stranger = TlsServer::new(&ControlKeys::generate([8; LENGTH]).unwrap()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(stranger.accept(stream).await.is_err(), "the taskrunner ends the handshake");
    // The third one speaks the protocol of older releases, without TLS, and sends a launch command.
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read(&mut heard).await.unwrap() > 0);
    let mut writer = Writer::new(&mut stream, Liveness::default());
    for command in [CommandKind::Accepted(Accepted {}), CommandKind::Launch(launch(&[], &["exit", "4"]))] {
        // This may fail, because the taskrunner closes the connection after the first bytes.
        let _ = writer.send(&Command { command: Some(command) }).await;
    }
    drop(stream);
    drop(listener);
    let mut am = Am::start(port).await;
    assert_eq!(am.hello().await, 0, "no JVM was started");
    am.launch(&[], &["exit", "3"]).await;
    assert_eq!(am.exited().await.code, Some(3));
    let (_, log) = container.end();
    for why in ["hung up", "is not the ApplicationMaster of this application", "speaks in plain text"] {
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_held_any_more_ends_its_jvm() {
    let (container, port, pid) = without_its_application_master().await;
    let listener = listen(port).await;
    let message = "not held".to_owned();
    let refused = CommandKind::Refused(Refused { why: Refusal::NotHeld.into(), message });
    let refused = Command { command: Some(refused) };
    let refusing = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = secure(stream).await.0;
            Writer::new(&mut stream, Liveness::default()).send(&refused).await.unwrap();
        }
    });
    let (code, log) = container.end();
    assert_eq!(code, Some(143));
    assert!(!is_alive(pid) && log.contains("not held"), "{log}");
    refusing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_may_pass_and_answers_of_no_sense_are_tried_again() {
    let listener = listen(0).await;
    let port = listener.local_addr().unwrap().port();
    let container = Container::start(port, &KEYS, 60_000);
    let later = Refused { why: Refusal::Unknown.into(), message: "later".to_owned() };
    let later = Command { command: Some(CommandKind::Refused(later)) };
    let mut stream = secure(listener.accept().await.unwrap().0).await.0;
    Writer::new(&mut stream, Liveness::default()).send(&later).await.unwrap();
    drop(stream);
    for nonsense in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 2, 0xff, 0xff], &[0, 0]] {
        let mut stream = secure(listener.accept().await.unwrap().0).await.0;
        stream.write_all(nonsense).await.unwrap();
        stream.flush().await.unwrap();
    }
    drop(listener);
    let mut am = Am::start(port).await;
    assert_eq!(am.hello().await, 0);
    am.launch(&[], &["exit", "3"]).await;
    assert_eq!(am.exited().await.code, Some(3));
    let (_, log) = container.end();
    for why in ["refused: later", "is larger than", "is not understood", "the connection broke"] {
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_master_that_hangs_is_noticed() {
    let listener = listen(0).await;
    let container = Container::start(listener.local_addr().unwrap().port(), &KEYS, 60_000);
    let mut mute = secure(listener.accept().await.unwrap().0).await.0;
    let accepted = Command { command: Some(CommandKind::Accepted(Accepted {})) };
    Writer::new(&mut mute, Liveness::default()).send(&accepted).await.unwrap();
    let begin = Instant::now();
    let again = tokio::time::timeout(Duration::from_secs(40), listener.accept()).await;
    again.expect("another link").unwrap();
    assert!(begin.elapsed() > Duration::from_secs(18), "{:?}", begin.elapsed());
    let log = std::fs::read_to_string(container.dir.path().join("own.log")).unwrap();
    assert!(log.contains("nothing was heard for 20 s"), "{log}");
}

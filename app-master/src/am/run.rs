//! Sets everything up and runs the loop.

use std::sync::Arc;
use std::time::Duration;

use flink_model::options::MASTER_ENV;
use flink_model::spec::ClusterMode;
use hadoop_rpc::{ClientOptions, RetryPolicy, TimeUnit, TokenSource};
use taskrunner::spawn::SpawnThread;
use taskrunner::submission::ADDRESS_KEY;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use yarn_api::{AmRmClient, NmTokenCache, NodeManagerClients, NodeManagerOptions};

use super::brain::{Brain, Pace};
use super::edge::Edge;
use super::end::{Situation, decide};
use super::event::{Action, Cause, Event};
use super::finish::finish;
use super::head_start::{HeadStart, REST_PORT_KEY};
use crate::bridge::{Bridge, BridgeEvent, FromJvm, Secret};
use crate::cds::service;
use crate::control::Control;
use crate::environment::Environment;
use crate::jobmanager;
use crate::launcher::{self, Launcher};
use crate::ports::Ports;
use crate::submission::attendance::{Attendance, Losses};
use crate::timeline::{Leg, Timeline};

/// How long the ResourceManager may be away (negative: for ever), and what YARN has for it.
const RM_WAIT_KEY: &str = "yarn.resourcemanager.connect.max-wait.ms";
const RM_WAIT: Duration = Duration::from_secs(15 * 60);

/// Runs the ApplicationMaster to its end; gives the exit code.
pub async fn run(environment: Environment) -> u8 {
    let timeline = Timeline::start();
    timeline.begin(Leg::Master, "", Instant::now());
    let spec = &environment.spec;
    tracing::info!(
        container = %environment.container,
        application = spec.application_name,
        flink = spec.flink_version,
        mode = ?spec.mode,
        host = environment.host,
        attempts = environment.max_attempts(),
        "heddle-am {}",
        env!("CARGO_PKG_VERSION")
    );
    let environment = Arc::new(environment);
    let nm_tokens = NmTokenCache::default();
    let mut options = ClientOptions::simple(environment.user.clone());
    options.tokens = TokenSource::new(environment.credentials.clone());
    // Trying again is the brain's business: it must be able to change what it sends.
    let rm = match AmRmClient::new(&environment.conf, options, RetryPolicy::NONE, nm_tokens.clone()) {
        Ok(rm) => Arc::new(rm),
        Err(error) => {
            tracing::error!(%error, "cannot begin; YARN sees the container fail");
            return 1;
        }
    };
    let (sender, events) = mpsc::unbounded_channel();
    let situation = Situation { attempt: environment.attempt(), max_attempts: environment.max_attempts() };
    let head_start = HeadStart::new(&environment.spec, &environment.host);
    let rest_port = head_start.as_ref().map(|start| start.web.port);
    match start(environment.clone(), rm.clone(), nm_tokens, rest_port, &timeline, sender).await {
        Ok(edge) => {
            let pace = pace(&environment);
            let mut brain = Brain::new(pace, environment.spec.mode, head_start, timeline, Instant::now());
            let cause = work(&mut brain, &edge, events).await;
            let end = decide(&cause, situation);
            finish(&environment, &rm, Some(&edge), &brain.workers(), brain.is_registered(), end).await
        }
        Err(why) => {
            tracing::error!(why, "cannot begin");
            let end = decide(&Cause::Internal(why), situation);
            finish(&environment, &rm, None, &[], false, end).await
        }
    }
}

/// Until something says that it is the end.
async fn work(brain: &mut Brain, edge: &Edge, mut events: mpsc::UnboundedReceiver<Event>) -> Cause {
    loop {
        let actions = tokio::select! {
            event = events.recv() => match event {
                Some(event) => brain.handle(event, Instant::now()),
                // We hold a sender ourselves.
                None => return Cause::Internal("its event channel is closed".to_owned()),
            },
            () = sleep_until(brain.wake()) => brain.tick(Instant::now()),
        };
        for action in actions {
            match action {
                Action::End(cause) => return cause,
                action => edge.act(action),
            }
        }
    }
}

fn pace(environment: &Environment) -> Pace {
    let spec = &environment.spec;
    let patience = match environment.conf.get_i64(RM_WAIT_KEY, -2) {
        Ok(-1) => None,
        _ => match environment.conf.get_duration(RM_WAIT_KEY, RM_WAIT, TimeUnit::Millis) {
            Ok(patience) => Some(patience),
            Err(error) => {
                tracing::warn!(%error, "taking YARN's default");
                Some(RM_WAIT)
            }
        },
    };
    Pace {
        idle: Duration::from_millis(spec.heartbeat_idle_ms.max(100)),
        busy: Duration::from_millis(spec.heartbeat_busy_ms.max(100)),
        patience,
    }
}

/// Opens what others connect to, then starts the JobManager. The error is for people.
async fn start(
    environment: Arc<Environment>,
    rm: Arc<AmRmClient>,
    nm_tokens: NmTokenCache,
    rest_port: Option<i32>,
    timeline: &Timeline,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Edge, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let tell = |events: &mpsc::UnboundedSender<Event>| {
        let events = events.clone();
        // At the end nobody listens any more.
        move |event| drop(events.send(event))
    };
    watch_signals(environment.spec.memory_mb, tell(&events))
        .map_err(|e| format!("cannot listen to signals: {e}"))?;

    let spec = &environment.spec;
    let ports: Ports = spec.control_port.parse().map_err(|e| format!("heddle.control.port: {e}"))?;
    let listener = ports.bind().await.map_err(|e| format!("heddle.control.port: {e}"))?;
    let port = listener.local_addr().map_err(|e| text(&e))?.port();
    let secret = launcher::control_secret(&environment.credentials).unwrap_or_default().to_vec();
    let told = tell(&events);
    let control = Control::new(secret.clone(), move |event| told(Event::Control(event)));
    let told = tell(&events);
    let (losses, known_losses) = watch::channel(Losses::default());
    let attendance = match spec.mode {
        ClusterMode::PerJob => {
            Attendance::new(secret, known_losses, move |input| told(Event::Submission(input)))
        }
        ClusterMode::Session | ClusterMode::Application => Attendance::refused(secret),
    };
    let (server, broken, legs) = (control.clone(), tell(&events), timeline.clone());
    tokio::spawn(async move {
        let why = match server.serve(listener, attendance, legs).await {
            Ok(()) => "it ended".to_owned(),
            Err(error) => error.to_string(),
        };
        broken(Event::Internal(format!("the control server does not run any more: {why}")));
    });
    let address = format!("{}:{port}", environment.host);
    tracing::info!(address, "control server");

    let user = std::env::var("HADOOP_USER_NAME").ok();
    let launcher = Launcher::new(spec, &environment.dir, &address, user, &environment.credentials);
    let launcher = Arc::new(launcher.map_err(|e| text(&e))?);
    let archives = service::is_possible(&environment);
    if archives && spec.task_manager_archive.is_some() {
        launcher.record_classes();
    }
    let nodes = NodeManagerClients::new(NodeManagerOptions::new(environment.user.clone()), nm_tokens);

    let secret = Secret::random();
    let (told, (ready, is_ready)) = (tell(&events), watch::channel(false));
    let listen = move |event: BridgeEvent| {
        if matches!(&event, BridgeEvent::Line(FromJvm::Ready { .. })) {
            ready.send_replace(true);
        }
        told(Event::Bridge(event));
    };
    let bridge = Bridge::start(secret.clone(), listen).await;
    let bridge = bridge.map_err(|e| format!("cannot listen on 127.0.0.1 for the JobManager: {e}"))?;
    let thread = SpawnThread::start().map_err(|e| format!("cannot start a thread: {e}"))?;
    timeline.end(Leg::Master, "", Instant::now());
    timeline.begin(Leg::JobManagerJvm, "", Instant::now());
    // What the JobManager learns from us, of what else Flink's configuration would say.
    let mut known = vec![(ADDRESS_KEY, address.clone())];
    known.extend(rest_port.map(|port| (REST_PORT_KEY, port.to_string())));
    let job_manager =
        jobmanager::start(&environment, &known, archives, bridge.port(), &secret, &thread).await;
    let job_manager = job_manager.map_err(|error| {
        let parts = [Some(error.to_string()), std::error::Error::source(&error).map(ToString::to_string)];
        let cause = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let hint = error.hint(MASTER_ENV).map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("the JobManager cannot be started on {}: {cause}{hint}", environment.host)
    })?;
    let (archive, replies) = mpsc::unbounded_channel();
    if archives {
        let told = tell(&events);
        let ask = Box::new(move |request| told(Event::Archive(request)));
        let containers = service::ContainerSource { ask, replies, nodes: nodes.clone() };
        service::start(&environment, &thread, &control, &job_manager, is_ready.clone(), containers);
    }
    tracing::info!(pid = job_manager.pid(), main_class = spec.job_manager.main_class, "JobManager started");
    let (jvm, ended) = (job_manager.clone(), tell(&events));
    tokio::spawn(async move {
        let report = jvm.wait().await;
        ended(Event::JobManagerEnded(jobmanager::describe_end(&report)));
    });
    Ok(Edge::new(
        environment,
        rm,
        nodes,
        bridge,
        control,
        launcher,
        job_manager,
        archive,
        losses,
        is_ready,
        events,
    ))
}

/// SIGTERM is YARN's; SIGINT is for whoever runs it by hand.
fn watch_signals(memory_mb: u64, tell: impl Fn(Event) + Send + 'static) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tell(Event::Terminated);
            // SIGKILL follows soon. If it is for memory YARN says so, to the client; this is for our log.
            let memory = taskrunner::memory::of_container();
            tracing::info!(
                rss_mb = memory.rss >> 20,
                peak_mb = memory.peak_rss >> 20,
                container_mb = memory_mb,
                processes = memory.processes,
                "memory of the container's processes at SIGTERM (peak: the kernel's VmHWM)"
            );
        }
    });
    Ok(())
}

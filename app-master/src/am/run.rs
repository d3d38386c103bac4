//! Sets everything up and runs the loop.

use std::sync::Arc;
use std::time::Duration;

use flink_model::options::METRICS_SERVER_PORT;
use flink_model::spec::ClusterMode;
use flink_rest::bracketed;
use hadoop_rpc::{RetryPolicy, TimeUnit};
use taskrunner::control::OpenRequests;
use taskrunner::spawn::SpawnThread;
use taskrunner::submission::{ADDRESS_KEY, HDFS_ACCESS_END_KEY};
use taskrunner::successor::Successor;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use yarn_api::{AmRmClient, NmTokenCache, NodeManagerClients, NodeManagerOptions};

use super::containers::Containers;
use super::effects::Effects;
use super::explanation::{classes_of, explained};
use super::finish::{Bounds, Running, finish};
use super::head_start::{HeadStart, REST_PORT_KEY, head_start};
use super::job_manager::{JobManagerJvm, JobManagerStart};
use super::listeners::Channels;
use super::log::log;
use super::next_attempt::{self, KeptForNextAttempt};
use super::open_requests;
use super::outcome::{OutcomeWriter, end_of, left_by_earlier};
use super::resource_manager::RmCalls;
use super::rest_calls::RestCalls;
use super::subscribers::{self, Subscribers};
use super::task_managers::TaskManagerContainers;
use super::tokens::TokenReplacement;
use super::unregister::becomes_true;
use crate::cds::service;
use crate::class_jars::ClassSearch;
use crate::clock;
use crate::cluster_service::{AccountSource, ClusterService};
use crate::control::Control;
use crate::controller::end::{Situation, decide};
use crate::controller::event::{Action, Cause, Event, Output};
use crate::controller::placement::Naming;
use crate::controller::rm_session::Pace;
use crate::controller::{Controller, FromEarlierAttempts, Settings};
use crate::environment::{Environment, shared_user};
use crate::flink_settings;
use crate::history::{Identity, SharedHistory};
use crate::launcher::Launcher;
use crate::metrics::{Metrics, Sources};
use crate::ports::Ports;
use crate::submission::policy::SubmissionRecord;
use crate::submission::service::{Awaited, MemoryKills, SubmissionService};
use crate::timeline::{Step, Timeline};
use crate::tokens::{self, HeldTokens};

/// How long the ResourceManager may be away (negative: for ever), and YARN's default for it.
const RM_WAIT_KEY: &str = "yarn.resourcemanager.connect.max-wait.ms";
const RM_WAIT: Duration = Duration::from_secs(15 * 60);
/// Whether the scheduler tells nodes of one host apart by their ports.
const PORT_IN_NAME_KEY: &str = "yarn.scheduler.include-port-in-node-name";

/// How long the end of an application, and a client that asks, wait for a search for the jars of classes. A
/// command that has failed gives heddle-am one second for its whole answer.
const SEARCH_AT_END: Duration = Duration::from_secs(3);
const SEARCH_FOR_CLIENT: Duration = Duration::from_millis(600);

type Events = mpsc::UnboundedSender<Event>;

/// Runs the ApplicationMaster to its end; gives the exit code.
pub async fn run(environment: Environment) -> u8 {
    let timeline = Timeline::start();
    timeline.begin(Step::Master, "", clock::now());
    let spec = &environment.spec.application;
    tracing::info!(
        container = %environment.container,
        application = spec.name,
        flink = spec.flink_version,
        mode = ?spec.mode,
        host = environment.host,
        attempts = environment.max_attempts(),
        "heddle-am {}",
        env!("CARGO_PKG_VERSION")
    );
    let submitter = std::env::var("USER").ok();
    if let Some(warning) = shared_user(submitter.as_deref(), hadoop_rpc::os_user().as_deref()) {
        tracing::warn!("{warning}");
    }
    if environment.is_kerberos() {
        let (held, now) = (environment.login.tokens().get(), clock::since_1970());
        tokens::log(&held, now);
        if tokens::have_ended(&held, now) {
            tracing::warn!(
                "YARN has started this attempt with the delegation tokens of the submission, which have reached their \
                 greatest age, so that HDFS refuses them; if the JobManager has a keytab, it is asked for new ones; if \
                 it has none, start the application again, from a savepoint if there is one"
            );
        }
    }
    let environment = Arc::new(environment);
    let nm_tokens = NmTokenCache::default();
    // Nothing is tried again here: the controller decides on that, because it may have to change what is
    // sent.
    let rm = match AmRmClient::new(
        &environment.conf,
        environment.rpc.clone(),
        RetryPolicy::NONE,
        nm_tokens.clone(),
    ) {
        Ok(rm) => Arc::new(rm),
        Err(error) => {
            tracing::error!(%error, "cannot begin; YARN sees the container fail");
            return 1;
        }
    };
    let (events, inbox) = mpsc::unbounded_channel();
    let situation = Situation {
        attempt: environment.attempt(),
        max_attempts: environment.max_attempts(),
        high_availability: environment.spec.application.high_availability,
    };
    if has_earlier_attempts(&environment) {
        // Neither the registration nor the start of the JobManager's process waits for it.
        next_attempt::read(environment.clone(), events.clone());
    }
    let history = SharedHistory::new(identity(&environment));
    let search = ClassSearch::new(environment.clone(), history.clone());
    let left = left_by_earlier(&environment).await;
    let ended = left.as_ref().and_then(|left| end_of(left.record.as_ref()?));
    let unread = environment.attempt() > 1 && left.is_none();
    if let Some(left) = left {
        history.go_on_with(left);
    }
    let record = OutcomeWriter::start(&environment, &history, unread);
    let (signalled, terminated) = watch::channel(false);
    if let Some((status, diagnostics)) = ended {
        tracing::info!(%status, "an earlier attempt has ended the application and could not tell YARN, so this one does");
        let end = decide(&Cause::Deregistered { status, diagnostics }, situation);
        let bounds = Bounds { patience: settings(&environment).pace.patience, terminated };
        return finish(&environment, &rm, None, record, end, bounds).await;
    }
    let served = environment.spec.application_master.metrics.is_some();
    let metrics = served.then(|| Metrics::new(subscribers::about(&environment)));
    let settings = settings(&environment);
    let rest_port = settings.early.as_ref().map(|web| web.port);
    let bounds = Bounds { patience: settings.pace.patience, terminated };
    let start = Start {
        environment: &environment,
        rm: &rm,
        timeline: &timeline,
        history: &history,
        metrics: metrics.as_ref(),
        search: &search,
        events,
        signalled,
    };
    let (cause, running) = match start.all(nm_tokens, rest_port).await {
        Ok(Started { effects, job_manager, control, writer }) => {
            let mut controller = Controller::new(settings, clock::now());
            let subscribers = Subscribers {
                timeline: &timeline,
                history: &history,
                metrics: metrics.clone(),
                control: &control,
            };
            let cause = work(&mut controller, &effects, &subscribers, inbox).await;
            // The writer ends once it has written everything.
            drop(effects);
            let (containers, registered) = (controller.started(), controller.is_registered());
            (cause, Some(Running { job_manager, control, containers, registered, writer }))
        }
        Err(why) => {
            tracing::error!(why, "cannot begin");
            (Cause::Internal(why), None)
        }
    };
    let now = clock::unix_ms();
    let end = decide(&cause, situation);
    tokio::select! {
        () = search.look(classes_of(&end, || history.account(now)), SEARCH_AT_END) => {}
        () = becomes_true(bounds.terminated.clone()) => {}
    }
    let flink = &environment.spec.application.flink_version;
    let configuration = || flink_settings::settings(&environment.dir, flink);
    let end = explained(end, || history.account(now), configuration, now);
    finish(&environment, &rm, running, record, end, bounds).await
}

/// What the history of this attempt begins with.
fn identity(environment: &Environment) -> Identity {
    let (application, container) = (&environment.spec.application, environment.container);
    Identity {
        application: container.application_id().to_string(),
        name: application.name.clone(),
        mode: Some(application.mode),
        flink: application.flink_version.clone(),
        attempt: environment.attempt(),
        container: container.to_string(),
        node: environment.node(),
        label: environment.spec.task_managers.node_label.clone(),
        started: clock::unix_ms(),
        memory: flink_settings::memory(&environment.dir, &application.flink_version),
    }
}

/// The loop: hands events to the controller, and its actions to the components, until an action ends it.
async fn work(
    controller: &mut Controller,
    effects: &Effects,
    subscribers: &Subscribers<'_>,
    mut inbox: mpsc::UnboundedReceiver<Event>,
) -> Cause {
    loop {
        let event = tokio::select! {
            event = inbox.recv() => match event {
                Some(event) => Some(event),
                // The components hold senders.
                None => return Cause::Internal("its event channel is closed".to_owned()),
            },
            () = sleep_until(controller.wake()) => None,
        };
        let now = clock::now();
        let Output { actions, observations } = match event {
            Some(event) => {
                subscribers.hear(&event, now);
                controller.handle(event, now)
            }
            None => controller.tick(now),
        };
        for observation in &observations {
            log(observation);
            open_requests::tell(effects, observation);
        }
        subscribers.note(&observations, now);
        for action in actions {
            match action {
                Action::End(cause) => return cause,
                action => effects.act(action),
            }
        }
    }
}

fn settings(environment: &Environment) -> Settings {
    let spec = &environment.spec;
    let HeadStart { web, ask_ahead } = head_start(spec, &environment.host);
    // Nodes could not fetch the files of a container that comes before the JobManager has obtained other
    // tokens.
    let ended = tokens::have_ended(&environment.login.tokens().get(), clock::since_1970());
    let ask_ahead = ask_ahead.filter(|_| !ended);
    let reading = has_earlier_attempts(environment);
    let earlier = || FromEarlierAttempts { reading, ..FromEarlierAttempts::default() };
    let high_availability = spec.application.high_availability.then(earlier);
    let naming = Naming {
        possible: spec.application.fast_start,
        with_port: environment.conf.get_bool(PORT_IN_NAME_KEY, false).unwrap_or_default(),
        label: spec.task_managers.node_label.clone(),
    };
    let held = || HeldTokens::among(&environment.login.tokens().get(), clock::since_1970());
    Settings {
        mode: spec.application.mode,
        pace: pace(environment),
        early: web,
        ask_ahead,
        naming,
        high_availability,
        tokens: environment.is_kerberos().then(held).flatten(),
    }
}

/// Whether there may be something that earlier attempts have kept.
fn has_earlier_attempts(environment: &Environment) -> bool {
    environment.spec.application.high_availability && environment.attempt() > 1
}

fn pace(environment: &Environment) -> Pace {
    let spec = &environment.spec.application_master;
    let patience = match environment.conf.get_i64(RM_WAIT_KEY, -2) {
        // The TaskManagers work on, and ZooKeeper sees to it that no other attempt leads at the same time.
        _ if environment.spec.application.high_availability => None,
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

/// A function that sends its argument to the loop, as an event of this kind.
fn sender_of<T>(events: &Events, event: fn(T) -> Event) -> impl Fn(T) + Send + Sync + use<T> {
    let events = events.clone();
    // At the end the loop does not listen any more.
    move |what| drop(events.send(event(what)))
}

/// The components that run.
struct Started {
    effects: Effects,
    job_manager: JobManagerJvm,
    control: Control,
    /// Writes what the next attempt has to know.
    writer: JoinHandle<()>,
}

/// Opens what others connect to, then starts the JobManager.
struct Start<'a> {
    environment: &'a Arc<Environment>,
    rm: &'a Arc<AmRmClient>,
    timeline: &'a Timeline,
    history: &'a SharedHistory,
    /// Where metrics are served.
    metrics: Option<&'a Metrics>,
    search: &'a ClassSearch,
    events: Events,
    /// Becomes true with SIGTERM. The loop hears of it as an event, and the end by this.
    signalled: watch::Sender<bool>,
}

impl Start<'_> {
    /// The components, the JobManager and the control server. The error is for people.
    async fn all(self, nm_tokens: NmTokenCache, rest_port: Option<i32>) -> Result<Started, String> {
        let environment = self.environment;
        let (tell, signalled) = (sender_of(&self.events, |()| Event::Terminated), self.signalled.clone());
        let terminated = move || {
            signalled.send_replace(true);
            tell(());
        };
        let (memory_mb, history) = (environment.spec.application_master.memory_mb, self.history.clone());
        watch_signals(memory_mb, history, terminated)
            .map_err(|error| format!("cannot listen to signals: {error}"))?;
        let (memory_kills, known_kills) = watch::channel(MemoryKills::default());
        let (open_requests, known_requests) = watch::channel(OpenRequests::default());
        let (keep, kept) = watch::channel(SubmissionRecord::default());
        let kept = environment.spec.application.high_availability.then_some(kept);
        let awaited = Awaited { memory_kills: known_kills, open_requests: known_requests, kept };
        let (control, address) = self.control_server(awaited).await?;
        let keys = environment.keys.clone();
        let Environment { spec, dir, login, .. } = &**environment;
        let (user, tokens) = (environment.hadoop_user_name(), login.tokens().clone());
        let launcher = Launcher::new(spec, dir, &address, user, tokens, keys, environment.jvm_records());
        let launcher = Arc::new(launcher.map_err(|error| error.to_string())?);
        let archives = service::is_possible(environment);
        if archives && environment.spec.task_managers.class_data.is_some() {
            launcher.record_classes();
        }
        let nodes = NodeManagerClients::new(NodeManagerOptions::new(environment.rpc.clone()), nm_tokens);

        let thread = SpawnThread::start().map_err(|error| format!("cannot start a thread: {error}"))?;
        let mut known = vec![(ADDRESS_KEY, address.clone())];
        if let Some(metrics) = self.metrics {
            let own = self.serve_metrics(metrics, &control).await?;
            known.push((prometheus_http::ADDRESS_KEY, format!("http://{own}")));
        }
        known.extend(rest_port.map(|port| (REST_PORT_KEY, port.to_string())));
        let access_end = tokens::first_end(&environment.login.tokens().get());
        known.extend(access_end.map(|end| (HDFS_ACCESS_END_KEY, end.as_millis().to_string())));
        let start = JobManagerStart {
            environment: environment.clone(),
            known,
            thread: thread.clone(),
            timeline: self.timeline.clone(),
            metrics: self.metrics.cloned(),
            events: self.events.clone(),
            history: self.history.clone(),
        };
        let (job_manager, process, ready) = JobManagerJvm::first(start, archives).await?;
        let (archive, replies) = mpsc::unbounded_channel();
        if archives {
            let ask = Box::new(sender_of(&self.events, Event::Archive));
            let source = service::ContainerSource { ask, replies, nodes: nodes.clone() };
            service::start(environment, &thread, &control, &process, ready, source);
        }
        let containers = Containers::default();
        let rm = RmCalls::start(environment, self.rm.clone(), containers.clone(), self.events.clone());
        let (next_attempt, writer) = KeptForNextAttempt::start(environment.clone(), keep);
        let effects = Effects {
            resource_manager: Box::new(rm),
            task_managers: Box::new(TaskManagerContainers {
                control: control.clone(),
                nodes,
                launcher,
                containers: containers.clone(),
                events: self.events.clone(),
                keys: environment.keys.clone(),
                this: Successor { attempt: environment.attempt(), address },
            }),
            job_manager: Box::new(job_manager.clone()),
            next_attempt: Box::new(next_attempt),
            tokens: Box::new(TokenReplacement {
                environment: environment.clone(),
                events: self.events.clone(),
            }),
            rest: Box::new(RestCalls::new(environment.clone(), self.events)),
            listeners: Box::new(Channels { containers, archive, memory_kills, open_requests }),
        };
        Ok(Started { effects, job_manager, control, writer })
    }

    /// Begins to serve metrics; gives the `host:port`. The error is for people.
    async fn serve_metrics(&self, metrics: &Metrics, control: &Control) -> Result<String, String> {
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", METRICS_SERVER_PORT.key);
        let spec = self.environment.spec.application_master.metrics.as_ref();
        let ports = spec.map_or("0", |metrics| metrics.ports.as_str());
        let ports: Ports = ports.parse().map_err(|error| said(&error))?;
        let listener = ports.bind().await.map_err(|error| said(&error))?;
        let port = listener.local_addr().map_err(|error| said(&error))?.port();
        let own = format!("{}:{port}", bracketed(&self.environment.host));
        tracing::info!(address = own, "metrics for Prometheus");
        let sources = Sources::new(control.clone(), self.environment, own.clone());
        tokio::spawn(metrics.clone().serve(listener, sources));
        Ok(own)
    }

    /// The control server, and the `host:port` at which it listens.
    async fn control_server(&self, awaited: Awaited) -> Result<(Control, String), String> {
        let spec = &self.environment.spec;
        let ports: Ports = spec
            .application_master
            .control_port
            .parse()
            .map_err(|error| format!("heddle.control.port: {error}"))?;
        let listener = ports.bind().await.map_err(|error| format!("heddle.control.port: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let (keys, this) = (self.environment.keys.clone(), self.environment.container.attempt_id);
        let control = Control::new(keys, this, sender_of(&self.events, Event::Control));
        let submission = match spec.application.mode {
            ClusterMode::PerJob => {
                SubmissionService::new(awaited, sender_of(&self.events, Event::Submission))
            }
            ClusterMode::Session | ClusterMode::Application => SubmissionService::refused(),
        };
        let (server, broken) = (control.clone(), sender_of(&self.events, Event::Internal));
        let (history, search) = (self.history.clone(), self.search.clone());
        let account: AccountSource = Arc::new(move |classes| {
            let (history, search) = (history.clone(), search.clone());
            Box::pin(async move {
                search.look(classes, SEARCH_FOR_CLIENT).await;
                history.account(clock::unix_ms()).json()
            })
        });
        let cluster = ClusterService::new(self.timeline.clone(), account);
        tokio::spawn(async move {
            let why = match server.serve(listener, submission, cluster).await {
                Ok(()) => "it ended".to_owned(),
                Err(error) => error.to_string(),
            };
            broken(format!("the control server does not run any more: {why}"));
        });
        let address = format!("{}:{port}", self.environment.host);
        tracing::info!(address, "control server");
        Ok((control, address))
    }
}

/// SIGTERM is YARN's; SIGINT is for whoever runs the ApplicationMaster by hand.
fn watch_signals(
    memory_mb: u64,
    history: SharedHistory,
    terminated: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            terminated();
            // SIGKILL follows soon. If the container is ended for its memory, YARN tells the client so; this
            // line is for our log.
            let memory = taskrunner::memory::of_container();
            history.job_manager_memory(memory);
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

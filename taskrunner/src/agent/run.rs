//! Runs the taskrunner: collects the inputs of the [`Agent`] from the link, the JVM, the memory samples, the
//! signals and the clock, and carries out the effects that it decides.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flink_model::container::TMP;
use flink_model::options::TASK_MANAGER_ENV;
use flink_model::spec::TMP_DIRS_ENV;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::config::Config;
use super::core::{Agent, AgentEffect, AgentInput, Deadlines};
use super::files;
use super::link::{self, LinkEvent};
use crate::archive::{Recording, Use};
use crate::control::event::Event as EventKind;
use crate::control::{Busy, Event, Launch, Memory, Recorded, Signalled};
use crate::exit::ExitReport;
use crate::flight_recorder;
use crate::heap_dump::{DumpWatch, HeapDump};
use crate::jvm::{JvmError, JvmProcess};
use crate::memory::{self, Sampler};
use crate::memory_log::MemoryLog;
use crate::plan::{self, ContainerEnvironment};
use crate::reporters;
use crate::spawn::SpawnThread;
use crate::tmp_dirs::TmpDirs;

/// The time from SIGTERM to SIGKILL if the ApplicationMaster has not said how long it is. If a NodeManager
/// ends the container, it usually sends its own SIGKILL earlier.
const KILL_GRACE: Duration = Duration::from_secs(10);
/// How long the taskrunner waits for a lost link to come back once the JVM has ended.
const REPORT_GRACE: Duration = Duration::from_secs(10);
/// How long the ApplicationMaster may take to close the link after the report, and to accept an event.
const GOODBYE: Duration = Duration::from_secs(2);
const DEFAULT_SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
/// What the names of the Flight Recorder's files begin with.
const LOG_NAME: &str = "taskmanager";

/// Runs until the JVM has ended, or until it is clear that none will be started. Returns the exit code of the
/// taskrunner: that of the JVM (128 and the number of the signal if one ended it), or
/// [`FAILED`](crate::exit::FAILED) or [`TERMINATED`](crate::exit::TERMINATED) if there was no JVM.
///
/// Fails if signals cannot be received, or if the thread that starts JVMs cannot be made.
pub async fn run(config: Config) -> io::Result<u8> {
    let deadlines = Deadlines {
        contact: millis(config.control_grace),
        kill: millis(KILL_GRACE),
        report: millis(REPORT_GRACE.min(config.control_grace)),
        goodbye: millis(GOODBYE),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let jvm_pid = Arc::new(AtomicU32::new(0));
    let (link_events, mut inbox) = mpsc::channel(16);
    tokio::spawn(link::keep(config.clone(), jvm_pid.clone(), link_events));

    let clock = Instant::now();
    let mut agent = Agent::new(deadlines, 0);
    let thread = SpawnThread::start()?;
    let mut executor = Executor {
        config,
        thread,
        jvm_pid,
        jvm: None,
        samples: None,
        recorded: None,
        reporters: None,
        flights: None,
        dump: None,
        outgoing: None,
    };
    loop {
        let wait = agent.deadline().map(|at| Duration::from_millis(at).saturating_sub(clock.elapsed()));
        let input = tokio::select! {
            event = inbox.recv() => Some(executor.link_input(event)),
            report = jvm_end(&executor.jvm) => Some(AgentInput::Ended(report)),
            memory = next_sample(&mut executor.samples, &executor.jvm) => {
                executor.look_for_dump(true);
                memory.map(AgentInput::Sample)
            }
            () = next_flight(&mut executor.flights) => {
                executor.collect_flights().await;
                None
            }
            recorded = next_recorded(&mut executor.recorded) => {
                if let Some(recorded) = recorded {
                    executor.send(Event { event: Some(EventKind::Recorded(recorded)) }).await;
                }
                None
            }
            ports = next_reporters(&mut executor.reporters) => ports.map(AgentInput::Reporters),
            _ = terminate.recv() => Some(AgentInput::Signal),
            _ = interrupt.recv() => Some(AgentInput::Signal),
            () = until(wait) => Some(AgentInput::Tick),
        };
        if let Some(AgentInput::Ended(_)) = input {
            executor.jvm = None;
            executor.samples = None;
            executor.reporters = None;
            executor.collect_flights().await;
            if executor.look_for_dump(false) {
                // First of all, because the report makes heddle-am give the container back.
                let what = "it uploads the heap dump of its JVM".to_owned();
                executor.send(Event { event: Some(EventKind::Busy(Busy { what })) }).await;
            }
        }
        let mut next = input;
        while let Some(input) = next.take() {
            for effect in agent.step(millis(clock.elapsed()), input) {
                match executor.execute(effect).await {
                    Outcome::Done => {}
                    Outcome::AgentInput(input) => next = Some(input),
                    Outcome::Finish(code) => {
                        // There is no more to tell, so the link must not be made again.
                        inbox.close();
                        tokio::select! {
                            () = executor.dump_uploaded() => {}
                            _ = terminate.recv() => tracing::info!("told to end by a signal"),
                            _ = interrupt.recv() => tracing::info!("told to end by a signal"),
                        }
                        return Ok(code);
                    }
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => pending().await,
    }
}

async fn jvm_end(jvm: &Option<JvmProcess>) -> Arc<ExitReport> {
    match jvm {
        Some(jvm) => jvm.wait().await,
        None => pending().await,
    }
}

/// The samples of the memory of a JVM.
struct Samples {
    ticks: Interval,
    sampler: Sampler,
    log: MemoryLog,
}

async fn next_sample(samples: &mut Option<Samples>, jvm: &Option<JvmProcess>) -> Option<Memory> {
    match (samples, jvm) {
        (Some(samples), Some(jvm)) => {
            samples.ticks.tick().await;
            let memory = samples.sampler.sample(jvm.pid())?;
            samples.log.note(&memory);
            Some(memory)
        }
        _ => pending().await,
    }
}

async fn next_flight(flights: &mut Option<Interval>) {
    match flights {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}

async fn next_recorded(recorded: &mut Option<oneshot::Receiver<Recorded>>) -> Option<Recorded> {
    match recorded {
        Some(receiver) => {
            let answer = receiver.await.ok();
            *recorded = None;
            answer
        }
        None => pending().await,
    }
}

/// The ports of Flink's reporters, once they listen.
async fn next_reporters(found: &mut Option<oneshot::Receiver<Vec<u16>>>) -> Option<Vec<u16>> {
    match found {
        Some(receiver) => {
            let ports = receiver.await.ok();
            *found = None;
            ports
        }
        None => pending().await,
    }
}

/// Waits until the JVM has not loaded classes for some time, and reads the list of those that it has loaded.
async fn record(recording: Recording, answer: oneshot::Sender<Recorded>) {
    recording.settled().await;
    match recording.take().await {
        Ok(list) => {
            tracing::info!(classes = list.classes(), "recorded the classes of the JVM");
            // If the loop has ended, nobody receives the list.
            let _ = answer.send(Recorded { java: recording.id.text, class_list: list.text().to_owned() });
        }
        Err(error) => tracing::info!(%error, "the classes of the JVM are not recorded"),
    }
}

enum Outcome {
    Done,
    AgentInput(AgentInput),
    Finish(u8),
}

/// Carries out what the [`Agent`] decides.
struct Executor {
    config: Config,
    thread: SpawnThread,
    jvm_pid: Arc<AtomicU32>,
    /// The JVM, until the [`Agent`] knows of its end.
    jvm: Option<JvmProcess>,
    samples: Option<Samples>,
    /// When files of the Flight Recorder are looked for, if the JVM may have it.
    flights: Option<Interval>,
    /// Looks for a dump of the JVM's heap, if one is wanted.
    dump: Option<DumpWatch>,
    /// Receives the classes that the JVM has loaded, for a class data archive.
    recorded: Option<oneshot::Receiver<Recorded>>,
    /// Receives the ports on which Flink's reporters for Prometheus listen in the JVM.
    reporters: Option<oneshot::Receiver<Vec<u16>>>,
    outgoing: Option<mpsc::Sender<Event>>,
}

impl Executor {
    fn link_input(&mut self, event: Option<LinkEvent>) -> AgentInput {
        match event {
            Some(LinkEvent::Up(sender)) => {
                self.outgoing = Some(sender);
                AgentInput::LinkUp
            }
            Some(LinkEvent::Launch(launch)) => AgentInput::Launch(launch),
            Some(LinkEvent::Wait) => AgentInput::Wait,
            Some(LinkEvent::Stop(stop)) => {
                tracing::info!(reason = stop.reason, grace_ms = stop.grace_ms, "asked to stop");
                AgentInput::Stop { grace: u64::from(stop.grace_ms) }
            }
            Some(LinkEvent::Refused(why)) => {
                self.outgoing = None;
                AgentInput::Refused(why)
            }
            Some(LinkEvent::Down) | None => {
                self.outgoing = None;
                AgentInput::LinkDown
            }
        }
    }

    async fn execute(&mut self, effect: AgentEffect) -> Outcome {
        match effect {
            AgentEffect::Send(event) => self.send(event).await,
            AgentEffect::CloseLink => self.outgoing = None,
            AgentEffect::TellSignal => {
                let memory = memory::of_container();
                tracing::info!(
                    rss_mb = memory.rss >> 20,
                    peak_mb = memory.peak_rss >> 20,
                    processes = memory.processes,
                    "told to end by a signal; memory of the container's processes now (peak: the kernel's VmHWM)"
                );
                self.send(Event { event: Some(EventKind::Signalled(Signalled { memory: Some(memory) })) })
                    .await;
            }
            AgentEffect::Terminate => self.jvm.iter().for_each(JvmProcess::terminate),
            AgentEffect::Kill => {
                tracing::warn!("the JVM does not end on SIGTERM: SIGKILL");
                self.jvm.iter().for_each(JvmProcess::kill);
            }
            AgentEffect::Launch(launch) => return Outcome::AgentInput(self.launch(&launch).await),
            AgentEffect::Finish { code, message } => {
                tracing::info!(code, "{message}");
                return Outcome::Finish(code);
            }
        }
        Outcome::Done
    }

    /// Sends an event. If the ApplicationMaster reads slowly, a memory sample is dropped at once, and any
    /// other event after [`GOODBYE`].
    async fn send(&mut self, event: Event) {
        let Some(outgoing) = &self.outgoing else { return };
        let sent = match event.event {
            Some(EventKind::Memory(_)) => outgoing.try_send(event).is_ok(),
            _ => outgoing.send_timeout(event, GOODBYE).await.is_ok(),
        };
        if !sent {
            tracing::warn!("an event for the ApplicationMaster is dropped: it does not read");
        }
    }

    /// Begins to upload a heap dump, if there is one. Gives whether an upload is under way.
    fn look_for_dump(&mut self, jvm_runs: bool) -> bool {
        self.dump.as_mut().is_some_and(|dump| dump.look(&self.thread, jvm_runs, memory::unix_ms()))
    }

    async fn dump_uploaded(&mut self) {
        if let Some(dump) = &mut self.dump {
            dump.finished().await;
        }
    }

    /// Makes what the Flight Recorder has written a part of the logs.
    async fn collect_flights(&self) {
        if self.flights.is_none() {
            return;
        }
        let log_dir = self.config.log_dir.clone();
        let collect = move || flight_recorder::collect(&log_dir, LOG_NAME);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(collect).await {
            tracing::warn!(%error, "what the Flight Recorder has written is not among the logs");
        }
    }

    async fn launch(&mut self, launch: &Launch) -> AgentInput {
        match self.try_launch(launch).await {
            Ok(pid) => {
                tracing::info!(pid, main_class = launch.main_class, "the JVM is started");
                AgentInput::Started { pid, at_unix_ms: memory::unix_ms() }
            }
            Err(error) => {
                let mut summary =
                    format!("the JVM cannot be started{}: {}", self.place(), chain(error.as_ref()));
                if let Some(hint) = error.downcast_ref::<JvmError>().and_then(|e| e.hint(TASK_MANAGER_ENV)) {
                    summary.push_str(&format!("; {hint}"));
                }
                tracing::error!("{summary}");
                AgentInput::LaunchFailed(summary)
            }
        }
    }

    /// The words ` on <host>`, for messages that people read on another machine; empty if the host is not
    /// known.
    fn place(&self) -> String {
        match self.config.host.as_str() {
            "" => String::new(),
            host => format!(" on {host}"),
        }
    }

    async fn try_launch(&mut self, launch: &Launch) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        files::write_all(&self.config.dir, &launch.files)?;
        let env = |name: &str| std::env::var(name).ok();
        let needs_tmp_dirs = launch.args_from_env.values().any(|variable| variable == TMP_DIRS_ENV);
        // YARN removes them, because the container ends with its JVM.
        let tmp_dirs = needs_tmp_dirs.then(|| TmpDirs::make(&env, TMP)).flatten();
        let container = ContainerEnvironment {
            env: &|name| match &tmp_dirs {
                Some(dirs) if name == TMP_DIRS_ENV => Some(dirs.value().to_owned()),
                _ => env(name),
            },
            log_dir: &self.config.log_dir,
            dir: &self.config.dir,
            self_exe: &self.config.self_exe,
        };
        let (mut command, warnings) = plan::jvm_command(launch, &container);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.dump = HeapDump::prepare(&mut command).map(|dump| DumpWatch::new(Arc::new(dump)));
        let jvm = command.spawn(&self.thread).await?;
        let every = match launch.memory_sample_interval_ms {
            0 => DEFAULT_SAMPLE_INTERVAL,
            ms => Duration::from_millis(u64::from(ms)),
        };
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.samples = Some(Samples { ticks, sampler: Sampler::new(), log: MemoryLog::default() });
        if command.records.flight_recorder {
            let every = flight_recorder::EVERY;
            self.flights = Some(interval_at(Instant::now() + every, every));
        }
        if let Use::Record(recording) = jvm.archive() {
            let (answer, recorded) = oneshot::channel();
            tokio::spawn(record(recording.clone(), answer));
            self.recorded = Some(recorded);
        }
        if !launch.reporter_ports.is_empty() {
            let (mut answer, found) = oneshot::channel();
            let (jvm, wanted) = (jvm.clone(), launch.reporter_ports.clone());
            tokio::spawn(async move {
                tokio::select! {
                    ports = reporters::find(&jvm, &wanted) => {
                        // If the loop has ended, nobody receives the ports.
                        let _ = answer.send(ports);
                    }
                    () = answer.closed() => {}
                }
            });
            self.reporters = Some(found);
        }
        let pid = jvm.pid();
        self.jvm_pid.store(pid, Ordering::Relaxed);
        self.jvm = Some(jvm);
        Ok(pid)
    }
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

//! The JobManager's JVM and the bridge to it: one pair after another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flink_model::container::TMP;
use flink_model::options::MASTER_ENV;
use taskrunner::exit::ExitReport;
use taskrunner::jvm::{JvmError, JvmProcess};
use taskrunner::spawn::SpawnThread;
use taskrunner::tmp_dirs::TmpDirs;
use tokio::sync::{mpsc, watch};

use super::effects::JobManager;
use super::head_start::{REST_PORT_KEY, is_free};
use super::job_manager_watch::JobManagerWatch;
use crate::bridge::{Bridge, BridgeEvent, FromJvm, ToJvm};
use crate::clock;
use crate::controller::event::Event;
use crate::environment::Environment;
use crate::history::SharedHistory;
use crate::jobmanager::{self, JobManagerEnd, JvmFiles};
use crate::metrics::Metrics;
use crate::timeline::{Step, Timeline};

/// What every start needs.
pub(super) struct JobManagerStart {
    pub(super) environment: Arc<Environment>,
    /// What only we can tell the JobManager of its configuration.
    pub(super) known: Vec<(&'static str, String)>,
    pub(super) thread: SpawnThread,
    pub(super) timeline: Timeline,
    /// Where metrics are served.
    pub(super) metrics: Option<Metrics>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// Keeps the samples of the JVM's memory.
    pub(super) history: SharedHistory,
}

impl JobManagerStart {
    /// The REST port that the JobManager has to use, if somebody else listens on it.
    fn taken_port(&self) -> Option<u16> {
        let known = self.known.iter().find(|(key, _)| *key == REST_PORT_KEY);
        let port = known.and_then(|(_, port)| port.parse().ok())?;
        (!is_free(port)).then_some(port)
    }
}

/// Clones share it.
#[derive(Clone)]
pub(super) struct JobManagerJvm {
    start: Arc<JobManagerStart>,
    current: Arc<Mutex<Current>>,
}

/// The newest JVM.
#[derive(Default)]
struct Current {
    bridge: Option<Bridge>,
    process: Option<JvmProcess>,
}

impl JobManagerJvm {
    /// Starts the first JVM; `record`: it may record its classes for an archive. With it come its process,
    /// and whether it has said that it is ready. The error is for people.
    pub(super) async fn first(
        start: JobManagerStart,
        record: bool,
    ) -> Result<(Self, JvmProcess, watch::Receiver<bool>), String> {
        start.timeline.end(Step::Master, "", clock::now());
        start.timeline.begin(Step::JobManagerJvm, "", clock::now());
        let made = Self { start: Arc::new(start), current: Arc::default() };
        let (process, ready) = made.launch(0, record).await?;
        Ok((made, process, ready))
    }

    async fn launch(
        &self,
        generation: u32,
        record: bool,
    ) -> Result<(JvmProcess, watch::Receiver<bool>), String> {
        let JobManagerStart { environment, known, thread, events, metrics, history, .. } = &*self.start;
        let (ready, is_ready) = watch::channel(false);
        let send = events.clone();
        let listen = move |event: BridgeEvent| {
            if matches!(&event, BridgeEvent::Line(FromJvm::Ready { .. })) {
                ready.send_replace(true);
            }
            // At the end the loop does not listen any more.
            drop(send.send(Event::Bridge { generation, event }));
        };
        let bridge = Bridge::start(listen);
        let pipes = bridge.take_pipes();
        // Before the process: it speaks as soon as it can.
        *self.current() = Current { bridge: Some(bridge), process: None };
        let tmp_dirs = tmp_dirs(generation).await;
        let tmp = tmp_dirs.as_ref();
        let tokens = tokens_file(environment).await?;
        let files = JvmFiles { tmp_dirs: tmp, tokens: tokens.as_deref() };
        let started = jobmanager::start(environment, known, record, files, pipes, thread).await;
        let (process, dump) = started.map_err(|error| cannot_start(&error, &environment.host))?;
        let main_class = &environment.spec.job_manager.jvm.main_class;
        tracing::info!(pid = process.pid(), main_class, generation, "JobManager started");
        self.current().process = Some(process.clone());
        if let (Some(metrics), Some(spec)) = (metrics, &environment.spec.application_master.metrics) {
            metrics.job_manager_started(generation, &process, &spec.reporters);
        }
        let (jvm, events, metrics) = (process.clone(), events.clone(), metrics.clone());
        let mut watched = JobManagerWatch::new(environment, history, thread, dump);
        tokio::spawn(async move {
            let report = tokio::select! {
                report = jvm.wait() => report,
                () = watched.look_on(&jvm) => return,
            };
            metrics.iter().for_each(|metrics| metrics.job_manager_ended(generation));
            // The next JVM needs the memory of the container.
            watched.ended().await;
            let end = jobmanager::describe_end(&report);
            drop(events.send(Event::JobManagerEnded { generation, end }));
            if let Some(dirs) = tmp_dirs {
                // The next JVM has others and need not wait for this.
                tokio::task::spawn_blocking(move || dirs.remove());
            }
        });
        Ok((process, is_ready))
    }

    /// Sends it SIGTERM.
    pub(super) fn terminate(&self) {
        self.process().iter().for_each(JvmProcess::terminate);
    }

    /// Waits for its end; none where no JVM runs.
    pub(super) async fn wait(&self) -> Option<Arc<ExitReport>> {
        Some(self.process()?.wait().await)
    }

    fn process(&self) -> Option<JvmProcess> {
        self.current().process.clone()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directories for the temporary files of one JVM.
async fn tmp_dirs(generation: u32) -> Option<TmpDirs> {
    let make = move || TmpDirs::make(&|name| std::env::var(name).ok(), &format!("{TMP}-{generation}"));
    tokio::task::spawn_blocking(make).await.ok().flatten()
}

/// With Kerberos, the file with the tokens of this moment for the JVM. The error is for people.
async fn tokens_file(environment: &Arc<Environment>) -> Result<Option<PathBuf>, String> {
    let environment = environment.clone();
    let write = tokio::task::spawn_blocking(move || environment.write_tokens().transpose());
    let written = write.await.map_err(|error| error.to_string())?;
    written.map_err(|error| format!("the tokens for the JobManager cannot be written: {error}"))
}

fn cannot_start(error: &JvmError, host: &str) -> String {
    let parts = [Some(error.to_string()), std::error::Error::source(error).map(ToString::to_string)];
    let cause = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    let hint = error.hint(MASTER_ENV).map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("the JobManager cannot be started on {host}: {cause}{hint}")
}

impl JobManager for JobManagerJvm {
    fn tell(&self, message: ToJvm) {
        if !self.current().bridge.as_ref().is_some_and(|bridge| bridge.send(message)) {
            tracing::debug!("no JobManager is connected to hear a message");
        }
    }

    fn kill(&self) {
        self.process().iter().for_each(JvmProcess::kill);
    }

    fn start(&self, generation: u32) {
        let this = self.clone();
        tokio::spawn(async move {
            let taken = this.start.taken_port();
            let failed = match taken {
                Some(port) => Some(format!(
                    "it cannot be started again on {}: another program listens on port {port}, at which YARN \
                     knows the JobManager of this attempt",
                    this.start.environment.host
                )),
                None => this.launch(generation, false).await.err(),
            };
            if let Some(summary) = failed {
                let end = JobManagerEnd { summary, last_lines: String::new(), port_taken: taken.is_some() };
                drop(this.start.events.send(Event::JobManagerEnded { generation, end }));
            }
        });
    }
}

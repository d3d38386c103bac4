//! The metrics of the running ApplicationMaster: several tasks share them, and an HTTP server reads them.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_http::{Answer, Limits, METRICS_PATH, Question, TARGETS_PATH, serve, write_targets};
use taskrunner::control::Memory;
use taskrunner::jvm::JvmProcess;
use taskrunner::{memory, reporters};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::encode::{OPEN_METRICS, PLAIN, open_metrics, plain, wants_open_metrics};
use super::jobs::Jobs;
use super::snapshot::{Measured, snapshot};
use super::state::{About, State};
use super::targets::{Serving, targets};
use crate::clock;
use crate::control::Control;
use crate::controller::observation::Observation;
use crate::environment::Environment;

/// Clones share it.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    about: About,
    state: Mutex<State>,
    job_manager: Mutex<Option<JobManagerProcess>>,
    scrapes: AtomicU64,
}

/// The JobManager's JVM, while it runs.
struct JobManagerProcess {
    generation: u32,
    process: JvmProcess,
    /// The ports of Flink's reporters for Prometheus, once they are known.
    ports: Vec<u16>,
}

/// Whom the metrics ask when somebody reads them.
pub(crate) struct Sources {
    control: Control,
    jobs: Jobs,
    /// The address of the metrics, `host:port`.
    own: String,
}

impl Sources {
    pub(crate) fn new(control: Control, environment: &Arc<Environment>, own: String) -> Self {
        Self { control, jobs: Jobs::new(environment.clone()), own }
    }
}

impl Metrics {
    pub(crate) fn new(about: About) -> Self {
        Self(Arc::new(Inner {
            about,
            state: Mutex::default(),
            job_manager: Mutex::default(),
            scrapes: AtomicU64::new(0),
        }))
    }

    /// Takes note of what was observed.
    pub(crate) fn note(&self, observations: &[Observation], now: Instant) {
        if !observations.is_empty() {
            let mut state = self.state();
            observations.iter().for_each(|observation| state.step(observation, now));
        }
    }

    /// The ResourceManager has answered.
    pub(crate) fn answered(&self, now: Instant) {
        self.state().answered(now);
    }

    /// The JobManager's JVM of this generation runs. `wanted`: the ports that Flink's reporters may use.
    pub(crate) fn job_manager_started(&self, generation: u32, process: &JvmProcess, wanted: &[String]) {
        let process = process.clone();
        *self.job_manager() =
            Some(JobManagerProcess { generation, process: process.clone(), ports: Vec::new() });
        if wanted.is_empty() {
            return;
        }
        let (this, wanted) = (self.clone(), wanted.to_vec());
        tokio::spawn(async move {
            let found = tokio::select! {
                found = reporters::find(&process, &wanted) => found,
                _ = process.wait() => return,
            };
            if let Some(current) = &mut *this.job_manager()
                && current.generation == generation
            {
                current.ports = found;
            }
        });
    }

    /// The JobManager's JVM of this generation has ended.
    pub(crate) fn job_manager_ended(&self, generation: u32) {
        drop(self.job_manager().take_if(|current| current.generation == generation));
    }

    /// Serves metrics and targets until the future is dropped.
    pub(crate) async fn serve(self, listener: TcpListener, sources: Sources) -> Infallible {
        let sources = Arc::new(sources);
        serve(listener, Limits::default(), move |question| {
            let (this, sources) = (self.clone(), sources.clone());
            async move { this.answer(&question, &sources).await }
        })
        .await
    }

    async fn answer(&self, question: &Question, sources: &Sources) -> Answer {
        match question.path.as_str() {
            METRICS_PATH => self.metrics(&question.accept, sources).await,
            TARGETS_PATH => Answer::ok("application/json", self.targets(sources)),
            _ => Answer::not_found(format!(
                "heddle-am serves its metrics at {METRICS_PATH}, and the targets of this application at {TARGETS_PATH}\n"
            )),
        }
    }

    async fn metrics(&self, accept: &str, sources: &Sources) -> Answer {
        let scrapes = self.0.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        let rest = self.state().rest.clone();
        let jobs = match rest {
            Some(url) => sources.jobs.read(&url, clock::now()).await,
            None => None,
        };
        let process = self.job_manager().as_ref().map(|current| current.process.pid());
        // What is read here are files of the kernel, which need no time to speak of.
        let measured = Measured {
            own_memory: memory::sample(std::process::id()).map(|memory| memory.rss),
            job_manager: process.and_then(memory::sample),
            jobs,
            unanswered: sources.jobs.unanswered(),
            scrapes,
            unix_ms: clock::unix_ms(),
            ..Measured::default()
        };
        let families = {
            let state = self.state();
            let measured = with_task_managers(measured, &state, &sources.control);
            snapshot(&self.0.about, &state, &measured, clock::now())
        };
        match open_metrics(families) {
            Ok(text) if wants_open_metrics(accept) => Answer::ok(OPEN_METRICS, text),
            Ok(text) => Answer::ok(PLAIN, plain(&text)),
            Err(error) => {
                tracing::warn!(%error, "the metrics cannot be written");
                Answer { status: 500, content_type: PLAIN, body: String::new() }
            }
        }
    }

    fn targets(&self, sources: &Sources) -> String {
        let job_manager = self.job_manager().as_ref().map(|current| current.ports.clone());
        let live: Vec<Serving> = {
            let state = self.state();
            let serving = state.live().map(|(container, held)| Serving {
                container: container.to_string(),
                host: held.node.host.clone(),
                ports: sources.control.reporters(container),
            });
            serving.filter(|serving| !serving.ports.is_empty()).collect()
        };
        let groups = targets(&self.0.about, &sources.own, &job_manager.unwrap_or_default(), live);
        write_targets(&groups)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job_manager(&self) -> MutexGuard<'_, Option<JobManagerProcess>> {
        self.0.job_manager.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the memory of the TaskManagers, as their taskrunners have last told it.
fn with_task_managers(mut measured: Measured, state: &State, control: &Control) -> Measured {
    control.memories(|container, memory: &Memory| {
        let Some(held) = state.live_one(container) else { return };
        measured.memory.add(memory.rss as f64);
        measured.peak.add(memory.peak_rss as f64);
        if held.memory > 0 {
            measured.used.add(memory.rss as f64 / held.memory as f64);
        }
    });
    measured
}

//! Looks on while the JobManager's JVM runs, as a taskrunner does for a TaskManager: samples its memory,
//! makes what the Flight Recorder writes a part of the logs, and uploads a dump of its heap.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use taskrunner::flight_recorder;
use taskrunner::heap_dump::{DumpWatch, HeapDump};
use taskrunner::jvm::JvmProcess;
use taskrunner::memory::Sampler;
use taskrunner::memory_log::MemoryLog;
use taskrunner::spawn::SpawnThread;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::clock;
use crate::environment::Environment;
use crate::history::SharedHistory;
use crate::jobmanager::LOG_NAME;

/// The time between two samples.
const SAMPLES: Duration = Duration::from_secs(5);
/// How long the end of the JobManager may wait for the upload of a heap dump.
const UPLOAD: Duration = Duration::from_secs(300);

/// See the module's text.
pub(super) struct JobManagerWatch {
    history: SharedHistory,
    thread: SpawnThread,
    sampler: Sampler,
    log: MemoryLog,
    dump: Option<DumpWatch>,
    /// The directory of the logs, if the Flight Recorder is wanted.
    flights: Option<PathBuf>,
    /// When its files were looked for.
    looked: Instant,
}

impl JobManagerWatch {
    /// For one JVM. `dump`: the place for the dump of its heap, if one is wanted.
    pub(super) fn new(
        environment: &Environment,
        history: &SharedHistory,
        thread: &SpawnThread,
        dump: Option<HeapDump>,
    ) -> Self {
        let wants_flights = environment.spec.application.records.flight_recorder;
        Self {
            history: history.clone(),
            thread: thread.clone(),
            sampler: Sampler::new(),
            log: MemoryLog::default(),
            dump: dump.map(|dump| DumpWatch::new(Arc::new(dump))),
            flights: wants_flights.then(|| environment.log_dir.clone()),
            looked: clock::now(),
        }
    }

    /// Looks on, for as long as this is waited for.
    pub(super) async fn look_on(&mut self, jvm: &JvmProcess) {
        let mut ticks = interval(SAMPLES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if let Some(memory) = self.sampler.sample(jvm.pid()) {
                self.log.note(&memory);
                self.history.job_manager_memory(memory);
            }
            self.look_for_dump(true);
            if self.looked.elapsed() >= flight_recorder::EVERY {
                self.looked = clock::now();
                self.collect_flights().await;
            }
        }
    }

    /// The JVM has ended: does what is left to do, for some minutes at most.
    pub(super) async fn ended(&mut self) {
        self.collect_flights().await;
        if !self.look_for_dump(false) {
            return;
        }
        let Some(dump) = &mut self.dump else { return };
        if timeout(UPLOAD, dump.finished()).await.is_err() {
            dump.give_up();
            tracing::warn!(
                "the upload of the heap dump takes longer than {} s; the JobManager's next JVM needs the memory, so the upload is \
                 ended, and the dump is lost",
                UPLOAD.as_secs()
            );
        }
    }

    fn look_for_dump(&mut self, jvm_runs: bool) -> bool {
        self.dump.as_mut().is_some_and(|dump| dump.look(&self.thread, jvm_runs, clock::unix_ms()))
    }

    async fn collect_flights(&self) {
        let Some(log_dir) = self.flights.clone() else { return };
        let collect = move || flight_recorder::collect(&log_dir, LOG_NAME);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(collect).await {
            tracing::warn!(%error, "what the Flight Recorder has written is not among the logs");
        }
    }
}

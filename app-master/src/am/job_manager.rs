//! The JobManager's JVM and the bridge to it.

use std::sync::Arc;

use taskrunner::exit::ExitReport;
use taskrunner::jvm::JvmProcess;

use super::effects::JobManager;
use crate::bridge::{Bridge, ToJvm};

/// Clones share them.
#[derive(Clone)]
pub(super) struct JobManagerJvm {
    bridge: Arc<Bridge>,
    process: JvmProcess,
}

impl JobManagerJvm {
    pub(super) fn new(bridge: Bridge, process: JvmProcess) -> Self {
        Self { bridge: Arc::new(bridge), process }
    }

    /// Sends it SIGTERM.
    pub(super) fn terminate(&self) {
        self.process.terminate();
    }

    /// Waits for its end.
    pub(super) async fn wait(&self) -> Arc<ExitReport> {
        self.process.wait().await
    }
}

impl JobManager for JobManagerJvm {
    fn tell(&self, message: ToJvm) {
        if !self.bridge.send(message) {
            tracing::debug!("no JobManager is connected to hear a message");
        }
    }

    fn kill(&self) {
        self.process.kill();
    }
}

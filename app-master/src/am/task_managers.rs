//! The component that starts and stops TaskManagers' containers, through NodeManagers and taskrunners.

use std::sync::Arc;
use std::time::Duration;

use taskrunner::successor::{self, Successor};
use tokio::sync::mpsc;
use tokio::time::sleep;
use yarn_api::NodeManagerClients;
use yarn_api::records::ContainerId;

use super::containers::Containers;
use super::effects::TaskManagers;
use crate::control::Control;
use crate::controller::event::Event;
use crate::launcher::Launcher;
use crate::ledger::types::TaskManagerArguments;

/// For a TaskManager to end by itself once its container is given back.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);

/// See the module's text. Each start and each stop is a task of its own: a NodeManager may be slow to answer.
pub(super) struct TaskManagerContainers {
    pub(super) control: Control,
    pub(super) nodes: NodeManagerClients,
    pub(super) launcher: Arc<Launcher>,
    pub(super) containers: Containers,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// The control secret of the application.
    pub(super) secret: Arc<[u8]>,
    /// This ApplicationMaster, for the taskrunners that earlier attempts have started.
    pub(super) this: Successor,
}

/// Pause between two tries to tell a taskrunner the address, and how often it is tried.
const TELL_PAUSE: Duration = Duration::from_secs(5);
const TELL_TRIES: u32 = 12;

impl TaskManagers for TaskManagerContainers {
    fn start(&self, container: ContainerId) {
        let Some(granted) = self.containers.get(container) else { return };
        let (launcher, nodes, events) = (self.launcher.clone(), self.nodes.clone(), self.events.clone());
        tokio::spawn(async move {
            let event = match launcher.start(&nodes, &granted).await {
                Ok(()) => Event::StartAccepted(container),
                Err(error) => Event::StartFailed(container, error.to_string()),
            };
            // At the end nobody listens any more.
            drop(events.send(event));
        });
    }

    fn launch(&self, container: ContainerId, arguments: TaskManagerArguments) {
        let Some(granted) = self.containers.get(container) else { return };
        let launcher = self.launcher.clone();
        self.control.launch(container, move || launcher.launch(&granted, arguments.clone()));
    }

    fn keep_waiting(&self, container: ContainerId) {
        self.control.wait(container);
    }

    /// The taskrunner lets its JVM end in order; where none is connected the NodeManager ends what there is.
    fn stop(&self, container: ContainerId, reason: &str, started: bool) {
        if self.control.stop(container, STOP_GRACE, reason) || !started {
            return;
        }
        let Some(granted) = self.containers.get(container) else { return };
        let nodes = self.nodes.clone();
        tokio::spawn(async move {
            if let Err(error) = nodes.stop_container(&granted.node, &granted.id).await {
                // The ResourceManager, to which it is given back, has it stopped as well.
                tracing::debug!(worker = %container, %error, "the NodeManager did not stop the container");
            }
        });
    }

    fn send_address(&self, container: ContainerId) {
        let Some(granted) = self.containers.get(container) else { return };
        let (secret, this) = (self.secret.clone(), self.this.clone());
        tokio::spawn(async move {
            let name = container.to_string();
            let mut why = String::new();
            for attempt in 0..TELL_TRIES {
                if attempt > 0 {
                    sleep(TELL_PAUSE).await;
                }
                match successor::tell(&granted.node.host, &name, &secret, &this).await {
                    Ok(()) => return tracing::info!(worker = name, "its taskrunner is told the new address"),
                    Err(error) => why = error,
                }
            }
            // Its TaskManager works all the same, for as long as the taskrunner waits.
            tracing::warn!(worker = name, why, "its taskrunner cannot be told the new address");
        });
    }

    fn forget(&self, container: ContainerId) {
        if let Some(memory) = self.control.memory(container) {
            tracing::info!(
                worker = %container,
                rss_mb = memory.rss >> 20,
                peak_mb = memory.peak_rss >> 20,
                cgroup_peak_mb = memory.cgroup_peak >> 20,
                age_s = taskrunner::memory::unix_ms().saturating_sub(memory.at_unix_ms) / 1000,
                "memory as last read, of {} (peak: the kernel's VmHWM then)",
                if memory.processes > 1 { "all processes of the container" } else { "the JVM" }
            );
        }
        self.control.forget(container);
        self.containers.forget(container);
    }
}

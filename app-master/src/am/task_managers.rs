//! The component that starts and stops TaskManagers' containers, through NodeManagers and taskrunners.

use std::sync::Arc;
use std::time::Duration;

use diagnosis::trend::sentence;
use taskrunner::keys::{ControlKeys, Role};
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
    /// The keys of the control server.
    pub(super) keys: Arc<ControlKeys>,
    /// This ApplicationMaster, for the taskrunners that earlier attempts have started.
    pub(super) this: Successor,
}

/// When a taskrunner that could not be told the address is told again.
#[derive(Debug, Clone, Copy)]
struct TellAgain {
    /// Pause between the first tries, and how many tries these are.
    soon: Duration,
    tries: u32,
    /// Pause between all others. The node may have been cut off for longer than the first tries take, and its
    /// taskrunner ends a TaskManager that works once it has not heard of an ApplicationMaster for an hour.
    later: Duration,
}

const TELL_AGAIN: TellAgain =
    TellAgain { soon: Duration::from_secs(5), tries: 12, later: Duration::from_secs(60) };

/// Tries to tell the taskrunner of `container` something until that has succeeded, or `is_due` says no.
async fn tell_until_told<T: Future<Output = Result<(), String>>>(
    container: ContainerId,
    again: TellAgain,
    tell: impl Fn() -> T,
    is_due: impl Fn() -> bool,
) {
    let mut tries = 0;
    while is_due() {
        let Err(why) = tell().await else {
            return tracing::info!(worker = %container, "its taskrunner is told the new address");
        };
        tries += 1;
        if tries == again.tries {
            // Its TaskManager works all the same, for as long as the taskrunner waits.
            tracing::warn!(
                worker = %container,
                why,
                "its taskrunner cannot be told the new address; that is tried again and again"
            );
        }
        sleep(if tries < again.tries { again.soon } else { again.later }).await;
    }
}

impl TaskManagers for TaskManagerContainers {
    fn start(&self, container: ContainerId) {
        let Some(granted) = self.containers.get(container) else { return };
        self.control.expect(container);
        let (launcher, nodes, events) = (self.launcher.clone(), self.nodes.clone(), self.events.clone());
        tokio::spawn(async move {
            let event = match launcher.start(&nodes, &granted).await {
                Ok(()) => Event::StartAccepted(container),
                Err(why) => Event::StartFailed(container, why),
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
        self.control.expect(container);
        let (keys, this) = (self.keys.clone(), self.this.clone());
        let (containers, control) = (self.containers.clone(), self.control.clone());
        tokio::spawn(async move {
            let name = container.to_string();
            let key = match keys.key(&Role::Worker(name.clone())) {
                Ok(key) => key,
                Err(error) => {
                    return tracing::error!(worker = %container, %error, "it is not told the address");
                }
            };
            let tell = || successor::tell(&granted.node.host, &name, &key, &this);
            let is_due = || containers.get(container).is_some() && !control.is_connected(container);
            tell_until_told(container, TELL_AGAIN, tell, is_due).await;
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
        if let Some(trend) = self.control.samples(container).and_then(|samples| sentence(&samples)) {
            tracing::info!(worker = %container, trend, "how its memory has gone");
        }
        self.control.forget(container);
        self.containers.forget(container);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;
    use crate::ledger::types::container_id;

    const PAUSE: Duration = Duration::from_millis(1);
    const AGAIN: TellAgain = TellAgain { soon: PAUSE, tries: 3, later: PAUSE };

    #[tokio::test]
    async fn a_taskrunner_is_told_the_address_however_late_it_can_be_reached() {
        let tries = Cell::new(0);
        let tell = || {
            tries.set(tries.get() + 1);
            ready(if tries.get() == 20 { Ok(()) } else { Err("refused".to_owned()) })
        };
        tell_until_told(container_id("c1"), AGAIN, tell, || true).await;
        assert_eq!(tries.get(), 20);
    }

    #[tokio::test]
    async fn a_taskrunner_that_is_forgotten_or_has_connected_is_told_nothing_more() {
        let tries = Cell::new(0);
        let tell = || {
            tries.set(tries.get() + 1);
            ready(Err("refused".to_owned()))
        };
        tell_until_told(container_id("c1"), AGAIN, tell, || tries.get() < 7).await;
        assert_eq!(tries.get(), 7);
    }
}

//! The containers that YARN has granted, as YARN describes them: NodeManagers want the token that came with
//! each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yarn_api::records::{Container, ContainerId};

use crate::ledger::types::{Place, Worker};

/// Containers by their ids; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Containers(Arc<Mutex<HashMap<Worker, Container>>>);

impl Containers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Worker, Container>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a container and gives what the ledger needs of it.
    pub(super) fn keep(&self, container: &Container) -> (Worker, Place) {
        let worker = Worker::new(container.id.to_string());
        self.lock().entry(worker.clone()).or_insert_with(|| container.clone());
        (worker, Place { host: container.node.host.clone(), port: i32::from(container.node.port) })
    }

    /// A container that is kept.
    pub(super) fn get(&self, container: &Worker) -> Option<Container> {
        self.lock().get(container).cloned()
    }

    /// YARN's ids of those that are kept.
    pub(super) fn ids(&self, containers: &[Worker]) -> Vec<ContainerId> {
        let kept = self.lock();
        containers.iter().filter_map(|container| kept.get(container).map(|kept| kept.id)).collect()
    }

    /// Forgets a container.
    pub(super) fn forget(&self, container: &Worker) {
        self.lock().remove(container);
    }
}

//! The containers that YARN has granted, with all that YARN has told of them. The ledger knows them by their
//! ids; NodeManagers want the token that came with each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yarn_api::records::{Container, ContainerId};

/// Containers by their ids; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Containers(Arc<Mutex<HashMap<ContainerId, Container>>>);

impl Containers {
    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerId, Container>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a container. One that is kept already stays as it is.
    pub(super) fn keep(&self, container: &Container) {
        self.lock().entry(container.id).or_insert_with(|| container.clone());
    }

    /// A container that is kept.
    pub(super) fn get(&self, id: ContainerId) -> Option<Container> {
        self.lock().get(&id).cloned()
    }

    /// Forgets a container.
    pub(super) fn forget(&self, id: ContainerId) {
        self.lock().remove(&id);
    }
}

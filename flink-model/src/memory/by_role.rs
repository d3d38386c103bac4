//! Chooses the memory options and the division of memory by the role.

use crate::config::Configuration;
use crate::release::Release;

use super::job_manager::{self, job_manager};
use super::process::ProcessOptions;
use super::task_manager::{self, task_manager};
use super::{MemoryError, Role};

impl Role {
    /// The key of the process size.
    pub fn process_key(self) -> &'static str {
        self.options().process.key
    }

    pub(crate) fn options(self) -> &'static ProcessOptions {
        match self {
            Self::JobManager => &job_manager::OPTIONS,
            Self::TaskManager => &task_manager::OPTIONS,
        }
    }

    /// Fails if `release` would refuse the configuration for this role.
    pub(crate) fn check(self, conf: &Configuration, release: Release) -> Result<(), MemoryError> {
        match self {
            Self::JobManager => job_manager(conf, release).map(drop),
            Self::TaskManager => task_manager(conf, release).map(drop),
        }
    }
}

//! How Flink divides the memory of a JobManager and of a TaskManager.
//!
//! ```text
//! process = Flink's memory + metaspace + JVM overhead
//! Flink's memory, JobManager  = heap + off-heap
//! Flink's memory, TaskManager = framework heap + framework off-heap + task heap + task off-heap + network + managed
//! ```
//!
//! At least one of process size, Flink size and the fine-grained sizes must be set; the rest follows.

mod advice;
mod error;
mod explain;
mod job_manager;
mod legacy;
mod pools;
mod process;
mod remedy;
mod task_manager;

pub use advice::{Advice, Change, advise, percent, without_effect};
pub use error::{MemoryError, Pool};
pub use explain::{Explained, ExplainedPool, Limit, Rule, Setting, Whole};
pub use job_manager::{JobManagerMemory, job_manager};
pub use legacy::apply_heap_environment;
pub use pools::{JvmLimit, PoolName, short};
pub use remedy::{Remedy, remedies};
pub use task_manager::{TaskManagerMemory, external_resources, task_manager, task_manager_cores};

use crate::config::Configuration;
use crate::release::Release;
use crate::units::MemorySize;

/// Which of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The JobManager, which the ApplicationMaster's container holds.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JobManager => "JobManager",
            Self::TaskManager => "TaskManager",
        })
    }
}

impl Role {
    /// The key of the process size.
    pub fn process_key(self) -> &'static str {
        self.options().process.key
    }

    fn options(self) -> &'static process::ProcessOptions {
        match self {
            Self::JobManager => &job_manager::OPTIONS,
            Self::TaskManager => &task_manager::OPTIONS,
        }
    }

    /// Whether `release` would take the configuration for this role.
    fn check(self, conf: &Configuration, release: Release) -> Result<(), MemoryError> {
        match self {
            Self::JobManager => job_manager(conf, release).map(drop),
            Self::TaskManager => task_manager(conf, release).map(drop),
        }
    }

    /// How this role's keys begin.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager.memory",
            Self::TaskManager => "taskmanager.memory",
        }
    }
}

/// The JVM's memory flags in Flink's order.
fn jvm_args(heap: MemorySize, direct: Option<MemorySize>, metaspace: MemorySize) -> Vec<String> {
    let mut args = vec![format!("-Xmx{}", heap.bytes()), format!("-Xms{}", heap.bytes())];
    args.extend(direct.map(|direct| format!("-XX:MaxDirectMemorySize={}", direct.bytes())));
    args.push(format!("-XX:MaxMetaspaceSize={}", metaspace.bytes()));
    args
}

/// A size as Flink writes it among dynamic properties.
fn property(key: &str, size: MemorySize) -> (String, String) {
    (key.to_owned(), format!("{}b", size.bytes()))
}

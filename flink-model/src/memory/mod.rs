//! How Flink divides the memory of a JobManager and of a TaskManager, as Flink's classes in
//! `org.apache.flink.runtime.util.config.memory` do.
//!
//! ```text
//! process = Flink's memory + metaspace + JVM overhead
//! Flink's memory, JobManager  = heap + off-heap
//! Flink's memory, TaskManager = framework heap + framework off-heap + task heap + task off-heap
//!                              + network + managed
//! ```
//!
//! At least one of process size, Flink size and the fine-grained sizes must be set; the rest follows.

mod by_role;
mod error;
mod explain;
mod job_manager;
mod legacy;
mod pools;
mod process;
mod remedy;
mod role;
mod task_manager;

pub use error::{MemoryError, Pool};
pub use explain::{Explained, ExplainedPool, Limit, Rule, Setting, Whole};
pub use job_manager::{JobManagerMemory, job_manager};
pub use legacy::apply_heap_environment;
pub use pools::{JvmLimit, PoolName, short};
pub use remedy::{Remedy, remedies};
pub use role::Role;
pub use task_manager::{TaskManagerMemory, external_resources, task_manager, task_manager_cores};

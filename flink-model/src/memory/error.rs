//! Why Flink would refuse a memory configuration. Another try does not help, but another configuration does.

use std::fmt;

use crate::config::ValueError;
use crate::units::MemorySize;

use super::Role;

/// An amount of memory with a name, for the sums in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// What the memory is for.
    pub name: &'static str,
    /// The amount of memory.
    pub size: MemorySize,
}

/// Shows a sum as `framework heap 128 mb + task heap 1 gb`.
struct Sum<'a>(&'a [Pool]);

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pool) in self.0.iter().enumerate() {
            let plus = if index == 0 { "" } else { " + " };
            write!(f, "{plus}{} {}", pool.name, pool.size)?;
        }
        Ok(())
    }
}

/// Why a memory configuration is refused. The release of Flink itself would refuse it for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A value is not of its option's type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// None of the sizes is set from which the others could be derived.
    #[error("no memory size is set for the {role}: set {process}, or {flink}, or {fine_grained}")]
    NotConfigured {
        /// The process.
        role: Role,
        /// The key of the process size.
        process: &'static str,
        /// The key of Flink's memory.
        flink: &'static str,
        /// The keys of the fine-grained sizes.
        fine_grained: String,
    },
    /// Metaspace and JVM overhead leave nothing of the process size.
    #[error(
        "{role}: metaspace {metaspace} + JVM overhead {overhead} exceed the process size {process} \
         ({}.process.size)", role.prefix()
    )]
    ProcessTooSmall {
        /// The process.
        role: Role,
        /// The process size, as configured.
        process: MemorySize,
        /// The metaspace, as configured.
        metaspace: MemorySize,
        /// The JVM overhead that follows from its fraction, minimum and maximum.
        overhead: MemorySize,
    },
    /// The process size is set, too, and Flink's memory does not fit into it.
    #[error(
        "{role}: Flink's memory {flink} ({0}.flink.size, or the sum of its parts) + metaspace {metaspace} exceed the \
         process size {process} ({0}.process.size)", role.prefix()
    )]
    FlinkExceedsProcess {
        /// The process.
        role: Role,
        /// The process size, as configured.
        process: MemorySize,
        /// Flink's memory, as configured or as the sum of the fine-grained sizes.
        flink: MemorySize,
        /// The metaspace, as configured.
        metaspace: MemorySize,
    },
    /// What Flink's memory and metaspace leave for JVM overhead is not between its minimum and maximum.
    #[error(
        "{role}: process size {process} - Flink's memory {flink} - metaspace {metaspace} leave {overhead} of JVM overhead, \
         which must lie between {min} and {max}"
    )]
    OverheadOutOfRange {
        /// The process.
        role: Role,
        /// The process size, as configured.
        process: MemorySize,
        /// Flink's memory, as configured or as the sum of the fine-grained sizes.
        flink: MemorySize,
        /// The metaspace, as configured.
        metaspace: MemorySize,
        /// What is left for JVM overhead.
        overhead: MemorySize,
        /// The least JVM overhead.
        min: MemorySize,
        /// The most JVM overhead.
        max: MemorySize,
    },
    /// A minimum is above its maximum, or a fraction is below 0, or it is 1 or more.
    #[error("{fraction_key} = {fraction} with minimum {min} and maximum {max} is inconsistent: {why}")]
    InconsistentRange {
        /// The key of the fraction.
        fraction_key: &'static str,
        /// The fraction as text.
        fraction: String,
        /// The minimum.
        min: MemorySize,
        /// The maximum.
        max: MemorySize,
        /// What is wrong.
        why: &'static str,
    },
    /// The JobManager's heap and off-heap memory are both set, and their sum is not Flink's memory.
    #[error(
        "JobManager: heap {heap} + off-heap {off_heap} are not Flink's memory {flink}; leave one of them out"
    )]
    HeapMismatch {
        /// The heap, as configured.
        heap: MemorySize,
        /// The off-heap memory, as configured.
        off_heap: MemorySize,
        /// Flink's memory, as configured.
        flink: MemorySize,
    },
    /// The JobManager's heap does not fit into Flink's memory.
    #[error("JobManager: heap {heap} exceeds Flink's memory {flink}; leave one of them out")]
    HeapExceedsFlink {
        /// The heap, as configured.
        heap: MemorySize,
        /// Flink's memory, as configured.
        flink: MemorySize,
    },
    /// The JobManager's off-heap memory leaves nothing for the heap.
    #[error("JobManager: off-heap {off_heap} leaves no heap in Flink's memory {flink}")]
    OffHeapExceedsFlink {
        /// The off-heap memory.
        off_heap: MemorySize,
        /// Flink's memory.
        flink: MemorySize,
    },
    /// The TaskManager's pools do not fit into Flink's memory.
    #[error("TaskManager: {} exceed Flink's memory {flink}", Sum(pools))]
    PoolsExceedFlink {
        /// The pools with their sizes.
        pools: Vec<Pool>,
        /// Flink's memory.
        flink: MemorySize,
    },
    /// What the TaskManager's other pools leave for the network is not between its minimum and maximum.
    #[error(
        "TaskManager: Flink's memory {flink} less the other pools leaves {network} for the network, which must lie between \
         {min} and {max}"
    )]
    NetworkOutOfRange {
        /// Flink's memory.
        flink: MemorySize,
        /// What is left for the network.
        network: MemorySize,
        /// The least network memory.
        min: MemorySize,
        /// The most network memory.
        max: MemorySize,
    },
    /// What the TaskManager's other pools leave for the network is not what
    /// `taskmanager.network.numberOfBuffers` gives.
    #[error(
        "TaskManager: {network} remains for the network, but taskmanager.network.numberOfBuffers makes {configured}"
    )]
    NetworkMismatch {
        /// What is left for the network.
        network: MemorySize,
        /// The network memory that the old key gives.
        configured: MemorySize,
    },
    /// The size of a memory segment is not a power of two, or it is too small or too large.
    #[error("taskmanager.memory.segment-size = {0} is not a power of two between 4096 bytes and 1 gb")]
    SegmentSize(MemorySize),
    /// A size is negative.
    #[error("{key} = {value} must not be negative")]
    Negative {
        /// The key.
        key: &'static str,
        /// The key's value.
        value: i64,
    },
    /// A sum or product of sizes is 2^63 bytes or more.
    #[error("{role}: the sizes add up to more than 64 bits can count")]
    Overflow {
        /// The process.
        role: Role,
    },
    /// The number of CPU cores is not positive.
    #[error("a TaskManager needs a positive number of CPU cores, and {key} = {value}")]
    Cores {
        /// The key that has decided the number.
        key: &'static str,
        /// The number as text.
        value: String,
    },
    /// The amount of an external resource is not a whole number.
    #[error("external resource {name}: {reason}")]
    ExternalResource {
        /// The name of the resource.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

//! Why a memory configuration is refused. Trying again does not help; another configuration does.

use std::fmt;

use crate::config::ValueError;
use crate::units::MemorySize;

use super::Role;

/// A named amount of memory, for the arithmetic in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// What it is for.
    pub name: &'static str,
    /// How large it is.
    pub size: MemorySize,
}

/// `framework heap 128 mb + task heap 1 gb`
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

/// Why a memory configuration is refused, as the release itself would refuse it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A value is not of its type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// None of the sizes that everything follows from is set.
    #[error("no memory size is set for the {role}: set {process}, or {flink}, or {fine_grained}")]
    NotConfigured {
        /// Which process.
        role: Role,
        /// Key of the process size.
        process: &'static str,
        /// Key of Flink's size.
        flink: &'static str,
        /// Keys of the fine-grained sizes.
        fine_grained: String,
    },
    /// Metaspace and overhead leave nothing.
    #[error(
        "{role}: metaspace {metaspace} + JVM overhead {overhead} exceed the process size {process} \
         ({}.process.size)", role.prefix()
    )]
    ProcessTooSmall {
        /// Which process.
        role: Role,
        /// As configured.
        process: MemorySize,
        /// As configured.
        metaspace: MemorySize,
        /// As derived from fraction, minimum and maximum.
        overhead: MemorySize,
    },
    /// Flink's memory does not fit the process size that is also set.
    #[error(
        "{role}: Flink's memory {flink} ({0}.flink.size, or the sum of its parts) + metaspace {metaspace} exceed the \
         process size {process} ({0}.process.size)", role.prefix()
    )]
    FlinkExceedsProcess {
        /// Which process.
        role: Role,
        /// As configured.
        process: MemorySize,
        /// As configured, or the sum of the fine-grained sizes.
        flink: MemorySize,
        /// As configured.
        metaspace: MemorySize,
    },
    /// What remains for the JVM lies outside its limits.
    #[error(
        "{role}: process size {process} - Flink's memory {flink} - metaspace {metaspace} leave {overhead} of JVM overhead, \
         which must lie between {min} and {max}"
    )]
    OverheadOutOfRange {
        /// Which process.
        role: Role,
        /// As configured.
        process: MemorySize,
        /// As configured, or the sum of the fine-grained sizes.
        flink: MemorySize,
        /// As configured.
        metaspace: MemorySize,
        /// What remains.
        overhead: MemorySize,
        /// Least overhead.
        min: MemorySize,
        /// Most overhead.
        max: MemorySize,
    },
    /// Minimum above maximum, or a fraction outside 0 ..< 1.
    #[error("{fraction_key} = {fraction} with minimum {min} and maximum {max} is inconsistent: {why}")]
    InconsistentRange {
        /// Key of the fraction.
        fraction_key: &'static str,
        /// The fraction as text.
        fraction: String,
        /// Minimum.
        min: MemorySize,
        /// Maximum.
        max: MemorySize,
        /// Which of the two rules is broken.
        why: &'static str,
    },
    /// JobManager: heap and off-heap are both set and do not add up.
    #[error(
        "JobManager: heap {heap} + off-heap {off_heap} are not Flink's memory {flink}; leave one of them out"
    )]
    HeapMismatch {
        /// Heap as configured.
        heap: MemorySize,
        /// Off-heap as configured.
        off_heap: MemorySize,
        /// Flink's memory as configured.
        flink: MemorySize,
    },
    /// JobManager: the heap does not fit.
    #[error("JobManager: heap {heap} exceeds Flink's memory {flink}; leave one of them out")]
    HeapExceedsFlink {
        /// Heap as configured.
        heap: MemorySize,
        /// Flink's memory as configured.
        flink: MemorySize,
    },
    /// JobManager: nothing remains for the heap.
    #[error("JobManager: off-heap {off_heap} leaves no heap in Flink's memory {flink}")]
    OffHeapExceedsFlink {
        /// Off-heap memory.
        off_heap: MemorySize,
        /// Flink's memory.
        flink: MemorySize,
    },
    /// TaskManager: the pools do not fit.
    #[error("TaskManager: {} exceed Flink's memory {flink}", Sum(pools))]
    PoolsExceedFlink {
        /// What is asked for.
        pools: Vec<Pool>,
        /// What there is.
        flink: MemorySize,
    },
    /// TaskManager: what remains for the network lies outside its limits.
    #[error(
        "TaskManager: Flink's memory {flink} less the other pools leaves {network} for the network, which must lie between \
         {min} and {max}"
    )]
    NetworkOutOfRange {
        /// Flink's memory.
        flink: MemorySize,
        /// What remains.
        network: MemorySize,
        /// Least network memory.
        min: MemorySize,
        /// Most network memory.
        max: MemorySize,
    },
    /// TaskManager: what remains for the network is not what the old key asks for.
    #[error(
        "TaskManager: {network} remains for the network, but taskmanager.network.numberOfBuffers makes {configured}"
    )]
    NetworkMismatch {
        /// What remains.
        network: MemorySize,
        /// What the old key asks for.
        configured: MemorySize,
    },
    /// A segment size that is no power of two, or too small or too large.
    #[error("taskmanager.memory.segment-size = {0} is not a power of two between 4096 bytes and 1 gb")]
    SegmentSize(MemorySize),
    /// A size below zero.
    #[error("{key} = {value} must not be negative")]
    Negative {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: i64,
    },
    /// Sums or products above 2^63 bytes.
    #[error("{role}: the sizes add up to more than 64 bits can count")]
    Overflow {
        /// Which process.
        role: Role,
    },
    /// CPU cores must be a positive number.
    #[error("a TaskManager needs a positive number of CPU cores, and {key} = {value}")]
    Cores {
        /// Key it comes from.
        key: &'static str,
        /// The number as text.
        value: String,
    },
    /// An external resource with an amount that is not a number, or named twice.
    #[error("external resource {name}: {reason}")]
    ExternalResource {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

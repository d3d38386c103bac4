//! The names of the pools for people and for programs, and the limits that the JVM has for them.

use crate::units::MemorySize;

/// A size in mb for people: `1600 mb`, or `383.9 mb` if it is not whole. Sizes below 1 mb are in smaller
/// units.
pub fn short(size: MemorySize) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    match size.bytes() {
        0 => "0".to_owned(),
        bytes if bytes < MEBIBYTE => size.to_string(),
        bytes if bytes % MEBIBYTE == 0 => format!("{} mb", bytes / MEBIBYTE),
        bytes => format!("{:.1} mb", bytes as f64 / MEBIBYTE as f64),
    }
}

/// A pool, which is a part of a process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolName {
    /// The JobManager's heap.
    JvmHeap,
    /// The JobManager's off-heap memory.
    OffHeap,
    /// The heap that is reserved for Flink itself.
    FrameworkHeap,
    /// The heap of the tasks.
    TaskHeap,
    /// The off-heap memory that is reserved for Flink itself.
    FrameworkOffHeap,
    /// The off-heap memory of the tasks.
    TaskOffHeap,
    /// The network buffers.
    Network,
    /// The managed memory.
    Managed,
    /// The memory for classes.
    Metaspace,
    /// The other memory of the JVM, such as thread stacks and the code cache.
    Overhead,
}

impl PoolName {
    /// The name for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::JvmHeap => "JVM heap",
            Self::OffHeap => "off-heap",
            Self::FrameworkHeap => "framework heap",
            Self::TaskHeap => "task heap",
            Self::FrameworkOffHeap => "framework off-heap",
            Self::TaskOffHeap => "task off-heap",
            Self::Network => "network",
            Self::Managed => "managed",
            Self::Metaspace => "JVM metaspace",
            Self::Overhead => "JVM overhead",
        }
    }

    /// The name for programs. It is the name in the message of Flink's REST interface, in
    /// `memoryConfiguration` of a TaskManager.
    pub fn field(self) -> &'static str {
        match self {
            Self::JvmHeap => "jvmHeap",
            Self::OffHeap => "offHeap",
            Self::FrameworkHeap => "frameworkHeap",
            Self::TaskHeap => "taskHeap",
            Self::FrameworkOffHeap => "frameworkOffHeap",
            Self::TaskOffHeap => "taskOffHeap",
            Self::Network => "networkMemory",
            Self::Managed => "managedMemory",
            Self::Metaspace => "jvmMetaspace",
            Self::Overhead => "jvmOverhead",
        }
    }

    /// Whether the pool is a part of Flink's memory.
    pub fn is_flinks(self) -> bool {
        !matches!(self, Self::Metaspace | Self::Overhead)
    }
}

/// The limit of the JVM to which a pool belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JvmLimit {
    /// The heap, `-Xmx` and `-Xms`.
    Heap,
    /// The direct memory, `-XX:MaxDirectMemorySize`.
    Direct,
    /// The metaspace, `-XX:MaxMetaspaceSize`.
    Metaspace,
    /// The JVM has no limit for this pool.
    Nothing,
}

impl JvmLimit {
    /// The options of the JVM that set the limit, without values.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Heap => &["-Xmx", "-Xms"],
            Self::Direct => &["-XX:MaxDirectMemorySize"],
            Self::Metaspace => &["-XX:MaxMetaspaceSize"],
            Self::Nothing => &[],
        }
    }
}

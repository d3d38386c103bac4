//! The pools by name: for people, for programs, and for the JVM.

use crate::units::MemorySize;

/// A size in mb as people read it: `1600 mb`, `383.9 mb` where it is not whole.
pub fn short(size: MemorySize) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    match size.bytes() {
        0 => "0".to_owned(),
        bytes if bytes < MEBIBYTE => size.to_string(),
        bytes if bytes % MEBIBYTE == 0 => format!("{} mb", bytes / MEBIBYTE),
        bytes => format!("{:.1} mb", bytes as f64 / MEBIBYTE as f64),
    }
}

/// A part of a process' memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolName {
    /// The JobManager's heap.
    JvmHeap,
    /// The JobManager's off-heap memory.
    OffHeap,
    /// Heap kept for Flink.
    FrameworkHeap,
    /// Heap of tasks.
    TaskHeap,
    /// Off-heap memory kept for Flink.
    FrameworkOffHeap,
    /// Off-heap memory of tasks.
    TaskOffHeap,
    /// Network buffers.
    Network,
    /// Managed memory.
    Managed,
    /// Class metadata.
    Metaspace,
    /// Stacks, code cache and the like.
    Overhead,
}

impl PoolName {
    /// For people.
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

    /// For programs: as Flink's REST interface names it (`memoryConfiguration` of a TaskManager).
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

    /// Whether it belongs to Flink's memory.
    pub fn is_flinks(self) -> bool {
        !matches!(self, Self::Metaspace | Self::Overhead)
    }
}

/// The limit of the JVM that a pool counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JvmLimit {
    /// `-Xmx` and `-Xms`.
    Heap,
    /// `-XX:MaxDirectMemorySize`.
    Direct,
    /// `-XX:MaxMetaspaceSize`.
    Metaspace,
    /// None: the JVM does not watch over it.
    Nothing,
}

impl JvmLimit {
    /// The options, without values.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Heap => &["-Xmx", "-Xms"],
            Self::Direct => &["-XX:MaxDirectMemorySize"],
            Self::Metaspace => &["-XX:MaxMetaspaceSize"],
            Self::Nothing => &[],
        }
    }
}

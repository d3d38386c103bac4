//! Facts about the memory of a container over its last minutes.

use serde::{Deserialize, Serialize};

/// How much memory a JVM, or all processes of its container, used over some minutes. The lists are columns of
/// one table: the elements with the same index belong together. A list may be shorter than that of the times,
/// or empty, if its values are not known. Amounts are in KiB, and 0 stands for one that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemorySamples {
    /// The times, in seconds since 1970.
    pub at: Vec<u32>,
    /// The resident memory: the most of each step.
    pub rss: Vec<u32>,
    /// What the container's cgroup uses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cgroup: Vec<u32>,
    /// What the JVM has reserved for its heap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heap: Vec<u32>,
    /// What objects take in the heap, as of the last collection of garbage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heap_used: Vec<u32>,
    /// What the JVM has reserved for classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metaspace: Vec<u32>,
    /// The share of the last minute in which processes of the container waited for memory, in hundredths of a
    /// percent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pressure: Vec<u32>,
    /// The most that was resident at any time, as the kernel has counted it; 0 if it is not known.
    pub peak: u64,
    /// The limit of the cgroup; 0 if there is none, or if it is not known.
    pub limit: u64,
}

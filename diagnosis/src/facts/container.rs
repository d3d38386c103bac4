//! Facts about containers: how they have ended, and which are asked for.

use serde::{Deserialize, Serialize};

use super::memory::MemorySamples;

/// What runs in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The JobManager, beside `heddle-am`.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

impl Part {
    /// The name for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::JobManager => "JobManager",
            Self::TaskManager => "TaskManager",
        }
    }
}

/// The kind of memory that a JVM ran out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exhausted {
    /// The Java heap, also when nearly all time went into garbage collection.
    Heap,
    /// The memory for classes.
    Metaspace,
    /// Direct buffers.
    Direct,
    /// No more threads could be created.
    Threads,
    /// Memory that the system did not give to the JVM.
    Native,
    /// The kernel's out-of-memory killer has ended the process, because the container's cgroup has reached
    /// its limit.
    Cgroup,
    /// The kernel's out-of-memory killer was at work on the host, and has probably ended the process.
    Host,
}

/// How a container has ended. Amounts are in bytes. What is not known is `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerEnd {
    /// What ran in it.
    pub part: Part,
    /// Its id, as YARN writes it.
    pub container: String,
    /// Its node, as `host:port`.
    pub node: Option<String>,
    /// YARN's exit status.
    pub status: Option<i32>,
    /// YARN's diagnostics, as YARN wrote them.
    pub diagnostics: String,
    /// The exit code of the JVM, if it exited by itself.
    pub code: Option<i32>,
    /// The signal that ended the JVM.
    pub signal: Option<i32>,
    /// The memory that ran out, if that is why it ended.
    pub exhausted: Option<Exhausted>,
    /// The most memory that its processes have used, as it was measured in the container.
    pub peak: Option<u64>,
    /// How much memory the container may use.
    pub allowed: Option<u64>,
    /// What the JVM and its log said last, also the summary of the taskrunner.
    pub said: Vec<String>,
    /// Whether it ended soon after its start and before the JobManager knew it.
    pub at_start: bool,
    /// Whether Flink or heddle had given it back, so that its end was wanted.
    pub given_back: bool,
    /// How its memory has gone over its last minutes, if that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Box<MemorySamples>>,
}

impl Default for ContainerEnd {
    /// A TaskManager of which nothing is known.
    fn default() -> Self {
        Self {
            part: Part::TaskManager,
            container: String::new(),
            node: None,
            status: None,
            diagnostics: String::new(),
            code: None,
            signal: None,
            exhausted: None,
            peak: None,
            allowed: None,
            said: Vec::new(),
            at_start: false,
            given_back: false,
            memory: None,
        }
    }
}

/// Containers that the application has asked YARN for and does not have, or has given up.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenAsk {
    /// How many.
    pub count: u32,
    /// The memory of each in MiB.
    pub memory_mb: u64,
    /// The virtual cores of each.
    pub vcores: u32,
    /// The node label that they need.
    pub label: Option<String>,
    /// Since when they are open, in ms since 1970.
    pub since: Option<u64>,
    /// Why YARN refuses them for good, if it does.
    pub refused: Option<String>,
    /// When they were given up, in ms since 1970, because nobody needed them any more; `None` if they are
    /// asked for still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<u64>,
}

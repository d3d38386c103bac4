//! What a row of the table of exit codes says.

use serde::{Deserialize, Serialize};

/// Who or what has caused the end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nobody: the process has done its work.
    Nobody,
    /// The process in the container.
    Process,
    /// The process used more memory than its container has.
    Memory,
    /// The node.
    Node,
    /// YARN's scheduler, or an operator of the cluster.
    Cluster,
    /// The ApplicationMaster, which gave the container back.
    Ours,
}

impl Fault {
    /// The same in few words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Process => "the process itself",
            Self::Memory => "the process, which used too much memory",
            Self::Node => "the node",
            Self::Cluster => "the cluster",
            Self::Ours => "the ApplicationMaster",
        }
    }
}

/// Whether it helps to do the same once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// There is nothing to repeat.
    NotNeeded,
    /// The same may succeed later, or on another node. Flink asks for another worker by itself.
    Helps,
    /// It fails in the same way until something is changed.
    AfterChange,
}

impl Retry {
    /// The same in few words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::Helps => "may help",
            Self::AfterChange => "only after a change",
        }
    }
}

/// Whose number it is. The same number has different meanings on different scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// YARN's exit status of a container that YARN itself has ended, or could not start.
    Yarn,
    /// The exit code of Java, of Flink's JVMs, or of any process that a shell would show.
    Process,
    /// The number of a signal that has ended a process.
    Signal,
    /// The exit code of `container-executor`, with which the LinuxContainerExecutor starts containers.
    Executor,
}

impl Scale {
    /// All scales, in the order in which a number is explained.
    pub const ALL: [Self; 4] = [Self::Yarn, Self::Process, Self::Signal, Self::Executor];

    /// What a number on this scale is, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Yarn => "YARN's exit status of a container",
            Self::Process => "the exit code of a process",
            Self::Signal => "the signal that ended a process",
            Self::Executor => "the exit code of YARN's container-executor",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Whose number it is.
    pub scale: Scale,
    /// The number.
    pub number: i32,
    /// The name of the number in the sources of Hadoop, Flink or Linux; empty if it has none.
    pub name: &'static str,
    /// The meaning in few words, as part of a longer line.
    pub words: &'static str,
    /// Who or what has caused the end.
    pub fault: Fault,
    /// Whether a repetition helps.
    pub retry: Retry,
    /// When and why a process ends with this number, in whole sentences.
    pub meaning: &'static str,
    /// What can be done, in whole sentences; empty if there is nothing to do.
    pub remedy: &'static str,
}

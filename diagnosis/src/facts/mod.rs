//! What is known about an application, from every witness. That a witness says nothing is a fact, too.

mod cluster;
mod container;
mod memory;
mod program;

use flink_model::config::Configuration;
use flink_model::release::Release;
use serde::{Deserialize, Serialize};

pub use cluster::{AppState, Application, Attempt, Final, Node, Queue};
pub use container::{ContainerEnd, Exhausted, OpenAsk, Part};
pub use memory::MemorySamples;
pub use program::{ClassJars, Jar, JarPlace, Job, Outcome, Told, Voice};

/// Who has told a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// YARN's ResourceManager.
    ResourceManager,
    /// The NodeManager of a container.
    NodeManager,
    /// heddle-am, by its control port or its log.
    ApplicationMaster,
    /// The JobManager's REST interface.
    JobManager,
    /// What heddle-am has left in the user's directory.
    Outcome,
    /// Logs that YARN has collected.
    AggregatedLogs,
    /// The client: its configuration, and the failures of its own calls.
    Client,
}

impl Source {
    /// The name for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::ResourceManager => "ResourceManager",
            Self::NodeManager => "NodeManager",
            Self::ApplicationMaster => "heddle-am",
            Self::JobManager => "JobManager",
            Self::Outcome => "heddle-am's record",
            Self::AggregatedLogs => "aggregated logs",
            Self::Client => "client",
        }
    }
}

/// A fact, who has told it, and the time for which it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen<T> {
    /// Who has told it.
    pub source: Source,
    /// The time for which it holds, in ms since 1970: of an event the time at which it happened, of a state
    /// the time at which it was asked for. `None` if it is not known.
    pub at: Option<u64>,
    /// The fact.
    pub fact: T,
}

/// Why a witness says nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Absent {
    /// It does not answer, for this reason.
    Unreachable(String),
    /// It answers and does not know the application any more.
    Forgotten,
    /// It is switched off, as the aggregation of logs can be.
    Off,
    /// It has nothing, as there is no record of an application of Flink's own client.
    Nothing,
    /// The user may not see it.
    NotAllowed,
}

impl Absent {
    /// The same in words, behind the name of the witness.
    pub fn text(&self) -> String {
        match self {
            Self::Unreachable(why) if why.is_empty() => "cannot be reached".to_owned(),
            Self::Unreachable(why) => format!("cannot be reached: {why}"),
            Self::Forgotten => "does not know the application any more".to_owned(),
            Self::Off => "are switched off".to_owned(),
            Self::Nothing => "has nothing about the application".to_owned(),
            Self::NotAllowed => "does not tell, because you may not see the application".to_owned(),
        }
    }
}

/// What Flink was configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The configuration, with the origin of each value.
    pub configuration: Configuration,
    /// The release of Flink.
    pub release: Release,
}

/// All that is known. The order of the lists has no meaning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The time of the judgement, in ms since 1970.
    pub now: u64,
    /// The application; several reports if it was asked for several times, of which the youngest counts.
    pub applications: Vec<Seen<Application>>,
    /// Its attempts.
    pub attempts: Vec<Seen<Attempt>>,
    /// Containers that have ended.
    pub ends: Vec<Seen<ContainerEnd>>,
    /// Containers that are asked for.
    pub asks: Vec<Seen<OpenAsk>>,
    /// Nodes of the cluster.
    pub nodes: Vec<Seen<Node>>,
    /// The application's queue.
    pub queues: Vec<Seen<Queue>>,
    /// Its jobs.
    pub jobs: Vec<Seen<Job>>,
    /// Texts that say something about a failure.
    pub told: Vec<Seen<Told>>,
    /// Which jars hold classes that exceptions name.
    pub classes: Vec<Seen<ClassJars>>,
    /// What heddle-am has left.
    pub outcomes: Vec<Seen<Outcome>>,
    /// The memory of the JobManager's JVM over its last minutes.
    pub job_manager_memory: Vec<Seen<MemorySamples>>,
    /// Witnesses that say nothing.
    pub absent: Vec<Seen<Absent>>,
    /// What Flink was configured with, if that is known. Without it, remedies name keys and no values.
    pub settings: Option<Settings>,
}

/// The youngest fact of a list. Of two of the same age the order of their values decides, so that the order
/// of the list does not.
pub(crate) fn youngest<T>(
    list: &[Seen<T>],
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> Option<&Seen<T>> {
    list.iter().max_by(|a, b| {
        a.at.cmp(&b.at).then_with(|| a.source.cmp(&b.source)).then_with(|| order(&a.fact, &b.fact))
    })
}

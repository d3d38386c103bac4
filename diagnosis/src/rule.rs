//! What a rule of the diagnosis says: by which signs a cause is recognised, and what it means. Rules are
//! data; [`crate::judge`] applies them.

use serde::Serialize;

use crate::exits::Retry;
use crate::facts::{Exhausted, Part};

/// The link of the chain that is broken. The order is that in which a job comes to run: what is broken first
/// explains what does not work behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Somebody wanted the end.
    Wish,
    /// The login, and the tokens.
    Login,
    /// The submission to a queue.
    Submission,
    /// The wait for the ApplicationMaster's container.
    Queue,
    /// The files of a container.
    Files,
    /// The start of a container by its node.
    Node,
    /// The JobManager's JVM.
    JobManager,
    /// The program's `main()`.
    Program,
    /// The requests for TaskManagers.
    Asks,
    /// A TaskManager's JVM.
    TaskManager,
    /// The slots that a job needs.
    Slots,
    /// The job itself.
    Job,
}

/// The class of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A setting of the application is wrong.
    Configuration,
    /// The queue, or the room in the cluster.
    Queue,
    /// A file for a container.
    Localization,
    /// The jars of a JVM.
    ClassPath,
    /// The user's program.
    UserCode,
    /// Memory.
    Memory,
    /// A node.
    Node,
    /// heddle, Flink, YARN or HDFS.
    Platform,
    /// Somebody wanted it.
    AskedFor,
    /// Who may do what.
    Security,
}

impl Class {
    /// The class in words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Queue => "queue",
            Self::Localization => "localization",
            Self::ClassPath => "class path",
            Self::UserCode => "user code",
            Self::Memory => "memory",
            Self::Node => "node",
            Self::Platform => "platform",
            Self::AskedFor => "asked for",
            Self::Security => "security",
        }
    }
}

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Nobody has to.
    Nobody,
    /// Whoever deploys the application, by other settings or files.
    Deployer,
    /// Whoever writes the program.
    Developer,
    /// Whoever runs the cluster.
    Administrator,
}

impl Whose {
    /// The same in words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Deployer => "whoever deploys the application",
            Self::Developer => "whoever writes the program",
            Self::Administrator => "the administrator of the cluster",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It may be so.
    Possible,
    /// The signs speak for it, and nothing known speaks against it.
    Likely,
    /// A witness has said it.
    Certain,
}

/// What a sign is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The application, by YARN's diagnostics of it.
    Application,
    /// The client's calls.
    Client,
    /// A container of this part, its JVM, and the log of that.
    Container(Part),
    /// The program's `main()`.
    Program,
    /// A node.
    Node,
    /// Containers that are asked for.
    Asks,
    /// A job.
    Job,
}

/// What was found by comparing facts with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// The application was killed.
    Killed,
    /// No node of the cluster is as large as the container that is asked for.
    NodesTooSmall,
    /// Nodes are large enough, and none has enough room now.
    NodesFull,
    /// No node that runs has the label.
    LabelWithoutNodes,
    /// The queue has no room for the container.
    QueueFull,
    /// YARN refuses what is asked for.
    Refused,
    /// Containers are asked for and do not come.
    Open,
    /// A node on which the application has containers does not run any more.
    NodeGone,
    /// A job has failed.
    JobFailed,
    /// A TaskManager has ended before the JobManager knew it.
    AtStart,
    /// A JVM has ended by itself, and not well.
    Crashed,
}

/// A sign by which a cause is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is about this.
    About(Subject),
    /// YARN's exit status of the container is one of these.
    Status(&'static [i32]),
    /// The JVM's exit code is one of these.
    Code(&'static [i32]),
    /// One of these signals has ended the JVM.
    Signal(&'static [i32]),
    /// One of these kinds of memory ran out.
    Exhausted(&'static [Exhausted]),
    /// The text has each of these words. Upper and lower case count.
    Words(&'static [&'static str]),
    /// The same, of words that say only that something has failed. So the innermost exception is quoted, and
    /// not the line that has them.
    Tells(&'static [&'static str]),
    /// A comparison of facts shows this.
    Shape(Shape),
    /// All of these.
    All(&'static [Sign]),
    /// One of these.
    Any(&'static [Sign]),
    /// Not this.
    Not(&'static Sign),
}

/// What to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// These settings: key, value and why. Each is an alternative to the others. A value in angle brackets
    /// stands for what only the user can know.
    Set(&'static [(&'static str, &'static str, &'static str)]),
    /// That another jar wins, where the jars of a class are known, and else these settings.
    Classes(&'static [(&'static str, &'static str, &'static str)]),
    /// A larger container for what is not in one of Java's pools, of this part.
    Native(Part),
    /// Another limit of address space.
    AddressSpace,
    /// A larger pool of this part.
    Pool(Part, Exhausted),
    /// A smaller container, of this part.
    Smaller(Part),
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for programs and for the manual.
    pub id: &'static str,
    /// The link of the chain that is broken.
    pub link: Link,
    /// The class of the cause.
    pub class: Class,
    /// Who can do something about it.
    pub whose: Whose,
    /// Whether the same may succeed once more.
    pub retry: Retry,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether it is only a consequence, which is not told if the cause of it is found.
    pub symptom: bool,
    /// By what it is recognised.
    pub sign: Sign,
    /// What it means, in whole sentences. In braces: `{who}`, `{usage}`, `{said}`, `{detail}`, `{java}`,
    /// `{class}`, `{queue}`.
    pub text: &'static str,
    /// What to change.
    pub remedy: Remedy,
}

/// A rule whose finding is certain, and no symptom of another one.
pub(crate) const fn certain(
    (id, link, class): (&'static str, Link, Class),
    (whose, retry): (Whose, Retry),
    sign: Sign,
    text: &'static str,
    remedy: Remedy,
) -> Rule {
    let (confidence, symptom) = (Confidence::Certain, false);
    Rule { id, link, class, whose, retry, confidence, symptom, sign, text, remedy }
}

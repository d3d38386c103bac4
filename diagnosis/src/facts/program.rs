//! Facts about Flink's jobs, about texts that were found, about class paths, and about what heddle-am left.

use serde::{Deserialize, Serialize};

use super::cluster::Final;

/// A job, as the JobManager tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its state in Flink, such as `RUNNING`.
    pub state: String,
    /// The exceptions that have made it fail, from the outermost to the root cause.
    pub exception: String,
}

impl Job {
    /// Whether it has ended for good.
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "FINISHED" | "FAILED" | "CANCELED")
    }
}

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voice {
    /// The exception with which a program's `main()` has ended.
    Main,
    /// The JobManager's log or output.
    JobManager,
    /// A TaskManager's log or output.
    TaskManager,
    /// The deployment on the client's side: the failure of the ResourceManager, the NameNode or the login.
    Client,
}

/// A text that says something about a failure: an exception, or lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Told {
    /// What it is about.
    pub voice: Voice,
    /// Where it was found, such as `container_…/taskmanager.log`; empty if that says nothing.
    pub place: String,
    /// The text itself.
    pub text: String,
}

/// A jar in which a JVM looks for classes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Jar {
    /// Its name in the container's working directory, or its path on the node.
    pub name: String,
    /// Where it comes from.
    pub place: JarPlace,
}

/// Where a jar comes from, which decides what puts it before or behind another one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JarPlace {
    /// It is in `usrlib`. The class loader of the user's code reads it, and not that of Flink.
    UserCode,
    /// It is a jar of the program, on the class path.
    Program,
    /// It is another file that was shipped, on the class path.
    #[default]
    Shipped,
    /// It is of Flink's `lib`, or heddle's.
    Flink,
    /// It is on the node, as Hadoop's jars are.
    Node,
}

/// Which jars hold a class that an exception names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClassJars {
    /// The class, with dots.
    pub class: String,
    /// The jars that hold it, in the order in which a JVM looks into them: the first one wins.
    pub jars: Vec<Jar>,
    /// How many jars were looked at.
    pub searched: u32,
    /// Whether there is also a jar of the program, which could not be looked at.
    pub program_unseen: bool,
    /// Whether these jars come before those that only the class loader of the user's code reads, such as a
    /// program's jar that could not be looked at.
    pub parent_first: bool,
    /// Whether the class loader of the user's code reads the program's jars as well, as it does where
    /// `main()` runs in the ApplicationMaster's container.
    pub program_in_user_code: bool,
}

/// How the application has ended, as heddle-am wrote it down before it told YARN.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// The final status; `None` if heddle-am was ended before it knew that.
    pub status: Option<Final>,
    /// Its diagnostics.
    pub diagnostics: String,
}

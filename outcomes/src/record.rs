//! The record of an application, the content of `outcome.json`.

use std::collections::BTreeMap;

use diagnosis::facts::{ClassJars, Final, MemorySamples, OpenAsk, Part, Seen, Told};
use serde::{Deserialize, Serialize};

/// The version of the files. A reader takes a larger one as far as it knows its fields.
pub const SCHEMA: u32 = 1;

/// What [`NodeNote::state`] begins with if YARN was asked to avoid the node. Why follows behind a colon.
pub const AVOIDED: &str = "AVOIDED";

/// What is known of an application. Times are in ms since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// The [`SCHEMA`] of who has written it; 0 if that is not known.
    pub schema: u32,
    /// The id of the application.
    pub application: String,
    /// Its name.
    pub name: String,
    /// The kind of cluster: `session`, `application` or `per-job`.
    pub mode: String,
    /// The release of heddle.
    pub heddle: String,
    /// The release of Flink.
    pub flink: String,
    /// The attempt that has written this, from 1.
    pub attempt: u32,
    /// When this attempt was started.
    pub started: Option<u64>,
    /// When this was written.
    pub written: u64,
    /// When the application ended; `None` as long as it runs, and for ever if `heddle-am` was killed before
    /// it could write this.
    pub ended: Option<u64>,
    /// How it ended; `None` if it has not ended, or if Flink does not say how.
    pub status: Option<Final>,
    /// The diagnostics that YARN is told or, if the attempt ends without telling YARN anything, why it ends.
    pub diagnostics: String,
    /// The JobManager.
    pub job_manager: JobManagerState,
    /// Containers that were asked for and had not come when this was written.
    pub asks: Vec<OpenAsk>,
    /// Containers that ran when this was written.
    pub running: Vec<Running>,
    /// Exceptions of `main()`, of jobs and of the JobManager: the first and the last ones.
    pub told: Vec<Seen<Told>>,
    /// What the memory and the slots of Flink's processes were configured with: values by keys.
    pub memory: BTreeMap<String, String>,
    /// Which jars hold classes that exceptions name, if they were looked for.
    pub classes: Vec<Seen<ClassJars>>,
    /// Nodes of the application that were lost, that did not work, or that YARN was asked to avoid.
    pub nodes: Vec<NodeNote>,
    /// How many ends of containers are in no file, because there were too many.
    pub dropped: u64,
}

/// The JobManager of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobManagerState {
    /// Since when it can be used, in ms since 1970; `None` if it cannot.
    pub ready: Option<u64>,
    /// How often its JVM was started again in this attempt.
    pub restarts: u32,
    /// Its node, as `host:port`.
    pub node: String,
    /// Its container, which is that of `heddle-am`.
    pub container: String,
    /// How the memory of its JVM has gone over the last minutes, if that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Box<MemorySamples>>,
}

/// A container in which something runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// What runs in it.
    pub part: Part,
    /// Its id.
    pub container: String,
    /// Its node, as `host:port`.
    pub node: String,
    /// Since when the application holds it, in ms since 1970.
    pub since: Option<u64>,
    /// Whether it has come up: of the JobManager that it can be used, of a TaskManager that its JVM runs.
    /// `heddle-am` does not hear when a TaskManager registers with the JobManager, which alone knows that.
    pub registered: bool,
}

impl Default for Running {
    /// A TaskManager of which nothing is known.
    fn default() -> Self {
        Self {
            part: Part::TaskManager,
            container: String::new(),
            node: String::new(),
            since: None,
            registered: false,
        }
    }
}

/// What was said of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeNote {
    /// The node, as `host:port`, or as the scheduler names it.
    pub node: String,
    /// The name of its state in YARN, such as `LOST`, or [`AVOIDED`]; why follows behind a colon.
    pub state: String,
    /// Since when, in ms since 1970; 0 if that is not known.
    pub at: u64,
    /// The application's containers on it at that time.
    pub containers: Vec<String>,
}

impl NodeNote {
    /// The state, and what was said about it, which may be empty.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.state.split_once(": ").unwrap_or((self.state.as_str(), ""))
    }
}

/// The content of the file [`RECORD_FILE`](crate::RECORD_FILE).
pub fn record_json(record: &Record) -> Vec<u8> {
    // Numbers, texts and lists can always be written.
    let mut json = serde_json::to_vec(record).unwrap_or_default();
    json.push(b'\n');
    json
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use diagnosis::facts::ContainerEnd;
    use serde_json::Value;

    use super::*;
    use crate::entry::Entry;

    const PAGE: &str = include_str!("../../docs/outcomes.md");

    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, inner) in object {
                    found.insert(key.clone());
                    keys(inner, found);
                }
            }
            Value::Array(list) => list.iter().for_each(|inner| keys(inner, found)),
            _ => {}
        }
    }

    fn samples() -> Option<Box<MemorySamples>> {
        let one = || vec![1];
        Some(Box::new(MemorySamples {
            at: one(),
            rss: one(),
            cgroup: one(),
            heap: one(),
            heap_used: one(),
            metaspace: one(),
            pressure: one(),
            peak: 1,
            limit: 1,
        }))
    }

    #[test]
    fn the_page_has_all_keys() {
        let record = Record {
            job_manager: JobManagerState { memory: samples(), ..JobManagerState::default() },
            asks: vec![OpenAsk { given_up: Some(1), ..OpenAsk::default() }],
            running: vec![Running::default()],
            nodes: vec![NodeNote::default()],
            ..Record::default()
        };
        let end = ContainerEnd { memory: samples(), ..ContainerEnd::default() };
        let entry = Entry { end, ..Entry::default() };
        let mut found = BTreeSet::new();
        keys(&serde_json::to_value(&record).unwrap(), &mut found);
        keys(&serde_json::to_value(&entry).unwrap(), &mut found);
        let missing: Vec<&String> = found.iter().filter(|key| !PAGE.contains(&format!("`{key}`"))).collect();
        assert!(missing.is_empty(), "docs/outcomes.md does not tell of {missing:?}");
        assert!(PAGE.contains(&format!("| `schema` | `{SCHEMA}` |")));
    }
}

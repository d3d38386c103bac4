//! The end of one container, as a line of `containers.jsonl`.

use diagnosis::facts::ContainerEnd;
use serde::{Deserialize, Serialize};

/// A container that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// When `heddle-am` heard of the end first, in ms since 1970; 0 if that is not known.
    pub at: u64,
    /// The attempt of the application that held it, from 1.
    pub attempt: u32,
    /// When its JVM was started, in ms since 1970; `None` if that never happened or is not known.
    pub started: Option<u64>,
    /// How it has ended.
    pub end: ContainerEnd,
}

impl Entry {
    /// The entry as one line of JSON, without a line break.
    pub fn line(&self) -> String {
        // Numbers, texts and lists can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

//! What `heddle-am` tells a client that asks while the application runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::Entry;
use crate::lenient;
use crate::record::Record;

/// The same as the two files, as one JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// The record as it would be written now.
    pub record: Record,
    /// The containers that have ended.
    pub entries: Vec<Entry>,
}

impl Account {
    /// The account as JSON.
    pub fn json(&self) -> Vec<u8> {
        // Numbers, texts and lists can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an account, also one of another release: what cannot be read is left out. `None` if this is no
    /// JSON object.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let Value::Object(mut object) = serde_json::from_slice(json).ok()? else { return None };
        let record = match object.remove("record") {
            Some(Value::Object(record)) => lenient::record(record, &mut 0),
            _ => Record::default(),
        };
        let entries = match object.remove("entries") {
            Some(Value::Array(entries)) => entries.into_iter().filter_map(lenient::entry).collect(),
            _ => Vec::new(),
        };
        Some(Self { record, entries })
    }
}

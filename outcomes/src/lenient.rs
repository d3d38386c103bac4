//! Reads JSON of other releases: what cannot be read is left out and counted, and what is unknown is ignored.

use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::record::Record;

/// The record in a JSON object. Of its fields, and of the elements of its lists, those count that can be
/// read; the others are added to `broken`.
pub(crate) fn record(object: Map<String, Value>, broken: &mut usize) -> Record {
    let mut clean = Map::new();
    for (key, mut value) in object {
        if let Value::Array(elements) = &mut value {
            let before = elements.len();
            elements.retain(|element| is_readable(&key, Value::Array(vec![element.clone()])));
            *broken += before - elements.len();
        }
        if is_readable(&key, value.clone()) {
            clean.insert(key, value);
        } else {
            *broken += 1;
        }
    }
    serde_json::from_value(Value::Object(clean)).unwrap_or_default()
}

/// Whether a record may have this field, because it is unknown or has a value that can be read.
fn is_readable(key: &str, value: Value) -> bool {
    let field = Map::from_iter([(key.to_owned(), value)]);
    serde_json::from_value::<Record>(Value::Object(field)).is_ok()
}

/// The entries on the lines of a file. Lines that are none are added to `broken`.
pub(crate) fn entries(lines: &[u8], broken: &mut usize) -> Vec<Entry> {
    let mut found = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice::<Value>(line).ok().and_then(entry) {
            Some(entry) => found.push(entry),
            None => *broken += 1,
        }
    }
    found
}

/// The entry that a JSON object is; `None` for any other JSON.
pub(crate) fn entry(value: Value) -> Option<Entry> {
    value.is_object().then(|| serde_json::from_value(value).ok()).flatten()
}

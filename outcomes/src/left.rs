//! What was read of an application, and the facts in it.

use diagnosis::facts::{Facts, MemorySamples, Node, OpenAsk, Outcome, Seen, Source};
use serde_json::Value;

use crate::account::Account;
use crate::entry::Entry;
use crate::lenient;
use crate::record::{AVOIDED, NodeNote, Record};

/// What there is of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// The record; `None` if there is none, or if the file holds no JSON object.
    pub record: Option<Record>,
    /// The containers that have ended, in the order in which they were written.
    pub entries: Vec<Entry>,
    /// How many lines, fields and elements of lists could not be read.
    pub broken: usize,
}

impl From<Account> for Left {
    fn from(account: Account) -> Self {
        Self { record: Some(account.record), entries: account.entries, broken: 0 }
    }
}

impl Left {
    /// Reads the two files, also those of another release. `None` stands for a file that is not there. What
    /// cannot be read is counted in [`Self::broken`]; nothing makes this function panic.
    pub fn parse(record: Option<&[u8]>, containers: Option<&[u8]>) -> Self {
        let mut broken = 0;
        let record = record.and_then(|json| match serde_json::from_slice(json) {
            Ok(Value::Object(object)) => Some(lenient::record(object, &mut broken)),
            _ => {
                broken += 1;
                None
            }
        });
        let entries = containers.map(|lines| lenient::entries(lines, &mut broken)).unwrap_or_default();
        Self { record, entries, broken }
    }

    /// Adds all that is known to the facts, as told by `source`: the ends of containers, what was told, the
    /// jars of classes, nodes that have failed, and how the application ended. Containers that were asked for
    /// count as given up if the application has ended, because nothing waits after the end. That an
    /// application has not ended is worth a fact only if the record is all that there is of it, and not if
    /// `heddle-am` itself has told it.
    pub fn add_to(&self, facts: &mut Facts, source: Source) {
        let ends = self.entries.iter().map(|entry| seen(source, entry.at, entry.end.clone()));
        facts.ends.extend(ends);
        let Some(record) = &self.record else { return };
        let told = record.told.iter().map(|told| Seen { source, at: told.at, fact: told.fact.clone() });
        facts.told.extend(told);
        let classes = record.classes.iter();
        let classes = classes.map(|held| Seen { source, at: held.at, fact: held.fact.clone() });
        facts.classes.extend(classes);
        if let Some(samples) = &record.job_manager.memory {
            facts.job_manager_memory.push(seen(source, record.written, MemorySamples::clone(samples)));
        }
        facts.nodes.extend(record.nodes.iter().filter_map(|note| Some(seen(source, note.at, node(note)?))));
        facts.asks.extend(record.asks.iter().map(|ask| {
            let given_up = ask.given_up.or(record.ended);
            seen(source, record.written, OpenAsk { given_up, ..ask.clone() })
        }));
        if record.ended.is_some() || source == Source::Outcome {
            let outcome = Outcome { status: record.status, diagnostics: record.diagnostics.clone() };
            facts.outcomes.push(seen(source, record.ended.unwrap_or(record.written), outcome));
        }
    }
}

/// A fact of this time, of which 0 stands for an unknown one.
fn seen<T>(source: Source, at: u64, fact: T) -> Seen<T> {
    Seen { source, at: (at > 0).then_some(at), fact }
}

/// A node that does not run. How large it is was not noted, so one that runs again is no fact.
fn node(note: &NodeNote) -> Option<Node> {
    let (state, health) = note.parts();
    let node = Node {
        name: note.node.clone(),
        state: state.to_owned(),
        health: health.to_owned(),
        ours: u32::try_from(note.containers.len()).unwrap_or(u32::MAX),
        ..Node::default()
    };
    (state != AVOIDED && !state.is_empty() && !node.runs()).then_some(node)
}

#[cfg(test)]
#[path = "left_tests.rs"]
mod tests;

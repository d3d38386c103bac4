//! What a user should know of a deployment although it does not stop it.
//!
//! Checks return these as values. Whoever starts the deployment decides who reads them, and when.

use serde::{Deserialize, Serialize};

use crate::report::Report;

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Warning {
    /// It is as it should be, and still worth a line.
    Note(String),
    /// It is probably not what the user means.
    Warning(String),
}

/// All that the checks of one deployment have found, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warnings {
    list: Vec<Warning>,
}

impl Warnings {
    /// Adds a warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.list.push(Warning::Warning(text.into()));
    }

    /// Adds a note.
    pub fn note(&mut self, text: impl Into<String>) {
        self.list.push(Warning::Note(text.into()));
    }

    /// Adds what other checks have found.
    pub fn append(&mut self, mut others: Self) {
        self.list.append(&mut others.list);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Warning> {
        self.list.iter()
    }

    /// Hands all of them to `report`, and keeps none.
    pub fn tell(&mut self, report: &dyn Report) {
        for warning in self.list.drain(..) {
            match warning {
                Warning::Note(text) => report.info(&text),
                Warning::Warning(text) => report.warn(&text),
            }
        }
    }
}

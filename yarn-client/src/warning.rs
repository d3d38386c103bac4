//! Represents what a user should know of a deployment, but what does not stop it.
//!
//! The checks return these values instead of printing them, so that the caller that has started the
//! deployment decides who reads them, and when.

use serde::{Deserialize, Serialize};

use crate::report::Report;

/// A thing that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Warning {
    /// Something that is right, but that the user should know.
    Note(String),
    /// Something that the user probably did not intend.
    Warning(String),
}

/// Everything that the checks of one deployment have found, in the order of the checks.
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

    /// All warnings and notes.
    pub fn iter(&self) -> impl Iterator<Item = &Warning> {
        self.list.iter()
    }

    /// Passes all warnings and notes to `report`, and keeps none.
    pub fn tell(&mut self, report: &dyn Report) {
        for warning in self.list.drain(..) {
            match warning {
                Warning::Note(text) => report.info(&text),
                Warning::Warning(text) => report.warn(&text),
            }
        }
    }
}

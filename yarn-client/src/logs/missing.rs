//! What is not there of the logs of an application, and why.

use serde::Serialize;

/// Something that is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// What is not there.
    pub what: String,
    /// Why.
    pub why: String,
    /// What can be done.
    pub hint: Option<String>,
    /// Whether the same command may find it a little later.
    pub retry_helps: bool,
}

impl Missing {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), hint: None, retry_helps: false }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn retry_if(self, helps: bool) -> Self {
        Self { retry_helps: helps, ..self }
    }

    /// What is not there and why, for people.
    pub fn line(&self) -> String {
        format!("{}: {}", self.what, self.why)
    }
}

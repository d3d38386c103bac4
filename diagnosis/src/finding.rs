//! What the diagnosis tells: findings with their evidence, and what to set.

use serde::Serialize;

use crate::exits::Retry;
use crate::facts::Source;
use crate::rule::{Class, Confidence, Link, Whose};

/// What a witness has said that speaks for a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// The time of it, in ms since 1970.
    pub at: Option<u64>,
    /// Who has said it.
    pub source: Source,
    /// What it is about, such as `TaskManager container_… on node1:8041`.
    pub about: String,
    /// The quoted words.
    pub text: String,
}

/// A setting that would help.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fix {
    /// The key.
    pub key: String,
    /// The value to set. One in angle brackets stands for what only the user can know.
    pub value: String,
    /// Why, and what the value is now.
    pub explanation: String,
    /// Settings with the same number belong together. Those with different numbers are alternatives.
    pub choice: u8,
}

/// A cause that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule that has found it.
    pub rule: &'static str,
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
    /// What has happened and why, in whole sentences.
    pub text: String,
    /// How many containers, jobs or nodes it has happened to.
    pub times: usize,
    /// What speaks for it, the oldest first; not all if there is much.
    pub evidence: Vec<Evidence>,
    /// What to set.
    pub fix: Vec<Fix>,
}

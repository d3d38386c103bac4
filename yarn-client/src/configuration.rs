//! Values of Flink's configuration, read for a user who is to be told what is wrong with them.

use flink_model::config::{Configuration, ValueError};
use flink_model::options::Opt;

use crate::error::Failure;

/// A value in the configuration is not of its option's kind.
pub fn bad_value(error: ValueError) -> Failure {
    Failure::because("cannot use the configuration", error)
        .hint("correct the value where it is set, or leave the key out for its default")
}

/// The text of an option under any of its names; empty counts as unset.
pub fn text<T>(configuration: &Configuration, option: &Opt<T>) -> Option<String> {
    configuration
        .find(option)
        .map(|(_, entry)| entry.value.text().trim().to_owned())
        .filter(|v| !v.is_empty())
}

//! Reads values of Flink's configuration, and makes failures of values that cannot be used. So all commands
//! explain a wrong value in the same way.

use flink_model::config::{Configuration, ValueError};
use flink_model::options::Opt;

use crate::error::Failure;

/// Makes the failure for a value that does not have its option's type.
pub fn bad_value(error: ValueError) -> Failure {
    Failure::because("cannot use the configuration", error)
        .hint("correct the value where it is set, or leave the key out for its default")
}

/// The text of an option under any of its keys. An empty value counts as unset.
pub fn text<T>(configuration: &Configuration, option: &Opt<T>) -> Option<String> {
    configuration
        .find(option)
        .map(|(_, entry)| entry.value.text().trim().to_owned())
        .filter(|v| !v.is_empty())
}

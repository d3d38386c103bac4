//! What can be wrong with a configuration. The errors name the file and line, or the key and the origin of
//! its value, so that a user can correct them.

use std::path::PathBuf;

/// Why a configuration cannot be loaded or a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfError {
    /// A file cannot be read or is not a configuration.
    #[error("cannot load the Hadoop configuration {path}{at}: {why}", path = path.display(), at = line.map(|l| format!(", line {l}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, if it is known.
        line: Option<u32>,
        /// What is wrong.
        why: String,
    },
    /// A value is not one that its key can have.
    #[error("Hadoop configuration: {key} = '{value}' ({origin}): {why}")]
    Value {
        /// The key.
        key: String,
        /// The value as it was found.
        value: String,
        /// Where the value comes from.
        origin: String,
        /// What is wrong.
        why: String,
    },
}

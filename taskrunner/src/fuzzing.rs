//! What `scripts/fuzz` calls; it compiles with `--cfg fuzzing`. What reads the line of a later
//! ApplicationMaster is private otherwise.

/// Reads any text as the line of an ApplicationMaster, and as a taskrunner's answer to it.
pub fn successor(line: &str) {
    crate::successor::read_any(line);
}

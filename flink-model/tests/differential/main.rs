//! Compares configuration and memory model with the code of real Flink releases.
//!
//! Runs where `HEDDLE_TEST_FLINK_HOME` names distributions (separated by `:`) and `javac` is on the `PATH`.
//! The number of cases for each release and question is `HEDDLE_TEST_CASES` (default 10000).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "clippy sees only test functions as tests, and these run Flink's own code beside ours"
)]

mod files;
mod memory;
mod oracle;
mod scripts;
mod values;

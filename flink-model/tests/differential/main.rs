//! Compares heddle's configuration and memory model with the code of real Flink releases.
//!
//! The tests run if `HEDDLE_TEST_FLINK_HOME` names distributions (separated by `:`) and `javac` is on the
//! `PATH`. `HEDDLE_TEST_CASES` is the number of random cases for each test and release (10000 by default).

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

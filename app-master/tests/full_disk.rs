//! A log that cannot be written is no reason to end.
#![allow(
    clippy::disallowed_methods,
    reason = "this is no code of the program: it starts it, and writes to a device"
)]

use std::fs::File;
use std::process::Command;

/// Outside of a container the program says in its log what it misses, and ends with exit code 1. A panic
/// while it logs would end it otherwise.
#[test]
fn a_full_disk_below_the_log_changes_nothing() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_heddle-am"))
        .current_dir(dir.path())
        .env_clear()
        .stderr(full)
        .status()
        .unwrap();
    assert_eq!(ended.code(), Some(1), "{ended}");
}

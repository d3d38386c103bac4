//! What the tests that start real JVMs share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]
#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The directory with the compiled Java class `Prog`, made once for each test program.
pub fn classes() -> &'static Path {
    static CLASSES: OnceLock<tempfile::TempDir> = OnceLock::new();
    CLASSES
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/Prog.java");
            let status = Command::new("javac").arg("-d").arg(dir.path()).arg(source).status();
            assert!(status.expect("javac must be on the PATH").success());
            dir
        })
        .path()
}

pub fn taskrunner() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_heddle-taskrunner"))
}

/// Whether a process exists and is no zombie.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|s| s != 'Z' && s != 'X')
}

/// The process group of a process.
pub fn group_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap().parse().unwrap()
}

/// Polls until `what` holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! Core dumps of this process and of those that it starts as JVMs. The test has a process of its own, because
//! limits are those of a process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]
#![allow(clippy::disallowed_methods, reason = "the process that is started stands for a JVM")]

use std::process::{Command, Stdio};

use taskrunner::core_dumps;
use taskrunner::spawn::SpawnThread;

/// The soft and the hard limit in the text of `/proc/<pid>/limits`.
fn limits(text: &str) -> (String, String) {
    let line = text.lines().find(|line| line.starts_with("Max core file size")).expect("the limit is there");
    let mut fields = line.split_whitespace().skip(4).map(str::to_owned);
    (fields.next().unwrap(), fields.next().unwrap())
}

fn own() -> (String, String) {
    limits(&std::fs::read_to_string("/proc/self/limits").unwrap())
}

#[tokio::test]
async fn none_of_this_process_and_as_before_of_a_jvm() {
    let before = own();
    core_dumps::forbid();
    core_dumps::forbid();
    let none = if before.1 == "0" { "0" } else { "1" };
    assert_eq!(own(), (none.to_owned(), before.1.clone()));
    let mut command = Command::new("cat");
    command.arg("/proc/self/limits").stdout(Stdio::piped());
    let child = SpawnThread::start().unwrap().spawn(command).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(limits(&String::from_utf8(output.stdout).unwrap()), before);
    assert_eq!(own().0, none, "it is forbidden again");
}

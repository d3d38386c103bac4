//! Tests that no process of the client outlives the process that it works for.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HEDDLE: &str = env!("CARGO_BIN_EXE_heddle");

/// Starts `client-fs` as the JVM of Flink's client does, with a NameNode that accepts the connection and then
/// sends nothing.
#[test]
fn client_fs_ends_with_its_jvm() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("hdfs://{}/x", mute.local_addr().unwrap());
    let conf = tempfile::tempdir().unwrap();
    let site = format!(
        "<configuration><property><name>fs.defaultFS</name><value>{url}</value></property></configuration>"
    );
    std::fs::write(conf.path().join("core-site.xml"), site).unwrap();
    let mut helper = Command::new(HEDDLE)
        .args(["client-fs", "stat", &url])
        .env("HADOOP_CONF_DIR", conf.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut called, _) = mute.accept().unwrap();
    called.read_exact(&mut [0; 4]).unwrap();
    assert!(helper.try_wait().unwrap().is_none(), "it waits for the NameNode");
    let begin = Instant::now();
    drop(helper.stdin.take());
    helper.wait().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// A program that was started through `exec-jvm` ends when `kill -9` ends its parent. If the parent has ended
/// already, the program is not started at all.
#[test]
fn exec_jvm_does_not_outlive_its_parent() {
    let script = format!("{HEDDLE} exec-jvm $$ sleep 600 & echo $!; read never");
    let mut parent = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    let mut out = parent.stdout.take().unwrap();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        pid.push(char::from(byte[0]));
    }
    let command = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    until("it has become the program", || command().starts_with("sleep"));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("it is gone", || !command().starts_with("sleep"));
    let late = Command::new(HEDDLE).args(["exec-jvm", "4194300", "echo", "started"]).output().unwrap();
    assert_eq!((late.status.code(), &*late.stdout), (Some(127), &b""[..]));
    assert!(String::from_utf8_lossy(&late.stderr).contains("the supervisor is gone"));
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

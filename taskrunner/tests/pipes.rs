//! Tests the pipes between the supervisor and real JVMs.

#![allow(clippy::disallowed_methods, reason = "a test lays out directories of its own")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test, and these are its helpers"
)]

mod common;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::Arc;

use common::{classes, eventually, taskrunner};
use taskrunner::jvm::{JvmCommand, JvmProcess};
use taskrunner::pipes::Pipes;
use taskrunner::spawn::SpawnThread;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

fn command(dir: &Path, launcher: &[&str], args: &[&str]) -> JvmCommand {
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    JvmCommand {
        archives: Default::default(),
        release: None,
        launcher: own(launcher),
        java_home: None,
        jvm_args: Vec::new(),
        class_path: classes().display().to_string(),
        main_class: "Prog".to_owned(),
        args: own(args),
        env: BTreeMap::new(),
        without: Vec::new(),
        stdout: dir.join("prog.out"),
        stderr: dir.join("prog.err"),
        log: None,
        dir: dir.to_owned(),
        self_exe: taskrunner(),
        records: Default::default(),
        container_mb: 0,
    }
}

/// A JVM with pipes, and what it says.
struct Piped {
    dir: tempfile::TempDir,
    jvm: JvmProcess,
    /// What `/proc/<pid>/fd` shows for the two pipes.
    names: Vec<String>,
    said: BufReader<pipe::Receiver>,
    to_jvm: pipe::Sender,
}

impl Piped {
    async fn start(thread: &SpawnThread, launcher: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (send, mut taken) = mpsc::unbounded_channel();
        let take = Arc::new(move |pipes: Pipes| send.send(pipes).unwrap());
        let command = command(dir.path(), launcher, &["pipes"]);
        let jvm = command.spawn_with_pipes(thread, take).await.unwrap();
        let Pipes { from_jvm, to_jvm } = taken.recv().await.unwrap();
        let names = vec![name(&from_jvm), name(&to_jvm)];
        Self { dir, jvm, names, said: BufReader::new(from_jvm), to_jvm }
    }

    /// None at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.said.read_line(&mut line).await.unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Whether both directions work, until the supervisor closes its end.
    async fn works_to_the_end(mut self) {
        assert_eq!(self.line().await.as_deref(), Some("hello"), "{}", self.stderr());
        self.to_jvm.write_all(b"a\nb\n").await.unwrap();
        assert_eq!(self.line().await.as_deref(), Some("heard a"));
        assert_eq!(self.line().await.as_deref(), Some("heard b"));
        // The JVM's child lives on, and holds neither pipe.
        drop(self.to_jvm);
        let mut rest = String::new();
        assert_eq!(self.said.read_line(&mut rest).await.unwrap(), 0);
        assert_eq!(self.jvm.wait().await.code, Some(9));
        // Its own stdin and stdout are what they always are.
        assert_eq!(std::fs::read_to_string(self.dir.path().join("prog.out")).unwrap(), "stdin=-1\n");
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("prog.err")).unwrap_or_default()
    }
}

fn name(end: &impl AsFd) -> String {
    let own = format!("/proc/self/fd/{}", end.as_fd().as_raw_fd());
    std::fs::read_link(own).unwrap().display().to_string()
}

/// What the files are that a process has open.
fn open_files(pid: u32) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    files.filter_map(|file| Some(std::fs::read_link(file.ok()?.path()).ok()?.display().to_string())).collect()
}

#[tokio::test]
async fn a_jvm_and_its_supervisor_speak_over_pipes() {
    Piped::start(&SpawnThread::start().unwrap(), &[]).await.works_to_the_end().await;
}

#[tokio::test]
async fn launchers_keep_the_pipes() {
    let thread = SpawnThread::start().unwrap();
    for launcher in [
        &["nice", "-n", "5", "env", "A=b", "setsid", "-w", "taskset", "1"][..],
        &["sh", "-c", "\"$@\"; exit $?", "sh"],
        // Its child's stdin is /dev/null then.
        &["sh", "-c", "\"$@\" & wait $!", "sh"],
        &["sh", "-c", "exec 3> /dev/null 4< /dev/null > /dev/null 2>&1; exec \"$@\" > prog.out", "sh"],
        // It closes in its child what it has inherited.
        &["bash", "-c", "\"$@\" 20<&- 21>&-; exit $?", "bash"],
    ] {
        Piped::start(&thread, launcher).await.works_to_the_end().await;
    }
}

#[tokio::test]
async fn a_launcher_that_closes_the_pipes_is_named() {
    let thread = SpawnThread::start().unwrap();
    for (script, said) in [
        ("exec \"$@\" 20<&- 21>&-", "has closed the file descriptors 20 and 21"),
        ("unset HEDDLE_BRIDGE_OUT; exec \"$@\"", "has removed or changed HEDDLE_BRIDGE_OUT"),
    ] {
        let mut piped = Piped::start(&thread, &["bash", "-c", script, "bash"]).await;
        assert_eq!(piped.line().await, None);
        let report = piped.jvm.wait().await;
        assert_eq!(report.code, Some(127));
        assert!(piped.stderr().contains(said), "{}", piped.stderr());
    }
}

#[tokio::test]
async fn the_death_of_the_jvm_is_the_end_of_its_pipe() {
    let mut piped = Piped::start(&SpawnThread::start().unwrap(), &[]).await;
    assert_eq!(piped.line().await.as_deref(), Some("hello"));
    piped.jvm.kill();
    assert_eq!(piped.line().await, None);
}

/// JVMs are started from threads of their own, at the same time: each has its own pipes and no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_other_process_gets_the_pipes() {
    let starts = (0..4).map(|_| {
        tokio::spawn(async {
            let thread = SpawnThread::start().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let plain = command(dir.path(), &[], &["sleep"]);
            let (piped, plain) = tokio::join!(Piped::start(&thread, &[]), async {
                plain.spawn(&SpawnThread::start().unwrap()).await.unwrap()
            });
            (piped, plain, dir, thread)
        })
    });
    let mut started = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        let (mut piped, plain, dir, thread) = start.await.unwrap();
        assert_eq!(piped.line().await.as_deref(), Some("hello"));
        eventually("the program is ready", || {
            std::fs::read_to_string(dir.path().join("prog.out")).unwrap_or_default().contains("ready")
        });
        started.push((piped, plain, dir, thread));
    }
    let all: Vec<&String> = started.iter().flat_map(|(piped, ..)| &piped.names).collect();
    for (piped, plain, ..) in &started {
        let plain = open_files(plain.pid());
        assert!(!all.iter().any(|name| plain.contains(name)), "{plain:?}");
        let held = open_files(piped.jvm.pid());
        for name in &all {
            assert_eq!(held.contains(name), piped.names.contains(name), "{name} {held:?}");
        }
        // User code's processes.
        let children = format!("/proc/{0}/task", piped.jvm.pid());
        for task in std::fs::read_dir(children).unwrap() {
            let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                // A process that Java has just forked closes the files before it starts the program.
                eventually("a process of user code has no pipe of the bridge", || {
                    let files = open_files(child.parse().unwrap());
                    !all.iter().any(|name| files.contains(name))
                });
            }
        }
    }
    started.iter().for_each(|(piped, plain, ..)| {
        piped.jvm.kill();
        plain.kill();
    });
}

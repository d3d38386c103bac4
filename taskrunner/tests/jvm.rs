//! Tests the supervisor with real JVMs.

#![allow(clippy::disallowed_methods, reason = "a test lays out directories of its own")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test, and these are its helpers"
)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{classes, eventually, group_of, is_alive, taskrunner};
use taskrunner::control::{JvmRecords, OutOfMemory};
use taskrunner::exit::ExitReport;
use taskrunner::jvm::{JvmCommand, JvmError, JvmProcess};
use taskrunner::memory::Sampler;
use taskrunner::spawn::SpawnThread;

struct Run {
    dir: tempfile::TempDir,
    command: JvmCommand,
}

fn prog(jvm_args: &[&str], args: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let command = JvmCommand {
        archives: Default::default(),
        release: None,
        launcher: Vec::new(),
        java_home: None,
        jvm_args: own(jvm_args),
        class_path: classes().display().to_string(),
        main_class: "Prog".to_owned(),
        args: own(args),
        env: BTreeMap::from([("PROG_ENV".to_owned(), "a b\n$x".to_owned())]),
        without: Vec::new(),
        stdout: dir.path().join("prog.out"),
        stderr: dir.path().join("prog.err"),
        log: Some(dir.path().join("prog.log")),
        dir: dir.path().to_owned(),
        self_exe: taskrunner(),
        records: Default::default(),
        container_mb: 0,
    };
    Run { dir, command }
}

impl Run {
    async fn start(&self) -> JvmProcess {
        self.command.spawn(&SpawnThread::start().unwrap()).await.unwrap()
    }

    /// Starts a program that prints `ready`, and waits for that.
    async fn start_ready(&self) -> JvmProcess {
        let jvm = self.start().await;
        eventually("the program is ready", || self.stdout().contains("ready"));
        jvm
    }

    async fn report(&self) -> Arc<ExitReport> {
        self.start().await.wait().await
    }

    fn stdout(&self) -> String {
        std::fs::read_to_string(&self.command.stdout).unwrap_or_default()
    }
}

#[tokio::test]
async fn exit_codes_and_exceptions_are_told() {
    let report = prog(&[], &["exit", "42"]).report().await;
    assert_eq!((report.code, report.signal, report.shell_code()), (Some(42), None, 42));
    assert_eq!(report.summary, "the JVM exited with code 42");
    let report = prog(&[], &["exit", "0"]).report().await;
    assert_eq!((report.code, report.summary.as_str()), (Some(0), "the JVM exited with code 0 (normal end)"));
    let report = prog(&[], &["throw"]).report().await;
    assert_eq!(report.code, Some(1));
    assert!(report.summary.contains("IllegalStateException: thrown on purpose"), "{}", report.summary);
    let report = prog(&["-XX:NoSuchOption"], &["exit", "0"]).report().await;
    assert!(report.summary.contains("Unrecognized VM option 'NoSuchOption'"), "{}", report.summary);
}

#[tokio::test]
async fn a_jvm_leaves_records_unless_the_user_wants_others() {
    let all = || JvmRecords { logs: true, flight_recorder: true, ..JvmRecords::default() };
    let mut run = prog(&[], &["exit", "0"]);
    run.command.records = all();
    assert_eq!(run.report().await.summary, "the JVM exited with code 0 (normal end)");
    let log = std::fs::read_to_string(run.dir.path().join("prog-gc.log")).unwrap();
    assert!(log.contains("[gc"), "{log}");

    let own = run.dir.path().join("own.log");
    let mut run = prog(&[&format!("-Xlog:gc:file={}", own.display())], &["exit", "0"]);
    run.command.records = all();
    assert_eq!(run.report().await.code, Some(0));
    assert!(own.is_file() && !run.dir.path().join("prog-gc.log").exists());
}

#[tokio::test]
async fn the_error_file_of_a_crash_is_among_the_logs() {
    let mut run = prog(&[], &["sleep"]);
    run.command.records = JvmRecords { logs: true, ..JvmRecords::default() };
    let jvm = run.start_ready().await;
    let name = format!("hs_err_prog_{}.log", jvm.pid());
    let pid = rustix::process::Pid::from_raw(i32::try_from(jvm.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::SEGV).unwrap();
    assert!(jvm.wait().await.signal.is_some());
    assert!(run.dir.path().join(&name).is_file(), "{name}");
}

#[tokio::test]
async fn the_parts_of_a_jvm_are_in_its_samples() {
    let run = prog(&["-Xms64m", "-Xmx64m"], &["sleep"]);
    let jvm = run.start_ready().await;
    let sample = Sampler::new().sample(jvm.pid()).unwrap();
    // Collectors leave out the part of the heap into which objects are copied, or count some bytes of their
    // own. The JVM tells the sizes of the metaspace, and what of the heap is used, from its first collection
    // on.
    assert!((48 << 20..65 << 20).contains(&sample.heap_committed), "{sample:?}");
    assert!(sample.threads > 2, "{sample:?}");
    assert!(sample.rss >= sample.anonymous && sample.anonymous > 1 << 20, "{sample:?}");
    jvm.kill();
    jvm.wait().await;
}

#[tokio::test]
async fn everything_arrives_as_given() {
    let odd = "a 'b' \"c\" $HOME `x` \\ =\nä€";
    let run = prog(&["-Dprop=$x y'"], &["echo", odd, ""]);
    assert_eq!(run.report().await.code, Some(0));
    let cp = classes().display();
    assert_eq!(run.stdout(), format!("arg=echo\narg={odd}\narg=\nprop=$x y'\nenv=a b\n$x\ncp={cp}\n"));
}

#[tokio::test]
async fn variables_of_ours_can_be_left_out() {
    // Cargo sets it for tests.
    let variable = "CARGO_MANIFEST_DIR";
    let script = "echo \"ours=${CARGO_MANIFEST_DIR-none}\"; exec \"$@\"";
    for without in [false, true] {
        let mut run = prog(&[], &["exit", "0"]);
        run.command.launcher = ["sh", "-c", script, "sh"].map(str::to_owned).into();
        run.command.without.extend(without.then(|| variable.to_owned()));
        assert_eq!(run.report().await.code, Some(0));
        assert_eq!(run.stdout().contains("ours=none\n"), without, "{}", run.stdout());
    }
}

#[tokio::test]
async fn kinds_of_exhausted_memory_are_told_apart() {
    let kind = |jvm_args: &'static [&'static str], what: &'static str| async move {
        let report = prog(jvm_args, &[what]).report().await;
        (report.out_of_memory, report.summary.clone())
    };
    let (oom, summary) = kind(&["-Xmx16m"], "heap").await;
    assert_eq!(oom, OutOfMemory::OomJavaHeap);
    assert_eq!(
        summary,
        "the JVM exited with code 1 (start-up or main class failed): the Java heap was full \
         (java.lang.OutOfMemoryError: Java heap space)"
    );
    // This JVM ends without a Java stack trace: HotSpot only writes one line to stdout.
    let (oom, summary) = kind(&["-Xmx16m", "-XX:+ExitOnOutOfMemoryError"], "heap").await;
    assert_eq!(oom, OutOfMemory::OomJavaHeap, "{summary}");
    assert!(summary.contains("code 3"), "{summary}");
    // This JVM ends by SIGABRT.
    let (oom, summary) =
        kind(&["-Xmx16m", "-XX:+CrashOnOutOfMemoryError", "-XX:-CreateCoredumpOnCrash"], "heap").await;
    assert_eq!(oom, OutOfMemory::OomJavaHeap, "{summary}");
    let (oom, summary) = kind(&["-XX:MaxDirectMemorySize=4m"], "direct").await;
    assert_eq!(oom, OutOfMemory::OomDirect, "{summary}");
    let (oom, summary) =
        kind(&["-XX:MaxMetaspaceSize=12m", "-XX:+ExitOnOutOfMemoryError"], "metaspace").await;
    assert_eq!(oom, OutOfMemory::OomMetaspace, "{summary}");
}

#[tokio::test]
async fn the_tail_is_the_end_of_what_this_jvm_wrote() {
    let run = prog(&["-Dfile.encoding=UTF-8", "-Dstderr.encoding=UTF-8"], &["chatter"]);
    std::fs::write(&run.command.stderr, "java.lang.OutOfMemoryError: Java heap space\n").unwrap();
    std::fs::write(run.dir.path().join("prog.log"), "old\n").unwrap();
    let report = run.report().await;
    assert_eq!(report.code, Some(7));
    assert_eq!(report.out_of_memory, OutOfMemory::OomNone);
    assert_eq!(report.stderr_tail.len(), 50);
    assert_eq!(report.stderr_tail.last().unwrap(), "line 499 ä€");
    assert_eq!(report.log_tail, Vec::<String>::new());
}

#[tokio::test]
async fn the_jvm_is_in_our_process_group_and_obeys_terminate() {
    let run = prog(&[], &["sleep"]);
    let jvm = run.start_ready().await;
    assert_eq!(group_of(jvm.pid()), group_of(std::process::id()));
    let sample = taskrunner::memory::sample(jvm.pid()).unwrap();
    assert!(sample.rss > 10 << 20, "{sample:?}");
    jvm.terminate();
    let report = jvm.wait().await;
    assert_eq!((report.code, report.shell_code()), (Some(143), 143));
    assert_eq!(report.summary, "the JVM exited with code 143 (SIGTERM): stopped on request");
    // After the end of the JVM, no signal is sent, and the same report is given again.
    jvm.kill();
    assert_eq!(jvm.wait().await, report);
}

#[tokio::test]
async fn a_signal_from_elsewhere_is_told_as_such() {
    let run = prog(&[], &["sleep"]);
    let jvm = run.start_ready().await;
    let pid = rustix::process::Pid::from_raw(jvm.pid() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let report = jvm.wait().await;
    assert_eq!((report.code, report.signal, report.shell_code()), (None, Some(9), 137));
    assert!(!report.summary.contains("on request"), "{}", report.summary);
}

#[tokio::test]
async fn the_jvm_outlives_the_threads_of_the_runtime() {
    // The command is given by a worker thread that ends. If that thread had forked, its end would kill the
    // JVM.
    let run = prog(&[], &["sleep"]);
    let thread = SpawnThread::start().unwrap();
    let command = run.command.clone();
    let handle = tokio::runtime::Handle::current();
    let jvm = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || handle.block_on(command.spawn(&thread))).join().unwrap().unwrap()
    })
    .await
    .unwrap();
    eventually("the program is ready", || run.stdout().contains("ready"));
    let early = tokio::time::timeout(Duration::from_millis(500), jvm.wait()).await;
    assert!(early.is_err(), "{early:?}");
    jvm.kill();
    assert_eq!(jvm.wait().await.signal, Some(9));
}

#[tokio::test]
async fn failures_to_start_are_told() {
    let mut run = prog(&[], &["exit", "0"]);
    let thread = SpawnThread::start().unwrap();
    run.command.java_home = Some("/no/java".to_owned());
    let error = run.command.spawn(&thread).await.unwrap_err();
    assert!(error.to_string().contains("/no/java/bin/java is not an executable file"), "{error}");
    run.command.java_home = None;
    run.command.stderr = "/no/dir/err".into();
    let error = run.command.spawn(&thread).await.unwrap_err();
    assert!(matches!(&error, JvmError::Output { path, .. } if path.ends_with("err")), "{error}");
    let mut run = prog(&[], &["exit", "0"]);
    run.command.self_exe = "/no/such/binary".into();
    let error = run.command.spawn(&thread).await.unwrap_err();
    assert!(matches!(error, JvmError::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn a_java_that_does_not_fit_is_not_started() {
    let mut run = prog(&[], &["exit", "0"]);
    let home = run.dir.path().join("jdk");
    std::fs::create_dir_all(home.join("bin")).unwrap();
    std::fs::copy("/bin/sh", home.join("bin/java")).unwrap();
    std::fs::write(home.join("release"), "JAVA_VERSION=\"1.8.0_392\"\n").unwrap();
    run.command.java_home = Some(home.display().to_string());
    run.command.release = "2.3.0".parse().ok();
    let thread = SpawnThread::start().unwrap();
    let error = run.command.spawn(&thread).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("made for Java 11 to 21 and cannot run on Java 8") && text.contains("jdk/bin/java"),
        "{text}"
    );
    assert!(error.hint("containerized.master.env.").unwrap().contains("containerized.master.env.JAVA_HOME"));
    run.command.release = "1.20.5".parse().ok();
    run.command.spawn(&thread).await.unwrap().wait().await;
}

fn launched(words: &[&str], args: &[&str]) -> Run {
    let mut run = prog(&[], args);
    run.command.launcher = words.iter().map(|word| (*word).to_owned()).collect();
    run
}

fn niceness(pid: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
}

#[tokio::test]
async fn java_may_be_started_by_a_launcher() {
    let run = launched(&["env", "PROG_ENV=of the launcher", "nice", "-n", "5"], &["sleep"]);
    let jvm = run.start_ready().await;
    assert!(run.stdout().contains("ready"));
    // This test may itself be run by `nice`.
    assert_eq!(niceness(jvm.pid()), niceness(std::process::id()) + 5);
    assert_eq!(group_of(jvm.pid()), group_of(std::process::id()));
    jvm.terminate();
    assert_eq!(jvm.wait().await.code, Some(143), "the launcher has become Java");
    let report = launched(&["env", "PROG_ENV=of the launcher"], &["exit", "42"]).report().await;
    assert_eq!(report.code, Some(42));
    let report = launched(&["no-such-launcher"], &["exit", "0"]).report().await;
    assert_eq!(report.code, Some(127));
    assert!(report.stderr_tail.iter().any(|line| line.contains("no-such-launcher")), "{report:?}");
}

#[tokio::test]
async fn a_jvm_that_is_its_launchers_child_dies_with_it() {
    let run = launched(&["sh", "-c", "\"$@\"; exit $?", "sh"], &["sleep"]);
    let jvm = run.start_ready().await;
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", jvm.pid())).unwrap();
    let java: u32 = children.trim().parse().unwrap();
    assert!(is_alive(java));
    jvm.kill();
    assert_eq!(jvm.wait().await.signal, Some(9));
    eventually("Java has ended, too", || !is_alive(java));
}

#[test]
fn the_launcher_refuses_a_parent_that_is_not_the_supervisor() {
    let begin = Instant::now();
    let out = std::process::Command::new(taskrunner())
        .args(["exec-jvm", "4194305", "java", "-version"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(127));
    assert_eq!(String::from_utf8_lossy(&out.stderr), "heddle: the supervisor is gone\n");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

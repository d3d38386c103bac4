//! Asks Flink's own code for its answers, in a JVM.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use flink_model::config::{Configuration, FileFormat};
use flink_model::release::{FileRule, Release};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

/// A JVM with the classes of a release, which answers one question at a time.
pub(crate) struct Oracle {
    pub(crate) release: Release,
    /// A directory that only the oracle of this distribution uses.
    dir: PathBuf,
    io: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    /// The JVM ends when its standard input is closed.
    _jvm: Child,
}

impl Oracle {
    pub(crate) fn start(home: &Path) -> Self {
        let dist = std::fs::read_dir(home.join("lib"))
            .unwrap()
            .find_map(|entry| Release::from_dist_jar(entry.unwrap().file_name().to_str()?))
            .unwrap_or_else(|| panic!("no flink-dist jar in {}", home.display()))
            .unwrap();
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}-{dist}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/differential/FlinkOracle.java");
        let jars = format!("{0}/bin/bash-java-utils.jar:{0}/lib/*", home.display());
        let classes = dir.join("classes");
        let compiled = Command::new("javac")
            .args(["-nowarn", "-XDsuppressNotes", "-encoding", "UTF-8", "-cp", &jars, "-d"])
            .args([&classes, &source])
            .status()
            .unwrap();
        assert!(compiled.success(), "javac failed for {}", home.display());
        let mut child = Command::new("java")
            .args(["-Dfile.encoding=UTF-8", "-XX:+UseSerialGC", "-cp"])
            .arg(format!("{}:{jars}", classes.display()))
            .arg("FlinkOracle")
            .env_remove("FLINK_JM_HEAP")
            .env_remove("FLINK_TM_HEAP")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let io = Mutex::new((child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap())));
        Self { release: dist, dir, io, _jvm: child }
    }

    pub(crate) fn ask(&self, question: &Value) -> Value {
        let mut io = self.io.lock().unwrap();
        writeln!(io.0, "{question}").unwrap();
        let mut line = String::new();
        io.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{question} was answered by {line:?}: {e}"))
    }

    pub(crate) fn format(&self) -> FileFormat {
        match self.release.traits().file_rule {
            FileRule::LegacyOnly => FileFormat::Legacy,
            FileRule::LegacyFirst | FileRule::StandardOnly => FileFormat::Standard,
        }
    }

    /// Makes a configuration directory with these files, which are given by name and content.
    pub(crate) fn write_conf(&self, files: &[(&str, &str)]) -> PathBuf {
        // Several tests use the oracle at the same time, so each thread has a directory of its own.
        let conf = self.dir.join(format!("conf-{:?}", std::thread::current().id()));
        std::fs::remove_dir_all(&conf).ok();
        std::fs::create_dir(&conf).unwrap();
        for (name, text) in files {
            std::fs::write(conf.join(name), text).unwrap();
        }
        conf
    }

    /// Lets Flink load a configuration directory with these files, which are given by name and content.
    pub(crate) fn load(&self, files: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        let answer = self.ask(&json!({"ask": "load", "dir": self.write_conf(files)}));
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(serde_json::from_value(answer["conf"].clone()).unwrap()),
        }
    }
}

/// The oracles of all distributions, which all tests share.
fn oracles() -> &'static [Oracle] {
    static ORACLES: LazyLock<Vec<Oracle>> = LazyLock::new(|| {
        let homes = std::env::var("HEDDLE_TEST_FLINK_HOME").unwrap_or_default();
        let homes: Vec<_> = homes.split(':').filter(|home| !home.is_empty()).collect();
        if Command::new("javac").arg("-version").output().is_err() {
            return Vec::new();
        }
        homes.into_iter().map(|home| Oracle::start(Path::new(home))).collect()
    });
    &ORACLES
}

/// Runs `check` on every distribution, or prints that there is none.
pub(crate) fn each_release(check: impl Fn(&Oracle)) {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let oracles = oracles();
    if oracles.is_empty() {
        println!("SKIPPED: HEDDLE_TEST_FLINK_HOME names no Flink distribution, or there is no javac");
    }
    // Each test begins with another distribution, so that the tests do not all wait for the same JVM.
    let first = TESTS.fetch_add(1, Ordering::Relaxed);
    for index in 0..oracles.len() {
        let oracle = &oracles[(first + index) % oracles.len()];
        let (thread, started) = (std::thread::current(), Instant::now());
        check(oracle);
        let name = thread.name().unwrap_or_default();
        println!("Flink {}: {name}: {:.1} s", oracle.release, started.elapsed().as_secs_f32());
    }
}

pub(crate) fn run<S: Strategy>(strategy: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("HEDDLE_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(strategy, check) {
        panic!("{error}");
    }
}

pub(crate) fn configuration(format: FileFormat, pairs: &BTreeMap<String, String>) -> Configuration {
    let mut conf = Configuration::new(format);
    for (key, value) in pairs {
        conf.set_dynamic(key.clone(), value.clone());
    }
    conf
}

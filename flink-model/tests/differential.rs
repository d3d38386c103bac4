//! Compares configuration and memory model with the code of real Flink releases.
//!
//! Runs where `HEDDLE_TEST_FLINK_HOME` names distributions (separated by `:`) and `javac` is on the `PATH`. The number of
//! cases for each release and question is `HEDDLE_TEST_CASES` (default 2000).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use flink_model::config::{ConfigFiles, Configuration, FileFormat, FromValue, SourceFile, load_files};
use flink_model::memory::{self, MemoryError};
use flink_model::options::Opt;
use flink_model::release::{FileRule, Release};
use flink_model::units::{Duration, MemorySize};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

/// A JVM with a release's classes that answers one question at a time.
struct Oracle {
    release: Release,
    dir: tempfile::TempDir,
    io: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Child,
}

impl Oracle {
    fn start(home: &Path) -> Self {
        let dist = std::fs::read_dir(home.join("lib"))
            .unwrap()
            .find_map(|entry| Release::from_dist_jar(entry.unwrap().file_name().to_str()?))
            .unwrap_or_else(|| panic!("no flink-dist jar in {}", home.display()))
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/differential/FlinkOracle.java");
        let jars = format!("{}/lib/*", home.display());
        let classes = dir.path().join("classes");
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
        Self { release: dist, dir, io, child }
    }

    fn ask(&self, question: &Value) -> Value {
        let mut io = self.io.lock().unwrap();
        writeln!(io.0, "{question}").unwrap();
        let mut line = String::new();
        io.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{question} was answered by {line:?}: {e}"))
    }

    fn format(&self) -> FileFormat {
        match self.release.traits().file_rule {
            FileRule::LegacyOnly => FileFormat::Legacy,
            FileRule::LegacyFirst | FileRule::StandardOnly => FileFormat::Standard,
        }
    }

    /// Has Flink load a file of this name and text.
    fn load(&self, name: &str, text: &str) -> Result<BTreeMap<String, String>, String> {
        let conf = self.dir.path().join("conf");
        std::fs::remove_dir_all(&conf).ok();
        std::fs::create_dir(&conf).unwrap();
        std::fs::write(conf.join(name), text).unwrap();
        let answer = self.ask(&json!({"ask": "load", "dir": conf}));
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(serde_json::from_value(answer["conf"].clone()).unwrap()),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs `check` on every distribution, or says that there is none.
fn each_release(check: impl Fn(&Oracle)) {
    let homes = std::env::var("HEDDLE_TEST_FLINK_HOME").unwrap_or_default();
    let homes: Vec<PathBuf> = homes.split(':').filter(|h| !h.is_empty()).map(PathBuf::from).collect();
    if homes.is_empty() || Command::new("javac").arg("-version").output().is_err() {
        println!("SKIPPED: HEDDLE_TEST_FLINK_HOME names no Flink distribution, or there is no javac");
        return;
    }
    for home in homes {
        let oracle = Oracle::start(&home);
        println!("Flink {}", oracle.release);
        check(&oracle);
    }
}

fn run<S: Strategy>(strategy: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("HEDDLE_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(strategy, check) {
        panic!("{error}");
    }
    println!("  {cases} cases");
}

fn configuration(format: FileFormat, pairs: &BTreeMap<String, String>) -> Configuration {
    let mut conf = Configuration::new(format);
    for (key, value) in pairs {
        conf.set_dynamic(key.clone(), value.clone());
    }
    conf
}

// Memory.

fn size() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => (1u32..6000).prop_map(|n| format!("{n}m")),
        6 => (1u32..40).prop_map(|n| format!("{n} GB")),
        10 => (0u64..1 << 33).prop_map(|n| n.to_string()),
        4 => (0u64..1 << 24).prop_map(|n| format!("{n}kb")),
        2 => (0u64..1 << 24).prop_map(|n| format!(" {n} tebibytes ")),
        2 => any::<u64>().prop_map(|n| n.to_string()),
        1 => Just("0".to_owned()),
        1 => prop::sample::select(vec!["", "1.5g", "-1m", "x", "1 mm", "9223372036854775807", "8388608t", "0x10", "1_0m"])
            .prop_map(str::to_owned),
    ]
}

fn fraction() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => (0u32..100).prop_map(|n| format!("0.{n:02}")),
        10 => (0f32..1.0).prop_map(|f| f.to_string()),
        3 => any::<f32>().prop_map(|f| f.to_string()),
        2 => prop::sample::select(vec![
            "0", "1", "0.999999", "-0.1", "0.1f", "1e-3", "NaN", "Infinity", "inf", "", "x", " 0.5 ", "-0", ".5", "5.", "0,5", "1e", "0.1d"
        ])
        .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => (0u32..20000).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["", "x", "+5", " 5", "1.0", "-3", "2147483647", "2147483648"]).prop_map(str::to_owned),
    ]
}

/// Each key is there with the given probability.
fn keys(
    table: &[(&'static str, f64)],
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Vec<(String, String)>> {
    let value = value.boxed();
    let each: Vec<_> = table
        .iter()
        .map(|&(key, probability)| {
            prop::option::weighted(probability, value.clone())
                .prop_map(move |v| v.map(|v| (key.to_owned(), v)))
        })
        .collect();
    each.prop_map(|pairs| pairs.into_iter().flatten().collect()).boxed()
}

/// Anything goes: most of it is refused, for every reason there is.
fn arbitrary_memory() -> BoxedStrategy<Vec<(String, String)>> {
    let sizes = keys(
        &[
            ("jobmanager.memory.process.size", 0.5),
            ("jobmanager.memory.flink.size", 0.25),
            ("jobmanager.memory.heap.size", 0.25),
            ("jobmanager.memory.off-heap.size", 0.25),
            ("jobmanager.memory.jvm-metaspace.size", 0.2),
            ("jobmanager.memory.jvm-overhead.min", 0.2),
            ("jobmanager.memory.jvm-overhead.max", 0.2),
            ("jobmanager.heap.size", 0.1),
            ("taskmanager.memory.process.size", 0.5),
            ("taskmanager.memory.flink.size", 0.25),
            ("taskmanager.memory.framework.heap.size", 0.15),
            ("taskmanager.memory.framework.off-heap.size", 0.15),
            ("taskmanager.memory.task.heap.size", 0.25),
            ("taskmanager.memory.task.off-heap.size", 0.15),
            ("taskmanager.memory.managed.size", 0.25),
            ("taskmanager.memory.size", 0.05),
            ("taskmanager.memory.network.min", 0.15),
            ("taskmanager.memory.network.max", 0.15),
            ("taskmanager.network.memory.min", 0.05),
            ("taskmanager.network.memory.max", 0.05),
            ("taskmanager.memory.jvm-metaspace.size", 0.2),
            ("taskmanager.memory.jvm-overhead.min", 0.15),
            ("taskmanager.memory.jvm-overhead.max", 0.15),
            ("taskmanager.memory.segment-size", 0.1),
            ("taskmanager.heap.size", 0.1),
        ],
        size(),
    );
    let fractions = keys(
        &[
            ("jobmanager.memory.jvm-overhead.fraction", 0.2),
            ("taskmanager.memory.jvm-overhead.fraction", 0.15),
            ("taskmanager.memory.managed.fraction", 0.2),
            ("taskmanager.memory.network.fraction", 0.15),
            ("taskmanager.network.memory.fraction", 0.05),
            ("taskmanager.cpu.cores", 0.1),
        ],
        fraction(),
    );
    let numbers = keys(
        &[
            ("jobmanager.heap.mb", 0.1),
            ("taskmanager.heap.mb", 0.1),
            ("taskmanager.network.numberOfBuffers", 0.15),
            ("taskmanager.numberOfTaskSlots", 0.2),
        ],
        number(),
    );
    let flags = keys(
        &[("jobmanager.memory.enable-jvm-direct-memory-limit", 0.2)],
        prop::sample::select(vec!["true", "False", "TRUE", "yes", ""]).prop_map(str::to_owned),
    );
    (sizes, fractions, numbers, flags).prop_map(|(a, b, c, d)| [a, b, c, d].concat()).boxed()
}

/// Sizes that add up, or miss that by very little, with any selection of the keys.
fn consistent_memory() -> BoxedStrategy<Vec<(String, String)>> {
    let pools = prop::collection::vec(64u64..2000, 8);
    (pools, prop::collection::vec(any::<bool>(), 16), -1i64..=1, 0u64..1 << 20, any::<bool>())
        .prop_map(|(mb, chosen, off, odd, exact)| {
            let b = |n: u64| (n << 20) + if exact { 0 } else { odd };
            let (heap, off_heap, meta, over) = (b(mb[0]), b(mb[1]), b(mb[2]), b(mb[3].clamp(192, 1000)));
            let (task_heap, managed, network, task_off) = (b(mb[4]), b(mb[5]), b(mb[6]), b(mb[7]));
            let (jm_flink, framework) = (heap + off_heap, 256 << 20);
            let tm_flink = framework + task_heap + managed + network + task_off;
            let near = |n: u64| n.saturating_add_signed(off);
            let all = [
                ("jobmanager.memory.heap.size", heap),
                ("jobmanager.memory.off-heap.size", off_heap),
                ("jobmanager.memory.flink.size", near(jm_flink)),
                ("jobmanager.memory.jvm-metaspace.size", meta),
                ("jobmanager.memory.process.size", near(jm_flink + meta + over)),
                ("taskmanager.memory.task.heap.size", task_heap),
                ("taskmanager.memory.managed.size", managed),
                ("taskmanager.memory.task.off-heap.size", task_off),
                ("taskmanager.memory.flink.size", near(tm_flink)),
                ("taskmanager.memory.jvm-metaspace.size", meta),
                ("taskmanager.memory.process.size", near(tm_flink + meta + over)),
                ("taskmanager.memory.network.min", network),
                ("taskmanager.memory.network.max", network),
                ("taskmanager.memory.jvm-overhead.min", over),
                ("taskmanager.memory.jvm-overhead.max", over),
            ];
            let picked = all.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            let mut pairs: Vec<_> = picked.map(|((k, v), _)| ((*k).to_owned(), format!("{v}b"))).collect();
            if chosen[15] {
                pairs.push(("taskmanager.network.numberOfBuffers".to_owned(), (network >> 15).to_string()));
            }
            pairs
        })
        .boxed()
}

/// `-D a=b -D c=d` as a map.
fn properties(text: &str) -> BTreeMap<String, String> {
    text.split("-D ")
        .filter_map(|p| p.trim().split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

struct Ours {
    process: u64,
    flink: u64,
    jvm: String,
    properties: BTreeMap<String, String>,
}

fn our_job_manager(conf: &Configuration, release: Release) -> Result<Ours, MemoryError> {
    let memory = memory::job_manager(conf, release)?;
    Ok(Ours {
        process: memory.process().bytes(),
        flink: memory.flink().bytes(),
        jvm: memory.jvm_args().join(" "),
        properties: memory.dynamic_properties().into_iter().collect(),
    })
}

fn our_task_manager(conf: &Configuration, release: Release) -> Result<Ours, MemoryError> {
    let memory = memory::task_manager(conf, release)?;
    // Flink reads these two in this order.
    memory::task_manager_cores(conf, None)?;
    conf.require(&flink_model::options::TM_SLOTS)?;
    Ok(Ours {
        process: memory.process().bytes(),
        flink: memory.flink().bytes(),
        jvm: memory.jvm_args().join(" "),
        properties: memory.dynamic_properties().into_iter().collect(),
    })
}

/// Words of Flink's message by which a refusal of this kind is known.
fn marks(error: &MemoryError) -> &'static [&'static str] {
    match error {
        MemoryError::Value(_) => {
            &["Could not parse value", "Cannot read memory size", "Cannot convert", "For input string"]
        }
        MemoryError::NotConfigured { .. } => &["Either required fine-grained memory"],
        MemoryError::ProcessTooSmall { .. } => &["Sum of configured JVM Metaspace"],
        MemoryError::FlinkExceedsProcess { .. } => &["is less than the sum of the derived"],
        MemoryError::OverheadOutOfRange { .. } => &["Derived JVM Overhead size"],
        MemoryError::InconsistentRange { .. } => &["Inconsistently configured"],
        MemoryError::HeapMismatch { .. } => &["Sum of the configured JVM Heap Memory"],
        MemoryError::HeapExceedsFlink { .. } => &["The configured JVM Heap Memory"],
        MemoryError::OffHeapExceedsFlink { .. } => &["is less than the configured Off-heap Memory"],
        MemoryError::PoolsExceedFlink { .. } => &["Sum of configured Framework Heap Memory"],
        MemoryError::NetworkOutOfRange { .. } => &["is not in configured Network Memory range"],
        MemoryError::NetworkMismatch { .. } => &["does not match configured Network Memory size"],
        MemoryError::SegmentSize(_) => &["segment size", "Cannot downcast"],
        MemoryError::Negative { .. } => &["must not be less than 0", "bytes must be >= 0"],
        MemoryError::Overflow { .. } => &["overflow"],
        MemoryError::Cores { .. } => &["positive number of CPU cores", "NumberFormatException"],
        MemoryError::ExternalResource { .. } => &["external"],
    }
}

fn compare(ours: &Result<Ours, MemoryError>, flink: &Value) -> Result<(), TestCaseError> {
    match (ours, flink.get("error").and_then(Value::as_str)) {
        (Ok(ours), None) => {
            prop_assert_eq!(&ours.jvm, flink["jvm"].as_str().unwrap());
            prop_assert_eq!(ours.process, flink["process"].as_u64().unwrap());
            prop_assert_eq!(ours.flink, flink["flink"].as_u64().unwrap());
            let theirs = properties(flink["properties"].as_str().unwrap());
            for (key, value) in &ours.properties {
                prop_assert_eq!(Some(value), theirs.get(key), "{}", key);
            }
            let memory_keys = theirs.keys().filter(|key| key.contains(".memory.")).count();
            prop_assert_eq!(memory_keys, ours.properties.len());
        }
        (Err(ours), Some(theirs)) => {
            prop_assert!(marks(ours).iter().any(|m| theirs.contains(m)), "ours: {ours}\nFlink: {theirs}");
        }
        (Ok(_), Some(theirs)) => prop_assert!(false, "only Flink refuses: {}", theirs),
        (Err(ours), None) => prop_assert!(false, "only we refuse: {}", ours),
    }
    Ok(())
}

#[test]
fn memory_is_divided_as_flink_divides_it() {
    each_release(|oracle| {
        let accepted = std::cell::Cell::new(0u32);
        let pairs = prop_oneof![arbitrary_memory(), consistent_memory()];
        run(&pairs, |pairs| {
            let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
            let flink = oracle.ask(&json!({"ask": "memory", "conf": pairs}));
            let conf = configuration(oracle.format(), &pairs);
            let (jm, tm) = (our_job_manager(&conf, oracle.release), our_task_manager(&conf, oracle.release));
            accepted.set(accepted.get() + u32::from(jm.is_ok()) + u32::from(tm.is_ok()));
            compare(&jm, &flink["jm"])?;
            compare(&tm, &flink["tm"])
        });
        println!("  {} processes were accepted", accepted.get());
        assert!(accepted.get() > 0);
    });
}

// Values.

fn typed<T: FromValue>(format: FileFormat, value: &str, show: impl Fn(T) -> Value) -> Option<Value> {
    let pairs = BTreeMap::from([("k".to_owned(), value.to_owned())]);
    configuration(format, &pairs).get(&Opt::<T>::new("k", &[], None)).ok().flatten().map(show)
}

#[test]
fn values_are_read_as_flink_reads_them() {
    let texts = prop_oneof![
        4 => "[0-9]{1,4} ?[a-zA-Zµ]{0,3}",
        1 => "[-+]?[0-9]{0,20}",
        2 => "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}([eE][-+]?[0-9]{1,2})?[fdFD]?",
        4 => "[ab;:,'\" ]{0,12}",
        3 => "[\\[{]?([ab0-9'\"] ?[,:;] ?){0,4}[ab0-9]?[\\]}]?",
        1 => "(true|FALSE|True|yes|on|1)",
        1 => "[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,8}",
    ];
    let types = prop::sample::select(vec![
        "memory", "duration", "int", "long", "boolean", "float", "double", "list", "map",
    ]);
    each_release(|oracle| {
        run(&(types.clone(), texts.clone()), |(kind, text)| {
            let flink = oracle.ask(&json!({"ask": "typed", "type": kind, "value": text}));
            let format = oracle.format();
            let ours = match kind {
                "memory" => typed(format, &text, |v: MemorySize| json!(v.bytes())),
                "duration" => typed(format, &text, |v: Duration| json!(v.as_millis())),
                "int" => typed(format, &text, |v: i32| json!(v)),
                "long" => typed(format, &text, |v: i64| json!(v)),
                "boolean" => typed(format, &text, |v: bool| json!(v)),
                "float" => typed(format, &text, |v: f32| json!(v.to_string())),
                "double" => typed(format, &text, |v: f64| json!(v.to_string())),
                "list" => typed(format, &text, |v: Vec<String>| json!(v)),
                _ => typed(format, &text, |v: BTreeMap<String, String>| json!(v)),
            };
            let theirs = flink.get("value").cloned().map(|value| match (kind, value.as_str()) {
                ("float", Some(text)) => json!(text.parse::<f32>().unwrap().to_string()),
                ("double", Some(text)) => json!(text.parse::<f64>().unwrap().to_string()),
                ("map", _) => json!(serde_json::from_value::<BTreeMap<String, String>>(value).unwrap()),
                _ => value,
            });
            // A lone m for minutes came with 1.15.
            let minutes = kind == "duration" && text.to_lowercase().trim_end().ends_with('m');
            prop_assume!(!(minutes && (oracle.release.major, oracle.release.minor) < (1, 15)));
            prop_assert_eq!(ours, theirs, "{} {:?}: {}", kind, text, flink);
            Ok(())
        });
    });
}

// Files.

fn legacy_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => ("[a-c.]{1,4}", "( ?: {0,2})", "[a-z0-9:#'\" /-]{0,10}").prop_map(|(k, s, v)| format!("{k}{s}{v}")),
        1 => "[ #:a-b\t'\"]{0,8}",
        1 => "#.{0,8}",
    ];
    prop::collection::vec((line, prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..8)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

/// A scalar as people write it.
fn yaml_scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z][a-z0-9:/._ -]{0,8}[a-z0-9]",
        2 => "[-+]?[0-9]{1,6}",
        2 => "[-+]?[0-9]{0,3}[.][0-9]{1,4}([eE][-+]?[0-9])?",
        1 => "0[xo][0-9a-f]{1,4}",
        1 => prop::sample::select(vec![
            "true", "False", "yes", "~", "null", "", ".inf", "-.Inf", ".nan", "1e3", "'it''s'", "\"a\\tb\\u00e9\"", "'5'", "1_000",
            "0777", "2020-01-01", "12:30:45", "!!str 5", "!!int '7'", "!foo x", "&a 5", "a #b", "a#b", "- a", "[a", "a: b", "*x", "@a", "%a",
            "`a", "é", "-", "?", "1.", "+5", "'a\n  b'", "=", "<<", "?a", ":a", "a?", "-a", "- -", "a, b", "a: ", "'a' b",
        ])
        .prop_map(str::to_owned),
    ]
}

fn yaml_text() -> impl Strategy<Value = String> {
    let flow = yaml_scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(("[a-e]{1,2}", inner), 0..3).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", pairs.join(", "))
            }),
        ]
    });
    let key = prop_oneof![
        8 => "[a-h]{1,3}([.][a-h]{1,2})?",
        1 => prop::sample::select(vec!["1", "true", "'q'", "\"r s\"", "a b", "a:b", "? c"]).prop_map(str::to_owned),
    ];
    let block =
        (key.clone(), flow).prop_map(|(k, v)| format!("{k}: {v}\n")).prop_recursive(3, 16, 4, move |inner| {
            let indent = |text: String| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
            prop_oneof![
                (key.clone(), prop::collection::vec(inner.clone(), 1..4))
                    .prop_map(move |(k, v)| format!("{k}:\n{}", indent(v.concat()))),
                (key.clone(), prop::collection::vec(yaml_scalar(), 1..4)).prop_map(|(k, v)| format!(
                    "{k}:\n{}",
                    v.iter().map(|i| format!("- {i}\n")).collect::<String>()
                )),
                (key.clone(), "[a-z|>#:'][a-z |>#:']{0,12}").prop_map(|(k, v)| format!("{k}: |\n  {v}\n")),
                inner.prop_map(|text| format!("# comment\n{text}")),
            ]
        });
    prop::collection::vec(block, 0..5).prop_map(|blocks| blocks.concat())
}

/// A file with one mistake, or a rare construct, somewhere.
fn mangled_text() -> impl Strategy<Value = String> {
    let insertions = vec![
        " ", "\t", "\n", ":", ": ", "#", " #", "'", "\"", "[", "]", "{", "}", ",", "- ", "&x ", "*x", "!",
        "|\n", ">", "?", "? ", "%", "@", "---\n", "...\n", "\\", "<<: ", "~", "é", "  ",
    ];
    (yaml_text(), any::<prop::sample::Index>(), prop::sample::select(insertions)).prop_map(
        |(text, at, insertion)| {
            let at = at.index(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            format!("{}{insertion}{}", &text[..at], &text[at..])
        },
    )
}

/// Where our YAML parser and Flink's are known to differ, by words of either message; see [`known_differences`].
const KNOWN: [&str; 3] = [
    "plain scalar cannot start with '-'",
    "the leading empty lines contain more spaces",
    "Do not use ? for indentation",
];

/// Whether both must refuse the same files. Of malformed ones each parser takes some that the other does not.
#[derive(Clone, Copy, PartialEq)]
enum Refusals {
    Equal,
    Any,
}

/// Compares a file's loading, key by key.
fn compare_file(
    oracle: &Oracle,
    format: FileFormat,
    text: &str,
    refusals: Refusals,
) -> Result<(), TestCaseError> {
    let file = Some(SourceFile { path: format.file_name(), text });
    let files = match format {
        FileFormat::Legacy => ConfigFiles { legacy: file, standard: None },
        FileFormat::Standard => ConfigFiles { legacy: None, standard: file },
    };
    let ours = load_files(oracle.release, &files)
        .map(|l| {
            l.configuration.iter().map(|(k, e)| (k.to_owned(), e.value.text())).collect::<BTreeMap<_, _>>()
        })
        .map_err(|e| e.to_string());
    let known = |message: &str| KNOWN.iter().any(|known| message.contains(known));
    match (ours, oracle.load(format.file_name(), text)) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(_)) | (Err(_), Ok(_)) if refusals == Refusals::Any => {}
        (Ok(_), Err(message)) | (Err(message), Ok(_)) if known(&message) => {}
        (Ok(ours), Err(theirs)) => prop_assert!(false, "only Flink refuses: {}\nours: {:?}", theirs, ours),
        (Err(ours), Ok(theirs)) => prop_assert!(false, "only we refuse: {}\nFlink: {:?}", ours, theirs),
    }
    Ok(())
}

#[test]
fn legacy_files_are_read_as_flink_reads_them() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::StandardOnly {
            return;
        }
        run(&legacy_text(), |text| compare_file(oracle, FileFormat::Legacy, &text, Refusals::Equal));
    });
}

#[test]
fn standard_files_are_read_as_flink_reads_them() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        run(&yaml_text(), |text| compare_file(oracle, FileFormat::Standard, &text, Refusals::Equal));
        run(&mangled_text(), |text| compare_file(oracle, FileFormat::Standard, &text, Refusals::Any));
    });
}

/// Files that one side takes and the other does not: rare, and refused with a place by the side that refuses.
#[test]
fn known_differences() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        let ours = |text| {
            let file = Some(SourceFile { path: "config.yaml", text });
            load_files(oracle.release, &ConfigFiles { legacy: None, standard: file }).is_ok()
        };
        let lone_dash = "a: {b: -}\n";
        assert!(!ours(lone_dash) && oracle.load("config.yaml", lone_dash).is_ok());
        for text in ["a:\n  a: |\n    \n", "a:\t\n- b\n", "a: [!]\n", "...\n", "a: [?]\n"] {
            assert!(ours(text) && oracle.load("config.yaml", text).is_err(), "{text:?}");
        }
    });
}

/// Named cases that were differences once.
#[test]
fn former_differences() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        for text in [
            "a:\n  b: [\n]\n",
            "a: [\nx,\ny ]\n",
            "a: [?b]\n",
            "a: {b: ?c}\n",
            "a: {b: :c}\n",
            "a: |\n  b\n  ",
            "a: [{'': 1, {}: 2}]\n",
            "a:\tb\n",
            "\ta: b\n",
        ] {
            compare_file(oracle, FileFormat::Standard, text, Refusals::Equal)
                .unwrap_or_else(|e| panic!("{text:?}: {e}"));
        }
    });
}

#[test]
fn flink_reads_back_what_we_ship() {
    let pairs = prop::collection::btree_map(
        "[a-z.]{1,8}",
        "(?s)[^\u{0}]{0,20}|[-a:{}\\[\\]&*!|>'\"%@#,? \n\t0-9.e~]{0,10}",
        0..6,
    );
    each_release(|oracle| {
        let formats: &[FileFormat] = match oracle.release.traits().file_rule {
            FileRule::LegacyOnly => &[FileFormat::Legacy],
            FileRule::LegacyFirst => &[FileFormat::Legacy, FileFormat::Standard],
            FileRule::StandardOnly => &[FileFormat::Standard],
        };
        for &format in formats {
            run(&pairs, |pairs| {
                let rendered = configuration(format, &pairs).render();
                let mut read =
                    oracle.load(format.file_name(), &rendered.text).map_err(TestCaseError::fail)?;
                read.extend(rendered.not_carried);
                prop_assert_eq!(read, pairs, "{}", rendered.text);
                Ok(())
            });
        }
    });
}

use diagnosis::facts::{ContainerEnd, Node, Outcome, Seen, Settings, Source, Told, Voice};
use flink_model::config::{Configuration, FileFormat};

use super::*;

fn seen<T>(fact: T) -> Seen<T> {
    Seen { source: Source::ApplicationMaster, at: Some(5_000), fact }
}

fn facts(ends: Vec<ContainerEnd>, diagnostics: &str) -> Facts {
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in
        [("jobmanager.memory.process.size", "1600m"), ("taskmanager.memory.process.size", "4g")]
    {
        configuration.set_dynamic(key, value);
    }
    let outcome = Outcome { status: None, diagnostics: diagnostics.into() };
    Facts {
        now: 10_000,
        ends: ends.into_iter().map(seen).collect(),
        outcomes: vec![seen(outcome)],
        settings: Some(Settings { configuration, release: "1.20.5".parse().unwrap() }),
        ..Facts::default()
    }
}

fn end(status: i32, diagnostics: &str) -> ContainerEnd {
    ContainerEnd {
        container: "container_1_0001_01_000002".into(),
        node: Some("n1:8041".into()),
        status: Some(status),
        diagnostics: diagnostics.into(),
        ..ContainerEnd::default()
    }
}

fn told(ends: Vec<ContainerEnd>, diagnostics: &str) -> String {
    with_finding(diagnostics.to_owned(), &facts(ends, diagnostics))
}

#[test]
fn a_lost_node_is_told() {
    let text =
        told(vec![end(-100, "Container released on a *lost* node")], "Job \"a\" (1) failed: a.B: gone");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Job \"a\" (1) failed: a.B: gone"));
    let line = lines.next().unwrap();
    assert!(line.contains("lost the node of TaskManager container_1_0001_01_000002 on n1:8041"), "{line}");
    let lost = facts(vec![end(-100, "Container released on a *lost* node")], "");
    let later = Facts { now: 300_000, ..lost };
    let text = with_finding("Job failed".to_owned(), &later);
    assert!(text.starts_with("Job failed\n295 s before the end: YARN has lost the node of "), "{text}");
    let mut facts = facts(Vec::new(), "");
    let node = Node {
        name: "n7:8041".into(),
        state: "UNHEALTHY".into(),
        ours: 2,
        health: "disks".into(),
        ..Node::default()
    };
    facts.nodes.push(seen(node));
    let text = with_finding(String::new(), &facts);
    assert!(text.starts_with("A node does not run any more") && text.contains("n7:8041"), "{text}");
}

#[test]
fn a_jvm_that_has_ended_after_its_registration_is_told() {
    let said = vec!["the JVM exited with code 9".into()];
    let crashed = ContainerEnd { code: Some(9), said, ..end(9, "") };
    let text = told(vec![crashed.clone()], "Job \"a\" (1) failed: a.B: gone");
    assert!(text.ends_with(" has ended by itself: the JVM exited with code 9"), "{text}");
    let known = "A TaskManager failed at its start on n1: the JVM exited with code 9";
    assert_eq!(told(vec![crashed], known), known);
}

#[test]
fn a_signal_whose_origin_nobody_knows_is_no_finding() {
    let killed = ContainerEnd { signal: Some(9), ..end(137, "") };
    assert_eq!(told(vec![killed], "Job failed"), "Job failed");
    assert_eq!(told(Vec::new(), ""), "");
}

#[test]
fn settings_for_a_kill_for_memory_take_the_place_of_the_general_hint() {
    let words = "Current usage: 4.2 GB of 4 GB physical memory used";
    let diagnostics = format!("boom\nA TaskManager was killed for its memory: c: x\nhint: {NATIVE_HINT}");
    let text = told(vec![end(-104, words)], &diagnostics);
    let (before, hint) = text.split_once("\nhint: ").unwrap();
    assert_eq!(before, "boom\nA TaskManager was killed for its memory: c: x");
    assert!(hint.starts_with("set taskmanager.memory.jvm-overhead.min: "), "{hint}");
    assert!(hint.contains("taskmanager.memory.process.size: ") && !hint.contains(NATIVE_HINT), "{hint}");

    let diagnostics =
        format!("2 TaskManagers were killed for their memory, first: c\nhint: {ADDRESS_SPACE_HINT}");
    let words = "Current usage: 1 GB of 4 GB physical memory used; 9.9 GB of 8.4 GB virtual memory used";
    let text = told(vec![end(-103, words)], &diagnostics);
    let hints: Vec<&str> = text.lines().skip(1).collect();
    assert!(hints[0].starts_with("hint: set yarn.nodemanager.vmem-check-enabled: false (in yarn-site.xml"));
    assert!(hints[1].starts_with("hint: or set yarn.nodemanager.vmem-pmem-ratio: "), "{hints:?}");
}

#[test]
fn what_is_said_already_gets_only_the_settings() {
    let diagnostics = "main() of M failed: java.lang.OutOfMemoryError: Java heap space";
    let mut facts = facts(Vec::new(), diagnostics);
    let fact = Told { voice: Voice::Main, place: String::new(), text: diagnostics.into() };
    facts.told.push(seen(fact));
    let text = with_finding(diagnostics.to_owned(), &facts);
    let rest = text.strip_prefix(diagnostics).unwrap();
    assert!(rest.starts_with("\nhint: set jobmanager.memory.process.size: "), "{rest}");
    let plain = "main() of M failed: java.lang.IllegalStateException: boom";
    assert_eq!(told(Vec::new(), plain), plain);
}

#[test]
fn the_jobmanagers_own_words_are_understood() {
    let diagnostics = "The JobManager ended: the JVM exited with code 239 (a fatal error): the metaspace was full \
                       (java.lang.OutOfMemoryError: Metaspace)";
    let text = told(Vec::new(), diagnostics);
    assert!(text.contains("\nhint: set jobmanager.memory.jvm-metaspace.size: "), "{text}");
}

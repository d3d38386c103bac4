use diagnosis::facts::{
    ClassJars, ContainerEnd, Exhausted, Final, Jar, JarPlace, OpenAsk, Part, Told, Voice,
};
use diagnosis::judge;

use super::*;
use crate::record::{JobManagerState, Running, SCHEMA, record_json};

fn end(container: &str) -> ContainerEnd {
    ContainerEnd {
        container: container.into(),
        node: Some("node1:8041".into()),
        status: Some(-104),
        diagnostics: "Current usage: 6.2 GB of 6 GB physical memory used\nsecond line".into(),
        signal: Some(9),
        exhausted: Some(Exhausted::Cgroup),
        peak: Some(6 << 30),
        said: vec!["the JVM was ended".into(), "\u{1b}[31m \"quoted\"".into()],
        ..ContainerEnd::default()
    }
}

fn entry(container: &str, at: u64) -> Entry {
    Entry { at, attempt: 1, started: Some(at - 1), end: end(container) }
}

fn samples() -> MemorySamples {
    MemorySamples {
        at: vec![100, 115],
        rss: vec![1 << 20, 2 << 20],
        heap: vec![1 << 19; 2],
        peak: 5,
        ..MemorySamples::default()
    }
}

fn record() -> Record {
    let told = Told { voice: Voice::Main, place: String::new(), text: "main() of M failed: a.B: c".into() };
    Record {
        schema: SCHEMA,
        application: "application_1_0001".into(),
        name: "n".into(),
        mode: "per-job".into(),
        heddle: "0.1.0".into(),
        flink: "1.20.5".into(),
        attempt: 2,
        started: Some(1_000),
        written: 9_000,
        ended: None,
        status: None,
        diagnostics: "d".into(),
        memory: [("taskmanager.memory.process.size".into(), "1g".into())].into(),
        job_manager: JobManagerState {
            ready: Some(2_000),
            restarts: 1,
            node: "n:1".into(),
            container: "container_1_0001_01_000001".into(),
            memory: Some(Box::new(samples())),
        },
        asks: vec![OpenAsk { count: 2, memory_mb: 1024, vcores: 1, ..OpenAsk::default() }],
        running: vec![Running { container: "c2".into(), since: Some(5), ..Running::default() }],
        told: vec![Seen { source: Source::ApplicationMaster, at: Some(8_000), fact: told }],
        classes: vec![Seen {
            source: Source::ApplicationMaster,
            at: Some(8_001),
            fact: ClassJars {
                class: "a.B".into(),
                jars: vec![Jar { name: "lib/a.jar".into(), place: JarPlace::Flink }],
                searched: 9,
                program_unseen: true,
                parent_first: true,
                program_in_user_code: false,
            },
        }],
        nodes: vec![NodeNote {
            node: "n7:1".into(),
            state: "LOST".into(),
            at: 7_000,
            containers: vec!["c3".into()],
        }],
        dropped: 3,
    }
}

fn lines(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [entry.line(), "\n".to_owned()]).collect::<String>().into_bytes()
}

#[test]
fn what_was_written_is_read() {
    let entries = vec![entry("c1", 5), entry("c2", 6)];
    assert!(entries.iter().all(|entry| !entry.line().contains('\n')));
    let left = Left::parse(Some(&record_json(&record())), Some(&lines(&entries)));
    assert_eq!(left, Left { record: Some(record()), entries: entries.clone(), broken: 0 });
    let account = Account { record: record(), entries };
    assert_eq!(Account::parse(&account.json()), Some(account.clone()));
    assert_eq!(Left::from(account), left);
    assert_eq!(Left::parse(None, None), Left::default());
    assert_eq!(Account::parse(b"[]"), None);
}

#[test]
fn a_line_that_was_cut_off_costs_only_itself() {
    let mut file = lines(&[entry("c1", 5), entry("c2", 6)]);
    file.truncate(file.len() - 20);
    let left = Left::parse(Some(b"{\"appl"), Some(&file));
    assert_eq!((left.record, left.entries, left.broken), (None, vec![entry("c1", 5)], 2));
}

#[test]
fn what_is_not_there_has_a_default() {
    let left = Left::parse(Some(b"{}"), Some(b"{}\n\n  \n7\n"));
    assert_eq!((left.record, left.broken), (Some(Record::default()), 1));
    assert_eq!(left.entries, [Entry::default()]);
    assert_eq!(left.entries[0].end.part, Part::TaskManager);
}

#[test]
fn a_later_release_is_read_as_far_as_it_is_known() {
    let mut object = serde_json::to_value(record()).unwrap();
    object["schema"] = 7.into();
    object["later"] = serde_json::json!({"a": [1, 2]});
    object["jobManager"]["later"] = true.into();
    object["status"] = "PAUSED".into();
    object["running"] =
        serde_json::json!([{"part": "history-server", "container": "c9"}, {"container": "c2"}]);
    let left = Left::parse(Some(object.to_string().as_bytes()), None);
    assert_eq!(left.broken, 2, "a status and a part that are not known");
    let read = left.record.unwrap();
    assert_eq!((read.schema, read.status), (7, None));
    let wanted = Running { container: "c2".into(), ..Running::default() };
    assert_eq!((read.running, read.job_manager), (vec![wanted], record().job_manager));

    let mut object = serde_json::to_value(entry("c1", 5)).unwrap();
    object["later"] = 1.into();
    let known = object.to_string();
    object["end"]["exhausted"] = "gpu".into();
    let left = Left::parse(None, Some(format!("{object}\n{known}\n").as_bytes()));
    assert_eq!((left.entries, left.broken), (vec![entry("c1", 5)], 1));
}

fn facts(left: &Left, source: Source) -> Facts {
    let mut facts = Facts { now: 10_000, ..Facts::default() };
    left.add_to(&mut facts, source);
    facts
}

#[test]
fn the_order_does_not_matter() {
    let mut entries = vec![entry("c1", 5), entry("c2", 6), entry("c3", 7)];
    let found = judge(&facts(&Left { entries: entries.clone(), ..Left::default() }, Source::Outcome));
    entries.reverse();
    assert_eq!(judge(&facts(&Left { entries, ..Left::default() }, Source::Outcome)), found);
    assert_eq!((found[0].rule, found[0].times), ("worker-over-physical-memory", 3));
}

#[test]
fn the_facts_of_one_that_has_ended_and_of_one_that_runs() {
    let left = Left { record: Some(record()), entries: vec![entry("c1", 5)], broken: 0 };
    let open = facts(&left, Source::ApplicationMaster);
    assert_eq!((open.ends[0].at, open.ends[0].source), (Some(5), Source::ApplicationMaster));
    assert_eq!((open.asks[0].at, open.asks[0].fact.count), (Some(9_000), 2));
    assert!(open.outcomes.is_empty(), "heddle-am runs, and says nothing of an end");
    assert_eq!((open.nodes[0].fact.name.as_str(), open.nodes[0].fact.ours), ("n7:1", 1));
    let lost = facts(&left, Source::Outcome);
    assert_eq!(lost.outcomes[0].fact, Outcome { status: None, diagnostics: "d".into() });
    assert_eq!(lost.told[0].source, Source::Outcome);

    let ended = Record { ended: Some(9_500), status: Some(Final::Failed), ..record() };
    let over = facts(&Left { record: Some(ended), ..left }, Source::Outcome);
    assert_eq!(open.asks[0].fact.given_up, None);
    assert_eq!(over.asks[0].fact.given_up, Some(9_500), "nothing waits after the end");
    assert_eq!((over.outcomes[0].at, over.outcomes[0].fact.status), (Some(9_500), Some(Final::Failed)));
}

#[test]
fn only_nodes_that_do_not_run_are_facts() {
    let note = |state: &str| NodeNote { node: "n:1".into(), state: state.into(), ..NodeNote::default() };
    let sick = node(&note("UNHEALTHY: 1/1 local-dirs are bad")).unwrap();
    assert_eq!((sick.state.as_str(), sick.health.as_str()), ("UNHEALTHY", "1/1 local-dirs are bad"));
    for state in ["RUNNING", "", "AVOIDED", "AVOIDED: it fails"] {
        assert_eq!(node(&note(state)), None, "{state}");
    }
}

#[test]
fn how_the_memory_has_gone_is_read_and_is_a_fact() {
    let mut ended = entry("c1", 5);
    ended.end.memory = Some(Box::new(samples()));
    let line = ended.line();
    assert!(
        line.contains(r#""memory":{"at":[100,115],"rss":[1048576,2097152],"heap":[524288,524288]"#),
        "{line}"
    );
    assert!(!entry("c1", 5).line().contains("memory\":"));
    let left = Left::parse(Some(&record_json(&record())), Some(&lines(&[ended])));
    let mut facts = Facts::default();
    left.add_to(&mut facts, Source::Outcome);
    assert_eq!(facts.ends[0].fact.memory.as_deref(), Some(&samples()));
    assert_eq!(facts.job_manager_memory[0].fact, samples());
}

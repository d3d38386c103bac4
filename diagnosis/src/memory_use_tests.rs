use flink_model::config::{Configuration, FileFormat};
use proptest::prelude::*;

use super::*;

const MB: u64 = 1 << 20;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in pairs {
        configuration.set_dynamic(*key, *value);
    }
    Settings { configuration, release: "1.20.5".parse().unwrap() }
}

fn usual() -> Settings {
    settings(&[("jobmanager.memory.process.size", "1600m"), ("taskmanager.memory.process.size", "4g")])
}

fn share(used: u64, max: u64) -> Share {
    Share { used: Some(used * MB), committed: None, max: Some(max * MB) }
}

/// A TaskManager that uses what is planned for it well.
fn worker(container: &str) -> ProcessUse {
    ProcessUse {
        process: share(3500, 4096),
        peak: Some(3500 * MB),
        heap: share(1000, 1456),
        metaspace: share(150, 256),
        direct: share(450, 471),
        managed: share(700, 1372),
        network: share(300, 343),
        ..ProcessUse::new(Part::TaskManager, container)
    }
}

/// Urgency, text, and the settings with their values.
type Told = (Urgency, String, Vec<(String, String)>);

fn found(uses: &[ProcessUse]) -> Vec<Told> {
    let fixes = |remark: &Remark| remark.fix.iter().map(|fix| (fix.key.clone(), fix.value.clone())).collect();
    remarks(uses, Some(&usual()), 1)
        .iter()
        .map(|remark| (remark.urgency, remark.text.clone(), fixes(remark)))
        .collect()
}

#[test]
fn what_is_used_well_needs_no_remark() {
    assert_eq!(found(&[worker("c2"), worker("c3")]), []);
    assert!(remarks(&[], None, 1).is_empty());
    let unknown = ProcessUse::new(Part::TaskManager, "c2");
    assert!(remarks(&[unknown], Some(&usual()), 1).is_empty());
}

#[test]
fn a_process_at_its_limit_must_be_larger() {
    let large = ProcessUse { peak: Some(4090 * MB), ..worker("c3") };
    let told = found(&[worker("c2"), large]);
    assert_eq!(told.len(), 1, "{told:?}");
    let (urgency, text, fixes) = &told[0];
    assert_eq!(*urgency, Urgency::MustBeLarger);
    assert!(text.starts_with("The process of TaskManager c3 has used 4 GB of 4 GB."), "{text}");
    assert_eq!(fixes[0].0, "taskmanager.memory.jvm-overhead.min");
}

#[test]
fn pools_that_are_full_are_told() {
    let full = ProcessUse { heap: share(1450, 1456), metaspace: share(250, 256), ..worker("c2") };
    let told = found(&[full]);
    let keys: Vec<&str> = told.iter().map(|(.., fixes)| fixes[0].0.as_str()).collect();
    assert_eq!(
        keys,
        ["taskmanager.memory.process.size", "taskmanager.memory.jvm-metaspace.size"],
        "{told:?}"
    );
    assert!(told[0].1.contains("1.4 GB of 1.4 GB are used"), "{told:?}");
}

#[test]
fn network_memory_does_not_make_direct_memory_full() {
    let usual = ProcessUse { direct: share(8200, 8320), network: share(8000, 8192), ..worker("c2") };
    assert_eq!(found(std::slice::from_ref(&usual)), []);
    let told = found(&[ProcessUse { direct: share(8318, 8320), ..usual }]);
    let text = "The direct memory, beside network memory, of TaskManager c2 is nearly full: 126 MB of 128 MB are used.";
    assert_eq!((told.len(), told[0].1.as_str()), (1, text));
}

#[test]
fn what_nobody_uses_could_be_smaller() {
    let idle = |container| ProcessUse {
        process: share(900, 4096),
        peak: Some(1000 * MB),
        managed: share(0, 1372),
        network: share(10, 343),
        metaspace: share(60, 1024),
        ..worker(container)
    };
    let told = found(&[idle("c2"), idle("c3")]);
    assert!(told.iter().all(|(urgency, ..)| *urgency == Urgency::CouldBeSmaller), "{told:?}");
    let fixes: Vec<(&str, &str)> = told
        .iter()
        .flat_map(|(.., fixes)| fixes)
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        fixes,
        [
            ("taskmanager.memory.process.size", "1280m"),
            ("taskmanager.memory.jvm-metaspace.size", "128m"),
            ("taskmanager.memory.managed.fraction", "0"),
            ("taskmanager.memory.network.max", "64m"),
        ]
    );
    assert!(remarks(&[idle("c2")], Some(&usual()), 0).is_empty(), "without a job");
    let one_does = ProcessUse { managed: share(1, 1372), ..idle("c3") };
    assert!(found(&[idle("c2"), one_does]).iter().all(|(_, text, _)| !text.contains("managed")));
}

#[test]
fn without_a_configuration_there_is_only_the_remark() {
    let large = ProcessUse { peak: Some(4090 * MB), ..worker("c3") };
    let told = remarks(&[large], None, 1);
    assert_eq!((told.len(), told[0].fix.len()), (1, 0));
}

proptest! {
    #[test]
    fn never_panics(used: Option<u64>, max: Option<u64>, peak: Option<u64>) {
        let share = Share { used, committed: None, max };
        let one = ProcessUse {
            process: share, peak, heap: share, metaspace: share, direct: share, managed: share, network: share,
            ..ProcessUse::new(Part::TaskManager, "c")
        };
        let master = ProcessUse { part: Part::JobManager, ..one.clone() };
        let _ = remarks(&[one, master], Some(&usual()), 1);
    }
}

use proptest::prelude::*;

use super::*;
use crate::config::FileFormat;

fn conf(pairs: &[(&str, &str)]) -> Configuration {
    let mut conf = Configuration::new(FileFormat::Standard);
    for (index, (key, value)) in pairs.iter().enumerate() {
        let origin = Origin::File { file: "conf/config.yaml".into(), line: index + 1 };
        conf.set(*key, *value, origin);
    }
    conf
}

fn task_manager_rules(release: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let explained = Explained::task_manager(&conf(pairs), release.parse().unwrap()).unwrap();
    let pools = explained.pools.iter().map(|p| format!("{} {}: {}", p.name.text(), short(p.size), p.rule));
    let (flink, process) = (explained.flink, explained.process);
    pools
        .chain([format!("Flink {}: {}", short(flink.0), flink.1)])
        .chain([format!("process {}: {}", short(process.0), process.1)])
        .collect()
}

#[test]
fn from_the_process_size() {
    let rules = task_manager_rules("1.20.5", &[("taskmanager.memory.process.size", "1728m")]);
    assert_eq!(
        rules,
        [
            "framework heap 128 mb: default of taskmanager.memory.framework.heap.size",
            "task heap 384.0 mb: what is left of Flink's memory 1280 mb",
            "framework off-heap 128 mb: default of taskmanager.memory.framework.off-heap.size",
            "task off-heap 0: default of taskmanager.memory.task.off-heap.size",
            "network 128.0 mb: fraction 0.1 of Flink's memory (taskmanager.memory.network.fraction, default)",
            "managed 512.0 mb: fraction 0.4 of Flink's memory (taskmanager.memory.managed.fraction, default)",
            "JVM metaspace 256 mb: default of taskmanager.memory.jvm-metaspace.size",
            "JVM overhead 192 mb: fraction 0.1 of the process size (taskmanager.memory.jvm-overhead.fraction, default) \
             is 172.8 mb, raised to the minimum 192 mb (taskmanager.memory.jvm-overhead.min, default)",
            "Flink 1280 mb: the process size without metaspace and JVM overhead",
            "process 1728 mb: set by taskmanager.memory.process.size (conf/config.yaml:1)",
        ]
    );
}

#[test]
fn old_keys_keep_their_place() {
    let pairs = [
        ("taskmanager.heap.mb", "2048"),
        ("taskmanager.memory.size", "100m"),
        ("taskmanager.network.numberOfBuffers", "4096"),
    ];
    let rules = task_manager_rules("1.18.1", &pairs);
    let has = |text: &str| assert!(rules.iter().any(|rule| rule.ends_with(text)), "{text}: {rules:#?}");
    has("set by taskmanager.heap.mb (conf/config.yaml:1), the old name of taskmanager.memory.process.size");
    has(
        "set by taskmanager.memory.size (conf/config.yaml:2), the old name of taskmanager.memory.managed.size",
    );
    has("4096 buffers (taskmanager.network.numberOfBuffers, conf/config.yaml:3) of 32kb \
         (taskmanager.memory.segment-size, default)");
}

#[test]
fn the_maximum_of_older_releases() {
    let pairs = [("taskmanager.memory.process.size", "20g")];
    let rule = |release| task_manager_rules(release, &pairs)[4].clone();
    assert!(
        rule("1.16.3").ends_with("limited to the maximum 1024 mb (taskmanager.memory.network.max, default)"),
        "{}",
        rule("1.16.3")
    );
    assert!(!rule("1.17.2").contains("maximum"));
}

#[test]
fn a_job_manager_of_all_kinds() {
    let rule = |pairs: &[_], name| {
        let explained = Explained::job_manager(&conf(pairs), "2.3.0".parse().unwrap()).unwrap();
        explained.pools.into_iter().find(|pool| pool.name == name).unwrap().rule.to_string()
    };
    let (heap, flink, process) =
        ("jobmanager.memory.heap.size", "jobmanager.memory.flink.size", "jobmanager.memory.process.size");
    assert_eq!(rule(&[(process, "1600m")], PoolName::JvmHeap), "what is left of Flink's memory 1152 mb");
    assert_eq!(
        rule(&[(heap, "1g"), (flink, "1280m")], PoolName::OffHeap),
        "what is left of Flink's memory 1280 mb"
    );
    assert_eq!(
        rule(&[(flink, "1g"), (process, "1536m")], PoolName::Overhead),
        "what is left of the process size 1536 mb"
    );
    assert_eq!(
        rule(&[(heap, "1g")], PoolName::Overhead),
        "fraction 0.1 of the process size (jobmanager.memory.jvm-overhead.fraction, default) is 156.4 mb, raised to the \
         minimum 192 mb (jobmanager.memory.jvm-overhead.min, default)"
    );
}

/// Computes the size of a pool anew, from its rule.
fn worked_out(explained: &Explained, pool: &ExplainedPool) -> Option<MemorySize> {
    match &pool.rule {
        Rule::Set(setting) => MemorySize::parse(&setting.value).ok(),
        Rule::Fraction { alone, limit, .. } => Some(limit.as_ref().map_or(*alone, |limit| limit.size)),
        Rule::Rest { of, whole } => {
            let parts = explained.pools.iter().filter(|p| *of == Whole::Process || p.name.is_flinks());
            parts.filter(|p| p.name != pool.name).try_fold(*whole, |left, part| left.minus(part.size))
        }
        Rule::Buffers { count, segment } => {
            let count: u64 = count.value.parse().ok()?;
            MemorySize::from_bytes(count * MemorySize::parse(&segment.value).ok()?.bytes())
        }
        Rule::Sum | Rule::Inside => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A rule is more than a text: the size of the pool follows from it.
    #[test]
    fn rules_give_the_sizes(
        release in prop::sample::select(vec!["1.13.6", "1.16.3", "1.20.5", "2.3.0"]),
        role in prop::sample::select(vec![Role::JobManager, Role::TaskManager]),
        values in prop::collection::btree_map(0usize..16, 1u32..6000, 1..6),
    ) {
        const KEYS: [&str; 12] = [
            "memory.process.size", "memory.flink.size", "memory.task.heap.size", "memory.managed.size", "memory.heap.size",
            "memory.off-heap.size", "memory.jvm-overhead.min", "memory.jvm-metaspace.size", "memory.network.max",
            "memory.framework.heap.size", "heap.size", "memory.jvm-overhead.max",
        ];
        let prefix = if role == Role::JobManager { "jobmanager" } else { "taskmanager" };
        let mut given = Configuration::new(FileFormat::Legacy);
        for (index, value) in values {
            match KEYS.get(index) {
                Some(key) => given.set_dynamic(format!("{prefix}.{key}"), format!("{value}m")),
                None if index == 12 => given.set_dynamic("taskmanager.network.numberOfBuffers", value.to_string()),
                None => given.set_dynamic("taskmanager.memory.network.fraction", format!("0.{value}")),
            }
        }
        let release = release.parse().unwrap();
        let explained = match role {
            Role::JobManager => Explained::job_manager(&given, release),
            Role::TaskManager => Explained::task_manager(&given, release),
        };
        let Ok(explained) = explained else { return Ok(()) };
        let all = explained.pools.iter().map(|p| p.size.bytes()).sum::<u64>();
        prop_assert_eq!(all, explained.process.0.bytes());
        for pool in &explained.pools {
            prop_assert_eq!(worked_out(&explained, pool), Some(pool.size), "{:?} in {:?}", pool, given);
        }
    }
}

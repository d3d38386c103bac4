//! Finds what could be better about sizes with which a cluster works. The proposed sizes have been tried with
//! the memory model.

use crate::cluster_spec::{ClusterSpec, YarnLimits};
use crate::config::Configuration;
use crate::memory::{Explained, PoolName, Role, Rule, Setting, Whole, short};
use crate::options::{self, Opt};
use crate::release::Release;
use crate::units::MemorySize;

/// The keys that have had no effect since Flink 1.11.
const CUTOFF: [&str; 2] = ["containerized.heap-cutoff-ratio", "containerized.heap-cutoff-min"];

/// A new value for a key, and what the value changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// The new value.
    pub value: String,
    /// What the value changes, in words.
    pub effect: String,
}

/// A remark, and what the user can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The subject of the remark, for programs.
    pub kind: &'static str,
    /// The process that the remark is about; `None` if it is about the configuration as a whole.
    pub role: Option<Role>,
    /// The remark in words, for people.
    pub text: String,
    /// The values that the user could set. They are alternatives.
    pub changes: Vec<Change>,
}

/// All remarks about the sizes of a cluster. `limits` are those of YARN, if they are known.
pub fn advise(
    conf: &Configuration,
    release: Release,
    spec: &ClusterSpec,
    processes: [&Explained; 2],
    limits: Option<&YarnLimits>,
) -> Vec<Advice> {
    let mut found = Vec::new();
    for explained in processes {
        let requested = explained.process.0.mebibytes();
        found.extend(limits.and_then(|l| rounding(conf, release, explained.role, requested, l)));
        if explained.role == Role::JobManager && spec.job_manager.is_tight() {
            found.push(small_heap(explained));
        }
        found.extend(explained.pools.iter().filter_map(|pool| limited(explained, pool.name, &pool.rule)));
    }
    let [_, workers] = processes;
    found.extend(unused_managed_memory(conf, workers));
    if spec.tm_vcores < spec.slots {
        found.push(Advice {
            kind: "fewer-vcores-than-slots",
            role: Some(Role::TaskManager),
            text: format!(
                "{} for {} slots ({}): where YARN limits CPU, tasks of different slots wait for each other",
                count(spec.tm_vcores, "vcore"),
                spec.slots,
                Setting::of(conf, &options::TM_SLOTS)
            ),
            changes: vec![Change {
                key: spec.tm_vcores_key.to_owned(),
                value: spec.slots.to_string(),
                effect: "gives each slot a vcore".to_owned(),
            }],
        });
    }
    found.extend(without_effect(conf, release, processes));
    found
}

/// A number with its unit: `1 vcore`, `2 vcores`.
fn count(number: i32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn rounding(
    conf: &Configuration,
    release: Release,
    role: Role,
    requested: u64,
    limits: &YarnLimits,
) -> Option<Advice> {
    let charged = limits.charged_memory_mb(requested);
    let lost = charged.checked_sub(requested).filter(|lost| *lost > 0 && charged <= limits.max_memory_mb)?;
    let step = limits.step_memory_mb.or(limits.min_memory_mb).unwrap_or(1).max(1);
    let mut changes = Vec::new();
    // The next smaller size that is not rounded up is proposed if it is nearly as large.
    let lower = requested / step * step;
    if requested - lower <= requested / 10 && lower > 0 && limits.charged_memory_mb(lower) == lower {
        changes.push((lower, format!("saves {} MiB a container", charged - lower)));
    }
    changes.push((charged, format!("{lost} MiB more at no cost")));
    let accepted = |mb: u64| {
        let mut tried = conf.clone();
        tried.set_dynamic(role.process_key(), format!("{mb}m"));
        role.check(&tried, release).is_ok()
    };
    let changes = changes.into_iter().filter(|(mb, _)| accepted(*mb)).map(|(mb, effect)| Change {
        key: role.process_key().to_owned(),
        value: format!("{mb}m"),
        effect,
    });
    Some(Advice {
        kind: "rounding",
        role: Some(role),
        text: format!(
            "{requested} MiB will be charged as {charged} MiB: {lost} MiB ({}) of each container are lost",
            percent(lost, charged)
        ),
        changes: changes.collect(),
    })
}

/// A part in per cent: `12.5%`, or `50%`.
pub fn percent(part: u64, whole: u64) -> String {
    let percent = format!("{:.1}", part as f64 * 100.0 / whole.max(1) as f64);
    format!("{}%", percent.strip_suffix(".0").unwrap_or(&percent))
}

fn small_heap(explained: &Explained) -> Advice {
    Advice {
        kind: "small-heap",
        role: Some(Role::JobManager),
        text: format!(
            "only {} of heap: Flink recommends 128 mb or more; a larger {} brings it",
            short(explained.size(PoolName::JvmHeap)),
            explained.role.process_key()
        ),
        changes: Vec::new(),
    }
}

/// A remark on a pool whose minimum or maximum has decided its size instead of the configured fraction. A
/// minimum is mentioned only if it takes a fifth of the process or more.
fn limited(explained: &Explained, name: PoolName, rule: &Rule) -> Option<Advice> {
    let Rule::Fraction { setting, of, alone, limit: Some(limit) } = rule else { return None };
    let process = explained.process.0.bytes();
    if limit.raises && limit.size.bytes() < process / 5 {
        return None;
    }
    let (kind, verb) =
        if limit.raises { ("raised-to-minimum", "is raised") } else { ("limited-to-maximum", "is limited") };
    let whole = match of {
        Whole::Flink => explained.flink.0,
        Whole::Process => explained.process.0,
    };
    let part = if limit.raises {
        format!("; that is {} of the process", percent(limit.size.bytes(), process))
    } else {
        String::new()
    };
    Some(Advice {
        kind,
        role: Some(explained.role),
        text: format!(
            "{} {verb} to {} ({}), though {} of {of} {} is {} ({}){part}",
            name.text(),
            short(limit.size),
            limit.setting,
            setting.value,
            short(whole),
            short(*alone),
            setting
        ),
        changes: Vec::new(),
    })
}

/// A remark on managed memory that is probably not used, because only some kinds of jobs use it.
fn unused_managed_memory(conf: &Configuration, workers: &Explained) -> Option<Advice> {
    const ON_HEAP: [&str; 4] = [
        "hashmap",
        "filesystem",
        "jobmanager",
        "org.apache.flink.runtime.state.hashmap.HashMapStateBackendFactory",
    ];
    let managed = workers.size(PoolName::Managed);
    let backend: Opt<String> = Opt::new("state.backend.type", &["state.backend"], None);
    let chosen = Setting::of(conf, &backend);
    let streaming = conf.text("execution.runtime-mode").is_none_or(|m| m.eq_ignore_ascii_case("streaming"));
    let python = conf.iter().any(|(key, _)| key.starts_with("python."));
    let on_heap = ON_HEAP.iter().any(|name| chosen.value.eq_ignore_ascii_case(name));
    (managed > MemorySize::ZERO && on_heap && streaming && !python).then(|| Advice {
        kind: "unused-managed-memory",
        role: Some(Role::TaskManager),
        text: format!(
            "state is on the heap ({}: {}, {}): a streaming DataStream job takes nothing of the {} of managed memory; SQL, \
             batch and Python jobs do",
            chosen.key,
            chosen.value,
            chosen.place(),
            short(managed)
        ),
        changes: Vec::new(),
    })
}

/// Remarks on keys that are set and have no effect.
pub fn without_effect(conf: &Configuration, release: Release, processes: [&Explained; 2]) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |role, setting: &Setting, why: String| {
        let text = format!("{} ({}) has no effect: {why}", setting.key, setting.place());
        found.push(Advice { kind: "no-effect", role, text, changes: Vec::new() });
    };
    for key in CUTOFF {
        if conf.entry(key).is_some() {
            let setting = Setting::of::<String>(conf, &Opt::new(key, &[], None));
            say(
                None,
                &setting,
                "Flink does not read it since 1.11; JVM overhead is what took its place".into(),
            );
        }
    }
    let legacy = release.traits().legacy_memory_keys;
    for explained in processes {
        let keys = explained.role.options();
        let role = Some(explained.role);
        let by = |rule: &Rule, of: Whole| matches!(rule, Rule::Rest { of: whole, .. } if *whole == of);
        let rule = |name| explained.pools.iter().find(|pool| pool.name == name).map(|pool| &pool.rule);
        let overhead_left = rule(PoolName::Overhead).is_some_and(|rule| by(rule, Whole::Process));
        if overhead_left && conf.contains(keys.overhead_fraction) {
            let why = "JVM overhead is what the other sizes leave of the process size".to_owned();
            say(role, &Setting::of(conf, keys.overhead_fraction), why);
        }
        let old = [Setting::of(conf, keys.legacy.0), Setting::of(conf, keys.legacy.1)];
        for setting in old.iter().filter(|s| conf.entry(&s.key).is_some()) {
            let new = keys.process.key;
            let used = matches!(&explained.process.1, Rule::Set(used) if used.key == setting.key);
            match (legacy, used) {
                (false, _) => {
                    say(role, setting, format!("Flink {release} does not read it; {new} is its new name"))
                }
                (true, false) => say(role, setting, format!("{new} wins")),
                (true, true) => {}
            }
        }
        if explained.role == Role::TaskManager {
            let managed_set = Setting::of(conf, &options::TM_MANAGED_SIZE);
            if conf.contains(&options::TM_MANAGED_SIZE) && conf.contains(&options::TM_MANAGED_FRACTION) {
                let why = format!("{} sets the size", managed_set.key);
                say(role, &Setting::of(conf, &options::TM_MANAGED_FRACTION), why);
            }
            let network = rule(PoolName::Network);
            if conf.contains(&options::TM_NETWORK_FRACTION)
                && network.is_some_and(|rule| by(rule, Whole::Flink))
            {
                let why = "network memory is what the other pools leave of Flink's memory".to_owned();
                say(role, &Setting::of(conf, &options::TM_NETWORK_FRACTION), why);
            }
            let buffers = Setting::of(conf, &options::TM_NETWORK_BUFFERS);
            if conf.contains(&options::TM_NETWORK_BUFFERS) && !matches!(network, Some(Rule::Buffers { .. })) {
                let why = if legacy {
                    "other sizes decide on network memory".to_owned()
                } else {
                    format!(
                        "Flink {release} does not read it; taskmanager.memory.network.min and .max are in its place"
                    )
                };
                // If network memory is what the other pools leave, the old key has an effect: Flink checks
                // that its number of buffers has the same size.
                if !legacy || !network.is_some_and(|rule| by(rule, Whole::Flink)) {
                    say(role, &buffers, why);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FileFormat;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(FileFormat::Standard);
        conf.set_dynamic("jobmanager.memory.process.size", "2g");
        conf.set_dynamic("taskmanager.memory.process.size", "2g");
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        conf
    }

    fn advice(release: &str, conf: &Configuration, limits: Option<&YarnLimits>) -> Vec<Advice> {
        let release = release.parse().unwrap();
        let spec = ClusterSpec::from(conf, release).unwrap();
        let jm = Explained::job_manager(conf, release).unwrap();
        let tm = Explained::task_manager(conf, release).unwrap();
        advise(conf, release, &spec, [&jm, &tm], limits)
    }

    fn limits(step: u64) -> YarnLimits {
        YarnLimits { max_memory_mb: 16384, max_vcores: 8, min_memory_mb: Some(step), step_memory_mb: None }
    }

    fn said(pairs: &[(&str, &str)]) -> Vec<String> {
        advice("1.20.5", &conf(pairs), None).into_iter().map(|a| a.text).collect()
    }

    #[test]
    fn one_mb_too_many() {
        let limits = limits(4096);
        let found = advice("1.20.5", &conf(&[("taskmanager.memory.process.size", "4097m")]), Some(&limits));
        let [_, tm] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            tm.text,
            "4097 MiB will be charged as 8192 MiB: 4095 MiB (50%) of each container are lost"
        );
        let changes: Vec<_> = tm.changes.iter().map(|c| (c.value.as_str(), c.effect.as_str())).collect();
        let expected = [("4096m", "saves 4096 MiB a container"), ("8192m", "4095 MiB more at no cost")];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_much_smaller_process_is_no_advice() {
        let found =
            advice("1.20.5", &conf(&[("taskmanager.memory.process.size", "1728m")]), Some(&limits(1024)));
        assert_eq!(found[0].changes.len(), 1, "{found:?}");
        assert_eq!(found[0].changes[0].value, "2048m");
        assert!(advice("1.20.5", &conf(&[]), Some(&limits(1024))).is_empty());
    }

    #[test]
    fn limits_of_fractions() {
        assert_eq!(
            said(&[("taskmanager.memory.process.size", "20g"), ("taskmanager.memory.network.max", "1g")]),
            [
                "network is limited to 1024 mb (taskmanager.memory.network.max, -D), though 0.1 of Flink's memory 19200 mb is \
                 1920.0 mb (taskmanager.memory.network.fraction, default)",
                "JVM overhead is limited to 1024 mb (taskmanager.memory.jvm-overhead.max, default), though 0.1 of the process \
                 size 20480 mb is 2048.0 mb (taskmanager.memory.jvm-overhead.fraction, default)",
            ]
        );
        let small = said(&[("jobmanager.memory.process.size", "600m")]);
        assert!(small[0].starts_with("only 24 mb of heap"), "{small:?}");
        assert!(small[1].ends_with("; that is 32% of the process"), "{small:?}");
    }

    #[test]
    fn managed_memory_without_use() {
        assert!(said(&[]).is_empty());
        assert!(said(&[("state.backend.type", "rocksdb")]).is_empty());
        assert!(said(&[("state.backend.type", "hashmap"), ("execution.runtime-mode", "BATCH")]).is_empty());
        assert!(said(&[("state.backend.type", "hashmap"), ("python.executable", "p")]).is_empty());
        assert!(
            said(&[("state.backend", "hashmap")])[0].contains("nothing of the 634.9 mb of managed memory")
        );
    }

    #[test]
    fn keys_that_are_set_in_vain() {
        let pairs = [
            ("containerized.heap-cutoff-ratio", "0.25"),
            ("taskmanager.heap.size", "1g"),
            ("taskmanager.memory.managed.size", "100m"),
            ("taskmanager.memory.managed.fraction", "0.2"),
        ];
        let found = said(&pairs);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].ends_with("taskmanager.memory.process.size wins"));
        let newer: Vec<_> = advice("2.3.0", &conf(&pairs), None).into_iter().map(|a| a.text).collect();
        assert!(newer[1].contains("Flink 2.3.0 does not read it"), "{newer:?}");
    }

    #[test]
    fn slots_without_vcores() {
        let pairs = [("taskmanager.numberOfTaskSlots", "4"), ("yarn.containers.vcores", "1")];
        let found = advice("1.20.5", &conf(&pairs), None);
        assert!(found[0].text.starts_with("1 vcore for 4 slots"), "{found:?}");
        assert_eq!(
            (found[0].changes[0].key.as_str(), &*found[0].changes[0].value),
            ("yarn.containers.vcores", "4")
        );
        assert!(said(&[("taskmanager.numberOfTaskSlots", "4")]).is_empty());
    }

    proptest! {
        /// Each size that is proposed against rounding is accepted, is charged as it is, and is not charged
        /// higher than before.
        #[test]
        fn proposed_sizes_lose_nothing(mb in 1000u32..9000, step in 1u64..5000, flink in proptest::option::of(700u32..4000)) {
            let mut conf = conf(&[("taskmanager.memory.process.size", &format!("{mb}m"))]);
            if let Some(flink) = flink {
                conf.remove("taskmanager.memory.process.size");
                conf.set_dynamic("taskmanager.memory.flink.size", format!("{flink}m"));
            }
            let release = "1.20.5".parse().unwrap();
            let limits = limits(step);
            let Ok(spec) = ClusterSpec::from(&conf, release) else { return Ok(()) };
            let before = limits.charged_memory_mb(spec.tm_memory_mb());
            let found = advice("1.20.5", &conf, Some(&limits));
            for change in found.iter().filter(|a| a.role == Some(Role::TaskManager)).flat_map(|a| &a.changes) {
                conf.set_dynamic(change.key.clone(), change.value.clone());
                let after = ClusterSpec::from(&conf, release).unwrap().tm_memory_mb();
                prop_assert_eq!(limits.charged_memory_mb(after), after);
                prop_assert!(after <= before);
            }
        }
    }
}

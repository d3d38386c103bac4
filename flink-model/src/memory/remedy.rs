//! Finds changes with which a refused configuration would be accepted. Every change that is proposed has been
//! tried with the memory model.

use std::fmt;

use crate::config::Configuration;
use crate::options::{self, Opt};
use crate::release::Release;
use crate::units::MemorySize;

use super::explain::Setting;
use super::{MemoryError, Role, job_manager};

/// The largest size that is tried, in MiB; 1 PiB.
const LARGEST_MB: u32 = 1 << 30;

/// A change with which the configuration is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A key gets another size.
    Size {
        /// The key.
        key: &'static str,
        /// What the key sets, in words.
        what: &'static str,
        /// The smallest size that is accepted, in MiB.
        least_mb: u32,
        /// The largest size that is accepted, in MiB; `None` if there is no upper bound.
        most_mb: Option<u32>,
        /// The smallest size with which a JobManager has the heap that Flink recommends, in MiB; `None` if
        /// `least_mb` or no size is sufficient, and for a TaskManager.
        roomy_mb: Option<u32>,
    },
    /// Any one of these keys is left out.
    LeaveOut(Vec<Setting>),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { key, what, least_mb, most_mb, roomy_mb } => {
                write!(f, "the smallest {what} that fits is {least_mb}m")?;
                if let Some(most_mb) = most_mb {
                    write!(f, ", the largest {most_mb}m")?;
                }
                if let Some(roomy_mb) = roomy_mb {
                    write!(f, "; {roomy_mb}m gives it the 128 mb of heap that Flink recommends")?;
                }
                write!(f, " ({key})")
            }
            Self::LeaveOut(settings) => {
                let list: Vec<_> = settings.iter().map(|s| format!("{} ({})", s.key, s.place())).collect();
                write!(f, "or leave out {}", list.join(" or "))
            }
        }
    }
}

/// The changes with which `release` would accept a configuration that it refuses for `role`. There are none
/// if it accepts the configuration, or if it refuses the configuration for another reason than its sizes.
pub fn remedies(conf: &Configuration, release: Release, role: Role) -> Vec<Remedy> {
    match role.check(conf, release) {
        Ok(()) => return Vec::new(),
        Err(
            MemoryError::Value(_)
            | MemoryError::Negative { .. }
            | MemoryError::SegmentSize(_)
            | MemoryError::Overflow { .. },
        ) => return Vec::new(),
        Err(_) => {}
    }
    let keys = role.options();
    let process = size(conf, release, role, keys.process, "process size");
    // Another size of Flink's memory is proposed only to users who have set one.
    let flink = || {
        let set = conf.contains(keys.flink);
        set.then(|| size(conf, release, role, keys.flink, "Flink memory size")).flatten()
    };
    let mut found: Vec<Remedy> = process.or_else(flink).into_iter().collect();
    let superfluous = superfluous(conf, release, role);
    if !superfluous.is_empty() {
        found.push(Remedy::LeaveOut(superfluous));
    }
    found
}

/// The sizes under the key of `option` with which the configuration is accepted.
fn size(
    conf: &Configuration,
    release: Release,
    role: Role,
    option: &'static Opt<MemorySize>,
    what: &'static str,
) -> Option<Remedy> {
    let mut tried = conf.clone();
    let mut answer = |mb: u32| {
        tried.set_dynamic(option.key, format!("{mb}m"));
        role.check(&tried, release)
    };
    let by_process = option.key == role.options().process.key;
    // Against these errors, a larger size always helps. So the smallest sufficient size can be found by
    // bisection.
    let least_mb = first(1, LARGEST_MB, |mb| !is_too_small(&answer(mb), by_process))?;
    answer(least_mb).ok()?;
    let most_mb = match answer(LARGEST_MB) {
        Ok(()) => None,
        Err(_) => first(least_mb, LARGEST_MB, |mb| answer(mb).is_err()).map(|mb| mb - 1),
    };
    let roomy_mb = (role == Role::JobManager)
        .then(|| {
            first(least_mb, most_mb.unwrap_or(LARGEST_MB), |mb| {
                tried.set_dynamic(option.key, format!("{mb}m"));
                job_manager(&tried, release).is_ok_and(|memory| !memory.is_tight())
            })
        })
        .flatten()
        .filter(|roomy_mb| *roomy_mb > least_mb);
    Some(Remedy::Size { key: option.key, what, least_mb, most_mb, roomy_mb })
}

/// Whether a configuration is refused because the size that is tried is too small. `by_process` says whether
/// that is the process size or else Flink's memory.
fn is_too_small(answer: &Result<(), MemoryError>, by_process: bool) -> bool {
    match answer {
        Err(MemoryError::ProcessTooSmall { .. }) => true,
        Err(MemoryError::FlinkExceedsProcess { .. }) => by_process,
        Err(MemoryError::OverheadOutOfRange { overhead, min, .. }) => (overhead < min) == by_process,
        Err(
            MemoryError::HeapExceedsFlink { .. }
            | MemoryError::OffHeapExceedsFlink { .. }
            | MemoryError::PoolsExceedFlink { .. },
        ) => true,
        Err(MemoryError::HeapMismatch { heap, off_heap, flink }) => {
            heap.plus(*off_heap).is_none_or(|sum| sum > *flink)
        }
        Err(MemoryError::NetworkOutOfRange { network, min, .. }) => network < min,
        Err(MemoryError::NetworkMismatch { network, configured }) => network < configured,
        _ => false,
    }
}

/// The first number from `low` to `high` for which `holds` is true. If it is true for a number, it must be
/// true for all larger ones.
fn first(mut low: u32, mut high: u32, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
    if !holds(high) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}

/// The keys of which each one can be left out alone to make the configuration valid.
fn superfluous(conf: &Configuration, release: Release, role: Role) -> Vec<Setting> {
    let keys = role.options();
    let mut candidates: Vec<&Opt<MemorySize>> = vec![keys.flink, keys.process];
    candidates.extend(keys.fine_grained);
    candidates.extend(match role {
        Role::JobManager => &[&options::JM_OFF_HEAP_SIZE][..],
        Role::TaskManager => &[
            &options::TM_TASK_OFF_HEAP,
            &options::TM_FRAMEWORK_HEAP,
            &options::TM_FRAMEWORK_OFF_HEAP,
            &options::TM_NETWORK_MIN,
            &options::TM_NETWORK_MAX,
        ],
    });
    candidates.extend([keys.overhead_min, keys.overhead_max, keys.metaspace]);
    let is_superfluous = |option: &&Opt<MemorySize>| {
        let mut without = conf.clone();
        let set =
            std::iter::once(&option.key).chain(option.deprecated).filter(|k| without.remove(k).is_some());
        set.count() > 0 && role.check(&without, release).is_ok()
    };
    candidates.into_iter().filter(is_superfluous).map(|option| Setting::of(conf, option)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FileFormat;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        conf
    }

    fn said(role: Role, pairs: &[(&str, &str)]) -> Vec<String> {
        let found = remedies(&conf(pairs), "1.20.5".parse().unwrap(), role);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_smallest_process() {
        assert_eq!(
            said(Role::JobManager, &[("jobmanager.memory.process.size", "400m")]),
            [
                "the smallest process size that fits is 577m; 704m gives it the 128 mb of heap that Flink recommends (jobmanager.memory.process.size)"
            ]
        );
        let heap = ("taskmanager.memory.framework.heap.size", "1g");
        assert_eq!(
            said(Role::TaskManager, &[("taskmanager.memory.process.size", "1g"), heap]),
            [
                "the smallest process size that fits is 2845m (taskmanager.memory.process.size)",
                "or leave out taskmanager.memory.framework.heap.size (-D)"
            ]
        );
        assert_eq!(
            said(Role::JobManager, &[]),
            [
                "the smallest process size that fits is 577m; 704m gives it the 128 mb of heap that Flink recommends (jobmanager.memory.process.size)"
            ]
        );
    }

    #[test]
    fn two_sizes_that_exclude_each_other() {
        let (flink, process) = ("jobmanager.memory.flink.size", "jobmanager.memory.process.size");
        assert_eq!(
            said(Role::JobManager, &[(flink, "2g"), (process, "1g")]),
            [
                "the smallest process size that fits is 2496m, the largest 3328m (jobmanager.memory.process.size)",
                "or leave out jobmanager.memory.flink.size (-D) or jobmanager.memory.process.size (-D)"
            ]
        );
        assert_eq!(
            said(Role::TaskManager, &[("taskmanager.memory.flink.size", "300m")]),
            ["the smallest Flink memory size that fits is 534m (taskmanager.memory.flink.size)"]
        );
    }

    #[test]
    fn nothing_helps_against_nonsense() {
        let nonsense = [("jobmanager.memory.process.size", "lots")];
        assert!(said(Role::JobManager, &nonsense).is_empty());
        assert!(said(Role::JobManager, &[("jobmanager.memory.process.size", "1g")]).is_empty());
        let range = [
            ("jobmanager.memory.process.size", "1g"),
            ("jobmanager.memory.jvm-overhead.min", "2g"),
            ("jobmanager.memory.jvm-overhead.max", "1g"),
        ];
        assert_eq!(said(Role::JobManager, &range), ["or leave out jobmanager.memory.jvm-overhead.min (-D)"]);
    }

    fn keys(role: Role) -> &'static [&'static str] {
        match role {
            Role::JobManager => &[
                "jobmanager.memory.process.size",
                "jobmanager.memory.flink.size",
                "jobmanager.memory.heap.size",
                "jobmanager.memory.off-heap.size",
                "jobmanager.memory.jvm-overhead.min",
                "jobmanager.memory.jvm-overhead.max",
                "jobmanager.memory.jvm-metaspace.size",
                "jobmanager.heap.size",
            ],
            Role::TaskManager => &[
                "taskmanager.memory.process.size",
                "taskmanager.memory.flink.size",
                "taskmanager.memory.task.heap.size",
                "taskmanager.memory.managed.size",
                "taskmanager.memory.network.min",
                "taskmanager.memory.network.max",
                "taskmanager.memory.framework.heap.size",
                "taskmanager.memory.jvm-overhead.min",
            ],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// A proposed size is accepted; one MiB less, or one more than the largest, is not.
        #[test]
        fn remedies_have_been_tried(
            release in prop::sample::select(vec!["1.13.6", "1.20.5", "2.3.0"]),
            role in prop::sample::select(vec![Role::JobManager, Role::TaskManager]),
            values in prop::collection::btree_map(0usize..8, 1u32..3000, 0..5),
            fractions in (0u32..1000, 0u32..1000, 0u32..1000),
        ) {
            let release = release.parse().unwrap();
            let mut given = conf(&[]);
            for (index, value) in values {
                given.set_dynamic(keys(role)[index], format!("{value}m"));
            }
            let (managed, network, overhead) = fractions;
            given.set_dynamic("taskmanager.memory.managed.fraction", format!("0.{managed:03}"));
            given.set_dynamic("taskmanager.memory.network.fraction", format!("0.{network:03}"));
            given.set_dynamic(format!("{}.jvm-overhead.fraction", role.prefix()), format!("0.{overhead:03}"));
            let accepts = |conf: &Configuration| role.check(conf, release).is_ok();
            let found = remedies(&given, release, role);
            prop_assert!(found.is_empty() || !accepts(&given));
            for remedy in found {
                match remedy {
                    Remedy::Size { key, least_mb, most_mb, .. } => {
                        let with = |mb: u32| {
                            let mut conf = given.clone();
                            conf.set_dynamic(key, format!("{mb}m"));
                            accepts(&conf)
                        };
                        prop_assert!(with(least_mb) && !with(least_mb - 1), "{key} {least_mb} {given:?}");
                        if let Some(most_mb) = most_mb {
                            prop_assert!(with(most_mb) && !with(most_mb + 1), "{key} {most_mb} {given:?}");
                        }
                    }
                    Remedy::LeaveOut(settings) => for setting in settings {
                        let mut conf = given.clone();
                        conf.remove(&setting.key);
                        prop_assert!(accepts(&conf));
                    }
                }
            }
        }
    }
}

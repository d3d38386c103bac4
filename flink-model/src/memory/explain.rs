//! Explains the sizes that [`super::job_manager`] and [`super::task_manager`] have computed: for each pool,
//! the rule and the configuration keys from which its size follows.

use std::fmt;

use crate::config::{Configuration, Origin};
use crate::options::{self, Opt};
use crate::release::Release;
use crate::units::MemorySize;

use super::pools::{JvmLimit, PoolName, short};
use super::process::{Basis, ProcessOptions, Range, overhead_range, sum};
use super::task_manager::{buffers_size, network_buffers, network_range};
use super::{JobManagerMemory, MemoryError, Role, TaskManagerMemory, job_manager, legacy, task_manager};

/// A configuration key that has decided a size, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name under which the value is set, which may be an older name of the key.
    pub key: String,
    /// The present name of the key, if `key` is an older one.
    pub renamed: Option<&'static str>,
    /// The value as it was written.
    pub value: String,
    /// Where the value comes from.
    pub origin: Origin,
}

impl Setting {
    /// The value of `option` in `conf`, or its default.
    pub fn of<T>(conf: &Configuration, option: &Opt<T>) -> Self {
        match conf.find(option) {
            Some((key, entry)) => Self {
                key: key.to_owned(),
                renamed: (key != option.key).then_some(option.key),
                value: entry.value.text(),
                origin: entry.origin.clone(),
            },
            None => Self::default(option.key, option.default.unwrap_or_default()),
        }
    }

    fn default(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), renamed: None, value: value.to_owned(), origin: Origin::Default }
    }

    /// Where the value comes from, in few words.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::Flag(flag) => flag.clone(),
            Origin::Environment(name) => name.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.key, self.place())
    }
}

/// One of the two sizes of which others are a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Flink's memory.
    Flink,
    /// The process size.
    Process,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flink => "Flink's memory",
            Self::Process => "the process size",
        })
    }
}

/// The minimum or maximum that has decided a size instead of a fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Whether this is a minimum, which has raised the size.
    pub raises: bool,
    /// The minimum or maximum itself.
    pub size: MemorySize,
    /// The key of the minimum or maximum.
    pub setting: Setting,
}

/// The rule from which the size of a pool follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A key sets the size, or the key's default does.
    Set(Setting),
    /// The size is a fraction of a larger size.
    Fraction {
        /// The key of the fraction.
        setting: Setting,
        /// The larger size.
        of: Whole,
        /// The size that the fraction gives, without minimum and maximum.
        alone: MemorySize,
        /// The minimum or maximum that has replaced that size.
        limit: Option<Limit>,
    },
    /// The size is what the other parts leave of a larger size.
    Rest {
        /// Which larger size it is.
        of: Whole,
        /// The larger size.
        whole: MemorySize,
    },
    /// The size is that of a number of network buffers, which can be set up to 1.20.
    Buffers {
        /// The key of the number of buffers.
        count: Setting,
        /// The key of the size of a buffer.
        segment: Setting,
    },
    /// The size is the sum of its parts.
    Sum,
    /// The size is the process size without metaspace and JVM overhead.
    Inside,
}

impl Rule {
    /// The keys that have decided the size.
    pub fn settings(&self) -> Vec<&Setting> {
        match self {
            Self::Set(setting) => vec![setting],
            Self::Fraction { setting, limit, .. } => {
                std::iter::once(setting).chain(limit.iter().map(|l| &l.setting)).collect()
            }
            Self::Buffers { count, segment } => vec![count, segment],
            Self::Rest { .. } | Self::Sum | Self::Inside => Vec::new(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(setting) if setting.origin == Origin::Default => {
                write!(f, "default of {}", setting.key)
            }
            Self::Set(setting) => {
                write!(f, "set by {} ({})", setting.key, setting.place())?;
                setting.renamed.map_or(Ok(()), |new| write!(f, ", the old name of {new}"))
            }
            Self::Fraction { setting, of, alone, limit } => {
                write!(f, "fraction {} of {of} ({setting})", setting.value)?;
                let Some(limit) = limit else { return Ok(()) };
                let verb = if limit.raises { "raised to the minimum" } else { "limited to the maximum" };
                let alone = short(*alone);
                write!(f, " is {alone}, {verb} {} ({})", short(limit.size), limit.setting)
            }
            Self::Rest { of, whole } => write!(f, "what is left of {of} {}", short(*whole)),
            Self::Buffers { count, segment } => {
                write!(f, "{} buffers ({count}) of {} ({segment})", count.value, segment.value)
            }
            Self::Sum => f.write_str("sum of the pools"),
            Self::Inside => f.write_str("the process size without metaspace and JVM overhead"),
        }
    }
}

/// A pool with the rule for its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedPool {
    /// The name of the pool.
    pub name: PoolName,
    /// The size of the pool.
    pub size: MemorySize,
    /// The rule from which the size follows.
    pub rule: Rule,
    /// The limit of the JVM to which the pool belongs.
    pub limit: JvmLimit,
}

/// The memory of a process, with the rule for each size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The process.
    pub role: Role,
    /// The pools: first the heap, then what the JVM counts as direct memory, then Flink's other native
    /// memory, and then the JVM's own memory.
    pub pools: Vec<ExplainedPool>,
    /// The size of Flink's memory, and its rule.
    pub flink: (MemorySize, Rule),
    /// The process size, and its rule.
    pub process: (MemorySize, Rule),
    /// The memory options of the JVM, in Flink's order.
    pub jvm_args: Vec<String>,
    /// The sizes as configuration keys, as Flink passes them to the process.
    pub properties: Vec<(String, String)>,
}

impl Explained {
    /// The size of a pool; 0 if the process does not have this pool.
    pub fn size(&self, name: PoolName) -> MemorySize {
        self.pools.iter().find(|pool| pool.name == name).map_or(MemorySize::ZERO, |pool| pool.size)
    }

    /// Explains a JobManager's memory. It fails if Flink would refuse the configuration.
    pub fn job_manager(conf: &Configuration, release: Release) -> Result<Self, MemoryError> {
        let memory = job_manager(conf, release)?;
        let around = Around::of(conf, release, &job_manager::OPTIONS, memory.flink(), memory.process())?;
        let JobManagerMemory { heap, off_heap, metaspace, overhead, direct_limit } = memory;
        let rest = Rule::Rest { of: Whole::Flink, whole: memory.flink() };
        let set = |option| Rule::Set(Setting::of(conf, option));
        let (heap_rule, off_heap_rule) = match around.basis {
            Basis::FineGrained if conf.contains(&options::JM_OFF_HEAP_SIZE) => {
                (set(&options::JM_HEAP_SIZE), set(&options::JM_OFF_HEAP_SIZE))
            }
            Basis::FineGrained if conf.contains(&options::JM_FLINK_SIZE) => {
                (set(&options::JM_HEAP_SIZE), rest)
            }
            Basis::FineGrained => (set(&options::JM_HEAP_SIZE), set(&options::JM_OFF_HEAP_SIZE)),
            Basis::Flink | Basis::Process => (rest, set(&options::JM_OFF_HEAP_SIZE)),
        };
        let direct = if direct_limit { JvmLimit::Direct } else { JvmLimit::Nothing };
        let pool = |name, size, rule, limit| ExplainedPool { name, size, rule, limit };
        Ok(Self {
            role: Role::JobManager,
            pools: vec![
                pool(PoolName::JvmHeap, heap, heap_rule, JvmLimit::Heap),
                pool(PoolName::OffHeap, off_heap, off_heap_rule, direct),
                pool(PoolName::Metaspace, metaspace, set(&options::JM_METASPACE), JvmLimit::Metaspace),
                pool(PoolName::Overhead, overhead, around.overhead, JvmLimit::Nothing),
            ],
            flink: (memory.flink(), around.flink),
            process: (memory.process(), around.process),
            jvm_args: memory.jvm_args(),
            properties: memory.dynamic_properties(),
        })
    }

    /// Explains a TaskManager's memory. It fails if Flink would refuse the configuration.
    pub fn task_manager(conf: &Configuration, release: Release) -> Result<Self, MemoryError> {
        let memory = task_manager(conf, release)?;
        let around = Around::of(conf, release, &task_manager::OPTIONS, memory.flink(), memory.process())?;
        let set = |option| Rule::Set(Setting::of(conf, option));
        let rest = || Rule::Rest { of: Whole::Flink, whole: memory.flink() };
        let task_heap =
            if conf.contains(&options::TM_TASK_HEAP) { set(&options::TM_TASK_HEAP) } else { rest() };
        let managed = if conf.contains(&options::TM_MANAGED_SIZE) {
            set(&options::TM_MANAGED_SIZE)
        } else {
            let limits = (MemorySize::ZERO, MemorySize::MAX);
            let range = Range::new(conf, Role::TaskManager, limits, &options::TM_MANAGED_FRACTION)?;
            Rule::Fraction {
                setting: Setting::of(conf, &options::TM_MANAGED_FRACTION),
                of: Whole::Flink,
                alone: range.unlimited(memory.flink())?,
                limit: None,
            }
        };
        let pool = |name, size, rule, limit| ExplainedPool { name, size, rule, limit };
        let TaskManagerMemory { framework_heap, framework_off_heap, task_off_heap, .. } = memory;
        Ok(Self {
            role: Role::TaskManager,
            pools: vec![
                pool(
                    PoolName::FrameworkHeap,
                    framework_heap,
                    set(&options::TM_FRAMEWORK_HEAP),
                    JvmLimit::Heap,
                ),
                pool(PoolName::TaskHeap, memory.task_heap, task_heap, JvmLimit::Heap),
                pool(
                    PoolName::FrameworkOffHeap,
                    framework_off_heap,
                    set(&options::TM_FRAMEWORK_OFF_HEAP),
                    JvmLimit::Direct,
                ),
                pool(PoolName::TaskOffHeap, task_off_heap, set(&options::TM_TASK_OFF_HEAP), JvmLimit::Direct),
                pool(
                    PoolName::Network,
                    memory.network,
                    network(conf, release, around.basis, &memory)?,
                    JvmLimit::Direct,
                ),
                pool(PoolName::Managed, memory.managed, managed, JvmLimit::Nothing),
                pool(PoolName::Metaspace, memory.metaspace, set(&options::TM_METASPACE), JvmLimit::Metaspace),
                pool(PoolName::Overhead, memory.overhead, around.overhead, JvmLimit::Nothing),
            ],
            flink: (memory.flink(), around.flink),
            process: (memory.process(), around.process),
            jvm_args: memory.jvm_args(),
            properties: memory.dynamic_properties(),
        })
    }
}

fn network(
    conf: &Configuration,
    release: Release,
    basis: Basis,
    memory: &TaskManagerMemory,
) -> Result<Rule, MemoryError> {
    let by_others = match basis {
        Basis::FineGrained => conf.contains(&options::TM_FLINK_SIZE),
        Basis::Flink | Basis::Process => conf.contains(&options::TM_TASK_HEAP),
    };
    if by_others {
        return Ok(Rule::Rest { of: Whole::Flink, whole: memory.flink() });
    }
    if let Some(option) = network_buffers(conf, release.traits()) {
        buffers_size(conf, option)?;
        let segment = Setting::of(conf, &options::TM_SEGMENT_SIZE);
        return Ok(Rule::Buffers { count: Setting::of(conf, option), segment });
    }
    let range = network_range(conf, release.traits())?;
    let alone = if basis == Basis::FineGrained {
        range.unlimited_beside(memory.flink().minus(memory.network).unwrap_or_default())?
    } else {
        range.unlimited(memory.flink())?
    };
    let mut max = Setting::of(conf, &options::TM_NETWORK_MAX);
    if max.value.is_empty() {
        max.value = format!("{}b", range.max.bytes());
    }
    let limits = (Setting::of(conf, &options::TM_NETWORK_MIN), max);
    Ok(fraction(conf, &options::TM_NETWORK_FRACTION, Whole::Flink, &range, alone, limits))
}

fn fraction(
    conf: &Configuration,
    option: &Opt<f32>,
    of: Whole,
    range: &Range,
    alone: MemorySize,
    (min, max): (Setting, Setting),
) -> Rule {
    let limit = if alone > range.max {
        Some(Limit { raises: false, size: range.max, setting: max })
    } else {
        (alone < range.min).then_some(Limit { raises: true, size: range.min, setting: min })
    };
    Rule::Fraction { setting: Setting::of(conf, option), of, alone, limit }
}

/// The rules for the sizes that both processes have.
struct Around {
    basis: Basis,
    flink: Rule,
    process: Rule,
    overhead: Rule,
}

impl Around {
    fn of(
        original: &Configuration,
        release: Release,
        keys: &ProcessOptions,
        flink: MemorySize,
        process: MemorySize,
    ) -> Result<Self, MemoryError> {
        let conf = &legacy::with_process_size(original, release, keys)?;
        let basis = Basis::of(conf, keys).unwrap_or(Basis::Process);
        let process_set = conf.contains(keys.process);
        let range = overhead_range(conf, keys)?;
        let alone = match basis {
            Basis::Process => Some(range.unlimited(process)?),
            _ if process_set => None,
            _ => {
                let metaspace = conf.require(keys.metaspace)?;
                Some(range.unlimited_beside(sum(keys.role, &[flink, metaspace])?)?)
            }
        };
        let limits = (Setting::of(conf, keys.overhead_min), Setting::of(conf, keys.overhead_max));
        let overhead = match alone {
            Some(alone) => fraction(conf, keys.overhead_fraction, Whole::Process, &range, alone, limits),
            None => Rule::Rest { of: Whole::Process, whole: process },
        };
        let flink = match basis {
            Basis::Process => Rule::Inside,
            _ if conf.contains(keys.flink) => Rule::Set(Setting::of(conf, keys.flink)),
            _ => Rule::Sum,
        };
        let process = if process_set { Rule::Set(process_setting(original, keys)) } else { Rule::Sum };
        Ok(Self { basis, flink, process, overhead })
    }
}

/// The key that sets the process size, which may be one of its old names.
fn process_setting(original: &Configuration, keys: &ProcessOptions) -> Setting {
    let old = |mut setting: Setting| {
        setting.renamed = Some(keys.process.key);
        setting
    };
    let (heap, heap_mb) = keys.legacy;
    if original.contains(keys.process) {
        Setting::of(original, keys.process)
    } else if original.contains(heap) {
        old(Setting::of(original, heap))
    } else {
        old(Setting::of(original, heap_mb))
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;

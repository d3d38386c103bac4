//! Where the size of each pool comes from. Explains what [`super::job_manager`] and [`super::task_manager`]
//! have decided.

use std::fmt;

use crate::config::{Configuration, Origin};
use crate::options::{self, Opt};
use crate::release::Release;
use crate::units::MemorySize;

use super::pools::{JvmLimit, PoolName, short};
use super::process::{Basis, ProcessOptions, Range, overhead_range, sum};
use super::task_manager::{buffers_size, network_buffers, network_range};
use super::{JobManagerMemory, MemoryError, Role, TaskManagerMemory, job_manager, legacy, task_manager};

/// A configuration key that decides, with where its value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Under which name the value stands; an older one perhaps.
    pub key: String,
    /// Today's name, if that is another.
    pub renamed: Option<&'static str>,
    /// The value as written.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

impl Setting {
    /// What `option` says in `conf`, its default included.
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

    /// Where the value stands, in as few words as possible.
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

/// One of the two sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Flink's memory.
    Flink,
    /// The process.
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

/// The minimum or maximum that applied instead of a fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// It is a minimum, not a maximum.
    pub raises: bool,
    /// The limit itself.
    pub size: MemorySize,
    /// The key that sets it.
    pub setting: Setting,
}

/// Why a pool is as large as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A key says so, or its default.
    Set(Setting),
    /// A fraction of a sum.
    Fraction {
        /// The fraction.
        setting: Setting,
        /// Of what.
        of: Whole,
        /// What the fraction alone would be.
        alone: MemorySize,
        /// The limit that was applied.
        limit: Option<Limit>,
    },
    /// What the other parts of a sum leave.
    Rest {
        /// The sum.
        of: Whole,
        /// Its size.
        whole: MemorySize,
    },
    /// A number of network buffers (to 1.20).
    Buffers {
        /// How many.
        count: Setting,
        /// How large each is.
        segment: Setting,
    },
    /// The parts, added up.
    Sum,
    /// The process without metaspace and overhead.
    Inside,
}

impl Rule {
    /// The keys that decide.
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

/// A pool with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedPool {
    /// Which one.
    pub name: PoolName,
    /// Its size.
    pub size: MemorySize,
    /// Why.
    pub rule: Rule,
    /// What it becomes on the JVM's command line.
    pub limit: JvmLimit,
}

/// A process' memory with reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which process.
    pub role: Role,
    /// The pools: heap, what the JVM counts as direct, other native memory of Flink's, the JVM's own.
    pub pools: Vec<ExplainedPool>,
    /// Flink's memory.
    pub flink: (MemorySize, Rule),
    /// The process.
    pub process: (MemorySize, Rule),
    /// Memory options of the JVM, in Flink's order.
    pub jvm_args: Vec<String>,
    /// The sizes as Flink hands them to the process.
    pub properties: Vec<(String, String)>,
}

impl Explained {
    /// A pool's size; zero for a pool that this process does not have.
    pub fn size(&self, name: PoolName) -> MemorySize {
        self.pools.iter().find(|pool| pool.name == name).map_or(MemorySize::ZERO, |pool| pool.size)
    }

    /// A JobManager's memory.
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

    /// A TaskManager's memory.
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

/// What is the same for both processes.
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

/// The key that sets the process size, an old one perhaps.
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

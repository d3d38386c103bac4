//! Computes what JobManager and TaskManager have in common: metaspace, JVM overhead and the process size, as
//! Flink's `ProcessMemoryUtils` does.

use crate::config::Configuration;
use crate::options::Opt;
use crate::release::Traits;
use crate::units::MemorySize;

use super::{MemoryError, Role};

/// The keys of one process.
pub(crate) struct ProcessOptions {
    pub(crate) role: Role,
    pub(crate) fine_grained: &'static [&'static Opt<MemorySize>],
    pub(crate) flink: &'static Opt<MemorySize>,
    pub(crate) process: &'static Opt<MemorySize>,
    pub(crate) metaspace: &'static Opt<MemorySize>,
    pub(crate) overhead_min: &'static Opt<MemorySize>,
    pub(crate) overhead_max: &'static Opt<MemorySize>,
    pub(crate) overhead_fraction: &'static Opt<f32>,
    /// The old names of the process size, which releases up to 1.20 read: one takes a size, the other one a
    /// number of MiB.
    pub(crate) legacy: (&'static Opt<MemorySize>, &'static Opt<i32>),
}

/// The part of a process's memory that is not Flink's, but the JVM's own.
pub(super) struct JvmMemory {
    pub(super) metaspace: MemorySize,
    pub(super) overhead: MemorySize,
}

/// Divides Flink's memory into pools.
pub(super) trait Division: Sized {
    /// Divides by the fine-grained sizes, all of which must be set.
    fn from_fine_grained(conf: &Configuration, traits: &Traits) -> Result<Self, MemoryError>;
    /// Divides memory of the size `flink`.
    fn from_flink(conf: &Configuration, traits: &Traits, flink: MemorySize) -> Result<Self, MemoryError>;
    /// The sum of the pools.
    fn flink(&self) -> Result<MemorySize, MemoryError>;
}

/// The configured sizes from which all others are derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// All fine-grained sizes.
    FineGrained,
    /// The size of Flink's memory.
    Flink,
    /// The process size.
    Process,
}

impl Basis {
    /// `None` if too few sizes are set.
    pub(super) fn of(conf: &Configuration, options: &ProcessOptions) -> Option<Self> {
        if options.fine_grained.iter().all(|option| conf.contains(option)) {
            Some(Self::FineGrained)
        } else if conf.contains(options.flink) {
            Some(Self::Flink)
        } else {
            conf.contains(options.process).then_some(Self::Process)
        }
    }
}

/// A fraction with a minimum and a maximum.
pub(super) struct Range {
    pub(super) role: Role,
    pub(super) min: MemorySize,
    pub(super) max: MemorySize,
    fraction: f64,
}

impl Range {
    pub(super) fn new(
        conf: &Configuration,
        role: Role,
        (min, max): (MemorySize, MemorySize),
        fraction: &Opt<f32>,
    ) -> Result<Self, MemoryError> {
        // Flink reads the fraction as a float and computes with doubles. The results must be the same.
        let value = f64::from(conf.require(fraction)?);
        let inconsistent = |why| MemoryError::InconsistentRange {
            fraction_key: fraction.key,
            fraction: value.to_string(),
            min,
            max,
            why,
        };
        if min > max {
            return Err(inconsistent("the minimum is above the maximum"));
        }
        if !(0.0..1.0).contains(&value) {
            return Err(inconsistent("the fraction must be at least 0 and below 1"));
        }
        Ok(Self { role, min, max, fraction: value })
    }

    /// The fraction of `whole`, within minimum and maximum.
    pub(super) fn of(&self, whole: MemorySize) -> Result<MemorySize, MemoryError> {
        self.unlimited(whole).map(|size| self.limit(size))
    }

    /// A size that is the fraction of the sum of itself and `rest`, within minimum and maximum:
    /// `rest * fraction / (1 - fraction)`.
    pub(super) fn beside(&self, rest: MemorySize) -> Result<MemorySize, MemoryError> {
        self.unlimited_beside(rest).map(|size| self.limit(size))
    }

    /// The fraction of `whole`, without minimum and maximum.
    pub(super) fn unlimited(&self, whole: MemorySize) -> Result<MemorySize, MemoryError> {
        whole.times(self.fraction).ok_or(MemoryError::Overflow { role: self.role })
    }

    /// The same as [`beside`](Self::beside), without minimum and maximum.
    pub(super) fn unlimited_beside(&self, rest: MemorySize) -> Result<MemorySize, MemoryError> {
        let factor = self.fraction / (1.0 - self.fraction);
        rest.times(factor).ok_or(MemoryError::Overflow { role: self.role })
    }

    fn limit(&self, size: MemorySize) -> MemorySize {
        if size > self.max { self.max } else { size.max(self.min) }
    }

    pub(super) fn contains(&self, size: MemorySize) -> bool {
        (self.min..=self.max).contains(&size)
    }
}

/// Adds up the sizes. It fails if the sum is 2^63 bytes or more.
pub(super) fn sum(role: Role, sizes: &[MemorySize]) -> Result<MemorySize, MemoryError> {
    let add = |total: MemorySize, size: &MemorySize| total.plus(*size);
    sizes.iter().try_fold(MemorySize::ZERO, add).ok_or(MemoryError::Overflow { role })
}

/// Derives all sizes from those that are set: from all fine-grained ones, or else from Flink's memory, or
/// else from the process size.
pub(super) fn derive<D: Division>(
    conf: &Configuration,
    traits: &Traits,
    options: &ProcessOptions,
) -> Result<(D, JvmMemory), MemoryError> {
    let role = options.role;
    match Basis::of(conf, options) {
        Some(Basis::FineGrained) => {
            let division = D::from_fine_grained(conf, traits)?;
            let jvm = around_flink(conf, options, division.flink()?)?;
            Ok((division, jvm))
        }
        Some(Basis::Flink) => {
            let flink = conf.require(options.flink)?;
            let division = D::from_flink(conf, traits, flink)?;
            Ok((division, around_flink(conf, options, flink)?))
        }
        Some(Basis::Process) => {
            let process = conf.require(options.process)?;
            let metaspace = conf.require(options.metaspace)?;
            let overhead = overhead_range(conf, options)?.of(process)?;
            let outside = sum(role, &[metaspace, overhead])?;
            let too_small = MemoryError::ProcessTooSmall { role, process, metaspace, overhead };
            let flink = process.minus(outside).ok_or(too_small)?;
            Ok((D::from_flink(conf, traits, flink)?, JvmMemory { metaspace, overhead }))
        }
        None => {
            let fine_grained: Vec<_> = options.fine_grained.iter().map(|option| option.key).collect();
            Err(MemoryError::NotConfigured {
                role,
                process: options.process.key,
                flink: options.flink.key,
                fine_grained: fine_grained.join(" and "),
            })
        }
    }
}

pub(super) fn overhead_range(conf: &Configuration, options: &ProcessOptions) -> Result<Range, MemoryError> {
    let limits = (conf.require(options.overhead_min)?, conf.require(options.overhead_max)?);
    Range::new(conf, options.role, limits, options.overhead_fraction)
}

/// Metaspace and JVM overhead for a known size of Flink's memory. If the process size is set, too, the
/// overhead is what is left of it. Otherwise the overhead follows from its fraction.
fn around_flink(
    conf: &Configuration,
    options: &ProcessOptions,
    flink: MemorySize,
) -> Result<JvmMemory, MemoryError> {
    let role = options.role;
    let metaspace = conf.require(options.metaspace)?;
    let inner = sum(role, &[flink, metaspace])?;
    let overhead = if conf.contains(options.process) {
        let process = conf.require(options.process)?;
        let overhead = process.minus(inner).ok_or(MemoryError::FlinkExceedsProcess {
            role,
            process,
            flink,
            metaspace,
        })?;
        let range = overhead_range(conf, options)?;
        if !range.contains(overhead) {
            let (min, max) = (range.min, range.max);
            return Err(MemoryError::OverheadOutOfRange {
                role,
                process,
                flink,
                metaspace,
                overhead,
                min,
                max,
            });
        }
        overhead
    } else {
        overhead_range(conf, options)?.beside(inner)?
    };
    sum(role, &[inner, overhead])?;
    Ok(JvmMemory { metaspace, overhead })
}

/// The memory options of the JVM, in Flink's order.
pub(super) fn jvm_args(heap: MemorySize, direct: Option<MemorySize>, metaspace: MemorySize) -> Vec<String> {
    let mut args = vec![format!("-Xmx{}", heap.bytes()), format!("-Xms{}", heap.bytes())];
    args.extend(direct.map(|direct| format!("-XX:MaxDirectMemorySize={}", direct.bytes())));
    args.push(format!("-XX:MaxMetaspaceSize={}", metaspace.bytes()));
    args
}

/// A size as Flink writes it into a dynamic property.
pub(super) fn property(key: &str, size: MemorySize) -> (String, String) {
    (key.to_owned(), format!("{}b", size.bytes()))
}

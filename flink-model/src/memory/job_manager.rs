//! Divides a JobManager's memory, as Flink's `JobManagerFlinkMemoryUtils` does.

use crate::config::Configuration;
use crate::options;
use crate::release::{Release, Traits};
use crate::units::MemorySize;

use super::process::{Division, JvmMemory, ProcessOptions, derive, jvm_args, property, sum};
use super::{MemoryError, Role, legacy};

const ROLE: Role = Role::JobManager;

pub(super) const OPTIONS: ProcessOptions = ProcessOptions {
    role: ROLE,
    fine_grained: &[&options::JM_HEAP_SIZE],
    flink: &options::JM_FLINK_SIZE,
    process: &options::JM_PROCESS_SIZE,
    metaspace: &options::JM_METASPACE,
    overhead_min: &options::JM_OVERHEAD_MIN,
    overhead_max: &options::JM_OVERHEAD_MAX,
    overhead_fraction: &options::JM_OVERHEAD_FRACTION,
    legacy: (&options::JM_LEGACY_HEAP, &options::JM_LEGACY_HEAP_MB),
};

/// The least heap that Flink recommends.
const MIN_HEAP: MemorySize = MemorySize::from_mebibytes(128);

/// The sizes of a JobManager's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobManagerMemory {
    /// The heap of the JVM.
    pub heap: MemorySize,
    /// The direct and native memory of Flink and of the user's code.
    pub off_heap: MemorySize,
    /// The memory for classes.
    pub metaspace: MemorySize,
    /// The other memory of the JVM, such as thread stacks and the code cache.
    pub overhead: MemorySize,
    /// Whether the JVM limits its direct memory to `off_heap`.
    pub direct_limit: bool,
}

/// Computes a JobManager's memory. It fails if Flink would refuse the configuration.
pub fn job_manager(conf: &Configuration, release: Release) -> Result<JobManagerMemory, MemoryError> {
    let conf = legacy::with_process_size(conf, release, &OPTIONS)?;
    let (Inner { heap, off_heap }, JvmMemory { metaspace, overhead }) =
        derive(&conf, release.traits(), &OPTIONS)?;
    let direct_limit = conf.require(&options::JM_DIRECT_LIMIT)?;
    Ok(JobManagerMemory { heap, off_heap, metaspace, overhead, direct_limit })
}

impl JobManagerMemory {
    /// The size of Flink's memory.
    pub fn flink(&self) -> MemorySize {
        sum(ROLE, &[self.heap, self.off_heap]).unwrap_or(MemorySize::MAX)
    }

    /// The size of the process, which is also the size of the container.
    pub fn process(&self) -> MemorySize {
        sum(ROLE, &[self.flink(), self.metaspace, self.overhead]).unwrap_or(MemorySize::MAX)
    }

    /// The memory options of the JVM, in Flink's order.
    pub fn jvm_args(&self) -> Vec<String> {
        jvm_args(self.heap, self.direct_limit.then_some(self.off_heap), self.metaspace)
    }

    /// The sizes as configuration keys, so that the JobManager uses the sizes that were computed here.
    pub fn dynamic_properties(&self) -> Vec<(String, String)> {
        vec![
            property(options::JM_HEAP_SIZE.key, self.heap),
            property(options::JM_OFF_HEAP_SIZE.key, self.off_heap),
            property(options::JM_METASPACE.key, self.metaspace),
            property(options::JM_OVERHEAD_MIN.key, self.overhead),
            property(options::JM_OVERHEAD_MAX.key, self.overhead),
        ]
    }

    /// Whether the heap is smaller than Flink recommends.
    pub fn is_tight(&self) -> bool {
        self.heap < MIN_HEAP
    }
}

struct Inner {
    heap: MemorySize,
    off_heap: MemorySize,
}

impl Division for Inner {
    fn from_fine_grained(conf: &Configuration, _: &Traits) -> Result<Self, MemoryError> {
        let heap = conf.require(&options::JM_HEAP_SIZE)?;
        let mut off_heap = conf.require(&options::JM_OFF_HEAP_SIZE)?;
        if let Some(flink) = conf.get(&options::JM_FLINK_SIZE)? {
            if conf.contains(&options::JM_OFF_HEAP_SIZE) {
                if sum(ROLE, &[heap, off_heap])? != flink {
                    return Err(MemoryError::HeapMismatch { heap, off_heap, flink });
                }
            } else {
                off_heap = flink.minus(heap).ok_or(MemoryError::HeapExceedsFlink { heap, flink })?;
            }
        }
        Ok(Self { heap, off_heap })
    }

    fn from_flink(conf: &Configuration, _: &Traits, flink: MemorySize) -> Result<Self, MemoryError> {
        let off_heap = conf.require(&options::JM_OFF_HEAP_SIZE)?;
        match flink.minus(off_heap) {
            Some(heap) if heap > MemorySize::ZERO => Ok(Self { heap, off_heap }),
            _ => Err(MemoryError::OffHeapExceedsFlink { off_heap, flink }),
        }
    }

    fn flink(&self) -> Result<MemorySize, MemoryError> {
        sum(ROLE, &[self.heap, self.off_heap])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn of(pairs: &[(&str, &str)]) -> Result<JobManagerMemory, MemoryError> {
        let mut conf = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        job_manager(&conf, "1.20.1".parse().unwrap())
    }

    #[test]
    fn the_default_file_gives_the_known_flags() {
        let memory = of(&[("jobmanager.memory.process.size", "1600m")]).unwrap();
        let flags = ["-Xmx1073741824", "-Xms1073741824", "-XX:MaxMetaspaceSize=268435456"];
        assert_eq!(memory.jvm_args(), flags);
        assert_eq!(memory.process(), MemorySize::from_mebibytes(1600));
    }

    #[test]
    fn old_keys_are_the_process_size() {
        let new = of(&[("jobmanager.memory.process.size", "1024m")]);
        assert_eq!(of(&[("jobmanager.heap.size", "1024m")]), new);
        assert_eq!(of(&[("jobmanager.heap.mb", "1024")]), new);
        assert!(matches!(of(&[("jobmanager.heap.mb", "-1")]), Err(MemoryError::Negative { .. })));
    }

    #[test]
    fn refusals_show_the_arithmetic() {
        let message = |pairs: &[_]| of(pairs).unwrap_err().to_string();
        assert_eq!(
            message(&[]),
            "no memory size is set for the JobManager: set jobmanager.memory.process.size, or \
             jobmanager.memory.flink.size, or jobmanager.memory.heap.size"
        );
        assert_eq!(
            message(&[("jobmanager.memory.process.size", "400m")]),
            "JobManager: metaspace 256 mb + JVM overhead 192 mb exceed the process size 400 mb \
             (jobmanager.memory.process.size)"
        );
        assert_eq!(
            message(&[("jobmanager.memory.process.size", "500m")]),
            "JobManager: off-heap 128 mb leaves no heap in Flink's memory 52 mb"
        );
    }
}

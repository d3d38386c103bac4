//! Computes a TaskManager's memory, CPU cores and external resources. Memory is divided as Flink's
//! `TaskExecutorFlinkMemoryUtils` does.

use std::collections::BTreeMap;

use crate::config::Configuration;
use crate::java;
use crate::options::{self, Opt};
use crate::release::{Release, Traits};
use crate::units::MemorySize;

use super::process::{Division, JvmMemory, ProcessOptions, Range, derive, jvm_args, property, sum};
use super::{MemoryError, Pool, Role, legacy};

const ROLE: Role = Role::TaskManager;

pub(super) const OPTIONS: ProcessOptions = ProcessOptions {
    role: ROLE,
    fine_grained: &[&options::TM_TASK_HEAP, &options::TM_MANAGED_SIZE],
    flink: &options::TM_FLINK_SIZE,
    process: &options::TM_PROCESS_SIZE,
    metaspace: &options::TM_METASPACE,
    overhead_min: &options::TM_OVERHEAD_MIN,
    overhead_max: &options::TM_OVERHEAD_MAX,
    overhead_fraction: &options::TM_OVERHEAD_FRACTION,
    legacy: (&options::TM_LEGACY_HEAP, &options::TM_LEGACY_HEAP_MB),
};

/// The sizes of a TaskManager's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskManagerMemory {
    /// The heap that is reserved for Flink itself.
    pub framework_heap: MemorySize,
    /// The off-heap memory that is reserved for Flink itself.
    pub framework_off_heap: MemorySize,
    /// The heap of the user's code.
    pub task_heap: MemorySize,
    /// The off-heap memory of the user's code.
    pub task_off_heap: MemorySize,
    /// The network buffers.
    pub network: MemorySize,
    /// The managed memory, for state backends, sorting and Python.
    pub managed: MemorySize,
    /// The memory for classes.
    pub metaspace: MemorySize,
    /// The other memory of the JVM, such as thread stacks and the code cache.
    pub overhead: MemorySize,
}

/// Computes a TaskManager's memory. It fails if Flink would refuse the configuration.
pub fn task_manager(conf: &Configuration, release: Release) -> Result<TaskManagerMemory, MemoryError> {
    let conf = legacy::with_process_size(conf, release, &OPTIONS)?;
    let (inner, JvmMemory { metaspace, overhead }) = derive::<Inner>(&conf, release.traits(), &OPTIONS)?;
    Ok(TaskManagerMemory {
        framework_heap: inner.framework_heap,
        framework_off_heap: inner.framework_off_heap,
        task_heap: inner.task_heap,
        task_off_heap: inner.task_off_heap,
        network: inner.network,
        managed: inner.managed,
        metaspace,
        overhead,
    })
}

impl TaskManagerMemory {
    /// The size of Flink's memory.
    pub fn flink(&self) -> MemorySize {
        let sizes = [self.heap(), self.direct(), self.managed];
        sum(ROLE, &sizes).unwrap_or(MemorySize::MAX)
    }

    /// The size of the process, which is also the size of the container.
    pub fn process(&self) -> MemorySize {
        sum(ROLE, &[self.flink(), self.metaspace, self.overhead]).unwrap_or(MemorySize::MAX)
    }

    /// The heap of the JVM.
    pub fn heap(&self) -> MemorySize {
        sum(ROLE, &[self.framework_heap, self.task_heap]).unwrap_or(MemorySize::MAX)
    }

    /// The direct memory of the JVM.
    pub fn direct(&self) -> MemorySize {
        sum(ROLE, &[self.framework_off_heap, self.task_off_heap, self.network]).unwrap_or(MemorySize::MAX)
    }

    /// The memory options of the JVM, in Flink's order.
    pub fn jvm_args(&self) -> Vec<String> {
        jvm_args(self.heap(), Some(self.direct()), self.metaspace)
    }

    /// The sizes as configuration keys, so that the TaskManager uses the sizes that were computed here.
    pub fn dynamic_properties(&self) -> Vec<(String, String)> {
        vec![
            property(options::TM_FRAMEWORK_HEAP.key, self.framework_heap),
            property(options::TM_FRAMEWORK_OFF_HEAP.key, self.framework_off_heap),
            property(options::TM_TASK_HEAP.key, self.task_heap),
            property(options::TM_TASK_OFF_HEAP.key, self.task_off_heap),
            property(options::TM_NETWORK_MIN.key, self.network),
            property(options::TM_NETWORK_MAX.key, self.network),
            property(options::TM_MANAGED_SIZE.key, self.managed),
            property(options::TM_METASPACE.key, self.metaspace),
            property(options::TM_OVERHEAD_MIN.key, self.overhead),
            property(options::TM_OVERHEAD_MAX.key, self.overhead),
        ]
    }
}

struct Inner {
    framework_heap: MemorySize,
    framework_off_heap: MemorySize,
    task_heap: MemorySize,
    task_off_heap: MemorySize,
    network: MemorySize,
    managed: MemorySize,
}

/// The three pools whose sizes are always set, at least by their defaults.
struct Base {
    framework_heap: MemorySize,
    framework_off_heap: MemorySize,
    task_off_heap: MemorySize,
}

impl Base {
    fn read(conf: &Configuration) -> Result<Self, MemoryError> {
        Ok(Self {
            framework_heap: conf.require(&options::TM_FRAMEWORK_HEAP)?,
            framework_off_heap: conf.require(&options::TM_FRAMEWORK_OFF_HEAP)?,
            task_off_heap: conf.require(&options::TM_TASK_OFF_HEAP)?,
        })
    }

    fn pools(&self, more: [(&'static str, MemorySize); 2]) -> Vec<Pool> {
        let mut pools = vec![
            Pool { name: "framework heap", size: self.framework_heap },
            Pool { name: "framework off-heap", size: self.framework_off_heap },
            Pool { name: "task off-heap", size: self.task_off_heap },
        ];
        pools.extend(more.map(|(name, size)| Pool { name, size }));
        pools
    }

    /// What `pools` leave of Flink's memory.
    fn rest(pools: Vec<Pool>, flink: MemorySize) -> Result<MemorySize, MemoryError> {
        let sizes: Vec<_> = pools.iter().map(|pool| pool.size).collect();
        flink.minus(sum(ROLE, &sizes)?).ok_or(MemoryError::PoolsExceedFlink { pools, flink })
    }

    fn with(self, task_heap: MemorySize, network: MemorySize, managed: MemorySize) -> Inner {
        let Self { framework_heap, framework_off_heap, task_off_heap } = self;
        Inner { framework_heap, framework_off_heap, task_heap, task_off_heap, network, managed }
    }
}

impl Division for Inner {
    fn from_fine_grained(conf: &Configuration, traits: &Traits) -> Result<Self, MemoryError> {
        let task_heap = conf.require(&options::TM_TASK_HEAP)?;
        let managed = conf.require(&options::TM_MANAGED_SIZE)?;
        let base = Base::read(conf)?;
        let pools = base.pools([("task heap", task_heap), ("managed", managed)]);
        let sizes: Vec<_> = pools.iter().map(|pool| pool.size).collect();
        let others = sum(ROLE, &sizes)?;
        let network = match (conf.get(&options::TM_FLINK_SIZE)?, network_buffers(conf, traits)) {
            (Some(flink), _) => {
                let network = Base::rest(pools, flink)?;
                check_network(conf, traits, network, flink)?;
                network
            }
            (None, Some(option)) => buffers_size(conf, option)?,
            (None, None) => network_range(conf, traits)?.beside(others)?,
        };
        Ok(base.with(task_heap, network, managed))
    }

    fn from_flink(conf: &Configuration, traits: &Traits, flink: MemorySize) -> Result<Self, MemoryError> {
        let base = Base::read(conf)?;
        if conf.contains(&options::TM_TASK_HEAP) {
            let task_heap = conf.require(&options::TM_TASK_HEAP)?;
            let managed = managed(conf, flink)?;
            let network = Base::rest(base.pools([("task heap", task_heap), ("managed", managed)]), flink)?;
            check_network(conf, traits, network, flink)?;
            return Ok(base.with(task_heap, network, managed));
        }
        let managed = managed(conf, flink)?;
        let network = match network_buffers(conf, traits) {
            Some(option) => buffers_size(conf, option)?,
            None => network_range(conf, traits)?.of(flink)?,
        };
        let task_heap = Base::rest(base.pools([("managed", managed), ("network", network)]), flink)?;
        Ok(base.with(task_heap, network, managed))
    }

    fn flink(&self) -> Result<MemorySize, MemoryError> {
        sum(
            ROLE,
            &[
                self.framework_heap,
                self.framework_off_heap,
                self.task_heap,
                self.task_off_heap,
                self.network,
                self.managed,
            ],
        )
    }
}

fn managed(conf: &Configuration, flink: MemorySize) -> Result<MemorySize, MemoryError> {
    match conf.get(&options::TM_MANAGED_SIZE)? {
        Some(size) => Ok(size),
        None => {
            let limits = (MemorySize::ZERO, MemorySize::MAX);
            Range::new(conf, ROLE, limits, &options::TM_MANAGED_FRACTION)?.of(flink)
        }
    }
}

pub(super) fn network_range(conf: &Configuration, traits: &Traits) -> Result<Range, MemoryError> {
    let min = conf.require(&options::TM_NETWORK_MIN)?;
    let max = match conf.get(&options::TM_NETWORK_MAX)? {
        Some(max) => max,
        None if traits.network_max_1g => MemorySize::from_mebibytes(1024),
        None => MemorySize::MAX,
    };
    Range::new(conf, ROLE, (min, max), &options::TM_NETWORK_FRACTION)
}

/// The old key for a number of network buffers, if it decides the size of network memory: it is set, the
/// release reads it, and none of the newer keys is set.
pub(super) fn network_buffers(conf: &Configuration, traits: &Traits) -> Option<&'static Opt<i32>> {
    let newer = conf.contains(&options::TM_NETWORK_MIN)
        || conf.contains(&options::TM_NETWORK_MAX)
        || conf.contains(&options::TM_NETWORK_FRACTION);
    let set = traits.legacy_memory_keys && conf.contains(&options::TM_NETWORK_BUFFERS);
    (set && !newer).then_some(&options::TM_NETWORK_BUFFERS)
}

pub(super) fn buffers_size(conf: &Configuration, option: &Opt<i32>) -> Result<MemorySize, MemoryError> {
    const MIN_SEGMENT: u64 = 4096;
    let count = i64::from(conf.require(option)?);
    let segment = conf.require(&options::TM_SEGMENT_SIZE)?;
    if segment.bytes() < MIN_SEGMENT
        || segment.bytes() > i32::MAX as u64
        || !segment.bytes().is_power_of_two()
    {
        return Err(MemoryError::SegmentSize(segment));
    }
    let negative = |_| MemoryError::Negative { key: options::TM_NETWORK_BUFFERS.key, value: count };
    let count = u64::try_from(count).map_err(negative)?;
    MemorySize::from_bytes(count * segment.bytes()).ok_or(MemoryError::Overflow { role: ROLE })
}

fn check_network(
    conf: &Configuration,
    traits: &Traits,
    network: MemorySize,
    flink: MemorySize,
) -> Result<(), MemoryError> {
    if let Some(option) = network_buffers(conf, traits) {
        let configured = buffers_size(conf, option)?;
        return if configured == network {
            Ok(())
        } else {
            Err(MemoryError::NetworkMismatch { network, configured })
        };
    }
    let range = network_range(conf, traits)?;
    if range.contains(network) {
        Ok(())
    } else {
        Err(MemoryError::NetworkOutOfRange { flink, network, min: range.min, max: range.max })
    }
}

/// The number of CPU cores of a TaskManager: `taskmanager.cpu.cores`, or else `fallback` if that is positive,
/// or else the number of slots. It fails if the number is not positive.
pub fn task_manager_cores(
    conf: &Configuration,
    release: Release,
    fallback: Option<i32>,
) -> Result<f64, MemoryError> {
    let (cores, key) = match (conf.get(&options::TM_CPU_CORES)?, fallback) {
        (Some(cores), _) => (cores, options::TM_CPU_CORES.key),
        (None, Some(fallback)) if fallback > 0 => (f64::from(fallback), options::CONTAINER_VCORES.key),
        (None, _) => (f64::from(conf.require(&options::TM_SLOTS)?), options::TM_SLOTS.key),
    };
    if !(cores > 0.0 && cores.is_finite()) {
        return Err(MemoryError::Cores { key, value: java::double_to_string(cores) });
    }
    Ok(if release.traits().cores_cut { java::cut(cores, 8) } else { cores })
}

/// The amounts of a TaskManager's external resources, by their names. Resources without a positive amount are
/// left out. It fails if an amount is not a whole number.
pub fn external_resources(conf: &Configuration) -> Result<BTreeMap<String, i64>, MemoryError> {
    let mut amounts = BTreeMap::new();
    if conf.text(options::EXTERNAL_RESOURCES.key).is_none_or(|text| text == "none") {
        return Ok(amounts);
    }
    for name in conf.require(&options::EXTERNAL_RESOURCES)? {
        let key = format!("external-resource.{name}.amount");
        let Some(text) = conf.text(&key) else { continue };
        let amount = java::parse_integer(&text).and_then(|n| i64::try_from(n).ok());
        let amount = amount.ok_or_else(|| MemoryError::ExternalResource {
            name: name.clone(),
            reason: format!("{key} = '{text}' is not a whole number"),
        })?;
        if amount > 0 {
            amounts.insert(name, amount);
        }
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn of(release: &str, pairs: &[(&str, &str)]) -> Result<TaskManagerMemory, MemoryError> {
        let mut conf = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        task_manager(&conf, release.parse().unwrap())
    }

    #[test]
    fn the_default_file_gives_the_known_flags() {
        let memory = of("1.20.1", &[("taskmanager.memory.process.size", "1728m")]).unwrap();
        let flags = [
            "-Xmx536870902",
            "-Xms536870902",
            "-XX:MaxDirectMemorySize=268435458",
            "-XX:MaxMetaspaceSize=268435456",
        ];
        assert_eq!(memory.jvm_args(), flags);
        assert_eq!(memory.process(), MemorySize::from_mebibytes(1728));
    }

    #[test]
    fn network_memory_had_a_maximum_before_1_17() {
        let pairs = [("taskmanager.memory.process.size", "20g")];
        let old = of("1.16.3", &pairs).unwrap();
        assert_eq!(old.network, MemorySize::from_mebibytes(1024));
        assert!(of("1.17.2", &pairs).unwrap().network > old.network);
    }

    #[test]
    fn old_keys_end_with_2_0() {
        let pairs = [("taskmanager.heap.size", "2g"), ("taskmanager.network.numberOfBuffers", "4096")];
        assert_eq!(of("1.20.1", &pairs).unwrap().network, MemorySize::from_mebibytes(128));
        assert!(matches!(of("2.0.0", &pairs), Err(MemoryError::NotConfigured { .. })));
    }

    #[test]
    fn refusals_show_the_arithmetic() {
        let pairs = [("taskmanager.memory.flink.size", "300m")];
        let message = of("1.20.1", &pairs).unwrap_err().to_string();
        assert_eq!(
            message,
            "TaskManager: framework heap 128 mb + framework off-heap 128 mb + task off-heap 0 bytes + \
             managed 120.000 mb (125829121 bytes) + network 64 mb exceed Flink's memory 300 mb"
        );
    }

    #[test]
    fn cores_come_from_three_places() {
        let mut conf = Configuration::new(FileFormat::Standard);
        let release = "1.20.5".parse().unwrap();
        assert_eq!(task_manager_cores(&conf, release, None), Ok(1.0));
        conf.set_dynamic("taskmanager.numberOfTaskSlots", "3");
        assert_eq!(task_manager_cores(&conf, release, Some(-1)), Ok(3.0));
        assert_eq!(task_manager_cores(&conf, release, Some(2)), Ok(2.0));
        conf.set_dynamic("taskmanager.cpu.cores", "1.5");
        assert_eq!(task_manager_cores(&conf, release, Some(2)), Ok(1.5));
        conf.set_dynamic("taskmanager.cpu.cores", "0");
        assert!(task_manager_cores(&conf, release, None).is_err());
    }
}

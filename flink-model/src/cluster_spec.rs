//! Computes the sizes of the containers that YARN will be asked for, and checks whether the cluster can give
//! them.

use std::collections::BTreeMap;

use crate::config::{Configuration, ValueError};
use crate::memory::{
    JobManagerMemory, MemoryError, Role, TaskManagerMemory, external_resources, job_manager, task_manager,
    task_manager_cores,
};
use crate::options;
use crate::release::Release;
use crate::units::MemorySize;

/// The sizes of the ApplicationMaster's container and of a TaskManager's container.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// The memory of the JobManager.
    pub job_manager: JobManagerMemory,
    /// The memory of a TaskManager.
    pub task_manager: TaskManagerMemory,
    /// The number of slots of a TaskManager.
    pub slots: i32,
    /// The vcores of the ApplicationMaster's container.
    pub am_vcores: i32,
    /// The vcores of a TaskManager's container.
    pub tm_vcores: i32,
    /// The key that has decided `tm_vcores`.
    pub tm_vcores_key: &'static str,
    /// The further resources of a TaskManager's container besides memory and vcores: YARN's resource types,
    /// with their amounts.
    pub tm_resources: BTreeMap<String, i64>,
}

impl From<ValueError> for SpecError {
    fn from(error: ValueError) -> Self {
        Self::Memory(error.into())
    }
}

/// Why no cluster can be made from a configuration. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The memory model refuses the sizes, or a value is not of its type.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The number of slots or vcores is not positive, or it is too large.
    #[error("{key} = {value} must be a whole number between 1 and 2147483647")]
    NotPositive {
        /// The key.
        key: &'static str,
        /// The key's value, or the number that follows from it.
        value: String,
    },
}

impl ClusterSpec {
    /// Derives the sizes as `release` does. It fails where Flink refuses the configuration.
    pub fn from(conf: &Configuration, release: Release) -> Result<Self, SpecError> {
        let positive = |key, value: i32| {
            if value > 0 { Ok(value) } else { Err(SpecError::NotPositive { key, value: value.to_string() }) }
        };
        let slots = positive(options::TM_SLOTS.key, conf.require(&options::TM_SLOTS)?)?;
        let am_vcores = positive(options::APP_MASTER_VCORES.key, conf.require(&options::APP_MASTER_VCORES)?)?;
        let configured_vcores = conf.require(&options::CONTAINER_VCORES)?;
        let tm_vcores_key = if conf.contains(&options::TM_CPU_CORES) {
            options::TM_CPU_CORES.key
        } else if configured_vcores > 0 {
            options::CONTAINER_VCORES.key
        } else {
            options::TM_SLOTS.key
        };
        // YARN counts whole vcores, so fractions are rounded up.
        let cores = task_manager_cores(conf, release, Some(configured_vcores))?.ceil().max(1.0);
        if cores > f64::from(i32::MAX) {
            return Err(SpecError::NotPositive { key: tm_vcores_key, value: cores.to_string() });
        }
        let tm_vcores = cores as i32;
        let mut tm_resources = BTreeMap::new();
        for (name, amount) in external_resources(conf)? {
            if let Some(yarn_name) = conf.text(&format!("external-resource.{name}.yarn.config-key")) {
                tm_resources.insert(yarn_name, amount);
            }
        }
        Ok(Self {
            job_manager: job_manager(conf, release)?,
            task_manager: task_manager(conf, release)?,
            slots,
            am_vcores,
            tm_vcores,
            tm_vcores_key,
            tm_resources,
        })
    }

    /// The memory that is requested for the ApplicationMaster's container, in MiB. It is rounded down, as
    /// Flink does.
    pub fn am_memory_mb(&self) -> u64 {
        self.job_manager.process().mebibytes()
    }

    /// The memory that is requested for a TaskManager's container, in MiB. It is rounded down, as Flink does.
    pub fn tm_memory_mb(&self) -> u64 {
        self.task_manager.process().mebibytes()
    }

    /// Compares the sizes with what the cluster can give. If they fit, the result has remarks on sizes that
    /// could be better. Otherwise it has every limit that is exceeded.
    pub fn check(&self, limits: &YarnLimits) -> Result<Vec<Note>, Vec<LimitError>> {
        let mut errors = Vec::new();
        let mut notes = Vec::new();
        if self.job_manager.is_tight() {
            notes.push(Note::SmallHeap { heap: self.job_manager.heap });
        }
        let (jm_key, tm_key) = (options::JM_PROCESS_SIZE.key, options::TM_PROCESS_SIZE.key);
        for (role, requested_mb, key) in [
            (Role::JobManager, self.am_memory_mb(), jm_key),
            (Role::TaskManager, self.tm_memory_mb(), tm_key),
        ] {
            // YARN raises smaller sizes to the minimum before it compares them with the maximum.
            let least = requested_mb.max(limits.min_memory_mb.unwrap_or(0));
            if least > limits.max_memory_mb {
                let maximum_mb = limits.max_memory_mb;
                errors.push(LimitError::Memory { role, requested_mb: least, maximum_mb, key });
                continue;
            }
            let charged_mb = limits.charged_memory_mb(requested_mb);
            // YARN always rounds sizes up. A remark is made only if more than a tenth of the rounded size is
            // added.
            if charged_mb - charged_mb.min(requested_mb) > charged_mb / 10 {
                notes.push(Note::Rounded { role, requested_mb, charged_mb, key });
            }
        }
        for (role, requested, key) in [
            (Role::JobManager, self.am_vcores, options::APP_MASTER_VCORES.key),
            (Role::TaskManager, self.tm_vcores, self.tm_vcores_key),
        ] {
            let requested = requested.unsigned_abs();
            if requested > limits.max_vcores {
                errors.push(LimitError::Vcores { role, requested, maximum: limits.max_vcores, key });
            }
        }
        if errors.is_empty() { Ok(notes) } else { Err(errors) }
    }
}

/// The limits of a cluster for one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YarnLimits {
    /// The most memory of a container, in MiB (`yarn.scheduler.maximum-allocation-mb`, as the ResourceManager
    /// reports it).
    pub max_memory_mb: u64,
    /// The most vcores of a container.
    pub max_vcores: u32,
    /// The least memory of a container, in MiB (`yarn.scheduler.minimum-allocation-mb`), if it is known.
    pub min_memory_mb: Option<u64>,
    /// The step to which memory is rounded up, in MiB. With the CapacityScheduler it is the minimum, with the
    /// FairScheduler `yarn.resource-types.memory-mb.increment-allocation`. `None` stands for the minimum.
    pub step_memory_mb: Option<u64>,
}

impl YarnLimits {
    /// The memory in MiB that YARN charges for a container of `requested_mb`: the request, but at least the
    /// minimum, rounded up to a multiple of the step, and at most the maximum. This is what
    /// `DefaultResourceCalculator.normalize` of YARN computes. A request above the maximum is not lowered.
    pub fn charged_memory_mb(&self, requested_mb: u64) -> u64 {
        let min = self.min_memory_mb.unwrap_or(0);
        let step = self.step_memory_mb.or(self.min_memory_mb).unwrap_or(1).max(1);
        let wanted = requested_mb.max(min);
        wanted.checked_next_multiple_of(step).unwrap_or(wanted).min(self.max_memory_mb.max(requested_mb))
    }
}

/// The cluster cannot give a container that is needed. Another try helps only if the cluster is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The container needs more memory than the cluster allows.
    #[error(
        "the {role} needs a container of {requested_mb} MiB ({key}), and the cluster allows at most {maximum_mb} MiB \
         (yarn.scheduler.maximum-allocation-mb, yarn.nodemanager.resource.memory-mb)"
    )]
    Memory {
        /// The process for which the container is.
        role: Role,
        /// The memory that is needed, in MiB.
        requested_mb: u64,
        /// The memory that the cluster allows, in MiB.
        maximum_mb: u64,
        /// The key that sets the size.
        key: &'static str,
    },
    /// The container needs more vcores than the cluster allows.
    #[error(
        "the {role} needs a container of {requested} vcores ({key}), and the cluster allows at most {maximum} \
         (yarn.scheduler.maximum-allocation-vcores, yarn.nodemanager.resource.cpu-vcores)"
    )]
    Vcores {
        /// The process for which the container is.
        role: Role,
        /// The number of vcores that is needed.
        requested: u32,
        /// The number of vcores that the cluster allows.
        maximum: u32,
        /// The key that sets the number.
        key: &'static str,
    },
}

/// A remark on sizes with which the cluster works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// YARN rounds a size up by more than a tenth of what it charges.
    Rounded {
        /// The process for which the container is.
        role: Role,
        /// The memory that is requested, in MiB.
        requested_mb: u64,
        /// The memory that YARN charges, in MiB.
        charged_mb: u64,
        /// The key that sets the size.
        key: &'static str,
    },
    /// The JobManager has less heap than Flink recommends.
    SmallHeap {
        /// The size of the heap.
        heap: MemorySize,
    },
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rounded { role, requested_mb, charged_mb, key } => write!(
                f,
                "YARN will charge {charged_mb} MiB for the {role}'s {requested_mb} MiB; {key} could be {charged_mb}m at no cost"
            ),
            Self::SmallHeap { heap } => {
                write!(f, "the JobManager's heap is only {heap}; 128 mb or more are recommended")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FileFormat;

    fn spec(more: &[(&str, &str)]) -> Result<ClusterSpec, SpecError> {
        let mut conf = Configuration::new(FileFormat::Standard);
        conf.set_dynamic("jobmanager.memory.process.size", "1600m");
        conf.set_dynamic("taskmanager.memory.process.size", "1728m");
        for (key, value) in more {
            conf.set_dynamic(*key, *value);
        }
        ClusterSpec::from(&conf, "1.20.1".parse().unwrap())
    }

    const LIMITS: YarnLimits =
        YarnLimits { max_memory_mb: 4096, max_vcores: 4, min_memory_mb: Some(512), step_memory_mb: None };

    #[test]
    fn sizes_slots_and_cores() {
        let spec = spec(&[
            ("taskmanager.numberOfTaskSlots", "3"),
            ("external-resources", "gpu;fpga"),
            ("external-resource.gpu.amount", "2"),
            ("external-resource.gpu.yarn.config-key", "yarn.io/gpu"),
        ])
        .unwrap();
        assert_eq!((spec.am_memory_mb(), spec.tm_memory_mb()), (1600, 1728));
        assert_eq!((spec.slots, spec.am_vcores, spec.tm_vcores), (3, 1, 3));
        assert_eq!(spec.tm_resources, BTreeMap::from([("yarn.io/gpu".to_owned(), 2)]));
        let notes: Vec<_> = spec.check(&LIMITS).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("YARN will charge 2048 MiB for the JobManager's 1600 MiB"), "{notes:?}");
    }

    #[test]
    fn limits_give_both_numbers_and_the_keys() {
        let spec =
            spec(&[("taskmanager.memory.process.size", "5g"), ("taskmanager.cpu.cores", "4.5")]).unwrap();
        let errors: Vec<_> = spec.check(&LIMITS).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0].contains("5120 MiB (taskmanager.memory.process.size)")
                && errors[0].contains("4096 MiB")
        );
        assert!(errors[1].contains("5 vcores (taskmanager.cpu.cores)") && errors[1].contains("at most 4 "));
    }

    #[test]
    fn numbers_must_be_positive() {
        assert!(matches!(
            spec(&[("taskmanager.numberOfTaskSlots", "0")]),
            Err(SpecError::NotPositive { .. })
        ));
        assert!(matches!(spec(&[("yarn.appmaster.vcores", "-1")]), Err(SpecError::NotPositive { .. })));
        assert!(spec(&[("taskmanager.cpu.cores", "1e300")]).is_err());
    }

    proptest! {
        #[test]
        fn yarn_never_charges_less_than_is_asked(
            requested in 1u64..100_000, min in 1u64..5000, step in 1u64..5000, max in 1u64..200_000,
        ) {
            let limits =
                YarnLimits { max_memory_mb: max, max_vcores: 1, min_memory_mb: Some(min), step_memory_mb: Some(step) };
            prop_assert!(limits.charged_memory_mb(requested) >= requested);
        }
    }
}

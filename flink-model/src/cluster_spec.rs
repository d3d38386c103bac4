//! What will be asked of YARN, and whether the cluster can give it.

use std::collections::BTreeMap;

use crate::config::{Configuration, ValueError};
use crate::memory::{
    JobManagerMemory, MemoryError, Role, TaskManagerMemory, external_resources, job_manager, task_manager,
    task_manager_cores,
};
use crate::options;
use crate::release::Release;
use crate::units::MemorySize;

/// Sizes of the ApplicationMaster's and of a TaskManager's container.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// Memory of the JobManager.
    pub job_manager: JobManagerMemory,
    /// Memory of a TaskManager.
    pub task_manager: TaskManagerMemory,
    /// Slots of a TaskManager.
    pub slots: i32,
    /// vcores of the ApplicationMaster's container.
    pub am_vcores: i32,
    /// vcores of a TaskManager's container.
    pub tm_vcores: i32,
    /// Key that decided `tm_vcores`.
    pub tm_vcores_key: &'static str,
    /// YARN resource types of a TaskManager's container beyond memory and vcores, with their amounts.
    pub tm_resources: BTreeMap<String, i64>,
}

impl From<ValueError> for SpecError {
    fn from(error: ValueError) -> Self {
        Self::Memory(error.into())
    }
}

/// Why a configuration does not make a cluster. Trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The memory model, or a value that is not of its type.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Slots or vcores that are not positive or too many.
    #[error("{key} = {value} must be a whole number between 1 and 2147483647")]
    NotPositive {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

impl ClusterSpec {
    /// Derives the sizes as `release` would, or says why it would refuse.
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
        // YARN counts whole vcores.
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

    /// Memory asked for the ApplicationMaster's container, in MiB, rounded down as Flink does.
    pub fn am_memory_mb(&self) -> u64 {
        self.job_manager.process().mebibytes()
    }

    /// Memory asked for a TaskManager's container, in MiB, rounded down as Flink does.
    pub fn tm_memory_mb(&self) -> u64 {
        self.task_manager.process().mebibytes()
    }

    /// Compares with what the cluster can give. Returns remarks on what will be charged beyond the request,
    /// or every limit that is exceeded.
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
            // YARN raises sizes below the minimum to it before it compares them with the maximum.
            let least = requested_mb.max(limits.min_memory_mb.unwrap_or(0));
            if least > limits.max_memory_mb {
                let maximum_mb = limits.max_memory_mb;
                errors.push(LimitError::Memory { role, requested_mb: least, maximum_mb, key });
                continue;
            }
            let charged_mb = limits.charged_memory_mb(requested_mb);
            // YARN always rounds sizes up. Only if that adds more than a tenth is it worth a remark.
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

/// What a cluster can give to one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YarnLimits {
    /// Most memory of a container, MiB (`yarn.scheduler.maximum-allocation-mb`, as the ResourceManager
    /// reports it).
    pub max_memory_mb: u64,
    /// Most vcores of a container.
    pub max_vcores: u32,
    /// Least memory of a container, MiB (`yarn.scheduler.minimum-allocation-mb`), if it is known.
    pub min_memory_mb: Option<u64>,
    /// Step in which memory is charged, MiB: the minimum with the capacity scheduler, with the fair scheduler
    /// `yarn.resource-types.memory-mb.increment-allocation`; none = the minimum.
    pub step_memory_mb: Option<u64>,
}

impl YarnLimits {
    /// What YARN charges for a container that asks for `requested_mb`.
    pub fn charged_memory_mb(&self, requested_mb: u64) -> u64 {
        let min = self.min_memory_mb.unwrap_or(0);
        let step = self.step_memory_mb.or(self.min_memory_mb).unwrap_or(1).max(1);
        let wanted = requested_mb.max(min);
        wanted.checked_next_multiple_of(step).unwrap_or(wanted).min(self.max_memory_mb.max(requested_mb))
    }
}

/// The cluster cannot give what is asked for. Trying again does not help unless the cluster changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Memory.
    #[error(
        "the {role} needs a container of {requested_mb} MiB ({key}), and the cluster allows at most {maximum_mb} MiB \
         (yarn.scheduler.maximum-allocation-mb, yarn.nodemanager.resource.memory-mb)"
    )]
    Memory {
        /// Which process.
        role: Role,
        /// What is needed.
        requested_mb: u64,
        /// What the cluster allows.
        maximum_mb: u64,
        /// Key that sets the size.
        key: &'static str,
    },
    /// vcores.
    #[error(
        "the {role} needs a container of {requested} vcores ({key}), and the cluster allows at most {maximum} \
         (yarn.scheduler.maximum-allocation-vcores, yarn.nodemanager.resource.cpu-vcores)"
    )]
    Vcores {
        /// Which process.
        role: Role,
        /// What is needed.
        requested: u32,
        /// What the cluster allows.
        maximum: u32,
        /// Key that sets the number.
        key: &'static str,
    },
}

/// A remark on sizes that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// YARN charges more than a tenth on top of what is asked for.
    Rounded {
        /// Which process.
        role: Role,
        /// What is asked for.
        requested_mb: u64,
        /// What YARN charges.
        charged_mb: u64,
        /// Key that sets the size.
        key: &'static str,
    },
    /// Less heap than Flink recommends for the JobManager.
    SmallHeap {
        /// Its size.
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

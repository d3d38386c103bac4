//! How much memory the JVM that makes a class data archive may need, and whether a container has it.

use hadoop_rpc::HadoopConf;
use taskrunner::memory;

/// Memory that making an archive needs at most, bytes.
const NEED: u64 = 448 << 20;
/// Address space that it needs at most.
const NEED_VIRTUAL: u64 = 5 << 30;
/// What heddle-am itself uses in a container in which nothing else runs.
const OWN: MemoryUse = MemoryUse { resident: 48 << 20, virtual_size: 384 << 20 };
/// The NodeManager may count more than we see: only this part of a limit is used.
const PART: f64 = 0.95;

/// How much a container may use, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MemoryLimits {
    /// Memory.
    pub(super) resident: u64,
    /// Address space, where the NodeManager looks at it.
    pub(super) virtual_size: Option<u64>,
}

/// How much processes use, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct MemoryUse {
    pub(super) resident: u64,
    pub(super) virtual_size: u64,
}

impl std::ops::Add for MemoryUse {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            resident: self.resident.saturating_add(other.resident),
            virtual_size: self.virtual_size.saturating_add(other.virtual_size),
        }
    }
}

impl MemoryLimits {
    /// `memory_mb` is the size of the container. `ratio` is the address space for each byte of it, where the
    /// NodeManager checks that. `cgroup` is the kernel's limit, where there is one.
    pub(super) fn new(memory_mb: u64, ratio: Option<f64>, cgroup: Option<u64>) -> Self {
        let asked = memory_mb << 20;
        let resident = part(cgroup.map_or(asked, |limit| limit.min(asked)));
        // Lossy, and far from the limits of a float.
        let virtual_size = ratio.map(|ratio| part((asked as f64 * ratio) as u64));
        Self { resident, virtual_size }
    }

    /// Why there is not enough memory for another JVM beside `used`; none if there is.
    pub(super) fn shortage(&self, used: MemoryUse) -> Option<String> {
        let need = MemoryUse { resident: NEED, virtual_size: NEED_VIRTUAL };
        let mb = |bytes: u64| bytes >> 20;
        self.exceeded(used + need)?;
        Some(format!(
            "it could need {} MiB beside the {} MiB in use, and the container has {} MiB{}",
            mb(NEED),
            mb(used.resident),
            mb(self.resident),
            match self.virtual_size {
                Some(limit) => format!(" (and {} of {} MiB address space)", mb(used.virtual_size), mb(limit)),
                None => String::new(),
            }
        ))
    }

    /// Which limit is exceeded by `used`, if one is.
    pub(super) fn exceeded(&self, used: MemoryUse) -> Option<&'static str> {
        if used.resident > self.resident {
            return Some("memory");
        }
        self.virtual_size.is_some_and(|limit| used.virtual_size > limit).then_some("address space")
    }
}

/// Memory, MiB, of a container in which an archive is made and nothing else runs. `ratio` is that of
/// [`MemoryLimits::new`].
pub(super) fn container_mb(ratio: Option<f64>) -> u64 {
    let need = MemoryUse { resident: NEED, virtual_size: NEED_VIRTUAL } + OWN;
    let for_virtual = ratio.map_or(0.0, |ratio| need.virtual_size as f64 / ratio);
    // Without a fraction, and one more for what the division loses.
    (((need.resident as f64).max(for_virtual) / PART / f64::from(1 << 20)) as u64).saturating_add(2)
}

/// Memory, MiB, of the container of its own that YARN is asked for, or why it is not asked. `allowed` is the
/// setting `heddle.archive.container`; `largest_mb` is the cluster's largest container, 0 if that is not
/// known.
pub(super) fn own_container_mb(ratio: Option<f64>, allowed: bool, largest_mb: u64) -> Result<u64, String> {
    let need = container_mb(ratio);
    if !allowed {
        return Err("heddle.archive.container is false".to_owned());
    }
    if largest_mb > 0 && need > largest_mb {
        return Err(format!(
            "a container of its own would need {need} MiB, and YARN's largest one has {largest_mb} MiB"
        ));
    }
    Ok(need)
}

fn part(limit: u64) -> u64 {
    (limit as f64 * PART) as u64
}

/// The limits of a container of `memory_mb`: what the NodeManager checks, and what the kernel allows. `pid`
/// is the id of any process in the container.
pub(super) fn container_limits(conf: &HadoopConf, memory_mb: u64, pid: u32) -> MemoryLimits {
    let cgroup = memory::sample(pid).map(|sample| sample.cgroup_limit).filter(|limit| *limit > 0);
    MemoryLimits::new(memory_mb, virtual_ratio(conf), cgroup)
}

/// The address space for each byte of a container's memory, where NodeManagers check that.
pub(super) fn virtual_ratio(conf: &HadoopConf) -> Option<f64> {
    const CHECK: &str = "yarn.nodemanager.vmem-check-enabled";
    const RATIO: &str = "yarn.nodemanager.vmem-pmem-ratio";
    const YARNS_RATIO: f64 = 2.1;
    let checked = conf.get_bool(CHECK, true).unwrap_or(true);
    let ratio = conf.get(RATIO).ok().flatten().and_then(|text| text.trim().parse().ok());
    checked.then(|| ratio.filter(|ratio| *ratio > 0.0).unwrap_or(YARNS_RATIO))
}

/// What a process uses; nothing if it is gone.
pub(super) fn used_by(pid: u32) -> MemoryUse {
    memory::sample(pid).map_or_else(MemoryUse::default, |sample| MemoryUse {
        resident: sample.rss,
        virtual_size: sample.virtual_size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_begun_that_could_cost_the_container() {
        let used =
            |mb: u64, virtual_mb: u64| MemoryUse { resident: mb << 20, virtual_size: virtual_mb << 20 };
        let limits = MemoryLimits::new(1600, None, None);
        assert_eq!(limits.shortage(used(1000, 1 << 30)), None);
        assert!(limits.shortage(used(1100, 0)).unwrap().contains("448 MiB beside the 1100 MiB"));
        assert!(
            MemoryLimits::new(1600, Some(2.1), None)
                .shortage(used(300, 3000))
                .unwrap()
                .contains("address space")
        );
        assert_eq!(MemoryLimits::new(8192, Some(2.1), None).shortage(used(300, 3000)), None);
        assert!(MemoryLimits::new(8192, None, Some(700 << 20)).shortage(used(300, 3000)).is_some());
        assert_eq!(limits.exceeded(used(1519, 0)), None);
        assert_eq!(limits.exceeded(used(1521, 0)), Some("memory"));
    }

    #[test]
    fn a_container_of_its_own_has_just_enough_memory() {
        for ratio in [None, Some(0.7), Some(1.0), Some(2.1), Some(5.0), Some(100.0)] {
            let mb = container_mb(ratio);
            assert_eq!(MemoryLimits::new(mb, ratio, None).shortage(OWN), None, "{ratio:?}");
            assert!(MemoryLimits::new(mb - 4, ratio, None).shortage(OWN).is_some(), "{ratio:?}: {mb}");
        }
        assert!((2700..2800).contains(&container_mb(Some(2.1))));
        assert_eq!(own_container_mb(Some(2.1), true, 0), Ok(container_mb(Some(2.1))));
        assert_eq!(own_container_mb(Some(2.1), true, 4096), own_container_mb(Some(2.1), true, 0));
        assert!(own_container_mb(Some(2.1), true, 2048).unwrap_err().contains("largest one has 2048 MiB"));
        assert!(own_container_mb(None, false, 0).unwrap_err().contains("heddle.archive.container"));
    }
}

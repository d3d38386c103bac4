//! Whether the container has room for another JVM; pure.

/// Memory that making an archive needs at most, bytes.
pub(super) const NEED: u64 = 448 << 20;
/// Address space that it needs at most.
const NEED_VIRTUAL: u64 = 5 << 30;
/// What heddle-am has in a container in which nothing else runs.
const BESIDE: Used = Used { resident: 48 << 20, virtual_size: 384 << 20 };
/// Beyond this part of a limit the NodeManager may already see more than we do.
const PART: f64 = 0.95;

/// What the container may have, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Memory.
    pub(super) resident: u64,
    /// Address space, where the NodeManager looks at it.
    pub(super) virtual_size: Option<u64>,
}

/// What its processes have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Used {
    pub(super) resident: u64,
    pub(super) virtual_size: u64,
}

impl std::ops::Add for Used {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            resident: self.resident.saturating_add(other.resident),
            virtual_size: self.virtual_size.saturating_add(other.virtual_size),
        }
    }
}

impl Limits {
    /// `memory_mb`: what was asked for. `ratio`: address space for each byte of memory, where the NodeManager looks at it. `cgroup`: what the
    /// kernel allows.
    pub(super) fn new(memory_mb: u64, ratio: Option<f64>, cgroup: Option<u64>) -> Self {
        let asked = memory_mb << 20;
        let resident = part(cgroup.map_or(asked, |limit| limit.min(asked)));
        // Lossy, and far from the limits of a float.
        let virtual_size = ratio.map(|ratio| part((asked as f64 * ratio) as u64));
        Self { resident, virtual_size }
    }

    /// Why there is not enough beside what is used.
    pub(super) fn shortage(&self, used: Used) -> Option<String> {
        let need = Used { resident: NEED, virtual_size: NEED_VIRTUAL };
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

    /// Which limit is exceeded.
    pub(super) fn exceeded(&self, used: Used) -> Option<&'static str> {
        if used.resident > self.resident {
            return Some("memory");
        }
        self.virtual_size.is_some_and(|limit| used.virtual_size > limit).then_some("address space")
    }
}

/// Memory, MiB, of a container that has room for making an archive and nothing else. `ratio` as for [`Limits::new`].
pub(super) fn container_mb(ratio: Option<f64>) -> u64 {
    let need = Used { resident: NEED, virtual_size: NEED_VIRTUAL } + BESIDE;
    let for_virtual = ratio.map_or(0.0, |ratio| need.virtual_size as f64 / ratio);
    // Without a fraction, and one more for what the division loses.
    (((need.resident as f64).max(for_virtual) / PART / f64::from(1 << 20)) as u64).saturating_add(2)
}

/// The memory of a container for it, or why none is asked for. `allowed`: `heddle.archive.container`. `largest_mb`: the largest
/// container of the cluster; 0: not known.
pub(super) fn elsewhere(ratio: Option<f64>, allowed: bool, largest_mb: u64) -> Result<u64, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_begun_that_could_cost_the_container() {
        let used = |mb: u64, virtual_mb: u64| Used { resident: mb << 20, virtual_size: virtual_mb << 20 };
        let limits = Limits::new(1600, None, None);
        assert_eq!(limits.shortage(used(1000, 1 << 30)), None);
        assert!(limits.shortage(used(1100, 0)).unwrap().contains("448 MiB beside the 1100 MiB"));
        assert!(
            Limits::new(1600, Some(2.1), None).shortage(used(300, 3000)).unwrap().contains("address space")
        );
        assert_eq!(Limits::new(8192, Some(2.1), None).shortage(used(300, 3000)), None);
        assert!(Limits::new(8192, None, Some(700 << 20)).shortage(used(300, 3000)).is_some());
        assert_eq!(limits.exceeded(used(1519, 0)), None);
        assert_eq!(limits.exceeded(used(1521, 0)), Some("memory"));
    }

    #[test]
    fn a_container_of_its_own_has_just_enough_room() {
        for ratio in [None, Some(0.7), Some(1.0), Some(2.1), Some(5.0), Some(100.0)] {
            let mb = container_mb(ratio);
            assert_eq!(Limits::new(mb, ratio, None).shortage(BESIDE), None, "{ratio:?}");
            assert!(Limits::new(mb - 4, ratio, None).shortage(BESIDE).is_some(), "{ratio:?}: {mb}");
        }
        assert!((2700..2800).contains(&container_mb(Some(2.1))));
        assert_eq!(elsewhere(Some(2.1), true, 0), Ok(container_mb(Some(2.1))));
        assert_eq!(elsewhere(Some(2.1), true, 4096), elsewhere(Some(2.1), true, 0));
        assert!(elsewhere(Some(2.1), true, 2048).unwrap_err().contains("largest one has 2048 MiB"));
        assert!(elsewhere(None, false, 0).unwrap_err().contains("heddle.archive.container"));
    }
}

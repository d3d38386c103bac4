//! Whether the container has room for another JVM; pure.

/// Memory that making an archive needs at most, bytes.
pub(super) const NEED: u64 = 448 << 20;
/// Address space that it needs at most.
const NEED_VIRTUAL: u64 = 5 << 30;
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
}

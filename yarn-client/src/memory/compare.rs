//! Sizes beside each other: of two configurations, and of the slots of a TaskManager. Pure.

use flink_model::memory::{Explained, PoolName, Role};
use flink_model::units::MemorySize;

use super::study::Sizes;

/// What each of `slots` slots has, of the pools that slots share.
pub fn per_slot(explained: &Explained, slots: i32) -> Vec<(PoolName, MemorySize)> {
    let slots = u64::from(slots.unsigned_abs()).max(1);
    let each =
        |name| (name, MemorySize::from_bytes(explained.size(name).bytes() / slots).unwrap_or_default());
    [PoolName::TaskHeap, PoolName::Managed, PoolName::Network].map(each).to_vec()
}

/// A pool, or a sum, that is not as large as before.
pub struct Changed {
    /// Of which process.
    pub role: Role,
    /// None for a sum.
    pub name: Option<PoolName>,
    /// The sum's name for programs.
    pub sum: &'static str,
    /// Its size before.
    pub before: MemorySize,
    /// Its size now.
    pub after: MemorySize,
}

/// All pools and sums of `after` that have another size than in `before`.
pub fn changes(before: &Sizes, after: &Sizes) -> Vec<Changed> {
    let mut found = Vec::new();
    for (old, new) in before.processes.iter().zip(&after.processes) {
        let role = new.role;
        for pool in &new.pools {
            let name = Some(pool.name);
            found.push(Changed { role, name, sum: "", before: old.size(pool.name), after: pool.size });
        }
        for (sum, before, after) in [
            ("totalFlinkMemory", old.flink.0, new.flink.0),
            ("totalProcessMemory", old.process.0, new.process.0),
        ] {
            found.push(Changed { role, name: None, sum, before, after });
        }
    }
    found.retain(|change| change.before != change.after);
    found
}

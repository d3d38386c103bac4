//! Compares the sizes of two configurations, and computes the share of each slot. This module does no I/O.

use flink_model::memory::{Explained, PoolName, Role};
use flink_model::units::MemorySize;

use super::study::Sizes;

/// The share of each of `slots` slots, for the pools that slots share.
pub fn per_slot(explained: &Explained, slots: i32) -> Vec<(PoolName, MemorySize)> {
    let slots = u64::from(slots.unsigned_abs()).max(1);
    let each =
        |name| (name, MemorySize::from_bytes(explained.size(name).bytes() / slots).unwrap_or_default());
    [PoolName::TaskHeap, PoolName::Managed, PoolName::Network].map(each).to_vec()
}

/// A pool, or a sum of pools, whose size has changed.
pub struct Changed {
    /// The process to which the pool belongs.
    pub role: Role,
    /// The pool; `None` for a sum.
    pub name: Option<PoolName>,
    /// The name of the sum in the JSON answer; empty for a pool.
    pub sum: &'static str,
    /// The size before.
    pub before: MemorySize,
    /// The size now.
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

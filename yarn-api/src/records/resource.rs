//! Amounts of resources: memory, cores, and the further types that a cluster may count, such as GPUs. On the
//! wire, memory and cores have fields of their own, and the further types are in a list with names and units.

use std::collections::BTreeMap;
use std::fmt;

use super::wire::{to_i32, to_i64, to_u32, to_u64};
use crate::proto::yarn as pb;

/// The names with which YARN 3 repeats memory and cores among the named resources.
const MEMORY: &str = "memory-mb";
const VCORES: &str = "vcores";

/// An amount of each resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Virtual cores.
    pub vcores: u32,
    /// Other resources (`yarn.io/gpu`) by name, in base units: what is `2 Gi` for YARN is 2147483648 here.
    pub others: BTreeMap<String, u64>,
}

impl Resource {
    /// A resource of memory and cores only.
    pub fn new(memory_mb: u64, vcores: u32) -> Self {
        Self { memory_mb, vcores, others: BTreeMap::new() }
    }

    /// Whether every amount is at most that of `limit`; a resource that `limit` does not name counts as 0
    /// there.
    pub fn fits_in(&self, limit: &Self) -> bool {
        self.memory_mb <= limit.memory_mb
            && self.vcores <= limit.vcores
            && self
                .others
                .iter()
                .all(|(name, amount)| *amount <= limit.others.get(name).copied().unwrap_or(0))
    }

    pub(crate) fn to_proto(&self) -> pb::Resource {
        let others = self.others.iter().map(|(name, amount)| pb::ResourceInformation {
            key: name.clone(),
            value: Some(to_i64(*amount)),
            units: None,
        });
        pb::Resource {
            memory: Some(to_i64(self.memory_mb)),
            virtual_cores: Some(to_i32(self.vcores)),
            resource_value_map: others.collect(),
        }
    }

    /// If the message has no amount of a resource, the amount is 0.
    pub(crate) fn from_proto(p: Option<pb::Resource>) -> Self {
        let p = p.unwrap_or_default();
        let others = p.resource_value_map.iter().filter(|r| r.key != MEMORY && r.key != VCORES);
        Self {
            memory_mb: to_u64(p.memory()),
            vcores: to_u32(p.virtual_cores()),
            others: others.map(|r| (r.key.clone(), in_base_units(to_u64(r.value()), r.units()))).collect(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB, {} vcores", self.memory_mb, self.vcores)?;
        self.others.iter().try_for_each(|(name, amount)| write!(f, ", {amount} {name}"))
    }
}

/// Converts an amount in one of YARN's units (`UnitsConversionUtil`) to base units, rounded down. An unknown
/// unit counts as the base unit.
fn in_base_units(value: u64, units: &str) -> u64 {
    let factor: u64 = match units {
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "m" => return value / 1_000,
        "u" => return value / 1_000_000,
        "n" => return value / 1_000_000_000,
        "p" => return value / 1_000_000_000_000,
        _ => 1,
    };
    value.saturating_mul(factor)
}

/// A kind of resource that the cluster counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Its name, such as `memory-mb`, `vcores` or `yarn.io/gpu`.
    pub name: String,
    /// The unit in which the cluster counts it (`Mi`); empty if it is counted in pieces.
    pub units: String,
}

impl ResourceType {
    pub(crate) fn from_proto(p: pb::ResourceTypeInfo) -> Self {
        Self { name: p.name, units: p.units.unwrap_or_default() }
    }
}

/// A priority. Among the allocation requests of an ApplicationMaster, lower numbers come first; among the
/// applications of a queue, higher ones do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(pub i32);

impl Priority {
    pub(crate) fn to_proto(self) -> pb::Priority {
        pb::Priority { priority: Some(self.0) }
    }

    pub(crate) fn from_proto(p: Option<pb::Priority>) -> Self {
        Self(p.map(|p| p.priority()).unwrap_or_default())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_units_and_skips_repeated_memory() {
        let named = |key: &str, value, units: &str| pb::ResourceInformation {
            key: key.into(),
            value: Some(value),
            units: Some(units.into()),
        };
        let read = Resource::from_proto(Some(pb::Resource {
            memory: Some(4096),
            virtual_cores: Some(2),
            resource_value_map: vec![
                named("memory-mb", 4096, "Mi"),
                named("vcores", 2, ""),
                named("yarn.io/gpu", 1, ""),
                named("disk", 2, "Gi"),
                named("odd", 1500, "m"),
            ],
        }));
        assert_eq!(read.to_string(), "4096 MB, 2 vcores, 2147483648 disk, 1 odd, 1 yarn.io/gpu");
    }

    #[test]
    fn overdrawn_headroom_is_nothing() {
        let read = Resource::from_proto(Some(pb::Resource {
            memory: Some(-1024),
            virtual_cores: Some(-1),
            resource_value_map: Vec::new(),
        }));
        assert_eq!(read, Resource::default());
        assert_eq!(Resource::from_proto(None), Resource::default());
    }

    #[test]
    fn fits() {
        let mut wanted = Resource::new(1024, 1);
        assert!(wanted.fits_in(&Resource::new(1024, 1)));
        assert!(!wanted.fits_in(&Resource::new(1023, 1)));
        wanted.others.insert("yarn.io/gpu".into(), 1);
        assert!(!wanted.fits_in(&Resource::new(2048, 2)));
    }

    proptest! {
        #[test]
        fn resource_survives_wire(memory_mb in 0..=i64::MAX as u64, vcores in 0..=i32::MAX as u32,
            others in proptest::collection::btree_map("[a-z]{1,8}/[a-z]{1,8}", 0..=i64::MAX as u64, 0..4))
        {
            let resource = Resource { memory_mb, vcores, others };
            prop_assert_eq!(Resource::from_proto(Some(resource.to_proto())), resource);
        }
    }
}

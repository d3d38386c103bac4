//! Which nodes an ask names.
//!
//! The CapacityScheduler gives an application one container *off-switch* (asked for anywhere) at each heartbeat of a node, which is one
//! a second and node; for asks that name the node there is no such bound. So where more containers are wanted than there are
//! nodes, each node is asked for its even share, and any other will do as well. Nothing is named where it would not help: a
//! scheduler waits for a named node before it takes another one, so all that is asked for must have room on the named ones.
//! One that does not wait (`yarn.scheduler.capacity.node-locality-delay` of -1) takes the first node of the rack for all of it, so
//! once a node has given more than its share none is named any more.

use std::collections::{BTreeMap, HashMap};

use yarn_api::records::{NodeReport, Priority, Resource, ResourceRequest};

use crate::ledger::types::{Ask, Profile};

/// From this many nodes on, one container at each of their heartbeats is quick enough.
const MOST_NODES: usize = 1000;

/// A node that takes containers of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// As the scheduler calls it.
    pub(super) name: String,
    pub(super) rack: String,
    pub(super) free: Profile,
}

impl Node {
    /// None for one that only serves askers for its label. `with_port`: the scheduler tells nodes of one host apart.
    pub(super) fn new(report: &NodeReport, with_port: bool) -> Option<Self> {
        let (all, used) = (&report.capability, &report.used);
        let others = all.others.iter().map(|(name, amount)| {
            (name.clone(), amount.saturating_sub(used.others.get(name).copied().unwrap_or_default()))
        });
        report.labels.is_empty().then(|| Self {
            name: if with_port { report.id.to_string() } else { report.id.host.clone() },
            rack: report.rack.clone(),
            free: Profile {
                memory_mb: all.memory_mb.saturating_sub(used.memory_mb),
                vcores: all.vcores.saturating_sub(used.vcores),
                resources: others.collect(),
            },
        })
    }

    /// How many containers of a size it has room for. Cores are not counted: by default no scheduler does.
    fn fits(&self, size: &Profile) -> u32 {
        let of = |free: u64, one: u64| free.checked_div(one).unwrap_or(u64::MAX);
        let others = size
            .resources
            .iter()
            .map(|(name, amount)| of(self.free.resources.get(name).copied().unwrap_or_default(), *amount));
        let fits = others.fold(of(self.free.memory_mb, size.memory_mb), u64::min);
        u32::try_from(fits).unwrap_or(u32::MAX)
    }
}

/// What the ResourceManager was last asked for by name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Counts by the names of nodes and racks, by priority.
    counts: HashMap<i32, BTreeMap<String, u32>>,
    /// A node has given more than its share.
    heaped: bool,
}

impl Named {
    /// Whether nodes could be named for these asks, were they known.
    pub(super) fn may_help(&self, asks: &[Ask], label: Option<&str>) -> bool {
        !self.heaped && label.is_none() && asks.iter().any(|ask| ask.count > 1)
    }

    /// The ask as lines of the request table.
    pub(super) fn requests(
        &mut self,
        ask: &Ask,
        label: Option<&str>,
        nodes: &[Node],
    ) -> Vec<ResourceRequest> {
        let line = |name: Option<&str>, count| {
            let anywhere = ResourceRequest::anywhere(Priority(ask.priority), resource(&ask.profile), count);
            ResourceRequest {
                node_label: label.map(str::to_owned),
                allocation_request_id: i64::from(ask.priority),
                resource_name: name.map_or(anywhere.resource_name, str::to_owned),
                ..anywhere
            }
        };
        let nodes = if label.is_none() && !self.heaped { nodes } else { &[] };
        let counts = shares(ask, nodes);
        let before = self.counts.remove(&ask.priority).unwrap_or_default();
        let stale = before.keys().filter(|name| !counts.contains_key(*name));
        let mut lines: Vec<_> = stale.map(|name| line(Some(name), 0)).collect();
        lines.extend(counts.iter().map(|(name, count)| line(Some(name), *count)));
        lines.push(line(None, ask.count));
        self.counts.insert(ask.priority, counts);
        lines
    }

    /// A container of this priority came from this node. True once, when that shows that naming nodes heaps containers on some.
    pub(super) fn granted(&mut self, priority: i32, node: &str) -> bool {
        let Some(counts) = self.counts.get_mut(&priority).filter(|counts| !counts.is_empty()) else {
            return false;
        };
        let in_share = counts.get_mut(node).is_some_and(|left| {
            let any = *left > 0;
            *left = left.saturating_sub(1);
            any
        });
        !in_share && !std::mem::replace(&mut self.heaped, true)
    }
}

/// Counts by the names of nodes and racks; empty where none is to be named.
fn shares(ask: &Ask, nodes: &[Node]) -> BTreeMap<String, u32> {
    if nodes.len() >= MOST_NODES || ask.count as usize <= nodes.len() {
        return BTreeMap::new();
    }
    let mut fits: Vec<(u32, &Node)> = nodes.iter().map(|node| (node.fits(&ask.profile), node)).collect();
    // The fullest first: what it cannot take is shared by those behind it.
    fits.sort_by_key(|(fits, _)| *fits);
    let mut left = ask.count;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (index, (fits, node)) in fits.iter().enumerate() {
        let even = left.div_ceil(u32::try_from(nodes.len() - index).unwrap_or(1));
        let share = even.min(*fits);
        left -= share;
        if share > 0 {
            *counts.entry(node.name.clone()).or_default() += share;
            *counts.entry(node.rack.clone()).or_default() += share;
        }
    }
    if left > 0 { BTreeMap::new() } else { counts }
}

pub(super) fn resource(profile: &Profile) -> Resource {
    Resource { memory_mb: profile.memory_mb, vcores: profile.vcores, others: profile.resources.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(free: &[u64]) -> Vec<Node> {
        let node = |(n, memory_mb): (usize, &u64)| Node {
            name: format!("n{n}"),
            rack: "/r".into(),
            free: Profile { memory_mb: *memory_mb, vcores: 1, ..Profile::default() },
        };
        free.iter().enumerate().map(node).collect()
    }

    fn ask(count: u32) -> Ask {
        Ask { priority: 3, profile: Profile { memory_mb: 1024, vcores: 1, ..Profile::default() }, count }
    }

    fn lines(named: &mut Named, count: u32, nodes: &[Node]) -> Vec<(String, u32)> {
        let lines = named.requests(&ask(count), None, nodes);
        assert!(lines.iter().all(|line| line.relax_locality && line.allocation_request_id == 3));
        lines.into_iter().map(|line| (line.resource_name, line.num_containers)).collect()
    }

    fn expected(of: &[(&str, u32)]) -> Vec<(String, u32)> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn more_containers_than_nodes_are_shared_evenly_and_what_is_full_takes_less() {
        let mut named = Named::default();
        let found = lines(&mut named, 7, &nodes(&[9000, 1500, 9000]));
        assert_eq!(found, expected(&[("/r", 7), ("n0", 3), ("n1", 1), ("n2", 3), ("*", 7)]));
        // Fewer later: no more than the nodes, so none is named, and what was said is taken back.
        let found = lines(&mut named, 2, &nodes(&[9000, 1500, 9000]));
        assert_eq!(found, expected(&[("/r", 0), ("n0", 0), ("n1", 0), ("n2", 0), ("*", 2)]));
        assert_eq!(lines(&mut named, 1, &nodes(&[9000, 9000])), expected(&[("*", 1)]));
    }

    #[test]
    fn nothing_is_named_where_it_would_not_help() {
        let mut named = Named::default();
        assert_eq!(lines(&mut named, 3, &nodes(&[9000, 9000, 9000])), expected(&[("*", 3)]));
        assert_eq!(lines(&mut named, 9, &nodes(&[2048, 2048])), expected(&[("*", 9)]), "no room for all");
        assert_eq!(lines(&mut named, 9, &[]), expected(&[("*", 9)]));
        let labelled = named.requests(&ask(9), Some("gpu"), &nodes(&[99_000]));
        assert_eq!((labelled.len(), labelled[0].node_label.as_deref()), (1, Some("gpu")));
        assert!(!named.may_help(&[ask(9)], Some("gpu")) && !named.may_help(&[ask(1)], None));
    }

    #[test]
    fn a_node_that_gives_more_than_its_share_is_the_last_one_named() {
        let mut named = Named::default();
        let nodes = nodes(&[9000, 9000]);
        lines(&mut named, 5, &nodes);
        let shares = ["n0", "n1", "n0", "n1", "n0"].map(|node| named.granted(3, node));
        assert_eq!(shares.iter().filter(|heaped| **heaped).count(), 0, "three and two");
        assert!(named.granted(3, "n0") && !named.granted(3, "n0"), "told once");
        assert!(!named.may_help(&[ask(5)], None));
        assert_eq!(lines(&mut named, 5, &nodes).last(), expected(&[("*", 5)]).last());
        assert_eq!(lines(&mut named, 5, &nodes), expected(&[("*", 5)]));
        assert!(!named.granted(7, "n0"), "nothing was named for this one");
    }

    #[test]
    fn nodes_of_one_host_share_its_name() {
        let mut both = nodes(&[9000, 9000]);
        both[1].name = "n0".into();
        assert_eq!(lines(&mut Named::default(), 5, &both), expected(&[("/r", 5), ("n0", 5), ("*", 5)]));
    }

    #[test]
    fn room_by_every_resource() {
        let mut node = nodes(&[9000]).remove(0);
        let mut size = ask(1).profile;
        assert_eq!(node.fits(&size), 8);
        size.resources.insert("yarn.io/gpu".into(), 2);
        assert_eq!(node.fits(&size), 0);
        node.free.resources.insert("yarn.io/gpu".into(), 5);
        assert_eq!(node.fits(&size), 2);
    }
}

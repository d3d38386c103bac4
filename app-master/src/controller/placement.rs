//! Which nodes an allocation request names.
//!
//! At each heartbeat of a node, the CapacityScheduler gives an application one container of those that it
//! asks for anywhere (*off-switch*). A node sends a heartbeat a second, so a small cluster fills slowly. For
//! requests that name the node there is no such bound. So where more containers are wanted than there are
//! nodes, each node is asked for its even share; the requests are relaxed, so another node will do as well.
//!
//! No node is named where that would not help. A scheduler waits for a named node before it takes another
//! one, so everything that is asked for must fit on the named nodes. A scheduler that does not wait
//! (`yarn.scheduler.capacity.node-locality-delay` is -1) takes the first node of the rack for all of it; so
//! once a node has given more than its share, no node is named any more.

use std::collections::{BTreeMap, HashMap};

use yarn_api::records::{NodeReport, Priority, Resource, ResourceRequest};

use crate::ledger::types::{Ask, Grant, Profile};

/// From this many nodes on, one container at each heartbeat of a node is fast enough, and no node is named.
const MOST_NODES: usize = 1000;

/// Whether and how nodes are named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// Whether the cluster's nodes can be asked for.
    pub(crate) possible: bool,
    /// Whether the scheduler tells nodes of one host apart by their ports
    /// (`yarn.scheduler.include-port-in-node-name`).
    pub(crate) with_port: bool,
    /// Label of the nodes on which TaskManagers are to run; then none is named.
    pub(crate) label: Option<String>,
}

/// A node that takes containers of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    /// As the scheduler calls it.
    name: String,
    rack: String,
    free: Profile,
}

impl Node {
    /// None for a node with a label, because it serves only requests for that label. `with_port`: the
    /// scheduler tells nodes of one host apart by their ports.
    fn new(report: &NodeReport, with_port: bool) -> Option<Self> {
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

    /// How many containers of a size fit on it. Cores are not counted: by default no scheduler counts them.
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
pub(super) struct Placement {
    naming: Naming,
    /// Counts by the names of nodes and racks, by priority.
    counts: HashMap<i32, BTreeMap<String, u32>>,
    /// A node has given more than its share, so no node is named any more.
    uneven: bool,
}

impl Placement {
    pub(super) fn new(naming: Naming) -> Self {
        Self { naming, ..Self::default() }
    }

    /// Whether nodes could be named for these asks, if they were known.
    pub(super) fn needs_nodes(&self, asks: &[Ask]) -> bool {
        self.names_any() && asks.iter().any(|ask| ask.count > 1)
    }

    fn names_any(&self) -> bool {
        self.naming.possible && self.naming.label.is_none() && !self.uneven
    }

    /// The asks as lines of YARN's request table.
    /// `avoided` tells of a node whether YARN is asked to avoid it.
    pub(super) fn requests(
        &mut self,
        asks: &[Ask],
        reports: &[NodeReport],
        avoided: impl Fn(&str) -> bool,
    ) -> Vec<ResourceRequest> {
        let nodes = reports.iter().filter_map(|node| Node::new(node, self.naming.with_port));
        let nodes: Vec<Node> = nodes.filter(|node| !avoided(&node.name)).collect();
        asks.iter().flat_map(|ask| self.lines(ask, &nodes)).collect()
    }

    fn lines(&mut self, ask: &Ask, nodes: &[Node]) -> Vec<ResourceRequest> {
        let label = &self.naming.label;
        let line = |name: Option<&str>, count| {
            let anywhere = ResourceRequest::anywhere(Priority(ask.priority), resource(&ask.profile), count);
            ResourceRequest {
                node_label: label.clone(),
                allocation_request_id: i64::from(ask.priority),
                resource_name: name.map_or(anywhere.resource_name, str::to_owned),
                ..anywhere
            }
        };
        let counts = shares(ask, if self.names_any() { nodes } else { &[] });
        let before = self.counts.remove(&ask.priority).unwrap_or_default();
        let stale = before.keys().filter(|name| !counts.contains_key(*name));
        let mut lines: Vec<_> = stale.map(|name| line(Some(name), 0)).collect();
        lines.extend(counts.iter().map(|(name, count)| line(Some(name), *count)));
        lines.push(line(None, ask.count));
        self.counts.insert(ask.priority, counts);
        lines
    }

    /// A container was granted. Gives its node if that is the first one to give more than its share.
    pub(super) fn granted(&mut self, grant: &Grant) -> Option<String> {
        let node = if self.naming.with_port { grant.node.to_string() } else { grant.node.host.clone() };
        let counts = self.counts.get_mut(&grant.priority).filter(|counts| !counts.is_empty())?;
        let in_share = counts.get_mut(&node).is_some_and(|left| {
            let any = *left > 0;
            *left = left.saturating_sub(1);
            any
        });
        (!in_share && !std::mem::replace(&mut self.uneven, true)).then_some(node)
    }
}

/// How many containers are asked for by the names of nodes and racks; empty where no node is to be named.
fn shares(ask: &Ask, nodes: &[Node]) -> BTreeMap<String, u32> {
    if nodes.len() >= MOST_NODES || ask.count as usize <= nodes.len() {
        return BTreeMap::new();
    }
    let mut fits: Vec<(u32, &Node)> = nodes.iter().map(|node| (node.fits(&ask.profile), node)).collect();
    // The fullest nodes come first, so that what they cannot take is shared by the others.
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

fn resource(profile: &Profile) -> Resource {
    Resource { memory_mb: profile.memory_mb, vcores: profile.vcores, others: profile.resources.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::types::{Purpose, container_id, node_id};

    fn nodes(free: &[u64]) -> Vec<Node> {
        let node = |(n, memory_mb): (usize, &u64)| Node {
            name: format!("n{n}"),
            rack: "/r".into(),
            free: Profile { memory_mb: *memory_mb, vcores: 1, ..Profile::default() },
        };
        free.iter().enumerate().map(node).collect()
    }

    fn placement() -> Placement {
        Placement::new(Naming { possible: true, ..Naming::default() })
    }

    fn grant(priority: i32, host: &str) -> Grant {
        Grant {
            container: container_id("c1"),
            node: node_id(host, 1),
            priority,
            allocation_request: None,
            purpose: Purpose::TaskManager,
        }
    }

    fn ask(count: u32) -> Ask {
        Ask {
            purpose: Purpose::TaskManager,
            priority: 3,
            profile: Profile { memory_mb: 1024, vcores: 1, ..Profile::default() },
            count,
        }
    }

    fn lines(placement: &mut Placement, count: u32, nodes: &[Node]) -> Vec<(String, u32)> {
        let lines = placement.lines(&ask(count), nodes);
        assert!(lines.iter().all(|line| line.relax_locality && line.allocation_request_id == 3));
        lines.into_iter().map(|line| (line.resource_name, line.num_containers)).collect()
    }

    fn expected(of: &[(&str, u32)]) -> Vec<(String, u32)> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn more_containers_than_nodes_are_shared_evenly_and_what_is_full_takes_less() {
        let mut placement = placement();
        let found = lines(&mut placement, 7, &nodes(&[9000, 1500, 9000]));
        assert_eq!(found, expected(&[("/r", 7), ("n0", 3), ("n1", 1), ("n2", 3), ("*", 7)]));
        // Fewer later: no more than the nodes, so none is named, and what was said is taken back.
        let found = lines(&mut placement, 2, &nodes(&[9000, 1500, 9000]));
        assert_eq!(found, expected(&[("/r", 0), ("n0", 0), ("n1", 0), ("n2", 0), ("*", 2)]));
        assert_eq!(lines(&mut placement, 1, &nodes(&[9000, 9000])), expected(&[("*", 1)]));
    }

    #[test]
    fn nothing_is_named_where_it_would_not_help() {
        let mut placement = placement();
        assert_eq!(lines(&mut placement, 3, &nodes(&[9000, 9000, 9000])), expected(&[("*", 3)]));
        assert_eq!(
            lines(&mut placement, 9, &nodes(&[2048, 2048])),
            expected(&[("*", 9)]),
            "not all of them fit"
        );
        assert_eq!(lines(&mut placement, 9, &[]), expected(&[("*", 9)]));
        let mut gpu = Placement::new(Naming { label: Some("gpu".into()), possible: true, with_port: false });
        let labelled = gpu.lines(&ask(9), &nodes(&[99_000]));
        assert_eq!((labelled.len(), labelled[0].node_label.as_deref()), (1, Some("gpu")));
        assert!(!gpu.needs_nodes(&[ask(9)]) && !placement.needs_nodes(&[ask(1)]));
        assert!(placement.needs_nodes(&[ask(2)]) && !Placement::default().needs_nodes(&[ask(2)]));
    }

    #[test]
    fn a_node_that_gives_more_than_its_share_is_the_last_one_named() {
        let mut placement = placement();
        let nodes = nodes(&[9000, 9000]);
        lines(&mut placement, 5, &nodes);
        let shares = ["n0", "n1", "n0", "n1", "n0"].map(|node| placement.granted(&grant(3, node)));
        assert_eq!(shares, [const { None::<String> }; 5], "three and two");
        assert_eq!(placement.granted(&grant(3, "n0")).as_deref(), Some("n0"));
        assert_eq!(placement.granted(&grant(3, "n0")), None, "told once");
        assert!(!placement.needs_nodes(&[ask(5)]));
        assert_eq!(lines(&mut placement, 5, &nodes).last(), expected(&[("*", 5)]).last());
        assert_eq!(lines(&mut placement, 5, &nodes), expected(&[("*", 5)]));
        assert_eq!(placement.granted(&grant(7, "n0")), None, "nothing was named for this one");
    }

    #[test]
    fn nodes_of_one_host_share_its_name() {
        let mut both = nodes(&[9000, 9000]);
        both[1].name = "n0".into();
        assert_eq!(lines(&mut placement(), 5, &both), expected(&[("/r", 5), ("n0", 5), ("*", 5)]));
    }

    #[test]
    fn what_fits_by_every_resource() {
        let mut node = nodes(&[9000]).remove(0);
        let mut size = ask(1).profile;
        assert_eq!(node.fits(&size), 8);
        size.resources.insert("yarn.io/gpu".into(), 2);
        assert_eq!(node.fits(&size), 0);
        node.free.resources.insert("yarn.io/gpu".into(), 5);
        assert_eq!(node.fits(&size), 2);
    }
}

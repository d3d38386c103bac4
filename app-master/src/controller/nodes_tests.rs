use yarn_api::records::Resource;

use super::*;
use crate::ledger::types::{container_id, node_id};

struct Bench {
    nodes: Nodes,
    now: Instant,
}

impl Bench {
    fn new(size: u32) -> Self {
        let mut bench = Self { nodes: Nodes::new(false), now: Instant::now() };
        bench.news(ClusterNews { size, ..ClusterNews::default() });
        bench
    }

    fn news(&mut self, news: ClusterNews) -> Vec<Observation> {
        let mut out = Output::default();
        let on = |node: &NodeId| if node.host == "n1" { vec![container_id("c1")] } else { vec![] };
        self.nodes.news(news, on, &mut out);
        out.observations
    }

    fn failed(&mut self, host: &str, failure: Failure) {
        self.nodes.failed(&node_id(host, 1), failure, "boom", self.now);
    }

    fn tick(&mut self, asked: bool) -> Vec<Observation> {
        let mut out = Output::default();
        self.nodes.tick(asked, false, self.now, &mut out);
        out.observations
    }

    fn avoided(&self) -> Vec<&str> {
        self.nodes.avoided.iter().map(String::as_str).collect()
    }

    fn changes(&mut self) -> (Vec<String>, Vec<String>) {
        let sent = self.nodes.outgoing();
        self.nodes.heard(&sent);
        (sent.add.into_iter().collect(), sent.remove.into_iter().collect())
    }
}

fn report(host: &str, state: NodeState, health: Option<&str>) -> NodeReport {
    NodeReport {
        id: node_id(host, 1),
        state,
        http_address: String::new(),
        rack: String::new(),
        capability: Resource::new(1, 1),
        used: Resource::new(0, 0),
        containers: 0,
        health_report: health.map(str::to_owned),
        last_health_report: None,
        labels: BTreeSet::new(),
    }
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_node_on_which_task_managers_fail_again_and_again_is_avoided_for_a_while() {
    let mut bench = Bench::new(3);
    for _ in 0..2 {
        bench.failed("n1", Failure::Start);
        assert_eq!((bench.tick(false), bench.nodes.wake()), (vec![], None), "this may happen anywhere");
    }
    bench.failed("n1", Failure::Start);
    let avoided = Observation::NodeAvoided { name: "n1".into(), why: "boom".into() };
    assert_eq!(bench.tick(false), [avoided]);
    assert!(bench.nodes.is_avoided("n1"));
    assert_eq!(bench.changes(), (names(&["n1"]), vec![]));
    assert_eq!(bench.changes(), (vec![], vec![]), "it is told once");
    bench.nodes.forgotten();
    assert_eq!(bench.changes(), (names(&["n1"]), vec![]), "a ResourceManager that begins anew is told again");
    bench.now = bench.nodes.wake().unwrap();
    assert_eq!(bench.tick(false), [Observation::NodesWantedAgain { names: names(&["n1"]) }]);
    assert_eq!(bench.changes(), (vec![], names(&["n1"])));
    assert_eq!(bench.nodes.wake(), None);
}

#[test]
fn failures_that_lie_far_apart_do_not_add_up() {
    let mut bench = Bench::new(3);
    for _ in 0..100 {
        bench.failed("n1", Failure::Start);
        assert_eq!(bench.tick(false), []);
        bench.now += HALF_LIFE;
    }
}

#[test]
fn never_so_many_are_avoided_that_too_few_are_left() {
    for (size, most) in [(1, 0), (2, 1), (3, 1), (9, 3)] {
        let mut bench = Bench::new(size);
        for host in 0..size {
            (0..=host + 1).for_each(|_| bench.failed(&format!("n{host}"), Failure::Node));
        }
        bench.tick(false);
        let worst = (0..size).rev().take(most).map(|host| format!("n{host}"));
        let mut worst: Vec<String> = worst.collect();
        worst.sort();
        assert_eq!(bench.avoided(), worst, "of {size}");
    }
}

#[test]
fn where_nothing_is_granted_every_node_is_wanted_again() {
    let mut bench = Bench::new(2);
    (0..3).for_each(|_| bench.failed("n1", Failure::Node));
    bench.tick(true);
    assert_eq!(bench.avoided(), ["n1"]);
    assert_eq!(bench.nodes.wake(), Some(bench.now + PATIENCE));
    bench.now += PATIENCE;
    assert_eq!(bench.tick(true), [Observation::NodesWantedAgain { names: names(&["n1"]) }]);
    assert_eq!(bench.tick(true), [], "its failures are forgotten");
    assert!(bench.avoided().is_empty());
}

#[test]
fn only_what_happens_to_nodes_of_ours_is_told() {
    let mut bench = Bench::new(3);
    let mut news = |reports: Vec<NodeReport>| {
        let observed = bench.news(ClusterNews { nodes: reports, ..ClusterNews::default() });
        observed
            .into_iter()
            .map(|o| match o {
                Observation::NodeChanged { state, .. } => state,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(news(vec![report("n2", NodeState::Lost, None)]), names(&[]));
    let leaving = || report("n1", NodeState::Decommissioning, Some(" disks are full "));
    assert_eq!(news(vec![leaving()]), names(&["DECOMMISSIONING: disks are full"]));
    assert_eq!(news(vec![leaving()]), names(&[]), "nothing new");
    assert_eq!(news(vec![report("n1", NodeState::Decommissioned, None)]), names(&["DECOMMISSIONED"]));
    assert_eq!(bench.nodes.state(&node_id("n1", 1)), Some("DECOMMISSIONED"));
    let back = bench
        .news(ClusterNews { nodes: vec![report("n1", NodeState::Running, None)], ..ClusterNews::default() });
    assert_eq!((back.len(), bench.nodes.state(&node_id("n1", 1))), (1, None));
}

#[test]
fn a_preemption_is_announced_once() {
    let mut bench = Bench::new(3);
    let preemption = |strict: &[&str], negotiable: &[&str]| {
        let ids = |names: &[&str]| names.iter().map(|name| container_id(name)).collect();
        let preemption =
            Preemption { strict: ids(strict), negotiable: ids(negotiable), ..Preemption::default() };
        ClusterNews { preemption: Some(preemption), ..ClusterNews::default() }
    };
    let announced = |name: &str, certain| Observation::PreemptionAnnounced {
        containers: vec![container_id(name)],
        certain,
    };
    assert_eq!(bench.news(preemption(&["c1"], &["c2"])), [announced("c1", true), announced("c2", false)]);
    assert_eq!(bench.news(preemption(&["c1"], &["c2"])), []);
    assert_eq!(bench.news(preemption(&["c3"], &[])), [announced("c3", true)]);
}

#[test]
fn nodes_that_share_a_name_are_not_avoided() {
    let mut bench = Bench::new(2);
    for port in [1, 2, 2, 2] {
        bench.nodes.failed(&node_id("n1", port), Failure::Node, "boom", bench.now);
    }
    assert_eq!(bench.tick(false), []);
}

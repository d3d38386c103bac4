//! The nodes on which TaskManagers run: what YARN says of them, and which ones it is asked to avoid because
//! TaskManagers fail there. Pure: the time is an argument.
//!
//! A node gets points for each failure that may be its own, and loses half of them every ten minutes. The
//! nodes with the most points are avoided, but never more than a third of the cluster, and none while YARN
//! has granted nothing for a minute: a TaskManager on a bad node may still start, and no TaskManager does
//! not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::{ContainerId, NodeId, NodeReport, NodeState, Preemption};

use super::event::{ClusterNews, Output};
use super::observation::Observation;
use crate::ledger::types::Avoidance;

/// After this time a failure counts half.
const HALF_LIFE: Duration = Duration::from_secs(10 * 60);
/// A node with as many points as this is avoided: the third failure within a few minutes.
const AVOIDED_FROM: f64 = 2.5;
/// A node with fewer points than this is not avoided any more.
const AVOIDED_TO: f64 = 1.0;
/// A score with fewer points than this is forgotten.
const FORGOTTEN_AT: f64 = AVOIDED_TO / 8.0;
/// How long asks may be open without a grant while nodes are avoided.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much a failure says about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// A TaskManager did not start there. Its settings may be the reason just as well.
    Start,
    /// YARN says that it is the node's fault.
    Node,
}

impl Failure {
    fn points(self) -> f64 {
        match self {
            Self::Start => 1.0,
            Self::Node => 1.5,
        }
    }
}

#[derive(Debug, Clone)]
struct Score {
    points: f64,
    at: Instant,
    why: String,
}

impl Score {
    fn now(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.points * 0.5_f64.powf(passed / HALF_LIFE.as_secs_f64())
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// The scheduler tells nodes of one host apart by their ports.
    with_port: bool,
    size: u32,
    /// Nodes that do not run as usual, and what YARN says of them.
    states: BTreeMap<NodeId, String>,
    /// By the scheduler's names of nodes.
    scores: BTreeMap<String, Score>,
    /// Port of a NodeManager by the scheduler's name of its node.
    ports: BTreeMap<String, u16>,
    /// Several nodes have the same name, so to avoid one would be to avoid all.
    ambiguous: bool,
    avoided: BTreeSet<String>,
    /// What the ResourceManager was told to avoid.
    told: BTreeSet<String>,
    /// Containers whose preemption was observed.
    preempted: BTreeSet<ContainerId>,
    waiting_since: Option<Instant>,
}

impl Nodes {
    pub(super) fn new(with_port: bool) -> Self {
        Self { with_port, ..Self::default() }
    }

    /// What YARN says of a node that does not run as usual.
    pub(super) fn state(&self, node: &NodeId) -> Option<&str> {
        self.states.get(node).map(String::as_str)
    }

    /// Whether YARN is asked to avoid a node of this name.
    pub(super) fn is_avoided(&self, name: &str) -> bool {
        self.avoided.contains(name)
    }

    /// A heartbeat was answered. `on`: the containers of ours on a node.
    pub(super) fn news(
        &mut self,
        news: ClusterNews,
        on: impl Fn(&NodeId) -> Vec<ContainerId>,
        out: &mut Output,
    ) {
        if news.size > 0 {
            self.size = news.size;
        }
        for report in news.nodes {
            self.changed(&report, &on, out);
        }
        let Preemption { strict, negotiable, .. } = news.preemption.unwrap_or_default();
        for (containers, certain) in [(strict, true), (negotiable, false)] {
            // Each answer names them anew until they are gone.
            let new: Vec<_> = containers.into_iter().filter(|id| self.preempted.insert(*id)).collect();
            if !new.is_empty() {
                out.observe(Observation::PreemptionAnnounced { containers: new, certain });
            }
        }
    }

    fn changed(&mut self, report: &NodeReport, on: &impl Fn(&NodeId) -> Vec<ContainerId>, out: &mut Output) {
        let running = matches!(report.state, NodeState::Running | NodeState::New);
        let text = match report.health_report.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(why) if !running => format!("{}: {why}", report.state),
            _ => report.state.to_string(),
        };
        let before = match running {
            true => self.states.remove(&report.id),
            false => self.states.insert(report.id.clone(), text.clone()),
        };
        let changed = if running { before.is_some() } else { before.as_ref() != Some(&text) };
        let containers = on(&report.id);
        // What happens to nodes without a container of ours is of no interest here.
        if changed && (!containers.is_empty() || before.is_some()) {
            out.observe(Observation::NodeChanged { node: report.id.clone(), state: text, containers });
        }
    }

    /// A TaskManager has failed on this node.
    pub(super) fn failed(&mut self, node: &NodeId, failure: Failure, why: &str, now: Instant) {
        let name = if self.with_port { node.to_string() } else { node.host.clone() };
        self.ambiguous |= *self.ports.entry(name.clone()).or_insert(node.port) != node.port;
        let score = self.scores.entry(name).or_insert(Score { points: 0.0, at: now, why: String::new() });
        *score = Score { points: score.now(now) + failure.points(), at: now, why: why.to_owned() };
    }

    /// Time has passed. `asked`: requests are open; `granted`: there was a grant just now.
    pub(super) fn tick(&mut self, asked: bool, granted: bool, now: Instant, out: &mut Output) {
        if !asked || granted {
            self.waiting_since = None;
        }
        if asked {
            self.waiting_since.get_or_insert(now);
        }
        self.scores.retain(|_, score| score.now(now) > FORGOTTEN_AT);
        let starved = self.waiting_since.is_some_and(|since| now - since >= PATIENCE);
        if starved && !self.avoided.is_empty() {
            // They begin anew; those that fail again are avoided again.
            self.avoided.iter().for_each(|name| drop(self.scores.remove(name)));
            out.observe(Observation::NodesWantedAgain { names: self.avoided.iter().cloned().collect() });
            self.avoided.clear();
            self.waiting_since = None;
            return;
        }
        let points = |name: &String| self.scores.get(name).map_or(0.0, |score| score.now(now));
        let back: Vec<_> = self.avoided.iter().filter(|name| points(name) < AVOIDED_TO).cloned().collect();
        let mut bad: Vec<(f64, String)> = self
            .scores
            .iter()
            .map(|(name, score)| (score.now(now), name.clone()))
            .filter(|(points, name)| *points >= AVOIDED_FROM && !self.avoided.contains(name))
            .collect();
        bad.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        for name in &back {
            self.avoided.remove(name);
        }
        if !back.is_empty() {
            out.observe(Observation::NodesWantedAgain { names: back });
        }
        for (_, name) in bad {
            if self.avoided.len() >= self.most() {
                break;
            }
            let why = self.scores.get(&name).map(|score| score.why.clone()).unwrap_or_default();
            self.avoided.insert(name.clone());
            out.observe(Observation::NodeAvoided { name, why });
        }
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        if self.avoided.is_empty() {
            return None;
        }
        let starved = self.waiting_since.map(|since| since + PATIENCE);
        let back = self.avoided.iter().filter_map(|name| self.scores.get(name)).map(|score| {
            let halves = (score.points / AVOIDED_TO).log2().max(0.0);
            // A second later: then it has certainly fallen below.
            score.at + HALF_LIFE.mul_f64(halves) + Duration::from_secs(1)
        });
        back.chain(starved).min()
    }

    /// Most nodes that are avoided at a time.
    fn most(&self) -> usize {
        match self.size as usize {
            _ if self.ambiguous => 0,
            0 | 1 => 0,
            size => (size / 3).max(1),
        }
    }

    /// What the ResourceManager has to hear with the next heartbeat.
    pub(super) fn outgoing(&self) -> Avoidance {
        let less = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        Avoidance { add: less(&self.avoided, &self.told), remove: less(&self.told, &self.avoided) }
    }

    /// The ResourceManager has heard it.
    pub(super) fn heard(&mut self, sent: &Avoidance) {
        self.told.extend(sent.add.iter().cloned());
        self.told.retain(|name| !sent.remove.contains(name));
    }

    /// The ResourceManager has forgotten what it was told.
    pub(super) fn forgotten(&mut self) {
        self.told.clear();
    }
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;

//! Nodes of the application that were lost or did not work, and those that YARN was asked to avoid.

use outcomes::{AVOIDED, NodeNote};

use super::texts::short;
use crate::controller::observation::Observation;

/// How many nodes are remembered.
const MOST: usize = 50;
/// Most bytes of what is said of a node.
const STATE: usize = 400;
/// How many containers of a node are named.
const CONTAINERS: usize = 50;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct NodeNotes(Vec<NodeNote>);

impl NodeNotes {
    /// Takes note of what concerns nodes; whether it did.
    pub(super) fn note(&mut self, observation: &Observation, now: u64) -> bool {
        match observation {
            Observation::NodeChanged { node, state, containers } => {
                let containers = containers.iter().take(CONTAINERS).map(ToString::to_string).collect();
                self.put(NodeNote {
                    node: node.to_string(),
                    state: short(state, STATE),
                    at: now,
                    containers,
                });
            }
            Observation::NodeAvoided { name, why } => {
                let state = short(&format!("{AVOIDED}: {why}"), STATE);
                self.put(NodeNote { node: name.clone(), state, at: now, containers: Vec::new() });
            }
            Observation::NodesWantedAgain { names } => {
                self.0.retain(|note| !(is_avoided(note) && names.contains(&note.node)));
            }
            _ => return false,
        }
        true
    }

    /// The newest word on a node replaces the one before; what is avoided is another matter.
    fn put(&mut self, note: NodeNote) {
        self.0.retain(|other| other.node != note.node || is_avoided(other) != is_avoided(&note));
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(note);
    }

    /// Puts those of earlier attempts in front, if there is no newer word on their nodes.
    pub(super) fn put_in_front(&mut self, earlier: Vec<NodeNote>) {
        let own = std::mem::take(&mut self.0);
        earlier.into_iter().chain(own).for_each(|note| self.put(note));
    }

    /// All of them, the oldest first.
    pub(super) fn list(&self) -> Vec<NodeNote> {
        self.0.clone()
    }
}

fn is_avoided(note: &NodeNote) -> bool {
    note.state.starts_with(AVOIDED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::types::{container_id, node_id};

    fn changed(host: &str, state: &str) -> Observation {
        let containers = vec![container_id("c2")];
        Observation::NodeChanged { node: node_id(host, 8041), state: state.into(), containers }
    }

    fn told(notes: &NodeNotes) -> Vec<(String, String, u64)> {
        notes.list().into_iter().map(|note| (note.node, note.state, note.at)).collect()
    }

    #[test]
    fn the_newest_word_on_each_node() {
        let mut notes = NodeNotes::default();
        assert!(!notes.note(&Observation::Registering, 1));
        assert!(notes.note(&changed("n1", "UNHEALTHY: disks"), 2));
        notes.note(&Observation::NodeAvoided { name: "n1:8041".into(), why: "it fails".into() }, 3);
        notes.note(&changed("n1", "LOST"), 4);
        let row = |state: &str, at| ("n1:8041".to_owned(), state.to_owned(), at);
        assert_eq!(told(&notes), [row("AVOIDED: it fails", 3), row("LOST", 4)]);
        assert_eq!(notes.list()[1].containers, ["container_1_0001_01_000002"]);
        notes.note(&Observation::NodesWantedAgain { names: vec!["n1:8041".into()] }, 5);
        assert_eq!(told(&notes), [row("LOST", 4)]);
        let earlier = NodeNote { node: "n1:8041".into(), state: "UNHEALTHY".into(), ..NodeNote::default() };
        let other = NodeNote { node: "n2:8041".into(), state: "LOST".into(), ..NodeNote::default() };
        notes.put_in_front(vec![earlier, other]);
        assert_eq!(told(&notes), [("n2:8041".into(), "LOST".into(), 0), row("LOST", 4)]);
    }

    #[test]
    fn few_nodes_are_remembered() {
        let mut notes = NodeNotes::default();
        for n in 0..200 {
            notes.note(&changed(&format!("n{n}"), "LOST"), n);
        }
        assert_eq!((told(&notes).len(), told(&notes)[0].2), (MOST, 150));
    }
}

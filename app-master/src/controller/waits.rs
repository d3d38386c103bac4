//! What is told of containers that YARN does not grant: how many of what size, for how long, and what the
//! ResourceManager says of the room that there is. Each size is told after ten seconds, after a minute and
//! then every five minutes, the first times when the reason becomes another one, and when it is over. Pure:
//! the time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use yarn_api::records::{NodeReport, NodeState};

use super::event::ClusterNews;
use super::observation::Observation;
use crate::ledger::types::Profile;

/// Containers that come within this time are nothing to speak of.
const FIRST: Duration = Duration::from_secs(10);
/// The time from the first telling to the second one.
const TO_SECOND: Duration = Duration::from_secs(50);
/// The time between two later ones.
const LATER: Duration = Duration::from_secs(300);
/// The shortest time between two tellings of a size because the reason has changed.
const CALM: Duration = Duration::from_secs(10);
/// How often that is done. On a busy cluster the reason can change back and forth for hours; from then on
/// another one is told as seldom as one that stays.
const CHANGES: u32 = 5;
/// Requests that were made within this time have the same age for people.
const TOGETHER: Duration = Duration::from_secs(2);
/// After this time without an answer to a heartbeat, the ResourceManager is taken for silent. While
/// containers are asked for, it answers every second.
const SILENCE: Duration = Duration::from_secs(30);
/// For how long a list of the nodes holds. It is renewed every half a minute where nodes are listed at all.
const LISTED: Duration = Duration::from_secs(60);

/// Why containers of a size are not granted, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The ResourceManager does not answer.
    Silence,
    /// No node is as large.
    TooLarge,
    /// No node has so much room at the moment.
    NodesFull,
    /// The queue has no room for one.
    QueueFull,
    /// There is room in the queue. The nodes are not known, or have room as well.
    Other,
}

/// How a wait was last told.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    /// How often it was told because it was time.
    times: u32,
    /// How often it was told before that, because the reason had changed.
    changes: u32,
    why: Why,
}

impl Told {
    /// When it is time again.
    fn again(self) -> Instant {
        self.at + if self.times <= 1 { TO_SECOND } else { LATER }
    }

    /// From when on another reason is told.
    fn calm(self) -> Instant {
        self.at + if self.changes < CHANGES { CALM } else { LATER }
    }
}

/// Containers of one size that are asked for.
#[derive(Debug, Default)]
struct Wait {
    /// Since when each of them is, the oldest first. YARN grants the oldest first.
    since: VecDeque<Instant>,
    told: Option<Told>,
}

impl Wait {
    fn resize(&mut self, count: u32, now: Instant) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        while self.since.len() > count {
            self.since.pop_front();
        }
        self.since.resize(count, now);
    }

    /// When it is to be told next if the reason stays.
    fn due(&self) -> Option<Instant> {
        let first = *self.since.front()? + FIRST;
        Some(self.told.map_or(first, |told| told.again().max(first)))
    }

    /// When the containers were asked for, in words.
    fn age(&self, now: Instant) -> String {
        let seconds = open_for(self, now).as_secs();
        let (first, last) = (self.since.front(), self.since.back());
        let spread = first.zip(last).map(|(first, last)| last.saturating_duration_since(*first));
        match spread.is_some_and(|spread| spread > TOGETHER) {
            true => format!("the first of them asked for {seconds} s ago"),
            false => format!("asked for {seconds} s ago"),
        }
    }

    /// Whether it is told now for this reason.
    fn is_told_now(&self, why: Why, now: Instant) -> bool {
        let first = self.since.front().is_some_and(|since| now >= *since + FIRST);
        let changed = |told: Told| told.why != why && now >= told.calm();
        first && (self.due().is_some_and(|due| now >= due) || self.told.is_some_and(changed))
    }
}

/// What is known of the room for containers.
#[derive(Debug, Default)]
struct Surroundings {
    /// The node label that the containers need.
    label: Option<String>,
    /// When the ResourceManager has last answered a heartbeat.
    heard: Option<Instant>,
    /// What the application can still get in its queue.
    left: Option<Profile>,
    /// How many nodes the cluster has; 0 if that is not known.
    nodes: u32,
    /// The memory in MiB of the largest node, what the freest node has left, and when they were listed.
    listed: Option<(u64, Profile, Instant)>,
}

impl Surroundings {
    /// The memory in MiB of the largest node, and what the freest node has left, where that is known.
    fn nodes_for(&self, size: &Profile, now: Instant) -> Option<(u64, &Profile)> {
        // A node with little memory may be the one that has the other resources.
        let (largest, freest, at) = self.listed.as_ref().filter(|_| size.resources.is_empty())?;
        (now.saturating_duration_since(*at) < LISTED).then_some((*largest, freest))
    }

    fn why(&self, size: &Profile, now: Instant) -> Why {
        let nodes = self.nodes_for(size, now);
        let lacks = |room: &Profile| room.memory_mb < size.memory_mb;
        if self.heard.is_some_and(|heard| now.saturating_duration_since(heard) >= SILENCE) {
            Why::Silence
        } else if nodes.is_some_and(|(largest, _)| largest < size.memory_mb) {
            Why::TooLarge
        // A container for which YARN has reserved a node counts in the queue already.
        } else if nodes.is_some_and(|(_, freest)| lacks(freest)) {
            Why::NodesFull
        } else if self.left.as_ref().is_some_and(lacks) {
            Why::QueueFull
        } else {
            Why::Other
        }
    }

    /// The wait in whole sentences.
    fn words(&self, size: &Profile, wait: &Wait, why: Why, now: Instant) -> String {
        let (what, are, they_wait) = match wait.since.len() {
            1 => ("A container".to_owned(), "is", "It waits"),
            count => (format!("{count} containers"), "are", "They wait"),
        };
        let of = self.of(size);
        let mut text = format!("{what} of {of}, {}, {are} not granted yet.", wait.age(now));
        if why == Why::Silence {
            text.push_str(" The ResourceManager does not answer.");
            return text;
        }
        if let Some(left) = &self.left {
            text.push_str(&format!(
                " YARN says that the application can still get {} in its queue.",
                amounts(left)
            ));
        }
        if let Some((largest, freest)) = self.nodes_for(size, now) {
            let freest = amounts(freest);
            text.push_str(&format!(
                " The largest node has {largest} MB, and the one with the most room has {freest} left."
            ));
        }
        if self.nodes > 0 {
            text.push_str(&format!(" The cluster has {}.", number(self.nodes, "node")));
        }
        match why {
            Why::TooLarge => text.push_str(" No node is large enough."),
            Why::NodesFull => text.push_str(&format!(" {they_wait} until a node has room.")),
            Why::QueueFull => text.push_str(&format!(" {they_wait} for room in the queue.")),
            Why::Other | Why::Silence => {}
        }
        text
    }

    /// The size and the label of containers.
    fn of(&self, size: &Profile) -> String {
        match &self.label {
            Some(label) => format!("{} on nodes with the label {label}", amounts(size)),
            None => amounts(size),
        }
    }
}

/// Memory, cores and other resources for people.
fn amounts(size: &Profile) -> String {
    let others = size.resources.iter().map(|(name, amount)| format!("{amount} of {name}"));
    let parts: Vec<String> =
        [format!("{} MB", size.memory_mb), number(size.vcores, "vcore")].into_iter().chain(others).collect();
    match parts.as_slice() {
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
        [] => String::new(),
    }
}

fn number(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Waits {
    open: BTreeMap<Profile, Wait>,
    surroundings: Surroundings,
}

impl Waits {
    /// `label`: the node label that containers of TaskManagers need.
    pub(super) fn new(label: Option<String>) -> Self {
        let label = label.filter(|label| !label.is_empty());
        Self { open: BTreeMap::new(), surroundings: Surroundings { label, ..Surroundings::default() } }
    }

    /// The ResourceManager has answered a heartbeat.
    pub(super) fn heard(&mut self, news: &ClusterNews, now: Instant) {
        let surroundings = &mut self.surroundings;
        surroundings.heard = Some(now);
        surroundings.nodes = news.size;
        surroundings.left.clone_from(&news.left);
    }

    /// The running nodes were listed; or could not be, if there are none.
    pub(super) fn listed(&mut self, nodes: &[NodeReport], now: Instant) {
        // A node with a label serves only requests for that label, and for such requests no nodes are listed.
        let usable = || {
            nodes
                .iter()
                .filter(|node| node.state == NodeState::Running && node.labels.iter().all(String::is_empty))
        };
        let free = |node: &NodeReport| Profile {
            memory_mb: node.capability.memory_mb.saturating_sub(node.used.memory_mb),
            vcores: node.capability.vcores.saturating_sub(node.used.vcores),
            ..Profile::default()
        };
        let largest = usable().map(|node| node.capability.memory_mb).max();
        let freest = usable().map(free).max_by_key(|free| (free.memory_mb, free.vcores));
        if let Some((largest, freest)) = largest.zip(freest) {
            self.surroundings.listed = Some((largest, freest, now));
        }
    }

    /// Something has happened, or time has passed. `open`: what is asked for and not granted, by size.
    /// `granted`: YARN has granted containers just now. Gives what is to be told.
    pub(super) fn step<'a>(
        &mut self,
        open: impl Iterator<Item = (&'a Profile, u32)>,
        granted: bool,
        now: Instant,
    ) -> Vec<Observation> {
        let counts: BTreeMap<&Profile, u32> = open.collect();
        let mut observed = Vec::new();
        let surroundings = &self.surroundings;
        self.open.retain(|size, wait| {
            let stays = counts.contains_key(size);
            if !stays && wait.told.is_some() {
                observed.push(over(surroundings, size, wait, granted, now));
            }
            stays
        });
        for (size, count) in counts {
            let wait = self.open.entry(size.clone()).or_default();
            wait.resize(count, now);
            let why = surroundings.why(size, now);
            if !wait.is_told_now(why, now) {
                continue;
            }
            let (times, changes) = match wait.told {
                Some(told) if now < told.again() => (told.times, told.changes.saturating_add(1)),
                Some(told) => (told.times.saturating_add(1), told.changes),
                None => (1, 0),
            };
            wait.told = Some(Told { at: now, times, changes, why });
            let open_for = open_for(wait, now);
            observed.push(Observation::ContainersWait {
                size: size.clone(),
                count,
                label: surroundings.label.clone(),
                open_for,
                text: surroundings.words(size, wait, why, now),
            });
        }
        observed
    }

    /// When the next step is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.open.values().filter_map(Wait::due).min()
    }
}

/// For how long the oldest request is open.
fn open_for(wait: &Wait, now: Instant) -> Duration {
    wait.since.front().map_or(Duration::ZERO, |since| now.saturating_duration_since(*since))
}

fn over(
    surroundings: &Surroundings,
    size: &Profile,
    wait: &Wait,
    granted: bool,
    now: Instant,
) -> Observation {
    let (of, open_for) = (surroundings.of(size), open_for(wait, now));
    let text = match granted {
        true => {
            format!("The containers of {of} that were waited for have come, after {} s.", open_for.as_secs())
        }
        false => format!("Containers of {of} are not asked for any more, after {} s.", open_for.as_secs()),
    };
    let (size, label) = (size.clone(), surroundings.label.clone());
    Observation::ContainersWaitNoLonger { size, label, open_for, granted, text }
}

#[cfg(test)]
#[path = "waits_tests.rs"]
mod tests;

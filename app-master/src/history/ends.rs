//! How containers have ended: a list that keeps the first and the latest ends.

use std::collections::VecDeque;

use diagnosis::facts::{ContainerEnd, MemorySamples};
use outcomes::Entry;

use super::texts::short;

/// How many ends are kept for ever, because they show how it began.
const FIRST: usize = 100;
/// How many ends are kept in all.
const MOST: usize = 2000;
/// Most bytes of all texts of the ends behind the first ones.
const ALL_TEXTS: usize = 1 << 20;
/// Most bytes of YARN's diagnostics of one end.
const DIAGNOSTICS: usize = 800;
/// Most bytes of one line that a JVM has said, and of all such lines of one end.
const LINE: usize = 400;
const LINES: usize = 1000;
/// Of how many of the latest ends it is kept how the memory had gone.
const SAMPLED: usize = 50;
/// How many last lines are kept behind the first one, which is the summary of the taskrunner.
const LAST: usize = 8;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Ends {
    first: Vec<Entry>,
    latest: VecDeque<Entry>,
    /// Bytes of the texts of `latest`.
    texts: usize,
    dropped: u64,
}

impl Ends {
    pub(super) fn add(&mut self, mut entry: Entry) {
        shorten(&mut entry.end);
        if self.first.len() < FIRST {
            self.first.push(entry);
            return;
        }
        self.texts += size(&entry.end);
        self.latest.push_back(entry);
        self.trim();
    }

    /// Whether there is an end of this container.
    pub(super) fn has(&self, container: &str) -> bool {
        self.iter().any(|entry| entry.end.container == container)
    }

    /// Changes what is known of the latest end of this container.
    pub(super) fn change(&mut self, container: &str, change: impl FnOnce(&mut ContainerEnd)) {
        let is_it = |entry: &Entry| entry.end.container == container;
        if let Some(at) = self.latest.iter().rposition(is_it) {
            if let Some(Entry { end, .. }) = self.latest.get_mut(at) {
                self.texts = self.texts.saturating_sub(size(end));
                change(end);
                shorten(end);
                self.texts += size(end);
            }
            self.trim();
        } else if let Some(Entry { end, .. }) = self.first.iter_mut().rfind(|entry| is_it(entry)) {
            change(end);
            shorten(end);
        }
    }

    /// Adds how the memory of a container had gone to its latest end. Of the oldest ends that is forgotten
    /// then.
    pub(super) fn set_memory(&mut self, container: &str, samples: MemorySamples) {
        let mut all = self.first.iter_mut().chain(&mut self.latest).rev();
        let Some(entry) = all.find(|entry| entry.end.container == container) else { return };
        entry.end.memory = Some(Box::new(samples));
        self.forget_samples();
    }

    fn forget_samples(&mut self) {
        let with_samples = self.first.iter_mut().chain(&mut self.latest).rev();
        with_samples.filter(|entry| entry.end.memory.is_some()).skip(SAMPLED).for_each(|entry| {
            entry.end.memory = None;
        });
    }

    /// Puts the ends of earlier attempts in front; `dropped` were dropped there.
    pub(super) fn put_in_front(&mut self, earlier: Vec<Entry>, dropped: u64) {
        let own = std::mem::take(self);
        self.dropped = own.dropped.saturating_add(dropped);
        earlier.into_iter().chain(own.first).chain(own.latest).for_each(|entry| self.add(entry));
        self.forget_samples();
    }

    /// All that are kept, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.first.iter().chain(&self.latest)
    }

    /// How many were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn trim(&mut self) {
        while self.first.len() + self.latest.len() > MOST || self.texts > ALL_TEXTS {
            let Some(oldest) = self.latest.pop_front() else { return };
            self.texts = self.texts.saturating_sub(size(&oldest.end));
            self.dropped += 1;
        }
    }
}

/// The bytes of the texts of an end.
fn size(end: &ContainerEnd) -> usize {
    let node = end.node.as_ref().map_or(0, String::len);
    end.container.len() + node + end.diagnostics.len() + end.said.iter().map(String::len).sum::<usize>()
}

fn shorten(end: &mut ContainerEnd) {
    end.diagnostics = short(&end.diagnostics, DIAGNOSTICS);
    let behind_first = end.said.len().saturating_sub(LAST);
    if behind_first > 1 {
        end.said.drain(1..behind_first);
    }
    let mut left = LINES;
    for line in &mut end.said {
        *line = short(line, left.min(LINE));
        left -= line.len();
    }
    end.said.retain(|line| !line.is_empty());
    end.said.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, text: &str) -> Entry {
        let container = format!("c{number}");
        let end = ContainerEnd { container, diagnostics: text.into(), ..ContainerEnd::default() };
        Entry { at: number, attempt: 1, started: None, end }
    }

    fn times(ends: &Ends) -> Vec<u64> {
        ends.iter().map(|entry| entry.at).collect()
    }

    #[test]
    fn the_first_and_the_latest_ends_are_kept() {
        let mut ends = Ends::default();
        (0..5000).for_each(|n| ends.add(entry(n, "x")));
        let kept = times(&ends);
        assert_eq!((kept.len(), ends.dropped()), (MOST, 3000));
        assert_eq!((kept[0], kept[FIRST - 1], kept[FIRST], kept[MOST - 1]), (0, 99, 3100, 4999));
        assert!(ends.has("c0") && ends.has("c4999") && !ends.has("c100"));
    }

    #[test]
    fn long_texts_leave_room_for_fewer() {
        let mut ends = Ends::default();
        (0..5000).for_each(|n| ends.add(entry(n, &"ä".repeat(5000))));
        let bytes: usize = ends.iter().map(|entry| size(&entry.end)).sum();
        assert!(bytes <= ALL_TEXTS + FIRST * (DIAGNOSTICS + LINES + 100), "{bytes}");
        assert_eq!(times(&ends).last(), Some(&4999));
        assert_eq!(ends.dropped() + times(&ends).len() as u64, 5000);
    }

    #[test]
    fn more_is_learnt_of_the_latest_end_of_a_container() {
        let mut ends = Ends::default();
        (0..200).for_each(|n| ends.add(entry(n, "x")));
        let before = ends.texts;
        for name in ["c5", "c150", "none"] {
            ends.change(name, |end| end.diagnostics = "longer".into());
        }
        assert_eq!(ends.texts, before + 5);
        let changed: Vec<_> = ends.iter().filter(|entry| entry.end.diagnostics == "longer").collect();
        assert_eq!(changed.iter().map(|entry| entry.at).collect::<Vec<_>>(), [5, 150]);
    }

    #[test]
    fn the_memory_of_the_latest_ends_is_kept() {
        let mut ends = Ends::default();
        for number in 0..300 {
            ends.add(entry(number, "x"));
            let samples = MemorySamples { at: vec![1], rss: vec![2], ..MemorySamples::default() };
            ends.set_memory(&format!("c{number}"), samples);
            ends.set_memory("none", MemorySamples::default());
        }
        let with: Vec<u64> =
            ends.iter().filter(|entry| entry.end.memory.is_some()).map(|entry| entry.at).collect();
        assert_eq!((with.len(), with[0], with[49]), (SAMPLED, 250, 299));
    }

    #[test]
    fn those_of_earlier_attempts_come_first() {
        let mut ends = Ends::default();
        (10..12).for_each(|n| ends.add(entry(n, "x")));
        ends.put_in_front(vec![entry(1, "a"), entry(2, "b")], 7);
        assert_eq!((times(&ends), ends.dropped()), (vec![1, 2, 10, 11], 7));
    }

    #[test]
    fn the_summary_and_the_last_lines_are_kept() {
        let mut end = entry(1, "").end;
        end.said = (0..50).map(|n| format!("line {n}")).collect();
        shorten(&mut end);
        assert_eq!((end.said.len(), end.said[0].as_str(), end.said[1].as_str()), (9, "line 0", "line 42"));
        end.said = vec!["x".repeat(900); 5];
        shorten(&mut end);
        assert_eq!(end.said.iter().map(String::len).collect::<Vec<_>>(), [400, 400, 200]);
    }
}

//! Texts about failures: the first and the last ones.

use std::collections::VecDeque;

use diagnosis::facts::{Seen, Source, Told, Voice};

use super::texts::short;

/// How many of the first and of the last texts are kept.
const EACH: usize = 4;
/// Most bytes of a text.
const TEXT: usize = 2000;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Texts {
    first: Vec<Seen<Told>>,
    last: VecDeque<Seen<Told>>,
}

impl Texts {
    pub(super) fn add(&mut self, voice: Voice, text: &str, now: u64) {
        let told = Told { voice, place: String::new(), text: short(text, TEXT) };
        self.put(Seen { source: Source::ApplicationMaster, at: Some(now), fact: told });
    }

    fn put(&mut self, told: Seen<Told>) {
        if self.first.len() < EACH {
            return self.first.push(told);
        }
        if self.last.len() == EACH {
            self.last.pop_front();
        }
        self.last.push_back(told);
    }

    /// Puts those of earlier attempts in front.
    pub(super) fn put_in_front(&mut self, earlier: Vec<Seen<Told>>) {
        let own = std::mem::take(self);
        earlier.into_iter().chain(own.first).chain(own.last).for_each(|told| self.put(told));
    }

    /// Those that are kept, the oldest first.
    pub(super) fn list(&self) -> Vec<Seen<Told>> {
        self.first.iter().chain(&self.last).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_texts() {
        let mut texts = Texts::default();
        (0..20).for_each(|n| texts.add(Voice::Main, &n.to_string(), n));
        let told = |texts: &Texts| texts.list().into_iter().map(|told| told.fact.text).collect::<Vec<_>>();
        assert_eq!(told(&texts), ["0", "1", "2", "3", "16", "17", "18", "19"]);
        let earlier = Texts { first: texts.list().split_off(6), ..Texts::default() };
        texts.put_in_front(earlier.list());
        assert_eq!(told(&texts), ["18", "19", "0", "1", "16", "17", "18", "19"]);
    }
}

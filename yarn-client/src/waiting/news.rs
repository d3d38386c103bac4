//! Decides what of a reason is news for the user. While something waits, the figures of its reason change all
//! the time, and the reason itself seldom does.

use std::time::Duration;

use crate::diagnostics;
use crate::report::Report;

/// The time after which a reason is printed again if only its numbers have changed and it cannot be shown in
/// place.
const REPEAT_EVERY: Duration = Duration::from_secs(60);

/// Something for the user to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Something that was not known before.
    Line(String),
    /// A known reason with other numbers. It is shown in place or, if that is not possible and `due` is true,
    /// as a line. `short` is the text for showing in place; it leaves out what is known already.
    Moved { text: String, short: String, due: bool },
}

impl News {
    /// Hands it to a report that can show a text in place.
    pub(crate) fn show(self, report: &dyn Report) {
        match self {
            Self::Line(text) => report.info(&text),
            Self::Moved { text, short, due } => {
                if !report.in_place(&short) && due {
                    report.info(&text);
                }
            }
        }
    }
}

/// What has changed in a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The reason itself.
    Kind,
    /// Its numbers. `due` says that they were told a long time ago.
    Figures { due: bool },
}

/// The reason for a wait, as it was last told.
#[derive(Debug)]
pub(crate) struct Reason {
    repeat_every: Duration,
    /// The reason without the numbers that change.
    kind: String,
    text: String,
    /// When it was last told, as the time since the wait began.
    told: Duration,
}

impl Default for Reason {
    /// A reason whose numbers are told once a minute.
    fn default() -> Self {
        Self::repeated_every(REPEAT_EVERY)
    }
}

impl Reason {
    /// Nothing was told yet. Numbers that have changed are told again after this time.
    pub(crate) fn repeated_every(repeat_every: Duration) -> Self {
        Self { repeat_every, kind: String::new(), text: String::new(), told: Duration::ZERO }
    }

    /// Whether anything was told.
    pub(crate) fn is_told(&self) -> bool {
        !self.text.is_empty()
    }

    /// Takes in the reason at the time `now`, which counts from the beginning of the wait. Returns what has
    /// changed; `None` if nothing has, or if the text is empty.
    pub(crate) fn change(&mut self, reason: &str, now: Duration) -> Option<Change> {
        if reason.is_empty() || reason == self.text {
            return None;
        }
        let kind = diagnostics::kind_of_reason(reason);
        let change = if kind == self.kind {
            Change::Figures { due: now >= self.told + self.repeat_every }
        } else {
            Change::Kind
        };
        if change != (Change::Figures { due: false }) {
            self.told = now;
        }
        self.kind = kind;
        reason.clone_into(&mut self.text);
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_at_once_and_its_figures_from_time_to_time() {
        let mut reason = Reason::repeated_every(Duration::from_secs(60));
        let mut at = |seconds, text| reason.change(text, Duration::from_secs(seconds));
        assert_eq!(at(0, ""), None);
        assert_eq!(at(5, "5 MB left"), Some(Change::Kind));
        assert_eq!(at(6, "5 MB left"), None);
        assert_eq!(at(7, "4 MB left"), Some(Change::Figures { due: false }));
        assert_eq!(at(65, "3 MB left"), Some(Change::Figures { due: true }));
        assert_eq!(at(66, "2 MB left"), Some(Change::Figures { due: false }));
        assert_eq!(at(67, "no node"), Some(Change::Kind));
        assert!(reason.is_told());
    }
}

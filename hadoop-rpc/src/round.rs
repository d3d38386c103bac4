//! Which servers of a group one round of a call asks, and when. Pure: that time has passed, and what was
//! answered, are inputs.
//!
//! The servers are numbered from the one that the round asks first, which has the number 0.

use std::ops::Range;
use std::time::Duration;

/// How long the server that answered last may take before the others are asked, too. It may be cut off, and
/// another one active meanwhile.
const HEDGE: Duration = Duration::from_millis(500);
/// The pause before servers that have sent the client on are asked again while another one does not answer.
/// One of them may become active meanwhile, and the one that does not answer may be cut off: then it is
/// waited for as long as the deadline says.
const AGAIN: Duration = Duration::from_millis(250);

/// The servers of a group in one round of a call. The first one is asked when the round begins.
#[derive(Debug)]
pub(crate) struct Round {
    /// Whether executing the call twice does no harm, so that several servers may be asked at the same time.
    idempotent: bool,
    /// Whether the first server has answered before.
    known: bool,
    /// Those that were not asked yet.
    fresh: Range<usize>,
    /// Those whose first try has not failed yet. When there are none, no server is asked again, so that a
    /// round ends also if the servers take turns at not answering.
    untried: Vec<usize>,
    /// Those that have sent the client on, and may give another answer later.
    refused: Vec<usize>,
}

impl Round {
    /// A round over so many servers.
    pub(crate) fn new(servers: usize, known: bool, idempotent: bool) -> Self {
        let servers = servers.max(1);
        let untried = (0..servers).collect();
        Self { idempotent, known, fresh: 1..servers, untried, refused: Vec::new() }
    }

    /// Whether a server is asked for the first time in this round, when it is asked now.
    pub(crate) fn is_first(&self, server: usize) -> bool {
        self.untried.contains(&server)
    }

    /// After which time without an answer [`Self::ask_more`] is due; `None` if nothing but an answer of a
    /// server that was asked can go on.
    pub(crate) fn pause(&self) -> Option<Duration> {
        if !self.idempotent {
            None
        } else if !self.fresh.is_empty() {
            Some(if self.known { HEDGE } else { Duration::ZERO })
        } else {
            (!self.refused.is_empty() && !self.untried.is_empty()).then_some(AGAIN)
        }
    }

    /// The pause is over: the servers to ask now.
    pub(crate) fn ask_more(&mut self) -> Vec<usize> {
        self.fresh.by_ref().chain(self.refused.drain(..)).collect()
    }

    /// A server has sent the client to another one: the servers to ask now. `may_change`: this server may
    /// give another answer later.
    pub(crate) fn sent_on(&mut self, server: usize, may_change: bool) -> Vec<usize> {
        self.untried.retain(|untried| *untried != server);
        if may_change {
            self.refused.push(server);
        }
        let at_a_time = if self.idempotent { usize::MAX } else { 1 };
        self.fresh.by_ref().take(at_a_time).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Vec<usize> = Vec::new();

    #[test]
    fn the_one_that_is_known_gets_a_moment_and_without_one_all_are_asked_at_once() {
        let mut known = Round::new(3, true, true);
        assert_eq!((known.pause(), known.ask_more()), (Some(HEDGE), vec![1, 2]));
        assert_eq!((known.pause(), known.ask_more()), (None, NONE), "all are asked");
        let mut unknown = Round::new(2, false, true);
        assert_eq!((unknown.pause(), unknown.ask_more()), (Some(Duration::ZERO), vec![1]));
        assert_eq!(Round::new(1, true, true).pause(), None, "there is no other");
    }

    #[test]
    fn while_one_hangs_those_that_have_sent_the_client_on_are_asked_again_and_again() {
        let mut round = Round::new(3, true, true);
        assert_eq!(round.ask_more(), [1, 2]);
        assert_eq!((round.sent_on(2, true), round.pause()), (NONE, Some(AGAIN)));
        assert_eq!((round.sent_on(1, true), round.pause()), (NONE, Some(AGAIN)));
        assert_eq!((round.ask_more(), round.pause()), (vec![2, 1], None));
        assert_eq!((round.sent_on(1, false), round.pause()), (NONE, None), "its name has no address");
    }

    #[test]
    fn the_others_are_asked_at_once_if_the_known_one_is_not_there() {
        let mut round = Round::new(3, true, true);
        assert_eq!(round.sent_on(0, true), [1, 2]);
        assert_eq!(round.pause(), Some(AGAIN), "the first one may come back while the others hang");
    }

    #[test]
    fn a_round_ends_when_all_are_cut_off() {
        let mut round = Round::new(2, true, true);
        assert_eq!(round.ask_more(), [1]);
        // Each fails after the same time, the second one later, because it was asked later.
        assert_eq!((round.sent_on(0, false), round.pause()), (NONE, None), "it took its whole time");
        assert_eq!((round.sent_on(1, false), round.pause()), (NONE, None));
        // The same with errors that look as if they came at once.
        let mut round = Round::new(2, true, true);
        assert_eq!(round.ask_more(), [1]);
        assert_eq!((round.sent_on(0, true), round.pause(), round.is_first(0)), (NONE, Some(AGAIN), false));
        assert_eq!(round.ask_more(), [0]);
        assert_eq!((round.sent_on(1, true), round.pause()), (NONE, None), "each has failed once");
        assert_eq!((round.sent_on(0, true), round.pause()), (NONE, None));
    }

    #[test]
    fn a_call_that_must_not_be_executed_twice_asks_one_after_the_other() {
        let mut round = Round::new(3, true, false);
        assert_eq!((round.pause(), round.sent_on(0, true)), (None, vec![1]));
        assert_eq!((round.pause(), round.sent_on(1, true)), (None, vec![2]));
        assert_eq!((round.pause(), round.sent_on(2, true)), (None, NONE));
    }

    #[test]
    fn another_one_that_becomes_active_is_found_within_a_second() {
        // The first one is cut off: nothing ever comes from it. The other one refuses until it is active.
        for active_at in (0..12_000).step_by(10).map(Duration::from_millis) {
            let (mut round, mut now, mut open) = (Round::new(2, true, true), Duration::ZERO, 0);
            let answered = loop {
                now += round.pause().unwrap();
                open += round.ask_more().len();
                assert_eq!(open, 1, "the one that is cut off is not asked again");
                if now >= active_at {
                    break now;
                }
                round.sent_on(1, true);
                open = 0;
            };
            assert!(answered <= active_at.max(HEDGE) + AGAIN, "{active_at:?}: {answered:?}");
        }
    }
}

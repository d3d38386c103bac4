//! When the token of a JVM on the client is renewed, and when another one takes its place. A token ends when
//! nobody has renewed it for an interval that only the NameNode knows, and in any case at its greatest age.
//! Pure: the time of day is an argument, as the time since 1970.

use std::time::Duration;

use hadoop_fs::TokenIdentity;
use hadoop_rpc::Token;

/// After this time the token is renewed for the first time, because only a renewal tells how long it lives.
/// Most programs have ended by then.
const FIRST: Duration = Duration::from_secs(20);
/// The pause after a token could not be obtained, which is doubled for each further failure, and the longest
/// pause.
const WITHOUT_TOKEN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The same after a token could not be renewed. Another token is obtained then, which the NameNode keeps for
/// a week, so these must not become many where renewals always fail.
const NOT_RENEWED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(18 * 60 * 60));
/// Nothing is done more often than this, however soon a token is said to end.
const SHORTEST: Duration = Duration::from_secs(5);
/// The clock is looked at again at the latest after this time, because a machine that sleeps does not count
/// the time, and tokens do.
const LOOK: Duration = Duration::from_secs(600);

/// What is done with the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is renewed.
    Renew,
    /// Another one is obtained.
    Replace,
}

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upkeep {
    step: Step,
    due: Duration,
    /// When the token ends, however often it is renewed; `None` if it does not tell.
    latest: Option<Duration>,
    /// The pause after the last failure to renew a token; `None` after a success.
    not_renewed: Option<Duration>,
    /// The pause after the last failure to obtain a token; `None` after a success.
    without_token: Option<Duration>,
}

impl Upkeep {
    /// The upkeep of a token that was obtained just now.
    pub(crate) fn of(token: &Token, now: Duration) -> Self {
        Self {
            step: Step::Renew,
            due: now + FIRST,
            latest: latest(token),
            not_renewed: None,
            without_token: None,
        }
    }

    /// What is to be done; `None` if it is not time yet.
    pub(crate) fn due(&self, now: Duration) -> Option<Step> {
        (now >= self.due).then_some(self.step)
    }

    /// How long nothing is to be done, or for how long the clock need not be looked at.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        self.due.saturating_sub(now).min(LOOK)
    }

    /// The token was renewed, and ends at `ends` unless it is renewed again.
    pub(crate) fn renewed(&mut self, ends: Duration, now: Duration) {
        let left = ends.saturating_sub(now);
        // At its greatest age a token ends for good.
        let for_good = self.latest.is_none_or(|latest| ends >= latest);
        self.step = if for_good { Step::Replace } else { Step::Renew };
        self.due = now + (left - left / 4).max(SHORTEST);
        (self.not_renewed, self.without_token) = (None, None);
    }

    /// Another token was obtained.
    pub(crate) fn replaced(&mut self, token: &Token, now: Duration) {
        // Whether tokens can be renewed again is not known yet.
        let not_renewed = self.not_renewed;
        *self = Self { not_renewed, ..Self::of(token, now) };
    }

    /// The step that was due has failed.
    pub(crate) fn failed(&mut self, now: Duration) {
        let (last, (shortest, longest)) = match self.step {
            Step::Renew => (&mut self.not_renewed, NOT_RENEWED),
            Step::Replace => (&mut self.without_token, WITHOUT_TOKEN),
        };
        let pause = last.map_or(shortest, |last| (last * 2).min(longest));
        *last = Some(pause);
        // A token that cannot be renewed may be cancelled, and another one does as well.
        (self.step, self.due) = (Step::Replace, now + pause);
    }
}

fn latest(token: &Token) -> Option<Duration> {
    TokenIdentity::of(token).map(|identity| Duration::from_millis(identity.max_date_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const ISSUED: Duration = Duration::from_secs(1_700_000_000);

    /// A token that was issued at [`ISSUED`] and can live for seven days.
    fn token() -> Token {
        let ms = |time: Duration| {
            // Six bytes follow the first one, as Java's `WritableUtils.writeVLong` writes them.
            let bytes = u64::try_from(time.as_millis()).unwrap().to_be_bytes();
            [&[0x8a][..], &bytes[2..]].concat()
        };
        let names = [&[0, 7][..], b"alice@R", &[5], b"alice", &[0]].concat();
        let identifier = [names, ms(ISSUED), ms(ISSUED + 7 * DAY), vec![1, 2]].concat();
        Token { kind: hadoop_fs::HDFS_TOKEN.into(), identifier, ..Token::default() }
    }

    /// Does what is due until `until`, if the NameNode renews tokens for a day and `works` says whether a
    /// step succeeds. The result is what was done, and when, in seconds since [`ISSUED`].
    fn run(until: Duration, works: impl Fn(Step, Duration) -> bool) -> Vec<(Step, u64)> {
        let (mut now, mut done) = (ISSUED, Vec::new());
        let (mut upkeep, mut latest) = (Upkeep::of(&token(), now), ISSUED + 7 * DAY);
        while now < ISSUED + until {
            now += upkeep.wait(now);
            let Some(step) = upkeep.due(now) else { continue };
            done.push((step, (now - ISSUED).as_secs()));
            match step {
                step if !works(step, now - ISSUED) => upkeep.failed(now),
                Step::Renew => upkeep.renewed((now + DAY).min(latest), now),
                Step::Replace => {
                    latest = now + 7 * DAY;
                    upkeep.replaced(&token(), now);
                    upkeep.latest = Some(latest);
                }
            }
        }
        done
    }

    #[test]
    fn a_token_is_renewed_until_its_greatest_age_and_then_replaced() {
        let done = run(14 * DAY, |_, _| true);
        assert_eq!(&done[..2], [(Step::Renew, 20), (Step::Renew, 20 + 18 * 3600)]);
        let replaced: Vec<u64> =
            done.iter().filter(|(step, _)| *step == Step::Replace).map(|d| d.1).collect();
        assert_eq!(replaced.len(), 2, "{done:?}");
        // Before the end, and not long before.
        let days = |seconds: u64| seconds as f64 / 86_400.0;
        assert!((6.5..7.0).contains(&days(replaced[0])), "{done:?}");
        // There are no gaps in which the token would have ended.
        assert!(done.windows(2).all(|pair| pair[1].1 - pair[0].1 < 86_400), "{done:?}");
    }

    #[test]
    fn while_no_token_can_be_obtained_that_is_tried_again_with_longer_pauses() {
        let away = 20 * HOUR;
        let works = |_: Step, passed: Duration| passed < HOUR || passed > away;
        let done = run(2 * DAY, works);
        let tries: Vec<_> = done.iter().filter(|(_, at)| (3600..=away.as_secs()).contains(at)).collect();
        assert_eq!(tries[0].0, Step::Renew);
        assert!(tries[1..].iter().all(|(step, _)| *step == Step::Replace), "{tries:?}");
        let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
        assert_eq!(&pauses[..9], [5, 5, 10, 20, 40, 80, 160, 300, 300]);
        // Afterwards all is as before.
        let after: Vec<Step> = done.iter().filter(|(_, at)| *at > away.as_secs()).map(|d| d.0).collect();
        assert_eq!(&after[..2], [Step::Replace, Step::Renew], "{done:?}");
    }

    #[test]
    fn where_no_token_can_be_renewed_there_are_not_many() {
        let done = run(14 * DAY, |step, _| step == Step::Replace);
        let obtained = done.iter().filter(|(step, _)| *step == Step::Replace).count();
        assert!((14..=40).contains(&obtained), "{obtained}: {done:?}");
    }

    #[test]
    fn a_token_that_does_not_tell_its_greatest_age_is_not_renewed_again() {
        let mut upkeep = Upkeep::of(&Token::default(), ISSUED);
        assert_eq!((upkeep.due(ISSUED), upkeep.wait(ISSUED)), (None, FIRST));
        let now = ISSUED + FIRST;
        assert_eq!(upkeep.due(now), Some(Step::Renew));
        upkeep.renewed(now + 4 * HOUR, now);
        assert_eq!((upkeep.due(now + 3 * HOUR), upkeep.wait(now)), (Some(Step::Replace), LOOK));
        // One that has ended already is not replaced without a pause.
        upkeep.renewed(ISSUED, now);
        assert_eq!(upkeep.wait(now), SHORTEST);
    }
}

//! When the delegation tokens for file systems are replaced: the JobManager, which can log in with its
//! keytab, is asked for new ones before the old ones end. heddle-am gives the new ones to the containers that
//! it starts from then on. Without a keytab the tokens end as they do. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::event::{Action, Output, TokensInUse};
use super::observation::Observation;
use crate::bridge::{ObtainedTokens, ToJvm};
use crate::tokens::{HeldTokens, Lifetime};

/// How long the JobManager may take. Where no KDC answers, Java waits for each of them, three times.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);
/// The pause after the first failure, which is doubled for each further one, and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The tokens are not replaced more often than this, however soon they are said to end.
const SHORTEST: Duration = Duration::from_secs(5);

/// What concerns the tokens.
#[derive(Debug)]
pub(super) enum TokensInput {
    /// The JobManager that is connected can obtain tokens.
    Possible,
    /// It has answered.
    Answered(ObtainedTokens),
    /// What has become of the tokens that it has obtained. The error is for people.
    InUse(Result<TokensInUse, String>),
    /// Its connection has ended, or its JVM.
    JobManagerGone,
    /// Time has passed.
    Tick,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct DelegationTokens {
    file_systems: Vec<String>,
    /// When new ones are asked for.
    due: Instant,
    possible: bool,
    /// The JobManager was asked, and has this long to answer.
    answer_by: Option<Instant>,
    /// It has answered, and could not obtain all of them, for this reason.
    incomplete: Option<String>,
    /// The pause after the last failure; none after a success.
    pause: Option<Duration>,
}

impl DelegationTokens {
    pub(super) fn new(held: HeldTokens, now: Instant) -> Self {
        Self {
            file_systems: held.file_systems,
            due: now + held.lifetime.replace_in(),
            possible: false,
            answer_by: None,
            incomplete: None,
            pause: None,
        }
    }

    /// When the next tick is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.possible.then_some(self.answer_by.unwrap_or(self.due))
    }

    /// One step.
    pub(super) fn step(&mut self, input: TokensInput, now: Instant, out: &mut Output) {
        match input {
            TokensInput::Possible => self.possible = true,
            TokensInput::Answered(ObtainedTokens { credentials: None, failure, .. }) => {
                let why = failure.unwrap_or_else(|| "it has obtained none".to_owned());
                self.failed(why, PAUSES.1, now, out);
            }
            TokensInput::Answered(obtained) => {
                self.incomplete.clone_from(&obtained.failure);
                out.act(Action::UseTokens(obtained));
            }
            TokensInput::InUse(Ok(TokensInUse { count, lifetime })) => {
                let incomplete = self.incomplete.take();
                self.in_use(count, lifetime, incomplete, now, out);
            }
            TokensInput::InUse(Err(why)) => self.failed(why, PAUSES.1, now, out),
            TokensInput::JobManagerGone => (self.possible, self.answer_by) = (false, None),
            TokensInput::Tick => self.tick(now, out),
        }
    }

    /// `incomplete`: why some are missing.
    fn in_use(
        &mut self,
        count: usize,
        lifetime: Lifetime,
        incomplete: Option<String>,
        now: Instant,
        out: &mut Output,
    ) {
        if let Some(why) = incomplete {
            // Each try obtains new tokens of all file systems, which the old ones outlive. So a file system
            // that is away for good must not lead to many tries.
            let longest = (lifetime.replace_in() / 8).max(PAUSES.1);
            return self.failed(why, longest, now, out);
        }
        let again_in = lifetime.replace_in().max(SHORTEST);
        (self.due, self.answer_by, self.pause) = (now + again_in, None, None);
        out.observe(Observation::TokensReplaced { count, again_in });
    }

    /// `longest`: the longest pause before the next try.
    fn failed(&mut self, why: String, longest: Duration, now: Instant, out: &mut Output) {
        let retry_in = self.pause.map_or(PAUSES.0, |pause| (pause * 2).min(longest));
        if self.pause.replace(retry_in).is_none() {
            out.observe(Observation::TokensNotReplaced { why, retry_in });
        }
        (self.due, self.answer_by, self.incomplete) = (now + retry_in, None, None);
    }

    fn tick(&mut self, now: Instant, out: &mut Output) {
        if self.answer_by.is_some_and(|by| now >= by) {
            let within = ANSWER_WITHIN.as_secs();
            let why = format!("the JobManager has not answered within {within} s");
            self.failed(why, PAUSES.1, now, out);
        }
        if self.possible && self.answer_by.is_none() && now >= self.due {
            self.answer_by = Some(now + ANSWER_WITHIN);
            out.act(Action::Tell(ToJvm::ObtainTokens { file_systems: self.file_systems.clone() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn lasting(left: Duration) -> Lifetime {
        Lifetime { passed: Duration::ZERO, left }
    }

    /// Tokens at a moment.
    struct Bench {
        tokens: DelegationTokens,
        now: Instant,
    }

    impl Bench {
        fn new(left: Duration) -> Self {
            let now = Instant::now();
            let held = HeldTokens { file_systems: vec!["hdfs://ns".into()], lifetime: lasting(left) };
            Self { tokens: DelegationTokens::new(held, now), now }
        }

        fn step(&mut self, input: TokensInput) -> (Vec<Action>, Vec<Observation>) {
            let mut out = Output::default();
            self.tokens.step(input, self.now, &mut out);
            (out.actions, out.observations)
        }

        /// Lets the time pass until the next tick is due, and ticks.
        fn sleep(&mut self) -> (Duration, Vec<Action>, Vec<Observation>) {
            let at = self.tokens.wake().unwrap();
            let slept = at.saturating_duration_since(self.now);
            self.now = self.now.max(at);
            let (actions, observations) = self.step(TokensInput::Tick);
            (slept, actions, observations)
        }

        fn in_use(&mut self, left: Duration) -> Vec<Observation> {
            self.step(TokensInput::InUse(Ok(TokensInUse { count: 2, lifetime: lasting(left) }))).1
        }
    }

    fn asked() -> Vec<Action> {
        vec![Action::Tell(ToJvm::ObtainTokens { file_systems: vec!["hdfs://ns".into()] })]
    }

    fn obtained(failure: Option<&str>) -> ObtainedTokens {
        let credentials = Some("SERU".to_owned());
        ObtainedTokens { credentials, expires: None, failure: failure.map(str::to_owned) }
    }

    #[test]
    fn new_tokens_are_asked_for_in_time_and_again_before_these_end() {
        let mut bench = Bench::new(168 * HOUR);
        assert_eq!(bench.tokens.wake(), None);
        bench.step(TokensInput::Possible);
        assert_eq!(bench.sleep(), (126 * HOUR, asked(), vec![]));
        let answer = obtained(None);
        let (actions, _) = bench.step(TokensInput::Answered(answer.clone()));
        assert_eq!(actions, [Action::UseTokens(answer)]);
        let replaced = Observation::TokensReplaced { count: 2, again_in: 18 * HOUR };
        assert_eq!(bench.in_use(24 * HOUR), [replaced]);
        assert_eq!(bench.sleep(), (18 * HOUR, asked(), vec![]));
    }

    #[test]
    fn a_job_manager_without_a_keytab_is_not_asked() {
        let mut bench = Bench::new(Duration::ZERO);
        assert_eq!(bench.step(TokensInput::Tick), (vec![], vec![]));
        bench.step(TokensInput::Possible);
        assert_eq!(bench.step(TokensInput::Tick).0, asked());
    }

    #[test]
    fn failures_are_told_once_and_tried_again_with_longer_pauses() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.step(TokensInput::Possible);
        let mut pauses = Vec::new();
        let mut told = Vec::new();
        for _ in 0..9 {
            let (slept, actions, _) = bench.sleep();
            assert_eq!(actions, asked());
            pauses.push(slept.as_secs());
            let failure = Some("no KDC answers".to_owned());
            let answer = ObtainedTokens { failure, ..ObtainedTokens::default() };
            told.extend(bench.step(TokensInput::Answered(answer)).1);
        }
        assert_eq!(pauses, [0, 5, 10, 20, 40, 80, 160, 300, 300]);
        let why = "no KDC answers".to_owned();
        assert_eq!(told, [Observation::TokensNotReplaced { why, retry_in: PAUSES.0 }]);
        // After a success a failure is told again.
        bench.sleep();
        bench.step(TokensInput::Answered(obtained(None)));
        bench.in_use(HOUR);
        bench.sleep();
        assert_eq!(bench.step(TokensInput::InUse(Err("not in base64".into()))).1.len(), 1);
    }

    #[test]
    fn what_could_be_obtained_is_used_although_some_is_missing() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.step(TokensInput::Possible);
        bench.sleep();
        let (actions, _) = bench.step(TokensInput::Answered(obtained(Some("hdfs://b: refused"))));
        assert!(matches!(actions[..], [Action::UseTokens(_)]));
        let told = bench.in_use(24 * HOUR);
        assert!(
            matches!(&told[..], [Observation::TokensNotReplaced { why, .. }] if why == "hdfs://b: refused"),
            "{told:?}"
        );
        assert_eq!(bench.sleep(), (PAUSES.0, asked(), vec![]));
        // If it stays so, there are not many tries: each obtains tokens of all the others, too.
        let mut tries = 0;
        let begin = bench.now;
        while bench.now < begin + 24 * HOUR {
            bench.step(TokensInput::Answered(obtained(Some("hdfs://b: refused"))));
            bench.in_use(24 * HOUR);
            bench.sleep();
            tries += 1;
        }
        assert!(tries < 25, "{tries}");
        bench.step(TokensInput::Answered(obtained(None)));
        assert!(matches!(bench.in_use(24 * HOUR)[..], [Observation::TokensReplaced { .. }]));
    }

    #[test]
    fn a_job_manager_that_does_not_answer_or_ends_is_asked_again() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.step(TokensInput::Possible);
        bench.sleep();
        let (slept, actions, told) = bench.sleep();
        assert_eq!((slept, actions), (ANSWER_WITHIN, vec![]));
        assert!(matches!(&told[..], [Observation::TokensNotReplaced { why, .. }] if why.contains("300 s")));
        assert_eq!(bench.sleep(), (PAUSES.0, asked(), vec![]));
        bench.step(TokensInput::JobManagerGone);
        assert_eq!(bench.tokens.wake(), None);
        bench.step(TokensInput::Possible);
        assert_eq!(bench.sleep(), (Duration::ZERO, asked(), vec![]));
    }

    #[test]
    fn tokens_that_have_ended_already_are_not_replaced_without_pause() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.step(TokensInput::Possible);
        bench.sleep();
        bench.in_use(Duration::ZERO);
        assert_eq!(bench.sleep(), (SHORTEST, asked(), vec![]));
    }
}

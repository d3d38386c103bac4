//! Reports the final status to the ResourceManager, for as long as the ResourceManager may be away. For YARN
//! an attempt that ends without that has failed: with high availability it would start the application once
//! more, and without it would call an application failed that has succeeded.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use yarn_api::AmRmClient;
use yarn_api::records::{FinalStatus, RegisterRequest};

use crate::clock;
use crate::controller::event::{RmFailure, RmFailureKind};

/// The first and the longest pause while the ResourceManager answers, but has not stored the status yet.
const STORING: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The same while it does not answer.
const AWAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// How long it goes on after SIGTERM. As a rule YARN's SIGKILL comes before.
const TERMINATED_WAIT: Duration = Duration::from_secs(1);

/// How the report went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// YARN has stored the final status.
    Stored,
    /// For the ResourceManager the attempt is over. It may have stored the status although its answer was
    /// lost.
    AttemptOver,
    /// The ResourceManager refuses the status, or could not be told in time.
    NotStored,
    /// SIGTERM has come before.
    Terminated,
}

/// The calls to the ResourceManager.
pub(super) trait FinalReport {
    /// Registers the attempt; it must be registered for its final status to count.
    async fn register(&self) -> Result<(), RmFailure>;
    /// Reports the final status; true once it is stored.
    async fn finish(&self) -> Result<bool, RmFailure>;
}

/// The final status that this attempt reports.
pub(super) struct OwnReport<'a> {
    pub(super) rm: &'a AmRmClient,
    pub(super) host: &'a str,
    pub(super) status: FinalStatus,
    pub(super) diagnostics: &'a str,
    pub(super) history_url: &'a str,
}

impl FinalReport for OwnReport<'_> {
    async fn register(&self) -> Result<(), RmFailure> {
        let host = self.host.to_owned();
        let request = RegisterRequest { host, rpc_port: -1, tracking_url: String::new() };
        self.rm.register(&request).await.map(drop).map_err(Into::into)
    }

    async fn finish(&self) -> Result<bool, RmFailure> {
        self.rm.finish(self.status, self.diagnostics, self.history_url).await.map_err(Into::into)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Register,
    Finish,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Make the next call after this pause.
    Call {
        after: Duration,
    },
    Over(Outcome),
}

/// Which call comes next, and when it is enough. Pure: the time is an argument.
#[derive(Debug)]
pub(super) struct Unregistration {
    registered: bool,
    /// The ResourceManager refuses to register the attempt.
    refused: bool,
    begin: Instant,
    /// None: for ever.
    patience: Option<Duration>,
    pause: Duration,
}

impl Unregistration {
    /// `registered`: whether the ResourceManager knows this attempt already.
    pub(super) fn new(registered: bool, patience: Option<Duration>, now: Instant) -> Self {
        Self { registered, refused: false, begin: now, patience, pause: Duration::ZERO }
    }

    fn call(&self) -> Call {
        if self.registered { Call::Finish } else { Call::Register }
    }

    fn register_answered(&mut self, answer: Result<(), &RmFailure>, now: Instant) -> Next {
        match answer.map_err(|failure| failure.kind) {
            Err(RmFailureKind::AttemptOver) => Next::Over(Outcome::AttemptOver),
            Err(RmFailureKind::Unavailable | RmFailureKind::NotRegistered) => self.again(AWAY, now),
            // An earlier registration may have arrived; the next call tells.
            answer => {
                self.registered = true;
                self.refused = answer == Err(RmFailureKind::Refused);
                self.pause = Duration::ZERO;
                Next::Call { after: Duration::ZERO }
            }
        }
    }

    fn finish_answered(&mut self, answer: Result<bool, &RmFailure>, now: Instant) -> Next {
        match answer.map_err(|failure| failure.kind) {
            Ok(true) => Next::Over(Outcome::Stored),
            Ok(false) => self.again(STORING, now),
            Err(RmFailureKind::NotRegistered) if self.refused => Next::Over(Outcome::NotStored),
            Err(RmFailureKind::NotRegistered) => {
                self.registered = false;
                self.again(STORING, now)
            }
            Err(RmFailureKind::Unavailable) => self.again(AWAY, now),
            Err(RmFailureKind::AttemptOver) => Next::Over(Outcome::AttemptOver),
            Err(RmFailureKind::AlreadyRegistered | RmFailureKind::Refused) => Next::Over(Outcome::NotStored),
        }
    }

    fn again(&mut self, (shortest, longest): (Duration, Duration), now: Instant) -> Next {
        if self.patience.is_some_and(|patience| now - self.begin >= patience) {
            return Next::Over(Outcome::NotStored);
        }
        self.pause = (self.pause * 2).clamp(shortest, longest);
        Next::Call { after: self.pause }
    }
}

/// Makes the calls. `terminated` becomes true with SIGTERM.
pub(super) async fn unregister(
    report: &impl FinalReport,
    how: Unregistration,
    terminated: watch::Receiver<bool>,
) -> Outcome {
    let outcome = tokio::select! {
        biased;
        outcome = make_calls(report, how) => outcome,
        () = soon_after(terminated) => Outcome::Terminated,
    };
    match outcome {
        Outcome::Stored => {}
        Outcome::AttemptOver => tracing::warn!("for the ResourceManager this attempt is over already"),
        Outcome::NotStored => tracing::error!("YARN has not taken the final status"),
        Outcome::Terminated => tracing::error!("SIGTERM; YARN has not taken the final status"),
    }
    outcome
}

async fn make_calls(report: &impl FinalReport, mut how: Unregistration) -> Outcome {
    let mut told = false;
    loop {
        let (next, failure) = match how.call() {
            Call::Register => {
                let answer = report.register().await;
                (how.register_answered(answer.as_ref().copied(), clock::now()), answer.err())
            }
            Call::Finish => {
                let answer = report.finish().await;
                (how.finish_answered(answer.as_ref().copied(), clock::now()), answer.err())
            }
        };
        match (next, failure) {
            (Next::Call { after }, failure) => {
                match failure {
                    Some(why) if !std::mem::replace(&mut told, true) => {
                        let patience = how.patience.map_or_else(
                            || "until it does".to_owned(),
                            |patience| format!("for {} s", patience.as_secs()),
                        );
                        tracing::warn!(
                            %why,
                            "the ResourceManager does not take the final status; that is tried {patience}"
                        );
                    }
                    Some(why) => tracing::debug!(%why, "the final status is not taken yet"),
                    None => {}
                }
                sleep(after).await;
            }
            (Next::Over(outcome), failure) => {
                if let Some(why) = failure {
                    tracing::warn!(%why, "the ResourceManager does not take the final status");
                }
                return outcome;
            }
        }
    }
}

/// Returns a moment after SIGTERM.
async fn soon_after(terminated: watch::Receiver<bool>) {
    becomes_true(terminated).await;
    sleep(TERMINATED_WAIT).await;
}

/// Returns once the value is true: never, if nobody can set it any more.
pub(super) async fn becomes_true(mut value: watch::Receiver<bool>) {
    if value.wait_for(|value| *value).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::timeout;

    use super::*;

    fn failure(kind: RmFailureKind) -> RmFailure {
        RmFailure { kind, text: "why".into() }
    }

    /// Lets the ResourceManager answer as `answer` says, by the time that has passed. Gives the outcome, the
    /// time that has passed, and how many calls were made.
    fn run(
        patience: Option<Duration>,
        answer: impl Fn(Duration, Call) -> Result<bool, RmFailure>,
    ) -> (Outcome, Duration, u32) {
        let begin = Instant::now();
        let mut now = begin;
        let mut how = Unregistration::new(true, patience, now);
        for calls in 1.. {
            let call = how.call();
            let answer = answer(now - begin, call);
            let next = match call {
                Call::Register => how.register_answered(answer.as_ref().map(|_| ()), now),
                Call::Finish => how.finish_answered(answer.as_ref().copied(), now),
            };
            match next {
                Next::Call { after } => now += after,
                Next::Over(outcome) => return (outcome, now - begin, calls),
            }
        }
        unreachable!()
    }

    #[test]
    fn a_resource_manager_that_is_away_is_waited_for() {
        for away in [40, 600] {
            let (outcome, after, calls) = run(None, |passed, _| {
                if passed < Duration::from_secs(away) {
                    Err(failure(RmFailureKind::Unavailable))
                } else {
                    Ok(true)
                }
            });
            assert_eq!(outcome, Outcome::Stored);
            assert!(after < Duration::from_secs(away + 6), "{after:?}");
            assert!(u64::from(calls) < away / 5 + 10, "{calls}");
        }
    }

    #[test]
    fn one_that_is_away_for_longer_than_the_patience_is_given_up() {
        let patience = Duration::from_secs(900);
        let (outcome, after, _) = run(Some(patience), |_, _| Err(failure(RmFailureKind::Unavailable)));
        assert_eq!(outcome, Outcome::NotStored);
        assert!(after >= patience && after < patience + Duration::from_secs(6), "{after:?}");
    }

    #[test]
    fn one_that_is_storing_is_asked_again_soon() {
        let stored = |passed, _| Ok(passed >= Duration::from_millis(100));
        let (outcome, after, _) = run(None, stored);
        assert!(outcome == Outcome::Stored && after <= Duration::from_millis(200), "{after:?}");
    }

    #[test]
    fn one_that_was_started_again_is_registered_with_first() {
        let registered = Mutex::new(false);
        let (outcome, _, calls) = run(None, |_, call| {
            let mut registered = registered.lock().unwrap();
            match call {
                Call::Register => *registered = true,
                Call::Finish if !*registered => return Err(failure(RmFailureKind::NotRegistered)),
                Call::Finish => {}
            }
            Ok(true)
        });
        assert_eq!((outcome, calls), (Outcome::Stored, 3));
    }

    #[test]
    fn some_answers_end_it() {
        for (kind, wanted) in [
            (RmFailureKind::AttemptOver, Outcome::AttemptOver),
            (RmFailureKind::Refused, Outcome::NotStored),
            (RmFailureKind::AlreadyRegistered, Outcome::NotStored),
        ] {
            assert_eq!(run(None, |_, _| Err(failure(kind))).0, wanted);
        }
        let no_registration = |_, call| match call {
            Call::Register => Err(failure(RmFailureKind::Refused)),
            Call::Finish => Err(failure(RmFailureKind::NotRegistered)),
        };
        assert_eq!(run(None, no_registration).0, Outcome::NotStored);
    }

    /// A ResourceManager that never answers.
    struct Silent;

    impl FinalReport for Silent {
        async fn register(&self) -> Result<(), RmFailure> {
            std::future::pending().await
        }

        async fn finish(&self) -> Result<bool, RmFailure> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn sigterm_ends_it() {
        let (signal, terminated) = watch::channel(false);
        let how = Unregistration::new(true, None, Instant::now());
        let unregistering = tokio::spawn(async move { unregister(&Silent, how, terminated).await });
        signal.send_replace(true);
        let outcome = timeout(Duration::from_secs(60), unregistering).await;
        assert_eq!(outcome.unwrap().unwrap(), Outcome::Terminated);
    }
}

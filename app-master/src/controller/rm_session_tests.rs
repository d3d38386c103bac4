use super::*;
use crate::ledger::types::{Ask, Purpose};

const PACE: Pace = Pace {
    idle: Duration::from_secs(5),
    busy: Duration::from_millis(500),
    patience: Some(Duration::from_secs(60)),
};

fn web() -> Web {
    Web::at("http://n1:4567".into())
}

fn failure(kind: RmFailureKind, text: &str) -> RmFailure {
    RmFailure { kind, text: text.into() }
}

fn registration() -> Registration {
    Registration {
        maximum: Profile { memory_mb: 8192, vcores: 4, ..Profile::default() },
        ..Default::default()
    }
}

/// The effects without the observations.
fn done(effects: Vec<RmSessionEffect>) -> Vec<RmSessionEffect> {
    effects.into_iter().filter(|effect| !matches!(effect, RmSessionEffect::Observe(_))).collect()
}

fn serving(now: Instant) -> RmSession {
    let mut session = RmSession::new(PACE, None, now);
    session.step(RmSessionInput::JobManagerReady(web()), now);
    assert_eq!(done(session.call(Demand::Nothing, now)), [RmSessionEffect::Register(web())]);
    let effects = session.step(RmSessionInput::Registered(Ok(registration())), now);
    assert_eq!(done(effects), [RmSessionEffect::Registered(registration())]);
    session
}

fn answer(
    session: &mut RmSession,
    answer: Result<HeartbeatAnswer, RmFailure>,
    now: Instant,
) -> Vec<RmSessionEffect> {
    done(session.step(RmSessionInput::HeartbeatAnswered { sent: Outgoing::default(), answer }, now))
}

#[test]
fn it_registers_when_the_job_manager_is_ready_or_at_once_with_an_early_address() {
    let now = Instant::now();
    let mut session = RmSession::new(PACE, None, now);
    assert!(done(session.call(Demand::News, now)).is_empty(), "nobody to register for");
    let mut early = RmSession::new(PACE, Some(web()), now);
    assert_eq!(done(early.call(Demand::Nothing, now)), [RmSessionEffect::Register(web())]);
    let elsewhere = Web::at("http://n1:1".into());
    let effects = early.step(RmSessionInput::JobManagerReady(elsewhere), now);
    assert_eq!(effects, [RmSessionEffect::Observe(Observation::OtherAddress { told: web().url })]);
}

#[test]
fn heartbeats_follow_the_demand() {
    let now = Instant::now();
    let mut session = serving(now);
    assert_eq!(session.wake(Demand::Nothing) - now, PACE.idle);
    assert_eq!(session.wake(Demand::Answers) - now, CLOSEST);
    assert_eq!(session.wake(Demand::News) - now, CLOSEST);
    for _ in 0..20 {
        session.call(Demand::News, now);
        answer(&mut session, Ok(HeartbeatAnswer::default()), now);
    }
    assert_eq!(session.wake(Demand::Answers) - now, PACE.busy, "less and less often without news");
    session.step(RmSessionInput::ContainerSuspected, now);
    assert_eq!(session.wake(Demand::Nothing) - now, PACE.busy);
    session.step(RmSessionInput::Tick, now + SUSPICION);
    assert_eq!(session.wake(Demand::Nothing) - now, PACE.idle);
    assert_eq!(session.step(RmSessionInput::Tick, now + REFRESH), [RmSessionEffect::RepeatOpen]);
}

#[test]
fn an_outage_is_waited_out_until_patience_ends() {
    let mut now = Instant::now();
    let begin = now;
    let mut session = serving(now);
    let unavailable = || Err(failure(RmFailureKind::Unavailable, "refused"));
    let end = loop {
        now = session.wake(Demand::News);
        session.step(RmSessionInput::Tick, now);
        if done(session.call(Demand::News, now)).is_empty() {
            continue;
        }
        let effects = answer(&mut session, unavailable(), now);
        if !effects.is_empty() {
            break effects;
        }
    };
    assert_eq!(end, [RmSessionEffect::End(Cause::ResourceManagerLost("refused".into()))]);
    assert!(now - begin > Duration::from_secs(60));
    // The first answer after an outage may come from the ResourceManager's memory.
    let mut session = serving(now);
    answer(&mut session, unavailable(), now);
    let effects = answer(&mut session, Ok(HeartbeatAnswer::default()), now);
    assert!(matches!(effects[..], [RmSessionEffect::Answered { certain: false, .. }]), "{effects:?}");
}

#[test]
fn a_failover_is_noticed_soon_and_a_long_outage_is_not_asked_about_too_often() {
    let begin = Instant::now();
    let (mut session, mut now, mut tries) = (serving(begin), begin, 0);
    let mut longest_within = |seconds: u64| {
        let mut longest = Duration::ZERO;
        while now - begin < Duration::from_secs(seconds) {
            answer(&mut session, Err(failure(RmFailureKind::Unavailable, "refused")), now);
            longest = longest.max(session.wake(Demand::Nothing) - now);
            now = session.wake(Demand::Nothing);
            session.step(RmSessionInput::Tick, now);
            session.call(Demand::Nothing, now);
            tries += 1;
        }
        longest
    };
    assert!(longest_within(12) < Duration::from_millis(400), "as long as a failover takes");
    assert_eq!(longest_within(59), BACKOFF.1);
    assert!(tries < 140, "{tries}");
}

#[test]
fn a_resource_manager_that_has_forgotten_us_is_registered_with_again() {
    let now = Instant::now();
    let mut session = serving(now);
    assert_eq!(answer(&mut session, Err(failure(RmFailureKind::NotRegistered, "who")), now), []);
    assert!(!session.is_registered());
    assert_eq!(done(session.call(Demand::Nothing, now)), [RmSessionEffect::Register(web())]);
    let again = failure(RmFailureKind::AlreadyRegistered, "Application Master is already registered : x");
    let effects = done(session.step(RmSessionInput::Registered(Err(again)), now));
    assert_eq!(effects, [RmSessionEffect::RegisteredAgain(registration().maximum)], "the size stays known");
}

#[test]
fn a_job_manager_that_leads_again_does_not_make_a_registration_anew_the_first_one() {
    let now = Instant::now();
    let mut session = serving(now);
    answer(&mut session, Err(failure(RmFailureKind::NotRegistered, "who")), now);
    let elsewhere = Web::at("http://n2:4567".into());
    session.step(RmSessionInput::JobManagerReady(elsewhere.clone()), now);
    assert_eq!(done(session.call(Demand::Nothing, now)), [RmSessionEffect::Register(elsewhere)]);
    let effects = done(session.step(RmSessionInput::Registered(Ok(registration())), now));
    // Else nobody would say again what is asked for.
    assert_eq!(effects, [RmSessionEffect::RegisteredAgain(registration().maximum)]);
}

#[test]
fn already_registered_is_no_refusal_after_a_lost_answer_alone() {
    let now = Instant::now();
    let repeated =
        || failure(RmFailureKind::AlreadyRegistered, "Application Master is already registered : x");
    let mut session = RmSession::new(PACE, Some(web()), now);
    session.call(Demand::Nothing, now);
    session.step(RmSessionInput::Registered(Err(failure(RmFailureKind::Unavailable, "reset"))), now);
    session.call(Demand::Nothing, session.wake(Demand::Nothing));
    let effects = done(session.step(RmSessionInput::Registered(Err(repeated())), now));
    assert!(matches!(effects[..], [RmSessionEffect::Registered(_)]), "{effects:?}");
    let mut fresh = RmSession::new(PACE, Some(web()), now);
    fresh.call(Demand::Nothing, now);
    let effects = done(fresh.step(RmSessionInput::Registered(Err(repeated())), now));
    assert!(matches!(effects[..], [RmSessionEffect::End(Cause::Internal(_))]), "{effects:?}");
}

#[test]
fn refused_asks_are_told_from_refused_heartbeats() {
    let now = Instant::now();
    let refused = || failure(RmFailureKind::Refused, "no such label");
    let mut session = serving(now);
    let ask = Ask { purpose: Purpose::TaskManager, priority: 1, profile: Profile::default(), count: 1 };
    let sent = Outgoing { asks: vec![ask], ..Outgoing::default() };
    let input = RmSessionInput::HeartbeatAnswered { sent: sent.clone(), answer: Err(refused()) };
    let why = "no such label".to_owned();
    assert_eq!(done(session.step(input, now)), [RmSessionEffect::AsksRefused { sent, why }]);
    assert_eq!(answer(&mut session, Err(refused()), now), [], "tried again like an outage");
    let over = failure(RmFailureKind::AttemptOver, "over");
    let end = answer(&mut session, Err(over), now);
    assert_eq!(end, [RmSessionEffect::End(Cause::AttemptOver("over".into()))]);
}

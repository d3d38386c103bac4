use super::*;
use crate::facts::{Absent, Attempt};

fn seen<T>(source: Source, at: u64, fact: T) -> Seen<T> {
    Seen { source, at: Some(at), fact }
}

fn in_state(state: AppState, final_status: Option<Final>) -> Facts {
    let fact = Application { state, final_status, queue: "root.a".into(), ..Application::default() };
    Facts { now: 60_000, applications: vec![seen(Source::ResourceManager, 58_000, fact)], ..Facts::default() }
}

fn job(state: &str) -> Seen<Job> {
    seen(Source::JobManager, 59_000, Job { id: state.into(), state: state.into(), ..Job::default() })
}

fn noted(status: Final) -> Seen<Outcome> {
    seen(Source::Outcome, 50_000, Outcome { status: Some(status), ..Outcome::default() })
}

#[test]
fn yarns_word_about_the_end_counts() {
    let of = |state, status| verdict(&in_state(state, status)).standing;
    assert_eq!(of(AppState::Finished, Some(Final::Succeeded)), Standing::Succeeded);
    // A JobManager's crash: FINISHED with the final status FAILED.
    assert_eq!(of(AppState::Finished, Some(Final::Failed)), Standing::Failed);
    assert_eq!(of(AppState::Finished, Some(Final::Killed)), Standing::Killed);
    assert_eq!(of(AppState::Failed, None), Standing::Failed);
    assert_eq!(of(AppState::Killed, None), Standing::Killed);
    assert_eq!(of(AppState::Finished, None), Standing::Ended);
    assert_eq!(of(AppState::Running, Some(Final::Succeeded)), Standing::Ending);
}

#[test]
fn silence_is_no_failure() {
    let mut facts = in_state(AppState::Running, None);
    facts.absent.push(seen(Source::JobManager, 20_000, Absent::Unreachable("no answer within 3 s".into())));
    let told = verdict(&facts);
    assert_eq!(told.standing, Standing::Running);
    assert_eq!(told.reason, "YARN says so; the JobManager cannot be reached: no answer within 3 s");
    let ages: Vec<Option<u64>> = told.witnesses.iter().map(|witness| witness.age).collect();
    assert_eq!(ages, [Some(2_000), Some(40_000)]);
    // The ResourceManager is silent, too.
    facts.applications.clear();
    facts.absent.push(seen(Source::ResourceManager, 60_000, Absent::Unreachable(String::new())));
    assert_eq!(verdict(&facts).standing, Standing::Unknown);
    facts.jobs.push(job("RUNNING"));
    assert_eq!(verdict(&facts).standing, Standing::Running);
}

#[test]
fn what_heddle_left_speaks_where_yarn_does_not() {
    let mut facts = in_state(AppState::Finished, None);
    facts.outcomes.push(noted(Final::Succeeded));
    assert_eq!(verdict(&facts).standing, Standing::Succeeded);
    // Forgotten by the ResourceManager.
    facts.applications.clear();
    facts.absent.push(seen(Source::ResourceManager, 60_000, Absent::Forgotten));
    let told = verdict(&facts);
    assert_eq!(told.standing, Standing::Succeeded);
    assert_eq!(
        told.reason,
        "heddle-am has noted SUCCEEDED; the ResourceManager does not know the application any more"
    );
    facts.outcomes.clear();
    assert_eq!(verdict(&facts).standing, Standing::Unknown);
    // heddle-am was ended before it could tell YARN.
    let mut facts = in_state(AppState::Failed, None);
    facts.outcomes.push(noted(Final::Succeeded));
    assert_eq!(verdict(&facts).standing, Standing::Succeeded);
}

#[test]
fn jobs_tell_how_an_application_of_flinks_client_ended() {
    let mut facts = in_state(AppState::Finished, None);
    facts.jobs.extend([job("FINISHED"), job("FAILED")]);
    assert_eq!(verdict(&facts).standing, Standing::Failed);
    facts.jobs.push(job("RUNNING"));
    assert_eq!(verdict(&facts).standing, Standing::Ended);
}

#[test]
fn what_logs_tell_of_jobs_is_no_state() {
    let logged = Seen { source: Source::AggregatedLogs, ..job("FAILED") };
    let mut ended = in_state(AppState::Finished, None);
    ended.jobs.push(logged.clone());
    assert_eq!(verdict(&ended).standing, Standing::Ended);
    let mut runs = in_state(AppState::Running, None);
    runs.jobs.push(logged.clone());
    let told = verdict(&runs);
    assert_eq!((told.standing, told.reason.as_str()), (Standing::Running, "YARN says so"));
    assert_eq!(told.witnesses.len(), 1);
    // The ResourceManager has forgotten it.
    runs.applications.clear();
    assert_eq!(verdict(&runs).standing, Standing::Unknown);
}

#[test]
fn before_it_runs() {
    let mut facts = in_state(AppState::Accepted, None);
    let told = verdict(&facts);
    assert_eq!(told.standing, Standing::Waiting);
    assert_eq!(told.reason, "it waits in the queue root.a for its ApplicationMaster's container");
    let attempt = Attempt { number: 1, state: "LAUNCHED".into(), ..Attempt::default() };
    facts.attempts.push(seen(Source::ResourceManager, 58_000, attempt));
    assert_eq!(verdict(&facts).standing, Standing::Starting);
}

#[test]
fn a_running_application_tells_its_jobs() {
    let mut facts = in_state(AppState::Running, None);
    facts.jobs.extend([job("RUNNING"), job("FAILED")]);
    assert_eq!(verdict(&facts).reason, "jobs: 1 FAILED, 1 RUNNING");
}

#[test]
fn no_facts_at_all() {
    let told = verdict(&Facts::default());
    assert_eq!((told.standing, told.witnesses.len()), (Standing::Unknown, 0));
}

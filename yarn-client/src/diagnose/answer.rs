//! The answers of `heddle status` and `heddle why`: what was found, judged. This module does no I/O.

use diagnosis::facts::Source;
use diagnosis::{Confidence, Finding, Link, Standing, Verdict, Witness, judge, judge_all, verdict};
use serde_json::{Value, json};

use super::gather::{Gathered, TaskManagers};
use super::redact;
use crate::findings;

/// The answer of `heddle status`.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The id of the application.
    pub application: String,
    /// Its name; empty if nobody tells it.
    pub name: String,
    /// The user who has submitted it; empty if nobody tells that.
    pub user: String,
    /// The state, why that is the state, and what each witness says.
    pub verdict: Verdict,
    /// Its TaskManagers, if the JobManager tells them.
    pub task_managers: Option<TaskManagers>,
    /// Why it waits, or has not succeeded, as far as that is known without its logs.
    pub finding: Option<Finding>,
}

impl Status {
    /// What this says.
    pub fn of(gathered: &Gathered) -> Self {
        let verdict = of_all(gathered);
        let mut facts = gathered.facts.clone();
        if matches!(verdict.standing, Standing::Running | Standing::Ending) {
            // Nobody waits for them any more.
            facts.asks.retain(|seen| seen.fact.given_up.is_none());
        }
        let finding = worth_telling(verdict.standing, judge(&facts));
        Self {
            application: gathered.application.to_string(),
            name: gathered.name.clone(),
            user: gathered.user.clone(),
            verdict: redact::verdict(verdict),
            task_managers: gathered.task_managers,
            finding: finding.map(redact::finding),
        }
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let mut answer = begin(&self.application, &self.name, &self.user, &self.verdict);
        let workers = self.task_managers.map(|workers| {
            json!({
                "registered": workers.registered,
                "slots": workers.slots,
                "freeSlots": workers.free_slots,
            })
        });
        add(&mut answer, "taskManagers", json!(workers));
        add(&mut answer, "finding", json!(self.finding.as_ref().map(findings::to_json)));
        answer
    }
}

/// The answer of `heddle why`.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// The id of the application.
    pub application: String,
    /// Its name; empty if nobody tells it.
    pub name: String,
    /// The user who has submitted it; empty if nobody tells that.
    pub user: String,
    /// The state, why that is the state, and what each witness says.
    pub verdict: Verdict,
    /// The causes, the first broken link of the chain first.
    pub findings: Vec<Finding>,
    /// How many more there are: consequences of the causes, and what is only possible.
    pub more: usize,
    /// The witnesses that say nothing.
    pub silent: Vec<Silent>,
    /// The time of the judgement, in ms since 1970.
    pub now: u64,
}

/// A witness that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    /// Who it is.
    pub source: Source,
    /// Why it says nothing, as the end of a sentence that begins with its name.
    pub why: String,
}

impl Why {
    /// What this says. With `all`, it has also what is only possible, and consequences of causes that were
    /// found.
    pub fn of(gathered: &Gathered, all: bool) -> Self {
        let facts = &gathered.facts;
        let every = judge_all(facts);
        let total = every.len();
        let findings = if all { every } else { without_guesses(judge(facts)) };
        let silent = facts.absent.iter();
        let silent = silent.map(|seen| Silent { source: seen.source, why: redact::text(&seen.fact.text()) });
        let mut silent: Vec<Silent> = silent.collect();
        silent.sort();
        silent.dedup();
        Self {
            application: gathered.application.to_string(),
            name: gathered.name.clone(),
            user: gathered.user.clone(),
            verdict: redact::verdict(of_all(gathered)),
            more: total.saturating_sub(findings.len()),
            findings: findings.into_iter().map(redact::finding).collect(),
            silent,
            now: facts.now,
        }
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let mut answer = begin(&self.application, &self.name, &self.user, &self.verdict);
        let found: Vec<Value> = self.findings.iter().map(findings::to_json).collect();
        let silent: Vec<Value> = self
            .silent
            .iter()
            .map(|Silent { source, why }| json!({ "source": source, "why": why }))
            .collect();
        add(&mut answer, "findings", json!(found));
        add(&mut answer, "more", json!(self.more));
        add(&mut answer, "silent", json!(silent));
        answer
    }
}

/// What both answers have.
fn begin(application: &str, name: &str, user: &str, verdict: &Verdict) -> Value {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "application": application,
        "name": known(name),
        "user": known(user),
        "state": verdict.standing,
        "reason": verdict.reason,
        "witnesses": verdict.witnesses,
    })
}

fn add(answer: &mut Value, key: &str, value: Value) {
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(key.to_owned(), value);
    }
}

/// The verdict, in which the JobManager also says how many TaskManagers it has.
fn of_all(gathered: &Gathered) -> Verdict {
    let mut verdict = verdict(&gathered.facts);
    let Some(TaskManagers { registered, slots, free_slots }) = gathered.task_managers else { return verdict };
    if verdict.standing == Standing::Running && gathered.facts.jobs.is_empty() {
        "its JobManager answers, and has no jobs".clone_into(&mut verdict.reason);
    }
    let says = format!("TaskManagers: {registered}, slots: {slots}, free: {free_slots}");
    // What the JobManager says of its jobs is of the same moment. Without jobs it was asked just now.
    let age = verdict.witnesses.iter().find(|witness| witness.source == Source::JobManager);
    let age = age.map_or(Some(0), |witness| witness.age);
    verdict.witnesses.push(Witness { source: Source::JobManager, age, says });
    verdict.witnesses.sort();
    verdict
}

/// The finding that goes with a state: none with one that is as it should be. If it runs, only what its
/// requests for TaskManagers wait for is told, because other troubles may be over.
fn worth_telling(standing: Standing, findings: Vec<Finding>) -> Option<Finding> {
    let mut found = findings.into_iter();
    match standing {
        Standing::Succeeded => None,
        Standing::Running | Standing::Ending => found.find(|finding| finding.link == Link::Asks),
        _ => found.next(),
    }
}

/// The findings without those that are only possible, if there are others.
fn without_guesses(mut findings: Vec<Finding>) -> Vec<Finding> {
    let is_guess = |finding: &Finding| finding.confidence == Confidence::Possible;
    if !findings.iter().all(is_guess) {
        findings.retain(|finding| !is_guess(finding));
    }
    findings
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{Absent, AppState, Application, ContainerEnd, Facts, Final, Job, OpenAsk, Seen};

    use super::*;

    fn seen<T>(source: Source, fact: T) -> Seen<T> {
        Seen { source, at: Some(1_000), fact }
    }

    fn gathered(state: AppState, final_status: Option<Final>) -> Gathered {
        let fact = Application { state, final_status, ..Application::default() };
        let applications = vec![seen(Source::ResourceManager, fact)];
        Gathered {
            application: "application_1_0001".parse().unwrap(),
            name: "count".into(),
            user: String::new(),
            facts: Facts { now: 61_000, applications, ..Facts::default() },
            task_managers: None,
            notes: Vec::new(),
            configuration: Vec::new(),
            record: Vec::new(),
        }
    }

    fn killed() -> Seen<ContainerEnd> {
        let container = "container_1_0001_01_000002".to_owned();
        seen(Source::Outcome, ContainerEnd { container, status: Some(-104), ..ContainerEnd::default() })
    }

    #[test]
    fn the_state_with_its_cause() {
        let mut failed = gathered(AppState::Finished, Some(Final::Failed));
        failed.facts.ends.push(killed());
        let status = Status::of(&failed);
        assert_eq!(status.finding.as_ref().map(|found| found.rule), Some("worker-over-physical-memory"));
        let answer = status.json();
        assert_eq!((&answer["state"], &answer["user"]), (&json!("failed"), &Value::Null));
        assert_eq!(answer["witnesses"][0]["age"], 60_000);
        assert_eq!(answer["finding"]["rule"], "worker-over-physical-memory");
        let mut succeeded = gathered(AppState::Finished, Some(Final::Succeeded));
        succeeded.facts.ends.push(killed());
        assert_eq!(Status::of(&succeeded).finding, None);
    }

    #[test]
    fn of_one_that_runs_only_a_wait_is_told() {
        let mut runs = gathered(AppState::Running, None);
        runs.task_managers = Some(TaskManagers { registered: 2, slots: 4, free_slots: 1 });
        runs.facts.jobs.push(seen(Source::JobManager, Job { state: "RUNNING".into(), ..Job::default() }));
        runs.facts.ends.push(killed());
        let status = Status::of(&runs);
        assert_eq!(status.finding, None);
        let workers = "TaskManagers: 2, slots: 4, free: 1";
        assert!(
            status
                .verdict
                .witnesses
                .iter()
                .any(|witness| witness.says == workers && witness.age == Some(60_000))
        );
        assert_eq!(status.json()["taskManagers"]["freeSlots"], 1);
        let ask = OpenAsk { count: 2, memory_mb: 4096, vcores: 1, since: Some(1_000), ..OpenAsk::default() };
        runs.facts.asks.push(seen(Source::Outcome, ask));
        assert_eq!(Status::of(&runs).finding.map(|found| found.rule), Some("workers-wait"));
        runs.facts.asks[0].fact.given_up = Some(40_000);
        assert_eq!(Status::of(&runs).finding, None);
    }

    #[test]
    fn consequences_and_guesses_are_told_on_request() {
        let mut failed = gathered(AppState::Finished, Some(Final::Failed));
        failed.facts.ends.push(killed());
        let exception = "x.RemoteTransportException: Connection unexpectedly closed".to_owned();
        let job = Job { state: "FAILED".into(), exception, ..Job::default() };
        failed.facts.jobs.push(seen(Source::JobManager, job));
        failed.facts.absent.push(seen(Source::AggregatedLogs, Absent::Off));
        let rules = |why: &Why| why.findings.iter().map(|found| found.rule).collect::<Vec<_>>();
        let why = Why::of(&failed, false);
        assert_eq!((rules(&why), why.more), (vec!["worker-over-physical-memory"], 2));
        let all = Why::of(&failed, true);
        assert_eq!(rules(&all), ["worker-over-physical-memory", "worker-lost", "job-fails"]);
        assert_eq!(all.more, 0);
        let answer = why.json();
        assert_eq!(answer["silent"], json!([{ "source": "aggregated-logs", "why": "are switched off" }]));
        assert_eq!((answer["findings"].as_array().map(Vec::len), &answer["more"]), (Some(1), &json!(2)));
    }

    #[test]
    fn secrets_are_not_quoted() {
        let mut failed = gathered(AppState::Finished, Some(Final::Failed));
        let exception = "x.Y: no connection to jdbc:z://ann:hush@h/ with --password hush".to_owned();
        let job = Job { state: "FAILED".into(), exception, ..Job::default() };
        failed.facts.jobs.push(seen(Source::JobManager, job));
        let why = Absent::Unreachable("http://ann:hush@h:1/ says no".into());
        failed.facts.absent.push(seen(Source::JobManager, why));
        let told = [Why::of(&failed, true).json(), Status::of(&failed).json()];
        let text = format!("{:?} {told:?}", Why::of(&failed, true));
        assert!(text.contains("jdbc:z://ann:******@h/") && text.contains("http://ann:******@h:1/"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }

    #[test]
    fn a_jobmanager_without_jobs_answers_too() {
        let mut idle = gathered(AppState::Running, None);
        assert_eq!(Status::of(&idle).verdict.reason, "YARN says so");
        idle.task_managers = Some(TaskManagers { registered: 0, slots: 0, free_slots: 0 });
        let verdict = Status::of(&idle).verdict;
        assert_eq!(verdict.reason, "its JobManager answers, and has no jobs");
        assert_eq!(verdict.witnesses.last().map(|witness| witness.age), Some(Some(0)));
        assert_eq!(Why::of(&idle, false).verdict.reason, verdict.reason);
    }

    #[test]
    fn nothing_found() {
        let why = Why::of(&gathered(AppState::Running, None), false);
        assert!(why.findings.is_empty() && why.silent.is_empty() && why.more == 0);
    }
}

//! One verdict about the state of an application, from what all witnesses say, with the age of each word.
//!
//! That a witness is silent never makes an application a failed one: only a witness of its end does.

use serde::Serialize;

use crate::facts::{AppState, Application, Facts, Final, Job, Outcome, Seen, Source, youngest};

/// The state of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It waits for its ApplicationMaster's container.
    Waiting,
    /// Its ApplicationMaster is being started, or its JobManager.
    Starting,
    /// It runs.
    Running,
    /// It has told how it ends, and YARN is still tidying up.
    Ending,
    /// It has ended and has done its work.
    Succeeded,
    /// It has ended and has failed.
    Failed,
    /// It was killed or cancelled.
    Killed,
    /// It has ended, and no witness knows how.
    Ended,
    /// No witness knows anything of it at the moment.
    Unknown,
}

impl Standing {
    /// The state in one word, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Ending => "ENDING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
            Self::Ended => "ENDED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether the application has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Killed | Self::Ended)
    }
}

/// What a witness says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// Who says it.
    pub source: Source,
    /// How old it is, in ms; `None` if that is not known.
    pub age: Option<u64>,
    /// What it says, in words.
    pub says: String,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The state.
    pub standing: Standing,
    /// Why this is the state, in one sentence without its full stop.
    pub reason: String,
    /// All that the witnesses say, those that are silent too.
    pub witnesses: Vec<Witness>,
}

/// Judges the state of an application. The order of the facts does not matter.
pub fn verdict(facts: &Facts) -> Verdict {
    let application = youngest(&facts.applications, Ord::cmp);
    let outcome = youngest(&facts.outcomes, Ord::cmp).map(|seen| &seen.fact);
    let jobs = Jobs::of(facts);
    let (standing, reason) = match application.map(|seen| &seen.fact) {
        Some(application) => of_application(application, outcome, &jobs, facts),
        None => without_application(outcome, &jobs, facts),
    };
    let mut witnesses = witnesses(facts, &jobs);
    witnesses.sort();
    witnesses.dedup();
    Verdict { standing, reason, witnesses }
}

/// The jobs as the JobManager tells them. What logs tell of jobs does not count: they tell only of some, and
/// not what has become of them.
struct Jobs<'a> {
    /// Each job once, by its youngest report.
    list: Vec<&'a Seen<Job>>,
}

impl<'a> Jobs<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut all: Vec<&Seen<Job>> =
            facts.jobs.iter().filter(|seen| seen.source == Source::JobManager).collect();
        // The youngest report of a job comes first.
        all.sort_by(|a, b| a.fact.id.cmp(&b.fact.id).then_with(|| b.at.cmp(&a.at)).then_with(|| a.cmp(b)));
        all.dedup_by(|a, b| a.fact.id == b.fact.id);
        Self { list: all }
    }

    fn count(&self, state: &str) -> usize {
        self.list.iter().filter(|seen| seen.fact.state == state).count()
    }

    /// How many jobs are in which state, in words; `None` without jobs.
    fn text(&self) -> Option<String> {
        let mut states: Vec<&str> = self.list.iter().map(|seen| seen.fact.state.as_str()).collect();
        states.sort_unstable();
        states.dedup();
        let parts: Vec<String> =
            states.into_iter().map(|state| format!("{} {state}", self.count(state))).collect();
        (!parts.is_empty()).then(|| format!("jobs: {}", parts.join(", ")))
    }

    /// How the jobs have ended, if all have.
    fn end(&self) -> Option<Final> {
        if self.list.is_empty() || !self.list.iter().all(|seen| seen.fact.is_over()) {
            return None;
        }
        Some(if self.count("FAILED") > 0 {
            Final::Failed
        } else if self.count("CANCELED") > 0 {
            Final::Killed
        } else {
            Final::Succeeded
        })
    }
}

fn standing(end: Final) -> Standing {
    match end {
        Final::Succeeded => Standing::Succeeded,
        Final::Failed => Standing::Failed,
        Final::Killed => Standing::Killed,
    }
}

fn of_application(
    application: &Application,
    outcome: Option<&Outcome>,
    jobs: &Jobs<'_>,
    facts: &Facts,
) -> (Standing, String) {
    let left = outcome.and_then(|outcome| outcome.status);
    match application.state {
        AppState::Killed => (Standing::Killed, "YARN says that it was killed".to_owned()),
        AppState::Failed => {
            // heddle-am knew how its application ended, and could not tell YARN any more.
            match left.filter(|status| *status != Final::Failed) {
                Some(status) => (
                    standing(status),
                    format!(
                        "heddle-am has noted {}, and could not tell YARN, which calls it FAILED",
                        status.text()
                    ),
                ),
                None => (Standing::Failed, "YARN says that it has failed".to_owned()),
            }
        }
        AppState::Finished => match (application.final_status, left, jobs.end()) {
            (Some(status), ..) => {
                (standing(status), format!("its ApplicationMaster has told YARN {}", status.text()))
            }
            (None, Some(status), _) => (
                standing(status),
                format!("YARN does not say how it ended; heddle-am has noted {}", status.text()),
            ),
            (None, None, Some(status)) => (
                standing(status),
                format!("YARN does not say how it ended; its jobs did: {}", jobs.text().unwrap_or_default()),
            ),
            (None, None, None) => {
                (Standing::Ended, "it has ended, and neither YARN nor heddle-am says how".to_owned())
            }
        },
        AppState::Running => running(application, left, jobs, facts),
        AppState::Submitted | AppState::Accepted => waiting(application, facts),
    }
}

fn running(
    application: &Application,
    left: Option<Final>,
    jobs: &Jobs<'_>,
    facts: &Facts,
) -> (Standing, String) {
    if let Some(status) = application.final_status.or(left) {
        return (
            Standing::Ending,
            format!("it has ended with {}, and YARN still shows it as RUNNING", status.text()),
        );
    }
    let silent = facts.absent.iter().filter(|seen| seen.source == Source::JobManager).max();
    match (jobs.text(), silent) {
        (Some(text), _) => (Standing::Running, text),
        (None, Some(seen)) => {
            (Standing::Running, format!("YARN says so; the JobManager {}", seen.fact.text()))
        }
        (None, None) => (Standing::Running, "YARN says so".to_owned()),
    }
}

fn waiting(application: &Application, facts: &Facts) -> (Standing, String) {
    let attempt = facts.attempts.iter().max_by(|a, b| {
        a.fact.number.cmp(&b.fact.number).then_with(|| a.at.cmp(&b.at)).then_with(|| a.cmp(b))
    });
    match attempt.map(|seen| (seen.fact.number, seen.fact.state.as_str())) {
        Some((number, state @ ("ALLOCATED_SAVING" | "ALLOCATED" | "LAUNCHED" | "RUNNING"))) => {
            let which =
                if number > 1 { format!("attempt {number}") } else { "its ApplicationMaster".to_owned() };
            (Standing::Starting, format!("{which} is being started ({state})"))
        }
        _ if application.state == AppState::Submitted => {
            (Standing::Waiting, "YARN has not put it into its queue yet".to_owned())
        }
        _ => {
            let queue = &application.queue;
            let place = if queue.is_empty() { String::new() } else { format!(" in the queue {queue}") };
            (Standing::Waiting, format!("it waits{place} for its ApplicationMaster's container"))
        }
    }
}

/// The state if the ResourceManager says nothing of the application.
fn without_application(outcome: Option<&Outcome>, jobs: &Jobs<'_>, facts: &Facts) -> (Standing, String) {
    let silent = facts.absent.iter().filter(|seen| seen.source == Source::ResourceManager).max();
    let why = silent.map_or_else(|| "was not asked".to_owned(), |seen| seen.fact.text());
    if let Some(status) = outcome.and_then(|outcome| outcome.status) {
        let reason = format!("heddle-am has noted {}; the ResourceManager {why}", status.text());
        return (standing(status), reason);
    }
    match jobs.text() {
        Some(text) => {
            (Standing::Running, format!("the JobManager answers ({text}); the ResourceManager {why}"))
        }
        None => {
            (Standing::Unknown, format!("the ResourceManager {why}, and nobody else knows the application"))
        }
    }
}

/// What each witness says.
fn witnesses(facts: &Facts, jobs: &Jobs<'_>) -> Vec<Witness> {
    let age = |at: Option<u64>| at.map(|at| facts.now.saturating_sub(at));
    let mut all = Vec::new();
    let mut add = |source, at, says: String| all.push(Witness { source, age: age(at), says });
    for Seen { source, at, fact } in &facts.applications {
        let status = fact.final_status.map(|status| format!(", final status {}", status.text()));
        add(*source, *at, format!("{}{}", fact.state.text(), status.unwrap_or_default()));
    }
    for Seen { source, at, fact } in &facts.attempts {
        add(*source, *at, format!("attempt {}: {}", fact.number, fact.state));
    }
    for Seen { source, at, fact } in &facts.outcomes {
        let says = match fact.status {
            Some(status) => format!("noted {}", status.text()),
            None => "has noted no end".to_owned(),
        };
        add(*source, *at, says);
    }
    for Seen { source, at, fact } in &facts.absent {
        add(*source, *at, fact.text());
    }
    if let (Some(text), Some(latest)) = (jobs.text(), jobs.list.iter().max_by(|a, b| a.at.cmp(&b.at))) {
        add(latest.source, latest.at, text);
    }
    all
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;

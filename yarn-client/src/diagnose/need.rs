//! Decides whether the logs have to be read, which takes longer than to ask the other witnesses.

use diagnosis::facts::{Absent, Facts, Source};
use diagnosis::{Confidence, Finding, Standing, judge, rules, verdict};

/// Whether the logs may tell what the facts do not. `has_record` says whether heddle-am has left a record.
pub(super) fn needs_logs(facts: &Facts, has_record: bool) -> bool {
    let findings = judge(facts);
    let explained = findings.iter().any(is_cause);
    match verdict(facts).standing {
        Standing::Succeeded | Standing::Waiting => false,
        Standing::Killed => !explained,
        Standing::Failed | Standing::Ended => !(has_record && explained),
        // It runs. Where nothing is wrong, nothing has to be explained.
        Standing::Starting | Standing::Running | Standing::Ending => !findings.is_empty() && !explained,
        // An application that the ResourceManager has forgotten may have left logs.
        Standing::Unknown => is_forgotten(facts),
    }
}

/// Whether a finding is the cause of what is wrong, and neither a consequence nor a guess.
fn is_cause(finding: &Finding) -> bool {
    let is_symptom = rules::all().any(|rule| rule.id == finding.rule && rule.symptom);
    finding.confidence != Confidence::Possible && !is_symptom
}

fn is_forgotten(facts: &Facts) -> bool {
    facts.absent.iter().any(|seen| seen.source == Source::ResourceManager && seen.fact == Absent::Forgotten)
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{AppState, Application, ContainerEnd, Final, Job, Seen};

    use super::*;

    fn seen<T>(source: Source, fact: T) -> Seen<T> {
        Seen { source, at: Some(1), fact }
    }

    fn ended(final_status: Option<Final>) -> Facts {
        let fact = Application { state: AppState::Finished, final_status, ..Application::default() };
        Facts { applications: vec![seen(Source::ResourceManager, fact)], ..Facts::default() }
    }

    fn killed_worker() -> Seen<ContainerEnd> {
        seen(Source::Outcome, ContainerEnd { status: Some(-104), ..ContainerEnd::default() })
    }

    #[test]
    fn only_what_is_not_explained_is_looked_for_in_logs() {
        assert!(!needs_logs(&ended(Some(Final::Succeeded)), false));
        let mut failed = ended(Some(Final::Failed));
        assert!(needs_logs(&failed, true) && needs_logs(&failed, false));
        failed.ends.push(killed_worker());
        assert!(!needs_logs(&failed, true), "the record explains it");
        assert!(needs_logs(&failed, false), "Flink's own client leaves no record");
        let mut symptom = ended(Some(Final::Failed));
        let job = Job { state: "FAILED".into(), exception: "a.B: x".into(), ..Job::default() };
        symptom.jobs.push(seen(Source::JobManager, job));
        assert!(needs_logs(&symptom, true));
    }

    #[test]
    fn of_one_that_runs_only_troubles_are_looked_for() {
        let mut facts = ended(None);
        facts.applications[0].fact.state = AppState::Running;
        assert!(!needs_logs(&facts, false));
        let exception = "x.RemoteTransportException: Connection unexpectedly closed".to_owned();
        facts
            .jobs
            .push(seen(Source::JobManager, Job { state: "RESTARTING".into(), exception, ..Job::default() }));
        assert!(needs_logs(&facts, true));
        facts.ends.push(killed_worker());
        assert!(!needs_logs(&facts, true));
    }

    #[test]
    fn one_that_is_forgotten_may_have_left_logs() {
        let mut facts = Facts::default();
        assert!(!needs_logs(&facts, false));
        facts.absent.push(seen(Source::ResourceManager, Absent::Forgotten));
        assert!(needs_logs(&facts, false));
    }
}

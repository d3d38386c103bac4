//! Adds the cause to the failure of a command, as far as it can be found within three seconds.

use std::time::Duration;

use diagnosis::facts::{Facts, Seen, Source, Told, Voice};
use diagnosis::{Confidence, Finding, judge};
use tokio::time::timeout;
use yarn_api::records::ApplicationId;

use super::gather::quickly;
use super::inquiry::Inquiry;
use super::redact;
use crate::application::why_hint;
use crate::error::Failure;

/// How much longer the failing command may take for it.
const WITHIN: Duration = Duration::from_secs(3);
/// The time limit of each witness.
const EACH: Duration = Duration::from_secs(1);

/// The failure of a command about this application, with the first of the causes that were found, and what to
/// set. If none is found in time, it is the failure as it was. How the command ends does not change.
pub async fn explained(failure: Failure, inquiry: &Inquiry, id: ApplicationId) -> Failure {
    match found(inquiry, id, &failure.to_string()).await {
        Some(findings) => with_first(failure, findings, id),
        None => failure,
    }
}

/// What is found within the time, without secrets, if the witnesses could be asked. `said` is the text of the
/// failure.
pub(crate) async fn found(inquiry: &Inquiry, id: ApplicationId, said: &str) -> Option<Vec<Finding>> {
    // The future is large, and the stack of those who embed the client may be small.
    let asked = timeout(WITHIN, Box::pin(quickly(inquiry, id, EACH))).await.ok()?;
    let mut facts = asked.inspect_err(|failure| tracing::debug!(%failure, "nobody is asked")).ok()?;
    add_own_words(&mut facts, said);
    Some(judge(&facts).into_iter().map(redact::finding).collect())
}

/// Adds what the command itself has seen, if YARN says nothing of the application, as of one that it has
/// refused. YARN's diagnostics have the same words otherwise.
fn add_own_words(facts: &mut Facts, said: &str) {
    if facts.applications.iter().all(|seen| seen.fact.diagnostics.trim().is_empty()) {
        let fact = Told { voice: Voice::Client, place: String::new(), text: said.to_owned() };
        facts.told.push(Seen { source: Source::Client, at: Some(facts.now), fact });
    }
}

/// The failure with the first finding, unless that is only a guess, and with the hint that leads to the
/// others.
pub(crate) fn with_first(failure: Failure, findings: Vec<Finding>, id: ApplicationId) -> Failure {
    let others = findings.len() > 1;
    let first = findings.into_iter().next().filter(|first| first.confidence != Confidence::Possible);
    let Some(first) = first else { return failure };
    let failure = failure.with_finding(first);
    if others { failure.hint(why_hint(id)) } else { failure }
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{AppState, Application};

    use super::*;
    use crate::findings::tests::{of_end, of_main};

    fn id() -> ApplicationId {
        "application_1_0001".parse().unwrap()
    }

    #[test]
    fn the_first_finding_and_the_way_to_the_others() {
        let failed = || Failure::new("it has failed");
        let one = with_first(failed(), vec![of_end(-104)], id()).render(false);
        assert!(one.contains("\ncause: ") && !one.contains("heddle why"), "{one}");
        let two = with_first(failed(), vec![of_end(-104), of_main("a.B: x")], id()).render(false);
        assert!(two.ends_with(&format!("hint: {}\n", why_hint(id()))), "{two}");
        let guess = Finding { confidence: Confidence::Possible, ..of_end(-104) };
        assert_eq!(with_first(failed(), vec![guess], id()).render(false), "error: it has failed\n");
        assert_eq!(with_first(failed(), vec![], id()).render(false), "error: it has failed\n");
    }

    #[test]
    fn the_commands_own_words_count_where_yarn_says_nothing() {
        let said = "Failed to submit application_1_0001 to YARN: to unknown queue: etl";
        let mut facts = Facts::default();
        add_own_words(&mut facts, said);
        assert_eq!(judge(&facts)[0].rule, "queue-unknown");
        let fact = Application { state: AppState::Failed, diagnostics: "x".into(), ..Application::default() };
        let seen = Seen { source: Source::ResourceManager, at: None, fact };
        let mut known = Facts { applications: vec![seen], ..Facts::default() };
        add_own_words(&mut known, said);
        assert!(known.told.is_empty());
    }
}

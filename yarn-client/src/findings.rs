//! How the findings of the diagnosis are told: as hints of a failed command, and to programs. This module
//! does no I/O.

use diagnosis::{Finding, Fix};
use flink_model::config::masked_lines;
use serde_json::{Value, json};

use crate::units::iso;

/// A quotation of so many bytes, or of fewer, may stand in a text by chance.
const TELLING: usize = 12;

/// The remedies of a finding: each is a list of settings that belong together, and an alternative to the
/// others.
pub fn remedies(finding: &Finding) -> Vec<Vec<&Fix>> {
    let mut remedies: Vec<Vec<&Fix>> = Vec::new();
    for fix in &finding.fix {
        match remedies.iter_mut().find(|settings| settings.iter().all(|other| other.choice == fix.choice)) {
            Some(settings) => settings.push(fix),
            None => remedies.push(vec![fix]),
        }
    }
    remedies
}

/// What to set, one line for each remedy.
pub fn hints(finding: &Finding) -> Vec<String> {
    let hint = |(at, settings): (usize, Vec<&Fix>)| {
        let or = if at == 0 { "" } else { "or " };
        let pairs: Vec<String> =
            settings.iter().map(|Fix { key, value, .. }| format!("{key}: {value}")).collect();
        let reasons: Vec<&str> = settings.iter().map(|fix| fix.explanation.as_str()).collect();
        format!("{or}set {} ({})", pairs.join(", "), reasons.join("; "))
    };
    remedies(finding).into_iter().enumerate().map(hint).collect()
}

/// The same without those that a text has already, though perhaps with other values: heddle-am adds them to
/// YARN's diagnostics.
pub(crate) fn new_hints(finding: &Finding, text: &str) -> Vec<String> {
    let is_said =
        |settings: &[&Fix]| settings.first().is_some_and(|fix| text.contains(&format!("set {}: ", fix.key)));
    let hints = hints(finding).into_iter().zip(remedies(finding));
    hints.filter(|(_, settings)| !is_said(settings)).map(|(hint, _)| hint).collect()
}

/// A finding for programs. Times are in ISO 8601, as in all answers.
pub fn to_json(finding: &Finding) -> Value {
    let evidence: Vec<Value> = finding
        .evidence
        .iter()
        .map(|evidence| {
            json!({
                "source": evidence.source,
                "at": evidence.at.and_then(iso),
                "about": evidence.about,
                "text": evidence.text,
            })
        })
        .collect();
    json!({
        "rule": finding.rule,
        "link": finding.link,
        "class": finding.class,
        "whose": finding.whose,
        "retry": finding.retry,
        "confidence": finding.confidence,
        "text": finding.text,
        "times": finding.times,
        "evidence": evidence,
        "fix": finding.fix,
    })
}

/// Whether a text tells the cause that was found already, so that it need not be told once more: in the same
/// words, apart from names and numbers, or by what the finding quotes, in which secrets are hidden.
pub(crate) fn is_said(finding: &Finding, text: &str) -> bool {
    let text = one_line(&masked_lines(text));
    let template = diagnosis::rules::all().find(|rule| rule.id == finding.rule).map_or("", |rule| rule.text);
    let mut fixed = fixed_parts(template).peekable();
    let in_same_words = fixed.peek().is_some() && fixed.all(|part| text.contains(&one_line(part)));
    let mut quotes = finding.evidence.iter().map(|evidence| one_line(&evidence.text));
    in_same_words || quotes.any(|quote| quote.len() > TELLING && text.contains(&quote))
}

/// The parts of a rule's text between its placeholders. Short ones, such as a full stop, say nothing.
fn fixed_parts(template: &str) -> impl Iterator<Item = &str> {
    let parts = template.split('{').map(|part| part.split_once('}').map_or(part, |(_, behind)| behind));
    parts.map(|part| part.trim_matches([' ', ':', '.'])).filter(|part| part.len() > 8)
}

/// The text with single blanks instead of line ends and of several blanks.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(crate) mod tests {
    use diagnosis::facts::{ContainerEnd, Facts, Seen, Source, Told, Voice};
    use diagnosis::judge;

    use super::*;

    /// What is found where `main()` has failed by this exception.
    pub(crate) fn of_main(exception: &str) -> Finding {
        let fact = Told { voice: Voice::Main, place: String::new(), text: exception.into() };
        let told = vec![Seen { source: Source::Outcome, at: Some(1_700_000_000_000), fact }];
        judge(&Facts { told, ..Facts::default() }).remove(0)
    }

    /// What is found where YARN has ended a TaskManager with this status.
    pub(crate) fn of_end(status: i32) -> Finding {
        let fact = ContainerEnd {
            container: "container_1_0001_01_000002".into(),
            status: Some(status),
            diagnostics:
                "Current usage: 1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB virtual memory used"
                    .into(),
            ..ContainerEnd::default()
        };
        let ends = vec![Seen { source: Source::Outcome, at: Some(1_700_000_000_000), fact }];
        judge(&Facts { ends, ..Facts::default() }).remove(0)
    }

    #[test]
    fn remedies_are_alternatives() {
        let finding = of_end(-103);
        assert_eq!(finding.rule, "worker-over-virtual-memory");
        let keys: Vec<Vec<&str>> = remedies(&finding)
            .iter()
            .map(|settings| settings.iter().map(|fix| fix.key.as_str()).collect())
            .collect();
        assert_eq!(
            keys,
            [vec!["yarn.nodemanager.vmem-check-enabled"], vec!["yarn.nodemanager.vmem-pmem-ratio"]]
        );
        let hints = hints(&finding);
        assert!(hints[0].starts_with("set yarn.nodemanager.vmem-check-enabled: false ("), "{hints:?}");
        assert!(hints[1].starts_with("or set yarn.nodemanager.vmem-pmem-ratio: "), "{hints:?}");
        let mut together = finding;
        together.fix.iter_mut().for_each(|fix| fix.choice = 1);
        assert_eq!(remedies(&together).len(), 1);
    }

    #[test]
    fn for_programs() {
        let told = to_json(&of_end(-104));
        assert_eq!(told["rule"], "worker-over-physical-memory");
        assert_eq!(told["evidence"][0]["at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(told["evidence"][0]["source"], "outcome");
        assert_eq!(told["fix"][0]["key"], "taskmanager.memory.jvm-overhead.min");
    }

    #[test]
    fn what_was_said_already() {
        let killed = of_end(-104);
        let by_heddle_am = "The session x has failed. Diagnostics from YARN:\n  The NodeManager has killed TaskManager \
            container_9 on host:1, because it used more\n  memory than its container has (2 GB used, 1 GB allowed). Java limits \
            its own pools, so native memory has grown.";
        assert!(is_said(&killed, by_heddle_am));
        assert!(!is_said(
            &killed,
            "Container is running beyond the 'PHYSICAL' memory limit. 1.3 GB of 1 GB physical memory used"
        ));
        assert!(new_hints(&killed, by_heddle_am)[0].starts_with("set taskmanager.memory.jvm-overhead.min: "));
        let with_hint = format!("{by_heddle_am}\n  hint: set taskmanager.memory.jvm-overhead.min: 640m (x)");
        assert_eq!(new_hints(&killed, &with_hint), Vec::<String>::new());
        let thrown = of_main("java.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)");
        assert!(is_said(&thrown, "main() of Main failed: java.lang.IllegalStateException: boom"));
        assert!(!is_said(&thrown, "the application has failed"));
        let quoting = of_main("a.B: cannot log in with --password ******");
        assert!(is_said(&quoting, "it has failed: a.B: cannot log in with --password hush"));
    }
}

//! What the diagnosis finds in the ends of containers, for YARN's diagnostics of an application that has
//! failed: the cause, and what to set. Pure.

use diagnosis::facts::Facts;
use diagnosis::{Confidence, Finding, Fix, cut, judge};

use super::diagnostics::{ADDRESS_SPACE_HINT, KILLED, NATIVE_HINT};

/// Most bytes of the text of a finding, and of a hint.
const TEXT: usize = 1200;
const HINT: usize = 500;
/// What evidence says counts as told if the diagnostics have it, unless it is as short as this.
const TELLING: usize = 12;
/// The words with which a finding says which jar of several holds the class that counts.
const WINS: &str = ", which wins, and in ";
/// What happened longer before the end than this, in seconds, is told with the time, because it may have
/// nothing to do with the end.
const JUST_NOW: u64 = 60;
/// The rules of kills for memory, which the diagnostics tell with every final status.
const KILLS: [&str; 3] =
    ["worker-over-physical-memory", "worker-over-virtual-memory", "worker-killed-by-kernel"];

/// Adds the top finding to the diagnostics, with what to set: if it is certain, or if it is likely and the
/// ends of containers alone show it. What the diagnostics say already is not said again.
pub(crate) fn with_finding(diagnostics: String, facts: &Facts) -> String {
    let ends = Facts { told: Vec::new(), outcomes: Vec::new(), ..facts.clone() };
    let top = |facts: &Facts, least: Confidence| {
        judge(facts).into_iter().next().filter(|found| found.confidence >= least)
    };
    let found = [top(facts, Confidence::Certain), top(&ends, Confidence::Likely)];
    let mut found = found.into_iter().flatten();
    found.find_map(|finding| added(&diagnostics, &finding, facts.now)).unwrap_or(diagnostics)
}

/// The diagnostics with the finding; none if it adds nothing. `now`: the end, in ms since 1970.
fn added(diagnostics: &str, finding: &Finding, now: u64) -> Option<String> {
    let hints = hints(&finding.fix);
    if KILLS.contains(&finding.rule) && KILLED.iter().any(|words| diagnostics.contains(words)) {
        let general = [NATIVE_HINT, ADDRESS_SPACE_HINT].map(|hint| format!("\nhint: {hint}"));
        let general = general.iter().find(|hint| diagnostics.contains(hint.as_str()))?;
        // A value in angle brackets stands for one that could not be computed.
        let computed = finding.fix.iter().all(|fix| !fix.value.starts_with('<')) && !hints.is_empty();
        return computed.then(|| diagnostics.replacen(general, &hints, 1));
    }
    // Which jar wins is said nowhere else.
    let is_said = is_said(diagnostics, finding) && !finding.text.contains(WINS);
    let text = (!is_said).then(|| format!("\n{}{}", before_the_end(finding, now), cut(&finding.text, TEXT)));
    let added = format!("{}{hints}", text.unwrap_or_default());
    let whole = format!("{diagnostics}{added}");
    (!added.is_empty()).then(|| whole.trim_start().to_owned())
}

/// When the latest of it happened, as the beginning of a line; empty if that was just now, or is not known.
fn before_the_end(finding: &Finding, now: u64) -> String {
    let latest = finding.evidence.iter().filter_map(|evidence| evidence.at).max();
    match latest.map(|at| now.saturating_sub(at) / 1000) {
        Some(seconds) if seconds > JUST_NOW => format!("{seconds} s before the end: "),
        _ => String::new(),
    }
}

/// Whether the diagnostics have the words from which the finding was made.
fn is_said(diagnostics: &str, finding: &Finding) -> bool {
    let words = finding.evidence.iter().map(|evidence| evidence.text.as_str());
    words.filter(|words| words.len() > TELLING).any(|words| diagnostics.contains(words))
}

/// What to set, a line for each choice, with a line break in front of each.
fn hints(fixes: &[Fix]) -> String {
    let mut choices: Vec<u8> = fixes.iter().map(|fix| fix.choice).collect();
    choices.dedup();
    let mut hints = String::new();
    for choice in choices {
        let of_choice: Vec<&Fix> = fixes.iter().filter(|fix| fix.choice == choice).collect();
        let all = |word: fn(&Fix) -> String, between: &str| {
            of_choice.iter().map(|fix| word(fix)).collect::<Vec<_>>().join(between)
        };
        let settings = all(|fix| format!("{}: {}", fix.key, fix.value), ", ");
        let why = all(|fix| fix.explanation.clone(), "; ");
        let or = if hints.is_empty() { "" } else { "or " };
        hints.push_str(&format!("\nhint: {or}set {}", cut(&format!("{settings} ({why})"), HINT)));
    }
    hints
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;

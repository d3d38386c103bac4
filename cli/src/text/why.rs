//! The text of `heddle why`: each finding with its evidence, and what to set.

use diagnosis::{Confidence, Evidence, Finding, Fix, Standing};
use yarn_client::diagnose::{Silent, Why};
use yarn_client::findings::remedies;

use super::clean;
use super::status::{ago, verdict};

/// All findings, or that there is none, and who is silent.
pub(crate) fn render(why: &Why) -> String {
    let mut parts = vec![verdict(&why.application, &why.name, &why.verdict)];
    let numbered = why.findings.iter().enumerate();
    parts.extend(numbered.map(|(at, found)| finding(at + 1, found, why.now)));
    if why.findings.is_empty() {
        parts.push(nothing(why));
    }
    if !why.silent.is_empty() {
        let line = |Silent { source, why }: &Silent| clean::line(&format!("  {} {why}", source.text()));
        let lines: Vec<String> = why.silent.iter().map(line).collect();
        parts.push(format!("Silent witnesses:\n{}", lines.join("\n")));
    }
    if why.more > 0 {
        let more = match why.more {
            1 => "1 more is a consequence, or only possible".to_owned(),
            more => format!("{more} more are consequences, or only possible"),
        };
        parts.push(format!("{more}: `heddle why --all {}` tells them too", why.application));
    }
    parts.join("\n\n")
}

/// That nothing was found, and what that means in this state.
fn nothing(why: &Why) -> String {
    let id = &why.application;
    match why.verdict.standing {
        Standing::Running => "Nothing was found: it runs, and no witness tells of a trouble.".to_owned(),
        Standing::Succeeded => "Nothing was found: it has done its work.".to_owned(),
        _ => format!("Nothing was found that explains it. `heddle logs {id}` shows its logs."),
    }
}

fn finding(number: usize, finding: &Finding, now: u64) -> String {
    let Finding { rule, class, whose, retry, confidence, text, times, .. } = finding;
    let lead = match confidence {
        Confidence::Possible => "Possibly: ",
        Confidence::Likely | Confidence::Certain => "",
    };
    let mut lines = vec![format!("{number}. {lead}{}", clean::line(text))];
    if *times > 1 {
        lines.push(format!("   seen {times} times"));
    }
    lines.extend(finding.evidence.iter().map(|evidence| shown(evidence, now)));
    for (at, settings) in remedies(finding).into_iter().enumerate() {
        let lead = if at == 0 { "   to set:" } else { "   or:" };
        lines.push(lead.to_owned());
        lines.extend(settings.into_iter().map(setting));
    }
    lines.push(format!(
        "   who can do something: {}; the same again: {}; class: {}; rule: {rule}",
        whose.text(),
        retry.text(),
        class.text()
    ));
    lines.join("\n")
}

fn setting(Fix { key, value, explanation, .. }: &Fix) -> String {
    clean::line(&format!("     {key}: {value}  {explanation}"))
}

/// A piece of evidence: who has said it, when, about what, and the words.
fn shown(Evidence { at, source, about, text }: &Evidence, now: u64) -> String {
    let age = at.map(|at| format!(", {}", ago(Some(now.saturating_sub(at))))).unwrap_or_default();
    clean::line(&format!("   {}{age}, {about}: \"{text}\"", source.text()))
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{ContainerEnd, Facts, Seen, Source};
    use diagnosis::{Verdict, judge};

    use super::*;

    fn why(standing: Standing, findings: Vec<Finding>, silent: Vec<Silent>, more: usize) -> Why {
        Why {
            application: "application_1_0001".into(),
            name: "count".into(),
            user: String::new(),
            verdict: Verdict { standing, reason: "so it is".into(), witnesses: vec![] },
            findings,
            more,
            silent,
            now: 13_000,
        }
    }

    fn killed_for_address_space() -> Vec<Finding> {
        let fact = ContainerEnd {
            container: "c_2".into(),
            status: Some(-103),
            diagnostics: "Container is running beyond the 'VIRTUAL' memory limit.\u{7} Current usage: 0.5 GB of 1 GB physical memory \
                used; 4.0 GB of 2.1 GB virtual memory used."
                .into(),
            ..ContainerEnd::default()
        };
        let ends = vec![Seen { source: Source::Outcome, at: Some(1_000), fact }];
        judge(&Facts { ends, ..Facts::default() })
    }

    #[test]
    fn a_finding_with_alternatives() {
        let silent = vec![Silent { source: Source::JobManager, why: "cannot be reached: refused".into() }];
        insta::assert_snapshot!(render(&why(Standing::Failed, killed_for_address_space(), silent, 2)), @r#"
        FAILED  application_1_0001  "count"  so it is

        1. The NodeManager has killed TaskManager c_2, because its address space was larger than it allows (4 GB used, 2.1 GB allowed).
           heddle-am's record, 12 s ago, TaskManager c_2: "Container is running beyond the 'VIRTUAL' memory limit.  Current usage: 0.5 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB virtual memory used."
           to set:
             yarn.nodemanager.vmem-check-enabled: false  in yarn-site.xml of the nodes: ends the check, which says little about a JVM
           or:
             yarn.nodemanager.vmem-pmem-ratio: 4.4  in yarn-site.xml of the nodes: allows what was used, and a tenth more
           who can do something: whoever deploys the application; the same again: only after a change; class: memory; rule: worker-over-virtual-memory

        Silent witnesses:
          JobManager cannot be reached: refused

        2 more are consequences, or only possible: `heddle why --all application_1_0001` tells them too
        "#);
    }

    #[test]
    fn nothing_was_found() {
        let text = |standing| render(&why(standing, vec![], vec![], 0));
        assert!(
            text(Standing::Running)
                .ends_with("Nothing was found: it runs, and no witness tells of a trouble.")
        );
        assert!(text(Standing::Succeeded).ends_with("it has done its work."));
        assert!(text(Standing::Failed).contains("`heddle logs application_1_0001`"));
    }

    #[test]
    fn what_is_only_possible_is_called_so() {
        let mut found = killed_for_address_space();
        for finding in &mut found {
            finding.confidence = Confidence::Possible;
            finding.times = 3;
        }
        let text = render(&why(Standing::Failed, found, vec![], 0));
        assert!(
            text.contains("\n1. Possibly: The NodeManager") && text.contains("\n   seen 3 times\n"),
            "{text}"
        );
    }
}

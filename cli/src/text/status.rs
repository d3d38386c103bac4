//! The text of `heddle status`: the verdict on one line, and below it what each witness says.

use diagnosis::{Verdict, Witness};
use yarn_client::diagnose::Status;
use yarn_client::findings;

use super::clean;

/// The verdict and the witnesses, and the cause if the application waits or has not succeeded.
pub(crate) fn render(status: &Status) -> String {
    let mut text = verdict(&status.application, &status.name, &status.verdict);
    let witnesses = &status.verdict.witnesses;
    let width = |of: fn(&Witness) -> String| witnesses.iter().map(|w| of(w).len()).max().unwrap_or_default();
    let who = |witness: &Witness| witness.source.text().to_owned();
    let (names, ages) = (width(who), width(|witness| ago(witness.age)));
    for witness in witnesses {
        let (name, age, says) = (who(witness), ago(witness.age), clean::line(&witness.says));
        text.push_str(&format!("\n  {name:<names$}  {age:>ages$}  {says}"));
    }
    if let Some(finding) = &status.finding {
        text.push_str(&format!("\n\ncause: {}", clean::line(&finding.text)));
        for hint in findings::hints(finding) {
            text.push_str(&format!("\nhint: {}", clean::line(&hint)));
        }
        let id = &status.application;
        text.push_str(&format!("\nhint: `heddle why {id}` tells what shows that, and what else was found"));
    }
    text
}

/// The verdict on one line: state, application, name and reason.
pub(crate) fn verdict(application: &str, name: &str, verdict: &Verdict) -> String {
    let name = if name.is_empty() { String::new() } else { format!("  \"{name}\"") };
    clean::line(&format!("{}  {application}{name}  {}", verdict.standing.text(), verdict.reason))
}

/// How old something is, from milliseconds.
pub(crate) fn ago(age: Option<u64>) -> String {
    let Some(age) = age else { return "at a time that is not known".to_owned() };
    match age / 1000 {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::Source;
    use diagnosis::{Finding, Standing, judge};

    use super::*;

    fn witness(source: Source, age: Option<u64>, says: &str) -> Witness {
        Witness { source, age, says: says.into() }
    }

    fn status(standing: Standing, reason: &str, finding: Option<Finding>) -> Status {
        Status {
            application: "application_1_0001".into(),
            name: "word\u{1b}[2J count".into(),
            user: String::new(),
            verdict: Verdict {
                standing,
                reason: reason.into(),
                witnesses: vec![
                    witness(Source::ResourceManager, Some(2_000), "RUNNING"),
                    witness(Source::JobManager, Some(125_000), "jobs: 1 RUNNING"),
                    witness(Source::Outcome, None, "noted\nFAILED"),
                ],
            },
            task_managers: None,
            finding,
        }
    }

    #[test]
    fn a_line_for_each_witness() {
        insta::assert_snapshot!(render(&status(Standing::Running, "jobs: 1 RUNNING", None)), @r#"
        RUNNING  application_1_0001  "word [2J count"  jobs: 1 RUNNING
          ResourceManager                         2 s ago  RUNNING
          JobManager                            2 min ago  jobs: 1 RUNNING
          heddle-am's record  at a time that is not known  noted FAILED
        "#);
    }

    #[test]
    fn the_cause_and_what_to_set() {
        use diagnosis::facts::{ContainerEnd, Facts, Seen};
        let fact = ContainerEnd { container: "c_2".into(), status: Some(-104), ..ContainerEnd::default() };
        let ends = vec![Seen { source: Source::Outcome, at: None, fact }];
        let finding = judge(&Facts { ends, ..Facts::default() }).into_iter().next();
        let text = render(&status(Standing::Failed, "its ApplicationMaster has told YARN FAILED", finding));
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(lines[0], "");
        assert!(
            lines[1].starts_with("cause: The NodeManager has killed TaskManager c_2, because "),
            "{text}"
        );
        assert!(lines[2].starts_with("hint: set taskmanager.memory.jvm-overhead.min: <larger> ("), "{text}");
        assert!(lines[3].starts_with("hint: `heddle why application_1_0001` "), "{text}");
    }

    #[test]
    fn ages() {
        for (age, text) in [
            (0, "0 s ago"),
            (119_999, "119 s ago"),
            (120_000, "2 min ago"),
            (7_200_000, "2 h ago"),
            (172_800_000, "2 d ago"),
        ] {
            assert_eq!(ago(Some(age)), text);
        }
    }
}

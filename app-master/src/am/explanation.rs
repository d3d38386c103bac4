//! What YARN is told of the end of an application: the diagnostics, with what the ends of its containers show
//! if it has failed, and without secrets.

use diagnosis::classes;
use diagnosis::facts::{Facts, Final, Outcome, Seen, Settings, Source};
use flink_model::config::masked_lines;
use outcomes::{Account, Left};
use yarn_api::records::FinalStatus;

use crate::controller::end::End;
use crate::controller::finding::with_finding;

/// What is longer ago than this, in ms, has hardly made the application fail.
const RECENT: u64 = 10 * 60 * 1000;
/// So many of the latest ends of containers may name classes.
const ENDS: usize = 16;

/// The end of the application with diagnostics that say what `account` shows, and in which secrets are
/// hidden: they quote exceptions and logs, and whoever may list applications in YARN reads them. `settings`
/// reads the configuration, and is called only if the application has failed.
pub(super) fn explained(
    end: End,
    account: impl FnOnce() -> Account,
    settings: impl FnOnce() -> Option<Settings>,
    now: u64,
) -> End {
    let End { unregister, .. } = end;
    let unregister = unregister.map(|(status, diagnostics)| {
        let told = if status == FinalStatus::Failed {
            let facts = facts(account(), settings(), &diagnostics, now);
            with_finding(diagnostics, &facts)
        } else {
            diagnostics
        };
        (status, masked_lines(&told))
    });
    End { unregister, ..end }
}

/// The classes that a failure names because something is wrong with them; none if the application has not
/// failed.
pub(super) fn classes_of(end: &End, account: impl FnOnce() -> Account) -> Vec<String> {
    let Some((FinalStatus::Failed, diagnostics)) = &end.unregister else { return Vec::new() };
    let Account { record, entries } = account();
    let told = record.told.iter().map(|seen| seen.fact.text.as_str());
    let said = entries.iter().rev().take(ENDS).flat_map(|entry| entry.end.said.iter().map(String::as_str));
    let mut found: Vec<String> = Vec::new();
    for class in std::iter::once(diagnostics.as_str()).chain(told).chain(said).flat_map(classes::named) {
        if !found.contains(&class) {
            found.push(class);
        }
    }
    found
}

/// What has happened lately, and the diagnostics so far, which have the JobManager's own words.
fn facts(account: Account, settings: Option<Settings>, diagnostics: &str, now: u64) -> Facts {
    let mut facts = Facts { now, settings, ..Facts::default() };
    Left::from(account).add_to(&mut facts, Source::ApplicationMaster);
    // They say why an application waits, and not why it fails.
    facts.asks.clear();
    facts.ends.retain(|seen| is_recent(seen, now));
    facts.told.retain(|seen| is_recent(seen, now));
    facts.nodes.retain(|seen| is_recent(seen, now));
    let outcome = Outcome { status: Some(Final::Failed), diagnostics: diagnostics.to_owned() };
    facts.outcomes = vec![Seen { source: Source::ApplicationMaster, at: Some(now), fact: outcome }];
    facts
}

fn is_recent<T>(seen: &Seen<T>, now: u64) -> bool {
    seen.at.is_some_and(|at| now.saturating_sub(at) <= RECENT)
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::ContainerEnd;
    use outcomes::{Entry, Record};

    use super::*;
    use crate::controller::end::{CleanUp, JobManagerNotice};

    fn end(status: FinalStatus) -> End {
        End {
            unregister: Some((status, "Job \"a\" (1) failed: x".into())),
            notice: JobManagerNotice::Deregistered,
            stop_task_managers: true,
            clean_up: CleanUp::AfterUnregister,
            exit_code: 0,
            message: "m".into(),
        }
    }

    fn lost(at: u64) -> Account {
        let diagnostics = "Container released on a *lost* node".into();
        let end = ContainerEnd { status: Some(-100), diagnostics, ..ContainerEnd::default() };
        Account { record: Record::default(), entries: vec![Entry { at, end, ..Entry::default() }] }
    }

    fn told(status: FinalStatus, account: Account) -> String {
        let end = explained(end(status), || account, || None, 10 * RECENT);
        end.unregister.unwrap().1
    }

    #[test]
    fn only_a_failure_is_explained_and_only_by_what_has_just_happened() {
        let plain = "Job \"a\" (1) failed: x";
        assert!(told(FinalStatus::Failed, lost(10 * RECENT - 5)).contains("lost the node"));
        assert_eq!(told(FinalStatus::Failed, lost(5)), plain);
        assert_eq!(told(FinalStatus::Succeeded, lost(10 * RECENT - 5)), plain);
        let none = End { unregister: None, ..end(FinalStatus::Failed) };
        assert_eq!(explained(none.clone(), || lost(5), || None, 9), none);
    }

    #[test]
    fn secrets_are_not_told() {
        let diagnostics = "Job \"a\" (1) failed: x.Y: no connection\nCaused by: x.Z: jdbc:y://ann:hush@h/\n\
            The JobManager ended: code 1; last lines of its log:\n  --password hush -Dmy.secret=hush";
        for status in [FinalStatus::Failed, FinalStatus::Killed, FinalStatus::Succeeded] {
            let end = End { unregister: Some((status, diagnostics.into())), ..end(status) };
            let (_, told) = explained(end, || lost(5), || None, 10 * RECENT).unregister.unwrap();
            assert!(told.contains("Caused by: x.Z: jdbc:y://ann:******@h/\n"), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn the_classes_that_a_failure_names() {
        let account = || {
            let said = vec!["java.lang.NoClassDefFoundError: a/B".to_owned()];
            let end = ContainerEnd { said, ..ContainerEnd::default() };
            Account { record: Record::default(), entries: vec![Entry { end, ..Entry::default() }] }
        };
        let failed = End {
            unregister: Some((
                FinalStatus::Failed,
                "main() failed: java.lang.NoSuchMethodError: c.D.e()V".into(),
            )),
            ..end(FinalStatus::Failed)
        };
        assert_eq!(classes_of(&failed, account), ["c.D", "a.B"]);
        assert!(classes_of(&end(FinalStatus::Succeeded), account).is_empty());
    }
}

//! Checks whether the queue that is named can take the application. This module does no I/O.

use yarn_api::records::{QueueAcl, QueueInfo, QueueState, QueueUserAcl};

use crate::error::{CauseClass, Failure};
use crate::queues::{are_of_another_scheduler, find, is_named};

/// What is known of a queue before the application is submitted.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The queue takes applications.
    Fine,
    /// The queue does not exist, but the scheduler may create it when it is used. The text is a warning.
    Unsure(String),
    /// The queue cannot take the application.
    Refused(Failure),
}

/// Checks whether `wanted` is one of `queues` and takes applications.
pub(crate) fn check(wanted: &str, queues: &[QueueInfo]) -> Verdict {
    let leaves = || {
        let names: Vec<&str> =
            queues.iter().filter(|q| q.children.is_empty()).map(|q| q.name.as_str()).collect();
        format!("queues that take applications: {}", names.join(", "))
    };
    if let Some(queue) = find(wanted, queues) {
        if queue.state == QueueState::Stopped {
            let what = format!("the queue '{wanted}' is stopped and takes no applications");
            return Verdict::Refused(
                Failure::new(what)
                    .of_class(CauseClass::Queue)
                    .hint(leaves())
                    .hint("choose another with -qu or yarn.application.queue"),
            );
        }
        if !queue.children.is_empty() {
            let below: Vec<&str> = queue.children.iter().map(|q| q.name.as_str()).collect();
            let what = format!(
                "the queue '{wanted}' is a parent: applications go to the queues below it ({})",
                below.join(", ")
            );
            return Verdict::Refused(
                Failure::new(what)
                    .of_class(CauseClass::Queue)
                    .hint("choose one of them with -qu or yarn.application.queue"),
            );
        }
        return Verdict::Fine;
    }
    // The FairScheduler, which reports whole paths as names, creates queues when they are used. The
    // CapacityScheduler does so below a parent queue that allows it.
    let fair = are_of_another_scheduler(queues);
    let parent = wanted.rsplit_once('.').map(|(parent, _)| parent).filter(|p| *p != "root");
    if fair || parent.is_some_and(|p| queues.iter().any(|q| is_named(q, p))) {
        return Verdict::Unsure(format!(
            "the queue '{wanted}' does not exist yet; the scheduler may make it, or refuse"
        ));
    }
    let what = format!("the queue '{wanted}' does not exist (yarn.application.queue)");
    Verdict::Refused(Failure::new(what).of_class(CauseClass::Queue).hint(leaves()))
}

/// Refuses a queue to which the user may not submit, according to the rights that the ResourceManager
/// reports.
pub(crate) fn check_rights(queue: &QueueInfo, user: &str, rights: &[QueueUserAcl]) -> Result<(), Failure> {
    // Some releases of Hadoop report the rights in a queue by its name, others by its path, and two queues
    // may have the same name.
    let mut told = rights.iter().filter(|r| r.queue == queue.name || r.queue == queue.path).peekable();
    if told.peek().is_none() || told.any(|r| r.acls.contains(&QueueAcl::SubmitApplications)) {
        return Ok(());
    }
    let may: Vec<&str> = rights
        .iter()
        .filter(|r| r.acls.contains(&QueueAcl::SubmitApplications))
        .map(|r| r.queue.as_str())
        .collect();
    let failure =
        Failure::new(format!("the user {user} may not submit applications to the queue '{}'", queue.name))
            .of_class(CauseClass::Permission);
    Err(match &may[..] {
        [] => failure
            .hint("ask the cluster's administrator for the right, or use another user (HADOOP_USER_NAME; with Kerberos kinit)"),
        names => failure.hint(format!("{user} may submit to: {}", names.join(", "))),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(crate) fn queue(name: &str, path: &str, state: QueueState, children: Vec<QueueInfo>) -> QueueInfo {
        QueueInfo {
            name: name.into(),
            path: path.into(),
            state,
            capacity: 0.0,
            max_capacity: None,
            used_capacity: 0.0,
            max_am_share: None,
            max_resource: None,
            node_labels: Default::default(),
            default_node_label: None,
            statistics: None,
            children,
        }
    }

    fn capacity_scheduler() -> Vec<QueueInfo> {
        let run = QueueState::Running;
        let night = queue("night", "root.etl.night", run, vec![]);
        vec![
            queue("root", "root", run, vec![]),
            queue("default", "root.default", run, vec![]),
            queue("etl", "root.etl", run, vec![night.clone()]),
            night,
            queue("old", "root.old", QueueState::Stopped, vec![]),
        ]
    }

    fn verdict(wanted: &str) -> String {
        match check(wanted, &capacity_scheduler()) {
            Verdict::Fine => "fine".into(),
            Verdict::Unsure(text) => text,
            Verdict::Refused(failure) => failure.render(false),
        }
    }

    #[test]
    fn names_and_paths() {
        for wanted in ["default", "root.default", "night", "root.etl.night", "etl.night"] {
            assert_eq!(verdict(wanted), "fine", "{wanted}");
        }
    }

    #[test]
    fn refusals_say_what_there_is() {
        assert!(
            verdict("nope").contains("does not exist") && verdict("nope").contains("default, night, old")
        );
        assert!(verdict("etl").contains("is a parent") && verdict("etl").contains("night"));
        assert!(verdict("old").contains("is stopped"));
        assert!(verdict("root.nope").contains("does not exist (yarn"));
    }

    #[test]
    fn rights() {
        let run = QueueState::Running;
        let old = queue("old", "root.old", run, vec![]);
        let right = |name: &str, acls: &[QueueAcl]| QueueUserAcl {
            queue: name.into(),
            acls: acls.iter().copied().collect::<BTreeSet<_>>(),
        };
        let check = |rights: &[QueueUserAcl]| check_rights(&old, "ann", rights).map_err(|e| e.render(false));
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[right("old", &[]), right("root.old", &[QueueAcl::SubmitApplications])]), Ok(()));
        let refused =
            check(&[right("old", &[]), right("night", &[QueueAcl::SubmitApplications])]).unwrap_err();
        assert!(refused.contains("ann may not submit") && refused.contains("to: night"), "{refused}");
    }

    #[test]
    fn queues_that_are_made_when_used() {
        assert!(verdict("root.etl.ann").contains("may make it"));
        let fair = [queue("root.default", "root.default", QueueState::Running, vec![])];
        assert!(matches!(check("ann", &fair), Verdict::Unsure(_)));
        assert!(matches!(check("default", &fair), Verdict::Fine));
    }
}

//! Whether the queue that is asked for can take the application. Pure.

use yarn_api::records::{QueueInfo, QueueState};

use crate::error::Failure;

/// What is known of a queue before submitting to it.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It takes applications.
    Fine,
    /// It may come into being when it is used; a text for the user.
    Unsure(String),
    /// It cannot take the application.
    Refused(Failure),
}

/// Looks for `wanted` (a name or a path, with or without `root.`) among `queues`.
pub(crate) fn check(wanted: &str, queues: &[QueueInfo]) -> Verdict {
    let with_root = format!("root.{wanted}");
    let named =
        |q: &QueueInfo, name: &str| q.name == name || q.path == name || q.path == format!("root.{name}");
    let found: Vec<&QueueInfo> = queues
        .iter()
        .filter(|q| {
            named(q, wanted)
                || named(q, &with_root)
                || wanted.strip_prefix("root.").is_some_and(|w| q.name == w)
        })
        .collect();
    let leaves = || {
        let names: Vec<&str> =
            queues.iter().filter(|q| q.children.is_empty()).map(|q| q.name.as_str()).collect();
        format!("queues that take applications: {}", names.join(", "))
    };
    if let Some(queue) = found.iter().find(|q| q.children.is_empty()).or(found.first()) {
        if queue.state == QueueState::Stopped {
            let what = format!("the queue '{wanted}' is stopped and takes no applications");
            return Verdict::Refused(
                Failure::new(what).hint(leaves()).hint("choose another with -qu or yarn.application.queue"),
            );
        }
        if !queue.children.is_empty() {
            let below: Vec<&str> = queue.children.iter().map(|q| q.name.as_str()).collect();
            let what = format!(
                "the queue '{wanted}' is a parent: applications go to the queues below it ({})",
                below.join(", ")
            );
            return Verdict::Refused(
                Failure::new(what).hint("choose one of them with -qu or yarn.application.queue"),
            );
        }
        return Verdict::Fine;
    }
    // The fair scheduler, which tells whole paths, makes queues when they are used; the capacity scheduler does so
    // below a parent.
    let fair = queues.iter().any(|q| q.name.starts_with("root."));
    let parent = wanted.rsplit_once('.').map(|(parent, _)| parent).filter(|p| *p != "root");
    if fair || parent.is_some_and(|p| queues.iter().any(|q| named(q, p))) {
        return Verdict::Unsure(format!(
            "the queue '{wanted}' does not exist yet; the scheduler may make it, or refuse"
        ));
    }
    let what = format!("the queue '{wanted}' does not exist (yarn.application.queue)");
    Verdict::Refused(Failure::new(what).hint(leaves()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, path: &str, state: QueueState, children: Vec<QueueInfo>) -> QueueInfo {
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
    fn queues_that_are_made_when_used() {
        assert!(verdict("root.etl.ann").contains("may make it"));
        let fair = [queue("root.default", "root.default", QueueState::Running, vec![])];
        assert!(matches!(check("ann", &fair), Verdict::Unsure(_)));
        assert!(matches!(check("default", &fair), Verdict::Fine));
    }
}

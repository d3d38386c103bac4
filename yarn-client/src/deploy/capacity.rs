//! Checks whether a queue can ever give the containers that are wanted. This module does no I/O.
//!
//! The check compares with the queue's maximum capacity, for the cluster as it is now. It ignores the part of
//! the queue that ApplicationMasters may use (`maximum-am-resource-percent`): YARN does not apply that limit
//! to the first application of a queue, so the limit only makes later applications wait.

use yarn_api::records::QueueInfo;

use crate::error::{CauseClass, Failure};
use crate::queues::most_mb;

/// The memory that is wanted, in MiB and rounded up as YARN does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// The memory of the ApplicationMaster's container.
    pub(crate) master_mb: u64,
    /// The memory of one TaskManager's container.
    pub(crate) worker_mb: u64,
    /// Whether a program runs as soon as the cluster has started. Without a TaskManager such a cluster could
    /// do nothing.
    pub(crate) runs_at_once: bool,
}

/// Whether the containers fit into the queue.
#[derive(Debug)]
pub(crate) enum QueueFit {
    /// The containers fit, or it is not known whether they fit.
    Fits,
    /// The ApplicationMaster's container fits, but no TaskManager's container fits beside it. The text is a
    /// warning.
    ApplicationMasterOnly(String),
    /// The ApplicationMaster's container does not fit, or no TaskManager's container fits for a program that
    /// needs one.
    TooLarge(Failure),
}

/// Compares what is wanted with the queue's maximum. `nodes` is the number of running nodes, and `total_mb`
/// is their memory together.
pub(crate) fn check(
    wanted: &QueueInfo,
    queues: &[QueueInfo],
    nodes: usize,
    total_mb: u64,
    need: Need,
) -> QueueFit {
    // While no node runs, it is not known how large the cluster will be.
    let Some(most) = most_mb(wanted, queues, total_mb).filter(|_| nodes > 0) else { return QueueFit::Fits };
    let Need { master_mb, worker_mb, runs_at_once } = need;
    let name = &wanted.name;
    let limit = format!(
        "the queue may use {most} MB, {} % of the cluster's {total_mb} MB on {nodes} node{}",
        (most * 100 + total_mb / 2) / total_mb.max(1),
        if nodes == 1 { "" } else { "s" }
    );
    if master_mb > most {
        let what = format!(
            "the queue '{name}' can never give the JobManager's container of {master_mb} MB: {limit}"
        );
        return QueueFit::TooLarge(advise(
            Failure::new(what).of_class(CauseClass::Queue),
            "-jm",
            queues,
            total_mb,
            master_mb,
        ));
    }
    if master_mb + worker_mb <= most {
        return QueueFit::Fits;
    }
    let what = format!(
        "the queue '{name}' can never give a TaskManager's container of {worker_mb} MB beside the JobManager's of \
         {master_mb} MB: {limit}"
    );
    if !runs_at_once {
        return QueueFit::ApplicationMasterOnly(format!(
            "{what}; no job can run until the queue or the cluster grows"
        ));
    }
    QueueFit::TooLarge(advise(
        Failure::new(what).of_class(CauseClass::Queue),
        "-jm and -tm",
        queues,
        total_mb,
        master_mb + worker_mb,
    ))
}

fn advise(failure: Failure, options: &str, queues: &[QueueInfo], total_mb: u64, needed_mb: u64) -> Failure {
    let fits = queues.iter().filter(|q| q.children.is_empty()).filter_map(|q| {
        let most = most_mb(q, queues, total_mb).filter(|most| *most >= needed_mb)?;
        Some(format!("{} ({most} MB)", q.name))
    });
    let fits: Vec<String> = fits.collect();
    let failure = failure.hint(format!("ask for less with {options}"));
    if fits.is_empty() {
        return failure;
    }
    failure.hint(format!("or choose another queue with -qu or yarn.application.queue: {}", fits.join(", ")))
}

#[cfg(test)]
mod tests {
    use yarn_api::records::{QueueState, Resource};

    use super::*;
    use crate::deploy::queue::tests::queue;

    fn queues(absolute: bool) -> Vec<QueueInfo> {
        let made = |name: &str, path: &str, part, mb, children| QueueInfo {
            max_capacity: Some(part),
            max_resource: absolute.then(|| Resource::new(mb, 8)),
            ..queue(name, path, QueueState::Running, children)
        };
        let small = made("small", "root.wide.small", 0.2, 1638, vec![]);
        let default = made("default", "root.default", 1.0, 16384, vec![]);
        vec![
            made("root", "root", 1.0, 16384, vec![default.clone()]),
            default,
            made("wide", "root.wide", 0.5, 8192, vec![small.clone()]),
            small,
        ]
    }

    fn said(absolute: bool, master_mb: u64, worker_mb: u64, runs_at_once: bool) -> String {
        let queues = queues(absolute);
        let need = Need { master_mb, worker_mb, runs_at_once };
        match check(&queues[3], &queues, 2, 16384, need) {
            QueueFit::Fits => "fine".into(),
            QueueFit::ApplicationMasterOnly(text) => text,
            QueueFit::TooLarge(failure) => failure.render(false),
        }
    }

    #[test]
    fn what_the_queue_can_never_give() {
        for absolute in [true, false] {
            assert_eq!(said(absolute, 800, 800, true), "fine");
            assert!(said(absolute, 1024, 1024, false).contains("no job can run until"));
        }
        insta::assert_snapshot!(said(true, 3072, 1024, false), @r"
        error: the queue 'small' can never give the JobManager's container of 3072 MB: the queue may use 1638 MB, 10 % of the cluster's 16384 MB on 2 nodes
        hint: ask for less with -jm
        hint: or choose another queue with -qu or yarn.application.queue: default (16384 MB)
        ");
        insta::assert_snapshot!(said(false, 1024, 1024, true), @r"
        error: the queue 'small' can never give a TaskManager's container of 1024 MB beside the JobManager's of 1024 MB: the queue may use 1639 MB, 10 % of the cluster's 16384 MB on 2 nodes
        hint: ask for less with -jm and -tm
        hint: or choose another queue with -qu or yarn.application.queue: default (16384 MB)
        ");
    }

    #[test]
    fn what_is_not_known_is_not_refused() {
        let need = Need { master_mb: 1 << 40, worker_mb: 1, runs_at_once: true };
        let fair = [queue("root.default", "root.default", QueueState::Running, vec![])];
        assert!(matches!(check(&fair[0], &fair, 2, 16384, need), QueueFit::Fits));
        let queues = queues(true);
        assert!(matches!(check(&queues[3], &queues, 0, 0, need), QueueFit::Fits));
    }
}

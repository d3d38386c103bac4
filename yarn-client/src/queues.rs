//! The queues of a cluster, as the ResourceManager reports them: which of them a name means, and how much
//! memory each may use. This module does no I/O.

use yarn_api::records::QueueInfo;

/// Whether a queue has this name or this path.
pub(crate) fn is_named(queue: &QueueInfo, name: &str) -> bool {
    queue.name == name || queue.path == name || queue.path == format!("root.{name}")
}

/// Finds the queue with this name or path, with or without `root.`. If several queues fit, one that takes
/// applications wins over a parent queue.
pub(crate) fn find<'a>(wanted: &str, queues: &'a [QueueInfo]) -> Option<&'a QueueInfo> {
    let with_root = format!("root.{wanted}");
    let found = || {
        queues.iter().filter(|q| {
            is_named(q, wanted)
                || is_named(q, &with_root)
                || wanted.strip_prefix("root.").is_some_and(|w| q.name == w)
        })
    };
    found().find(|q| q.children.is_empty()).or_else(|| found().next())
}

/// Whether the scheduler is not the CapacityScheduler, whose queues are named by the last part of their paths
/// alone. Other schedulers give the fractions of a queue another meaning.
pub(crate) fn are_of_another_scheduler(queues: &[QueueInfo]) -> bool {
    queues.iter().any(|queue| queue.name.starts_with("root."))
}

/// A queue and the queues above it.
pub(crate) fn way_to<'a>(
    queue: &QueueInfo,
    queues: &'a [QueueInfo],
) -> impl Iterator<Item = &'a QueueInfo> + use<'a> {
    let path = queue.path.clone();
    queues.iter().filter(move |other| {
        path.strip_prefix(&other.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The most memory in MiB that a queue may use of a cluster with `total_mb`; `None` if that is not known.
pub(crate) fn most_mb(queue: &QueueInfo, queues: &[QueueInfo], total_mb: u64) -> Option<u64> {
    if let Some(most) = queue.max_resource.as_ref().map(|r| r.memory_mb).filter(|mb| *mb > 0) {
        return Some(most.min(total_mb));
    }
    // The CapacityScheduler of Hadoop 2 reports only fractions, each relative to the parent queue.
    if are_of_another_scheduler(queues) {
        return None;
    }
    let mut part = 1.0;
    for queue in way_to(queue, queues) {
        part *= f64::from(queue.max_capacity?);
    }
    // The result is rounded up, so that only what is certainly too large is refused.
    Some((total_mb as f64 * part).ceil() as u64)
}

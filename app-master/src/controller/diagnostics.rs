//! The diagnostics for YARN: what was observed of failures, in words.

use std::collections::BTreeSet;

use diagnosis::cut;
use flink_model::java_fit::complaint;
use taskrunner::cause::Fault;
use yarn_api::records::FinalStatus;

use super::observation::Observation;
use crate::failure::{MAX, causes, is_frame};
use crate::jobmanager::JobManagerEnd;
use crate::submission::service::MemoryKills;

/// The failures that were observed. Of those that the JobManager told of only the first and the last one are
/// kept.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    first: Option<String>,
    last: Option<String>,
    /// The first TaskManager that was killed for its memory, and how many there were.
    memory: Option<(String, usize)>,
    /// TaskManagers that ended before the JobManager knew them. The job then fails because there are no
    /// slots, which does not say why.
    starts: Starts,
    /// What the client of a per-job cluster was told last.
    memory_kills: MemoryKills,
}

/// TaskManagers that failed before they registered.
#[derive(Debug, Default)]
struct Starts {
    count: u32,
    first: String,
    hosts: BTreeSet<String>,
}

/// Most hosts that are named.
const HOSTS: usize = 5;

/// The words with which kills for memory are told, for one TaskManager and for several.
pub(super) const KILLED: [&str; 2] = ["was killed for its memory: ", "were killed for their memory, first: "];
/// What to do about such a kill, where the sizes are not known from which more could be computed.
pub(super) const NATIVE_HINT: &str = "what lies outside Java's own pools is native memory: raise \
    taskmanager.memory.jvm-overhead.fraction or taskmanager.memory.task.off-heap.size, or the whole \
    taskmanager.memory.process.size";
/// The same if the address space was too large.
pub(super) const ADDRESS_SPACE_HINT: &str = "yarn.nodemanager.vmem-pmem-ratio or a larger \
    taskmanager.memory.process.size allows more; yarn.nodemanager.vmem-check-enabled=false ends that check";

impl Starts {
    fn text(&self) -> Option<String> {
        let hosts: Vec<&str> = self.hosts.iter().take(HOSTS).map(String::as_str).collect();
        let more = match self.hosts.len().saturating_sub(HOSTS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let on = if hosts.is_empty() { String::new() } else { format!(" on {}{more}", hosts.join(", ")) };
        match self.count {
            0 => None,
            1 => Some(format!("A TaskManager failed at its start{on}: {}", self.first)),
            n => Some(format!("{n} TaskManagers failed at their start{on}; the first: {}", self.first)),
        }
    }
}

impl Diagnostics {
    /// Takes note of what concerns failures.
    pub(super) fn observe(&mut self, observations: &[Observation]) {
        for observation in observations {
            match observation {
                Observation::JobManagerFailure { text } => self.add(text),
                // The next one begins anew.
                Observation::JobManagerRestarts { .. } => (self.first, self.last) = (None, None),
                Observation::StartFailed { host, why, .. } => self.add_start(host.as_deref(), why),
                Observation::TaskManagerEnded { host, report, .. } if report.is_at_start() => {
                    self.add_start(host.as_deref(), &report.summary);
                }
                Observation::ContainerEnded { reason, cause, .. } if cause.fault == Fault::Memory => {
                    self.add_memory(reason);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, text: &str) {
        self.first.get_or_insert_with(|| text.to_owned());
        self.last = Some(text.to_owned());
    }

    /// A TaskManager failed before it registered, on this host if that is known.
    fn add_start(&mut self, host: Option<&str>, summary: &str) {
        if self.starts.count == 0 {
            self.starts.first = cut(summary, MAX / 4).to_owned();
        }
        self.starts.count += 1;
        self.starts.hosts.extend(host.map(str::to_owned));
    }

    /// A TaskManager was killed for its memory. Flink knows only that it is gone.
    fn add_memory(&mut self, reason: &str) {
        let (_, number) = self.memory.get_or_insert_with(|| (one_line(reason), 0));
        *number += 1;
    }

    /// What to tell of TaskManagers that were killed for their memory, with what to do about it.
    pub(super) fn memory(&self) -> Option<String> {
        let (first, number) = self.memory.as_ref()?;
        let title = match number {
            1 => "A TaskManager was killed for its memory".to_owned(),
            _ => format!("{number} TaskManagers were killed for their memory, first"),
        };
        let virtual_memory = first.contains("virtual memory than");
        let hint = if virtual_memory { ADDRESS_SPACE_HINT } else { NATIVE_HINT };
        Some(format!("{title}: {first}\nhint: {hint}"))
    }

    /// What to tell the client of a per-job cluster of TaskManagers that were killed for their memory, if
    /// that has changed. `reason_pending`: YARN has not yet said why a container ended.
    pub(super) fn changed_memory_kills(&mut self, reason_pending: bool) -> Option<MemoryKills> {
        let known = MemoryKills { reason_pending, text: self.memory().unwrap_or_default() };
        let changed = known != self.memory_kills;
        self.memory_kills.clone_from(&known);
        changed.then_some(known)
    }

    /// The diagnostics for a final status that Flink reports: its own, where it has some.
    pub(super) fn for_status(&self, status: FinalStatus, flinks: &str) -> String {
        let own: Vec<&str> = flinks.lines().filter(|line| !is_frame(line)).collect();
        let own = cut(&own.join("\n"), MAX).to_owned();
        if status == FinalStatus::Succeeded {
            return self.with_memory(own);
        }
        let cause = match &self.first {
            Some(first) if own.is_empty() => first.clone(),
            _ => own,
        };
        let starts = self.starts.text().filter(|_| status == FinalStatus::Failed);
        let parts = [Some(cause).filter(|cause| !cause.is_empty()), starts].into_iter().flatten();
        self.with_memory(parts.collect::<Vec<_>>().join("\n"))
    }

    /// Adds what there is to tell of TaskManagers that were killed for their memory, unless it is there
    /// already.
    pub(super) fn with_memory(&self, diagnostics: String) -> String {
        match self.memory() {
            Some(memory) if diagnostics.is_empty() => memory,
            Some(memory) if !diagnostics.contains(&memory) => format!("{diagnostics}\n{memory}"),
            _ => diagnostics,
        }
    }

    /// The diagnostics for a JVM that ended without a final status: as a rule it did so because of the last
    /// failure.
    pub(super) fn for_end(&self, end: &JobManagerEnd) -> String {
        match &self.last {
            Some(last) => last.clone(),
            None => format!("The JobManager ended: {}{}", end.summary, end.last_lines),
        }
    }
}

/// What YARN and people are told of a failure of `what` with this stack trace.
pub(super) fn failure(what: &str, trace: &str) -> String {
    match causes(trace) {
        causes if causes.is_empty() => format!("{what} failed"),
        causes => match complaint(&causes) {
            Some(complaint) => format!("{what} failed: {causes}\n{complaint}"),
            None => format!("{what} failed: {causes}"),
        },
    }
}

/// A reason without the last lines of the log, because those show how the process ended and not why.
fn one_line(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    line.split("; last lines of its log:").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_explains_a_status_and_the_last_one_an_end() {
        let mut diagnostics = Diagnostics::default();
        let end = JobManagerEnd { summary: "code 2".into(), last_lines: "\nlog".into(), port_taken: false };
        assert_eq!(diagnostics.for_end(&end), "The JobManager ended: code 2\nlog");
        assert_eq!(diagnostics.for_status(FinalStatus::Failed, ""), "");
        diagnostics.add(&failure("Job \"a\" (1)", "x.Y: boom\n\tat z"));
        diagnostics.add(&failure("main() of M", ""));
        assert_eq!(diagnostics.for_status(FinalStatus::Failed, ""), "Job \"a\" (1) failed: x.Y: boom");
        assert_eq!(diagnostics.for_status(FinalStatus::Succeeded, ""), "");
        assert_eq!(
            diagnostics.for_status(FinalStatus::Failed, "a.B: c\n\tat d\nCaused by: e"),
            "a.B: c\nCaused by: e"
        );
        assert_eq!(diagnostics.for_end(&end), "main() of M failed");
    }

    #[test]
    fn a_taskmanager_that_cannot_be_started_is_told_with_a_failure() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.add_start(Some("node1"), "no Java");
        let one = "A TaskManager failed at its start on node1: no Java";
        assert_eq!(diagnostics.for_status(FinalStatus::Failed, ""), one);
        assert_eq!(diagnostics.for_status(FinalStatus::Failed, "x"), format!("x\n{one}"));
        assert_eq!(diagnostics.for_status(FinalStatus::Killed, ""), "");
        assert_eq!(diagnostics.for_status(FinalStatus::Succeeded, ""), "");
        diagnostics.add_start(Some("node2"), "something else");
        diagnostics.add_start(Some("node1"), "no Java");
        assert_eq!(
            diagnostics.for_status(FinalStatus::Failed, ""),
            "3 TaskManagers failed at their start on node1, node2; the first: no Java"
        );
        (3..9).for_each(|n| diagnostics.add_start(Some(&format!("node{n}")), ""));
        let many = diagnostics.for_status(FinalStatus::Failed, "");
        assert!(
            many.starts_with(
                "9 TaskManagers failed at their start on node1, node2, node3, node4, node5 and 3 more; "
            ),
            "{many}"
        );
    }

    #[test]
    fn errors_of_java_are_explained() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.add(&failure(
            "main() of M",
            "java.lang.UnsupportedOperationException: getSubject is not supported",
        ));
        let text = diagnostics.for_status(FinalStatus::Failed, "");
        assert!(text.contains("\nthe cluster's Hadoop does not run on Java 24"), "{text}");
    }

    #[test]
    fn a_kill_for_memory_is_told_with_every_status_and_counted() {
        let mut diagnostics = Diagnostics::default();
        let reason = "c1 on n:1: more physical memory than the container has: 2 GB of 1 GB";
        diagnostics.add_memory(&format!("{reason}; last lines of its log:\n  x"));
        let text = diagnostics.for_status(FinalStatus::Failed, "boom");
        assert!(
            text.starts_with(&format!("boom\nA TaskManager was killed for its memory: {reason}\nhint: ")),
            "{text}"
        );
        assert!(text.contains("jvm-overhead") && !text.contains("log:"), "{text}");
        assert_eq!(diagnostics.with_memory(text.clone()), text);
        diagnostics.add_memory("c2");
        let text = diagnostics.for_status(FinalStatus::Succeeded, "");
        assert!(text.starts_with("2 TaskManagers were killed for their memory, first: c1"), "{text}");
    }
}

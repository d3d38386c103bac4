//! The facts about the end of a JVM or its container, as types. They come from the taskrunner's event
//! [`Exited`] and from YARN's exit status and diagnostics, and say who or what has caused the end. Only
//! [`crate::words`] turns them into texts for people.

use diagnosis::exits;

use crate::control::{Exited, OutOfMemory};
use crate::log_findings;

pub use diagnosis::exits::Fault;
pub use diagnosis::usage::MemoryUsage;

/// The exit statuses with which YARN reports that it ended a running container itself.
const YARNS_DOING: [i32; 7] = [-101, -102, -103, -104, -106, -108, -109];
/// The exit status both of a container that was given back and of one whose node was lost.
const ABORTED: i32 = -100;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Whether the kernel's out-of-memory killer ended a process while the JVM was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelOom {
    /// There is no sign of that, or it is not known.
    #[default]
    None,
    /// The killer's counter of the container's own cgroup has risen.
    Cgroup {
        /// The limit of the cgroup in bytes, if it has one and it is known.
        limit: Option<u64>,
        /// The most bytes that the cgroup has used, if that is known.
        peak: Option<u64>,
    },
    /// Only the killer's counter of the host has risen, so it may have ended any process of the host.
    Host,
}

/// Why a JVM ended, as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JvmReason {
    /// The supervisor itself ended the JVM with SIGTERM or SIGKILL.
    StopRequested,
    /// The JVM ran out of this kind of memory.
    OutOfMemory(OutOfMemory),
    /// The kernel's out-of-memory killer ended the JVM.
    KilledByKernel(KernelOom),
    /// A SIGKILL ended the JVM, and there is no sign that heddle or the kernel has sent it.
    KilledByOthers,
    /// The reason in the words of the JVM or of Flink, from their logs and outputs.
    Said(String),
}

/// The end of a TaskManager's JVM, as its taskrunner reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JvmExit {
    /// The exit code, if the JVM exited by itself.
    pub code: Option<i32>,
    /// The number of the signal, if a signal ended the JVM.
    pub signal: Option<i32>,
    /// The kind of memory that ran out, if that is the reason.
    pub out_of_memory: OutOfMemory,
    /// The last lines of the log or, if it has none of interest, of stderr.
    pub last_lines: Vec<String>,
    /// One line for people: what happened, and why.
    pub summary: String,
    /// Whether the JVM could not be started at all.
    pub launch_failed: bool,
    /// Whether the JVM ended by itself soon after its start, and its log does not say that it registered with
    /// the JobManager.
    pub unregistered: bool,
    /// What the kernel's out-of-memory killer did, if it ended the JVM.
    pub kernel: KernelOom,
}

impl JvmExit {
    /// Whether YARN may have ended the JVM: a SIGTERM or SIGKILL ended it, or it has the exit code of one
    /// (128 + signal). YARN's exit status and diagnostics, which arrive later, then say more than this
    /// report.
    pub fn may_be_yarns_kill(&self) -> bool {
        matches!(self.signal, Some(SIGTERM | SIGKILL))
            || matches!(self.code, Some(code) if code == 128 + SIGTERM || code == 128 + SIGKILL)
    }

    /// Whether the kernel's out-of-memory killer ended the JVM.
    pub fn is_kernel_oom(&self) -> bool {
        self.out_of_memory == OutOfMemory::OomKernel
    }

    /// Whether the JVM could not be started, or ended by itself before the JobManager knew it.
    pub fn is_at_start(&self) -> bool {
        self.launch_failed || self.unregistered && !self.may_be_yarns_kill()
    }
}

impl From<Exited> for JvmExit {
    fn from(exited: Exited) -> Self {
        let (out_of_memory, kernel) = (exited.out_of_memory(), kernel(&exited));
        let Exited { code, signal, log_tail, stderr_tail, summary, launch_failed, unregistered, .. } = exited;
        let log: Vec<String> = log_findings::telling(&log_tail).cloned().collect();
        let last_lines = if log.is_empty() { stderr_tail } else { log };
        Self { code, signal, out_of_memory, last_lines, summary, launch_failed, unregistered, kernel }
    }
}

/// What the kernel's out-of-memory killer did, by the report. One of an older release does not say whether it
/// was at work in the container's own cgroup, which is then the likelier place.
fn kernel(exited: &Exited) -> KernelOom {
    let known = |bytes: u64| (bytes > 0).then_some(bytes);
    match (exited.out_of_memory(), exited.oom_on_host) {
        (OutOfMemory::OomKernel, Some(true)) => KernelOom::Host,
        (OutOfMemory::OomKernel, Some(false) | None) => {
            KernelOom::Cgroup { limit: known(exited.cgroup_limit), peak: known(exited.cgroup_peak) }
        }
        _ => KernelOom::None,
    }
}

/// The end of a container, as YARN reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YarnExit {
    /// One of YARN's own statuses, which are negative, or the process's exit code.
    pub status: i32,
    /// How much memory the container used and was allowed to use, if YARN says so.
    pub usage: Option<MemoryUsage>,
    /// The lines of YARN's diagnostics, without those that are of no use to people.
    pub said: Vec<String>,
}

impl YarnExit {
    /// Makes the report from YARN's exit status and diagnostics.
    pub fn new(status: i32, diagnostics: &str) -> Self {
        Self { status, usage: MemoryUsage::find(diagnostics), said: said(diagnostics) }
    }

    /// Who or what has caused the end, by the exit status. A status that is not one of YARN's own is an exit
    /// code of the process.
    pub fn fault(&self) -> Fault {
        exits::fault(self.status)
    }

    /// Whether the status says who or what ended the container from outside, which also explains how its
    /// process ended.
    pub(crate) fn acted(&self) -> bool {
        matches!(self.fault(), Fault::Memory | Fault::Node | Fault::Cluster)
            || YARNS_DOING.contains(&self.status)
    }
}

/// Why a container has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitCause {
    /// Who or what has caused the end.
    pub fault: Fault,
    /// YARN's report, if it is known.
    pub yarn: Option<YarnExit>,
    /// The taskrunner's report on the JVM, if it has sent one.
    pub jvm: Option<JvmExit>,
    /// Why the container could not be started, if that is so.
    pub not_started: Option<String>,
}

impl ExitCause {
    /// Combines YARN's exit status and diagnostics (`completed`), if they are known, with the taskrunner's
    /// report on the JVM.
    pub fn new(completed: Option<(i32, &str)>, jvm: Option<&JvmExit>) -> Self {
        let yarn = completed.map(|(status, diagnostics)| YarnExit::new(status, diagnostics));
        let killed = jvm.is_some_and(JvmExit::is_kernel_oom);
        let fault = match yarn.as_ref().map(YarnExit::fault) {
            // If YARN ended the container, that also explains how its process ended.
            Some(fault @ (Fault::Memory | Fault::Node | Fault::Cluster)) => fault,
            _ if killed => Fault::Memory,
            Some(fault) => fault,
            None => Fault::Process,
        };
        Self { fault, yarn, jvm: jvm.cloned(), not_started: None }
    }

    /// The cause of the end of a container that Flink had already released; `None` if the container ended
    /// because it was given back.
    ///
    /// If YARN ends a container, Flink usually releases it before YARN reports the end: the TaskManager gets
    /// a SIGTERM from the NodeManager, and disconnects from the JobManager. YARN's report is the cause
    /// nevertheless.
    pub fn of_returned(status: i32, diagnostics: &str, jvm: Option<&JvmExit>) -> Option<Self> {
        let killed = jvm.is_some_and(JvmExit::is_kernel_oom);
        // YARN has the same exit status for a lost node and for a container that was given back. Only the
        // diagnostics of a lost node have this word.
        let lost = status == ABORTED && diagnostics.contains("lost");
        (YARNS_DOING.contains(&status) || lost || killed).then(|| Self::new(Some((status, diagnostics)), jvm))
    }

    /// The cause of a container that could not be started: `why` is the reason in words.
    pub fn not_started(why: String) -> Self {
        Self { fault: Fault::Process, yarn: None, jvm: None, not_started: Some(why) }
    }
}

/// The lines of YARN's diagnostics, without times, empty lines, stack frames and the list of a killed
/// container's processes, which has their whole command lines.
fn said(diagnostics: &str) -> Vec<String> {
    let kept = diagnostics.lines().map(without_time).filter(|line| {
        let text = line.trim();
        !(text.is_empty()
            || log_findings::is_frame(line)
            || text.starts_with("Dump of the process-tree")
            || text.starts_with("|-"))
    });
    kept.map(|line| line.trim_end().to_owned()).collect()
}

/// The line without the time in brackets with which YARN begins it.
fn without_time(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest))
            if time.len() > 8 && !time.contains(|c: char| !c.is_ascii_digit() && !"-:. ".contains(c)) =>
        {
            rest
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_frames_and_process_trees_are_left_out() {
        let text = "[2026-11-28 14:25:10.123]cannot localize\n\tat a.b.C.d(C.java:1)\n[red] alert\n";
        assert_eq!(said(text), ["cannot localize", "[red] alert"]);
    }

    #[test]
    fn only_kills_wait_for_yarns_side() {
        let exited = |code| JvmExit { code: Some(code), ..JvmExit::default() };
        assert!(exited(143).may_be_yarns_kill());
        assert!(JvmExit { signal: Some(9), ..JvmExit::default() }.may_be_yarns_kill());
        assert!(!exited(1).may_be_yarns_kill());
        assert!(!JvmExit { signal: Some(11), ..JvmExit::default() }.may_be_yarns_kill());
    }

    #[test]
    fn a_cause_is_the_fault_of_whoever_acted() {
        let kernel = JvmExit { out_of_memory: OutOfMemory::OomKernel, signal: Some(9), ..JvmExit::default() };
        let fault = |status: Option<i32>, jvm| ExitCause::new(status.map(|status| (status, "")), jvm).fault;
        assert_eq!(fault(Some(137), Some(&kernel)), Fault::Memory);
        assert_eq!(fault(Some(-102), Some(&kernel)), Fault::Cluster);
        assert_eq!(fault(Some(-105), None), Fault::Ours);
        assert_eq!(fault(Some(7), None), Fault::Process);
        assert_eq!(fault(None, None), Fault::Process);
    }
}

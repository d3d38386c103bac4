//! Why a JVM or its container has ended, typed: from the wire to whoever makes words of it
//! ([`crate::words`]).

use crate::control::{Exited, OutOfMemory};
use crate::log_findings;

/// Whose doing an end was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: the process has done its work.
    Nobody,
    /// That of the process in the container.
    Process,
    /// The process used more memory than its container has.
    Memory,
    /// The node's.
    Node,
    /// That of the scheduler or an operator.
    Cluster,
    /// The ApplicationMaster gave the container back.
    Ours,
}

/// YARN's exit statuses (`org.apache.hadoop.yarn.api.records.ContainerExitStatus`) and the usual exit codes
/// of a process that was killed: the number, whose fault it is, and what is said of it.
pub const YARN_STATUSES: &[(i32, Fault, &str)] = &[
    (0, Fault::Nobody, "the container ended normally"),
    (-1000, Fault::Node, "the container ended without an exit status"),
    (-100, Fault::Cluster, "YARN took the container back (aborted: released, expired or node lost)"),
    (-101, Fault::Node, "too many disks of the node have failed"),
    (-102, Fault::Cluster, "YARN's scheduler preempted the container for another application"),
    (
        -103,
        Fault::Memory,
        "killed by the NodeManager: more virtual memory than allowed (yarn.nodemanager.vmem-pmem-ratio)",
    ),
    (-104, Fault::Memory, "killed by the NodeManager: more physical memory than the container has"),
    (-105, Fault::Ours, "stopped by the ApplicationMaster"),
    (-106, Fault::Cluster, "killed by the ResourceManager (node decommissioned or lost)"),
    (-107, Fault::Cluster, "killed because the application has ended"),
    (-108, Fault::Cluster, "the container's scheduler took it back (opportunistic container)"),
    (-109, Fault::Process, "killed for writing more log than allowed"),
    (137, Fault::Process, "killed (SIGKILL)"),
    (143, Fault::Process, "terminated (SIGTERM)"),
];

/// Exit statuses that say what YARN did to a container that ran.
const YARNS_DOING: [i32; 7] = [-101, -102, -103, -104, -106, -108, -109];
/// The exit status of a container that was given back, and of one whose node was lost.
const ABORTED: i32 = -100;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Whether the kernel's out-of-memory killer was at work while the JVM lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelOom {
    /// No sign of it, or unknown.
    #[default]
    None,
    /// The counter of the container's own cgroup rose.
    Cgroup {
        /// Most bytes that it may use.
        limit: Option<u64>,
        /// Most bytes that it has used.
        peak: Option<u64>,
    },
    /// Only the host's counter rose: any process of the host may have been the victim.
    Host,
}

/// Why a JVM ended, as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JvmReason {
    /// The supervisor was told to stop it.
    StopRequested,
    /// It ran out of this kind of memory.
    OutOfMemory(OutOfMemory),
    /// The kernel's out-of-memory killer ended it.
    KilledByKernel(KernelOom),
    /// A SIGKILL that neither heddle nor the kernel has sent.
    KilledByOthers,
    /// What the JVM itself, or Flink, said.
    Said(String),
}

/// The end of a TaskManager's JVM, as its taskrunner tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JvmExit {
    /// Exit code, when the JVM ended by itself.
    pub code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// The kind of memory that ran out, if that is the reason.
    pub out_of_memory: OutOfMemory,
    /// Last lines of the log, else of stderr.
    pub last_lines: Vec<String>,
    /// One line for people: what happened and why.
    pub summary: String,
    /// The JVM could not be started at all.
    pub launch_failed: bool,
    /// It ended by itself soon after its start, and the JobManager did not know it.
    pub unregistered: bool,
}

impl JvmExit {
    /// Whether the end may be YARN's doing (SIGTERM, SIGKILL, or a JVM's exit code for them), so that YARN's
    /// reason, which comes later, says more than this report.
    pub fn may_be_yarns_kill(&self) -> bool {
        matches!(self.signal, Some(SIGTERM | SIGKILL))
            || matches!(self.code, Some(code) if code == 128 + SIGTERM || code == 128 + SIGKILL)
    }

    /// Whether the kernel's out-of-memory killer ended it.
    pub fn is_kernel_oom(&self) -> bool {
        self.out_of_memory == OutOfMemory::OomKernel
    }
}

impl From<Exited> for JvmExit {
    fn from(exited: Exited) -> Self {
        let out_of_memory = exited.out_of_memory();
        let Exited { code, signal, log_tail, stderr_tail, summary, launch_failed, unregistered, .. } = exited;
        let log: Vec<String> = log_findings::telling(&log_tail).cloned().collect();
        let last_lines = if log.is_empty() { stderr_tail } else { log };
        Self { code, signal, out_of_memory, last_lines, summary, launch_failed, unregistered }
    }
}

/// How much memory a container used, and how much it may use, as the NodeManager that killed it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Physical memory in bytes, used and allowed.
    pub physical: Option<(u64, u64)>,
    /// Address space in bytes, used and allowed.
    pub virtual_size: Option<(u64, u64)>,
    /// The NodeManager's own words, whose numbers are rounded.
    pub words: String,
}

impl MemoryUsage {
    /// Out of a NodeManager's diagnostics, if they tell.
    fn find(diagnostics: &str) -> Option<Self> {
        let (_, rest) = diagnostics.split_once("Current usage: ")?;
        let sentence = rest.split(['\n', '\r']).next().unwrap_or_default();
        let sentence = sentence.split_once(". Killing").map_or(sentence, |(usage, _)| usage);
        let words = sentence.trim().trim_end_matches('.').to_owned();
        let amounts =
            |kind: &str| words.split("; ").find(|part| part.contains(kind)).and_then(used_and_allowed);
        (!words.is_empty()).then(|| Self {
            physical: amounts("physical"),
            virtual_size: amounts("virtual"),
            words: words.clone(),
        })
    }
}

/// The amounts of "1.3 GB of 1 GB physical memory used".
fn used_and_allowed(text: &str) -> Option<(u64, u64)> {
    let (used, rest) = text.trim().split_once(" of ")?;
    Some((bytes(used)?, bytes(rest)?))
}

/// The amount at the beginning of a text, as `1.3 GB`. YARN writes the powers of 1024 with these letters.
fn bytes(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    let unit = words.next()?.chars().next()?;
    let shift = ["B", "K", "M", "G", "T", "P"].iter().position(|letter| letter.starts_with(unit))?;
    // Lossy, as the text is.
    Some((number * (1u64 << (10 * shift)) as f64) as u64)
}

/// The end of a container, as YARN tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YarnExit {
    /// A negative status of [`YARN_STATUSES`], or the process's exit code.
    pub status: i32,
    /// How much memory it used of how much, where YARN says so.
    pub usage: Option<MemoryUsage>,
    /// What else YARN says, line by line, without what tells people nothing.
    pub said: Vec<String>,
}

impl YarnExit {
    /// From YARN's exit status and diagnostics.
    pub fn new(status: i32, diagnostics: &str) -> Self {
        Self { status, usage: MemoryUsage::find(diagnostics), said: said(diagnostics) }
    }

    /// Whose fault the status is.
    pub fn fault(&self) -> Fault {
        let known = YARN_STATUSES.iter().find(|(known, ..)| *known == self.status);
        known.map_or(Fault::Process, |(_, fault, _)| *fault)
    }
}

/// Why a container has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitCause {
    /// Whose doing it was.
    pub fault: Fault,
    /// YARN's side, where it is known.
    pub yarn: Option<YarnExit>,
    /// What the taskrunner saw of the JVM, where it has told.
    pub jvm: Option<JvmExit>,
    /// The container could not be started; why.
    pub not_started: Option<String>,
}

impl ExitCause {
    /// YARN's exit status and diagnostics, where they are known, joined with what the taskrunner saw.
    pub fn new(completed: Option<(i32, &str)>, jvm: Option<&JvmExit>) -> Self {
        let yarn = completed.map(|(status, diagnostics)| YarnExit::new(status, diagnostics));
        let killed = jvm.is_some_and(JvmExit::is_kernel_oom);
        let fault = match yarn.as_ref().map(YarnExit::fault) {
            // What YARN did to a healthy process explains its exit, not the other way round.
            Some(fault @ (Fault::Memory | Fault::Node | Fault::Cluster)) => fault,
            _ if killed => Fault::Memory,
            Some(fault) => fault,
            None => Fault::Process,
        };
        Self { fault, yarn, jvm: jvm.cloned(), not_started: None }
    }

    /// The end of a container that Flink no longer counted on; none where it ended because it was given back.
    ///
    /// A container that YARN ends is given back by Flink first, as a rule: its TaskManager hears of the end
    /// by SIGTERM and signs off before the ResourceManager knows. What YARN says of it is the cause all the
    /// same.
    pub fn of_returned(status: i32, diagnostics: &str, jvm: Option<&JvmExit>) -> Option<Self> {
        let killed = jvm.is_some_and(JvmExit::is_kernel_oom);
        // YARN has one exit status for a lost node and for a container that was given back.
        let lost = status == ABORTED && diagnostics.contains("lost");
        (YARNS_DOING.contains(&status) || lost || killed).then(|| Self::new(Some((status, diagnostics)), jvm))
    }

    /// A container that could not be started.
    pub fn not_started(why: String) -> Self {
        Self { fault: Fault::Process, yarn: None, jvm: None, not_started: Some(why) }
    }
}

/// What YARN says, line by line: without times, empty lines, the frames of stack traces and the list of a
/// killed container's processes, which is the whole of their command lines.
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

/// Without the time in brackets that YARN puts before its sentences.
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
    fn a_node_managers_amounts_are_numbers() {
        let text = "running beyond. Current usage: 1.5 GB of 1 GB physical memory used; 300.5 MB of 2 TB virtual memory used. \
                    Killing container.\nDump";
        let usage = MemoryUsage::find(text).unwrap();
        assert_eq!(usage.physical, Some((3 << 29, 1 << 30)));
        assert_eq!(usage.virtual_size, Some((315_097_088, 2 << 40)));
        assert_eq!(MemoryUsage::find("Container released"), None);
        assert_eq!(MemoryUsage::find("Current usage: unknown").unwrap().physical, None);
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

//! Why a container ended, in words: YARN's exit status joined with what the taskrunner saw.

use crate::failure::is_frame;

/// What a taskrunner tells about the end of its JVM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Set when the JVM exited by itself.
    pub code: Option<i32>,
    /// Set when a signal ended it.
    pub signal: Option<i32>,
    /// Last lines of the log, else of stderr.
    pub last_lines: Vec<String>,
    /// One line for people: what happened and why, the memory that ran out included.
    pub summary: String,
    /// The JVM could not be started at all.
    pub launch_failed: bool,
    /// The kernel's out-of-memory killer ended it.
    pub killed_for_memory: bool,
    /// It ended by itself soon after its start, and the JobManager did not know it.
    pub unregistered: bool,
}

/// Why a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Whose doing it was.
    pub fault: Fault,
    /// For Flink, for the log and for YARN's diagnostics.
    pub text: String,
}

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

impl Report {
    /// True when the end may be YARN's doing (SIGTERM, SIGKILL, or a JVM's exit code for them), so that YARN's reason,
    /// which comes later, says more than this report.
    pub fn may_be_yarns_kill(&self) -> bool {
        matches!(self.signal, Some(SIGTERM | SIGKILL))
            || matches!(self.code, Some(code) if code == 128 + SIGTERM || code == 128 + SIGKILL)
    }

    fn words(&self) -> String {
        match (self.summary.trim(), self.code, self.signal) {
            (summary, ..) if !summary.is_empty() => summary.to_owned(),
            _ if self.launch_failed => "the JVM could not be started".to_owned(),
            (_, _, Some(signal)) => format!("the JVM was ended by signal {signal}"),
            (_, Some(code), _) => format!("the JVM exited with code {code}"),
            _ => "the JVM has ended".to_owned(),
        }
    }
}

/// Whose doing an end was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Exit code 0.
    Nobody,
    /// The process in the container.
    Process,
    /// The process asked for more than its container has.
    Memory,
    /// The node.
    Node,
    /// The scheduler or an operator.
    Cluster,
    /// We gave it back.
    Ours,
}

/// `org.apache.hadoop.yarn.api.records.ContainerExitStatus` and the usual exit codes of a killed process.
const STATUSES: &[(i32, Fault, &str)] = &[
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

/// YARN's part of a cause.
fn status_words(status: i32) -> (Fault, String) {
    match STATUSES.iter().find(|(known, ..)| *known == status) {
        Some((_, fault, words)) => (*fault, format!("{words} (exit status {status})")),
        None => (Fault::Process, format!("the container exited with status {status}")),
    }
}

/// The end of a container that Flink no longer counted on: none where it ended because it was given back.
///
/// A container that YARN ends is given back by Flink first, as a rule: its TaskManager hears of the end by SIGTERM and signs
/// off before the ResourceManager knows. What YARN says of it is the cause all the same.
pub fn describe_returned(status: i32, diagnostics: &str, report: Option<&Report>) -> Option<Cause> {
    let killed = report.is_some_and(|report| report.killed_for_memory);
    // The last: YARN has one exit status for a lost node and for a container that was given back.
    let by_yarn = YARNS.contains(&status) || status == -100 && diagnostics.contains("lost");
    (by_yarn || killed).then(|| describe(Some((status, diagnostics)), report))
}

/// The end of a container that ended because it was given back, for the log.
pub fn given_back(status: i32) -> String {
    match status {
        // What YARN says of it before and after its start.
        -100 | -105 => "given back".to_owned(),
        status => format!("given back; {}", status_words(status).1),
    }
}

/// Exit statuses that say what YARN did to a container that ran.
const YARNS: [i32; 7] = [-101, -102, -103, -104, -106, -108, -109];

/// How many lines of log and diagnostics go into a cause.
const LINES: usize = 6;

/// One readable text for Flink and for the log.
///
/// `completed` is YARN's exit status and diagnostics, where it is known; `report` what the taskrunner saw.
pub fn describe(completed: Option<(i32, &str)>, report: Option<&Report>) -> Cause {
    let yarn = completed.map(|(status, diagnostics)| (status_words(status), diagnostics));
    let said = yarn.as_ref().map(|(_, diagnostics)| said(diagnostics)).unwrap_or_default();
    let killed = report.is_some_and(|report| report.killed_for_memory);
    let mut told = false;
    let (fault, mut text) = match (&yarn, report) {
        // What YARN, or we, did to a healthy process explains its exit, not the other way round.
        (Some(((fault @ (Fault::Memory | Fault::Node | Fault::Cluster), words), diagnostics)), report) => {
            let mut text = words.clone();
            if let Some(detail) = usage(diagnostics).or_else(|| said.first().cloned()) {
                text.push_str(": ");
                text.push_str(&detail);
                told = true;
            }
            // That a signal ended it goes without saying.
            if let Some(report) = report.filter(|report| !report.may_be_yarns_kill()) {
                text.push_str("; ");
                text.push_str(&report.words());
            }
            (*fault, text)
        }
        (Some(((Fault::Ours, words), _)), _) if !killed => (Fault::Ours, words.clone()),
        (_, Some(report)) if killed => (Fault::Memory, report.words()),
        (Some(((fault, _), _)), Some(report)) => (*fault, report.words()),
        (Some(((fault, words), _)), None) => (*fault, words.clone()),
        (None, Some(report)) => (Fault::Process, report.words()),
        (None, None) => (Fault::Process, "the container is gone".to_owned()),
    };
    // What is told already is not told twice.
    let said = if told { Vec::new() } else { said };
    let (title, lines) = match report {
        Some(report) if !report.last_lines.is_empty() => ("last lines of its log", &report.last_lines),
        _ => ("YARN says", &said),
    };
    if !lines.is_empty() {
        text.push_str(&format!("; {title}:"));
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            text.push_str("\n  ");
            text.push_str(line.trim_end());
        }
    }
    Cause { fault, text }
}

/// How much memory was used of how much, out of the NodeManager's words for a kill.
fn usage(diagnostics: &str) -> Option<String> {
    let (_, rest) = diagnostics.split_once("Current usage: ")?;
    let sentence = rest.split(['\n', '\r']).next().unwrap_or_default();
    let sentence = sentence.split_once(". Killing").map_or(sentence, |(usage, _)| usage);
    Some(sentence.trim().trim_end_matches('.').to_owned()).filter(|usage| !usage.is_empty())
}

/// What YARN says, line by line: without times, empty lines, the frames of stack traces and the list of a killed container's
/// processes, which is the whole of their command lines.
fn said(diagnostics: &str) -> Vec<String> {
    let kept = diagnostics.lines().map(without_time).filter(|line| {
        let text = line.trim();
        !(text.is_empty()
            || is_frame(line)
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

    fn exited(code: i32) -> Report {
        Report { code: Some(code), ..Report::default() }
    }

    #[test]
    fn yarns_reason_comes_first_where_yarn_acted() {
        let report = Report { code: Some(143), last_lines: vec!["bye".into()], ..Report::default() };
        let text =
            describe(Some((-104, "Container is running beyond physical memory limits")), Some(&report)).text;
        assert!(text.starts_with("killed by the NodeManager: more physical memory"), "{text}");
        assert!(text.contains("-104") && text.ends_with("\n  bye"), "{text}");
    }

    #[test]
    fn the_report_explains_a_failed_process() {
        let report =
            Report { summary: "the JVM exited with code 239: the metaspace was full".into(), ..exited(239) };
        let text = describe(Some((239, "Exception from container-launch")), Some(&report)).text;
        assert!(
            text.starts_with("the JVM exited with code 239: the metaspace was full; YARN says"),
            "{text}"
        );
    }

    #[test]
    fn every_status_has_words_and_unknown_ones_their_number() {
        for (status, ..) in STATUSES {
            assert!(describe(Some((*status, "")), None).text.contains(&status.to_string()));
        }
        assert!(describe(Some((42, "")), None).text.contains("42"));
        assert_eq!(describe(None, None).text, "the container is gone");
    }

    #[test]
    fn only_kills_wait_for_yarns_side() {
        assert!(exited(143).may_be_yarns_kill());
        assert!(Report { signal: Some(9), ..Report::default() }.may_be_yarns_kill());
        assert!(!exited(1).may_be_yarns_kill());
        assert!(!Report { signal: Some(11), ..Report::default() }.may_be_yarns_kill());
    }

    #[test]
    fn long_diagnostics_keep_their_end() {
        let long: String = (0..50).map(|line| format!("line {line}\n")).collect();
        let text = describe(Some((1, &long)), None).text;
        assert!(text.contains("line 49") && text.contains("line 44") && !text.contains("line 43"));
    }

    /// Of Hadoop 3.3.6.
    const PHYSICAL: &str = "[2026-11-28 14:25:10.123]Container [pid=3718,containerID=container_1_0001_01_000002] is running \
        313016320B beyond the 'PHYSICAL' memory limit. Current usage: 1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB \
        virtual memory used. Killing container.\nDump of the process-tree for container_1_0001_01_000002 :\n\t|- PID PPID \
        PGRPID SESSID CMD_NAME\n\t|- 3718 3716 3718 3718 (java) 1 2 3 4 /usr/bin/java -Dsecret=x\n\n[2026-11-28 \
        14:25:10.444]Container killed on request. Exit code is 143\n[2026-11-28 14:25:10.450]Container exited with a \
        non-zero exit code 143. \n";
    /// Of Hadoop 2.10.
    const VIRTUAL: &str = "Container [pid=1,containerID=container_1_0001_01_000002] is running beyond virtual memory limits. \
        Current usage: 300.1 MB of 1 GB physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n\
        Dump of the process-tree for container_1_0001_01_000002 :\n\t|- PID\n";

    #[test]
    fn a_memory_kill_says_how_much_of_how_much_and_no_command_lines() {
        let report = Report { code: Some(143), last_lines: vec!["bye".into()], ..Report::default() };
        let Cause { fault, text } = describe(Some((-104, PHYSICAL)), Some(&report));
        assert_eq!(fault, Fault::Memory);
        assert_eq!(
            text,
            "killed by the NodeManager: more physical memory than the container has (exit status -104): 1.3 GB of 1 GB physical \
             memory used; 4.0 GB of 2.1 GB virtual memory used; last lines of its log:\n  bye"
        );
        let Cause { fault, text } = describe(Some((-103, VIRTUAL)), None);
        assert_eq!(fault, Fault::Memory);
        assert!(text.ends_with("9.9 GB of 2.1 GB virtual memory used"), "{text}");
    }

    #[test]
    fn what_yarn_did_to_a_container_that_was_given_back_is_its_cause() {
        let text = |status, diagnostics| describe_returned(status, diagnostics, None).map(|cause| cause.text);
        assert!(text(-104, PHYSICAL).unwrap().contains("1.3 GB of 1 GB physical"));
        assert!(text(-102, "").unwrap().contains("preempted"));
        assert!(text(-100, "Container released on a *lost* node").unwrap().contains("lost"));
        for status in [-107, -105, -100, 0, 1, 137, 143] {
            assert_eq!(text(status, "Container released by application"), None, "{status}");
        }
        let oom = Report { killed_for_memory: true, summary: "by the kernel".into(), ..Report::default() };
        let cause = describe_returned(137, "", Some(&oom)).unwrap();
        assert_eq!((cause.fault, cause.text.as_str()), (Fault::Memory, "by the kernel"));
    }

    #[test]
    fn times_frames_and_process_trees_are_left_out() {
        let text = "[2026-11-28 14:25:10.123]cannot localize\n\tat a.b.C.d(C.java:1)\n[red] alert\n";
        assert_eq!(said(text), ["cannot localize", "[red] alert"]);
    }
}

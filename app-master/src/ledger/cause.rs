//! Why a container ended, in words: YARN's exit status joined with what the taskrunner saw.

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

/// The end of a container that Flink did not count on any more.
pub fn describe_returned(status: i32) -> String {
    match status {
        // What YARN says of a container that was given back, before and after its start.
        -100 | -105 => "given back".to_owned(),
        status => format!("given back; {}", status_words(status).1),
    }
}

/// How many lines of log and diagnostics go into a cause.
const LINES: usize = 6;

/// One readable text for Flink and for the log.
///
/// `completed` is YARN's exit status and diagnostics, where it is known; `report` what the taskrunner saw.
pub fn describe(completed: Option<(i32, &str)>, report: Option<&Report>) -> String {
    let yarn = completed.map(|(status, diagnostics)| (status_words(status), diagnostics.trim()));
    let mut text = match (&yarn, report) {
        // What YARN, or we, did to a healthy process explains its exit, not the other way round.
        (
            Some(((fault @ (Fault::Memory | Fault::Node | Fault::Cluster | Fault::Ours), words), _)),
            report,
        ) => match report.map(Report::words) {
            Some(seen) if *fault != Fault::Ours => format!("{words}; {seen}"),
            _ => words.clone(),
        },
        (_, Some(report)) => report.words(),
        (Some(((_, words), _)), None) => words.clone(),
        (None, None) => "the container is gone".to_owned(),
    };
    let diagnostics = yarn.map(|(_, diagnostics)| diagnostics).unwrap_or_default();
    let (title, lines): (_, Vec<&str>) = match report {
        Some(report) if !report.last_lines.is_empty() => {
            ("last lines of its log", report.last_lines.iter().map(String::as_str).collect())
        }
        _ => ("YARN says", diagnostics.lines().filter(|line| !line.trim().is_empty()).collect()),
    };
    if !lines.is_empty() {
        text.push_str(&format!("; {title}:"));
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            text.push_str("\n  ");
            text.push_str(line.trim_end());
        }
    }
    text
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
            describe(Some((-104, "Container is running beyond physical memory limits")), Some(&report));
        assert!(text.starts_with("killed by the NodeManager: more physical memory"), "{text}");
        assert!(text.contains("-104") && text.contains("code 143") && text.ends_with("\n  bye"), "{text}");
    }

    #[test]
    fn the_report_explains_a_failed_process() {
        let report =
            Report { summary: "the JVM exited with code 239: the metaspace was full".into(), ..exited(239) };
        let text = describe(Some((239, "Exception from container-launch")), Some(&report));
        assert!(
            text.starts_with("the JVM exited with code 239: the metaspace was full; YARN says"),
            "{text}"
        );
    }

    #[test]
    fn every_status_has_words_and_unknown_ones_their_number() {
        for (status, ..) in STATUSES {
            assert!(describe(Some((*status, "")), None).contains(&status.to_string()));
        }
        assert!(describe(Some((42, "")), None).contains("42"));
        assert_eq!(describe(None, None), "the container is gone");
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
        let text = describe(Some((1, &long)), None);
        assert!(text.contains("line 49") && text.contains("line 44") && !text.contains("line 43"));
    }
}

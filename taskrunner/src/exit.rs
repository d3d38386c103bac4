//! Finds out how and why a JVM has ended, from its exit status, the last lines of its log and outputs, and
//! signs of the kernel's out-of-memory killer. It also has the exit codes of heddle's own programs in
//! containers. Nothing here reads files or asks the system.

use diagnosis::words::OF_NO_NATIVE_MEMORY;

use crate::cause::{JvmReason, KernelOom};
use crate::control::{Exited, OutOfMemory};
use crate::log_findings::{self, LogFindings};
use crate::words;

/// The exit code of the command `exec-jvm` if it could not execute Java.
pub const EXEC_FAILED: i32 = 127;
/// The exit code of a supervisor that has done its work.
pub const DONE: u8 = 0;
/// The exit code of a supervisor that cannot go on, or that has no JVM to supervise.
pub const FAILED: u8 = 1;
/// The exit code of a supervisor that SIGTERM has ended, or that was stopped before it started a JVM.
pub const TERMINATED: u8 = 143;

/// The exit statuses of heddle's containers as YARN shows them, for the generated reference page on exit
/// codes: the program in the container, the status and its meaning.
pub const CONTAINER_CODES: &[(&str, &str, &str)] = &[
    ("ApplicationMaster", "0", "The application has ended and YARN has its final status, whatever that is."),
    (
        "ApplicationMaster",
        "1",
        "The JobManager's JVM ended by itself, or the ApplicationMaster could not go on.",
    ),
    (
        "ApplicationMaster",
        "143",
        "YARN has ended the container: the application was killed, or its attempt is over.",
    ),
    ("TaskManager", "the JVM's", "The JVM has ended; 128 and the signal's number if a signal ended it."),
    (
        "TaskManager",
        "1",
        "No JVM was started: the ApplicationMaster could not be reached, or the start failed.",
    ),
    ("TaskManager", "143", "It was stopped before a JVM was started."),
];

/// What is known when a JVM has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The exit code, if the JVM exited by itself.
    pub code: Option<i32>,
    /// The number of the signal, if a signal ended the JVM.
    pub signal: Option<i32>,
    /// Whether the supervisor had sent SIGTERM or SIGKILL to the JVM.
    pub stop_requested: bool,
    /// Signs of the kernel's out-of-memory killer.
    pub kernel_oom: KernelOom,
    /// Last lines of the Flink log.
    pub log: Vec<String>,
    /// Last lines of stderr.
    pub stderr: Vec<String>,
    /// Last lines of stdout, where HotSpot writes why it has crashed.
    pub stdout: Vec<String>,
    /// What the whole Flink log says.
    pub findings: LogFindings,
    /// Whether the JVM ended soon after its start.
    pub early: bool,
}

/// How a JVM ended, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ExitReport {
    /// The exit code, if the JVM exited by itself.
    pub code: Option<i32>,
    /// The number of the signal, if a signal ended the JVM.
    pub signal: Option<i32>,
    /// The kind of memory that ran out, if that is the reason.
    pub out_of_memory: OutOfMemory,
    /// Last lines of the Flink log.
    pub log_tail: Vec<String>,
    /// The last lines of stderr that may say why the JVM ended or, if there are none, those of stdout.
    pub stderr_tail: Vec<String>,
    /// One line for people: what happened, and why.
    pub summary: String,
    /// Whether the JVM ended by itself soon after its start, and its log does not say that it registered with
    /// the JobManager.
    pub unregistered: bool,
    /// What the kernel's out-of-memory killer did, if it ended the JVM.
    pub kernel: KernelOom,
}

impl ExitReport {
    /// Derives the report from the facts.
    pub fn from_facts(facts: Facts) -> ExitReport {
        let out_of_memory = out_of_memory(&facts);
        let reason = reason(&facts, out_of_memory);
        let summary = words::jvm_end(facts.code, facts.signal, out_of_memory, reason.as_ref());
        let unregistered = facts.early && !facts.findings.registered && !facts.stop_requested;
        let telling = |lines: &[String]| log_findings::telling(lines).cloned().collect::<Vec<_>>();
        let kernel = if out_of_memory == OutOfMemory::OomKernel { facts.kernel_oom } else { KernelOom::None };
        let Facts { code, signal, log, stderr, stdout, .. } = facts;
        let stderr_tail = Some(telling(&stderr)).filter(|lines| !lines.is_empty());
        let stderr_tail = stderr_tail.unwrap_or_else(|| telling(&stdout));
        ExitReport { code, signal, out_of_memory, log_tail: log, stderr_tail, summary, unregistered, kernel }
    }

    /// The exit code that a shell would show: the JVM's own, or 128 and the number of the signal.
    pub fn shell_code(&self) -> u8 {
        match (self.code, self.signal) {
            (Some(code), _) => (code & 0xff) as u8,
            (None, Some(signal)) => 128u8.wrapping_add((signal & 0x7f) as u8),
            (None, None) => 1,
        }
    }

    /// The message for the ApplicationMaster.
    pub fn to_event(&self) -> Exited {
        let (oom_on_host, limit, peak) = match self.kernel {
            KernelOom::None => (None, None, None),
            KernelOom::Host => (Some(true), None, None),
            KernelOom::Cgroup { limit, peak } => (Some(false), limit, peak),
        };
        Exited {
            code: self.code,
            signal: self.signal,
            out_of_memory: self.out_of_memory.into(),
            log_tail: self.log_tail.clone(),
            stderr_tail: self.stderr_tail.clone(),
            summary: self.summary.clone(),
            launch_failed: self.code == Some(EXEC_FAILED),
            unregistered: self.unregistered,
            oom_on_host,
            cgroup_limit: limit.unwrap_or_default(),
            cgroup_peak: peak.unwrap_or_default(),
        }
    }
}

/// The words with which HotSpot 8 to 21 says which kind of memory ran out. They stand behind
/// `java.lang.OutOfMemoryError: `. Releases differ in the first letter of `Direct`, so it is left out.
const JAVA_OOM: &[(&str, OutOfMemory)] = &[
    ("Java heap space", OutOfMemory::OomJavaHeap),
    ("Metaspace", OutOfMemory::OomMetaspace),
    ("Compressed class space", OutOfMemory::OomMetaspace),
    ("irect buffer memory", OutOfMemory::OomDirect),
    ("unable to create native thread", OutOfMemory::OomNativeThread),
    ("unable to create new native thread", OutOfMemory::OomNativeThread),
    ("GC overhead limit exceeded", OutOfMemory::OomGcOverhead),
];

/// The kind of memory that ran out, if a line says so.
fn oom_of_line(line: &str) -> Option<OutOfMemory> {
    if OF_NO_NATIVE_MEMORY.iter().any(|words| line.contains(words)) {
        return Some(OutOfMemory::OomNative);
    }
    let (before, rest) = line.split_once("OutOfMemoryError")?;
    // This is the name of the option -XX:+ExitOnOutOfMemoryError, which Flink's log contains, too.
    if before.ends_with(char::is_alphanumeric) {
        return None;
    }
    let known = JAVA_OOM.iter().find(|(words, _)| rest.contains(words)).map(|&(_, kind)| kind);
    // HotSpot writes "thrown from the UncaughtExceptionHandler" if there is no memory for the message itself.
    let thrown = rest.is_empty() || rest.starts_with(':') || rest.starts_with(" thrown");
    known.or_else(|| thrown.then_some(OutOfMemory::OomOther))
}

/// The memory that ran out, if that is why the JVM ended.
fn out_of_memory(facts: &Facts) -> OutOfMemory {
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    if facts.signal == Some(SIGKILL) && !facts.stop_requested && facts.kernel_oom != KernelOom::None {
        return OutOfMemory::OomKernel;
    }
    // The last lines may have an OutOfMemoryError that the JVM has survived. It is not the reason for a
    // signal or a normal end.
    let by_itself =
        matches!(facts.code, Some(code) if code != 0 && code != 143) || facts.signal == Some(SIGABRT);
    if !by_itself || facts.stop_requested {
        return OutOfMemory::OomNone;
    }
    // The outputs and the log's fatal error come first: another OutOfMemoryError of the log may be one that
    // the JVM has survived.
    let fatal = facts.findings.fatal.as_deref();
    let said = [&facts.stdout, &facts.stderr]
        .into_iter()
        .find_map(|lines| lines.iter().rev().find_map(|line| oom_of_line(line)));
    let logged = || match fatal {
        Some(fatal) => oom_of_line(fatal),
        None => facts.log.iter().rev().find_map(|line| oom_of_line(line)),
    };
    said.or_else(logged).unwrap_or(OutOfMemory::OomNone)
}

/// Why the JVM ended, as far as the facts show it.
fn reason(facts: &Facts, out_of_memory: OutOfMemory) -> Option<JvmReason> {
    if facts.stop_requested && (facts.signal.is_some() || matches!(facts.code, Some(0 | 143))) {
        return Some(JvmReason::StopRequested);
    }
    match out_of_memory {
        OutOfMemory::OomNone => {}
        OutOfMemory::OomKernel => return Some(JvmReason::KilledByKernel(facts.kernel_oom)),
        kind => return Some(JvmReason::OutOfMemory(kind)),
    }
    if facts.signal == Some(9) {
        return Some(JvmReason::KilledByOthers);
    }
    if facts.code == Some(0) || facts.code == Some(143) || facts.signal == Some(15) {
        return None;
    }
    let said = match (telling_line(facts), java_complaint(facts)) {
        (Some(line), Some(complaint)) => Some(format!("{line}; {complaint}")),
        (line, complaint) => line.or(complaint),
    };
    said.map(JvmReason::Said)
}

/// What is wrong with the release of Java, in words, if a line of stderr or of the log shows that.
fn java_complaint(facts: &Facts) -> Option<String> {
    let mut lines = facts.stderr.iter().chain(&facts.log).rev();
    lines.find_map(|line| flink_model::java_fit::complaint(line))
}

/// The text that most likely says why the JVM ended: HotSpot's note on a crash, else the fatal error that
/// Flink has logged, else the error with which Java or `main()` has failed, else another error of the log,
/// else the last line of stderr that may say why.
fn telling_line(facts: &Facts) -> Option<String> {
    let crash = |l: &&String| l.starts_with("#  SIG") || l.starts_with("#  Internal Error");
    let note =
        facts.stdout.iter().rev().find(crash).map(|line| line.trim_start_matches('#').trim().to_owned());
    let LogFindings { fatal, first, last, .. } = &facts.findings;
    let logged = || match (facts.early, first, last) {
        (true, Some(first), _) => Some(format!("the first error in its log: {first}")),
        (false, _, Some(last)) => Some(format!("the last error in its log: {last}")),
        _ => None,
    };
    let spoken = || log_findings::telling(&facts.stderr).last().map(|line| log_findings::shortened(line));
    note.or_else(|| fatal.clone())
        .or_else(|| log_findings::thrown(&facts.stderr))
        .or_else(|| log_findings::thrown(&facts.stdout))
        .or_else(logged)
        .or_else(spoken)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(code: Option<i32>, signal: Option<i32>) -> Facts {
        Facts { code, signal, ..Facts::default() }
    }

    fn with_stderr(code: i32, line: &str) -> ExitReport {
        ExitReport::from_facts(Facts { stderr: vec![line.to_owned()], ..facts(Some(code), None) })
    }

    #[test]
    fn every_kind_of_java_oom_is_known() {
        let kinds = [
            ("java.lang.OutOfMemoryError: Java heap space", OutOfMemory::OomJavaHeap),
            ("Terminating due to java.lang.OutOfMemoryError: Metaspace", OutOfMemory::OomMetaspace),
            (
                "Caused by: java.lang.OutOfMemoryError: Direct buffer memory. The direct out-of",
                OutOfMemory::OomDirect,
            ),
            (
                "java.lang.OutOfMemoryError: Cannot reserve 1048576 bytes of direct buffer memory (allocated: 1)",
                OutOfMemory::OomDirect,
            ),
            (
                "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
                OutOfMemory::OomNativeThread,
            ),
            ("java.lang.OutOfMemoryError: GC overhead limit exceeded", OutOfMemory::OomGcOverhead),
            ("java.lang.OutOfMemoryError: Requested array size exceeds VM limit", OutOfMemory::OomOther),
            (
                "# There is insufficient memory for the Java Runtime Environment to continue.",
                OutOfMemory::OomNative,
            ),
            ("java.lang.OutOfMemoryError: Unable to allocate 67108864 bytes", OutOfMemory::OomNative),
            (
                "Exception: java.lang.OutOfMemoryError thrown from the UncaughtExceptionHandler",
                OutOfMemory::OomOther,
            ),
            ("unrecognized: -XX:+ExitOnOutOfMemoryErrors", OutOfMemory::OomNone),
            ("INFO  ... [] -     -XX:+ExitOnOutOfMemoryError", OutOfMemory::OomNone),
        ];
        for (line, kind) in kinds {
            assert_eq!(with_stderr(239, line).out_of_memory, kind, "{line}");
        }
    }

    #[test]
    fn a_survived_oom_is_not_the_reason_for_a_signal_or_a_stop() {
        let line = vec!["java.lang.OutOfMemoryError: Java heap space".to_owned()];
        for (code, signal, stop) in [(None, Some(9), false), (Some(143), None, false), (Some(1), None, true)]
        {
            let f = Facts { log: line.clone(), stop_requested: stop, ..facts(code, signal) };
            assert_eq!(ExitReport::from_facts(f).out_of_memory, OutOfMemory::OomNone);
        }
    }

    #[test]
    fn sigkill_is_put_down_to_the_kernel_only_with_a_sign_of_it() {
        let report = |kernel_oom, stop_requested| {
            ExitReport::from_facts(Facts { kernel_oom, stop_requested, ..facts(None, Some(9)) })
        };
        let cgroup = |limit, peak| KernelOom::Cgroup { limit, peak };
        let killed = report(cgroup(Some(1 << 30), Some(1 << 30)), false);
        assert_eq!(killed.out_of_memory, OutOfMemory::OomKernel);
        assert_eq!(
            killed.summary,
            "the JVM was ended by signal 9 (SIGKILL): by the kernel's out-of-memory killer: the container's memory limit was \
             reached (1024 MB used at most, of 1024 MB that its cgroup allows)"
        );
        assert!(report(cgroup(None, None), false).summary.ends_with("memory limit was reached"));
        assert!(report(KernelOom::Host, false).summary.contains("probably"));
        assert_eq!(
            report(KernelOom::Host, true).summary,
            "the JVM was ended by signal 9 (SIGKILL): stopped on request"
        );
        assert!(report(KernelOom::None, false).summary.contains("NodeManager or by hand"));
    }

    #[test]
    fn summaries_say_what_and_why() {
        assert_eq!(
            with_stderr(1, "Error: Could not find or load main class X").summary,
            "the JVM exited with code 1 (start-up or main class failed): Error: Could not find or load main class X"
        );
        let too_new = Facts {
            stderr: vec![
                "Error: LinkageError occurred while loading main class a.B".into(),
                "\tjava.lang.UnsupportedClassVersionError: a/B has been compiled by a more recent version of the Java Runtime \
                 (class file version 55.0), this version of the Java Runtime only recognizes class file versions up to 52.0"
                    .into(),
            ],
            ..facts(Some(1), None)
        };
        assert!(
            ExitReport::from_facts(too_new)
                .summary
                .ends_with("main class a.B; Java 8 is too old for the class a.B, which needs Java 11")
        );
        let crash =
            Facts { stdout: vec!["#  SIGSEGV (0xb) at pc=0x1".into(), "#".into()], ..facts(None, Some(6)) };
        assert_eq!(
            ExitReport::from_facts(crash).summary,
            "the JVM was ended by signal 6 (SIGABRT): SIGSEGV (0xb) at pc=0x1"
        );
        assert_eq!(
            ExitReport::from_facts(facts(Some(0), None)).summary,
            "the JVM exited with code 0 (normal end)"
        );
        let stopped = Facts { stop_requested: true, ..facts(Some(143), None) };
        assert_eq!(
            ExitReport::from_facts(stopped).summary,
            "the JVM exited with code 143 (SIGTERM): stopped on request"
        );
    }

    #[test]
    fn the_shell_code_follows_the_convention() {
        assert_eq!(ExitReport::from_facts(facts(Some(239), None)).shell_code(), 239);
        assert_eq!(ExitReport::from_facts(facts(None, Some(9))).shell_code(), 137);
        assert_eq!(ExitReport::from_facts(facts(None, None)).shell_code(), 1);
    }
}

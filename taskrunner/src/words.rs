//! Turns the facts about the end of a JVM or a container ([`crate::cause`]) into the words of diagnostics,
//! logs and Flink's messages. No other module does this, so that the same end is described in the same way
//! everywhere.

use std::fmt;

use diagnosis::exits::{container_words, jvm_words};
use diagnosis::words::NO_NATIVE_MEMORY;

use crate::cause::{ExitCause, Fault, JvmExit, JvmReason, KernelOom};
use crate::control::OutOfMemory;

/// The exit code of HotSpot after an OutOfMemoryError with `-XX:+ExitOnOutOfMemoryError`. A JVM has it for no
/// other reason than that, unless the program has called `System.exit(3)`.
const EXIT_ON_OOM: i32 = 3;
/// The most lines of a log or of diagnostics that go into the text of a cause.
const LINES: usize = 6;

/// One line about the end of a JVM: what happened and, if it is known, why.
pub fn jvm_end(
    code: Option<i32>,
    signal: Option<i32>,
    out_of_memory: OutOfMemory,
    reason: Option<&JvmReason>,
) -> String {
    let what = match (code, signal) {
        (Some(EXIT_ON_OOM), _) if out_of_memory == OutOfMemory::OomNone => {
            format!(
                "the JVM exited with code {EXIT_ON_OOM} (the program called System.exit({EXIT_ON_OOM}); nothing tells of an \
                 OutOfMemoryError)"
            )
        }
        (Some(code), _) => match jvm_words(code) {
            Some(meaning) => format!("the JVM exited with code {code} ({meaning})"),
            None => format!("the JVM exited with code {code}"),
        },
        (None, Some(signal)) => format!("the JVM was ended by signal {signal}{}", signal_name(signal)),
        (None, None) => "the JVM ended in an unknown way".to_owned(),
    };
    match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

impl fmt::Display for JvmReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopRequested => "stopped on request",
            Self::OutOfMemory(kind) => exhausted(*kind),
            Self::KilledByKernel(KernelOom::Host) => {
                "probably by the kernel's out-of-memory killer, which was at work on this host"
            }
            Self::KilledByKernel(KernelOom::Cgroup { limit, peak }) => {
                return write!(
                    f,
                    "by the kernel's out-of-memory killer: the container's memory limit was reached{}",
                    amounts(*limit, *peak)
                );
            }
            Self::KilledByKernel(KernelOom::None) => exhausted(OutOfMemory::OomKernel),
            Self::KilledByOthers => {
                "not by heddle and not for memory as far as the kernel tells: by the NodeManager or by hand"
            }
            Self::Said(words) => words,
        })
    }
}

/// The words for the kind of memory that ran out.
fn exhausted(kind: OutOfMemory) -> &'static str {
    match kind {
        OutOfMemory::OomNone => "",
        OutOfMemory::OomJavaHeap => "the Java heap was full (java.lang.OutOfMemoryError: Java heap space)",
        OutOfMemory::OomMetaspace => "the metaspace was full (java.lang.OutOfMemoryError: Metaspace)",
        OutOfMemory::OomDirect => {
            "direct memory was exhausted (java.lang.OutOfMemoryError: Direct buffer memory)"
        }
        OutOfMemory::OomNativeThread => {
            "no more threads could be created (java.lang.OutOfMemoryError: unable to create native thread)"
        }
        OutOfMemory::OomGcOverhead => {
            "nearly all time went into garbage collection (java.lang.OutOfMemoryError: GC overhead limit exceeded)"
        }
        OutOfMemory::OomNative => NO_NATIVE_MEMORY,
        OutOfMemory::OomOther => "the JVM could not get memory",
        OutOfMemory::OomKernel => "the kernel's out-of-memory killer ended it",
    }
}

/// The most bytes that a cgroup has used and its limit, in words; empty if neither is known.
fn amounts(limit: Option<u64>, peak: Option<u64>) -> String {
    let mb = |bytes: u64| format!("{} MB", bytes >> 20);
    match (limit, peak) {
        (Some(limit), Some(peak)) => {
            format!(" ({} used at most, of {} that its cgroup allows)", mb(peak), mb(limit))
        }
        (Some(limit), None) => format!(" ({}, which is what its cgroup allows)", mb(limit)),
        (None, Some(peak)) => format!(" ({} used at most)", mb(peak)),
        (None, None) => String::new(),
    }
}

impl fmt::Display for JvmExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.summary.trim(), self.code, self.signal) {
            (summary, ..) if !summary.is_empty() => f.write_str(summary),
            _ if self.launch_failed => f.write_str("the JVM could not be started"),
            (_, _, Some(signal)) => write!(f, "the JVM was ended by signal {signal}"),
            (_, Some(code), _) => write!(f, "the JVM exited with code {code}"),
            _ => f.write_str("the JVM has ended"),
        }
    }
}

/// YARN's exit status in words.
fn yarn_status(status: i32) -> String {
    match container_words(status) {
        Some(words) => format!("{words} (exit status {status})"),
        None => format!("the container exited with status {status}"),
    }
}

/// The words for the end of a container that ended because it was given back to YARN.
pub fn given_back(status: i32) -> String {
    match status {
        // YARN's exit statuses of a container that was given back before and after its start.
        -100 | -105 => "given back".to_owned(),
        status => format!("given back; {}", yarn_status(status)),
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.not_started {
            return write!(f, "could not be started: {why}");
        }
        let said: &[String] = self.yarn.as_ref().map(|yarn| yarn.said.as_slice()).unwrap_or_default();
        let mut told = false;
        match (&self.yarn, &self.jvm) {
            (Some(yarn), jvm) if yarn.acted() => {
                f.write_str(&yarn_status(yarn.status))?;
                if let Some(detail) = yarn.usage.as_ref().map(|usage| &usage.words).or(said.first()) {
                    write!(f, ": {detail}")?;
                    told = true;
                }
                // YARN ends a container by signals, so that a signal ended the JVM is no news.
                if let Some(jvm) = jvm.as_ref().filter(|jvm| !jvm.may_be_yarns_kill()) {
                    write!(f, "; {jvm}")?;
                }
            }
            (Some(yarn), _) if self.fault == Fault::Ours => f.write_str(&yarn_status(yarn.status))?,
            (_, Some(jvm)) => write!(f, "{jvm}")?,
            (Some(yarn), None) => f.write_str(&yarn_status(yarn.status))?,
            (None, None) => f.write_str("the container is gone")?,
        }
        let (title, lines) = match &self.jvm {
            Some(jvm) if !jvm.last_lines.is_empty() => ("last lines of its log", jvm.last_lines.as_slice()),
            // YARN's words are in the text already.
            _ if told => return Ok(()),
            _ => ("YARN says", said),
        };
        if lines.is_empty() {
            return Ok(());
        }
        write!(f, "; {title}:")?;
        lines[lines.len().saturating_sub(LINES)..]
            .iter()
            .try_for_each(|line| write!(f, "\n  {}", line.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> JvmExit {
        JvmExit { code: Some(code), ..JvmExit::default() }
    }

    fn text(completed: Option<(i32, &str)>, jvm: Option<&JvmExit>) -> String {
        ExitCause::new(completed, jvm).to_string()
    }

    #[test]
    fn the_reason_of_yarn_is_told_whatever_the_jvm_did_of_it() {
        let cause = ExitCause::new(Some((-109, "Container wrote too much")), Some(&exited(143)));
        let told = cause.to_string();
        assert!(told.starts_with("killed for writing more log than allowed"), "{told}");
    }

    #[test]
    fn yarns_reason_comes_first_where_yarn_acted() {
        let jvm = JvmExit { last_lines: vec!["bye".into()], ..exited(143) };
        let text = text(Some((-104, "Container is running beyond physical memory limits")), Some(&jvm));
        assert!(text.starts_with("killed by the NodeManager: more physical memory"), "{text}");
        assert!(text.contains("-104") && text.ends_with("\n  bye"), "{text}");
    }

    #[test]
    fn the_report_explains_a_failed_process() {
        let summary = "the JVM exited with code 239: the metaspace was full".to_owned();
        let jvm = JvmExit { summary, ..exited(239) };
        let text = text(Some((239, "Exception from container-launch")), Some(&jvm));
        assert!(
            text.starts_with("the JVM exited with code 239: the metaspace was full; YARN says"),
            "{text}"
        );
    }

    #[test]
    fn every_status_has_words_and_unknown_ones_their_number() {
        for status in (-109..=-100).chain([-1000, 0, 137, 143]) {
            assert!(text(Some((status, "")), None).contains(&status.to_string()));
        }
        assert!(text(Some((42, "")), None).contains("42"));
        assert_eq!(text(None, None), "the container is gone");
        assert_eq!(ExitCause::not_started("no disk".into()).to_string(), "could not be started: no disk");
    }

    #[test]
    fn long_diagnostics_keep_their_end() {
        let long: String = (0..50).map(|line| format!("line {line}\n")).collect();
        let text = text(Some((1, &long)), None);
        assert!(text.contains("line 49") && text.contains("line 44") && !text.contains("line 43"));
    }

    /// Diagnostics of Hadoop 3.3.6.
    const PHYSICAL: &str = "[2026-11-28 14:25:10.123]Container [pid=3718,containerID=container_1_0001_01_000002] is running \
        313016320B beyond the 'PHYSICAL' memory limit. Current usage: 1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB \
        virtual memory used. Killing container.\nDump of the process-tree for container_1_0001_01_000002 :\n\t|- PID PPID \
        PGRPID SESSID CMD_NAME\n\t|- 3718 3716 3718 3718 (java) 1 2 3 4 /usr/bin/java -Dsecret=x\n\n[2026-11-28 \
        14:25:10.444]Container killed on request. Exit code is 143\n[2026-11-28 14:25:10.450]Container exited with a \
        non-zero exit code 143. \n";
    /// Diagnostics of Hadoop 2.10.
    const VIRTUAL: &str = "Container [pid=1,containerID=container_1_0001_01_000002] is running beyond virtual memory limits. \
        Current usage: 300.1 MB of 1 GB physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n\
        Dump of the process-tree for container_1_0001_01_000002 :\n\t|- PID\n";

    #[test]
    fn a_memory_kill_says_how_much_of_how_much_and_no_command_lines() {
        let jvm = JvmExit { last_lines: vec!["bye".into()], ..exited(143) };
        let cause = ExitCause::new(Some((-104, PHYSICAL)), Some(&jvm));
        assert_eq!(cause.fault, Fault::Memory);
        assert_eq!(
            cause.to_string(),
            "killed by the NodeManager: more physical memory than the container has (exit status -104): 1.3 GB of 1 GB physical \
             memory used; 4.0 GB of 2.1 GB virtual memory used; last lines of its log:\n  bye"
        );
        let cause = ExitCause::new(Some((-103, VIRTUAL)), None);
        assert_eq!(cause.fault, Fault::Memory);
        let text = cause.to_string();
        assert!(text.ends_with("9.9 GB of 2.1 GB virtual memory used"), "{text}");
    }

    #[test]
    fn what_yarn_did_to_a_container_that_was_given_back_is_its_cause() {
        let text = |status, diagnostics: &str| {
            ExitCause::of_returned(status, diagnostics, None).map(|cause| cause.to_string())
        };
        assert!(text(-104, PHYSICAL).unwrap().contains("1.3 GB of 1 GB physical"));
        assert!(text(-102, "").unwrap().contains("preempted"));
        assert!(text(-100, "Container released on a *lost* node").unwrap().contains("lost"));
        for status in [-107, -105, -100, 0, 1, 137, 143] {
            assert_eq!(text(status, "Container released by application"), None, "{status}");
        }
        let summary = "by the kernel".to_owned();
        let killed = JvmExit { out_of_memory: OutOfMemory::OomKernel, summary, ..JvmExit::default() };
        let cause = ExitCause::of_returned(137, "", Some(&killed)).unwrap();
        assert_eq!((cause.fault, cause.to_string().as_str()), (Fault::Memory, "by the kernel"));
        assert_eq!(given_back(-105), "given back");
        assert_eq!(given_back(0), "given back; the container ended normally (exit status 0)");
    }
}

//! Finds in the text of a log what it tells of a failure: exceptions, the ends of containers, and jobs that
//! have failed. It knows the logs of Flink's JVMs and of heddle-am, and does no I/O.

use chrono::{DateTime, Local, NaiveDateTime, TimeZone};
use diagnosis::facts::{ContainerEnd, Job, Part, Voice};

/// Most exceptions that are taken of one log, and most ends; the last ones count.
const MOST: usize = 8;
const MOST_ENDS: usize = 32;
/// Most bytes of one text.
const LONGEST: usize = 8 << 10;

/// Something that a log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The time at the beginning of the line, in ms since 1970. One without a time zone is taken to be in
    /// that of this machine.
    pub(super) at: Option<u64>,
    pub(super) what: What,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// An exception, or an error.
    Told(Voice, String),
    /// A job that has failed.
    Failed(Job),
    /// A container that has ended, as the ApplicationMaster of Flink logs it.
    End(ContainerEnd),
    /// A TaskManager in a container of this node that has said to Flink's ApplicationMaster that it ends,
    /// although nobody there had told it to. Flink gives its container back at once, and does not log what
    /// YARN tells of it afterwards.
    SignedOff { container: String, node: String },
}

/// Words by which a JVM tells, without naming an exception, why it cannot go on.
const OF_THE_JVM: [&str; 6] = [
    "OutOfMemoryError: ",
    "There is insufficient memory for the Java Runtime Environment",
    "A fatal error has been detected by the Java Runtime Environment",
    "Could not create the Java Virtual Machine",
    "Unrecognized VM option",
    "Error occurred during initialization of VM",
];

/// What the log of a JVM of this part tells. `is_stderr` says that it is what the JVM prints to its error
/// stream: then lines without a time are of interest, whatever they say.
pub(super) fn read(text: &str, part: Part, is_stderr: bool) -> Vec<Found> {
    let (mut told, mut ends) = (Vec::new(), Vec::new());
    for Entry { at, lines } in entries(text) {
        let Some((head, rest)) = lines.split_first() else { continue };
        let message = if at.is_some() { message(head) } else { head };
        if let Some(end) = end(message, rest) {
            ends.push(Found { at, what: What::End(end) });
        } else if let Some((container, node)) = signed_off(message) {
            ends.push(Found { at, what: What::SignedOff { container, node } });
        } else if let Some(job) = failed_job(message, rest) {
            ends.push(Found { at, what: What::Failed(job) });
        } else if is_error(head) || at.is_none() && is_stderr || lines.iter().any(|line| is_telling(line)) {
            let whole: Vec<&str> = std::iter::once(message).chain(rest.iter().copied()).collect();
            let text = without_frames(&whole.join("\n"));
            if !text.trim().is_empty() {
                told.push(Found { at, what: What::Told(voice(part, &text), text) });
            }
        }
    }
    told.drain(..told.len().saturating_sub(MOST));
    ends.drain(..ends.len().saturating_sub(MOST_ENDS));
    told.append(&mut ends);
    told
}

/// A line with a time, and the lines behind it that have none, such as a stack trace.
struct Entry<'a> {
    at: Option<u64>,
    lines: Vec<&'a str>,
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in text.lines() {
        let at = time(line);
        match entries.last_mut() {
            Some(entry) if at.is_none() => entry.lines.push(line),
            _ => entries.push(Entry { at, lines: vec![line] }),
        }
    }
    entries
}

/// The time at the beginning of a line, in ms since 1970: Flink's, which has no time zone, or heddle's.
fn time(line: &str) -> Option<u64> {
    if line.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let flinks =
        line.get(..23).and_then(|stamp| NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S,%3f").ok());
    let millis = match flinks {
        Some(time) => Local.from_local_datetime(&time).earliest()?.timestamp_millis(),
        None => DateTime::parse_from_rfc3339(line.split(' ').next()?).ok()?.timestamp_millis(),
    };
    u64::try_from(millis).ok()
}

/// What a line of Flink's log says behind time, level and logger; the whole line of another log.
fn message(line: &str) -> &str {
    line.split_once(" - ").map_or(line, |(_, message)| message)
}

fn is_error(head: &str) -> bool {
    head.split_whitespace().take(4).any(|word| matches!(word, "ERROR" | "FATAL"))
}

/// Whether a line names an exception, or says why the JVM cannot go on.
fn is_telling(line: &str) -> bool {
    let text = line.trim_start();
    let text = text.strip_prefix("Caused by: ").unwrap_or(text);
    let text = text.strip_prefix("Exception in thread \"main\" ").unwrap_or(text);
    let class = text.split([':', ' ']).next().unwrap_or_default();
    let is_class =
        class.contains('.') && ["Exception", "Error", "Throwable"].iter().any(|end| class.ends_with(end));
    is_class || OF_THE_JVM.iter().any(|words| line.contains(words))
}

/// Whose words they are. The exception of `main()` is in the JobManager's log, if it runs there.
fn voice(part: Part, text: &str) -> Voice {
    const OF_MAIN: [&str; 2] = ["ProgramInvocationException", "The main method caused an error"];
    match part {
        Part::TaskManager => Voice::TaskManager,
        Part::JobManager if OF_MAIN.iter().any(|words| text.contains(words)) => Voice::Main,
        Part::JobManager => Voice::JobManager,
    }
}

/// A text without the frames of stack traces, and at most as long as is of interest.
pub(super) fn without_frames(text: &str) -> String {
    let is_frame = |line: &str| {
        let line = line.trim_start();
        line.starts_with("at ") && line.contains('(') || line.starts_with("... ")
    };
    let mut kept = String::new();
    for line in text.lines().filter(|line| !is_frame(line)) {
        if !kept.is_empty() {
            kept.push('\n');
        }
        let left = LONGEST.saturating_sub(kept.len());
        if line.len() > left {
            // A character has four bytes at most.
            kept.extend(line.chars().take(left / 4));
            break;
        }
        kept.push_str(line);
    }
    kept
}

/// The end of a TaskManager's container, in the words of Flink's ApplicationMaster.
fn end(message: &str, rest: &[&str]) -> Option<ContainerEnd> {
    let (who, said) = message.strip_prefix("Worker ")?.split_once(" is terminated. Diagnostics: ")?;
    let (container, node) = worker(who)?;
    let whole: Vec<&str> = std::iter::once(said).chain(rest.iter().copied()).collect();
    let diagnostics = without_frames(&whole.join("\n"));
    let status = status(&diagnostics);
    Some(ContainerEnd {
        part: Part::TaskManager,
        container: container.to_owned(),
        node: Some(node.to_owned()).filter(|node| !node.is_empty()),
        code: status.filter(|status| *status > 0),
        status,
        diagnostics,
        ..ContainerEnd::default()
    })
}

/// The container of a TaskManager, and its node, in Flink's words: `container_…(host:port)`.
fn worker(who: &str) -> Option<(&str, &str)> {
    let (container, node) = who.split_once('(').unwrap_or((who, ""));
    container.starts_with("container_").then(|| (container, node.trim_end_matches(')')))
}

/// A TaskManager that says that it ends, in the words of Flink's ResourceManager.
fn signed_off(message: &str) -> Option<(String, String)> {
    let (who, why) = message.strip_prefix("Closing TaskExecutor connection ")?.split_once(" because: ")?;
    let (container, node) = worker(who).filter(|_| why.starts_with("The TaskExecutor is shutting down"))?;
    Some((container.to_owned(), node.to_owned()))
}

/// YARN's exit status of a container in the words of Flink, which are different for some of them, or else in
/// those of YARN.
fn status(diagnostics: &str) -> Option<i32> {
    const WORDS: [(&str, i32); 7] = [
        (" exited normally. ", 0),
        (" was preempted by yarn. ", -102),
        (" was invalid. ", -1000),
        (" killed by YARN, either due to being released ", -100),
        (" is failed because threshold number of the nodemanager", -101),
        (" beyond the 'PHYSICAL' memory limit", -104),
        (" beyond the 'VIRTUAL' memory limit", -103),
    ];
    let number = || {
        let (_, rest) = diagnostics.split_once("Exit code:")?;
        let rest = rest.trim_start();
        let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    };
    WORDS.iter().find(|(words, _)| diagnostics.contains(words)).map(|(_, status)| *status).or_else(number)
}

/// A job that has failed, in the words of the JobManager.
fn failed_job(message: &str, rest: &[&str]) -> Option<Job> {
    let (job, states) = message.strip_prefix("Job ")?.split_once(" switched from state ")?;
    let (_, state) = states.split_once(" to ")?;
    let (name, id) = job.rsplit_once(" (")?;
    let id = id.strip_suffix(')').filter(|id| id.len() == 32)?;
    if state.trim_end_matches('.') != "FAILED" {
        return None;
    }
    let exception = without_frames(&rest.join("\n"));
    Some(Job { id: id.to_owned(), name: name.to_owned(), state: "FAILED".to_owned(), exception })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-28 14:25:10,123 INFO  org.apache.flink.x.Y                     [] - started\n\
        2026-11-28 14:25:11,123 INFO  org.apache.flink.runtime.resourcemanager.active.ActiveResourceManager [] - Worker \
        container_1_0001_01_000002(node1:8041) is terminated. Diagnostics: Container container_1_0001_01_000002 marked as failed.\n \
        Exit code:-104.\n Diagnostics:[2026-11-28 14:25:10.123]Container [pid=1] is running 5B beyond the 'PHYSICAL' memory limit. \
        Current usage: 1.3 GB of 1 GB physical memory used\n\
        2026-11-28 14:25:12,000 INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph [] - Job word count (x) \
        (fd72014d4c864993a2e5a9287b4a9c5d) switched from state FAILING to FAILED.\n\
        org.apache.flink.runtime.JobException: Recovery is suppressed\n\tat a.B.c(B.java:1)\n\
        Caused by: java.lang.ArithmeticException: / by zero\n\t... 3 more\n\
        2026-11-28 14:25:13,000 WARN  org.apache.flink.x.Z [] - trouble\njava.io.IOException: disk\n\tat a.B.c(B.java:1)\n\
        2026-11-28 14:25:14,000 ERROR org.apache.flink.x.Z [] - no exception\n";

    fn texts(found: &[Found]) -> Vec<&str> {
        let told = found.iter().filter_map(|found| match &found.what {
            What::Told(_, text) => Some(text.as_str()),
            What::Failed(_) | What::End(_) | What::SignedOff { .. } => None,
        });
        told.collect()
    }

    #[test]
    fn the_log_of_a_jobmanager() {
        let found = read(LOG, Part::JobManager, false);
        assert_eq!(texts(&found), ["trouble\njava.io.IOException: disk", "no exception"]);
        let ends: Vec<&What> = found.iter().map(|found| &found.what).skip(2).collect();
        let [What::End(end), What::Failed(job)] = ends[..] else { panic!("{ends:?}") };
        assert_eq!((end.container.as_str(), end.status), ("container_1_0001_01_000002", Some(-104)));
        assert_eq!(end.node.as_deref(), Some("node1:8041"));
        assert!(end.diagnostics.contains("1.3 GB of 1 GB physical memory used"));
        assert_eq!((job.name.as_str(), job.state.as_str()), ("word count (x)", "FAILED"));
        assert_eq!(
            job.exception,
            "org.apache.flink.runtime.JobException: Recovery is suppressed\nCaused by: java.lang.ArithmeticException: / by zero"
        );
        assert!(found.iter().all(|found| found.at.is_some()));
    }

    /// A NodeManager's SIGTERM comes first, upon which a TaskManager signs off. What YARN tells later, Flink
    /// logs only with the level DEBUG.
    #[test]
    fn a_taskmanager_that_signs_off() {
        let line = |text: &str| format!("2026-11-28 14:25:11,123 INFO  org.apache.flink.x.Y [] - {text}\n");
        let of = |text: &str| read(&line(text), Part::JobManager, false);
        let of_ended = "Closing TaskExecutor connection container_e01_1_0001_01_000002(node1:8041) because: The TaskExecutor is shutting down.";
        let (container, node) = ("container_e01_1_0001_01_000002".to_owned(), "node1:8041".to_owned());
        assert_eq!(of(of_ended)[0].what, What::SignedOff { container, node });
        for other in [
            "Closing TaskExecutor connection container_1_0001_01_000002(node1:8041) because: resource is no longer needed",
            "Closing TaskExecutor connection localhost:1-a because: The TaskExecutor is shutting down.",
            "Stopping worker container_1_0001_01_000002(node1:8041).",
        ] {
            assert!(of(other).is_empty(), "{other}");
        }
    }

    /// As Hadoop 3 and 2 write it: of several lines, some of which begin with the time in brackets.
    #[test]
    fn diagnostics_of_several_lines() {
        let begin = "2026-11-28 14:25:11,123 INFO  org.apache.flink.runtime.resourcemanager.active.ActiveResourceManager [] - Worker \
            container_1_0001_01_000002(node1:8041) is terminated. Diagnostics: Container container_1_0001_01_000002 marked as failed.\n \
            Exit code:-104.\n Diagnostics:";
        let dump = "Dump of the process-tree for container_1_0001_01_000002 :\n\t|- PID PPID CMD_NAME\n\t|- 1 0 (java) java -cp a - b\n";
        let usage = "Current usage: 1.3 GB of 1 GB physical memory used; 3 GB of 2.1 GB virtual memory used. Killing container.";
        let hadoop_3 = format!(
            "{begin}[2026-11-28 14:25:10.123]Container [pid=1,containerID=container_1_0001_01_000002] is running 5B beyond the \
             'PHYSICAL' memory limit. {usage}\n{dump}\n[2026-11-28 14:25:10.444]Container killed on request. Exit code is 143\n\
             [2026-11-28 14:25:10.450]Container exited with a non-zero exit code 143. \n\n\
             2026-11-28 14:25:12,000 INFO  x [] - next\n"
        );
        let hadoop_2 = format!(
            "{begin}Container [pid=1,containerID=container_1_0001_01_000002] is running beyond physical memory limits. {usage}\n{dump}\
             Container killed on request. Exit code is 143\nContainer exited with a non-zero exit code 143\n\n"
        );
        for log in [hadoop_3, hadoop_2] {
            let found = read(&log, Part::JobManager, false);
            let [Found { what: What::End(end), .. }] = &found[..] else { panic!("{found:?}") };
            assert_eq!((end.status, end.code), (Some(-104), None));
            assert!(end.diagnostics.contains(usage) && end.diagnostics.contains("exit code 143"), "{end:?}");
        }
    }

    #[test]
    fn what_a_jvm_prints() {
        let err = "Picked up JAVA_TOOL_OPTIONS\nError: Could not create the Java Virtual Machine.\n";
        assert_eq!(texts(&read(err, Part::TaskManager, true)), [err.trim_end()]);
        assert_eq!(texts(&read("plain\noutput\n", Part::TaskManager, false)), Vec::<&str>::new());
        let out = "java.lang.OutOfMemoryError: Java heap space\nDumping heap to x\n";
        assert_eq!(texts(&read(out, Part::TaskManager, false)).len(), 1);
        assert!(read("", Part::JobManager, true).is_empty());
    }

    #[test]
    fn who_speaks() {
        let main = "2026-11-28T14:25:10.123Z ERROR x: org.apache.flink.client.program.ProgramInvocationException: boom";
        let found = read(main, Part::JobManager, false);
        assert!(matches!(&found[0].what, What::Told(Voice::Main, _)), "{found:?}");
        assert_eq!(found[0].at, Some(1_795_875_910_123));
    }

    #[test]
    fn statuses_in_the_words_of_flink() {
        for (text, code) in [
            ("Container c exited normally. Diagnostics: ", Some(0)),
            ("Container c was preempted by yarn. Diagnostics: x", Some(-102)),
            ("Container c marked as failed.\n Exit code:239.\n Diagnostics:x", Some(239)),
            ("Exception from container-launch.\nExit code: 1\n", Some(1)),
            ("something else", None),
        ] {
            assert_eq!(status(text), code, "{text}");
        }
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let text: String =
            (0..20).map(|n| format!("2026-11-28 14:25:{n:02},000 ERROR x [] - no. {n}\n")).collect();
        let found = read(&text, Part::JobManager, false);
        assert_eq!((texts(&found).len(), texts(&found)[0]), (MOST, "no. 12"));
        let long = format!("a.BException: {}", "ä".repeat(LONGEST));
        assert!(without_frames(&long).len() <= LONGEST);
    }
}

//! Finds out why Flink's own client failed, from the end of what it wrote to its error stream. The user then
//! reads one line with the innermost cause instead of a Java stack trace. This module does no I/O.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use diagnosis::words::OF_MISSING_SLOTS;

use crate::error::{CauseClass, Failure};
use crate::exit::Exit;

/// After these lines, Flink's client or Java itself prints the exception that has ended the program.
const MARKS: [&str; 3] = [
    "The program finished with the following exception:",
    "Fatal error while running command line interface.",
    "Exception in thread \"main\" ",
];
/// Lines with these texts explain nothing. They are skipped if the output holds no exception.
const NOISE: [&str; 8] = [
    "Use the help option",
    "Error: Could not create the Java Virtual Machine",
    "Error: A fatal exception has occurred",
    "Error occurred during initialization of VM",
    "WARNING: ",
    "SLF4J",
    "Picked up ",
    "[warning]",
];
/// Names of the signals that usually end a JVM from outside or after a crash.
const SIGNALS: [(i32, &str); 9] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (15, "SIGTERM"),
];
/// The longest message, in characters; the rest is cut off.
const LONGEST: usize = 600;
/// The exceptions behind whose names Java writes the name of a class that it has not found.
const NOT_FOUND: [&str; 2] = ["java.lang.ClassNotFoundException: ", "java.lang.NoClassDefFoundError: "];
/// The packages of Hadoop's classes, and of those that they need and that Flink does not have.
const OF_HADOOP: [&str; 2] = ["org.apache.hadoop.", "org.apache.commons.logging."];
/// An exception of this name tells what has happened in a job on the cluster, not in `main()`.
const OF_JOB: &str = "JobExecutionException";

/// What to do if a class of Hadoop is missing in a program on this machine.
pub const HADOOP_HINT: &str = "heddle.hadoop.jars names the jars with Hadoop's classes for programs on this machine, or a directory with them, \
     here or in HDFS (hadoop-client-api, hadoop-client-runtime, commons-logging); or export HADOOP_CLASSPATH";

/// An exception and its causes, the outermost first. Each is one line, without its stack frames.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    chain: Vec<String>,
}

impl Trace {
    /// Finds the last exception that ended the program.
    fn find(text: &str) -> Option<Self> {
        let at = MARKS.iter().filter_map(|mark| {
            let at = text.rfind(mark)?;
            // After the mark that ends with a blank, the exception is on the same line; after the other
            // marks, it is on the lines below.
            Some(if mark.ends_with(' ') { at + mark.len() } else { at + mark.len() + 1 })
        });
        let mut chain: Vec<String> = Vec::new();
        let mut open = false;
        for line in text.get(at.max()?..)?.lines() {
            let frame = line.starts_with("\tat ") || line.starts_with("\t...");
            match line.strip_prefix("Caused by: ") {
                Some(cause) => {
                    chain.push(cause.trim().to_owned());
                    open = true;
                }
                None if chain.is_empty() && !line.trim().is_empty() => {
                    chain.push(line.trim().to_owned());
                    open = true;
                }
                // A further line of a message that has several lines.
                None if open && !frame && !line.trim().is_empty() => {
                    if let Some(last) = chain.last_mut().filter(|last| last.len() < LONGEST) {
                        last.push(' ');
                        last.push_str(line.trim());
                    }
                }
                None => open = false,
            }
        }
        chain.iter_mut().for_each(|line| *line = line.chars().take(LONGEST).collect());
        chain.dedup();
        (!chain.is_empty()).then_some(Self { chain })
    }
}

/// Makes the failure for a JVM of Flink's client that has ended with `status`. `errors` is the end of its
/// error stream, and `log` is the file to which Flink's client logs.
pub fn failure(status: ExitStatus, errors: &str, log: &Path) -> Failure {
    let exit = Exit::of_jvm(status);
    let log = log.display();
    let trace = Trace::find(errors);
    let failure = match (trace, status.signal()) {
        (_, Some(signal)) => {
            let name =
                SIGNALS.iter().find(|(number, _)| *number == signal).map(|(_, name)| format!(" ({name})"));
            let failure = Failure::new(format!(
                "the JVM that ran main() was ended by signal {signal}{}",
                name.unwrap_or_default()
            ));
            match signal {
                9 => {
                    failure.hint("if nobody has done that, the kernel has, for want of memory: `dmesg` tells")
                }
                _ => failure,
            }
        }
        (Some(Trace { mut chain }), None) => {
            let innermost = chain.pop().unwrap_or_default();
            let of_job = chain.iter().any(|line| line.contains(OF_JOB));
            let hint = match lacks_hadoop(&innermost) && !of_job {
                true => Some(HADOOP_HINT),
                false => hint(&innermost),
            };
            let hint = hint.map(str::to_owned);
            let hint =
                hint.unwrap_or_else(|| format!("the whole trace stands above; Flink's client logs to {log}"));
            Failure::new(format!("the program failed: {innermost}")).with_chain(chain).hint(hint)
        }
        (None, None) if exit.code() == 1 => match last_words(errors) {
            Some(line) => Failure::new(format!("Flink's client failed: {line}")),
            None => Failure::new("main() ended with exit code 1"),
        }
        .hint(format!("Flink's client logs to {log}")),
        (None, None) => Failure::new(format!("main() ended with exit code {}", exit.code())),
    };
    failure.of_class(CauseClass::Program).with_exit(exit)
}

/// Returns a hint for the most frequent causes.
fn hint(innermost: &str) -> Option<&'static str> {
    let has = |word: &str| innermost.contains(word);
    Some(if OF_MISSING_SLOTS.iter().any(|words| has(words)) {
        "YARN gave no worker in time: `yarn-session.sh -q` shows what the cluster has free, `heddle memory` what a worker asks for"
    } else if has("java.net.ConnectException") || has("Connection refused") {
        "check that the cluster still runs, and that its nodes can be reached from this machine: `heddle ps`"
    } else if has("Python process exits with code") {
        "Python's own traceback stands above"
    } else {
        return None;
    })
}

/// Whether a text of a JVM says that a class of Hadoop is missing.
pub fn lacks_hadoop(text: &str) -> bool {
    let class = |behind: &str| behind.chars().take(LONGEST).collect::<String>().replace('/', ".");
    let is_hadoops = |behind: &str| OF_HADOOP.iter().any(|package| class(behind).starts_with(package));
    NOT_FOUND.iter().any(|exception| text.split(*exception).skip(1).any(is_hadoops))
}

/// Finds the last line that is not empty and that explains something.
fn last_words(errors: &str) -> Option<String> {
    let telling = |line: &&str| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise));
    errors.lines().map(str::trim).rfind(telling).map(|line| line.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THROWN: &str = "some line of the program\n\n\
        ------------------------------------------------------------\n The program finished with the following exception:\n\n\
        org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: no such thing\n\
        \tat org.apache.flink.client.program.PackagedProgram.callMainMethod(PackagedProgram.java:373)\n\
        Caused by: java.lang.RuntimeException: outer\n\tat Main.main(Main.java:1)\n\t... 9 more\n\
        Caused by: java.lang.IllegalStateException: no such thing,\nwhich is bad\n\tat Main.main(Main.java:7)\n\
        \tSuppressed: java.lang.Error: x\n\tCaused by: java.lang.Error: y\n\t... 9 more\n";

    fn told(status: i32, errors: &str) -> String {
        let failure = failure(ExitStatus::from_raw(status), errors, Path::new("/log/client.log"));
        format!(
            "{}{}",
            failure.exit().code(),
            failure.render(true).lines().map(|line| format!("\n{line}")).collect::<String>()
        )
    }

    #[test]
    fn the_innermost_cause_is_the_error() {
        insta::assert_snapshot!(told(1 << 8, THROWN));
    }

    #[test]
    fn hadoops_classes_that_are_missing_end_in_one_hint() {
        let missing = |exception: &str| {
            format!(
                "\n The program finished with the following exception:\n\nx.A: no catalog\nCaused by: {exception}\n"
            )
        };
        let hints = |text: &str| {
            failure(ExitStatus::from_raw(1 << 8), text, Path::new("/log/client.log")).hints().to_vec()
        };
        for exception in [
            "java.lang.ClassNotFoundException: org.apache.hadoop.conf.Configuration",
            "java.lang.NoClassDefFoundError: org/apache/hadoop/fs/FileSystem",
            "java.lang.NoClassDefFoundError: org/apache/commons/logging/LogFactory",
        ] {
            assert_eq!(hints(&missing(exception)), [HADOOP_HINT], "{exception}");
            assert!(lacks_hadoop(&format!("[ERROR] Reason:\n{exception}\n")));
        }
        let of_job = format!(
            "\n The program finished with the following exception:\n\nx.client.JobExecutionException: failed\n\
             Caused by: {}org.apache.hadoop.conf.Configuration\n",
            NOT_FOUND[0]
        );
        for other in [of_job, missing("java.lang.ClassNotFoundException: com.example.Main")] {
            assert!(!hints(&other).contains(&HADOOP_HINT.to_owned()), "{other}");
        }
        let of_server = "org.apache.hadoop.ipc.RemoteException: java.lang.ClassNotFoundException: x.Y";
        assert!(!lacks_hadoop(of_server));
    }

    #[test]
    fn the_chain_is_for_those_who_ask() {
        let failure = failure(ExitStatus::from_raw(1 << 8), THROWN, Path::new("/log/client.log"));
        assert!(!failure.render(false).contains("outer"), "{}", failure.render(false));
    }

    #[test]
    fn other_ends() {
        let server = "\n The program finished with the following exception:\n\norg.apache.flink.x.A: a\n\tat b\nCaused by: \
            org.apache.flink.runtime.rest.util.RestClientException: [Internal server error., <Exception on server side:\n\
            org.apache.flink.B: b\n\tat c\nCaused by: java.io.IOException: disk full\n\tat d\n\t... 1 more\n\n\
            End of exception on server side>]\n\tat e\n";
        let memory = "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat x\n";
        let jvm = "Invalid maximum heap size: -Xmxnonsense\nError: Could not create the Java Virtual Machine.\n\
            Error: A fatal exception has occurred. Program will exit.\n";
        let options = "SLF4J: x\nThe parallelism must be a positive number: x\n\nUse the help option (-h or --help) to get help on the command.\n";
        let workers = "\n The program finished with the following exception:\n\nx.A: a\nCaused by: \
            org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum required resources.\n";
        let all = [
            (1 << 8, server),
            (1 << 8, memory),
            (1 << 8, jvm),
            (1 << 8, options),
            (1 << 8, workers),
            (1 << 8, ""),
            (3 << 8, "x"),
            (9, THROWN),
            (6, ""),
        ];
        let all: Vec<String> = all.into_iter().map(|(status, errors)| told(status, errors)).collect();
        insta::assert_snapshot!(all.join("\n\n"));
    }
}

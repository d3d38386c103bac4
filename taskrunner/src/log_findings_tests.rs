use super::*;
use crate::exit::{ExitReport, Facts};

fn findings(log: &str) -> LogFindings {
    let mut scan = Scan::default();
    log.lines().for_each(|line| scan.line(line));
    scan.finish()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The report on a JVM that ended with this code, log and outputs soon after its start.
fn summary(code: i32, log: &str, stderr: &str, stdout: &str) -> String {
    report(code, log, stderr, stdout).summary
}

fn report(code: i32, log: &str, stderr: &str, stdout: &str) -> ExitReport {
    let (log_lines, stderr, stdout) = (lines(log), lines(stderr), lines(stdout));
    let tail = log_lines[log_lines.len().saturating_sub(crate::tail::MAX_LINES)..].to_vec();
    let facts = Facts {
        code: Some(code),
        log: tail,
        stderr,
        stdout,
        findings: findings(log),
        early: true,
        ..Facts::default()
    };
    ExitReport::from_facts(facts)
}

/// The notices that every JVM of Java 17 with Flink 1.20 prints.
const CHATTER: &str = "\
WARNING: A terminally deprecated method in java.lang.System has been called
WARNING: System::setSecurityManager has been called by org.apache.flink.core.security.FlinkSecurityManager (file:/flink/lib/flink-dist-1.20.5.jar)
WARNING: Please consider reporting this to the maintainers of org.apache.flink.core.security.FlinkSecurityManager
WARNING: System::setSecurityManager will be removed in a future release
SLF4J: Class path contains multiple SLF4J bindings.
SLF4J: Actual binding is of type [org.apache.logging.slf4j.Log4jLoggerFactory]
";

#[test]
fn logs_of_taskmanagers_that_failed_at_their_start() {
    for (log, cause) in [
        (
            include_str!("snippets/port.log"),
            "java.net.BindException: Could not start actor system on any port in port range 23717",
        ),
        (
            include_str!("snippets/badvalue.log"),
            "org.apache.flink.util.ConfigurationException: Config parameter 'Key: 'jobmanager.rpc.address' , default: null \
             (fallback keys: [])' is missing (hostname/address of JobManager to connect to).",
        ),
        (
            include_str!("snippets/noregister.log"),
            "org.apache.flink.runtime.taskexecutor.exceptions.RegistrationTimeoutException: Could not register at the ResourceManager \
             within the specified maximum registration duration PT5S. This indicates a problem with this instance. Terminating now.",
        ),
    ] {
        let report = report(1, log, CHATTER, "");
        assert_eq!(
            report.summary,
            format!("the JVM exited with code 1 (start-up or main class failed): {cause}")
        );
        assert!(report.unregistered && report.stderr_tail.is_empty(), "{:?}", report.stderr_tail);
    }
}

#[test]
fn a_message_of_several_lines_is_one() {
    let log = include_str!("snippets/yaml.log");
    let cause = "org.snakeyaml.engine.v2.exceptions.YamlEngineException: while constructing a mapping in reader, line 21, column 1 \
                 found duplicate key taskmanager.memory.process.size in reader, line 300, column 1";
    assert!(
        summary(1, log, "", "").ends_with(&format!(": the first error in its log: {cause}")),
        "{:?}",
        findings(log)
    );
    let stderr = "\
Exception in thread \"main\" java.lang.RuntimeException: Error parsing YAML configuration.
\tat org.apache.flink.configuration.GlobalConfiguration.loadYAMLResource(GlobalConfiguration.java:352)
\tat org.apache.flink.runtime.taskexecutor.TaskManagerRunner.main(TaskManagerRunner.java:475)
Caused by: org.snakeyaml.engine.v2.exceptions.YamlEngineException: while constructing a mapping
 in reader, line 21, column 1
found duplicate key taskmanager.memory.process.size
 in reader, line 300, column 1

\tat org.snakeyaml.engine.v2.constructor.StandardConstructor.processDuplicateKeys(StandardConstructor.java:90)
\t... 12 more
";
    let wanted = format!("the JVM exited with code 1 (start-up or main class failed): {cause}");
    assert_eq!(summary(1, log, &format!("{CHATTER}{stderr}"), ""), wanted);
}

#[test]
fn what_java_complains_of() {
    let agent = "Error opening zip file or JAR manifest missing : /nowhere/x.jar\n";
    let vm = "Error occurred during initialization of VM\nagent library failed to init: instrument\n";
    for (stderr, stdout, cause) in [
        (agent, vm, "Error opening zip file or JAR manifest missing : /nowhere/x.jar"),
        (
            "Unrecognized VM option 'UseNothing'\nError: Could not create the Java Virtual Machine.\n\
             Error: A fatal exception has occurred. Program will exit.\n",
            "",
            "Unrecognized VM option 'UseNothing'",
        ),
        (
            "",
            "Error occurred during initialization of VM\nCould not reserve enough space for 9999999999KB object heap\n",
            "Error occurred during initialization of VM: Could not reserve enough space for 9999999999KB object heap",
        ),
        (
            "Error: Could not find or load main class X\nCaused by: java.lang.ClassNotFoundException: X\n",
            "",
            "Error: Could not find or load main class X",
        ),
    ] {
        let summary = summary(1, "", &format!("{CHATTER}{stderr}"), stdout);
        assert!(summary.ends_with(&format!(": {cause}")), "{summary}");
    }
}

#[test]
fn chatter_is_no_reason() {
    assert_eq!(summary(5, "", CHATTER, ""), "the JVM exited with code 5");
    let dump = "\
2026-11-28 14:53:15
Full thread dump OpenJDK 64-Bit Server VM (17.0.15+6-Debian-1 mixed mode, sharing):

Threads class SMR info:
_java_thread_list=0x00007f2a5c0026a0, length=2, elements={
0x00007f2ab4014800, 0x00007f2ab40f2000
}

\"main\" #1 prio=5 os_prio=0 cpu=12.34ms elapsed=3.21s tid=0x00007f2ab4014800 nid=0x1 runnable  [0x00007f2abb5fe000]
   java.lang.Thread.State: RUNNABLE
\tat Halts.main(Halts.java:3)
\t- locked <0x00000000e0a0> (a java.lang.Object)

JNI global refs: 16, weak refs: 0
";
    let report = report(5, "", CHATTER, dump);
    assert_eq!(report.summary, "the JVM exited with code 5");
    assert!(report.stderr_tail.iter().all(|line| !line.contains("Thread")), "{:?}", report.stderr_tail);
}

#[test]
fn code_3_is_no_want_of_memory_unless_something_says_so() {
    let info = "2026-11-28 14:49:02,173 INFO  o.a.f.X [] -     -XX:+ExitOnOutOfMemoryError\n";
    assert_eq!(
        summary(3, info, CHATTER, ""),
        "the JVM exited with code 3 (the program called System.exit(3); nothing tells of an OutOfMemoryError)"
    );
    let said = "Terminating due to java.lang.OutOfMemoryError: Java heap space\n";
    assert!(
        summary(3, info, CHATTER, said)
            .ends_with("the Java heap was full (java.lang.OutOfMemoryError: Java heap space)")
    );
}

#[test]
fn an_error_long_ago_is_not_the_first_word() {
    let log = "\
2026-11-28 14:49:02,173 ERROR a.B [] - first
2026-11-28 14:50:02,173 INFO  org.apache.flink.runtime.taskexecutor.TaskExecutor [] - Successful registration at resource manager pekko.tcp://x under y.
2026-11-28 14:51:02,173 ERROR a.B [] - last
x.Y: z
";
    let found = findings(log);
    assert_eq!((found.first.as_deref(), found.last.as_deref()), (Some("first"), Some("x.Y: z")));
    assert!(found.registered && found.fatal.is_none());
    let late = Facts { code: Some(7), findings: found.clone(), ..Facts::default() };
    assert_eq!(
        ExitReport::from_facts(late).summary,
        "the JVM exited with code 7: the last error in its log: x.Y: z"
    );
    let early = Facts { code: Some(7), findings: found, early: true, ..Facts::default() };
    assert!(!ExitReport::from_facts(early).unregistered);
}

#[test]
fn levels_are_found_in_other_patterns() {
    for line in [
        "ERROR a.B - boom",
        "[ERROR] a.B - boom",
        "12:00 [main] ERROR a.B - boom",
        "2026-11-28T14:49:02Z|ERROR|a.B - boom",
    ] {
        assert_eq!(findings(line).first.as_deref(), Some("boom"), "{line}");
    }
    for line in ["java.lang.ERRORS: x", "\tat ERROR", "no level at all", "ä"] {
        assert_eq!(findings(line), LogFindings::default(), "{line}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_will_do(text in "(ERROR|Caused by: |[ä\t \n\".:-]|at |Fatal error){0,40}") {
        let _ = summary(1, &text, &text, &text);
    }
}

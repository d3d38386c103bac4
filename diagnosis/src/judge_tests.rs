//! Tests of the whole diagnosis: the texts of Hadoop 2.10 to 3.5 and of Flink, as their sources and daemons
//! have them, and properties that hold for all facts.

use flink_model::config::{Configuration, FileFormat};
use proptest::prelude::*;

use super::*;
use crate::facts::{
    Absent, AppState, Application, Attempt, ClassJars, ContainerEnd, Jar, JarPlace, Job, MemorySamples, Node,
    OpenAsk, Outcome, Queue, Seen, Settings, Source, Told, Voice,
};
use crate::rule::{Class, Link};

fn seen<T>(source: Source, at: u64, fact: T) -> Seen<T> {
    Seen { source, at: Some(at), fact }
}

fn settings(pairs: &[(&str, &str)]) -> Option<Settings> {
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in pairs {
        configuration.set_dynamic(*key, *value);
    }
    Some(Settings { configuration, release: "1.20.5".parse().unwrap() })
}

const USUAL: [(&str, &str); 2] =
    [("jobmanager.memory.process.size", "1600m"), ("taskmanager.memory.process.size", "4g")];

fn of_end(end: ContainerEnd) -> Vec<Finding> {
    let facts = Facts {
        now: 10_000,
        ends: vec![seen(Source::ApplicationMaster, 5_000, end)],
        settings: settings(&USUAL),
        ..Facts::default()
    };
    judge(&facts)
}

fn of_status(status: i32, diagnostics: &str) -> Vec<Finding> {
    of_end(ContainerEnd {
        container: "container_1_0001_01_000002".into(),
        node: Some("node1:8041".into()),
        status: Some(status),
        diagnostics: diagnostics.into(),
        ..ContainerEnd::default()
    })
}

fn of_application(state: AppState, diagnostics: &str) -> Vec<Finding> {
    let fact = Application { state, diagnostics: diagnostics.into(), ..Application::default() };
    let applications = vec![seen(Source::ResourceManager, 9_000, fact)];
    judge(&Facts { now: 10_000, applications, settings: settings(&USUAL), ..Facts::default() })
}

fn of_text(voice: Voice, text: &str) -> Vec<Finding> {
    let told = vec![seen(Source::Client, 1, Told { voice, place: String::new(), text: text.into() })];
    judge(&Facts { now: 10_000, told, settings: settings(&USUAL), ..Facts::default() })
}

fn rules_of(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(|finding| finding.rule).collect()
}

fn fixes(finding: &Finding) -> Vec<(&str, &str)> {
    finding.fix.iter().map(|fix| (fix.key.as_str(), fix.value.as_str())).collect()
}

// ---- memory

/// Hadoop 3.3, 3.4 and 3.5, with `yarn.nodemanager.resource.memory.enforced=false`.
const PHYSICAL: &str = "[2026-11-28 14:25:10.123]Container [pid=3718,containerID=container_1_0001_01_000002] is running \
    313016320B beyond the 'PHYSICAL' memory limit. Current usage: 4.3 GB of 4 GB physical memory used; 6.0 GB of 8.4 GB \
    virtual memory used. Killing container.\nDump of the process-tree for container_1_0001_01_000002 :\n\t|- PID PPID \
    PGRPID SESSID CMD_NAME\n\t|- 3718 3716 3718 3718 (java) 1 2 3 4 /usr/bin/java -Dpassword=x\n\n[2026-11-28 \
    14:25:10.444]Container killed on request. Exit code is 143\n[2026-11-28 14:25:10.450]Container exited with a \
    non-zero exit code 143. \n";
/// Hadoop 2.10.
const PHYSICAL_2: &str = "Container [pid=76303,containerID=container_1_0001_01_000002] is running beyond physical memory limits. \
    Current usage: 1.5 GB of 1.5 GB physical memory used; 3.4 GB of 3.1 GB virtual memory used. Killing container.\n\
    Dump of the process-tree for container_1_0001_01_000002 :\n\t|- PID\n";
const VIRTUAL_2: &str = "Container [pid=1,containerID=container_1_0001_01_000002] is running beyond virtual memory limits. \
    Current usage: 300.1 MB of 1 GB physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n";

#[test]
fn how_the_memory_has_gone_is_evidence_of_a_kill() {
    let memory = |mb: [u32; 3]| MemorySamples {
        at: vec![100, 160, 460],
        rss: mb.map(|mb| mb << 10).to_vec(),
        heap: vec![1 << 20; 3],
        heap_used: vec![1 << 20; 3],
        ..MemorySamples::default()
    };
    let end = ContainerEnd {
        container: "container_1_0001_01_000002".into(),
        status: Some(-104),
        diagnostics: PHYSICAL.into(),
        memory: Some(Box::new(memory([3000, 3000, 4126]))),
        ..ContainerEnd::default()
    };
    let found = of_end(end);
    let evidence: Vec<&str> = found[0].evidence.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(evidence[1], "heap flat, native +1.1 GB in 5 min: 4 GB resident at the end");

    let text = "AM Container for appattempt_1_0001_000001 exited with  exitCode: -104\nFailing this attempt.";
    let attempt = Attempt { diagnostics: text.into(), ..Attempt::default() };
    let facts = Facts {
        now: 10_000,
        attempts: vec![seen(Source::ResourceManager, 9_000, attempt)],
        job_manager_memory: vec![seen(Source::Outcome, 8_000, memory([1000, 1200, 2200]))],
        ..Facts::default()
    };
    let found = judge(&facts);
    assert!(rules_of(&found).contains(&"jobmanager-over-physical-memory"), "{found:?}");
    assert!(found[0].evidence.iter().any(|one| one.text.starts_with("heap flat, native +")), "{found:?}");
}

#[test]
fn a_kill_for_physical_memory_says_what_to_set() {
    let found = of_status(-104, PHYSICAL);
    assert_eq!(rules_of(&found), ["worker-over-physical-memory"]);
    let finding = &found[0];
    assert_eq!(
        finding.text,
        "The NodeManager has killed TaskManager container_1_0001_01_000002 on node1:8041, because it used more memory than its \
         container has (4.3 GB used, 4 GB allowed). Java limits its own pools, so native memory has grown."
    );
    assert!(finding.evidence[0].text.starts_with("Container [pid=3718"), "{:?}", finding.evidence);
    assert!(!format!("{finding:?}").contains("password"));
    // 4.3 GB and a tenth are 4864 MB in steps of 64 MB; the overhead was 410 MB of 4096.
    assert_eq!(
        fixes(finding),
        [
            ("taskmanager.memory.jvm-overhead.min", "1216m"),
            ("taskmanager.memory.jvm-overhead.max", "1216m"),
            ("taskmanager.memory.process.size", "4928m"),
        ]
    );
    assert!(finding.fix.iter().all(|fix| fix.choice == 1));
    assert_eq!(rules_of(&of_status(-104, PHYSICAL_2)), ["worker-over-physical-memory"]);
    assert_eq!(rules_of(&of_status(-104, "")), ["worker-over-physical-memory"]);
}

#[test]
fn without_the_configuration_a_remedy_names_the_key() {
    let end = ContainerEnd { status: Some(-104), ..ContainerEnd::default() };
    let facts = Facts { ends: vec![seen(Source::Outcome, 1, end)], ..Facts::default() };
    let found = judge(&facts);
    assert_eq!(fixes(&found[0]), [("taskmanager.memory.jvm-overhead.min", "<larger>")]);
    assert_eq!(found[0].evidence[0].text, "exit status -104");
}

#[test]
fn a_kill_for_virtual_memory_is_about_the_check() {
    let found = of_status(-103, VIRTUAL_2);
    assert_eq!(rules_of(&found), ["worker-over-virtual-memory"]);
    assert!(found[0].text.ends_with("(9.9 GB used, 2.1 GB allowed)."), "{}", found[0].text);
    assert_eq!(
        fixes(&found[0]),
        [("yarn.nodemanager.vmem-check-enabled", "false"), ("yarn.nodemanager.vmem-pmem-ratio", "10.9")]
    );
}

#[test]
fn the_kernels_kill_is_told_from_others() {
    let killed = |exhausted: Option<Exhausted>| ContainerEnd {
        status: Some(137),
        signal: Some(9),
        exhausted,
        peak: Some(4 << 30),
        allowed: Some(4 << 30),
        given_back: exhausted.is_some(),
        ..ContainerEnd::default()
    };
    assert_eq!(rules_of(&of_end(killed(Some(Exhausted::Cgroup)))), ["worker-killed-by-kernel"]);
    assert_eq!(rules_of(&of_end(killed(Some(Exhausted::Host)))), ["worker-killed-on-full-host"]);
    let unknown = of_end(killed(None));
    assert_eq!(rules_of(&unknown), ["worker-killed"]);
    assert_eq!(unknown[0].confidence, Confidence::Possible);
}

#[test]
fn each_pool_has_its_remedy() {
    let full = |exhausted: Exhausted| {
        let found =
            of_end(ContainerEnd { code: Some(239), exhausted: Some(exhausted), ..ContainerEnd::default() });
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].rule, found[0].fix.first().map(|fix| fix.key.clone()).unwrap_or_default())
    };
    let of = |rule, key: &str| (rule, key.to_owned());
    assert_eq!(full(Exhausted::Heap), of("worker-heap-full", "taskmanager.memory.process.size"));
    assert_eq!(
        full(Exhausted::Metaspace),
        of("worker-metaspace-full", "taskmanager.memory.jvm-metaspace.size")
    );
    assert_eq!(
        full(Exhausted::Direct),
        of("worker-direct-memory-full", "taskmanager.memory.task.off-heap.size")
    );
    assert_eq!(
        full(Exhausted::Native),
        of("worker-native-memory-full", "taskmanager.memory.jvm-overhead.min")
    );
    assert_eq!(full(Exhausted::Threads), of("worker-threads-used-up", "ulimit -u"));
}

#[test]
fn a_jobmanagers_end_is_found_in_heddles_and_in_yarns_words() {
    let own = "The JobManager ended: the JVM exited with code 239 (Flink: fatal error in a thread): the Java heap was full \
               (java.lang.OutOfMemoryError: Java heap space)\nlast lines";
    assert_eq!(rules_of(&of_application(AppState::Finished, own)), ["jobmanager-heap-full"]);
    let yarns = format!(
        "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
         appattempt_1_0001_000001 exited with  exitCode: -104\nFailing this attempt.Diagnostics: {PHYSICAL}For more detailed output, \
         check the application tracking page: http://h:8088/x Then click on links to logs of each attempt.\n. Failing the application."
    );
    let found = of_application(AppState::Failed, &yarns);
    assert_eq!(rules_of(&found), ["jobmanager-over-physical-memory"]);
    assert_eq!(found[0].fix[0].key, "jobmanager.memory.jvm-overhead.min");
}

#[test]
fn heddles_own_words_about_a_worker_are_enough() {
    let text = "Job \"a\" (1) failed: java.lang.Exception: gone\nA TaskManager was killed for its memory: container_1_0001_01_000002 on \
        node1:8041: killed by the NodeManager: more physical memory than the container has (exit status -104): 1.3 GB of 1 GB physical \
        memory used; 4.0 GB of 2.1 GB virtual memory used\nhint: x";
    let found = of_application(AppState::Finished, text);
    assert_eq!(rules_of(&found), ["worker-over-physical-memory"]);
    assert!(
        found[0].text.contains("TaskManager container_1_0001_01_000002 on node1:8041"),
        "{}",
        found[0].text
    );
    assert!(found[0].text.contains("(1.3 GB used, 1 GB allowed)"), "{}", found[0].text);
    let kernel = "A TaskManager was killed for its memory: c on n:1: the JVM was ended by signal 9 (SIGKILL): by the kernel's out-of-memory \
        killer: the container's memory limit was reached (512 MB used at most, of 512 MB that its cgroup allows)";
    let found = of_application(AppState::Finished, kernel);
    assert_eq!(rules_of(&found), ["worker-killed-by-kernel"]);
    assert!(found[0].text.contains("(512 MB used, 512 MB allowed)"), "{}", found[0].text);
}

// ---- files, nodes, queues

#[test]
fn localization() {
    // Hadoop 3.3 and later; up to 3.2 the times stand in parentheses.
    let changed = "[2026-11-28 14:25:10.123]Failed to download resource { { hdfs://h:8020/user/a/.heddle/x.jar, 1624950865000, FILE, null \
        },pending,[(container_1_0001_01_000002)],240373143604739,DOWNLOADING} java.io.IOException: Resource \
        hdfs://h:8020/user/a/.heddle/x.jar changed on src filesystem - expected: \"2026-11-28T14:24:00Z\", was: \"2026-11-28T14:25:00Z\", \
        current time: \"2026-11-28T14:25:10Z\"\n\tat org.apache.hadoop.yarn.util.FSDownload.verifyAndCopy(FSDownload.java:300)\n";
    let found = of_status(-1000, changed);
    assert_eq!(rules_of(&found), ["file-changed"]);
    assert!(found[0].text.contains("x.jar changed on src filesystem"), "{}", found[0].text);
    let old = "Resource file:/opt/temp/score.csv changed on src filesystem (expected 1624950865000, was 1624951563000";
    assert_eq!(rules_of(&of_status(-1000, old)), ["file-changed"]);
    let closed =
        "Resource hdfs://h/x is not publicly accessible and as such cannot be part of the public cache.";
    assert_eq!(rules_of(&of_status(-1000, closed)), ["file-not-public"]);
    let missing = "Failed to download resource x\njava.io.FileNotFoundException: File does not exist: hdfs://h:8020/user/a/x.jar\n\tat a.b(C.java:1)";
    assert_eq!(rules_of(&of_status(-1000, missing)), ["file-missing"]);
    let full = "java.io.IOException: No space left on device\n\tat java.io.FileOutputStream.writeBytes(Native Method)";
    assert_eq!(rules_of(&of_status(-1000, full)), ["disk-full"]);
    assert_eq!(
        rules_of(&of_status(-1000, "Localizer failed for container_1_0001_01_000002")),
        ["localization-failed"]
    );
}

#[test]
fn nodes_and_what_yarn_takes_back() {
    assert_eq!(rules_of(&of_status(-100, "Container released on a *lost* node")), ["container-on-lost-node"]);
    assert_eq!(rules_of(&of_status(-102, "Container preempted by scheduler")), ["preempted"]);
    assert_eq!(rules_of(&of_status(-101, "")), ["node-disks-failed"]);
    assert_eq!(rules_of(&of_status(-100, "Container expired since it was unused")), ["container-expired"]);
    assert!(of_status(-100, "Container released by application").is_empty());
    assert!(of_status(-105, "Container killed by the ApplicationMaster.").is_empty());
    let lost = Node { name: "n7:8041".into(), state: "LOST".into(), ours: 3, ..Node::default() };
    let facts = Facts { nodes: vec![seen(Source::ResourceManager, 1, lost)], ..Facts::default() };
    let found = judge(&facts);
    assert_eq!(
        found[0].text,
        "A node does not run any more; it is not the job that is wrong. YARN calls the node n7:8041 LOST; 3 containers of the \
         application were on it."
    );
}

/// CapacityScheduler of Hadoop 2.10 to 3.5: the time, the state, the reason, and details.
fn not_activated(reason: &str) -> String {
    format!(
        "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. {reason} Details : AM \
         Partition = <DEFAULT_PARTITION>; AM Resource Request = <memory:1024, vCores:1>; Queue Resource Limit for AM = <memory:1024, \
         vCores:1>; User AM Resource Limit of the queue = <memory:1024, vCores:1>; Queue AM Resource Usage = <memory:1024, vCores:1>; "
    )
}

#[test]
fn waiting_for_the_application_master() {
    let of = |text: &str| rules_of(&of_application(AppState::Accepted, text)).first().copied();
    assert_eq!(of(&not_activated("Queue's AM resource limit exceeded. ")), Some("queue-am-share-used-up"));
    assert_eq!(of(&not_activated("User's AM resource limit exceeded. ")), Some("user-am-share-used-up"));
    assert_eq!(
        of(&not_activated("Skipping AM assignment as cluster resource is empty. ")),
        Some("cluster-without-nodes")
    );
    let fair = "(Resource request: <memory:1600, vCores:1> exceeds maximum AM resource allowed).";
    assert_eq!(of(fair), Some("queue-am-share-used-up"));
    let activated = "[Sat Nov 28 14:48:45 +0000 2026] Application is Activated, waiting for resources to be assigned for AM.  Details : x";
    assert_eq!(of(activated), Some("am-waits"));
    // What is known of the queue follows YARN's words.
    let holders = vec![("application_1_0003".into(), 1024)];
    let queue = Queue { path: "root.narrow".into(), holders, ..Queue::default() };
    let application = Application {
        state: AppState::Accepted,
        diagnostics: not_activated("Queue's AM resource limit exceeded. "),
        ..Application::default()
    };
    let facts = Facts {
        applications: vec![seen(Source::ResourceManager, 1, application)],
        queues: vec![seen(Source::ResourceManager, 1, queue)],
        ..Facts::default()
    };
    let text = &judge(&facts)[0].text;
    let end = ". The queue is root.narrow; it is held by application_1_0003 (1024 MB).";
    assert!(text.ends_with(end), "{text}");
    for (text, rule) in [
        ("Application application_1 submitted by user a to unknown queue: b", "queue-unknown"),
        ("Queue root.a is STOPPED. Cannot accept submission of application: application_1", "queue-stopped"),
        (
            "Queue root.a already has 5 applications, cannot accept submission of application: application_1",
            "queue-has-too-many-applications",
        ),
        ("User a does not have permission to submit application_1 to queue b", "not-allowed"),
    ] {
        assert_eq!(of_application(AppState::Failed, text)[0].rule, rule, "{text}");
    }
}

#[test]
fn a_container_that_no_node_can_give_gets_smaller() {
    let ask = OpenAsk { count: 2, memory_mb: 4096, vcores: 1, since: Some(0), ..OpenAsk::default() };
    let node =
        Node { name: "a:1".into(), state: "RUNNING".into(), memory_mb: 3000, vcores: 4, ..Node::default() };
    let facts = Facts {
        now: 60_000,
        asks: vec![seen(Source::ApplicationMaster, 60_000, ask)],
        nodes: vec![seen(Source::ResourceManager, 60_000, node)],
        settings: settings(&USUAL),
        ..Facts::default()
    };
    let found = judge(&facts);
    assert_eq!(rules_of(&found), ["workers-too-large"]);
    assert_eq!(fixes(&found[0]), [("taskmanager.memory.process.size", "2944m")]);
    // The slots that are missing for it are only a consequence.
    let job = Job { state: "FAILED".into(), exception: SLOTS.into(), ..Job::default() };
    let both = Facts { jobs: vec![seen(Source::JobManager, 1, job)], ..facts };
    assert_eq!(rules_of(&judge(&both)), ["workers-too-large"]);
}

#[test]
fn slots_that_did_not_come_in_time() {
    for exception in
        [SLOTS, "java.util.concurrent.TimeoutException: Pending slot request timed out in slot pool."]
    {
        let job = Job { state: "FAILED".into(), exception: exception.into(), ..Job::default() };
        let facts = Facts { jobs: vec![seen(Source::JobManager, 1, job)], ..Facts::default() };
        assert_eq!(rules_of(&judge(&facts)), ["slots-missing", "job-fails"], "{exception}");
    }
}

const SLOTS: &str = "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum required resources.";

// ---- programs

#[test]
fn programs_and_class_paths() {
    let main = |text: &str| rules_of(&of_text(Voice::Main, text)).first().copied();
    assert_eq!(main("java.lang.IllegalStateException: boom"), Some("main-fails"));
    assert_eq!(main("java.lang.ClassNotFoundException: a.B"), Some("class-missing"));
    assert_eq!(main("java.lang.NoClassDefFoundError: Could not initialize class a.B"), Some("main-fails"));
    assert_eq!(
        main("ApplicationExecutionException: The application contains no execute() calls."),
        Some("program-without-job")
    );
    let java = "java.lang.UnsupportedClassVersionError: org/x/Job has been compiled by a more recent version of the Java Runtime (class \
        file version 61.0), this version of the Java Runtime only recognizes class file versions up to 55.0";
    let found = of_text(Voice::Main, java);
    assert_eq!(rules_of(&found), ["java-does-not-fit"]);
    assert!(
        found[0].text.ends_with("Java 11 is too old for the class org.x.Job, which needs Java 17"),
        "{}",
        found[0].text
    );
    assert_eq!(
        main("Could not find any factory for identifier 'kafka' that implements x"),
        Some("connector-missing")
    );
    let expired = "org.apache.hadoop.security.token.SecretManager$InvalidToken: token (HDFS_DELEGATION_TOKEN token 3 for a) can't be found in cache";
    assert_eq!(main(expired), Some("token-expired"));
    let own = "The HDFS_DELEGATION_TOKEN for h:1 has expired: it has reached its greatest age";
    assert_eq!(rules_of(&of_application(AppState::Finished, own)), ["token-expired"]);
    assert_eq!(
        rules_of(&of_text(
            Voice::Client,
            "GSS initiate failed [Caused by GSSException: No valid credentials provided]"
        )),
        ["no-ticket"]
    );
}

#[test]
fn java_that_heddle_does_not_start() {
    for (said, rule) in [
        (
            "the JVM cannot be started on node1: no Java at /no/java: JAVA_HOME says `/no/java`, but /no/java/bin/java is not an executable file",
            "no-java",
        ),
        (
            "the JVM cannot be started: no Java: JAVA_HOME is not set, and no directory of PATH (/bin) holds an executable `java`",
            "no-java",
        ),
        (
            "the JVM cannot be started on node1: Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8 (/java/bin/java)",
            "java-does-not-fit",
        ),
    ] {
        let said = vec![said.to_owned()];
        let found = of_end(ContainerEnd { code: Some(1), at_start: true, said, ..ContainerEnd::default() });
        assert_eq!(rules_of(&found), [rule]);
        assert!(fixes(&found[0]).iter().any(|(key, _)| *key == "containerized.taskmanager.env.JAVA_HOME"));
    }
}

#[test]
fn a_class_conflict_names_the_jar_that_wins() {
    let text = "java.lang.NoSuchMethodError: 'org.apache.commons.cli.Option$Builder org.apache.commons.cli.Option.builder(java.lang.String)'";
    let told =
        vec![seen(Source::Client, 1, Told { voice: Voice::Main, place: String::new(), text: text.into() })];
    let jars = vec![
        Jar { name: "/hadoop/commons-cli-1.2.jar".into(), place: JarPlace::Node },
        Jar { name: "lib/flink-dist.jar".into(), place: JarPlace::Flink },
    ];
    let held = ClassJars { class: "org.apache.commons.cli.Option".into(), jars, ..ClassJars::default() };
    let facts = Facts { told, classes: vec![seen(Source::Client, 1, held)], ..Facts::default() };
    let found = judge(&facts);
    assert_eq!((found[0].rule, found[0].class), ("class-conflict", Class::ClassPath));
    assert!(
        found[0].text.ends_with(
            ". org.apache.commons.cli.Option is in /hadoop/commons-cli-1.2.jar (of the node), which wins, and in lib/flink-dist.jar (of \
             Flink)."
        ),
        "{}",
        found[0].text
    );
    assert_eq!(found[0].fix[0].key, "heddle.hadoop-classpath");
    let unknown = judge(&Facts { classes: Vec::new(), ..facts });
    assert!(unknown[0].text.contains("is not known"), "{}", unknown[0].text);
    assert_eq!(unknown[0].fix[0].key, "classloader.resolve-order");
}

#[test]
fn the_first_broken_link_comes_first() {
    let end = ContainerEnd { status: Some(-104), diagnostics: PHYSICAL.into(), ..ContainerEnd::default() };
    let job = Job {
        state: "FAILED".into(),
        exception: "org.apache.flink.x.RemoteTransportException: Connection unexpectedly closed by remote task manager".into(),
        ..Job::default()
    };
    let lost = ContainerEnd { status: Some(-102), container: "c2".into(), ..ContainerEnd::default() };
    let facts = Facts {
        ends: vec![seen(Source::ApplicationMaster, 2, end), seen(Source::ApplicationMaster, 3, lost)],
        jobs: vec![seen(Source::JobManager, 1, job)],
        ..Facts::default()
    };
    let found = judge(&facts);
    assert_eq!(rules_of(&found), ["preempted", "worker-over-physical-memory"]);
    assert!(found.windows(2).all(|pair| pair[0].link <= pair[1].link));
    assert_eq!(found[1].link, Link::TaskManager);
    let all = rules_of(&judge_all(&facts));
    assert_eq!(all, ["preempted", "worker-over-physical-memory", "worker-lost", "job-fails"]);
}

#[test]
fn a_job_that_waits_after_its_node_was_lost() {
    const LOST: &str = "Container c1 killed by YARN, either due to being released by the application or being \
                        'lost' due to node failures etc. Diagnostics: Container released on a *lost* node";
    let job =
        Job { state: "RUNNING".into(), exception: format!("java.lang.Exception: {LOST}"), ..Job::default() };
    let mut facts = Facts { jobs: vec![seen(Source::JobManager, 1, job)], ..Facts::default() };
    assert_eq!(rules_of(&judge(&facts)), ["worker-lost"], "so the JobManager's log is read");
    let end = ContainerEnd { status: Some(-100), diagnostics: LOST.into(), ..ContainerEnd::default() };
    facts.ends.push(seen(Source::NodeManager, 2, end));
    assert_eq!(rules_of(&judge(&facts)), ["container-on-lost-node"]);
}

#[test]
fn a_failed_job_alone_is_its_programs() {
    let job = Job {
        name: "wordcount".into(),
        state: "FAILED".into(),
        exception: "org.apache.flink.runtime.JobException: Recovery is suppressed\nCaused by: java.lang.ArithmeticException: / by zero".into(),
        ..Job::default()
    };
    let found = judge(&Facts { jobs: vec![seen(Source::JobManager, 1, job)], ..Facts::default() });
    assert_eq!(rules_of(&found), ["job-fails"]);
    assert_eq!(found[0].text, "The job has failed by an exception: java.lang.ArithmeticException: / by zero");
}

#[test]
fn somebody_has_killed_it() {
    let text = "Application application_1_0001 was killed by user ann at 10.0.0.1 with diagnostic message: killed by `heddle kill`";
    let found = of_application(AppState::Killed, text);
    assert_eq!((found[0].rule, found[0].class), ("killed-on-request", Class::AskedFor));
    assert!(found[0].text.contains("by user ann"), "{}", found[0].text);
}

#[test]
fn silence_is_no_finding() {
    let absent = vec![
        seen(Source::NodeManager, 1, Absent::Unreachable("refused".into())),
        seen(Source::AggregatedLogs, 1, Absent::Off),
    ];
    assert!(judge(&Facts { absent, ..Facts::default() }).is_empty());
    assert!(judge(&Facts::default()).is_empty());
}

// ---- properties

/// Words that signs look for, and others.
fn words() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        PHYSICAL.to_owned(),
        VIRTUAL_2.to_owned(),
        SLOTS.to_owned(),
        not_activated("Queue's AM resource limit exceeded. "),
        "AM Container for x exited with  exitCode: -103".to_owned(),
        "A TaskManager was killed for its memory: c: (exit status -104): 9 GB of".to_owned(),
        "The JobManager ended: exited with code 99999999999".to_owned(),
        "Current usage: x of y physical memory used".to_owned(),
        "java.lang.OutOfMemoryError: Metaspace".to_owned(),
        "java.lang.NoSuchMethodError: a.B.c".to_owned(),
        "java.io.IOException: No space left on device".to_owned(),
        "GSS initiate failed".to_owned(),
    ]);
    prop_oneof![known, "\\PC{0,40}", "[a-z{}: \n\\[\\]0-9]{0,60}"]
}

fn source() -> impl Strategy<Value = Source> {
    prop::sample::select(vec![
        Source::ResourceManager,
        Source::NodeManager,
        Source::ApplicationMaster,
        Source::JobManager,
        Source::Outcome,
        Source::AggregatedLogs,
        Source::Client,
    ])
}

fn told_by<T: std::fmt::Debug + Clone>(
    fact: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<Seen<T>>> {
    let one = (source(), prop::option::of(0u64..1000), fact);
    prop::collection::vec(one.prop_map(|(source, at, fact)| Seen { source, at, fact }), 0..4)
}

fn end() -> impl Strategy<Value = ContainerEnd> {
    let status = prop::option::of(prop_oneof![-110i32..=0, Just(-1000), Just(137), any::<i32>()]);
    let exhausted = prop::option::of(prop::sample::select(vec![
        Exhausted::Heap,
        Exhausted::Metaspace,
        Exhausted::Direct,
        Exhausted::Threads,
        Exhausted::Native,
        Exhausted::Cgroup,
        Exhausted::Host,
    ]));
    let part = prop::sample::select(vec![Part::JobManager, Part::TaskManager]);
    let amounts = (prop::option::of(any::<u64>()), prop::option::of(any::<u64>()));
    let ways = (prop::option::of(0i32..256), prop::option::of(1i32..20), any::<bool>(), any::<bool>());
    (part, status, exhausted, words(), amounts, ways).prop_map(
        |(part, status, exhausted, diagnostics, (peak, allowed), (code, signal, at_start, given_back))| {
            ContainerEnd {
                part,
                status,
                exhausted,
                diagnostics,
                peak,
                allowed,
                code,
                signal,
                at_start,
                given_back,
                ..ContainerEnd::default()
            }
        },
    )
}

fn application() -> impl Strategy<Value = Application> {
    let state = prop::sample::select(vec![
        AppState::Submitted,
        AppState::Accepted,
        AppState::Running,
        AppState::Finished,
        AppState::Failed,
        AppState::Killed,
    ]);
    (state, words(), prop::option::of(any::<u64>())).prop_map(|(state, diagnostics, am_memory_mb)| {
        Application { state, diagnostics, am_memory_mb, ..Application::default() }
    })
}

fn node() -> impl Strategy<Value = Node> {
    let state = prop::sample::select(vec!["RUNNING", "LOST", "UNHEALTHY", "NEW", ""]);
    (state, any::<u64>(), any::<u64>(), any::<u32>(), 0u32..5, words()).prop_map(
        |(state, memory_mb, used_mb, vcores, ours, health)| Node {
            name: "n:1".into(),
            state: state.into(),
            memory_mb,
            used_mb,
            vcores,
            ours,
            health,
            ..Node::default()
        },
    )
}

fn ask() -> impl Strategy<Value = OpenAsk> {
    let label = prop::option::of(prop::sample::select(vec!["gpu".to_owned(), String::new()]));
    let time = || prop::option::of(any::<u64>());
    (any::<u32>(), any::<u64>(), any::<u32>(), time(), label, time()).prop_map(
        |(count, memory_mb, vcores, since, label, given_up)| OpenAsk {
            count,
            memory_mb,
            vcores,
            since,
            label,
            refused: None,
            given_up,
        },
    )
}

fn queue() -> impl Strategy<Value = Queue> {
    let share = || prop::option::of(any::<f32>());
    (share(), share(), share(), prop::option::of(any::<u64>())).prop_map(
        |(capacity, used, max_capacity, available_mb)| Queue {
            path: "root.a".into(),
            capacity,
            used,
            max_capacity,
            available_mb,
            ..Queue::default()
        },
    )
}

fn job() -> impl Strategy<Value = Job> {
    let state = prop::sample::select(vec!["RUNNING", "FAILED", "FINISHED", "CANCELED", "RESTARTING"]);
    ("[ab]", state, words()).prop_map(|(id, state, exception)| Job {
        id,
        state: state.into(),
        exception,
        ..Job::default()
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let yarn = (told_by(application()), told_by(end()), told_by(ask()), told_by(node()), told_by(queue()));
    let voice = prop::sample::select(vec![Voice::Main, Voice::JobManager, Voice::TaskManager, Voice::Client]);
    let told = (voice, words()).prop_map(|(voice, text)| Told { voice, place: String::new(), text });
    let attempt = (0u32..3, words()).prop_map(|(number, diagnostics)| Attempt {
        number,
        diagnostics,
        ..Attempt::default()
    });
    let outcome = words().prop_map(|diagnostics| Outcome { status: None, diagnostics });
    let others = (told_by(job()), told_by(told), told_by(attempt), told_by(outcome));
    let sizes = prop::option::of(prop::sample::select(vec!["600m", "1g", "4g", "64g", "x"]));
    (any::<u64>(), yarn, others, sizes).prop_map(
        |(now, (applications, ends, asks, nodes, queues), (jobs, told, attempts, outcomes), size)| Facts {
            now,
            applications,
            ends,
            asks,
            nodes,
            queues,
            jobs,
            told,
            attempts,
            outcomes,
            settings: size.and_then(|size| {
                settings(&[
                    ("jobmanager.memory.process.size", size),
                    ("taskmanager.memory.process.size", size),
                ])
            }),
            ..Facts::default()
        },
    )
}

/// The same facts in another order.
fn reversed(mut facts: Facts) -> Facts {
    facts.applications.reverse();
    facts.attempts.reverse();
    facts.ends.reverse();
    facts.asks.reverse();
    facts.nodes.reverse();
    facts.queues.reverse();
    facts.jobs.reverse();
    facts.told.reverse();
    facts.outcomes.reverse();
    facts
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_no_order_matters(facts in facts()) {
        let found = judge(&facts);
        prop_assert_eq!(&found, &judge(&reversed(facts.clone())));
        for finding in &found {
            prop_assert!(!finding.text.is_empty() && finding.evidence.len() <= MOST + MOST_TRENDS, "{:?}", finding);
        }
        prop_assert_eq!(crate::verdict(&facts), crate::verdict(&reversed(facts)));
    }

    /// What is proposed is accepted by Flink, and no pool of it is smaller than before.
    #[test]
    fn proposed_sizes_are_accepted(
        process in 1500u64..20_000,
        used in 0u64..30_000,
        exhausted in prop::sample::select(vec![Exhausted::Heap, Exhausted::Metaspace, Exhausted::Direct, Exhausted::Cgroup]),
        part in prop::sample::select(vec![Part::JobManager, Part::TaskManager]),
    ) {
        let (jm, tm) = (format!("{process}m"), format!("{process}m"));
        let set = settings(&[("jobmanager.memory.process.size", &jm), ("taskmanager.memory.process.size", &tm)]);
        let end = ContainerEnd {
            part,
            exhausted: Some(exhausted),
            peak: Some(used << 20),
            allowed: Some(process << 20),
            ..ContainerEnd::default()
        };
        let facts = Facts { ends: vec![seen(Source::ApplicationMaster, 1, end)], settings: set, ..Facts::default() };
        let found = judge(&facts);
        prop_assert_eq!(found.len(), 1);
        let Some(Settings { mut configuration, release }) = facts.settings else { unreachable!() };
        let of = |conf: &Configuration| match part {
            Part::JobManager => flink_model::memory::Explained::job_manager(conf, release),
            Part::TaskManager => flink_model::memory::Explained::task_manager(conf, release),
        };
        let before = of(&configuration);
        for fix in &found[0].fix {
            prop_assert!(!fix.value.contains('<'), "{:?}", fix);
            configuration.set_dynamic(fix.key.clone(), fix.value.clone());
        }
        let (before, after) = (before.unwrap(), of(&configuration).unwrap());
        for pool in &before.pools {
            prop_assert!(after.size(pool.name) >= pool.size, "{:?}: {:?}", pool, found[0].fix);
        }
    }
}

#[test]
fn long_words_of_others_are_short_in_a_sentence() {
    let long = format!("java.lang.OutOfMemoryError: Metaspace. {}.", "It has occurred. ".repeat(40));
    assert_eq!(brief("short"), "short");
    let short = brief(&long);
    assert!(short.len() <= 360 && short.starts_with("java.lang") && short.ends_with("occurred."), "{short}");
    assert_eq!(brief(&"ä".repeat(400)), format!("{}…", "ä".repeat(360)));
}

//! The words of YARN, by lines of releases, and the rule that has to recognise them. The classes of Hadoop
//! that write them are named beside each group. The fixed words were compared with the constants in the class
//! files of the releases 2.10.2, 3.3.6, 3.4.3 and 3.5.0; ids, times, paths and numbers are made up. Many
//! texts are shortened to the part that a rule looks at, and only some are as a cluster has written them.
//! Where several releases write the same, or differ in what no rule looks at, they share a row.

use diagnosis::facts::{AppState, Application, ContainerEnd, Facts, Node, Seen, Source};
use diagnosis::judge;

/// The lines of releases that heddle is tested with.
const ALL: &[&str] = &["2.10", "3.3", "3.4", "3.5"];
const TWO: &[&str] = &["2.10"];
const THREE: &[&str] = &["3.3", "3.4", "3.5"];
const FIVE: &[&str] = &["3.5"];

/// What has the text.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// A TaskManager's container that has ended with this status.
    Worker(i32),
    /// The application in this state.
    Application(AppState),
    /// The health report of an unhealthy node, with a container of the application.
    Node,
}

/// The rule that comes first; none if there is nothing to tell.
fn first(of: Of, text: &str) -> Option<&'static str> {
    fn seen<T>(fact: T) -> Seen<T> {
        Seen { source: Source::ResourceManager, at: Some(5), fact }
    }
    let mut facts = Facts { now: 10_000, ..Facts::default() };
    match of {
        Of::Worker(status) => facts.ends.push(seen(ContainerEnd {
            container: "container_1_0001_01_000002".into(),
            status: Some(status),
            code: (status > 0).then_some(status),
            diagnostics: text.into(),
            ..ContainerEnd::default()
        })),
        Of::Application(state) => {
            facts.applications.push(seen(Application {
                state,
                diagnostics: text.into(),
                ..Application::default()
            }));
        }
        Of::Node => facts.nodes.push(seen(Node {
            name: "n1:8041".into(),
            state: "UNHEALTHY".into(),
            health: text.into(),
            ours: 1,
            ..Node::default()
        })),
    }
    judge(&facts).first().map(|finding| finding.rule)
}

type Row = (&'static [&'static str], Of, &'static str, Option<&'static str>);

fn check(rows: &[Row]) {
    for (releases, of, text, rule) in rows {
        assert_eq!(first(*of, text), *rule, "Hadoop {}: {of:?}: {text}", releases.join(", "));
    }
}

/// `ContainersMonitorImpl.formatErrorMessage`, and the monitor of logs, which Hadoop 2 lacks. Elastic control
/// of memory (`DefaultOOMHandler`) kills without a word.
#[test]
fn kills_of_the_nodemanager() {
    check(&[
        (
            TWO,
            Of::Worker(-104),
            "Container [pid=76303,containerID=container_1_0001_01_000002] is running beyond physical memory limits. Current usage: 1.5 GB of \
             1.5 GB physical memory used; 3.4 GB of 3.1 GB virtual memory used. Killing container.\nDump of the process-tree for \
             container_1_0001_01_000002 :\n\t|- PID PPID PGRPID SESSID CMD_NAME\n\t|- 76303 1 1 1 (java) 1 2 3 4 java -cp x\n\nContainer killed \
             on request. Exit code is 143\nContainer exited with a non-zero exit code 143\n",
            Some("worker-over-physical-memory"),
        ),
        (
            TWO,
            Of::Worker(-103),
            "Container [pid=1,containerID=container_1_0001_01_000002] is running beyond virtual memory limits. Current usage: 300.1 MB of 1 GB \
             physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n",
            Some("worker-over-virtual-memory"),
        ),
        (
            THREE,
            Of::Worker(-104),
            "[2026-11-28 14:25:10.123]Container [pid=3718,containerID=container_1_0001_01_000002] is running 313016320B beyond the 'PHYSICAL' \
             memory limit. Current usage: 4.3 GB of 4 GB physical memory used; 6.0 GB of 8.4 GB virtual memory used. Killing container.\nDump of \
             the process-tree for container_1_0001_01_000002 :\n\t|- PID\n\n[2026-11-28 14:25:10.444]Container killed on request. Exit code is \
             143\n[2026-11-28 14:25:10.450]Container exited with a non-zero exit code 143. \n",
            Some("worker-over-physical-memory"),
        ),
        (
            THREE,
            Of::Worker(-103),
            "[2026-11-28 14:25:10.123]Container [pid=1,containerID=container_1_0001_01_000002] is running 8375186432B beyond the 'VIRTUAL' \
             memory limit. Current usage: 300.1 MB of 1 GB physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n",
            Some("worker-over-virtual-memory"),
        ),
        (
            THREE,
            Of::Worker(-109),
            "[2026-11-28 14:25:10.123]Container [pid=1,containerID=container_1_0001_01_000002] is logging beyond the container single log \
             directory limit.\nLimit: 1000000000 Log Directory Size: 1000000123 Log Directory: /logs/a\nKilling container.\n",
            Some("too-much-log"),
        ),
        (
            THREE,
            Of::Worker(-109),
            "[2026-11-28 14:25:10.123]Container [pid=1,containerID=container_1_0001_01_000002] is logging beyond the container total log \
             limit.\nLimit: 10000000000 Total Size: >=10000000123\nKilling container.\n",
            Some("too-much-log"),
        ),
    ]);
}

/// `SchedulerUtils`, `ContainerManagerImpl`, `ContainerScheduler` and `ApplicationImpl`.
#[test]
fn containers_that_yarn_takes_back() {
    check(&[
        (ALL, Of::Worker(-100), "Container released on a *lost* node", Some("container-on-lost-node")),
        (ALL, Of::Worker(-106), "Container Killed by ResourceManager", Some("container-on-lost-node")),
        (ALL, Of::Worker(-100), "Container expired since it was unused", Some("container-expired")),
        (ALL, Of::Worker(-102), "Container preempted by scheduler", Some("preempted")),
        (
            THREE,
            Of::Worker(-108),
            "[2026-11-28 14:25:10.123]Container Killed to make room for Guaranteed Container.",
            Some("container-scheduler"),
        ),
        (ALL, Of::Worker(-100), "Container released by application", None),
        (
            TWO,
            Of::Worker(-105),
            "Container killed by the ApplicationMaster.\nContainer killed on request. Exit code is 143\n",
            None,
        ),
        (
            THREE,
            Of::Worker(-105),
            "[2026-11-28 14:25:10.123]Container killed by the ApplicationMaster.\n[2026-11-28 14:25:10.444]Container killed on request. Exit \
             code is 143\n",
            None,
        ),
        (ALL, Of::Worker(-100), "Container of a completed application", None),
        (ALL, Of::Worker(-107), "Container killed on application-finish event: ", None),
    ]);
}

/// `LocalDirsHandlerService.getDisksHealthReport` and `DirectoryCollection`, which `ContainerLaunch` and the
/// health of a node quote.
#[test]
fn disks() {
    check(&[
        (
            ALL,
            Of::Worker(-101),
            "Most of the disks failed. 1/1 local-dirs usable space is below configured utilization percentage/no more usable space [ /l : used \
             space above threshold of 90.0% ] ; 1/1 log-dirs usable space is below configured utilization percentage/no more usable space [ /g : \
             used space above threshold of 90.0% ] ",
            Some("disk-full"),
        ),
        (
            ALL,
            Of::Worker(-101),
            "Most of the disks failed. 1/1 local-dirs have errors:  [ /l : Cannot create directory : /l, error mkdir of /l failed ] ",
            Some("node-disks-failed"),
        ),
        (
            ALL,
            Of::Node,
            "1/1 local-dirs usable space is below configured utilization percentage/no more usable space [ /l : used space above threshold of \
             90.0% ] ; ",
            Some("disk-full"),
        ),
        (
            ALL,
            Of::Node,
            "1/1 local-dirs usable space is below configured utilization percentage/no more usable space [ /l : free space below limit of 100MB ] ; ",
            Some("disk-full"),
        ),
        (
            ALL,
            Of::Node,
            "1/1 local-dirs have errors:  [ /l : Cannot create directory : /l, error mkdir of /l failed ] ",
            Some("node-gone"),
        ),
        (
            TWO,
            Of::Worker(-1000),
            "java.io.IOException: No space left on device\n\tat java.io.FileOutputStream.writeBytes(Native Method)",
            Some("disk-full"),
        ),
        (
            THREE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]Could not find any valid local directory for nmPrivate/container_1_0001_01_000002.tokens",
            Some("disk-full"),
        ),
        // `LocalDirAllocator` says more since 3.5.
        (
            FIVE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]Could not find any valid local directory for nmPrivate/container_1_0001_01_000002.tokens with requested \
             size 210 on host n1 as the max capacity in any directory (/l ) is 0",
            Some("disk-full"),
        ),
    ]);
}

/// `FSDownload.verifyAndCopy` and `LocalizedResource`.
#[test]
fn files() {
    check(&[
        (
            TWO,
            Of::Worker(-1000),
            "Resource hdfs://h:8020/user/a/.heddle/x.jar changed on src filesystem (expected 1624950865000, was 1624951563000\n\
             java.io.IOException: Resource hdfs://h:8020/user/a/.heddle/x.jar changed on src filesystem (expected 1624950865000, was 1624951563000\n\
             \tat org.apache.hadoop.yarn.util.FSDownload.copy(FSDownload.java:255)\n",
            Some("file-changed"),
        ),
        (
            THREE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]Failed to download resource { { hdfs://h:8020/user/a/.heddle/x.jar, 1624950865000, FILE, null \
             },pending,[(container_1_0001_01_000002)],240373143604739,DOWNLOADING} java.io.IOException: Resource \
             hdfs://h:8020/user/a/.heddle/x.jar changed on src filesystem - expected: \"2026-11-28T14:24:00Z\", was: \"2026-11-28T14:25:00Z\", \
             current time: \"2026-11-28T14:25:10Z\"\n",
            Some("file-changed"),
        ),
        (
            TWO,
            Of::Worker(-1000),
            "File does not exist: hdfs://h:8020/user/a/x.jar\njava.io.FileNotFoundException: File does not exist: hdfs://h:8020/user/a/x.jar\n\
             \tat org.apache.hadoop.hdfs.DistributedFileSystem$25.doCall(DistributedFileSystem.java:1270)\n",
            Some("file-missing"),
        ),
        (
            THREE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]File does not exist: hdfs://h:8020/user/a/x.jar\njava.io.FileNotFoundException: File does not exist: \
             hdfs://h:8020/user/a/x.jar\n\tat org.apache.hadoop.hdfs.DistributedFileSystem$29.doCall(DistributedFileSystem.java:1756)\n",
            Some("file-missing"),
        ),
        (
            ALL,
            Of::Worker(-1000),
            "java.io.IOException: Resource hdfs://h/x is not publicly accessible and as such cannot be part of the public cache.",
            Some("file-not-public"),
        ),
        (
            THREE,
            Of::Application(AppState::Failed),
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
             appattempt_1_0001_000001 exited with  exitCode: -1000\nFailing this attempt.Diagnostics: [2026-11-28 14:25:10.123]File does not \
             exist: hdfs://h:8020/user/a/.flink/application_1_0001/x.jar\njava.io.FileNotFoundException: File does not exist: \
             hdfs://h:8020/user/a/.flink/application_1_0001/x.jar\n\nFor more detailed output, check the application tracking page: \
             http://h:8088/cluster/app/application_1_0001 Then click on links to logs of each attempt.\n. Failing the application.",
            Some("file-missing"),
        ),
    ]);
}

/// `RMAppAttemptImpl.getAMContainerCrashedDiagnostics`, `RMAppImpl`, `AMLauncher`, and `ContainerLaunch`.
#[test]
fn applicationmasters_that_end() {
    let failed = Of::Application(AppState::Failed);
    check(&[
        (
            TWO,
            failed,
            "Application application_1_0001 failed 2 times (global limit =2; local limit is =2) due to AM Container for \
             appattempt_1_0001_000002 exited with  exitCode: 1\nFailing this attempt.Diagnostics: Exception from container-launch.\nContainer id: \
             container_1_0001_02_000001\nExit code: 1\nStack trace: ExitCodeException exitCode=1: \n\tat \
             org.apache.hadoop.util.Shell.runCommand(Shell.java:998)\n\n\nContainer exited with a non-zero exit code 1\nFor more detailed output, \
             check the application tracking page: http://h:8088/cluster/app/application_1_0001 Then click on links to logs of each attempt.\n. \
             Failing the application.",
            Some("jobmanager-crashed"),
        ),
        (
            THREE,
            failed,
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
             appattempt_1_0001_000001 exited with  exitCode: 1\nFailing this attempt.Diagnostics: [2026-11-28 14:25:10.123]Exception from \
             container-launch.\nContainer id: container_1_0001_01_000001\nExit code: 1\n\n[2026-11-28 14:25:10.150]Container exited with a \
             non-zero exit code 1. Error file: prelaunch.err.\nLast 4096 bytes of prelaunch.err :\nLast 4096 bytes of jobmanager.err :\nError: \
             Could not create the Java Virtual Machine.\nError: A fatal exception has occurred. Program will exit.\n\n\n. Failing the application.",
            Some("jvm-option-wrong"),
        ),
        (
            THREE,
            failed,
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
             appattempt_1_0001_000001 exited with  exitCode: 127\nFailing this attempt.Diagnostics: [2026-11-28 14:25:10.123]Exception from \
             container-launch.\nContainer id: container_1_0001_01_000001\nExit code: 127\n\n[2026-11-28 14:25:10.150]Container exited with a \
             non-zero exit code 127. Error file: prelaunch.err.\nLast 4096 bytes of jobmanager.err :\n/bin/bash: /no/java/bin/java: No such file \
             or directory\n",
            Some("no-java"),
        ),
        (
            TWO,
            failed,
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
             appattempt_1_0001_000001 exited with  exitCode: -104\nFailing this attempt.Diagnostics: Container [pid=1,containerID=\
             container_1_0001_01_000001] is running beyond physical memory limits. Current usage: 1.5 GB of 1 GB physical memory used; 3.4 GB of \
             2.1 GB virtual memory used. Killing container.\n",
            Some("jobmanager-over-physical-memory"),
        ),
        (
            THREE,
            failed,
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
             appattempt_1_0001_000001 exited with  exitCode: -103\nFailing this attempt.Diagnostics: [2026-11-28 14:25:10.123]Container \
             [pid=1,containerID=container_1_0001_01_000001] is running 8375186432B beyond the 'VIRTUAL' memory limit. Current usage: 300.1 MB of \
             1 GB physical memory used; 9.9 GB of 2.1 GB virtual memory used. Killing container.\n",
            Some("jobmanager-over-virtual-memory"),
        ),
        (
            ALL,
            failed,
            "Application application_1_0001 failed 2 times (global limit =2; local limit is =2) due to ApplicationMaster for attempt \
             appattempt_1_0001_000002 timed out. Failing the application.",
            Some("am-silent"),
        ),
        (
            ALL,
            failed,
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to Error launching \
             appattempt_1_0001_000001. Got exception: org.apache.hadoop.yarn.exceptions.YarnException: Unauthorized request to start container. \
             \nThis token is expired. current time is 1795876510123 found 1795875910123\nNote: System times on machines may be out of sync. Check \
             system time and time zones.\n. Failing the application.",
            Some("clocks-differ"),
        ),
        // `ClientRMService.forceKillApplication`
        (
            ALL,
            Of::Application(AppState::Killed),
            "Application application_1_0001 was killed by user ann at 10.0.0.1",
            Some("killed-on-request"),
        ),
    ]);
}

/// `SchedulerApplicationAttempt.AMState`, `CSAMContainerLaunchDiagnosticsConstants`, `LeafQueue` (since 3.4
/// `AbstractLeafQueue`), and `FSAppAttempt`.
#[test]
fn applications_that_wait() {
    let waits = Of::Application(AppState::Accepted);
    check(&[
        (
            ALL,
            waits,
            "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. Queue's AM resource limit \
             exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; AM Resource Request = <memory:1024, vCores:1>; Queue Resource Limit for AM \
             = <memory:1024, vCores:1>; User AM Resource Limit of the queue = <memory:1024, vCores:1>; Queue AM Resource Usage = <memory:1024, \
             vCores:1>; ",
            Some("queue-am-share-used-up"),
        ),
        (
            ALL,
            waits,
            "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. User's AM resource limit \
             exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; AM Resource Request = <memory:1024, vCores:1>; ",
            Some("user-am-share-used-up"),
        ),
        (
            ALL,
            waits,
            "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. Skipping AM assignment as \
             cluster resource is empty.  Details : AM Partition = <DEFAULT_PARTITION>; ",
            Some("cluster-without-nodes"),
        ),
        (
            ALL,
            waits,
            "[Sat Nov 28 14:48:45 +0000 2026] Application is Activated, waiting for resources to be assigned for AM.  Details : AM Partition = \
             <DEFAULT_PARTITION> ; ",
            Some("am-waits"),
        ),
        (
            ALL,
            waits,
            "[Sat Nov 28 14:48:45 +0000 2026] Application is added to the scheduler and is not yet activated.  (Resource request: \
             <memory:27136, vCores:4> exceeds maximum AM resource allowed).",
            Some("queue-am-share-used-up"),
        ),
    ]);
}

/// `CapacityScheduler.addApplication`, `ParentQueue` and `LeafQueue` (since 3.4 `AbstractParentQueue` and
/// `AbstractLeafQueue`), `FairScheduler.addApplication`, and `RMAppManager`.
#[test]
fn submissions_that_are_refused() {
    let failed = Of::Application(AppState::Failed);
    check(&[
        (
            ALL,
            failed,
            "Application application_1_0001 submitted by user ann to unknown queue: b",
            Some("queue-unknown"),
        ),
        (
            TWO,
            failed,
            "Application application_1_0001 submitted by user ann to non-leaf queue: b",
            Some("queue-unknown"),
        ),
        (ALL, failed, "Cannot submit application to non-leaf queue: root.b", Some("queue-unknown")),
        (ALL, failed, "root.b is not a leaf queue", Some("queue-unknown")),
        (TWO, failed, "Application rejected by queue placement policy", Some("queue-unknown")),
        (
            THREE,
            failed,
            "Reject application application_1_0001 submitted by user ann application rejected by placement rules.",
            Some("queue-unknown"),
        ),
        (
            THREE,
            failed,
            "Application application_1_0001 submitted by user : ann to non-leaf queue : b",
            Some("queue-unknown"),
        ),
        (
            THREE,
            failed,
            "Application application_1_0001 submitted by user ann to ambiguous queue: b please use full queue path instead.",
            Some("queue-unknown"),
        ),
        (
            ALL,
            failed,
            "Failed to submit application_1_0001 to YARN: org.apache.hadoop.security.AccessControlException: Queue root.b is STOPPED. Cannot \
             accept submission of application: application_1_0001",
            Some("queue-stopped"),
        ),
        (
            ALL,
            failed,
            "Queue root.b already has 5 applications, cannot accept submission of application: application_1_0001",
            Some("queue-has-too-many-applications"),
        ),
        (
            ALL,
            failed,
            "Queue root.b already has 2 applications from user ann cannot accept submission of application: application_1_0001",
            Some("queue-has-too-many-applications"),
        ),
        (
            THREE,
            failed,
            "Maximum system application limit reached,cannot accept submission of application: application_1_0001",
            Some("queue-has-too-many-applications"),
        ),
        (
            ALL,
            failed,
            "org.apache.hadoop.security.AccessControlException: User ann does not have permission to submit application_1_0001 to queue b",
            Some("not-allowed"),
        ),
        (
            THREE,
            failed,
            "User ann does not have permission to submit application_1_0001 to queue b denied by ACL for queue root.b",
            Some("not-allowed"),
        ),
        (
            TWO,
            failed,
            "User ann cannot submit applications to queue root.b(requested queuename is b)",
            Some("not-allowed"),
        ),
    ]);
}

/// `SchedulerUtils.validateResourceRequest` and `LeafQueue`, since 3.4 `AbstractLeafQueue`.
#[test]
fn requests_that_are_refused() {
    let failed = Of::Application(AppState::Failed);
    check(&[
        (
            TWO,
            failed,
            "Invalid resource request, requested resource type=[memory-mb] < 0 or greater than maximum allowed allocation. Requested \
             resource=<memory:9216, vCores:1>, maximum allowed allocation=<memory:8192, vCores:4>, please note that maximum allowed allocation \
             is calculated by scheduler based on maximum resource of registered NodeManagers",
            Some("container-too-large"),
        ),
        (
            THREE,
            failed,
            "Invalid resource request! Cannot allocate containers as requested resource is greater than maximum allowed allocation. Requested \
             resource type=[memory-mb], Requested resource=<memory:9216, vCores:1>, maximum allowed allocation=<memory:8192, vCores:4>",
            Some("container-too-large"),
        ),
        (
            ALL,
            failed,
            "Invalid resource request, node label not enabled but request contains label expression",
            Some("label-not-usable"),
        ),
        (
            ALL,
            failed,
            "Invalid resource request, queue=b doesn't have permission to access all labels in resource request. labelExpression of resource \
             request=gpu. Queue labels=",
            Some("label-not-usable"),
        ),
        (
            THREE,
            failed,
            "Invalid default label expression of  queue=b doesn't have permission to access all labels in default label expression. \
             labelExpression of resource request=gpu. Queue labels=",
            Some("label-not-usable"),
        ),
        (
            ALL,
            failed,
            "Invalid label resource request, cluster do not contain , label= gpu",
            Some("label-not-usable"),
        ),
    ]);
}

/// `LinuxContainerExecutor`, and `ContainerManagerImpl.authorizeStartAndResourceIncreaseRequest`.
#[test]
fn nodes_that_cannot_start_containers() {
    check(&[
        (
            ALL,
            Of::Worker(-1000),
            "Application application_1_0001 initialization failed (exitCode=255) with output: main : command provided 0",
            Some("executor-misconfigured"),
        ),
        // Without a blank, since 3.5.
        (
            FIVE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]Application application_1_0001 initialization failed(exitCode=24). Container executor not found at \
             /hadoop/bin/container-executor",
            Some("executor-misconfigured"),
        ),
        (
            THREE,
            Of::Worker(-1000),
            "[2026-11-28 14:25:10.123]Unable to prepare container: ",
            Some("executor-misconfigured"),
        ),
        (
            ALL,
            Of::Application(AppState::Failed),
            "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to Error launching \
             appattempt_1_0001_000001. Got exception: org.apache.hadoop.yarn.exceptions.InvalidContainerException: Container \
             container_1_0001_01_000001 rejected as it is allocated by a previous RM",
            Some("node-refuses"),
        ),
    ]);
}

/// `AbstractDelegationTokenSecretManager.checkToken`, and `BlockManager.chooseTarget4NewBlock`.
#[test]
fn hdfs() {
    let failed = Of::Application(AppState::Failed);
    check(&[
        (
            TWO,
            failed,
            "token (token for ann: HDFS_DELEGATION_TOKEN owner=ann@R, renewer=yarn, realUser=, issueDate=1, maxDate=2, sequenceNumber=7, \
             masterKeyId=2) can't be found in cache",
            Some("token-expired"),
        ),
        (THREE, failed, "Token for real user: , can't be found in cache", Some("token-expired")),
        (
            THREE,
            failed,
            "Token  has expired, current time: 2026-11-28 14:25:10,123+0000 expected renewal time: 2026-11-28 13:25:10,123+0000",
            Some("token-expired"),
        ),
        (
            TWO,
            failed,
            "java.io.IOException: File /user/a/x.jar could only be replicated to 0 nodes instead of minReplication (=1).  There are 1 \
             datanode(s) running and 1 node(s) are excluded in this operation.",
            Some("no-space-in-hdfs"),
        ),
        (
            THREE,
            failed,
            "java.io.IOException: File /user/a/x.jar could only be written to 0 of the 1 minReplication nodes. There are 1 datanode(s) running \
             and 1 node(s) are excluded in this operation.",
            Some("no-space-in-hdfs"),
        ),
    ]);
}

/// The shorter lists of releases have each line of releases once.
#[test]
fn all_lines_of_releases() {
    for release in TWO.iter().chain(THREE) {
        assert!(ALL.contains(release), "{release}");
    }
    assert_eq!(ALL.len(), TWO.len() + THREE.len());
}

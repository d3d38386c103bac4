//! The table of exit codes: YARN's statuses (`ContainerExitStatus`, Hadoop 2.10 to 3.5), the codes of Java
//! and of Flink's JVMs (1.13 to 2.3), signals, and the codes of YARN's `container-executor`.

use super::row::{Fault, Retry, Row, Scale};

/// A row with a name.
const fn row(
    (scale, number, name): (Scale, i32, &'static str),
    (fault, retry): (Fault, Retry),
    words: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> Row {
    Row { scale, number, name, words, fault, retry, meaning, remedy }
}

/// An error of `container-executor`: the administrator of the nodes has to do something.
const fn executor(number: i32, name: &'static str, words: &'static str) -> Row {
    row(
        (Scale::Executor, number, name),
        (Fault::Node, Retry::Helps),
        words,
        "YARN's container-executor has not started the container. The NodeManager's log has its output.",
        "An administrator checks container-executor.cfg, the owner and mode of container-executor, and the local directories of the node. Another node may start the container.",
    )
}

const CLUSTER_HELPS: (Fault, Retry) = (Fault::Cluster, Retry::Helps);
const PROCESS_CHANGE: (Fault, Retry) = (Fault::Process, Retry::AfterChange);
const MEMORY_CHANGE: (Fault, Retry) = (Fault::Memory, Retry::AfterChange);

/// All rows, scale by scale.
pub const ROWS: &[Row] = &[
    // YARN.
    row(
        (Scale::Yarn, -1000, "INVALID"),
        (Fault::Node, Retry::AfterChange),
        "the container ended without an exit status",
        "YARN has no exit status, as a rule because the container was never started: a file for it could not be localized, or its NodeManager could not be reached.",
        "YARN's diagnostics name the file and the reason. If the file has changed in the store, deploy again.",
    ),
    row(
        (Scale::Yarn, -100, "ABORTED"),
        CLUSTER_HELPS,
        "YARN took the container back (aborted: released, expired or node lost)",
        "The application has given the container back, or nobody has started anything in it for ten minutes, or its node is lost. Only YARN's diagnostics tell which.",
        "For a lost node there is nothing to set: Flink asks for another worker.",
    ),
    row(
        (Scale::Yarn, -101, "DISKS_FAILED"),
        (Fault::Node, Retry::Helps),
        "too many disks of the node have failed",
        "The NodeManager has too few good local or log directories left. A directory also counts as bad if its disk is full to more than 90 % (yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage).",
        "An administrator makes room on the node or repairs it. Flink asks for another worker meanwhile.",
    ),
    row(
        (Scale::Yarn, -102, "PREEMPTED"),
        CLUSTER_HELPS,
        "YARN's scheduler preempted the container for another application",
        "A queue with a claim to its guaranteed share has taken the container. The application has used more than its own queue's share.",
        "Use a queue whose guaranteed capacity covers the application (yarn.application.queue), or ask the administrator to spare the queue from preemption.",
    ),
    row(
        (Scale::Yarn, -103, "KILLED_EXCEEDED_VMEM"),
        MEMORY_CHANGE,
        "killed by the NodeManager: more virtual memory than allowed (yarn.nodemanager.vmem-pmem-ratio)",
        "The address space of the processes was larger than the container's memory multiplied by yarn.nodemanager.vmem-pmem-ratio (2.1 by default). A JVM reserves much address space that it never uses.",
        "yarn.nodemanager.vmem-check-enabled=false on the nodes ends this check; a larger container allows more address space, too.",
    ),
    row(
        (Scale::Yarn, -104, "KILLED_EXCEEDED_PMEM"),
        MEMORY_CHANGE,
        "killed by the NodeManager: more physical memory than the container has",
        "The processes used more physical memory than the container has. Java limits its heap, so it is native memory that has grown: of threads, of RocksDB, of libraries, of direct buffers.",
        "Raise taskmanager.memory.jvm-overhead.min together with taskmanager.memory.process.size (or those of jobmanager); `heddle memory` shows the sizes.",
    ),
    row(
        (Scale::Yarn, -105, "KILLED_BY_APPMASTER"),
        (Fault::Ours, Retry::NotNeeded),
        "stopped by the ApplicationMaster",
        "The ApplicationMaster has stopped the container, because Flink needs it no longer.",
        "",
    ),
    row(
        (Scale::Yarn, -106, "KILLED_BY_RESOURCEMANAGER"),
        CLUSTER_HELPS,
        "killed by the ResourceManager (node decommissioned or lost)",
        "The ResourceManager has ended the container: its node is being decommissioned, or does not belong to the cluster any more.",
        "There is nothing to set: Flink asks for another worker.",
    ),
    row(
        (Scale::Yarn, -107, "KILLED_AFTER_APP_COMPLETION"),
        (Fault::Cluster, Retry::NotNeeded),
        "killed because the application has ended",
        "The application had ended before its container. That is a consequence of the end and not its cause.",
        "",
    ),
    row(
        (Scale::Yarn, -108, "KILLED_BY_CONTAINER_SCHEDULER"),
        CLUSTER_HELPS,
        "the container's scheduler took it back (opportunistic container)",
        "The NodeManager has ended an opportunistic container to make room for a guaranteed one. Flink's containers are guaranteed ones unless the cluster changes that.",
        "Ask the administrator why the containers are opportunistic.",
    ),
    row(
        (Scale::Yarn, -109, "KILLED_FOR_EXCESS_LOGS"),
        PROCESS_CHANGE,
        "killed for writing more log than allowed",
        "The container's log directory grew beyond yarn.nodemanager.container-log-monitor.dir-size-limit-bytes or .total-size-limit-bytes. Hadoop 3.2 and later can do this.",
        "Log less, or limit log files in log4j.properties (appender.main.policies.size.size, appender.main.strategy.max).",
    ),
    // Processes.
    row(
        (Scale::Process, 0, ""),
        (Fault::Nobody, Retry::NotNeeded),
        "normal end",
        "The process has done its work. A JobManager ends with 0 too if its application was cancelled.",
        "",
    ),
    row(
        (Scale::Process, 1, ""),
        PROCESS_CHANGE,
        "start-up or main class failed",
        "Java or Flink could not start: a wrong option of the JVM, a main class that cannot be loaded, a configuration that Flink refuses, or a TaskManager that cannot reach its JobManager. heddle's own programs end with 1 if they cannot go on.",
        "The first error in the log or in the file `*.err` says what failed.",
    ),
    row(
        (Scale::Process, 2, "RUNTIME_FAILURE_RETURN_CODE"),
        PROCESS_CHANGE,
        "Flink: unrecoverable error at run time",
        "The JobManager has met an error from which it cannot recover, such as the loss of its leadership service or an exception in its own threads.",
        "The last error in jobmanager.log says which.",
    ),
    row(
        (Scale::Process, 3, ""),
        MEMORY_CHANGE,
        "ended on OutOfMemoryError (-XX:+ExitOnOutOfMemoryError), or the program called System.exit(3)",
        "HotSpot ends with 3 after an OutOfMemoryError if env.java.opts gives it the option -XX:+ExitOnOutOfMemoryError. The file `*.out` names the kind of memory.",
        "Enlarge the pool that was exhausted; `heddle memory` shows the pools and their keys.",
    ),
    row(
        (Scale::Process, 126, ""),
        (Fault::Node, Retry::AfterChange),
        "the program may not be executed",
        "A file that was to be executed has no permission for that, or its disk is mounted with noexec.",
        "Check JAVA_HOME on the nodes (containerized.master.env.JAVA_HOME, containerized.taskmanager.env.JAVA_HOME).",
    ),
    row(
        (Scale::Process, 127, ""),
        (Fault::Node, Retry::AfterChange),
        "Java could not be executed",
        "There is no such program: as a rule JAVA_HOME on that node leads nowhere, and the PATH has no java.",
        "Name a Java that each node has: containerized.master.env.JAVA_HOME, containerized.taskmanager.env.JAVA_HOME; with Flink 2.0 and later also env.java.home.",
    ),
    row(
        (Scale::Process, 130, "128 + SIGINT"),
        (Fault::Process, Retry::NotNeeded),
        "SIGINT",
        "Ctrl-C, or somebody has sent SIGINT.",
        "",
    ),
    row(
        (Scale::Process, 134, "128 + SIGABRT"),
        PROCESS_CHANGE,
        "aborted",
        "The JVM has crashed: an error in native code or in the JVM itself, or native memory that the system did not give. The file `hs_err_pid*.log`, or `*.out`, begins with the reason.",
        "A newer release of Java, or of the native library that this file names; for want of memory a larger jvm-overhead.",
    ),
    row(
        (Scale::Process, 137, "128 + SIGKILL"),
        (Fault::Process, Retry::AfterChange),
        "SIGKILL",
        "SIGKILL: the kernel has ended the process because the container's cgroup or the host was out of memory, or the NodeManager has ended it after SIGTERM, or somebody has. Where cgroups limit memory, YARN gives no other reason.",
        "heddle-am.log says whether the kernel has done it. If so, raise jvm-overhead and the process size.",
    ),
    row(
        (Scale::Process, 139, "128 + SIGSEGV"),
        PROCESS_CHANGE,
        "SIGSEGV",
        "Native code has used memory that does not belong to it. A JVM as a rule ends with 134 instead, so this was another program.",
        "Look which native libraries the program loads.",
    ),
    row(
        (Scale::Process, 143, "128 + SIGTERM"),
        (Fault::Process, Retry::NotNeeded),
        "SIGTERM",
        "Something has asked the process to end: YARN, because the container was killed or the application is over, or heddle, because Flink does not need the worker any more.",
        "YARN's exit status and diagnostics of the container, which arrive later, say why.",
    ),
    row(
        (Scale::Process, 163, "ApplicationStatus.FAILED (1443)"),
        PROCESS_CHANGE,
        "Flink: the application has failed",
        "The JobManager has ended in order, and its application has failed. Flink exits with 1443, and the system keeps the lowest eight bits of it.",
        "YARN's diagnostics of the application begin with the exception.",
    ),
    row(
        (Scale::Process, 165, "ApplicationStatus.UNKNOWN (1445)"),
        PROCESS_CHANGE,
        "Flink: the application's end is not known",
        "The JobManager has ended in order without knowing how its application has ended. Flink exits with 1445, and the system keeps the lowest eight bits of it.",
        "jobmanager.log has the last state of the job.",
    ),
    row(
        (Scale::Process, 239, "FatalExitExceptionHandler.EXIT_CODE (-17)"),
        PROCESS_CHANGE,
        // The safeguard, which ends a JVM whose shutdown hangs, has the same code.
        "Flink: fatal error in a thread",
        "A thread of Flink has ended by an exception that nothing has caught, or the JVM has not ended within five seconds of being asked to. Flink exits with -17 in both cases.",
        "The log has a line FATAL with the exception. After an OutOfMemoryError enlarge the pool that it names.",
    ),
    row(
        (Scale::Process, 255, "exit(-1)"),
        PROCESS_CHANGE,
        "Flink: fatal error of a task or of the RPC system",
        "A JVM has called exit(-1). Flink does that when a task cannot be cancelled in time and the TaskManager ends for it, and after a fatal error of Akka or Pekko.",
        "The last lines of the log name the task. task.cancellation.timeout gives tasks more time.",
    ),
    // Signals.
    row(
        (Scale::Signal, 1, "SIGHUP"),
        (Fault::Process, Retry::NotNeeded),
        "the terminal is gone",
        "The terminal of the process was closed.",
        "Under `nohup` this signal has no effect.",
    ),
    row(
        (Scale::Signal, 2, "SIGINT"),
        (Fault::Process, Retry::NotNeeded),
        "interrupted",
        "Ctrl-C, or somebody has sent SIGINT.",
        "",
    ),
    row(
        (Scale::Signal, 3, "SIGQUIT"),
        (Fault::Process, Retry::NotNeeded),
        "quit",
        "A JVM prints its threads at this signal and goes on; another program ends.",
        "",
    ),
    row(
        (Scale::Signal, 4, "SIGILL"),
        PROCESS_CHANGE,
        "an instruction that this processor does not have",
        "Native code was compiled for another processor.",
        "Use a build of the native library that fits the nodes' processors.",
    ),
    row(
        (Scale::Signal, 6, "SIGABRT"),
        PROCESS_CHANGE,
        "aborted: the JVM has crashed",
        "The JVM has found an error from which it cannot recover, and has written `hs_err_pid*.log`.",
        "The first lines of that file, or of `*.out`, name the library and the reason.",
    ),
    row(
        (Scale::Signal, 7, "SIGBUS"),
        (Fault::Node, Retry::Helps),
        "memory that is mapped to a file cannot be read",
        "A file that was mapped into memory became shorter, or its disk is full or broken.",
        "Look at the disk space of the node.",
    ),
    row(
        (Scale::Signal, 8, "SIGFPE"),
        PROCESS_CHANGE,
        "a wrong arithmetic operation",
        "Native code has divided by zero.",
        "Look which native libraries the program loads.",
    ),
    row(
        (Scale::Signal, 9, "SIGKILL"),
        (Fault::Process, Retry::AfterChange),
        "killed",
        "The kernel has ended the process for want of memory, or the NodeManager or somebody has. A process cannot write why.",
        "heddle-am.log says whether the kernel has done it.",
    ),
    row(
        (Scale::Signal, 11, "SIGSEGV"),
        PROCESS_CHANGE,
        "a wrong access to memory",
        "Native code has used memory that does not belong to it.",
        "Look which native libraries the program loads; `hs_err_pid*.log` names the one.",
    ),
    row(
        (Scale::Signal, 13, "SIGPIPE"),
        (Fault::Process, Retry::NotNeeded),
        "nobody reads the output any more",
        "Whoever read the output of the process has ended, as `head` does.",
        "",
    ),
    row(
        (Scale::Signal, 15, "SIGTERM"),
        (Fault::Process, Retry::NotNeeded),
        "asked to end",
        "YARN, heddle or somebody has asked the process to end.",
        "YARN's exit status of the container says why.",
    ),
    // container-executor.
    executor(1, "INVALID_ARGUMENT_NUMBER", "wrong number of arguments"),
    executor(
        2,
        "INVALID_USER_NAME",
        "the user does not exist on the node, or may not run containers (min.user.id, banned.users)",
    ),
    executor(3, "INVALID_COMMAND_PROVIDED", "unknown command"),
    executor(5, "INVALID_NM_ROOT_DIRS", "wrong local directories"),
    executor(
        6,
        "SETUID_OPER_FAILED",
        "the user could not be changed: container-executor lacks its mode 6050 or its owner root",
    ),
    executor(7, "UNABLE_TO_EXECUTE_CONTAINER_SCRIPT", "the start script could not be executed"),
    executor(8, "UNABLE_TO_SIGNAL_CONTAINER", "the container could not be sent a signal"),
    executor(9, "INVALID_CONTAINER_PID", "wrong process id"),
    executor(18, "OUT_OF_MEMORY", "the node has no memory left"),
    executor(20, "INITIALIZE_USER_FAILED", "the user's directories could not be made"),
    executor(21, "PATH_TO_DELETE_IS_NULL", "no path to delete"),
    executor(22, "INVALID_CONTAINER_EXEC_PERMISSIONS", "wrong owner or mode of container-executor"),
    executor(24, "INVALID_CONFIG_FILE", "container-executor.cfg is missing, wrong, or not owned by root"),
    executor(25, "SETSID_OPER_FAILED", "no session of its own for the container"),
    executor(26, "WRITE_PIDFILE_FAILED", "the file with the process id could not be written"),
    executor(27, "WRITE_CGROUP_FAILED", "the process could not be put into its cgroup"),
    executor(28, "TRAFFIC_CONTROL_EXECUTION_FAILED", "limits of the network could not be set"),
    executor(29, "DOCKER_RUN_FAILED", "Docker could not run the container"),
    executor(30, "ERROR_OPENING_DOCKER_FILE", "the file for Docker could not be opened"),
    executor(31, "ERROR_READING_DOCKER_FILE", "the file for Docker could not be read"),
    executor(32, "FEATURE_DISABLED", "container-executor.cfg has turned the feature off"),
    executor(
        33,
        "COULD_NOT_CREATE_SCRIPT_COPY",
        "the start script could not be copied: no space, or wrong modes",
    ),
    executor(
        34,
        "COULD_NOT_CREATE_CREDENTIALS_FILE",
        "the tokens could not be copied: no space, or wrong modes",
    ),
    executor(35, "COULD_NOT_CREATE_WORK_DIRECTORIES", "the working directory could not be made"),
    executor(36, "COULD_NOT_CREATE_APP_LOG_DIRECTORIES", "the log directory could not be made"),
    executor(37, "COULD_NOT_CREATE_TMP_DIRECTORIES", "the temporary directory could not be made"),
    executor(38, "ERROR_CREATE_CONTAINER_DIRECTORIES_ARGUMENTS", "wrong arguments for directories"),
    executor(39, "ERROR_SANITIZING_DOCKER_COMMAND", "the command for Docker is refused"),
    executor(40, "DOCKER_IMAGE_INVALID", "the name of Docker's image is refused"),
    executor(42, "ERROR_COMPILING_REGEX", "a pattern of container-executor.cfg is wrong"),
    executor(43, "INVALID_CONTAINER_ID", "wrong container id"),
    executor(44, "DOCKER_EXEC_FAILED", "Docker could not execute a command in the container"),
];

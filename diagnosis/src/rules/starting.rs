//! Rules about the files and the start of containers and JVMs.

use crate::exits::Retry;
use crate::facts::Part;
use crate::rule::{Class, Confidence, Link, Remedy, Rule, Shape, Sign, Subject, Whose, certain};

const AGAIN: (Whose, Retry) = (Whose::Deployer, Retry::Helps);
const TO_CHANGE: (Whose, Retry) = (Whose::Deployer, Retry::AfterChange);
const OF_NODES: (Whose, Retry) = (Whose::Administrator, Retry::Helps);
const TASK_MANAGER: Sign = Sign::About(Subject::Container(Part::TaskManager));
const JOB_MANAGER: Sign = Sign::About(Subject::Container(Part::JobManager));

/// The words with which a JVM says that its Java does not fit, as `flink_model::java_fit::complaint` explains
/// them, and those of heddle, which does not start a JVM that cannot run.
const WRONG_JAVA: Sign = Sign::Any(&[
    Sign::Words(&["is made for Java ", "cannot run on Java "]),
    Sign::Words(&["UnsupportedClassVersionError: "]),
    Sign::Words(&["InaccessibleObjectException: "]),
    Sign::Words(&["IllegalAccessError: ", "does not export"]),
    Sign::Words(&["getSubject is not supported"]),
]);

pub(super) const RULES: &[Rule] = &[
    certain(
        ("file-changed", Link::Files, Class::Localization),
        AGAIN,
        Sign::Words(&["changed on src filesystem"]),
        "A file was changed after the application was submitted, so YARN does not use it: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("file-not-public", Link::Files, Class::Localization),
        TO_CHANGE,
        Sign::Words(&["is not publicly accessible and as such cannot be part of the public cache"]),
        "A file is to be shared by all users of a node, and not everybody may read it: {said}",
        Remedy::Set(&[(
            "heddle.store.dir",
            "<a directory that everybody may read>",
            "or `hdfs dfs -chmod -R a+rX` on the directory that the message names",
        )]),
    ),
    certain(
        ("file-missing", Link::Files, Class::Localization),
        AGAIN,
        Sign::All(&[
            Sign::Any(&[JOB_MANAGER, TASK_MANAGER, Sign::About(Subject::Application)]),
            Sign::Words(&["File does not exist: "]),
            Sign::Any(&[
                Sign::Status(&[-1000]),
                Sign::Words(&["Failed to download resource"]),
                Sign::Words(&["Localizer failed"]),
            ]),
        ]),
        "A file for the container is not there any more: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("disk-full", Link::Files, Class::Node),
        OF_NODES,
        Sign::Any(&[
            Sign::Words(&["No space left on device"]),
            Sign::Words(&["Disk quota exceeded"]),
            Sign::Words(&["Could not find any valid local directory"]),
            Sign::Words(&["used space above threshold of"]),
            Sign::Words(&["free space below limit of"]),
            Sign::Words(&["no more usable space"]),
        ]),
        "A disk is full, on {who}: {said}",
        Remedy::Set(&[(
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage",
            "<up to 100>",
            "by the administrator, if 90 % full is no reason yet; otherwise room has to be made",
        )]),
    ),
    certain(
        ("no-space-in-hdfs", Link::Files, Class::Platform),
        OF_NODES,
        Sign::Any(&[
            Sign::Words(&["DSQuotaExceededException"]),
            Sign::Words(&["NSQuotaExceededException"]),
            Sign::Words(&["could only be written to 0 of the"]),
            Sign::Words(&["could only be replicated to 0 nodes"]),
        ]),
        "HDFS takes no more data: {said}",
        Remedy::Set(&[]),
    ),
    Rule {
        confidence: Confidence::Likely,
        symptom: true,
        ..certain(
            ("localization-failed", Link::Files, Class::Localization),
            AGAIN,
            Sign::Any(&[
                Sign::Words(&["Failed to download resource"]),
                Sign::Words(&["Localizer failed"]),
                Sign::All(&[Sign::Status(&[-1000]), Sign::Words(&["ocalization"])]),
            ]),
            "YARN could not fetch the files for a container: {said}",
            Remedy::Set(&[]),
        )
    },
    certain(
        ("user-missing-on-node", Link::Node, Class::Node),
        (Whose::Administrator, Retry::AfterChange),
        Sign::Any(&[
            Sign::Words(&["main : requested yarn user is", "not found"]),
            Sign::Words(&["Requested user", "is not whitelisted"]),
            Sign::Words(&["Requested user", "is banned"]),
        ]),
        "The nodes do not let this user run containers: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("executor-misconfigured", Link::Node, Class::Node),
        OF_NODES,
        Sign::Any(&[
            Sign::Words(&["Linux Container Executor reached unrecoverable exception"]),
            Sign::Words(&["initialization failed (exitCode="]),
            // Without the program container-executor, since Hadoop 3.5.
            Sign::Words(&["initialization failed(exitCode="]),
            Sign::Words(&["Unable to prepare container"]),
        ]),
        "The node cannot start containers: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("node-refuses", Link::Node, Class::Platform),
        OF_NODES,
        Sign::Any(&[
            Sign::Words(&["rejected as it is allocated by a previous RM"]),
            Sign::Words(&["Invalid NMToken"]),
            Sign::Words(&["Unauthorized request to start container"]),
        ]),
        "A NodeManager refuses to start the container: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("no-java", Link::Node, Class::Configuration),
        TO_CHANGE,
        Sign::Any(&[
            Sign::Code(&[126, 127]),
            Sign::Words(&["Java could not be executed"]),
            Sign::Words(&["bin/java: No such file or directory"]),
            // heddle's words, before it starts a JVM.
            Sign::Words(&["no Java at ", "is not an executable file"]),
            Sign::Words(&["no Java: JAVA_HOME is not set"]),
        ]),
        "{who} has no Java that can be executed. {said}",
        Remedy::Set(&[
            ("containerized.master.env.JAVA_HOME", "<a Java that each node has>", "for the JobManager"),
            ("containerized.taskmanager.env.JAVA_HOME", "<a Java that each node has>", "for TaskManagers"),
        ]),
    ),
    certain(
        ("java-does-not-fit", Link::Node, Class::Configuration),
        TO_CHANGE,
        WRONG_JAVA,
        "The Java of {who} does not fit what it runs: {said}{java}",
        Remedy::Set(&[
            ("containerized.master.env.JAVA_HOME", "<a Java that fits>", "for the JobManager"),
            ("containerized.taskmanager.env.JAVA_HOME", "<a Java that fits>", "for TaskManagers"),
        ]),
    ),
    certain(
        ("jvm-option-wrong", Link::Node, Class::Configuration),
        TO_CHANGE,
        Sign::Any(&[
            Sign::Words(&["Unrecognized VM option"]),
            Sign::Words(&["Unrecognized option: "]),
            Sign::Words(&["Invalid maximum heap size"]),
            Sign::Words(&["Could not create the Java Virtual Machine"]),
        ]),
        "Java refuses its options, in {who}: {said}",
        Remedy::Set(&[(
            "env.java.opts.all",
            "<without the option>",
            "before Flink 1.17 env.java.opts; also .jobmanager and .taskmanager",
        )]),
    ),
    certain(
        ("configuration-refused", Link::JobManager, Class::Configuration),
        TO_CHANGE,
        Sign::Any(&[
            Sign::Words(&["IllegalConfigurationException"]),
            Sign::Words(&["Could not parse value", "for key"]),
        ]),
        "Flink refuses the configuration: {said}",
        Remedy::Set(&[]),
    ),
    Rule {
        confidence: Confidence::Likely,
        symptom: true,
        ..certain(
            ("worker-fails-at-start", Link::TaskManager, Class::Platform),
            TO_CHANGE,
            Sign::All(&[TASK_MANAGER, Sign::Shape(Shape::AtStart)]),
            "{who} ended before the JobManager knew it: {said}",
            Remedy::Set(&[]),
        )
    },
    Rule {
        confidence: Confidence::Likely,
        ..certain(
            ("am-silent", Link::JobManager, Class::Platform),
            OF_NODES,
            Sign::Words(&["ApplicationMaster for attempt", "timed out"]),
            "The ApplicationMaster was not heard of for so long that YARN has given it up: its node was too busy or gone, or the network. {said}",
            Remedy::Set(&[(
                "yarn.application-attempts",
                "2",
                "with high availability a second attempt goes on with the jobs",
            )]),
        )
    },
    Rule {
        confidence: Confidence::Likely,
        symptom: true,
        ..certain(
            ("jobmanager-crashed", Link::JobManager, Class::Platform),
            TO_CHANGE,
            Sign::All(&[JOB_MANAGER, Sign::Shape(Shape::Crashed)]),
            "The JobManager has ended by itself: {said}",
            Remedy::Set(&[]),
        )
    },
];

//! Rules about nodes, and about containers that YARN takes back.

use crate::exits::Retry;
use crate::facts::Part;
use crate::rule::{Class, Confidence, Link, Remedy, Rule, Shape, Sign, Subject, Whose};

/// A rule about something that the cluster does to a container.
const fn rule(id: &'static str, class: Class, sign: Sign, text: &'static str, remedy: Remedy) -> Rule {
    Rule {
        id,
        link: Link::Node,
        class,
        whose: Whose::Administrator,
        retry: Retry::Helps,
        confidence: Confidence::Certain,
        symptom: false,
        sign,
        text,
        remedy,
    }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "node-gone",
        Class::Node,
        Sign::Shape(Shape::NodeGone),
        "A node does not run any more; it is not the job that is wrong. {detail}",
        Remedy::Set(&[]),
    ),
    rule(
        "container-on-lost-node",
        Class::Node,
        Sign::Any(&[
            Sign::All(&[Sign::Status(&[-100]), Sign::Words(&["*lost* node"])]),
            Sign::Status(&[-106]),
        ]),
        "YARN has lost the node of {who}, or has taken it out of the cluster; it is not the job that is wrong.",
        Remedy::Set(&[]),
    ),
    rule(
        "node-disks-failed",
        Class::Node,
        Sign::Any(&[Sign::Status(&[-101]), Sign::Words(&["Most of the disks failed"])]),
        "The disks of the node of {who} have failed or are full. {said}",
        Remedy::Set(&[(
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage",
            "<up to 100>",
            "by the administrator, if 90 % full is no reason yet",
        )]),
    ),
    rule(
        "preempted",
        Class::Queue,
        Sign::Any(&[Sign::Status(&[-102]), Sign::Words(&["Container preempted by scheduler"])]),
        "YARN's scheduler has taken {who} for a queue that has a claim to it. The application used more than its queue is guaranteed.",
        Remedy::Set(&[
            (
                "yarn.application.queue",
                "<a queue with a larger guaranteed share>",
                "`yarn-session.sh -q` shows the queues",
            ),
            (
                "yarn.scheduler.capacity.<queue>.disable_preemption",
                "true",
                "in capacity-scheduler.xml, by the administrator",
            ),
        ]),
    ),
    Rule {
        whose: Whose::Developer,
        retry: Retry::AfterChange,
        ..rule(
            "too-much-log",
            Class::UserCode,
            Sign::Status(&[-109]),
            "The NodeManager has killed {who}, because its logs grew larger than it allows. {said}",
            Remedy::Set(&[(
                "env.log.max",
                "<fewer>",
                "number of old log files; or log less in log4j.properties",
            )]),
        )
    },
    rule(
        "container-scheduler",
        Class::Queue,
        Sign::Status(&[-108]),
        "The NodeManager has taken {who} back for a guaranteed container: it was an opportunistic one.",
        Remedy::Set(&[]),
    ),
    rule(
        "container-expired",
        Class::Platform,
        Sign::Words(&["Container expired since it was unused"]),
        "YARN has taken {who} back, because nothing was started in it within ten minutes.",
        Remedy::Set(&[]),
    ),
    Rule {
        class: Class::Platform,
        whose: Whose::Deployer,
        retry: Retry::AfterChange,
        confidence: Confidence::Likely,
        ..rule(
            "jvm-crashed",
            Class::Platform,
            Sign::Any(&[
                Sign::Signal(&[4, 6, 7, 8, 11]),
                Sign::Code(&[134, 139]),
                Sign::Words(&["A fatal error has been detected by the Java Runtime Environment"]),
            ]),
            "The JVM of {who} has crashed: an error in native code or in the JVM itself. {said}",
            Remedy::Set(&[(
                "containerized.taskmanager.env.JAVA_HOME",
                "<a newer release of Java>",
                "if hs_err names the JVM's own library",
            )]),
        )
    },
    Rule {
        link: Link::TaskManager,
        class: Class::Platform,
        confidence: Confidence::Possible,
        symptom: true,
        ..rule(
            "worker-killed",
            Class::Platform,
            Sign::All(&[
                Sign::About(Subject::Container(Part::TaskManager)),
                Sign::Any(&[Sign::Signal(&[9]), Sign::Code(&[137]), Sign::Status(&[137])]),
            ]),
            "A SIGKILL has ended {who}, and no witness says whose: as a rule the kernel's, for want of memory{usage}.",
            Remedy::Native(Part::TaskManager),
        )
    },
    Rule {
        link: Link::TaskManager,
        class: Class::Platform,
        whose: Whose::Deployer,
        confidence: Confidence::Possible,
        symptom: true,
        ..rule(
            "worker-signed-off",
            Class::Platform,
            Sign::All(&[
                Sign::About(Subject::Container(Part::TaskManager)),
                Sign::Words(&["it has signed off, and Flink had not told it to end"]),
            ]),
            "{who} has said that it ends, and Flink has not logged why. As a rule the NodeManager has ended it, because it used more memory than its container has, or because the scheduler has taken it. YARN tells that to Flink alone, and the NodeManager forgets it after some seconds.",
            Remedy::Native(Part::TaskManager),
        )
    },
];

//! Rules about what was wanted, about the login, and about waiting for containers.

use crate::exits::Retry;
use crate::facts::Part;
use crate::rule::{Class, Confidence, Link, Remedy, Rule, Shape, Sign, Subject, Whose};

const QUEUE: (&str, &str, &str) =
    ("yarn.application.queue", "<another queue>", "`yarn-session.sh -q` shows the queues and their room");

/// A rule about the login or tokens.
const fn security(id: &'static str, sign: Sign, text: &'static str, remedy: Remedy) -> Rule {
    Rule {
        id,
        link: Link::Login,
        class: Class::Security,
        whose: Whose::Deployer,
        retry: Retry::AfterChange,
        confidence: Confidence::Certain,
        symptom: false,
        sign,
        text,
        remedy,
    }
}

/// A rule about the queue or the room in the cluster.
const fn queue(
    id: &'static str,
    link: Link,
    (whose, retry): (Whose, Retry),
    sign: Sign,
    text: &'static str,
    remedy: Remedy,
) -> Rule {
    let (class, confidence, symptom) = (Class::Queue, Confidence::Certain, false);
    Rule { id, link, class, whose, retry, confidence, symptom, sign, text, remedy }
}

const TO_WAIT: (Whose, Retry) = (Whose::Deployer, Retry::Helps);
const TO_CHANGE: (Whose, Retry) = (Whose::Deployer, Retry::AfterChange);
const AM: Sign = Sign::About(Subject::Application);
const ASKS: Sign = Sign::About(Subject::Asks);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "killed-on-request",
        link: Link::Wish,
        class: Class::AskedFor,
        whose: Whose::Nobody,
        retry: Retry::NotNeeded,
        confidence: Confidence::Certain,
        symptom: false,
        sign: Sign::All(&[
            AM,
            Sign::Any(&[
                Sign::Shape(Shape::Killed),
                Sign::Words(&["was killed by user"]),
                Sign::Words(&["Application killed by user"]),
            ]),
        ]),
        text: "Somebody has killed the application through YARN: {said}",
        remedy: Remedy::Set(&[]),
    },
    security(
        "no-ticket",
        Sign::Any(&[
            Sign::Words(&["Failed to find any Kerberos tgt"]),
            Sign::Words(&["GSS initiate failed"]),
            Sign::Words(&["Client cannot authenticate via:", "KERBEROS"]),
            Sign::Words(&["Can't get Kerberos realm"]),
        ]),
        "There is no valid Kerberos ticket where one is needed: {said}",
        Remedy::Set(&[
            (
                "security.kerberos.login.keytab",
                "<path of a keytab>",
                "together with security.kerberos.login.principal, for applications that run longer than a ticket",
            ),
            (
                "security.kerberos.login.use-ticket-cache",
                "true",
                "and a fresh ticket by `kinit`, for short ones",
            ),
        ]),
    ),
    security(
        "token-expired",
        Sign::All(&[
            Sign::Any(&[
                Sign::Words(&["token", "can't be found in cache"]),
                // HDFS, since Hadoop 3.3.
                Sign::Words(&["Token for real user", "can't be found in cache"]),
                Sign::Words(&["Token ", " has expired, current time"]),
                Sign::Words(&["token", "is expired"]),
                Sign::Words(&["InvalidToken"]),
                // heddle-am's words at the end of an application that has failed.
                Sign::Words(&["DELEGATION_TOKEN for ", "has expired"]),
            ]),
            // A NodeManager's words about the token of a container, which is new.
            Sign::Not(&Sign::Words(&["System times on machines may be out of sync"])),
        ]),
        "A delegation token is not valid any more: it has expired, or was cancelled when another application ended. {said}",
        Remedy::Set(&[(
            "security.kerberos.login.keytab",
            "<path of a keytab>",
            "together with security.kerberos.login.principal: with a keytab the application obtains new tokens before the old ones expire",
        )]),
    ),
    Rule {
        whose: Whose::Administrator,
        ..security(
            "clocks-differ",
            Sign::Any(&[
                Sign::Words(&["Clock skew too great"]),
                Sign::Words(&["System times on machines may be out of sync"]),
            ]),
            "The clocks of two machines differ by more than Kerberos or YARN allow: {said}",
            Remedy::Set(&[]),
        )
    },
    security(
        "not-allowed",
        Sign::All(&[
            Sign::Any(&[Sign::About(Subject::Application), Sign::About(Subject::Client)]),
            Sign::Any(&[
                Sign::Words(&["does not have permission to submit"]),
                Sign::Words(&["cannot submit", "to queue"]),
                Sign::Words(&["denied by ACL for queue"]),
                Sign::Words(&["AccessControlException", "Permission denied"]),
            ]),
        ]),
        "The user may not do that: {said}",
        Remedy::Set(&[QUEUE]),
    ),
    queue(
        "queue-unknown",
        Link::Submission,
        TO_CHANGE,
        Sign::Any(&[
            Sign::Words(&["to unknown queue"]),
            Sign::Words(&["is not a leaf queue"]),
            Sign::Words(&["to non-leaf queue"]),
            Sign::Words(&["to ambiguous queue"]),
            Sign::Words(&["rejected by placement rules"]),
            // The FairScheduler of Hadoop 2.
            Sign::Words(&["rejected by queue placement policy"]),
        ]),
        "YARN has no such queue for the application: {said}",
        Remedy::Set(&[QUEUE]),
    ),
    queue(
        "queue-stopped",
        Link::Submission,
        (Whose::Administrator, Retry::Helps),
        Sign::Words(&["is STOPPED. Cannot accept submission"]),
        "The queue takes no applications at the moment: {said}",
        Remedy::Set(&[QUEUE]),
    ),
    queue(
        "queue-has-too-many-applications",
        Link::Submission,
        TO_WAIT,
        Sign::Any(&[
            Sign::Words(&["applications", "cannot accept submission of application"]),
            Sign::Words(&["Maximum system application limit reached"]),
        ]),
        "The queue, the user or the cluster has as many applications as it may have: {said}",
        Remedy::Set(&[QUEUE]),
    ),
    Rule {
        class: Class::Configuration,
        ..queue(
            "container-too-large",
            Link::Submission,
            TO_CHANGE,
            Sign::Words(&["Invalid resource request", "maximum allowed allocation"]),
            "A container is larger than YARN's largest one (yarn.scheduler.maximum-allocation-mb and -vcores): {said}",
            Remedy::Set(&[
                (
                    "taskmanager.memory.process.size",
                    "<smaller>",
                    "`heddle memory` shows YARN's largest container",
                ),
                ("jobmanager.memory.process.size", "<smaller>", "if it is the JobManager's container"),
            ]),
        )
    },
    Rule {
        class: Class::Configuration,
        ..queue(
            "label-not-usable",
            Link::Submission,
            TO_CHANGE,
            Sign::Any(&[
                Sign::Words(&["node label not enabled but request contains label expression"]),
                Sign::Words(&["doesn't have permission to access all labels"]),
                Sign::Words(&["Invalid label resource request"]),
            ]),
            "The queue may not use the node label, or the cluster does not have it: {said}",
            Remedy::Set(&[
                ("yarn.application.node-label", "<a label of the queue>", "or leave it out"),
                ("yarn.taskmanager.node-label", "<a label of the queue>", "or leave it out"),
            ]),
        )
    },
    queue(
        "queue-am-share-used-up",
        Link::Queue,
        TO_WAIT,
        Sign::Any(&[
            Sign::Words(&["Queue's AM resource limit exceeded"]),
            Sign::Words(&["exceeds maximum AM resource allowed"]),
        ]),
        "Applications wait because the ApplicationMasters of the queue use all that they may use: {said}{queue}",
        Remedy::Set(&[
            QUEUE,
            ("jobmanager.memory.process.size", "<smaller>", "a smaller ApplicationMaster may still fit"),
            (
                "yarn.scheduler.capacity.maximum-am-resource-percent",
                "<larger than 0.1>",
                "in capacity-scheduler.xml, by the administrator; also for a single queue",
            ),
        ]),
    ),
    queue(
        "user-am-share-used-up",
        Link::Queue,
        TO_WAIT,
        Sign::Words(&["User's AM resource limit exceeded"]),
        "The user's own applications in the queue use all that ApplicationMasters of one user may use: {said}{queue}",
        Remedy::Set(&[
            QUEUE,
            (
                "yarn.scheduler.capacity.<queue>.user-limit-factor",
                "<larger than 1>",
                "in capacity-scheduler.xml, by the administrator",
            ),
        ]),
    ),
    queue(
        "cluster-without-nodes",
        Link::Queue,
        (Whose::Administrator, Retry::Helps),
        Sign::Words(&["Skipping AM assignment as cluster resource is empty"]),
        "No NodeManager runs, or none of the application's partition: {said}",
        Remedy::Set(&[]),
    ),
    queue(
        "am-nodes-too-small",
        Link::Queue,
        TO_CHANGE,
        Sign::All(&[AM, Sign::Shape(Shape::NodesTooSmall)]),
        "No node is large enough for the ApplicationMaster: {detail}",
        Remedy::Smaller(Part::JobManager),
    ),
    queue(
        "am-label-without-nodes",
        Link::Queue,
        TO_CHANGE,
        Sign::All(&[AM, Sign::Shape(Shape::LabelWithoutNodes)]),
        "The ApplicationMaster waits for a node with its label: {detail}",
        Remedy::Set(&[("yarn.application.node-label", "<a label that nodes have>", "or leave it out")]),
    ),
    queue(
        "am-queue-full",
        Link::Queue,
        TO_WAIT,
        Sign::All(&[AM, Sign::Shape(Shape::QueueFull)]),
        "The ApplicationMaster waits for room in its queue: {detail}",
        Remedy::Set(&[QUEUE]),
    ),
    queue(
        "am-nodes-full",
        Link::Queue,
        TO_WAIT,
        Sign::All(&[AM, Sign::Shape(Shape::NodesFull)]),
        "The ApplicationMaster waits until a node has room: {detail}",
        Remedy::Set(&[("jobmanager.memory.process.size", "<smaller>", "a smaller container may fit now")]),
    ),
    Rule {
        confidence: Confidence::Possible,
        symptom: true,
        ..queue(
            "am-waits",
            Link::Queue,
            TO_WAIT,
            Sign::Words(&["waiting for resources to be assigned for AM"]),
            "The ApplicationMaster's turn has come, and no node has given it a container yet: {said}{queue}",
            Remedy::Set(&[QUEUE]),
        )
    },
    queue(
        "workers-refused",
        Link::Asks,
        TO_CHANGE,
        Sign::All(&[ASKS, Sign::Shape(Shape::Refused)]),
        "YARN refuses the containers for TaskManagers, and would always refuse them: {said}",
        Remedy::Set(&[
            (
                "taskmanager.memory.process.size",
                "<smaller>",
                "if they are larger than YARN's largest container",
            ),
            (
                "yarn.taskmanager.node-label",
                "<a label that the queue may use>",
                "if their label is the reason",
            ),
        ]),
    ),
    queue(
        "workers-too-large",
        Link::Asks,
        TO_CHANGE,
        Sign::All(&[ASKS, Sign::Shape(Shape::NodesTooSmall)]),
        "No node is large enough for a TaskManager: {detail}",
        Remedy::Smaller(Part::TaskManager),
    ),
    queue(
        "workers-label-without-nodes",
        Link::Asks,
        TO_CHANGE,
        Sign::All(&[ASKS, Sign::Shape(Shape::LabelWithoutNodes)]),
        "TaskManagers wait for nodes with their label: {detail}",
        Remedy::Set(&[("yarn.taskmanager.node-label", "<a label that nodes have>", "or leave it out")]),
    ),
    queue(
        "workers-queue-full",
        Link::Asks,
        TO_WAIT,
        Sign::All(&[ASKS, Sign::Shape(Shape::QueueFull)]),
        "TaskManagers wait for room in the queue: {detail}",
        Remedy::Set(&[QUEUE, ("parallelism.default", "<smaller>", "fewer slots need fewer TaskManagers")]),
    ),
    queue(
        "workers-nodes-full",
        Link::Asks,
        TO_WAIT,
        Sign::All(&[ASKS, Sign::Shape(Shape::NodesFull)]),
        "TaskManagers wait until nodes have room: {detail}",
        Remedy::Set(&[
            ("taskmanager.memory.process.size", "<smaller>", "smaller containers may fit now"),
            ("parallelism.default", "<smaller>", "fewer slots need fewer TaskManagers"),
        ]),
    ),
    Rule {
        confidence: Confidence::Possible,
        ..queue(
            "workers-wait",
            Link::Asks,
            TO_WAIT,
            Sign::All(&[ASKS, Sign::Shape(Shape::Open)]),
            "YARN does not grant the containers for TaskManagers, and what is known of nodes and queue does not show why: {detail}",
            Remedy::Set(&[QUEUE]),
        )
    },
];

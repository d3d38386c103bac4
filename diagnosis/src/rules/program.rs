//! Rules about the program and its job.

use crate::exits::Retry;
use crate::facts::Part;
use crate::rule::{Class, Confidence, Link, Remedy, Rule, Shape, Sign, Subject, Whose, certain};
use crate::words::{NO_RESOURCE, NO_SLOT, SLOT_TIMEOUT, TOO_FEW_RESOURCES};

const TO_CHANGE: (Whose, Retry) = (Whose::Developer, Retry::AfterChange);
const DEPLOYERS: (Whose, Retry) = (Whose::Deployer, Retry::AfterChange);
/// A failure of `main()`, by its exception or by heddle-am's words in YARN's diagnostics.
const MAIN: Sign = Sign::Any(&[
    Sign::About(Subject::Program),
    Sign::All(&[Sign::About(Subject::Application), Sign::Words(&["main() of ", " failed: "])]),
]);
/// Whatever may quote an exception of the program.
const EXCEPTION: Sign = Sign::Any(&[
    Sign::About(Subject::Program),
    Sign::About(Subject::Job),
    Sign::About(Subject::Application),
    Sign::About(Subject::Client),
    Sign::About(Subject::Container(Part::JobManager)),
    Sign::About(Subject::Container(Part::TaskManager)),
]);

pub(super) const RULES: &[Rule] = &[
    certain(
        ("class-conflict", Link::Program, Class::ClassPath),
        DEPLOYERS,
        Sign::All(&[
            EXCEPTION,
            Sign::Any(&[
                Sign::Words(&["NoSuchMethodError: "]),
                Sign::Words(&["NoSuchFieldError: "]),
                Sign::Words(&["AbstractMethodError"]),
                Sign::Words(&["IncompatibleClassChangeError"]),
                Sign::Words(&["LinkageError: "]),
                Sign::Words(&["VerifyError: "]),
                Sign::Words(&["ClassCastException: ", "cannot be cast to", "is in unnamed module of loader"]),
            ]),
        ]),
        "The release of a library that wins on the class path does not fit the code that uses it: {said}{class}",
        Remedy::Classes(&[
            (
                "classloader.resolve-order",
                "parent-first",
                "or child-first: whose classes win, Flink's or those of the program's jar",
            ),
            (
                "heddle.hadoop-classpath",
                "none",
                "if the other release comes from Hadoop, and the program does not need Hadoop's classes",
            ),
            (
                "yarn.classpath.include-user-jar",
                "LAST",
                "if the program's jar has classes of Flink or of Hadoop",
            ),
        ]),
    ),
    certain(
        ("class-missing", Link::Program, Class::ClassPath),
        DEPLOYERS,
        Sign::All(&[
            EXCEPTION,
            Sign::Any(&[
                Sign::Words(&["ClassNotFoundException: "]),
                Sign::All(&[
                    Sign::Words(&["NoClassDefFoundError: "]),
                    Sign::Not(&Sign::Words(&["Could not initialize class"])),
                ]),
                Sign::Words(&["Could not find or load main class"]),
                Sign::Words(&["ServiceConfigurationError: "]),
            ]),
        ]),
        "A class was not found: {said}{class}",
        Remedy::Set(&[
            ("yarn.ship-files", "<the jar>", "or a program's jar that holds all that it needs"),
            ("heddle.hadoop-classpath", "yarn", "if it is a class of Hadoop"),
        ]),
    ),
    certain(
        ("connector-missing", Link::Program, Class::ClassPath),
        DEPLOYERS,
        Sign::All(&[
            EXCEPTION,
            Sign::Any(&[
                Sign::Words(&["Could not find any factory for identifier"]),
                Sign::Words(&["Could not find a file system implementation for scheme"]),
            ]),
        ]),
        "A connector, a format or a file system is missing in the containers: {said}",
        Remedy::Set(&[("yarn.ship-files", "<the jar of it>", "or put it into lib or plugins of FLINK_HOME")]),
    ),
    certain(
        ("program-without-job", Link::Program, Class::UserCode),
        TO_CHANGE,
        Sign::Words(&["contains no execute() calls"]),
        "The program's main() ends without starting a job: {said}",
        Remedy::Set(&[]),
    ),
    certain(
        ("state-does-not-fit", Link::Program, Class::UserCode),
        TO_CHANGE,
        Sign::Any(&[
            Sign::Words(&["Cannot map checkpoint/savepoint state for operator"]),
            Sign::Words(&["StateMigrationException"]),
            Sign::Words(&["The new state serializer", "must not be incompatible"]),
        ]),
        "The savepoint or checkpoint does not fit the program: {said}",
        Remedy::Set(&[(
            "execution.savepoint.ignore-unclaimed-state",
            "true",
            "skips state that no operator takes (`--allowNonRestoredState`; since Flink 2.0 execution.state-recovery.ignore-unclaimed-state)",
        )]),
    ),
    Rule {
        symptom: true,
        ..certain(
            ("main-fails", Link::Program, Class::UserCode),
            TO_CHANGE,
            Sign::All(&[MAIN, Sign::Not(&Sign::Words(&["contains no execute() calls"]))]),
            "The program's main() has failed: {said}",
            Remedy::Set(&[]),
        )
    },
    Rule {
        symptom: true,
        ..certain(
            ("slots-missing", Link::Slots, Class::Queue),
            (Whose::Deployer, Retry::Helps),
            Sign::Any(&[
                Sign::Words(&[NO_RESOURCE]),
                Sign::Words(&[TOO_FEW_RESOURCES]),
                Sign::Words(&[NO_SLOT]),
                Sign::Words(&[SLOT_TIMEOUT]),
            ]),
            "The job did not get its slots in time, because TaskManagers were missing: {said}",
            Remedy::Set(&[
                (
                    "slot.request.timeout",
                    "<longer than 5 min>",
                    "if YARN needs more time to give containers; for the adaptive scheduler jobmanager.adaptive-scheduler.resource-wait-timeout",
                ),
                ("parallelism.default", "<smaller>", "fewer slots need fewer TaskManagers"),
            ]),
        )
    },
    certain(
        ("checkpoints-fail", Link::Job, Class::Platform),
        DEPLOYERS,
        Sign::Any(&[
            Sign::Words(&["Exceeded checkpoint tolerable failure threshold"]),
            Sign::Words(&["Checkpoint expired before completing"]),
        ]),
        "Checkpoints fail or take too long, and the job fails for it: {said}",
        Remedy::Set(&[
            ("execution.checkpointing.timeout", "<longer than 10 min>", "if they only take long"),
            (
                "execution.checkpointing.tolerable-failed-checkpoints",
                "<more than 0>",
                "lets the job live while a few fail",
            ),
        ]),
    ),
    Rule {
        confidence: Confidence::Likely,
        symptom: true,
        ..certain(
            ("worker-lost", Link::TaskManager, Class::Platform),
            (Whose::Deployer, Retry::Helps),
            Sign::All(&[
                EXCEPTION,
                Sign::Any(&[
                    Sign::Words(&["onnection unexpectedly closed"]),
                    Sign::Words(&["Heartbeat of TaskManager", "timed out"]),
                    Sign::Words(&["is no longer reachable"]),
                    Sign::Words(&["The TaskExecutor is shutting down"]),
                    // Flink's words for the status -100 of a container, of which more is in its log.
                    Sign::Words(&["killed by YARN, either due to being released"]),
                ]),
            ]),
            "A TaskManager was lost, and nobody has told why yet: {said}",
            Remedy::Set(&[(
                "heartbeat.timeout",
                "<longer than 50 s>",
                "if garbage collection or a busy machine has kept it silent",
            )]),
        )
    },
    Rule {
        symptom: true,
        ..certain(
            ("job-fails", Link::Job, Class::UserCode),
            TO_CHANGE,
            Sign::Any(&[
                Sign::Shape(Shape::JobFailed),
                Sign::All(&[Sign::About(Subject::Application), Sign::Tells(&["Job \"", " failed: "])]),
            ]),
            "The job has failed by an exception: {said}",
            Remedy::Set(&[]),
        )
    },
    Rule {
        confidence: Confidence::Likely,
        symptom: true,
        ..certain(
            ("worker-crashed", Link::TaskManager, Class::Platform),
            DEPLOYERS,
            Sign::All(&[Sign::About(Subject::Container(Part::TaskManager)), Sign::Shape(Shape::Crashed)]),
            "{who} has ended by itself: {said}",
            Remedy::Set(&[]),
        )
    },
];

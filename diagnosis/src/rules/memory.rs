//! Rules about memory.

use crate::exits::Retry;
use crate::facts::{Exhausted, Part};
use crate::rule::{Class, Confidence, Link, Remedy, Rule, Sign, Subject, Whose};

/// A rule about the memory of a part.
const fn memory(id: &'static str, part: Part, sign: Sign, text: &'static str, remedy: Remedy) -> Rule {
    Rule {
        id,
        link: match part {
            Part::JobManager => Link::JobManager,
            Part::TaskManager => Link::TaskManager,
        },
        class: Class::Memory,
        whose: Whose::Deployer,
        retry: Retry::AfterChange,
        confidence: Confidence::Certain,
        symptom: false,
        sign,
        text,
        remedy,
    }
}

const TM: Part = Part::TaskManager;
const JM: Part = Part::JobManager;
/// A TaskManager, or a job that tells of its exception.
const OF_TM: Sign = Sign::Any(&[Sign::About(Subject::Container(TM)), Sign::About(Subject::Job)]);
const OF_JM: Sign = Sign::Any(&[Sign::About(Subject::Container(JM)), Sign::About(Subject::Program)]);

const THREADS: Remedy = Remedy::Set(&[(
    "ulimit -u",
    "<larger>",
    "on the nodes, for the user of the containers; also pids.max of their cgroup. Or fewer slots or threads in a container",
)]);

pub(super) const RULES: &[Rule] = &[
    memory(
        "worker-over-physical-memory",
        TM,
        Sign::All(&[Sign::About(Subject::Container(TM)), Sign::Status(&[-104])]),
        "The NodeManager has killed {who}, because it used more memory than its container has{usage}. Java limits its own pools, so native memory has grown.",
        Remedy::Native(TM),
    ),
    memory(
        "worker-over-virtual-memory",
        TM,
        Sign::All(&[Sign::About(Subject::Container(TM)), Sign::Status(&[-103])]),
        "The NodeManager has killed {who}, because its address space was larger than it allows{usage}.",
        Remedy::AddressSpace,
    ),
    memory(
        "worker-killed-by-kernel",
        TM,
        Sign::All(&[Sign::About(Subject::Container(TM)), Sign::Exhausted(&[Exhausted::Cgroup])]),
        "The kernel has killed {who}, because its container reached its limit of memory{usage}. Java limits its own pools, so native memory has grown.",
        Remedy::Native(TM),
    ),
    Rule {
        class: Class::Node,
        whose: Whose::Administrator,
        retry: Retry::Helps,
        confidence: Confidence::Likely,
        ..memory(
            "worker-killed-on-full-host",
            TM,
            Sign::All(&[Sign::About(Subject::Container(TM)), Sign::Exhausted(&[Exhausted::Host])]),
            "The kernel's out-of-memory killer was at work on the host and has probably killed {who}: YARN gives out more memory than the machine has, or something beside YARN uses it.",
            Remedy::Set(&[(
                "yarn.nodemanager.resource.memory-mb",
                "<smaller>",
                "on the node, so that containers and the system fit into its memory",
            )]),
        )
    },
    memory(
        "worker-heap-full",
        TM,
        Sign::All(&[OF_TM, Sign::Exhausted(&[Exhausted::Heap])]),
        "The Java heap of {who} was full. {said}",
        Remedy::Pool(TM, Exhausted::Heap),
    ),
    memory(
        "worker-metaspace-full",
        TM,
        Sign::All(&[OF_TM, Sign::Exhausted(&[Exhausted::Metaspace])]),
        "The memory for classes (metaspace) of {who} was full. If that happens only after many jobs on one session, their classes are not given free: threads or static fields of the program hold them. {said}",
        Remedy::Pool(TM, Exhausted::Metaspace),
    ),
    memory(
        "worker-direct-memory-full",
        TM,
        Sign::All(&[OF_TM, Sign::Exhausted(&[Exhausted::Direct])]),
        "The direct memory of {who} was used up. {said}",
        Remedy::Pool(TM, Exhausted::Direct),
    ),
    memory(
        "worker-native-memory-full",
        TM,
        Sign::All(&[OF_TM, Sign::Exhausted(&[Exhausted::Native])]),
        "The system gave the JVM of {who} no more native memory. {said}",
        Remedy::Native(TM),
    ),
    memory(
        "worker-threads-used-up",
        TM,
        Sign::All(&[OF_TM, Sign::Exhausted(&[Exhausted::Threads])]),
        "{who} could not make another thread: a limit of threads or of processes was reached. {said}",
        THREADS,
    ),
    memory(
        "jobmanager-over-physical-memory",
        JM,
        Sign::All(&[
            Sign::About(Subject::Container(JM)),
            Sign::Any(&[Sign::Words(&["beyond the 'PHYSICAL' memory limit"]), Sign::Status(&[-104])]),
        ]),
        "The NodeManager has killed the ApplicationMaster's container, because it used more memory than it has{usage}. Java limits its own pools, so native memory has grown.",
        Remedy::Native(JM),
    ),
    memory(
        "jobmanager-over-virtual-memory",
        JM,
        Sign::All(&[
            Sign::About(Subject::Container(JM)),
            Sign::Any(&[Sign::Words(&["beyond the 'VIRTUAL' memory limit"]), Sign::Status(&[-103])]),
        ]),
        "The NodeManager has killed the ApplicationMaster's container, because its address space was larger than it allows{usage}.",
        Remedy::AddressSpace,
    ),
    memory(
        "jobmanager-killed-by-kernel",
        JM,
        Sign::All(&[
            Sign::About(Subject::Container(JM)),
            Sign::Exhausted(&[Exhausted::Cgroup, Exhausted::Host]),
        ]),
        "The kernel has killed the JobManager for want of memory{usage}.",
        Remedy::Native(JM),
    ),
    memory(
        "jobmanager-heap-full",
        JM,
        Sign::All(&[OF_JM, Sign::Exhausted(&[Exhausted::Heap])]),
        "The Java heap of {who} was full. {said}",
        Remedy::Pool(JM, Exhausted::Heap),
    ),
    memory(
        "jobmanager-metaspace-full",
        JM,
        Sign::All(&[OF_JM, Sign::Exhausted(&[Exhausted::Metaspace])]),
        "The memory for classes (metaspace) of {who} was full. {said}",
        Remedy::Pool(JM, Exhausted::Metaspace),
    ),
    memory(
        "jobmanager-direct-memory-full",
        JM,
        Sign::All(&[OF_JM, Sign::Exhausted(&[Exhausted::Direct])]),
        "The direct memory of {who} was used up. {said}",
        Remedy::Pool(JM, Exhausted::Direct),
    ),
    memory(
        "jobmanager-native-memory-full",
        JM,
        Sign::All(&[OF_JM, Sign::Exhausted(&[Exhausted::Native])]),
        "The system gave the JVM of {who} no more native memory. {said}",
        Remedy::Native(JM),
    ),
    memory(
        "jobmanager-threads-used-up",
        JM,
        Sign::All(&[OF_JM, Sign::Exhausted(&[Exhausted::Threads])]),
        "{who} could not make another thread: a limit of threads or of processes was reached. {said}",
        THREADS,
    ),
];

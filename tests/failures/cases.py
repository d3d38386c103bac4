"""The failures, and what is written about each."""

from collections.abc import Callable
from dataclasses import dataclass

from harness import failures


@dataclass(frozen=True)
class Case:
    title: str
    # What was done, in sentences for somebody who knows Flink.
    done: str
    # One of these has to be found.
    rules: tuple
    # (work, client, jar) -> a context with what was made.
    make: Callable
    # Whether its application can also be one of Flink's own client. Of others that says too little, or only
    # in logs that YARN must collect.
    reference: bool = True


CASES = {
    "memory-kill": Case(
        "A TaskManager that YARN kills for its memory",
        "A session with TaskManagers of 1 GB. The job's task takes 1 GB of native memory, as a library in C might.",
        ("worker-over-physical-memory",),
        failures.memory_kill,
    ),
    "full-heap": Case(
        "A heap that is full",
        "A session with TaskManagers of 1 GB. The job's task keeps arrays of bytes until Java has no more heap.",
        ("worker-heap-full",),
        failures.full_heap,
    ),
    "full-metaspace": Case(
        "Metaspace that is full",
        "A session with `taskmanager.memory.jvm-metaspace.size: 128m`. The job's task loads classes, and keeps them.",
        ("worker-metaspace-full",),
        failures.full_metaspace,
    ),
    "full-direct-memory": Case(
        "Direct memory that is used up",
        "A session with TaskManagers of 1 GB. The job's task allocates direct buffers, and keeps them.",
        ("worker-direct-memory-full",),
        failures.full_direct_memory,
    ),
    "main-throws": Case(
        "A `main()` that throws",
        "An application whose `main()` throws an exception before it starts a job.",
        ("main-fails",),
        failures.main_that_throws,
        reference=False,
    ),
    "job-fails": Case(
        "A job that fails",
        "An application whose job throws an exception for a record, and has no restart strategy.",
        ("job-fails",),
        failures.job_that_fails,
        reference=False,
    ),
    "missing-class": Case(
        "A class that is missing",
        "An application with a jar from which a class was taken out that `main()` needs.",
        ("class-missing",),
        failures.class_that_is_missing,
        reference=False,
    ),
    "wrong-java": Case(
        "A Java that is not there",
        f"An application with `{failures.JAVA_KEY}: {failures.NO_JAVA}`, so no TaskManager can start.",
        ("no-java",),
        failures.java_that_is_not_there,
        reference=False,
    ),
    "missing-file": Case(
        "A shipped file that is gone before the application starts",
        "A session that ships a file with `yarn.ship-files`, and that waits for its queue. Meanwhile the file is removed from HDFS.",
        ("file-missing",),
        failures.file_that_is_gone,
    ),
    "full-queue": Case(
        "A queue that is full",
        "A second session in a queue in which the ApplicationMaster of the first one uses all that ApplicationMasters may use.",
        ("queue-am-share-used-up", "am-queue-full"),
        failures.full_queue,
    ),
    "full-nodes": Case(
        "TaskManagers for which no node has room",
        "A job that needs three TaskManagers of 6 GB, on two nodes of 8 GB.",
        ("workers-nodes-full", "workers-queue-full"),
        failures.full_nodes,
        reference=False,
    ),
}

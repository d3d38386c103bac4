"""Failures and waits, made for real on a running cluster: what the scenarios of `heddle why` and of waiting
look at, and of which `scripts/explain-failures` writes down what heddle says.

Each function makes one and gives control back while it can be looked at; what it has started ends afterwards.
`work` has a cluster, a directory and a name for applications; `client` is heddle or Flink's own client.
"""

import contextlib
from dataclasses import dataclass, field

from . import jars
from .client import KEPT, LONG, ONE_ATTEMPT
from .cluster import FINISHED
from .waiting import wait_for

SMALL_SESSION = ("-jm", "1024", "-tm", "1024")
# The queue in which one ApplicationMaster has room.
NARROW = "narrow"
NO_JAVA = "/no/such/java"
JAVA_KEY = "containerized.taskmanager.env.JAVA_HOME"


@dataclass
class Made:
    """What was made: the application, the command that has failed or waits, and whatever else is of
    interest."""

    application: str
    result: object = None
    running: object = None
    others: list = field(default_factory=list)


def end(session):
    session.stop().ok()
    session.cluster.yarn.wait_state(session.application, *FINISHED)


def waits(client, name):
    """The application of a command that waits for YARN."""
    [app] = wait_for("the application", lambda: client.cluster.yarn.by_name(name), 60)
    client.cluster.yarn.wait_state(app["id"], "ACCEPTED")
    return app["id"]


# ---- what ends jobs and TaskManagers


@contextlib.contextmanager
def in_session(work, client, jar, main, *arguments, options=()):
    """A job on a session, which fails."""
    session = client.session("-nm", work.name, KEPT, ONE_ATTEMPT, *options)
    result = session.run(jar, main, *arguments, seconds=LONG)
    assert result.code != 0, result
    yield Made(session.application, result)
    end(session)


@contextlib.contextmanager
def in_application(work, client, jar, main, *arguments, options=()):
    """An application that fails. heddle waits for its end."""
    attached = ["--attached"] if client.is_heddle else []
    result = client.application(work.name, jar, main, *arguments, options=[*options, *attached], seconds=LONG)
    assert result.code != 0 or not client.is_heddle, result
    application = result.application
    assert client.cluster.yarn.wait_state(application, *FINISHED, seconds=90)["finalStatus"] == "FAILED"
    yield Made(application, result)


def memory_kill(work, client, jar):
    """More memory than the container has, which no pool of Flink knows."""
    return in_session(work, client, jar, "TakesMemory", "--mb", "1024")


def memory_kill_of_application(work, client, jar):
    return in_application(work, client, jar, "TakesMemory", "--mb", "1024", options=[ONE_ATTEMPT])


def full_heap(work, client, jar):
    return in_session(work, client, jar, "FillsHeap")


def full_metaspace(work, client, jar):
    """With less of it than by default, so that it is full soon."""
    return in_session(work, client, jar, "FillsMetaspace", options=["-Dtaskmanager.memory.jvm-metaspace.size=128m"])


def full_direct_memory(work, client, jar):
    return in_session(work, client, jar, "FillsDirectMemory")


def main_that_throws(work, client, jar):
    return in_application(work, client, jar, "ThrowInMain")


def job_that_fails(work, client, jar):
    return in_application(work, client, jar, "FailAtRuntime")


def class_that_is_missing(work, client, jar):
    """`main()` needs a class that the program's jar does not hold."""
    broken = jars.without(jar, work.directory / "broken", "TextLines")
    return in_application(work, client, broken, "WordCount", "--input", "hdfs:///tmp/words.txt")


def java_that_is_not_there(work, client, jar):
    options = [f"-D{JAVA_KEY}={NO_JAVA}", "-Dslot.request.timeout=5000", "-Drestart-strategy.type=none"]
    options += ["-Dresourcemanager.start-worker.retry-interval=1s"]
    return in_application(work, client, jar, "WordCount", options=options)


# ---- what is waited for, and what is gone after a wait


@contextlib.contextmanager
def full_queue(work, client, jar=None, more=0):
    """An application that waits for its queue, which another one fills; `more` applications wait behind
    it."""
    fill = client.session("-nm", f"{work.name}-fill", "-qu", NARROW)
    words = ("yarn-session.sh", "-d", *SMALL_SESSION, "-qu", NARROW, "-nm")
    names = [f"{work.name}-{number + 1}" for number in range(1 + more)]
    started = []
    for name in names:
        running = client.start(*words, name)
        started.append((running, waits(client, name)))
    (running, application), *others = started
    yield Made(application, running=running, others=others)
    for waiting, application in started:
        waiting.kill()
        client.cluster.yarn.kill(application)
        client.cluster.yarn.wait_state(application, "KILLED")
        if client.is_heddle:
            # Its client cannot clean up any more.
            client.cluster.hdfs.delete(f"{client.cluster.hdfs.home}/.flink/{application}")
    end(fill)


@contextlib.contextmanager
def file_that_is_gone(work, client, jar=None):
    """While an application waits for its queue, somebody removes a file from HDFS that was shipped with
    it."""
    hdfs, name = client.cluster.hdfs, f"{work.name}-1"
    shipped = work.directory / f"{work.name}.properties"
    shipped.write_text(f"name = {work.name}\n")
    fill = client.session("-nm", f"{work.name}-fill", "-qu", NARROW)
    words = (*SMALL_SESSION, ONE_ATTEMPT, f"-Dyarn.ship-files={shipped}", "-qu", NARROW, "-nm", name)
    running = client.start("yarn-session.sh", "-d", *words)
    application = waits(client, name)
    stored = [path for path in hdfs.tree(hdfs.home) if path.endswith(f"/{shipped.name}")]
    assert stored, "the file is nowhere in HDFS"
    for path in stored:
        hdfs.delete(path)
    end(fill)
    result = running.result(LONG)
    assert result.code != 0, result
    client.cluster.yarn.wait_state(application, *FINISHED)
    yield Made(application, result, running)


@contextlib.contextmanager
def full_nodes(work, client, jar):
    """Two TaskManagers fill both nodes, and the third has no room."""
    session = client.session("-nm", work.name, "-tm", "6144")
    job = session.start(jar, "Sleepy", "--seconds", "600", options=["-p", "3"])
    client.cluster.yarn.wait_workers(session.application, 2, seconds=120)
    yield Made(session.application, running=job)
    job.interrupt()
    job.result(60)
    end(session)


@contextlib.contextmanager
def held_nodes(work, client, jar, mode="session"):
    """Two other sessions hold most of both nodes. Two of the five TaskManagers of a job do not come until one
    of them leaves."""
    others = [client.session("-nm", f"{work.name}-fill-{number}", "-jm", "5888") for number in (1, 2)]
    program, session = ("Sleepy", "--seconds", "20"), None
    if mode == "session":
        session = client.session("-nm", work.name)
        application = session.application
        running = session.start(jar, *program, options=["-p", "5"])
    else:
        running = client.start_per_job(work.name, jar, *program, options=["-p", "5"])
        [app] = wait_for("the application", lambda: client.cluster.yarn.by_name(work.name), 60)
        application = app["id"]
    yield Made(application, running=running, others=others)
    assert running.result(150).code == 0
    if session:
        session.stop().ok()
    for other in others:
        # Whoever looks at this may have stopped one.
        if client.cluster.yarn.app(other.application)["state"] not in FINISHED:
            other.stop().ok()
    for ended in (application, *(other.application for other in others)):
        client.cluster.yarn.wait_state(ended, "FINISHED")

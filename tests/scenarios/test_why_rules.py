"""Rules of `heddle why` (docs/reference/causes.md), each with a fault that is made for real.

First it is seen that the fault has happened, from YARN's or the system's side; then the rule, what it quotes
and what it says to set. Other rules are in test_why.py, test_faults.py (preemption) and
test_kerberos_tokens.py (tokens).
"""

import re
import shutil
import signal
import subprocess

import pytest

from conftest import FLINK_VERSION, cluster_of
from harness import processes
from harness.checks import check_gone
from harness.client import KEPT, LONG, ONE_ATTEMPT
from harness.cluster import FINISHED
from harness.jars import conflict_jar
from harness.waiting import wait_for
from harness.why import check, findings

pytestmark = [pytest.mark.extended, pytest.mark.timeout(900)]

OF_THE_NODE = ["node-gone", "container-on-lost-node"]


def evidence(finding):
    return "\n".join(one["text"] for one in finding["evidence"])


def logs_of_nodes(cluster):
    """What the NodeManagers themselves have logged."""
    return "".join((cluster.directory / f"logs/nodemanager{n}.log").read_text(errors="replace") for n in (1, 2))


def stop(work, session):
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, *FINISHED)


# ---- memory


def limited(kind, size):
    """The option that starts each JVM with a limit of the system's (`prlimit --help`)."""
    return f"-Dyarn.container-start-command-template=prlimit --{kind}={size} %java% %jvmmem% %jvmopts% %logging% %class% %args% %redirects%"


NO_PRLIMIT = pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit on this machine")


@NO_PRLIMIT
@pytest.mark.reference(extended=True)
def test_threads(work, client, jar):
    """A limit of address space takes the place of one of processes, which does not hold for root."""
    session = client.session("-nm", work.name, KEPT, limited("as", 12 << 30))
    heddle = work.client("heddle")
    result = session.run(jar, "FillsThreads", seconds=LONG)
    assert result.code != 0 and re.search(r"unable to create (new )?native thread", result.text), result
    rule = "worker-threads-used-up"
    wait_for("the cause", lambda: rule in findings(heddle, session.application), 60)
    finding, _ = check(heddle, session.application, [rule], "ulimit -u", "<larger>", said="could not make another thread")
    assert "native thread" in evidence(finding), finding
    stop(work, session)


@NO_PRLIMIT
@pytest.mark.heddle_only("of Flink's own, only the file of the JVM's output tells it")
def test_native_memory(work, client, jar):
    """The heap may become larger than all the memory that the system gives to the JVM, which ends by itself.
    The container has room for more, so that the NodeManager has no reason to end it."""
    options = [limited("data", 2560 << 20), "-Denv.java.opts.taskmanager=-XX:+UseG1GC -Xmx3500m"]
    session = client.session("-nm", work.name, "-tm", "4096", KEPT, *options)
    assert session.run(jar, "FillsHeap", seconds=LONG).code != 0
    rule, key = "worker-native-memory-full", "taskmanager.memory.jvm-overhead.min"
    wait_for("the cause", lambda: rule in findings(client, session.application), 60)
    finding, _ = check(client, session.application, [rule], key, r"\d+m|<larger>", said="gave the JVM of")
    assert "no more native memory" in evidence(finding), finding
    assert "worker-heap-full" not in findings(client, "--all", session.application)
    stop(work, session)


@NO_PRLIMIT
@pytest.mark.skipif(FLINK_VERSION.startswith("1.1") and FLINK_VERSION < "1.18", reason="Java 11 gives that error no words")
@pytest.mark.reference(extended=True)
def test_native_memory_of_a_program(work, client, jar):
    """Address space runs out, and Java tells it the program that takes it."""
    heddle = work.client("heddle")
    session = client.session("-nm", work.name, KEPT, limited("as", 12 << 30))
    result = session.run(jar, "TakesMemory", "--mb", "40960", "--reserved", "1", seconds=LONG)
    assert result.code != 0 and "OutOfMemoryError: Unable to allocate" in result.text, result
    rule, key = "worker-native-memory-full", "taskmanager.memory.jvm-overhead.min"
    finding, _ = check(heddle, session.application, [rule], key, r"\d+m|<larger>", said="no more native memory")
    assert "Unable to allocate" in evidence(finding), finding
    stop(work, session)


@NO_PRLIMIT
@pytest.mark.heddle_only("of Flink's own, only the file of the JVM's output tells it")
@pytest.mark.parametrize(
    ("kind", "size", "words"),
    [("data", 2560 << 20, "insufficient memory|Not enough space"), ("as", 12 << 30, "Could not reserve enough space for")],
)
def test_native_memory_of_the_jobmanager(work, client, kind, size, words):
    """Its JVM cannot even start. The command that has failed tells the cause by itself."""
    heap = "-Xms3500m -Xmx3500m" if kind == "data" else "-Xmx24g"
    options = [limited(kind, size), f"-Denv.java.opts.jobmanager=-XX:+UseG1GC {heap}", ONE_ATTEMPT]
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, *options, seconds=LONG)
    assert result.code == 1 and re.search(words, result.err), result
    application = result.application
    check_gone(work.cluster, application, "FAILED")
    rule, key = "jobmanager-native-memory-full", "jobmanager.memory.jvm-overhead.min"
    check(client, application, [rule], key, r"\d+m|<larger>", said="gave the JVM of")


@pytest.fixture
def checked(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster that also looks at address space."""
    settings = {"yarn.nodemanager.vmem-check-enabled": "true", "yarn.nodemanager.vmem-pmem-ratio": 16}
    yield from cluster_of(request, cluster, "why-space", tmp_path, flink_home, client_kind, set=settings)


@pytest.mark.heddle_only("Flink's own client says that the TaskExecutor shuts down")
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("why-cluster")
def test_address_space(checked, jar):
    work, client = checked, checked.client()
    session = client.session("-nm", work.name, KEPT, ONE_ATTEMPT)
    assert session.run(jar, "TakesMemory", "--mb", "40960", "--reserved", "1", seconds=LONG).code != 0
    wait_for("the NodeManager's kill", lambda: "beyond the 'VIRTUAL' memory limit" in logs_of_nodes(work.cluster), 30)
    rule = "worker-over-virtual-memory"
    wait_for("the cause", lambda: rule in findings(client, session.application), 30)
    finding, _ = check(client, session.application, [rule], "yarn.nodemanager.vmem-check-enabled", "false", said="because its address space")
    assert {fix["choice"] for fix in finding["fix"]} == {1, 2} and "VIRTUAL" in evidence(finding), finding
    stop(work, session)


@pytest.mark.reference(extended=True)
def test_the_jobmanagers_memory(work, client, jar):
    """The ResourceManager tells it of every ApplicationMaster."""
    cluster, heddle = work.cluster, work.client("heddle")
    session = client.session("-nm", work.name, ONE_ATTEMPT)
    assert session.run(jar, "TakesMemory", "--mb", "1024", "--where", "master", seconds=LONG).code != 0
    app = cluster.yarn.wait_state(session.application, *FINISHED)
    assert "exitCode: -104" in app["diagnostics"], app
    # Killed as it was it could not remove it.
    cluster.hdfs.delete(f"{cluster.hdfs.home}/.flink/{session.application}")
    rule, key = "jobmanager-over-physical-memory", "jobmanager.memory.jvm-overhead.min"
    finding, _ = check(heddle, session.application, [rule], key, r"\d+m|<larger>", said="because it used more memory than it has (")
    assert "beyond the 'PHYSICAL' memory limit" in evidence(finding), finding


# ---- nodes and files


@pytest.fixture
def apart(request, cluster, tmp_path, flink_home, client_kind):
    """Two nodes, each with room for one container, so that a TaskManager is never on the JobManager's
    node."""
    settings = {"yarn.nm.liveness-monitor.expiry-interval-ms": 8000}
    options = {"node_memory": 1536, "log_aggregation": True, "set": settings}
    yield from cluster_of(request, cluster, "why-apart", tmp_path, flink_home, client_kind, **options)


def daemon_of(cluster, container):
    """The NodeManager that has it, by the directory of its logs."""
    [file] = wait_for("the TaskManager's log", lambda: cluster.log_files(container, "taskmanager.log"), 30)
    return file.relative_to(cluster.directory).parts[0]


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and YARN waits before it calls a node lost")
@pytest.mark.xdist_group("why-cluster")
def test_a_node_that_is_lost(apart, jar):
    work, cluster, heddle = apart, apart.cluster, apart.client("heddle")
    session = work.client().session("-nm", work.name, KEPT)
    session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    cluster.yarn.wait_workers(session.application, 1, seconds=120)
    [worker] = wait_for("the TaskManager", lambda: processes.taskmanager_jvms(cluster, session.application), 30)
    daemon = daemon_of(cluster, worker.container)
    cluster.signal(daemon, signal.SIGSTOP)
    try:
        states = lambda: [node["state"] for node in cluster.yarn.get("nodes")["nodes"]["node"]]  # noqa: E731
        wait_for("YARN calls the node lost", lambda: "LOST" in states(), 60)
        wait_for("the cause", lambda: set(OF_THE_NODE) & set(findings(heddle, session.application)), 90, every=1)
        finding, _ = check(heddle, session.application, OF_THE_NODE, said="it is not the job that is wrong")
        assert (finding["class"], finding["retry"]) == ("node", "helps"), finding
        assert re.search(r"LOST|\*lost\* node", evidence(finding) + finding["text"]), finding
    finally:
        cluster.signal(daemon, signal.SIGCONT)
    cluster.yarn.kill(session.application)
    cluster.yarn.wait_state(session.application, *FINISHED)
    cluster.hdfs.delete(f"{cluster.hdfs.home}/.flink/{session.application}")


@pytest.fixture
def small_disk(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster whose second node, the only one with a label, has its local directory on a small disk of its
    own."""
    settings = {
        "yarn.nodemanager.disk-health-checker.interval-ms": 1000,
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 90,
    }
    for work in cluster_of(request, cluster, "why-disk", tmp_path, flink_home, client_kind, node_label="fast", set=settings):
        made, local = work.cluster, work.cluster.directory / "nodemanager2/local"
        made.signal("nodemanager2", signal.SIGKILL)
        shutil.rmtree(local, ignore_errors=True)
        local.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800m", "heddle-test", local], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be mounted on this machine: {done.stderr.strip()}")
        try:
            made.up(node_label="fast", set=settings)
            yield work, local
        finally:
            subprocess.run(["umount", "--lazy", local], check=False)


@pytest.mark.heddle_only("of Flink's own, YARN tells only that the node is lost")
@pytest.mark.slow("a cluster of its own, with a NodeManager that is started twice")
@pytest.mark.xdist_group("why-cluster")
def test_a_disk_that_is_full(small_disk, jar):
    work, local = small_disk
    cluster, client = work.cluster, work.client()
    session = client.session("-nm", work.name, KEPT, "-Dyarn.taskmanager.node-label=fast")
    session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    cluster.yarn.wait_workers(session.application, 1, seconds=120)
    usage = shutil.disk_usage(local)
    with (local / "fill").open("wb") as file:
        for _ in range(int(usage.total * 0.95 - usage.used) >> 20):
            file.write(bytes(1 << 20))
    reports = lambda: [(node["state"], node["healthReport"]) for node in cluster.yarn.get("nodes")["nodes"]["node"]]  # noqa: E731
    wait_for("YARN calls the node unhealthy", lambda: [r for s, r in reports() if s == "UNHEALTHY" and "used space above" in r], 60)
    wait_for("the cause", lambda: "disk-full" in findings(client, session.application), 60, every=1)
    key = "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage"
    finding, _ = check(client, session.application, ["disk-full"], key, "<up to 100>", said="A disk is full")
    assert "used space above threshold of 90" in evidence(finding), finding
    (local / "fill").unlink()
    client.run("heddle", "kill", session.application).ok()
    check_gone(cluster, session.application, "KILLED", files=False)


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("why-cluster")
@pytest.mark.parametrize(
    ("how", "rule", "words"),
    [("removed", "file-missing", "File does not exist"), ("changed", "file-changed", "changed on src filesystem")],
)
def test_a_file_that_is_not_what_it_was(apart, jar, how, rule, words):
    """The JobManager's node has it, and the TaskManager's does not get it. That the job fails is a
    consequence."""
    work, cluster, heddle = apart, apart.cluster, apart.client("heddle")
    path = f"{work.hdfs_dir}/shipped/notes.txt"
    cluster.hdfs.write(path, "as it was")
    options = ["-Dslot.request.timeout=20000", "-Drestart-strategy.type=none", "-Dresourcemanager.start-worker.retry-interval=1s"]
    session = work.client().session("-nm", work.name, *options, f"-Dyarn.ship-files={cluster.fs}{work.hdfs_dir}/shipped")
    if how == "removed":
        cluster.hdfs.delete(path)
    else:
        cluster.hdfs.write(path, "another text")
    result = session.run(jar, "WordCount", seconds=LONG)
    assert result.code != 0, result
    assert words in logs_of_nodes(cluster), "no NodeManager has missed the file"
    wait_for("the cause", lambda: rule in findings(heddle, session.application), 60)
    finding, _ = check(heddle, session.application, [rule], said="notes.txt")
    assert (finding["class"], finding["link"]) == ("localization", "files") and words in evidence(finding), finding
    assert "job-fails" not in findings(heddle, session.application)
    assert "job-fails" in findings(heddle, "--all", session.application)
    stop(work, session)


# ---- classes


@pytest.mark.heddle_only("only heddle-am looks into the jars")
def test_which_jar_wins(work, client, flink_home):
    """The class path comes first and is sorted by name, and the shipped jar has an older release of a library
    than the program's."""
    jar = conflict_jar(flink_home, FLINK_VERSION)
    library = jar.with_name("a-library.jar")
    options = ["--attached", ONE_ATTEMPT, f"-Dyarn.ship-files={library}", "-Dclassloader.resolve-order=parent-first"]
    result = client.application(work.name, jar, "UsesLibrary", options=options, seconds=LONG)
    assert result.code == 1 and "NoSuchMethodError" in result.err, result
    app = check_gone(work.cluster, result.application, "FAILED")
    wins = "heddle.conflict.Library is in a-library.jar (shipped), which wins, and in conflict.jar (of the program)"
    assert wins in app["diagnostics"], app["diagnostics"]
    rule, key = "class-conflict", "yarn.classpath.include-user-jar"
    finding, _ = check(client, result.application, [rule], key, "FIRST", said=wins)
    assert any((fix["key"], fix["value"]) == ("yarn.ship-files", "<without a-library.jar>") for fix in finding["fix"]), finding
    assert finding["class"] == "class-path" and "NoSuchMethodError" in evidence(finding), finding

    assert any((fix["key"], fix["value"]) == ("classloader.resolve-order", "child-first") for fix in finding["fix"]), finding

    # What it says to set helps.
    again = client.application(f"{work.name}-2", jar, "UsesLibrary", options=[*options, f"-D{key}=FIRST"], seconds=LONG)
    assert again.code == 1 and "the newer release of the library was used" in again.err, again
    check_gone(work.cluster, again.application, "FAILED")

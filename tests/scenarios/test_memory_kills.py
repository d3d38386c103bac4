"""Containers that YARN kills for their memory: the cause reaches the user, with what was used and what is
allowed.

The job takes memory that no pool of Flink knows. The NodeManager sees it within three seconds (its polling
check, which asks for `yarn.nodemanager.resource.memory.enforced=false`), sends SIGTERM, upon which a
TaskManager signs off, and only then tells YARN.
"""

import contextlib
import os
import re
from pathlib import Path

import pytest

from conftest import Workspace, label
from harness import processes
from harness.cluster import FINISHED, Cluster
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

PHYSICAL, VIRTUAL = -104, -103
WORDS = {
    PHYSICAL: r"more physical memory than the container has \(exit status -104\): [\d.]+ GB of 1 GB physical memory used",
    VIRTUAL: r"more virtual memory than allowed .*\(exit status -103\): .*; [\d.]+ [GT]B of [\d.]+ GB virtual memory used",
}
# Of a JobManager it is the ResourceManager that tells, in its own words.
YARNS = {
    PHYSICAL: r"beyond the 'PHYSICAL' memory limit. Current usage: [\d.]+ GB of 1 GB physical memory used",
    VIRTUAL: r"beyond the 'VIRTUAL' memory limit. Current usage: .*; [\d.]+ [GT]B of [\d.]+ GB virtual memory used",
}
TAKEN = {PHYSICAL: ("--mb", "1024"), VIRTUAL: ("--mb", "40960", "--reserved", "1")}
# The taskrunner has had the time to say so: a NodeManager's SIGKILL comes a quarter of a second after its
# SIGTERM, and on a busy machine that may be too soon.
SIGNALLED = "something tells the container to end"
OF_MASTER = "memory of the container's processes at SIGTERM"
# On a machine that others use too.
LONG = 300
SESSION = ("-Dresourcemanager.taskmanager-timeout=120000", "-Dyarn.application-attempts=1")


@pytest.fixture
def checked(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster that also looks at address space, generously: a JVM has a few GB of it without using any."""
    made = Cluster(f"{cluster.name}-space")
    settings = {"yarn.nodemanager.vmem-check-enabled": "true", "yarn.nodemanager.vmem-pmem-ratio": 16}
    try:
        made.up(set=settings)
        work = Workspace(made, client_kind, tmp_path, flink_home, label(request))
        yield work
        work.close(getattr(request.node, "failed", True))
    finally:
        made.down()


def run(work, client, mode, jar, *arguments):
    """Runs the job attached; gives the result of the command and the application's id."""
    options = ["-Dyarn.application-attempts=1"]
    if mode in ("session", "main-in-session"):
        session = client.session("-nm", work.name, *SESSION)
        where = ["--main", "cluster"] if mode == "main-in-session" else []
        return session.run(jar, "TakesMemory", *arguments, options=where, seconds=LONG), session
    if mode == "per-job":
        result = client.per_job(work.name, jar, "TakesMemory", *arguments, options=options, seconds=LONG)
    else:
        attached = ["--attached"] if client.is_heddle else []
        result = client.application(work.name, jar, "TakesMemory", *arguments, options=[*options, *attached], seconds=LONG)
    return result, None


def kills(cluster, application, status):
    """The NodeManagers' own word that they killed a container of the application."""
    number = application.removeprefix("application_")
    kind = "PHYSICAL" if status == PHYSICAL else "VIRTUAL"
    logs = "".join((cluster.directory / f"logs/nodemanager{n}.log").read_text(errors="replace") for n in (1, 2))
    return re.findall(rf"containerID=(container_\S*{number}_\d+_\d+)\] is running \d+B beyond the '{kind}' memory limit", logs)


def check_worker(work, client, mode, jar, status):
    cluster = work.cluster
    result, session = run(work, client, mode, jar, *TAKEN[status])
    application = session.application if session else result.application
    assert result.code != 0, result
    killed = wait_for("the kill", lambda: kills(cluster, application, status), 20)
    if session:
        said = lambda name: cluster.log_text(application, name)  # noqa: E731
        wait_for("the cause in the JobManager's log", lambda: re.search(WORDS[status], said("jobmanager.log")), 20)
        session.stop().ok()
    assert re.search(WORDS[status], result.text), result
    assert "|-" not in result.text, "no list of processes with their command lines"
    app = cluster.yarn.wait_state(application, *FINISHED)
    assert re.search(rf"killed for its memory: {killed[0]} on .*{WORDS[status]}", app["diagnostics"]), app["diagnostics"]
    log = cluster.log_text(application, "heddle-am.log")
    assert re.search(WORDS[status], log), log
    if status == PHYSICAL and f"{SIGNALLED} worker={killed[0]}" in log:
        # A sample of that moment, or a later one of the JVM alone.
        [peak] = re.findall(rf"memory as last read, of .* worker={killed[0]} rss_mb=\d+ peak_mb=(\d+)", log)
        assert int(peak) > 1000, log
    return application, killed[0], log


@pytest.mark.heddle_only("Flink's own client says that the TaskExecutor shuts down")
@pytest.mark.parametrize(
    "mode", ["application", *(pytest.param(mode, marks=pytest.mark.extended) for mode in ("per-job", "session", "main-in-session"))]
)
def test_a_taskmanager_with_too_much_memory(work, client, jar, mode):
    check_worker(work, client, mode, jar, PHYSICAL)


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's own client says nothing of it")
@pytest.mark.slow("a cluster of its own, and two containers that are killed")
def test_what_was_used_when_the_signal_came(patient, jar):
    """It is said for certain where there is time for it."""
    cluster, client = patient.cluster, patient.client()
    _, killed, log = check_worker(patient, client, "session", jar, PHYSICAL)
    assert f"{SIGNALLED} worker={killed}" in log, log
    told = cluster.log_text(killed, "heddle-taskrunner.log")
    seen = re.search(r"told to end by a signal; memory of the container's processes now .* rss_mb=\d+ peak_mb=(\d+)", told)
    assert seen and int(seen[1]) > 1024, told

    _, session = run(patient, client, "session", jar, *TAKEN[PHYSICAL], "--where", "master")
    cluster.yarn.wait_state(session.application, *FINISHED)
    log = cluster.log_text(session.application, "heddle-am.log")
    seen = re.search(rf"{OF_MASTER} .* rss_mb=\d+ peak_mb=(\d+)", log)
    assert seen and int(seen[1]) > 1024, log
    cluster.hdfs.delete(f"{cluster.hdfs.home}/.flink/{session.application}")


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's own client says that the TaskExecutor shuts down")
@pytest.mark.slow("a cluster of its own, and a container killed in each of the three modes")
@pytest.mark.timeout(1200)
@pytest.mark.xdist_group("space-cluster")
def test_a_taskmanager_with_too_much_address_space(checked, jar):
    for mode in ("application", "per-job", "session"):
        check_worker(checked, checked.client(), mode, jar, VIRTUAL)


def check_master(work, client, mode, jar, status):
    """Its own end is YARN's to tell: the application has failed for it."""
    cluster = work.cluster
    result, session = run(work, client, mode, jar, *TAKEN[status], "--where", "master")
    application = session.application if session else result.application
    assert result.code != 0 or mode == "application" and not client.is_heddle, result
    app = cluster.yarn.wait_state(application, *FINISHED)
    [container] = kills(cluster, application, status)
    # Killed as it was it could not remove it.
    cluster.hdfs.delete(f"{cluster.hdfs.home}/.flink/{application}")
    assert container.endswith("_000001"), container
    assert app["finalStatus"] == "FAILED" and f"exitCode: {status}" in app["diagnostics"], app["diagnostics"]
    assert re.search(YARNS[status], app["diagnostics"]), app["diagnostics"]
    if client.is_heddle:
        log = cluster.log_text(application, "heddle-am.log")
        # If it had the time.
        found = re.search(rf"{OF_MASTER} .* rss_mb=\d+ peak_mb=(\d+)", log)
        assert not found or status == VIRTUAL or int(found[1]) > 1024, log
        if mode in ("application", "main-in-session"):
            assert re.search(YARNS[status], result.text), result
            assert "|-" not in result.text, "no list of processes with their command lines"


@pytest.mark.extended
@pytest.mark.parametrize("mode", ["application", "per-job", "session"])
def test_a_jobmanager_with_too_much_memory(work, client, jar, mode):
    check_master(work, client, mode, jar, PHYSICAL)


@pytest.mark.extended
@pytest.mark.heddle_only("its client runs main() itself")
def test_a_jobmanager_with_too_much_memory_that_runs_main(work, client, jar):
    check_master(work, client, "main-in-session", jar, PHYSICAL)


@pytest.mark.extended
@pytest.mark.slow("a cluster of its own, and a container killed in each of the three modes")
@pytest.mark.timeout(1200)
@pytest.mark.xdist_group("space-cluster")
def test_a_jobmanager_with_too_much_address_space(checked, client_kind, jar):
    for mode in ("application", "per-job", "session"):
        check_master(checked, checked.client(client_kind), mode, jar, VIRTUAL)


@pytest.fixture
def group():
    """A memory cgroup of 512 MB, as a NodeManager with cgroups makes one for each container."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    made = (v1 if v1.is_dir() else v2) / f"heddle-test-{os.getpid()}"
    try:
        made.mkdir()
        (made / ("memory.limit_in_bytes" if v1.is_dir() else "memory.max")).write_text(str(512 << 20))
    except OSError as error:
        with contextlib.suppress(OSError):
            made.rmdir()
        pytest.skip(f"no memory cgroup can be made on this machine: {error}")
    yield made

    def removed():
        with contextlib.suppress(OSError):
            made.rmdir()
        return not made.exists()

    wait_for("the cgroup is empty", removed, 60)


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's own client says that the TaskManager is gone")
def test_a_kill_by_the_kernel(work, client, jar, group):
    """Where the kernel enforces the limit, as with Hadoop 3 and cgroups, YARN knows an exit code and nothing
    else."""
    session = client.session("-nm", work.name, *SESSION)
    session.run(jar, "WordCount", seconds=LONG).ok()
    [jvm] = processes.taskmanager_jvms(work.cluster, session.application)
    for process in processes.of_application(work.cluster, session.application):
        if process.container == jvm.container:
            (group / "cgroup.procs").write_text(str(process.pid))
    assert session.run(jar, "TakesMemory", "--mb", "700", seconds=LONG).code != 0
    events = group / "memory.events" if (group / "memory.events").exists() else group / "memory.oom_control"
    assert re.search(r"^oom_kill 1$", events.read_text(), re.MULTILINE), "the kernel killed nothing"
    words = rf"{jvm.container} on .*by the kernel's out-of-memory killer: .*\(51[12] MB used at most, of 512 MB that its cgroup allows\)"
    for name in ("heddle-am.log", "jobmanager.log"):
        assert re.search(words, work.cluster.log_text(session.application, name)), name
    session.stop().ok()
    app = work.cluster.yarn.wait_state(session.application, *FINISHED)
    assert re.search(rf"killed for its memory: {words}", app["diagnostics"]), app["diagnostics"]

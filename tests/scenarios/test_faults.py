"""Faults of what lies between: containers that YARN takes away for others, labelled nodes, packets that do
not arrive."""

import contextlib
import os
import re
import signal
import time

import pytest

from conftest import FLINK_VERSION, cluster_of, workspace_on
from harness import availability, processes
from harness.availability import counting_session
from harness.checks import Before, check_refused, is_temporary
from harness.client import SMALL
from harness.cluster import FINISHED, Flink
from harness.network import cannot_drop, dropped
from harness.waiting import wait_for
from harness.why import check

pytestmark = [pytest.mark.extended, pytest.mark.timeout(900)]


# ---- preemption

GUARANTEED, BORROWED = "default", "qa-team"


@pytest.fixture
def contended(request, cluster, tmp_path, flink_home, client_kind):
    """Eight containers of 1 GiB: 60 % of them are guaranteed to one queue and 20 % to another one, and what
    is guaranteed is taken back."""
    policy = "yarn.resourcemanager.monitor.capacity.preemption"
    settings = {
        "yarn.resourcemanager.scheduler.monitor.enable": "true",
        f"{policy}.monitoring_interval": 1000,
        f"{policy}.max_wait_before_kill": 5000,
        f"{policy}.total_preemption_per_round": 1.0,
        f"{policy}.natural_termination_factor": 1.0,
    }
    yield from cluster_of(request, cluster, "queues", tmp_path, flink_home, client_kind, node_memory=4096, set=settings)


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and YARN waits before it takes a container away")
@pytest.mark.xdist_group("queues-cluster")
def test_taskmanagers_are_preempted(contended, jar):
    work, cluster = contended, contended.cluster
    # The ApplicationMaster and five TaskManagers have more than their queue's share. Two containers are free.
    session, app = counting_session(work, jar, "-qu", BORROWED, workers=5)
    before = app.settle(5)
    # The other ApplicationMaster and its three TaskManagers need four.
    other = work.client().session("-nm", f"{work.name}-2", "-qu", GUARANTEED, "-Dtaskmanager.numberOfTaskSlots=1")
    job = other.run(jar, "Sleepy", "--seconds", "6000", options=["-d", "-p", "3"]).ok().job
    cluster.yarn.wait_workers(other.application, 3, seconds=120)
    Flink(other.url).wait_job(job, "RUNNING")
    told = cluster.yarn.app(app.id)
    assert told["numNonAMContainerPreempted"] >= 2, told
    left = wait_for("three TaskManagers", lambda: len(now := app.workers()) == 3 and now, 30)
    gone = set(before.workers) - set(left)
    assert len(gone) == 2 and set(left) < set(before.workers), "the others stay"
    if session.client.is_heddle:
        # Flink's own client says nothing of it: it has lost the TaskManagers before YARN tells why.
        log = lambda: cluster.log_text(app.id, "jobmanager.log")  # noqa: E731
        for container in gone:
            said = rf"{container}\b.*preempted the container.*\(exit status -102\)"
            wait_for("why it is gone", lambda said=said: re.search(said, log()), 30)
        master = cluster.log_text(app.id, "heddle-am.log")
        announced = re.findall(r"is going to preempt containers .*", master)
        assert all(any(container in line for line in announced) for container in gone), master
        finding, _ = check(session.client, app.id, ["preempted"], "yarn.application.queue", said="has taken TaskManager container_")
        assert finding["times"] == 2 and finding["class"] == "queue", finding

    # There is room again.
    other.client.flink("cancel", *other.target(), job).ok()
    other.stop().ok()
    print(f"recovered[preemption, {session.client.kind}]: {app.recovered(app.checkpoint() or before.checkpoint):.1f} s")
    after = app.settle(5)
    assert after.attempt == before.attempt and set(left) < set(after.workers)
    if session.client.is_heddle:
        assert "TaskManagers fail on this node" not in cluster.log_text(app.id, "heddle-am.log")
    session.stop().ok()


# ---- labelled nodes


@pytest.fixture
def labelled(request, cluster, tmp_path, flink_home, client_kind):
    """The second node has a label, and only containers that ask for the label come there."""
    yield from cluster_of(request, cluster, "label", tmp_path, flink_home, client_kind, zookeeper=True, recovery=True, node_label="fast")


def on_the_labelled_node(work, app):
    workers = [p for p in processes.jvms(work.cluster, app.id) if not processes.is_master(p)]
    return all("/nodemanager2/" in process.environment["LOCAL_DIRS"] for process in workers)


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and Flink's own client waits for the end of the ZooKeeper session")
@pytest.mark.xdist_group("label-cluster")
def test_taskmanagers_with_a_node_label_are_taken_over(labelled, jar):
    work = labelled
    words = [*availability.options(work, FLINK_VERSION), "-Dyarn.taskmanager.node-label=fast"]
    session, app = counting_session(work, jar, *words)
    before = app.settle(2)
    assert on_the_labelled_node(work, app)
    newest = app.kill(app.master())
    print(f"recovered[ApplicationMaster, node label, {session.client.kind}]: {app.recovered(newest):.1f} s")
    after = app.settle(2)
    assert after.attempt == before.attempt + 1
    if session.client.is_heddle:
        # With Flink's own client, too, but not on a very busy machine.
        assert after.workers == before.workers, "the same TaskManagers"
    # The new attempt asks for the label, too.
    os.kill(min(after.workers.values()), signal.SIGKILL)
    wait_for("a TaskManager gone", lambda: app.workers() != after.workers, 30)
    app.recovered(app.checkpoint() or after.checkpoint)
    again = app.settle(2)
    assert again.workers != after.workers and on_the_labelled_node(work, app)


# ---- packets that do not arrive

SILENCE = 90


@pytest.fixture
def silent(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster that waits for its ApplicationMasters as long as YARN usually does."""
    if why := cannot_drop():
        pytest.skip(why)
    settings = {"yarn.am.liveness-monitor.expiry-interval-ms": 600000}
    yield from cluster_of(request, cluster, "silent", tmp_path, flink_home, client_kind, zookeeper=True, recovery=True, set=settings)


def through_silence(app, port, before):
    """What the application is after a while without packets to a port, during which its job was not
    disturbed."""
    with dropped(port) as packets:
        wait_for("a packet that is dropped", packets, 60)
        newest = app.checkpoint() or before.checkpoint
        time.sleep(SILENCE)  # the fault itself
        print(f"dropped[{port}]: {packets()} packets")
        assert app.checkpoint() > newest, "the job does not need it"
    after = app.settle(2)
    assert (after.attempt, after.workers) == (before.attempt, before.workers)


@pytest.mark.heddle_only("it has no such connection")
@pytest.mark.slow("a cluster of its own, and the silence lasts for a minute and a half")
@pytest.mark.xdist_group("silent-cluster")
def test_taskrunners_do_not_reach_the_applicationmaster(silent, jar):
    work, cluster = silent, silent.cluster
    session, app = counting_session(work, jar, *availability.options(work, FLINK_VERSION))
    before = app.settle(2)
    [address] = {p.environment["HEDDLE_CONTROL"] for p in processes.of_application(cluster, app.id) if p.program == "heddle-taskrunner"}
    said = lambda words: len(re.findall(words, cluster.log_text(app.id, "heddle-am.log")))  # noqa: E731
    assert (said("taskrunner connected"), said("taskrunner disconnected")) == (2, 0)
    through_silence(app, int(address.rpartition(":")[2]), before)
    assert said("taskrunner disconnected") == 2, "both links were given up"
    wait_for("both again", lambda: said("taskrunner connected") == 4, 60)
    # What only the link tells arrives: how a TaskManager has ended.
    container, pid = min(before.workers.items())
    os.kill(pid, signal.SIGKILL)
    wait_for("how it has ended", lambda: re.search(rf"{container}\b.*SIGKILL", cluster.log_text(app.id, "jobmanager.log")), 60)
    app.settle(2)
    session.stop().ok()


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and the silence lasts for a minute and a half")
@pytest.mark.xdist_group("silent-cluster")
def test_the_applicationmaster_does_not_reach_the_resourcemanager(silent, jar):
    work, cluster = silent, silent.cluster
    session, app = counting_session(work, jar)
    before = app.settle(2)
    through_silence(app, cluster.ports["rm-scheduler"], before)
    said = lambda words: re.search(words, cluster.log_text(app.id, "heddle-am.log"))  # noqa: E731
    if session.client.is_heddle:
        assert said("no answer from the ResourceManager")
        wait_for("an answer again", lambda: said("the ResourceManager answers again"), 90)
    # YARN is asked for a TaskManager more.
    assert "Program execution finished" in session.run(jar, "WordCount", seconds=180).ok().out
    session.stop().ok()


# ---- the NameNode, while something is uploaded to it

# More than any file of Flink's, so that it can be told from them.
LARGE = 800 << 20


def shipped(work):
    """A file of zeros that takes no space on this machine's disk."""
    file = work.directory / "large.bin"
    with file.open("wb") as opened:
        opened.truncate(LARGE)
    return file


def start_upload(work, client, mode, jar):
    """A deployment that uploads the large file just now, and the directory with what it uploads."""
    place = f"{work.hdfs_dir}/staging"
    words = [f"-Dyarn.staging-directory={work.cluster.fs}{place}", f"-Dheddle.store.dir={work.cluster.fs}{place}/store"]
    if mode == "session":
        running = client.start("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, "-t", shipped(work), *words)
    else:
        words += ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", f"-Dyarn.ship-files={shipped(work)}"]
        running = client.start("flink", "run-application", *words, "-c", "Sleepy", jar, "--seconds", "6000")
    tree = lambda: work.cluster.hdfs.tree(place)  # noqa: E731
    wait_for("a part of the large file", lambda: any(128 << 20 < length < LARGE for length, _ in tree().values()), 60, every=0.02)
    return running, place


def left_behind(work, place):
    """What nobody needs after a deployment and its application have ended."""
    return [path for path in work.cluster.hdfs.tree(place) if "/.flink/" in path or is_temporary(path)]


def left_or_why_not(work, place):
    """What is left behind. A NameNode that goes on after it was suspended still says that it is the active
    one, and then ends: its error is among the texts."""
    try:
        return left_behind(work, place)
    except OSError as error:
        return [str(error)]


def check_nothing_left(work, place, result):
    with contextlib.suppress(AssertionError):
        wait_for("nothing left", lambda: not left_or_why_not(work, place), 30)
    assert left_or_why_not(work, place) == [], result


def hdfs_answers(cluster):
    with contextlib.suppress(OSError):
        return cluster.hdfs.list("/") is not None
    return False


def end_application(work, client, application):
    work.cluster.yarn.kill(application)
    work.cluster.yarn.wait_state(application, *FINISHED)
    if client.is_heddle:
        # The application's directory is removed by whoever comes next.
        client.flink("list", "-t", "yarn-session", f"-Dyarn.application.id={application}")


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and a large file")
@pytest.mark.xdist_group("pairs-cluster")
@pytest.mark.parametrize("mode", ["session", "application"])
def test_the_active_namenode_dies_during_an_upload(pairs, jar, mode):
    work, cluster, client = pairs, pairs.cluster, pairs.client()
    gone = cluster.active_namenode()
    running, place = start_upload(work, client, mode, jar)
    cluster.kill(cluster.daemon_of(gone))
    assert running.alive and "Submitted application" not in running.text, "in the middle of the upload"
    died = time.monotonic()
    result = running.result(300).ok()
    print(f"deployed[NameNode dead, {client.kind}, {mode}]: {running.ended - died:.1f} s after its death")
    assert cluster.active_namenode() not in (None, gone)
    [app] = cluster.yarn.by_name(work.name)
    assert app["id"] == result.application and app["state"] == "RUNNING"
    if client.is_heddle:
        own = f"{place}/.flink/{app['id']}"
        assert [path for path in left_behind(work, place) if not path.startswith(own)] == []
        end_application(work, client, app["id"])
        check_nothing_left(work, place, result)


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, a large file, and a NameNode that is given time")
@pytest.mark.xdist_group("pairs-cluster")
def test_the_active_namenode_hangs_during_an_upload(pairs, jar):
    """The other one becomes active after most of a minute: then the upload goes on, or it has ended with an
    error. Flink's own client may wait for the one that hangs for as long as it does so."""
    work, cluster, client = pairs, pairs.cluster, pairs.client()
    hung = cluster.daemon_of(cluster.active_namenode())
    running, place = start_upload(work, client, "session", jar)
    cluster.pause(hung)
    try:
        assert running.alive and "Submitted application" not in running.text, "in the middle of the upload"
        began = time.monotonic()
        result = running.result(240) if client.is_heddle else None
        wait_for("the other NameNode", lambda: cluster.active_namenode() and cluster.daemon_of(cluster.active_namenode()) != hung, 120)
        waits = running.alive
    finally:
        cluster.resume(hung)
    result = result or running.result(240)
    words = ", when it hung no longer" if waits else ""
    print(f"ended[NameNode hangs, {client.kind}, exit code {result.code}]: {running.ended - began:.1f} s after it began to hang{words}")
    if result.code == 0:
        end_application(work, client, result.application)
    elif client.is_heddle:
        check_refused(result, "NameNode")
        assert all(app["state"] in FINISHED for app in cluster.yarn.by_name(work.name))
    if client.is_heddle:
        check_nothing_left(work, place, result)
    else:
        wait_for("an answer of the NameNode", lambda: hdfs_answers(cluster), 60)


@pytest.fixture
def own_work(request, own_cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, own_cluster, tmp_path, flink_home, client_kind)


@contextlib.contextmanager
def in_safe_mode(cluster):
    cluster.safe_mode("enter")
    try:
        assert "Safe mode is ON" in cluster.safe_mode("get")
        yield
    finally:
        cluster.safe_mode("leave")


@pytest.mark.reference(extended=True)
@pytest.mark.xdist_group("own-cluster")
def test_the_end_of_safe_mode_is_waited_for(own_work):
    """Flink's own client gives up instead."""
    work, cluster, client = own_work, own_work.cluster, own_work.client()
    with in_safe_mode(cluster):
        running = client.start("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name)
        if not client.is_heddle:
            result = running.result(120)
            print(f"ended[safe mode, {client.kind}, exit code {result.code}]: {result.seconds:.1f} s")
            assert result.code == 1 and "safe mode" in result.text and not cluster.yarn.by_name(work.name), result
            return
        running.wait_text(r"(?i)NameNode at \S+.*safe mode.*waiting for it, for up to \d+ s", 30)
        assert not cluster.yarn.by_name(work.name)
    result = running.result(120).ok()
    assert result.text.count("waiting for it") == 1, "it is told once"
    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
    cluster.yarn.wait_state(result.application, *FINISHED)


@pytest.mark.heddle_only("it gives up at once")
@pytest.mark.xdist_group("own-cluster")
def test_safe_mode_that_does_not_end(own_work):
    work, cluster, client = own_work, own_work.cluster, own_work.client()
    before = Before(cluster)
    soon = "-Dflink.hadoop.ipc.client.connect.max.retries=5"
    with in_safe_mode(cluster):
        result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, soon)
    check_refused(result, "safe mode", "hdfs dfsadmin -safemode get")
    assert 5 <= result.seconds < 30, "it was waited for as long as the configuration says"
    before.check_untouched()

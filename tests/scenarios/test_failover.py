"""Daemons of Hadoop die, hang and come back, and nodes go bad, while jobs run and clients work."""

import re
import shutil
import statistics
import threading
import time

import pytest

from conftest import cluster_of
from harness import processes
from harness.availability import ONE_SLOT, Application, counting, counting_session
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def forgetful(request, cluster, tmp_path, flink_home, client_kind):
    """Nodes with addresses of their own; YARN gives one up after ten seconds."""
    settings = {
        "yarn.nm.liveness-monitor.expiry-interval-ms": 10000,
        "yarn.resourcemanager.nodes.exclude-path": f"{tmp_path}/excluded",
        "yarn.resourcemanager.decommissioning-nodes-watcher.poll-interval-secs": 2,
    }
    (tmp_path / "excluded").touch()
    yield from cluster_of(request, cluster, "nodes", tmp_path, flink_home, client_kind, node_addresses=True, set=settings)


def list_once_it_can_be_listed(client, session):
    """The first command of heddle's waits. Flink's own client fails as long as the ApplicationMaster has not
    registered anew."""
    listed = lambda: client.flink("list", *session.target(), seconds=240)  # noqa: E731
    if client.is_heddle:
        assert "Counting" in listed().ok().text
    else:
        wait_for("the job in the list", lambda: "Counting" in listed().text, 240)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and two failovers")
@pytest.mark.xdist_group("pairs-cluster")
def test_the_active_resourcemanager_and_the_active_namenode_die(pairs, jar):
    work, cluster = pairs, pairs.cluster
    session, app = counting_session(work, jar)
    before = app.settle(2)
    for kind, active in [("resourcemanager", cluster.active_resourcemanager), ("namenode", cluster.active_namenode)]:
        gone = active()
        cluster.kill(cluster.daemon_of(gone))
        # Neither the job nor a client has to know: the one goes on, the other waits.
        list_once_it_can_be_listed(work.client(), session)
        wait_for(f"the other {kind}", lambda active=active, gone=gone: active() not in (None, gone), 60)
        cluster.start(cluster.daemon_of(gone))
        newest = app.checkpoint() or before.checkpoint
        print(f"recovered[{kind}, {session.client.kind}]: {app.recovered(newest):.1f} s")
    after = app.settle(2)
    assert (after.workers, after.attempt) == (before.workers, before.attempt)
    other = work.client().session("-nm", f"{work.name}-2")
    other.stop().ok()
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and a failover")
@pytest.mark.xdist_group("pairs-cluster")
def test_commands_while_the_active_resourcemanager_dies(pairs):
    """A command takes no longer than the failover and its usual time."""
    work, cluster = pairs, pairs.cluster
    client = work.client()
    session = client.session("-nm", work.name)

    def listed():
        """When it began, when it ended, and what it said."""
        began = time.monotonic()
        result = client.flink("list", *session.target(), seconds=240)
        return began, time.monotonic(), result

    usual = statistics.median(end - began for began, end, _ in [listed() for _ in range(5)])
    gone, times = cluster.active_resourcemanager(), []

    def watch():
        wait_for("the other one", lambda: cluster.active_resourcemanager() not in (None, gone), 120, every=0.05)
        times.append(time.monotonic())
        # It knows the application at once, but not where its JobManager is before the ApplicationMaster
        # has registered anew.
        wait_for("the application", lambda: cluster.yarn.app(session.application)["state"] == "RUNNING", 120, every=0.05)
        times.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    cluster.kill(cluster.daemon_of(gone))
    died = time.monotonic()
    watcher.start()
    calls = [listed()]
    while watcher.is_alive():
        calls.append(listed())
    calls.append(listed())
    active, known = times
    # Until then there is nothing that could answer.
    late = max(end - max(began, known) - usual for began, end, _ in calls)
    words = f"usually {usual:.2f} s; another ResourceManager after {active - died:.1f} s, the application in it after {known - died:.1f} s"
    failed = [result for *_, result in calls if result.code]
    print(f"recovered[flink list, {client.kind}]: {words}; {late:.2f} s more than usual at most; {len(failed)} of {len(calls)} failed")
    if client.is_heddle:
        assert not failed, f"{len(failed)} of {len(calls)} failed: {failed[0]}"
        assert calls[0][1] > active, "the first one had to wait for it"
        # Generous for a machine that is busy with the start of the other one.
        assert late < 10, calls
    cluster.start(cluster.daemon_of(gone))
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("it asks one after the other, and waits for one that is cut off")
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("pairs-cluster")
def test_clients_do_not_wait_for_what_is_cut_off(pairs, jar):
    work, cluster = pairs, pairs.cluster
    # How long it takes on this machine while nothing hangs. The first session of a cluster uploads Flink.
    work.client().session("-nm", f"{work.name}-first").stop().ok()
    before = work.client().session("-nm", f"{work.name}-before")
    before.stop().ok()
    usual = before.result.seconds
    # The one that is asked first where nothing is known hangs, and the other one is active. (NodeManagers
    # would wait for an active one that hangs for as long as it does.)
    first = "resourcemanager1"
    if cluster.active_resourcemanager() == "rm1":
        cluster.kill(first)
        wait_for("the other one", lambda: cluster.active_resourcemanager() == "rm2", 60)
        cluster.start(first)
        wait_for("all of the cluster", lambda: not cluster.problems(), 60)
    cluster.pause(first)
    try:
        for number in range(2):
            session = work.client().session("-nm", f"{work.name}-{number}")
            # A client that waits for the one that hangs waits for a minute.
            assert session.result.seconds < usual + 20, (usual, session.result)
            session.stop().ok()
    finally:
        cluster.resume(first)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, whose NodeManager is away for a while")
@pytest.mark.xdist_group("pairs-cluster")
def test_a_nodemanager_is_started_again(pairs, jar):
    work, cluster = pairs, pairs.cluster
    session, app = counting_session(work, jar)
    before = app.settle(2)
    cluster.kill("nodemanager1", "nodemanager2")
    cluster.start("nodemanager1", "nodemanager2")
    wait_for("both NodeManagers", lambda: not cluster.problems(), 60)
    after = app.settle(2)
    assert (after.workers, after.attempt) == (before.workers, before.attempt)
    session.stop().ok()
    wait_for("nothing left", lambda: not processes.of_application(cluster, session.application), 60)


def nodes_of(work, app):
    """NodeManager number -> its TaskManagers' processes; and the number of the ApplicationMaster's."""
    found, master = {1: [], 2: []}, None
    for process in processes.of_application(work.cluster, app.id):
        number = int(re.search(r"nodemanager(\d)", process.environment["LOCAL_DIRS"])[1])
        if processes.is_master(process):
            master = number
        else:
            found[number].append(process)
    return found, master


def on_both(work, jar):
    """A session whose TaskManagers are not all on the ApplicationMaster's node; the number of the other
    node."""
    # Two on the node of the ApplicationMaster would leave no room for the third.
    session, app = counting_session(work, jar, "-tm", "3200", workers=3)
    app.settle(3)
    found, master = nodes_of(work, app)
    other = 3 - master
    assert found[other], "a TaskManager on the other node"
    return session, app, other, found[other]


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and YARN gives a node up only after a while")
@pytest.mark.xdist_group("nodes-cluster")
def test_a_node_is_lost(forgetful, jar):
    work, cluster = forgetful, forgetful.cluster
    session, app, other, there = on_both(work, jar)
    cluster.kill(f"nodemanager{other}")
    wait_for("nothing runs there any more", lambda: not any(process.alive() for process in there), 90)
    cluster.start(f"nodemanager{other}")
    app.recovered(app.checkpoint() or 0)
    app.settle(3)
    if session.client.is_heddle:
        log = cluster.log_text(app.id, "jobmanager.log")
        assert re.search(r"container_\S+ on 127.0.0.\d:\d+ \(LOST.*\): ", log), "why the TaskManager is gone"
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, a node that is given time, and TaskManagers that start when it is back")
@pytest.mark.xdist_group("nodes-cluster")
def test_a_node_is_decommissioned(forgetful, jar, tmp_path):
    work, cluster = forgetful, forgetful.cluster
    session, app, other, there = on_both(work, jar)
    (tmp_path / "excluded").write_text(f"127.0.0.{1 + other}\n")
    refresh = "org.apache.hadoop.yarn.client.cli.RMAdminCLI", "-refreshNodes"
    cluster.administer(*refresh, "-g", "5", "-server")
    if session.client.is_heddle:
        said = lambda: cluster.log_text(app.id, "heddle-am.log")  # noqa: E731
        wait_for("the announcement", lambda: re.search(r"a node has changed .*DECOMMISSIONING", said()), 60)
    wait_for("nothing runs there any more", lambda: not any(process.alive() for process in there), 90)
    if session.client.is_heddle:
        # Flink's own client tells only that the container is gone.
        log = lambda: cluster.log_text(app.id, "jobmanager.log")  # noqa: E731
        wait_for("the cause", lambda: re.search(r"container_\S+ on 127.0.0.\d:\d+ \(DECOMMISSION.*\): ", log()), 60)
    # The other node has no room for all of them. A NodeManager that is decommissioned ends by itself.
    daemon = f"nodemanager{other}"
    wait_for("the end of the NodeManager", lambda: cluster.pid(daemon) is None, 60)
    (tmp_path / "excluded").write_text("")
    cluster.administer(*refresh)
    cluster.start(daemon)
    began = time.monotonic()
    app.settle(3)
    print(f"recovered[decommissioned node, {session.client.kind}]: {time.monotonic() - began:.1f} s after it is started again")
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("it avoids no node")
@pytest.mark.slow("a cluster of its own, and TaskManagers that fail to start")
@pytest.mark.xdist_group("nodes-cluster")
def test_a_node_that_starts_nothing_is_avoided(forgetful, jar):
    work, cluster = forgetful, forgetful.cluster
    session = work.client().session("-nm", work.name, *ONE_SLOT, "-Dheddle.prewarm=0")
    app = Application(cluster, session.application)
    _, master = nodes_of(work, app)
    bad = 3 - master
    # A disk that loses what is on it: what is localized there from now on cannot be read.
    local = cluster.directory / f"nodemanager{bad}/local"
    shutil.rmtree(local / "filecache", ignore_errors=True)
    local.joinpath("filecache").write_text("no directory")
    avoided = re.compile(rf"TaskManagers fail on this node.*127.0.0.{1 + bad}")
    # YARN chooses the node, so it takes some requests until enough of them have failed there.
    for _ in range(12):
        job = session.run(jar, "Counting", *counting(work), options=["-d", "-p", "2"]).ok().job
        wait_for("two TaskManagers", lambda: len(app.workers()) == 2, 240)
        wait_for("the job", lambda job=job: app.rest().jobs().get(job) == "RUNNING", 60)
        log = cluster.log_text(app.id, "heddle-am.log")
        if avoided.search(log):
            break
        work.client().flink("cancel", *session.target(), job).ok()
        wait_for("the end of idle TaskManagers", lambda: not app.workers(), 60)
    assert avoided.search(log), log
    found, _ = nodes_of(work, app)
    assert not found[bad]
    session.stop().ok()

"""What waits says what it waits for, with numbers: the client, heddle-am's log and the JobManager's own
log."""

import re

import pytest

from conftest import cluster_of, workspace_on
from harness import failures
from harness.cluster import request as call
from harness.failures import SMALL_SESSION
from harness.waiting import wait_for


@pytest.fixture
def work(request, own_cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, own_cluster, tmp_path, flink_home, client_kind)


def stop(client, application):
    client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
    client.cluster.yarn.wait_state(application, "FINISHED")


@pytest.mark.heddle_only("it says nothing but YARN's words")
@pytest.mark.xdist_group("own-cluster")
def test_a_session_that_waits_for_its_queue(work):
    """The client names the queue, its limits, who holds it, and who waits in it for longer."""
    client = work.client()
    fill = client.session("-nm", f"{work.name}-fill", "-qu", "narrow")
    words = ("yarn-session.sh", "-d", *SMALL_SESSION, "-qu", "narrow", "-nm")
    first = client.start(*words, f"{work.name}-1")
    limits = r"The queue root\.narrow may use 10 % of the cluster \(5 % are guaranteed\)[^\n]*"
    said = first.wait_text(limits, 60)[0]
    assert f"it is held by {fill.application} (1024 MB)" in said
    second = client.start(*words, f"{work.name}-2")
    second.wait_text(limits + r"; 2 applications wait in it, 1 of them before this one", 60)
    fill.stop().ok()
    stop(client, first.result(90).ok().application)
    stop(client, second.result(90).ok().application)


@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of containers that do not come")
@pytest.mark.xdist_group("own-cluster")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["session", "per-job"])
def test_a_job_that_needs_more_than_the_cluster_has(work, jar, mode):
    """Others hold most of both nodes. Two of five TaskManagers do not come until one of the others leaves."""
    with failures.held_nodes(work, work.client(), jar, mode) as made:
        check_that_it_is_told(work.cluster, made)


def check_that_it_is_told(cluster, made):
    application, running, others = made.application, made.running, made.others
    told = r"2 containers of 1024 MB and 1 vcore, asked for \d+ s ago, are not granted yet\. YARN says that the application can still get \d+ MB"
    master, manager = (lambda name=name: cluster.log_text(application, name) for name in ("heddle-am.log", "jobmanager.log"))
    wait_for("heddle-am tells it", lambda: re.search(rf"containers wait count=2 memory_mb=1024 vcores=1 .*{told}", master()), 120)
    wait_for("the JobManager tells it", lambda: re.search(rf"WARN .*{told}", manager()), 90)
    said = running.wait_text(r"TaskManagers wait for room in the queue: 2 containers of 1024 MB[^\n]*", 90)[0]
    assert "the queue root.default has 512 MB left and may use 100 % of the cluster" in said
    assert all(f"{other.application} (5888 MB)" in said for other in others), said

    others[0].stop().ok()
    running.wait_text(r"TaskManagers do not wait for containers any more", 120)
    wait_for("heddle-am tells it", lambda: re.search(r"containers no longer wait .*granted=true", master()), 10)
    wait_for("the JobManager tells it", lambda: "that were waited for have come, after" in manager(), 10)


@pytest.fixture
def labelled(request, cluster, tmp_path, flink_home, client_kind):
    """The cluster has a node label, and at first a node with it."""
    yield from cluster_of(request, cluster, "waiting", tmp_path, flink_home, client_kind, node_label="fast")


@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing but YARN's words")
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("waiting-cluster")
@pytest.mark.timeout(600)
def test_a_node_label_without_nodes(labelled, jar):
    work, cluster = labelled, labelled.cluster
    url = f"{cluster.yarn.rm}/ws/v1/cluster/replace-node-to-labels?user.name={cluster.user}"
    call(url, "POST", {"nodeToLabels": [{"nodeId": cluster.at("nm2"), "labels": []}]})
    client = work.client()
    waiting = client.start("yarn-session.sh", "-d", *SMALL_SESSION, "-nm", f"{work.name}-1", "-nl", "fast")
    waiting.wait_text(r"The ApplicationMaster waits for a node with its label: [^\n]* no node that runs has the label fast\.", 60)
    waiting.interrupt()
    assert waiting.result(30).code == 130

    session = client.session("-nm", f"{work.name}-2", "-Dyarn.taskmanager.node-label=fast")
    job = session.start(jar, "Sleepy")
    job.wait_text(r"TaskManagers wait for nodes with their label: 1 container of 1024 MB[^\n]* no node that runs has the label fast\.", 120)
    log = cluster.log_text(session.application, "heddle-am.log")
    assert re.search(r'containers wait count=1 memory_mb=1024 vcores=1 label="fast" .*on nodes with the label fast', log), log
    job.interrupt()
    job.result(60)
    session.stop().ok()
    cluster.yarn.wait_state(session.application, "FINISHED")

"""What is seldom done, with either client; `scripts/test --all` has it."""

import re
import signal

import pytest

from harness.checks import check_gone
from harness.cluster import Flink, request as call
from harness.waiting import wait_for

pytestmark = pytest.mark.extended
OTHER = {"heddle": "reference", "reference": "heddle"}


def test_none_to_twelve_workers_and_back(work, client, jar):
    yarn = work.cluster.yarn
    session = client.session("-nm", work.name)
    job = session.start(jar, "Sleepy", "--seconds", "5", options=["-p", 12])
    yarn.wait_workers(session.application, 12, seconds=150)
    assert job.result(150).code == 0
    yarn.wait_workers(session.application, 0, seconds=60)
    # And once more, now that nothing is new.
    assert session.run(jar, "Sleepy", "--seconds", "1", options=["-p", 3], seconds=150).code == 0
    session.stop().ok()


@pytest.mark.xdist_group("own-cluster")
def test_nodes_are_full_until_somebody_leaves(work, own_cluster, jar):
    """Two sessions fill both nodes; a third client waits for as long as that takes, and is then served."""
    work.cluster = own_cluster
    others = [work.client().session("-nm", f"{work.name}-{number}", "-jm", "6144") for number in (1, 2)]
    waiting = work.client().start("yarn-session.sh", "-d", "-nm", f"{work.name}-3", "-jm", "4096", "-tm", "1024")
    [app] = wait_for("the third", lambda: own_cluster.yarn.by_name(f"{work.name}-3"), 60)
    own_cluster.yarn.wait_state(app["id"], "ACCEPTED")
    others[0].stop().ok()
    result = waiting.result(120).ok()
    assert result.application == app["id"]
    for session in (others[1], work.client()):
        if session is others[1]:
            session.stop().ok()
        else:
            session.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
    own_cluster.yarn.wait_state(result.application, "FINISHED")


def test_a_job_changes_its_parallelism_by_rest(work, client, jar):
    """Up, for which workers come, and down again, after which they go."""
    yarn = work.cluster.yarn
    session = client.session("-nm", work.name, "-Djobmanager.scheduler=adaptive")
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    rest = Flink(session.url)
    rest.wait_job(job, "RUNNING")
    for parallelism in (3, 1):
        bounds = {"parallelism": {"lowerBound": parallelism, "upperBound": parallelism}}
        vertices = {vertex["id"]: bounds for vertex in rest.job(job)["vertices"]}
        call(f"{rest.base}/jobs/{job}/resource-requirements", "PUT", vertices)
        there = lambda wanted=parallelism: {v["parallelism"] for v in rest.job(job)["vertices"]} == {wanted}  # noqa: E731
        wait_for(f"parallelism {parallelism}", there, 120)
        yarn.wait_workers(session.application, parallelism, seconds=90)
    session.stop().ok()


def test_a_savepoint_of_the_other_client(work, jar):
    """Made on a session of one, restored on a session of the other."""
    cluster, before, after = work.cluster, work.directory / "before", work.directory / "after"
    one, other = (work.client(kind).session("-nm", f"{work.name}-{kind}") for kind in (work.kind, OTHER[work.kind]))
    job = one.run(jar, "Counting", "--delay", "10", "--progress", f"file://{before}", options=["-d"]).ok().job
    wait_for("counts", lambda: (before / "count-0").exists(), 90)
    out = one.client.flink("stop", *one.target(), "-p", f"{cluster.fs}{work.hdfs_dir}/savepoints", job).ok().out
    path = re.search(r"Savepoint completed\. Path: (\S+)", out)[1]
    one.stop().ok()
    job = other.run(jar, "Counting", "--delay", "10", "--progress", f"file://{after}", options=["-d", "-s", path]).ok().job
    wait_for("state restored", lambda: (after / "restored-0").exists(), 90)
    assert (after / "restored-0").read_text() == (before / "count-0").read_text()
    other.client.flink("cancel", *other.target(), job).ok()
    other.stop().ok()


@pytest.mark.xdist_group("own-cluster")
def test_the_datanode_is_lost_during_checkpoints(work, own_cluster, jar):
    """Checkpoints fail while it is away and succeed again; the job goes on."""
    work.cluster = own_cluster
    session = work.client().session("-nm", work.name)
    progress = work.directory / "progress"
    # A state that does not fit into the checkpoint's metadata must go to the DataNode.
    words = ["--checkpoints", f"{own_cluster.fs}{work.hdfs_dir}/checkpoints", "--interval", "500", "--delay", "10", "--progress", f"file://{progress}"]
    tolerant = "-Dexecution.checkpointing.tolerable-failed-checkpoints=1000"
    job = session.run(jar, "Counting", *words, options=["-d", tolerant]).ok().job
    rest = Flink(session.url)

    def counts():
        return rest.get(f"jobs/{job}/checkpoints")["counts"]

    wait_for("checkpoints", lambda: counts()["completed"] > 2, 90)
    own_cluster.signal("datanode", signal.SIGKILL)
    wait_for("a failed checkpoint", lambda: counts()["failed"] > 0, 150)
    own_cluster.up()
    completed = counts()["completed"]
    wait_for("checkpoints again", lambda: counts()["completed"] > completed + 1, 150)
    assert rest.jobs()[job] == "RUNNING"
    assert rest.get(f"jobs/{job}/exceptions")["root-exception"] is None, "it was never restarted"
    session.client.flink("cancel", *session.target(), job).ok()
    session.stop().ok()


@pytest.mark.parametrize("mode", ["application", "per_job"])
def test_five_hundred_operators(work, client, jar, mode):
    result = getattr(client, mode)(work.name, jar, "Wide", options=["-Dpipeline.operator-chaining.enabled=true"]).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=120)
    assert re.search(r"^500$", work.cluster.log_text(result.application, "taskmanager.out"), re.MULTILINE)

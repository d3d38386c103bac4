"""What is asked for at the submission, as YARN has it: sizes, priority, labels, kinds of resources, rights,
attempts."""

import os
import re
import signal
import urllib.error

import pytest

from conftest import Workspace, label
from harness import processes
from harness.checks import check_gone, check_refused, told_by_task
from harness.client import SMALL
from harness.cluster import FINISHED, Cluster, Flink, request as call
from harness.waiting import wait_for

pytestmark = pytest.mark.xdist_group("options-cluster")
MIB = 1 << 20


@pytest.fixture(scope="module")
def options_cluster(cluster):
    """A cluster with what the shared one has not: priorities, a node label, a kind of resource, access
    rights."""
    made = Cluster(f"{cluster.name}-options")
    # Only this user administers applications and queues.
    settings = {
        "yarn.acl.enable": "true",
        "yarn.admin.acl": "root",
        "yarn.scheduler.capacity.root.acl_administer_queue": "root",
        "yarn.cluster.max-application-priority": 10,
        # Labels that come and go are for this queue, too.
        "yarn.scheduler.capacity.root.qa-team.accessible-node-labels": "*",
        "yarn.scheduler.capacity.root.qa-team.acl_application_max_priority": "[user=root max_priority=2]",
        "yarn.scheduler.capacity.root.reports.maximum-applications": 0,
    }
    yield made.up(node_label="fast", resource_types={"yarn.io/gpu": 2}, set=settings)
    if not os.environ.get("HEDDLE_TEST_KEEP"):
        made.down()


@pytest.fixture
def work(request, options_cluster, tmp_path, flink_home, client_kind):
    made = Workspace(options_cluster, client_kind, tmp_path, flink_home, label(request))
    yield made
    made.close(getattr(request.node, "failed", True))


def within(value, wanted, share):
    return abs(value - wanted) <= share * wanted


@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_sizes(work, client, jar):
    """Memory and cores of the containers, slots, and what the JVMs have of it."""
    sizes = ["-jm", "1280m", "-tm", "1536m", "-s", "3", "-Dyarn.containers.vcores=2", "-Dyarn.appmaster.vcores=2"]
    custom = ["-Dfancy-configuration-value=veryFancy", "-Dtaskmanager.memory.managed.size=256m"]
    session = client.session("-nm", work.name, *sizes, *custom)
    rest, yarn = Flink(session.url), work.cluster.yarn
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    rest.wait_job(job, "RUNNING")
    [worker] = yarn.wait_workers(session.application, 1)
    [master] = [c for c in yarn.containers(session.application) if c["id"] != worker["id"]]
    assert (master["totalMemoryNeededMB"], master["totalVCoresNeeded"]) == (1280, 2)
    assert (worker["totalMemoryNeededMB"], worker["totalVCoresNeeded"]) == (1536, 2)
    config = rest.config()
    assert config["fancy-configuration-value"] == "veryFancy"
    assert config["jobmanager.rpc.address"] == config["rest.address"] == "localhost"
    [manager] = rest.wait_taskmanagers()
    assert manager["slotsNumber"] == 3
    memory = rest.get(f"taskmanagers/{manager['id']}")
    assert memory["hardware"]["managedMemory"] == 256 * MIB
    parts = memory["memoryConfiguration"]
    assert parts["totalProcessMemory"] == 1536 * MIB
    # Less metaspace and overhead, framework and task off-heap, network and managed memory.
    heap = parts["frameworkHeap"] + parts["taskHeap"]
    assert within(memory["hardware"]["freeMemory"], heap, 0.15)
    client.flink("cancel", *session.target(), job).ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_priority(work, client):
    session = client.session("-nm", work.name, "-Dyarn.application.priority=5")
    assert work.cluster.yarn.app(session.application)["priority"] == 5
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


def nodes_of(cluster, application):
    """Container number -> the NodeManager (1 or 2) that has it; the second one has the label."""
    found = {}
    for number, nm in enumerate(cluster.yarn.nms, 1):
        yarn = type(cluster.yarn)(cluster.yarn.active, [nm], cluster.yarn.user)
        found |= {int(c["id"].rpartition("_")[2]): number for c in yarn.containers(application)}
    return found


@pytest.mark.parametrize(
    ("options", "master", "worker"),
    [
        (["-nl", "fast"], 2, 2),
        (["-Dyarn.taskmanager.node-label=fast"], 1, 2),
        pytest.param([], 1, 1, marks=pytest.mark.extended),
    ],
    ids=["application", "workers", "none"],
)
@pytest.mark.every_hadoop
def test_node_label(work, client, jar, options, master, worker):
    session = client.session("-nm", work.name, *options)
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    [container] = work.cluster.yarn.wait_workers(session.application, 1)
    nodes = nodes_of(work.cluster, session.application)
    assert nodes[1] == master and nodes[int(container["id"].rpartition("_")[2])] == worker
    client.flink("cancel", *session.target(), job).ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


def used(cluster, application, kind):
    """How much of a kind of resource YARN has given to an application."""
    return sum(
        info["value"]
        for partition in cluster.yarn.app(application)["resourceInfo"]["resourceUsagesByPartition"]
        for info in partition["used"]["resourceInformations"]["resourceInformation"]
        if info["name"] == kind
    )


def change_labels(cluster, verb, query="", body=None):
    call(f"{cluster.yarn.rm}/ws/v1/cluster/{verb}-node-labels?user.name={cluster.user}{query}", "POST", body or {})


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("YARN is asked for a while, and Flink's client tries for more than a minute to reach its JobManager")
@pytest.mark.parametrize("mode", ["session", "application"])
def test_workers_that_yarn_refuses_for_good(work, client, jar, mode):
    """They could be had at the deployment; the label is gone when the job asks for them."""
    cluster, gone = work.cluster, f"gone-{client.kind}-{mode}"
    change_labels(cluster, "add", body={"nodeLabelInfo": [{"name": gone, "exclusivity": True}]})
    options = ["-Dyarn.application.queue=qa-team", f"-Dyarn.taskmanager.node-label={gone}", "-Dyarn.application-attempts=1"]
    # Without a priority the ResourceManager throws a NullPointerException for this queue, because of its list
    # of users who may set priorities.
    options.append("-Dyarn.application.priority=0")
    if mode == "session":
        session = client.session("-nm", work.name, *options)
        application = session.application
    else:
        # Without the option heddle asks before main() has begun.
        options += ["--attached", "-Dheddle.fast-start=false"] if client.is_heddle else []
        words = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", *options, "-c", "Sleepy", jar, "--before", "15"]
        running = client.start("flink", "run-application", *words)
        [app] = wait_for("the application", lambda: cluster.yarn.by_name(work.name), 60)
        application = app["id"]
        cluster.yarn.wait_state(application, "RUNNING")
    change_labels(cluster, "remove", f"&labels={gone}")
    if mode == "session":
        running = session.start(jar, "Sleepy")
    app = cluster.yarn.wait_state(application, *FINISHED, seconds=90)
    assert app["finalStatus"] == "FAILED", app
    # Flink's client tries for more than a minute to reach its JobManager.
    result = running.result(150)
    if client.is_heddle:
        assert result.code == 1, result
        said = rf"No TaskManager can be had: YARN refuses TaskManagers of 1024 MB, 1 vcores: Invalid label resource request, .*{gone}"
        assert re.search(said, app["diagnostics"]) and re.search(said, result.err), (app["diagnostics"], result)
        asked = re.findall(r"worker requested .* size=", cluster.log_text(application, "heddle-am.log"))
        assert 2 < len(asked) < 30, "it was tried again for a while"
    else:
        # Its ApplicationMaster ends with it and does not say why.
        assert "exitCode: 2" in app["diagnostics"], app
    check_gone(cluster, application, "FAILED", files=client.is_heddle)


@pytest.mark.heddle_only("it says that it kills what is not there, and cannot")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-qu", "qa-team", "-Dyarn.application.priority=7"], ["does not have permission to submit"]),
        (["-qu", "reports"], ["already has 0 applications", "cannot accept submission"]),
    ],
    ids=["at-once", "by-the-scheduler"],
)
def test_what_only_yarn_itself_refuses(work, client, options, words):
    """What the ResourceManager tells no client before: there is nothing to end, and nothing says that
    something is ended."""
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, *options)
    check_refused(result, *words)
    assert "kill" not in result.text.lower(), result
    assert all(app["state"] == "FAILED" for app in work.cluster.yarn.by_name(work.name))
    assert not (work.cluster.hdfs.list(f"{work.cluster.hdfs.home}/.flink") or {})


GPU = ["-Dexternal-resources=gpu", "-Dexternal-resource.gpu.yarn.config-key=yarn.io/gpu"]


@pytest.mark.every_hadoop
def test_external_resource(work, client, jar):
    session = client.session("-nm", work.name, *GPU, "-Dexternal-resource.gpu.amount=1")
    assert used(work.cluster, session.application, "yarn.io/gpu") == 0, "the master needs none"
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d", "-p", "2"]).ok().job
    work.cluster.yarn.wait_workers(session.application, 2)
    assert used(work.cluster, session.application, "yarn.io/gpu") == 2
    client.flink("cancel", *session.target(), job).ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-Dexternal-resource.gpu.amount=1", "-Dexternal-resource.gpu.yarn.config-key=yarn.io/loom"], ["yarn.io/loom"]),
        (["-Dexternal-resource.gpu.amount=1000", GPU[1]], ["yarn.io/gpu"]),
    ],
    ids=["unknown", "too-much"],
)
@pytest.mark.heddle_only("its ApplicationMaster dies of it")
def test_external_resource_that_cannot_be_had(work, client, jar, options, words):
    """Said before anything starts, or in the logs; never a session that waits in silence."""
    given = ["-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, "-Dexternal-resources=gpu"]
    result = client.run("yarn-session.sh", *given, *options, "-Dslot.request.timeout=15000")
    if result.code == 0:
        done = client.flink("run", "-t", "yarn-session", f"-Dyarn.application.id={result.application}", "-c", "WordCount", jar)
        assert done.code == 1
        log = work.cluster.log_text(result.application, "heddle-am.log") + work.cluster.log_text(result.application, "jobmanager.log")
        assert all(word in log for word in words), log[-3000:]
        client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
        check_gone(work.cluster, result.application, "SUCCEEDED")
    else:
        assert all(word in result.err for word in words), result
        assert not work.cluster.yarn.by_name(work.name)


@pytest.mark.every_hadoop
def test_access_rights(work, client):
    """Who may see the application, and who may end it."""
    session = client.session("-nm", work.name, "-Dyarn.view.acls=viewer,other", "-Dyarn.modify.acls=modifier")
    rm = work.cluster.yarn.rm
    path = f"{rm}/ws/v1/cluster/apps/{session.application}"

    def answer(url, *more):
        try:
            call(url, *more)
            return "yes"
        except urllib.error.HTTPError as error:
            return error.code

    def may_see(user):
        return b"amContainerLogs" in call(f"{path}?user.name={user}")

    assert may_see("viewer") and may_see("root") and not may_see("stranger")
    kill = {"state": "KILLED"}
    assert answer(f"{path}/state?user.name=stranger", "PUT", kill) == 403
    assert answer(f"{path}/state?user.name=viewer", "PUT", kill) == 403
    assert work.cluster.yarn.app(session.application)["state"] == "RUNNING"
    assert answer(f"{path}/state?user.name=modifier", "PUT", kill) == "yes"
    work.cluster.yarn.wait_state(session.application, "KILLED")
    if client.is_heddle:
        client.flink("list", *session.target())


def test_attempts(work, client):
    """A second ApplicationMaster comes when there may be two."""
    session = client.session("-nm", work.name, "-Dyarn.application-attempts=2")
    program = "heddle-am" if client.is_heddle else "java"
    everything = processes.of_application(work.cluster, session.application)
    [master] = [p for p in everything if processes.is_master(p) and p.program == program]
    os.kill(master.pid, signal.SIGKILL)
    wait_for("a second attempt", lambda: len(work.cluster.yarn.attempts(session.application)) == 2, 60)
    app = work.cluster.yarn.wait_state(session.application, "RUNNING", seconds=60)
    wait_for("its web interface", lambda: b"Apache Flink" in call(work.cluster.yarn.app(app["id"])["trackingUrl"]), 60)
    assert "No running jobs." in client.flink("list", *session.target()).ok().out
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.parametrize("mode", ["application", pytest.param("per_job", marks=pytest.mark.extended)])
def test_in_the_other_modes(work, client, jar, mode):
    """The same settings, by their keys."""
    keys = ["-Dyarn.application.priority=3", "-Dyarn.application.node-label=fast", "-Dyarn.tags=one,two", "-Dtaskmanager.numberOfTaskSlots=2"]
    keys += [*GPU, "-Dexternal-resource.gpu.amount=1", "-Dcontainerized.taskmanager.env.TEST_WORKER=it's $USER"]
    result = getattr(client, mode)(work.name, jar, "Surroundings", options=keys).ok()
    app = check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    assert app["priority"] == 3 and app["appNodeLabelExpression"] == "fast"
    assert {"one", "two"} <= set(app["applicationTags"].split(","))
    # As the NodeManager makes it of the variables that the container has.
    said = told_by_task(work.cluster, result.application).environment["TEST_WORKER"]
    assert said == f"it's {work.cluster.user}"

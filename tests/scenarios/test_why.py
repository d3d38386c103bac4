"""`heddle why`: the cause of a failure or of a wait, what shows it, and what to set.

Each cause is made for real. The applications are those of both clients, the command is always heddle's.
"""

import json
import re
import tarfile
import time

import pytest

from conftest import cluster_of, workspace_on
from harness import failures
from harness.checks import check_gone
from harness.client import KEPT, LONG
from harness.cluster import FINISHED, request as call
from harness.failures import JAVA_KEY, NO_JAVA
from harness.waiting import wait_for
from harness.why import NOTHING_FOUND, check, findings

pytestmark = pytest.mark.timeout(600)

ONE_ATTEMPT = "-Dyarn.application-attempts=1"


@pytest.mark.heddle_only("its ApplicationMaster takes it for a crash")
def test_main_that_throws(work, client, jar):
    result = client.application(work.name, jar, "ThrowInMain", options=["--attached", "--output", "json"])
    assert result.code == 1, result
    assert json.loads(result.out)["error"]["finding"]["rule"] == "main-fails", result
    application = result.application
    check_gone(work.cluster, application, "FAILED")
    finding, text = check(client, application, ["main-fails"], said="heddle-test: thrown in main")
    assert finding["whose"] == "developer" and text.startswith(f"FAILED  {application}  "), text


@pytest.mark.reference(extended=True)
def test_killed_by_the_user(work, client):
    session = client.session("-nm", work.name)
    work.cluster.yarn.kill(session.application)
    check_gone(work.cluster, session.application, "KILLED", files=False)
    finding, _ = check(work.client("heddle"), session.application, ["killed-on-request"])
    assert (finding["whose"], finding["retry"], finding["fix"]) == ("nobody", "not-needed", [])


def members(file):
    """Name in the archive, without the application's directory -> text."""
    with tarfile.open(file) as archive:
        files = {member.name.partition("/")[2]: member for member in archive.getmembers()}
        assert all(member.mode == 0o600 for member in files.values()), files
        return {name: archive.extractfile(member).read().decode() for name, member in files.items()}


@pytest.mark.heddle_only("the command is heddle's")
def test_nothing_is_wrong_and_an_archive_of_it(work, client, jar):
    session = client.session("-nm", work.name, KEPT, "-Dscenario.password=hush-hush")
    session.run(jar, "WordCount", seconds=LONG).ok()
    application = session.application
    result = client.run("heddle", "why", application)
    assert result.code == NOTHING_FOUND and "Nothing was found: it runs, and no witness tells of a trouble." in result.out, result
    assert findings(client, application) == {}

    file = work.directory / "ticket.tar.gz"
    told = client.run("heddle", "why", application, "--bundle", file, "--output", "json")
    assert told.code == NOTHING_FOUND and json.loads(told.out)["bundle"] == str(file), told
    assert file.stat().st_mode & 0o777 == 0o600
    content = members(file)
    wanted = {"heddle.json", "verdict.json", "findings.json", "findings.txt", "facts.json", "configuration.txt"}
    assert wanted <= set(content), set(content)
    logs = {name.rpartition("/")[2] for name in content if name.startswith("logs/container_")}
    assert {"jobmanager.log", "heddle-am.log", "taskmanager.log"} <= logs, logs
    assert json.loads(content["verdict.json"])["state"] == "running"
    assert json.loads(content["facts.json"])["jobs"][0]["fact"]["state"] == "FINISHED"
    assert re.search(r"^scenario\.password: \*+$", content["configuration.txt"], re.MULTILINE)
    assert not [name for name, text in content.items() if "hush-hush" in text]

    made = file.stat().st_mtime_ns
    refused = client.run("heddle", "why", application, "--bundle", file)
    assert refused.code == 1 and f"the file {file} exists already" in refused.error_lines()[0], refused
    assert any("--force" in hint for hint in refused.hints()) and file.stat().st_mtime_ns == made
    again = client.run("heddle", "why", application, "--bundle", file, "--force")
    assert again.code == NOTHING_FOUND and f"Written to {file}: " in again.out, again
    assert file.stat().st_mtime_ns > made and not list(work.directory.glob(".heddle-why-*"))
    session.stop().ok()
    work.cluster.yarn.wait_state(application, *FINISHED)


# ---- what ends jobs and TaskManagers


@pytest.fixture
def collecting(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster that collects logs."""
    yield from cluster_of(request, cluster, "why-logs", tmp_path, flink_home, client_kind, log_aggregation=True)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("why-cluster")
def test_a_job_that_fails(collecting, jar):
    """Flink's own ApplicationMaster tells YARN nothing of it, but its log does."""
    work, client, heddle = collecting, collecting.client(), collecting.client("heddle")
    result = client.application(work.name, jar, "FailAtRuntime", seconds=LONG).ok()
    application = result.application
    assert work.cluster.yarn.wait_state(application, *FINISHED, seconds=90)["finalStatus"] == "FAILED"
    # Until the logs are collected.
    wait_for("the cause", lambda: "job-fails" in findings(heddle, application), 90)
    finding, _ = check(heddle, application, ["job-fails"], said="heddle-test: failed at run time")
    assert finding["whose"] == "developer", finding
    if not client.is_heddle:
        assert {evidence["source"] for evidence in finding["evidence"]} == {"aggregated-logs"}, finding


MEMORY = ["worker-over-physical-memory"]
OVERHEAD = "taskmanager.memory.jvm-overhead.min"


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's own client says that the TaskExecutor shuts down")
def test_a_taskmanager_that_was_killed_for_its_memory(work, client, jar):
    """The record tells it after the end, and the command that has failed at once."""
    with failures.memory_kill_of_application(work, client, jar) as made:
        application, result = made.application, made.result
        assert result.code == 1 and f"set {OVERHEAD}: " in result.err, result
        check_gone(work.cluster, application, "FAILED")
        finding, text = check(client, application, MEMORY, OVERHEAD, r"\d+m|<larger>", said="because it used more memory than its container has (")
        assert finding["class"] == "memory" and "1 GB allowed" in text, text
        everything = findings(client, "--all", application)
        assert set(MEMORY) < set(everything), "and its consequences"


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_taskmanager_of_a_session_that_was_killed_for_its_memory(work, client, jar):
    """What to set is computed from the configuration that the JobManager tells.

    Flink does not log why a TaskManager has ended that has signed off, as it does after the NodeManager's
    SIGTERM. The NodeManager tells it, until Flink's ApplicationMaster has heard of it: here that takes up to
    15 s.
    """
    heddle = work.client("heddle")
    session = client.session("-nm", work.name, KEPT, ONE_ATTEMPT, "-Dyarn.heartbeat.interval=15")
    assert session.run(jar, "TakesMemory", "--mb", "1024", seconds=LONG).code != 0
    if client.is_heddle:
        # YARN tells its ApplicationMaster with the next heartbeat.
        wait_for("the cause", lambda: set(MEMORY) & set(findings(heddle, session.application)), 60)
    # Of Flink's own only once, because it is not known for long.
    found, _ = check(heddle, session.application, MEMORY, OVERHEAD, r"\d+m")
    if not client.is_heddle:
        assert {evidence["source"] for evidence in found["evidence"]} <= {"node-manager", "job-manager"}, found
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, *FINISHED)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_heap_that_is_full(work, client, jar):
    heddle = work.client("heddle")
    with failures.full_heap(work, client, jar) as made:
        finding, _ = check(heddle, made.application, ["worker-heap-full"], "taskmanager.memory.process.size", r"\d+m", said="Java heap space")
        assert "job-manager" in {evidence["source"] for evidence in finding["evidence"]}, finding


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(
    ("make", "rule", "key"),
    [
        (failures.full_metaspace, "worker-metaspace-full", "taskmanager.memory.jvm-metaspace.size"),
        (failures.full_direct_memory, "worker-direct-memory-full", "taskmanager.memory.task.off-heap.size"),
    ],
    ids=["metaspace", "direct-memory"],
)
def test_another_pool_of_java_that_is_full(work, client, jar, make, rule, key):
    heddle = work.client("heddle")
    with make(work, client, jar) as made:
        wait_for("the cause", lambda: rule in findings(heddle, made.application), 60)
        check(heddle, made.application, [rule], key, r"\d+m")


@pytest.mark.extended
@pytest.mark.heddle_only("it takes it for a crash, and the log is collected only on some clusters")
def test_a_class_that_is_missing(work, client, jar):
    with failures.class_that_is_missing(work, client, jar) as made:
        check_gone(work.cluster, made.application, "FAILED")
        check(client, made.application, ["class-missing"], "yarn.ship-files", "<the jar>", said="TextLines")


@pytest.mark.extended
@pytest.mark.heddle_only("it says no more than that there are no slots")
def test_taskmanagers_with_a_java_that_is_not_there(work, client, jar):
    with failures.java_that_is_not_there(work, client, jar) as made:
        assert made.result.code == 1 and NO_JAVA in made.result.err, made.result
        check_gone(work.cluster, made.application, "FAILED")
        check(client, made.application, ["no-java"], JAVA_KEY, "<a Java that each node has>", said=NO_JAVA)


# ---- what is waited for


@pytest.fixture
def own_work(request, own_cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, own_cluster, tmp_path, flink_home, client_kind)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.xdist_group("own-cluster")
def test_an_application_that_waits_for_its_queue(own_work):
    client, heddle = own_work.client(), own_work.client("heddle")
    with failures.full_queue(own_work, client) as made:
        application = made.application
        queue_full = ["queue-am-share-used-up", "am-queue-full"]
        wait_for("the cause", lambda: set(queue_full) & set(findings(heddle, application)), 30)
        check(heddle, application, queue_full, "yarn.application.queue", "<another queue>")
        told = heddle.run("heddle", "status", application)
        assert told.code == 3 and told.out.startswith(f"WAITING  {application}  "), told
        assert any(line.startswith("hint: set yarn.application.queue: ") for line in told.out.splitlines()), told


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.xdist_group("own-cluster")
def test_a_file_that_is_gone_before_the_application_starts(own_work):
    client, heddle = own_work.client(), own_work.client("heddle")
    with failures.file_that_is_gone(own_work, client) as made:
        wait_for("the cause", lambda: "file-missing" in findings(heddle, made.application), 30)
        check(heddle, made.application, ["file-missing"], said=f"{own_work.name}.properties")


@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of containers that do not come")
@pytest.mark.slow("heddle-am writes down once a minute what it waits for")
@pytest.mark.xdist_group("own-cluster")
def test_taskmanagers_that_do_not_fit(own_work, jar):
    client, full = own_work.client(), ["workers-nodes-full", "workers-queue-full"]
    with failures.full_nodes(own_work, client, jar) as made:
        wait_for("the cause", lambda: set(full) & set(findings(client, made.application)), 150, every=2)
        check(client, made.application, full, "parallelism.default", "<smaller>", said="1 container of 6144 MB")
        told = client.run("heddle", "status", made.application, "--output", "json").ok()
        assert json.loads(told.out)["finding"]["rule"] in full, told


@pytest.fixture
def labelled(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster with a node label that no node has any more."""
    for work in cluster_of(request, cluster, "why-label", tmp_path, flink_home, client_kind, node_label="fast"):
        made = work.cluster
        url = f"{made.yarn.rm}/ws/v1/cluster/replace-node-to-labels?user.name={made.user}"
        call(url, "POST", {"nodeToLabels": [{"nodeId": made.at("nm2"), "labels": []}]})
        yield work


@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of containers that do not come")
@pytest.mark.slow("a cluster of its own, and heddle-am writes down once a minute what it waits for")
@pytest.mark.xdist_group("why-cluster")
def test_a_label_without_nodes(labelled, jar):
    client, cluster, key = labelled.client(), labelled.cluster, "yarn.taskmanager.node-label"
    session = client.session("-nm", labelled.name, f"-D{key}=fast")
    job = session.start(jar, "Sleepy")
    rule = "workers-label-without-nodes"
    wait_for("the cause", lambda: rule in findings(client, session.application), 150, every=2)
    check(client, session.application, [rule], key, "<a label that nodes have>", said="no node that runs has the label fast")
    job.interrupt()
    job.result(60)
    session.stop().ok()
    cluster.yarn.wait_state(session.application, *FINISHED)


@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of containers that do not come")
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("why-cluster")
def test_slots_that_can_never_be_had(labelled, jar):
    """A job gives up, because the TaskManager that it waits for cannot be had. The first broken link is the
    request, also when Flink has taken it back; that the slots were missing is a consequence."""
    client, cluster = labelled.client(), labelled.cluster
    options = ["-Dyarn.taskmanager.node-label=fast", "-Dslot.request.timeout=20000", "-Drestart-strategy.type=none"]
    session = client.session("-nm", labelled.name, *options)
    result = session.run(jar, "WordCount", seconds=LONG)
    # Flink notices it in either of two places.
    assert result.code != 0 and re.search("NoResourceAvailableException|Pending slot request timed out", result.text), result
    rule, key = "workers-label-without-nodes", "yarn.taskmanager.node-label"
    wait_for("the cause", lambda: rule in findings(client, session.application), 60)
    # By now Flink has taken the request back, if its release does that.
    time.sleep(15)
    finding, _ = check(client, session.application, [rule], key, "<a label that nodes have>", said="no node that runs has the label fast")
    assert finding["link"] == "asks", finding
    assert "slots-missing" not in findings(client, session.application)
    assert "slots-missing" in findings(client, "--all", session.application)
    session.stop().ok()
    cluster.yarn.wait_state(session.application, *FINISHED)

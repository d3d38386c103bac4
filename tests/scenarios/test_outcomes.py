"""What applications leave in `~/.heddle/outcomes`: how they and their containers have ended.

It is there also when YARN knows nothing of it any more (docs/outcomes.md).
"""

import json
import os
import signal
import time

import pytest

from conftest import cluster_of
from harness import processes
from harness.availability import Application
from harness.checks import check_gone
from harness.client import KEPT, LONG
from harness.cluster import FINISHED
from harness.waiting import wait_for

pytestmark = [pytest.mark.heddle_only("it leaves nothing"), pytest.mark.timeout(600)]

DAY = 24 * 3600 * 1000


def place(cluster, application):
    return f"{cluster.hdfs.home}/.heddle/outcomes/{application}"


def left(cluster, application):
    """The record and the containers that have ended; None as long as there is no record."""
    directory = place(cluster, application)
    files = cluster.hdfs.list(directory) or {}
    if "outcome.json" not in files:
        return None
    lines = cluster.hdfs.read(f"{directory}/containers.jsonl").splitlines() if "containers.jsonl" in files else []
    return json.loads(cluster.hdfs.read(f"{directory}/outcome.json")), [json.loads(line) for line in lines]


def session_with_a_killed_worker(work, client, jar, *options):
    """A session that has run a job, and the container of its TaskManager, whose JVM was killed afterwards."""
    session = client.session("-nm", work.name, KEPT, *options)
    session.run(jar, "WordCount", seconds=LONG).ok()
    [jvm] = processes.taskmanager_jvms(work.cluster, session.application)
    os.kill(jvm.pid, signal.SIGKILL)
    # If Flink does not know yet that the job needs no TaskManager any more, it asks for another one.
    running = lambda: {worker["id"] for worker in work.cluster.yarn.workers(session.application)}
    wait_for("the end of the container", lambda: jvm.container not in running(), 60)
    return session, jvm.container


def check_closed(cluster, application):
    """Nobody else can look at it."""
    hdfs, directory = cluster.hdfs, place(cluster, application)
    files = hdfs.list(directory)
    assert set(files) == {"outcome.json", "containers.jsonl"}
    assert {status["permission"] for status in files.values()} == {"600"}
    for path in (directory, directory.rpartition("/")[0]):
        status = hdfs.status(path)
        assert (status["permission"], status["owner"]) == ("700", cluster.user), path


def check_killed_worker(entries, container):
    [entry] = entries
    assert (entry["end"]["container"], entry["end"]["signal"], entry["attempt"]) == (container, signal.SIGKILL, 1), entry
    assert entry["end"]["part"] == "task-manager" and entry["end"]["node"], entry
    assert entry["started"] < entry["at"], entry


def test_a_session_that_was_stopped(work, client, jar):
    cluster, begin = work.cluster, time.time() * 1000
    session, container = session_with_a_killed_worker(work, client, jar)
    session.stop().ok()
    app = check_gone(cluster, session.application, "SUCCEEDED")
    record, entries = left(cluster, session.application)
    assert (record["schema"], record["application"], record["name"]) == (1, session.application, work.name)
    assert (record["mode"], record["attempt"], record["status"]) == ("session", 1, "SUCCEEDED")
    assert record["diagnostics"] in app["diagnostics"]
    assert begin - 1000 < record["started"] < record["ended"] <= record["written"] < time.time() * 1000 + 1000, record
    [attempt] = cluster.yarn.attempts(session.application)
    assert record["jobManager"]["container"] == attempt["containerId"] and record["jobManager"]["ready"], record
    check_killed_worker(entries, container)
    check_closed(cluster, session.application)


@pytest.mark.extended
def test_an_application_that_fails(work, client, jar):
    """What YARN is told is in the record, too, with the exception of the job."""
    result = client.application(work.name, jar, "FailAtRuntime", options=["--attached"])
    assert result.code == 1, result
    app = check_gone(work.cluster, result.application, "FAILED")
    record, _ = left(work.cluster, result.application)
    assert (record["mode"], record["status"]) == ("application", "FAILED")
    assert record["diagnostics"] and record["diagnostics"] in app["diagnostics"], (record, app)
    assert any("heddle-test: failed at run time" in told["fact"]["text"] for told in record["told"]), record


@pytest.mark.extended
@pytest.mark.parametrize("how", ["heddle", "yarn"])
def test_an_application_that_is_killed(work, client, jar, how):
    """The record has no end, and what was known until then. `heddle gc` removes it after a month."""
    cluster = work.cluster
    session, container = session_with_a_killed_worker(work, client, jar)
    application = session.application
    wait_for("the end of the container in the record", lambda: (left(cluster, application) or (None, None))[1], 60)
    if how == "heddle":
        client.run("heddle", "kill", application).ok()
    else:
        cluster.yarn.kill(application)
    check_gone(cluster, application, "KILLED", files=False)
    record, entries = left(cluster, application)
    assert (record["ended"], record["status"]) == (None, None), record
    check_killed_worker(entries, container)

    hdfs, directory = cluster.hdfs, place(cluster, application)
    # Whatever heddle-am was about to write when it was killed.
    for name in set(hdfs.list(directory)) - {"outcome.json", "containers.jsonl"}:
        hdfs.delete(f"{directory}/{name}")
    check_closed(cluster, application)
    assert directory not in client.run("heddle", "gc").ok().out
    old = int(time.time() * 1000) - 31 * DAY
    hdfs.request(hdfs.url(directory, "SETTIMES", modificationtime=old, accesstime=-1), "PUT")
    [line] = [line for line in client.run("heddle", "gc").ok().out.splitlines() if directory in line]
    assert line.startswith("record "), line
    client.run("heddle", "gc", "--delete").ok()
    assert hdfs.status(directory) is None


@pytest.fixture
def recovering(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster whose ResourceManager can be started again."""
    yield from cluster_of(request, cluster, "recovering", tmp_path, flink_home, client_kind, recovery=True)


@pytest.mark.extended
@pytest.mark.slow("a cluster of its own, whose ResourceManager is started again")
@pytest.mark.xdist_group("recovering-cluster")
def test_the_next_attempt_tells_an_end_that_yarn_was_not_told(recovering, jar):
    """The ResourceManager is away when the application ends, and its ApplicationMaster dies before it is
    back. YARN starts another attempt, which does not run the program once more."""
    work, cluster, client = recovering, recovering.cluster, recovering.client()
    options = ["-Dyarn.application-attempts=2", "-Dyarn.resourcemanager.connect.max-wait.ms=600000"]
    application = client.application(work.name, jar, "Sleepy", "--seconds", "10", options=options).ok().application
    app = Application(cluster, application)
    cluster.yarn.wait_workers(application, 1, seconds=120)
    cluster.kill("resourcemanager")
    record = lambda: (left(cluster, application) or [{}])[0]
    wait_for("the end in the record", lambda: record().get("ended"), 120)
    assert record()["status"] == "SUCCEEDED"
    os.kill(app.master().pid, signal.SIGKILL)
    wait_for("nothing of the first attempt runs", lambda: not processes.of_application(cluster, application), 60)
    cluster.start("resourcemanager")
    ended = wait_for("the ResourceManager knows the end", lambda: over(cluster, application), 180)
    assert ended["finalStatus"] == "SUCCEEDED", ended
    assert len(cluster.yarn.attempts(application)) == 2
    logs = [file.read_text() for file in cluster.log_files(application, "heddle-am.log")]
    assert sum("an earlier attempt has ended the application" in text for text in logs) == 1, logs
    assert len(cluster.log_files(application, "jobmanager.log")) == 1, "main() has run again"
    wait_for("the application's directory is gone", lambda: cluster.hdfs.status(f"{cluster.hdfs.home}/.flink/{application}") is None, 30)


def over(cluster, application):
    """What YARN tells of the application, once it has ended and the ResourceManager answers."""
    try:
        app = cluster.yarn.app(application)
    except (OSError, ValueError, LookupError):
        return None
    return app if app["state"] in FINISHED else None


@pytest.mark.extended
def test_no_record_where_none_is_wanted(work, client, jar):
    session, _ = session_with_a_killed_worker(work, client, jar, "-Dheddle.outcomes=false")
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")
    assert left(work.cluster, session.application) is None

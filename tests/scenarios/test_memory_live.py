"""What is known of the memory of JVMs: live, after their end, and in what they leave in files."""

import json
import os
import re
import signal
import time

import pytest

from harness import processes
from harness.client import KEPT, LONG
from harness.cluster import FINISHED
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

MB = 1 << 20


def live(heddle, *words):
    return json.loads(heddle.run("heddle", "memory", "--live", *words, "--output", "json").ok().out)


def counting(session, jar):
    """A job that runs until it is cancelled."""
    session.run(jar, "Counting", "--delay", "100", options=["-d"], seconds=LONG).ok()


# ---- what is used


@pytest.mark.reference(extended=True)
def test_what_a_running_session_uses(work, client, jar):
    """Of the reference's applications it is not known what the processes use as a whole."""
    cluster, heddle = work.cluster, work.client("heddle")
    session = client.session("-nm", work.name, KEPT)
    counting(session, jar)
    wait_for("a TaskManager", lambda: len(cluster.yarn.containers(session.application)) == 2)

    def told():
        found = live(heddle, session.application)
        known = [one["heap"]["used"] for one in found["processes"]]
        noted = not client.is_heddle or all(one["peak"] for one in found["processes"])
        return found if len(known) == 2 and all(known) and noted else None

    found = wait_for("what both use", told, 60)
    assert (found["application"], found["name"], found["jobs"], found["more"]) == (session.application, work.name, 1, 0)
    master, worker = found["processes"]
    assert (master["part"], worker["part"]) == ("job-manager", "task-manager"), found
    assert worker["container"] == cluster.yarn.containers(session.application)[1]["id"]
    for one in (master, worker):
        assert 0 < one["heap"]["used"] <= one["heap"]["max"] < 1024 * MB, one
        assert 10 * MB < one["metaspace"]["used"] < one["metaspace"]["max"] == 256 * MB, one
        assert one["process"]["max"] == 1024 * MB, one
    assert worker["managed"]["used"] == 0 < worker["managed"]["max"], worker
    assert 0 <= worker["network"]["used"] <= worker["network"]["max"], worker
    if client.is_heddle:
        [jvm] = processes.taskmanager_jvms(cluster, session.application)
        status = open(f"/proc/{jvm.pid}/status").read()
        peak = int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024
        assert 100 * MB < worker["process"]["used"] <= worker["peak"] <= peak, (worker, status)
        assert found["missing"] == [], found
    else:
        assert worker["peak"] is None and any("as a whole" in text for text in found["missing"]), found
    text = heddle.run("heddle", "memory", "--live", session.application).ok().out
    assert re.search(rf"^{worker['container']} .* / 1 GB ", text, re.MULTILINE), text
    managed = [remark for remark in found["remarks"] if "managed memory" in remark["text"]]
    assert [fix["key"] for remark in managed for fix in remark["fix"]] == ["taskmanager.memory.managed.fraction"], found
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("the command is heddle's")
def test_what_is_not_there_to_be_asked(work, client):
    result = client.run("heddle", "memory", "--live", "application_1700000000000_0001")
    assert result.code == 1 and "application_1700000000000_0001" in result.text, result
    session = client.session("-nm", work.name)
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, *FINISHED)
    result = client.run("heddle", "memory", "--live", session.application)
    assert result.code == 1 and "doesn't run anymore" in result.text, result


# ---- what is kept of an end


@pytest.mark.extended
@pytest.mark.heddle_only("it leaves nothing")
@pytest.mark.slow("a cluster of its own, and samples of some time before a kill")
def test_a_kill_for_memory_tells_how_it_came_to_that(patient, jar):
    cluster, client = patient.cluster, patient.client()
    session = client.session("-nm", patient.name, KEPT, "-Dyarn.application-attempts=1")
    session.run(jar, "WordCount", seconds=LONG).ok()
    [jvm] = processes.taskmanager_jvms(cluster, session.application)
    time.sleep(40)
    assert session.run(jar, "TakesMemory", "--mb", "1024", seconds=LONG).code != 0
    words = r"(native|resident memory) \+[\d.]+ [GM]B in \d+ (s|min)"
    log = lambda: cluster.log_text(session.application, "heddle-am.log")
    told = wait_for("the trend in the log", lambda: re.search(rf"how its memory has gone .*{words}", log()), 60)
    assert jvm.container in told[0], told

    directory = f"{cluster.hdfs.home}/.heddle/outcomes/{session.application}"

    def entry():
        files = cluster.hdfs.list(directory) or {}
        lines = cluster.hdfs.read(f"{directory}/containers.jsonl").splitlines() if "containers.jsonl" in files else []
        found = [json.loads(line) for line in lines]
        return next((one["end"] for one in found if one["end"]["container"] == jvm.container and "memory" in one["end"]), None)

    memory = wait_for("the samples in the record", entry, 90)["memory"]
    assert len(memory["at"]) == len(memory["rss"]) >= 3 and memory["at"] == sorted(memory["at"]), memory
    assert memory["rss"][-1] > 1 << 20 and max(memory["heap"]) < 1 << 20, memory
    found = client.run("heddle", "why", session.application, "--output", "json").ok().out
    [finding] = [one for one in json.loads(found)["findings"] if one["rule"] == "worker-over-physical-memory"]
    assert any(re.search(words, evidence["text"]) for evidence in finding["evidence"]), finding
    session.stop().ok()


# ---- what JVMs leave


def jvm_of(work, client, jar, *settings):
    """A session that has run a job, and the process of its TaskManager."""
    session = client.session("-nm", work.name, KEPT, *settings)
    session.run(jar, "WordCount", seconds=LONG).ok()
    [jvm] = processes.taskmanager_jvms(work.cluster, session.application)
    return session, jvm


@pytest.mark.heddle_only("its JVMs leave nothing")
def test_logs_of_the_garbage_collector_and_the_users_own(work, client, jar):
    """The user's own option for a TaskManager wins, and the JobManager has heddle's."""
    session, jvm = jvm_of(work, client, jar, "-Denv.java.opts.taskmanager=-Xlog:gc:file=mine.log")
    gc = [word for word in jvm.command if word.startswith("-Xlog:gc")]
    assert gc == ["-Xlog:gc:file=mine.log"], gc
    assert any(re.fullmatch(rf"-XX:ErrorFile=/.*{jvm.container}/hs_err_taskmanager_%p.log", word) for word in jvm.command), jvm.command
    master = work.cluster.yarn.containers(session.application)[0]["id"]
    text = client.run("heddle", "logs", "--container", master, "--file", "jobmanager-gc.log").ok().out
    assert re.search(r"\[info\]\[gc", text), text
    assert not work.cluster.log_files(jvm.container, "taskmanager-gc.log")
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("its JVMs leave nothing")
def test_without_records(work, client, jar):
    session, jvm = jvm_of(work, client, jar, "-Dheddle.jvm-records=false")
    assert not [word for word in jvm.command if word.startswith(("-Xlog:gc", "-XX:ErrorFile", "-XX:StartFlight"))]
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("its JVMs leave nothing")
def test_the_error_file_of_a_crash_and_what_was_recorded(work, client, jar):
    """It is there although the JVM had no time to say anything."""
    session, jvm = jvm_of(work, client, jar, "-Dheddle.jfr=true")
    recorded = lambda: work.cluster.log_files(jvm.container, "taskmanager-*.jfr")
    wait_for("a recording among the logs", recorded, 60)
    os.kill(jvm.pid, signal.SIGSEGV)
    wait_for("the error file", lambda: work.cluster.log_files(jvm.container, "hs_err_taskmanager_*.log"), 60)
    assert all(file.stat().st_size > 1000 for file in recorded()), recorded()
    text = client.run("heddle", "logs", "--container", jvm.container, "--file", "hs_err*").ok().out
    assert "A fatal error has been detected by the Java Runtime Environment" in text, text
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("its JVMs leave nothing")
@pytest.mark.slow("two heaps that are dumped and uploaded")
def test_the_dump_of_a_full_heap(work, client, jar):
    """The first one of a day is uploaded for the user alone, the second one is not; neither stays on the
    node."""
    cluster = work.cluster
    session = client.session("-nm", work.name, KEPT, "-Dheddle.heap-dump=true")
    directory = f"{cluster.hdfs.home}/.heddle/heap-dumps/{session.application}"
    said = lambda: cluster.log_text(session.application, "heddle-taskrunner.log")
    try:
        assert session.run(jar, "FillsHeap", seconds=LONG).code != 0
        wait_for("the upload", lambda: "the heap dump is uploaded" in said(), 120)
        [(name, status)] = cluster.hdfs.list(directory).items()
        assert re.fullmatch(r"taskmanager-heap-\d{4}-\d\d-\d\d\.hprof", name), name
        assert status["permission"] == "600" and status["length"] > 10 * MB, status
        assert cluster.hdfs.status(directory)["permission"] == "700"
        first = status["modificationTime"]
        [jvm] = processes.taskmanager_jvms(cluster, session.application)
        os.kill(jvm.pid, signal.SIGKILL)
        cluster.yarn.wait_workers(session.application, 0)
        assert session.run(jar, "FillsHeap", seconds=LONG).code != 0
        wait_for("the second one", lambda: "was uploaded on this day already" in said(), 120)
        [(_, status)] = cluster.hdfs.list(directory).items()
        assert status["modificationTime"] == first, status
        # It is removed a moment after that was said.
        wait_for("no dump on the node", lambda: not cluster.localized("heap.hprof", session.application), 30)
    finally:
        session.stop()
        cluster.hdfs.delete(directory)


@pytest.mark.heddle_only("the key is heddle's")
@pytest.mark.extended
def test_a_directory_that_cannot_be(work, client):
    result = client.run("yarn-session.sh", "-d", "-nm", work.name, "-Dheddle.heap-dump=true", "-Dheddle.heap-dump.dir=dumps")
    assert result.code == 1 and "heddle.heap-dump.dir" in result.text, result

"""Killed workers are replaced, and the cause can be read."""

import os
import signal

import pytest

from harness import ends, processes
from harness.cluster import Flink
from harness.waiting import wait_for


def run_and_kill(work, client, jar, hdfs_dir, victim_of):
    """Kills a process of the only worker in the middle of a job; returns session and the old worker's id."""
    cluster = work.cluster
    session = client.session("-nm", work.name)
    # Not in HDFS: it writes for every element, and must not be what holds up the checkpoints.
    progress = work.directory / "progress"
    options = ["--checkpoints", f"{cluster.fs}{hdfs_dir}/checkpoints", "--interval", "500", "--restarts", "3"]
    size = ["--elements", "600", "--delay", "20", "--keys", "2", "--progress", f"file://{progress}"]
    job = session.start(jar, "Counting", *options, *size)
    job_id = job.wait_text(r"JobID ([0-9a-f]{32})")[1]
    rest = Flink(session.url)
    wait_for("a checkpoint", lambda: rest.get(f"jobs/{job_id}/checkpoints")["counts"]["completed"] > 1)

    [worker] = cluster.yarn.workers(session.application)
    inside = [p for p in processes.of_application(cluster, session.application) if p.container == worker["id"]]
    os.kill(victim_of(inside).pid, signal.SIGKILL)

    wait_for("nothing of the worker left", lambda: not any(p.alive() for p in inside), 20)
    assert job.result(120).code == 0
    assert rest.jobs()[job_id] == "FINISHED"
    [replacement] = cluster.yarn.workers(session.application)
    assert replacement["id"] != worker["id"]
    # Nothing was counted twice or lost, and it went on from a checkpoint.
    counts = {file.name: int(file.read_text()) for file in progress.iterdir() if not file.name.startswith(".")}
    assert counts["count-0"] == counts["count-1"] == 300
    assert counts["restored-0"] > 0
    return session, worker["id"]


@pytest.mark.reference(extended=True)
def test_kill_minus_nine_of_a_taskmanager(work, client, jar, hdfs_dir):
    session, worker = run_and_kill(work, client, jar, hdfs_dir, lambda inside: next(p for p in inside if p.is_jvm))
    # Flink's own log says it: that is where its users look.
    assert worker in work.cluster.log_text(session.application, "jobmanager.log")
    if client.is_heddle:
        assert "SIGKILL" in ends.reason(work.cluster, session.application, worker)
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("it has no taskrunner")
@pytest.mark.every_hadoop
def test_kill_minus_nine_of_a_taskrunner(work, client, jar, hdfs_dir):
    runner = "heddle-taskrunner"
    session, worker = run_and_kill(work, client, jar, hdfs_dir, lambda inside: next(p for p in inside if p.program == runner))
    assert ends.exit_code(work.cluster, worker) == 128 + signal.SIGKILL
    assert "(exit status 137)" in ends.reason(work.cluster, session.application, worker)
    session.stop().ok()


@pytest.mark.reference(extended=True)
@pytest.mark.extended
def test_a_worker_that_cannot_start_is_reported(work, client, jar):
    """JVM options that no JVM takes: the job fails with a cause, and the session lives."""
    cluster = work.cluster
    rater = ["-Dresourcemanager.start-worker.max-failure-rate=2", "-Dslot.request.timeout=15000"]
    session = client.session("-nm", work.name, "-Denv.java.opts.taskmanager=-Xmsnonsense", *rater)
    result = session.run(jar, "WordCount", seconds=120)
    assert result.code == 1
    first = f"container_{session.application.removeprefix('application_')}_01_000002"
    # YARN may stop what is left of the container as soon as its worker is given back.
    assert wait_for("the exit code", lambda: ends.exit_code(cluster, first), 20) in (1, 128 + signal.SIGTERM)
    if client.is_heddle:
        told = ends.reason(cluster, session.application, first)
        assert ": the JVM exited with code 1 (" in told and "nonsense" in told, "the last lines of its output too"
    assert cluster.yarn.app(session.application)["state"] == "RUNNING"
    session.stop().ok()

"""Checkpoints, savepoints and going on from them, all on HDFS."""

import re

import pytest

from harness.cluster import Flink
from harness.waiting import wait_for


def start_counting(session, cluster, jar, hdfs_dir, progress, *more, options=()):
    """The job's id, once it runs. `progress` is not in HDFS, because it is written for every element."""
    arguments = ["--checkpoints", f"{cluster.fs}{hdfs_dir}/checkpoints", "--interval", "500", "--delay", "10"]
    result = session.run(jar, "Counting", *arguments, "--progress", f"file://{progress}", *more, options=["-d", *options]).ok()
    Flink(session.url).wait_job(result.job, "RUNNING")
    return result.job


def number(file):
    """The number in a progress file; 0 while it is not there or being rewritten."""
    return int(file.read_text() or 0) if file.exists() else 0


def completed(session, job):
    return Flink(session.url).get(f"jobs/{job}/checkpoints")["counts"]["completed"]


@pytest.mark.reference(extended=True)
def test_stop_with_savepoint_and_run_from_it(session, cluster, jar, hdfs_dir, tmp_path):
    client, before, after = session.client, tmp_path / "before", tmp_path / "after"
    job = start_counting(session, cluster, jar, hdfs_dir, before)
    wait_for("counts", lambda: number(before / "count-0") > 20)
    result = client.flink("stop", *session.target(), "-p", f"{cluster.fs}{hdfs_dir}/savepoints", job).ok()
    assert re.search(rf"Suspending job \"{job}\" with a CANONICAL savepoint\.", result.out)
    path = re.search(r"Savepoint completed\. Path: (\S+)", result.out)[1]
    # hdfs:// with or without the authority: Flink prints what it has.
    assert cluster.hdfs.status(re.sub(r"^hdfs://[^/]*|^hdfs:", "", path) + "/_metadata")
    assert Flink(session.url).jobs()[job] == "FINISHED"
    at_stop = number(before / "count-0")

    job = start_counting(session, cluster, jar, hdfs_dir, after, options=["-s", path])
    wait_for("state restored", lambda: number(after / "restored-0") == at_stop)
    wait_for("counting on", lambda: number(after / "count-0") > at_stop)
    client.flink("cancel", *session.target(), job).ok()


@pytest.mark.reference(extended=True)
def test_savepoint_checkpoint_and_dispose(session, cluster, jar, hdfs_dir, tmp_path):
    client = session.client
    job = start_counting(session, cluster, jar, hdfs_dir, tmp_path)
    wait_for("a checkpoint", lambda: completed(session, job) > 0)

    out = client.flink("savepoint", *session.target(), job, f"{cluster.fs}{hdfs_dir}/savepoints").ok().out
    assert f"Triggering savepoint for job {job}." in out
    path = re.search(r"Savepoint completed\. Path: (\S+)", out)[1]
    assert Flink(session.url).jobs()[job] == "RUNNING"

    out = client.flink("checkpoint", *session.target(), job).ok().out
    assert re.search(rf"Checkpoint(\(FULL\))? \d+ for job {job} completed\.", out)

    out = client.flink("savepoint", *session.target(), "--dispose", path).ok().out
    assert "disposed" in out
    assert cluster.hdfs.status(re.sub(r"^hdfs://[^/]*|^hdfs:", "", path) + "/_metadata") is None
    client.flink("cancel", *session.target(), job).ok()


def test_run_from_a_retained_checkpoint(session, cluster, jar, hdfs_dir, tmp_path):
    client = session.client
    job = start_counting(session, cluster, jar, hdfs_dir, tmp_path / "before")
    wait_for("checkpoints", lambda: completed(session, job) > 2)
    client.flink("cancel", *session.target(), job).ok()
    Flink(session.url).wait_job(job, "CANCELED")
    # Flink's REST answers from a cache of some seconds; what was retained is what lies in HDFS.
    below = f"{hdfs_dir}/checkpoints/{job}"

    def retained():
        """The one that stays: those before it, and one that was only begun, are removed after the job's
        end."""
        names = [name for name in cluster.hdfs.list(below) if name.startswith("chk-")]
        return names[0] if len(names) == 1 and "_metadata" in cluster.hdfs.list(f"{below}/{names[0]}") else None

    checkpoint = f"{cluster.fs}{below}/{wait_for('one checkpoint', retained, 30)}"
    start_counting(session, cluster, jar, hdfs_dir, tmp_path / "after", options=["-s", checkpoint])
    wait_for("state restored", lambda: number(tmp_path / "after/restored-0") > 0)


@pytest.mark.reference(extended=True)
def test_a_savepoint_that_is_not_there(session, cluster, jar, hdfs_dir):
    path = f"{cluster.fs}{hdfs_dir}/no-such-savepoint"
    result = session.run(jar, "Counting", options=["-s", path])
    assert result.code == 1
    assert "no-such-savepoint" in result.text

"""TaskManagers that YARN is asked for while the JobManager starts: used when they are needed, given back when
they are not."""

import time

import pytest

from harness.client import FAST_START
from harness.cluster import Flink
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("Flink's own ApplicationMaster asks for workers once a job wants them")

IDLE = "-Dresourcemanager.taskmanager-timeout=5000"


@pytest.mark.skipif(not FAST_START, reason="none without accelerators")
def test_a_session_has_its_workers_before_the_first_job(work, client, jar):
    yarn = work.cluster.yarn
    session = client.session("-nm", work.name, "-Dheddle.prewarm=2", "-Dresourcemanager.taskmanager-timeout=20000")
    warm = {c["id"] for c in yarn.wait_workers(session.application, 2)}
    assert Flink(session.url).taskmanagers() == [], "Flink has not asked for them"
    # A job that needs more gets more, and begins with those that are there.
    job = session.start(jar, "Sleepy", "--seconds", "5", options=["-p", "3"])
    used = {c["id"] for c in yarn.wait_workers(session.application, 3)}
    assert warm <= used
    assert job.result().code == 0
    assert {m["id"].split("(")[0] for m in Flink(session.url).taskmanagers()} <= used
    session.stop().ok()


@pytest.mark.extended
def test_workers_that_nobody_needs_are_given_back(work, client):
    yarn = work.cluster.yarn
    session = client.session("-nm", work.name, "-Dheddle.prewarm=2", IDLE)
    begin = time.monotonic()
    yarn.wait_workers(session.application, 0, seconds=30)
    assert time.monotonic() - begin < 15
    assert yarn.app(session.application)["state"] == "RUNNING"
    session.stop().ok()


@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.extended)] if FAST_START else [False])
def test_a_program_finds_its_workers_and_has_no_more_than_it_uses(work, client, jar, fast):
    """`-p 3` says three; the job has a parallelism of its own."""
    yarn = work.cluster.yarn
    options = [IDLE, "-p", "3", *([] if fast else ["-Dheddle.fast-start=false"])]
    result = client.application(work.name, jar, "Sleepy", "--seconds", "600", "--parallelism", "1", options=options).ok()
    rest = Flink(result.rest)
    if fast:
        wait_for("workers before they are needed", lambda: len(yarn.workers(result.application)) == 3, seconds=20)
    job = wait_for("a job", lambda: next(iter(rest.jobs()), None), seconds=60)
    rest.wait_job(job, "RUNNING")
    yarn.wait_workers(result.application, 1, seconds=30)
    wait_for("its one TaskManager", lambda: len(rest.taskmanagers()) == 1)
    client.flink("cancel", "-t", "yarn-application", f"-Dyarn.application.id={result.application}", job).ok()
    yarn.wait_state(result.application, "FINISHED")


def test_a_size_that_the_cluster_cannot_give_is_still_told(work, client, jar):
    result = client.run("yarn-session.sh", "-d", "-nm", work.name, "-tm", "999999m", "-Dheddle.prewarm=1")
    assert result.code == 1
    assert "999999" in result.err


def test_a_number_below_zero_is_refused(work, client):
    result = client.run("yarn-session.sh", "-d", "-nm", work.name, "-Dheddle.prewarm=-1")
    assert result.code == 1
    assert "heddle.prewarm must be a number from 0 on" in result.err

"""TaskManagers come when a job needs them, are of the size asked for, and go when they are idle."""

import re
import time

import pytest

from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for

# The job holds its slots until the test ends.
LONG = ("--seconds", "600")


def slots_used(session):
    return [manager["slotsNumber"] - manager["freeSlots"] for manager in Flink(session.url).taskmanagers()]


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(("slots", "parallelism", "workers"), [pytest.param(1, 4, 4, marks=pytest.mark.extended), (2, 4, 2)])
def test_as_many_workers_as_the_parallelism_needs(work, client, jar, slots, parallelism, workers):
    cluster = work.cluster
    session = client.session("-nm", work.name, "-tm", "1000", "-s", slots)
    assert cluster.yarn.workers(session.application) == []

    job = session.start(jar, "Sleepy", "--seconds", "8", options=["-p", parallelism])
    found = cluster.yarn.wait_workers(session.application, workers)
    # 1000 MB in the scheduler's steps of 128; a core for each slot.
    assert {(c["totalMemoryNeededMB"], c["totalVCoresNeeded"]) for c in found} == {(1024, slots)}
    wait_for("all slots in use", lambda: slots_used(session) == [slots] * workers)
    assert job.result().code == 0

    # The idle timeout of these sessions is 5 s.
    cluster.yarn.wait_workers(session.application, 0, seconds=30)
    assert cluster.yarn.app(session.application)["state"] == "RUNNING"
    session.stop().ok()


@pytest.mark.extended
def test_idle_workers_go_after_thirty_seconds_by_default(work, client, jar):
    result = client.run("yarn-session.sh", "-d", "-nm", work.name, "-jm", "1024", "-tm", "1024").ok()
    yarn = work.cluster.yarn
    client.flink("run", "-c", "WordCount", jar).ok()  # by the properties file
    ended = time.monotonic()
    assert len(yarn.workers(result.application)) == 1
    yarn.wait_workers(result.application, 0, seconds=90)
    assert time.monotonic() - ended > 20, "an idle worker stays for the next job"
    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_two_jobs_at_once_and_reuse_of_idle_workers(work, client, jar):
    yarn = work.cluster.yarn
    session = client.session("-nm", work.name, "-Dresourcemanager.taskmanager-timeout=120000")
    first = session.run(jar, "Sleepy", *LONG, options=["-d"]).ok().job
    second = session.run(jar, "Sleepy", *LONG, options=["-d"]).ok().job
    rest = Flink(session.url)
    for job in (first, second):
        rest.wait_job(job, "RUNNING")
    before = yarn.wait_workers(session.application, 2)
    wait_for("both at work", lambda: slots_used(session) == [1, 1])

    listed = client.flink("list", *session.target()).ok().out
    assert listed.count("(RUNNING)") == 2 and first in listed and second in listed
    out = client.flink("cancel", *session.target(), first).ok().out
    assert f"Cancelling job {first}." in out and f"Cancelled job {first}." in out
    rest.wait_job(first, "CANCELED")
    client.flink("cancel", *session.target(), second).ok()

    # A third job, of both slots, takes the workers that are there.
    assert session.run(jar, "Sleepy", "--seconds", "2", options=["-p", "2"]).ok().jobs
    after = yarn.workers(session.application)
    assert [c["id"] for c in after] == [c["id"] for c in before]
    session.stop().ok()
    yarn.wait_state(session.application, "FINISHED")


@pytest.mark.heddle_only("it says no more than that there are no slots")
def test_workers_that_end_before_they_register(work, client, jar):
    options = ["-Denv.java.opts.taskmanager=-javaagent:/no/such/agent.jar", "-Dslot.request.timeout=15000", "--attached"]
    options += ["-Drestart-strategy.type=none", "-Dresourcemanager.start-worker.retry-interval=1s"]
    result = client.application(work.name, jar, "WordCount", options=options)
    assert result.code == 1, result
    said = r"TaskManagers? failed at (its|their) start on localhost(; the first)?: the JVM exited with code 1 .*: Error opening zip file or JAR manifest missing : /no/such/agent.jar"
    assert re.search(said, result.err), result
    app = check_gone(work.cluster, result.application, "FAILED")
    assert re.search(said, app["diagnostics"])

"""`heddle status`: one verdict about an application, and who says so.

The applications are those of both clients; the command is always heddle's.
"""

import json
import re
import signal

import pytest

from conftest import workspace_on
from harness.checks import check_gone
from harness.client import KEPT, LONG
from harness.cluster import FINISHED
from harness.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

RUNS = HAS_SUCCEEDED = 0
FAILED, KILLED, UNKNOWN = 4, 5, 7


def status(heddle, code, *words):
    """The answer for programs; the command has to end with this code."""
    result = heddle.run("heddle", "status", *words, "--output", "json")
    assert result.code == code and not result.error_lines(), result
    return json.loads(result.out)


def lines(heddle, code, *words):
    """The answer for people."""
    result = heddle.run("heddle", "status", *words)
    assert result.code == code and not result.error_lines(), result
    return result.out.splitlines()


def said_by(answer, source):
    return [witness["says"] for witness in answer["witnesses"] if witness["source"] == source]


@pytest.mark.reference(extended=True)
def test_a_session_that_runs_and_ends(work, client, jar):
    heddle = work.client("heddle")
    session = client.session("-nm", work.name, KEPT)
    session.run(jar, "WordCount", seconds=LONG).ok()
    application = session.application
    free = {"registered": 1, "slots": 1, "freeSlots": 1}
    # The job gives its slot back a moment after it has ended.
    wait_for("a free slot", lambda: status(heddle, RUNS, application)["taskManagers"] == free, 20)
    told = status(heddle, RUNS, application)
    assert (told["application"], told["name"], told["user"]) == (application, work.name, work.cluster.user)
    assert (told["state"], told["reason"], told["finding"]) == ("running", "jobs: 1 FINISHED", None)
    assert "RUNNING" in said_by(told, "resource-manager") and "attempt 1: RUNNING" in said_by(told, "resource-manager")
    assert set(said_by(told, "job-manager")) == {"jobs: 1 FINISHED", "TaskManagers: 1, slots: 1, free: 1"}
    assert all(witness["age"] is None or witness["age"] < 60000 for witness in told["witnesses"]), told
    [verdict, *witnesses] = lines(heddle, RUNS, application)
    assert verdict == f'RUNNING  {application}  "{work.name}"  jobs: 1 FINISHED'
    assert any(re.fullmatch(r"  ResourceManager +\d+ s ago  RUNNING", line) for line in witnesses), witnesses
    assert any(re.fullmatch(r"  JobManager +\d+ s ago  jobs: 1 FINISHED", line) for line in witnesses), witnesses
    if client.is_heddle:
        # The session that was started last.
        assert lines(client, RUNS)[0] == verdict

    session.stop().ok()
    work.cluster.yarn.wait_state(application, *FINISHED)
    told = status(heddle, HAS_SUCCEEDED, application)
    assert (told["state"], told["finding"], told["taskManagers"]) == ("succeeded", None, None)
    assert "FINISHED, final status SUCCEEDED" in said_by(told, "resource-manager")
    if client.is_heddle:
        assert said_by(told, "outcome") == ["noted SUCCEEDED"]
    assert lines(heddle, HAS_SUCCEEDED, application)[0].startswith(f"SUCCEEDED  {application}  ")


@pytest.mark.reference(extended=True)
def test_a_session_that_was_killed(work, client):
    heddle = work.client("heddle")
    session = client.session("-nm", work.name)
    heddle.run("heddle", "kill", session.application).ok()
    check_gone(work.cluster, session.application, "KILLED", files=False)
    told = status(heddle, KILLED, session.application)
    assert (told["state"], told["finding"]["rule"], told["finding"]["whose"]) == ("killed", "killed-on-request", "nobody")
    [verdict, *others] = lines(heddle, KILLED, session.application)
    assert verdict.startswith(f"KILLED  {session.application}  ")
    assert any(line.startswith("cause: Somebody has killed the application through YARN") for line in others), others


@pytest.mark.heddle_only("its client neither waits nor explains")
def test_an_application_that_has_failed(work, client, jar):
    """The command that has failed leads to the others, and says nothing twice."""
    result = client.application(work.name, jar, "ThrowInMain", options=["--attached"])
    assert result.code == 1 and "heddle-test: thrown in main" in result.err, result
    application = result.application
    check_gone(work.cluster, application, "FAILED")
    assert f"hint: `heddle why {application}` tells what was found of the cause, with the evidence" in result.hints(), result
    assert "cause:" not in result.err, "YARN's diagnostics say it already"
    told = status(client, FAILED, application)
    assert (told["state"], told["finding"]["rule"]) == ("failed", "main-fails")
    others = lines(client, FAILED, application)
    assert any(line.startswith("cause: ") and "heddle-test: thrown in main" in line for line in others), others
    assert any(f"`heddle why {application}`" in line for line in others), others


@pytest.mark.heddle_only("the command is heddle's")
def test_an_application_that_yarn_does_not_know(work, client):
    told = status(client, UNKNOWN, "application_1_0001")
    assert (told["state"], told["name"], told["user"], told["finding"]) == ("unknown", None, None, None)
    assert said_by(told, "resource-manager") and said_by(told, "outcome"), told
    assert lines(client, UNKNOWN, "application_1_0001")[0].startswith("UNKNOWN  application_1_0001  the ResourceManager ")


@pytest.fixture
def own_work(request, own_cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, own_cluster, tmp_path, flink_home, client_kind)


@pytest.mark.extended
@pytest.mark.heddle_only("the command is heddle's")
@pytest.mark.slow("a ResourceManager that is started again")
@pytest.mark.xdist_group("own-cluster")
def test_a_resourcemanager_that_is_silent_or_has_forgotten(own_work, jar):
    """Nobody counts as failed because somebody is silent; heddle-am's record knows what YARN has
    forgotten."""
    client, cluster = own_work.client(), own_work.cluster
    session = client.session("-nm", own_work.name)
    application = session.application
    session.run(jar, "WordCount", seconds=LONG).ok()
    cluster.signal("resourcemanager", signal.SIGSTOP)
    try:
        result = client.run("heddle", "status", application, "--output", "json")
    finally:
        cluster.signal("resourcemanager", signal.SIGCONT)
    assert result.code == UNKNOWN and result.seconds < 15, result
    told = json.loads(result.out)
    assert told["state"] == "unknown" and "no answer within 3 s" in told["reason"], told
    assert any("only the ResourceManager knows its address" in says for says in said_by(told, "job-manager")), told

    session.stop().ok()
    cluster.yarn.wait_state(application, *FINISHED)
    cluster.signal("resourcemanager", signal.SIGKILL)
    cluster.up()
    told = status(client, HAS_SUCCEEDED, application)
    assert (told["state"], told["name"]) == ("succeeded", own_work.name)
    assert told["reason"].startswith("heddle-am has noted SUCCEEDED; the ResourceManager "), told
    # It is listed with those that have ended, and only there.
    assert application not in client.run("heddle", "ps").ok().out
    [line] = [line for line in client.run("heddle", "ps", "--all").ok().out.splitlines() if application in line]
    assert "FINISHED (SUCCEEDED)" in line and "YARN has forgotten it" in line and own_work.name in line, line
    listed = json.loads(client.run("heddle", "ps", "--all", "--output", "json").ok().out)
    [mine] = [app for app in listed if app["application"] == application]
    assert (mine["forgotten"], mine["by"], mine["finalStatus"], mine["cause"]) == (True, "heddle", "SUCCEEDED", None), mine
    assert mine["ended"] and mine["queue"] == "", mine

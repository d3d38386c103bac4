"""`--timing`: where the time of a command went."""

import json

import pytest

from harness.checks import check_gone
from harness.client import FAST_START

pytestmark = pytest.mark.heddle_only("Flink's own client does not tell it")


def steps_of(result, *names):
    """The steps of the result on the last line of stdout; all of `names` are among them."""
    timing = json.loads(result.out.splitlines()[-1])["timing"]
    for step in timing["steps"]:
        assert 0 <= step["beginMs"] <= step["endMs"] <= timing["totalMs"], step
    begins = [step["beginMs"] for step in timing["steps"]]
    assert begins == sorted(begins)
    assert timing["slowest"] in timing["steps"]
    found = {step["name"] for step in timing["steps"]}
    assert set(names) <= found, found
    return timing


def check_picture(result, *names):
    """The picture is on stderr, and nothing of it on stdout."""
    picture, slowest, rest = result.err[result.err.index("Timing: "):].partition("Slowest: ")
    lines = [*picture.splitlines(), slowest + rest.splitlines()[0]]
    assert lines[0].endswith(" in all") and lines[-1].endswith(lines[0].split(maxsplit=1)[1].removesuffix(" in all"))
    for name in names:
        assert any(line.startswith(name) and line.endswith("s") for line in lines), (name, lines)
    assert "Slowest: " not in result.out


def test_a_session_and_a_job_on_it(work, jar):
    client = work.client()
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, "--timing", "--output", "json").ok()
    assert len(result.out.splitlines()) == 1, "a program reads it, so the rest is on stderr"
    told = json.loads(result.out)
    assert work.cluster.yarn.app(told["application"])["state"] == "RUNNING"
    assert f"Found Web Interface {told['webInterface'].removeprefix('http://')} of application" in result.err
    ways = ["configuration", "ResourceManager asked", "NameNode asked", "stores looked at", "application submitted"]
    ways += ["ApplicationMaster", "JobManager JVM", "JobManager", "registration with YARN"]
    timing = steps_of(result, *ways)
    assert timing["totalMs"] <= result.seconds * 1000
    words = ["-t", "yarn-session", f"-Dyarn.application.id={told['application']}"]
    ran = client.flink("run", *words, "--timing", "-c", "PrintCollect", jar).ok()
    assert "main: after" in ran.out and len(ran.jobs) == 1
    check_picture(ran, "ResourceManager asked", "Flink's client, to the job (", "tasks wait for TaskManagers (", "tasks run (")
    client.run("yarn-session.sh", "-id", told["application"], stdin="stop\n").ok()


@pytest.mark.extended
def test_a_program_with_a_cluster_of_its_own(work, jar):
    result = work.client().per_job(work.name, jar, "PrintCollect", options=["--timing", "--output", "json"]).ok()
    assert "main: after" in result.err and len(result.out.splitlines()) == 1
    ways = ["Flink's client starts", "JobManager JVM", "container asked for", "TaskManager JVM", "until the REST interface answers", "Flink's client, to the job", "tasks run"]
    if not FAST_START:
        ways.remove("until the REST interface answers")  # YARN knows the cluster only then
    timing = steps_of(result, *ways)
    application = json.loads(result.out.splitlines()[-1])["application"]
    [worker] = {step["subject"] for step in timing["steps"] if step["name"] == "TaskManager JVM"}
    assert worker.startswith(application.replace("application", "container"))
    check_gone(work.cluster, application, "SUCCEEDED")


def test_a_plan(work):
    result = work.client().run("yarn-session.sh", "--dry-run", "--output", "json", "--timing").ok()
    names = [step["name"] for step in json.loads(result.out)["timing"]["steps"]]
    assert "stores looked at" in names and "application submitted" not in names


def test_a_failed_start_tells_what_it_was_at(work):
    words = ["-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, "--timing", "-Denv.java.opts.jobmanager=-Xmsnonsense"]
    result = work.client().run("yarn-session.sh", *words)
    assert result.code != 0 and "nonsense" in result.text
    check_picture(result, "configuration", "application submitted", "start of the cluster, not finished")
    assert result.err.index("Slowest: ") < result.err.index("error: ")

"""What commands print, and where: output that nobody can take, and answers for programs."""

import json
import os
import signal
import socket
import subprocess

import pytest

from harness import answers
from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for


def printed_to(client, path, program, *words):
    """Runs a command whose standard output is a file that is there: exit code and standard error stream."""
    with open(path, "w") as out:
        done = subprocess.run([client.bin / program, *words], env=client.environment(), cwd=client.directory, stdout=out, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stderr


def printed_to_nobody(client, program, *words):
    """The same with a pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([client.bin / program, *words], env=client.environment(), cwd=client.directory, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.heddle_only("Java ignores errors of its standard output")
@pytest.mark.parametrize("line", [
    "heddle --help", "heddle completion bash", "heddle man", "flink list --help", "yarn-session.sh -q",
    "heddle ps --output json", "heddle memory", "heddle gc", "yarn-session.sh --dry-run",
])
def test_full(client, line):
    """A disk that is full is told, a reader that is gone is not; neither is a success."""
    code, said = printed_to(client, "/dev/full", *line.split())
    assert (code, said.count("error: ")) == (1, 1), said
    assert "cannot write to the standard output: No space left" in said
    code, said = printed_to_nobody(client, *line.split())
    assert (code, "error: " in said) == (141, False), said


@pytest.mark.heddle_only("Java ignores errors of its standard output")
def test_a_deployment_without_output(work, client):
    """It goes on to its end: the session is there, and can be stopped."""
    code, said = printed_to(client, "/dev/full", "yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name)
    [mine] = [app for app in work.cluster.yarn.apps() if app["name"] == work.name]
    assert (code, mine["state"]) == (1, "RUNNING"), said
    assert said.count("error: ") == 1 and "hint: the command itself was carried out" in said
    assert "No running jobs." in client.flink("list").ok().out
    client.run("yarn-session.sh", "-id", mine["id"], stdin="stop\n").ok()
    wait_for("gone", lambda: work.cluster.yarn.app(mine["id"])["state"] == "FINISHED", 30)


def answer(result, *keys):
    """The one JSON value of stdout, which has these keys."""
    assert len(result.out.splitlines()) == 1, result
    told = json.loads(result.out)
    assert set(keys) <= set(told), told
    return told


def as_json(client, program, *words):
    return client.run(program, *words, "--output", "json")


@pytest.mark.heddle_only("it has no such option")
def test_answers_of_the_commands_on_jobs(session, cluster, jar, hdfs_dir, tmp_path):
    """One JSON value each, with one spelling of the keys; errors too."""
    client, target = session.client, session.target()
    program = ["-c", "Counting", jar, "--checkpoints", f"{cluster.fs}{hdfs_dir}/checkpoints", "--progress", f"file://{tmp_path}"]
    run = answer(client.flink("run", *target, "-d", "--output", "json", *program).ok(), "application", "webInterface", "jobs")
    assert (run["application"], run["webInterface"]) == (session.application, session.url)
    [job] = [job["id"] for job in run["jobs"]]
    Flink(session.url).wait_job(job, "RUNNING")
    wait_for("its tasks run", lambda: (tmp_path / "count-0").exists(), 120)
    listed = answer(as_json(client, "flink", "list", *target).ok())
    assert [(found["id"], found["state"]) for found in listed["jobs"]] == [(job, "RUNNING")]

    # No directory is configured: the hint says how to name one.
    failed = as_json(client, "flink", "stop", *target, job)
    error = answer(failed, "error")["error"]
    assert (failed.code, error["application"], error["usage"], error["retryHelps"]) == (1, session.application, False, False)
    assert any("-p" in hint and "savepoint" in hint for hint in error["hints"]), error
    assert error["message"] in failed.error_lines()[0]

    place = f"{cluster.fs}{hdfs_dir}/savepoints"
    took = answer(as_json(client, "flink", "savepoint", *target, job, place).ok())
    assert took["job"] == job and took["savepoint"].startswith(place)
    assert answer(as_json(client, "flink", "checkpoint", *target, job).ok())["checkpoint"] >= 1
    stopped = answer(as_json(client, "flink", "stop", *target, "-p", place, job).ok())
    assert stopped["savepoint"].startswith(place)

    unknown = "ab" * 16
    for words in (["cancel", unknown], ["stop", "-p", place, unknown], ["savepoint", unknown, place], ["checkpoint", unknown]):
        gone = as_json(client, "flink", words[0], *target, *words[1:])
        assert any("flink list" in hint for hint in answer(gone, "error")["error"]["hints"]), gone
    usage = as_json(client, "flink", "cancel", *target, "no-id")
    assert answer(usage, "error")["error"]["usage"], usage
    usage = as_json(client, "flink", "cancel", *target, "--nonsense")
    assert "Unrecognized option" in answer(usage, "error")["error"]["message"]


@pytest.mark.extended
@pytest.mark.heddle_only("it has no such option")
def test_the_answer_of_an_attached_application(work, jar):
    """Jobs, final status and diagnostics, of one that succeeds and of one that fails."""
    words = {"options": ["--attached", "--output", "json"]}
    done = answer(work.client().application(work.name, jar, "WordCount", **words).ok(), "application", "jobs", "webInterface")
    assert (done["state"], done["finalStatus"]) == ("FINISHED", "SUCCEEDED")
    failed = work.client().application(work.name, jar, "FailAtRuntime", **words)
    told = answer(failed, "application", "state", "diagnostics", "error")
    assert (failed.code, told["finalStatus"]) == (1, "FAILED") and told["diagnostics"]
    assert told["error"]["application"] == told["application"]


@pytest.mark.heddle_only("it has no such commands")
def test_kill_and_ps(work, client):
    """A session is shown, killed, shown again; a second kill says that it has ended, an unknown one is an
    error."""
    session = client.session("-nm", work.name)
    shown = client.run("heddle", "ps", session.application).ok().out
    for word in (work.name, "RUNNING", session.url, "jobs           none"):
        assert word in shown, shown
    said = client.run("heddle", "kill", session.application).ok().out
    assert f"Killed {session.application}: it was RUNNING and is KILLED now." in said
    assert work.cluster.yarn.app(session.application)["state"] == "KILLED"
    assert not (client.properties / f".yarn-properties-{work.cluster.user}").exists()
    [line] = [line for line in client.run("heddle", "ps", "--all").ok().out.splitlines() if session.application in line]
    assert "KILLED" in line and "killed by `heddle kill`" in line

    unknown = f"{session.application[:-4]}9999"
    again = client.run("heddle", "kill", session.application, unknown, "--output", "json")
    told = answer(again, "applications", "error")
    assert again.code == 1 and unknown in told["error"]["message"]
    first, second = told["applications"]
    assert (first["killed"], first["stateBefore"], second["error"]["application"]) == (False, "KILLED", unknown)
    assert any("heddle ps" in hint for hint in told["error"]["hints"])
    check_gone(work.cluster, session.application, "KILLED")


# What ends well without a cluster, and a key of its answer.
ANSWERED = {
    "heddle version": "heddle", "flink --version": "flink", "heddle --help": "help", "heddle help run": "help",
    "flink list --help": "help", "yarn-session.sh --help": "help", "heddle completion bash": "script", "heddle man": "pages",
    "heddle explain-exit 137": "codes", "heddle memory --offline": "taskManager",
}  # fmt: skip


@pytest.mark.heddle_only("it has no such option")
@pytest.mark.parametrize("line", ANSWERED)
def test_every_command_has_an_answer(client, line):
    """That it is as the schema has it is checked wherever a command is run."""
    assert "error" not in answer(as_json(client, *line.split()).ok(), ANSWERED[line])


@pytest.mark.heddle_only("it has no such option")
@pytest.mark.parametrize("line, kind", [
    ("heddle --output json", "usage"), ("heddle nothing --output json", "usage"), ("flink list --output json --nonsense", "usage"),
    ("yarn-session.sh extra --output=json", "usage"), ("heddle gc --older-than 5 --output json", "usage"),
    ("heddle store --output json", "usage"), ("heddle why --output json", "usage"), ("sql-client.sh --output json", "usage"),
    ("sql-client.sh -f missing.sql --output json", "not-found"), ("flink run --output json missing.jar", "not-found"),
    ("heddle kill application_1_0001 --output json", "not-found"), ("flink list -m localhost:1 --output json", "unreachable"),
    ("yarn-session.sh --dry-run -Dyarn.application.queue=nowhere --output json", "queue"),
    ("yarn-session.sh --dry-run -Dyarn.application-attempts=many --output json", "configuration"),
])  # fmt: skip
def test_a_failure_has_an_answer_with_its_class(client, line, kind):
    result = client.run(*line.split())
    error = answer(result, "error")["error"]
    assert (result.code, error["class"], error["usage"]) == (1, kind, kind == "usage"), result
    assert error["message"] in result.error_lines()[0]


@pytest.mark.heddle_only("it has no such option")
def test_a_program_that_cannot_start_has_an_answer(client):
    """Its working directory is gone, which is found out before the command line is read."""
    line = f"mkdir gone && cd gone && rmdir ../gone && exec {client.bin}/heddle ps --output json"
    done = subprocess.run(["bash", "-c", line], env=client.environment(), cwd=client.directory, capture_output=True, text=True, timeout=60)
    answers.check(["heddle", "ps", "--output", "json"], done.stdout)
    assert (done.returncode, json.loads(done.stdout)["error"]["class"]) == (1, "local"), done
    assert "error: cannot find out the working directory" in done.stderr


@pytest.mark.heddle_only("it has no such option")
@pytest.mark.parametrize("line", ["heddle ps", "yarn-session.sh -q", "heddle memory --live application_1_0001"])
def test_an_interrupted_command_has_an_answer(client, line):
    """It waits for a ResourceManager that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        place = f"-Dflink.yarn.resourcemanager.address=127.0.0.1:{silent.getsockname()[1]}"
        running = client.start(*line.split(), place, "--output", "json")
        with silent.accept()[0]:
            os.kill(running.process.pid, signal.SIGTERM)
            result = running.result(30)
    assert (result.code, answer(result, "error")["error"]["class"]) == (143, "interrupted"), result


@pytest.mark.heddle_only("it has no such option")
def test_a_plan_is_an_answer(client, jar):
    told = answer(client.flink("info", "--output", "json", "-c", "WordCount", jar).ok(), "plan")
    assert [node["id"] for node in told["plan"]["nodes"]], told

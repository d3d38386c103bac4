"""What commands print, and where: output that nobody can take, and answers for programs."""

import os
import subprocess

import pytest

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

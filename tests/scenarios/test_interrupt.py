"""A signal to the client, alone as a scheduler sends it, has one meaning: exit code 128 and its number, and a
word on what goes on."""

import os
import signal

import pytest

from harness import processes
from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def jvms(client):
    """What runs `main()`: Flink's script becomes the JVM, and heddle starts it. (Class data archives are made
    further below.)"""
    return [process for pid in (client, *processes.children(client)) if (process := processes.read(pid)) and process.is_jvm]


@pytest.mark.reference(extended=True)
def test_run_on_a_session(session, jar):
    clients = [session.start(jar, "Sleepy", "--before", "600") for _ in SIGNALS]
    killed, with_job = session.start(jar, "Sleepy", "--before", "600"), session.start(jar, "Sleepy", "--seconds", "600")
    job = with_job.wait_text(r"Job has been submitted with JobID (\w+)", 60)[1]
    # On a busy machine a client that was started earlier can be further behind.
    wait_for("every main()", lambda: all(jvms(client.process.pid) for client in (*clients, killed)), 60)
    mains = jvms(killed.process.pid)
    for client, kind in zip([*clients, with_job], [*SIGNALS, signal.SIGTERM], strict=True):
        os.kill(client.process.pid, kind)
    results = [client.result(30) for client in (*clients, with_job)]
    killed.process.kill()
    wait_for("no main() without its client", lambda: not any(process.alive() for process in mains), 5)
    assert [result.code for result in results] == [130, 143, 129, 143]
    assert Flink(session.url).jobs()[job] == "RUNNING"
    if session.client.is_heddle:
        for result, name in zip(results, ("SIGINT", "SIGTERM", "SIGHUP", "SIGTERM"), strict=True):
            [error] = result.error_lines()
            assert error.startswith(f"error: interrupted by {name}: ") and f"goes on in the application {session.application}" in error
            assert any(f"flink cancel -t yarn-session -Dyarn.application.id={session.application}" in hint for hint in result.hints())


@pytest.mark.heddle_only("main() runs in the cluster")
def test_run_with_main_in_the_cluster(session, jar):
    client = session.start(jar, "Sleepy", "--seconds", "600", options=["--main", "cluster"])
    job = client.wait_text(r"Job has been submitted with JobID (\w+)", 60)[1]
    os.kill(client.process.pid, signal.SIGTERM)
    result = client.result(30)
    assert (result.code, result.error_lines()) == (143, [f"error: interrupted by SIGTERM: the job {job} goes on without this client"]), result
    assert Flink(session.url).jobs()[job] in ("CREATED", "RUNNING")


@pytest.mark.heddle_only("it says nothing")
def test_per_job(work, client, jar):
    running = client.start_per_job(work.name, jar, "Sleepy", "--seconds", "600")
    job = running.wait_text(r"Job has been submitted with JobID (\w+)", 120)[1]
    os.kill(running.process.pid, signal.SIGHUP)
    result = running.result(30)
    application = result.application
    assert result.code == 129, result
    assert result.error_lines() == [
        f'error: interrupted by SIGHUP: the job "Sleepy" ({job}) goes on without this client, and the application {application} ends with the last job'
    ]
    target = ["-t", "yarn-per-job", f"-Dyarn.application.id={application}"]
    assert f"`flink cancel {' '.join(target)} {job}`" in result.err and f"`heddle kill {application}`" in result.err, result
    client.flink("cancel", *target, job).ok()
    check_gone(work.cluster, application, "KILLED")


@pytest.mark.heddle_only("its client does not wait for an application")
def test_an_application(work, client, jar):
    target = ["-t", "yarn-application", "--attached", f"-Dyarn.application.name={work.name}"]
    running = client.start("flink", "run-application", *target, "-c", "Sleepy", jar, "--seconds", "600")
    application = running.wait_text(r"^Application ID: (\S+)", 90)[1]
    os.kill(running.process.pid, signal.SIGTERM)
    result = running.result(30)
    assert result.code == 143, result
    assert result.error_lines() == [f"error: interrupted by SIGTERM: the application {application} goes on without this client"]
    assert f"`heddle kill {application}`" in result.err
    assert work.cluster.yarn.app(application)["state"] == "RUNNING"
    work.cluster.yarn.kill(application)
    check_gone(work.cluster, application, "KILLED", files=False)
    client.flink("list", "-t", "yarn-application", f"-Dyarn.application.id={application}")  # removes what is left of it

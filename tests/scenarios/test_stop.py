"""Every way to end a session leaves the right final state and nothing behind."""

import os
import re
import signal
import time

import pytest

from harness import processes
from harness.checks import check_gone, staging
from harness.cluster import Flink, request
from harness.waiting import wait_for

FLINK_READY = r"JobManager Web Interface: http://\S+:\d+"


def attached(work, client, **options):
    """An attached client whose session is ready."""
    small = ["-jm", "1024", "-tm", "1024"]
    running = client.start("yarn-session.sh", "-nm", work.name, *small, **options)
    running.wait_text(FLINK_READY)
    [app] = work.cluster.yarn.by_name(work.name)
    return running, app["id"]


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("word", ["stop", pytest.param("quit", marks=pytest.mark.extended)])
def test_attached_prompt(work, client, word):
    running, application = attached(work, client)
    running.type("what?\n")
    running.wait_text(r"Unknown command", 20)
    running.type(f"{word}\n")
    assert running.result(60).code == 0
    check_gone(work.cluster, application, "SUCCEEDED")
    assert not (client.properties / f".yarn-properties-{work.cluster.user}").exists()


@pytest.mark.heddle_only("its client hangs in its shutdown hook now and then")
@pytest.mark.every_hadoop
def test_ctrl_c_of_an_attached_client(work, client):
    running, application = attached(work, client, terminal=True)
    running.type("\x04")  # Ctrl-D ends the input, not the prompt
    time.sleep(1)
    running.type("what?\n")
    running.wait_text(r"Unknown command", 20)
    running.interrupt()
    result = running.result(30)
    assert (result.code, result.error_lines()) == (130, [f"error: interrupted by SIGINT: the session {application} was stopped"]), result
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("its client hangs in its shutdown hook now and then")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_an_attached_client(work, client, kind):
    """A scheduler that ends the client does not see a success."""
    running, application = attached(work, client)
    os.kill(running.process.pid, kind)
    assert running.result(30).code == 128 + kind
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.every_hadoop
def test_reattach_and_stop(work, client):
    session = client.session("-nm", work.name)
    running = client.start("yarn-session.sh", "-id", session.application)
    running.wait_text(r"JobManager Web Interface|Found Web Interface", 30)
    running.type("help\n")
    running.wait_text(r"stop", 20)
    running.type("stop\n")
    assert running.result(60).code == 0
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.every_hadoop
def test_yarn_kill(work, client):
    session = client.session("-nm", work.name)
    work.cluster.yarn.kill(session.application)
    work.cluster.yarn.wait_state(session.application, "KILLED")
    wait_for("processes gone", lambda: not processes.of_application(work.cluster, session.application), 30)
    if client.is_heddle:
        # Cleaned by the ApplicationMaster on SIGTERM, or else by the next command that sees it.
        if staging(work.cluster, session.application) is not None:
            client.flink("list", *session.target())
        check_gone(work.cluster, session.application, "KILLED")


@pytest.mark.heddle_only("its client goes on trying the REST interface for minutes")
def test_a_killed_session_is_told_by_the_attached_client(work, client):
    running, application = attached(work, client)
    work.cluster.yarn.kill(application)
    running.wait_text(r"The Flink Yarn cluster has failed", 30)
    result = running.result(30)
    assert result.code == 1 and len(result.error_lines()) == 1, result
    assert "state KILLED" in result.err and "was killed by user" in result.err, result
    check_gone(work.cluster, application, "KILLED")


@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_kill_minus_nine_of_the_application_master_leaves_no_jvm(work, client, jar):
    session = client.session("-nm", work.name)
    job = session.start(jar, "Sleepy", "--seconds", "600")
    job.wait_text(r"Job has been submitted")
    wait_for("JobManager and TaskManager", lambda: len(processes.jvms(work.cluster, session.application)) == 2)
    everything = processes.of_application(work.cluster, session.application)
    program = "heddle-am" if client.is_heddle else "java"
    [master] = [p for p in everything if processes.is_master(p) and p.program == program]
    os.kill(master.pid, signal.SIGKILL)

    wait_for("no process of the old attempt", lambda: not any(p.alive() for p in everything), 30)
    # One attempt without high availability, so YARN ends the application.
    app = work.cluster.yarn.wait_state(session.application, "FAILED", seconds=60)
    assert app["finalStatus"] == "FAILED"
    assert len(work.cluster.yarn.attempts(session.application)) == 1
    wait_for("containers gone", lambda: not work.cluster.yarn.containers(session.application), 30)
    job.kill()
    if client.is_heddle:
        client.flink("list", *session.target())  # the next command that sees it cleans up
        assert staging(work.cluster, session.application) is None


@pytest.mark.heddle_only("its JobManager is a child of the ApplicationMaster")
@pytest.mark.parametrize("program", ["java", pytest.param("heddle-am", marks=pytest.mark.extended)])
def test_kill_minus_nine_of_the_jobmanager_ends_the_session_with_its_cause(work, client, jar, program):
    """YARN hears the cause, and so does everybody who is attached: the session's own client, and that of a
    job."""
    running, application = attached(work, client)
    job = client.start("flink", "run", "-t", "yarn-session", f"-Dyarn.application.id={application}", "-c", "Sleepy", jar, "--before", "600")
    [master] = [p for p in processes.of_application(work.cluster, application) if processes.is_master(p) and p.program == program]
    os.kill(master.pid, signal.SIGKILL)
    app = work.cluster.yarn.wait_state(application, "FAILED", "FINISHED", seconds=60)
    assert app["finalStatus"] == "FAILED"
    cause = "SIGKILL" if program == "java" else "exitCode: 137"
    assert re.sub(r" +", " ", app["diagnostics"]).count(cause)
    told = running.result(30)
    assert told.code == 1 and len(told.error_lines()) == 1 and cause in told.err, told
    # main() may have other things to do, so it is told, not ended.
    job.wait_text(cause, 30)
    job.kill()
    client.flink("list", "-t", "yarn-session", f"-Dyarn.application.id={application}")  # a killed ApplicationMaster leaves its files to the next command
    check_gone(work.cluster, application, "FAILED")


@pytest.mark.reference
def test_stop_through_flinks_rest(work, client):
    """What Flink's own tools do: DELETE /cluster."""
    session = client.session("-nm", work.name)
    request(f"{Flink(session.url).base}/cluster", "DELETE")
    check_gone(work.cluster, session.application, "SUCCEEDED")

"""A JobManager that is slow, or stopped for a while, is waited for: the deployment is not undone."""

import contextlib
import os
import signal
import socket
import time

import pytest

from harness import processes
from harness.waiting import wait_for

MINUTE = 60


def listens(address):
    """Whether somebody takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


@pytest.mark.extended
@pytest.mark.timeout(400)
@pytest.mark.heddle_only("it has the address before the JobManager listens")
@pytest.mark.parametrize("mode", ["session", "per-job"])
def test_a_jobmanager_that_hangs_for_a_minute_at_its_start(work, client, jar, mode):
    yarn = work.cluster.yarn
    if mode == "session":
        # With a worker that is asked for at once YARN has it running before its JobManager is up.
        ahead = "-Dheddle.prewarm=1"
        running = client.start("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, ahead)
    else:
        running = client.start_per_job(work.name, jar, "WordCount")
    [app] = wait_for("the application", lambda: yarn.by_name(work.name), 60, every=0.05)
    address = wait_for("its address", lambda: yarn.app(app["id"]).get("amRPCAddress"), 60, every=0.05)
    # The client looks away until there is something that takes connections and will not answer.
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        wait_for("it listens", lambda: listens(address), 120)
        [jvm] = [process for process in processes.jvms(work.cluster, app["id"]) if processes.is_master(process)]
        os.kill(jvm.pid, signal.SIGSTOP)
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    try:
        time.sleep(MINUTE)  # the fault itself
        assert running.alive and "deployed successfully" not in running.text, f"it answered before it was stopped: {running.text}"
    finally:
        os.kill(jvm.pid, signal.SIGCONT)
    result = running.result().ok()
    assert "no longer waited for" not in result.text and result.text.count("deployed successfully") == 1, result
    if mode == "session":
        client.run("yarn-session.sh", "-id", app["id"], stdin="stop\n").ok()
    assert yarn.wait_state(app["id"], "FINISHED")["finalStatus"] == "SUCCEEDED"


@pytest.mark.extended
@pytest.mark.timeout(400)
@pytest.mark.heddle_only("its main() begins before there is a cluster")
def test_a_jobmanager_that_hangs_while_main_runs(work, client, jar):
    """Once it has been reached, Flink's client and heddle both ask it again."""
    running = client.start_per_job(work.name, jar, "WordCount")
    [app] = wait_for("the application", lambda: work.cluster.yarn.by_name(work.name), 60, every=0.05)
    jvm = running.wait_text(r"Found Web Interface") and next(p for p in processes.jvms(work.cluster, app["id"]) if processes.is_master(p))
    os.kill(jvm.pid, signal.SIGSTOP)
    try:
        time.sleep(MINUTE)
        assert running.alive, running.text
    finally:
        os.kill(jvm.pid, signal.SIGCONT)
    assert "Killing" not in running.result().ok().text

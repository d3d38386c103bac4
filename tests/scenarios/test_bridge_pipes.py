"""heddle-am and the JobManager's JVM speak over pipes that the JVM inherits: nothing is there that another
user could connect to or read, and what the JVM starts does not get them."""

import contextlib
import os
import re
import signal

import pytest

from harness import processes, sockets
from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("its JobManager and its ApplicationMaster are one process")

VARIABLES = ("HEDDLE_BRIDGE_IN", "HEDDLE_BRIDGE_OUT")


def masters(cluster, application):
    return [process for process in processes.of_application(cluster, application) if processes.is_master(process)]


def heddle_am(cluster, application):
    [found] = [process for process in masters(cluster, application) if process.program == "heddle-am" and "exec-jvm" not in process.command]
    return found


def job_manager(cluster, application):
    return wait_for("the JobManager's JVM", lambda: next((process for process in masters(cluster, application) if process.is_jvm), None))


def files(pid):
    """What a process has open: descriptor -> name."""
    found = {}
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found[int(descriptor)] = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    return found


def bridge_of(cluster, application):
    """The names of the two pipes of the JobManager's JVM."""
    jvm, am = job_manager(cluster, application), heddle_am(cluster, application)
    assert [jvm.environment[name].rpartition("/")[0] for name in VARIABLES] == ["/proc/self/fd"] * 2
    pipes = {files(jvm.pid)[int(jvm.environment[name].rpartition("/")[2])] for name in VARIABLES}
    assert len(pipes) == 2 and all(name.startswith("pipe:") for name in pipes)
    assert pipes <= set(files(am.pid).values()), "they lead to heddle-am"
    return pipes


@pytest.mark.every_hadoop
def test_no_port_no_secret_and_nothing_for_children(work, client, jar):
    result = client.application(work.name, jar, "Spawns", "--seconds", "600").ok()
    application = result.application

    def sleeps():
        found = [process for process in processes.of_application(work.cluster, application) if process.program == "sleep"]
        return found if len(found) == 2 else None

    children = wait_for("the programs that main() and the task have started", sleeps, 60)
    pipes = bridge_of(work.cluster, application)
    jvm, am = job_manager(work.cluster, application), heddle_am(work.cluster, application)

    # The control server alone.
    assert len(sockets.listening(am.pid)) == 1, sockets.listening(am.pid)
    secrets = [name for name, value in jvm.environment.items() if "SECRET" in name or re.fullmatch(r"[0-9a-f]{32,}", value)]
    assert not secrets
    assert os.readlink(f"/proc/{jvm.pid}/fd/0") == "/dev/null"

    assert {processes.is_master(child) for child in children} == {True, False}
    for child in children:
        held = files(child.pid)
        assert not pipes & set(held.values()), held
    for process in processes.of_application(work.cluster, application):
        if process.pid not in (jvm.pid, am.pid):
            assert not pipes & set(files(process.pid).values()), process

    # main()'s program lives on; heddle-am learns of the JVM's end all the same.
    os.kill(jvm.pid, signal.SIGKILL)
    check_gone(work.cluster, application, "FAILED", seconds=60)


@pytest.mark.extended
def test_the_jvm_ends_with_heddle_am(work, client):
    session = client.session("-nm", work.name, "-Dyarn.application-attempts=1")
    jvm, am = job_manager(work.cluster, session.application), heddle_am(work.cluster, session.application)
    os.kill(am.pid, signal.SIGKILL)
    wait_for("the JVM's end", lambda: not jvm.alive(), 30)
    # The directory in HDFS is heddle-am's to remove.
    check_gone(work.cluster, session.application, "FAILED", files=False)
    client.run("heddle", "gc", "--delete").ok()


LAUNCHERS = {
    "shell": '#!/bin/sh\nexec 3> /dev/null\n"$@" &\nwait $!\n',
    # It closes in its child what it has inherited.
    "python": "#!/usr/bin/env python3\nimport subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL).returncode)\n",
    "exec": '#!/bin/sh\nexec nice -n 3 env A=b taskset -c 0 "$@"\n',
}


@pytest.mark.parametrize("kind", ["python", *(pytest.param(kind, marks=pytest.mark.extended) for kind in LAUNCHERS if kind != "python")])
def test_launchers_of_java_keep_the_pipes(work, client, jar, kind):
    launcher = work.directory / f"launch-{kind}"
    launcher.write_text(LAUNCHERS[kind])
    launcher.chmod(0o755)
    template = f"{launcher} %java% %jvmmem% %jvmopts% %logging% %class% %args% %redirects%"
    session = client.session("-nm", work.name, f"-Dyarn.container-start-command-template={template}")
    bridge_of(work.cluster, session.application)
    session.run(jar, "WordCount").ok()
    assert list(Flink(session.url).jobs().values()) == ["FINISHED"]
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


def test_a_launcher_that_closes_the_pipes_is_named(work, client):
    launcher = work.directory / "launch"
    launcher.write_text('#!/bin/bash\nexec "$@" 20<&- 21>&-\n')
    launcher.chmod(0o755)
    template = f"{launcher} %java% %jvmmem% %jvmopts% %logging% %class% %args% %redirects%"
    options = [f"-Dyarn.container-start-command-template={template}", "-Dyarn.application-attempts=1"]
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, *options)
    assert result.code == 1, result
    assert "has closed the file descriptors 20 and 21" in result.err and "yarn.container-start-command-template" in result.err, result
    check_gone(work.cluster, result.application, "FAILED")

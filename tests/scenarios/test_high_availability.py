"""What dies, and what is there again a moment later: jobs, the same TaskManagers, the same attempt where that
is possible."""

import os
import re
import signal
import time

import pytest

from conftest import FLINK_VERSION, Workspace, end_all, label
from harness import availability
from harness.availability import Application, counting
from harness.checks import check_gone
from harness.client import SMALL
from harness.cluster import FINISHED, Cluster, request
from harness.embedding import Asking, submit
from harness.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("availability"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def survivors(cluster):
    """A cluster with ZooKeeper, whose ResourceManager and NodeManagers go on after a restart with what they
    had."""
    made = Cluster(f"{cluster.name}-ha").up(zookeeper=True, recovery=True)
    yield made
    made.down()


@pytest.fixture
def work(request, survivors, tmp_path, flink_home, client_kind):
    made = Workspace(survivors, client_kind, tmp_path, flink_home, label(request))
    yield made
    end_all(survivors, made.name)
    made.close(getattr(request.node, "failed", True))


def deploy(work, mode, jar):
    """A highly available application with the job Counting on two TaskManagers. It runs until somebody ends
    it."""
    client, words = work.client(), availability.options(work, FLINK_VERSION)
    words += ["-Dparallelism.default=2", "-Dtaskmanager.numberOfTaskSlots=1"]
    if mode == "session":
        session = client.session("-nm", work.name, *words)
        session.run(jar, "Counting", *counting(work), options=["-d", "-p", "2"]).ok()
        return Application(work.cluster, session.application)
    target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}"]
    result = client.flink("run-application", *target, *words, "-c", "Counting", jar, *counting(work)).ok()
    return Application(work.cluster, result.application)


def attached(work, client, jar, *more):
    """The command of a per-job cluster, whose main() waits for the job Counting, and its application."""
    words = [*availability.options(work, FLINK_VERSION), "-Dparallelism.default=2", "-Dtaskmanager.numberOfTaskSlots=1"]
    running = client.start_per_job(work.name, jar, "Counting", *counting(work, *more), options=words)
    running.wait_text(r"Job has been submitted with JobID (\w+)", 120)
    return running, Application(work.cluster, re.search(r"application_\d+_\d+", running.text)[0])


def killed(app, victim, title):
    """Kills the process; the state of the application before it, and once the job makes checkpoints again."""
    before = app.settle(2)
    newest = app.kill(victim(app))
    print(f"recovered[{title}]: {app.recovered(newest):.1f} s")
    return before, app.settle(2)


@pytest.mark.reference(extended=True)
@pytest.mark.slow("Flink's own client waits for the end of the ZooKeeper session")
@pytest.mark.parametrize("mode", ["session", pytest.param("application", marks=pytest.mark.extended)])
def test_the_jobmanager_dies(work, client, jar, mode):
    before, after = killed(deploy(work, mode, jar), Application.job_manager, f"JobManager, {client.kind}, {mode}")
    assert after.workers == before.workers, "the same TaskManagers"
    if client.is_heddle:
        assert after.attempt == before.attempt
    else:
        assert after.attempt == before.attempt + 1


@pytest.mark.reference(extended=True)
@pytest.mark.slow("Flink's own client waits for the end of the ZooKeeper session")
@pytest.mark.parametrize("mode", [pytest.param("session", marks=pytest.mark.extended), "application"])
def test_the_applicationmaster_dies(work, client, jar, mode):
    before, after = killed(deploy(work, mode, jar), Application.master, f"ApplicationMaster, {client.kind}, {mode}")
    assert after.attempt == before.attempt + 1
    assert after.workers == before.workers, "the same TaskManagers"


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("it is given a minute to answer")
def test_the_jobmanager_hangs(work, client, jar):
    """heddle-am notices it. That of Flink's own client is the ApplicationMaster, too: YARN gives it up after
    a while, here after a minute and usually after ten."""
    app = deploy(work, "session", jar)
    before = app.settle(2)
    hung = app.job_manager()
    os.kill(hung.pid, signal.SIGSTOP)
    began = time.monotonic()
    wait_for("its end", lambda: not hung.alive(), 120 if client.is_heddle else 240)
    print(f"ended[hung JobManager, {client.kind}]: {time.monotonic() - began:.1f} s")
    print(f"recovered[hung JobManager, {client.kind}]: {app.recovered(before.checkpoint + 1):.1f} s")
    after = app.settle(2)
    print(f"the same TaskManagers: {after.workers == before.workers}")
    if client.is_heddle:
        assert (after.attempt, after.workers) == (before.attempt, before.workers)
        assert "does not answer; killing it" in work.cluster.log_text(app.id, "heddle-am.log")
    else:
        assert after.attempt == before.attempt + 1


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("its job runs through both faults, and Flink's own client waits for the end of the ZooKeeper session")
def test_the_client_of_a_per_job_cluster_outlives_both(work, client, jar):
    """main() goes on waiting for its job, and the command ends as the job does."""
    running, app = attached(work, client, jar, "--elements", "9000")
    before = app.settle(2)
    app.recovered(app.kill(app.job_manager()))
    app.recovered(app.kill(app.master()))
    attempts = app.attempt()
    result = running.result(300).ok()
    assert "Job Runtime" in result.text, result
    ended = work.cluster.yarn.wait_state(app.id, *FINISHED)
    assert (ended["finalStatus"], ended["diagnostics"]) == ("SUCCEEDED", ""), ended
    assert attempts == before.attempt + (1 if client.is_heddle else 2)


@pytest.mark.extended
@pytest.mark.heddle_only("programs embed it instead")
@pytest.mark.slow("its job goes on after the fault")
def test_the_caller_of_a_per_job_cluster_outlives_the_applicationmaster(work, client, jar):
    """heddle goes on speaking for a program that has asked for the cluster and has submitted the job
    itself."""
    settings = dict(word.removeprefix("-D").split("=", 1) for word in availability.options(work, FLINK_VERSION))
    asked = Asking(work, client, "per-job", settings | {"taskmanager.numberOfTaskSlots": "1"}).start()
    answer = asked.answer()
    app = Application(work.cluster, answer["application"])
    job = submit(answer["webInterface"], jar, "Counting", *counting(work), parallelism=2)
    before = app.settle(2)
    app.recovered(app.kill(app.master()))
    assert app.settle(2).attempt == before.attempt + 1
    assert asked.running.alive
    client.flink("cancel", "-t", "yarn-per-job", f"-Dyarn.application.id={app.id}", job).ok()
    asked.close()
    assert asked.ended().code == 0
    check_gone(work.cluster, app.id, "KILLED")


@pytest.mark.extended
@pytest.mark.heddle_only("with Flink's own client they stay until the application ends")
@pytest.mark.skipif(FLINK_VERSION.startswith("1.13."), reason="unpacks no jar at its start")
def test_the_temporary_files_of_a_killed_jvm_are_removed(work, client, jar):
    app = deploy(work, "session", jar)
    before = app.settle(2)
    unpacked = lambda: sorted(work.cluster.directory.glob(f"nodemanager*/local/usercache/*/appcache/{app.id}/**/flink-rpc-akka*.jar"))  # noqa: E731
    first = unpacked()
    assert len(first) == 3, "one for each JVM"
    for victim in (Application.job_manager, Application.job_manager, Application.master, Application.job_manager):
        app.recovered(app.kill(victim(app)))
    assert app.settle(2).workers == before.workers
    wait_for("one for each JVM that lives", lambda: len(unpacked()) == 3, 60)
    assert len(set(first) & set(unpacked())) == 2, "those of the TaskManagers, which live on"


@pytest.mark.extended
@pytest.mark.heddle_only("its client does not ask YARN what has become of its cluster")
@pytest.mark.slow("Flink's client tries again and again to reach its JobManager")
def test_the_command_ends_soon_after_its_cluster(work, client, jar):
    """Nobody waits for a JobManager once there will be none any more."""
    running, app = attached(work, client, jar)
    app.settle(2)
    interface = running.wait_text(r"Found Web Interface (\S+:\d+)")[1]
    request(f"http://{interface}/cluster", "DELETE")
    ended = work.cluster.yarn.wait_state(app.id, *FINISHED)
    assert ended["finalStatus"] == "SUCCEEDED", ended
    result = running.result(180)
    assert result.code == 1 and f"the application {app.id} has ended" in result.text, result


@pytest.mark.extended
@pytest.mark.heddle_only("its client does not speak with the ApplicationMaster")
def test_main_ends_together_with_its_cluster(work, client, jar):
    """There is nobody left who could note how main() has ended."""
    sign, words = work.directory / "sign", availability.options(work, FLINK_VERSION)
    running = client.start_per_job(work.name, jar, "Exits", "--until", sign, options=words)
    running.wait_text(r"Found Web Interface", 120)
    [app] = work.cluster.yarn.by_name(work.name)
    attends = lambda: "the client attends" in work.cluster.log_text(app["id"], "heddle-am.log")  # noqa: E731
    wait_for("its client", attends, 60)
    work.cluster.yarn.kill(app["id"])
    sign.touch()
    # Whether the ApplicationMaster has noted it before its own end is a matter of moments.
    result = running.result(90).ok()
    assert "has not heard how main() ended" not in result.text, result


@pytest.mark.extended
@pytest.mark.heddle_only("its client does not speak with the ApplicationMaster")
def test_ctrl_c_while_the_applicationmaster_does_not_answer(work, client, jar):
    """The command ends soon, although its end could not be noted."""
    running, app = attached(work, client, jar)
    app.settle(2)
    suspended = app.master()
    os.kill(suspended.pid, signal.SIGSTOP)
    try:
        running.interrupt()
        result = running.result(60)
    finally:
        os.kill(suspended.pid, signal.SIGCONT)
    assert result.code == 130 and "has not heard how main() ended" in result.text, result
    # It waits for its client for a while, as if that could come back.
    work.cluster.yarn.kill(app.id)
    check_gone(work.cluster, app.id, "KILLED", files=False)
    # YARN's SIGKILL may come before heddle-am, which was suspended, has removed its directory.
    client.run("heddle", "gc", "--delete").ok()


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("it dies ten times, and a quarter of a minute lies between")
def test_it_dies_again_and_again(work, client, jar):
    app = deploy(work, "session", jar)
    before = app.settle(2)
    for number in range(10):
        newest = app.kill(app.job_manager() if number % 2 else app.master())
        print(f"recovered[{number}, {client.kind}]: {app.recovered(newest):.1f} s")
    # What is stopped for want of an ApplicationMaster would be stopped within this time.
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert app.workers() == before.workers
        time.sleep(5)
    assert app.settle(2).workers == before.workers


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("ZooKeeper is away for a minute")
@pytest.mark.parametrize("mode", ["session", "application"])
def test_zookeeper_is_away_for_a_minute(work, client, jar, mode):
    """A JobManager without ZooKeeper ends, and none can start: that is no reason to give anything up. That
    main() of an application has lost its job then is no fault of main()."""
    app, cluster = deploy(work, mode, jar), work.cluster
    before, leader = app.settle(2), app.job_manager()
    cluster.kill("zookeeper")
    began = time.monotonic()
    newest = before.checkpoint
    try:
        while leader.alive():
            newest = app.checkpoint() or newest
            assert time.monotonic() - began < 180, "the end of a JobManager that cannot know whether it leads"
            time.sleep(0.2)
        starts = lambda: cluster.log_text(app.id, "heddle-am.log").count("has ended; starting it again")  # noqa: E731
        if client.is_heddle:
            # Each takes Flink a minute, and longer on a busy machine.
            wait_for("two starts that fail", lambda: starts() > 2, 420)
        else:
            time.sleep(60)
    finally:
        cluster.start("zookeeper")
    print(f"recovered[ZooKeeper away, {client.kind}]: {app.recovered(newest + 2):.1f} s")
    # A TaskManager may find ZooKeeper again after the JobManager has asked for another one.
    after = app.settle(2)
    print(f"the same TaskManagers: {after.workers == before.workers}")
    if client.is_heddle:
        assert after.attempt == before.attempt

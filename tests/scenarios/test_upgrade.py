"""A heddle of another release on the same clusters: what one has deployed the other serves."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import FLINK_VERSION, cluster_of
from harness import availability
from harness.availability import Application, counting
from harness.cluster import FINISHED, Flink, ROOT
from harness.matrix import OLDEST_COMMIT
from harness.waiting import wait_for

pytestmark = [pytest.mark.extended, pytest.mark.heddle_only("it is about two releases of heddle"), pytest.mark.xdist_group("upgrade")]


@pytest.fixture(scope="module")
def older():
    """Its directory, as `dist/heddle`."""
    done = subprocess.run([ROOT / "scripts/fetch-heddle", OLDEST_COMMIT], capture_output=True, text=True)
    if "there is no commit" in done.stderr:
        pytest.skip("this clone's history does not reach back to the older heddle")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def clients(work, older):
    """One user's: the newer and the older client, with one home and configuration."""
    newer, old = work.client(), work.client()
    old.distribution = older
    old.checks_answers = False
    old.home, old.conf, old.properties = newer.home, newer.conf, newer.properties
    own = f"{work.cluster.fs}{work.hdfs_dir}"
    newer.configure({"yarn.staging-directory": f"{own}/base", "heddle.store.dir": f"{own}/store"})
    return newer, old


def use(session, client, jar):
    """What people do with a session, all by `client`."""
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"], client=client).ok().job
    Flink(session.url).wait_job(job, "RUNNING")
    assert f"{job} : Sleepy (RUNNING)" in client.flink("list", *session.target()).ok().out
    # By the properties file that the other release wrote.
    assert f"{job} : Sleepy (RUNNING)" in client.flink("list").ok().out
    listed = json.loads(client.run("heddle", "ps", "--output", "json").ok().out)
    assert any(session.application in app.values() for app in listed)
    client.flink("cancel", *session.target(), job).ok()
    assert "collected: 25" in session.run(jar, "PrintCollect", client=client).ok().out


@pytest.mark.parametrize("deployer", ["older", "newer"])
def test_a_session_of_the_other_release(work, jar, older, deployer):
    """Of the older one after an upgrade, of the newer one after going back."""
    newer, old = clients(work, older)
    mine, other = (old, newer) if deployer == "older" else (newer, old)
    session = mine.session("-nm", work.name)
    use(session, other, jar)
    # Cleaning up by the other one spares what the running session needs: it still gets its TaskManagers.
    other.run("heddle", "gc", "--delete", "--older-than", "0s").ok()
    flink = Flink(session.url)
    wait_for("no worker", lambda: not flink.get("/taskmanagers")["taskmanagers"], 60)
    assert "collected: 25" in session.run(jar, "PrintCollect", client=other).ok().out
    other.run("yarn-session.sh", "-id", session.application, stdin="stop\n").ok()
    assert work.cluster.yarn.wait_state(session.application, *FINISHED)["finalStatus"] == "SUCCEEDED"


def test_an_application_of_the_older_release(work, jar, older):
    newer, old = clients(work, older)
    deployed = old.application(work.name, jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    target = ["-t", "yarn-application", f"-Dyarn.application.id={deployed.application}"]

    def running():
        return re.search(r"([0-9a-f]{32}) : Sleepy \(RUNNING\)", newer.flink("list", *target).ok().out)

    job = wait_for("the running job", running, 60)[1]
    newer.flink("cancel", *target, job).ok()
    assert work.cluster.yarn.wait_state(deployed.application, *FINISHED)["finalStatus"] == "KILLED"


def test_both_releases_share_the_store(work, older):
    """Flink's libraries that one has uploaded are not uploaded again by the other."""
    newer, old = clients(work, older)

    def uploaded():
        """By file name: heddle's own bridge differs from release to release, Flink's files do not."""
        return sorted(path.rpartition("/")[2] for path in work.cluster.hdfs.tree(f"{work.hdfs_dir}/store"))

    old.session("-nm", f"{work.name}-1").stop().ok()
    before = uploaded()
    assert any(name.startswith("flink-dist") for name in before)
    newer.session("-nm", f"{work.name}-2").stop().ok()
    after = uploaded()
    for name in before:
        after.remove(name)
    assert set(after) <= {"heddle-am", "heddle-taskrunner", "flink-bridge.jar"}


@pytest.fixture
def recovering(request, cluster, tmp_path, flink_home, client_kind):
    yield from cluster_of(request, cluster, "upgrade", tmp_path, flink_home, client_kind, zookeeper=True, recovery=True)


def running_in(listed, job):
    """The answer of `flink list`, if the job runs in it."""
    return listed if f"{job} : Counting (RUNNING)" in listed.out else None


def done_with(stopped):
    """The result of `flink stop`; none while not all tasks run."""
    return None if "is not being executed at the moment" in stopped.err else stopped.ok()


@pytest.mark.timeout(900)
@pytest.mark.slow("a cluster of its own, and ZooKeeper's session of the older release ends only after its timeout")
def test_a_highly_available_session_of_the_older_release(recovering, jar, older):
    """The older ApplicationMaster replaces no JobManager, and YARN replaces both. The newer client finds the
    next attempt."""
    work = recovering
    newer, old = clients(work, older)
    session = old.session("-nm", work.name, *availability.options(work, FLINK_VERSION), "-Dtaskmanager.numberOfTaskSlots=1")
    target, app = session.target(), Application(work.cluster, session.application)
    job = session.run(jar, "Counting", *counting(work), options=["-d", "-p", "2"], client=newer).ok().job
    before = app.settle(2)
    print(f"recovered[JobManager of the older heddle]: {app.recovered(app.kill(app.job_manager())):.1f} s")
    assert app.settle(2).attempt == before.attempt + 1
    # All tasks run again a moment after the job's checkpoints go on.
    listed = wait_for("the running job", lambda: running_in(newer.flink("list", *target).ok(), job), 60)
    savepoint = f"{work.cluster.fs}{work.hdfs_dir}/savepoints"
    # The older taskrunners end the kept TaskManagers after a minute, upon which the job starts once more.
    stopped = wait_for("a savepoint", lambda: done_with(newer.flink("stop", *target, "-p", savepoint, job)), 120)
    assert f"Savepoint completed. Path: {savepoint}/savepoint-" in stopped.out, stopped
    # The next attempt has another address.
    session.url = listed.rest
    use(session, newer, jar)
    newer.run("yarn-session.sh", "-id", session.application, stdin="stop\n").ok()
    assert work.cluster.yarn.wait_state(session.application, *FINISHED)["finalStatus"] == "SUCCEEDED"


def test_a_per_job_cluster_of_the_older_release(work, jar, older):
    """Its own client waits for the job; the newer one lists and stops it."""
    newer, old = clients(work, older)
    waiting = old.start_per_job(work.name, jar, "Counting", *counting(work), options=["-Dtaskmanager.numberOfTaskSlots=1"])
    job = waiting.wait_text(r"Job has been submitted with JobID ([0-9a-f]{32})", 120)[1]
    application = re.search(r"application_\d+_\d+", waiting.text)[0]
    target = ["-t", "yarn-per-job", f"-Dyarn.application.id={application}"]
    Application(work.cluster, application).settle(1)
    assert f"{job} : Counting (RUNNING)" in newer.flink("list", *target).ok().out
    stopped = newer.flink("stop", *target, "-p", f"{work.cluster.fs}{work.hdfs_dir}/savepoints", job).ok()
    assert "Savepoint completed. Path: " in stopped.out, stopped
    assert "Job Runtime" in waiting.result().ok().text
    assert work.cluster.yarn.wait_state(application, *FINISHED)["finalStatus"] == "SUCCEEDED"


def test_an_attached_session_of_the_older_release(work, jar, older):
    """The older client waits at its terminal, and ends when the newer one stops the session."""
    newer, old = clients(work, older)
    waiting = old.start("yarn-session.sh", "-jm", "1024", "-tm", "1024", "-nm", work.name)
    waiting.wait_text(r"JobManager Web Interface: http", 120)
    application = re.findall(r"application_\d+_\d+", waiting.text)[-1]
    target = ["-t", "yarn-session", f"-Dyarn.application.id={application}"]
    assert "collected: 25" in newer.flink("run", *target, "-c", "PrintCollect", jar).ok().out
    newer.run("yarn-session.sh", "-id", application, stdin="help\nstop\n").ok()
    assert work.cluster.yarn.wait_state(application, *FINISHED)["finalStatus"] == "SUCCEEDED"
    waiting.result()


def test_commands_on_a_session_of_the_older_release(work, jar, older):
    """Whatever the newer client can do with a job and its cluster."""
    newer, old = clients(work, older)
    session = old.session("-nm", work.name)
    job = session.run(jar, "Counting", *counting(work), options=["-d"], client=newer).ok().job
    Application(work.cluster, session.application).settle(1)
    shown = newer.run("heddle", "ps", session.application).ok()
    assert work.name in shown.out and job in shown.out, shown
    savepoint = newer.flink("savepoint", *session.target(), job, f"{work.cluster.fs}{work.hdfs_dir}/savepoints").ok()
    path = re.search(r"Savepoint completed. Path: (\S+)", savepoint.out)[1]
    newer.flink("savepoint", *session.target(), "-d", path).ok()
    newer.flink("checkpoint", *session.target(), job).ok()
    newer.run("heddle", "kill", session.application).ok()
    assert work.cluster.yarn.wait_state(session.application, *FINISHED)["finalStatus"] == "KILLED"
    wait_for("nothing left in HDFS", lambda: not work.cluster.hdfs.list(f"{work.hdfs_dir}/base/.flink"), 30)

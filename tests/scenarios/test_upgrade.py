"""A heddle of another release on the same clusters: what one has deployed the other serves."""

import json
import re
import subprocess
from pathlib import Path

import pytest

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

"""`heddle ps` and `heddle gc`."""

import json

import pytest

from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for


@pytest.mark.every_hadoop
def test_ps(work, jar):
    """Of both clients' applications; `client_kind` deploys."""
    client, heddle = work.client(), work.client("heddle")
    session = client.session("-nm", work.name)
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    Flink(session.url).wait_job(job, "RUNNING")
    [line] = [line for line in heddle.run("heddle", "ps").ok().out.splitlines() if session.application in line]
    by = "heddle" if client.is_heddle else "flink"
    for word in (work.name, f" {by} ", work.cluster.user, "default", "RUNNING", "1 RUNNING", session.url):
        assert word in line, line
    listed = json.loads(heddle.run("heddle", "ps", "--output", "json").ok().out)
    [mine] = [app for app in listed if session.application in app.values()]
    assert work.name in mine.values()

    client.flink("cancel", *session.target(), job).ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")
    assert session.application not in heddle.run("heddle", "ps").ok().out
    [line] = [line for line in heddle.run("heddle", "ps", "--all").ok().out.splitlines() if session.application in line]
    assert "SUCCEEDED" in line


@pytest.mark.heddle_only("it has no such command")
@pytest.mark.every_hadoop
def test_gc(work, jar):
    """What a dead application left goes, what a live one uses stays, and nothing without `--delete`."""
    client, hdfs = work.client(), work.cluster.hdfs
    base, store = f"{work.hdfs_dir}/base", f"{work.hdfs_dir}/store"
    places = [f"-Dyarn.staging-directory={work.cluster.fs}{base}", f"-Dheddle.store.dir={work.cluster.fs}{store}"]
    client.configure({"yarn.staging-directory": f"{work.cluster.fs}{base}", "heddle.store.dir": f"{work.cluster.fs}{store}"})
    dead = client.session("-nm", f"{work.name}-dead", *places)
    live = client.session("-nm", f"{work.name}-live", *places)
    kept = hdfs.tree(f"{base}/.flink/{dead.application}") or {f"{base}/.flink/{dead.application}/am.json": None}
    work.cluster.yarn.kill(dead.application)
    work.cluster.yarn.wait_state(dead.application, "KILLED")
    # As if its ApplicationMaster had not come to clean up.
    wait_for("cleaned", lambda: not hdfs.tree(f"{base}/.flink/{dead.application}"), 30)
    for path in kept:
        hdfs.write(path, "{}")
    hdfs.write(f"{store}/ab/{'ab' * 32}/unused.jar", "nobody uses this")
    old = hdfs.tree(base) | hdfs.tree(store)

    said = client.run("heddle", "gc").ok().out
    assert dead.application in said and live.application not in said
    assert hdfs.tree(base) | hdfs.tree(store) == old, "a dry run"
    client.run("heddle", "gc", "--delete").ok()
    now = hdfs.tree(base) | hdfs.tree(store)
    assert not [path for path in now if dead.application in path]
    assert {path for path in old if live.application in path} <= set(now)
    assert f"{store}/ab/{'ab' * 32}/unused.jar" in now, "too young"
    assert {path for path in old if path.startswith(store)} == {path for path in now if path.startswith(store)}

    # The live one has all it needs for more workers.
    assert "Program execution finished" in live.run(jar, "WordCount").ok().out
    live.stop().ok()
    check_gone(work.cluster, live.application, "SUCCEEDED")

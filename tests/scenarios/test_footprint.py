"""What the client needs on its machine: no JVM, no Hadoop, and no secrets to be seen."""

import os
import shutil

import pytest

from harness import processes
from harness.cluster import Flink
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("it is a JVM")


@pytest.fixture
def no_java(work):
    """A PATH on which only heddle's own commands are found."""
    client = work.client()
    return client, {"PATH": str(client.bin), "JAVA_HOME": None}


def check_tree(result):
    """No JVM was seen below the command, nor HADOOP_CLASSPATH in any environment."""
    result.ok()
    assert result.watch.jvms == []
    assert not [p for p in result.watch.seen if p and "HADOOP_CLASSPATH" in p.environment]
    return result


def test_no_jvm_and_no_hadoop_for_any_verb(work, no_java, jar, hdfs_dir):
    client, env = no_java
    small = ["-jm", "1024", "-tm", "1024"]
    deployed = check_tree(client.run("yarn-session.sh", "-d", "-nm", work.name, *small, env=env))
    target = ["-t", "yarn-session", f"-Dyarn.application.id={deployed.application}"]
    check_tree(client.run("yarn-session.sh", "-q", env=env))
    check_tree(client.flink("list", *target, env=env))

    checkpoints = ["--checkpoints", f"{work.cluster.fs}{hdfs_dir}/checkpoints", "--interval", "500"]
    jobs = [client.flink("run", *target, "-d", "-c", "Counting", jar, *checkpoints).ok().job for _ in range(2)]
    for job in jobs:
        # RUNNING comes before its tasks run; a savepoint needs them.
        counts = lambda: Flink(deployed.url).get(f"jobs/{job}/checkpoints")["counts"]
        wait_for("a checkpoint", lambda: counts()["completed"] > 0)
    savepoints = f"{work.cluster.fs}{hdfs_dir}/savepoints"
    check_tree(client.flink("savepoint", *target, jobs[0], savepoints, env=env))
    check_tree(client.flink("cancel", *target, jobs[0], env=env))
    check_tree(client.flink("stop", *target, "-p", savepoints, jobs[1], env=env))
    check_tree(client.run("yarn-session.sh", "-id", deployed.application, stdin="stop\n", env=env))


def test_main_runs_without_hadoop_on_its_class_path(work, jar):
    client = work.client()
    session = client.session("-nm", work.name)
    result = session.run(jar, "PrintCollect").ok()
    assert result.watch.jvms, "main() is Java, so here there is one"
    for process in result.watch.jvms:
        assert "HADOOP_CLASSPATH" not in process.environment
        assert "hadoop-common" not in " ".join(process.command)
    session.stop().ok()


@pytest.mark.extended
def test_no_secret_on_a_command_line(work, jar):
    session = work.client().session("-nm", work.name)
    session.start(jar, "Sleepy", "--seconds", "600")
    work.cluster.yarn.wait_workers(session.application, 1)
    for process in processes.of_application(work.cluster, session.application):
        line = " ".join(process.command).lower()
        for word in ("secret", "password"):
            assert word not in line, process
    session.stop().ok()


def test_the_directory_can_be_copied(work):
    """dist/heddle elsewhere: nothing of it points back."""
    client = work.client()
    copy = work.directory / "elsewhere/heddle"
    shutil.copytree(client.distribution, copy, symlinks=True)
    assert not [p for p in copy.rglob("*") if p.is_symlink() and os.path.isabs(os.readlink(p))]
    client.distribution = copy
    session = client.session("-nm", work.name)
    session.stop().ok()

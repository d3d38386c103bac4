"""The environment variables that Flink's own client sets in the containers, and that programs and tools
read: in the JobManager `_APP_ID`, which Zeppelin needs, and where the application has its files; in a
TaskManager its node; in both Flink's class path."""

import pytest

from harness import processes
from harness.checks import check_gone, told_by_main, told_by_task
from harness.client import KEPT
from harness.waiting import wait_for


def check_master(work, application, environment):
    """What the JVM of the JobManager knows."""
    base = f"{work.cluster.fs}{work.cluster.hdfs.home}"
    wanted = {"_APP_ID": application, "_CLIENT_HOME_DIR": base, "_FLINK_YARN_FILES": f"{base}/.flink/{application}"}
    assert {name: environment.get(name) for name in wanted} == wanted
    assert "flink-dist" in environment["_FLINK_CLASSPATH"] and "hadoop" not in environment["_FLINK_CLASSPATH"]


def check_worker(work, environment):
    """What the JVM of a TaskManager knows. A program may tell by `_APP_ID` that it runs in the JobManager."""
    assert "_APP_ID" not in environment
    assert environment["_FLINK_NODE_ID"] == environment["NM_HOST"]
    assert "flink-dist" in environment["_FLINK_CLASSPATH"] and "hadoop" not in environment["_FLINK_CLASSPATH"]


@pytest.mark.reference(extended=True)
def test_main_of_an_application(work, client, jar):
    """The user's own variables of these names do not count, as with Flink's client."""
    options = ["-Dcontainerized.master.env._APP_ID=mine", "-Dcontainerized.taskmanager.env._FLINK_NODE_ID=mine"]
    application = client.application(work.name, jar, "Surroundings", options=options).ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    check_master(work, application, told_by_main(work.cluster, application).environment)
    check_worker(work, told_by_task(work.cluster, application).environment)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("mode", ["session", "per-job"])
def test_containers_of_a_program_on_the_client(work, client, jar, mode):
    """Its `main()` has no application of its own, but its containers know it."""
    if mode == "session":
        session = client.session("-nm", work.name, KEPT)
        target, application = session.target(), session.application
        job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    else:
        result = client.per_job(work.name, jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
        job, application = result.job, result.application
        target = ["-t", "yarn-per-job", f"-Dyarn.application.id={application}"]
    [worker] = wait_for("the TaskManager's JVM", lambda: processes.taskmanager_jvms(work.cluster, application), 90)
    # A JVM that makes a class data archive may run beside the JobManager's.
    masters = filter(processes.is_master, processes.jvms(work.cluster, application))
    [master] = [jvm for jvm in masters if any("Entrypoint" in word for word in jvm.command)]
    check_master(work, application, master.environment)
    check_worker(work, worker.environment)
    client.flink("cancel", *target, job).ok()
    if mode == "session":
        session.stop().ok()
    check_gone(work.cluster, application, "SUCCEEDED" if mode == "session" else "KILLED")

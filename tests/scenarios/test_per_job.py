"""Per-job mode: a cluster for one submission, `main()` on the client."""

import os
import re
import signal
import tarfile
import time

import pytest

from harness import processes
from harness.checks import check_gone, told_by_task
from harness.cluster import FINISHED, Flink
from harness.waiting import wait_for


def submitted(work):
    """The application's id, as soon as YARN has it."""
    [app] = wait_for("the application", lambda: work.cluster.yarn.by_name(work.name), 90, every=0.1)
    return app["id"]


@pytest.mark.reference
@pytest.mark.every_hadoop
def test_attached(work, client, jar):
    hdfs, at = work.cluster.hdfs, f"{work.cluster.fs}{work.hdfs_dir}"
    hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n" * 1000)
    result = client.per_job(work.name, jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out").ok()
    assert re.search(rf"^Program execution finished\nJob with JobID {result.job} has finished\.\nJob Runtime: \d+ ms", result.out, re.MULTILINE)
    assert set(hdfs.read_all(f"{work.hdfs_dir}/out").split()) == {"to,2000", "be,2000", "or,1000", "not,1000"}
    app = check_gone(work.cluster, result.application, "SUCCEEDED")
    assert (app["name"], app["applicationType"]) == (work.name, "Apache Flink")


@pytest.mark.reference(extended=True)
def test_with_the_y_options_off_heap_memory_and_an_archive(work, client, jar):
    (work.directory / "archived.txt").write_text("text of an archive\n")
    archive = work.directory / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        made.add(work.directory / "archived.txt", "inside/archived.txt")
    yarn = ["-m", "yarn-cluster", "-yjm", "1024m", "-ytm", "1280m", "-ynm", work.name, "-yqu", "qa-team", "-ys", "2"]
    yarn += ["-yD", "taskmanager.memory.task.off-heap.size=64m", "-yD", f"yarn.ship-archives={archive}"]
    result = client.flink("run", *yarn, "-c", "Surroundings", jar, "--read", "x.tar.gz/inside/archived.txt")
    # Its main() is on the client, where there is no archive.
    assert result.code == 1 and "NoSuchFileException" in result.text
    result = client.flink("run", *yarn, "-c", "Surroundings", jar).ok()
    assert "Program execution finished" in result.out
    app = check_gone(work.cluster, result.application, "SUCCEEDED")
    assert app["queue"].endswith("qa-team")
    told = told_by_task(work.cluster, result.application)
    assert "x.tar.gz/inside/archived.txt" in told.files
    # Framework 128 MB, task 64 MB, network 64 MB at least.
    [direct] = [word.partition("=")[2] for word in told.all("jvm") if word.startswith("-XX:MaxDirectMemorySize")]
    assert int(direct) >= (128 + 64 + 64) << 20
    left = [app for app in work.cluster.yarn.by_name(work.name) if app["finalStatus"] == "SUCCEEDED"]
    assert len(left) == 1, "the one that threw has not succeeded"


@pytest.mark.reference(extended=True)
def test_detached_with_tags_and_parallelism(work, client, jar):
    """A streaming job, by Flink 1.x's dialect; then cancelled by the application's id."""
    yarn = ["-m", "yarn-cluster", "-yd", "-yjm", "1024", "-ytm", "1024", "-ynm", work.name, "-ys", "2", "-p", "2"]
    result = client.flink("run", *yarn, "-yD", "yarn.tags=test-tag", "-c", "Counting", jar).ok()
    assert result.jobs and "Program execution finished" not in result.out
    app = work.cluster.yarn.app(result.application)
    assert "test-tag" in app["applicationTags"].split(",")
    rest = Flink(result.rest)
    rest.wait_job(result.job, "RUNNING")
    assert max(v["parallelism"] for v in rest.job(result.job)["vertices"]) == 2
    [manager] = rest.wait_taskmanagers()
    assert manager["slotsNumber"] == 2
    target = ["-t", "yarn-per-job", f"-Dyarn.application.id={result.application}"]
    assert f"{result.job} : Counting (RUNNING)" in client.flink("list", *target).ok().out
    client.flink("cancel", *target, result.job).ok()
    check_gone(work.cluster, result.application, "KILLED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_cancelled_at_once(work, client, jar):
    """Right after the deployment, before there are workers: the application ends soon."""
    result = client.per_job(work.name, jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    target = ["-t", "yarn-per-job", f"-Dyarn.application.id={result.application}"]
    client.flink("cancel", *target, result.job).ok()
    app = work.cluster.yarn.wait_state(result.application, *FINISHED, seconds=10)
    assert app["finalStatus"] == "KILLED"
    check_gone(work.cluster, result.application, "KILLED")


@pytest.mark.extended
def test_detached_ends_with_its_job(work, client, jar):
    result = client.per_job(work.name, jar, "Sleepy", "--seconds", "3", options=["-d"]).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=60)


@pytest.mark.reference(extended=True)
def test_a_job_that_fails(work, client, jar):
    result = client.per_job(work.name, jar, "FailAtRuntime")
    assert result.code == 1 and "heddle-test: failed at run time" in result.text
    app = check_gone(work.cluster, result.application, "FAILED")
    if client.is_heddle:
        assert "heddle-test: failed at run time" in app["diagnostics"], app["diagnostics"]


@pytest.mark.reference(extended=True)
def test_main_throws_before_there_is_a_job(work, client, jar):
    result = client.per_job(work.name, jar, "ThrowInMain")
    assert result.code == 1 and "heddle-test: thrown in main" in result.text
    if client.is_heddle:
        assert result.error_lines() == ["error: the program failed: java.lang.IllegalStateException: heddle-test: thrown in main"]
    for app in work.cluster.yarn.by_name(work.name):
        check_gone(work.cluster, app["id"], work.cluster.yarn.wait_state(app["id"], *FINISHED)["finalStatus"])
        assert app["finalStatus"] != "SUCCEEDED"


@pytest.mark.heddle_only("it makes a cluster for each execute()")
def test_two_executes_in_one_cluster(work, client, jar):
    result = client.per_job(work.name, jar, "TwoExecutes").ok()
    assert len(set(result.jobs)) == 2 and "main: between" in result.out and "main: after" in result.out
    [app] = work.cluster.yarn.by_name(work.name)
    check_gone(work.cluster, app["id"], "SUCCEEDED")


@pytest.mark.extended
def test_main_collects(work, client, jar):
    result = client.per_job(work.name, jar, "PrintCollect").ok()
    assert "collected: 25" in result.out and "main: after" in result.out
    check_gone(work.cluster, result.application, "SUCCEEDED")


@pytest.mark.heddle_only("its cluster waits without end for a client to fetch the result")
def test_the_client_is_killed(work, client, jar):
    """The job goes on to its end without it, and so does the cluster."""
    running = client.start_per_job(work.name, jar, "Sleepy", "--seconds", "8")
    running.wait_text(r"Job has been submitted with JobID", 120)
    running.kill()
    check_gone(work.cluster, submitted(work), "SUCCEEDED", seconds=90)


@pytest.mark.heddle_only("its client cannot be told to look after the job")
def test_the_client_is_killed_before_there_is_a_job(work, client, jar):
    running = client.start_per_job(work.name, jar, "Sleepy", "--before", "600")
    running.wait_text(r"Found Web Interface", 120)
    time.sleep(3)  # by now it keeps a call to the ApplicationMaster open
    children = processes.below(running.process.pid)
    assert any(child.is_jvm for child in children), children
    os.kill(running.process.pid, signal.SIGKILL)  # it alone: main() must not go on beside that of a second try
    wait_for("no main() without its client", lambda: not any(child.alive() for child in children), 5)
    check_gone(work.cluster, submitted(work), "KILLED", seconds=60)


@pytest.mark.extended
@pytest.mark.heddle_only("its client cannot be told to look after the job")
@pytest.mark.slow("the client is away for longer than it is waited for, and its job takes longer than that")
@pytest.mark.timeout(900)
def test_a_client_that_counts_as_gone_comes_back(work, client, jar):
    """main() goes on waiting for its first job, and submits the second one then."""
    running = client.start_per_job(work.name, jar, "Sleepy", "--seconds", "180", "--then", "5")
    running.wait_text(r"Job has been submitted with JobID", 120)
    application = submitted(work)
    said = lambda words: work.cluster.log_text(application, "heddle-am.log").count(words)  # noqa: E731
    calls, broken = said("the client attends"), said("the client has hung up")
    assert calls == broken + 1
    os.kill(running.process.pid, signal.SIGSTOP)  # it alone: main() runs on
    try:
        wait_for("its call to break", lambda: said("the client has hung up") > broken, 90)
        time.sleep(20)  # for longer than it may be away
        assert set(Flink(f"{work.cluster.yarn.rm}/proxy/{application}").jobs().values()) == {"RUNNING"}
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    wait_for("another call", lambda: said("the client attends") > calls, 90)
    result = running.result(400).ok()
    assert len(set(result.jobs)) == 2, result
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("its client does not ask YARN why its JobManager is gone")
def test_the_jobmanager_dies_under_an_attached_client(work, client, jar):
    """That is told at once; Flink's client goes on trying to reach it for a while."""
    running = client.start_per_job(work.name, jar, "Sleepy", "--seconds", "600")
    running.wait_text(r"Job has been submitted with JobID", 120)
    application = submitted(work)
    [jvm] = [p for p in processes.jvms(work.cluster, application) if processes.is_master(p)]
    os.kill(jvm.pid, signal.SIGKILL)
    running.wait_text(r"WARN .* the application \S+ has ended with state \w+ and final state FAILED", 60)
    result = running.result(150)
    assert result.code == 1 and len(result.error_lines()) == 1, result
    assert f"error: the application {application} has ended with state" in result.err and "SIGKILL" in result.err, result
    check_gone(work.cluster, application, "FAILED")


@pytest.mark.heddle_only("its main() is over before there is a cluster")
@pytest.mark.parametrize("seconds, code", [(0, 3), *(pytest.param(*case, marks=pytest.mark.extended) for case in ((8, 3), (0, 0)))])
def test_main_ends_without_a_job(work, client, jar, seconds, code):
    """Before YARN knows of the cluster nothing is left; from then on the final status is that of main()."""
    result = client.per_job(work.name, jar, "Exits", "--code", str(code), "--before", str(seconds))
    assert result.code == code, result
    assert result.error_lines() == ([f"error: main() ended with exit code {code}"] if code else []), result
    for app in work.cluster.yarn.by_name(work.name):
        check_gone(work.cluster, app["id"], "FAILED" if code else "SUCCEEDED")
        assert f"main() ended with exit code {code} without submitting a job" in work.cluster.yarn.app(app["id"])["diagnostics"]
    assert seconds == 0 or work.cluster.yarn.by_name(work.name)


def interrupted(work, running):
    """Ctrl-C as soon as YARN has the application; that is killed, and nothing starts later."""
    application = submitted(work)
    running.interrupt()
    assert running.result(60).code == 130
    app = work.cluster.yarn.wait_state(application, *FINISHED, seconds=20)
    check_gone(work.cluster, application, app["finalStatus"])
    assert app["finalStatus"] == "KILLED"
    assert len(work.cluster.yarn.by_name(work.name)) == 1


@pytest.mark.every_hadoop
def test_ctrl_c_while_deploying(work, client, jar):
    interrupted(work, client.start_per_job(work.name, jar, "Sleepy", "--seconds", "600"))


@pytest.mark.extended
@pytest.mark.heddle_only("ends with its client only with --shutdownOnAttachedExit")
def test_ctrl_c_while_deploying_an_application(work, client, jar):
    target = ["-t", "yarn-application", f"-Dyarn.application.name={work.name}"]
    interrupted(work, client.start("flink", "run-application", *target, "-c", "Sleepy", jar, "--seconds", "600"))


@pytest.mark.heddle_only("it has no deadline")
@pytest.mark.parametrize("verb", ["run", pytest.param("run-application", marks=pytest.mark.extended)])
def test_giving_up(work, client, jar, verb):
    """A deadline that no deployment can keep: the application is killed, and nothing starts later."""
    target = ["-t", "yarn-per-job" if verb == "run" else "yarn-application", "--timeout", "2s"]
    words = [*target, f"-Dyarn.application.name={work.name}", "-c", "Sleepy", jar, "--seconds", "600"]
    result = client.flink(verb, *words)
    assert result.code == 1 and len(result.error_lines()) == 1, result
    assert "within 2s" in result.err, result
    for app in work.cluster.yarn.by_name(work.name):
        check_gone(work.cluster, app["id"], "KILLED")


@pytest.mark.parametrize("where", [pytest.param("local", marks=pytest.mark.extended), "hdfs"])
@pytest.mark.every_hadoop
def test_distributed_cache(work, client, jar, where):
    file = work.directory / "cached.txt"
    file.write_text("text of the cache\n")
    uri = f"file://{file}"
    if where == "hdfs":
        work.cluster.hdfs.write(f"{work.hdfs_dir}/cached.txt", file.read_bytes())
        uri = f"{work.cluster.fs}{work.hdfs_dir}/cached.txt"
    running = client.start_per_job(work.name, jar, "Surroundings", "--cache", uri)
    running.wait_text(r"Job has been submitted with JobID", 120)
    file.unlink()  # on a cluster the other machines do not have it either
    result = running.result().ok()
    check_gone(work.cluster, result.application, "SUCCEEDED")
    assert told_by_task(work.cluster, result.application).one("cached") == "text of the cache"

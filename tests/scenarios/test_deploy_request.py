"""`heddle deploy --request`: deployments for another program of this machine, as `heddle-agent.jar` asks for
them."""

import os
import signal
import subprocess
import time

import pytest

from harness.checks import check_gone, staging, told_by_task
from harness.cluster import FINISHED, Flink, request as call
from harness.embedding import Asking, legacy, submit
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("programs embed it instead")

COUNTS = {"to,2000", "be,2000", "or,1000", "not,1000"}
MODES = ["session", "application", "per-job"]


def words(work):
    """Arguments of WordCount, whose input is written."""
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    work.cluster.hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n" * 1000)
    return ["--input", f"{at}/in", "--output", f"{at}/out"]


def counted(work):
    return set(work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out").split())


def asking(work, client, mode, jar, **more):
    """A request in any of the modes."""
    if mode == "application":
        more = {"program": {"jar": str(jar), "mainClass": "Sleepy", "args": ["--seconds", "600"]}} | more
    return Asking(work, client, mode, **more)


def submitted(work):
    """The application's id, as soon as YARN has it."""
    [app] = wait_for("the application", lambda: work.cluster.yarn.by_name(work.name), 90, every=0.1)
    return app["id"]


def nothing(work):
    """Nobody asked YARN for anything."""
    return not work.cluster.yarn.by_name(work.name)


@pytest.mark.extended
def test_a_session(work, client, jar):
    """Flink is named by its directories alone, and the sizes of the request count."""
    sizes = {"masterMemoryMB": 1024, "taskManagerMemoryMB": 1100, "slotsPerTaskManager": 2}
    asked = Asking(work, client, "session", clusterSpecification=sizes).start()
    answer = asked.answer()
    assert set(answer) == {"application", "webInterface"}, answer
    assert asked.ended().code == 0
    application, rest = answer["application"], Flink(answer["webInterface"])
    app = work.cluster.yarn.app(application)
    assert (app["name"], app["state"]) == (work.name, "RUNNING")
    settings = rest.config()
    assert (settings["taskmanager.numberOfTaskSlots"], settings["taskmanager.memory.process.size"]) == ("2", "1100m")
    assert settings["jobmanager.memory.process.size"] == "1024m"
    # As with Flink's client in a process, no later command is led to it.
    assert not list(client.properties.glob(".yarn-properties-*"))
    rest.wait_job(submit(rest.base, jar, "WordCount", *words(work)), "FINISHED")
    assert counted(work) == COUNTS
    client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
    work.cluster.yarn.wait_state(application, *FINISHED)
    wait_for("its directory gone", lambda: staging(work.cluster, application) is None, 30)


@pytest.mark.extended
@pytest.mark.parametrize("flink", ["1.20", "2.3"])
def test_an_application(request, work, flink):
    """The jar is named twice, as in Flink's configuration and beside it."""
    home, jar = (("flink_home", "jar"), ("newer_flink", "newer_jar"))[flink == "2.3"]
    client, jar = work.client(flink_home=request.getfixturevalue(home)), request.getfixturevalue(jar)
    program = {"jar": str(jar), "mainClass": "WordCount", "args": words(work), "classpath": []}
    settings = {"pipeline.jars": f"file:{jar}", "execution.target": "yarn-application", "$internal.application.main": "WordCount"}
    if not legacy(client.flink_home):
        settings = {key: f"'{value}'" for key, value in settings.items() if not key.startswith("$")}
    asked = Asking(work, client, "application", settings, program=program).start()
    application = asked.answer()["application"]
    assert asked.ended().code == 0
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    assert counted(work) == COUNTS


@pytest.mark.extended
@pytest.mark.parametrize("flink", ["1.20", "2.3"])
def test_a_per_job_cluster(request, work, flink):
    """The caller submits the job to the JobManager's own address, and the cluster ends with both."""
    home, jar = (("flink_home", "jar"), ("newer_flink", "newer_jar"))[flink == "2.3"]
    client, jar = work.client(flink_home=request.getfixturevalue(home)), request.getfixturevalue(jar)
    asked = Asking(work, client, "per-job", detached=False).start()
    answer = asked.answer()
    assert set(answer) == {"application", "webInterface"}, answer
    rest = Flink(answer["webInterface"])
    job = submit(rest.base, jar, "WordCount", *words(work))
    rest.wait_job(job, "FINISHED")
    time.sleep(6)  # for longer than the ApplicationMaster pauses between two looks at the jobs
    assert work.cluster.yarn.app(answer["application"])["state"] == "RUNNING", "main() may submit another job"
    assert asked.running.alive
    asked.close()
    assert asked.ended().code == 0
    check_gone(work.cluster, answer["application"], "SUCCEEDED")
    assert counted(work) == COUNTS


def test_user_jars_are_on_the_class_path(work, client, jar):
    udf = work.directory / "udf.jar"
    udf.write_bytes(jar.read_bytes())
    asked = Asking(work, client, "per-job", {"yarn.classpath.include-user-jar": "FIRST"}, userJars=[f"file:{udf}"]).start()
    answer = asked.answer()
    # As with `flink run`, main() runs in Flink's client on this machine.
    address = answer["webInterface"].removeprefix("http://")
    client.flink("run", "-m", address, "-c", "Surroundings", jar).ok()
    asked.close()
    assert asked.ended().code == 0
    check_gone(work.cluster, answer["application"], "SUCCEEDED")
    found = told_by_task(work.cluster, answer["application"]).order_of({"udf.jar"} | {path.name for path in client.flink_home.glob("lib/flink-dist*")})
    assert found[0] == "udf.jar" and len(found) == 2, found


@pytest.mark.parametrize(("line", "final"), [('{"exit": 3}\n', "FAILED"), ("", "SUCCEEDED"), pytest.param("stop\n", "SUCCEEDED", marks=pytest.mark.extended)])
def test_the_caller_tells_how_its_main_has_ended(work, client, line, final):
    """Without a job that is the final status; heddle itself has done what it was to do."""
    asked = Asking(work, client, "per-job").start()
    application = asked.answer()["application"]
    if line:
        asked.running.type(line)
    asked.close()
    result = asked.ended()
    assert result.code == 0 and not result.error_lines(), result
    assert ("warning: a line of the standard input" in result.err) == line.startswith("stop"), result
    app = check_gone(work.cluster, application, final)
    assert ("main() ended with exit code 3" in app["diagnostics"]) == (final == "FAILED"), app["diagnostics"]


def test_a_caller_that_is_killed_leaves_its_job(work, client, jar):
    """The end of the pipe comes before that of the job, with which the cluster ends."""
    asked = Asking(work, client, "per-job", detached=True).start()
    answer = asked.answer()
    submit(answer["webInterface"], jar, "Sleepy", "--seconds", "8")
    asked.close()
    assert asked.ended().code == 0
    assert work.cluster.yarn.app(answer["application"])["state"] == "RUNNING"
    check_gone(work.cluster, answer["application"], "SUCCEEDED", seconds=90)


@pytest.mark.extended
def test_heddle_itself_is_killed(work, client):
    """The ApplicationMaster notices that nobody is there who could submit a job."""
    asked = Asking(work, client, "per-job").start()
    application = asked.answer()["application"]
    os.kill(asked.running.process.pid, signal.SIGKILL)
    check_gone(work.cluster, application, "KILLED", seconds=60)


@pytest.mark.extended
def test_the_cluster_ends_before_its_caller(work, client):
    """Then nothing is left to do for it, and the caller sees that its cluster is gone by itself."""
    asked = Asking(work, client, "per-job").start()
    answer = asked.answer()
    call(f"{answer['webInterface']}/cluster", "DELETE")
    result = asked.ended(60)
    assert result.code == 0, result
    check_gone(work.cluster, answer["application"], "SUCCEEDED")


@pytest.mark.parametrize("mode", ["per-job", pytest.param("session", marks=pytest.mark.extended), pytest.param("application", marks=pytest.mark.extended)])
def test_a_caller_that_is_gone_before_its_cluster_is_ready(work, client, jar, mode):
    asked = asking(work, client, mode, jar).start()
    application = submitted(work)
    asked.close()
    error = asked.failed()
    assert "the calling program has gone" in error["message"] and not error["unsupported"], error
    check_gone(work.cluster, application, "KILLED")
    assert len(work.cluster.yarn.by_name(work.name)) == 1


@pytest.mark.parametrize("mode", ["session", pytest.param("per-job", marks=pytest.mark.extended)])
def test_a_signal_before_the_cluster_is_ready(work, client, jar, mode):
    asked = asking(work, client, mode, jar).start()
    application = submitted(work)
    os.kill(asked.running.process.pid, signal.SIGTERM)
    error = asked.failed()
    assert asked.running.process.returncode == 143
    assert "interrupted by SIGTERM" in error["message"], error
    check_gone(work.cluster, application, "KILLED")


@pytest.mark.extended
def test_a_signal_while_the_job_runs(work, client, jar):
    """As with `flink run`: the job goes on, and the cluster ends with it."""
    asked = Asking(work, client, "per-job").start()
    answer = asked.answer()
    submit(answer["webInterface"], jar, "Sleepy", "--seconds", "8")
    os.kill(asked.running.process.pid, signal.SIGTERM)
    result = asked.ended()
    assert result.code == 143 and "goes on without this client" in result.err, result
    check_gone(work.cluster, answer["application"], "SUCCEEDED", seconds=90)


@pytest.mark.extended
def test_without_a_standard_input(work, client):
    """A session does not need one; nobody could tell of the end of a main()."""
    environment = client.environment()
    command = [str(client.bin / "heddle"), "deploy", "--request"]
    done = subprocess.run(
        [*command, Asking(work, client, "session").file],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done
    application = submitted(work)
    assert application in done.stdout
    client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
    work.cluster.yarn.wait_state(application, *FINISHED)
    refused = subprocess.run(
        [*command, Asking(work, client, "per-job").file],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 1 and "needs a standard input" in refused.stderr, refused
    assert len(work.cluster.yarn.by_name(work.name)) == 1


def test_requests_that_are_none(work, client):
    """What comes from another release is left to Flink's client; a mistake, and what others could have
    written, is not."""
    for keys, part, unsupported in [
        ({"colour": "blue"}, "unknown field `colour`", True),
        ({"version": 2}, "version of the request is 2", True),
        ({"flinkConfDir": "conf"}, "absolute paths", False),
        ({"program": {"args": []}}, "only an application has a program", False),
    ]:
        error = Asking(work, client, "session", **keys).start().failed(20)
        assert part in error["message"] and error["unsupported"] == unsupported, error
    for name in (".", "conf", "hadoop"):
        opened = Asking(work, client, "session")
        (opened.directory / name).chmod(0o755)
        error = opened.start().failed(20)
        assert "is not private" in error["message"] and "0755" in error["message"] and error["unsupported"], error
    others = Asking(work, client, "session")
    others.file.chmod(0o622)
    assert "is not private" in others.start().failed(20)["message"]
    missing = Asking(work, client, "session")
    missing.file.unlink()
    assert str(missing.file) in missing.start().failed(20)["message"]
    assert nothing(work)


@pytest.mark.parametrize("mode", ["session", pytest.param("per-job", marks=pytest.mark.extended)])
def test_what_flinks_own_client_would_do(work, client, mode):
    """The error says so, and nothing was submitted. It does not say so of what cannot work there, either."""
    for settings, keys, part in [
        ({"yarn.container-start-command-template": "%java% %class% | tee x"}, {}, "yarn.container-start-command-template"),
        ({"yarn.staging-directory": "s3a://bucket/staging"}, {}, "s3a"),
        ({}, {"flinkDist": "/opt/flink-dist-1.12.7.jar"}, "1.12.7"),
        ({}, {"flinkDist": "/opt/flink-yarn-1.20.5.jar"}, "flink-yarn-1.20.5.jar"),
        ({}, {"flinkLibDir": None}, "flink-dist jar"),
    ]:
        error = Asking(work, client, mode, settings, **keys).start().failed(30)
        assert part in error["message"] and error["unsupported"], error
    for settings, keys, part in [
        ({"yarn.application.queue": "qa-taem"}, {}, "qa-taem"),
        ({"taskmanager.memory.process.size": "100m"}, {}, "memory"),
        ({}, {"shipFiles": [f"{work.directory}/gone"]}, "gone"),
        ({}, {"flinkLibDir": f"{work.directory}/gone"}, "is not a directory"),
    ]:
        error = Asking(work, client, mode, settings, **keys).start().failed(30)
        assert part in error["message"] and not error["unsupported"], error
    assert nothing(work)


def test_warnings_are_on_the_standard_error_stream(work, client):
    asked = Asking(work, client, "session", {"yarn.aplication.queue": "x"}).start()
    answer = asked.answer()
    result = asked.ended()
    [line] = [line for line in result.err.splitlines() if "yarn.aplication.queue" in line]
    assert line.startswith("warning: ") and "yarn.application.queue" in line, result
    assert f"Found Web Interface {answer['webInterface'].removeprefix('http://')}" in result.err, result
    client.run("yarn-session.sh", "-id", answer["application"], stdin="stop\n").ok()
    work.cluster.yarn.wait_state(answer["application"], *FINISHED)


@pytest.mark.extended
def test_the_user_of_the_request(work, client):
    work.cluster.hdfs.mkdir(work.hdfs_dir, "777")
    place = {"yarn.staging-directory": f"{work.cluster.fs}{work.hdfs_dir}/base"}
    asked = Asking(work, client, "session", place, hadoopUser="etl").start()
    answer = asked.answer()
    assert work.cluster.yarn.app(answer["application"])["user"] == "etl"
    assert asked.ended().code == 0
    client.run("yarn-session.sh", "-id", answer["application"], stdin="stop\n", env={"HADOOP_USER_NAME": "etl"}).ok()
    work.cluster.yarn.wait_state(answer["application"], *FINISHED)

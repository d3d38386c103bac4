"""Tools around Flink: their command lines, as the pages in docs/tools have them, are run by a shell, and what
they print is read as the tools read it.

The programs are of tests/tools: each has the class name of the tool's, and looks for what that expects in its
container.
"""

import json
import re
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from conftest import FLINK_VERSION, NEWER_FLINK
from harness.checks import check_gone
from harness.client import LONG
from harness.cluster import FINISHED, Flink, get_json
from harness.jars import built
from harness.pages import command_lines, environment_of
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.extended,
    pytest.mark.heddle_only("the lines are for a directory of `heddle adopt`"),
    pytest.mark.timeout(600),
]
LINES = command_lines()
# As DolphinScheduler looks for applications in a task's log, and Amoro in a line of the standard output.
DOLPHINSCHEDULER = re.compile(r"application_\d+_\d+")
AMORO = re.compile(r"(.*)application_(\d+)_(\d+)")


class Tool:
    """A tool on a machine where nobody has heddle on the PATH: `FLINK_HOME` is a directory of
    `heddle adopt`."""

    def __init__(self, work, flink_home, version):
        self.work, self.cluster = work, work.cluster
        self.client = work.client(flink_home=flink_home)
        # What a tool does not say is for containers as small as those of the other scenarios.
        self.client.configure({f"{role}.memory.process.size": "1024m" for role in ("jobmanager", "taskmanager")})
        self.directory = self.client.directory
        self.home = self.directory / "adopted"
        self.client.run("heddle", "adopt", self.home, "--flink-home", flink_home).ok()
        self.jar = built("tools", flink_home, version, "tools.jar")

    def environment(self, name, **more):
        """Exactly the variables that the line names are set, beside those of every command."""
        given = {"FLINK_HOME": self.home, "NAME": self.work.name} | more
        taken = environment_of(LINES[name])
        assert taken <= set(given), f"{name} needs {taken - set(given)}"
        path = ":".join(entry for entry in self.client.environment()["PATH"].split(":") if entry != str(self.client.bin))
        return {"PATH": path, "FLINK_HOME": None} | {key: given[key] for key in taken}

    def run(self, name, extra=None, shell="bash", **more):
        """What the line comes to. `extra` are variables that it does not name."""
        variables = self.environment(name, **more) | (extra or {})
        return self.client.run(shutil.which(shell), "-c", LINES[name], env=variables, seconds=LONG)

    def application(self):
        """The only one of this name in YARN."""
        [app] = self.cluster.yarn.by_name(self.work.name)
        return app["id"]

    def found(self, application):
        """What the program in the JobManager has found: what -> values."""
        found = {}
        for line in self.cluster.log_text(application, "jobmanager.out").splitlines():
            if line.startswith("found "):
                _, what, value = (line + " ").split(" ", 2)
                found.setdefault(what, []).append(value.strip())
        return found


@pytest.fixture
def tool(work, flink_home):
    return Tool(work, flink_home, FLINK_VERSION)


@pytest.fixture
def newer_tool(work, newer_flink):
    return Tool(work, newer_flink, NEWER_FLINK)


def counted(tool):
    assert "to,6" in tool.cluster.hdfs.read_all(f"{tool.work.hdfs_dir}/counts").splitlines()


@pytest.mark.parametrize("line", ["dolphinscheduler-application", "dolphinscheduler-per-job", "dolphinscheduler-yarn-cluster"])
def test_dolphinscheduler(tool, jar, line):
    output = f"{tool.cluster.fs}{tool.work.hdfs_dir}/counts"
    result = tool.run(line, JOB_JAR=jar, OUTPUT=output).ok()
    [application] = set(DOLPHINSCHEDULER.findall(result.text))
    check_gone(tool.cluster, application, "SUCCEEDED", seconds=90)
    assert application == tool.application()
    counted(tool)


# As its FlinkArgsUtils and FileUtils write the first file.
INIT_SQL = """\
set execution.target=yarn-per-job;
set taskmanager.numberOfTaskSlots=1;
set yarn.application.name={name};
set jobmanager.memory.process.size=1G;
set taskmanager.memory.process.size=1G;
set yarn.application.queue=default;
set parallelism.default=1;
"""
SCRIPT_SQL = """\
CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
CREATE TABLE nowhere (n INT) WITH ('connector' = 'blackhole');
INSERT INTO nowhere SELECT n FROM numbers;
"""


@pytest.mark.slow("a SQL client, its gateway and a cluster")
def test_dolphinscheduler_sql(tool, sql_flink):
    init, script = tool.directory / "task_init.sql", tool.directory / "task_node.sql"
    init.write_text(INIT_SQL.format(name=tool.work.name))
    script.write_text(SCRIPT_SQL)
    hadoop = {"HADOOP_CLASSPATH": tool.cluster.reference_hadoop_classpath}
    tool.run("dolphinscheduler-sql", hadoop, INIT_SQL=init, SCRIPT_SQL=script).ok()
    check_gone(tool.cluster, tool.application(), "SUCCEEDED", seconds=120)


def seatunnel(tool):
    """The job's file, and the archive that SeaTunnel's script has packed in its working directory."""
    config = tool.directory / "jobs/fake_to_console.conf"
    config.parent.mkdir()
    config.write_text("env { parallelism = 1 }\n")
    connector = tool.directory / "connector-fake.jar"
    connector.write_text("a connector")
    with tarfile.open(tool.directory / "runtime.tar.gz", "w:gz") as archive:
        archive.add(connector, "connectors/connector-fake.jar")
    return {"CONFIG": config, "STARTER_JAR": tool.jar}


def test_seatunnel_as_an_application(tool):
    tool.run("seatunnel-application", **seatunnel(tool)).ok()
    application = tool.application()
    check_gone(tool.cluster, application, "SUCCEEDED", seconds=90)
    assert tool.found(application) == {"config": ["env { parallelism = 1 }"], "connector": ["connector-fake.jar"]}


def test_seatunnel_per_job(tool):
    result = tool.run("seatunnel-per-job", **seatunnel(tool)).ok()
    assert "found config env { parallelism = 1 }" in result.text
    check_gone(tool.cluster, tool.application(), "SUCCEEDED")


def check_kyuubi(tool, line):
    opt = sorted(str(jar) for kind in ("client", "gateway") for jar in (tool.home / "opt").glob(f"flink-sql-{kind}*"))
    assert len(opt) == 2, opt
    tag = f"kyuubi-{tool.work.name}"
    tool.run(line, SQL_JARS=";".join(opt), TAG=tag, ENGINE_JAR=tool.jar).ok()
    application = tool.application()
    app = check_gone(tool.cluster, application, "SUCCEEDED", seconds=90)
    # It finds the application by the tag, which YARN writes in small letters.
    assert {"kyuubi", tag} <= set(app["applicationTags"].split(","))
    found = tool.found(application)
    assert (found["directory"], found["target"]) == (["."], ["yarn-application"])
    assert sorted(found["jar"]) == [jar.rpartition("/")[2] for jar in opt]
    assert found["argument"] == ["--conf", "kyuubi.session.user=anonymous"]


def test_kyuubi(tool, sql_flink):
    check_kyuubi(tool, "kyuubi-application")


def test_kyuubi_with_flink_2(newer_tool, newer_sql_flink):
    check_kyuubi(newer_tool, "kyuubi-run")


def test_zeppelin(tool):
    """The interpreter finds its application by `_APP_ID`, and its REST interface by the RPC port in YARN."""
    words = {"FLINK_APP_JAR": tool.jar, "CALLBACK_HOST": "localhost", "PORT": "7077", "INTP_GROUP_ID": "flink-shared"}
    result = tool.run("zeppelin-application", **words).ok()
    application = tool.application()
    wait_for("what the interpreter has found", lambda: "arguments" in tool.found(application), 60)
    assert tool.found(application) == {"application": [application], "arguments": ["localhost 7077 flink-shared :"]}
    app = tool.cluster.yarn.app(application)
    assert app["amRPCAddress"].rpartition(":")[2] == result.rest.rpartition(":")[2], app
    tool.cluster.yarn.kill(application)
    check_gone(tool.cluster, application, "KILLED", files=False)


def test_amoro(tool):
    """It reads up to the line with the application's id, and then nobody reads any more; it cancels the job
    of its optimizer."""
    variables = tool.client.environment() | tool.environment("amoro-application", OPTIMIZER_JAR=tool.jar)
    variables = {key: str(value) for key, value in variables.items() if value is not None}
    command = ["/bin/sh", "-c", LINES["amoro-application"]]
    errors = tool.directory / "amoro.err"
    with errors.open("w") as err:
        process = subprocess.Popen(command, env=variables, cwd=tool.directory, stdout=subprocess.PIPE, stderr=err, text=True)
    application = None
    with process.stdout as out:
        for line in out:
            if found := AMORO.fullmatch(line.rstrip("\n")):
                application = f"application_{found[2]}_{found[3]}"
                break
    assert application == tool.application(), errors.read_text()
    process.wait(LONG)
    assert "error:" not in errors.read_text()
    tool.cluster.yarn.wait_state(application, "RUNNING")
    target = ["-t", "yarn-application", f"-Dyarn.application.id={application}"]
    listed = lambda: json.loads(tool.client.flink("list", *target, "--output", "json").ok().out)  # noqa: E731
    job = wait_for("the optimizer's job", lambda: listed()["jobs"], 60)[0]["id"]
    rest = Flink(listed()["webInterface"])
    assert rest.wait_job(job, "RUNNING") == "RUNNING"
    assert rest.config()["jobmanager.memory.process.size"].replace(" ", "").startswith("1024m")
    tool.run("amoro-release", shell="sh", APPLICATION_ID=application, JOB_ID=job).ok()
    check_gone(tool.cluster, application, "KILLED")


PIPELINE = """\
source:
  type: values
  "quoted: key": 'it''s $HOME `x` "y" \\ #z'
sink:
  type: values

pipeline:
  name: Tools & more
"""


def test_flink_cdc(tool):
    """The text of the pipeline arrives whole, and the connector is on the class path."""
    (tool.directory / "pipeline.yaml").write_text(PIPELINE)
    connector = tool.directory / "flink-cdc-pipeline-connector-values.jar"
    with zipfile.ZipFile(connector, "w") as made:
        made.writestr("connector.txt", "")
    tool.run("flink-cdc-application", CONNECTOR_JAR=connector, FLINK_CDC_DIST_JAR=tool.jar).ok()
    application = tool.application()
    check_gone(tool.cluster, application, "SUCCEEDED", seconds=90)
    found = tool.found(application)
    assert found["arguments"] == ["1"] and found["connector"] == ["true"], found
    assert found["line"] == [line.strip() for line in PIPELINE.rstrip().splitlines()]


@pytest.mark.slow("a cluster, and Flink's history server, which reads the archive a moment later")
def test_history_server(tool, jar):
    """The archive of a job whose cluster has ended, in Flink's own history server."""
    archive = f"{tool.work.hdfs_dir}/archive"
    tool.cluster.hdfs.mkdir(archive)
    tool.run("history-application", ARCHIVE=f"{tool.cluster.fs}{archive}", JOB_JAR=jar).ok()
    check_gone(tool.cluster, tool.application(), "SUCCEEDED", seconds=90)
    [job] = tool.cluster.hdfs.list(archive)
    tool.client.configure({
        "historyserver.archive.fs.dir": f"{tool.cluster.fs}{archive}",
        "historyserver.archive.fs.refresh-interval": "1000",
        "historyserver.web.tmpdir": tool.directory / "history",
        "historyserver.web.port": "0",
    })  # fmt: skip
    hadoop = tool.directory / "hadoop/bin/hadoop"
    hadoop.parent.mkdir(parents=True)
    hadoop.write_text(f"#!/bin/sh\necho '{tool.cluster.reference_hadoop_classpath}'\n")
    hadoop.chmod(0o755)
    variables = tool.environment("history-server")
    extra = {"PATH": f"{hadoop.parent}:{variables['PATH']}", "FLINK_PID_DIR": tool.directory / "pids"}
    try:
        tool.run("history-server", extra).ok()

        def address():
            logs = "".join(log.read_text() for log in (tool.directory / "logs").glob("*historyserver*.log"))
            found = re.search(r"[Ll]istening at (?:https?://)?[^\s:]+:(\d+)", logs)
            return f"http://127.0.0.1:{found[1]}" if found else None

        base = wait_for("the history server's address", address, 60)
        jobs = wait_for("the archived job", lambda: get_json(f"{base}/jobs/overview")["jobs"], 60)
        assert [(each["jid"], each["name"], each["state"]) for each in jobs] == [(job, "WordCount", "FINISHED")]
        assert get_json(f"{base}/jobs/{job}")["state"] == "FINISHED"
    finally:
        stop = f"{tool.home}/bin/historyserver.sh stop"
        tool.client.run(shutil.which("bash"), "-c", stop, env=variables | extra | {"FLINK_HOME": tool.home})


def test_openlineage(newer_tool, newer_jar):
    """A job status listener gets settings of its own, and hears of each change."""
    words = {"LISTENER_JAR": newer_tool.jar, "LISTENER": "standins.ListenerFactory", "JOB_JAR": newer_jar}
    newer_tool.run("openlineage-application", **words).ok()
    application = newer_tool.application()
    newer_tool.cluster.yarn.wait_state(application, *FINISHED, seconds=90)
    check_gone(newer_tool.cluster, application, "SUCCEEDED")
    found = newer_tool.found(application)
    assert set(found["transport"]) == {"console"}
    assert found["status"][-1] == "FINISHED" and "RUNNING" in found["status"], found

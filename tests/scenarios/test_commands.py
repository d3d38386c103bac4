"""The commands of the manual, word for word, and the programs around `flink`."""

import contextlib
import json
import re
import shutil
import socket

import pytest

from harness.checks import check_gone
from harness.cluster import Flink, get_json, request as call
from harness.waiting import wait_for

# The literal commands share fixed names in HDFS and the properties file.
pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture
def job_jar(client, jar):
    """`job.jar` in the directory in which the client is called."""
    shutil.copy(jar, client.directory / "job.jar")


def test_session_for_everybodys_first_try(work, client, job_jar):
    result = client.run("yarn-session.sh", "-nm", "test", "-d").ok()
    try:
        assert re.search(r"^JobManager Web Interface: http://\S+:\d+$", result.out, re.MULTILINE)
        assert work.cluster.yarn.app(result.application)["name"] == "test"
        # By the properties file.
        assert "Program execution finished" in client.flink("run", "-c", "WordCount", "job.jar").ok().out
        client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
        check_gone(work.cluster, result.application, "SUCCEEDED")
    finally:
        work.cluster.yarn.kill(result.application)


@pytest.mark.extended
def test_per_job(work, client, job_jar):
    result = client.flink("run", "-t", "yarn-per-job", "-c", "WordCount", "job.jar").ok()
    app = check_gone(work.cluster, result.application, "SUCCEEDED")
    assert app["name"] == "Flink per-job cluster"


def test_application_from_a_distribution_in_hdfs(work, client, jar, flink_home):
    hdfs, at = work.cluster.hdfs, work.cluster.fs
    try:
        for file in flink_home.rglob("*"):
            if file.is_file():
                hdfs.write(f"/flink-dist/{file.relative_to(flink_home)}", file.read_bytes())
        hdfs.write("/flink-jars/job.jar", jar.read_bytes())
        given = ["-t", "yarn-application", f"-Dyarn.provided.lib.dirs={at}/flink-dist"]
        result = client.flink("run-application", *given, "-c", "WordCount", f"{at}/flink-jars/job.jar").ok()
        app = check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
        assert app["name"] == "Flink Application Cluster"

        result = client.flink("run-application", *given, "-c", "Counting", f"{at}/flink-jars/job.jar").ok()
        target = ["-t", "yarn-application", f"-Dyarn.application.id={result.application}"]
        find = lambda: re.search(r": ([0-9a-f]{32}) : Counting \(RUNNING\)", client.flink("list", *target).ok().out)  # noqa: E731
        job = wait_for("the job", find, 60, every=1)[1]
        assert f"Cancelled job {job}." in client.flink("cancel", *target, job).ok().out
        check_gone(work.cluster, result.application, "KILLED")
    finally:
        for path in ("/flink-dist", "/flink-jars"):
            hdfs.delete(path)


SQL = """
CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '10');
CREATE TABLE squares (n INT, square INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');
SET 'sql-client.execution.result-mode' = 'tableau';
SET 'execution.runtime-mode' = 'batch';
SET 'table.dml-sync' = 'true';
INSERT INTO squares SELECT n, n * n FROM numbers;
SELECT SUM(square) AS total FROM squares;
"""


def test_sql_script_on_a_session(work, sql_flink):
    client = work.client(flink_home=sql_flink)
    session = client.session("-nm", work.name)
    script = work.directory / "squares.sql"
    script.write_text(SQL.format(path=f"{work.cluster.fs}{work.hdfs_dir}/squares"))
    result = client.run("sql-client.sh", "-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}", "-f", script).ok()
    assert re.search(r"\|\s+385 \|", result.out), result
    assert "7,49" in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/squares").split()
    assert set(Flink(session.url).jobs().values()) == {"FINISHED"}
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
def test_sql_gateway_on_a_session(work, sql_flink):
    client = work.client(flink_home=sql_flink)
    session = client.session("-nm", work.name)
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    endpoint = "sql-gateway.endpoint.rest"
    where = ["-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}"]
    listening = [f"-D{endpoint}.address=localhost", f"-D{endpoint}.port={port}"]
    gateway = client.start("sql-gateway.sh", "start-foreground", *where, *listening)
    base = f"http://localhost:{port}/v1"

    def answers():
        assert gateway.alive, gateway.result()
        with contextlib.suppress(OSError):
            return get_json(f"{base}/info")

    wait_for("the gateway", answers)
    handle = json.loads(call(f"{base}/sessions", "POST", {}))["sessionHandle"]
    call(f"{base}/sessions/{handle}/statements", "POST", {"statement": "SELECT COUNT(*) FROM (VALUES (1), (2)) AS numbers(n)"})
    wait_for("the statement's job in the session", lambda: "FINISHED" in Flink(session.url).jobs().values())
    gateway.kill()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_detached_session_with_everything(work, client, jar, flink_home):
    """As Flink's own acceptance test of it: options of all kinds, then a job by the properties file, then the
    end from outside."""
    [dist] = flink_home.glob("lib/flink-dist*.jar")
    shipped = work.directory / "shipped.txt"
    shipped.write_text("shipped\n")
    options = ["-j", dist, "-t", shipped, "-t", flink_home / "lib", "-jm", "768m", "-tm", "1024m", "--name", work.name]
    options += ["--applicationType", "Our Flink", "-Dyarn.view.acls=user1,user2 group1", "-Dyarn.modify.acls=*", "--detached"]
    result = client.run("yarn-session.sh", *options).ok()
    assert "JobManager Web Interface:" in result.out
    done = client.flink("run", "--detached", "-c", "WordCount", jar).ok()
    assert Flink(result.url).wait_job(done.job, "FINISHED") == "FINISHED"
    app = work.cluster.yarn.app(result.application)
    assert (app["name"], app["applicationType"], app["runningContainers"]) == (work.name, "Our Flink", 2)
    work.cluster.yarn.kill(result.application)
    work.cluster.yarn.wait_state(result.application, "KILLED")
    if client.is_heddle:
        client.flink("list", "-t", "yarn-session", f"-Dyarn.application.id={result.application}")
        check_gone(work.cluster, result.application, "KILLED")


DDL = """
CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
SHOW TABLES;
EXPLAIN SELECT n * n FROM numbers;
"""


def test_sql_script_without_a_session(work, sql_flink):
    """What needs no cluster runs; what needs one says so at once."""
    client = work.client(flink_home=sql_flink)
    script = work.directory / "ddl.sql"
    script.write_text(DDL)
    result = client.run("sql-client.sh", "-f", script, seconds=300).ok()
    assert "numbers" in result.out and "Physical" in result.out, result
    if client.is_heddle:
        script.write_text("SET 'sql-client.execution.result-mode' = 'tableau';\nSELECT 1;\n")
        # Its exit code is Flink's affair.
        result = client.run("sql-client.sh", "-f", script, seconds=300)
        assert "no YARN session is known" in result.text and "yarn-session.sh -d" in result.text, result

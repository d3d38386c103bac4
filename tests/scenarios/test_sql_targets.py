"""SQL statements on clusters that the SQL session names: on several sessions from one gateway, and on a
cluster for each job. heddle's own `sql-client.sh` and `sql-gateway.sh` have the Java agent for that; Flink's
own scripts are given it."""

import contextlib
import json
import re
import socket
import time
import urllib.error

import pytest

from harness.checks import check_gone, check_refused
from harness.client import SMALL
from harness.cluster import Flink, get_json, request as call
from harness.deployers import check_by, client_name, java_agent
from harness.hadoop.environment import hadoop_directory
from harness.waiting import wait_for

SECONDS = 300
COUNT = "SELECT COUNT(*) FROM (VALUES (1), (2)) AS numbers(n)"


def client_of(work, flink_home, kind=None):
    """A client that has Hadoop's classes: heddle is told where they are, and Flink's own has them already."""
    client = work.client(kind, flink_home=flink_home)
    # Flink's scripts remember there which gateways run.
    client.variables["FLINK_PID_DIR"] = str(client.directory)
    if client.is_heddle:
        client.configure({"heddle.hadoop.jars": hadoop_directory(work.cluster.hadoop) / "lib"})
    return client


def target(name, **more):
    """Settings of a SQL session: the target, with small containers."""
    small = dict(word.removeprefix("-D").split("=") for word in SMALL)
    return {"execution.target": name, "execution.runtime-mode": "batch"} | (small if name == "yarn-per-job" else {}) | more


def script(work, name, settings, *inserts):
    """A file with a script that makes tables of numbers, and one statement for each table that is filled."""
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    lines = [
        "CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10', 'fields.n.kind' = 'sequence', "
        "'fields.n.start' = '1', 'fields.n.end' = '10');"
    ]
    for table, _ in inserts:
        lines.append(f"CREATE TABLE {table} (n INT, m INT) WITH ('connector' = 'filesystem', 'path' = '{at}/{table}', 'format' = 'csv');")
    lines += [f"SET '{key}' = '{value}';" for key, value in settings.items()]
    lines += [f"INSERT INTO {table} SELECT n, {expression} FROM numbers;" for table, expression in inserts]
    file = work.directory / name
    file.write_text("\n".join([*lines, ""]))
    return file


def rows(work, table):
    return sorted(work.cluster.hdfs.read_all(f"{work.hdfs_dir}/{table}").split(), key=lambda line: int(line.split(",")[0]))


SQUARES, CUBES = ("squares", "n * n"), ("cubes", "n * n * n")


def check_each_its_own(work, result, by):
    """Two statements have had a cluster each. Flink's SQL client ends with 0 also where one has failed."""
    assert "[ERROR]" not in result.text, result
    found = wait_for("two applications", lambda: apps if len(apps := work.cluster.yarn.by_name(work.name)) == 2 else None, 120)
    for app in found:
        check_gone(work.cluster, app["id"], "SUCCEEDED", seconds=SECONDS)
        check_by(work, app["id"], by)
    assert rows(work, "squares") == [f"{n},{n * n}" for n in range(1, 11)], result
    assert rows(work, "cubes") == [f"{n},{n**3}" for n in range(1, 11)], result


def per_job_script(work, **more):
    return script(work, "per-job.sql", target("yarn-per-job", **{"yarn.application.name": work.name} | more), SQUARES, CUBES)


@pytest.mark.reference(extended=True)
@pytest.mark.extended
@pytest.mark.timeout(2 * SECONDS)
def test_a_script_whose_jobs_have_clusters_of_their_own(work, sql_flink):
    """Without the setting, clusters of Flink's own client go on after their jobs for ever: they wait for
    somebody to ask for the result. In the scenarios that heddle has alone, its clusters end without it."""
    client = client_of(work, sql_flink)
    detached = per_job_script(work, **{"execution.attached": "false"})
    result = client.run("sql-client.sh", "-f", detached, seconds=SECONDS).ok()
    check_each_its_own(work, result, client_name(work))


@pytest.mark.heddle_only("2.x has no clusters for one job")
@pytest.mark.extended
def test_such_a_script_with_flink_2(work, newer_sql_flink):
    client = client_of(work, newer_sql_flink)
    result = client.run("sql-client.sh", "-f", per_job_script(work), seconds=SECONDS).ok()
    check_each_its_own(work, result, "heddle")


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
@pytest.mark.parametrize("release", ["usual", "newer"])
def test_flinks_own_sql_client_with_the_agent(work, sql_flink, newer_sql_flink, release):
    """Nothing of heddle's is on the PATH; the agent alone is there."""
    client = client_of(work, sql_flink if release == "usual" else newer_sql_flink, "reference")
    ours = work.client("heddle")
    client.variables["JVM_ARGS"] = java_agent(ours)
    result = client.run("sql-client.sh", "-f", per_job_script(work), seconds=SECONDS).ok()
    check_each_its_own(work, result, "heddle")


@pytest.mark.extended
@pytest.mark.heddle_only("it has no such option")
def test_per_job_by_an_option(work, sql_flink):
    client = client_of(work, sql_flink)
    options = [f"-D{key}={value}" for key, value in target("yarn-per-job", **{"yarn.application.name": work.name}).items()]
    result = client.run("sql-client.sh", "-t", "yarn-per-job", *options, "-f", script(work, "two.sql", {}, SQUARES, CUBES), seconds=SECONDS).ok()
    check_each_its_own(work, result, "heddle")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_script_that_names_its_session(work, sql_flink):
    """It runs on that one, and not on the session that was started last."""
    starter = work.client(flink_home=sql_flink)
    named, last = starter.session("-nm", f"{work.name}-1"), starter.session("-nm", f"{work.name}-2")
    client = client_of(work, sql_flink)
    client.configure({"yarn.properties-file.location": starter.properties})
    settings = target("yarn-session", **{"yarn.application.id": named.application, "table.dml-sync": "true"})
    client.run("sql-client.sh", "-f", script(work, "session.sql", settings, SQUARES), seconds=SECONDS).ok()
    assert rows(work, "squares") == [f"{n},{n * n}" for n in range(1, 11)]
    assert list(Flink(named.url).jobs().values()) == ["FINISHED"]
    assert Flink(last.url).jobs() == {}
    for session in (named, last):
        session.stop().ok()
        check_gone(work.cluster, session.application, "SUCCEEDED")


class Gateway:
    """Flink's SQL gateway in the foreground, and what its REST interface does. Versions of that interface
    differ in how rows are shown."""

    def __init__(self, client, *words):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            self.port = probe.getsockname()[1]
        endpoint = "sql-gateway.endpoint.rest"
        own = [f"-D{endpoint}.address=localhost", f"-D{endpoint}.port={self.port}"]
        self.running = client.start("sql-gateway.sh", "start-foreground", *words, *own)
        wait_for("the gateway", self.answers, 120)

    def base(self, version):
        return f"http://localhost:{self.port}/{version}"

    def answers(self):
        assert self.running.alive, self.running.result()
        with contextlib.suppress(OSError):
            return get_json(f"{self.base('v1')}/info")

    def session(self, properties, version="v1"):
        """The address of a new SQL session with these settings."""
        answer = call(f"{self.base(version)}/sessions", "POST", {"properties": properties})
        return f"{self.base(version)}/sessions/{json.loads(answer)['sessionHandle']}"

    def rows(self, session, statement):
        """All rows that a statement gives."""
        operation = json.loads(call(f"{session}/statements", "POST", {"statement": statement}))["operationHandle"]
        found, token, deadline = [], 0, time.monotonic() + SECONDS
        while True:
            shape = "" if "/v1/" in session else "?rowFormat=JSON"
            try:
                answer = get_json(f"{session}/operations/{operation}/result/{token}{shape}")
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{statement}: {error.read().decode(errors='replace')[-4000:]}") from error
            if answer["resultType"] != "NOT_READY":
                found += [row["fields"] for row in answer["results"]["data"]]
            if answer["resultType"] == "EOS":
                return found
            token = int(re.search(r"/result/(\d+)", answer["nextResultUri"])[1])
            assert time.monotonic() < deadline, f"{statement}: no end of the result"
            time.sleep(0.2)


def sessions_of(work, starter, count):
    return [starter.session("-nm", f"{work.name}-{number}") for number in range(count)]


def end(work, gateway, sessions):
    gateway.running.kill()
    for session in sessions:
        session.stop().ok()
        check_gone(work.cluster, session.application, "SUCCEEDED")


def check_each_where_it_says(gateway, sessions):
    """Each statement runs where its SQL session says, in any order."""
    opened = {
        session.application: gateway.session(target("yarn-session", **{"yarn.application.id": session.application}), version)
        for session, version in zip(sessions, ("v1", "v1", "v2"))
    }
    for application in [*opened, *reversed(opened)]:
        assert gateway.rows(opened[application], COUNT) == [[2]], application
    for session in sessions:
        assert list(Flink(session.url).jobs().values()) == ["FINISHED"] * 2, session.application


def check_a_cluster_of_its_own(work, gateway, by):
    """A SQL session for whose statement a cluster is deployed, which ends with it."""
    name = f"{work.name}-per-job"
    own = gateway.session(target("yarn-per-job", **{"yarn.application.name": name, "execution.attached": "true"}))
    assert gateway.rows(own, COUNT) == [[2]]
    [app] = work.cluster.yarn.by_name(name)
    check_gone(work.cluster, app["id"], "SUCCEEDED", seconds=SECONDS)
    check_by(work, app["id"], by)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("three sessions, and a cluster for one job")
@pytest.mark.timeout(600)
def test_one_gateway_and_three_sessions(work, sql_flink):
    """And, by a fourth SQL session, a cluster for the job of one statement. The gateway knows no session when
    it starts."""
    sessions = sessions_of(work, work.client(flink_home=sql_flink), 3)
    gateway = Gateway(client_of(work, sql_flink))
    if work.kind == "heddle":
        assert "no YARN session is known" in gateway.running.text
    check_each_where_it_says(gateway, sessions)
    check_a_cluster_of_its_own(work, gateway, client_name(work))
    end(work, gateway, sessions)


@pytest.mark.extended
@pytest.mark.heddle_only("2.x has no clusters for one job")
@pytest.mark.timeout(600)
def test_such_a_gateway_with_flink_2(work, newer_sql_flink):
    """Its default is a session, and SQL sessions leave that for another one, or for a cluster of their
    own."""
    default, other = sessions_of(work, work.client(flink_home=newer_sql_flink), 2)
    gateway = Gateway(client_of(work, newer_sql_flink), "-Dexecution.target=yarn-session", f"-Dyarn.application.id={default.application}")
    assert gateway.rows(gateway.session({"execution.runtime-mode": "batch"}, "v3"), COUNT) == [[2]]
    assert gateway.rows(gateway.session(target("yarn-session", **{"yarn.application.id": other.application})), COUNT) == [[2]]
    for session in (default, other):
        assert list(Flink(session.url).jobs().values()) == ["FINISHED"], session.application
    check_a_cluster_of_its_own(work, gateway, "heddle")
    end(work, gateway, [default, other])


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
@pytest.mark.timeout(600)
def test_flinks_own_gateway_with_the_agent(work, sql_flink):
    """The same by Flink's own script."""
    ours = work.client("heddle", flink_home=sql_flink)
    sessions = sessions_of(work, ours, 3)
    client = client_of(work, sql_flink, "reference")
    client.variables["JVM_ARGS"] = java_agent(ours)
    gateway = Gateway(client)
    check_each_where_it_says(gateway, sessions)
    check_a_cluster_of_its_own(work, gateway, "heddle")
    end(work, gateway, sessions)


@pytest.mark.heddle_only("it needs Hadoop's classes for all")
def test_other_targets_without_hadoops_classes_are_refused(work, sql_flink):
    """At once, and with what to do; nothing is started."""
    client = work.client(flink_home=sql_flink)
    per_job = work.directory / "per-job.sql"
    per_job.write_text("SET 'execution.target' = 'yarn-per-job';\nSELECT 1;\n")
    gateway = ["sql-gateway.sh", "start-foreground"]
    for tool, *words in (["sql-client.sh", "-t", "yarn-per-job"], ["sql-client.sh", "-f", per_job], [*gateway, "-Dexecution.target=yarn-per-job"]):
        check_refused(client.run(tool, *words), "needs Hadoop's classes for the target yarn-per-job", "heddle.hadoop.jars", "HADOOP_CLASSPATH")
    check_refused(client.run(*gateway), "no YARN session is known", "heddle.hadoop.jars")

"""SQL scripts as applications before Flink 2.0, where heddle's own program runs them in the JobManager.

Flink 2.x has a program of its own for that: see test_releases.py.
"""

import json
import re

import pytest

from conftest import fetch, fetch_flink
from harness import why
from harness.checks import check_gone, program_jar
from harness.client import SMALL
from harness.jars import job_jar
from harness.matrix import Release, java_for

pytestmark = [
    pytest.mark.heddle_only("Flink's own client runs a script as an application only from 2.0 on"),
    pytest.mark.timeout(600),
]

# The releases in which the Table API and its place in the distribution differ.
FLINKS = [
    pytest.param("1.13.6", marks=[pytest.mark.extended, pytest.mark.xdist_group("flink-1.13.6")]),
    pytest.param("1.17.2", marks=[pytest.mark.extended, pytest.mark.xdist_group("flink-1.17.2")]),
    pytest.param("1.20.5", marks=pytest.mark.xdist_group("flink-1.20.5")),
]
# It is about what works: enough for a machine that does much else.
SECONDS = 240


@pytest.fixture(scope="module", params=FLINKS)
def release(request):
    version = request.param
    home, java = fetch_flink(version), fetch("java", java_for(version))
    return Release(home, java, job_jar(home, version))


@pytest.fixture
def client(work, release):
    return work.client(flink_home=release.home, java_home=release.java)


def target(work, release):
    return [*SMALL, *release.options, f"-Dyarn.application.name={work.name}"]


def table(work, name):
    path = f"{work.cluster.fs}{work.hdfs_dir}/{name}"
    return f"CREATE TABLE {name} (n INT) WITH (\n  'connector' = 'filesystem', 'format' = 'csv', 'path' = '{path}'\n);\n"


def rows(work, name):
    return sorted(map(int, work.cluster.hdfs.read_all(f"{work.hdfs_dir}/{name}").split()))


def script(work, text, name="numbers.sql"):
    file = work.directory / name
    file.write_text(text)
    return file


def test_a_script_with_settings_and_a_statement_set(work, client, release):
    file = script(
        work,
        "-- The mode counts for all statements; a semicolon in a comment ends nothing.\n"
        + table(work, "numbers")
        + "SET 'execution.runtime-mode' = 'batch';\nSET 'parallelism.default' = '1';\nSET 'table.dml-sync' = 'true';\n"
        + "SET 'yarn.application.queue' = 'elsewhere';\n"
        + "INSERT INTO numbers VALUES (1), (2), /* not; yet */ (3);\n"
        + table(work, "doubled")
        + table(work, "tripled")
        + "BEGIN STATEMENT SET;\nINSERT INTO doubled SELECT n * 2 FROM numbers;\nINSERT INTO tripled SELECT n * 3 FROM numbers;\nEND;\n"
        + "SHOW TABLES;\nSELECT COUNT(*) AS number_of_rows FROM doubled\n",
    )
    result = client.flink("run-application", "-t", "yarn-application", *target(work, release), file, seconds=SECONDS).ok()
    assert f"line 8 of {file} sets yarn.application.queue, which has no effect there" in result.err, result
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=SECONDS)
    assert (rows(work, "numbers"), rows(work, "doubled"), rows(work, "tripled")) == ([1, 2, 3], [2, 4, 6], [3, 6, 9])
    out = work.cluster.log_text(result.application, "jobmanager.out")
    assert re.search(r"^line 9: INSERT INTO numbers VALUES \(1\), \(2\), \(3\)$", out, re.MULTILINE), out
    assert re.search(r"\|\s+tripled \|", out) and "number_of_rows" in out and re.search(r"\|\s+3 \|", out), out
    # What stands in quotations may be a password.
    log = work.cluster.log_text(result.application, "jobmanager.log")
    assert "line 2: CREATE TABLE numbers (n INT) WITH ( '...' = '...'" in log, log[-3000:]


def test_a_wrong_statement_is_named(work, client, release):
    file = script(work, table(work, "numbers") + "\n-- There is no such table.\nINSERT INTO nowhere\nSELECT n FROM numbers;\n")
    words = ["run", "-t", "yarn-application", "--attached", *target(work, release), file]
    result = client.flink(*words, seconds=SECONDS)
    named = "line 6, INSERT INTO nowhere SELECT n FROM numbers: "
    assert result.code == 1 and named in result.err, result
    app = check_gone(work.cluster, result.application, "FAILED", seconds=SECONDS)
    assert named in app["diagnostics"] and "nowhere" in app["diagnostics"].partition(named)[2], app["diagnostics"]
    why.check(client, result.application, ["main-fails"], said=named)


@pytest.mark.extended
def test_a_script_on_hdfs_with_two_jars(work, client, release):
    """Without a target, because a script can only be an application."""
    remote = f"{work.hdfs_dir}/scripts/x.sql"
    work.cluster.hdfs.write(
        remote,
        "SET 'execution.runtime-mode' = 'batch';\n"
        + table(work, "numbers")
        + "EXECUTE STATEMENT SET BEGIN\nINSERT INTO numbers VALUES (7);\nEND;",
    )
    jars = [program_jar(release.jobs, work.directory / "jars", name) for name in ("one.jar", "two.jar")]
    words = [*target(work, release), f"-Dpipeline.jars={';'.join(map(str, jars))}", f"{work.cluster.fs}{remote}"]
    result = client.run("heddle", "run", *words, seconds=SECONDS).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=SECONDS)
    assert rows(work, "numbers") == [7]
    log = work.cluster.log_text(result.application, "jobmanager.log")
    assert re.search(r"Classpath:.*\bone\.jar.*\btwo\.jar", log), "the jars are not on the class path"


@pytest.mark.extended
def test_the_sql_client_deploys_a_script(work, client, release):
    file = script(work, table(work, "numbers") + "INSERT INTO numbers VALUES (7);\n")
    words = ["-Dexecution.target=yarn-application", "-Dexecution.runtime-mode=batch", *target(work, release), "-f", file]
    result = client.run("sql-client.sh", *words, seconds=SECONDS).ok()
    assert "Deploy script in application mode:" in result.out, result
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=SECONDS)
    assert rows(work, "numbers") == [7]


@pytest.mark.extended
@pytest.mark.parametrize(
    "text, named",
    [
        ("SELECT 1;\nSELECT 'x;\n", "line 2: the quotation that begins at column 8 has no end"),
        ("CREATE VIEW v AS SELECT 1;\n", "the script starts no job"),
        ("SELECT 1;\nSET 'execution.runtime-mode' = 'batch';\nSELECT 2;", "line 3, SELECT 2: the statements before it"),
    ],
    ids=["quotation", "no-job", "two-modes"],
)
def test_what_a_script_cannot_do_is_said_before_its_first_statement(work, client, release, text, named):
    file = script(work, text)
    words = ["run-application", "--attached", "--output", "json", *target(work, release), file]
    result = client.flink(*words, seconds=SECONDS)
    assert result.code == 1 and named in json.loads(result.out)["error"]["message"], result
    app = check_gone(work.cluster, result.application, "FAILED", seconds=SECONDS)
    assert named in app["diagnostics"], app["diagnostics"]
    assert "line 1: " not in work.cluster.log_text(result.application, "jobmanager.out")


@pytest.mark.extended
def test_a_script_that_is_not_there_is_refused_before_anything_is_uploaded(work, client, release):
    for name, words in (("gone.sql", "cannot read the script"), (f"{work.cluster.fs}/no/such/x.sql", "does not exist")):
        result = client.flink("run-application", *target(work, release), name)
        assert result.code == 1 and words in result.err, result
    assert not work.cluster.yarn.by_name(work.name)

"""The three modes on Flink 2.x, which has no per-job mode of its own and runs applications by `flink run`."""

import re

import pytest

from harness.checks import check_gone
from harness.client import SMALL
from harness.cluster import Flink

pytestmark = pytest.mark.xdist_group("newer-flink")


@pytest.fixture
def newer(work, newer_flink):
    return work.client(flink_home=newer_flink)


@pytest.mark.extended
def test_application(work, newer, newer_jar):
    out = f"{work.cluster.fs}{work.hdfs_dir}/out"
    words = ["run", "-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", "-c", "WordCount", newer_jar, "--output", out]
    result = newer.flink(*words).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    assert work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out")


@pytest.mark.heddle_only("2.x has no per-job mode")
def test_per_job(work, newer, newer_jar):
    result = newer.per_job(work.name, newer_jar, "PrintCollect").ok()
    assert [line for line in result.out.splitlines() if line.startswith("collected:")] == [f"collected: {n * n}" for n in range(1, 6)]
    check_gone(work.cluster, result.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's client does not wait")
def test_main_that_throws(work, newer, newer_jar):
    result = newer.application(work.name, newer_jar, "ThrowInMain", options=["--attached"])
    assert result.code == 1 and "heddle-test: thrown in main" in result.err, result
    app = check_gone(work.cluster, result.application, "FAILED")
    assert "heddle-test: thrown in main" in app["diagnostics"]


def test_session(work, newer, newer_jar):
    session = newer.session("-nm", work.name)
    job = session.run(newer_jar, "Sleepy", "--seconds", "60", options=["-d"]).ok().job
    Flink(session.url).wait_job(job, "RUNNING")
    assert job in newer.flink("list", *session.target()).ok().out
    newer.flink("cancel", *session.target(), job).ok()
    Flink(session.url).wait_job(job, "CANCELED")
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
def test_sql_script_as_an_application(work, newer_sql_flink, newer_jar):
    client = work.client(flink_home=newer_sql_flink)
    script = work.directory / "numbers.sql"
    script.write_text(
        f"""CREATE TABLE numbers (n INT) WITH ('connector' = 'filesystem', 'format' = 'csv', 'path' = '{work.cluster.fs}{work.hdfs_dir}/numbers');
SET 'execution.runtime-mode' = 'batch';
INSERT INTO numbers VALUES (1), (2), (3);
"""
    )
    # A jar of functions, as it were, goes with it.
    words = ["-Dexecution.target=yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", f"-Dpipeline.jars=file://{newer_jar}", "-f", script]
    result = client.run("sql-client.sh", *words).ok()
    assert "Deploy script in application mode:" in result.out, result
    found = re.search(r"^\s*Cluster ID: (application_\d+_\d+)", result.out, re.MULTILINE)
    assert found, result
    check_gone(work.cluster, found[1], "SUCCEEDED", seconds=120)
    assert sorted(work.cluster.hdfs.read_all(f"{work.hdfs_dir}/numbers").split()) == ["1", "2", "3"]

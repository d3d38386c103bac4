"""The Airflow provider in a real Airflow: `airflow dags test` runs a DAG with its retries and triggers, and
heddle deploys on the real cluster. The DAGs are in tests/airflow/dags."""

import os
import re
import signal
import time

import pytest

from harness import processes
from harness.airflow import VERSIONS, Airflow
from harness.checks import check_gone
from harness.cluster import FINISHED, ROOT
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.extended,
    pytest.mark.heddle_only("the operators run heddle's commands"),
    pytest.mark.slow("Airflow takes 20 s to start, and is installed the first time"),
    pytest.mark.timeout(900),
]
# Of no use, and to be seen nowhere.
SECRET = "hush-hush-airflow-secret"


@pytest.fixture(params=VERSIONS)
def airflow(request, work, jar):
    made = Airflow(request.param, work.client(), work.directory)
    made.variables |= {"SCENARIO_JAR": str(jar), "SCENARIO_NAME": work.name, "SCENARIO_SECRET": SECRET}
    made.variables["SCENARIO_OUTPUT"] = f"{work.cluster.fs}{work.hdfs_dir}/counts"
    return made


def started(work, name):
    """The applications that a DAG has started."""
    return work.cluster.yarn.by_name(f"{work.name}-{name}")


DIES_ONCE = """#!/bin/bash
# The real heddle; but the first deployment is killed as soon as YARN has the application.
if [ "$1" != run-application ] || [ -e "{marker}" ]; then exec "{heddle}" "$@"; fi
touch "{marker}"
"{heddle}" "$@" > "{marker}.out" 2> >(tee "{marker}.err" >&2) &
child=$!
until grep -qs "Submitted application" "{marker}.err"; do sleep 0.1; kill -0 $child || exit 99; done
kill -9 $child
wait $child
kill -9 $$
"""


def test_a_retry_goes_on_with_the_application_of_the_first_try(airflow, work):
    """The first try's client is killed after the submission. Exactly one application is in YARN, the words
    are counted once, and the secret is on no command line and in no log."""
    directory = work.directory / "dies-once"
    directory.mkdir()
    wrapper = directory / "heddle"
    wrapper.write_text(DIES_ONCE.format(marker=directory / "marker", heddle=work.clients[0].bin / "heddle"))
    wrapper.chmod(0o755)
    airflow.connect(wrapper)
    running = airflow.start("dags", "test", "waits", "2026-02-01T00:00:00+00:00")
    seen = set()
    while running.alive:
        seen |= {word for process in processes.below(running.process.pid) for word in process.command}
        time.sleep(0.05)
    result = running.result().ok()
    assert (directory / "marker").exists() and "signal 9 has ended it" in result.text, result
    assert "is there already" in result.text, "the second try has found it"
    [app] = started(work, "waits")
    check_gone(work.cluster, app["id"], "SUCCEEDED")
    assert "to,6" in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/counts").splitlines()
    told = airflow.xcoms("waits")
    assert told["count", "return_value"] == told["count", "application"] == app["id"], told
    assert "run-application" in seen and not [word for word in seen if SECRET in word]
    assert SECRET not in result.text
    assert SECRET not in "".join(file.read_text(errors="replace") for file in work.directory.rglob("*.log"))


def test_a_deferred_task_and_a_sensor(airflow, work):
    result = airflow.test("deferred").ok()
    assert "running trigger in line" in result.text, result
    [app] = started(work, "deferred")
    check_gone(work.cluster, app["id"], "SUCCEEDED")
    told = airflow.xcoms("deferred")
    assert told["count", "return_value"] == app["id"] and told["ended", "return_value"] == "succeeded", told
    assert re.fullmatch(r"http://\S+:\d+", told["count", "web_interface"]), told


def test_a_killed_task_leaves_no_application(airflow, work):
    running = airflow.start("dags", "test", "sleeps", "2026-02-01T00:00:00+00:00")
    running.wait_text(r"application_\d+_\d+ is RUNNING", 180)
    os.kill(running.process.pid, signal.SIGTERM)
    [app] = started(work, "sleeps")
    check_gone(work.cluster, app["id"], "KILLED")
    assert running.result().code != 0


def test_a_session_with_a_job(airflow, work):
    airflow.test("session", seconds=400).ok()
    [app] = started(work, "session")
    check_gone(work.cluster, app["id"], "SUCCEEDED")
    told = airflow.xcoms("session")
    assert told["start", "application"] == told["job", "application"] == app["id"], told
    assert told["runs", "return_value"] == "running"
    assert [bool(re.fullmatch("[0-9a-f]{32}", job)) for job in told["job", "jobs"]] == [True], told
    assert told["job", "web_interface"] == told["start", "web_interface"], told


def test_what_a_retry_cannot_mend_is_not_tried_again(airflow, work):
    """There is a retry in the DAG. heddle says that it does not help, and gives its words and hints."""
    result = airflow.test("refused")
    assert result.code != 0 and "AirflowFailException" in result.text, result
    assert "nowhere" in result.text and "up_for_retry" not in result.text.lower(), result
    assert len(re.findall(r"run-application .*nowhere", result.text)) <= 2, "Airflow 2 shows each line twice"
    assert started(work, "refused") == []


def test_a_program_that_fails(airflow, work):
    result = airflow.test("fails")
    assert result.code != 0, result
    [app] = started(work, "fails")
    wait_for("its end", lambda: work.cluster.yarn.app(app["id"])["state"] in FINISHED, 30)
    assert "heddle-test: thrown in main" in result.text and re.search("Airflow(Fail)?Exception", result.text), result


def test_the_dag_of_the_manual_can_be_read(airflow, work):
    """It is for Airflow 3, and says what differs for Airflow 2."""
    page = (ROOT / "docs/tools/airflow.md").read_text()
    [dag] = [block for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if "with DAG(" in block]
    if airflow.version == "2":
        dag = re.sub(r"^.*# Airflow 2: (.*)$", r"\1", dag, flags=re.MULTILINE)
    folder = work.directory / "manual"
    folder.mkdir()
    (folder / "orders.py").write_text(dag)
    here = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}
    listed = airflow.airflow("dags", "list-import-errors", "--output", "json", env=here)
    assert "orders.py" not in listed.text, listed
    assert "count" in airflow.airflow("tasks", "list", "orders", env=here).ok().out.split()


def test_the_provider_is_known(airflow):
    for what, wanted in (("list", "heddle-airflow"), ("hooks", "heddle_airflow.hook.HeddleHook"), ("links", "HeddleWebInterfaceLink")):
        assert wanted in airflow.airflow("providers", what, "--output", "json").ok().out

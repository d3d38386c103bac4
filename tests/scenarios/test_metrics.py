"""Metrics for Prometheus: what heddle-am serves, which reporters of Flink's it names, and `heddle sd`
(docs/metrics.md)."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import processes, prometheus
from harness.checks import Before, check_gone, check_refused
from harness.client import KEPT, LONG
from harness.cluster import ROOT, Flink, get_json
from harness.prometheus import Metrics, address, served_targets, targets
from harness.waiting import wait_for

pytestmark = [pytest.mark.heddle_only("it serves no metrics of its own"), pytest.mark.timeout(600)]

SERVED = "-Dheddle.metrics.port=0"
REPORTER = [
    "-Dmetrics.reporter.prom.factory.class=org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
    "-Dmetrics.reporter.prom.port=19249-19299",
]


def metrics(rest, **more):
    return Metrics(f"{address(rest)}/metrics", **more)


def with_workers(rest, count):
    """The targets, once the JobManager's reporter and those of so many TaskManagers are among them."""

    def now():
        found = served_targets(f"{address(rest)}/sd")
        components = sorted(component for component, _ in found)
        return found if components == ["heddle", "jobmanager", *["taskmanager"] * count] else None

    return wait_for("all targets", now, 60)


def check_reporters(found):
    """Each target answers with metrics of its own component."""
    for (component, container), [place] in found.items():
        names = Metrics(f"http://{place}/metrics").names()
        prefix = {"heddle": "heddle_", "jobmanager": "flink_jobmanager_", "taskmanager": "flink_taskmanager_"}[component]
        assert any(name.startswith(prefix) for name in names), (component, container, place, sorted(names)[:5])


def test_a_session_and_its_reporters(work, client, jar):
    """The counts of a TaskManager, the memory of its JVM, the state of its job, and where Flink's own metrics
    are."""
    session = client.session("-nm", work.name, KEPT, SERVED, *REPORTER)
    rest = Flink(session.url)
    assert re.fullmatch(r"http://[^/:]+:\d+", address(rest))
    session.run(jar, "WordCount", seconds=LONG).ok()
    found = with_workers(rest, 1)
    check_reporters(found)
    assert targets(json.loads(client.run("heddle", "sd", session.application).ok().out)) == found
    [worker] = [container for component, container in found if component == "taskmanager"]
    [jvm] = processes.taskmanager_jvms(work.cluster, session.application)
    assert worker == jvm.container

    wait_for("a memory sample", lambda: metrics(rest).value("heddle_taskmanagers_memory_sampled"), 30)
    read = metrics(rest)
    assert read.content_type.startswith("text/plain; version=0.0.4")
    assert read.value("heddle_application_info", id=session.application, name=work.name, mode="session") == 1
    for name, expected in [
        ("heddle_application_attempt", 1),
        ("heddle_jobmanager_up", 1),
        ("heddle_jobmanager_restarts_total", 0),
        ("heddle_taskmanagers_granted_total", 1),
        ("heddle_taskmanagers_started_total", 1),
        ("heddle_taskmanager_grant_seconds_count", 1),
        ("heddle_taskmanager_start_seconds_count", 1),
        ("heddle_flink_unanswered_total", 0),
    ]:
        assert read.value(name) == expected, (name, read.text)
    assert read.value("heddle_taskmanagers", state="running") == 1
    assert read.value("heddle_taskmanagers_ended_total", cause="signal") == 0
    assert read.value("heddle_jobs", state="FINISHED") == 1
    assert read.value("heddle_taskmanagers_memory_limit_bytes", aggregate="sum") == 1 << 30
    assert 50 << 20 < read.value("heddle_taskmanagers_memory_rss_bytes", aggregate="sum") < 1 << 30
    assert 0 < read.value("heddle_application_master_memory_rss_bytes") < 100 << 20
    assert 0 <= read.value("heddle_resourcemanager_heartbeat_age_seconds") < 60
    assert read.types["heddle_taskmanagers_granted_total"] == "counter"

    openly = metrics(rest, accept=prometheus.OPEN_METRICS)
    assert openly.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert openly.text.endswith("# EOF\n") and openly.types["heddle_taskmanagers_granted"] == "counter"
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{address(rest)}/", timeout=20)
    assert missing.value.code == 404 and b"/metrics" in missing.value.read()
    session.stop().ok()


def test_a_bad_port_is_refused_before_anything_is_uploaded(work, client):
    before = Before(work.cluster)
    for wrong in ("nowhere", "70000", "9800-9700"):
        result = client.run("yarn-session.sh", "-d", "-nm", work.name, f"-Dheddle.metrics.port={wrong}")
        check_refused(result, "heddle.metrics.port", wrong, "is not a port, a range or a list of them")
    before.check_untouched()


@pytest.mark.extended
def test_a_killed_taskmanager_and_a_checkpoint(work, client, jar, hdfs_dir):
    session = client.session("-nm", work.name, KEPT, SERVED)
    rest = Flink(session.url)
    checkpoints = ["--checkpoints", f"{work.cluster.fs}{hdfs_dir}/checkpoints", "--interval", "500"]
    job = session.run(jar, "Counting", *checkpoints, options=["-d"], seconds=LONG).ok().job
    age = lambda: metrics(rest).value("heddle_job_last_checkpoint_age_seconds", job_id=job)
    wait_for("a checkpoint in the metrics", lambda: age() is not None, 60)
    read = metrics(rest)
    assert age() < 60 and read.value("heddle_job_state", job_id=job, state="RUNNING") == 1
    assert read.value("heddle_job_checkpoints", job_id=job, result="completed") > 0

    [jvm] = processes.taskmanager_jvms(work.cluster, session.application)
    os.kill(jvm.pid, signal.SIGKILL)
    ended = lambda: metrics(rest).value("heddle_taskmanagers_ended_total", cause="signal")
    wait_for("the end in the metrics", lambda: ended() == 1, 60)
    # Flink asks for another one.
    wait_for("another TaskManager", lambda: metrics(rest).value("heddle_taskmanagers_started_total") == 2, 60)
    # Without reporters of Flink's, heddle-am itself is the only target.
    assert [component for component, _ in served_targets(f"{address(rest)}/sd")] == ["heddle"]
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.parametrize("mode", ["per-job", "application"])
def test_other_modes(work, client, jar, mode):
    options = [SERVED, *REPORTER]
    deploy = client.per_job if mode == "per-job" else client.application
    result = deploy(work.name, jar, "Counting", options=["-d", *options], seconds=LONG).ok()
    application = result.application
    rest = Flink(result.rest)
    found = with_workers(rest, 1)
    check_reporters(found)
    assert metrics(rest).value("heddle_application_info", id=application, mode=mode) == 1
    client.run("heddle", "kill", application).ok()
    check_gone(work.cluster, application, "KILLED", files=False)


@pytest.mark.extended
def test_heddle_sd(work, client, jar, tmp_path):
    """Once, as a file and as a server: two applications, of which one serves metrics and ends."""
    session = client.session("-nm", work.name, KEPT, SERVED)
    silent = client.session("-nm", f"{work.name}-2", KEPT)
    application = session.application
    own = address(Flink(session.url)).removeprefix("http://")

    def mine(groups):
        return {place for group in groups for place in group["targets"] if group["labels"]["application"] == application}

    once = client.run("heddle", "sd").ok()
    assert mine(json.loads(once.out)) == {own} and silent.application not in once.out
    assert mine(json.loads(client.run("heddle", "sd", "--output", "json").ok().out)) == {own}
    assert json.loads(client.run("heddle", "sd", silent.application).ok().out) == []

    file = tmp_path / "heddle.json"
    client.run("heddle", "sd", "--file", str(file)).ok()
    assert mine(json.loads(file.read_text())) == {own} and file.stat().st_mode & 0o777 == 0o644
    keeping = client.start("heddle", "sd", "--file", str(file), "--interval", "1s")
    serving = client.start("heddle", "sd", "--listen", "127.0.0.1:0", "--interval", "1s", application)
    url = serving.wait_text(r"targets for Prometheus: (http://127\.0\.0\.1:\d+/sd)")[1]
    [group] = get_json(url)
    assert group["targets"] == [own] and set(targets([group])) == {("heddle", group["labels"]["container"])}

    session.stop().ok()
    check_gone(work.cluster, application, "SUCCEEDED")
    wait_for("no target of an ended application", lambda: get_json(url) == [], 60)
    wait_for("the same in the file", lambda: mine(json.loads(file.read_text())) == set(), 60)
    for running in (keeping, serving):
        assert running.alive
        running.interrupt()
    silent.stop().ok()


@pytest.mark.extended
def test_a_port_that_is_taken(work, client):
    """The next one of the range is taken, and without one the application says why it ends."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        session = client.session("-nm", work.name, f"-Dheddle.metrics.port={port},0")
        used = int(address(Flink(session.url)).rpartition(":")[2])
        assert used != port and metrics(Flink(session.url)).value("heddle_scrapes_total") == 1
        session.stop().ok()
        refused = client.run("yarn-session.sh", "-d", "-nm", f"{work.name}-2", "-jm", "1024", "-tm", "1024", f"-Dheddle.metrics.port={port}")
        assert refused.code == 1 and f"heddle.metrics.port: cannot listen on any port of {port}" in refused.text, refused


@pytest.mark.extended
def test_nothing_is_served_unless_it_is_wanted(work, client):
    session = client.session("-nm", work.name, *REPORTER)
    assert address(Flink(session.url)) is None
    session.stop().ok()


# What the dashboard shows only of a fault, or of calls that have failed.
MAY_BE_EMPTY = ("heddle_taskmanagers_longest_wait_seconds",)


def panels():
    """Title and question of each of the dashboard's, with the values of its variables put in."""
    dashboard = json.loads((ROOT / "conf/grafana/heddle.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$application", ".*").replace("$__rate_interval", "30s")


@pytest.mark.extended
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus on this machine: apt-get install prometheus")
@pytest.mark.slow("Prometheus reads several times before it can tell rates")
def test_the_dashboard_on_a_real_prometheus(work, client, jar, hdfs_dir, tmp_path):
    """Prometheus finds all targets by `heddle sd`, takes what they tell, and has an answer to each question
    of the dashboard."""
    session = client.session("-nm", work.name, KEPT, SERVED, *REPORTER)
    checkpoints = ["--checkpoints", f"{work.cluster.fs}{hdfs_dir}/checkpoints", "--interval", "500"]
    session.run(jar, "Counting", *checkpoints, options=["-d"], seconds=LONG).ok()
    with_workers(Flink(session.url), 1)
    serving = client.start("heddle", "sd", "--listen", "127.0.0.1:0", "--interval", "1s", session.application)
    url = serving.wait_text(r"targets for Prometheus: (http://127\.0\.0\.1:\d+/sd)")[1]
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s"},
        "scrape_configs": [{"job_name": "flink", "http_sd_configs": [{"url": url, "refresh_interval": "2s"}]}],
    }
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps(settings))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={own}"]
    with (tmp_path / "prometheus.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            def reads():
                # It takes a moment until it answers.
                with contextlib.suppress(OSError):
                    return get_json(f"http://{own}/api/v1/targets?state=active")["data"]["activeTargets"]
                return []

            def well():
                found = reads()
                return found if len(found) == 3 and all(target["health"] == "up" for target in found) else None

            wait_for("Prometheus reads the three targets", well, 60)

            def empty():
                without = []
                for title, question in panels():
                    told = get_json(f"http://{own}/api/v1/query?{urllib.parse.urlencode({'query': question})}")
                    assert told["status"] == "success", (title, question, told)
                    if not told["data"]["result"] and not question.startswith(MAY_BE_EMPTY):
                        without.append((title, question))
                return without

            with contextlib.suppress(AssertionError):
                wait_for("an answer to each question of the dashboard", lambda: not empty(), 90, every=3)
            # Once more, because this tells what is without an answer.
            assert not empty()
            assert all(target["labels"]["application"] == session.application for target in reads())
        finally:
            running.terminate()
    serving.interrupt()
    session.stop().ok()

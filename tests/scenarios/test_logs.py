"""`heddle logs`: live from the NodeManagers, afterwards from the files in which YARN has collected them.

The applications are those of both clients; the command is always heddle's. What it shows is compared with the
files on the nodes.
"""

import json
import re

import pytest

from conftest import cluster_of
from harness.client import KEPT, LONG
from harness.cluster import FINISHED
from harness.collected import IFILE, TFILE, settings as collecting_settings, wait_collected

pytestmark = pytest.mark.timeout(600)

# The line in front of a log file.
HEADING = re.compile(r"^==> (\S+) of (JobManager|TaskManager(?: \d+)?) \((container_\S+)(?: on (\S+))?\), (from|collected in) .* <==$", re.MULTILINE)


def catalog(heddle, *words):
    return json.loads(heddle.run("heddle", "logs", *words, "--output", "json").ok().out)


def shown(heddle, *words):
    """(container, file) -> its lines."""
    out = heddle.run("heddle", "logs", *words).ok().out
    parts = HEADING.split(out)
    assert parts[0] == "", parts[0]
    found = {}
    for name, _, container, _, _, text in zip(*(parts[n::6] for n in range(1, 7))):
        found[container, name] = text.strip("\n").splitlines()
    return found


def on_node(cluster, container, name):
    return cluster.log_text(container, name).splitlines()


def begins_as(lines, file):
    """A file that is still written may have grown after it was shown."""
    return lines and lines == file[: len(lines)]


@pytest.mark.reference(extended=True)
def test_a_running_session_and_one_that_has_left_no_logs(work, client, jar):
    """Of containers that run, without any setting; when nothing was collected, it is said why."""
    cluster, heddle = work.cluster, work.client("heddle")
    session = client.session("-nm", work.name, KEPT)
    session.run(jar, "WordCount", seconds=LONG).ok()
    application = session.application
    master, worker = (c["id"] for c in cluster.yarn.containers(application))

    listed = catalog(heddle, application)
    assert (listed["application"], listed["state"], listed["missing"]) == (application, "RUNNING", [])
    assert [(c["container"], c["role"], c["number"], c["attempt"]) for c in listed["containers"]] == [
        (master, "jobmanager", None, 1),
        (worker, "taskmanager", 1, 1),
    ]
    for container, role in zip(listed["containers"], ("jobmanager", "taskmanager")):
        files = {log["file"] for log in container["logs"]}
        assert f"{role}.log" in files and "launch_container.sh" not in files
        assert {log["source"] for log in container["logs"]} == {"nodemanager"}
    table = heddle.run("heddle", "logs", "--list", application).ok().out
    assert re.search(rf"{worker} +TaskManager 1 .* taskmanager.log ", table), table

    everything = shown(heddle, application)
    assert begins_as(everything[master, "jobmanager.log"], on_node(cluster, master, "jobmanager.log"))
    assert begins_as(everything[worker, "taskmanager.log"], on_node(cluster, worker, "taskmanager.log"))
    assert set(shown(heddle, "--tm", "1", "--file", "taskm*r.log", application)) == {(worker, "taskmanager.log")}
    assert set(shown(heddle, "--container", worker, "--file", "taskmanager.log")) == {(worker, "taskmanager.log")}
    script = shown(heddle, "--jobmanager", "--file", "launch_container.sh", application)
    assert script[master, "launch_container.sh"][0] == "#!/bin/bash"

    file = on_node(cluster, worker, "taskmanager.log")
    [tail] = shown(heddle, "--tm", "1", "--file", "taskmanager.log", "--tail", "3", application).values()
    assert len(tail) == 3 and tail[0] in file
    [found] = shown(heddle, "--tm", "1", "--file", "taskmanager.log", "--grep", "INFO .*Task", application).values()
    assert found and all(re.search("INFO .*Task", line) for line in found)
    assert set(found) <= set(on_node(cluster, worker, "taskmanager.log"))
    [recent] = shown(heddle, "--jobmanager", "--file", "jobmanager.log", "--since", "1h", application).values()
    assert begins_as(recent, on_node(cluster, master, "jobmanager.log"))

    unknown = f"{worker[:-6]}999999"
    refused = heddle.run("heddle", "logs", "--container", unknown)
    assert refused.code == 1 and f"there are no logs of {unknown}" in refused.error_lines()[0], refused
    assert "no NodeManager that runs has it" in refused.err
    refused = heddle.run("heddle", "logs", "--tm", "7", application)
    assert refused.code == 1 and "only containers that run" in refused.err, refused
    assert any("heddle logs --list" in hint for hint in refused.hints()), refused

    session.stop().ok()
    cluster.yarn.wait_state(application, *FINISHED)
    gone = heddle.run("heddle", "logs", application)
    assert gone.code == 1 and "does not collect logs (yarn.log-aggregation-enable" in gone.error_lines()[0], gone
    assert any("yarn.nodemanager.log-dirs" in hint for hint in gone.hints()), gone
    never = heddle.run("heddle", "logs", f"{application[:-4]}9998")
    assert never.code == 1 and "does not know" in never.error_lines()[0], never
    assert any("--owner" in hint for hint in never.hints()), never


@pytest.mark.heddle_only("its command for that is Hadoop's")
def test_new_lines_until_the_end(work, client, jar):
    session = client.session("-nm", work.name, KEPT)
    following = client.start("heddle", "logs", "-f", "--file", "*manager.log", session.application)
    following.wait_text(r"^==> jobmanager\.log of JobManager")
    session.run(jar, "WordCount", seconds=LONG).ok()
    # The container was not there when the command began.
    following.wait_text(r"^==> taskmanager\.log of TaskManager 1", 30)
    following.wait_text(r"Received JobGraph submission", 30)
    session.stop().ok()
    result = following.result(60).ok()
    assert f"note: the application {session.application} has ended: it is FINISHED" in result.err
    lines = [line for line in result.out.splitlines() if "Received JobGraph submission" in line]
    assert len(lines) == len(set(lines)) == 1, lines


@pytest.mark.extended
@pytest.mark.heddle_only("its command for that is Hadoop's")
def test_a_container_that_has_ended_while_the_application_runs(work, client, jar):
    """The ResourceManager does not tell any more where it was."""
    session = client.session("-nm", work.name)
    job = session.start(jar, "WordCount")
    [worker] = (c["id"] for c in work.cluster.yarn.wait_workers(session.application, 1))
    job.result(LONG).ok()
    work.cluster.yarn.wait_workers(session.application, 0)
    file = on_node(work.cluster, worker, "taskmanager.log")
    assert shown(client, "--container", worker, "--file", "taskmanager.log") == {(worker, "taskmanager.log"): file}
    session.stop().ok()


@pytest.fixture(params=["tfile-none", "tfile-gz", "ifile-none", "ifile-gz"])
def collecting(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster that collects logs in one of the formats."""
    settings = collecting_settings(*request.param.split("-"))
    yield from cluster_of(request, cluster, f"logs-{request.param}", tmp_path, flink_home, client_kind, log_aggregation=True, set=settings)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("logs-cluster")
def test_collected_logs(collecting, jar):
    """They are what the NodeManagers had, as far as that was seen."""
    cluster, client, heddle = collecting.cluster, collecting.client(), collecting.client("heddle")
    session = client.session("-nm", collecting.name, KEPT)
    session.run(jar, "WordCount", seconds=LONG).ok()
    application = session.application
    live = shown(heddle, application)
    assert any(name == "taskmanager.log" for _, name in live)
    session.stop().ok()
    cluster.yarn.wait_state(application, *FINISHED)

    told = wait_collected(heddle, application)
    assert told["state"] == "FINISHED"
    assert {log["source"] for c in told["containers"] for log in c["logs"]} == {"aggregated"}
    collected = shown(heddle, application)
    for place, lines in live.items():
        assert begins_as(lines, collected[place]), place
    [master] = shown(heddle, "--jobmanager", "--file", "jobmanager.log", application)
    whole = collected[master]
    [tail] = shown(heddle, "--jobmanager", "--file", "jobmanager.log", "--tail", "5", application).values()
    assert tail == whole[-5:]
    [found] = shown(heddle, "--jobmanager", "--file", "jobmanager.log", "--grep", "WARN|ERROR|shut", application).values()
    assert found == [line for line in whole if re.search("WARN|ERROR|shut", line)]
    ended = heddle.run("heddle", "logs", "-f", "--jobmanager", "--file", "jobmanager.log", application).ok()
    assert "the application is FINISHED, so nothing more is written" in ended.err


@pytest.mark.extended
@pytest.mark.heddle_only("its command for that is Hadoop's")
@pytest.mark.slow("a cluster of its own")
@pytest.mark.xdist_group("logs-cluster")
def test_both_formats_one_after_the_other(request, cluster, tmp_path, flink_home, client_kind, jar):
    """As on a cluster whose administrator changes the format: the older files are found, whichever comes
    first."""
    settings = {
        "yarn.log-aggregation.file-formats": "IFile,TFile",
        "yarn.log-aggregation.file-controller.IFile.class": IFILE,
        "yarn.log-aggregation.file-controller.TFile.class": TFILE,
        "yarn.log-aggregation.IFile.remote-app-log-dir": "/tmp/indexed",
    }
    for work in cluster_of(request, cluster, "logs-both", tmp_path, flink_home, client_kind, log_aggregation=True, set=settings):
        client = work.client()
        done = client.application(work.name, jar, "WordCount", options=["--attached"], seconds=LONG).ok()
        told = wait_collected(client, done.application)
        assert all("/tmp/indexed/" in log["place"] for c in told["containers"] for log in c["logs"]), told
        # Its configuration says nothing of that directory.
        other = client.run("heddle", "logs", done.application, "-Dflink.yarn.log-aggregation.IFile.remote-app-log-dir=/tmp/logs")
        assert other.code == 1 and "nothing was found in" in other.err, other

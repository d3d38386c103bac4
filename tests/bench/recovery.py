"""How soon a job has a new checkpoint after its JobManager or its ApplicationMaster was killed: both clients
in turns."""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from harness import availability
from harness.availability import Application, counting_session
from harness.client import Client
from harness.cluster import ROOT, Cluster
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.sections import TITLES

from .common import say, spread

CLUSTER = "bench-recovery"
SECTION = "recovery"
# YARN counts what has failed within ten seconds.
PAUSE = 15
KILLS = {"JobManager killed": Application.job_manager, "ApplicationMaster killed": Application.master}


def deploy(kind, cluster, directory, flink_home):
    """A highly available session with one job on two TaskManagers."""
    client = Client(kind, cluster, directory / kind, ROOT, flink_home)
    names = {"name": f"recovery-{kind}", "hdfs_dir": f"/recovery/{kind}"}
    work = SimpleNamespace(cluster=cluster, client=lambda: client, **names)
    _, app = counting_session(work, job_jar(flink_home, USUAL_FLINK), *availability.options(work, USUAL_FLINK))
    return app


def kill(app, what):
    """Seconds until there is a new checkpoint, and whether attempt and TaskManagers are those of before."""
    before = app.settle(2)
    newest = app.kill(KILLS[what](app))
    seconds = app.recovered(newest)
    after = app.settle(2)
    time.sleep(PAUSE)
    return {"seconds": seconds, "sameAttempt": after.attempt == before.attempt, "sameTaskManagers": after.workers == before.workers}


def run(runs, flink_home):
    """What was killed -> client -> figures of each run."""
    found = {what: {"heddle": [], "reference": []} for what in KILLS}
    cluster = Cluster(CLUSTER).up(zookeeper=True, recovery=True)
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-bench-") as made:
            apps = {kind: deploy(kind, cluster, Path(made), flink_home) for kind in ("heddle", "reference")}
            for number in range(runs):
                for what in KILLS:
                    for kind, app in apps.items():
                        # Of Flink's own client both are one process.
                        if kind == "reference" and what != "JobManager killed":
                            continue
                        figures = kill(app, what)
                        found[what][kind].append(figures)
                        say(f"round {number + 1} of {runs}, {kind}, {what}: {figures}")
    finally:
        cluster.down()
    found["ApplicationMaster killed"]["reference"] = found["JobManager killed"]["reference"]
    return found


def rows(found):
    """Of a table: heading, then a row for each fault and client."""
    lines = [["Fault", "Client", "Median", "From", "To", "Runs", "Same attempt", "Same TaskManagers"]]
    for what, by_client in found.items():
        for kind, runs in by_client.items():
            figures = spread([run["seconds"] for run in runs])
            same = [f"{sum(run[key] for run in runs)} of {len(runs)}" for key in ("sameAttempt", "sameTaskManagers")]
            lines.append([what, TITLES[kind], *figures, str(len(runs)), *same])
    return lines

"""What is measured: each visit does one thing with one client, and returns a dict of figures for each of its
cases.

`wall` is what a case is about, in seconds; `cpu` and `peak` are those of the command with all its children;
sizes are bytes.
"""

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.client import SMALL, Client
from harness.cluster import FINISHED, ROOT
from harness.waiting import wait_for

from .common import Master, say

NAME = "bench"
STORE = "/tmp/bench-store"
PROVIDED = "/tmp/bench-flink"
# The ApplicationMaster believes the nodes' own configuration, which has it so; the test cluster's containers
# do not get to see it.
NO_VMEM_CHECK = "-Dflink.yarn.nodemanager.vmem-check-enabled=false"
# For the class data archives of a cluster to be made: classes are recorded for a quarter of a minute, then
# one JVM after the other runs.
ARCHIVES = 180
# Before the first round; a NodeManager fetches an archive when it first starts a container with it.
WARM_ROUNDS = 4
# Of the reference, beside what only heddle has.
TUNED = "reference-tuned"


@dataclass
class Case:
    title: str
    # What `wall` is.
    measured: str
    # The targets against the reference as it comes, and tuned: so many times as fast.
    targets: dict = field(default_factory=dict)


CASES = {
    "session-first": Case("session ready, first deployment ever", "command to its return", {"reference": 2.5}),
    "session-warm": Case("session ready, files and nodes warm", "command to its return", {"reference": 5, TUNED: 2.5}),
    "list": Case("`flink list`", "command to its return"),
    "run-cold": Case("`flink run`, cold TaskManagers", "command to first record", {"reference": 2.5, TUNED: 2.5}),
    "run-warm": Case("`flink run`, warm TaskManagers", "command to job end", {"reference": 3.5, TUNED: 3.5}),
    "per-job": Case("per-job, warm", "command to job result", {"reference": 3, TUNED: 2.5}),
    "application": Case("application mode, warm", "command to first record", {"reference": 3, TUNED: 2.2}),
}


@dataclass
class MeasuredClient:
    title: str
    kind: str
    options: list = field(default_factory=list)
    # Whether it uploads what it needs, so that a first deployment can be had.
    uploads: bool = True
    # Whether a node keeps for the next application what it fetched for one.
    keeps: bool = True


def clients(fs):
    store = f"-Dheddle.store.dir={fs}{STORE}"
    return {
        "heddle": MeasuredClient("heddle", "heddle", [store, NO_VMEM_CHECK]),
        "heddle-plain": MeasuredClient("heddle, accelerators off", "heddle", [f"{store}-plain", "-Dheddle.fast-start=false"]),
        "reference": MeasuredClient("Flink's client", "reference", keeps=False),
        TUNED: MeasuredClient("Flink's client, tuned", "reference", [f"-Dyarn.provided.lib.dirs={fs}{PROVIDED}/lib;{fs}{PROVIDED}/plugins"], uploads=False),
    }


def provide(cluster, flink_home):
    """Flink's libraries in HDFS, as whoever tunes Flink's client has them."""
    for part in ("lib", "plugins"):
        root = Path(flink_home) / part
        for directory, _, files in os.walk(root, followlinks=True):
            for name in files:
                file = Path(directory) / name
                cluster.hdfs.write(f"{PROVIDED}/{part}/{file.relative_to(root)}", file.read_bytes())


def localized(cluster):
    """Files that the NodeManagers have fetched: path -> bytes."""
    found = {}
    for cache in (*cluster.directory.glob("nodemanager*/local/filecache"), *cluster.directory.glob("nodemanager*/local/usercache/*")):
        for directory, _, files in os.walk(cache):
            if "filecache" in directory:
                for name in files:
                    if not name.endswith(".crc"):
                        with contextlib.suppress(OSError):  # removed meanwhile
                            found[f"{directory}/{name}"] = os.stat(f"{directory}/{name}").st_size
    return found


def stored(cluster):
    """What is in HDFS: (path, time) -> bytes."""
    trees = cluster.hdfs.tree(cluster.hdfs.home) | cluster.hdfs.tree("/tmp")
    return {(path, modified): length for path, (length, modified) in trees.items()}


def added(before, after):
    return sum(size for key, size in after.items() if key not in before)


class Visits:
    """One client on one cluster."""

    def __init__(self, measured, cluster, directory, flink_home, jar):
        self.measured, self.cluster, self.directory, self.flink_home, self.jar = measured, cluster, directory, flink_home, jar
        self.client = self.new_client("client")
        self.number = 0

    def new_client(self, name):
        return Client(self.measured.kind, self.cluster, self.directory / name, ROOT, self.flink_home)

    def marker(self):
        self.number += 1
        return self.directory / f"marker-{self.number}"

    def deploy(self, client, options):
        """The session is ready when the detached client returns. It is left running."""
        files, fetched = stored(self.cluster), localized(self.cluster)
        result = client.run("yarn-session.sh", "-d", "-nm", NAME, *SMALL, *options).ok()
        figures = measured(result) | {"uploaded": added(files, stored(self.cluster)), "localized": added(fetched, localized(self.cluster))}
        memory = Master(self.cluster, result.application).memory()
        return result, figures | {f"{name}Memory": sizes["now"] for name, sizes in memory.items()}

    def finish(self, application):
        self.cluster.yarn.wait_state(application, *FINISHED)
        wait_for("its containers gone", lambda: not self.cluster.yarn.containers(application), 60)
        time.sleep(1)  # for the NodeManagers to clean up, so that it is not in the next one's time

    def end(self, application):
        self.client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
        self.finish(application)

    def first(self):
        """Nothing remembered by the client, nothing in a store, so nothing of it on a node either."""
        self.number += 1
        client = self.new_client(f"first-{self.number}")
        store = f"{STORE}-first-{os.getpid()}-{self.number}"
        options = [f"-Dheddle.store.dir={self.cluster.fs}{store}"] if client.is_heddle else []
        more = [option for option in self.measured.options if "store.dir" not in option]
        result, figures = self.deploy(client, [*options, *more])
        self.end(result.application)
        self.cluster.hdfs.delete(store)
        return {"session-first": figures}

    def session(self):
        """A session, and what one does with it."""
        result, figures = self.deploy(self.client, self.measured.options)
        target = ["-t", "yarn-session", f"-Dyarn.application.id={result.application}"]
        found = {"session-warm": figures}
        found["list"] = measured(self.client.flink("list", *target).ok())
        fetched = localized(self.cluster)
        marker, begin = self.marker(), time.time()
        run = self.client.flink("run", *target, "-c", "FirstRecord", self.jar, "--marker", marker).ok()
        found["run-cold"] = measured(run) | {"wall": first_record(marker) - begin, "jobEnd": run.seconds}
        found["run-cold"]["localized"] = added(fetched, localized(self.cluster))
        marker, begin = self.marker(), time.time()
        run = self.client.flink("run", *target, "-c", "FirstRecord", self.jar, "--marker", marker).ok()
        found["run-warm"] = measured(run) | {"firstRecord": first_record(marker) - begin}
        self.end(result.application)
        return found

    def per_job(self):
        marker, begin = self.marker(), time.time()
        result = self.client.per_job(NAME, self.jar, "FirstRecord", "--marker", marker, options=self.measured.options).ok()
        figures = measured(result) | {"firstRecord": first_record(marker) - begin}
        self.finish(result.application)
        return {"per-job": figures}

    def application(self):
        files = stored(self.cluster)
        marker, begin = self.marker(), time.time()
        result = self.client.application(NAME, self.jar, "FirstRecord", "--marker", marker, options=self.measured.options).ok()
        uploaded = added(files, stored(self.cluster))
        figures = measured(result) | {"returned": result.seconds, "wall": first_record(marker) - begin, "uploaded": uploaded}
        self.finish(result.application)
        return {"application": figures}

    def warm_up(self):
        """One session with a job; where nodes keep what they fetch, as many more as it takes until each has
        had an ApplicationMaster."""
        hosts, wanted = set(), len(self.cluster.yarn.nms) if self.measured.keeps else 1
        for number in range(10):
            result, _ = self.deploy(self.client, self.measured.options)
            hosts.add(self.cluster.yarn.app(result.application)["amHostHttpAddress"])
            if number == 0:
                target = ["-t", "yarn-session", f"-Dyarn.application.id={result.application}"]
                self.client.flink("run", *target, "-c", "FirstRecord", self.jar, "--marker", self.marker()).ok()
            self.end(result.application)
            if len(hosts) >= wanted:
                break
        else:
            say(f"all ApplicationMasters of 10 sessions ran on {', '.join(hosts)}: another node may still be cold")
        if NO_VMEM_CHECK in self.measured.options:
            self.make_archives()

    def make_archives(self):
        """What a cluster that is used has: the archives of each mode, made while a first job runs."""
        options, long = self.measured.options, ("--seconds", "600")
        result, _ = self.deploy(self.client, options)
        target = ["-t", "yarn-session", f"-Dyarn.application.id={result.application}"]
        self.client.flink("run", *target, "-d", "-c", "Sleepy", self.jar, *long).ok()
        self.wait_archives(result.application)
        self.end(result.application)
        result = self.client.application(NAME, self.jar, "Sleepy", *long, options=options).ok()
        self.wait_archives(result.application)
        self.kill(result.application)
        result = self.client.per_job(NAME, self.jar, "Sleepy", *long, options=["-d", *options]).ok()
        self.wait_archives(result.application)
        self.kill(result.application)
        for _ in range(WARM_ROUNDS):  # until the nodes have fetched them
            found = self.session() | self.per_job() | self.application()
            if not found["session-warm"]["localized"] and not found["run-cold"]["localized"]:
                break

    def kill(self, application):
        self.cluster.yarn.kill(application)
        self.finish(application)

    def wait_archives(self, application):
        """Of JobManager and TaskManager: made, there already, or not to be had."""
        def told():
            return re.findall(r"made in|by now|uses a class data archive|no class data archive", self.cluster.log_text(application, "heddle-am.log"))

        wait_for("the class data archive of the JobManager", told, ARCHIVES)
        if "made in" in told():
            with contextlib.suppress(AssertionError):  # the TaskManagers' is there already
                wait_for("that of the TaskManager", lambda: len(told()) > 1, 60)

    def steps(self):
        """Where the time of a warm session and of an application goes, as heddle tells it; empty where it
        cannot."""
        if not self.client.is_heddle or "--timing" not in self.client.run("yarn-session.sh", "--help").out:
            return {}
        told = ["--timing", "--output", "json"]
        session = self.client.run("yarn-session.sh", "-d", "-nm", NAME, *SMALL, *self.measured.options, *told).ok()
        found = {"session-warm": timing(session)}
        self.end(session.application)
        run = self.client.application(NAME, self.jar, "FirstRecord", "--marker", self.marker(), options=[*self.measured.options, *told]).ok()
        found["application"] = timing(run)
        self.finish(run.application)
        return found


# In the order in which a round has them.
VISITS = {
    "first": (Visits.first, ["session-first"]),
    "session": (Visits.session, ["session-warm", "list", "run-cold", "run-warm"]),
    "per-job": (Visits.per_job, ["per-job"]),
    "application": (Visits.application, ["application"]),
}


def measured(result):
    result.ok()
    return {"wall": result.seconds, "cpu": result.cpu, "peak": result.peak}


def first_record(marker):
    """Seconds since 1970."""
    return int(wait_for("the first record", lambda: marker.exists() and marker.read_text(), 60, every=0.05)) / 1000


def timing(result):
    """Of `--timing --output json`: the last line of stdout."""
    return json.loads(result.out.strip().splitlines()[-1]).get("timing")

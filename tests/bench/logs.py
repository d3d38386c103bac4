"""`heddle logs` beside Hadoop's `yarn logs`, of logs that YARN has collected: both in turns, and both throw
away what they print.

An application writes so many MiB into a file in the log directory of its TaskManager, ends, and its
NodeManagers collect the logs. A second application writes a tenth of that: what a command needs of memory
must not grow with the logs.
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from harness.client import Client
from harness.cluster import ROOT, Cluster
from harness.collected import FORMATS, settings, wait_collected
from harness.hadoop.environment import hadoop_directory
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.processes import TreeWatch
from harness.waiting import wait_for

from .common import say

SECTION = "logs"
CLUSTER = "bench-logs"
# What the job WritesLog writes: the file, and what each of its lines has.
FILE, MARK = "words.log", b" Source: words -> Map "
# So many times as fast, with all of the logs.
TARGET = 10
TITLES = {"heddle": "`heddle logs`", "hadoop": "`yarn logs`"}
FORMAT_TITLES = {"tfile": "TFile", "ifile": "IndexedFile"}
# Of one command; the first ones of Hadoop's client on a busy machine take long.
PATIENCE = 300


class Reader:
    """One of the two commands, on one cluster."""

    def __init__(self, kind, client):
        self.kind, self.client, self.cluster = kind, client, client.cluster

    def command(self, application):
        if self.kind == "heddle":
            return [str(self.client.bin / "heddle"), "logs", application]
        # What `yarn logs` starts once its scripts have found the class path; these are not counted.
        environment = self.cluster.environment()
        classpath = f"{self.cluster.conf}:{hadoop_directory(self.cluster.hadoop)}/lib/*"
        java = [f"{environment['JAVA_HOME']}/bin/java", *self.cluster.java_options(), "-cp", classpath]
        return [*java, "org.apache.hadoop.yarn.client.cli.LogsCLI", "-applicationId", application]

    def run(self, application, out):
        """The figures of one run, whose stdout is the open file `out`."""
        variables = self.client.environment() if self.kind == "heddle" else self.cluster.environment()
        with tempfile.TemporaryFile() as said:
            begin = time.monotonic()
            process = subprocess.Popen(
                self.command(application), env=variables, cwd=self.client.directory,
                stdin=subprocess.DEVNULL, stdout=out, stderr=said,
            )  # fmt: skip
            watch = TreeWatch(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.finish()
            said.seek(0)
            told = said.read().decode(errors="replace")
        assert process.returncode == 0, f"{TITLES[self.kind]} ended with {process.returncode}: {told[-2000:]}"
        # The most that the kernel tells of the command (ru_maxrss) is at least what this process had when it
        # started the command. What was seen in /proc is the command's own.
        return {"wall": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": watch.peak}

    def check(self, application, size):
        """It prints all `size` bytes that were written. After this run the machine has everything in its
        caches."""
        with tempfile.TemporaryFile() as out:
            self.run(application, out)
            out.seek(0)
            found = sum(len(line) for line in out if MARK in line)
        assert found == size, f"{TITLES[self.kind]} prints {found} of {size} bytes"


def write(client, jar, megabytes):
    """An application that has written so much and ended; its id and the size of the file, once its logs are
    collected."""
    name = f"bench-logs-{megabytes}"
    done = client.application(name, jar, "WritesLog", "--mb", megabytes, options=["--attached"], seconds=PATIENCE).ok()
    client.cluster.yarn.wait_state(done.application, "FINISHED")

    def now():
        told = wait_collected(client, done.application)
        return [log for container in told["containers"] for log in container["logs"] if log["file"] == FILE]

    [log] = wait_for(f"the collected logs of {done.application}", now, PATIENCE, every=1)
    assert log["bytes"] >= megabytes << 20, log
    return done.application, log["bytes"]


def of_format(kind, sizes, runs, flink_home):
    """The figures of each run with one format of the collected logs."""
    found = []
    cluster = Cluster(f"{CLUSTER}-{kind}").up(log_aggregation=True, set=settings(kind))
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-bench-") as made:
            client = Client("heddle", cluster, Path(made) / "client", ROOT, flink_home)
            jar = job_jar(flink_home, USUAL_FLINK)
            readers = [Reader("heddle", client), Reader("hadoop", client)]
            for megabytes in sizes:
                say(f"{megabytes} MiB as {FORMAT_TITLES[kind]}")
                application, size = write(client, jar, megabytes)
                for reader in readers:
                    reader.check(application, size)
                for number in range(runs):
                    for reader in readers:
                        with open(os.devnull, "wb") as nothing:
                            figures = reader.run(application, nothing)
                        found.append({"format": kind, "mb": megabytes, "client": reader.kind, "run": number + 1} | figures)
                        say(f"run {number + 1} of {runs}, {TITLES[reader.kind]}: {figures['wall']:.2f} s")
    finally:
        cluster.down()
    return found


def run(runs, megabytes, flink_home):
    """A list with the figures of each run of each command."""
    sizes = [max(1, megabytes // 10), megabytes]
    return [figures for kind in FORMATS for figures in of_format(kind, sizes, runs, flink_home)]


def medians(found):
    """(format, MiB) -> client -> figure -> median."""
    groups = {}
    for figures in found:
        groups.setdefault((figures["format"], figures["mb"]), {}).setdefault(figures["client"], []).append(figures)
    return {
        key: {client: {name: statistics.median(run[name] for run in runs) for name in ("wall", "cpu", "peak")} for client, runs in clients.items()}
        for key, clients in groups.items()
    }


def rows(found):
    """Of a table: heading, then what both need for each format and size."""
    lines = [["Logs", "", *TITLES.values(), "ratio"]]
    forms = {"wall": ("time", "{:.2f} s", 1), "cpu": ("CPU", "{:.2f} s", 1), "peak": ("peak memory", "{:.1f} MiB", 2**20)}
    for (kind, megabytes), clients in medians(found).items():
        for name, (title, form, divisor) in forms.items():
            ours, theirs = (clients[client][name] for client in TITLES)
            what = f"{megabytes} MiB, {FORMAT_TITLES[kind]}" if name == "wall" else ""
            lines.append([what, title, form.format(ours / divisor), form.format(theirs / divisor), f"{theirs / ours:.1f}" if ours else ""])
    return lines


def reached(found):
    """(format, MiB, how many times as fast) with all of the logs."""
    most = max(figures["mb"] for figures in found)
    for (kind, megabytes), clients in medians(found).items():
        if megabytes == most:
            yield kind, megabytes, clients["hadoop"]["wall"] / clients["heddle"]["wall"]


def verdicts(found):
    """Sentences about the target."""
    return [
        f"{'reached' if got >= TARGET else 'MISSED'}: {megabytes} MiB, {FORMAT_TITLES[kind]}: {got:.1f} times as fast as `yarn logs`, wanted {TARGET}"
        for kind, megabytes, got in reached(found)
    ]

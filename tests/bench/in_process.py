"""Sessions that a tool deploys in its own JVM (tests/deployers): with heddle's Java agent in it, and by
Flink's classes alone, as they come and tuned.

Each kind has one JVM, which has deployed before it is measured, as a tool that runs for days has. The kinds
come in turns.
"""

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.client import Client
from harness.cluster import ROOT, Cluster
from harness.deployers import Deployer, settings
from harness.hadoop.environment import java_home
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK, Release
from harness.waiting import wait_for

from .cases import NAME, PROVIDED, TUNED, Visits, added, clients, provide, stored
from .common import TICKS, failed, in_turns, say
from .suite import clean

SECTION = "in-process"
CLUSTER = "bench-in-process"
# So many times as fast with the agent as without it.
TARGET = 3
# Deployments of each kind before those that count.
WARM = 5
# Seconds that one may take.
PATIENCE = 300


@dataclass
class Kind:
    title: str
    # Whom a target is set against.
    target: bool = False


KINDS = {
    "heddle": Kind("with the agent"),
    "reference": Kind("Flink alone", target=True),
    TUNED: Kind("Flink alone, tuned"),
}
FIGURES = {"wall": ("call to its return", "{:.2f} s", 1), "cpu": ("CPU of the tool", "{:.2f} s", 1), "uploaded": ("uploaded", "{:,.0f} kB", 1000)}


def cpu(pid):
    """Seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


class Tool:
    """One JVM, which deploys a session each time it is told to."""

    def __init__(self, name, cluster, directory, flink_home, jar):
        measured = clients(cluster.fs)[name]
        client = Client(measured.kind, cluster, directory / name, ROOT, flink_home)
        release = Release(Path(flink_home), Path(java_home()), jar)
        self.cluster, self.number = cluster, 0
        more = ["--repetitions", "1000", "--on-demand", "true", "--end", "leave", *settings(*measured.options)]
        self.running = Deployer(client, release, USUAL_FLINK).start("factory", "session", NAME, *more)

    def told(self):
        lines = (json.loads(line) for line in self.running.output("out").splitlines(keepends=True) if line.startswith("{") and line.endswith("\n"))
        return [line for line in lines if "deployment" in line]

    def deploy(self):
        """The application, which goes on, and the figures of its deployment."""
        files, before = stored(self.cluster), cpu(self.running.process.pid)
        self.running.type("\n")
        self.number += 1
        wait_for("a deployment", lambda: len(self.told()) == self.number or not self.running.alive, PATIENCE, every=0.05)
        assert self.running.alive, self.running.result()
        told = self.told()[-1]
        assert "errors" not in told, told
        used = cpu(self.running.process.pid) - before
        return told["application"], {"wall": told["seconds"], "cpu": used, "uploaded": added(files, stored(self.cluster))}


def warm_up(name, tool, ending):
    """What a cluster and a tool have that are used: class data archives, the nodes' caches, compiled code.
    `ending` has a client that ends sessions."""
    for number in range(WARM):
        application, _ = tool.deploy()
        if number == 0 and name == "heddle":
            target = ["-t", "yarn-session", f"-Dyarn.application.id={application}"]
            ending.client.flink("run", *target, "-d", "-c", "Sleepy", ending.jar, "--seconds", "600").ok()
            ending.wait_archives(application)
        ending.end(application)


def run(runs, names, flink_home):
    """A list with the figures of each run: `kind`, `run`, and those of `FIGURES` or `failed`."""
    found = []
    # NodeManagers heartbeat once a second, as in production.
    cluster = Cluster(CLUSTER).up(heartbeat=1000)
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-bench-") as made:
            directory, jar = Path(made), job_jar(flink_home, USUAL_FLINK)
            if TUNED in names:
                say(f"Flink's libraries to {PROVIDED}")
                provide(cluster, flink_home)
            ending = Visits(clients(cluster.fs)["heddle"], cluster, directory / "ending", flink_home, jar)
            tools = {name: Tool(name, cluster, directory, flink_home, jar) for name in names}
            try:
                for name, tool in tools.items():
                    say(f"warming up: {KINDS[name].title}")
                    warm_up(name, tool, ending)
                for number in range(runs):
                    for name in in_turns(names, number):
                        found.append({"kind": name, "run": number + 1} | one(tools[name], ending, f"round {number + 1}, {name}"))
                        say(f"round {number + 1} of {runs}, {KINDS[name].title}: {found[-1]}")
            finally:
                for tool in tools.values():
                    tool.running.kill()
    finally:
        cluster.down()
    return found


def one(tool, ending, what):
    try:
        application, figures = tool.deploy()
        ending.end(application)
        # The command that has ended it is no part of the next one's time.
        time.sleep(1)
        return figures
    except (AssertionError, OSError) as error:
        clean(tool.cluster)
        return failed(what, error)


def medians(found):
    """Kind -> figure -> median of the runs that came to their end."""
    groups = {}
    for figures in found:
        if "failed" not in figures:
            groups.setdefault(figures["kind"], []).append(figures)
    return {kind: {name: statistics.median(run[name] for run in runs) for name in FIGURES} for kind, runs in groups.items()}


def rows(found):
    """Of a table: heading, then a row for each figure."""
    values = medians(found)
    names = [name for name in KINDS if name in values]
    others = [name for name in names if name != "heddle"]
    lines = [["", *(KINDS[name].title for name in names), *(f"{KINDS[name].title} : with the agent" for name in others)]]
    for figure, (title, form, divisor) in FIGURES.items():
        ours = values.get("heddle", {}).get(figure)
        ratios = [f"{values[name][figure] / ours:.1f}" if ours else "" for name in others]
        lines.append([title, *(form.format(values[name][figure] / divisor) for name in names), *ratios])
    return lines


def reached(found):
    """How many times as fast it is with the agent as without; None if one of the two was not measured."""
    values = medians(found)
    other = next(name for name, kind in KINDS.items() if kind.target)
    return values[other]["wall"] / values["heddle"]["wall"] if {"heddle", other} <= set(values) else None


def verdict(found):
    """A sentence about the target, or None."""
    got = reached(found)
    return None if got is None else f"{'reached' if got >= TARGET else 'MISSED'}: {got:.1f} times as fast with the agent as without, wanted {TARGET}"

"""The command line of `scripts/explain-failures`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.client import Client
from harness.cluster import FINISHED, ROOT, Cluster
from harness.hadoop.environment import Failure, say
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.waiting import wait_for

from . import page, samples
from .cases import CASES
from .normal import Normal

# heddle-am writes down once a minute what it waits for.
PATIENCE = 150


class Place:
    """Where one failure is made: a cluster, a directory, and a name for applications."""

    def __init__(self, run, name):
        self.cluster, self.jar, self.flink_home = run.cluster, run.jar, run.flink_home
        self.name = f"{name}-{run.suffix}"
        self.kind, self.directory = run.kind, run.directory / name
        self.directory.mkdir()
        self.clients = {}

    def client(self, kind=None):
        kind = kind or self.kind
        if kind not in self.clients:
            self.clients[kind] = Client(kind, self.cluster, self.directory / kind, ROOT, self.flink_home)
        return self.clients[kind]

    def close(self):
        """Ends what is left, as after a failure that did not come about."""
        for client in self.clients.values():
            client.end_all()
        for app in self.cluster.yarn.live():
            if app["name"].startswith(self.name):
                self.cluster.yarn.kill(app["id"])
                self.cluster.yarn.wait_state(app["id"], *FINISHED)


class Run:
    def __init__(self, cluster, kind, directory, flink_home):
        self.cluster, self.kind, self.directory, self.flink_home = cluster, kind, directory, flink_home
        self.jar, self.suffix = job_jar(flink_home, USUAL_FLINK), f"{os.getpid()}"
        self.normal = Normal(cluster, directory, self.suffix)

    def explain(self, name):
        """What `heddle why` says of a failure, once it has found one of its causes."""
        case, place = CASES[name], Place(self, name)
        heddle = place.client("heddle")

        def found(application):
            told = heddle.run("heddle", "why", application, "--output", "json").out
            return {finding["rule"] for finding in json.loads(told).get("findings", [])} & set(case.rules)

        try:
            with case.make(place, place.client(), self.jar) as made:
                wait_for(f"{' or '.join(case.rules)} of {made.application}", lambda: found(made.application), PATIENCE, every=1)
                return self.normal.text(heddle.run("heddle", "why", made.application).ok().out)
        finally:
            place.close()

    def samples(self):
        """Name -> text."""
        told = {}
        for maker in samples.MAKERS:
            place = Place(self, maker.__name__.replace("_", "-"))
            say(f"{maker.__doc__}")
            try:
                told |= {name: self.normal.text(text) for name, text in maker(place).items()}
            finally:
                place.close()
        return told


def options():
    parser = argparse.ArgumentParser(prog="scripts/explain-failures", description="Makes failures on a running cluster, and writes down what `heddle why` says of them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--client", choices=["heddle", "reference"], default="heddle", help="whose applications; `reference` is Flink's own")
    parser.add_argument("--cluster", default="main", metavar="NAME", help="as `scripts/pseudo-cluster up --name` has it (default: main)")
    parser.add_argument("--write", action="store_true", help="all failures into the manual's page of failures (failures.md), and the page into mkdocs.yml")
    parser.add_argument("--samples", action="store_true", help="instead: the samples of output in docs/waiting.md and docs/why.md; with --write into these pages")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in CASES]:
        parser.error(f"`{unknown[0]}` is none of {', '.join(CASES)}")
    if arguments.write and (arguments.names or arguments.client != "heddle"):
        parser.error("--write takes all failures of heddle's own applications")
    return arguments


def running(name):
    cluster = Cluster(name)
    if not cluster.load():
        raise Failure(f"there is no cluster `{name}`", f"start it with `scripts/pseudo-cluster up --name {name}`")
    # As it is; what is missing of it is started.
    return cluster.up(hadoop=None)


def explain(run, names):
    """(case, text) of each, and the names of those that did not come about."""
    told, failed = [], []
    for name in names:
        case = CASES[name]
        if run.kind == "reference" and not case.reference:
            say(f"{name}: left out, Flink's own client says too little of it")
            continue
        say(f"{name}: {case.title}")
        try:
            text = run.explain(name)
        except (AssertionError, OSError, ValueError) as error:
            say(f"failed: {name}: {error}")
            failed.append(name)
            continue
        told.append((case, text))
        print(f"{'=' * 8} {case.title}\n\n{text}", flush=True)
    return told, failed


def main():
    arguments = options()
    try:
        cluster = running(arguments.cluster)
    except Failure as failure:
        say(f"error: {failure}")
        for hint in failure.hints:
            say(f"hint: {hint}")
        return 1
    flink_home = subprocess.run([ROOT / "scripts/fetch-flink"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="heddle-failures-") as made:
        run = Run(cluster, arguments.client, Path(made), flink_home)
        if arguments.samples:
            told = run.samples()
            for name, text in told.items():
                print(f"{'=' * 8} {name}\n\n{text}\n")
                if arguments.write:
                    page.write_sample(name, samples.PAGES[name], text)
            return 0
        told, failed = explain(run, arguments.names or list(CASES))
    if failed:
        say(f"failed: {', '.join(failed)}")
        return 1
    if arguments.write:
        surroundings = f"{time.strftime('%Y-%m-%d')}: Hadoop {cluster.hadoop}, Flink {USUAL_FLINK}."
        page.write(told, surroundings)
    return 0


sys.exit(main())

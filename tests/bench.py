"""Side by side with Flink's own client on one cluster, in turns; run by `scripts/bench`."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.client import Client
from harness.cluster import ROOT, Cluster

NAME = "bench"
KINDS = ("heddle", "reference")
# What is measured -> (title, unit, divisor)
MEASURES = {"wall": ("time", "s", 1), "cpu": ("CPU", "s", 1), "peak": ("memory", "MiB", 2**20)}
CASES = {
    "first": "session ready, first deployment",
    "second": "session ready, second deployment",
    "list": "flink list",
    "per-job": "per-job, attached: a small job",
    "application": "application: a small job to its end",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def measured(result):
    result.ok()
    return {"wall": result.seconds, "cpu": result.cpu, "peak": result.peak}


def deploy(client, store):
    """Deploys; the session is ready when the detached client returns. The session is left running."""
    options = [f"-Dheddle.store.dir={store}"] if client.is_heddle else []
    return client.run("yarn-session.sh", "-d", "-nm", NAME, "-jm", "1024", "-tm", "1024", *options)


def end(client, application):
    client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
    client.cluster.yarn.wait_state(application, "FINISHED")
    time.sleep(1)  # for the NodeManagers to clean up, so that it is not in the next one's time


def per_job(client, store, jar):
    """From the command to its return, with the job's outcome."""
    options = [f"-Dheddle.store.dir={store}"] if client.is_heddle else []
    result = client.per_job(NAME, jar, "WordCount", options=options)
    client.cluster.yarn.wait_state(result.ok().application, "FINISHED")
    time.sleep(1)
    return measured(result)


def application(client, store, jar):
    """From the command to the end of the application in YARN; CPU and memory are those of the client."""
    options = [f"-Dheddle.store.dir={store}"] if client.is_heddle else []
    begin = time.monotonic()
    result = client.application(NAME, jar, "WordCount", options=options).ok()
    client.cluster.yarn.wait_state(result.application, "FINISHED")
    found = measured(result) | {"wall": time.monotonic() - begin}
    time.sleep(1)
    return found


def one_round(clients, cluster, round_number, directory, flink_home, jar):
    """Both clients once: a first deployment with nothing in the store, a second one, `list` on it, and the other modes."""
    found = {}
    order = KINDS if round_number % 2 == 0 else KINDS[::-1]
    for kind in order:
        client = clients[kind]
        store = f"{cluster.fs}/tmp/bench-store"
        cluster.hdfs.delete("/tmp/bench-store")
        if kind == "heddle":  # nothing remembered on the client's side either
            client = Client(kind, cluster, directory / f"round-{round_number}", ROOT, flink_home)
        first = deploy(client, store)
        found[kind] = {"first": measured(first)}
        end(client, first.application)
        second = deploy(client, store)
        found[kind]["second"] = measured(second)
        target = ["-t", "yarn-session", f"-Dyarn.application.id={second.application}"]
        found[kind]["list"] = measured(client.flink("list", *target))
        end(client, second.application)
        found[kind]["per-job"] = per_job(client, store, jar)
        found[kind]["application"] = application(client, store, jar)
        say(f"round {round_number + 1}, {kind}: " + ", ".join(f"{c} {m['wall']:.2f} s" for c, m in found[kind].items()))
    return found


def median(rounds, kind, case, measure):
    return statistics.median(r[kind][case][measure] for r in rounds)


def report(rounds):
    """The table as lines, and the medians as a value."""
    lines = [f"{'':36}{'':8}{'heddle':>12}{'reference':>12}{'ratio':>8}"]
    medians = {}
    for case, title in CASES.items():
        for measure, (name, unit, divisor) in MEASURES.items():
            ours, theirs = (median(rounds, kind, case, measure) / divisor for kind in KINDS)
            medians[f"{case}.{measure}"] = {"heddle": ours, "reference": theirs, "unit": unit}
            ratio = f"{theirs / ours:.1f}x" if ours else "-"
            shown = title if measure == "wall" else ""
            lines.append(f"{shown:36}{name:8}{ours:>8.2f} {unit:3}{theirs:>8.2f} {unit:3}{ratio:>8}")
    return lines, medians


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every figure of every run to this file")
    arguments = parser.parse_args()

    flink_home = subprocess.run([ROOT / "scripts/fetch-flink"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    # NodeManagers heartbeat once a second, as in production.
    cluster = Cluster(NAME).up()
    try:
        with tempfile.TemporaryDirectory() as directory:
            directory = Path(directory)
            jar = directory / "jobs.jar"
            subprocess.run([ROOT / "tests/jobs/build", flink_home, jar], check=True, stdout=sys.stderr)
            clients = {kind: Client(kind, cluster, directory / kind, ROOT, flink_home) for kind in KINDS}
            one_round(clients, cluster, -1, directory, flink_home, jar)  # warms caches; not counted
            rounds = [one_round(clients, cluster, n, directory, flink_home, jar) for n in range(arguments.runs)]
    finally:
        cluster.down()
    lines, medians = report(rounds)
    print(f"Medians of {arguments.runs} runs; ratio is reference : heddle.")
    print("\n".join(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps({"medians": medians, "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()

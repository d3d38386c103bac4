"""The command line of `scripts/chaos`."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from harness import availability
from harness.availability import Application, counting
from harness.client import SMALL, Client
from harness.cluster import CACHE, ROOT, Cluster
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK

from .audit import Audit
from .faults import Faults
from .plan import KINDS, MEAN, plan

WORKERS = 2
# Flink and YARN count failures, and give up an application that fails too often. Here it is meant to fail.
HADOOP = {"yarn.resourcemanager.am.max-attempts": 100000, "yarn.nm.liveness-monitor.expiry-interval-ms": 600000}
SESSION = ["-Dyarn.application-attempts=100000", "-Dtaskmanager.numberOfTaskSlots=1", "-Dparallelism.default=2"]


def options():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the plan; a seed always gives the same faults (default: 1)")
    parser.add_argument("--faults", type=int, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument("--mean", type=float, default=MEAN, metavar="S", help=f"between two faults (default: {MEAN})")
    parser.add_argument("--audit", type=int, default=50, metavar="N", help="look whether all is well after so many (default: 50)")
    parser.add_argument("--kinds", type=lambda text: text.split(","), metavar="NAMES", help=f"of {','.join(KINDS)} (default: all)")
    parser.add_argument("--name", default="chaos", help="of the cluster (default: chaos)")
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is after a failure")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="a line for each fault and audit (default: in the cache)")
    return parser.parse_args()


class Journal:
    def __init__(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file, self.began = file.open("w"), time.time()

    def write(self, **what):
        self.file.write(json.dumps({"at": round(time.time() - self.began, 2)} | what) + "\n")
        self.file.flush()


def deploy(cluster, directory, jar):
    """A session and an application, each with a job. Gives (application, directory of its output) of both."""
    found = []
    for mode in ("session", "application"):
        work = SimpleNamespace(cluster=cluster, name=f"chaos-{mode}", hdfs_dir=f"/chaos/{mode}")
        client = Client("heddle", cluster, directory / mode, ROOT, jar.flink_home)
        words = [*availability.options(work, USUAL_FLINK), *SESSION]
        output = f"{work.hdfs_dir}/output"
        job = counting(work, "--interval", "1000", "--output", f"{cluster.fs}{output}")
        if mode == "session":
            session = client.session("-nm", work.name, *words)
            session.run(jar.path, "Counting", *job, options=["-d", "-p", "2"]).ok()
            found.append((Application(cluster, session.application), output, client))
        else:
            target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}"]
            result = client.flink("run-application", *target, *words, "-c", "Counting", jar.path, *job).ok()
            found.append((Application(cluster, result.application), output, client))
    return found


def stop(client, application, mode, directory):
    """Stops the job with a savepoint: then its last files are complete."""
    [job] = application.rest().jobs()
    target = ["-t", f"yarn-{mode}", f"-Dyarn.application.id={application.id}"]
    client.flink("stop", *target, "-p", directory, job, seconds=240).ok()


def main():
    arguments = options()
    faults = plan(arguments.seed, arguments.faults, arguments.mean, arguments.kinds)
    journal = Journal(arguments.journal or CACHE / "chaos" / f"seed-{arguments.seed}.jsonl")
    flink_home = subprocess.run([ROOT / "scripts/fetch-flink"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    jar = SimpleNamespace(flink_home=flink_home, path=job_jar(flink_home, USUAL_FLINK))
    cluster = Cluster(arguments.name).up(zookeeper=True, recovery=True, set=HADOOP)
    good = False
    try:
        found = deploy(cluster, cluster.directory / "clients", jar)
        applications = [application for application, _, _ in found]
        audit, maker = Audit(cluster, applications, WORKERS), Faults(cluster, applications)
        journal.write(audit=audit.middle())
        for fault in faults:
            time.sleep(fault.at)
            hit = maker.make(fault)
            journal.write(fault=fault.as_json(), hit=hit)
            print(f"{fault.number + 1:5} {fault.kind}: {hit or 'nothing is there'}", flush=True)
            if (fault.number + 1) % arguments.audit == 0 or fault is faults[-1]:
                maker.undo()
                figures = audit.middle()
                journal.write(audit=figures)
                print(f"      all is well after {figures['seconds']} s: {json.dumps(figures['applications'])}", flush=True)
        for (application, output, client), mode in zip(found, ("session", "application"), strict=True):
            stop(client, application, mode, f"{cluster.fs}/chaos/savepoints")
            if mode == "session":
                client.run("yarn-session.sh", "-id", application.id, stdin="stop\n", seconds=120).ok()
            cluster.yarn.wait_state(application.id, "FINISHED", seconds=120)
            total = audit.output(application, output)
            journal.write(output=total, application=application.id)
            print(f"{application.id}: {total} records, each exactly once", flush=True)
        audit.end()
        good = True
    except AssertionError as error:
        journal.write(failed=str(error))
        print(f"failed: {error}", file=sys.stderr, flush=True)
    finally:
        if good or not arguments.keep:
            cluster.down()
    return 0 if good else 1


sys.exit(main())

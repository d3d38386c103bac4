"""The command line of `scripts/chaos`."""

import argparse
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from harness.cluster import CACHE, ROOT, Cluster
from harness.hadoop.environment import java_home
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.network import cannot_drop
from harness.sections import replace, surroundings

from . import planted, report
from .plan import KINDS, MEAN, plan
from .run import Journal, Run, tell

HADOOP = {"yarn.resourcemanager.am.max-attempts": 100000, "yarn.nm.liveness-monitor.expiry-interval-ms": 600000}


def options():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the plan; a seed always gives the same faults (default: 1)")
    parser.add_argument("--faults", type=int, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument("--mean", type=float, default=MEAN, metavar="S", help=f"between two faults (default: {MEAN})")
    parser.add_argument("--audit", type=int, default=50, metavar="N", help="look whether all is well after so many (default: 50)")
    parser.add_argument(
        "--fresh", type=int, default=250, metavar="N",
        help="after so many the jobs are stopped with a savepoint and go on in fresh applications (default: 250)",
    )  # fmt: skip
    parser.add_argument("--kinds", type=lambda text: text.split(","), metavar="NAMES", help=f"of {','.join(KINDS)} (default: all)")
    parser.add_argument("--client", choices=["heddle", "reference"], default="heddle", help="`reference` is Flink's own")
    parser.add_argument("--planted", choices=planted.NAMES, help="with a defect that the run has to notice")
    parser.add_argument("--sensitivity", action="store_true", help="a run with each planted defect; each has to fail")
    parser.add_argument("--report", nargs="+", type=Path, metavar="JOURNAL", help="only print what these journals come to")
    parser.add_argument("--write", action="store_true", help="with --report: put it into docs/reliability.md, too")
    parser.add_argument("--name", default="chaos", help="of the cluster (default: chaos)")
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is after a failure")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="a line for each fault and audit (default: in the cache)")
    return parser.parse_args()


def journal_of(arguments, defect=None):
    return arguments.journal or CACHE / "chaos" / f"{defect or 'seed'}-{arguments.seed}.jsonl"


def run(arguments, defect=None):
    """One run; the text of what is wrong, or None."""
    flink_home = subprocess.run(["scripts/fetch-flink"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    jar = SimpleNamespace(flink_home=flink_home, path=job_jar(flink_home, USUAL_FLINK))
    journal = Journal(journal_of(arguments, defect))
    journal.write(run={
        "client": arguments.client, "seed": arguments.seed, "kinds": arguments.kinds, "planted": defect,
        "surroundings": surroundings("a checkpoint each second, two TaskManagers for each job", "quick"),
    })  # fmt: skip
    cluster = Cluster(arguments.name).up(zookeeper=True, recovery=True, set=HADOOP)
    plants = planted.of(defect, cluster.directory, java_home())
    faults = plan(arguments.seed, arguments.faults, arguments.mean, arguments.kinds or plants.faults)
    if (why := cannot_drop()) and any(fault.kind.startswith("drop-") for fault in faults):
        tell(f"no port is cut off in this run: {why}")
    wrong = None
    try:
        Run(cluster, arguments.client, jar, plants, journal, arguments.audit, arguments.fresh).go(faults)
    except (AssertionError, OSError, LookupError, ValueError) as error:
        wrong = f"{type(error).__name__}: {error}"
        journal.write(failed=wrong)
        wrong += f" (logs: {keep_logs(cluster, Path(journal.file.name).with_suffix('.logs'))})"
    finally:
        if not (wrong and arguments.keep):
            cluster.down()
    return wrong


def keep_logs(cluster, kept):
    """Copies what daemons and containers have logged, without which a failure could not be explained."""
    shutil.rmtree(kept, ignore_errors=True)
    for logs in [cluster.directory / "logs", *cluster.directory.glob("nodemanager*/logs")]:
        shutil.copytree(logs, kept / logs.relative_to(cluster.directory), dirs_exist_ok=True)
    return kept


def main():
    arguments = options()
    if arguments.report:
        journals = report.read(arguments.report)
        lines = report.lines(journals)
        tell("\n".join(lines))
        if arguments.write:
            command = shlex.join(["scripts/chaos", "--report", *(file.name for file in arguments.report)])
            where = [line for text in report.surroundings(journals) for line in (text, "")]
            replace(ROOT / "docs/reliability.md", report.SECTION, "scripts/chaos", command, [*where, *lines])
        return 0
    if arguments.sensitivity:
        missed = []
        for defect in planted.NAMES:
            wrong = run(arguments, defect)
            if planted.noticed(defect, wrong):
                tell(f"{defect}: noticed: {wrong}")
            else:
                tell(f"{defect}: not noticed{f', but failed: {wrong}' if wrong else ''}")
                missed.append(defect)
        return 1 if missed else 0
    wrong = run(arguments, arguments.planted)
    if arguments.client == "heddle":
        tell(report.memory_text(report.read([journal_of(arguments, arguments.planted)])))
    if wrong:
        print(f"failed: {wrong}", file=sys.stderr, flush=True)
    return 1 if wrong else 0


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.exit(main())

"""The command line of `scripts/bench`."""

import argparse
import json
import sys
from pathlib import Path

from harness.sections import TITLES

from . import failover, in_process, logs, recovery, report, scale, suite
from .cases import CASES, TUNED, clients
from .common import flink_of

USUAL = ["heddle", "reference", TUNED]


def words(known):
    """A list of names, separated by commas."""

    def parse(text):
        found = text.split(",")
        for word in found:
            if word not in known:
                raise argparse.ArgumentTypeError(f"`{word}` is none of {', '.join(known)}")
        return found

    return parse


def numbers(text):
    return [int(number) for number in text.split(",")]


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="heddle beside Flink's own client, in turns on one cluster.")
    parser.add_argument("--runs", type=int, help="how often each is measured (default: 7; with --scale 1)")
    parser.add_argument("--cases", type=words(CASES), default=list(CASES), metavar="NAMES", help=f"of {','.join(CASES)} (default: all)")
    parser.add_argument("--clients", type=words(clients("")), default=USUAL, metavar="NAMES", help=f"of {','.join(clients(''))} (default: {','.join(USUAL)})")
    parser.add_argument("--scale", type=numbers, metavar="COUNTS", help="instead: ApplicationMasters that ask for so many containers (100,1000,5000) on simulated nodes")
    parser.add_argument("--recovery", action="store_true", help="instead: time to a new checkpoint after JobManager and ApplicationMaster were killed (default: 5 runs)")
    parser.add_argument("--logs", action="store_true", help="instead: `heddle logs` beside `yarn logs`, of logs that YARN has collected (default: 5 runs)")
    parser.add_argument("--in-process", action="store_true", help="instead: a session that a tool deploys in its own JVM, with and without heddle's Java agent (default: 7 runs)")
    parser.add_argument("--mb", type=int, default=100, metavar="N", help="so many MiB of logs (with --logs; default: 100)")
    parser.add_argument("--failover", action="store_true", help="instead: time that `flink list` takes more than usual after the active ResourceManager of two was killed (default: 5 runs)")
    parser.add_argument("--client", choices=["heddle", "reference", "both"], default="both", help="whose ApplicationMasters (with --scale; default: both)")
    parser.add_argument("--nodes", type=int, default=100, metavar="N", help="simulated nodes (with --scale; default: 100)")
    parser.add_argument("--heartbeat", type=int, default=0, metavar="MS", help="of simulated nodes (default: what the ResourceManager says, 1000)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of Hadoop (with --scale)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="a setting of Flink for heddle's sessions (with --scale)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every run")
    parser.add_argument("--write", action="store_true", help="put table and chart into docs/benchmarks")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: draw the charts of docs/benchmarks from its table")
    arguments = parser.parse_args()
    if arguments.failover:
        # As Flink's own client comes and tuned, its commands that list are the same.
        arguments.clients = [name for name in arguments.clients if name in TITLES]
        if not arguments.clients:
            parser.error(f"with --failover the clients are {', '.join(TITLES)}")
    if arguments.in_process and not set(arguments.clients) <= set(in_process.KINDS):
        parser.error(f"with --in-process the clients are {', '.join(in_process.KINDS)}")
    return arguments


def main():
    arguments = options()
    if arguments.redraw:
        report.redraw()
        return 0
    flink_home = flink_of()
    command = report.command_line(sys.argv[1:])
    if arguments.scale:
        kinds = ["heddle", "reference"] if arguments.client == "both" else [arguments.client]
        found = scale.run(arguments.scale, kinds, arguments.nodes, flink_home, arguments)
        kept = {"command": command, "runs": found}
        text, good = report.scale_text(found), not any("failed" in run for run in found)
    elif arguments.recovery:
        found = recovery.run(arguments.runs or 5, flink_home)
        kept = {"command": command, "runs": found}
        text, good = report.recovery_text(found), True
    elif arguments.logs:
        found = logs.run(arguments.runs or 5, arguments.mb, flink_home)
        kept = {"command": command, "medians": report.logs_medians(found), "runs": found}
        text, good = report.logs_text(found), all(got >= logs.TARGET for *_, got in logs.reached(found))
    elif arguments.in_process:
        found = in_process.run(arguments.runs or 7, arguments.clients, flink_home)
        kept = {"command": command, "medians": in_process.medians(found), "runs": found}
        text, good = report.in_process_text(found), not any("failed" in run for run in found) and (in_process.reached(found) or 0) >= in_process.TARGET
    elif arguments.failover:
        found = failover.run(arguments.runs or 5, arguments.clients, flink_home)
        kept = {"command": command, "runs": found}
        text, good = report.failover_text(found), not any("failed" in run for runs in found.values() for run in runs)
    else:
        rounds, steps = suite.run(arguments.runs or 7, arguments.clients, arguments.cases, flink_home)
        kept = {"command": command, "medians": report.medians(rounds), "rounds": rounds, "steps": steps}
        text, good = report.suite_text(rounds), not report.failures(rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(kept, indent=1) + "\n")
    print(text)
    if arguments.write and arguments.scale:
        report.write_scale(found, command)
    elif arguments.write and arguments.recovery:
        report.write_recovery(found, command)
    elif arguments.write and arguments.logs:
        report.write_logs(found, command)
    elif arguments.write and arguments.in_process:
        report.write_in_process(found, command)
    elif arguments.write and arguments.failover:
        report.write_failover(found, command)
    elif arguments.write:
        report.write_suite(rounds, steps, command)
    return 0 if good else 1


sys.exit(main())

"""The rounds: every client does the same things in turns on one cluster."""

import tempfile
from pathlib import Path

from harness.cluster import FINISHED, Cluster
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK

from .cases import PROVIDED, TUNED, VISITS, Visits, clients, provide
from .common import failed, in_turns, say

CLUSTER = "bench"


def clean(cluster):
    """After a visit that failed."""
    for app in cluster.yarn.live():
        cluster.yarn.kill(app["id"])
        cluster.yarn.wait_state(app["id"], *FINISHED)


def visit(visits, what, cases):
    """The figures of one visit, of the wanted cases."""
    make, its_cases = VISITS[what]
    try:
        found = make(visits)
    except (AssertionError, OSError) as error:
        found = dict.fromkeys(its_cases, failed(f"{what}, {visits.measured.title}", error))
        clean(visits.cluster)
    return {case: figures for case, figures in found.items() if case in cases}


def run(runs, names, cases, flink_home):
    """A list with the figures of each round (client -> case -> figures), and the steps that heddle tells."""
    rounds, steps = [], {}
    wanted = [what for what, (_, its) in VISITS.items() if set(its) & set(cases)]
    # NodeManagers heartbeat once a second, as in production.
    cluster = Cluster(CLUSTER).up(heartbeat=1000)
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-bench-") as made:
            known, jar = clients(cluster.fs), job_jar(flink_home, USUAL_FLINK)
            every = {name: Visits(known[name], cluster, Path(made) / name, flink_home, jar) for name in names}
            if TUNED in names:
                say(f"Flink's libraries to {PROVIDED}")
                provide(cluster, flink_home)
            for name in names:
                say(f"warming up: {known[name].title}")
                every[name].warm_up()
            for number in range(runs):
                found = {name: {} for name in names}
                for what in wanted:
                    for name in in_turns(names, number):
                        if what == "first" and not known[name].uploads:
                            continue
                        found[name] |= visit(every[name], what, cases)
                        told = [f"{case} {figures['wall']:.2f} s" for case, figures in found[name].items() if case in VISITS[what][1] and "wall" in figures]
                        say(f"round {number + 1} of {runs}, {known[name].title}: {', '.join(told)}")
                rounds.append(found)
            for name in names:
                try:
                    if told := every[name].steps():
                        steps[name] = told
                except (AssertionError, OSError, ValueError) as error:
                    failed(f"the steps of {name}", error)
                    clean(cluster)
    finally:
        cluster.down()
    return rounds, steps

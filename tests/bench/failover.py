"""How much longer `flink list` takes than usual when the active ResourceManager of two dies before it: both
clients in turns.

A command that began while no ResourceManager is active can end only once another one is. What it takes beyond
that and its usual time is what its client, and the ApplicationMaster, which has to register again, add by
themselves.
"""

import contextlib
import json
import signal
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness.client import Client
from harness.cluster import ROOT, Cluster, request
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.sections import TITLES
from harness.waiting import wait_for

from .common import failed, in_turns, say, spread

CLUSTER = "bench-failover"
SECTION = "failover"
# The ResourceManagers, as the ports of the cluster call them.
PREFIXES = ("rm1", "rm2")
# Between two looks at the state of the other ResourceManager, in seconds.
LOOK = 0.05
# Longest time until the command has listed the job, in seconds. Flink's own client may need several commands.
PATIENCE = 300
# After everything is there again, so that nothing of the last failover is in the next one.
PAUSE = 15
# So many seconds more than usual are wanted of heddle, at most.
WANTED = 1.0


# ---- pure: what was measured, and what it comes to


@dataclass(frozen=True)
class Call:
    """One command: when it began and ended (seconds of any clock), and whether it has listed the job."""

    began: float
    ended: float
    right: bool


def figures(calls, active, usual):
    """Of commands that followed each other from the kill on, the last of which listed the job.

    `active`: when another ResourceManager was active, by the same clock. `usual`: seconds that a command
    takes.
    """
    begin, end = calls[0].began, calls[-1].ended
    assert calls[-1].right, "nothing has listed the job"
    # Where the other one is active before the command begins, nothing has to be waited for.
    extra = end - max(active, begin) - usual
    return {"listed": end - begin, "active": active - begin, "usual": usual, "extra": extra, "inVain": len(calls) - 1}


def rows(found):
    """Of a table: heading, then a row for each client. `found`: client -> figures of each run."""
    lines = [["Client", "Usual", "Another one active after", "Listed after", "More than usual: median", "From", "To", "Runs", "Commands in vain"]]
    for kind, runs in found.items():
        good = [run for run in runs if "extra" in run]
        if not good:
            lines.append([TITLES[kind], *["–"] * 6, f"0 of {len(runs)}", "–"])
            continue
        middle = [f"{statistics.median(run[key] for run in good):.2f} s" for key in ("usual", "active", "listed")]
        of = f"{len(good)}" if len(good) == len(runs) else f"{len(good)} of {len(runs)}"
        lines.append([TITLES[kind], *middle, *spread([run["extra"] for run in good], 2), of, f"{sum(run['inVain'] for run in good)}"])
    return lines


def verdict(found):
    """Whether heddle does what is wanted, as a line; None where it was not measured."""
    extra = [run["extra"] for run in found.get("heddle", []) if "extra" in run]
    if not extra:
        return None
    median = statistics.median(extra)
    return f"{'reached' if median <= WANTED else 'MISSED'}: {median:.2f} s more than usual, wanted {WANTED:.0f} s at most"


# ---- what is done


def state(url):
    """Of a ResourceManager, as its web interface tells it: ACTIVE or STANDBY; None without an answer."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        return json.loads(request(f"{url}/ws/v1/cluster/info", timeout=5))["clusterInfo"]["haState"]
    return None


class Watch:
    """Looks at the state of a ResourceManager until it is the active one."""

    def __init__(self, url):
        self.url, self.active, self.looks = url, None, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.ended.is_set():
            # The moment of the question, and not that of the answer: a slow answer must not make the time
            # that counts for the client shorter.
            asked = time.monotonic()
            self.looks += 1
            if state(self.url) == "ACTIVE":
                self.active = asked
                return
            self.ended.wait(max(0, asked + LOOK - time.monotonic()))

    def result(self, seconds):
        self.thread.join(seconds)
        self.ended.set()
        assert self.active, f"{self.url} has not become active after {self.looks} looks"
        return self.active


class Listing:
    """A session of one client with a job that runs for ever, and the command that lists it."""

    def __init__(self, kind, cluster, directory, flink_home, jar):
        self.cluster = cluster
        self.client = Client(kind, cluster, directory / kind, ROOT, flink_home)
        self.session = self.client.session("-nm", f"failover-{kind}")
        self.job = self.session.run(jar, "Sleepy", "--seconds", "1000000", options=["-d"]).ok().job
        wait_for("the job in the list", lambda: self.call().right, 120)

    def call(self):
        running = self.client.start("flink", "list", *self.session.target())
        result = running.result(PATIENCE)
        if result.code:
            say(f"{self.client.kind}: exit code {result.code}: {result.text.strip().splitlines()[-1:]}")
        right = result.code == 0 and any(self.job in line and "(RUNNING)" in line for line in result.out.splitlines())
        return Call(running.started, running.ended, right)

    def usual(self):
        call = self.call()
        assert call.right, "the usual command has not listed the job"
        return call.ended - call.began

    def until_right(self):
        """Commands one after the other until one lists the job. heddle's first one waits, and lists."""
        calls = [self.call()]
        while not calls[-1].right:
            assert calls[-1].ended - calls[0].began < PATIENCE, f"{self.client.kind} has not listed the job within {PATIENCE} s"
            calls.append(self.call())
        return calls


def settled(cluster, listings):
    """Both ResourceManagers are there, and the active one knows all nodes and all sessions."""
    wait_for("the cluster", lambda: not cluster.problems(), 120)
    for listing in listings:
        # Flink's own ApplicationMaster may need minutes to find the other ResourceManager.
        cluster.yarn.wait_state(listing.session.application, "RUNNING", seconds=400)
    urls = [cluster.url(f"{prefix}-http") for prefix in PREFIXES]
    wait_for("one that is active and one on standby", lambda: sorted(str(state(url)) for url in urls) == ["ACTIVE", "STANDBY"], 60)
    time.sleep(PAUSE)


def fail_over(cluster, listing, usual):
    """Kills the active ResourceManager, lists at once, and starts the dead one again."""
    gone = cluster.active_resourcemanager()
    [other] = set(PREFIXES) - {gone}
    daemon = cluster.daemon_of(gone)
    watch = Watch(cluster.url(f"{other}-http"))
    try:
        cluster.signal(daemon, signal.SIGKILL)
        calls = listing.until_right()
        return figures(calls, watch.result(PATIENCE), usual) | {"looks": watch.looks}
    finally:
        watch.ended.set()
        wait_for(f"{daemon} gone", lambda: cluster.pid(daemon) is None, 60, every=0.05)
        cluster.start(daemon)


def run(runs, names, flink_home):
    """Client -> figures of each run."""
    found = {name: [] for name in names}
    cluster = Cluster(CLUSTER).up(resourcemanagers=2, zookeeper=True, recovery=True)
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-bench-") as made:
            jar = job_jar(flink_home, USUAL_FLINK)
            listings = {name: Listing(name, cluster, Path(made), flink_home, jar) for name in names}
            settled(cluster, listings.values())
            usual = {name: [] for name in names}
            for number in range(runs):
                for name in in_turns(names, number):
                    usual[name].append(listings[name].usual())
            medians = {name: statistics.median(times) for name, times in usual.items()}
            say(f"usual: {', '.join(f'{name} {median:.2f} s' for name, median in medians.items())}")
            for number in range(runs):
                for name in in_turns(names, number):
                    try:
                        run_figures = fail_over(cluster, listings[name], medians[name])
                    except (AssertionError, OSError) as error:
                        run_figures = failed(f"round {number + 1}, {name}", error)
                    found[name].append(run_figures)
                    say(f"round {number + 1} of {runs}, {name}: {run_figures}")
                    settled(cluster, listings.values())
    finally:
        cluster.down()
    return found

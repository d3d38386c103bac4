"""What the parts of the benchmark need."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

from harness import processes
from harness.cluster import ROOT

TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


def failed(what, error):
    """A run that did not come to its end: said now, and kept with the others' figures."""
    say(f"failed: {what}: {error}")
    return {"failed": f"{error}"[-2000:]}


def in_turns(names, number):
    """Another one begins each time."""
    first = number % len(names)
    return names[first:] + names[:first]


def spread(seconds, digits=1):
    """Median, least and greatest, as cells of a table."""
    return [f"{value:.{digits}f} s" for value in (statistics.median(seconds), min(seconds), max(seconds))]


def flink_of():
    return subprocess.run([ROOT / "scripts/fetch-flink"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Master:
    """The processes of an application's ApplicationMaster."""

    def __init__(self, cluster, application):
        found = [p for p in processes.of_application(cluster, application) if processes.is_master(p)]
        self.pids = {"jobManager": next(p.pid for p in found if p.is_jvm)}
        self.pids |= {"am": p.pid for p in found if p.program == "heddle-am"}
        # In Flink's own there is one JVM for both.
        self.pids.setdefault("am", self.pids["jobManager"])

    def cpu(self):
        """Seconds."""
        found = {}
        for name, pid in self.pids.items():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(fields[11]) + int(fields[12])) / TICKS
        return found

    def memory(self):
        """Resident bytes, now and at most."""
        found = {}
        for name, pid in self.pids.items():
            status = Path(f"/proc/{pid}/status").read_text()
            found[name] = {key: int(status.split(f"{field}:")[1].split()[0]) * 1024 for key, field in (("now", "VmRSS"), ("most", "VmHWM"))}
        return found

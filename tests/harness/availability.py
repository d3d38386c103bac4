"""Highly available applications: how they are deployed, their faults, and how long a job needs to go on."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from . import processes
from .cluster import FINISHED, Flink
from .waiting import wait_for

# A job with a new checkpoint, after anything that these tests do, on a busy machine.
PATIENCE = 240
RESTARTS = ["-Drestart-strategy=fixed-delay", "-Drestart-strategy.fixed-delay.attempts=1000000", "-Drestart-strategy.fixed-delay.delay=200 ms"]
ONE_SLOT = ["-Dtaskmanager.numberOfTaskSlots=1", *RESTARTS]


def options(work, version="1.20"):
    """Flink's high availability with ZooKeeper, all else as it comes; restarts without end."""
    cluster = work.cluster
    key = "high-availability.type" if tuple(map(int, version.split(".")[:2])) >= (1, 17) else "high-availability"
    values = {
        key: "zookeeper",
        "high-availability.zookeeper.quorum": cluster.at("zk"),
        "high-availability.zookeeper.path.root": f"/{work.name}",
        "high-availability.storageDir": f"{cluster.fs}{work.hdfs_dir}/ha",
    }
    return [*(f"-D{name}={value}" for name, value in values.items()), *RESTARTS]


def counting(work, *more):
    """Arguments of the job Counting, which finds out by itself whether state is lost."""
    size = ["--elements", "100000000", "--delay", "10", "--keys", "4"]
    # Of a word that is there twice the later one counts.
    return ["--checkpoints", f"{work.cluster.fs}{work.hdfs_dir}/checkpoints", "--interval", "500", *size, *more]


def counting_session(work, jar, *more, workers=2):
    """A session with the job Counting on so many TaskManagers."""
    session = work.client().session("-nm", work.name, *ONE_SLOT, *more)
    session.run(jar, "Counting", *counting(work), options=["-d", "-p", str(workers)]).ok()
    return session, Application(work.cluster, session.application)


@dataclass
class State:
    """Of an application at one moment."""

    attempt: int
    # TaskManagers: container -> process id of its JVM.
    workers: dict
    checkpoint: int


class Application:
    """A highly available application with one job, whichever client deployed it."""

    def __init__(self, cluster, application):
        self.cluster, self.id = cluster, application

    def attempt(self):
        return len(self.cluster.yarn.attempts(self.id))

    def rest(self):
        """Through the ResourceManager, which knows where the web interface is; a session's own words may be
        those of an earlier attempt."""
        return Flink(f"{self.cluster.yarn.rm}/proxy/{self.id}")

    def newest(self):
        """The newest complete checkpoint of the only job, as Flink tells it; None while nothing can be
        learned."""
        with contextlib.suppress(OSError, ValueError, LookupError):
            rest = self.rest()
            [(job, state)] = rest.jobs().items()
            if state == "RUNNING":
                return rest.get(f"jobs/{job}/checkpoints")["latest"]["completed"]
        return None

    def goes_on(self):
        """The same, while the application may still get there: of one that has ended nobody waits for a
        checkpoint."""
        if newest := self.checkpoint():
            return newest
        app = {}
        with contextlib.suppress(OSError, ValueError, LookupError):
            app = self.cluster.yarn.app(self.id)
        assert app.get("state") not in FINISHED, f"it has ended {app['finalStatus']}: {app['diagnostics']}"
        return None

    def checkpoint(self):
        """Its id."""
        newest = self.newest()
        return newest and newest["id"]

    def workers(self):
        return {p.container: p.pid for p in processes.jvms(self.cluster, self.id) if not processes.is_master(p)}

    def settle(self, count=1, seconds=PATIENCE):
        """Waits until the job runs on so many TaskManagers and makes checkpoints."""
        first = wait_for("a checkpoint", self.goes_on, seconds)
        wait_for("another checkpoint", lambda: (self.goes_on() or 0) > first, seconds)
        wait_for(f"{count} TaskManagers", lambda: len(self.workers()) == count, 30)
        return State(self.attempt(), self.workers(), self.checkpoint())

    def recovered(self, before, seconds=PATIENCE):
        """Seconds until there is a checkpoint that is newer than any before."""
        began = time.monotonic()
        wait_for("a new checkpoint", lambda: (self.checkpoint() or 0) > before, seconds, every=0.1)
        return time.monotonic() - began

    def job_manager(self):
        """The process in which the JobManager runs."""
        [found] = [p for p in processes.jvms(self.cluster, self.id) if processes.is_master(p)]
        return found

    def master(self):
        """The process that is the ApplicationMaster for YARN: the JobManager itself, or heddle-am."""
        inside = [p for p in processes.of_application(self.cluster, self.id) if processes.is_master(p)]
        return next((p for p in inside if p.program == "heddle-am"), None) or self.job_manager()

    def kill(self, process):
        """kill -9; returns the newest checkpoint before it."""
        newest = wait_for("a checkpoint before the fault", self.checkpoint)
        os.kill(process.pid, signal.SIGKILL)
        wait_for("the process gone", lambda: not process.alive(), 10)
        # One that was complete already when the process died may be seen only now.
        return newest + 1

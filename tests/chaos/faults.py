"""How each fault is made. What it hit is told, so that a run can be read afterwards."""

import contextlib
import os
import signal
import subprocess
import threading
import urllib.error

from harness import processes
from harness.cluster import request
from harness.network import cannot_drop, dropped
from harness.waiting import wait_for

DAEMONS = ("resourcemanager", "nodemanager", "zookeeper", "datanode", "namenode")
# The key of the port that is dropped in a cluster's table of ports.
PORTS = {"scheduler": "rm-scheduler", "namenode": "nn"}


class Faults:
    """Makes faults in a cluster and in the applications that run on it, which may change
    (`applications()`)."""

    def __init__(self, cluster, applications):
        self.cluster, self.applications = cluster, applications
        self.timers, self.starting = [], threading.Lock()

    def make(self, fault):
        """What was hit: (text, the applications that it concerns); None where nothing of that kind was
        there."""
        verb, _, what = fault.kind.partition("-")
        everybody = [application.id for application in self.applications()]
        if verb == "drop":
            hit = self._drop(what, fault)
        elif verb == "safemode":
            hit = self._safe_mode(fault)
        elif what in DAEMONS:
            hit = self._daemon(verb, what, fault)
        else:
            application = self._application(fault)
            hit, everybody = self._process(verb, what, application, fault), [application.id]
        return hit and (hit, everybody)

    def undo(self):
        """Whatever still hangs, is stopped or is cut off goes on."""
        for timer, action in self.timers:
            timer.cancel()
            action()
        self.timers = []

    def _later(self, seconds, action):
        done, one = threading.Event(), threading.Lock()

        def once():
            with one:
                if not done.is_set():
                    done.set()
                    action()

        timer = threading.Timer(seconds, once)
        timer.daemon = True
        timer.start()
        self.timers = [(t, a) for t, a in self.timers if t.is_alive()]
        self.timers.append((timer, once))

    def _application(self, fault):
        applications = self.applications()
        return applications[int(fault.which * 997) % len(applications)]

    def _daemon(self, verb, what, fault):
        names = [daemon.name for daemon in self.cluster.daemons if daemon.name.startswith(what)]
        names = [name for name in names if self.cluster.pid(name)]
        if not names:
            return None
        name = names[int(fault.which * len(names))]
        pid = self.cluster.pid(name)
        if verb == "pause":
            os.kill(pid, signal.SIGSTOP)
            self._later(fault.lasts, lambda: _signal(pid, signal.SIGCONT))
        else:
            os.kill(pid, signal.SIGKILL)
            # A look that comes at once starts the daemon at once. One that is still ending would count as
            # running then, and would never be started again.
            wait_for(f"{name} gone", lambda: self.cluster.pid(name) is None, 60, every=0.05)
            self._later(fault.lasts, lambda: self._start(name))
        return f"{name} pid {pid} for {fault.lasts} s"

    def _start(self, name):
        # The cluster is written down in a file, which one thread at a time may change.
        with self.starting:
            self.cluster.start(name)

    def _safe_mode(self, fault):
        # A NameNode that is away, or that is started again, knows nothing of it.
        try:
            self.cluster.safe_mode("enter")
        except (AssertionError, subprocess.TimeoutExpired):
            return None
        self._later(fault.lasts, self._leave_safe_mode)
        return f"safe mode of the NameNode for {fault.lasts} s"

    def _leave_safe_mode(self):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.cluster.safe_mode("leave")

    def _drop(self, what, fault):
        """What is sent to a port disappears, as behind a firewall that has lost its connections."""
        if cannot_drop():
            return None
        port = self._control_port(fault) if what == "control" else self.cluster.ports[PORTS[what]]
        if port is None:
            return None
        rules = contextlib.ExitStack()
        rules.enter_context(dropped(port))
        self._later(fault.lasts, rules.close)
        return f"port {port} ({what}) for {fault.lasts} s"

    def _control_port(self, fault):
        """The port on which heddle-am listens for its taskrunners."""
        inside = processes.of_application(self.cluster, self._application(fault).id)
        found = [p.environment["HEDDLE_CONTROL"] for p in inside if "HEDDLE_CONTROL" in p.environment]
        return int(found[0].rpartition(":")[2]) if found else None

    def _process(self, verb, what, application, fault):
        inside = processes.of_application(self.cluster, application.id)
        of = {
            "taskmanager": lambda p: p.is_jvm and not processes.is_master(p),
            "taskrunner": lambda p: p.program == "heddle-taskrunner",
            "container": lambda p: p.is_jvm and not processes.is_master(p),
            "jobmanager": lambda p: p.is_jvm and processes.is_master(p),
            # Of Flink's own client the JobManager is the ApplicationMaster.
            "applicationmaster": lambda p: p.program == "heddle-am" or p.is_jvm and processes.is_master(p),
        }[what]
        found = sorted((p for p in inside if of(p)), key=lambda p: (p.is_jvm, p.pid))
        if not found:
            return None
        hit = found[0] if what == "applicationmaster" else found[int(fault.which * len(found))]
        if verb == "kill":
            _signal(hit.pid, signal.SIGKILL)
        elif verb == "pause":
            _signal(hit.pid, signal.SIGSTOP)
            self._later(fault.lasts, lambda: _signal(hit.pid, signal.SIGCONT))
        else:
            try:
                url = f"{self.cluster.yarn.rm}/ws/v1/cluster/containers/{hit.container}/signal/FORCEFUL_SHUTDOWN"
                request(f"{url}?user.name={self.cluster.user}", "POST")
            except (OSError, urllib.error.URLError) as error:
                return f"{hit.container}, but the ResourceManager did not answer: {error}"
        return f"{application.id} {hit.container} pid {hit.pid}"


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

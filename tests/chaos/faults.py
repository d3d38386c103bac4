"""How each fault is made. What it hit is told, so that a run can be read afterwards."""

import os
import signal
import threading
import urllib.error

from harness import processes
from harness.cluster import request


class Faults:
    """Makes faults in a cluster and in the applications that run on it."""

    def __init__(self, cluster, applications):
        self.cluster, self.applications = cluster, applications
        self.timers, self.starting = [], threading.Lock()

    def make(self, fault):
        """Text about what was hit; None where nothing of that kind was there."""
        verb, _, what = fault.kind.partition("-")
        if what in ("resourcemanager", "nodemanager", "zookeeper", "datanode", "namenode"):
            return self._daemon(verb, what, fault)
        application = self.applications[int(fault.which * 997) % len(self.applications)]
        return self._process(verb, what, application, fault)

    def undo(self):
        """Whatever still hangs or is stopped goes on."""
        for timer, action in self.timers:
            timer.cancel()
            action()
        self.timers = []

    def _later(self, seconds, action):
        done = threading.Event()

        def once():
            if not done.is_set():
                done.set()
                action()

        timer = threading.Timer(seconds, once)
        timer.daemon = True
        timer.start()
        self.timers = [(t, a) for t, a in self.timers if t.is_alive()]
        self.timers.append((timer, once))

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
            self._later(fault.lasts, lambda: self._start(name))
        return f"{name} pid {pid} for {fault.lasts} s"

    def _start(self, name):
        # The cluster is written down in a file, which one thread at a time may change.
        with self.starting:
            self.cluster.start(name)

    def _process(self, verb, what, application, fault):
        inside = processes.of_application(self.cluster, application.id)
        of = {
            "taskmanager": lambda p: p.is_jvm and not processes.is_master(p),
            "taskrunner": lambda p: p.program == "heddle-taskrunner",
            "container": lambda p: p.is_jvm and not processes.is_master(p),
            "jobmanager": lambda p: p.is_jvm and processes.is_master(p),
            "applicationmaster": lambda p: p.program == "heddle-am",
        }[what]
        found = sorted((p for p in inside if of(p)), key=lambda p: p.pid)
        if not found:
            return None
        hit = found[int(fault.which * len(found))]
        if verb == "kill":
            _signal(hit.pid, signal.SIGKILL)
        elif verb == "pause":
            _signal(hit.pid, signal.SIGSTOP)
            self._later(fault.lasts, lambda: _signal(hit.pid, signal.SIGCONT))
        else:
            url = f"{self.cluster.yarn.rm}/ws/v1/cluster/containers/{hit.container}/signal/FORCEFUL_SHUTDOWN"
            try:
                request(f"{url}?user.name={self.cluster.user}", "POST")
            except (OSError, urllib.error.URLError) as error:
                return f"{hit.container}, but the ResourceManager did not answer: {error}"
        return f"{application.id} {hit.container} pid {hit.pid}"


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

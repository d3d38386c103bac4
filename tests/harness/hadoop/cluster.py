"""A cluster of daemons that outlive whoever has started them. What is known of it is in its directory."""

import contextlib
import fcntl
import functools
import json
import operator
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

from . import pids
from .configuration import LOGGING, Options, Sites, free_ports
from .environment import CLUSTERS, DEFAULT_HADOOP, Failure, fetch, hadoop_directory, java_home, say, user
from .parts import START_SECONDS, Hdfs, Yarn, parts_of


class PseudoCluster:
    """The daemons of the cluster called `name`. Its directory is below `clusters`."""

    def __init__(self, name, clusters=CLUSTERS):
        if not name or name != Path(name).name or name.startswith("."):
            raise Failure(f"`{name}` cannot be the name of a cluster", "use letters, digits and `-`")
        self.name, self.clusters = name, Path(clusters).resolve()
        self.directory = self.clusters / name
        self.state = None

    # ---- what is known of it

    def load(self):
        """Whether there is such a cluster."""
        try:
            self.state = json.loads((self.directory / "cluster.json").read_text())
        except FileNotFoundError:
            self.state = None
            return False
        self._composed()
        return True

    def create(self, hadoop, options):
        """Writes down how a new cluster shall be."""
        self.state = {"hadoop": hadoop, "ports": {}, "options": asdict(options), "daemons": {}}
        self._composed()
        names = [port for daemon in self.daemons for port in daemon.ports]
        self.state["ports"] = dict(zip(names, free_ports(len(names), self.clusters)))
        for part in ("logs", "data"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        self.save()

    def _composed(self):
        self.options = Options.of(self.state["options"])
        self.parts = parts_of(self.options)
        self.daemons = [daemon for part in self.parts for daemon in part.daemons()]

    def save(self):
        temporary = self.directory / "cluster.json.new"
        temporary.write_text(json.dumps(self.state, indent=1))
        temporary.rename(self.directory / "cluster.json")

    @contextlib.contextmanager
    def locked(self):
        """Holds off any other `up` and `down` of this cluster."""
        self.clusters.mkdir(parents=True, exist_ok=True)
        with open(self.clusters / f".{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def hadoop(self):
        return self.state["hadoop"]

    @property
    def ports(self):
        return self.state["ports"]

    @property
    def conf(self):
        """The configuration that clients are given."""
        return self.directory / "conf"

    def at(self, port):
        return f"localhost:{self.ports[port]}"

    def url(self, port):
        return f"http://{self.at(port)}"

    def listens(self, port):
        try:
            socket.create_connection(("localhost", self.ports[port]), timeout=5).close()
        except OSError:
            return False
        return True

    def pid(self, daemon):
        """None when the daemon of this name does not run."""
        process = self.state["daemons"].get(daemon)
        return process["pid"] if process and pids.alive(process) else None

    # ---- configuration

    def environment(self):
        """Of the daemons and their containers. None of the caller's settings of Hadoop or Flink may reach
        them."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TZ", "JAVA_HOME") if key in os.environ}
        kept.setdefault("JAVA_HOME", java_home())
        kept |= {
            "USER": user(),
            "LANG": "C.UTF-8",
            "HADOOP_CONF_DIR": str(self.conf),
            "HADOOP_COMMON_HOME": str(hadoop_directory(self.hadoop)),
        }
        return functools.reduce(operator.or_, (part.environment(self) for part in self.parts), kept)

    def java_options(self):
        return [option for part in self.parts for option in part.java_options(self)]

    def classes(self):
        return [directory for part in self.parts for directory in part.classes(self)]

    def client_sites(self):
        return functools.reduce(operator.or_, (part.everywhere(self) for part in self.parts), Sites())

    def daemon_sites(self, daemon):
        """What clients have wins: it holds everywhere."""
        sites = Sites()
        for part in self.parts:
            sites |= part.of_daemons(self)
        for part in self.parts:
            sites |= part.of_daemon(self, daemon)
        return sites | self.client_sites()

    def write_configuration(self):
        self.client_sites().write(self.conf)
        for daemon in self.daemons:
            directory = self.directory / "daemons" / daemon.name
            self.daemon_sites(daemon).write(directory)
            (directory / "log4j.properties").write_text(LOGGING)

    # ---- life

    def up(self, options=None, hadoop=None):
        """Starts the cluster, or what is missing of it, and waits until it is ready.

        `options` and `hadoop` are those of a new cluster; one that exists keeps its own.
        """
        with self.locked():
            fresh = not self.load()
            if fresh:
                hadoop = hadoop or DEFAULT_HADOOP
                fetch("hadoop", hadoop)
                self.create(hadoop, options or Options())
            elif hadoop not in (None, self.hadoop):
                text = f"the cluster `{self.name}` is one of Hadoop {self.hadoop}, not {hadoop}"
                raise Failure(text, "take it down first, or name another")
            self.write_configuration()
            stopped = [daemon for daemon in self.daemons if self.pid(daemon.name) is None]
            if stopped:
                say(f"starting {', '.join(daemon.name for daemon in stopped)}")
            for daemon in sorted(stopped, key=self._prepares):
                for part in self.parts:
                    part.prepare(self, daemon)
                self._start(daemon)
            self._wait_ready()
            for part in self.parts:
                part.started(self, fresh, [daemon.name for daemon in stopped])
        active = f"ResourceManager {self.url(f'{self.active_resourcemanager()}-http')}"
        say(f"cluster `{self.name}` is up: {active}, NameNode {self.url(f'{self.active_namenode()}-http')}")

    def _prepares(self, daemon):
        return max(part.prepares(daemon) for part in self.parts)

    def part(self, kind):
        return next(part for part in self.parts if isinstance(part, kind))

    def active_resourcemanager(self):
        """The prefix of its ports (`rm`, or `rm1` and `rm2` of two); None when none is active."""
        return self.part(Yarn).active(self)

    def active_namenode(self):
        """The prefix of its ports (`nn`, or `nn1` and `nn2` of two); None when none is active."""
        return self.part(Hdfs).active(self)

    def daemon_of(self, prefix):
        """The daemon whose ports begin with this prefix (`rm1`: `resourcemanager1`)."""
        return next(daemon.name for daemon in self.daemons if prefix in daemon.ports)

    def _start(self, daemon):
        with open(self.log(daemon.name), "ab") as log:
            process = subprocess.Popen(
                daemon.command(self), cwd=self.directory, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.state["daemons"][daemon.name] = pids.record(process.pid)
        self.save()

    def log(self, daemon):
        return self.directory / "logs" / f"{daemon}.log"

    def problems(self):
        """What is not ready yet, as texts; empty when the cluster can be used."""
        if self.state is None:
            return [f"no cluster `{self.name}`"]
        dead = [f"{daemon.name} is not running" for daemon in self.daemons if self.pid(daemon.name) is None]
        return dead or [problem for part in self.parts for problem in part.problems(self)]

    def _wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while problems := self.problems():
            dead = [daemon.name for daemon in self.daemons if self.pid(daemon.name) is None]
            if dead or time.monotonic() > deadline:
                for daemon in dead:
                    say(f"--- end of {self.log(daemon)}")
                    say("\n".join(self.log(daemon).read_text(errors="replace").splitlines()[-20:]))
                hint = f"the logs are in {self.directory}/logs"
                raise Failure("the cluster did not come up: " + "; ".join(problems), hint)
            time.sleep(0.2)

    def processes(self, names):
        """The processes of these daemons, as `pids` takes them; a daemon that does not run is refused."""
        known = {daemon.name for daemon in self.daemons}
        for name in names:
            if name not in known:
                raise Failure(f"the cluster `{self.name}` has no daemon `{name}`", f"it has {', '.join(sorted(known))}")
            if self.pid(name) is None:
                raise Failure(f"{name} does not run", f"start it with `scripts/pseudo-cluster start {name}`")
        return [self.state["daemons"][name] for name in names]

    def kill(self, *names):
        """As a machine that loses its power would: nothing is said to anybody."""
        pids.kill(self.processes(names))

    def stop(self, *names):
        """As an administrator would."""
        pids.stop(self.processes(names), 20)

    def pause(self, *names):
        for process in self.processes(names):
            pids.send(process, signal.SIGSTOP)

    def resume(self, *names):
        for process in self.processes(names):
            pids.send(process, signal.SIGCONT)

    def start(self, *names):
        """Starts daemons that do not run, and does not wait until they are ready."""
        with self.locked():
            self.load()
            found = {daemon.name: daemon for daemon in self.daemons}
            for name in names:
                if name not in found:
                    raise Failure(f"the cluster `{self.name}` has no daemon `{name}`", f"it has {', '.join(sorted(found))}")
                if self.pid(name) is None:
                    self._start(found[name])

    def down(self, keep=False):
        """Stops every process of the cluster and removes its directory, unless that shall be kept."""
        with self.locked():
            if not self.load():
                return
            running = self.state["daemons"]
            for stage in sorted({daemon.stage for daemon in self.daemons}, reverse=True):
                members = [running[d.name] for d in self.daemons if d.stage == stage and d.name in running]
                if keep:
                    pids.stop(members, 10)
                else:
                    # Nothing that they would save is needed again.
                    pids.kill(members)
            # A process that ends may have started another one meanwhile.
            for _ in range(20):
                left = pids.in_containers(self.directory)
                if not left:
                    break
                pids.kill(left)
            self.state["daemons"] = {}
            self.save()
            if not keep:
                shutil.rmtree(self.directory, ignore_errors=True)

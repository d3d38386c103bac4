"""The simulated nodes of `src/`, as a process that takes commands."""

import json
import signal
import subprocess
import threading
from pathlib import Path

from harness.cluster import ROOT, Cluster
from harness.hadoop.environment import hadoop_directory
from harness.jars import built
from harness.waiting import wait_for

# JobManager and its ApplicationMaster fit into the one real node, and no worker beside them.
MASTER_MB, WORKER_MB = 2048, 1024
REAL_NODE_MB = MASTER_MB + WORKER_MB - 128


def built_taskrunners():
    """The program that stands for the taskrunners."""
    command = ["cargo", "build", "--locked", "--quiet", "--package", "taskrunner", "--example", "many_taskrunners", "--message-format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    made = [json.loads(line).get("executable") for line in done.stdout.splitlines()]
    return next(filter(None, reversed(made)))


def lone_node(name, settings=()):
    """A cluster whose only real node has just enough memory for one ApplicationMaster. `settings` are
    `KEY=VALUE` of Hadoop."""
    # Hadoop's default, unlike that of the small clusters: without a wait, whoever asks for nodes gets all
    # from the first ones.
    every = {"yarn.scheduler.capacity.node-locality-delay": 40} | dict(setting.split("=", 1) for setting in settings)
    # Heartbeats once a second, as in production.
    cluster = Cluster(name).up(heartbeat=1000, node_memory=REAL_NODE_MB, set=every)
    # Asked to end, it says goodbye to the ResourceManager, which then knows at once.
    cluster.signal("nodemanager2", signal.SIGTERM)
    wait_for("one node", lambda: active_nodes(cluster) == 1, 30)
    cluster.yarn.nms = cluster.yarn.nms[:1]
    return cluster


def active_nodes(cluster):
    return cluster.yarn.get("metrics")["clusterMetrics"]["activeNodes"]


def hosts_file(path, nodes):
    """Names for the nodes' addresses, for `-Djdk.net.hosts.file`: Hadoop's RPC client looks up the name of
    each address that it connects to, one at a time, and no cluster lacks names for its nodes."""
    lines = Path("/etc/hosts").read_text().splitlines()
    lines += [f"127.0.{number // 256}.{number % 256} node{number}" for number in range(2, nodes + 2)]
    path.write_text("\n".join(lines) + "\n")
    return path


class Simulator:
    """`nodes` NodeManagers with `memory_mb` each and a core for each GB. They are there between `join` and
    `leave`."""

    def __init__(self, cluster, nodes, memory_mb, log, taskrunners=None, heartbeat_ms=0):
        self.cluster, self.nodes = cluster, nodes
        hadoop = hadoop_directory(cluster.hadoop)
        class_path = f"{built('scale', hadoop, hadoop.name, 'nodes.jar')}:{cluster.conf}:{hadoop}/lib/*"
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", "-cp", class_path]
        command += ["SimulatedNodes", nodes, memory_mb, memory_mb // 1024, heartbeat_ms, *([taskrunners] if taskrunners else [])]
        self.log = open(log, "ab")
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def ask(self, command, seconds=60):
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{command}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"the simulated nodes did not answer `{command}` within {seconds} s, see {self.log.name}"
        answer = json.loads(line)
        assert "error" not in answer, answer
        return answer

    def join(self):
        self.ask("reset")
        self.ask("join")
        wait_for(f"{self.nodes} nodes more", lambda: active_nodes(self.cluster) == self.nodes + 1, 60)

    def leave(self):
        self.ask("leave")
        wait_for("the simulated nodes gone", lambda: active_nodes(self.cluster) == 1, 60)

    def count(self):
        return self.ask("count")

    def report(self):
        return self.ask("report")

    def close(self):
        """The end of stdin ends it."""
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

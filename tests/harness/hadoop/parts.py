"""What a cluster consists of.

A cluster is a list of parts. A part brings daemons, settings for clients and daemons, and what has to be done around the
start of them. `parts_of` chooses the parts by the options of the cluster; whatever a cluster can have besides (a KDC,
ZooKeeper, a second ResourceManager or NameNode) is a part more, or an option of one of these.
"""

import json
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass

from .configuration import Sites
from .environment import Failure, hadoop_directory, user

HDFS = "org.apache.hadoop.hdfs.server"
YARN = "org.apache.hadoop.yarn.server"
# Queue -> (capacity, maximum capacity) in percent. One ApplicationMaster fills `narrow`, so the next one
# waits there.
QUEUES = {"default": (60, 100), "qa-team": (20, 100), "reports": (15, 100), "narrow": (5, 10)}
# A cluster beside eight other busy processes has been seen to need more than two minutes.
START_SECONDS = 300


def get_json(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


@dataclass(frozen=True)
class Daemon:
    """A process of a cluster. Daemons of a higher stage are stopped first, because they need those of lower ones."""

    name: str
    ports: tuple
    stage: int

    def command(self, cluster):
        raise NotImplementedError


@dataclass(frozen=True)
class JavaDaemon(Daemon):
    main: str
    heap_mb: int

    def command(self, cluster, *arguments):
        hadoop = hadoop_directory(cluster.hadoop)
        return [
            f"{cluster.environment()['JAVA_HOME']}/bin/java", f"-Xmx{self.heap_mb}m", "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", f"-Dproc={self.name}-{cluster.name}",
            "--add-opens", "java.base/java.lang=ALL-UNNAMED", "--add-opens", "java.base/java.util=ALL-UNNAMED",
            "-cp", f"{cluster.directory}/daemons/{self.name}:{hadoop}:{hadoop}/lib/*", self.main, *arguments,
        ]  # fmt: skip


class Part:
    """The defaults are those of a part that has no such thing."""

    def daemons(self):
        return []

    def everywhere(self, cluster):
        """Settings of clients and daemons."""
        return Sites()

    def of_daemons(self, cluster):
        """Settings of all daemons, which clients do not have."""
        return Sites()

    def of_daemon(self, cluster, daemon):
        """Settings of one daemon."""
        return Sites()

    def prepare(self, cluster, daemon):
        """Before a daemon is started. Daemons for which `prepares` holds are started last, while the others start up."""

    def prepares(self, daemon):
        return False

    def problems(self, cluster):
        """What is not ready yet, as texts. Asked once every daemon runs."""
        return []

    def started(self, cluster, fresh, daemons):
        """After the cluster has become ready: `fresh` at its first start, `daemons` are the names of those just started."""


class Hdfs(Part):
    """A NameNode and a DataNode."""

    def daemons(self):
        return [
            JavaDaemon("namenode", ("nn", "nn-http"), 0, f"{HDFS}.namenode.NameNode", 256),
            JavaDaemon("datanode", ("dn", "dn-http", "dn-ipc"), 1, f"{HDFS}.datanode.DataNode", 256),
        ]

    def everywhere(self, cluster):
        core = {"fs.defaultFS": f"hdfs://{cluster.at('nn')}", "hadoop.tmp.dir": f"{cluster.directory}/data/tmp"}
        hdfs = {
            "dfs.replication": 1,
            "dfs.namenode.rpc-address": cluster.at("nn"),
            "dfs.namenode.http-address": cluster.at("nn-http"),
        }
        return Sites(core=core, hdfs=hdfs)

    def of_daemons(self, cluster):
        hdfs = {
            "dfs.namenode.name.dir": f"file://{cluster.directory}/data/name",
            "dfs.datanode.data.dir": f"file://{cluster.directory}/data/blocks",
            "dfs.datanode.address": cluster.at("dn"),
            "dfs.datanode.http.address": cluster.at("dn-http"),
            "dfs.datanode.ipc.address": cluster.at("dn-ipc"),
            "dfs.namenode.safemode.extension": 0,
            "dfs.namenode.secondary.http-address": "localhost:0",
            "dfs.namenode.handler.count": 10,
        }
        return Sites(hdfs=hdfs)

    def prepares(self, daemon):
        return daemon.name == "namenode"

    def prepare(self, cluster, daemon):
        """Formats the file system the first time."""
        if daemon.name != "namenode" or (cluster.directory / "data/name/current/VERSION").exists():
            return
        shutil.rmtree(cluster.directory / "data", ignore_errors=True)
        done = subprocess.run(
            daemon.command(cluster, "-format", "-nonInteractive"), cwd=cluster.directory, env=cluster.environment(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failure(f"the NameNode could not be formatted:\n{done.stderr[-2000:]}")

    def problems(self, cluster):
        found = []
        try:
            url = f"{cluster.url('nn-http')}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"
            if get_json(url)["beans"][0]["Safemode"]:
                found.append("the NameNode is in safe mode")
        except (OSError, ValueError, LookupError):
            found.append("the NameNode does not answer")
        try:
            # The DataNode is asked, because the NameNode counts a DataNode that was killed as alive for
            # minutes.
            url = f"{cluster.url('dn-http')}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo"
            actors = json.loads(get_json(url)["beans"][0]["BPServiceActorInfo"])
            if not actors or not all(actor["ActorState"] == "RUNNING" for actor in actors):
                found.append("the DataNode has not registered")
        except (OSError, ValueError, LookupError):
            found.append("the DataNode does not answer")
        return found

    def started(self, cluster, fresh, daemons):
        """Makes the user's home and /tmp, as an administrator would."""
        if not fresh and "namenode" not in daemons:
            return
        for path, mode in (("/tmp", "1777"), (f"/user/{user()}", "755")):
            query = f"op=MKDIRS&permission={mode}&user.name={user()}"
            request = urllib.request.Request(f"{cluster.url('nn-http')}/webhdfs/v1{path}?{query}", method="PUT")
            urllib.request.urlopen(request, timeout=60).close()


class Yarn(Part):
    """A ResourceManager with the capacity scheduler, and some NodeManagers."""

    def __init__(self, nodes=2):
        self.nodes = range(1, nodes + 1)

    def daemons(self):
        ports = ("rm", "rm-scheduler", "rm-tracker", "rm-admin", "rm-http")
        resourcemanager = JavaDaemon("resourcemanager", ports, 1, f"{YARN}.resourcemanager.ResourceManager", 384)
        return [resourcemanager] + [
            JavaDaemon(
                f"nodemanager{node}", (f"nm{node}", f"nm{node}-localizer", f"nm{node}-http"), 2,
                f"{YARN}.nodemanager.NodeManager", 256,
            )
            for node in self.nodes
        ]  # fmt: skip

    def everywhere(self, cluster):
        options = cluster.options
        yarn = {
            "yarn.resourcemanager.hostname": "localhost",
            "yarn.resourcemanager.address": cluster.at("rm"),
            "yarn.resourcemanager.scheduler.address": cluster.at("rm-scheduler"),
            "yarn.resourcemanager.resource-tracker.address": cluster.at("rm-tracker"),
            "yarn.resourcemanager.admin.address": cluster.at("rm-admin"),
            "yarn.resourcemanager.webapp.address": cluster.at("rm-http"),
            "yarn.resourcemanager.am.max-attempts": 2,
            # The variables are the NodeManager's, as on a cluster that was installed by hand.
            "yarn.application.classpath": "$HADOOP_CONF_DIR,$HADOOP_COMMON_HOME/lib/*",
            # Long enough for a JobManager to start on a busy machine.
            "yarn.am.liveness-monitor.expiry-interval-ms": 60000,
            "yarn.scheduler.minimum-allocation-mb": 128,
            "yarn.scheduler.maximum-allocation-mb": options.max_memory,
            "yarn.scheduler.maximum-allocation-vcores": options.node_vcores,
            "yarn.log-aggregation-enable": str(options.log_aggregation).lower(),
            "yarn.nodemanager.remote-app-log-dir": "/tmp/logs",
        }
        return Sites(yarn=yarn)

    def of_daemons(self, cluster):
        options = cluster.options
        yarn = {
            "yarn.resourcemanager.scheduler.class": f"{YARN}.resourcemanager.scheduler.capacity.CapacityScheduler",
            "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": options.heartbeat,
            "yarn.nm.liveness-monitor.expiry-interval-ms": 60000,
            "yarn.nodemanager.resource.memory-mb": options.node_memory,
            "yarn.nodemanager.resource.cpu-vcores": options.node_vcores,
            "yarn.nodemanager.vmem-check-enabled": "false",
            "yarn.nodemanager.pmem-check-enabled": "true",
            # With its default, true, the NodeManager of Hadoop 3 leaves memory to the kernel's cgroups and
            # checks nothing itself.
            "yarn.nodemanager.resource.memory.enforced": "false",
            "yarn.nodemanager.delete.debug-delay-sec": 0,
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        }
        scheduler = {
            "yarn.scheduler.capacity.root.queues": ",".join(QUEUES),
            "yarn.scheduler.capacity.maximum-am-resource-percent": 0.8,
            "yarn.scheduler.capacity.resource-calculator":
                "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator",
            "yarn.scheduler.capacity.node-locality-delay": -1,
        }  # fmt: skip
        for queue, (share, maximum) in QUEUES.items():
            prefix = f"yarn.scheduler.capacity.root.{queue}"
            scheduler |= {f"{prefix}.capacity": share, f"{prefix}.maximum-capacity": maximum, f"{prefix}.state": "RUNNING"}
            # One user may have all of it.
            scheduler[f"{prefix}.user-limit-factor"] = 20
        return Sites(yarn=yarn, scheduler=scheduler)

    def of_daemon(self, cluster, daemon):
        if not daemon.name.startswith("nodemanager"):
            return Sites()
        node = f"nm{daemon.name.removeprefix('nodemanager')}"
        yarn = {
            "yarn.nodemanager.hostname": "localhost",
            "yarn.nodemanager.address": cluster.at(node),
            "yarn.nodemanager.localizer.address": cluster.at(f"{node}-localizer"),
            "yarn.nodemanager.webapp.address": cluster.at(f"{node}-http"),
            "yarn.nodemanager.local-dirs": f"{cluster.directory}/{daemon.name}/local",
            "yarn.nodemanager.log-dirs": f"{cluster.directory}/{daemon.name}/logs",
        }
        return Sites(yarn=yarn)

    def problems(self, cluster):
        try:
            nodes = get_json(f"{cluster.url('rm-http')}/ws/v1/cluster/nodes?states=RUNNING").get("nodes") or {}
        except (OSError, ValueError):
            return ["the ResourceManager does not answer"]
        count = len(nodes.get("node", []))
        return [f"{count} of {len(self.nodes)} NodeManagers have registered"] if count < len(self.nodes) else []


class NodeLabel(Part):
    """An exclusive node label, which the second NodeManager has."""

    def __init__(self, label):
        self.label = label

    def everywhere(self, cluster):
        yarn = {
            "yarn.node-labels.enabled": "true",
            "yarn.node-labels.fs-store.root-dir": f"file://{cluster.directory}/data/node-labels",
        }
        return Sites(yarn=yarn)

    def of_daemons(self, cluster):
        root = "yarn.scheduler.capacity.root"
        scheduler = {f"{root}.accessible-node-labels.{self.label}.capacity": 100}
        for queue, (share, _) in QUEUES.items():
            labels = f"{root}.{queue}.accessible-node-labels"
            scheduler |= {labels: self.label, f"{labels}.{self.label}.capacity": share}
            scheduler[f"{labels}.{self.label}.maximum-capacity"] = 100
        return Sites(scheduler=scheduler)

    def started(self, cluster, fresh, daemons):
        """The ResourceManager keeps both over restarts."""
        if not fresh:
            return

        def post(path, body):
            url = f"{cluster.url('rm-http')}/ws/v1/cluster/{path}?user.name={user()}"
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
            urllib.request.urlopen(request, timeout=10).close()

        post("add-node-labels", {"nodeLabelInfo": [{"name": self.label, "exclusivity": True}]})
        post("replace-node-to-labels", {"nodeToLabels": [{"nodeId": cluster.at("nm2"), "labels": [self.label]}]})


class ResourceTypes(Part):
    """Types of resource beside memory and virtual cores, of which each NodeManager has some."""

    def __init__(self, amounts):
        self.amounts = amounts

    def everywhere(self, cluster):
        return Sites(resource_types={"yarn.resource-types": ",".join(self.amounts)})

    def of_daemon(self, cluster, daemon):
        if not daemon.name.startswith("nodemanager"):
            return Sites()
        return Sites(
            node_resources={f"yarn.nodemanager.resource-type.{name}": amount for name, amount in self.amounts.items()}
        )


class Settings(Part):
    """Whatever the user sets. It is the last part, so that it wins."""

    def __init__(self, settings):
        self.sites = Sites.by_key(settings)

    def everywhere(self, cluster):
        return Sites(core=self.sites.core, hdfs=self.sites.hdfs, yarn=self.sites.yarn)

    def of_daemons(self, cluster):
        return Sites(scheduler=self.sites.scheduler)


def parts_of(options):
    found = [Hdfs(), Yarn()]
    if options.node_label:
        found.append(NodeLabel(options.node_label))
    if options.resource_types:
        found.append(ResourceTypes(options.resource_types))
    found.append(Settings(options.set))
    return found

"""YARN: ResourceManagers with the capacity scheduler, NodeManagers, and what they can have besides."""

import json
import urllib.request

from ..configuration import Sites
from ..environment import user
from .base import JavaDaemon, Part, answers, get_json, numbered

SERVER = "org.apache.hadoop.yarn.server"
# Queue -> (capacity, maximum capacity) in percent. One ApplicationMaster fills `narrow`, so the next one
# waits there.
QUEUES = {"default": (60, 100), "qa-team": (20, 100), "reports": (15, 100), "narrow": (5, 10)}


# Setting -> the part of a port's name behind that of its ResourceManager.
ADDRESSES = {
    "address": "", "scheduler.address": "-scheduler", "resource-tracker.address": "-tracker",
    "admin.address": "-admin", "webapp.address": "-http",
}  # fmt: skip


class Yarn(Part):
    """One ResourceManager with the capacity scheduler, or two of which one is active, and some
    NodeManagers."""

    def __init__(self, nodes=2, resourcemanagers=1):
        self.nodes = range(1, nodes + 1)
        self.shared = resourcemanagers > 1
        self.managers = numbered("resourcemanager", "rm", resourcemanagers)

    @property
    def only(self):
        """The prefix of the ports where there is one ResourceManager."""
        return "rm"

    def daemons(self):
        main = f"{SERVER}.resourcemanager.ResourceManager"
        return [
            JavaDaemon(daemon, tuple(f"{port}{suffix}" for suffix in ADDRESSES.values()), 2, main, 384)
            for daemon, port in self.managers.items()
        ] + [
            JavaDaemon(
                f"nodemanager{node}", (f"nm{node}", f"nm{node}-localizer", f"nm{node}-http"), 3,
                f"{SERVER}.nodemanager.NodeManager", 256,
            )
            for node in self.nodes
        ]  # fmt: skip

    def everywhere(self, cluster):
        options = cluster.options
        yarn = {
            "yarn.resourcemanager.hostname": "localhost",
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
        for port in self.managers.values():
            for setting, suffix in ADDRESSES.items():
                key = f"yarn.resourcemanager.{setting}" + (f".{port}" if self.shared else "")
                yarn[key] = cluster.at(f"{port}{suffix}")
        if self.shared:
            yarn |= {
                "yarn.resourcemanager.ha.enabled": "true",
                "yarn.resourcemanager.ha.rm-ids": ",".join(self.managers.values()),
                "yarn.resourcemanager.cluster-id": cluster.name,
                "yarn.resourcemanager.zk-address": cluster.at("zk"),
            }
        return Sites(yarn=yarn)

    def of_daemons(self, cluster):
        options = cluster.options
        yarn = {
            "yarn.resourcemanager.scheduler.class": f"{SERVER}.resourcemanager.scheduler.capacity.CapacityScheduler",
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
        if self.shared:
            # NodeManagers would sleep for half a minute between tries, and be away for a minute after a
            # failover.
            yarn |= {"yarn.client.failover-sleep-base-ms": 500, "yarn.client.failover-sleep-max-ms": 2000}
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
        if self.shared and daemon.name in self.managers:
            return Sites(yarn={"yarn.resourcemanager.ha.id": self.managers[daemon.name]})
        if not daemon.name.startswith("nodemanager"):
            return Sites()
        number = daemon.name.removeprefix("nodemanager")
        node = f"nm{number}"
        host = f"127.0.0.{1 + int(number)}" if cluster.options.node_addresses else "localhost"
        yarn = {
            "yarn.nodemanager.hostname": host,
            "yarn.nodemanager.address": f"{host}:{cluster.ports[node]}",
            "yarn.nodemanager.localizer.address": f"{host}:{cluster.ports[f'{node}-localizer']}",
            # Everybody reads it by the name `localhost`.
            "yarn.nodemanager.webapp.address": f"0.0.0.0:{cluster.ports[f'{node}-http']}",
            "yarn.nodemanager.local-dirs": f"{cluster.directory}/{daemon.name}/local",
            "yarn.nodemanager.log-dirs": f"{cluster.directory}/{daemon.name}/logs",
        }
        return Sites(yarn=yarn)

    def active(self, cluster):
        """The prefix of the ports of the ResourceManager that is active; None if none is."""
        for port in self.managers.values():
            info = answers(lambda port=port: get_json(f"{cluster.url(f'{port}-http')}/ws/v1/cluster/info")["clusterInfo"])
            if info and info["haState"] == "ACTIVE":
                return port
        return None

    def problems(self, cluster):
        active = self.active(cluster)
        if active is None:
            return ["no ResourceManager is active" if self.shared else "the ResourceManager does not answer"]
        nodes = answers(lambda: get_json(f"{cluster.url(f'{active}-http')}/ws/v1/cluster/nodes?states=RUNNING"))
        count = len(((nodes or {}).get("nodes") or {}).get("node", []))
        return [f"{count} of {len(self.nodes)} NodeManagers have registered"] if count < len(self.nodes) else []


class Recovery(Part):
    """ResourceManagers and NodeManagers that go on after a restart with the applications and containers that
    they had."""

    def __init__(self, shared):
        # Two ResourceManagers need a store that both reach.
        self.shared = shared

    def of_daemons(self, cluster):
        store = f"{SERVER}.resourcemanager.recovery." + ("ZKRMStateStore" if self.shared else "FileSystemRMStateStore")
        yarn = {
            "yarn.resourcemanager.recovery.enabled": "true",
            "yarn.resourcemanager.store.class": store,
            "yarn.resourcemanager.fs.state-store.uri": f"file://{cluster.directory}/data/resourcemanager",
        }
        return Sites(yarn=yarn)

    def of_daemon(self, cluster, daemon):
        if not daemon.name.startswith("nodemanager"):
            return Sites()
        yarn = {
            "yarn.nodemanager.recovery.enabled": "true",
            "yarn.nodemanager.recovery.dir": f"{cluster.directory}/{daemon.name}/recovery",
            # Containers are left running whenever the NodeManager ends: somebody starts it again.
            "yarn.nodemanager.recovery.supervised": "true",
        }
        return Sites(yarn=yarn)


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
            url = f"{cluster.url(f'{cluster.active_resourcemanager()}-http')}/ws/v1/cluster/{path}?user.name={user()}"
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

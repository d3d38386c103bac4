"""HDFS: one NameNode or two of which one is active, and a DataNode."""

import json
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass

from ..configuration import Sites
from ..environment import Failure, user
from .base import START_SECONDS, JavaDaemon, Part, answers, get_json, numbered

SERVER = "org.apache.hadoop.hdfs.server"
# What clients call two NameNodes together.
NAMESERVICE = "heddle"


@dataclass(frozen=True)
class FailoverController(JavaDaemon):
    """Makes the standby NameNode active when ZooKeeper says that the other's controller is gone."""


class Hdfs(Part):
    def __init__(self, namenodes=1):
        self.shared = namenodes > 1
        self.namenodes = numbered("namenode", "nn", namenodes)

    @property
    def only(self):
        """The prefix of the ports where there is one NameNode."""
        return "nn"

    def daemons(self):
        found = [
            JavaDaemon(daemon, (port, f"{port}-http"), 1, f"{SERVER}.namenode.NameNode", 256)
            for daemon, port in self.namenodes.items()
        ]
        found.append(JavaDaemon("datanode", ("dn", "dn-http", "dn-ipc"), 2, f"{SERVER}.datanode.DataNode", 256))
        if self.shared:
            journal = "org.apache.hadoop.hdfs.qjournal.server.JournalNode"
            found.append(JavaDaemon("journalnode", ("jn", "jn-http"), 0, journal, 128))
            controller = "org.apache.hadoop.hdfs.tools.DFSZKFailoverController"
            for port in self.namenodes.values():
                found.append(FailoverController(f"failover-{port}", (f"{port}-failover",), 2, controller, 128))
        return found

    def address(self, cluster):
        """What `fs.defaultFS` has behind `hdfs://`."""
        return NAMESERVICE if self.shared else cluster.at("nn")

    def everywhere(self, cluster):
        core = {"fs.defaultFS": f"hdfs://{self.address(cluster)}", "hadoop.tmp.dir": f"{cluster.directory}/data/tmp"}
        hdfs = {"dfs.replication": 1}
        for port in self.namenodes.values():
            suffix = f".{NAMESERVICE}.{port}" if self.shared else ""
            hdfs[f"dfs.namenode.rpc-address{suffix}"] = cluster.at(port)
            hdfs[f"dfs.namenode.http-address{suffix}"] = cluster.at(f"{port}-http")
        if self.shared:
            provider = f"{SERVER}.namenode.ha.ConfiguredFailoverProxyProvider"
            hdfs |= {
                "dfs.nameservices": NAMESERVICE,
                f"dfs.ha.namenodes.{NAMESERVICE}": ",".join(self.namenodes.values()),
                f"dfs.client.failover.proxy.provider.{NAMESERVICE}": provider,
                "dfs.ha.automatic-failover.enabled": "true",
            }
        return Sites(core=core, hdfs=hdfs)

    def of_daemons(self, cluster):
        hdfs = {
            "dfs.datanode.data.dir": f"file://{cluster.directory}/data/blocks",
            "dfs.datanode.address": cluster.at("dn"),
            "dfs.datanode.http.address": cluster.at("dn-http"),
            "dfs.datanode.ipc.address": cluster.at("dn-ipc"),
            "dfs.namenode.safemode.extension": 0,
            "dfs.namenode.secondary.http-address": "localhost:0",
            "dfs.namenode.handler.count": 10,
        }
        if self.shared:
            hdfs |= {
                "dfs.namenode.shared.edits.dir": f"qjournal://{cluster.at('jn')}/{NAMESERVICE}",
                "dfs.journalnode.rpc-address": cluster.at("jn"),
                "dfs.journalnode.http-address": cluster.at("jn-http"),
                "dfs.journalnode.edits.dir": f"{cluster.directory}/data/journal",
                # The JournalNode itself shuts out a NameNode that is no longer the active one.
                "dfs.ha.fencing.methods": "shell(/bin/true)",
            }
        return Sites(hdfs=hdfs)

    def of_daemon(self, cluster, daemon):
        port = self.namenodes.get(daemon.name) or daemon.name.removeprefix("failover-")
        if port not in self.namenodes.values():
            return Sites()
        hdfs = {"dfs.namenode.name.dir": f"file://{name_directory(cluster, port)}"}
        if self.shared:
            hdfs |= {"dfs.ha.namenode.id": port, "dfs.ha.zkfc.port": cluster.ports[f"{port}-failover"]}
        return Sites(hdfs=hdfs)

    def prepares(self, daemon):
        """The first NameNode is formatted before the second one takes a copy, and both are before their
        controllers."""
        order = [*self.namenodes, *(f"failover-{port}" for port in self.namenodes.values())]
        return order.index(daemon.name) + 1 if daemon.name in order else 0

    def prepare(self, cluster, daemon):
        """Formats what a daemon needs the first time."""
        if daemon.name == "journalnode":
            # It refuses to start without these; empty ones do, only its web pages are missing.
            for page in ("journal", "static"):
                (cluster.directory / f"daemons/journalnode/webapps/{page}").mkdir(parents=True, exist_ok=True)
        first, *others = self.namenodes.values()
        port = self.namenodes.get(daemon.name)
        made = port and (name_directory(cluster, port) / "current/VERSION").exists()
        if port == first and not made:
            shutil.rmtree(name_directory(cluster, port), ignore_errors=True)
            shutil.rmtree(cluster.directory / "data/blocks", ignore_errors=True)
            if self.shared:
                wait_listening(cluster, "jn", "the JournalNode")
            format(cluster, daemon, "-format", "-nonInteractive")
        elif port in others and not made:
            # What `-bootstrapStandby` would fetch from the first one, had that started already.
            shutil.copytree(name_directory(cluster, first), name_directory(cluster, port))
        elif daemon.name == f"failover-{first}" and not (marker := cluster.directory / "data/failover").exists():
            wait_listening(cluster, "zk", "ZooKeeper")
            format(cluster, daemon, "-formatZK", "-nonInteractive")
            marker.touch()

    def active(self, cluster):
        """The prefix of the ports of the NameNode that is active; None if none is."""
        for port in self.namenodes.values():
            if answers(lambda port=port: bean(cluster, f"{port}-http", "NameNode", "NameNodeStatus")["State"]) == "active":
                return port
        return None

    def problems(self, cluster):
        found = []
        try:
            for port in self.namenodes.values():
                if bean(cluster, f"{port}-http", "NameNode", "NameNodeInfo")["Safemode"]:
                    found.append("the NameNode is in safe mode")
        except (OSError, ValueError, LookupError):
            found.append("the NameNode does not answer")
        if not found and self.active(cluster) is None:
            found.append("no NameNode is active")
        try:
            # The DataNode is asked, because the NameNode counts a DataNode that was killed as alive for
            # minutes.
            actors = json.loads(bean(cluster, "dn-http", "DataNode", "DataNodeInfo")["BPServiceActorInfo"])
            if not actors or not all(actor["ActorState"] == "RUNNING" for actor in actors):
                found.append("the DataNode has not registered")
        except (OSError, ValueError, LookupError):
            found.append("the DataNode does not answer")
        return found

    def started(self, cluster, fresh, daemons):
        """Makes the user's home and /tmp, as an administrator would. With Kerberos that is another part's
        task."""
        if cluster.options.kerberos:
            return
        if not fresh and not set(daemons) & set(self.namenodes):
            return
        for path, mode in (("/tmp", "1777"), (f"/user/{user()}", "755")):
            query = f"op=MKDIRS&permission={mode}&user.name={user()}"
            url = f"{cluster.url(f'{self.active(cluster)}-http')}/webhdfs/v1{path}?{query}"
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60).close()


def name_directory(cluster, port):
    return cluster.directory / "data" / port.replace("nn", "name")


def bean(cluster, port, service, name):
    return get_json(f"{cluster.url(port)}/jmx?qry=Hadoop:service={service},name={name}")["beans"][0]


def wait_listening(cluster, port, what):
    deadline = time.monotonic() + START_SECONDS
    while not cluster.listens(port):
        if time.monotonic() > deadline:
            raise Failure(f"{what} does not listen at {cluster.at(port)} after {START_SECONDS} s")
        time.sleep(0.1)


def format(cluster, daemon, *arguments):
    done = subprocess.run(
        daemon.command(cluster, *arguments), cwd=cluster.directory, env=cluster.environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failure(f"{daemon.name} {arguments[0]} failed:\n{done.stderr[-2000:]}")

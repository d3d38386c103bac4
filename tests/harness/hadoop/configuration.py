"""Hadoop's configuration files and the ports that are in them."""

import contextlib
import json
import os
import random
import socket
from dataclasses import dataclass, field, fields
from xml.sax.saxutils import escape

from .environment import Failure

# Below the range from which Linux takes ports for outgoing connections, so that none of these takes a port
# between the time it is chosen and the time a daemon listens on it.
PORTS = range(12000, 32000)

LOGGING = """\
log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %c{2}: %m%n
"""


@dataclass
class Options:
    """How a new cluster shall be. They are kept with the cluster: a daemon that is started again has the same
    ones."""

    heartbeat: int = 1000
    nodes: int = 2
    node_memory: int = 8192
    node_vcores: int = 16
    # Each NodeManager has an address of its own (127.0.0.2 and so on), as on real machines.
    node_addresses: bool = False
    max_memory: int = 6144
    log_aggregation: bool = False
    node_label: str | None = None
    # ResourceManagers and NodeManagers that go on with what they had before a restart.
    recovery: bool = False
    # Whom containers run as: `submitter`, or the name of one user for all. None: the user of the daemons.
    container_users: str | None = None
    zookeeper: bool = False
    # One of each, or two of which one is active; two need ZooKeeper, which they then have.
    resourcemanagers: int = 1
    namenodes: int = 1
    # With a KDC, and nobody believed who cannot prove who he is; recovery comes with it.
    kerberos: bool = False
    # What RPC and data transfer of such a cluster do: `authentication`, `integrity` or `privacy`.
    protection: str = "authentication"
    # Of its delegation tokens, in seconds: how long they hold without renewal, and how long at most.
    token_renewal: int | None = None
    token_lifetime: int | None = None
    # Type of resource -> how much of it each NodeManager has.
    resource_types: dict = field(default_factory=dict)
    # Settings of Hadoop, for clients and daemons.
    set: dict = field(default_factory=dict)

    @classmethod
    def of(cls, kept):
        """From a file that another version of this program may have written."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in kept.items() if key in known})


@dataclass
class Sites:
    """Settings by the file that they belong to."""

    core: dict = field(default_factory=dict)
    hdfs: dict = field(default_factory=dict)
    yarn: dict = field(default_factory=dict)
    # Of the daemons alone. They are written where they are not empty.
    scheduler: dict = field(default_factory=dict)
    resource_types: dict = field(default_factory=dict)
    node_resources: dict = field(default_factory=dict)

    FILES = {
        "core": "core-site.xml",
        "hdfs": "hdfs-site.xml",
        "yarn": "yarn-site.xml",
        "scheduler": "capacity-scheduler.xml",
        "resource_types": "resource-types.xml",
        "node_resources": "node-resources.xml",
    }

    def __or__(self, other):
        """Both; where both set a key, the other's value counts."""
        return Sites(*(getattr(self, f.name) | getattr(other, f.name) for f in fields(Sites)))

    @classmethod
    def by_key(cls, settings):
        """Puts each setting into the file in which Hadoop looks for it."""
        sites = cls()
        for key, value in settings.items():
            if key.startswith("yarn.scheduler.capacity."):
                sites.scheduler[key] = value
            elif key.startswith("dfs."):
                sites.hdfs[key] = value
            elif key.startswith("yarn."):
                sites.yarn[key] = value
            else:
                sites.core[key] = value
        return sites

    def write(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, file in self.FILES.items():
            values = getattr(self, name)
            if values or name in ("core", "hdfs", "yarn"):
                put(directory / file, site_xml(values))


def put(file, text):
    """Writes a file that others may read at any moment: whoever opens it finds the old text or the new
    one."""
    if file.exists() and file.read_text() == text:
        return
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(file)


def site_xml(values):
    lines = ['<?xml version="1.0"?>', "<configuration>"]
    for key, value in sorted(values.items()):
        lines.append(f"  <property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>")
    lines.append("</configuration>\n")
    return "\n".join(lines)


def free_ports(count, clusters):
    """Ports that nobody listens on and that no cluster below the directory `clusters` has for itself."""
    taken = set()
    for state in clusters.glob("*/cluster.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            taken.update(json.loads(state.read_text())["ports"].values())
    ports = []
    candidates = [port for port in PORTS if port not in taken]
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise Failure("no free ports for the cluster")

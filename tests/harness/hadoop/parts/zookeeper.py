"""ZooKeeper: one server, of the release that Hadoop brings along."""

import contextlib
import socket
from dataclasses import dataclass

from ..configuration import Sites
from .base import JavaDaemon, Part

# With two seconds the longest session is 40 s, which is what ZooKeeper's own example configuration gives.
TICK_MS = 2000


@dataclass(frozen=True)
class Server(JavaDaemon):
    def command(self, cluster, *arguments):
        return super().command(cluster, *arguments, f"{cluster.directory}/daemons/{self.name}/zoo.cfg")


class ZooKeeper(Part):
    def daemons(self):
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        return [Server("zookeeper", ("zk",), 0, main, 128)]

    def everywhere(self, cluster):
        return Sites(core={"ha.zookeeper.quorum": cluster.at("zk"), "hadoop.zk.address": cluster.at("zk")})

    def prepare(self, cluster, daemon):
        if daemon.name != "zookeeper":
            return
        lines = [
            f"dataDir={cluster.directory}/data/zookeeper", f"clientPort={cluster.ports['zk']}", f"tickTime={TICK_MS}",
            "admin.enableServer=false", "4lw.commands.whitelist=*", "maxClientCnxns=0",
        ]  # fmt: skip
        (cluster.directory / "daemons/zookeeper/zoo.cfg").write_text("\n".join(lines) + "\n")

    def problems(self, cluster):
        return [] if four_letters(cluster.ports["zk"], "ruok") == "imok" else ["ZooKeeper does not answer"]


def four_letters(port, word):
    """What ZooKeeper answers to one of its commands of four letters; empty if it does not answer."""
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=5) as connection:
        connection.sendall(word.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    return ""

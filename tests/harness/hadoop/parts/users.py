"""Containers that run as the user who has submitted them, or all as one user: NodeManagers with
LinuxContainerExecutor.

Its native program is not among Maven's artifacts; `container-executor` beside this package stands in for it.
"""

import os
import pwd
import sys
from pathlib import Path

from ..configuration import Sites
from ..environment import Failure
from .base import Part
from .yarn import SERVER

EXECUTOR = Path(__file__).resolve().parent.parent / "container-executor"
LOCALIZER = (
    "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
)  # fmt: skip
# The word for: each container as the user who has submitted it.
SUBMITTER = "submitter"


class ContainerUsers(Part):
    def __init__(self, user):
        """`user` is SUBMITTER, or the name of the one user whom all containers run as."""
        self.user = user

    def of_daemon(self, cluster, daemon):
        if not daemon.name.startswith("nodemanager"):
            return Sites()
        limited = self.user != SUBMITTER
        prefix = "yarn.nodemanager.linux-container-executor"
        yarn = {
            "yarn.nodemanager.container-executor.class": f"{SERVER}.nodemanager.LinuxContainerExecutor",
            f"{prefix}.path": str(installed(cluster, daemon)),
            # The group of the NodeManager, which runs as root.
            f"{prefix}.group": "root",
            f"{prefix}.nonsecure-mode.limit-users": str(limited).lower(),
            # Each container's files are brought by a JVM of its own.
            "yarn.nodemanager.container-localizer.java.opts": " ".join(LOCALIZER),
        }
        if limited:
            yarn[f"{prefix}.nonsecure-mode.local-user"] = self.user
        return Sites(yarn=yarn)

    def prepare(self, cluster, daemon):
        """Installs the program, and says what LinuxContainerExecutor would tell only in the log of a
        NodeManager."""
        if not daemon.name.startswith("nodemanager"):
            return
        if os.geteuid() != 0:
            raise Failure("only root can run containers as other users", "start the cluster without --container-users, or as root")
        if self.user != SUBMITTER:
            try:
                pwd.getpwnam(self.user)
            except KeyError:
                raise Failure(f"there is no user `{self.user}` on this machine", "name one of /etc/passwd, as `nobody`") from None
        if closed := first_closed(cluster.directory):
            raise Failure(
                f"other users cannot pass {closed}, so no container could reach {cluster.directory}",
                "set HEDDLE_CLUSTER_DIR to a directory that everybody may pass",
            )
        program = installed(cluster, daemon)
        # It is started with the environment of a container, in which the PATH need not lead to a Python.
        program.write_text(EXECUTOR.read_text().replace("/usr/bin/env python3", f"{sys.executable} -IB", 1))
        program.chmod(0o700)


def installed(cluster, daemon):
    return cluster.directory / "daemons" / daemon.name / EXECUTOR.name


def first_closed(directory):
    """The topmost directory on the way to this one that other users cannot pass."""
    way = [*reversed(directory.resolve().parents), directory.resolve()]
    return next((path for path in way if path.is_dir() and not path.stat().st_mode & 0o001), None)

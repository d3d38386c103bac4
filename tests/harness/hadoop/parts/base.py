"""What the parts of a cluster have in common."""

import contextlib
import json
import urllib.request
from dataclasses import dataclass

from ..configuration import Sites
from ..environment import hadoop_directory

# A cluster beside eight other busy processes has been seen to need more than two minutes.
START_SECONDS = 300


def get_json(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def answers(question):
    """What `question()` gives; None where nothing answers, or something else than was expected."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        return question()
    return None


@dataclass(frozen=True)
class Daemon:
    """A process of a cluster. Daemons of a higher stage are stopped first, because they need those of lower
    ones."""

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
            *cluster.java_options(),
            "-cp", ":".join(map(str, (*cluster.classes(), f"{cluster.directory}/daemons/{self.name}", hadoop, f"{hadoop}/lib/*"))),
            self.main, *arguments,
        ]  # fmt: skip


def numbered(daemon, port, count):
    """Daemon -> the prefix of its ports, which is also its name in the configuration. A single one has no
    number."""
    if count == 1:
        return {daemon: port}
    return {f"{daemon}{n}": f"{port}{n}" for n in range(1, count + 1)}


class Part:
    """The defaults are those of a part that has no such thing."""

    def daemons(self):
        return []

    def environment(self, cluster):
        """Variables of daemons and their containers."""
        return {}

    def java_options(self, cluster):
        """Of all daemons."""
        return []

    def classes(self, cluster):
        """Directories with classes that daemons have instead of Hadoop's own of the same names."""
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
        """Before a daemon is started."""

    def prepares(self, daemon):
        """Daemons are started in the order of these numbers. Those with 0 start up while the others are
        prepared."""
        return 0

    def problems(self, cluster):
        """What is not ready yet, as texts. Asked once every daemon runs."""
        return []

    def started(self, cluster, fresh, daemons):
        """After the cluster has become ready: `fresh` at its first start, `daemons` are the names of those
        just started."""

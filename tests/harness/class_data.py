"""Class data archives as they lie in the store, and such that are no good."""

import hashlib
import random
import re
from dataclasses import dataclass

MIB = 1 << 20

# A JVM that makes an archive has the lowest priority; on a busy machine heddle-am gives it a quarter of an
# hour. A scenario that waits for an archive waits as long, and keeps its TaskManagers until then.
SECONDS = 900
KEPT = f"-Dresourcemanager.taskmanager-timeout={SECONDS * 1000}"


def paths(cluster, store, role):
    """The archives of a role, `jobmanager` or `taskmanager`, in a store of artifacts."""
    return [path for path in cluster.hdfs.tree(f"{store}/cds") if f"/{role}-" in path and path.endswith(".jsa")]


def made_or_told(cluster, store, application, role):
    """The same; fails if the ApplicationMaster says that it makes none."""
    found = paths(cluster, store, role)
    if not found:
        log = cluster.log_text(application, "heddle-am.log")
        assert "no class data archive is made" not in log, log
    return found


@dataclass(frozen=True)
class Archive:
    """An archive by its path: `<directory>/<java>-<size>-<SHA-256>.jsa`."""

    directory: str
    java: str
    size: int
    checksum: str

    NAME = re.compile(r"(?P<directory>.*)/(?P<java>[^/]+)-(?P<size>\d+)-(?P<checksum>[0-9a-f]{64})\.jsa$")

    @classmethod
    def of(cls, path):
        found = cls.NAME.match(path)
        return cls(found["directory"], found["java"], int(found["size"]), found["checksum"])

    @property
    def name(self):
        return f"{self.java}-{self.size}-{self.checksum}.jsa"

    @property
    def path(self):
        return f"{self.directory}/{self.name}"

    def like(self, size, checksum):
        """One of the same Java and class path whose name says this size and checksum."""
        return Archive(self.directory, self.java, size, checksum)

    # Each gives (archive, content), where the content is not what a JVM can use.

    def cut_off(self):
        """Its size is not the one of its name."""
        return self.like(9999999, "1" * 64), b"short"

    def garbled(self):
        """The size is right, the checksum is wrong."""
        return self.like(MIB, "2" * 64), noise(MIB)

    def deadly(self, content):
        """Size and checksum are right, but a JVM dies of the classes. `content` is that of a good archive:
        its header, which a JVM looks at first, stays."""
        changed = bytearray(content)
        changed[8 * MIB : 28 * MIB] = noise(MIB) * 20
        return self.like(len(changed), hashlib.sha256(changed).hexdigest()), bytes(changed)


def noise(size):
    """The same bytes each time."""
    return random.Random(1).randbytes(size)

"""Copies of Flink's `YarnClusterDescriptor`, as some tools carry them in their own jars: the same class, or
one whose private method that deploys takes something else."""

import zipfile

DESCRIPTOR = "org/apache/flink/yarn/YarnClusterDescriptor.class"
# Of `deployInternal`. Its last parameter is a boolean, which for the JVM is as good as an int.
TYPES = (
    "(Lorg/apache/flink/client/deployment/ClusterSpecification;Ljava/lang/String;Ljava/lang/String;"
    "Lorg/apache/flink/runtime/jobgraph/JobGraph;{})Lorg/apache/flink/client/program/ClusterClientProvider;"
)


def constant(text):
    """A text in the constants of a class file."""
    data = text.encode()
    return b"\x01" + len(data).to_bytes(2, "big") + data


def changed(data):
    """The class with the method `deployInternal(…, int)` in the place of `deployInternal(…, boolean)`."""
    own, others = constant(TYPES.format("Z")), constant(TYPES.format("I"))
    assert data.count(own) == 1, "deployInternal has other types in this release"
    return data.replace(own, others)


def copied(flink_home, jar, change=lambda data: data):
    """A jar with a copy of the class alone; for a class path, in front of Flink's own jar."""
    jar.parent.mkdir(parents=True, exist_ok=True)
    [dist] = flink_home.glob("lib/flink-dist*.jar")
    with zipfile.ZipFile(dist) as flink, zipfile.ZipFile(jar, "w") as copy:
        copy.writestr(DESCRIPTOR, change(flink.read(DESCRIPTOR)))
    return jar


def forked(flink_home, jar):
    """The same of a class whose method is changed."""
    return copied(flink_home, jar, changed)

"""Which releases of Flink and Hadoop the matrix has, and the record of a run."""

import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# The newest of each minor release.
FLINKS = ("1.13.6", "1.14.6", "1.15.4", "1.16.3", "1.17.2", "1.18.1", "1.19.3", "1.20.5", "2.0.2", "2.1.3", "2.2.1", "2.3.0")
HADOOPS = ("2.10.2", "3.3.6", "3.4.3", "3.5.0")
MODES = ("session", "per-job", "application")
# Every Flink runs on this Hadoop, every Hadoop with this Flink.
USUAL_FLINK, USUAL_HADOOP = "1.20.5", "3.3.6"
# The oldest and the newest, and where configuration and class names change: for each run of the scenarios.
PLAIN_FLINKS = ("1.13.6", "1.17.2", "1.20.5", "2.3.0")
# The oldest heddle whose running clusters are promised to be served: the first with all three modes.
OLDEST_COMMIT = os.environ.get("HEDDLE_TEST_OLDER_COMMIT", "13f487df4a88")

TEXT = "The warp is held, still; the weft is drawn through. Ætna, Übung_2 - 3 Knoten!\nto be or not to be\n" * 50
COUNTS = {word: str(count) for word, count in Counter(re.findall(r"[^\W_]+", TEXT.lower())).items()}


def places(everything):
    """Pairs of Flink and Hadoop."""
    flinks = FLINKS if everything else PLAIN_FLINKS
    hadoops = HADOOPS if everything else ()
    return [(flink, USUAL_HADOOP) for flink in flinks] + [(USUAL_FLINK, hadoop) for hadoop in hadoops if hadoop != USUAL_HADOOP]


def java_for(flink):
    """The Java that a release is run with: the newest that it was released for of those that the tests
    use."""
    return "11" if tuple(map(int, flink.split(".")[:2])) < (1, 18) else "17"


# What Flink before 1.18 needs of the JDK on Java 17, which keeps it closed: as much of the options that later
# releases have in their own configuration as JobManager, TaskManager and `main()` use.
OPENED = " ".join(
    [f"--add-exports={package}=ALL-UNNAMED" for package in (
        "java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5",
    )] + [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in (
        "java.io", "java.lang", "java.lang.reflect", "java.net", "java.nio", "java.text", "java.time", "java.util",
        "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch",
    )]
)  # fmt: skip


@dataclass
class Release:
    """A release of Flink with all that a scenario needs to run it: its directory, the directory of a Java,
    and the jobs."""

    home: Path
    java: Path
    jobs: Path
    # Of the JVMs, where they cannot run on this Java without.
    java_options: str = ""

    @property
    def options(self):
        """Of a deployment, so that its containers have this Java."""
        return [f"-Dcontainerized.{role}.env.JAVA_HOME={self.java}" for role in ("master", "taskmanager")]


def versions_in(log):
    """Flink's, Hadoop's and Java's versions, as a JobManager or TaskManager says them when it starts."""
    patterns = {"flink": r"Starting .*\(Version: ([^,]+),", "hadoop": r"Hadoop version: (\S+)", "java": r"JVM: .*/([\d.]+)"}
    return {what: found[1] if (found := re.search(pattern, log)) else None for what, pattern in patterns.items()}


class Record:
    """A plugin that adds what each test of the matrix came to as a line of JSON. The last line for the same
    test counts."""

    def __init__(self, file):
        self.file = file

    def pytest_runtest_logreport(self, report):
        line = dict(report.user_properties)
        if "hadoop" not in line or report.skipped or (report.when != "call" and report.passed):
            return
        line |= {"passed": report.passed, "seconds": round(report.duration, 1), "date": time.strftime("%Y-%m-%d")}
        with open(self.file, "a") as out:
            out.write(json.dumps(line) + "\n")

"""What a cluster finds on this machine: directories, releases, the user, Java."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Everything that is downloaded or made for tests; several checkouts may share it.
CACHE = Path(os.environ.get("HEDDLE_CACHE_DIR", ROOT / ".cache"))
CLUSTERS = Path(os.environ.get("HEDDLE_CLUSTER_DIR", CACHE / "clusters"))
DEFAULT_HADOOP = "3.3.6"
DEFAULT_FLINK = "1.20.5"


class Failure(Exception):
    """Something that the caller has to know or to mend; `hints` say what to do."""

    def __init__(self, text, *hints):
        super().__init__(text)
        self.hints = hints


def say(text):
    """Progress goes to stderr, because stdout is for results that other programs read."""
    print(text, file=sys.stderr, flush=True)


def user():
    return pwd.getpwuid(os.getuid()).pw_name


def java_home():
    java = shutil.which("java")
    if java is None:
        raise Failure("no `java` on the PATH", "install a JDK, or set JAVA_HOME")
    return str(Path(java).resolve().parent.parent)


def hadoop_directory(version):
    return CACHE.resolve() / f"hadoop-{version}"


def fetch(what, version):
    """The directory of a release of Hadoop or Flink, downloaded if it is not there."""
    done = subprocess.run([ROOT / "scripts" / f"fetch-{what}", version], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{what} {version} could not be fetched")
    return done.stdout.strip()

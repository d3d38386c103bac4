"""Jars that tests need, made of sources in this tree."""

import hashlib
import subprocess
import zipfile

from .cluster import CACHE, ROOT
from .hadoop.environment import hadoop_directory


def built(what, home, version, name, *more):
    """The jar of tests/<what>, compiled against the jars of `home` once per state of the sources and version
    of that. `more` are further arguments of its program `build`."""
    sources = sorted((ROOT / f"tests/{what}").glob("*/*.java"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = CACHE / f"{what}/{version}-{digest}/{name}"
    if not target.exists():
        done = subprocess.run([ROOT / f"tests/{what}/build", home, target, *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return target


def conflict_jar(flink_home, version):
    """A program's jar with a library; `a-library.jar` beside it has an older release of that library."""
    return built("conflict", flink_home, version, "conflict.jar")


def job_jar(flink_home, version):
    """The jobs of tests/jobs."""
    return built("jobs", flink_home, version, "test-jobs.jar")


def deployers_jar(flink_home, version, hadoop):
    """The program of tests/deployers. `hadoop` is the release of Hadoop that it is compiled against, and that
    it needs on its class path."""
    return built("deployers", flink_home, f"{version}-hadoop-{hadoop}", "deployers.jar", hadoop_directory(hadoop))


def without(jar, directory, name):
    """A copy of a jar that lacks one class."""
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / f"without-{name}.jar"
    with zipfile.ZipFile(jar) as whole, zipfile.ZipFile(copy, "w") as rest:
        entries = [entry for entry in whole.infolist() if entry.filename != f"{name}.class"]
        assert len(entries) < len(whole.infolist()), f"{jar} has no class {name}"
        for entry in entries:
            rest.writestr(entry, whole.read(entry))
    return copy

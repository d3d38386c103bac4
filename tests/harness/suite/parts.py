"""The parts of `scripts/test`, in their order. A part raises `Failure`, or gives counts of what it ran, or
None if it counts nothing."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Callable

from ..hadoop.cluster import PseudoCluster
from ..hadoop.configuration import Options
from ..hadoop.environment import CACHE, DEFAULT_HADOOP, ROOT
from ..matrix import HADOOPS, OLDEST_COMMIT
from . import counts
from .tools import Failure, library, output, run, say, try_library

# How long each fuzz target runs in a full run, in seconds.
FUZZ_SECONDS = 60


@dataclass(frozen=True)
class Part:
    name: str
    title: str
    do: Callable
    # Whether `scripts/test` without options has it.
    plain: bool = True
    # Whether `scripts/test --quick` has it.
    quick: bool = False
    # Whether it runs the programs of the package. A quick part does not.
    package: bool = True


def formatting(it):
    run("cargo", "fmt", "--all", "--check")


def shell_scripts(it):
    if not shutil.which("shellcheck"):
        return
    found = [ROOT / ".ci/run", *(path for part in ("scripts", "tests") for path in (ROOT / part).rglob("*"))]
    scripts = [path.relative_to(ROOT) for path in sorted(found) if path.is_file() and is_shell(path)]
    run("shellcheck", "-x", *scripts, "scripts/lib.sh")


def is_shell(path):
    with open(path, "rb") as file:
        return re.match(rb"#!.*\b(bash|sh)\s", file.read(100)) is not None


def lints(it):
    run("cargo", "clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings")
    # Names that do not exist, and what nothing uses; no opinions.
    ruff = os.path.dirname(library("private_python", "lint", "scripts/pins/lint.txt")) + "/ruff"
    sources = ["tests", "airflow-provider", "scripts/pseudo-cluster", "scripts/compatibility", "scripts/pin", "scripts/packaging/wheel"]
    run(ruff, "check", "--quiet", "--no-cache", "--select", "F,E9", *sources)


def harness(it):
    """The tests of the tests' own Python and of the Airflow provider, and the direction of modules and
    crates."""
    words = ["-q", "-p", "no:cacheprovider", "tests/unit", "tests/structure", "tests/conformance/test_compare.py", "airflow-provider/tests"]
    return it.pytest("harness", *words, env={"HEDDLE_TEST_CLUSTER": "none"})


def bridge(it):
    bridge = ROOT / "flink-bridge"
    for reports in bridge.glob("*/target/surefire-reports"):
        shutil.rmtree(reports)
    library("maven", "-f", "flink-bridge/pom.xml", "verify")
    found = [file.read_text() for file in bridge.glob("*/target/surefire-reports/TEST-*.xml")]
    if not found:
        raise Failure("Maven has run no test of the bridge")
    return sum((counts.of_junit(report) for report in found), counts.Counts())


# Without Kerberos a NameNode gives tokens only if it is told to; hadoop-rpc's tests use them with each
# protection.
TOKENS = {
    "dfs.namenode.delegation.token.always-use": "true",
    "hadoop.rpc.protection": "authentication,integrity,privacy",
}


def crates(it):
    """Unit and property tests, those that compare with Flink's code, and those that speak to a cluster, which
    they have for themselves: one of them stops its ResourceManager for half a second."""
    cluster = PseudoCluster(f"{it.cluster}-crates")
    cluster.up(Options(heartbeat=300, set=TOKENS))
    env = {
        "HEDDLE_TEST_FLINK_HOME": ":".join(it.flink_homes),
        "HEDDLE_TEST_HADOOP_CONF_DIR": cluster.conf,
        "HEDDLE_TEST_RM_PID": cluster.pid("resourcemanager"),
    }
    try:
        # The changed copy is no member of the workspace.
        copy = it.cargo("test", "-p", "hdfs-native", "--lib", "--quiet")
        return copy + it.cargo("test", "--workspace", "--quiet", env=env)
    finally:
        cluster.down()


def libhdfs(it):
    """Storage through Hadoop's own client, by the cargo feature `hdrs`."""
    run("cargo", "clippy", "--locked", "-p", "hadoop-fs", "--all-targets", "--features", "hdrs", "--quiet", "--", "-D", "warnings")
    told = subprocess.run(["java", "-XshowSettings:properties", "-version"], capture_output=True, text=True).stderr
    java = re.search(r"^ *java\.home = (.*)$", told, re.MULTILINE)[1]
    env = {
        "CLASSPATH": output("scripts/fetch-hadoop", DEFAULT_HADOOP) + "/lib/*",
        "LD_LIBRARY_PATH": f"{java}/lib/server",
        "LIBHDFS_OPTS": "-Xrs",
        "HEDDLE_TEST_LIBHDFS": "yes",
        "HEDDLE_TEST_HADOOP_CONF_DIR": it.running_cluster.conf,
    }
    return it.cargo("test", "-p", "hadoop-fs", "--features", "hdrs", "--quiet", env=env)


def fuzzing(it):
    run("scripts/fuzz", FUZZ_SECONDS)


def manual(it):
    _ = it.dist
    run("scripts/docs", "check", quiet=True)


def scenarios(it):
    _ = it.dist
    return it.scenarios("scenarios", "tests/scenarios")


# The extended scenarios are three parts, because one run of all takes two hours. Which file belongs where:
FAULTS = ("test_chaos", "test_failover", "test_faults", "test_high_availability", "test_recovery", "test_memory_kills")
KERBEROS = tuple(f"test_kerberos{what}" for what in ("", "_errors", "_in_process", "_releases", "_tokens", "_users", "_zones"))


def files(names):
    return [f"tests/scenarios/{name}.py" for name in names]


def extended(it):
    _ = it.dist
    # Compiled here rather than within the time of a test.
    try:
        output("scripts/fetch-heddle", OLDEST_COMMIT)
    except Failure:
        if os.environ.get("CI") == "true":
            raise
    others = [f"--ignore={path}" for path in files(FAULTS + KERBEROS)]
    return it.scenarios("extended", "tests/scenarios", *others, select="extended")


def faults(it):
    _ = it.dist
    return it.scenarios("faults", *files(FAULTS), select="extended")


def kerberos(it):
    _ = it.dist
    if not shutil.which("faketime") and not try_library("install_package", "faketime"):
        say("no faketime here: the scenario with a wrong clock is left out")
    return it.scenarios("kerberos", *files(KERBEROS), select="extended")


def reference(it):
    _ = it.dist
    return it.scenarios("reference", "tests/scenarios", select="reference")


def conformance(it):
    _ = it.dist
    code = subprocess.run(["scripts/conformance"], cwd=ROOT, env=os.environ | {"HEDDLE_TEST_CLUSTER": it.running_cluster.name})
    if code.returncode != 0:
        raise Failure("heddle and Flink's own client differ")


def containers(it):
    """The cluster of scripts/docker from images to its end, and the archive on an old Linux."""
    _ = it.dist
    it.drop_clusters()
    it.docker = it.docker_engine()
    if it.docker is None:
        if os.environ.get("CI") == "true":
            raise Failure("no Docker engine can be started here")
        say("no Docker engine here: the cluster of containers is left out")
        return counts.Counts(skipped=1)
    run("scripts/docker/prepare", env=it.docker)
    it.step("base images")
    environment = os.environ | it.docker
    it.base_image = subprocess.Popen(["scripts/docker/base-image", "bullseye"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    image = os.environ.get("BASE_IMAGE") or output("scripts/docker/base-image", env=it.docker)
    if it.base_image.wait() != 0:
        raise Failure("the image of an old Linux cannot be made")
    env = it.docker | {"BASE_IMAGE": image, "HEDDLE_TEST_OLD_IMAGE": "heddle-base:bullseye", "HEDDLE_TEST_PROJECT": it.project}
    more = ["-k", it.expression] if it.expression else []
    it.step("the cluster of containers")
    return it.pytest("containers", *more, "tests/docker", config="tests/docker/pytest.ini", root="tests/docker", env=env)


def matrix(it):
    """Every release of Flink and of Hadoop that heddle serves; rewrites the tables of
    docs/compatibility.md."""
    _ = it.dist
    results = CACHE.resolve() / "matrix.jsonl"
    # Of some tests that are run again the others' results stay.
    if not it.expression:
        results.unlink(missing_ok=True)
    it.client = "heddle" if it.client == "plain" else it.client
    words = ["--matrix-results", results]
    it.step("WordCount on every release")
    files = ["tests/scenarios/test_matrix.py", "tests/scenarios/test_bridge.py"]
    found = it.scenarios("matrix", "--matrix", *files, *words, select="all")
    for hadoop in HADOOPS:
        it.step(f"scenarios on Hadoop {hadoop}")
        cluster, env = f"{it.cluster}-{hadoop}", {"HEDDLE_TEST_HADOOP": hadoop}
        found += it.scenarios(f"hadoop-{hadoop}", "-m", "every_hadoop", "tests/scenarios", *words, cluster=cluster, env=env)
        it.drop_clusters()
    if results.exists():
        run("scripts/compatibility", results)
    return found


PARTS = [
    Part("formatting", "formatting", formatting, quick=True),
    Part("scripts", "shell scripts", shell_scripts, quick=True),
    Part("lints", "lints", lints, quick=True),
    Part("harness", "the tests' own tests, and the structure", harness, quick=True),
    Part("bridge", "the bridge and its tests", bridge, quick=True),
    Part("crates", "unit, property and differential tests", crates, quick=True),
    Part("libhdfs", "storage through Hadoop's own client", libhdfs, plain=False, package=False),
    Part("fuzzing", "fuzzing", fuzzing, plain=False, package=False),
    Part("manual", "the manual", manual),
    Part("scenarios", "scenarios", scenarios),
    Part("extended", "extended scenarios", extended, plain=False),
    Part("faults", "extended scenarios of faults", faults, plain=False),
    Part("kerberos", "extended scenarios of secured clusters", kerberos, plain=False),
    Part("reference", "scenarios with Flink's own client", reference, plain=False),
    Part("conformance", "beside Flink's own client", conformance, plain=False),
    Part("containers", "the cluster of containers", containers, plain=False),
    Part("matrix", "every release of Flink and Hadoop", matrix, plain=False),
]
NAMES = [part.name for part in PARTS]

"""One run of `scripts/test`: what its parts share, made when the first of them wants it, and its end."""

import concurrent.futures
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..hadoop.cluster import PseudoCluster
from ..hadoop.configuration import Options
from ..hadoop.environment import CACHE, CLUSTERS, DEFAULT_FLINK, ROOT
from ..hadoop.parts import kerberos
from ..matrix import PLAIN_FLINKS, java_for
from . import counts
from .tools import Failure, exported, library, lines_of, output, run, say, try_library

# The cargo profile of what the scenarios run.
PROFILE = os.environ.get("HEDDLE_PROFILE", "quick")
# The JVMs of plain scenarios live for some seconds. In this time Java's second compiler takes about as much
# processor time as all else that a JVM does, and the machine is busy with several JVMs at once.
PLAIN_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"


@dataclass
class Run:
    everything: bool = False
    client: str = "plain"
    expression: str = ""
    archives: bool = True
    cases: list = field(default_factory=list)

    def __post_init__(self):
        self.began = time.monotonic()
        self.cluster = f"test-{os.getpid()}"
        self.project = f"heddle-test-{os.getpid()}"
        self.reports = Path(tempfile.mkdtemp(prefix="heddle-test-"))
        self.downloads = concurrent.futures.ThreadPoolExecutor(1)
        self.base_image = self.compiler = None

    def step(self, text):
        say(f"=== {text} ({time.monotonic() - self.began:.0f} s)")

    # ---- tools and releases

    @cached_property
    def python(self):
        """The Python that has pytest."""
        return library("private_python", "venv", "tests/requirements.txt")

    def prepare(self, scenarios, compile_beside):
        """Tools that are missing are installed where that can be done. With `compile_beside` the programs of
        the package are compiled beside the parts that come before those that need them."""
        self.step("tools")
        library("need_java")
        if not shutil.which("cargo"):
            raise Failure("cargo is missing", "install Rust")
        # Lints and unit tests have the profile `dev`, and would wait for the lock of its directory.
        if compile_beside and PROFILE != "dev" and not os.environ.get("HEDDLE_TEST_DIST"):
            self._compile_beside()
        if not shutil.which("shellcheck") and not try_library("install_package", "shellcheck"):
            say("no shellcheck here: the scripts are not checked")
        if scenarios and not shutil.which("chromium") and not try_library("install_package", "chromium"):
            say("no chromium here: the browser scenario is left out")
        if scenarios and (packages := kerberos.missing_packages()) and not try_library("install_package", *packages):
            say(f"no {', '.join(packages)} here: the scenarios with Kerberos are left out")
        _ = self.python
        # While the compiler works.
        self.flink_future = self.downloads.submit(self._fetch, scenarios)

    def _fetch(self, scenarios):
        homes = [output("scripts/fetch-flink", version) for version in PLAIN_FLINKS]
        if scenarios:
            for version in sorted({java_for(flink) for flink in PLAIN_FLINKS}):
                output("scripts/fetch-java", version)
        return homes

    @property
    def flink_homes(self):
        """Directories of the releases that configuration and memory model are compared with."""
        return self.flink_future.result()

    # ---- the cluster and the package

    @cached_property
    def running_cluster(self):
        """The cluster that the scenarios share."""
        self.step("a cluster")
        made = PseudoCluster(self.cluster)
        made.up(Options(heartbeat=300))
        return made

    def _compile_beside(self):
        """The compiler gets the processor time that the other parts leave, while their tests wait or
        something is downloaded. It stays in this session, because between sessions the kernel may not heed
        `nice`. What it has to say, `scripts/package` says once more."""
        command = ["nice", "-n", "19", "scripts/packaging/compile", PROFILE, platform.machine()]
        self.compiler = subprocess.Popen(
            command, cwd=ROOT, process_group=0, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _end_compiler(self):
        if self.compiler and self.compiler.poll() is None:
            os.killpg(self.compiler.pid, signal.SIGTERM)
            self.compiler.wait()

    @cached_property
    def dist(self):
        """The package that the scenarios run; HEDDLE_TEST_DIST names one that is there already."""
        if made := os.environ.get("HEDDLE_TEST_DIST"):
            return made
        self.step("package")
        if self.compiler:
            self.compiler.wait()
        words = ["--archives"] if self.archives else []
        return output("scripts/package", *words, env={"HEDDLE_PROFILE": PROFILE})

    # ---- running tests

    def cargo(self, *words, env=None):
        command, *rest = words
        code, lines = lines_of("cargo", command, "--locked", *rest, env=env)
        found = counts.of_cargo(lines)
        if code != 0:
            found.failed = found.failed or 1
        return found

    def pytest(self, name, *words, config="tests/pytest.ini", root="tests", env=None):
        """Runs pytest; the counts of its report."""
        report = self.reports / f"{name}.xml"
        command = [self.python, "-m", "pytest", "-c", config, "--rootdir", root, f"--junitxml={report}"]
        command += ["-o", "junit_family=xunit1", *words]
        code, _ = lines_of(*command, env=env)
        # 5: no test matches.
        found = counts.of_junit(report.read_text()) if report.exists() else counts.Counts()
        if code not in (0, 5):
            found.failed = found.failed or 1
        return found

    def scenarios(self, name, *words, select="plain", cluster=None, env=None):
        """A name from here lets the processes of pytest share the cluster, and lets it be taken down whatever
        becomes of them."""
        more = ["-k", self.expression] if self.expression else []
        workers = os.environ.get("HEDDLE_TEST_WORKERS", "3")
        variables = {"HEDDLE_TEST_CLUSTER": cluster or self.running_cluster.name} | (env or {})
        if select == "plain":
            variables["HEDDLE_TEST_JAVA_OPTIONS"] = os.environ.get("HEDDLE_TEST_JAVA_OPTIONS", PLAIN_JAVA_OPTIONS)
        found = self.pytest(
            name, "-n", workers, "--dist", "loadgroup", "--client", self.client, "--select", select, *more, *words, env=variables
        )
        self.cases += found.cases
        return found

    # ---- containers

    def docker_engine(self):
        """The variables by which the Docker engine is reached. None where there can be none."""
        self.step("a Docker engine")
        try:
            return exported(output("scripts/docker/engine", "start", os.getpid()))
        except Failure:
            return None

    # ---- the end

    def drop_clusters(self):
        for directory in [CLUSTERS / self.cluster, *CLUSTERS.glob(f"{self.cluster}-*")]:
            if directory.is_dir():
                PseudoCluster(directory.name).down()
        self.__dict__.pop("running_cluster", None)

    def finish(self):
        """Also when a part failed or was interrupted: nothing of this run stays behind."""
        self._end_compiler()
        self.drop_clusters()
        if self.base_image and self.base_image.poll() is None:
            self.base_image.terminate()
            self.base_image.wait()
        if self.docker is not None:
            self._drop_containers()
        self.downloads.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self.reports, ignore_errors=True)

    # Set by the part that starts the engine.
    docker = None

    def _drop_containers(self):
        """Those of tests that were killed; tests that end remove theirs themselves."""
        env = os.environ | self.docker
        quiet = {"env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        left = subprocess.run(
            ["docker", "ps", "-aq", "--filter", f"name={self.project}"], env=env, capture_output=True, text=True
        ).stdout.strip()
        if left:
            subprocess.run(["docker", "rm", "-f", f"{self.project}-old"], **quiet)
            down = ["down", "-v", "--rmi", "local", "--remove-orphans", "-t", "1"]
            compose = ["docker", "compose", "-p", self.project, "--profile", "*", *down]
            subprocess.run(compose, cwd="scripts/docker", **quiet)
        subprocess.run(["scripts/docker/engine", "stop", str(os.getpid())], env=env)


__all__ = ["CACHE", "DEFAULT_FLINK", "Run", "run"]

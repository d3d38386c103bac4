"""A real Airflow from PyPI, whose DAGs run the installed heddle."""

import contextlib
import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from .client import Running
from .cluster import CACHE, ROOT

# The release of each major version is in tests/airflow/requirements-<version>.txt.
VERSIONS = ("3", "2")
CONNECTION = "heddle_scenario"


def pip(python, *words):
    done = subprocess.run([python, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def installed(version):
    """The directory of a virtual environment with Airflow.

    Dependencies are not resolved, because the file names all of them; python-nvd3, which Airflow 2 names and
    no code of it uses, has no wheel, and is left out.
    """
    requirements = ROOT / f"tests/airflow/requirements-{version}.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    directory = CACHE / f"airflow-{version}"
    stamp = directory / ".packages"
    (CACHE / "locks").mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"locks/airflow-{version}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            base = getattr(sys, "_base_executable", sys.executable)
            subprocess.run([base, "-m", "venv", "--clear", directory], check=True)
            pip(directory / "bin/python", "install", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirements)
            stamp.write_text(wanted)
    return directory


class Airflow:
    """One installation with a home, a database and the provider's wheel of its own."""

    def __init__(self, version, client, directory):
        self.version, self.directory, self.client = version, Path(directory), client
        self.bin = installed(version) / "bin"
        made = subprocess.run([ROOT / "scripts/packaging/wheel", self.directory], capture_output=True, text=True, check=True)
        packages = self.directory / "packages"
        pip(self.bin / "python", "install", "--no-deps", "--no-index", "--target", packages, made.stdout.strip())
        self.variables = client.environment() | {
            "AIRFLOW_HOME": str(self.directory / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "tests/airflow/dags"),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONPATH": str(packages),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # The connection says where everything is, and the worker's environment does not.
        for name in ("FLINK_HOME", "FLINK_CONF_DIR", "HADOOP_CONF_DIR"):
            self.variables.pop(name)
        self.connect(client.bin / "heddle")
        self.airflow("db", "migrate")

    def connect(self, heddle):
        environment = self.client.environment()
        extra = {"heddle": str(heddle)} | {name.lower(): environment[name] for name in ("FLINK_HOME", "FLINK_CONF_DIR", "HADOOP_CONF_DIR")}
        connection = json.dumps({"conn_type": "heddle", "extra": extra})
        self.variables[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = connection

    def start(self, *words, env=None):
        """Starts a command of Airflow."""
        running = Running([str(self.bin / "airflow"), *words], self.variables | (env or {}), self.directory)
        self.client.running.append(running)
        with contextlib.suppress(BrokenPipeError):
            running.process.stdin.close()
        return running

    def airflow(self, *words, seconds=300, env=None):
        return self.start(*words, env=env).result(seconds)

    def test(self, dag, seconds=300, env=None):
        """Runs a DAG to its end, with retries and triggers, as `dag.test()` does."""
        return self.airflow("dags", "test", dag, "2026-02-01T00:00:00+00:00", seconds=seconds, env=env)

    def xcoms(self, dag):
        """(task, key) -> value. The DAG was run once."""
        script = ROOT / "tests/airflow/xcoms.py"
        done = subprocess.run([self.bin / "python", script, dag], env=self.variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return {(task, key): value for task, key, value in json.loads(done.stdout.splitlines()[-1])}

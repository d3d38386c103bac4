"""What runs while faults are made: a session and an application, each highly available and with one job."""

import re
from types import SimpleNamespace

from harness import availability
from harness.availability import Application, counting
from harness.client import SMALL, Client
from harness.cluster import ROOT
from harness.matrix import USUAL_FLINK

# Of each application.
WORKERS = 2
# Flink and YARN count failures, and give up an application that fails too often. Here it is meant to fail.
OPTIONS = ["-Dyarn.application-attempts=100000", "-Dtaskmanager.numberOfTaskSlots=1", "-Dparallelism.default=2"]
PATIENCE = 300


class Deployment:
    """An application of one kind (`session` or `application`), and those that go on with its job after it."""

    def __init__(self, mode, kind, cluster, jar, planted):
        self.mode, self.cluster, self.jar, self.planted = mode, cluster, jar, planted
        self.client = Client(kind, cluster, cluster.directory / "clients" / mode, ROOT, jar.flink_home)
        self.work = SimpleNamespace(cluster=cluster, name=f"chaos-{mode}", hdfs_dir=f"/chaos/{mode}")
        self.output = f"{self.work.hdfs_dir}/output"
        self.application, self.ended = None, []

    def deploy(self, savepoint=None):
        """With a job from the beginning, or one that goes on from a savepoint."""
        # Of a key that is given twice the last value counts.
        words = [*availability.options(self.work, USUAL_FLINK), *OPTIONS, *self.planted.options]
        job = counting(self.work, "--interval", "1000", "--output", f"{self.cluster.fs}{self.output}", *self.planted.job)
        start = ["-s", savepoint] if savepoint else []
        if self.mode == "session":
            session = self.client.session("-nm", self.work.name, *words, seconds=PATIENCE)
            options = ["-d", "-p", str(WORKERS), *start]
            session.run(self.jar.path, "Counting", *job, options=options, seconds=PATIENCE).ok()
            deployed = session.application
        else:
            target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={self.work.name}"]
            program = ["-c", "Counting", self.jar.path, *job]
            deployed = self.client.flink("run-application", *target, *words, *start, *program, seconds=PATIENCE).ok().application
        self.application = Application(self.cluster, deployed)

    def stop(self):
        """Stops the job with a savepoint, after which its files are complete, and the application. Gives the
        savepoint."""
        [job] = self.application.rest().jobs()
        target = ["-t", f"yarn-{self.mode}", f"-Dyarn.application.id={self.application.id}"]
        directory = f"{self.cluster.fs}/chaos/savepoints"
        result = self.client.flink("stop", *target, "-p", directory, job, seconds=PATIENCE).ok()
        if self.mode == "session":
            self.client.run("yarn-session.sh", "-id", self.application.id, stdin="stop\n", seconds=PATIENCE).ok()
        self.cluster.yarn.wait_state(self.application.id, "FINISHED", seconds=PATIENCE)
        self.ended.append(self.application)
        found = re.search(r"Savepoint completed. Path: (\S+)", result.text)
        assert found, f"no savepoint: {result}"
        return found[1]

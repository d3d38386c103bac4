"""The program of tests/deployers, which deploys in its own JVM as tools do: with heddle's kind of client that
JVM has the Java agent, with the reference it has Flink's own classes alone.

It is started as the tools are: it is told where Flink is, and has no variable of Flink's.
"""

import json
import os
import re

from . import processes
from .client import JAVA_OPTIONS, SMALL, Running
from .jars import deployers_jar
from .matrix import OPENED

AGENT = "heddle-agent.jar"
# What the agent says of a class that it does not change, on the standard error stream, and of a deployment
# that it leaves to Flink, in the log of its host.
LEFT = re.compile(r"^heddle-agent: \S+ is left alone: (.*)$|Flink's own client deploys this cluster, and not heddle: (.*)$", re.MULTILINE)
# A session or TaskManager without work is not wanted for long.
SOON = "resourcemanager.taskmanager-timeout=5000"


def java_agent(client, *options):
    """The option of a JVM that is to have the agent of the heddle under test."""
    jar = client.distribution / "lib" / AGENT
    return f"-javaagent:{jar}{'=' if options else ''}{','.join(options)}"


def settings(*pairs):
    """Settings of Flink, as words of the program."""
    return [word for pair in pairs for word in ("--set", pair.removeprefix("-D"))]


class Told:
    """What one run of the program has told. `result` is that of the command."""

    def __init__(self, result, log):
        self.result, self.log = result, log
        lines = [json.loads(line) for line in result.out.splitlines() if line.startswith("{")]
        self.deployments = sorted((line for line in lines if "deployment" in line), key=lambda line: line["deployment"])
        ends = [line for line in lines if "end" in line]
        assert result.code == 0 and ends, self
        self.end, self.threads = ends[0]["end"], ends[0]["threads"]

    @property
    def only(self):
        [found] = self.deployments
        return found

    @property
    def application(self):
        assert "application" in self.only and "errors" not in self.only, self
        return self.only["application"]

    @property
    def errors(self):
        """The exception and its causes, as pairs of class and message."""
        assert "errors" in self.only, self
        return [(error["class"], error["message"] or "") for error in self.only["errors"]]

    @property
    def text(self):
        """All that it has printed and logged."""
        return self.result.text + self.log

    @property
    def left_to_flink(self):
        """Why, each time that the agent has left something to Flink."""
        return [first or second for first, second in LEFT.findall(self.result.err + "\n" + self.log)]

    def __repr__(self):
        return f"{self.result}\n--- log\n{self.log[-4000:]}"


class Deployer:
    """Runs the program with a client's configuration of Flink. `release` is a `matrix.Release`, `version` its
    number. `agent` gives other options to the agent than none; False leaves it out."""

    def __init__(self, client, release, version, agent=None, front=()):
        self.client, self.release, self.cluster = client, release, client.cluster
        self.jar = deployers_jar(release.home, version, self.cluster.hadoop)
        self.agent = () if agent is None and client.is_heddle else agent or None
        # Jars before all others on the class path.
        self.front = list(front)
        self.temporary = client.directory / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self.log_file = client.directory / "logs/deployer.log"

    def command(self, style, words):
        """`style`: see tests/deployers. Where it brings Hadoop's configuration, the JVM finds none by
        itself."""
        conf = [] if style == "descriptor" else [self.cluster.conf]
        path = [*self.front, self.jar, *conf, f"{self.release.home}/lib/*", self.cluster.reference_hadoop_classpath]
        logging = [f"-Dlog.file={self.log_file}", f"-Dlog4j.configurationFile=file:{self.client.conf}/log4j-cli.properties"]
        java = [f"{self.release.java}/bin/java", *OPENED.split(), *(JAVA_OPTIONS or "").split(), f"-Djava.io.tmpdir={self.temporary}"]
        java += [] if self.agent is None else [java_agent(self.client, *self.agent)]
        own = ["--style", style, "--flink", self.release.home, "--conf", self.client.conf]
        own += ["--hadoop", self.cluster.conf] if style == "descriptor" else []
        return [*map(str, [*java, *logging, *self.java_options(), "-cp", ":".join(map(str, path)), "Deployer", *own, *words])]

    def java_options(self):
        """Of Kerberos, where the client has a configuration of it."""
        krb5 = self.client.variables.get("KRB5_CONFIG")
        return [f"-Djava.security.krb5.conf={krb5}"] if krb5 else []

    def environment(self, style):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.client.home), "LANG": "C.UTF-8"}
        env |= {} if style == "descriptor" else {"HADOOP_CONF_DIR": str(self.cluster.conf)}
        return env | self.client.variables

    def start(self, style, mode, name, *words):
        """Starts it with small containers; `name` is that of the application."""
        common = ["--mode", mode, "--name", name, *settings(f"yarn.application.name={name}", SOON, *SMALL, *self.release.options)]
        running = Running(self.command(style, [*common, *map(str, words)]), self.environment(style), self.client.directory)
        self.client.running.append(running)
        return running

    def run(self, style, mode, name, *words, seconds=240):
        return self.told(self.start(style, mode, name, *words), seconds)

    def told(self, running, seconds=240):
        result = running.result(seconds)
        return Told(result, self.log_file.read_text(errors="replace") if self.log_file.exists() else "")

    def left(self):
        """What is in the directory for temporary files, without what Flink and Hadoop make there for
        themselves."""
        theirs = ("flink", "hadoop", "lib")
        return sorted(path.name for path in self.temporary.iterdir() if not path.name.startswith(theirs))


def programs(client):
    """The processes of heddle's program that deploy for a JVM of this client."""
    found = processes.with_words("deploy", "--request")
    return [process for process in found if process.environment.get("HOME") == str(client.home)]


def client_name(work):
    """Whose ApplicationMaster the deployments of a workspace have, as `heddle ps` tells it."""
    return "heddle" if work.kind == "heddle" else "flink"


def check_by(work, application, by):
    """Whose ApplicationMaster it is, by what it has logged and by what heddle tells of the application."""
    assert bool(work.cluster.log_files(application, "heddle-am.log")) == (by == "heddle")
    asked = work.client("heddle").run("heddle", "ps", application, "--output", "json").ok()
    [told] = json.loads(asked.out)
    assert told["by"] == by, told

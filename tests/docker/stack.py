"""The compose file of scripts/docker as its users drive it: by `docker compose`, in a project of its own."""

import json
import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "scripts/docker"
PROJECT = os.environ.get("HEDDLE_TEST_PROJECT") or f"heddle-test-{os.getpid()}"
# Ports that are free; nothing of a user's may be in the way.
PORTS = {name: "0" for name in ("NN_PORT", "DN_PORT", "RM_PORT", "RM2_PORT", "NM1_PORT", "NM2_PORT")}
# On the client's image; WordCount is the main class.
JAR = "/opt/examples/examples.jar"
INPUT = "hdfs:///user/alice/in/words.txt"
TEXT = "the warp is held still while the weft is drawn through\nthe heddle parts the warp so that the weft can pass\n"
COUNTS = "can,1 drawn,1 heddle,1 held,1 is,2 parts,1 pass,1 so,1 still,1 that,1 the,5 through,1 warp,2 weft,2 while,1".split()
APPLICATION = re.compile(r"application_\d+_\d+")


def wait_for(what, condition, seconds=60, every=0.5):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what} (last seen: {value!r})"
        time.sleep(every)
    return value


class Result:
    """Of a command: its exit code and what it wrote."""

    def __init__(self, done, command):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.text = f"{done.stdout}{done.stderr}"
        self.command = " ".join(map(str, command))

    def ok(self):
        assert self.code == 0, f"{self.command} ended with {self.code}:\n{self.text[-4000:]}"
        return self

    @property
    def application(self):
        return APPLICATION.search(self.text).group()


def run(*command, seconds=240, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
    return Result(done, command)


def docker(*words, **options):
    return run("docker", *words, **options)


class Stack:
    def __init__(self, project=PROJECT, **variables):
        self.project = project
        self.environment = os.environ | PORTS | {"COMPOSE_PROJECT_NAME": project} | variables

    def compose(self, *words, **options):
        return run("docker", "compose", *words, cwd=DIRECTORY, env=self.environment, **options)

    def up(self, *services):
        done = self.compose("up", "-d", "--wait", *services, seconds=400)
        if done.code != 0:
            raise AssertionError(f"{done.text[-3000:]}\n{self.compose('logs', '--no-color', '--tail', '30').text}")

    def down(self):
        return self.compose("--profile", "*", "down", "-v", "--rmi", "local", "--remove-orphans", seconds=120)

    def run(self, *words, user="alice", **options):
        """A command on the client, as a user there types it."""
        return self.compose("exec", "-T", "-u", user, "client", *words, **options)

    def put(self, text, path, user="alice"):
        """A text in HDFS."""
        self.run("bash", "-c", 'hdfs dfs -mkdir -p "${1%/*}" && printf %s "$0" | hdfs dfs -put -f - "$1"', text, path, user=user).ok()

    def read(self, path):
        return self.run("hdfs", "dfs", "-cat", path).ok().out

    def files(self, path, user="alice"):
        """What is below a path in HDFS: path -> (mode, owner, group)."""
        lines = self.run("hdfs", "dfs", "-ls", "-R", path, user=user).ok().out.splitlines()
        return {words[7]: (words[0], words[2], words[3]) for words in map(str.split, lines)}

    def web(self, service, port):
        """The address of a web port on this machine."""
        return "http://" + self.compose("port", service, str(port)).ok().out.strip()

    def json(self, path, service="resourcemanager"):
        with urllib.request.urlopen(self.web(service, 8088) + path, timeout=20) as answer:
            return json.load(answer)

    def app(self, application):
        return self.json(f"/ws/v1/cluster/apps/{application}")["app"]

    def ended(self, application):
        """The final status of an application, once it has one."""
        return wait_for(f"end of {application}", lambda: (app := self.app(application))["state"] == "FINISHED" and app["finalStatus"], 60)

    def left(self):
        """What the project still has: kind -> names."""
        label = f"label=com.docker.compose.project={self.project}"
        kinds = {"container": ["-a"], "volume": [], "network": []}
        return {kind: docker(kind, "ls", *more, "-q", "--filter", label).ok().out.split() for kind, more in kinds.items()}


def word_count(output):
    return [JAR, "--input", INPUT, "--output", f"hdfs:///user/alice/{output}"]


def check_counts(stack, output):
    assert sorted(stack.read(f"/user/alice/{output}/*").split()) == COUNTS

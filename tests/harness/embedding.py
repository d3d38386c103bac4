"""Programs that ask heddle for a deployment, as `heddle-agent.jar` does: by a file in a directory of their
own, of which `docs/in-process.md` tells."""

import json
import re
import shutil
import time
import uuid

from .client import FAST_START, JAVA_OPTIONS
from .cluster import request
from .waiting import wait_for

# Containers as small as those of the clients.
SIZES = {f"{role}.memory.process.size": "1024m" for role in ("jobmanager", "taskmanager")}


def legacy(flink_home):
    """Whether this Flink reads `flink-conf.yaml`."""
    return bool(list(flink_home.glob("lib/flink-dist*-1.*.jar")))


def opened(flink_home):
    """What Flink's own configuration opens of the newer Javas, without which some jobs do not run."""
    files = (path for path in (flink_home / "conf/config.yaml", flink_home / "conf/flink-conf.yaml") if path.exists())
    found = re.search(r"^ *(?:env.java.opts.)?all: (--add.*)$", next(files).read_text(), re.MULTILINE)
    return {"env.java.opts.all": found[1]} if found else {}


class Asking:
    """A request: the directory with its file and its configurations, all for the user alone. `settings` are
    added to the configuration, and further keys to the request; None as a value leaves one out."""

    def __init__(self, work, client, mode, settings=None, **keys):
        self.client, self.work = client, work
        self.directory = client.directory / f"asking-{time.monotonic_ns()}"
        conf, hadoop = self.directory / "conf", self.directory / "hadoop"
        for made in (self.directory, conf, hadoop):
            made.mkdir(mode=0o700)
        values = SIZES | opened(client.flink_home) | {"heddle.archive.container": "false", "resourcemanager.taskmanager-timeout": "5000"}
        if JAVA_OPTIONS:
            values |= {f"env.java.opts.{role}": JAVA_OPTIONS for role in ("jobmanager", "taskmanager")}
        if not FAST_START:
            values["heddle.fast-start"] = "false"
        values |= settings or {}
        name = "flink-conf.yaml" if legacy(client.flink_home) else "config.yaml"
        (conf / name).write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
        shutil.copy(client.flink_home / "conf/log4j.properties", conf)
        for site in work.cluster.conf.glob("*-site.xml"):
            shutil.copy(site, hadoop)
        wish = {
            "version": 1, "mode": mode, "name": work.name, "flinkLibDir": str(client.flink_home / "lib"),
            "flinkConfDir": str(conf), "hadoopConfDir": str(hadoop),
        }
        self.file = self.directory / "request.json"
        self.write({key: value for key, value in (wish | keys).items() if value is not None})

    def write(self, wish):
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(wish))

    def start(self, **env):
        """Starts heddle; nothing of this machine's own Flink counts, nor another Hadoop."""
        elsewhere = {"FLINK_HOME": None, "FLINK_CONF_DIR": "/nowhere", "HADOOP_CONF_DIR": "/nowhere", "YARN_CONF_DIR": "/nowhere"}
        return Asked(self.client.start("heddle", "deploy", "--request", self.file, env=elsewhere | env))


class Asked:
    """heddle at work for a caller."""

    def __init__(self, running):
        self.running = running

    def answer(self, seconds=120):
        """The one line of its standard output."""
        wait_for("an answer", lambda: self.running.output("out").endswith("\n") or not self.running.alive, seconds, every=0.05)
        if not self.running.alive:
            self.running.result()
        lines = self.running.output("out").splitlines()
        assert len(lines) == 1, self.running.text
        return json.loads(lines[0])

    def close(self):
        """What happens, too, when the caller is killed."""
        self.running.process.stdin.close()

    def ended(self, seconds=90):
        """Its result. There was never more than the one line."""
        result = self.running.result(seconds)
        assert len(result.out.splitlines()) <= 1, result
        return result

    def failed(self, seconds=90):
        """The error of a deployment that was not made."""
        result = self.ended(seconds)
        answer = json.loads(result.out)
        assert result.code != 0 and set(answer) == {"error"}, result
        assert answer["error"]["message"].splitlines()[0] in result.err, result
        return answer["error"]


def submit(url, jar, main, *arguments, parallelism=1):
    """Submits a job at Flink's REST interface, where its `main()` runs in the JobManager; its id."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="jarfile"; filename="{jar.name}"\r\n'
    body = f"{head}Content-Type: application/x-java-archive\r\n\r\n".encode() + jar.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    form = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    uploaded = json.loads(request(f"{url}/jars/upload", "POST", body, timeout=120, headers=form))["filename"].rpartition("/")[2]
    run = {"entryClass": main, "programArgsList": list(map(str, arguments)), "parallelism": parallelism}
    return json.loads(request(f"{url}/jars/{uploaded}/run", "POST", run, timeout=120))["jobid"]

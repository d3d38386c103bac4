"""A cluster of daemons under test: YARN, HDFS and Flink through their REST interfaces."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from .hadoop import parts
from .hadoop.cluster import PseudoCluster
from .hadoop.configuration import Options
from .hadoop.environment import CACHE, ROOT, hadoop_directory, user
from .waiting import wait_for

__all__ = ["CACHE", "FINISHED", "HADOOP_VERSION", "ROOT", "Cluster", "Flink", "Hdfs", "Yarn", "get_json", "request"]

FINISHED = ("FINISHED", "FAILED", "KILLED")
HADOOP_VERSION = os.environ.get("HEDDLE_TEST_HADOOP", "3.3.6")
# Between heartbeats of a NodeManager, in milliseconds: what waits for YARN waits for these.
HEARTBEAT = 300


def request(url, method="GET", body=None, timeout=20, headers=None, context=None):
    """The body of an answer as bytes; raises `urllib.error.HTTPError` for statuses from 400. `context` is of
    TLS."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None and not headers:
        call.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(call, timeout=timeout, context=context) as answer:
        return answer.read()


def get_json(url, context=None):
    return json.loads(request(url, context=context))


class Cluster(PseudoCluster):
    """A pseudo-distributed Hadoop, and what YARN and HDFS tell of themselves."""

    def up(self, hadoop=HADOOP_VERSION, heartbeat=HEARTBEAT, **options):
        """Starts the cluster or what is missing of it; `options` are those of
        `harness.hadoop.configuration.Options`."""
        super().up(Options(heartbeat=heartbeat, **options), hadoop)
        nodes = [self.url(port) for port in self.ports if port.startswith("nm") and port.endswith("-http")]
        self.yarn = Yarn(lambda: self._active_url(parts.Yarn), nodes, user())
        self.hdfs = Hdfs(lambda: self._active_url(parts.Hdfs), user())
        return self

    def _active_url(self, kind):
        """Of the only one, or of the active one of two. It is asked for anew each time, because it
        changes."""
        part = self.part(kind)
        port = part.active(self) if part.shared else part.only
        if port is None:
            raise ConnectionError("none of the two is active")
        return self.url(f"{port}-http")

    @property
    def fs(self):
        return f"hdfs://{self.part(parts.Hdfs).address(self)}"

    @property
    def user(self):
        return user()

    @property
    def reference_hadoop_classpath(self):
        return f"{hadoop_directory(self.hadoop)}/lib/*"

    def signal(self, daemon, number):
        """Pauses (SIGSTOP), resumes (SIGCONT) or kills one daemon; `up` starts it again."""
        self.load()
        os.kill(self.pid(daemon), number)

    def administrator(self):
        """Variables that make the caller of a command an administrator, beside those of the daemons."""
        return {}

    def administer(self, main, *arguments, env=None):
        """Runs a command of Hadoop's for administrators, by its Java class. `env` adds variables."""
        environment = self.environment() | self.administrator() | (env or {})
        classpath = f"{self.conf}:{hadoop_directory(self.hadoop)}/lib/*"
        command = [f"{environment['JAVA_HOME']}/bin/java", *self.java_options(), "-cp", classpath, main, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return done.stdout

    def safe_mode(self, switch):
        """Of the NameNode: `enter`, `leave` or `get`."""
        return self.administer("org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", switch)

    def log_files(self, container, name):
        """Log files called `name` of a container id or of all containers of an application id."""
        pattern = f"nodemanager*/logs/application_*/{container}/{name}"
        if container.startswith("application_"):
            pattern = f"nodemanager*/logs/{container}/*/{name}"
        return sorted(self.directory.glob(pattern))

    def localized(self, name, application=""):
        """What the NodeManagers keep under this file name: in their caches, or in the directories of one
        application.

        Unlike `Path.glob` with `**`, this lives with applications that end, and whose directories go away,
        meanwhile."""
        found = []
        for local in self.directory.glob("nodemanager*/local"):
            places = [*local.glob(f"usercache/*/appcache/{application}")] if application else [local]
            for place in places:
                for directory, _, files in os.walk(place):
                    own = Path(directory).relative_to(local).parts
                    if name in files and ("appcache" in own) == bool(application):
                        found.append(Path(directory, name))
        return found

    def log_text(self, container, name):
        return "".join(f.read_text(errors="replace") for f in self.log_files(container, name))


def with_short_queue(app):
    """From 3.4 on Hadoop gives a queue's path, `root.default`, before its last name."""
    return app | {"queue": app["queue"].removeprefix("root.")}


class Yarn:
    """ResourceManager and NodeManagers as their REST interfaces tell them."""

    def __init__(self, active, nms, user):
        """`active()` gives the URL of the ResourceManager that is active, `nms` are those of the
        NodeManagers."""
        self.active, self.nms, self.user = active, nms, user
        # Applications that a test has killed. YARN gives a container that it stops a quarter of a second; on
        # a busy machine heddle-am does not get to removing the application's directory.
        self.killed = set()

    @property
    def rm(self):
        return self.active()

    def get(self, path):
        return get_json(f"{self.rm}/ws/v1/cluster/{path}")

    def apps(self, **filters):
        """All applications, newest first; filters are those of the REST interface (`states=RUNNING`)."""
        found = (self.get(f"apps?{urllib.parse.urlencode(filters)}").get("apps") or {}).get("app", [])
        return sorted(map(with_short_queue, found), key=lambda a: a["id"], reverse=True)

    def by_name(self, name):
        return [app for app in self.apps() if app["name"] == name]

    def app(self, application):
        return with_short_queue(self.get(f"apps/{application}")["app"])

    def live(self):
        return [app for app in self.apps() if app["state"] not in FINISHED]

    def attempts(self, application):
        return self.get(f"apps/{application}/appattempts")["appAttempts"]["appAttempt"]

    def containers(self, application):
        """Containers of an application that the NodeManagers have, without those that are done."""
        number = application.removeprefix("application_")
        found = []
        for nm in self.nms:
            listed = (get_json(f"{nm}/ws/v1/node/containers").get("containers") or {}).get("container", [])
            found += [c for c in listed if f"_{number}_" in c["id"]]
        alive = [c for c in found if c["state"] not in ("DONE", "EXITED_WITH_SUCCESS", "EXITED_WITH_FAILURE", "COMPLETE")]
        return sorted(alive, key=lambda c: c["id"])

    def workers(self, application):
        """Containers other than those of ApplicationMasters."""
        masters = {attempt["containerId"] for attempt in self.attempts(application)}
        # Where access lists count, YARN does not tell everybody. Then it is the first container of its
        # attempt, unless the ResourceManager was started again.
        of_master = lambda name: name in masters or "" in masters and name.endswith("_000001")  # noqa: E731
        return [c for c in self.containers(application) if not of_master(c["id"])]

    def wait_state(self, application, *states, seconds=60):
        def now():
            app = self.app(application)
            return app if app["state"] in states else None

        return wait_for(f"{application} in state {' or '.join(states)}", now, seconds)

    def wait_workers(self, application, count, seconds=60):
        def now():
            running = [c for c in self.workers(application) if c["state"] == "RUNNING"]
            return running or [True] if len(running) == count == len(self.workers(application)) else None

        found = wait_for(f"{count} workers of {application}", now, seconds)
        return found if count else []

    def kill(self, application):
        """As `yarn application -kill`."""
        self.killed.add(application)
        url = f"{self.rm}/ws/v1/cluster/apps/{application}/state?user.name={self.user}"
        request(url, "PUT", {"state": "KILLED"})


class Hdfs:
    """HDFS through WebHDFS, so that no client under test is needed to look at it."""

    def __init__(self, active, user):
        """`active()` gives the URL of the NameNode that is active."""
        self.active, self.user = active, user
        self.home = f"/user/{user}"
        # How it is asked: as `request` does, or in another way that takes the same arguments.
        self.request = request

    def url(self, path, op, **parameters):
        query = urllib.parse.urlencode({"op": op, "user.name": self.user} | parameters)
        return f"{self.active()}/webhdfs/v1{urllib.parse.quote(path)}?{query}"

    def list(self, path, user=None):
        """Names to status; None when there is no such path. `user` asks instead of the superuser."""
        try:
            answer = json.loads(self.request(self.url(path, "LISTSTATUS", **({"user.name": user} if user else {}))))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return {s["pathSuffix"]: s for s in answer["FileStatuses"]["FileStatus"]}

    def status(self, path):
        try:
            return json.loads(self.request(self.url(path, "GETFILESTATUS")))["FileStatus"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def tree(self, path):
        """Every file below a path: path -> (length, modification time in ms)."""
        found = {}
        for name, status in (self.list(path) or {}).items():
            child = f"{path}/{name}" if name else path
            if status["type"] == "DIRECTORY":
                found |= self.tree(child)
            else:
                found[child] = (status["length"], status["modificationTime"])
        return found

    def mkdir(self, path, permission="755"):
        self.request(self.url(path, "MKDIRS", permission=permission), "PUT")

    def give(self, path, user):
        """Makes a user the owner."""
        self.request(self.url(path, "SETOWNER", owner=user, group=user), "PUT")

    def limit_space(self, path, size):
        """Bytes with all copies; HDFS counts a file that is being written as a whole block."""
        self.request(self.url(path, "SETQUOTA", namespacequota=2**63 - 1, storagespacequota=size), "PUT")

    def delete(self, path):
        self.request(self.url(path, "DELETE", recursive="true"), "DELETE")

    def write(self, path, data):
        data = data.encode() if isinstance(data, str) else data
        where = json.loads(self.request(self.url(path, "CREATE", overwrite="true", noredirect="true"), "PUT"))["Location"]
        self.request(where, "PUT", data, headers={"Content-Type": "application/octet-stream"})

    def read_bytes(self, path):
        return self.request(self.url(path, "OPEN"))

    def read(self, path):
        return self.read_bytes(path).decode()

    def read_all(self, path):
        """The text of a file, or of all files below a directory."""
        return "".join(self.read(p) for p in sorted(self.tree(path)) if "/." not in p and "/_" not in p)


class Flink:
    """A Flink cluster through its REST interface."""

    def __init__(self, url, context=None):
        """`context` is of TLS, for a REST interface that speaks it."""
        self.base, self.context = url.rstrip("/"), context

    def get(self, path):
        return get_json(f"{self.base}/{path}", self.context)

    def jobs(self):
        """Job id -> state."""
        return {j["id"]: j["status"] for j in self.get("jobs")["jobs"]}

    def job(self, job):
        return self.get(f"jobs/{job}")

    def config(self):
        return {c["key"]: c["value"] for c in self.get("jobmanager/config")}

    def taskmanagers(self):
        return self.get("taskmanagers")["taskmanagers"]

    def wait_taskmanagers(self):
        """Those that have told their slots, which they do a moment after they have registered."""
        return wait_for("TaskManagers with slots", lambda: [m for m in self.taskmanagers() if m["slotsNumber"]])

    def wait_job(self, job, *states, seconds=90):
        def now():
            state = self.jobs().get(job)
            return state if state in states else None

        return wait_for(f"job {job} in {' or '.join(states)}", now, seconds)

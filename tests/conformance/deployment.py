"""One case in one mode with one client, from the files that it ships to what is left of it."""

import contextlib
import getpass
import json
import os
import re
import signal
import socket

from harness import processes
from harness.checks import own_flink
from harness.cluster import CACHE, FINISHED, Flink
from harness.waiting import wait_for

from . import observe
from .cases import make
from .normal import Normal

# On a machine that does ten other things, too.
PATIENCE = 240
ENDED = ("FINISHED", "CANCELED", "FAILED")


class Deployment:
    def __init__(self, case, mode, work, flink_version, jar):
        self.case, self.mode, self.work, self.jar = case, mode, work, jar
        self.version = tuple(int(number) for number in flink_version.split(".")[:2])
        self.cluster = work.cluster
        self.name = f"{work.name}-{work.kind}"
        # Of the same length for both, so that no size differs for the name of the client.
        self.files = work.directory / f"files-{work.kind}"
        self.out = work.directory / f"probe-{work.kind}"
        self.hdfs = f"{work.hdfs_dir}/{work.kind}"
        self.places, self.application, self.session = {}, None, None

    def run(self):
        """The observation: a nested dictionary as JSON has it. `normal()` replaces in it what is this
        deployment's own."""
        self.prepare()
        seen = {"client": {}}
        try:
            if self.mode == "session" and not self.deploy_session(seen):
                return self.finished(seen)
            running = self.start()
            if self.case.task and not self.case.refused:
                self.observe(running, seen)
                self.act(running)
            if not self.case.hold:
                (self.out / "go").touch()
            self.ended(running.result(PATIENCE), seen)
            self.over(seen)
        finally:
            (self.out / "go").touch()
        return self.finished(seen)

    # What the case says

    def fill(self, text):
        for name, value in (("files", self.files), ("fs", self.cluster.fs), ("hdfs", self.hdfs), ("jar", self.jar), ("out", self.out)):
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def prepare(self):
        case = self.case
        self.files.mkdir(parents=True)
        self.out.mkdir(parents=True)
        make(self.files, case.files, self.jar)
        for name, text in case.remote.items():
            self.cluster.hdfs.write(f"{self.hdfs}/{name}", text)
        home = None
        if case.usrlib:
            home = own_flink(self.work.flink_home, self.work.directory / f"flink-{self.work.kind}")
            make(home / "usrlib", case.usrlib, self.jar)
        self.client = self.work.client(flink_home=home)
        sizes = {f"{role}.memory.process.size": "1024m" for role in ("jobmanager", "taskmanager")}
        self.client.configure(sizes | {key: self.fill(str(value)) for key, value in case.config.items()})
        if case.config_text:
            # In front of what the file has anyway: without Flink's own options for the JVM nothing would
            # start.
            file = next(path for name in ("config.yaml", "flink-conf.yaml") if (path := self.client.conf / name).exists())
            file.write_bytes(self.fill(case.config_text).encode() + file.read_bytes())
        make(self.client.conf, case.conf_files, self.jar)

    @property
    def program(self):
        arguments = [self.fill(argument) for argument in self.case.arguments]
        if self.case.many:
            number, length = self.case.many
            arguments += [f"{i}-".ljust(length, "x") for i in range(number)]
        head = [self.out, self.case.end] if self.case.main == "Probe" else []
        return [self.fill(self.case.jar), *head, *arguments]

    def start(self):
        case = self.case
        named = f"-Dyarn.application.name={self.name}"
        options = [self.fill(option) for option in (*(case.options if self.mode != "session" else ()), *case.run_options)]
        if self.mode == "session":
            target = ["run", "-t", "yarn-session", f"-Dyarn.application.id={self.application}"]
        elif self.mode == "per-job":
            target = ["run", *(case.target or ["-t", "yarn-per-job"]), named]
            if case.target:
                # The old options name it by one of their own.
                target = ["run", *case.target, "-ynm", self.name]
        else:
            target = ["run-application" if self.version < (2, 0) else "run", "-t", "yarn-application", named]
        return self.client.start("flink", *target, *options, "-c", case.main, *self.program, env=self.environment)

    @property
    def environment(self):
        # Flink's scripts name their logs by it.
        return {"USER": getpass.getuser()} | {name: self.fill(value) for name, value in self.case.environment.items()}

    def deploy_session(self, seen):
        options = [self.fill(option) for option in (*self.case.options, *self.case.session_options)]
        result = self.client.run("yarn-session.sh", "-d", "-nm", self.name, *options, seconds=PATIENCE, env=self.environment)
        seen["client"]["deployment"] = {"exit": result.code, "stdout": told(result.out), "warnings": warnings(result.err)}
        self.session_result = result
        if result.code:
            return False
        self.application, self.session = result.application, result.url
        return True

    # What is seen while the task waits

    def observe(self, running, seen):
        task = self.out / "task.json"

        def there():
            return task.exists() or (not running.alive and running.process.returncode) or self.dead()

        wait_for(f"a task of {self.name}", there, PATIENCE)
        assert task.exists(), f"there was no task: {running.result() if not running.alive else running.text}"
        if self.application is None:
            [app] = [app for app in self.cluster.yarn.apps() if app["name"] == self.name]
            self.application = app["id"]
        jvms = processes.jvms(self.cluster, self.application)
        for process in jvms:
            self.places |= observe.places(process)
        [master] = [process for process in jvms if processes.is_master(process)]
        worker = min((process for process in jvms if not processes.is_master(process)), key=lambda process: process.container)
        app = self.cluster.yarn.wait_state(self.application, "RUNNING")
        seen["yarn"] = {"running": observe.report(app)}
        if self.case.workers:
            flink = Flink(app["trackingUrl"])
            patiently("all TaskManagers", lambda: len(flink.taskmanagers()) >= self.case.workers)
        rest = patiently("Flink's REST interface", lambda: observe.rest(app["trackingUrl"]))
        managers = rest.pop("taskmanagers")
        seen["jobmanager"] = observe.jvm(master) | rest
        told_by_task = observe.program(json.loads(task.read_text()))
        # Environment and JVM options of /proc are those that the task sees; one of them is enough.
        seen["taskmanager"] = {name: value for name, value in told_by_task.items() if name not in ("environment", "jvm")} | observe.jvm(worker)
        found = [manager for manager in managers if manager["id"].startswith(worker.container)]
        seen["taskmanager"] |= {"slots": found[0]["slots"], "memory": found[0]["memory"]} if found else {}
        seen["yarn"]["workers"] = len(managers)

    def dead(self):
        """Its application is over: no task will come."""
        mine = [app for app in self.cluster.yarn.by_name(self.name) if app["state"] in FINISHED]
        return bool(mine)

    def act(self, running):
        word, _, rest = self.case.act.partition(" ")
        if word == "signal":
            os.kill(running.process.pid, getattr(signal, f"SIG{rest}"))
        elif word == "kill":
            self.cluster.yarn.kill(self.application)
        elif word in ("cancel", "stop"):
            target = ["-t", f"yarn-{self.mode}", f"-Dyarn.application.id={self.application}"]
            listed = self.client.flink("list", *target, seconds=PATIENCE).ok().out
            job = re.search(r": ([0-9a-f]{32}) : ", listed)[1]
            self.client.flink(word, *target, job, seconds=PATIENCE).ok()
        elif word == "kill-taskmanager":
            # The next attempt writes the file anew.
            (self.out / "task.json").unlink()
            for process in processes.taskmanager_jvms(self.cluster, self.application):
                os.kill(process.pid, signal.SIGKILL)
            wait_for("the task once more", (self.out / "task.json").exists, PATIENCE)

    # How it ends

    def ended(self, result, seen):
        # What comes on stderr has no form that both keep to; of it only what heddle says of itself counts.
        seen["client"] |= {"exit": result.code, "stdout": told(result.out), "warnings": warnings(result.err)}
        self.result = result
        if self.application is None and (found := self.cluster.yarn.by_name(self.name)):
            self.application = found[0]["id"]

    def over(self, seen):
        """Waits for the end of the application; a session is still there, and is told to end."""
        yarn = seen.setdefault("yarn", {})
        yarn["applications"] = len(self.cluster.yarn.by_name(self.name))
        if self.application is None:
            self.main(seen)
            return
        if self.mode == "session":
            yarn["session"] = self.cluster.yarn.app(self.application)["state"]
            if yarn["session"] not in FINISHED:
                flink = Flink(self.session)
                wait_for("the jobs' end", lambda: not [state for state in flink.jobs().values() if state not in ENDED], PATIENCE)
                yarn["jobs"] = sorted(flink.jobs().values())
                self.client.run("yarn-session.sh", "-id", self.application, stdin="stop\n", seconds=PATIENCE).ok()
        elif self.mode in self.case.stays and self.work.kind == "reference":
            flink = Flink(self.cluster.yarn.app(self.application)["trackingUrl"])
            wait_for("the job's end", lambda: set(flink.jobs().values()) <= set(ENDED), PATIENCE)
            # Long enough for an end that would come by itself.
            with contextlib.suppress(AssertionError):
                self.cluster.yarn.wait_state(self.application, *FINISHED, seconds=10)
            yarn["stays"] = self.cluster.yarn.app(self.application)["state"]
            if yarn["stays"] not in FINISHED:
                self.cluster.yarn.kill(self.application)
        app = self.cluster.yarn.wait_state(self.application, *FINISHED, seconds=PATIENCE)
        self.main(seen)
        yarn["ended"] = observe.report(app) | {"state": app["state"], "finalStatus": app["finalStatus"]}
        self.diagnostics = app["diagnostics"]
        # Both clients' ends take a moment to reach the nodes; what is still there after a minute is left.
        with contextlib.suppress(AssertionError):
            wait_for("nothing left", lambda: not any(observe.left(self.cluster, self.application).values()), 20 if self.leaves() else 60)
        seen["left"] = observe.left(self.cluster, self.application)

    def main(self, seen):
        """What `main()` has written: in application mode it may run long after the client has ended."""
        if (file := self.out / "main.json").exists():
            seen["main"] = observe.program(json.loads(file.read_text()))

    def leaves(self):
        """Flink's own client leaves its directory in HDFS when an application is killed or crashes: no need
        to wait for long."""
        return self.work.kind == "reference"

    def finished(self, seen):
        client = self.client
        seen["host"] = {
            "client": observe.directory(client.directory / "logs") | {f"home›{name}": value for name, value in observe.directory(client.home).items()},
            "properties": [path.name for path in client.properties.iterdir()],
            "own-hdfs": sorted(path for path in self.cluster.hdfs.tree(self.hdfs) if "/.heddle/" not in path),
        }
        # Contents of the client's own caches and logs are its own affair; their names and modes are not.
        seen["host"]["client"] = {re.sub(r"[0-9a-f]{8,}|\d+", "N", name): value.rsplit(" ", 1)[0] for name, value in seen["host"]["client"].items()}
        return json.loads(json.dumps(seen))

    def normal(self):
        cluster, client = self.cluster, self.client
        known = {
            self.files: "<files>",
            self.out: "<probe>",
            self.hdfs: "<hdfs>",
            client.conf: "<conf>",
            client.home: "<home>",
            client.directory: "<client>",
            client.bin: "<bin>",
            client.flink_home: "<flink>",
            client.distribution: "<heddle>",
            f"{CACHE.resolve()}/hadoop-{cluster.hadoop}": "<hadoop>",
            cluster.conf: "<hadoop-conf>",
            cluster.directory: "<cluster>",
            cluster.fs: "<fs>",
            self.name: "<name>",
            self.jar: "<jar>",
        }
        for number in (1, 2):
            known[cluster.directory / f"nodemanager{number}/local"] = "<local>"
        hosts = sorted({socket.gethostname(), socket.getfqdn()} - {"localhost"})
        case = self.case
        kept = " ".join(map(str, (*case.options, *case.run_options, *case.session_options, *case.config.values(), case.config_text)))
        return Normal({str(text): name for text, name in (known | self.places).items()}, hosts, kept)


def patiently(what, ask):
    """The answer of a server that may refuse one for a while."""

    def now():
        with contextlib.suppress(OSError):
            return ask()

    return wait_for(what, now, PATIENCE, every=1)


def told(out):
    """Lines of standard output, without those of a log and the names in them that are by chance."""
    kept, logged = [], False
    for line in map(str.rstrip, out.splitlines()):
        # What a log line goes on with is indented.
        logged = bool(re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line)) or (logged and line.startswith("  "))
        if line and not logged:
            kept.append(re.sub(r"\b\d+ ms\b", "<n> ms", line))
    return kept


def warnings(err):
    return [line for line in err.splitlines() if line.startswith(("error:", "warning:"))]

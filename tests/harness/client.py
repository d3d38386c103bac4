"""The clients under test: heddle's commands, and Flink's own as the reference."""

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from . import answers
from .cluster import CACHE
from .processes import TreeWatch

APPLICATION = re.compile(r"application_\d+_\d+")
WEB_INTERFACE = re.compile(r"^JobManager Web Interface: (https?://\S+:\d+)", re.MULTILINE)
# HEDDLE_TEST_FAST_START=false: everything once more without accelerators.
FAST_START = os.environ.get("HEDDLE_TEST_FAST_START") != "false"
# Options for the JVMs in containers, and for that of Flink's own client.
JAVA_OPTIONS = os.environ.get("HEDDLE_TEST_JAVA_OPTIONS")
# Containers as small as Flink's memory model allows without more settings.
SMALL = [f"-D{role}.memory.process.size=1024m" for role in ("jobmanager", "taskmanager")]
# Seconds that a job may take on a machine that others use too.
LONG = 300
# A TaskManager without work stays for two minutes.
KEPT = "-Dresourcemanager.taskmanager-timeout=120000"
ONE_ATTEMPT = "-Dyarn.application-attempts=1"
JOB_ID = re.compile(r"^Job has been submitted with JobID ([0-9a-f]{32})", re.MULTILINE)


def end_of(text, lines=30):
    """The last lines, without those of a Java client's log that tell nothing."""
    told = [line for line in text.splitlines() if not re.search(r" INFO |^SLF4J: |^\tat ", line)]
    return "\n".join(told[-lines:])


class Result:
    """A command that has ended. `text` is stdout and stderr one after the other."""

    def __init__(self, command, code, out, err, seconds, usage, watch):
        self.command, self.code, self.out, self.err = command, code, out, err
        self.seconds, self.watch = seconds, watch
        # CPU seconds of the command and of all it waited for. (The maximum memory that comes with it is of no
        # use: it includes this process, which the command was forked from.)
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = watch.peak

    @property
    def text(self):
        return self.out + self.err

    def ok(self):
        assert self.code == 0, self
        return self

    @property
    def application(self):
        """Of the line that names the session; the last one, because a client may mention another before."""
        found = re.findall(r"of application '(application_\d+_\d+)'", self.text) or APPLICATION.findall(self.text)
        assert found, self
        return found[-1]

    @property
    def url(self):
        found = WEB_INTERFACE.search(self.out)
        assert found, self
        return found[1]

    @property
    def rest(self):
        """The web interface's address of the line that every deployment prints."""
        found = re.search(r"Found Web Interface (\S+:\d+) of application", self.text)
        assert found, self
        return f"http://{found[1]}"

    @property
    def jobs(self):
        return JOB_ID.findall(self.out)

    @property
    def job(self):
        assert self.jobs, self
        return self.jobs[-1]

    def error_lines(self):
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    def hints(self):
        return [line for line in self.err.splitlines() if line.startswith("hint:")]

    def __repr__(self):
        out, err = (end_of(text) for text in (self.out, self.err))
        return f"{' '.join(map(str, self.command))}\nexit code {self.code}\n--- stdout\n{out}\n--- stderr\n{err}"


def as_from_a_terminal():
    """In the new process, before the command. A run of tests in the background, or below `nohup`, hands
    ignored signals on, and neither a JVM nor heddle ends by a signal that it has found ignored."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class Running:
    """A command that runs; its output is read as it comes."""

    def __init__(self, command, env, cwd, terminal=False):
        self.command, self.started = command, time.monotonic()
        self.chunks = {"out": [], "err": []}
        if terminal:
            self.master, slave = pty.openpty()
            streams = {"stdin": slave, "stdout": slave, "stderr": subprocess.PIPE}
        else:
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # A session of its own: a signal to its group reaches what a terminal's Ctrl-C would reach, and
        # nothing else.
        self.process = subprocess.Popen(
            command, env=env, cwd=cwd, start_new_session=True,
            preexec_fn=as_from_a_terminal, **streams
        )
        if terminal:
            os.close(slave)
        self.ended = self.usage = None
        # Whether its answer in JSON is compared with the schema.
        self.checked = False
        self.waiter = threading.Thread(target=self._wait, daemon=True)
        self.waiter.start()
        out = self.master if terminal else self.process.stdout.fileno()
        self.watch = TreeWatch(self.process.pid)
        self.readers = [
            threading.Thread(target=self._read, args=(fd, name), daemon=True)
            for fd, name in ((out, "out"), (self.process.stderr.fileno(), "err"))
        ]
        for reader in self.readers:
            reader.start()
        self.terminal = terminal

    def _read(self, fd, name):
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while data := os.read(fd, 65536):
                self.chunks[name].append(data)

    def _wait(self):
        _, status, self.usage = os.wait4(self.process.pid, 0)
        self.ended = time.monotonic()
        self.process.returncode = os.waitstatus_to_exitcode(status)

    @property
    def alive(self):
        return self.waiter.is_alive()

    def output(self, name):
        return b"".join(self.chunks[name]).decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self):
        return self.output("out") + self.output("err")

    def wait_text(self, pattern, seconds=90):
        """The first match of a pattern in what it has printed."""
        deadline = time.monotonic() + seconds
        while True:
            if found := re.search(pattern, self.text, re.MULTILINE):
                return found
            if not self.alive:
                result = self.result()
                assert re.search(pattern, self.text, re.MULTILINE), f"ended before `{pattern}`: {result}"
            assert time.monotonic() < deadline, f"no `{pattern}` within {seconds} s:\n{end_of(self.text)}"
            time.sleep(0.05)

    def type(self, text):
        if self.terminal:
            os.write(self.master, text.encode())
        else:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()

    def interrupt(self):
        """What Ctrl-C does: the signal goes to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self):
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.waiter.join()

    def result(self, seconds=120):
        self.waiter.join(seconds)
        if self.alive:
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.command}\n{end_of(self.text)}")
        watch = self.watch.finish()
        if not self.terminal:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        for reader in self.readers:
            reader.join(5)
        result = Result(self.command, self.process.returncode, self.output("out"), self.output("err"), self.ended - self.started, self.usage, watch)
        # One that was ended by force cannot answer.
        if self.checked and result.code >= 0:
            answers.check(self.command, result.out)
        return result


class Client:
    """`heddle` or `reference`, with settings of its own: home, Flink configuration, properties file."""

    def __init__(self, kind, cluster, directory, root, flink_home, java_home=None):
        self.kind, self.cluster, self.directory = kind, cluster, Path(directory)
        self.flink_home, self.distribution = Path(flink_home), Path(os.environ.get("HEDDLE_TEST_DIST") or root / "dist/heddle")
        # Of a Java other than the one that everything here runs on.
        self.java_home = java_home or os.environ.get("JAVA_HOME")
        self.home = self.directory / "home"
        self.conf = self.directory / "conf"
        self.properties = self.directory / "properties"
        for made in (self.home, self.properties, self.directory / "logs"):
            made.mkdir(parents=True, exist_ok=True)
        if not self.conf.exists():
            shutil.copytree(self.flink_home / "conf", self.conf)
            self.configure({"yarn.properties-file.location": self.properties})
            if self.is_heddle:
                # Scenarios count containers; those about this one say otherwise.
                self.configure({"heddle.archive.container": "false"})
            if not FAST_START:
                self.configure({"heddle.fast-start": "false"})
            if JAVA_OPTIONS:
                self.configure({f"env.java.opts.{role}": JAVA_OPTIONS for role in ("jobmanager", "taskmanager")})
        if self.is_heddle and not (caches := self.home / ".cache/heddle").exists():
            # Of Flink's client, whose JVM is the same for all: without it each scenario would have one made.
            caches.mkdir(parents=True)
            (caches / "cds").symlink_to(CACHE / "test-archives")
            (CACHE / "test-archives").mkdir(exist_ok=True)
        self.running = []
        # That of another release may have other answers.
        self.checks_answers = self.is_heddle
        # Of every command, beside those that all clients have.
        self.variables = {}

    @property
    def is_heddle(self):
        return self.kind == "heddle"

    @property
    def bin(self):
        return (self.distribution if self.is_heddle else self.flink_home) / "bin"

    def configure(self, values):
        """Sets keys in Flink's configuration file, which may hold each only once."""
        file = next(path for name in ("config.yaml", "flink-conf.yaml") if (path := self.conf / name).exists())
        lines = [line for line in file.read_text().splitlines() if line.partition(":")[0] not in values]
        file.write_text("\n".join([*lines, *(f"{key}: {value}" for key, value in values.items())]) + "\n")

    def environment(self):
        """Nothing is inherited but what finds programs, so that a developer's settings cannot help a test."""
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.home), "LANG": "C.UTF-8"}
        env |= {"HADOOP_CONF_DIR": str(self.cluster.conf), "FLINK_CONF_DIR": str(self.conf)}
        env |= {"FLINK_HOME": str(self.flink_home), "FLINK_LOG_DIR": str(self.directory / "logs")}
        if self.java_home:
            env["JAVA_HOME"] = str(self.java_home)
        if not self.is_heddle:
            env["HADOOP_CLASSPATH"] = self.cluster.reference_hadoop_classpath
            if JAVA_OPTIONS:
                env["JVM_ARGS"] = JAVA_OPTIONS
        return env | self.variables

    def start(self, program, *arguments, env=None, terminal=False):
        """Starts `flink`, `yarn-session.sh` or `heddle`. `env` adds variables; None as a value removes
        one."""
        variables = self.environment() | (env or {})
        variables = {k: str(v) for k, v in variables.items() if v is not None}
        command = [str(self.bin / program), *map(str, arguments)]
        running = Running(command, variables, self.directory, terminal)
        running.checked = self.checks_answers and answers.command_of(command) is not None
        self.running.append(running)
        return running

    def run(self, program, *arguments, stdin="", seconds=120, env=None):
        running = self.start(program, *arguments, env=env)
        with contextlib.suppress(BrokenPipeError):
            running.type(stdin)
            running.process.stdin.close()
        return running.result(seconds)

    def session(self, *arguments, **options):
        """Deploys a detached session with small containers, unless told, and a short idle timeout."""
        # Of an option that is given twice both clients take the first.
        small = [word for option in ("-jm", "-tm") if option not in arguments for word in (option, "1024")]
        if not any("taskmanager-timeout" in str(argument) for argument in arguments):
            small.append("-Dresourcemanager.taskmanager-timeout=5000")
        result = self.run("yarn-session.sh", "-d", *small, *arguments, **options).ok()
        return Session(self, result.application, result.url, result)

    def flink(self, *arguments, **options):
        return self.run("flink", *arguments, **options)

    def application(self, name, jar, main, *arguments, options=(), **more):
        """`flink run-application` with small containers."""
        target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={name}"]
        return self.flink("run-application", *target, *options, "-c", main, jar, *arguments, **more)

    def per_job(self, name, jar, main, *arguments, options=(), **more):
        """`flink run -t yarn-per-job` with small containers."""
        return self.flink(*self.per_job_words(name, jar, main, *arguments, options=options), **more)

    def start_per_job(self, name, jar, main, *arguments, options=()):
        return self.start("flink", *self.per_job_words(name, jar, main, *arguments, options=options))

    def per_job_words(self, name, jar, main, *arguments, options=()):
        target = ["-t", "yarn-per-job", *SMALL, f"-Dyarn.application.name={name}"]
        return ["run", *target, *options, "-c", main, jar, *arguments]

    def end_all(self):
        for running in self.running:
            running.kill()
            running.watch.finish()


class Session:
    """A Flink session on YARN that `client` deployed."""

    def __init__(self, client, application, url, result=None):
        self.client, self.application, self.url, self.result = client, application, url, result
        self.cluster = client.cluster

    def target(self):
        return ["-t", "yarn-session", f"-Dyarn.application.id={self.application}"]

    def run(self, jar, main, *arguments, options=(), client=None, **more):
        """`flink run` on this session by any client."""
        client = client or self.client
        return client.flink("run", *self.target(), *options, "-c", main, jar, *arguments, **more)

    def start(self, jar, main, *arguments, options=(), client=None):
        client = client or self.client
        return client.start("flink", "run", *self.target(), *options, "-c", main, jar, *arguments)

    def stop(self, *words):
        return self.client.run("yarn-session.sh", "-id", self.application, *words, stdin="stop\n")

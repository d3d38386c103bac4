"""Processes as /proc shows them: those of an application's containers, and the tree below a client."""

import contextlib
import os
import threading
import time
from pathlib import Path


class Process:
    def __init__(self, pid, command, environment):
        self.pid, self.command, self.environment = pid, command, environment

    @property
    def program(self):
        return os.path.basename(self.command[0]) if self.command else ""

    @property
    def container(self):
        return self.environment.get("CONTAINER_ID")

    @property
    def is_jvm(self):
        return self.program == "java"

    def alive(self):
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        return False

    def __repr__(self):
        return f"{self.pid} {self.container} {' '.join(self.command)[:80]}"


def read(pid):
    """None when it is gone or a zombie."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    pairs = (e.decode(errors="replace").partition("=") for e in environment if e)
    return Process(pid, [c.decode(errors="replace") for c in command if c], {k: v for k, _, v in pairs})


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def with_words(*words):
    """The processes of this machine that have all of these words in their command lines."""
    found = [process for pid in all_pids() if (process := read(pid))]
    return [process for process in found if all(any(word in part for part in process.command) for word in words)]


def of_application(cluster, application):
    """Processes in the containers of an application (ids repeat between clusters, hence the directory)."""
    number, found = application.removeprefix("application_"), []
    for pid in all_pids():
        process = read(pid)
        if process is None or not process.command:
            continue
        env = process.environment
        if f"_{number}_" in env.get("CONTAINER_ID", "") and env.get("LOCAL_DIRS", "").startswith(str(cluster.directory)):
            found.append(process)
    return found


def jvms(cluster, application):
    return [p for p in of_application(cluster, application) if p.is_jvm]


def is_master(process):
    # YARN sets it for nobody else. The number of the container says nothing: after a restart of the
    # ResourceManager it counts anew.
    return "APPLICATION_WEB_PROXY_BASE" in process.environment


def taskmanager_jvms(cluster, application):
    return [p for p in jvms(cluster, application) if not is_master(p)]


def children(pid):
    """Process ids."""
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def below(pid):
    """All processes that a process has started, and that these have."""
    found, todo = [], children(pid)
    while todo:
        found.append(read(child := todo.pop()))
        todo += children(child)
    return [process for process in found if process]


class TreeWatch:
    """Looks at a process and everything below it until it ends: which programs ran, and peak memory."""

    def __init__(self, pid):
        self.pid = pid
        self.seen = []  # every program that ran, as a Process
        self.commands = {}
        # Bytes of resident memory: of the whole tree at one look, or of one process by its own high-water
        # mark.
        self.peak = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.stop.is_set():
            began = time.monotonic()
            todo, total = [self.pid], 0
            while todo:
                pid = todo.pop()
                todo += children(pid)
                with contextlib.suppress(OSError, ValueError, IndexError):
                    status = Path(f"/proc/{pid}/status").read_text()
                    now, highest = (int(status.split(f"{name}:")[1].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
                    total, self.peak = total + now, max(self.peak, highest)
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if command and self.commands.get(pid) != command:  # new, or another program by exec
                        self.commands[pid] = command
                        self.seen.append(read(pid))
            self.peak = max(self.peak, total)
            # Often enough for a command of some milliseconds, seldom enough to take little from what it looks
            # at.
            time.sleep(max(0.002, 20 * (time.monotonic() - began)))

    def finish(self):
        self.stop.set()
        self.thread.join()
        return self

    @property
    def jvms(self):
        return [p for p in self.seen if p and p.is_jvm]

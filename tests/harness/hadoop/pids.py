"""Processes that are recorded in a file and looked for later, by somebody who did not start them.

A process id alone is not enough, because the kernel gives it to another process later. A recorded process is
therefore a dictionary of `pid` and `start`, the start time that the kernel keeps for it.
"""

import contextlib
import os
import signal
import time
from pathlib import Path


def start_time(pid):
    """When a process has started, in clock ticks since the machine's start. None if it is gone or a
    zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def record(pid):
    return {"pid": pid, "start": start_time(pid)}


def alive(process):
    return process["start"] is not None and start_time(process["pid"]) == process["start"]


def send(process, signal_number):
    """Signals a recorded process if it is still the same one."""
    if alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], signal_number)


def wait_gone(processes, seconds):
    """Whether all processes have ended within this time."""
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop(processes, seconds):
    """Asks the processes to end, and kills those that have not done so after some seconds."""
    for process in processes:
        send(process, signal.SIGTERM)
        # A paused process acts on no other signal until it goes on.
        send(process, signal.SIGCONT)
    if not wait_gone(processes, seconds):
        kill(processes)


def kill(processes):
    for process in processes:
        send(process, signal.SIGKILL)
    wait_gone(processes, 10)


def in_containers(directory):
    """The processes in YARN containers of the cluster in `directory`.

    They are known by LOCAL_DIRS, which the NodeManager sets for each container, or by the path of the launch
    script.
    """
    mine = f"{directory}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        by_script = mine in command and b"/container_" in command
        if by_script or any(variable.startswith(b"LOCAL_DIRS=" + mine) for variable in environment):
            found.append(record(int(entry.name)))
    return list(filter(alive, found))

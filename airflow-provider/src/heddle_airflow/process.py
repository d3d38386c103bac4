"""Runs one command of heddle. Nothing here needs Airflow."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence

from .answer import Completed

# How many lines of the standard error stream are kept for errors.
KEPT_LINES = 50
# After SIGTERM heddle undoes a deployment. How long it is waited for, in seconds.
UNDO = 60.0
# How long a command that only asks may take, in seconds: heddle's own deadlines are shorter.
QUESTION = 180.0


class Process:
    """A command that runs. It has a session of its own: a signal to the worker does not reach it, so that it
    can undo in peace what it has begun."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], stdin: str = "") -> None:
        self.argv = list(argv)
        self._out = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                self.argv,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=self._out,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            self._out.close()
            raise
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(stdin.encode())
            self._process.stdin.close()

    def run(self, on_line: Callable[[str], None], seconds: float | None = None) -> Completed:
        """Waits for the end; each line of the standard error stream is handed on. Whatever interrupts this
        ends the command, and so does the time limit, in seconds."""
        lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        limit = threading.Timer(seconds, self._kill) if seconds is not None else None
        if limit is not None:
            limit.daemon = True
            limit.start()
        assert self._process.stderr is not None
        try:
            for raw in self._process.stderr:
                line = raw.decode(errors="replace").rstrip()
                lines.append(line)
                on_line(line)
            self._process.wait()
            self._out.seek(0)
            out = self._out.read().decode(errors="replace")
        except BaseException:
            self.end()
            raise
        finally:
            if limit is not None:
                limit.cancel()
            self._process.stderr.close()
            self._out.close()
        return Completed(self._process.returncode, out, tuple(lines))

    def terminate(self) -> None:
        """SIGTERM, without waiting: a deployment that is not ready yet is undone."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def end(self) -> None:
        """Ends the command, and waits until it has undone what it has begun."""
        self.terminate()
        try:
            self._process.wait(timeout=UNDO)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()

    def _kill(self) -> None:
        """With everything that it has started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


async def ask(argv: Sequence[str], env: Mapping[str, str], seconds: float = QUESTION) -> Completed:
    """The same for a command that only asks, on an event loop, which goes on meanwhile."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except asyncio.TimeoutError:
        return Completed(-signal.SIGKILL, "", (f"error: no answer within {seconds:.0f} s",))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    lines = err.decode(errors="replace").splitlines()[-KEPT_LINES:]
    assert process.returncode is not None
    return Completed(process.returncode, out.decode(errors="replace"), tuple(lines))

"""The port of heddle-am, which anybody in the network can reach: who is of another application learns nothing
there and breaks nothing."""

import contextlib
import resource
import socket
import statistics
import threading
import time
from pathlib import Path

import pytest

from conftest import FLINK_VERSION, cluster_of
from harness import availability, processes
from harness.control import NOT_HELD, UNAUTHENTICATED, ask, secret_of
from harness.hostile import CALLERS, KINDS, Hostile
from harness.sockets import Heard
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("Flink's own client starts TaskManagers that hear of nobody but the JobManager")


def inside(work, session, program):
    found = processes.of_application(work.cluster, session.application)
    return [process for process in found if process.program == program]


def control(work, session):
    """A taskrunner of the session, and the address that it knows."""
    [taskrunner] = wait_for("a taskrunner", lambda: inside(work, session, "heddle-taskrunner"), 60)
    host, _, port = taskrunner.environment["HEDDLE_CONTROL"].rpartition(":")
    return taskrunner, (host, int(port))


class Squatter:
    """Listens where the ApplicationMaster was, and keeps what it is told."""

    def __init__(self, port):
        self.heard, self.listener = [], socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for("the free port", lambda: self._bind(port), 20, every=0.02)
        self.listener.listen(16)
        threading.Thread(target=self._listen, daemon=True).start()

    def _bind(self, port):
        with contextlib.suppress(OSError):
            self.listener.bind(("", port))
            return True
        return False

    def _listen(self):
        # Until the listener is closed.
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                with caller, contextlib.suppress(OSError):
                    caller.settimeout(2)
                    self.heard.append(caller.recv(65536))
                    # A command of the protocol in plain text: `Accepted`.
                    caller.sendall(b"\0\0\0\2\x1a\0")
                    self.heard.append(caller.recv(65536))


@pytest.fixture
def recovering(request, cluster, tmp_path, flink_home, client_kind):
    yield from cluster_of(request, cluster, "control", tmp_path, flink_home, client_kind, zookeeper=True, recovery=True)


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.slow("a cluster of its own, and an ApplicationMaster that is replaced")
def test_who_takes_the_port_of_a_dead_applicationmaster_is_told_nothing(recovering, jar):
    """With high availability, so that TaskManagers and taskrunners outlive their ApplicationMaster."""
    work = recovering
    session, app = availability.counting_session(work, jar, *availability.options(work, FLINK_VERSION), workers=1)
    before = app.settle(1)
    taskrunner, (_, port) = control(work, session)
    secrets = [secret_of(taskrunner, f"heddle.control.{name}") for name in ("worker-key", "pin")]
    assert all(len(secret) == 32 for secret in secrets)
    newest = app.kill(app.master())
    squatter = Squatter(port)
    wait_for("a taskrunner that tries its link again", lambda: squatter.heard, 30, every=0.05)
    app.recovered(newest)
    after = app.settle(1)
    squatter.listener.close()
    assert (after.workers, after.attempt) == (before.workers, before.attempt + 1), "what the squatter says is not obeyed"
    said = b"".join(squatter.heard)
    assert said.startswith(b"\x16\x03"), "a greeting of TLS"
    for secret in secrets:
        assert secret not in said and secret.hex().encode() not in said
    assert taskrunner.container.encode() not in said
    session.stop().ok()


def memory(pid, what="VmRSS"):
    """Resident now, or at most up to now (`VmHWM`), in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


@pytest.mark.slow("the silent connections are kept up for half a minute")
@pytest.mark.extended
def test_two_thousand_silent_connections_harm_nobody(work, jar):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    session = work.client().session("-nm", work.name, "-Dtaskmanager.numberOfTaskSlots=1")
    session.start(jar, "Sleepy", "--seconds", "600")
    _, address = control(work, session)
    [master] = inside(work, session, "heddle-am")
    before, most = memory(master.pid), 0
    silent = []
    end = time.monotonic() + 30
    with contextlib.ExitStack() as stack:
        while time.monotonic() < end:
            for _ in range(min(200, 2000 - len(silent))):
                silent.append(stack.enter_context(socket.create_connection(address, timeout=20)))
            if len(silent) == 2000:
                # Those of which the server has had enough are replaced.
                gone = [each for each in silent if _is_closed(each)]
                silent = [each for each in silent if each not in gone]
                for each in gone:
                    each.close()
            most = max(most, memory(master.pid))
            time.sleep(0.2)
        # A TaskManager that is started meanwhile gets its link.
        began = time.monotonic()
        assert "collected: 25" in session.run(jar, "PrintCollect").ok().out
        print(f"heddle-am: {before:.1f} MiB before, at most {most:.1f}; a job with a new TaskManager took {time.monotonic() - began:.1f} s")
    assert most < 32
    assert work.cluster.yarn.app(session.application)["state"] == "RUNNING"
    assert len(work.cluster.yarn.attempts(session.application)) == 1
    [log] = work.cluster.log_files(session.application, "heddle-am.log")
    assert log.stat().st_size < 1 << 20
    refused = [line for line in log.read_text().splitlines() if "refused" in line]
    assert refused and len(refused) < 20, refused
    session.stop().ok()


class Watch:
    """Looks at a heddle-am all the time: the most memory, and the longest time without a word of the
    ResourceManager."""

    def __init__(self, cluster, master):
        self.master, self.memory, self.silence, self.ended = master, 0, 0, threading.Event()
        self.heard = Heard(master.pid, cluster.ports["rm-scheduler"])
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        since = time.monotonic()
        while not self.ended.wait(0.05):
            self.memory = max(self.memory, memory(self.master.pid))
            ago = self.heard.seconds_ago()
            now = time.monotonic()
            # While there is no connection nothing is heard.
            since = since if ago is None else now - ago
            self.silence = max(self.silence, now - since)

    def end(self):
        assert self.thread.is_alive(), "it could not look any more"
        self.ended.set()
        self.thread.join()


@pytest.mark.parametrize("seconds", [8, pytest.param(120, marks=(pytest.mark.extended, pytest.mark.slow("two minutes of it")))])
def test_two_thousand_hostile_connections_harm_nobody(work, jar, seconds):
    """They do what they can (`harness.hostile`), from several addresses. Meanwhile a taskrunner gets its
    link, heddle-am speaks with the ResourceManager, and jobs with new TaskManagers run."""
    settings = ("-Dtaskmanager.numberOfTaskSlots=1", "-Dresourcemanager.taskmanager-timeout=1000", "-Dyarn.heartbeat.interval=1")
    session = work.client().session("-nm", work.name, *settings)
    running = session.start(jar, "PrintCollect")
    taskrunner, address = control(work, session)
    key = secret_of(taskrunner, "heddle.control.worker-key")
    usual = running.result().ok().seconds
    # Its container is given back: who has its key can still prove that, and disturbs no TaskManager.
    work.cluster.yarn.wait_workers(session.application, 0)
    wait_for("heddle-am knows", lambda: ask(address, taskrunner.container, key, work.directory) == NOT_HELD, 20)
    assert ask(address, taskrunner.container, bytes(32), work.directory) == UNAUTHENTICATED
    assert ask(address, "container_1_0001_01_000002", key, work.directory) == UNAUTHENTICATED

    def link():
        """Seconds until heddle-am has believed a proof. One of too many callers tries again, as a taskrunner
        does."""
        began = time.monotonic()
        while True:
            with contextlib.suppress(OSError):
                assert ask(address, taskrunner.container, key, work.directory) == NOT_HELD
                return time.monotonic() - began
            assert time.monotonic() < began + 60
            time.sleep(0.2)

    [master] = inside(work, session, "heddle-am")
    before, links, jobs = memory(master.pid), [], []
    watch = Watch(work.cluster, master)
    with Hostile(address) as hostile:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            running = session.start(jar, "PrintCollect")
            while running.alive:
                links.append(link())
                time.sleep(0.2)
            result = running.result().ok()
            assert "collected: 25" in result.out
            jobs.append(result.seconds)
    watch.end()
    highest = memory(master.pid, "VmHWM")
    print(f"heddle-am: {before:.1f} MiB before, at most {highest:.1f}; {watch.silence:.2f} s without the ResourceManager; what they did: {hostile.done}")
    print(f"links: {len(links)}, median {statistics.median(links):.3f} s, longest {max(links):.3f} s; jobs: {usual:.1f} s before, then {jobs}")
    check_hostile(hostile.done, whole=seconds > 60)
    assert max(watch.memory, highest) < 32
    assert watch.silence < 5, "a heartbeat each second"
    assert statistics.median(links) < 1
    assert max(jobs) < 3 * usual + 10
    assert work.cluster.yarn.app(session.application)["state"] == "RUNNING"
    assert len(work.cluster.yarn.attempts(session.application)) == 1
    logs = work.cluster.log_files(session.application, "heddle-am.*")
    assert sum(log.stat().st_size for log in logs) < 1 << 20
    assert "refused" in work.cluster.log_text(session.application, "heddle-am.log")
    session.stop().ok()


def check_hostile(done, whole):
    """They were as hostile as they should be, and got no further than they should. In a few seconds of a busy
    machine not all of them get to do what they have come for; the `whole` time is enough."""
    assert done["most"] > CALLERS / 4, done
    for kind, number in KINDS.items():
        assert done[kind]["connections"] >= (number if whole else 1), (kind, done)
    assert set(done["wrong"]) <= {"connections", f"answer {UNAUTHENTICATED}"}, done
    assert done["half"]["answered"] > 100 and done["bulk"]["bytes"] and done["reset"]["resets"] > 100, done
    if whole:
        assert done["wrong"][f"answer {UNAUTHENTICATED}"] and done["slow"]["bytes"] > KINDS["slow"], done
        # The server understood the calls: it answers them.
        assert done["bulk"]["answered"] and done["bulk"]["bytes"] > 1 << 20 and done["idle"]["frames"], done


def _is_closed(connection):
    connection.setblocking(False)
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True

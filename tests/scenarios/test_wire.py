"""What can be heard on the network: nothing secret where heddle's own programs speak with each other."""

import base64
import os
import re

import pytest

from conftest import FLINK_VERSION, cluster_of
from harness import availability, processes, sockets
from harness.availability import Application
from harness.capture import Capture, cannot_capture
from harness.control import credentials, secret_of
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.heddle_only("Flink's own client has neither these programs nor these keys"),
    pytest.mark.extended,
    pytest.mark.skipif(cannot_capture() is not None, reason=str(cannot_capture())),
]

KEYS = ("s3.secret-key", "my.connector.password", "my.tls.private.key")
# A line for a taskrunner of an earlier attempt, and what every connection of TLS begins with.
SUCCESSOR, HANDSHAKE = b"heddle-successor 2 container_", b"\x16\x03"


@pytest.fixture
def wire(request, cluster, tmp_path, flink_home, client_kind):
    yield from cluster_of(request, cluster, "wire", tmp_path, flink_home, client_kind, zookeeper=True, recovery=True)


class Programs:
    """The ports on which heddle's programs listen, and the keys that they have, of all applications that were
    looked at."""

    def __init__(self, cluster):
        self.cluster, self.control, self.taskrunners, self.secrets = cluster, set(), set(), {}

    def look(self, application):
        """At heddle-am and a taskrunner; gives the taskrunner."""

        def both():
            inside = processes.of_application(self.cluster, application)
            found = {process.program: process for process in inside if "exec-jvm" not in process.command}
            return found.get("heddle-am") and found.get("heddle-taskrunner") and found

        found = wait_for("heddle-am and a taskrunner", both, 90)
        master, taskrunner = found["heddle-am"], found["heddle-taskrunner"]
        [(_, port)] = wait_for("its port", lambda: sockets.listening(master.pid))
        self.control.add(port)
        self.taskrunners |= {port for _, port in sockets.listening(taskrunner.pid)}
        self.secrets |= {
            f"root of {application}": secret_of(master, "heddle.control.root"),
            f"private key of {application}": private_key(credentials(master)),
            f"AMRM token of {application}": password(credentials(master), b"YARN_AM_RM_TOKEN"),
            f"key of {taskrunner.container}": secret_of(taskrunner, "heddle.control.worker-key"),
        }
        return taskrunner


def private_key(content):
    """The number that is secret in a key of P-256 (RFC 5915), which has 32 bytes."""
    der = content.partition(b"heddle.control.private-key")[2]
    at = der.index(b"\x04\x20")
    assert at < 64, der[:64]
    return der[at + 2 : at + 34]


def password(content, kind):
    """That of a token, which is before its kind, in either of Hadoop's two formats."""
    [found] = re.findall(rb"(?:\x12\x14(.{20})\x1a|\x14(.{20}))" + re.escape(bytes([len(kind)]) + kind), content, re.DOTALL)
    return found[0] or found[1]


def forms(secret):
    return {secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")}


def only(streams, ports):
    return [text for source, target, text in streams if {source, target} & ports]


@pytest.mark.timeout(900)
@pytest.mark.slow("a cluster of its own, an ApplicationMaster that is replaced, and a cluster in each mode")
def test_nothing_secret_is_said_on_the_ports_of_heddle(wire, jar):
    work, cluster, client = wire, wire.cluster, wire.client()
    canaries = {key: f"canary-wire-{number}-{os.getpid()}" for number, key in enumerate(KEYS)}
    client.configure(canaries)
    typed = f"-Dmy.typed.password=canary-wire-typed-{os.getpid()}"
    programs = Programs(cluster)
    # Not the files of HDFS, which are many and large.
    with Capture(work.directory / "loopback.pcap", without=[cluster.ports["dn"]]) as capture:
        options = [*availability.ONE_SLOT, *availability.options(work, FLINK_VERSION), typed]
        session = client.session("-nm", work.name, *options)
        session.run(jar, "Counting", *availability.counting(work), options=["-d"]).ok()
        app = Application(cluster, session.application)
        app.settle(1)
        taskrunner = programs.look(session.application)
        # The next ApplicationMaster tells the taskrunner where it is.
        newest = app.kill(app.master())
        app.recovered(newest)
        log = lambda: cluster.log_text(taskrunner.container, "heddle-taskrunner.log")  # noqa: E731
        wait_for("a link to the next one", lambda: log().count("linked to the ApplicationMaster") >= 2, 60)
        programs.look(session.application)
        session.stop().ok()

        running = client.start_per_job(f"{work.name}-2", jar, "Sleepy", "--seconds", "15", options=[typed])
        [found] = wait_for("the per-job cluster", lambda: cluster.yarn.by_name(f"{work.name}-2"), 90)
        programs.look(found["id"])
        running.result(180).ok()

        result = client.application(f"{work.name}-3", jar, "Sleepy", "--seconds", "15", options=[typed]).ok()
        programs.look(result.application)
        cluster.yarn.wait_state(result.application, "FINISHED", seconds=90)

    hadoop = set(cluster.ports.values())
    secrets = {name: value.encode() for name, value in canaries.items()} | {"typed": typed.partition("=")[2].encode()} | programs.secrets
    rest = int(session.url.rpartition(":")[2])
    streams = capture.streams(hadoop | programs.control | programs.taskrunners | {rest})
    # The fault could be seen: what is not encrypted is there, and so is each secret where YARN's protocol
    # carries it.
    assert any(b'"status":"RUNNING"' in text for text in only(streams, {rest}))
    told = only(streams, {cluster.ports["rm"], cluster.ports["nm1"], cluster.ports["nm2"], cluster.ports["rm-scheduler"]})
    for name, secret in secrets.items():
        assert name.startswith("AMRM") or any(secret in text for text in told), f"{name} was not even said to YARN"

    # A port of heddle's may have been that of a client of Hadoop's before.
    own = [(source, target, text) for source, target, text in streams if not {source, target} & (hadoop | {rest})]
    control, taskrunners = only(own, programs.control), only(own, programs.taskrunners)
    assert len(programs.control) == 4 and len(control) >= 2 * 4, (programs.control, len(control))
    assert all(text.startswith(HANDSHAKE) for text in control), [text[:20] for text in control]
    assert any(text.startswith(SUCCESSOR) for text in taskrunners), taskrunners
    for name, secret in secrets.items():
        for form in forms(secret):
            assert not any(form in text for text in control + taskrunners), name
    print(f"{capture.counts}; {len(control)} streams of {sum(map(len, control))} bytes on the ports of heddle-am, {len(taskrunners)} on those of taskrunners")

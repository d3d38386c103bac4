"""What the kernel tells of sockets, with sockets of this process."""

import os
import socket
import time
from pathlib import Path

import pytest

from harness import sockets

HOSTS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.mark.parametrize("family, host", HOSTS if Path("/proc/net/if_inet6").exists() else HOSTS[:1])
def test_when_the_other_side_was_last_heard(family, host):
    with socket.create_server((host, 0), family=family) as server, socket.socket(family) as client:
        port = server.getsockname()[1]
        assert (host, port) in sockets.listening(os.getpid())
        heard = sockets.Heard(os.getpid(), port)
        assert heard.seconds_ago() is None
        client.connect((host, port))
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"x")
            assert client.recv(1) == b"x"
            time.sleep(0.3)
            assert heard.seconds_ago() > 0.25
            before = time.monotonic()
            accepted.sendall(b"y")
            assert client.recv(1) == b"y"
            assert heard.seconds_ago() <= time.monotonic() - before + 0.1
            client.sendall(b"z")
        # Closed, and then there is another one.
        client.close()
        assert heard.seconds_ago() is None
        with socket.create_connection((host, port)), server.accept()[0] as again:
            again.sendall(b"x")
            assert heard.seconds_ago() is not None


def test_addresses():
    assert sockets.address("0100007F:1F90") == ("127.0.0.1", 8080)
    assert sockets.address("0000000000000000FFFF00000100007F:0050") == ("127.0.0.1", 80)
    assert sockets.address("00000000000000000000000000000000:0050") == ("::", 80)
    with socket.create_server(("", 0)) as server:
        assert ("localhost", server.getsockname()[1]) in sockets.listening(os.getpid())

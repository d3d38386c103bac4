"""The TCP sockets of a process as the kernel tells them: where it listens, and when it last heard of the
other side."""

import errno
import os
import socket
import struct
from pathlib import Path

ESTABLISHED, LISTEN = 1, 10
# Of sock_diag(7).
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR, INET_DIAG_INFO = 4, 20, 1, 2, 2
HEADER, REQUEST, ANSWER = struct.Struct("=IHHII"), struct.Struct("=BBBxI2s2s16s16sIII"), 72
# Where `struct tcp_info` has the milliseconds since the last data was received.
LAST_DATA_RECEIVED = 52


def address(text):
    """Host and port of an address in the kernel's tables."""
    digits, port = text.split(":")
    # Each group of four bytes is a number in the machine's order.
    raw = b"".join(bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8))
    if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff" * 2:
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw), int(port, 16)


def of_process(pid, state):
    """The sockets of a process in this state: pairs of its own address and that of the other side."""
    own = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(os.readlink(file))
        except OSError:
            continue
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
    return [(address(words[1]), address(words[2])) for words in lines if int(words[3], 16) == state and f"socket:[{words[9]}]" in own]


def listening(pid):
    """Where a process listens, as host and port; the host of one that listens on all addresses is
    `localhost`."""
    return sorted({("localhost" if host in ("0.0.0.0", "::") else host, port) for (host, port), _ in of_process(pid, LISTEN)})


class Heard:
    """When a process has last heard something on its connection to a port, which may be a new one each
    time."""

    def __init__(self, pid, port):
        self.pid, self.port, self.ends = pid, port, None
        self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)

    def seconds_ago(self):
        """None while there is no connection."""
        asked = self.ends and self._ask()
        if asked is None:
            found = [ends for ends in of_process(self.pid, ESTABLISHED) if ends[1][1] == self.port]
            self.ends = found[0] if found else None
            asked = self.ends and self._ask()
        return asked

    def _ask(self):
        (host, port), (other, its_port) = self.ends
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        ports, hosts = (port.to_bytes(2, "big"), its_port.to_bytes(2, "big")), (socket.inet_pton(family, end) for end in (host, other))
        # Whichever socket has these ends: no cookie.
        request = REQUEST.pack(family, socket.IPPROTO_TCP, 1 << INET_DIAG_INFO - 1, 1 << ESTABLISHED, *ports, *hosts, 0, 2**32 - 1, 2**32 - 1)
        self.kernel.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + request)
        answer = self.kernel.recv(1 << 16)
        length, kind, *_ = HEADER.unpack_from(answer)
        if kind == NLMSG_ERROR:
            [error] = struct.unpack_from("=i", answer, HEADER.size)
            assert -error == errno.ENOENT, os.strerror(-error)
            return None
        at = HEADER.size + ANSWER
        while at < length:
            size, attribute = struct.unpack_from("=HH", answer, at)
            if attribute == INET_DIAG_INFO:
                return struct.unpack_from("=I", answer, at + 4 + LAST_DATA_RECEIVED)[0] / 1000
            at += size + 3 & ~3
        return None

"""What is said on this machine's loopback interface, for who may listen there (root):

    python -m harness.capture FILE PORT...

It writes a file that Wireshark reads too, without what concerns these ports, until stdin is closed. Then it
prints as JSON how many packets there were, and how many the kernel has dropped because it was too slow.
"""

import contextlib
import json
import os
import socket
import struct
import sys
import threading
import time
from collections import defaultdict

from .beside import Beside

# Of packet(7), socket(7) and pcap-savefile(5).
ALL_PROTOCOLS, OUTGOING, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 3, 4, 263, 6, 33
LARGEST, BUFFER, ETHERNET, VERSION_4, VERSION_6 = 1 << 18, 256 << 20, 14, 0x0800, 0x86DD
FILE, PACKET = struct.Struct("=IHHiIII"), struct.Struct("=IIII")
SYN = 2


def cannot_capture():
    """Why nothing can be captured on this machine; None if it can."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError as error:
        return f"packets cannot be captured here: {error.strerror}"
    return None


def segment(packet):
    """Of a TCP packet: its ends, sequence number, flags and payload; else None."""
    [kind] = struct.unpack_from(">H", packet, ETHERNET - 2)
    if kind == VERSION_4 and packet[ETHERNET + 9] == socket.IPPROTO_TCP:
        at, end, hosts = ETHERNET + (packet[ETHERNET] & 15) * 4, ETHERNET + int.from_bytes(packet[ETHERNET + 2 : ETHERNET + 4], "big"), 12
        size = 4
    elif kind == VERSION_6 and packet[ETHERNET + 6] == socket.IPPROTO_TCP:
        at, end, hosts = ETHERNET + 40, ETHERNET + 40 + int.from_bytes(packet[ETHERNET + 4 : ETHERNET + 6], "big"), 8
        size = 16
    else:
        return None
    sender, receiver = (bytes(packet[ETHERNET + start : ETHERNET + start + size]) for start in (hosts, hosts + size))
    source, target, number, _, offset, flags = struct.unpack_from(">HHIIBB", packet, at)
    # A packet that is larger than its header can say has 0 there.
    payload = packet[at + (offset >> 4) * 4 : end if end > at else len(packet)]
    return (sender, source, receiver, target), number, flags, payload


def packets(file):
    content = memoryview(file.read_bytes())
    at = FILE.size
    while at + PACKET.size <= len(content):
        *_, length, _ = PACKET.unpack_from(content, at)
        at += PACKET.size
        yield bytes(content[at : at + length])
        at += length


def streams(file, ports):
    """What was said on connections with one of these ports: a list of (port of the sender, port of the
    receiver, bytes)."""
    pieces, begun = defaultdict(dict), defaultdict(int)
    for packet in packets(file):
        found = segment(packet)
        if not found or not {found[0][1], found[0][3]} & set(ports):
            continue
        ends, number, flags, payload = found
        # The same two ports may be used for one connection after the other.
        begun[ends] += bool(flags & SYN)
        if payload:
            pieces[ends, begun[ends]].setdefault(number, payload)
    return [(ends[1], ends[3], joined(of)) for (ends, _), of in pieces.items()]


def joined(pieces):
    """The bytes of a stream from its segments by their sequence numbers, some of which were sent twice."""
    # The numbers begin anywhere, and begin anew at 2^32; the first segment that was seen is near the
    # beginning.
    base = next(iter(pieces))
    signed = lambda number: (number - base + (1 << 31) & (1 << 32) - 1) - (1 << 31)  # noqa: E731
    text, upto = [], None
    for number in sorted(pieces, key=signed):
        begin, piece = signed(number), pieces[number]
        new = piece if upto is None or begin >= upto else piece[upto - begin :]
        text.append(new)
        upto = max(begin + len(piece), upto or begin)
    return b"".join(text)


class Capture(Beside):
    """The process, while a block of code runs."""

    def __init__(self, file, without=()):
        super().__init__("capture", file, *without)
        self.file = file

    def __enter__(self):
        assert self.process.stdout.readline() == "listening\n"
        return self

    def __exit__(self, failed, *rest):
        super().__exit__(failed, *rest)
        assert failed or self.counts["dropped"] == 0, self.counts

    @property
    def counts(self):
        return self.found

    def streams(self, ports):
        return streams(self.file, ports)


def write(file, without):
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    listener.bind(("lo", ALL_PROTOCOLS))
    listener.settimeout(0.2)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("listening", flush=True)
    buffer, count = bytearray(LARGEST), 0
    with open(file, "wb", buffering=1 << 20) as out:
        out.write(FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, LARGEST, 1))
        # What has come before the end is still written, unless more and more comes.
        patience = None
        while patience is None or time.monotonic() < patience:
            if ended.is_set() and patience is None:
                patience = time.monotonic() + 2
            try:
                length, (_, _, direction, *_) = listener.recvfrom_into(buffer)
            except TimeoutError:
                if patience:
                    break
                continue
            # Each packet comes twice, once when it is sent and once when it is received.
            packet = buffer[:length]
            found = direction != OUTGOING and segment(packet)
            if not found or without & {found[0][1], found[0][3]}:
                continue
            seconds, micros = divmod(time.time_ns() // 1000, 1000000)
            out.write(PACKET.pack(seconds, micros, length, length))
            out.write(packet)
            count += 1
    _, dropped = struct.unpack("=II", listener.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps({"packets": count, "dropped": dropped}))


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(-5)
    write(sys.argv[1], set(map(int, sys.argv[2:])))

"""What was captured of a connection, and how its segments are put together."""

import socket
import struct

import pytest

from harness.capture import FILE, PACKET, SYN, Capture, cannot_capture, streams


def packet(source, target, number, payload, flags=0, version=4):
    tcp = struct.pack(">HHIIBBHHH", source, target, number % (1 << 32), 0, 5 << 4, flags, 0, 0, 0) + payload
    if version == 4:
        ip = struct.pack(">BBHIBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        return bytes(12) + b"\x08\x00" + ip + tcp
    ip = struct.pack(">IHBB16s16s", 6 << 28, len(tcp), 6, 64, bytes(16), bytes(16))
    return bytes(12) + b"\x86\xdd" + ip + tcp


@pytest.mark.parametrize("version", [4, 6])
def test_streams_are_put_together(tmp_path, version):
    begin = (1 << 32) - 5
    sent = [
        packet(1, 2, begin - 1, b"", SYN, version),
        packet(1, 2, begin, b"hello ", 0, version),
        packet(2, 1, 77, b"answer", 0, version),
        packet(1, 2, begin + 11, b"!", 0, version),
        packet(1, 2, begin + 6, b"world", 0, version),
        packet(1, 2, begin, b"hello wor", 0, version),
        packet(3, 4, 1, b"others", 0, version),
        packet(1, 2, 5, b"", SYN, version),
        packet(1, 2, 6, b"again", 0, version),
    ]
    file = tmp_path / "packets"
    file.write_bytes(bytes(FILE.size) + b"".join(PACKET.pack(0, 0, len(one), len(one)) + one for one in sent))
    assert streams(file, [2]) == [(1, 2, b"hello world!"), (2, 1, b"answer"), (1, 2, b"again")]


@pytest.mark.skipif(cannot_capture() is not None, reason=str(cannot_capture()))
def test_what_is_said_here_is_captured(tmp_path):
    text = bytes(range(256)) * 40000
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        port, left_out = server.getsockname()[1], other.getsockname()[1]
        with Capture(tmp_path / "packets", [left_out]) as capture:
            for to in (server, other):
                with socket.create_connection(to.getsockname()) as client, to.accept()[0] as accepted:
                    client.sendall(b"question")
                    assert accepted.recv(8) == b"question"
                    accepted.setblocking(False)
                    sent = received = 0
                    while received < len(text):
                        try:
                            sent += accepted.send(text[sent:])
                        except BlockingIOError:
                            pass
                        received += len(client.recv(1 << 20))
        found = capture.streams([port, left_out])
    assert [(source == port, target == port) for source, target, _ in found] == [(False, True), (True, False)]
    assert [said for _, _, said in found] == [b"question", text]

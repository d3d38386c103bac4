"""Two thousand callers of a port of heddle-am that have no key, and each makes as much trouble as it can:

    python -m harness.hostile HOST PORT

They go on until stdin is closed; then what they have done is printed as JSON. A process of its own, so that
what is measured meanwhile does not wait for it.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import resource
import socket
import sys
from collections import Counter

from .beside import Beside
from .control import GRPC, LINK, answer, greeting, hello, tls

# Kind -> how many callers of it. heddle-am lets 64 wait that speak HTTP/2, so there are more, but not so many
# that none can do anything before another one has taken its place.
KINDS = {"slow": 800, "half": 700, "wrong": 400, "idle": 40, "bulk": 30, "reset": 30}
CALLERS = sum(KINDS.values())
# heddle-am bounds those from one address, and those from all. None comes from that of an honest caller.
ADDRESSES = [f"127.0.0.{n}" for n in range(2, 10)]
STREAMS, STREAM_BYTES = 200, 4 << 20

# Of HTTP/2 (RFC 9113).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_HEADERS, ACK, CANCEL = 4, 1, 8
# What a caller may send on a connection, and on a stream of it, before the other side says more; in one frame
# at most.
WINDOW, FRAME = (1 << 16) - 1, 1 << 14
UNBOUNDED = 1 << 62


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header, not compressed (RFC 7541, 6.2.2)."""
    text = lambda word: bytes([len(word)]) + word.encode()  # noqa: E731
    return b"\0" + text(name) + text(value)


def call(stream):
    """The headers of a call, with a proof that is none."""
    named = {":method": "POST", ":scheme": "https", ":path": "/heddle.control.v1.Submission/Attend", ":authority": "heddle"}
    named |= {"content-type": "application/grpc", "te": "trailers", "authorization": f"Heddle {os.urandom(32).hex()}"}
    return frame(HEADERS, END_HEADERS, stream, b"".join(map(literal, named, named.values())))


class Callers:
    """All of them; `counts` says of each kind what it has done, and `open` how many are connected."""

    def __init__(self, host, port):
        self.address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
        local = self.address[0].startswith("127.")
        self.sources = [(address, 0) for address in ADDRESSES] if local else [None]
        self.greeting, self.contexts = greeting(LINK), {name: tls(name) for name in (LINK, GRPC)}
        self.counts, self.open, self.most = {kind: Counter() for kind in KINDS}, 0, 0

    async def all(self):
        kinds = [kind for kind, number in KINDS.items() for _ in range(number)]
        tasks = [asyncio.create_task(self.again_and_again(kind, number)) for number, kind in enumerate(kinds)]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
        assert not wrong, wrong[0]
        return {"most": self.most, **self.counts}

    async def again_and_again(self, kind, number):
        """A caller of which the server has had enough comes again."""
        dice, does = random.Random(number), getattr(self, kind)
        # If all came at once, none would be through its handshake in time on a busy machine.
        await asyncio.sleep(4 * dice.random())
        while True:
            # The other side ends it, at whatever moment.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.once(kind, number, does)
            await asyncio.sleep(1 + 2 * dice.random())

    async def once(self, kind, number, does):
        protocol = {"slow": None, "half": None, "wrong": LINK}.get(kind, GRPC)
        secured = {"ssl": self.contexts[protocol], "server_hostname": "heddle", "ssl_handshake_timeout": 20} if protocol else {}
        source = self.sources[number % len(self.sources)]
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*self.address, local_addr=source, **secured)
        self.open += 1
        self.most = max(self.most, self.open)
        self.counts[kind]["connections"] += 1
        try:
            await does(reader, writer, self.counts[kind], number)
            await reader.read()
        finally:
            self.open -= 1
            writer.transport.abort()

    async def slow(self, reader, writer, count, _):
        """A byte of a greeting in each second."""
        for byte in self.greeting:
            writer.write(bytes([byte]))
            count["bytes"] += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    return await reader.readexactly(1)

    async def half(self, reader, writer, count, _):
        """A greeting, and nothing more once the server has computed its answer."""
        writer.write(self.greeting)
        await reader.readexactly(1)
        count["answered"] += 1

    async def wrong(self, reader, writer, count, _):
        writer.write(hello("container_1_0001_01_000002", os.urandom(32)))
        length = int.from_bytes(await reader.readexactly(4), "big")
        count[f"answer {answer(await reader.readexactly(length))}"] += 1

    async def idle(self, reader, writer, count, _):
        """HTTP/2 without a call, that answers all questions whether it is there."""
        writer.write(PREFACE + frame(SETTINGS, 0, 0))
        await self.heard(reader, writer, count, {})

    async def bulk(self, reader, writer, count, number):
        """Calls with more bytes than anybody has room for; every second caller keeps to the windows of
        HTTP/2."""
        first = UNBOUNDED if number % 2 else WINDOW
        windows = {0: first} | {1 + 2 * stream: first for stream in range(STREAMS)}
        left = {stream: STREAM_BYTES for stream in windows if stream}
        writer.write(PREFACE + frame(SETTINGS, 0, 0) + b"".join(map(call, left)))
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(self.heard(reader, writer, count, windows))
            with contextlib.suppress(OSError):
                while left and not hearing.done():
                    # The one that has sent least.
                    stream = max(left, key=left.get)
                    size = min(FRAME, left[stream], windows[0], windows[stream])
                    if size <= 0:
                        await asyncio.sleep(0.1)
                        continue
                    writer.write(frame(DATA, 0, stream, bytes(size)))
                    await writer.drain()
                    # The others go on, whether or not it had to wait.
                    await asyncio.sleep(0)
                    count["bytes"] += size
                    left[stream] -= size
                    windows[0] -= size
                    windows[stream] -= size

    async def reset(self, reader, writer, count, _):
        """Calls that are taken back at once."""
        writer.write(PREFACE + frame(SETTINGS, 0, 0))
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(self.heard(reader, writer, count, {}))
            stream = 1
            with contextlib.suppress(OSError):
                while not hearing.done():
                    for stream in range(stream, stream + 200, 2):
                        writer.write(call(stream) + frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))
                    await writer.drain()
                    stream += 2
                    count["resets"] += 100
                    await asyncio.sleep(0.01)

    async def heard(self, reader, writer, count, windows):
        """Reads the server's frames until it ends the connection, answers what has to be, and opens the
        windows."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                count[{HEADERS: "answered", RST_STREAM: "refused", GOAWAY: "hung up"}.get(kind, "frames")] += 1
                if kind in (SETTINGS, PING) and not flags & ACK:
                    writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
                elif kind == WINDOW_UPDATE and stream in windows:
                    windows[stream] += int.from_bytes(payload, "big")


class Hostile(Beside):
    """The process, while a block of code runs; after it `done` has what was done."""

    def __init__(self, address):
        super().__init__("hostile", *address)

    @property
    def done(self):
        return self.found


if __name__ == "__main__":
    # It would say of each connection that was closed that nothing can be sent any more.
    logging.disable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(json.dumps(asyncio.run(Callers(sys.argv[1], int(sys.argv[2])).all())))

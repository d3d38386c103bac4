"""A taskrunner's side of the control protocol of heddle-am (docs/design/control-protocol.md), as far as a
stranger or a test needs it."""

import hashlib
import hmac
import socket
import ssl
import struct
import tempfile
from pathlib import Path

LINK, GRPC = "heddle-link/3", "h2"
# What heddle-am answers to a `Hello`: it has accepted it, or why it refuses it (`Refusal` of control.proto).
ACCEPTED, UNAUTHENTICATED, NOT_HELD = "accepted", 1, 4
CHANNEL, EXPORTER = b"heddle control channel\0", b"EXPORTER-heddle-control"


def credentials(process):
    """Those of the container of a process, in whichever of its two formats Hadoop has written them."""
    return Path(process.environment["HADOOP_TOKEN_FILE_LOCATION"]).read_bytes()


def secret_of(process, alias):
    """32 bytes of the credentials."""
    rest = credentials(process).partition(alias.encode())[2]
    length = rest.index(32)
    assert length <= 1, rest[:4]
    return rest[length + 1 : length + 33]


def tls(protocol):
    """Of a caller that does not look at the server's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([protocol])
    return context


def greeting(protocol):
    """The first message of a caller of TLS."""
    sent = ssl.MemoryBIO()
    try:
        tls(protocol).wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()


def expand(secret, label, context, length, digest):
    """HKDF-Expand-Label of RFC 8446, of at most as many bytes as a hash has."""
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\1", digest)[:length]


def exported(secret, digest, label=EXPORTER):
    """32 bytes that both ends of a connection can compute: the exporter of RFC 8446, 7.5, without a
    context."""
    nothing = hashlib.new(digest).digest()
    return expand(expand(secret, label, nothing, len(nothing), digest), b"exporter", nothing, 32, digest)


def field(number, value):
    """Of a message of protobuf: short bytes or a small number."""
    kind, content = (0, bytes([value])) if isinstance(value, int) else (2, bytes([len(value)]) + value)
    return bytes([number << 3 | kind]) + content


def hello(container, proof):
    """The frame of the first event."""
    event = field(1, field(1, 3) + field(2, container.encode()) + field(6, proof))
    return struct.pack(">I", len(event)) + event


def answer(frame):
    """What the message in a frame says to a `Hello`."""
    command, content = frame[0] >> 3, frame[2:]
    if command == 3:
        return ACCEPTED
    assert command == 4 and content[0] == 1 << 3, frame
    return content[1]


def ask(address, container, key, directory, timeout=10):
    """Opens a link as the taskrunner of a container, by its key, and ends it. Gives the answer to the
    `Hello`."""
    context = tls(LINK)
    with tempfile.NamedTemporaryFile(dir=directory) as secrets:
        # Python does not export anything from a connection, but OpenSSL writes down of what it is derived.
        context.keylog_filename = secrets.name
        with socket.create_connection(address, timeout) as plain, context.wrap_socket(plain) as link:
            lines = map(str.split, Path(secrets.name).read_text().splitlines())
            [secret] = [bytes.fromhex(words[2]) for words in lines if words[0] == "EXPORTER_SECRET"]
            binding = exported(secret, "sha384" if link.cipher()[0].endswith("SHA384") else "sha256")
            proof = hmac.digest(key, CHANNEL + binding + b"worker\0" + container.encode(), "sha256")
            link.sendall(hello(container, proof))
            length = int.from_bytes(received(link, 4), "big")
            return answer(received(link, length))


def received(stream, count):
    found = b""
    while len(found) < count:
        more = stream.recv(count - len(found))
        if not more:
            raise ConnectionError("the other side hung up")
        found += more
    return found

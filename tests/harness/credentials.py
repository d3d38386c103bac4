"""What Hadoop and Kerberos keep secrets in, read without them: credentials files and keytabs."""

import base64
import struct
from dataclasses import dataclass, field
from pathlib import Path

HDFS, AMRM, RESOURCE_MANAGER = "HDFS_DELEGATION_TOKEN", "YARN_AM_RM_TOKEN", "RM_DELEGATION_TOKEN"
WRITABLE, PROTOBUF = 0, 1
# In bytes: what is shorter could be found anywhere by chance.
SHORTEST = 12


@dataclass(frozen=True)
class Token:
    kind: str
    service: str
    identifier: bytes = field(repr=False)
    password: bytes = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """What an HDFS delegation token says; times are in milliseconds since the epoch."""

    owner: str
    renewer: str
    real_user: str
    issued: int
    latest: int
    number: int

    @classmethod
    def of(cls, token):
        reader = Reader(token.identifier)
        assert reader.take(1) == b"\0", "another version of the format"
        return cls(reader.text(), reader.text(), reader.text(), reader.number(), reader.number(), reader.number())


@dataclass(frozen=True)
class Credentials:
    """Tokens and other secrets, by their aliases."""

    tokens: dict
    secrets: dict = field(repr=False)

    @property
    def kinds(self):
        return {token.kind for token in self.tokens.values()}

    def of_kind(self, kind):
        return [token for token in self.tokens.values() if token.kind == kind]


class Reader:
    """Of Java's Writable encoding."""

    def __init__(self, content):
        self.rest = content

    def take(self, count):
        assert count <= len(self.rest), "it ends in the middle of an entry"
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self):
        """As `WritableUtils.writeVLong` writes it."""
        [first] = struct.unpack("b", self.take(1))
        if first >= -112:
            return first
        negative = first < -120
        value = int.from_bytes(self.take(-120 - first if negative else -112 - first), "big")
        return ~value if negative else value

    def bytes(self):
        return self.take(self.number())

    def text(self):
        return self.bytes().decode()


def read(content):
    """The bytes of a credentials file, in either of Hadoop's two formats."""
    assert content[:4] == b"HDTS", content[:4]
    if content[4] == PROTOBUF:
        return of_protobuf(content[5:])
    assert content[4] == WRITABLE, content[4]
    reader = Reader(content[5:])
    tokens, secrets = {}, {}
    for _ in range(reader.number()):
        alias, identifier, password = reader.text(), reader.bytes(), reader.bytes()
        tokens[alias] = Token(reader.text(), reader.text(), identifier, password)
    for _ in range(reader.number()):
        alias = reader.text()
        secrets[alias] = reader.bytes()
    return Credentials(tokens, secrets)


def of_file(path):
    return read(Path(path).read_bytes())


def write(path, *tokens):
    """Writes a credentials file with these tokens, in the older one of Hadoop's formats."""
    content = b"HDTS" + bytes([WRITABLE]) + vlong(len(tokens))
    for number, token in enumerate(tokens):
        for part in (str(number).encode(), token.identifier, token.password, token.kind.encode(), token.service.encode()):
            content += vlong(len(part)) + part
    # There are no other secrets.
    Path(path).write_bytes(content + vlong(0))


def vlong(number):
    """As `WritableUtils.writeVLong` writes a number that is not negative."""
    if number < 128:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return bytes([144 - size]) + number.to_bytes(size, "big")


def of_process(process):
    """What the process finds where Hadoop's classes look."""
    return of_file(process.environment["HADOOP_TOKEN_FILE_LOCATION"])


def varint(content):
    """The first number of protobuf's encoding, and what follows it."""
    value = shift = 0
    for at, byte in enumerate(content):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, content[at + 1 :]
    raise AssertionError("it ends in the middle of a number")


def fields(message):
    """Number and content of each field of a message that has strings, bytes and messages only."""
    while message:
        tag, message = varint(message)
        assert tag & 7 == 2, tag
        length, message = varint(message)
        yield tag >> 3, message[:length]
        message = message[length:]


def of_protobuf(content):
    length, rest = varint(content)
    tokens, secrets = {}, {}
    for number, entry in fields(rest[:length]):
        parts = dict(fields(entry))
        alias = parts[1].decode()
        if number == 1:
            token = dict(fields(parts[2]))
            tokens[alias] = Token(token[3].decode(), token[4].decode(), token[1], token[2])
        else:
            secrets[alias] = parts.get(3, b"")
    return Credentials(tokens, secrets)


def keys(keytab):
    """The keys in the bytes of a keytab (MIT's format of version 0x0502)."""
    assert keytab[:2] == b"\5\2", keytab[:2]
    rest, found = keytab[2:], []
    while rest:
        [size] = struct.unpack(">i", rest[:4])
        entry, rest = rest[4 : 4 + abs(size)], rest[4 + abs(size) :]
        # A deleted entry has a negative size.
        if size > 0:
            found.append(key(entry))
    return found


def key(entry):
    def counted(at):
        [length] = struct.unpack_from(">H", entry, at)
        return at + 2 + length

    [components] = struct.unpack_from(">H", entry)
    at = 2
    # The realm comes before the components of the name.
    for _ in range(components + 1):
        at = counted(at)
    # Behind the name: its type, a time, the key's version, and the number of its encryption.
    at += 4 + 4 + 1 + 2
    return entry[at + 2 : counted(at)]


def forms(secret):
    """How a secret may stand in a file: as it is, in hexadecimal digits, in base64."""
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")}


def found_in(content, secrets):
    """The names of the secrets that these bytes hold in any form. `secrets`: name -> bytes; short ones are no
    secrets."""
    return [name for name, secret in secrets.items() if len(secret) >= SHORTEST and any(form in content for form in forms(secret))]

"""Credentials files and keytabs, made here byte by byte."""

import base64
import struct

import pytest

from harness import credentials
from harness.credentials import HDFS, Identity


def length(number):
    """As `WritableUtils.writeVLong` writes what is not negative."""
    if number <= 127:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return struct.pack("b", -112 - size) + number.to_bytes(size, "big")


def counted(content):
    content = content.encode() if isinstance(content, str) else content
    return length(len(content)) + content


IDENTIFIER = b"\0" + counted("alice@REALM") + counted("yarn") + counted("") + length(1700000000000) + length(1700000600000) + length(7) + length(3)
PASSWORD, SECRET = bytes(range(20)), b"s" * 300


def writable():
    token = counted("an alias") + counted(IDENTIFIER) + counted(PASSWORD) + counted(HDFS) + counted("127.0.0.1:8020")
    return b"HDTS\0" + length(1) + token + length(1) + counted("heddle.x") + counted(SECRET)


def test_writable():
    found = credentials.read(writable())
    assert found.kinds == {HDFS} and found.secrets == {"heddle.x": SECRET}
    [token] = found.of_kind(HDFS)
    assert (token.service, token.password) == ("127.0.0.1:8020", PASSWORD)
    assert "x01" not in repr(token) and "ssss" not in repr(found)
    with pytest.raises(AssertionError, match="in the middle"):
        credentials.read(writable()[:-1])
    with pytest.raises(AssertionError):
        credentials.read(b"nothing of Hadoop's")


def test_protobuf():
    def field(number, content):
        content = content.encode() if isinstance(content, str) else content
        size = len(content)
        prefix = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return bytes([number << 3 | 2]) + prefix + content

    token = field(1, IDENTIFIER) + field(2, PASSWORD) + field(3, HDFS) + field(4, "ha-hdfs:ns")
    message = field(1, field(1, "an alias") + field(2, token)) + field(2, field(1, "heddle.x") + field(3, SECRET))
    content = b"HDTS\1" + bytes([len(message) & 127 | 128, len(message) >> 7]) + message
    found = credentials.read(content)
    assert found.of_kind(HDFS)[0].service == "ha-hdfs:ns" and found.secrets == {"heddle.x": SECRET}


def test_what_a_token_says():
    [token] = credentials.read(writable()).of_kind(HDFS)
    assert Identity.of(token) == Identity("alice@REALM", "yarn", "", 1700000000000, 1700000600000, 7)


def test_negative_numbers():
    """-129 as Java writes it: a byte for the sign and the size, then its complement."""
    assert credentials.Reader(struct.pack("b", -121) + b"\x80").number() == -129
    assert credentials.Reader(struct.pack("b", -1)).number() == -1


def keytab(*keys, deleted=b""):
    made = b"\5\2"
    if deleted:
        made += struct.pack(">i", -len(deleted)) + deleted
    for key in keys:
        part = lambda text: struct.pack(">H", len(text)) + text  # noqa: E731
        entry = struct.pack(">H", 2) + part(b"REALM") + part(b"nn") + part(b"localhost") + struct.pack(">IIBH", 1, 0, 2, 18) + part(key)
        # The version once more, in four bytes.
        entry += struct.pack(">I", 2)
        made += struct.pack(">i", len(entry)) + entry
    return made


def test_keys_of_a_keytab():
    keys = [b"k" * 32, b"l" * 16]
    assert credentials.keys(keytab(*keys)) == keys
    assert credentials.keys(keytab(*keys, deleted=b"\0" * 40)) == keys
    assert credentials.keys(keytab()) == []


def test_secrets_are_found_in_each_form():
    secrets = {"one": PASSWORD, "empty": b"", "short": b"abc"}
    for form in (PASSWORD, PASSWORD.hex().encode(), PASSWORD.hex().upper().encode(), base64.b64encode(PASSWORD)):
        assert credentials.found_in(b"abc " + form + b" and more", secrets) == ["one"]
    assert credentials.found_in(b"abc", secrets) == []

"""Archives that are no good are so in one way each."""

import hashlib

from harness.class_data import MIB, Archive

CHECKSUM = "0a1b2c3d" * 8
PATH = f"/store/cds/jobmanager-0a1b/17.0.15-linux-104857600-{CHECKSUM}.jsa"


def test_a_path_there_and_back():
    archive = Archive.of(PATH)
    assert (archive.java, archive.size, archive.checksum) == ("17.0.15-linux", 104857600, CHECKSUM)
    assert archive.path == PATH


def test_each_has_one_fault():
    whole = Archive.of(PATH)
    cut, short = whole.cut_off()
    assert len(short) != cut.size
    garbled, data = whole.garbled()
    assert len(data) == garbled.size and hashlib.sha256(data).hexdigest() != garbled.checksum
    content = bytes(40 * MIB)
    deadly, data = whole.deadly(content)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (deadly.size, deadly.checksum)
    assert data[: 8 * MIB] == content[: 8 * MIB] and data != content
    assert len({archive.path for archive in (cut, garbled, deadly, whole)}) == 4

"""The jars that run inside Flink's JVMs fit the classes of the releases: without a cluster, and without
running any."""

import re

import pytest

from conftest import fetch_flink
from harness.cluster import ROOT
from harness.linkage import unresolved
from harness.matrix import FLINKS, PLAIN_FLINKS

JARS = ROOT / "dist/heddle/lib"
# What stands behind the entrypoints of the other releases; it is named, and never loaded.
OTHERS = {"": (), "113": ("dev.heddle.bridge.Flink114",)}


def pytest_generate_tests(metafunc):
    everything = metafunc.config.getoption("--matrix")
    metafunc.parametrize("flink", FLINKS if everything else PLAIN_FLINKS)


def entrypoints_of(flink):
    """As the table of the releases has them."""
    table = (ROOT / "flink-model/src/release.rs").read_text()
    found = re.findall(r"since: \((\d+), (\d+)\)|_entrypoint: \"(dev\.heddle\.[\w.]+)\"", table)
    release, row, chosen = tuple(map(int, flink.split(".")[:2])), None, {}
    for major, minor, name in found:
        if name and row <= release:
            chosen.setdefault(row, []).append(name)
        elif not name:
            row = int(major), int(minor)
    return chosen[max(chosen)]


@pytest.mark.parametrize("jar", ["flink-bridge", "flink-client-fs"])
def test_every_reference_is_met(flink, jar):
    roots = entrypoints_of(flink) if jar == "flink-bridge" else ["dev.heddle.client.HdfsFactory"]
    suffix = "113" if roots[0].endswith("113") else ""
    libraries = sorted((fetch_flink(flink) / "lib").glob("*.jar"))
    missing, classes = unresolved(JARS / f"{jar}.jar", roots, libraries, without=OTHERS[suffix])
    assert not missing, "\n".join(missing)
    assert classes >= 10
    if jar == "flink-bridge":
        assert suffix == ("113" if flink.startswith("1.13.") else "")
        # The check can fail: the code for the other releases does not fit.
        other = "dev.heddle.bridge.Flink114" if suffix else "dev.heddle.bridge.Flink113"
        assert unresolved(JARS / f"{jar}.jar", [other], libraries)[0]


def test_every_reference_of_a_sql_script_is_met(flink):
    """Of the program that runs SQL scripts where Flink has none itself: before 2.0."""
    if flink.startswith("2."):
        pytest.skip("Flink has a program of its own for SQL scripts")
    libraries = sorted((fetch_flink(flink) / "lib").glob("*.jar"))
    missing, classes = unresolved(JARS / "flink-bridge.jar", ["dev.heddle.sql.SqlScript"], libraries)
    assert not missing, "\n".join(missing)
    assert classes >= 8
    # The check can fail: there is no Table API in flink-dist.
    others = [jar for jar in libraries if "flink-table" not in jar.name]
    assert unresolved(JARS / "flink-bridge.jar", ["dev.heddle.sql.SqlScript"], others)[0]

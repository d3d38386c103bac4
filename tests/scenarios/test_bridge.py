"""The jars that run inside Flink's JVMs, or in those of tools, fit the classes of the releases: without a
cluster, and without running any."""

import re

import pytest

from conftest import fetch_flink
from harness.cluster import ROOT
from harness.linkage import FINAL, ClassPath, unresolved
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


def test_the_agent_names_no_class_of_others(flink):
    """It is loaded where Flink's classes are not, and reaches them by reflection. So it is the same for all
    releases."""
    missing, classes = unresolved(JARS / "heddle-agent.jar", ["dev.heddle.agent.Agent", "dev.heddle.agent.Hooks"], [])
    assert not missing, "\n".join(missing)
    assert classes >= 20


def test_what_the_agent_calls_of_flink_is_there(flink):
    """By name, as it does it; the agent leaves a class alone that lacks what it needs."""
    flinks = ClassPath(sorted((fetch_flink(flink) / "lib").glob("*.jar")))
    descriptor = flinks.get("org/apache/flink/yarn/YarnClusterDescriptor")
    arguments = "Lorg/apache/flink/client/deployment/ClusterSpecification;Ljava/lang/String;Ljava/lang/String;Lorg/apache/flink/runtime/jobgraph/JobGraph;Z"
    assert ("deployInternal", f"({arguments})Lorg/apache/flink/client/program/ClusterClientProvider;") in descriptor.methods
    assert ("setClusterEntrypointInfoToConfig", "(Lorg/apache/hadoop/yarn/api/records/ApplicationReport;)V") in descriptor.methods
    fields = {name for name, _ in descriptor.fields}
    assert {"flinkConfiguration", "yarnConfiguration", "yarnClient", "shipFiles", "shipArchives", "flinkJarPath", "customName"} <= fields

    job = "Lorg/apache/flink/api/common/JobID;"
    client = flinks.get("org/apache/flink/client/program/rest/RestClusterClient")
    assert not client.access & FINAL
    constructor = "(Lorg/apache/flink/configuration/Configuration;Ljava/lang/Object;)V"
    wanted = [("<init>", constructor), *((name, f"({job})Ljava/util/concurrent/CompletableFuture;") for name in ("requestJobResult", "getJobStatus"))]
    assert not [member for member in wanted if member not in client.methods or client.methods[member] & FINAL]

    executors = flinks.get("org/apache/flink/core/execution/DefaultExecutorServiceLoader")
    factory = "(Lorg/apache/flink/configuration/Configuration;)Lorg/apache/flink/core/execution/PipelineExecutorFactory;"
    assert ("getExecutorFactory", factory) in executors.methods
    # Per-job clusters are the agent's business where Flink has none.
    has_own = flinks.get("org/apache/flink/yarn/executors/YarnJobClusterExecutorFactory") is not None
    graphs = {name for name, _ in flinks.get("org/apache/flink/client/deployment/executors/PipelineExecutorUtils").methods}
    assert has_own == flink.startswith("1.") and ("getStreamGraph" in graphs) == (not has_own)

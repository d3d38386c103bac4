"""What `scripts/explain-failures` writes: the same words whatever ids, ports and directories a run had."""

from types import SimpleNamespace

import pytest

from docs.prose import reflowed
from failures import page, samples
from failures.cases import CASES
from failures.normal import Normal
from harness.cluster import ROOT

PORTS = {"nm1": 12001, "nm1-http": 12002, "nm1-localizer": 12003, "nm2": 12011, "nm2-http": 12012, "nn": 12020, "rm": 12032}


@pytest.fixture
def normal():
    cluster = SimpleNamespace(ports=PORTS, directory="/tmp/clusters/main", user="root")
    return Normal(cluster, "/tmp/heddle-failures-x", "777")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("application_1796000000123_0007", "application_1700000000000_0042"),
        ("container_1796000000123_0007_01_000002 on localhost:12011", "container_1700000000000_0042_01_000002 on node2:8041"),
        ("container_e17_1796000000123_0007_01_000002", "container_e17_1700000000000_0042_01_000002"),
        ("hdfs://localhost:12020/user/root/.flink", "hdfs://namenode:8020/user/ann/.flink"),
        ("at localhost/127.0.0.1:33445 refused", "at node1:40000 refused"),
        ('"full-queue-777-fill"', '"full-queue-fill"'),
        ("/tmp/clusters/main/nodemanager2/logs/x", "/hadoop/logs/x"),
        ("/tmp/heddle-failures-x/missing-file/a", "/home/ann/missing-file/a"),
        ("2026-11-30 23:00:00,123 INFO  heddle [] - YARN says: x", "YARN says: x"),
        ("1.3 GB of 1 GB, 12 s ago", "1.3 GB of 1 GB, 12 s ago"),
    ],
)
def test_what_differs_from_run_to_run(normal, told, wanted):
    assert normal.text(told) == wanted


def test_an_id_stays_the_same_one(normal):
    first, second = "application_1796000000123_0009", "application_1796000000123_0010"
    assert normal.text(f"{second} {first} {second}") == " ".join(f"application_1700000000000_00{n}" for n in (42, 43, 42))


def test_the_page():
    text = page.rendered([(CASES["full-heap"], "FAILED  x\n"), (CASES["full-queue"], "WAITING  y\n")], "2026-01-31: Hadoop.")
    assert text.startswith("# Failures, explained\n") and "\n2026-01-31: Hadoop.\n" in text
    assert "\n## A heap that is full\n" in text and "\n```text\nFAILED  x\n```\n" in text and text.endswith("\n```text\nWAITING  y\n```\n")
    assert max(map(len, text.splitlines())) <= 110 and reflowed(text) == text
    assert page.block("a ``` b").startswith("````text\n")
    assert page.AFTER in page.NAVIGATION.read_text()


def test_samples_have_their_places():
    for name, file in samples.PAGES.items():
        text = (ROOT / "docs" / file).read_text()
        changed = page.with_sample(text, name, "what it says")
        assert page.block("what it says") in changed and page.with_sample(changed, name, "more") != changed


def test_lines_of_the_terminal():
    text = "x\nYARN says: a\nDeploying cluster, current state ACCEPTED\n"
    assert samples.of_the_terminal(text, "YARN says: ", "ACCEPTED") == "YARN says: a\nDeploying cluster, current state ACCEPTED"

"""What the program of tests/deployers tells, and the copies of a class that it deploys with."""

import json
from types import SimpleNamespace

import pytest

from harness import forks
from harness.deployers import Told, settings

LINES = [
    {"begin": {"threads": 6}},
    {"deployment": 2, "errors": [{"class": "Outer", "message": None}, {"class": "Inner", "message": "why"}]},
    {"deployed": "application_1_1"},
    {"deployment": 1, "application": "application_1_1"},
    {"end": {"threads": 7, "children": 0}, "threads": {"main": 1}},
]
LEFT = (
    "2026-12-01 10:00:00,000 INFO  dev.heddle.agent              [] - heddle deploys this application as ann, by /b/heddle.\n"
    "2026-12-01 10:00:00,000 INFO  dev.heddle.agent              [] - Flink's own client deploys this cluster, and not heddle: it cannot.\n"
)


def told(lines, err="", log=""):
    out = "".join(f"{json.dumps(line)}\n" for line in lines)
    return Told(SimpleNamespace(code=0, out=f"a main() prints\n{out}", err=err, text=out + err), log)


def test_each_deployment_by_its_number():
    found = told(LINES)
    assert [line["deployment"] for line in found.deployments] == [1, 2]
    assert (found.end["children"], found.threads) == (0, {"main": 1})
    only = told([LINES[1], LINES[4]])
    assert only.errors == [("Outer", ""), ("Inner", "why")]
    with pytest.raises(AssertionError):
        _ = only.application
    assert told([LINES[3], LINES[4]]).application == "application_1_1"
    with pytest.raises(AssertionError):
        told(LINES[:4])


def test_what_the_agent_leaves_to_flink():
    alone = "heddle-agent: org.apache.flink.yarn.YarnClusterDescriptor is left alone: it lacks deployInternal\n"
    assert told(LINES, err=alone, log=LEFT).left_to_flink == ["it lacks deployInternal", "it cannot."]
    assert told(LINES).left_to_flink == []


def test_settings_as_words():
    assert settings("a=b", "-Dc=d=e") == ["--set", "a=b", "--set", "c=d=e"]


def test_a_class_whose_method_takes_something_else():
    name, own, others = (forks.constant(text) for text in ("deployInternal", forks.TYPES.format("Z"), forks.TYPES.format("I")))
    assert forks.changed(b"head" + name + own + b"tail") == b"head" + name + others + b"tail"
    with pytest.raises(AssertionError, match="other types"):
        forks.changed(b"head" + name + b"tail")

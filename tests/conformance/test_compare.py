"""The comparer, the normaliser and the table; needs no cluster."""

import subprocess
import sys

import pytest
from harness.cluster import ROOT

from . import cases, compare
from .compare import Difference, Row, differences, judge
from .normal import Normal
from .observe import parse, settings

ROW = {"about": "a", "flink": "b", "here": "c", "why": "d"}


def test_equal_observations_have_no_difference():
    seen = {"a": {"b": "1", "list": ["x", "y"]}, "empty": {}}
    assert differences(seen, seen) == []


def test_values_that_differ_and_values_that_only_one_has():
    found = differences({"a": {"b": "1", "only": "left"}}, {"a": {"b": "2"}, "c": "right"})
    assert found == [Difference("a/b", "1", "2"), Difference("a/only", "left", None), Difference("c", None, "right")]


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (["a", "b"], ["b"], [("p", "a", None)]),
        (["a"], ["a", "a"], [("p", None, "a")]),
        (["a", "b", "c"], ["a", "c", "b"], [("p/order", "['b', 'c']", "['c', 'b']")]),
        (["a", "x", "b"], ["b", "a", "y"], [("p", "x", None), ("p", None, "y"), ("p/order", "['a', 'b']", "['b', 'a']")]),
        ([], [""], [("p", None, "")]),
    ],
)
def test_lists(left, right, found):
    """Entries that one lacks are one thing, the order of those that both have is another."""
    assert differences({"p": left}, {"p": right}) == [Difference(*each) for each in found]


def test_a_row_allows_only_what_it_names():
    row = Row(id="r", paths=["env/_FLINK*"], modes=["session"], reference=".+", heddle="", **ROW)
    seen = Difference("env/_FLINK_X", "1", None)
    assert row.allows(seen, "case", "session")
    assert not row.allows(seen, "case", "per-job")
    assert not row.allows(Difference("env/OTHER", "1", None), "case", "session")
    assert not row.allows(Difference("env/_FLINK_X", "1", "2"), "case", "session"), "heddle has one after all"
    assert not row.allows(Difference("env/_FLINK_X", None, None), "case", "session")
    assert judge([seen, Difference("other", 1, 2)], [row], "case", "session") == ([("r", seen)], [Difference("other", 1, 2)])


def test_cases_of_a_row():
    row = Row(id="r", paths=["*"], cases=["exit*"], **ROW)
    assert row.allows(Difference("x", 1, 2), "exits-behind", "session")
    assert not row.allows(Difference("x", 1, 2), "plain", "session")


def test_what_is_a_deployments_own_is_replaced():
    normal = Normal({"/srv/conf": "<conf>", "/srv/conf/deep": "<deep>"}, ["vm"], kept="23100-23190 4711")
    seen = {
        "id": "container_1795875559490_0005_01_000002 of application_1795875559490_0005",
        "job": "job 07c9980e9120b38f6cc724c0e44df884",
        "place": "/srv/conf/deep/a:/srv/conf/b",
        "host": "vm jvm vm-2 akka://vm:4711",
        "rest.port": "38123",
        "blob.server.port": "4711",
        "range.port": "23100-23190",
        "number": "38123",
    }
    assert normal(seen) == {
        "id": "<container> of <application>",
        "job": "job <id>",
        "place": "<deep>/a:<conf>/b",
        "host": "<host> jvm vm-2 akka://<address>",
        "rest.port": "<port>",
        "blob.server.port": "4711",
        "range.port": "23100-23190",
        "number": "38123",
    }


def test_command_lines_of_java():
    command = ["java", "-Xmx1g", "-cp", "a:b", "-Da=b", "Main", "-D", "k=v", "-Dx=y=z", "--configDir", "."]
    options, main, arguments = parse(command)
    assert (options, main) == (["-Xmx1g", "-cp", "a:b", "-Da=b"], "Main")
    assert settings(arguments) == {"set": {"k": "v", "x": "y=z"}, "words": ["--configDir", "."]}


def test_cases_and_table_can_be_read():
    assert cases.read() and compare.table()
    with pytest.raises(AssertionError, match="unknown"):
        cases.read('[[case]]\nname = "x"\nwhat = "y"\nodd = 1')


def test_the_page_is_the_table():
    done = subprocess.run([sys.executable, ROOT / "scripts/compatibility", "--differences", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

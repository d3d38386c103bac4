"""Which scenarios each run has."""

from types import SimpleNamespace

import pytest

from harness.selection import clients, kept

NOTHING = {}
HEDDLE_ONLY = {"heddle_only": SimpleNamespace(args=("why",), kwargs={})}
REFERENCE = {"reference": SimpleNamespace(kwargs={})}
SELDOM = {"reference": SimpleNamespace(kwargs={"extended": True})}
EXTENDED = {"extended": SimpleNamespace(kwargs={})}


def run(chosen, select, marks):
    """The kinds of client that a test with these markers is in the end run with."""
    return [kind for kind in clients(chosen, select, marks) if kept(chosen, select, marks, kind)]


@pytest.mark.parametrize(
    ("marks", "plain", "extended", "reference"),
    [
        (NOTHING, ["heddle"], [], []),
        (HEDDLE_ONLY, ["heddle"], [], []),
        (REFERENCE, ["heddle", "reference"], [], []),
        (SELDOM, ["heddle"], [], ["reference"]),
        (EXTENDED, [], ["heddle"], []),
        (EXTENDED | REFERENCE, [], ["heddle"], ["reference"]),
        (EXTENDED | SELDOM, [], ["heddle"], ["reference"]),
    ],
)
def test_the_parts_share_everything_among_themselves(marks, plain, extended, reference):
    parts = [run("plain", select, marks) for select in ("plain", "extended", "reference")]
    assert parts == [plain, extended, reference]
    assert run("plain", "all", marks) == sorted(sum(parts, []))


def test_one_client_alone():
    assert run("reference", "all", HEDDLE_ONLY) == []
    assert run("reference", "plain", NOTHING) == ["reference"]
    assert run("heddle", "all", REFERENCE) == ["heddle"]
    assert run("both", "plain", NOTHING) == ["heddle", "reference"]


def test_without_a_client():
    assert kept("plain", "plain", NOTHING, None)
    assert not kept("plain", "reference", EXTENDED, None)
    assert not kept("reference", "all", HEDDLE_ONLY, None)

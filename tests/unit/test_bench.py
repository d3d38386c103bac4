"""What `scripts/bench --failover` makes of the moments that it has measured, and how sections of a page are
replaced."""

import pytest

from bench import failover, report
from bench.common import in_turns, spread
from bench.failover import Call
from harness import sections


def test_what_a_command_takes_beyond_the_failover_and_its_usual_time():
    figures = failover.figures([Call(100.0, 112.5, True)], 111.0, 0.3)
    assert figures == {"listed": 12.5, "active": 11.0, "usual": 0.3, "extra": pytest.approx(1.2), "inVain": 0}


def test_all_commands_until_one_has_listed_the_job_count():
    calls = [Call(100.0, 104.0, False), Call(104.0, 115.0, True)]
    figures = failover.figures(calls, 110.0, 2.0)
    assert (figures["listed"], figures["extra"], figures["inVain"]) == (15.0, 3.0, 1)
    with pytest.raises(AssertionError, match="nothing has listed"):
        failover.figures(calls[:1], 110.0, 2.0)


def test_a_failover_that_is_over_before_the_command_begins_is_none_of_its_time():
    assert failover.figures([Call(100.0, 101.0, True)], 90.0, 0.5)["extra"] == 0.5


def run(extra, in_vain=0):
    return {"listed": 11 + extra, "active": 10.0, "usual": 1.0, "extra": extra, "inVain": in_vain}


def test_the_table_of_failovers():
    found = {"heddle": [run(0.2), run(0.9), run(0.4)], "reference": [run(3.0, 2), {"failed": "no"}]}
    assert failover.rows(found)[1:] == [
        ["heddle", "1.00 s", "10.00 s", "11.40 s", "0.40 s", "0.20 s", "0.90 s", "3", "0"],
        ["Flink's own", "1.00 s", "10.00 s", "14.00 s", "3.00 s", "3.00 s", "3.00 s", "1 of 2", "2"],
    ]
    assert failover.rows({"heddle": [{"failed": "no"}]})[1] == ["heddle", *["–"] * 6, "0 of 1", "–"]
    assert report.failover_text(found).splitlines()[-1] == "reached: 0.40 s more than usual, wanted 1 s at most"
    assert failover.verdict({"heddle": [run(1.2)]}).startswith("MISSED: 1.20 s")
    assert failover.verdict({"reference": [run(1.2)], "heddle": [{"failed": "no"}]}) is None
    assert {len(row) for row in failover.rows(found)} == {9}


def test_what_the_parts_share():
    assert [in_turns(["a", "b"], number) for number in range(3)] == [["a", "b"], ["b", "a"], ["a", "b"]]
    assert spread([3, 1, 2]) == ["2.0 s", "1.0 s", "3.0 s"] and spread([1.234], 2)[0] == "1.23 s"


def test_a_section_of_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- it: written by scripts/x -->\nold\n<!-- end of it -->\n\nafter\n")
    for line in ("new", "newer"):
        sections.replace(page, "it", "scripts/x", "scripts/x --it", [line])
        assert page.read_text() == f"before\n\n<!-- it: written by scripts/x -->\n`scripts/x --it`\n\n{line}\n<!-- end of it -->\n\nafter\n"
    with pytest.raises(AssertionError, match="has no lines"):
        sections.replace(page, "other", "scripts/x", "scripts/x", [])
